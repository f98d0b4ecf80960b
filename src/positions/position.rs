//! A validated chess position, as small as memory for millions of them asks, and its FEN.
//!
//! Holds what networks see: pieces and the side to move. Castling rights, en passant squares and clocks are read past, not kept.
//! Knows nothing of feature sets and files.

use std::fmt;

use super::attacks::{self, BISHOP_RAYS, ROOK_RAYS};
use crate::error::{Error, Result};

/// A side; also a perspective of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Color {
    /// White: 0 in every array indexed by colour.
    White,
    /// Black: 1.
    Black,
}

impl Color {
    /// White, black.
    pub const BOTH: [Self; 2] = [Self::White, Self::Black];

    /// The other side.
    #[must_use]
    pub const fn opponent(self) -> Self {
        match self {
            Self::White => Self::Black,
            Self::Black => Self::White,
        }
    }
}

/// A kind of piece; the discriminant is its number in feature indices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PieceType {
    /// 0.
    Pawn,
    /// 1.
    Knight,
    /// 2.
    Bishop,
    /// 3.
    Rook,
    /// 4.
    Queen,
    /// 5.
    King,
}

impl PieceType {
    /// Pawn to king.
    pub const ALL: [Self; 6] = [Self::Pawn, Self::Knight, Self::Bishop, Self::Rook, Self::Queen, Self::King];
}

const LAST_RANKS: u64 = 0xff00_0000_0000_00ff;

/// Pieces and side to move. 40 bytes.
///
/// Always holds exactly one king a side, at most 32 pieces, and no pawn on the first or last rank. Either side may be in check.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Position {
    /// The kind of piece on each square, one bit a plane: 0 is empty, otherwise `PieceType` + 1.
    planes: [u64; 3],
    black: u64,
    side_to_move: Color,
}

/// The same position by kind and by colour: what work on a position starts from. Squares are a1 = 0 to h8 = 63.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Boards {
    /// Squares of each [`PieceType`], both colours.
    pub by_type: [u64; 6],
    /// Squares of each [`Color`].
    pub by_color: [u64; 2],
    /// Who moves.
    pub side_to_move: Color,
}

/// Why [`Boards`] are not a position that a network may be asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Two kinds or two colours claim a square, or one claims it alone.
    Inconsistent,
    /// A side has none or several kings.
    Kings(Color, u32),
    /// More than 32 pieces.
    TooManyPieces(u32),
    /// A pawn on rank 1 or 8, on this square.
    PawnOnLastRank(u32),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Inconsistent => f.write_str("two pieces on one square"),
            Self::Kings(color, count) => {
                let side = if color == Color::White { "white" } else { "black" };
                write!(f, "{count} {side} kings instead of one")
            }
            Self::TooManyPieces(count) => write!(f, "{count} pieces, more than 32"),
            Self::PawnOnLastRank(square) => write!(f, "a pawn on {}", square_name(square)),
        }
    }
}

impl Boards {
    /// No pieces, white to move.
    pub const EMPTY: Self = Self { by_type: [0; 6], by_color: [0; 2], side_to_move: Color::White };

    /// All pieces.
    #[inline(always)]
    pub fn occupied(&self) -> u64 {
        self.by_color[0] | self.by_color[1]
    }

    /// The squares of one kind and colour.
    #[inline(always)]
    pub fn pieces(&self, color: Color, kind: PieceType) -> u64 {
        self.by_color[color as usize] & self.by_type[kind as usize]
    }

    /// Whether a piece of `by` attacks `square` (0..64).
    #[inline]
    pub fn is_attacked(&self, square: usize, by: Color) -> bool {
        let square = square & 63;
        let [pawns, knights, bishops, rooks, queens, kings] = self.by_type;
        let theirs = self.by_color[by as usize];
        let steps =
            attacks::PAWN[by.opponent() as usize][square] & pawns | attacks::KNIGHT[square] & knights | attacks::KING[square] & kings;
        if steps & theirs != 0 {
            return true;
        }
        // Most sliders stand on no line with the square; then no ray needs to be followed.
        let straight = (rooks | queens) & theirs & attacks::ROOK_LINES[square];
        let diagonal = (bishops | queens) & theirs & attacks::BISHOP_LINES[square];
        if straight | diagonal == 0 {
            return false;
        }
        let occupied = self.occupied();
        let meets = |rays: [usize; 4], sliders: u64| {
            sliders != 0 && rays.iter().any(|&ray| attacks::first_on_ray(ray, square, occupied).is_some_and(|at| sliders >> at & 1 != 0))
        };
        meets(ROOK_RAYS, straight) || meets(BISHOP_RAYS, diagonal)
    }

