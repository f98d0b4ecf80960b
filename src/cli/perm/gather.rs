//! `nnue perm gather`: which transformer outputs are zero in which position.

use std::path::{Path, PathBuf};

use super::{check_array_target, save};
use crate::cli::data::positions;
use crate::cli::filters::FilterArgs;
use crate::cli::network::{SourceArgs, warn_of_name};
use crate::cli::output::check_folder_of;
use crate::cli::trainer_options::TrainerOptions;
use crate::cli::{Exit, Global};
use crate::ctx::Backend;
use crate::error::Result;
use crate::family::nnue::stages::gather::{gather, note_overflow, overflow};
use crate::family::nnue::stages::pipeline::{Integers, load_integers, note_assumed_scales};
use crate::net::ZeroRule;
use crate::permutation::write_matrix;
use crate::stage::Quantize;

/// Write the activation matrix of a network over positions
///
/// Text files of FEN or EPD lines are taken whole and in order, unless --count asks for fewer or a filter is given; all other data is
/// sampled by the seeded rule, without positions in check.
#[derive(clap::Args)]
pub(in crate::cli) struct Args {
    /// The network
    #[arg(long, alias = "checkpoint", value_name = "NET")]
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
    #[command(flatten)]
    trainer: TrainerOptions,
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
    args.trainer.note(&ctx);
    let inputs: Vec<&Path> = std::iter::once(args.net.as_path()).chain(args.data.iter().map(PathBuf::as_path)).collect();
    check_array_target(&args.out, &inputs)?;
    check_folder_of(&args.out)?;
    let filters = args.filters.filters()?;
    warn_of_name(&args.net, &ctx)?;
    let Integers { network, scales_are_known, .. } = load_integers(&args.net, &args.source_is.load(), Quantize::default(), &ctx)?;
    args.trainer.check(network.architecture.quantization)?;
    let rule = match args.zero_rule {
        Rule::Engine => {
            note_assumed_scales(&network, scales_are_known, "the zero rule", &ctx);
            None
        }
        Rule::Given(rule) => Some(rule),
    };
    let positions = positions(&args.data, args.count, args.seed, filters, &ctx)?.positions;
    let matrix = gather(&network, &positions, rule, &ctx)?;
    if let (_, Some(overflow)) = overflow(&network, &positions, &ctx)? {
        note_overflow(&overflow, &ctx);
    }
    save(&args.out, &ctx, |mut out| write_matrix(&matrix, &mut out))?;
    global.print_summary(&format!("wrote {} positions × L1={} to `{}`\n", matrix.positions(), 2 * matrix.half(), args.out.display()))?;
    Ok(Exit::Done)
}
