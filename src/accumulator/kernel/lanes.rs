//! Registers of 32 sums: what every variant of the kernel brings, and the variant that every processor has.

use super::sinks::Bound;

/// 32 sums in registers.
///
/// # Safety
/// All functions need the processor's instructions that the implementation is for.
pub(crate) trait Lanes: Copy {
    const ZERO: Self;
    unsafe fn wide(weights: &[i16; 32]) -> Self;
    unsafe fn narrow(weights: &[i8; 32]) -> Self;
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    /// One bit a pair: whether its product counts as zero. `NARROW` is `bound.narrow`.
    unsafe fn zeros<const NARROW: bool>(first: Self, second: Self, bound: Bound) -> u32;
    /// The products of the sums, clipped to 0 to `clamp` (at most 255), shifted right, in their low 8 bits.
    unsafe fn products(first: Self, second: Self, clamp: i16, shift: u32, out: &mut [u8; 32]);
    /// The sums clipped to 0 to `clamp`, at most 255.
    unsafe fn clipped(self, clamp: i16, out: &mut [u8; 32]);
}

/// For targets without a special form, and as the reference: the compiler uses the vectors it may.
#[derive(Clone, Copy)]
pub(super) struct Plain([i16; 32]);

impl Lanes for Plain {
    const ZERO: Self = Self([0; 32]);

    #[inline(always)]
    unsafe fn wide(weights: &[i16; 32]) -> Self {
        Self(*weights)
    }

    #[inline(always)]
    unsafe fn narrow(weights: &[i8; 32]) -> Self {
        Self(weights.map(i16::from))
    }

    #[inline(always)]
    unsafe fn add(mut self, other: Self) -> Self {
        self.0.iter_mut().zip(other.0).for_each(|(sum, weight)| *sum = sum.wrapping_add(weight));
        self
    }

    #[inline(always)]
    unsafe fn sub(mut self, other: Self) -> Self {
        self.0.iter_mut().zip(other.0).for_each(|(sum, weight)| *sum = sum.wrapping_sub(weight));
        self
    }

    #[inline(always)]
    unsafe fn zeros<const NARROW: bool>(first: Self, second: Self, bound: Bound) -> u32 {
        let mut flags = [0u8; 32];
        for ((flag, a), b) in flags.iter_mut().zip(first.0).zip(second.0) {
            let (a, b) = (a.clamp(0, bound.clamp) as u16, b.clamp(0, bound.clamp) as u16);
            *flag = u8::from(if NARROW {
                a.wrapping_mul(b) <= bound.low
            } else {
                u32::from(a) * u32::from(b) <= u32::from(bound.high) << 16 | u32::from(bound.low)
            });
        }
        // The product brings flag k, at bit 8k, to bit 56 + k.
        let bits = |flags: &[u8; 8]| (u64::from_le_bytes(*flags).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u32;
        flags.as_chunks().0.iter().rev().fold(0, |mask, flags| mask << 8 | bits(flags))
    }

    #[inline(always)]
    unsafe fn products(first: Self, second: Self, clamp: i16, shift: u32, out: &mut [u8; 32]) {
        for ((out, a), b) in out.iter_mut().zip(first.0).zip(second.0) {
            let (a, b) = (a.clamp(0, clamp) as u16, b.clamp(0, clamp) as u16);
            *out = (a.wrapping_mul(b) >> shift) as u8;
        }
    }

    #[inline(always)]
    unsafe fn clipped(self, clamp: i16, out: &mut [u8; 32]) {
        out.iter_mut().zip(self.0).for_each(|(out, sum)| *out = sum.clamp(0, clamp) as u8);
    }
}
