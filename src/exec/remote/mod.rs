//! A cluster as a build sees it: which actions are better done there, how one of them gets there, and what is believed of what comes back.
//!
//! | file | job |
//! | --- | --- |
//! | `cost` | whether an action is done sooner there |
//! | `tool` | the program that a worker runs |
//!
//! What the cluster is asked in is the business of [`Execute`]; what an action needs, and where its result goes, that of whoever drives the
//! build. Nothing here decides a byte: what fails there is done here, with one warning, unless that is not wanted.

pub(crate) mod cost;
mod tool;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

pub(crate) use tool::tool;

use crate::cache::ActionRecord;
use crate::cache::record::Preimage;
use crate::cache::remote::execute::{Blob, Execute, Failure, Finished, Input, Progress, Request};
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::files::{Blake3, Sha256};
use crate::shown;
use crate::stage::{Action, Outcome, Stage};
use crate::words::{Backend, RemoteStage};
use cost::{Here, Model, There, Work};

/// The program among the inputs, and what it is told.
const PROGRAM: &str = "nnue";
const REQUEST: &str = "request.json";
const ARTIFACT: &str = "out/artifact";
const RECORD: &str = "out/record";
/// No record has more bytes.
const MOST_RECORD: u64 = 1 << 20;
/// What `nnue stage run` ends with where the stage itself fails.
const DISPROVED: i32 = 1;
/// Runs in a row that fail, from which on nothing more is sent.
const MOST_BAD: u32 = 2;
/// Bytes of what a failed program said that are shown.
const SAID: usize = 600;

/// What a build wants of a cluster.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Its address, for messages.
    pub(crate) url: String,
    /// Which stages it may run.
    pub(crate) stages: Vec<RemoteStage>,
    /// Actions under way there.
    pub(crate) jobs: usize,
    /// Cores here.
    pub(crate) cores: usize,
    /// What is done here in less is not sent, seconds; 0: everything is.
    pub(crate) min_seconds: f64,
    /// What a worker must have.
    pub(crate) properties: BTreeMap<String, String>,
    /// How long an action may run.
    pub(crate) timeout: Duration,
    /// How long it may wait for a worker.
    pub(crate) queue_timeout: Duration,
    /// What fails there is done here.
    pub(crate) fallback: bool,
    /// It is not asked for earlier results.
    pub(crate) forgets: bool,
    /// Others may have written what it remembers: nor is an earlier result taken that it gives all the same.
    pub(crate) distrusts: bool,
    /// The share of results that are made again here, from 0 to 1.
    pub(crate) recheck: f64,
    /// The program that is sent.
    pub(crate) tool: PathBuf,
}

/// What a build had of a cluster.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClusterTraffic {
    /// Actions that ran there for this build.
    pub ran: u64,
    /// Actions whose results it had already.
    pub from_cache: u64,
    /// Actions that failed there and were done here.
    pub fell_back: u64,
    /// Bytes that were sent.
    pub uploaded: u64,
    /// Bytes that were fetched.
    pub downloaded: u64,
}

/// A cluster, for one build. Shared between threads.
pub(crate) struct Cluster {
    execute: Box<dyn Execute>,
    options: Options,
    model: Model,
    /// Nothing more is sent.
    off: AtomicBool,
    /// Runs in a row that failed.
    bad: AtomicU32,
    fell_back: AtomicU64,
    said_refused: AtomicBool,
    said_sent: AtomicBool,
    /// The program, once it is known.
    program: Mutex<Option<Input>>,
    /// Artifacts that are there.
    known: Mutex<HashMap<Blake3, Blob>>,
    /// Blobs that were asked for: whether they are there, or on their way.
    there: Mutex<HashMap<Blob, bool>>,
    /// What many actions need was asked for.
    asked_shared: AtomicBool,
    ctx: Ctx,
}

/// An action that is to run there.
pub(crate) struct Job<'a> {
    pub(crate) preimage: &'a Preimage,
    pub(crate) stage: Stage,
    /// The net that it is for.
    pub(crate) net: &'a str,
    /// Its files, below `in/`.
    pub(crate) inputs: Vec<Input>,
    /// Nothing comes of it but what its record says; its program ends with [`DISPROVED`] where it finds otherwise.
    pub(crate) is_finding: bool,
    /// Runs although the cluster has its result.
    pub(crate) again: bool,
}

/// What ran there. The artifact was not fetched.
#[derive(Debug, Clone)]
pub(crate) struct Ran {
    /// The record, proven whole and to be of the preimage that was asked for.
    pub(crate) record: ActionRecord,
    /// `None` of a finding.
    pub(crate) artifact: Option<Blob>,
    /// Who ran it, where the cluster says so; fit to be shown.
    pub(crate) worker: Option<String>,
    /// It ran earlier.
    pub(crate) from_cache: bool,
    /// From the request to the result.
    pub(crate) seconds: f64,
}

