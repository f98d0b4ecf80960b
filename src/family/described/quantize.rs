//! Floats → integers, exactly as an engine's tool computes it: product in the stated precision, rounding, and what happens to values
//! that do not fit.

use rayon::prelude::*;

use super::model::{DType, Overflow, Precision, Quantize, Rounding};
use super::tensor::Tensor;
use crate::error::{Error, Result};

/// Values that one task computes.
const VALUES_A_TASK: usize = 64 << 10;

/// A value that does not fit: its index, and itself.
type Misfit = (usize, f32);

/// Replaces the tensor's floats.
///
/// # Errors
/// A value that is no number, or that does not fit where that is an error.
pub(crate) fn quantize(tensor: &mut Tensor, how: &Quantize, role: &str, step: &str) -> Result<()> {
    let (input, _) = tensor.bytes.as_chunks::<4>();
    let size = how.dtype.size();
    let mut out = vec![0u8; input.len() * size];
    let tasks = out.par_chunks_mut(VALUES_A_TASK * size).zip(input.par_chunks(VALUES_A_TASK)).enumerate();
    let misfits: Vec<(usize, Misfit)> = tasks
        .filter_map(|(task, (out, input))| {
            let wrong = if fast(how, input, out) { None } else { slow(how, input, out) };
            wrong.map(|(count, (index, value))| (count, (task * VALUES_A_TASK + index, value)))
        })
        .collect();
    if let Some((_, (index, value))) = misfits.first() {
        let count: usize = misfits.iter().map(|(count, _)| count).sum();
        return Err(refused(how, role, step, count, *index, *value));
    }
    tensor.dtype = how.dtype;
    tensor.replace(out);
    Ok(())
}

fn refused(how: &Quantize, role: &str, step: &str, count: usize, index: usize, value: f32) -> Error {
    let dtype = how.dtype.name();
    let numbers = if count == 1 { "1 value".to_owned() } else { format!("{count} values") };
    if !value.is_finite() {
        return Error::new(format!("{numbers} of `{role}` cannot be quantized"))
            .because(format!("the value at index {index} is {value}"))
            .help("the training went wrong: take an earlier checkpoint");
    }
    let product = f64::from(value) * how.scale;
    Error::new(format!("{numbers} of `{role}` {} not fit {dtype}", if count == 1 { "does" } else { "do" }))
        .because(format!("the value at index {index} is {value}, times {} is {product}", how.scale))
        .help(format!("say what to do in step `{step}`: `overflow = \"saturate\"` or `\"wrap\"`, or `--set step.{step}.overflow=wrap`"))
}

/// The common case: f32 products that all fit. False where one does not, or another precision is asked for.
fn fast(how: &Quantize, input: &[[u8; 4]], out: &mut [u8]) -> bool {
    if how.precision != Precision::F32 || how.clip_after {
        return false;
    }
    let [low, high] = how.clip.map_or([f32::MIN, f32::MAX], |clip| clip.map(|limit| limit as f32));
    let scale = how.scale as f32;
    // Away from i32's own limits a cast is the whole part, and what it leaves is exact.
    let product = move |bytes: &[u8; 4]| {
        let value = f32::from_le_bytes(*bytes);
        let clipped = if value < low {
            low
        } else if value > high {
            high
        } else {
            value
        };
        clipped * scale
    };
    let away = |product: f32| {
        let whole = product as i32;
        let rest = product - whole as f32;
        whole.wrapping_add(i32::from(rest >= 0.5)).wrapping_sub(i32::from(rest <= -0.5))
    };
    match how.rounding {
        Rounding::Away => fast_values(how.dtype, input, out, |bytes| (product(bytes), away(product(bytes)))),
        Rounding::Truncate => fast_values(how.dtype, input, out, |bytes| (product(bytes), product(bytes) as i32)),
        Rounding::Even => fast_values(how.dtype, input, out, |bytes| (product(bytes), product(bytes).round_ties_even() as i32)),
    }
}

#[inline(always)]
fn fast_values(dtype: DType, input: &[[u8; 4]], out: &mut [u8], compute: impl Fn(&[u8; 4]) -> (f32, i32)) -> bool {
    match dtype {
        DType::I8 => each(input, out.as_chunks_mut().0, -128, 127, compute, |value| [value as u8]),
        DType::U8 => each(input, out.as_chunks_mut().0, 0, 255, compute, |value| [value as u8]),
        DType::I16 => each(input, out.as_chunks_mut().0, -32768, 32767, compute, |value| (value as u16).to_le_bytes()),
        DType::I32 | DType::F32 => each(input, out.as_chunks_mut().0, i32::MIN, i32::MAX, compute, i32::to_le_bytes),
    }
}

#[inline(always)]
fn each<const N: usize>(
    input: &[[u8; 4]],
    out: &mut [[u8; N]],
    low: i32,
    high: i32,
    compute: impl Fn(&[u8; 4]) -> (f32, i32),
    store: impl Fn(i32) -> [u8; N],
) -> bool {
    /// Below 2^31, so that casts do not saturate; not a number is not below.
    const CAST: f32 = 2_147_483_520.0;
    let mut good = true;
    for (bytes, out) in input.iter().zip(out) {
        let (product, value) = compute(bytes);
        good &= (product.abs() <= CAST) & (value >= low) & (value <= high);
        *out = store(value);
    }
    good
}

/// Any case, value by value; returns how many do not fit, and the first of them.
fn slow(how: &Quantize, input: &[[u8; 4]], out: &mut [u8]) -> Option<(usize, Misfit)> {
    let mut wrong: Option<(usize, Misfit)> = None;
    for (index, (bytes, out)) in input.iter().zip(out.chunks_exact_mut(how.dtype.size())).enumerate() {
        let value = f32::from_le_bytes(*bytes);
        match one(how, value) {
            Some(integer) => out.copy_from_slice(&integer.to_le_bytes()[..out.len()]),
            None => wrong = Some(wrong.map_or((1, (index, value)), |(count, first)| (count + 1, first))),
        }
    }
    wrong
}

fn one(how: &Quantize, value: f32) -> Option<i64> {
    let rounded = match how.precision {
        Precision::F32 => {
            let limits = how.clip.map(|clip| clip.map(|limit| limit as f32));
            let clip = |x: f32, here: bool| limits.filter(|_| here).map_or(x, |[low, high]| x.max(low).min(high));
            if value.is_nan() {
                return None;
            }
            let product = clip(clip(value, !how.clip_after) * how.scale as f32, how.clip_after);
            f64::from(match how.rounding {
                Rounding::Away => product.round(),
                Rounding::Even => product.round_ties_even(),
                Rounding::Truncate => product.trunc(),
            })
        }
        Precision::F64 => {
            let clip = |x: f64, here: bool| how.clip.filter(|_| here).map_or(x, |[low, high]| x.max(low).min(high));
            if value.is_nan() {
                return None;
            }
            let product = clip(clip(f64::from(value), !how.clip_after) * how.scale, how.clip_after);
            match how.rounding {
                Rounding::Away => product.round(),
                Rounding::Even => product.round_ties_even(),
                Rounding::Truncate => product.trunc(),
            }
        }
    };
    let (low, high) = how.dtype.limits()?;
    match how.overflow {
        Overflow::Error => (rounded >= low as f64 && rounded <= high as f64).then_some(rounded as i64),
        Overflow::Saturate => Some(rounded.clamp(low as f64, high as f64) as i64),
        // Beyond 64 bits there is nothing to wrap.
        Overflow::Wrap => (rounded.abs() < 9.2e18).then_some(rounded as i64),
    }
}

#[cfg(test)]
mod tests;
