//! Why an action has to run: the difference between its key's preimage and that of the last build, in words of the manifest.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cache::Preimage;

/// One reason. In JSON an object of `kind`, `name`, `old` and `new`; `kind` is one of the words below, the others are null where there
/// is nothing to say.
///
/// | kind | meaning |
/// | --- | --- |
/// | `never_built` | there is no earlier build of this stage of this net |
/// | `input_changed` | the content of a file changed |
/// | `upstream_changed` | an earlier stage gave a different result |
/// | `upstream_stale` | an earlier stage has to run first; its result may turn out to be the same |
/// | `param_changed` | a parameter of the manifest changed |
/// | `stage_version_changed` | this version of the program computes the stage differently |
/// | `record_missing` | the cache no longer has a record of it |
/// | `blob_missing` | the cache has lost the result |
/// | `blob_corrupt` | the result in the cache is corrupt and is rebuilt |
/// | `output_missing` | a published file is missing |
/// | `output_modified` | a published file was changed |
/// | `unchecked` | a published file has not been checked yet by the rules of the place where it is to be published |
/// | `result_changed` | the same inputs and parameters gave a different result: only in comparisons of two builds |
/// | `forced` | `--force` |
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Words", into = "Words")]
pub enum Reason {
    /// There is no earlier build of this stage of this net.
    NeverBuilt,
    /// The content of the named file changed.
    InputChanged(Change),
    /// The stage behind the named input gave a different result.
    UpstreamChanged(Change),
    /// The named stage, or input, has to be made first.
    UpstreamStale(String),
    /// The named parameter changed.
    ParamChanged(Change),
    /// This version of the program computes the stage differently.
    StageVersionChanged(Change),
    /// The cache no longer has a record of it, or has one that this version cannot use.
    RecordMissing,
    /// The cache has lost the result.
    BlobMissing,
    /// The result in the cache is corrupt.
    BlobCorrupt,
    /// The published file at this path is missing.
    OutputMissing(String),
    /// The named published file was changed.
    OutputModified(Change),
    /// The published file at this path has not been checked yet by the rules of the place where it is to be published.
    Unchecked(String),
    /// The same inputs and parameters gave a different result.
    ResultChanged {
        /// The other build's digest, shortened.
        old: Option<String>,
        /// This build's.
        new: Option<String>,
    },
    /// `--force`.
    Forced,
    /// It cannot run: the error with its causes.
    Failed(String),
    /// A reason from a record that only another version of the program knows.
    Foreign(Words),
}

/// Something named that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// A parameter, an input, a path.
    pub name: String,
    /// What it was; `None` where it was not there.
    pub old: Option<String>,
    /// What it is; `None` where it is not there, or not known yet.
    pub new: Option<String>,
}

/// A reason as JSON has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Words {
    kind: String,
    name: Option<String>,
    old: Option<String>,
    new: Option<String>,
}

impl Reason {
    /// The word for it: one of the table.
    pub fn kind(&self) -> &str {
        match self {
            Self::NeverBuilt => "never_built",
            Self::InputChanged(_) => "input_changed",
            Self::UpstreamChanged(_) => "upstream_changed",
            Self::UpstreamStale(_) => "upstream_stale",
            Self::ParamChanged(_) => "param_changed",
            Self::StageVersionChanged(_) => "stage_version_changed",
            Self::RecordMissing => "record_missing",
            Self::BlobMissing => "blob_missing",
            Self::BlobCorrupt => "blob_corrupt",
            Self::OutputMissing(_) => "output_missing",
            Self::OutputModified(_) => "output_modified",
            Self::Unchecked(_) => "unchecked",
            Self::ResultChanged { .. } => "result_changed",
            Self::Forced => "forced",
            Self::Failed(_) => "failed",
            Self::Foreign(words) => &words.kind,
        }
    }

