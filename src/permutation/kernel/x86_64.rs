//! The inner loop for x86-64: AVX-512 with VPOPCNTDQ, AVX2 with nibble look-ups, and POPCNT for what has neither.

use std::arch::x86_64::*;

use super::{Square, Tile, portable};
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
    (Special::Avx512, &[Feature::Avx512F, Feature::Avx512Vpopcntdq, Feature::Avx2, Feature::Popcnt]),
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

    /// Words of a slice that are best given at once. The adder of AVX2 has to be emptied at the end of each.
    pub(super) fn words_at_once(self) -> usize {
        match self {
            Self::Popcnt | Self::Avx512 => portable::WORDS_AT_ONCE,
            Self::Avx2 => 512,
        }
    }

    #[inline]
    pub(super) fn best_rotation(self, ab: &Square, bc: &Square, ca: &Square, least: i32) -> Option<(i32, [usize; 3])> {
        match self {
            Self::Popcnt => portable::best_rotation(ab, bc, ca, least),
            // SAFETY: kernels of these forms exist only where the processor has AVX2, by `ALL`.
            Self::Avx2 | Self::Avx512 => unsafe { avx2_best_rotation(ab, bc, ca, least) },
        }
    }

    #[inline]
    pub(super) fn above(self, a: &[i32], b: &[i32], least: i32) -> u64 {
        match self {
            Self::Popcnt => portable::above(a, b, least),
            // SAFETY: kernels of these forms exist only where the processor has AVX2, by `ALL`.
            Self::Avx2 | Self::Avx512 => unsafe { avx2_above(a, b, least) },
        }
    }
}

/// Asks for the line in which `what` begins.
#[inline]
pub(super) fn prefetch(what: &Square) {
    // SAFETY: a prefetch is a hint that touches no memory, whatever the address; and this one is of a reference.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(what.as_ptr().cast()) }
}

#[target_feature(enable = "avx2")]
fn avx2_above(a: &[i32], b: &[i32], least: i32) -> u64 {
    portable::above(a, b, least)
}

/// For each `i` the 16 sums of all `(j, k)` in two registers of eight.
#[target_feature(enable = "avx2")]
fn avx2_best_rotation(ab: &Square, bc: &Square, ca: &Square, least: i32) -> Option<(i32, [usize; 3])> {
    // SAFETY: eight entries are read from the beginning, or from the eighth, of arrays of 16.
    let load = |square: &Square, half: usize| unsafe { _mm256_loadu_si256(square[8 * half..].as_ptr().cast()) };
    let onward = [load(bc, 0), load(bc, 1)];
    let sums: [[__m256i; 2]; 4] = std::array::from_fn(|i| {
        let back = _mm256_setr_epi32(ca[i], ca[4 + i], ca[8 + i], ca[12 + i], ca[i], ca[4 + i], ca[8 + i], ca[12 + i]);
        std::array::from_fn(|half| {
            let (low, high) = (ab[4 * i + 2 * half], ab[4 * i + 2 * half + 1]);
            let there = _mm256_setr_epi32(low, low, low, low, high, high, high, high);
            _mm256_add_epi32(_mm256_add_epi32(there, back), onward[half])
        })
    });
    let most = sums.iter().flatten().fold(_mm256_set1_epi32(i32::MIN), |most, sums| _mm256_max_epi32(most, *sums));
    let most = _mm_max_epi32(_mm256_castsi256_si128(most), _mm256_extracti128_si256::<1>(most));
    let most = _mm_max_epi32(most, _mm_shuffle_epi32::<0b01_00_11_10>(most));
    let most = _mm_cvtsi128_si32(_mm_max_epi32(most, _mm_shuffle_epi32::<0b10_11_00_01>(most)));
    if most <= least {
        return None;
    }
    let wanted = _mm256_set1_epi32(most);
    let bits = sums.iter().flatten().enumerate().fold(0, |bits, (step, sums)| {
        let equal = _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(*sums, wanted)));
        bits | u64::from(equal.cast_unsigned()) << (8 * step)
    });
    Some((most, places(bits)))
}

