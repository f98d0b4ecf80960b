//! Speed of the permutation search: the inner loop, one full count, and whole searches.
//!
//! `cargo bench --bench search`; with `NNUE_BENCH_LARGE=1` also a million positions at L1=3072 (some 800 MB of memory, a minute). The matrices are
//! made up: neurons of a few dozen clusters that are zero together, and noise, from a fixed rule.

use divan::{Bencher, counter::ItemsCount};
use nnue::internals::{
    ctx::Ctx,
    permutation::{ActivationMatrix, Algorithm, Cpu, Kernel, MatrixBuilder, SearchBackend, SearchParams, search_with},
};

fn main() {
    divan::main();
}

fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

fn matrix(positions: usize, l1: usize) -> ActivationMatrix {
    let (half, mut state) = (l1 / 2, 0x9E37_79B9_7F4A_7C15);
    let mut builder = MatrixBuilder::new(positions, half).unwrap();
    let mut row = vec![0; half];
    for _ in 0..positions.div_ceil(32) {
        let clusters: [u64; 48] = std::array::from_fn(|_| random(&mut state) | random(&mut state));
        for (neuron, word) in row.iter_mut().enumerate() {
            let noise = random(&mut state) & random(&mut state) & random(&mut state);
            *word = (clusters[neuron * 29 % 48] ^ noise) | (random(&mut state) & random(&mut state));
        }
        builder.push(&row).unwrap();
    }
    builder.finish().unwrap()
}

/// The inner loop on data of the first-level cache: the machine's peak in words (of 64 bits, an AND and a count each) for each kernel.
#[divan::bench(args = kernels())]
fn inner_loop(bencher: Bencher, name: &str) {
    let kernel = *Kernel::available().iter().find(|kernel| kernel.name() == name).unwrap();
    let mut state = 1;
    let data: Vec<Vec<u64>> = (0..8).map(|_| (0..128).map(|_| random(&mut state)).collect()).collect();
    let rows = std::array::from_fn(|k| data[k].as_slice());
    let columns = std::array::from_fn(|k| data[4 + k].as_slice());
    bencher.counter(ItemsCount::new(16 * 128 * 1000usize)).bench(|| {
        for _ in 0..1000 {
            divan::black_box(kernel.count_shared(divan::black_box(rows), divan::black_box(columns)));
        }
    });
}

/// The same for the inner loop of annealing, which ANDs four words for each count.
#[divan::bench(args = kernels())]
fn inner_loop_of_annealing(bencher: Bencher, name: &str) {
    let kernel = *Kernel::available().iter().find(|kernel| kernel.name() == name).unwrap();
    let mut state = 1;
    let data: Vec<Vec<u64>> = (0..4).map(|_| (0..128).map(|_| random(&mut state)).collect()).collect();
    let columns = std::array::from_fn(|k| data[k].as_slice());
    bencher.counter(ItemsCount::new(128 * 1000usize)).bench(|| {
        for _ in 0..1000 {
            divan::black_box(kernel.count_common(divan::black_box(columns)));
        }
    });
}

fn kernels() -> Vec<&'static str> {
    Kernel::available().iter().map(|kernel| kernel.name()).collect()
}

fn sizes() -> Vec<(usize, usize)> {
    let mut sizes = vec![(10_000, 128), (10_000, 1024), (10_000, 3072), (100_000, 1024)];
    if std::env::var_os("NNUE_BENCH_LARGE").is_some() {
        sizes.push((1_000_000, 3072));
    }
    sizes
}

/// Every neuron at every place, once, on all threads: words of both threads together. Compare with [`inner_loop`].
#[divan::bench(args = sizes(), sample_count = 5, sample_size = 1)]
fn full_count(bencher: Bencher, (positions, l1): (usize, usize)) {
    let matrix = matrix(positions, l1);
    let half = l1 / 2;
    let blocks: Vec<[u32; 4]> = (0..half as u32 / 4).map(|block| std::array::from_fn(|k| 4 * block + k as u32)).collect();
    let mut counts = vec![0; half * half];
    let cpu = Cpu::new();
    let mut counter = cpu.prepare(&matrix).unwrap();
    bencher
        .counter(ItemsCount::new(half * half * matrix.words_per_column()))
        .bench_local(|| counter.overlap_counts(&blocks, &mut counts, &Ctx::silent()));
}

#[divan::bench(args = sizes(), sample_count = 3, sample_size = 1)]
fn greedy(bencher: Bencher, (positions, l1): (usize, usize)) {
    let matrix = matrix(positions, l1);
    bencher.bench_local(|| search_with(&Cpu::new(), &matrix, &SearchParams::default(), &Ctx::silent(), |_| {}));
}

/// A million moves.
#[divan::bench(args = [(10_000, 128), (10_000, 1024)], sample_count = 3, sample_size = 1)]
fn anneal(bencher: Bencher, (positions, l1): (usize, usize)) {
    let matrix = matrix(positions, l1);
    let params = SearchParams { algorithm: Algorithm::Anneal, budget: Some(1_000_000), ..SearchParams::default() };
    bencher.bench_local(|| search_with(&Cpu::new(), &matrix, &params, &Ctx::silent(), |_| {}));
}
