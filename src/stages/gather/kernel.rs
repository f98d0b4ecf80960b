//! Accumulators, zero tests and bit transposition in the widest form that the processor has, chosen at run time. All forms give the
//! same bits; this file alone of the room holds `unsafe`.
//!
//! A task's samples are worked off column by column: for a tile of columns, narrow enough for its sums to stay in registers, all samples
//! are run through before the next tile. So a sum is neither loaded nor stored, and what the samples of a task read of the weights, a
//! few hundred rows of one tile, comes from the second-level cache. Knows nothing of positions and of how the rows were found.

use crate::net::{BlockWeights, ZeroRule};

/// What a run of samples does to an accumulator, one step a sample.
#[derive(Debug, Default)]
pub(super) struct Script {
    /// For each step and each block: row numbers to add, then row numbers to subtract.
    rows: Vec<u32>,
    /// For each step and each block: how many rows to add, and how many to subtract.
    counts: Vec<[u16; 2]>,
    /// For each step: whether it begins with the bias instead of the sums of the step before.
    fresh: Vec<bool>,
}

impl Script {
    pub(super) fn clear(&mut self) {
        self.rows.clear();
        self.counts.clear();
        self.fresh.clear();
    }

    /// Begins a step; [`Self::block`] must follow once for each block.
    pub(super) fn step(&mut self, fresh: bool) {
        self.fresh.push(fresh);
    }

    /// The rows of the next block of this step.
    pub(super) fn block(&mut self, added: &[u32], removed: &[u32]) {
        // A position has at most 32 pieces, each of which attacks less than 32 others: far below 2^16.
        self.counts.push([added.len() as u16, removed.len() as u16]);
        self.rows.extend_from_slice(added);
        self.rows.extend_from_slice(removed);
    }
}

/// The numbers that accumulators are made of.
#[derive(Clone, Copy)]
pub(super) struct Weights<'a> {
    /// `[L1]`.
    pub bias: &'a [i16],
    /// `[rows][L1]` each.
    pub blocks: &'a [&'a BlockWeights],
}

impl Weights<'_> {
    fn half(&self) -> usize {
        self.bias.len() / 2
    }
}

