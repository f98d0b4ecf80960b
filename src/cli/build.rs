//! `nnue build` and what it shares with the other commands that have a manifest.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use super::terminal::{Style, Verbosity};
use super::word::word;
use super::{Exit, Global};
use crate::build::{
    self, ClusterChoice, ClusterTraffic, NetReport, NetStatus, Options, PageOptions, Report, Shard, StageReport, StageStatus, Workspace,
    select_nets,
};
use crate::cache::remote::Traffic;
use crate::ctx::{Backend, Ctx};
use crate::error::{Error, Kind, Result};
use crate::manifest::{self, Globs, Manifest, Override};
use crate::shown;
use crate::stage::{Against, Deviation, Exported, Played, Speed};

/// Bring nets up to date
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Nets to build, by the names in the manifest or patterns such as 'epoch=1*' [default: all]
    #[arg(value_name = "NET", add = super::completions::net_names())]
    nets: Vec<String>,
    /// Only say what would run, and why
    #[arg(short = 'n', long)]
    pub(super) dry_run: bool,
    /// Run every stage, whatever the cache has
    #[arg(long)]
    force: bool,
    /// Fail, with exit code 3, where `nnue.lock` would change
    #[arg(long, conflicts_with = "force")]
    pub(super) locked: bool,
    /// As --locked, and write nothing into the cache either
    #[arg(long, conflicts_with = "force")]
    frozen: bool,
    /// Go on with the other nets after one failed
    #[arg(short, long)]
    pub(super) keep_going: bool,
    /// Build the K-th of N shares of the nets, so that N jobs build them all
    #[arg(long, value_name = "K/N")]
    shard: Option<Shard>,
    #[command(flatten)]
    work: WorkArgs,
    #[command(flatten)]
    remote: RemoteArgs,
    /// Write a page about the build, with a folder of pictures beside it [default: the manifest's `report`]
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    report: Option<PathBuf>,
    /// Also say in the page what ran, how long and why; without, equal builds give equal pages
    #[arg(long)]
    with_times: bool,
    /// Print a JSON report on stdout
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    manifest: ManifestArgs,
}

/// Options of the commands that run stages.
#[derive(Debug, Default, clap::Args)]
pub(super) struct WorkArgs {
    /// Actions, and threads of each, at a time [default: the number of processors]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// What computes; never changes a byte of the result
    #[arg(long, value_name = "BACKEND", default_value = "auto", value_parser = word::<Backend>())]
    backend: Backend,
}

impl WorkArgs {
    /// Sets the number of threads of the process.
    ///
    /// # Errors
    /// When they cannot be started.
    pub(super) fn start(&self) -> Result<()> {
        set_threads(self.jobs)
    }

    pub(super) fn backend(&self) -> Backend {
        self.backend
    }

    /// Actions at a time.
    pub(super) fn jobs(&self) -> Option<usize> {
        self.jobs.map(usize::from)
    }
}

/// Options of the commands that may hand stages to a cluster.
#[derive(Debug, Default, clap::Args)]
pub(super) struct RemoteArgs {
    /// The cluster that runs expensive stages, or `off` [env: NNUE_REMOTE] [default: the manifest's]
    #[arg(long, value_name = "URL|off")]
    remote: Option<String>,
    /// Whether what the cluster cannot do is done here, or fails its net [default: the manifest's]
    #[arg(long, value_name = "WHETHER", value_parser = yes_or_no())]
    remote_fallback: Option<bool>,
}

/// What [`RemoteArgs`] says where the option does not.
const REMOTE_VARIABLE: &str = "NNUE_REMOTE";

fn yes_or_no() -> impl TypedValueParser<Value = bool> {
    let values = [PossibleValue::new("yes").help("what fails there is done here"), PossibleValue::new("no").help("it fails its net")];
    PossibleValuesParser::new(values).map(|text| text == "yes")
}

impl RemoteArgs {
    /// Which cluster a build may use.
    ///
    /// # Errors
    /// When what was typed, or stands in the environment, is not the address of one.
    pub(super) fn cluster(&self) -> Result<ClusterChoice> {
        let of_environment = || match std::env::var(REMOTE_VARIABLE) {
            Ok(text) if text.is_empty() => Ok(None),
            Ok(text) => Ok(Some((text, REMOTE_VARIABLE))),
            Err(std::env::VarError::NotPresent) => Ok(None),
            Err(std::env::VarError::NotUnicode(_)) => Err(Error::usage(format!("`{REMOTE_VARIABLE}` is not UTF-8"))),
        };
        let said = self.remote.clone().map(|text| (text, "--remote"));
        match said.map_or_else(of_environment, |said| Ok(Some(said)))? {
            None => Ok(ClusterChoice::OfManifest),
            Some((text, _)) if text == "off" => Ok(ClusterChoice::Off),
            Some((text, place)) => {
                manifest::check_cluster_url(&text, place)?;
                Ok(ClusterChoice::At(text))
            }
        }
    }

