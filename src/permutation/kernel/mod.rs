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
mod tests;
