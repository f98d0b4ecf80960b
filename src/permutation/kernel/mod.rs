//! Counting of the bits that two columns share: the inner loop of the search, in the widest form that the processor has.
//! All forms give equal counts; `unsafe` is in one file a processor family.
#![allow(unsafe_code, reason = "kernels call the processor's own instructions")]

#[cfg(target_arch = "aarch64")]
#[path = "aarch64.rs"]
mod arch;
#[cfg(target_arch = "x86_64")]
#[path = "x86_64.rs"]
mod arch;
#[cfg(not(any(target_arch = "aarch64", target_arch = "x86_64")))]
#[path = "other.rs"]
mod arch;
mod portable;

use std::sync::LazyLock;

use crate::cpu;

/// Words that every slice given to a kernel is a multiple of: one register of the widest form.
pub const LANE: usize = 8;

/// Sixteen counts: of row `i` and column `j` at `[i][j]`.
pub type Tile = [[u64; 4]; 4];

/// Sixteen gains in rows of four: entry `4 * i + j` of neuron `i` of one block at place `j` of another.
pub(super) type Square = [i32; 16];

/// So many sums are compared at once by [`Kernel::above`].
pub(super) const ABOVE: usize = 64;

/// A form of the inner loop that this processor can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kernel(Form);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Portable,
    Special(arch::Special),
}

/// The forms that this processor can run, slowest first.
static AVAILABLE: LazyLock<Vec<Kernel>> = LazyLock::new(|| {
    let special = cpu::runnable(&arch::ALL).into_iter().map(|special| Kernel(Form::Special(special)));
    std::iter::once(Kernel(Form::Portable)).chain(special).collect()
});

impl Kernel {
    /// The fastest form.
    pub fn best() -> Self {
        *AVAILABLE.last().expect("the portable form is always there")
    }

    /// All forms that this processor can run, slowest first. For tests and measurements.
    pub fn available() -> &'static [Self] {
        &AVAILABLE
    }

    /// A short name for reports.
    pub fn name(self) -> &'static str {
        match self.0 {
            Form::Portable => "portable",
            Form::Special(special) => special.name(),
        }
    }

    /// So many words of each slice are best given at once; a multiple of [`LANE`].
    pub(super) fn words_at_once(self) -> usize {
        match self.0 {
            Form::Portable => portable::WORDS_AT_ONCE,
            Form::Special(special) => special.words_at_once(),
        }
    }

    /// Counts the bits that each of four rows shares with each of four columns.
    ///
    /// # Panics
    /// When the eight slices differ in length, or the length is not a multiple of [`LANE`].
    #[inline]
    pub fn count_shared(self, rows: [&[u64]; 4], columns: [&[u64]; 4]) -> Tile {
        check_lengths(rows[0].len(), &rows);
        check_lengths(rows[0].len(), &columns);
        match self.0 {
            Form::Portable => portable::count_shared(rows, columns),
            Form::Special(special) => special.count_shared(rows, columns),
        }
    }

    /// Counts the bits that all four columns of a block have in common.
    ///
    /// # Panics
    /// As [`count_shared`](Self::count_shared).
    #[inline]
    pub fn count_common(self, columns: [&[u64]; 4]) -> u64 {
        check_lengths(columns[0].len(), &columns);
        match self.0 {
            Form::Portable => portable::count_common(columns),
            Form::Special(special) => special.count_common(columns),
        }
    }

    /// The largest of the sums `ab[4 * i + j] + bc[4 * j + k] + ca[4 * k + i]`, which fit 32 bits, where it is more than `least`; and the
    /// first `[i, j, k]` that reaches it.
    #[inline]
    pub(super) fn best_rotation(self, ab: &Square, bc: &Square, ca: &Square, least: i32) -> Option<(i32, [usize; 3])> {
        match self.0 {
            Form::Portable => portable::best_rotation(ab, bc, ca, least),
            Form::Special(special) => special.best_rotation(ab, bc, ca, least),
        }
    }

    /// Of which `k`, as bits, `a[k] + b[k]` is more than `least`. The sums fit 32 bits.
    ///
    /// # Panics
    /// When the slices differ in length, or have more than [`ABOVE`] entries.
    #[inline]
    pub(super) fn above(self, a: &[i32], b: &[i32], least: i32) -> u64 {
        assert!(a.len() == b.len() && a.len() <= ABOVE, "as many sums as there are bits");
        match self.0 {
            Form::Portable => portable::above(a, b, least),
            Form::Special(special) => special.above(a, b, least),
        }
    }

    /// Asks the processor for what is read soon.
    #[inline]
    pub(super) fn prefetch(self, what: &Square) {
        arch::prefetch(what);
    }
}

