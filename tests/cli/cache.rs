//! `nnue cache`, and caches in other places or in none.

use std::path::PathBuf;

use serde_json::Value;

use super::fixture::{MANIFEST, project};
use crate::cli_support::{self, nnue};
use crate::project::{Project, files_below, keys, net, statuses};

#[test]
fn the_cache_can_be_elsewhere_and_its_results_serve_other_projects() {
    let (one, two) = (project(), Project::in_folder("other project", MANIFEST));
    let cache = tempfile::tempdir().unwrap();
    let build = |project: &Project| {
        let output = cli_support::command(&project.path).env("NNUE_CACHE_DIR", cache.path()).args(["build", "--json"]).output().unwrap();
        assert!(output.status.success());
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let first = build(&one);
    assert!(cache.path().join("CACHEDIR.TAG").exists() && !one.path.join(".nnue/cache").exists());
    let second = build(&two);
    let expected =
        [("load", "cached"), ("gather", "cached"), ("search", "cached"), ("permute", "cached"), ("write", "ran"), ("prove", "cached")];
    assert_eq!(statuses(net(&second, "big")), expected);
    assert_eq!(net(&first, "big")["outputs"], net(&second, "big")["outputs"]);
}

#[test]
fn a_cache_that_cannot_be_written_costs_one_warning() {
    let project = project();
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
fn a_frozen_build_writes_nothing_into_the_cache() {
    let project = project();
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

#[test]
fn the_cache_says_what_it_holds_lets_go_of_the_rest_and_is_checked() {
    let project = project();
    nnue(project.path.parent().unwrap(), ["cache", "stats"]).fails(2, &["no `nnue.toml`"]);
    assert_eq!(project.nnue(&["cache", "stats", "--json"]).ok().json()["records"], 0);
    project.nnue(&["build"]).ok();
    let stats = project.nnue(&["cache", "stats", "--json"]).ok().json();
    assert_eq!((&stats["schema"], &stats["blobs"], &stats["roots"]), (&1.into(), &2.into(), &1.into()));
    assert_eq!(keys(&stats["by_stage"]), ["gather", "load", "permute", "prove", "search", "write"]);
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
    project.nnue(&["cache", "gc", "--max-size", "5µ"]).fails(2, &["a size is a whole number of bytes"]);

    assert!(project.nnue(&["cache", "verify"]).ok().out.contains("all is whole"));
    let blob = files_below(&project.at(".nnue/cache/v1/cas")).remove(0);
    let mut bytes = std::fs::read(&blob).unwrap();
    bytes[10] ^= 1;
    std::fs::remove_file(&blob).unwrap();
    std::fs::write(&blob, bytes).unwrap();
    let ran = project.nnue(&["cache", "verify"]);
    assert!(ran.code == 1 && ran.out.contains("removed, as it is corrupt: "), "{}", ran.transcript());
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

#[test]
fn results_of_the_cache_are_printed_quietly_too_and_times_need_units() {
    let project = project();
    project.nnue(&["build", "-q"]).ok();
    assert!(project.nnue(&["cache", "stats", "-q"]).ok().out.contains("artifacts"));
    assert!(project.nnue(&["cache", "verify", "-q"]).ok().out.contains("all is whole"));
    assert!(project.nnue(&["cache", "gc", "-q"]).ok().out.contains("removed 0 artifacts"));
    project.nnue(&["cache", "gc", "--older-than", "30"]).fails(2, &["a whole number with ms, s, m, h, d or w"]);
    let help = project.nnue(&["cache", "gc", "--help"]).ok().out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(help.contains("never what a manifest's last build needs") && help.contains("Without options only"), "{help}");
}
