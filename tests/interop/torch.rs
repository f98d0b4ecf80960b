//! Real PyTorch, safetensors and NumPy write files that are read here, and read files that are written here.
//!
//! Runs when `NNUE_TEST_PYTHON` names a Python with `torch`, `safetensors` and `numpy`; skipped otherwise, which is a failure
//! in CI.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use nnue::internals::files::Bytes;
use nnue::internals::format::{
    npz::{self, Npz},
    safetensors,
    tensor::{DType, Source, TensorOut, TensorView},
    torch::{PickleValue, TorchFile, write_archive, write_state_dict},
    zip,
};
use nnue::internals::random::SplitMix;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

fn python() -> Option<PathBuf> {
    match std::env::var_os("NNUE_TEST_PYTHON") {
        Some(python) => Some(python.into()),
        None => {
            assert!(std::env::var_os("CI").is_none(), "NNUE_TEST_PYTHON is not set, and in CI this test must run");
            eprintln!("skipped: NNUE_TEST_PYTHON does not name a Python with torch");
            None
        }
    }
}

fn run(python: &Path, script: &str, folder: &Path) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop").join(script);
    let output = Command::new(python).arg("-W").arg("ignore").arg(&script).arg(folder).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}\n{}\n{}", script.display(), text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn check(file: &str, expected: &Json, found: &[(String, TensorView)], strided: bool) -> usize {
    let expected = expected.as_object().unwrap();
    let mut names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
    let mut wanted: Vec<_> = expected.keys().map(String::as_str).collect();
    if !strided {
        names.sort_unstable();
        wanted.sort_unstable();
    }
    assert_eq!(names, wanted, "{file}");
    for (name, tensor) in found {
        let want = &expected[name];
        assert_eq!(tensor.dtype().name(), want["dtype"], "{file}: {name}");
        assert_eq!(json!(tensor.shape()), want["shape"], "{file}: {name}");
        if strided {
            assert_eq!(json!(tensor.stride()), want["stride"], "{file}: {name}");
            assert_eq!(json!(tensor.storage_offset()), want["storage_offset"], "{file}: {name}");
        }
        assert_eq!(hex(&Sha256::digest(tensor.contiguous_le_bytes().unwrap())), want["sha256"], "{file}: {name}");
        match want["f32"].as_str() {
            Some(digest) => {
                let bytes: Vec<u8> = tensor.to_f32().unwrap().iter().flat_map(|x| x.to_le_bytes()).collect();
                assert_eq!(hex(&Sha256::digest(&bytes)), digest, "{file}: {name} as f32");
                let rows = tensor.shape().first().copied().unwrap_or(0);
                let by_rows: Vec<u8> =
                    (0..rows).flat_map(|row| tensor.rows_f32(row..row + 1).unwrap().into_owned()).flat_map(f32::to_le_bytes).collect();
                assert!(tensor.shape().is_empty() || by_rows == bytes, "{file}: {name} by rows");
            }
            None => assert!(tensor.to_f32().is_err(), "{file}: {name}"),
        }
    }
    found.len()
}

#[test]
fn what_torch_writes_is_read_equal() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let expected: Json = serde_json::from_str(&run(&python, "torch_writes.py", folder.path())).unwrap();
    let mut tensors = 0;
    for (name, expected) in expected.as_object().unwrap() {
        let path = folder.path().join(name);
        if name.ends_with(".pt") {
            let file = TorchFile::open_path(&path).unwrap();
            file.verify_storages().unwrap();
            tensors += check(name, expected, &file.state_dict().unwrap(), true);
        } else if name.ends_with(".safetensors") {
            let file = safetensors::read(Bytes::map(&path).unwrap()).unwrap();
            assert_eq!(file.metadata, [("format".to_string(), "pt".to_string())]);
            tensors += check(name, expected, &file.tensors, false);
        } else {
            let npz = Npz::open(Bytes::map(&path).unwrap()).unwrap();
            let found: Vec<_> = npz.names().map(|name| (name.to_owned(), npz.array(name).unwrap())).collect();
            tensors += check(name, expected, &found, false);
        }
    }
    println!("{} files, {tensors} tensors", expected.as_object().unwrap().len());
    assert!(tensors > 200);
}

