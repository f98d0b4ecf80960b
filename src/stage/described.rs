//! Actions on networks that an architecture file describes. What is done is said in that file's words; what it comes to is in `params`.

use std::ops::Range;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Gather, Stage};
use crate::net::Description;
use crate::words::Overflow;

/// An action on a network that an architecture file describes.
#[derive(Debug, Clone)]
pub struct Described {
    /// Which stage.
    pub stage: Stage,
    /// What decides its result, for its key: the words of the file that matter here, without their names and places.
    pub params: Map<String, Value>,
    /// The architecture.
    pub architecture: Arc<Description>,
    /// What its steps do with values that do not fit, where the file makes that an error.
    pub overflow: Overflow,
    /// The layout that the source is in.
    pub from: String,
    /// The layout that is written in the end.
    pub to: String,
    /// Names of the steps that are taken.
    pub steps: Vec<String>,
    /// What is done on the way.
    pub work: Work,
}

impl Described {
    /// All that enters the key.
    pub(super) fn params(&self) -> Map<String, Value> {
        let mut params = self.params.clone();
        params.extend(self.gather().map(Gather::params).unwrap_or_default());
        params
    }

    /// Which positions it gathers over, if it does.
    pub const fn gather(&self) -> Option<&Gather> {
        match &self.work {
            Work::Gather(gather) => Some(gather),
            Work::Load { .. } | Work::Steps(_) | Work::Permute { .. } | Work::Write(_) => None,
        }
    }

    /// Whether the result still reads its file: floats stay there until they become integers.
    pub const fn reads_late(&self) -> bool {
        matches!(self.stage, Stage::Load | Stage::Coalesce)
    }

    /// By the names of the architecture file.
    pub(super) fn shown(&self) -> Map<String, Value> {
        let member = |name: &str, value: Value| (name.to_owned(), value);
        let members = match &self.work {
            Work::Load { .. } => vec![member("architecture", json!(self.architecture.name)), member("layout", json!(self.from))],
            Work::Steps(_) => vec![member("steps", json!(self.steps.join(", ")))],
            Work::Gather(gather) => return gather.params(),
            Work::Permute { .. } => Vec::new(),
            Work::Write(_) => vec![member("layout", json!(self.to))],
        };
        members.into_iter().collect()
    }
}

/// What a [`Described`] action does.
#[derive(Debug, Clone)]
pub enum Work {
    /// Reads the file.
    Load {
        /// The layout was named; otherwise the file must fit no other.
        is_named: bool,
    },
    /// Takes these of the steps between the layouts.
    Steps(Range<usize>),
    /// Finds which outputs are zero.
    Gather(Box<Gather>),
    /// Reorders the neurons.
    Permute {
        /// Nothing is said of sums that other CPUs may wrap. Decides no bytes.
        allows_wide_sums: bool,
    },
    /// Takes these last of the steps, and writes the file.
    Write(Range<usize>),
}
