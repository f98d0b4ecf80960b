//! `nnue eval`, `nnue diff --data` and `nnue inspect --bounds`.

use crate::common;

use crate::cli_support::{nnue, write_fens, write_net};

const START: &str = "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1";
const QUEENS: &str = "QQQQQQQQ/Q6k/8/8/8/8/7K/qqqqqqqq w - - 0 1";

/// The contract: member by member, for every generation of the golden data.
#[test]
fn json_is_as_recorded() {
    let Some(golden) = common::golden() else { return };
    let folder = tempfile::tempdir().unwrap();
    let expected = common::json(&golden.join("public/H_eval/expected.json"));
    let fens: Vec<&str> = expected["fens"].as_array().unwrap().iter().map(|fen| fen.as_str().unwrap()).collect();
    std::fs::write(folder.path().join("fens.epd"), format!("# some\n{}\n\n", fens.join("\n"))).unwrap();
    for (file, name) in [("v1", "SFNNv1"), ("v5", "SFNNv5"), ("v10a", "SFNNv10a"), ("v16", "SFNNv16")] {
        let net = &expected["nets"][file];
        std::fs::write(folder.path().join("a.nnue"), common::read_maybe_xz(&golden.join(format!("public/H_eval/{file}.nnue")))).unwrap();
        let scales = net["scales"].as_str().unwrap();
        let options = ["eval", "a.nnue", "--architecture", name, "--quantization", scales, "--json"];
        let by_fen = nnue(folder.path(), options.iter().copied().chain(["--fen"]).chain(fens.iter().copied())).ok().json();
        let count = fens.len().to_string();
        let by_file = nnue(folder.path(), options.iter().copied().chain(["--data", "fens.epd", "--count", &count])).ok().json();
        assert_eq!(by_fen, by_file);
        assert_eq!(
            (by_fen["schema"].as_u64(), by_fen["net"].as_str(), by_fen["architecture"].as_str()),
            (Some(1), Some("a.nnue"), Some(name))
        );
        for ((found, fen), values) in by_fen["positions"].as_array().unwrap().iter().zip(&fens).zip(net["values"].as_array().unwrap()) {
            assert_eq!(found["fen"].as_str(), Some(*fen));
            let raws = found["buckets"].as_array().unwrap().iter().map(|raw| serde_json::json!([raw["psqt"], raw["positional"]]));
            assert_eq!(serde_json::Value::Array(raws.collect()), *values, "{name} {fen}");
            let bucket = usize::try_from(found["bucket"].as_u64().unwrap()).unwrap();
            let used = &values[bucket];
            assert_eq!(found["value"].as_i64().unwrap(), (used[0].as_i64().unwrap() + used[1].as_i64().unwrap()) / 16);
            let pieces = fen.split(' ').next().unwrap().chars().filter(|c| c.is_alphabetic()).count();
            assert_eq!(bucket, if name == "SFNNv1" { 0 } else { (pieces - 1) / 4 });
        }
    }
}

#[test]
fn text_has_a_table_for_each_fen_and_a_line_for_each_position_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    write_net(&folder.path().join("a.nnue"), "SFNNv5", 64, 3);
    write_fens(&folder.path().join("x.fen"), 3, 40);
    let text = nnue(folder.path(), ["eval", "a.nnue", "--fen", START, QUEENS, "--quantization", "ft127"]).ok().out;
    assert!(text.contains("White to move, in pawns of 361 internal units"), "{text}");
    assert_eq!(text.matches("<-- this bucket is used").count(), 2, "{text}");
    assert!(text.lines().any(|line| line.starts_with("|  7 ") && line.ends_with("<-- this bucket is used")), "{text}");
    let text = nnue(folder.path(), ["eval", "a.nnue", "--data", "x.fen"]).ok().out;
    assert_eq!(text.lines().count(), 41, "{text}");
    let some = nnue(folder.path(), ["eval", "a.nnue", "--data", "x.fen", "--count", "10", "--seed", "4"]).ok().out;
    assert!(some.lines().count() == 11 && some.lines().all(|line| text.contains(line)), "{some}");
    let of = |fen| nnue(folder.path(), ["eval", "a.nnue", "--fen", fen, "--quantization", "ft127"]).ok().out;
    assert_eq!(of("startpos"), of(START));
    nnue(folder.path(), ["eval", "a.nnue"]).fails(2, &["--fen"]);
    nnue(folder.path(), ["eval", "a.nnue", "--fen", "4k3/8 w - -"]).fails(2, &["is not a FEN"]);
    nnue(folder.path(), ["eval", "a.nnue", "--data", "x.fen", "--count", "41"]).fails(1, &["asked for 41 positions"]);
}

