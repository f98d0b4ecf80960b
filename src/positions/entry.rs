//! One entry of training data, whatever file it came from.

use super::position::Position;

/// A position with what its file tells about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The position.
    pub position: Position,
    /// Score, move and result; lines of FEN have none.
    pub facts: Option<Facts>,
}

/// What training data says about a position. Score and result are those of the side to move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Search score in the engine's internal units; 32002 marks a position that should not be trained on.
    pub score: i16,
    /// Half moves since the start of the game.
    pub ply: u16,
    /// Outcome of the game: 1 won, 0 drawn, -1 lost.
    pub result: i8,
    /// Whether the move takes the piece on its target square (so en passant is none, as in the trainer).
    pub is_capture: bool,
}
