//! Prints the README's table of builds in which nothing, or one file, changed: `nnue` beside ninja and make on an equal graph.
//!
//! Run with `cargo bench --bench graph_table`; `-- --nets N` for another size than 1,000. Each net has a source of its own and five
//! actions (load, gather, search, permute, write); ninja and make get one edge and one file for each action, with the same inputs.
//! Both must be installed (Debian: `ninja-build`, `make`), or their columns are left out. Times are wall-clock medians of 15 runs of the
//! whole process, taken in turn; what is quoted is the ratio of one run.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use nnue::internals::format::nnue::{Compression, write};
use nnue::internals::net::random_network;
use nnue::internals::positions::generate;

const RUNS: usize = 15;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let nets = args.iter().position(|arg| arg == "--nets").and_then(|at| args.get(at + 1)?.parse().ok()).unwrap_or(1000);
    println!("| nets | actions | command | median ms | to ninja |");
    println!("| ---: | ---: | --- | ---: | ---: |");
    for nets in [1, nets] {
        measure(nets);
    }
}

fn measure(nets: usize) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path();
    write_project(root, nets);
    let nnue = env!("CARGO_BIN_EXE_nnue");
    let run = |program: &str, args: &[&str]| {
        let status = Command::new(program).args(args).current_dir(root).stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    assert!(run(nnue, &["build"]), "the project of the benchmark builds");
    // Files that were written a moment ago are looked into again: the rule for racily clean files.
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert!(run(nnue, &["build"]), "the project of the benchmark is up to date");
    let one = format!("net{}", nets - 1);
    let mut commands: Vec<(&str, &str, Vec<&str>)> = vec![
        ("nnue build", nnue, vec!["build"]),
        ("nnue build --dry-run", nnue, vec!["build", "--dry-run"]),
        ("nnue status --json", nnue, vec!["status", "--json"]),
        ("nnue explain NET", nnue, vec!["explain", &one]),
        ("nnue build NET", nnue, vec!["build", &one]),
    ];
    for (name, program, args) in [("ninja", "ninja", vec![]), ("make", "make", vec!["-j2"])] {
        if run(program, &args) {
            commands.push((name, program, args));
        } else {
            eprintln!("{name} is not installed: left out");
        }
    }
    let mut times: Vec<Vec<f64>> = vec![Vec::new(); commands.len()];
    for _ in 0..RUNS {
        for ((name, program, args), times) in commands.iter().zip(&mut times) {
            let start = Instant::now();
            assert!(run(program, args), "{name}");
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    let medians: Vec<f64> = times.iter_mut().map(|times| median(times)).collect();
    let ninja = commands.iter().position(|(name, ..)| *name == "ninja").map(|at| medians[at]);
    for ((name, ..), median) in commands.iter().zip(&medians) {
        let ratio = ninja.map_or_else(|| "-".to_owned(), |ninja| format!("{:.2}", median / ninja));
        println!("| {nets} | {} | `{name}` | {median:.1} | {ratio} |", nets * 5);
    }
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// The same graph three times: `nnue.toml`, `build.ninja`, `Makefile`.
fn write_project(root: &Path, nets: usize) {
    fs::create_dir_all(root.join("sources")).expect("a writable folder");
    fs::create_dir_all(root.join("made")).expect("a writable folder");
    let fens: String = generate(1, 200).iter().map(|position| position.to_fen() + "\n").collect();
    fs::write(root.join("positions.fen"), fens).expect("a writable folder");
    let mut manifest = String::from("version = 1\n\n[data.games]\npath = \"positions.fen\"\n");
    let mut ninja = String::from("rule copy\n  command = cp $first $out\n");
    let mut make = String::from(".DEFAULT_GOAL := all\n");
    let mut all = String::from("all:");
    for net in 0..nets {
        let mut bytes = Vec::new();
        write(&mut bytes, &random_network("small", 8, net as u64), Compression::None).expect("memory");
        fs::write(root.join(format!("sources/{net}.nnue")), bytes).expect("a writable folder");
        write!(
            manifest,
            "\n[net.net{net}]\nsource = \"sources/{net}.nnue\"\noutputs = [\"dist/{net}.nnue\"]\n[net.net{net}.optimize]\ndata = \"games\"\npositions = 50\n"
        )
        .expect("memory");
        let source = format!("sources/{net}.nnue");
        let made = |stage: &str| format!("made/{net}.{stage}");
        let edges = [
            (made("load"), vec![source]),
            (made("gather"), vec![made("load"), "positions.fen".to_owned()]),
            (made("search"), vec![made("gather")]),
            (made("permute"), vec![made("load"), made("search")]),
            (made("write"), vec![made("permute")]),
        ];
        for (out, inputs) in &edges {
            let list = inputs.join(" ");
            writeln!(ninja, "build {out}: copy {list}\n  first = {}", inputs[0]).expect("memory");
            writeln!(make, "{out}: {list}\n\tcp $< $@").expect("memory");
        }
        write!(all, " {}", made("write")).expect("memory");
    }
    fs::write(root.join("nnue.toml"), manifest).expect("a writable folder");
    fs::write(root.join("build.ninja"), ninja).expect("a writable folder");
    fs::write(root.join("Makefile"), format!("{make}{all}\n")).expect("a writable folder");
}
