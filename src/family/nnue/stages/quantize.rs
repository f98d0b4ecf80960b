//! `quantize`: float weights → the integers that an engine holds, in the arithmetic of the generation's trainer.
//!
//! Every value is multiplied by its scale in f32, rounded half to even and narrowed. Dense weights are clamped first in the generations
//! that did so. What does not fit is an error by default: an overflow is a damaged net. What is not finite has no nearest
//! integer and no low bits that mean anything: it is an error unless `trainer` asks for whatever the old trainers wrote.

use rayon::prelude::*;

use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::net::{
    BlockWeights, Coalesced, Dense, FloatBlock, FtBlock, LAYER_NAMES, LayerStack, Network, OverflowBehaviour, Quantization,
    QuantizedNetwork, padded,
};
use crate::stage::Quantized;
pub use crate::words::Overflow;

/// An integer type that weights are narrowed to.
pub(super) trait Target: Copy + Default + PartialEq + Send + Sync {
    const NAME: &'static str;
    const MIN: f64;
    const MAX: f64;
    fn from_i64(value: i64) -> Self;
    /// The nearest float, as the trainer converts.
    fn to_f32(self) -> f32;
    /// For messages.
    fn shown(self) -> i64;
    /// As x86-64 converts in the trainer's code: through a 32-bit integer that is the smallest one where the value does not fit.
    fn wrapped(rounded: f32) -> Self;
}

fn to_i32(rounded: f32) -> i32 {
    // 2^31 itself does not fit; every smaller f32 does.
    if (-2_147_483_648.0..2_147_483_648.0).contains(&rounded) { rounded as i32 } else { i32::MIN }
}

macro_rules! targets {
    ($($type:ident),*) => {$(
        impl Target for $type {
            const NAME: &'static str = stringify!($type);
            const MIN: f64 = $type::MIN as f64;
            const MAX: f64 = $type::MAX as f64;
            fn from_i64(value: i64) -> Self {
                value as Self
            }
            fn to_f32(self) -> f32 {
                self as f32
            }
            fn shown(self) -> i64 {
                self.into()
            }
            fn wrapped(rounded: f32) -> Self {
                to_i32(rounded) as Self
            }
        }
    )*};
}
targets!(i8, i16, i32);

/// The types whose values are the low bits of the float that [`Rule::narrow_row`] makes.
trait FromLowBits {
    fn from_low_bits(bits: u32) -> Self;
}

impl FromLowBits for i8 {
    fn from_low_bits(bits: u32) -> Self {
        bits as Self
    }
}

impl FromLowBits for i16 {
    fn from_low_bits(bits: u32) -> Self {
        bits as Self
    }
}

/// How one tensor is narrowed.
#[derive(Clone, Copy)]
pub(super) struct Rule {
    pub(super) scale: f32,
    clamp: Option<f32>,
    overflow: Overflow,
    behaviour: OverflowBehaviour,
}

/// Counts of one piece, and its first values that did not fit, and that are refused whatever is asked for.
#[derive(Clone, Copy, Default)]
struct Tally {
    clamped: usize,
    overflowed: usize,
    first: Option<(usize, f32)>,
    not_finite: usize,
    first_not_finite: Option<(usize, f32)>,
}

impl Tally {
    fn merge(self, other: Self) -> Self {
        let earlier = |a: Option<(usize, f32)>, b: Option<(usize, f32)>| match (a, b) {
            (Some(a), Some(b)) => Some(if a.0 <= b.0 { a } else { b }),
            (a, b) => a.or(b),
        };
        Self {
            clamped: self.clamped + other.clamped,
            overflowed: self.overflowed + other.overflowed,
            first: earlier(self.first, other.first),
            not_finite: self.not_finite + other.not_finite,
            first_not_finite: earlier(self.first_not_finite, other.first_not_finite),
        }
    }
}

impl Rule {
    fn limits<T: Target>(&self) -> (f64, f64) {
        match self.behaviour {
            OverflowBehaviour::Wrapped => (T::MIN, T::MAX),
            OverflowBehaviour::RefusedSymmetric => (-T::MAX, T::MAX),
        }
    }

