//! Which features of a block are active in a position: row indices inside the block, as the networks' files number them.
//!
//! Squares are oriented to the perspective and, for most blocks, to its king, so an index is valid as long as [`orientation`] stays.
//! Order of the indices is unspecified; each appears once. Knows nothing of weights, and of the extra planes and virtual
//! features that exist only in training.
//!
//! Formulas: `idx` below, with `o(s)` the oriented square, `own` the pieces of the perspective's side, `pi = 2·kind + (not own)`.
//!
//! | block | index | orientation |
//! | --- | --- | --- |
//! | HalfKP | `1 + o(s) + 64·pi + 641·o(k)`, no kings | rotated for black |
//! | HalfKA | `1 + o(s) + 64·pi + 769·o(k)` | flipped for black |
//! | HalfKAv2 | `o(s) + 64·min(pi, 10) + 704·o(k)` | flipped for black |
//! | HalfKAv2_hm | `o(s) + 64·min(pi, 10) + 704·bucket(o(k))` | flipped for black, then mirrored so that the king is on files e to h |
//! | Full_Threats | see [`super::threats`] | flipped for black, then mirrored so that the king is on files **a to d** |
//! | PP_3Wide | pair of pawns `hi·(hi−1)/2 + lo` | as Full_Threats |

use super::{
    attacks::squares,
    position::{Boards, Color, PieceType, Position},
    threats::{self, Threats},
};
use crate::net::Block;

/// Appends the active features of `block` as `perspective` sees `position`: indices in `0..block.rows()`.
pub fn active_features(block: Block, position: &Position, perspective: Color, out: &mut Vec<u32>) {
    let boards = position.boards();
    match block {
        Block::FullThreats(table) => {
            let threats = Threats::of(table);
            let view = View::of(&boards, block, perspective);
            threats::for_each_attack(&boards, threats, |attack| threats.push(attack, perspective, view.flip, out));
        }
        _ => append(block, &boards, perspective, out),
    }
}

/// As [`active_features`] for both perspectives (`out[0]` white's, `out[1]` black's), which finds the attacks only once.
pub fn active_features_both(block: Block, position: &Position, out: &mut [Vec<u32>; 2]) {
    let boards = position.boards();
    let [white, black] = out;
    match block {
        Block::FullThreats(table) => {
            let threats = Threats::of(table);
            let flips = Color::BOTH.map(|color| View::of(&boards, block, color).flip);
            threats::for_each_attack(&boards, threats, |attack| {
                threats.push(attack, Color::White, flips[0], white);
                threats.push(attack, Color::Black, flips[1], black);
            });
        }
        _ => {
            append(block, &boards, Color::White, white);
            append(block, &boards, Color::Black, black);
        }
    }
}

/// What the indices of a block hang on besides the pieces: while it stays the same from one position to the next, an accumulator
/// can be updated by the difference of the two index lists; when it changes, nearly all indices change with it.
///
/// A number in `0..`[`orientations`]`(block)`, usable as the index of a cache of accumulators.
pub fn orientation(block: Block, position: &Position, perspective: Color) -> usize {
    let king = position.king_square(perspective);
    match block {
        Block::HalfKp => king ^ if perspective == Color::White { 0 } else { 63 },
        Block::HalfKa | Block::HalfKaV2 | Block::HalfKaV2Hm => king ^ if perspective == Color::White { 0 } else { 56 },
        Block::FullThreats(_) | Block::Pp3Wide => king >> 2 & 1,
    }
}

/// How many values [`orientation`] has for a block.
pub const fn orientations(block: Block) -> usize {
    match block {
        Block::HalfKp | Block::HalfKa | Block::HalfKaV2 | Block::HalfKaV2Hm => 64,
        Block::FullThreats(_) | Block::Pp3Wide => 2,
    }
}

/// How one perspective sees the board in one block.
#[derive(Clone, Copy)]
struct View {
    /// XORed to every square.
    flip: usize,
    /// The oriented square of the own king.
    king: usize,
}

