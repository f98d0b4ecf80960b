//! Positions for tests and examples: random games from the usual start, the same for a seed on every machine.
//!
//! Not for training and not for finding permutations that matter: random play looks like no real game.

use super::{
    attacks::{self, BISHOP_RAYS, QUEEN_RAYS, ROOK_RAYS, squares},
    position::{Boards, Color, Position},
};
use crate::random::Mixed;

/// `count` positions that are not in check, from random games of legal moves (no castling, no en passant, promotion to queens).
///
/// The first positions of a longer run are those of a shorter one with the same seed.
pub fn generate(seed: u64, count: usize) -> Vec<Position> {
    let mut random = Mixed::new(seed);
    let mut positions = Vec::with_capacity(count);
    while positions.len() < count {
        let mut boards = START;
        let length = 4 + random.below(240);
        for ply in 0..length {
            let Some(next) = random_move(&boards, &mut random) else { break };
            boards = next;
            // Neighbours in a game are alike: about one in four is taken.
            if ply < 3 || random.below(4) != 0 || boards.is_in_check(boards.side_to_move) {
                continue;
            }
            if let Ok(position) = Position::try_from(&boards)
                && positions.len() < count
            {
                positions.push(position);
            }
        }
    }
    positions
}

const START: Boards = Boards {
    by_type: [
        0x00ff_0000_0000_ff00,
        0x4200_0000_0000_0042,
        0x2400_0000_0000_0024,
        0x8100_0000_0000_0081,
        0x0800_0000_0000_0008,
        0x1000_0000_0000_0010,
    ],
    by_color: [0xffff, 0xffff_0000_0000_0000],
    side_to_move: Color::White,
};

/// A random legal move made; `None` when a few dozen tries found none (the game is over, or nearly).
fn random_move(boards: &Boards, random: &mut Mixed) -> Option<Boards> {
    let own = boards.by_color[boards.side_to_move as usize];
    for _ in 0..40 {
        let from = pick(own, random)?;
        let kind = boards.by_type.iter().position(|bits| bits >> from & 1 != 0)?;
        let destinations = destinations(boards, kind, from) & !own;
        // Random play captures little; taking every second chance to capture gives positions with few pieces too.
        let captures = destinations & boards.occupied();
        let wanted = if captures != 0 && random.below(2) == 0 { captures } else { destinations };
        let Some(to) = pick(wanted, random) else { continue };
        let next = moved(boards, kind, from, to);
        if !next.is_in_check(boards.side_to_move) {
            return Some(next);
        }
    }
    None
}

fn pick(bits: u64, random: &mut Mixed) -> Option<usize> {
    if bits == 0 { None } else { squares(bits).nth(random.below(u64::from(bits.count_ones())) as usize) }
}

fn destinations(boards: &Boards, kind: usize, from: usize) -> u64 {
    let occupied = boards.occupied();
    let slide = |rays: &[usize]| {
        rays.iter().fold(0, |all, &ray| {
            let reach = attacks::ray(ray, from);
            let behind = attacks::first_on_ray(ray, from, occupied).map_or(0, |first| attacks::ray(ray, first as usize));
            all | reach & !behind
        })
    };
    match kind {
        0 => {
            let color = boards.side_to_move as usize;
            let forward = |bits: u64| (if color == 0 { bits << 8 } else { bits >> 8 }) & !occupied;
            let one = forward(1 << from);
            let two = if from / 8 == [1, 6][color] { forward(one) } else { 0 };
            one | two | attacks::PAWN[color][from] & boards.by_color[1 - color]
        }
        1 => attacks::KNIGHT[from],
        2 => slide(&BISHOP_RAYS),
        3 => slide(&ROOK_RAYS),
        4 => slide(&QUEEN_RAYS),
        _ => attacks::KING[from],
    }
}

fn moved(boards: &Boards, kind: usize, from: usize, to: usize) -> Boards {
    let mut next = *boards;
    let (source, target) = (1u64 << from, 1u64 << to);
    next.by_type.iter_mut().chain(&mut next.by_color).for_each(|bits| *bits &= !(source | target));
    let promoted = kind == 0 && !(8..56).contains(&to);
    next.by_type[if promoted { 4 } else { kind }] |= target;
    next.by_color[boards.side_to_move as usize] |= target;
    next.side_to_move = boards.side_to_move.opponent();
    next
}

#[cfg(test)]
mod tests;
