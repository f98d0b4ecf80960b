//! What quantizing changed: the integers beside the floats they were made from, over positions and layer by layer.

use rayon::prelude::*;

use super::compare::{Comparison, compare};
use super::float::{FloatTrace, UNITS, forward};
use super::reference::{Trace, trace};
use crate::ctx::Ctx;
use crate::error::Result;
use crate::net::{Coalesced, LAYER_NAMES, Network, OUTPUT_DIVISOR, QuantizedNetwork};
use crate::positions::Position;

/// The quantization error over positions, in the bucket that the engine takes.
#[derive(Debug, Clone, PartialEq)]
pub struct QuantizationError {
    /// Floats (A) and integers (B), both in the engine's internal units, fractions kept.
    pub values: Comparison,
    /// Transformer, first layer, second layer, piece squares, positional: what the integers stand for against the floats.
    pub layers: Vec<LayerError>,
}

/// How the values of a layer differ, in units of 1.0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayerError {
    /// `ft`, `l1`, `l2`, `psqt` or `output`.
    pub layer: &'static str,
    /// Mean distance.
    pub mean: f64,
    /// Largest distance.
    pub max: f64,
}

/// Sum, number and largest of the distances of each layer.
type Tallies = [(f64, u64, f64); 5];

/// Compares a float network with the integers that were made of it.
///
/// # Errors
/// When the rows cannot be read; on cancellation.
pub fn quantization_error(
    float: &Network<Coalesced>,
    integer: &QuantizedNetwork,
    positions: &[Position],
    ctx: &Ctx,
) -> Result<QuantizationError> {
    let each = |position: &Position| {
        ctx.check()?;
        let integers = trace(integer, position);
        let floats = forward(float, position, integers.bucket)?;
        Ok((f64::from(floats.value()) * UNITS, value(&integers), distances(integer, &integers, &floats)))
    };
    let all: Vec<(f64, f64, Tallies)> = positions.par_iter().map(each).collect::<Result<_>>()?;
    let mut sums = Tallies::default();
    for (_, _, tallies) in &all {
        for (sum, tally) in sums.iter_mut().zip(tallies) {
            *sum = (sum.0 + tally.0, sum.1 + tally.1, sum.2.max(tally.2));
        }
    }
    let names = ["ft", LAYER_NAMES[0], LAYER_NAMES[1], "psqt", LAYER_NAMES[2]];
    let layers = names.into_iter().zip(sums).map(|(layer, (sum, count, max))| LayerError { layer, mean: sum / count.max(1) as f64, max });
    let (a, b): (Vec<f64>, Vec<f64>) = all.iter().map(|(float, integer, _)| (*float, *integer)).unzip();
    Ok(QuantizationError { values: compare(&a, &b), layers: layers.collect() })
}

/// In internal units, without the engine's truncation.
fn value(integers: &Trace) -> f64 {
    let raw = integers.buckets[integers.bucket].raw;
    (f64::from(raw.psqt) + f64::from(raw.positional)) / f64::from(OUTPUT_DIVISOR)
}

fn distances(network: &QuantizedNetwork, integers: &Trace, floats: &FloatTrace) -> Tallies {
    let scales = network.architecture.quantization;
    let [first, second, _] = scales.dense;
    let bucket = &integers.buckets[integers.bucket];
    fn tally(integers: impl Iterator<Item = f64>, scale: f64, floats: &[f32]) -> (f64, u64, f64) {
        integers.zip(floats).fold((0.0, 0, 0.0), |(sum, count, max): (f64, u64, f64), (integer, float)| {
            let distance = (integer / scale - f64::from(*float)).abs();
            (sum + distance, count + 1, max.max(distance))
        })
    }
    let wide = |values: &[i32]| values.iter().map(|value| f64::from(*value)).collect::<Vec<_>>().into_iter();
    [
        // The first layer's biases are its inputs times its weights.
        tally(integers.transformed.iter().map(|value| f64::from(*value)), first.bias / first.weight, &floats.transformed),
        tally(wide(&bucket.l1), first.bias, &floats.l1),
        tally(wide(&bucket.l2), second.bias, &floats.l2),
        tally(wide(&[bucket.raw.psqt]), scales.psqt, &[floats.psqt]),
        tally(wide(&[bucket.raw.positional]), scales.psqt, &[floats.positional]),
    ]
}
