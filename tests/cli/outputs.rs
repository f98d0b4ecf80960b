//! Whole outputs: what a user sees of each command on one project, as snapshots in `tests/cli/snapshots/`. `INSTA_UPDATE=always` rewrites
//! them.

use crate::cli_support::Ran;
use crate::project::Project;

use super::fixture::{self, MANIFEST};

/// The usual project; frames around messages are drawn with the letters of this locale.
fn project() -> Project {
    fixture::project().with_env("LC_ALL", "C.UTF-8")
}

/// Times become `TIME`, the folder `$DIR`, the program's version `$VERSION`: all else is the same on every machine.
fn steady(project: &Project, ran: &Ran) -> String {
    let real = project.path.canonicalize().unwrap();
    let text = ran.transcript().replace(real.to_str().unwrap(), "$DIR").replace(project.path.to_str().unwrap(), "$DIR");
    let text = text.replace(&format!("nnue {}", env!("CARGO_PKG_VERSION")), "nnue $VERSION");
    let line = |line: &str| {
        let parts: Vec<&str> = line.split(' ').collect();
        let is_time = |at: usize| parts.get(at + 1).is_some_and(|unit| ["s", "s,"].contains(unit)) && parts[at].parse::<f64>().is_ok();
        let parts: Vec<&str> = (0..parts.len()).map(|at| if is_time(at) { "TIME" } else { parts[at] }).collect();
        parts.join(" ").trim_end().to_owned() + "\n"
    };
    text.lines().map(line).collect()
}

/// Runs the program and compares all that it says.
#[track_caller]
fn same(name: &str, project: &Project, args: &[&str]) {
    let text = format!("$ nnue {}\n{}", args.join(" "), steady(project, &project.nnue(args)));
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, text);
    });
}

#[test]
fn from_the_first_build_to_a_change() {
    let project = project();
    same("status_of_nothing", &project, &["status"]);
    same("build_of_nothing_dry", &project, &["build", "--dry-run"]);
    // One at a time: a net is told of as soon as it is finished.
    same("build_first", &project, &["build", "-j1"]);
    same("build_unchanged", &project, &["build"]);
    same("status_unchanged", &project, &["status"]);
    same("verify", &project, &["verify"]);
    same("verify_rebuild", &project, &["verify", "--rebuild"]);
    same("graph", &project, &["graph"]);
    project.manifest(&MANIFEST.replace("positions = 100", "positions = 120").replace("first", "second"));
    same("status_changed", &project, &["status"]);
    same("explain_changed", &project, &["explain", "big"]);
    same("build_locked_changed", &project, &["build", "--locked"]);
    same("build_changed", &project, &["build", "-j1"]);
}

#[test]
fn mistakes() {
    let project = project();
    same("net_unknown", &project, &["build", "huge"]);
    std::fs::remove_file(project.at("run.nnue")).unwrap();
    same("source_missing", &project, &["build"]);
    same("source_missing_keep_going", &project, &["build", "--keep-going"]);
    project.write("run.nnue", "<!DOCTYPE html>\n<html><body>404</body></html>\n");
    same("source_of_another_kind", &project, &["status"]);
    project.manifest(&MANIFEST.replace("positions = 100", "postions = 100").replace("\"none\"", "\"zip\""));
    same("manifest_wrong", &project, &["build"]);
    std::fs::remove_file(project.at("nnue.toml")).unwrap();
    same("manifest_missing", &project, &["build"]);
    same("option_unknown", &project, &["build", "--nonsense"]);
}

#[test]
fn networks() {
    let project = project();
    project.write_net("other.nnue", 64, 6);
    same("inspect", &project, &["inspect", "run.nnue"]);
    same("diff_different", &project, &["diff", "run.nnue", "other.nnue"]);
    same("convert", &project, &["convert", "run.nnue", "run.safetensors", "--quantization", "ft127"]);
    same("inspect_floats", &project, &["inspect", "run.safetensors"]);
    let gather = ["perm", "gather", "--net", "run.nnue", "--data", "positions.fen", "--out", "act.npy", "--quantization", "ft127"];
    same("perm_gather", &project, &gather);
    same("perm_find", &project, &["perm", "find", "--data", "act.npy", "--out", "perm.npy", "--backend", "cpu"]);
    same("perm_eval", &project, &["perm", "eval", "--data", "act.npy", "--perm", "perm.npy"]);
    same("perm_apply", &project, &["perm", "apply", "run.nnue", "perm.npy", "moved.nnue"]);
    same("diff_permuted", &project, &["diff", "run.nnue", "moved.nnue"]);
    same("init", &project, &["init", "run.nnue", "-f", "new.toml"]);
}

#[test]
fn help() {
    same("help", &project(), &["--help"]);
}
