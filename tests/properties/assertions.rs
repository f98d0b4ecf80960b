//! No assertion loses a weight: whatever is asserted of a source, either it is refused, or every weight of the source is in the net that
//! comes out, permuted. A reader of this test's own counts them: it knows the hash that opens a layer stack, and nothing of layouts.

use std::sync::Arc;

use nnue::internals::ctx::Ctx;
use nnue::internals::family::nnue::stages::dequantize::dequantize;
use nnue::internals::family::nnue::stages::load::{Loaded, load_bytes};
use nnue::internals::family::nnue::stages::permute::permute;
use nnue::internals::family::nnue::stages::quantize::{Overflow, quantize};
use nnue::internals::family::nnue::stages::write_float::{FloatTarget, write_float};
use nnue::internals::files::Bytes;
use nnue::internals::format::nnue::{Compression, Expectation, read, write};
use nnue::internals::format::sources::{Holds, identify};
use nnue::internals::format::state_dict::{self, Hints};
use nnue::internals::net::{GENERATIONS, Permutation, QUANTIZATIONS, QuantizedNetwork, random_network};

fn written(network: &QuantizedNetwork, compression: Compression) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&mut bytes, network, compression).unwrap();
    bytes
}

/// The bytes other than zero of each layer stack of an uncompressed file, sorted: a permutation moves them, and changes none.
fn weights(bytes: &[u8]) -> Vec<Vec<u8>> {
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let description = word(8) as usize;
    let stack_hash = (word(4) ^ word(12 + description)).to_le_bytes();
    let places: Vec<usize> = (0..bytes.len() - 3).filter(|&at| bytes[at..at + 4] == stack_hash).collect();
    let ends = places.iter().skip(1).copied().chain([bytes.len()]);
    let mut stacks: Vec<Vec<u8>> =
        places.iter().zip(ends).map(|(&begin, end)| bytes[begin..end].iter().copied().filter(|byte| *byte != 0).collect()).collect();
    stacks.iter_mut().for_each(|stack| stack.sort_unstable());
    stacks
}

/// A source of each kind with the same weights; whether what it says of itself beside its tensors is left out.
fn sources(network: &QuantizedNetwork) -> Vec<(&'static str, Vec<u8>, bool)> {
    let raw = written(network, Compression::None);
    let engine = [b"\x7FELF\x02\x01\x01\0some code".as_slice(), &raw, b"more code"].concat();
    let floats = dequantize(&Arc::new(network.clone()), &Ctx::silent()).unwrap();
    let file = |target| {
        let mut bytes = Vec::new();
        write_float(&mut bytes, &floats, target, &Ctx::silent()).unwrap();
        bytes
    };
    let [pt, safetensors, npz] = [FloatTarget::StateDict, FloatTarget::Safetensors, FloatTarget::Npz].map(file);
    vec![
        ("raw", raw, false),
        ("leb128", written(network, Compression::Leb128), false),
        ("engine", engine, false),
        ("pt", pt.clone(), false),
        ("pt without hints", pt, true),
        ("safetensors", safetensors.clone(), false),
        ("safetensors without hints", safetensors, true),
        ("npz", npz.clone(), false),
        ("npz without hints", npz, true),
    ]
}

fn assertions() -> Vec<Expectation> {
    let none = Expectation::default();
    let mut all = vec![none.clone()];
    all.extend(GENERATIONS.iter().map(|generation| Expectation { architecture: Some(generation), ..none.clone() }));
    all.extend(QUANTIZATIONS.into_iter().map(|quantization| Expectation { quantization: Some(quantization), ..none.clone() }));
    for features in ["HalfKP", "HalfKA", "HalfKAv2", "HalfKAv2^", "HalfKAv2_hm", "HalfKAv2_hm^", "Full_Threats", "HalfKA+HalfKAv2"] {
        all.push(Expectation { features: Some(features.to_owned()), ..none.clone() });
    }
    for size in [7, 8, 14, 15, 16, 30, 31, 32, 64] {
        all.push(Expectation { l1: Some(size), ..none.clone() });
        all.push(Expectation { l2: Some(size), ..none.clone() });
        all.push(Expectation { l3: Some(size), ..none.clone() });
    }
    for generation in ["SFNNv2", "SFNNv3", "SFNNv4", "SFNNv5", "SFNNv9", "small"] {
        for quantization in QUANTIZATIONS {
            let architecture = nnue::internals::net::generation(generation);
            all.push(Expectation { architecture, quantization: Some(quantization), l2: Some(15), ..none.clone() });
        }
    }
    all
}

/// The integers that a source comes to under an assertion; `None` where it is refused.
fn integers(bytes: &[u8], without_hints: bool, expected: &Expectation) -> Option<QuantizedNetwork> {
    let loaded = if without_hints {
        let bytes = Bytes::from_vec(bytes.to_vec());
        let Holds::Tensors(read) = identify(&bytes).holds() else { panic!("a file of tensors") };
        let mut state = read(bytes, None).unwrap();
        state.hints = Hints::default();
        Loaded::Float(Box::new(state_dict::network(state, expected).ok()?))
    } else {
        load_bytes(Bytes::from_vec(bytes.to_vec()), expected).ok()?
    };
    match loaded {
        Loaded::Quantized(parsed) => Some(parsed.network),
        Loaded::Float(network) => Some(quantize(&network.coalesce(), Overflow::Error, &Ctx::silent()).ok()?.0),
    }
}

#[test]
fn no_assertion_loses_a_weight() {
    // The last has weights in few rows where an older generation has padding: no more than a nonce would take.
    let mut sparse = random_network("SFNNv5", 32, 3);
    for row in sparse.stacks.iter_mut().flat_map(|stack| stack.layers[1].weights.chunks_exact_mut(32)) {
        row[15..].fill(0);
    }
    sparse.stacks[3].layers[1].weights[20] = 7;
    let networks = ["SFNNv2", "SFNNv3", "SFNNv4", "SFNNv5", "small"].map(|name| random_network(name, 32, 1));
    for network in networks.iter().chain([&sparse]) {
        let name = network.architecture.generation.name;
        let expected = weights(&written(network, Compression::None));
        assert_eq!(expected.len(), 8);
        let half = network.architecture.ft_outputs();
        let backwards = Permutation::try_from((0..half as u32).rev().collect::<Vec<_>>().as_slice()).unwrap();
        for (kind, bytes, without_hints) in sources(network) {
            let mut accepted = 0;
            for assertion in assertions() {
                let Some(mut found) = integers(&bytes, without_hints, &assertion) else { continue };
                accepted += 1;
                if found.architecture.zero_rule().is_some() {
                    permute(&mut found, &backwards).unwrap();
                }
                let found = weights(&written(&found, Compression::None));
                assert!(found == expected, "{name} from {kind} lost weights under {assertion:?}");
            }
            assert!(accepted > 2, "{name} from {kind}: nothing is accepted");
        }
    }
}

#[test]
fn the_error_names_the_assertion_and_what_contradicts_it() {
    let bytes = written(&random_network("SFNNv5", 1024 / 16, 5), Compression::None);
    let (generation, layer) = ("SFNNv4", "columns 15 to 29 of `l2` hold weights; SFNNv4 takes them for padding");
    let expected = Expectation { architecture: nnue::internals::net::generation(generation), ..Expectation::default() };
    let error = read(&bytes, &expected).unwrap_err().to_string();
    assert!(error.contains("SFNNv5") && error.contains(layer) && !error.contains("nonce"), "{error}");
    assert_eq!(read(&bytes, &Expectation::default()).unwrap().candidates.iter().filter(|one| one.generation.name == generation).count(), 0);
}
