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
