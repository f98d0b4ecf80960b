//! Files of float tensors: PyTorch's, safetensors and npz. What they are a network of is found out; what they leave open is said.

use rayon::prelude::*;
use serde_json::{Value, json};

use super::histogram::histogram;
use super::{Inspected, Report, Tensor};
use crate::ctx::Ctx;
use crate::error::Result;
use crate::family::nnue::stages::load::load_tensors;
use crate::files::Bytes;
use crate::format::checkpoint::{self, METADATA_PREFIX};
use crate::format::nnue::Expectation;
use crate::format::npz::Npz;
use crate::format::safetensors;
use crate::format::sources::FileKind;
use crate::format::state_dict;
use crate::format::tensor::{DType, TensorView};
use crate::format::torch::TorchFile;
use crate::net::{Architecture, Factorized, GENERATIONS, Network, QUANTIZATIONS};
use crate::shown;

/// A tensor, or why it cannot be read.
type Named = (String, Result<TensorView>);

/// What the container holds.
struct Contents {
    tensors: Vec<Named>,
    notes: Vec<String>,
}

/// A file of tensors.
pub(super) fn inspect(bytes: &Bytes, kind: FileKind, histograms: bool, ctx: &Ctx) -> Result<Inspected> {
    let contents = match contents(bytes, kind) {
        Ok(contents) => contents,
        Err(error) => return Ok(Report::named(kind.name()).bad(error)),
    };
    let mut report = Report { notes: contents.notes, ..Report::named(kind.name()) };
    let described: Vec<(Tensor, Option<String>)> = contents
        .tensors
        .into_par_iter()
        .map(|(name, view)| {
            ctx.check()?;
            Ok(describe(name, view, histograms))
        })
        .collect::<Result<_>>()?;
    let mut tensors = Vec::with_capacity(described.len());
    for (tensor, note) in described {
        tensors.push(tensor);
        report.notes.extend(note);
    }
    let empty = tensors.is_empty();
    report.tensors = Some(tensors);
    match readings(bytes, ctx) {
        Ok(found) => {
            fill(&mut report, &found);
            Ok(report.good())
        }
        Err(error) if empty => Ok(report.bad(error)),
        Err(error) => {
            ctx.check()?;
            report.notes.push(format!("cannot be converted: {error}"));
            Ok(report.good())
        }
    }
}

fn contents(bytes: &Bytes, kind: FileKind) -> Result<Contents> {
    if kind == FileKind::Safetensors {
        let file = safetensors::read(bytes.clone())?;
        let mut notes: Vec<String> = file
            .metadata
            .iter()
            .take(SHOWN)
            .map(|(key, value)| format!("metadata `{}` = `{}`", shown::name(key), shortened(value)))
            .collect();
        if file.metadata.len() > SHOWN {
            notes.push(format!("and {} more entries of metadata", file.metadata.len() - SHOWN));
        }
        return Ok(Contents { tensors: file.tensors.into_iter().map(|(name, view)| (name, Ok(view))).collect(), notes });
    }
    if kind == FileKind::Npz {
        let npz = Npz::open(bytes.clone())?;
        let (texts, names): (Vec<&str>, Vec<&str>) = npz.names().partition(|name| name.starts_with(METADATA_PREFIX));
        let notes = texts.iter().map(|name| {
            let value = npz.array(name).and_then(|array| Ok(String::from_utf8_lossy(&array.contiguous_le_bytes()?).into_owned()));
            format!("metadata `{}` = `{}`", name.trim_start_matches(METADATA_PREFIX), shortened(&value.unwrap_or_default()))
        });
        let notes = notes.collect();
        return Ok(Contents { tensors: names.into_iter().map(|name| (name.to_owned(), npz.array(name))).collect(), notes });
    }
    let file = TorchFile::open(bytes.clone())?;
    let mut notes = Vec::new();
    if file.is_big_endian() {
        notes.push("its numbers are big-endian".to_owned());
    }
    notes.extend(checkpoint::note(bytes).map(str::to_owned));
    let tensors = match file.state_dict() {
        Ok(tensors) if !tensors.is_empty() => tensors.into_iter().map(|(name, view)| (name, Ok(view))).collect(),
        _ => file.tensors()?,
    };
    Ok(Contents { tensors, notes })
}

/// Entries of metadata that are shown.
const SHOWN: usize = 1000;

