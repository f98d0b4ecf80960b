//! Networks of lc0 in manifests: builds, their keys, refusals, and the other commands that take a manifest.

use crate::common;
use crate::project::Project;

use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

fn net(name: &str) -> Option<PathBuf> {
    common::golden_lc0().map(|golden| golden.join("public/nets").join(name))
}

/// A project with these golden networks and a manifest. `None` without golden data.
fn project(nets: &[&str], manifest: &str) -> Option<Project> {
    let project = Project::empty();
    for name in nets {
        std::fs::copy(net(name)?, project.at(name)).unwrap();
        let mut permissions = std::fs::metadata(project.at(name)).unwrap().permissions();
        #[allow(clippy::permissions_set_readonly_false, reason = "a file of the test's own")]
        permissions.set_readonly(false);
        std::fs::set_permissions(project.at(name), permissions).unwrap();
    }
    project.manifest(&format!("version = 1\n{manifest}"));
    Some(project)
}

/// A build that fails with these words, whatever it reports.
#[track_caller]
fn fails(project: &Project, arguments: &[&str], words: &[&str]) {
    let ran = project.nnue(arguments);
    assert_eq!(ran.code, 1, "{}", ran.transcript());
    let shown = ran.err.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.iter().all(|word| shown.contains(word)), "{}", ran.transcript());
}

/// `stage status` of each stage of a net.
fn stages(report: &Json, net: &str) -> Vec<String> {
    let net = report["nets"].as_array().unwrap().iter().find(|other| other["net"] == net).unwrap();
    let word = |stage: &Json, key: &str| stage[key].as_str().unwrap().to_owned();
    net["stages"].as_array().unwrap().iter().map(|stage| format!("{} {}", word(stage, "stage"), word(stage, "status"))).collect()
}

fn gzip(bytes: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(level));
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut inflated = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::MultiGzDecoder::new(bytes), &mut inflated).unwrap();
    inflated
}

const MANY: &str = r#"
[source.a]
path = "multihead-shared.pb.gz"
[net.a]
source = "a"
outputs = ["out/a.pb", "out/a.pb.gz", "out/a.safetensors", "out/a.npz", "out/a.onnx"]
view = "multi"
encoding = "float16"
heads = { policy = ["soft", "vanilla"], value = ["winner"] }
metadata = { license = "CC0-1.0", training_steps = 12, fixup = true }
"#;

#[test]
fn a_build_writes_what_convert_writes() {
    let Some(project) = project(&["multihead-shared.pb.gz"], MANY) else { return };
    let report = project.json(&["build"]);
    assert_eq!(
        stages(&report, "a"),
        ["load ran", "heads ran", "encode ran", "write ran", "write ran", "write ran", "write ran", "write ran"]
    );
    let edits = ["--layer-encoding", "float16", "--policy-heads", "soft,vanilla", "--value-heads", "winner", "--view", "multi"];
    let header = ["--license", "CC0-1.0", "--training", "training_steps=12", "--fixup"];
    for ending in ["pb", "pb.gz", "safetensors", "npz", "onnx"] {
        let target = format!("converted.{ending}");
        project.nnue(&[&["convert", "multihead-shared.pb.gz", &target][..], &edits, &header].concat()).ok();
        assert_eq!(project.bytes(&target), project.bytes(&format!("out/a.{ending}")), "{ending}");
    }
    assert_eq!(gunzip(&project.bytes("out/a.pb.gz")), project.bytes("out/a.pb"));
    let again = project.json(&["build"]);
    assert!(stages(&again, "a").iter().all(|stage| stage.ends_with(" fresh")), "{again}");
    project.nnue(&["build", "--locked"]).ok();
    project.nnue(&["verify", "--rebuild"]).ok();
    let shown = project.nnue(&["explain", "a"]).ok().out;
    assert!(shown.contains("lc0-0.33") && shown.contains("float16"), "{shown}");
    project.nnue(&["graph"]).ok();
}

/// One net after the other, and a blend with another net, give what one net with all of it does.
#[test]
fn nets_are_made_of_other_nets() {
    let text = r#"
[net.all]
source = "multihead-shared.pb.gz"
encoding = "float16"
fold = true
metadata = { training_steps = 12 }
outputs = "all.pb"
[net.second]
source = "net:first"
fold = true
metadata = { training_steps = 12 }
outputs = "second.pb"
[net.first]
source = "multihead-shared.pb.gz"
encoding = "float16"
outputs = ["first.pb.gz"]
[net.mixed]
source = "multihead-shared.pb.gz"
blend = { with = "net:first" }
outputs = "mixed.pb"
[net.same]
source = "multihead-shared.pb.gz"
blend = { with = "first.copy.pb.gz" }
outputs = "same.pb"
"#;
    let Some(project) = project(&["multihead-shared.pb.gz"], text) else { return };
    // The file under a name of its own is only there once the first was built.
    project.nnue(&["build", "second", "mixed"]).ok();
    std::fs::copy(project.at("first.pb.gz"), project.at("first.copy.pb.gz")).unwrap();
    let report = project.json(&["build"]);
    assert!(stages(&report, "second").iter().all(|stage| stage.ends_with(" fresh")), "{report:#}");
    assert!(project.bytes("mixed.pb") == project.bytes("same.pb"));
    assert!(project.bytes("second.pb") == project.bytes("all.pb"));
    project.nnue(&["verify", "--rebuild"]).ok();
    project.nnue(&["build", "--locked"]).ok();
}

