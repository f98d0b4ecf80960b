//! Exchange of permutations and activation matrices with the trainer's `ftperm.py`, as `.npy` files.
//! Knows nothing of paths: bytes in, bytes out.
//!
//! A matrix is a `bool` array (N, L1), True where the output is zero, columns the side to move's half and then the other's; or the same
//! packed by `numpy.packbits(matrix, axis=1)`, `uint8` of shape (N, ceil(L1/8)), which does not tell L1.

use std::io::{self, Write};

use super::matrix::{ActivationMatrix, MatrixBuilder};
use crate::{
    error::{Error, Result},
    format::npy::{self, DType},
    net::Permutation,
};

/// Word-rows that are expanded or collected at once: 512 positions.
const ROWS_AT_ONCE: usize = 16;

/// Reads a permutation: one dimension of `int64` or `int32`.
///
/// # Errors
/// When `bytes` is not such an array, or what it holds is not a permutation.
pub fn read_permutation(bytes: &[u8]) -> Result<Permutation> {
    let (header, data) = npy::parse(bytes)?;
    let values: Vec<i64> = match (header.dtype, header.shape.as_slice()) {
        (DType::I64, [_]) => data.as_chunks().0.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect(),
        (DType::I32, [_]) => data.as_chunks().0.iter().map(|bytes| i32::from_le_bytes(*bytes).into()).collect(),
        (dtype, shape) => {
            return Err(Error::new(format!("this array of `{}` with shape {shape:?} is not a permutation", dtype.descr()))
                .help("expected one dimension of L1/2 `int64` or `int32` numbers, as `ftperm.py find_perm` writes"));
        }
    };
    Permutation::try_from(values.as_slice())
}

/// Writes a permutation as `numpy.save` writes an `int64` array.
///
/// # Errors
/// Those of `out`.
pub fn write_permutation(permutation: &Permutation, out: &mut impl Write) -> io::Result<()> {
    npy::write_header(out, DType::I64, &[permutation.len()])?;
    let bytes: Vec<u8> = permutation.as_slice().iter().flat_map(|&entry| i64::from(entry).to_le_bytes()).collect();
    out.write_all(&bytes)
}

/// Reads an activation matrix, `bool` or packed. `l1` is needed for a packed one, and checked for a `bool` one.
///
/// # Errors
/// When `bytes` is not such an array, has an odd L1 or no rows, a `bool` element is not 0 or 1, or a padding bit is set.
pub fn read_matrix(bytes: &[u8], l1: Option<usize>) -> Result<ActivationMatrix> {
    let (header, data) = npy::parse(bytes)?;
    let (positions, width, l1) = match (header.dtype, header.shape.as_slice(), l1) {
        (DType::Bool, &[positions, width], None) => (positions, width, width),
        (DType::Bool, &[positions, width], Some(l1)) if width == l1 => (positions, width, l1),
        (DType::Bool, &[_, width], Some(l1)) => {
            return Err(Error::new(format!("this activation matrix has {width} columns where L1 is {l1}")));
        }
        (DType::U8, &[positions, width], Some(l1)) if width == l1.div_ceil(8) => (positions, width, l1),
        (DType::U8, &[_, width], Some(l1)) => {
            return Err(Error::new(format!(
                "this packed activation matrix has {width} bytes a row where L1={l1} makes {}",
                l1.div_ceil(8)
            ))
            .help("give the L1 of the net that it was gathered with"));
        }
        (DType::U8, &[_, width], None) => {
            return Err(Error::new("this activation matrix is packed, and a packed one does not tell L1")
                .help(format!("say which L1 it has, most likely `--l1 {}`", width.saturating_mul(8))));
        }
        (dtype, shape, _) => {
            return Err(Error::new(format!("this array of `{}` with shape {shape:?} is not an activation matrix", dtype.descr()))
                .help("expected `bool` of shape (positions, L1), or `numpy.packbits` of that along axis 1"));
        }
    };
    if l1 % 2 != 0 {
        return Err(Error::new(format!("L1 of an activation matrix must be even, and this is {l1}")));
    }
    let half = l1 / 2;
    let mut builder = MatrixBuilder::new(positions, half)?;
    let mut rows = vec![0u64; ROWS_AT_ONCE * half];
    let mut unpacked = vec![0u8; l1];
    let mut first = 0;
    for batch in data.chunks(width * 32 * ROWS_AT_ONCE) {
        rows.fill(0);
        let count = batch.len() / width;
        for (k, line) in batch.chunks_exact(width).enumerate() {
            let line = match header.dtype {
                DType::Bool => check_bools(line, first + k)?,
                _ => unpack(line, &mut unpacked, first + k)?,
            };
            let word_row = &mut rows[k / 32 * half..][..half];
            let shift = 2 * (k % 32);
            let (to_move, other) = line.split_at(half);
            for (word, (&a, &b)) in word_row.iter_mut().zip(to_move.iter().zip(other)) {
                *word |= (u64::from(a) | u64::from(b) << 1) << shift;
            }
        }
        builder.push(&rows[..count.div_ceil(32) * half])?;
        first += count;
    }
    builder.finish()
}

fn check_bools(line: &[u8], row: usize) -> Result<&[u8]> {
    if line.iter().fold(0, |all, &byte| all | byte) > 1 {
        let column = line.iter().position(|&byte| byte > 1).unwrap_or(0);
        return Err(Error::new("this activation matrix is damaged")
            .because(format!("the element in row {row}, column {column} is {}, and a `bool` is 0 or 1", line[column])));
    }
    Ok(line)
}

/// The most significant bit of a byte comes first.
fn unpack<'a>(line: &[u8], out: &'a mut [u8], row: usize) -> Result<&'a [u8]> {
    for (bits, &byte) in out.chunks_mut(8).zip(line) {
        for (k, bit) in bits.iter_mut().enumerate() {
            *bit = byte >> (7 - k) & 1;
        }
    }
    let spare = line.len() * 8 - out.len();
    if line.last().is_some_and(|&last| u32::from(last) & ((1 << spare) - 1) != 0) {
        return Err(Error::new("this activation matrix is damaged").because(format!("row {row} has bits past column {}", out.len() - 1)));
    }
    Ok(out)
}

/// Writes an activation matrix as `numpy.save` writes a `bool` array (N, L1), a few hundred rows at a time.
///
/// # Errors
/// Those of `out`.
pub fn write_matrix(matrix: &ActivationMatrix, out: &mut impl Write) -> io::Result<()> {
    let (positions, half) = (matrix.positions(), matrix.half());
    npy::write_header(out, DType::Bool, &[positions, 2 * half])?;
    let mut lines = vec![0u8; 32 * ROWS_AT_ONCE * 2 * half];
    for first in (0..positions.div_ceil(32)).step_by(ROWS_AT_ONCE) {
        let count = (positions - 32 * first).min(32 * ROWS_AT_ONCE);
        for (k, line) in lines.chunks_exact_mut(2 * half).take(count).enumerate() {
            let (to_move, other) = line.split_at_mut(half);
            for (neuron, (a, b)) in to_move.iter_mut().zip(other).enumerate() {
                let pair = matrix.column(neuron)[first + k / 32] >> (2 * (k % 32));
                *a = (pair & 1) as u8;
                *b = (pair >> 1 & 1) as u8;
            }
        }
        out.write_all(&lines[..count * 2 * half])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
