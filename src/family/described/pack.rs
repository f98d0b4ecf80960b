//! LEB128 without a count, as PlentyChess' files hold all their tensors: SLEB128 for integers, ULEB128 of the bits for floats.
//! And the sections of `.nnue` files. Knows nothing of layouts.

use rayon::prelude::*;

use super::model::DType;

/// What a compressed section of a `.nnue` file begins with; the length in bytes follows as u32.
pub(crate) const SECTION: &[u8; 17] = b"COMPRESSED_LEB128";

/// Values that one task encodes.
const VALUES_A_TASK: usize = 256 << 10;

/// Values whose encoding is in memory at once, where it need not be known as a whole.
pub(crate) const VALUES_A_BATCH: usize = 16 * VALUES_A_TASK;

/// Bytes that one task decodes.
const BYTES_A_TASK: usize = 256 << 10;

/// The length of `count` values at the beginning of `bytes`: each ends with the first byte below 128.
pub(crate) fn length(bytes: &[u8], count: usize) -> Option<usize> {
    let mut left = count;
    let mut at = 0;
    while left > 0 {
        // No more values end in a block than it has bytes.
        let block = bytes.get(at..)?.get(..left.min(bytes.len() - at))?;
        if block.is_empty() {
            return None;
        }
        left -= block.iter().map(|byte| usize::from(*byte < 0x80)).sum::<usize>();
        at += block.len();
    }
    Some(at)
}

/// Decodes exactly `count` values from all of `bytes` into little-endian ones.
///
/// # Errors
/// The first value that is too long or does not fit, for people.
pub(crate) fn decode(bytes: &[u8], dtype: DType, count: usize) -> Result<Vec<u8>, String> {
    decode_in_pieces(bytes, dtype, count, BYTES_A_TASK)
}

/// Pieces of about `piece` bytes, which end with a value, are decoded by the threads of the current rayon pool.
fn decode_in_pieces(bytes: &[u8], dtype: DType, count: usize, piece: usize) -> Result<Vec<u8>, String> {
    let mut pieces = Vec::new();
    let mut rest = bytes;
    while rest.len() > piece {
        let end = rest[piece..].iter().position(|byte| *byte < 0x80).map_or(rest.len(), |more| piece + more + 1);
        let (first, others) = rest.split_at(end);
        pieces.push(first);
        rest = others;
    }
    pieces.push(rest);
    let counts: Vec<usize> = pieces.par_iter().map(|piece| piece.iter().filter(|byte| **byte < 0x80).count()).collect();
    let ends: usize = counts.iter().sum();
    // Every value takes a byte at least, so nothing is allocated beyond a few times the input.
    if ends != count || bytes.last().is_some_and(|byte| *byte >= 0x80) {
        return Err(format!("{} bytes hold {ends} values, not {count}", bytes.len()));
    }
    let mut out = vec![0u8; count.saturating_mul(dtype.size())];
    let mut tasks = Vec::with_capacity(pieces.len());
    let (mut left, mut before) = (&mut out[..], 0);
    for (piece, count) in pieces.into_iter().zip(counts) {
        let (own, others) = left.split_at_mut(count * dtype.size());
        tasks.push((piece, own, before));
        (left, before) = (others, before + count);
    }
    tasks.into_par_iter().try_for_each(|(piece, out, before)| {
        decode_piece(piece, dtype, out).map_err(|(index, why)| format!("value {} {why}", before + index))
    })?;
    Ok(out)
}