    /// Whether what fails there is done here, if that was said.
    pub(super) fn fallback(&self) -> Option<bool> {
        self.remote_fallback
    }
}

/// Options of every command that reads the manifest and looks at its files.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct ManifestArgs {
    /// Replace a value of the manifest, such as `net.big.optimize.positions=1000000`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Read every file again, whatever its times say
    #[arg(long)]
    pub(super) paranoid: bool,
    /// Give up waiting for other processes after this time, such as 30s or 10m
    #[arg(long, value_name = "DURATION", value_parser = super::units::timeout)]
    pub(super) lock_timeout: Option<Duration>,
}

/// The report on all nets, if everything is as the last build found it; `None` where that has to be looked into.
pub(super) fn unchanged(nets: &[String], args: &ManifestArgs, global: &Global) -> Option<Report> {
    let plain = nets.is_empty() && args.overrides.is_empty() && !args.paranoid;
    plain.then(|| build::unchanged(&manifest_path(global).ok()?)).flatten()
}

/// Finds, reads and checks the manifest, and passes its warnings on.
pub(super) fn load_manifest(args: &ManifestArgs, global: &Global, ctx: &Ctx) -> Result<Manifest> {
    read_manifest(args, &manifest_path(global)?, Globs::MustMatch, ctx)
}

/// The manifest that was named, or the nearest one.
pub(super) fn manifest_path(global: &Global) -> Result<PathBuf> {
    match &global.manifest {
        Some(path) => Ok(path.clone()),
        None => manifest::find(Path::new(".")),
    }
}

/// Reads and checks the manifest at `path`, and passes its warnings on.
pub(super) fn read_manifest(args: &ManifestArgs, path: &Path, globs: Globs, ctx: &Ctx) -> Result<Manifest> {
    let overrides = args.overrides.iter().map(|text| Override::parse(text)).collect::<Result<Vec<_>>>()?;
    let manifest = manifest::load_with(path, &overrides, globs)?;
    for warning in &manifest.warnings {
        ctx.warn(warning);
    }
    Ok(manifest)
}

/// Sets the number of threads that stages use; the first call in a process decides.
pub(super) fn set_threads(jobs: Option<u16>) -> Result<()> {
    let Some(jobs) = jobs else { return Ok(()) };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(usize::from(jobs)).build_global();
    pool.map_err(|error| Error::new(format!("cannot start {jobs} threads")).because(error))
}

pub(super) fn run(args: Args, global: &Global) -> Result<Exit> {
    args.work.start()?;
    if !args.force
        && args.shard.is_none()
        && args.report.is_none()
        && !args.with_times
        && let Some(report) = unchanged(&args.nets, &args.manifest, global)
    {
        let teller = Teller::new(report.nets.len(), !args.json && !args.dry_run, global);
        return print_report(&report, &teller, &args, Exit::Failed, global);
    }
    // Before anything is read: what is edited from now on must show in the next build.
    let began = manifest_path(global).ok().and_then(|path| build::began(&path));
    let ctx = global.ctx(args.work.backend());
    let manifest = load_manifest(&args.manifest, global, &ctx)?;
    let mut nets = select_nets(&manifest, &args.nets)?;
    if let Some(shard) = args.shard {
        let all = nets.len();
        nets = shard.of(&manifest, &nets)?;
        global.note(&format!("share {shard}: {} of {all} nets", nets.len()));
    }
    let nets = manifest.with_needed(&nets);
    let options = Options {
        force: args.force,
        keep_going: args.keep_going,
        dry_run: args.dry_run,
        jobs: args.work.jobs(),
        paranoid: args.manifest.paranoid,
        locked: args.locked || args.frozen,
        frozen: args.frozen,
        page: args.report.clone().map(|path| PageOptions { path, with_times: args.with_times }),
        with_times: args.with_times,
        cluster: args.remote.cluster()?,
        cluster_fallback: args.remote.fallback(),
        cluster_recheck: None,
        lock_timeout: args.manifest.lock_timeout,
        began,
    };
    let workspace = Workspace::open(&manifest, &options, &ctx)?;
    // What is to blame: the manifest, or anything else.
    let (misused, failed) = (AtomicBool::new(false), AtomicBool::new(false));
    let teller = Teller::new(nets.len(), !args.json && !args.dry_run, global);
    let on_error = |net: &str, error: &Error| {
        let blamed = if error.kind() == Kind::Usage { &misused } else { &failed };
        blamed.store(true, Ordering::Relaxed);
        print_net_error(global, net, error);
    };
    let built = workspace.build_telling(&nets, &options, &ctx, &on_error, &|net| teller.finished(net));
    let report = built.or_else(|error| {
        if args.json && error.kind() == Kind::Difference {
            global.print_json(&build::refused(&nets, &error))?;
        }
        Err(teller.interrupted(error))
    })?;
    let failure = if misused.into_inner() && !failed.into_inner() { Exit::Misused } else { Exit::Failed };
    let exit = print_report(&report, &teller, &args, failure, global)?;
    finish_uploads(&workspace, global)?;
    Ok(exit)
}

