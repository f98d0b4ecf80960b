//! `nnue perm`: the steps of the trainer's `ftperm.py` one by one, reading and writing its `.npy` files, and a bound of what they
//! can reach.

mod apply;
mod bound;
mod eval;
mod find;
mod gather;
mod show;

use std::path::Path;

use clap::Subcommand;

use super::output::check_folder_of;
use super::{Exit, Global};
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::files::{Bytes, Durability, write_atomic};
use crate::permutation::{ActivationMatrix, read_matrix};

/// Gather activations, find, judge and apply permutations of the neurons
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    #[command(alias = "gather_perm")]
    Gather(gather::Args),
    #[command(alias = "find_perm")]
    Find(find::Args),
    #[command(alias = "eval_perm")]
    Eval(eval::Args),
    Bound(bound::Args),
    #[command(alias = "apply_perm")]
    Apply(apply::Args),
    Show(show::Args),
}

pub(super) fn run(args: Args, global: &Global) -> Result<Exit> {
    match args.command {
        Command::Gather(args) => gather::run(args, global),
        Command::Find(args) => find::run(args, global),
        Command::Eval(args) => eval::run(args, global),
        Command::Bound(args) => bound::run(args, global),
        Command::Apply(args) => apply::run(args, global),
        Command::Show(args) => show::run(args, global),
    }
}

/// Reads an activation matrix file.
fn load_matrix(path: &Path, l1: Option<usize>) -> Result<ActivationMatrix> {
    read_matrix(&Bytes::map(path)?, l1).map_err(|error| error.context(format!("cannot use the activation matrix `{}`", path.display())))
}

/// Refuses to write an array over an input, or under the name of a network.
fn check_array_target(target: &Path, inputs: &[&Path]) -> Result<()> {
    let same = |input: &&&Path| match (target.canonicalize(), input.canonicalize()) {
        (Ok(target), Ok(input)) => target == input,
        _ => false,
    };
    if let Some(input) = inputs.iter().find(same) {
        return Err(
            Error::usage(format!("`{}` is an input, and would be overwritten", input.display())).help("give another name after `--out`")
        );
    }
    const NETWORKS: [&str; 6] = ["nnue", "ckpt", "pt", "safetensors", "npz", "binpack"];
    let ending = target.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase).unwrap_or_default();
    if NETWORKS.contains(&ending.as_str()) {
        let help = "an array ends with `.npy`";
        return Err(Error::usage(format!("`{}` has the name of another kind of file", target.display())).help(help));
    }
    Ok(())
}

/// Writes an array atomically.
fn save(path: &Path, ctx: &Ctx, write: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>) -> Result<()> {
    check_folder_of(path)?;
    write_atomic(path, Durability::Durable, |out| {
        write(out).map_err(|error| Error::io("cannot write", path, error))?;
        ctx.check()
    })
}
