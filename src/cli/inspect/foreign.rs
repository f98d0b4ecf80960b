//! What is not a file of tensors: NumPy arrays, positions, and everything that is mistaken for a network.

use std::path::{Path, PathBuf};

use super::{Inspected, Report, Tensor};
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::format::npy::{self, DType};
use crate::format::sources::{FileKind, not_a_network};
use crate::permutation::{read_matrix, read_permutation};
use crate::positions::Stream;
use serde_json::Value;

/// A `.npy` file.
pub(super) fn array(bytes: &[u8]) -> Inspected {
    let mut report = Report::named("npy");
    let (header, data) = match npy::parse(bytes) {
        Ok(parsed) => parsed,
        Err(error) => return report.bad(error),
    };
    report.tensors = Some(vec![Tensor {
        name: "array".to_owned(),
        dtype: dtype_name(header.dtype).to_owned(),
        shape: header.shape.clone(),
        min: Value::Null,
        max: Value::Null,
        offset: Some(header.data_offset as u64),
        bytes: data.len() as u64,
        histogram: None,
    }]);
    match (header.dtype, header.shape.as_slice()) {
        (DType::I64 | DType::I32, &[n]) => match read_permutation(bytes) {
            Ok(permutation) if permutation.is_identity() => {
                report.notes.push(format!("the permutation of {n} neuron pairs (L1={}) that moves nothing", 2 * n))
            }
            Ok(_) => report.notes.push(format!("a permutation of {n} neuron pairs (L1={})", 2 * n)),
            Err(error) => report.notes.push(format!("not a permutation: {error}")),
        },
        (DType::Bool, &[positions, width]) => match read_matrix(bytes, None) {
            Ok(_) => report.notes.push(format!("an activation matrix of {positions} positions at L1={width}")),
            Err(error) => report.notes.push(format!("not an activation matrix: {error}")),
        },
        (DType::U8, &[positions, width]) => {
            let most = width.saturating_mul(8);
            report.notes.push(format!("may be a packed activation matrix of {positions} positions at L1={most} or up to 7 less"));
        }
        _ => report.notes.push("neither a permutation nor an activation matrix".to_owned()),
    }
    report.good()
}

const fn dtype_name(dtype: DType) -> &'static str {
    match dtype {
        DType::Bool => "bool",
        DType::U8 => "u8",
        DType::I8 => "i8",
        DType::I16 => "i16",
        DType::I32 => "i32",
        DType::I64 => "i64",
        DType::F32 => "f32",
        DType::F64 => "f64",
    }
}

/// Training data that says so itself.
pub(super) fn training_data(path: &Path, kind: FileKind, ctx: &Ctx) -> Inspected {
    let report = Report::named(kind.name());
    match Stream::open(&[path.to_owned()], ctx) {
        Ok(stream) => Report { notes: vec![format!("training data in {} chunks", stream.chunk_count())], ..report }.good(),
        Err(error) => report.bad(error),
    }
}

/// Positions without a mark, or something else altogether.
pub(super) fn unmarked(path: &Path, bytes: &[u8], kind: FileKind, ctx: &Ctx) -> Result<Inspected> {
    Ok(positions(path, bytes, kind, ctx)?.unwrap_or_else(|| other(bytes, kind)))
}

/// What this tool has no use for.
pub(super) fn other(bytes: &[u8], kind: FileKind) -> Inspected {
    Report::named(kind.name()).bad(not_a_network(bytes))
}

/// Lines of FEN, or records of 40 bytes: what begins with a position.
fn positions(path: &Path, bytes: &[u8], kind: FileKind, ctx: &Ctx) -> Result<Option<Inspected>> {
    let Ok(stream) = Stream::open(&[PathBuf::from(path)], ctx) else {
        ctx.check()?;
        return Ok(None);
    };
    // Only the first entry is asked for; what ends the reading after it is not a fault.
    let mut first = false;
    let _ = stream.read_chunk(0, ctx, |_, _| {
        first = true;
        Err(Error::interrupted())
    });
    ctx.check()?;
    if !first {
        return Ok(None);
    }
    let (format, note) = if kind == FileKind::Text {
        ("fen", format!("{} lines of positions", bytes.iter().filter(|byte| **byte == b'\n').count().max(1)))
    } else {
        ("bin", format!("training data of {} records", bytes.len() / RECORD))
    };
    Ok(Some(Report { notes: vec![note], ..Report::named(format) }.good()))
}

/// Bytes of a record of a `.bin`.
const RECORD: usize = 40;