/// Waits for what goes to a remote cache. To be called when everything is published and reported: that waits for no network.
pub(super) fn finish_uploads(workspace: &Workspace<'_>, global: &Global) -> Result<()> {
    workspace.finish_uploads()?;
    if let Some(traffic) = workspace.remote_traffic().filter(|_| global.verbosity == Verbosity::Verbose) {
        global.note(&traffic_text(&traffic));
    }
    if let Some(traffic) = workspace.cluster_traffic().filter(|_| global.verbosity == Verbosity::Verbose) {
        global.note(&cluster_text(&traffic));
    }
    Ok(())
}

/// Says what a build came to, and how the command ends: as `failure` where a net failed.
fn print_report(report: &Report, teller: &Teller<'_>, args: &Args, failure: Exit, global: &Global) -> Result<Exit> {
    if args.dry_run && !args.json {
        global.print(&status_text(report, &[], true, global.result_style))?;
    } else {
        teller.rest(report)?;
    }
    if args.json {
        global.print_json(report)?;
    }
    let failed = report.nets.iter().any(|net| net.status == NetStatus::Failed);
    Ok(if failed { failure } else { Exit::Done })
}

/// Prints the error of a net while others go on.
pub(super) fn print_net_error(global: &Global, net: &str, error: &Error) {
    match error.in_context(format!("net `{net}` failed")) {
        Some(error) => global.print_error(&error),
        None => global.print_error(error),
    }
}

/// What a remote cache gave and took, in a line.
fn traffic_text(traffic: &Traffic) -> String {
    let Traffic { taken, missed, downloaded, uploaded } = traffic;
    let taken = if taken.is_empty() { "nothing".to_owned() } else { taken.join(", ") };
    format!("remote cache: {taken} taken ({downloaded} bytes), {missed} missed, {uploaded} uploaded")
}

/// What a cluster had to do, in a line.
fn cluster_text(traffic: &ClusterTraffic) -> String {
    let ClusterTraffic { ran, from_cache, fell_back, uploaded, downloaded } = traffic;
    let megabytes = |bytes: &u64| format!("{:.1} MB", *bytes as f64 / 1e6);
    let (up, down) = (megabytes(uploaded), megabytes(downloaded));
    format!("remote: {ran} ran, {from_cache} from its cache, {fell_back} fell back; {up} up, {down} down")
}

/// From so many nets on a build says one line of each, and a summary.
const MANY: usize = 10;

/// Says of each net what became of it: of one that is finished at once, of the others at the end.
pub(super) struct Teller<'a> {
    global: &'a Global,
    /// A line of each net, and a summary.
    many: bool,
    /// On stdout. Where that has a document, only events on stderr tell of nets.
    prints: bool,
    said: Mutex<Said>,
}

#[derive(Default)]
struct Said {
    /// Nets that were told of, with what was said of them.
    nets: HashMap<String, NetStatus>,
    failed: Option<Error>,
}

