//! Builds: which results are known, which stages have to run and why, and what they give.
//!
//! A build has two passes. *Resolve* goes through the graph level by level: it digests files, forms keys and looks up records, and is all
//! that a build without changes does. *Perform* makes what was not found: each action once its inputs are settled, several at a time,
//! through an executor. A stage that gives the digest it gave before leaves everything after it fresh.
//!
//! | file | job |
//! | --- | --- |
//! | `execute` | one build: its parts in their order |
//! | `resolve`, `state` | what is known of each node; reasons |
//! | `schedule` | which task runs when; knows no domain type |
//! | `shard` | a job's share of the nets |
//! | `perform`, `run`, `values` | one action: its inputs, its result, its record |
//! | `remote` | results from the remote cache |
//! | `there` | actions that run on a cluster |
//! | `publish`, `release`, `provenance` | files under their public names; what goes with them, and the checks before |
//! | `trial` | what looks at a file before it gets its name |
//! | `lock`, `verify` | `nnue.lock`, and files against it |
//! | `explain` | why each stage has its key |
//! | `summary`, `report`, `page` | states → report, also as a page |
//! | `unchanged` | builds with nothing to do, told without a graph |
//! | `worker` | one action for somebody else's build, from files |
//! | `clean` | what builds published and no net has any more |
//! | `begun` | what is under way, so that a later build removes what a killed one left |
//!
//! Runs no stage itself. Of file formats it knows names that claim a content, and pointers of git-lfs.

mod begun;
mod clean;
mod earlier;
mod execute;
mod explain;
pub mod lock;
mod page;
mod perform;
pub mod provenance;
mod publish;
#[cfg(test)]
mod readings;
mod release;
mod remote;
mod report;
mod resolve;
mod run;
mod schedule;
mod shard;
mod state;
mod summary;
mod there;
mod trial;
mod unchanged;
mod values;
mod verify;
mod worker;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use crate::format::content_name::net_name;
pub use clean::{CleanOptions, Cleaned, KeptFile, RemovedFile, clean};
pub use explain::{Explanation, StageExplanation};
pub use page::PageOptions;
pub use report::refused;
pub use report::{
    NetReport, NetStatus, OutputReport, RemoteReport, Report, SCHEMA, ShareReport, StageReport, StageStatus, ZeroBlocksReport,
};
pub use shard::Shard;
pub use there::{ClusterChoice, RECHECK_VARIABLE};
pub use unchanged::{began, unchanged};
pub use verify::{Checked, CheckedClaim, CheckedFile, Rebuilt, RebuiltFile, locked_nets, rebuild};
pub use worker::{ARTIFACT, RECORD, run_stage};

use petgraph::graph::NodeIndex;

use execute::{Executed, Said};
use lock::{Lock, LockedFile, LockedNet, LockedProof};
use unchanged::Known;

use crate::cache::record::ActionResult;
use crate::cache::{
    BuildLog, Cache, Key, Mode, OpenOptions, Preimage, PublishedFile, PublishedLog, Remote, RemoteOptions, StatCache, Trust, Witnessed,
};
use crate::ctx::Ctx;
use crate::error::{Error, Kind, Result};
use crate::exec::remote::Cluster;
pub use crate::exec::remote::ClusterTraffic;
use crate::exec::{Executor, Local};
use crate::files::lock::{Sharing, Waiting};
use crate::files::{self, Blake3, Clock, OwnPath, Signature, folder_of, joined, named};
use crate::format::content_name::{claimed, misnamed};
use crate::format::sources::FileKind;
use crate::manifest::{Manifest, OutputKind, RemoteMode, ResolvedNet};
use crate::plan::{self, Facts, Graph, NetPlan, Node};
use crate::words::suggest;

/// Environment variable that names another folder for the cache.
pub const CACHE_VARIABLE: &str = "NNUE_CACHE_DIR";

/// How old a temporary file must be before it counts as left behind.
const TEMP_GRACE: Duration = Duration::from_secs(60);

