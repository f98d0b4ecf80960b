//! Where a published file comes from, as a statement that other tools read: an in-toto Statement v1 with the predicate SLSA
//! Provenance v1, one JSON file beside each output.
//!
//! The bytes follow from the manifest, the content of the files that it names and the version of this program alone: no times, hosts,
//! users, absolute paths of our own making, numbers of threads. The statement is not signed; whoever publishes it may sign it.
//!
//! # The build type `urn:nnue:build:v1`
//! `externalParameters`, what the user asked for:
//!
//! | member | type | meaning |
//! | --- | --- | --- |
//! | `net` | string | the net's name in the manifest |
//! | `manifest` | string | the manifest's file name; its folder is what all paths are relative to |
//! | `overrides` | strings | `--set` of the command line, as typed, those that concern this net; left out when there is none |
//! | `source` | object | `path`; what the manifest says of the file (`features`, `l1`, `l2`, `l3`, `architecture`, `quantization`, `sha256`), where it does; `overflow` |
//! | `description` | string | text for the file's header, where given |
//! | `compression` | string | `auto`, `leb128` or `none`, of `.nnue` files |
//! | `outputs` | strings | all outputs of the net, as typed; the subject is one of them |
//! | `permutation` | string | path of a permutation that was applied |
//! | `optimize` | object | `data` (paths), `positions`, `seed`, `algorithm`, `moves` or `effort` where given, `filters` that are on |
//! | `blend`, `heads`, `fold`, `encoding`, `view`, `onnx`, `metadata` | as in the manifest | what is done to a network of lc0, where given |
//! | `prove` | object | where the file was proven: `data` (paths), `positions`, `seed`; `maxError`, `meanError` where given |
//! | `license`, `publish` | string | where given |
//!
//! `internalParameters`, what the program made of it: `keySchema` and `stages`, in order, each with `stage`, `version`, `params` and
//! `key`: those stages only on which the subject depends, and `prove`, which looks at it; `engine` is none, since it depends on the machine.
//!
//! `resolvedDependencies`: every file that was read. `name` is the path as the manifest has it, `uri` is `file:` and that path
//! percent-encoded (relative to the manifest's folder; `file:///…` for a path that is absolute in the manifest), `digest.sha256` is that
//! of its content, `annotations.role` is `manifest`, `source` (further parts of a split one `source.1` …), `data` or `permutation`. What another net of the manifest published, and
//! this one is made from, has also `net`: `net:` and its name. Data has also `order` (its place in the
//! stream), `selection` (`rule`, `positions`, `heldOut`, `seed`, `filters`) and `entries`, where the whole stream is one file and all of
//! it was read.
//!
//! `byproducts`: the result of each stage by `digest.blake3` (64 lower-case hexadecimal digits of the 256-bit digest); its small
//! results are annotations: `entries`, `inCheck`, `filtered`, `chunksVisited`, `chunks`, `lookedAt` (positions whose sums were looked at) and
//! `overflow` (of these sums, where there is any) of gather; `train` and `heldOut` (`positions`, `blocks`, `zeroBefore`, `zeroAfter`),
//! `swaps`, `cycles`, `moves` of search; `clamped` and `overflowed` (values by tensor) of quantize;
//! `positions`, `seed`, `values` (the digest of all that was computed) and `quantizationError` (`positions`, `mean`, `max`) of prove,
//! which tells of sums as gather does where there is no gather.
//!
//! To repeat the build: put the dependencies in their places (in place of those with `net` the dependencies of that net) and run `nnue build NET` of that version, with a `--set` for each override.
//!
//! `builder.id` is `urn:nnue:builder:v1`: this program, run by whoever ran it. `builder.version.nnue` is its version.
//!
//! # Limitations
//! The lock file is not a dependency: it says what came out before, and nothing is made from it.

use std::collections::{BTreeSet, HashSet};
use std::io;
use std::path::Path;

use petgraph::graph::NodeIndex;
use serde_json::{Map, Value as Json, json};

