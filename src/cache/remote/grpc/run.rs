//! Programs on a cluster: sent with their inputs, watched, waited for again after a break, and asked for once more where that may help.

use std::collections::HashMap;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use prost::Message;
use tokio::time::{sleep, timeout, timeout_at};
use tonic::Code;

use super::super::execute::{Blob, Execute, Failure, Finished, Progress, Request, Settings, Source, Totals};
use super::super::messages::{ActionResult, Any};
use super::super::patience;
use super::super::transport::{Body, Moved};
use super::address::{For, read};
use super::calls::{Calls, decode};
use super::enabled::store;
use super::messages::{ExecuteOperationMetadata, ExecuteResponse, Operation, RequestMetadata, ToolDetails};
use super::store::{PAUSES, Store, status_trouble, uuid};
use super::tree::{self, Built};
use super::wire::{Network, Trouble, while_moving};
use crate::ctx::Ctx;
use crate::error::{Error, Result as Outcome};
use crate::files::{Bytes, Sha256};

/// How often a program is waited for again before it is asked for anew.
const RECONNECTS: usize = 3;
/// How long a cluster may be late with ending a program that runs too long. Never longer than the program may run.
const GRACE: Duration = Duration::from_secs(60);
/// How long the answer to a cancellation is waited for.
const CANCEL: Duration = Duration::from_secs(1);
/// How often a waiting thread looks whether it should stop.
const TICK: Duration = Duration::from_millis(50);
/// Bytes of what a program said that are read.
const SAID: u64 = 64 << 10;
/// Transfers of fewer bytes say nothing of how fast the network is.
const MEASURED: u64 = 256 << 10;

/// A cluster.
struct Cluster {
    network: Arc<Network>,
    shared: Arc<Shared>,
    ctx: Ctx,
}

struct Shared {
    /// Where files and results are.
    store: Store,
    /// Where programs run; often the same.
    runner: Store,
    ctx: Ctx,
    patience: Duration,
    /// Tells this build from others on the cluster's pages.
    invocation: String,
    /// Inputs go up one request after another: several that need the same ones send them once.
    sending: tokio::sync::Mutex<()>,
    counted: Mutex<Counted>,
}

#[derive(Default)]
struct Counted {
    totals: Totals,
    up: Rate,
    down: Rate,
}

/// Bytes and the seconds that they took.
#[derive(Default)]
struct Rate {
    bytes: u64,
    seconds: f64,
}

impl Rate {
    fn add(&mut self, bytes: u64, took: Duration) {
        if bytes >= MEASURED {
            self.bytes += bytes;
            self.seconds += took.as_secs_f64();
        }
    }

    fn per_s(&self) -> Option<f64> {
        (self.bytes > 0).then(|| self.bytes as f64 / self.seconds.max(1e-6))
    }
}

/// The cluster of `settings`.
///
/// # Errors
/// When a URL or a variable of the environment is not usable.
pub(super) fn open(settings: &Settings, ctx: &Ctx) -> Outcome<Box<dyn Execute>> {
    let network = Arc::new(Network::new());
    let connect = |url: &str| -> Outcome<Store> {
        let mut address = read(url, For::Cluster, settings.keepalive)?;
        if let Some(instance) = &settings.instance {
            if !address.instance.is_empty() && address.instance != *instance {
                return Err(Error::usage(format!("the cluster `{url}` has two instances"))
                    .because(format!("its path says `{}`, and `instance` says `{instance}`", address.instance))
                    .help("remove one of them"));
            }
            address.instance.clone_from(instance);
        }
        if let Some(warning) = address.warning.take() {
            ctx.warn(warning);
        }
        Ok(store(&address, &network))
    };
    let runner = connect(&settings.url)?;
    let store = match &settings.cas {
        Some(cas) if *cas != settings.url => connect(cas)?,
        _ => runner.clone(),
    };
    let shared = Shared {
        store,
        runner,
        ctx: ctx.clone(),
        patience: patience()?,
        invocation: uuid(),
        sending: tokio::sync::Mutex::new(()),
        counted: Mutex::default(),
    };
    Ok(Box::new(Cluster { network, shared: Arc::new(shared), ctx: ctx.clone() }))
}

