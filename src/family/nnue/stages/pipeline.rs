//! The way of a net: load → coalesce → quantize → sample → gather → search → permute → write.
//!
//! Two ways to walk it: one function for each action, taking that action's parameters, for executors that run them one by one; and
//! [`run`], from a source to the content of a file, for commands without a graph. Both come to the same bytes and say the same of what
//! they had to assume. Where the content goes is the caller's business.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::dequantize::dequantize;
use super::gather;
use super::load::{Loaded, load, load_noted};
use super::permute::permute;
use super::quantize;
use super::write::write_nnue;
use super::write_float::{FloatTarget, write_float};
use crate::ctx::Ctx;
use crate::error::{Error, Kind, Result};
use crate::format::nnue::{Compression, Expectation, Parsed};
use crate::format::sources::whole;
use crate::net::{Architecture, Coalesced, Factorized, Network, Permutation, QuantizedNetwork};
use crate::permutation::{self, ActivationMatrix, SearchOutcome, SearchParams, ZeroBlocks, zero_blocks};
use crate::positions::{self, Filters, Position, Selection, select};
use crate::stage;
use crate::words::{CompressionChoice, FileFormat, Overflow};

/// A source in integers.
pub struct Integers {
    /// The network.
    pub network: QuantizedNetwork,
    /// How the file stores it; `None` for files of floats and for partly compressed ones.
    pub compression: Option<Compression>,
    /// Every generation that the file can be of, oldest first.
    pub candidates: Vec<&'static str>,
    /// Whether the source or the user says the scales. Files of floats always do, or leave no choice; `.nnue` files never do.
    pub scales_are_known: bool,
    /// What quantizing changed beyond rounding; nothing where the source has integers.
    pub outcome: stage::Quantized,
}

/// Loads a network and quantizes it where the source has floats.
///
/// # Errors
/// As [`load`] and [`quantize()`]; the message names the file.
pub fn load_integers(path: &Path, params: &stage::Load, how: stage::Quantize, ctx: &Ctx) -> Result<Integers> {
    integers(load(path, &params.expected)?, path, params, how, ctx)
}

/// The integers of what was loaded from `path`.
///
/// # Errors
/// As [`quantize()`]; the message names the file.
pub fn integers(loaded: Loaded, path: &Path, params: &stage::Load, how: stage::Quantize, ctx: &Ctx) -> Result<Integers> {
    match loaded {
        Loaded::Quantized(parsed) => Ok(Integers {
            candidates: parsed.candidates.iter().map(|candidate| candidate.generation.name).collect(),
            compression: parsed.compression,
            scales_are_known: params.expected.quantization.is_some(),
            network: parsed.network,
            outcome: stage::Quantized::default(),
        }),
        Loaded::Float(network) => {
            let (network, outcome) = quantize(&network.coalesce(), how, ctx).map_err(|error| match error.kind() {
                Kind::Failed => error.context(format!("cannot quantize `{}`", path.display())),
                Kind::Usage | Kind::Difference | Kind::Interrupted => error,
            })?;
            let candidates = vec![network.architecture.generation.name];
            Ok(Integers { network, compression: None, candidates, scales_are_known: true, outcome })
        }
    }
}

/// Float → integer. Warns of values that were changed as the user asked.
///
/// # Errors
/// As [`quantize::quantize`].
pub fn quantize(network: &Network<Coalesced>, params: stage::Quantize, ctx: &Ctx) -> Result<(QuantizedNetwork, stage::Quantized)> {
    let (network, outcome) = quantize::quantize(network, params.overflow, ctx)?;
    note_overflow(&outcome, params.overflow, ctx);
    Ok((network, outcome))
}

/// Warns of values that did not fit their type.
pub fn note_overflow(outcome: &stage::Quantized, overflow: Overflow, ctx: &Ctx) {
    if outcome.overflowed.is_empty() {
        return;
    }
    let how = match overflow {
        Overflow::Wrap => "wrapped",
        Overflow::Trainer => "written as the trainer wrote them,",
        Overflow::Clamp => "clamped",
        Overflow::Error => "refused",
    };
    ctx.warn(format!("values that do not fit were {how} as asked: {}", counts(&outcome.overflowed)));
}

/// Warns of a compression that the user named and that no engine for such nets reads.
pub fn note_unreadable(choice: CompressionChoice, architecture: &Architecture, ctx: &Ctx) {
    if let Some(why) = choice.named().and_then(|compression| architecture.unreadable(compression)) {
        ctx.warn(why);
    }
}

/// How many values in which tensor, for messages.
pub fn counts(tensors: &[(String, usize)]) -> String {
    tensors.iter().map(|(name, count)| format!("{count} in `{name}`")).collect::<Vec<_>>().join(", ")
}