#[test]
fn recompression_rekeys_nothing_but_the_load() {
    let Some(project) = project(&["multihead-shared.pb.gz"], MANY) else { return };
    project.json(&["build"]);
    let bytes = project.bytes("out/a.pb.gz");
    let inflated = gunzip(&project.bytes("multihead-shared.pb.gz"));
    for repacked in [gzip(&inflated, 1), inflated] {
        project.write("multihead-shared.pb.gz", repacked);
        let report = project.json(&["build"]);
        let stages = stages(&report, "a");
        assert_eq!(stages[0], "load ran");
        assert!(stages[1..].iter().all(|stage| stage.ends_with(" fresh")), "{stages:?}");
    }
    assert_eq!(project.bytes("out/a.pb.gz"), bytes);
    // The stream's header and level are ours, not the source's.
    let Some(plain) = self::project(&["multihead-shared.pb.gz"], "[net.a]\nsource = \"multihead-shared.pb.gz\"\noutputs = [\"a.pb.gz\"]\n")
    else {
        return;
    };
    plain.nnue(&["build"]).ok();
    let once = plain.bytes("a.pb.gz");
    plain.write("multihead-shared.pb.gz", gzip(&gunzip(&once), 3));
    plain.nnue(&["build", "--force"]).ok();
    assert_eq!(plain.bytes("a.pb.gz"), once);
}

#[test]
fn a_metadata_edit_rekeys_only_write_and_leaves_all_layers() {
    let Some(project) = project(&["multihead-shared.pb.gz"], MANY) else { return };
    project.json(&["build"]);
    project.nnue(&["convert", "out/a.pb", "before.pb"]).ok();
    project.manifest(&format!("version = 1\n{}", MANY.replace("CC0-1.0", "other")));
    let report = project.json(&["build"]);
    let (write, others): (Vec<_>, Vec<_>) = stages(&report, "a").into_iter().partition(|stage| stage.starts_with("write"));
    assert!(others.iter().all(|stage| stage.ends_with(" fresh")), "{report}");
    // An ONNX model has nothing of the header.
    assert_eq!(write.iter().filter(|stage| stage.ends_with(" ran")).count(), 4, "{report}");
    let report: Json = serde_json::from_str(&project.nnue(&["diff", "before.pb", "out/a.pb", "--json"]).ok().out).unwrap();
    assert_eq!(report["relation"], "identical_weights");
    assert_eq!(report["differences"], serde_json::json!([{"what": "license", "a": "CC0-1.0", "b": "other"}]));
}

#[test]
fn the_formula_is_part_of_the_key() {
    let manifest = |decode: &str| {
        format!(
            "version = 1\n[source.a]\npath = \"se-conv-wdl-mlh.pb.gz\"\ndecode = \"{decode}\"\n[net.a]\nsource = \"a\"\noutputs = [\"a.safetensors\", \"a.pb\"]\n"
        )
    };
    let Some(project) = project(&["se-conv-wdl-mlh.pb.gz"], "") else { return };
    project.manifest(&manifest("lc0-0.33"));
    project.json(&["build"]);
    let bytes = project.bytes("a.safetensors");
    project.manifest(&manifest("lc0-0.32"));
    let report = project.json(&["build"]);
    // The weight file holds no floats: it stays as it is.
    assert_eq!(stages(&report, "a"), ["load ran", "write ran", "write fresh"]);
    assert_ne!(project.bytes("a.safetensors"), bytes);
    let why = &report["nets"][0]["stages"][1]["reason"];
    assert_eq!((&why["kind"], &why["old"], &why["new"]), (&"param_changed".into(), &"lc0-0.33".into(), &"lc0-0.32".into()));
}