impl Execute for Cluster {
    fn cached(&self, request: &Request) -> Result<Option<Finished>, Failure> {
        let job = Job::new(&self.shared, request)?;
        let start = Instant::now();
        let found = self.ask(async move { job.cached(start).await })?;
        if found.is_some() {
            self.shared.counted().totals.from_cache += 1;
        }
        Ok(found)
    }

    fn run(&self, request: &Request, watch: &mut dyn FnMut(Progress)) -> Result<Finished, Failure> {
        let job = Job::new(&self.shared, request)?;
        let (operation, sent, runner) = (job.operation.clone(), job.sent.clone(), job.runner.clone());
        let (teller, told) = mpsc::channel();
        let (receiver, task) = self.network.begin(async move { job.run(&teller).await }).map_err(failure)?;
        // How far an upload is, is seen from here.
        let mut sending = None;
        loop {
            let result = receiver.recv_timeout(TICK);
            for progress in told.try_iter() {
                sending = if let Progress::Uploading { total, .. } = progress { Some((0, total)) } else { None };
                watch(progress);
            }
            if let Some((shown, total)) = &mut sending {
                let done = sent.bytes().min(*total);
                if done > *shown {
                    *shown = done;
                    watch(Progress::Uploading { done, total: *total });
                }
            }
            match result {
                Ok(result) => return result,
                Err(RecvTimeoutError::Disconnected) => return Err(Failure::Refused("the request panicked".to_owned())),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if self.ctx.check().is_err() {
                task.abort();
                let name = operation.lock().unwrap_or_else(PoisonError::into_inner).clone();
                if let Some(name) = name {
                    // Whoever does not listen is left alone.
                    if let Ok((receiver, _)) = self.network.begin(async move { runner.cancel(&name).await }) {
                        let _ = receiver.recv_timeout(CANCEL);
                    }
                }
                return Err(Failure::Interrupted);
            }
        }
    }

    fn fetch(&self, blob: Blob, limit: u64) -> Result<Vec<u8>, Failure> {
        if blob.bytes > limit {
            return Err(Failure::Refused(format!("it should have {} bytes, and no such result has more than {limit}", blob.bytes)));
        }
        let shared = self.shared.clone();
        self.ask(async move {
            let start = Instant::now();
            let read = shared.patiently(&shared.store, |store| async move { store.read(blob, blob.bytes).await }).await;
            let bytes = match read {
                Err(Trouble::Absent) => return Err(Failure::Evicted(vec![blob])),
                read => read.map_err(failure)?,
            };
            if bytes.len() as u64 != blob.bytes {
                return Err(Failure::Refused(format!("an output has {} bytes instead of {}", bytes.len(), blob.bytes)));
            }
            if Sha256::of(&bytes) != blob.sha256 {
                return Err(Failure::Refused("the contents of an output do not have its digest".to_owned()));
            }
            let mut counted = shared.counted();
            counted.totals.downloaded += blob.bytes;
            counted.down.add(blob.bytes, start.elapsed());
            Ok(bytes)
        })
    }

    fn missing(&self, blobs: &[Blob]) -> Result<Vec<Blob>, Failure> {
        let (shared, blobs) = (self.shared.clone(), blobs.to_vec());
        self.ask(async move { shared.missing(blobs).await.map_err(failure) })
    }

    fn totals(&self) -> Totals {
        let counted = self.shared.counted();
        Totals { up_per_s: counted.up.per_s(), down_per_s: counted.down.per_s(), ..counted.totals }
    }
}

impl Cluster {
    /// Waits for `work`, or for Ctrl-C.
    fn ask<T: Send + 'static>(&self, work: impl Future<Output = Result<T, Failure>> + Send + 'static) -> Result<T, Failure> {
        let (receiver, task) = self.network.begin(work).map_err(failure)?;
        loop {
            match receiver.recv_timeout(TICK) {
                Ok(result) => return result,
                Err(RecvTimeoutError::Disconnected) => return Err(Failure::Refused("the request panicked".to_owned())),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if self.ctx.check().is_err() {
                task.abort();
                return Err(Failure::Interrupted);
            }
        }
    }
}

impl Shared {
    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a call of `store`, and makes it again while the failure may pass; each while something moves.
    async fn patiently<T, F>(&self, store: &Store, mut call: impl FnMut(Store) -> F) -> Result<T, Trouble>
    where
        F: Future<Output = Result<T, Trouble>>,
    {
        let mut pauses = PAUSES.into_iter();
        loop {
            let moved = Moved::default();
            let result = while_moving(call(store.counting(&moved)), &moved, self.patience).await;
            let pause = match &result {
                Err(trouble) if trouble.may_pass() => pauses.next(),
                _ => None,
            };
            let Some(pause) = pause else { return result };
            sleep(pause).await;
        }
    }