/// The first of the places whose sums are marked, which are in the order of `[i, j, k]`.
#[inline]
fn places(bits: u64) -> [usize; 3] {
    let first = bits.trailing_zeros() as usize;
    [first / 16, first / 4 % 4, first % 4]
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

/// One pair of row and column after the other: a carry-save adder takes sixteen registers of shared bits, so that bits are counted only in
/// what it carries, by two look-ups of four bits for each byte.
#[target_feature(enable = "avx2")]
fn avx2_shared(rows: [&[u64]; 4], columns: [&[u64]; 4]) -> Tile {
    rows.map(|row| columns.map(|column| avx2_pair(row, column)))
}

/// Words that the adder takes at once.
const ADDED: usize = 64;

#[target_feature(enable = "avx2")]
#[inline]
fn avx2_pair(row: &[u64], column: &[u64]) -> u64 {
    let zero = _mm256_setzero_si256();
    let shared = |row: &[u64; 4], column: &[u64; 4]| {
        // SAFETY: four words are read from arrays of four words.
        unsafe { _mm256_and_si256(_mm256_loadu_si256(row.as_ptr().cast()), _mm256_loadu_si256(column.as_ptr().cast())) }
    };
    // Sums of three registers, bit by bit: what stays, and what is carried.
    let add = |a: __m256i, b: __m256i, c: __m256i| {
        let half = _mm256_xor_si256(a, b);
        (_mm256_xor_si256(half, c), _mm256_or_si256(_mm256_and_si256(a, b), _mm256_and_si256(half, c)))
    };
    let (mut ones, mut twos, mut fours, mut eights) = (zero, zero, zero, zero);
    let mut sixteens = zero;
    let (row_blocks, row_rest) = row.as_chunks::<ADDED>();
    let (column_blocks, column_rest) = column.as_chunks::<ADDED>();
    for (row, column) in row_blocks.iter().zip(column_blocks) {
        let (row, column) = (row.as_chunks::<4>().0, column.as_chunks::<4>().0);
        let at = |k: usize| shared(&row[k], &column[k]);
        let mut eighths = [zero; 2];
        for (half, carried) in eighths.iter_mut().enumerate() {
            let mut quarters = [zero; 2];
            for (quarter, carried) in quarters.iter_mut().enumerate() {
                let first = 8 * half + 4 * quarter;
                let (sum, carry) = add(ones, at(first), at(first + 1));
                let (sum, more) = add(sum, at(first + 2), at(first + 3));
                ones = sum;
                (twos, *carried) = add(twos, carry, more);
            }
            (fours, *carried) = add(fours, quarters[0], quarters[1]);
        }
        let carried;
        (eights, carried) = add(eights, eighths[0], eighths[1]);
        // The bytes' counts are summed in eight bytes at once: nothing overflows.
        sixteens = _mm256_add_epi64(sixteens, _mm256_sad_epu8(avx2_count_bytes(carried), zero));
    }
    // At most 8 × (1 + 2 + 4 + 8) in a byte.
    let double = |bytes: __m256i, more: __m256i| _mm256_add_epi8(_mm256_add_epi8(bytes, bytes), avx2_count_bytes(more));
    let bytes = double(double(double(avx2_count_bytes(eights), fours), twos), ones);
    let mut sum = _mm256_add_epi64(_mm256_slli_epi64::<4>(sixteens), _mm256_sad_epu8(bytes, zero));
    for (row, column) in row_rest.as_chunks::<4>().0.iter().zip(column_rest.as_chunks::<4>().0) {
        sum = _mm256_add_epi64(sum, _mm256_sad_epu8(avx2_count_bytes(shared(row, column)), zero));
    }
    let sum = _mm_add_epi64(_mm256_castsi256_si128(sum), _mm256_extracti128_si256::<1>(sum));
    (_mm_cvtsi128_si64(sum).wrapping_add(_mm_extract_epi64::<1>(sum))).cast_unsigned()
}

/// How many bits of each byte are set.
#[target_feature(enable = "avx2")]
#[inline]
fn avx2_count_bytes(bits: __m256i) -> __m256i {
    let table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
    let low = _mm256_set1_epi8(15);
    let lower = _mm256_shuffle_epi8(table, _mm256_and_si256(bits, low));
    let upper = _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16::<4>(bits), low));
    _mm256_add_epi8(lower, upper)
}
