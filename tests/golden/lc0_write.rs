//! What is made of golden lc0 nets: files, encodings, tensors and back, ONNX models, folded and blended nets.

use crate::common;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use nnue::internals::ctx::Ctx;
use nnue::internals::family::lc0::wire::Value;
use nnue::internals::family::lc0::{
    Decode, Description, Encoding, Entry, Environment, Fault, Layer, Net, OnnxOptions, Size, TensorFile, Version, View, Wrapping, blend,
    diff, discover, encode, is_linear16_stable, read_tensors, read_text, write_onnx, write_tensors,
};
use nnue::internals::files::Bytes;
use nnue::internals::words::OnnxType;
use serde_json::{Value as Json, json};

const DECODE: Decode = Decode::Lc0V033;

fn net(folder: &Path, name: &str) -> Net {
    Net::read(&Bytes::map(&folder.join("nets").join(name)).unwrap()).unwrap()
}

/// Every golden net that lc0 loads, with its name and the file's bytes.
fn nets(folder: &Path) -> Vec<(String, Bytes, Net)> {
    let mut found = Vec::new();
    for path in common::files_below(&folder.join("nets")) {
        let bytes = Bytes::map(&path).unwrap();
        if let Ok(net) = Net::read(&bytes) {
            found.push((path.file_name().unwrap().to_string_lossy().into_owned(), bytes, net));
        }
    }
    assert!(found.len() > 90, "{}", found.len());
    found
}

fn written(write: impl Fn(&mut dyn Write) -> nnue::internals::error::Result<()>) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out).unwrap();
    out
}

fn whole(net: &Net) -> Vec<u8> {
    written(|out| {
        net.message().write(out, true).unwrap();
        Ok(())
    })
}

#[test]
fn untouched_nets_come_back_byte_for_byte() {
    let Some(golden) = common::golden_lc0() else { return };
    for (name, bytes, net) in nets(&golden.join("public")) {
        assert_eq!(written(|out| net.write_pb(out)), net.protobuf().unwrap()[..], "{name}");
        let gz = written(|out| net.write_gz(out));
        if net.wrapping() == Some(Wrapping::Gzip) && !name.ends_with("trailer.pb.gz") {
            assert_eq!(gz, bytes[..], "{name}");
        }
        // Google's writer, by which all but the `wire-` nets were written, has the same order and lengths as ours.
        if !name.starts_with("wire-") && !name.contains("unknown") && !name.starts_with("encoding-2") {
            assert_eq!(whole(&net), net.protobuf().unwrap()[..], "{name}");
        }
        let again = Net::read(&Bytes::from_vec(gz)).unwrap();
        assert!(diff(&net, &again, DECODE, &Ctx::silent()).map_or(name.starts_with("layer-"), |diff| diff.is_empty()), "{name}");
        let engine = [&b"\x7fELF"[..], &[7; 500]].concat();
        let embedded = Bytes::from_vec(written(|out| net.write_embedded(&engine, out)));
        let found = Net::read_embedded(&embedded, DECODE).unwrap();
        assert_eq!(found.protobuf().unwrap()[..], net.protobuf().unwrap()[..], "{name}");
    }
}

#[test]
fn encoders_give_the_training_codes_bytes() {
    let Some(golden) = common::golden_lc0() else { return };
    let unhex = |text: &Json| -> Vec<u8> {
        let text = text.as_str().unwrap();
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    };
    let floats = |bytes: Vec<u8>| -> Vec<f32> { bytes.chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect() };
    let mut refused = Vec::new();
    for case in common::json(&golden.join("public/encode.json")).as_array().unwrap() {
        let values = floats(unhex(&case["f32"]));
        match encode(&values, Encoding::Linear16) {
            Ok(encoded) => {
                let expected = &case["tf_net"];
                let (min, max) = encoded.range.unwrap();
                assert_eq!(min.to_le_bytes().to_vec(), unhex(&expected["min"]), "{}", case["name"]);
                assert_eq!(max.to_le_bytes().to_vec(), unhex(&expected["max"]), "{}", case["name"]);
                assert_eq!(encoded.params, unhex(&expected["params"]), "{}", case["name"]);
            }
            Err(_) => refused.push(case["name"].as_str().unwrap().to_owned()),
        }
        match encode(&values, Encoding::Float16) {
            Ok(encoded) => assert_eq!(encoded.params, unhex(&case["tool_float16"]), "{}", case["name"]),
            Err(_) => assert!(values.iter().any(|value| value.abs() >= 65520.0), "{}", case["name"]),
        }
        if let Ok(encoded) = encode(&values, Encoding::Bfloat16) {
            let rounded =
                values.iter().map(|value| ((u64::from(value.to_bits()) + 0x7FFF + u64::from(value.to_bits() >> 16 & 1)) >> 16) as u16);
            assert_eq!(encoded.params, rounded.flat_map(u16::to_le_bytes).collect::<Vec<u8>>(), "{}", case["name"]);
        }
        assert_eq!(encode(&values, Encoding::Float32).unwrap().params, unhex(&case["f32"]));
    }
    assert!(refused.len() <= 1, "{refused:?}");
}