/// How to build.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Run every stage, whatever the cache has.
    pub force: bool,
    /// Go on with other nets after one failed.
    pub keep_going: bool,
    /// Only say what would be done.
    pub dry_run: bool,
    /// Actions at a time; `None`: as many as there are processors.
    pub jobs: Option<usize>,
    /// Read every file again, whatever its times say.
    pub paranoid: bool,
    /// Fail where `nnue.lock` would change.
    pub locked: bool,
    /// Write nothing but outputs: neither into the cache nor into the state beside it. Only sensible with `locked`.
    pub frozen: bool,
    /// A page about the build.
    pub page: Option<PageOptions>,
    /// The manifest's page tells what ran, how long and why.
    pub with_times: bool,
    /// Which cluster may run actions.
    pub cluster: ClusterChoice,
    /// Whether what fails there is done here; `None`: as the manifest says.
    pub cluster_fallback: Option<bool>,
    /// The share of its results that is made again here and compared, from 0 to 1; `None`: as [`RECHECK_VARIABLE`] says.
    pub cluster_recheck: Option<f64>,
    /// How long to wait for other processes; `None`: as long as it takes.
    pub lock_timeout: Option<Duration>,
    /// The moment before the manifest was read ([`began`]), so that the times of files alone may decide the next build; without it
    /// the next build looks at everything.
    pub began: Option<Clock>,
}

/// The first file of each settled write action: what other nets are made from.
type Made = HashMap<NodeIndex, LockedFile>;

/// Warns of what is assumed for nets of which something is stale, by their places among `nets`: once per source, before anything runs.
fn say_assumptions(stale: &[usize], nets: &[&ResolvedNet], facts: &Facts, ctx: &Ctx) {
    let stale = stale.iter().filter_map(|net| nets.get(*net).copied());
    plan::assumptions(stale, nets, facts, ctx).iter().for_each(|line| ctx.warn(line));
}

/// A manifest with the places where its builds are remembered.
pub struct Workspace<'a> {
    manifest: &'a Manifest,
    cache: Arc<Cache>,
    /// `None`: nothing is asked of a network.
    remote: Option<Remote>,
    /// `None`: everything runs here.
    cluster: Option<Cluster>,
    files: StatCache,
    log: BuildLog,
    /// Where the above, and what is begun, is remembered.
    state: OwnPath,
    /// What runs actions.
    executor: &'a dyn Executor,
}

impl<'a> Workspace<'a> {
    /// Opens the cache and the state beside the manifest.
    ///
    /// Only builds that run something have the manifest's remote cache and cluster: what merely looks ([`Options::dry_run`]) needs no network.
    ///
    /// # Errors
    /// When waiting for another process was interrupted, or this program cannot use the remote cache or the cluster.
    pub fn open(manifest: &'a Manifest, options: &Options, ctx: &Ctx) -> Result<Self> {
        let mut workspace = Self::open_in(manifest, &cache_folder(&manifest.folder), &state_folder(&manifest.path), options, ctx)?;
        if !options.dry_run {
            workspace.remote = workspace.open_remote(options, ctx)?;
            workspace.cluster = workspace.open_cluster(options, ctx)?;
        }
        Ok(workspace)
    }

    /// The remote cache of the manifest.
    fn open_remote(&self, options: &Options, ctx: &Ctx) -> Result<Option<Remote>> {
        let Some(remote) = &self.manifest.remote_cache else { return Ok(None) };
        // A forced build is to show what comes out, not what came out elsewhere.
        let (reads, writes) = (!options.force, remote.mode.value == RemoteMode::ReadWrite && !options.frozen);
        let opened = Remote::open(&remote.url.value, RemoteOptions { reads, writes }, &self.cache, ctx);
        opened.map(Some).map_err(|error| {
            let help = error.help_text().unwrap_or("use another remote cache, or none");
            self.manifest.diagnostic(remote.url.span, error.message(), "asked for here", &error.causes().join(": "), help)
        })
    }

    /// Opens the cache and the state in other places than usual.
    fn open_in(manifest: &'a Manifest, cache: &OwnPath, state: &OwnPath, options: &Options, ctx: &Ctx) -> Result<Self> {
        let reads_only = options.dry_run || options.frozen;
        let mode = if reads_only { Mode::ReadOnly } else { Mode::ReadWrite };
        let cache = Cache::open(cache, OpenOptions { mode, lock_timeout: options.lock_timeout }, ctx)?;
        let trust = if options.paranoid { Trust::Nothing } else { Trust::Settled };
        let files = StatCache::load(state.join("files.bin"), trust, ctx);
        let files = if reads_only { files.read_only() } else { files };
        Ok(Self {
            manifest,
            cache: Arc::new(cache),
            remote: None,
            cluster: None,
            files,
            log: BuildLog::new(state.join("nets")),
            state: state.clone(),
            executor: &Local,
        })
    }

