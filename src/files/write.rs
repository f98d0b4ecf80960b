//! The only module that writes files that stay: atomic replacement, leftovers, folders, lock files.
//!
//! A file appears under its real name whole or not at all: it is written under a temporary name in the same folder and renamed.
//! The temporary file is locked while its writer lives, so that a sweep tells the leftovers of a killed process from work in progress.
//! Knows nothing of what is written.

use std::{
    ffi::OsStr,
    fs::{self, File, Metadata},
    io::{self, BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, SystemTime},
};

use tempfile::NamedTempFile;

use super::lost;
use super::own::{OwnPath, OwnTemp};
use super::paths::folder_of;
use super::signature::{Clock, Signature};
use crate::error::{Error, Result};
use crate::platform::{self, NewFile};

/// How the names of temporary files begin.
pub const TEMP_PREFIX: &str = ".nnue-tmp-";

/// Bytes gathered before a system call.
const BUFFER: usize = 256 << 10;

/// What must survive a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// File and folder are forced to the disk: outputs, `nnue.lock`.
    #[default]
    Durable,
    /// Nothing is forced: for files that are verified whenever they are read, so that a lost one is only a miss.
    Fast,
}

/// Replaces the file at `path` by what `write` writes; an error, a panic or a kill leaves the old file as it was.
///
/// A new file gets the permissions that the umask leaves of `rw-rw-rw-`; a replaced one keeps its own. A symbolic link is followed:
/// the file it names is replaced and the link stays.
///
/// # Errors
/// Those of `write`; any failed file operation (one that happened inside `write` is reported with `path`, whatever `write` made of
/// it); a `path` that is a folder, a device or a dangling link.
pub fn write_atomic<T>(path: &Path, durability: Durability, write: impl FnOnce(&mut dyn Write) -> Result<T>) -> Result<T> {
    let (file, value) = Complete::write(path, write)?;
    name_all(vec![file], durability)?;
    Ok(value)
}

/// As [`write_atomic`], but a file that has exactly these bytes already is left untouched, times included. Tells whether it wrote.
///
/// # Errors
/// As [`write_atomic`].
pub fn write_if_different<T>(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<T>) -> Result<(T, bool)> {
    let (file, value) = Complete::write(path, write)?;
    let wrote = file.publish()?;
    Ok((value, wrote))
}

/// What [`write_atomic_named`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named<T> {
    /// The result of the writer.
    pub value: T,
    /// Where the file is.
    pub path: PathBuf,
    /// False where a file of that name had these very bytes already.
    pub wrote: bool,
}

/// As [`write_if_different`] for a file in `folder` whose name is known only after it was written: `nn-<sha12>.nnue`.
/// Nobody typed that name, so a link that has it is itself replaced.
///
/// # Errors
/// As [`write_atomic`]; a name that is not one plain path component.
pub fn write_atomic_named<T>(
    folder: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<T>,
    name_from: impl FnOnce(&T) -> String,
) -> Result<Named<T>> {
    let (file, value) = Complete::write_named(folder, write, name_from)?;
    let path = file.target.path.clone();
    let wrote = file.publish()?;
    Ok(Named { value, path, wrote })
}

/// A complete file that has no name yet. Dropped, it is gone.
pub struct Complete {
    temp: NamedTempFile,
    target: Target,
}

impl Complete {
    /// A file for `path`; a link there is followed, as by [`write_atomic`].
    ///
    /// # Errors
    /// As [`write_atomic`].
    pub fn write<T>(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<T>) -> Result<(Self, T)> {
        let target = Target::resolve(path)?;
        let (temp, value) = write_temp(target.folder(), path, write)?;
        Ok((Self { temp, target }, value))
    }

