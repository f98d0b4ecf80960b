//! Networks written as files of float tensors and read again: nothing is lost, and a trainer's own names and values are kept.

use std::sync::Arc;

use nnue::internals::ctx::Ctx;
use nnue::internals::error::Result;
use nnue::internals::family::nnue::stages::dequantize::dequantize;
use nnue::internals::family::nnue::stages::load::{Loaded, load_bytes};
use nnue::internals::family::nnue::stages::permute::permute;
use nnue::internals::family::nnue::stages::quantize::{Overflow, quantize};
use nnue::internals::family::nnue::stages::write_float::{FloatTarget, ModuleProfile, write_float};
use nnue::internals::files::Bytes;
use nnue::internals::format::nnue::{Compression, Expectation, write};
use nnue::internals::format::state_dict::{self, Values};
use nnue::internals::format::tensor::TensorOut;
use nnue::internals::net::{
    FT255, Factorized, FeatureSet, Network, Permutation, QuantizedNetwork, generation, generation_names, random_network, read_all,
};
use nnue::internals::random::SplitMix;

const DICTS: [FloatTarget; 3] = [FloatTarget::StateDict, FloatTarget::Safetensors, FloatTarget::Npz];
const MODULES: [FloatTarget; 2] = [FloatTarget::Module(ModuleProfile::Seed), FloatTarget::Module(ModuleProfile::Head)];

fn written(network: &Network<Factorized>, target: FloatTarget) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    write_float(&mut bytes, network, target, &Ctx::silent())?;
    Ok(bytes)
}

fn loaded(bytes: Vec<u8>) -> Network<Factorized> {
    match load_bytes(Bytes::from_vec(bytes), &Expectation::default()) {
        Ok(Loaded::Float(network)) => *network,
        Ok(Loaded::Quantized(_)) => panic!("an integer network"),
        Err(error) => panic!("{error:?}"),
    }
}

fn requantized(network: Network<Factorized>) -> QuantizedNetwork {
    quantize(&network.coalesce(), Overflow::Error, &Ctx::silent()).unwrap().0
}

/// Names, shapes and bits of all tensors.
fn contents(network: &Network<Factorized>) -> Vec<(String, Vec<usize>, Vec<u32>)> {
    let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect();
    let tensors = state_dict::tensors(network).unwrap().into_iter();
    tensors
        .map(|tensor| {
            let values = match &tensor.values {
                Values::Floats(values) => bits(values),
                Values::Tensor(values) => bits(&read_all(&**values).unwrap()),
            };
            (tensor.name, tensor.shape, values)
        })
        .collect()
}

#[test]
fn every_generation_survives_every_file() {
    let mut modules = 0;
    for (seed, name) in generation_names().into_iter().enumerate() {
        let mut network = random_network(name, 8, seed as u64);
        // A description need not be text.
        network.description = vec![b'x', 0, 0xFF, b'\n'];
        let network = Arc::new(network);
        let floats = dequantize(&network, &Ctx::silent()).unwrap();
        for target in DICTS {
            let bytes = written(&floats, target).unwrap();
            assert!(bytes == written(&floats, target).unwrap(), "{name} {}", target.name());
            let again = loaded(bytes);
            assert_eq!(again.digest().unwrap(), floats.digest().unwrap(), "{name} {}", target.name());
            assert!(requantized(again) == *network, "{name} {}", target.name());
        }
        for target in MODULES {
            if let Ok(bytes) = written(&floats, target) {
                assert!(requantized(loaded(bytes)) == *network, "{name} {}", target.name());
                modules += 1;
            }
        }
    }
    // SFNNv5 to SFNNv9, the small net and the first two threat nets; SFNNv16.
    assert_eq!(modules, 8 + 1);
}

