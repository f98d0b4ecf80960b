//! Dense layers in the processor's widest form, chosen at run time. All forms give the same integers; this folder alone of the room holds
//! `unsafe`.
//!
//! Inputs are taken in fours. Most outputs of a transformer are zero, and fours of zeros are left out: which are not is found once for a
//! position, whatever the number of stacks that ask. So the weights of one four for all outputs stand together.
//!
//! Inputs are at most 127, so that sums of two products, 2 · 127 · 128 at most, fit 16 bits: no form saturates.
#![allow(unsafe_code, reason = "kernels call the processor's own instructions")]

#[cfg(target_arch = "x86_64")]
mod x86_64;

use crate::cpu;
#[cfg(target_arch = "x86_64")]
use crate::cpu::Feature;
use crate::net::{ACTIVATION_MAX, Dense};

/// Inputs that are worked off together.
const FOUR: usize = 4;
/// Inputs are padded with zeros to a multiple of this: the register in which zeros are looked for.
const LANE: usize = 32;
/// Outputs are padded to a multiple of this: the sums of a register of 256 bits.
const ROWS: usize = 8;

/// A layer's weights, with zeros for inputs and outputs that only fill the last register.
pub(super) struct Packed {
    /// `[rows]`.
    bias: Vec<i32>,
    /// `[inputs / 4][rows][4]`.
    weights: Vec<i8>,
    inputs: usize,
    outputs: usize,
}

/// `inputs` rounded up to the number that a layer is given.
pub(super) const fn padded(inputs: usize) -> usize {
    inputs.div_ceil(LANE) * LANE
}

/// As [`padded`], with room for what [`DenseKernel::activate`] writes behind.
pub(super) const fn with_room(inputs: usize) -> usize {
    padded(inputs) + ROWS
}

impl Packed {
    /// The layer without what stands in its padding.
    pub(super) fn of(layer: &Dense) -> Self {
        let outputs = layer.bias.len();
        let (rows, inputs) = (outputs.next_multiple_of(ROWS), padded(layer.inputs));
        let mut weights = vec![0; rows * inputs];
        for (output, row) in layer.rows().enumerate() {
            for (four, weights) in row[..layer.inputs].chunks(FOUR).zip(weights.chunks_exact_mut(FOUR * rows)) {
                weights[FOUR * output..][..four.len()].copy_from_slice(four);
            }
        }
        let mut bias = layer.bias.clone();
        bias.resize(rows, 0);
        Self { bias, weights, inputs, outputs }
    }

    /// Number of inputs, padded.
    pub(super) fn inputs(&self) -> usize {
        self.inputs
    }

    /// Number of outputs that have a meaning.
    pub(super) fn outputs(&self) -> usize {
        self.outputs
    }

    /// Number of outputs with those that fill the last register.
    pub(super) fn rows(&self) -> usize {
        self.bias.len()
    }
}

/// Which fours of some inputs count.
#[derive(Default)]
pub(super) struct Fours {
    /// Their numbers, each below a fourth of `inputs`; what stands behind `len` means nothing.
    places: Vec<u16>,
    len: usize,
    /// Of how many inputs.
    inputs: usize,
}

impl Fours {
    /// All fours of so many inputs, which are [`padded`].
    ///
    /// # Panics
    /// When these are more than any net has.
    pub(super) fn all(inputs: usize) -> Self {
        let len = inputs / FOUR;
        let places = (0..len).map(|place| u16::try_from(place).expect("fewer inputs than 2^18")).collect();
        Self { places, len, inputs }
    }

