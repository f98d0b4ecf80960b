//! No build ends well with a wrong net: every assertion × source × compression × permutation is built, and what comes out is judged by a
//! reader of this test's own, which shares no code with the program.

use std::sync::Arc;

use nnue::internals::ctx::Ctx;
use nnue::internals::family::nnue::stages::dequantize::dequantize;
use nnue::internals::family::nnue::stages::write_float::{FloatTarget, write_float};
use nnue::internals::format::nnue::{Compression, write};
use nnue::internals::net::random_network;

use crate::common::without_scales;
use crate::project::{Project, net};

const L1: usize = 8;
const ROWS: usize = 22528;
const BUCKETS: usize = 8;
/// Neuron pair `j` of the result is pair `ORDER[j]` of the source.
const ORDER: [usize; L1 / 2] = [2, 0, 3, 1];

/// All that a file of SFNNv4 or SFNNv5 with this L1 says.
#[derive(Debug, PartialEq, Clone)]
struct Net {
    hashes: Vec<u32>,
    description: Vec<u8>,
    is_packed: bool,
    bias: Vec<i64>,
    weights: Vec<i64>,
    psqt: Vec<i64>,
    /// Rows of 32 bytes of the first layer of each stack, and the rest of the stack as it stands.
    stacks: Vec<(Vec<[u8; 32]>, Vec<u8>)>,
}

struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn take(&mut self, count: usize) -> Vec<u8> {
        let (head, rest) = self.0.split_at(count);
        self.0 = rest;
        head.to_vec()
    }

    fn word(&mut self) -> u32 {
        u32::from_le_bytes(self.take(4).try_into().unwrap())
    }

    /// Signed integers of so many bytes, packed or not; whether they were.
    fn integers(&mut self, count: usize, size: usize) -> (Vec<i64>, bool) {
        const MAGIC: &[u8] = b"COMPRESSED_LEB128";
        if !self.0.starts_with(MAGIC) {
            let sign = 64 - 8 * size as u32;
            let number = |bytes: &[u8]| bytes.iter().rev().fold(0i64, |all, byte| all << 8 | i64::from(*byte)) << sign >> sign;
            return (self.take(count * size).chunks(size).map(number).collect(), false);
        }
        self.take(MAGIC.len());
        let length = self.word() as usize;
        let packed = self.take(length);
        let mut packed = packed.iter();
        let numbers = (0..count).map(|_| {
            let (mut number, mut shift) = (0i64, 0);
            loop {
                let byte = *packed.next().unwrap();
                number |= i64::from(byte & 0x7F) << shift;
                shift += 7;
                if byte & 0x80 == 0 {
                    return if byte & 0x40 == 0 { number } else { number | -1 << shift };
                }
            }
        });
        let numbers = numbers.collect();
        assert!(packed.next().is_none(), "numbers are left over");
        (numbers, true)
    }
}

impl Net {
    fn read(file: &[u8]) -> Self {
        let mut bytes = Bytes(file);
        let mut hashes = vec![bytes.word(), bytes.word()];
        let length = bytes.word() as usize;
        let description = bytes.take(length);
        hashes.push(bytes.word());
        let (bias, first) = bytes.integers(L1, 2);
        let (weights, second) = bytes.integers(ROWS * L1, 2);
        let (psqt, third) = bytes.integers(ROWS * BUCKETS, 4);
        assert!(first == second && second == third, "packed in part");
        let stacks = (0..BUCKETS).map(|_| {
            hashes.push(bytes.word());
            let mut rest = bytes.take(4 * 16);
            let rows = (0..16).map(|_| bytes.take(32).try_into().unwrap()).collect();
            rest.extend(bytes.take(4 * 32 + 32 * 32 + 4 + 32));
            (rows, rest)
        });
        let stacks = stacks.collect();
        assert!(bytes.0.is_empty(), "{} bytes are left over", bytes.0.len());
        Self { hashes, description, is_packed: first, bias, weights, psqt, stacks }
    }

