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

    /// Where the row of a man (0 to 5 own pawn to king, 6 to 11 the other side's) is among those of the king's square, if it has one.
    fn place(&self, man: usize, square: usize) -> Option<usize> {
        let plane = 2 * (man % 6) + man / 6;
        let is_king = man % 6 == 5;
        (!is_king || self.last_plane >= 10).then(|| 64 * plane.min(self.last_plane) + square)
    }

    /// The squares of the own king with the first row of each: in the mirrored block those on files e to h.
    fn kings(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let group = |king| if self.block == Block::HalfKaV2Hm { king_bucket(king) } else { Some(king) };
        (0..SQUARES).filter_map(move |king| Some((king, self.first + self.stride * group(king)?)))
    }

    /// For each column the largest worth of a legal placement over all squares of the own king, and then that of the weights' opposites.
    /// `fixed` is what men are worth besides, in the same order, `weight` the weight of a row and a column.
    pub(super) fn largest(&self, fixed: [&[Worth]; 2], weight: impl Fn(usize, usize) -> i32) -> Vec<[i32; 2]> {
        let (columns, rows) = (fixed[0].len(), 64 * (self.last_plane + 1));
        let mut bounds = vec![[i32::MIN; 2]; columns];
        // The weights of a king's square, column by column: in the net they lie as far apart as rows, often in the same cache line's place.
        let mut near = vec![0i32; columns * rows];
        for (king, first) in self.kings() {
            for row in 0..rows {
                for column in 0..columns {
                    near[column * rows + row] = weight(first + row, column);
                }
            }
            for (column, (near, bounds)) in near.chunks_exact(rows).zip(&mut bounds).enumerate() {
                for (sign, (fixed, bound)) in [1, -1].into_iter().zip(fixed.iter().zip(bounds)) {
                    let worth = self.worth(&fixed[column], king, |place| sign * near[place]);
                    *bound = best(&worth, king).max(*bound);
                }
            }
        }
        bounds
    }

    /// What each man is worth on each square while the own king is on `king`.
    fn worth(&self, fixed: &Worth, king: usize, weight: impl Fn(usize) -> i32) -> Worth {
        let mut worth = fixed.turned(king);
        for (man, of_man) in worth.0.iter_mut().enumerate() {
            if let Some(first) = self.place(man, 0) {
                of_man.iter_mut().enumerate().for_each(|(square, worth)| *worth += 2 * weight(first + square));
            }
        }
        // Pawns stand on no last rank, the own king on its own square only.
        for pawns in [0, 6] {
            worth.0[pawns][..8].fill(0);
            worth.0[pawns][56..].fill(0);
        }
        let own_king = worth.0[5][king];
        worth.0[5].fill(0);
        worth.0[5][king] = own_king;
        worth
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
