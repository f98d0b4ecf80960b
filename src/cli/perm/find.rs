//! `nnue perm find`: a permutation with more zero blocks.

use std::path::PathBuf;

use serde_json::json;

use super::{load_matrix, save};
use crate::cli::convert::AlgorithmName;
use crate::cli::network::{BackendName, check_folder_of};
use crate::cli::{Exit, Global};
use crate::error::Result;
use crate::permutation::{SearchParams, search, write_permutation};

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
    /// What computes the search; the result is the same
    #[arg(long, value_name = "NAME", default_value = "auto")]
    backend: BackendName,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: Args, global: &Global) -> Result<Exit> {
    let ctx = global.ctx(args.backend.into());
    check_folder_of(&args.out)?;
    let matrix = load_matrix(&args.data, args.l1)?;
    let found = search(&matrix, &SearchParams { algorithm: args.algorithm.into() }, &ctx)?;
    save(&args.out, &ctx, |mut out| write_permutation(&found.permutation, &mut out))?;
    if args.json {
        let zero = json!({"positions": found.before.positions, "before": found.before.fraction(), "after": found.after.fraction()});
        global.print_json(&json!({
            "schema": 1, "path": args.out.to_string_lossy(), "zero_blocks": zero,
            "rounds": found.iterations, "swaps": found.swaps, "cycles": found.cycles,
        }))?;
    } else {
        global.print_summary(&format!(
            "wrote a permutation of {} neurons to `{}`\nzero blocks  {} % → {} % ({} positions, {} swaps, {} cycles)\n",
            found.permutation.len(),
            args.out.display(),
            found.before.percent(),
            found.after.percent(),
            found.before.positions,
            found.swaps,
            found.cycles,
        ))?;
    }
    Ok(Exit::Done)
}
