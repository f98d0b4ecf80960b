//! The command line as its users see it: one test a behaviour, each with exit code, stdout and stderr.
#![allow(missing_docs)]

mod cli_support;
mod common;

use std::path::Path;

use cli_support::{command, names, nnue, write_fens, write_net};
use serde_json::json;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn read(folder: &Path, name: &str) -> Vec<u8> {
    std::fs::read(folder.join(name)).unwrap()
}

// ── Global behaviour ──────────────────────────────────────────────────────────────────────────────────────────────────

#[test]
fn help_and_version_are_results_and_no_command_is_a_mistake() {
    let work = folder();
    assert!(nnue(work.path(), ["--help"]).ok().out.contains("Usage: nnue"));
    assert_eq!(
        nnue(work.path(), ["--version"]).ok().transcript(),
        format!("exit 0\n--- stdout\nnnue {}\n--- stderr\n", env!("CARGO_PKG_VERSION"))
    );
    nnue(work.path(), ["frobnicate"]).fails(2, &["unrecognized subcommand 'frobnicate'"]);
    nnue::<&str>(work.path(), []).fails(2, &["Usage: nnue"]);
    nnue(work.path(), ["inspect"]).fails(2, &["<FILE>"]);
}

#[test]
fn a_folder_to_start_in_holds_for_all_paths() {
    let work = folder();
    std::fs::create_dir(work.path().join("sub")).unwrap();
    write_net(&work.path().join("sub/a.nnue"), "small", 16, 1);
    nnue(work.path(), ["-C", "sub", "convert", "a.nnue", "b.nnue", "-q"]).ok();
    assert_eq!(names(&work.path().join("sub")), ["a.nnue", "b.nnue"]);
    nnue(work.path(), ["inspect", "a.nnue", "-C", "missing"]).fails(2, &["cannot go to the folder `missing`"]);
}

#[test]
fn colours_are_for_terminals_and_those_who_ask() {
    let work = folder();
    assert!(!nnue(work.path(), ["convert", "a", "b"]).err.contains('\x1b'));
    assert!(nnue(work.path(), ["--color", "always", "convert", "a", "b"]).err.contains("\x1b[1;31merror:"));
    assert!(nnue(work.path(), ["--color=always", "frobnicate"]).err.contains('\x1b'));
    let quiet = command(work.path()).env("NO_COLOR", "1").args(["--color", "never", "frobnicate"]).output().unwrap();
    assert!(!String::from_utf8(quiet.stderr).unwrap().contains('\x1b'));
}

#[cfg(unix)]
#[test]
fn a_reader_that_goes_away_is_no_error() {
    let work = folder();
    write_net(&work.path().join("a.nnue"), "small", 16, 1);
    let nnue = assert_cmd::cargo::cargo_bin!("nnue");
    for args in ["inspect a.nnue --json", "schema", "completions bash", "--help", "man"] {
        let script = format!("set -o pipefail; {} {args} | true", nnue.display());
        let output = std::process::Command::new("bash").args(["-c", &script]).current_dir(work.path()).output().unwrap();
        assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap().as_str()), (Some(0), ""), "{args}");
    }
    let full = format!("{} schema > /dev/full", nnue.display());
    let output = std::process::Command::new("bash").args(["-c", &full]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("cannot write to stdout"));
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_with_130_and_leaves_nothing() {
    let work = folder();
    // Big enough that the search runs for minutes.
    write_net(&work.path().join("a.nnue"), "small", 256, 1);
    write_fens(&work.path().join("p.fen"), 1, 20_000);
    let nnue = assert_cmd::cargo::cargo_bin!("nnue");
    let mut child = std::process::Command::new(nnue)
        .args(["convert", "a.nnue", "b.nnue", "--ft_optimize", "--ft_optimize_data", "p.fen", "-v", "--quantization", "ft127"])
        .args(["--ft_optimize_count", "5000", "--algorithm", "anneal", "--moves", "100000000000"])
        .current_dir(work.path())
        .stderr(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // Its second line on stderr says that work has begun.
    let mut said = std::io::BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut said, &mut line).unwrap();
    let status = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(status.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut said, &mut rest).unwrap();
    assert!(rest.contains("error: interrupted"), "{line}{rest}");
    assert_eq!(names(work.path()), ["a.nnue", "p.fen"]);
}

