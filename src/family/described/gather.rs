//! The activation matrix of a described network: finds its biases and blocks among the tensors, and hands them to the gather stage.

use super::model::{Architecture, DType, InputBlock};
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
    let rule = architecture
        .activation
        .and_then(|activation| activation.zero_rule())
        .ok_or_else(|| no_search().because("its outputs are not products of pairs, so zero outputs do not come in blocks"))?;
    let Some(moves) = architecture.moves.as_ref().filter(|moves| moves.pairs) else {
        return Err(no_search().because("the file does not say which neurons are pairs: `[permutation]`"));
    };
    let bias = architecture
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
    let weights: Vec<BlockWeights> = architecture
        .inputs
        .iter()
        .map(|block| weights(architecture, tensors, block).map_err(|why| no_search().because(why)))
        .collect::<Result<_>>()?;
    let blocks: Vec<(&dyn Features, &BlockWeights)> =
        architecture.inputs.iter().zip(&weights).map(|(block, weights)| (&block.input as &dyn Features, weights)).collect();
    gather_features(&bias, &blocks, rule, positions, ctx)
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
