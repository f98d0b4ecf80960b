//! Feature sets: which blocks a network has, in which order, and the hash that names them.

use super::{Block, ThreatTable};
use crate::error::{Error, Result};

/// Blocks in file order with the set's hash. Names no virtual features: those exist only in checkpoints.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FeatureSet {
    /// Blocks in file order. The trainer's old single block `Full_Threats` is two of them here.
    pub blocks: Vec<Block>,
    /// The set is of the new, composed kind (March 2026 and later), where threats and piece squares are blocks of their own.
    pub composed: bool,
    /// The hash that enters the file's header.
    pub hash: u32,
}

/// What a file of the old kind calls `Full_Threats` also holds the piece-square block.
const OLD_THREATS_HASH: u32 = 0x8F23_4CB8;
/// Hash of the threat component, written by one day's trainer only.
const MISTAKEN_THREATS_HASH: u32 = 0x9F23_4CB8;

impl Block {
    /// The block's hash in a composed set, and (all but threats) in an old one.
    pub const fn hash(self) -> u32 {
        match self {
            Self::HalfKp => 0x5D69_D5B8,
            Self::HalfKa => 0x5F13_4CB8,
            Self::HalfKaV2 => 0x5F23_4CB8,
            Self::HalfKaV2Hm => 0x7F23_4CB8,
            Self::FullThreats(ThreatTable::T59808) => 0x2E6B_9D04,
            Self::FullThreats(_) => OLD_THREATS_HASH,
            Self::Pp3Wide => 0x86F2_B1DD,
        }
    }

    /// Whether the block's weights are i8 (where the generation stores any narrow).
    pub const fn is_narrow(self) -> bool {
        matches!(self, Self::FullThreats(_) | Self::Pp3Wide)
    }

    /// Whether the block occurs in composed sets.
    pub const fn is_composable(self) -> bool {
        matches!(self, Self::FullThreats(_) | Self::Pp3Wide | Self::HalfKaV2Hm)
    }
}

/// New recipe: rotate left by one, xor the next block's hash.
pub fn composed_hash(hashes: impl IntoIterator<Item = u32>) -> u32 {
    hashes.into_iter().fold(0u32, |hash, block| hash.rotate_left(1) ^ block)
}

/// Old recipe, with the trainer's precedence slip: the mask binds to the right shift only, so that the result may need more than
/// 32 bits. `None` then, since the trainer could not write such a file.
pub fn recursive_hash(hashes: &[u32]) -> Option<u32> {
    fn fold(hashes: &[u32]) -> u64 {
        match hashes {
            [] => 0,
            [one] => u64::from(*one),
            [first, rest @ ..] => {
                let tail = fold(rest);
                u64::from(*first) ^ (tail << 1) ^ ((tail >> 1) & 0xFFFF_FFFF)
            }
        }
    }
    // Three blocks are the most that has a meaning; the value then needs at most 34 bits.
    u32::try_from(fold(hashes)).ok()
}

impl FeatureSet {
    /// The set of `blocks` in file order.
    ///
    /// # Errors
    /// When the trainer could not write such a set, or a block occurs twice.
    pub fn of_blocks(blocks: &[Block], composed: bool) -> Result<Self> {
        let set = Self { blocks: blocks.to_vec(), composed, hash: 0 };
        for (index, block) in blocks.iter().enumerate() {
            if blocks[..index].iter().any(|other| other.name() == block.name()) {
                return Err(Error::usage(format!("feature set `{}` has the block `{}` twice", set.name(), block.name())));
            }
        }
        let hash = if composed { Some(composed_hash(blocks.iter().map(|block| block.hash()))) } else { recursive_hash(&set.old_hashes()) };
        match hash {
            Some(hash) if !blocks.is_empty() => Ok(Self { hash, ..set }),
            _ => Err(Error::usage(format!("no file can hold the feature set `{}`", set.name()))
                .because("its hash needs more than 32 bits, so the trainer never wrote one")),
        }
    }

