//! The actions of a net: load → blend → heads → fold → encode → write, as far as its table asks for them.

use petgraph::graph::NodeIndex;

use super::layer::Decode;
use super::open::{check_encoding, until_written};
use crate::error::{Error, Kind, Result};
use crate::family::{Planned, SourceFacts, Steps};
use crate::format::sources::FileKind;
use crate::manifest::{HeaderEdits, Heads, Located, Manifest, OutputKind, ResolvedNet, Source, Span};
use crate::stage::lc0::{self as stage, WeightFormat};
use crate::stage::{Action, Role};
use crate::words::{CompressionChoice, LayerEncoding, Overflow, View};

/// Whether the manifest speaks of a network of lc0: for sources that cannot be read.
pub(crate) fn is_meant(source: &Source, net: &ResolvedNet) -> bool {
    let by_output = net.outputs.iter().any(|output| match output.kind {
        OutputKind::Protobuf | OutputKind::Gzip | OutputKind::Onnx | OutputKind::Program => true,
        OutputKind::Folder | OutputKind::Nnue | OutputKind::Pt | OutputKind::Safetensors | OutputKind::Npz | OutputKind::Layout => false,
    });
    by_output || source.claims.decode.is_some() || net.edits.places().next().is_some()
}

/// As [`Family::plan`](crate::family::Family::plan).
pub(super) fn plan(manifest: &Manifest, net: &ResolvedNet, facts: SourceFacts, steps: &mut dyn Steps) -> Result<Planned> {
    refuse_foreign(manifest, net)?;
    let edits = &net.edits;
    let decode = net.source.claims.decode.as_ref().map_or_else(Decode::default, |decode| decode.value);
    let encoding = edits.encoding.as_ref().map(|encoding| encoding.value);
    if let Some(encoding) = &edits.encoding {
        check_encoding(Some(encoding.value), decode).map_err(|error| {
            let (cause, help) = (error.causes().join(": "), error.help_text().unwrap_or_default().to_owned());
            manifest.diagnostic(encoding.span, error.message(), "this encoding", &cause, &help).kind_is(Kind::Usage)
        })?;
    }
    // Floats that someone changed are rounded once, to what the net asks for. Other files have none, and are read once for all nets; what
    // the sources of a blend are is not known here.
    let is_averaged = edits.blend.as_ref().is_some_and(|blend| !blend.value.with.is_empty());
    let changed = until_written(encoding, is_averaged || edits.fold.as_ref().is_some_and(|fold| fold.value), decode);
    let of_tensors = changed.filter(|_| facts.content.is_some_and(FileKind::holds_floats));
    let mut flow = load(&net.source, decode, of_tensors, steps);
    if let Some(blend) = &edits.blend {
        let blend = &blend.value;
        for source in blend.with.iter().chain(blend.graft.iter().map(|(_, source)| source)) {
            refuse_other_formula(manifest, source, decode)?;
        }
        let mut inputs = vec![(Role::Network, flow)];
        for source in &blend.with {
            add_input(&mut inputs, load(source, decode, changed, steps));
        }
        let grafts = blend.graft.iter().map(|(part, source)| {
            let network = load(source, decode, changed, steps);
            (part.value.clone(), add_input(&mut inputs, network))
        });
        let mut grafts: Vec<(String, u32)> = grafts.collect();
        // A part comes before the parts that lie in it.
        grafts.sort();
        let averaged = !blend.with.is_empty();
        let shares = match (averaged, blend.shares.is_empty()) {
            (true, true) => vec![1.0; blend.with.len() + 1],
            (true, false) => blend.shares.clone(),
            (false, _) => Vec::new(),
        };
        flow = steps.action(Action::Blend(Box::new(stage::Blend { shares, grafts, encoding, decode })), &inputs);
    }
    if let Some(Located { value: Heads { policy, value }, .. }) = &edits.heads {
        let heads = stage::Heads { policy: policy.clone(), value: value.clone() };
        flow = steps.action(Action::Heads(heads), &[(Role::Network, flow)]);
    }
    if edits.fold.as_ref().is_some_and(|fold| fold.value) {
        flow = steps.action(Action::Fold(stage::Fold { encoding, decode }), &[(Role::Network, flow)]);
    }
    if let Some(encoding) = encoding {
        flow = steps.action(Action::Encode(stage::Encode { encoding, decode }), &[(Role::Network, flow)]);
    }
    let metadata = edits.metadata.as_ref().map_or_else(stage::Metadata::default, |metadata| header(&metadata.value));
    let mut outputs = Vec::with_capacity(net.outputs.len());
    for output in &net.outputs {
        let tensors = |npz| WeightFormat::Tensors { npz, view: edits.view.as_ref().map_or_else(View::default, |view| view.value), decode };
        let format = match output.kind {
            OutputKind::Protobuf => WeightFormat::Protobuf,
            OutputKind::Gzip | OutputKind::Folder => WeightFormat::Gzip,
            OutputKind::Program => WeightFormat::Program,
            OutputKind::Safetensors => tensors(false),
            OutputKind::Npz => tensors(true),
            OutputKind::Onnx => onnx(net, decode),
            OutputKind::Nnue | OutputKind::Pt | OutputKind::Layout => {
                let help = "end the output with `/`, `.pb.gz`, `.pb`, `.safetensors`, `.npz` or `.onnx`";
                let typed = &output.path.value.typed;
                return Err(refusal(manifest, net, output.path.span, &format!("it cannot be written to `{typed}`"), help));
            }
        };
        let mut inputs = vec![(Role::Network, flow)];
        if let Some(program) = edits.into.as_ref().filter(|_| format == WeightFormat::Program) {
            inputs.push((Role::Program, steps.file(program, None)));
        }
        let write = stage::WriteWeights { format, metadata: metadata.clone() };
        outputs.push((output.clone(), steps.action(Action::WriteWeights(Box::new(write)), &inputs)));
    }
    Ok(Planned { outputs, search: None })
}

