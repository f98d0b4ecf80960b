//! Integer networks, exactly as an engine holds them.

use rayon::prelude::*;

use super::{Architecture, Block};

/// Weights of one block: `[rows][L1]`, row-major.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlockWeights {
    /// Threats and pawn pairs.
    I8(Vec<i8>),
    /// Everything else, and the threats of SFNNv10a.
    I16(Vec<i16>),
}

impl BlockWeights {
    /// Number of weights.
    pub fn len(&self) -> usize {
        match self {
            Self::I8(weights) => weights.len(),
            Self::I16(weights) => weights.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The weights as little-endian bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::I8(weights) => bytemuck::cast_slice(weights),
            Self::I16(weights) => le_bytes(weights),
        }
    }
}

/// One block of the feature transformer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FtBlock {
    /// Which features the rows stand for.
    pub block: Block,
    /// `[rows][L1]`.
    pub weights: BlockWeights,
    /// `[rows][PSQT buckets]`; empty in architectures without PSQT.
    pub psqt: Vec<i32>,
}

/// A dense layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dense {
    /// Inputs that have a meaning; a stored row is padded to a multiple of 32.
    pub inputs: usize,
    /// `[outputs]`.
    pub bias: Vec<i32>,
    /// `[outputs][padded inputs]`. Padding is kept as it was read: some released nets hide a nonce there.
    pub weights: Vec<i8>,
}

/// Rows of dense layers are stored padded to a multiple of this.
pub const PADDING: usize = 32;

/// `inputs` rounded up to the stored row length.
pub const fn padded(inputs: usize) -> usize {
    inputs.div_ceil(PADDING) * PADDING
}

impl Dense {
    /// Stored rows, padding included.
    pub fn rows(&self) -> impl Iterator<Item = &[i8]> {
        self.weights.chunks_exact(padded(self.inputs).max(1))
    }

    fn clear_padding(&mut self) {
        let inputs = self.inputs;
        for row in self.weights.chunks_exact_mut(padded(inputs).max(1)) {
            row[inputs..].fill(0);
        }
    }
}

/// The three dense layers of one stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerStack {
    /// First, second and output layer.
    pub layers: [Dense; 3],
}

/// Names of the dense layers in reports, files of tensors and errors.
pub const LAYER_NAMES: [&str; 3] = ["l1", "l2", "output"];

/// An integer network: what an engine loads, and all that `permute` and `write` accept.
#[derive(Debug, Clone, PartialEq)]
pub struct QuantizedNetwork {
    /// What fixes the bytes besides the weights.
    pub architecture: Architecture,
    /// As in the file; not always UTF-8.
    pub description: Vec<u8>,
    /// `[L1]`.
    pub ft_bias: Vec<i16>,
    /// In file order.
    pub blocks: Vec<FtBlock>,
    /// One per bucket, or a single one.
    pub stacks: Vec<LayerStack>,
}

impl QuantizedNetwork {
    /// Bytes of the weights, as stored without compression.
    pub fn weight_bytes(&self) -> usize {
        let blocks: usize = self.blocks.iter().map(|block| block.weights.bytes().len() + 4 * block.psqt.len()).sum();
        let stacks: usize =
            self.stacks.iter().flat_map(|stack| &stack.layers).map(|layer| 4 * layer.bias.len() + layer.weights.len()).sum();
        2 * self.ft_bias.len() + blocks + stacks
    }

    /// Digest of everything the network is: architecture, description, every weight and every byte of padding.
    ///
    /// Scales are part of it although no file records them: what is computed from the network depends on them.
    pub fn digest(&self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_derive_key("nnue 2026-11 quantized network");
        let mut part = |bytes: &[u8]| {
            hasher.update(&(bytes.len() as u64).to_le_bytes());
            hasher.update_rayon(bytes);
        };
        let architecture = &self.architecture;
        part(architecture.generation.name.as_bytes());
        part(architecture.quantization.name.as_bytes());
        part(&architecture.features.hash.to_le_bytes());
        for size in [architecture.l1, architecture.l2, architecture.l3] {
            part(&(size as u64).to_le_bytes());
        }
        part(&self.description);
        part(le_bytes(&self.ft_bias));
        for block in &self.blocks {
            part(block.block.name().as_bytes());
            part(block.weights.bytes());
            part(le_bytes(&block.psqt));
        }
        for layer in self.stacks.iter().flat_map(|stack| &stack.layers) {
            part(le_bytes(&layer.bias));
            part(bytemuck::cast_slice(&layer.weights));
        }
        hasher.finalize()
    }

