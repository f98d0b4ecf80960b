//! `nnue graph`: the DAG of a manifest.

use clap::ValueEnum;

use super::build::{ManifestArgs, load_manifest};
use super::{Exit, Global};
use crate::build::select_nets;
use crate::ctx::Backend;
use crate::error::Result;
use crate::plan::{self, Facts};

/// Show the graph of actions
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Nets to show, by names or patterns such as 'epoch=1*' [default: all]
    #[arg(value_name = "NET", add = super::completions::net_names())]
    nets: Vec<String>,
    /// How to show it
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    /// The same as --format json
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    manifest: ManifestArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// For reading
    Text,
    /// Graphviz
    Dot,
    /// Mermaid flowchart
    Mermaid,
    /// A picture; nets that are built alike are drawn as one where there are many
    Svg,
    /// For programs
    Json,
}

pub(super) fn run(args: Args, global: &Global) -> Result<Exit> {
    let ctx = global.ctx(Backend::Cpu);
    let manifest = load_manifest(&args.manifest, global, &ctx)?;
    let nets = manifest.with_needed(&select_nets(&manifest, &args.nets)?);
    let graph = plan::plan(&manifest, &nets, &Facts::probe(&nets))?;
    let format = match args.format {
        _ if args.json => plan::Format::Json,
        Format::Text => plan::Format::Text,
        Format::Dot => plan::Format::Dot,
        Format::Mermaid => plan::Format::Mermaid,
        Format::Svg => plan::Format::Svg,
        Format::Json => plan::Format::Json,
    };
    global.print(&plan::render(&graph, format))?;
    Ok(Exit::Done)
}
