//! What a stage may know of the outside: cancellation, progress, warnings. Nothing of terminals, TOML or the cache.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use rustix::fs::OFlags;

use crate::error::{Error, Result};
pub use crate::words::Backend;

/// Receives progress and warnings of running stages. All methods may be called from any thread.
pub trait Progress: Send + Sync {
    /// A unit of work begins; `total` is its size in `unit`s where known.
    fn start(&self, task: &str, total: Option<u64>, unit: &'static str);
    /// `done` more units of `task` are finished.
    fn advance(&self, task: &str, done: u64);
    /// `task` is over.
    fn finish(&self, task: &str);
    /// Something the user should know although the work goes on.
    fn warn(&self, message: &str);
}

/// Swallows everything; for tests and library use.
pub struct Silent;

impl Progress for Silent {
    fn start(&self, _: &str, _: Option<u64>, _: &'static str) {}
    fn advance(&self, _: &str, _: u64) {}
    fn finish(&self, _: &str) {}
    fn warn(&self, _: &str) {}
}

/// Hands warnings on and nothing else.
struct WarningsOnly(Arc<dyn Progress>);

impl Progress for WarningsOnly {
    fn start(&self, _: &str, _: Option<u64>, _: &'static str) {}
    fn advance(&self, _: &str, _: u64) {}
    fn finish(&self, _: &str) {}
    fn warn(&self, message: &str) {
        self.0.warn(message);
    }
}

/// Opens a file of the user's for reading; links are followed. Pipes, sockets and devices are refused before they are opened: that alone
/// may wait for ever or have an effect. So are files of the kernel that have no size, of which some never end.
pub(crate) fn open_file(path: &Path) -> io::Result<File> {
    check_kind(&fs::metadata(path)?)?;
    let mut options = File::options();
    options.read(true);
    // Should the path lead to a pipe by now.
    options.custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32);
    let file = options.open(path)?;
    let metadata = file.metadata()?;
    check_kind(&metadata)?;
    if metadata.len() == 0 && is_of_the_kernel(&file) {
        return Err(io::Error::other("it is a file of the kernel, not one on a disk"));
    }
    Ok(file)
}

fn check_kind(metadata: &fs::Metadata) -> io::Result<()> {
    match metadata.file_type() {
        kind if kind.is_file() => Ok(()),
        kind if kind.is_dir() => Err(io::Error::other("it is a folder")),
        _ => Err(io::Error::other("it is not a regular file")),
    }
}

/// Whether a file lies below `/proc`, or where kernels show what they trace.
fn is_of_the_kernel(file: &File) -> bool {
    #[cfg(target_os = "linux")]
    {
        const PROC: i64 = 0x9fa0;
        const TRACE: i64 = 0x7472_6163;
        const DEBUG: i64 = 0x6462_6720;
        #[allow(clippy::useless_conversion, reason = "the type of the number differs from one processor to another")]
        rustix::fs::fstatfs(file).is_ok_and(|system| [PROC, TRACE, DEBUG].contains(&i64::from(system.f_type)))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = file;
        false
    }
}

/// Looks at a file that was just opened as an input, and may refuse it.
pub type Guard = Arc<dyn Fn(&Path, &File) -> Result<()> + Send + Sync>;

/// Handed to every stage. Cheap to clone.
#[derive(Clone)]
pub struct Ctx {
    cancel: Arc<AtomicBool>,
    progress: Arc<dyn Progress>,
    guard: Option<Guard>,
    copies_inputs: bool,
    /// The compute backend that was asked for.
    pub backend: Backend,
}

impl Ctx {
    /// A context that reports to `progress` and stops when `cancel` becomes true.
    pub fn new(cancel: Arc<AtomicBool>, progress: Arc<dyn Progress>, backend: Backend) -> Self {
        Self { cancel, progress, guard: None, copies_inputs: false, backend }
    }

    /// No progress, never cancelled, CPU.
    pub fn silent() -> Self {
        Self::new(Arc::new(AtomicBool::new(false)), Arc::new(Silent), Backend::Cpu)
    }

    /// Fails with [`Error::interrupted`] once the work was cancelled. Long loops call this every few milliseconds.
    pub fn check(&self) -> Result<()> {
        if self.cancel.load(Ordering::Relaxed) { Err(Error::interrupted()) } else { Ok(()) }
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

    /// The progress sink.
    pub fn progress(&self) -> &dyn Progress {
        &*self.progress
    }

    /// Reports something that the user should know although the work goes on.
    pub fn warn(&self, message: impl AsRef<str>) {
        self.progress.warn(message.as_ref());
    }
}
