//! Row sums and zero tests, compiled several times for wider vectors and chosen at run time. All variants give the same integers.
//!
//! The loops are plain; `target_feature` lets the compiler use wider registers for them. The only unsafe step is calling such a variant,
//! which is done after the processor was asked.

use crate::net::{BlockWeights, ZeroRule};

/// One row of weights to add to, or subtract from, an accumulator.
#[derive(Clone, Copy)]
pub(super) enum Row<'a> {
    Narrow(&'a [i8]),
    Wide(&'a [i16]),
}

impl<'a> Row<'a> {
    /// Row `index` of a block's weights.
    pub(super) fn of(weights: &'a BlockWeights, index: usize, l1: usize) -> Self {
        let range = index * l1..(index + 1) * l1;
        match weights {
            BlockWeights::I8(weights) => Self::Narrow(&weights[range]),
            BlockWeights::I16(weights) => Self::Wide(&weights[range]),
        }
    }
}

/// Which compiled variant runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kernel {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Kernel {
    /// The widest that this processor has.
    pub(super) fn detect() -> Self {
        *Self::available().last().expect("the portable variant is always there")
    }

    /// All that this processor has, narrowest first.
    pub(super) fn available() -> Vec<Self> {
        let mut kernels = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") {
                kernels.push(Self::Avx2);
            }
            if is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512f") {
                kernels.push(Self::Avx512);
            }
        }
        kernels
    }

    /// `sums += added rows − removed rows`, wrapping in 16 bits as engines do.
    pub(super) fn update(self, sums: &mut [i16], added: &[Row<'_>], removed: &[Row<'_>]) {
        match self {
            Self::Portable => update(sums, added, removed),
            // SAFETY: `available` lists the variant only where the processor has its instructions.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => unsafe { update_avx2(sums, added, removed) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => unsafe { update_avx512(sums, added, removed) },
        }
    }

    /// Sets `bit` of `words[j]` where output j of an accumulator is zero.
    pub(super) fn mark_zeros(self, sums: &[i16], rule: ZeroRule, bit: u32, words: &mut [u64]) {
        match self {
            Self::Portable => mark_zeros(sums, rule, bit, words),
            // SAFETY: `available` lists the variant only where the processor has its instructions.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => unsafe { mark_zeros_avx2(sums, rule, bit, words) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => unsafe { mark_zeros_avx512(sums, rule, bit, words) },
        }
    }
}

/// Sums that stay in registers while all rows are added.
const TILE: usize = 256;

#[inline(always)]
fn update(sums: &mut [i16], added: &[Row<'_>], removed: &[Row<'_>]) {
    let whole = sums.len() / TILE * TILE;
    for start in (0..whole).step_by(TILE) {
        let mut tile = [0i16; TILE];
        tile.copy_from_slice(&sums[start..start + TILE]);
        for row in added {
            match row {
                Row::Wide(row) => tile.iter_mut().zip(&row[start..start + TILE]).for_each(|(sum, weight)| *sum = sum.wrapping_add(*weight)),
                Row::Narrow(row) => {
                    tile.iter_mut().zip(&row[start..start + TILE]).for_each(|(sum, weight)| *sum = sum.wrapping_add(i16::from(*weight)));
                }
            }
        }
        for row in removed {
            match row {
                Row::Wide(row) => tile.iter_mut().zip(&row[start..start + TILE]).for_each(|(sum, weight)| *sum = sum.wrapping_sub(*weight)),
                Row::Narrow(row) => {
                    tile.iter_mut().zip(&row[start..start + TILE]).for_each(|(sum, weight)| *sum = sum.wrapping_sub(i16::from(*weight)));
                }
            }
        }
        sums[start..start + TILE].copy_from_slice(&tile);
    }
    let rest = &mut sums[whole..];
    for (rows, sign) in [(added, 1i16), (removed, -1)] {
        for row in rows {
            for (index, sum) in rest.iter_mut().enumerate() {
                let weight = match row {
                    Row::Wide(row) => row[whole + index],
                    Row::Narrow(row) => i16::from(row[whole + index]),
                };
                *sum = sum.wrapping_add(weight.wrapping_mul(sign));
            }
        }
    }
}

#[inline(always)]
fn mark_zeros(sums: &[i16], rule: ZeroRule, bit: u32, words: &mut [u64]) {
    let (first, second) = sums.split_at(sums.len() / 2);
    let clip = |sum: i16| i32::from(sum).clamp(0, rule.clamp);
    for ((word, a), b) in words.iter_mut().zip(first).zip(second) {
        // Clipped values are below 2^15, so the product fits.
        *word |= u64::from(clip(*a) * clip(*b) < rule.limit) << bit;
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn update_avx2(sums: &mut [i16], added: &[Row<'_>], removed: &[Row<'_>]) {
    update(sums, added, removed);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw")]
fn update_avx512(sums: &mut [i16], added: &[Row<'_>], removed: &[Row<'_>]) {
    update(sums, added, removed);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn mark_zeros_avx2(sums: &[i16], rule: ZeroRule, bit: u32, words: &mut [u64]) {
    mark_zeros(sums, rule, bit, words);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw")]
fn mark_zeros_avx512(sums: &[i16], rule: ZeroRule, bit: u32, words: &mut [u64]) {
    mark_zeros(sums, rule, bit, words);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every variant against sums in wide integers, with sizes that leave a rest behind the tiles.
    #[test]
    fn all_variants_agree() {
        let mut state = 1u64;
        let mut next = move || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) as i16
        };
        for l1 in [2usize, 16, 256, 264, 1024, 1032] {
            let wide: Vec<Vec<i16>> = (0..5).map(|_| (0..l1).map(|_| next()).collect()).collect();
            let narrow: Vec<Vec<i8>> = (0..3).map(|_| (0..l1).map(|_| next() as i8).collect()).collect();
            let start: Vec<i16> = (0..l1).map(|_| next()).collect();
            let added: Vec<Row> = wide[..3].iter().map(|row| Row::Wide(row)).chain([Row::Narrow(&narrow[0])]).collect();
            let removed: Vec<Row> = narrow[1..].iter().map(|row| Row::Narrow(row)).chain([Row::Wide(&wide[4])]).collect();
            let expected: Vec<i16> = (0..l1)
                .map(|i| {
                    let plus = wide[..3].iter().map(|row| i64::from(row[i])).sum::<i64>() + i64::from(narrow[0][i]);
                    let minus = narrow[1..].iter().map(|row| i64::from(row[i])).sum::<i64>() + i64::from(wide[4][i]);
                    (i64::from(start[i]) + plus - minus) as i16
                })
                .collect();
            let rule = ZeroRule { clamp: 255, limit: 512 };
            let mut marked = vec![0u64; l1 / 2];
            Kernel::Portable.mark_zeros(&expected, rule, 5, &mut marked);
            for kernel in Kernel::available() {
                let mut sums = start.clone();
                kernel.update(&mut sums, &added, &removed);
                assert_eq!(sums, expected, "{kernel:?} L1={l1}");
                let mut words = vec![0u64; l1 / 2];
                kernel.mark_zeros(&sums, rule, 5, &mut words);
                assert_eq!(words, marked, "{kernel:?} L1={l1}");
            }
        }
    }
}
