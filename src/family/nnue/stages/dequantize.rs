//! `dequantize`: the integers of a file → float weights in the names and shapes of a trainer, so that they can be trained further.
//!
//! Every integer is divided by its scale in f32, as the trainer reads a file. Quantizing the result gives the same integers again: that is
//! checked for each value, and a network that has an integer for which it would not hold is refused. Factors and virtual features are
//! zero. What the float form has no place for is lost: padding of dense rows, where some released nets hide a nonce.
//!
//! Transformer weights stay integers and are converted when they are read.

use std::marker::PhantomData;
use std::sync::Arc;

use super::quantize::{Overflow, Rule, Rules, Target};
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::format::nnue::NONCE_ROWS;
use crate::net::{
    Block, BlockWeights, FT127, Factorized, FloatBlock, FloatDense, JoinedRows, LAYER_NAMES, Layout, Names, Network, Piece,
    QuantizedNetwork, RowRecipe, Tensor, bucket_square, padded,
};

/// The float network whose quantization is `network`, with all factors zero.
///
/// # Errors
/// When an integer of the network has no float that quantizing turns into it again; the message names the tensor, the place, the value
/// and how many there are.
pub fn dequantize(network: &Arc<QuantizedNetwork>, ctx: &Ctx) -> Result<Network<Factorized>> {
    let architecture = &network.architecture;
    let rules = Rules::new(architecture.quantization, Overflow::Error);
    let buckets = architecture.generation.psqt_buckets;
    let columns = architecture.l1 + buckets;
    let ft_bias = widen_all(&network.ft_bias, &rules.ft, &Place { tensor: "ft.bias", stack: None, columns: 1 })?;
    let mut widened: Vec<Arc<dyn Tensor>> = Vec::new();
    for (index, block) in network.blocks.iter().enumerate() {
        ctx.check()?;
        let name = |part: &str| format!("ft.{}.{part}", block.block.name());
        let (weight_name, psqt_name) = (name("weight"), name("psqt"));
        let weights = Place { tensor: &weight_name, stack: None, columns: architecture.l1 };
        let floats = match &block.weights {
            BlockWeights::I8(values) => Floats::of(values, i8::MIN..=i8::MAX, &rules.ft, &weights)?,
            BlockWeights::I16(values) => Floats::of(values, i16::MIN..=i16::MAX, &rules.ft, &weights)?,
        };
        let psqt = widen_all(&block.psqt, &rules.psqt, &Place { tensor: &psqt_name, stack: None, columns: buckets.max(1) })?;
        widened.push(Arc::new(WidenedBlock { network: network.clone(), index, floats, psqt, shape: [block.block.rows(), columns] }));
    }
    let layout = layout(network);
    let blocks = network.blocks.iter().map(|block| block.block).zip(widened);
    let blocks = if layout.names == Names::Composed {
        let recipe = |block: Block, tensor: Arc<dyn Tensor>| match block {
            Block::HalfKaV2Hm => RowRecipe::TwelvePlanes {
                tensor: Arc::new(TwelvePlanes { merged: tensor, shape: [32 * TWELVE_PLANES, columns] }),
                first: 0,
                virtual_rows: Some(Arc::new(JoinedRows::zeros(TWELVE_PLANES, columns))),
            },
            _ => RowRecipe::Plain { tensor, first: 0 },
        };
        blocks.map(|(block, tensor)| FloatBlock { block, recipe: recipe(block, tensor), columns }).collect()
    } else {
        let blocks: Vec<(Block, Arc<dyn Tensor>)> = blocks.collect();
        let pieces = blocks.iter().map(|(block, tensor)| Piece { source: Some((tensor.clone(), 0)), rows: block.rows() }).collect();
        let joined: Arc<dyn Tensor> = Arc::new(JoinedRows::new(columns, pieces));
        let mut first = 0;
        let mut float_blocks = Vec::with_capacity(blocks.len());
        for (block, _) in blocks {
            float_blocks.push(FloatBlock { block, recipe: RowRecipe::Plain { tensor: joined.clone(), first }, columns });
            first += block.rows();
        }
        float_blocks
    };
    let layers = dequantize_layers(network, &rules, ctx)?;
    let [(outputs, inputs), ..] = architecture.dense_shapes();
    let l1_factor = (layout.names != Names::Flat).then(|| {
        // The factor has had a bias since the second layer has seen squares.
        let biases = if architecture.generation.wiring.squared { outputs } else { 0 };
        FloatDense { weights: vec![0.0; outputs * inputs], bias: vec![0.0; biases] }
    });
    Ok(Network {
        architecture: architecture.clone(),
        description: network.description.clone(),
        ft_bias,
        blocks,
        layers,
        l1_factor,
        psqt_bias: vec![0.0; buckets],
        layout,
        state: PhantomData,
    })
}

