//! What an architecture file says, as types. Knows neither TOML nor bytes.

use std::collections::BTreeMap;

use super::diagnose::Name;
use super::features::Input;
use crate::net::ZeroRule;

/// How a number is stored; always little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DType {
    /// 32-bit float.
    F32,
    /// Signed, 8 bits.
    I8,
    /// Signed, 16 bits.
    I16,
    /// Signed, 32 bits.
    I32,
    /// Unsigned, 8 bits.
    U8,
}

impl DType {
    pub(crate) const NAMES: [&str; 5] = ["f32", "i8", "i16", "i32", "u8"];

    pub(crate) fn named(name: &str) -> Option<Self> {
        let all = [Self::F32, Self::I8, Self::I16, Self::I32, Self::U8];
        Self::NAMES.iter().position(|known| *known == name).and_then(|index| all.get(index).copied())
    }

    /// As it is written in an architecture file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::I8 => "i8",
            Self::I16 => "i16",
            Self::I32 => "i32",
            Self::U8 => "u8",
        }
    }

    /// Bytes of a value.
    pub const fn size(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::I16 => 2,
            Self::F32 | Self::I32 => 4,
        }
    }

    /// Smallest and largest value; `None` for floats.
    pub(crate) const fn limits(self) -> Option<(i64, i64)> {
        match self {
            Self::F32 => None,
            Self::I8 => Some((-128, 127)),
            Self::I16 => Some((-32768, 32767)),
            Self::I32 => Some((-2147483648, 2147483647)),
            Self::U8 => Some((0, 255)),
        }
    }
}

/// Which part of an axis an entry of `axes` is: `in`, `in/4`, `in%4`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AxisPart {
    pub axis: String,
    pub part: Part,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Whole,
    /// Index divided by this.
    Quotient(usize),
    /// Rest of the index after division by this.
    Remainder(usize),
}

/// A tensor by its role: axes from the outermost.
#[derive(Debug, Clone)]
pub(crate) struct TensorSpec {
    pub role: Name,
    pub axes: Vec<String>,
    /// Sizes of the axes before any step.
    pub shape: Vec<usize>,
}

/// How the values of one tensor become bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    Raw,
    /// SLEB128 for integers, ULEB128 of the bits for floats, without a count.
    Leb128,
    /// As a `.nnue` file: a magic text, the length in bytes as u32, SLEB128.
    Section,
}

/// A tensor in a layout.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub role: Name,
    /// Index in [`Architecture::tensors`].
    pub tensor: usize,
    pub dtype: DType,
    /// Axes in file order.
    pub order: Vec<AxisPart>,
    /// Name in a bullet checkpoint.
    pub id: Option<String>,
    /// Its first byte lies at a multiple of this, counted from the file's start.
    pub align: usize,
    /// So does each slice of the outermost axis, and what follows the last.
    pub each: bool,
    pub packing: Packing,
}

/// What stands in a file beside tensors.
#[derive(Debug, Clone)]
pub(crate) enum Field {
    /// Bytes that must be these; the text is for messages.
    Fixed(Vec<u8>, String),
    /// So many bytes, taken over from the source.
    Opaque(usize),
    /// A u32 length and so many bytes, taken over from the source.
    Counted,
}

/// A layout in the order of the file.
#[derive(Debug, Clone)]
pub(crate) enum Piece {
    Field(Field),
    /// Index in [`Layout::tensors`], and which slice of the outermost axis where it is stored in slices.
    Tensor(usize, Option<usize>),
}

#[derive(Debug, Clone)]
pub(crate) enum Header {
    None,
    /// The source's, as it is.
    Keep,
    Fields(Vec<Field>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Tensors and fields one after the other.
    Sequence,
    /// bullet's named tensors: `name\n`, u64 count, f32 values.
    Checkpoint,
}

/// Which table of the file a layout stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    Read,
    Write,
    Both,
}

