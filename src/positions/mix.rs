//! The one source of chance in this room: a fixed 64-bit hash, so that equal seeds choose equal positions for ever.
//!
//! `mix(words)` starts from 0 and for each word sets `h = finish(h xor word)`, where `finish` is SplitMix64's step:
//! add `0x9E3779B97F4A7C15`, then xor-shift 30, times `0xBF58476D1CE4E5B9`, xor-shift 27, times `0x94D049BB133111EB`, xor-shift 31
//! (all modulo 2^64).

use crate::net::SplitMix;

/// Hashes a few words into one.
#[inline]
pub(super) fn mix<const N: usize>(words: [u64; N]) -> u64 {
    words.into_iter().fold(0, mix_in)
}

/// Hashes one more word: `mix_in(mix([a, b]), c)` is `mix([a, b, c])`.
#[inline]
pub(super) fn mix_in(hash: u64, word: u64) -> u64 {
    finish(hash ^ word)
}

/// Whether an event of the given probability happens, decided by a hash: true for about `probability · 2^53` of 2^53 hashes.
pub(super) fn happens(hash: u64, probability: f64) -> bool {
    // 53 bits are exact in a double, so this comparison has one answer on every machine.
    ((hash >> 11) as f64) < probability * (1u64 << 53) as f64
}

#[inline]
fn finish(word: u64) -> u64 {
    SplitMix::new(word).next_u64()
}

/// A stream of numbers from a seed.
pub(super) struct Rng {
    seed: u64,
    step: u64,
}

impl Rng {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, step: 0 }
    }

    /// A number in `0..bound`; 0 for a bound of 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.step = self.step.wrapping_add(1);
        ((u128::from(mix([self.seed, self.step])) * u128::from(bound)) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finish_is_splitmix64() {
        // The first outputs of SplitMix64 from state 0.
        assert_eq!(mix([0]), 0xE220_A839_7B1D_CDAF);
        assert_eq!(finish(0x9E37_79B9_7F4A_7C15), 0x6E78_9E6A_A1B9_65F4);
    }

    #[test]
    fn happens_follows_the_probability() {
        let count = |p: f64| (0..10_000).filter(|&i| happens(mix([5, i]), p)).count();
        assert_eq!((count(0.0), count(1.0)), (0, 10_000));
        assert!((2_300..2_700).contains(&count(0.25)));
    }
}
