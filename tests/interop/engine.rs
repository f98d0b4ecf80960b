//! A real engine loads what we build: Debian's Stockfish 15.1 searches the same tree with its own net and with the optimized one.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::common;
/// Debian's `stockfish`, or the program named by `NNUE_TEST_STOCKFISH`.
fn stockfish() -> Option<PathBuf> {
    let named = std::env::var_os("NNUE_TEST_STOCKFISH").map(PathBuf::from);
    let found = named.into_iter().chain(["/usr/games/stockfish".into(), "/usr/bin/stockfish".into()]).find(|path: &PathBuf| path.exists());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "Debian's package `stockfish` is missing, and CI must not skip this");
        println!("skipped: no stockfish (`apt-get install stockfish`, or set NNUE_TEST_STOCKFISH)");
    }
    found
}

/// Sends commands and returns all that the engine printed.
fn uci(engine: &Path, folder: &Path, commands: &str) -> String {
    let mut child =
        Command::new(engine).current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(commands.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn bench(engine: &Path, folder: &Path, net: &str) -> u64 {
    let text = uci(engine, folder, &format!("setoption name EvalFile value {net}\nbench 16 1 11\nquit\n"));
    let nodes = text.lines().find_map(|line| line.strip_prefix("Nodes searched")).unwrap_or_else(|| panic!("{text}"));
    assert!(!text.contains("ERROR"), "{text}");
    nodes.trim_start_matches([' ', ':']).parse().unwrap()
}

fn nnue() -> Command {
    Command::new(env!("CARGO_BIN_EXE_nnue"))
}

#[test]
fn an_optimized_net_searches_the_same_tree() {
    let (Some(golden), Some(engine)) = (common::golden(), stockfish()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    uci(&engine, path, "export_net sf151.nnue\nquit\n");
    let original = std::fs::read(path.join("sf151.nnue")).unwrap();
    assert!(common::sha256(&original).starts_with("ad9b42354671"), "Stockfish 15.1 has nn-ad9b42354671");
    let data = golden.join("small.binpack").canonicalize().unwrap();
    let manifest = format!(
        "version = 1\n[source.sf]\npath = \"sf151.nnue\"\narchitecture = \"SFNNv5\"\nl1 = 1024\n\
         [data.small]\npath = \"{}\"\n\
         [net.big]\nsource = \"sf\"\ncompression = \"none\"\noutputs = [\"big.nnue\"]\n\
         [net.big.optimize]\ndata = \"small\"\npositions = 10_000\n",
        data.display()
    );
    std::fs::write(path.join("nnue.toml"), manifest).unwrap();
    let output = nnue().arg("-C").arg(path).args(["build", "--json"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let zero = &report["nets"][0]["zero_blocks"];
    println!("zero blocks: {zero}");
    assert_eq!(zero["positions"], 10_000);
    assert!((0.45..0.55).contains(&zero["before"].as_f64().unwrap()), "{zero}");
    assert!((0.62..0.70).contains(&zero["after"].as_f64().unwrap()), "{zero}");
    assert_eq!(bench(&engine, path, "sf151.nnue"), bench(&engine, path, "big.nnue"));
    assert_ne!(std::fs::read(path.join("big.nnue")).unwrap(), original);
}

#[test]
fn the_net_inside_the_engine_is_a_source() {
    let (Some(_), Some(engine)) = (common::golden(), stockfish()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("out.nnue");
    let output = nnue().arg("convert").arg(&engine).arg(&target).args(["--ft_compression", "none"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(common::sha256(&std::fs::read(&target).unwrap()).starts_with("ad9b42354671"));
}

/// The recorded permutation of the real net, and the recorded bytes of both forms.
#[test]
fn the_recorded_permutation_of_the_real_net_gives_the_recorded_bytes() {
    let (Some(golden), Some(engine)) = (common::golden(), stockfish()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    uci(&engine, path, "export_net sf151.nnue\nquit\n");
    let c = golden.join("public/C_ftperm");
    let manifest = common::json(&c.join("sf151/manifest.json"));
    let run = |args: &[&std::ffi::OsStr]| {
        let output = nnue().current_dir(path).args(args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let fens = c.join("positions_public_2000.fen");
    for (era, rule) in [("sf151", "255:257"), ("sf151_trainer_of_its_time", "127:65")] {
        let packed = std::fs::read(c.join(era).join("sf151_2000.actmat_packed.npy")).unwrap();
        let expected = nnue::permutation::read_matrix(&packed, Some(1024)).unwrap();
        let fens = fens.to_str().unwrap();
        let args = ["perm", "gather", "--net", "sf151.nnue", "--data", fens, "--count", "2000", "--out", "act.npy", "--zero-rule", rule];
        run(&args.map(AsRef::as_ref));
        let found = nnue::permutation::read_matrix(&std::fs::read(path.join("act.npy")).unwrap(), None).unwrap();
        assert_eq!(found, expected, "{era}");
        run(&["perm", "find", "--data", "act.npy", "--out", "perm.npy"].map(AsRef::as_ref));
        assert_eq!(std::fs::read(path.join("perm.npy")).unwrap(), std::fs::read(c.join(era).join("sf151_2000.perm.npy")).unwrap(), "{era}");
        if era == "sf151" {
            for (compression, step) in [("none", "perm_none"), ("leb128", "perm_leb128")] {
                let args = ["convert", "sf151.nnue", "out.nnue", "--ft_perm", "perm.npy", "--ft_compression", compression];
                run(&args.map(AsRef::as_ref));
                let sha256 = common::sha256(&std::fs::read(path.join("out.nnue")).unwrap());
                assert_eq!(sha256, manifest["serialize"][step]["sha256"], "{step}");
            }
        }
    }
}