// ── convert ───────────────────────────────────────────────────────────────────────────────────────────────────────────

#[test]
fn convert_says_what_it_wrote() {
    let work = folder();
    let bytes = write_net(&work.path().join("a.nnue"), "SFNNv9", 16, 7);
    let ran = nnue(work.path(), ["convert", "a.nnue", "b.nnue"]).ok();
    let sha = common::sha256(&bytes);
    assert_eq!(read(work.path(), "b.nnue"), bytes);
    let expected = format!(
        "exit 0\n--- stdout\nwrote        b.nnue\nname         nn-{}.nnue\nsha256       {sha}\nbytes        {}, compression leb128\n",
        &sha[..12],
        bytes.len()
    );
    assert!(ran.transcript().starts_with(&expected), "{}", ran.transcript());
    assert!(ran.out.contains("sizes        L1=16 L2=15 L3=32\n"), "{}", ran.out);
    assert_eq!(nnue(work.path(), ["convert", "a.nnue", "b.nnue", "-q"]).ok().transcript(), "exit 0\n--- stdout\n--- stderr\n");
    let result = nnue(work.path(), ["convert", "a.nnue", "b.nnue", "--json"]).ok().json();
    let output = json!({"path": "b.nnue", "sha256": sha, "bytes": bytes.len()});
    assert_eq!(result, json!({"schema": 1, "output": output, "zero_blocks": null, "warnings": []}));
}

#[test]
fn convert_keeps_or_replaces_or_empties_the_description() {
    let work = folder();
    write_net(&work.path().join("a.nnue"), "small", 16, 7);
    let described = |args: &[&str]| {
        nnue(work.path(), ["convert", "a.nnue", "b.nnue", "-q"].iter().chain(args)).ok();
        nnue(work.path(), ["inspect", "b.nnue", "--json"]).ok().json()["description"].clone()
    };
    assert_eq!(described(&[]), "Random network, seed 7");
    assert_eq!(described(&["--description", "für ✓\n"]), "für ✓\n");
    assert_eq!(described(&["--description", ""]), "");
    assert_eq!(described(&["--description=-x"]), "-x");
}

#[test]
fn convert_may_replace_its_own_source() {
    let work = folder();
    let bytes = write_net(&work.path().join("a.nnue"), "small", 16, 7);
    nnue(work.path(), ["convert", "a.nnue", "a.nnue", "--ft-compression", "none", "-q"]).ok();
    assert!(read(work.path(), "a.nnue").len() > bytes.len());
    nnue(work.path(), ["convert", "a.nnue", "a.nnue", "--ft_compression=leb128", "-q"]).ok();
    assert_eq!(read(work.path(), "a.nnue"), bytes);
    assert_eq!(names(work.path()), ["a.nnue"]);
}

#[test]
fn convert_goes_through_floats_and_back_without_loss() {
    let work = folder();
    let bytes = write_net(&work.path().join("a.nnue"), "SFNNv16", 8, 7);
    for target in ["f.pt", "f.safetensors", "f.npz"] {
        nnue(work.path(), ["convert", "a.nnue", target, "-q"]).ok();
        nnue(work.path(), ["convert", target, "back.nnue", "-q"]).ok();
        assert_eq!(read(work.path(), "back.nnue"), bytes, "{target}");
    }
    nnue(work.path(), ["convert", "a.nnue", "m.pt", "--pt-profile", "head", "-q"]).ok();
    nnue(work.path(), ["convert", "m.pt", "back.nnue", "-q"]).ok();
    assert_eq!(read(work.path(), "back.nnue"), bytes);
    let ran = nnue(work.path(), ["convert", "a.nnue", "g.npz", "--ft_compression", "none", "-q", "--json"]).ok();
    assert_eq!(ran.json()["warnings"], json!(["`--ft_compression` has no effect on a target that is not a `.nnue` file"]));
}