    /// A float that this rule narrows to `value`: `value` divided by the scale in f32, as the trainer reads a file, or a neighbour of that
    /// where the trainer's would come back as another integer. `None` where no float does, or where it would count as an overflow.
    pub(super) fn widen<T: Target>(&self, value: T) -> Option<f32> {
        let nearest = value.to_f32() / self.scale;
        let neighbours = [nearest, nearest.next_up(), nearest.next_down(), nearest.next_up().next_up(), nearest.next_down().next_down()];
        neighbours.into_iter().find(|&float| {
            let mut tally = Tally::default();
            self.narrow::<T>(float, 0, &mut tally) == value && tally.overflowed == 0
        })
    }

    /// Narrows a row; `start` is the place of its first value in the tensor.
    ///
    /// Adding a number of which the last bit is worth 1 rounds half to even, and leaves the integer in the low bits of the sum. So the
    /// usual row needs one addition and one comparison a value, and only a row with a value out of range goes the long way.
    fn narrow_row<T: Target + FromLowBits>(&self, row: &[f32], out: &mut [T], start: usize, tally: &mut Tally) {
        const ROUNDER: f32 = 12_582_912.0;
        let (low, high) = self.limits::<T>();
        let (low, high) = (low as f32, high as f32);
        let mut fits = self.clamp.is_none();
        for (to, from) in out.iter_mut().zip(row) {
            let sum = from * self.scale + ROUNDER;
            let rounded = sum - ROUNDER;
            fits &= rounded >= low && rounded <= high;
            *to = T::from_low_bits(sum.to_bits());
        }
        if !fits {
            for (index, (to, from)) in out.iter_mut().zip(row).enumerate() {
                *to = self.narrow(*from, start + index, tally);
            }
        }
    }

    /// Narrows one value; `index` is its place in the tensor, for the report.
    fn narrow<T: Target>(&self, value: f32, index: usize, tally: &mut Tally) -> T {
        if !value.is_finite() && self.overflow != Overflow::Trainer {
            tally.not_finite += 1;
            tally.first_not_finite.get_or_insert((index, value));
            // The value is never used: the tally becomes an error.
            return T::default();
        }
        let mut value = value;
        if let Some(limit) = self.clamp
            && value.abs() > limit
        {
            tally.clamped += 1;
            value = value.clamp(-limit, limit);
        }
        let rounded = (value * self.scale).round_ties_even();
        let (low, high) = self.limits::<T>();
        let wide = f64::from(rounded);
        if wide >= low && wide <= high {
            return T::from_i64(wide as i64);
        }
        tally.overflowed += 1;
        tally.first.get_or_insert((index, value));
        match self.overflow {
            // The value is never used: the tally becomes an error.
            Overflow::Error => T::default(),
            Overflow::Wrap | Overflow::Trainer => T::wrapped(rounded),
            Overflow::Clamp => T::from_i64(wide.clamp(low, high) as i64),
        }
    }
}

/// Where a value stands, for the error.
struct Place<'a> {
    tensor: &'a str,
    stack: Option<usize>,
    columns: usize,
}