    async fn missing(&self, blobs: Vec<Blob>) -> Result<Vec<Blob>, Trouble> {
        let blobs: Arc<[Blob]> = blobs.into();
        self.patiently(&self.store, |store| {
            let blobs = blobs.clone();
            async move { store.missing(&blobs).await }
        })
        .await
    }
}

/// What a trouble means for a request that was tried often enough.
fn failure(trouble: Trouble) -> Failure {
    match trouble {
        Trouble::Absent => Failure::Refused("the server does not know it".to_owned()),
        Trouble::Refused(_, why) => Failure::Refused(why),
        Trouble::Denied(why) | Trouble::Lost(why) => Failure::Off(why),
    }
}

/// What came of running a program once.
enum Ran {
    /// A response, whatever it says.
    Answered(Box<ExecuteResponse>),
    /// None.
    Refused(i32, String),
}

/// One request on its way.
struct Job {
    shared: Arc<Shared>,
    /// With the request's name on each call.
    store: Store,
    runner: Calls,
    request: Request,
    built: Built,
    /// The name of what runs for it, once it is known.
    operation: Arc<Mutex<Option<String>>>,
    /// Counts inputs that go up.
    sent: Moved,
    uploaded: u64,
}

type Teller = mpsc::Sender<Progress>;

impl Job {
    fn new(shared: &Arc<Shared>, request: &Request) -> Result<Self, Failure> {
        let built = tree::build(request)?;
        let metadata = RequestMetadata {
            tool_details: Some(ToolDetails { tool_name: "nnue".to_owned(), tool_version: env!("CARGO_PKG_VERSION").to_owned() }),
            action_id: built.action.sha256.to_string(),
            tool_invocation_id: shared.invocation.clone(),
            action_mnemonic: request.stage.clone(),
            target_id: request.net.clone(),
        };
        let metadata = Arc::new(metadata.encode_to_vec());
        let (mut store, mut runner) = (shared.store.clone(), shared.runner.calls.clone());
        store.calls.about.metadata = metadata.clone();
        runner.about.metadata = metadata;
        let (operation, sent) = (Arc::default(), Moved::default());
        Ok(Self { shared: shared.clone(), store, runner, request: request.clone(), built, operation, sent, uploaded: 0 })
    }

    /// What the server has of an earlier run, if that is good and whole.
    async fn cached(&self, start: Instant) -> Result<Option<Finished>, Failure> {
        let action = self.built.action;
        let entry = self.shared.patiently(&self.store, |store| async move { store.entry(action).await }).await;
        let result: ActionResult = match entry {
            Err(Trouble::Absent) => return Ok(None),
            entry => decode(&entry.map_err(failure)?).map_err(failure)?,
        };
        // Servers keep failures as well.
        let Ok(finished) = self.judge(&result, true, start) else { return Ok(None) };
        Ok(self.is_whole(&finished).await?.then_some(finished))
    }

    /// Whether the server has the outputs that it names.
    async fn is_whole(&self, finished: &Finished) -> Result<bool, Failure> {
        let outputs: Vec<Blob> = finished.outputs.values().copied().collect();
        Ok(self.shared.missing(outputs).await.map_err(failure)?.is_empty())
    }

