//! Protobuf as lc0 reads it: a strict parser into a tree that keeps everything, and the canonical writer. Knows no meaning.
//!
//! The rules are those of lc0's own parser, not Google's: varints of any length, silent skipping of unknown numbers and of known ones
//! with another wire type, messages that occur twice are merged, `required` is not enforced. What lc0 skips is kept here, in the order
//! of the file, and written after the known fields of its message. Large values stay where they lie in the file.

use std::{io::Write, ops::Deref, ops::Range};

use super::schema::{FieldType, Kind, MessageType};
use crate::{
    error::{Error, Result},
    files::Bytes,
};

/// Most values in one file. Real networks have some thousands; a file of empty messages must not become a tree that fills the memory.
const MAX_VALUES: usize = 1 << 17;

/// A piece of a file. Cloning copies no bytes.
#[derive(Clone)]
pub struct Slice {
    bytes: Bytes,
    range: Range<usize>,
}

impl Slice {
    /// The piece at `range`; empty where that is not inside.
    pub fn new(bytes: &Bytes, range: Range<usize>) -> Self {
        let range = if bytes.get(range.clone()).is_some() { range } else { 0..0 };
        Self { bytes: bytes.clone(), range }
    }

    /// Takes bytes that are in memory.
    pub fn from_vec(bytes: Vec<u8>) -> Self {
        let range = 0..bytes.len();
        Self { bytes: Bytes::from_vec(bytes), range }
    }

    /// Where the piece lies in memory that was taken out of it ([`Message::take_out`]); `None` where none was.
    pub(super) fn place(&self) -> Option<Range<usize>> {
        (self.bytes.len() < self.range.end).then(|| self.range.clone())
    }

    /// The first `len` bytes of the piece, at most all of it.
    pub(super) fn shortened(&self, len: usize) -> Self {
        Self { bytes: self.bytes.clone(), range: self.range.start..self.range.end.min(self.range.start.saturating_add(len)) }
    }
}

impl Deref for Slice {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(self.range.clone()).unwrap_or_default()
    }
}

impl std::fmt::Debug for Slice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.len())
    }
}

/// A value of a field.
#[derive(Debug, Clone)]
pub enum Value {
    /// Of [`Kind::U32`] and [`Kind::Fixed32`].
    U32(u32),
    /// Of [`Kind::Enum`]; undefined numbers are kept.
    Enum(i32),
    /// Of [`Kind::Float`].
    Float(f32),
    /// Of [`Kind::Text`] and [`Kind::Bytes`].
    Bytes(Slice),
    /// Of [`Kind::Message`].
    Message(Message),
}

/// A message: its fields by ascending number, and what lc0 skips.
#[derive(Debug, Clone)]
pub struct Message {
    ty: &'static MessageType,
    fields: Vec<(&'static FieldType, Vec<Value>)>,
    unknown: Vec<Slice>,
}

/// Memory that was taken out of the pieces of a message.
pub(super) struct Taken {
    /// The whole of it. What is written to it is what the pieces hold afterwards.
    pub(super) bytes: Vec<u8>,
    stand_in: Bytes,
}

impl Message {
    /// A message without fields.
    pub fn new(ty: &'static MessageType) -> Self {
        Self { ty, fields: Vec::new(), unknown: Vec::new() }
    }

    /// Parses all of `bytes`.
    ///
    /// # Errors
    /// lc0's own words as the message; the first cause names the place.
    pub fn parse(ty: &'static MessageType, bytes: &Bytes) -> Result<Self> {
        let mut message = Self::new(ty);
        let mut reader = Reader { bytes, at: 0, end: bytes.len() };
        reader.merge(&mut message, &mut 0)?;
        Ok(message)
    }

    /// Parses a message that stands in another.
    ///
    /// # Errors
    /// Those of [`Self::parse`].
    pub fn parse_slice(ty: &'static MessageType, slice: &Slice) -> Result<Self> {
        let mut message = Self::new(ty);
        let mut reader = Reader { bytes: &slice.bytes, at: slice.range.start, end: slice.range.end };
        reader.merge(&mut message, &mut 0)?;
        Ok(message)
    }

    /// What kind of message this is.
    pub fn ty(&self) -> &'static MessageType {
        self.ty
    }

