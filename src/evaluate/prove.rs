//! Two networks that must evaluate alike: every sum of every bucket over positions, and where the first difference is.

use std::collections::HashMap;

use super::batch::{Both, Evaluator, both};
use super::reference::{Trace, trace};
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::net::{LAYER_NAMES, QuantizedNetwork, le_bytes};
use crate::positions::Position;

/// Positions that are compared at once: what comes of them is held.
const POSITIONS_A_PART: usize = 1 << 17;

/// That two networks evaluate alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    /// Over how many positions.
    pub positions: u64,
    /// Digest of the raw integers of every bucket of every position, in order: `psqt` and `positional` as little-endian 32-bit words.
    pub digest: blake3::Hash,
}

/// Proves over `positions` that `published` evaluates as `source` does: the piece-square sums, the sums of the hidden layers and the
/// output of every bucket are equal. The order of the transformer's neurons may differ.
///
/// # Errors
/// When they are not, naming the first position, its bucket, the layer and the neuron; when the networks are of different architectures;
/// on cancellation.
pub fn prove(source: &QuantizedNetwork, published: &QuantizedNetwork, positions: &[Position], ctx: &Ctx) -> Result<Proof> {
    let (a, b) = (&source.architecture, &published.architecture);
    let are_alike = a.dense_shapes() == b.dense_shapes() && a.quantization == b.quantization && a.features == b.features;
    if !are_alike || source.stacks.len() != published.stacks.len() {
        return Err(Error::new("the published net differs from its source").because(format!(
            "it is {} of {}, the source {} of {}",
            b.generation.name, b.quantization.name, a.generation.name, a.quantization.name
        )));
    }
    let evaluators = [&Evaluator::new(source)?, &Evaluator::new(published)?];
    let mut hasher = blake3::Hasher::new_derive_key("nnue 2026-11 evaluations");
    for part in positions.chunks(POSITIONS_A_PART) {
        match both(evaluators, part, ctx)? {
            Both::Equal(raws) => hasher.update(le_bytes(&raws)),
            Both::Differ(position) => return Err(difference(source, published, &part[position])),
        };
    }
    Ok(Proof { positions: positions.len() as u64, digest: hasher.finalize() })
}

/// Where the networks part in a position.
fn difference(source: &QuantizedNetwork, published: &QuantizedNetwork, position: &Position) -> Error {
    let (expected, found) = (trace(source, position), trace(published, position));
    let place = transformer_difference(source, &expected, &found).or_else(|| {
        let mut buckets = expected.buckets.iter().zip(&found.buckets).enumerate();
        buckets.find_map(|(bucket, (expected, found))| {
            let neuron = |layer: &str, expected: &[i32], found: &[i32]| {
                let at = expected.iter().zip(found).position(|(a, b)| a != b)?;
                Some(format!("bucket {bucket}, layer `{layer}`, neuron {at}: {} instead of {}", found[at], expected[at]))
            };
            neuron("psqt", &[expected.raw.psqt], &[found.raw.psqt])
                .or_else(|| neuron(LAYER_NAMES[0], &expected.l1, &found.l1))
                .or_else(|| neuron(LAYER_NAMES[1], &expected.l2, &found.l2))
                .or_else(|| neuron(LAYER_NAMES[2], &[expected.raw.positional], &[found.raw.positional]))
        })
    });
    Error::new("the published net does not evaluate as its source does")
        .because(format!("position `{}`", position.to_fen()))
        .because(place.unwrap_or_else(|| "the sums differ".to_owned()))
        .help("the file is damaged, or was not made from this source: build it again")
}

/// The first neuron of the source's transformer whose output the published net does not have as often, where their outputs differ by more
/// than their order. All buckets share the transformer, so the one that the engine takes is named.
fn transformer_difference(source: &QuantizedNetwork, expected: &Trace, found: &Trace) -> Option<String> {
    let outputs = source.architecture.ft_outputs();
    let (own, other) = (expected.transformed.split_at_checked(outputs)?, found.transformed.split_at_checked(outputs)?);
    // Outputs of the two sides of one neuron go together.
    let pairs = |(own, other): (&[u8], &[u8])| own.iter().copied().zip(other.iter().copied()).collect::<Vec<_>>();
    let (expected_pairs, found_pairs) = (pairs(own), pairs(other));
    let mut counts: HashMap<(u8, u8), i64> = HashMap::new();
    found_pairs.iter().for_each(|pair| *counts.entry(*pair).or_default() += 1);
    let neuron = expected_pairs.iter().position(|pair| {
        let count = counts.entry(*pair).or_default();
        *count -= 1;
        *count < 0
    })?;
    let bucket = expected.bucket;
    let (own, other) = expected_pairs[neuron];
    let mut text = format!("bucket {bucket}, layer `ft`, neuron {neuron}: its outputs {own} and {other} are missing");
    // In one order, the neuron's own values can be told.
    let differing = expected_pairs.iter().zip(&found_pairs).filter(|(a, b)| a != b).count();
    if let Some((own_found, other_found)) = found_pairs.get(neuron).filter(|pair| **pair != (own, other) && differing == 1) {
        text = format!("bucket {bucket}, layer `ft`, neuron {neuron}: outputs {own_found} and {other_found} instead of {own} and {other}");
    }
    Some(text)
}

#[cfg(test)]
mod tests;
