//! Float networks: as a trainer holds them, with virtual features (`Factorized`), and with these folded in (`Coalesced`).
//!
//! The feature transformer may have hundreds of megabytes, so it is not held here: a network knows where its rows can be read
//! ([`Tensor`]) and which of them add up to a row of the file. Coalescing fixes that recipe; reading happens block by block when the
//! rows are quantized, written or hashed. Arithmetic is the trainer's: f32, terms added in the recorded order.
//!
//! A factorized network also knows under which names and in which shapes its trainer keeps the tensors ([`Layout`]), so that it can be
//! written again as it was read.

use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;

use super::{Architecture, Block};
use crate::error::{Error, Result};

/// A float tensor that can be read piece by piece.
pub trait Tensor: Send + Sync {
    /// Dimensions, outermost first.
    fn shape(&self) -> &[usize];
    /// Reads `out.len()` values from the flat, row-major index `start` on.
    ///
    /// # Errors
    /// When the source cannot be read, or the range is outside the tensor.
    fn read(&self, start: usize, out: &mut [f32]) -> Result<()>;
    /// The values of the flat, row-major range `values` where they lie, for tensors that are in memory as f32. `None` for others: those
    /// must be read.
    ///
    /// # Errors
    /// As [`Tensor::read`].
    fn borrow(&self, values: Range<usize>) -> Result<Option<&[f32]>> {
        let _ = values;
        Ok(None)
    }
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
        out.copy_from_slice(part.ok_or_else(past_the_end)?);
        Ok(())
    }

    fn borrow(&self, values: Range<usize>) -> Result<Option<&[f32]>> {
        self.values.get(values).map(Some).ok_or_else(past_the_end)
    }
}

fn past_the_end() -> Error {
    Error::new("a read past the end of a tensor")
}

/// Rows of other tensors, one piece after the other. Rows of no tensor are zeros: virtual features that were never trained.
pub struct JoinedRows {
    shape: [usize; 2],
    pieces: Vec<Piece>,
}

/// Rows of one tensor in a [`JoinedRows`].
pub struct Piece {
    /// The tensor and its first row that is meant; `None` for zeros.
    pub source: Option<(Arc<dyn Tensor>, usize)>,
    /// How many rows.
    pub rows: usize,
}

impl JoinedRows {
    /// `pieces` in this order, each of `columns` columns.
    pub fn new(columns: usize, pieces: Vec<Piece>) -> Self {
        Self { shape: [pieces.iter().map(|piece| piece.rows).sum(), columns], pieces }
    }

    /// `rows` rows of zeros.
    pub fn zeros(rows: usize, columns: usize) -> Self {
        Self::new(columns, vec![Piece { source: None, rows }])
    }
}

impl Tensor for JoinedRows {
    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn read(&self, start: usize, out: &mut [f32]) -> Result<()> {
        let columns = self.shape[1];
        let (mut at, mut rest) = (start, out);
        let mut begin = 0;
        for piece in &self.pieces {
            let end = begin + piece.rows * columns;
            if at < end && !rest.is_empty() {
                let (here, later) = rest.split_at_mut((end - at).min(rest.len()));
                match &piece.source {
                    Some((tensor, first)) => tensor.read(first * columns + at - begin, here)?,
                    None => here.fill(0.0),
                }
                at += here.len();
                rest = later;
            }
            begin = end;
        }
        if rest.is_empty() { Ok(()) } else { Err(past_the_end()) }
    }

