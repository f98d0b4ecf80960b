//! Digests as types, and a writer that computes them while bytes pass. Knows nothing of files.

use std::{
    fmt,
    io::{self, Write},
    str::FromStr,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::Digest as _;

use crate::error::Error;

/// Makes a 32-byte digest type with hexadecimal `Display`, `FromStr` and serde.
macro_rules! digest_type {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; 32]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(hex(&self.0, &mut [0; 64]))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = Error;

            /// Reads 64 hexadecimal digits of either case.
            fn from_str(text: &str) -> Result<Self, Error> {
                unhex(text).map(Self).ok_or_else(|| {
                    Error::new(format!("`{}` is not a {}", text.escape_debug(), $what)).because("expected 64 hexadecimal digits")
                })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(hex(&self.0, &mut [0; 64]))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;
                impl de::Visitor<'_> for Visitor {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str(concat!("a ", $what, " of 64 hexadecimal digits"))
                    }
                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$name, E> {
                        unhex(text).map($name).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
                    }
                }
                deserializer.deserialize_str(Visitor)
            }
        }
    };
}
pub(crate) use digest_type;

digest_type!(
    /// BLAKE3 of some bytes: the name of a blob, and how file contents are compared.
    Blake3,
    "BLAKE3 digest"
);
digest_type!(
    /// SHA-256 of some bytes: the name of a published net, pins, `nnue.lock`.
    Sha256,
    "SHA-256 digest"
);

impl Blake3 {
    /// The digest of `bytes`, on one thread.
    pub fn of(bytes: &[u8]) -> Self {
        Self(blake3::hash(bytes).into())
    }
}

impl Sha256 {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// The first 12 hexadecimal digits: the part of a net's name after `nn-`.
    pub fn short(&self) -> String {
        hex(&self.0, &mut [0; 64])[..12].to_owned()
    }
}

/// A digest, or a pair of digests, that can be computed from a stream.
pub trait StreamDigest: Sized {
    /// What is kept between two pieces of the stream.
    type State: Default + Send;
    /// Takes the next bytes.
    fn update(state: &mut Self::State, bytes: &[u8]);
    /// The digest of all bytes taken.
    fn finish(state: Self::State) -> Self;
}

impl StreamDigest for Blake3 {
    type State = blake3::Hasher;
    fn update(state: &mut Self::State, bytes: &[u8]) {
        state.update(bytes);
    }
    fn finish(state: Self::State) -> Self {
        Self(state.finalize().into())
    }
}

impl StreamDigest for Sha256 {
    type State = sha2::Sha256;
    fn update(state: &mut Self::State, bytes: &[u8]) {
        sha2::Digest::update(state, bytes);
    }
    fn finish(state: Self::State) -> Self {
        Self(sha2::Digest::finalize(state).into())
    }
}

impl<A: StreamDigest, B: StreamDigest> StreamDigest for (A, B) {
    type State = (A::State, B::State);
    fn update(state: &mut Self::State, bytes: &[u8]) {
        A::update(&mut state.0, bytes);
        B::update(&mut state.1, bytes);
    }
    fn finish(state: Self::State) -> Self {
        (A::finish(state.0), B::finish(state.1))
    }
}

/// No digest: for a writer that only counts.
impl StreamDigest for () {
    type State = ();
    fn update((): &mut (), _: &[u8]) {}
    fn finish((): ()) -> Self {}
}

/// Hands bytes on to `W` and counts those that `W` took.
pub type CountingWriter<W> = HashingWriter<W, ()>;

/// Hands bytes on to `W` and computes the digest `D` of those that `W` took: `HashingWriter::<_, (Blake3, Sha256)>::new(out)`.
pub struct HashingWriter<W, D: StreamDigest> {
    inner: W,
    state: D::State,
    len: u64,
}

impl<W: Write, D: StreamDigest> HashingWriter<W, D> {
    /// A writer in front of `inner`.
    pub fn new(inner: W) -> Self {
        Self { inner, state: D::State::default(), len: 0 }
    }

    /// The number of the bytes that passed so far.
    pub fn written(&self) -> u64 {
        self.len
    }

    /// The inner writer, not flushed, the digest and the number of the bytes that passed.
    pub fn finish(self) -> (W, D, u64) {
        (self.inner, D::finish(self.state), self.len)
    }
}

/// From here on a piece is hashed on another thread while it is written, bytes.
const SIDE_BY_SIDE_FROM: usize = 256 << 10;

impl<W: Write, D: StreamDigest> Write for HashingWriter<W, D> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = if bytes.len() < SIDE_BY_SIDE_FROM {
            let taken = self.inner.write(bytes)?;
            D::update(&mut self.state, bytes.get(..taken).unwrap_or(bytes));
            taken
        } else {
            let (state, inner) = (&mut self.state, &mut self.inner);
            // All of it: how much would be taken is not known while it is hashed.
            rayon::in_place_scope(|scope| {
                scope.spawn(|_| D::update(state, bytes));
                inner.write_all(bytes)
            })?;
            bytes.len()
        };
        self.len = self.len.saturating_add(taken as u64);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Writes `bytes` as 64 lower-case hexadecimal digits into `out`.
pub(crate) fn hex<'a>(bytes: &[u8; 32], out: &'a mut [u8; 64]) -> &'a str {
    const_hex::encode_to_str(bytes, out).expect("64 digits are twice 32 bytes")
}

/// Reads exactly 64 hexadecimal digits of either case.
pub(crate) fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    // A text of this length has no room for the prefix `0x`, which the decoder would drop.
    (text.len() == 64 && const_hex::decode_to_slice(text, &mut bytes).is_ok()).then_some(bytes)
}

#[cfg(test)]
mod tests;
