//! The activation matrix of a described network: finds its biases and blocks among the tensors, and hands them to the gather stage.
//!
//! That one multiplies neurons in pairs. Where outputs are single neurons, each gets a partner that is always one.

use rayon::prelude::*;

use super::model::{ActivationKind, Architecture, DType, InputBlock};
use super::tensor::Tensor;
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::family::nnue::stages::gather::gather_features;
use crate::net::BlockWeights;
use crate::permutation::ActivationMatrix;
use crate::positions::{Features, Position};

/// Which outputs are zero, over `positions`; `tensors` are quantized.
///
/// # Errors
/// When the architecture does not say what is needed, or sizes differ from the blocks' own.
pub(crate) fn gather(
    architecture: &Architecture,
    tensors: &[Option<Tensor>],
    positions: &[Position],
    ctx: &Ctx,
) -> Result<ActivationMatrix> {
    let no_search = || Error::new(format!("no activations can be gathered for `{}`", architecture.name));
    let activation =
        architecture.activation.ok_or_else(|| no_search().because("the file does not say when they are zero: `[activation]`"))?;
    let rule = activation.zero_rule().ok_or_else(|| no_search().because("its `shift` is out of range"))?;
    let moves = architecture.moves.as_ref().ok_or_else(|| no_search().because("the file has no `[permutation]`"))?;
    let is_pairwise = activation.kind == ActivationKind::Pairwise;
    if is_pairwise != moves.pairs {
        let why = if is_pairwise { "pairs of neurons, which move together" } else { "single neurons, which are no pairs" };
        return Err(no_search()
            .because(format!("its outputs are of {why}"))
            .help(format!("write `pairs = {is_pairwise}` in `[permutation]`")));
    }
    let mut bias = architecture
        .tensors
        .iter()
        .zip(tensors)
        .find(|(spec, _)| spec.axes.len() == 1 && spec.axes[0] == moves.axis)
        .and_then(|(_, tensor)| tensor.as_ref())
        .filter(|tensor| tensor.dtype == DType::I16)
        .map(i16s)
        .ok_or_else(|| no_search().because(format!("no tensor of i16 has the axis `{}` alone: the biases", moves.axis)))?;
    if architecture.inputs.is_empty() {
        return Err(no_search().because("the file has no `[[inputs]]`"));
    }
    let mut weights: Vec<BlockWeights> = architecture
        .inputs
        .iter()
        .map(|block| weights(architecture, tensors, block).map_err(|why| no_search().because(why)))
        .collect::<Result<_>>()?;
    if !is_pairwise {
        bias = with_ones(bias, &mut weights);
    }
    let blocks: Vec<(&dyn Features, &BlockWeights)> =
        architecture.inputs.iter().zip(&weights).map(|(block, weights)| (&block.input as &dyn Features, weights)).collect();
    gather_features(&bias, &blocks, rule, positions, ctx)
}

/// Gives each neuron another one that is always one, so that their products are the neurons.
fn with_ones(mut bias: Vec<i16>, blocks: &mut [BlockWeights]) -> Vec<i16> {
    let neurons = bias.len().max(1);
    bias.extend(std::iter::repeat_n(1, bias.len()));
    for weights in blocks {
        *weights = match weights {
            BlockWeights::I8(weights) => BlockWeights::I8(with_zeros(weights, neurons)),
            BlockWeights::I16(weights) => BlockWeights::I16(with_zeros(weights, neurons)),
        };
    }
    bias
}

/// Rows of twice the length.
fn with_zeros<T: Copy + Default + Send + Sync>(weights: &[T], neurons: usize) -> Vec<T> {
    let mut out = vec![T::default(); 2 * weights.len()];
    out.par_chunks_mut(2 * neurons).zip(weights.par_chunks(neurons)).for_each(|(out, row)| out[..neurons].copy_from_slice(row));
    out
}

/// The weights of a block, row by row.
fn weights(architecture: &Architecture, tensors: &[Option<Tensor>], block: &InputBlock) -> Result<BlockWeights, String> {
    let rows = block.input.rows().ok_or_else(|| format!("it is not known how the rows of `{}` are numbered", block.tensor))?;
    let index = architecture.tensors.iter().position(|spec| spec.role.text == block.tensor);
    let tensor = index.and_then(|index| tensors[index].as_ref());
    let tensor =
        tensor.ok_or_else(|| format!("there is no tensor `{}` for the inputs: name another with `tensor = \"…\"`", block.tensor))?;
    let has: usize = tensor.shape.split_last().map_or(0, |(_, outer)| outer.iter().product());
    if has != rows {
        return Err(format!("`{}` has {has} rows where the block has {rows}", block.tensor));
    }
    match tensor.dtype {
        DType::I16 => Ok(BlockWeights::I16(i16s(tensor))),
        DType::I8 => Ok(BlockWeights::I8(tensor.bytes.iter().map(|byte| byte.cast_signed()).collect())),
        other => Err(format!("`{}` is {}, neither i8 nor i16", block.tensor, other.name())),
    }
}

fn i16s(tensor: &Tensor) -> Vec<i16> {
    tensor.bytes.as_chunks().0.iter().map(|bytes| i16::from_le_bytes(*bytes)).collect()
}
