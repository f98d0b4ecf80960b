//! `load`: a file → a network.

use serde_json::{Map, Value, json};

use super::members;
use crate::net::Expectation;

/// Parameters of `load`.
#[derive(Debug, Clone, Default)]
pub struct Load {
    /// What the user asserts of the file.
    pub expected: Expectation,
}

impl Load {
    pub(super) fn params(&self) -> Map<String, Value> {
        let Expectation { features, l1, l2, l3, architecture, quantization, state_dict } = &self.expected;
        members([
            ("features", features.as_ref().map(|features| json!(features))),
            ("l1", l1.map(|size| json!(size))),
            ("l2", l2.map(|size| json!(size))),
            ("l3", l3.map(|size| json!(size))),
            ("architecture", architecture.map(|generation| json!(generation.name))),
            ("quantization", quantization.map(|scales| json!(scales.name))),
            ("state_dict", state_dict.as_ref().map(|path| json!(path))),
        ])
    }
}
