//! The one codec of the cache's binary files: they prove that they are whole, and hold fields in a fixed order, little-endian.
//!
//! ```text
//! 8 bytes of magic | u32 version | fields | BLAKE3 of all before it
//! ```
//!
//! A list is its length in 8 bytes and its items, a path its length in 8 bytes and its bytes, an optional value a byte 0 or 1 and the
//! value where there is one.

use std::path::PathBuf;

use super::record::Key;
use crate::files::{Blake3, CutOff, Reader, Sha256, Signature, signature::Timestamp};
use crate::platform;

const CHECKSUM: usize = 32;

/// What kind of file it is. Another version is another layout of the fields.
pub(super) struct Kind {
    pub(super) magic: &'static [u8; 8],
    pub(super) version: u32,
}

/// Why the fields of a file cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unusable {
    /// It is whole, and of another version.
    OtherVersion,
    /// It is not such a file, or was truncated or changed.
    Damaged,
}

impl From<CutOff> for Unusable {
    fn from(_: CutOff) -> Self {
        Self::Damaged
    }
}

impl Kind {
    /// The file with these fields.
    pub(super) fn seal(&self, fields: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::with_capacity(1 << 12);
        out.extend_from_slice(self.magic);
        self.version.pack(&mut out);
        fields(&mut out);
        let checksum = blake3::hash(&out);
        out.extend_from_slice(checksum.as_bytes());
        out
    }

    /// The fields of a file. Every changed bit is noticed.
    pub(super) fn unseal<'a>(&self, file: &'a [u8]) -> Result<Reader<'a>, Unusable> {
        let (body, checksum) = file.split_last_chunk::<CHECKSUM>().ok_or(Unusable::Damaged)?;
        let mut fields = Reader::new(body);
        if fields.array()? != *self.magic || blake3::hash(body) != *checksum {
            return Err(Unusable::Damaged);
        }
        if fields.u32()? == self.version { Ok(fields) } else { Err(Unusable::OtherVersion) }
    }
}

/// A value that a field can hold.
pub(super) trait Packed: Sized {
    /// The fewest bytes that a value takes: a bound on how many there can be.
    const LEAST: usize;
    /// Appends the value.
    fn pack(&self, out: &mut Vec<u8>);
    /// What [`Packed::pack`] appended.
    fn unpack(fields: &mut Reader<'_>) -> Result<Self, Unusable>;
}

/// Values that are some bytes, all patterns of which are valid.
macro_rules! packed_as_bytes {
    ($($type:ty: $len:literal, $value:ident => $bytes:expr, $from:expr;)*) => {$(
        impl Packed for $type {
            const LEAST: usize = $len;
            fn pack(&self, out: &mut Vec<u8>) {
                let $value = self;
                out.extend_from_slice(&$bytes);
            }
            fn unpack(fields: &mut Reader<'_>) -> Result<Self, Unusable> {
                Ok($from(fields.array::<$len>()?))
            }
        }
    )*};
}

packed_as_bytes! {
    u8: 1, value => [*value], u8::from_le_bytes;
    u32: 4, value => value.to_le_bytes(), u32::from_le_bytes;
    u64: 8, value => value.to_le_bytes(), u64::from_le_bytes;
    i64: 8, value => value.to_le_bytes(), i64::from_le_bytes;
    [u8; 16]: 16, value => *value, std::convert::identity;
    Blake3: 32, value => value.0, Blake3;
    Sha256: 32, value => value.0, Sha256;
    Key: 32, value => value.0, Key;
}

/// Values that are others in a row.
macro_rules! packed_as_fields {
    ($($type:ident { $($field:ident: $of:ty),* };)*) => {$(
        impl Packed for $type {
            const LEAST: usize = 0 $(+ <$of as Packed>::LEAST)*;
            fn pack(&self, out: &mut Vec<u8>) {
                let Self { $($field),* } = self;
                $($field.pack(out);)*
            }
            fn unpack(fields: &mut $crate::files::Reader<'_>) -> Result<Self, $crate::cache::packed::Unusable> {
                Ok(Self { $($field: Packed::unpack(fields)?),* })
            }
        }
    )*};
}
pub(super) use packed_as_fields;

packed_as_fields! {
    Timestamp { seconds: i64, nanos: u32 };
    Signature { len: u64, mtime: Timestamp, ctime: Timestamp, inode: u64, device: u64 };
}

impl<T: Packed> Packed for Option<T> {
    const LEAST: usize = 1;

    fn pack(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.is_some()));
        if let Some(value) = self {
            value.pack(out);
        }
    }

    fn unpack(fields: &mut Reader<'_>) -> Result<Self, Unusable> {
        match fields.u8()? {
            0 => Ok(None),
            1 => T::unpack(fields).map(Some),
            _ => Err(Unusable::Damaged),
        }
    }
}

impl<A: Packed, B: Packed> Packed for (A, B) {
    const LEAST: usize = A::LEAST + B::LEAST;

    fn pack(&self, out: &mut Vec<u8>) {
        self.0.pack(out);
        self.1.pack(out);
    }

    fn unpack(fields: &mut Reader<'_>) -> Result<Self, Unusable> {
        Ok((A::unpack(fields)?, B::unpack(fields)?))
    }
}

impl Packed for PathBuf {
    const LEAST: usize = 8;

    fn pack(&self, out: &mut Vec<u8>) {
        let bytes = self.as_os_str().as_encoded_bytes();
        (bytes.len() as u64).pack(out);
        out.extend_from_slice(bytes);
    }

    fn unpack(fields: &mut Reader<'_>) -> Result<Self, Unusable> {
        let len = usize::try_from(fields.u64()?).map_err(|_| Unusable::Damaged)?;
        platform::path_of(fields.take(len)?).ok_or(Unusable::Damaged)
    }
}

/// Appends a list.
pub(super) fn pack_list<T: Packed>(items: &[T], out: &mut Vec<u8>) {
    out.reserve(8 + items.len() * T::LEAST);
    (items.len() as u64).pack(out);
    items.iter().for_each(|item| item.pack(out));
}

/// What [`pack_list`] appended; takes no more memory than the file has bytes for.
pub(super) fn unpack_list<T: Packed, C: FromIterator<T>>(fields: &mut Reader<'_>) -> Result<C, Unusable> {
    let count = usize::try_from(fields.u64()?).map_err(|_| Unusable::Damaged)?;
    if count.checked_mul(T::LEAST.max(1)).is_none_or(|least| least > fields.rest().len()) {
        return Err(Unusable::Damaged);
    }
    (0..count).map(|_| T::unpack(fields)).collect()
}

#[cfg(test)]
mod tests;
