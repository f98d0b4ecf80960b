//! The reference: one position, every bucket, in the plainest integers that give what engines compute.
//!
//! Sums of the transformer wrap in 16 bits, all other sums in 32, as engines' do on every processor. Everything faster is held against
//! this.

use super::Raw;
use crate::net::{ACTIVATION_MAX, Architecture, BlockWeights, Dense, LayerStack, QuantizedNetwork};
use crate::positions::{Color, Position, active_features};

/// All that an engine would compute of a position, for every bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// Inputs of the first dense layer: those of the side to move, then those of the other.
    pub transformed: Vec<u8>,
    /// The bucket that the engine takes.
    pub bucket: usize,
    /// One for each layer stack.
    pub buckets: Vec<BucketTrace>,
}

/// What one layer stack computes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketTrace {
    /// Sums of the first layer, before clipping.
    pub l1: Vec<i32>,
    /// Sums of the second layer, before clipping.
    pub l2: Vec<i32>,
    /// Sum of the output layer, before skips and scaling.
    pub output: i32,
    /// What comes of it all.
    pub raw: Raw,
}

impl Trace {
    /// What the engine takes for the side to move, in its internal units.
    pub fn value(&self) -> i32 {
        self.buckets.get(self.bucket).map_or(0, |bucket| bucket.raw.value())
    }
}

/// Evaluates a position in every bucket.
pub fn trace(network: &QuantizedNetwork, position: &Position) -> Trace {
    let architecture = &network.architecture;
    let mover = position.side_to_move();
    let mut transformed = Vec::with_capacity(2 * architecture.ft_outputs());
    let [(own, own_psqt), (other, other_psqt)] = [mover, mover.opponent()].map(|color| accumulate(network, position, color));
    transform(architecture, &own, &mut transformed);
    transform(architecture, &other, &mut transformed);
    let buckets = network.stacks.iter().enumerate().map(|(bucket, stack)| {
        let [own, other] = [&own_psqt, &other_psqt].map(|psqt| psqt.get(bucket).copied().unwrap_or(0));
        propagate(architecture, stack, &transformed, own.wrapping_sub(other) / 2)
    });
    Trace { buckets: buckets.collect(), bucket: architecture.bucket(position.piece_count()), transformed }
}

/// The sums of the transformer and of the piece squares as one side sees the position.
fn accumulate(network: &QuantizedNetwork, position: &Position, color: Color) -> (Vec<i16>, Vec<i32>) {
    let (l1, psqt_buckets) = (network.architecture.l1, network.architecture.generation.psqt_buckets);
    let mut sums = network.ft_bias.clone();
    let mut psqt = vec![0i32; psqt_buckets];
    let mut rows = Vec::new();
    for block in &network.blocks {
        rows.clear();
        active_features(block.block, position, color, &mut rows);
        for row in rows.iter().map(|row| *row as usize) {
            let columns = row * l1..(row + 1) * l1;
            match &block.weights {
                BlockWeights::I8(weights) => add(&mut sums, &weights[columns], i16::from),
                // Engines hold 8 bits of what SFNNv10a stores in 16.
                BlockWeights::I16(weights) if block.block.is_narrow() => {
                    add(&mut sums, &weights[columns], |weight| i16::from(weight as i8))
                }
                BlockWeights::I16(weights) => add(&mut sums, &weights[columns], |weight| weight),
            }
            psqt.iter_mut().zip(&block.psqt[row * psqt_buckets..]).for_each(|(sum, weight)| *sum = sum.wrapping_add(*weight));
        }
    }
    (sums, psqt)
}

fn add<T: Copy>(sums: &mut [i16], weights: &[T], widen: impl Fn(T) -> i16) {
    sums.iter_mut().zip(weights).for_each(|(sum, weight)| *sum = sum.wrapping_add(widen(*weight)));
}

