//! How the values of a tensor are distributed: counts in bins of equal width, and bars of text.

use rayon::prelude::*;
use serde::Serialize;

/// Bins from the smallest to the largest value: as many as are ever shown beside each other.
pub(super) const BINS: usize = 96;
/// Bins of JSON, and of text where nothing is known of the terminal.
pub(super) const USUAL: usize = 24;

/// Counts of values. Values that are not numbers are not counted.
#[derive(Serialize, Clone, Copy)]
pub(super) struct Histogram {
    low: f64,
    high: f64,
    #[serde(serialize_with = "usual")]
    counts: [u64; BINS],
}

fn usual<S: serde::Serializer>(counts: &[u64; BINS], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(joined(counts, USUAL))
}

/// The same counts in fewer bins.
fn joined(counts: &[u64; BINS], bins: usize) -> Vec<u64> {
    let bins = bins.clamp(1, BINS);
    let mut sums = vec![0; bins];
    counts.iter().enumerate().for_each(|(bin, count)| sums[bin * bins / BINS] += count);
    sums
}

impl Histogram {
    /// Without any value.
    pub(super) fn empty((low, high): (f64, f64)) -> Self {
        Self { low, high, counts: [0; BINS] }
    }

    /// Takes the counts of another one of the same range.
    pub(super) fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
    }

    /// `width` characters, a bin each: the root of the count, so that rare values are seen beside frequent ones.
    pub(super) fn bars(&self, width: usize) -> String {
        const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
        let counts = joined(&self.counts, width);
        let most = counts.iter().copied().max().unwrap_or(0);
        let bar = |count: u64| match count {
            0 => ' ',
            count => {
                let height = (count as f64 / most as f64).sqrt() * BARS.len() as f64;
                BARS[(height.ceil() as usize).clamp(1, BARS.len()) - 1]
            }
        };
        counts.iter().map(|count| bar(*count)).collect()
    }
}

/// The histogram of `values` over their range.
pub(super) fn histogram<T: Sync>(values: &[T], range: (f64, f64), number: impl Fn(&T) -> f64 + Sync) -> Histogram {
    let (low, high) = range;
    let width = high - low;
    let scale = if width > 0.0 && width.is_finite() { BINS as f64 / width } else { 0.0 };
    let parts = values.par_chunks(1 << 16).map(|part| {
        let mut counts = Histogram::empty(range);
        for value in part.iter().map(&number).filter(|value| value.is_finite()) {
            // The largest value belongs to the last bin. Casts of floats saturate.
            counts.counts[(((value - low) * scale) as usize).min(BINS - 1)] += 1;
        }
        counts
    });
    parts.reduce(
        || Histogram::empty(range),
        |mut sum, part| {
            sum.add(&part);
            sum
        },
    )
}

#[cfg(test)]
mod tests;
