//! Sources as other programs leave them: what is read, and what is said of those that are not.

use std::path::Path;

use nnue::internals::files::Bytes;
use nnue::internals::format::safetensors;
use nnue::internals::format::tensor::{TensorOut, TensorView};
use nnue::internals::format::torch::{PickleValue, write_archive};

use serde_json::Value;

use crate::project::Project;

/// A project with `net.nnue`, and the float tensors of that net.
fn with_tensors(manifest: &str) -> (Project, Vec<(String, TensorView)>) {
    let project = Project::empty().with_net("net.nnue", 32, 1).with_manifest(manifest);
    project.nnue(&["convert", "net.nnue", "net.safetensors", "--quantization", "ft127"]).ok();
    let tensors = safetensors::read(Bytes::from_vec(project.bytes("net.safetensors"))).unwrap().tensors;
    (project, tensors)
}

/// An ordered dict of `tensors` under names that begin with `prefix`, of which the first has the index `from`.
fn dict(tensors: &[(String, TensorView)], prefix: &str, from: usize) -> PickleValue {
    let items = tensors.iter().enumerate();
    PickleValue::OrderedDict(
        items.map(|(index, (name, _))| (PickleValue::str(format!("{prefix}{name}")), PickleValue::Tensor(from + index))).collect(),
    )
}

fn outs(tensors: &[(String, TensorView)], factor: f32) -> Vec<TensorOut<'static>> {
    let scaled = |view: &TensorView| view.to_f32().unwrap().iter().map(|value| value * factor).collect::<Vec<f32>>();
    tensors.iter().map(|(name, view)| TensorOut::f32(name, view.shape(), scaled(view))).collect()
}

