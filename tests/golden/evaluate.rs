//! Evaluations against the recorded ones: integers of every generation, and the trainers' float forward.

use crate::common;

use nnue::internals::ctx::Ctx;
use nnue::internals::evaluate::{Evaluator, Raw, forward_all, trace};
use nnue::internals::format::nnue::{Expectation, read};
use nnue::internals::net::{FT255, QuantizedNetwork, generation, quantization};
use nnue::internals::positions::Position;
use serde_json::Value;

/// Names of generations in the golden data.
fn generation_name(name: &str) -> String {
    match name {
        "small" => name.to_owned(),
        "v13c" => "SFNNv13-newhash".to_owned(),
        _ => name.replace('v', "SFNNv"),
    }
}

fn nets(golden: &std::path::Path) -> Vec<(String, QuantizedNetwork, Value)> {
    let expected = common::json(&golden.join("public/H_eval/expected.json"));
    let nets = expected["nets"].as_object().unwrap();
    nets.iter()
        .map(|(name, net)| {
            let bytes = common::read_maybe_xz(&golden.join(format!("public/H_eval/{name}.nnue")));
            assert_eq!(common::sha256(&bytes), net["sha256"].as_str().unwrap(), "{name}");
            let wanted = Expectation {
                architecture: Some(generation(&generation_name(name)).unwrap()),
                quantization: quantization(net["scales"].as_str().unwrap()),
                ..Expectation::default()
            };
            (name.clone(), read(&bytes, &wanted).unwrap().network, net["values"].clone())
        })
        .collect()
}

fn fens(golden: &std::path::Path) -> Vec<Position> {
    let expected = common::json(&golden.join("public/H_eval/expected.json"));
    expected["fens"].as_array().unwrap().iter().map(|fen| Position::from_fen(fen.as_str().unwrap()).unwrap()).collect()
}

fn raws(value: &Value) -> Vec<Raw> {
    let number = |value: &Value| i32::try_from(value.as_i64().unwrap()).unwrap();
    value.as_array().unwrap().iter().map(|pair| Raw { psqt: number(&pair[0]), positional: number(&pair[1]) }).collect()
}

#[test]
fn every_generation_evaluates_as_recorded() {
    let Some(golden) = common::golden() else { return };
    let positions = fens(&golden);
    for (name, network, values) in nets(&golden) {
        for (index, position) in positions.iter().enumerate() {
            let trace = trace(&network, position);
            let found: Vec<Raw> = trace.buckets.iter().map(|bucket| bucket.raw).collect();
            assert_eq!(found, raws(&values[index]), "{name} {position:?}");
        }
        let expected: Vec<Raw> = values.as_array().unwrap().iter().flat_map(raws).collect();
        let found = Evaluator::new(&network).unwrap().evaluate_buckets(&positions, &Ctx::silent()).unwrap();
        assert!(found == expected, "{name}");
    }
}

/// The trainers' own f32 forward, which adds up in another order. Of the real small net; that of Stockfish 15.1 is in `engine.rs`.
#[test]
fn the_float_forward_is_the_trainers() {
    let Some(golden) = common::golden() else { return };
    let bytes = std::fs::read(golden.join("nets/nn-baff1ede1f90.nnue")).unwrap();
    let wanted = Expectation { quantization: Some(&FT255), ..Expectation::default() };
    let network = std::sync::Arc::new(read(&bytes, &wanted).unwrap().network);
    let ctx = Ctx::silent();
    let float = nnue::internals::family::nnue::stages::dequantize::dequantize(&network, &ctx).unwrap().coalesce();
    let records = common::json(&golden.join("public/E_outputs/baff1ede1f90.json"));
    let records = records.as_array().unwrap();
    let positions: Vec<Position> = records.iter().map(|record| Position::from_fen(record["fen"].as_str().unwrap()).unwrap()).collect();
    let mut largest = 0.0f64;
    for (trace, record) in forward_all(&float, &positions, &ctx).unwrap().iter().zip(records) {
        assert_eq!(trace.bucket as u64, record["bucket"].as_u64().unwrap());
        for (found, name) in [(trace.value(), "forward_f32"), (trace.psqt, "psqt_f64"), (trace.positional, "stack_f64")] {
            let distance = (f64::from(found) - record[name].as_f64().unwrap()).abs();
            assert!(distance < 1e-5, "{name} {}: {distance}", record["fen"]);
            largest = largest.max(distance);
        }
    }
    println!("{} positions, largest distance {largest:e}", records.len());
}

/// The newest trainer's forward, over nets with designed weights: their piece squares are so large that f32 loses digits where the two
/// sides nearly cancel. Most positions are within 1e-5 of themselves, and the small ones tell wrong factors.
#[test]
fn the_float_forward_is_the_newest_trainers() {
    let Some(golden) = common::golden() else { return };
    let ctx = Ctx::silent();
    for name in ["Full_Threats+HalfKAv2_hm-fact_L8-16-32", "Full_Threats+PP_3Wide+HalfKAv2_hm-fact_L16-32-32", "HalfKAv2_hm-fact_L32-32-32"]
    {
        let folder = golden.join("public/B_head").join(name);
        let records = common::json(&folder.join("eval_ft_300.forward.json"));
        let records = records.as_array().unwrap();
        let bytes = common::read_maybe_xz(&folder.join("none.nnue"));
        let network = std::sync::Arc::new(read(&bytes, &Expectation::default()).unwrap().network);
        let float = nnue::internals::family::nnue::stages::dequantize::dequantize(&network, &ctx).unwrap().coalesce();
        let positions: Vec<Position> = records.iter().map(|record| Position::from_fen(record["fen"].as_str().unwrap()).unwrap()).collect();
        let traces = forward_all(&float, &positions, &ctx).unwrap();
        let (mut near, mut largest) = (0, 0.0f64);
        for (trace, record) in traces.iter().zip(records) {
            let expected = record["forward_plain"].as_f64().unwrap();
            let distance = (f64::from(trace.value()) - expected).abs();
            near += usize::from(distance <= 1e-5 * expected.abs().max(1.0));
            largest = largest.max(distance);
        }
        println!("{name}: {near} of {} within 1e-5, largest distance {largest:e}", records.len());
        assert!(near * 10 >= 9 * records.len() && largest < 0.1, "{name}: {near} of {}, {largest:e}", records.len());
    }
}
