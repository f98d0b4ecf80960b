//! Manifest and facts about its sources → DAG of actions: which stage runs on which inputs with which parameters, and what the key of each action is made of.
//!
//! Actions are shared: two nets that load one source, or gather over the same positions, meet in one node. Nothing here runs a stage or
//! asks the cache.

mod drawing;
mod facts;
mod make;
mod reason;
mod render;

pub use drawing::drawing;
pub use facts::{Facts, assumptions};
pub use make::{NetPlan, plan};
pub use reason::{Change, Reason, compare};
pub use render::{Format, render};

use std::collections::HashSet;

use petgraph::Direction;
use petgraph::algo::toposort;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::{Dfs, EdgeRef, Reversed, Walker};
use serde_json::{Map, Value, json};

use crate::cache::Preimage;
use crate::error::{Error, Result};
use crate::files::Blake3;
use crate::manifest::{FilePath, Located, NET_PREFIX, Span};
use crate::stage::{Action, Role};

/// Part of every preimage: changes with the meaning of its members, so that no key of another meaning is ever met.
pub const KEY_SCHEMA: u32 = 1;

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
    Action(Action),
}

/// The graph. An edge leads from an input to the action that reads it and says what the input is to it.
#[derive(Debug, Clone)]
pub struct Graph {
    /// Files and actions.
    pub dag: DiGraph<Node, Role>,
    /// One a net, in the manifest's order.
    pub nets: Vec<NetPlan>,
}

impl Graph {
    /// The inputs of an action with their roles, in the order in which they were added: what its key is made of.
    pub fn inputs(&self, node: NodeIndex) -> Vec<(Role, NodeIndex)> {
        let mut edges: Vec<_> = self.dag.edges_directed(node, Direction::Incoming).filter(|edge| edge.weight().is_in_key()).collect();
        edges.sort_by_key(|edge| edge.id());
        edges.into_iter().map(|edge| (*edge.weight(), edge.source())).collect()
    }

    /// What an action waits for without reading it.
    pub fn waits_for(&self, node: NodeIndex) -> impl Iterator<Item = NodeIndex> {
        self.dag.edges_directed(node, Direction::Incoming).filter(|edge| !edge.weight().is_in_key()).map(|edge| edge.source())
    }

    /// What an action of another net is called where a net reads its result: `net:NAME`. `None` for a net's own.
    pub fn net_behind(&self, net: &NetPlan, action: NodeIndex) -> Option<String> {
        if net.actions.contains(&action) {
            return None;
        }
        self.owner(action).map(|owner| format!("{NET_PREFIX}{}", owner.name))
    }

    /// The net that an action belongs to which no other net shares: a write or a proof.
    pub fn owner(&self, action: NodeIndex) -> Option<&NetPlan> {
        self.nets.iter().find(|net| net.actions.contains(&action))
    }

    /// The input in that role.
    pub fn input(&self, node: NodeIndex, role: Role) -> Option<NodeIndex> {
        self.inputs(node).into_iter().find(|(other, _)| *other == role).map(|(_, input)| input)
    }

    /// What a net is made from: the inputs of all its actions whose results do not depend on the machine.
    pub fn made_from(&self, net: &NetPlan) -> impl Iterator<Item = NodeIndex> {
        let actions = net.actions.iter().filter(|action| self.action(**action).is_some_and(|action| action.stage().is_reproducible()));
        actions.flat_map(|action| self.inputs(*action)).map(|(_, input)| input)
    }

    /// The trials of a write action: the actions that look at the file that it makes.
    pub fn trials(&self, write: NodeIndex) -> Vec<NodeIndex> {
        let mut edges: Vec<_> = self.dag.edges(write).filter(|edge| *edge.weight() == Role::Published).collect();
        edges.sort_by_key(|edge| edge.id());
        edges.into_iter().map(|edge| edge.target()).collect()
    }

    /// All nodes, inputs before those that use them.
    ///
    /// # Errors
    /// Never for a graph that [`plan`] made.
    pub fn order(&self) -> Result<Vec<NodeIndex>> {
        toposort(&self.dag, None).map_err(|_| Error::new("the graph has a cycle: this is a bug in nnue, please report it"))
    }

    /// The actions by the length of the longest way from a file: those of one level do not wait for each other. `order` is
    /// [`Self::order`].
    pub fn levels(&self, order: &[NodeIndex]) -> Vec<Vec<NodeIndex>> {
        let mut depths = vec![0; self.dag.node_count()];
        let mut levels: Vec<Vec<NodeIndex>> = Vec::new();
        for &node in order.iter().filter(|node| self.action(**node).is_some()) {
            let inputs = self.dag.neighbors_directed(node, Direction::Incoming);
            let depth = inputs.map(|input| depths[input.index()] + usize::from(self.action(input).is_some())).max().unwrap_or(0);
            depths[node.index()] = depth;
            if levels.len() <= depth {
                levels.resize(depth + 1, Vec::new());
            }
            levels[depth].push(node);
        }
        levels
    }

    /// All that a node depends on, itself included.
    pub fn before(&self, node: NodeIndex) -> HashSet<NodeIndex> {
        let reversed = Reversed(&self.dag);
        Dfs::new(reversed, node).iter(reversed).collect()
    }

    /// The action of a node; `None` for files.
    pub fn action(&self, node: NodeIndex) -> Option<&Action> {
        match &self.dag[node] {
            Node::Action(action) => Some(action),
            Node::File(_) => None,
        }
    }

    /// The preimage of an action's key, given the digests of its inputs.
    ///
    /// # Errors
    /// Never for the parameters of this crate, which hold no floats.
    pub fn preimage(&self, node: NodeIndex, digest: impl Fn(NodeIndex) -> Option<Blake3>) -> Result<Option<Preimage>> {
        if self.action(node).is_none() || self.inputs(node).iter().any(|(_, input)| digest(*input).is_none()) {
            return Ok(None);
        }
        self.partial_preimage(node, digest).map(Some)
    }

    /// As [`Self::preimage`], with null for inputs whose digest is not known yet: to be shown, not to be looked up.
    ///
    /// # Errors
    /// As [`Self::preimage`]; and for a file, which has none.
    pub fn partial_preimage(&self, node: NodeIndex, digest: impl Fn(NodeIndex) -> Option<Blake3>) -> Result<Preimage> {
        let action = self.action(node).ok_or_else(|| Error::new("a file has no key"))?;
        preimage_of(action, self.inputs(node).into_iter().map(|(role, input)| (role, digest(input))))
    }
}

/// The preimage of the key of an action on inputs of these digests; null for those that are not known yet.
///
/// # Errors
/// As [`Graph::preimage`].
pub fn preimage_of(action: &Action, inputs: impl IntoIterator<Item = (Role, Option<Blake3>)>) -> Result<Preimage> {
    let digests = inputs.into_iter().map(|(role, digest)| (role.to_string(), json!(digest.map(|digest| digest.to_string()))));
    let inputs: Map<String, Value> = digests.collect();
    let stage = action.stage();
    Preimage::of(&json!({
        "key_schema": KEY_SCHEMA,
        "stage": stage.name(),
        "stage_version": stage.version(),
        "params": action.params(),
        "inputs": inputs,
    }))
}