#[test]
fn convert_names_files_by_their_digest() {
    let work = folder();
    let bytes = write_net(&work.path().join("a.nnue"), "small", 16, 7);
    let name = format!("nn-{}.nnue", &common::sha256(&bytes)[..12]);
    let result = nnue(work.path(), ["convert", "a.nnue", "new/sub", "--out-sha", "--json"]).ok().json();
    assert_eq!(result["output"]["path"], format!("new/sub/{name}"));
    assert_eq!(names(&work.path().join("new/sub")), [name]);
    nnue(work.path(), ["convert", "a.nnue", "a.nnue", "--out_sha"]).fails(2, &["`a.nnue` is not a folder"]);
    nnue(work.path(), ["convert", "a.nnue", "new"]).fails(2, &["`new` is a folder", "--out-sha"]);
}

#[test]
fn convert_optimizes_the_same_way_each_time() {
    let work = folder();
    write_net(&work.path().join("a.nnue"), "small", 64, 7);
    write_fens(&work.path().join("p.fen"), 1, 400);
    write_fens(&work.path().join("q.fen"), 2, 400);
    let run = |target: &str| {
        let args =
            ["convert", "a.nnue", target, "--ft_optimize", "--ft_optimize_data", "p.fen", "q.fen", "--ft_optimize_count", "500", "--json"];
        nnue(work.path(), args.iter().chain(&["--quantization", "ft127"])).ok().json()
    };
    let result = run("b.nnue");
    assert_eq!(result["zero_blocks"]["positions"], 500);
    assert!(result["zero_blocks"]["after"].as_f64() > result["zero_blocks"]["before"].as_f64(), "{result}");
    run("c.nnue");
    assert_eq!(read(work.path(), "b.nnue"), read(work.path(), "c.nnue"));
    let too_many = ["convert", "a.nnue", "d.nnue", "--ft_optimize", "--ft_optimize_data", "p.fen", "--ft_optimize_count", "100000"];
    nnue(work.path(), too_many).fails(1, &["100000 positions were asked for"]);
    assert!(!work.path().join("d.nnue").exists());
}

#[test]
fn convert_filters_positions() {
    let work = folder();
    write_net(&work.path().join("a.nnue"), "small", 64, 7);
    write_fens(&work.path().join("p.fen"), 1, 400);
    let optimize = ["convert", "a.nnue", "b.nnue", "--quantization", "ft127", "--ft_optimize", "--ft_optimize_data", "p.fen"];
    let run = |extra: &[&str]| nnue(work.path(), optimize.iter().chain(extra));
    run(&["--filtered", "--ft_optimize_count", "9"]).fails(2, &["the filter `filtered` needs", "`p.fen`"]);
    run(&["--random-fen-skipping", "1", "--ft_optimize_count", "350"]).fails(1, &["350 positions were asked for", "were filtered out"]);
    assert!(!work.path().join("b.nnue").exists());
    run(&["--random-fen-skipping", "1", "--pc_y1", "0.5", "--ft_optimize_count", "50"]).ok();
    let idle = nnue(work.path(), ["convert", "a.nnue", "c.nnue", "--max_ply", "80"]).ok();
    assert!(idle.err.contains("filters of positions have no effect without `--ft_optimize`"), "{}", idle.transcript());
}

#[test]
fn convert_refuses_options_that_contradict_each_other_before_it_reads() {
    let work = folder();
    let run = |args: &[&str]| nnue(work.path(), ["convert", "missing.nnue"].iter().chain(args));
    run(&["b.nnue", "--ft_perm", "p", "--ft_optimize"]).fails(2, &["mutually exclusive"]);
    run(&["b.nnue", "--ft_optimize"]).fails(2, &["`--ft_optimize` needs positions", "--ft_optimize_data"]);
    run(&["b.ckpt"]).fails(2, &["cannot convert into .ckpt"]);
    run(&["b.bin"]).fails(2, &["`.nnue`, `.pt`, `.safetensors` and `.npz`"]);
    run(&["b"]).fails(2, &["`b` has no ending"]);
    run(&["b.nnue", "--ft_compression", "zip"]).fails(2, &["invalid value 'zip'", "leb128, none"]);
    run(&["b.nnue", "--l1", "0"]).fails(2, &["--l1"]);
    run(&["b.nnue", "--features", "HalfKB"]).fails(2, &["`HalfKB` is not a feature block"]);
    run(&["b.nnue", "--architecture", "SFNNv99"]).fails(2, &["known are T0, SFNNv1"]);
    run(&["b.nnue", "--quantization", "ft1"]).fails(2, &["ft127, ft255, ft256"]);
    run(&["b.nnue", "--pc_y3", "1e9"]).fails(2, &["`pc_y3` is out of range", "from -1000000 to 1000000"]);
    run(&["b.nnue", "--ft_optimize_count", "0"]).fails(2, &["--ft_optimize_count"]);
    run(&["gone/b.nnue"]).fails(1, &["the folder `gone` does not exist"]);
    run(&["b.nnue"]).fails(1, &["cannot open `missing.nnue`"]);
    assert!(names(work.path()).is_empty());
}

