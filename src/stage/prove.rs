//! `prove`: a published file and its source → that both evaluate alike.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Overflow, members};
use crate::files::Blake3;
use crate::positions::SELECTION_RULE;

/// Parameters of `prove`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prove {
    /// Exact number of positions, at least 1.
    pub positions: u64,
    /// Of the choice.
    pub seed: u64,
    /// The largest error of quantizing that is accepted, in the engine's internal units; `None`: any.
    pub max_error: Option<f64>,
    /// The mean error of quantizing that is accepted, in the same units.
    pub mean_error: Option<f64>,
    /// Whether sums are looked at for overflow: where no search gathered from positions, nobody did.
    pub sums: bool,
}

/// What was proven.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proved {
    /// Positions on which every sum of every bucket is the source's.
    pub positions: u64,
    /// Of their choice.
    pub seed: u64,
    /// Of what every bucket of every position gives.
    #[serde(with = "super::hex")]
    pub digest: Blake3,
    /// How far the integers are from the floats; `None` where the source has none.
    pub error: Option<Deviation>,
    /// Positions in which sums were looked at for overflow; 0 where that is the business of `gather`.
    #[serde(default)]
    pub looked_at: u64,
    /// That accumulators overflow in some of these; `None` where none was seen to.
    #[serde(default)]
    pub overflow: Option<Overflow>,
}

/// How far integers are from the floats that they were made from, in the engine's internal units, to three digits.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Deviation {
    /// Over so many positions.
    pub positions: u64,
    /// Mean distance.
    pub mean: f64,
    /// Largest distance.
    pub max: f64,
}

impl Prove {
    pub(super) fn params(&self) -> Map<String, Value> {
        // Keys hold no floats: the shortest text that reads back as the number is the same on every machine.
        let limit = |limit: Option<f64>| limit.map(|limit| json!(limit.to_string()));
        members([
            ("positions", Some(json!(self.positions))),
            ("seed", Some(json!(self.seed))),
            ("selection", Some(json!(SELECTION_RULE))),
            ("max_error", limit(self.max_error)),
            ("mean_error", limit(self.mean_error)),
            ("sums", self.sums.then(|| json!(true))),
        ])
    }

    /// What has these [`Self::params`], without limits, or members that are none.
    pub(super) fn of_params(params: &Map<String, Value>) -> Option<Self> {
        let number = |name: &str| params.get(name)?.as_u64();
        Some(Self { sums: params.contains_key("sums"), ..Self::of_integers(number("positions")?, number("seed")?) })
    }

    /// A proof of integers alone, which need no limits.
    const fn of_integers(positions: u64, seed: u64) -> Self {
        Self { positions, seed, max_error: None, mean_error: None, sums: false }
    }

    /// What is left of a proof where the floats are not at hand: that the integers are equal.
    pub const fn without_floats(self) -> Self {
        Self { sums: self.sums, ..Self::of_integers(self.positions, self.seed) }
    }
}

impl Proved {
    pub(super) fn annotations(&self) -> Map<String, Value> {
        let Self { positions, seed, digest, error, looked_at, overflow } = self;
        members([
            ("positions", Some(json!(positions))),
            ("seed", Some(json!(seed))),
            ("values", Some(json!(digest.to_string()))),
            (
                "quantizationError",
                error.map(|Deviation { positions, mean, max }| json!({"positions": positions, "mean": mean, "max": max})),
            ),
            ("lookedAt", (*looked_at > 0).then(|| json!(looked_at))),
            ("overflow", overflow.map(|overflow| json!(overflow))),
        ])
    }
}

#[cfg(test)]
mod tests;
