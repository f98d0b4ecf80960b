//! Architectures as data: one table entry per generation of networks, from October 2020 to August 2026.
//!
//! An architecture is all that fixes a file's bytes besides the weights. Code that reads, writes, quantizes or gathers asks the
//! table instead of a generation's name; `format::state_dict` alone names some, where tensors fit several. Source of the
//! figures: `docs/formats-nnue.md`.

use crate::words::{Compression, Word};

use super::quantization::{FT127, FT255, FT256, Quantization, ZeroRule};
use super::{Block, FeatureSet, ThreatTable};

/// Order and element types of the feature transformer's tensors in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FtLayout {
    /// bias · weights; no PSQT.
    Plain,
    /// bias · weights (all blocks, i16) · PSQT (all blocks).
    Joined,
    /// bias · weights block by block (i8 for threats, never compressed) · one PSQT tensor for all rows.
    SplitWeights,
    /// bias · for each block its weights, then its PSQT.
    Segmented,
}

/// How the dense layers are connected, in terms of L1, L2 and L3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Wiring {
    /// The transformer's outputs are multiplied in pairs (i, i + L1/2), giving L1 inputs; otherwise both halves enter: 2·L1.
    pub pairwise: bool,
    /// Rows of the first layer beyond L2 (the skip output).
    pub skip_rows: usize,
    /// The second layer sees the squares beside the clipped outputs: 2·L2 inputs.
    pub squared: bool,
    /// The output layer sees the outputs of both layers, squared and clipped: 2·L2 + 2·L3 inputs.
    pub dense_output: bool,
    /// Outputs of the first layer that are added to the network's output, past the other layers.
    pub skips: &'static [Skip],
}

/// An output of the first layer that goes past the other layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Skip {
    /// Which row of the first layer, counted from its end: 1 is the last.
    pub from_end: usize,
    /// 1 where it is added, -1 where it is subtracted.
    pub sign: i32,
}

impl Wiring {
    const CLIPPED: Self = Self { pairwise: false, skip_rows: 0, squared: false, dense_output: false, skips: &[] };
    const SKIP: Self = Self { pairwise: true, skip_rows: 1, skips: &[Skip { from_end: 1, sign: 1 }], ..Self::CLIPPED };
    /// As in SFNNv5 to SFNNv14.1.
    pub const SKIP_SQUARED: Self = Self { squared: true, ..Self::SKIP };
    /// As since SFNNv15.
    pub const DENSE: Self = Self {
        pairwise: true,
        skip_rows: 0,
        squared: true,
        dense_output: true,
        skips: &[Skip { from_end: 2, sign: 1 }, Skip { from_end: 1, sign: -1 }],
    };

    /// Sizes `(outputs, inputs)` of the three dense layers.
    pub fn dense_shapes(&self, l1: usize, l2: usize, l3: usize) -> [(usize, usize); 3] {
        let first = if self.pairwise { l1 } else { 2 * l1 };
        let second = if self.squared { 2 * l2 } else { l2 };
        let output = if self.dense_output { 2 * l2 + 2 * l3 } else { l3 };
        [(l2 + self.skip_rows, first), (l3, second), (1, output)]
    }
}

/// Which of an engine's networks one is: how it is given to the engine, and asked for again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// The only one, or the one for most positions.
    Main,
    /// The smaller one beside it, for positions that are decided.
    Second,
}

impl Place {
    /// The UCI option that takes the file.
    pub const fn option(self) -> &'static str {
        match self {
            Self::Main => "EvalFile",
            Self::Second => "EvalFileSmall",
        }
    }

    /// The command that writes the network to this file. The other one, which comes with it, goes to `other`.
    pub fn export(self, file: &str, other: &str) -> String {
        match self {
            Self::Main => format!("export_net {file}"),
            Self::Second => format!("export_net {other} {file}"),
        }
    }
}

/// One generation of networks.
#[derive(Debug)]
pub struct Generation {
    /// The field's name, such as `SFNNv5`.
    pub name: &'static str,
    /// When it came, and which release of Stockfish reads it, in a few words.
    pub about: &'static str,
    /// First word of a file.
    pub version: u32,
    /// Tensor order of the feature transformer.
    pub ft_layout: FtLayout,
    /// Threat weights are i8 in the file (i16 in the first generation that had them).
    pub narrow_threats: bool,
    /// PSQT buckets, 0 where there is no PSQT.
    pub psqt_buckets: usize,
    /// Layer stacks.
    pub stacks: usize,
    /// How the dense layers are connected.
    pub wiring: Wiring,
    /// Blocks of the nets that were trained in this generation, in file order.
    pub blocks: &'static [Block],
    /// The blocks were one feature set of the new, composed kind.
    pub composed: bool,
    /// The L1 that was trained.
    pub l1: usize,
    /// The L2 that was trained.
    pub l2: usize,
    /// The L3 that was trained.
    pub l3: usize,
    /// Scales that nets of this layout have had; the first is the one of the nets that were released.
    pub quantizations: &'static [&'static Quantization],
    /// How the wide tensors may be stored for the engines that read the generation, the usual one first.
    pub read_compressions: &'static [Compression],
    /// Which of an engine's networks it is.
    pub place: Place,
    /// How many internal units the engine of the time printed as a pawn; `None` where that depends on the position, or no release had
    /// such nets.
    pub pawn: Option<i32>,
}