impl<'a> Teller<'a> {
    pub(super) fn new(nets: usize, prints: bool, global: &'a Global) -> Self {
        Self { global, many: nets >= MANY, prints, said: Mutex::default() }
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn text_of(&self, net: &NetReport) -> String {
        if self.many { line_of(net) } else { text_of(net) }
    }

    /// Tells of a net whose files are there.
    pub(super) fn finished(&self, net: &NetReport) {
        // Held while it is written, so that one stands below the other.
        let mut said = self.said();
        self.global.say_net(net);
        if self.prints
            && let Err(error) = self.global.print_summary(&self.text_of(net))
        {
            said.failed.get_or_insert(error);
        }
        said.nets.insert(net.net.clone(), net.status);
    }

    /// Tells of the nets that were not told of, or of which something else is true by now.
    ///
    /// # Errors
    /// When something could not be printed, then or now.
    pub(super) fn rest(&self, report: &Report) -> Result<()> {
        let mut said = self.said();
        let mut text = String::new();
        for net in report.nets.iter().filter(|net| said.nets.get(&net.net) != Some(&net.status)) {
            self.global.say_net(net);
            text.push_str(&self.text_of(net));
        }
        if self.many {
            text.push_str(&sum(report));
        }
        if self.prints {
            self.global.print_summary(&text)?;
        }
        said.failed.take().map_or(Ok(()), Err)
    }

    /// Adds to an interruption what was finished before.
    fn interrupted(&self, error: Error) -> Error {
        let built = self.said().nets.values().filter(|status| **status == NetStatus::Built).count();
        if error.kind() != Kind::Interrupted || built == 0 {
            return error;
        }
        let (count, verb) = if built == 1 { ("1 net", "is") } else { (&*format!("{built} nets"), "are") };
        error.because(format!("{count} of this build {verb} finished")).help("the same command goes on from there")
    }
}

/// What became of a net: a line for it, one for each stage that ran, the files.
fn text_of(net: &NetReport) -> String {
    let mut text = match net.status {
        NetStatus::Fresh => format!("{}: up to date\n", net.net),
        NetStatus::Built => format!("{}: built\n", net.net),
        NetStatus::Stale => format!("{}: not built, because another net failed\n", net.net),
        NetStatus::Failed => match &net.error {
            // No error of its own was said of it.
            Some(error) if net.stages.iter().all(|stage| stage.status != StageStatus::Failed) => {
                format!("{}: not built: {}\n", net.net, shown::line(error))
            }
            _ => format!("{}: failed\n", net.net),
        },
    };
    for stage in net.stages.iter().filter(|stage| stage.status == StageStatus::Ran) {
        let seconds = stage.seconds.unwrap_or(0.0);
        text.push_str(&format!("  {:<8} {seconds:>7.2} s  {}{}\n", stage.stage, reason_text(stage), place_text(stage)));
    }
    if net.status == NetStatus::Built {
        text.push_str(&zero_blocks_text(net));
        text.push_str(&proof_text(net));
        text.push_str(&engine_text(net));
    }
    for output in &net.outputs {
        text.push_str(&format!("  → {}  {} bytes  sha256 {}\n", output.path, output.bytes, output.sha256));
        if let Some(provenance) = &output.provenance {
            text.push_str(&format!("  → {provenance}\n"));
        }
    }
    text
}

/// A net among many: what became of it, in what time, and its files.
fn line_of(net: &NetReport) -> String {
    let seconds: f64 = net.stages.iter().filter_map(|stage| stage.seconds).sum();
    let took = if net.status == NetStatus::Built { format!(" in {seconds:.2} s") } else { String::new() };
    let files: Vec<&str> = net.outputs.iter().map(|output| output.path.as_str()).collect();
    let files = if files.is_empty() { String::new() } else { format!(" → {}", files.join(", ")) };
    format!("{}: {}{took}{files}\n", net.net, word_of(net.status))
}

fn word_of(status: NetStatus) -> &'static str {
    match status {
        NetStatus::Fresh => "up to date",
        NetStatus::Built => "built",
        NetStatus::Stale => "not built",
        NetStatus::Failed => "failed",
    }
}

/// How many nets came to what, and the time that their stages took together.
fn sum(report: &Report) -> String {
    let counts = [NetStatus::Built, NetStatus::Fresh, NetStatus::Stale, NetStatus::Failed].map(|status| {
        let count = report.nets.iter().filter(|net| net.status == status).count();
        (count > 0).then(|| format!("{count} {}", word_of(status)))
    });
    let counts: Vec<String> = counts.into_iter().flatten().collect();
    let seconds: f64 = report.nets.iter().flat_map(|net| &net.stages).filter_map(|stage| stage.seconds).sum();
    let took = if seconds > 0.0 { format!("; stages took {seconds:.2} s") } else { String::new() };
    format!("{} nets: {}{took}\n", report.nets.len(), counts.join(", "))
}