impl View {
    #[inline]
    fn of(boards: &Boards, block: Block, perspective: Color) -> Self {
        let king = boards.pieces(perspective, PieceType::King).trailing_zeros() as usize & 63;
        let black = perspective == Color::Black;
        let files_e_to_h = king & 4 != 0;
        let flip = match block {
            Block::HalfKp => 63 * usize::from(black),
            Block::HalfKa | Block::HalfKaV2 => 56 * usize::from(black),
            Block::HalfKaV2Hm => (56 * usize::from(black)) ^ (7 * usize::from(!files_e_to_h)),
            Block::FullThreats(_) | Block::Pp3Wide => (56 * usize::from(black)) ^ (7 * usize::from(files_e_to_h)),
        };
        Self { flip, king: king ^ flip }
    }
}

/// All blocks but the threats.
fn append(block: Block, boards: &Boards, perspective: Color, out: &mut Vec<u32>) {
    let view = View::of(boards, block, perspective);
    match block {
        Block::HalfKp => pieces(boards, perspective, view, 5, 9, 1 + 641 * view.king, out),
        Block::HalfKa => pieces(boards, perspective, view, 6, 11, 1 + 769 * view.king, out),
        Block::HalfKaV2 => pieces(boards, perspective, view, 6, 10, 704 * view.king, out),
        Block::HalfKaV2Hm => pieces(boards, perspective, view, 6, 10, 704 * king_bucket(view.king), out),
        Block::Pp3Wide => pawn_pairs(boards, perspective, view, out),
        Block::FullThreats(_) => {}
    }
}

/// The bucket, 0 to 31, of an oriented king square on files e to h: e1 is 31, h1 28, h8 0.
fn king_bucket(king: usize) -> usize {
    let (file, rank) = (king & 7, king >> 3);
    31usize.saturating_sub((4 * rank + file).saturating_sub(4))
}

#[inline]
fn pieces(boards: &Boards, perspective: Color, view: View, kinds: usize, last_plane: usize, base: usize, out: &mut Vec<u32>) {
    for kind in 0..kinds {
        for (color, of_color) in boards.by_color.iter().enumerate() {
            let plane = (2 * kind + usize::from(color != perspective as usize)).min(last_plane);
            let base = (base + 64 * plane) as u32;
            out.extend(squares(boards.by_type[kind] & of_color).map(|square| base + (square ^ view.flip) as u32));
        }
    }
}

fn pawn_pairs(boards: &Boards, perspective: Color, view: View, out: &mut Vec<u32>) {
    const FILE_A: u64 = 0x0101_0101_0101_0101;
    let pawns = boards.by_type[PieceType::Pawn as usize];
    let own = boards.by_color[perspective as usize];
    // 0 to 47 for own pawns, 48 to 95 for the others: pawns stand on a2 = 8 to h7 = 55 only.
    let number = |square: usize| (48 * (1 - (own >> square & 1)) as usize + (square ^ view.flip) - 8) as u32;
    for square in squares(pawns) {
        let file = square & 7;
        let near = FILE_A << file | FILE_A << (file + 1).min(7) | FILE_A << file.saturating_sub(1);
        let first = number(square);
        // Partners on higher squares only: each unordered pair once.
        for partner in squares(pawns & near & (!1 << square)) {
            let second = number(partner);
            let (low, high) = (first.min(second), first.max(second));
            out.push(high * (high - 1) / 2 + low);
        }
    }
}

/// The rows of a block of features: what is active in a position.
pub trait Features: Sync {
    /// How many there are.
    fn rows(&self) -> usize;

    /// Appends the active ones as `perspective` sees `position`: numbers below [`Self::rows`], each once.
    fn active(&self, position: &Position, perspective: Color, out: &mut Vec<u32>);
}

impl Features for Block {
    fn rows(&self) -> usize {
        Block::rows(*self)
    }

    fn active(&self, position: &Position, perspective: Color, out: &mut Vec<u32>) {
        active_features(*self, position, perspective, out);
    }
}

#[cfg(test)]
mod tests;
