//! Looking at every block of four neurons that there could be: which are worth more than their neurons' prices.
//!
//! A block is zero no more often than any three of its neurons together. All triples are counted once; where the least of a block's four
//! triples is not worth its price, which takes a few instructions for several blocks, the block is not counted.

use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::super::kernel::{Kernel, common};
use super::super::matrix::ActivationMatrix;
use crate::ctx::Ctx;
use crate::error::Result;

/// Prices are whole numbers of this part of a zero sample.
pub(super) const UNITS: i64 = 64;
/// Blocks that are kept of each neuron: those that are worth most more than their price.
const KEPT: usize = 40;
/// Blocks that are looked at together.
const TOGETHER: usize = 16;

/// Samples in which three neurons are zero together, for all triples.
pub(super) struct Triples<'a> {
    matrix: &'a ActivationMatrix,
    kernel: Kernel,
    neurons: usize,
    /// Counts are kept in units of `1 << shift` samples, rounded up, less 2¹⁵, so that they fit 16 bits and are compared quickly.
    shift: u32,
    /// Where the counts of a pair begin; those of its third neurons follow, from the second one's neighbour on.
    starts: Vec<usize>,
    counts: Vec<i16>,
}

/// A block that is worth more than its price: by how much, and its neurons in ascending order.
pub(super) type Excess = (i64, [u16; 4]);

/// What looking at all blocks gave.
pub(super) struct Priced {
    /// For each neuron by how much the best block with it is worth more than its price; 0 if none is.
    pub(super) most: Vec<i64>,
    /// For each neuron the blocks with the largest excess, each once, in ascending order.
    pub(super) blocks: Vec<Excess>,
}

impl<'a> Triples<'a> {
    /// Counts all of them.
    ///
    /// # Errors
    /// On cancellation.
    pub(super) fn count(matrix: &'a ActivationMatrix, ctx: &Ctx) -> Result<Self> {
        let neurons = matrix.half();
        let shift = (0..31).find(|shift| matrix.samples().div_ceil(1 << shift) <= usize::from(u16::MAX)).unwrap_or(31);
        let mut starts = vec![0; neurons * neurons];
        let mut length = 0;
        for a in 0..neurons {
            for b in a + 1..neurons {
                starts[a * neurons + b] = length;
                length += neurons - 1 - b;
            }
        }
        let mut this = Self { matrix, kernel: Kernel::best(), neurons, shift, starts, counts: vec![0; length] };
        let mut rest = std::mem::take(&mut this.counts);
        let mut parts: Vec<(usize, &mut [i16])> = Vec::with_capacity(neurons);
        let mut free = rest.as_mut_slice();
        for a in 0..neurons {
            let own: usize = (a + 1..neurons).map(|b| neurons - 1 - b).sum();
            let (part, others) = free.split_at_mut(own);
            parts.push((a, part));
            free = others;
        }
        parts.into_par_iter().try_for_each(|(a, counts)| {
            ctx.check()?;
            this.count_with(a, counts);
            Ok(())
        })?;
        this.counts = rest;
        Ok(this)
    }

    /// The triples of which `a` is the first.
    fn count_with(&self, a: usize, counts: &mut [i16]) {
        let (n, words) = (self.neurons, self.matrix.words_per_column());
        let mut pairs = vec![0u64; 4 * words];
        let mut at = 0;
        for first in (a + 1..n).step_by(4) {
            let seconds = first..n.min(first + 4);
            for (pair, b) in pairs.chunks_exact_mut(words).zip(seconds.clone()) {
                common(pair, &[self.matrix.column(a), self.matrix.column(b)]);
            }
            let pair = |row: usize| &pairs[row.min(seconds.len() - 1) * words..][..words];
            let begins: Vec<usize> = seconds.clone().map(|b| at + (first..b).map(|b| n - 1 - b).sum::<usize>()).collect();
            for thirds in (first + 1..n).step_by(4) {
                let columns = std::array::from_fn(|k| self.matrix.column((thirds + k).min(n - 1)));
                let found = self.kernel.count_shared(std::array::from_fn(pair), columns);
                for (row, b) in seconds.clone().enumerate() {
                    for (k, c) in (thirds..n.min(thirds + 4)).enumerate().filter(|(_, c)| *c > b) {
                        counts[begins[row] + c - b - 1] = self.narrow(found[row][k]);
                    }
                }
            }
            at += seconds.map(|b| n - 1 - b).sum::<usize>();
        }
    }

    /// Samples in which four neurons are zero together.
    pub(super) fn zero(&self, neurons: [u16; 4]) -> u64 {
        self.kernel.count_common(neurons.map(|neuron| self.matrix.column(usize::from(neuron))))
    }

    fn narrow(&self, count: u64) -> i16 {
        // At most 2¹⁶ − 1, by the choice of the shift.
        (count.div_ceil(1 << self.shift) as i32 + i32::from(i16::MIN)) as i16
    }

    /// The counts of a pair with the third neurons from `from` on, which is behind the pair.
    fn row(&self, a: usize, b: usize, from: usize) -> &[i16] {
        let start = self.starts[a * self.neurons + b];
        &self.counts[start + from - b - 1..start + self.neurons - 1 - b]
    }

