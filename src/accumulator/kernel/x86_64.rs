//! AVX2 and AVX-512. The calls into here are checked by `Kernel`.

use std::arch::x86_64::*;

use super::{Lanes, Script, Sink, Weights, run, sinks::Bound, transpose};

/// 16 registers: 8 hold sums.
#[target_feature(enable = "avx2")]
pub(super) fn run_avx2<S: Sink>(script: &Script, weights: Weights<'_>, sink: &mut S) {
    // SAFETY: this function's caller made sure of AVX2.
    unsafe { run::<Avx2, S, 2>(script, weights, sink) }
}

/// 32 registers: 16 hold sums.
#[target_feature(enable = "avx512f,avx512bw")]
pub(super) fn run_avx512<S: Sink>(script: &Script, weights: Weights<'_>, sink: &mut S) {
    // SAFETY: this function's caller made sure of AVX-512 F and BW.
    unsafe { run::<Avx512, S, 8>(script, weights, sink) }
}

#[target_feature(enable = "avx2")]
pub(super) fn transpose_avx2(block: &mut [u64; 64]) {
    transpose(block);
}

#[target_feature(enable = "avx512f,avx512bw")]
pub(super) fn transpose_avx512(block: &mut [u64; 64]) {
    transpose(block);
}

#[derive(Clone, Copy)]
struct Avx512(__m512i);

impl Lanes for Avx512 {
    // SAFETY: any bits are a vector of integers.
    const ZERO: Self = Self(unsafe { std::mem::zeroed() });

    #[inline(always)]
    unsafe fn wide(weights: &[i16; 32]) -> Self {
        // SAFETY: the array has the 64 bytes that are read; the trait's caller answers for the instructions.
        Self(unsafe { _mm512_loadu_si512(weights.as_ptr().cast()) })
    }