/// An order of tensors in a file.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub name: Name,
    pub used: Use,
    /// The layout that the steps start from.
    pub from: Option<Name>,
    /// Names of [`Architecture::steps`].
    pub steps: Vec<Name>,
    pub header: Header,
    pub encoding: Encoding,
    pub align: usize,
    /// The file's length is a multiple of this.
    pub pad: usize,
    /// What fills the rest, repeated.
    pub pad_with: Vec<u8>,
    /// Level of the compression around the whole.
    pub zstd: Option<i32>,
    pub tensors: Vec<Stored>,
    pub pieces: Vec<Piece>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rounding {
    /// Halves away from zero.
    Away,
    /// Halves to the even neighbour.
    Even,
    Truncate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Precision {
    F32,
    F64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overflow {
    Error,
    Saturate,
    Wrap,
}

/// `do = "quantize"`.
#[derive(Debug, Clone)]
pub(crate) struct Quantize {
    pub roles: Vec<Name>,
    pub scale: f64,
    pub clip: Option<[f64; 2]>,
    /// The limits are of the product, not of the weight.
    pub clip_after: bool,
    pub rounding: Rounding,
    pub precision: Precision,
    pub dtype: DType,
    pub overflow: Overflow,
}

/// Which order of 128-bit pieces an engine's packing needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lanes {
    None,
    Avx2,
    Avx512,
}

impl Lanes {
    /// The piece that stands at each place.
    pub const fn order(self) -> &'static [usize] {
        match self {
            Self::None => &[0],
            Self::Avx2 => &[0, 2, 1, 3],
            Self::Avx512 => &[0, 2, 4, 6, 1, 3, 5, 7],
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) enum Action {
    /// `into += add`, broadcast over the axes that `add` has not. `None`: as the step that quantized `into`.
    Merge {
        into: Name,
        add: Name,
        overflow: Option<Overflow>,
    },
    /// Own and enemy king planes become one.
    MergeKings {
        into: Name,
    },
    Quantize(Quantize),
    /// Reorders the neurons, by the permutation that the caller gives.
    Permute,
    Lanes(Lanes),
}

#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub name: Name,
    pub action: Action,
}

/// `[permutation]`.
#[derive(Debug, Clone)]
pub(crate) struct Moves {
    pub axis: String,
    pub also: Vec<String>,
    /// Neurons `i` and `i + n/2` move together.
    pub pairs: bool,
}

/// `[activation]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Activation {
    pub kind: ActivationKind,
    pub clamp: i32,
    /// Bits that the result loses.
    pub shift: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ActivationKind {
    /// Product of two clamped neurons.
    Pairwise,
    /// The clamped neuron.
    Crelu,
    /// Its square.
    Screlu,
}

impl Activation {
    /// When an output is zero: the product of two neurons, both clamped to `0..=clamp`, is below `limit`. An output of one neuron is taken
    /// for the product with a one.
    pub(crate) fn zero_rule(self) -> Option<ZeroRule> {
        let limit = 1i32.checked_shl(self.shift)?;
        let limit = match self.kind {
            ActivationKind::Pairwise | ActivationKind::Crelu => limit,
            // The least number whose square is not below.
            ActivationKind::Screlu => (0i32..1 << 16).find(|root| i64::from(*root) * i64::from(*root) >= i64::from(limit))?,
        };
        Some(ZeroRule { clamp: self.clamp, limit })
    }
}

/// One of `[[inputs]]`.
#[derive(Debug, Clone)]
pub(crate) struct InputBlock {
    pub input: Input,
    /// Role of the tensor with its weights.
    pub tensor: String,
}

/// How the number of pieces chooses an output bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Buckets {
    /// By the number of pieces, 0 to 32.
    pub table: Vec<u32>,
}

/// A described architecture, checked: every name in it is defined, every layout's tensors have the types that its steps give.
#[derive(Debug)]
pub struct Architecture {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) sizes: BTreeMap<String, usize>,
    pub(crate) tensors: Vec<TensorSpec>,
    pub(crate) inputs: Vec<InputBlock>,
    pub(crate) activation: Option<Activation>,
    pub(crate) moves: Option<Moves>,
    pub(crate) buckets: Option<Buckets>,
    pub(crate) steps: Vec<Step>,
    pub(crate) layouts: Vec<Layout>,
}

impl Architecture {
    /// The layout that files are read in.
    pub(crate) fn readable(&self, name: &str) -> Option<&Layout> {
        self.find(name, [Use::Read, Use::Both, Use::Write])
    }

    /// The layout that files are written in.
    pub(crate) fn writable(&self, name: &str) -> Option<&Layout> {
        self.find(name, [Use::Write, Use::Both, Use::Read])
    }

    fn find(&self, name: &str, uses: [Use; 3]) -> Option<&Layout> {
        let named = |wanted: &Use| self.layouts.iter().find(|layout| layout.name.text == name && layout.used == *wanted);
        uses.iter().find_map(named)
    }

    /// Names of the layouts, each once, those that can be read as they are first.
    pub fn layout_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for used in [Use::Read, Use::Both, Use::Write] {
            for layout in self.layouts.iter().filter(|layout| layout.used == used) {
                if !names.contains(&layout.name.text.as_str()) {
                    names.push(&layout.name.text);
                }
            }
        }
        names
    }

    /// The blocks of inputs, in the order of the file.
    pub fn inputs(&self) -> impl Iterator<Item = &Input> {
        self.inputs.iter().map(|block| &block.input)
    }

    /// Entries of a permutation of its neurons: pairs, or neurons; 0 where they do not move.
    pub(crate) fn entries(&self) -> usize {
        let neurons = self.moves.as_ref().and_then(|moves| self.sizes.get(&moves.axis)).copied().unwrap_or(0);
        if self.moves.as_ref().is_some_and(|moves| moves.pairs) { neurons / 2 } else { neurons }
    }

    /// The output bucket of a position with so many pieces; `None` where the file does not say how it is chosen.
    pub fn output_bucket(&self, pieces: usize) -> Option<u32> {
        self.buckets.as_ref().and_then(|buckets| buckets.table.get(pieces)).copied()
    }

    /// Its name: that of the file, or of the shipped architecture.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A sentence on what it is; may be empty.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// What the steps do with values that do not fit, where the file makes that an error.
    pub fn relax(&mut self, saturate: bool) {
        let relaxed = if saturate { Overflow::Saturate } else { Overflow::Wrap };
        for step in &mut self.steps {
            if let Action::Quantize(how) = &mut step.action
                && how.overflow == Overflow::Error
            {
                how.overflow = relaxed;
            }
        }
    }

    pub(crate) fn step(&self, name: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.name.text == name)
    }
}
