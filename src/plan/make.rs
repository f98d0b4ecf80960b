//! From resolved nets to nodes and edges.

use std::collections::HashMap;

use petgraph::graph::{DiGraph, NodeIndex};

use super::{Facts, FileNode, Graph, Node};
use crate::error::{Error, Result};
use crate::family::{self, Planned, Steps};
use crate::manifest::{FilePath, Located, Manifest, Output, ResolvedNet, Span};
use crate::stage::{Action, Role, Stage};

/// What is to be done for one net.
#[derive(Debug, Clone)]
pub struct NetPlan {
    /// The net's name.
    pub name: String,
    /// Its place in the manifest.
    pub span: Span,
    /// Its actions, inputs before those that use them.
    pub actions: Vec<NodeIndex>,
    /// The files that it publishes, with the write action that makes each.
    pub outputs: Vec<(Output, NodeIndex)>,
    /// The search whose result it uses, if it is optimized.
    pub search: Option<NodeIndex>,
    /// The net as the manifest has it, where its outputs need more than a write: provenance, or the check of a place of publication.
    pub release: Option<Box<ResolvedNet>>,
}

/// Makes the graph of `nets` from what is known of their sources. Looks at no file.
///
/// # Errors
/// When a net asks for what no file can hold, such as a permuted float network; as a diagnostic in the manifest.
pub fn plan(manifest: &Manifest, nets: &[&ResolvedNet], facts: &Facts) -> Result<Graph> {
    let graph = Graph { dag: DiGraph::new(), nets: Vec::new() };
    let mut planner = Planner { manifest, facts, graph, known: HashMap::new() };
    for net in nets {
        planner.add(net)?;
    }
    Ok(planner.graph)
}

struct Planner<'a> {
    manifest: &'a Manifest,
    facts: &'a Facts,
    graph: Graph,
    /// Nodes by what they are: equal actions on equal inputs are one node.
    known: HashMap<String, NodeIndex>,
}

impl Planner<'_> {
    fn add(&mut self, net: &ResolvedNet) -> Result<()> {
        let path = &net.source.path.value.resolved;
        let facts = self.facts.of(net);
        let facts = facts.ok_or_else(|| Error::new(format!("`{}` was not looked at: this is a bug in nnue", path.display())))?;
        let manifest = self.manifest;
        let mut steps = NetSteps { planner: self, net: &net.name, actions: Vec::new() };
        let Planned { outputs, search } = family::of(facts.family).plan(manifest, net, facts, &mut steps)?;
        let actions = steps.actions;
        let has_more = net.release.provenance.value || net.release.publish.is_some();
        let release = has_more.then(|| Box::new(net.clone()));
        self.graph.nets.push(NetPlan { name: net.name.clone(), span: net.span, actions, outputs, search, release });
        Ok(())
    }
}

/// The nodes of one net.
struct NetSteps<'p, 'a, 'n> {
    planner: &'p mut Planner<'a>,
    net: &'n str,
    /// Its actions, in the order in which they were made.
    actions: Vec<NodeIndex>,
}

impl Steps for NetSteps<'_, '_, '_> {
    /// One node for each path and pin.
    fn file(&mut self, path: &Located<FilePath>, pin: Option<&Located<String>>) -> NodeIndex {
        let identity = format!("file {} {}", path.value.resolved.display(), pin.map_or("", |pin| &pin.value));
        let Planner { graph, known, .. } = &mut *self.planner;
        let node = || Node::File(FileNode { path: path.value.clone(), span: path.span, pin: pin.cloned() });
        *known.entry(identity).or_insert_with(|| graph.dag.add_node(node()))
    }

    /// A write action is the net's own: a place that one net cannot write to, or may not publish in, is not a failure of the other.
    fn action(&mut self, action: Action, inputs: &[(Role, NodeIndex)]) -> NodeIndex {
        let stage = action.stage();
        let mut identity = format!("{stage} {}", serde_json::Value::Object(action.params()));
        if stage == Stage::Write {
            identity.push_str(&format!(" of {}", self.net));
        }
        for (role, input) in inputs {
            identity.push_str(&format!(" {role}={}", input.index()));
        }
        let Planner { graph, known, .. } = &mut *self.planner;
        let node = *known.entry(identity).or_insert_with(|| {
            let node = graph.dag.add_node(Node::Action(action));
            for (role, input) in inputs {
                graph.dag.add_edge(*input, node, *role);
            }
            node
        });
        if !self.actions.contains(&node) {
            self.actions.push(node);
        }
        node
    }
}
