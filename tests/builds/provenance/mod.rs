//! Provenance files and the check of `publish = "fishtest"`, as a user meets them: the real binary on small projects.

mod fishtest;
mod statement;

use std::path::Path;

use crate::cli_support::{self, Ran, names, nnue, write_net};
use crate::common;
use crate::project::Project;
use serde_json::{Value, json};
use statement::statement;

const MANIFEST: &str = r#"version = 1

[source.run]
path = "the run #1/größe.nnue"
quantization = "ft127"

[data.fens]
path = ["a.fen", "b.fen"]

[net.big]
source = "run"
description = "first"
outputs = ["dist/", "latest.nnue"]
provenance = true
license = "CC0-1.0"

[net.big.optimize]
data = "fens"
positions = 100
filters = { simple_eval_skipping = 0 }

[net.plain]
source = "run"
compression = "none"
outputs = ["plain.nnue", "plain.pt"]
"#;

/// A net that is published, and nothing else.
const PUBLISHED: &str = r#"version = 1
[net.big]
source = "the run #1/größe.nnue"
outputs = ["dist/"]
publish = "fishtest"
license = "CC0-1.0"
"#;

fn project() -> Project {
    project_with(MANIFEST)
}

fn project_with(manifest: &str) -> Project {
    let project = Project::empty().with_net("the run #1/größe.nnue", 64, 5).with_fens("a.fen", 9, 200).with_fens("b.fen", 10, 100);
    project.with_manifest(manifest)
}

/// What tests here ask of a project.
trait Published {
    /// The report of a net, by `build` or `status`.
    fn report(&self, args: &[&str], net: &str) -> Value;

    /// Status of the net, and of the stage that publishes it with the kind and name of the reason.
    fn publishing(&self, args: &[&str], net: &str) -> (String, String, String, String) {
        let report = self.report(args, net);
        let stage = report["stages"].as_array().unwrap().iter().rfind(|stage| stage["stage"] == "write").unwrap();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (text(&report["status"]), text(&stage["status"]), text(&stage["reason"]["kind"]), text(&stage["reason"]["name"]))
    }

    fn statement(&self, name: &str) -> Value;
}

impl Published for Project {
    fn report(&self, args: &[&str], net: &str) -> Value {
        crate::project::net(&self.json(args), net).clone()
    }

    fn statement(&self, name: &str) -> Value {
        common::json(&self.at(name))
    }
}

const LATEST: &str = "latest.nnue.provenance.json";

/// The validator finds what is wrong: one fault at a time in a good statement.
#[test]
fn the_validator_refuses_what_the_specifications_do_not_allow() {
    let project = project();
    project.nnue(&["build", "big"]).ok();
    let good = project.statement(LATEST);
    statement(&good).unwrap();
    let definition = "/predicate/buildDefinition";
    let faults = [
        ("/_type", json!("https://in-toto.io/Statement/v0.1")),
        ("/subject", json!([])),
        ("/subject/0/digest", json!({})),
        ("/subject/0/digest/sha256", json!("ABC")),
        ("/subject/0/name", json!(1)),
        ("/predicateType", json!("https://slsa.dev/provenance/v0.2")),
        ("/predicate", json!({})),
        ("/predicate/runDetails/builder", json!({"version": {}})),
        ("/predicate/runDetails/builder/id", json!("nnue")),
        ("/predicate/runDetails/builder/version/nnue", json!(1)),
        ("/predicate/runDetails/byproducts/0", json!({"name": "load"})),
        ("/predicate/runDetails/byproducts/0/digest/blake3", json!("0".repeat(63))),
        ("/predicate/buildDefinition/buildType", json!("an own type")),
        ("/predicate/buildDefinition/externalParameters", json!([])),
        ("/predicate/buildDefinition/internalParameters", json!({"net": "big"})),
        ("/predicate/buildDefinition/resolvedDependencies/1/uri", json!("file:the run #1/größe.nnue")),
        ("/predicate/buildDefinition/resolvedDependencies/1/uri", json!("file:%4x")),
        ("/predicate/buildDefinition/resolvedDependencies/1/uri", json!("the-run.nnue")),
        ("/predicate/buildDefinition/resolvedDependencies/1/annotations", json!("source")),
    ];
    for (pointer, value) in faults {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = value.clone();
        assert!(statement(&bad).is_err(), "{pointer} = {value}");
    }
    for pointer in ["", "/predicate", definition, "/predicate/runDetails", "/predicate/runDetails/builder", "/subject/0"] {
        let mut bad = good.clone();
        bad.pointer_mut(pointer).unwrap().as_object_mut().unwrap().insert("more".into(), json!("x"));
        assert!(statement(&bad).is_err(), "an unknown member in `{pointer}`");
    }
}