    /// A file for `folder`, under a name that its writer's result decides; a link that has it is itself replaced.
    ///
    /// # Errors
    /// As [`write_atomic`]; a name that is not one plain path component.
    pub fn write_named<T>(
        folder: &Path,
        write: impl FnOnce(&mut dyn Write) -> Result<T>,
        name_from: impl FnOnce(&T) -> String,
    ) -> Result<(Self, T)> {
        let (temp, value) = write_temp(folder, folder, write)?;
        let name = name_from(&value);
        if Path::new(&name).file_name() != Some(OsStr::new(&name)) {
            return Err(Error::new(format!("`{}` cannot be the name of a file in `{}`", name.escape_debug(), folder.display())));
        }
        Ok((Self { temp, target: Target::itself(&folder.join(name))? }, value))
    }

    /// Where its bytes are for now.
    pub fn path(&self) -> &Path {
        self.temp.path()
    }

    /// Gives it its name, file and folder forced to the disk. False where a file of that name had these very bytes already: that one is
    /// left untouched, times included.
    ///
    /// # Errors
    /// When a file operation fails.
    pub fn publish(self) -> Result<bool> {
        Ok(publish_all(vec![self])? == 1)
    }
}

/// Gives complete files their names: all are forced to the disk first, then each gets its name, then their folders are forced, each
/// once. Files whose names had these very bytes already are left untouched, times included. Returns how many were written.
///
/// # Errors
/// When a file operation fails: files before that one may have their names.
pub fn publish_all(files: Vec<Complete>) -> Result<usize> {
    let mut changed = Vec::with_capacity(files.len());
    for file in files {
        if !file.target.has_bytes_of(&file.temp)? {
            changed.push(file);
        }
    }
    let count = changed.len();
    name_all(changed, Durability::Durable)?;
    Ok(count)
}

/// Gives complete files their names; where that is asked for, files are forced to the disk before and folders behind.
fn name_all(mut files: Vec<Complete>, durability: Durability) -> Result<()> {
    for Complete { temp, target } in &files {
        target.prepare(temp.as_file(), durability)?;
    }
    for Complete { temp, target } in &mut files {
        rename(temp, &target.path).map_err(|error| target.failed(error))?;
    }
    if durability == Durability::Durable {
        let mut synced: Vec<&Path> = Vec::with_capacity(files.len());
        for Complete { target, .. } in &files {
            if !synced.contains(&target.folder()) {
                platform::sync_folder(target.folder()).map_err(|error| target.failed(error))?;
                synced.push(target.folder());
            }
        }
    }
    Ok(())
}

/// Lets those run a file who may read it.
///
/// # Errors
/// When its permissions cannot be changed.
pub fn make_runnable(path: &Path) -> Result<()> {
    platform::make_runnable(path).map_err(|error| Error::io("cannot make it a program:", path, error))
}

/// Whether anybody may run the file.
pub fn is_runnable(path: &Path) -> bool {
    platform::is_runnable(path)
}

/// Makes a folder and those above it, where they are missing.
///
/// # Errors
/// When that fails, naming `path`.
pub fn create_dir_all(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|error| {
        let in_the_way = matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory);
        let error = Error::io("cannot create the folder", path, error);
        if in_the_way {
            error.help("what has that name, or that of a folder above it, is not a usable folder: move it away")
        } else {
            error
        }
    })
}

/// Removes a file and tells whether there was one.
///
/// # Errors
/// When it is there and cannot be removed.
pub fn remove_file(path: &Path) -> Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::io("cannot remove", path, error)),
    }
}

/// Removes temporary files in `folder` (not below it) that a killed process left: those older than `grace` that no living writer
/// holds. Returns how many. `grace` should be a second at least: a writer needs a moment to lock the file it made.
///
/// # Errors
/// When the folder exists and cannot be read.
pub fn sweep_temp(folder: &Path, grace: Duration) -> Result<usize> {
    sweep_own(&OwnPath::new(folder, ""), grace)
}