/// The names that the trainer of the network's time used.
fn layout(network: &QuantizedNetwork) -> Layout {
    let architecture = &network.architecture;
    let names = if architecture.generation.composed {
        Names::Composed
    } else if *architecture.quantization != FT127 {
        Names::Linear
    } else if architecture.generation.psqt_buckets > 0 {
        Names::Stacked
    } else {
        Names::Flat
    };
    Layout { names, prefixed: matches!(names, Names::Linear | Names::Composed) }
}

fn dequantize_layers(network: &QuantizedNetwork, rules: &Rules, ctx: &Ctx) -> Result<[FloatDense; 3]> {
    let mut layers = [const { FloatDense { weights: Vec::new(), bias: Vec::new() } }; 3];
    let (mut hidden, mut hidden_rows) = (0, 0);
    for (stack, dense) in network.stacks.iter().enumerate() {
        let parts = dense.layers.iter().zip(&rules.dense).zip(&mut layers).zip(LAYER_NAMES);
        for (((dense, (weight_rule, bias_rule)), floats), layer) in parts {
            let (weight_name, bias_name) = (format!("{layer}.weight"), format!("{layer}.bias"));
            let place = Place { tensor: &bias_name, stack: Some(stack), columns: 1 };
            floats.bias.extend(widen_all(&dense.bias, bias_rule, &place)?);
            let mut weights = Vec::with_capacity(dense.bias.len() * dense.inputs);
            for row in dense.weights.chunks_exact(padded(dense.inputs).max(1)) {
                let (used, padding) = row.split_at(dense.inputs);
                weights.extend_from_slice(used);
                let found = padding.iter().filter(|byte| **byte != 0).count();
                hidden += found;
                hidden_rows += usize::from(found > 0);
            }
            let place = Place { tensor: &weight_name, stack: Some(stack), columns: dense.inputs };
            floats.weights.extend(widen_all(&weights, weight_rule, &place)?);
        }
    }
    if hidden > 0 {
        // More than this is no nonce, and nothing that is known.
        let nonce = if hidden_rows <= NONCE_ROWS { " (some nets hide a nonce there)" } else { "" };
        ctx.warn(format!(
            "{hidden} bytes of padding in the dense layers are not zero{nonce}; float weights have no place for them, so a `.nnue` that \
             is made from these has other padding"
        ));
    }
    Ok(layers)
}

/// Where a value stands, for the error.
struct Place<'a> {
    tensor: &'a str,
    stack: Option<usize>,
    columns: usize,
}

impl Place<'_> {
    fn refuse<T: Target>(&self, values: &[T], is_lost: impl Fn(T) -> bool) -> Error {
        let name = match self.stack {
            Some(stack) => format!("{} of layer stack {stack}", self.tensor),
            None => self.tensor.to_owned(),
        };
        let mut lost = values.iter().enumerate().filter(|(_, value)| is_lost(**value));
        let first = lost.next();
        let count = lost.count() + usize::from(first.is_some());
        let noun = if count == 1 { "value" } else { "values" };
        let error = Error::new(format!("{count} {noun} of `{name}` cannot be made floats from which the same integers come back"));
        let error = match first {
            Some((index, value)) => {
                let (row, column) = (index / self.columns, index % self.columns);
                error.because(format!(
                    "the first, at row {row}, column {column}, is {}: no 32-bit float is quantized to it by this generation's rules",
                    value.shown()
                ))
            }
            None => error,
        };
        error.help("keep this network as a `.nnue` file; no checkpoint of the trainer gives these values")
    }
}

/// Floats of a small tensor.
fn widen_all<T: Target>(values: &[T], rule: &Rule, place: &Place<'_>) -> Result<Vec<f32>> {
    let floats: Option<Vec<f32>> = values.iter().map(|value| rule.widen(*value)).collect();
    floats.ok_or_else(|| place.refuse(values, |value| rule.widen(value).is_none()))
}

/// The float of each possible weight.
struct Floats {
    /// Indexed by the weight minus the smallest one of its type.
    table: Vec<f32>,
}