#[test]
fn blends_and_grafts_are_declared() {
    let nets = ["encoding-float32.pb.gz", "encoding-bfloat16.pb.gz"];
    let manifest = r#"
[source.b]
path = "encoding-bfloat16.pb.gz"
[net.mixed]
source = "encoding-float32.pb.gz"
outputs = ["mixed.pb", "mixed.safetensors"]
[net.mixed.blend]
with = "b"
shares = [0.3, 0.9]
graft = { "ip1_val_w" = "b" }
[net.plain]
source = "encoding-float32.pb.gz"
outputs = ["plain.safetensors"]
[net.b]
source = "b"
outputs = ["b.safetensors"]
"#;
    let Some(project) = project(&nets, manifest) else { return };
    let report = project.json(&["build"]);
    assert_eq!(stages(&report, "mixed")[..3], ["load ran", "load ran", "blend ran"], "{report}");
    let convert = ["convert", nets[0], "converted.pb", "--blend", nets[1], "--shares", "0.3,0.9", "--graft"];
    project.nnue(&[&convert[..], &["ip1_val_w=encoding-bfloat16.pb.gz"]].concat()).ok();
    assert_eq!(project.bytes("converted.pb"), project.bytes("mixed.pb"));
    let tensors = |name: &str| {
        let file = nnue::internals::format::safetensors::read(nnue::internals::files::Bytes::map(&project.at(name)).unwrap()).unwrap();
        file.tensors.into_iter().collect::<std::collections::BTreeMap<_, _>>()
    };
    let (mixed, plain, b) = (tensors("mixed.safetensors"), tensors("plain.safetensors"), tensors("b.safetensors"));
    assert_eq!(mixed.len(), plain.len());
    for (name, tensor) in &mixed {
        let (x, y) = (plain[name].to_f32().unwrap(), b[name].to_f32().unwrap());
        let wanted = x
            .iter()
            .zip(y.iter())
            .map(|(x, y)| if name == "ip1_val_w" { *y } else { ((0.3 * f64::from(*x) + 0.9 * f64::from(*y)) / (0.3 + 0.9)) as f32 });
        assert_eq!(tensor.to_f32().unwrap(), wanted.collect::<Vec<_>>(), "{name}");
    }
    // The lock has every network that went in.
    let lock = String::from_utf8(project.bytes("nnue.lock")).unwrap();
    let block = lock.split("[[net]]").find(|block| block.contains("\"mixed\"")).unwrap();
    assert!(nets.iter().all(|net| block.contains(net)), "{block}");
    for (edit, words) in [
        ("with = \"b\"\nshares = [1]", "there are 1 shares for 2 networks"),
        ("with = \"b\"\nshares = [1, -1]", "come to 0"),
        ("", "it names no other network"),
        ("with = \"nosuch\"", "no source named `nosuch`"),
    ] {
        project.manifest(&format!(
            "version = 1\n[source.b]\npath = \"{}\"\n[net.m]\nsource = \"{}\"\noutputs = [\"m.pb\"]\n[net.m.blend]\n{edit}\n",
            nets[1], nets[0]
        ));
        project.nnue(&["build"]).fails(2, &[words]);
    }
}

#[test]
fn what_means_nothing_to_a_network_of_lc0_is_refused_with_the_reason() {
    let name = "se-conv-wdl-mlh.pb.gz";
    let Some(project) = project(&[name], "") else { return };
    project.write_net("run.nnue", 16, 1);
    project.write("p.npy", b"x");
    project.write("f.fen", b"x");
    let net = |more: &str| format!("version = 1\n[data.f]\npath = \"f.fen\"\n[net.a]\nsource = \"{name}\"\n{more}\n");
    for (more, words) in [
        ("outputs = [\"a.pb\"]\npermutation = \"p.npy\"", &["no neurons in pairs"][..]),
        ("outputs = [\"a.pb\"]\noptimize = { data = \"f\" }", &["no neurons in pairs", "optimize = false"]),
        ("outputs = [\"a.pb\"]\ncompression = \"leb128\"", &["`compression` is of `.nnue` files"]),
        ("outputs = [\"a.pb\"]\ndescription = \"x\"", &["a weight file has no description"]),
        ("outputs = [\"a.nnue\"]", &["cannot be written to `a.nnue`", ".pb.gz"]),
        ("outputs = [\"a.xyz\"]", &["cannot write `a.xyz`", "into = \"lc0\""]),
        ("outputs = [\"dist/\"]\npublish = \"fishtest\"\nlicense = \"CC0-1.0\"", &["fishtest tests networks of Stockfish"]),
        ("outputs = [\"a.pb\"]\nencoding = \"float61\"", &["did you mean `float16`"]),
        ("outputs = [\"a.pb\"]\nmetadata = { min_version = \"0.33\" }", &["is not a version"]),
    ] {
        project.manifest(&net(more));
        for command in ["build", "status"] {
            project.nnue(&[command]).fails(2, words);
        }
    }
    let of_trainer = "version = 1\n[net.a]\nsource = \"run.nnue\"\noutputs = [\"OUT\"]\nMORE\n";
    for (output, more, words) in [
        ("a.nnue", "fold = true", "`fold` means nothing to it"),
        ("a.nnue", "heads = { policy = \"vanilla\" }", "`heads` means nothing to it"),
        ("a.pb.gz", "", "cannot be written to `a.pb.gz`"),
        ("a.onnx", "", "cannot be written to `a.onnx`"),
    ] {
        project.manifest(&of_trainer.replace("OUT", output).replace("MORE", more));
        project.nnue(&["build"]).fails(2, &[words]);
    }
    project.manifest(&format!("version = 1\n[source.a]\npath = \"{name}\"\nl1 = 1024\n[net.a]\nsource = \"a\"\noutputs = [\"a.pb\"]\n"));
    project.nnue(&["build"]).fails(2, &["`l1` is said of networks of the trainer"]);
    let of_old = "[source.a]\npath = \"se-conv-wdl-mlh.pb.gz\"\ndecode = \"lc0-0.32\"\n[net.a]\nsource = \"a\"\noutputs = [\"a.pb\"]\n";
    project.manifest(&format!("version = 1\n{of_old}encoding = \"bfloat16\"\n"));
    project.nnue(&["build"]).fails(2, &["lc0 0.32 does not know layers stored as bfloat16"]);
    // A file that is not there is still one of lc0's, and is what is missing.
    project.manifest("version = 1\n[net.a]\nsource = \"missing.pb.gz\"\noutputs = [\"a.pb\"]\n");
    fails(&project, &["build"], &["missing.pb.gz"]);
}

