//! What a reviewer's tries with odd but real situations found: one test a finding, with the behaviour that was missing.

use crate::cli_support::{names, write_fens};
use crate::project::{Project, write_permutation};

const MANIFEST: &str = "version = 1\n[net.one]\nsource = \"run.nnue\"\noutputs = [\"one.nnue\"]\n";

fn project(manifest: &str) -> Project {
    Project::empty().with_net("run.nnue", 16, 5).with_manifest(manifest)
}

/// Opening a pipe waits for a writer that never comes.
#[test]
fn a_pipe_as_a_source_is_refused_at_once() {
    let project = project("version = 1\n[net.one]\nsource = \"pipe.nnue\"\noutputs = [\"one.nnue\"]\n");
    let made = std::process::Command::new("mkfifo").arg(project.at("pipe.nnue")).status().unwrap();
    assert!(made.success());
    let built = project.nnue(&["build"]);
    assert_eq!(built.code, 1, "{}", built.transcript());
    for args in [vec!["inspect", "pipe.nnue"], vec!["convert", "pipe.nnue", "out.nnue"]] {
        project.nnue(&args).fails(1, &["pipe.nnue", "no regular file"]);
    }
}

#[test]
fn perm_overwrites_neither_its_inputs_nor_other_kinds_of_files() {
    let project = project(MANIFEST);
    let path = &project.path;
    write_fens(&path.join("p.fen"), 1, 40);
    write_permutation(&path.join("id.npy"), 0..8);
    std::fs::write(path.join("train.ckpt"), "precious").unwrap();
    project.nnue(&["perm", "apply", "run.nnue", "id.npy", "train.ckpt"]).fails(2, &["train.ckpt", ".nnue"]);
    project.nnue(&["perm", "gather", "--net", "run.nnue", "--data", "p.fen", "--out", "run.nnue"]).fails(2, &["run.nnue", "overwritten"]);
    project.nnue(&["perm", "gather", "--net", "run.nnue", "--data", "p.fen", "--out", "act.npy"]).ok();
    project.nnue(&["perm", "find", "--data", "act.npy", "--out", "act.npy"]).fails(2, &["act.npy", "overwritten"]);
    project.nnue(&["perm", "find", "--data", "act.npy", "--out", "train.ckpt"]).fails(2, &["train.ckpt"]);
    assert_eq!(std::fs::read(path.join("train.ckpt")).unwrap(), b"precious");
}

#[test]
fn an_output_that_is_a_link_out_of_the_project_is_refused() {
    let outside = tempfile::tempdir().unwrap();
    let project = project(MANIFEST);
    let target = outside.path().join("t.nnue");
    std::fs::write(&target, "precious").unwrap();
    std::os::unix::fs::symlink(&target, project.at("one.nnue")).unwrap();
    project.nnue(&["build"]).fails(2, &["one.nnue"]);
    assert_eq!(std::fs::read(&target).unwrap(), b"precious");
}

#[test]
fn two_manifests_of_one_folder_have_locks_of_their_own() {
    let project = project(MANIFEST);
    let path = &project.path;
    std::fs::write(path.join("other.toml"), MANIFEST.replace("one", "two")).unwrap();
    project.nnue(&["build"]).ok();
    project.nnue(&["-f", "other.toml", "build"]).ok();
    project.nnue(&["verify"]).ok();
    project.nnue(&["-f", "other.toml", "verify"]).ok();
    assert!(names(path).contains(&"nnue.lock".to_owned()) && names(path).contains(&"other.lock".to_owned()));
}

#[test]
fn a_locked_dry_run_differs_where_the_locked_build_would() {
    let project = project(MANIFEST);
    let path = &project.path;
    project.nnue(&["build"]).ok();
    project.nnue(&["build", "--locked", "--dry-run"]).ok();
    std::fs::write(path.join("nnue.toml"), MANIFEST.replace("outputs", "description = \"new\"\noutputs")).unwrap();
    project.nnue(&["build", "--locked", "--dry-run"]).fails(3, &["nnue.lock", "would have to be built"]);
    project.nnue(&["build", "--locked"]).fails(3, &["nnue.lock"]);
    std::fs::write(path.join("nnue.toml"), MANIFEST.replace("net.one", "net.three")).unwrap();
    project.nnue(&["build", "--locked"]).fails(3, &["three", "has it no more"]);
}

#[test]
fn only_the_stage_that_failed_is_called_failed() {
    let project = project(MANIFEST);
    std::fs::remove_file(project.at("run.nnue")).unwrap();
    let status = project.nnue(&["status", "--json"]).json();
    let stages: Vec<(&str, &str)> = status["nets"][0]["stages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|stage| (stage["stage"].as_str().unwrap(), stage["status"].as_str().unwrap()))
        .collect();
    assert_eq!(stages, [("load", "failed"), ("write", "stale")]);
    assert_eq!(status["nets"][0]["status"], "failed");
    assert!(status["nets"][0]["error"].as_str().unwrap().contains("run.nnue"));
}

#[test]
fn float_files_made_from_integers_say_which_scales_were_taken() {
    let project = project(&MANIFEST.replace("one.nnue", "one.safetensors"));
    let built = project.nnue(&["build"]).ok();
    assert!(built.err.contains("ft127") && built.err.contains("ft255"), "{}", built.transcript());
}

#[test]
fn a_cut_net_is_explained_as_the_generation_that_it_is() {
    let project = Project::empty();
    let bytes = project.write_net("run.nnue", 128, 5);
    std::fs::write(project.at("cut.nnue"), &bytes[..bytes.len() / 2]).unwrap();
    let cut = project.nnue(&["convert", "cut.nnue", "out.nnue"]);
    cut.fails(1, &["truncated at byte", "read as small"]);
}