// ── What is in it ────────────────────────────────────────────────────────────────────────────────────────────────────

/// Nobody typed these names, so that a link in their place is nobody's wish: it goes, and what it leads to stays.
#[test]
fn links_in_the_places_of_generated_names_are_replaced_and_not_followed() {
    let project = project();
    project.nnue(&["build", "big"]).ok();
    let name = format!("nn-{}.nnue", &project.sha256("latest.nnue")[..12]);
    let generated = [format!("dist/{name}"), format!("dist/{name}.provenance.json"), LATEST.to_owned()];
    let good = generated.clone().map(|name| project.bytes(&name));
    let victim = project.path.parent().unwrap().join("victim");
    std::fs::write(&victim, "somebody's").unwrap();
    for path in &generated[..2] {
        let path = project.path.join(path);
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(&victim, &path).unwrap();
    }
    std::fs::remove_file(project.path.join(LATEST)).unwrap();
    std::fs::write(project.path.join("notes"), "notes").unwrap();
    std::os::unix::fs::symlink("notes", project.path.join(LATEST)).unwrap();
    project.nnue(&["build", "big"]).ok();
    assert!(std::fs::read(&victim).unwrap() == b"somebody's" && project.bytes("notes") == b"notes", "written through a link");
    for (path, bytes) in generated.iter().zip(good) {
        assert!(std::fs::symlink_metadata(project.path.join(path)).unwrap().is_file(), "{path}");
        assert!(project.bytes(path) == bytes, "{path}");
    }
}