    /// The fields that are present, by ascending number, each with its values.
    pub fn fields(&self) -> impl Iterator<Item = (&'static FieldType, &[Value])> {
        self.fields.iter().map(|(field, values)| (*field, values.as_slice()))
    }

    /// As [`Self::fields`], to change them.
    pub fn fields_mut(&mut self) -> impl Iterator<Item = (&'static FieldType, &mut Vec<Value>)> {
        self.fields.iter_mut().map(|(field, values)| (*field, values))
    }

    /// Records that lc0 skips, tags included, in the order of the file.
    pub fn unknown(&self) -> &[Slice] {
        &self.unknown
    }

    /// All values of a field; none where it is absent.
    pub fn values(&self, name: &str) -> &[Value] {
        self.fields.iter().find(|(field, _)| field.name == name).map_or(&[], |(_, values)| values)
    }

    /// Whether a field is present.
    pub fn has(&self, name: &str) -> bool {
        !self.values(name).is_empty()
    }

    /// A number; `None` where it is absent.
    pub fn u32(&self, name: &str) -> Option<u32> {
        self.values(name).last().and_then(|value| if let Value::U32(number) = value { Some(*number) } else { None })
    }

    /// An enumerated number; `None` where it is absent.
    pub fn enumerated(&self, name: &str) -> Option<i32> {
        self.values(name).last().and_then(|value| if let Value::Enum(number) = value { Some(*number) } else { None })
    }

    /// A float; `None` where it is absent.
    pub fn float(&self, name: &str) -> Option<f32> {
        self.values(name).last().and_then(|value| if let Value::Float(number) = value { Some(*number) } else { None })
    }

    /// Bytes or text; `None` where it is absent.
    pub fn bytes(&self, name: &str) -> Option<&Slice> {
        self.values(name).last().and_then(|value| if let Value::Bytes(bytes) = value { Some(bytes) } else { None })
    }

    /// Text, with replacements where it is not UTF-8; `None` where it is absent.
    pub fn text(&self, name: &str) -> Option<String> {
        self.bytes(name).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    /// The message in a field; `None` where it is absent.
    pub fn message(&self, name: &str) -> Option<&Message> {
        self.messages(name).last()
    }

    /// All messages in a field.
    pub fn messages(&self, name: &str) -> impl DoubleEndedIterator<Item = &Message> {
        self.values(name).iter().filter_map(|value| if let Value::Message(message) = value { Some(message) } else { None })
    }

    /// The message in a field, which is added where it is absent. `None` where the table has no such field.
    pub fn message_mut(&mut self, name: &str) -> Option<&mut Message> {
        let field = self.ty.field(name)?;
        let Kind::Message(ty) = field.kind else { return None };
        let values = self.slot(field);
        if values.is_empty() {
            values.push(Value::Message(Message::new(ty)));
        }
        values.last_mut().and_then(|value| if let Value::Message(message) = value { Some(message) } else { None })
    }

    /// Sets the one value of a field; of a repeated one, all values become this one. A name that the table lacks is ignored.
    pub fn set(&mut self, name: &str, value: Value) {
        if let Some(field) = self.ty.field(name) {
            *self.slot(field) = vec![value];
        }
    }

    /// Adds a value to a repeated field. A name that the table lacks is ignored.
    pub fn push(&mut self, name: &str, value: Value) {
        if let Some(field) = self.ty.field(name) {
            self.slot(field).push(value);
        }
    }

    /// Removes a field; says whether it was there.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.fields.len();
        self.fields.retain(|(field, _)| field.name != name);
        self.fields.len() < before
    }

    /// Takes the memory that a piece lies in out of all pieces of the message, to be written to: until [`Self::give_back`] they are empty,
    /// and know their places. `None`, and nothing is changed, where others hold that memory as well.
    pub(super) fn take_out(&mut self, of: Slice) -> Option<Taken> {
        let (whole, stand_in) = (of.bytes, Bytes::from_vec(Vec::new()));
        self.exchange(&whole, &stand_in);
        match whole.into_vec() {
            Ok(bytes) => Some(Taken { bytes, stand_in }),
            Err(whole) => {
                self.exchange(&stand_in, &whole);
                None
            }
        }
    }

    /// Ends what [`Self::take_out`] began.
    pub(super) fn give_back(&mut self, taken: Taken) {
        self.exchange(&taken.stand_in, &Bytes::from_vec(taken.bytes));
    }

