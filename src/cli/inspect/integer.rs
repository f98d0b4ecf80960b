//! Integer networks: `.nnue` files, and those inside engines.

use std::io::Write;

use serde::Serialize;
use serde_json::json;

use super::histogram::{Histogram, histogram};
use super::{Inspected, Report, Tensor};
use crate::error::Error;
use crate::family::nnue::stages::pipeline::other_scales;
use crate::files::{HashingWriter, Reader, Sha256};
use crate::format::nnue::{self, Compression, Embedded, Entry, Expectation, Parsed, find_embedded};
use crate::format::sources::{FileKind, no_network_inside, searched};
use crate::net::{BlockWeights, LAYER_NAMES, QuantizedNetwork};

/// A `.nnue` file, good or damaged.
pub(super) fn network(bytes: &[u8], histograms: bool) -> Inspected {
    let mut report = Report::named("nnue");
    match nnue::read(bytes, &Expectation::default()) {
        Ok(parsed) => match fill(&mut report, &parsed, 0, histograms) {
            Ok(()) => report.good(),
            Err(error) => report.bad(error),
        },
        Err(error) => {
            fill_header(&mut report, bytes);
            report.bad(error)
        }
    }
}

/// A program, with or without networks inside.
pub(super) fn engine(bytes: &[u8], kind: FileKind, histograms: bool) -> Inspected {
    let searched = match searched(bytes) {
        Ok(searched) => searched,
        Err(fault) => return Report::named(kind.name()).bad(fault),
    };
    let bytes = &*searched;
    let found = match find_embedded(bytes) {
        Ok(found) => found,
        Err(fault) => return Report::named(kind.name()).bad(fault),
    };
    let Some(first) = found.first() else {
        return Report::named(kind.name()).bad(no_network_inside(bytes));
    };
    let mut report = Report::named(&format!("{}-with-nnue", kind.name()));
    report.networks = Some(found.iter().map(|embedded| Inside::of(embedded, bytes)).collect());
    if kind == FileKind::Wasm {
        report.notes.push("offsets are those in the module's memory, counted from its first byte of data".to_owned());
    }
    for embedded in &found {
        report.notes.push(format!("a network stands at offset {}: {}", embedded.offset, embedded.summary));
    }
    if found.len() > 1 {
        report.notes.push("the tensors shown are those of the first".to_owned());
    }
    let inside = bytes.get(first.offset..first.offset.saturating_add(first.bytes)).unwrap_or_default();
    let filled = nnue::read(inside, &Expectation::default()).and_then(|parsed| fill(&mut report, &parsed, first.offset, histograms));
    match filled {
        Ok(()) => report.good(),
        Err(error) => report.bad(error),
    }
}

/// A network inside a program.
#[derive(Serialize)]
pub(super) struct Inside {
    offset: u64,
    bytes: u64,
    sha256: String,
    /// The name under which such a net is published.
    name: String,
    /// Null, as the sizes, where it is damaged.
    architecture: Option<String>,
    features: Option<String>,
    l1: Option<usize>,
    l2: Option<usize>,
    l3: Option<usize>,
}

impl Inside {
    fn of(embedded: &Embedded, program: &[u8]) -> Self {
        let content = program.get(embedded.offset..embedded.offset.saturating_add(embedded.bytes)).unwrap_or_default();
        let mut hasher = HashingWriter::<_, Sha256>::new(std::io::sink());
        // A sink takes everything.
        let _ = hasher.write_all(content);
        let (_, sha256, _) = hasher.finish();
        let architecture = nnue::architecture(content, &Expectation::default()).ok();
        let architecture = architecture.as_ref();
        let sha256 = sha256.to_string();
        Self {
            offset: embedded.offset as u64,
            bytes: embedded.bytes as u64,
            name: format!("nn-{}.nnue", &sha256[..12]),
            sha256,
            architecture: architecture.map(|found| found.generation.name.to_owned()),
            features: architecture.map(|found| found.features.name()),
            l1: architecture.map(|found| found.l1),
            l2: architecture.map(|found| found.l2),
            l3: architecture.map(|found| found.l3),
        }
    }
}

/// What the first words of a damaged file still tell.
fn fill_header(report: &mut Report, bytes: &[u8]) {
    let word = |at: usize| Reader::new(bytes).at(at).u32().ok();
    report.version = word(0).map(hex);
    report.hash = word(4).map(hex);
    let length = word(8).and_then(|length| usize::try_from(length).ok()).filter(|length| *length <= nnue::MAX_DESCRIPTION);
    if let Some(description) = length.and_then(|length| bytes.get(12..12 + length)) {
        report.set_description(description);
    }
}

fn hex(word: u32) -> String {
    format!("0x{word:08X}")
}