#[test]
fn what_is_written_is_read_by_torch_equal() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let all = |dtype: DType, name: &str, shape: &[usize]| {
        let len = shape.iter().product::<usize>() * dtype.size();
        let fill: Vec<u8> = (0..len).map(|i| if dtype == DType::Bool { i as u8 & 1 } else { (i * 37 % 251) as u8 }).collect();
        TensorOut { name: name.into(), dtype, shape: shape.to_vec(), data: Source::Bytes(fill.into()) }
    };
    let tensors = [
        TensorOut::f32("model.input.weight", &[300, 40], (0..12000).map(|i| i as f32 * 0.37 - 1000.0).collect::<Vec<_>>()),
        TensorOut::f32("model.input.bias", &[40], vec![-0.0; 40]),
        all(DType::F64, "double", &[3]),
        all(DType::F16, "half", &[2, 2, 2]),
        all(DType::BF16, "brain", &[5]),
        all(DType::I64, "i64", &[2]),
        all(DType::I32, "i32", &[1, 3]),
        all(DType::I16, "i16", &[4]),
        all(DType::I8, "i8", &[7]),
        all(DType::U8, "u8", &[7]),
        all(DType::Bool, "bool", &[4]),
        all(DType::U16, "u16", &[4]),
        all(DType::U32, "u32", &[4]),
        all(DType::U64, "u64", &[4]),
        all(DType::F8E4M3, "f8a", &[4]),
        all(DType::F8E5M2, "f8b", &[4]),
        TensorOut::f32("scalar", &[], vec![2.5]),
        TensorOut::f32("empty", &[0, 4], vec![]),
    ];
    let in_npz = |tensor: &TensorOut| {
        use DType::*;
        matches!(tensor.dtype, F32 | F64 | I8 | I16 | I32 | I64 | U8 | Bool)
    };
    let mut expected = serde_json::Map::new();
    for tensor in &tensors {
        let mut bytes = Vec::new();
        tensor.write_to(&mut bytes).unwrap();
        expected.insert(
            tensor.name.clone(),
            json!({"dtype": tensor.dtype.name(), "shape": tensor.shape, "hex": hex(&bytes), "npz": in_npz(tensor)}),
        );
    }
    fs::write(folder.path().join("expected.json"), Json::Object(expected).to_string()).unwrap();
    let create = |name: &str| std::io::BufWriter::new(fs::File::create(folder.path().join(name)).unwrap());
    write_state_dict(&mut create("state_dict.pt"), &tensors).unwrap();
    let metadata = [("format".into(), "pt".into()), ("description".into(), "ünï \"quoted\"".into())];
    safetensors::write(&mut create("x.safetensors"), &tensors, &metadata).unwrap();
    safetensors::write(&mut create("y.safetensors"), &tensors, &metadata[..1]).unwrap();
    let arrays: Vec<_> = tensors.into_iter().filter(in_npz).collect();
    npz::write(&mut create("x.npz"), &arrays).unwrap();

    let weights =
        [TensorOut::f32("layer.weight", &[2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), TensorOut::f32("layer.bias", &[2], vec![0.5, -0.5])];
    let names = weights.iter().enumerate().map(|(i, tensor)| (PickleValue::str(&*tensor.name), PickleValue::Tensor(i)));
    let sizes = PickleValue::global("toy", "Sizes").reduce(vec![]).build(vec![("L1", PickleValue::Int(3))]);
    let config = PickleValue::global("toy", "Config").reduce(vec![]);
    let config = config.build(vec![("features", PickleValue::str("HalfKAv2_hm^")), ("sizes", sizes)]);
    let module = PickleValue::global("toy", "Net").reduce(vec![config]);
    let module = module.call("load_state_dict", vec![PickleValue::OrderedDict(names.collect())]);
    write_archive(&mut create("module.pt"), &module, &weights).unwrap();

    print!("{}", run(&python, "torch_reads.py", folder.path()));
}

/// The archive with another pickle, and checksums that are right for it.
fn with_pickle(archive: &[u8], pickle: &[u8]) -> Vec<u8> {
    let mut out = zip::Writer::new(Vec::new());
    for entry in zip::read(archive).unwrap() {
        let content = if entry.name.ends_with("/data.pkl") { pickle } else { &archive[entry.range.clone()] };
        let mut write =
            |out: &mut dyn std::io::Write| out.write_all(content).map_err(|error| nnue::internals::error::Error::new(error.to_string()));
        out.entry(&entry.name, content.len() as u64, 64, &mut write).unwrap();
    }
    out.finish().unwrap()
}

