//! What a stage may know of the outside: cancellation, progress, warnings. Nothing of terminals, TOML or the cache.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::error::{Error, Result};
use crate::platform;
pub use crate::words::Backend;

/// A stage of a net, which work is done for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The net; of several that share the work the first one.
    pub net: String,
    /// The stage.
    pub stage: &'static str,
}

/// A unit of work, as progress tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Task<'a> {
    /// What it is a part of; `None` for work that is of no single net.
    pub scope: Option<&'a Scope>,
    /// What is done; `None` for the stage as a whole.
    pub name: Option<&'a str>,
}

/// Receives progress and warnings of running stages. All methods may be called from any thread. Who does not say otherwise hears warnings
/// only.
pub trait Progress: Send + Sync {
    /// A unit of work begins; `total` is its size in `unit`s where known.
    fn start(&self, task: Task<'_>, total: Option<u64>, unit: &'static str) {
        let _ = (task, total, unit);
    }
    /// `done` more units of `task` are finished.
    fn advance(&self, task: Task<'_>, done: u64) {
        let _ = (task, done);
    }
    /// `task` is over.
    fn finish(&self, task: Task<'_>) {
        let _ = task;
    }
    /// `task`, which may count nothing, does something else from now on: it is `queued`, say.
    fn doing(&self, task: Task<'_>, state: &str) {
        let _ = (task, state);
    }
    /// What goes on, for people who want to know.
    fn note(&self, message: &str) {
        let _ = message;
    }
    /// Something the user should know although the work goes on.
    fn warn(&self, message: &str);
}

/// Swallows everything; for tests and library use.
pub struct Silent;

impl Progress for Silent {
    fn warn(&self, _: &str) {}
}

/// Hands warnings on and nothing else.
struct WarningsOnly(Arc<dyn Progress>);

impl Progress for WarningsOnly {
    fn warn(&self, message: &str) {
        self.0.warn(message);
    }
}

/// What a stage tells of its progress through: its tasks are those of the context's [`Scope`].
#[derive(Clone, Copy)]
pub struct Tasks<'a> {
    scope: Option<&'a Scope>,
    progress: &'a dyn Progress,
}

impl Tasks<'_> {
    /// A unit of work begins; `total` is its size in `unit`s where known.
    pub fn start(self, name: &str, total: Option<u64>, unit: &'static str) {
        self.progress.start(Task { scope: self.scope, name: Some(name) }, total, unit);
    }

    /// `done` more units of it are finished.
    pub fn advance(self, name: &str, done: u64) {
        self.progress.advance(Task { scope: self.scope, name: Some(name) }, done);
    }

    /// The stage itself does something else from now on: it is `queued`, say.
    pub fn doing(self, state: &str) {
        self.progress.doing(Task { scope: self.scope, name: None }, state);
    }

    /// It is over.
    pub fn finish(self, name: &str) {
        self.progress.finish(Task { scope: self.scope, name: Some(name) });
    }
}

/// A stage that runs; it is over when this goes.
#[must_use]
pub struct Running<'a>(&'a Ctx);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.progress.finish(self.0.whole());
    }
}

/// Opens a file of the user's for reading; links are followed. Pipes, sockets and devices are refused before they are opened: that alone
/// may wait for ever or have an effect. So are files of the kernel that have no size, of which some never end.
pub(crate) fn open_file(path: &Path) -> io::Result<File> {
    check_kind(&fs::metadata(path)?)?;
    let mut options = File::options();
    options.read(true);
    // Should the path lead to a pipe by now.
    platform::never_wait(&mut options);
    let file = options.open(path)?;
    let metadata = file.metadata()?;
    check_kind(&metadata)?;
    platform::check_on_disk(&file, &metadata)?;
    Ok(file)
}

/// All of a file of the user's, opened as by [`open_file`]; one of more than `most` bytes is an error, and read no further.
pub(crate) fn read_file(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = open_file(path)?;
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::other(format!("it has more than {most} bytes")));
    }
    Ok(bytes)
}

fn check_kind(metadata: &fs::Metadata) -> io::Result<()> {
    match metadata.file_type() {
        kind if kind.is_file() => Ok(()),
        kind if kind.is_dir() => Err(io::Error::other("it is a folder")),
        _ => Err(io::Error::other("it is not a regular file")),
    }
}