#[test]
fn an_optimized_net_says_all_that_it_was_made_from() {
    let project = project();
    let report = project.report(&["build"], "big");
    let name = format!("nn-{}.nnue", &project.sha256("latest.nnue")[..12]);
    assert_eq!(names(&project.path.join("dist")), [name.clone(), format!("{name}.provenance.json")]);
    assert_eq!(report["outputs"][0]["provenance"], format!("dist/{name}.provenance.json"));
    assert_eq!(report["outputs"][1]["provenance"], LATEST);
    assert!(!project.path.join("plain.nnue.provenance.json").exists());
    assert_eq!(project.report(&["status"], "plain")["outputs"][0]["provenance"], Value::Null);

    for (file, subject) in [(format!("dist/{name}.provenance.json"), &*name), (LATEST.to_owned(), "latest.nnue")] {
        let text = String::from_utf8(project.bytes(&file)).unwrap();
        let found: Value = serde_json::from_str(&text).unwrap();
        statement(&found).unwrap();
        assert_eq!(found["subject"], json!([{"name": subject, "digest": {"sha256": project.sha256("latest.nnue")}}]));
        assert!(text.ends_with("}\n"));
        for part in [project.path.to_str().unwrap(), std::env::temp_dir().to_str().unwrap()] {
            assert!(!text.contains(part), "{part}");
        }
    }
    let found = project.statement(LATEST);
    let definition = &found["predicate"]["buildDefinition"];
    assert_eq!(definition["buildType"], nnue::internals::build::provenance::BUILD_TYPE);
    let expected = json!({
        "net": "big",
        "manifest": "nnue.toml",
        "source": {"path": "the run #1/größe.nnue", "quantization": "ft127", "overflow": "error"},
        "description": "first",
        "compression": "auto",
        "outputs": ["dist/", "latest.nnue"],
        "optimize": {"data": ["a.fen", "b.fen"], "positions": 100, "seed": 0, "algorithm": "greedy", "filters": {"simple_eval_skipping": 0}},
        "prove": {"data": ["a.fen", "b.fen"], "positions": 100, "seed": 0},
        "license": "CC0-1.0",
    });
    assert_eq!(definition["externalParameters"], expected);

    let stages = definition["internalParameters"]["stages"].as_array().unwrap();
    let of_report = report["stages"].as_array().unwrap();
    assert_eq!(stages.len(), of_report.len());
    let byproducts = found["predicate"]["runDetails"]["byproducts"].as_array().unwrap();
    for ((stage, byproduct), reported) in stages.iter().zip(byproducts).zip(of_report) {
        assert_eq!((&stage["stage"], &stage["key"]), (&reported["stage"], &reported["key"]));
        assert_eq!(stage["version"], 1);
        assert_eq!((&byproduct["name"], &byproduct["digest"]), (&reported["stage"], &json!({"blake3": reported["digest"]})));
    }
    assert_eq!(byproducts[4]["digest"]["blake3"], blake3::hash(&project.bytes("latest.nnue")).to_string());
    let proof = &report["proof"];
    let claim = json!({"positions": proof["positions"], "seed": proof["seed"], "values": proof["digest"]});
    assert_eq!((&byproducts[5]["annotations"], &proof["positions"]), (&claim, &json!(100)));
    let zero = |name: &str| byproducts[2]["annotations"]["train"][name].as_u64().unwrap() as f64;
    assert_eq!(report["zero_blocks"]["before"].as_f64().unwrap(), zero("zeroBefore") / zero("blocks"));
    assert_eq!(report["zero_blocks"]["after"].as_f64().unwrap(), zero("zeroAfter") / zero("blocks"));
    assert_eq!((byproducts[1]["annotations"]["entries"].as_u64(), zero("positions")), (Some(300), 100.0));

    let selection = json!({"rule": 1, "positions": 100, "heldOut": 100, "seed": 0, "filters": {"simple_eval_skipping": 0}});
    let dependency = |name: &str, uri: &str, annotations: Value| json!({"name": name, "uri": uri, "digest": {"sha256": project.sha256(name)}, "annotations": annotations});
    let expected = json!([
        dependency("nnue.toml", "file:nnue.toml", json!({"role": "manifest"})),
        dependency("the run #1/größe.nnue", "file:the%20run%20%231/gr%C3%B6%C3%9Fe.nnue", json!({"role": "source"})),
        dependency("a.fen", "file:a.fen", json!({"role": "data", "order": 0, "selection": selection})),
        dependency("b.fen", "file:b.fen", json!({"role": "data", "order": 1, "selection": selection})),
    ]);
    assert_eq!(definition["resolvedDependencies"], expected);
    assert_eq!(found["predicate"]["runDetails"]["builder"]["version"], json!({"nnue": env!("CARGO_PKG_VERSION")}));
}

#[test]
fn the_entries_of_a_single_data_file_are_stated() {
    let project = project_with(&MANIFEST.replace("[\"a.fen\", \"b.fen\"]", "\"a.fen\""));
    project.nnue(&["build", "big"]).ok();
    let data = &project.statement(LATEST)["predicate"]["buildDefinition"]["resolvedDependencies"][2];
    assert_eq!((&data["name"], &data["annotations"]["entries"]), (&json!("a.fen"), &json!(200)));
}

