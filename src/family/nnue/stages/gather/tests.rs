use super::*;
use crate::net::BlockWeights;
use crate::positions::active_features;

/// As documented for the matrix, in wide integers, sample by sample.
fn plain(network: &QuantizedNetwork, positions: &[Position], rule: ZeroRule) -> ActivationMatrix {
    let (l1, half) = (network.architecture.l1, network.architecture.l1 / 2);
    let mut rows = vec![0u64; positions.len().div_ceil(32) * half];
    for (index, position) in positions.iter().enumerate() {
        for side in 0..2 {
            let mover = position.side_to_move();
            let color = if side == 0 { mover } else { mover.opponent() };
            let mut sums: Vec<i64> = network.ft_bias.iter().map(|bias| i64::from(*bias)).collect();
            for block in &network.blocks {
                let mut active = Vec::new();
                active_features(block.block, position, color, &mut active);
                for row in active.into_iter().map(|row| row as usize * l1) {
                    for (column, sum) in sums.iter_mut().enumerate() {
                        *sum += match &block.weights {
                            BlockWeights::I8(weights) => i64::from(weights[row + column]),
                            BlockWeights::I16(weights) if block.block.is_narrow() => i64::from(weights[row + column] as i8),
                            BlockWeights::I16(weights) => i64::from(weights[row + column]),
                        };
                    }
                }
            }
            for neuron in 0..half {
                let clip = |sum: i64| i64::from(sum as i16).clamp(0, i64::from(rule.clamp));
                let zero = clip(sums[neuron]) * clip(sums[neuron + half]) < i64::from(rule.limit);
                rows[index / 32 * half + neuron] |= u64::from(zero) << (index % 32 * 2 + side);
            }
        }
    }
    ActivationMatrix::from_word_rows(positions.len(), half, &rows).unwrap()
}

fn on_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
}

/// Every kind of block, every variant, several numbers of threads, sizes that are not multiples of a tile or of a word, weights that
/// wrap around: the matrix is that of plain sums.
#[test]
fn no_order_variant_or_thread_changes_a_bit() {
    let positions = crate::positions::generate(3, 1100);
    let ctx = Ctx::silent();
    for (generation, l1) in [("SFNNv4", 32), ("SFNNv5", 136), ("SFNNv10a", 32), ("SFNNv13", 64), ("SFNNv16", 128)] {
        let mut network = crate::net::random_network(generation, l1, 11);
        for large in [false, true] {
            if large {
                network.ft_bias.iter_mut().for_each(|bias| *bias = bias.wrapping_mul(31_000));
            }
            for rule in [None, Some(ZeroRule { clamp: 32_767, limit: 1 << 24 })] {
                let applied = rule.or(network.architecture.zero_rule()).unwrap();
                let expected = plain(&network, &positions, applied);
                for kernel in Kernel::available() {
                    for threads in [1, 3] {
                        let matrix = on_threads(threads, || gather_with(kernel, &network, &positions, rule, &ctx)).unwrap();
                        assert!(matrix == expected, "{generation} {kernel:?} {threads} threads, {applied}, large: {large}");
                    }
                }
            }
        }
    }
}

/// So narrow a net that a batch of the least size is soon full.
#[test]
fn batches_join() {
    let network = crate::net::random_network("SFNNv5", 2, 5);
    let few = crate::positions::generate(9, 1000);
    let many: Vec<Position> = few.iter().copied().cycle().take(WORDS_A_BATCH / 2 + 1033).collect();
    let ctx = Ctx::silent();
    let matrix = gather(&network, &many, None, &ctx).unwrap();
    let expected = plain(&network, &few, network.architecture.zero_rule().unwrap());
    let bits = |matrix: &ActivationMatrix, index: usize| matrix.column(0)[index / 32] >> (2 * (index % 32)) & 3;
    for index in 0..many.len() {
        assert_eq!(bits(&matrix, index), bits(&expected, index % 1000), "position {index}");
    }
}

#[test]
fn sums_beyond_16_bits_are_noticed_with_the_neuron() {
    let mut network = crate::net::random_network("SFNNv5", 8, 3);
    let positions = crate::positions::generate(5, 2500);
    assert_eq!(overflow(&network, &positions, &Ctx::silent()).unwrap(), (834, None));
    for neuron in [2, 6] {
        network.ft_bias[neuron] = i16::MAX;
        let BlockWeights::I16(weights) = &mut network.blocks[0].weights else { panic!("piece squares are i16") };
        weights.iter_mut().skip(neuron).step_by(8).for_each(|weight| *weight = neuron as i16);
    }
    let found = overflow(&network, &positions, &Ctx::silent()).unwrap().1.unwrap();
    assert_eq!((found.positions, found.neurons, found.neuron), (834, 2, 6));
    assert!(found.high > i64::from(i16::MAX) && found.high <= i64::from(i16::MAX) + 32 * 6, "{found}");
    assert!(found.to_string().starts_with("2 neurons overflow 16 bits in 834 positions; neuron 6 goes from "), "{found}");
}

#[test]
fn architectures_without_pairs_are_refused() {
    let network = crate::net::random_network("SFNNv1", 32, 1);
    let error = gather(&network, &crate::positions::generate(1, 1), None, &Ctx::silent()).unwrap_err();
    assert!(error.to_string().contains("no neuron pairs"), "{error}");
}