#[test]
fn encoding_again_gives_the_same_bytes_where_it_can() {
    let Some(golden) = common::golden_lc0() else { return };
    let (mut held, mut other) = (0, 0);
    for (name, _, net) in nets(&golden.join("public")) {
        for tensor in net.tensors(View::Raw, DECODE).unwrap().tensors {
            let layer: Layer<'_> = tensor.layer().unwrap();
            let codes: Vec<u16> = layer.params().chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]])).collect();
            let whole = layer.params().len().is_multiple_of(2) && codes.contains(&0) && codes.contains(&u16::MAX);
            if layer.encoding().unwrap() != Encoding::Linear16 || !is_linear16_stable(layer.min(), layer.max()) || codes.len() < 2 || !whole
            {
                other += 1;
                continue;
            }
            let encoded = encode(&tensor.values().unwrap(), Encoding::Linear16).unwrap();
            assert_eq!(encoded.range, Some((layer.min(), layer.max())), "{name} {}", tensor.name);
            assert_eq!(encoded.params, layer.params(), "{name} {}", tensor.name);
            held += 1;
        }
    }
    println!("{held} layers held, {other} are of another kind");
    assert!(held > 3000, "{held}");
}

#[test]
fn text_nets_become_what_the_training_code_makes_of_them() {
    let Some(golden) = common::golden_lc0() else { return };
    for version in 1..=4 {
        let folder = golden.join("public/text");
        let net = read_text(&std::fs::read(folder.join(format!("v{version}.txt"))).unwrap()).unwrap();
        let expected = std::fs::read(folder.join(format!("v{version}-classical.pb"))).unwrap();
        assert_eq!(written(|out| net.write_pb(out)), expected, "version {version}");
    }
    for (text, part) in [("3\n0.5\n", "21 tensors"), ("2\n", "18 tensors"), ("x", "not a text net")] {
        assert!(read_text(text.as_bytes()).unwrap_err().to_string().contains(part));
    }
    let broken = format!("2\n{}", "0.5 x\n".repeat(18));
    assert!(read_text(broken.as_bytes()).unwrap_err().to_string().contains("line 2"));
}

#[test]
fn views_go_into_files_of_tensors_and_back() {
    let Some(golden) = common::golden_lc0() else { return };
    let ctx = Ctx::silent();
    for (name, _, net) in nets(&golden.join("public")) {
        for (view, file, decode) in [
            (View::Raw, TensorFile::Safetensors, DECODE),
            (View::Raw, TensorFile::Npz, DECODE),
            (View::Raw, TensorFile::Safetensors, Decode::Lc0V032),
            (View::Legacy, TensorFile::Npz, DECODE),
            (View::Multi, TensorFile::Safetensors, DECODE),
        ] {
            let Ok(tensors) = net.tensors(view, decode) else { continue };
            if name == "onnx-f32.pb.gz" || name == "onnx-f16.pb.gz" {
                assert!(write_tensors(&mut Vec::new(), &net, view, decode, file, &ctx).unwrap_err().message().contains("no layers"));
                continue;
            }
            let bytes = Bytes::from_vec(written(|out| write_tensors(out, &net, view, decode, file, &ctx)));
            let back = read_tensors(&bytes, None, &ctx).unwrap_or_else(|error| panic!("{name} {}: {error}", view.name()));
            if view == View::Raw {
                assert_eq!(whole(&back), whole(&net), "{name}");
                continue;
            }
            let again = back.tensors(view, decode).unwrap();
            assert_eq!(again.tensors.len(), tensors.tensors.len(), "{name} {}", view.name());
            for tensor in &tensors.tensors {
                let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<_>>();
                let other = again.get(&tensor.name).unwrap();
                assert_eq!(bits(tensor.values().unwrap()), bits(other.values().unwrap()), "{name} {}", tensor.name);
            }
        }
    }
}

