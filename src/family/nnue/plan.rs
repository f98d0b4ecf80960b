//! The actions of a net: load → coalesce → quantize → gather → search → permute → write → prove → engine, as far as its source and its table ask for them.

use petgraph::graph::NodeIndex;

use crate::error::{Error, Kind, Result};
use crate::family::{Planned, SourceFacts, Steps};
use crate::format::sources::FileKind;
use crate::manifest::{
    self, Claims, Data, FilePath, Located, Manifest, Output, OutputKind, ResolvedNet, ResolvedOptimize, ResolvedProve, Span,
};
use crate::net::Expectation;
use crate::stage::{Action, Engine, Gather, Load, Prove, Quantize, Role, Search, Write};
use crate::words::{Algorithm, FileFormat};

/// As [`Family::plan`](crate::family::Family::plan).
pub(super) fn plan(manifest: &Manifest, net: &ResolvedNet, facts: SourceFacts, steps: &mut dyn Steps) -> Result<Planned> {
    refuse_foreign(manifest, net)?;
    refuse_idle_engine(manifest, net)?;
    let source = &net.source;
    let file = steps.source(source);
    let mut read = vec![(Role::Source, file)];
    for (number, part) in (1..).zip(&source.parts) {
        read.push((Role::Part(number), steps.file(&Located { value: part.clone(), span: source.path.span }, None)));
    }
    let loaded = steps.action(Action::Load(Box::new(Load { expected: expectation(&source.claims) })), &read);
    let floats = holds_floats(net, facts).then(|| steps.action(Action::Coalesce, &[(Role::Network, loaded)]));
    let integers = match floats {
        Some(floats) => steps.action(Action::Quantize(Quantize { overflow: source.claims.overflow.value }), &[(Role::Network, floats)]),
        None => loaded,
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
        let format = format_of(output.kind).ok_or_else(|| unwritable(manifest, net, output))?;
        let from = match (format, permutation) {
            (FileFormat::Nnue, _) => permuted,
            (FileFormat::Pt | FileFormat::Safetensors | FileFormat::Npz, Some(_)) => return Err(permuted_floats(manifest, net, output)),
            // Float weights are carried over as they were trained.
            (FileFormat::Pt | FileFormat::Safetensors | FileFormat::Npz, None) => loaded,
        };
        let description = net.description.as_ref().map(|text| text.value.clone());
        let write = Action::Write(Write { format, compression: net.compression.value, source_compression: facts.compression, description });
        let written = steps.action(write, &[(Role::Network, from)]);
        if let Some(how) = net.prove.as_ref().filter(|_| format == FileFormat::Nnue) {
            let (mut params, inputs) = prove(manifest, how, integers, floats, written)?;
            params.sums = search.is_none();
            let inputs = with_data(inputs, &how.data, steps);
            steps.action(Action::Prove(params), &inputs);
        }
        if let Some(how) = net.engine.as_ref().filter(|_| format == FileFormat::Nnue) {
            let mut inputs = vec![(Role::Network, integers), (Role::Published, written), (Role::Engine, steps.file(&how.path, None))];
            // What holds floats, or a program, no engine reads.
            inputs.extend((facts.content == Some(FileKind::Nnue)).then_some((Role::Source, file)));
            steps.action(Action::Engine(Box::new(engine(how))), &inputs);
        }
        outputs.push((output.clone(), written));
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
    let inputs = with_data(vec![(Role::Network, network)], &optimize.data, steps);
    let params = Gather { positions: optimize.positions.value, seed: optimize.seed.value, filters: optimize.filters.value.clone() };
    let matrix = steps.action(gather(params), &inputs);
    steps.action(Action::Search(search_params(optimize)), &[(Role::Matrix, matrix)])
}

/// The files of `data` behind other inputs, in the order of the stream.
fn with_data(mut inputs: Vec<(Role, NodeIndex)>, data: &Data, steps: &mut dyn Steps) -> Vec<(Role, NodeIndex)> {
    for (place, (index, path)) in (0..).zip(data.paths.iter().enumerate()) {
        inputs.push((Role::Data(place), steps.file(path, data.sha256.get(index))));
    }
    inputs
}

/// The proof of a file, and what it looks at besides positions.
fn prove(
    manifest: &Manifest,
    how: &ResolvedProve,
    integers: NodeIndex,
    floats: Option<NodeIndex>,
    written: NodeIndex,
) -> Result<(Prove, Vec<(Role, NodeIndex)>)> {
    let ResolvedProve { positions, seed, max_error, mean_error, .. } = how;
    if let (Some(limit), None) = (max_error.as_ref().or(mean_error.as_ref()), floats) {
        let error = manifest.diagnostic(
            limit.span,
            "a limit is set for the error of quantizing, but the source holds integers",
            "of floats only",
            "nothing is quantized on the way from integers to a `.nnue` file, and the proof accepts no difference there",
            "remove the limit",
        );
        return Err(error.kind_is(Kind::Usage));
    }
    let mut inputs = vec![(Role::Network, integers), (Role::Published, written)];
    inputs.extend(floats.map(|floats| (Role::Floats, floats)));
    let value = |limit: &Option<Located<f64>>| limit.as_ref().map(|limit| limit.value);
    let params =
        Prove { positions: positions.value, seed: seed.value, max_error: value(max_error), mean_error: value(mean_error), sums: false };
    Ok((params, inputs))
}

fn engine(how: &manifest::Engine<FilePath>) -> Engine {
    let manifest::Engine { path, option, options, bench, export, speed, timeout, .. } = how;
    Engine {
        name: path.value.typed.clone(),
        option: option.as_ref().map(|option| option.value.clone()),
        options: options.clone(),
        bench: bench.clone(),
        export: *export,
        speed: *speed,
        timeout: *timeout,
    }
}

/// Refuses an engine that would have nothing to load.
fn refuse_idle_engine(manifest: &Manifest, net: &ResolvedNet) -> Result<()> {
    let is_nnue = |output: &Output| format_of(output.kind) == Some(FileFormat::Nnue);
    let Some(engine) = net.engine.as_ref().filter(|_| !net.outputs.iter().any(is_nnue)) else { return Ok(()) };
    let error = manifest.diagnostic(
        engine.span,
        &format!("the engine of net `{}` has nothing to load", net.name),
        "an engine",
        "engines read `.nnue` files, and no output is one",
        "add a folder or a `.nnue` file to `outputs`; or remove `engine`, and where `[defaults]` has it, write `engine = false`",
    );
    Err(error.kind_is(Kind::Usage))
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
        state_dict: claims.state_dict.as_ref().map(|path| path.value.clone()),
    }
}