fn load(source: &Source, decode: Decode, changed: Option<LayerEncoding>, steps: &mut dyn Steps) -> NodeIndex {
    let file = steps.source(source);
    let load = stage::ReadWeights { decode, embedded: source.embedded, changed };
    steps.action(Action::ReadWeights(load), &[(Role::Source, file)])
}

/// Adds a further network; its number.
fn add_input(inputs: &mut Vec<(Role, NodeIndex)>, network: NodeIndex) -> u32 {
    // The first is the network itself. A manifest has fewer than four billion names.
    let number = u32::try_from(inputs.len()).unwrap_or(u32::MAX);
    inputs.push((Role::Other(number), network));
    number
}

fn onnx(net: &ResolvedNet, decode: Decode) -> WeightFormat {
    let heads = net.edits.heads.as_ref().map(|heads| &heads.value);
    let first =
        |names: Option<&Vec<String>>, default: &str| names.and_then(|names| names.first()).map_or(default, String::as_str).to_owned();
    WeightFormat::Onnx {
        policy: first(heads.and_then(|heads| heads.policy.as_ref()), "vanilla"),
        value: first(heads.and_then(|heads| heads.value.as_ref()), "winner"),
        numbers: net.edits.onnx.as_ref().map(|numbers| numbers.value),
        decode,
    }
}

fn header(metadata: &HeaderEdits) -> stage::Metadata {
    let HeaderEdits { license, min_version, fixup, keeps_training, training } = metadata;
    stage::Metadata {
        license: license.clone(),
        min_version: *min_version,
        fixup: *fixup,
        strip_training: !keeps_training,
        training: training.clone(),
    }
}

/// Refuses what has no meaning for a network of lc0, with the reason.
fn refuse_foreign(manifest: &Manifest, net: &ResolvedNet) -> Result<()> {
    let no_neurons = "its layers have no neurons in pairs that could be reordered";
    if let Some(permutation) = &net.permutation {
        return Err(refusal(manifest, net, permutation.span, no_neurons, "remove `permutation` from this net"));
    }
    if let Some(optimize) = &net.optimize {
        let help = "remove `optimize` from this net; where `[defaults]` has it, write `optimize = false`";
        return Err(refusal(manifest, net, optimize.span, no_neurons, help));
    }
    if let Some(prove) = &net.prove {
        let why = "a proof evaluates the integers of `.nnue` networks";
        let help = "remove `prove` from this net; where `[defaults]` has it, write `prove = false`";
        return Err(refusal(manifest, net, prove.span, why, help));
    }
    if let Some(engine) = &net.engine {
        let help = "remove `engine` from this net; where `[defaults]` has it, write `engine = false`";
        return Err(refusal(manifest, net, engine.span, "an engine is asked about `.nnue` networks", help));
    }
    if net.compression.value != CompressionChoice::Auto {
        let why = "`compression` is of `.nnue` files: a weight file is packed by its name, `.pb.gz` or `.pb`";
        let help = "remove `compression` from this net; where `[defaults]` has it, write `compression = \"auto\"`";
        return Err(refusal(manifest, net, net.compression.span, why, help));
    }
    if let Some(allow) = &net.allow {
        let why = "`allow` is of described architectures";
        return Err(refusal(manifest, net, allow.span, why, "remove `allow` from this net"));
    }
    if let Some(publish) = &net.release.publish {
        let why = "fishtest tests networks of Stockfish";
        return Err(refusal(manifest, net, publish.span, why, "remove `publish` from this net"));
    }
    if let Some(description) = &net.description {
        let help = "remove `description`; the header's text is `metadata.license`";
        return Err(refusal(manifest, net, description.span, "a weight file has no description", help));
    }
    let sources = net.sources().map(|source| &source.claims);
    for claims in sources {
        let overflow = (claims.overflow.value != Overflow::default()).then_some(("overflow", claims.overflow.span));
        let said = claims.said().filter(|(key, ..)| *key != "decode").map(|(key, _, span)| (key, span));
        if let Some((key, span)) = said.chain(overflow).next() {
            let why = format!("`{key}` is said of networks of the trainer");
            return Err(refusal(manifest, net, span, &why, &format!("remove `{key}` from the source")));
        }
    }
    Ok(())
}

fn refuse_other_formula(manifest: &Manifest, source: &Source, decode: Decode) -> Result<()> {
    match &source.claims.decode {
        Some(other) if other.value != decode => {
            let error = manifest.diagnostic(
                other.span,
                &format!("`{}` would be blended with a network that is decoded as {decode}", source.path.value.typed),
                "another formula",
                "floats of two formulas differ in the last bit",
                "give both sources the same `decode`",
            );
            Err(error.kind_is(Kind::Usage))
        }
        Some(_) | None => Ok(()),
    }
}

fn refusal(manifest: &Manifest, net: &ResolvedNet, span: Span, why: &str, help: &str) -> Error {
    let source = &net.source.path.value.typed;
    let message = format!("net `{}` is a network of lc0: {why}", net.name);
    manifest.diagnostic(span, &message, "not for networks of lc0", &format!("`{source}` is one"), help).kind_is(Kind::Usage)
}
