//! From resolved nets to nodes and edges.

use std::collections::HashMap;

use petgraph::graph::{DiGraph, NodeIndex};

use super::{Facts, FileNode, Graph, Node};
use crate::error::{Error, Kind, Result};
use crate::format::nnue::Expectation;
use crate::manifest::{self, Claims, FilePath, Located, Manifest, Output, OutputKind, ResolvedNet, Span};
use crate::stage::{Action, Gather, Load, Quantize, Role, Search, Write};
use crate::words::{Algorithm, FileFormat};

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
        let mut actions = Vec::new();
        let source = &net.source;
        let file = self.file(&source.path.value, source.path.span, source.sha256.clone());
        let loaded =
            self.action(&mut actions, Action::Load(Box::new(Load { expected: expectation(&source.claims) })), &[(Role::Source, file)]);
        let is_float = self.facts.of(&source.path.value.resolved).is_some_and(|facts| facts.is_float);
        let quantized = if is_float {
            let coalesced = self.action(&mut actions, Action::Coalesce, &[(Role::Network, loaded)]);
            self.action(&mut actions, Action::Quantize(Quantize { overflow: source.claims.overflow.value }), &[(Role::Network, coalesced)])
        } else {
            loaded
        };
        let search =
            net.optimize.as_ref().filter(|_| net.permutation.is_none()).map(|optimize| self.search(&mut actions, optimize, quantized));
        let given = net.permutation.as_ref().map(|path| self.file(&path.value, path.span, None));
        let permutation = given.or(search);
        let permuted = match permutation {
            Some(permutation) => {
                self.action(&mut actions, Action::Permute, &[(Role::Network, quantized), (Role::Permutation, permutation)])
            }
            None => quantized,
        };
        let mut outputs = Vec::new();
        for output in &net.outputs {
            let format = format_of(output.kind);
            let from = match (format, permutation) {
                (FileFormat::Nnue, _) => permuted,
                (FileFormat::Pt | FileFormat::Safetensors | FileFormat::Npz, Some(_)) => return Err(self.permuted_floats(net, output)),
                // Float weights are carried over as they were trained.
                (FileFormat::Pt | FileFormat::Safetensors | FileFormat::Npz, None) => loaded,
            };
            let params = Write {
                format,
                compression: net.compression.value,
                source_compression: self.facts.of(&source.path.value.resolved).and_then(|facts| facts.compression),
                description: net.description.as_ref().map(|text| text.value.clone()),
            };
            let write = self.write(&mut actions, &net.name, Action::Write(params), from);
            outputs.push((output.clone(), write));
        }
        let has_more = net.release.provenance.value || net.release.publish.is_some();
        let release = has_more.then(|| Box::new(net.clone()));
        self.graph.nets.push(NetPlan { name: net.name.clone(), span: net.span, actions, outputs, search, release });
        Ok(())
    }

    /// Gather and search; the search's node.
    fn search(&mut self, actions: &mut Vec<NodeIndex>, optimize: &manifest::ResolvedOptimize, network: NodeIndex) -> NodeIndex {
        let mut inputs = vec![(Role::Network, network)];
        for (place, (index, path)) in (0..).zip(optimize.data.paths.iter().enumerate()) {
            let pin = optimize.data.sha256.get(index).cloned();
            inputs.push((Role::Data(place), self.file(&path.value, path.span, pin)));
        }
        let gather = Action::Gather(Box::new(Gather {
            positions: optimize.positions.value,
            seed: optimize.seed.value,
            filters: optimize.filters.value.clone(),
        }));
        let matrix = self.action(actions, gather, &inputs);
        self.action(actions, Action::Search(search_params(optimize)), &[(Role::Matrix, matrix)])
    }

    fn permuted_floats(&self, net: &ResolvedNet, output: &Output) -> Error {
        self.manifest
            .diagnostic(
                output.path.span,
                &format!("net `{}` is permuted, but `{}` holds float weights", net.name, output.path.value.typed),
                "a permutation is applied to integer weights only",
                "the trainer's tool ignores the permutation here, which gives another network than the `.nnue` file beside it",
                "give the float file a net of its own, without `permutation` and `optimize`",
            )
            .kind_is(Kind::Usage)
    }

    /// The node of a file; one for each path and pin.
    fn file(&mut self, path: &FilePath, span: Span, pin: Option<Located<String>>) -> NodeIndex {
        let identity = format!("file {} {}", path.resolved.display(), pin.as_ref().map_or("", |pin| &pin.value));
        let dag = &mut self.graph.dag;
        *self.known.entry(identity).or_insert_with(|| dag.add_node(Node::File(FileNode { path: path.clone(), span, pin })))
    }

    /// The node of an action; equal ones are shared. `actions` gets it at the end, once.
    fn action(&mut self, actions: &mut Vec<NodeIndex>, action: Action, inputs: &[(Role, NodeIndex)]) -> NodeIndex {
        let identity = format!("{} {}", action.stage().name(), serde_json::Value::Object(action.params()));
        self.node(actions, identity, action, inputs)
    }

    /// The node of a write action. Each net has its own, also where another writes the same bytes: a place that one net cannot write to, or
    /// may not publish in, is no failure of the other.
    fn write(&mut self, actions: &mut Vec<NodeIndex>, net: &str, action: Action, network: NodeIndex) -> NodeIndex {
        let identity = format!("write {} of {net}", serde_json::Value::Object(action.params()));
        self.node(actions, identity, action, &[(Role::Network, network)])
    }

    fn node(&mut self, actions: &mut Vec<NodeIndex>, mut identity: String, action: Action, inputs: &[(Role, NodeIndex)]) -> NodeIndex {
        for (role, input) in inputs {
            identity.push_str(&format!(" {role}={}", input.index()));
        }
        let node = match self.known.get(&identity) {
            Some(node) => *node,
            None => {
                let node = self.graph.dag.add_node(Node::Action(action));
                for (role, input) in inputs {
                    self.graph.dag.add_edge(*input, node, *role);
                }
                self.known.insert(identity, node);
                node
            }
        };
        if !actions.contains(&node) {
            actions.push(node);
        }
        node
    }
}

pub(super) fn expectation(claims: &Claims) -> Expectation {
    let size = |size: &Option<Located<u32>>| size.as_ref().map(|size| size.value as usize);
    Expectation {
        features: claims.features.as_ref().map(|features| features.value.clone()),
        l1: size(&claims.l1),
        l2: size(&claims.l2),
        l3: size(&claims.l3),
        architecture: claims.architecture.as_ref().map(|generation| generation.value),
        quantization: claims.quantization.as_ref().map(|scales| scales.value),
    }
}

fn search_params(optimize: &manifest::ResolvedOptimize) -> Search {
    match optimize.algorithm.value {
        Algorithm::Greedy => Search::default(),
        Algorithm::Anneal => {
            Search { algorithm: Algorithm::Anneal, seed: optimize.seed.value, moves: optimize.moves.as_ref().map(|moves| moves.value) }
        }
    }
}

pub(super) const fn format_of(kind: OutputKind) -> FileFormat {
    match kind {
        OutputKind::Folder | OutputKind::Nnue => FileFormat::Nnue,
        OutputKind::Pt => FileFormat::Pt,
        OutputKind::Safetensors => FileFormat::Safetensors,
        OutputKind::Npz => FileFormat::Npz,
    }
}
