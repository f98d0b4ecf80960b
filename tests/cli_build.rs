//! `nnue build`, `status` and their neighbours as a user runs them: the real binary on small projects.
#![allow(missing_docs)]

mod cli_support;
mod common;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cli_support::{Ran, names, nnue, write_fens, write_net};
use serde_json::Value;

const MANIFEST: &str = r#"version = 1

[source.run]
path = "run.nnue"
quantization = "ft127"

[data.fens]
path = "positions.fen"

[net.big]
source = "run"
description = "first"
outputs = ["dist/", "latest.nnue"]

[net.big.optimize]
data = "fens"
positions = 100

[net.plain]
source = "run"
compression = "none"
outputs = ["plain.nnue"]
"#;

struct Project {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl Project {
    fn new() -> Self {
        Self::in_folder("project")
    }

    fn in_folder(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::create_dir_all(&path).unwrap();
        write_net(&path.join("run.nnue"), "small", 64, 5);
        write_fens(&path.join("positions.fen"), 9, 300);
        std::fs::write(path.join("nnue.toml"), MANIFEST).unwrap();
        Self { _folder: folder, path }
    }

    fn nnue(&self, args: &[&str]) -> Ran {
        nnue(&self.path, args)
    }

    fn manifest(&self, text: &str) {
        std::fs::write(self.path.join("nnue.toml"), text).unwrap();
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path.join(name)).unwrap()
    }

    fn sha256(&self, name: &str) -> String {
        common::sha256(&self.bytes(name))
    }
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// The report's net of this name.
fn net<'a>(report: &'a Value, name: &str) -> &'a Value {
    report["nets"].as_array().unwrap().iter().find(|net| net["net"] == name).unwrap()
}

fn statuses(net: &Value) -> Vec<(&str, &str)> {
    net["stages"].as_array().unwrap().iter().map(|stage| (stage["stage"].as_str().unwrap(), stage["status"].as_str().unwrap())).collect()
}