#[test]
fn convert_says_what_a_wrong_file_is() {
    let work = folder();
    let whole = write_net(&work.path().join("a.nnue"), "SFNNv9", 16, 7);
    for (name, bytes, parts) in [
        ("page", b"<!DOCTYPE html><html></html>".to_vec(), &["this is an HTML page, not a network", "help: "][..]),
        ("lfs", b"version https://git-lfs.github.com/spec/v1\n".to_vec(), &["git-lfs pointer", "git lfs pull"]),
        ("gz", vec![0x1F, 0x8B, 8, 0], &["gzip-compressed"]),
        ("txt", b"hello\n".to_vec(), &["this is a text file"]),
        ("empty", Vec::new(), &["the file is empty"]),
        ("noise", vec![1, 2, 3], &["begins with the bytes 01 02 03"]),
        ("cut", whole[..whole.len() / 2].to_vec(), &["truncated at byte"]),
        ("long", [whole.as_slice(), b"x"].concat(), &["1 bytes are left after the last layer stack"]),
    ] {
        std::fs::write(work.path().join(name), bytes).unwrap();
        nnue(work.path(), ["convert", name, "b.nnue"]).fails(1, &[&[&*format!("cannot load `{name}`")], parts].concat());
    }
    nnue(work.path(), ["convert", "a.nnue", "b.nnue", "--l1", "3072"]).fails(1, &["L1=16 in the file, 3072 expected"]);
    assert!(!work.path().join("b.nnue").exists());
}

// ── inspect ───────────────────────────────────────────────────────────────────────────────────────────────────────────

#[test]
fn inspect_shows_a_net_under_the_documented_keys() {
    let Some(golden) = common::golden() else { return };
    let work = folder();
    let net = golden.join("nets/nn-baff1ede1f90.nnue");
    let ran = nnue(work.path(), ["inspect", net.to_str().unwrap(), "--json"]).ok();
    let found = ran.json();
    let keys: Vec<&str> = found.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "schema",
        "format",
        "bytes",
        "sha256",
        "version",
        "hash",
        "architecture",
        "candidates",
        "features",
        "l1",
        "l2",
        "l3",
        "buckets",
        "compression",
        "description",
        "tensors",
        "notes",
    ];
    assert_eq!(keys, expected);
    assert_eq!(found["format"], "nnue");
    assert_eq!((&found["version"], &found["hash"]), (&json!("0x7AF32F20"), &json!("0x1C103C92")));
    assert_eq!(found["bytes"], 3_480_122);
    assert_eq!((&found["l1"], &found["l2"], &found["l3"], &found["buckets"]), (&json!(128), &json!(15), &json!(32), &json!(8)));
    assert_eq!((&found["features"], &found["compression"]), (&json!("HalfKAv2_hm"), &json!("leb128")));
    assert!(found["sha256"].as_str().unwrap().starts_with("baff1ede1f90"));
    let bias = json!({"name": "ft.bias", "dtype": "i16", "shape": [128], "min": -130, "max": 140, "offset": 100, "bytes": 167});
    assert_eq!(found["tensors"][0], bias);
    let notes = found["notes"].to_string();
    assert!(notes.contains("the quantization is not recorded in the file; ft127 is assumed (also possible: ft255)"), "{notes}");
    assert!(notes.contains("2 non-zero padding bytes at stack7.l2 row 31 (a nonce)"), "{notes}");
    let text = nnue(work.path(), ["inspect", net.to_str().unwrap(), "--histogram"]).ok().out;
    assert!(text.contains("  architecture small\n") && text.contains('█'), "{text}");
}