#[test]
fn other_scales_and_sets_survive() {
    let mut small = random_network("small", 8, 1);
    small.architecture.quantization = &FT255;
    let mut single = random_network("SFNNv16", 8, 2);
    single.blocks.remove(0);
    single.architecture.features = FeatureSet::of_blocks(&[single.blocks[0].block, single.blocks[1].block], true).unwrap();
    let mut mistaken = random_network("SFNNv13-newhash", 8, 3);
    mistaken.architecture.features = FeatureSet::known().into_iter().find(|set| set.hash == 0x4165_D5C9).unwrap();
    let [kp, ka] = ["SFNNv1", "SFNNv2"].map(|name| random_network(name, 8, 4));
    let mut joined = random_network("SFNNv5", 8, 5);
    let wide =
        |block: &nnue::internals::net::FtBlock| nnue::internals::net::FtBlock { psqt: vec![7; block.block.rows() * 8], ..block.clone() };
    joined.blocks = vec![wide(&kp.blocks[0]), wide(&ka.blocks[0])];
    joined.architecture.features = FeatureSet::of_blocks(&[kp.blocks[0].block, ka.blocks[0].block], false).unwrap();
    for network in [small, single, mistaken, joined] {
        let network = Arc::new(network);
        let floats = dequantize(&network, &Ctx::silent()).unwrap();
        for target in DICTS {
            assert!(requantized(loaded(written(&floats, target).unwrap())) == *network, "{}", floats.features());
        }
    }
}

/// A factorized network of the generation, with every factor, virtual row and PSQT bias used: dequantized, then filled.
fn trained(name: &str, seed: u64) -> Network<Factorized> {
    let network = dequantize(&Arc::new(random_network(name, 8, seed)), &Ctx::silent()).unwrap();
    let wanted: Vec<String> = network
        .features()
        .split('+')
        .map(|part| {
            let composed = matches!(generation(name), Some(generation) if generation.composed);
            let has_virtual = !part.ends_with('^') && (!composed || part == "HalfKAv2_hm") && part != "PP_3Wide";
            format!("{part}{}", if has_virtual { "^" } else { "" })
        })
        .collect();
    let network = network.with_virtual_features(&wanted.join("+")).unwrap();
    // The tensors with zeros are replaced in a file of them.
    let mut random = SplitMix::new(seed);
    let mut small = || random.centred(-64, 64) as f32 / 4096.0;
    let tensors: Vec<TensorOut<'static>> = contents(&network)
        .into_iter()
        .map(|(name, shape, bits)| {
            let noisy = |name: &str| name.contains("fact") || name.contains("virtual") || name.ends_with("input.bias");
            let mut values: Vec<f32> = bits.into_iter().map(f32::from_bits).collect();
            if noisy(&name) {
                values.iter_mut().for_each(|value| *value += small());
            } else if name.ends_with("input.weight") {
                // Virtual rows stand at the end.
                let start = values.len() - 768.min(shape[0]) * shape[1];
                values[start..].iter_mut().for_each(|value| *value += small());
            }
            TensorOut::f32(name, &shape, values)
        })
        .collect();
    let text = |text: &str| text.to_owned();
    let metadata = [
        (text("nnue_architecture"), text(network.architecture.generation.name)),
        (text("nnue_quantization"), text(network.architecture.quantization.name)),
        (text("nnue_features"), network.features()),
    ];
    let mut bytes = Vec::new();
    nnue::internals::format::safetensors::write(&mut bytes, &tensors, &metadata).unwrap();
    loaded(bytes)
}

#[test]
fn trained_networks_are_carried_over_bit_for_bit() {
    for (seed, name) in
        ["SFNNv1", "SFNNv2", "SFNNv3", "SFNNv4", "SFNNv5", "SFNNv10b", "SFNNv12", "SFNNv14", "SFNNv15", "SFNNv16"].into_iter().enumerate()
    {
        let network = trained(name, seed as u64 + 100);
        assert!(network.features().contains('^'), "{name}: {}", network.features());
        let before = contents(&network);
        assert!(before.iter().any(|(name, ..)| name.contains("fact")) || name == "SFNNv1");
        for target in DICTS {
            let again = loaded(written(&network, target).unwrap());
            assert!(contents(&again) == before, "{name} {}", target.name());
            assert_eq!((again.layout, &again.description), (network.layout, &network.description));
        }
        for target in MODULES {
            if let Ok(bytes) = written(&network, target) {
                let again = loaded(bytes);
                let values = |contents: &[(String, Vec<usize>, Vec<u32>)]| {
                    contents.iter().map(|(_, shape, bits)| (shape.clone(), bits.clone())).collect::<Vec<_>>()
                };
                assert!(values(&contents(&again)) == values(&before), "{name} {}", target.name());
            }
        }
    }
}

