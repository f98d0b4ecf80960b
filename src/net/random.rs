//! Random networks from a seed: for tests, benchmarks and the example, where no trained net may be committed.

use super::{Architecture, BlockWeights, Dense, FeatureSet, FtBlock, LayerStack, QuantizedNetwork, generation, padded};
use crate::random::SplitMix;

/// A network of the named generation with its L2 and L3, the given L1, and weights made from `seed`.
///
/// Its transformer outputs are zero about as often as those of trained nets, and in groups of neurons that are active together, so that a
/// permutation has something to find.
///
/// # Panics
/// When the generation is unknown or L1 is odd: the callers name constants.
pub fn random_network(generation_name: &str, l1: usize, seed: u64) -> QuantizedNetwork {
    let generation = generation(generation_name).expect("the callers name generations of the table");
    assert!(l1.is_multiple_of(2), "L1 is even");
    let features = FeatureSet::of_blocks(generation.blocks, generation.composed).expect("every generation's set is valid");
    let architecture =
        Architecture { generation, features, l1, l2: generation.l2, l3: generation.l3, quantization: generation.quantizations[0] };
    let mut random = SplitMix::new(seed);
    let ft_bias = (0..l1).map(|_| random.centred(-60, 60) as i16).collect();
    let blocks = architecture.features.blocks.iter().map(|&block| {
        let narrow = architecture.is_narrow(block);
        let mut wide = Vec::with_capacity(block.rows() * l1);
        for _ in 0..block.rows() {
            // Neurons of one group share a part of their weight in each row.
            let shared: Vec<i64> = (0..8).map(|_| random.centred(-40, 40)).collect();
            let mut bits = 0;
            for neuron in 0..l1 {
                if neuron % 8 == 0 {
                    bits = random.next_u64();
                }
                let own = i64::from((bits >> (8 * (neuron % 8)) & 0xFF) as u8 as i8) / 6;
                wide.push((shared[neuron * 5 % 8] + own) as i16);
            }
        }
        let psqt = (0..block.rows() * generation.psqt_buckets).map(|_| random.centred(-9000, 9000) as i32).collect();
        let weights =
            if narrow { BlockWeights::I8(wide.into_iter().map(|weight| weight as i8).collect()) } else { BlockWeights::I16(wide) };
        FtBlock { block, weights, psqt }
    });
    let blocks = blocks.collect();
    let stacks = (0..generation.stacks)
        .map(|_| LayerStack {
            layers: architecture.dense_shapes().map(|(outputs, inputs)| {
                let bias = (0..outputs).map(|_| random.centred(-8000, 8000) as i32).collect();
                let mut weights = vec![0i8; outputs * padded(inputs)];
                for row in weights.chunks_exact_mut(padded(inputs)) {
                    row[..inputs].iter_mut().for_each(|weight| *weight = random.centred(-127, 127) as i8);
                }
                Dense { inputs, bias, weights }
            }),
        })
        .collect();
    QuantizedNetwork { architecture, description: format!("Random network, seed {seed}").into(), ft_bias, blocks, stacks }
}
