//! How the values of two networks, or of the float and the integer form of one, differ over positions.

/// How many positions with the largest differences are reported.
const WORST: usize = 10;

/// How two lists of values differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Number of values.
    pub positions: usize,
    /// Pearson's coefficient; `None` where one of the lists does not vary.
    pub correlation: Option<f64>,
    /// Mean of B - A.
    pub mean: f64,
    /// Mean of |B - A|.
    pub mean_abs: f64,
    /// Largest |B - A|.
    pub max_abs: f64,
    /// The largest differences, largest first; of equal ones the first.
    pub worst: Vec<Difference>,
    /// How B - A is distributed.
    pub histogram: Histogram,
}

/// A value that differs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// Which one, from 0.
    pub index: usize,
    /// In A.
    pub a: f64,
    /// In B.
    pub b: f64,
}

/// Counts in bins of one width, the middle one around 0.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// Where the first bin begins.
    pub low: f64,
    /// Where the last bin ends.
    pub high: f64,
    /// Values in each bin.
    pub counts: Vec<u64>,
}

/// Compares values, pair by pair. What has no partner is left out.
pub fn compare(a: &[f64], b: &[f64]) -> Comparison {
    let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| b - a).collect();
    let count = differences.len();
    let mean = |values: &mut dyn Iterator<Item = f64>| if count == 0 { 0.0 } else { values.sum::<f64>() / count as f64 };
    let max_abs = differences.iter().fold(0.0f64, |max, difference| max.max(difference.abs()));
    let mut order: Vec<usize> = (0..count).filter(|index| differences[*index] != 0.0).collect();
    order.sort_by(|a, b| differences[*b].abs().total_cmp(&differences[*a].abs()).then(a.cmp(b)));
    order.truncate(WORST);
    let (mean_a, mean_b) = (mean(&mut a.iter().copied()), mean(&mut b.iter().copied()));
    let spread = |x: &[f64], mean_x: f64, y: &[f64], mean_y: f64| mean(&mut x.iter().zip(y).map(|(x, y)| (x - mean_x) * (y - mean_y)));
    let variances = spread(a, mean_a, a, mean_a) * spread(b, mean_b, b, mean_b);
    Comparison {
        positions: count,
        correlation: (variances > 0.0).then(|| spread(a, mean_a, b, mean_b) / variances.sqrt()),
        mean: mean(&mut differences.iter().copied()),
        mean_abs: mean(&mut differences.iter().map(|difference| difference.abs())),
        max_abs,
        worst: order.into_iter().map(|index| Difference { index, a: a[index], b: b[index] }).collect(),
        histogram: histogram(&differences, max_abs),
    }
}

fn histogram(differences: &[f64], max_abs: f64) -> Histogram {
    /// Odd, so that small differences of either sign share a bin.
    const BINS: usize = 15;
    let mut counts = vec![0u64; BINS];
    // A little wider than the largest difference, so that none falls on the edge.
    let high = if max_abs > 0.0 && max_abs.is_finite() { max_abs * 1.000_001 } else { 1.0 };
    for difference in differences.iter().filter(|difference| difference.is_finite()) {
        let bin = ((difference + high) / (2.0 * high) * BINS as f64) as usize;
        counts[bin.min(BINS - 1)] += 1;
    }
    Histogram { low: -high, high, counts }
}

#[cfg(test)]
mod tests;