fn search_params(optimize: &ResolvedOptimize) -> Search {
    match optimize.algorithm.value {
        Algorithm::Greedy => Search::default(),
        algorithm @ (Algorithm::Anneal | Algorithm::Assign) => {
            Search { algorithm, seed: optimize.seed.value, budget: optimize.budget.as_ref().map(|budget| budget.value) }
        }
    }
}

/// What is written to such an output; `None` where only networks of lc0 are, or described ones.
pub(super) const fn format_of(kind: OutputKind) -> Option<FileFormat> {
    match kind {
        OutputKind::Folder | OutputKind::Nnue => Some(FileFormat::Nnue),
        OutputKind::Pt => Some(FileFormat::Pt),
        OutputKind::Safetensors => Some(FileFormat::Safetensors),
        OutputKind::Npz => Some(FileFormat::Npz),
        OutputKind::Protobuf | OutputKind::Gzip | OutputKind::Onnx | OutputKind::Program | OutputKind::Layout => None,
    }
}

fn unwritable(manifest: &Manifest, net: &ResolvedNet, output: &Output) -> Error {
    match output.kind {
        OutputKind::Layout => in_layout(manifest, net, output),
        OutputKind::Folder
        | OutputKind::Nnue
        | OutputKind::Pt
        | OutputKind::Safetensors
        | OutputKind::Npz
        | OutputKind::Protobuf
        | OutputKind::Gzip
        | OutputKind::Onnx
        | OutputKind::Program => of_lc0_only(manifest, net, output),
    }
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

/// Refuses what can only be said of networks of lc0.
fn refuse_foreign(manifest: &Manifest, net: &ResolvedNet) -> Result<()> {
    let of_source = net.source.claims.decode.as_ref().map(|decode| ("decode", decode.span));
    if let Some(allow) = &net.allow {
        return Err(not_described(manifest, net, allow.span));
    }
    let Some((key, span)) = net.edits.places().next().or(of_source) else { return Ok(()) };
    let source = &net.source.path.value.typed;
    let error = manifest.diagnostic(
        span,
        &format!("net `{}` is not a network of lc0: `{key}` means nothing to it", net.name),
        "only for networks of lc0",
        &format!("`{source}` holds, as far as its beginning tells, no weight file of lc0"),
        &format!("remove `{key}`, or name a weight file (`.pb.gz`) as the source"),
    );
    Err(error.kind_is(Kind::Usage))
}

fn not_described(manifest: &Manifest, net: &ResolvedNet, span: Span) -> Error {
    let source = &net.source.path.value.typed;
    let message = format!("net `{}` has no described architecture: `allow` means nothing to it", net.name);
    let cause = format!("the manifest names none for `{source}`");
    manifest.diagnostic(span, &message, "only for described architectures", &cause, "remove `allow`").kind_is(Kind::Usage)
}

fn of_lc0_only(manifest: &Manifest, net: &ResolvedNet, output: &Output) -> Error {
    let typed = &output.path.value.typed;
    manifest
        .diagnostic(
            output.path.span,
            &format!("net `{}` cannot be written to `{typed}`", net.name),
            "only for networks of lc0",
            &format!("`{}` holds, as far as its beginning tells, no weight file of lc0", net.source.path.value.typed),
            "end the output with `/`, `.nnue`, `.pt`, `.safetensors` or `.npz`",
        )
        .kind_is(Kind::Usage)
}