#[test]
fn inspect_lists_a_checkpoint_whose_scales_are_open() {
    let Some(golden) = common::golden() else { return };
    let work = folder();
    let source = golden.join("public/A_seed/HalfKAv2_hm_fact_L32/net.ckpt");
    std::fs::write(work.path().join("net.ckpt"), common::read_maybe_xz(&source)).unwrap();
    let found = nnue(work.path(), ["inspect", "net.ckpt", "--json"]).ok().json();
    assert_eq!((&found["format"], &found["features"]), (&json!("torch-zip"), &json!("HalfKAv2_hm^")));
    assert_eq!((&found["l1"], &found["hash"]), (&json!(32), &json!(null)));
    let notes = found["notes"].to_string();
    assert!(notes.contains("with ft127, or ") && notes.contains("with ft255"), "{notes}");
    let first = &found["tensors"][0];
    assert_eq!((&first["name"], &first["dtype"], &first["shape"]), (&json!("model.input.weight"), &json!("f32"), &json!([23296, 40])));
    assert!(first["min"].as_f64() < Some(0.0) && first["max"].as_f64() > Some(0.0));
}

#[test]
fn inspect_knows_files_of_every_kind() {
    let work = folder();
    let at = |name: &str| work.path().join(name);
    let net = write_net(&at("a.nnue"), "SFNNv9", 16, 7);
    for target in ["f.pt", "f.safetensors", "f.npz"] {
        nnue(work.path(), ["convert", "a.nnue", target, "-q"]).ok();
    }
    write_fens(&at("p.fen"), 1, 5);
    nnue(work.path(), ["perm", "gather", "--net", "a.nnue", "--data", "p.fen", "--out", "act.npy", "-q"]).ok();
    nnue(work.path(), ["perm", "find", "--data", "act.npy", "--out", "perm.npy", "-q"]).ok();
    let elf = |nets: &[&[u8]]| {
        [b"\x7FELF\x02".as_slice(), &[0; 995]].concat().into_iter().chain(nets.concat()).chain([0; 50]).collect::<Vec<u8>>()
    };
    std::fs::write(at("engine"), elf(&[&net])).unwrap();
    std::fs::write(at("engine2"), elf(&[&net, &net])).unwrap();
    for (name, format, note) in [
        ("f.pt", "torch-zip", "converts into"),
        ("f.safetensors", "safetensors", "converts into"),
        ("f.npz", "npz", "converts into"),
        ("p.fen", "fen", "5 lines of positions"),
        ("act.npy", "npy", "an activation matrix of 5 positions at L1=16"),
        ("perm.npy", "npy", "of 8 neuron pairs (L1=16)"),
        ("engine", "elf-with-nnue", "a network stands at offset 1000"),
        ("engine2", "elf-with-nnue", "the tensors shown are those of the first"),
    ] {
        let found = nnue(work.path(), ["inspect", name, "--json"]).ok().json();
        assert_eq!(found["format"], format, "{name}");
        assert!(found["notes"].to_string().contains(note), "{name}: {}", found["notes"]);
        assert_eq!(found["sha256"], common::sha256(&read(work.path(), name)));
    }
    let found = nnue(work.path(), ["inspect", "engine", "--json"]).ok().json();
    assert_eq!((&found["l1"], &found["tensors"][0]["offset"]), (&json!(16), &json!(1000 + 16 + "Random network, seed 7".len())));
}

