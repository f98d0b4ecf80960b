//! `nnue convert`: one file into another, without a manifest; the options of the trainer's `serialize.py`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ValueEnum;
use serde_json::json;

use super::described;
use super::filters::FilterArgs;
use super::network::{
    BackendName, IntegerSource, OverflowName, Place, SourceArgs, Written, check_folder_of, into_integers, warn_assumed_scales, write_file,
};
use super::{Exit, Global};
use crate::build::net_name;
use crate::cache::files::create_dir_all;
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::family::described::order;
use crate::format::bytes::Bytes;
use crate::format::identify::{FileKind, identify};
use crate::format::nnue::{Compression, Expectation, MAX_DESCRIPTION};
use crate::net::{Architecture, Factorized, Network, Permutation, QuantizedNetwork};
use crate::permutation::{Algorithm, SearchParams, ZeroBlocks, read_permutation, search};
use crate::positions::{Filters, Selection, select};
use crate::stages::dequantize::dequantize;
use crate::stages::gather::gather;
use crate::stages::load::{Loaded, load};
use crate::stages::permute::permute;
use crate::stages::write::write_nnue;
use crate::stages::write_float::{FloatTarget, ModuleProfile, write_float};

/// Convert a network: .ckpt, .pt, .safetensors, .npz, .nnue or an engine into .nnue, .pt, .safetensors or .npz
///
/// The options of the trainer's serialize.py are accepted under their own names, also with `-` for `_`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The file that holds the network
    source: PathBuf,
    /// The file to write, by its ending .nnue, .pt, .safetensors or .npz; with --out-sha a folder
    target: PathBuf,
    /// Name the file nn-<first 12 digits of its SHA-256>.nnue, in the folder TARGET
    #[arg(long = "out-sha", alias = "out_sha")]
    out_sha: bool,
    /// Text for the file's header; by default the source's own stays
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    description: Option<String>,
    /// How the feature transformer is stored in a .nnue file [default: leb128]
    #[arg(long = "ft_compression", alias = "ft-compression", value_name = "HOW")]
    compression: Option<CompressionName>,
    /// Apply a permutation of the neurons, as ftperm.py saves it (.npy), or numbers in a text
    #[arg(long = "ft_perm", alias = "ft-perm", value_name = "FILE")]
    perm: Option<PathBuf>,
    /// Find and apply a permutation that makes the engine faster
    #[arg(long = "ft_optimize", alias = "ft-optimize")]
    optimize: bool,
    /// Positions for that: .binpack, .bin, .fen or .epd files
    #[arg(long = "ft_optimize_data", alias = "ft-optimize-data", value_name = "FILE", num_args = 1.., action = clap::ArgAction::Append)]
    data: Vec<PathBuf>,
    /// How many of them, exactly [default: 10000]
    #[arg(long = "ft_optimize_count", alias = "ft-optimize-count", value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Fixes which positions are taken, and the random numbers of `anneal`
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// How to search for the permutation
    #[arg(long, value_name = "NAME", default_value = "greedy")]
    algorithm: AlgorithmName,
    /// How many moves `anneal` tries
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    moves: Option<u64>,
    /// What computes the search; the result is the same
    #[arg(long, value_name = "NAME", default_value = "auto")]
    backend: BackendName,
    /// What a .pt file holds
    #[arg(long = "pt-profile", alias = "pt_profile", value_name = "KIND", default_value = "state-dict")]
    pt_profile: PtProfile,
    /// What to do with weights that do not fit their integer type
    #[arg(long, value_name = "HOW", default_value = "error")]
    overflow: OverflowName,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    filters: FilterArgs,
    #[command(flatten)]
    source_is: SourceArgs,
    #[command(flatten)]
    layouts: described::LayoutArgs,
    /// The layout to write
    #[arg(long, value_name = "LAYOUT", help_heading = "For described architectures")]
    to: Option<String>,
}

/// `--ft_compression`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CompressionName {
    /// Raw integers: what Stockfish up to 15.1 reads
    None,
    /// Signed LEB128: what Stockfish since 16 reads
    Leb128,
}

/// `--pt-profile`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PtProfile {
    /// Tensors by name, for `torch.load(weights_only=True)` and every tool
    StateDict,
    /// The whole module of the trainer of January 2026, to train on from
    Seed,
    /// The whole module of the trainer of July 2026
    Head,
}