/// Looks at a file that was just opened as an input, and may refuse it.
pub type Guard = Arc<dyn Fn(&Path, &File) -> Result<()> + Send + Sync>;

/// Whether any work of this process has found itself cancelled.
static NOTICED: AtomicBool = AtomicBool::new(false);

/// Whether any work of this process has found itself cancelled, and is being put away.
#[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "of interest to who sends signals on"))]
pub(crate) fn is_noticed() -> bool {
    NOTICED.load(Ordering::Relaxed)
}

/// Handed to every stage. Cheap to clone.
#[derive(Clone)]
pub struct Ctx {
    cancel: Arc<AtomicBool>,
    progress: Arc<dyn Progress>,
    scope: Option<Arc<Scope>>,
    guard: Option<Guard>,
    copies_inputs: bool,
    /// The compute backend that was asked for.
    pub backend: Backend,
}

impl Ctx {
    /// A context that reports to `progress` and stops when `cancel` becomes true.
    pub fn new(cancel: Arc<AtomicBool>, progress: Arc<dyn Progress>, backend: Backend) -> Self {
        Self { cancel, progress, scope: None, guard: None, copies_inputs: false, backend }
    }

    /// No progress, never cancelled, CPU.
    pub fn silent() -> Self {
        Self::new(Arc::new(AtomicBool::new(false)), Arc::new(Silent), Backend::Cpu)
    }

    /// Fails with [`Error::interrupted`] once the work was cancelled. Long loops call this every few milliseconds.
    pub fn check(&self) -> Result<()> {
        if self.cancel.load(Ordering::Relaxed) {
            NOTICED.store(true, Ordering::Relaxed);
            return Err(Error::interrupted());
        }
        Ok(())
    }

    /// The same context with a guard before every input.
    #[must_use]
    pub fn guarded(&self, guard: Guard) -> Self {
        Self { guard: Some(guard), ..self.clone() }
    }

    /// The same context for a program that runs beside others which shorten files in place: inputs are copied instead of mapped. It
    /// costs a copy of each file that is open.
    #[must_use]
    pub fn copying_inputs(&self) -> Self {
        Self { copies_inputs: true, ..self.clone() }
    }

    /// Whether inputs are copied into memory rather than mapped.
    pub fn copies_inputs(&self) -> bool {
        self.copies_inputs
    }

    /// Opens an input. Stages open what they read through this, so that it is the very file whose content was digested: a path may lead
    /// to another one meanwhile.
    ///
    /// # Errors
    /// When the file cannot be opened, and those of the guard.
    pub fn open(&self, path: &Path) -> Result<File> {
        let file = open_file(path).map_err(|error| Error::io("cannot open", path, error).help("name a file"))?;
        self.guard.as_ref().map_or(Ok(()), |guard| guard(path, &file))?;
        Ok(file)
    }

    /// The same context for a part of the work whose progress is already told of as a whole.
    #[must_use]
    pub fn without_progress(&self) -> Self {
        Self { progress: Arc::new(WarningsOnly(self.progress.clone())), ..self.clone() }
    }

    /// The same context for a look ahead at work that will say everything itself: neither progress nor warnings.
    #[must_use]
    pub fn silenced(&self) -> Self {
        Self { progress: Arc::new(Silent), ..self.clone() }
    }

    /// The same context for a stage of a net: progress names both.
    #[must_use]
    pub fn within(&self, net: &str, stage: &'static str) -> Self {
        Self { scope: Some(Arc::new(Scope { net: net.to_owned(), stage })), ..self.clone() }
    }

    /// Tells that the stage of this context begins, and that it is over when the value goes.
    pub fn running(&self) -> Running<'_> {
        self.progress.start(self.whole(), None, "");
        Running(self)
    }

    fn whole(&self) -> Task<'_> {
        Task { scope: self.scope.as_deref(), name: None }
    }

    /// Where progress is told.
    pub fn progress(&self) -> Tasks<'_> {
        Tasks { scope: self.scope.as_deref(), progress: &*self.progress }
    }

    /// Says what goes on.
    pub fn note(&self, message: impl AsRef<str>) {
        self.progress.note(message.as_ref());
    }

    /// Reports something that the user should know although the work goes on.
    pub fn warn(&self, message: impl AsRef<str>) {
        self.progress.warn(message.as_ref());
    }
}
