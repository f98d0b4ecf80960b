//! Positions → activation matrix → permutation → bytes, against what the trainer's `ftperm.py` and `serialize.py` gave.

use crate::common;
use nnue::internals::ctx::Ctx;
use nnue::internals::family::nnue::stages::gather::gather;
use nnue::internals::format::nnue::{Expectation, read};
use nnue::internals::net::{BlockWeights, QuantizedNetwork, ZeroRule};
use nnue::internals::permutation::{ActivationMatrix, read_matrix};
use nnue::internals::positions::{Color, Filters, Position, Selection, active_features, select};
use std::path::Path;

fn positions(path: &Path) -> Vec<Position> {
    let selection = Selection { count: None, held_out: 0, seed: 0, filters: Filters::default() };
    select(&[path.to_owned()], &selection, &Ctx::silent()).unwrap().positions
}

#[test]
fn the_small_net_gives_the_trainers_matrix() {
    let Some(golden) = common::golden() else { return };
    let bytes = std::fs::read(golden.join("nets/nn-baff1ede1f90.nnue")).unwrap();
    let network = read(&bytes, &Expectation::default()).unwrap().network;
    let folder = golden.join("public/C_ftperm");
    // The seed trainer's rule: 255-scale, round half to even.
    let rule = Some(ZeroRule { clamp: 255, limit: 257 });
    let matrix = gather(&network, &positions(&folder.join("positions_public_2000.fen")), rule, &Ctx::silent()).unwrap();
    let expected = std::fs::read(folder.join("baff1ede1f90/baff1ede1f90_2000.actmat_packed.npy")).unwrap();
    assert_eq!(matrix, read_matrix(&expected, Some(128)).unwrap());
}

/// Sums of the active rows in wide integers.
fn exact_sums(network: &QuantizedNetwork, position: &Position, color: Color) -> Vec<i64> {
    let l1 = network.architecture.l1;
    let mut sums: Vec<i64> = network.ft_bias.iter().map(|bias| i64::from(*bias)).collect();
    for block in &network.blocks {
        let mut active = Vec::new();
        active_features(block.block, position, color, &mut active);
        for row in active {
            for (column, sum) in sums.iter_mut().enumerate() {
                *sum += match &block.weights {
                    BlockWeights::I8(weights) => i64::from(weights[row as usize * l1 + column]),
                    BlockWeights::I16(weights) => i64::from(weights[row as usize * l1 + column]),
                };
            }
        }
    }
    sums
}

#[test]
fn head_nets_give_the_trainers_matrices() {
    let Some(golden) = common::golden() else { return };
    let mut seen = 0;
    for fens in common::files_ending(&golden.join("public/B_head"), "eval_ft_300.fen") {
        let network = read(&common::read_maybe_xz(&fens.with_file_name("none.nnue")), &Expectation::default()).unwrap().network;
        // Lines in check are among them: the trainer evaluated all.
        let lines = std::fs::read_to_string(&fens).unwrap();
        let positions: Vec<Position> = lines.lines().map(|line| Position::from_fen(line).unwrap()).collect();
        let matrix = gather(&network, &positions, None, &Ctx::silent()).unwrap();
        let expected = std::fs::read(fens.with_file_name("eval_ft_300.actmat_packed.npy")).unwrap();
        let expected = read_matrix(&expected, Some(network.architecture.l1)).unwrap();
        // The golden weights are so large that some sums leave 16 bits. Engines wrap there, the trainer's floats do not: every
        // other output must agree, and those are nearly all.
        let half = network.architecture.l1 / 2;
        let mut compared = 0;
        for (index, position) in positions.iter().enumerate() {
            for color in Color::BOTH {
                let sums = exact_sums(&network, position, color);
                let sample = 2 * index + usize::from(color != position.side_to_move());
                for neuron in (0..half).filter(|&j| [j, j + half].iter().all(|&j| i16::try_from(sums[j]).is_ok())) {
                    let bit = |matrix: &ActivationMatrix| matrix.column(neuron)[sample / 64] >> (sample % 64) & 1;
                    assert_eq!(bit(&matrix), bit(&expected), "{} position {index} {color:?} neuron {neuron}", fens.display());
                    compared += 1;
                }
            }
        }
        assert!(compared > 200 * 2 * half, "only {compared} outputs of {} could be compared", fens.display());
        seen += 1;
    }
    assert_eq!(seen, 3);
}
