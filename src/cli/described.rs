//! Networks that an architecture file describes, for `nnue convert`: from one layout into another.

use std::path::Path;

use serde_json::json;

use super::convert::{Order, load_permutation};
use super::network::{OverflowName, Place, check_folder_of, write_file};
use super::{Exit, Global};
use crate::ctx::Ctx;
use crate::error::{Error, Kind, Result};
use crate::family::described::Architecture;
use crate::format::bytes::Bytes;

/// Which layouts of a described architecture.
#[derive(clap::Args, Debug, Clone, Default)]
#[command(next_help_heading = "For described architectures")]
pub(crate) struct LayoutArgs {
    /// The layout that the source is in [default: the only one that it fits]
    #[arg(long, value_name = "LAYOUT")]
    pub(crate) from: Option<String>,
    /// The layout to write
    #[arg(long, value_name = "LAYOUT")]
    to: Option<String>,
    /// Change a value of the architecture file, such as `sizes.neuron=64`
    #[arg(long = "set", value_name = "KEY=VALUE", action = clap::ArgAction::Append, allow_hyphen_values = true)]
    pub(crate) set: Vec<String>,
}

impl LayoutArgs {
    /// For architectures that are not described.
    pub(super) fn refuse(&self) -> Result<()> {
        let given = [("--from", self.from.is_some()), ("--to", self.to.is_some()), ("--set", !self.set.is_empty())];
        match given.iter().find(|(_, given)| *given) {
            None => Ok(()),
            Some((option, _)) => Err(Error::usage(format!("`{option}` is for described architectures"))
                .help("name one with `--architecture`: `nnue architecture list` shows those that ship, others are files")),
        }
    }
}

/// What is to be converted.
pub(super) struct Job<'a> {
    pub(super) architecture: &'a str,
    pub(super) source: &'a Path,
    pub(super) target: &'a Path,
    pub(super) order: Order<'a>,
    pub(super) overflow: OverflowName,
    pub(super) json: bool,
}

/// Converts a file and says what was written.
pub(super) fn convert(job: &Job<'_>, layouts: &LayoutArgs, global: &Global, ctx: &Ctx) -> Result<Exit> {
    let mut architecture = Architecture::load(job.architecture, &layouts.set)?;
    if job.overflow != OverflowName::Error {
        architecture.relax(job.overflow == OverflowName::Clamp);
    }
    let Some(to) = layouts.to.as_deref() else {
        let names = architecture.layout_names().iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        return Err(Error::usage("`--to` is missing: the layout to write").help(format!("layouts of `{}`: {names}", architecture.name())));
    };
    let permutation = match job.order {
        Order::Applied(path) => Some(load_permutation(path)?),
        _ => None,
    };
    check_folder_of(job.target)?;
    let file = Bytes::map(job.source)?;
    let about = |error: Error| {
        if error.kind() == Kind::Failed { error.context(format!("cannot convert `{}`", job.source.display())) } else { error }
    };
    let converted = architecture.convert(&file, layouts.from.as_deref(), to, permutation.as_ref(), ctx).map_err(about)?;
    if permutation.is_some() && !converted.permuted() {
        ctx.warn(format!("`--ft_perm` has no effect: no step of the layout `{to}` reorders the neurons"));
    }
    let written = write_file(Place::File(job.target), ctx, |out| converted.write(out))?;
    if job.json {
        let output = json!({"path": written.path.to_string_lossy(), "sha256": written.sha256, "bytes": written.bytes});
        global.print_json(&json!({
            "schema": 1, "output": output, "architecture": architecture.name(), "from": converted.source(), "to": to,
            "zero_blocks": null, "warnings": global.warnings(),
        }))?;
    } else {
        let layouts = format!("{}, {} → {to}", architecture.name(), converted.source());
        global.print_summary(&format!(
            "wrote        {}\nsha256       {}\nbytes        {}\nnetwork      {layouts}\n",
            written.path.display(),
            written.sha256,
            written.bytes
        ))?;
    }
    Ok(Exit::Done)
}