/// Damaged files, of which real PyTorch and this program each say what is in them: a tensor that is read here is the one that PyTorch reads.
#[test]
fn of_damaged_files_nothing_else_is_read_than_by_torch() {
    let Some(python) = python() else { return };
    let mutants = if std::env::var_os("NNUE_TEST_ALL").is_some() { 20_000 } else { 2_000 };
    let (seeds, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let expected: Json = serde_json::from_str(&run(&python, "torch_writes.py", seeds.path())).unwrap();
    let names: Vec<&String> = expected.as_object().unwrap().keys().filter(|name| name.ends_with(".pt")).collect();
    let seeds: Vec<Vec<u8>> =
        names.iter().map(|name| fs::read(seeds.path().join(name)).unwrap()).filter(|bytes| bytes.len() < 64 << 10).collect();
    assert!(seeds.len() > 5, "{}", seeds.len());
    let mut random = SplitMix::new(13);
    let mut below = move |n: usize| (random.next_u64() % n.max(1) as u64) as usize;
    let mut damage = |bytes: &mut Vec<u8>| {
        for _ in 0..=below(3) {
            let at = below(bytes.len());
            match below(7) {
                _ if bytes.is_empty() => {}
                0 | 1 => bytes[at] ^= 1 << below(8),
                2 => bytes[at] = below(256) as u8,
                3 => bytes[at] = b"\x80.0()}]tRQbuehqrjXKMJN\x88\x8a\x94"[below(25)],
                // Numbers of one and two bytes: sizes, strides, offsets, places of the memo.
                4 => {
                    let digit =
                        bytes.iter().enumerate().filter(|(_, byte)| [b'K', b'M'].contains(byte)).map(|(at, _)| at + 1).collect::<Vec<_>>();
                    if let Some(at) = digit.get(below(digit.len())).filter(|at| **at < bytes.len()) {
                        bytes[*at] = [0, 1, 2, 3, 5, 8, 0xFF][below(7)];
                    }
                }
                5 => drop(bytes.remove(at)),
                _ => bytes.insert(at, below(256) as u8),
            }
        }
    };
    for number in 0..mutants {
        let seed = &seeds[number % seeds.len()];
        // Three of four are damaged in the pickle alone: PyTorch does not look at checksums, and this program does.
        let pickle = zip::read(seed).ok().and_then(|entries| entries.into_iter().find(|entry| entry.name.ends_with("/data.pkl")));
        let mutant = match pickle.filter(|_| number % 4 != 0) {
            Some(entry) => {
                let mut pickle = seed[entry.range].to_vec();
                damage(&mut pickle);
                with_pickle(seed, &pickle)
            }
            None => {
                let mut bytes = seed.clone();
                damage(&mut bytes);
                bytes
            }
        };
        fs::write(folder.path().join(format!("{number:05}.pt")), mutant).unwrap();
    }
    let said: Json = serde_json::from_str(&run(&python, "torch_mutants.py", folder.path())).unwrap();
    let (mut files, mut tensors, mut refused, mut only_here) = (0, 0, 0, 0);
    for (name, theirs) in said.as_object().unwrap() {
        let ours = TorchFile::open_path(&folder.path().join(name)).and_then(|file| file.state_dict());
        match (ours, theirs.as_object()) {
            (Ok(ours), Some(theirs)) => {
                files += 1;
                for (key, tensor) in ours {
                    let Ok(bytes) = tensor.contiguous_le_bytes() else { continue };
                    let theirs = theirs
                        .get(&key)
                        .and_then(Json::as_array)
                        .unwrap_or_else(|| panic!("{name}: `{key}` is none of PyTorch's: {theirs:?}"));
                    let ours = json!([tensor.dtype().name(), tensor.shape(), hex(&Sha256::digest(bytes))]);
                    assert!(
                        theirs.iter().any(|tensor| tensor.is_null() || *tensor == ours),
                        "{name}: `{key}` is {ours}, PyTorch reads {theirs:?}"
                    );
                    tensors += 1;
                }
            }
            (Ok(_), None) => only_here += 1,
            (Err(_), _) => refused += 1,
        }
    }
    println!(
        "damaged files: {mutants}, read here and by PyTorch {files} with {tensors} equal tensors, refused here {refused}, by PyTorch alone {only_here}"
    );
    assert!(files > mutants / 20 && refused > mutants / 20, "{files} {refused}");
}
