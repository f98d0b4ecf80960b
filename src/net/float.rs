//! Float networks: as a trainer holds them, with virtual features (`Factorized`), and with these folded in (`Coalesced`).
//!
//! The feature transformer may have hundreds of megabytes, so it is not held here: a network knows where its rows can be read
//! ([`Tensor`]) and which of them add up to a row of the file. Coalescing fixes that recipe; reading happens block by block when the
//! rows are quantized, written or hashed. Arithmetic is the trainer's: f32, terms added in the recorded order.

use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

use super::{Architecture, Block};
use crate::error::Result;

/// A float tensor that can be read piece by piece.
pub trait Tensor: Send + Sync {
    /// Dimensions, outermost first.
    fn shape(&self) -> &[usize];
    /// Reads `out.len()` values from the flat, row-major index `start` on.
    ///
    /// # Errors
    /// When the source cannot be read, or the range is outside the tensor.
    fn read(&self, start: usize, out: &mut [f32]) -> Result<()>;
}

/// All values of a tensor.
///
/// # Errors
/// Those of [`Tensor::read`].
pub fn read_all(tensor: &dyn Tensor) -> Result<Vec<f32>> {
    let mut values = vec![0.0; tensor.shape().iter().product()];
    tensor.read(0, &mut values)?;
    Ok(values)
}

/// A tensor in memory.
pub struct Owned {
    shape: Vec<usize>,
    values: Vec<f32>,
}

impl Owned {
    /// A tensor of `shape` with `values` in row-major order.
    ///
    /// # Panics
    /// When the number of values is not that of the shape.
    pub fn new(shape: Vec<usize>, values: Vec<f32>) -> Self {
        assert_eq!(shape.iter().product::<usize>(), values.len(), "the caller made both");
        Self { shape, values }
    }
}

impl Tensor for Owned {
    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn read(&self, start: usize, out: &mut [f32]) -> Result<()> {
        let part = self.values.get(start..start + out.len());
        out.copy_from_slice(part.ok_or_else(|| crate::error::Error::new("a read past the end of a tensor"))?);
        Ok(())
    }
}

/// Where the training rows of a block stand, and how a file's row is made of them.
#[derive(Clone)]
pub enum RowRecipe {
    /// The file's row r is row `first + r`.
    Plain {
        /// Holds the rows.
        tensor: Arc<dyn Tensor>,
        /// Row of feature 0.
        first: usize,
    },
    /// The old factorization: real rows and, from `virtual_first` on, virtual rows in one tensor. Which of them a real row adds depends
    /// on the block.
    Factorized {
        /// Holds all rows.
        tensor: Arc<dyn Tensor>,
        /// Row of feature 0.
        first: usize,
        /// Row of virtual feature 0.
        virtual_first: usize,
    },
    /// `HalfKAv2_hm` with twelve planes a king bucket (since February 2026), the virtual rows in a tensor of their own.
    TwelvePlanes {
        /// Holds the real rows.
        tensor: Arc<dyn Tensor>,
        /// Row of feature 0.
        first: usize,
        /// `[768][columns]`, where there are virtual rows.
        virtual_rows: Option<Arc<dyn Tensor>>,
    },
}

/// A block of the feature transformer. Rows have L1 weights followed by the PSQT weights.
#[derive(Clone)]
pub struct FloatBlock {
    /// Which features the rows stand for.
    pub block: Block,
    /// How the file's rows are made.
    pub recipe: RowRecipe,
    /// L1 + PSQT buckets.
    pub columns: usize,
}

/// Planes times squares of the piece-square part, without the own king.
const MERGED_PLANES: usize = 11 * 64;
const TWELVE_PLANES: usize = 12 * 64;
/// First index of the plane that holds both kings.
const KING_PLANE: usize = 10 * 64;

/// King bucket of an oriented king square on files e to h; `None` on files a to d.
pub fn king_bucket(square: usize) -> Option<usize> {
    let (rank, file) = (square / 8, square % 8);
    (file >= 4).then(|| 31 - (4 * rank + file - 4))
}

/// The oriented king square of a bucket; inverse of [`king_bucket`].
pub fn bucket_square(bucket: usize) -> usize {
    let index = 31 - bucket;
    8 * (index / 4) + 4 + index % 4
}

/// Rows that add up to a row of the file, in the order in which the trainer adds them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Row of the main tensor.
    pub real: usize,
    /// Further rows of the main tensor, or of the virtual one.
    pub added: [Option<usize>; 2],
}

