//! What runs on a cluster: a program with its input files, and the files that it must leave. The words for it, and the one trait that those
//! who need it see; nothing here knows what a cluster is asked in, and nothing of what the program does.
//!
//! Files travel by their SHA-256 and size ([`Blob`]): what the cluster has is not sent, and what a program left there can be the input of
//! the next one without coming here.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::ctx::Ctx;
use crate::error::Result;
use crate::files::Sha256;

/// Names bytes that a cluster has or lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Blob {
    /// Their SHA-256.
    pub sha256: Sha256,
    /// How many there are.
    pub bytes: u64,
}

impl Blob {
    /// The name of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self { sha256: Sha256::of(bytes), bytes: bytes.len() as u64 }
    }
}

/// Where the bytes of an input are, should the cluster lack them.
#[derive(Clone)]
pub enum Source {
    /// In memory.
    Memory(Arc<dyn AsRef<[u8]> + Send + Sync>),
    /// In a file, which is opened when it must be sent.
    File(PathBuf),
    /// Only on the cluster: an output of an earlier request.
    There,
}

/// One file of a request.
#[derive(Clone)]
pub struct Input {
    /// Where the program finds it: `in/data.0`, relative, with `/` between folders.
    pub path: String,
    /// Its contents.
    pub blob: Blob,
    /// Where they are.
    pub source: Source,
    /// Whether it may be started.
    pub executable: bool,
}

impl Input {
    /// A file of these bytes.
    pub fn memory(path: &str, bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        let blob = Blob::of(bytes.as_ref());
        Self { path: path.to_owned(), blob, source: Source::Memory(Arc::new(bytes)), executable: false }
    }
}

/// A program to run.
#[derive(Clone)]
pub struct Request {
    /// The program, by its path among the inputs (`./nnue`), and its arguments.
    pub arguments: Vec<String>,
    /// The files that it finds, in any order.
    pub inputs: Vec<Input>,
    /// The paths of the files that it must leave, each of them.
    pub outputs: Vec<String>,
    /// How long it may run.
    pub timeout: Duration,
    /// How long it may wait for a worker.
    pub queue_timeout: Duration,
    /// What its worker must have: names and values that the cluster's owners chose.
    pub properties: BTreeMap<String, String>,
    /// Runs it although the cluster has its result.
    pub skip_cache: bool,
    /// The net that it is for, as the cluster's own pages show it.
    pub net: String,
    /// The stage that it is.
    pub stage: String,
}

/// How far a request is. The first value of a new kind comes when it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Inputs that the cluster lacks are sent, in bytes.
    Uploading {
        /// So many are on their way.
        done: u64,
        /// Of so many.
        total: u64,
    },
    /// It waits for a worker.
    Queued,
    /// It runs.
    Running {
        /// The worker, where the cluster says so.
        worker: Option<String>,
    },
    /// Its worker was lost; it waits for another.
    QueuedAgain,
    /// The connection was lost, and is made again.
    Reconnecting,
}

/// What a program left.
#[derive(Debug, Clone, PartialEq)]
pub struct Finished {
    /// Each of [`Request::outputs`].
    pub outputs: BTreeMap<String, Blob>,
    /// It ran earlier, for this or another build.
    pub from_cache: bool,
    /// Who ran it, where the cluster says so. Text of others.
    pub worker: Option<String>,
    /// Bytes of inputs that were sent for it.
    pub uploaded: u64,
    /// Seconds from the request to the result.
    pub seconds: f64,
}

/// Why a request came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Nobody answers, or nobody lets us in; tried again already. The next request would fare no better.
    Off(String),
    /// This request only: it was refused, never scheduled, ran too long, or failed twice for reasons of the cluster.
    Refused(String),
    /// The program ran and failed, or left not all of its files.
    Failed {
        /// What it ended with; 0 where only files are missing.
        exit_code: i32,
        /// What it said on its standard error, cut short. Text of others.
        stderr: String,
        /// Who ran it.
        worker: Option<String>,
    },
    /// The cluster lost these inputs, and nobody here has them: what made them must run again, with [`Request::skip_cache`].
    Evicted(Vec<Blob>),
    /// Somebody pressed Ctrl-C; the cluster was told, as far as it listens.
    Interrupted,
}

/// What was moved and run so far.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Totals {
    /// Requests that ran.
    pub ran: u64,
    /// Requests whose results were there.
    pub from_cache: u64,
    /// Bytes of inputs that were sent.
    pub uploaded: u64,
    /// Bytes of outputs that were fetched.
    pub downloaded: u64,
    /// Bytes that go up in a second, once it is known.
    pub up_per_s: Option<f64>,
    /// Bytes that come down in a second, once it is known.
    pub down_per_s: Option<f64>,
}

/// A cluster. Any number of threads may call at the same time; every call waits for its answer.
pub trait Execute: Send + Sync {
    /// The result of an earlier run, if the cluster has one that is whole. Sends no inputs.
    ///
    /// # Errors
    /// [`Failure::Off`], [`Failure::Refused`], [`Failure::Interrupted`].
    fn cached(&self, request: &Request) -> Result<Option<Finished>, Failure>;

    /// Runs it, unless its result is there already: sends what is missing, waits, and asks again where that may help. `watch` is called on
    /// this thread.
    ///
    /// # Errors
    /// Each [`Failure`].
    fn run(&self, request: &Request, watch: &mut dyn FnMut(Progress)) -> Result<Finished, Failure>;

    /// The very bytes of `blob`, of which there are at most `limit`.
    ///
    /// # Errors
    /// As [`Self::cached`]; [`Failure::Evicted`] where it is gone.
    fn fetch(&self, blob: Blob, limit: u64) -> Result<Vec<u8>, Failure>;

    /// Those of `blobs` that the cluster lacks.
    ///
    /// # Errors
    /// As [`Self::cached`].
    fn missing(&self, blobs: &[Blob]) -> Result<Vec<Blob>, Failure>;

    /// What was moved and run so far.
    fn totals(&self) -> Totals;
}

/// Which cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `grpc://` or `grpcs://`, a host, a port; a path is the name of the instance.
    pub url: String,
    /// Where files and results are kept, if elsewhere.
    pub cas: Option<String>,
    /// The name of the instance, where the path does not say it.
    pub instance: Option<String>,
    /// Pings this often on connections that are otherwise silent. Some servers end connections that ping.
    pub keepalive: Option<Duration>,
}

/// The cluster of `settings`, with the credentials of the environment. Connects to nothing before the first call.
///
/// # Errors
/// When this program cannot use the URL, or a variable of the environment is not usable.
pub fn open(settings: &Settings, ctx: &Ctx) -> Result<Box<dyn Execute>> {
    super::grpc::execute(settings, ctx)
}
