//! Whole builds on real clusters: the bytes are those of a build here, wherever a stage ran, and whatever becomes of the cluster.

use std::net::TcpListener;
use std::path::PathBuf;

use crate::*;

/// The program for workers that have an empty file system.
fn static_tool() -> Option<PathBuf> {
    let tool = std::env::var_os("NNUE_TEST_STATIC").map(PathBuf::from);
    if tool.is_none() {
        assert!(std::env::var_os("CI").is_none(), "CI names a static program in NNUE_TEST_STATIC");
        println!("skipped: NNUE_TEST_STATIC names no static program");
    }
    tool
}

/// Two searches over one gather and two proofs, all of which goes to the cluster.
fn project(url: &str, tool: &Path, more: &str) -> Project {
    let remote = format!("[remote]\nurl = \"{url}\"\nmin-seconds = 0\ntool = '{}'\n{more}", tool.display());
    let other = "[net.other]\nsource = \"run\"\noutputs = [\"other.nnue\"]\n[net.other.optimize]\ndata = \"fens\"\npositions = 100\nalgorithm = \"anneal\"\nmoves = 3000\n\
                 [net.other.prove]\ndata = \"fens\"\npositions = 90\n";
    client_with(&format!("{other}{remote}"))
}

/// What a build without a cluster gives.
fn alone() -> &'static [Vec<u8>; 2] {
    static BYTES: OnceLock<[Vec<u8>; 2]> = OnceLock::new();
    BYTES.get_or_init(|| {
        let project = project("grpc://127.0.0.1:1", Path::new("none"), "");
        project.nnue(&["build", "--remote", "off"]).ok();
        outputs(&project)
    })
}

fn outputs(project: &Project) -> [Vec<u8>; 2] {
    ["big.nnue", "other.nnue"].map(|name| project.bytes(name))
}

/// `gather`, `search` → what the report says of where they ran.
fn places(report: &Value) -> Vec<String> {
    let stages = report["nets"].as_array().unwrap().iter().flat_map(|net| net["stages"].as_array().unwrap());
    let there = stages.filter(|stage| !stage["remote"].is_null());
    there.map(|stage| format!("{} {}", stage["stage"].as_str().unwrap(), stage["remote"]["from_cache"])).collect()
}

/// `obeys`: it runs again what it is asked to run again.
fn builds_on(url: &str, tool: &Path, obeys: bool) {
    let project = project(url, tool, "");
    let ran = project.nnue(&["build", "--json", "-v"]).ok();
    assert_eq!(warnings(&ran), [""; 0], "{}", ran.transcript());
    // The nets share their gather.
    assert_eq!(
        places(&ran.json()),
        ["gather false", "search false", "prove false", "gather false", "search false", "prove false"],
        "{}",
        ran.transcript()
    );
    assert!(ran.err.contains("remote: 5 ran, 0 from its cache, 0 fell back; "), "{}", ran.transcript());
    assert!(ran.err.contains("weights of nets and positions"), "{}", ran.transcript());
    assert!(outputs(&project) == *alone(), "another net than without a cluster");

    // Somebody else with the same nets: nothing runs, and nothing but questions goes up.
    let _ = std::fs::remove_dir_all(project.at(".nnue"));
    let ran = project.nnue(&["build", "--json", "-v"]).ok();
    assert_eq!(
        places(&ran.json()),
        ["gather true", "search true", "prove true", "gather true", "search true", "prove true"],
        "{}",
        ran.transcript()
    );
    assert!(ran.err.contains("remote: 0 ran, 5 from its cache, 0 fell back; 0.0 MB up"), "{}", ran.transcript());
    assert!(outputs(&project) == *alone());
    // Everything that was made there is made again here, and compared.
    let checked = project.with_env("NNUE_REMOTE_RECHECK", "1");
    let _ = std::fs::remove_dir_all(checked.at(".nnue"));
    let ran = checked.nnue(&["build", "--json"]).ok();
    assert_eq!(warnings(&ran), [""; 0], "{}", ran.transcript());
    // With a secret nothing is believed that others may have written.
    let sealed = checked.with_env("NNUE_REMOTE_CACHE_KEY", "secret");
    let _ = std::fs::remove_dir_all(sealed.at(".nnue"));
    let ran = sealed.nnue(&["build", "--json", "-v"]).ok();
    if obeys {
        assert!(ran.err.contains("remote: 5 ran, 0 from its cache, 0 fell back"), "{}", ran.transcript());
    } else {
        assert!(ran.err.contains(" 5 fell back") && places(&ran.json()).is_empty(), "{}", ran.transcript());
        assert_warned_once(&ran, "it gave an earlier result, which others may have written");
    }
    assert!(outputs(&sealed) == *alone());
}

