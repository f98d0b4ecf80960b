//! Why an action has to run: the difference between its key's preimage and that of the last build, in words of the manifest.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cache::Preimage;

/// One reason. `kind` is one of the words below; `old` and `new` are what changed, where something did.
///
/// | kind | meaning |
/// | --- | --- |
/// | `never_built` | there is no earlier build of this stage of this net |
/// | `input_changed` | the content of a file changed |
/// | `upstream_changed` | an earlier stage gave another result |
/// | `upstream_stale` | an earlier stage has to run first; its result may turn out to be the same |
/// | `param_changed` | a parameter of the manifest changed |
/// | `stage_version_changed` | this version of the program computes the stage in another way |
/// | `record_missing` | the cache has no record of it any more |
/// | `blob_missing` | the cache has lost the result |
/// | `blob_corrupt` | the result in the cache was damaged; it was removed |
/// | `output_missing` | a published file is not there |
/// | `output_modified` | a published file was changed |
/// | `unchecked` | a published file was not checked yet by the rules of the place where it is to be published |
/// | `result_changed` | the same inputs and parameters gave another result: only in comparisons of two builds |
/// | `forced` | `--force` |
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// One of the words of the table.
    pub kind: String,
    /// What changed: a parameter, an input, a path.
    pub name: Option<String>,
    /// What it was.
    pub old: Option<String>,
    /// What it is.
    pub new: Option<String>,
}

impl Reason {
    /// A reason without values.
    pub fn of(kind: &str) -> Self {
        Self { kind: kind.to_owned(), name: None, old: None, new: None }
    }

    /// A reason about `name`.
    pub fn about(kind: &str, name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..Self::of(kind) }
    }

    /// One line for people.
    pub fn text(&self) -> String {
        let name = self.name.as_deref().unwrap_or("?");
        let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
        let change = || format!("{} → {}", value(&self.old), value(&self.new));
        match self.kind.as_str() {
            "never_built" => "never built before".into(),
            "input_changed" => format!("`{name}` changed: {}", change()),
            "upstream_changed" => format!("the result of an earlier stage (`{name}`) changed: {}", change()),
            "upstream_stale" => format!("waits for {name}"),
            "param_changed" => format!("`{name}` changed: {}", change()),
            "stage_version_changed" => format!("this version of nnue computes the stage in another way ({})", change()),
            "record_missing" => "the cache has no record of it any more".into(),
            "blob_missing" => "its result is missing from the cache".into(),
            "blob_corrupt" => "its result in the cache was damaged".into(),
            "output_missing" => format!("`{name}` is missing"),
            "output_modified" => format!("`{name}` was changed: {}", change()),
            "unchecked" => format!("`{name}` was not checked for its publication yet"),
            "result_changed" => format!("the same inputs and parameters gave another result: {}", change()),
            "forced" => "forced".into(),
            other => other.to_owned(),
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
        reasons.push(Reason { kind: "param_changed".into(), name: Some(name), old: old.map(|v| show(&v)), new: new.map(|v| show(&v)) });
    }
    let mut upstream = Vec::new();
    for (name, old, new) in differences(&old["inputs"], &new["inputs"]) {
        let short = |digest: Option<Value>| digest.and_then(|d| d.as_str().map(|d| d.chars().take(SHOWN_DIGITS).collect::<String>()));
        let (old, new) = (short(old), short(new));
        match file(&name) {
            Some(path) => reasons.push(Reason { kind: "input_changed".into(), name: Some(path), old, new }),
            None => upstream.push(Reason { kind: "upstream_changed".into(), name: Some(name), old, new }),
        }
    }
    reasons.extend(upstream);
    for name in ["stage_version", "key_schema"] {
        if old[name] != new[name] {
            let (old, new) = (Some(show(&old[name])), Some(show(&new[name])));
            reasons.push(Reason { kind: "stage_version_changed".into(), name: Some(name.into()), old, new });
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
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn parameters_come_first_with_old_and_new_values() {
        let old =
            Preimage::of(&json!({"params": {"positions": 10, "seed": 0, "held_out": 10}, "inputs": {"network": "aa", "data.0": "bb"}, "stage_version": 1}))
                .unwrap();
        let new =
            Preimage::of(&json!({"params": {"positions": 20, "seed": 0, "held_out": 20}, "inputs": {"network": "ac", "data.0": "bc"}, "stage_version": 1}))
                .unwrap();
        let reasons = compare(&old, &new, |name| name.starts_with("data").then(|| "fish.binpack".to_owned()));
        let kinds: Vec<(&str, &str)> = reasons.iter().map(|reason| (reason.kind.as_str(), reason.name.as_deref().unwrap())).collect();
        let params = [("param_changed", "positions"), ("param_changed", "held_out")];
        assert_eq!(kinds[..2], params, "what the manifest has comes first");
        assert_eq!(kinds[2..], [("input_changed", "fish.binpack"), ("upstream_changed", "network")]);
        assert_eq!((reasons[0].old.as_deref(), reasons[0].new.as_deref()), (Some("10"), Some("20")));
        assert!(compare(&new, &new, |_| None).is_empty());
    }
}