    fn exchange(&mut self, old: &Bytes, new: &Bytes) {
        let change = |piece: &mut Slice| {
            if piece.bytes.is_same(old) {
                piece.bytes = new.clone();
            }
        };
        self.unknown.iter_mut().for_each(change);
        for value in self.fields.iter_mut().flat_map(|(_, values)| values) {
            match value {
                Value::Bytes(piece) => change(piece),
                Value::Message(message) => message.exchange(old, new),
                Value::U32(_) | Value::Enum(_) | Value::Float(_) => {}
            }
        }
    }

    fn slot(&mut self, field: &'static FieldType) -> &mut Vec<Value> {
        let at = self.fields.partition_point(|(other, _)| other.number < field.number);
        if self.fields.get(at).is_none_or(|(other, _)| other.number != field.number) {
            self.fields.insert(at, (field, Vec::new()));
        }
        &mut self.fields[at].1
    }

    /// Size when written.
    pub fn encoded_len(&self, with_unknown: bool) -> u64 {
        let mut len = if with_unknown { self.unknown.iter().map(|record| record.len() as u64).sum() } else { 0 };
        for (field, values) in &self.fields {
            let tag = varint_len(u64::from(field.number) << 3);
            for value in values {
                len += tag
                    + match value {
                        Value::U32(_) if matches!(field.kind, Kind::Fixed32) => 4,
                        Value::U32(number) => varint_len(u64::from(*number)),
                        Value::Enum(number) => varint_len(i64::from(*number) as u64),
                        Value::Float(_) => 4,
                        Value::Bytes(bytes) => varint_len(bytes.len() as u64) + bytes.len() as u64,
                        Value::Message(message) => {
                            let inner = message.encoded_len(with_unknown);
                            varint_len(inner) + inner
                        }
                    };
            }
        }
        len
    }

    /// Writes the message: fields by ascending number, the shortest varints, then, if asked for, what lc0 skips.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, out: &mut dyn Write, with_unknown: bool) -> std::io::Result<()> {
        for (field, values) in &self.fields {
            for value in values {
                let tag = |wire: u64| u64::from(field.number) << 3 | wire;
                match value {
                    Value::U32(number) if matches!(field.kind, Kind::Fixed32) => {
                        write_varint(out, tag(5))?;
                        out.write_all(&number.to_le_bytes())?;
                    }
                    Value::U32(number) => {
                        write_varint(out, tag(0))?;
                        write_varint(out, u64::from(*number))?;
                    }
                    Value::Enum(number) => {
                        write_varint(out, tag(0))?;
                        write_varint(out, i64::from(*number) as u64)?;
                    }
                    Value::Float(number) => {
                        write_varint(out, tag(5))?;
                        out.write_all(&number.to_le_bytes())?;
                    }
                    Value::Bytes(bytes) => {
                        write_varint(out, tag(2))?;
                        write_varint(out, bytes.len() as u64)?;
                        out.write_all(bytes)?;
                    }
                    Value::Message(message) => {
                        write_varint(out, tag(2))?;
                        write_varint(out, message.encoded_len(with_unknown))?;
                        message.write(out, with_unknown)?;
                    }
                }
            }
        }
        if with_unknown {
            self.unknown.iter().try_for_each(|record| out.write_all(record))?;
        }
        Ok(())
    }
}

/// Bytes of a varint.
fn varint_len(value: u64) -> u64 {
    u64::from((64 - (value | 1).leading_zeros()).div_ceil(7))
}

/// Writes the shortest varint.
///
/// # Errors
/// Those of `out`.
pub fn write_varint(out: &mut (impl Write + ?Sized), mut value: u64) -> std::io::Result<()> {
    while value >= 0x80 {
        out.write_all(&[value as u8 | 0x80])?;
        value >>= 7;
    }
    out.write_all(&[value as u8])
}

/// The number that bytes begin with, of one of any length the lowest 64 bits as lc0 has it, and how long it is; `None` where it is cut.
fn varint(bytes: &[u8]) -> (u64, Option<usize>) {
    let mut value = 0u64;
    let mut shift = 0u32;
    for (at, byte) in bytes.iter().enumerate() {
        if shift < 64 {
            value |= u64::from(byte & 0x7F) << shift;
            shift += 7;
        }
        if *byte < 0x80 {
            return (value, Some(at + 1));
        }
    }
    (value, None)
}

