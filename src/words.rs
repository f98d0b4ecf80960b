//! The words that users choose from: one enum for each set, with its names, and one way to read them.
//!
//! Manifest, command line, schema, keys and messages all take a word's name from here, so that a value that one of them knows is known
//! to all. Tables of other rooms, such as the generations of networks, join by implementing [`Word`]. Knows nothing of the rest.

use std::fmt;

/// A value with a name, out of a fixed list.
pub trait Word: Copy + PartialEq + Send + Sync + 'static {
    /// What the values are, with an article: `an algorithm`.
    const KIND: &'static str;

    /// All values, in the order in which they are listed.
    fn all() -> Vec<Self>;

    /// The name: what users type.
    fn name(self) -> &'static str;

    /// What the value means, in a few words without a period.
    fn about(self) -> &'static str;

    /// The value that `text` names exactly.
    fn named(text: &str) -> Option<Self> {
        Self::all().into_iter().find(|word| word.name() == text)
    }
}

/// The names of all values of a set.
pub fn names<W: Word>() -> Vec<&'static str> {
    W::all().into_iter().map(Word::name).collect()
}

/// A text that names no value of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// What was typed.
    pub text: String,
    /// [`Word::KIND`].
    pub kind: &'static str,
    /// What is known.
    pub names: Vec<&'static str>,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not {}; known: {}", self.text, self.kind, self.names.join(", "))
    }
}

impl std::error::Error for Unknown {}

/// Reads a name.
///
/// # Errors
/// When no value has that name; the error lists those that are known.
pub fn parse<W: Word>(text: &str) -> Result<W, Unknown> {
    W::named(text).ok_or_else(|| Unknown { text: text.to_owned(), kind: W::KIND, names: names::<W>() })
}

