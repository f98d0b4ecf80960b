//! Nets that are made from other nets: what the first publishes is what the second reads, in this order, whatever is asked for.

use serde_json::Value;

use crate::project::{Project, manifest, net, statuses};

/// The second is listed before the first, which is optimized and proven, and a third is made from it.
const CHAIN: &str = manifest!(
    r#"[net.last]
source = "net:opt"
description = "the last one"
outputs = ["last.nnue"]
provenance = true
[net.opt]
source = "net:base"
outputs = ["dist/", "opt.nnue"]
[net.opt.optimize]
data = "fens"
positions = 150
[net.base]
source = "run"
outputs = ["base.nnue"]
description = "the first one"
[net.other]
source = "run"
outputs = ["other.nnue"]
"#
);

fn status<'r>(report: &'r Value, name: &str) -> &'r str {
    net(report, name)["status"].as_str().unwrap()
}

fn names(report: &Value) -> Vec<&str> {
    report["nets"].as_array().unwrap().iter().map(|net| net["net"].as_str().unwrap()).collect()
}

/// Stages that ran.
fn ran<'r>(report: &'r Value, name: &str) -> Vec<&'r str> {
    statuses(net(report, name)).into_iter().filter(|(_, status)| *status == "ran").map(|(stage, _)| stage).collect()
}

#[test]
fn what_a_net_publishes_is_what_is_made_of_it() {
    let project = Project::new(CHAIN);
    let report = project.json(&["build", "last"]);
    assert_eq!(names(&report), ["last", "opt", "base"], "what it needs, and no more, in the manifest's order");
    assert!(!project.at("other.nnue").exists());
    // By hand, with a manifest for each step.
    let by_hand = Project::new(manifest!("[net.base]\nsource = \"run\"\noutputs = \"base.nnue\"\ndescription = \"the first one\"\n"));
    by_hand.nnue(&["build"]).ok();
    let head = "version = 1\n[source.run]\npath = \"base.nnue\"\nquantization = \"ft127\"\n[data.fens]\npath = \"positions.fen\"\n";
    by_hand.manifest(&format!(
        "{head}[net.opt]\nsource = \"run\"\noutputs = \"opt.nnue\"\noptimize = {{ data = \"fens\", positions = 150 }}\n"
    ));
    by_hand.nnue(&["build"]).ok();
    let head = head.replace("base.nnue", "opt.nnue");
    by_hand.manifest(&format!("{head}[net.last]\nsource = \"run\"\noutputs = \"last.nnue\"\ndescription = \"the last one\"\n"));
    by_hand.nnue(&["build"]).ok();
    for name in ["base.nnue", "opt.nnue", "last.nnue"] {
        assert!(project.bytes(name) == by_hand.bytes(name), "{name}");
    }
    // The lock and the statement say what was read, and that is the file.
    let lock: toml::Value = toml::from_str(&project.text("nnue.lock")).unwrap();
    let block = lock["net"].as_array().unwrap().iter().find(|net| net["name"].as_str() == Some("last")).unwrap();
    let opt = net(&report, "opt")["outputs"][0].clone();
    assert_eq!(block["inputs"][0]["path"].as_str(), opt["path"].as_str());
    assert_eq!(block["inputs"][0]["sha256"].as_str().unwrap(), project.sha256("opt.nnue"));
    let statement: Value = serde_json::from_str(&project.text("last.nnue.provenance.json")).unwrap();
    let dependencies = &statement["predicate"]["buildDefinition"]["resolvedDependencies"];
    assert_eq!(dependencies[1]["name"], opt["path"]);
    assert_eq!(dependencies[1]["annotations"], serde_json::json!({"role": "source", "net": "net:opt"}));
    project.nnue(&["build"]).ok();
    project.nnue(&["verify", "--rebuild"]).ok();
    assert_eq!(names(&project.json(&["verify", "last", "--rebuild"])), ["last"]);
    assert_eq!(status(&project.json(&["status"]), "last"), "fresh");
}

