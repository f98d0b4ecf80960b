//! `nnue perm gather`: which transformer outputs are zero in which position.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::{check_array_target, save};
use crate::cli::filters::FilterArgs;
use crate::cli::network::{SourceArgs, check_folder_of, load_integers, warn_assumed_scales};
use crate::cli::{Exit, Global};
use crate::ctx::{Backend, Ctx};
use crate::error::{Error, Result};
use crate::format::identify::{FileKind, identify};
use crate::net::ZeroRule;
use crate::permutation::write_matrix;
use crate::positions::{Filters, Position, Selection, Stream, select};
use crate::stages::gather::gather;
use crate::stages::quantize::Overflow;

/// Write the activation matrix of a network over positions
///
/// Text files of FEN or EPD lines are taken whole and in order, unless --count asks for fewer or a filter is given; all other data is
/// sampled by the seeded rule, without positions in check.
#[derive(clap::Args)]
pub(in crate::cli) struct Args {
    /// The network
    #[arg(long, value_name = "NET")]
    net: PathBuf,
    /// Positions: .binpack, .bin, or FEN/EPD lines; several files are one stream
    #[arg(long, value_name = "FILE", required = true, num_args = 1.., action = clap::ArgAction::Append)]
    data: Vec<PathBuf>,
    /// How many positions, exactly [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// The matrix to write: NumPy bool (positions, L1), True where the output is zero
    #[arg(long, value_name = "ACT.npy")]
    out: PathBuf,
    /// Fixes which positions are taken
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// When an output counts as zero: `engine`, or CLAMP:LIMIT for clamp(a,0,CLAMP)·clamp(b,0,CLAMP) < LIMIT
    #[arg(long = "zero-rule", alias = "zero_rule", value_name = "RULE", default_value = "engine", value_parser = parse_rule)]
    zero_rule: Rule,
    #[command(flatten)]
    filters: FilterArgs,
    #[command(flatten)]
    source_is: SourceArgs,
}

/// `--zero-rule`.
#[derive(Debug, Clone, Copy)]
enum Rule {
    Engine,
    Given(ZeroRule),
}

fn parse_rule(text: &str) -> Result<Rule, String> {
    if text == "engine" {
        return Ok(Rule::Engine);
    }
    let numbers = text.split_once(':').and_then(|(clamp, limit)| Some((clamp.parse::<i32>().ok()?, limit.parse::<i32>().ok()?)));
    match numbers {
        Some((clamp @ 1..=32767, limit @ 1..)) => Ok(Rule::Given(ZeroRule { clamp, limit })),
        _ => Err("expected `engine`, or CLAMP:LIMIT with CLAMP from 1 to 32767 and LIMIT from 1, such as `255:512`".to_owned()),
    }
}

pub(super) fn run(args: Args, global: &Global) -> Result<Exit> {
    let ctx = global.ctx(Backend::Cpu);
    args.source_is.refuse_described()?;
    let inputs: Vec<&Path> = std::iter::once(args.net.as_path()).chain(args.data.iter().map(PathBuf::as_path)).collect();
    check_array_target(&args.out, &inputs)?;
    check_folder_of(&args.out)?;
    let filters = args.filters.filters()?;
    let expected = args.source_is.expectation();
    let network = load_integers(&args.net, &expected, Overflow::Error, &ctx)?.network;
    let rule = match args.zero_rule {
        Rule::Engine => {
            warn_assumed_scales(&network, &expected, &ctx);
            None
        }
        Rule::Given(rule) => Some(rule),
    };
    let positions = positions(&args.data, args.count, args.seed, filters, &ctx)?;
    let matrix = gather(&network, &positions, rule, &ctx)?;
    save(&args.out, &ctx, |mut out| write_matrix(&matrix, &mut out))?;
    global.print_summary(&format!("wrote {} positions × L1={} to `{}`\n", matrix.positions(), 2 * matrix.half(), args.out.display()))?;
    Ok(Exit::Done)
}

/// The positions to look at. Lines of text that are all asked for come as they stand, those in check too: whoever made the list meant it so.
fn positions(files: &[PathBuf], count: Option<u64>, seed: u64, filters: Filters, ctx: &Ctx) -> Result<Vec<Position>> {
    if filters == Filters::default()
        && are_text(files)?
        && let Some(positions) = all_lines(files, count, ctx)?
    {
        return Ok(positions);
    }
    let selection = Selection { count, held_out: 0, seed, filters };
    Ok(select(files, &selection, ctx)?.positions)
}

/// All lines, in order; `None` where there are more of them than asked for.
fn all_lines(files: &[PathBuf], count: Option<u64>, ctx: &Ctx) -> Result<Option<Vec<Position>>> {
    let stream = Stream::open(files, ctx)?;
    let mut positions = Vec::new();
    for chunk in 0..stream.chunk_count() {
        stream.read_chunk(chunk, ctx, |_, entry| {
            positions.push(entry.position);
            Ok(())
        })?;
        if count.is_some_and(|count| (positions.len() as u64) > count) {
            return Ok(None);
        }
    }
    let found = positions.len() as u64;
    match count {
        Some(wanted) if wanted > found => Err(Error::new(format!("{wanted} positions were asked for, {found} are there"))
            .because(format!("read from {}", files.iter().map(|file| format!("`{}`", file.display())).collect::<Vec<_>>().join(", ")))
            .help("ask for fewer positions, or add files")),
        None if found == 0 => Err(Error::new("there are no positions in the files")),
        _ => Ok(Some(positions)),
    }
}

fn are_text(files: &[PathBuf]) -> Result<bool> {
    files.iter().try_fold(true, |all, file| Ok(all && is_text(file)?))
}

/// Of the kinds of file that hold positions only text occurs packed.
fn is_text(path: &Path) -> Result<bool> {
    crate::format::bytes::check_regular(path)?;
    let mut head = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(512).read_to_end(&mut head))
        .map_err(|error| Error::io("cannot read", path, error))?;
    Ok(matches!(identify(&head), FileKind::Text | FileKind::Gzip | FileKind::Zstd))
}