#[test]
fn casd_builds_in_an_empty_file_system() {
    let (Some(casd), Some(tool)) = (servers::casd(), static_tool()) else { return };
    builds_on(&casd.url, &tool, true);
}

/// BuildGrid runs again what it is asked to, and its workers have the file system of this machine.
#[test]
#[ignore = "nightly: `.ci/nightly-buildgrid`"]
fn buildgrid_builds() {
    builds_on(&servers::buildgrid(), Path::new(assert_cmd::cargo::cargo_bin!("nnue")), true);
}

#[test]
fn justbuild_builds() {
    let Some(justbuild) = servers::justbuild() else { return };
    // Its workers have the file system of this machine, but not the environment in which a program finds libtorch.
    let here = || Some(PathBuf::from(assert_cmd::cargo::cargo_bin!("nnue")));
    let Some(tool) = (if cfg!(feature = "torch") { static_tool() } else { here() }) else { return };
    builds_on(&justbuild.url, &tool, false);
}

/// A program that needs the libraries of this machine, where there are none.
#[test]
fn a_worker_that_cannot_start_the_program_ends_the_cluster_and_no_build() {
    let Some(casd) = servers::casd() else { return };
    let tool = PathBuf::from(assert_cmd::cargo::cargo_bin!("nnue"));
    let project = project(&casd.url, &tool, "");
    let ran = project.nnue(&["build", "-j1"]).ok();
    assert!(outputs(&project) == *alone());
    assert!(!warnings(&ran).is_empty() && warnings(&ran).len() <= 2, "{}", ran.transcript());
    let _ = std::fs::remove_dir_all(project.at(".nnue"));
    let ran = project.nnue(&["build", "-k", "--force", "--remote-fallback", "no"]);
    assert!(ran.code == 1 && ran.err.contains("gather did not run on the cluster"), "{}", ran.transcript());
}

#[test]
fn nobody_there_is_one_warning_and_an_error_only_for_whom_wants_it() {
    let tool = PathBuf::from(assert_cmd::cargo::cargo_bin!("nnue"));
    let project = project("grpc://127.0.0.1:1", &tool, "");
    let ran = project.nnue(&["build"]).ok();
    assert_warned_once(&ran, "disabling the cluster `grpc://127.0.0.1:1` for this run");
    assert!(outputs(&project) == *alone());
    let _ = std::fs::remove_dir_all(project.at(".nnue"));
    let ran = project.nnue(&["build", "--force", "--remote-fallback", "no"]);
    assert!(ran.code == 1 && ran.err.contains("did not run on the cluster"), "{}", ran.transcript());
}

#[test]
fn a_build_with_nothing_to_do_connects_to_nobody() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("grpc://{}", listener.local_addr().unwrap());
    let tool = PathBuf::from(assert_cmd::cargo::cargo_bin!("nnue"));
    let project = project(&url, &tool, "");
    project.nnue(&["build", "--remote", "off"]).ok();
    for look in [&["build"][..], &["build", "big"], &["build", "--locked"], &["build", "--dry-run"], &["status"], &["verify", "--rebuild"]]
    {
        let ran = project.nnue(look).ok();
        assert_eq!(warnings(&ran), [""; 0], "{}", ran.transcript());
    }
    assert!(listener.accept().is_err(), "somebody connected");
}

/// Linked as usual, this program says what workers need.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn a_program_that_is_not_static_says_how_to_get_one_that_is() {
    let project = client_with("[remote]\nurl = \"grpc://127.0.0.1:1\"\n");
    let ran = project.nnue(&["build"]);
    let parts = ["workers cannot run this `nnue`", "packaging/static-linux.sh", "[remote] tool", "--remote off", "nnue.toml:"];
    assert!(ran.code == 2 && parts.iter().all(|part| ran.err.contains(part)), "{}", ran.transcript());
}
