//! `nnue watch`: brings nets up to date, again and again as their files change or new ones come to a glob.
//!
//! Looks at files by polling, which every file system can, also over a network. A file counts once it is complete: two looks
//! at it, far enough apart, found the same, and a source also parses. Between rounds nothing is held, no lock and no cache, so that
//! `nnue cache gc` and other builds can run.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::build::{ManifestArgs, RemoteArgs, Teller, WorkArgs, finish_uploads, manifest_path, print_net_error, read_manifest};
use super::{Exit, Global, hook};
use crate::build::{ClusterChoice, NetReport, NetStatus, Options, Report, StageReport, StageStatus, Workspace, is_meant, select_nets};
use crate::ctx::{Ctx, open_file};
use crate::error::{Error, Kind, Result};
use crate::family;
use crate::files::{Bytes, Signature, lost};
use crate::format::sources::with_parts;
use crate::format::wasm::other_parts;
use crate::manifest::{self, Described, FilePath, Globs, Manifest, ResolvedNet};
use crate::plan::{self, Facts, Node};
use crate::stage::{Action, Role, Stage};

/// How long the sleep between two looks may keep Ctrl-C waiting.
const NAP: Duration = Duration::from_millis(50);

/// How long to leave a build alone that failed as a whole, such as one that cannot read `nnue.lock`.
const PAUSE: Duration = Duration::from_secs(10);

/// A net that failed is tried again after this many times the longer of `--interval` and `--settle`: the disk may no longer be full.
const AGAIN_AFTER: u32 = 5;
/// The pause doubles with each failure up to this many times, as what it failed for may also be in its files.
const DOUBLINGS: u32 = 5;

/// Bring nets up to date, then build them again whenever their files change
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Nets to watch, by the names in the manifest or patterns such as 'epoch=1*' [default: all]
    #[arg(value_name = "NET", add = super::completions::net_names())]
    nets: Vec<String>,
    /// How long to wait between two looks at the files (ms, s, m, h, d or w; 50ms or more), such as 500ms or 10s
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = interval)]
    interval: Duration,
    /// How long a file must stay the same before it counts as complete (ms, s, m, h, d or w)
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = super::units::duration)]
    settle: Duration,
    #[command(flatten)]
    work: WorkArgs,
    #[command(flatten)]
    remote: RemoteArgs,
    /// Print a JSON report on stdout, one line for each round that did something
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    manifest: ManifestArgs,
}

fn interval(text: &str) -> Result<Duration, String> {
    let interval = super::units::duration(text)?;
    if interval < NAP { Err(format!("it must be {} ms or more", NAP.as_millis())) } else { Ok(interval) }
}

pub(super) fn run(args: Args, global: &Global) -> Result<Exit> {
    args.work.start()?;
    let cluster = args.remote.cluster()?;
    let path = manifest_path(global)?;
    let mut watcher = Watcher {
        // Whoever saves a checkpoint in place cuts it short first; a map of it would then end this process.
        ctx: global.ctx(args.work.backend()).copying_inputs(),
        args: &args,
        cluster,
        global,
        look: look(&path, true),
        path,
        manifest: None,
        generation: 0,
        round: 0,
        files: HashMap::new(),
        done: HashMap::new(),
        failed: HashMap::new(),
        waiting: HashMap::new(),
        last_error: None,
        pause: None,
    };
    // What is wrong at the start is a mistake of whoever started this; later it may be work in progress.
    watcher.manifest = Some(watcher.read()?);
    watcher.greet();
    match watcher.watch() {
        // Ctrl-C is how it ends: nothing went wrong.
        Err(error) if error.kind() == Kind::Interrupted => {
            watcher.note("stopped watching");
            Ok(Exit::Done)
        }
        Err(error) => Err(error),
        Ok(never) => match never {},
    }
}

/// What one look at a path found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    Missing,
    /// A folder, a pipe …: whoever reads it will say so.
    NoFile,
    File(Signature),
}

/// Looks at a path. A careful look also opens the file, which makes a network file system ask its server.
fn look(path: &Path, careful: bool) -> Look {
    match std::fs::metadata(path) {
        Err(_) => Look::Missing,
        Ok(metadata) if !metadata.is_file() => Look::NoFile,
        Ok(metadata) => {
            let opened = careful.then(|| open_file(path).and_then(|file| file.metadata()).ok()).flatten();
            Look::File(Signature::of(&opened.unwrap_or(metadata)))
        }
    }
}

/// A file, and since when it is as it is.
struct Watched {
    look: Look,
    since: Instant,
    /// It was the same for long enough.
    complete: bool,
    /// It is not what it was at the look before.
    changed: bool,
    /// The last round that looked.
    round: u64,
}