use super::lock::LockedFile;
use crate::cache::Key;
use crate::cache::record::ActionResult;
use crate::error::{Error, Result};
use crate::files::{OwnPath, Sha256};
use crate::manifest::{Manifest, Output, ResolvedNet, Source};
use crate::plan::{Change, Graph, KEY_SCHEMA, NetPlan, Node, Reason};
use crate::positions::{SELECTION_RULE, filter_members, held_out};
use crate::stage::{Action, Gather, Outcome, Role, Stored};

/// Type of the statement.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

/// Type of what it says.
pub const PREDICATE_TYPE: &str = "https://slsa.dev/provenance/v1";

/// How the parameters are to be understood: as this module's documentation says.
pub const BUILD_TYPE: &str = "urn:nnue:build:v1";

/// Who built: this program.
pub const BUILDER_ID: &str = "urn:nnue:builder:v1";

/// Digits of a digest in a reason.
const SHOWN_DIGITS: usize = 12;

/// What a statement is made of.
pub(super) struct Facts<'a> {
    pub manifest: &'a Manifest,
    /// Of the manifest's text.
    pub manifest_sha256: Sha256,
    pub graph: &'a Graph,
    pub plan: &'a NetPlan,
    pub net: &'a ResolvedNet,
    /// Key and result of an action.
    pub settled: &'a dyn Fn(NodeIndex) -> Option<(Key, &'a ActionResult)>,
    /// Of a file's content, as it was built from.
    pub sha256: &'a dyn Fn(NodeIndex) -> Result<Sha256>,
    /// What another net published, which this one is made from.
    pub made: &'a dyn Fn(NodeIndex) -> Option<(String, Sha256)>,
}

