//! Prints the README's table: seconds of gather and search, peak memory and zero blocks, by L1, positions, backend and threads.
//!
//! Run with `cargo bench --bench optimize_table`; `-- --large` adds a million positions. Each row is a process of its own, so that its
//! peak memory is its own. Times are of one run each: quote ratios. Nets: `NNUE_BENCH_NET` names a real one for its L1 (for example
//! the 47 MB net of Debian's Stockfish 15.1), the others are random. Positions: `$NNUE_TEST_DATA/golden/small.binpack`, and random games beyond
//! its 406,343.

use std::path::PathBuf;
use std::sync::{Arc, atomic::AtomicBool};
use std::time::Instant;

use nnue::internals::ctx::{Backend, Ctx, Silent};
use nnue::internals::family::nnue::stages::gather::gather;
use nnue::internals::format::nnue::{Expectation, read};
use nnue::internals::net::{Permutation, QuantizedNetwork, random_network};
use nnue::internals::permutation::{Algorithm, SearchParams, search, zero_blocks};
use nnue::internals::positions::{Filters, Position, Selection, generate, select};

/// One row: L1, positions, backend, threads, algorithm.
type Row = (usize, usize, &'static str, usize, &'static str);

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if let Some(at) = args.iter().position(|arg| arg == "--row") {
        return measure(&args[at + 1..]);
    }
    let large = args.iter().any(|arg| arg == "--large");
    let mut rows: Vec<Row> = Vec::new();
    for l1 in [128, 1024, 3072] {
        rows.extend([(l1, 10_000, "cpu", 1, "greedy"), (l1, 10_000, "cpu", 2, "greedy"), (l1, 10_000, "opencl", 2, "greedy")]);
        rows.push((l1, 10_000, "cpu", 2, "anneal"));
        rows.extend([(l1, 100_000, "cpu", 1, "greedy"), (l1, 100_000, "cpu", 2, "greedy")]);
        if large {
            rows.push((l1, 1_000_000, "cpu", 2, "greedy"));
        }
    }
    println!("| L1 | positions | backend | threads | algorithm | gather s | search s | peak MB | zero blocks before | after | held out |");
    println!("| ---: | ---: | --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    let program = std::env::current_exe().expect("a running program has a path");
    for (l1, positions, backend, threads, algorithm) in rows {
        let output = std::process::Command::new(&program)
            .env("RAYON_NUM_THREADS", threads.to_string())
            .args(["--row", &l1.to_string(), &positions.to_string(), backend, &threads.to_string(), algorithm])
            .output()
            .expect("the program starts itself");
        print!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    }
}

fn measure(row: &[String]) {
    let [l1, count, backend, threads, algorithm, ..] = row else { return };
    let (l1, count): (usize, usize) = (l1.parse().expect("a number"), count.parse().expect("a number"));
    let backend_of = |name: &str| if name == "opencl" { Backend::OpenCl } else { Backend::Cpu };
    let ctx = Ctx::new(Arc::new(AtomicBool::new(false)), Arc::new(Silent), backend_of(backend));
    let network = network(l1);
    let (train, held_out) = positions(count, &ctx);
    let start = Instant::now();
    let matrix = gather(&network, &train, None, &ctx).expect("nothing cancels it");
    let gathered = start.elapsed().as_secs_f64();
    let held_out = gather(&network, &held_out, None, &ctx).expect("nothing cancels it");
    drop(network);
    let algorithm_of = |name: &str| if name == "anneal" { Algorithm::Anneal } else { Algorithm::Greedy };
    let params = SearchParams { algorithm: algorithm_of(algorithm), ..SearchParams::default() };
    let start = Instant::now();
    let found = match search(&matrix, &params, &ctx) {
        Ok(found) => found,
        Err(error) => return println!("| {l1} | {count} | {backend} | {threads} | {algorithm} | {gathered:.3} | {error} | | | | |"),
    };
    let searched = start.elapsed().as_secs_f64();
    let identity = Permutation::identity(matrix.half()).expect("a matrix has neurons");
    let share = |permutation: &Permutation| 100.0 * zero_blocks(&held_out, permutation).expect("the sizes agree").fraction();
    println!(
        "| {l1} | {count} | {backend} | {threads} | {algorithm} | {gathered:.3} | {searched:.3} | {} | {:.2} % | {:.2} % | {:.2} → {:.2} % |",
        peak_mb(),
        100.0 * found.before.fraction(),
        100.0 * found.after.fraction(),
        share(&identity),
        share(&found.permutation),
    );
}

fn network(l1: usize) -> QuantizedNetwork {
    let real = std::env::var_os("NNUE_BENCH_NET").map(|path| std::fs::read(path).expect("NNUE_BENCH_NET can be read"));
    match real.map(|bytes| read(&bytes, &Expectation::default()).expect("NNUE_BENCH_NET is a net").network) {
        Some(network) if network.architecture.l1 == l1 => network,
        _ => random_network("SFNNv5", l1, 1),
    }
}

/// As many positions as asked for, and up to 10,000 others.
fn positions(count: usize, ctx: &Ctx) -> (Vec<Position>, Vec<Position>) {
    const HELD_OUT: usize = 10_000;
    const IN_FILE: usize = 390_000;
    let path = PathBuf::from(std::env::var_os("NNUE_TEST_DATA").unwrap_or_default()).join("golden/small.binpack");
    if !path.exists() {
        let mut all = generate(1, count + HELD_OUT);
        let held_out = all.split_off(count);
        return (all, held_out);
    }
    let selection = Selection { count: Some(count.min(IN_FILE) as u64), held_out: HELD_OUT as u64, seed: 0, filters: Filters::default() };
    let sampled = select(&[path], &selection, ctx).expect("the golden file is whole");
    let mut train = sampled.positions;
    train.extend(generate(1, count - train.len()));
    (train, sampled.held_out)
}

/// The process's largest resident size so far; 0 where the system does not say.
fn peak_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|text| text.trim().trim_end_matches("kB").trim().parse::<u64>().ok()).unwrap_or(0) / 1024
}
