use proptest::prelude::*;

use super::*;
use crate::net::Permutation;
use crate::permutation::zero_blocks;

/// The best of all orders, by trying them.
fn best_by_trying(weights: &[i64], n: usize) -> i64 {
    fn go(weights: &[i64], n: usize, row: usize, taken: u32) -> i64 {
        if row == n {
            return 0;
        }
        let free = (0..n).filter(|column| taken >> column & 1 == 0);
        free.map(|column| weights[row * n + column] + go(weights, n, row + 1, taken | 1 << column)).max().unwrap()
    }
    go(weights, n, 0, 0)
}

proptest! {
    #[test]
    fn the_assignment_is_the_best(n in 1usize..7, seed: u64, spread in 1i64..1000) {
        let mut random = Xoshiro::new(seed);
        let weights: Vec<i64> = (0..n * n).map(|_| random.next_u64().cast_signed() % spread).collect();
        let found = largest_assignment(&weights, n);
        let mut columns = found.clone();
        columns.sort_unstable();
        prop_assert_eq!(columns, (0..n as u32).collect::<Vec<_>>());
        let sum: i64 = found.iter().enumerate().map(|(row, &column)| weights[row * n + column as usize]).sum();
        prop_assert_eq!(sum, best_by_trying(&weights, n));
    }
}

fn matrix(positions: usize, half: usize) -> ActivationMatrix {
    let words = (2 * positions).div_ceil(64);
    // Two numbers of each neuron: some resemble each other, so that there is something to find.
    let word = |neuron: u64, at: u64| crate::random::mix([neuron % 9, at]) | crate::random::mix([neuron, at, 7]);
    let rows: Vec<u64> = (0..half as u64).flat_map(|neuron| (0..words as u64).map(move |at| word(neuron, at))).collect();
    ActivationMatrix::from_word_rows(positions, half, &rows).unwrap()
}

fn zero(matrix: &ActivationMatrix, perm: &[u32]) -> i64 {
    zero_blocks(matrix, &Permutation::try_from(perm).unwrap()).unwrap().zero.cast_signed()
}

/// Blocks that are not a multiple of a tile, samples that are not one of a piece.
#[test]
fn the_sum_that_is_kept_is_the_sum_that_is() {
    for (positions, half) in [(100, 8), (700, 20), (20_000, 36)] {
        let matrix = matrix(positions, half);
        let mut state = State::new(&matrix, (0..half as u32).collect());
        let mut random = Xoshiro::new(3);
        for step in 0..12 {
            assert_eq!(state.zero, zero(&matrix, &state.perm), "{half}, step {step}");
            let exchange = if step % 3 == 2 { state.two(&mut random) } else { state.one(&mut random) };
            let assignment = exchange.assignment(|| below(&mut random, 50));
            state.make(&exchange, &assignment);
        }
        assert_eq!(state.zero, zero(&matrix, &state.perm), "{half}");
    }
}

#[test]
fn threads_change_nothing_and_no_order_gets_worse() {
    let matrix = matrix(3000, 64);
    let start: Vec<u32> = (0..64).collect();
    let run = |threads: usize, steps| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let limits = Limits { moves: steps, deadline: None };
        pool.install(|| assign(&matrix, start.clone(), 11, limits, &Ctx::silent()).unwrap().perm)
    };
    let before = zero(&matrix, &start);
    for steps in [0, 1, 7, 200] {
        let found = run(1, steps);
        assert_eq!(found, run(3, steps), "{steps}");
        assert!(zero(&matrix, &found) > before, "{steps}");
    }
}

#[test]
fn one_block_has_nothing_to_exchange() {
    let matrix = matrix(10, 4);
    let limits = Limits { moves: 5, deadline: None };
    assert_eq!(assign(&matrix, vec![2, 0, 3, 1], 0, limits, &Ctx::silent()).unwrap().perm, [2, 0, 3, 1]);
}