    fn borrow(&self, values: Range<usize>) -> Result<Option<&[f32]>> {
        let columns = self.shape[1];
        let mut begin = 0;
        for piece in &self.pieces {
            let end = begin + piece.rows * columns;
            if begin <= values.start && values.end <= end {
                return match &piece.source {
                    Some((tensor, first)) => {
                        let shift = first * columns;
                        tensor.borrow(values.start - begin + shift..values.end - begin + shift)
                    }
                    None => Ok(None),
                };
            }
            begin = end;
        }
        Ok(None)
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

    /// The file's row `row`, coalesced: where it lies if nothing is added to it, otherwise in `buffer`.
    ///
    /// # Errors
    /// Those of [`Tensor::read`].
    pub fn row<'a>(&'a self, row: usize, buffer: &'a mut Vec<f32>) -> Result<&'a [f32]> {
        let columns = self.columns;
        let terms = self.terms(row);
        let (tensor, added_from) = self.recipe.tensors();
        let [first, second] = terms.added;
        let place = |row: usize| row * columns..(row + 1) * columns;
        let real = tensor.borrow(place(terms.real))?;
        if let (Some(real), None) = (real, first) {
            return Ok(real);
        }
        buffer.resize(columns, 0.0);
        // The usual case in one pass over the row.
        if let (Some(real), Some(row)) = (real, first)
            && let Some(term) = added_from.borrow(place(row))?
        {
            for ((sum, real), term) in buffer.iter_mut().zip(real).zip(term) {
                *sum = real + term;
            }
            return self.add(second, added_from, buffer);
        }
        tensor.read(terms.real * columns, buffer)?;
        self.add(first, added_from, buffer)?;
        self.add(second, added_from, buffer)
    }

    /// Adds row `row` of `tensor`, if there is one, to `sums`.
    fn add<'a>(&self, row: Option<usize>, tensor: &dyn Tensor, sums: &'a mut [f32]) -> Result<&'a [f32]> {
        let Some(row) = row else { return Ok(sums) };
        let start = row * self.columns;
        match tensor.borrow(start..start + self.columns)? {
            Some(term) => sums.iter_mut().zip(term).for_each(|(sum, term)| *sum += term),
            None => {
                let mut term = vec![0.0f32; self.columns];
                tensor.read(start, &mut term)?;
                sums.iter_mut().zip(&term).for_each(|(sum, term)| *sum += term);
            }
        }
        Ok(sums)
    }

    /// Reads the file's rows `rows`, coalesced, into `out` (`rows.len() × columns`).
    ///
    /// # Errors
    /// Those of [`Tensor::read`].
    pub fn read_rows(&self, rows: Range<usize>, out: &mut [f32]) -> Result<()> {
        let mut buffer = Vec::new();
        for (row, out) in rows.zip(out.chunks_exact_mut(self.columns)) {
            out.copy_from_slice(self.row(row, &mut buffer)?);
        }
        Ok(())
    }
}

impl RowRecipe {
    /// The tensor of the real rows, and that of the virtual ones.
    fn tensors(&self) -> (&dyn Tensor, &dyn Tensor) {
        match self {
            Self::Plain { tensor, .. } | Self::Factorized { tensor, .. } => (&**tensor, &**tensor),
            Self::TwelvePlanes { tensor, virtual_rows, .. } => {
                (&**tensor, virtual_rows.as_ref().map_or(&**tensor, |virtual_rows| &**virtual_rows))
            }
        }
    }

    /// The tensor that holds the real rows.
    pub fn tensor(&self) -> &Arc<dyn Tensor> {
        match self {
            Self::Plain { tensor, .. } | Self::Factorized { tensor, .. } | Self::TwelvePlanes { tensor, .. } => tensor,
        }
    }

    /// Row of feature 0.
    pub fn first(&self) -> usize {
        match self {
            Self::Plain { first, .. } | Self::Factorized { first, .. } | Self::TwelvePlanes { first, .. } => *first,
        }
    }