    fn permuted(&self) -> Self {
        let column = |at: usize| if at < L1 / 2 { ORDER[at] } else { L1 / 2 + ORDER[at - L1 / 2] };
        let row = |row: &[i64]| (0..L1).map(|at| row[column(at)]).collect::<Vec<_>>();
        let columns = |old: &[u8; 32]| std::array::from_fn(|at| if at < L1 { old[column(at)] } else { old[at] });
        let stacks = self.stacks.iter().map(|(rows, rest)| (rows.iter().map(columns).collect(), rest.clone()));
        Self { bias: row(&self.bias), weights: self.weights.chunks(L1).flat_map(row).collect(), stacks: stacks.collect(), ..self.clone() }
    }

    /// Whether this is `source`'s float network at the scale 255 in place of 127.
    fn is_rescaled(&self, source: &Self) -> bool {
        let near = |(new, old): (&i64, &i64)| (*new as f64 - *old as f64 * 255.0 / 127.0).abs() < 0.51;
        self.weights.iter().zip(&source.weights).chain(self.bias.iter().zip(&source.bias)).all(near)
            && (&self.psqt, &self.stacks) == (&source.psqt, &source.stacks)
    }
}

/// A file of this test's own: `numpy.save` of 64-bit integers.
fn npy(order: &[usize]) -> Vec<u8> {
    let mut header = format!("{{'descr': '<i8', 'fortran_order': False, 'shape': ({},), }}", order.len());
    header.push_str(&" ".repeat(117 - header.len()));
    header.push('\n');
    let numbers = order.iter().flat_map(|number| (*number as i64).to_le_bytes());
    b"\x93NUMPY\x01\0".iter().copied().chain((header.len() as u16).to_le_bytes()).chain(header.into_bytes()).chain(numbers).collect()
}

const OPEN: &str = "open.safetensors";

