//! Prints what remembering costs: an optimized build that fills an empty cache beside one whose cache cannot be written, and the speed
//! at which files are digested beside that of BLAKE3 on all cores over the same bytes in memory.
//!
//! Run with `cargo bench --bench cache_table`; `NNUE_BENCH_NET` names a real net (for example the 47 MB net of Debian's Stockfish 15.1),
//! else a random one of L1 = 1024 is made. The two builds take turns, 15 times each; times are medians of whole processes.

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use nnue::internals::ctx::Ctx;
use nnue::internals::files::hash_file_blake3;
use nnue::internals::format::nnue::{Compression, write};
use nnue::internals::net::random_network;
use nnue::internals::positions::generate;

const RUNS: usize = 15;

fn main() {
    builds();
    digests();
}

fn builds() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path();
    let source = root.join("source.nnue");
    match std::env::var_os("NNUE_BENCH_NET") {
        Some(net) => drop(fs::copy(net, &source).expect("NNUE_BENCH_NET names a file")),
        None => {
            let mut bytes = Vec::new();
            write(&mut bytes, &random_network("SFNNv5", 1024, 1), Compression::None).expect("memory");
            fs::write(&source, bytes).expect("a writable folder");
        }
    }
    let fens: String = generate(1, 25_000).iter().map(|position| position.to_fen() + "\n").collect();
    fs::write(root.join("positions.fen"), fens).expect("a writable folder");
    let manifest = "version = 1\n[data.games]\npath = \"positions.fen\"\n[net.a]\nsource = \"source.nnue\"\noutputs = [\"dist/\"]\n\
        [net.a.optimize]\ndata = \"games\"\npositions = 10_000\n";
    fs::write(root.join("nnue.toml"), manifest).expect("a writable folder");
    // Below a file no folder can be made: nothing is stored, and nothing is found.
    let nowhere = root.join("positions.fen").join("cache");
    let caches = [("empty cache", root.join("cache")), ("no cache", nowhere)];
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..RUNS {
        for ((_, cache), times) in caches.iter().zip(&mut times) {
            for left in ["cache", "dist", ".nnue"] {
                let _ = fs::remove_dir_all(root.join(left));
            }
            times.push(build(root, cache));
        }
    }
    let [with, without] = times.map(|mut times| median(&mut times));
    println!("| build of an optimized net, 10,000 positions | median ms |");
    println!("| --- | ---: |");
    println!("| {} | {with:.1} |", caches[0].0);
    println!("| {} | {without:.1} |", caches[1].0);
    println!("| overhead | {:+.2} % |\n", 100.0 * (with / without - 1.0));
}

fn build(root: &Path, cache: &Path) -> f64 {
    let start = Instant::now();
    let status = Command::new(env!("CARGO_BIN_EXE_nnue"))
        .args(["build", "--backend", "cpu"])
        .env("NNUE_CACHE_DIR", cache)
        .current_dir(root)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(status.expect("the program starts").success(), "the project of the benchmark builds");
    start.elapsed().as_secs_f64() * 1e3
}

fn digests() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("large");
    let data: Vec<u8> = (0..600_000_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    fs::write(&path, &data).expect("a writable folder");
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..RUNS {
        let start = Instant::now();
        black_box(blake3::Hasher::new().update_rayon(&data).finalize());
        times[0].push(start.elapsed().as_secs_f64());
        let start = Instant::now();
        black_box(hash_file_blake3(&path, &Ctx::silent()).expect("the file is there"));
        times[1].push(start.elapsed().as_secs_f64());
    }
    let speeds = times.map(|mut times| data.len() as f64 / 1e9 / median(&mut times));
    println!("| 600 MB | GB/s |");
    println!("| --- | ---: |");
    println!("| BLAKE3 in memory, all cores | {:.2} |", speeds[0]);
    println!("| a file in the page cache | {:.2} |", speeds[1]);
    println!("| ratio | {:.0} % |", 100.0 * speeds[1] / speeds[0]);
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
