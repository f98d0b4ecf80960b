//! `nnue completions`: what a shell needs to complete this command line.

use clap_complete::Shell;

use super::{Exit, Global};
use crate::error::Result;

/// Print a shell's completions
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Which shell
    shell: Shell,
}

pub(super) fn run(args: Args, global: &Global) -> Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::command(), "nnue", &mut script);
    global.print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