impl FloatBlock {
    /// Which training rows make the file's row `row`.
    pub fn terms(&self, row: usize) -> Terms {
        let none = [None, None];
        match &self.recipe {
            RowRecipe::Plain { first, .. } => Terms { real: first + row, added: none },
            RowRecipe::Factorized { first, virtual_first, .. } => {
                let added = match self.block {
                    // Slot 0 of each king square is unused; its piece index is -1, so the row before the piece rows is added,
                    // which is the last row of the king part (or, in HalfKA, of the real rows). The trainer did so, and so do we.
                    Block::HalfKp => [Some(virtual_first + row / 641), Some(virtual_first + 64 + row % 641 - 1)],
                    Block::HalfKa => [Some(virtual_first + row % 769 - 1), None],
                    Block::HalfKaV2 => {
                        let (piece, king) = (row % MERGED_PLANES, row / MERGED_PLANES);
                        [Some(virtual_first + unmerged(piece, |square| square == king)), None]
                    }
                    Block::HalfKaV2Hm => {
                        let (piece, bucket) = (row % MERGED_PLANES, row / MERGED_PLANES);
                        [Some(virtual_first + unmerged(piece, |square| king_bucket(square) == Some(bucket))), None]
                    }
                    Block::FullThreats(_) | Block::Pp3Wide => none,
                };
                Terms { real: first + row, added }
            }
            RowRecipe::TwelvePlanes { first, virtual_rows, .. } => {
                let (piece, bucket) = (row % MERGED_PLANES, row / MERGED_PLANES);
                let piece = unmerged(piece, |square| square == bucket_square(bucket));
                Terms { real: first + bucket * TWELVE_PLANES + piece, added: [virtual_rows.as_ref().map(|_| piece), None] }
            }
        }
    }

    /// Reads the file's rows `rows`, coalesced, into `out` (`rows.len() × columns`).
    ///
    /// # Errors
    /// Those of [`Tensor::read`].
    pub fn read_rows(&self, rows: Range<usize>, out: &mut [f32]) -> Result<()> {
        let columns = self.columns;
        let (tensor, added_from): (&dyn Tensor, &dyn Tensor) = match &self.recipe {
            RowRecipe::Plain { tensor, .. } | RowRecipe::Factorized { tensor, .. } => (&**tensor, &**tensor),
            RowRecipe::TwelvePlanes { tensor, virtual_rows, .. } => {
                (&**tensor, virtual_rows.as_ref().map_or(&**tensor, |virtual_rows| &**virtual_rows))
            }
        };
        // Rows that stand one after the other are read at once.
        let mut done = 0;
        while done < rows.len() {
            let begin = self.terms(rows.start + done).real;
            let run = (done..rows.len()).take_while(|&index| self.terms(rows.start + index).real == begin + index - done).count();
            tensor.read(begin * columns, &mut out[done * columns..(done + run) * columns])?;
            done += run;
        }
        let mut term = vec![0.0f32; columns];
        for (row, out) in rows.zip(out.chunks_exact_mut(columns)) {
            for added in self.terms(row).added.into_iter().flatten() {
                added_from.read(added * columns, &mut term)?;
                out.iter_mut().zip(&term).for_each(|(sum, term)| *sum += term);
            }
        }
        Ok(())
    }
}

/// Index among twelve planes of an index among eleven: the shared king plane holds the own king where `is_own_king` says so, and the
/// opponent's elsewhere.
fn unmerged(piece: usize, is_own_king: impl Fn(usize) -> bool) -> usize {
    if piece / 64 == 10 && !is_own_king(piece - KING_PLANE) { piece + 64 } else { piece }
}

/// A dense layer of all stacks: `[stacks × outputs][inputs]`.
#[derive(Debug, Clone, PartialEq)]
pub struct FloatDense {
    /// `stacks × outputs × inputs` values.
    pub weights: Vec<f32>,
    /// `stacks × outputs` values.
    pub bias: Vec<f32>,
}

/// Virtual features and layer factors are separate, as trained.
#[derive(Debug, Clone, Copy)]
pub enum Factorized {}

/// Virtual features and layer factors are folded in: the rows are those of the file.
#[derive(Debug, Clone, Copy)]
pub enum Coalesced {}

/// A float network. Only a coalesced one can be quantized: the state is part of the type.
#[derive(Clone)]
pub struct Network<State> {
    /// What fixes the file's bytes besides the weights.
    pub architecture: Architecture,
    /// The description that the trainer of the time wrote, unless the source has one of its own.
    pub description: Vec<u8>,
    /// `[L1]`.
    pub ft_bias: Vec<f32>,
    /// In file order.
    pub blocks: Vec<FloatBlock>,
    /// First, second and output layer, all stacks.
    pub layers: [FloatDense; 3],
    /// What all stacks of the first layer share: `[outputs][inputs]`, and in newer nets a bias. `None` once coalesced.
    pub l1_factor: Option<FloatDense>,
    /// Keeps the state in the type.
    pub state: PhantomData<State>,
}