    /// Notes what was published, for [`clean`].
    fn note_published(&self, files: Vec<PublishedFile>, ctx: &Ctx) {
        if let Err(error) = PublishedLog::new(&self.state).add(files, ctx) {
            // An interrupted build says so itself.
            if error.kind() != Kind::Interrupted {
                ctx.warn(format!("cannot note what was published, so that `nnue clean` will leave it alone: {error}"));
            }
        }
    }

    /// The result of an action that the local cache has, with its blob.
    fn stored_result(&self, preimage: &Preimage) -> Option<ActionResult> {
        let result = self.cache.get_record(preimage.key())?.result;
        (result.stored && result.outcome().is_some() && self.cache.has_blob(result.output_digest)).then_some(result)
    }

    /// Brings `nets`, and what they are made from, up to date, or says what would be done ([`Options::dry_run`]).
    ///
    /// The report is complete also when nets failed: their errors stand in it. `on_error` gets each error as it happens.
    ///
    /// # Errors
    /// When the graph cannot be made, or the work was interrupted.
    pub fn build(&self, nets: &[&ResolvedNet], options: &Options, ctx: &Ctx, on_error: &(dyn Fn(&str, &Error) + Sync)) -> Result<Report> {
        self.build_telling(nets, options, ctx, on_error, &|_| {})
    }

    /// The same. `finished` gets each net as soon as its files are what they should be, which an interruption later does not change.
    ///
    /// # Errors
    /// As [`Self::build`].
    pub fn build_telling(
        &self,
        nets: &[&ResolvedNet],
        options: &Options,
        ctx: &Ctx,
        on_error: &(dyn Fn(&str, &Error) + Sync),
        finished: &(dyn Fn(&NetReport) + Sync),
    ) -> Result<Report> {
        let needed = self.manifest.with_needed(nets);
        let (page, path) = (self.page_of(needed.len(), options), lock::path_of(self.manifest));
        let old = if options.dry_run && !options.locked { None } else { Some(Lock::read(&path)?) };
        // A page shows what only a plan knows.
        let mut known = if page.is_some() { Known::default() } else { Known::of(self, &needed, options, old.as_ref()) };
        let open: Vec<&ResolvedNet> = needed.iter().copied().filter(|net| !known.knows(net)).collect();
        let open = self.manifest.with_needed(&open);
        known.forget(&open);
        if !options.dry_run && !options.locked {
            needed.iter().filter_map(|net| known.report(net)).for_each(finished);
        }
        let (nets, old) = (open.as_slice(), old.unwrap_or_default());
        if !options.dry_run && !options.frozen {
            begun::sweep(&self.state, &self.manifest.folder, &output_folders(nets));
        }
        let facts = Facts::probe(nets);
        let graph: Graph = plan::plan(self.manifest, nets, &facts)?;
        let names_are_true = self.check_names(&graph, options, ctx)?;
        if let Some(page) = &page {
            self.check_page(page, &graph)?;
        }
        if options.locked {
            self.check_locked_inputs(&graph, &facts, &old)?;
        }
        let locked = options.locked.then_some(&old);
        let (mut found, mut built_from, mut made) = (Vec::new(), Vec::new(), HashMap::new());
        let assume = |stale: &[usize]| say_assumptions(stale, nets, &facts, ctx);
        let said = Said { on_error, finished, assume: &assume };
        let provenance = known.provenance(&needed).collect();
        let mut report = execute::execute(self, &graph, options, locked, ctx, &said, provenance).and_then(|executed| {
            let Executed { mut report, digests, made: published, found: fresh } = executed;
            (made, found) = (published, fresh);
            if !options.dry_run {
                self.distrust_changed(&graph, &mut report, &digests, on_error)?;
            }
            built_from = digests;
            Ok(report)
        });
        if let (true, true, Ok(report)) = (options.dry_run, options.locked, &report) {
            let stale = report.nets.iter().filter(|net| net.status == NetStatus::Stale);
            let lines: Vec<String> = stale.map(|net| format!("net `{}` would have to be built", net.net)).collect();
            if !lines.is_empty() {
                return Err(self.would_change(&lines));
            }
        }
        if !options.dry_run {
            if report.as_ref().is_ok_and(|report| report.nets.iter().any(|net| net.status == NetStatus::Built)) {
                let state = state_folder(&self.manifest.path);
                sweep(&BTreeSet::from([self.manifest.folder.clone()]));
                for folder in [state.join("nets"), state] {
                    let _ = files::sweep_own(&folder, TEMP_GRACE);
                }
            }
            let locked =
                report.as_ref().map_or(Ok(()), |report| self.update_lock(&graph, report, (&built_from, &made), &old, options, ctx));
            self.files.save();
            self.cache.save_usage();
            locked?;
            let mut shown = None;
            if let (Some(page), Ok(report)) = (&page, &report) {
                self.write_page(page, &graph, report, ctx)?;
                // Where the page is changed or gone, the next build has something to do.
                let metadata = page.path.metadata();
                shown = metadata.ok().map(|metadata| (Witnessed::Path(page.path.clone()), Signature::of(&metadata)));
            }
            if let Ok(report) = &mut report {
                add_known(report, &known, &needed);
            }
            let is_shown = page.is_none() || shown.is_some();
            if let (Some(began), Ok(_)) = (options.began, &report)
                && !options.frozen
                && needed.len() == self.manifest.nets.len()
                && names_are_true
                && is_shown
            {
                unchanged::remember(self, known, &found, shown, began);
            }
        } else if let Ok(report) = &mut report {
            add_known(report, &known, &needed);
        }
        report
    }

