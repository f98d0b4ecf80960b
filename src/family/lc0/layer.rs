//! One layer: stored numbers ↔ floats, bit for bit as lc0 and the training code do it.

use std::io::Write;

use half::{bf16, f16};
use rayon::prelude::*;

use super::{
    schema::LAYER_ENCODING,
    wire::{Message, Slice, Value},
};
pub use crate::words::{Decode, LayerEncoding as Encoding};

use crate::error::{Error, Result};

impl Decode {
    #[inline(always)]
    pub(super) fn linear(self, code: u16, min: f32, max: f32) -> f32 {
        let t = f32::from(code) / 65535.0;
        match self {
            Self::Lc0V033 => min * (1.0 - t) + max * t,
            Self::Lc0V032 => t * (max - min) + min,
        }
    }
}

impl Encoding {
    /// Its number in a file.
    pub const fn number(self) -> i32 {
        self as i32 + 1
    }

    fn of_number(number: i32) -> Option<Self> {
        Self::ALL.iter().copied().find(|encoding| encoding.number() == number)
    }

    /// Bytes of an element.
    pub const fn size(self) -> usize {
        if matches!(self, Self::Float32) { 4 } else { 2 }
    }
}

/// A layer where it lies in the file.
#[derive(Debug, Clone, Copy)]
pub struct Layer<'a>(&'a Message);

/// Elements that are decoded at a time.
const BLOCK: usize = 1 << 15;

impl<'a> Layer<'a> {
    /// The layer that a message of that kind holds.
    pub fn of(message: &'a Message) -> Self {
        Self(message)
    }

    /// The layer of that name in `message`.
    pub fn find(message: &'a Message, name: &str) -> Option<Self> {
        message.message(name).map(Self)
    }

    /// Where LINEAR16 begins: 0 where the file does not say.
    pub fn min(self) -> f32 {
        self.0.float("min_val").unwrap_or(0.0)
    }

    /// Where LINEAR16 ends: 0 where the file does not say.
    pub fn max(self) -> f32 {
        self.0.float("max_val").unwrap_or(0.0)
    }

