//! `nnue schema`: the manifest's JSON schema.

use super::{Exit, Global};
use crate::error::Result;

/// Print the JSON schema of `nnue.toml`
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(super) fn run(_: Args, global: &Global) -> Result<Exit> {
    global.print_json(&crate::manifest::schema())?;
    Ok(Exit::Done)
}
