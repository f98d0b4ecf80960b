//! `quantize`: float weights → integers.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::members;
use crate::words::Overflow;

/// Parameters of `quantize`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Quantize {
    /// What happens to weights out of range.
    pub overflow: Overflow,
}

/// Values that quantizing changed beyond rounding: how many in which tensor.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Quantized {
    /// Dense weights beyond the generation's clamp, which its trainer clamped as well.
    pub clamped: Vec<(String, usize)>,
    /// Values that did not fit and were wrapped or clamped as asked.
    pub overflowed: Vec<(String, usize)>,
}

impl Quantize {
    pub(super) fn params(self) -> Map<String, Value> {
        members([("overflow", Some(json!(self.overflow)))])
    }
}

impl Quantized {
    pub(super) fn annotations(&self) -> Map<String, Value> {
        let by_tensor = |counts: &[(String, usize)]| {
            let members: Map<String, Value> = counts.iter().map(|(tensor, count)| (tensor.clone(), json!(count))).collect();
            (!members.is_empty()).then_some(Value::Object(members))
        };
        members([("clamped", by_tensor(&self.clamped)), ("overflowed", by_tensor(&self.overflowed))])
    }
}
