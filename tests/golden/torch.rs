//! The PyTorch reader against files that PyTorch wrote, and against damaged and hostile ones.

use std::path::{Path, PathBuf};

use nnue::internals::files::Bytes;
use nnue::internals::format::{
    tensor::TensorView,
    torch::{Scalar, TorchFile},
};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

fn golden() -> Option<PathBuf> {
    Some(crate::common::golden()?.join("public"))
}

fn json(path: &Path) -> Json {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn unxz(path: &Path) -> Bytes {
    let mut out = Vec::new();
    lzma_rs::xz_decompress(&mut std::io::BufReader::new(std::fs::File::open(path).unwrap()), &mut out).unwrap();
    Bytes::from_vec(out)
}

fn sha256(tensor: &TensorView) -> String {
    let bytes = tensor.contiguous_le_bytes().unwrap();
    let mut streamed = Sha256::new();
    tensor.each_le_block(&mut |block| streamed.update(block)).unwrap();
    let digest = Sha256::digest(&bytes);
    assert_eq!(digest, streamed.finalize(), "the whole and the blocks differ");
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn dims(json: &Json) -> Vec<usize> {
    json.as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect()
}

/// Compares every tensor of `expected` with what was `found`, in both directions; gives the number compared.
fn compare(what: &str, expected: &Json, found: Vec<(String, nnue::internals::error::Result<TensorView>)>) -> usize {
    let expected = expected.as_object().unwrap();
    let names: Vec<_> = found.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(names.iter().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{what}: names and their order");
    let mut compared = 0;
    for (name, tensor) in found {
        let want = &expected[&name];
        if want.get("no_bytes").is_some() {
            assert!(tensor.is_err(), "{what}: {name}");
            continue;
        }
        let tensor = tensor.unwrap_or_else(|error| panic!("{what}: {name}: {error}"));
        assert_eq!(tensor.dtype().name(), want["dtype"], "{what}: {name}");
        assert_eq!(tensor.shape(), dims(&want["shape"]), "{what}: {name}");
        assert_eq!(tensor.stride(), dims(&want["stride"]), "{what}: {name}");
        assert_eq!(tensor.storage_offset() as u64, want["storage_offset"].as_u64().unwrap(), "{what}: {name}");
        assert_eq!(tensor.contiguous_le_bytes().unwrap().len() as u64, want["nbytes"].as_u64().unwrap(), "{what}: {name}");
        assert_eq!(sha256(&tensor), want["sha256"], "{what}: {name}");
        compared += 1;
    }
    compared
}

fn ok(found: Vec<(String, TensorView)>) -> Vec<(String, nnue::internals::error::Result<TensorView>)> {
    found.into_iter().map(|(name, tensor)| (name, Ok(tensor))).collect()
}

/// What each file that must not load is refused with. An empty text stands for "loads, and is inert".
const REFUSALS: &[(&str, &str)] = &[
    ("byteorder_bogus.pt", "the byte order `middle` of the PyTorch file is neither `little` nor `big`"),
    ("central_dir_size_lies.pt", "should reach to byte 4294967872, but the directory begins at byte 17976"),
    ("crc_central_dir_bad.pt", "has another size or checksum in its data descriptor"),
    ("crc_data_flip.pt", "record `good/data/0` is damaged"),
    ("crc_pickle_flip.pt", "record `good/data.pkl` is damaged"),
    ("deep_nested_lists.pt", "opcode `MARK` at byte 2003: containers are nested too deeply"),
    ("deep_nested_tuples.pt", "no network was found"),
    ("duplicate_records.pt", "two entries are called"),
    ("empty_file.pt", "not a PyTorch file but an empty file"),
    ("evil_builtin_eval.pt", ""),
    ("evil_exec_first.pt", ""),
    ("evil_in_state_dict.pt", "not a tensor: its class is not known to be harmless"),
    ("evil_os_system.pt", ""),
    ("evil_os_system_legacy.pt", ""),
    ("evil_subprocess.pt", ""),
    ("garbage_prefix.pt", "not a PyTorch file but something else"),
    ("garbage_suffix.pt", "do not close with an end-of-directory record"),
    ("html_error_page.pt", "an HTML page"),
    ("huge_numel.pt", "1099511627776 elements of `float32` were announced, 64 bytes are there"),
    ("huge_shape.pt", "needs 1099511627776 elements"),
    ("legacy_trunc_05pct.pt", "needs 16384 bytes"),
    ("legacy_trunc_50pct.pt", "which needs"),
    ("legacy_trunc_99pct.pt", "the PyTorch file is incomplete"),
    ("long_storage_record.pt", "16 elements of `float32` were announced, 1000 bytes are there"),
    ("memo_billion_laughs.pt", "values are left on the stack"),
    ("missing_storage_record.pt", "the file has no storage `7`"),
    ("negative_offset.pt", "the tensor's storage offset is negative (-1)"),
    ("negative_size.pt", "the tensor's size is negative (-4)"),
    ("negative_stride.pt", "the tensor's stride is negative (-1)"),
    ("offset_past_end.pt", "needs 18 elements, record `archive/data/0` holds 16"),
    ("pickle_bad_memo.pt", "memo slot 9 was never set"),
    ("pickle_no_stop.pt", "without `STOP`"),
    ("pickle_protocol9.pt", "protocol 9 is unknown"),
    ("pickle_stack_underflow.pt", "opcode `REDUCE` at byte 2: the stack holds too few values"),
    ("pickle_string8_len_huge.pt", "opcode `BINUNICODE8`"),
    ("pickle_string_len_2g.pt", "opcode `BINUNICODE`"),
    ("rank_mismatch.pt", "it has 2 sizes but 1 strides"),
    ("shape_product_overflow.pt", "overflows"),
    ("short_storage_record.pt", "16 elements of `float32` were announced, 10 bytes are there"),
    ("storage_key_traversal.pt", "the file has no storage `../../etc/passwd`"),
    ("stride0_expand_huge.pt", "are larger than what it holds"),
    ("text_file.pt", "a text file"),
    ("trunc_00pct.pt", "an empty file"),
    ("trunc_03pct.pt", "the zip archive is incomplete"),
    ("trunc_10pct.pt", "the zip archive is incomplete"),
    ("trunc_50pct.pt", "the zip archive is incomplete"),
    ("trunc_90pct.pt", "the zip archive is incomplete"),
    ("trunc_99pct.pt", "the zip archive is incomplete"),
    ("trunc_minus1.pt", "the zip archive is incomplete"),
    ("unknown_persistent_id.pt", "opcode `BINPERSID` at byte"),
    ("version_999.pt", "version `999` of PyTorch's file format is unknown"),
    ("zip_bomb_512m.pt", "is compressed"),
    // PyTorch inflates it; here only what PyTorch writes is read.
    ("zip_deflated_records.pt", "is compressed"),
];

/// Reads all that can be read; the error is the first refusal on the way.
fn load(bytes: Bytes) -> nnue::internals::error::Result<()> {
    let file = TorchFile::open(bytes)?;
    for (_, tensor) in file.state_dict()? {
        tensor.contiguous_le_bytes()?;
    }
    let _ = file.tensors().map(|all| all.into_iter().filter(|(_, tensor)| tensor.is_ok()).count());
    let _ = file.attributes();
    Ok(())
}

#[test]
fn files_of_group_f_load_exactly_or_are_refused_for_the_right_reason() {
    let Some(golden) = golden() else { return };
    let folder = golden.join("F_torch");
    let mut compared = 0;
    let mut files = 0;
    for name in json(&folder.join("manifest.json"))["cases"].as_object().unwrap().keys() {
        let bytes = Bytes::map(&folder.join(name)).unwrap();
        files += 1;
        if let Some((_, refusal)) = REFUSALS.iter().find(|(file, _)| file == name) {
            match load(bytes) {
                Ok(()) => assert!(refusal.is_empty(), "{name} was read"),
                Err(error) => {
                    assert!(!refusal.is_empty() && error.to_string().contains(refusal), "{name}: {error}");
                }
            }
            continue;
        }
        let file = TorchFile::open(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        file.verify_storages().unwrap();
        let expected = folder.join(format!("{name}.expected.json"));
        if !expected.exists() {
            assert_eq!(name, "handmade_good.pt");
            assert_eq!(file.state_dict().unwrap()[0].1.shape(), [4, 4]);
            continue;
        }
        let expected = json(&expected);
        compared += if let Some(tensors) = expected.get("state_dict_tensors") {
            compare(name, tensors, ok(file.state_dict().unwrap()))
        } else if expected.get("module_class").is_some() {
            assert_eq!(file.root().class().unwrap(), expected["module_class"].as_str().unwrap());
            compare(name, &expected["tensors"], ok(file.state_dict().unwrap()))
        } else {
            compare(name, &expected["tensors"], file.tensors().unwrap())
        };
    }
    println!("{files} files, {compared} tensors");
    assert!(files > 80 && compared > 550, "{files} files, {compared} tensors");
    assert!(!Path::new("/opt/nn/PWNED").exists(), "a hostile file was executed");
}

#[test]
fn networks_of_groups_a_b_and_g_have_the_trainers_tensors() {
    let Some(golden) = golden() else { return };
    let (mut files, mut compared) = (0, 0);
    for group in ["A_seed", "B_head", "G_old"] {
        for folder in std::fs::read_dir(golden.join(group)).unwrap() {
            let folder = folder.unwrap().path();
            for table in ["tensors.json", "state_dict_tensors.json"] {
                let Ok(text) = std::fs::read(folder.join(table)) else { continue };
                let table: Json = serde_json::from_slice(&text).unwrap();
                for (name, expected) in table.as_object().unwrap() {
                    let path = folder.join(format!("{name}.xz"));
                    if !path.exists() {
                        continue;
                    }
                    let what = path.display().to_string();
                    let file = TorchFile::open(unxz(&path)).unwrap_or_else(|error| panic!("{what}: {error}"));
                    let found = file.state_dict().unwrap_or_else(|error| panic!("{what}: {error}"));
                    compared += compare_network(&what, expected, &file, found);
                    files += 1;
                }
            }
        }
    }
    println!("{files} files, {compared} tensors");
    assert!(files >= 45 && compared >= 1252, "{files} files, {compared} tensors");
}

fn compare_network(what: &str, expected: &Json, file: &TorchFile, found: Vec<(String, TensorView)>) -> usize {
    if let Some(state_dict) = expected.get("state_dict") {
        assert_eq!(file.root().class().unwrap(), expected["class"].as_str().unwrap());
        return compare(what, state_dict, ok(found));
    }
    if let Some(state_dict) = expected.get("model_state_dict") {
        // Given for the module inside; the trainer's outer module puts `model.` in front.
        assert_eq!(file.root().class().unwrap(), expected["class"].as_str().unwrap());
        let inner = found.into_iter().map(|(name, tensor)| (name.strip_prefix("model.").unwrap().to_owned(), tensor));
        return compare(what, state_dict, ok(inner.collect()));
    }
    if let Some(tensors) = expected.get("tensors") {
        let all = tensors.as_object().unwrap();
        let inside: serde_json::Map<_, _> = all
            .iter()
            .filter_map(|(name, tensor)| Some((name.strip_prefix("state_dict/")?.to_owned(), tensor.clone())))
            .filter(|(name, _)| !name.contains('/'))
            .collect();
        return compare(what, &Json::Object(inside), ok(found)) + compare(what, tensors, file.tensors().unwrap());
    }
    compare(what, expected, ok(found))
}

#[test]
fn attributes_of_pickled_modules_settle_what_shapes_leave_open() {
    let Some(golden) = golden() else { return };
    let attribute = |path: &str, wanted: &[(&str, Scalar)]| {
        let file = TorchFile::open(unxz(&golden.join(path))).unwrap();
        let attributes = file.attributes().unwrap();
        for (name, value) in wanted {
            let found = attributes.iter().find(|(found, _)| found == name);
            assert_eq!(found.map(|(_, value)| value), Some(value), "{path}: {name} in {attributes:#?}");
        }
    };
    attribute(
        "B_head/HalfKAv2_hm-fact_L32-32-32/net.pt.xz",
        &[
            ("model.L1", Scalar::Int(32)),
            ("model.feature_name", Scalar::Str("HalfKAv2_hm^".into())),
            ("model.quantization.config.ft_quantized_one", Scalar::Float(256.0)),
            ("config.features", Scalar::Str("HalfKAv2_hm^".into())),
            ("config.model_config.L2", Scalar::Int(32)),
        ],
    );
    attribute("A_seed/HalfKAv2_hm_fact_L32/net.pt.xz", &[("model.L1", Scalar::Int(32))]);
}
