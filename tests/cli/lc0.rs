//! `convert` and `inspect` on lc0's weight files, as a user calls them.

use crate::common;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Output;

use nnue::internals::files::Bytes;
use nnue::internals::format::safetensors;
use serde_json::Value as Json;

fn nnue(arguments: &[&str]) -> Output {
    assert_cmd::Command::cargo_bin("nnue").unwrap().args(arguments).output().unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn views_have_the_names_and_values_of_lc0() {
    let Some(golden) = common::golden_lc0() else { return };
    let folder = tempfile::tempdir().unwrap();
    let files = ["multihead-shared.pb.gz", "se-conv-wdl-mlh.pb.gz", "layer-encoding-0.pb.gz", "wire-order.pb.gz", "embedded.exe"];
    for (decode, list) in [("lc0-0.33", "expected.json"), ("lc0-0.32", "expected_0.32.1.json")] {
        let expected = common::json_maybe_xz(&golden.join("public").join(list));
        for name in files {
            let source = golden.join("public/nets").join(name);
            for view in ["raw", "legacy", "multi"] {
                let target = folder.path().join("out.safetensors");
                let output = nnue(&["convert", text(&source), text(&target), "--view", view, "--decode", decode]);
                let wanted = expected[name][view].as_object().unwrap();
                if wanted.contains_key("error") {
                    assert_eq!(output.status.code(), Some(1), "{name} {view}");
                    continue;
                }
                assert!(output.status.success(), "{name} {view}: {}", String::from_utf8_lossy(&output.stderr));
                let tensors = safetensors::read(Bytes::map(&target).unwrap()).unwrap().tensors;
                let names: BTreeSet<&str> = tensors.iter().map(|tensor| tensor.0.as_str()).collect();
                let keys = wanted.iter().filter(|(_, value)| value.get("sha256").is_some());
                assert_eq!(names, keys.map(|(key, _)| key.as_str()).collect(), "{name} {view}");
                for (key, tensor) in &tensors {
                    assert_eq!(wanted[key]["sha256"], common::sha256(&tensor.contiguous_le_bytes().unwrap()), "{name} {view} {key}");
                }
            }
        }
    }
}

#[test]
fn files_change_their_wrapping_and_come_back() {
    let Some(golden) = common::golden_lc0() else { return };
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let source = golden.join("public/nets/multihead-shared.pb.gz");
    let expected = common::json_maybe_xz(&golden.join("public/expected.json"));
    for (from, to) in [
        (source.clone(), at("a.pb")),
        (source.clone(), at("a.pb.gz")),
        (source.clone(), at("a.npz")),
        (at("a.npz"), at("b.pb")),
        (source.clone(), at("a.onnx")),
        (golden.join("public/text/v3.txt"), at("text.pb")),
    ] {
        let output = nnue(&["convert", text(&from), text(&to)]);
        assert!(output.status.success(), "{}: {}", to.display(), String::from_utf8_lossy(&output.stderr));
    }
    let read = |name: &str| std::fs::read(at(name)).unwrap();
    assert_eq!(common::sha256(&read("a.pb")), expected["multihead-shared.pb.gz"]["reserialized"]["sha256"]);
    assert_eq!(read("a.pb"), read("b.pb"));
    assert_eq!(read("a.pb.gz"), std::fs::read(&source).unwrap());
    assert_eq!(read("text.pb"), std::fs::read(golden.join("public/text/v3-classical.pb")).unwrap());
    // A text net that someone packed, and what inspect says of files that are not lc0's.
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, &std::fs::read(golden.join("public/text/v3.txt")).unwrap()).unwrap();
    std::fs::write(at("v3.txt.gz"), encoder.finish().unwrap()).unwrap();
    assert!(nnue(&["convert", text(&at("v3.txt.gz")), text(&at("packed.pb"))]).status.success());
    assert_eq!(read("packed.pb"), read("text.pb"));
    let refused = nnue(&["inspect", text(&at("v3.txt.gz"))]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("make a weight file of it"));
    let report = |name: &str| -> Json { serde_json::from_slice(&nnue(&["inspect", text(&at(name)), "--json"]).stdout).unwrap() };
    let (tensors, weights) = (report("a.npz"), report("a.pb"));
    assert_eq!((&tensors["format"], &tensors["tensors"]), (&"lc0".into(), &weights["tensors"]));
    assert!(tensors["lc0"]["protobuf_sha256"].is_null() && tensors["lc0"]["net"]["parts"] == weights["lc0"]["net"]["parts"]);
}