impl Place<'_> {
    /// Turns a tally into the report's lines, or into the error.
    fn settle<T: Target>(&self, tally: Tally, rule: &Rule, report: &mut Quantized) -> Result<()> {
        let name = match self.stack {
            Some(stack) => format!("{} of layer stack {stack}", self.tensor),
            None => self.tensor.to_owned(),
        };
        if let Some((index, value)) = tally.first_not_finite {
            let (row, column) = (index / self.columns, index % self.columns);
            let (noun, verb) = if tally.not_finite == 1 { ("value", "is") } else { ("values", "are") };
            return Err(Error::new(format!("{} {noun} of `{name}` {verb} not finite", tally.not_finite))
                .because(format!("the first, at row {row}, column {column}, is {value}"))
                .help("the training diverged: take an earlier checkpoint"));
        }
        if tally.clamped > 0 {
            report.clamped.push((name.clone(), tally.clamped));
        }
        let Some((index, value)) = tally.first else { return Ok(()) };
        if rule.overflow != Overflow::Error {
            report.overflowed.push((name, tally.overflowed));
            return Ok(());
        }
        let (low, high) = rule.limits::<T>();
        let (row, column) = (index / self.columns, index % self.columns);
        let scaled = (value * rule.scale).round_ties_even();
        let (noun, verb) = if tally.overflowed == 1 { ("value", "does") } else { ("values", "do") };
        Err(Error::new(format!("{} {noun} of `{name}` {verb} not fit {}", tally.overflowed, T::NAME))
            .because(format!(
                "the first, at row {row}, column {column}, is {value}: × {} gives {scaled}, outside {low}..={high}",
                rule.scale
            ))
            .help("train with weights clipped to the range, or set `overflow = \"clamp\"` (or \"wrap\", what old trainers did)")
            .about("overflow"))
    }
}

/// The rules of a generation's tensors.
pub(super) struct Rules {
    /// Weights and biases of the transformer.
    pub(super) ft: Rule,
    /// PSQT weights.
    pub(super) psqt: Rule,
    /// Weights and biases of each dense layer.
    pub(super) dense: [(Rule, Rule); 3],
}

impl Rules {
    pub(super) fn new(scales: &Quantization, overflow: Overflow) -> Self {
        let rule = |scale: f64, clamp: Option<f64>| Rule {
            scale: scale as f32,
            clamp: clamp.map(|limit| limit as f32),
            overflow,
            behaviour: scales.overflow,
        };
        Self {
            ft: rule(scales.ft, None),
            psqt: rule(scales.psqt, None),
            dense: scales.dense.map(|scale| (rule(scale.weight, scale.clamp), rule(scale.bias, None))),
        }
    }
}

/// Quantizes a coalesced network.
///
/// # Errors
/// When a value does not fit and `overflow` is [`Overflow::Error`], when the rows cannot be read, or on cancellation.
pub fn quantize(network: &Network<Coalesced>, overflow: Overflow, ctx: &Ctx) -> Result<(QuantizedNetwork, Quantized)> {
    let architecture = &network.architecture;
    let rules = Rules::new(architecture.quantization, overflow);
    let mut report = Quantized::default();
    let bias_place = Place { tensor: "ft.bias", stack: None, columns: architecture.l1 };
    let ft_bias = narrow_all(&network.ft_bias, &rules.ft, &bias_place, &mut report)?;
    let mut blocks = Vec::with_capacity(network.blocks.len());
    for block in &network.blocks {
        let narrow = architecture.is_narrow(block.block);
        blocks.push(quantize_block(block, architecture.l1, narrow, &rules, &mut report, ctx)?);
    }
    let shapes = architecture.dense_shapes();
    let mut stacks = Vec::with_capacity(architecture.generation.stacks);
    for stack in 0..architecture.generation.stacks {
        let mut layers = Vec::with_capacity(3);
        for (index, (outputs, inputs)) in shapes.into_iter().enumerate() {
            let (source, (weight_rule, bias_rule)) = (&network.layers[index], &rules.dense[index]);
            let bias = &source.bias[stack * outputs..(stack + 1) * outputs];
            let weights = &source.weights[stack * outputs * inputs..(stack + 1) * outputs * inputs];
            let name = |part: &str| format!("{}.{part}", LAYER_NAMES[index]);
            let bias_name = name("bias");
            let place = Place { tensor: &bias_name, stack: Some(stack), columns: 1 };
            let bias = narrow_all(bias, bias_rule, &place, &mut report)?;
            let weight_name = name("weight");
            let place = Place { tensor: &weight_name, stack: Some(stack), columns: inputs };
            let rows: Vec<i8> = narrow_all(weights, weight_rule, &place, &mut report)?;
            let mut stored = vec![0i8; outputs * padded(inputs)];
            for (to, from) in stored.chunks_exact_mut(padded(inputs)).zip(rows.chunks_exact(inputs)) {
                to[..inputs].copy_from_slice(from);
            }
            layers.push(Dense { inputs, bias, weights: stored });
        }
        let layers = layers.try_into().map_err(|_| Error::new("a stack has three layers"))?;
        stacks.push(LayerStack { layers });
    }
    let network =
        QuantizedNetwork { architecture: architecture.clone(), description: network.description.clone(), ft_bias, blocks, stacks };
    Ok((network, report))
}