impl Floats {
    /// The floats of all values in `range`; those of `weights` must all exist.
    fn of<T: Target>(weights: &[T], range: impl Iterator<Item = T>, rule: &Rule, place: &Place<'_>) -> Result<Self> {
        let (mut table, mut lost) = (Vec::new(), Vec::new());
        for value in range {
            let float = rule.widen(value);
            if float.is_none() {
                lost.push(value);
            }
            // What is lost is looked for below, and not in the network afterwards.
            table.push(float.unwrap_or(0.0));
        }
        if !lost.is_empty() && weights.iter().any(|weight| lost.contains(weight)) {
            return Err(place.refuse(weights, |weight| lost.contains(&weight)));
        }
        Ok(Self { table })
    }

    fn float(&self, index: usize) -> f32 {
        self.table.get(index).copied().unwrap_or_default()
    }
}

/// A block of an integer network, read as floats: weights and PSQT weights of a feature in one row.
struct WidenedBlock {
    network: Arc<QuantizedNetwork>,
    index: usize,
    floats: Floats,
    psqt: Vec<f32>,
    shape: [usize; 2],
}

impl Tensor for WidenedBlock {
    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn read(&self, start: usize, out: &mut [f32]) -> Result<()> {
        let outside = || Error::new("a read past the end of a tensor");
        let [rows, columns] = self.shape;
        let l1 = self.network.architecture.l1;
        let block = self.network.blocks.get(self.index).ok_or_else(outside)?;
        start.checked_add(out.len()).filter(|end| *end <= rows * columns).ok_or_else(outside)?;
        each_row(start, columns, out, &mut |row, first, out| {
            let weights = out.len().min(l1.saturating_sub(first));
            let (to_weights, to_psqt) = out.split_at_mut(weights);
            let place = row * l1 + first..row * l1 + first + weights;
            match &block.weights {
                BlockWeights::I8(values) => fill(to_weights, values.get(place), |weight| self.floats.float(i8_index(weight))),
                BlockWeights::I16(values) => fill(to_weights, values.get(place), |weight| self.floats.float(i16_index(weight))),
            }
            let buckets = columns - l1;
            let bucket = (first + weights).saturating_sub(l1);
            let place = row * buckets + bucket..row * buckets + bucket + to_psqt.len();
            fill(to_psqt, self.psqt.get(place), |value| value);
        });
        Ok(())
    }
}

fn i8_index(weight: i8) -> usize {
    usize::from((weight as u8) ^ 0x80)
}

fn i16_index(weight: i16) -> usize {
    usize::from((weight as u16) ^ 0x8000)
}

fn fill<T: Copy>(out: &mut [f32], values: Option<&[T]>, float: impl Fn(T) -> f32) {
    for (to, value) in out.iter_mut().zip(values.unwrap_or_default()) {
        *to = float(*value);
    }
}

/// Calls `f(row, first column, part)` for the parts of `out` that are of one row each, when `out` begins at the flat index `start`.
fn each_row(start: usize, columns: usize, out: &mut [f32], f: &mut dyn FnMut(usize, usize, &mut [f32])) {
    let (mut at, mut rest) = (start, out);
    while !rest.is_empty() && columns > 0 {
        let (row, first) = (at / columns, at % columns);
        let (here, later) = rest.split_at_mut((columns - first).min(rest.len()));
        f(row, first, here);
        at += here.len();
        rest = later;
    }
}

const TWELVE_PLANES: usize = 12 * 64;
const MERGED_PLANES: usize = 11 * 64;

/// `HalfKAv2_hm` as it has been trained since February 2026, with a plane for each king, made of a file's eleven planes: the own king's
/// plane has the one square where it can stand in this bucket, the opponent's all others.
struct TwelvePlanes {
    merged: Arc<dyn Tensor>,
    shape: [usize; 2],
}

impl Tensor for TwelvePlanes {
    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn read(&self, start: usize, out: &mut [f32]) -> Result<()> {
        let mut result = Ok(());
        each_row(start, self.shape[1], out, &mut |row, first, out| {
            let (bucket, piece) = (row / TWELVE_PLANES, row % TWELVE_PLANES);
            let is_king_square = piece % 64 == bucket_square(bucket.min(31));
            let merged = match piece / 64 {
                10 if is_king_square => Some(piece),
                11 if !is_king_square => Some(piece - 64),
                10 | 11 => None,
                _ => Some(piece),
            };
            match merged {
                Some(merged) if result.is_ok() => {
                    result = self.merged.read((bucket * MERGED_PLANES + merged) * self.shape[1] + first, out);
                }
                _ => out.fill(0.0),
            }
        });
        result
    }
}

#[cfg(test)]
mod tests;
