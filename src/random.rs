//! Chance from seeds: small generators that give the same numbers on every machine and in every release.
//!
//! All three rest on SplitMix64's step: add `0x9E3779B97F4A7C15`, then xor-shift 30, times `0xBF58476D1CE4E5B9`, xor-shift 27, times
//! `0x94D049BB133111EB`, xor-shift 31 (all modulo 2^64). What they give is part of keys and results: none of them may ever change.

/// SplitMix64, a sequence.
pub struct SplitMix(u64);

impl SplitMix {
    /// The sequence of `seed`.
    #[inline]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// A value in `low..=high`; values near the middle are likelier, as among trained weights.
    pub fn centred(&mut self, low: i64, high: i64) -> i64 {
        let bits = self.next_u64();
        let span = (high - low + 1) as u64;
        let (a, b) = (((bits & 0xFFFF_FFFF) * span) >> 32, ((bits >> 32) * span) >> 32);
        low + ((a + b) / 2) as i64
    }
}

/// xoshiro256** (Blackman and Vigna, public domain), its state filled by four steps of SplitMix64 from the seed: for long searches.
pub(crate) struct Xoshiro([u64; 4]);

impl Xoshiro {
    /// The sequence of `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        let mut words = SplitMix::new(seed);
        Self(std::array::from_fn(|_| words.next_u64()))
    }

    /// The next 64 bits.
    pub(crate) fn next_u64(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.0;
        let result = b.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        result
    }
}

/// Hashes a few words into one: starts from 0, and for each word takes SplitMix64's step of `hash xor word`.
///
/// A number that hangs on where it is wanted, not on how often one was drawn before: for what is decided in parallel.
#[inline]
pub(crate) fn mix<const N: usize>(words: [u64; N]) -> u64 {
    words.into_iter().fold(0, mix_in)
}

/// Hashes one more word: `mix_in(mix([a, b]), c)` is `mix([a, b, c])`.
#[inline]
pub(crate) fn mix_in(hash: u64, word: u64) -> u64 {
    SplitMix::new(hash ^ word).next_u64()
}

/// Whether an event of the given probability happens, decided by a hash: true for about `probability · 2^53` of 2^53 hashes.
pub(crate) fn happens(hash: u64, probability: f64) -> bool {
    // 53 bits are exact in a double, so this comparison has one answer on every machine.
    ((hash >> 11) as f64) < probability * (1u64 << 53) as f64
}

/// A sequence of hashes from a seed.
pub(crate) struct Mixed {
    seed: u64,
    step: u64,
}

impl Mixed {
    /// The sequence of `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, step: 0 }
    }

    /// A number in `0..bound`; 0 for a bound of 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.step = self.step.wrapping_add(1);
        ((u128::from(mix([self.seed, self.step])) * u128::from(bound)) >> 64) as u64
    }
}

#[cfg(test)]
mod tests;