    async fn run(mut self, tell: &Teller) -> Result<Finished, Failure> {
        let start = Instant::now();
        let mut skip_cache = self.request.skip_cache;
        if !skip_cache && let Some(found) = self.cached(start).await? {
            self.shared.counted().totals.from_cache += 1;
            return Ok(found);
        }
        let able = self.shared.patiently(&self.shared.runner, |runner| async move { runner.able().await }).await;
        if !able.map_err(failure)?.executes {
            return Err(Failure::Off("the server runs no programs: it says so in its capabilities".to_owned()));
        }
        let mut again = true;
        loop {
            self.supply(tell).await?;
            let (code, why) = match self.execute(skip_cache, tell).await? {
                Ran::Refused(code, why) => (code, why),
                Ran::Answered(response) => {
                    let status = response.status.clone().unwrap_or_default();
                    if status.code == Code::DeadlineExceeded as i32 {
                        return Err(self.too_long());
                    } else if status.code != 0 {
                        match status_trouble(status.code, &status.message) {
                            Trouble::Refused(code, why) => (code, why),
                            trouble => (
                                status.code,
                                match failure(trouble) {
                                    Failure::Off(why) | Failure::Refused(why) => why,
                                    other => return Err(other),
                                },
                            ),
                        }
                    } else {
                        let from_cache = response.cached_result;
                        let result = response.result.unwrap_or_default();
                        let judged = self.judge(&result, from_cache, start);
                        let good = match &judged {
                            Ok(finished) => !from_cache || self.is_whole(finished).await?,
                            Err(_) => false,
                        };
                        if good || !from_cache || skip_cache {
                            return self.settle(judged, &result, good).await;
                        }
                        // What it keeps is no good: it is to make it anew.
                        skip_cache = true;
                        continue;
                    }
                }
            };
            let hopeless = [Code::InvalidArgument, Code::Unimplemented, Code::OutOfRange].iter().any(|hopeless| *hopeless as i32 == code);
            if hopeless || !std::mem::take(&mut again) {
                return Err(Failure::Refused(why));
            }
            // An input may be gone, or a worker: what is missing is sent, and the program asked for once more.
        }
    }

    /// The end of a request that ran.
    async fn settle(&self, judged: Result<Finished, i32>, result: &ActionResult, whole: bool) -> Result<Finished, Failure> {
        match judged {
            Ok(finished) if whole => {
                let mut counted = self.shared.counted();
                if finished.from_cache {
                    counted.totals.from_cache += 1;
                } else {
                    counted.totals.ran += 1;
                }
                Ok(finished)
            }
            Ok(_) => Err(Failure::Refused("the server names outputs that it does not have".to_owned())),
            Err(exit_code) => {
                let stderr = self.said(result).await;
                Err(Failure::Failed { exit_code, stderr, worker: worker(result) })
            }
        }
    }

    /// The outputs of a good result; else what the program ended with.
    fn judge(&self, result: &ActionResult, from_cache: bool, start: Instant) -> Result<Finished, i32> {
        if result.exit_code != 0 {
            return Err(result.exit_code);
        }
        let files: HashMap<&str, Blob> =
            result.output_files.iter().filter_map(|file| Some((file.path.as_str(), file.digest.as_ref()?.blob()?))).collect();
        let outputs = self.request.outputs.iter().map(|path| Some((path.clone(), *files.get(path.as_str())?))).collect::<Option<_>>();
        let seconds = start.elapsed().as_secs_f64();
        Ok(Finished { outputs: outputs.ok_or(0)?, from_cache, worker: worker(result), uploaded: self.uploaded, seconds })
    }

    /// What the program said on its standard error, as far as it can be had.
    async fn said(&self, result: &ActionResult) -> String {
        let bytes = match result.stderr_digest.as_ref().and_then(|digest| digest.blob()) {
            _ if !result.stderr_raw.is_empty() => result.stderr_raw.clone(),
            Some(blob) => {
                let read = self.shared.patiently(&self.store, |store| async move { store.beginning(blob, SAID).await }).await;
                read.unwrap_or_default()
            }
            None => Vec::new(),
        };
        let bytes = bytes.get(..bytes.len().min(SAID as usize)).unwrap_or_default();
        crate::shown::clean(String::from_utf8_lossy(bytes).trim_end()).into_owned()
    }

    fn too_long(&self) -> Failure {
        Failure::Refused(format!("it ran for longer than {} seconds", self.request.timeout.as_secs()))
    }