impl std::hash::Hash for Generation {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        // No two have one name.
        self.name.hash(state);
    }
}

impl PartialEq for Generation {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Generation {}

impl Word for &'static Generation {
    const KIND: &'static str = "an architecture";

    fn all() -> Vec<Self> {
        GENERATIONS.iter().collect()
    }

    fn name(self) -> &'static str {
        self.name
    }

    fn about(self) -> &'static str {
        self.about
    }

    fn named(text: &str) -> Option<Self> {
        generation(text)
    }
}

/// Stockfish up to 15.1.
const RAW: &[Compression] = &[Compression::None];
/// Stockfish since 19 June 2023.
const LEB128: &[Compression] = &[Compression::Leb128];

/// The entry that all others are written as a difference to: one stack of two clipped layers behind 2·256 outputs.
const BASE: Generation = Generation {
    name: "SFNNv1",
    about: "August 2020, Stockfish 12 and 13",
    version: 0x7AF3_2F16,
    ft_layout: FtLayout::Plain,
    narrow_threats: false,
    psqt_buckets: 0,
    stacks: 1,
    wiring: Wiring::CLIPPED,
    blocks: &[Block::HalfKp],
    composed: false,
    l1: 256,
    l2: 32,
    l3: 32,
    quantizations: &[&FT127],
    read_compressions: RAW,
    place: Place::Main,
    pawn: None,
};
const PSQT: Generation = Generation { version: 0x7AF3_2F20, ft_layout: FtLayout::Joined, psqt_buckets: 8, stacks: 8, ..BASE };
const SINGLE: Generation =
    Generation { blocks: &[Block::HalfKaV2Hm], wiring: Wiring::SKIP_SQUARED, l1: 1024, l2: 15, quantizations: &[&FT127, &FT255], ..PSQT };
/// Generations of which every engine reads LEB128.
const PACKED: Generation = Generation { read_compressions: LEB128, ..SINGLE };
const THREATS: Generation = Generation { ft_layout: FtLayout::SplitWeights, narrow_threats: true, quantizations: &[&FT255], ..PACKED };
const QAT: Generation =
    Generation { version: 0x6A44_8AFA, ft_layout: FtLayout::Segmented, composed: true, quantizations: &[&FT256], ..THREATS };

