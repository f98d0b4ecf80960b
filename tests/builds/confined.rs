//! Whatever takes over the process while it reads a file finds that the process has no rights: nothing but what was named can be opened.
//!
//! A library of the test's own (`tests/builds/confined.c`) tries it in the real binary.

use std::path::Path;
use std::process::Command;

use crate::cli_support::Ran;
use crate::project;

#[test]
fn a_process_that_reads_a_network_can_do_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("confined.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/builds/confined.c");
    let compiled = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source).output();
    if !compiled.as_ref().is_ok_and(|output| output.status.success()) {
        assert!(std::env::var_os("CI").is_none(), "cc cannot make a library: {compiled:?}");
        println!("skipped: cc cannot make a library: {compiled:?}");
        return;
    }
    let path = folder.path().join("project");
    project::make(&path);
    std::fs::create_dir(path.join("out")).unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    for file in ["run.pt", "run.safetensors", "run.npz"] {
        project::assert_ok(&project::command(&path, &["convert", "run.nnue", file, "--quantization", "ft127"]).output().unwrap());
    }
    let secret = folder.path().join("secret");
    let log = folder.path().join("log");
    let run = |args: &[&str], new: &Path| {
        let _ = (std::fs::remove_file(&log), std::fs::remove_file(new), std::fs::remove_dir(new.with_extension("folder")));
        std::fs::write(&secret, "secret").unwrap();
        let mut command = project::command(&path, args);
        command.env("LD_PRELOAD", &library).env("PROBE_LOG", &log).env("PROBE_SECRET", &secret).env("PROBE_NEW", new);
        command.env("PROBE_FOLDER", new.with_extension("folder")).env("PROBE_PORT", &port);
        let ran = Ran::of(command.output().unwrap()).ok();
        let said: Vec<(String, String)> = std::fs::read_to_string(&log)
            .unwrap()
            .lines()
            .filter_map(|line| line.split_once(": "))
            .map(|(what, came)| (what.to_owned(), came.to_owned()))
            .collect();
        assert_eq!(said.len(), 6, "{said:?}\n{}", ran.transcript());
        (ran, said)
    };
    let new = path.join("planted");
    // What is not confined can do all of it: so the library sees what is so.
    let (_, said) = run(&["eval", "run.nnue", "--quantization", "ft127", "--fen", project::START], &new);
    assert!(said.iter().all(|(_, came)| came == "done"), "{said:?}");
    let (ran, _) = run(&["inspect", "run.pt", "-v"], &new);
    if ran.err.contains("not confined by the kernel") {
        assert!(std::env::var_os("CI").is_none(), "{}", ran.err);
        println!("skipped: {}", ran.err);
        return;
    }
    let mut tried = 0;
    for file in ["run.pt", "run.safetensors", "run.npz", "run.nnue"] {
        for args in [
            &["inspect", file, "-v"][..],
            &["inspect", file, "-v", "--json"],
            &["inspect", file, "-v", "--histogram"],
            &["convert", file, "out/new.nnue", "-v"],
            &["convert", file, "out/new.npz", "-v", "--quantization", "ft127"],
            &["convert", file, "out/made", "-v", "--out-sha"],
        ] {
            let (ran, said) = run(args, &new);
            assert!(ran.err.contains("confined by the kernel (Landlock"), "{args:?}: {}", ran.transcript());
            let network = if ran.err.contains("of which it knows a part") { "connect" } else { "" };
            let allowed: Vec<_> = said.iter().filter(|(what, came)| came != "denied" && what != network).collect();
            assert!(allowed.is_empty(), "{args:?}: {allowed:?}");
            assert!(!new.exists() && std::fs::read_to_string(&secret).unwrap() == "secret", "{args:?}");
            tried += said.len();
        }
    }
    println!("tried from inside of confined processes: {tried}");
    // Without `-v` nothing is said of it.
    let (ran, _) = run(&["inspect", "run.pt"], &new);
    assert_eq!(ran.err, "");
}