fn nnue_bytes(network: &QuantizedNetwork) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&mut bytes, network, Compression::Leb128).unwrap();
    bytes
}

#[test]
fn directly_and_through_an_intermediate_file_give_the_same_bytes() {
    for (seed, name) in
        ["SFNNv4", "SFNNv9", "SFNNv10a", "SFNNv10b", "SFNNv13", "SFNNv14", "SFNNv14.1", "SFNNv15", "SFNNv16"].into_iter().enumerate()
    {
        let source = trained(name, seed as u64 + 200);
        let architecture = source.architecture.clone();
        let permutation = Permutation::try_from([2u32, 0, 3, 1].as_slice()).unwrap();
        let mut direct = requantized(source.clone());
        let intermediate = nnue_bytes(&direct);
        permute(&mut direct, &permutation).unwrap();
        let expected = Expectation {
            architecture: Some(architecture.generation),
            quantization: Some(architecture.quantization),
            ..Expectation::default()
        };
        let Ok(Loaded::Quantized(parsed)) = load_bytes(Bytes::from_vec(intermediate), &expected) else { panic!("{name}") };
        let mut through = parsed.network;
        permute(&mut through, &permutation).unwrap();
        assert!(nnue_bytes(&direct) == nnue_bytes(&through), "{name}");
        for target in DICTS {
            let mut through = requantized(loaded(written(&source, target).unwrap()));
            permute(&mut through, &permutation).unwrap();
            assert!(nnue_bytes(&direct) == nnue_bytes(&through), "{name} {}", target.name());
        }
    }
}

#[test]
fn virtual_features_are_added_as_zeros_and_change_no_byte() {
    for (name, wanted, rows) in [
        ("SFNNv1", "HalfKP^", Some(41024 + 704)),
        ("SFNNv2", "HalfKAv2^", Some(45056 + 768)),
        ("SFNNv9", "HalfKAv2_hm^", Some(22528 + 768)),
        ("SFNNv10b", "Full_Threats^", Some(79856 + 22528 + 768)),
        ("SFNNv16", "Full_Threats+PP_3Wide+HalfKAv2_hm^", None),
    ] {
        let network = Arc::new(random_network(name, 8, 9));
        let floats = dequantize(&network, &Ctx::silent()).unwrap().with_virtual_features(wanted).unwrap();
        assert_eq!(floats.features(), wanted);
        let again = loaded(written(&floats, FloatTarget::StateDict).unwrap());
        assert_eq!(again.features(), wanted);
        if let Some(rows) = rows {
            assert_eq!(contents(&again)[0].1[0], rows, "{name}");
        }
        assert!(requantized(again) == *network, "{name}");
    }
    let floats = || dequantize(&Arc::new(random_network("SFNNv16", 8, 9)), &Ctx::silent()).unwrap();
    let refusal = |wanted: &str| floats().with_virtual_features(wanted).err().unwrap().to_string();
    assert!(refusal("HalfKAv2_hm^").contains("`Full_Threats+PP_3Wide+HalfKAv2_hm^` in the file, `HalfKAv2_hm^` expected"));
    assert!(refusal("Full_Threats^+PP_3Wide+HalfKAv2_hm^").contains("no virtual features"));
    // The reverse is coalescing.
    assert!(refusal("Full_Threats+PP_3Wide+HalfKAv2_hm").contains("expected"));
}

