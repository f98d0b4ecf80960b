//! Checkpoints of the real trainer, 2021 to 2026 → the bytes that its own `serialize.py` wrote, and files of floats → its own tensors.

use std::path::Path;
use std::sync::Arc;

use crate::common;
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
use nnue::internals::net::{Factorized, Network, Permutation, QuantizedNetwork, generation, quantization, read_all};
use nnue::internals::permutation::read_permutation;
use nnue::internals::stage::Quantized;
use serde_json::Value as Json;

/// What a user gives for the golden folder's era: the scales, which checkpoints do not record.
pub(crate) fn expectation(path: &Path) -> Expectation {
    let text = path.to_str().unwrap();
    let name = if text.contains("A_seed") {
        "ft255"
    } else if text.contains("G_old") {
        "ft127"
    } else {
        return Expectation::default();
    };
    Expectation { quantization: quantization(name), ..Expectation::default() }
}

pub(crate) fn float(bytes: Vec<u8>, expected: &Expectation) -> Result<Network<Factorized>> {
    match load_bytes(Bytes::from_vec(bytes), expected)? {
        Loaded::Quantized(_) => panic!("the file holds integers"),
        Loaded::Float(network) => Ok(*network),
    }
}

fn integers(network: Network<Factorized>, overflow: Overflow) -> Result<(QuantizedNetwork, Quantized)> {
    quantize(&network.coalesce(), overflow, &Ctx::silent())
}

fn bytes_of(network: &QuantizedNetwork, compression: Compression) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&mut bytes, network, compression).unwrap();
    bytes
}

fn sha_of(network: &QuantizedNetwork, compression: Compression) -> String {
    common::sha256(&bytes_of(network, compression))
}

fn written(network: &Network<Factorized>, target: FloatTarget) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    write_float(&mut bytes, network, target, &Ctx::silent())?;
    Ok(bytes)
}

/// All folders of one network with its conversions, and their manifests.
pub(crate) fn folders(golden: &Path) -> Vec<(std::path::PathBuf, Json)> {
    let manifests = common::files_ending(&golden.join("public"), "manifest.json").into_iter();
    let found = manifests.map(|path| (path.parent().unwrap().to_owned(), common::json(&path)));
    found
        .filter(|(folder, manifest)| {
            let text = folder.to_str().unwrap();
            manifest["outputs"].is_object() && !text.contains("ckpt_variants") && !text.contains("C_ftperm") && !text.contains("F_torch")
        })
        .collect()
}

/// The two folders of February 2021 have rows that no released net has: the trainer did not pad them yet.
pub(crate) fn is_unpadded(folder: &Path) -> bool {
    folder.to_str().unwrap().contains("2021-02-01")
}

/// The values of `serialize.py`'s options in a recorded command.
fn option<'a>(argv: &'a [Json], name: &str) -> Option<&'a str> {
    let of = |text: &Json| text.as_str().map(|text| text.replace('_', "-"));
    let name = name.replace('_', "-");
    argv.iter().enumerate().find_map(|(index, text)| {
        let text_here = text.as_str()?;
        match text_here.split_once('=') {
            Some((left, right)) if left.replace('_', "-") == name => Some(right),
            _ if of(text)? == name => argv.get(index + 1)?.as_str(),
            _ => None,
        }
    })
}

/// How the trainer of the folder's time compressed when it was not told to.
fn default_compression(folder: &Path) -> Compression {
    let text = folder.to_str().unwrap();
    if text.contains("G_old") && !text.contains("2023-10") && !text.contains("2025") { Compression::None } else { Compression::Leb128 }
}

