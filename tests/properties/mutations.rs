//! Small valid files, damaged in thousands of ways: every parser must return, in bounded memory, without a panic.
//!
//! The damage is the same on every machine: it comes from a generator with a fixed seed. `fuzz/` looks further.

use std::{io::Write, panic, path::Path};

use nnue::internals::files::Bytes;
use nnue::internals::format::{
    npy,
    npz::{self, Npz},
    safetensors,
    tensor::{DType, Source, TensorOut, TensorView},
    torch::{PickleValue, TorchFile, write_archive, write_state_dict},
    zip,
};

/// Mutants of each parser.
const MUTANTS: usize = 20_000;

/// xorshift64*: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() >> 16) as usize % n.max(1)
    }

    /// One to six of: flip a bit, set a byte, set a number, cut out, repeat, insert, truncate.
    fn mutate(&mut self, seed: &[u8]) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        for _ in 0..=self.below(6) {
            let at = self.below(bytes.len());
            let end = (at + 1 + self.below(24)).min(bytes.len());
            match self.below(9) {
                _ if bytes.is_empty() => bytes.push(self.next() as u8),
                0 | 1 => bytes[at] ^= 1 << self.below(8),
                2 => bytes[at] = self.next() as u8,
                3 => bytes[at] = b"\x80\x81.0()}]tRQbuehqrjXKMJNc\x88\x8a\x93\x94"[self.below(28)],
                4 => {
                    let value =
                        [0, 1, 0x7f, 0xff, 0xffff, 0x7fff_ffff, 0xffff_ffff, i64::MAX as u64, u64::MAX][self.below(9)].to_le_bytes();
                    let width = [1, 2, 4, 8][self.below(4)].min(bytes.len() - at);
                    bytes[at..at + width].copy_from_slice(&value[..width]);
                }
                5 => drop(bytes.drain(at..end)),
                6 => {
                    let piece = bytes[at..end].to_vec();
                    let to = self.below(bytes.len());
                    bytes.splice(to..to, piece);
                }
                7 => bytes.insert(at, self.next() as u8),
                _ => bytes.truncate(at),
            }
        }
        bytes
    }
}

fn use_tensor(tensor: &TensorView) {
    let _ = tensor.to_f32();
    let _ = tensor.contiguous_le_bytes();
    let rows = tensor.shape().first().copied().unwrap_or(0);
    let _ = tensor.rows_f32(rows.saturating_sub(1)..rows);
}

fn read_torch(bytes: Vec<u8>) {
    let Ok(file) = TorchFile::open(Bytes::from_vec(bytes)) else { return };
    let _ = (file.attributes(), file.globals(), file.verify_storages());
    file.tensors().into_iter().flatten().filter_map(|(_, tensor)| tensor.ok()).for_each(|tensor| use_tensor(&tensor));
    file.state_dict().into_iter().flatten().for_each(|(_, tensor)| use_tensor(&tensor));
}

fn hunt(what: &str, seeds: &[Vec<u8>], parse: impl Fn(Vec<u8>) + panic::RefUnwindSafe) {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for seed in seeds {
        parse(seed.clone());
    }
    for number in 0..MUTANTS {
        let mutant = random.mutate(&seeds[number % seeds.len()]);
        if panic::catch_unwind(|| parse(mutant.clone())).is_err() {
            let path = std::env::temp_dir().join(format!("nnue-mutant-{what}-{number}"));
            std::fs::write(&path, mutant).unwrap();
            panic!("mutant {number} of {what} made the parser panic; it is `{}`", path.display());
        }
    }
}

fn tensors() -> Vec<TensorOut<'static>> {
    let bytes = TensorOut { name: "ids".into(), dtype: DType::I64, shape: vec![2], data: Source::Bytes(vec![1; 16].into()) };
    vec![TensorOut::f32("model.w", &[2, 3], vec![1.0; 6]), bytes]
}