/// Warns of scales that neither the source nor the user says, where something depends on them: `purpose`.
pub fn note_assumed_scales(network: &QuantizedNetwork, scales_are_known: bool, purpose: &str, ctx: &Ctx) {
    let others = other_scales(&network.architecture);
    if scales_are_known || others.is_empty() {
        return;
    }
    ctx.warn(format!(
        "a `.nnue` file does not record its scales: {} is assumed for {purpose} (also possible: {}); `quantization` says which",
        network.architecture.quantization.name,
        others.join(", ")
    ));
}

/// Whether an engine of the net's time reads the file.
///
/// # Errors
/// When none does, for how it is packed.
pub fn check_readable(parsed: &Parsed) -> Result<()> {
    let architecture = &parsed.network.architecture;
    match parsed.compression.and_then(|compression| architecture.unreadable(compression)) {
        Some(why) => Err(Error::new("no engine of its generation reads it")
            .because(why)
            .help(format!("write `compression = \"{}\"`", architecture.usual_compression()))),
        None => Ok(()),
    }
}

/// The scales that networks of this generation have had, besides these.
pub fn other_scales(architecture: &Architecture) -> Vec<&'static str> {
    let possible = architecture.generation.quantizations.iter().map(|scales| scales.name);
    possible.filter(|name| *name != architecture.quantization.name).collect()
}

/// Takes positions from files, which are one stream in this order, and up to `held_out` more on which a result can be judged.
///
/// # Errors
/// As [`select`]. A filter that the data cannot answer is a mistake of the user's.
pub fn sample(files: &[PathBuf], params: &stage::Gather, held_out: u64, ctx: &Ctx) -> Result<positions::Sampled> {
    let selection = Selection { count: Some(params.positions), held_out, seed: params.seed, filters: params.filters.clone() };
    select(files, &selection, ctx)
}

/// Takes the positions that a proof is over: of those that are not in check, whatever filters a search has.
///
/// # Errors
/// As [`select`].
pub fn positions_to_prove(files: &[PathBuf], params: &stage::Prove, ctx: &Ctx) -> Result<positions::Sampled> {
    let selection = Selection { count: Some(params.positions), held_out: 0, seed: params.seed, filters: Filters::default() };
    select(files, &selection, ctx)
}

/// What gather gives.
pub struct Gathered {
    /// Over the positions that the search uses.
    pub matrix: ActivationMatrix,
    /// Over others, on which the result is judged; `None` where there are none.
    pub held_out: Option<ActivationMatrix>,
    /// What was read for the positions.
    pub outcome: stage::Sampled,
}

/// Positions → activation matrices.
///
/// # Errors
/// As [`gather::gather`].
pub fn gather(network: &QuantizedNetwork, sampled: &positions::Sampled, ctx: &Ctx) -> Result<Gathered> {
    let mut gathered = gather_by(sampled, |positions| gather::gather(network, positions, None, ctx))?;
    (gathered.outcome.looked_at, gathered.outcome.overflow) = gather::overflow(network, &sampled.positions, ctx)?;
    if let Some(overflow) = gathered.outcome.overflow {
        gather::note_overflow(&overflow, ctx);
    }
    Ok(gathered)
}

/// Positions → activation matrices, by what makes one of them. Sums that overflow are not looked for.
///
/// # Errors
/// Those of `gather`.
pub fn gather_by(sampled: &positions::Sampled, mut gather: impl FnMut(&[Position]) -> Result<ActivationMatrix>) -> Result<Gathered> {
    let matrix = gather(&sampled.positions)?;
    let held_out = match sampled.held_out.as_slice() {
        [] => None,
        positions => Some(gather(positions)?),
    };
    let positions::Stats { entries, in_check, filtered, chunks_visited, chunks } = sampled.stats;
    Ok(Gathered {
        matrix,
        held_out,
        outcome: stage::Sampled { entries, in_check, filtered, chunks_visited, chunks, looked_at: 0, overflow: None },
    })
}

/// What search gives.
pub struct Searched {
    /// The permutation, and what it gains over the positions that the search used.
    pub found: SearchOutcome,
    /// The zero blocks over others, before and after.
    pub held_out: Option<[ZeroBlocks; 2]>,
}

impl Searched {
    /// What records keep of it.
    pub fn outcome(&self) -> stage::Searched {
        let counts = |before: ZeroBlocks, after: ZeroBlocks| stage::Counts {
            positions: before.positions,
            blocks: before.total,
            zero_before: before.zero,
            zero_after: after.zero,
        };
        stage::Searched {
            train: counts(self.found.before, self.found.after),
            held_out: self.held_out.map(|[before, after]| counts(before, after)),
            swaps: self.found.swaps,
            cycles: self.found.cycles,
            moves: self.found.moves,
        }
    }
}