/// The floats of a tensor in a `.safetensors` file.
fn floats<'a>(file: &'a mut [u8], name: &str) -> &'a mut [[u8; 4]] {
    let header = 8 + u64::from_le_bytes(*file.first_chunk().unwrap()) as usize;
    let offsets = &serde_json::from_slice::<Json>(&file[8..header]).unwrap()[name]["data_offsets"];
    let [begin, end] = [0, 1].map(|at| header + offsets[at].as_u64().unwrap() as usize);
    file[begin..end].as_chunks_mut().0
}

#[test]
fn new_floats_are_stored_as_they_are_asked_for() {
    let Some(golden) = common::golden_lc0() else { return };
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let run = |arguments: &[&str]| {
        let output = nnue(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let source = golden.join("public/nets/se-conv-wdl-mlh.pb.gz");
    run(&["convert", text(&source), text(&at("a.safetensors"))]);
    let mut file = std::fs::read(at("a.safetensors")).unwrap();
    for (at, value) in floats(&mut file, "ip1_val_b").iter_mut().enumerate() {
        *value = (3e37 * (at as f32).sin() / 7.0).to_le_bytes();
    }
    std::fs::write(at("a.safetensors"), &file).unwrap();
    std::fs::write(
        at("nnue.toml"),
        "version = 1\n[source.a]\npath = \"a.safetensors\"\n[net.a]\nsource = \"a\"\noutputs = [\"built.pb\"]\nencoding = \"float32\"\n",
    )
    .unwrap();
    run(&["-C", text(folder.path()), "build"]);
    run(&["convert", text(&at("a.safetensors")), text(&at("b.pb")), "--layer-encoding", "float32"]);
    assert_eq!(std::fs::read(at("b.pb")).unwrap(), std::fs::read(at("built.pb")).unwrap());
    run(&["convert", text(&at("b.pb")), text(&at("b.safetensors"))]);
    assert_eq!(floats(&mut std::fs::read(at("b.safetensors")).unwrap(), "ip1_val_b"), floats(&mut file, "ip1_val_b"));
    // Numbers between which there are none.
    for (at, value) in floats(&mut file, "ip1_val_b").iter_mut().enumerate() {
        *value = (1e8 + 8.0 * (at % 3) as f32).to_le_bytes();
    }
    std::fs::write(at("c.safetensors"), &file).unwrap();
    run(&["convert", text(&at("c.safetensors")), text(&at("c.pb")), "--layer-encoding", "float32"]);
    assert!(
        run(&["convert", text(&at("c.pb")), text(&at("d.pb")), "--layer-encoding", "linear16"]).contains("`ip1_val_b` loses precision")
    );
}

#[test]
fn what_lc0_refuses_is_refused_with_its_reason() {
    let Some(golden) = common::golden_lc0() else { return };
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("out.pb");
    let expected = common::json_maybe_xz(&golden.join("public/expected.json"));
    for (name, case) in expected.as_object().unwrap() {
        let Some(words) = case["load"]["error"].as_str() else { continue };
        let source = golden.join("public/nets").join(name);
        let output = nnue(&["convert", text(&source), text(&target)]);
        assert_eq!(output.status.code(), Some(1), "{name}");
        let shown = String::from_utf8_lossy(&output.stderr).split_whitespace().collect::<Vec<_>>().join(" ").replace(" │ ", " ");
        let reason = words.split("<fd:4>: ").last().unwrap().split(' ').take(3).collect::<Vec<_>>().join(" ");
        // An engine without a trailer is a file like others to whoever goes by content.
        assert!(name.ends_with(".exe") || shown.contains(&reason), "{name}: {shown}");
        assert!(!target.exists());
        assert_eq!(nnue(&["inspect", text(&source)]).status.code(), Some(1), "{name}");
    }
}

#[test]
fn inspect_tells_what_a_net_is() {
    let Some(golden) = common::golden_lc0() else { return };
    let at = |name: &str| golden.join("public/nets").join(name);
    let output = nnue(&["inspect", text(&at("multihead-shared.pb.gz")), "--json"]);
    let report: Json = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["format"], &report["lc0"]["net"]["wrapping"]), (&"lc0".into(), &"gzip".into()));
    let parts = report["lc0"]["net"]["parts"].as_array().unwrap();
    let names: Vec<&str> = parts.iter().filter(|part| part["kind"] == "policy").map(|part| part["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["shared embedding", "vanilla", "optimistic", "soft", "opponent"]);
    let output = nnue(&["inspect", text(&at("tool-float16.pb.gz"))]);
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && shown.contains("loads it wrongly"), "{shown}");
    let output = nnue(&["inspect", text(&at("old-se4-multihead.pb.gz"))]);
    assert!(String::from_utf8(output.stdout).unwrap().contains("input_embedding: absent becomes INPUT_EMBEDDING_PE_DENSE"));
}

#[test]
fn options_change_what_is_written() {
    let Some(golden) = common::golden_lc0() else { return };
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("out.pb.gz");
    let source = golden.join("public/nets/multihead-shared.pb.gz");
    let options = ["--layer-encoding", "bfloat16", "--policy-heads", "vanilla,soft", "--value-heads", "winner"];
    assert!(nnue(&[&["convert", text(&source), text(&target)], &options[..]].concat()).status.success());
    let first = std::fs::read(&target).unwrap();
    let output = nnue(&["inspect", text(&target), "--json"]);
    let report: Json = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["version"], "0.33.0");
    assert_eq!(report["lc0"]["net"]["releases"][1]["lc0"], "0.32.1");
    assert!(report["lc0"]["net"]["releases"][1]["refusal"].as_str().unwrap().contains("0.33.0 required"));
    assert!(nnue(&[&["convert", text(&source), text(&target)], &options[..]].concat()).status.success());
    assert_eq!(std::fs::read(&target).unwrap(), first, "the same bytes each time");
    let source = golden.join("public/nets/tool-float16.pb.gz");
    assert!(nnue(&["convert", text(&source), text(&target), "--fix-min-version"]).status.success());
    let report: Json = serde_json::from_slice(&nnue(&["inspect", text(&target), "--json"]).stdout).unwrap();
    assert_eq!(report["version"], "0.33.0");
    assert_eq!(nnue(&["convert", text(&source), "out.ckpt", "--view", "raw"]).status.code(), Some(2));
}

