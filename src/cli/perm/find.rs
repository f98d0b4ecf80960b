//! `nnue perm find`: a permutation with more zero blocks.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use super::{load_matrix, save};
use crate::cli::convert::AlgorithmName;
use crate::cli::network::{BackendName, check_folder_of};
use crate::cli::{Exit, Global};
use crate::error::Result;
use crate::permutation::{Algorithm, SearchParams, search, write_permutation};

/// Find a permutation of the neurons under which more blocks of four are zero
#[derive(clap::Args)]
pub(in crate::cli) struct Args {
    /// The activation matrix: bool (positions, L1), or packed by numpy.packbits
    #[arg(long, value_name = "ACT.npy")]
    data: PathBuf,
    /// The permutation to write: int64 (L1/2,)
    #[arg(long, value_name = "PERM.npy")]
    out: PathBuf,
    /// L1, for a packed matrix
    #[arg(long, value_name = "N")]
    l1: Option<usize>,
    /// How to search
    #[arg(long, value_name = "NAME", default_value = "greedy")]
    algorithm: AlgorithmName,
    /// Fixes the random numbers of `anneal`
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// How many moves `anneal` tries
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    moves: Option<u64>,
    /// End `anneal` after this time; the moves it made are printed, and --moves with that number repeats the result
    #[arg(long, value_name = "S", value_parser = parse_seconds)]
    seconds: Option<Duration>,
    /// What computes the search; the result is the same
    #[arg(long, value_name = "NAME", default_value = "auto")]
    backend: BackendName,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| *seconds > 0.0);
    seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).ok_or_else(|| "a number of seconds above 0 is needed".to_owned())
}

pub(super) fn run(args: Args, global: &Global) -> Result<Exit> {
    let ctx = global.ctx(args.backend.into());
    check_folder_of(&args.out)?;
    let matrix = load_matrix(&args.data, args.l1)?;
    let algorithm = args.algorithm.into();
    if algorithm == Algorithm::Greedy {
        for (given, name) in [(args.moves.is_some(), "--moves"), (args.seconds.is_some(), "--seconds")] {
            if given {
                ctx.warn(format!("`{name}` has no effect without `--algorithm anneal`: greedy runs to its end"));
            }
        }
    }
    let params = SearchParams { algorithm, seed: args.seed, moves: args.moves, time_limit: args.seconds };
    let found = search(&matrix, &params, &ctx)?;
    save(&args.out, &ctx, |mut out| write_permutation(&found.permutation, &mut out))?;
    if args.json {
        let zero = json!({"positions": found.before.positions, "before": found.before.fraction(), "after": found.after.fraction()});
        global.print_json(&json!({
            "schema": 1, "path": args.out.to_string_lossy(), "zero_blocks": zero,
            "rounds": found.iterations, "swaps": found.swaps, "cycles": found.cycles, "moves": found.moves,
        }))?;
    } else {
        global.print_summary(&format!(
            "wrote a permutation of {} neurons to `{}`\nzero blocks  {} % → {} % ({} positions, {} swaps, {} cycles{})\n",
            found.permutation.len(),
            args.out.display(),
            found.before.percent(),
            found.after.percent(),
            found.before.positions,
            found.swaps,
            found.cycles,
            if found.moves > 0 { format!(", {} moves", found.moves) } else { String::new() },
        ))?;
    }
    Ok(Exit::Done)
}
