//! The threat blocks: one feature for each piece that attacks (or guards) another, in five generations.
//!
//! `idx = base(ca, a) + (cd·n(a)/2 + map(a, d))·total(a) + per(ca, a, from) + rank of to among the attacks of a on from`, where the
//! attacker is `a` of colour `ca`, the victim `d` of colour `cd`, colours relative to the perspective (own = 0), squares oriented,
//! attacks those of the empty board, `total` their number over all squares and `per` their number on the squares before `from`;
//! `base` accumulates `n·total` over own pawn … own king, enemy pawn … enemy king.
//! Attacks between pieces of one kind go both ways, so only the one towards the lower square counts; pawns of one side are exempt.
//!
//! The generations differ in `n`, `map` and in what a pawn reaches, which is the data below. The large tables follow from it and
//! are computed on first use.

use std::sync::LazyLock;

use super::{
    attacks::{self, BISHOP_RAYS, QUEEN_RAYS, ROOK_RAYS, squares},
    position::{Boards, Color},
};
use crate::net::ThreatTable;

/// An attack on an occupied square, colours absolute.
#[derive(Clone, Copy)]
pub(super) struct Attack {
    /// `PieceType` + 6 for black: 0 to 11.
    attacker: usize,
    from: usize,
    /// As `attacker`.
    victim: usize,
    to: usize,
}

/// What tells one generation from another.
struct Rules {
    /// Number of victim planes (own and enemy together) of each attacker.
    planes: [u32; 6],
    /// The plane of each victim within a colour, for each attacker; `None`: not a feature.
    victims: [[Option<u32>; 6]; 6],
    /// Whether a pawn also reaches the square in front of it, if a pawn stands there.
    pushes: bool,
}

/// The tables of one generation.
pub(super) struct Threats {
    /// `base + plane · total` for attacker and victim (0 to 5 own, 6 to 11 enemy); [`NO_FEATURE`]; or with [`ORDERED`] set.
    pairs: [[u32; 12]; 12],
    /// `per + rank` for [own pawn, enemy pawn, knight … king], from, to.
    within: Box<[[[u16; 64]; 64]; 7]>,
    kings_attack: bool,
    pushes: bool,
}

const NO_FEATURE: u32 = u32::MAX;
/// Marks pairs of which only the attack towards the lower square counts.
const ORDERED: u32 = 1 << 31;

