use proptest::prelude::*;

use super::*;
use crate::net::{FeatureSet, ThreatTable, generation_names, random_network};
use crate::positions::generate;

#[track_caller]
fn assert_sound(network: &QuantizedNetwork, positions: &[Position]) {
    let bounds = bounds(network, &Ctx::silent()).unwrap();
    let seen = largest_seen(network, positions, &Ctx::silent()).unwrap();
    for (neuron, (bound, seen)) in bounds.neurons.iter().zip(seen).enumerate() {
        assert!(
            bound.low <= seen.low && seen.high <= bound.high,
            "{} neuron {neuron}: {seen:?} in {bound:?}",
            network.architecture.features.name()
        );
    }
    for trace in positions.iter().map(|position| super::super::trace(network, position)) {
        for bucket in trace.buckets {
            for (range, sums) in bounds.layers.iter().zip([&bucket.l1, &bucket.l2, &vec![bucket.raw.positional]]) {
                let within = |sum: &i32| (range.sums.low..=range.sums.high).contains(&i64::from(*sum));
                assert!(!range.sums.fits_i32() || sums.iter().all(within), "{range:?} {sums:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10))]
    #[test]
    fn no_position_exceeds_a_bound(seed in any::<u64>(), which in 0usize..21) {
        let network = random_network(generation_names()[which], 4, seed);
        assert_sound(&network, &generate(seed, 150));
    }
}

/// Sets that no generation trained, with several kinds of piece squares.
#[test]
fn unusual_sets_are_bounded_too() {
    for blocks in [
        vec![Block::HalfKa],
        vec![Block::HalfKp, Block::HalfKaV2],
        vec![Block::FullThreats(ThreatTable::T59808)],
        vec![Block::Pp3Wide],
        vec![Block::HalfKaV2Hm, Block::FullThreats(ThreatTable::T60144)],
    ] {
        let mut network = random_network("SFNNv16", 4, 3);
        let mut random = crate::random::SplitMix::new(4);
        network.blocks = blocks
            .iter()
            .map(|block| FtBlock {
                block: *block,
                weights: BlockWeights::I16((0..block.rows() * 4).map(|_| random.centred(-100, 100) as i16).collect()),
                psqt: vec![0; block.rows() * 8],
            })
            .collect();
        network.architecture.features = FeatureSet { blocks, composed: true, hash: 0 };
        assert_sound(&network, &generate(6, 400));
    }
}

/// Where only one man has a weight, the bound is that weight: the start of the game has two own knights and no more can be missed.
#[test]
fn simple_bounds_are_exact() {
    let mut network = random_network("SFNNv5", 2, 3);
    network.ft_bias.fill(5);
    let BlockWeights::I16(weights) = &mut network.blocks[0].weights else { panic!("piece squares are i16") };
    weights.fill(0);
    // Own queens on every square of one king bucket, in column 0: nine of them at most.
    (0..64).for_each(|square| weights[(704 * 31 + 64 * 8 + square) * 2] = 100);
    // The enemy king on one square, in column 1.
    weights[(704 * 31 + 640 + 60) * 2 + 1] = -7;
    let bounds = bounds(&network, &Ctx::silent()).unwrap();
    assert_eq!(bounds.neurons, [Range { low: 5, high: 905 }, Range { low: -2, high: 5 }]);
    assert_eq!(bounds.worst(), Some((0, Range { low: 5, high: 905 })));
}
