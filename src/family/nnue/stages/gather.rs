//! `gather`: positions → which transformer outputs are zero, in the engine's integer arithmetic.
//!
//! Accumulators are sums of rows in wrapping 16-bit integers, so the order of additions does not matter, and an accumulator may be
//! reached from any other by the difference of their active rows. That leaves the order of the samples free. Here they are put in
//! the order of the own king's square: samples that follow each other then have their king bucket in common, so the rows they read
//! stay in the cache, and within a square they stay in stream order, so in dense samples of games most rows are those of the sample
//! before. Each sample's zero bits go to a place of their own and are put into the matrix's order afterwards.
//!
//! # Cost
//! Row reads bound it. Rows a sample (two samples a position; a 16-bit row has 2·L1 bytes, an 8-bit row L1), counted once
//! on a file of 434,921 positions of real games:
//!
//! | blocks | active | every 43rd position taken | every fourth | all |
//! | --- | ---: | ---: | ---: | ---: |
//! | HalfKAv2_hm, 16-bit | 19.8 | 16.0 | 8.3 | 3.4 |
//! | Full_Threats of SFNNv13, 8-bit | 18.3 | 17.5 | 12.2 | 5.7 |
//!
//! Sparse samples have little in common, however they are ordered (by pawns, by material: 14.5 rows at the least instead of 16.0).

use rayon::prelude::*;

use crate::accumulator::{EngineWeights, Follower, Kernel, Order, Weights, Zeros};
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::evaluate::largest_seen;
use crate::net::{BlockWeights, QuantizedNetwork, ZeroRule};
use crate::permutation::{ActivationMatrix, MatrixBuilder};
use crate::positions::{Features, Position};
use crate::stage::Overflow;

/// Samples of one word of the matrix.
const SAMPLES_A_WORD: usize = 64;
/// Samples that one task handles: many, so that rows read once are used often, but their script must not push the rows out of the cache.
const SAMPLES_A_TASK: usize = 1024;
/// Zero bits that are kept sample by sample before they are put into the matrix, in words.
const WORDS_A_BATCH: usize = 1 << 20;

/// Gathers the activation matrix of `network` over `positions`.
///
/// `rule` replaces the architecture's rule for zero outputs, for experiments.
///
/// # Errors
/// When the architecture does not multiply outputs in pairs, the rule is out of range, memory is short, or on cancellation.
pub fn gather(network: &QuantizedNetwork, positions: &[Position], rule: Option<ZeroRule>, ctx: &Ctx) -> Result<ActivationMatrix> {
    gather_with(Kernel::detect(), network, positions, rule, ctx)
}

/// Positions in which sums are looked at for overflow: adding them up in wider integers is slower than gathering.
const MOST_LOOKED_AT: usize = 1000;

/// In how many of `positions` sums were looked at, at most 1,000, evenly spread; and whether accumulators leave their 16 bits in some.
///
/// # Errors
/// On cancellation.
pub fn overflow(network: &QuantizedNetwork, positions: &[Position], ctx: &Ctx) -> Result<(u64, Option<Overflow>)> {
    let some: Vec<Position> = positions.iter().copied().step_by(positions.len().div_ceil(MOST_LOOKED_AT).max(1)).collect();
    if some.is_empty() {
        return Ok((0, None));
    }
    let looked_at = some.len() as u64;
    let seen = largest_seen(network, &some, ctx)?;
    let beyond = || seen.iter().enumerate().filter(|(_, range)| !range.fits_i16());
    let neurons = beyond().count() as u64;
    // Of equal ones the first.
    let worst = beyond().rev().max_by_key(|(_, range)| range.size());
    let overflow = worst.map(|(neuron, range)| {
        let (low, high) = (range.low, range.high);
        Overflow { positions: looked_at, neurons, neuron: neuron as u64, low, high }
    });
    Ok((looked_at, overflow))
}

/// Warns of sums that overflow.
pub fn note_overflow(overflow: &Overflow, ctx: &Ctx) {
    ctx.warn(overflow.warning());
}

