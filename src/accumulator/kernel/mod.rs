//! Accumulators, what is made of them, and bit transposition in the widest form that the processor has, chosen at run time. All forms
//! give the same bits; this folder alone of the room holds `unsafe`.
//!
//! A task's samples are worked off column by column: for a tile of columns, narrow enough for its sums to stay in registers, all samples
//! are run through before the next tile. So a sum is neither loaded nor stored, and what the samples of a task read of the weights, a
//! few hundred rows of one tile, comes from the second-level cache. Knows nothing of positions and of how the rows were found.
#![allow(unsafe_code, reason = "kernels call the processor's own instructions")]

mod lanes;
mod sinks;
#[cfg(target_arch = "x86_64")]
mod x86_64;

use super::script::Script;
use crate::cpu::{self, Feature};
use crate::net::BlockWeights;
use lanes::{Lanes, Plain};
pub(crate) use sinks::{Clipped, Products, Sink, Zeros};

/// The numbers that accumulators are made of.
#[derive(Clone, Copy)]
pub(crate) struct Weights<'a> {
    /// `[L1]`.
    pub(crate) bias: &'a [i16],
    /// `[rows][L1]` each.
    pub(crate) blocks: &'a [&'a BlockWeights],
}

impl Weights<'_> {
    fn half(&self) -> usize {
        self.bias.len() / 2
    }
}

