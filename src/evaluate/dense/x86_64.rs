//! AVX2 and AVX-512 with VNNI. The calls into here are checked by `DenseKernel`.

use std::arch::x86_64::*;

use super::{FOUR, LANE, Packed, ROWS};

/// The places of the bits of a byte, lowest first.
static BITS: [[u16; 8]; 256] = {
    let mut places = [[0; 8]; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut bit, mut count) = (0, 0);
        while bit < 8 {
            if byte >> bit & 1 == 1 {
                places[byte][count] = bit;
                count += 1;
            }
            bit += 1;
        }
        byte += 1;
    }
    places
};

/// As [`super::find`].
#[target_feature(enable = "avx2,popcnt")]
pub(super) fn find(inputs: &[u8], places: &mut [u16]) -> usize {
    let mut len = 0;
    for (lane, first) in inputs.as_chunks::<LANE>().0.iter().zip((0..).step_by(LANE / FOUR)) {
        // SAFETY: the array has the 32 bytes that are read.
        let fours = unsafe { _mm256_loadu_si256(lane.as_ptr().cast()) };
        let zeros = _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(fours, _mm256_setzero_si256())));
        let others = !zeros as u8;
        let found: &mut [u16; 8] = places[len..].first_chunk_mut().expect("room for eight more");
        // SAFETY: both arrays have 16 bytes.
        unsafe {
            let bits = _mm_loadu_si128(BITS[usize::from(others)].as_ptr().cast());
            _mm_storeu_si128(found.as_mut_ptr().cast(), _mm_add_epi16(bits, _mm_set1_epi16(first)));
        }
        len += others.count_ones() as usize;
    }
    len
}

/// As [`super::activate`].
#[target_feature(enable = "avx2")]
pub(super) fn activate(sums: &[i32], count: usize, squared: bool, shift: u32, out: &mut [u8]) {
    super::activate(sums, count, squared, shift, out);
}

/// Products of neighbours are added up in 16 bits, which hold them since inputs are at most 127, then in 32.
///
/// # Safety
/// All `fours` are below a fourth of the inputs, of which there are as many as the layer has; `out` has a value for each row.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn avx2(layer: &Packed, inputs: &[u8], fours: &[u16], out: &mut [i32]) {
    // SAFETY: as the caller promised.
    unsafe { avx2_from(layer, inputs, fours, out, 0) }
}

/// As [`avx2`], the rows from `row` on.
///
/// # Safety
/// As for [`avx2`].
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn avx2_from(layer: &Packed, inputs: &[u8], fours: &[u16], out: &mut [i32], mut row: usize) {
    // SAFETY: as the caller promised; so many rows are left.
    unsafe {
        while row + 4 * ROWS <= out.len() {
            avx2_rows::<4>(layer, inputs, fours, row, out);
            row += 4 * ROWS;
        }
        while row + 2 * ROWS <= out.len() {
            avx2_rows::<2>(layer, inputs, fours, row, out);
            row += 2 * ROWS;
        }
        if row < out.len() {
            avx2_rows::<1>(layer, inputs, fours, row, out);
        }
    }
}

/// `N` registers of rows, from `row` on.
///
/// # Safety
/// As for [`avx2`], and the rows are there.
#[expect(clippy::needless_range_loop, reason = "counted loops are unrolled even where iterators are not inlined")]
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn avx2_rows<const N: usize>(layer: &Packed, inputs: &[u8], fours: &[u16], row: usize, out: &mut [i32]) {
    let ones = _mm256_set1_epi16(1);
    let (rows, weights, inputs) = (layer.rows(), layer.weights.as_ptr(), inputs.as_ptr());
    let mut sums = [_mm256_setzero_si256(); N];
    for four in fours.iter().map(|four| usize::from(*four)) {
        // SAFETY: four inputs and `[rows][4]` weights stand there for each four that the caller may name.
        unsafe {
            let input = _mm256_set1_epi32(inputs.add(FOUR * four).cast::<i32>().read_unaligned());
            let weights = weights.add(FOUR * (four * rows + row));
            for k in 0..N {
                let weights = _mm256_loadu_si256(weights.add(k * FOUR * ROWS).cast());
                sums[k] = _mm256_add_epi32(sums[k], _mm256_madd_epi16(_mm256_maddubs_epi16(input, weights), ones));
            }
        }
    }
    for (k, sums) in sums.into_iter().enumerate() {
        let rows = row + k * ROWS..row + (k + 1) * ROWS;
        // SAFETY: both slices have 8 values.
        unsafe {
            let bias = _mm256_loadu_si256(layer.bias[rows.clone()].as_ptr().cast());
            _mm256_storeu_si256(out[rows].as_mut_ptr().cast(), _mm256_add_epi32(sums, bias));
        }
    }
}

/// Four products are added up in 32 bits by one instruction.
///
/// # Safety
/// As for [`avx2`].
#[target_feature(enable = "avx2,avx512f,avx512vnni")]
pub(super) unsafe fn avx512_vnni(layer: &Packed, inputs: &[u8], fours: &[u16], out: &mut [i32]) {
    let mut row = 0;
    // SAFETY: as the caller promised; so many rows are left.
    unsafe {
        while row + 4 * ROWS <= out.len() {
            avx512_rows::<2>(layer, inputs, fours, row, out);
            row += 4 * ROWS;
        }
        while row + 2 * ROWS <= out.len() {
            avx512_rows::<1>(layer, inputs, fours, row, out);
            row += 2 * ROWS;
        }
        avx2_from(layer, inputs, fours, out, row);
    }
}

/// `N` registers of 16 rows, from `row` on.
///
/// # Safety
/// As for [`avx2_rows`].
#[expect(clippy::needless_range_loop, reason = "counted loops are unrolled even where iterators are not inlined")]
#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
unsafe fn avx512_rows<const N: usize>(layer: &Packed, inputs: &[u8], fours: &[u16], row: usize, out: &mut [i32]) {
    const WIDE: usize = 2 * ROWS;
    let (rows, weights, inputs) = (layer.rows(), layer.weights.as_ptr(), inputs.as_ptr());
    // Two sums of each register: the instruction is slower to give its result than to take the next operands.
    let mut sums = [[_mm512_setzero_si512(); N]; 2];
    let (pairs, last) = fours.as_chunks::<2>();
    let add = |sums: &mut [__m512i; N], four: u16| {
        let four = usize::from(four);
        // SAFETY: four inputs and `[rows][4]` weights stand there for each four that the caller may name.
        unsafe {
            let input = _mm512_set1_epi32(inputs.add(FOUR * four).cast::<i32>().read_unaligned());
            let weights = weights.add(FOUR * (four * rows + row));
            for k in 0..N {
                sums[k] = _mm512_dpbusd_epi32(sums[k], input, _mm512_loadu_si512(weights.add(k * FOUR * WIDE).cast()));
            }
        }
    };
    let [even, odd] = &mut sums;
    for [first, second] in pairs {
        add(even, *first);
        add(odd, *second);
    }
    for four in last {
        add(even, *four);
    }
    for k in 0..N {
        let rows = row + k * WIDE..row + (k + 1) * WIDE;
        // SAFETY: both slices have 16 values.
        unsafe {
            let bias = _mm512_loadu_si512(layer.bias[rows.clone()].as_ptr().cast());
            let sum = _mm512_add_epi32(_mm512_add_epi32(sums[0][k], sums[1][k]), bias);
            _mm512_storeu_si512(out[rows].as_mut_ptr().cast(), sum);
        }
    }
}