/// Which compiled variant runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kernel {
    /// Plain loops in what every processor of the target has: SSE2 or NEON, for example.
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Kernel {
    /// The widest that this processor has.
    pub(super) fn detect() -> Self {
        *Self::available().last().expect("the portable variant is always there")
    }

    /// All that this processor has, narrowest first.
    pub(super) fn available() -> Vec<Self> {
        let variants = [
            (Self::Portable, true),
            #[cfg(target_arch = "x86_64")]
            (Self::Avx2, is_x86_feature_detected!("avx2")),
            #[cfg(target_arch = "x86_64")]
            (Self::Avx512, is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw")),
        ];
        variants.into_iter().filter(|(_, is_there)| *is_there).map(|(kernel, _)| kernel).collect()
    }

    /// Runs `script`, in 16 bits that wrap as engines' do, and after each step writes which outputs are zero: `ceil(L1/2 / 64)` words a
    /// step, neuron `j` at bit `j % 64` of word `j / 64`, bits past the last neuron zero.
    ///
    /// # Panics
    /// When a row is out of range or `zeros` has another length.
    pub(super) fn run(self, script: &Script, weights: Weights<'_>, rule: ZeroRule, zeros: &mut [u64]) {
        assert_eq!(zeros.len(), script.fresh.len() * weights.half().div_ceil(64), "words for each step");
        match self {
            Self::Portable => run_portable(script, weights, rule, zeros),
            // SAFETY: `available` lists the variant only where the processor has its instructions.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => unsafe { x86_64::run_avx2(script, weights, rule, zeros) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => unsafe { x86_64::run_avx512(script, weights, rule, zeros) },
        }
    }

    /// Exchanges bit `j` of word `i` with bit `i` of word `j`.
    pub(super) fn transpose(self, block: &mut [u64; 64]) {
        match self {
            Self::Portable => transpose(block),
            // SAFETY: `available` lists the variant only where the processor has its instructions.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => unsafe { x86_64::transpose_avx2(block) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => unsafe { x86_64::transpose_avx512(block) },
        }
    }
}

/// [`ZeroRule`] for 16-bit lanes: a product counts as zero up to `65536 * high + low`.
#[derive(Clone, Copy)]
struct Bound {
    clamp: i16,
    high: u16,
    low: u16,
    /// All products fit 16 bits.
    narrow: bool,
}

impl Bound {
    fn of(rule: ZeroRule) -> Self {
        let clamp = rule.clamp.clamp(0, i32::from(i16::MAX));
        // A bound above all products is as good as any other such, and the largest product fits 30 bits.
        let last = (i64::from(rule.limit) - 1).clamp(0, i64::from(clamp) * i64::from(clamp));
        Self { clamp: clamp as i16, high: (last >> 16) as u16, low: last as u16, narrow: clamp <= 255 }
    }
}

/// 32 sums in registers.
///
/// # Safety
/// All functions need the processor's instructions that the implementation is for.
trait Lanes: Copy {
    const ZERO: Self;
    unsafe fn wide(weights: &[i16; 32]) -> Self;
    unsafe fn narrow(weights: &[i8; 32]) -> Self;
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    /// One bit a pair: whether its product counts as zero. `NARROW` is `bound.narrow`.
    unsafe fn zeros<const NARROW: bool>(first: Self, second: Self, bound: Bound) -> u32;
}

/// For targets without a special form, and as the reference: the compiler uses the vectors it may.
#[derive(Clone, Copy)]
struct Plain([i16; 32]);

impl Lanes for Plain {
    const ZERO: Self = Self([0; 32]);

    #[inline(always)]
    unsafe fn wide(weights: &[i16; 32]) -> Self {
        Self(*weights)
    }

    #[inline(always)]
    unsafe fn narrow(weights: &[i8; 32]) -> Self {
        Self(weights.map(i16::from))
    }

    #[inline(always)]
    unsafe fn add(mut self, other: Self) -> Self {
        self.0.iter_mut().zip(other.0).for_each(|(sum, weight)| *sum = sum.wrapping_add(weight));
        self
    }

    #[inline(always)]
    unsafe fn sub(mut self, other: Self) -> Self {
        self.0.iter_mut().zip(other.0).for_each(|(sum, weight)| *sum = sum.wrapping_sub(weight));
        self
    }

    #[inline(always)]
    unsafe fn zeros<const NARROW: bool>(first: Self, second: Self, bound: Bound) -> u32 {
        let mut flags = [0u8; 32];
        for ((flag, a), b) in flags.iter_mut().zip(first.0).zip(second.0) {
            let (a, b) = (a.clamp(0, bound.clamp) as u16, b.clamp(0, bound.clamp) as u16);
            *flag = u8::from(if NARROW {
                a.wrapping_mul(b) <= bound.low
            } else {
                u32::from(a) * u32::from(b) <= u32::from(bound.high) << 16 | u32::from(bound.low)
            });
        }
        // The product brings flag k, at bit 8k, to bit 56 + k.
        let bits = |flags: &[u8; 8]| (u64::from_le_bytes(*flags).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u32;
        flags.as_chunks().0.iter().rev().fold(0, |mask, flags| mask << 8 | bits(flags))
    }
}

fn run_portable(script: &Script, weights: Weights<'_>, rule: ZeroRule, zeros: &mut [u64]) {
    // SAFETY: `Plain` needs nothing special.
    unsafe { run::<Plain, 2>(script, weights, rule, zeros) }
}

/// Tiles of `32 * K` neurons while they fit, then of 64, then the rest one by one.
///
/// # Safety
/// As for `L`.
#[inline(always)]
unsafe fn run<L: Lanes, const K: usize>(script: &Script, weights: Weights<'_>, rule: ZeroRule, zeros: &mut [u64]) {
    let half = weights.half();
    let bound = Bound::of(rule);
    let mut column = 0;
    while column + 32 * K <= half {
        // SAFETY: as the caller promised.
        unsafe { tile_of_kind::<L, K>(script, weights, bound, column, zeros) };
        column += 32 * K;
    }
    while column + 64 <= half {
        // SAFETY: as the caller promised.
        unsafe { tile_of_kind::<L, 2>(script, weights, bound, column, zeros) };
        column += 64;
    }
    if column < half {
        last_columns(script, weights, bound, column, zeros);
    }
}

/// # Safety
/// As for `L`.
#[inline(always)]
unsafe fn tile_of_kind<L: Lanes, const K: usize>(script: &Script, weights: Weights<'_>, bound: Bound, column: usize, zeros: &mut [u64]) {
    // SAFETY: as the caller promised.
    unsafe {
        if bound.narrow {
            tile::<L, K, true>(script, weights, bound, column, zeros);
        } else {
            tile::<L, K, false>(script, weights, bound, column, zeros);
        }
    }
}

/// All steps for the neurons `column .. column + 32 * K`; `K` is even.
///
/// # Safety
/// As for `L`.
#[inline(always)]
unsafe fn tile<L: Lanes, const K: usize, const NARROW: bool>(
    script: &Script,
    weights: Weights<'_>,
    bound: Bound,
    column: usize,
    zeros: &mut [u64],
) {
    let (words, blocks) = (weights.half().div_ceil(64), weights.blocks.len());
    // The first step replaces these.
    let mut sums = Sums([[L::ZERO; K]; 2]);
    let mut rows = script.rows.as_slice();
    let mut coming = rows;
    for step in 0..=script.fresh.len() {
        // Rows to subtract were read a moment ago, rows to add long ago or never: the next step's are called while this one's are added.
        for (block, &[added, removed]) in weights.blocks.iter().zip(script.counts.get(step * blocks..).unwrap_or_default()) {
            let (added, rest) = coming.split_at(usize::from(added));
            coming = &rest[usize::from(removed)..];
            match block {
                BlockWeights::I16(block) => prefetch::<_, K>(block, weights, added, column),
                BlockWeights::I8(block) => prefetch::<_, K>(block, weights, added, column),
            }
        }
        let Some(step) = step.checked_sub(1) else { continue };
        // SAFETY: as the caller promised, for this block and those below.
        unsafe {
            if script.fresh[step] {
                sums.0 = [[L::ZERO; K]; 2];
                sums.change::<_, true>(weights.bias, weights, &[0], column);
            }
            for index in 0..blocks {
                let [added, removed] = script.counts[step * blocks + index];
                let (added, rest) = rows.split_at(usize::from(added));
                let (removed, rest) = rest.split_at(usize::from(removed));
                rows = rest;
                match weights.blocks[index] {
                    BlockWeights::I16(block) => {
                        sums.change::<_, true>(block, weights, added, column);
                        sums.change::<_, false>(block, weights, removed, column);
                    }
                    BlockWeights::I8(block) => {
                        sums.change::<_, true>(block, weights, added, column);
                        sums.change::<_, false>(block, weights, removed, column);
                    }
                }
            }
            let [first, second] = &sums.0;
            let zeros = &mut zeros[step * words + column / 64..][..K / 2];
            for k in 0..K / 2 {
                let low = L::zeros::<NARROW>(first[2 * k], second[2 * k], bound);
                let high = L::zeros::<NARROW>(first[2 * k + 1], second[2 * k + 1], bound);
                zeros[k] = u64::from(high) << 32 | u64::from(low);
            }
        }
    }
}

/// The sums of a tile: of its neurons' first and second accumulators.
struct Sums<L, const K: usize>([[L; K]; 2]);

impl<L: Lanes, const K: usize> Sums<L, K> {
    /// Adds or subtracts the tile's part of `rows`.
    ///
    /// # Safety
    /// As for `L`.
    #[expect(clippy::needless_range_loop, reason = "counted loops are unrolled even where iterators are not inlined")]
    #[inline(always)]
    unsafe fn change<W: Weight, const ADD: bool>(&mut self, block: &[W], weights: Weights<'_>, rows: &[u32], column: usize) {
        for &row in rows {
            let start = row as usize * weights.bias.len() + column;
            for part in 0..2 {
                let row = block[start + part * weights.half()..][..32 * K].as_chunks().0;
                for k in 0..K {
                    let sum = &mut self.0[part][k];
                    // SAFETY: as the caller promised.
                    unsafe {
                        let weights = W::load::<L>(&row[k]);
                        *sum = if ADD { sum.add(weights) } else { sum.sub(weights) };
                    }
                }
            }
        }
    }
}

/// Asks for the tile's part of `rows`, one cache line after the other, without waiting for it.
#[inline(always)]
fn prefetch<W: Weight, const K: usize>(block: &[W], weights: Weights<'_>, rows: &[u32], column: usize) {
    for &row in rows {
        let start = row as usize * weights.bias.len() + column;
        for part in 0..2 {
            for line in block[start + part * weights.half()..][..32 * K].chunks_exact(64 / size_of::<W>()) {
                #[cfg(target_arch = "x86_64")]
                // SAFETY: a hint; it never faults, and every x86-64 processor has it.
                unsafe {
                    std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(line.as_ptr().cast());
                }
                #[cfg(not(target_arch = "x86_64"))]
                let _ = line;
            }
        }
    }
}

/// A type of stored weights.
trait Weight: Copy {
    /// # Safety
    /// As for `L`.
    unsafe fn load<L: Lanes>(weights: &[Self; 32]) -> L;
}

impl Weight for i16 {
    #[inline(always)]
    unsafe fn load<L: Lanes>(weights: &[Self; 32]) -> L {
        // SAFETY: as the caller promised.
        unsafe { L::wide(weights) }
    }
}

impl Weight for i8 {
    #[inline(always)]
    unsafe fn load<L: Lanes>(weights: &[Self; 32]) -> L {
        // SAFETY: as the caller promised.
        unsafe { L::narrow(weights) }
    }
}

/// All steps for the neurons from `column` on, fewer than 64. Only sizes that no released net has come here.
fn last_columns(script: &Script, weights: Weights<'_>, bound: Bound, column: usize, zeros: &mut [u64]) {
    let (l1, half) = (weights.bias.len(), weights.half());
    let last = u32::from(bound.high) << 16 | u32::from(bound.low);
    for neuron in column..half {
        let mut pair = [0i16; 2];
        let mut rows = script.rows.as_slice();
        let steps = script.fresh.iter().zip(script.counts.chunks_exact(weights.blocks.len()));
        for ((&fresh, counts), zeros) in steps.zip(zeros.chunks_exact_mut(half.div_ceil(64))) {
            if fresh {
                pair = [weights.bias[neuron], weights.bias[neuron + half]];
            }
            for (block, &[added, removed]) in weights.blocks.iter().zip(counts) {
                let (these, rest) = rows.split_at(usize::from(added) + usize::from(removed));
                rows = rest;
                for (index, &row) in these.iter().enumerate() {
                    for (part, sum) in pair.iter_mut().enumerate() {
                        let at = row as usize * l1 + neuron + part * half;
                        let weight = match block {
                            BlockWeights::I16(block) => block[at],
                            BlockWeights::I8(block) => i16::from(block[at]),
                        };
                        *sum = if index < usize::from(added) { sum.wrapping_add(weight) } else { sum.wrapping_sub(weight) };
                    }
                }
            }
            let [a, b] = pair.map(|sum| u32::from(sum.clamp(0, bound.clamp).unsigned_abs()));
            let word = &mut zeros[column / 64];
            if neuron == column {
                *word = 0;
            }
            *word |= u64::from(a * b <= last) << (neuron - column);
        }
    }
}

/// Exchanges ever smaller squares of bits across the diagonal: 32 × 32, 16 × 16, … 1 × 1.
#[inline(always)]
fn transpose(block: &mut [u64; 64]) {
    exchange::<32>(block, 0x0000_0000_FFFF_FFFF);
    exchange::<16>(block, 0x0000_FFFF_0000_FFFF);
    exchange::<8>(block, 0x00FF_00FF_00FF_00FF);
    exchange::<4>(block, 0x0F0F_0F0F_0F0F_0F0F);
    exchange::<2>(block, 0x3333_3333_3333_3333);
    exchange::<1>(block, 0x5555_5555_5555_5555);
}

#[inline(always)]
fn exchange<const SIZE: usize>(block: &mut [u64; 64], low: u64) {
    for pair in block.chunks_exact_mut(2 * SIZE) {
        let (upper, lower) = pair.split_at_mut(SIZE);
        for (a, b) in upper.iter_mut().zip(lower) {
            let differ = (*a >> SIZE ^ *b) & low;
            *a ^= differ << SIZE;
            *b ^= differ;
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    //! AVX2 and AVX-512. The calls into here are checked by `Kernel`.

    use std::arch::x86_64::*;

    use super::{Bound, Lanes, Script, Weights, ZeroRule, run, transpose};

    /// 16 registers: 8 hold sums.
    #[target_feature(enable = "avx2")]
    pub(super) fn run_avx2(script: &Script, weights: Weights<'_>, rule: ZeroRule, zeros: &mut [u64]) {
        // SAFETY: this function's caller made sure of AVX2.
        unsafe { run::<Avx2, 2>(script, weights, rule, zeros) }
    }

    /// 32 registers: 16 hold sums.
    #[target_feature(enable = "avx512f,avx512bw")]
    pub(super) fn run_avx512(script: &Script, weights: Weights<'_>, rule: ZeroRule, zeros: &mut [u64]) {
        // SAFETY: this function's caller made sure of AVX-512 F and BW.
        unsafe { run::<Avx512, 8>(script, weights, rule, zeros) }
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
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Random(u64);

    impl Random {
        fn next(&mut self) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            self.0 >> 24
        }
    }

    /// Every variant against sums in wide integers: sizes that leave a rest behind each kind of tile, weights that wrap around, rules at
    /// both ends of their range.
    #[test]
    fn all_variants_agree_with_wide_integers() {
        let mut random = Random(1);
        for l1 in [2usize, 16, 128, 130, 264, 512, 1024, 1032, 1280] {
            let half = l1 / 2;
            let bias: Vec<i16> = (0..l1).map(|_| random.next() as i16).collect();
            // The second block is small, so that sums near 0 and near the rules' limits occur too.
            let blocks = [
                BlockWeights::I16((0..20 * l1).map(|_| random.next() as i16).collect()),
                BlockWeights::I8((0..20 * l1).map(|_| random.next() as i8).collect()),
                BlockWeights::I16((0..20 * l1).map(|_| random.next() as i16 % 300).collect()),
            ];
            let weights = Weights { bias: &bias, blocks: &blocks.each_ref() };
            let mut script = Script::default();
            let mut sums = vec![0i64; l1];
            let mut all_sums = Vec::new();
            for step in 0..40 {
                let fresh = step == 0 || random.next().is_multiple_of(5);
                script.step(fresh);
                if fresh {
                    sums = bias.iter().map(|&bias| i64::from(bias)).collect();
                }
                for block in &blocks {
                    let mut pick = |sign: i64| -> Vec<u32> {
                        let rows: Vec<u32> = (0..random.next() % 4).map(|_| (random.next() % 20) as u32).collect();
                        for &row in &rows {
                            for (column, sum) in sums.iter_mut().enumerate() {
                                *sum += sign
                                    * match block {
                                        BlockWeights::I16(block) => i64::from(block[row as usize * l1 + column]),
                                        BlockWeights::I8(block) => i64::from(block[row as usize * l1 + column]),
                                    };
                            }
                        }
                        rows
                    };
                    let (added, removed) = (pick(1), pick(-1));
                    script.block(&added, &removed);
                }
                all_sums.push(sums.clone());
            }
            for (clamp, limit) in [
                (127, 128),
                (255, 257),
                (255, 512),
                (255, 1),
                (255, i32::MAX),
                (256, 70_000),
                (32_767, 1 << 28),
                (32_767, i32::MAX),
                (1, 1),
            ] {
                let mut expected = vec![0u64; 40 * half.div_ceil(64)];
                for (step, sums) in all_sums.iter().enumerate() {
                    for neuron in 0..half {
                        let clip = |sum: i64| i64::from(sum as i16).clamp(0, clamp);
                        let zero = clip(sums[neuron]) * clip(sums[neuron + half]) < i64::from(limit);
                        expected[step * half.div_ceil(64) + neuron / 64] |= u64::from(zero) << (neuron % 64);
                    }
                }
                let rule = ZeroRule { clamp: clamp as i32, limit };
                for kernel in Kernel::available() {
                    let mut zeros = vec![u64::MAX; expected.len()];
                    kernel.run(&script, weights, rule, &mut zeros);
                    assert!(zeros == expected, "{kernel:?} L1={l1} {rule}");
                }
            }
        }
    }

    #[test]
    fn transposition_moves_every_bit() {
        let mut random = Random(2);
        let block: [u64; 64] = std::array::from_fn(|_| random.next() << 24 ^ random.next());
        let expected: [u64; 64] =
            std::array::from_fn(|j| block.iter().enumerate().map(|(i, word)| (word >> j & 1) << i).fold(0, |all, bit| all | bit));
        for kernel in Kernel::available() {
            let mut turned = block;
            kernel.transpose(&mut turned);
            assert_eq!(turned, expected, "{kernel:?}");
        }
    }
}
