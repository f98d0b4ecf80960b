//! Moves of the policy output, and where the policy heads' planes have them.

/// A move without promotion, or a promotion to queen (0), rook (1) or bishop (2). Knight promotions are plain moves.
#[derive(Debug, Clone, Copy)]
struct Move {
    from: i32,
    to: i32,
    piece: Option<i32>,
}

/// Steps of a queen, north first and clockwise: file, rank.
const DIRECTIONS: [(i32, i32); 8] = [(0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1)];
/// Jumps of a knight, in the order of the planes.
const KNIGHT: [(i32, i32); 8] = [(1, 2), (2, 1), (2, -1), (1, -2), (-1, -2), (-2, -1), (-2, 1), (-1, 2)];

/// The plane of a plain move: 7 for each direction, then the knight's; `None` where no queen or knight moves so.
fn plane(from: i32, to: i32) -> Option<i32> {
    let (file, rank) = (to % 8 - from % 8, to / 8 - from / 8);
    if let Some(jump) = KNIGHT.iter().position(|jump| *jump == (file, rank)) {
        return Some(56 + jump as i32);
    }
    let distance = file.abs().max(rank.abs());
    let straight = file == 0 || rank == 0 || file.abs() == rank.abs();
    let direction = DIRECTIONS.iter().position(|step| *step == (file.signum(), rank.signum()));
    direction.filter(|_| straight && distance > 0).map(|direction| 7 * direction as i32 + distance - 1)
}

/// All 1858 moves, in the order of the policy.
fn moves() -> Vec<Move> {
    let plain = (0..64).flat_map(|from| (0..64).map(move |to| (from, to))).filter(|(from, to)| plane(*from, *to).is_some());
    let mut moves: Vec<Move> = plain.map(|(from, to)| Move { from, to, piece: None }).collect();
    for from in 0..8 {
        for to in (from - 1..=from + 1).filter(|to| (0..8).contains(to)) {
            moves.extend((0..3).map(|piece| Move { from: 48 + from, to: 56 + to, piece: Some(piece) }));
        }
    }
    moves
}

/// For each move its place in the output of attention: 64 × 64, then promotions by files and piece.
pub fn attention_map() -> Vec<i32> {
    let place = |m: Move| match m.piece {
        None => 64 * m.from + m.to,
        Some(piece) => 4096 + 24 * (m.from % 8) + 3 * (m.to % 8) + piece,
    };
    moves().into_iter().map(place).collect()
}

/// For each move its place in the output of convolution: planes of 64 squares.
pub fn convolution_map() -> Vec<i32> {
    let place = |m: Move| {
        let plane = match m.piece {
            None => plane(m.from, m.to).unwrap_or(0),
            // Planes have rook, bishop, queen.
            Some(piece) => 64 + 3 * (m.to % 8 - m.from % 8 + 1) + (piece + 2) % 3,
        };
        64 * plane + m.from
    };
    moves().into_iter().map(place).collect()
}

/// The fixed position encoding: a row a square, −1 at itself, 1 where a queen or knight could go.
pub fn position_encoding() -> Vec<f32> {
    let value = |from, to| if from == to { -1.0 } else { f32::from(u8::from(plane(from, to).is_some())) };
    (0..64).flat_map(|from| (0..64).map(move |to| (from, to))).map(|(from, to)| value(from, to)).collect()
}

#[cfg(test)]
mod tests;