    /// The files that a net is made from, by content. `made` gives those that other nets write; those that it does not know are left out.
    ///
    /// # Errors
    /// When one cannot be read.
    fn inputs_of(&self, graph: &Graph, net: &NetPlan, made: &dyn Fn(NodeIndex) -> Option<LockedFile>) -> Result<Vec<LockedFile>> {
        let mut inputs: Vec<LockedFile> = Vec::new();
        for input in graph.made_from(net) {
            match &graph.dag[input] {
                Node::File(file) => {
                    if !inputs.iter().any(|known| known.path == file.path.typed) {
                        // Whatever reads an input again asks for its BLAKE3.
                        let sha256 = self.files.digests(&file.path.resolved)?.sha256.to_string();
                        inputs.push(LockedFile { path: file.path.typed.clone(), sha256 });
                    }
                }
                Node::Action(_) if net.actions.contains(&input) => {}
                Node::Action(_) => inputs.extend(made(input).filter(|file| !inputs.contains(file))),
            }
        }
        inputs.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(inputs)
    }

    /// Fails nets whose files changed since the net was built from them: what `nnue.lock` would say of them is not true.
    ///
    /// # Errors
    /// When the work was interrupted.
    fn distrust_changed(
        &self,
        graph: &Graph,
        report: &mut Report,
        digests: &[Option<Blake3>],
        on_error: &(dyn Fn(&str, &Error) + Sync),
    ) -> Result<()> {
        for (net, plan) in report.nets.iter_mut().zip(&graph.nets).filter(|(net, _)| net.status == NetStatus::Built) {
            if let Err(error) = self.check_inputs(graph, plan, &|node| digests.get(node.index()).copied().flatten()) {
                if error.kind() == Kind::Interrupted {
                    return Err(error);
                }
                on_error(&net.net, &error);
                net.status = NetStatus::Failed;
                net.error = Some(error.to_string());
            }
        }
        Ok(())
    }

    /// Fails where a file of the net no longer has the content that it was built from, by `digest`.
    fn check_inputs(&self, graph: &Graph, net: &NetPlan, digest: &dyn Fn(NodeIndex) -> Option<Blake3>) -> Result<()> {
        let changed = graph.made_from(net).find_map(|input| match &graph.dag[input] {
            Node::File(file) => {
                let now = match self.files.blake3(&file.path.resolved) {
                    Ok(tracked) => Some(tracked.digest),
                    Err(error) if error.kind() == Kind::Interrupted => return Some(Err(error)),
                    Err(_) => None,
                };
                // A path that led to another file in between may have given that one's SHA-256.
                let is_steady = self.files.stable_signature(&file.path.resolved).is_some();
                (!is_steady || now != digest(input)).then_some(Ok(file))
            }
            Node::Action(_) => None,
        });
        changed.transpose()?.map_or(Ok(()), |file| {
            Err(Error::new(format!("`{}` changed during the build", file.path.typed))
                .because("what was published was made from its earlier content and is not locked")
                .help("wait until nothing writes to it, then run the same command again"))
        })
    }

