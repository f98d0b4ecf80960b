//! What is done to tensors between two layouts: merge, merge-kings, permute, lanes. Quantizing is [`super::quantize`]'s.

use rayon::prelude::*;

use super::model::{Architecture, DType, Lanes, Moves, Overflow};
use super::plan::{LANE, MERGED_ROWS, Move, Plan, SEPARATE_ROWS};
use super::quantize::quantize;
use super::read::Contents;
use super::tensor::{Storage, Tensor};
use super::{Input, features::PieceSquares};
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::net::Permutation;

/// What a `permute` step does.
pub(crate) enum Neurons<'a> {
    /// They stay.
    Kept,
    Applied(&'a Permutation),
    /// By the tensors as they are at that step.
    Found(&'a mut dyn FnMut(&[Option<Tensor>]) -> Result<Permutation>),
}

/// Takes all steps of a plan. Returns whether one of them reordered the neurons.
///
/// # Errors
/// A value that does not fit, a permutation of another length, or cancellation.
pub(crate) fn run(
    architecture: &Architecture,
    plan: &Plan<'_>,
    contents: &mut Contents,
    mut neurons: Neurons<'_>,
    ctx: &Ctx,
) -> Result<bool> {
    undo(architecture, &plan.undo, contents);
    let mut applied = false;
    for steps in plan.moves.chunk_by(|a, b| !matches!(a, Move::Permute) && !matches!(b, Move::Permute)) {
        take(architecture, steps, contents, ctx)?;
        if matches!(steps, [Move::Permute]) {
            match &mut neurons {
                Neurons::Kept => continue,
                Neurons::Applied(permutation) => permute(architecture, &mut contents.tensors, permutation)?,
                Neurons::Found(find) => {
                    let permutation = find(&contents.tensors)?;
                    permute(architecture, &mut contents.tensors, &permutation)?;
                }
            }
            applied = true;
        }
    }
    Ok(applied)
}

/// Puts the lanes that a file is in back into the neurons' own order.
pub(crate) fn undo(architecture: &Architecture, lanes: &[Lanes], contents: &mut Contents) {
    for lanes in lanes.iter().rev() {
        move_lanes(architecture, &mut contents.tensors, *lanes, true);
    }
}

/// Takes some steps; those that reorder the neurons are the caller's.
///
/// # Errors
/// A value that does not fit, or cancellation.
pub(crate) fn take(architecture: &Architecture, moves: &[Move<'_>], contents: &mut Contents, ctx: &Ctx) -> Result<()> {
    for step in moves {
        ctx.check()?;
        match step {
            Move::Merge { into, add, overflow } => merge(architecture, &mut contents.tensors, *into, *add, *overflow)?,
            Move::MergeKings { into } => merge_kings(architecture, contents.tensors[*into].as_mut())?,
            Move::Quantize { tensor, how, step } => {
                let role = &architecture.tensors[*tensor].role.text;
                if let Some(tensor) = &mut contents.tensors[*tensor] {
                    quantize(tensor, how, role, step)?;
                }
            }
            Move::Permute => {}
            Move::Lanes(lanes) => move_lanes(architecture, &mut contents.tensors, *lanes, false),
        }
    }
    Ok(())
}

/// Adds one tensor to another and drops it.
fn merge(architecture: &Architecture, tensors: &mut [Option<Tensor>], into: usize, add: usize, overflow: Overflow) -> Result<()> {
    let Some(added) = tensors[add].take() else { return Ok(()) };
    let Some(sum) = tensors[into].as_mut() else { return Ok(()) };
    let (axes, narrow) = (&architecture.tensors[into].axes, &architecture.tensors[add].axes);
    // How far each axis of the sum moves in what is added: not at all where that has no such axis.
    let mut strides = vec![0usize; axes.len()];
    let mut stride = 1;
    for (axis, size) in narrow.iter().zip(&added.shape).rev() {
        if let Some(index) = axes.iter().position(|other| other == axis) {
            strides[index] = stride;
        }
        stride *= size;
    }
    let row = sum.shape.last().copied().unwrap_or(1).max(1);
    let (shape, outer) = (sum.shape.clone(), sum.shape.len().saturating_sub(1));
    let step = strides.last().copied().unwrap_or(0);
    let base = |index: usize| {
        let mut rest = index;
        (0..outer).rev().map(|axis| (rest % shape[axis], rest /= shape[axis]).0 * strides[axis]).sum::<usize>()
    };
    let mut out = sum.bytes.to_vec();
    let size = sum.dtype.size();
    let misfit = out.par_chunks_mut(row * size).enumerate().with_min_len(64).try_for_each(|(index, out)| {
        let base = base(index);
        if step == 1
            && let Some(added) = added.bytes.get(base * size..base * size + out.len())
        {
            return add_row(sum.dtype, out, added, overflow);
        }
        out.chunks_exact_mut(size).enumerate().try_for_each(|(column, value)| {
            let at = (base + column * step) * size;
            add_value(sum.dtype, value, &added.bytes[at..at + size], overflow)
        })
    });
    if let Err(value) = misfit {
        let (into, add) = (&architecture.tensors[into].role.text, &architecture.tensors[add].role.text);
        return Err(Error::new(format!("a sum of `{into}` and `{add}` does not fit {}", sum.dtype.name()))
            .because(format!("one is {value}"))
            .help("merge before quantizing, or say `overflow = \"saturate\"` or `\"wrap\"` in the step"));
    }
    sum.bytes = Storage::Owned(out);
    Ok(())
}

/// Adds values that lie side by side.
fn add_row(dtype: DType, out: &mut [u8], added: &[u8], overflow: Overflow) -> Result<(), i64> {
    match (dtype, overflow) {
        (DType::F32, _) => {
            let sum = |a: [u8; 4], b: [u8; 4]| (f32::from_le_bytes(a) + f32::from_le_bytes(b)).to_le_bytes();
            out.as_chunks_mut().0.iter_mut().zip(added.as_chunks().0).for_each(|(value, added)| *value = sum(*value, *added));
            Ok(())
        }
        (DType::I16, Overflow::Error) => {
            for (value, added) in out.as_chunks_mut().0.iter_mut().zip(added.as_chunks().0) {
                let (a, b) = (i16::from_le_bytes(*value), i16::from_le_bytes(*added));
                *value = a.checked_add(b).ok_or_else(|| i64::from(a) + i64::from(b))?.to_le_bytes();
            }
            Ok(())
        }
        _ => {
            let size = dtype.size();
            let pairs = out.chunks_exact_mut(size).zip(added.chunks_exact(size));
            pairs.into_iter().try_for_each(|(value, added)| add_value(dtype, value, added, overflow))
        }
    }
}

fn add_value(dtype: DType, value: &mut [u8], added: &[u8], overflow: Overflow) -> Result<(), i64> {
    let Some((low, high)) = dtype.limits() else {
        let sum = f32::from_bits(bits(value)) + f32::from_bits(bits(added));
        value.copy_from_slice(&sum.to_le_bytes());
        return Ok(());
    };
    let sum = integer(dtype, value) + integer(dtype, added);
    let sum = match overflow {
        Overflow::Error if !(low..=high).contains(&sum) => return Err(sum),
        Overflow::Saturate => sum.clamp(low, high),
        _ => sum,
    };
    value.copy_from_slice(&sum.to_le_bytes()[..value.len()]);
    Ok(())
}

/// Up to four little-endian bytes.
fn bits(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |bits, byte| bits << 8 | u32::from(*byte))
}

/// An integer of the type.
pub(crate) fn integer(dtype: DType, bytes: &[u8]) -> i64 {
    match dtype {
        DType::I8 => i64::from(bits(bytes) as u8 as i8),
        DType::I16 => i64::from(bits(bytes) as u16 as i16),
        DType::U8 => i64::from(bits(bytes)),
        DType::I32 | DType::F32 => i64::from(bits(bytes).cast_signed()),
    }
}

/// The king planes of a bucket become one: the own king's on the squares where it can stand in that bucket, the enemy's elsewhere.
fn merge_kings(architecture: &Architecture, tensor: Option<&mut Tensor>) -> Result<()> {
    const OWN: usize = 5 * 64;
    const ENEMY: usize = 11 * 64;
    let Some(tensor) = tensor else { return Ok(()) };
    let squares = architecture.inputs().find_map(|input| match input {
        Input::PieceSquares(squares) => Some(squares),
        _ => None,
    });
    let squares: &PieceSquares =
        squares.ok_or_else(|| Error::usage("kings cannot be merged").because("the file has no `psq` among its `[[inputs]]`"))?;
    let [buckets, _, neurons] = tensor.shape[..] else { return Ok(()) };
    let row = neurons * tensor.dtype.size();
    let mut out = Vec::with_capacity(buckets * MERGED_ROWS * row);
    for (bucket, rows) in tensor.bytes.chunks_exact(SEPARATE_ROWS * row).enumerate() {
        for index in 0..MERGED_ROWS {
            let enemy = (OWN..OWN + 64).contains(&index) && !squares.king_stands(index - OWN, bucket);
            let from = if enemy { index - OWN + ENEMY } else { index };
            out.extend_from_slice(&rows[from * row..][..row]);
        }
    }
    tensor.shape[1] = MERGED_ROWS;
    tensor.bytes = Storage::Owned(out);
    Ok(())
}

/// Reorders the neurons, and what the architecture says moves with them.
pub(crate) fn permute(architecture: &Architecture, tensors: &mut [Option<Tensor>], permutation: &Permutation) -> Result<()> {
    let Some(Moves { axis, also, pairs }) = &architecture.moves else { return Ok(()) };
    let neurons = architecture.sizes.get(axis).copied().unwrap_or(0);
    let mut indices: Vec<usize> = permutation.as_slice().iter().map(|index| *index as usize).collect();
    if *pairs {
        permutation.check_len(neurons / 2)?;
        indices.extend_from_within(..);
        indices[neurons / 2..].iter_mut().for_each(|index| *index += neurons / 2);
    } else if indices.len() != neurons {
        return Err(Error::new(format!("the permutation has {} entries where {neurons} are needed", indices.len())));
    }
    reorder(architecture, tensors, &indices, |name| name == axis || also.iter().any(|other| other == name));
    Ok(())
}

/// Puts the 128-bit pieces of all neurons into the order that an engine's packing needs, or back.
fn move_lanes(architecture: &Architecture, tensors: &mut [Option<Tensor>], lanes: Lanes, back: bool) {
    let order = lanes.order();
    let Some(moves) = architecture.moves.as_ref().filter(|_| order.len() > 1) else { return };
    let neurons = architecture.sizes.get(&moves.axis).copied().unwrap_or(0);
    let group = LANE * order.len();
    let forth = (0..neurons).map(|index| index / group * group + order[index % group / LANE] * LANE + index % LANE);
    let mut indices: Vec<usize> = forth.collect();
    if back {
        let mut inverse = vec![0; neurons];
        indices.iter().enumerate().for_each(|(place, index)| inverse[*index] = place);
        indices = inverse;
    }
    reorder(architecture, tensors, &indices, |name| name == moves.axis);
}

fn reorder(architecture: &Architecture, tensors: &mut [Option<Tensor>], indices: &[usize], moves: impl Fn(&str) -> bool) {
    for (spec, tensor) in architecture.tensors.iter().zip(tensors) {
        let Some(tensor) = tensor else { continue };
        for (axis, name) in spec.axes.iter().enumerate() {
            if moves(name) {
                tensor.take(axis, indices);
            }
        }
    }
}