    /// The stored bytes.
    pub fn params(self) -> &'a [u8] {
        self.0.bytes("params").map(|bytes| &**bytes).unwrap_or_default()
    }

    /// The shape that the file states. lc0 does not read it.
    pub fn dims(self) -> Vec<u32> {
        self.0.values("dims").iter().filter_map(|value| if let Value::U32(size) = value { Some(*size) } else { None }).collect()
    }

    /// The encoding: LINEAR16 where the layer does not say.
    ///
    /// # Errors
    /// lc0's words, where the number is none of an encoding.
    pub fn encoding(self) -> Result<Encoding> {
        Encoding::of_number(self.encoding_number()).ok_or_else(|| Error::new(format!("Unknown layer encoding {}", self.shown_encoding())))
    }

    fn encoding_number(self) -> i32 {
        self.0.enumerated("encoding").unwrap_or(Encoding::Linear16.number())
    }

    /// The encoding's name; lc0's word for it, where it is one that nobody knows.
    pub fn shown_encoding(self) -> String {
        let number = self.encoding_number();
        Encoding::of_number(number).map_or_else(|| LAYER_ENCODING.show(number), |encoding| encoding.name().to_owned())
    }

    /// The encoding that a release takes the layer for.
    ///
    /// # Errors
    /// Those of [`Self::encoding`].
    pub fn encoding_for(self, decode: Decode) -> Result<Encoding> {
        if decode == Decode::Lc0V032 { Ok(Encoding::Linear16) } else { self.encoding() }
    }

    /// Whether the formula makes something else than numbers of a range whose ends are numbers: its length is infinite.
    pub fn is_too_wide(self, decode: Decode) -> bool {
        let (min, max) = (self.min(), self.max());
        let is_stored = min.is_finite() && max.is_finite() && self.count(decode).is_ok_and(|count| count > 0);
        is_stored && decode == Decode::Lc0V032 && !(max - min).is_finite()
    }

    /// How many elements there are: a left-over byte is none.
    ///
    /// # Errors
    /// Those of [`Self::encoding`].
    pub fn count(self, decode: Decode) -> Result<usize> {
        Ok(self.params().len() / self.encoding_for(decode)?.size())
    }

    /// All values.
    ///
    /// # Errors
    /// Those of [`Self::encoding`], and when the memory does not suffice.
    pub fn values(self, decode: Decode) -> Result<Vec<f32>> {
        self.values_of(self.params(), decode)
    }

    /// As [`Self::values`], of stored bytes that lie elsewhere.
    ///
    /// # Errors
    /// Those of [`Self::values`].
    pub(super) fn values_of(self, params: &[u8], decode: Decode) -> Result<Vec<f32>> {
        let mut values = Vec::new();
        let encoding = self.encoding_for(decode)?;
        let wanted = params.len() / encoding.size();
        values.try_reserve_exact(wanted).map_err(|error| Error::new("there is not enough memory for the layer").because(error))?;
        values.resize(wanted, 0.0);
        self.decode_into(params, encoding, decode, &mut values);
        Ok(values)
    }

    /// Decodes as many elements as `out` has, on all cores where they are many.
    fn decode_into(self, params: &[u8], encoding: Encoding, decode: Decode, out: &mut [f32]) {
        let (min, max) = (self.min(), self.max());
        let decode_block = |piece: &[u8], out: &mut [f32]| {
            let halves = piece.as_chunks().0.iter().map(|bytes| u16::from_le_bytes(*bytes));
            match encoding {
                // One loop a formula, so that several elements are decoded at once.
                Encoding::Linear16 => match decode {
                    Decode::Lc0V033 => out.iter_mut().zip(halves).for_each(|(out, code)| *out = Decode::Lc0V033.linear(code, min, max)),
                    Decode::Lc0V032 => out.iter_mut().zip(halves).for_each(|(out, code)| *out = Decode::Lc0V032.linear(code, min, max)),
                },
                Encoding::Float16 => out.iter_mut().zip(halves).for_each(|(out, bits)| *out = f16::from_bits(bits).to_f32()),
                Encoding::Bfloat16 => out.iter_mut().zip(halves).for_each(|(out, bits)| *out = f32::from_bits(u32::from(bits) << 16)),
                Encoding::Float32 => {
                    out.iter_mut().zip(piece.as_chunks().0).for_each(|(out, bytes)| *out = f32::from_le_bytes(*bytes));
                }
            }
        };
        if out.len() <= BLOCK {
            decode_block(params, out);
        } else {
            params.par_chunks(BLOCK * encoding.size()).zip(out.par_chunks_mut(BLOCK)).for_each(|(piece, out)| decode_block(piece, out));
        }
    }

    /// Hands over the values in order, some thousands at a time.
    ///
    /// # Errors
    /// Those of [`Self::encoding`] and of `sink`.
    pub fn each_block(self, decode: Decode, sink: &mut dyn FnMut(&[f32]) -> Result<()>) -> Result<()> {
        let encoding = self.encoding_for(decode)?;
        let size = encoding.size();
        let params = self.params().get(..self.count(decode)? * size).unwrap_or_default();
        // A layer of one block is not worth a second thread; of a larger one a few blocks a thread are in memory, twice: while some are
        // taken, the next are decoded.
        let window = BLOCK * 4 * rayon::current_num_threads().max(1);
        let mut pieces = params.chunks(window * size);
        let Some(first) = pieces.next() else { return Ok(()) };
        let mut ready = vec![0.0; first.len() / size];
        self.decode_into(first, encoding, decode, &mut ready);
        let mut coming = Vec::new();
        for piece in pieces {
            coming.resize(piece.len() / size, 0.0);
            rayon::in_place_scope(|scope| {
                scope.spawn(|_| self.decode_into(piece, encoding, decode, &mut coming));
                sink(&ready)
            })?;
            std::mem::swap(&mut ready, &mut coming);
        }
        sink(&ready)
    }
}

/// Writes floats as little-endian bytes.
///
/// # Errors
/// Those of `out`.
pub fn write_floats(out: &mut dyn Write, floats: &[f32]) -> Result<()> {
    let failed = |error| Error::new("cannot write").because(error);
    if cfg!(target_endian = "little") {
        return out.write_all(bytemuck::cast_slice(floats)).map_err(failed);
    }
    floats.iter().try_for_each(|value| out.write_all(&value.to_le_bytes())).map_err(failed)
}

/// The stored form of a layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Encoded {
    /// How it is stored.
    pub encoding: Encoding,
    /// The range, for LINEAR16.
    pub range: Option<(f32, f32)>,
    /// The elements' bytes.
    pub params: Vec<u8>,
}