    /// Sends what the server lacks of the inputs.
    async fn supply(&mut self, tell: &Teller) -> Result<(), Failure> {
        let inputs = self.request.inputs.iter().map(|input| input.blob);
        let all: Vec<Blob> = self.built.messages.iter().map(|(blob, _)| *blob).chain(inputs).collect();
        let mut missing = self.shared.missing(all.clone()).await.map_err(failure)?;
        if missing.is_empty() {
            return Ok(());
        }
        let shared = self.shared.clone();
        let _turn = match shared.sending.try_lock() {
            Ok(turn) => turn,
            Err(_) => {
                let turn = shared.sending.lock().await;
                // Somebody else may have sent it meanwhile.
                missing = shared.missing(all.clone()).await.map_err(failure)?;
                turn
            }
        };
        let mut pauses = PAUSES.into_iter();
        loop {
            let bodies = self.bodies(&missing)?;
            let total = missing.iter().map(|blob| blob.bytes).sum();
            if missing.is_empty() {
                return Ok(());
            }
            let (start, before) = (Instant::now(), self.sent.bytes());
            let _ = tell.send(Progress::Uploading { done: 0, total });
            let store = self.store.counting(&self.sent);
            match while_moving(store.write_all(bodies), &self.sent, shared.patience).await {
                Ok(()) => {
                    let mut counted = shared.counted();
                    counted.totals.uploaded += total;
                    counted.up.add(total, start.elapsed());
                    self.uploaded += total;
                    return Ok(());
                }
                Err(trouble) if trouble.may_pass() => match pauses.next() {
                    None => return Err(failure(trouble)),
                    Some(pause) => {
                        // As long as it gets further, nothing is given up.
                        if self.sent.bytes().saturating_sub(before) > MEASURED {
                            pauses = PAUSES.into_iter();
                        }
                        let _ = tell.send(Progress::Reconnecting);
                        sleep(pause).await;
                    }
                },
                Err(trouble) => return Err(failure(trouble)),
            }
            missing = shared.missing(all.clone()).await.map_err(failure)?;
        }
    }

    /// The bytes of `missing`.
    fn bodies(&self, missing: &[Blob]) -> Result<Vec<(Blob, Body)>, Failure> {
        let (mut bodies, mut gone) = (Vec::new(), Vec::new());
        for blob in missing {
            let message = self.built.messages.iter().find(|(named, _)| named == blob);
            let sources = || self.request.inputs.iter().filter(|input| input.blob == *blob).map(|input| &input.source);
            // The same bytes may be here under another name.
            let source = sources().find(|source| !matches!(source, Source::There));
            let body: Body = match (message, source) {
                (Some((_, bytes)), _) => Arc::new(bytes.clone()),
                (None, Some(Source::Memory(bytes))) => bytes.clone(),
                (None, Some(Source::File(path))) => {
                    let bytes = Bytes::input(path, &self.shared.ctx).map_err(|error| Failure::Refused(error.to_string()))?;
                    Arc::new(bytes)
                }
                (None, _) => {
                    gone.push(*blob);
                    continue;
                }
            };
            if (*body).as_ref().len() as u64 != blob.bytes {
                return Err(Failure::Refused("an input changed while it was sent".to_owned()));
            }
            bodies.push((*blob, body));
        }
        if gone.is_empty() { Ok(bodies) } else { Err(Failure::Evicted(gone)) }
    }

    /// Runs it and waits for the end, whatever becomes of connections.
    async fn execute(&self, skip_cache: bool, tell: &Teller) -> Result<Ran, Failure> {
        let grace = GRACE.min(self.request.timeout);
        let now = tokio::time::Instant::now;
        let mut clock = Clock { at: now() + self.request.queue_timeout + self.request.timeout + grace, stage: Stage::Unknown };
        // Failures since something was heard last.
        let mut failures = 0;
        self.named(None);
        loop {
            let name = self.operation.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let begun = async {
                match &name {
                    Some(name) => self.runner.wait_execution(name).await,
                    None => self.runner.execute(self.built.action, skip_cache).await,
                }
            };
            let Ok(begun) = timeout_at(clock.at, begun).await else { return Err(self.out_of_time(&clock).await) };
            let trouble = match begun {
                Err(trouble) => trouble,
                Ok(mut operations) => loop {
                    let Ok(next) = timeout_at(clock.at, operations.next()).await else { return Err(self.out_of_time(&clock).await) };
                    let operation = match next {
                        Ok(Some(operation)) => operation,
                        Ok(None) => break Trouble::Lost("the server stopped telling of a program before its end".to_owned()),
                        Err(trouble) => break trouble,
                    };
                    failures = 0;
                    if !operation.name.is_empty() {
                        self.named(Some(operation.name.clone()));
                    }
                    if operation.done {
                        return ended(operation).map_err(failure);
                    }
                    self.note(operation.metadata.as_ref(), &mut clock, tell);
                },
            };
            match trouble {
                Trouble::Lost(why) => {
                    failures += 1;
                    let tries = if name.is_some() { RECONNECTS + PAUSES.len() } else { PAUSES.len() };
                    if failures > tries {
                        return Err(Failure::Off(why));
                    }
                    if failures > RECONNECTS {
                        self.named(None);
                    }
                    let _ = tell.send(Progress::Reconnecting);
                    let pause = PAUSES.get(failures - 1).or(PAUSES.last()).copied().unwrap_or_default();
                    sleep(pause).await;
                }
                // It does not know the operation, or does not let anybody wait: asked for again, it gives what is there.
                Trouble::Absent | Trouble::Refused(..) if name.is_some() && failures < RECONNECTS => {
                    failures = RECONNECTS;
                    self.named(None);
                }
                Trouble::Denied(why) => return Err(Failure::Off(why)),
                Trouble::Refused(code, why) => return Ok(Ran::Refused(code, why)),
                Trouble::Absent => return Ok(Ran::Refused(Code::NotFound as i32, "the server lacks something of the request".to_owned())),
            }
        }
    }

