//! AVX2 and AVX-512 with VNNI. The calls into here are checked by `DenseKernel`.

use std::arch::x86_64::*;

use super::{GROUP, LANE, Packed};

/// Products of neighbours are added up in 16 bits, which hold them since inputs are at most 127, then in 32.
#[target_feature(enable = "avx2")]
pub(super) fn avx2(layer: &Packed, inputs: &[u8], out: &mut [i32]) {
    let ones = _mm256_set1_epi16(1);
    let inputs = inputs.as_chunks::<32>().0;
    for ((out, bias), rows) in groups(layer, out) {
        let rows: [&[[i8; 32]]; GROUP] = split(rows, layer.stride);
        let mut sums = [_mm256_setzero_si256(); GROUP];
        for (at, input) in inputs.iter().enumerate() {
            // SAFETY: the array has the 32 bytes that are read.
            let input = unsafe { _mm256_loadu_si256(input.as_ptr().cast()) };
            for k in 0..GROUP {
                // SAFETY: as above.
                let row = unsafe { _mm256_loadu_si256(rows[k][at].as_ptr().cast()) };
                sums[k] = _mm256_add_epi32(sums[k], _mm256_madd_epi16(_mm256_maddubs_epi16(input, row), ones));
            }
        }
        finish(sums, bias, out);
    }
}

/// Four products are added up in 32 bits by one instruction.
#[target_feature(enable = "avx2,avx512f,avx512vnni")]
pub(super) fn avx512_vnni(layer: &Packed, inputs: &[u8], out: &mut [i32]) {
    let inputs = inputs.as_chunks::<LANE>().0;
    for ((out, bias), rows) in groups(layer, out) {
        let rows: [&[[i8; LANE]]; GROUP] = split(rows, layer.stride);
        let mut sums = [_mm512_setzero_si512(); GROUP];
        for (at, input) in inputs.iter().enumerate() {
            // SAFETY: the array has the 64 bytes that are read.
            let input = unsafe { _mm512_loadu_si512(input.as_ptr().cast()) };
            for k in 0..GROUP {
                // SAFETY: as above.
                let row = unsafe { _mm512_loadu_si512(rows[k][at].as_ptr().cast()) };
                sums[k] = _mm512_dpbusd_epi32(sums[k], input, row);
            }
        }
        let mut narrow = [_mm256_setzero_si256(); GROUP];
        for k in 0..GROUP {
            narrow[k] = _mm256_add_epi32(_mm512_castsi512_si256(sums[k]), _mm512_extracti64x4_epi64::<1>(sums[k]));
        }
        finish(narrow, bias, out);
    }
}

/// Outputs, biases and rows of each group.
#[inline(always)]
fn groups<'a>(layer: &'a Packed, out: &'a mut [i32]) -> impl Iterator<Item = ((&'a mut [i32; GROUP], &'a [i32; GROUP]), &'a [i8])> {
    let (out, bias) = (out.as_chunks_mut::<GROUP>().0, layer.bias.as_chunks::<GROUP>().0);
    out.iter_mut().zip(bias).zip(layer.weights.chunks_exact((GROUP * layer.stride).max(1)))
}

/// The rows of a group in pieces of one register.
#[inline(always)]
fn split<const N: usize>(rows: &[i8], stride: usize) -> [&[[i8; N]]; GROUP] {
    std::array::from_fn(|k| rows[k * stride..(k + 1) * stride].as_chunks().0)
}

/// Adds up the lanes of four registers, and the biases.
#[inline]
#[target_feature(enable = "avx2")]
fn finish(sums: [__m256i; GROUP], bias: &[i32; GROUP], out: &mut [i32; GROUP]) {
    let pairs = _mm256_hadd_epi32(_mm256_hadd_epi32(sums[0], sums[1]), _mm256_hadd_epi32(sums[2], sums[3]));
    let sum = _mm_add_epi32(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256::<1>(pairs));
    // SAFETY: both arrays have 16 bytes.
    unsafe {
        let sum = _mm_add_epi32(sum, _mm_loadu_si128(bias.as_ptr().cast()));
        _mm_storeu_si128(out.as_mut_ptr().cast(), sum);
    }
}
