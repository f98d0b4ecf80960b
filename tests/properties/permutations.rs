//! Orders of neurons: any order and its inverse, networks that are reordered and put back, and files of permutations.

use nnue::internals::family::nnue::stages::permute::permute;
use nnue::internals::net::{Permutation, QuantizedNetwork, random_network};
use nnue::internals::permutation::{read_permutation, write_permutation};
use proptest::prelude::*;

/// Any order of 1 to 64 pairs of neurons.
fn order() -> impl Strategy<Value = Vec<i64>> {
    (1..=64i64).prop_flat_map(|n| Just((0..n).collect::<Vec<i64>>()).prop_shuffle())
}

/// Where each pair came from becomes where it goes.
fn inverse(order: &[i64]) -> Vec<i64> {
    let mut inverse = vec![0; order.len()];
    for (place, &from) in order.iter().enumerate() {
        inverse[from as usize] = place as i64;
    }
    inverse
}

fn permutation(order: &[i64]) -> Permutation {
    Permutation::try_from(order).unwrap()
}

fn permuted(network: &QuantizedNetwork, order: &[i64]) -> QuantizedNetwork {
    let mut network = network.clone();
    permute(&mut network, &permutation(order)).unwrap();
    network
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn a_network_that_is_reordered_and_put_back_is_as_before(order in order(), seed in 0..4u64) {
        let network = random_network("small", 2 * order.len(), seed);
        let moved = permuted(&network, &order);
        prop_assert_eq!(moved == network, permutation(&order).is_identity());
        prop_assert!(permuted(&moved, &inverse(&order)) == network);
    }

    #[test]
    fn one_order_after_the_other_is_their_composition(order in order(), shift in 0..64usize) {
        let network = random_network("small", 2 * order.len(), 1);
        let mut other: Vec<i64> = (0..order.len() as i64).collect();
        other.rotate_left(shift % order.len());
        let both: Vec<i64> = other.iter().map(|&place| order[place as usize]).collect();
        prop_assert!(permuted(&permuted(&network, &order), &other) == permuted(&network, &both));
    }
}

proptest! {
    #[test]
    fn files_give_back_what_was_written(order in order()) {
        let mut file = Vec::new();
        write_permutation(&permutation(&order), &mut file).unwrap();
        let back = read_permutation(&file).unwrap();
        prop_assert_eq!(&back, &permutation(&order));
        prop_assert!(back.as_slice().iter().map(|&entry| i64::from(entry)).eq(order));
    }

    /// Each of `0..n` once, or an error.
    #[test]
    fn what_is_not_an_order_is_refused(values in prop::collection::vec(-2..9i64, 0..8)) {
        let mut sorted = values.clone();
        sorted.sort_unstable();
        let is_order = !values.is_empty() && sorted.iter().copied().eq(0..values.len() as i64);
        prop_assert_eq!(Permutation::try_from(values.as_slice()).is_ok(), is_order);
    }
}