    /// Whether the king of `color` is attacked; false where it has none.
    #[inline]
    pub fn is_in_check(&self, color: Color) -> bool {
        let king = self.pieces(color, PieceType::King);
        king != 0 && self.is_attacked(king.trailing_zeros() as usize, color.opponent())
    }
}

impl TryFrom<&Boards> for Position {
    type Error = Fault;

    #[inline]
    fn try_from(boards: &Boards) -> Result<Self, Fault> {
        let [p, n, b, r, q, k] = boards.by_type;
        let (mut occupied, mut twice) = (0, 0);
        for of_kind in boards.by_type {
            twice |= occupied & of_kind;
            occupied |= of_kind;
        }
        let [white, black] = boards.by_color;
        if twice | white & black != 0 || white | black != occupied {
            return Err(Fault::Inconsistent);
        }
        for color in Color::BOTH {
            let kings = k & boards.by_color[color as usize];
            if !kings.is_power_of_two() {
                return Err(Fault::Kings(color, kings.count_ones()));
            }
        }
        if occupied.count_ones() > 32 {
            return Err(Fault::TooManyPieces(occupied.count_ones()));
        }
        if p & LAST_RANKS != 0 {
            return Err(Fault::PawnOnLastRank((p & LAST_RANKS).trailing_zeros()));
        }
        Ok(Self { planes: [p | b | q, n | b | k, r | q | k], black, side_to_move: boards.side_to_move })
    }
}

impl Position {
    /// Pieces by kind and colour.
    #[inline]
    pub fn boards(&self) -> Boards {
        let [low, middle, high] = self.planes;
        let occupied = low | middle | high;
        Boards {
            by_type: [low & !middle & !high, middle & !low & !high, low & middle, high & !low & !middle, low & high, middle & high],
            by_color: [occupied & !self.black, self.black],
            side_to_move: self.side_to_move,
        }
    }

    /// Who moves.
    pub fn side_to_move(&self) -> Color {
        self.side_to_move
    }

    /// Number of pieces, 2 to 32, kings included.
    pub fn piece_count(&self) -> u32 {
        (self.planes[0] | self.planes[1] | self.planes[2]).count_ones()
    }

    /// The square of a side's king, 0 to 63.
    pub fn king_square(&self, color: Color) -> usize {
        let kings = self.planes[1] & self.planes[2];
        let own = if color == Color::White { kings & !self.black } else { kings & self.black };
        own.trailing_zeros() as usize
    }

    /// Whether the side to move is in check.
    pub fn is_in_check(&self) -> bool {
        self.boards().is_in_check(self.side_to_move)
    }

    /// Reads a FEN or an EPD: board, side to move, castling rights, en passant square; whatever follows them (move counters, EPD
    /// operations) is ignored.
    ///
    /// # Errors
    /// Says which field is wrong and at which character (counted from 1 over the whole text).
    pub fn from_fen(fen: &str) -> Result<Self> {
        read_fen(fen).map_err(|reason| {
            let mut shown: String = fen.chars().take(100).collect();
            if shown.len() < fen.len() {
                shown.push('…');
            }
            Error::new(format!("`{shown}` is not a FEN")).because(reason)
        })
    }

    /// The FEN of the board and the side to move; the fields that are not kept read `- - 0 1`.
    pub fn to_fen(&self) -> String {
        let boards = self.boards();
        let mut fen = String::with_capacity(80);
        for rank in (0..8).rev() {
            let mut empty = 0;
            for file in 0..8 {
                let bit = 1u64 << (8 * rank + file);
                let Some(kind) = boards.by_type.iter().position(|bits| bits & bit != 0) else {
                    empty += 1;
                    continue;
                };
                if empty > 0 {
                    fen.push(char::from(b'0' + empty));
                    empty = 0;
                }
                fen.push(char::from(if boards.by_color[1] & bit != 0 { b"pnbrqk"[kind] } else { b"PNBRQK"[kind] }));
            }
            if empty > 0 {
                fen.push(char::from(b'0' + empty));
            }
            if rank > 0 {
                fen.push('/');
            }
        }
        fen.push_str(if self.side_to_move == Color::White { " w - - 0 1" } else { " b - - 0 1" });
        fen
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Position({})", self.to_fen())
    }
}