    /// What it is about, where it has a name.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::InputChanged(change)
            | Self::UpstreamChanged(change)
            | Self::ParamChanged(change)
            | Self::StageVersionChanged(change)
            | Self::OutputModified(change) => Some(&change.name),
            Self::UpstreamStale(name) | Self::OutputMissing(name) | Self::Unchecked(name) | Self::Failed(name) => Some(name),
            Self::NeverBuilt | Self::RecordMissing | Self::BlobMissing | Self::BlobCorrupt | Self::ResultChanged { .. } | Self::Forced => {
                None
            }
            Self::Foreign(words) => words.name.as_deref(),
        }
    }

    /// What it was and what it is, where something changed.
    pub fn change(&self) -> (Option<&str>, Option<&str>) {
        let (old, new) = match self {
            Self::InputChanged(change)
            | Self::UpstreamChanged(change)
            | Self::ParamChanged(change)
            | Self::StageVersionChanged(change)
            | Self::OutputModified(change) => (&change.old, &change.new),
            Self::ResultChanged { old, new } => (old, new),
            Self::Foreign(words) => (&words.old, &words.new),
            Self::NeverBuilt
            | Self::UpstreamStale(_)
            | Self::RecordMissing
            | Self::BlobMissing
            | Self::BlobCorrupt
            | Self::OutputMissing(_)
            | Self::Unchecked(_)
            | Self::Forced
            | Self::Failed(_) => (&None, &None),
        };
        (old.as_deref(), new.as_deref())
    }

    /// Whether it was found by comparing with an earlier build: another net that shares the action may have another reason then.
    pub fn is_by_comparison(&self) -> bool {
        match self {
            Self::NeverBuilt
            | Self::InputChanged(_)
            | Self::UpstreamChanged(_)
            | Self::ParamChanged(_)
            | Self::StageVersionChanged(_)
            | Self::RecordMissing => true,
            Self::UpstreamStale(_)
            | Self::BlobMissing
            | Self::BlobCorrupt
            | Self::OutputMissing(_)
            | Self::OutputModified(_)
            | Self::Unchecked(_)
            | Self::ResultChanged { .. }
            | Self::Forced
            | Self::Failed(_)
            | Self::Foreign(_) => false,
        }
    }

    /// One line for people.
    pub fn text(&self) -> String {
        let (old, new) = self.change();
        let change = || format!("{} → {}", old.unwrap_or("none"), new.unwrap_or("none"));
        match self {
            Self::NeverBuilt => "never built before".into(),
            Self::InputChanged(Change { name, .. }) | Self::ParamChanged(Change { name, .. }) => format!("`{name}` changed: {}", change()),
            Self::UpstreamChanged(Change { name, .. }) => format!("the result of an earlier stage (`{name}`) changed: {}", change()),
            Self::UpstreamStale(name) => format!("waits for {name}"),
            Self::StageVersionChanged(_) => format!("this version of nnue computes the stage differently ({})", change()),
            Self::RecordMissing => "the cache no longer has a record of it".into(),
            Self::BlobMissing => "its result is missing from the cache".into(),
            Self::BlobCorrupt => "its result in the cache is corrupt".into(),
            Self::OutputMissing(path) => format!("`{path}` is missing"),
            Self::OutputModified(Change { name, .. }) => format!("`{name}` was changed: {}", change()),
            Self::Unchecked(path) => format!("`{path}` has not been checked for publication yet"),
            Self::ResultChanged { .. } => format!("the same inputs and parameters gave a different result: {}", change()),
            Self::Forced => "forced".into(),
            Self::Failed(error) => error.clone(),
            Self::Foreign(words) => words.kind.clone(),
        }
    }
}

impl From<Reason> for Words {
    fn from(reason: Reason) -> Self {
        let (old, new) = reason.change();
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Self { kind: reason.kind().to_owned(), name: owned(reason.name()), old: owned(old), new: owned(new) }
    }
}

