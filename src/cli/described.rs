//! Networks that an architecture file describes, for `nnue convert`: from one layout into another. And the options for them.

use std::path::Path;

use serde_json::json;

use super::output::{Place, Written, check_folder_of, write_file};
use super::{Exit, Global};
use crate::ctx::Ctx;
use crate::error::{Error, Kind, Result};
use crate::family::described::{Architecture, Converted, Gather, Neurons, foreign};
use crate::family::nnue::stages::pipeline::{self, Order};
use crate::files::{Bytes, typed};
use crate::permutation::ZeroBlocks;
use crate::words::{Allow, Overflow};

/// Which layouts of a described architecture.
#[derive(clap::Args, Debug, Clone, Default)]
#[command(next_help_heading = "For described architectures")]
pub(crate) struct LayoutArgs {
    /// The layout that the source is in [default: the only one that it fits]
    #[arg(long, value_name = "LAYOUT")]
    pub(crate) from: Option<String>,
    /// Change a value of the architecture file, such as `sizes.neuron=64`
    #[arg(long = "set", value_name = "KEY=VALUE", action = clap::ArgAction::Append, allow_hyphen_values = true)]
    pub(crate) set: Vec<String>,
}

impl LayoutArgs {
    /// For architectures that are not described; `to` is the layout to write.
    pub(super) fn refuse(&self, to: Option<&str>, allow: bool) -> Result<()> {
        let given = [("--from", self.from.is_some()), ("--to", to.is_some()), ("--set", !self.set.is_empty()), ("--allow", allow)];
        match given.iter().find(|(_, given)| *given) {
            None => Ok(()),
            Some((option, _)) => Err(Error::usage(format!("`{option}` is for described architectures"))
                .help("name one with `--architecture`: `nnue architecture list` shows those that ship, others are files")),
        }
    }
}

/// Says of a file that no table knows which described architecture it is of.
pub(super) fn with_hint(error: Error, source: &Path) -> Error {
    match Bytes::map(source).ok().and_then(|bytes| foreign::recognize(&bytes)) {
        None => error,
        Some(found) => {
            Error::new(format!("`{}` is {}", source.display(), found.what)).help(format!("it can be converted: {}", found.options()))
        }
    }
}

/// What is to be converted.
pub(super) struct Job<'a> {
    pub(super) architecture: &'a str,
    pub(super) source: &'a Path,
    pub(super) target: &'a Path,
    pub(super) to: Option<&'a str>,
    pub(super) order: Order<'a>,
    pub(super) overflow: Overflow,
    pub(super) allow: Option<Allow>,
    pub(super) json: bool,
}

/// Converts a file and says what was written.
pub(super) fn convert(job: &Job<'_>, layouts: &LayoutArgs, global: &Global, ctx: &Ctx) -> Result<Exit> {
    let mut architecture = Architecture::load(job.architecture, &layouts.set)?;
    if job.overflow != Overflow::Error {
        architecture.relax(job.overflow == Overflow::Clamp);
    }
    let Some(to) = job.to else {
        let names = architecture.layout_names().iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        return Err(Error::usage("`--to` is missing: the layout to write").help(format!("layouts of `{}`: {names}", architecture.name())));
    };
    check_folder_of(job.target)?;
    let file = Bytes::map(job.source)?;
    let about = |error: Error| {
        if error.kind() == Kind::Failed { error.context(format!("cannot convert `{}`", job.source.display())) } else { error }
    };
    let mut zero_blocks = None;
    let mut search = |gather: &Gather<'_>| {
        let Order::Found { data, gather: which, search: how } = &job.order else {
            return Err(Error::new("no positions were given"));
        };
        let sampled = pipeline::sample(data, which, 0, ctx)?;
        let found = pipeline::search(&gather(&sampled.positions)?, None, how, None, ctx)?.found;
        zero_blocks = Some([found.before, found.after]);
        Ok(found.permutation)
    };
    let neurons = match &job.order {
        Order::Found { .. } => Neurons::Found(&mut search),
        Order::Given { permutation, .. } => Neurons::Applied(permutation),
        Order::Kept => Neurons::Kept,
    };
    let converted = architecture.convert(&file, layouts.from.as_deref(), to, neurons, ctx).map_err(about)?;
    match job.order {
        Order::Given { .. } if !converted.permuted() => {
            ctx.warn(format!("`--ft_perm` has no effect: no step of the layout `{to}` reorders the neurons"));
        }
        Order::Found { .. } if !converted.permuted() => {
            return Err(Error::usage(format!("no step of the layout `{to}` reorders the neurons"))
                .help("choose a layout whose steps hold one with `do = \"permute\"`"));
        }
        _ => {}
    }
    if let Some(warning) = converted.warning().filter(|_| converted.permuted() && job.allow != Some(Allow::WideSums)) {
        ctx.warn(format!("{warning}; `--allow {}` accepts that", Allow::WideSums));
    }
    let written = write_file(Place::File(job.target), ctx, |out| converted.write(out))?;
    report(job, &converted, &written, zero_blocks, global)
}

/// Says what was written.
fn report(
    job: &Job<'_>,
    converted: &Converted<'_>,
    written: &Written,
    zero_blocks: Option<[ZeroBlocks; 2]>,
    global: &Global,
) -> Result<Exit> {
    if job.json {
        let output = json!({"path": typed(&written.path), "sha256": written.sha256, "bytes": written.bytes});
        global.print_json(&json!({
            "schema": 1, "output": output, "architecture": converted.architecture(), "from": converted.source(), "to": job.to,
            "zero_blocks": zero_blocks.map(|[before, after]| {
                json!({"positions": before.positions, "before": before.fraction(), "after": after.fraction()})
            }),
            "largest_sum": converted.largest_sum(), "warnings": global.warnings(),
        }))?;
    } else {
        let layouts = format!("{}, {} → {}", converted.architecture(), converted.source(), job.to.unwrap_or_default());
        let zero = zero_blocks.map_or_else(String::new, |[before, after]| {
            format!("zero blocks  {} % → {} % ({} positions)\n", before.percent(), after.percent(), before.positions)
        });
        global.print_summary(&format!(
            "wrote        {}\nsha256       {}\nbytes        {}\nnetwork      {layouts}\n{zero}",
            written.path.display(),
            written.sha256,
            written.bytes
        ))?;
    }
    Ok(Exit::Done)
}
