//! The inner loop for 64-bit ARM: NEON's count of the bits of each byte.

use std::arch::aarch64::*;

use super::{Square, Tile, portable};
use crate::cpu::Feature;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Special {
    Neon,
}

/// Slowest first, each with what it needs.
pub(super) const ALL: [(Special, &[Feature]); 1] = [(Special::Neon, &[Feature::Neon])];

impl Special {
    pub(super) fn name(self) -> &'static str {
        "neon"
    }

    #[inline]
    pub(super) fn count_shared(self, rows: [&[u64]; 4], columns: [&[u64]; 4]) -> Tile {
        // SAFETY: a `Kernel` of this form exists only where the processor has NEON, by `ALL`.
        unsafe { neon_shared(rows, columns) }
    }

    pub(super) fn count_common(self, columns: [&[u64]; 4]) -> u64 {
        portable::count_common(columns)
    }

    pub(super) fn words_at_once(self) -> usize {
        portable::WORDS_AT_ONCE
    }

    // Every processor of the target has these instructions, so that the compiler uses them in the plain loops.
    #[inline]
    pub(super) fn best_rotation(self, ab: &Square, bc: &Square, ca: &Square, least: i32) -> Option<(i32, [usize; 3])> {
        portable::best_rotation(ab, bc, ca, least)
    }

    #[inline]
    pub(super) fn above(self, a: &[i32], b: &[i32], least: i32) -> u64 {
        portable::above(a, b, least)
    }
}

/// There is no stable way to ask for a line ahead.
#[inline]
pub(super) fn prefetch(_: &Square) {}

/// A byte's sum grows by at most 8 a step and is widened before it can pass 255.
#[target_feature(enable = "neon")]
fn neon_shared(rows: [&[u64]; 4], columns: [&[u64]; 4]) -> Tile {
    const STEPS: usize = 31;
    let lanes = rows.iter().chain(&columns).map(|slice| slice.len() / 2).min().unwrap_or(0);
    let load = |slice: &[u64], lane: usize| {
        debug_assert!(2 * (lane + 1) <= slice.len());
        // SAFETY: `lane < lanes`, and `lanes` is the smallest number of whole lanes of 2 words in any of the slices.
        unsafe { vreinterpretq_u8_u64(vld1q_u64(slice.as_ptr().add(2 * lane))) }
    };
    let mut tile = Tile::default();
    for first in (0..lanes).step_by(STEPS) {
        let mut bytes = [[vdupq_n_u8(0); 4]; 4];
        for lane in first..lanes.min(first + STEPS) {
            let columns = [load(columns[0], lane), load(columns[1], lane), load(columns[2], lane), load(columns[3], lane)];
            for i in 0..4 {
                let row = load(rows[i], lane);
                for j in 0..4 {
                    bytes[i][j] = vaddq_u8(bytes[i][j], vcntq_u8(vandq_u8(row, columns[j])));
                }
            }
        }
        for i in 0..4 {
            for j in 0..4 {
                tile[i][j] += u64::from(vaddlvq_u8(bytes[i][j]));
            }
        }
    }
    tile
}