/// lc0 0.32 has no layers in single precision, which folded convolutions become: its floats come back to the bit all the same.
#[test]
fn folded_views_of_the_old_formula_come_back_to_the_bit() {
    let Some(golden) = common::golden_lc0() else { return };
    let (ctx, old) = (Ctx::silent(), Decode::Lc0V032);
    let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<_>>();
    let mut told = 0;
    for (name, _, net) in nets(&golden.join("public")) {
        for (view, file) in [(View::Legacy, TensorFile::Npz), (View::Multi, TensorFile::Safetensors)] {
            let mut bytes = Vec::new();
            // Nets without layers, and one whose ranges that formula cannot decode.
            let are_numbers = |tensors: Vec<Vec<f32>>| tensors.iter().flatten().all(|value| value.is_finite());
            let values = net.tensors(view, old).and_then(|tensors| tensors.tensors.iter().map(|tensor| tensor.values()).collect());
            if !values.is_ok_and(are_numbers) || write_tensors(&mut bytes, &net, view, old, file, &ctx).is_err() {
                continue;
            }
            let back = read_tensors(&Bytes::from_vec(bytes), None, &ctx).unwrap_or_else(|error| panic!("{name} {}: {error}", view.name()));
            let decode = if back.first_new_encoding().is_some() { DECODE } else { old };
            let (tensors, again) = (net.tensors(view, old).unwrap(), back.tensors(view, decode).unwrap());
            for tensor in &tensors.tensors {
                let other = again.get(&tensor.name).unwrap();
                assert_eq!(bits(tensor.values().unwrap()), bits(other.values().unwrap()), "{name} {} {}", view.name(), tensor.name);
                told += 1;
            }
        }
    }
    assert!(told > 5000, "{told}");
}

/// Floats that someone changed are rounded once, to the encoding that is asked for, by way of no other.
#[test]
fn new_floats_are_rounded_once() {
    let Some(golden) = common::golden_lc0() else { return };
    let ctx = Ctx::silent();
    for decode in Decode::ALL.iter().copied() {
        let net = net(&golden.join("public"), "se-conv-wdl-mlh.pb.gz");
        let bytes = written(|out| write_tensors(out, &net, View::Raw, decode, TensorFile::Safetensors, &ctx));
        let header = 8 + u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize;
        let offsets = &serde_json::from_slice::<Json>(&bytes[8..header]).unwrap()["ip1_val_b"]["data_offsets"];
        let [begin, end] = [0, 1].map(|at| offsets[at].as_u64().unwrap() as usize);
        let (place, count) = (header + begin, (end - begin) / 4);
        let new: Vec<f32> = (0..count).map(|at| if at == 0 { 3e38 } else { (at as f32 * 0.37).sin() / 3.0 }).collect();
        let mut edited = bytes.clone();
        for (at, value) in new.iter().enumerate() {
            edited[place + 4 * at..][..4].copy_from_slice(&value.to_le_bytes());
        }
        let edited = Bytes::from_vec(edited);
        let told = |encoding| {
            let mut back = read_tensors(&edited, Some(encoding), &ctx).unwrap();
            back.encode(encoding, DECODE, &ctx).unwrap();
            assert!(back.min_version().number() >= Version(0, 33, 0).number());
            back
        };
        let float32 = told(Encoding::Float32);
        let values = |net: &Net, name: &str| net.tensors(View::Raw, DECODE).unwrap().get(name).unwrap().values().unwrap();
        assert_eq!(values(&float32, "ip1_val_b"), new);
        // All others are what the file says, by whichever formula its floats were made.
        for tensor in net.tensors(View::Raw, decode).unwrap().tensors.iter().filter(|tensor| tensor.name != "ip1_val_b") {
            assert_eq!(values(&float32, &tensor.name), tensor.values().unwrap(), "{}", tensor.name);
        }
        let rounded = new.iter().map(|value| half::bf16::from_f32(*value).to_f32()).collect::<Vec<_>>();
        assert_eq!(values(&told(Encoding::Bfloat16), "ip1_val_b"), rounded);
        assert!(read_tensors(&edited, None, &ctx).unwrap().tensors(View::Raw, DECODE).is_ok());
        // Layers that nobody changed keep their bytes where they are asked for as they are.
        let mut back = read_tensors(&Bytes::from_vec(bytes), Some(Encoding::Linear16), &ctx).unwrap();
        back.encode(Encoding::Linear16, DECODE, &ctx).unwrap();
        assert_eq!(whole(&back), whole(&net));
    }
}