#[test]
fn a_set_of_several_blocks_gets_virtual_features_where_they_are_named() {
    let mut network = random_network("SFNNv5", 8, 5);
    let other = random_network("SFNNv2", 8, 6);
    network.blocks.insert(0, other.blocks[0].clone());
    network.architecture.features = FeatureSet::of_blocks(&[network.blocks[0].block, network.blocks[1].block], false).unwrap();
    let network = Arc::new(network);
    for wanted in ["HalfKAv2^+HalfKAv2_hm", "HalfKAv2+HalfKAv2_hm^", "HalfKAv2^+HalfKAv2_hm^"] {
        let floats = dequantize(&network, &Ctx::silent()).unwrap().with_virtual_features(wanted).unwrap();
        let again = loaded(written(&floats, FloatTarget::Npz).unwrap());
        assert_eq!(again.features(), wanted);
        let again = again.with_virtual_features("HalfKAv2^+HalfKAv2_hm^").unwrap();
        assert!(requantized(again) == *network, "{wanted}");
    }
}

#[test]
fn modules_of_trainers_that_have_no_such_network_are_refused() {
    let refusal = |name: &str, profile: ModuleProfile| {
        let floats = dequantize(&Arc::new(random_network(name, 8, 1)), &Ctx::silent()).unwrap();
        let error = written(&floats, FloatTarget::Module(profile)).unwrap_err();
        error.causes().join("; ")
    };
    assert!(refusal("SFNNv1", ModuleProfile::Seed).contains("other tensors"));
    assert!(refusal("SFNNv4", ModuleProfile::Seed).contains("wired"));
    assert!(refusal("SFNNv12", ModuleProfile::Seed).contains("60144 rows, that trainer's has 79856"));
    assert!(refusal("SFNNv9", ModuleProfile::Head).contains("other tensors"));
    assert!(refusal("SFNNv14.1", ModuleProfile::Head).contains("wired"));
    assert!(refusal("SFNNv15", ModuleProfile::Head).contains("60720 rows, that trainer's has 59808"));
}

#[test]
fn what_a_file_says_of_itself_is_not_overruled() {
    let floats = dequantize(&Arc::new(random_network("small", 8, 1)), &Ctx::silent()).unwrap();
    for target in DICTS {
        let bytes = Bytes::from_vec(written(&floats, target).unwrap());
        let expected = Expectation { quantization: Some(&FT255), ..Expectation::default() };
        let error = load_bytes(bytes.clone(), &expected).err().unwrap();
        assert_eq!(error.message(), "quantization=`ft127` in the file, `ft255` expected", "{}", target.name());
        let expected = Expectation { architecture: generation("SFNNv9"), ..Expectation::default() };
        assert!(load_bytes(bytes, &expected).err().unwrap().message().contains("`small` in the file, `SFNNv9` expected"));
    }
}

#[test]
fn the_layout_of_two_weeks_in_2026_is_kept() {
    let composed = trained("SFNNv13-newhash", 7);
    let mut tensors: Vec<TensorOut<'static>> = Vec::new();
    let mut joined = Vec::new();
    for (name, shape, bits) in contents(&composed) {
        let values: Vec<f32> = bits.into_iter().map(f32::from_bits).collect();
        match name.as_str() {
            "model.input.features.0.weight" => joined = values,
            "model.input.features.1.weight" => {
                joined.extend(values);
                tensors.push(TensorOut::f32("model.input.weight", &[60144 + 24576, 16], std::mem::take(&mut joined)));
            }
            "model.input.features.1.virtual_weight" => tensors.push(TensorOut::f32("model.input.virtual_weight", &shape, values)),
            _ => tensors.push(TensorOut::f32(name, &shape, values)),
        }
    }
    let mut bytes = Vec::new();
    nnue::internals::format::safetensors::write(&mut bytes, &tensors, &[]).unwrap();
    let network = loaded(bytes);
    assert_eq!((network.features().as_str(), network.architecture.generation.name), ("Full_Threats^", "SFNNv13"));
    let integers = requantized(network.clone());
    assert!(integers.blocks == requantized(composed).blocks);
    for target in DICTS {
        let again = loaded(written(&network, target).unwrap());
        assert!(contents(&again) == contents(&network), "{}", target.name());
        assert!(requantized(again) == integers, "{}", target.name());
    }
    assert!(written(&network, MODULES[0]).is_err());
}