#[test]
fn a_change_goes_as_far_as_bytes_change() {
    let project = Project::new(CHAIN);
    project.nnue(&["build"]).ok();
    for _ in 0..2 {
        let report = project.json(&["build"]);
        assert!(names(&report).iter().all(|name| status(&report, name) == "fresh"), "{report:#}");
    }
    // The first has other bytes: all that is made of it has to be looked at.
    let last = project.bytes("last.nnue");
    project.manifest(&CHAIN.replace("the first one", "the very first one"));
    let told = project.json(&["status"]);
    assert_eq!(
        (status(&told, "base"), status(&told, "opt"), status(&told, "last"), status(&told, "other")),
        ("stale", "stale", "stale", "fresh")
    );
    let reason = |report: &Value, name: &str| net(report, name)["stages"][0]["reason"].clone();
    assert_eq!((reason(&told, "opt")["kind"].clone(), reason(&told, "opt")["name"].clone()), ("upstream_stale".into(), "net:base".into()));
    let report = project.json(&["build"]);
    assert_eq!(ran(&report, "base"), ["write"]);
    assert_eq!(
        (reason(&report, "opt")["kind"].clone(), reason(&report, "opt")["name"].clone()),
        ("input_changed".into(), "net:base".into())
    );
    // The weights, and so the matrix, are the same: nothing is searched again.
    assert_eq!(ran(&report, "opt"), ["load", "gather", "permute", "write", "prove"]);
    // It has a description of its own: what is written is what was there.
    assert_eq!(ran(&report, "last"), ["load", "write"]);
    assert!(project.bytes("last.nnue") == last);
    assert_eq!(ran(&report, "other"), [""; 0]);
    // What is published is looked after where something is made of it, too.
    project.write("opt.nnue", "no net");
    std::fs::remove_file(project.at(net(&report, "opt")["outputs"][0]["path"].as_str().unwrap())).unwrap();
    let report = project.json(&["build", "last"]);
    assert_eq!((ran(&report, "opt"), ran(&report, "last")), (vec!["write"], vec![]));
    let text = project.nnue(&["explain", "last"]).ok().out;
    assert!(text.contains("(`net:opt`)") && !text.contains("gather"), "{text}");
    let text = project.nnue(&["graph", "last"]).ok().out;
    assert!(text.contains("← source = net:opt") && text.contains("← source = net:base") && !text.contains("other"), "{text}");
    let graph = project.json(&["graph", "last"]);
    let edges = graph["edges"].as_array().unwrap();
    assert!(edges.iter().any(|edge| edge["name"] == "proof"), "the last net waits for the proof of the one before");
    let report = project.json(&["build", "last", "--force"]);
    assert!(report["nets"].as_array().unwrap().iter().all(|net| statuses(net).iter().all(|(_, status)| *status == "ran")), "{report:#}");
}

#[test]
fn nothing_is_made_of_a_net_that_failed() {
    let project = Project::new(&CHAIN.replace("positions = 150", "positions = 301"));
    for args in [&["build", "--keep-going"][..], &["build", "last"]] {
        let run = project.nnue(&[args, &["--json"]].concat());
        assert_eq!(run.code, 1, "{}", run.transcript());
        assert_eq!(run.err.matches("asked for 301 positions").count(), 1, "said once: {}", run.err);
        let report = run.json();
        assert_eq!((status(&report, "opt"), status(&report, "last")), ("failed", "failed"));
        assert_eq!(net(&report, "last")["error"], "the net `opt`, which it is made from, failed");
        assert!(!project.at("last.nnue").exists());
    }
    assert!(project.at("other.nnue").exists(), "others went on");
    let text = project.nnue(&["build", "last"]).out;
    assert!(text.contains("last: not built: the net `opt`, which it is made from, failed"), "{text}");
    // A missing file is known before anything runs.
    std::fs::remove_file(project.at("run.nnue")).unwrap();
    let report = project.json(&["status"]);
    assert_eq!((status(&report, "base"), status(&report, "opt"), status(&report, "last")), ("failed", "failed", "failed"));
}