#[test]
fn folding_and_encoding_keep_what_they_must() {
    let Some(golden) = common::golden_lc0() else { return };
    let ctx = Ctx::silent();
    let folder = golden.join("public");
    for name in ["se-conv-wdl-mlh.pb.gz", "attnbody-on-residual.pb.gz", "conv-bias-and-bn.pb.gz", "multihead-shared.pb.gz"] {
        let source = net(&folder, name);
        let mut folded = source.clone();
        folded.fold(Some(Encoding::Float32), DECODE, &ctx).unwrap();
        assert!(folded.protobuf().is_none());
        let raw = folded.tensors(View::Raw, DECODE).unwrap();
        assert!(raw.tensors.iter().all(|tensor| !tensor.name.contains("bn_")), "{name}");
        for tensor in source.tensors(View::Multi, DECODE).unwrap().tensors {
            let folded = folded.tensors(View::Multi, DECODE).unwrap();
            assert_eq!(folded.get(&tensor.name).unwrap().values().unwrap(), tensor.values().unwrap(), "{name} {}", tensor.name);
        }
        let mut wide = source.clone();
        wide.encode(Encoding::Float32, DECODE, &ctx).unwrap();
        assert_eq!(wide.min_version(), Version(0, 33, 0));
        let changed = diff(&source, &wide, DECODE, &ctx).unwrap();
        assert!(changed.same_values() && !changed.layers.is_empty());
        // Layers that fill their range come back to the very bytes.
        wide.encode(Encoding::Linear16, DECODE, &ctx).unwrap();
        let back = diff(&source, &wide, DECODE, &ctx).unwrap();
        assert!(back.layers.is_empty(), "{name} {:?}", back.layers);
    }
}

/// Layers are encoded in the memory that they were read into, where nobody else holds it: the bytes are the same.
#[test]
fn a_net_that_others_hold_is_encoded_as_one_that_nobody_does() {
    let Some(golden) = common::golden_lc0() else { return };
    let (folder, ctx) = (golden.join("public"), Ctx::silent());
    let mut encoded = 0;
    for (name, _, held) in nets(&folder) {
        for encoding in Encoding::ALL.iter().copied() {
            let mut alone = net(&folder, &name);
            let mut shared = held.clone();
            let outcome = alone.encode(encoding, DECODE, &ctx).map_err(|error| error.to_string());
            assert_eq!(outcome, shared.encode(encoding, DECODE, &ctx).map_err(|error| error.to_string()), "{name}");
            if outcome.is_ok() {
                assert_eq!(whole(&alone), whole(&shared), "{name} {}", encoding.name());
                encoded += 1;
            }
        }
        assert_eq!(whole(&held), whole(&net(&folder, &name)), "{name}");
    }
    assert!(encoded > 300, "{encoded}");
    // Two heads in one place, and in two.
    let with_two = |apart: bool| {
        let (mut twice, other) = (net(&folder, "multihead-shared.pb.gz"), net(&folder, "multihead-shared.pb.gz"));
        let heads = |net: &Net| net.weights().unwrap().message("policy_heads").unwrap().clone();
        let soft = heads(if apart { &other } else { &twice }).message("soft").unwrap().clone();
        let target = twice.message_mut().message_mut("weights").and_then(|weights| weights.message_mut("policy_heads")).unwrap();
        target.set("opponent", Value::Message(soft));
        twice.encode(Encoding::Bfloat16, DECODE, &ctx).unwrap();
        whole(&twice)
    };
    assert_eq!(with_two(false), with_two(true));
}