/// As [`sweep_temp`] in a folder of the program's own.
///
/// # Errors
/// As [`sweep_temp`].
pub(crate) fn sweep_own(folder: &OwnPath, grace: Duration) -> Result<usize> {
    let path = super::named(folder.as_path());
    let entries = match folder.open_folder().and_then(|_held| fs::read_dir(path)) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(0),
        Err(error) => return Err(Error::io("cannot read the folder", path, error)),
    };
    let mut removed = 0;
    for entry in entries.flatten() {
        if entry.file_name().as_encoded_bytes().starts_with(TEMP_PREFIX.as_bytes()) {
            let temp = folder.join(entry.file_name());
            removed += usize::from(is_abandoned(&temp, grace) && temp.remove().is_ok());
        }
    }
    Ok(removed)
}

fn is_abandoned(path: &OwnPath, grace: Duration) -> bool {
    let Ok(metadata) = path.metadata() else { return false };
    // Where locks do not work, age alone decides.
    age(&metadata) >= grace && path.has_no_writer()
}

/// How long ago a file was written; zero for times in the future.
pub(crate) fn age(metadata: &Metadata) -> Duration {
    metadata.modified().ok().and_then(|modified| SystemTime::now().duration_since(modified).ok()).unwrap_or_default()
}

/// What time it is for the file system of `folder`, by the time it gives a new file; `None` where no file can be made there.
pub(crate) fn file_system_clock(folder: &OwnPath) -> Option<Clock> {
    let signature = Signature::of(&OwnTemp::new(folder, NewFile::Usual).ok()?.file.as_file().metadata().ok()?);
    Some(Clock { at: signature.mtime, device: Some(signature.device) })
}

/// A blob on its way into the store: unlike the functions above it leaves it to the caller what a failure means.
pub(crate) struct TempFile {
    out: BufWriter<File>,
    temp: OwnTemp,
}

impl TempFile {
    /// A new file in `folder` that nobody may write to once it is closed.
    pub(crate) fn read_only(folder: &OwnPath) -> io::Result<Self> {
        let temp = OwnTemp::new(folder, NewFile::ReadOnly)?;
        Ok(Self { out: BufWriter::with_capacity(BUFFER, temp.file.as_file().try_clone()?), temp })
    }

    /// Gives the file its real name, making the folder where that is missing; forces nothing to the disk.
    pub(crate) fn rename(mut self, path: &OwnPath) -> io::Result<()> {
        self.out.flush()?;
        lost::check().map_err(|error| io::Error::other(error.to_string()))?;
        match self.temp.rename(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                path.folder().create()?;
                self.temp.rename(path)
            }
            other => other,
        }
    }
}

impl Write for TempFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// [`OwnPath::write`].
pub(super) fn write_own<T>(path: &OwnPath, durability: Durability, write: impl FnOnce(&mut dyn Write) -> Result<T>) -> Result<T> {
    let shown = path.as_path();
    let failed = |error| Error::io("cannot write", shown, error);
    let folder = path.folder();
    let target = Target::itself(shown)?;
    let temp = OwnTemp::new(&folder, NewFile::Usual).map_err(|error| Error::io("cannot create a temporary file for", shown, error))?;
    let (mut temp, value) = write_into(temp, |temp| temp.file.as_file(), shown, write)?;
    target.prepare(temp.file.as_file(), durability)?;
    temp.rename(path).map_err(failed)?;
    if durability == Durability::Durable {
        platform::sync_folder(super::named(folder.as_path())).map_err(failed)?;
    }
    Ok(value)
}

/// A place that a regular file can take: devices and folders refused.
struct Target {
    /// As the caller named it, for messages.
    shown: PathBuf,
    path: PathBuf,
    old: Option<Metadata>,
}

impl Target {
    /// The place that a path leads to, links followed.
    fn resolve(shown: &Path) -> Result<Self> {
        let failed = |error| Error::io("cannot write", shown, error);
        let mut path = shown.to_owned();
        let old = match fs::symlink_metadata(shown) {
            Ok(metadata) if metadata.is_symlink() => {
                path = fs::canonicalize(shown).map_err(|error| failed(error).help("the symbolic link leads nowhere: remove it"))?;
                Some(fs::metadata(&path).map_err(failed)?)
            }
            Ok(metadata) => Some(metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(error)),
        };
        Self::checked(shown, path, old)
    }

