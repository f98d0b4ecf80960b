use proptest::prelude::*;

use super::super::trace;
use super::*;
use crate::net::{Permutation, generation_names, random_network};
use crate::positions::generate;

fn expected(network: &QuantizedNetwork, positions: &[Position]) -> Vec<Raw> {
    positions.iter().flat_map(|position| trace(network, position).buckets).map(|bucket| bucket.raw).collect()
}

/// Every generation, every variant, weights that wrap around.
#[test]
fn all_variants_agree_with_the_reference() {
    let positions = generate(3, 70);
    for (name, l1) in generation_names().into_iter().zip([32, 64, 136, 128].into_iter().cycle()) {
        let mut network = random_network(name, l1, 7);
        network.ft_bias.iter_mut().step_by(3).for_each(|bias| *bias = bias.wrapping_mul(901));
        let expected = expected(&network, &positions);
        for kernel in Kernel::available() {
            for dense in DenseKernel::available() {
                let evaluator = Evaluator::with_kernels(&network, kernel, dense).unwrap();
                let found = evaluator.evaluate_buckets(&positions, &Ctx::silent()).unwrap();
                assert!(found == expected, "{name} {kernel:?} {dense:?}");
            }
        }
    }
}

#[test]
fn batches_join_and_the_engines_bucket_is_taken() {
    let network = random_network("SFNNv3", 2, 5);
    let few = generate(9, 500);
    let many: Vec<Position> = few.iter().copied().cycle().take(BYTES_A_BATCH / 4 + 777).collect();
    let found = Evaluator::new(&network).unwrap().evaluate(&many, &Ctx::silent()).unwrap();
    for (index, found) in found.iter().enumerate().filter(|(index, _)| index % 997 == 0 || *index > BYTES_A_BATCH / 4) {
        let trace = trace(&network, &few[index % 500]);
        assert_eq!((found.bucket, found.raw), (trace.bucket, trace.buckets[trace.bucket].raw));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Random nets, positions and permutations.
    #[test]
    fn permuted_nets_evaluate_alike(seed in any::<u64>(), which in 0usize..21, size in 1usize..80) {
        let mut network = random_network(generation_names()[which], 2 * size, seed);
        let positions = generate(seed, 12);
        let before = expected(&network, &positions);
        prop_assert_eq!(&Evaluator::new(&network).unwrap().evaluate_buckets(&positions, &Ctx::silent()).unwrap(), &before);
        if network.architecture.generation.wiring.pairwise {
            let mut order: Vec<u32> = (0..size as u32).collect();
            let mut random = crate::random::SplitMix::new(seed);
            for at in (1..size).rev() {
                order.swap(at, (random.next_u64() % (at as u64 + 1)) as usize);
            }
            let order = Permutation::try_from(order.as_slice()).unwrap();
            let copy = network.permuted(order.as_slice());
            network.permute(order.as_slice());
            prop_assert!(copy == network);
            prop_assert_eq!(&Evaluator::new(&network).unwrap().evaluate_buckets(&positions, &Ctx::silent()).unwrap(), &before);
        }
    }
}