#[test]
fn edits_leave_all_layers_alone() {
    let Some(golden) = common::golden_lc0() else { return };
    let source = net(&golden.join("public"), "multihead-shared.pb.gz");
    let mut edited = source.clone();
    edited.set_license(Some("CC0"));
    edited.set_training("training_steps", Some("12")).unwrap();
    edited.set_min_version(Version(0, 31, 0)).unwrap();
    let changed = diff(&source, &edited, DECODE, &Ctx::silent()).unwrap();
    assert!(changed.layers.is_empty() && changed.header.len() >= 3, "{changed:?}");
    assert!(edited.set_training("steps", None).unwrap_err().help_text().unwrap().contains("training_steps"));
    edited.strip_training();
    edited.set_license(None);
    edited.keep_heads(Some(&["vanilla", "soft"]), Some(&["winner"])).unwrap();
    let kept = diff(&source, &edited, DECODE, &Ctx::silent()).unwrap();
    assert!(kept.layers.is_empty() && kept.only_in_b.is_empty());
    assert!(kept.only_in_a.iter().all(|layer| {
        ["policy_heads.optimistic_st.", "policy_heads.opponent.", "value_heads.q.", "value_heads.st."]
            .iter()
            .any(|head| layer.starts_with(head))
    }));
    assert!(edited.keep_heads(Some(&["nosuch"]), None).unwrap_err().message().contains("nosuch"));
    edited.graft(&source, "policy_heads.soft").unwrap();
    assert!(edited.graft(&source, "encoder.9").is_err());
}

#[test]
fn blends_are_the_arithmetic_in_f64_rounded_once() {
    let Some(golden) = common::golden_lc0() else { return };
    let folder = golden.join("public");
    let ctx = Ctx::silent();
    let (a, b) = (net(&folder, "encoding-float32.pb.gz"), net(&folder, "encoding-bfloat16.pb.gz"));
    let mixed = blend(&[(&a, 0.3), (&b, 0.9)], None, DECODE, &ctx).unwrap();
    let (mixed, tensors_a, tensors_b) = (mixed, a.tensors(View::Raw, DECODE).unwrap(), b.tensors(View::Raw, DECODE).unwrap());
    for tensor in mixed.tensors(View::Raw, DECODE).unwrap().tensors {
        let (a, b) = (tensors_a.get(&tensor.name).unwrap().values().unwrap(), tensors_b.get(&tensor.name).unwrap().values().unwrap());
        let wanted: Vec<f32> = a.iter().zip(&b).map(|(a, b)| ((0.3 * f64::from(*a) + 0.9 * f64::from(*b)) / (0.3 + 0.9)) as f32).collect();
        assert_eq!(tensor.values().unwrap(), wanted, "{}", tensor.name);
    }
    let same = blend(&[(&a, 0.5), (&a, 0.5)], None, DECODE, &ctx).unwrap();
    assert!(diff(&a, &same, DECODE, &ctx).unwrap().is_empty());
    let other = net(&folder, "multihead-shared.pb.gz");
    assert!(blend(&[(&a, 1.0), (&other, 1.0)], None, DECODE, &ctx).is_err_and(|error| error.message().contains("net 2")));
    assert!(blend(&[(&a, 1.0), (&b, -1.0)], None, DECODE, &ctx).is_err());
}

#[test]
fn what_lc0_does_not_check_is_found() {
    let Some(golden) = common::golden_lc0() else { return };
    let folder = golden.join("public");
    let has = |name: &str, fault: Fault, part: &str| {
        let found = net(&folder, name).findings(DECODE);
        assert!(found.iter().any(|finding| finding.fault == fault && finding.what.contains(part)), "{name}: {found:?}");
    };
    has("tool-float16.pb.gz", Fault::Version, "loads such layers as zeros");
    has("encoding-float16-old-min-version.pb.gz", Fault::Version, "0.32.9");
    has("layer-half-specials.pb.gz", Fault::Value, "inf");
    has("layer-odd-length.pb.gz", Fault::Value, "whole number");
    has("layer-all-codes.pb.gz", Fault::Size, "ip1_val_w");
    has("wire-unknown-fields.pb.gz", Fault::Unknown, "5 records");
    let mut raised = net(&folder, "tool-float16.pb.gz");
    assert!(raised.raise_min_version());
    raised.check_version().unwrap();
    for name in [
        "se-conv-wdl-mlh.pb.gz",
        "attnbody-smolgen.pb.gz",
        "multihead-shared.pb.gz",
        "attnbody-on-residual.pb.gz",
        "classical-old-bn.pb.gz",
    ] {
        assert_eq!(net(&folder, name).findings(DECODE), [], "{name}");
        let description = net(&folder, name).describe(DECODE);
        let total: usize = net(&folder, name).tensors(View::Raw, DECODE).unwrap().tensors.iter().map(|tensor| tensor.len).sum();
        assert_eq!(description.parameters, total as u64, "{name}");
    }
}

/// Titles of what `describenet` prints.
const TITLES: [&str; 6] = ["General", "Format", "Training Parameters", "Weights", "ONNX interface", "ONNX model"];