#[test]
fn a_net_that_old_lc0_would_load_as_zeros_is_not_published() {
    let manifest = "[net.a]\nsource = \"tool-float16.pb.gz\"\noutputs = [\"a.pb.gz\"]\n";
    let Some(project) = project(&["tool-float16.pb.gz"], manifest) else { return };
    fails(&project, &["build"], &["loads such layers as zeros", "min_version = \"0.33.0\""]);
    assert!(!project.at("a.pb.gz").exists());
    project.manifest(&format!("version = 1\n{manifest}metadata = {{ min_version = \"0.33.0\" }}\n"));
    project.nnue(&["build"]).ok();
    for target in ["b.pb", "b.pb.gz"] {
        project.nnue(&["convert", "tool-float16.pb.gz", target]).fails(1, &["loads such layers as zeros", "--fix-min-version"]);
        assert!(!project.at(target).exists());
    }
    // Its floats are what lc0 0.33 reads.
    project.nnue(&["convert", "tool-float16.pb.gz", "b.safetensors"]).ok();
    project.nnue(&["convert", "tool-float16.pb.gz", "b.pb.gz", "--fix-min-version"]).ok();
    project.nnue(&["diff", "a.pb.gz", "b.pb.gz"]).ok();
}

#[test]
fn damaged_and_refused_nets_fail_their_own_build_only() {
    let nets = ["err-gzip-crc.pb.gz", "se-conv-wdl-mlh.pb.gz"];
    let net = |name: &str, source: &str| format!("[net.{name}]\nsource = \"{source}\"\noutputs = [\"{name}.pb\"]\n");
    let manifest = [net("bad", nets[0]), net("good", nets[1])].concat();
    let Some(project) = project(&nets, &manifest) else { return };
    fails(&project, &["build", "--keep-going"], &["incorrect data check"]);
    assert!(!project.at("bad.pb").exists() && project.at("good.pb").exists());
}

#[test]
fn tensors_go_out_of_a_build_and_into_another() {
    let manifest = "[net.a]\nsource = \"se-conv-wdl-mlh.pb.gz\"\noutputs = [\"a.safetensors\", \"a.npz\"]\n";
    let Some(project) = project(&["se-conv-wdl-mlh.pb.gz"], manifest) else { return };
    project.nnue(&["build"]).ok();
    let back = |source: &str| format!("[net.{source}]\nsource = \"a.{source}\"\noutputs = [\"from-{source}.pb\"]\n");
    std::fs::create_dir_all(project.at("second")).unwrap();
    for name in ["a.safetensors", "a.npz"] {
        std::fs::copy(project.at(name), project.at("second").join(name)).unwrap();
    }
    project.write("second/nnue.toml", format!("version = 1\n{}{}", back("safetensors"), back("npz")));
    project.nnue(&["-C", "second", "build"]).ok();
    let inflated = gunzip(&project.bytes("se-conv-wdl-mlh.pb.gz"));
    assert!(project.bytes("second/from-safetensors.pb") == inflated && project.bytes("second/from-npz.pb") == inflated);
}

