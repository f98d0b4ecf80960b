//! What a reviewer's tries with odd but real situations found: one test a finding, with the behaviour that was missing.

use crate::cli_support::{names, nnue, write_fens};
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
        project.nnue(&args).fails(1, &["pipe.nnue", "not a regular file"]);
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
    project.nnue(&["build", "--locked"]).fails(3, &["three", "no longer in the manifest"]);
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

/// Files of floats record their scales, so nothing is assumed; of a `.nnue` file it is, in words that name the purpose.
#[test]
fn scales_are_assumed_only_of_files_that_do_not_record_them() {
    let project = project(MANIFEST);
    let path = project.path.as_path();
    write_fens(&path.join("p.fen"), 1, 60);
    nnue(path, ["convert", "run.nnue", "run.safetensors", "--quantization", "ft255"]).ok();
    let optimize = ["--ft_optimize", "--ft_optimize_data", "p.fen", "--ft_optimize_count", "20"];
    for (source, warns) in [("run.nnue", true), ("run.safetensors", false)] {
        let gathered = nnue(path, ["perm", "gather", "--net", source, "--data", "p.fen", "--out", "act.npy"]).ok();
        let converted = nnue(path, ["convert", source, "out.nnue"].iter().chain(&optimize)).ok();
        for ran in [gathered, converted] {
            assert_eq!(ran.err.contains("does not record its scales"), warns, "{source}: {}", ran.transcript());
            assert_eq!(ran.err.contains("for the zero rule"), warns, "{source}: {}", ran.transcript());
        }
    }
}

/// The manifest is wrong, not the work: the same exit code as for the option of `perm gather`.
#[test]
fn a_filter_that_the_data_cannot_answer_is_a_mistake_of_the_manifest() {
    let project = project(
        "version = 1\n[data.lines]\npath = \"p.fen\"\n[net.one]\nsource = \"run.nnue\"\noutputs = [\"one.nnue\"]\n\
         [net.one.optimize]\ndata = \"lines\"\npositions = 20\n[net.one.optimize.filters]\nmax_ply = 80\n",
    );
    write_fens(&project.path.join("p.fen"), 1, 60);
    let built = nnue(&project.path, ["build"]);
    assert_eq!(built.code, 2, "{}", built.transcript());
    assert!(built.err.contains("the filter `max_ply` needs the scores"), "{}", built.transcript());
    let gather = ["perm", "gather", "--net", "run.nnue", "--data", "p.fen", "--out", "act.npy", "--max_ply", "80"];
    nnue(&project.path, gather).fails(2, &["the filter `max_ply` needs the scores"]);
}

/// A packed source is the same source, for every command.
#[test]
fn packed_sources_and_data_are_read_as_they_are() {
    let project = project("version = 1\n[net.one]\nsource = \"run.xz\"\noutputs = [\"one.nnue\"]\n");
    let path = project.path.as_path();
    let plain = std::fs::read(path.join("run.nnue")).unwrap();
    write_fens(&path.join("p.fen"), 1, 60);
    let lines = std::fs::read(path.join("p.fen")).unwrap();
    nnue(path, ["convert", "run.nnue", "run.safetensors", "--quantization", "ft127"]).ok();
    let floats = std::fs::read(path.join("run.safetensors")).unwrap();
    let xz = |bytes: &[u8]| {
        let mut packed = Vec::new();
        lzma_rs::xz_compress(&mut &*bytes, &mut packed).unwrap();
        packed
    };
    std::fs::write(path.join("run.xz"), xz(&plain)).unwrap();
    std::fs::write(path.join("p.fen.xz"), xz(&lines)).unwrap();
    nnue(path, ["convert", "run.xz", "out.nnue"]).ok();
    assert_eq!(std::fs::read(path.join("out.nnue")).unwrap(), plain);
    nnue(path, ["build"]).ok();
    assert_eq!(std::fs::read(path.join("one.nnue")).unwrap(), plain);
    // Floats are told from integers inside as well.
    std::fs::write(path.join("run.xz"), xz(&floats)).unwrap();
    nnue(path, ["build"]).ok();
    assert_eq!(std::fs::read(path.join("one.nnue")).unwrap(), plain);
    let shown = nnue(path, ["inspect", "run.xz", "--json"]).ok().json();
    assert_eq!(shown["format"], "safetensors");
    assert!(shown["notes"].to_string().contains("packed with xz"), "{shown}");
    for data in ["p.fen", "p.fen.xz"] {
        nnue(path, ["perm", "gather", "--net", "run.xz", "--data", data, "--out", &format!("{data}.npy")]).ok();
    }
    assert_eq!(std::fs::read(path.join("p.fen.npy")).unwrap(), std::fs::read(path.join("p.fen.xz.npy")).unwrap());
}
