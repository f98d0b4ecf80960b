//! The activation matrix: which neurons of the feature transformer are zero in which sample, one bit each.
//! Knows nothing of how the bits are gathered nor of what they are used for.
//!
//! # Cache artifact
//! Little-endian: the 8 bytes `nnue-act`, u32 version 1, u32 neurons, u64 positions, then each neuron's column as
//! `8 * ceil(2 * positions / 512)` u64. Bits past the last sample are zero, so equal matrices are equal bytes.
#![allow(unsafe_code, reason = "what derives that a line is plain bytes")]

use std::io::{self, Write};

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::files::Reader;

/// Positions that one matrix may hold: sums of three counts of samples then fit 32 bits with sign.
pub const MAX_POSITIONS: usize = 1 << 28;
/// Neurons (L1/2) that one matrix may have.
pub const MAX_HALF: usize = 1 << 14;

const MAGIC: &[u8; 8] = b"nnue-act";
const VERSION: u32 = 1;
const HEADER: usize = 24;

/// Eight words that begin at a multiple of 64 bytes: a cache line, and a register of the widest kernel, whose loads then never touch two lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(64))]
pub(super) struct Line([u64; WORDS_PER_LINE]);

const WORDS_PER_LINE: usize = 8;

/// Zeroed words in whole lines; `words` is rounded up.
pub(super) fn zeroed(words: usize) -> Vec<Line> {
    vec![Line::default(); words.div_ceil(WORDS_PER_LINE)]
}

/// One bit for each sample and neuron: 1 where the neuron's output is zero in the engine's integer arithmetic.
///
/// Sample `2 * position + side` is one perspective of a position; side 0 is the side to move. Neurons are `0..L1/2`, since the
/// output of a pair of accumulators is one product. Bits are stored neuron by neuron: sample `r` is bit `r % 64` of word `r / 64` of
/// a column. Columns are padded with zero bits to a multiple of 8 words.
#[derive(Clone, PartialEq, Eq)]
pub struct ActivationMatrix {
    positions: usize,
    half: usize,
    stride: usize,
    lines: Vec<Line>,
}

impl ActivationMatrix {
    /// From word-rows: `rows[w * half + j]` holds samples `64w .. 64w + 64` (positions `32w .. 32w + 32`) of neuron `j`.
    ///
    /// Holds both forms for a moment; [`MatrixBuilder`] takes the rows piece by piece.
    ///
    /// # Errors
    /// When `rows` has not `ceil(positions / 32) * half` words, and as [`MatrixBuilder::new`].
    pub fn from_word_rows(positions: usize, half: usize, rows: &[u64]) -> Result<Self> {
        let mut builder = MatrixBuilder::new(positions, half)?;
        builder.push(rows)?;
        builder.finish()
    }

    /// Number of positions, at least 1.
    pub fn positions(&self) -> usize {
        self.positions
    }

    /// Number of neurons, L1/2, at least 1.
    pub fn half(&self) -> usize {
        self.half
    }

    /// Number of samples: two for each position.
    pub fn samples(&self) -> usize {
        2 * self.positions
    }

    /// Words of one column, padding included; a multiple of 8.
    pub fn words_per_column(&self) -> usize {
        self.stride
    }

    /// The bits of one neuron, padding included.
    ///
    /// # Panics
    /// When `neuron` is not below [`half`](Self::half), as indexing a slice does.
    pub fn column(&self, neuron: usize) -> &[u64] {
        &self.words()[neuron * self.stride..][..self.stride]
    }

    /// All columns, one after the other.
    pub fn words(&self) -> &[u64] {
        bytemuck::cast_slice(&self.lines)
    }

    /// Writes the cache artifact.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(MAGIC)?;
        out.write_all(&VERSION.to_le_bytes())?;
        out.write_all(&u32::try_from(self.half).expect("at most MAX_HALF").to_le_bytes())?;
        out.write_all(&(self.positions as u64).to_le_bytes())?;
        let mut buffer = Vec::with_capacity(8 * 8192);
        for words in self.words().chunks(8192) {
            buffer.clear();
            buffer.extend(words.iter().flat_map(|word| word.to_le_bytes()));
            out.write_all(&buffer)?;
        }
        Ok(())
    }

    /// Reads a cache artifact that fills `bytes` exactly.
    ///
    /// # Errors
    /// When the magic, the version, a size, the length, or a padding bit is not as [`write`](Self::write) leaves them.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let wrong = |why: String| Error::new("this is not a usable activation matrix").because(why);
        let short = |_| wrong(format!("it has {} bytes, less than its header", bytes.len()));
        let (header, data) = bytes.split_at_checked(HEADER).ok_or_else(|| short(()))?;
        let mut header = Reader::new(header);
        let magic = header.take(MAGIC.len());
        if magic != Ok(MAGIC) {
            return Err(wrong("it does not begin with `nnue-act`".into()));
        }
        let version = header.u32().map_err(|_| short(()))?;
        if version != VERSION {
            return Err(wrong(format!("its version is {version}, this program knows {VERSION}")));
        }
        let half = header.u32().map_err(|_| short(()))? as usize;
        let positions = header.u64().map_err(|_| short(()))?;
        let positions = usize::try_from(positions).map_err(|_| wrong(format!("it claims {positions} positions")))?;
        let shape = Shape::new(positions, half).map_err(|error| wrong(error.to_string()))?;
        if shape.words().checked_mul(8) != Some(data.len()) {
            return Err(wrong(format!(
                "{} bytes follow the header where {positions} positions × {} neurons make {}",
                data.len(),
                shape.half,
                8 * shape.words() as u128
            )));
        }
        let lines = data.as_chunks::<64>().0.iter();
        let lines = lines.map(|line| Line(std::array::from_fn(|k| u64::from_le_bytes(std::array::from_fn(|byte| line[8 * k + byte])))));
        let matrix = Self { positions, half: shape.half, stride: shape.stride, lines: lines.collect() };
        let (last, mask) = shape.tail();
        let dirty = (0..matrix.half).find(|&neuron| {
            let column = matrix.column(neuron);
            column[last] & !mask != 0 || column[last + 1..].iter().any(|&word| word != 0)
        });
        match dirty {
            Some(neuron) => Err(wrong(format!("the column of neuron {neuron} has bits past the last sample"))),
            None => Ok(matrix),
        }
    }
}