    /// Reorders the neuron pairs: `new[j] = old[permutation[j]]` in both halves of the transformer's outputs, and the first
    /// layer's inputs with them; PSQT columns stay. The evaluation does not change.
    ///
    /// Padding is cleared: a nonce hidden there was made for the old file's hash, and the trainer's writer clears it too.
    ///
    /// # Panics
    /// When the permutation is not of L1/2 neurons, or the architecture has no pairs; the stage `permute` checks both.
    pub fn permute(&mut self, permutation: &[u32]) {
        let order = self.order(permutation);
        let l1 = self.architecture.l1;
        for block in &mut self.blocks {
            match &mut block.weights {
                BlockWeights::I8(weights) => reorder_rows(weights, l1, &order),
                BlockWeights::I16(weights) => reorder_rows(weights, l1, &order),
            }
        }
        self.permute_beside_blocks(&order);
    }

    /// As [`Self::permute`], without a change to `self`: each weight is copied once, to where it belongs.
    ///
    /// # Panics
    /// As [`Self::permute`].
    #[must_use]
    pub fn permuted(&self, permutation: &[u32]) -> Self {
        let order = self.order(permutation);
        let l1 = self.architecture.l1;
        let weights = |weights: &BlockWeights| match weights {
            BlockWeights::I8(weights) => BlockWeights::I8(reordered_rows(weights, l1, &order)),
            BlockWeights::I16(weights) => BlockWeights::I16(reordered_rows(weights, l1, &order)),
        };
        let block = |block: &FtBlock| FtBlock { block: block.block, weights: weights(&block.weights), psqt: block.psqt.clone() };
        let mut permuted = Self {
            architecture: self.architecture.clone(),
            description: self.description.clone(),
            ft_bias: self.ft_bias.clone(),
            blocks: self.blocks.iter().map(block).collect(),
            stacks: self.stacks.clone(),
        };
        permuted.permute_beside_blocks(&order);
        permuted
    }

    /// The order of all L1 neurons that one of their pairs means.
    fn order(&self, permutation: &[u32]) -> Vec<u32> {
        let half = self.architecture.l1 / 2;
        assert!(self.architecture.generation.wiring.pairwise && permutation.len() == half, "checked by the permute stage");
        permutation.iter().copied().chain(permutation.iter().map(|&from| from + half as u32)).collect()
    }

    fn permute_beside_blocks(&mut self, order: &[u32]) {
        let l1 = self.architecture.l1;
        reorder_rows(&mut self.ft_bias, l1, order);
        for stack in &mut self.stacks {
            let first = &mut stack.layers[0];
            for row in first.weights.chunks_exact_mut(padded(first.inputs).max(1)) {
                reorder_rows(&mut row[..l1], l1, order);
            }
            stack.layers.iter_mut().for_each(Dense::clear_padding);
        }
    }
}

/// Rows that one task reorders.
const ROWS_A_TASK: usize = 64;

/// Applies `row[j] = old[order[j]]` to every row of `columns` values.
fn reorder_rows<T: Copy + Send + Sync + Default>(values: &mut [T], columns: usize, order: &[u32]) {
    values.par_chunks_mut(columns * ROWS_A_TASK).for_each_init(
        || vec![T::default(); columns],
        |old, rows| {
            for row in rows.chunks_exact_mut(columns) {
                old.copy_from_slice(row);
                reorder(old, row, order);
            }
        },
    );
}

/// As [`reorder_rows`], into new memory.
fn reordered_rows<T: Copy + Send + Sync + Default>(values: &[T], columns: usize, order: &[u32]) -> Vec<T> {
    let mut reordered = vec![T::default(); values.len()];
    let tasks = reordered.par_chunks_mut(columns * ROWS_A_TASK).zip(values.par_chunks(columns * ROWS_A_TASK));
    tasks.for_each(|(new, old)| {
        new.chunks_exact_mut(columns).zip(old.chunks_exact(columns)).for_each(|(new, old)| reorder(old, new, order));
    });
    reordered
}

fn reorder<T: Copy>(old: &[T], new: &mut [T], order: &[u32]) {
    new.iter_mut().zip(order).for_each(|(new, &from)| *new = old[from as usize]);
}

/// Integers as the little-endian bytes of a file.
pub fn le_bytes<T: bytemuck::NoUninit>(values: &[T]) -> &[u8] {
    const { assert!(cfg!(target_endian = "little"), "files are little-endian and weights are written as they stand in memory") };
    bytemuck::cast_slice(values)
}
