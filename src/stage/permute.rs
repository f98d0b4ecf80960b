//! `permute`: neurons in another order.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::members;

/// What the new order may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Permuted {
    /// The largest sum of four products in the first dense layer of a described network, where it is known. Above 32,767 an engine that adds
    /// them in 16 bits may wrap, and which ones meet depends on the order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub largest_sum: Option<u32>,
}

impl Permuted {
    pub(super) fn annotations(&self) -> Map<String, Value> {
        members([("largestSum", self.largest_sum.map(|sum| json!(sum)))])
    }
}
