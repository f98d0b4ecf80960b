//! Where pieces attack: step tables, and rays that find the first piece in each of the eight directions.
//!
//! Nothing here needs the full set of squares a slider attacks on an occupied board: a check and a threat both ask only
//! which *piece* a ray meets first. One AND and one bit scan a direction answer that, without magic numbers.
//! Knows nothing of positions and colours beyond the direction in which a pawn captures.

/// Ray directions: the first four grow the square number, the last four shrink it.
const DIRECTIONS: [(i32, i32); 8] = [(0, 1), (1, 0), (1, 1), (-1, 1), (0, -1), (-1, 0), (-1, -1), (1, -1)];
const KNIGHT_STEPS: [(i32, i32); 8] = [(1, 2), (2, 1), (2, -1), (1, -2), (-1, -2), (-2, -1), (-2, 1), (-1, 2)];

/// Directions of a rook, as indices of [`first_on_ray`].
pub(super) const ROOK_RAYS: [usize; 4] = [0, 1, 4, 5];
/// Directions of a bishop.
pub(super) const BISHOP_RAYS: [usize; 4] = [2, 3, 6, 7];
/// Directions of a queen.
pub(super) const QUEEN_RAYS: [usize; 8] = [0, 1, 2, 3, 4, 5, 6, 7];

static RAYS: [[u64; 64]; 8] = rays();
/// Squares a rook attacks on the empty board.
pub(super) static ROOK_LINES: [u64; 64] = lines(ROOK_RAYS);
/// Squares a bishop attacks on the empty board.
pub(super) static BISHOP_LINES: [u64; 64] = lines(BISHOP_RAYS);
/// Squares a knight attacks.
pub(super) static KNIGHT: [u64; 64] = steps(KNIGHT_STEPS);
/// Squares a king attacks.
pub(super) static KING: [u64; 64] = steps(DIRECTIONS);
/// Squares a pawn captures on, for white and for black.
pub(super) static PAWN: [[u64; 64]; 2] = [pawns(1), pawns(-1)];

/// The square of the first piece of `occupied` that a slider on `square` meets in direction `ray` (0..8), as a bitboard of
/// one square or none.
#[inline(always)]
pub(super) fn first_on_ray(ray: usize, square: usize, occupied: u64) -> Option<u32> {
    let blockers = RAYS[ray & 7][square & 63] & occupied;
    if blockers == 0 {
        None
    } else if ray < 4 {
        Some(blockers.trailing_zeros())
    } else {
        Some(63 - blockers.leading_zeros())
    }
}

/// All squares of one ray on the empty board.
pub(super) fn ray(ray: usize, square: usize) -> u64 {
    RAYS[ray & 7][square & 63]
}

/// The set squares of a bitboard, lowest first.
#[inline(always)]
pub(super) fn squares(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        (bits != 0).then(|| {
            let square = bits.trailing_zeros() as usize;
            bits &= bits - 1;
            square
        })
    })
}

const fn bit(file: i32, rank: i32) -> u64 {
    if file < 0 || file > 7 || rank < 0 || rank > 7 { 0 } else { 1 << (8 * rank + file) }
}

const fn steps(by: [(i32, i32); 8]) -> [u64; 64] {
    let mut table = [0; 64];
    let mut square = 0;
    while square < 64 {
        let (file, rank) = (square as i32 % 8, square as i32 / 8);
        let mut i = 0;
        while i < 8 {
            table[square] |= bit(file + by[i].0, rank + by[i].1);
            i += 1;
        }
        square += 1;
    }
    table
}

const fn pawns(forward: i32) -> [u64; 64] {
    let mut table = [0; 64];
    let mut square = 0;
    while square < 64 {
        let (file, rank) = (square as i32 % 8, square as i32 / 8);
        table[square] = bit(file - 1, rank + forward) | bit(file + 1, rank + forward);
        square += 1;
    }
    table
}

const fn rays() -> [[u64; 64]; 8] {
    let mut table = [[0; 64]; 8];
    let mut direction = 0;
    while direction < 8 {
        let (df, dr) = DIRECTIONS[direction];
        let mut square = 0;
        while square < 64 {
            let (mut file, mut rank) = (square as i32 % 8 + df, square as i32 / 8 + dr);
            while bit(file, rank) != 0 {
                table[direction][square] |= bit(file, rank);
                file += df;
                rank += dr;
            }
            square += 1;
        }
        direction += 1;
    }
    table
}

const fn lines(of: [usize; 4]) -> [u64; 64] {
    let rays = rays();
    let mut table = [0; 64];
    let mut square = 0;
    while square < 64 {
        table[square] = rays[of[0]][square] | rays[of[1]][square] | rays[of[2]][square] | rays[of[3]][square];
        square += 1;
    }
    table
}

#[cfg(test)]
mod tests;
