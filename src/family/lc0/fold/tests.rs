use super::super::{
    layer::{Encoding, encode},
    schema::{CONV_BLOCK, LAYER},
    wire::Value,
};
use super::*;
use proptest::prelude::*;

fn block(layers: &[(&str, &[f32])]) -> Message {
    let mut block = Message::new(&CONV_BLOCK);
    for (name, values) in layers {
        let mut layer = Message::new(&LAYER);
        encode(values, Encoding::Float32).unwrap().store(&mut layer);
        block.set(name, Value::Message(layer));
    }
    block
}

#[test]
fn vectors_that_are_too_short_are_refused() {
    let weights: &[f32] = &[1.0; 8];
    for layers in [
        &[("weights", weights), ("bn_means", &[0.0; 2]), ("bn_stddivs", &[1.0; 3])][..],
        &[("weights", weights), ("bn_means", &[0.0; 2]), ("bn_betas", &[0.0; 2])],
        &[("weights", weights), ("biases", &[0.0; 4]), ("bn_means", &[0.0; 2])],
    ] {
        assert!(Folded::of(&block(layers), Decode::Lc0V033).is_err(), "{layers:?}");
    }
    assert!(!Folded::of(&block(&[("weights", weights), ("biases", &[0.0; 2])]), Decode::Lc0V033).unwrap().is_folded());
}

#[test]
fn what_becomes_no_number_is_refused() {
    let odd = |variance: f32, gamma: f32, mean: f32| {
        let vectors: [(&str, &[f32]); 5] = [
            ("weights", &[1.0; 4]),
            ("bn_means", &[0.0, mean]),
            ("bn_stddivs", &[1.0, variance]),
            ("bn_gammas", &[1.0, gamma]),
            ("bn_betas", &[0.0; 2]),
        ];
        let block = block(&vectors);
        let folded = Folded::of(&block, Decode::Lc0V033).unwrap();
        let failed = [Part::Weights, Part::Biases].map(|part| folded.values(part).err().map(|error| error.message().to_owned()));
        (failed, folded.odd_vector().unwrap())
    };
    assert_eq!(odd(0.5, 1.0, 0.5), ([None, None], None));
    // The epsilon that lc0 adds is more than this one lacks.
    assert_eq!(odd(-0.5e-5, 1.0, 0.5), ([None, None], None));
    let ([weights, biases], words) = odd(-0.5, 1.0, 0.5);
    assert_eq!(weights.unwrap(), "folding its batch norm makes NaN of element 2 of `weights`");
    assert_eq!(biases.unwrap(), "folding its batch norm makes NaN of element 1 of `biases`");
    assert_eq!(words.unwrap(), "makes the scale of output 1 NaN");
    let ([weights, biases], words) = odd(1.0, 2e20, 2e20);
    assert_eq!((weights, words.unwrap()), (None, "makes the bias of output 1 -inf".to_owned()));
    assert!(biases.unwrap().contains("-inf of element 1"));
    // Only the product is too large.
    let large: [(&str, &[f32]); 4] =
        [("weights", &[3e38, 0.0, 1.0, 1.0]), ("bn_means", &[0.0; 2]), ("bn_stddivs", &[1.0; 2]), ("bn_gammas", &[9.0; 2])];
    let words = Folded::of(&block(&large), Decode::Lc0V033).unwrap().odd_vector().unwrap();
    assert_eq!(words.unwrap(), "makes element 0 of `weights` inf");
}

proptest! {
    #[test]
    fn a_folded_block_computes_the_same(
        weights in proptest::collection::vec(-1.0f32..1.0, 6),
        vectors in proptest::collection::vec((-1.0f32..1.0, 0.1f32..2.0, 0.5f32..2.0, -1.0f32..1.0), 2),
        input in proptest::collection::vec(-1.0f32..1.0, 3),
    ) {
        let part = |pick: fn(&(f32, f32, f32, f32)) -> f32| vectors.iter().map(pick).collect::<Vec<f32>>();
        let (means, variances, gammas, betas) = (part(|v| v.0), part(|v| v.1), part(|v| v.2), part(|v| v.3));
        let block = block(&[
            ("weights", &weights), ("bn_means", &means), ("bn_stddivs", &variances), ("bn_gammas", &gammas), ("bn_betas", &betas),
        ]);
        let folded = Folded::of(&block, Decode::Lc0V033).unwrap();
        let (kernel, biases) = (folded.values(Part::Weights).unwrap(), folded.values(Part::Biases).unwrap());
        let product = |row: &[f32]| row.iter().zip(&input).map(|(w, x)| f64::from(*w) * f64::from(*x)).sum::<f64>();
        for at in 0..2 {
            let (mean, variance) = (f64::from(means[at]), f64::from(variances[at]));
            let normal = (product(&weights[3 * at..3 * at + 3]) - mean) / (variance + f64::from(EPSILON)).sqrt();
            let wanted = normal * f64::from(gammas[at]) + f64::from(betas[at]);
            let made = product(&kernel[3 * at..3 * at + 3]) + f64::from(biases[at]);
            prop_assert!((wanted - made).abs() < 1e-4, "{} {}", wanted, made);
        }
    }
}