impl From<Words> for Reason {
    fn from(words: Words) -> Self {
        let kind = words.kind.clone();
        match (kind.as_str(), words) {
            ("never_built", _) => Self::NeverBuilt,
            ("record_missing", _) => Self::RecordMissing,
            ("blob_missing", _) => Self::BlobMissing,
            ("blob_corrupt", _) => Self::BlobCorrupt,
            ("forced", _) => Self::Forced,
            ("result_changed", Words { old, new, .. }) => Self::ResultChanged { old, new },
            ("upstream_stale", Words { name: Some(name), .. }) => Self::UpstreamStale(name),
            ("output_missing", Words { name: Some(name), .. }) => Self::OutputMissing(name),
            ("unchecked", Words { name: Some(name), .. }) => Self::Unchecked(name),
            ("failed", Words { name: Some(name), .. }) => Self::Failed(name),
            ("input_changed", Words { name: Some(name), old, new, .. }) => Self::InputChanged(Change { name, old, new }),
            ("upstream_changed", Words { name: Some(name), old, new, .. }) => Self::UpstreamChanged(Change { name, old, new }),
            ("param_changed", Words { name: Some(name), old, new, .. }) => Self::ParamChanged(Change { name, old, new }),
            ("stage_version_changed", Words { name: Some(name), old, new, .. }) => Self::StageVersionChanged(Change { name, old, new }),
            ("output_modified", Words { name: Some(name), old, new, .. }) => Self::OutputModified(Change { name, old, new }),
            (_, words) => Self::Foreign(words),
        }
    }
}

/// Parameters that no manifest has: they follow from others, or from the version of the program.
const DERIVED: [&str; 3] = ["format", "held_out", "selection"];

/// How many digits of a digest are shown.
const SHOWN_DIGITS: usize = 12;

/// All differences between the last build's preimage and the present one, the most telling first. Empty when they are equal.
///
/// `file` names the file behind an input, for inputs that are files.
pub fn compare(old: &Preimage, new: &Preimage, file: impl Fn(&str) -> Option<String>) -> Vec<Reason> {
    let (old, new) = (old.to_value(), new.to_value());
    let mut reasons = Vec::new();
    let mut params = differences(&old["params"], &new["params"]);
    // What follows from another parameter explains less than that one. The sort is stable.
    params.sort_by_key(|(name, _, _)| DERIVED.contains(&name.as_str()));
    for (name, old, new) in params {
        reasons.push(Reason::ParamChanged(Change { name, old: old.map(|v| show(&v)), new: new.map(|v| show(&v)) }));
    }
    let mut upstream = Vec::new();
    for (name, old, new) in differences(&old["inputs"], &new["inputs"]) {
        let short = |digest: Option<Value>| digest.and_then(|d| d.as_str().map(|d| d.chars().take(SHOWN_DIGITS).collect::<String>()));
        let (old, new) = (short(old), short(new));
        match file(&name) {
            Some(path) => reasons.push(Reason::InputChanged(Change { name: path, old, new })),
            None => upstream.push(Reason::UpstreamChanged(Change { name, old, new })),
        }
    }
    reasons.extend(upstream);
    for name in ["stage_version", "key_schema"] {
        if old[name] != new[name] {
            let (old, new) = (Some(show(&old[name])), Some(show(&new[name])));
            reasons.push(Reason::StageVersionChanged(Change { name: name.into(), old, new }));
        }
    }
    reasons
}

type Difference = (String, Option<Value>, Option<Value>);

/// Members that differ, by name.
fn differences(old: &Value, new: &Value) -> Vec<Difference> {
    let empty = serde_json::Map::new();
    let (old, new) = (old.as_object().unwrap_or(&empty), new.as_object().unwrap_or(&empty));
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.sort();
    names.dedup();
    names
        .into_iter()
        .filter(|name| old.get(*name) != new.get(*name))
        .map(|name| (name.clone(), old.get(name).cloned(), new.get(name).cloned()))
        .collect()
}

fn show(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests;
