//! The actions of a net: load → coalesce → quantize → gather → search → permute → write, as far as its source and its table ask for them.

use petgraph::graph::NodeIndex;

use crate::error::{Error, Kind, Result};
use crate::family::{Planned, SourceFacts, Steps};
use crate::format::sources::FileKind;
use crate::manifest::{Claims, Located, Manifest, Output, OutputKind, ResolvedNet, ResolvedOptimize};
use crate::net::Expectation;
use crate::stage::{Action, Gather, Load, Quantize, Role, Search, Write};
use crate::words::{Algorithm, FileFormat};

/// As [`Family::plan`](crate::family::Family::plan).
pub(super) fn plan(manifest: &Manifest, net: &ResolvedNet, facts: SourceFacts, steps: &mut dyn Steps) -> Result<Planned> {
    let source = &net.source;
    let file = steps.file(&source.path, source.sha256.as_ref());
    let loaded = steps.action(Action::Load(Box::new(Load { expected: expectation(&source.claims) })), &[(Role::Source, file)]);
    let integers = if holds_floats(net, facts) {
        let coalesced = steps.action(Action::Coalesce, &[(Role::Network, loaded)]);
        steps.action(Action::Quantize(Quantize { overflow: source.claims.overflow.value }), &[(Role::Network, coalesced)])
    } else {
        loaded
    };
    let search = net
        .optimize
        .as_ref()
        .filter(|_| net.permutation.is_none())
        .map(|optimize| find(optimize, integers, |gather| Action::Gather(Box::new(gather)), steps));
    let permutation = net.permutation.as_ref().map(|path| steps.file(path, None)).or(search);
    let permuted = match permutation {
        Some(permutation) => steps.action(Action::Permute, &[(Role::Network, integers), (Role::Permutation, permutation)]),
        None => integers,
    };
    let mut outputs = Vec::new();
    for output in &net.outputs {
        let Some(format) = format_of(output.kind) else { return Err(in_layout(manifest, net, output)) };
        let from = match (format, permutation) {
            (FileFormat::Nnue, _) => permuted,
            (FileFormat::Pt | FileFormat::Safetensors | FileFormat::Npz, Some(_)) => return Err(permuted_floats(manifest, net, output)),
            // Float weights are carried over as they were trained.
            (FileFormat::Pt | FileFormat::Safetensors | FileFormat::Npz, None) => loaded,
        };
        let description = net.description.as_ref().map(|text| text.value.clone());
        let write = Action::Write(Write { format, compression: net.compression.value, source_compression: facts.compression, description });
        outputs.push((output.clone(), steps.action(write, &[(Role::Network, from)])));
    }
    Ok(Planned { outputs, search })
}

/// Whether the source holds float weights, which have to be coalesced and quantized; by its name where it cannot be read.
fn holds_floats(net: &ResolvedNet, facts: SourceFacts) -> bool {
    facts.content.map_or_else(|| !net.source.path.value.typed.ends_with(".nnue"), FileKind::holds_floats)
}

/// Gather and search; the search's node. `gather` makes the action that gathers.
pub(in crate::family) fn find(
    optimize: &ResolvedOptimize,
    network: NodeIndex,
    gather: impl FnOnce(Gather) -> Action,
    steps: &mut dyn Steps,
) -> NodeIndex {
    let mut inputs = vec![(Role::Network, network)];
    for (place, (index, path)) in (0..).zip(optimize.data.paths.iter().enumerate()) {
        inputs.push((Role::Data(place), steps.file(path, optimize.data.sha256.get(index))));
    }
    let params = Gather { positions: optimize.positions.value, seed: optimize.seed.value, filters: optimize.filters.value.clone() };
    let matrix = steps.action(gather(params), &inputs);
    steps.action(Action::Search(search_params(optimize)), &[(Role::Matrix, matrix)])
}

fn permuted_floats(manifest: &Manifest, net: &ResolvedNet, output: &Output) -> Error {
    manifest
        .diagnostic(
            output.path.span,
            &format!("net `{}` is permuted, but `{}` holds float weights", net.name, output.path.value.typed),
            "a permutation is applied to integer weights only",
            "the trainer's tool ignores the permutation here, which gives another network than the `.nnue` file beside it",
            "give the float file a net of its own, without `permutation` and `optimize`",
        )
        .kind_is(Kind::Usage)
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

fn search_params(optimize: &ResolvedOptimize) -> Search {
    match optimize.algorithm.value {
        Algorithm::Greedy => Search::default(),
        Algorithm::Anneal => {
            Search { algorithm: Algorithm::Anneal, seed: optimize.seed.value, moves: optimize.moves.as_ref().map(|moves| moves.value) }
        }
    }
}

/// `None` for files of described architectures.
pub(super) const fn format_of(kind: OutputKind) -> Option<FileFormat> {
    Some(match kind {
        OutputKind::Folder | OutputKind::Nnue => FileFormat::Nnue,
        OutputKind::Pt => FileFormat::Pt,
        OutputKind::Safetensors => FileFormat::Safetensors,
        OutputKind::Npz => FileFormat::Npz,
        OutputKind::Layout => return None,
    })
}

fn in_layout(manifest: &Manifest, net: &ResolvedNet, output: &Output) -> Error {
    manifest
        .diagnostic(
            output.path.span,
            &format!("net `{}` has no layouts, but `{}` is to be written in one", net.name, output.path.value.typed),
            "a file in a layout",
            "layouts are those of an architecture that is described",
            "say in the source's table which it is: `architecture = \"plentychess\"`",
        )
        .kind_is(Kind::Usage)
}
