//! `gather`: positions → which transformer outputs are zero, in the engine's integer arithmetic.
//!
//! Accumulators are sums of rows in wrapping 16-bit integers, so the order of additions does not matter. That allows what engines
//! do: for each orientation of the board the last accumulator is kept, and a position whose active features differ little from the last
//! one's is reached by adding and subtracting the difference.

mod kernel;

use std::collections::HashMap;

use rayon::prelude::*;

use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::net::{BlockWeights, FtBlock, QuantizedNetwork, ZeroRule};
use crate::permutation::{ActivationMatrix, MatrixBuilder};
use crate::positions::{Color, Position, active_features_both, orientation};
use kernel::{Kernel, Row};

/// Positions of one word-row: 64 samples, two perspectives each.
const POSITIONS_A_WORD: usize = 32;
/// Positions that one task handles: many, so that the kept accumulators pay, but enough tasks for all threads.
const POSITIONS_A_TASK: usize = POSITIONS_A_WORD * 16;
/// Tasks whose results are in memory at once, beside the matrix.
const TASKS_A_BATCH: usize = 64;

/// Gathers the activation matrix of `network` over `positions`.
///
/// `rule` replaces the architecture's rule for zero outputs, for experiments.
///
/// # Errors
/// When the architecture does not multiply outputs in pairs, the rule is out of range, memory is short, or on cancellation.
pub fn gather(network: &QuantizedNetwork, positions: &[Position], rule: Option<ZeroRule>, ctx: &Ctx) -> Result<ActivationMatrix> {
    gather_with(Kernel::detect(), network, positions, rule, ctx)
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
    let half = architecture.l1 / 2;
    let narrowed: Vec<Option<BlockWeights>> = network.blocks.iter().map(engine_weights).collect();
    let weights: Vec<&BlockWeights> =
        network.blocks.iter().zip(&narrowed).map(|(block, narrowed)| narrowed.as_ref().unwrap_or(&block.weights)).collect();
    let mut matrix = MatrixBuilder::new(positions.len(), half)?;
    ctx.progress().start("gather", Some(positions.len() as u64), "positions");
    for batch in positions.chunks(POSITIONS_A_TASK * TASKS_A_BATCH) {
        let rows: Vec<Vec<u64>> = batch
            .par_chunks(POSITIONS_A_TASK)
            .map(|positions| {
                ctx.check()?;
                let mut task = Accumulators { kernel, network, weights: &weights, kept: [HashMap::new(), HashMap::new()] };
                let mut rows = vec![0u64; positions.len().div_ceil(POSITIONS_A_WORD) * half];
                for (positions, words) in positions.chunks(POSITIONS_A_WORD).zip(rows.chunks_exact_mut(half)) {
                    for (index, position) in positions.iter().enumerate() {
                        task.mark(position, rule, 2 * index as u32, words);
                    }
                }
                ctx.progress().advance("gather", positions.len() as u64);
                Ok(rows)
            })
            .collect::<Result<_>>()?;
        for rows in rows {
            matrix.push(&rows)?;
        }
    }
    ctx.progress().finish("gather");
    matrix.finish()
}

/// Engines of SFNNv10a keep the low byte of the threat weights, which its files store in 16 bits.
fn engine_weights(block: &FtBlock) -> Option<BlockWeights> {
    match &block.weights {
        BlockWeights::I16(weights) if block.block.is_narrow() => {
            Some(BlockWeights::I8(weights.iter().map(|weight| *weight as i8).collect()))
        }
        _ => None,
    }
}

fn checked(rule: ZeroRule) -> Result<ZeroRule> {
    if (1..=i32::from(i16::MAX)).contains(&rule.clamp) && rule.limit >= 1 {
        return Ok(rule);
    }
    Err(Error::usage(format!("the zero rule `{rule}` is out of range")).because("CLAMP is 1 to 32767, LIMIT at least 1"))
}

/// A kept accumulator: the active rows that it is the sum of, sorted.
struct Kept {
    active: Vec<(u8, u32)>,
    sums: Vec<i16>,
}

/// What one task keeps from position to position.
struct Accumulators<'a> {
    kernel: Kernel,
    network: &'a QuantizedNetwork,
    weights: &'a [&'a BlockWeights],
    /// By orientation of all blocks, for white and black.
    kept: [HashMap<Vec<u16>, Kept>; 2],
}