/// Every generation, oldest first.
pub static GENERATIONS: [Generation; 21] = [
    Generation { name: "T0", about: "October 2020, read by no Stockfish", version: 0x7AF3_2F17, ..BASE },
    BASE,
    Generation { name: "SFNNv2", about: "May 2021, Stockfish 14", blocks: &[Block::HalfKaV2], l1: 512, l2: 16, pawn: Some(208), ..PSQT },
    Generation {
        name: "SFNNv3",
        about: "August 2021, Stockfish 14.1",
        blocks: &[Block::HalfKaV2Hm],
        l1: 1024,
        l2: 8,
        pawn: Some(208),
        ..PSQT
    },
    Generation {
        name: "SFNNv4",
        about: "February 2022, Stockfish 15",
        wiring: Wiring::SKIP,
        quantizations: &[&FT127],
        pawn: Some(208),
        ..SINGLE
    },
    Generation { name: "SFNNv5", about: "May 2022, Stockfish 15.1", pawn: Some(361), ..SINGLE },
    Generation {
        name: "SFNNv6",
        about: "May 2023, Stockfish 16",
        l1: 1536,
        // Raw in its first three weeks.
        read_compressions: &[Compression::Leb128, Compression::None],
        pawn: Some(328),
        ..SINGLE
    },
    Generation { name: "SFNNv7", about: "July 2023", l1: 2048, ..PACKED },
    Generation { name: "SFNNv8", about: "September 2023, Stockfish 16.1", l1: 2560, pawn: Some(356), ..PACKED },
    Generation { name: "SFNNv9", about: "April 2024, Stockfish 17", l1: 3072, ..PACKED },
    Generation { name: "small", about: "second net of Stockfish from January 2024 to May 2026", l1: 128, place: Place::Second, ..PACKED },
    Generation {
        name: "SFNNv10a",
        about: "November 2025, threats in i16",
        ft_layout: FtLayout::Joined,
        narrow_threats: false,
        blocks: &[Block::FullThreats(ThreatTable::T79856), Block::HalfKaV2Hm],
        ..THREATS
    },
    Generation {
        name: "SFNNv10b",
        about: "December 2025, threats in i8, Stockfish 18",
        blocks: &[Block::FullThreats(ThreatTable::T79856), Block::HalfKaV2Hm],
        ..THREATS
    },
    Generation {
        name: "SFNNv11",
        about: "February 2026, no king targets",
        blocks: &[Block::FullThreats(ThreatTable::T66864), Block::HalfKaV2Hm],
        ..THREATS
    },
    Generation {
        name: "SFNNv12",
        about: "February 2026, kings never attack",
        blocks: &[Block::FullThreats(ThreatTable::T60144), Block::HalfKaV2Hm],
        ..THREATS
    },
    Generation {
        name: "SFNNv13",
        about: "February 2026, L2 of 31",
        blocks: &[Block::FullThreats(ThreatTable::T60144), Block::HalfKaV2Hm],
        l2: 31,
        ..THREATS
    },
    Generation {
        name: "SFNNv13-newhash",
        about: "March 2026, composed feature sets",
        blocks: &[Block::FullThreats(ThreatTable::T60144), Block::HalfKaV2Hm],
        l2: 31,
        composed: true,
        ..THREATS
    },
    Generation {
        name: "SFNNv14",
        about: "April 2026, blocked pawn pushes",
        blocks: &[Block::FullThreats(ThreatTable::T60720), Block::HalfKaV2Hm],
        l2: 31,
        composed: true,
        ..THREATS
    },
    Generation {
        name: "SFNNv14.1",
        about: "May 2026, quantization-aware training",
        blocks: &[Block::FullThreats(ThreatTable::T60720), Block::HalfKaV2Hm],
        l2: 31,
        ..QAT
    },
    Generation {
        name: "SFNNv15",
        about: "July 2026, wider output layer",
        blocks: &[Block::FullThreats(ThreatTable::T60720), Block::HalfKaV2Hm],
        wiring: Wiring::DENSE,
        l2: 32,
        ..QAT
    },
    Generation {
        name: "SFNNv16",
        about: "July 2026, pairs of pawns",
        blocks: &[Block::FullThreats(ThreatTable::T59808), Block::Pp3Wide, Block::HalfKaV2Hm],
        wiring: Wiring::DENSE,
        l2: 32,
        ..QAT
    },
];

/// Other names of generations, each with that in the table.
pub const GENERATION_ALIASES: [(&str, &str); 1] = [("v13 new hash", "SFNNv13-newhash")];

/// The generation of that name or alias; case does not matter.
pub fn generation(name: &str) -> Option<&'static Generation> {
    let alias = GENERATION_ALIASES.iter().find(|(alias, _)| name.eq_ignore_ascii_case(alias));
    let name = alias.map_or(name, |(_, name)| name);
    GENERATIONS.iter().find(|generation| generation.name.eq_ignore_ascii_case(name))
}

/// Names of all generations, oldest first.
pub fn generation_names() -> Vec<&'static str> {
    GENERATIONS.iter().map(|generation| generation.name).collect()
}

impl Generation {
    /// Whether the generation's nets are stored with `set` in its kind of file (other sets than the trained one occur).
    pub fn stores(&self, set: &FeatureSet) -> bool {
        let threats = |blocks: &[Block]| blocks.iter().find_map(|block| if let Block::FullThreats(t) = block { Some(*t) } else { None });
        if self.blocks == set.blocks {
            return self.composed == set.composed;
        }
        let plain = !set.blocks.iter().any(|block| block.is_narrow());
        match (threats(self.blocks), threats(&set.blocks)) {
            // A set without threats: in the old files any single-set generation holds it, in the newest the composed ones do.
            (None, None) => plain && !set.composed,
            (Some(_), None) => {
                self.composed && self.ft_layout == FtLayout::Segmented && set.blocks.iter().all(|block| block.is_composable())
            }
            (Some(own), Some(other)) => own == other && self.composed == set.composed,
            (None, Some(_)) => false,
        }
    }
}

/// A generation with its sizes and feature set: everything that fixes the bytes of a file besides weights and description.
#[derive(Debug, Clone, PartialEq)]
pub struct Architecture {
    /// The table's entry.
    pub generation: &'static Generation,
    /// Blocks in file order, with the hash that the file carries.
    pub features: FeatureSet,
    /// Outputs of the feature transformer for one perspective. Even.
    pub l1: usize,
    /// Outputs of the first dense layer, without the skip row.
    pub l2: usize,
    /// Outputs of the second dense layer.
    pub l3: usize,
    /// Scales. Not recorded in a file; they matter for quantizing, dequantizing and the zero rule.
    pub quantization: &'static Quantization,
}

