//! Positions: feature indices of each block, and a seeded sample of training data, decoding included.
//!
//! Numbers are a position unless said otherwise. The sample reads `$NNUE_TEST_DATA/golden/small.binpack` (434,921 entries in one chunk)
//! and is skipped where that is not there.

use std::path::PathBuf;

use divan::{Bencher, black_box, counter::ItemsCount};
use nnue::internals::{
    ctx::Ctx,
    net::{Block, ThreatTable},
    positions::{Filters, Position, Selection, active_features_both, generate, select},
};

fn main() {
    divan::main();
}

const BLOCKS: [Block; 7] = [
    Block::HalfKp,
    Block::HalfKa,
    Block::HalfKaV2Hm,
    Block::Pp3Wide,
    Block::FullThreats(ThreatTable::T79856),
    Block::FullThreats(ThreatTable::T60720),
    Block::FullThreats(ThreatTable::T59808),
];

/// Indices of both perspectives.
#[divan::bench(args = BLOCKS)]
fn indices(bencher: Bencher, block: Block) {
    let positions = generate(1, 10_000);
    let mut out = [Vec::with_capacity(256), Vec::with_capacity(256)];
    bencher.counter(ItemsCount::new(positions.len())).bench_local(|| {
        for position in &positions {
            out.iter_mut().for_each(Vec::clear);
            active_features_both(block, position, &mut out);
            black_box(&out);
        }
    });
}

/// Entries read for a sample of this many positions.
#[divan::bench(args = [10_000, 100_000])]
fn sample(bencher: Bencher, count: u64) {
    let path = PathBuf::from(std::env::var_os("NNUE_TEST_DATA").unwrap_or_default()).join("golden/small.binpack");
    if !path.exists() {
        return;
    }
    let selection = Selection { count: Some(count), held_out: 0, seed: 0, filters: Filters::default() };
    bencher.counter(ItemsCount::new(434_921u32)).bench(|| select(std::slice::from_ref(&path), &selection, &Ctx::silent()));
}

#[divan::bench]
fn fen(bencher: Bencher) {
    let fens: Vec<String> = generate(1, 10_000).iter().map(Position::to_fen).collect();
    bencher.counter(ItemsCount::new(fens.len())).bench(|| fens.iter().filter_map(|fen| Position::from_fen(fen).ok()).count());
}