    fn places(&self) -> &[u16] {
        &self.places[..self.len]
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
            (Self::Avx2, &[Feature::Avx2, Feature::Popcnt]),
            #[cfg(target_arch = "x86_64")]
            (Self::Avx512Vnni, &[Feature::Avx2, Feature::Popcnt, Feature::Avx512F, Feature::Avx512Vnni]),
        ])
    }

    /// Finds the fours of `inputs` that are not all zeros.
    ///
    /// # Panics
    /// When the inputs are not [`padded`], or more than any net has.
    pub(super) fn find(self, inputs: &[u8], fours: &mut Fours) {
        assert!(inputs.len().is_multiple_of(LANE) && inputs.len() / FOUR <= 1 + usize::from(u16::MAX), "padded inputs of a layer");
        // Eight more than there can be: that many are written at once.
        fours.places.resize(inputs.len() / FOUR + 8, 0);
        fours.inputs = inputs.len();
        fours.len = match self {
            Self::Portable => find(inputs, &mut fours.places),
            // SAFETY: `available` lists the variants only where the processor has their instructions.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 | Self::Avx512Vnni => unsafe { x86_64::find(inputs, &mut fours.places) },
        };
    }

    /// Writes the squares of the first `count` sums, where they are wanted, then these sums clipped: both shifted, and within 0 to 127.
    /// Up to [`ROWS`] - 1 bytes behind them are written too, and mean nothing.
    ///
    /// # Panics
    /// When `out` has no room for what is written.
    pub(super) fn activate(self, sums: &[i32], count: usize, squared: bool, shift: u32, out: &mut [u8]) {
        let written = if squared { count } else { 0 } + count.next_multiple_of(ROWS);
        assert!(count.next_multiple_of(ROWS) <= sums.len() && written <= out.len(), "room for whole registers");
        match self {
            Self::Portable => activate(sums, count, squared, shift, out),
            // SAFETY: `available` lists the variants only where the processor has their instructions.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 | Self::Avx512Vnni => unsafe { x86_64::activate(sums, count, squared, shift, out) },
        }
    }

    /// The sums of a layer over these fours of its inputs, in 32 bits that wrap: `out` gets [`Packed::rows`] values.
    ///
    /// # Panics
    /// When the inputs are not [`padded`], the fours are of another number of inputs, or the outputs are of another number.
    pub(super) fn affine(self, layer: &Packed, inputs: &[u8], fours: &Fours, out: &mut [i32]) {
        let sizes = [inputs.len(), fours.inputs, out.len()];
        assert!(sizes == [layer.inputs, layer.inputs, layer.rows()], "inputs and outputs of this layer");
        match self {
            Self::Portable => portable(layer, inputs, fours.places(), out),
            // SAFETY: `available` lists the variant only where the processor has its instructions. Fours are below a fourth of the inputs:
            // `find` and `Fours::all` alone make them.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => unsafe { x86_64::avx2(layer, inputs, fours.places(), out) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => unsafe { x86_64::avx512_vnni(layer, inputs, fours.places(), out) },
        }
    }
}

/// As [`DenseKernel::activate`].
#[inline(always)]
fn activate(sums: &[i32], count: usize, squared: bool, shift: u32, out: &mut [u8]) {
    let registers = sums.as_chunks::<ROWS>().0.iter().take(count.div_ceil(ROWS));
    // What is written behind the last one is written over by those that follow, or means nothing.
    let mut clipped = out;
    if squared {
        for (out, sums) in clipped.as_chunks_mut::<ROWS>().0.iter_mut().zip(registers.clone()) {
            *out = sums.map(|sum| square(sum, shift));
        }
        clipped = &mut clipped[count..];
    }
    for (out, sums) in clipped.as_chunks_mut::<ROWS>().0.iter_mut().zip(registers) {
        *out = sums.map(|sum| (sum >> shift).clamp(0, ACTIVATION_MAX) as u8);
    }
}

/// The square of a sum shifted, and clipped to 0 to 127: in 32 bits, since what is cut off would be clipped anyway.
#[inline(always)]
fn square(sum: i32, shift: u32) -> u8 {
    let size = sum.unsigned_abs().min(128 << shift);
    ((size * size) >> (2 * shift + 7)).min(ACTIVATION_MAX as u32) as u8
}

fn find(inputs: &[u8], places: &mut [u16]) -> usize {
    let mut len = 0;
    for (four, place) in inputs.as_chunks::<FOUR>().0.iter().zip(0..) {
        places[len] = place;
        len += usize::from(*four != [0; FOUR]);
    }
    len
}

fn portable(layer: &Packed, inputs: &[u8], fours: &[u16], out: &mut [i32]) {
    out.copy_from_slice(&layer.bias);
    let inputs = inputs.as_chunks::<FOUR>().0;
    for four in fours.iter().map(|four| usize::from(*four)) {
        let weights = layer.weights[four * FOUR * out.len()..].as_chunks::<FOUR>().0;
        for (out, weights) in out.iter_mut().zip(weights) {
            let products = weights.iter().zip(inputs[four]).map(|(weight, input)| i32::from(*weight) * i32::from(input));
            *out = out.wrapping_add(products.sum());
        }
    }
}

#[cfg(test)]
mod tests;