    fn named(&self, name: Option<String>) {
        *self.operation.lock().unwrap_or_else(PoisonError::into_inner) = name;
    }

    /// Looks where an operation stands. Servers may say nothing of it, or something else.
    fn note(&self, metadata: Option<&Any>, clock: &mut Clock, tell: &Teller) {
        let Some(metadata) = metadata.filter(|any| any.type_url.rsplit('/').next() == Some(ExecuteOperationMetadata::TYPE)) else { return };
        let Ok(metadata) = ExecuteOperationMetadata::decode(metadata.value.as_slice()) else { return };
        let now = tokio::time::Instant::now();
        match (metadata.stage, clock.stage) {
            (ExecuteOperationMetadata::QUEUED, Stage::Unknown | Stage::Running) => {
                let progress = if clock.stage == Stage::Running { Progress::QueuedAgain } else { Progress::Queued };
                *clock = Clock { at: now + self.request.queue_timeout, stage: Stage::Queued };
                let _ = tell.send(progress);
            }
            (ExecuteOperationMetadata::EXECUTING, Stage::Unknown | Stage::Queued) => {
                *clock = Clock { at: now + self.request.timeout + GRACE.min(self.request.timeout), stage: Stage::Running };
                let worker = metadata.partial_execution_metadata.map(|metadata| metadata.worker).filter(|worker| !worker.is_empty());
                let _ = tell.send(Progress::Running { worker });
            }
            _ => {}
        }
    }

    /// The cluster is told to stop, and the request is over.
    async fn out_of_time(&self, clock: &Clock) -> Failure {
        let name = self.operation.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(name) = name {
            let _ = timeout(CANCEL, self.runner.cancel(&name)).await;
        }
        match clock.stage {
            Stage::Queued => Failure::Refused(format!("no worker took it for {} seconds", self.request.queue_timeout.as_secs())),
            Stage::Unknown | Stage::Running => self.too_long(),
        }
    }
}

/// When a request is over at the latest, and why.
struct Clock {
    at: tokio::time::Instant,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Unknown,
    Queued,
    Running,
}

/// The end of an operation.
fn ended(operation: Operation) -> Result<Ran, Trouble> {
    if let Some(error) = operation.error.filter(|error| error.code != 0) {
        let why = match status_trouble(error.code, &error.message) {
            Trouble::Refused(_, why) | Trouble::Lost(why) | Trouble::Denied(why) => why,
            Trouble::Absent => error.message,
        };
        return Ok(Ran::Refused(error.code, why));
    }
    let response = operation.response.ok_or_else(|| Trouble::wrong("the server says that a program ended, and not how"))?;
    decode(&response.value).map(|response| Ran::Answered(Box::new(response)))
}

/// Who ran a program.
fn worker(result: &ActionResult) -> Option<String> {
    let worker = result.execution_metadata.as_ref().map(|metadata| metadata.worker.as_str()).unwrap_or_default();
    (!worker.is_empty()).then(|| super::super::transport::shown(worker))
}