    /// Whether there are virtual rows.
    pub fn is_factorized(&self) -> bool {
        matches!(self, Self::Factorized { .. } | Self::TwelvePlanes { virtual_rows: Some(_), .. })
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

/// Which names and shapes the trainer gave its tensors, by the time of their use (`format::state_dict` lists them).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Names {
    /// 2020 to May 2021.
    Flat,
    /// To September 2025.
    Stacked,
    /// To February 2026.
    Linear,
    /// To March 2026.
    Virtual,
    /// Since then.
    Composed,
}

/// Under which names a trainer keeps a network's tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Layout {
    /// The names.
    pub names: Names,
    /// They are those of a module that holds the network: `model.` precedes each.
    pub prefixed: bool,
}

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
    /// `[PSQT buckets]`. Trained, but never used by an engine and in no `.nnue` file.
    pub psqt_bias: Vec<f32>,
    /// Under which names the trainer keeps the tensors.
    pub layout: Layout,
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
            psqt_bias: self.psqt_bias,
            layout: self.layout,
            state: PhantomData,
        }
    }

    /// The trainer's name of the feature set, with `^` behind blocks that have virtual features.
    pub fn features(&self) -> String {
        self.feature_parts().into_iter().map(|part| part.name()).collect::<Vec<_>>().join("+")
    }

    /// The blocks as the trainer counts them: before March 2026 threats and the piece squares behind them are one.
    fn feature_parts(&self) -> Vec<FeaturePart<'_>> {
        let mut parts = Vec::new();
        let mut blocks = self.blocks.as_slice();
        while let [first, rest @ ..] = blocks {
            let pair = matches!(first.block, Block::FullThreats(_)) && self.layout.names != Names::Composed && !rest.is_empty();
            let (here, later) = blocks.split_at(if pair { 2 } else { 1 });
            parts.push(FeaturePart { blocks: here });
            blocks = later;
        }
        parts
    }

    /// Adds virtual features whose weights are zero, as the trainer does when it continues a net under a name with `^`.
    ///
    /// # Errors
    /// When `wanted` is not the network's own feature set with, possibly, further `^`; when a block has no virtual features.
    pub fn with_virtual_features(mut self, wanted: &str) -> Result<Self> {
        let own = self.features();
        if wanted == own {
            return Ok(self);
        }
        let parts = self.feature_parts();
        let names: Vec<&str> = wanted.split('+').collect();
        let allowed = |part: &FeaturePart<'_>, name: &str| part.name() == name || format!("{}^", part.name()) == name;
        if names.len() != parts.len() || !parts.iter().zip(&names).all(|(part, name)| allowed(part, name)) {
            return Err(Error::new(format!("features=`{own}` in the file, `{wanted}` expected"))
                .because("virtual features can be added to a network, but nothing else of its feature set can be changed")
                .help(format!("name the features `{own}`, or with `^` behind blocks that should get virtual features")));
        }
        let columns = self.ft_bias.len() + self.psqt_bias.len();
        let mut blocks = Vec::new();
        let mut pieces = Vec::new();
        for (part, name) in parts.iter().zip(&names) {
            let is_factorized = name.ends_with('^');
            let virtual_rows = part.virtual_rows();
            if is_factorized && virtual_rows == 0 {
                return Err(Error::new(format!("the feature block `{}` has no virtual features", part.name()))
                    .help(format!("name the features without `^` behind `{}`", part.name())));
            }
            for block in part.blocks {
                let piece = |rows| Piece { source: Some((block.recipe.tensor().clone(), block.recipe.first())), rows };
                match &block.recipe {
                    RowRecipe::TwelvePlanes { tensor, first, virtual_rows: None } if is_factorized => {
                        let zeros: Arc<dyn Tensor> = Arc::new(JoinedRows::zeros(TWELVE_PLANES, columns));
                        let recipe = RowRecipe::TwelvePlanes { tensor: tensor.clone(), first: *first, virtual_rows: Some(zeros) };
                        blocks.push(FloatBlock { recipe, ..block.clone() });
                    }
                    RowRecipe::TwelvePlanes { .. } => blocks.push(block.clone()),
                    _ => {
                        blocks.push(block.clone());
                        pieces.push(piece(block.block.rows()));
                    }
                }
            }
            if let (true, RowRecipe::Plain { .. }) = (is_factorized, &part.last().recipe) {
                pieces.push(Piece { source: None, rows: virtual_rows });
            } else if let RowRecipe::Factorized { tensor, virtual_first, .. } = &part.last().recipe {
                pieces.push(Piece { source: Some((tensor.clone(), *virtual_first)), rows: virtual_rows });
            }
        }
        if matches!(self.layout.names, Names::Flat | Names::Stacked | Names::Linear) {
            // One tensor holds all rows: the rows behind the new ones move.
            let parts: Vec<(usize, usize, bool)> =
                parts.iter().zip(&names).map(|(part, name)| (part.blocks.len(), part.virtual_rows(), name.ends_with('^'))).collect();
            let tensor: Arc<dyn Tensor> = Arc::new(JoinedRows::new(columns, pieces));
            let (mut index, mut first) = (0, 0);
            for (count, virtual_rows, is_factorized) in parts {
                let part = &mut blocks[index..index + count];
                let virtual_first = first + part.iter().map(|block| block.block.rows()).sum::<usize>();
                for block in part {
                    let tensor = tensor.clone();
                    block.recipe = if is_factorized {
                        RowRecipe::Factorized { tensor, first, virtual_first }
                    } else {
                        RowRecipe::Plain { tensor, first }
                    };
                    first += block.block.rows();
                }
                index += count;
                first = virtual_first + if is_factorized { virtual_rows } else { 0 };
            }
        }
        self.blocks = blocks;
        Ok(self)
    }
}

/// One block as the trainer counts them; never empty.
struct FeaturePart<'a> {
    blocks: &'a [FloatBlock],
}