#[test]
fn inspect_says_what_a_wrong_file_is_and_fails() {
    let work = folder();
    let whole = write_net(&work.path().join("a.nnue"), "SFNNv9", 16, 7);
    for (name, bytes, format, part) in [
        ("page", b"<!DOCTYPE html><html></html>".to_vec(), "html", "HTML page"),
        ("lfs", b"version https://git-lfs.github.com/spec/v1\n".to_vec(), "git-lfs-pointer", "git-lfs pointer"),
        ("gz", vec![0x1F, 0x8B, 8, 0], "gzip", "gzip-compressed"),
        ("txt", b"hello\n".to_vec(), "text", "text file"),
        ("empty", Vec::new(), "empty", "empty"),
        ("noise", vec![1, 2, 3], "unknown", "begins with the bytes 01 02 03"),
        ("program", b"\x7FELF\x02\x01".to_vec(), "elf", "a program without a network inside"),
        ("zip", b"PK\x03\x04 and so on".to_vec(), "torch-zip", "zip"),
        ("cut", whole[..whole.len() / 2].to_vec(), "nnue", "truncated at byte"),
        ("long", [whole.as_slice(), b"x"].concat(), "nnue", "1 bytes are left"),
    ] {
        std::fs::write(work.path().join(name), &bytes).unwrap();
        let ran = nnue(work.path(), ["inspect", name, "--json"]);
        assert_eq!(ran.code, 1, "{}", ran.transcript());
        let found = ran.json();
        assert_eq!((&found["format"], &found["bytes"]), (&json!(format), &json!(bytes.len())), "{name}");
        assert!(found["notes"].to_string().contains(part) && ran.err.contains(part), "{}", ran.transcript());
        assert!(ran.err.starts_with(&format!("error: `{name}` is not what it should be\n")), "{}", ran.err);
        let text = nnue(work.path(), ["inspect", name]);
        assert!(text.code == 1 && text.out.contains(&format!("  format       {format}\n")), "{}", text.transcript());
    }
    let cut = nnue(work.path(), ["inspect", "cut", "--json"]).json();
    assert_eq!((&cut["version"], &cut["description"]), (&json!("0x7AF32F20"), &json!("Random network, seed 7")));
    nnue(work.path(), ["inspect", "missing"]).fails(1, &["cannot open `missing`"]);
    nnue(work.path(), ["inspect", "."]).fails(1, &["`.` is a folder"]);
}

#[test]
fn inspect_shows_descriptions_that_are_no_text() {
    let work = folder();
    let mut network = nnue::net::random_network("small", 16, 1);
    network.description = b"a\xFF\x1B[2Jz".to_vec();
    let mut bytes = Vec::new();
    nnue::format::nnue::write(&mut bytes, &network, nnue::format::nnue::Compression::None).unwrap();
    std::fs::write(work.path().join("a.nnue"), bytes).unwrap();
    let found = nnue(work.path(), ["inspect", "a.nnue", "--json"]).ok().json();
    assert_eq!(found["description"], "a\u{FFFD}\u{1B}[2Jz");
    assert!(found["notes"].to_string().contains("not UTF-8 from its byte 1 on"));
    let text = nnue(work.path(), ["inspect", "a.nnue"]).ok().out;
    assert!(text.contains("a\u{FFFD}\\u{1b}[2Jz"), "{text}");
}

// ── diff ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

#[test]
fn diff_tells_how_nets_are_related() {
    let work = folder();
    let at = |name: &str| work.path().join(name);
    let a = write_net(&at("a.nnue"), "small", 32, 1);
    std::fs::write(at("same.nnue"), &a).unwrap();
    nnue(work.path(), ["convert", "a.nnue", "plain.nnue", "--ft_compression", "none", "--description", "other", "-q"]).ok();
    let perm: Vec<i64> = (0..16).map(|j| (j * 5 + 3) % 16).collect();
    let mut file = Vec::new();
    nnue::permutation::write_permutation(&nnue::net::Permutation::try_from(perm.as_slice()).unwrap(), &mut file).unwrap();
    std::fs::write(at("perm.npy"), file).unwrap();
    nnue(work.path(), ["perm", "apply", "plain.nnue", "perm.npy", "moved.nnue", "-q"]).ok();
    write_net(&at("b.nnue"), "small", 32, 2);
    write_net(&at("c.nnue"), "SFNNv9", 64, 2);
    let diff = |other: &str| nnue(work.path(), ["diff", "a.nnue", other]);
    assert_eq!(
        diff("same.nnue").transcript(),
        "exit 0\n--- stdout\nA  a.nnue\nB  same.nnue\nidentical: the files have the same bytes\n--- stderr\n"
    );
    let plain = "exit 0\n--- stdout\nA  a.nnue\nB  plain.nnue\nequal: the weights are the same, the files are not\n  \
                 description  A \"Random network, seed 1\", B \"other\"\n  compression  A leb128, B none\n--- stderr\n";
    assert_eq!(diff("plain.nnue").transcript(), plain);
    let moved = diff("moved.nnue").ok().out;
    assert!(moved.contains("equal up to a permutation") && moved.contains("of 16 neuron pairs stand elsewhere"), "{moved}");
    let found = nnue(work.path(), ["diff", "a.nnue", "moved.nnue", "--json"]).ok().json();
    assert_eq!(
        (&found["relation"], &found["equal"], &found["permutation"]),
        (&json!("equal_up_to_permutation"), &json!(true), &json!(perm))
    );
    let different = diff("b.nnue");
    assert!(different.code == 1 && different.err.is_empty(), "{}", different.transcript());
    assert!(different.out.contains("ft.HalfKAv2_hm.weight") && different.out.contains("values differ, by at most"));
    let other = diff("c.nnue");
    assert!(other.code == 1 && other.out.contains("L1           A 32, B 64"), "{}", other.transcript());
    std::fs::write(at("page"), "<html>").unwrap();
    nnue(work.path(), ["diff", "page", "page"]).fails(1, &["HTML page"]);
}

