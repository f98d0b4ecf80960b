use super::*;
use crate::permutation::{SearchParams, search::search as search_order, zero_blocks};

/// Neurons of which some resemble each other.
fn matrix(positions: usize, half: usize, seed: u64) -> ActivationMatrix {
    let words = (2 * positions).div_ceil(64);
    let word = |neuron: u64, at: u64| crate::random::mix([neuron % 5, at, seed]) | crate::random::mix([neuron, at, seed, 7]);
    let rows: Vec<u64> = (0..half as u64).flat_map(|neuron| (0..words as u64).map(move |at| word(neuron, at))).collect();
    ActivationMatrix::from_word_rows(positions, half, &rows).unwrap()
}

/// The most zero samples of any order, by trying all ways to take the first free neuron's block.
fn optimum(matrix: &ActivationMatrix, best: &mut std::collections::HashMap<u32, u64>, taken: u32) -> u64 {
    let n = matrix.half();
    if taken.count_ones() as usize == n {
        return 0;
    }
    if let Some(known) = best.get(&taken) {
        return *known;
    }
    let free: Vec<usize> = (0..n).filter(|neuron| taken >> neuron & 1 == 0).collect();
    let mut most = 0;
    for (at, b) in free.iter().enumerate().skip(1) {
        for (k, c) in free.iter().enumerate().skip(at + 1) {
            for d in &free[k + 1..] {
                let block = [free[0], *b, *c, *d];
                let zero = (0..matrix.words_per_column())
                    .map(|word| u64::from(block.iter().fold(u64::MAX, |all, neuron| all & matrix.column(*neuron)[word]).count_ones()))
                    .sum::<u64>();
                let mask = block.iter().fold(taken, |mask, neuron| mask | 1 << neuron);
                most = most.max(zero + optimum(matrix, best, mask));
            }
        }
    }
    best.insert(taken, most);
    most
}

#[test]
fn no_order_has_more_and_the_bound_is_near_the_best() {
    for (positions, half, seed) in [(60, 4, 1), (200, 8, 2), (300, 12, 3), (500, 16, 4), (40_000, 12, 5)] {
        let matrix = matrix(positions, half, seed);
        let optimum = optimum(&matrix, &mut std::collections::HashMap::new(), 0);
        let identity = Permutation::identity(half).unwrap();
        let mut last = u64::MAX;
        for rounds in [1, 2, 30] {
            let bound = bound(&matrix, &identity, BoundLimits { rounds, time: None }, &Ctx::silent()).unwrap();
            assert!(bound.at_most >= optimum && bound.at_most <= last, "{half} neurons, {rounds} rounds: {bound:?}, optimum {optimum}");
            last = bound.at_most;
        }
        // Fractions of blocks may reach a little more than whole ones.
        assert!(last as f64 <= optimum as f64 * 1.02 + 1.0, "{half} neurons: {last} for {optimum}");
    }
}

#[test]
fn threads_change_nothing_and_no_search_finds_more() {
    let matrix = matrix(2000, 40, 9);
    let found = search_order(&matrix, &SearchParams::default(), &Ctx::silent()).unwrap().permutation;
    let run = |threads: usize, rounds| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| bound(&matrix, &found, BoundLimits { rounds, time: None }, &Ctx::silent()).unwrap())
    };
    let few = run(1, 4);
    assert_eq!(few, run(3, 4));
    assert!(few.at_most >= zero_blocks(&matrix, &found).unwrap().zero);
    let many = run(2, 40);
    assert!(many.at_most <= few.at_most);
    let found = zero_blocks(&matrix, &found).unwrap();
    assert!(many.at_most >= found.zero && many.at_most - found.zero < found.total / 100, "{many:?} {found:?}");
}

#[test]
fn networks_that_are_too_large_are_refused() {
    let matrix = ActivationMatrix::from_word_rows(1, 516, &vec![0; 516]).unwrap();
    let limits = BoundLimits { rounds: 1, time: None };
    let error = bound(&matrix, &Permutation::identity(516).unwrap(), limits, &Ctx::silent()).unwrap_err();
    assert!(error.to_string().contains("L1=1032"), "{error}");
}
