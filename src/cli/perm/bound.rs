//! `nnue perm bound`: how many zero blocks no permutation exceeds, and how near a permutation is.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use super::find::parse_seconds;
use super::load_matrix;
use crate::cli::{Exit, Global};
use crate::ctx::Backend;
use crate::error::{Error, Result};
use crate::family::nnue::stages::load::load_permutation;
use crate::permutation::{BoundLimits, SearchParams, bound, check_bound, search, zero_blocks};

/// Prove how many zero blocks no permutation can exceed on these positions, and how near one is to that
#[derive(clap::Args)]
pub(in crate::cli) struct Args {
    /// The activation matrix: bool (positions, L1), or packed by numpy.packbits
    #[arg(long, value_name = "ACT.npy")]
    data: PathBuf,
    /// The permutation that is judged; without one, what greedy finds
    #[arg(long, value_name = "PERM.npy")]
    perm: Option<PathBuf>,
    /// L1, for a packed matrix; at most 1024
    #[arg(long, value_name = "N")]
    l1: Option<usize>,
    /// How often all blocks of four are looked at; each round proves as much as those before it, or more
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Begin no round after this time
    #[arg(long, value_name = "S", value_parser = parse_seconds)]
    seconds: Option<Duration>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: Args, global: &Global) -> Result<Exit> {
    let ctx = global.ctx(Backend::Cpu);
    let given = args.perm.as_deref().map(load_permutation).transpose()?;
    let matrix = load_matrix(&args.data, args.l1)?;
    check_bound(&matrix)?;
    if matrix.positions() == 0 {
        return Err(Error::usage(format!("`{}` has no positions", args.data.display())).help("gather some: `nnue perm gather`"));
    }
    let judged = match given {
        Some(permutation) => permutation,
        None => search(&matrix, &SearchParams::default(), &ctx)?.permutation,
    };
    let has = zero_blocks(&matrix, &judged)?;
    let proven = bound(&matrix, &judged, BoundLimits { rounds: args.rounds, time: args.seconds }, &ctx)?;
    let share = proven.at_most as f64 / has.total as f64;
    let gap = share - has.fraction();
    // A position has the blocks of both sides.
    let blocks = (proven.at_most as f64 - has.zero as f64) / has.positions as f64;
    if args.json {
        global.print_json(&json!({
            "schema": 1,
            "zero_blocks": {"positions": has.positions, "permutation": has.fraction(), "at_most": share},
            "gap": gap, "blocks": blocks, "rounds": proven.rounds, "final": proven.is_final,
        }))?;
        return Ok(Exit::Done);
    }
    let name = args.perm.as_ref().map_or_else(|| "greedy".to_owned(), |path| format!("`{}`", path.display()));
    let rounds = if proven.rounds == 1 { "1 round".to_owned() } else { format!("{} rounds", proven.rounds) };
    let end = if proven.is_final { "; more rounds prove no less" } else { "" };
    global.print_summary(&format!(
        "no permutation has more than {:.4} % zero blocks on these {} positions ({rounds}{end})\n\
         {name} has {:.4} %: at most {:.4} points below the best, {blocks:.2} blocks a position\n",
        100.0 * share,
        has.positions,
        100.0 * has.fraction(),
        100.0 * gap,
    ))?;
    Ok(Exit::Done)
}
