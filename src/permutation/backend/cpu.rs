//! The reference backend: AND and count, in tiles over places, neurons and samples, on all threads.

use rayon::prelude::*;

use super::{OverlapCounter, SearchBackend};
use crate::{
    ctx::Ctx,
    error::Result,
    permutation::{
        kernel::{Kernel, LANE, common},
        matrix::{ActivationMatrix, zeroed},
    },
};

/// Places of one tile: their masks (64 × 256 or 512 words, 128 or 256 KiB) stay in the second-level cache.
const TILE_PLACES: usize = 64;
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
        self.overlap_counts_but(blocks, &vec![None; blocks.len()], counts, ctx)
    }

    fn overlap_counts_but(&mut self, blocks: &[[u32; 4]], known: &[Option<usize>], counts: &mut [u32], ctx: &Ctx) -> Result<()> {
        let half = self.matrix.half();
        let places: Vec<Place> = blocks
            .iter()
            .zip(known)
            .enumerate()
            .flat_map(|(block, (neurons, known))| {
                (0..4).filter(|place| *known != Some(*place)).map(move |place| {
                    let others = std::array::from_fn(|k| neurons[if k < place { k } else { k + 1 }]);
                    Place { row: 4 * block + place, others }
                })
            })
            .collect();
        let groups = places.len().div_ceil(TILE_PLACES);
        // Enough tiles for all threads, but no narrower than needed: every tile reads its blocks' columns again.
        let wanted = (4 * rayon::current_num_threads()).div_ceil(groups.max(1));
        let width = half.div_ceil(wanted).next_multiple_of(4).max(LEAST_NEURONS);
        let tiles: Vec<(&[Place], usize)> =
            places.chunks(TILE_PLACES).flat_map(|places| (0..half).step_by(width).map(move |left| (places, left))).collect();
        let this = &*self;
        let tile_counts = tiles
            .par_iter()
            .map(|&(places, left)| this.count_tile(places, left..half.min(left + width), ctx))
            .collect::<Result<Vec<_>>>()?;
        for ((places, left), tile) in tiles.into_iter().zip(tile_counts) {
            let width = width.min(half - left);
            for (place, line) in places.iter().zip(tile.chunks_exact(width)) {
                counts[place.row * half + left..][..width].copy_from_slice(line);
            }
        }
        Ok(())
    }
}

/// A place by the neurons that stand with it in its block, and the row of its counts.
struct Place {
    row: usize,
    others: [u32; 3],
}

impl Counter<'_> {
    /// The counts of a few places with a range of neurons (a multiple of 4 of them), place by place.
    fn count_tile(&self, places: &[Place], neurons: std::ops::Range<usize>, ctx: &Ctx) -> Result<Vec<u32>> {
        let width = neurons.len();
        let stride = self.matrix.words_per_column();
        // Rows and columns of one kernel call fit the first-level cache.
        let at_once = self.kernel.words_at_once();
        // The kernel takes four places at a time: the last ones are filled up with masks that have no bit.
        let rows = places.len().next_multiple_of(4);
        let mut counts = vec![0u32; rows * width];
        let mut masks = zeroed(rows * at_once.min(stride));
        let masks: &mut [u64] = bytemuck::cast_slice_mut(&mut masks);
        for first in (0..stride).step_by(at_once) {
            ctx.check()?;
            let length = at_once.min(stride - first);
            debug_assert!(length.is_multiple_of(LANE));
            let chunk = |neuron: usize| &self.matrix.column(neuron)[first..first + length];
            let (filled, rest) = masks.split_at_mut(places.len() * length);
            rest.fill(0);
            for (place, mask) in places.iter().zip(filled.chunks_exact_mut(length)) {
                common(mask, &place.others.map(|neuron| chunk(neuron as usize)));
            }
            for column in (0..width).step_by(4) {
                let columns = std::array::from_fn(|k| chunk(neurons.start + column + k));
                for (four, masks) in masks.chunks_exact(4 * length).take(rows / 4).enumerate() {
                    let rows = std::array::from_fn(|s| &masks[s * length..][..length]);
                    let tile = self.kernel.count_shared(rows, columns);
                    for (s, line) in tile.iter().enumerate() {
                        let counts = &mut counts[(4 * four + s) * width + column..][..4];
                        // A count is at most the number of samples, which fits.
                        counts.iter_mut().zip(line).for_each(|(count, &more)| *count += more as u32);
                    }
                }
            }
        }
        counts.truncate(places.len() * width);
        Ok(counts)
    }
}
