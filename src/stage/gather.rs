//! `gather`: positions → activation matrices.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::members;
use crate::positions::{Filters, SELECTION_RULE, filter_members, filters_of, held_out};

/// Parameters of `gather`.
#[derive(Debug, Clone, PartialEq)]
pub struct Gather {
    /// Exact number of positions, at least 1.
    pub positions: u64,
    /// Of the choice.
    pub seed: u64,
    /// Which positions count.
    pub filters: Filters,
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
    /// Positions in which sums were looked at for overflow; 0 where they are not looked at. A record without it tells nothing of sums, so
    /// its result is made again.
    pub looked_at: u64,
    /// That accumulators overflow in some of these; `None` where none was seen to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overflow: Option<Overflow>,
}

/// Accumulators that leave their 16 bits in real positions: engines wrap them around and compute something else than was trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overflow {
    /// Positions that were looked at.
    pub positions: u64,
    /// Neurons that leave the range in some of them.
    pub neurons: u64,
    /// The one that goes the farthest.
    pub neuron: u64,
    /// Its smallest sum.
    pub low: i64,
    /// Its largest sum.
    pub high: i64,
}

impl Overflow {
    /// What a user should know of it.
    pub fn warning(&self) -> String {
        format!("{self}: engines wrap them around there and compute something else than was trained")
    }
}

impl fmt::Display for Overflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { positions, neurons, neuron, low, high } = self;
        let what = if *neurons == 1 { "1 neuron overflows" } else { &format!("{neurons} neurons overflow") };
        write!(f, "{what} 16 bits in {positions} positions; neuron {neuron} goes from {low} to {high}")
    }
}

impl Gather {
    pub(super) fn params(&self) -> Map<String, Value> {
        let filters = filter_members(&self.filters);
        members([
            ("positions", Some(json!(self.positions))),
            ("seed", Some(json!(self.seed))),
            ("selection", Some(json!(SELECTION_RULE))),
            ("held_out", Some(json!(held_out(self.positions)))),
            ("filters", (!filters.is_empty()).then_some(Value::Object(filters))),
        ])
    }

    /// What has these [`Self::params`], or members that are none.
    pub(crate) fn of_params(params: &Map<String, Value>) -> Option<Self> {
        let number = |name: &str| params.get(name)?.as_u64();
        let filters = params.get("filters").map_or(Some(Filters::default()), |members| filters_of(members.as_object()?))?;
        Some(Self { positions: number("positions")?, seed: number("seed")?, filters })
    }
}

impl Sampled {
    pub(super) fn annotations(&self) -> Map<String, Value> {
        let Self { entries, in_check, filtered, chunks_visited, chunks, looked_at, overflow } = self;
        members([
            ("entries", Some(json!(entries))),
            ("inCheck", Some(json!(in_check))),
            ("filtered", Some(json!(filtered))),
            ("chunksVisited", Some(json!(chunks_visited))),
            ("chunks", Some(json!(chunks))),
            ("lookedAt", (*looked_at > 0).then(|| json!(looked_at))),
            ("overflow", overflow.map(|overflow| json!(overflow))),
        ])
    }
}

#[cfg(test)]
mod tests;