/// What came of a try.
pub(crate) enum Tried {
    /// It ran.
    Ran(Box<Ran>),
    /// Inputs that only the cluster had are gone.
    Evicted,
    /// It ran, and found that what was to be found is not so: to be looked at here, since nobody there is believed. What was said is for
    /// [`Cluster::contradicted`], should it be so here.
    Disproved(Failure),
    /// It is to be done here; why was said.
    Here,
}

impl Cluster {
    pub(crate) fn new(execute: Box<dyn Execute>, options: Options, ctx: &Ctx) -> Self {
        Self {
            model: Model::new(options.cores, options.jobs, options.min_seconds),
            execute,
            options,
            off: AtomicBool::new(false),
            bad: AtomicU32::new(0),
            fell_back: AtomicU64::new(0),
            said_refused: AtomicBool::new(false),
            said_sent: AtomicBool::new(false),
            program: Mutex::default(),
            known: Mutex::default(),
            there: Mutex::default(),
            asked_shared: AtomicBool::new(false),
            ctx: ctx.clone(),
        }
    }

    /// Actions that may be under way there.
    pub(crate) fn jobs(&self) -> usize {
        self.options.jobs
    }

    /// The program that is sent.
    pub(crate) fn tool(&self) -> &std::path::Path {
        &self.options.tool
    }

    /// Whether it may run this action at all.
    pub(crate) fn offers(&self, action: &Action) -> bool {
        let is_wanted = self.options.stages.iter().any(|stage| stage.name() == action.stage().name());
        // Whoever asks for a device means the one of this machine.
        let any_device = matches!(self.ctx.backend, Backend::Auto | Backend::Cpu);
        // Where nothing is to be done here instead, a cluster that was given up fails what is left.
        let is_open = !self.off.load(Ordering::Relaxed) || !self.options.fallback;
        is_wanted && any_device && action.runs_anywhere() && is_open
    }

    /// Whether it may be worth while to send work of so many seconds of a core, before it is known what has to be sent.
    pub(crate) fn may_be_worth(&self, core_s: f64) -> bool {
        self.model.may_be_worth(core_s)
    }