/// `e4` for 28.
pub(super) fn square_name(square: u32) -> String {
    format!("{}{}", char::from(b'a' + (square & 7) as u8), (square >> 3 & 7) + 1)
}

/// The work of [`Position::from_fen`], with the reason alone as the error. Also tells text files of positions from others.
pub(super) fn read_fen(fen: &str) -> Result<Position, String> {
    // Fields with the number of characters before each, so that errors can point at one.
    let mut fields = Vec::with_capacity(4);
    let mut seen = 0;
    let mut rest = fen;
    while fields.len() < 4 {
        let trimmed = rest.trim_start();
        seen += rest.chars().count() - trimmed.chars().count();
        if trimmed.is_empty() {
            break;
        }
        let end = trimmed.find(char::is_whitespace).unwrap_or(trimmed.len());
        let (field, tail) = trimmed.split_at(end);
        fields.push((field, seen));
        seen += field.chars().count();
        rest = tail;
    }
    let field = |index: usize, name: &str| fields.get(index).copied().ok_or_else(|| format!("the {name} field is missing"));

    let (text, start) = field(0, "board")?;
    let mut boards = read_board(text, start)?;
    let (text, start) = field(1, "side to move")?;
    boards.side_to_move = match text {
        "w" => Color::White,
        "b" => Color::Black,
        _ => return Err(format!("side to move, character {}: found `{}`, expected `w` or `b`", start + 1, shorten(text))),
    };
    let (text, start) = field(2, "castling")?;
    // Letters of files stand for rooks in Chess960 files; the rights are not kept, so both ways of writing them pass.
    let wrong = |c: &char| !matches!(c, 'K' | 'Q' | 'k' | 'q' | 'A'..='H' | 'a'..='h');
    if let Some((at, c)) = text.chars().enumerate().find(|(_, c)| text != "-" && wrong(c)) {
        return Err(format!("castling, character {}: found `{c}`, expected `-` or letters of `KQkq`", start + at + 1));
    }
    let (text, start) = field(3, "en passant")?;
    if !(text == "-" || matches!(text.as_bytes(), [b'a'..=b'h', b'3' | b'6'])) {
        return Err(format!("en passant, character {}: found `{}`, expected `-` or a square of rank 3 or 6", start + 1, shorten(text)));
    }
    Position::try_from(&boards).map_err(|fault| format!("board: {fault}"))
}

fn read_board(text: &str, start: usize) -> Result<Boards, String> {
    let mut boards = Boards::EMPTY;
    let (mut rank, mut file) = (7u32, 0u32);
    let mut after_digit = false;
    for (at, c) in text.chars().enumerate() {
        let wrong = |what: &str| Err(format!("board, character {}: `{c}` {what}", start + at + 1));
        match c {
            '/' if file != 8 => return wrong(&format!("ends rank {} after {file} of 8 squares", rank + 1)),
            '/' if rank == 0 => return wrong("starts a ninth rank"),
            '/' => {
                rank -= 1;
                file = 0;
                after_digit = false;
            }
            '1'..='8' if after_digit => return wrong("follows another digit"),
            '1'..='8' => {
                file += u32::from(c) - u32::from('0');
                if file > 8 {
                    return wrong(&format!("makes rank {} longer than 8 squares", rank + 1));
                }
                after_digit = true;
            }
            _ => {
                let Some(kind) = "pnbrqk".find(c.to_ascii_lowercase()) else { return wrong("is not a piece, digit or `/`") };
                if file > 7 {
                    return wrong(&format!("makes rank {} longer than 8 squares", rank + 1));
                }
                let bit = 1u64 << (8 * rank + file);
                boards.by_type[kind] |= bit;
                boards.by_color[usize::from(c.is_ascii_lowercase())] |= bit;
                file += 1;
                after_digit = false;
            }
        }
    }
    if (rank, file) != (0, 8) {
        return Err(format!("board, character {}: ends on rank {} after {file} of 8 squares", start + text.chars().count() + 1, rank + 1));
    }
    Ok(boards)
}

fn shorten(text: &str) -> String {
    text.chars().take(20).collect()
}

#[cfg(test)]
mod tests;
