//! What the sums of the dense layers can be, from what the transformer's can: interval by interval.

use super::Range;
use crate::net::{ACTIVATION_MAX, Architecture, Dense, QuantizedNetwork};

/// The sums of a dense layer over all its outputs and all stacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerRange {
    /// What the sums can be.
    pub sums: Range,
    /// The stack and the output of the sum that can be the farthest from 0.
    pub at: (usize, usize),
    /// Outputs that are clipped to 0 in every position, over all stacks. Always 0 for the output layer.
    pub dead: usize,
}

/// The ranges of the three layers.
pub(super) fn ranges(network: &QuantizedNetwork, neurons: &[Range]) -> [LayerRange; 3] {
    let architecture = &network.architecture;
    let wiring = &architecture.generation.wiring;
    let [first_shift, second_shift] = architecture.quantization.hidden_shifts;
    let one_side = transformed(architecture, neurons);
    let inputs: Vec<Range> = [one_side.as_slice(), one_side.as_slice()].concat();
    let nothing = LayerRange { sums: Range { low: 0, high: 0 }, at: (0, 0), dead: 0 };
    let mut layers = [nothing; 3];
    for (index, stack) in network.stacks.iter().enumerate() {
        let [first, second, output] = &stack.layers;
        let l1 = affine(first, &inputs);
        let seen_by_l2 = &l1[..architecture.l2.min(l1.len())];
        let hidden = activate(seen_by_l2, wiring.squared, first_shift);
        let l2 = affine(second, &hidden);
        let last = activate(&l2, wiring.dense_output, second_shift);
        let last = if wiring.dense_output { [hidden, last].concat() } else { last };
        let out: Vec<Range> = affine(output, &last).into_iter().map(|range| finish(architecture, &l1, range)).collect();
        let dead = |sums: &[Range], shift: u32| sums.iter().filter(|range| range.high >> shift <= 0).count();
        merge(&mut layers[0], index, &l1, if wiring.squared { 0 } else { dead(seen_by_l2, first_shift) });
        merge(&mut layers[1], index, &l2, if wiring.dense_output { 0 } else { dead(&l2, second_shift) });
        merge(&mut layers[2], index, &out, 0);
    }
    layers
}

fn merge(layer: &mut LayerRange, stack: usize, sums: &[Range], dead: usize) {
    layer.dead += dead;
    for (output, range) in sums.iter().enumerate() {
        if range.size() > layer.sums.size() {
            layer.at = (stack, output);
        }
        layer.sums = layer.sums.union(*range);
    }
}

/// What the transformer hands to the first layer, for one side. Sums that may wrap can be anything.
fn transformed(architecture: &Architecture, neurons: &[Range]) -> Vec<Range> {
    let clamp = i64::from(architecture.quantization.zero_rule.clamp);
    let shift = architecture.quantization.product_shift;
    let clip = |range: &Range| {
        let range = if range.fits_i16() { *range } else { Range { low: 0, high: clamp } };
        Range { low: range.low.clamp(0, clamp), high: range.high.clamp(0, clamp) }
    };
    if !architecture.generation.wiring.pairwise {
        return neurons.iter().map(clip).collect();
    }
    let (first, second) = neurons.split_at(architecture.l1 / 2);
    let pairs = first.iter().zip(second).map(|(a, b)| (clip(a), clip(b)));
    pairs.map(|(a, b)| Range { low: (a.low * b.low) >> shift, high: (a.high * b.high) >> shift }).collect()
}

fn affine(layer: &Dense, inputs: &[Range]) -> Vec<Range> {
    let sum = |(row, bias): (&[i8], &i32)| {
        let start = Range { low: i64::from(*bias), high: i64::from(*bias) };
        row[..layer.inputs].iter().zip(inputs).fold(start, |sum, (weight, input)| {
            let weight = i64::from(*weight);
            let (a, b) = (weight * input.low, weight * input.high);
            Range { low: sum.low + a.min(b), high: sum.high + a.max(b) }
        })
    };
    layer.rows().zip(&layer.bias).map(sum).collect()
}

fn activate(sums: &[Range], squared: bool, shift: u32) -> Vec<Range> {
    let limit = i64::from(ACTIVATION_MAX);
    // A sum that may wrap can be anything.
    let known = |range: &Range| if range.fits_i32() { *range } else { Range { low: i64::from(i32::MIN), high: i64::from(i32::MAX) } };
    let clip = |value: i64| (value >> shift).clamp(0, limit);
    let square = |value: i64| ((value * value) >> (2 * shift + 7)).min(limit);
    let mut out = Vec::new();
    if squared {
        out.extend(sums.iter().map(known).map(|range| {
            let (a, b) = (square(range.low), square(range.high));
            Range { low: if range.low <= 0 && range.high >= 0 { 0 } else { a.min(b) }, high: a.max(b) }
        }));
    }
    out.extend(sums.iter().map(known).map(|range| Range { low: clip(range.low), high: clip(range.high) }));
    out
}

/// Adds the skips and scales, as the reference does, without wrapping.
fn finish(architecture: &Architecture, l1: &[Range], output: Range) -> Range {
    let scales = architecture.quantization;
    let [first, _, last] = scales.dense.map(|scale| scale.bias as i64);
    let rescale = |value: i64, from: i64, to: i64| if from == to { value } else { value.saturating_mul(to) / from };
    let mut skipped = Range { low: 0, high: 0 };
    for skip in architecture.generation.wiring.skips {
        let Some(range) = l1.len().checked_sub(skip.from_end).map(|row| l1[row]) else { continue };
        let sign = i64::from(skip.sign);
        let (a, b) = (sign * range.low, sign * range.high);
        skipped = Range { low: skipped.low + a.min(b), high: skipped.high + a.max(b) };
    }
    let end = |output: i64, skipped: i64| rescale(output + rescale(skipped, first, last), last, scales.psqt as i64);
    Range { low: end(output.low, skipped.low), high: end(output.high, skipped.high) }
}
