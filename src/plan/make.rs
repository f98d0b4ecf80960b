//! From resolved nets to nodes and edges.

use std::collections::HashMap;

use petgraph::graph::{DiGraph, NodeIndex};

use super::{Facts, FileNode, Graph, Node};
use crate::error::{Error, Result};
use crate::family::{self, Planned, Steps};
use crate::manifest::{FilePath, Located, Manifest, Output, ResolvedNet, Source, Span};
use crate::stage::{Action, Role, Stage};

/// What is to be done for one net.
#[derive(Debug, Clone)]
pub struct NetPlan {
    /// The net's name.
    pub name: String,
    /// Its place in the manifest.
    pub span: Span,
    /// The nets that it is made from.
    pub needs: Vec<String>,
    /// Its actions, inputs before those that use them.
    pub actions: Vec<NodeIndex>,
    /// The files that it publishes, with the write action that makes each.
    pub outputs: Vec<(Output, NodeIndex)>,
    /// The search whose result it uses, if it is optimized.
    pub search: Option<NodeIndex>,
    /// The net as the manifest has it, where its outputs need more than a write: provenance, or the check of a place of publication.
    pub release: Option<Box<ResolvedNet>>,
}

/// Makes the graph of `nets`, among which are those that others are made from, from what is known of their sources. Looks at no file.
///
/// # Errors
/// When a net asks for what no file can hold, such as a permuted float network; as a diagnostic in the manifest.
pub fn plan(manifest: &Manifest, nets: &[&ResolvedNet], facts: &Facts) -> Result<Graph> {
    let graph = Graph { dag: DiGraph::new(), nets: Vec::new() };
    let mut planner = Planner { manifest, facts, graph, known: HashMap::new(), made: HashMap::new() };
    // What others are made from is planned first; the order of the manifest stays that of the graph's nets.
    let by_name: HashMap<&str, usize> = nets.iter().enumerate().map(|(number, net)| (net.name.as_str(), number)).collect();
    let mut plans: Vec<Option<NetPlan>> = nets.iter().map(|_| None).collect();
    for number in 0..nets.len() {
        let mut way = vec![number];
        while let Some(last) = way.last().copied() {
            let needs = || nets[last].needs().filter_map(|name| by_name.get(name).copied());
            match needs().find(|other| plans[*other].is_none() && !way.contains(other)) {
                Some(other) => way.push(other),
                None => {
                    way.pop();
                    if plans[last].is_none() {
                        plans[last] = Some(planner.add(nets[last])?);
                    }
                }
            }
        }
    }
    planner.graph.nets = plans.into_iter().flatten().collect();
    Ok(planner.graph)
}

struct Planner<'a> {
    manifest: &'a Manifest,
    facts: &'a Facts,
    graph: Graph,
    /// Nodes by what they are: equal actions on equal inputs are one node.
    known: HashMap<String, NodeIndex>,
    /// What others may be made from: of a net the action that writes its first output, and its proofs.
    made: HashMap<String, (NodeIndex, Vec<NodeIndex>)>,
}

impl Planner<'_> {
    fn add(&mut self, net: &ResolvedNet) -> Result<NetPlan> {
        let path = &net.source.path.value.resolved;
        let facts = self.facts.of(net);
        let facts = facts.ok_or_else(|| Error::new(format!("`{}` was not looked at: this is a bug in nnue", path.display())))?;
        let manifest = self.manifest;
        let mut steps = NetSteps { planner: self, net: &net.name, actions: Vec::new() };
        let Planned { outputs, search } = family::of(facts.family).plan(manifest, net, facts, &mut steps)?;
        let actions = steps.actions;
        let proofs = |action: &&NodeIndex| self.graph.action(**action).is_some_and(|action| action.stage() == Stage::Prove);
        let proofs: Vec<NodeIndex> = actions.iter().filter(proofs).copied().collect();
        if let Some((_, write)) = outputs.first() {
            self.made.insert(net.name.clone(), (*write, proofs));
        }
        // What is made from a net that is not what it should be is not published.
        let before: Vec<NodeIndex> = net.needs().filter_map(|name| self.made.get(name)).flat_map(|(_, proofs)| proofs.clone()).collect();
        for (proof, write) in before.iter().flat_map(|proof| outputs.iter().map(move |(_, write)| (*proof, *write))) {
            self.graph.dag.update_edge(proof, write, Role::Proof);
        }
        let needs = net.needs().map(str::to_owned).collect();
        let has_more = net.release.provenance.value || net.release.publish.is_some();
        let release = has_more.then(|| Box::new(net.clone()));
        Ok(NetPlan { name: net.name.clone(), span: net.span, needs, actions, outputs, search, release })
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
    fn source(&mut self, source: &Source) -> NodeIndex {
        let made = source.net.as_ref().and_then(|net| self.planner.made.get(net));
        made.map(|(write, _)| *write).unwrap_or_else(|| self.file(&source.path, source.sha256.as_ref()))
    }

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