/// Everything of a good network; `base` is the offset at which it stands in the file.
fn fill(report: &mut Report, parsed: &Parsed, base: usize, histograms: bool) -> Result<(), Error> {
    let network = &parsed.network;
    let architecture = &network.architecture;
    report.version = Some(hex(architecture.version()));
    report.hash = Some(hex(architecture.header_hash()));
    report.set_sizes(architecture);
    report.features = Some(architecture.features.name());
    let candidates: Vec<String> = parsed.candidates.iter().map(|candidate| candidate.generation.name.to_owned()).collect();
    if candidates.len() > 1 {
        report.notes.push(format!("the file can be of {}; {} is assumed", candidates.join(" or "), architecture.generation.name));
    }
    report.candidates = Some(candidates);
    report.compression = parsed.compression.map(Compression::name);
    if parsed.compression.is_none() {
        report.notes.push("the tensors of the feature transformer are partly compressed".to_owned());
    }
    report.set_description(&network.description);
    let others = other_scales(architecture);
    if !others.is_empty() {
        let assumed = architecture.quantization.name;
        let also = others.join(", ");
        report.notes.push(format!("the quantization is not recorded in the file; {assumed} is assumed (also possible: {also})"));
    }
    report.notes.extend(padding_notes(network));
    let ranges = parsed.ranges()?;
    let tensors = parsed.entries.iter().zip(&ranges).map(|(entry, range)| Tensor {
        name: entry.name.clone(),
        dtype: entry.dtype.name().to_owned(),
        shape: entry.shape.clone(),
        min: json!(range.min),
        max: json!(range.max),
        offset: Some((base + entry.offset) as u64),
        bytes: entry.bytes as u64,
        histogram: histograms.then(|| entry_histogram(network, entry, (range.min as f64, range.max as f64))),
    });
    report.tensors = Some(tensors.collect());
    Ok(())
}

/// Bytes other than zero where no weight stands: one note for each layer that has any.
fn padding_notes(network: &QuantizedNetwork) -> Vec<String> {
    let mut notes = Vec::new();
    for (stack, layers) in network.stacks.iter().enumerate() {
        for (layer, name) in layers.layers.iter().zip(LAYER_NAMES) {
            let rows: Vec<(usize, usize)> = layer
                .rows()
                .map(|row| row.iter().skip(layer.inputs).filter(|byte| **byte != 0).count())
                .enumerate()
                .filter(|(_, count)| *count > 0)
                .collect();
            match rows.as_slice() {
                [] => {}
                [(row, count)] => notes.push(format!("{count} non-zero padding bytes at stack{stack}.{name} row {row} (a nonce)")),
                [(first, _), .., (last, _)] => {
                    let count: usize = rows.iter().map(|(_, count)| count).sum();
                    notes.push(format!(
                        "{count} non-zero padding bytes at stack{stack}.{name} in {} rows from {first} to {last}",
                        rows.len()
                    ));
                }
            }
        }
    }
    notes
}

/// The histogram of a stored tensor, which may hold the rows of several blocks.
fn entry_histogram(network: &QuantizedNetwork, entry: &Entry, range: (f64, f64)) -> Histogram {
    let mut sum = Histogram::empty(range);
    let mut add = |part: Histogram| sum.add(&part);
    let i8s = |values: &[i8]| histogram(values, range, |value| f64::from(*value));
    let i16s = |values: &[i16]| histogram(values, range, |value| f64::from(*value));
    let i32s = |values: &[i32]| histogram(values, range, |value| f64::from(*value));
    if entry.name == "ft.bias" {
        add(i16s(&network.ft_bias));
    } else if let Some(rest) = entry.name.strip_prefix("ft.") {
        // `weight`, `psqt`: all blocks. `HalfKAv2_hm.weight`: that one.
        let (only, part) = rest.rsplit_once('.').map_or((None, rest), |(block, part)| (Some(block), part));
        for block in network.blocks.iter().filter(|block| only.is_none_or(|only| only == block.block.name())) {
            add(match (&block.weights, part) {
                (_, "psqt") => i32s(&block.psqt),
                (BlockWeights::I8(weights), _) => i8s(weights),
                (BlockWeights::I16(weights), _) => i16s(weights),
            });
        }
    } else {
        for (stack, layers) in network.stacks.iter().enumerate() {
            for (layer, name) in layers.layers.iter().zip(LAYER_NAMES) {
                if entry.name == format!("stack{stack}.{name}.bias") {
                    add(i32s(&layer.bias));
                } else if entry.name == format!("stack{stack}.{name}.weight") {
                    add(i8s(&layer.weights));
                }
            }
        }
    }
    sum
}