    /// Before anything runs: warns of inputs that are named for another content than theirs; false where there are any.
    ///
    /// # Errors
    /// Where such a file would be built into a net that is locked or published; when the work was interrupted.
    fn check_names(&self, graph: &Graph, options: &Options, ctx: &Ctx) -> Result<bool> {
        let mut wrong = BTreeMap::new();
        for node in graph.dag.node_indices() {
            if let Node::File(file) = &graph.dag[node]
                && claimed(&file.path.resolved).is_some()
            {
                match self.files.digests(&file.path.resolved) {
                    Ok(digests) => wrong.extend(misnamed(&file.path.resolved, &digests.sha256, ctx).map(|error| (node, error))),
                    Err(error) if error.kind() == Kind::Interrupted => return Err(error),
                    // What cannot be read says so when it is built from.
                    Err(_) => {}
                }
            }
        }
        for plan in &graph.nets {
            let mut inputs = graph.made_from(plan);
            let is_published = plan.release.as_deref().is_some_and(|net| net.release.publish.is_some());
            if (options.locked || is_published)
                && let Some(error) = inputs.find_map(|input| wrong.remove(&input))
            {
                let kind = if options.locked { Kind::Difference } else { Kind::Failed };
                let what = if options.locked { "locked" } else { "to be published" };
                let error = error.because(format!("net `{}` is {what}, and is not made from such a file", plan.name));
                return Err(error.kind_is(kind));
            }
        }
        for error in wrong.values() {
            ctx.warn(error.to_string());
        }
        Ok(wrong.is_empty())
    }

    /// Before anything runs: a locked build does not begin on other inputs.
    fn check_locked_inputs(&self, graph: &Graph, facts: &Facts, old: &Lock) -> Result<()> {
        let mut lines = Vec::new();
        for net in &graph.nets {
            // Its text has another digest than the file, which would only say that the file differs.
            let inputs = graph.made_from(net).filter_map(|input| match &graph.dag[input] {
                Node::File(file) => Some(&file.path),
                Node::Action(_) => None,
            });
            let pointers: BTreeSet<&str> = inputs
                .filter(|path| facts.of_file(&path.resolved).is_some_and(|facts| facts.content == Some(FileKind::LfsPointer)))
                .map(|path| path.typed.as_str())
                .collect();
            lines.extend(
                pointers
                    .into_iter()
                    .map(|path| format!("net `{}`: input `{path}` is a git-lfs pointer, not the file: `git lfs pull` gets it", net.name)),
            );
            let Some(locked) = old.nets.get(&net.name) else {
                lines.push(format!("net `{}` is not locked", net.name));
                continue;
            };
            // What another net is to give is what is locked of that net: a build gives nothing else.
            let made = |write: NodeIndex| {
                let owner = graph.owner(write)?;
                let (output, _) = owner.outputs.first()?;
                old.nets.get(&owner.name)?.outputs.iter().find(|file| file.is_of(output)).cloned()
            };
            let now = LockedNet::new(&net.name, self.inputs_of(graph, net, &made)?, locked.outputs.clone());
            lines.extend(locked.differences(&now).into_iter().map(|line| format!("net `{}`: {line}", net.name)));
        }
        let gone = old.nets.keys().filter(|name| !self.manifest.nets.iter().any(|net| net.name == **name));
        lines.extend(gone.map(|name| format!("net `{name}` is locked, but no longer in the manifest")));
        if lines.is_empty() { Ok(()) } else { Err(self.would_change(&lines)) }
    }