/// The net in files of every kind.
fn sources(generation: &str) -> (Net, Vec<(&'static str, Vec<u8>)>) {
    let network = random_network(generation, L1, 3);
    let stored = |compression| {
        let mut bytes = Vec::new();
        write(&mut bytes, &network, compression).unwrap();
        bytes
    };
    let floats = dequantize(&Arc::new(network.clone()), &Ctx::silent()).unwrap();
    let file = |target| {
        let mut bytes = Vec::new();
        write_float(&mut bytes, &floats, target, &Ctx::silent()).unwrap();
        bytes
    };
    let raw = stored(Compression::None);
    let safetensors = file(FloatTarget::Safetensors);
    let sources = vec![
        ("raw.nnue", raw.clone()),
        ("packed.nnue", stored(Compression::Leb128)),
        ("engine", [b"\x7FELF\x02\x01\x01\0some code".as_slice(), &raw, b"more code"].concat()),
        ("module.pt", file(FloatTarget::StateDict)),
        (OPEN, without_scales(&safetensors)),
        ("tensors.safetensors", safetensors),
        ("tensors.npz", file(FloatTarget::Npz)),
    ];
    (Net::read(&raw), sources)
}

const ASSERTIONS: [&str; 22] = [
    "",
    "architecture = 'SFNNv1'",
    "architecture = 'SFNNv3'",
    "architecture = 'SFNNv4'",
    "architecture = 'SFNNv5'",
    "architecture = 'SFNNv9'",
    "architecture = 'small'",
    "architecture = 'SFNNv14'",
    "architecture = 'SFNNv15'",
    "quantization = 'ft127'",
    "quantization = 'ft255'",
    "quantization = 'ft256'",
    "features = 'HalfKAv2_hm'",
    "features = 'HalfKAv2_hm^'",
    "features = 'HalfKAv2'",
    "l1 = 8",
    "l1 = 16",
    "l2 = 15",
    "l2 = 16",
    "l2 = 31",
    "l3 = 32",
    "l3 = 31",
];

/// What contradicts a file of each generation, whatever kind of file it is.
const CONTRADICTIONS: [&str; 10] = [
    "architecture = 'SFNNv1'",
    "architecture = 'SFNNv3'",
    "architecture = 'SFNNv14'",
    "architecture = 'SFNNv15'",
    "features = 'HalfKAv2'",
    "l1 = 16",
    "l2 = 16",
    "l2 = 31",
    "l3 = 31",
    "quantization = 'ft256'",
];

#[test]
fn what_comes_out_is_the_net_that_went_in() {
    for generation in ["SFNNv4", "SFNNv5"] {
        let (expected, sources) = sources(generation);
        let mut refused_in_words = 0;
        for (source, bytes) in sources {
            let project = Project::empty();
            project.write(source, &bytes);
            project.write("order.npy", npy(&ORDER));
            let mut text = "version = 1\n".to_owned();
            for (number, assertion) in ASSERTIONS.iter().enumerate() {
                text += &format!("[source.s{number}]\npath = '{source}'\n{assertion}\n");
                for (compression, order) in combinations() {
                    let name = format!("{number}-{compression}-{order}");
                    text += &format!("[net.{name}]\nsource = 's{number}'\ncompression = '{compression}'\noutputs = 'out/{name}.nnue'\n");
                    text += if order { "permutation = 'order.npy'\n" } else { "" };
                }
            }
            project.manifest(&text);
            let ran = project.nnue(&["build", "--keep-going", "--json"]);
            assert_eq!(ran.code, 1, "{}", ran.err);
            let report = ran.json();
            for (number, assertion) in ASSERTIONS.iter().enumerate() {
                for (compression, order) in combinations() {
                    let what = format!("{generation} from {source} with `{assertion}`, {compression}, permuted: {order}");
                    let name = format!("{number}-{compression}-{order}");
                    let net = net(&report, &name);
                    let path = format!("out/{name}.nnue");
                    let is_open = source == OPEN
                        && generation == "SFNNv5"
                        && *assertion != "quantization = 'ft127'"
                        && *assertion != "quantization = 'ft255'";
                    if CONTRADICTIONS.contains(assertion) || is_open || generation == "SFNNv5" && assertion.contains("SFNNv4") {
                        assert_eq!(net["status"], "failed", "{what}");
                    }
                    if source != OPEN
                        && ["", "l1 = 8", "l2 = 15", "l3 = 32", "quantization = 'ft127'", "features = 'HalfKAv2_hm'"].contains(assertion)
                    {
                        assert_eq!(net["status"], "built", "{what}: {}", net["error"]);
                    }
                    if net["status"] == "failed" {
                        assert!(!project.at(&path).exists(), "{what}: a file was left");
                        assert!(net["error"].as_str().is_some_and(|error| !error.is_empty()), "{what}: no reason");
                        refused_in_words += 1;
                        continue;
                    }
                    let file = project.bytes(&path);
                    assert_eq!(crate::common::sha256(&file), net["outputs"][0]["sha256"], "{what}");
                    let mut found = Net::read(&file);
                    let is_packed = match compression {
                        "leb128" => true,
                        "none" => false,
                        // As the file has it; else as engines of the generation read it, which is raw for SFNNv4 alone.
                        _ if source.ends_with(".nnue") => source == "packed.nnue",
                        _ if generation == "SFNNv4" && (!assertion.contains("architecture") || assertion.contains("SFNNv4")) => false,
                        _ => found.is_packed,
                    };
                    assert_eq!(found.is_packed, is_packed, "{what}");
                    found.is_packed = expected.is_packed;
                    if source == OPEN {
                        found.description.clone_from(&expected.description);
                    }
                    let expected = if order { expected.permuted() } else { expected.clone() };
                    let is_rescaled = source == OPEN && assertion.contains("ft255");
                    assert!(if is_rescaled { found.is_rescaled(&expected) } else { found == expected }, "{what}: a wrong net");
                }
            }
            if generation == "SFNNv4" {
                assert!(ran.err.contains("refuses `leb128`"), "{source}: {}", ran.err);
            }
        }
        assert!(refused_in_words > 100, "{refused_in_words}");
    }
}

fn combinations() -> impl Iterator<Item = (&'static str, bool)> {
    ["auto", "leb128", "none"].into_iter().flat_map(|compression| [(compression, false), (compression, true)])
}