/// Appends the transformer's outputs of one side: its sums clipped, and multiplied in pairs where the architecture does so.
fn transform(architecture: &Architecture, sums: &[i16], out: &mut Vec<u8>) {
    let scales = architecture.quantization;
    let clip = |sum: i16| i32::from(sum).clamp(0, scales.zero_rule.clamp);
    if architecture.generation.wiring.pairwise {
        let (first, second) = sums.split_at(architecture.l1 / 2);
        // At most 255 · 255 >> 9 = 127.
        out.extend(first.iter().zip(second).map(|(a, b)| ((clip(*a) * clip(*b)) >> scales.product_shift) as u8));
    } else {
        out.extend(sums.iter().map(|sum| clip(*sum) as u8));
    }
}

/// The dense layers of one stack.
fn propagate(architecture: &Architecture, stack: &LayerStack, transformed: &[u8], psqt: i32) -> BucketTrace {
    let wiring = &architecture.generation.wiring;
    let [first_shift, second_shift] = architecture.quantization.hidden_shifts;
    let [first, second, output] = &stack.layers;
    let l1 = affine(first, transformed);
    let mut hidden = Vec::new();
    activate(&l1[..architecture.l2.min(l1.len())], wiring.squared, first_shift, &mut hidden);
    let l2 = affine(second, &hidden);
    let mut last = Vec::new();
    if wiring.dense_output {
        last.extend_from_slice(&hidden);
    }
    activate(&l2, wiring.dense_output, second_shift, &mut last);
    let output = affine(output, &last).first().copied().unwrap_or(0);
    let positional = finish(architecture, &l1, output);
    BucketTrace { l1, l2, output, raw: Raw { psqt, positional } }
}

/// Sums of a layer. Padding is not read: released nets hide bytes there.
fn affine(layer: &Dense, inputs: &[u8]) -> Vec<i32> {
    let product = |(weight, input): (&i8, &u8)| i32::from(*weight) * i32::from(*input);
    let sum = |(row, bias): (&[i8], &i32)| row[..layer.inputs].iter().zip(inputs).map(product).fold(*bias, i32::wrapping_add);
    layer.rows().zip(&layer.bias).map(sum).collect()
}

/// Appends the squares of the sums, where they are wanted, then the clipped sums.
fn activate(sums: &[i32], squared: bool, shift: u32, out: &mut Vec<u8>) {
    if squared {
        out.extend(sums.iter().map(|sum| square(*sum, shift)));
    }
    out.extend(sums.iter().map(|sum| clip(*sum, shift)));
}

/// A sum shifted, and clipped to 0 to 127.
pub(super) fn clip(sum: i32, shift: u32) -> u8 {
    (sum >> shift).clamp(0, ACTIVATION_MAX) as u8
}

/// The square of a sum shifted, and clipped to 0 to 127.
pub(super) fn square(sum: i32, shift: u32) -> u8 {
    ((i64::from(sum) * i64::from(sum)) >> (2 * shift + 7)).min(i64::from(ACTIVATION_MAX)) as u8
}

/// Adds what skips the other layers to the output layer's sum, and brings the whole to the units of the piece squares.
pub(super) fn finish(architecture: &Architecture, l1: &[i32], output: i32) -> i32 {
    let scales = architecture.quantization;
    let [first, _, last] = scales.dense.map(|scale| scale.bias as i64);
    let narrow = |value: i64| if scales.wide_output { value } else { i64::from(value as i32) };
    // Truncates, as division does in an engine's language.
    let rescale = |value: i64, from: i64, to: i64| if from == to { value } else { narrow(value * to) / from };
    let row = |from_end: usize| l1.len().checked_sub(from_end).map_or(0, |row| i64::from(l1[row]));
    let skipped = architecture.generation.wiring.skips.iter().map(|skip| i64::from(skip.sign) * row(skip.from_end)).sum();
    let sum = narrow(i64::from(output) + rescale(skipped, first, last));
    rescale(sum, last, scales.psqt as i64) as i32
}