/// Everything that lc0's `describenet` prints of a file is in its description.
#[test]
fn descriptions_have_what_describenet_prints() {
    let Some(golden) = common::golden_lc0() else { return };
    let folder = golden.join("public");
    let mut lines = 0;
    for (name, text) in common::json_maybe_xz(&folder.join("describe.json")).as_object().unwrap() {
        let path = folder.join("nets").join(name);
        if name.ends_with(".exe") || !path.exists() {
            continue;
        }
        let net = net(&folder, name);
        let description = net.describe(DECODE);
        for line in text.as_str().unwrap().lines() {
            let Some((key, value)) = line.split_once(": ") else {
                assert!(line.chars().all(|letter| letter == '~') || TITLES.contains(&line), "{name}: {line}");
                continue;
            };
            let (key, value) = (key.trim(), value.trim());
            assert!(is_described(&net, &description, key, value), "{name}: `{key}` is `{value}`: {description:?}");
            lines += 1;
        }
    }
    assert!(lines > 1200, "{lines}");
}

/// Whether a line of `describenet` has its like in a description.
fn is_described(net: &Net, description: &Description, key: &str, value: &str) -> bool {
    let in_list = |list: &[Entry]| list.iter().any(|entry| entry.value == value);
    let named = |list: &[Size], key: &str| list.iter().find(|size| size.name == key).map_or(0, |size| size.value);
    let body = |key: &str| value == named(&description.body, key).to_string();
    // lc0 prints six digits.
    let training = |name: &str| {
        let found = description.training.iter().find(|entry| entry.name == name);
        let (Some(found), Ok(printed)) = (found, value.parse::<f64>()) else { return false };
        (found.value.parse::<f64>().unwrap() - printed).abs() <= 5e-6 * printed.abs()
    };
    let head = |kind: &str| description.parts.iter().find(|part| part.kind == kind && part.name != "shared embedding");
    // lc0 looks at the fields of older nets only: of head groups it prints zeros.
    let has_groups = net.weights().is_some_and(|weights| weights.has("policy_heads"));
    let policy = |key: &str| {
        let size = head("policy").map_or(0, |part| named(&part.sizes, key));
        value == size.to_string() || has_groups && value == "0" && size > 0
    };
    let activation = |key: &str| match head("policy") {
        Some(part) => part.activations.iter().any(|entry| entry.name == key && entry.value == value),
        None => value == "ACTIVATION_DEFAULT",
    };
    // Of no head at all it prints what has nothing.
    let form = |kind: &str, none: &'static str| head(kind).map_or(none, |part| part.form);
    match key {
        "Minimal Lc0 version" => value == format!("v{}", description.min_version),
        "Weights encoding" => description.weights_encoding.as_deref() == Some(value),
        "Input" | "Network" | "Policy" | "Value" | "MLH" | "Default activation" | "Smolgen activation" | "FFN activation"
        | "Input embedding"
            if value.contains('_') || value.contains('(') =>
        {
            in_list(&description.format)
        }
        "Blocks" => body("blocks"),
        "SE blocks" => body("se blocks"),
        // It counts a layer's bytes by two, whatever its encoding.
        "Filters" if first_encoding(net) == Some(Encoding::Float32) => value == (2 * named(&description.body, "filters")).to_string(),
        "Filters" => body("filters"),
        "Encoders" => body("encoders"),
        "Encoder heads" => body("encoder heads"),
        "Embedding size" => body("embedding"),
        "Dmodel" => body("d_model"),
        "Encoder DFF" => body("encoder dff"),
        "Policy" => value.to_lowercase() == form("policy", "dense"),
        "Policy channels" => policy("channels"),
        "Policy Dmodel" => policy("d_model"),
        "Policy encoders" => policy("encoders"),
        "Policy encoder heads" => policy("encoder heads"),
        "Policy encoder Dmodel" => policy("encoder d_model"),
        "Policy encoder DFF" => policy("encoder dff"),
        "Policy activation" => activation("activation"),
        "Policy FFN activation" => activation("encoder ffn activation"),
        "Value" => value == if form("value", "wdl") == "wdl" { "WDL" } else { "Classical" },
        "MLH" => value == if head("moves left").is_some() { "Present" } else { "Absent" },
        "IR version" | "Producer Name" | "Producer Version" | "Doc String" | "Input" | "Output" | "Opset" => {
            in_list(&description.onnx_model)
        }
        "Data type" | "Input planes" | "Output WDL" | "Output Policy" => in_list(&description.onnx),
        "Training steps" => in_list(&description.training),
        "Learning rate" => training("learning_rate"),
        "MSE loss" => training("mse_loss"),
        "Policy loss" => training("policy_loss"),
        "Accuracy" => training("accuracy"),
        "Lc0 Params" => in_list(&description.training),
        _ => panic!("`{key}` is `{value}`: nobody looks at that line"),
    }
}

