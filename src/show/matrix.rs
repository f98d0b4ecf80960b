//! Weights of the feature transformer as numbers: those of one net, or the differences to another.

use super::Subject;
use crate::net::{Block, BlockWeights};

/// Stored integers of one type.
#[derive(Clone, Copy)]
enum Values<'a> {
    I8(&'a [i8]),
    I16(&'a [i16]),
    I32(&'a [i32]),
}

impl<'a> Values<'a> {
    fn of(weights: &'a BlockWeights) -> Self {
        match weights {
            BlockWeights::I8(weights) => Self::I8(weights),
            BlockWeights::I16(weights) => Self::I16(weights),
        }
    }
}

/// A matrix of weights, a row a feature: of the transformer's neurons, or of PSQT buckets.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    /// Which features the rows stand for.
    pub block: Block,
    /// Neurons or buckets.
    pub columns: usize,
    /// What stands for 1.0.
    pub one: f64,
    values: Values<'a>,
    reference: Option<Values<'a>>,
}

impl Matrix<'_> {
    /// The number of a weight.
    ///
    /// # Panics
    /// When there is no such weight, as indexing a slice does.
    pub fn at(&self, row: usize, column: usize) -> i32 {
        let one = |values: &Values<'_>| match values {
            Values::I8(values) => i32::from(values[row * self.columns + column]),
            Values::I16(values) => i32::from(values[row * self.columns + column]),
            Values::I32(values) => values[row * self.columns + column],
        };
        let own = one(&self.values);
        self.reference.as_ref().map_or(own, |reference| own.saturating_sub(one(reference)))
    }

    /// Calls `visit` with the number of each of the columns `from..from + out.len()` in a row and its place in `out`.
    pub(super) fn each<T>(&self, row: usize, from: usize, out: &mut [T], mut visit: impl FnMut(&mut T, i32)) {
        let place = row * self.columns + from..row * self.columns + from + out.len();
        match (self.values, self.reference) {
            (Values::I8(values), None) => out.iter_mut().zip(&values[place]).for_each(|(out, value)| visit(out, i32::from(*value))),
            (Values::I16(values), None) => out.iter_mut().zip(&values[place]).for_each(|(out, value)| visit(out, i32::from(*value))),
            (Values::I32(values), None) => out.iter_mut().zip(&values[place]).for_each(|(out, value)| visit(out, *value)),
            (_, Some(_)) => out.iter_mut().enumerate().for_each(|(index, out)| visit(out, self.at(row, from + index))),
        }
    }

    /// The numbers of one column, row by row.
    pub fn column(&self, column: usize) -> Vec<i32> {
        (0..self.block.rows()).map(|row| self.at(row, column)).collect()
    }
}

/// The weights of the neurons, block by block, and those of the PSQT buckets where there are any.
pub fn matrices<'a>(subject: &Subject<'a>) -> Vec<(Matrix<'a>, Option<Matrix<'a>>)> {
    let (architecture, l1) = (&subject.network.architecture, subject.network.architecture.l1);
    let blocks = subject.network.blocks.iter().enumerate().map(|(index, block)| {
        let reference = subject.reference.and_then(|net| net.blocks.get(index));
        let weights = Matrix {
            block: block.block,
            columns: l1,
            one: architecture.quantization.ft,
            values: Values::of(&block.weights),
            reference: reference.map(|block| Values::of(&block.weights)),
        };
        let psqt = (!block.psqt.is_empty()).then(|| Matrix {
            columns: architecture.generation.psqt_buckets,
            // Internal units of an engine: the network's raw output is divided by 16.
            one: f64::from(crate::net::OUTPUT_DIVISOR),
            values: Values::I32(&block.psqt),
            reference: reference.map(|block| Values::I32(&block.psqt)),
            ..weights
        });
        (weights, psqt)
    });
    blocks.collect()
}
