//! Where the counts of the search are computed. The CPU is the reference; every backend gives the same numbers.

mod cpu;
mod opencl;
mod torch;

pub use cpu::Cpu;

use super::matrix::ActivationMatrix;
use crate::{
    ctx::{Backend, Ctx},
    error::Result,
};

/// A device, or the processor, that can count for the search.
pub trait SearchBackend: Send + Sync {
    /// The name used on the command line.
    fn name(&self) -> &'static str;

    /// The device in words, for reports.
    fn device(&self) -> String;

    /// Whether it is something else than the processor, so that it may be faster than the reference.
    fn is_accelerator(&self) -> bool;

    /// Prepares counting over one matrix, for example by copying it to the device.
    ///
    /// # Errors
    /// When the device fails or has too little memory.
    fn prepare<'a>(&'a self, matrix: &'a ActivationMatrix) -> Result<Box<dyn OverlapCounter + 'a>>;
}

/// Computes the one thing that the search needs of the samples.
pub trait OverlapCounter {
    /// For each place of each of `blocks`, and each neuron: in how many samples would the place's block be zero if that neuron stood there?
    ///
    /// `blocks` names the four neurons of each block. `counts[(4 * b + s) * half + n]` becomes the number of samples in which neuron `n` and
    /// the neurons of `blocks[b]` other than the one at place `s` are zero. `half` = L1/2 must be a multiple of 4, and `counts` hold
    /// `4 * blocks.len() * half` numbers.
    ///
    /// # Errors
    /// When the work is cancelled, or the device fails.
    fn overlap_counts(&mut self, blocks: &[[u32; 4]], counts: &mut [u32], ctx: &Ctx) -> Result<()>;

    /// The same where of each block the counts of the place `known` are not asked for: the row may be left as it is.
    ///
    /// # Errors
    /// As [`overlap_counts`](Self::overlap_counts).
    fn overlap_counts_but(&mut self, blocks: &[[u32; 4]], known: &[Option<usize>], counts: &mut [u32], ctx: &Ctx) -> Result<()> {
        debug_assert_eq!(blocks.len(), known.len());
        self.overlap_counts(blocks, counts, ctx)
    }
}

/// Least work of one full count, in words, for which `auto` looks for an accelerator: below it the processor needs less than half a second,
/// which is what starting a device takes.
const WORTH_A_DEVICE: u128 = 1 << 33;

/// The backend that `wanted` says, for a search over `matrix`. `auto` takes an accelerator where the work is large and one is there, and the
/// processor otherwise, with a note where an accelerator was looked for.
///
/// # Errors
/// When a backend is asked for by name and is missing; the help says what to install.
pub fn select_backend(wanted: Backend, matrix: &ActivationMatrix, ctx: &Ctx) -> Result<Box<dyn SearchBackend>> {
    match wanted {
        Backend::Cpu => Ok(Box::new(Cpu::new())),
        Backend::OpenCl => opencl::find(),
        Backend::Torch => torch::find(),
        Backend::Auto => {
            let work = (matrix.half() as u128).pow(2) * matrix.words_per_column() as u128;
            if work < WORTH_A_DEVICE {
                return Ok(Box::new(Cpu::new()));
            }
            let mut reasons = Vec::new();
            for (name, found) in [("opencl", opencl::find()), ("torch", torch::find())] {
                match found {
                    Ok(backend) if backend.is_accelerator() => return Ok(backend),
                    Ok(backend) => reasons.push(format!("{name}: only `{}`, which is not an accelerator", backend.device())),
                    Err(error) => reasons.push(format!("{name}: {error}")),
                }
            }
            ctx.warn(format!("the search runs on the CPU ({})", reasons.join("; ")));
            Ok(Box::new(Cpu::new()))
        }
    }
}

#[cfg(test)]
mod tests;
