//! How differences of evaluations are told: for `eval --both` and `diff --data`, as JSON and for people.

use std::fmt::Write;

use serde::Serialize;

use super::data::Positions;
use crate::evaluate::Comparison;

/// Differences of evaluations, in the engine's internal units.
#[derive(Serialize)]
pub(super) struct ComparisonReport {
    count: usize,
    correlation: Option<f64>,
    mean: f64,
    mean_abs: f64,
    max_abs: f64,
    worst: Vec<Worst>,
    histogram: HistogramReport,
}

#[derive(Serialize)]
struct Worst {
    fen: String,
    a: f64,
    b: f64,
}

#[derive(Serialize)]
struct HistogramReport {
    low: f64,
    high: f64,
    counts: Vec<u64>,
}

impl ComparisonReport {
    /// Of a comparison over these positions.
    pub(super) fn new(comparison: &Comparison, chosen: &Positions) -> Self {
        let histogram = &comparison.histogram;
        Self {
            count: comparison.positions,
            correlation: comparison.correlation,
            mean: comparison.mean,
            mean_abs: comparison.mean_abs,
            max_abs: comparison.max_abs,
            worst: comparison.worst.iter().map(|worst| Worst { fen: chosen.fen(worst.index), a: worst.a, b: worst.b }).collect(),
            histogram: HistogramReport { low: histogram.low, high: histogram.high, counts: histogram.counts.clone() },
        }
    }

    /// For people; `a` and `b` name the two sides.
    pub(super) fn text(&self, a: &str, b: &str) -> String {
        let mut text = format!("  positions    {}\n", self.count);
        let correlation = self.correlation.map_or("none: one side does not vary".to_owned(), |value| format!("{value:.6}"));
        let _ = writeln!(text, "  correlation  {correlation}");
        let _ = writeln!(text, "  difference   mean {:+.3}, mean size {:.3}, largest {:.3}", self.mean, self.mean_abs, self.max_abs);
        if self.max_abs > 0.0 {
            text += "  histogram of the differences\n";
            let most = self.histogram.counts.iter().copied().max().unwrap_or(0).max(1);
            let width = (self.histogram.high - self.histogram.low) / self.histogram.counts.len().max(1) as f64;
            for (bin, count) in self.histogram.counts.iter().enumerate() {
                let low = self.histogram.low + width * bin as f64;
                let bar = "#".repeat(usize::try_from((40 * count).div_ceil(most)).unwrap_or(0));
                let _ = writeln!(text, "    {:>10.2} to {:>10.2} {count:>9}  {bar}", low, low + width);
            }
        }
        if !self.worst.is_empty() {
            text += "  largest differences\n";
        }
        for Worst { fen, a: value_a, b: value_b } in &self.worst {
            let _ = writeln!(text, "    {a} {value_a:.2}, {b} {value_b:.2}  {fen}");
        }
        text
    }
}