/// Activation matrix → permutation, judged on `held_out` as well. `time_limit` ends a search with a budget early.
///
/// # Errors
/// As [`permutation::search`].
pub fn search(
    matrix: &ActivationMatrix,
    held_out: Option<&ActivationMatrix>,
    params: &stage::Search,
    time_limit: Option<Duration>,
    ctx: &Ctx,
) -> Result<Searched> {
    let stage::Search { algorithm, seed, budget } = *params;
    let found = permutation::search(matrix, &SearchParams { algorithm, seed, budget, time_limit }, ctx)?;
    let judge = |matrix: &ActivationMatrix| {
        let identity = Permutation::identity(matrix.half())?;
        Ok::<_, Error>([zero_blocks(matrix, &identity)?, zero_blocks(matrix, &found.permutation)?])
    };
    let held_out = held_out.map(judge).transpose()?;
    Ok(Searched { found, held_out })
}

/// What kind of file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A `.nnue` file; `None`: stored as its generation's engines read it.
    Nnue(Option<Compression>),
    /// A file of floats.
    Floats(FloatTarget),
}

impl From<&stage::Write> for Target {
    fn from(params: &stage::Write) -> Self {
        match params.format {
            FileFormat::Nnue => Self::Nnue(params.compression.named().or(params.source_compression)),
            FileFormat::Pt => Self::Floats(FloatTarget::StateDict),
            FileFormat::Safetensors => Self::Floats(FloatTarget::Safetensors),
            FileFormat::Npz => Self::Floats(FloatTarget::Npz),
        }
    }
}

/// A network that can be written.
pub enum Weights {
    /// Floats, as a trainer has them.
    Floats(Box<Network<Factorized>>),
    /// Integers, as an engine has them.
    Integers(Arc<QuantizedNetwork>),
}

/// The content of a file that is still to be written, as often as is needed.
pub enum Content {
    /// A `.nnue` file.
    Nnue {
        /// The network.
        network: Arc<QuantizedNetwork>,
        /// How it is packed.
        compression: Compression,
        /// Replaces the network's own.
        description: Option<String>,
    },
    /// A file of floats.
    Floats {
        /// The network, with its description.
        network: Box<Network<Factorized>>,
        /// What kind of file.
        target: FloatTarget,
    },
}

impl Content {
    /// What `target` is to hold; integers become floats where it asks for them.
    ///
    /// # Errors
    /// As [`dequantize`]; for floats that would have to be quantized first.
    pub fn of(weights: Weights, target: Target, description: Option<&str>, ctx: &Ctx) -> Result<Self> {
        let floats = |mut network: Box<Network<Factorized>>, target| {
            if let Some(description) = description {
                network.description = description.as_bytes().to_vec();
            }
            Self::Floats { network, target }
        };
        match (weights, target) {
            (Weights::Integers(network), Target::Nnue(compression)) => {
                let compression = compression.unwrap_or_else(|| network.architecture.usual_compression());
                Ok(Self::Nnue { network, compression, description: description.map(str::to_owned) })
            }
            (Weights::Integers(network), Target::Floats(target)) => Ok(floats(Box::new(dequantize(&network, ctx)?), target)),
            (Weights::Floats(network), Target::Floats(target)) => Ok(floats(network, target)),
            (Weights::Floats(_), Target::Nnue(_)) => {
                Err(Error::new("a `.nnue` file holds integers, but the network has float weights").help("quantize it first"))
            }
        }
    }

    /// Writes it. The same content gives the same bytes each time.
    ///
    /// # Errors
    /// As [`write_nnue`] and [`write_float`].
    pub fn write(&self, out: &mut dyn Write, ctx: &Ctx) -> Result<()> {
        match self {
            Self::Nnue { network, compression, description } => write_nnue(out, network, description.as_deref(), *compression),
            Self::Floats { network, target } => write_float(out, network, *target, ctx),
        }
    }
}

/// The whole way of one file.
pub struct Job<'a> {
    /// The file that holds the network.
    pub source: &'a Path,
    /// What is asserted of it.
    pub load: stage::Load,
    /// How floats become integers.
    pub quantize: stage::Quantize,
    /// What happens to the order of the neurons.
    pub order: Order<'a>,
    /// What is made of it.
    pub target: Target,
    /// Replaces the network's description.
    pub description: Option<&'a str>,
}

/// What happens to the order of the neurons.
pub enum Order<'a> {
    /// Nothing.
    Kept,
    /// A permutation that is known is applied.
    Given {
        /// The file that it is from, for messages.
        path: &'a Path,
        /// The permutation.
        permutation: Permutation,
    },
    /// One is searched for, and applied.
    Found {
        /// Files of positions.
        data: &'a [PathBuf],
        /// Which of them.
        gather: Box<stage::Gather>,
        /// How to search.
        search: stage::Search,
    },
}