/// What a net was last dealt with for: the manifest's reading and each of its files.
type Fingerprint = (u64, Vec<Look>);

/// How a net failed, whose sources are whole.
struct Failed {
    fingerprint: Fingerprint,
    /// What was said of it.
    error: String,
    /// How often it was tried.
    tries: u32,
    /// When to try again.
    again: Instant,
}

struct Watcher<'a> {
    args: &'a Args,
    /// Which cluster may run stages.
    cluster: ClusterChoice,
    global: &'a Global,
    ctx: Ctx,
    path: PathBuf,
    /// The manifest as it was when it was read last.
    look: Look,
    /// `None` while it is broken.
    manifest: Option<Manifest>,
    /// How often it was read.
    generation: u64,
    round: u64,
    files: HashMap<PathBuf, Watched>,
    /// Nets by name with what nothing is left to do for: built, or failed and waiting for another file.
    done: HashMap<String, Fingerprint>,
    /// Those of them that failed.
    failed: HashMap<String, Failed>,
    /// Files that are waited for, with what was said of them.
    waiting: HashMap<PathBuf, (Look, String)>,
    /// The last error that concerns no single net: it is said once.
    last_error: Option<String>,
    /// When to try again after one.
    pause: Option<Instant>,
}

impl Watcher<'_> {
    /// Round after round, until something ends it.
    fn watch(&mut self) -> Result<Infallible> {
        loop {
            self.round()?;
            let end = Instant::now() + self.args.interval;
            while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
                self.ctx.check()?;
                std::thread::sleep(left.min(NAP));
            }
        }
    }

    /// Says what goes on, with the time of day: a watcher runs for days.
    fn note(&self, message: &str) {
        let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        // `2026-11-26T20:15:01Z`
        let time = now.split_once('T').map_or(now.as_str(), |(_, time)| time);
        self.global.note(&format!("{time} {message}"));
    }

    fn greet(&self) {
        let manifest = self.manifest.as_ref();
        let count = manifest.map_or(0, |manifest| manifest.nets.iter().filter(|net| self.wants(net)).count());
        let nets = if count == 1 { "1 net".to_owned() } else { format!("{count} nets") };
        self.note(&format!("watching {nets} of `{}`; Ctrl-C ends", self.path.display()));
    }

    /// Reads the manifest, and checks that it has the nets that were named.
    fn read(&mut self) -> Result<Manifest> {
        self.generation += 1;
        let manifest = read_manifest(&self.args.manifest, &self.path, Globs::MayMatch, &self.ctx)?;
        let declared = |name: &String| manifest.declared.iter().any(|net| net.name.value == *name || net.template.as_ref() == Some(name));
        // What a pattern matches may come later.
        let is_pattern = |name: &String| name.contains(['*', '?']);
        let unknown: Vec<String> = self.args.nets.iter().filter(|name| !declared(name) && !is_pattern(name)).cloned().collect();
        if !unknown.is_empty() {
            select_nets(&manifest, &unknown)?;
        }
        Ok(manifest)
    }

    fn wants(&self, net: &ResolvedNet) -> bool {
        let names = &self.args.nets;
        names.is_empty() || names.iter().any(|name| is_meant(net, name))
    }

    /// Looks at everything, and builds what is complete and was not dealt with.
    fn round(&mut self) -> Result<()> {
        self.ctx.check()?;
        lost::forget();
        self.round += 1;
        let Some(manifest) = self.refreshed()? else { return Ok(()) };
        let ready = self.ready(&manifest);
        let paused = self.pause.is_some_and(|until| Instant::now() < until);
        let outcome = if ready.is_empty() || paused { Ok(()) } else { self.bring_up_to_date(&manifest, ready) };
        self.files.retain(|_, file| file.round == self.round);
        let names: HashSet<&str> = manifest.nets.iter().map(|net| net.name.as_str()).collect();
        let mut gone: Vec<&String> = self.done.keys().filter(|name| !names.contains(name.as_str())).collect();
        gone.sort();
        for name in gone {
            self.note(&format!("`{name}` is gone: no source makes it any more; what was built of it stays"));
        }
        self.done.retain(|name, _| names.contains(name.as_str()));
        self.failed.retain(|name, _| names.contains(name.as_str()));
        self.waiting.retain(|path, _| self.files.contains_key(path));
        self.manifest = Some(manifest);
        match outcome {
            Err(error) if error.kind() != Kind::Interrupted => {
                self.pause = Some(Instant::now() + PAUSE);
                self.say_once(&error);
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// The manifest as it is now, with the files that its globs match now. `None` while it is not good.
    fn refreshed(&mut self) -> Result<Option<Manifest>> {
        let path = self.path.clone();
        let (now, complete) = self.observe(&path);
        if now != self.look {
            if now == Look::Missing {
                self.wait_for(&path, &path.display().to_string(), now, "it is not there");
            }
            if now == Look::Missing || !complete {
                return Ok(None);
            }
            self.look = now;
            self.manifest = None;
            self.last_error = None;
            self.waiting.remove(&path);
        }
        let read = match self.manifest.take() {
            Some(mut manifest) => manifest::refresh(&mut manifest).map(|()| manifest),
            // It is read again also if it did not change: the files that it names may have.
            None => self.read().inspect(|_| self.note(&format!("read `{}` again", path.display()))),
        };
        match read {
            Ok(manifest) => {
                self.last_error = self.last_error.take().filter(|_| self.pause.is_some());
                Ok(Some(manifest))
            }
            Err(error) if error.kind() == Kind::Interrupted => Err(error),
            Err(error) => {
                self.say_once(&error);
                Ok(None)
            }
        }
    }

    /// The nets whose files are all complete, and of those that were dealt with only the ones to try again.
    fn ready<'m>(&mut self, manifest: &'m Manifest) -> Vec<(&'m ResolvedNet, Fingerprint)> {
        let mut ready = Vec::new();
        for net in manifest.nets.iter().filter(|net| self.wants(net)).collect::<Vec<_>>() {
            let mut looks = Vec::new();
            let mut all_complete = true;
            for file in files_of(manifest, net) {
                let (look, complete) = self.observe(&file.resolved);
                if look == Look::Missing {
                    self.wait_for(&file.resolved, &file.typed, look, "it is not there");
                }
                if self.grows(&file.resolved) && self.waiting.get(&file.resolved).is_none_or(|(look, _)| *look == Look::Missing) {
                    // Whatever its size is now: it is said once.
                    self.wait_for(&file.resolved, &file.typed, Look::NoFile, "growing");
                }
                all_complete &= complete && look != Look::Missing;
                looks.push(look);
            }
            let fingerprint = (self.generation, looks);
            let try_again = || self.failed.get(&net.name).is_some_and(|failed| failed.again <= Instant::now());
            if all_complete && (self.done.get(&net.name) != Some(&fingerprint) || try_again()) {
                ready.push((net, fingerprint));
            }
        }
        ready
    }

    /// Looks at a file, once a round.
    fn observe(&mut self, path: &Path) -> (Look, bool) {
        let (round, settle) = (self.round, self.args.settle);
        if let Some(file) = self.files.get_mut(path) {
            if file.round != round {
                file.round = round;
                let now = look(path, !file.complete);
                if now != file.look {
                    file.changed = matches!((file.look, now), (Look::File(_), Look::File(_)));
                    (file.look, file.since, file.complete) = (now, Instant::now(), false);
                } else {
                    file.changed = false;
                    file.complete |= file.since.elapsed() >= settle;
                }
            }
            return (file.look, file.complete);
        }
        let now = look(path, true);
        self.files.insert(path.to_owned(), Watched { look: now, since: Instant::now(), complete: false, changed: false, round });
        (now, false)
    }

    /// Whether somebody was writing to a file between two looks.
    fn grows(&self, path: &Path) -> bool {
        self.files.get(path).is_some_and(|file| file.changed)
    }

    fn bring_up_to_date(&mut self, manifest: &Manifest, ready: Vec<(&ResolvedNet, Fingerprint)>) -> Result<()> {
        let mut plans = Vec::with_capacity(ready.len());
        for (net, fingerprint) in ready {
            let nets = manifest.with_needed(&[net]);
            match plan::plan(manifest, &nets, &Facts::probe(&nets)) {
                Ok(plan) => plans.push((net, fingerprint, plan)),
                Err(error) => {
                    print_net_error(self.global, &net.name, &error);
                    self.done.insert(net.name.clone(), fingerprint);
                }
            }
        }
        let stale = self.stale(manifest, &plans.iter().map(|(net, ..)| *net).collect::<Vec<_>>())?;
        let mut checked: HashMap<(PathBuf, String), bool> = HashMap::new();
        let mut nets = Vec::new();
        for (net, fingerprint, plan) in plans {
            let mut parses = true;
            if stale.contains(&net.name) {
                for (file, action) in sources_of(&plan) {
                    self.ctx.check()?;
                    let known = (file.resolved.clone(), serde_json::Value::Object(action.params()).to_string());
                    let place = manifest.line(net.source.span);
                    parses &= *checked.entry(known).or_insert_with(|| self.parses(file, action, &place));
                }
            }
            // What does not parse is not looked at again until it changes.
            self.done.insert(net.name.clone(), fingerprint);
            if parses && stale.contains(&net.name) {
                nets.push(net);
            } else {
                self.failed.remove(&net.name);
            }
        }
        if nets.is_empty() {
            return Ok(());
        }
        if nets.iter().any(|net| !self.failed.contains_key(&net.name)) {
            let names: Vec<String> = nets.iter().map(|net| format!("`{}`", net.name)).collect();
            self.note(&format!("building {}", if names.len() > 3 { format!("{} nets", names.len()) } else { names.join(", ") }));
        }
        let forget = |this: &mut Self, nets: &[&ResolvedNet]| nets.iter().for_each(|net| drop(this.done.remove(&net.name)));
        let options = self.options(false);
        let workspace = Workspace::open(manifest, &options, &self.ctx).inspect_err(|_| forget(self, &nets))?;
        let said = Mutex::new(HashMap::new());
        let on_error = |net: &str, error: &Error| {
            let text = format!("{error:?}");
            if !self.is_known(net, &text) {
                print_net_error(self.global, net, error);
            }
            said.lock().unwrap_or_else(PoisonError::into_inner).insert(net.to_owned(), text);
        };
        let teller = Teller::new(nets.len(), !self.args.json, self.global);
        let built = workspace.build_telling(&nets, &options, &self.ctx, &on_error, &|net| teller.finished(net));
        let report = built.inspect_err(|_| forget(self, &nets))?;
        (self.last_error, self.pause) = (None, None);
        let news = self.note_failures(&report, said.into_inner().unwrap_or_else(PoisonError::into_inner));
        if news && report.nets.iter().any(|net| matches!(net.status, NetStatus::Built | NetStatus::Failed)) {
            teller.rest(&report)?;
            if self.args.json {
                self.global.print_json_line(&report)?;
            }
        }
        self.run_hook(manifest, &report)?;
        finish_uploads(&workspace, self.global)
    }

    /// Runs the manifest's program for each net of which a file was written. What goes wrong there is said, and ends nothing.
    fn run_hook(&self, manifest: &Manifest, report: &Report) -> Result<()> {
        let Some(program) = &manifest.hook else { return Ok(()) };
        let wrote = |net: &&NetReport| {
            let ran = |stage: &StageReport| stage.stage == Stage::Write && stage.status == StageStatus::Ran;
            net.status == NetStatus::Built && net.stages.iter().any(ran)
        };
        for net in report.nets.iter().filter(wrote) {
            let Some(first) = net.outputs.first() else { continue };
            let arguments = program.arguments(&hook::Call::values(&manifest.folder, &net.net, first));
            let call = hook::Call { arguments, folder: &manifest.folder, net: &net.net, outputs: &net.outputs };
            match hook::run(&call, &self.ctx, &|line| self.note(&format!("{}: {line}", net.net))) {
                Err(error) if error.kind() == Kind::Interrupted => return Err(error),
                Err(error) => self.global.print_error(&error),
                Ok(()) => {}
            }
        }
        Ok(())
    }

    /// Whether a net failed in the same way when it was tried last, with the same files.
    fn is_known(&self, net: &str, error: &str) -> bool {
        self.failed.get(net).is_some_and(|failed| failed.error == error && self.done.get(net) == Some(&failed.fingerprint))
    }

    /// Sees to it that what failed is tried again. False if nothing happened but failures that are known.
    fn note_failures(&mut self, report: &Report, mut said: HashMap<String, String>) -> bool {
        let mut news = false;
        for net in &report.nets {
            let name = &net.net;
            if net.status != NetStatus::Failed {
                self.failed.remove(name);
                news = true;
                continue;
            }
            let error = said.remove(name).or_else(|| net.error.clone()).unwrap_or_default();
            news |= !self.is_known(name, &error);
            let Some(fingerprint) = self.done.get(name).cloned() else { continue };
            let before = self.failed.get(name).filter(|failed| failed.fingerprint == fingerprint).map_or(0, |failed| failed.tries);
            let pause = self.args.interval.max(self.args.settle).saturating_mul(AGAIN_AFTER << before.min(DOUBLINGS));
            // A time beyond the clock is never.
            let Some(again) = Instant::now().checked_add(pause) else { continue };
            self.failed.insert(name.clone(), Failed { fingerprint, error, tries: before.saturating_add(1), again });
        }
        news
    }

    /// The names of the nets for which something has to be done, or cannot be.
    fn stale(&self, manifest: &Manifest, nets: &[&ResolvedNet]) -> Result<HashSet<String>> {
        let options = self.options(true);
        let report = Workspace::open(manifest, &options, &self.ctx)?.build(nets, &options, &self.ctx.silenced(), &|_, _| {})?;
        Ok(report.nets.into_iter().filter(|net| net.status != NetStatus::Fresh).map(|net| net.net).collect())
    }

    fn options(&self, dry_run: bool) -> Options {
        let (paranoid, lock_timeout) = (self.args.manifest.paranoid, self.args.manifest.lock_timeout);
        let (cluster, cluster_fallback) = (self.cluster.clone(), self.args.remote.fallback());
        let jobs = self.args.work.jobs();
        Options { dry_run, keep_going: true, jobs, paranoid, cluster, cluster_fallback, lock_timeout, ..Options::default() }
    }

    /// Whether a source holds a whole network. Says so if not.
    fn parses(&mut self, file: &FilePath, action: &Action, place: &str) -> bool {
        let before = self.files.get(&file.resolved).map(|watched| watched.look);
        let ctx = self.ctx.silenced();
        let parts = other_parts(&file.resolved).unwrap_or_default();
        let read = Bytes::input(&file.resolved, &ctx).and_then(|bytes| with_parts(bytes, &parts, |part| Bytes::input(part, &ctx)));
        let read = read.and_then(|bytes| family::stages(action).check_source(action, &file.resolved, &ctx, bytes));
        let after = look(&file.resolved, true);
        match (before, read) {
            // It is changing under our eyes: the next rounds will see to it.
            (Some(before), _) if before != after => false,
            (_, Ok(())) => {
                self.waiting.remove(&file.resolved);
                true
            }
            // The file is whole and not what the manifest says: waiting will not help.
            (_, Err(error)) if error.key().is_some() => {
                let why = error.to_string();
                if self.waiting.get(&file.resolved).is_none_or(|said| *said != (after, why.clone())) {
                    self.note(&format!("`{}` is not what the manifest says:", file.typed));
                    self.global
                        .print_error(&error.help(format!("it is named in {place}")).context(format!("{place} does not fit its file")));
                    self.waiting.insert(file.resolved.clone(), (after, why));
                }
                false
            }
            (_, Err(error)) => {
                self.wait_for(&file.resolved, &file.typed, after, &error.to_string());
                false
            }
        }
    }

    /// Says that a file is waited for, once for each of its states.
    fn wait_for(&mut self, path: &Path, typed: &str, look: Look, why: &str) {
        let said = (look, why.to_owned());
        if self.waiting.get(path) != Some(&said) {
            self.note(&format!("waiting for `{typed}`: {why}"));
            self.waiting.insert(path.to_owned(), said);
        }
    }

    fn say_once(&mut self, error: &Error) {
        let text = format!("{error:?}");
        if self.last_error.as_ref() != Some(&text) {
            self.note(&format!("nothing is built by `{}`:", self.path.display()));
            self.global.print_error(error);
            self.last_error = Some(text);
        }
    }
}

/// The files that a net is made from, and those of the nets that it is made from.
fn files_of<'m>(manifest: &'m Manifest, net: &'m ResolvedNet) -> Vec<&'m FilePath> {
    let mut files: Vec<&FilePath> = files_of_its_own(net).collect();
    if net.needs().next().is_some() {
        files.extend(manifest.with_needed(&[net]).into_iter().filter(|other| other.name != net.name).flat_map(files_of_its_own));
    }
    files
}

fn files_of_its_own(net: &ResolvedNet) -> impl Iterator<Item = &FilePath> {
    let data = net.data().flat_map(|data| &data.paths).map(|path| &path.value);
    let architecture = net.source.claims.described.iter().filter_map(|described| match &described.value {
        Described::File(path) => Some(path),
        Described::Shipped(_) | Described::Table(_) => None,
    });
    let sources = net.sources().filter(|source| source.net.is_none());
    let sources = sources.flat_map(|source| std::iter::once(&source.path.value).chain(&source.parts));
    sources.chain(net.permutation.iter().map(|path| &path.value)).chain(data).chain(architecture)
}

/// The sources of a net, each with the action that loads it.
fn sources_of(plan: &plan::Graph) -> impl Iterator<Item = (&FilePath, &Action)> {
    plan.nets.iter().flat_map(|net| &net.actions).filter_map(|node| match &plan.dag[plan.input(*node, Role::Source)?] {
        Node::File(file) => Some((&file.path, plan.action(*node)?)),
        Node::Action(_) => None,
    })
}