impl Encoded {
    /// Puts the numbers into a layer. Whether the encoding of LINEAR16 is written out stays as it was, and so does the shape.
    pub fn store(self, layer: &mut Message) {
        self.store_as(layer);
        layer.set("params", Value::Bytes(Slice::from_vec(self.params)));
    }

    /// As [`Self::store`], with the bytes in the place of the earlier ones, `place`, which were taken out of the layer. Bytes that are
    /// more than there were get memory of their own.
    pub(super) fn store_in(self, layer: &mut Message, place: &mut [u8]) {
        let room = place.get_mut(..self.params.len());
        let (Some(room), Some(piece)) = (room, layer.bytes("params").cloned()) else { return self.store(layer) };
        room.copy_from_slice(&self.params);
        self.store_as(layer);
        layer.set("params", Value::Bytes(piece.shortened(self.params.len())));
    }

    fn store_as(&self, layer: &mut Message) {
        if self.encoding != Encoding::Linear16 || layer.has("encoding") {
            layer.set("encoding", Value::Enum(self.encoding.number()));
        }
        match self.range {
            Some((min, max)) => {
                layer.set("min_val", Value::Float(min));
                layer.set("max_val", Value::Float(max));
            }
            None => {
                layer.remove("min_val");
                layer.remove("max_val");
            }
        }
    }
}

/// Encodes floats. LINEAR16 is the rule of the TensorFlow training code, by which all official networks were written; halves are rounded
/// to the nearest, ties to even.
///
/// # Errors
/// When there are NaN or infinities, or finite values that the encoding cannot hold: beyond its range, or a LINEAR16 range so wide that
/// its length is infinite.
pub fn encode(values: &[f32], encoding: Encoding) -> Result<Encoded> {
    if let Some(at) = values.iter().position(|value| !value.is_finite()) {
        return Err(Error::new(format!("element {at} is {}, which is not a weight", values[at])));
    }
    let too_large = |at: usize| Error::new(format!("element {at}, {}, is too large for {}", values[at], encoding.name()));
    let mut params = Vec::with_capacity(values.len() * encoding.size());
    let mut range = None;
    match encoding {
        Encoding::Linear16 => range = Some(encode_linear(values, &mut params)?),
        Encoding::Float16 => {
            for (at, value) in values.iter().enumerate() {
                let half = f16::from_f32(*value);
                if half.is_infinite() {
                    return Err(too_large(at));
                }
                params.extend(half.to_le_bytes());
            }
        }
        Encoding::Bfloat16 => {
            for (at, value) in values.iter().enumerate() {
                let half = bf16::from_f32(*value);
                if half.is_infinite() {
                    return Err(too_large(at));
                }
                params.extend(half.to_le_bytes());
            }
        }
        Encoding::Float32 => params.extend(values.iter().flat_map(|value| value.to_le_bytes())),
    }
    Ok(Encoded { encoding, range, params })
}

fn encode_linear(values: &[f32], params: &mut Vec<u8>) -> Result<(f32, f32)> {
    // As NumPy: of equal values the later one counts, which decides the sign of a zero.
    let least = values.iter().copied().reduce(|a, b| if a < b { a } else { b }).unwrap_or(0.0);
    let greatest = values.iter().copied().reduce(|a, b| if a > b { a } else { b }).unwrap_or(0.0);
    let (min, max) = match values {
        [value] => (0.0, if *value == 0.0 { 1.0 } else { *value }),
        _ => (least, greatest),
    };
    let length = (f64::from(max) - f64::from(min)) as f32;
    if length.is_infinite() {
        return Err(Error::new(format!("the range from {min} to {max} is too wide for linear16")).help("take bfloat16 or float32"));
    }
    for value in values {
        let place = if min == max { value - min } else { (value - min) / length };
        params.extend(((place * 65535.0).round_ties_even() as u16).to_le_bytes());
    }
    Ok((min, max))
}

/// Whether LINEAR16 can give such values back: the range is finite, and the distance between codes is at least four units in the last place of the greatest.
pub fn is_linear16_stable(min: f32, max: f32) -> bool {
    let greatest = min.abs().max(max.abs());
    let ulp = f64::from(f32::from_bits(greatest.to_bits().saturating_add(1))) - f64::from(greatest);
    let step = (f64::from(max) - f64::from(min)) / 65535.0;
    min < max && (max - min).is_finite() && step >= 4.0 * ulp
}

#[cfg(test)]
mod tests;