#[test]
fn checkpoints_and_modules_give_the_trainers_bytes() {
    let Some(golden) = common::golden() else { return };
    let mut wrong = Vec::new();
    let mut compared = [0usize; 4];
    for (folder, manifest) in folders(&golden) {
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        if is_unpadded(&folder) {
            continue;
        }
        let outputs = manifest["outputs"].as_object().unwrap();
        let overflow = if name.contains("overflow") { Overflow::Trainer } else { Overflow::Error };
        let checkpoint = float(common::read_maybe_xz(&folder.join("net.ckpt")), &expectation(&folder)).unwrap();
        let from_checkpoint = integers(checkpoint.clone(), overflow).unwrap().0;
        // The trainer's own module where it is kept, ours where not.
        let module = if folder.join("net.pt.xz").exists() {
            common::read_maybe_xz(&folder.join("net.pt"))
        } else {
            let profile = if folder.to_str().unwrap().contains("B_head") { ModuleProfile::Head } else { ModuleProfile::Seed };
            written(&checkpoint, FloatTarget::Module(profile)).unwrap_or_else(|_| written(&checkpoint, FloatTarget::StateDict).unwrap())
        };
        let from_module = integers(float(module, &expectation(&folder)).unwrap(), overflow).unwrap().0;
        for (step, output) in outputs {
            let argv: Vec<Json> = output["argv"].as_array().cloned().unwrap_or_else(|| {
                // The overflow folders name the step only.
                let compression = if step.ends_with("none") { "--ft_compression=none" } else { "--ft_compression=leb128" };
                vec!["net.ckpt".into(), "x.nnue".into(), compression.into()]
            });
            let source = argv[0].as_str().unwrap();
            let network = match source {
                "net.ckpt" => &from_checkpoint,
                "net.pt" => &from_module,
                _ => continue,
            };
            let target = argv[1].as_str().unwrap();
            let compression = match option(&argv, "--ft_compression") {
                Some("none") => Compression::None,
                Some(_) => Compression::Leb128,
                None => default_compression(&folder),
            };
            if let Some(file_name) = output["file_name"].as_str().or(output["file_name"][0].as_str()) {
                let sha = sha_of(network, compression);
                assert_eq!(file_name, format!("nn-{}.nnue", &sha[..12]), "{name} {step}");
                compared[0] += 1;
                continue;
            }
            if !target.ends_with(".nnue") || output["sha256"].is_null() {
                continue;
            }
            let mut network = network.clone();
            if let Some(description) = option(&argv, "--description") {
                network.description = description.as_bytes().to_vec();
                compared[1] += 1;
            }
            // With a permutation from a checkpoint some trainers damaged the net; right is what they did with a `.nnue` file.
            let mut recorded = &output["sha256"];
            if let Some(file) = option(&argv, "--ft_perm") {
                let order: Permutation = read_permutation(&std::fs::read(folder.join(file)).unwrap()).unwrap();
                permute(&mut network, &order).unwrap();
                let right = format!("nnue_perm_to_nnue_{}", if compression == Compression::None { "none" } else { "leb128" });
                let damaged = name.contains("HalfKA_fact") || name.contains("3d3d88b") || name.contains("a7a65f6");
                assert_eq!(*recorded != outputs[&right]["sha256"], damaged, "{name} {step}");
                recorded = &outputs[&right]["sha256"];
                compared[2] += 1;
            }
            if sha_of(&network, compression) == recorded.as_str().unwrap() {
                compared[3] += 1;
            } else {
                let description = String::from_utf8_lossy(&network.description).into_owned();
                wrong.push(format!("{name} {step}: other bytes, description {description:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{compared:?} right, wrong:\n{}", wrong.join("\n"));
    println!("names, descriptions, permutations, all: {compared:?}");
    assert!(compared[0] >= 13 && compared[1] >= 30 && compared[2] >= 25 && compared[3] >= 100, "only {compared:?} were compared");
}

/// Their trainer wrote a fixed hash and no padding, which no engine reads at this L1: nothing else is written unasked.
#[test]
fn checkpoints_of_february_2021_are_refused_until_a_layout_is_named() {
    let Some(golden) = common::golden() else { return };
    let mut seen = 0;
    for (folder, manifest) in folders(&golden) {
        if is_unpadded(&folder) {
            let bytes = common::read_maybe_xz(&folder.join("net.ckpt"));
            let error = float(bytes.clone(), &expectation(&folder)).err().unwrap().to_string();
            assert!(error.contains("13 February 2021"), "{error}");
            let named = Expectation { architecture: generation("SFNNv1"), ..expectation(&folder) };
            let network = integers(float(bytes, &named).unwrap(), Overflow::Error).unwrap().0;
            assert_ne!(sha_of(&network, Compression::None), manifest["outputs"]["ckpt_to_nnue_none"]["sha256"].as_str().unwrap());
            seen += 1;
        }
    }
    assert_eq!(seen, 2);
}

#[test]
fn wrong_expectations_are_refused_with_both_values() {
    let Some(golden) = common::golden() else { return };
    let mut checked = 0;
    for (folder, manifest) in folders(&golden) {
        let outputs = &manifest["outputs"];
        for (step, output) in outputs.as_object().unwrap() {
            if !step.starts_with("ERR_ckpt") {
                continue;
            }
            let argv = output["argv"].as_array().unwrap();
            let expected = Expectation {
                features: option(argv, "--features").map(str::to_owned),
                l1: option(argv, "--l1").map(|l1| l1.parse().unwrap()),
                ..expectation(&folder)
            };
            let error = float(common::read_maybe_xz(&folder.join("net.ckpt")), &expected).err().unwrap();
            let (what, found, wanted) = match step.as_str() {
                "ERR_ckpt_wrong_l1" => ("L1", manifest["L1"].to_string(), expected.l1.unwrap().to_string()),
                "ERR_ckpt_without_factorizer_name" => {
                    let found = manifest["feature_set"].as_str().unwrap();
                    ("features", format!("`{found}`"), format!("`{}`", expected.features.unwrap()))
                }
                other => panic!("{other} is new"),
            };
            assert_eq!(error.message(), format!("{what}={found} in the file, {wanted} expected"), "{} {step}", folder.display());
            checked += 1;
        }
    }
    assert!(checked >= 15, "{checked}");
}

#[test]
fn differently_shaped_checkpoints_give_the_same_net() {
    let Some(golden) = common::golden() else { return };
    let folder = golden.join("public/A_seed/HalfKAv2_hm_fact_L8_ckpt_variants");
    let manifest = common::json(&folder.join("manifest.json"));
    let base = manifest["outputs"]["base.ckpt"]["none_nnue_sha256"].as_str().unwrap();
    let mut seen = 0;
    for (file, output) in manifest["outputs"].as_object().unwrap() {
        let bytes = common::read_maybe_xz(&folder.join(file));
        let wanted = match file.as_str() {
            // The trainer refuses these two for what they lack beside the weights; their weights are the same.
            "orig_mod_prefix.ckpt" | "state_dict_only.ckpt" => Some(base),
            _ => output["none_nnue_sha256"].as_str(),
        };
        let loaded = float(bytes, &expectation(&folder));
        match wanted {
            Some(wanted) => {
                // Of 16 bits, some values are infinite.
                let overflow = if file.starts_with("float16") { Overflow::Trainer } else { Overflow::Error };
                let network = integers(loaded.unwrap(), overflow).unwrap().0;
                assert_eq!(sha_of(&network, Compression::None), wanted, "{file}");
            }
            None => {
                let message = loaded.err().unwrap().to_string();
                let tensor = if file.starts_with("missing") { "layer_stacks.output.linear.bias" } else { "extra.weight" };
                assert!(message.contains(tensor), "{file}: {message}");
            }
        }
        seen += 1;
    }
    assert_eq!(seen, 15);
}

#[test]
fn overflows_are_refused_by_place_or_repeated_as_asked() {
    let Some(golden) = common::golden() else { return };
    for (name, tensor) in [("Full_Threats_fact_L8_overflow", "ft."), ("HalfKAv2_hm_fact_L16_overflow", "ft.")] {
        let folder = golden.join("public/A_seed").join(name);
        let network = float(common::read_maybe_xz(&folder.join("net.ckpt")), &expectation(&folder)).unwrap();
        let error = integers(network.clone(), Overflow::Error).err().unwrap();
        assert!(error.message().contains(" values of `") && error.message().contains(tensor), "{error:?}");
        let cause = error.causes().join("; ");
        assert!(cause.contains("the first, at row "), "{cause}");
        let (_, report) = integers(network.clone(), Overflow::Trainer).unwrap();
        assert!(report.overflowed.iter().map(|(_, count)| count).sum::<usize>() > 20, "{report:?}");
        // Some of the values are infinite or not numbers.
        for overflow in [Overflow::Clamp, Overflow::Wrap] {
            let error = integers(network.clone(), overflow).err().unwrap();
            assert!(error.message().contains("not finite"), "{error:?}");
        }
    }
}

#[test]
fn the_trainer_of_2026_refuses_the_same_values() {
    let Some(golden) = common::golden() else { return };
    let folder = golden.join("public/B_head/overflow");
    let manifest = common::json(&folder.join("manifest.json"));
    let base = common::read_maybe_xz(&folder.join("base.ckpt"));
    let file = nnue::internals::format::torch::TorchFile::open(Bytes::from_vec(base.clone())).unwrap();
    let tensors = file.state_dict().unwrap();
    let sha = |bytes: Vec<u8>, overflow: Overflow| {
        integers(float(bytes, &Expectation::default()).unwrap(), overflow).map(|(network, _)| sha_of(&network, Compression::None))
    };
    assert_eq!(sha(base.clone(), Overflow::Error).unwrap(), manifest["base"]["none_nnue_sha256"].as_str().unwrap());
    let mut seen = 0;
    for (case, output) in manifest["cases"].as_object().unwrap() {
        // The changed element is patched in the file; its checksum with it, by writing all tensors again.
        let mut outs: Vec<nnue::internals::format::tensor::TensorOut<'_>> = Vec::new();
        let mut is_finite = true;
        for (name, view) in &tensors {
            let mut values = view.to_f32().unwrap().into_owned();
            for change in output["set"].as_array().unwrap().iter().filter(|change| change["param"] == **name) {
                let index: Vec<usize> = change["index"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect();
                let flat = index.iter().zip(view.shape()).fold(0, |flat, (index, size)| flat * size + index);
                let bits = change["value_f32_bits"].as_str().unwrap().trim_start_matches("0x");
                values[flat] = f32::from_bits(u32::from_str_radix(bits, 16).unwrap());
                is_finite &= values[flat].is_finite();
            }
            outs.push(nnue::internals::format::tensor::TensorOut::f32(name.clone(), view.shape(), values));
        }
        let mut bytes = Vec::new();
        nnue::internals::format::torch::write_state_dict(&mut bytes, &outs).unwrap();
        let strict = sha(bytes.clone(), Overflow::Error);
        match output["none_nnue_sha256"].as_str() {
            // Its bound is compared in f32, so that exactly 2^31 passes and is written as -2^31: here that is an overflow.
            Some(wanted) if case.starts_with("psqt_rounds_to") || case == "l2_bias_262144" => {
                assert!(strict.is_err(), "{case}");
                assert_eq!(sha(bytes, Overflow::Wrap).unwrap(), wanted, "{case}");
            }
            Some(wanted) => assert_eq!(strict.unwrap(), wanted, "{case}"),
            None => {
                let error = strict.err().unwrap_or_else(|| panic!("{case} is not refused"));
                assert!(error.message().starts_with("1 value of `"), "{case}: {error:?}");
                assert_eq!(sha(bytes, Overflow::Clamp).is_ok(), is_finite, "{case}");
            }
        }
        seen += 1;
    }
    assert!(seen >= 27, "{seen}");
}

/// Name → (shape, SHA-256) of a file's tensors in the golden list.
fn recorded_tensors(entry: &Json) -> Option<&serde_json::Map<String, Json>> {
    ["state_dict", "model_state_dict"].into_iter().find_map(|key| entry[key].as_object()).or_else(|| {
        let flat = entry.as_object()?;
        flat.values().all(|tensor| tensor["sha256"].is_string()).then_some(flat)
    })
}

#[test]
fn dequantized_tensors_are_the_trainers_bit_for_bit() {
    let Some(golden) = common::golden() else { return };
    let (mut compared, mut folders_seen) = (0, 0);
    for (folder, _) in folders(&golden) {
        let path = folder.join("tensors.json");
        if is_unpadded(&folder) || !path.exists() {
            continue;
        }
        let text = folder.to_str().unwrap().to_owned();
        let recorded = common::json(&path);
        let recorded = ["from_none.pt", "from_nnue.pt"].into_iter().find_map(|file| recorded_tensors(&recorded[file]));
        let Some(recorded) = recorded else { continue };
        let bytes = common::read_maybe_xz(&folder.join("none.nnue"));
        let Loaded::Quantized(parsed) = load_bytes(Bytes::from_vec(bytes.clone()), &expectation_of_file(&folder)).unwrap() else {
            panic!("{text}: no integers")
        };
        let network = Arc::new(parsed.network);
        let floats = dequantize(&network, &Ctx::silent()).unwrap();
        let mut names: Vec<String> = Vec::new();
        for tensor in state_dict::tensors(&floats).unwrap() {
            let values = match &tensor.values {
                Values::Floats(values) => values.to_vec(),
                Values::Tensor(values) => read_all(&**values).unwrap(),
            };
            // The head's list is of the module inside.
            let name = tensor.name.strip_prefix("model.").filter(|name| recorded.contains_key(*name)).unwrap_or(&tensor.name).to_owned();
            let Some(wanted) = recorded.get(&name) else { panic!("{text}: the trainer has no `{name}`") };
            let shape: Vec<usize> = wanted["shape"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect();
            assert_eq!(tensor.shape, shape, "{text} {name}");
            let sha = common::sha256(&values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>());
            // In 2022 the trainer divided the output weights by the scale of another tensor.
            let misread = (text.contains("7d47cad") || text.contains("8329c85")) && name.ends_with("output.weight");
            assert_eq!(sha == wanted["sha256"].as_str().unwrap(), !misread, "{text} {name}");
            compared += usize::from(!misread);
            names.push(name);
        }
        let all: Vec<&String> = recorded.keys().filter(|name| !names.contains(name)).collect();
        assert!(all.is_empty(), "{text}: missing {all:?}");
        folders_seen += 1;
        for target in [FloatTarget::StateDict, FloatTarget::Safetensors, FloatTarget::Npz] {
            let again = integers(float(written(&floats, target).unwrap(), &Expectation::default()).unwrap(), Overflow::Error).unwrap().0;
            assert!(bytes_of(&again, Compression::None) == bytes, "{text} {}", target.name());
        }
    }
    println!("{folders_seen} nets, {compared} tensors");
    assert!(folders_seen >= 15 && compared >= 120, "{folders_seen} nets, {compared} tensors");
}

/// As [`expectation`], for a `.nnue` of sizes that no generation had.
fn expectation_of_file(folder: &Path) -> Expectation {
    let text = folder.to_str().unwrap();
    let generation = [("7d47cad", "SFNNv4"), ("8329c85", "SFNNv5"), ("fa66ebe", "SFNNv5")];
    let generation = generation.into_iter().find(|(commit, _)| text.contains(commit));
    Expectation { architecture: generation.and_then(|(_, name)| nnue::internals::net::generation(name)), ..expectation(folder) }
}

/// Of two generations that the first threat nets can be of, the one of a release is taken once the scales are given, and that is said.
#[test]
fn a_generation_that_is_taken_for_another_is_said() {
    let Some(golden) = common::golden() else { return };
    let work = tempfile::tempdir().unwrap();
    let checkpoint = golden.join("public/A_seed/Full_Threats_fact_L16/net.ckpt");
    std::fs::write(work.path().join("net.ckpt"), common::read_maybe_xz(&checkpoint)).unwrap();
    let run = |more: &[&str]| {
        let output = crate::described::nnue(work.path(), &[&["convert", "net.ckpt", "x.nnue"], more].concat());
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) = run(&["--quantization", "ft255"]);
    assert!(code == Some(0) && said.contains("is taken for SFNNv10b") && said.contains("can also be of SFNNv10a"), "{said}");
    for generation in ["SFNNv10a", "SFNNv10b"] {
        let (code, said) = run(&["--architecture", generation]);
        assert!(code == Some(0) && !said.contains("is taken for"), "{said}");
    }
    let (code, said) = run(&[]);
    assert!(code == Some(1) && said.contains("say which: `--architecture SFNNv10a` or `--architecture SFNNv10b`"), "{said}");
}
