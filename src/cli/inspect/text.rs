//! A report for people: compact and aligned.

use std::fmt::Write;
use std::path::Path;

use serde_json::Value;

use super::histogram::{BINS, USUAL};
use super::{Report, Tensor};
use crate::shown;

/// The most bytes of a note.
const NOTE: usize = 1000;

/// The whole report; `width` is that of the terminal, where there is one.
pub(super) fn render(path: &Path, report: &Report, width: Option<usize>) -> String {
    let mut text = format!("{}\n", path.display());
    let mut line = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            let _ = writeln!(text, "  {key:<13}{value}");
        }
    };
    line("format", Some(report.format.clone()));
    line("bytes", Some(report.bytes.to_string()));
    line("sha256", Some(report.sha256.clone()));
    line("version", report.version.clone());
    line("hash", report.hash.clone());
    line("architecture", architecture(report));
    line("features", report.features.clone());
    let sizes = [("L1", report.l1), ("L2", report.l2), ("L3", report.l3), ("buckets", report.buckets)];
    let sizes: Vec<String> = sizes.iter().filter_map(|(name, size)| size.map(|size| format!("{name}={size}"))).collect();
    line("sizes", (!sizes.is_empty()).then(|| sizes.join(" ")));
    line("compression", report.compression.map(str::to_owned));
    // A description may hold anything: what would move the cursor is shown escaped.
    line("description", report.description.as_ref().map(|text| shown::bounded(shown::line(text).into_owned(), shown::MESSAGE)));
    for (index, note) in report.notes.iter().enumerate() {
        line(if index == 0 { "notes" } else { "" }, Some(shown::bounded(shown::line(note).into_owned(), NOTE)));
    }
    if let Some(tensors) = report.tensors.as_ref().filter(|tensors| !tensors.is_empty()) {
        text.push('\n');
        table(&mut text, tensors, width);
    }
    if let Some(bounds) = &report.bounds {
        text.push('\n');
        text += &bounds.text();
    }
    text
}

fn architecture(report: &Report) -> Option<String> {
    let candidates = report.candidates.as_deref().unwrap_or_default().join(", ");
    match &report.architecture {
        Some(name) if *name == candidates || candidates.is_empty() => Some(name.clone()),
        Some(name) => Some(format!("{name} (candidates: {candidates})")),
        None if candidates.is_empty() => None,
        None => Some(format!("one of {candidates}")),
    }
}

/// `width`: of the terminal, where there is one.
fn table(text: &mut String, tensors: &[Tensor], width: Option<usize>) {
    const HEADS: [&str; 7] = ["tensor", "type", "shape", "min", "max", "offset", "bytes"];
    let rows: Vec<[String; 7]> = tensors
        .iter()
        .map(|tensor| {
            let shape: Vec<String> = tensor.shape.iter().map(usize::to_string).collect();
            let offset = tensor.offset.map_or_else(|| "-".to_owned(), |offset| offset.to_string());
            let shape = shown::shortened(&shape.join("×"), shown::NAME);
            [
                shown::name(&tensor.name),
                shown::name(&tensor.dtype),
                shape,
                number(&tensor.min),
                number(&tensor.max),
                offset,
                tensor.bytes.to_string(),
            ]
        })
        .collect();
    let mut widths = HEADS.map(shown::columns);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(shown::columns(cell));
        }
    }
    let taken: usize = widths.iter().map(|width| width + 2).sum();
    // What is left beside the other columns, as far as a terminal has room for it.
    let room = width.map_or(USUAL, |width| width.saturating_sub(taken + 3).clamp(8, BINS));
    let mut line = |cells: [&str; 7], bars: Option<String>| {
        let mut joined = String::new();
        for (index, (cell, width)) in cells.into_iter().zip(widths).enumerate() {
            // Names and types to the left, numbers to the right.
            let cell = if index < 3 { shown::left(cell, width) } else { shown::right(cell, width) };
            let _ = write!(joined, "  {cell}");
        }
        if let Some(bars) = bars {
            let _ = write!(joined, "  {bars}");
        }
        let _ = writeln!(text, "{}", joined.trim_end());
    };
    line(HEADS, None);
    for (row, tensor) in rows.iter().zip(tensors) {
        line(row.each_ref().map(String::as_str), tensor.histogram.map(|histogram| histogram.bars(room)));
    }
}

fn number(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Number(number) if number.is_f64() => format!("{:.6}", number.as_f64().unwrap_or_default()),
        other => other.to_string(),
    }
}