impl From<PtProfile> for FloatTarget {
    fn from(profile: PtProfile) -> Self {
        match profile {
            PtProfile::StateDict => Self::StateDict,
            PtProfile::Seed => Self::Module(ModuleProfile::Seed),
            PtProfile::Head => Self::Module(ModuleProfile::Head),
        }
    }
}

/// `--algorithm`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum AlgorithmName {
    /// 2-swaps, then 3-cycles, as ftperm.py
    Greedy,
    /// Greedy, then exact annealing: never less than greedy
    Anneal,
}

impl From<AlgorithmName> for Algorithm {
    fn from(name: AlgorithmName) -> Self {
        match name {
            AlgorithmName::Greedy => Self::Greedy,
            AlgorithmName::Anneal => Self::Anneal,
        }
    }
}

/// Positions that are used where the user gives no count.
const DEFAULT_COUNT: u64 = 10_000;

/// What the options come to.
struct Request<'a> {
    place: Place<'a>,
    format: Format,
    order: Order<'a>,
    expected: Expectation,
}

/// What kind of file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Nnue(Compression),
    Floats(FloatTarget),
}

/// What happens to the order of the neurons.
pub(super) enum Order<'a> {
    Kept,
    Applied(&'a Path),
    Searched { data: &'a [PathBuf], selection: Selection, params: SearchParams },
}

/// The result for people, line by line.
type Summary = Vec<(&'static str, String)>;

pub(super) fn run(args: Args, global: &Global) -> Result<Exit> {
    let ctx = global.ctx(args.backend.into());
    if let Some(architecture) = args.source_is.described() {
        let order = Order::of(&args, &ctx)?;
        let (source, target, to) = (args.source.as_path(), args.target.as_path(), args.to.as_deref());
        let job = described::Job { architecture, source, target, to, order, overflow: args.overflow, json: args.json };
        return described::convert(&job, &args.layouts, global, &ctx);
    }
    args.layouts.refuse(args.to.as_deref())?;
    let request = Request::of(&args, &ctx)?;
    let permutation = match request.order {
        Order::Applied(path) => Some(load_permutation(path)?),
        _ => None,
    };
    // The source stays mapped while it is read. A target of the same name is replaced by renaming, which leaves the mapped file as it is.
    let loaded = load_source(&args.source, &request).map_err(|error| described::with_hint(error, &args.source))?;
    let mut summary = Summary::new();
    let mut zero_blocks = None;
    let written = match (loaded, request.format) {
        (Loaded::Float(network), Format::Floats(target)) => {
            if !matches!(request.order, Order::Kept) {
                // The trainer's tool ignores the permutation there. Reordering by way of integers would round the weights.
                return Err(Error::usage("floats cannot be permuted into floats")
                    .because("a permutation is applied to the integers that an engine holds")
                    .help("convert into `.nnue` with the permutation first, and then that file into the other format"));
            }
            let network = Network { description: described(&args, &network.description), ..*network };
            summary.extend(network_lines(&network.architecture, &network.features(), &[]));
            write_floats(network, target, &request, &ctx)?
        }
        (loaded, format) => {
            let IntegerSource { mut network, candidates, clamped, .. } = into_integers(loaded, &args.source, args.overflow.into(), &ctx)?;
            network.description = described(&args, &network.description);
            zero_blocks = reorder(&mut network, &request, permutation.as_ref(), &ctx)?;
            summary.extend(network_lines(&network.architecture, &network.architecture.features.name(), &candidates));
            if let Some(clamped) = clamped {
                summary.push(("clamped", format!("{clamped}; {} limits dense weights", network.architecture.generation.name)));
            }
            match format {
                Format::Nnue(compression) => {
                    make_folder(request.place)?;
                    write_file(request.place, &ctx, |out| write_nnue(out, &network, None, compression))?
                }
                Format::Floats(target) => {
                    warn_assumed_scales(&network, &request.expected, &ctx);
                    write_floats(dequantize(&Arc::new(network), &ctx)?, target, &request, &ctx)?
                }
            }
        }
    };
    if args.json {
        let zero = zero_blocks
            .map(|[before, after]| json!({"positions": before.positions, "before": before.fraction(), "after": after.fraction()}));
        let output = json!({"path": written.path.to_string_lossy(), "sha256": written.sha256, "bytes": written.bytes});
        global.print_json(&json!({"schema": 1, "output": output, "zero_blocks": zero, "warnings": global.warnings()}))?;
    } else {
        if let Some([before, after]) = zero_blocks {
            let percent = |blocks: ZeroBlocks| 100.0 * blocks.fraction();
            summary.push(("zero blocks", format!("{:.2} % → {:.2} % ({} positions)", percent(before), percent(after), before.positions)));
        }
        let file = file_lines(&written, request.format);
        let text: String = file.iter().chain(&summary).map(|(key, value)| format!("{key:<12} {value}\n")).collect();
        global.print_summary(&text)?;
    }
    Ok(Exit::Done)
}

/// The description to write: the given one, or the source's.
fn described(args: &Args, own: &[u8]) -> Vec<u8> {
    args.description.as_ref().map_or_else(|| own.to_vec(), |description| description.clone().into_bytes())
}

/// Loads the source. For files of floats the name of the feature set may ask for virtual features that the source has not.
fn load_source(path: &Path, request: &Request<'_>) -> Result<Loaded> {
    let refusal = match load(path, &request.expected) {
        Ok(loaded) => return Ok(loaded),
        Err(error) => error,
    };
    match (&request.expected.features, request.format) {
        (Some(features), Format::Floats(_)) if features.contains('^') => {
            let bare = Expectation { features: Some(features.replace('^', "")), ..request.expected.clone() };
            load(path, &bare).map_err(|_| refusal)
        }
        _ => Err(refusal),
    }
}

/// Applies or finds the order of neurons that was asked for; returns the zero blocks before and after a search.
fn reorder(
    network: &mut QuantizedNetwork,
    request: &Request<'_>,
    permutation: Option<&Permutation>,
    ctx: &Ctx,
) -> Result<Option<[ZeroBlocks; 2]>> {
    match (&request.order, permutation) {
        (Order::Applied(path), Some(permutation)) => {
            permute(network, permutation).map_err(|error| error.context(format!("cannot apply `{}`", path.display())))?;
            Ok(None)
        }
        (Order::Searched { data, selection, params }, _) => {
            warn_assumed_scales(network, &request.expected, ctx);
            let sampled = select(data, selection, ctx)?;
            let matrix = gather(network, &sampled.positions, None, ctx)?;
            let found = search(&matrix, params, ctx)?;
            permute(network, &found.permutation)?;
            Ok(Some([found.before, found.after]))
        }
        _ => Ok(None),
    }
}

/// Writes floats, with the virtual features that the name of the feature set asks for.
fn write_floats(network: Network<Factorized>, target: FloatTarget, request: &Request<'_>, ctx: &Ctx) -> Result<Written> {
    let network = match &request.expected.features {
        Some(features) if features.contains('^') => network.with_virtual_features(features)?,
        _ => network,
    };
    make_folder(request.place)?;
    write_file(request.place, ctx, |out| write_float(out, &network, target, ctx))
}

/// The folder of `--out-sha` is made, but not before everything that can fail has gone well.
fn make_folder(place: Place<'_>) -> Result<()> {
    match place {
        Place::Folder(folder) => create_dir_all(folder),
        Place::File(_) => Ok(()),
    }
}

impl<'a> Request<'a> {
    /// Checks the options against each other, before any file is read.
    fn of(args: &'a Args, ctx: &Ctx) -> Result<Self> {
        if args.description.as_ref().is_some_and(|description| description.len() > MAX_DESCRIPTION) {
            return Err(Error::usage(format!("the description is longer than {MAX_DESCRIPTION} bytes")));
        }
        let compression = match args.compression {
            Some(CompressionName::None) => Compression::None,
            Some(CompressionName::Leb128) | None => Compression::Leb128,
        };
        let (place, format) = if args.out_sha {
            if args.target.exists() && !args.target.is_dir() {
                return Err(
                    Error::usage(format!("`{}` is no folder", args.target.display())).help("with `--out-sha` the target is a folder")
                );
            }
            (Place::Folder(&args.target), Format::Nnue(compression))
        } else {
            (Place::File(&args.target), format_of(&args.target, compression, args.pt_profile)?)
        };
        if args.compression.is_some() && matches!(format, Format::Floats(_)) {
            ctx.warn("`--ft_compression` has no effect on a target that is no `.nnue` file");
        }
        let order = Order::of(args, ctx)?;
        Ok(Self { place, format, order, expected: args.source_is.expectation() })
    }
}

impl<'a> Order<'a> {
    /// Checks the options that are about it against each other.
    fn of(args: &'a Args, ctx: &Ctx) -> Result<Self> {
        if args.perm.is_some() && args.optimize {
            return Err(
                Error::usage("`--ft_perm` and `--ft_optimize` are mutually exclusive").help("apply a known permutation or find one")
            );
        }
        if args.optimize && args.data.is_empty() {
            return Err(Error::usage("`--ft_optimize` needs positions").help("name files of positions: `--ft_optimize_data FILE…`"));
        }
        let filters = args.filters.filters()?;
        if !args.optimize {
            let idle = [
                (!args.data.is_empty(), "`--ft_optimize_data` has"),
                (args.count.is_some(), "`--ft_optimize_count` has"),
                (filters != Filters::default(), "filters of positions have"),
            ];
            for (_, what) in idle.into_iter().filter(|(given, _)| *given) {
                ctx.warn(format!("{what} no effect without `--ft_optimize`"));
            }
        }
        if args.moves.is_some() && args.algorithm == AlgorithmName::Greedy {
            return Err(Error::usage("`--moves` is for `--algorithm anneal`").because("the greedy search ends by itself"));
        }
        Ok(match &args.perm {
            Some(path) => Order::Applied(path),
            None if args.optimize => Order::Searched {
                data: &args.data,
                selection: Selection { count: Some(args.count.unwrap_or(DEFAULT_COUNT)), held_out: 0, seed: args.seed, filters },
                params: SearchParams { algorithm: args.algorithm.into(), seed: args.seed, moves: args.moves, time_limit: None },
            },
            None => Order::Kept,
        })
    }
}

/// What a target's ending asks for; the target is one file.
fn format_of(target: &Path, compression: Compression, pt_profile: PtProfile) -> Result<Format> {
    let shown = target.display();
    if target.is_dir() {
        return Err(
            Error::usage(format!("`{shown}` is a folder")).help("name a file in it, or give `--out-sha` to have it named by its SHA-256")
        );
    }
    let ending = target.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    let format = match ending.as_str() {
        "nnue" => Format::Nnue(compression),
        "pt" => Format::Floats(pt_profile.into()),
        "safetensors" => Format::Floats(FloatTarget::Safetensors),
        "npz" => Format::Floats(FloatTarget::Npz),
        "ckpt" => {
            return Err(Error::usage(format!("cannot convert into .ckpt: `{shown}`"))
                .because("a checkpoint holds the state of a training run, which the source does not have")
                .help("write `.pt` to train on from the weights"));
        }
        _ => {
            return Err(Error::usage(format!("`{shown}` has no ending that says what to write"))
                .help("possible are `.nnue`, `.pt`, `.safetensors` and `.npz`; with `--out-sha` the target is a folder"));
        }
    };
    check_folder_of(target)?;
    Ok(format)
}

/// Reads a permutation: a `.npy` file, or numbers in a text.
pub(super) fn load_permutation(path: &Path) -> Result<Permutation> {
    let bytes = Bytes::map(path)?;
    let text = std::str::from_utf8(&bytes).ok().filter(|_| identify(&bytes) != FileKind::Npy);
    text.map_or_else(|| read_permutation(&bytes), order::parse)
        .map_err(|error| error.context(format!("cannot use the permutation `{}`", path.display())))
}

/// What is said of the file.
fn file_lines(written: &Written, format: Format) -> Summary {
    let mut lines = vec![("wrote", written.path.display().to_string())];
    let kind = match format {
        Format::Nnue(compression) => {
            lines.push(("name", net_name(&written.sha256)));
            format!("compression {}", compression.name())
        }
        Format::Floats(target) => target.name().to_owned(),
    };
    lines.extend([("sha256", written.sha256.to_string()), ("bytes", format!("{}, {kind}", written.bytes))]);
    lines
}

/// What is said of the network.
fn network_lines(architecture: &Architecture, features: &str, candidates: &[&str]) -> Summary {
    let name = architecture.generation.name;
    let others: Vec<&str> = candidates.iter().copied().filter(|candidate| *candidate != name).collect();
    let also = if others.is_empty() { String::new() } else { format!(" (or {})", others.join(", ")) };
    vec![
        ("network", format!("{name}{also}, {features}")),
        ("sizes", format!("L1={} L2={} L3={}", architecture.l1, architecture.l2, architecture.l3)),
    ]
}
