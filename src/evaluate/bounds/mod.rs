//! What any legal placement of the pieces can make of a network's sums: sound bounds, not the tightest.
//!
//! A placement has one king and at most 15 other men a side; a side's pawns and promoted pieces are at most 8, and the rest is what a game
//! begins with: two knights, bishops and rooks, one queen. For each square of the own king, a man's worth is the weight of its square, half
//! the largest weights of the pawn pairs that it can be in, and the largest weight in each direction in which it can attack something.
//! The bound is the best choice of men by their numbers, or by their squares (each holds one), whichever is smaller.

mod dense;
mod men;
mod pieces;
mod threats;

pub use dense::LayerRange;

use rayon::prelude::*;

use crate::ctx::Ctx;
use crate::error::Result;
use crate::net::{Block, BlockWeights, FtBlock, QuantizedNetwork};
use crate::positions::{Color, Position, active_features};
use men::{Worth, best};
use pieces::Pieces;

/// The smallest and the largest value, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// Smallest.
    pub low: i64,
    /// Largest.
    pub high: i64,
}

impl Range {
    /// Whether all values fit an accumulator of 16 bits.
    pub fn fits_i16(&self) -> bool {
        self.low >= i64::from(i16::MIN) && self.high <= i64::from(i16::MAX)
    }

    /// Whether all values fit 32 bits.
    pub fn fits_i32(&self) -> bool {
        self.low >= i64::from(i32::MIN) && self.high <= i64::from(i32::MAX)
    }

    /// The larger distance from 0.
    pub fn size(&self) -> i64 {
        self.high.max(-self.low)
    }

    /// Both ranges and what is between.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self { low: self.low.min(other.low), high: self.high.max(other.high) }
    }
}

/// Bounds of a network's sums.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// Of the transformer's sums, `[L1]`.
    pub neurons: Vec<Range>,
    /// Of the sums of each dense layer over all stacks, the skips and the scaling of the output included in the last.
    pub layers: [LayerRange; 3],
}

impl Bounds {
    /// The neuron whose sum can be the farthest from 0; of equal ones the first.
    pub fn worst(&self) -> Option<(usize, Range)> {
        let ranges = self.neurons.iter().copied().enumerate();
        ranges.fold(None, |worst: Option<(usize, Range)>, (index, range)| match worst {
            Some((_, other)) if other.size() >= range.size() => worst,
            _ => Some((index, range)),
        })
    }
}

/// Columns that one task bounds: what is kept of each fits the cache.
const COLUMNS_A_TASK: usize = 16;

/// Bounds of a network's sums over all legal placements.
///
/// # Errors
/// On cancellation.
pub fn bounds(network: &QuantizedNetwork, ctx: &Ctx) -> Result<Bounds> {
    let l1 = network.architecture.l1;
    let mut neurons = vec![Range { low: 0, high: 0 }; l1];
    let plan = Plan::of(network);
    ctx.progress().start("bounds", Some(l1 as u64), "neurons");
    neurons.par_chunks_mut(COLUMNS_A_TASK).enumerate().try_for_each(|(task, out)| {
        ctx.check()?;
        plan.bound(network, task * COLUMNS_A_TASK, out);
        ctx.progress().advance("bounds", out.len() as u64);
        Ok::<_, crate::error::Error>(())
    })?;
    ctx.progress().finish("bounds");
    let layers = dense::ranges(network, &neurons);
    Ok(Bounds { neurons, layers })
}

