//! `nnue perm eval`: how many blocks are zero before and after a permutation.

use std::path::PathBuf;

use serde_json::json;

use super::load_matrix;
use crate::cli::trainer_options::TrainerOptions;
use crate::cli::{Exit, Global};
use crate::ctx::Backend;
use crate::error::Result;
use crate::family::nnue::stages::load::load_permutation;
use crate::net::Permutation;
use crate::permutation::zero_blocks;

/// Print the percentage of zero blocks of four, without and with a permutation
#[derive(clap::Args)]
pub(in crate::cli) struct Args {
    /// The activation matrix: bool (positions, L1), or packed by numpy.packbits
    #[arg(long, value_name = "ACT.npy")]
    data: PathBuf,
    /// The permutation
    #[arg(long, value_name = "PERM.npy")]
    perm: Option<PathBuf>,
    /// L1, for a packed matrix
    #[arg(long, value_name = "N")]
    l1: Option<usize>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    trainer: TrainerOptions,
}

pub(super) fn run(args: Args, global: &Global) -> Result<Exit> {
    args.trainer.note(&global.ctx(Backend::Cpu));
    let permutation = args.perm.as_deref().map(load_permutation).transpose()?;
    let matrix = load_matrix(&args.data, args.l1)?;
    let base = zero_blocks(&matrix, &Permutation::identity(matrix.half())?)?;
    let permuted = permutation.map(|permutation| zero_blocks(&matrix, &permutation)).transpose()?;
    if args.json {
        let zero = json!({"positions": base.positions, "before": base.fraction(), "after": permuted.map(|blocks| blocks.fraction())});
        global.print_json(&json!({"schema": 1, "zero_blocks": zero}))?;
    } else {
        let mut text = format!("Combined zeros in base matrix: {}\n", base.percent());
        if let Some(permuted) = permuted {
            text += &format!("Combined zeros in perm matrix: {}\n", permuted.percent());
        }
        global.print(&text)?;
    }
    Ok(Exit::Done)
}