/// What a [`Job`] comes to.
pub struct Product {
    /// To be written.
    pub content: Content,
    /// The network's.
    pub architecture: Architecture,
    /// Its feature set, virtual features included.
    pub features: String,
    /// Every generation that the source can be of, oldest first; none where it has floats that stayed floats.
    pub candidates: Vec<&'static str>,
    /// What quantizing changed beyond rounding.
    pub quantized: stage::Quantized,
    /// What a search found.
    pub searched: Option<Searched>,
}

/// Goes the whole way up to writing.
///
/// # Errors
/// Those of the stages; for a permutation where floats stay floats.
pub fn run(job: &Job<'_>, ctx: &Ctx) -> Result<Product> {
    match (load_source(job, ctx)?, job.target) {
        (Loaded::Float(network), Target::Floats(_)) => floats_to_floats(network, job, ctx),
        (loaded, _) => by_integers(loaded, job, ctx),
    }
}

fn floats_to_floats(network: Box<Network<Factorized>>, job: &Job<'_>, ctx: &Ctx) -> Result<Product> {
    if !matches!(job.order, Order::Kept) {
        // The trainer's tool ignores the permutation there. Reordering by way of integers would round the weights.
        return Err(Error::usage(format!(
            "`{}` holds floats, and so will the file made of it: they cannot be permuted",
            job.source.display()
        ))
        .because("a permutation is applied to the integers of a `.nnue` file; by way of them the weights would be rounded")
        .help("keep the order of the neurons, or write a `.nnue` file")
        .about("permutation"));
    }
    let (architecture, features) = (network.architecture.clone(), network.features());
    let content = Content::of(Weights::Floats(network), job.target, job.description, ctx)?;
    let content = with_virtual_features(content, &job.load.expected)?;
    Ok(Product { content, architecture, features, candidates: Vec::new(), quantized: stage::Quantized::default(), searched: None })
}

fn by_integers(loaded: Loaded, job: &Job<'_>, ctx: &Ctx) -> Result<Product> {
    let Integers { mut network, compression, candidates, scales_are_known, outcome } =
        integers(loaded, job.source, &job.load, job.quantize, ctx)?;
    let searched = match &job.order {
        Order::Kept => None,
        Order::Given { path, permutation } => {
            permute(&mut network, permutation).map_err(|error| error.context(format!("cannot apply `{}`", path.display())))?;
            None
        }
        Order::Found { data, gather: params, search: how } => {
            note_assumed_scales(&network, scales_are_known, "the zero rule", ctx);
            let gathered = gather(&network, &sample(data, params, 0, ctx)?, ctx)?;
            let searched = search(&gathered.matrix, None, how, None, ctx)?;
            permute(&mut network, &searched.found.permutation)?;
            Some(searched)
        }
    };
    if matches!(job.target, Target::Floats(_)) {
        note_assumed_scales(&network, scales_are_known, "the float weights", ctx);
    }
    let target = match job.target {
        Target::Nnue(named) => Target::Nnue(named.or(compression)),
        floats => floats,
    };
    let (architecture, features) = (network.architecture.clone(), network.architecture.features.name());
    let content = Content::of(Weights::Integers(Arc::new(network)), target, job.description, ctx)?;
    let content = with_virtual_features(content, &job.load.expected)?;
    Ok(Product { content, architecture, features, candidates, quantized: outcome, searched })
}

/// Loads the source. For files of floats the name of the feature set may ask for virtual features that the source has not.
fn load_source(job: &Job<'_>, ctx: &Ctx) -> Result<Loaded> {
    let expected = &job.load.expected;
    let load = |expected: &Expectation| load_noted(whole(job.source)?, job.source, expected, ctx);
    let refusal = match load(expected) {
        Ok(loaded) => return Ok(loaded),
        Err(error) => error,
    };
    match (&expected.features, job.target) {
        (Some(features), Target::Floats(_)) if features.contains('^') => {
            let bare = Expectation { features: Some(features.replace('^', "")), ..expected.clone() };
            load(&bare).map_err(|_| refusal)
        }
        _ => Err(refusal),
    }
}

/// Adds the virtual features that the name of the feature set asks for, to floats.
fn with_virtual_features(content: Content, expected: &Expectation) -> Result<Content> {
    match (content, &expected.features) {
        (Content::Floats { network, target }, Some(features)) if features.contains('^') => {
            Ok(Content::Floats { network: Box::new(network.with_virtual_features(features)?), target })
        }
        (content, _) => Ok(content),
    }
}
