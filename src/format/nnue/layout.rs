//! Where each tensor of a `.nnue` file stands, for a given architecture: the one description that reader, writer and `inspect` share.

use crate::net::{Architecture, Block, FeatureSet, FtLayout, Generation, LAYER_NAMES, padded};

/// Integer type of a stored tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DType {
    /// One byte, signed.
    I8,
    /// Little-endian, signed.
    I16,
    /// Little-endian, signed.
    I32,
}

impl DType {
    /// Bytes of one value.
    pub const fn size(self) -> usize {
        match self {
            Self::I8 => 1,
            Self::I16 => 2,
            Self::I32 => 4,
        }
    }

    /// `i8`, `i16`, `i32`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::I8 => "i8",
            Self::I16 => "i16",
            Self::I32 => "i32",
        }
    }
}

/// What a stored tensor of the feature transformer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// `[L1]`.
    Bias,
    /// `[rows][L1]`.
    Weights,
    /// `[rows][buckets]`.
    Psqt,
}

/// One stored tensor of the feature transformer: the rows of one block, or of several blocks in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FtTensor {
    /// Name in reports, such as `ft.weight` or `ft.Full_Threats.psqt`.
    pub name: String,
    /// What it holds.
    pub role: Role,
    /// Element type. `I8` tensors are never compressed.
    pub dtype: DType,
    /// Indices into the set's blocks whose rows stand in it, in order.
    pub blocks: std::ops::Range<usize>,
    /// Rows; 1 for the bias.
    pub rows: usize,
    /// Values a row.
    pub columns: usize,
}

impl FtTensor {
    /// Number of values.
    pub fn values(&self) -> usize {
        self.rows * self.columns
    }

    /// The shape as reported: the bias has one dimension.
    pub fn shape(&self) -> Vec<usize> {
        if self.role == Role::Bias { vec![self.columns] } else { vec![self.rows, self.columns] }
    }
}

/// The stored tensors of the feature transformer, in file order.
pub fn ft_tensors(generation: &Generation, set: &FeatureSet, l1: usize) -> Vec<FtTensor> {
    let blocks = &set.blocks;
    let all = 0..blocks.len();
    let rows = |range: &std::ops::Range<usize>| blocks[range.clone()].iter().map(|block| block.rows()).sum();
    let narrow = |block: Block| block.is_narrow() && generation.narrow_threats;
    let weights = |name: String, range: std::ops::Range<usize>| {
        let dtype = if narrow(blocks[range.start]) { DType::I8 } else { DType::I16 };
        FtTensor { name, role: Role::Weights, dtype, rows: rows(&range), blocks: range, columns: l1 }
    };
    let psqt = |name: String, range: std::ops::Range<usize>| FtTensor {
        name,
        role: Role::Psqt,
        dtype: DType::I32,
        rows: rows(&range),
        blocks: range,
        columns: generation.psqt_buckets,
    };
    let mut tensors = vec![FtTensor { name: "ft.bias".into(), role: Role::Bias, dtype: DType::I16, blocks: 0..0, rows: 1, columns: l1 }];
    match generation.ft_layout {
        FtLayout::Plain => tensors.push(weights("ft.weight".into(), all)),
        FtLayout::Joined => tensors.extend([weights("ft.weight".into(), all.clone()), psqt("ft.psqt".into(), all)]),
        FtLayout::SplitWeights => {
            tensors.extend(all.clone().map(|i| weights(format!("ft.{}.weight", blocks[i].name()), i..i + 1)));
            tensors.push(psqt("ft.psqt".into(), all));
        }
        FtLayout::Segmented => {
            for i in all {
                tensors.push(weights(format!("ft.{}.weight", blocks[i].name()), i..i + 1));
                tensors.push(psqt(format!("ft.{}.psqt", blocks[i].name()), i..i + 1));
            }
        }
    }
    tensors
}

/// Bytes of one layer stack in a file, its hash included.
pub fn stack_bytes(shapes: &[(usize, usize); 3]) -> usize {
    4 + shapes.iter().map(|&(outputs, inputs)| 4 * outputs + outputs * padded(inputs)).sum::<usize>()
}

/// One stored tensor, for `inspect`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Name in reports.
    pub name: String,
    /// Element type.
    pub dtype: DType,
    /// Dimensions as stored, padding included for dense weights.
    pub shape: Vec<usize>,
    /// Offset of its first stored byte.
    pub offset: usize,
    /// Stored bytes, the compression's header included.
    pub bytes: usize,
    /// Stored as LEB128.
    pub compressed: bool,
}

/// Entries of the dense layers of all stacks; the first stack's hash stands at `start`.
pub fn dense_entries(architecture: &Architecture, start: usize) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut offset = start;
    for stack in 0..architecture.generation.stacks {
        offset += 4;
        for (layer, (outputs, inputs)) in LAYER_NAMES.into_iter().zip(architecture.dense_shapes()) {
            for (part, dtype, shape) in [("bias", DType::I32, vec![outputs]), ("weight", DType::I8, vec![outputs, padded(inputs)])] {
                let bytes = shape.iter().product::<usize>() * dtype.size();
                entries.push(Entry { name: format!("stack{stack}.{layer}.{part}"), dtype, shape, offset, bytes, compressed: false });
                offset += bytes;
            }
        }
    }
    entries
}
