//! `nnue convert`: one file into another, without a manifest; the options of the trainer's `serialize.py`.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde_json::json;

use super::network::{
    BackendName, IntegerSource, OverflowName, Place, SourceArgs, Written, check_folder_of, load_integers, net_name, warn_assumed_scales,
    write_network,
};
use super::{Exit, Global};
use crate::cache::files::create_dir_all;
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::format::bytes::Bytes;
use crate::format::nnue::{Compression, Expectation, MAX_DESCRIPTION};
use crate::net::{Architecture, Permutation, QuantizedNetwork};
use crate::permutation::{Algorithm, SearchParams, ZeroBlocks, read_permutation, search};
use crate::positions::{Filters, Selection, select};
use crate::stages::gather::gather;
use crate::stages::permute::permute;

/// Convert a network: .ckpt, .pt, .safetensors, .npz, .nnue or an engine into .nnue
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
    /// Apply a permutation of the neurons, as ftperm.py saves it (.npy)
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
    /// Fixes which positions are taken
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// How to search for the permutation
    #[arg(long, value_name = "NAME", default_value = "greedy")]
    algorithm: AlgorithmName,
    /// What computes the search; the result is the same
    #[arg(long, value_name = "NAME", default_value = "auto")]
    backend: BackendName,
    /// What to do with weights that do not fit their integer type
    #[arg(long, value_name = "HOW", default_value = "error")]
    overflow: OverflowName,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    source_is: SourceArgs,
}

/// `--ft_compression`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CompressionName {
    /// Raw integers: what Stockfish up to 15.1 reads
    None,
    /// Signed LEB128: what Stockfish since 16 reads
    Leb128,
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
    compression: Compression,
    order: Order<'a>,
    expected: Expectation,
}