    /// Looks at all blocks. `prices` are in [`UNITS`], at least 0.
    ///
    /// # Errors
    /// On cancellation.
    pub(super) fn price(&self, prices: &[i64], ctx: &Ctx) -> Result<Priced> {
        // Rounded down: what is a little too cheap is counted in vain.
        let narrow: Vec<i16> = prices.iter().map(|price| (price / (UNITS << self.shift)).min(i64::from(i16::MAX)) as i16).collect();
        let next = AtomicUsize::new(0);
        let parts = rayon::broadcast(|_| {
            let mut found = Found::new(self.neurons);
            let mut three = vec![0u64; self.matrix.words_per_column()];
            loop {
                let a = next.fetch_add(1, Ordering::Relaxed);
                if a + 3 >= self.neurons {
                    return Ok(found);
                }
                for b in a + 1..self.neurons - 2 {
                    ctx.check()?;
                    self.price_pair([a, b], (prices, &narrow), &mut three, &mut found);
                }
            }
        });
        let mut all = Found::new(self.neurons);
        for part in parts {
            let part: Found = part?;
            part.kept.into_iter().flatten().for_each(|excess| all.add(excess));
        }
        let most = all.kept.iter().map(|kept| kept.first().map_or(0, |excess| excess.0)).collect();
        let mut blocks: Vec<Excess> = all.kept.into_iter().flatten().collect();
        blocks.sort_unstable_by_key(|(_, rows)| *rows);
        blocks.dedup();
        Ok(Priced { most, blocks })
    }

    /// Blocks whose first two neurons these are.
    fn price_pair(&self, [a, b]: [usize; 2], (prices, narrow): (&[i64], &[i16]), three: &mut [u64], found: &mut Found) {
        let n = self.neurons;
        let unit = UNITS << self.shift;
        for c in b + 1..n - 1 {
            let three_prices = prices[a] + prices[b] + prices[c];
            // Nothing is worth more than all samples: where the limit does not fit, no block is.
            let Ok(limit) = i16::try_from((three_prices + found.least) / unit + i64::from(i16::MIN)) else { continue };
            let of_triple = self.row(a, b, c)[0];
            if of_triple < limit {
                continue;
            }
            let rows = [self.row(a, b, c + 1), self.row(a, c, c + 1), self.row(b, c, c + 1), &narrow[c + 1..]];
            let mut is_counted = false;
            for start in (0..rows[0].len()).step_by(TOGETHER) {
                let here = rows.map(|row| &row[start..row.len().min(start + TOGETHER)]);
                if !may_be_worth(here, of_triple, limit) {
                    continue;
                }
                for at in start..start + here[0].len() {
                    let d = c + 1 + at;
                    let neurons = [a, b, c, d].map(|neuron| neuron as u16);
                    let price = three_prices + prices[d];
                    let least = rows[..3].iter().fold(of_triple, |least, row| least.min(row[at]));
                    let most = i64::from(least) - i64::from(i16::MIN);
                    if !found.takes(most * unit - price, &neurons) {
                        continue;
                    }
                    if !is_counted {
                        common(three, &[self.matrix.column(a), self.matrix.column(b), self.matrix.column(c)]);
                        is_counted = true;
                    }
                    let column = self.matrix.column(d);
                    let zero = self.kernel.count_common([three, column, column, column]);
                    found.add((zero.cast_signed() * UNITS - price, neurons));
                }
            }
        }
    }
}

/// Whether the least triple of one of these blocks reaches its price: triples of the pair, of both others with it, and prices of the fourth
/// neuron.
fn may_be_worth([ab, ac, bc, prices]: [&[i16]; 4], of_triple: i16, limit: i16) -> bool {
    let reaches = |ab: i16, ac: i16, bc: i16, price: i16| ab.min(ac).min(bc).min(of_triple).saturating_sub(price) >= limit;
    match [ab, ac, bc, prices].map(<&[i16; TOGETHER]>::try_from) {
        // Of a known length: the compiler looks at several at once.
        [Ok(ab), Ok(ac), Ok(bc), Ok(prices)] => {
            let reached: [bool; TOGETHER] = std::array::from_fn(|at| reaches(ab[at], ac[at], bc[at], prices[at]));
            reached.iter().fold(false, |any, one| any | one)
        }
        _ => (0..ab.len()).any(|at| reaches(ab[at], ac[at], bc[at], prices[at])),
    }
}

/// The best blocks of each neuron so far, best first; equal ones by their neurons, so that the order of looking makes no difference.
struct Found {
    kept: Vec<Vec<Excess>>,
    /// Below this excess no neuron takes a block. May lag behind.
    least: i64,
    added: u32,
}

impl Found {
    fn new(neurons: usize) -> Self {
        Self { kept: vec![Vec::new(); neurons], least: 1, added: 0 }
    }

    /// The excess that a block must have to be taken by a neuron.
    fn limit(&self, neuron: u16) -> i64 {
        let kept = &self.kept[usize::from(neuron)];
        if kept.len() < KEPT { 1 } else { kept.last().map_or(1, |excess| excess.0) }
    }

    /// Whether one of its neurons may take a block that has no more than this excess.
    fn takes(&self, excess: i64, neurons: &[u16; 4]) -> bool {
        neurons.iter().any(|neuron| excess >= self.limit(*neuron))
    }

    fn add(&mut self, excess: Excess) {
        for neuron in excess.1 {
            if excess.0 < self.limit(neuron) {
                continue;
            }
            let kept = &mut self.kept[usize::from(neuron)];
            let at = kept.partition_point(|other| (-other.0, other.1) < (-excess.0, excess.1));
            if kept.get(at) != Some(&excess) {
                kept.insert(at, excess);
                kept.truncate(KEPT);
            }
        }
        // To look at all neurons at every block would cost more than it spares.
        self.added += 1;
        if self.added.is_multiple_of(1 << 12) {
            self.least = (0..self.kept.len() as u16).map(|neuron| self.limit(neuron)).min().unwrap_or(1);
        }
    }
}