/// The candidate that `typed` was probably meant to be: at most a third of the letters differ, case aside.
pub(crate) fn suggest<'a>(typed: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Longer words are not slips of a name, and the distance takes quadratic time.
    if typed.len() > 100 {
        return None;
    }
    let typed = typed.to_lowercase();
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let distance = strsim::osa_distance(&typed, &candidate.to_lowercase());
            (distance <= (typed.chars().count() / 3).max(1)).then_some((distance, candidate))
        })
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// Declares an enum whose variants are words. A variant's doc comment is what [`Word::about`] says.
macro_rules! words {
    (
        $(#[doc = $doc:literal])+
        $name:ident: $kind:literal {
            $(#[doc = $about:literal] $(#[$attribute:meta])* $variant:ident = $word:literal,)+
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
        pub enum $name {
            $(#[doc = $about] $(#[$attribute])* $variant,)+
        }

        impl $name {
            /// All values, in the order in which they are listed.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name: what users type.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl Word for $name {
            const KIND: &'static str = $kind;

            fn all() -> Vec<Self> {
                Self::ALL.to_vec()
            }

            fn name(self) -> &'static str {
                Self::name(self)
            }

            fn about(self) -> &'static str {
                match self {
                    $(Self::$variant => $about.trim_ascii(),)+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(Self::name(*self))
            }
        }

        impl std::str::FromStr for $name {
            type Err = Unknown;

            fn from_str(text: &str) -> Result<Self, Unknown> {
                parse(text)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(Self::name(*self))
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

words! {
    /// What to do with a weight beyond the range of its integer type.
    Overflow: "a way to handle weights that are out of range" {
        /// refuse the network and name the weights
        #[default]
        Error = "error",
        /// keep the low bits; values that are not finite are refused
        Wrap = "wrap",
        /// take the nearest value in range; values that are not finite are refused
        Clamp = "clamp",
        /// write whatever the trainers until May 2026 wrote, also for values that are not finite: to repeat a damaged net
        Trainer = "trainer",
    }
}

words! {
    /// How the weights of a neuron are arranged in its picture.
    NeuronOrder: "an order of input weights" {
        /// for each square of a piece a board of king squares
        #[default]
        PieceCentricFlippedKing = "piece-centric-flipped-king",
        /// for each square of the king a board of piece squares
        KingCentric = "king-centric",
    }
}

words! {
    /// How the wide tensors of the feature transformer are stored in a `.nnue` file.
    Compression: "a compression" {
        /// signed LEB128: what Stockfish since 16 reads
        #[default]
        Leb128 = "leb128",
        /// raw little-endian integers: what Stockfish up to 15.1 reads
        None = "none",
    }
}

words! {
    /// How the wide tensors are to be stored.
    CompressionChoice: "a compression" {
        /// as the source stores them, else as the engines of the generation read them
        #[default]
        Auto = "auto",
        /// signed LEB128: what Stockfish since 16 reads
        Leb128 = "leb128",
        /// raw little-endian integers: what Stockfish up to 15.1 reads
        None = "none",
    }
}

impl CompressionChoice {
    /// The compression that was named; `None` for `auto`.
    pub const fn named(self) -> Option<Compression> {
        match self {
            Self::Auto => None,
            Self::Leb128 => Some(Compression::Leb128),
            Self::None => Some(Compression::None),
        }
    }
}

impl From<Compression> for CompressionChoice {
    fn from(compression: Compression) -> Self {
        match compression {
            Compression::Leb128 => Self::Leb128,
            Compression::None => Self::None,
        }
    }
}

words! {
    /// How a permutation is searched for.
    Algorithm: "a search algorithm" {
        /// exchanges of two, then of three: exactly what the trainer's `ftperm.py` finds
        #[default]
        Greedy = "greedy",
        /// greedy, then annealing with exact gains: never less than greedy
        Anneal = "anneal",
        /// greedy, then exact reassignment of a neuron of every block at once: the most blocks, in the least time for them
        Assign = "assign",
    }
}

impl Algorithm {
    /// What bounds a search that could go on for ever: the name of the key and the option that give a number of it.
    pub const fn budget(self) -> Option<&'static str> {
        match self {
            Self::Greedy => None,
            Self::Anneal => Some("moves"),
            Self::Assign => Some("effort"),
        }
    }
}

words! {
    /// Which device computes; never what is computed: all backends give equal bytes.
    Backend: "a backend" {
        /// the fastest that is present; falls back to the CPU with one note
        #[default]
        Auto = "auto",
        /// the reference
        Cpu = "cpu",
        /// OpenCL, found at run time; an error where there is none
        OpenCl = "opencl",
        /// libtorch (cargo feature `torch`); an error in builds without it
        Torch = "torch",
    }
}

words! {
    /// What the weights by the number of pieces, `pc_y0` to `pc_y4`, mean.
    PieceWeights: "a meaning of `pc_y0` to `pc_y4`" {
        /// `pc_y1` to `pc_y3` at 0, 16 and 32 pieces: the trainer until May 2026
        January2026 = "2026-01",
        /// `pc_y0` to `pc_y4` at 0, 8, 16, 24 and 32 pieces: the trainer since May 2026
        #[default]
        May2026 = "2026-05",
    }
}

words! {
    /// A set of filters of positions.
    FilterSet: "a set of filters" {
        /// what the trainer's `ftperm.py` leaves out by default since May 2026
        #[default]
        Trainer202605 = "trainer-2026-05",
    }
}

words! {
    /// What kind of file a network is written to.
    FileFormat: "a file format" {
        /// a `.nnue` file of integers
        #[default]
        Nnue = "nnue",
        /// a PyTorch file
        Pt = "pt",
        /// a safetensors file
        Safetensors = "safetensors",
        /// a NumPy archive
        Npz = "npz",
    }
}

impl FileFormat {
    /// The format whose files have this ending: lower case, without the dot.
    pub fn of_ending(ending: &str) -> Option<Self> {
        Self::named(ending)
    }
}

words! {
    /// How the 16-bit codes of lc0's layers become floats, and what else a release knows. The two differ in the last bit.
    Decode: "a decode formula" {
        /// `min·(1 − t) + max·t`, each operation rounded, as lc0 0.33; knows the encodings of layers
        #[default]
        Lc0V033 = "lc0-0.33",
        /// `t·(max − min) + min`, as lc0 up to 0.32 and the training code; takes every layer for linear16
        Lc0V032 = "lc0-0.32",
    }
}

words! {
    /// How a layer of a network of lc0 is stored.
    LayerEncoding: "an encoding of layers" {
        /// 16 bits, linear between the least and the greatest value; the only one that lc0 before 0.33 knows
        #[default]
        Linear16 = "linear16",
        /// IEEE 754 half precision
        Float16 = "float16",
        /// the upper half of single precision
        Bfloat16 = "bfloat16",
        /// single precision
        Float32 = "float32",
    }
}

words! {
    /// Which tensors of a network of lc0 a file of tensors gets.
    View: "a view of a network of lc0" {
        /// every layer as stored, by its path in the file
        #[default]
        Raw = "raw",
        /// batch norms folded into convolutions, heads of the top level
        Legacy = "legacy",
        /// batch norms folded into convolutions, all heads by name
        Multi = "multi",
    }
}

words! {
    /// The type of the numbers of an ONNX model.
    OnnxType: "a type of numbers" {
        /// single precision
        #[default]
        Float32 = "float32",
        /// half precision
        Float16 = "float16",
        /// the upper half of single precision
        Bfloat16 = "bfloat16",
    }
}

words! {
    /// What is known of a net and accepted: nothing warns of it.
    Allow: "something that can be accepted" {
        /// on CPUs without VNNI the evaluation may change with the order of the neurons: sums of four products are beyond 16 bits
        #[default]
        WideSums = "wide-sums",
    }
}

words! {
    /// Where a net is published.
    Publish: "a place where nets are published" {
        /// the test server of Stockfish: `nn-<sha256>.nnue`, less than 200,000,000 bytes, CC0-1.0
        #[default]
        Fishtest = "fishtest",
    }
}

words! {
    /// What a build may do with a remote cache.
    RemoteMode: "a mode of a remote cache" {
        /// take results from it
        #[default]
        Read = "read",
        /// also upload results to it
        ReadWrite = "read-write",
    }
}

words! {
    /// Which stages a cluster may run.
    RemoteStage: "a stage that a cluster can run" {
        /// positions to activation matrices: sends the network and the data
        #[default]
        Gather = "gather",
        /// activation matrix to permutation: sends nothing where gather ran there
        Search = "search",
        /// a written file against its source: sends both networks and the data; what the source has as floats is looked at here
        Prove = "prove",
    }
}

#[cfg(test)]
mod tests;