#[test]
fn each_output_names_the_stages_that_made_it_and_a_permutation_file_is_a_material() {
    let project = project();
    project.nnue(&["build", "plain", "--set", "net.plain.provenance=true"]).ok();
    let stages = |file: &str| -> Vec<String> {
        let found = project.statement(file);
        statement(&found).unwrap();
        let stages = found["predicate"]["buildDefinition"]["internalParameters"]["stages"].as_array().unwrap().clone();
        stages.iter().map(|stage| format!("{} {}", stage["stage"].as_str().unwrap(), stage["params"]["format"])).collect()
    };
    assert_eq!(stages("plain.nnue.provenance.json"), ["load null", "write \"nnue\""]);
    assert_eq!(stages("plain.pt.provenance.json"), ["load null", "write \"pt\""]);

    let permutation = nnue::internals::net::Permutation::identity(32).unwrap();
    let mut bytes = Vec::new();
    nnue::internals::permutation::write_permutation(&permutation, &mut bytes).unwrap();
    std::fs::write(project.path.join("p.npy"), bytes).unwrap();
    project.manifest(
        &MANIFEST
            .replace("outputs = [\"plain.nnue\", \"plain.pt\"]", "outputs = \"plain.nnue\"\npermutation = \"p.npy\"\nprovenance = true"),
    );
    project.nnue(&["build", "plain"]).ok();
    let found = project.statement("plain.nnue.provenance.json");
    statement(&found).unwrap();
    let definition = &found["predicate"]["buildDefinition"];
    assert_eq!(definition["externalParameters"]["permutation"], "p.npy");
    let last = definition["resolvedDependencies"].as_array().unwrap().last().unwrap();
    assert_eq!((&last["annotations"]["role"], &last["digest"]["sha256"]), (&json!("permutation"), &json!(project.sha256("p.npy"))));
    project.nnue(&["verify", "plain"]).ok();
}

#[test]
fn a_checkpoint_names_its_clamped_weights() {
    let Some(golden) = common::golden() else { return };
    let golden = golden.join("public/A_seed/Full_Threats_fact_L8_overflow");
    let project = project_with(
        "version = 1\n[source.run]\npath = \"net.ckpt\"\nfeatures = \"Full_Threats^\"\nquantization = \"ft255\"\noverflow = \"trainer\"\n[net.a]\nsource = \"run\"\noutputs = \"a.nnue\"\nprovenance = true\n",
    );
    std::fs::write(project.path.join("net.ckpt"), common::read_maybe_xz(&golden.join("net.ckpt"))).unwrap();
    project.nnue(&["build"]).ok();
    let found = project.statement("a.nnue.provenance.json");
    statement(&found).unwrap();
    let byproducts = found["predicate"]["runDetails"]["byproducts"].as_array().unwrap();
    let names: Vec<&Value> = byproducts.iter().map(|each| &each["name"]).collect();
    assert_eq!(names, ["load", "coalesce", "quantize", "write"]);
    let overflowed = byproducts[2]["annotations"]["overflowed"].as_object().unwrap();
    assert!(!overflowed.is_empty() && overflowed.values().all(|count| count.as_u64().unwrap() > 0), "{overflowed:?}");
}

#[test]
fn overrides_are_stated_where_they_concern_the_net() {
    let project = project();
    let set = ["net.big.optimize.positions=50", "net.plain.compression=leb128", "source.run.quantization=ft127", "data.fens.path=a.fen"];
    let args: Vec<&str> = ["build"].into_iter().chain(set.iter().flat_map(|set| ["--set", set])).collect();
    project.nnue(&args).ok();
    let found = project.statement(LATEST);
    statement(&found).unwrap();
    let external = &found["predicate"]["buildDefinition"]["externalParameters"];
    assert_eq!(external["overrides"], json!([set[0], set[2], set[3]]));
    assert_eq!((&external["optimize"]["positions"], &external["optimize"]["data"]), (&json!(50), &json!(["a.fen"])));
    // An override of another net makes no other statement.
    project.nnue(&["build"]).ok();
    let status = project.publishing(&["status", "--set", "net.plain.description=x"], "big");
    assert_eq!(status.0, "fresh");
}

