use std::ops::Range;

use super::*;
use crate::family::nnue::stages::quantize::quantize;
use crate::net::{QUANTIZATIONS, generation_names, random_network};

fn requantized(network: &Arc<QuantizedNetwork>) -> QuantizedNetwork {
    let floats = dequantize(network, &Ctx::silent()).unwrap();
    let (again, report) = quantize(&floats.coalesce(), Overflow::Error, &Ctx::silent()).unwrap();
    assert!(report.overflowed.is_empty());
    again
}

#[test]
fn every_generation_comes_back_equal() {
    for (seed, name) in generation_names().into_iter().enumerate() {
        let network = Arc::new(random_network(name, 8, seed as u64));
        assert!(requantized(&network) == *network, "{name}");
    }
}

#[test]
fn every_weight_of_every_type_and_scale_comes_back_or_is_known_to_be_lost() {
    for scales in QUANTIZATIONS {
        let rules = Rules::new(scales, Overflow::Error);
        let lost = |found: Vec<i64>, expected: &[i64], what: &str| assert_eq!(found, expected, "{} {what}", scales.name);
        let symmetric = scales.name == "ft256";
        let lost_16: Vec<i64> = (i16::MIN..=i16::MAX).filter(|v| rules.ft.widen(*v).is_none()).map(i64::from).collect();
        lost(lost_16, if symmetric { &[-32768] } else { &[] }, "i16");
        let lost_8: Vec<i64> = (i8::MIN..=i8::MAX).filter(|v| rules.ft.widen(*v).is_none()).map(i64::from).collect();
        lost(lost_8, if symmetric { &[-128] } else { &[] }, "i8");
        for (layer, (weights, _)) in rules.dense.iter().enumerate() {
            // The generations that clamp have no -128 either: it lies beyond the limit.
            let lost_8: Vec<i64> = (i8::MIN..=i8::MAX).filter(|v| weights.widen(*v).is_none()).map(i64::from).collect();
            lost(lost_8, &[-128], LAYER_NAMES[layer]);
        }
    }
}

#[test]
fn every_32_bit_value_up_to_2_22_comes_back_and_beyond_all_that_a_float_can_give() {
    for scales in QUANTIZATIONS {
        let rules = Rules::new(scales, Overflow::Error);
        let mut seen = Vec::new();
        for rule in [&rules.psqt, &rules.dense[0].1, &rules.dense[1].1, &rules.dense[2].1] {
            if seen.contains(&rule.scale.to_bits()) {
                continue;
            }
            seen.push(rule.scale.to_bits());
            let wrong = (-(1i32 << 22)..=1 << 22).find(|value| rule.widen(*value).is_none());
            assert_eq!(wrong, None, "{} × {}", scales.name, rule.scale);
            // Whatever a float was quantized to is found again, up to the ends of the range.
            let mut float = 1.0f32;
            let mut checked = 0;
            while (float * rule.scale).abs() < 2_147_483_000.0 {
                for float in [float, -float] {
                    let value = (float * rule.scale).round_ties_even() as i32;
                    assert!(rule.widen(value).is_some(), "{} × {}: {value}", scales.name, rule.scale);
                    checked += 1;
                }
                float *= 1.000_03;
            }
            assert!(checked > 100_000);
        }
    }
}

#[test]
fn what_no_float_gives_is_refused_by_name() {
    let refusal = |change: &dyn Fn(&mut QuantizedNetwork), generation: &str| {
        let mut network = random_network(generation, 8, 1);
        change(&mut network);
        dequantize(&Arc::new(network), &Ctx::silent()).err().map(|error| format!("{error:?}"))
    };
    let psqt = refusal(&|network| network.blocks[0].psqt[8 * 3 + 2] = 2_000_000_001, "SFNNv5").unwrap();
    assert!(psqt.contains("1 value of `ft.HalfKAv2_hm.psqt`") && psqt.contains("row 3, column 2, is 2000000001"), "{psqt}");
    let dense = refusal(&|network| network.stacks[4].layers[1].weights[33] = -128, "SFNNv5").unwrap();
    assert!(dense.contains("`l2.weight of layer stack 4`") && dense.contains("row 1, column 1, is -128"), "{dense}");
    let symmetric = |network: &mut QuantizedNetwork| network.ft_bias[5] = -32768;
    assert!(refusal(&symmetric, "SFNNv15").unwrap().contains("`ft.bias`"));
    assert!(refusal(&symmetric, "SFNNv5").is_none());
}

#[test]
fn padding_is_lost_with_a_warning() {
    use std::sync::Mutex;
    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);
    impl crate::ctx::Progress for Heard {
        fn warn(&self, message: &str) {
            self.0.lock().unwrap().push(message.to_owned());
        }
    }
    let mut network = random_network("SFNNv5", 8, 1);
    network.stacks[7].layers[1].weights[31] = 5;
    let heard = Arc::new(Heard::default());
    let ctx = Ctx::new(Arc::default(), heard.clone(), crate::ctx::Backend::Cpu);
    dequantize(&Arc::new(network), &ctx).unwrap();
    assert!(heard.0.lock().unwrap()[0].starts_with("1 bytes of padding"));
}

#[test]
fn kings_get_their_planes() {
    let network = Arc::new(random_network("SFNNv15", 8, 3));
    let floats = dequantize(&network, &Ctx::silent()).unwrap();
    let (tensor, merged) = (floats.blocks[1].recipe.tensor().clone(), &network.blocks[1]);
    let BlockWeights::I16(weights) = &merged.weights else { panic!("piece squares are i16") };
    let row = |row: usize| {
        let mut out = vec![0.0; 16];
        tensor.read(row * 16, &mut out).unwrap();
        out[0] * 256.0
    };
    let weight = |row: usize| f32::from(weights[row * 8]);
    // Bucket 31: the own king stands on e1, square 4.
    assert_eq!(row(31 * 768 + 640 + 4), weight(31 * 704 + 640 + 4));
    assert_eq!(row(31 * 768 + 640 + 5), 0.0);
    assert_eq!(row(31 * 768 + 704 + 4), 0.0);
    assert_eq!(row(31 * 768 + 704 + 5), weight(31 * 704 + 640 + 5));
}

#[test]
fn parts_of_rows_are_read_right() {
    let network = Arc::new(random_network("SFNNv10b", 8, 3));
    let floats = dequantize(&network, &Ctx::silent()).unwrap();
    let tensor = floats.blocks[1].recipe.tensor();
    let whole: Range<usize> = 79856 * 16 - 40..79856 * 16 + 60;
    let mut expected = vec![0.0; whole.len()];
    tensor.read(whole.start, &mut expected).unwrap();
    for (start, end) in [(0, 1), (3, 40), (39, 41), (5, 100), (99, 100)] {
        let mut part = vec![0.0; end - start];
        tensor.read(whole.start + start, &mut part).unwrap();
        assert_eq!(part, expected[start..end]);
    }
    assert!(tensor.read(tensor.shape()[0] * 16 - 1, &mut [0.0; 2]).is_err());
}
