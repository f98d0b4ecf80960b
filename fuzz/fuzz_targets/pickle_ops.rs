//! As `pickle`, but the input is a program of opcodes and values that belong together, in which a state_dict is likely: so the machine gets
//! far, and what is made of its values is what is tried.
#![no_main]

mod common;

use std::io::Write;

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use nnue::internals::{error::Error, format::zip};

#[derive(Arbitrary, Debug)]
enum Op {
    Small(u8),
    Number(i32),
    Long(i64),
    Float(f64),
    Text(Name),
    None,
    Bool(bool),
    Mark,
    Tuple,
    TupleOf(u8),
    List,
    Append,
    Appends,
    Dict,
    SetItem,
    SetItems,
    Global(Name, Name),
    StackGlobal,
    Reduce,
    Build,
    NewObject,
    Persistent,
    Put(u8),
    Get(u8),
    Memoize,
    Pop,
    /// A whole call of a rebuild function.
    Tensor { storage: u8, kind: u8, size: [u8; 2], stride: [u8; 2], offset: u8, numel: u8 },
    Raw(u8),
}

/// Words that mean something, and others.
#[derive(Arbitrary, Debug)]
enum Name {
    Known(u8),
    Other(String),
}

const KNOWN: [&str; 24] = [
    "torch", "torch._utils", "_rebuild_tensor_v2", "_rebuild_tensor", "_rebuild_parameter", "FloatStorage", "HalfStorage", "LongStorage",
    "BFloat16Storage", "ByteStorage", "collections", "OrderedDict", "storage", "cpu", "0", "1", "state_dict", "_parameters", "_modules",
    "_buffers", "training", "__builtin__", "getattr", "weight",
];

impl Name {
    fn text(&self) -> &str {
        match self {
            Self::Known(index) => KNOWN[usize::from(*index) % KNOWN.len()],
            Self::Other(text) => text,
        }
    }
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.push(b'X');
    out.extend((text.len() as u32).to_le_bytes());
    out.extend(text.as_bytes());
}

fn global(out: &mut Vec<u8>, module: &str, name: &str) {
    let line = |text: &str| text.replace('\n', " ");
    out.extend(format!("c{}\n{}\n", line(module), line(name)).into_bytes());
}

fn small(out: &mut Vec<u8>, value: u8) {
    out.extend([b'K', value]);
}

impl Op {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Small(value) => small(out, *value),
            Self::Number(value) => {
                out.push(b'J');
                out.extend(value.to_le_bytes());
            }
            Self::Long(value) => {
                out.extend([0x8a, 8]);
                out.extend(value.to_le_bytes());
            }
            Self::Float(value) => {
                out.push(b'G');
                out.extend(value.to_be_bytes());
            }
            Self::Text(name) => text(out, name.text()),
            Self::None => out.push(b'N'),
            Self::Bool(value) => out.push(if *value { 0x88 } else { 0x89 }),
            Self::Mark => out.push(b'('),
            Self::Tuple => out.push(b't'),
            Self::TupleOf(count) => out.push([b')', 0x85, 0x86, 0x87][usize::from(*count) % 4]),
            Self::List => out.push(b']'),
            Self::Append => out.push(b'a'),
            Self::Appends => out.push(b'e'),
            Self::Dict => out.push(b'}'),
            Self::SetItem => out.push(b's'),
            Self::SetItems => out.push(b'u'),
            Self::Global(module, name) => global(out, module.text(), name.text()),
            Self::StackGlobal => out.push(0x93),
            Self::Reduce => out.push(b'R'),
            Self::Build => out.push(b'b'),
            Self::NewObject => out.push(0x81),
            Self::Persistent => out.push(b'Q'),
            Self::Put(slot) => out.extend([b'q', *slot]),
            Self::Get(slot) => out.extend([b'h', *slot]),
            Self::Memoize => out.push(0x94),
            Self::Pop => out.push(b'0'),
            Self::Tensor { storage, kind, size, stride, offset, numel } => {
                global(out, "torch._utils", "_rebuild_tensor_v2");
                out.extend(b"((");
                text(out, "storage");
                global(out, "torch", KNOWN[5 + usize::from(*kind) % 5]);
                text(out, if storage % 2 == 0 { "0" } else { "1" });
                text(out, "cpu");
                small(out, *numel);
                out.extend(b"tQ");
                small(out, *offset);
                for pair in [size, stride] {
                    small(out, pair[0]);
                    small(out, pair[1]);
                    out.push(0x86);
                }
                out.push(0x89);
                global(out, "collections", "OrderedDict");
                out.extend(b")RtR");
            }
            Self::Raw(byte) => out.push(*byte),
        }
    }
}

fuzz_target!(|ops: Vec<Op>| {
    let mut pickle = b"\x80\x02}".to_vec();
    for op in &ops {
        op.write(&mut pickle);
    }
    pickle.push(b'.');
    let mut archive = zip::Writer::new(Vec::new());
    for (name, content) in [("a/data.pkl", &pickle[..]), ("a/data/0", &[0x3f; 16][..]), ("a/data/1", &[1; 24])] {
        let mut write = |out: &mut dyn Write| out.write_all(content).map_err(|error| Error::new(error.to_string()));
        archive.entry(name, content.len() as u64, 64, &mut write).unwrap();
    }
    common::use_torch(archive.finish().unwrap());
});
