//! A real engine loads what we build: Debian's Stockfish 15.1 searches the same tree with its own net and with the optimized one.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::common;
/// Debian's `stockfish`, or the program named by `NNUE_TEST_STOCKFISH`.
pub(super) fn stockfish() -> Option<PathBuf> {
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

/// In a build, before the file has its name: with a net of its own and with one that an engine of another time reads alone.
#[test]
fn a_build_asks_the_engine() {
    let (Some(golden), Some(engine)) = (common::golden(), stockfish()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    uci(&engine, path, "export_net sf151.nnue\nquit\n");
    let data = golden.join("small.binpack").canonicalize().unwrap();
    let manifest = format!(
        "version = 1\n[source.sf]\npath = \"sf151.nnue\"\narchitecture = \"SFNNv5\"\nl1 = 1024\nquantization = \"ft127\"\n\
         [data.small]\npath = \"{}\"\n[net.big]\nsource = \"sf\"\noutputs = [\"dist/\"]\n\
         [net.big.optimize]\ndata = \"small\"\npositions = 1_000\n\
         [net.big.engine]\npath = \"{}\"\nbench_arguments = \"16 1 7\"\noptions = [\"Threads=1\"]\nspeed = 3\n",
        data.display(),
        engine.display()
    );
    std::fs::write(path.join("nnue.toml"), &manifest).unwrap();
    let build = |more: &[&str]| nnue().arg("-C").arg(path).args(["build", "--json"]).args(more).output().unwrap();
    let output = build(&[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let said = &report["nets"][0]["engine"];
    println!("{said}");
    assert_eq!((&said["exported"], &said["against"]), (&"bytes".into(), &"source".into()));
    assert!(said["nodes"].as_u64().unwrap() > 10_000 && said["name"].as_str().unwrap().starts_with("Stockfish"), "{said}");
    let ratio = said["speed"]["ratio"].as_f64().unwrap();
    assert!((0.2..5.0).contains(&ratio), "{said}");
    // Stockfish 15.1 reads no packed nets: such a file does not get its name.
    let refused = build(&["--set", "net.big.compression=leb128", "--set", "net.big.outputs=[\"packed.nnue\"]"]);
    let says = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(1) && says.contains("`packed.nnue` was not published"), "{says}");
    assert!(!path.join("packed.nnue").exists());
}

/// The bound of a transformer's sums is kept by real positions, and not many times what they give: the example that is committed and the
/// engine's own net.
#[test]
fn bounds_of_sums_hold_and_are_near() {
    use nnue::internals::evaluate::{bounds, largest_seen};
    use nnue::internals::family::nnue::stages::load::{Loaded, load};
    use nnue::internals::positions::{Filters, Selection, select};
    let (Some(golden), Some(engine)) = (common::golden(), stockfish()) else { return };
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/quickstart");
    let ctx = nnue::internals::ctx::Ctx::silent();
    for (net, data) in [(example.join("random.nnue"), example.join("positions.fen")), (engine, golden.join("small.binpack"))] {
        let wanted = nnue::internals::format::nnue::Expectation { quantization: Some(&nnue::internals::net::FT127), ..Default::default() };
        let Ok(Loaded::Quantized(parsed)) = load(&net, &wanted) else { panic!("{}", net.display()) };
        let selection = Selection { count: Some(300), held_out: 0, seed: 2, filters: Filters::default() };
        let positions = select(&[data], &selection, &ctx).unwrap().positions;
        let bound = bounds(&parsed.network, &ctx).unwrap();
        let seen = largest_seen(&parsed.network, &positions, &ctx).unwrap();
        let held = bound.neurons.iter().zip(&seen).all(|(bound, seen)| bound.low <= seen.low && seen.high <= bound.high);
        let largest = seen.iter().map(|range| range.size()).max().unwrap();
        let ratio = bound.worst().unwrap().1.size() as f64 / largest as f64;
        println!("{}: the bound is {ratio:.2} times what was seen", net.display());
        assert!(held && (1.0..8.0).contains(&ratio), "{}: {ratio}", net.display());
    }
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

/// The rows of an evaluation table, and where its mark is.
fn tables(text: &str) -> Vec<Vec<(Vec<String>, bool)>> {
    let mut tables = Vec::new();
    for line in text.lines() {
        let cells: Vec<String> = line.split('|').map(|cell| cell.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        let is_row = cells.len() == 6 && cells[1].parse::<usize>().is_ok();
        if is_row && cells[1] == "0" {
            tables.push(Vec::new());
        }
        if is_row {
            tables.last_mut().unwrap().push((cells[1..5].to_vec(), cells[5].contains("this bucket is used")));
        }
    }
    tables
}

/// 200 positions of real games: every cell of the engine's table, rounding included, with its own net and with the optimized one.
#[test]
fn tables_of_evaluations_are_the_engines() {
    let (Some(golden), Some(engine)) = (common::golden(), stockfish()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    uci(&engine, path, "export_net sf151.nnue\nquit\n");
    let data = golden.join("small.binpack");
    let selection = nnue::internals::positions::Selection {
        count: Some(200),
        held_out: 0,
        seed: 1,
        filters: nnue::internals::positions::Filters::default(),
    };
    let positions = nnue::internals::positions::select(&[data], &selection, &nnue::internals::ctx::Ctx::silent()).unwrap().positions;
    let fens: Vec<String> = positions.iter().map(|position| position.to_fen()).collect();
    let half = (0..512u32).rev().collect::<Vec<_>>();
    let mut perm = Vec::new();
    nnue::internals::permutation::write_permutation(&nnue::internals::net::Permutation::try_from(half.as_slice()).unwrap(), &mut perm)
        .unwrap();
    std::fs::write(path.join("perm.npy"), perm).unwrap();
    let args = ["convert", "sf151.nnue", "other.nnue", "--ft_perm", "perm.npy", "--ft_compression", "none", "--quantization", "ft127"];
    let output = nnue().current_dir(path).args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for net in ["sf151.nnue", "other.nnue"] {
        let commands: Vec<String> = fens.iter().map(|fen| format!("position fen {fen}\neval\n")).collect();
        let theirs = uci(&engine, path, &format!("setoption name EvalFile value {net}\n{}quit\n", commands.concat()));
        let mut args = vec!["eval", net, "--architecture", "SFNNv5", "--quantization", "ft127", "--fen"];
        args.extend(fens.iter().map(String::as_str));
        let output = nnue().current_dir(path).args(args).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let (theirs, ours) = (tables(&theirs), tables(&String::from_utf8(output.stdout).unwrap()));
        assert_eq!((theirs.len(), ours.len()), (200, 200), "{net}");
        for ((theirs, ours), fen) in theirs.iter().zip(&ours).zip(&fens) {
            assert_eq!(ours, theirs, "{net} {fen}");
        }
    }
}

/// The trainers' own f32 forward over the real net, in the arithmetic of its time and in that of January 2026.
#[test]
fn the_float_forward_of_the_real_net_is_the_trainers() {
    let (Some(golden), Some(engine)) = (common::golden(), stockfish()) else { return };
    for (file, scales) in [("sf151_trainer_of_its_time", &nnue::internals::net::FT127), ("sf151", &nnue::internals::net::FT255)] {
        let wanted = nnue::internals::format::nnue::Expectation { quantization: Some(scales), ..Default::default() };
        let Ok(nnue::internals::family::nnue::stages::load::Loaded::Quantized(parsed)) =
            nnue::internals::family::nnue::stages::load::load(&engine, &wanted)
        else {
            panic!("a net inside")
        };
        let ctx = nnue::internals::ctx::Ctx::silent();
        let float =
            nnue::internals::family::nnue::stages::dequantize::dequantize(&std::sync::Arc::new(parsed.network), &ctx).unwrap().coalesce();
        let records = common::json(&golden.join(format!("public/E_outputs/{file}.json")));
        let mut largest = 0.0f64;
        for record in records.as_array().unwrap() {
            let position = nnue::internals::positions::Position::from_fen(record["fen"].as_str().unwrap()).unwrap();
            let bucket = usize::try_from(record["bucket"].as_u64().unwrap()).unwrap();
            let trace = nnue::internals::evaluate::forward(&float, &position, bucket).unwrap();
            largest = largest.max((f64::from(trace.value()) - record["forward_f32"].as_f64().unwrap()).abs());
        }
        println!("{file}: largest distance {largest:e}");
        assert!(largest < 1e-5, "{file}: {largest:e}");
    }
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
        let expected = nnue::internals::permutation::read_matrix(&packed, Some(1024)).unwrap();
        let fens = fens.to_str().unwrap();
        let args = ["perm", "gather", "--net", "sf151.nnue", "--data", fens, "--count", "2000", "--out", "act.npy", "--zero-rule", rule];
        run(&args.map(AsRef::as_ref));
        let found = nnue::internals::permutation::read_matrix(&std::fs::read(path.join("act.npy")).unwrap(), None).unwrap();
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