impl Facts<'_> {
    /// The text of the statement about the file `name`, which `write` made with this SHA-256.
    ///
    /// # Errors
    /// When a file's digest cannot be had.
    pub(super) fn statement(&self, name: &str, sha256: &Sha256, write: NodeIndex) -> Result<String> {
        let actions = self.actions_for(write);
        let statement = json!({
            "_type": STATEMENT_TYPE,
            "subject": [{"name": name, "digest": {"sha256": sha256.to_string()}}],
            "predicateType": PREDICATE_TYPE,
            "predicate": {
                "buildDefinition": {
                    "buildType": BUILD_TYPE,
                    "externalParameters": self.external_parameters(),
                    "internalParameters": self.internal_parameters(&actions)?,
                    "resolvedDependencies": self.dependencies(&actions)?,
                },
                "runDetails": {
                    "builder": {"id": BUILDER_ID, "version": {"nnue": env!("CARGO_PKG_VERSION")}},
                    "byproducts": self.byproducts(&actions)?,
                },
            },
        });
        let text = serde_json::to_string_pretty(&statement).map_err(|error| Error::new("cannot write a provenance file").because(error))?;
        Ok(text + "\n")
    }

    /// The net's actions on which `write` depends, itself and what looks at its file included, in their order.
    fn actions_for(&self, write: NodeIndex) -> Vec<NodeIndex> {
        let needed = self.graph.before(write);
        let is_trial = |action: NodeIndex| {
            let looks = self.graph.input(action, Role::Published) == Some(write);
            looks && self.graph.action(action).is_some_and(|action| action.stage().is_reproducible())
        };
        let concerns = |action: &NodeIndex| needed.contains(action) || is_trial(*action);
        self.plan.actions.iter().copied().filter(concerns).collect()
    }

    fn external_parameters(&self) -> Json {
        let net = self.net;
        let mut members = Map::new();
        let mut put = |name: &str, value: Option<Json>| {
            if let Some(value) = value {
                members.insert(name.to_owned(), value);
            }
        };
        put("net", Some(json!(net.name)));
        put("manifest", Some(json!(self.manifest_name())));
        let overrides: Vec<&str> =
            self.manifest.overrides.iter().filter(|each| self.concerns(each.keys())).map(|each| each.text()).collect();
        put("overrides", (!overrides.is_empty()).then(|| json!(overrides)));
        put("source", Some(source(&net.source)));
        put("description", net.description.as_ref().map(|text| json!(text.value)));
        put("compression", Some(json!(net.compression.value.name())));
        let typed = |output: &Output| output.path.value.typed.clone();
        put("outputs", Some(json!(net.outputs.iter().map(typed).collect::<Vec<_>>())));
        put("permutation", net.permutation.as_ref().map(|path| json!(path.value.typed)));
        put(
            "optimize",
            net.optimize.as_ref().map(|optimize| {
                let data: Vec<&str> = optimize.data.paths.iter().map(|path| path.value.typed.as_str()).collect();
                let mut members = Map::new();
                members.insert("data".into(), json!(data));
                members.insert("positions".into(), json!(optimize.positions.value));
                members.insert("seed".into(), json!(optimize.seed.value));
                members.insert("algorithm".into(), json!(optimize.algorithm.value.name()));
                if let (Some(name), Some(budget)) = (optimize.algorithm.value.budget(), &optimize.budget) {
                    members.insert(name.into(), json!(budget.value));
                }
                let filters = filter_members(&optimize.filters.value);
                if !filters.is_empty() {
                    members.insert("filters".into(), Json::Object(filters));
                }
                Json::Object(members)
            }),
        );
        for (key, value) in net.edits.said() {
            put(key, Some(value));
        }
        put(
            "prove",
            net.prove.as_ref().map(|prove| {
                let data: Vec<&str> = prove.data.paths.iter().map(|path| path.value.typed.as_str()).collect();
                let mut members = Map::new();
                members.insert("data".into(), json!(data));
                members.insert("positions".into(), json!(prove.positions.value));
                members.insert("seed".into(), json!(prove.seed.value));
                for (name, limit) in [("maxError", &prove.max_error), ("meanError", &prove.mean_error)] {
                    members.extend(limit.as_ref().map(|limit| (name.to_owned(), json!(limit.value))));
                }
                Json::Object(members)
            }),
        );
        put("license", net.release.license.as_ref().map(|license| json!(license.value)));
        put("publish", net.release.publish.as_ref().map(|publish| json!(publish.value.name())));
        Json::Object(members)
    }

    /// Whether an override may have changed this net: one of another net, source or data table, of the cache, or of an engine, has not.
    fn concerns<'k>(&self, mut keys: impl Iterator<Item = &'k str>) -> bool {
        let (table, name, key) = (keys.next(), keys.next(), keys.next());
        match (table, name) {
            // Who tries a net with which engine is no part of how it is made.
            (Some("net"), Some(_)) if key == Some("engine") => false,
            (Some("defaults"), Some("engine")) => false,
            (Some("net"), Some(name)) => self.manifest.with_needed(&[self.net]).iter().any(|net| net.is_called(name)),
            (Some("source"), Some(name)) => {
                let nets = self.manifest.with_needed(&[self.net]);
                nets.iter().flat_map(|net| net.sources()).any(|source| source.name.as_deref() == Some(name))
            }
            (Some("data"), Some(name)) => {
                let nets = self.manifest.with_needed(&[self.net]);
                nets.iter().flat_map(|net| net.data()).any(|data| data.name == name)
            }
            // Where results are kept changes none of them.
            (Some("cache"), _) => false,
            _ => true,
        }
    }

    fn internal_parameters(&self, actions: &[NodeIndex]) -> Result<Json> {
        let stages = actions.iter().map(|action| {
            let (operation, (key, _)) = (self.action(*action)?, self.settled(*action)?);
            let stage = operation.stage();
            Ok(json!({"stage": stage.name(), "version": stage.version(), "params": operation.params(), "key": key.to_string()}))
        });
        Ok(json!({"keySchema": KEY_SCHEMA, "stages": stages.collect::<Result<Vec<_>>>()?}))
    }

    fn dependencies(&self, actions: &[NodeIndex]) -> Result<Vec<Json>> {
        let descriptor = |path: &str, sha256: &Sha256, annotations: Json| json!({"name": path, "uri": uri(path), "digest": {"sha256": sha256.to_string()}, "annotations": annotations});
        let mut all = vec![descriptor(&self.manifest_name(), &self.manifest_sha256, json!({"role": "manifest"}))];
        let mut known = HashSet::new();
        for action in actions {
            let mut inputs = self.graph.inputs(*action);
            // Several actions may read a file: the first says what it is to the net.
            inputs.retain(|(_, node)| !known.contains(node));
            known.extend(inputs.iter().map(|(_, node)| *node));
            for (role, node) in inputs {
                let file = match &self.graph.dag[node] {
                    Node::File(file) => file,
                    Node::Action(_) => {
                        if let Some(net) = self.graph.net_behind(self.plan, node)
                            && let Some((path, sha256)) = (self.made)(node)
                        {
                            all.push(descriptor(&path, &sha256, json!({"role": role.to_string(), "net": net})));
                        }
                        continue;
                    }
                };
                let annotations = match role {
                    Role::Data(order) => self.data_annotations(*action, order)?,
                    role => json!({"role": role.to_string()}),
                };
                all.push(descriptor(&file.path.typed, &(self.sha256)(node)?, annotations));
            }
        }
        Ok(all)
    }

    fn data_annotations(&self, gather: NodeIndex, order: u32) -> Result<Json> {
        let mut members = Map::new();
        members.insert("role".into(), json!("data"));
        members.insert("order".into(), json!(order));
        if let Some(Stored::Matrices(gather)) = self.action(gather)?.stored() {
            let Gather { positions, seed, filters } = gather;
            let filters = filter_members(filters);
            let selection =
                json!({"rule": SELECTION_RULE, "positions": positions, "heldOut": held_out(*positions), "seed": seed, "filters": filters});
            members.insert("selection".into(), selection);
        }
        let (_, result) = self.settled(gather)?;
        let is_only = self.graph.inputs(gather).iter().filter(|(role, _)| matches!(role, Role::Data(_))).count() == 1;
        if let Some(sampled) = result.outcome().and_then(Outcome::sampled)
            && is_only
            && sampled.chunks == sampled.chunks_visited
        {
            members.insert("entries".into(), json!(sampled.entries));
        }
        Ok(Json::Object(members))
    }

    fn byproducts(&self, actions: &[NodeIndex]) -> Result<Vec<Json>> {
        let byproducts = actions.iter().map(|action| {
            let (performed, (_, result)) = (self.action(*action)?, self.settled(*action)?);
            let mut descriptor = Map::new();
            descriptor.insert("name".into(), json!(performed.stage().name()));
            descriptor.insert("digest".into(), json!({"blake3": result.output_digest.to_string()}));
            let annotations = result.outcome().map(Outcome::annotations).unwrap_or_default();
            if !annotations.is_empty() {
                descriptor.insert("annotations".into(), Json::Object(annotations));
            }
            Ok(Json::Object(descriptor))
        });
        byproducts.collect()
    }

    fn action(&self, action: NodeIndex) -> Result<&Action> {
        self.graph.action(action).ok_or_else(|| Error::new("a file is not an action"))
    }

    fn settled(&self, action: NodeIndex) -> Result<(Key, &ActionResult)> {
        (self.settled)(action).ok_or_else(|| Error::new("a finished net has an unsettled stage: this is a bug in nnue, please report it"))
    }

    fn manifest_name(&self) -> String {
        self.manifest.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

fn source(source: &Source) -> Json {
    let claims = &source.claims;
    let mut members = Map::new();
    members.insert("path".to_owned(), json!(source.path.value.typed));
    members.extend(claims.said().map(|(key, value, _)| (key.to_owned(), value)));
    members.insert("overflow".to_owned(), json!(claims.overflow.value.name()));
    members.extend(source.sha256.as_ref().map(|pin| ("sha256".to_owned(), json!(pin.value))));
    Json::Object(members)
}

/// A path of the manifest as a URI: relative ones stay relative to the manifest's folder.
fn uri(path: &str) -> String {
    let mut uri = String::from(if path.starts_with('/') { "file://" } else { "file:" });
    for byte in path.bytes() {
        // RFC 3986 takes these in a path as they are; everything else stands for itself only when encoded.
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}

/// A longer file is not a statement that this program wrote.
const MAX_BYTES: u64 = 64 << 20;

/// The bytes of a provenance file.
///
/// # Errors
/// When it is missing, is a link or not a regular file, is too long for one, or cannot be read.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    OwnPath::from(path).read(MAX_BYTES)
}

/// Why a statement that this program wrote is not the one that it would write now. `None` where it cannot tell.
pub(super) fn change(found: &str, expected: &str) -> Option<Reason> {
    let (found, expected): (Json, Json) = (serde_json::from_str(found).ok()?, serde_json::from_str(expected).ok()?);
    let (old, new) = (&found["predicate"], &expected["predicate"]);
    let show = |value: &Json| match value {
        Json::Null => None,
        Json::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    let (old_params, new_params) = (&old["buildDefinition"]["externalParameters"], &new["buildDefinition"]["externalParameters"]);
    let names: BTreeSet<&String> = [old_params, new_params].into_iter().filter_map(Json::as_object).flat_map(Map::keys).collect();
    if let Some(name) = names.into_iter().find(|name| old_params[name.as_str()] != new_params[name.as_str()]) {
        let (old, new) = (show(&old_params[name.as_str()]), show(&new_params[name.as_str()]));
        return Some(Reason::ParamChanged(Change { name: name.clone(), old, new }));
    }
    let version = |predicate: &Json| show(&predicate["runDetails"]["builder"]["version"]["nnue"]);
    if version(old) != version(new) {
        return Some(Reason::ParamChanged(Change { name: "nnue".into(), old: version(old), new: version(new) }));
    }
    let short = |file: &Json| file["digest"]["sha256"].as_str().map(|digest| digest.chars().take(SHOWN_DIGITS).collect::<String>());
    let files = |predicate: &Json| predicate["buildDefinition"]["resolvedDependencies"].as_array().cloned().unwrap_or_default();
    let (old, new) = (files(old), files(new));
    // The manifest stands first and changes most often: it explains only what nothing else does.
    new.iter().rev().find_map(|file| {
        let before = old.iter().find(|before| before["name"] == file["name"])?;
        let name = show(&file["name"]).unwrap_or_default();
        (before["digest"] != file["digest"]).then(|| Reason::InputChanged(Change { name, old: short(before), new: short(file) }))
    })
}

/// Checks a provenance file against the lock: it is about the file `name` with this SHA-256, and its materials are `inputs`.
///
/// # Errors
/// What is wrong with it, for people.
pub(super) fn check(text: &[u8], name: &str, sha256: &str, inputs: &[LockedFile]) -> Result<(), String> {
    let statement: Json = serde_json::from_slice(text).map_err(|error| format!("it is not JSON: {error}"))?;
    for (member, expected) in [("_type", STATEMENT_TYPE), ("predicateType", PREDICATE_TYPE)] {
        if statement[member] != expected {
            return Err(format!("its `{member}` is {}, not `{expected}`", statement[member]));
        }
    }
    let definition = &statement["predicate"]["buildDefinition"];
    if definition["buildType"] != BUILD_TYPE {
        return Err(format!("its `buildType` is {}, not `{BUILD_TYPE}`", definition["buildType"]));
    }
    match statement["subject"].as_array().map(Vec::as_slice) {
        Some([subject]) if subject["name"] == name && subject["digest"]["sha256"] == sha256 => {}
        Some([subject]) => {
            let of = |value: &Json| value.as_str().map_or("nothing".to_owned(), str::to_owned);
            let (found, digest) = (of(&subject["name"]), of(&subject["digest"]["sha256"]));
            return Err(format!("it is about `{found}` with sha256 {digest}, not about `{name}` with {sha256}"));
        }
        _ => return Err("it is not about one file".to_owned()),
    }
    let all = definition["resolvedDependencies"].as_array().ok_or("it names no materials")?;
    let materials: BTreeSet<(&str, &str)> = all
        .iter()
        .filter(|file| file["annotations"]["role"] != "manifest")
        .map(|file| (file["name"].as_str().unwrap_or_default(), file["digest"]["sha256"].as_str().unwrap_or_default()))
        .collect();
    let locked: BTreeSet<(&str, &str)> = inputs.iter().map(|file| (file.path.as_str(), file.sha256.as_str())).collect();
    if let Some((path, sha256)) = locked.difference(&materials).next() {
        let named = materials.iter().find(|(name, _)| name == path).map(|(_, other)| format!("has {other}"));
        let named = named.as_deref().unwrap_or("does not name it");
        return Err(format!("material `{path}`: sha256 {sha256} is locked, the statement {named}"));
    }
    match materials.difference(&locked).next() {
        Some((path, sha256)) => Err(format!("material `{path}` (sha256 {sha256}) is not locked")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