/// Which compiled variant runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kernel {
    /// Plain loops in what every processor of the target has: SSE2 or NEON, for example.
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Kernel {
    /// The widest that this processor has.
    pub(crate) fn detect() -> Self {
        *Self::available().last().expect("the portable variant is always there")
    }

    /// All that this processor has, narrowest first.
    pub(crate) fn available() -> Vec<Self> {
        let variants: &[(Self, &[Feature])] = &[
            (Self::Portable, &[]),
            #[cfg(target_arch = "x86_64")]
            (Self::Avx2, &[Feature::Avx2]),
            #[cfg(target_arch = "x86_64")]
            (Self::Avx512, &[Feature::Avx512F, Feature::Avx512Bw]),
        ];
        cpu::runnable(variants)
    }

    /// Runs `script`, in 16 bits that wrap as engines' do, and hands the sums after each step to `sink`.
    ///
    /// # Panics
    /// When a row is out of range or the sink has no room for the steps.
    pub(crate) fn run<S: Sink>(self, script: &Script, weights: Weights<'_>, sink: &mut S) {
        sink.check(script.steps(), weights.half());
        match self {
            Self::Portable => run_portable(script, weights, sink),
            // SAFETY: `available` lists the variant only where the processor has its instructions.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => unsafe { x86_64::run_avx2(script, weights, sink) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => unsafe { x86_64::run_avx512(script, weights, sink) },
        }
    }

    /// Exchanges bit `j` of word `i` with bit `i` of word `j`.
    pub(crate) fn transpose(self, block: &mut [u64; 64]) {
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

fn run_portable<S: Sink>(script: &Script, weights: Weights<'_>, sink: &mut S) {
    // SAFETY: `Plain` needs nothing special.
    unsafe { run::<Plain, S, 2>(script, weights, sink) }
}

/// Tiles of `32 * K` neurons while they fit, then of 64, then the rest one by one.
///
/// # Safety
/// As for `L`.
#[inline(always)]
unsafe fn run<L: Lanes, S: Sink, const K: usize>(script: &Script, weights: Weights<'_>, sink: &mut S) {
    let half = weights.half();
    let mut together = Together::of(script, weights);
    let mut column = 0;
    while column + 32 * K <= half {
        // SAFETY: as the caller promised.
        unsafe { tile::<L, S, K>(script, weights, &mut together, column, sink) };
        column += 32 * K;
    }
    while column + 64 <= half {
        // SAFETY: as the caller promised.
        unsafe { tile::<L, S, 2>(script, weights, &mut together, column, sink) };
        column += 64;
    }
    if column < half {
        last_columns(script, weights, column, sink);
    }
}

/// Rows that a script uses many times, brought together tile by tile. Where they stand in a net they are a power of two apart: the tiles of
/// all rows meet in a few sets of the cache, which hold an eighth of what the whole cache does.
struct Together {
    /// For each block, where it is worth it, the rows that are used, and room for a tile of each.
    blocks: Vec<Option<(Vec<u32>, Tile)>>,
    /// As the script's rows; of blocks that are brought together, which of the used rows it is.
    rows: Vec<u32>,
}

/// Weights of a tile: `[rows][2][32 * K]`.
enum Tile {
    I8(Vec<i8>),
    I16(Vec<i16>),
}

impl Together {
    /// Fewer uses of a row are not worth a copy.
    const LEAST_USES: usize = 3;
    /// More rows would not stay in the cache.
    const MOST_ROWS: usize = 2048;

    fn of(script: &Script, weights: Weights<'_>) -> Self {
        let l1 = weights.bias.len().max(1);
        let mut numbers: Vec<Vec<u32>> = weights.blocks.iter().map(|block| vec![u32::MAX; block.len() / l1]).collect();
        let (mut used, mut uses) = (vec![Vec::new(); numbers.len()], vec![0; numbers.len()]);
        for_each_block(script, numbers.len(), |block, rows| {
            uses[block] += rows.len();
            for &row in &script.rows[rows] {
                let number = &mut numbers[block][row as usize];
                if *number == u32::MAX {
                    *number = used[block].len() as u32;
                    used[block].push(row);
                }
            }
        });
        let is_worth_it = |block: usize| used[block].len() <= Self::MOST_ROWS && uses[block] >= Self::LEAST_USES * used[block].len();
        let worth_it: Vec<bool> = (0..numbers.len()).map(is_worth_it).collect();
        let mut rows = Vec::with_capacity(script.rows.len());
        for_each_block(script, numbers.len(), |block, range| {
            let these = &script.rows[range];
            if worth_it[block] {
                rows.extend(these.iter().map(|row| numbers[block][*row as usize]));
            } else {
                rows.extend_from_slice(these);
            }
        });
        let blocks = used.into_iter().zip(worth_it).zip(weights.blocks).map(|((used, is_worth_it), block)| {
            let tile = match block {
                BlockWeights::I8(_) => Tile::I8(Vec::new()),
                BlockWeights::I16(_) => Tile::I16(Vec::new()),
            };
            is_worth_it.then_some((used, tile))
        });
        Self { blocks: blocks.collect(), rows }
    }

    /// Copies the tile's part of each used row.
    fn bring<const K: usize>(&mut self, weights: Weights<'_>, column: usize) {
        for (block, brought) in weights.blocks.iter().zip(&mut self.blocks) {
            match (block, brought) {
                (BlockWeights::I8(block), Some((used, Tile::I8(tile)))) => bring::<_, K>(block, weights, used, column, tile),
                (BlockWeights::I16(block), Some((used, Tile::I16(tile)))) => bring::<_, K>(block, weights, used, column, tile),
                _ => {}
            }
        }
    }

    /// Where the tile's rows of each block are.
    fn stored<'a, const K: usize>(&'a self, weights: Weights<'a>, column: usize) -> Vec<Stored<'a>> {
        let (there, here) = ([weights.bias.len(), column, column + weights.half()], [64 * K, 0, 32 * K]);
        let of = |(block, brought): (&&'a BlockWeights, &'a Option<(Vec<u32>, Tile)>)| match (block, brought) {
            (_, Some((_, Tile::I8(tile)))) => Stored::I8(Rows { values: tile, places: here }),
            (_, Some((_, Tile::I16(tile)))) => Stored::I16(Rows { values: tile, places: here }),
            (BlockWeights::I8(block), None) => Stored::I8(Rows { values: block, places: there }),
            (BlockWeights::I16(block), None) => Stored::I16(Rows { values: block, places: there }),
        };
        weights.blocks.iter().zip(&self.blocks).map(of).collect()
    }
}

fn bring<W: Weight, const K: usize>(block: &[W], weights: Weights<'_>, used: &[u32], column: usize, tile: &mut Vec<W>) {
    /// Rows that are called before they are copied: memory takes longer than a copy.
    const AHEAD: usize = 12;
    let stored = Rows { values: block, places: [weights.bias.len(), column, column + weights.half()] };
    tile.clear();
    tile.reserve(used.len() * 64 * K);
    prefetch_rows::<_, K>(stored, &used[..used.len().min(AHEAD)]);
    for (at, row) in used.iter().map(|row| *row as usize * weights.bias.len() + column).enumerate() {
        prefetch_rows::<_, K>(stored, used.get(at + AHEAD).map(std::slice::from_ref).unwrap_or_default());
        tile.extend_from_slice(&block[row..][..32 * K]);
        tile.extend_from_slice(&block[row + weights.half()..][..32 * K]);
    }
}

/// Hands out the rows of each step and block, as a range of the script's.
fn for_each_block(script: &Script, blocks: usize, mut work: impl FnMut(usize, std::ops::Range<usize>)) {
    let mut start = 0;
    for (&[added, removed], block) in script.counts.iter().zip((0..blocks).cycle()) {
        let end = start + usize::from(added) + usize::from(removed);
        work(block, start..end);
        start = end;
    }
}

/// The rows of a block.
#[derive(Clone, Copy)]
struct Rows<'a, W> {
    values: &'a [W],
    /// From row to row, and where in a row the tile's first and second neurons are.
    places: [usize; 3],
}

#[derive(Clone, Copy)]
enum Stored<'a> {
    I8(Rows<'a, i8>),
    I16(Rows<'a, i16>),
}

/// All steps for the neurons `column .. column + 32 * K`; `K` is even.
///
/// # Safety
/// As for `L`.
#[inline(always)]
unsafe fn tile<L: Lanes, S: Sink, const K: usize>(
    script: &Script,
    weights: Weights<'_>,
    together: &mut Together,
    column: usize,
    sink: &mut S,
) {
    let (half, blocks) = (weights.half(), weights.blocks.len());
    together.bring::<K>(weights, column);
    let stored = together.stored::<K>(weights, column);
    let bias = Rows { values: weights.bias, places: [0, column, column + half] };
    // The first step replaces these.
    let mut sums = Sums([[L::ZERO; K]; 2]);
    let mut rows = together.rows.as_slice();
    let mut coming = rows;
    for step in 0..=script.fresh.len() {
        // Rows to subtract were read a moment ago, rows to add long ago or never: the next step's are called while this one's are added.
        for (block, &[added, removed]) in stored.iter().zip(script.counts.get(step * blocks..).unwrap_or_default()) {
            let (added, rest) = coming.split_at(usize::from(added));
            coming = &rest[usize::from(removed)..];
            match *block {
                Stored::I16(block) => prefetch_rows::<_, K>(block, added),
                Stored::I8(block) => prefetch_rows::<_, K>(block, added),
            }
        }
        let Some(step) = step.checked_sub(1) else { continue };
        // SAFETY: as the caller promised, for this block and those below.
        unsafe {
            if script.fresh[step] {
                sums.0 = [[L::ZERO; K]; 2];
                sums.change::<_, true>(bias, &[0]);
            }
            for (block, &[added, removed]) in stored.iter().zip(&script.counts[step * blocks..]) {
                let (added, rest) = rows.split_at(usize::from(added));
                let (removed, rest) = rest.split_at(usize::from(removed));
                rows = rest;
                match *block {
                    Stored::I16(block) => {
                        sums.change::<_, true>(block, added);
                        sums.change::<_, false>(block, removed);
                    }
                    Stored::I8(block) => {
                        sums.change::<_, true>(block, added);
                        sums.change::<_, false>(block, removed);
                    }
                }
            }
            sink.tile(step, column, half, &sums.0);
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
    unsafe fn change<W: Weight, const ADD: bool>(&mut self, block: Rows<'_, W>, rows: &[u32]) {
        let [stride, places @ ..] = block.places;
        for &row in rows {
            for part in 0..2 {
                let row = block.values[row as usize * stride + places[part]..][..32 * K].as_chunks().0;
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

/// Asks for the tile's part of `rows`.
#[inline(always)]
fn prefetch_rows<W: Weight, const K: usize>(block: Rows<'_, W>, rows: &[u32]) {
    let [stride, places @ ..] = block.places;
    for &row in rows {
        for place in places {
            prefetch(&block.values[row as usize * stride + place..][..32 * K]);
        }
    }
}

/// Asks for what is read soon, one cache line after the other, without waiting for it; where the target has no such hint, nothing.
#[inline(always)]
pub(crate) fn prefetch<T>(values: &[T]) {
    const { assert!(size_of::<T>() > 0 && 64 % size_of::<T>() == 0, "a cache line holds whole values") };
    for line in values.chunks_exact(64 / size_of::<T>()) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a hint; it never faults, and every x86-64 processor has it.
        unsafe {
            std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(line.as_ptr().cast());
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = line;
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
fn last_columns<S: Sink>(script: &Script, weights: Weights<'_>, column: usize, sink: &mut S) {
    let (l1, half) = (weights.bias.len(), weights.half());
    for neuron in column..half {
        let mut pair = [0i16; 2];
        let mut rows = script.rows.as_slice();
        let steps = script.fresh.iter().zip(script.counts.chunks_exact(weights.blocks.len()));
        for (step, (&fresh, counts)) in steps.enumerate() {
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
            sink.pair(step, neuron, half, pair);
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

#[cfg(test)]
mod tests;