fn attacks(endings: &[&str]) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/attacks/files");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.retain(|path| endings.iter().any(|ending| path.to_string_lossy().ends_with(ending)));
    paths.into_iter().map(|path| std::fs::read(path).unwrap()).filter(|bytes| bytes.len() < 2000).collect()
}

/// A zip archive whose checksums are right for what is in it, so that mutants of the pickle reach the pickle machine.
fn archive(pickle: &[u8]) -> Vec<u8> {
    let mut archive = zip::Writer::new(Vec::new());
    for (name, content) in [("a/data.pkl", pickle), ("a/data/0", &[1; 24]), ("a/data/1", &[1; 16])] {
        let mut write = |out: &mut dyn Write| out.write_all(content).map_err(|error| nnue::internals::error::Error::new(error.to_string()));
        archive.entry(name, content.len() as u64, 1, &mut write).unwrap();
    }
    archive.finish().unwrap()
}

#[test]
fn zip_containers() {
    let mut seeds = attacks(&[".pt"]);
    let mut written = Vec::new();
    write_state_dict(&mut written, &tensors()).unwrap();
    seeds.push(written);
    seeds.retain(|seed| seed.starts_with(zip::MAGIC));
    hunt("zip", &seeds, read_torch);
}

#[test]
fn pickles() {
    let pickle = |file: Vec<u8>| {
        let entries = zip::read(&file).unwrap_or_default();
        entries.iter().find(|entry| entry.name.ends_with("data.pkl")).map(|entry| file[entry.range.clone()].to_vec())
    };
    let mut seeds: Vec<_> = attacks(&[".pt"]).into_iter().filter_map(pickle).collect();
    let mut module = Vec::new();
    let config = PickleValue::global("m", "C").reduce(vec![]).build(vec![("L1", PickleValue::Int(8)), ("x", PickleValue::Float(0.5))]);
    let weights =
        PickleValue::OrderedDict(vec![(PickleValue::str("w"), PickleValue::Tensor(0)), (PickleValue::str("v"), PickleValue::Tensor(1))]);
    write_archive(&mut module, &PickleValue::global("m", "N").reduce(vec![config]).call("load_state_dict", vec![weights]), &tensors())
        .unwrap();
    seeds.extend(pickle(module));
    assert!(seeds.len() > 20);
    hunt("pickle", &seeds, |pickle| read_torch(archive(&pickle)));
}

#[test]
fn legacy_containers() {
    let seeds: Vec<_> = attacks(&[".pt"]).into_iter().filter(|seed| seed.starts_with(b"\x80\x02\x8a")).collect();
    assert!(seeds.len() > 8);
    hunt("legacy", &seeds, read_torch);
}

#[test]
fn safetensors_files() {
    let mut seeds = attacks(&[".safetensors"]);
    let mut written = Vec::new();
    safetensors::write(&mut written, &tensors(), &[("format".into(), "pt".into())]).unwrap();
    seeds.push(written);
    hunt("safetensors", &seeds, |bytes| {
        safetensors::read(Bytes::from_vec(bytes)).into_iter().flat_map(|file| file.tensors).for_each(|(_, tensor)| use_tensor(&tensor));
    });
}

#[test]
fn npz_files() {
    let mut seeds = attacks(&[".npz"]);
    let mut written = Vec::new();
    npz::write(&mut written, &tensors()).unwrap();
    seeds.push(written);
    hunt("npz", &seeds, |bytes| {
        let Ok(npz) = Npz::open(Bytes::from_vec(bytes)) else { return };
        npz.names().filter_map(|name| npz.array(name).ok()).for_each(|tensor| use_tensor(&tensor));
    });
}

#[test]
fn npy_files() {
    let mut seed = Vec::new();
    npy::write_header(&mut seed, npy::DType::I32, &[2, 2]).unwrap();
    seed.extend_from_slice(&[5; 16]);
    hunt("npy", &[seed], |bytes| {
        let _ = npy::parse(&bytes);
    });
}
