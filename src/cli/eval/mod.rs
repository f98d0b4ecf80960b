//! `nnue eval`: what the engine of a network's generation computes of positions, and what the float network would say.

mod text;

use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use super::data::{PositionArgs, Positions};
use super::network::{SourceArgs, refuse_foreign, warn_of_name};
use super::word::word;
use super::{Exit, Global};
use crate::ctx::{Backend, Ctx};
use crate::error::Result;
use crate::evaluate::{self, Evaluator, FloatTrace, QuantizationError, Raw, UNITS, forward_all, quantization_error};
use crate::family::nnue::stages::dequantize::dequantize;
use crate::family::nnue::stages::load::{Loaded, load};
use crate::family::nnue::stages::pipeline::{Integers, counts, integers, note_assumed_scales};
use crate::net::{Architecture, Coalesced, Network, QuantizedNetwork};
use crate::stage::Quantize;
use crate::words::Overflow;

/// Evaluate positions as the engine of the network's generation does, to the integer
///
/// Text files of FEN or EPD lines are taken whole and in order, unless --count asks for fewer; all other data is sampled by the seeded
/// rule, without positions in check.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The network: .nnue, an engine with one inside, or a checkpoint
    net: PathBuf,
    /// Positions to evaluate; `startpos` is the first of a game
    #[arg(long, value_name = "FEN", num_args = 1.., action = clap::ArgAction::Append, required_unless_present = "data", conflicts_with = "data")]
    fen: Vec<String>,
    #[command(flatten)]
    positions: PositionArgs,
    /// Evaluate the float network instead, as its trainer does
    #[arg(long)]
    float: bool,
    /// Evaluate the float network and the integers, and show what quantizing changed
    #[arg(long, conflicts_with = "float")]
    both: bool,
    /// What to do with weights that do not fit their integer type
    #[arg(long, value_name = "HOW", default_value = "error", value_parser = word::<Overflow>())]
    overflow: Overflow,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    source_is: SourceArgs,
}

/// What is printed.
#[derive(Serialize)]
struct Report {
    schema: u32,
    net: String,
    architecture: &'static str,
    positions: Vec<Evaluated>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorReport>,
}

/// One position. Members that were not asked for are absent.
#[derive(Serialize)]
struct Evaluated {
    fen: String,
    bucket: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    buckets: Option<Vec<Bucket>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    float: Option<Float>,
}

/// Raw integers.
#[derive(Serialize)]
struct Bucket {
    psqt: i32,
    positional: i32,
}

/// Of the float network, in the engine's internal units.
#[derive(Serialize)]
struct Float {
    psqt: f64,
    positional: f64,
    value: f64,
}

/// What quantizing changed.
#[derive(Serialize)]
struct ErrorReport {
    #[serde(flatten)]
    values: super::comparison::ComparisonReport,
    layers: Vec<LayerReport>,
}

#[derive(Serialize)]
struct LayerReport {
    layer: &'static str,
    mean: f64,
    max: f64,
}

/// The network in the forms that were asked for.
struct Forms {
    integer: Option<QuantizedNetwork>,
    float: Option<Network<Coalesced>>,
}

impl Forms {
    fn architecture(&self) -> Option<&Architecture> {
        let float = self.float.as_ref().map(|network| &network.architecture);
        self.integer.as_ref().map(|network| &network.architecture).or(float)
    }
}

pub(super) fn run(args: Args, global: &Global) -> Result<Exit> {
    let ctx = global.ctx(Backend::Cpu);
    let chosen = if args.positions.data.is_empty() {
        Positions::of_fens(&args.fen).map_err(|error| error.kind_is(crate::error::Kind::Usage))?
    } else {
        args.positions.take(&ctx)?
    };
    refuse_foreign("`nnue eval`", &args.net, args.source_is.described())?;
    warn_of_name(&args.net, &ctx)?;
    let forms = load_forms(&args, &ctx)?;
    let report = report(&args, &forms, &chosen, &ctx)?;
    if args.json {
        global.print_json(&report)?;
    } else {
        let pawn = forms.architecture().and_then(|architecture| architecture.generation.pawn);
        global.print(&text::render(&report, &chosen, args.positions.data.is_empty(), pawn))?;
    }
    Ok(Exit::Done)
}

