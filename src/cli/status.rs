//! `nnue status`: per net and stage, fresh, or stale and why; and where its files are. Changes nothing.

use std::sync::Mutex;

use super::build::{ManifestArgs, load_manifest, status_text, unchanged};
use super::{Exit, Global};
use crate::build::{NetStatus, Options, Report, Workspace, select_nets};
use crate::ctx::Backend;
use crate::error::Result;

/// Say what is up to date, and why the rest is not
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Nets to look at, by names or patterns such as 'epoch=1*' [default: all]
    #[arg(value_name = "NET", add = super::completions::net_names())]
    nets: Vec<String>,
    /// Exit with code 3 where a net is stale
    #[arg(long)]
    check: bool,
    /// Print a JSON report on stdout
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    manifest: ManifestArgs,
}

pub(super) fn run(args: Args, global: &Global) -> Result<Exit> {
    if let Some(report) = unchanged(&args.nets, &args.manifest, global) {
        return print_report(&report, &[], &args, global);
    }
    let ctx = global.ctx(Backend::Cpu);
    let manifest = load_manifest(&args.manifest, global, &ctx)?;
    let nets = select_nets(&manifest, &args.nets)?;
    let (paranoid, lock_timeout) = (args.manifest.paranoid, args.manifest.lock_timeout);
    let options = Options { dry_run: true, paranoid, lock_timeout, ..Options::default() };
    let workspace = Workspace::open(&manifest, &options, &ctx)?;
    // Each net's report has its first error; a net may lack several files.
    let errors = Mutex::new(Vec::new());
    let report = workspace.build(&nets, &options, &ctx, &|net, error| {
        let place = error.help_text().map(|help| format!(" ({help})")).unwrap_or_default();
        errors.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((net.to_owned(), format!("{error}{place}")));
    })?;
    let errors = errors.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    print_report(&report, &errors, &args, global)
}

fn print_report(report: &Report, errors: &[(String, String)], args: &Args, global: &Global) -> Result<Exit> {
    if args.json {
        global.print_json(report)?;
    } else {
        global.print(&status_text(report, errors, false, global.result_style))?;
    }
    let any = |status: NetStatus| report.nets.iter().any(|net| net.status == status);
    Ok(match () {
        () if any(NetStatus::Failed) => Exit::Failed,
        () if args.check && any(NetStatus::Stale) => Exit::Different,
        () => Exit::Done,
    })
}
