//! Checkpoints of the real trainer, 2021 to 2026 → the bytes that its own `serialize.py` wrote.
#![allow(missing_docs)]

mod common;

use std::path::Path;

use nnue::ctx::Ctx;
use nnue::error::Result;
use nnue::format::bytes::Bytes;
use nnue::format::nnue::{Compression, Expectation, write};
use nnue::net::{QuantizedNetwork, quantization};
use nnue::stages::load::{Loaded, load_bytes};
use nnue::stages::quantize::{Overflow, quantize};

/// What a user gives for the golden folder's era: the scales, which checkpoints do not record.
fn expectation(path: &Path) -> Expectation {
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

fn quantized(bytes: Vec<u8>, expected: &Expectation, overflow: Overflow) -> Result<QuantizedNetwork> {
    match load_bytes(Bytes::from_vec(bytes), expected)? {
        Loaded::Quantized(parsed) => Ok(parsed.network),
        Loaded::Float(network) => Ok(quantize(&network.coalesce(), overflow, &Ctx::silent())?.0),
    }
}

fn sha_of(network: &QuantizedNetwork, compression: Compression) -> String {
    let mut bytes = Vec::new();
    write(&mut bytes, network, compression).unwrap();
    common::sha256(&bytes)
}

#[test]
fn checkpoints_and_modules_give_the_trainers_bytes() {
    let Some(golden) = common::golden() else { return };
    let mut compared = 0;
    let mut wrong = Vec::new();
    for manifest_path in common::files_ending(&golden.join("public"), "manifest.json") {
        let folder = manifest_path.parent().unwrap();
        if folder.to_str().unwrap().contains("ckpt_variants") || folder.ends_with("overflow") {
            continue;
        }
        let manifest = common::json(&manifest_path);
        let Some(outputs) = manifest["outputs"].as_object() else { continue };
        for (source, steps) in [
            ("net.ckpt", [("ckpt_to_nnue_none", Compression::None), ("ckpt_to_nnue_leb128", Compression::Leb128)]),
            ("net.pt", [("ckpt_to_nnue_none", Compression::None), ("pt_to_nnue_leb128", Compression::Leb128)]),
            ("from_nnue.pt", [("pt_to_nnue", Compression::None), ("pt_to_nnue", Compression::None)]),
        ] {
            if !folder.join(format!("{source}.xz")).exists() {
                continue;
            }
            let overflow = if folder.to_str().unwrap().contains("overflow") { Overflow::Wrap } else { Overflow::Error };
            let network = match quantized(common::read_maybe_xz(&folder.join(source)), &expectation(folder), overflow) {
                Ok(network) => network,
                Err(error) => {
                    if !folder.to_str().unwrap().contains("2021-02-01") {
                        wrong.push(format!("{} {source}: {error:?}", folder.display()));
                    }
                    continue;
                }
            };
            for (step, compression) in steps {
                let Some(recorded) = outputs.get(step).and_then(|step| step["sha256"].as_str()) else { continue };
                if folder.to_str().unwrap().contains("2021-02-01") {
                    continue;
                }
                if sha_of(&network, compression) == recorded {
                    compared += 1;
                } else {
                    wrong.push(format!(
                        "{} {source} {step}: other bytes, description {:?}",
                        folder.display(),
                        String::from_utf8_lossy(&network.description)
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{compared} right, wrong:\n{}", wrong.join("\n"));
    assert!(compared >= 35, "only {compared} were compared");
}
