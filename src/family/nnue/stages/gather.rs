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
mod tests {
    use super::*;
    use crate::net::BlockWeights;
    use crate::positions::active_features;

    /// As documented for the matrix, in wide integers, sample by sample.
    fn plain(network: &QuantizedNetwork, positions: &[Position], rule: ZeroRule) -> ActivationMatrix {
        let (l1, half) = (network.architecture.l1, network.architecture.l1 / 2);
        let mut rows = vec![0u64; positions.len().div_ceil(32) * half];
        for (index, position) in positions.iter().enumerate() {
            for side in 0..2 {
                let mover = position.side_to_move();
                let color = if side == 0 { mover } else { mover.opponent() };
                let mut sums: Vec<i64> = network.ft_bias.iter().map(|bias| i64::from(*bias)).collect();
                for block in &network.blocks {
                    let mut active = Vec::new();
                    active_features(block.block, position, color, &mut active);
                    for row in active.into_iter().map(|row| row as usize * l1) {
                        for (column, sum) in sums.iter_mut().enumerate() {
                            *sum += match &block.weights {
                                BlockWeights::I8(weights) => i64::from(weights[row + column]),
                                BlockWeights::I16(weights) if block.block.is_narrow() => i64::from(weights[row + column] as i8),
                                BlockWeights::I16(weights) => i64::from(weights[row + column]),
                            };
                        }
                    }
                }
                for neuron in 0..half {
                    let clip = |sum: i64| i64::from(sum as i16).clamp(0, i64::from(rule.clamp));
                    let zero = clip(sums[neuron]) * clip(sums[neuron + half]) < i64::from(rule.limit);
                    rows[index / 32 * half + neuron] |= u64::from(zero) << (index % 32 * 2 + side);
                }
            }
        }
        ActivationMatrix::from_word_rows(positions.len(), half, &rows).unwrap()
    }

    fn on_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
    }

    /// Every kind of block, every variant, several numbers of threads, sizes that are not multiples of a tile or of a word, weights that
    /// wrap around: the matrix is that of plain sums.
    #[test]
    fn no_order_variant_or_thread_changes_a_bit() {
        let positions = crate::positions::generate(3, 1100);
        let ctx = Ctx::silent();
        for (generation, l1) in [("SFNNv4", 32), ("SFNNv5", 136), ("SFNNv10a", 32), ("SFNNv13", 64), ("SFNNv16", 128)] {
            let mut network = crate::net::random_network(generation, l1, 11);
            for large in [false, true] {
                if large {
                    network.ft_bias.iter_mut().for_each(|bias| *bias = bias.wrapping_mul(31_000));
                }
                for rule in [None, Some(ZeroRule { clamp: 32_767, limit: 1 << 24 })] {
                    let applied = rule.or(network.architecture.zero_rule()).unwrap();
                    let expected = plain(&network, &positions, applied);
                    for kernel in Kernel::available() {
                        for threads in [1, 3] {
                            let matrix = on_threads(threads, || gather_with(kernel, &network, &positions, rule, &ctx)).unwrap();
                            assert!(matrix == expected, "{generation} {kernel:?} {threads} threads, {applied}, large: {large}");
                        }
                    }
                }
            }
        }
    }

    /// So narrow a net that a batch of the least size is soon full.
    #[test]
    fn batches_join() {
        let network = crate::net::random_network("SFNNv5", 2, 5);
        let few = crate::positions::generate(9, 1000);
        let many: Vec<Position> = few.iter().copied().cycle().take(WORDS_A_BATCH / 2 + 1033).collect();
        let ctx = Ctx::silent();
        let matrix = gather(&network, &many, None, &ctx).unwrap();
        let expected = plain(&network, &few, network.architecture.zero_rule().unwrap());
        let bits = |matrix: &ActivationMatrix, index: usize| matrix.column(0)[index / 32] >> (2 * (index % 32)) & 3;
        for index in 0..many.len() {
            assert_eq!(bits(&matrix, index), bits(&expected, index % 1000), "position {index}");
        }
    }

    #[test]
    fn sums_beyond_16_bits_are_noticed_with_the_neuron() {
        let mut network = crate::net::random_network("SFNNv5", 8, 3);
        let positions = crate::positions::generate(5, 2500);
        assert_eq!(overflow(&network, &positions, &Ctx::silent()).unwrap(), (834, None));
        for neuron in [2, 6] {
            network.ft_bias[neuron] = i16::MAX;
            let BlockWeights::I16(weights) = &mut network.blocks[0].weights else { panic!("piece squares are i16") };
            weights.iter_mut().skip(neuron).step_by(8).for_each(|weight| *weight = neuron as i16);
        }
        let found = overflow(&network, &positions, &Ctx::silent()).unwrap().1.unwrap();
        assert_eq!((found.positions, found.neurons, found.neuron), (834, 2, 6));
        assert!(found.high > i64::from(i16::MAX) && found.high <= i64::from(i16::MAX) + 32 * 6, "{found}");
        assert!(found.to_string().starts_with("2 neurons overflow 16 bits in 834 positions; neuron 6 goes from "), "{found}");
    }

    #[test]
    fn architectures_without_pairs_are_refused() {
        let network = crate::net::random_network("SFNNv1", 32, 1);
        let error = gather(&network, &crate::positions::generate(1, 1), None, &Ctx::silent()).unwrap_err();
        assert!(error.to_string().contains("no neuron pairs"), "{error}");
    }
}