impl Threats {
    /// The tables of a generation, computed when first asked for.
    pub(super) fn of(table: ThreatTable) -> &'static Self {
        static TABLES: [LazyLock<Threats>; 5] = [
            LazyLock::new(|| Threats::new(&rules(ThreatTable::T79856))),
            LazyLock::new(|| Threats::new(&rules(ThreatTable::T66864))),
            LazyLock::new(|| Threats::new(&rules(ThreatTable::T60144))),
            LazyLock::new(|| Threats::new(&rules(ThreatTable::T60720))),
            LazyLock::new(|| Threats::new(&rules(ThreatTable::T59808))),
        ];
        let index = match table {
            ThreatTable::T79856 => 0,
            ThreatTable::T66864 => 1,
            ThreatTable::T60144 => 2,
            ThreatTable::T60720 => 3,
            ThreatTable::T59808 => 4,
        };
        &TABLES[index]
    }

    /// Appends the index of `attack` as `perspective` numbers it, where it has one. `flip` is XORed to squares.
    #[inline(always)]
    pub(super) fn push(&self, attack: Attack, perspective: Color, flip: usize, out: &mut Vec<u32>) {
        let relative = |piece: usize| {
            if perspective == Color::White {
                piece
            } else if piece < 6 {
                piece + 6
            } else {
                piece - 6
            }
        };
        let attacker = relative(attack.attacker);
        let pair = self.pairs[attacker][relative(attack.victim)];
        let (from, to) = ((attack.from ^ flip) & 63, (attack.to ^ flip) & 63);
        if pair == NO_FEATURE || (pair & ORDERED != 0 && from < to) {
            return;
        }
        out.push((pair & !ORDERED) + u32::from(self.within[reach_of(attacker)][from][to]));
    }

    fn new(rules: &Rules) -> Self {
        let mut within: Box<[[[u16; 64]; 64]; 7]> =
            vec![[[0; 64]; 64]; 7].into_boxed_slice().try_into().unwrap_or_else(|_| Box::new([[[0; 64]; 64]; 7]));
        let mut totals = [0u16; 7];
        for (reach, table) in within.iter_mut().enumerate() {
            for (from, row) in table.iter_mut().enumerate() {
                let attacks = empty_board(reach, from, rules.pushes);
                for to in squares(attacks) {
                    row[to] = totals[reach] + (attacks & ((1 << to) - 1)).count_ones() as u16;
                }
                totals[reach] += attacks.count_ones() as u16;
            }
        }

        let mut pairs = [[NO_FEATURE; 12]; 12];
        let mut base = 0;
        for (attacker, row) in pairs.iter_mut().enumerate() {
            let kind = attacker % 6;
            let total = u32::from(totals[reach_of(attacker)]);
            for (victim, entry) in row.iter_mut().enumerate() {
                if let Some(plane) = rules.victims[kind][victim % 6] {
                    let plane = plane + (victim / 6) as u32 * rules.planes[kind] / 2;
                    let same_side = attacker / 6 == victim / 6;
                    let ordered = kind == victim % 6 && !(kind == 0 && same_side);
                    *entry = (base + plane * total) | if ordered { ORDERED } else { 0 };
                }
            }
            base += rules.planes[kind] * total;
        }
        Self { pairs, within, kings_attack: rules.planes[5] != 0, pushes: rules.pushes }
    }
}

/// What a row of a threat block stands for, as its perspective sees it: pieces are 0 to 5 own pawn to king, 6 to 11 the other side's;
/// squares are oriented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThreatFeature {
    /// Which piece attacks.
    pub attacker: usize,
    /// Where it stands.
    pub from: usize,
    /// Which piece is attacked.
    pub victim: usize,
    /// Where that stands.
    pub to: usize,
    /// Row of the block.
    pub row: usize,
}

/// All features of a threat block that a position can have.
pub fn threat_features(table: ThreatTable) -> Vec<ThreatFeature> {
    let threats = Threats::of(table);
    let mut features = Vec::with_capacity(table.rows());
    let mut rows = Vec::new();
    for (attacker, from) in (0..12).flat_map(|attacker| (0..64).map(move |from| (attacker, from))) {
        for to in squares(empty_board(reach_of(attacker), from, threats.pushes)) {
            for victim in 0..12 {
                // A pawn meets pawns only in front of it, and stands on no last rank.
                let pushed = attacker % 6 == 0 && from % 8 == to % 8;
                if victim % 6 == 0 && !(8..56).contains(&to) || victim % 6 != 0 && pushed {
                    continue;
                }
                rows.clear();
                threats.push(Attack { attacker, from, victim, to }, Color::White, 0, &mut rows);
                features.extend(rows.iter().map(|row| ThreatFeature { attacker, from, victim, to, row: *row as usize }));
            }
        }
    }
    features
}

