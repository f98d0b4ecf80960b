//! Signed LEB128, as `.nnue` files hold compressed tensors: minimal length, in the element type's range, exact count.

use std::io::{self, Write};

use rayon::prelude::*;

/// An integer type of the feature transformer.
pub trait Element: Copy + Default + bytemuck::Pod + Send + Sync {
    /// Longest minimal encoding, in bytes.
    const MAX_BYTES: usize;
    /// Name in reports.
    const NAME: &'static str;
    /// Widens.
    fn widen(self) -> i64;
    /// Narrows a value that is in range; `None` otherwise.
    fn narrow(value: i64) -> Option<Self>;
}

macro_rules! element {
    ($type:ty, $bytes:expr) => {
        impl Element for $type {
            const MAX_BYTES: usize = $bytes;
            const NAME: &'static str = stringify!($type);
            fn widen(self) -> i64 {
                i64::from(self)
            }
            fn narrow(value: i64) -> Option<Self> {
                Self::try_from(value).ok()
            }
        }
    };
}
element!(i16, 3);
element!(i32, 5);

/// What is wrong with an encoded tensor.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Offset of the value's first byte within the encoded bytes.
    pub at: usize,
    /// Index of the value.
    pub index: usize,
    /// The reason.
    pub why: String,
}

/// Decodes exactly `count` values from exactly all of `bytes`.
///
/// # Errors
/// Names the first value that is cut off, longer than needed, or out of the type's range, or the surplus.
pub fn decode<T: Element>(bytes: &[u8], count: usize) -> Result<Vec<T>, Malformed> {
    // Every value takes a byte at least: a count beyond that is wrong before anything is allocated.
    if count > bytes.len() {
        return Err(Malformed { at: bytes.len(), index: bytes.len(), why: format!("{} bytes cannot hold {count} values", bytes.len()) });
    }
    let mut values = Vec::with_capacity(count);
    let mut at = 0;
    for index in 0..count {
        match bytes.get(at) {
            Some(&byte) if byte < 0x80 => {
                values.push(T::narrow(i64::from((byte << 1).cast_signed() >> 1)).expect("7 bits fit every element type"));
                at += 1;
            }
            _ => {
                let (value, length) = decode_long::<T>(&bytes[at..]).map_err(|why| Malformed { at, index, why })?;
                values.push(value);
                at += length;
            }
        }
    }
    if at == bytes.len() {
        Ok(values)
    } else {
        Err(Malformed { at, index: count, why: format!("{} bytes are left after the last of {count} values", bytes.len() - at) })
    }
}

fn decode_long<T: Element>(bytes: &[u8]) -> Result<(T, usize), String> {
    let mut value = 0i64;
    for length in 1..=T::MAX_BYTES {
        let Some(&byte) = bytes.get(length - 1) else { return Err("the data ends inside a value".into()) };
        let shift = 7 * (length - 1);
        value |= i64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            let unused = 64 - (shift + 7);
            let value = (value << unused) >> unused;
            // A last byte that only repeats the sign of the byte before it adds nothing.
            let sign_before = length > 1 && bytes[length - 2] & 0x40 != 0;
            if length > 1 && byte == if sign_before { 0x7F } else { 0x00 } {
                return Err(format!("the value {value} is encoded in {length} bytes, more than it needs"));
            }
            return T::narrow(value).map(|narrow| (narrow, length)).ok_or_else(|| format!("the value {value} does not fit {}", T::NAME));
        }
    }
    Err(format!("a value is longer than {} bytes, the most that {} needs", T::MAX_BYTES, T::NAME))
}

/// Values that one task encodes: enough to outweigh starting it.
const VALUES_A_TASK: usize = 256 << 10;
/// Tasks whose bytes are in memory at once, for each thread.
const TASKS_A_THREAD: usize = 2;

/// Length in bytes of the encoding of `values`.
pub fn encoded_len<T: Element>(values: &[T]) -> usize {
    let length = |value: &T| {
        let value = value.widen();
        // Bits of the magnitude and one for the sign, seven a byte.
        let bits = 65 - (value ^ (value >> 63)).leading_zeros() as usize;
        bits.div_ceil(7)
    };
    values.par_chunks(VALUES_A_TASK).map(|part| part.iter().map(length).sum::<usize>()).sum()
}

/// Encodes `values`, each in its minimal length. The threads of the current rayon pool share the work, in pieces that are written in order.
///
/// # Errors
/// Those of `out`.
pub fn encode<T: Element>(out: &mut impl Write, values: &[T]) -> io::Result<()> {
    for batch in values.chunks(VALUES_A_TASK * TASKS_A_THREAD * rayon::current_num_threads().max(1)) {
        let pieces: Vec<Vec<u8>> = batch.par_chunks(VALUES_A_TASK).map(encode_piece).collect();
        pieces.iter().try_for_each(|piece| out.write_all(piece))?;
    }
    Ok(())
}

fn encode_piece<T: Element>(values: &[T]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(values.len() + values.len() / 4);
    for value in values {
        let mut rest = value.widen();
        loop {
            let byte = (rest & 0x7F) as u8;
            rest >>= 7;
            if (rest == 0 && byte & 0x40 == 0) || (rest == -1 && byte & 0x40 != 0) {
                bytes.push(byte);
                break;
            }
            bytes.push(byte | 0x80);
        }
    }
    bytes
}

#[cfg(test)]
mod tests;
