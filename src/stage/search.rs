//! `search`: an activation matrix → a permutation.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::members;
use crate::words::{Algorithm, Word};

/// Parameters of `search`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Search {
    /// How to search.
    pub algorithm: Algorithm,
    /// Of the random numbers; greedy draws none.
    pub seed: u64,
    /// How much of [`Algorithm::budget`] is spent; `None`: as the sizes say.
    pub budget: Option<u64>,
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
    /// Moves that annealing tried, or noisy steps of assignments.
    pub moves: u64,
}

impl Search {
    /// Only what decides the result: greedy draws no random numbers, so its seed is not part of the key.
    pub(super) fn params(&self) -> Map<String, Value> {
        let mut params = members([("algorithm", Some(json!(self.algorithm)))]);
        if let Some(name) = self.algorithm.budget() {
            params.insert("seed".into(), json!(self.seed));
            if let Some(budget) = self.budget {
                params.insert(name.into(), json!(budget));
            }
        }
        params
    }

    /// What has these [`Self::params`], or members that are none.
    pub(super) fn of_params(params: &Map<String, Value>) -> Option<Self> {
        let algorithm = Algorithm::named(params.get("algorithm")?.as_str()?)?;
        let number = |name: &str| params.get(name).map_or(Some(None), |value| value.as_u64().map(Some));
        let budget = algorithm.budget().map_or(Some(None), number)?;
        Some(Self { algorithm, seed: number("seed")?.unwrap_or(0), budget })
    }
}

impl Searched {
    pub(super) fn annotations(&self) -> Map<String, Value> {
        let Self { train, held_out, swaps, cycles, moves } = self;
        members([
            ("train", Some(counts(train))),
            ("heldOut", held_out.as_ref().map(counts)),
            ("swaps", Some(json!(swaps))),
            ("cycles", Some(json!(cycles))),
            ("moves", Some(json!(moves))),
        ])
    }
}

fn counts(counts: &Counts) -> Value {
    let Counts { positions, blocks, zero_before, zero_after } = counts;
    json!({"positions": positions, "blocks": blocks, "zeroBefore": zero_before, "zeroAfter": zero_after})
}

#[cfg(test)]
mod tests;
