//! Where a weight stands in the picture of a neuron: the trainer's arrangement (`visualize.py`), for all sets of piece squares.
//!
//! A neuron's tile is 128 cells wide: white pieces on the left, black ones on the right, 64 cells each. Pawns, which have six ranks, take
//! 48 rows, every other piece 64. In the *piece-centric* order each square of the piece is an 8 × 8 board of king squares; in the
//! *king-centric* one each square of the king is a board of piece squares, and the kings are turned by 180°.
//!
//! Sets that mirror the board, so that the own king is on files e to h, have each weight twice: as it is, and with both squares mirrored.
//! The trainer's script draws the same, but names king squares turned by 180° in such sets; here they are named as engines number them.

use crate::draw::Labels;
use crate::net::{Block, king_bucket};
use crate::words::NeuronOrder;

/// Cells of a row of a neuron's tile.
pub const WIDTH: usize = 128;

const KINDS: [&str; 6] = ["pawn", "knight", "bishop", "rook", "queen", "king"];

/// A set of piece squares: which rows it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PieceSquares {
    block: Block,
    /// Rows of one king square or bucket.
    stride: usize,
    /// Row of the first piece square.
    first: usize,
    /// Planes of 64 squares that are stored; the last may hold both kings.
    planes: usize,
    /// Kinds of pieces: 5 where kings are no pieces.
    kinds: usize,
}

impl PieceSquares {
    /// The rows of a block; `None` for blocks of something else.
    pub fn of(block: Block) -> Option<Self> {
        let (stride, first, planes, kinds) = match block {
            Block::HalfKp => (641, 1, 10, 5),
            Block::HalfKa => (769, 1, 12, 6),
            Block::HalfKaV2 | Block::HalfKaV2Hm => (704, 0, 11, 6),
            Block::FullThreats(_) | Block::Pp3Wide => return None,
        };
        Some(Self { block, stride, first, planes, kinds })
    }

    /// Rows of cells of a neuron's tile.
    pub fn height(self) -> usize {
        48 + 64 * (self.kinds - 1)
    }

    /// The row of a piece (2·kind, +1 for the other side's) on `square` while the own king is on `king`; `None` where the set has none.
    pub fn row(self, piece: usize, square: usize, king: usize) -> Option<usize> {
        if piece >= 2 * self.kinds || square >= 64 || king >= 64 || (piece < 2 && !(8..56).contains(&square)) {
            return None;
        }
        let (square, king) = if self.mirrors() && king % 8 < 4 { (square ^ 7, king ^ 7) } else { (square, king) };
        let group = if self.mirrors() { king_bucket(king)? } else { king };
        let plane = if self.planes == 11 {
            // One plane for both kings: the own one stands where it is, the other elsewhere.
            match piece {
                10 if square != king => return None,
                11 if square == king => return None,
                10 | 11 => 10,
                piece => piece,
            }
        } else {
            piece
        };
        Some(self.first + group * self.stride + 64 * plane + square)
    }

    /// Whether the board is mirrored so that the own king is on files e to h.
    pub fn mirrors(self) -> bool {
        self.block == Block::HalfKaV2Hm
    }

    /// The row that each cell of a tile shows, row by row; `None` for cells that show nothing.
    pub fn cells(self, order: NeuronOrder) -> Vec<Option<usize>> {
        let mut cells = vec![None; WIDTH * self.height()];
        for piece in 0..2 * self.kinds {
            for (square, king) in (0..64).flat_map(|square| (0..64).map(move |king| (square, king))) {
                if let Some(row) = self.row(piece, square, king) {
                    let [x, y] = place(order, piece, square, king);
                    cells[y * WIDTH + x] = Some(row);
                }
            }
        }
        cells
    }

    /// What the cells of a tile are, `shrink` × `shrink` of which are one.
    pub fn labels(self, order: NeuronOrder, shrink: usize) -> Labels {
        let part = |text: &str, is_shown: bool| if is_shown { text.to_owned() } else { String::new() };
        let columns = (0..WIDTH / shrink).map(|column| {
            let x = column * shrink;
            let color = if x < 64 { "white" } else { "black" };
            let (piece, king) = match order {
                NeuronOrder::PieceCentricFlippedKing => (x % 64 / 8, x % 8),
                NeuronOrder::KingCentric => (x % 8, 7 - x % 64 / 8),
            };
            vec![color.to_owned(), file(piece), file(king)]
        });
        let rows = (0..self.height() / shrink).map(|row| {
            let y = row * shrink;
            let kind = if y < 48 { 0 } else { 1 + (y - 48) / 64 };
            let within = if y < 48 { y } else { (y - 48) % 64 };
            let (piece, king) = match (order, kind) {
                (NeuronOrder::PieceCentricFlippedKing, 0) => (6 - within / 8, 7 - within % 8),
                (NeuronOrder::PieceCentricFlippedKing, _) => (7 - within / 8, 7 - within % 8),
                (NeuronOrder::KingCentric, 0) => (6 - within % 6, within / 6),
                (NeuronOrder::KingCentric, _) => (7 - within % 8, within / 8),
            };
            vec![KINDS[kind].to_owned(), (piece + 1).to_string(), (king + 1).to_string()]
        });
        let is_whole = shrink == 1;
        let template = match order {
            _ if is_whole => "{c0} {r0} on {c1}{r1}, white king on {c2}{r2}",
            NeuronOrder::PieceCentricFlippedKing if shrink == 8 => "{c0} {r0} on {c1}{r1}, mean over king squares",
            NeuronOrder::KingCentric if shrink == 8 => "{c0} {r0}, white king near {c2}{r2}, mean over its squares",
            _ => "{c0} {r0} near {c1}{r1}, white king near {c2}{r2}, mean",
        };
        Labels { template: part(template, true), rows: rows.collect(), columns: columns.collect() }
    }
}

fn file(file: usize) -> String {
    char::from(b'a' + (file % 8) as u8).to_string()
}

/// The cell of a piece (2·kind, +1 for black) on `square` while the white king is on `king`: column and row in a neuron's tile.
pub fn place(order: NeuronOrder, piece: usize, square: usize, king: usize) -> [usize; 2] {
    let ([file, rank], [king_file, king_rank]) = ([square % 8, square / 8], [king % 8, king / 8]);
    let is_pawn = piece < 2;
    let above = if is_pawn { 0 } else { 48 + 64 * (piece / 2 - 1) };
    let [x, y] = match order {
        // Pawns have no eighth rank: their boards begin a board higher.
        NeuronOrder::PieceCentricFlippedKing => [8 * file + king_file, 8 * (7 - rank - usize::from(is_pawn)) + 7 - king_rank],
        NeuronOrder::KingCentric if is_pawn => [8 * (7 - king_file) + file, 6 * king_rank + 6 - rank],
        NeuronOrder::KingCentric => [8 * (7 - king_file) + file, 8 * king_rank + 7 - rank],
    };
    [64 * (piece % 2) + x, above + y]
}

#[cfg(test)]
mod tests;
