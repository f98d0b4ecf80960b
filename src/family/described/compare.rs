//! How two files of one described architecture differ: tensor by tensor, and whether only the order of the neurons does.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher};

use super::model::{Architecture, DType};
use super::read;
use super::steps::{integer, permute};
use super::tensor::Tensor;
use crate::error::Result;
use crate::files::Bytes;
use crate::net::Permutation;

/// A tensor that differs.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorDifference {
    /// What it is.
    pub role: String,
    /// How many values it has.
    pub values: u64,
    /// How many differ.
    pub differing: u64,
    /// The largest distance of two values; not finite where one is no number.
    pub max_abs: f64,
    /// Whether the values are integers.
    pub integers: bool,
}

/// What a comparison found.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Tensors that differ.
    pub tensors: Vec<TensorDifference>,
    /// Where only the order differs: neuron pair `j` of the second is pair `permutation[j]` of the first.
    pub permutation: Option<Permutation>,
}

impl Architecture {
    /// Compares two files, both in the layout `from` or the only one that each fits.
    ///
    /// # Errors
    /// When one of them is in no such layout.
    pub fn compare(&self, a: &Bytes, b: &Bytes, from: Option<&str>) -> Result<Comparison> {
        let mut a = read::read(self, self.layout_of(a, from)?, a)?.tensors;
        let b = read::read(self, self.layout_of(b, from)?, b)?.tensors;
        let tensors = self.differences(&a, &b);
        if tensors.is_empty() {
            return Ok(Comparison { tensors, permutation: None });
        }
        if let Some(permutation) = self.order_between(&a, &b) {
            permute(self, &mut a, &permutation)?;
            if self.differences(&a, &b).is_empty() {
                return Ok(Comparison { tensors: Vec::new(), permutation: Some(permutation) });
            }
        }
        Ok(Comparison { tensors, permutation: None })
    }

    fn differences(&self, a: &[Option<Tensor>], b: &[Option<Tensor>]) -> Vec<TensorDifference> {
        let pairs = self.tensors.iter().zip(a.iter().zip(b));
        pairs.filter_map(|(spec, (a, b))| difference(&spec.role.text, a.as_ref(), b.as_ref())).collect()
    }

    /// The order in which A's neuron pairs would be B's, if there is one; found by digests, so the caller compares.
    fn order_between(&self, a: &[Option<Tensor>], b: &[Option<Tensor>]) -> Option<Permutation> {
        let mut places: HashMap<u64, Vec<u32>> = HashMap::new();
        for (pair, digest) in self.digests(a)?.into_iter().enumerate().rev() {
            places.entry(digest).or_default().push(u32::try_from(pair).ok()?);
        }
        let order: Option<Vec<u32>> = self.digests(b)?.iter().map(|digest| places.get_mut(digest)?.pop()).collect();
        Permutation::try_from(order?.as_slice()).ok()
    }

    /// One digest for all weights of each neuron pair.
    fn digests(&self, tensors: &[Option<Tensor>]) -> Option<Vec<u64>> {
        let moves = self.moves.as_ref().filter(|moves| moves.pairs)?;
        let half = self.sizes.get(&moves.axis)? / 2;
        let mut digests = vec![DefaultHasher::new(); half];
        for (spec, tensor) in self.tensors.iter().zip(tensors) {
            let Some(tensor) = tensor else { continue };
            let axis = spec.axes.iter().position(|axis| *axis == moves.axis || moves.also.contains(axis));
            let Some(axis) = axis.filter(|axis| tensor.shape[*axis] == 2 * half) else { continue };
            let wide = tensor.shape[axis + 1..].iter().product::<usize>() * tensor.dtype.size();
            for block in tensor.bytes.chunks_exact((2 * half * wide).max(1)) {
                let (low, high) = block.split_at(half * wide);
                for (digest, (low, high)) in digests.iter_mut().zip(low.chunks_exact(wide).zip(high.chunks_exact(wide))) {
                    digest.write(low);
                    digest.write(high);
                }
            }
        }
        Some(digests.iter().map(Hasher::finish).collect())
    }
}

/// `None` where the tensors are equal, or neither is there.
fn difference(role: &str, a: Option<&Tensor>, b: Option<&Tensor>) -> Option<TensorDifference> {
    let (a, b) = match (a, b) {
        (Some(a), Some(b)) if a.dtype == b.dtype && a.shape == b.shape => (a, b),
        (None, None) => return None,
        (one, other) => {
            let tensor = one.or(other)?;
            let values = (tensor.bytes.len() / tensor.dtype.size()) as u64;
            let integers = tensor.dtype != DType::F32;
            return Some(TensorDifference { role: role.to_owned(), values, differing: values, max_abs: 0.0, integers });
        }
    };
    let size = a.dtype.size();
    let (mut differing, mut max_abs) = (0, 0.0f64);
    let unequal = a.bytes.chunks_exact(size).zip(b.bytes.chunks_exact(size)).filter(|(a, b)| a != b);
    for (a_value, b_value) in unequal {
        differing += 1;
        let distance = (number(a.dtype, a_value) - number(a.dtype, b_value)).abs();
        max_abs = if distance > max_abs || distance.is_nan() { distance } else { max_abs };
    }
    let values = (a.bytes.len() / size) as u64;
    (differing > 0).then(|| TensorDifference { role: role.to_owned(), values, differing, max_abs, integers: a.dtype != DType::F32 })
}

fn number(dtype: DType, bytes: &[u8]) -> f64 {
    match (dtype, bytes.first_chunk()) {
        (DType::F32, Some(bytes)) => f64::from(f32::from_le_bytes(*bytes)),
        _ => integer(dtype, bytes) as f64,
    }
}
