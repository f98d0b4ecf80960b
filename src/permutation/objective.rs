//! What a permutation is judged by: groups of four neurons that are zero together, which an engine skips.
//! Knows nothing of how permutations are found.

use rayon::prelude::*;

use super::{kernel::Kernel, matrix::ActivationMatrix};
use crate::{
    error::{Error, Result},
    net::Permutation,
};

/// Neurons that an engine skips together when all are zero.
pub const BLOCK: usize = 4;

/// How many blocks of a matrix are zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ZeroBlocks {
    /// Blocks that are zero, summed over all samples.
    pub zero: u64,
    /// All blocks of all samples: `2 * positions * (L1/2 / 4)`.
    pub total: u64,
    /// Positions, for the mean.
    pub positions: u64,
}

impl ZeroBlocks {
    /// Share of the blocks that are zero, 0 to 1.
    pub fn fraction(&self) -> f64 {
        self.zero as f64 / self.total as f64
    }

    /// The share in percent with six decimals, as `ftperm.py` prints it.
    pub fn percent(&self) -> String {
        format!("{:.6}", 100.0 * self.fraction())
    }

    /// Mean number of blocks of one position, both perspectives together, that an engine must multiply.
    pub fn mean_nonzero(&self) -> f64 {
        (self.total - self.zero) as f64 / self.positions as f64
    }
}

/// Counts the blocks of four consecutive neurons, after `permutation`, that are zero.
///
/// # Errors
/// When the permutation does not fit the matrix, or L1/2 is not a multiple of 4.
pub fn zero_blocks(matrix: &ActivationMatrix, permutation: &Permutation) -> Result<ZeroBlocks> {
    permutation.check_len(matrix.half())?;
    check_blocks(matrix)?;
    let kernel = Kernel::best();
    let blocks = permutation.as_slice().as_chunks::<BLOCK>().0;
    let zero = blocks.par_iter().map(|block| kernel.count_common(block.map(|neuron| matrix.column(neuron as usize)))).sum();
    Ok(ZeroBlocks { zero, total: matrix.samples() as u64 * blocks.len() as u64, positions: matrix.positions() as u64 })
}

/// # Errors
/// When the neurons of `matrix` do not divide into blocks.
pub(super) fn check_blocks(matrix: &ActivationMatrix) -> Result<()> {
    if matrix.half().is_multiple_of(BLOCK) {
        return Ok(());
    }
    Err(Error::new(format!("L1={} gives {} neurons, which do not divide into blocks of {BLOCK}", 2 * matrix.half(), matrix.half()))
        .help("a permutation can be searched and judged where L1/2 is a multiple of 4"))
}
