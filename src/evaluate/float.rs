//! The float network's forward, as its trainer computes it: in f32, term by term, with the clips and factors that follow an engine.
//!
//! Results are in units of 1.0, of which the engine's internal units are 600.

use rayon::prelude::*;

use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::net::{Coalesced, FloatDense, Network};
use crate::positions::{Color, Position, active_features};

/// Internal units of an engine in 1.0.
pub const UNITS: f64 = 600.0;

/// What the float network makes of a position in one bucket.
#[derive(Debug, Clone, PartialEq)]
pub struct FloatTrace {
    /// The bucket.
    pub bucket: usize,
    /// Inputs of the first layer: those of the side to move, then those of the other.
    pub transformed: Vec<f32>,
    /// Sums of the first layer, before clipping.
    pub l1: Vec<f32>,
    /// Sums of the second layer, before clipping.
    pub l2: Vec<f32>,
    /// The piece-square part, for the side to move.
    pub psqt: f32,
    /// The part of the layers, for the side to move.
    pub positional: f32,
}

impl FloatTrace {
    /// The network's output, for the side to move.
    pub fn value(&self) -> f32 {
        self.positional + self.psqt
    }
}

/// The forward of each position in the bucket that the engine takes.
///
/// # Errors
/// When the rows cannot be read; on cancellation.
pub fn forward_all(network: &Network<Coalesced>, positions: &[Position], ctx: &Ctx) -> Result<Vec<FloatTrace>> {
    let each = |position: &Position| {
        ctx.check()?;
        forward(network, position, network.architecture.bucket(position.piece_count()))
    };
    positions.par_iter().map(each).collect()
}

/// The forward of one position in one bucket.
///
/// # Errors
/// When the rows cannot be read, or there is no such bucket.
pub fn forward(network: &Network<Coalesced>, position: &Position, bucket: usize) -> Result<FloatTrace> {
    let architecture = &network.architecture;
    let (wiring, scales) = (&architecture.generation.wiring, &architecture.quantization.float);
    if bucket >= architecture.generation.stacks {
        return Err(Error::new(format!("there is no bucket {bucket}")));
    }
    let mover = position.side_to_move();
    let mut transformed = Vec::with_capacity(2 * architecture.ft_outputs());
    let mut psqt = [0.0; 2];
    for (side, color) in [mover, mover.opponent()].into_iter().enumerate() {
        let sums = accumulate(network, position, color)?;
        let (sums, piece_squares) = sums.split_at(architecture.l1);
        psqt[side] = piece_squares.get(bucket).copied().unwrap_or(0.0);
        let clip = |sum: f32| sum.clamp(0.0, scales.ft_max);
        if wiring.pairwise {
            let (first, second) = sums.split_at(architecture.l1 / 2);
            transformed.extend(first.iter().zip(second).map(|(a, b)| clip(*a) * clip(*b) * scales.product));
        } else {
            transformed.extend(sums.iter().map(|sum| clip(*sum)));
        }
    }
    let activate = |sums: &[f32], squared: bool, out: &mut Vec<f32>| {
        if squared {
            out.extend(sums.iter().map(|sum| (sum * sum * scales.square).clamp(0.0, scales.hidden_max)));
        }
        out.extend(sums.iter().map(|sum| sum.clamp(0.0, scales.hidden_max)));
    };
    let shapes = architecture.dense_shapes();
    let [first, second, output] = &network.layers;
    let l1 = affine(first, bucket, shapes[0], &transformed)?;
    let mut hidden = Vec::new();
    activate(l1.get(..architecture.l2).unwrap_or_default(), wiring.squared, &mut hidden);
    let l2 = affine(second, bucket, shapes[1], &hidden)?;
    let mut last = if wiring.dense_output { hidden } else { Vec::new() };
    activate(&l2, wiring.dense_output, &mut last);
    let output = affine(output, bucket, shapes[2], &last)?.first().copied().unwrap_or(0.0);
    let row = |from_end: usize| l1.len().checked_sub(from_end).map_or(0.0, |row| l1[row]);
    let positional = wiring.skips.iter().fold(output, |sum, skip| sum + skip.sign as f32 * row(skip.from_end));
    Ok(FloatTrace { bucket, transformed, l1, l2, psqt: (psqt[0] - psqt[1]) * 0.5, positional })
}

/// The sums of the transformer, then those of the piece squares, as one side sees the position.
fn accumulate(network: &Network<Coalesced>, position: &Position, color: Color) -> Result<Vec<f32>> {
    let columns = network.architecture.l1 + network.architecture.generation.psqt_buckets;
    let mut sums = network.ft_bias.clone();
    // Biases of the piece squares are the same on both sides, so nothing is left of them.
    sums.resize(columns, 0.0);
    let (mut rows, mut buffer) = (Vec::new(), Vec::new());
    for block in &network.blocks {
        rows.clear();
        active_features(block.block, position, color, &mut rows);
        for row in &rows {
            sums.iter_mut().zip(block.row(*row as usize, &mut buffer)?).for_each(|(sum, weight)| *sum += weight);
        }
    }
    Ok(sums)
}

/// Sums of one stack of a layer.
fn affine(layer: &FloatDense, stack: usize, (outputs, inputs): (usize, usize), values: &[f32]) -> Result<Vec<f32>> {
    let (first, last) = (stack * outputs, (stack + 1) * outputs);
    match (layer.bias.get(first..last), layer.weights.get(first * inputs..last * inputs)) {
        (Some(bias), Some(weights)) if values.len() == inputs && inputs > 0 => Ok(bias
            .iter()
            .zip(weights.chunks_exact(inputs))
            .map(|(bias, row)| row.iter().zip(values).map(|(weight, value)| weight * value).sum::<f32>() + bias)
            .collect()),
        _ => Err(Error::new("the dense layers are not of the sizes of their architecture")),
    }
}