#[test]
fn every_net_of_a_sweep_has_its_own() {
    let project = project_with(
        "version = 1\n[net.\"n/{stem}\"]\nsource = { glob = \"runs/*.nnue\" }\noutputs = [\"out/{stem}.nnue\"]\nprovenance = true\n",
    );
    std::fs::create_dir(project.path.join("runs")).unwrap();
    for epoch in 1..=3 {
        write_net(&project.path.join(format!("runs/epoch={epoch}.nnue")), "small", 16, epoch);
    }
    project.nnue(&["build"]).ok();
    for epoch in 1..=3 {
        let found = project.statement(&format!("out/epoch={epoch}.nnue.provenance.json"));
        statement(&found).unwrap();
        let source = format!("runs/epoch={epoch}.nnue");
        let definition = &found["predicate"]["buildDefinition"];
        assert_eq!(definition["externalParameters"]["net"], format!("n/epoch={epoch}"));
        assert_eq!(definition["externalParameters"]["source"]["path"], *source);
        assert_eq!(definition["resolvedDependencies"][1]["digest"]["sha256"], project.sha256(&source));
        assert_eq!(found["subject"][0]["digest"]["sha256"], project.sha256(&format!("out/epoch={epoch}.nnue")));
    }
    // A new file of the sweep changes none of the others' statements.
    write_net(&project.path.join("runs/epoch=4.nnue"), "small", 16, 4);
    let report = project.nnue(&["build", "--json"]).ok().json();
    let built = report["nets"].as_array().unwrap().iter().filter(|net| net["status"] == "built").count();
    assert_eq!(built, 1, "{report}");
    project.nnue(&["verify", "--rebuild"]).ok();
}

// ── The same bytes, whatever the way ─────────────────────────────────────────────────────────────────────────────────

#[test]
fn the_bytes_depend_on_nothing_but_what_they_speak_of() {
    let (one, two) = (project(), project());
    one.nnue(&["build"]).ok();
    let expected = one.bytes(LATEST);
    let same = |project: &Project, what: &str| assert!(project.bytes(LATEST) == expected, "{what}");

    nnue(two.path.parent().unwrap(), ["build", "-f", "project/nnue.toml", "-j", "1"]).ok();
    same(&two, "another folder, one thread, the manifest by its path");
    for jobs in ["1", "2", "7"] {
        std::fs::remove_file(one.path.join(LATEST)).unwrap();
        one.nnue(&["build", "--force", "-j", jobs]).ok();
        same(&one, "forced");
    }
    std::fs::remove_dir_all(one.path.join(".nnue")).unwrap();
    std::fs::remove_file(one.path.join(LATEST)).unwrap();
    one.nnue(&["build"]).ok();
    same(&one, "without cache");

    // From results that another project left in a common cache.
    let cache = tempfile::tempdir().unwrap();
    for project in [project(), project()] {
        let output = cli_support::command(&project.path).env("NNUE_CACHE_DIR", cache.path()).arg("build").output().unwrap();
        assert!(output.status.success());
        same(&project, "a common cache");
    }
    std::fs::remove_file(two.path.join(LATEST)).unwrap();
    two.nnue(&["build", "--frozen", "--paranoid"]).ok();
    same(&two, "frozen");
}

trait CodeIs {
    fn code_is(self, code: i32);
}

impl CodeIs for Ran {
    #[track_caller]
    fn code_is(self, code: i32) {
        assert_eq!(self.code, code, "{}", self.transcript());
    }
}

// ── When it is written ───────────────────────────────────────────────────────────────────────────────────────────────

fn modified(path: &Path) -> std::time::SystemTime {
    std::fs::metadata(path).unwrap().modified().unwrap()
}

