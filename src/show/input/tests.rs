use super::*;
use crate::net::random_network;
use crate::show::place;

fn subject_of(network: &crate::net::QuantizedNetwork) -> Subject<'_> {
    Subject::new("test", network, None).unwrap()
}

#[test]
fn tiles_are_arranged_as_the_trainer_does() {
    for (neurons, expected) in [(256, 32), (512, 32), (1024, 64), (1536, 64), (2048, 64), (2560, 80), (3072, 96), (128, 16), (1, 1)] {
        assert_eq!(across(neurons), expected, "{neurons}");
    }
}

#[test]
fn pawn_pairs_are_numbered_as_in_files() {
    for row in 0..4560 {
        let (low, high) = pawns_of(row);
        assert!(low < high && high < 96);
        assert_eq!(high * (high - 1) / 2 + low, row);
    }
}

#[test]
fn every_cell_shows_the_weight_that_it_claims() {
    let network = random_network("SFNNv16", 64, 7);
    let subject = subject_of(&network);
    let options = Options { size: [100_000, 100_000], sort_neurons: true, ..Options::default() };
    let inputs = Inputs::of(&subject, &options);
    assert!(inputs.order.windows(2).all(|pair| inputs.norms[pair[0]] >= inputs.norms[pair[1]]));
    let scenes = input_pictures(&subject, &inputs, &options);
    let names: Vec<&str> = scenes.iter().map(|scene| scene.name.as_str()).collect();
    let expected = ["input-weights-threats", "psqt-threats", "input-weights-pawn-pairs", "psqt-pawn-pairs", "input-weights", "psqt"];
    assert_eq!(names, expected);
    let heat = scenes[4].heats().next().unwrap().1;
    assert_eq!(heat.divisor, 1);
    let (matrix, _) = inputs.matrices.iter().find(|(matrix, _)| matrix.block == Block::HalfKaV2Hm).unwrap();
    let set = PieceSquares::of(Block::HalfKaV2Hm).unwrap();
    for (number, (piece, square, king)) in [(3, 12, 6), (0, 35, 1), (10, 4, 4), (7, 63, 31)].into_iter().enumerate() {
        let tile = 17 * number;
        let neuron = inputs.order[tile];
        let [x, y] = place(options.order, piece, square, king);
        let (x, y) = (tile % heat.across * 128 + x, tile / heat.across * 368 + y);
        let row = set.row(piece, square, king).unwrap();
        assert_eq!(heat.number(x, y), matrix.at(row, neuron));
        assert!(heat.hover(x, y).unwrap().starts_with(&format!("neuron {neuron}, ")), "{:?}", heat.hover(x, y));
    }
}

#[test]
fn means_and_sums_are_those_of_the_weights() {
    let network = random_network("SFNNv16", 32, 3);
    let subject = subject_of(&network);
    let inputs = Inputs::of(&subject, &Options::default());
    for (matrix, psqt) in &inputs.matrices {
        for matrix in [Some(matrix), psqt.as_ref()].into_iter().flatten() {
            let layout = Arrangement::overview(matrix.block, NeuronOrder::default(), 8);
            let columns: Vec<usize> = (0..matrix.columns).rev().collect();
            let names = columns.iter().map(ToString::to_string).collect();
            let heat = layout.heat(matrix, &columns, names, 4, Limits::default());
            for (cell, tile) in [(5, 0), (9, 3), (20, 6)] {
                let rows: Vec<u32> = layout.shown.iter().filter(|(_, at)| *at == cell).map(|(row, _)| *row).collect();
                assert!(!rows.is_empty() || matrix.block != Block::HalfKaV2Hm);
                let sum: f64 = rows.iter().map(|row| f64::from(matrix.at(*row as usize, columns[tile]))).sum();
                let [width, height] = layout.tile;
                let (x, y) = (tile % 4 * width + cell as usize % width, tile / 4 * height + cell as usize / width);
                match heat.value(heat.number(x, y)) {
                    Some(value) => assert!((value * matrix.one - sum / rows.len() as f64).abs() <= 0.0626, "{:?}", matrix.block),
                    None => assert!(rows.is_empty()),
                }
            }
        }
        let norm: u64 = (0..matrix.block.rows()).map(|row| u64::from(matrix.at(row, 5).unsigned_abs())).sum();
        assert!(inputs.norms[5] >= norm);
    }
}

#[test]
fn a_difference_to_itself_is_nothing() {
    let (network, other) = (random_network("SFNNv5", 32, 3), random_network("SFNNv5", 32, 4));
    let same = Subject::new("same", &network, Some(&network)).unwrap();
    assert!(Inputs::of(&same, &Options::default()).norms.iter().all(|norm| *norm == 0));
    let subject = Subject::new("other", &network, Some(&other)).unwrap();
    let (own, theirs) = (matrices(&subject_of(&network)), matrices(&subject_of(&other)));
    let difference = matrices(&subject);
    assert_eq!(difference[0].0.at(100, 7), own[0].0.at(100, 7) - theirs[0].0.at(100, 7));
    let narrow = random_network("SFNNv5", 64, 3);
    assert!(Subject::new("x", &network, Some(&narrow)).is_err());
}
