//! Gathering: positions a second, without and with the decoding of their file.
//!
//! Run with `cargo bench --bench gather`, or `cargo bench --bench gather -- threats` for a part; threads are rayon's
//! (`RAYON_NUM_THREADS`). Positions are samples of `$NNUE_TEST_DATA/golden/small.binpack` (434,921 entries, one chunk, so it is decoded by one
//! thread) and, where that is not there, of random games, which have no decoding. Weights are random unless `NNUE_BENCH_NET` names a
//! `.nnue` file for the first group; random weights take as long as trained ones.

use std::path::PathBuf;

use divan::{Bencher, counter::ItemsCount};
use nnue::internals::{
    ctx::Ctx,
    family::nnue::stages::gather::gather,
    format::nnue::{Expectation, read},
    net::{QuantizedNetwork, random_network},
    positions::{Filters, Position, Selection, generate, select},
};

fn main() {
    divan::main();
}

/// How many positions; 0 is all that are not in check, 406,343.
const COUNTS: [u64; 3] = [10_000, 100_000, 0];

/// HalfKAv2_hm, L1 = 1024.
#[divan::bench(args = COUNTS, sample_count = 9)]
fn half_ka_v2_hm(bencher: Bencher, count: u64) {
    without_decoding(bencher, &half_ka_network(), count);
}

/// Full_Threats+HalfKAv2_hm, L1 = 1024.
#[divan::bench(args = COUNTS, sample_count = 9)]
fn threats(bencher: Bencher, count: u64) {
    without_decoding(bencher, &random_network("SFNNv13", 1024, 1), count);
}

/// Full_Threats+PP_3Wide+HalfKAv2_hm, L1 = 1024.
#[divan::bench(args = COUNTS, sample_count = 9)]
fn threats_and_pawn_pairs(bencher: Bencher, count: u64) {
    without_decoding(bencher, &random_network("SFNNv16", 1024, 1), count);
}

/// As [`half_ka_v2_hm`], decoding and sampling included.
#[divan::bench(args = COUNTS, sample_count = 9)]
fn half_ka_v2_hm_decoded(bencher: Bencher, count: u64) {
    with_decoding(bencher, &half_ka_network(), count);
}

/// As [`threats`], decoding and sampling included.
#[divan::bench(args = COUNTS, sample_count = 9)]
fn threats_decoded(bencher: Bencher, count: u64) {
    with_decoding(bencher, &random_network("SFNNv13", 1024, 1), count);
}

fn half_ka_network() -> QuantizedNetwork {
    match std::env::var_os("NNUE_BENCH_NET") {
        Some(path) => {
            let bytes = std::fs::read(&path).expect("`NNUE_BENCH_NET` names a file");
            read(&bytes, &Expectation::default()).expect("`NNUE_BENCH_NET` names a network").network
        }
        None => random_network("SFNNv5", 1024, 1),
    }
}

fn file() -> Option<PathBuf> {
    let path = PathBuf::from(std::env::var_os("NNUE_TEST_DATA").unwrap_or_default()).join("golden/small.binpack");
    path.exists().then_some(path)
}

fn sample(path: &PathBuf, count: u64) -> Vec<Position> {
    let selection = Selection { count: (count > 0).then_some(count), held_out: 0, seed: 0, filters: Filters::default() };
    select(std::slice::from_ref(path), &selection, &Ctx::silent()).expect("the golden file is whole").positions
}

fn without_decoding(bencher: Bencher, network: &QuantizedNetwork, count: u64) {
    let positions = match file() {
        Some(path) => sample(&path, count),
        None => generate(1, if count == 0 { 400_000 } else { count as usize }),
    };
    bencher.counter(ItemsCount::new(positions.len())).bench(|| gather(network, &positions, None, &Ctx::silent()));
}

fn with_decoding(bencher: Bencher, network: &QuantizedNetwork, count: u64) {
    let Some(path) = file() else { return };
    let taken = sample(&path, count).len();
    bencher.counter(ItemsCount::new(taken)).bench(|| gather(network, &sample(&path, count), None, &Ctx::silent()));
}