fn narrow_all<T: Target>(values: &[f32], rule: &Rule, place: &Place<'_>, report: &mut Quantized) -> Result<Vec<T>> {
    let mut tally = Tally::default();
    let narrowed = values.iter().enumerate().map(|(index, value)| rule.narrow(*value, index, &mut tally)).collect();
    place.settle::<T>(tally, rule, report)?;
    Ok(narrowed)
}

/// Rows of a block that one task reads, coalesces and narrows: few enough to stay in the cache.
const ROWS_A_TASK: usize = 64;

fn quantize_block(block: &FloatBlock, l1: usize, narrow: bool, rules: &Rules, report: &mut Quantized, ctx: &Ctx) -> Result<FtBlock> {
    if narrow {
        let (weights, psqt) = quantize_rows::<i8>(block, l1, rules, report, ctx)?;
        Ok(FtBlock { block: block.block, weights: BlockWeights::I8(weights), psqt })
    } else {
        let (weights, psqt) = quantize_rows::<i16>(block, l1, rules, report, ctx)?;
        Ok(FtBlock { block: block.block, weights: BlockWeights::I16(weights), psqt })
    }
}

fn quantize_rows<T: Target + FromLowBits>(
    block: &FloatBlock,
    l1: usize,
    rules: &Rules,
    report: &mut Quantized,
    ctx: &Ctx,
) -> Result<(Vec<T>, Vec<i32>)> {
    let rows = block.block.rows();
    let buckets = block.columns - l1;
    let mut weights = vec![T::default(); rows * l1];
    // Chunks of length 0 are not allowed, so an architecture without PSQT gets a dummy value a row that is dropped again.
    let psqt_columns = buckets.max(1);
    let mut psqt = vec![0i32; rows * psqt_columns];
    let (weight_tally, psqt_tally) = weights
        .par_chunks_mut(ROWS_A_TASK * l1)
        .zip(psqt.par_chunks_mut(ROWS_A_TASK * psqt_columns))
        .enumerate()
        .map_init(Vec::new, |buffer: &mut Vec<f32>, (task, (weights, psqt))| {
            ctx.check()?;
            let first = task * ROWS_A_TASK;
            let mut tallies = (Tally::default(), Tally::default());
            for (index, (weights, psqt)) in weights.chunks_exact_mut(l1).zip(psqt.chunks_exact_mut(psqt_columns)).enumerate() {
                let row = first + index;
                let (row_weights, row_psqt) = block.row(row, buffer)?.split_at(l1);
                rules.ft.narrow_row(row_weights, weights, row * l1, &mut tallies.0);
                for (bucket, (to, from)) in psqt.iter_mut().zip(row_psqt).enumerate() {
                    *to = rules.psqt.narrow(*from, row * buckets + bucket, &mut tallies.1);
                }
            }
            Ok::<_, Error>(tallies)
        })
        .try_reduce(|| (Tally::default(), Tally::default()), |a, b| Ok((a.0.merge(b.0), a.1.merge(b.1))))?;
    if buckets == 0 {
        psqt.clear();
    }
    let name = |part: &str| format!("ft.{}.{part}", block.block.name());
    Place { tensor: &name("weight"), stack: None, columns: l1 }.settle::<T>(weight_tally, &rules.ft, report)?;
    Place { tensor: &name("psqt"), stack: None, columns: psqt_columns }.settle::<i32>(psqt_tally, &rules.psqt, report)?;
    Ok((weights, psqt))
}

#[cfg(test)]
mod tests;
