//! Evaluating: positions a second of the bucket that the engine takes and of all buckets, beside gathering, which shares the accumulators.
//!
//! Run with `cargo bench --bench evaluate`; threads are rayon's (`RAYON_NUM_THREADS`). Positions are samples of
//! `$NNUE_TEST_DATA/golden/small.binpack` or, where that is not there, of random games. Weights are random unless `NNUE_BENCH_NET` names a
//! `.nnue` file or an engine for the groups of HalfKAv2_hm; random weights take as long as trained ones.

use std::path::PathBuf;

use divan::{Bencher, counter::ItemsCount};
use nnue::internals::{
    ctx::Ctx,
    evaluate::{Evaluator, bounds, prove, trace},
    family::nnue::stages::{
        gather::gather,
        load::{Loaded, load},
    },
    format::nnue::Expectation,
    net::{QuantizedNetwork, random_network},
    positions::{Filters, Position, Selection, generate, select},
};

fn main() {
    divan::main();
}

/// The engine's bucket, HalfKAv2_hm, L1 = 1024.
#[divan::bench(args = [10_000, 100_000], sample_count = 9)]
fn half_ka_v2_hm(bencher: Bencher, count: u64) {
    let (network, positions) = (half_ka_network(), positions(count));
    let evaluator = Evaluator::new(&network).expect("an engine's scales");
    bencher.counter(ItemsCount::new(positions.len())).bench(|| evaluator.evaluate(&positions, &Ctx::silent()));
}

/// As [`half_ka_v2_hm`], every bucket.
#[divan::bench(args = [10_000, 100_000], sample_count = 9)]
fn half_ka_v2_hm_buckets(bencher: Bencher, count: u64) {
    let (network, positions) = (half_ka_network(), positions(count));
    let evaluator = Evaluator::new(&network).expect("an engine's scales");
    bencher.counter(ItemsCount::new(positions.len())).bench(|| evaluator.evaluate_buckets(&positions, &Ctx::silent()));
}

/// What shares the accumulators, for comparison.
#[divan::bench(args = [10_000, 100_000], sample_count = 9)]
fn half_ka_v2_hm_gather(bencher: Bencher, count: u64) {
    let (network, positions) = (half_ka_network(), positions(count));
    bencher.counter(ItemsCount::new(positions.len())).bench(|| gather(&network, &positions, None, &Ctx::silent()));
}

/// A proof, two networks and all sums.
#[divan::bench(args = [10_000], sample_count = 9)]
fn half_ka_v2_hm_prove(bencher: Bencher, count: u64) {
    let (network, positions) = (half_ka_network(), positions(count));
    bencher.counter(ItemsCount::new(positions.len())).bench(|| prove(&network, &network, &positions, &Ctx::silent()));
}

/// Full_Threats+PP_3Wide+HalfKAv2_hm, L1 = 1024.
#[divan::bench(args = [10_000, 100_000], sample_count = 9)]
fn threats_and_pawn_pairs(bencher: Bencher, count: u64) {
    let (network, positions) = (random_network("SFNNv16", 1024, 1), positions(count));
    let evaluator = Evaluator::new(&network).expect("an engine's scales");
    bencher.counter(ItemsCount::new(positions.len())).bench(|| evaluator.evaluate(&positions, &Ctx::silent()));
}

/// The plain reference on one thread, every bucket.
#[divan::bench(args = [1_000], sample_count = 5)]
fn reference(bencher: Bencher, count: u64) {
    let (network, positions) = (half_ka_network(), positions(count));
    bencher
        .counter(ItemsCount::new(positions.len()))
        .bench(|| positions.iter().map(|position| trace(&network, position).value()).collect::<Vec<_>>());
}

/// Bounds of all sums.
#[divan::bench(sample_count = 3)]
fn half_ka_v2_hm_bounds(bencher: Bencher) {
    let network = half_ka_network();
    bencher.bench(|| bounds(&network, &Ctx::silent()));
}

fn half_ka_network() -> QuantizedNetwork {
    let Some(path) = std::env::var_os("NNUE_BENCH_NET") else { return random_network("SFNNv5", 1024, 1) };
    match load(&PathBuf::from(path), &Expectation::default()).expect("`NNUE_BENCH_NET` names a network") {
        Loaded::Quantized(parsed) => parsed.network,
        Loaded::Float(_) => panic!("`NNUE_BENCH_NET` names a network of integers"),
    }
}

fn positions(count: u64) -> Vec<Position> {
    let path = PathBuf::from(std::env::var_os("NNUE_TEST_DATA").unwrap_or_default()).join("golden/small.binpack");
    if !path.exists() {
        return generate(1, count as usize);
    }
    let selection = Selection { count: Some(count), held_out: 0, seed: 0, filters: Filters::default() };
    select(&[path], &selection, &Ctx::silent()).expect("the golden file is whole").positions
}