fn archive(path: &Path, root: &PickleValue, tensors: &[TensorOut<'_>]) {
    let mut bytes = Vec::new();
    write_archive(&mut bytes, root, tensors).unwrap();
    std::fs::write(path, bytes).unwrap();
}

fn keyed(entries: Vec<(&str, PickleValue)>) -> PickleValue {
    PickleValue::Dict(entries.into_iter().map(|(key, value)| (PickleValue::str(key), value)).collect())
}

const SCALES: [&str; 2] = ["--quantization", "ft127"];

#[test]
fn of_several_dicts_of_tensors_the_user_says_which() {
    let manifest = "version = 1\n[source.run]\npath = \"both.pt\"\nquantization = \"ft127\"\nCHOICE\n\
                    [net.a]\nsource = \"run\"\noutputs = [\"a.nnue\"]\n";
    let (project, tensors) = with_tensors(manifest);
    let count = tensors.len();
    let both: Vec<_> = outs(&tensors, 1.0).into_iter().chain(outs(&tensors, 0.5)).collect();
    let root = keyed(vec![
        ("model", dict(&tensors, "", 0)),
        ("ema", keyed(vec![("module", dict(&tensors, "module.", count)), ("decay", PickleValue::Float(0.5))])),
        ("ema_flat", dict(&tensors, "", count)),
    ]);
    archive(&project.at("both.pt"), &root, &both);
    let convert = |choice: &[&str], to: &str| project.nnue(&[&["convert", "both.pt", to], &SCALES[..], choice].concat());
    convert(&[], "x.nnue").fails(1, &["several dicts of tensors", "`model`, `ema_flat`", "--state-dict \"model\""]);
    convert(&["--state-dict", "model"], "model.nnue").ok();
    convert(&["--state-dict", "ema_flat"], "flat.nnue").ok();
    convert(&["--state-dict", "ema/module"], "ema.nnue").ok();
    assert_eq!(project.bytes("flat.nnue"), project.bytes("ema.nnue"));
    assert_ne!(project.bytes("model.nnue"), project.bytes("ema.nnue"));
    convert(&["--state-dict", "ema/nothing"], "x.nnue").fails(1, &["the file has no `ema/nothing`", "`module`, `decay`", "`--state-dict`"]);
    convert(&["--state-dict", "ema"], "x.nnue").fails(1, &["`ema` is not a dict of tensors", "module"]);
    convert(&["--state-dict", "ema/decay"], "x.nnue").fails(1, &["`ema/decay` in the file is a float, not a dict"]);
    let whole = project.nnue(&["convert", "net.nnue", "x.nnue", "--state-dict", "model"]);
    whole.fails(1, &["`state_dict` names `model`, but the file is a `.nnue` file"]);
    assert!(!project.at("x.nnue").exists());

    project.manifest(&manifest.replace("CHOICE", ""));
    let ran = project.nnue(&["build"]);
    assert!(ran.code == 1 && ran.err.contains("state_dict = \"model\""), "{}", ran.transcript());
    project.manifest(&manifest.replace("CHOICE", "state_dict = \"model\""));
    project.nnue(&["build"]).ok();
    assert_eq!(project.bytes("a.nnue"), project.bytes("model.nnue"));
    project.manifest(&manifest.replace("CHOICE", "state_dict = \"ema/module\""));
    let built = project.nnue(&["build"]).ok();
    assert!(built.err.contains("state_dict") || built.out.contains("a.nnue"), "{}", built.transcript());
    assert_eq!(project.bytes("a.nnue"), project.bytes("ema.nnue"));
}

#[test]
fn wrappers_stand_anywhere_in_a_name() {
    let (project, tensors) = with_tensors("version = 1\n");
    let renamed: Vec<(String, TensorView)> = tensors
        .iter()
        .map(|(name, view)| {
            let inner = name.replacen(".weight", "._orig_mod.weight", 1).replacen("layer_stacks.", "layer_stacks._fsdp_wrapped_module.", 1);
            (format!("_forward_module.module.{inner}"), view.clone())
        })
        .collect();
    archive(&project.at("plain.pt"), &dict(&tensors, "", 0), &outs(&tensors, 1.0));
    archive(&project.at("wrapped.pt"), &keyed(vec![("model_state_dict", dict(&renamed, "", 0))]), &outs(&renamed, 1.0));
    for name in ["plain", "wrapped"] {
        project.nnue(&[&["convert", &format!("{name}.pt"), &format!("{name}.nnue")], &SCALES[..]].concat()).ok();
    }
    assert_eq!(project.bytes("plain.nnue"), project.bytes("wrapped.nnue"));
}

#[test]
fn checksums_that_were_not_computed_are_said() {
    let (project, tensors) = with_tensors("version = 1\n");
    archive(&project.at("net.pt"), &dict(&tensors, "", 0), &outs(&tensors, 1.0));
    let mut bytes = project.bytes("net.pt");
    // Every CRC: behind the signatures of local headers (14 bytes), of directory entries (16) and of data descriptors (4).
    for (signature, at) in [(b"PK\x03\x04", 14), (b"PK\x01\x02", 16), (b"PK\x07\x08", 4)] {
        let places: Vec<usize> = bytes.windows(4).enumerate().filter(|(_, word)| word == signature).map(|(place, _)| place).collect();
        for place in places {
            bytes[place + at..place + at + 4].fill(0);
        }
    }
    project.write("nocrc.pt", &bytes);
    project.nnue(&[&["convert", "net.pt", "a.nnue"], &SCALES[..]].concat()).ok();
    let ran = project.nnue(&[&["convert", "nocrc.pt", "b.nnue"], &SCALES[..]].concat()).ok();
    assert!(ran.err.contains("`nocrc.pt`: its checksums were not computed"), "{}", ran.transcript());
    assert_eq!(project.bytes("a.nnue"), project.bytes("b.nnue"));
    let ran = project.nnue(&["inspect", "nocrc.pt"]).ok();
    assert!(ran.out.contains("checksums were not computed"), "{}", ran.transcript());
}

#[test]
fn values_that_are_not_numbers_are_carried_over_with_a_warning() {
    let (project, tensors) = with_tensors("version = 1\n");
    let mut outs = outs(&tensors, 1.0);
    let mut values = tensors[0].1.to_f32().unwrap().into_owned();
    (values[0], values[1]) = (f32::NAN, f32::INFINITY);
    outs[0] = TensorOut::f32(&tensors[0].0, tensors[0].1.shape(), values);
    archive(&project.at("nan.ckpt"), &keyed(vec![("state_dict", dict(&tensors, "", 0))]), &outs);
    let ran = project.nnue(&[&["convert", "nan.ckpt", "out.pt"], &SCALES[..]].concat()).ok();
    let said = format!("values that are infinite or not numbers (NaN) were written as they are: 2 in `{}`", tensors[0].0);
    assert!(ran.err.contains(&said), "{}", ran.transcript());
    assert_eq!(ran.err.matches("not numbers").count(), 1, "{}", ran.transcript());
    project.nnue(&[&["convert", "nan.ckpt", "out.nnue"], &SCALES[..]].concat()).fails(1, &["2 values of", "not finite"]);
}

#[test]
fn parts_of_a_spread_training_are_named() {
    let (project, tensors) = with_tensors("version = 1\n[net.a]\nsource = \"./sharded\"\noutputs = [\"a.nnue\"]\n");
    let local = PickleValue::Dict(vec![(PickleValue::str("_local_tensor"), PickleValue::Tensor(0))]);
    let dtensor = PickleValue::global("torch._tensor", "_rebuild_from_type_v2").reduce(vec![
        PickleValue::global("torch._utils", "_rebuild_wrapper_subclass"),
        PickleValue::global("torch.distributed.tensor", "DTensor"),
        PickleValue::Tuple(vec![PickleValue::global("torch.distributed.tensor", "DTensor"), PickleValue::Int(1)]),
        local,
    ]);
    let dict = PickleValue::Dict(vec![(PickleValue::str("input.weight"), dtensor)]);
    archive(&project.at("dtensor.pt"), &dict, &outs(&tensors[..1], 1.0));
    let advice = "full_state_dict=True";
    project.nnue(&[&["convert", "dtensor.pt", "x.nnue"], &SCALES[..]].concat()).fails(1, &["`input.weight`", "(DTensor)", advice]);
    let class = PickleValue::global("torch.distributed._shard.sharded_tensor.api", "ShardedTensor").reduce(vec![]);
    let dict = PickleValue::Dict(vec![(PickleValue::str("a"), PickleValue::Tensor(0)), (PickleValue::str("input.weight"), class)]);
    archive(&project.at("sharded.pt"), &dict, &outs(&tensors[..1], 1.0));
    project.nnue(&[&["convert", "sharded.pt", "x.nnue"], &SCALES[..]].concat()).fails(1, &["`input.weight`", advice]);

    project.write("sharded/.metadata", "");
    project.write("deepspeed/zero_to_fp32.py", "");
    for (args, says) in [
        (&["inspect", "sharded"][..], "dcp_to_torch"),
        (&["build"], "dcp_to_torch"),
        (&["inspect", "deepspeed"], "zero_to_fp32.py"),
        (&["inspect", "."], "name a file"),
    ] {
        let ran = project.nnue(args);
        assert!(ran.code == 1 && ran.err.contains("folder") && ran.err.contains(says), "{}", ran.transcript());
    }
}

#[test]
fn a_null_for_metadata_is_none() {
    let (project, _) = with_tensors("version = 1\n");
    let bytes = project.bytes("net.safetensors");
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header = std::str::from_utf8(&bytes[8..8 + length]).unwrap();
    let (_, tensors) = header.split_once("},").unwrap();
    let header = format!("{{\"__metadata__\":null,{tensors}");
    project.write("null.safetensors", [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &bytes[8 + length..]].concat());
    project.nnue(&[&["convert", "null.safetensors", "a.nnue", "--architecture", "small"], &SCALES[..]].concat()).ok();
}

/// A small net under another feature set's hash, as an engine of its own would have it.
fn net_of_another_set() -> Vec<u8> {
    let mut bytes = Vec::new();
    let network = nnue::internals::net::random_network("small", 32, 1);
    nnue::internals::format::nnue::write(&mut bytes, &network, nnue::internals::format::nnue::Compression::None).unwrap();
    let length = u32::from_le_bytes(bytes[8..12].try_into().unwrap()) as usize;
    for at in [4, 12 + length] {
        bytes[at + 3] ^= 0x30;
    }
    bytes
}

#[test]
fn nets_of_no_known_kind_are_described_alone_and_in_programs() {
    let project = Project::empty();
    let net = net_of_another_set();
    let program = [b"\x7FELF\x02\x01", &[5; 3000][..], &net, &[6; 3000]].concat();
    project.write("other.nnue", &net);
    project.write("engine", &program);
    project.write("empty", b"\x7FELF\x02\x01");
    let facts = ["a kind that is in no table", "0x4F234CF8", "8 layer stacks", "L1=32, L2=15, L3=32", "22528 rows", "its description is"];
    for (file, place) in [("other.nnue", "other.nnue"), ("engine", "at offset 3006")] {
        for args in [&["inspect", file][..], &["convert", file, "x.nnue"]] {
            let ran = project.nnue(args);
            for part in facts.iter().chain([&place]) {
                assert!(ran.code == 1 && ran.err.contains(part), "`{part}` is missing: {}", ran.transcript());
            }
        }
    }
    project.nnue(&["convert", "empty", "x.nnue"]).fails(1, &["no network in Stockfish's format was found in this program"]);
    assert!(!project.at("x.nnue").exists());
}

/// A module whose memory holds `data` from address 1024 on.
fn module(data: &[u8]) -> Vec<u8> {
    fn leb(mut value: usize) -> Vec<u8> {
        let mut out = Vec::new();
        while value >= 0x80 {
            out.push(value as u8 | 0x80);
            value >>= 7;
        }
        out.push(value as u8);
        out
    }
    // One segment, at the constant 1024.
    let body = [&[1, 0, 0x41, 0x80, 0x08, 0x0B][..], &leb(data.len()), data].concat();
    [&b"\0asm\x01\0\0\0\x0B"[..], &leb(body.len()), &body].concat()
}

#[test]
fn all_networks_of_a_program_are_listed_and_split_modules_put_together() {
    let project = Project::empty();
    let nets = [project.write_net("small.nnue", 32, 1), project.write_net("large.nnue", 64, 2)];
    let module = module(&[&[7; 100][..], &nets[0], &[8; 50], &nets[1]].concat());
    project.write("engine.wasm", &module);
    let report = project.json(&["inspect", "engine.wasm"]);
    let found = report["networks"].as_array().unwrap();
    assert_eq!(found.len(), 2);
    for ((found, net), (offset, l1)) in found.iter().zip(&nets).zip([(100, 32), (150 + nets[0].len(), 64)]) {
        assert_eq!((&found["offset"], &found["bytes"], &found["l1"]), (&offset.into(), &net.len().into(), &l1.into()), "{found}");
        let sha256 = crate::common::sha256(net);
        assert_eq!((&found["sha256"], &found["name"]), (&sha256.as_str().into(), &format!("nn-{}.nnue", &sha256[..12]).into()));
    }
    assert!(project.json(&["inspect", "small.nnue"]).get("networks").is_none());

    let third = module.len() / 3;
    for (number, part) in [&module[..third], &module[third..2 * third], &module[2 * third..]].into_iter().enumerate() {
        project.write(&format!("split-part-{number}.wasm"), part);
    }
    project.write("alone-part-0.wasm", &module[..third]);
    project.nnue(&["convert", "split-part-0.wasm", "out.nnue", "--l1", "64"]).ok();
    assert_eq!(project.bytes("out.nnue"), nets[1]);
    let split = project.json(&["inspect", "split-part-0.wasm"]);
    assert_eq!(split["networks"], report["networks"]);
    project.nnue(&["convert", "alone-part-0.wasm", "x.nnue"]).fails(1, &["cut off at byte", "NAME-part-*.wasm"]);
}

/// In a manifest every part is an input: it is locked, a change of it shows, and a part that comes makes another file.
#[test]
fn split_modules_are_sources_of_builds() {
    let text = "version = 1\n[net.large]\nsource = \"large\"\noutputs = [\"large.nnue\"]\nprovenance = true\n\
                [source.large]\npath = \"split-part-0.wasm\"\nl1 = 64\n";
    let project = Project::empty().with_manifest(text);
    let write = |seed: u64| {
        let nets = [project.write_net("small.nnue", 32, 1), project.write_net("large-source.nnue", 64, seed)];
        let module = module(&[&nets[0][..], &nets[1]].concat());
        let third = module.len() / 3;
        for (number, part) in [&module[..third], &module[third..2 * third], &module[2 * third..]].into_iter().enumerate() {
            project.write(&format!("split-part-{number}.wasm"), part);
        }
        nets[1].clone()
    };
    let net = write(2);
    project.nnue(&["build"]).ok();
    assert!(project.bytes("large.nnue") == net);
    let lock = project.text("nnue.lock");
    for number in 0..3 {
        let (name, sha256) = (format!("split-part-{number}.wasm"), project.sha256(&format!("split-part-{number}.wasm")));
        assert!(lock.contains(&format!("{{ path = \"{name}\", sha256 = \"{sha256}\" }}")), "{lock}");
        assert!(project.text("large.nnue.provenance.json").contains(&sha256));
    }
    let fresh = |report: &Value| report["nets"][0]["status"] == "fresh";
    assert!(fresh(&project.json(&["build"])) && fresh(&project.json(&["build"])));
    let net = write(3);
    assert!(!fresh(&project.json(&["status"])));
    project.nnue(&["build", "--locked"]).fails(3, &["input `split-part-2.wasm`"]);
    project.nnue(&["build"]).ok();
    assert!(project.bytes("large.nnue") == net);
    project.nnue(&["verify", "--rebuild"]).ok();
    let last = project.bytes("split-part-2.wasm");
    std::fs::remove_file(project.at("split-part-2.wasm")).unwrap();
    let ran = project.nnue(&["build"]);
    assert!(ran.code == 1 && ran.err.contains("cut off at byte"), "{}", ran.transcript());
    assert!(project.bytes("large.nnue") == net);
    project.write("split-part-2.wasm", last);
    assert!(fresh(&project.json(&["build"])));
}

/// Whatever a source is packed with, in a manifest as in a command: the net is the one inside.
#[test]
fn packed_sources_are_built() {
    let project = Project::empty();
    let net = project.write_net("plain.nnue", 32, 1);
    let program = module(&net);
    let gzip = |bytes: &[u8]| {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut out, bytes).unwrap();
        out.finish().unwrap()
    };
    let xz = |bytes: &[u8]| {
        let mut out = Vec::new();
        lzma_rs::xz_compress(&mut &*bytes, &mut out).unwrap();
        out
    };
    let zstd = |bytes: &[u8]| zstd::bulk::compress(bytes, 1).unwrap();
    let packed = [
        ("a.nnue.gz", gzip(&net)),
        ("b.nnue.xz", xz(&net)),
        ("c.nnue.zst", zstd(&net)),
        ("d.nnue.br", stored_in_brotli(&net)),
        ("e.wasm.br", stored_in_brotli(&program)),
        ("f.wasm.gz", gzip(&program)),
        ("no-ending", zstd(&program)),
    ];
    let mut text = "version = 1\n".to_owned();
    for (number, (name, bytes)) in packed.iter().enumerate() {
        project.write(name, bytes);
        text.push_str(&format!("[net.n{number}]\nsource = \"./{name}\"\noutputs = \"out/{number}.nnue\"\n"));
    }
    project.manifest(&text);
    project.nnue(&["build"]).ok();
    for (number, (name, _)) in packed.iter().enumerate() {
        assert!(project.bytes(&format!("out/{number}.nnue")) == net, "{name}");
        project.nnue(&["convert", name, "converted.nnue"]).ok();
        assert!(project.bytes("converted.nnue") == net, "{name}");
    }
    project.nnue(&["build", "--locked"]).ok();
}

/// A brotli stream of uncompressed blocks: a header of a window, then up to 65,536 bytes each, and an empty last block.
fn stored_in_brotli(bytes: &[u8]) -> Vec<u8> {
    // Bits from the least on: a window of 2^22, which takes four of them.
    let (mut out, mut bits, mut count) = (Vec::new(), 0u64, 0u32);
    let mut put = |out: &mut Vec<u8>, value: u64, width: u32| {
        bits |= value << count;
        count += width;
        while count >= 8 {
            out.push(bits as u8);
            bits >>= 8;
            count -= 8;
        }
        count
    };
    put(&mut out, 0b1011, 4);
    for block in bytes.chunks(1 << 16) {
        // Not the last, four nibbles of length, less one, uncompressed.
        put(&mut out, 0, 1);
        put(&mut out, 0, 2);
        put(&mut out, block.len() as u64 - 1, 16);
        let left = put(&mut out, 1, 1);
        put(&mut out, 0, (8 - left) % 8);
        out.extend_from_slice(block);
    }
    put(&mut out, 0b11, 2);
    put(&mut out, 0, 6);
    out
}
