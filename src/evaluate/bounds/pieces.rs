//! Piece squares and pawn pairs, as bounds see them: which row a man on a square stands for.

use super::men::{Largest, SQUARES, Worth, best};
use crate::net::{Block, king_bucket};

/// How a block of piece squares numbers its rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pieces {
    block: Block,
    /// Rows of a king square.
    stride: usize,
    /// Row of square 0 of the first plane.
    first: usize,
    /// The last plane: own and other pieces in turn, kings behind them if they have any.
    last_plane: usize,
}

impl Pieces {
    /// `None` for blocks of other features.
    pub(super) fn of(block: Block) -> Option<Self> {
        let (stride, first, last_plane) = match block {
            Block::HalfKp => (641, 1, 9),
            Block::HalfKa => (769, 1, 11),
            Block::HalfKaV2 | Block::HalfKaV2Hm => (704, 0, 10),
            Block::FullThreats(_) | Block::Pp3Wide => return None,
        };
        Some(Self { block, stride, first, last_plane })
    }

    /// Whether the other side's view is the board turned round, not flipped.
    pub(super) fn rotated(&self) -> bool {
        self.block == Block::HalfKp
    }

    /// The row of a man (0 to 5 own pawn to king, 6 to 11 the other side's), if it has one.
    fn row(&self, king: usize, man: usize, square: usize) -> Option<usize> {
        let plane = 2 * (man % 6) + man / 6;
        let is_king = man % 6 == 5;
        if is_king && self.last_plane < 10 {
            return None;
        }
        let king = if self.block == Block::HalfKaV2Hm { king_bucket(king)? } else { king };
        Some(self.first + self.stride * king + 64 * plane.min(self.last_plane) + square)
    }

    /// The largest worth of a legal placement over all squares of the own king. `fixed` is what men are worth besides, `weight` the weight
    /// of a row.
    pub(super) fn largest(&self, fixed: &Worth, weight: impl Fn(usize) -> i32) -> i32 {
        // In the mirrored block the king is seen on files e to h only.
        let kings = (0..SQUARES).filter(|king| self.block != Block::HalfKaV2Hm || king_bucket(*king).is_some());
        let bounds = kings.map(|king| {
            let mut worth = fixed.turned(king);
            for (man, of_man) in worth.0.iter_mut().enumerate() {
                for (square, worth) in of_man.iter_mut().enumerate() {
                    // Pawns stand on no last rank, the own king on its own square only.
                    let impossible = man % 6 == 0 && !(8..56).contains(&square) || man == 5 && square != king;
                    match self.row(king, man, square) {
                        _ if impossible => *worth = 0,
                        Some(row) => *worth += 2 * weight(row),
                        None => {}
                    }
                }
            }
            best(&worth, king)
        });
        bounds.max().unwrap_or(0)
    }
}

/// Adds to each pawn's worth its half of the largest pairs that it can be in: with at most 7 of its own side and 8 of the other.
pub(super) fn add_pairs(worths: &mut [Worth], weight: impl Fn(usize, usize) -> i32) {
    // Pawns stand on a2 = 8 to h7 = 55: own pawns are numbered 0 to 47, the others 48 to 95.
    let is_near = |a: usize, b: usize| (a % 8).abs_diff(b % 8) <= 1 && a != b;
    for (index, worth) in worths.iter_mut().enumerate() {
        for pawn in 0..96 {
            let (mut same, mut other) = (Largest::<7>::default(), Largest::<8>::default());
            for partner in (0..96).filter(|partner| is_near(pawn % 48, partner % 48)) {
                let (low, high) = (pawn.min(partner), pawn.max(partner));
                let weight = weight(high * (high - 1) / 2 + low, index);
                if pawn / 48 == partner / 48 { same.push(weight) } else { other.push(weight) }
            }
            // A pair counts half for each of its pawns, and worths are doubled.
            worth.0[6 * (pawn / 48)][pawn % 48 + 8] += same.0.iter().sum::<i32>() + other.0.iter().sum::<i32>();
        }
    }
}