#[test]
fn networks_inside_of_programs_and_programs_with_networks() {
    let manifest = "[net.a]\nsource = { embedded = \"embedded.exe\" }\noutputs = [\"a.pb\"]\n\
                    [source.named]\nembedded = \"embedded.exe\"\n[net.b]\nsource = \"named\"\noutputs = [\"b.pb\"]\n";
    let Some(project) = project(&["embedded.exe", "embedded-bad-magic.exe", "se-conv-wdl-mlh.pb.gz"], manifest) else { return };
    project.nnue(&["build"]).ok();
    assert_eq!(project.bytes("a.pb"), project.bytes("b.pb"));
    project.nnue(&["convert", "embedded.exe", "c.pb", "--embedded"]).ok();
    assert_eq!(project.bytes("a.pb"), project.bytes("c.pb"));
    project.nnue(&["inspect", "embedded-bad-magic.exe", "--embedded"]).fails(1, &["No embedded file detected."]);
    project.manifest("version = 1\n[net.a]\nsource = { embedded = \"embedded-bad-magic.exe\" }\noutputs = [\"a.pb\"]\n");
    fails(&project, &["build"], &["No embedded file detected."]);
    project.nnue(&["convert", "se-conv-wdl-mlh.pb.gz", "new.exe", "--into", "embedded.exe"]).ok();
    project.nnue(&["convert", "new.exe", "d.pb", "--embedded"]).ok();
    assert_eq!(project.bytes("d.pb"), gunzip(&project.bytes("se-conv-wdl-mlh.pb.gz")));
    project.manifest("version = 1\n[source.a]\npath = \"x.pb\"\nembedded = \"y\"\n[net.a]\nsource = \"a\"\noutputs = [\"a.pb\"]\n");
    project.nnue(&["build"]).fails(2, &["has both `path` and `embedded`"]);
}

/// A folder gets files under the digits by which lc0's training server knows a net, and its names are believed nowhere.
#[test]
fn a_folder_gets_nets_by_the_digest_of_their_protobuf() {
    let name = "se-conv-wdl-mlh.pb.gz";
    let manifest = "[net.a]\nsource = \"se-conv-wdl-mlh.pb.gz\"\noutputs = [\"dist/\", \"a.pb.gz\"]\nprovenance = true\n";
    let Some(project) = project(&[name], manifest) else { return };
    let report = project.json(&["build"]);
    let digest = common::sha256(&gunzip(&project.bytes(name)));
    let path = format!("dist/{digest}.pb.gz");
    assert_eq!(report["nets"][0]["outputs"][0]["path"], path.as_str());
    assert_eq!(project.bytes(&path), project.bytes("a.pb.gz"));
    assert!(project.at(&format!("{path}.provenance.json")).exists());
    let again = project.json(&["build"]);
    assert!(stages(&again, "a").iter().all(|stage| stage.ends_with(" fresh")), "{again}");
    project.nnue(&["build", "--locked"]).ok();
    project.nnue(&["verify", "--rebuild"]).ok();
    std::fs::remove_file(project.at(&path)).unwrap();
    let ran = project.nnue(&["verify"]);
    assert!(ran.code == 3 && ran.out.contains(&path), "{}", ran.transcript());
    assert_eq!(stages(&project.json(&["build"]), "a"), ["load fresh", "write ran"]);
    // Another net under that name, and the folder as what a sweep reads.
    std::fs::copy(net("multihead-shared.pb.gz").unwrap(), project.at(&format!("{digest}.pb.gz"))).unwrap();
    let source = format!("version = 1\n[net.a]\nsource = \"{digest}.pb.gz\"\noutputs = [\"b.pb\"]\n");
    project.manifest(&source);
    let ran = project.nnue(&["build"]).ok();
    assert!(ran.err.contains("does not hold what its name says"), "{}", ran.transcript());
    project.manifest("version = 1\n[net.\"{stem}\"]\nsource = { glob = \"dist/*.pb.gz\" }\noutputs = [\"dist/\"]\n");
    project.nnue(&["build"]).fails(2, &["would become a source of the sweep"]);
}