    /// The place of the path itself. A link there does not count as an old file: it is replaced, whatever it leads to.
    fn itself(shown: &Path) -> Result<Self> {
        let old = match fs::symlink_metadata(shown) {
            Ok(metadata) => Some(metadata).filter(|metadata| !metadata.is_symlink()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(Error::io("cannot write", shown, error)),
        };
        Self::checked(shown, shown.to_owned(), old)
    }

    fn checked(shown: &Path, path: PathBuf, old: Option<Metadata>) -> Result<Self> {
        // Renaming onto `/dev/null` would replace the device by a file.
        match &old {
            Some(old) if !old.is_file() => {
                let what = if old.is_dir() { "it is a folder" } else { "it is not a regular file" };
                Err(Error::new(format!("cannot write `{}`", shown.display())).because(what).help("move it away, or name another file"))
            }
            _ => Ok(Self { shown: shown.to_owned(), path, old }),
        }
    }

    fn folder(&self) -> &Path {
        folder_of(&self.path)
    }

    fn failed(&self, error: io::Error) -> Error {
        Error::io("cannot write", &self.shown, error)
    }

    /// Gives a complete file the permissions of the old one, and forces it to the disk where that is asked for.
    fn prepare(&self, file: &File, durability: Durability) -> Result<()> {
        if let Some(old) = &self.old {
            platform::keep_permissions(file, old).map_err(|error| self.failed(error))?;
        }
        if durability == Durability::Durable {
            file.sync_all().map_err(|error| self.failed(error))?;
        }
        Ok(())
    }

    /// Whether the old file has exactly these bytes.
    fn has_bytes_of(&self, temp: &NamedTempFile) -> Result<bool> {
        let Some(old) = &self.old else { return Ok(false) };
        let new_len = temp.as_file().metadata().map_err(|error| self.failed(error))?.len();
        // An old file that cannot be read is simply replaced.
        Ok(old.len() == new_len && same_bytes(temp.path(), &self.path).unwrap_or(false))
    }
}

/// Writes a complete temporary file in `folder`; `shown` is what messages name.
fn write_temp<T>(folder: &Path, shown: &Path, write: impl FnOnce(&mut dyn Write) -> Result<T>) -> Result<(NamedTempFile, T)> {
    let temp = make_temp(folder, |path| platform::create_new(path, NewFile::Usual))
        .map_err(|error| Error::io("cannot create a temporary file for", shown, error))?;
    write_into(temp, NamedTempFile::as_file, shown, write)
}

/// Fills a temporary file; `shown` is what messages name.
fn write_into<F, T>(temp: F, file: impl Fn(&F) -> &File, shown: &Path, write: impl FnOnce(&mut dyn Write) -> Result<T>) -> Result<(F, T)> {
    let mut out = BufWriter::with_capacity(BUFFER, Watched { file: file(&temp), failure: None });
    let value = write(&mut out);
    let flushed = if value.is_ok() { out.flush() } else { Ok(()) };
    let failure = out.into_parts().0.failure.or(flushed.err());
    match failure {
        Some(error) => Err(Error::io("cannot write", shown, error)),
        // What was made of bytes that were no more gets no name.
        None => value.and_then(|value| lost::check().map(|()| (temp, value))),
    }
}

/// Remembers the first failure, so that it is reported with its cause and path however the code above wraps it.
struct Watched<'a> {
    file: &'a File,
    failure: Option<io::Error>,
}

