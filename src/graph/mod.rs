//! Manifest → DAG of actions: which stage runs on which inputs with which parameters, and what the key of each action is made of.
//!
//! Actions are shared: two nets that load one source, or gather over the same positions, meet in one node. Nothing here runs a stage or
//! asks the cache.

mod plan;
mod reason;
mod render;

pub use plan::{NetPlan, plan};
pub use reason::{Reason, compare};
pub use render::{Format, render};

use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;
use serde_json::{Map, Value, json};

use crate::cache::Preimage;
use crate::error::{Error, Result};
use crate::files::Blake3;
use crate::format::nnue::{Compression, Expectation};
use crate::manifest::{FilePath, Located, Span};
use crate::permutation::{Algorithm, SearchParams};
use crate::positions::{Filters, SELECTION_RULE, Setting};
use crate::stages::quantize::Overflow;

/// Part of every preimage: changes with the meaning of its members, so that no key of another meaning is ever met.
pub const KEY_SCHEMA: u32 = 1;

/// The stages, in the order in which a net passes through them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// File → network.
    Load,
    /// Virtual features and factors folded in.
    Coalesce,
    /// Float → integer.
    Quantize,
    /// Positions → activation matrix.
    Gather,
    /// Activation matrix → permutation.
    Search,
    /// Neurons reordered.
    Permute,
    /// Network → bytes of a file.
    Write,
}

impl Stage {
    /// All of them.
    pub const ALL: [Self; 7] = [Self::Load, Self::Coalesce, Self::Quantize, Self::Gather, Self::Search, Self::Permute, Self::Write];

    /// The design's word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Coalesce => "coalesce",
            Self::Quantize => "quantize",
            Self::Gather => "gather",
            Self::Search => "search",
            Self::Permute => "permute",
            Self::Write => "write",
        }
    }

    /// Raised whenever the stage gives other bytes for the same inputs and parameters: old results are not used any more then.
    pub const fn version(self) -> u32 {
        1
    }

    /// Whether the result is worth its place in the cache; the others are cheap to compute again and only recorded by their digest.
    pub const fn is_stored(self) -> bool {
        matches!(self, Self::Gather | Self::Search)
    }
}

/// What a write action writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Target {
    /// `.nnue`.
    Nnue(Compression),
    /// `.pt`, a state dict.
    Pt,
    /// `.safetensors`.
    Safetensors,
    /// `.npz`.
    Npz,
}

/// A stage with its parameters.
#[derive(Debug, Clone)]
pub enum Operation {
    /// Load, with what the user asserts.
    Load(Box<Expectation>),
    /// Coalesce.
    Coalesce,
    /// Quantize.
    Quantize(Overflow),
    /// Gather over so many positions.
    Gather {
        /// Exact number.
        positions: u64,
        /// Of the choice.
        seed: u64,
        /// Which positions count.
        filters: Box<Filters>,
    },
    /// Search.
    Search(SearchParams),
    /// Permute.
    Permute,
    /// Write.
    Write {
        /// What kind of file.
        target: Target,
        /// Replaces the network's own.
        description: Option<String>,
    },
}

impl Operation {
    /// The stage.
    pub fn stage(&self) -> Stage {
        match self {
            Self::Load(_) => Stage::Load,
            Self::Coalesce => Stage::Coalesce,
            Self::Quantize(_) => Stage::Quantize,
            Self::Gather { .. } => Stage::Gather,
            Self::Search(_) => Stage::Search,
            Self::Permute => Stage::Permute,
            Self::Write { .. } => Stage::Write,
        }
    }

    /// The parameters as they enter the key: resolved values only, no paths, no spelling.
    pub fn params(&self) -> Value {
        match self {
            Self::Load(expected) => {
                let mut params = Map::new();
                let mut put = |name: &str, value: Option<Value>| {
                    if let Some(value) = value {
                        params.insert(name.to_owned(), value);
                    }
                };
                put("features", expected.features.as_ref().map(|features| json!(features)));
                put("l1", expected.l1.map(|l1| json!(l1)));
                put("l2", expected.l2.map(|l2| json!(l2)));
                put("l3", expected.l3.map(|l3| json!(l3)));
                put("architecture", expected.architecture.map(|generation| json!(generation.name)));
                put("quantization", expected.quantization.map(|quantization| json!(quantization.name)));
                Value::Object(params)
            }
            Self::Coalesce | Self::Permute => json!({}),
            Self::Quantize(overflow) => json!({"overflow": overflow.name()}),
            Self::Gather { positions, seed, filters } => {
                let mut params = Map::new();
                params.insert("positions".into(), json!(positions));
                params.insert("seed".into(), json!(seed));
                params.insert("selection".into(), json!(SELECTION_RULE));
                params.insert("held_out".into(), json!(held_out(*positions)));
                let filters = filter_params(filters);
                if !filters.is_empty() {
                    params.insert("filters".into(), Value::Object(filters));
                }
                Value::Object(params)
            }
            Self::Search(params) => search_params(params),
            Self::Write { target, description } => {
                let mut params = Map::new();
                match target {
                    Target::Nnue(compression) => {
                        params.insert("format".into(), json!("nnue"));
                        params.insert("compression".into(), json!(compression.name()));
                    }
                    Target::Pt => drop(params.insert("format".into(), json!("pt"))),
                    Target::Safetensors => drop(params.insert("format".into(), json!("safetensors"))),
                    Target::Npz => drop(params.insert("format".into(), json!("npz"))),
                }
                if let Some(description) = description {
                    params.insert("description".into(), json!(description));
                }
                Value::Object(params)
            }
        }
    }
}

