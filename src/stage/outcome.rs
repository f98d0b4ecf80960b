//! What a stage says of its result, beside the result itself: small facts that records keep and reports show.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::Stage;
use crate::error::{Error, Result};
use crate::files::Sha256;

/// What a stage says of its result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing.
    Load,
    /// Nothing.
    Coalesce,
    /// Which values were changed beyond rounding.
    Quantize(Quantized),
    /// Which positions were taken.
    Gather(Sampled),
    /// What the permutation gains.
    Search(Box<Searched>),
    /// Nothing.
    Permute,
    /// The file's digest.
    Write(Written),
}

/// Values that quantizing changed beyond rounding: how many in which tensor.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Quantized {
    /// Dense weights beyond the generation's clamp, which its trainer clamped as well.
    pub clamped: Vec<(String, usize)>,
    /// Values that did not fit and were wrapped or clamped as asked.
    pub overflowed: Vec<(String, usize)>,
}

/// Where the positions of a matrix came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sampled {
    /// Positions in the chunks that were read.
    pub entries: u64,
    /// Of these: in check, left out.
    pub in_check: u64,
    /// Of these: left out by filters.
    pub filtered: u64,
    /// Chunks that were read.
    pub chunks_visited: u64,
    /// Chunks that there are.
    pub chunks: u64,
}

/// Zero blocks of one sample of positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Positions of the sample.
    pub positions: u64,
    /// Blocks of four neurons, over both perspectives of all positions.
    pub blocks: u64,
    /// Of these zero in the source's order of neurons.
    pub zero_before: u64,
    /// Of these zero in the order found.
    pub zero_after: u64,
}

/// What a search found and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Searched {
    /// Over the positions that the search used.
    pub train: Counts,
    /// Over others; `None` where the data has no further ones.
    pub held_out: Option<Counts>,
    /// 2-swaps made.
    pub swaps: usize,
    /// 3-cycles made.
    pub cycles: usize,
    /// Moves that annealing tried.
    pub moves: u64,
}

/// A file that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// Digest of its bytes.
    #[serde(with = "hex")]
    pub sha256: Sha256,
}

impl Outcome {
    /// The stage that it is of.
    pub const fn stage(&self) -> Stage {
        match self {
            Self::Load => Stage::Load,
            Self::Coalesce => Stage::Coalesce,
            Self::Quantize(_) => Stage::Quantize,
            Self::Gather(_) => Stage::Gather,
            Self::Search(_) => Stage::Search,
            Self::Permute => Stage::Permute,
            Self::Write(_) => Stage::Write,
        }
    }

    /// Of a file that was written.
    pub const fn written(&self) -> Option<&Written> {
        match self {
            Self::Write(written) => Some(written),
            Self::Load | Self::Coalesce | Self::Quantize(_) | Self::Gather(_) | Self::Search(_) | Self::Permute => None,
        }
    }

    /// Of a search.
    pub fn searched(&self) -> Option<&Searched> {
        match self {
            Self::Search(searched) => Some(searched),
            Self::Load | Self::Coalesce | Self::Quantize(_) | Self::Gather(_) | Self::Permute | Self::Write(_) => None,
        }
    }

    /// Of a sample of positions.
    pub const fn sampled(&self) -> Option<&Sampled> {
        match self {
            Self::Gather(sampled) => Some(sampled),
            Self::Load | Self::Coalesce | Self::Quantize(_) | Self::Search(_) | Self::Permute | Self::Write(_) => None,
        }
    }

    /// As records keep it.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Load | Self::Coalesce | Self::Permute => json!({}),
            Self::Quantize(quantized) => json!(quantized),
            Self::Gather(sampled) => json!(sampled),
            Self::Search(searched) => json!(searched),
            Self::Write(written) => json!(written),
        }
    }

    /// Reads what a record keeps of a stage.
    ///
    /// # Errors
    /// When it is not of that stage.
    pub fn from_json(stage: Stage, value: &Value) -> Result<Self> {
        Ok(match stage {
            Stage::Load => Self::Load,
            Stage::Coalesce => Self::Coalesce,
            Stage::Permute => Self::Permute,
            Stage::Quantize => Self::Quantize(read(stage, value)?),
            Stage::Gather => Self::Gather(read(stage, value)?),
            Stage::Search => Self::Search(Box::new(read(stage, value)?)),
            Stage::Write => Self::Write(read(stage, value)?),
        })
    }
}

fn read<T: DeserializeOwned>(stage: Stage, value: &Value) -> Result<T> {
    T::deserialize(value)
        .map_err(|error| Error::new(format!("a record of `{}` does not hold what that stage says", stage.name())).because(error))
}

/// A digest as 64 digits.
mod hex {
    use std::borrow::Cow;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::files::Sha256;

    pub(super) fn serialize<S: Serializer>(digest: &Sha256, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(digest)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Sha256, D::Error> {
        let text = <Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(|_| D::Error::custom("a SHA-256 has 64 hexadecimal digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_records_keep_reads_back() {
        let counts = Counts { positions: 10, blocks: 2560, zero_before: 1200, zero_after: 1300 };
        let outcomes = [
            Outcome::Load,
            Outcome::Coalesce,
            Outcome::Quantize(Quantized { clamped: vec![("l1.weight".into(), 2)], overflowed: Vec::new() }),
            Outcome::Gather(Sampled { entries: 9, in_check: 1, filtered: 2, chunks_visited: 3, chunks: 4 }),
            Outcome::Search(Box::new(Searched { train: counts, held_out: None, swaps: 1, cycles: 2, moves: 3 })),
            Outcome::Search(Box::new(Searched { train: counts, held_out: Some(counts), swaps: 1, cycles: 2, moves: 3 })),
            Outcome::Permute,
            Outcome::Write(Written { sha256: Sha256::of(b"") }),
        ];
        for outcome in outcomes {
            assert_eq!(Outcome::from_json(outcome.stage(), &outcome.to_json()).unwrap(), outcome);
        }
        assert!(Outcome::from_json(Stage::Write, &json!({"sha256": "12"})).is_err());
        assert!(Outcome::from_json(Stage::Search, &json!({})).is_err());
    }
}
