//! What quantizing changed, tensor by tensor: the floats of a checkpoint beside the integers that were made of them.

use rayon::prelude::*;

use super::Subject;
use super::charts::Plot;
use crate::draw::{Anchor, Area, Ink, Scene};
use crate::error::Result;
use crate::net::{BlockWeights, Coalesced, LAYER_NAMES, Network, QuantizedNetwork, padded};

/// How far the integers of a tensor are from its floats. Distances are in steps: 1 is the distance of two integers.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorError {
    /// As `inspect` names it; the same layer of all stacks together.
    pub name: String,
    /// How many values.
    pub count: u64,
    /// What a step is worth.
    pub step: f64,
    /// Root of the mean square: 0.289 where nothing but rounding happened.
    pub rms: f64,
    /// The largest distance: at most 0.5 where nothing but rounding happened.
    pub max: f64,
    /// Values that are farther than rounding explains: they were clamped.
    pub clamped: u64,
}

/// Sum of squares, largest distance, values beyond a half, values.
#[derive(Clone, Copy, Default)]
struct Tally(f64, f64, u64, u64);

impl Tally {
    fn add(&mut self, integer: i32, float: f32, scale: f64) {
        let distance = (f64::from(integer) - f64::from(float) * scale).abs();
        // A product in f32 may be rounded to the other side of a half.
        let tolerance = 0.5 + f64::from(integer.unsigned_abs()) * 1e-6 + 1e-6;
        *self = Self(self.0 + distance * distance, self.1.max(distance), self.2 + u64::from(distance > tolerance), self.3 + 1);
    }

    fn join(self, other: Self) -> Self {
        Self(self.0 + other.0, self.1.max(other.1), self.2 + other.2, self.3 + other.3)
    }

    fn named(self, name: String, scale: f64) -> TensorError {
        let Self(squares, max, clamped, count) = self;
        TensorError { name, count, step: 1.0 / scale, rms: (squares / count.max(1) as f64).sqrt(), max, clamped }
    }
}

/// Compares a float network with the integers that were made of it.
///
/// # Errors
/// When the rows cannot be read.
pub fn rounding(float: &Network<Coalesced>, integer: &QuantizedNetwork) -> Result<Vec<TensorError>> {
    const ROWS: usize = 256;
    let (scales, l1) = (integer.architecture.quantization, integer.architecture.l1);
    let mut bias = Tally::default();
    integer.ft_bias.iter().zip(&float.ft_bias).for_each(|(integer, float)| bias.add(i32::from(*integer), *float, scales.ft));
    let mut errors = vec![bias.named("ft.bias".to_owned(), scales.ft)];
    for (float, block) in float.blocks.iter().zip(&integer.blocks) {
        let rows = block.block.rows();
        let parts: Vec<(Tally, Tally)> = (0..rows.div_ceil(ROWS))
            .into_par_iter()
            .map(|part| {
                let (mut weights, mut psqt, mut buffer) = (Tally::default(), Tally::default(), Vec::new());
                for row in part * ROWS..((part + 1) * ROWS).min(rows) {
                    let values = float.row(row, &mut buffer)?;
                    let (own, buckets) = values.split_at(l1.min(values.len()));
                    match &block.weights {
                        BlockWeights::I8(integers) => {
                            let integers = integers[row * l1..].iter();
                            integers.zip(own).for_each(|(integer, float)| weights.add(i32::from(*integer), *float, scales.ft));
                        }
                        BlockWeights::I16(integers) => {
                            let integers = integers[row * l1..].iter();
                            integers.zip(own).for_each(|(integer, float)| weights.add(i32::from(*integer), *float, scales.ft));
                        }
                    }
                    let integers = block.psqt.get(row * buckets.len()..).unwrap_or_default().iter();
                    integers.zip(buckets).for_each(|(integer, float)| psqt.add(*integer, *float, scales.psqt));
                }
                Ok((weights, psqt))
            })
            .collect::<Result<_>>()?;
        let (weights, psqt) = parts.into_iter().fold((Tally::default(), Tally::default()), |a, b| (a.0.join(b.0), a.1.join(b.1)));
        errors.push(weights.named(format!("{}.weight", block.block.name()), scales.ft));
        if psqt.3 > 0 {
            errors.push(psqt.named(format!("{}.psqt", block.block.name()), scales.psqt));
        }
    }
    for (layer, name) in LAYER_NAMES.into_iter().enumerate() {
        let (mut weights, mut bias, scale) = (Tally::default(), Tally::default(), scales.dense[layer]);
        let mut floats = float.layers[layer].weights.iter();
        let mut biases = float.layers[layer].bias.iter();
        for stack in &integer.stacks {
            let dense = &stack.layers[layer];
            for (row, integer) in dense.bias.iter().enumerate() {
                biases.next().into_iter().for_each(|float| bias.add(*integer, *float, scale.bias));
                let integers = &dense.weights[row * padded(dense.inputs)..][..dense.inputs];
                integers.iter().zip(floats.by_ref()).for_each(|(integer, float)| weights.add(i32::from(*integer), *float, scale.weight));
            }
        }
        errors.push(bias.named(format!("{name}.bias"), scale.bias));
        errors.push(weights.named(format!("{name}.weight"), scale.weight));
    }
    Ok(errors)
}

/// The distances of all tensors as bars.
pub fn rounding_picture(subject: &Subject<'_>, errors: &[TensorError]) -> Scene {
    let title = subject.title("quantization error, in steps of the integers");
    let mut scene = Scene::new("quantization-error", title.clone(), 1000.0, 90.0 + 34.0 * errors.len() as f32);
    scene.heading([0.0, 18.0], title);
    let most = errors.iter().map(|error| error.max).fold(0.5, f64::max) * 1.1;
    let area = Area::new(190.0, 36.0, 560.0, 34.0 * errors.len() as f32);
    let plot = Plot { area, x: [0.0, most], y: [0.0, 1.0] };
    for tick in super::charts::ticks(plot.x, 6) {
        let at = plot.at_x(tick);
        scene.line([at, area.y], [at, area.y + area.height], Ink::Line, 1.0);
        scene.label([at, area.y + area.height + 18.0], Anchor::Middle, Ink::Muted, crate::draw::scene::short(tick));
    }
    for (row, error) in errors.iter().enumerate() {
        let y = area.y + 34.0 * row as f32 + 5.0;
        let hover = format!("{}: root mean square {:.4}, largest {:.4} steps of {:e}", error.name, error.rms, error.max, error.step);
        scene.label([182.0, y + 16.0], Anchor::End, Ink::Text, error.name.clone());
        scene.bar(Area::new(area.x, y, plot.at_x(error.max) - area.x, 22.0), Ink::Line, hover.clone());
        let ink = if error.clamped > 0 { Ink::Limit } else { Ink::Series(0) };
        scene.bar(Area::new(area.x, y + 5.0, plot.at_x(error.rms) - area.x, 12.0), ink, hover);
        let clamped = if error.clamped > 0 { format!(", {} clamped", error.clamped) } else { String::new() };
        scene.label([762.0, y + 16.0], Anchor::Start, Ink::Muted, format!("{:.3}, max {:.3}{clamped}", error.rms, error.max));
    }
    let at = plot.at_x(0.5);
    scene.line([at, area.y], [at, area.y + area.height], Ink::Limit, 1.0);
    scene.label([at, area.y + area.height + 36.0], Anchor::Middle, Ink::Limit, "0.5: rounding alone");
    scene
}

#[cfg(test)]
mod tests;
