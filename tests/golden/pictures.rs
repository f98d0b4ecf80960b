//! Pictures of what the real trainer trained: every number shown is the weight that it is said to be.

use std::collections::{BTreeMap, BTreeSet};

use crate::checkpoints::{expectation, float, folders, is_unpadded};
use crate::common;

use nnue::internals::family::nnue::stages::quantize::Overflow;
use nnue::internals::net::{Block, BlockWeights, FtBlock, QuantizedNetwork, padded};
use nnue::internals::show::{Inputs, Options, Subject, dense_distributions, dense_pictures, input_distributions, input_pictures, rounding};

/// Numbers of a tensor and how often each is there.
fn counted(numbers: impl IntoIterator<Item = i64>) -> BTreeMap<i64, u64> {
    let mut counts = BTreeMap::new();
    numbers.into_iter().for_each(|number| *counts.entry(number).or_default() += 1);
    counts
}

fn weights(block: &FtBlock) -> Vec<i64> {
    match &block.weights {
        BlockWeights::I8(weights) => weights.iter().map(|weight| i64::from(*weight)).collect(),
        BlockWeights::I16(weights) => weights.iter().map(|weight| i64::from(*weight)).collect(),
    }
}

/// The row of HalfKAv2_hm for a piece (2 · kind, +1 for black) on `square` with the white king on `king`, written from the trainer's script.
fn half_ka_row(piece: usize, square: usize, king: usize) -> usize {
    let (square, king) = if king % 8 < 4 { (square ^ 7, king ^ 7) } else { (square, king) };
    let bucket = 4 * (7 - king / 8) + (7 - king % 8);
    704 * bucket + 64 * piece.min(10) + square
}

/// The cell of that weight in a neuron's tile as the script puts it: boards of kings for each square, white pieces on the left.
fn cell(piece: usize, square: usize, king: usize) -> (usize, usize) {
    let pawns = usize::from(piece < 2);
    let above = if piece < 2 { 0 } else { 48 + 64 * (piece / 2 - 1) };
    (64 * (piece % 2) + 8 * (square % 8) + king % 8, above + 8 * (7 - square / 8 - pawns) + 7 - king / 8)
}

/// Histograms, dense layers and, where a picture of every weight is not too large, the cells of all neurons.
fn check(name: &str, network: &QuantizedNetwork) -> usize {
    let subject = Subject::new(name, network, None).unwrap();
    let shown = input_distributions(&subject);
    for block in &network.blocks {
        let stem = block.block.name().to_lowercase().replace('_', "-");
        let psqt = (!block.psqt.is_empty()).then(|| block.psqt.iter().map(|weight| i64::from(*weight)).collect());
        for (kind, numbers) in [("input-weights", Some(weights(block))), ("psqt", psqt)] {
            let Some(numbers) = numbers else { continue };
            let one = shown.iter().find(|one| one.name == format!("{kind}-histogram-{stem}")).unwrap();
            let bins = counted(numbers.iter().map(|number| (number - one.first).div_euclid(one.width)));
            let found: BTreeMap<i64, u64> =
                (0..).zip(&one.counts).filter(|(_, count)| **count > 0).map(|(bin, count)| (bin, *count)).collect();
            assert_eq!(found, bins, "{name} {}", one.name);
            assert_eq!(one.range, [*numbers.iter().min().unwrap(), *numbers.iter().max().unwrap()]);
        }
    }
    let layers = dense_distributions(&subject);
    let options = Options::default();
    let inputs = Inputs::of(&subject, &options);
    let pictures = dense_pictures(&subject, &inputs, &options);
    let drawn: i64 =
        pictures.heats().flat_map(|(_, heat)| &heat.numbers).filter(|number| **number != i32::MIN).map(|number| i64::from(*number)).sum();
    let (mut sum, mut count) = (0, 0);
    for layer in network.stacks.iter().flat_map(|stack| &stack.layers) {
        for output in 0..layer.bias.len() {
            let row = &layer.weights[output * padded(layer.inputs)..][..layer.inputs];
            sum += row.iter().map(|weight| i64::from(*weight)).sum::<i64>();
            count += row.len() as u64;
        }
    }
    assert_eq!(layers.iter().map(|one| one.total()).sum::<u64>(), count, "{name}");
    assert_eq!(drawn, sum, "{name}: dense layers");
    let l1 = network.architecture.l1;
    if l1 > 256 {
        return 0;
    }
    let options = Options { size: [usize::MAX / 4; 2], ..Options::default() };
    let mut cells = 0;
    for (scene, block) in
        input_pictures(&subject, &inputs, &options).iter().filter(|scene| !scene.name.starts_with("psqt")).zip(&network.blocks)
    {
        if block.block != Block::HalfKaV2Hm {
            continue;
        }
        let (_, heat) = scene.heats().next().unwrap();
        assert_eq!((heat.divisor, heat.tile), (1, [128, 368]), "{name}");
        let numbers = weights(block);
        for neuron in (0..l1).step_by(5) {
            for (piece, square, king) in (0..12)
                .flat_map(|piece| (0..64).step_by(3).flat_map(move |square| (0..64).step_by(5).map(move |king| (piece, square, king))))
            {
                let on_edge = piece < 2 && !(8..56).contains(&square);
                if on_edge || (piece == 10) != (square == king) && piece >= 10 {
                    continue;
                }
                let (x, y) = cell(piece, square, king);
                let (x, y) = (neuron % heat.across * 128 + x, neuron / heat.across * 368 + y);
                let weight = numbers[half_ka_row(piece, square, king) * l1 + neuron];
                assert_eq!(i64::from(heat.number(x, y)), weight, "{name}: neuron {neuron}, piece {piece} on {square}, king on {king}");
                cells += 1;
            }
        }
    }
    cells
}

#[test]
fn pictures_show_the_weights_of_trained_checkpoints() {
    let Some(golden) = common::golden() else { return };
    let (mut generations, mut cells) = (BTreeSet::new(), 0);
    for (folder, _) in folders(&golden) {
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        if is_unpadded(&folder) || name.contains("overflow") {
            continue;
        }
        let checkpoint = float(common::read_maybe_xz(&folder.join("net.ckpt")), &expectation(&folder)).unwrap().coalesce();
        let (network, _) =
            nnue::internals::family::nnue::stages::quantize::quantize(&checkpoint, Overflow::Error, &nnue::internals::ctx::Ctx::silent())
                .unwrap();
        cells += check(&name, &network);
        // Rounding alone: no value is further than half a step from its float. PSQT and biases of these files are larger than what f32 tells apart.
        for error in rounding(&checkpoint, &network).unwrap().iter().filter(|error| error.name.ends_with(".weight")) {
            assert!(error.clamped > 0 || error.max <= 0.5 + 1e-3, "{name} {}: {}", error.name, error.max);
        }
        generations.insert(network.architecture.generation.name);
    }
    println!("{generations:?}, {cells} cells");
    assert!(generations.len() >= 8 && cells > 100_000, "{generations:?}, {cells} cells");
}