impl Accumulators<'_> {
    /// Marks the zero outputs of both perspectives, the side to move at `bit`, the other at `bit + 1`.
    fn mark(&mut self, position: &Position, rule: ZeroRule, bit: u32, words: &mut [u64]) {
        let mut active: [Vec<(u8, u32)>; 2] = [Vec::with_capacity(128), Vec::with_capacity(128)];
        let mut keys: [Vec<u16>; 2] = [Vec::with_capacity(3), Vec::with_capacity(3)];
        let mut found = [Vec::with_capacity(96), Vec::with_capacity(96)];
        for (index, block) in self.network.blocks.iter().enumerate() {
            found.iter_mut().for_each(Vec::clear);
            active_features_both(block.block, position, &mut found);
            for color in [Color::White, Color::Black] {
                let side = color as usize;
                active[side].extend(found[side].iter().map(|row| (index as u8, *row)));
                keys[side].push(orientation(block.block, position, color) as u16);
            }
        }
        let [white, black] = active;
        let [white_key, black_key] = keys;
        let kernel = self.kernel;
        for (color, mut active, key) in [(Color::White, white, white_key), (Color::Black, black, black_key)] {
            active.sort_unstable();
            let sums = self.sums(color, active, key);
            let other = u32::from(color != position.side_to_move());
            kernel.mark_zeros(sums, rule, bit + other, words);
        }
    }

    /// The accumulator of `active`, reached from the kept one or from the bias, whichever is nearer.
    fn sums(&mut self, color: Color, active: Vec<(u8, u32)>, key: Vec<u16>) -> &[i16] {
        let l1 = self.network.architecture.l1;
        let row = |&(block, row): &(u8, u32)| Row::of(self.weights[usize::from(block)], row as usize, l1);
        let kept = self.kept[color as usize].entry(key).or_insert_with(|| Kept { active: Vec::new(), sums: self.network.ft_bias.clone() });
        let (added, removed) = difference(&active, &kept.active);
        if added.len() + removed.len() < active.len() {
            let added: Vec<Row<'_>> = added.iter().map(row).collect();
            let removed: Vec<Row<'_>> = removed.iter().map(row).collect();
            self.kernel.update(&mut kept.sums, &added, &removed);
        } else {
            kept.sums.copy_from_slice(&self.network.ft_bias);
            let all: Vec<Row<'_>> = active.iter().map(row).collect();
            self.kernel.update(&mut kept.sums, &all, &[]);
        }
        kept.active = active;
        &kept.sums
    }
}

/// What is only in `new`, and what is only in `old`; both are sorted.
fn difference(new: &[(u8, u32)], old: &[(u8, u32)]) -> (Vec<(u8, u32)>, Vec<(u8, u32)>) {
    let (mut added, mut removed) = (Vec::with_capacity(new.len()), Vec::with_capacity(old.len()));
    let (mut n, mut o) = (0, 0);
    while n < new.len() && o < old.len() {
        match new[n].cmp(&old[o]) {
            std::cmp::Ordering::Less => {
                added.push(new[n]);
                n += 1;
            }
            std::cmp::Ordering::Greater => {
                removed.push(old[o]);
                o += 1;
            }
            std::cmp::Ordering::Equal => {
                n += 1;
                o += 1;
            }
        }
    }
    added.extend_from_slice(&new[n..]);
    removed.extend_from_slice(&old[o..]);
    (added, removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever was kept before, and whichever variant runs: the sums are those of a fresh start.
    #[test]
    fn neither_history_nor_variant_changes_a_bit() {
        let network = crate::net::random_network("SFNNv16", 32, 11);
        let positions = crate::positions::generate(3, 700);
        let reference = gather_with(Kernel::Portable, &network, &positions, None, &Ctx::silent()).unwrap();
        for kernel in Kernel::available() {
            assert_eq!(gather_with(kernel, &network, &positions, None, &Ctx::silent()).unwrap(), reference, "{kernel:?}");
        }
        for index in [0usize, 1, 31, 32, 511, 512, 699] {
            let alone = gather(&network, &positions[index..=index], None, &Ctx::silent()).unwrap();
            for neuron in 0..16 {
                let bits = reference.column(neuron)[index / 32] >> (2 * (index % 32)) & 3;
                assert_eq!(alone.column(neuron)[0] & 3, bits, "position {index}, neuron {neuron}");
            }
        }
    }

    #[test]
    fn architectures_without_pairs_are_refused() {
        let network = crate::net::random_network("SFNNv1", 32, 1);
        let error = gather(&network, &crate::positions::generate(1, 1), None, &Ctx::silent()).unwrap_err();
        assert!(error.to_string().contains("no neuron pairs"), "{error}");
    }
}
