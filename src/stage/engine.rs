//! `engine`: a written file in a real engine → that it plays as its source does.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::members;

/// Parameters of `engine`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Engine {
    /// As messages call it.
    pub name: String,
    /// The UCI option that takes the file; `None`: that of the network's generation.
    pub option: Option<String>,
    /// Other UCI options, by name, with their values; buttons have none.
    pub options: Vec<(String, Option<String>)>,
    /// What stands behind `bench`, where it is run.
    pub bench: Option<String>,
    /// Whether the engine writes the net out again.
    pub export: bool,
    /// How often source and result are timed in turn; 0: not at all.
    pub speed: u32,
    /// Seconds that each answer may take.
    pub timeout: u64,
}

/// What an engine made of a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Played {
    /// What it calls itself.
    pub name: String,
    /// Nodes that its bench searched; `None` where it was not run.
    pub nodes: Option<u64>,
    /// What searched as many nodes.
    pub against: Option<Against>,
    /// How what it wrote out is the file; `None` where it was not asked to.
    pub exported: Option<Exported>,
    /// How much faster its bench is than that of the source; `None` where it was not timed.
    pub speed: Option<Speed>,
}

/// What a file is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Against {
    /// The file that the net was made from.
    Source,
    /// The source's integers in their own order of neurons, written as the file is: the engine does not read the source itself.
    Unpermuted,
}

/// How two files are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exported {
    /// In every byte.
    Bytes,
    /// In all that they hold but packing and description.
    Content,
}

/// A ratio of times with its confidence interval of 95 %: 1.05 is 5 % faster than the source.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Speed {
    /// Runs of each of the two.
    pub pairs: u64,
    /// The estimate: the geometric mean of the ratios.
    pub ratio: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

impl Engine {
    /// How long an answer may take decides nothing that is said, and neither does where the engine is: its content is an input.
    pub(super) fn params(&self) -> Map<String, Value> {
        let option = |(name, value): &(String, Option<String>)| json!([name, value]);
        members([
            ("option", self.option.as_ref().map(|option| json!(option))),
            ("options", (!self.options.is_empty()).then(|| self.options.iter().map(option).collect())),
            ("bench", self.bench.as_ref().map(|arguments| json!(arguments))),
            ("export", Some(json!(self.export))),
            ("speed", (self.speed > 0).then(|| json!(self.speed))),
        ])
    }
}

impl Played {
    /// None: who tries a net with which engine is no part of how it is made.
    #[expect(clippy::unused_self, reason = "all outcomes answer this")]
    pub(super) fn annotations(&self) -> Map<String, Value> {
        Map::new()
    }
}

#[cfg(test)]
mod tests;
