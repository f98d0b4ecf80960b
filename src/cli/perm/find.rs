//! `nnue perm find`: a permutation with more zero blocks.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use super::{check_array_target, load_matrix, save};
use crate::cli::output::check_folder_of;
use crate::cli::search::SearchArgs;
use crate::cli::trainer_options::TrainerOptions;
use crate::cli::word::word;
use crate::cli::{Exit, Global};
use crate::ctx::Backend;
use crate::error::Result;
use crate::family::nnue::stages::pipeline::search;
use crate::files::typed;
use crate::permutation::{Algorithm, write_permutation};

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
    #[command(flatten)]
    search: SearchArgs,
    /// Of the random numbers of the search; greedy draws none
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// End anneal or assign after this time; what was spent is printed, so that --moves or --effort gives the same result again
    #[arg(long, value_name = "S", value_parser = parse_seconds)]
    seconds: Option<Duration>,
    /// What computes the search; the result is the same
    #[arg(long, value_name = "NAME", default_value = "auto", value_parser = word::<Backend>())]
    backend: Backend,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    trainer: TrainerOptions,
}

pub(super) fn run(args: Args, global: &Global) -> Result<Exit> {
    let ctx = global.ctx(args.backend);
    args.trainer.note(&ctx);
    let params = args.search.params(args.seed)?;
    if args.seconds.is_some() {
        args.search.check_time_limit()?;
    }
    check_array_target(&args.out, &[&args.data])?;
    check_folder_of(&args.out)?;
    let matrix = load_matrix(&args.data, args.l1)?;
    let found = search(&matrix, None, &params, args.seconds, &ctx)?.found;
    save(&args.out, &ctx, |mut out| write_permutation(&found.permutation, &mut out))?;
    if args.json {
        let zero = json!({"positions": found.before.positions, "before": found.before.fraction(), "after": found.after.fraction()});
        global.print_json(&json!({
            "schema": 1, "path": typed(&args.out), "zero_blocks": zero,
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
            match params.algorithm {
                Algorithm::Greedy => String::new(),
                Algorithm::Anneal => format!(", {} moves of anneal", found.moves),
                Algorithm::Assign => format!(", {} steps of assign", found.moves),
            },
        ))?;
    }
    Ok(Exit::Done)
}

pub(super) fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "a number of seconds is needed".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|_| "a number of seconds, 0 or more, is needed".to_owned())
}
