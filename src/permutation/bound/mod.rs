//! A proven upper bound: no order of the neurons has more zero blocks than this.
//!
//! An order takes blocks of four neurons so that each neuron is in one (set packing). Whatever the neurons are priced at, from 0 on: if no
//! block is worth more than its neurons cost, no order is worth more than all prices together. Where blocks are, each neuron's price is
//! raised by a quarter of the most that a block with it is worth more, and then none is. So every round gives a bound that holds, and the
//! least of them is kept; it says nothing of positions that were not counted.
//!
//! Good prices are those of the linear program over the blocks known so far (`lp`). Each round looks at all blocks there are (`pricing`) and
//! adds those that are worth more than their prices. The program's own value is what fractions of the known blocks reach.
//!
//! # Limitations
//! L1 ≤ 1024: all C(512, 4) = 2.8 · 10⁹ blocks are looked at in each round, and all triples are kept.

mod lp;
mod pricing;

use std::time::{Duration, Instant};

use super::matrix::ActivationMatrix;
use super::objective::{BLOCK, check_blocks};
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::net::Permutation;
use lp::Column;
use pricing::{Triples, UNITS};

/// The most neurons of which all blocks can be looked at.
const MOST_NEURONS: usize = 512;

/// What the bound is called in progress reports; its units are rounds.
const TASK: &str = "bound";

/// When to stop.
#[derive(Debug, Clone, Copy)]
pub struct BoundLimits {
    /// Rounds, at least 1.
    pub rounds: u32,
    /// No round begins after so long.
    pub time: Option<Duration>,
}

/// What is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    /// No order has more zero blocks, summed over all samples.
    pub at_most: u64,
    /// Rounds that were made.
    pub rounds: u32,
    /// Whether no block is worth more than its price any more: further rounds prove nothing better.
    pub is_final: bool,
}

/// Whether a bound can be proven for this matrix.
///
/// # Errors
/// When it has more than 512 neurons, or they do not divide into blocks.
pub fn check(matrix: &ActivationMatrix) -> Result<()> {
    check_blocks(matrix)?;
    let neurons = matrix.half();
    if neurons <= MOST_NEURONS {
        return Ok(());
    }
    let blocks = (0..4).map(|k| (neurons - k) as f64 / (k + 1) as f64).product::<f64>();
    Err(Error::usage(format!("no bound can be proven for L1={}", 2 * neurons))
        .because(format!("{neurons} neurons form {blocks:.1e} blocks of four, and every round looks at each of them"))
        .help(format!("bounds are proven up to L1={}", 2 * MOST_NEURONS)))
}

/// Bounds the zero blocks of every order of the matrix's neurons. `known` is an order that is good already: its blocks are the first prices.
///
/// # Errors
/// As [`check`], when `known` does not fit, and on cancellation.
pub fn bound(matrix: &ActivationMatrix, known: &Permutation, limits: BoundLimits, ctx: &Ctx) -> Result<Bound> {
    check(matrix)?;
    known.check_len(matrix.half())?;
    let begun = Instant::now();
    ctx.progress().start(TASK, Some(u64::from(limits.rounds)), "rounds");
    let found = search(matrix, known, limits, begun, ctx);
    ctx.progress().finish(TASK);
    found
}

fn search(matrix: &ActivationMatrix, known: &Permutation, limits: BoundLimits, begun: Instant, ctx: &Ctx) -> Result<Bound> {
    let neurons = matrix.half();
    let triples = Triples::count(matrix, ctx)?;
    let mut pool = Pool::default();
    let mut prices = vec![0i64; neurons];
    for block in known.as_slice().as_chunks::<BLOCK>().0 {
        let mut rows = block.map(|neuron| neuron as u16);
        rows.sort_unstable();
        let zero = triples.zero(rows);
        pool.columns.push(Column { rows, value: zero as f64 });
        // Together not less than the block is worth.
        let quarter = (zero * UNITS.unsigned_abs()).div_ceil(4).cast_signed();
        rows.iter().for_each(|row| prices[usize::from(*row)] = quarter);
    }
    // Without a round nothing is known but that no more than all blocks are zero.
    let mut best = Bound { at_most: matrix.samples() as u64 * (neurons / BLOCK) as u64, rounds: 0, is_final: neurons < BLOCK };
    let mut best_prices: Option<Vec<i64>> = None;
    while !best.is_final && best.rounds < limits.rounds.max(1) && limits.time.is_none_or(|time| best.rounds == 0 || begun.elapsed() < time)
    {
        let priced = triples.price(&prices, ctx)?;
        // Sum of prices and of a quarter of each excess, rounded down: zero blocks are whole.
        let quarters: i64 = prices.iter().zip(&priced.most).map(|(price, most)| 4 * price + most).sum();
        let at_most = quarters.div_euclid(4 * UNITS).cast_unsigned();
        best.rounds += 1;
        if at_most < best.at_most {
            best.at_most = at_most;
            best_prices = Some(prices.clone());
        }
        ctx.progress().advance(TASK, 1);
        let added = pool.add(&priced.blocks, &prices);
        if best.rounds >= limits.rounds {
            break;
        }
        let solved = lp::solve(neurons, &pool.columns);
        let of_program: Vec<i64> = solved.prices.iter().map(|price| (price.max(0.0) * UNITS as f64).ceil() as i64).collect();
        let smooth = |best: &Vec<i64>| best.iter().zip(&of_program).map(|(a, b)| (a + b) / 2).collect::<Vec<i64>>();
        let smoothed = best_prices.as_ref().filter(|_| added > 0).map_or_else(|| of_program.clone(), smooth);
        // The program cannot get below what it reached.
        best.is_final = added == 0 && smoothed == prices || best.at_most as f64 <= solved.reached + 1.0;
        prices = smoothed;
    }
    Ok(best)
}

/// The blocks that the program may take.
#[derive(Default)]
struct Pool {
    columns: Vec<Column>,
    known: std::collections::HashSet<[u16; 4]>,
}

impl Pool {
    /// Adds those that are new, and tells how many.
    fn add(&mut self, blocks: &[pricing::Excess], prices: &[i64]) -> usize {
        let before = self.columns.len();
        for (excess, rows) in blocks {
            if self.known.insert(*rows) {
                let price: i64 = rows.iter().map(|row| prices[usize::from(*row)]).sum();
                self.columns.push(Column { rows: *rows, value: ((excess + price) / UNITS) as f64 });
            }
        }
        self.columns.len() - before
    }
}

#[cfg(test)]
mod tests;