#[test]
fn a_build_puts_networks_into_programs() {
    let manifest = "[net.a]\nsource = \"se-conv-wdl-mlh.pb.gz\"\ninto = \"lc0\"\noutputs = [\"dist/lc0\", \"dist/lc0.exe\", \"a.pb.gz\"]\n";
    let Some(project) = project(&["embedded.exe", "se-conv-wdl-mlh.pb.gz"], manifest) else { return };
    std::fs::rename(project.at("embedded.exe"), project.at("lc0")).unwrap();
    let run = |mode| {
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(project.at("lc0"), permissions).unwrap();
    };
    run(0o755);
    let report = project.json(&["build"]);
    assert_eq!(stages(&report, "a"), ["load ran", "write ran", "write ran"], "{report}");
    project.nnue(&["convert", "se-conv-wdl-mlh.pb.gz", "converted.exe", "--into", "lc0"]).ok();
    let made = project.bytes("dist/lc0");
    assert!(made == project.bytes("dist/lc0.exe") && made.ends_with(b"Lc0!"));
    // Packed anew in a build; convert keeps the stream of an untouched net.
    let stream = project.bytes("a.pb.gz");
    assert_eq!(made[made.len() - 8 - stream.len()..made.len() - 8], stream[..]);
    project.nnue(&["convert", "dist/lc0", "back.pb"]).ok();
    assert_eq!(project.bytes("back.pb"), gunzip(&project.bytes("se-conv-wdl-mlh.pb.gz")));
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(project.at("dist/lc0")).unwrap().permissions());
    assert_eq!(mode & 0o111, 0o111, "{mode:o}");
    project.nnue(&["build", "--locked"]).ok();
    project.nnue(&["verify", "--rebuild"]).ok();
    // The program is an input like others.
    let lock = project.text("nnue.lock");
    assert!(lock.contains("\"lc0\""), "{lock}");
    project.write("lc0", [&b"another engine"[..], &[7; 100]].concat());
    let report = project.json(&["build"]);
    assert_eq!(stages(&report, "a"), ["load fresh", "write ran", "write fresh"], "{report}");
    assert_eq!(report["nets"][0]["stages"][1]["reason"]["kind"], "input_changed", "{report}");
    assert!(project.bytes("dist/lc0").starts_with(b"another engine"));
    for (outputs, words) in [("lc0", "would overwrite an input"), ("net.ckpt", "cannot write checkpoints")] {
        project.manifest(&format!("version = 1\n{}", manifest.replace("dist/lc0.exe", outputs)));
        project.nnue(&["build"]).fails(2, &[words]);
    }
    project.write_net("run.nnue", 16, 1);
    project.manifest("version = 1\n[net.a]\nsource = \"run.nnue\"\ninto = \"lc0\"\noutputs = [\"x\"]\n");
    project.nnue(&["build"]).fails(2, &["`into` means nothing to it"]);
}

