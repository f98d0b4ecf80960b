use clap::Args;

use super::*;
use crate::cli::convert;
use crate::net::{FT127, FT255};

/// Options of `serialize.py` in January 2026 and at the head of July 2026, each with a value where it takes one.
const SERIALIZE: [&[&str]; 24] = [
    &["--out-sha"],
    &["--no-out-sha"],
    &["--description", "text"],
    &["--ft_compression", "leb128"],
    &["--ft-compression", "none"],
    &["--ft_perm", "x.npy"],
    &["--ft-perm", "x.npy"],
    &["--ft_optimize"],
    &["--ft-optimize"],
    &["--no-ft-optimize"],
    &["--ft_optimize_data", "x.binpack"],
    &["--ft-optimize-data", "x.binpack"],
    &["--ft_optimize_count", "5"],
    &["--ft-optimize-count", "5"],
    &["--cupy"],
    &["--no-cupy"],
    &["--device=0"],
    &["--device", "0"],
    &["--features=HalfKAv2_hm"],
    &["--l1=32"],
    &["--l2", "31"],
    &["--l3", "32"],
    &["--nnue2score", "600"],
    &["--ft-quantized-one", "255"],
];

/// Options of the loader that both tools have.
const LOADER: [&[&str]; 11] = [
    &["--filtered"],
    &["--no-filtered"],
    &["--no-wld-filtered"],
    &["--random-fen-skipping", "10"],
    &["--early-fen-skipping", "20"],
    &["--soft-early-fen-skipping", "-1"],
    &["--pc-y0", "0", "--pc-y1", "0.4", "--pc-y2", "1.0", "--pc-y3", "1.0", "--pc-y4", "0.75"],
    &["--ply-x1", "0.0", "--ply-y1", "0.1", "--ply-x2", "6.0", "--ply-y2", "0.15"],
    &["--ply-x3", "10.0", "--ply-y3", "0.25", "--ply-x4", "18.0", "--ply-y4", "0.75"],
    &["--simple-eval-skipping", "-1"],
    &["--loader-num-workers", "4"],
];

#[test]
fn every_option_of_the_trainers_tool_is_accepted() {
    for options in SERIALIZE.iter().chain(&LOADER) {
        let command = convert::Args::augment_args(Command::new("convert"));
        let words = ["convert", "a.nnue", "b.nnue"].iter().chain(options.iter());
        command.try_get_matches_from(words).unwrap_or_else(|error| panic!("{options:?}: {error}"));
    }
}

#[test]
fn stated_scales_are_checked() {
    let given = |words: &[&str]| {
        let command = TrainerOptions::augment_args(Command::new("x"));
        TrainerOptions::from_arg_matches(&command.get_matches_from([&["x"], words].concat())).unwrap()
    };
    given(&["--ft-quantized-one", "255", "--nnue2score=600"]).check(&FT255).unwrap();
    let error = given(&["--ft_quantized_one", "255"]).check(&FT127).unwrap_err();
    assert!(error.message().contains("`--ft-quantized-one 255`") && error.message().contains("127"), "{error}");
    assert!(given(&["--nnue2score", "500"]).check(&FT255).is_err());
    assert_eq!(given(&["--no_cupy", "--device", "0"]).ignored, ["device", "no-cupy"]);
}