    /// A place there, if the work is done sooner there.
    pub(crate) fn admit(&self, work: Work) -> Option<There<'_>> {
        let totals = self.execute.totals();
        self.model.admit(work, totals.up_per_s, totals.down_per_s)
    }

    /// Counts work of an action that is done here instead, until the value goes.
    pub(crate) fn here(&self, action: &Action, core_s: f64) -> Here<'_> {
        self.model.here(kind(action), core_s)
    }

    /// Such an action, which was reckoned to take a core so many seconds, took this machine so many in an earlier build.
    pub(crate) fn learn(&self, action: &Action, reckoned_s: f64, seconds: f64) {
        self.model.learn(&kind(action), reckoned_s, seconds);
    }

    /// Seconds of a core for an action that was reckoned to take so many, by what such actions took.
    pub(crate) fn expected(&self, action: &Action, reckoned_s: f64) -> f64 {
        self.model.expected(&kind(action), reckoned_s)
    }

    /// Bytes of these inputs, and of the program, that it lacks; `None` where a stage is to be done here instead. `shared` gives what actions of
    /// this build have in common: that is asked for with the first question, and nothing is asked for twice.
    ///
    /// # Errors
    /// When the work was interrupted; where nothing is to be done here instead.
    pub(crate) fn missing(&self, inputs: &[Input], stage: Stage, shared: impl FnOnce() -> Vec<Blob>) -> Result<Option<u64>> {
        if self.off.load(Ordering::Relaxed) {
            return self.instead(stage, "it was given up before").map(|_| None);
        }
        let shared = if self.asked_shared.swap(true, Ordering::Relaxed) { Vec::new() } else { shared() };
        let program = self.program.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let needed: BTreeSet<Blob> = inputs.iter().chain(&program).map(|input| input.blob).collect();
        let there = || self.there.lock().unwrap_or_else(PoisonError::into_inner);
        let asked: BTreeSet<Blob> = needed.iter().copied().chain(shared).collect();
        let asked: Vec<Blob> = {
            let known = there();
            asked.into_iter().filter(|blob| !known.contains_key(blob)).collect()
        };
        let missing = if asked.is_empty() { Ok(Vec::new()) } else { self.execute.missing(&asked) };
        self.ctx.check()?;
        match missing {
            Ok(missing) => {
                let missing: BTreeSet<Blob> = missing.into_iter().collect();
                let mut known = there();
                for blob in asked {
                    // Somebody may have begun to send it meanwhile.
                    known.entry(blob).or_insert(!missing.contains(&blob));
                }
                Ok(Some(needed.iter().filter(|blob| known.get(blob) == Some(&false)).map(|blob| blob.bytes).sum()))
            }
            Err(failure) => self.failed(stage, failure).map(|_| None),
        }
    }

    /// Notes that these are there, or on their way; or that nobody knows any more.
    fn note_there(&self, blobs: &[Blob], are_there: bool) {
        let mut there = self.there.lock().unwrap_or_else(PoisonError::into_inner);
        if are_there {
            there.extend(blobs.iter().map(|blob| (*blob, true)));
        } else {
            there.retain(|blob, _| !blobs.contains(blob));
        }
    }

    /// The program as an input; `digest` gives its SHA-256 and size the first time.
    ///
    /// # Errors
    /// Those of `digest`.
    pub(crate) fn program(&self, digest: impl FnOnce() -> Result<(Sha256, u64)>) -> Result<Input> {
        let mut program = self.program.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &*program {
            return Ok(known.clone());
        }
        let (sha256, bytes) = digest()?;
        let source = crate::cache::remote::execute::Source::File(self.options.tool.clone());
        Ok(program.insert(Input { path: PROGRAM.to_owned(), blob: Blob { sha256, bytes }, source, executable: true }).clone())
    }

    /// Where an artifact is, if it is there.
    pub(crate) fn known(&self, artifact: Blake3) -> Option<Blob> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&artifact).copied()
    }

    /// Whether it still has an artifact that it had.
    pub(crate) fn has(&self, artifact: Blake3) -> bool {
        self.known(artifact).is_some_and(|blob| self.execute.missing(&[blob]).is_ok_and(|missing| missing.is_empty()))
    }

    /// It has an artifact no longer.
    pub(crate) fn forget(&self, artifact: Blake3) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(&artifact);
    }

    /// Runs a job, or says why not. Says once what is sent.
    ///
    /// # Errors
    /// When the work was interrupted; where nothing is to be done here instead, why it was not done there.
    pub(crate) fn run(&self, job: Job<'_>, core_s: f64, ctx: &Ctx) -> Result<Tried> {
        self.say_what_is_sent(&job);
        let Job { preimage, stage, net, mut inputs, is_finding, again } = job;
        inputs.extend(self.program.lock().unwrap_or_else(PoisonError::into_inner).clone());
        inputs.push(Input::memory(REQUEST, preimage.as_str().as_bytes().to_vec()));
        let program = format!("./{PROGRAM}");
        let arguments = [&program, "stage", "run", REQUEST, "--in", "in", "--out", "out"];
        let request = Request {
            arguments: arguments.map(str::to_owned).to_vec(),
            inputs,
            outputs: [ARTIFACT, RECORD].into_iter().skip(is_finding.into()).map(str::to_owned).collect(),
            timeout: self.options.timeout,
            queue_timeout: self.options.queue_timeout,
            properties: self.options.properties.clone(),
            skip_cache: self.options.forgets || self.options.distrusts || again,
            net: net.to_owned(),
            stage: stage.name().to_owned(),
        };
        let mut watch = Watch { ctx, sent: None };
        let sent: Vec<Blob> = request.inputs.iter().map(|input| input.blob).collect();
        self.note_there(&sent, true);
        let result = self.execute.run(&request, &mut |progress| watch.tell(progress));
        watch.end();
        if result.is_err() {
            self.note_there(&sent, false);
        }
        ctx.check()?;
        match result.map(|finished| self.prove(finished, preimage, stage, is_finding)) {
            Ok(Ok(ran)) => {
                self.bad.store(0, Ordering::Relaxed);
                if !ran.from_cache {
                    self.model.seen(core_s, ran.seconds);
                }
                if let Some(artifact) = ran.artifact {
                    self.note_there(&[artifact], true);
                    self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(ran.record.result.output_digest, artifact);
                }
                Ok(Tried::Ran(Box::new(ran)))
            }
            Err(failure @ Failure::Failed { exit_code: DISPROVED, .. }) if is_finding => Ok(Tried::Disproved(failure)),
            Ok(Err(Failure::Evicted(_))) | Err(Failure::Evicted(_)) => Ok(Tried::Evicted),
            Ok(Err(failure)) | Err(failure) => self.failed(stage, failure),
        }
    }

    /// The bytes of an artifact of at most `limit` bytes, proven to be the very one; else why not.
    ///
    /// # Errors
    /// When the work was interrupted.
    pub(crate) fn fetch(&self, digest: Blake3, blob: Blob, limit: u64) -> Result<Result<Vec<u8>, Failure>> {
        let fetched = self.execute.fetch(blob, limit);
        self.ctx.check()?;
        let fetched = match fetched {
            Ok(bytes) if Blake3::of(&bytes) == digest => return Ok(Ok(bytes)),
            Ok(_) => Err(bad_exit("the artifact does not have the digest of its record".to_owned(), None)),
            Err(Failure::Evicted(_)) => Err(Failure::Refused("an artifact that it named is gone".to_owned())),
            Err(failure) => Err(failure),
        };
        self.forget(digest);
        Ok(fetched)
    }

    /// Says that a result is whole, but not one of its stage for this network; it is made here instead.
    ///
    /// # Errors
    /// Where nothing is to be done here instead.
    pub(crate) fn reject(&self, ran: &Ran, stage: Stage, why: &str) -> Result<Tried> {
        self.failed(stage, bad_exit(why.to_owned(), ran.worker.clone()))
    }

    /// Says why a stage did not run there; it runs here instead.
    ///
    /// # Errors
    /// Where nothing is to be done here instead.
    pub(crate) fn failed(&self, stage: Stage, failure: Failure) -> Result<Tried> {
        let why = self.say(failure);
        self.instead(stage, &why)
    }

    /// Says that a stage failed there and not here. What this machine finds counts; who is wrong twice in a row gets nothing more.
    pub(crate) fn contradicted(&self, stage: Stage, there: Failure) {
        let Failure::Failed { stderr, worker, .. } = there else { return };
        let url = &self.options.url;
        let worker = worker.map_or_else(|| "a worker".to_owned(), |worker| shown::line(&worker).to_string());
        let said: String = shown::line(stderr.trim()).chars().take(SAID).collect();
        self.fell_back.fetch_add(1, Ordering::Relaxed);
        let is_off = self.bad.fetch_add(1, Ordering::Relaxed) + 1 >= MOST_BAD && !self.off.swap(true, Ordering::Relaxed);
        let off = if is_off { "; and so was the run before: disabling the cluster for this run" } else { "" };
        self.ctx.warn(format!("{stage} failed on {worker} of the cluster `{url}`, and not here, which counts: {said}{off}"));
    }

    /// Whether this result is to be made again here and compared: the same ones in every build.
    pub(crate) fn rechecks(&self, preimage: &Preimage) -> bool {
        let [a, b, c, d, ..] = preimage.key().0;
        f64::from(u32::from_le_bytes([a, b, c, d])) < self.options.recheck * 4_294_967_296.0
    }

    /// What went there and came back so far.
    pub(crate) fn traffic(&self) -> ClusterTraffic {
        let totals = self.execute.totals();
        ClusterTraffic {
            ran: totals.ran,
            from_cache: totals.from_cache,
            fell_back: self.fell_back.load(Ordering::Relaxed),
            uploaded: totals.uploaded,
            downloaded: totals.downloaded,
        }
    }

    /// The record that came back, proven.
    fn prove(&self, finished: Finished, preimage: &Preimage, stage: Stage, is_finding: bool) -> Result<Ran, Failure> {
        let Finished { outputs, from_cache, worker, seconds, .. } = finished;
        let worker = worker.map(|worker| shown::line(&worker).to_string());
        let bad = |why: String| bad_exit(why, worker.clone());
        if from_cache && self.options.distrusts {
            return Err(Failure::Refused(
                "it gave an earlier result, which others may have written, although it was asked to run the action".to_owned(),
            ));
        }
        let output = |name: &str| outputs.get(name).copied().ok_or_else(|| bad(format!("`{name}` is missing")));
        let artifact = if is_finding { None } else { Some(output(ARTIFACT)?) };
        let record = self.execute.fetch(output(RECORD)?, MOST_RECORD)?;
        let record = ActionRecord::decode(preimage.key(), &record).map_err(|why| bad(format!("in its action record, {why}")))?;
        if record.preimage != *preimage || record.result.outcome().map(Outcome::stage) != Some(stage) {
            return Err(bad("its action record is for another action".to_owned()));
        }
        if record.result.stored == is_finding || record.result.bytes != artifact.map_or(0, |artifact| artifact.bytes) {
            return Err(bad("its action record and its artifact differ".to_owned()));
        }
        Ok(Ran { record, artifact, worker, from_cache, seconds })
    }

    /// Done here, if that is wanted.
    fn instead(&self, stage: Stage, why: &str) -> Result<Tried> {
        if !self.options.fallback {
            return Err(Error::new(format!("{stage} did not run on the cluster `{}`", self.options.url))
                .because(why)
                .help("run the same command again, or let it run here: without `--remote-fallback=no`, or with `--remote off`"));
        }
        self.fell_back.fetch_add(1, Ordering::Relaxed);
        Ok(Tried::Here)
    }

    /// Warns of a failure, each kind once a build, and gives the cluster up where the next action would fare no better. Returns why.
    pub(crate) fn say(&self, failure: Failure) -> String {
        let Self { options: Options { url, .. }, .. } = self;
        let instead = if self.options.fallback { "; what is left runs here" } else { "" };
        match failure {
            Failure::Off(why) => {
                if !self.off.swap(true, Ordering::Relaxed) {
                    self.ctx.warn(format!("disabling the cluster `{url}` for this run: {}{instead}", shown::line(&why)));
                }
                why
            }
            Failure::Failed { exit_code, stderr, worker } => {
                let on = worker.map(|worker| format!(" on {}", shown::line(&worker))).unwrap_or_default();
                let said: String = shown::line(stderr.trim()).chars().take(SAID).collect();
                let said = if said.is_empty() { String::new() } else { format!(": {said}") };
                let why = match exit_code {
                    0 => format!("a result{on} cannot be used{said}"),
                    code => format!("`nnue stage run`{on} ended with {code}{said}"),
                };
                if self.bad.fetch_add(1, Ordering::Relaxed) + 1 >= MOST_BAD && !self.off.swap(true, Ordering::Relaxed) {
                    self.ctx.warn(format!("disabling the cluster `{url}` for this run: {why}; and so did the one before{instead}"));
                } else {
                    self.refused(&why);
                }
                why
            }
            Failure::Refused(why) => {
                self.refused(&why);
                why
            }
            Failure::Evicted(_) => "it lost files that were there before".to_owned(),
            Failure::Interrupted => "interrupted".to_owned(),
        }
    }

    fn refused(&self, why: &str) {
        if self.options.fallback && !self.said_refused.swap(true, Ordering::Relaxed) {
            let url = &self.options.url;
            self.ctx.warn(format!(
                "an action did not run on the cluster `{url}`: {}; running it here (further cases are not reported)",
                shown::line(why)
            ));
        }
    }

    fn say_what_is_sent(&self, job: &Job<'_>) {
        if self.said_sent.swap(true, Ordering::Relaxed) {
            return;
        }
        let program = self.program.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map_or(0, |program| program.blob.bytes);
        let files: u64 = job.inputs.iter().map(|input| input.blob.bytes).sum();
        self.ctx.note(format!(
            "`{}` gets what stages need there, weights of nets and positions among it: for `{}` {} MB, and this program, {} MB",
            self.options.url,
            job.net,
            megabytes(files),
            megabytes(program)
        ));
    }
}