// ── init, schema, completions, man ────────────────────────────────────────────────────────────────────────────────────

#[test]
fn init_writes_a_manifest_of_what_is_there_and_overwrites_nothing() {
    let work = folder();
    write_net(&work.path().join("my net.nnue"), "small", 16, 1);
    write_fens(&work.path().join("games.fen"), 1, 300);
    std::fs::write(work.path().join("notes.txt"), "x").unwrap();
    let ran = nnue(work.path(), ["init"]).ok();
    assert_eq!(
        ran.out,
        "wrote `./nnue.toml` with 1 file of networks and 1 file of positions\nnext: `nnue build`\n",
        "{}",
        ran.transcript()
    );
    let text = String::from_utf8(read(work.path(), "nnue.toml")).unwrap();
    let expected = "version = 1\n\n# SFNNv5, HalfKAv2_hm, L1=16\n[source.my-net]\npath = \"my net.nnue\"\n\n[data.games]\npath = \"games.fen\"\n\n\
                    [net.my-net]\nsource = \"my-net\"\noutputs = [\"dist/\"]\n\n[net.my-net.optimize]\ndata = \"games\"\npositions = 200\n";
    assert_eq!(text, expected);
    nnue::manifest::load(&work.path().join("nnue.toml"), &[], &nnue::manifest::Vocabulary::default()).unwrap();
    nnue(work.path(), ["init"]).fails(1, &["`./nnue.toml` is there already"]);
    assert_eq!(String::from_utf8(read(work.path(), "nnue.toml")).unwrap(), expected);
    let empty = folder();
    nnue(empty.path(), ["init"]).fails(1, &["no network was found in `.`"]);
    assert!(names(empty.path()).is_empty());
}

#[test]
fn init_takes_one_file_too() {
    let work = folder();
    std::fs::create_dir(work.path().join("nets")).unwrap();
    write_net(&work.path().join("nets/a.nnue"), "SFNNv1", 16, 1);
    nnue(work.path(), ["init", "nets/a.nnue", "-q"]).ok();
    assert!(String::from_utf8(read(work.path(), "nnue.toml")).unwrap().contains("path = \"nets/a.nnue\""));
    let other = folder();
    std::fs::write(other.path().join("x.nnue"), "<html>").unwrap();
    nnue(other.path(), ["init", "x.nnue"]).fails(1, &["HTML page"]);
    assert_eq!(names(other.path()), ["x.nnue"]);
}

#[test]
fn the_schema_is_the_committed_one() {
    let work = folder();
    let committed = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/nnue.schema.json")).unwrap();
    assert_eq!(nnue(work.path(), ["schema"]).ok().out, committed);
}

#[test]
fn completions_and_manual_pages_are_there() {
    let work = folder();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(nnue(work.path(), ["completions", shell]).ok().out.contains("convert"), "{shell}");
    }
    assert!(nnue(work.path(), ["man"]).ok().out.contains(".TH nnue 1"));
    nnue(work.path(), ["man", "man1"]).ok();
    let pages = names(&work.path().join("man1"));
    for page in ["nnue.1", "nnue-convert.1", "nnue-perm.1", "nnue-perm-find.1"] {
        assert!(pages.iter().any(|name| name == page), "{pages:?}");
    }
    assert!(String::from_utf8(read(&work.path().join("man1"), "nnue-perm-find.1")).unwrap().contains("nnue\\-perm\\-find"));
    std::fs::write(work.path().join("file"), "").unwrap();
    nnue(work.path(), ["man", "file/man1"]).fails(1, &["`file/man1`"]);
}