impl Write for Watched<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes).inspect_err(|error| {
            if error.kind() != io::ErrorKind::Interrupted && self.failure.is_none() {
                self.failure = Some(match error.raw_os_error() {
                    Some(code) => io::Error::from_raw_os_error(code),
                    None => io::Error::from(error.kind()),
                });
            }
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A temporary file in `folder`, which `open` makes by its path.
pub(super) fn make_temp(folder: &Path, open: impl Fn(&Path) -> io::Result<File>) -> io::Result<NamedTempFile> {
    // `tempfile` wraps errors in a kind and a made-up name; callers name the file that it is about, and look at the number.
    let mut failed = None;
    let noting = |path: &Path| {
        let made = Making::begin();
        let opened = open(path);
        made.end(opened.is_ok().then_some(path));
        opened.inspect_err(|error| failed = error.raw_os_error())
    };
    let temp = tempfile::Builder::new().prefix(TEMP_PREFIX).make_in(folder, noting);
    let temp = temp.map_err(|error| failed.map_or(error, io::Error::from_raw_os_error))?;
    platform::has_writer(temp.as_file());
    Ok(temp)
}

/// What must not outlive the process.
static UNFINISHED: Mutex<Unfinished> = Mutex::new(Unfinished { made: Vec::new(), in_the_making: 0, is_over: false });

struct Unfinished {
    /// Temporary files and folders. Those that were renamed or removed since are forgotten now and then: nothing has their names again.
    made: Vec<PathBuf>,
    /// How many are being made: a disk may take its time over one, or not answer at all, and nothing waits for that with the lock.
    in_the_making: usize,
    /// The process ends, and no thread makes any more.
    is_over: bool,
}

impl Unfinished {
    fn note(&mut self, path: &Path) {
        const FEW: usize = 64;
        if self.made.len() >= FEW && self.made.len().is_power_of_two() {
            self.made.retain(|path| fs::symlink_metadata(path).is_ok());
        }
        self.made.push(path.to_owned());
    }
}

fn unfinished() -> MutexGuard<'static, Unfinished> {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notes a file or folder that must not outlive the process.
pub(crate) fn note_unfinished(path: &Path) {
    unfinished().note(path);
}

/// A temporary file that is being made.
struct Making;

impl Making {
    /// Does not return in a process that ends.
    fn begin() -> Self {
        let mut unfinished = unfinished();
        while unfinished.is_over {
            drop(unfinished);
            thread::park();
            unfinished = self::unfinished();
        }
        unfinished.in_the_making += 1;
        Self
    }

    /// The path is that of the file, where there is one now.
    fn end(self, path: Option<&Path>) {
        let mut unfinished = unfinished();
        unfinished.in_the_making -= 1;
        match path {
            Some(path) if unfinished.is_over => drop(fs::remove_file(path)),
            Some(path) => unfinished.note(path),
            None => {}
        }
    }
}

/// Removes all temporary files of this process, for one that ends without dropping its values: from now on no thread makes any.
#[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "a library's process is not its own"))]
pub(crate) fn remove_unfinished() {
    /// How often, and how many milliseconds apart, a thread is waited for that makes a file: its disk may not answer.
    const TRIES: u32 = 50;
    const APART_MS: u64 = 2;
    unfinished().is_over = true;
    for path in std::mem::take(&mut unfinished().made) {
        // Of a folder all: it is one that the process made.
        let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path));
    }
    for _ in 0..TRIES {
        if unfinished().in_the_making == 0 {
            return;
        }
        thread::sleep(Duration::from_millis(APART_MS));
    }
}

/// Gives a temporary file its real name. Where that fails it is removed when it is dropped, as if nothing had been tried.
///
/// Not `persist`: that one makes its system call past the C library, where `tests/builds/faults.rs` cannot let it fail.
fn rename(temp: &mut NamedTempFile, path: &Path) -> io::Result<()> {
    platform::rename(temp.path(), path)?;
    temp.disable_cleanup(true);
    Ok(())
}

fn same_bytes(a: &Path, b: &Path) -> io::Result<bool> {
    let (mut a, mut b) = (BufReader::with_capacity(BUFFER, File::open(a)?), BufReader::with_capacity(BUFFER, File::open(b)?));
    let (mut left, mut right) = (vec![0; BUFFER], vec![0; BUFFER]);
    loop {
        let (n, m) = (fill(&mut a, &mut left)?, fill(&mut b, &mut right)?);
        if left.get(..n) != right.get(..m) {
            return Ok(false);
        }
        if n == 0 {
            return Ok(true);
        }
    }
}

/// Reads until `buffer` is full or the file ends.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match from.read(rest) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests;
