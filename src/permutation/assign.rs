//! Search by exact assignment: one neuron, or two, leave every block, and all are put back where they serve best together.
//! Knows nothing of the search before it.
//!
//! What a neuron is worth at a free place hangs only on the three that stay in that block, since every block gives and takes one; so the
//! best way to put all of them back is an assignment problem, solved exactly. Noise on the values, which falls to nothing, lets a step lose
//! and so leads out of local optima; a polish without noise ends the search. Integers only: a seed gives the same permutation on every
//! machine and with any number of threads.
//!
//! * The noise falls in a series of cycles, each twice as long as the one before, the first of 150 steps; each begins at the best order so
//!   far. Step `k` of a cycle of `K` adds `below(amp)` to every value, `amp = samples * 8 * (K - k) / (1000 * K) + 1`. What happens at a
//!   step depends on nothing that comes later: a run of fewer steps, less its polish, is the beginning of a longer one.
//! * Four steps of five move one neuron of each block, drawn at random; the fifth moves two, and two stay.
//! * The polish takes a step only if it gains. After each fourth failure in a row it tries one of two neurons; after 40 it ends.

use std::time::Instant;

use rayon::prelude::*;

use super::anneal::Limits;
use super::kernel::{Kernel, LANE, common};
use super::matrix::ActivationMatrix;
use super::objective::BLOCK;
use crate::ctx::Ctx;
use crate::error::Result;
use crate::random::Xoshiro;

/// Steps of the first cycle.
const FIRST_CYCLE: u64 = 150;
/// Cycles that a default run makes where the network is small and the samples are few.
const CYCLES: u32 = 3;
/// Work that a default run may do, in words of columns looked at and entries of assignments: a few seconds.
const BUDGET: u128 = 1 << 36;
/// What an entry of an assignment costs, in words.
const ENTRY_COST: u128 = 64;
/// Failures in a row that end the polish.
const PATIENCE: u32 = 40;
/// Words of all columns that are looked at before the next ones: so many lie in a core's own cache.
const PIECE: usize = 64 * LANE;

/// The noisy steps of a run that nothing is said of: three cycles, or as many as the work allows, but at least one.
pub(super) fn default_steps(matrix: &ActivationMatrix) -> u64 {
    let blocks = (matrix.half() / BLOCK) as u128;
    let steps = |cycles: u32| u128::from(FIRST_CYCLE) * ((1 << cycles) - 1);
    let cost = |cycles: &u32| steps(*cycles) * blocks.pow(2) * (matrix.words_per_column() as u128 + ENTRY_COST);
    let cycles = (2..=CYCLES).rev().find(|cycles| cost(cycles) <= BUDGET).unwrap_or(1);
    u64::try_from(steps(cycles)).expect("at most 1050")
}

/// The best order found, and the noisy steps made.
pub(super) struct Assigned {
    pub(super) perm: Vec<u32>,
    pub(super) steps: u64,
}

/// Improves `perm`, a permutation of the matrix's neurons, a multiple of 4 of them. Never returns less zero blocks than `perm` has.
pub(super) fn assign(matrix: &ActivationMatrix, perm: Vec<u32>, seed: u64, limits: Limits, ctx: &Ctx) -> Result<Assigned> {
    let mut state = State::new(matrix, perm);
    if state.blocks() < 2 {
        return Ok(Assigned { perm: state.perm, steps: 0 });
    }
    let mut random = Xoshiro::new(seed);
    let (mut best, mut best_zero) = (state.perm.clone(), state.zero);
    let (mut steps, mut at, mut length) = (0, 0, FIRST_CYCLE);
    while steps < limits.moves && limits.deadline.is_none_or(|deadline| Instant::now() < deadline) {
        ctx.check()?;
        if at == length {
            (at, length) = (0, 2 * length);
            state.perm.copy_from_slice(&best);
            state.zero = best_zero;
        }
        let noise = noise(matrix.samples(), at, length);
        let exchange = if at % 5 == 4 { state.two(&mut random) } else { state.one(&mut random) };
        state.make(&exchange, &exchange.assignment(|| below(&mut random, noise)));
        if state.zero > best_zero {
            best_zero = state.zero;
            best.copy_from_slice(&state.perm);
        }
        at += 1;
        steps += 1;
        ctx.progress().advance(super::ASSIGN_TASK, 1);
    }
    state.perm = best;
    state.zero = best_zero;
    state.polish(&mut random, ctx)?;
    Ok(Assigned { perm: state.perm, steps })
}

/// The first value that noise does not reach: 0.8 % of the samples at first.
fn noise(samples: usize, at: u64, length: u64) -> u64 {
    let amplitude = samples as u128 * 8 * u128::from(length - at) / (1000 * u128::from(length));
    u64::try_from(amplitude).expect("below the samples") + 1
}

