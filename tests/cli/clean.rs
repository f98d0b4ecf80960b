//! `nnue clean`: what builds published and no net has any more goes, and nothing else.

use std::os::unix::fs::symlink;

use serde_json::Value;

use crate::project::{Project, manifest};

const TWO: &str = manifest!(
    r#"[net.a]
source = "run"
outputs = ["dist/", "out/a.nnue"]
description = "first"
provenance = true
[net.b]
source = "run"
outputs = ["dist/", "b.nnue"]
"#
);

/// Only the second net.
fn without_a() -> String {
    let (start, end) = (TWO.find("[net.a]").unwrap(), TWO.find("[net.b]").unwrap());
    format!("{}{}", &TWO[..start], &TWO[end..])
}

fn paths<'r>(report: &'r Value, list: &str) -> Vec<&'r str> {
    report[list].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect()
}

/// The path of the file in `dist` of a net of the last build.
fn in_dist(report: &Value, name: &str) -> String {
    crate::project::net(report, name)["outputs"][0]["path"].as_str().unwrap().to_owned()
}

#[test]
fn outputs_of_nets_that_are_gone_and_older_ones_go() {
    let project = Project::new(TWO);
    let first = project.json(&["build"]);
    project.manifest(&TWO.replace("first", "second"));
    let second = project.json(&["build"]);
    let (old, new, b) = (in_dist(&first, "a"), in_dist(&second, "a"), in_dist(&second, "b"));
    assert!(old != new && project.at(&old).exists());
    let provenance = |path: &str| format!("{path}.provenance.json");
    let before = project.snapshot();
    let told = project.json(&["clean", "--dry-run"]);
    assert_eq!(project.snapshot(), before, "a dry run changes nothing");
    assert_eq!((told["dry_run"].as_bool(), paths(&told, "removed")), (Some(true), vec![old.as_str(), provenance(&old).as_str()]));
    let text = project.nnue(&["clean"]).ok().out;
    assert!(text.contains(&format!("removed {old}")) && text.contains("the net `a` has another output now"), "{text}");
    assert!(text.contains("2 files, "), "{text}");
    assert!(!project.at(&old).exists() && !project.at(&provenance(&old)).exists());
    assert!(project.at(&new).exists() && project.at(&provenance(&new)).exists() && project.at(&b).exists());
    assert_eq!(project.nnue(&["clean"]).ok().out, "nothing to remove\n");
    assert!(project.json(&["build"])["nets"].as_array().unwrap().iter().all(|net| net["status"] == "fresh"));
    // A net that is gone takes its outputs and its block of the lock with it.
    project.manifest(&without_a());
    let report = project.json(&["clean"]);
    let gone = [new.clone(), provenance(&new), "out/a.nnue".to_owned(), provenance("out/a.nnue")];
    assert_eq!(paths(&report, "removed"), gone);
    assert!(report["removed"].as_array().unwrap().iter().all(|file| file["gone"] == true && file["net"] == "a"));
    assert_eq!(report["unlocked"], serde_json::json!(["a"]));
    assert!(gone.iter().all(|path| !project.at(path).exists()) && project.at(&b).exists() && project.at("b.nnue").exists());
    project.nnue(&["verify"]).ok();
    project.nnue(&["build", "--locked"]).ok();
}

#[test]
fn what_is_not_as_it_was_written_stays() {
    let project = Project::new(TWO);
    let report = project.json(&["build"]);
    let dist = in_dist(&report, "a");
    let stranger = project.write_net("dist/nn-000000000000.nnue", 16, 3);
    project.manifest(&without_a());
    // Replaced by the user; the other is a link to a file elsewhere with the very content.
    project.write("out/a.nnue", "mine");
    let elsewhere = tempfile::tempdir().unwrap();
    let target = elsewhere.path().join("x.nnue");
    std::fs::rename(project.at(&dist), &target).unwrap();
    symlink(&target, project.at(&dist)).unwrap();
    let report = project.json(&["clean"]);
    assert_eq!(paths(&report, "removed"), [""; 0]);
    let kept: Vec<(&str, &str)> =
        report["kept"].as_array().unwrap().iter().map(|file| (file["path"].as_str().unwrap(), file["why"].as_str().unwrap())).collect();
    assert_eq!(kept.len(), 2);
    assert!(kept.contains(&("out/a.nnue", "its content is not what a build gave it")), "{kept:?}");
    assert!(kept.iter().any(|(path, why)| *path == dist && why.contains("symbolic link")), "{kept:?}");
    assert!(project.bytes("out/a.nnue") == b"mine" && project.bytes("dist/nn-000000000000.nnue") == stranger);
    assert!(target.exists() && project.at(&dist).is_symlink());
    // They are the user's from now on.
    assert_eq!(paths(&project.json(&["clean"]), "kept"), [""; 0]);
}