/// How the layer is stored by which lc0 counts the filters.
fn first_encoding(net: &Net) -> Option<Encoding> {
    Layer::find(net.weights()?.message("input")?, "weights")?.encoding().ok()
}

/// Records of a message: field number, wire type, number, bytes.
fn records(bytes: &[u8]) -> Vec<(u64, u64, &[u8])> {
    fn varint(rest: &mut &[u8]) -> u64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = rest[0];
            *rest = &rest[1..];
            value |= u64::from(byte & 0x7F) << shift;
            shift += 7;
            if byte < 0x80 {
                return value;
            }
        }
    }
    let (mut rest, mut out) = (bytes, Vec::new());
    while !rest.is_empty() {
        let tag = varint(&mut rest);
        let (number, len) = match tag & 7 {
            0 => (varint(&mut rest), 0),
            2 => (0, varint(&mut rest) as usize),
            5 => (0, 4),
            other => panic!("wire type {other}"),
        };
        let (content, tail) = rest.split_at(len);
        out.push((tag >> 3, number, content));
        rest = tail;
    }
    out
}

fn first<'a>(list: &[(u64, u64, &'a [u8])], field: u64) -> (u64, &'a [u8]) {
    list.iter().find(|record| record.0 == field).map_or((0, &[]), |record| (record.1, record.2))
}

/// A model as the golden data has it.
fn summary(model: &[u8]) -> Json {
    let model = records(model);
    let graph = records(first(&model, 7).1);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let mut initializers = BTreeMap::new();
    for record in graph.iter().filter(|record| record.0 == 5) {
        let tensor = records(record.2);
        let dims: Vec<u64> = tensor.iter().filter(|record| record.0 == 1).map(|record| record.1).collect();
        initializers.insert(text(first(&tensor, 8).1), json!([dims, first(&tensor, 2).0, common::sha256(first(&tensor, 9).1)]));
    }
    let nodes: Vec<_> = graph.iter().filter(|record| record.0 == 1).map(|record| records(record.2)).collect();
    let mut ops: Vec<String> = nodes.iter().map(|node| text(first(node, 4).1)).collect();
    ops.sort();
    ops.dedup();
    let names = |field| -> Vec<String> {
        graph.iter().filter(|record| record.0 == field).map(|record| text(first(&records(record.2), 1).1)).collect()
    };
    let opset = first(&records(first(&model, 8).1), 2).0;
    json!({"initializers": initializers, "nodes": nodes.len(), "ops": ops, "inputs": names(11), "outputs": names(12),
        "ir": first(&model, 1).0, "opset": opset})
}