    /// Writes the blocks of the nets that are up to date now, and drops those of nets that are no longer in the manifest.
    fn update_lock(
        &self,
        graph: &Graph,
        report: &Report,
        (built_from, made): (&[Option<Blake3>], &Made),
        old: &Lock,
        options: &Options,
        ctx: &Ctx,
    ) -> Result<()> {
        let mut changed = Vec::new();
        let mut lines = Vec::new();
        for (net, plan) in report.nets.iter().zip(&graph.nets) {
            if !matches!(net.status, NetStatus::Built | NetStatus::Fresh) {
                continue;
            }
            let outputs = net.outputs.iter().map(|output| LockedFile { path: output.path.clone(), sha256: output.sha256.clone() });
            let proof = net.proof.as_ref().map(LockedProof::from);
            let inputs = self.inputs_of(graph, plan, &|write| made.get(&write).cloned())?;
            let now = LockedNet::new(&net.net, inputs, outputs.collect()).proven(proof);
            let before = old.nets.get(&net.net);
            let differences = before.map(|before| before.differences(&now));
            // The program's version alone does not count.
            let is_same = differences.as_ref().is_some_and(Vec::is_empty) && before.is_some_and(|before| before.proof == now.proof);
            if !is_same {
                // The SHA-256 of the inputs may have been taken only now: the lock is to tell of what the net was built from.
                self.check_inputs(graph, plan, &|node| built_from.get(node.index()).copied().flatten())?;
                changed.push(now);
            }
            lines.extend(differences.into_iter().flatten().map(|line| format!("net `{}`: {line}", net.net)));
        }
        if options.locked {
            return if lines.is_empty() { Ok(()) } else { Err(self.would_change(&lines)) };
        }
        let names: HashSet<&str> = self.manifest.nets.iter().map(|net| net.name.as_str()).collect();
        if changed.is_empty() && old.nets.keys().all(|name| names.contains(name.as_str())) {
            return Ok(());
        }
        // Another process may have written the blocks of other nets meanwhile: they stay.
        let state = state_folder(&self.manifest.path);
        // Where no lock can be made, the last writer wins, as it always did.
        let _ = state.create_folder();
        let waiting = Waiting { message: "waiting for another `nnue` to write `nnue.lock`", timeout: options.lock_timeout };
        let _held = files::lock::acquire(&state.join("nnue.lock.lock"), Sharing::Exclusive, waiting, ctx)?;
        let path = lock::path_of(self.manifest);
        let mut new = Lock::read(&path)?;
        for name in new.nets.keys().filter(|name| !names.contains(name.as_str())) {
            // What is left of it would only say why a net of this name was built, should there be one again.
            let _ = self.log.remove(name);
        }
        new.nets.extend(changed.into_iter().map(|net| (net.name.clone(), net)));
        new.nets.retain(|name, _| names.contains(name.as_str()));
        new.write(&path)
    }

    /// Notes what finished builds of `nets` used of the cache.
    fn note_root(&self, nets: &[(&str, Vec<Key>)]) {
        let names: HashSet<&str> = self.manifest.nets.iter().map(|net| net.name.as_str()).collect();
        self.cache.note_root(&self.absolute_manifest(), nets, |net| names.contains(net));
    }

    /// The manifest by the name under which the cache knows it.
    fn absolute_manifest(&self) -> PathBuf {
        std::path::absolute(&self.manifest.path).unwrap_or_else(|_| self.manifest.path.clone())
    }

    /// The error of a locked build.
    fn would_change(&self, lines: &[String]) -> Error {
        lock::difference(&format!("`{}` would change", lock::name_of(self.manifest)), lines)
    }

    /// A published path as people know it: the typed folder with the file's name behind it.
    fn display(&self, typed: &str, file: Option<&Path>) -> String {
        match file.and_then(Path::file_name) {
            Some(name) => joined(typed, &Path::new(name).display().to_string()),
            None => typed.to_owned(),
        }
    }
}

/// Adds the reports on nets that were not looked into, in the order of `nets`, which are all.
fn add_known(report: &mut Report, known: &Known, nets: &[&ResolvedNet]) {
    let mut found = std::mem::take(&mut report.nets).into_iter();
    report.nets = nets.iter().filter_map(|net| known.report(net).cloned().or_else(|| found.next())).collect();
}

/// The folders of all outputs of `nets`.
fn output_folders(nets: &[&ResolvedNet]) -> BTreeSet<PathBuf> {
    let outputs = nets.iter().flat_map(|net| &net.outputs);
    let folders = outputs.map(|output| {
        let path = &output.path.value.resolved;
        if output.kind == OutputKind::Folder { path.clone() } else { folder_of(path).to_owned() }
    });
    folders.collect()
}

/// Removes what killed builds left in the folders. A failure does not stop the build.
fn sweep(folders: &BTreeSet<PathBuf>) {
    for folder in folders {
        // A bare file name has an empty parent.
        let _ = files::sweep_temp(named(folder), TEMP_GRACE);
    }
}

/// `.nnue/state` beside the manifest at this path; a folder in it for a manifest of another name than the usual.
fn state_folder(manifest: &Path) -> OwnPath {
    let state = OwnPath::new(folder_of(manifest), ".nnue/state");
    match manifest.file_name() {
        Some(name) if name != crate::manifest::FILE_NAME => state.join(name),
        _ => state,
    }
}