#[test]
fn what_is_said_of_outputs_that_there_are_not_is_warned_of() {
    let name = "se-conv-wdl-mlh.pb.gz";
    let Some(project) = project(&[name], "") else { return };
    let net = |outputs: &str, more: &str| format!("[net.a]\nsource = \"{name}\"\noutputs = {outputs}\n{more}\n");
    for (outputs, more, key) in [
        (r#"["a.pb.gz"]"#, "view = \"multi\"", Some("view")),
        (r#"["a.pb.gz", "a.npz"]"#, "view = \"multi\"", None),
        (r#"["a.pb.gz"]"#, "onnx = \"float16\"", Some("onnx")),
        (r#"["a.pb.gz", "a.onnx"]"#, "onnx = \"float16\"", None),
        (r#"["dist/"]"#, "into = \"lc0\"", Some("into")),
        (r#"["a.onnx"]"#, "metadata = { license = \"x\" }", Some("metadata")),
        (r#"["a.onnx", "dist/"]"#, "metadata = { license = \"x\" }", None),
    ] {
        project.manifest(&format!("version = 1\n{}", net(outputs, more)));
        let ran = project.nnue(&["status"]);
        let said = ran.err.lines().find(|line| line.contains("has no effect"));
        assert_eq!(said.is_some(), key.is_some(), "{more}: {}", ran.transcript());
        assert!(key.is_none_or(|key| said.unwrap().contains(&format!("`net.a.{key}`"))), "{}", ran.transcript());
    }
    project.manifest(&format!("version = 1\n[defaults]\nview = \"multi\"\n{}", net(r#"["a.pb.gz"]"#, "")));
    assert!(!project.nnue(&["status"]).err.contains("has no effect"), "defaults are for others");
    for (arguments, option) in [(["--view", "multi"], "`--view`"), (["--onnx-type", "float16"], "`--onnx-type`")] {
        let ran = project.nnue(&[&["convert", name, "a.pb"][..], &arguments].concat()).ok();
        assert!(ran.err.contains(&format!("{option} has no effect: `a.pb`")), "{}", ran.transcript());
    }
}

/// Nets that carry an ONNX model in place of layers: carried on, shown, and refused wherever layers are asked for.
#[test]
fn nets_with_a_model_inside() {
    let names = ["onnx-f32.pb.gz", "onnx-f16.pb.gz", "onnx-and-weights.pb.gz", "se-conv-wdl-mlh.pb.gz"];
    let manifest = "[net.a]\nsource = \"onnx-f16.pb.gz\"\noutputs = [\"a.pb.gz\", \"a.pb\", \"a.onnx\", \"dist/\"]\n\
                    metadata = { license = \"CC0-1.0\" }\n";
    let Some(project) = project(&names, manifest) else { return };
    project.nnue(&["build"]).ok();
    project.nnue(&["convert", names[1], "b.onnx"]).ok();
    assert_eq!(project.bytes("a.onnx"), project.bytes("b.onnx"));
    let ran = project.nnue(&["diff", names[1], "a.pb"]);
    assert!(ran.out.contains("license") && ran.out.contains("CC0-1.0"), "{}", ran.transcript());
    let report: Json = serde_json::from_str(&project.nnue(&["inspect", names[1], "--json"]).ok().out).unwrap();
    assert!(!report["lc0"]["net"]["onnx_model"].as_array().unwrap().is_empty(), "{report}");
    let no_layers = &["the network has no layers", "carries an ONNX model"][..];
    for (outputs, more, words) in [
        ("x.safetensors", "", no_layers),
        ("x.npz", "view = \"multi\"", no_layers),
        ("x.pb", "encoding = \"float16\"", no_layers),
        ("x.pb", "fold = true", no_layers),
        ("x.pb", "blend = { with = \"onnx-f32.pb.gz\" }", no_layers),
        ("x.pb", "blend = { graft = { \"encoder\" = \"se-conv-wdl-mlh.pb.gz\" } }", no_layers),
        ("x.pb", "heads = { policy = [\"soft\"] }", &["no `policy_heads` to choose from"]),
        ("x.onnx", "onnx = \"bfloat16\"", &["is written as it is", "its numbers are FLOAT16, and bfloat16 was asked for"]),
        ("x.onnx", "onnx = \"float32\"", &["its numbers are FLOAT16, and float32 was asked for"]),
    ] {
        project.manifest(&format!("version = 1\n[net.a]\nsource = \"onnx-f16.pb.gz\"\noutputs = [\"{outputs}\"]\n{more}\n"));
        let ran = project.nnue(&["build"]);
        assert!(matches!(ran.code, 1 | 2), "{more}: {}", ran.transcript());
        let shown = ran.err.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.iter().all(|word| shown.contains(word)), "{outputs} {more}: {}", ran.transcript());
        assert!(!project.at(outputs).exists(), "{more}");
    }
    project.nnue(&["convert", names[1], "x.onnx", "--policy-heads", "soft"]).fails(2, &["its heads cannot be chosen"]);
    project.nnue(&["convert", names[1], "x.onnx", "--onnx-type", "float16"]).ok();
    project.nnue(&["convert", names[0], "x.npz"]).fails(1, no_layers);
    std::fs::remove_file(project.at("nnue.toml")).unwrap();
    project.nnue(&["init", names[1]]).ok();
    project.nnue(&["build"]).ok();
}

#[test]
fn diff_tells_structure_header_and_distances() {
    let nets = ["se-conv-wdl-mlh.pb.gz", "multihead-shared.pb.gz"];
    let Some(project) = project(&nets, "") else { return };
    project.nnue(&["convert", nets[1], "small.pb.gz", "--layer-encoding", "bfloat16", "--policy-heads", "vanilla"]).ok();
    let ran = project.nnue(&["diff", nets[1], "small.pb.gz", "--json"]);
    assert_eq!(ran.code, 1, "{}", ran.transcript());
    let report: Json = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report["relation"], "different");
    let whats: Vec<&str> = report["differences"].as_array().unwrap().iter().map(|found| found["what"].as_str().unwrap()).collect();
    assert!(whats.contains(&"min_version.minor") && whats.iter().any(|what| what.starts_with("policy_heads.soft.")), "{whats:?}");
    let tensor = &report["tensors"][0];
    assert!(tensor["rms"].as_f64().unwrap() <= tensor["max_abs"].as_f64().unwrap() && tensor["max_ulp"].as_u64().unwrap() > 0, "{tensor}");
    project.nnue(&["diff", nets[0], nets[0]]).ok();
    project.write_net("run.nnue", 16, 1);
    project.nnue(&["diff", nets[0], "run.nnue"]).fails(1, &["can only be compared with another one"]);
}

#[test]
fn init_and_watch_take_such_nets() {
    let name = "se-conv-wdl-mlh.pb.gz";
    let Some(project) = project(&[name], "") else { return };
    std::fs::remove_file(project.at("nnue.toml")).unwrap();
    project.nnue(&["init"]).ok();
    let text = String::from_utf8(project.bytes("nnue.toml")).unwrap();
    assert!(text.contains("[source.se-conv-wdl-mlh]") && text.contains("\"dist/se-conv-wdl-mlh.pb.gz\""), "{text}");
    project.nnue(&["build"]).ok();
    assert_eq!(gunzip(&project.bytes("dist/se-conv-wdl-mlh.pb.gz")), gunzip(&project.bytes(name)));
}

/// The trees of `discovery.json`: what lc0 takes is what the program takes, on the command line and in a manifest.
#[test]
fn discovery_is_lc0s() {
    let Some(golden) = common::golden_lc0() else { return };
    let cases = common::json(&golden.join("discovery.json"));
    let mut count = 0;
    for case in cases["cases"].as_array().unwrap() {
        let project = Project::empty();
        let root = project.path.canonicalize().unwrap();
        make_tree(&root, case);
        let place = |value: &Json| {
            let parts = value.as_str().unwrap().split(':').map(|part| format!("{}/{part}", root.display()));
            parts.collect::<Vec<_>>().join(":")
        };
        let mut environment = vec![
            ("HOME".to_owned(), root.join("home").to_str().unwrap().to_owned()),
            ("XDG_DATA_DIRS".to_owned(), format!("{0}/sys1:{0}/sys2", root.display())),
        ];
        for (name, value) in case["env"].as_object().into_iter().flatten() {
            environment.retain(|(other, _)| other != name);
            environment.push((name.clone(), place(value)));
        }
        let given = case["argv0"].as_str().map(str::to_owned);
        let engine = given.unwrap_or_else(|| root.join("bin/lc0").to_str().unwrap().to_owned());
        let run = |arguments: &[&str]| {
            let mut command = assert_cmd::Command::cargo_bin("nnue").unwrap();
            command.env_remove("XDG_DATA_HOME").envs(environment.clone()).current_dir(&root).args(arguments).output().unwrap()
        };
        let name = &case["name"];
        let found = run(&["inspect", "<autodiscover>", "--engine", &engine, "--json"]);
        let expected = case["expected"].as_str().map(|path| std::fs::read(root.join(path)).unwrap());
        let report: Json = serde_json::from_slice(&found.stdout).unwrap_or(Json::Null);
        match &expected {
            Some(bytes) => assert_eq!(report["sha256"], common::sha256(bytes), "{name}: {}", String::from_utf8_lossy(&found.stderr)),
            None => assert!(String::from_utf8_lossy(&found.stderr).contains("finds no network"), "{name}"),
        }
        let quoted = engine.replace('\\', "\\\\");
        let source = format!("[source.a]\npath = \"<autodiscover>\"\nengine = \"{quoted}\"\n");
        std::fs::write(root.join("nnue.toml"), format!("version = 1\n{source}[net.a]\nsource = \"a\"\noutputs = [\"a.pb\"]\n")).unwrap();
        let built = run(&["build"]);
        let shown = String::from_utf8_lossy(&built.stderr);
        match (expected, case["then"].as_str()) {
            (Some(bytes), Some("ok")) => {
                assert!(built.status.success(), "{name}: {shown}");
                let lock = std::fs::read_to_string(root.join("nnue.lock")).unwrap();
                assert!(lock.contains(&common::sha256(&bytes)) && lock.contains("<autodiscover>"), "{name}: {lock}");
            }
            (Some(_), _) => assert_eq!(built.status.code(), Some(1), "{name}: {shown}"),
            (None, _) => assert!(!built.status.success() && shown.contains("finds no network"), "{name}: {shown}"),
        }
        count += 1;
    }
    assert_eq!(count, 23);
}

fn make_tree(root: &Path, case: &Json) {
    std::fs::create_dir_all(root.join("bin")).unwrap();
    for file in case["files"].as_array().into_iter().flatten() {
        let path = root.join(file["path"].as_str().unwrap());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let size = usize::try_from(file["size"].as_u64().unwrap()).unwrap();
        std::fs::write(&path, content(file["kind"].as_str().unwrap(), size)).unwrap();
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs_f64(file["mtime"].as_f64().unwrap());
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    }
    for (link, target) in case["links"].as_object().into_iter().flatten() {
        let path = root.join(link);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(root.join(target.as_str().unwrap()), path).unwrap();
    }
}

/// A file of a tree, as its `kinds` describe it.
fn content(kind: &str, size: usize) -> Vec<u8> {
    let net = |size: usize| {
        let length = size - 19;
        let varint = [(length & 0x7F) as u8 | 0x80, (length >> 7 & 0x7F) as u8 | 0x80, (length >> 14) as u8];
        let start = [0x0D, 0xC0, 1, 0, 0, 0x1A, 4, 8, 0, 0x10, 0x15, 0x22, 2, 8, 1];
        [&start[..], &[0x7A], &varint, &vec![0; length]].concat()
    };
    match kind {
        "net" => net(size),
        "net-other-first-byte" => {
            let mut bytes = net(size);
            bytes[0] = 0xFF;
            bytes
        }
        "junk" => [&b"junk"[..], &[1; 11], &vec![0; size - 15]].concat(),
        "text2" => [&b"2\n0.5 "[..], &vec![0; size - 6]].concat(),
        "gz" => gzip(&net(size + 19), 0),
        "gz-small" => gzip(&net(size + 19), 9),
        other => panic!("{other}"),
    }
}

#[test]
fn a_build_that_leaves_out_the_heads_that_lc0_plays_warns() {
    let manifest = "[net.a]\nsource = \"multihead-shared.pb.gz\"\noutputs = [\"a.pb.gz\"]\n\
                    heads = { policy = [\"soft\"], value = [\"q\"] }\n";
    let Some(project) = project(&["multihead-shared.pb.gz"], manifest) else { return };
    let output = project.nnue(&["build"]).ok();
    let shown = output.err.split_whitespace().collect::<Vec<_>>().join(" ").replace(" │ ", " ");
    assert!(shown.contains("there is no policy head `vanilla`") && shown.contains("there is no value head `winner`"), "{shown}");
}