/// Every file below `folder` that looks temporary.
fn temporary(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().unwrap().to_str().unwrap().contains("tmp") {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn a_build_says_what_it_made_and_the_next_one_that_nothing_is_to_do() {
    let project = Project::new();
    let first = project.nnue(&["build"]).ok();
    assert!(first.out.contains("big: built") && first.out.contains("zero blocks") && first.out.contains("plain: built"), "{}", first.out);
    let sha256 = project.sha256("latest.nnue");
    assert!(first.out.contains(&format!("dist/nn-{}.nnue", &sha256[..12])) && first.out.contains(&sha256), "{}", first.out);
    assert_eq!(names(&project.path.join("dist")), [format!("nn-{}.nnue", &sha256[..12])]);
    assert_eq!(first.err, "");
    let second = project.nnue(&["build"]).ok();
    assert!(second.out.contains("big: up to date") && second.out.contains("plain: up to date"), "{}", second.out);
    let quiet = project.nnue(&["build", "-q"]).ok();
    assert_eq!((quiet.out.as_str(), quiet.err.as_str()), ("", ""));
}

#[test]
fn the_json_has_the_documented_members() {
    let project = Project::new();
    let before = project.nnue(&["status", "--json"]).ok().json();
    assert_eq!(net(&before, "big")["status"], "stale");
    assert!(!project.path.join(".nnue").exists(), "status changes nothing");

    let report = project.nnue(&["build", "--json"]).ok().json();
    assert_eq!(keys(&report), ["schema", "nets"]);
    assert_eq!(report["schema"], 1);
    let big = net(&report, "big");
    assert_eq!(keys(big), ["net", "status", "outputs", "zero_blocks", "stages", "error"]);
    assert_eq!((&big["status"], &big["error"]), (&"built".into(), &Value::Null));
    for output in big["outputs"].as_array().unwrap() {
        assert_eq!(keys(output), ["path", "sha256", "bytes", "provenance"]);
        let path = output["path"].as_str().unwrap();
        assert_eq!(project.sha256(path), output["sha256"]);
        assert_eq!(project.bytes(path).len() as u64, output["bytes"]);
    }
    let zero = &big["zero_blocks"];
    assert_eq!(zero["positions"], 100);
    assert!(zero["before"].as_f64().unwrap() < zero["after"].as_f64().unwrap(), "{zero}");
    let expected = [("load", "ran"), ("gather", "ran"), ("search", "ran"), ("permute", "ran"), ("write", "ran")];
    assert_eq!(statuses(big), expected);
    for stage in big["stages"].as_array().unwrap() {
        assert_eq!(keys(stage), ["stage", "status", "seconds", "key", "digest", "reason"]);
        assert!(stage["seconds"].as_f64().unwrap() >= 0.0);
        assert_eq!((stage["key"].as_str().unwrap().len(), stage["digest"].as_str().unwrap().len()), (64, 64));
        assert_eq!(keys(&stage["reason"]), ["kind", "name", "old", "new"]);
    }
    assert_eq!(net(&report, "plain")["zero_blocks"], Value::Null);

    let status = project.nnue(&["status", "--json"]).ok().json();
    assert!(statuses(net(&status, "big")).iter().all(|(_, status)| *status == "fresh"), "{status}");
    assert_eq!(net(&status, "big")["outputs"], big["outputs"]);
    project.manifest(&MANIFEST.replace("positions = 100", "positions = 120"));
    let status = project.nnue(&["status", "big", "--json"]).ok().json();
    let gather = &net(&status, "big")["stages"][1];
    assert_eq!((&gather["status"], &gather["seconds"], &gather["digest"]), (&"stale".into(), &Value::Null, &Value::Null));
    assert_eq!(gather["reason"], serde_json::json!({"kind": "param_changed", "name": "positions", "old": "100", "new": "120"}));
    let text = project.nnue(&["status"]).ok().out;
    assert!(text.contains("`positions` changed: 100 → 120") && text.contains("plain: fresh"), "{text}");
}

#[test]
fn dry_run_force_and_names() {
    let project = Project::new();
    let dry = project.nnue(&["build", "--dry-run"]).ok();
    assert!(dry.out.contains("big: stale") && dry.out.contains("never built before"), "{}", dry.out);
    assert!(!project.path.join(".nnue").exists() && !project.path.join("dist").exists());

    let one = project.nnue(&["build", "plain", "--json"]).ok().json();
    assert_eq!(one["nets"].as_array().unwrap().len(), 1);
    assert!(project.path.join("plain.nnue").exists() && !project.path.join("latest.nnue").exists());
    project.nnue(&["build", "huge"]).fails(2, &["no net `huge`", "big, plain"]);

    project.nnue(&["build"]).ok();
    let before = project.sha256("latest.nnue");
    let forced = project.nnue(&["build", "--force", "--json"]).ok().json();
    assert!(statuses(net(&forced, "big")).iter().all(|(_, status)| *status == "ran"), "{forced}");
    assert_eq!(net(&forced, "big")["stages"][1]["reason"]["kind"], "forced");
    assert_eq!(project.sha256("latest.nnue"), before);
}

#[test]
fn threads_and_backends_change_no_byte() {
    let project = Project::new();
    let mut seen = Vec::new();
    for jobs in ["1", "2", "7"] {
        project.nnue(&["build", "--force", "-j", jobs, "--backend", "cpu"]).ok();
        seen.push((project.sha256("latest.nnue"), project.sha256("plain.nnue"), project.sha256("nnue.lock")));
    }
    assert!(seen.iter().all(|each| *each == seen[0]), "{seen:?}");
    project.nnue(&["build", "-j", "0"]).fails(2, &["-j", "0"]);
}

#[test]
fn one_bad_net_stops_the_build_unless_told_to_keep_going() {
    let project = Project::new();
    project.manifest(&format!("{MANIFEST}\n[net.aaa]\nsource = \"missing.nnue\"\noutputs = [\"aaa.nnue\"]\n"));
    let stopped = project.nnue(&["build"]);
    assert_eq!(stopped.code, 1);
    assert!(stopped.err.contains("missing.nnue") && stopped.err.contains("nnue.toml:"), "{}", stopped.transcript());
    assert!(stopped.out.contains("big: not built, because another net failed"), "{}", stopped.transcript());
    assert!(!project.path.join("plain.nnue").exists());

    let going = project.nnue(&["build", "--keep-going", "--json"]);
    assert_eq!(going.code, 1);
    let report = going.json();
    assert_eq!((&net(&report, "big")["status"], &net(&report, "plain")["status"]), (&"built".into(), &"built".into()));
    assert_eq!(net(&report, "aaa")["status"], "failed");
    assert!(net(&report, "aaa")["error"].as_str().unwrap().contains("missing.nnue"));
    let lock = std::fs::read_to_string(project.path.join("nnue.lock")).unwrap();
    assert!(lock.contains("\"big\"") && lock.contains("\"plain\"") && !lock.contains("\"aaa\""), "{lock}");
}

#[test]
fn what_the_manifest_says_of_a_source_is_checked_and_shown_where_it_stands() {
    let project = Project::new();
    for (line, parts) in [
        ("l1 = 128", ["L1=64 in the file, 128 expected", "l1 = 128"]),
        ("l2 = 16", ["L2=15 in the file, 16 expected", "l2 = 16"]),
        ("features = \"HalfKP\"", ["features=`HalfKAv2_hm` in the file, `HalfKP` expected", "features = \"HalfKP\""]),
        ("architecture = \"SFNNv10b\"", ["SFNNv10b expected", "architecture = \"SFNNv10b\""]),
    ] {
        project.manifest(&MANIFEST.replace("path = \"run.nnue\"\n", &format!("path = \"run.nnue\"\n{line}\n")));
        let ran = project.nnue(&["build"]);
        assert_eq!(ran.code, 1, "{}", ran.transcript());
        for part in parts.into_iter().chain(["run.nnue", "nnue.toml:", "help: correct or remove", "HalfKAv2_hm"]) {
            assert!(ran.err.contains(part), "`{part}` is missing:\n{}", ran.transcript());
        }
        assert!(!project.path.join("plain.nnue").exists() && !project.path.join("nnue.lock").exists());
    }
    project.manifest(MANIFEST);
    let ran = project.nnue(&["build", "--set", "source.run.l1=32", "--json"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("L1=64 in the file, 32 expected") && ran.err.contains("source.run.l1=32"), "{}", ran.transcript());
    let error = net(&ran.json(), "big")["error"].as_str().unwrap().to_owned();
    assert!(error.contains("L1=64 in the file, 32 expected"), "{error}");
}

#[test]
fn a_source_that_is_no_network_is_called_what_it_is() {
    let project = Project::new();
    let whole = project.bytes("run.nnue");
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";
    let cases: [(&[u8], &str); 5] = [
        (b"<!DOCTYPE html>\n<html><body>404</body></html>\n", "HTML"),
        (pointer, "git-lfs"),
        (b"", "empty"),
        (&whole[..whole.len() / 2], "truncated at byte"),
        (&[0xAB; 5000], "ab ab ab"),
    ];
    for (bytes, part) in cases {
        std::fs::write(project.path.join("run.nnue"), bytes).unwrap();
        let ran = project.nnue(&["build"]);
        assert_eq!(ran.code, 1, "{}", ran.transcript());
        assert!(ran.err.contains(part) && ran.err.contains("run.nnue"), "`{part}`: {}", ran.transcript());
        assert!(!project.path.join("plain.nnue").exists());
    }
    std::fs::remove_file(project.path.join("run.nnue")).unwrap();
    let ran = project.nnue(&["build"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("run.nnue") && ran.err.contains("nnue.toml:"), "{}", ran.transcript());
    std::fs::create_dir(project.path.join("run.nnue")).unwrap();
    let ran = project.nnue(&["build"]);
    assert!(ran.code == 1 && ran.err.contains("run.nnue"), "{}", ran.transcript());
}

#[test]
fn mistakes_in_the_manifest_are_shown_all_at_once() {
    let empty = tempfile::tempdir().unwrap();
    nnue(empty.path(), ["build"]).fails(2, &["no `nnue.toml`", "-f FILE"]);
    nnue(empty.path(), ["build", "-f", "other.toml"]).fails(2, &["other.toml"]);
    nnue(empty.path(), ["-C", "nowhere", "build"]).fails(2, &["nowhere"]);
    let project = Project::new();
    project.manifest(&MANIFEST.replace("positions = 100", "postions = 100").replace("compression = \"none\"", "compression = \"zip\""));
    project.nnue(&["build"]).fails(2, &["postions", "positions", "zip", "leb128", "nnue.toml:"]);
    project.manifest("version = 1\n[net.a\n");
    project.nnue(&["status"]).fails(2, &["nnue.toml:2"]);
}

#[test]
fn values_of_the_manifest_can_be_replaced_on_the_command_line() {
    let project = Project::new();
    let report = project.nnue(&["build", "big", "--json", "--set", "net.big.optimize.positions=50"]).ok().json();
    assert_eq!(net(&report, "big")["zero_blocks"]["positions"], 50);
    let report = project.nnue(&["status", "big", "--json"]).ok().json();
    assert_eq!(net(&report, "big")["stages"][1]["reason"]["old"], "50");
    project.nnue(&["build", "--set", "net.big.optimize.positions=many"]).fails(2, &["--set", "positions"]);
    project.nnue(&["build", "--set", "net.big.optimise.positions=5"]).fails(2, &["optimise"]);
    let ran = project.nnue(&["build", "--set", "net.big.optimize.positions=5000"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("5000") && ran.err.contains("300"), "{}", ran.transcript());
}

#[test]
fn the_manifest_is_found_from_below_and_by_name() {
    let project = Project::new();
    std::fs::create_dir_all(project.path.join("sub/below")).unwrap();
    nnue(&project.path.join("sub/below"), ["build", "plain"]).ok();
    assert!(project.path.join("plain.nnue").exists());
    let parent = project.path.parent().unwrap();
    for args in [["-C", "project", "build"].as_slice(), &["-f", "project/nnue.toml", "build"], &["build", "-f", "project/nnue.toml"]] {
        nnue(parent, args).ok();
    }
    let report = nnue(parent, ["status", "--json", "-f", "project/nnue.toml"]).ok().json();
    assert_eq!((&net(&report, "big")["status"], &net(&report, "plain")["status"]), (&"fresh".into(), &"fresh".into()));
}

#[test]
fn the_cache_can_be_elsewhere_and_its_results_serve_other_projects() {
    let (one, two) = (Project::new(), Project::in_folder("other project"));
    let cache = tempfile::tempdir().unwrap();
    let build = |project: &Project| {
        let output = cli_support::command(&project.path).env("NNUE_CACHE_DIR", cache.path()).args(["build", "--json"]).output().unwrap();
        assert!(output.status.success());
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let first = build(&one);
    assert!(cache.path().join("CACHEDIR.TAG").exists() && !one.path.join(".nnue/cache").exists());
    let second = build(&two);
    let expected = [("load", "cached"), ("gather", "cached"), ("search", "cached"), ("permute", "cached"), ("write", "ran")];
    assert_eq!(statuses(net(&second, "big")), expected);
    assert_eq!(net(&first, "big")["outputs"], net(&second, "big")["outputs"]);
}

#[test]
fn a_cache_that_cannot_be_written_costs_one_warning() {
    let project = Project::new();
    std::fs::write(project.path.join("occupied"), "a file where the folder should be").unwrap();
    let build = || {
        let output = cli_support::command(&project.path).env("NNUE_CACHE_DIR", "occupied/cache").arg("build").output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, err) = build();
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(err.matches("warning:").count(), 1, "{err}");
    let sha256 = project.sha256("latest.nnue");
    let (code, err) = build();
    assert!(code == Some(0) && err.matches("warning:").count() == 1, "{err}");
    assert_eq!(project.sha256("latest.nnue"), sha256);
}

#[test]
fn a_place_where_nothing_can_be_remembered_costs_warnings() {
    let project = Project::new();
    std::fs::write(project.path.join(".nnue"), "a file where the folder should be").unwrap();
    for _ in 0..2 {
        let ran = project.nnue(&["build"]).ok();
        assert!(ran.err.contains("not stored in the cache") && ran.err.contains("this build is not remembered"), "{}", ran.err);
        assert!(ran.err.matches("warning:").count() <= 3, "{}", ran.err);
    }
    project.nnue(&["verify"]).ok();
    project.nnue(&["build", "--locked"]).ok();
}

#[test]
fn a_sweep_builds_a_net_for_each_file_and_later_only_the_new_one() {
    let project = Project::new();
    std::fs::create_dir(project.path.join("runs")).unwrap();
    for epoch in 1..=3 {
        write_net(&project.path.join(format!("runs/epoch={epoch}.nnue")), "small", 16, epoch);
    }
    project.manifest(
        "version = 1\n[net.\"nightly/{stem}\"]\nsource = { glob = \"runs/epoch=*.nnue\" }\ncompression = \"none\"\noutputs = [\"nightly/{stem}.nnue\"]\n",
    );
    project.nnue(&["build"]).ok();
    assert_eq!(names(&project.path.join("nightly")), ["epoch=1.nnue", "epoch=2.nnue", "epoch=3.nnue"]);
    write_net(&project.path.join("runs/epoch=4.nnue"), "small", 16, 4);
    let report = project.nnue(&["build", "--json"]).ok().json();
    let ran: Vec<&str> =
        report["nets"].as_array().unwrap().iter().filter(|net| net["status"] == "built").map(|net| net["net"].as_str().unwrap()).collect();
    assert_eq!(ran, ["nightly/epoch=4"]);
    let one = project.nnue(&["status", "nightly/epoch=2", "--json"]).ok().json();
    assert_eq!(one["nets"].as_array().unwrap().len(), 1);
    assert_eq!(project.nnue(&["status", "nightly/{stem}", "--json"]).ok().json()["nets"].as_array().unwrap().len(), 4);
    std::fs::remove_file(project.path.join("runs/epoch=1.nnue")).unwrap();
    project.nnue(&["build"]).ok();
    assert!(!std::fs::read_to_string(project.path.join("nnue.lock")).unwrap().contains("epoch=1"));
}

#[test]
fn checkpoints_in_a_sweep_give_the_bytes_of_the_trainer() {
    let Some(golden) = common::golden() else { return };
    let golden = golden.join("public/A_seed/HalfKAv2_hm_fact_L32");
    let project = Project::new();
    std::fs::create_dir(project.path.join("runs")).unwrap();
    std::fs::write(project.path.join("runs/epoch=1.ckpt"), common::read_maybe_xz(&golden.join("net.ckpt"))).unwrap();
    std::fs::write(project.path.join("runs/epoch=2.pt"), common::read_maybe_xz(&golden.join("net.pt"))).unwrap();
    project.manifest(
        "version = 1\n[net.\"{stem}\"]\nsource = { glob = \"runs/epoch=*\", features = \"HalfKAv2_hm^\", quantization = \"ft255\" }\noutputs = [\"{stem}.nnue\"]\n",
    );
    let ran = project.nnue(&["build", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.transcript());
    let expected = common::json(&golden.join("manifest.json"))["outputs"]["ckpt_to_nnue_leb128"]["sha256"].clone();
    for name in ["epoch=1", "epoch=2"] {
        assert_eq!(project.sha256(&format!("{name}.nnue")), expected, "{name}");
        let report = ran.json();
        let stages: Vec<&str> = statuses(net(&report, name)).into_iter().map(|(stage, _)| stage).collect();
        assert_eq!(stages, ["load", "coalesce", "quantize", "write"]);
    }
    assert_eq!(project.nnue(&["build", "--json"]).ok().json()["nets"][0]["status"], "fresh");
}

#[test]
fn spaces_letters_and_links_in_paths_change_neither_keys_nor_bytes() {
    let (plain, odd) = (Project::new(), Project::in_folder("a böx, with späces/„网络“ #1"));
    let first = plain.nnue(&["build", "--json"]).ok().json();
    let second = odd.nnue(&["build", "--json"]).ok().json();
    let facts = |report: &Value| {
        let stages = net(report, "big")["stages"].as_array().unwrap().clone();
        let keys: Vec<Value> = stages.iter().flat_map(|stage| [stage["key"].clone(), stage["digest"].clone()]).collect();
        (keys, net(report, "big")["outputs"].clone())
    };
    assert_eq!(facts(&first), facts(&second));
    assert_eq!(plain.bytes("nnue.lock"), odd.bytes("nnue.lock"));
    let link = plain.path.with_file_name("link");
    std::os::unix::fs::symlink(&plain.path, &link).unwrap();
    let third = nnue(&link, ["build", "--json"]).ok().json();
    assert_eq!(net(&third, "big")["status"], "fresh");
    assert_eq!(facts(&first), facts(&third));
    std::fs::rename(plain.path.join("run.nnue"), plain.path.join("real.nnue")).unwrap();
    std::os::unix::fs::symlink("real.nnue", plain.path.join("run.nnue")).unwrap();
    assert_eq!(net(&plain.nnue(&["build", "--json"]).ok().json(), "big")["status"], "fresh");
}

#[test]
fn a_locked_build_changes_nothing_and_says_what_it_would_change() {
    let project = Project::new();
    project.nnue(&["build", "--locked"]).fails(3, &["net `big` is not locked", "net `plain` is not locked", "`nnue.lock` would change"]);
    assert!(!project.path.join("plain.nnue").exists(), "nothing runs");
    project.nnue(&["build"]).ok();
    let (lock, latest) = (project.bytes("nnue.lock"), project.sha256("latest.nnue"));
    project.nnue(&["build", "--locked"]).ok();
    std::fs::remove_file(project.path.join("latest.nnue")).unwrap();
    project.nnue(&["build", "--locked"]).ok();
    assert_eq!(project.sha256("latest.nnue"), latest);

    // Another input: nothing runs.
    let source = project.bytes("run.nnue");
    let new = write_net(&project.path.join("run.nnue"), "small", 64, 6);
    project.nnue(&["build", "--locked"]).fails(3, &["input `run.nnue`", &common::sha256(&source), &common::sha256(&new)]);
    assert_eq!(project.sha256("latest.nnue"), latest);
    std::fs::write(project.path.join("run.nnue"), &source).unwrap();

    // Another output from the same inputs.
    project.manifest(&MANIFEST.replace("first", "second"));
    let ran = project.nnue(&["build", "--locked"]).fails(3, &["output `latest.nnue`", &latest]);
    assert!(!ran.err.contains("net `plain`"), "{}", ran.err);
    assert_eq!(project.bytes("nnue.lock"), lock);
    assert_eq!(project.sha256("latest.nnue"), latest, "a locked build leaves the published file alone");
}

#[test]
fn a_frozen_build_writes_nothing_into_the_cache() {
    let project = Project::new();
    project.nnue(&["build"]).ok();
    std::fs::remove_file(project.path.join("latest.nnue")).unwrap();
    let cached = |project: &Project| {
        let mut found: Vec<PathBuf> = Vec::new();
        let mut folders = vec![project.path.join(".nnue/cache")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { found.push(path) }
            }
        }
        found.sort();
        found.into_iter().map(|path| (std::fs::metadata(&path).unwrap().modified().unwrap(), path)).collect::<Vec<_>>()
    };
    let before = cached(&project);
    project.nnue(&["build", "--frozen"]).ok();
    assert!(project.path.join("latest.nnue").exists());
    assert_eq!(cached(&project), before);
    std::fs::remove_dir_all(project.path.join(".nnue")).unwrap();
    project.nnue(&["build", "--frozen", "--json"]).ok();
    assert!(!project.path.join(".nnue/cache").exists());
}

/// Starts the binary, and sends it a signal once `when` says so.
fn interrupted(project: &Project, args: &[&str], when: impl Fn(&Path) -> bool) -> std::process::Output {
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("nnue"));
    command.current_dir(&project.path).args(args).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let child = command.spawn().unwrap();
    let start = Instant::now();
    while !when(&project.path) && start.elapsed() < Duration::from_secs(120) {
        std::thread::sleep(Duration::from_millis(2));
    }
    // It may have ended by itself: then there is nobody to get the signal.
    let _ = std::process::Command::new("sh").arg("-c").arg(format!("kill -INT {}", child.id())).status().unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn an_interrupted_build_leaves_nothing_half_done() {
    let project = Project::new();
    let endless = MANIFEST.replace("positions = 100", "positions = 100\nalgorithm = \"anneal\"\nmoves = 1_000_000_000_000");
    project.manifest(&endless);
    let is_searching = |path: &Path| {
        let blobs =
            std::fs::read_dir(path.join(".nnue/cache/v1/cas")).map(|shards| shards.flatten().filter(|shard| shard.path().is_dir()).count());
        blobs.is_ok_and(|count| count >= 1)
    };
    let output = interrupted(&project, &["build", "big"], is_searching);
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{err}");
    assert!(err.contains("interrupted"), "{err}");
    assert!(!project.path.join("latest.nnue").exists() && !project.path.join("nnue.lock").exists());
    assert_eq!(temporary(&project.path), Vec::<PathBuf>::new());

    project.manifest(MANIFEST);
    let other = Project::new();
    other.nnue(&["build"]).ok();
    for delay in [0, 5, 20, 60, 150] {
        let start = Instant::now();
        let output = interrupted(&project, &["build"], |_| start.elapsed() >= Duration::from_millis(delay));
        assert!(matches!(output.status.code(), Some(0 | 130) | None), "{output:?}");
        if output.status.code().is_some() {
            assert_eq!(temporary(&project.path), Vec::<PathBuf>::new(), "after {delay} ms");
        }
    }
    project.nnue(&["build"]).ok();
    for name in ["latest.nnue", "plain.nnue", "nnue.lock"] {
        assert_eq!(project.bytes(name), other.bytes(name), "{name}");
    }
}

#[test]
fn explain_shows_what_a_key_is_made_of_and_what_changed() {
    let project = Project::new();
    project.nnue(&["build"]).ok();
    let text = project.nnue(&["explain", "big"]).ok().out;
    for part in
        ["load", "gather", "search", "permute", "write", "positions = 100", "(`run.nnue`)", "(`positions.fen`)", "description = \"first\""]
    {
        assert!(text.contains(part), "`{part}` is missing: {text}");
    }
    assert!(!text.contains("changed"), "{text}");
    let status = project.nnue(&["status", "big", "--json"]).ok().json();
    let record = project.nnue(&["explain", "big", "--json"]).ok().json();
    assert_eq!(keys(&record), ["schema", "net", "tool", "key_schema", "stages", "gone"]);
    for (stage, of_status) in record["stages"].as_array().unwrap().iter().zip(status["nets"][0]["stages"].as_array().unwrap()) {
        assert_eq!(keys(stage), ["stage", "status", "key", "preimage", "digest", "files", "reason", "changes"]);
        assert_eq!((&stage["key"], &stage["digest"]), (&of_status["key"], &of_status["digest"]));
        assert_eq!(keys(&stage["preimage"]), ["inputs", "key_schema", "params", "stage", "stage_version"]);
    }

    project.manifest(&MANIFEST.replace("positions = 100", "positions = 120\nseed = 7").replace("first", "second"));
    let record = project.nnue(&["explain", "big", "--json"]).ok().json();
    let changes = |stage: usize| record["stages"][stage]["changes"].as_array().unwrap().clone();
    let names: Vec<Value> = changes(1).iter().map(|change| change["name"].clone()).collect();
    assert_eq!(names, ["positions", "seed", "held_out"], "all of them, not only the first");
    assert_eq!(changes(0), Vec::<Value>::new());
    assert_eq!(changes(2)[0]["kind"], "upstream_stale");
    assert_eq!(record["stages"][2]["key"], Value::Null);
    assert_eq!((&changes(4)[0]["old"], &changes(4)[0]["new"]), (&"first".into(), &"second".into()));
    let text = project.nnue(&["explain", "big"]).ok().out;
    assert!(text.contains("since the last build: `seed` changed: 0 → 7"), "{text}");
    assert!(!project.path.join("latest.nnue").with_extension("tmp").exists());
    project.nnue(&["explain", "huge"]).fails(2, &["no net `huge`"]);
}

#[test]
fn explain_says_why_a_stage_cannot_run() {
    let project = Project::new();
    std::fs::remove_file(project.path.join("run.nnue")).unwrap();
    let ran = project.nnue(&["explain", "big"]);
    assert_eq!(ran.code, 1, "{}", ran.out);
    let line = ran.out.lines().find(|line| line.trim_start().starts_with("load")).unwrap();
    assert!(line.contains("failed: cannot") && line.contains("run.nnue") && line.contains("No such file"), "{line}");
    let json = project.nnue(&["explain", "big", "--json"]);
    let reason = &serde_json::from_str::<Value>(&json.out).unwrap()["stages"][0]["reason"];
    assert_eq!(reason["kind"], "failed");
    assert!(line.ends_with(reason["name"].as_str().unwrap()), "{line}: {reason}");
}

#[test]
fn explain_compares_with_the_record_of_another_machine() {
    let (here, there) = (Project::new(), Project::in_folder("there"));
    let record = here.path.join("record.json");
    let take = |project: &Project| std::fs::write(&record, project.nnue(&["explain", "big", "--json"]).ok().out).unwrap();
    let compare = || here.nnue(&["explain", "big", "--json", "--against", "record.json"]).ok().json();
    here.nnue(&["build"]).ok();
    there.nnue(&["build"]).ok();
    take(&there);
    let kinds = |report: &Value| -> Vec<String> {
        let stages = report["stages"].as_array().unwrap();
        stages
            .iter()
            .flat_map(|stage| stage["changes"].as_array().unwrap())
            .map(|change| change["kind"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(kinds(&compare()), Vec::<String>::new());

    write_fens(&there.path.join("positions.fen"), 10, 300);
    there.nnue(&["build"]).ok();
    take(&there);
    let report = compare();
    assert_eq!(report["stages"][1]["changes"][0]["kind"], "input_changed");
    assert_eq!(report["stages"][1]["changes"][0]["name"], "positions.fen");

    // The same key with another result: a machine that computes wrongly, or a bug.
    take(&here);
    let mut altered: Value = serde_json::from_str(&std::fs::read_to_string(&record).unwrap()).unwrap();
    altered["stages"][1]["digest"] = "00".repeat(32).into();
    std::fs::write(&record, altered.to_string()).unwrap();
    assert_eq!(kinds(&compare()), ["result_changed"]);
    let text = here.nnue(&["explain", "big", "--against", "record.json"]).ok().out;
    assert!(text.contains("since the record: the same inputs and parameters gave another result: 000000000000 → "), "{text}");

    std::fs::write(&record, "{}").unwrap();
    here.nnue(&["explain", "big", "--against", "record.json"]).fails(2, &["record.json", "nnue explain NET --json"]);
    here.nnue(&["explain", "big", "--against", "missing.json"]).fails(2, &["missing.json"]);
}

/// All files of a project with their times and content.
fn snapshot(folder: &Path) -> Vec<(PathBuf, std::time::SystemTime, String)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let digest = common::sha256(&std::fs::read(&path).unwrap());
                found.push((path.clone(), std::fs::metadata(&path).unwrap().modified().unwrap(), digest));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn verify_compares_published_files_with_the_lock() {
    let project = Project::new();
    let ran = project.nnue(&["verify"]);
    assert!(ran.code == 3 && ran.out.contains("big: not locked: `nnue.lock` does not have it"), "{}", ran.transcript());
    project.nnue(&["build", "big"]).ok();
    let ran = project.nnue(&["verify"]);
    assert!(ran.code == 3 && ran.out.contains("big: as locked") && ran.out.contains("nnue build plain"), "{}", ran.transcript());
    for args in [&["verify", "--json"][..], &["verify", "--json", "--rebuild"]] {
        let ran = project.nnue(args);
        let report = ran.json();
        let of = |index: usize| (report["nets"][index]["same"].clone(), report["nets"][index]["locked"].clone());
        assert_eq!((ran.code, of(0), of(1)), (3, (true.into(), true.into()), (false.into(), false.into())), "{report}");
    }
    assert_eq!(project.nnue(&["verify", "big"]).ok().out, "big: as locked\n");
    project.nnue(&["build"]).ok();
    project.nnue(&["verify"]).ok();

    let (whole, locked) = (project.bytes("latest.nnue"), project.sha256("latest.nnue"));
    let mut changed = whole.clone();
    changed[2000] ^= 1;
    std::fs::write(project.path.join("latest.nnue"), &changed).unwrap();
    let ran = project.nnue(&["verify"]);
    assert_eq!(ran.code, 3, "{}", ran.transcript());
    let found = common::sha256(&changed);
    assert!(ran.out.contains(&format!("`latest.nnue`: sha256 {locked} is locked, the file has {found}")), "{}", ran.out);
    assert!(ran.out.contains("plain: as locked"), "{}", ran.out);
    let report = project.nnue(&["verify", "--json"]).json();
    assert_eq!((&report["nets"][0]["same"], &report["nets"][1]["same"]), (&false.into(), &true.into()));
    assert_eq!(report["nets"][0]["outputs"][1], serde_json::json!({"path": "latest.nnue", "locked": locked, "found": found}));
    std::fs::remove_file(project.path.join("latest.nnue")).unwrap();
    let ran = project.nnue(&["verify", "big"]);
    assert!(ran.code == 3 && ran.out.contains("`latest.nnue` (sha256 ") && ran.out.contains("is not there"), "{}", ran.transcript());
    std::fs::write(project.path.join("latest.nnue"), &whole).unwrap();
    project.manifest(&MANIFEST.replace("\"latest.nnue\"", "\"latest.nnue\", \"third.nnue\""));
    let ran = project.nnue(&["verify", "big"]);
    assert!(ran.code == 3 && ran.out.contains("`third.nnue` is an output of the manifest and not locked"), "{}", ran.transcript());
}

#[test]
fn verify_misses_nets_that_only_the_lock_has() {
    let project = Project::new();
    project.nnue(&["build"]).ok();
    let (without, _) = MANIFEST.split_once("[net.plain]").unwrap();
    project.manifest(without);
    let ran = project.nnue(&["verify"]);
    assert!(ran.code == 3 && ran.out.contains("plain: `nnue.lock` has it, the manifest has it no more"), "{}", ran.transcript());
    assert_eq!(project.nnue(&["verify", "--json"]).json()["gone"], serde_json::json!(["plain"]));
    project.nnue(&["verify", "big"]).ok();
}

#[test]
fn verify_tells_changed_inputs_which_are_no_difference() {
    let project = Project::new();
    project.nnue(&["build"]).ok();
    write_net(&project.path.join("run.nnue"), "small", 64, 8);
    let ran = project.nnue(&["verify", "plain"]).ok();
    assert!(ran.out.starts_with("plain: as locked\n  note: input `run.nnue`: sha256 "), "{}", ran.out);
}

#[test]
fn verify_holds_a_damaged_or_missing_file_against_the_rebuilt_one() {
    let project = Project::new();
    project.nnue(&["build"]).ok();
    let whole = project.bytes("plain.nnue");
    // A weight of the first layer of the last stack: it parses, and means something else.
    let mut changed = whole.clone();
    let place = changed.len() - 40;
    changed[place] ^= 1;
    std::fs::write(project.path.join("plain.nnue"), &changed).unwrap();
    let ran = project.nnue(&["verify", "plain", "--rebuild"]);
    assert_eq!(ran.code, 3, "{}", ran.transcript());
    let parts = format!("they part at byte {place}");
    for part in ["`plain.nnue` built again: the locked bytes", &parts, "values differ", "built again with the locked bytes"] {
        assert!(ran.out.contains(part), "`{part}` is missing: {}", ran.transcript());
    }
    assert!(!ran.out.contains("another result than"), "{}", ran.out);
    let report = project.nnue(&["verify", "plain", "--rebuild", "--json"]).json();
    let difference = &report["nets"][0]["differences"][0];
    assert_eq!((&difference["as_locked"], &difference["bytes"]["first"]), (&true.into(), &place.into()));
    assert_eq!(difference["comparison"]["relation"], "different");

    std::fs::write(project.path.join("plain.nnue"), &whole[..whole.len() / 2]).unwrap();
    let ran = project.nnue(&["verify", "plain", "--rebuild"]);
    assert!(ran.code == 3 && ran.out.contains("they cannot be compared as networks: "), "{}", ran.transcript());

    std::fs::remove_file(project.path.join("plain.nnue")).unwrap();
    let ran = project.nnue(&["verify", "plain", "--rebuild"]);
    assert!(ran.code == 3 && ran.out.contains("built again with the locked bytes"), "{}", ran.transcript());

    // All stages are as recorded, and the lock tells of something else.
    project.nnue(&["build"]).ok();
    let lock = String::from_utf8(project.bytes("nnue.lock")).unwrap();
    std::fs::write(project.path.join("nnue.lock"), lock.replace(&project.sha256("plain.nnue"), &"0".repeat(64))).unwrap();
    let ran = project.nnue(&["verify", "plain", "--rebuild"]);
    assert!(ran.code == 3 && ran.out.contains("all stages gave the results that the last build recorded"), "{}", ran.transcript());
    assert!(ran.out.contains("the published file has the rebuilt bytes"), "{}", ran.out);
}

#[test]
fn verify_builds_again_from_nothing_and_says_what_differs() {
    let project = Project::new();
    project.nnue(&["build"]).ok();
    let before = snapshot(&project.path);
    let ran = project.nnue(&["verify", "--rebuild"]).ok();
    assert_eq!(ran.out.matches("built again with the same bytes").count(), 2, "{}", ran.out);
    assert_eq!(snapshot(&project.path), before, "nothing in the project changes");

    // Another choice of positions gives another order of the same neurons.
    project.manifest(&MANIFEST.replace("positions = 100", "positions = 100\nseed = 3"));
    let ran = project.nnue(&["verify", "big", "--rebuild"]);
    assert_eq!(ran.code, 3, "{}", ran.transcript());
    for part in ["`latest.nnue` built again: sha256 ", "another result than in the last build is gather", "equal up to a permutation"] {
        assert!(ran.out.contains(part), "`{part}` is missing: {}", ran.transcript());
    }
    let report = project.nnue(&["verify", "big", "--rebuild", "--json"]).json();
    let big = &report["nets"][0];
    assert_eq!((&big["same"], &big["rebuilt"]["first_different_stage"]), (&false.into(), &"gather".into()));
    assert_eq!(big["differences"].as_array().unwrap().len(), 2);
    assert_eq!(big["differences"][1]["comparison"]["relation"], "equal_up_to_permutation");

    project.manifest(MANIFEST);
    write_net(&project.path.join("run.nnue"), "small", 64, 8);
    let ran = project.nnue(&["verify", "plain", "--rebuild"]);
    assert!(ran.code == 3 && ran.out.contains("input `run.nnue`: sha256 "), "{}", ran.transcript());
    assert!(ran.out.contains("ft.bias") && ran.out.contains("values differ"), "{}", ran.out);
    std::fs::remove_file(project.path.join("run.nnue")).unwrap();
    let ran = project.nnue(&["verify", "plain", "--rebuild"]);
    assert!(ran.code == 1 && ran.out.contains("cannot be built again") && ran.out.contains("run.nnue"), "{}", ran.transcript());
    assert!(!ran.out.contains("the first stage with another result"), "a stage that did not run differs from nothing: {}", ran.out);
}

/// A file that could not be written leaves a gap in the list of those that were, which must not shift the others.
#[test]
fn what_was_built_again_is_told_by_its_path_where_another_file_failed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nnue.toml");
    write_net(&folder.path().join("run.nnue"), "small", 64, 5);
    std::fs::write(
        &path,
        "version = 1\n[source.run]\npath = \"run.nnue\"\nquantization = \"ft127\"\n[net.one]\nsource = \"run\"\noutputs = [\"one.pt\", \"one.nnue\", \"dist/\"]\n",
    )
    .unwrap();
    let vocabulary = nnue::manifest::Vocabulary { architectures: &nnue::net::generation_names(), ..Default::default() };
    let manifest = nnue::manifest::load(&path, &[], &vocabulary).unwrap();
    let nets: Vec<_> = manifest.nets.iter().collect();
    let below = tempfile::tempdir().unwrap();
    // In the place of the first output.
    std::fs::create_dir_all(below.path().join("0/0/one.pt/in the way")).unwrap();
    let ctx = nnue::ctx::Ctx::silent();
    let rebuilt = nnue::build::rebuild(&manifest, &nets, below.path(), &nnue::build::Options::default(), &ctx).unwrap();
    assert!(rebuilt[0].error.is_some());
    let names: Vec<&str> = rebuilt[0].outputs.iter().map(|file| file.path.as_str()).collect();
    assert!(names.len() == 2 && names[0] == "one.nnue" && names[1].starts_with("dist/nn-"), "{names:?}");
    for file in &rebuilt[0].outputs {
        assert_eq!(common::sha256(&std::fs::read(&file.place).unwrap()), file.sha256, "{}", file.path);
    }
}

#[test]
fn the_cache_says_what_it_holds_lets_go_of_the_rest_and_is_checked() {
    let project = Project::new();
    nnue(project.path.parent().unwrap(), ["cache", "stats"]).fails(2, &["no `nnue.toml`"]);
    assert_eq!(project.nnue(&["cache", "stats", "--json"]).ok().json()["records"], 0);
    project.nnue(&["build"]).ok();
    let stats = project.nnue(&["cache", "stats", "--json"]).ok().json();
    assert_eq!((&stats["schema"], &stats["blobs"], &stats["roots"]), (&1.into(), &2.into(), &1.into()));
    assert_eq!(keys(&stats["by_stage"]), ["gather", "load", "permute", "search", "write"]);
    let text = project.nnue(&["cache", "stats"]).ok().out;
    assert!(text.contains("gather") && text.contains("artifacts"), "{text}");

    // All that the last build needs stays.
    let gc = project.nnue(&["cache", "gc", "--max-size", "0", "--unreachable", "--grace", "0s", "--json"]).ok().json();
    assert_eq!((&gc["removed_blobs"], &gc["blobs"], &gc["over_limit"]), (&0.into(), &2.into(), &true.into()));
    project.nnue(&["build", "--set", "net.big.optimize.positions=50"]).ok();
    let dry = project.nnue(&["cache", "gc", "--unreachable", "--grace", "0s", "--dry-run", "--json"]).ok().json();
    assert_eq!((&dry["removed_blobs"], &dry["blobs"]), (&2.into(), &2.into()));
    assert_eq!(project.nnue(&["cache", "gc", "--unreachable", "--json"]).ok().json()["removed_blobs"], 0, "younger than an hour");
    let gc = project.nnue(&["cache", "gc", "--unreachable", "--grace", "0s"]).ok();
    assert!(gc.out.contains("removed 2 artifacts"), "{}", gc.out);
    project.nnue(&["cache", "gc", "--max-size", "lots"]).fails(2, &["--max-size", "20G"]);

    assert!(project.nnue(&["cache", "verify"]).ok().out.contains("all is whole"));
    let blob = snapshot(&project.path.join(".nnue/cache/v1/cas")).remove(0).0;
    let mut bytes = std::fs::read(&blob).unwrap();
    bytes[10] ^= 1;
    std::fs::remove_file(&blob).unwrap();
    std::fs::write(&blob, bytes).unwrap();
    let ran = project.nnue(&["cache", "verify"]);
    assert!(ran.code == 1 && ran.out.contains("damaged and removed: "), "{}", ran.transcript());
    assert!(project.nnue(&["cache", "verify"]).ok().out.contains("1 records lack their artifact"));

    // With a folder of its own it needs no manifest.
    let output = cli_support::command(project.path.parent().unwrap())
        .env("NNUE_CACHE_DIR", project.path.join(".nnue/cache"))
        .args(["cache", "stats", "--json"])
        .output()
        .unwrap();
    assert!(output.status.success());
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap()["blobs"], 1);
}

/// Two nets of the same bytes, of which one may not be written: the other is built and locked.
#[test]
fn a_net_does_not_fail_for_the_place_of_another() {
    let project = Project::new();
    let net = |name: &str, more: &str| format!("[net.{name}]\nsource = \"run.nnue\"\n{more}\n");
    let refused = "outputs = [\"o/nn-000000000000.nnue\"]\npublish = \"fishtest\"\nlicense = \"CC0-1.0\"";
    std::fs::write(project.path.join("file"), "").unwrap();
    for bad in [refused, "outputs = [\"file/b.nnue\"]"] {
        project.manifest(&format!("version = 1\n{}{}", net("a", "outputs = [\"dist/\"]"), net("b", bad)));
        let ran = project.nnue(&["build", "--keep-going", "--json"]);
        assert_eq!(ran.code, 1, "{}", ran.transcript());
        let report = ran.json();
        assert_eq!((&report["nets"][0]["status"], &report["nets"][1]["status"]), (&"built".into(), &"failed".into()), "{report:#}");
        assert!(String::from_utf8(project.bytes("nnue.lock")).unwrap().contains("name = \"a\""));
        std::fs::remove_dir_all(project.path.join(".nnue")).unwrap();
        std::fs::remove_dir_all(project.path.join("dist")).unwrap();
    }
}

/// A file that the last build published is nobody's doing.
#[test]
fn a_parameter_that_went_back_is_the_reason_and_not_the_file() {
    let project = Project::new();
    let manifest = |description: &str| {
        project
            .manifest(&format!("version = 1\n[net.a]\nsource = \"run.nnue\"\noutputs = [\"a.nnue\"]\ndescription = \"{description}\"\n"));
    };
    for description in ["first", "second"] {
        manifest(description);
        project.nnue(&["build"]).ok();
    }
    manifest("first");
    let stages = project.nnue(&["status", "--json"]).json()["nets"][0]["stages"].clone();
    let reason = &stages.as_array().unwrap().last().unwrap()["reason"];
    assert_eq!((&reason["kind"], &reason["old"], &reason["new"]), (&"param_changed".into(), &"second".into(), &"first".into()), "{reason}");
}

#[test]
fn results_of_the_cache_are_printed_quietly_too_and_times_need_units() {
    let project = Project::new();
    project.nnue(&["build", "-q"]).ok();
    assert!(project.nnue(&["cache", "stats", "-q"]).ok().out.contains("artifacts"));
    assert!(project.nnue(&["cache", "verify", "-q"]).ok().out.contains("all is whole"));
    assert!(project.nnue(&["cache", "gc", "-q"]).ok().out.contains("removed 0 artifacts"));
    project.nnue(&["cache", "gc", "--older-than", "30"]).fails(2, &["a whole number with ms, s, m, h, d or w"]);
    let help = project.nnue(&["cache", "gc", "--help"]).ok().out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(help.contains("never what a manifest's last build needs") && help.contains("Without options only"), "{help}");
}

#[test]
fn explain_says_that_nothing_differs_and_takes_no_record_of_another_net() {
    let project = Project::new();
    project.nnue(&["build"]).ok();
    let record = |net: &str| {
        std::fs::write(project.path.join("record.json"), project.nnue(&["explain", net, "--json"]).ok().out).unwrap();
    };
    record("plain");
    let args = ["explain", "plain", "--against", "record.json"];
    assert!(project.nnue(&args).ok().out.ends_with("nothing differs from the record: keys and results are the same\n"));
    project.nnue(&["explain", "big", "--against", "record.json"]).fails(2, &["a record of the net `plain`, not of `big`"]);
    record("big");
    let (head, _) = MANIFEST.split_once("[net.big.optimize]").unwrap();
    project.manifest(head);
    let ran = project.nnue(&["explain", "big", "--against", "record.json"]);
    assert!(ran.out.contains("gather          only the record has this stage"), "{}", ran.transcript());
    assert!(!ran.out.contains("nothing differs"), "{}", ran.out);
}

#[test]
fn values_that_would_move_the_cursor_are_escaped() {
    let project = Project::new();
    project.nnue(&["build"]).ok();
    project.manifest(&MANIFEST.replace("\"first\"", "\"a\\u001b[2Jb\\u009bc\""));
    for args in [&["status"][..], &["explain", "big"], &["build", "--dry-run"], &["build"]] {
        let ran = project.nnue(args);
        assert!(ran.out.contains("[2J"), "{}", ran.transcript());
        assert!(!ran.out.contains(['\u{1b}', '\u{9b}']), "{}", ran.transcript());
    }
}

#[test]
fn init_tells_how_to_build_what_it_wrote() {
    let project = Project::new();
    std::fs::create_dir(project.path.join("new one")).unwrap();
    std::fs::copy(project.path.join("run.nnue"), project.path.join("new one/run.nnue")).unwrap();
    assert!(project.nnue(&["init", "new one"]).ok().out.ends_with("next: `nnue -C 'new one' build`\n"));
    assert!(project.nnue(&["init", "run.nnue", "-f", "other.toml"]).ok().out.ends_with("next: `nnue -f other.toml build`\n"));
    project.nnue(&["-f", "other.toml", "build"]).ok();
    project.nnue(&["init", "new one", "-f", "third.toml"]).fails(2, &["`-f third.toml` is not in `new one`"]);
    assert!(!project.path.join("third.toml").exists());
}

#[test]
fn manual_pages_get_their_folder_and_help_has_the_exit_codes() {
    let project = Project::new();
    project.nnue(&["man", "share/man1"]).ok();
    assert!(names(&project.path.join("share/man1")).contains(&"nnue-build.1".to_owned()));
    let help = project.nnue(&["--help"]).ok().out;
    assert!(help.contains("Exit codes:") && help.contains("130  interrupted"), "{help}");
}
