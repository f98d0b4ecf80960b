//! The `.nnue` format, every generation from 2020 to 2026.
//!
//! ```text
//! u32 version · u32 header hash · u32 length · description
//! u32 transformer hash · transformer tensors (order and types: `FtLayout`), each raw or LEB128
//! stacks × { u32 stack hash · l1 bias i32 · l1 weights i8 · l2 … · output … }      rows padded to 32 inputs
//! ```
//!
//! All integers are little-endian. A round trip with the compression that the file had gives back its bytes, padding and
//! description included.
//!
//! # Limitations
//! * Files with unpadded dense rows (the trainer before 13 February 2021, at sizes where that matters) are refused.
//! * A file whose tensors are partly compressed is read, but not written that way.
//! * The quantization is not recorded in a file; where a generation has had several, the first is assumed until told otherwise.

use std::io::{self, Write};

mod diagnose;
mod embedded;
mod layout;
mod leb128;
mod read;
mod readings;
mod write;

pub use diagnose::{Unknown, diagnose};
pub use embedded::{Embedded, find_embedded, find_unknown};
pub use layout::{DType, Entry};
pub use leb128::encoded_len as leb128_len;
pub use readings::NONCE_ROWS;

use crate::error::{Error, Result};
pub use crate::net::Expectation;
use crate::net::{Architecture, BlockWeights, GENERATIONS, QuantizedNetwork};
pub use crate::words::Compression;

/// What stands before a compressed tensor; no terminating zero.
pub const LEB128_MAGIC: &[u8; 17] = b"COMPRESSED_LEB128";

/// Longest description that is accepted, in bytes.
pub const MAX_DESCRIPTION: usize = 1 << 20;

/// From this many bytes at the beginning of a file [`compression`] can tell: the longest header, and the mark of its first tensor.
pub const HEAD: u64 = MAX_DESCRIPTION as u64 + 64;

/// The description that the trainer of 2023 and later writes when none is given.
pub const DEFAULT_DESCRIPTION: &str = "Network trained with the https://github.com/official-stockfish/nnue-pytorch trainer.";

/// A file that was read.
#[derive(Debug)]
pub struct Parsed {
    /// The network.
    pub network: QuantizedNetwork,
    /// How it was stored; `None` for a file whose tensors are partly compressed.
    pub compression: Option<Compression>,
    /// Every plausible reading that accounts for all bytes, oldest generation first; `network` has the best one. A reading that takes
    /// weights for padding is not plausible.
    pub candidates: Vec<Architecture>,
    /// Where each tensor stands.
    pub entries: Vec<Entry>,
    /// Offset behind the network's last byte.
    pub end: usize,
}

/// The version words of all generations, oldest first.
pub fn versions() -> Vec<u32> {
    let mut versions: Vec<u32> = GENERATIONS.iter().map(|generation| generation.version).collect();
    versions.dedup();
    versions.sort_unstable();
    versions.dedup();
    versions
}

/// Whether `bytes` begin like a `.nnue` file.
pub fn is_nnue(bytes: &[u8]) -> bool {
    bytes.first_chunk().is_some_and(|first| versions().contains(&u32::from_le_bytes(*first)))
}

/// Reads a whole file.
///
/// # Errors
/// When the bytes are not a `.nnue` file, when not every byte is accounted for, a hash or a value is wrong, or the user expected something
/// else.
pub fn read(bytes: &[u8], expected: &Expectation) -> Result<Parsed> {
    read::read(bytes, expected, read::Extent::Whole)
}

/// What [`read()`] would take a whole file for. Looks at its headers only, so that a mapped file is hardly read.
///
/// # Errors
/// As [`read()`], except for those about weights.
pub fn architecture(bytes: &[u8], expected: &Expectation) -> Result<Architecture> {
    read::architecture(bytes, expected)
}

/// How a file is stored, by its header and the mark of its first tensor; `None` where `bytes` end before them.
pub fn compression(bytes: &[u8]) -> Option<Compression> {
    read::compression(bytes)
}

/// Writes a network.
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut impl Write, network: &QuantizedNetwork, compression: Compression) -> io::Result<()> {
    write::write(out, network, &network.description, compression)
}

/// Writes a network with another description than its own.
///
/// # Errors
/// Those of `out`.
pub fn write_described(out: &mut impl Write, network: &QuantizedNetwork, description: &[u8], compression: Compression) -> io::Result<()> {
    write::write(out, network, description, compression)
}

/// Smallest and largest value of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// Smallest value.
    pub min: i64,
    /// Largest value.
    pub max: i64,
}

impl Parsed {
    /// The range of each tensor in `entries`, in that order.
    ///
    /// # Errors
    /// Never for a file that was read; an inconsistency would be an error of this crate.
    pub fn ranges(&self) -> Result<Vec<Range>> {
        let network = &self.network;
        let generation = network.architecture.generation;
        let mut ranges = Vec::with_capacity(self.entries.len());
        let mut push = |range: Option<(i64, i64)>| {
            let (min, max) = range.ok_or_else(|| Error::new("a tensor has no values"))?;
            ranges.push(Range { min, max });
            Ok::<_, Error>(())
        };
        for tensor in layout::ft_tensors(generation, &network.architecture.features, network.architecture.l1) {
            let blocks = &network.blocks[tensor.blocks.clone()];
            let joined = |parts: Vec<Option<(i64, i64)>>| parts.into_iter().flatten().reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
            push(match tensor.role {
                layout::Role::Bias => read::range(&network.ft_bias),
                layout::Role::Psqt => joined(blocks.iter().map(|block| read::range(&block.psqt)).collect()),
                layout::Role::Weights => joined(
                    blocks
                        .iter()
                        .map(|block| match &block.weights {
                            BlockWeights::I8(weights) => read::range(weights),
                            BlockWeights::I16(weights) => read::range(weights),
                        })
                        .collect(),
                ),
            })?;
        }
        for layer in network.stacks.iter().flat_map(|stack| &stack.layers) {
            push(read::range(&layer.bias))?;
            push(read::range(&layer.weights))?;
        }
        Ok(ranges)
    }
}
