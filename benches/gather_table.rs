//! Prints a Markdown table: what gathering takes by L1 and number of positions, and what the machine's caches and memory give.
//!
//! Run with `cargo bench --bench gather_table`; threads are rayon's (`RAYON_NUM_THREADS`). Times are medians of 7 runs, decoding not
//! included. Positions are samples of `$NNUE_TEST_DATA/golden/small.binpack` and, where that is not there, of random games; weights are random.

use std::{
    hint::black_box,
    path::PathBuf,
    time::{Duration, Instant},
};

use nnue::internals::{
    ctx::Ctx,
    family::nnue::stages::gather::gather,
    net::random_network,
    positions::{Filters, Position, Selection, generate, select},
};
use rayon::prelude::*;

const RUNS: usize = 7;

fn main() {
    let threads = rayon::current_num_threads();
    println!("Threads: {threads}\n");
    println!("| read again and again, by each thread | GB/s of all threads |\n| --- | ---: |");
    for (name, kib) in [("256 KiB", 256), ("8 MiB", 8 << 10), ("256 MiB", 256 << 10)] {
        println!("| {name} | {:.1} |", read_rate(kib << 10, threads) / 1e9);
    }
    println!("\n| blocks | L1 | positions | seconds | positions a second |\n| --- | ---: | ---: | ---: | ---: |");
    for (generation, sizes) in [("SFNNv5", [128, 1024, 3072].as_slice()), ("SFNNv13", &[1024])] {
        for &l1 in sizes {
            let network = random_network(generation, l1, 1);
            let blocks: Vec<&str> = network.blocks.iter().map(|block| block.block.name()).collect();
            for count in [10_000, 100_000] {
                let positions = positions(count);
                let seconds = median(|| gather(&network, &positions, None, &Ctx::silent()).expect("nothing cancels it")).as_secs_f64();
                println!("| {} | {l1} | {count} | {seconds:.4} | {:.0} |", blocks.join("+"), count as f64 / seconds);
            }
        }
    }
}

fn positions(count: usize) -> Vec<Position> {
    let path = PathBuf::from(std::env::var_os("NNUE_TEST_DATA").unwrap_or_default()).join("golden/small.binpack");
    if !path.exists() {
        return generate(1, count);
    }
    let selection = Selection { count: Some(count as u64), held_out: 0, seed: 0, filters: Filters::default() };
    select(&[path], &selection, &Ctx::silent()).expect("the golden file is whole").positions
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

/// Bytes a second that all threads together read, each from `bytes` of its own.
fn read_rate(bytes: usize, threads: usize) -> f64 {
    let data: Vec<Vec<u64>> = (0..threads).into_par_iter().map(|_| (0..bytes as u64 / 8).collect()).collect();
    let rounds = ((1 << 30) / bytes).max(2);
    let time = median(|| {
        data.par_iter()
            .map(|data| {
                let mut sums = [0u64; 16];
                for _ in 0..rounds {
                    for part in black_box(data).as_chunks::<16>().0 {
                        sums.iter_mut().zip(part).for_each(|(sum, word)| *sum = sum.wrapping_add(*word));
                    }
                }
                sums.iter().fold(0u64, |all, sum| all.wrapping_add(*sum))
            })
            .collect::<Vec<_>>()
    });
    (rounds * bytes * threads) as f64 / time.as_secs_f64()
}