#[test]
fn a_linked_folder_is_not_followed() {
    let project = Project::new(TWO);
    project.nnue(&["build"]).ok();
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::rename(project.at("out"), elsewhere.path().join("out")).unwrap();
    symlink(elsewhere.path().join("out"), project.at("out")).unwrap();
    project.manifest(&without_a());
    let report = project.json(&["clean"]);
    assert!(paths(&report, "kept").contains(&"out/a.nnue"), "{report:#}");
    assert!(elsewhere.path().join("out/a.nnue").exists());
}

/// What a net wrote and another now reads, has under another name, or another manifest has too.
#[test]
fn what_is_still_needed_stays() {
    let project = Project::new(TWO);
    project.nnue(&["build"]).ok();
    let read = without_a() + "[net.c]\nsource = \"out/a.nnue\"\noutputs = \"c.nnue\"\n";
    project.manifest(&read);
    project.nnue(&["clean"]).ok();
    assert!(project.at("out/a.nnue").exists(), "it is a source now");
    // The same file under another name in the manifest.
    let project = Project::new(TWO);
    project.nnue(&["build"]).ok();
    project.manifest(&TWO.replace("\"b.nnue\"", "\"./b.nnue\"").replace("dist/", "./dist/"));
    project.nnue(&["build"]).ok();
    let before = crate::project::files_below(&project.at("dist"));
    assert_eq!(paths(&project.json(&["clean"]), "removed"), [""; 0]);
    assert!(project.at("b.nnue").exists());
    assert_eq!(crate::project::files_below(&project.at("dist")), before);
    // Another manifest in the same folder.
    project.write("other.toml", without_a());
    project.nnue(&["-f", "other.toml", "build"]).ok();
    project.manifest("version = 1\n");
    let report = project.json(&["clean"]);
    assert!(!paths(&report, "removed").iter().any(|path| path.ends_with("b.nnue")), "{report:#}");
    assert!(project.at("b.nnue").exists() && !project.at("out/a.nnue").exists());
    project.nnue(&["-f", "other.toml", "build", "--locked"]).ok();
    project.write("other.toml", "version = 1\n");
    assert!(paths(&project.json(&["-f", "other.toml", "clean"]), "removed").contains(&"b.nnue"));
}

/// A sweep without its files is a mistake, as it is for builds: its nets are not taken for gone.
#[test]
fn a_sweep_that_finds_nothing_removes_nothing() {
    let text = "version = 1\n[net.\"n/{stem}\"]\nsource = { glob = \"runs/*.nnue\" }\noutputs = \"n/\"\n";
    let project = Project::empty().with_net("runs/x.nnue", 16, 1).with_net("runs/y.nnue", 16, 2).with_manifest(text);
    project.nnue(&["build"]).ok();
    let built = crate::project::files_below(&project.at("n")).len();
    std::fs::rename(project.at("runs"), project.at("away")).unwrap();
    project.nnue(&["clean"]).fails(2, &["no file matches"]);
    assert_eq!(crate::project::files_below(&project.at("n")).len(), built);
    std::fs::rename(project.at("away"), project.at("runs")).unwrap();
    std::fs::remove_file(project.at("runs/y.nnue")).unwrap();
    assert_eq!(paths(&project.json(&["clean"]), "removed").len(), 1);
}

/// A list that came with a project removes nothing elsewhere.
#[test]
fn places_outside_the_project_are_left_alone() {
    let elsewhere = tempfile::tempdir().unwrap();
    let out = elsewhere.path().join("out.nnue");
    let text = format!("version = 1\n[net.a]\nsource = \"run.nnue\"\noutputs = \"{}\"\n", out.display());
    let project = Project::new(&text);
    project.nnue(&["build"]).ok();
    project.manifest("version = 1\n[net.b]\nsource = \"run.nnue\"\noutputs = \"b/\"\n");
    let report = project.json(&["clean"]);
    assert_eq!(report["kept"][0]["path"], out.to_str().unwrap());
    assert!(report["kept"][0]["why"].as_str().unwrap().contains("outside the folder of the manifest") && out.exists());
    // In a folder that nets write to, what they wrote before goes.
    let folder = |description: &str| {
        format!(
            "version = 1\n[net.a]\nsource = \"run.nnue\"\ndescription = \"{description}\"\noutputs = \"{}/\"\n",
            elsewhere.path().display()
        )
    };
    project.manifest(&folder("1"));
    project.nnue(&["build"]).ok();
    project.manifest(&folder("2"));
    project.nnue(&["build"]).ok();
    let count = || crate::project::files_below(elsewhere.path()).len();
    assert_eq!(count(), 3);
    assert_eq!(paths(&project.json(&["clean"]), "removed").len(), 1);
    assert_eq!((count(), out.exists()), (2, true));
}
