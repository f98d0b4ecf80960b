//! The inputs of described networks: piece-square rows with king buckets, threats, pawn pairs; and output buckets.
//!
//! A piece-square row is `768·bucket + 384·enemy + 64·kind + square`, own side first, kinds pawn to king, a1 = 0. Black sees the board
//! with ranks flipped; then files are mirrored so that the own king stands on the side that `mirror` names. With merged kings a
//! bucket has 704 rows: both kings in the plane of the own king. Threats and pawn pairs are the rows of [`crate::net::Block`].

use crate::net::{Block, ThreatTable};
use crate::positions::Features;
use crate::positions::{Color, PieceType, Position, active_features};

/// On which files the own king stands once the board is mirrored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mirror {
    /// Files a to d.
    QueenSide,
    /// Files e to h.
    KingSide,
    /// The board is never mirrored.
    None,
}

/// Piece-square rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PieceSquares {
    /// King bucket of each square of the whole board, as the own side sees it; on the side that `mirror` leaves unused, that of the
    /// mirrored square.
    buckets: [u16; 64],
    count: usize,
    merged_kings: bool,
    mirror: Mirror,
}

impl PieceSquares {
    /// All that decides rows, as text: what is equal here numbers its rows equally.
    pub(crate) fn shown(&self) -> String {
        let mirror = match self.mirror {
            Mirror::QueenSide => "abcd",
            Mirror::KingSide => "efgh",
            Mirror::None => "none",
        };
        let kings = if self.merged_kings { "merged" } else { "separate" };
        let buckets = self.buckets.iter().map(u16::to_string).collect::<Vec<_>>().join(",");
        format!("mirror {mirror}, kings {kings}, buckets {buckets}")
    }

    /// From a bucket map: 64 numbers from a1 on, or 32 where the board is mirrored (four a rank, from the first of the files in use on).
    ///
    /// # Errors
    /// What is wrong with the map, for people.
    pub fn new(map: &[u16], mirror: Mirror, merged_kings: bool) -> Result<Self, String> {
        let mut buckets = [0u16; 64];
        for (square, bucket) in buckets.iter_mut().enumerate() {
            let (rank, file) = (square / 8, square % 8);
            let half = match mirror {
                Mirror::QueenSide => file.min(7 - file),
                Mirror::KingSide => file.max(7 - file) - 4,
                Mirror::None => 0,
            };
            let index = match (map.len(), mirror) {
                (32, Mirror::QueenSide | Mirror::KingSide) => rank * 4 + half,
                (64, Mirror::None) => square,
                (64, Mirror::QueenSide) => rank * 8 + half,
                (64, Mirror::KingSide) => rank * 8 + 4 + half,
                (32, Mirror::None) => return Err("without mirroring the map has 64 numbers".to_owned()),
                (other, _) => return Err(format!("the map has {other} numbers, not 32 or 64")),
            };
            *bucket = map[index];
        }
        let count = buckets.iter().max().map_or(0, |most| usize::from(*most) + 1);
        Ok(Self { buckets, count, merged_kings, mirror })
    }

    /// How many buckets the map names.
    pub fn buckets(&self) -> usize {
        self.count
    }

    /// Rows of a bucket: 768, or 704 with merged kings.
    pub fn rows_a_bucket(&self) -> usize {
        if self.merged_kings { 704 } else { 768 }
    }

    /// Whether the own king can stand on `square` in `bucket`.
    pub(crate) fn king_stands(&self, square: usize, bucket: usize) -> bool {
        let in_use = match self.mirror {
            Mirror::QueenSide => square % 8 < 4,
            Mirror::KingSide => square % 8 >= 4,
            Mirror::None => true,
        };
        in_use && self.buckets.get(square).is_some_and(|own| usize::from(*own) == bucket)
    }

    /// Appends the active rows as `perspective` sees `position`.
    pub fn active(&self, position: &Position, perspective: Color, out: &mut Vec<u32>) {
        let boards = position.boards();
        let black = if perspective == Color::Black { 56 } else { 0 };
        let king = (position.king_square(perspective) & 63) ^ black;
        let mirrored = match self.mirror {
            Mirror::QueenSide => king & 4 != 0,
            Mirror::KingSide => king & 4 == 0,
            Mirror::None => false,
        };
        let flip = black ^ if mirrored { 7 } else { 0 };
        let base = usize::from(self.buckets[king]) * self.rows_a_bucket();
        for color in Color::BOTH {
            let enemy = color != perspective;
            for kind in PieceType::ALL {
                let plane = if kind == PieceType::King && self.merged_kings { 5 } else { kind as usize + 6 * usize::from(enemy) };
                let mut left = boards.pieces(color, kind);
                while left != 0 {
                    let square = left.trailing_zeros() as usize;
                    left &= left - 1;
                    out.push((base + 64 * plane + (square ^ flip)) as u32);
                }
            }
        }
    }
}

/// One block of `[[inputs]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// `psq`.
    PieceSquares(PieceSquares),
    /// `threats-N`, `pawn-pairs-4560`, `HalfKAv2_hm` …: rows that Stockfish's networks have, too.
    Known(Block),
    /// A block whose rules are not known: its weights are bytes.
    Opaque(String),
}

impl Input {
    /// The block of a name other than `psq`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let table = ThreatTable::ALL.into_iter().find(|table| name == format!("threats-{}", table.rows()));
        let known = [Block::HalfKp, Block::HalfKa, Block::HalfKaV2, Block::HalfKaV2Hm];
        let block = match (table, name) {
            (Some(table), _) => Block::FullThreats(table),
            (None, "pawn-pairs-4560") => Block::Pp3Wide,
            _ => known.into_iter().find(|block| block.name() == name)?,
        };
        Some(Self::Known(block))
    }

    /// Names that [`Self::named`] takes, and `psq`.
    pub(crate) fn names() -> Vec<String> {
        let mut names = vec!["psq".to_owned()];
        names.extend(ThreatTable::ALL.map(|table| format!("threats-{}", table.rows())));
        names.push("pawn-pairs-4560".to_owned());
        names.extend([Block::HalfKp, Block::HalfKa, Block::HalfKaV2, Block::HalfKaV2Hm].map(|block| block.name().to_owned()));
        names
    }

    /// Number of rows; `None` where the rules are not known.
    pub fn rows(&self) -> Option<usize> {
        match self {
            Self::PieceSquares(squares) => Some(squares.buckets() * squares.rows_a_bucket()),
            Self::Known(block) => Some(block.rows()),
            Self::Opaque(_) => None,
        }
    }

    /// Appends the active rows as `perspective` sees `position`; none where the rules are not known.
    pub fn active(&self, position: &Position, perspective: Color, out: &mut Vec<u32>) {
        match self {
            Self::PieceSquares(squares) => squares.active(position, perspective, out),
            Self::Known(block) => active_features(*block, position, perspective, out),
            Self::Opaque(_) => {}
        }
    }
}

impl Features for Input {
    fn rows(&self) -> usize {
        self.rows().unwrap_or(0)
    }

    fn active(&self, position: &Position, perspective: Color, out: &mut Vec<u32>) {
        self.active(position, perspective, out);
    }
}

#[cfg(test)]
mod tests;
