//! The reference backend: AND and count, in tiles over places, neurons and samples, on all threads.

use rayon::prelude::*;

use super::{OverlapCounter, SearchBackend};
use crate::{
    ctx::Ctx,
    error::Result,
    permutation::{
        kernel::{Kernel, LANE},
        matrix::{ActivationMatrix, zeroed},
    },
};

/// Words of a column that are worked on at once: rows and columns of one kernel call then fit the first-level cache.
const CHUNK: usize = 256;
/// Blocks of one tile: their places' masks (16 × 4 × 256 words = 128 KiB) stay in the second-level cache.
const TILE_BLOCKS: usize = 16;
/// Least number of neurons of one tile, so that making the masks stays a small part of the work.
const LEAST_NEURONS: usize = 64;

/// Runs on the threads of the current rayon pool.
#[derive(Debug, Clone, Copy)]
pub struct Cpu {
    kernel: Kernel,
}

impl Cpu {
    /// With the fastest kernel of this processor.
    pub fn new() -> Self {
        Self { kernel: Kernel::best() }
    }

    /// With a given kernel. For tests and measurements.
    pub fn with_kernel(kernel: Kernel) -> Self {
        Self { kernel }
    }
}

impl Default for Cpu {
    fn default() -> Self {
        Self::new()
    }
}

impl SearchBackend for Cpu {
    fn name(&self) -> &'static str {
        "cpu"
    }

    fn device(&self) -> String {
        format!("processor, {}", self.kernel.name())
    }

    fn is_accelerator(&self) -> bool {
        false
    }

    fn prepare<'a>(&'a self, matrix: &'a ActivationMatrix) -> Result<Box<dyn OverlapCounter + 'a>> {
        Ok(Box::new(Counter { kernel: self.kernel, matrix }))
    }
}

struct Counter<'a> {
    kernel: Kernel,
    matrix: &'a ActivationMatrix,
}

impl OverlapCounter for Counter<'_> {
    fn overlap_counts(&mut self, blocks: &[[u32; 4]], counts: &mut [u32], ctx: &Ctx) -> Result<()> {
        let half = self.matrix.half();
        let groups = blocks.len().div_ceil(TILE_BLOCKS);
        // Enough tiles for all threads, but no narrower than needed: every tile reads its blocks' columns again.
        let wanted = (4 * rayon::current_num_threads()).div_ceil(groups.max(1));
        let width = half.div_ceil(wanted).next_multiple_of(4).max(LEAST_NEURONS);
        let tiles: Vec<(usize, usize)> = (0..groups).flat_map(|group| (0..half).step_by(width).map(move |left| (group, left))).collect();
        let this = &*self;
        let tile_counts = tiles
            .par_iter()
            .map(|&(group, left)| {
                let blocks = &blocks[group * TILE_BLOCKS..blocks.len().min((group + 1) * TILE_BLOCKS)];
                this.count_tile(blocks, left..half.min(left + width), ctx)
            })
            .collect::<Result<Vec<_>>>()?;
        for ((group, left), tile) in tiles.into_iter().zip(tile_counts) {
            let width = width.min(half - left);
            let rows = counts[group * TILE_BLOCKS * 4 * half..].chunks_exact_mut(half);
            for (row, line) in rows.zip(tile.chunks_exact(width)) {
                row[left..left + width].copy_from_slice(line);
            }
        }
        Ok(())
    }
}

impl Counter<'_> {
    /// The counts of a few blocks with a range of neurons (a multiple of 4 of them), place by place.
    fn count_tile(&self, blocks: &[[u32; 4]], neurons: std::ops::Range<usize>, ctx: &Ctx) -> Result<Vec<u32>> {
        let width = neurons.len();
        let stride = self.matrix.words_per_column();
        let mut counts = vec![0u32; 4 * blocks.len() * width];
        let mut masks = zeroed(4 * blocks.len() * CHUNK.min(stride));
        let masks: &mut [u64] = bytemuck::cast_slice_mut(&mut masks);
        for first in (0..stride).step_by(CHUNK) {
            ctx.check()?;
            let length = CHUNK.min(stride - first);
            debug_assert!(length.is_multiple_of(LANE));
            let chunk = |neuron: usize| &self.matrix.column(neuron)[first..first + length];
            for (block, masks) in blocks.iter().zip(masks.chunks_exact_mut(4 * length)) {
                mask_places(block.map(|neuron| chunk(neuron as usize)), masks);
            }
            for column in (0..width).step_by(4) {
                let columns = std::array::from_fn(|k| chunk(neurons.start + column + k));
                for (block, masks) in masks.chunks_exact(4 * length).take(blocks.len()).enumerate() {
                    let rows = std::array::from_fn(|s| &masks[s * length..][..length]);
                    let tile = self.kernel.count_shared(rows, columns);
                    for (s, line) in tile.iter().enumerate() {
                        let counts = &mut counts[(4 * block + s) * width + column..][..4];
                        // A count is at most the number of samples, which fits.
                        counts.iter_mut().zip(line).for_each(|(count, &more)| *count += more as u32);
                    }
                }
            }
        }
        Ok(counts)
    }
}

/// For each place of a block, the samples in which the three other neurons are zero; one place after the other.
fn mask_places([a, b, c, d]: [&[u64]; 4], masks: &mut [u64]) {
    let length = a.len();
    let (first, rest) = masks.split_at_mut(length);
    let (second, rest) = rest.split_at_mut(length);
    let (third, fourth) = rest.split_at_mut(length);
    for w in 0..length {
        let (ab, cd) = (a[w] & b[w], c[w] & d[w]);
        first[w] = b[w] & cd;
        second[w] = a[w] & cd;
        third[w] = ab & d[w];
        fourth[w] = ab & c[w];
    }
}
