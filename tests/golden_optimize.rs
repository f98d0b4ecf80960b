//! Positions → activation matrix → permutation → bytes, against what the trainer's `ftperm.py` and `serialize.py` gave.
#![allow(missing_docs)]

mod common;

use nnue::ctx::Ctx;
use nnue::format::nnue::{Expectation, read};
use nnue::net::ZeroRule;
use nnue::permutation::read_matrix;
use nnue::positions::{Filters, Position, Selection, select};
use nnue::stages::gather::gather;
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
        assert_eq!(matrix, read_matrix(&expected, Some(network.architecture.l1)).unwrap(), "{}", fens.display());
        seen += 1;
    }
    assert_eq!(seen, 3);
}