    #[inline(always)]
    unsafe fn narrow(weights: &[i8; 32]) -> Self {
        // SAFETY: the array has the 32 bytes that are read; the trait's caller answers for the instructions.
        Self(unsafe { _mm512_cvtepi8_epi16(_mm256_loadu_si256(weights.as_ptr().cast())) })
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: the trait's caller answers for the instructions.
        Self(unsafe { _mm512_add_epi16(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: the trait's caller answers for the instructions.
        Self(unsafe { _mm512_sub_epi16(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn zeros<const NARROW: bool>(first: Self, second: Self, bound: Bound) -> u32 {
        // SAFETY: the trait's caller answers for the instructions.
        unsafe {
            let clamp = _mm512_set1_epi16(bound.clamp);
            let clip = |sums: Self| _mm512_min_epi16(_mm512_max_epi16(sums.0, _mm512_setzero_si512()), clamp);
            let (a, b) = (clip(first), clip(second));
            let low = _mm512_cmple_epu16_mask(_mm512_mullo_epi16(a, b), _mm512_set1_epi16(bound.low.cast_signed()));
            if NARROW {
                return low;
            }
            let (product, high) = (_mm512_mulhi_epu16(a, b), _mm512_set1_epi16(bound.high.cast_signed()));
            _mm512_cmplt_epu16_mask(product, high) | _mm512_cmpeq_epi16_mask(product, high) & low
        }
    }

    #[inline(always)]
    unsafe fn products(first: Self, second: Self, clamp: i16, shift: u32, out: &mut [u8; 32]) {
        // SAFETY: the array has the 32 bytes that are written; the trait's caller answers for the instructions.
        unsafe {
            let clamp = _mm512_set1_epi16(clamp);
            let clip = |sums: Self| _mm512_min_epi16(_mm512_max_epi16(sums.0, _mm512_setzero_si512()), clamp);
            let product = _mm512_srl_epi16(_mm512_mullo_epi16(clip(first), clip(second)), _mm_cvtsi32_si128(shift as i32));
            _mm256_storeu_si256(out.as_mut_ptr().cast(), _mm512_cvtepi16_epi8(product));
        }
    }

    #[inline(always)]
    unsafe fn clipped(self, clamp: i16, out: &mut [u8; 32]) {
        // SAFETY: as above.
        unsafe {
            let sums = _mm512_min_epi16(_mm512_max_epi16(self.0, _mm512_setzero_si512()), _mm512_set1_epi16(clamp));
            _mm256_storeu_si256(out.as_mut_ptr().cast(), _mm512_cvtepi16_epi8(sums));
        }
    }
}

#[derive(Clone, Copy)]
struct Avx2([__m256i; 2]);

impl Lanes for Avx2 {
    // SAFETY: any bits are a vector of integers.
    const ZERO: Self = Self(unsafe { std::mem::zeroed() });

    #[inline(always)]
    unsafe fn wide(weights: &[i16; 32]) -> Self {
        let from = weights.as_ptr().cast::<__m256i>();
        // SAFETY: the array has the 2 × 32 bytes that are read; the trait's caller answers for the instructions.
        Self(unsafe { [_mm256_loadu_si256(from), _mm256_loadu_si256(from.add(1))] })
    }

    #[inline(always)]
    unsafe fn narrow(weights: &[i8; 32]) -> Self {
        let from = weights.as_ptr().cast::<__m128i>();
        // SAFETY: the array has the 2 × 16 bytes that are read; the trait's caller answers for the instructions.
        Self(unsafe { [_mm256_cvtepi8_epi16(_mm_loadu_si128(from)), _mm256_cvtepi8_epi16(_mm_loadu_si128(from.add(1)))] })
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        let ([a, b], [c, d]) = (self.0, other.0);
        // SAFETY: the trait's caller answers for the instructions.
        Self(unsafe { [_mm256_add_epi16(a, c), _mm256_add_epi16(b, d)] })
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        let ([a, b], [c, d]) = (self.0, other.0);
        // SAFETY: the trait's caller answers for the instructions.
        Self(unsafe { [_mm256_sub_epi16(a, c), _mm256_sub_epi16(b, d)] })
    }

    #[inline(always)]
    unsafe fn zeros<const NARROW: bool>(first: Self, second: Self, bound: Bound) -> u32 {
        // SAFETY: the trait's caller answers for the instructions.
        unsafe {
            let (none, clamp) = (_mm256_setzero_si256(), _mm256_set1_epi16(bound.clamp));
            let (high, low) = (_mm256_set1_epi16(bound.high.cast_signed()), _mm256_set1_epi16(bound.low.cast_signed()));
            let clip = |sums: __m256i| _mm256_min_epi16(_mm256_max_epi16(sums, none), clamp);
            // There is no unsigned comparison: what saturates to 0 when the bound is taken off is not above it.
            let within = |value: __m256i, bound: __m256i| _mm256_cmpeq_epi16(_mm256_subs_epu16(value, bound), none);
            let flags = |a: __m256i, b: __m256i| {
                let (a, b) = (clip(a), clip(b));
                let is_low = within(_mm256_mullo_epi16(a, b), low);
                if NARROW {
                    return is_low;
                }
                let product = _mm256_mulhi_epu16(a, b);
                let equal = _mm256_cmpeq_epi16(product, high);
                _mm256_or_si256(_mm256_andnot_si256(equal, within(product, high)), _mm256_and_si256(equal, is_low))
            };
            let both = _mm256_packs_epi16(flags(first.0[0], second.0[0]), flags(first.0[1], second.0[1]));
            // Packing works in halves of the register: quarters 0, 2, 1, 3.
            _mm256_movemask_epi8(_mm256_permute4x64_epi64::<0b11_01_10_00>(both)).cast_unsigned()
        }
    }

    #[inline(always)]
    unsafe fn products(first: Self, second: Self, clamp: i16, shift: u32, out: &mut [u8; 32]) {
        // SAFETY: the trait's caller answers for the instructions.
        unsafe {
            let (none, clamp, shift) = (_mm256_setzero_si256(), _mm256_set1_epi16(clamp), _mm_cvtsi32_si128(shift as i32));
            let clip = |sums: __m256i| _mm256_min_epi16(_mm256_max_epi16(sums, none), clamp);
            let product = |a: __m256i, b: __m256i| _mm256_srl_epi16(_mm256_mullo_epi16(clip(a), clip(b)), shift);
            store(product(first.0[0], second.0[0]), product(first.0[1], second.0[1]), out);
        }
    }

    #[inline(always)]
    unsafe fn clipped(self, clamp: i16, out: &mut [u8; 32]) {
        // SAFETY: the trait's caller answers for the instructions.
        unsafe {
            let (none, clamp) = (_mm256_setzero_si256(), _mm256_set1_epi16(clamp));
            let clip = |sums: __m256i| _mm256_min_epi16(_mm256_max_epi16(sums, none), clamp);
            store(clip(self.0[0]), clip(self.0[1]), out);
        }
    }
}

/// Stores the low bytes of 32 values of which none is above 255.
///
/// # Safety
/// Needs AVX2.
#[inline(always)]
unsafe fn store(low: __m256i, high: __m256i, out: &mut [u8; 32]) {
    // SAFETY: the array has the 32 bytes that are written; the caller answers for the instructions.
    unsafe {
        // Packing works in halves of the register: quarters 0, 2, 1, 3.
        let packed = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packus_epi16(low, high));
        _mm256_storeu_si256(out.as_mut_ptr().cast(), packed);
    }
}