/// A number below `limit`, which has at most 32 bits.
fn below(random: &mut Xoshiro, limit: u64) -> u64 {
    ((random.next_u64() >> 32) * limit) >> 32
}

/// What a step may do: each block gives the neurons at some of its places, and takes those of one block.
struct Exchange {
    /// Places that give, a block after the other.
    places: Vec<usize>,
    /// How many of them each block has.
    width: usize,
    /// `[block][from]`: zero samples of the block if it took what `from` gives.
    values: Vec<u32>,
}

impl Exchange {
    /// For each block the one that it takes from, so that the values and what `noise` adds to them are largest together.
    fn assignment(&self, mut noise: impl FnMut() -> u64) -> Vec<u32> {
        let weights: Vec<i64> = self.values.iter().map(|&value| i64::from(value) + noise().cast_signed()).collect();
        largest_assignment(&weights, self.places.len() / self.width)
    }

    /// Zero samples that all blocks together gain.
    fn gain(&self, assignment: &[u32]) -> i64 {
        let blocks = assignment.len();
        let rows = self.values.chunks_exact(blocks.max(1)).zip(assignment).enumerate();
        rows.map(|(block, (values, &from))| i64::from(values[from as usize]) - i64::from(values[block])).sum()
    }
}

/// The present order and the zero samples of all its blocks.
struct State<'a> {
    matrix: &'a ActivationMatrix,
    kernel: Kernel,
    perm: Vec<u32>,
    zero: i64,
}

impl<'a> State<'a> {
    fn new(matrix: &'a ActivationMatrix, perm: Vec<u32>) -> Self {
        let kernel = Kernel::best();
        let (blocks, _) = perm.as_chunks::<BLOCK>();
        let zero = blocks.par_iter().map(|block| kernel.count_common(block.map(|neuron| matrix.column(neuron as usize)))).sum::<u64>();
        Self { matrix, kernel, zero: zero.cast_signed(), perm }
    }

    fn blocks(&self) -> usize {
        self.perm.len() / BLOCK
    }

    fn column(&self, place: usize) -> &'a [u64] {
        self.matrix.column(self.perm[place] as usize)
    }

    /// One neuron of each block.
    fn one(&self, random: &mut Xoshiro) -> Exchange {
        let places: Vec<usize> = (0..self.blocks()).map(|block| BLOCK * block + below(random, BLOCK as u64) as usize).collect();
        let stay: Vec<[&[u64]; 3]> = places
            .iter()
            .map(|place| {
                let block = place / BLOCK * BLOCK;
                std::array::from_fn(|k| self.column(block + (place % BLOCK + 1 + k) % BLOCK))
            })
            .collect();
        let go: Vec<[&[u64]; 1]> = places.iter().map(|&place| [self.column(place)]).collect();
        Exchange { values: self.values(&stay, &go), places, width: 1 }
    }

    /// Two neurons of each block.
    fn two(&self, random: &mut Xoshiro) -> Exchange {
        let orders: Vec<[usize; BLOCK]> = (0..self.blocks())
            .map(|block| {
                let mut order = [0, 1, 2, 3];
                order.swap(1, 1 + below(random, 3) as usize);
                if below(random, 2) == 1 {
                    order.rotate_left(2);
                }
                order.map(|place| BLOCK * block + place)
            })
            .collect();
        let stay: Vec<[&[u64]; 2]> = orders.iter().map(|&[a, b, _, _]| [self.column(a), self.column(b)]).collect();
        let go: Vec<[&[u64]; 2]> = orders.iter().map(|&[_, _, c, d]| [self.column(c), self.column(d)]).collect();
        let places = orders.iter().flat_map(|&[_, _, c, d]| [c, d]).collect();
        Exchange { values: self.values(&stay, &go), places, width: 2 }
    }

    /// `[block][from]`: samples in which all that stays in the block and all that comes is zero.
    fn values<const STAY: usize, const GO: usize>(&self, stay: &[[&[u64]; STAY]], go: &[[&[u64]; GO]]) -> Vec<u32> {
        let (blocks, words) = (self.blocks(), self.matrix.words_per_column());
        let mut values = vec![0u32; blocks * blocks];
        let mut gone = vec![0u64; if GO > 1 { blocks * PIECE.min(words) } else { 0 }];
        for start in (0..words).step_by(PIECE) {
            let piece = start..words.min(start + PIECE);
            let length = piece.len();
            if GO > 1 {
                gone.par_chunks_mut(length).zip(go).for_each(|(gone, go)| common(gone, &go.map(|column| &column[piece.clone()])));
            }
            let column = |from: usize| if GO > 1 { &gone[from * length..][..length] } else { &go[from][0][piece.clone()] };
            values.par_chunks_mut(4 * blocks).enumerate().for_each_init(
                || vec![0u64; 4 * length],
                |scratch, (tile, values)| {
                    let rows = values.len() / blocks;
                    for (row, scratch) in scratch.chunks_exact_mut(length).enumerate() {
                        // Rows past the last are those of the last again; nobody asks for what they give.
                        common(scratch, &stay[4 * tile + row.min(rows - 1)].map(|column| &column[piece.clone()]));
                    }
                    let stay = std::array::from_fn(|row| &scratch[row * length..][..length]);
                    for first in (0..blocks).step_by(4) {
                        let counts = self.kernel.count_shared(stay, std::array::from_fn(|k| column((first + k).min(blocks - 1))));
                        for (values, counts) in values.chunks_exact_mut(blocks).zip(&counts) {
                            for (value, &count) in values[first..].iter_mut().zip(counts) {
                                // A count is at most the number of samples, which fits.
                                *value += count as u32;
                            }
                        }
                    }
                },
            );
        }
        values
    }

    fn make(&mut self, exchange: &Exchange, assignment: &[u32]) {
        self.zero += exchange.gain(assignment);
        let given: Vec<u32> = exchange.places.iter().map(|&place| self.perm[place]).collect();
        for (places, &from) in exchange.places.chunks_exact(exchange.width).zip(assignment) {
            let taken = &given[from as usize * exchange.width..][..exchange.width];
            places.iter().zip(taken).for_each(|(&place, &neuron)| self.perm[place] = neuron);
        }
    }

    /// Steps that gain, until no more are found.
    fn polish(&mut self, random: &mut Xoshiro, ctx: &Ctx) -> Result<()> {
        let mut failures = 0;
        let mut with_two = false;
        while failures < PATIENCE {
            ctx.check()?;
            let exchange = if with_two { self.two(random) } else { self.one(random) };
            let assignment = exchange.assignment(|| 0);
            if exchange.gain(&assignment) > 0 {
                self.make(&exchange, &assignment);
                (failures, with_two) = (0, false);
            } else {
                failures += 1;
                with_two = failures % 4 == 0;
            }
        }
        Ok(())
    }
}