impl Network<Factorized> {
    /// Folds virtual features and layer factors into the rows and layers that a file has.
    ///
    /// Transformer rows are folded when they are read; the sums are the same.
    pub fn coalesce(self) -> Network<Coalesced> {
        let mut layers = self.layers;
        if let Some(factor) = &self.l1_factor {
            for (values, factors) in [(&mut layers[0].weights, &factor.weights), (&mut layers[0].bias, &factor.bias)] {
                // Nets before May 2022 have no bias factor: nothing to add then.
                for stack in values.chunks_exact_mut(factors.len().max(1)) {
                    stack.iter_mut().zip(factors).for_each(|(value, factor)| *value += factor);
                }
            }
        }
        Network {
            architecture: self.architecture,
            description: self.description,
            ft_bias: self.ft_bias,
            blocks: self.blocks,
            layers,
            l1_factor: None,
            state: PhantomData,
        }
    }
}

impl<State> Network<State> {
    /// Digest of every value that the state's rows and layers have, in file order, and of the architecture.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn digest(&self) -> Result<blake3::Hash> {
        let mut hasher = blake3::Hasher::new_derive_key("nnue 2026-11 float network");
        let architecture = &self.architecture;
        let text = format!(
            "{} {} {:08x} {} {} {} {}",
            architecture.generation.name,
            architecture.quantization.name,
            architecture.features.hash,
            architecture.l1,
            architecture.l2,
            architecture.l3,
            self.description.len(),
        );
        hasher.update(text.as_bytes());
        hasher.update(&self.description);
        let mut part = |values: &[f32]| {
            hasher.update(&(values.len() as u64).to_le_bytes());
            hasher.update_rayon(super::le_bytes(values));
        };
        part(&self.ft_bias);
        for layer in self.layers.iter().chain(&self.l1_factor) {
            part(&layer.weights);
            part(&layer.bias);
        }
        const ROWS: usize = 4096;
        let mut buffer = Vec::new();
        for block in &self.blocks {
            for start in (0..block.block.rows()).step_by(ROWS) {
                let rows = start..(start + ROWS).min(block.block.rows());
                buffer.resize(rows.len() * block.columns, 0.0);
                block.read_rows(rows, &mut buffer)?;
                part(&buffer);
            }
        }
        Ok(hasher.finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_and_king_squares_are_inverse() {
        assert_eq!((king_bucket(4), king_bucket(7), king_bucket(63), king_bucket(0)), (Some(31), Some(28), Some(0), None));
        for bucket in 0..32 {
            assert_eq!(king_bucket(bucket_square(bucket)), Some(bucket));
        }
    }

    fn block(block: Block, virtual_rows: usize) -> FloatBlock {
        let rows = block.rows() + virtual_rows;
        let tensor: Arc<dyn Tensor> = Arc::new(Owned::new(vec![rows, 1], (0..rows).map(|row| row as f32).collect()));
        FloatBlock { block, recipe: RowRecipe::Factorized { tensor, first: 0, virtual_first: block.rows() }, columns: 1 }
    }

    #[test]
    fn unused_slots_add_the_row_before_the_virtual_ones() {
        assert_eq!(block(Block::HalfKp, 704).terms(641), Terms { real: 641, added: [Some(41024 + 1), Some(41087)] });
        assert_eq!(block(Block::HalfKa, 768).terms(769 * 3), Terms { real: 769 * 3, added: [Some(49215), None] });
    }

    #[test]
    fn the_shared_king_plane_adds_the_right_kings_factor() {
        let hm = block(Block::HalfKaV2Hm, 768);
        let own = 704 * 31 + 640 + 4;
        assert_eq!(hm.terms(own).added[0], Some(22528 + 640 + 4), "own king on e1 in the bucket of e1");
        assert_eq!(hm.terms(own + 1).added[0], Some(22528 + 704 + 5), "opponent's king elsewhere");
    }

    #[test]
    fn rows_are_sums_in_order() {
        let kp = block(Block::HalfKp, 704);
        let mut out = vec![0.0; 3];
        kp.read_rows(1000..1003, &mut out).unwrap();
        let expected: Vec<f32> = (1000..1003).map(|r| r as f32 + (41024 + r / 641) as f32 + (41088 + r % 641 - 1) as f32).collect();
        assert_eq!(out, expected);
    }
}
