//! Evaluations against the recorded ones: integers of every generation, and the trainers' float forward.
#![allow(missing_docs)]

mod common;

use nnue::evaluate::{Raw, trace};
use nnue::format::nnue::{Expectation, read};
use nnue::net::{QuantizedNetwork, generation, quantization};
use nnue::positions::Position;
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
    }
}