impl Architecture {
    /// How the engines that may be meant read the wide tensors, the usual one first. A size that no generation trained can be of any
    /// generation that differs in nothing else; scales later than the first came when all engines read LEB128.
    pub fn read_compressions(&self) -> Vec<Compression> {
        let own = self.generation;
        if *self.quantization != FT127 {
            return LEB128.to_vec();
        }
        if own.l1 == self.l1 && own.blocks == self.features.blocks {
            return own.read_compressions.to_vec();
        }
        let layout = |g: &Generation| (g.version, g.ft_layout, g.narrow_threats);
        let alike: Vec<&Generation> =
            GENERATIONS.iter().filter(|g| g.wiring == own.wiring && layout(g) == layout(own) && g.stores(&self.features)).collect();
        let read = |compression: &Compression| alike.iter().any(|g| g.read_compressions.contains(compression));
        [Compression::Leb128, Compression::None].into_iter().filter(read).collect()
    }

    /// How a net is stored where neither the user nor its source says.
    pub fn usual_compression(&self) -> Compression {
        self.read_compressions().first().copied().unwrap_or_default()
    }

    /// Which engines refuse a net that is stored so, in a sentence; `None` where those that may be meant read it.
    pub fn unreadable(&self, compression: Compression) -> Option<String> {
        if self.read_compressions().contains(&compression) {
            return None;
        }
        let (engines, reads) = match compression {
            Compression::Leb128 => ("Stockfish up to 15.1", "raw tensors only: `none`"),
            Compression::None => ("Stockfish since 16", "LEB128 only: `leb128`"),
        };
        Some(format!(
            "{engines}, which plays with nets like this one ({}), refuses `{compression}`: it reads {reads}",
            self.generation.name
        ))
    }

    /// First word of the file.
    pub fn version(&self) -> u32 {
        self.generation.version
    }

    /// Hash of the feature transformer: set hash xor 2·L1.
    pub fn ft_hash(&self) -> u32 {
        self.features.hash ^ l1_word(self.l1)
    }

    /// Hash of one layer stack.
    pub fn fc_hash(&self) -> u32 {
        let [(first, _), (second, _), _] = self.dense_shapes();
        fc_hash(self.l1, first, second)
    }

    /// Second word of the file.
    pub fn header_hash(&self) -> u32 {
        self.ft_hash() ^ self.fc_hash()
    }

    /// Sizes `(outputs, inputs)` of the dense layers of a stack.
    pub fn dense_shapes(&self) -> [(usize, usize); 3] {
        self.generation.wiring.dense_shapes(self.l1, self.l2, self.l3)
    }

    /// Whether the weights of `block` are i8 in the file.
    pub fn is_narrow(&self, block: Block) -> bool {
        block.is_narrow() && self.generation.narrow_threats
    }

    /// Outputs of the feature transformer for one perspective, after products: half of the first layer's inputs.
    pub fn ft_outputs(&self) -> usize {
        if self.generation.wiring.pairwise { self.l1 / 2 } else { self.l1 }
    }

    /// The layer stack, and the PSQT column, that an engine takes for a position with this many pieces.
    pub fn bucket(&self, pieces: u32) -> usize {
        let stacks = self.generation.stacks;
        (pieces.saturating_sub(1) as usize * stacks / 32).min(stacks.saturating_sub(1))
    }

    /// The rule for zero outputs, for architectures that multiply outputs in pairs.
    pub fn zero_rule(&self) -> Option<ZeroRule> {
        self.generation.wiring.pairwise.then_some(self.quantization.zero_rule)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "L1 is bounded far below 2^31 by every reader; a hash of anything larger only mismatches"
)]
fn l1_word(l1: usize) -> u32 {
    (l1 as u32).wrapping_mul(2)
}

/// Hash of a layer stack whose layers have `first`, `second` and 1 outputs.
///
/// Only the number of outputs enters, never the number of inputs, so different stacks share a hash.
#[expect(clippy::cast_possible_truncation, reason = "see `l1_word`")]
pub fn fc_hash(l1: usize, first: usize, second: usize) -> u32 {
    let mut hash = 0xEC42_E90D ^ l1_word(l1);
    for outputs in [first, second, 1] {
        let mut layer = 0xCC03_DAE4u32.wrapping_add(outputs as u32);
        layer ^= hash >> 1;
        layer ^= hash << 31;
        if outputs != 1 {
            layer = layer.wrapping_add(0x538D_24C7);
        }
        hash = layer;
    }
    hash
}

#[cfg(test)]
mod tests;