#[test]
fn what_lc0_would_do_is_said_before() {
    let Some(golden) = common::golden_lc0() else { return };
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| golden.join("public/nets").join(name);
    let target = folder.path().join("out.pb");
    for (name, verdict, words) in [
        ("old-attn-no-smolgen-w.pb.gz", "crash", "crashes on it: `smolgen_w` is missing"),
        ("no-policy.pb.gz", "refused", "refuses it: Could not find valid policy head weights."),
        ("layer-extreme-ranges.pb.gz", "nan", "computes with NaN: `value.bn_betas` ranges from"),
        ("multihead-no-vanilla.pb.gz", "wrong", "loads it wrongly: there is no policy head `vanilla`"),
        ("old-ab-legacy.pb.gz", "overrun", "its converter to ONNX refuses it: Attention body missing input embedding."),
        ("se-conv-wdl-mlh.pb.gz", "loads", "loads it\n"),
    ] {
        let report: Json = serde_json::from_slice(&nnue(&["inspect", text(&at(name)), "--json"]).stdout).unwrap();
        assert_eq!(report["lc0"]["net"]["releases"][1]["verdict"], verdict, "{name}");
        let shown = String::from_utf8(nnue(&["inspect", text(&at(name))]).stdout).unwrap();
        assert!(shown.contains(words), "{name}: {shown}");
    }
    let warns = |name: &str, options: &[&str], words: &[&str]| {
        let source = at(name);
        let output = nnue(&[&["convert", text(&source), text(&target)], options].concat());
        let shown = String::from_utf8_lossy(&output.stderr).split_whitespace().collect::<Vec<_>>().join(" ").replace(" │ ", " ");
        assert!(output.status.success() && words.iter().all(|words| shown.contains(words)), "{name}: {shown}");
    };
    warns("old-attn-no-smolgen-w.pb.gz", &[], &["`smolgen_w` is missing; lc0 crashes on the net"]);
    warns("wire-repeated-append.pb.gz", &[], &["`residual.1.conv1` is missing; lc0 crashes on the net"]);
    warns("no-value.pb.gz", &[], &["lc0 refuses to play the net: Could not find valid value head weights."]);
    let heads = ["--policy-heads", "soft", "--value-heads", "q"];
    warns("multihead-shared.pb.gz", &heads, &["there is no policy head `vanilla`", "there is no value head `winner`"]);
    // A view shows what that release computes with; a model would be one to use.
    let target = folder.path().join("out.npz");
    let old = |target: &Path| nnue(&["convert", text(&at("layer-extreme-ranges.pb.gz")), text(target), "--decode", "lc0-0.32"]);
    let output = old(&target);
    assert!(output.status.success() && String::from_utf8_lossy(&output.stderr).contains("too wide"), "{output:?}");
    let output = old(&folder.path().join("out.onnx"));
    assert!(output.status.code() == Some(1) && String::from_utf8_lossy(&output.stderr).contains("too wide"), "{output:?}");
}
