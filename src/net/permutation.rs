//! The order of the neuron pairs of a feature transformer. Knows nothing of how one is found, stored or applied.

use crate::error::{Error, Result};

/// A permutation of `0..n`, where `n` is L1/2: the neuron that stands at `j` afterwards is the one that stood at `perm[j]` before.
///
/// Neurons `i` and `i + n` are a pair and move together; PSQT columns never move. Holding one of these means that it was checked:
/// each of `0..n` occurs exactly once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Permutation(Vec<u32>);

impl Permutation {
    /// The permutation of `0..n` that moves nothing.
    ///
    /// # Errors
    /// When `n` is 0 or has more than 32 bits.
    pub fn identity(n: usize) -> Result<Self> {
        match u32::try_from(n) {
            Ok(n) if n > 0 => Ok(Self((0..n).collect())),
            _ => Err(Error::new(format!("no network has {n} pairs of neurons"))),
        }
    }

    /// `perm[j]` for each new place `j`.
    pub fn as_slice(&self) -> &[u32] {
        &self.0
    }

    /// Number of neuron pairs, L1/2. Never 0.
    #[expect(clippy::len_without_is_empty, reason = "a permutation is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it moves nothing.
    pub fn is_identity(&self) -> bool {
        self.0.iter().enumerate().all(|(place, &from)| place == from as usize)
    }

    /// Checks that it fits a network of `half` = L1/2 neuron pairs.
    ///
    /// # Errors
    /// When the lengths differ; the message gives both.
    pub fn check_len(&self, half: usize) -> Result<()> {
        if self.len() == half {
            return Ok(());
        }
        Err(Error::new(format!("the permutation has {} entries where {half} are needed (L1/2)", self.len())).help(format!(
            "it was made for L1={}, this is L1={}",
            self.len() * 2,
            half * 2
        )))
    }
}

/// From integers of any source, such as a file of the trainer's tool (which accepts repeated entries; this does not).
impl TryFrom<&[i64]> for Permutation {
    type Error = Error;

    fn try_from(values: &[i64]) -> Result<Self> {
        let n = values.len();
        let wrong = |why: String| Error::new(format!("the {n} numbers are not a permutation of 0..{n}")).because(why);
        if n == 0 {
            return Err(Error::new("a permutation without entries fits no network"));
        }
        if u32::try_from(n).is_err() {
            return Err(Error::new(format!("a permutation of {n} entries fits no network")));
        }
        let mut seen_at: Vec<Option<usize>> = vec![None; n];
        let mut entries = Vec::with_capacity(n);
        for (index, &value) in values.iter().enumerate() {
            let slot = usize::try_from(value).ok().and_then(|value| seen_at.get_mut(value));
            let slot = slot.ok_or_else(|| wrong(format!("entry {index} is {value}, which is out of range")))?;
            if let Some(first) = slot.replace(index) {
                return Err(wrong(format!("entries {first} and {index} are both {value}")));
            }
            entries.push(u32::try_from(value).expect("it is an index below n, and n fits"));
        }
        Ok(Self(entries))
    }
}

impl TryFrom<&[u32]> for Permutation {
    type Error = Error;

    fn try_from(values: &[u32]) -> Result<Self> {
        Self::try_from(values.iter().map(|&value| i64::from(value)).collect::<Vec<_>>().as_slice())
    }
}

#[cfg(test)]
mod tests;