/// Long values, such as a description in hex, are cut.
fn shortened(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn describe(name: String, view: Result<TensorView>, histograms: bool) -> (Tensor, Option<String>) {
    let mut tensor = Tensor {
        name,
        dtype: "unknown".to_owned(),
        shape: Vec::new(),
        min: Value::Null,
        max: Value::Null,
        offset: None,
        bytes: 0,
        histogram: None,
    };
    let view = match view {
        Ok(view) => view,
        Err(error) => {
            let note = format!("tensor `{}` cannot be read: {error}", tensor.name);
            return (tensor, Some(note));
        }
    };
    let size = view.dtype().size() as u64;
    tensor.dtype = short_name(view.dtype());
    tensor.shape = view.shape().to_vec();
    tensor.bytes = (view.numel() as u64).saturating_mul(size);
    tensor.offset = Some((view.storage().range().start as u64).saturating_add((view.storage_offset() as u64).saturating_mul(size)));
    let note = match fill_range(&mut tensor, &view, histograms) {
        Ok(0) => None,
        Ok(wrong) => Some(format!("tensor `{}` has {wrong} values that are infinite or not numbers", tensor.name)),
        Err(error) => Some(format!("the values of tensor `{}` cannot be read: {error}", tensor.name)),
    };
    (tensor, note)
}

/// `f32`, `bf16`, `i64`, `bool` …
fn short_name(dtype: DType) -> String {
    let name = dtype.name();
    for (long, short) in [("bfloat", "bf"), ("float", "f"), ("uint", "u"), ("int", "i")] {
        if let Some(rest) = name.strip_prefix(long) {
            return format!("{short}{rest}");
        }
    }
    name.to_owned()
}

/// Smallest and largest value; returns how many are not finite.
fn fill_range(tensor: &mut Tensor, view: &TensorView, histograms: bool) -> Result<usize> {
    match view.dtype() {
        DType::F32 | DType::F64 | DType::F16 | DType::BF16 => {
            let values = view.to_f32()?;
            let finite = || values.par_chunks(1 << 16).flat_map_iter(|part| part.iter().copied().filter(|value| value.is_finite()));
            let range = finite().map(|value| (value, value)).reduce_with(|a, b| (a.0.min(b.0), a.1.max(b.1)));
            if let Some((min, max)) = range {
                (tensor.min, tensor.max) = (json!(f64::from(min)), json!(f64::from(max)));
                tensor.histogram = histograms.then(|| histogram(&values, (f64::from(min), f64::from(max)), |value| f64::from(*value)));
            }
            Ok(values.len() - finite().count())
        }
        dtype => {
            if let Some((min, max)) = integer_range(dtype, &view.contiguous_le_bytes()?) {
                (tensor.min, tensor.max) = (json!(min), json!(max));
            }
            Ok(0)
        }
    }
}

fn integer_range(dtype: DType, bytes: &[u8]) -> Option<(i64, i64)> {
    fn range(values: impl Iterator<Item = i64>) -> Option<(i64, i64)> {
        values.map(|value| (value, value)).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }
    match dtype {
        DType::I8 => range(bytes.iter().map(|byte| i64::from(byte.cast_signed()))),
        DType::U8 | DType::Bool => range(bytes.iter().map(|byte| i64::from(*byte))),
        DType::I16 => range(bytes.as_chunks().0.iter().map(|bytes| i16::from_le_bytes(*bytes).into())),
        DType::I32 => range(bytes.as_chunks().0.iter().map(|bytes| i32::from_le_bytes(*bytes).into())),
        DType::I64 => range(bytes.as_chunks().0.iter().map(|bytes| i64::from_le_bytes(*bytes))),
        _ => None,
    }
}

/// Every reading of a file of floats that gives other bytes, oldest generation first; one where nothing is open.
///
/// # Errors
/// When there is none: the reason, as loading gives it.
pub(in crate::cli) fn readings(bytes: &Bytes, ctx: &Ctx) -> Result<Vec<Network<Factorized>>> {
    // Read once: what is read from it below is read many times.
    let tensors = load_tensors(bytes.clone())?;
    let load = |expected: &Expectation| state_dict::network(tensors.clone(), expected);
    let refusal = match load(&Expectation::default()) {
        Ok(network) => return Ok(vec![network]),
        Err(error) => error,
    };
    // Where the scales are open, each that the file can have is a reading; where the generation is, each of those too.
    let mut found: Vec<Network<Factorized>> = Vec::new();
    // Generations that write the same bytes are one reading: the one that the scales alone lead to.
    let bytes = |network: &Network<Factorized>| {
        let Architecture { generation, quantization, .. } = network.architecture;
        (generation.version, generation.ft_layout, generation.narrow_threats, quantization.name)
    };
    for quantization in QUANTIZATIONS {
        ctx.check()?;
        let scales = Expectation { quantization: Some(quantization), ..Expectation::default() };
        found.extend(load(&scales).ok());
        for generation in &GENERATIONS {
            ctx.check()?;
            if let Ok(network) = load(&Expectation { architecture: Some(generation), ..scales.clone() })
                && !found.iter().any(|known| bytes(known) == bytes(&network))
            {
                found.push(network);
            }
        }
    }
    found.sort_by_key(|network| GENERATIONS.iter().position(|other| other == network.architecture.generation));
    if found.is_empty() { Err(refusal) } else { Ok(found) }
}

fn fill(report: &mut Report, found: &[Network<Factorized>]) {
    let Some(first) = found.first() else { return };
    report.set_sizes(&first.architecture);
    report.features = Some(first.features());
    report.set_description(&first.description);
    let mut names: Vec<String> = Vec::new();
    for network in found {
        let name = network.architecture.generation.name.to_owned();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.len() > 1 {
        report.architecture = None;
    }
    report.candidates = Some(names);
    let choices: Vec<String> = found
        .iter()
        .map(|network| format!("{} with {}", network.architecture.generation.name, network.architecture.quantization.name))
        .collect();
    if let [_, _, ..] = choices.as_slice() {
        report.notes.push(format!("the tensors leave open which file is meant: {}", choices.join(", or ")));
    } else if let [only] = choices.as_slice() {
        report.notes.push(format!("converts into {only}"));
    }
}