/// For each row of a square matrix a column of its own, so that the entries there have the largest sum.
///
/// Shortest augmenting paths over reduced costs (Jonker and Volgenant 1987, without their augmenting row reduction). Among equals the lowest
/// index wins, so that there is one answer.
fn largest_assignment(weights: &[i64], n: usize) -> Vec<u32> {
    const FREE: u32 = u32::MAX;
    let largest = weights.iter().copied().max().unwrap_or(0);
    let row = |i: usize| &weights[i * n..][..n];
    // Costs are `largest - weight`; potentials never exceed them on any entry.
    let mut column_potential = vec![i64::MAX; n];
    for i in 0..n {
        column_potential.iter_mut().zip(row(i)).for_each(|(potential, weight)| *potential = (*potential).min(largest - weight));
    }
    let (mut row_potential, mut row_of, mut column_of) = (vec![0i64; n], vec![FREE; n], vec![FREE; n]);
    for i in 0..n {
        let reduced = |(weight, potential): (&i64, &i64)| largest - weight - potential;
        row_potential[i] = row(i).iter().zip(&column_potential).map(reduced).min().unwrap_or(0);
        let mut tight = row(i).iter().zip(&column_potential).map(reduced).enumerate();
        if let Some((j, _)) = tight.find(|&(j, cost)| cost == row_potential[i] && row_of[j] == FREE) {
            (row_of[j], column_of[i]) = (i as u32, j as u32);
        }
    }
    let (mut distance, mut before, mut scanned) = (vec![0i64; n], vec![0u32; n], vec![false; n]);
    let mut seen = Vec::with_capacity(n);
    for free in 0..n {
        if column_of[free] != FREE {
            continue;
        }
        scanned.fill(false);
        seen.clear();
        distance.fill(i64::MAX);
        let (mut i, mut reached) = (free, 0i64);
        let sink = loop {
            let (weights, base) = (row(i), reached + largest - row_potential[i]);
            let (mut nearest, mut at) = (i64::MAX, 0);
            for j in 0..n {
                if scanned[j] {
                    continue;
                }
                let length = base - weights[j] - column_potential[j];
                if length < distance[j] {
                    (distance[j], before[j]) = (length, i as u32);
                }
                if distance[j] < nearest {
                    (nearest, at) = (distance[j], j);
                }
            }
            reached = nearest;
            if row_of[at] == FREE {
                break at;
            }
            scanned[at] = true;
            seen.push(at);
            i = row_of[at] as usize;
        };
        row_potential[free] += reached;
        for &j in &seen {
            column_potential[j] -= reached - distance[j];
            row_potential[row_of[j] as usize] += reached - distance[j];
        }
        let mut j = sink;
        loop {
            let i = before[j] as usize;
            row_of[j] = i as u32;
            let next = std::mem::replace(&mut column_of[i], j as u32);
            if i == free {
                break;
            }
            j = next as usize;
        }
    }
    column_of
}

#[cfg(test)]
mod tests;