/// How each net stands; all stages of stale nets, and of fresh ones on request; its files as they are. `errors` are those of nets by name,
/// where more is known than the first that the report has.
pub(super) fn status_text(report: &Report, errors: &[(String, String)], only_stale: bool, style: Style) -> String {
    let mut text = String::new();
    for net in &report.nets {
        let (status, color) = match net.status {
            NetStatus::Fresh => ("fresh", "32"),
            NetStatus::Stale => ("stale", "33"),
            NetStatus::Failed => ("failed", "31"),
            NetStatus::Built => ("built", "32"),
        };
        text.push_str(&format!("{}: {}\n", net.net, style.paint(status, color)));
        if net.status == NetStatus::Fresh && only_stale {
            continue;
        }
        for stage in &net.stages {
            let word = match stage.status {
                StageStatus::Ran => "ran",
                StageStatus::Cached => "cached",
                StageStatus::Fresh => "fresh",
                StageStatus::Stale => "stale",
                StageStatus::Failed => "failed",
            };
            text.push_str(format!("  {:<8} {word:<6} {}", stage.stage, reason_text(stage)).trim_end());
            text.push('\n');
        }
        let mut known = errors.iter().filter(|(name, _)| *name == net.net).map(|(_, error)| error).peekable();
        let first = net.error.as_ref().filter(|_| known.peek().is_none());
        for error in known.chain(first) {
            text.push_str(&format!("  {}\n", style.paint(&shown::line(error), "31")));
        }
        if !only_stale {
            for output in &net.outputs {
                text.push_str(&format!("  → {}  {} bytes  sha256 {}\n", shown::line(&output.path), output.bytes, output.sha256));
            }
        }
    }
    text
}

fn reason_text(stage: &StageReport) -> String {
    stage.reason.as_ref().map(|reason| shown::line(&reason.text()).into_owned()).unwrap_or_default()
}

/// Where a stage ran, if not here.
fn place_text(stage: &StageReport) -> String {
    let Some(there) = &stage.remote else { return String::new() };
    match (&there.worker, there.from_cache) {
        (_, true) => " (from the cluster's cache)".to_owned(),
        (Some(worker), false) => format!(" (on {})", shown::line(worker)),
        (None, false) => " (on the cluster)".to_owned(),
    }
}

fn proof_text(net: &NetReport) -> String {
    let Some(proof) = &net.proof else { return String::new() };
    let error = proof.error.map(|error| {
        let Deviation { positions, mean, max } = error;
        format!("  quantization error {mean:.3} on average, {max:.3} at most, in internal units over {positions} positions\n")
    });
    format!("  proven: evaluates as its source does, {} positions\n", proof.positions) + &error.unwrap_or_default()
}

fn engine_text(net: &NetReport) -> String {
    let Some(Played { name, nodes, against, exported, speed }) = &net.engine else { return String::new() };
    let mut said = Vec::new();
    said.extend(exported.map(|exported| match exported {
        Exported::Bytes => "writes the very file out again".to_owned(),
        Exported::Content => "writes the same net out again".to_owned(),
    }));
    said.extend(nodes.zip(*against).map(|(nodes, against)| {
        let what = match against {
            Against::Source => "its source",
            Against::Unpermuted => "its source in the order of before",
        };
        format!("bench of {nodes} nodes as with {what}")
    }));
    let speed = speed.map(|Speed { pairs, ratio, low, high }| {
        let percent = |ratio: f64| 100.0 * (ratio - 1.0);
        format!(
            "  {:+.2} % speed ({:+.2} to {:+.2} with 95 % confidence), {pairs} pairs of benches\n",
            percent(ratio),
            percent(low),
            percent(high)
        )
    });
    format!("  {}: {}\n", shown::line(name), said.join(", ")) + &speed.unwrap_or_default()
}

fn zero_blocks_text(net: &NetReport) -> String {
    let Some(zero) = net.zero_blocks else { return String::new() };
    let line = |before: f64, after: f64, positions: u64, what: &str| {
        format!("  zero blocks {:.2} % → {:.2} % over {positions} {what}\n", 100.0 * before, 100.0 * after)
    };
    let held_out = zero.held_out.map(|held| line(held.before, held.after, held.positions, "others, held out")).unwrap_or_default();
    line(zero.before, zero.after, zero.positions, "positions") + &held_out
}