impl FeaturePart<'_> {
    /// The block that has the part's virtual features, if any.
    fn last(&self) -> &FloatBlock {
        &self.blocks[self.blocks.len() - 1]
    }

    fn name(&self) -> String {
        format!("{}{}", self.blocks[0].block.name(), if self.last().recipe.is_factorized() { "^" } else { "" })
    }

    /// How many virtual features the part has when it is factorized.
    fn virtual_rows(&self) -> usize {
        match self.last().block {
            Block::HalfKp => 64 + 640,
            Block::HalfKa | Block::HalfKaV2 | Block::HalfKaV2Hm => TWELVE_PLANES,
            Block::FullThreats(_) | Block::Pp3Wide => 0,
        }
    }
}

impl Network<Factorized> {
    /// Digest of every value as it was trained, of the architecture and of the names: what a file of tensors is made from.
    ///
    /// One pass over the tensors on all cores.
    ///
    /// # Errors
    /// When the tensors cannot be read.
    pub fn digest(&self) -> Result<blake3::Hash> {
        let mut hasher = self.hasher("nnue 2026-11 factorized network");
        hasher.update(format!("{:?} {} {}", self.layout, self.features(), self.psqt_bias.len()).as_bytes());
        hasher.update(super::le_bytes(&self.psqt_bias));
        let mut seen: Vec<&Arc<dyn Tensor>> = Vec::new();
        for block in &self.blocks {
            let (virtual_first, virtual_rows) = match &block.recipe {
                RowRecipe::Plain { .. } => (0, None),
                RowRecipe::Factorized { virtual_first, .. } => (*virtual_first, None),
                RowRecipe::TwelvePlanes { virtual_rows, .. } => (0, virtual_rows.as_ref()),
            };
            hasher.update(format!(" {} {} {virtual_first}", block.block.name(), block.recipe.first()).as_bytes());
            for tensor in [Some(block.recipe.tensor()), virtual_rows].into_iter().flatten() {
                if seen.iter().any(|other| Arc::ptr_eq(other, tensor)) {
                    continue;
                }
                seen.push(tensor);
                hasher.update(format!(" {:?}", tensor.shape()).as_bytes());
                let digests = in_parts(tensor.shape().iter().product(), PART, |values, buffer| {
                    if let Some(values) = tensor.borrow(values.clone())? {
                        return Ok(blake3::hash(super::le_bytes(values)));
                    }
                    buffer.resize(values.len(), 0.0);
                    tensor.read(values.start, buffer)?;
                    Ok(blake3::hash(super::le_bytes(buffer)))
                })?;
                digests.iter().for_each(|digest| _ = hasher.update(digest.as_bytes()));
            }
        }
        Ok(hasher.finalize())
    }
}

impl Network<Coalesced> {
    /// Digest of every value that a file's rows and layers are made from, and of the architecture: what quantizing depends on.
    ///
    /// One pass over the rows on all cores.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn digest(&self) -> Result<blake3::Hash> {
        let mut hasher = self.hasher("nnue 2026-11 coalesced network");
        for block in &self.blocks {
            hasher.update(format!(" {}", block.block.name()).as_bytes());
            let digests = in_parts(block.block.rows(), PART / block.columns.max(1), |rows, buffer| {
                buffer.resize(rows.len() * block.columns, 0.0);
                block.read_rows(rows, buffer)?;
                Ok(blake3::hash(super::le_bytes(buffer)))
            })?;
            digests.iter().for_each(|digest| _ = hasher.update(digest.as_bytes()));
        }
        Ok(hasher.finalize())
    }
}

/// Values that one task hashes: enough for the hash's widest instructions, few enough to stay in the cache.
const PART: usize = 1 << 17;

/// Cuts `0..count` into parts of `part` and digests them on all cores; the digests are in order.
fn in_parts(
    count: usize,
    part: usize,
    digest: impl Fn(Range<usize>, &mut Vec<f32>) -> Result<blake3::Hash> + Sync,
) -> Result<Vec<blake3::Hash>> {
    let part = part.max(1);
    (0..count.div_ceil(part))
        .into_par_iter()
        .map_init(Vec::new, |buffer, index| digest(index * part..((index + 1) * part).min(count), buffer))
        .collect()
}

impl<State> Network<State> {
    /// A hasher that has seen all but the transformer's rows.
    fn hasher(&self, context: &str) -> blake3::Hasher {
        let mut hasher = blake3::Hasher::new_derive_key(context);
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
        hasher
    }
}

#[cfg(test)]
mod tests;
