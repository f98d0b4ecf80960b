//! What is made of the sums after each step: zero bits, products, or the clipped sums themselves.

use super::lanes::Lanes;
use crate::net::ZeroRule;

/// Takes the sums of every step, tile by tile.
///
/// A tile is of `32 * K` neuron pairs from `column` on; `half` is the number of pairs, L1/2.
pub(crate) trait Sink {
    /// Checks that there is room for this many steps.
    ///
    /// # Panics
    /// When there is not.
    fn check(&self, steps: usize, half: usize);

    /// Takes the first and the second sums of the pairs of a tile.
    ///
    /// # Safety
    /// As for `L`.
    unsafe fn tile<L: Lanes, const K: usize>(&mut self, step: usize, column: usize, half: usize, sums: &[[L; K]; 2]);

    /// Takes one pair, where pairs are left that fill no tile; they come in order.
    fn pair(&mut self, step: usize, neuron: usize, half: usize, sums: [i16; 2]);
}

/// [`ZeroRule`] for 16-bit lanes: a product counts as zero up to `65536 * high + low`.
#[derive(Clone, Copy)]
pub(crate) struct Bound {
    pub(super) clamp: i16,
    pub(super) high: u16,
    pub(super) low: u16,
    /// All products fit 16 bits.
    narrow: bool,
}

impl Bound {
    fn of(rule: ZeroRule) -> Self {
        let clamp = rule.clamp.clamp(0, i32::from(i16::MAX));
        // A bound above all products is as good as any other such, and the largest product fits 30 bits.
        let last = (i64::from(rule.limit) - 1).clamp(0, i64::from(clamp) * i64::from(clamp));
        Self { clamp: clamp as i16, high: (last >> 16) as u16, low: last as u16, narrow: clamp <= 255 }
    }
}

/// Which products count as zero: `ceil(L1/2 / 64)` words a step, neuron `j` at bit `j % 64` of word `j / 64`, bits past the last neuron
/// zero. `NARROW`: the rule's clamp is at most 255.
pub(crate) struct Zeros<'a, const NARROW: bool> {
    bound: Bound,
    zeros: &'a mut [u64],
}

impl<'a, const NARROW: bool> Zeros<'a, NARROW> {
    /// By `rule`, into `zeros`.
    ///
    /// # Panics
    /// When `NARROW` is not what the rule says.
    pub(crate) fn new(rule: ZeroRule, zeros: &'a mut [u64]) -> Self {
        let bound = Bound::of(rule);
        assert_eq!(NARROW, bound.narrow, "the caller looked at the rule");
        Self { bound, zeros }
    }
}

impl<const NARROW: bool> Sink for Zeros<'_, NARROW> {
    fn check(&self, steps: usize, half: usize) {
        assert_eq!(self.zeros.len(), steps * half.div_ceil(64), "words for each step");
    }

    #[inline(always)]
    unsafe fn tile<L: Lanes, const K: usize>(&mut self, step: usize, column: usize, half: usize, [first, second]: &[[L; K]; 2]) {
        let zeros = &mut self.zeros[step * half.div_ceil(64) + column / 64..][..K / 2];
        for k in 0..K / 2 {
            // SAFETY: as the caller promised.
            let (low, high) = unsafe {
                (
                    L::zeros::<NARROW>(first[2 * k], second[2 * k], self.bound),
                    L::zeros::<NARROW>(first[2 * k + 1], second[2 * k + 1], self.bound),
                )
            };
            zeros[k] = u64::from(high) << 32 | u64::from(low);
        }
    }

    fn pair(&mut self, step: usize, neuron: usize, half: usize, sums: [i16; 2]) {
        let [a, b] = sums.map(|sum| u32::from(sum.clamp(0, self.bound.clamp).unsigned_abs()));
        let last = u32::from(self.bound.high) << 16 | u32::from(self.bound.low);
        let word = &mut self.zeros[step * half.div_ceil(64) + neuron / 64];
        if neuron.is_multiple_of(64) {
            *word = 0;
        }
        *word |= u64::from(a * b <= last) << (neuron % 64);
    }
}

/// Products of the clipped sums of each pair, shifted: L1/2 bytes a step.
pub(crate) struct Products<'a> {
    clamp: i16,
    shift: u32,
    out: &'a mut [u8],
}

impl<'a> Products<'a> {
    /// Of sums clipped to 0 to `clamp`, at most 255, and shifted right by `shift`, at least so far that they fit 8 bits.
    pub(crate) fn new(clamp: i32, shift: u32, out: &'a mut [u8]) -> Self {
        Self { clamp: clamp.clamp(0, 255) as i16, shift, out }
    }
}

impl Sink for Products<'_> {
    fn check(&self, steps: usize, half: usize) {
        assert_eq!(self.out.len(), steps * half, "bytes for each step");
    }

    #[inline(always)]
    unsafe fn tile<L: Lanes, const K: usize>(&mut self, step: usize, column: usize, half: usize, [first, second]: &[[L; K]; 2]) {
        let out = self.out[step * half + column..][..32 * K].as_chunks_mut().0;
        for k in 0..K {
            // SAFETY: as the caller promised.
            unsafe { L::products(first[k], second[k], self.clamp, self.shift, &mut out[k]) };
        }
    }

    fn pair(&mut self, step: usize, neuron: usize, half: usize, sums: [i16; 2]) {
        let [a, b] = sums.map(|sum| i32::from(sum.clamp(0, self.clamp)));
        self.out[step * half + neuron] = ((a * b) >> self.shift) as u8;
    }
}

/// The clipped sums: L1 bytes a step.
pub(crate) struct Clipped<'a> {
    clamp: i16,
    out: &'a mut [u8],
}

impl<'a> Clipped<'a> {
    /// To 0 to `clamp`, at most 255.
    pub(crate) fn new(clamp: i32, out: &'a mut [u8]) -> Self {
        Self { clamp: clamp.clamp(0, 255) as i16, out }
    }
}

impl Sink for Clipped<'_> {
    fn check(&self, steps: usize, half: usize) {
        assert_eq!(self.out.len(), steps * 2 * half, "bytes for each step");
    }

    #[inline(always)]
    unsafe fn tile<L: Lanes, const K: usize>(&mut self, step: usize, column: usize, half: usize, sums: &[[L; K]; 2]) {
        for (part, sums) in sums.iter().enumerate() {
            let out = self.out[(2 * step + part) * half + column..][..32 * K].as_chunks_mut().0;
            for k in 0..K {
                // SAFETY: as the caller promised.
                unsafe { sums[k].clipped(self.clamp, &mut out[k]) };
            }
        }
    }

    fn pair(&mut self, step: usize, neuron: usize, half: usize, sums: [i16; 2]) {
        for (part, sum) in sums.into_iter().enumerate() {
            self.out[(2 * step + part) * half + neuron] = sum.clamp(0, self.clamp) as u8;
        }
    }
}