/// The number of the field that a record, its tag included, is of.
pub(super) fn field_of(record: &[u8]) -> u64 {
    varint(record).0 >> 3
}

/// A number that lc0 cannot read to its end.
const CUT_VARINT: &str = "The file seems truncated.";
/// A value that goes on past the end.
const CUT: &str = "The file is truncated.";
/// A wire type that does not exist, or that is no longer used.
const UNPARSEABLE: &str = "The file seems to be unparseable.";

struct Reader<'a> {
    bytes: &'a Bytes,
    at: usize,
    end: usize,
}

impl Reader<'_> {
    fn fail(&self, ty: &MessageType, start: usize, why: &str) -> Error {
        Error::new(why).because(format!("in the record at byte {start} of the protobuf, in a message `{}`", ty.name))
    }

    fn varint(&mut self) -> Option<u64> {
        let (value, len) = varint(self.bytes.get(self.at..self.end)?);
        self.at += len?;
        Some(value)
    }

    fn skip(&mut self, len: u64) -> Option<Range<usize>> {
        let len = usize::try_from(len).ok()?;
        let end = self.at.checked_add(len).filter(|end| *end <= self.end)?;
        let range = self.at..end;
        self.at = end;
        Some(range)
    }

    fn merge(&mut self, message: &mut Message, count: &mut usize) -> Result<()> {
        let ty = message.ty;
        while self.at < self.end {
            let start = self.at;
            *count += 1;
            if *count > MAX_VALUES {
                return Err(Error::new("the file has too many records").because(format!("the limit is {MAX_VALUES}")));
            }
            let tag = self.varint().ok_or_else(|| self.fail(ty, start, CUT_VARINT))?;
            let field = ty.numbered(tag >> 3);
            let (payload, number) = match tag & 7 {
                0 => (0..0, self.varint().ok_or_else(|| self.fail(ty, start, CUT_VARINT))?),
                1 => (self.skip(8).ok_or_else(|| self.fail(ty, start, CUT))?, 0),
                2 => {
                    let len = self.varint().ok_or_else(|| self.fail(ty, start, CUT_VARINT))?;
                    (self.skip(len).ok_or_else(|| self.fail(ty, start, CUT))?, 0)
                }
                5 => (self.skip(4).ok_or_else(|| self.fail(ty, start, CUT))?, 0),
                _ => return Err(self.fail(ty, start, UNPARSEABLE)),
            };
            match (field, tag & 7) {
                (Some(field), wire) if wire == wire_type(field.kind) => self.store(message, field, payload, number, count)?,
                _ => message.unknown.push(Slice::new(self.bytes, start..self.at)),
            }
        }
        Ok(())
    }

    fn store(&self, message: &mut Message, field: &'static FieldType, payload: Range<usize>, number: u64, count: &mut usize) -> Result<()> {
        let fixed = || self.bytes.get(payload.clone()).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes);
        let value = match field.kind {
            Kind::Message(ty) => {
                let values = message.slot(field);
                if field.repeated || values.is_empty() {
                    values.push(Value::Message(Message::new(ty)));
                }
                if let Some(Value::Message(inner)) = values.last_mut() {
                    Reader { bytes: self.bytes, at: payload.start, end: payload.end }.merge(inner, count)?;
                }
                return Ok(());
            }
            Kind::U32 => Value::U32(number as u32),
            Kind::Enum(_) => Value::Enum(number as i32),
            Kind::Fixed32 => Value::U32(fixed()),
            Kind::Float => Value::Float(f32::from_bits(fixed())),
            Kind::Text | Kind::Bytes => Value::Bytes(Slice::new(self.bytes, payload)),
        };
        let values = message.slot(field);
        if !field.repeated {
            values.clear();
        }
        values.push(value);
        Ok(())
    }
}

const fn wire_type(kind: Kind) -> u64 {
    match kind {
        Kind::U32 | Kind::Enum(_) => 0,
        Kind::Text | Kind::Bytes | Kind::Message(_) => 2,
        Kind::Fixed32 | Kind::Float => 5,
    }
}

#[cfg(test)]
mod tests;