/// `NNUE_CACHE_DIR`, or `.nnue/cache` in the folder of the manifest.
pub fn cache_folder(manifests: &Path) -> OwnPath {
    match std::env::var_os(CACHE_VARIABLE) {
        Some(folder) if !folder.is_empty() => OwnPath::new(Path::new(&folder), ""),
        _ => OwnPath::new(manifests, ".nnue/cache"),
    }
}

/// The nets that the user named, or all.
///
/// # Errors
/// When a name is not in the manifest; the message lists the names that are. A sweep's own name stands for all its nets, and a name with
/// `*` or `?` for those that it matches.
pub fn select_nets<'m>(manifest: &'m Manifest, names: &[String]) -> Result<Vec<&'m ResolvedNet>> {
    if names.is_empty() {
        return Ok(manifest.nets.iter().collect());
    }
    // A name as it stands comes first: it may have a star in it.
    let is_name = |name: &String| manifest.nets.iter().any(|net| net.is_called(name));
    let patterns: Vec<bool> = names.iter().map(|name| !is_name(name)).collect();
    let wanted =
        |net: &ResolvedNet, (name, is_pattern): (&String, &bool)| net.is_called(name) || *is_pattern && matches_pattern(name, &net.name);
    for name in names.iter().zip(&patterns) {
        if !manifest.nets.iter().any(|net| wanted(net, name)) {
            const SHOWN: usize = 20;
            let name = name.0;
            let known: Vec<&str> = manifest.nets.iter().map(|net| net.name.as_str()).take(SHOWN).collect();
            let more = manifest.nets.len().saturating_sub(SHOWN);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let all = manifest.nets.iter().flat_map(|net| [Some(net.name.as_str()), net.sweep.as_deref()]).flatten();
            let meant = suggest(name, all).map(|meant| format!("did you mean `{meant}`? ")).unwrap_or_default();
            let help = match known.is_empty() {
                true => "it has no nets now".to_owned(),
                false => format!("{meant}its nets are {}{more}", known.join(", ")),
            };
            let what = if name.contains(['*', '?']) { "net that matches" } else { "net" };
            return Err(Error::usage(format!("`{}` has no {what} `{name}`", manifest.path.display())).help(help));
        }
    }
    Ok(manifest.nets.iter().filter(|net| names.iter().zip(&patterns).any(|name| wanted(net, name))).collect())
}

/// Whether a net is one that a user means by this name or pattern.
pub fn is_meant(net: &ResolvedNet, name: &str) -> bool {
    net.is_called(name) || name.contains(['*', '?']) && matches_pattern(name, &net.name)
}
/// Whether `text` is what a pattern describes: `*` stands for any characters, `?` for one.
fn matches_pattern(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    // The last star, and where the text goes on behind what it stands for: only that is ever tried again.
    let (mut at, mut of, mut star) = (0, 0, None);
    while at < text.len() {
        match pattern.get(of) {
            Some('*') => {
                star = Some((of, at));
                of += 1;
            }
            Some(c) if *c == '?' || *c == text[at] => (at, of) = (at + 1, of + 1),
            _ => match star {
                Some((place, begin)) => {
                    (at, of) = (begin + 1, place + 1);
                    star = Some((place, begin + 1));
                }
                None => return false,
            },
        }
    }
    pattern[of..].iter().all(|c| *c == '*')
}

/// Builds of one net, for tests of this room.
#[cfg(test)]
mod testing {
    use std::{fs, path::Path};

    use super::{NetReport, Options, Workspace};
    use crate::{ctx::Ctx, exec::Executor, manifest};

    /// Builds the only net of `text`, the manifest of `folder`, by this executor.
    pub(super) fn build_by(executor: &dyn Executor, folder: &Path, text: &str, options: &Options) -> NetReport {
        let path = folder.join("nnue.toml");
        fs::write(&path, text).unwrap();
        let (manifest, ctx) = (manifest::load(&path, &[]).unwrap(), Ctx::silent());
        let mut workspace = Workspace::open(&manifest, options, &ctx).unwrap();
        workspace.executor = executor;
        let nets: Vec<_> = manifest.nets.iter().collect();
        workspace.build(&nets, options, &ctx, &|_, _| {}).unwrap().nets.remove(0)
    }
}

#[cfg(test)]
mod tests;
