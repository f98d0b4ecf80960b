//! Where the counts of the search are computed. The CPU is the reference; every backend gives the same numbers.

mod cpu;

pub use cpu::Cpu;

use super::matrix::ActivationMatrix;
use crate::{ctx::Ctx, error::Result};

/// Computes the one thing that the search needs of the samples.
pub trait SearchBackend: Send + Sync {
    /// The name used on the command line.
    fn name(&self) -> &'static str;

    /// For each place of each of `blocks`, and each neuron: in how many samples would the place's block be zero if that neuron stood there?
    ///
    /// `blocks` names the four neurons of each block. `counts[(4 * b + s) * half + n]` becomes the number of samples in which neuron `n` and
    /// the neurons of `blocks[b]` other than the one at place `s` are zero.
    ///
    /// # Errors
    /// When the work is cancelled, or the device fails.
    fn overlap_counts(&self, matrix: &ActivationMatrix, blocks: &[[u32; 4]], counts: &mut [u32], ctx: &Ctx) -> Result<()>;
}
