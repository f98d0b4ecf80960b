//! Dense layers in the processor's widest form, chosen at run time. All forms give the same integers; this folder alone of the room holds
//! `unsafe`.
//!
//! Inputs are at most 127, so that sums of two products, 2 · 127 · 128 at most, fit 16 bits: no form saturates.
#![allow(unsafe_code, reason = "kernels call the processor's own instructions")]

#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "x86_64")]
use crate::cpu::Feature;
use crate::{cpu, net::Dense};

/// Rows are as long as a multiple of this: the widest register.
const LANE: usize = 64;
/// Rows that are worked off together.
const GROUP: usize = 4;

/// A layer's weights, rows padded with zeros to whole registers, and rows of zeros to whole groups.
pub(super) struct Packed {
    bias: Vec<i32>,
    /// `[rows][stride]`.
    weights: Vec<i8>,
    stride: usize,
    outputs: usize,
}

/// `inputs` rounded up to the length that a layer's inputs must have.
pub(super) const fn padded(inputs: usize) -> usize {
    inputs.div_ceil(LANE) * LANE
}

impl Packed {
    /// The layer without what stands in its padding.
    pub(super) fn of(layer: &Dense) -> Self {
        let outputs = layer.bias.len();
        let (rows, stride) = (outputs.next_multiple_of(GROUP), padded(layer.inputs));
        let mut weights = vec![0; rows * stride];
        for (to, from) in weights.chunks_exact_mut(stride.max(1)).zip(layer.rows()) {
            to[..layer.inputs].copy_from_slice(&from[..layer.inputs]);
        }
        let mut bias = layer.bias.clone();
        bias.resize(rows, 0);
        Self { bias, weights, stride, outputs }
    }

    /// Number of outputs that have a meaning.
    pub(super) fn outputs(&self) -> usize {
        self.outputs
    }

    /// Number of outputs with those that fill the last group.
    pub(super) fn rows(&self) -> usize {
        self.bias.len()
    }
}

/// Which compiled variant runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DenseKernel {
    /// Plain loops in what every processor of the target has.
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512Vnni,
}

impl DenseKernel {
    /// The widest that this processor has.
    pub(super) fn detect() -> Self {
        *Self::available().last().expect("the portable variant is always there")
    }

    /// All that this processor has, narrowest first.
    pub(super) fn available() -> Vec<Self> {
        cpu::runnable(&[
            (Self::Portable, &[]),
            #[cfg(target_arch = "x86_64")]
            (Self::Avx2, &[Feature::Avx2]),
            #[cfg(target_arch = "x86_64")]
            (Self::Avx512Vnni, &[Feature::Avx2, Feature::Avx512F, Feature::Avx512Vnni]),
        ])
    }

    /// The sums of a layer, in 32 bits that wrap: `out` gets [`Packed::rows`] values.
    ///
    /// # Panics
    /// When the inputs are not [`padded`] or the outputs are of another number.
    pub(super) fn affine(self, layer: &Packed, inputs: &[u8], out: &mut [i32]) {
        assert!(inputs.len() == layer.stride && out.len() == layer.rows(), "inputs and outputs of this layer");
        match self {
            Self::Portable => portable(layer, inputs, out),
            // SAFETY: `available` lists the variant only where the processor has its instructions.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => unsafe { x86_64::avx2(layer, inputs, out) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => unsafe { x86_64::avx512_vnni(layer, inputs, out) },
        }
    }
}

fn portable(layer: &Packed, inputs: &[u8], out: &mut [i32]) {
    for ((out, bias), row) in out.iter_mut().zip(&layer.bias).zip(layer.weights.chunks_exact(layer.stride.max(1))) {
        let products = row.iter().zip(inputs).map(|(weight, input)| i32::from(*weight) * i32::from(*input));
        *out = products.fold(*bias, i32::wrapping_add);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::padded as stored;
    use crate::random::SplitMix;

    /// Sizes of released nets and others, inputs and weights at the ends of their ranges, biases that make sums wrap.
    #[test]
    fn every_form_adds_up_the_same() {
        let mut random = SplitMix::new(1);
        for (outputs, inputs) in [(1, 32), (16, 1024), (32, 30), (32, 62), (1, 128), (8, 2048), (3, 7), (16, 3072)] {
            for extreme in [false, true] {
                let mut byte =
                    |low: i64, high: i64| if extreme && !random.next_u64().is_multiple_of(4) { low } else { random.centred(low, high) };
                let weights = (0..outputs * stored(inputs)).map(|_| byte(-128, 127) as i8).collect();
                let bias = (0..outputs).map(|_| byte(i64::from(i32::MIN), i64::from(i32::MAX)) as i32).collect();
                let layer = Dense { inputs, bias, weights };
                let packed = Packed::of(&layer);
                let mut input: Vec<u8> = (0..inputs).map(|_| 127 - byte(0, 127) as u8).collect();
                let expected: Vec<i32> = layer
                    .rows()
                    .zip(&layer.bias)
                    .map(|(row, bias)| {
                        let sum: i64 = row.iter().zip(&input).map(|(weight, input)| i64::from(*weight) * i64::from(*input)).sum();
                        (sum + i64::from(*bias)) as i32
                    })
                    .collect();
                input.resize(padded(inputs), 0);
                for kernel in DenseKernel::available() {
                    let mut out = vec![7; packed.rows()];
                    kernel.affine(&packed, &input, &mut out);
                    assert_eq!(out[..packed.outputs()], expected, "{kernel:?} {outputs} × {inputs}");
                }
            }
        }
    }
}
