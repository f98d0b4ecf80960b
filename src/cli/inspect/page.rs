//! A report as tables of a page.

use std::path::Path;

use serde_json::Value;

use super::Report;
use crate::ctx::Ctx;
use crate::draw::scene::{grouped, short};
use crate::error::Result;
use crate::family::described::{Architecture, Summary};
use crate::files::{Bytes, hash_bytes_sha256};
use crate::show::{Cell, Section, Table};

/// Facts of a file, and its tensors.
///
/// # Errors
/// When the file cannot be read; on cancellation.
pub(in crate::cli) fn tables(path: &Path, ctx: &Ctx) -> Result<(Table, Table)> {
    let bytes = Bytes::map(path)?;
    let shown = path.file_name().unwrap_or_default().to_string_lossy();
    let (inspected, sha256) = rayon::join(|| super::inspect(path, &bytes, false, ctx), || hash_bytes_sha256(&bytes, &shown, ctx));
    let mut report = inspected?.report;
    report.bytes = bytes.len() as u64;
    report.sha256 = sha256?.to_string();
    Ok((facts(&shown, &report), tensors(&report)))
}

/// The section of a file that was read as one of a described architecture.
///
/// # Errors
/// On cancellation.
pub(in crate::cli) fn summary_of_described(
    path: &Path,
    bytes: &Bytes,
    architecture: &Architecture,
    summary: Summary,
    ctx: &Ctx,
) -> Result<Section> {
    let shown = path.file_name().unwrap_or_default().to_string_lossy();
    let mut report = super::described::of(architecture, Ok(summary)).report;
    report.bytes = bytes.len() as u64;
    report.sha256 = hash_bytes_sha256(bytes, &shown, ctx)?.to_string();
    Ok(Section::new("summary", "Summary").table(facts(&shown, &report)).table(tensors(&report)))
}

fn facts(file: &str, report: &Report) -> Table {
    let mut rows = Vec::new();
    let mut row = |name: &str, value: Option<Cell>| rows.extend(value.map(|value| vec![Cell::Text(name.to_owned()), value]));
    row("file", Some(Cell::Text(file.to_owned())));
    row("format", Some(Cell::Text(report.format.clone())));
    row("bytes", Some(Cell::Text(grouped(report.bytes))));
    row("sha256", Some(Cell::Code(report.sha256.clone())));
    row("version", report.version.clone().map(Cell::Code));
    row("hash", report.hash.clone().map(Cell::Code));
    let candidates = report.candidates.as_deref().unwrap_or_default().join(", ");
    row("architecture", report.architecture.clone().or(Some(candidates).filter(|names| !names.is_empty())).map(Cell::Text));
    row("features", report.features.clone().map(Cell::Text));
    let sizes = [("L1", report.l1), ("L2", report.l2), ("L3", report.l3), ("buckets", report.buckets)];
    let sizes: Vec<String> = sizes.iter().filter_map(|(name, size)| size.map(|size| format!("{name}={size}"))).collect();
    row("sizes", (!sizes.is_empty()).then(|| Cell::Text(sizes.join(" "))));
    row("compression", report.compression.map(|compression| Cell::Text(compression.to_owned())));
    row("description", report.description.clone().map(Cell::Text));
    for note in &report.notes {
        row("note", Some(Cell::Text(note.clone())));
    }
    Table { heads: Vec::new(), rows, sortable: false, folded: None }
}

fn tensors(report: &Report) -> Table {
    let number = |value: &Value| match value.as_f64() {
        Some(number) => Cell::Number(number, short(number)),
        None => Cell::Text("-".to_owned()),
    };
    let rows = report.tensors.iter().flatten().map(|tensor| {
        let shape: Vec<String> = tensor.shape.iter().map(usize::to_string).collect();
        vec![
            Cell::Code(tensor.name.clone()),
            Cell::Text(tensor.dtype.clone()),
            Cell::Text(shape.join(" × ")),
            number(&tensor.min),
            number(&tensor.max),
            Cell::Number(tensor.bytes as f64, grouped(tensor.bytes)),
        ]
    });
    let count = report.tensors.as_ref().map_or(0, Vec::len);
    let heads = ["tensor", "type", "shape", "min", "max", "bytes"].map(str::to_owned).to_vec();
    Table { heads, rows: rows.collect(), sortable: true, folded: Some(format!("{count} tensors")) }
}
