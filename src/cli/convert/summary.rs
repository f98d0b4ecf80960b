//! What is said of a conversion, to people and to programs.

use serde_json::{Value, json};

use crate::cli::output::Written;
use crate::family::nnue::stages::pipeline::{Content, Product, counts};
use crate::files::typed;
use crate::format::content_name::net_name;
use crate::permutation::ZeroBlocks;

/// The document of `--json`.
pub(super) fn json(written: &Written, product: &Product, warnings: &[String]) -> Value {
    let zero = product.searched.as_ref().map(|searched| {
        let [before, after] = [searched.found.before, searched.found.after];
        json!({"positions": before.positions, "before": before.fraction(), "after": after.fraction()})
    });
    let output = json!({"path": typed(&written.path), "sha256": written.sha256, "bytes": written.bytes});
    json!({"schema": 1, "output": output, "zero_blocks": zero, "warnings": warnings})
}

/// The result line by line.
pub(super) fn text(written: &Written, product: &Product) -> String {
    let lines = file_lines(written, &product.content).into_iter().chain(network_lines(product));
    lines.map(|(key, value)| format!("{key:<12} {value}\n")).collect()
}

fn file_lines(written: &Written, content: &Content) -> Vec<(&'static str, String)> {
    let mut lines = vec![("wrote", written.path.display().to_string())];
    let kind = match content {
        Content::Nnue { compression, .. } => {
            lines.push(("name", net_name(&written.sha256)));
            format!("compression {}", compression.name())
        }
        Content::Floats { target, .. } => target.name().to_owned(),
    };
    lines.extend([("sha256", written.sha256.to_string()), ("bytes", format!("{}, {kind}", written.bytes))]);
    lines
}

fn network_lines(product: &Product) -> Vec<(&'static str, String)> {
    let Product { architecture, features, candidates, quantized, searched, .. } = product;
    let name = architecture.generation.name;
    let others: Vec<&str> = candidates.iter().copied().filter(|candidate| *candidate != name).collect();
    let also = if others.is_empty() { String::new() } else { format!(" (or {})", others.join(", ")) };
    let mut lines = vec![
        ("network", format!("{name}{also}, {features}")),
        ("sizes", format!("L1={} L2={} L3={}", architecture.l1, architecture.l2, architecture.l3)),
    ];
    if !quantized.clamped.is_empty() {
        lines.push(("clamped", format!("{}; {name} limits dense weights", counts(&quantized.clamped))));
    }
    if let Some(searched) = searched {
        let percent = |blocks: ZeroBlocks| 100.0 * blocks.fraction();
        let [before, after] = [searched.found.before, searched.found.after];
        let gain = format!("{:.2} % → {:.2} % ({} positions)", percent(before), percent(after), before.positions);
        lines.push(("zero blocks", gain));
    }
    lines
}
