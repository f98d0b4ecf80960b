use std::sync::Arc;

use super::*;
use crate::ctx::Ctx;
use crate::family::nnue::stages::dequantize::dequantize;
use crate::net::random_network;

#[test]
fn errors_are_the_distances_between_floats_and_integers() {
    let network = random_network("SFNNv5", 32, 3);
    let mut float = dequantize(&Arc::new(network.clone()), &Ctx::silent()).unwrap().coalesce();
    let exact = rounding(&float, &network).unwrap();
    assert_eq!(exact.len(), 9);
    assert!(exact.iter().all(|error| error.max < 1e-3 && error.clamped == 0), "{exact:?}");
    let psqt = exact.iter().find(|error| error.name == "HalfKAv2_hm.psqt").unwrap();
    assert_eq!((psqt.count, psqt.step), (22528 * 8, 1.0 / 9600.0));
    float.layers[1].weights[0] += 0.25 / 64.0;
    float.layers[1].weights[1] += 3.0 / 64.0;
    float.ft_bias[5] -= 0.5 / 127.0;
    let errors = rounding(&float, &network).unwrap();
    let error = |name: &str| errors.iter().find(|error| error.name == name).unwrap();
    let l2 = error("l2.weight");
    assert!((l2.max - 3.0).abs() < 1e-3 && l2.clamped == 1, "{l2:?}");
    let expected = ((0.0625f64 + 9.0) / l2.count as f64).sqrt();
    assert!((l2.rms - expected).abs() < 1e-4, "{} {expected}", l2.rms);
    assert!((error("ft.bias").max - 0.5).abs() < 1e-3 && error("ft.bias").clamped == 0);
}
