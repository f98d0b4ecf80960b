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
mod tests {
    use std::sync::{Arc, Mutex, atomic::AtomicBool};

    use super::*;
    use crate::{
        ctx::Progress,
        permutation::{Algorithm, Kernel, SearchParams, search_with, write_permutation},
    };

    /// A matrix of correlated columns, with and without a whole number of words and tiles.
    fn matrix(positions: usize, half: usize) -> ActivationMatrix {
        let mut random = crate::random::Xoshiro::new(positions as u64);
        let rows = (0..positions.div_ceil(32))
            .flat_map(|_| {
                let common: [u64; 3] = std::array::from_fn(|_| random.next_u64());
                (0..half).map(|neuron| common[neuron % 3] & random.next_u64() | random.next_u64() & random.next_u64()).collect::<Vec<_>>()
            })
            .collect::<Vec<u64>>();
        ActivationMatrix::from_word_rows(positions, half, &rows).unwrap()
    }

    const SIZES: [(usize, usize); 5] = [(1, 4), (33, 8), (700, 68), (2000, 132), (20_000, 64)];

    /// The bytes of everything that a search can ask a backend for, on a pool of `threads`.
    fn bytes(backend: &dyn SearchBackend, threads: usize) -> Vec<u8> {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(|| {
            let mut bytes = Vec::new();
            for (positions, half) in SIZES {
                let matrix = matrix(positions, half);
                let blocks: Vec<[u32; 4]> =
                    (0..half as u32 / 4).map(|block| [4 * block + 2, 4 * block, 4 * block + 3, 4 * block + 1]).collect();
                for blocks in [&blocks[..], &blocks[blocks.len() / 2..]] {
                    let mut counts = vec![0; 4 * blocks.len() * half];
                    backend.prepare(&matrix).unwrap().overlap_counts(blocks, &mut counts, &Ctx::silent()).unwrap();
                    bytes.extend(counts.iter().flat_map(|count| count.to_le_bytes()));
                }
                let params = SearchParams { algorithm: Algorithm::Anneal, budget: Some(5000), ..SearchParams::default() };
                let outcome = search_with(backend, &matrix, &params, &Ctx::silent(), |_| {}).unwrap();
                write_permutation(&outcome.permutation, &mut bytes).unwrap();
            }
            bytes
        })
    }

    /// The definition, bit by bit.
    #[test]
    fn the_reference_counts_what_it_says() {
        let matrix = matrix(700, 12);
        let bit = |neuron: u32, sample: usize| matrix.column(neuron as usize)[sample / 64] >> (sample % 64) & 1 == 1;
        let blocks = [[3, 9, 0, 5], [1, 2, 11, 7]];
        let mut counts = vec![0; 8 * 12];
        Cpu::new().prepare(&matrix).unwrap().overlap_counts(&blocks, &mut counts, &Ctx::silent()).unwrap();
        for (place, row) in counts.chunks(12).enumerate() {
            for (neuron, &count) in (0..).zip(row) {
                let mut block = blocks[place / 4];
                block[place % 4] = neuron;
                let expected = (0..1400).filter(|&sample| block.iter().all(|&neuron| bit(neuron, sample))).count();
                assert_eq!(count as usize, expected);
            }
        }
    }

    #[test]
    fn every_kernel_and_thread_count_gives_the_same_bytes() {
        let expected = bytes(&Cpu::with_kernel(Kernel::available()[0]), 1);
        for &kernel in Kernel::available() {
            for threads in [1, 2, 3, 8] {
                assert!(bytes(&Cpu::with_kernel(kernel), threads) == expected, "{} on {threads} threads", kernel.name());
            }
        }
    }

    /// Compares a device with the reference. A device that is not there is a failure in CI and a printed reason elsewhere.
    #[cfg(any(feature = "opencl", feature = "torch"))]
    fn compare(name: &str, found: Result<Box<dyn SearchBackend>>) {
        match found {
            Ok(backend) => {
                println!("{name}: {}", backend.device());
                assert!(bytes(&*backend, 2) == bytes(&Cpu::new(), 2), "{name} differs from the reference");
            }
            Err(error) => {
                assert!(std::env::var_os("CI").is_none(), "{name}: {error:?}");
                println!("skipped: {error:?}");
            }
        }
    }

    #[test]
    #[cfg(feature = "opencl")]
    fn opencl_gives_the_same_bytes() {
        let found = opencl::find();
        compare("opencl", found);
        // A budget of a few columns' words makes many tiles of places and of samples.
        compare("opencl in 64 KiB", opencl::find_with_budget(64 << 10));
    }

    #[test]
    #[cfg(feature = "torch")]
    fn torch_gives_the_same_bytes() {
        compare("torch", torch::find());
    }

    struct Notes(Mutex<Vec<String>>);

    impl Progress for Notes {
        fn warn(&self, message: &str) {
            self.0.lock().unwrap().push(message.into());
        }
    }

    #[test]
    fn auto_stays_on_the_cpu_for_small_work_without_a_word() {
        let notes = Arc::new(Notes(Mutex::default()));
        let ctx = Ctx::new(Arc::new(AtomicBool::new(false)), notes.clone(), Backend::Auto);
        assert_eq!(select_backend(Backend::Auto, &matrix(32, 8), &ctx).unwrap().name(), "cpu");
        assert_eq!(select_backend(Backend::Cpu, &matrix(32, 8), &ctx).unwrap().name(), "cpu");
        assert!(notes.0.lock().unwrap().is_empty());
    }

    #[test]
    #[cfg(not(feature = "torch"))]
    fn a_backend_that_is_not_in_this_build_says_how_to_get_it() {
        let error = select_backend(Backend::Torch, &matrix(32, 8), &Ctx::silent()).err().unwrap();
        assert!(error.help_text().unwrap().contains("--features torch"));
    }

    #[test]
    fn cancelling_ends_the_search() {
        let ctx = Ctx::new(Arc::new(AtomicBool::new(true)), Arc::new(crate::ctx::Silent), Backend::Cpu);
        let error = search_with(&Cpu::new(), &matrix(64, 8), &SearchParams::default(), &ctx, |_| {}).unwrap_err();
        assert_eq!(error.kind(), crate::error::Kind::Interrupted);
    }
}
