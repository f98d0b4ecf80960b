//! `nnue stage run`: what a worker of a cluster starts. Nobody types it, so it is hidden.

use std::path::PathBuf;

use super::{Exit, Global};
use crate::build;
use crate::ctx::Backend;
use crate::error::Result;

/// Run single stages, for clusters
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    Run(Args),
}

/// Run the stage of a request on files that lie beside it
///
/// Opens no connection and reads nothing but what is named. Exits with 2 where this program is not the one that the request was made for, or the files are not those of
/// the request.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The canonical preimage of the key of an action, as JSON
    #[arg(value_name = "REQUEST")]
    request: PathBuf,
    /// The folder with the inputs, each under its name in the request
    #[arg(long = "in", value_name = "DIR")]
    input: PathBuf,
    /// The folder for `artifact` and `record`
    #[arg(long = "out", value_name = "DIR")]
    output: PathBuf,
}

pub(super) fn run(command: Command, global: &Global) -> Result<Exit> {
    let Command::Run(args) = command;
    build::run_stage(&args.request, &args.input, &args.output, &global.ctx(Backend::Cpu))?;
    Ok(Exit::Done)
}
