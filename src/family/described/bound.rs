//! Whether sums in the first dense layer can wrap.
//!
//! CPUs without VNNI multiply four unsigned inputs by four i8 weights into two sums of two products, in 16 bits. Some engines add the
//! results of two such chunks before they widen them. Which chunks meet depends on which ones are not zero, and so on the order of
//! the neurons: where the sum of four products can exceed 16 bits, a permutation may change an evaluation.

use super::model::{ActivationKind, Architecture, DType};
use super::tensor::Tensor;

/// Inputs of a chunk.
const CHUNK: usize = 4;

/// The largest sum that 16 bits hold.
pub(crate) const MOST: u32 = 32_767;

/// What is to be said of a network whose neurons were reordered; `None` where nothing wraps.
pub(crate) fn warning(sum: u32) -> Option<String> {
    (sum > MOST).then(|| format!(
        "on CPUs without VNNI the evaluation may change with the order of the neurons: four products of the first layer can reach {sum}, \
         beyond {MOST}, if the engine adds two results of maddubs in 16 bits"
        )
    )
}

/// The largest magnitude that one 16-bit lane can take from any two chunks of one output; `None` where there is no first dense layer of
/// i8 weights behind pairs.
pub(crate) fn largest_sum(architecture: &Architecture, tensors: &[Option<Tensor>]) -> Option<u32> {
    let moves = architecture.moves.as_ref()?;
    let activation = architecture.activation.filter(|activation| activation.kind == ActivationKind::Pairwise)?;
    let largest = activation.clamp.checked_mul(activation.clamp)?.checked_shr(activation.shift)?;
    let input = u32::try_from(largest.min(255)).ok()?;
    let layers = architecture.tensors.iter().zip(tensors).filter_map(|(spec, tensor)| {
        let tensor = tensor.as_ref().filter(|tensor| tensor.dtype == DType::I8)?;
        let axis = spec.axes.iter().position(|axis| moves.also.contains(axis))?;
        Some(largest_of(tensor, axis))
    });
    layers.max().map(|weights| weights * input)
}

/// The largest sum of the magnitudes of two pairs of weights, of the same output and lane and of two chunks.
fn largest_of(tensor: &Tensor, axis: usize) -> u32 {
    let inner: usize = tensor.shape[axis + 1..].iter().product();
    let inputs = tensor.shape[axis];
    let magnitude = |index: usize| tensor.bytes.get(index).map_or(0, |byte| u32::from(byte.cast_signed().unsigned_abs()));
    let mut largest = 0;
    for outer in 0..tensor.bytes.len() / (inputs * inner).max(1) {
        for column in 0..inner {
            let base = outer * inputs * inner + column;
            for lane in 0..CHUNK / 2 {
                let mut best = [0u32; 2];
                for chunk in 0..inputs / CHUNK {
                    let at = base + (chunk * CHUNK + 2 * lane) * inner;
                    let sum = magnitude(at) + magnitude(at + inner);
                    if sum > best[0] {
                        best = [sum, best[0]];
                    } else if sum > best[1] {
                        best[1] = sum;
                    }
                }
                largest = largest.max(best[0] + best[1]);
            }
        }
    }
    largest
}

#[cfg(test)]
mod tests;
