//! Annealing of a permutation by random 2-swaps with exact gains. Knows nothing of the search before and after it.
//!
//! Threshold accepting: a swap that loses fewer zero blocks than the present threshold is made. Unlike acceptance by a probability, that
//! needs integers only, so a seed gives the same permutation on every machine. The threshold falls linearly to 0 in each of a series of
//! cycles, each twice as long and a little hotter than the one before. What happens at a move depends on nothing that comes later: a run
//! of fewer moves is the beginning of a longer one, and may be stopped at any time.
//!
//! * Cycle `c` (from 0) has `2^(c + 1) * n²` moves for `n` = L1/2 and begins at `samples * min(c + 1, 6) / 256` blocks.
//! * Move `s` draws one number: its high half gives place `i` = `high * n >> 32`, its low half place `j` = `low * (n - 4) >> 32` among the
//!   places of the other blocks. The threshold is that of the last move that is a multiple of 1024.
//! * A move that gains nothing and loses nothing is made while the threshold is above 0.

use std::time::Instant;

use super::{kernel::Kernel, matrix::ActivationMatrix};
use crate::{ctx::Ctx, error::Result, random::Xoshiro};

/// Moves between two looks at the threshold, the clock, and the wish to cancel.
const BATCH: u64 = 1024;
/// Cycles that a default run makes where the samples are not too many.
const CYCLES: u32 = 6;
/// Words of columns that a default run may look at: some ten seconds.
const BUDGET: u128 = 1 << 34;

/// What bounds a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Moves tried, at most.
    pub(super) moves: u64,
    /// Ends the run after the batch in which this time comes.
    pub(super) deadline: Option<Instant>,
}

/// The moves of a run that nothing is said of: six cycles, or as many as keep the work within ten seconds or so, but at least two.
pub(super) fn default_moves(matrix: &ActivationMatrix) -> u64 {
    let moves = |cycles: u32| (matrix.half() as u128).pow(2) * ((2 << cycles) - 2);
    let affordable = |cycles: &u32| moves(*cycles) * matrix.words_per_column() as u128 <= BUDGET;
    let cycles = (3..=CYCLES).rev().find(affordable).unwrap_or(2);
    u64::try_from(moves(cycles)).expect("at most 2^28 * 2^7")
}

/// The best order found, and the moves tried.
pub(super) struct Annealed {
    pub(super) perm: Vec<u32>,
    pub(super) zero: u64,
    pub(super) moves: u64,
}

/// Anneals from `perm`, a permutation of the matrix's neurons, a multiple of 4 of them. Never returns less zero blocks than `perm` has.
pub(super) fn anneal(matrix: &ActivationMatrix, perm: Vec<u32>, seed: u64, limits: Limits, ctx: &Ctx) -> Result<Annealed> {
    let mut state = State::new(matrix, perm);
    let mut best = Annealed { perm: state.perm.clone(), zero: state.zero, moves: 0 };
    let places = state.perm.len() as u64;
    if places <= 4 {
        return Ok(best);
    }
    let mut random = Xoshiro::new(seed);
    let mut cycle = Cycle::first(matrix);
    while best.moves < limits.moves && limits.deadline.is_none_or(|deadline| Instant::now() < deadline) {
        ctx.check()?;
        let threshold = cycle.threshold(best.moves);
        let batch = BATCH.min(limits.moves - best.moves);
        for _ in 0..batch {
            let number = random.next_u64();
            let i = (((number >> 32) * places) >> 32) as usize;
            let j = (((number & u64::from(u32::MAX)) * (places - 4)) >> 32) as usize;
            let j = if j / 4 < i / 4 { j } else { j + 4 };
            state.try_swap(i, j, threshold);
            if state.zero > best.zero {
                best.zero = state.zero;
                best.perm.copy_from_slice(&state.perm);
            }
        }
        best.moves += batch;
        ctx.progress().advance(super::ANNEAL_TASK, batch);
    }
    Ok(best)
}