/// A checkpoint that was made of integers quantizes to these again, so its error is that of the activations alone.
#[test]
fn both_shows_the_quantization_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_net(&path.join("a.nnue"), "SFNNv15", 64, 3);
    write_fens(&path.join("x.fen"), 3, 60);
    nnue(path, ["convert", "a.nnue", "a.safetensors"]).ok();
    let eval = |net: &str, more: &[&str]| nnue(path, [&["eval", net, "--data", "x.fen", "--json"], more].concat()).ok().json();
    let (integers, trained) = (eval("a.nnue", &["--both"]), eval("a.safetensors", &["--both"]));
    assert_eq!(integers["positions"], trained["positions"]);
    let error = &trained["error"];
    assert_eq!(error["count"], 60);
    assert!(error["correlation"].as_f64().unwrap() > 0.99, "{error}");
    // What truncation to 1/128 takes away, and what halving the piece squares does.
    let largest = |layer: usize| error["layers"][layer]["max"].as_f64().unwrap();
    assert!((0.005..1.0 / 128.0 + 1e-6).contains(&largest(0)) && largest(3) < 1e-4, "{error}");
    let layers: Vec<&str> = error["layers"].as_array().unwrap().iter().map(|layer| layer["layer"].as_str().unwrap()).collect();
    assert_eq!(layers, ["ft", "l1", "l2", "psqt", "output"]);
    let float = eval("a.safetensors", &["--float"]);
    assert_eq!(float["positions"][5]["float"], trained["positions"][5]["float"]);
    assert!(float["positions"][5].get("buckets").is_none());
    let text = nnue(path, ["eval", "a.safetensors", "--data", "x.fen", "--both"]).ok().out;
    assert!(text.contains("correlation") && text.contains("histogram of the differences") && text.contains("by layer"), "{text}");
}

#[test]
fn diff_compares_evaluations_and_inspect_bounds_sums() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_net(&path.join("a.nnue"), "small", 64, 3);
    write_net(&path.join("b.nnue"), "small", 64, 4);
    write_fens(&path.join("x.fen"), 3, 60);
    let same = nnue(path, ["diff", "a.nnue", "a.nnue", "--data", "x.fen", "--json"]).ok().json();
    assert_eq!((same["evaluations"]["max_abs"].as_f64(), same["evaluations"]["count"].as_u64()), (Some(0.0), Some(60)));
    let other = nnue(path, ["diff", "a.nnue", "b.nnue", "--data", "x.fen", "--count", "30"]);
    assert!(
        other.code == 1 && other.out.contains("largest differences") && other.out.contains("positions    30"),
        "{}",
        other.transcript()
    );
    let bounds = nnue(path, ["inspect", "a.nnue", "--bounds", "--data", "x.fen"]).ok().out;
    assert!(bounds.contains("cannot overflow i16") && bounds.contains("seen in 60 positions"), "{bounds}");
}

/// What other engines compute is not known here: it is said, also where an option would otherwise mean nothing.
#[test]
fn networks_of_other_engines_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let mut bytes = Vec::new();
    crate::lc0_net::net(&crate::lc0_net::SMALL, 1).write_pb(&mut bytes).unwrap();
    std::fs::write(path.join("a.pb"), bytes).unwrap();
    write_net(&path.join("a.nnue"), "small", 64, 3);
    write_fens(&path.join("x.fen"), 3, 10);
    let commands: [(&str, Vec<&str>); 3] = [
        ("`nnue eval` does not take", vec!["eval", "NET", "--fen", START]),
        ("`nnue diff --data` does not take", vec!["diff", "NET", "a.nnue", "--data", "x.fen"]),
        ("`nnue inspect --bounds` does not take", vec!["inspect", "NET", "--bounds"]),
    ];
    for (says, command) in commands {
        let of = |net: &'static str, more: &[&'static str]| {
            let args = command.iter().map(|arg| if *arg == "NET" { net } else { arg }).chain(more.iter().copied());
            nnue(path, args.collect::<Vec<_>>())
        };
        of("a.pb", &[]).fails(1, &[says, "it is a network of lc0", "ONNX"]);
        of("a.nnue", &["--architecture", "plentychess"]).fails(2, &[says, "the described architecture `plentychess`", "nnue convert"]);
    }
}