    /// Hashes of the old-style blocks, where threats and the piece squares behind them count as one.
    fn old_hashes(&self) -> Vec<u32> {
        let mut hashes = Vec::new();
        let mut blocks = self.blocks.iter();
        while let Some(block) = blocks.next() {
            if let Block::FullThreats(_) = block {
                hashes.push(OLD_THREATS_HASH);
                blocks.next();
            } else {
                hashes.push(block.hash());
            }
        }
        hashes
    }

    /// The trainer's name, without `^`: `HalfKAv2_hm`, `Full_Threats`, `Full_Threats+HalfKAv2_hm`.
    pub fn name(&self) -> String {
        let mut names = Vec::new();
        let mut blocks = self.blocks.iter();
        while let Some(block) = blocks.next() {
            names.push(block.name());
            if !self.composed && matches!(block, Block::FullThreats(_)) {
                blocks.next();
            }
        }
        names.join("+")
    }

    /// Rows of the feature transformer in a file.
    pub fn rows(&self) -> usize {
        self.blocks.iter().map(|block| block.rows()).sum()
    }

    /// Every set that a file of any generation may hold; several share a hash and are told apart by their size.
    pub fn known() -> Vec<Self> {
        let mut sets = Vec::new();
        let mut add = |blocks: Vec<Block>, composed: bool| {
            if let Ok(set) = Self::of_blocks(&blocks, composed)
                && !sets.contains(&set)
            {
                sets.push(set);
            }
        };
        let old_threats = [ThreatTable::T79856, ThreatTable::T66864, ThreatTable::T60144];
        let mut old: Vec<Vec<Block>> =
            [Block::HalfKp, Block::HalfKa, Block::HalfKaV2, Block::HalfKaV2Hm].into_iter().map(|block| vec![block]).collect();
        old.extend(old_threats.map(|table| vec![Block::FullThreats(table), Block::HalfKaV2Hm]));
        for set in &old {
            add(set.clone(), false);
        }
        for table in ThreatTable::ALL {
            let threats = Block::FullThreats(table);
            let pawn_pairs: &[Option<Block>] = if table == ThreatTable::T59808 { &[None, Some(Block::Pp3Wide)] } else { &[None] };
            for pairs in pawn_pairs {
                for order in orders(&[Some(threats), *pairs, Some(Block::HalfKaV2Hm)].into_iter().flatten().collect::<Vec<_>>()) {
                    add(order, true);
                }
            }
        }
        // The one threat block that has a hash of its own.
        add(vec![Block::FullThreats(ThreatTable::T59808)], true);
        for order in orders(&[Block::Pp3Wide, Block::HalfKaV2Hm]) {
            add(order, true);
        }
        add(vec![Block::Pp3Wide], true);
        // One block hashes the same by both recipes: the old spelling stands for both.
        for first in &old {
            for second in &old {
                add([first.clone(), second.clone()].concat(), false);
            }
        }
        let mistaken: Vec<Self> =
            sets.iter().filter(|set| set.composed && set.blocks.len() == 2).filter_map(Self::with_mistaken_hash).collect();
        sets.extend(mistaken);
        sets
    }

    /// The set as the trainer of 4 March 2026 hashed it.
    fn with_mistaken_hash(&self) -> Option<Self> {
        let is_old_threats = |block: &Block| matches!(block, Block::FullThreats(ThreatTable::T60144));
        self.blocks.iter().any(is_old_threats).then(|| {
            let hashes = self.blocks.iter().map(|block| if is_old_threats(block) { MISTAKEN_THREATS_HASH } else { block.hash() });
            Self { hash: composed_hash(hashes), ..self.clone() }
        })
    }
}

/// All orders of at most three blocks.
fn orders(blocks: &[Block]) -> Vec<Vec<Block>> {
    if blocks.len() <= 1 {
        return vec![blocks.to_vec()];
    }
    (0..blocks.len())
        .flat_map(|first| {
            let rest: Vec<Block> = blocks.iter().enumerate().filter(|(index, _)| *index != first).map(|(_, block)| *block).collect();
            orders(&rest).into_iter().map(move |tail| [vec![blocks[first]], tail].concat())
        })
        .collect()
}

#[cfg(test)]
mod tests;