/// Where in the schedule a move lies.
struct Cycle {
    number: u64,
    begin: u128,
    length: u128,
    samples: u128,
}

impl Cycle {
    fn first(matrix: &ActivationMatrix) -> Self {
        Self { number: 0, begin: 0, length: 2 * (matrix.half() as u128).pow(2), samples: matrix.samples() as u128 }
    }

    /// Blocks that move `at` may lose. Must be asked in ascending order.
    fn threshold(&mut self, at: u64) -> i64 {
        while u128::from(at) >= self.begin + self.length {
            self.begin += self.length;
            self.length *= 2;
            self.number += 1;
        }
        let left = self.begin + self.length - u128::from(at);
        let hottest = self.samples * u128::from((self.number + 1).min(6));
        i64::try_from(hottest * left / (256 * self.length)).expect("at most the number of samples")
    }
}

/// The present order and the counts known of it.
struct State<'a> {
    matrix: &'a ActivationMatrix,
    kernel: Kernel,
    perm: Vec<u32>,
    zero: u64,
    /// Zero samples of each block.
    held: Vec<u32>,
    /// `counts[place * half + neuron]`: zero samples of the place's block if that neuron stood there; where `known` says so. Most are never
    /// asked for before their block changes, so they are counted one by one when a move needs them.
    counts: Vec<u32>,
    /// One bit for each of `counts`; a block's places fill whole words.
    known: Vec<u64>,
    /// Words of `known` for one block.
    known_words: usize,
}

impl<'a> State<'a> {
    fn new(matrix: &'a ActivationMatrix, perm: Vec<u32>) -> Self {
        let half = matrix.half();
        let kernel = Kernel::best();
        let (blocks, _) = perm.as_chunks::<4>();
        let held: Vec<u32> =
            blocks.iter().map(|block| kernel.count_common(block.map(|neuron| matrix.column(neuron as usize))) as u32).collect();
        let known_words = (4 * half).div_ceil(64);
        Self {
            matrix,
            kernel,
            zero: held.iter().map(|&count| u64::from(count)).sum(),
            known: vec![0; blocks.len() * known_words],
            known_words,
            held,
            counts: vec![0; half * half],
            perm,
        }
    }

    /// Exchanges the neurons at `i` and `j`, places of two blocks, if that loses at most `threshold` zero blocks.
    fn try_swap(&mut self, i: usize, j: usize, threshold: i64) {
        let at_j = self.count(j, self.perm[i]);
        let at_i = self.count(i, self.perm[j]);
        let gain = i64::from(at_i) + i64::from(at_j) - i64::from(self.held[i / 4]) - i64::from(self.held[j / 4]);
        if gain < -threshold || (gain == 0 && threshold == 0) {
            return;
        }
        self.zero = self.zero.saturating_add_signed(gain);
        self.perm.swap(i, j);
        for (place, count) in [(i, at_i), (j, at_j)] {
            self.held[place / 4] = count;
            self.known[place / 4 * self.known_words..][..self.known_words].fill(0);
        }
    }

    /// Zero samples of the block of `place` if `neuron` stood there.
    fn count(&mut self, place: usize, neuron: u32) -> u32 {
        let half = self.matrix.half();
        let at = place * half + neuron as usize;
        let (block, entry) = (place / 4, place % 4 * half + neuron as usize);
        let known = &mut self.known[block * self.known_words + entry / 64];
        if *known >> (entry % 64) & 1 == 0 {
            *known |= 1 << (entry % 64);
            let columns = std::array::from_fn(|k| {
                let place_k = 4 * block + k;
                self.matrix.column(if place_k == place { neuron } else { self.perm[place_k] } as usize)
            });
            // A count is at most the number of samples, which fits.
            self.counts[at] = self.kernel.count_common(columns) as u32;
        }
        self.counts[at]
    }
}
