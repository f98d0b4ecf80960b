//! Prints a Markdown table: evaluations a second beside gathering and beside a real engine, and what a proof adds to a build.
//!
//! Run with `cargo bench --bench evaluate_table` on a machine that does nothing else; threads are rayon's (`RAYON_NUM_THREADS`). Times are
//! medians of 7 runs. `NNUE_BENCH_NET` names the network, an engine with one inside by default: `/usr/games/stockfish`. Positions are those
//! of `$NNUE_TEST_DATA/golden/small.binpack`.
//!
//! The engine is compared by the time for which it keeps one thread: its `bench` takes so long for each node that it searches, of which
//! about one has one evaluation. That holds making moves, hash tables and all else that a search does, but also its accumulators are
//! updated by a move or two, where positions here have nothing to do with each other. So it is a bound of the order, printed as what it is.

use std::{
    hint::black_box,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use nnue::internals::{
    ctx::Ctx,
    evaluate::{Evaluator, prove},
    family::nnue::stages::{
        gather::gather,
        load::{Loaded, load},
    },
    format::nnue::Expectation,
    net::{FT127, QuantizedNetwork},
    positions::{Filters, Position, Selection, select},
};

const RUNS: usize = 7;
const ENGINE: &str = "/usr/games/stockfish";

fn main() {
    let data = PathBuf::from(std::env::var_os("NNUE_TEST_DATA").unwrap_or_default()).join("golden/small.binpack");
    let net = std::env::var_os("NNUE_BENCH_NET").map_or_else(|| PathBuf::from(ENGINE), PathBuf::from);
    if !data.exists() || !net.exists() {
        println!("`{}` or `{}` is missing", data.display(), net.display());
        return;
    }
    let (ctx, network) = (Ctx::silent(), network(&net));
    let evaluator = Evaluator::new(&network).expect("an engine's scales");
    println!("Threads: {}\n", rayon::current_num_threads());
    println!("| work | positions | seconds | positions a second |\n| --- | ---: | ---: | ---: |");
    let row = |name: &str, count: usize, time: Duration| {
        let seconds = time.as_secs_f64();
        println!("| {name} | {count} | {seconds:.4} | {:.0} |", count as f64 / seconds);
    };
    for count in [10_000, 100_000] {
        let positions = positions(&data, count);
        row("gather", count, median(|| gather(&network, &positions, None, &ctx).expect("nothing cancels it")));
        row("the engine's bucket", count, median(|| evaluator.evaluate(&positions, &ctx).expect("nothing cancels it")));
        row("every bucket", count, median(|| evaluator.evaluate_buckets(&positions, &ctx).expect("nothing cancels it")));
        row("a proof: two networks, every sum", count, median(|| prove(&network, &network, &positions, &ctx).expect("it is the same")));
    }
    let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("one thread");
    let positions = positions(&data, 100_000);
    let ours = alone.install(|| median(|| evaluator.evaluate(&positions, &ctx).expect("nothing cancels it"))).as_secs_f64() / 1e5;
    println!("\nOne thread: {:.2} µs an evaluation of unrelated positions", 1e6 * ours);
    if let Some(theirs) = time_a_node() {
        println!("Stockfish: {:.2} µs a node of its bench; {:.2} of these are an evaluation here", 1e6 * theirs, ours / theirs);
    }
    built(&net, &data);
}

/// Seconds that the engine takes for a node of its bench.
fn time_a_node() -> Option<f64> {
    let mut child = Command::new(ENGINE).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().ok()?;
    child.stdin.take()?.write_all(b"bench\nquit\n").ok()?;
    let output = child.wait_with_output().ok()?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let speed = text.lines().find_map(|line| line.strip_prefix("Nodes/second"))?;
    Some(1.0 / speed.trim_start_matches([' ', ':']).parse::<f64>().ok()?)
}

/// What a proof adds to a build that runs every stage.
fn built(net: &Path, data: &Path) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let manifest = format!(
        "version = 1\n[source.net]\npath = \"{}\"\nquantization = \"ft127\"\n[data.small]\npath = \"{}\"\n\
         [net.big]\nsource = \"net\"\ncompression = \"none\"\noutputs = \"big.nnue\"\n[net.big.optimize]\ndata = \"small\"\n",
        net.display(),
        data.display()
    );
    std::fs::write(folder.path().join("nnue.toml"), manifest).expect("it can be written");
    let build = |proves: &str| {
        let program = env!("CARGO_BIN_EXE_nnue");
        let mut command = Command::new(program);
        command
            .current_dir(folder.path())
            .args(["build", "--force", "--quiet", "--set", proves])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        assert!(command.status().expect("it runs").success());
    };
    let (with, without) = (median(|| build("net.big.prove.seed=0")), median(|| build("net.big.prove=false")));
    let (with, without) = (with.as_secs_f64(), without.as_secs_f64());
    println!("\nA build of every stage, 10,000 positions: {without:.3} s without a proof, {with:.3} s with one: {:+.3} s", with - without);
}

fn network(path: &Path) -> QuantizedNetwork {
    let wanted = Expectation { quantization: Some(&FT127), ..Expectation::default() };
    match load(path, &wanted).expect("`NNUE_BENCH_NET` names a network") {
        Loaded::Quantized(parsed) => parsed.network,
        Loaded::Float(_) => panic!("`NNUE_BENCH_NET` names a network of integers"),
    }
}

fn positions(data: &Path, count: usize) -> Vec<Position> {
    let selection = Selection { count: Some(count as u64), held_out: 0, seed: 0, filters: Filters::default() };
    select(&[data.to_owned()], &selection, &Ctx::silent()).expect("the golden file is whole").positions
}

fn median<T>(mut work: impl FnMut() -> T) -> Duration {
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            black_box(work());
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[RUNS / 2]
}