/// Positions beside those of the search, on which its result is judged: as many again, up to 10,000.
pub const fn held_out(positions: u64) -> u64 {
    if positions < 10_000 { positions } else { 10_000 }
}

/// The filters that are on. Those that are off are left out, so that a key says nothing of filters which nobody asked for.
pub(crate) fn filter_params(filters: &Filters) -> Map<String, Value> {
    let value = |setting| match setting {
        Setting::Flag(on) => json!(on),
        Setting::Whole(number) => json!(number),
        // Keys hold no floats: the shortest decimal that gives the number back stands for it. Adding 0 makes -0 the 0 that it acts as.
        Setting::Share(share) => json!(format!("{}", share + 0.0)),
    };
    filters.on().map(|(filter, setting)| (filter.name.to_owned(), value(setting))).collect()
}

/// Only what decides the result: greedy draws no random numbers, so its seed is no part of the key.
fn search_params(params: &SearchParams) -> Value {
    let mut members = Map::new();
    members.insert("algorithm".into(), json!(params.algorithm.name()));
    if params.algorithm == Algorithm::Anneal {
        members.insert("seed".into(), json!(params.seed));
        if let Some(moves) = params.moves {
            members.insert("moves".into(), json!(moves));
        }
    }
    Value::Object(members)
}

/// A file that an action reads.
#[derive(Debug, Clone)]
pub struct FileNode {
    /// Where it is.
    pub path: FilePath,
    /// Its place in the manifest, for diagnostics.
    pub span: Span,
    /// The SHA-256 that it must have.
    pub pin: Option<Located<String>>,
}

/// A node of the graph.
#[derive(Debug, Clone)]
pub enum Node {
    /// A leaf.
    File(FileNode),
    /// An action.
    Action(Operation),
}

/// The graph. An edge leads from an input to the action that reads it and carries the input's name in the key.
#[derive(Debug, Clone)]
pub struct Graph {
    /// Files and actions.
    pub dag: DiGraph<Node, String>,
    /// One a net, in the manifest's order.
    pub nets: Vec<NetPlan>,
}

impl Graph {
    /// The inputs of an action with their names, in the order in which they were added.
    pub fn inputs(&self, node: NodeIndex) -> Vec<(&str, NodeIndex)> {
        let mut edges: Vec<_> = self.dag.edges_directed(node, Direction::Incoming).collect();
        edges.sort_by_key(|edge| edge.id());
        edges.into_iter().map(|edge| (edge.weight().as_str(), edge.source())).collect()
    }

    /// The input of that name.
    pub fn input(&self, node: NodeIndex, name: &str) -> Option<NodeIndex> {
        self.inputs(node).into_iter().find(|(other, _)| *other == name).map(|(_, input)| input)
    }

    /// The operation of an action; `None` for files.
    pub fn operation(&self, node: NodeIndex) -> Option<&Operation> {
        match &self.dag[node] {
            Node::Action(operation) => Some(operation),
            Node::File(_) => None,
        }
    }

    /// The preimage of an action's key, given the digests of its inputs.
    ///
    /// # Errors
    /// Never for the parameters of this crate, which hold no floats.
    pub fn preimage(&self, node: NodeIndex, digest: impl Fn(NodeIndex) -> Option<Blake3>) -> Result<Option<Preimage>> {
        if self.operation(node).is_none() || self.inputs(node).iter().any(|(_, input)| digest(*input).is_none()) {
            return Ok(None);
        }
        self.partial_preimage(node, digest).map(Some)
    }

    /// As [`Self::preimage`], with null for inputs whose digest is not known yet: to be shown, not to be looked up.
    ///
    /// # Errors
    /// As [`Self::preimage`]; and for a file, which has none.
    pub fn partial_preimage(&self, node: NodeIndex, digest: impl Fn(NodeIndex) -> Option<Blake3>) -> Result<Preimage> {
        let operation = self.operation(node).ok_or_else(|| Error::new("a file has no key"))?;
        let digests = self.inputs(node).into_iter().map(|(name, input)| (name.to_owned(), json!(digest(input).map(|it| it.to_string()))));
        let inputs: Map<String, Value> = digests.collect();
        let stage = operation.stage();
        Preimage::of(&json!({
            "key_schema": KEY_SCHEMA,
            "stage": stage.name(),
            "stage_version": stage.version(),
            "params": operation.params(),
            "inputs": inputs,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gather(filters: Filters) -> String {
        let params = Operation::Gather { positions: 200, seed: 7, filters: Box::new(filters) }.params();
        Preimage::of(&params).unwrap().as_str().to_owned()
    }

    #[test]
    fn filters_are_in_the_key_only_where_they_are_on() {
        // As it was before there were filters: caches and lock files stay good.
        assert_eq!(gather(Filters::default()), r#"{"held_out":200,"positions":200,"seed":7,"selection":1}"#);
        let all = Filters {
            filtered: true,
            wld_filtered: true,
            random_fen_skipping: 3,
            early_fen_skipping: 0,
            simple_eval_skipping: 500,
            max_score: Some(65535),
            max_ply: Some(0),
            pc_y1: Some(0.1),
            pc_y2: Some(-0.0),
            pc_y3: Some(1e6),
        };
        let filters = r#"{"early_fen_skipping":0,"filtered":true,"max_ply":0,"max_score":65535,"pc_y1":"0.1","pc_y2":"0","pc_y3":"1000000","random_fen_skipping":3,"simple_eval_skipping":500,"wld_filtered":true}"#;
        assert_eq!(gather(all), format!(r#"{{"filters":{filters},"held_out":200,"positions":200,"seed":7,"selection":1}}"#));
    }
}
