//! File systems without locks, as some network file systems are: `flock` fails there with ENOLCK or ENOSYS.

use std::process::Command;

use crate::cli_support::Ran;
use crate::project::{Project, statuses};

const LIBRARY: &str =
    "#include <errno.h>\n#include <stdlib.h>\nint flock(int fd, int op) { errno = atoi(getenv(\"LOCK_ERROR\")); return -1; }\n";

#[test]
fn results_are_kept_with_one_warning() {
    let project = Project::empty().with_net("run.nnue", 32, 1).with_fens("positions.fen", 1, 200).with_manifest(
        "version = 1\n[source.run]\npath = \"run.nnue\"\nquantization = \"ft127\"\n[data.fens]\npath = \"positions.fen\"\n\
         [net.a]\nsource = \"run\"\noutputs = [\"a.nnue\"]\n[net.a.optimize]\ndata = \"fens\"\npositions = 50\n",
    );
    project.write("nolock.c", LIBRARY);
    let library = project.at("nolock.so");
    let compiled = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(project.at("nolock.c")).output();
    if !compiled.as_ref().is_ok_and(|output| output.status.success()) {
        assert!(std::env::var_os("CI").is_none(), "cc cannot make a library: {compiled:?}");
        println!("skipped: cc cannot make a library: {compiled:?}");
        return;
    }
    // ENOLCK, ENOSYS.
    for error in ["37", "38"] {
        let _ = std::fs::remove_dir_all(project.at(".nnue"));
        let _ = std::fs::remove_file(project.at("a.nnue"));
        let run = |args: &[&str]| Ran::of(project.command(args).env("LD_PRELOAD", &library).env("LOCK_ERROR", error).output().unwrap());
        let first = run(&["build"]).ok();
        assert_eq!(first.err.matches("has no locks").count(), 1, "{}", first.transcript());
        assert!(first.err.contains("NNUE_CACHE_DIR"), "{}", first.transcript());
        std::fs::remove_file(project.at("a.nnue")).unwrap();
        let second = run(&["build", "--json"]).ok().json();
        let stages = statuses(&second["nets"][0]);
        assert!(stages.contains(&("search", "fresh")) && stages.contains(&("gather", "fresh")), "{stages:?}");
        let status = run(&["status", "--json"]).json();
        assert_eq!(status["nets"][0]["status"], "fresh", "{status}");
    }
}
