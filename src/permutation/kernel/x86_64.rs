//! The inner loop for x86-64: AVX-512 with VPOPCNTDQ, AVX2 with nibble look-ups, and POPCNT for what has neither.

use std::arch::x86_64::*;

use super::{Tile, portable};
use crate::cpu::Feature;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Special {
    Popcnt,
    Avx2,
    Avx512,
}

/// Slowest first, each with what it needs.
pub(super) const ALL: [(Special, &[Feature]); 3] = [
    (Special::Popcnt, &[Feature::Popcnt]),
    (Special::Avx2, &[Feature::Avx2, Feature::Popcnt]),
    (Special::Avx512, &[Feature::Avx512F, Feature::Avx512Vpopcntdq, Feature::Popcnt]),
];

impl Special {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Popcnt => "popcnt",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512-vpopcntdq",
        }
    }

    #[inline]
    pub(super) fn count_shared(self, rows: [&[u64]; 4], columns: [&[u64]; 4]) -> Tile {
        match self {
            // SAFETY: a `Kernel` of this form exists only where the processor has what `ALL` says it needs.
            Self::Popcnt => unsafe { popcnt_shared(rows, columns) },
            // SAFETY: as above.
            Self::Avx2 => unsafe { avx2_shared(rows, columns) },
            // SAFETY: as above.
            Self::Avx512 => unsafe { avx512_shared(rows, columns) },
        }
    }

    pub(super) fn count_common(self, columns: [&[u64]; 4]) -> u64 {
        match self {
            // SAFETY: every form needs POPCNT, by `ALL`.
            Self::Popcnt => unsafe { popcnt_common(columns) },
            // SAFETY: as above, with this form's features.
            Self::Avx2 => unsafe { avx2_common(columns) },
            // SAFETY: as above, with this form's features.
            Self::Avx512 => unsafe { avx512_common(columns) },
        }
    }
}

#[target_feature(enable = "popcnt")]
fn popcnt_shared(rows: [&[u64]; 4], columns: [&[u64]; 4]) -> Tile {
    portable::count_shared(rows, columns)
}

#[target_feature(enable = "popcnt")]
fn popcnt_common(columns: [&[u64]; 4]) -> u64 {
    portable::count_common(columns)
}

/// The compiler turns the plain loop into look-ups of nibbles by itself.
#[target_feature(enable = "avx2,popcnt")]
fn avx2_common(columns: [&[u64]; 4]) -> u64 {
    portable::count_common(columns)
}

#[target_feature(enable = "avx512f,avx512vpopcntdq")]
fn avx512_common(columns: [&[u64]; 4]) -> u64 {
    let lanes = columns.iter().map(|slice| slice.len() / 8).min().unwrap_or(0);
    let load = |k: usize, lane: usize| {
        debug_assert!(8 * (lane + 1) <= columns[k].len());
        // SAFETY: `lane < lanes`, and `lanes` is the smallest number of whole lanes of 8 words in any of the slices.
        unsafe { _mm512_loadu_si512(columns[k].as_ptr().add(8 * lane).cast()) }
    };
    let mut sum = _mm512_setzero_si512();
    for lane in 0..lanes {
        let (ab, cd) = (_mm512_and_si512(load(0, lane), load(1, lane)), _mm512_and_si512(load(2, lane), load(3, lane)));
        sum = _mm512_add_epi64(sum, _mm512_popcnt_epi64(_mm512_and_si512(ab, cd)));
    }
    _mm512_reduce_add_epi64(sum).cast_unsigned()
}

/// All 16 sums of a tile stay in registers, so that eight loads feed sixteen counts.
#[target_feature(enable = "avx512f,avx512vpopcntdq")]
fn avx512_shared(rows: [&[u64]; 4], columns: [&[u64]; 4]) -> Tile {
    let lanes = rows.iter().chain(&columns).map(|slice| slice.len() / 8).min().unwrap_or(0);
    let load = |slice: &[u64], lane: usize| {
        debug_assert!(8 * (lane + 1) <= slice.len());
        // SAFETY: `lane < lanes`, and `lanes` is the smallest number of whole lanes of 8 words in any of the slices.
        unsafe { _mm512_loadu_si512(slice.as_ptr().add(8 * lane).cast()) }
    };
    let mut sums = [[_mm512_setzero_si512(); 4]; 4];
    for lane in 0..lanes {
        let columns: [__m512i; 4] = [load(columns[0], lane), load(columns[1], lane), load(columns[2], lane), load(columns[3], lane)];
        for i in 0..4 {
            let row = load(rows[i], lane);
            for j in 0..4 {
                sums[i][j] = _mm512_add_epi64(sums[i][j], _mm512_popcnt_epi64(_mm512_and_si512(row, columns[j])));
            }
        }
    }
    let mut tile = Tile::default();
    for i in 0..4 {
        for j in 0..4 {
            tile[i][j] = _mm512_reduce_add_epi64(sums[i][j]).cast_unsigned();
        }
    }
    tile
}

/// Bytes are counted by two look-ups of four bits. A byte's sum grows by at most 8 a step and is widened before it can pass 255.
#[target_feature(enable = "avx2")]
fn avx2_shared(rows: [&[u64]; 4], columns: [&[u64]; 4]) -> Tile {
    const STEPS: usize = 31;
    let lanes = rows.iter().chain(&columns).map(|slice| slice.len() / 4).min().unwrap_or(0);
    let load = |slice: &[u64], lane: usize| {
        debug_assert!(4 * (lane + 1) <= slice.len());
        // SAFETY: `lane < lanes`, and `lanes` is the smallest number of whole lanes of 4 words in any of the slices.
        unsafe { _mm256_loadu_si256(slice.as_ptr().add(4 * lane).cast()) }
    };
    let table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
    let low = _mm256_set1_epi8(15);
    let mut tile = Tile::default();
    // Two by four sums are what sixteen registers hold beside the operands.
    for half in [0, 2] {
        let mut wide = [[_mm256_setzero_si256(); 4]; 2];
        for first in (0..lanes).step_by(STEPS) {
            let mut bytes = [[_mm256_setzero_si256(); 4]; 2];
            for lane in first..lanes.min(first + STEPS) {
                let rows = [load(rows[half], lane), load(rows[half + 1], lane)];
                for j in 0..4 {
                    let column = load(columns[j], lane);
                    for i in 0..2 {
                        let shared = _mm256_and_si256(rows[i], column);
                        let lower = _mm256_shuffle_epi8(table, _mm256_and_si256(shared, low));
                        let upper = _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16::<4>(shared), low));
                        bytes[i][j] = _mm256_add_epi8(bytes[i][j], _mm256_add_epi8(lower, upper));
                    }
                }
            }
            for i in 0..2 {
                for j in 0..4 {
                    wide[i][j] = _mm256_add_epi64(wide[i][j], _mm256_sad_epu8(bytes[i][j], _mm256_setzero_si256()));
                }
            }
        }
        for i in 0..2 {
            for j in 0..4 {
                let pair = _mm_add_epi64(_mm256_castsi256_si128(wide[i][j]), _mm256_extracti128_si256::<1>(wide[i][j]));
                tile[half + i][j] = (_mm_cvtsi128_si64(pair) + _mm_extract_epi64::<1>(pair)).cast_unsigned();
            }
        }
    }
    tile
}