/// As many values as `out` has room for; they end where the piece does.
fn decode_piece(bytes: &[u8], dtype: DType, out: &mut [u8]) -> Result<(), (usize, String)> {
    let (mut at, mut index) = (0, 0);
    let size = dtype.size();
    while index * size < out.len() {
        // Eight values of one byte each.
        if dtype == DType::I8
            && let (Some(eight), Some(room)) = (bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()), out.get_mut(index..index + 8))
            && let word = u64::from_le_bytes(*eight)
            && word & EIGHTH_BITS == 0
        {
            // The sign bit of one byte is its seventh.
            room.copy_from_slice(&(word | (word << 1) & EIGHTH_BITS).to_le_bytes());
            (at, index) = (at + 8, index + 8);
            continue;
        }
        let Some(out) = out.get_mut(index * size..(index + 1) * size) else { break };
        let (value, length) = match bytes.get(at) {
            // The sign bit of one byte is its seventh.
            Some(&byte) if byte < 0x80 && dtype != DType::F32 => (i64::from((byte << 1).cast_signed() >> 1), 1),
            _ => decode_long(bytes.get(at..).unwrap_or_default(), dtype).map_err(|why| (index, why))?,
        };
        at += length;
        if let Some((low, high)) = dtype.limits()
            && !(low..=high).contains(&value)
        {
            return Err((index, format!("is {value}, which does not fit {}", dtype.name())));
        }
        out.copy_from_slice(&value.to_le_bytes()[..size]);
        index += 1;
    }
    Ok(())
}

/// The highest bit of each byte of a word.
const EIGHTH_BITS: u64 = 0x8080_8080_8080_8080;

fn decode_long(bytes: &[u8], dtype: DType) -> Result<(i64, usize), String> {
    let mut value = 0i64;
    for (index, &byte) in bytes.iter().take(5).enumerate() {
        let shift = 7 * index as u32;
        value |= i64::from(byte & 0x7F) << shift;
        if byte >= 0x80 {
            continue;
        }
        let sign_before = index > 0 && bytes[index - 1] & 0x40 != 0;
        let idle = if dtype != DType::F32 && sign_before { 0x7F } else { 0 };
        if index > 0 && byte == idle {
            return Err("takes more bytes than it needs".to_owned());
        }
        if dtype == DType::F32 {
            let fits = value <= i64::from(u32::MAX);
            return if fits { Ok((value, index + 1)) } else { Err("does not fit 32 bits".to_owned()) };
        }
        let unused = 64 - (shift + 7);
        return Ok(((value << unused) >> unused, index + 1));
    }
    Err(if bytes.len() < 5 { "is cut off" } else { "is longer than 5 bytes" }.to_owned())
}

/// The pieces of the encoding of little-endian values, in order.
pub(crate) fn encode(bytes: &[u8], dtype: DType) -> Vec<Vec<u8>> {
    bytes.par_chunks(VALUES_A_TASK * dtype.size()).map(|piece| encode_piece(piece, dtype)).collect()
}

fn encode_piece(bytes: &[u8], dtype: DType) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() / dtype.size() * 5 / 4 + bytes.len() / 2);
    match dtype {
        DType::I8 => {
            let (words, rest) = bytes.as_chunks::<8>();
            for eight in words {
                let word = u64::from_le_bytes(*eight);
                // Values of seven bits: the eighth is as the seventh.
                if (word ^ word << 1) & EIGHTH_BITS == 0 {
                    out.extend_from_slice(&(word & !EIGHTH_BITS).to_le_bytes());
                } else {
                    eight.iter().for_each(|byte| signed(i64::from(byte.cast_signed()), &mut out));
                }
            }
            rest.iter().for_each(|byte| signed(i64::from(byte.cast_signed()), &mut out));
        }
        DType::U8 => bytes.iter().for_each(|byte| signed(i64::from(*byte), &mut out)),
        DType::I16 => bytes.as_chunks().0.iter().for_each(|value| signed(i64::from(i16::from_le_bytes(*value)), &mut out)),
        DType::I32 => bytes.as_chunks().0.iter().for_each(|value| signed(i64::from(i32::from_le_bytes(*value)), &mut out)),
        DType::F32 => {
            for value in bytes.as_chunks().0 {
                let mut rest = u32::from_le_bytes(*value);
                while rest >= 0x80 {
                    out.push(rest as u8 | 0x80);
                    rest >>= 7;
                }
                out.push(rest as u8);
            }
        }
    }
    out
}

#[inline(always)]
fn signed(mut rest: i64, out: &mut Vec<u8>) {
    while !(-64..64).contains(&rest) {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8 & 0x7F);
}

#[cfg(test)]
mod tests;
