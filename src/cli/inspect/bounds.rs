//! `--bounds`: how large a network's sums can become in any legal position, beside how large they become in some.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cli::data::positions;
use crate::ctx::Ctx;
use crate::error::Result;
use crate::evaluate::{Range, bounds, largest_seen};
use crate::family::nnue::stages::pipeline::load_integers;
use crate::net::LAYER_NAMES;
use crate::positions::Filters;
use crate::stage::{Load, Quantize};

/// Sums of a network.
#[derive(Serialize)]
pub(super) struct BoundsReport {
    transformer: Transformer,
    layers: Vec<Layer>,
}

#[derive(Serialize)]
struct Transformer {
    fits_i16: bool,
    /// How many neurons may not.
    may_overflow: usize,
    /// Of the neuron whose sum can be the farthest from 0.
    neuron: usize,
    low: i64,
    high: i64,
    seen: Option<Seen>,
}

/// The neuron whose sum was the farthest from 0.
#[derive(Serialize)]
struct Seen {
    positions: usize,
    overflowed: usize,
    neuron: usize,
    low: i64,
    high: i64,
    /// The largest bound by the largest sum: how much of it these positions leave unused.
    ratio: Option<f64>,
}

#[derive(Serialize)]
struct Layer {
    layer: &'static str,
    fits_i32: bool,
    low: i64,
    high: i64,
    dead: usize,
}

/// Bounds of the network of `path`, and what its sums are in the positions of `data`.
pub(super) fn report(path: &Path, data: &[PathBuf], count: Option<u64>, ctx: &Ctx) -> Result<BoundsReport> {
    let network = load_integers(path, &Load::default(), Quantize::default(), ctx)?.network;
    let bounds = bounds(&network, ctx)?;
    let overflowing = |ranges: &[Range]| ranges.iter().filter(|range| !range.fits_i16()).count();
    let (neuron, worst) = bounds.worst().unwrap_or((0, Range { low: 0, high: 0 }));
    let seen = if data.is_empty() {
        None
    } else {
        let chosen = positions(data, count, 0, Filters::default(), ctx)?.positions;
        let seen = largest_seen(&network, &chosen, ctx)?;
        let largest = seen.iter().enumerate().rev().max_by_key(|(_, range)| range.size());
        largest.map(|(neuron, range)| Seen {
            positions: chosen.len(),
            overflowed: overflowing(&seen),
            neuron,
            low: range.low,
            high: range.high,
            ratio: (range.size() > 0).then(|| worst.size() as f64 / range.size() as f64),
        })
    };
    let may_overflow = overflowing(&bounds.neurons);
    let layers = LAYER_NAMES.into_iter().zip(bounds.layers).map(|(layer, range)| Layer {
        layer,
        fits_i32: range.sums.fits_i32(),
        low: range.sums.low,
        high: range.sums.high,
        dead: range.dead,
    });
    Ok(BoundsReport {
        transformer: Transformer { fits_i16: may_overflow == 0, may_overflow, neuron, low: worst.low, high: worst.high, seen },
        layers: layers.collect(),
    })
}

impl BoundsReport {
    /// For people.
    pub(super) fn text(&self) -> String {
        let Transformer { may_overflow, neuron, low, high, seen, .. } = &self.transformer;
        let mut text = String::from("bounds\n");
        let verdict = match may_overflow {
            0 => "cannot overflow i16".to_owned(),
            count => format!("may overflow i16 in {count} neurons"),
        };
        let _ = writeln!(text, "  ft      {verdict}: {low} to {high} at neuron {neuron}");
        if let Some(Seen { positions, overflowed, neuron, low, high, ratio }) = seen {
            let ratio = ratio.map_or(String::new(), |ratio| format!("; the bound is {ratio:.2} times that"));
            let _ = writeln!(text, "          seen in {positions} positions: {low} to {high} at neuron {neuron}{ratio}");
            if *overflowed > 0 {
                let _ = writeln!(text, "          {overflowed} neurons overflow in these positions");
            }
        }
        for Layer { layer, fits_i32, low, high, dead } in &self.layers {
            let verdict = if *fits_i32 { "cannot overflow i32" } else { "may overflow i32" };
            let dead = if *dead > 0 { format!(", {dead} outputs are always 0") } else { String::new() };
            let _ = writeln!(text, "  {layer:<8}{verdict}: {low} to {high}{dead}");
        }
        text
    }
}