/// The bits that all `columns`, of the length of `out`, have.
pub(super) fn common<const N: usize>(out: &mut [u64], columns: &[&[u64]; N]) {
    out.copy_from_slice(columns[0]);
    for column in &columns[1..] {
        out.iter_mut().zip(*column).for_each(|(out, word)| *out &= word);
    }
}

/// The slices of one call have one length, in whole lanes; without that a form would leave out words.
#[inline]
fn check_lengths(length: usize, slices: &[&[u64]]) {
    assert!(length.is_multiple_of(LANE) && slices.iter().all(|slice| slice.len() == length), "slices of one length in whole lanes");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slices(length: usize, seed: u64, dense: bool) -> Vec<Vec<u64>> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state ^ state >> 29
        };
        (0..8).map(|_| (0..length).map(|_| if dense { u64::MAX } else { next() }).collect()).collect()
    }

    /// Lengths around each inner accumulator's limit; all ones is where a narrow accumulator would overflow.
    #[test]
    fn every_form_counts_the_same() {
        for length in [0, 8, 16, 120, 128, 248, 256, 264, 1000, 2048] {
            for dense in [false, true] {
                let data = slices(length, length as u64 + 1, dense);
                let rows = std::array::from_fn(|k| data[k].as_slice());
                let columns = std::array::from_fn(|k| data[4 + k].as_slice());
                let mut expected = [[0u64; 4]; 4];
                for (i, line) in expected.iter_mut().enumerate() {
                    for (j, count) in line.iter_mut().enumerate() {
                        *count = (0..length).map(|w| u64::from((data[i][w] & data[4 + j][w]).count_ones())).sum();
                    }
                }
                let common: u64 = (0..length).map(|w| u64::from((data[0][w] & data[1][w] & data[2][w] & data[3][w]).count_ones())).sum();
                for kernel in Kernel::available() {
                    assert_eq!(kernel.count_shared(rows, columns), expected, "{} {length}", kernel.name());
                    assert_eq!(kernel.count_common(rows), common, "{} {length}", kernel.name());
                }
            }
        }
        println!("compared: {:?}", Kernel::available().iter().map(|kernel| kernel.name()).collect::<Vec<_>>());
    }

    /// Small numbers, so that sums are often equal: the first of them counts.
    #[test]
    fn every_form_finds_the_same_rotation_and_the_same_sums() {
        let numbers = |seed: u64, range: i32| -> Vec<i32> {
            slices(2 * ABOVE, seed, false).iter().flatten().map(|word| (*word >> 33) as i32 % (2 * range) - range).collect()
        };
        for seed in 0..if cfg!(miri) { 8 } else { 200 } {
            let range = [2, 5, 1000, 500_000_000][seed as usize % 4];
            let numbers = numbers(seed, range);
            let square = |at: usize| -> &Square { numbers[at..].first_chunk().unwrap() };
            let (ab, bc, ca) = (square(0), square(16), square(32));
            let sum = |[i, j, k]: [usize; 3]| ab[4 * i + j] + bc[4 * j + k] + ca[4 * k + i];
            let all = (0..64).map(|n| [n / 16, n / 4 % 4, n % 4]);
            let best = all.clone().map(sum).max().unwrap();
            let first = all.clone().find(|places| sum(*places) == best).unwrap();
            for kernel in Kernel::available() {
                for least in [i32::MIN, best - 1] {
                    assert_eq!(kernel.best_rotation(ab, bc, ca, least), Some((best, first)), "{} {seed}", kernel.name());
                }
                for least in [best, i32::MAX] {
                    assert_eq!(kernel.best_rotation(ab, bc, ca, least), None, "{} {seed}", kernel.name());
                }
                for length in [0, 1, 15, 16, 17, 63, 64] {
                    let (a, b) = (&numbers[100..][..length], &numbers[200..][..length]);
                    let least = numbers[300];
                    let expected = (0..length).filter(|k| a[*k] + b[*k] > least).fold(0, |bits, k| bits | 1 << k);
                    assert_eq!(kernel.above(a, b, least), expected, "{} {seed} {length}", kernel.name());
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "slices of one length")]
    fn lengths_are_checked() {
        let (a, b) = ([0u64; 8], [0u64; 16]);
        Kernel::best().count_shared([&a, &a, &a, &b], [&a; 4]);
    }
}