#[test]
fn onnx_models_have_lc0s_constants() {
    let Some(golden) = common::golden_lc0() else { return };
    let folder = golden.join("public");
    let (mut models, mut constants, mut refused) = (0, 0, 0);
    for (name, cases) in common::json_maybe_xz(&folder.join("onnx.json")).as_object().unwrap() {
        let path = folder.join("nets").join(name);
        let net = Net::read(&Bytes::map(&path).unwrap()).unwrap();
        for (case, expected) in cases.as_object().unwrap() {
            let parts: Vec<&str> = case.split(' ').collect();
            let numbers = match parts[0] {
                "f32" => OnnxType::Float32,
                "f16" => OnnxType::Float16,
                "bf16" => OnnxType::Bfloat16,
                other => panic!("{other}"),
            };
            // A net that carries a model gives it as it is, and refuses to be asked for another.
            let is_carried = expected.get("sha256").is_some() && expected.get("initializers").is_none();
            let numbers = (!is_carried).then_some(numbers);
            let options = OnnxOptions { policy_head: parts[1].into(), value_head: parts[2].into(), numbers };
            let mut model = Vec::new();
            let result = write_onnx(&mut model, &net, &options, DECODE, &Ctx::silent());
            if expected.get("undefined").is_some() {
                continue;
            }
            if let Some(words) = expected.get("error") {
                assert_eq!(result.unwrap_err().message(), words.as_str().unwrap(), "{name} {case}");
                refused += 1;
                continue;
            }
            if name == "old-attn-no-smolgen-w.pb.gz" {
                // lc0 writes a model here that lacks a constant, and that nothing can run.
                assert!(result.unwrap_err().message().contains("smolgen_w"));
                continue;
            }
            result.unwrap_or_else(|error| panic!("{name} {case}: {error}"));
            if expected.get("initializers").is_none() {
                assert_eq!(common::sha256(&model), expected["sha256"], "{name}");
                continue;
            }
            let made = summary(&model);
            for (key, value) in expected["initializers"].as_object().unwrap() {
                assert_eq!(made["initializers"].get(key), Some(value), "{name} {case} {key}");
                constants += 1;
            }
            for key in ["nodes", "ops", "inputs", "outputs", "ir", "opset"] {
                assert_eq!(made[key], expected[key], "{name} {case} {key}");
            }
            assert_eq!(made["initializers"].as_object().unwrap().len(), expected["initializers"].as_object().unwrap().len(), "{name}");
            models += 1;
        }
    }
    println!("{models} models, {constants} constants, {refused} refused");
    assert!(models > 35 && refused > 15, "{models} {refused}");
}

fn content(kind: &str, size: usize) -> Vec<u8> {
    let net = b"\x0d\xc0\x01\0\0\x1a\x04\x08\0\x10\x15\x22\x02\x08\x01";
    let field = |size: usize| {
        let three = [0x80 | (size & 0x7F) as u8, 0x80 | (size >> 7 & 0x7F) as u8, (size >> 14) as u8];
        [&b"\x7a"[..], &three, &vec![0; size]].concat()
    };
    let gzip = |level| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(level));
        encoder.write_all(&[&net[..], &field(size)].concat()).unwrap();
        encoder.finish().unwrap()
    };
    let padded = |head: &[u8]| [head, &vec![0; size - head.len()]].concat();
    match kind {
        "net" => [&net[..], &field(size - 19)].concat(),
        "net-other-first-byte" => [&b"\xff"[..], &net[1..], &field(size - 19)].concat(),
        "junk" => padded(&[&b"junk"[..], &[1; 11]].concat()),
        "text2" => padded(b"2\n0.5 "),
        "gz" => gzip(0),
        "gz-small" => gzip(9),
        other => panic!("{other}"),
    }
}

#[test]
fn the_net_that_lc0_would_take_is_found() {
    let Some(golden) = common::golden_lc0() else { return };
    let cases = common::json(&golden.join("discovery.json"));
    let cases = cases["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 23);
    for case in cases {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for file in case["files"].as_array().unwrap() {
            let path = root.join(file["path"].as_str().unwrap());
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, content(file["kind"].as_str().unwrap(), file["size"].as_u64().unwrap() as usize)).unwrap();
            let time = UNIX_EPOCH + Duration::from_secs_f64(file["mtime"].as_f64().unwrap());
            File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        }
        for (link, target) in case["links"].as_object().into_iter().flatten() {
            let link = root.join(link);
            std::fs::create_dir_all(link.parent().unwrap()).unwrap();
            std::os::unix::fs::symlink(root.join(target.as_str().unwrap()), link).unwrap();
        }
        let variable = |name: &str| case["env"][name].as_str();
        let below = |list: &str| list.split(':').map(|part| format!("{}/{part}", root.display())).collect::<Vec<_>>().join(":");
        let argv0 = match case["argv0"].as_str() {
            // lc0 looks in the current folder then; a test cannot change that of the whole process.
            Some(name) => root.join(name),
            None => root.join("bin/lc0"),
        };
        let environment = Environment {
            argv0,
            home: Some(root.join("home")),
            data_home: variable("XDG_DATA_HOME").map(|path| root.join(path)),
            data_dirs: Some(below(variable("XDG_DATA_DIRS").unwrap_or("sys1:sys2"))),
        };
        let found = discover(&environment).map(|path| path.strip_prefix(root).unwrap().to_owned());
        assert_eq!(found, case["expected"].as_str().map(|path| PathBuf::from(path.trim_start_matches("./"))), "{}", case["name"]);
    }
    let bare = Environment { argv0: "lc0".into(), ..Environment::default() };
    assert_eq!(bare.folders()[0], Path::new("."));
}