/// What takes as long as another of its kind, for its size.
fn kind(action: &Action) -> String {
    match action.search() {
        Some(search) => format!("{} {}", action.stage(), search.algorithm.name()),
        None => action.stage().to_string(),
    }
}

/// A run that left what it should not.
fn bad_exit(why: String, worker: Option<String>) -> Failure {
    Failure::Failed { exit_code: 0, stderr: why, worker }
}

/// With one digit behind the point.
fn megabytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1e6)
}

/// Tells how far a request is.
struct Watch<'a> {
    ctx: &'a Ctx,
    /// Bytes that were told of as sent.
    sent: Option<u64>,
}

/// The part of a stage that sends its inputs.
const UPLOAD: &str = "upload";

impl Watch<'_> {
    fn tell(&mut self, progress: Progress) {
        let tasks = self.ctx.progress();
        if let Progress::Uploading { done, total } = progress {
            if self.sent.is_none() {
                tasks.doing("uploading");
                tasks.start(UPLOAD, Some(total), "bytes");
            }
            let before = self.sent.replace(done).unwrap_or(0);
            tasks.advance(UPLOAD, done.saturating_sub(before));
            return;
        }
        self.end();
        match progress {
            Progress::Uploading { .. } => {}
            Progress::Queued => tasks.doing("queued"),
            Progress::QueuedAgain => tasks.doing("queued again"),
            Progress::Reconnecting => tasks.doing("reconnecting"),
            Progress::Running { worker: Some(worker) } => tasks.doing(&format!("running on {}", shown::line(&worker))),
            Progress::Running { worker: None } => tasks.doing("running on the cluster"),
        }
    }

    fn end(&mut self) {
        if self.sent.take().is_some() {
            self.ctx.progress().finish(UPLOAD);
        }
    }
}
