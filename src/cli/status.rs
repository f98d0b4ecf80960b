//! `nnue status`: per net and stage, fresh, or stale and why. Changes nothing.

use super::build::{ManifestArgs, load_manifest, status_text, unchanged};
use super::{Exit, Global};
use crate::build::{NetStatus, Options, Report, Workspace, select_nets};
use crate::ctx::Backend;
use crate::error::Result;

/// Say what is up to date, and why the rest is not
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Nets to look at [default: all]
    #[arg(value_name = "NET")]
    nets: Vec<String>,
    /// Print a JSON report on stdout
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    manifest: ManifestArgs,
}

pub(super) fn run(args: Args, global: &Global) -> Result<Exit> {
    if let Some(report) = unchanged(&args.nets, &args.manifest, global) {
        return print_report(&report, args.json, global);
    }
    let ctx = global.ctx(Backend::Cpu);
    let manifest = load_manifest(&args.manifest, global, &ctx)?;
    let nets = select_nets(&manifest, &args.nets)?;
    let (paranoid, lock_timeout) = (args.manifest.paranoid, args.manifest.lock_timeout);
    let options = Options { dry_run: true, paranoid, lock_timeout, ..Options::default() };
    let workspace = Workspace::open(&manifest, &options, &ctx)?;
    // Errors stand in the report.
    let report = workspace.build(&nets, &options, &ctx, &|_, _| {})?;
    print_report(&report, args.json, global)
}

fn print_report(report: &Report, json: bool, global: &Global) -> Result<Exit> {
    if json {
        global.print_json(report)?;
    } else {
        global.print(&status_text(report, false))?;
    }
    let failed = report.nets.iter().any(|net| net.status == NetStatus::Failed);
    Ok(if failed { Exit::Failed } else { Exit::Done })
}