/// Which blocks are bounded together. Piece squares that are oriented alike go with the threats and pawn pairs; what is left of unusual
/// sets is bounded alone, and bounds of parts add up to a bound of the whole.
struct Plan<'a> {
    /// The piece squares of each group. The first group has the threats and pawn pairs.
    pieces: Vec<Option<(Pieces, &'a FtBlock)>>,
    threats: Option<(threats::Directions, &'a FtBlock)>,
    pairs: Option<&'a FtBlock>,
}

impl<'a> Plan<'a> {
    fn of(network: &'a QuantizedNetwork) -> Self {
        let mut plan = Self { pieces: Vec::new(), threats: None, pairs: None };
        for block in &network.blocks {
            match block.block {
                Block::FullThreats(table) => plan.threats = Some((threats::Directions::of(table), block)),
                Block::Pp3Wide => plan.pairs = Some(block),
                _ => plan.pieces.extend(Pieces::of(block.block).map(|pieces| Some((pieces, block)))),
            }
        }
        let extras = plan.threats.is_some() || plan.pairs.is_some();
        // Rotated squares are not those of the threats: such piece squares stay alone.
        plan.pieces.sort_by_key(|entry| entry.as_ref().is_some_and(|(pieces, _)| pieces.rotated()));
        if extras && plan.pieces.first().is_none_or(|entry| entry.as_ref().is_some_and(|(pieces, _)| pieces.rotated())) {
            plan.pieces.insert(0, None);
        }
        plan
    }

    /// Bounds the columns from `first` on.
    fn bound(&self, network: &QuantizedNetwork, first: usize, out: &mut [Range]) {
        let l1 = network.architecture.l1;
        let columns = out.len();
        let column = |weights: &FtBlock, row: usize, column: usize| weight(weights, row * l1 + first + column);
        for (index, range) in out.iter_mut().enumerate() {
            let bias = i64::from(network.ft_bias[first + index]);
            *range = Range { low: bias, high: bias };
        }
        for (group, pieces) in self.pieces.iter().enumerate() {
            // Worths of men that do not hang on the king, of each column, and those of the weights' opposites.
            let fixed = [1, -1].map(|sign| {
                let mut fixed = vec![Worth::default(); columns];
                if let (0, Some((directions, block))) = (group, &self.threats) {
                    directions.add_to(&mut fixed, |row, index| sign * column(block, row, index));
                }
                if let (0, Some(block)) = (group, self.pairs) {
                    pieces::add_pairs(&mut fixed, |row, index| sign * column(block, row, index));
                }
                fixed
            });
            let largest = match pieces {
                Some((pieces, block)) => pieces.largest([&fixed[0], &fixed[1]], |row, index| column(block, row, index)),
                None => {
                    let of = |fixed: &Worth| (0..64).map(|king| best(&fixed.turned(king), king)).max().unwrap_or(0);
                    fixed[0].iter().zip(&fixed[1]).map(|(above, below)| [of(above), of(below)]).collect()
                }
            };
            for (range, largest) in out.iter_mut().zip(largest) {
                // Worths are doubled. Rounding towards the smaller bound is sound, since sums are whole.
                let [above, below] = largest.map(|largest| i64::from(largest).div_euclid(2));
                (range.low, range.high) = (range.low - below, range.high + above);
            }
        }
    }
}

/// A weight as the engine holds it.
fn weight(block: &FtBlock, at: usize) -> i32 {
    match &block.weights {
        BlockWeights::I8(weights) => i32::from(weights[at]),
        BlockWeights::I16(weights) if block.block.is_narrow() => i32::from(weights[at] as i8),
        BlockWeights::I16(weights) => i32::from(weights[at]),
    }
}

/// The smallest and the largest sum of each neuron that occur in positions, both sides' views, without wrapping.
///
/// # Errors
/// On cancellation.
pub fn largest_seen(network: &QuantizedNetwork, positions: &[Position], ctx: &Ctx) -> Result<Vec<Range>> {
    /// Positions that one task adds up.
    const POSITIONS_A_TASK: usize = 256;
    let l1 = network.architecture.l1;
    let nothing = || vec![Range { low: i64::MAX, high: i64::MIN }; l1];
    let seen = positions.par_chunks(POSITIONS_A_TASK).map(|positions| {
        ctx.check()?;
        let (mut seen, mut rows, mut sums) = (nothing(), Vec::new(), vec![0i32; l1]);
        for (position, color) in positions.iter().flat_map(|position| Color::BOTH.map(|color| (position, color))) {
            sums.iter_mut().zip(&network.ft_bias).for_each(|(sum, bias)| *sum = i32::from(*bias));
            for block in &network.blocks {
                rows.clear();
                active_features(block.block, position, color, &mut rows);
                for row in rows.iter().map(|row| *row as usize * l1) {
                    match &block.weights {
                        BlockWeights::I8(weights) => add(&mut sums, &weights[row..], i32::from),
                        BlockWeights::I16(weights) if block.block.is_narrow() => {
                            add(&mut sums, &weights[row..], |weight| i32::from(weight as i8))
                        }
                        BlockWeights::I16(weights) => add(&mut sums, &weights[row..], i32::from),
                    }
                }
            }
            for (range, sum) in seen.iter_mut().zip(&sums) {
                *range = range.union(Range { low: i64::from(*sum), high: i64::from(*sum) });
            }
        }
        Ok(seen)
    });
    seen.try_reduce(nothing, |a, b| Ok(a.into_iter().zip(b).map(|(a, b)| a.union(b)).collect()))
}

fn add<T: Copy>(sums: &mut [i32], weights: &[T], widen: impl Fn(T) -> i32) {
    sums.iter_mut().zip(weights).for_each(|(sum, weight)| *sum = sum.wrapping_add(widen(*weight)));
}

#[cfg(test)]
mod tests;
