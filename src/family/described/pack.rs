//! LEB128 without a count, as PlentyChess' files hold all their tensors: SLEB128 for integers, ULEB128 of the bits for floats.
//! And the sections of `.nnue` files. Knows nothing of layouts.

use rayon::prelude::*;

use super::model::DType;

/// What a compressed section of a `.nnue` file begins with; the length in bytes follows as u32.
pub(crate) const SECTION: &[u8; 17] = b"COMPRESSED_LEB128";

/// Values that one task encodes.
const VALUES_A_TASK: usize = 256 << 10;

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
    // Every value takes a byte at least: nothing is allocated for a count beyond that.
    if count > bytes.len() {
        return Err(format!("{} bytes cannot hold {count} values", bytes.len()));
    }
    let mut out = Vec::with_capacity(count.saturating_mul(dtype.size()));
    let mut at = 0;
    for index in 0..count {
        let (value, length) = match bytes.get(at) {
            // The sign bit of one byte is its seventh.
            Some(&byte) if byte < 0x80 && dtype != DType::F32 => (i64::from((byte << 1).cast_signed() >> 1), 1),
            _ => decode_long(&bytes[at..], dtype).map_err(|why| format!("value {index} {why}"))?,
        };
        at += length;
        if let Some((low, high)) = dtype.limits()
            && !(low..=high).contains(&value)
        {
            return Err(format!("value {index} is {value}, which does not fit {}", dtype.name()));
        }
        match dtype.size() {
            1 => out.push(value as u8),
            2 => out.extend_from_slice(&(value as u16).to_le_bytes()),
            _ => out.extend_from_slice(&(value as u32).to_le_bytes()),
        }
    }
    if at == bytes.len() { Ok(out) } else { Err(format!("{} bytes are left after the last value", bytes.len() - at)) }
}

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
        DType::I8 => bytes.iter().for_each(|byte| signed(i64::from(byte.cast_signed()), &mut out)),
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn values_return(values in proptest::collection::vec(any::<u32>(), 0..100), kind in 0usize..5) {
            let dtype = DType::named(DType::NAMES[kind]).unwrap();
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            let count = bytes.len() / dtype.size();
            let encoded = encode(&bytes, dtype).concat();
            prop_assert_eq!(length(&encoded, count), Some(encoded.len()));
            prop_assert_eq!(decode(&encoded, dtype, count).unwrap(), bytes);
        }

        #[test]
        fn nothing_else_decodes(bytes in proptest::collection::vec(any::<u8>(), 0..40), kind in 0usize..5) {
            let dtype = DType::named(DType::NAMES[kind]).unwrap();
            let count = bytes.iter().filter(|byte| **byte < 0x80).count();
            if let Ok(values) = decode(&bytes, dtype, count) {
                prop_assert_eq!(encode(&values, dtype).concat(), bytes);
            }
        }
    }
}