/// Loads the network in the forms that are wanted, each made from the other where the file has only that.
fn load_forms(args: &Args, ctx: &Ctx) -> Result<Forms> {
    let params = args.source_is.load();
    let (integer_wanted, float_wanted) = (!args.float, args.float || args.both);
    let loaded = load(&args.net, &params.expected)?;
    let trained = match &loaded {
        Loaded::Float(network) => Some((**network).clone()),
        Loaded::Quantized(_) => None,
    };
    let integer = match (trained.is_some(), integer_wanted) {
        (true, false) => None,
        _ => {
            let how = Quantize { overflow: args.overflow };
            let Integers { network, scales_are_known, outcome, .. } = integers(loaded, &args.net, &params, how, ctx)?;
            if !outcome.clamped.is_empty() {
                ctx.warn(format!("{} limits dense weights: {}", network.architecture.generation.name, counts(&outcome.clamped)));
            }
            note_assumed_scales(&network, scales_are_known, "the evaluation", ctx);
            Some(network)
        }
    };
    let float = match (trained, &integer) {
        (Some(network), _) if float_wanted => Some(network.coalesce()),
        (None, Some(network)) if float_wanted => Some(dequantize(&Arc::new(network.clone()), ctx)?.coalesce()),
        _ => None,
    };
    Ok(Forms { integer: integer.filter(|_| integer_wanted), float })
}

fn report(args: &Args, forms: &Forms, chosen: &Positions, ctx: &Ctx) -> Result<Report> {
    let list = &chosen.positions;
    let architecture = forms.architecture();
    let stacks = architecture.map_or(1, |architecture| architecture.generation.stacks).max(1);
    let raws = forms.integer.as_ref().map(|network| Evaluator::new(network)?.evaluate_buckets(list, ctx)).transpose()?;
    let floats = forms.float.as_ref().map(|network| forward_all(network, list, ctx)).transpose()?;
    let error = match (&forms.float, &forms.integer) {
        (Some(float), Some(integer)) => Some(error_report(&quantization_error(float, integer, list, ctx)?, chosen)),
        _ => None,
    };
    let evaluated = list.iter().enumerate().map(|(index, position)| {
        let bucket = architecture.map_or(0, |architecture| architecture.bucket(position.piece_count()));
        let buckets = raws.as_ref().and_then(|raws| raws.chunks_exact(stacks).nth(index));
        Evaluated {
            fen: chosen.fen(index),
            bucket,
            buckets: buckets
                .map(|raws| raws.iter().map(|Raw { psqt, positional }| Bucket { psqt: *psqt, positional: *positional }).collect()),
            value: buckets.and_then(|raws| raws.get(bucket)).map(|raw| raw.value()),
            float: floats.as_ref().and_then(|floats| floats.get(index)).map(float_report),
        }
    });
    Ok(Report {
        schema: 1,
        net: args.net.display().to_string(),
        architecture: architecture.map_or("", |architecture| architecture.generation.name),
        positions: evaluated.collect(),
        error,
    })
}

fn float_report(trace: &FloatTrace) -> Float {
    let units = |value: f32| f64::from(value) * UNITS;
    Float { psqt: units(trace.psqt), positional: units(trace.positional), value: units(trace.value()) }
}

fn error_report(error: &QuantizationError, chosen: &Positions) -> ErrorReport {
    let layer = |layer: &evaluate::LayerError| LayerReport { layer: layer.layer, mean: layer.mean, max: layer.max };
    ErrorReport {
        values: super::comparison::ComparisonReport::new(&error.values, chosen),
        layers: error.layers.iter().map(layer).collect(),
    }
}