/// What happens to the order of the neurons.
enum Order<'a> {
    Kept,
    Applied(&'a Path),
    Searched { data: &'a [PathBuf], selection: Selection, params: SearchParams },
}

pub(super) fn run(args: Args, global: &Global) -> Result<Exit> {
    let ctx = global.ctx(args.backend.into());
    let request = Request::of(&args, &ctx)?;
    let permutation = match request.order {
        Order::Applied(path) => Some(load_permutation(path)?),
        _ => None,
    };
    // The source stays mapped while it is read. A target of the same name is replaced by renaming, which leaves the mapped file as it is.
    let IntegerSource { mut network, candidates, clamped, .. } = load_integers(&args.source, &request.expected, args.overflow.into(), &ctx)?;
    if let Some(description) = &args.description {
        network.description = description.clone().into_bytes();
    }
    let mut zero_blocks = None;
    match &request.order {
        Order::Kept => {}
        Order::Applied(path) => {
            if let Some(permutation) = &permutation {
                permute(&mut network, permutation).map_err(|error| error.context(format!("cannot apply `{}`", path.display())))?;
            }
        }
        Order::Searched { data, selection, params } => {
            warn_assumed_scales(&network, &request.expected, &ctx);
            zero_blocks = Some(optimize(&mut network, data, selection, params, &ctx)?);
        }
    }
    if let Place::Folder(folder) = request.place {
        create_dir_all(folder)?;
    }
    let written = write_network(request.place, &mut network, request.compression, &ctx)?;
    if args.json {
        let zero = zero_blocks
            .map(|[before, after]| json!({"positions": before.positions, "before": before.fraction(), "after": after.fraction()}));
        let output = json!({"path": written.path.to_string_lossy(), "sha256": written.sha256, "bytes": written.bytes});
        global.print_json(&json!({"schema": 1, "output": output, "zero_blocks": zero, "warnings": global.warnings()}))?;
    } else {
        global.print_summary(&summary(&written, &network.architecture, &candidates, clamped, request.compression, zero_blocks))?;
    }
    Ok(Exit::Done)
}

impl<'a> Request<'a> {
    /// Checks the options against each other, before any file is read.
    fn of(args: &'a Args, ctx: &Ctx) -> Result<Self> {
        if args.perm.is_some() && args.optimize {
            return Err(
                Error::usage("`--ft_perm` and `--ft_optimize` are mutually exclusive").help("apply a known permutation or find one")
            );
        }
        if args.optimize && args.data.is_empty() {
            return Err(Error::usage("`--ft_optimize` needs positions").help("name files of positions: `--ft_optimize_data FILE…`"));
        }
        if !args.optimize {
            for (given, name) in [(!args.data.is_empty(), "--ft_optimize_data"), (args.count.is_some(), "--ft_optimize_count")] {
                if given {
                    ctx.warn(format!("`{name}` has no effect without `--ft_optimize`"));
                }
            }
        }
        if args.description.as_ref().is_some_and(|description| description.len() > MAX_DESCRIPTION) {
            return Err(Error::usage(format!("the description is longer than {MAX_DESCRIPTION} bytes")));
        }
        let place = if args.out_sha {
            if args.target.exists() && !args.target.is_dir() {
                return Err(
                    Error::usage(format!("`{}` is no folder", args.target.display())).help("with `--out-sha` the target is a folder")
                );
            }
            Place::Folder(&args.target)
        } else {
            Place::File(file_target(&args.target)?)
        };
        let compression = match args.compression {
            Some(CompressionName::None) => Compression::None,
            Some(CompressionName::Leb128) | None => Compression::Leb128,
        };
        let order = match &args.perm {
            Some(path) => Order::Applied(path),
            None if args.optimize => Order::Searched {
                data: &args.data,
                selection: Selection {
                    count: Some(args.count.unwrap_or(DEFAULT_COUNT)),
                    held_out: 0,
                    seed: args.seed,
                    filters: Filters::default(),
                },
                params: SearchParams { algorithm: args.algorithm.into(), seed: args.seed, moves: None, time_limit: None },
            },
            None => Order::Kept,
        };
        Ok(Self { place, compression, order, expected: args.source_is.expectation() })
    }
}

/// Checks a target that is one file.
fn file_target(target: &Path) -> Result<&Path> {
    let shown = target.display();
    if target.is_dir() {
        return Err(
            Error::usage(format!("`{shown}` is a folder")).help("name a file in it, or give `--out-sha` to have it named by its SHA-256")
        );
    }
    let ending = target.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    match ending.as_str() {
        "nnue" => {}
        "ckpt" => {
            return Err(Error::usage(format!("cannot convert into .ckpt: `{shown}`"))
                .because("a checkpoint holds the state of a training run, which the source does not have")
                .help("write `.pt` to train on from the weights"));
        }
        "pt" | "safetensors" | "npz" => {
            return Err(Error::usage(format!("`.{ending}` targets are not supported in this build: `{shown}`")));
        }
        _ => {
            return Err(Error::usage(format!("`{shown}` has no ending that says what to write"))
                .help("possible are `.nnue`, `.pt`, `.safetensors` and `.npz`; with `--out-sha` the target is a folder"));
        }
    }
    check_folder_of(target)?;
    Ok(target)
}

/// Reads a permutation file.
pub(super) fn load_permutation(path: &Path) -> Result<Permutation> {
    read_permutation(&Bytes::map(path)?).map_err(|error| error.context(format!("cannot use the permutation `{}`", path.display())))
}

/// Finds and applies a permutation; returns the zero blocks before and after.
fn optimize(
    network: &mut QuantizedNetwork,
    data: &[PathBuf],
    selection: &Selection,
    params: &SearchParams,
    ctx: &Ctx,
) -> Result<[ZeroBlocks; 2]> {
    let sampled = select(data, selection, ctx)?;
    let matrix = gather(network, &sampled.positions, None, ctx)?;
    let found = search(&matrix, params, ctx)?;
    permute(network, &found.permutation)?;
    Ok([found.before, found.after])
}

/// The result for people.
fn summary(
    written: &Written,
    architecture: &Architecture,
    candidates: &[&str],
    clamped: Option<String>,
    compression: Compression,
    zero_blocks: Option<[ZeroBlocks; 2]>,
) -> String {
    let name = architecture.generation.name;
    let others: Vec<&str> = candidates.iter().copied().filter(|candidate| *candidate != name).collect();
    let also = if others.is_empty() { String::new() } else { format!(" (or {})", others.join(", ")) };
    let mut lines = vec![
        ("wrote", written.path.display().to_string()),
        ("name", net_name(&written.sha256)),
        ("sha256", written.sha256.to_string()),
        ("bytes", format!("{}, compression {}", written.bytes, compression.name())),
        ("network", format!("{name}{also}, {}", architecture.features.name())),
        ("sizes", format!("L1={} L2={} L3={}", architecture.l1, architecture.l2, architecture.l3)),
    ];
    if let Some([before, after]) = zero_blocks {
        let percent = |blocks: ZeroBlocks| 100.0 * blocks.fraction();
        lines.push(("zero blocks", format!("{:.2} % → {:.2} % ({} positions)", percent(before), percent(after), before.positions)));
    }
    if let Some(clamped) = clamped {
        lines.push(("clamped", format!("{clamped}; {name} limits dense weights")));
    }
    lines.iter().map(|(key, value)| format!("{key:<12} {value}\n")).collect()
}