impl std::fmt::Debug for ActivationMatrix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ActivationMatrix({} positions × {} neurons)", self.positions, self.half)
    }
}

/// Checked sizes.
#[derive(Clone, Copy)]
struct Shape {
    positions: usize,
    half: usize,
    stride: usize,
}

impl Shape {
    fn new(positions: usize, half: usize) -> Result<Self> {
        if !(1..=MAX_POSITIONS).contains(&positions) {
            return Err(Error::new(format!("an activation matrix holds 1 to {MAX_POSITIONS} positions, not {positions}")));
        }
        if !(1..=MAX_HALF).contains(&half) {
            return Err(Error::new(format!("an activation matrix has L1/2 = 1 to {MAX_HALF} neurons, not {half}")));
        }
        Ok(Self { positions, half, stride: positions.div_ceil(32).next_multiple_of(WORDS_PER_LINE) })
    }

    /// At most 2^23 * 2^14, so this cannot overflow 64 bits; a smaller `usize` saturates and the allocation then fails.
    fn words(&self) -> usize {
        self.stride.saturating_mul(self.half)
    }

    /// Word-rows that hold samples.
    fn rows(&self) -> usize {
        self.positions.div_ceil(32)
    }

    /// The last word that holds samples, and which of its bits do.
    fn tail(&self) -> (usize, u64) {
        let used = 2 * (self.positions - 1) % 64 + 2;
        (self.rows() - 1, u64::MAX >> (64 - used))
    }
}

/// Makes an [`ActivationMatrix`] from word-rows that arrive in order, without holding them twice.
pub struct MatrixBuilder {
    shape: Shape,
    lines: Vec<Line>,
    rows_done: usize,
}

impl MatrixBuilder {
    /// Room for `positions` × 2 perspectives × `half` neurons.
    ///
    /// # Errors
    /// When a size is 0 or above [`MAX_POSITIONS`] or [`MAX_HALF`], and when the memory cannot be had; the message says how much.
    pub fn new(positions: usize, half: usize) -> Result<Self> {
        let shape = Shape::new(positions, half)?;
        let mut lines = Vec::new();
        lines.try_reserve_exact(shape.words() / WORDS_PER_LINE).map_err(|_| {
            let mib = (shape.words() as u128 * 8).div_ceil(1 << 20);
            Error::new(format!("the activation matrix of {positions} positions × {half} neurons needs {mib} MiB of memory"))
                .help("ask for fewer positions")
        })?;
        lines.resize(shape.words() / WORDS_PER_LINE, Line::default());
        Ok(Self { shape, lines, rows_done: 0 })
    }

    /// Appends whole word-rows: `rows[w * half + j]` holds 64 samples (32 positions) of neuron `j`. Bits of the last row past the last
    /// sample are ignored.
    ///
    /// # Errors
    /// When `rows` is not a whole number of word-rows, or there are more of them than positions.
    pub fn push(&mut self, rows: &[u64]) -> Result<()> {
        let Shape { half, stride, .. } = self.shape;
        let count = rows.len() / half;
        if count * half != rows.len() || self.rows_done + count > self.shape.rows() {
            return Err(Error::new(format!(
                "{} words after row {} do not fit an activation matrix of {} rows of {half} words",
                rows.len(),
                self.rows_done,
                self.shape.rows()
            )));
        }
        let first = self.rows_done;
        // 8 × 8 words at a time: whole cache lines on both sides. Parallel over columns, which are disjoint on the writing side.
        bytemuck::cast_slice_mut::<Line, u64>(&mut self.lines).par_chunks_mut(8 * stride).enumerate().for_each(|(group, columns)| {
            let left = 8 * group;
            for top in (0..count).step_by(8) {
                for (neuron, column) in columns.chunks_exact_mut(stride).enumerate() {
                    for row in top..count.min(top + 8) {
                        column[first + row] = rows[row * half + left + neuron];
                    }
                }
            }
        });
        self.rows_done += count;
        Ok(())
    }

    /// The finished matrix.
    ///
    /// # Errors
    /// When rows are missing.
    pub fn finish(mut self) -> Result<ActivationMatrix> {
        let Shape { positions, half, stride } = self.shape;
        if self.rows_done != self.shape.rows() {
            return Err(Error::new(format!("an activation matrix of {} rows got only {}", self.shape.rows(), self.rows_done)));
        }
        let (last, mask) = self.shape.tail();
        for column in bytemuck::cast_slice_mut::<Line, u64>(&mut self.lines).chunks_exact_mut(stride) {
            column[last] &= mask;
        }
        Ok(ActivationMatrix { positions, half, stride, lines: self.lines })
    }
}

#[cfg(test)]
mod tests;