#[test]
fn what_is_missing_or_wrong_is_written_again_and_nothing_else() {
    let project = project();
    project.nnue(&["build"]).ok();
    let good = project.bytes(LATEST);
    let path = project.path.join(LATEST);
    let before = (modified(&path), modified(&project.path.join("latest.nnue")));
    assert_eq!(project.report(&["build"], "big")["status"], "fresh");
    assert_eq!((modified(&path), modified(&project.path.join("latest.nnue"))), before, "a build without changes writes nothing");

    std::fs::remove_file(&path).unwrap();
    let missing = |status: &str, stage: &str| (status.into(), stage.into(), "output_missing".into(), LATEST.into());
    assert_eq!(project.publishing(&["status"], "big"), missing("stale", "stale"));
    assert_eq!(project.publishing(&["build", "--dry-run"], "big"), missing("stale", "stale"));
    assert!(!path.exists(), "a dry run writes nothing");
    assert!(project.nnue(&["status"]).ok().out.contains(&format!("`{LATEST}` is missing")));
    assert_eq!(project.publishing(&["build"], "big"), missing("built", "ran"));
    assert_eq!(std::fs::read(&path).unwrap(), good);
    assert_eq!(modified(&project.path.join("latest.nnue")), before.1, "the net itself is left alone");
    assert_eq!(project.report(&["status"], "big")["status"], "fresh");

    for bad in [b"".to_vec(), good[..good.len() - 1].to_vec(), [&good[..], b"\n"].concat(), b"{}\n".to_vec(), {
        let mut flipped = good.clone();
        flipped[700] ^= 1;
        flipped
    }] {
        std::fs::write(&path, &bad).unwrap();
        let reason = ("stale".into(), "stale".into(), "output_modified".into(), LATEST.into());
        assert_eq!(project.publishing(&["status"], "big"), reason);
        project.nnue(&["build"]).ok();
        assert_eq!(std::fs::read(&path).unwrap(), good);
    }
    // What cannot be replaced fails the net; a pipe keeps nobody waiting.
    std::fs::remove_file(&path).unwrap();
    for make in ["mkdir", "mkfifo"] {
        assert!(std::process::Command::new(make).arg(&path).status().unwrap().success());
        let ran = project.nnue(&["build"]);
        assert!(ran.code == 1 && ran.err.contains(LATEST) && ran.err.contains("net `big` failed"), "{}", ran.transcript());
        project.nnue(&["verify"]).code_is(3);
        let remove = if make == "mkdir" { std::fs::remove_dir } else { std::fs::remove_file };
        remove(path.as_path()).unwrap();
    }
}

#[test]
fn a_change_of_the_manifest_is_named_as_what_it_is() {
    let project = project();
    project.nnue(&["build"]).ok();
    let latest = modified(&project.path.join("latest.nnue"));
    project.manifest(&format!("{MANIFEST}# a comment\n"));
    let reason = project.publishing(&["status"], "big");
    assert_eq!(reason, ("stale".into(), "stale".into(), "input_changed".into(), "nnue.toml".into()));
    project.nnue(&["build"]).ok();
    let dependencies = &project.statement(LATEST)["predicate"]["buildDefinition"]["resolvedDependencies"];
    assert_eq!(dependencies[0]["digest"]["sha256"], project.sha256("nnue.toml"));

    project.manifest(&MANIFEST.replace("CC0-1.0", "MIT"));
    let report = project.report(&["build"], "big");
    let reason = &report["stages"].as_array().unwrap().iter().rfind(|stage| stage["stage"] == "write").unwrap()["reason"];
    assert_eq!(*reason, json!({"kind": "param_changed", "name": "license", "old": "CC0-1.0", "new": "MIT"}));
    assert_eq!(modified(&project.path.join("latest.nnue")), latest, "no licence changes a byte of the net");
    let ran = report["stages"].as_array().unwrap().iter().filter(|stage| stage["status"] == "ran").count();
    assert_eq!(ran, 1, "{report}");

    // Switched off, it is neither written nor looked at.
    project.manifest(&MANIFEST.replace("provenance = true", "provenance = false"));
    std::fs::remove_file(project.path.join(LATEST)).unwrap();
    assert_eq!(project.report(&["build"], "big")["status"], "fresh");
    assert!(!project.path.join(LATEST).exists());
}

#[test]
fn a_locked_build_writes_it_for_a_net_that_is_as_locked() {
    let project = project_with(&MANIFEST.replace("provenance = true", "provenance = false"));
    project.nnue(&["build"]).ok();
    let lock = project.bytes("nnue.lock");
    project.manifest(MANIFEST);
    project.nnue(&["build", "--locked"]).ok();
    statement(&project.statement(LATEST)).unwrap();
    assert_eq!(project.bytes("nnue.lock"), lock, "provenance is not locked: it follows from what is");

    // The cache has both results; what is published differs from the lock.
    project.manifest(&MANIFEST.replace("first", "second"));
    project.nnue(&["build"]).ok();
    std::fs::write(project.path.join("nnue.lock"), &lock).unwrap();
    std::fs::remove_file(project.path.join(LATEST)).unwrap();
    project.nnue(&["build", "--locked"]).fails(3, &["output `latest.nnue`"]);
    assert!(!project.path.join(LATEST).exists());
}