/// Calls `visit` for each attack on a piece that `threats` may have a feature for, from both sides.
#[inline]
pub(super) fn for_each_attack(boards: &Boards, threats: &Threats, mut visit: impl FnMut(Attack)) {
    let occupied = boards.occupied();
    let pawns = boards.by_type[0];
    let mut piece_on = [0u8; 64];
    for (color, of_color) in boards.by_color.iter().enumerate() {
        for (kind, of_kind) in boards.by_type.iter().enumerate() {
            for square in squares(of_kind & of_color) {
                piece_on[square] = (6 * color + kind) as u8;
            }
        }
    }

    for (color, of_color) in boards.by_color.iter().enumerate() {
        let mut visit = |kind: usize, from: usize, to: usize| {
            visit(Attack { attacker: 6 * color + kind, from, victim: usize::from(piece_on[to & 63]), to });
        };
        for from in squares(pawns & of_color) {
            let push = if color == 0 { 1u64 << from << 8 } else { 1u64 << from >> 8 };
            let pushed = if threats.pushes { push & pawns } else { 0 };
            squares(attacks::PAWN[color][from] & occupied | pushed).for_each(|to| visit(0, from, to));
        }
        for from in squares(boards.by_type[1] & of_color) {
            squares(attacks::KNIGHT[from] & occupied).for_each(|to| visit(1, from, to));
        }
        let mut slide = |kind: usize, rays: &[usize]| {
            for from in squares(boards.by_type[kind] & of_color) {
                for &ray in rays {
                    if let Some(to) = attacks::first_on_ray(ray, from, occupied) {
                        visit(kind, from, to as usize);
                    }
                }
            }
        };
        slide(2, &BISHOP_RAYS);
        slide(3, &ROOK_RAYS);
        slide(4, &QUEEN_RAYS);
        if threats.kings_attack {
            for from in squares(boards.by_type[5] & of_color) {
                squares(attacks::KING[from] & occupied).for_each(|to| visit(5, from, to));
            }
        }
    }
}

/// The plane of `Threats::within` for a piece (0 to 5 own, 6 to 11 enemy): only pawns differ by side.
#[inline(always)]
fn reach_of(piece: usize) -> usize {
    match piece {
        0 => 0,
        6 => 1,
        1..=5 => piece + 1,
        _ => piece - 5,
    }
}

/// What a piece reaches on the empty board. Pawns on the last ranks reach nothing.
fn empty_board(reach: usize, square: usize, pushes: bool) -> u64 {
    let slide = |rays: &[usize]| rays.iter().fold(0, |all, &ray| all | attacks::ray(ray, square));
    match reach {
        0 | 1 if !(8..56).contains(&square) => 0,
        0 | 1 => {
            let push = if reach == 0 { 1u64 << square << 8 } else { 1u64 << square >> 8 };
            attacks::PAWN[reach][square] | if pushes { push } else { 0 }
        }
        2 => attacks::KNIGHT[square],
        3 => slide(&BISHOP_RAYS),
        4 => slide(&ROOK_RAYS),
        5 => slide(&QUEEN_RAYS),
        _ => attacks::KING[square],
    }
}

fn rules(table: ThreatTable) -> Rules {
    // One digit a victim, pawn to king; `-` is not a feature.
    let plane = |rows: [&str; 6]| {
        rows.map(|row| {
            let mut victims = [None; 6];
            for (victim, c) in victims.iter_mut().zip(row.chars()) {
                *victim = c.to_digit(10);
            }
            victims
        })
    };
    let (planes, victims, pushes) = match table {
        ThreatTable::T79856 => ([6, 12, 10, 10, 12, 8], ["01-2--", "012345", "0123-4", "0123-4", "012345", "0123--"], false),
        ThreatTable::T66864 => ([6, 10, 8, 8, 10, 8], ["01-2--", "01234-", "0123--", "0123--", "01234-", "0123--"], false),
        ThreatTable::T60144 => ([6, 10, 8, 8, 10, 0], ["01-2--", "01234-", "0123--", "0123--", "01234-", "------"], false),
        ThreatTable::T60720 => ([6, 10, 8, 8, 10, 0], ["01-2--", "01234-", "0123--", "0123--", "01234-", "------"], true),
        ThreatTable::T59808 => ([4, 10, 8, 8, 10, 0], ["-0-1--", "01234-", "0123--", "0123--", "01234-", "------"], false),
    };
    Rules { planes, victims: plane(victims), pushes }
}