/// A net whose proof fails is not published, and nothing is made of it; of one that is published, what is made of it waits for the proof.
#[test]
fn nothing_is_made_of_a_net_whose_proof_failed() {
    let text = CHAIN.replace(
        "positions = 150\n",
        "positions = 150\n[net.opt.prove]\ndata = \"short\"\npositions = 200\n[data.short]\npath = \"short.fen\"\n",
    );
    let project = Project::new(&text).with_fens("short.fen", 3, 100);
    let run = project.nnue(&["build", "last", "--json"]);
    assert_eq!(run.code, 1, "{}", run.transcript());
    let report = run.json();
    assert_eq!((status(&report, "opt"), status(&report, "last")), ("failed", "failed"), "{report:#}");
    assert!(!project.at("opt.nnue").exists() && !project.at("last.nnue").exists());
    // Also where all that is missing is the proof.
    project.manifest(CHAIN);
    project.nnue(&["build", "last"]).ok();
    let published = project.bytes("last.nnue");
    project.manifest(&text.replace("the last one", "another"));
    assert_eq!(project.nnue(&["build", "last"]).code, 1);
    assert!(project.bytes("last.nnue") == published);
    project.write("short.fen", project.bytes("positions.fen"));
    project.nnue(&["build", "last"]).ok();
    assert!(project.bytes("last.nnue") != published);
}

#[test]
fn locked_builds_hold_the_whole_chain() {
    let project = Project::new(CHAIN);
    project.nnue(&["build"]).ok();
    let lock = project.text("nnue.lock");
    project.nnue(&["build", "--locked"]).ok();
    for name in ["base.nnue", "opt.nnue", "last.nnue"] {
        std::fs::remove_file(project.at(name)).unwrap();
    }
    std::fs::remove_dir_all(project.at(".nnue")).unwrap();
    project.nnue(&["build", "--locked", "last"]).ok();
    assert_eq!(project.text("nnue.lock"), lock);
    project.manifest(&CHAIN.replace("the first one", "the very first one"));
    project.nnue(&["build", "--locked", "last"]).fails(3, &["net `base`: output `base.nnue`"]);
    // The first was built alone: what is locked of the others is of another one.
    project.nnue(&["build", "base"]).ok();
    project.nnue(&["build", "--locked"]).fails(3, &["net `opt`: input `base.nnue`"]);
    project.nnue(&["build"]).ok();
    project.nnue(&["build", "--locked"]).ok();
}

/// What leaves the scales open at the beginning leaves them open on the way, which is said of the file that does.
#[test]
fn what_is_assumed_is_said_of_the_first_file() {
    let text = CHAIN.replace("quantization = \"ft127\"\n", "");
    let project = Project::new(&text);
    let err = project.nnue(&["build", "last"]).ok().err;
    assert_eq!(err.matches("`run.nnue` does not record its scales").count(), 1, "{err}");
    assert_eq!(Project::new(CHAIN).nnue(&["build", "last"]).ok().err.matches("scales").count(), 0);
}

/// Floats and integers, and the packing of the source: what `compression = "auto"` comes to on the way.
#[test]
fn outputs_of_every_kind_are_sources() {
    let text = manifest!(
        r#"[net.raw]
source = "run"
compression = "none"
outputs = ["raw.nnue"]
[net.kept]
source = "net:raw"
outputs = ["kept.nnue"]
[net.floats]
source = "run"
outputs = ["floats.safetensors", "floats.pt"]
[net.again]
source = "net:floats"
outputs = ["again.nnue"]
compression = "none"
[net.torch]
source = "run"
outputs = ["torch.pt"]
[net.back]
source = "net:torch"
outputs = ["back.nnue", "back.npz"]
compression = "none"
"#
    );
    let project = Project::new(text);
    project.nnue(&["build"]).ok();
    for name in ["kept.nnue", "again.nnue", "back.nnue"] {
        assert!(project.bytes(name) == project.bytes("raw.nnue"), "{name}");
    }
    project.nnue(&["verify", "--rebuild"]).ok();
}