#[test]
fn two_nets_that_come_out_equal_in_one_folder_are_told_so() {
    let project = project_with(
        "version = 1\n[net.a]\nsource = \"the run #1/größe.nnue\"\noutputs = \"dist/\"\nprovenance = true\n[net.b]\nsource = \"the run #1/größe.nnue\"\noutputs = \"dist/\"\nprovenance = true\n",
    );
    let ran = project.nnue(&["build"]);
    assert_eq!(ran.code, 1, "{}", ran.transcript());
    for part in ["nets `a` and `b` publish the same file", "provenance.json", "a folder of its own"] {
        assert!(ran.err.contains(part), "`{part}` is missing: {}", ran.transcript());
    }
    assert_eq!(project.report(&["status"], "b")["status"], "failed");
    project.manifest("version = 1\n[net.a]\nsource = \"the run #1/größe.nnue\"\noutputs = \"dist/\"\nprovenance = true\n[net.b]\nsource = \"the run #1/größe.nnue\"\noutputs = \"dist/\"\n");
    project.nnue(&["build"]).ok();
}

// ── verify ───────────────────────────────────────────────────────────────────────────────────────────────────────────

#[test]
fn verify_holds_statements_against_files_and_lock() {
    let project = project();
    project.nnue(&["build"]).ok();
    let checked = project.report(&["verify"], "big");
    assert_eq!(checked["same"], true);
    assert_eq!(checked["provenance"].as_array().unwrap().len(), 2);
    assert_eq!((&checked["provenance"][1], &checked["publish"]), (&json!({"path": LATEST, "problem": null}), &json!([])));
    project.nnue(&["verify", "--rebuild"]).ok();

    let good = project.statement(LATEST);
    let path = project.path.join(LATEST);
    let other = "0".repeat(64);
    for (pointer, value, part) in [
        ("/_type", json!("https://in-toto.io/Statement/v0.1"), "`_type`"),
        ("/subject/0/digest/sha256", json!(other), "it is about `latest.nnue` with sha256 0000"),
        ("/subject/0/name", json!("other.nnue"), "it is about `other.nnue`"),
        ("/predicate/buildDefinition/resolvedDependencies/2/digest/sha256", json!(other), "material `a.fen`"),
        ("/predicate/buildDefinition/resolvedDependencies/3/name", json!("c.fen"), "material `b.fen`"),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = value;
        std::fs::write(&path, bad.to_string()).unwrap();
        let ran = project.nnue(&["verify"]);
        assert_eq!(ran.code, 3, "{pointer}: {}", ran.transcript());
        assert!(ran.out.contains("big: different") && ran.out.contains(part), "`{part}` is missing: {}", ran.transcript());
    }
    std::fs::write(&path, "{").unwrap();
    let ran = project.nnue(&["verify", "big"]);
    assert!(ran.code == 3 && ran.out.contains("it is not JSON"), "{}", ran.transcript());
    std::fs::remove_file(&path).unwrap();
    let ran = project.nnue(&["verify", "big"]);
    assert!(ran.code == 3 && ran.out.contains("it is missing"), "{}", ran.transcript());
    project.nnue(&["verify", "plain"]).ok();

    // What holds against the lock may still be another statement than the last build wrote, and than a build writes now.
    let mut bad = good.clone();
    bad["predicate"]["buildDefinition"]["externalParameters"]["optimize"]["seed"] = json!(1);
    std::fs::write(&path, bad.to_string()).unwrap();
    let ran = project.nnue(&["verify"]);
    assert!(ran.code == 3 && ran.out.contains("it differs from the statement that the last build wrote"), "{}", ran.transcript());
    std::fs::remove_dir_all(project.path.join(".nnue/state")).unwrap();
    project.nnue(&["verify"]).ok();
    let ran = project.nnue(&["verify", "--rebuild"]);
    assert!(ran.code == 3 && ran.out.contains(&format!("`{LATEST}` differs from what a build writes now")), "{}", ran.transcript());
    project.nnue(&["build"]).ok();
    project.nnue(&["verify", "--rebuild"]).ok();
}