fn gather_with(
    kernel: Kernel,
    network: &QuantizedNetwork,
    positions: &[Position],
    rule: Option<ZeroRule>,
    ctx: &Ctx,
) -> Result<ActivationMatrix> {
    let architecture = &network.architecture;
    let rule = match (rule, architecture.zero_rule()) {
        (Some(rule), Some(_)) => checked(rule)?,
        (None, Some(rule)) => rule,
        (_, None) => {
            return Err(Error::new(format!("{} has no neuron pairs to permute", architecture.generation.name))
                .because("its transformer outputs are not multiplied in pairs, so zero outputs do not come in blocks")
                .help("build this net without `optimize`"));
        }
    };
    let held = EngineWeights::of(network);
    let blocks = held.blocks();
    gather_rows(kernel, &held.features(), held.weights(&blocks), rule, positions, ctx)
}

/// As [`gather`], of any feature transformer whose outputs are multiplied in pairs: its biases, and features with their weights.
///
/// # Errors
/// When the rule is out of range, sizes differ, memory is short, or on cancellation.
pub fn gather_features(
    bias: &[i16],
    blocks: &[(&dyn Features, &BlockWeights)],
    rule: ZeroRule,
    positions: &[Position],
    ctx: &Ctx,
) -> Result<ActivationMatrix> {
    for (features, weights) in blocks {
        let values = match weights {
            BlockWeights::I8(weights) => weights.len(),
            BlockWeights::I16(weights) => weights.len(),
        };
        if features.rows().checked_mul(bias.len()) != Some(values) {
            return Err(Error::new(format!("a block of {} rows has {values} weights", features.rows()))
                .because(format!("each row has {} neurons", bias.len())));
        }
    }
    let (features, weights): (Vec<&dyn Features>, Vec<&BlockWeights>) = blocks.iter().copied().unzip();
    gather_rows(Kernel::detect(), &features, Weights { bias, blocks: &weights }, checked(rule)?, positions, ctx)
}

fn gather_rows(
    kernel: Kernel,
    features: &[&dyn Features],
    weights: Weights<'_>,
    rule: ZeroRule,
    positions: &[Position],
    ctx: &Ctx,
) -> Result<ActivationMatrix> {
    let half = weights.bias.len() / 2;
    let mut matrix = MatrixBuilder::new(positions.len(), half)?;

    let words = half.div_ceil(64);
    let positions_a_batch = (WORDS_A_BATCH / (2 * words)).next_multiple_of(SAMPLES_A_WORD);
    // Reused from batch to batch.
    let mut order = Order::default();
    let mut zeros = Vec::new();
    let mut rows = Vec::new();
    ctx.progress().start("gather", Some(positions.len() as u64), "positions");
    for batch in positions.chunks(positions_a_batch) {
        order.arrange(batch);
        zeros.resize(2 * batch.len() * words, 0u64);
        order.samples().par_chunks(SAMPLES_A_TASK).zip(zeros.par_chunks_mut(SAMPLES_A_TASK * words)).try_for_each_init(
            || Follower::new(features),
            |follower, (samples, zeros)| {
                ctx.check()?;
                let script = follower.follow(batch, samples);
                if rule.clamp <= 255 {
                    kernel.run(script, weights, &mut Zeros::<true>::new(rule, zeros));
                } else {
                    kernel.run(script, weights, &mut Zeros::<false>::new(rule, zeros));
                }
                ctx.progress().advance("gather", samples.len() as u64 / 2);
                Ok(())
            },
        )?;
        rows.resize(batch.len().div_ceil(SAMPLES_A_WORD / 2) * half, 0u64);
        order.places().par_chunks(SAMPLES_A_WORD).zip(rows.par_chunks_mut(half)).for_each(|(places, row)| {
            for (index, row) in row.chunks_mut(64).enumerate() {
                let mut block = [0u64; 64];
                for (word, &place) in block.iter_mut().zip(places) {
                    *word = zeros[place as usize * words + index];
                }
                kernel.transpose(&mut block);
                row.copy_from_slice(&block[..row.len()]);
            }
        });
        matrix.push(&rows)?;
    }
    ctx.progress().finish("gather");
    matrix.finish()
}

fn checked(rule: ZeroRule) -> Result<ZeroRule> {
    if (1..=i32::from(i16::MAX)).contains(&rule.clamp) && rule.limit >= 1 {
        return Ok(rule);
    }
    Err(Error::usage(format!("the zero rule `{rule}` is out of range")).because("CLAMP is 1 to 32767, LIMIT at least 1"))
}

#[cfg(test)]
mod tests;
