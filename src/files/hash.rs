//! Digests of whole files, of contents that held still, in one reading.
//!
//! Files are read in blocks by the threads that hash them and not mapped: a source that somebody truncates meanwhile is an error
//! here and not a SIGBUS. Every reading looks at the cancel flag at each block, and tells of a large file how far it is.

use std::{
    cell::RefCell,
    fs::{self, File},
    io,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

use blake3::hazmat::{self, ChainingValue, HasherExt};

use super::{
    bytes::folder,
    digest::{Blake3, Sha256, StreamDigest},
    signature::Signature,
};
use crate::{
    ctx::{Ctx, open_file},
    error::{Error, Result},
    platform,
};

/// Bytes that one thread reads and hashes at a time: a power of two (BLAKE3's tree asks for it) that stays in a core's own cache.
const BLOCK: usize = 256 << 10;

/// Bytes that both digests take before the next are read: enough that handing them to other threads costs nothing beside the work.
const WINDOW: usize = 1 << 20;

/// From this size on a reading is worth a progress bar, bytes.
const LARGE: u64 = 64 << 20;

/// Bytes between two words on progress.
const STEP: u64 = 4 << 20;

/// How often a file may change under the reader before that is an error.
const ATTEMPTS: usize = 3;

/// Both digests of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileDigests {
    /// BLAKE3 of the contents.
    pub blake3: Blake3,
    /// SHA-256 of the contents.
    pub sha256: Sha256,
    /// Bytes.
    pub len: u64,
}

/// Both digests of the file at `path`, in one reading. SHA-256 is serial: about 1 s a gigabyte; see [`hash_file_blake3`].
///
/// # Errors
/// When the file cannot be read, is not a regular file, or keeps changing; when the work was interrupted.
pub fn hash_file(path: &Path, ctx: &Ctx) -> Result<FileDigests> {
    let ((blake3, sha256), signature) = hash_both(path, ctx)?;
    Ok(FileDigests { blake3, sha256, len: signature.len })
}

/// BLAKE3 of the file at `path` and its length, on the threads of the current rayon pool.
///
/// # Errors
/// As [`hash_file`].
pub fn hash_file_blake3(path: &Path, ctx: &Ctx) -> Result<(Blake3, u64)> {
    hash_blake3(path, ctx).map(|(digest, signature)| (digest, signature.len))
}

/// SHA-256 of the file at `path` and its length.
///
/// # Errors
/// As [`hash_file`].
pub fn hash_file_sha256(path: &Path, ctx: &Ctx) -> Result<(Sha256, u64)> {
    hash_sha256(path, ctx).map(|(digest, signature)| (digest, signature.len))
}

/// SHA-256 of bytes that may be those of a large file, named `shown` in progress.
///
/// # Errors
/// When the work was interrupted.
pub fn hash_bytes_sha256(bytes: &[u8], shown: &str, ctx: &Ctx) -> Result<Sha256> {
    let meter = Meter::new(shown, bytes.len() as u64, ctx);
    let mut state = <Sha256 as StreamDigest>::State::default();
    for block in bytes.chunks(BLOCK) {
        ctx.check()?;
        Sha256::update(&mut state, block);
        meter.advance(block.len() as u64);
    }
    Ok(Sha256::finish(state))
}

/// SHA-256 of a file that is open, `len` bytes long and named `shown` in progress.
///
/// # Errors
/// When it cannot be read to its end, or the work was interrupted.
pub(crate) fn hash_opened_sha256(file: &File, len: u64, shown: &Path, ctx: &Ctx) -> Result<Sha256> {
    let name = shown.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    sha256_of(&Reading { file, len, ctx, meter: Meter::new(&name, len, ctx) }).map_err(|stop| match stop {
        Stop::Interrupted => Error::interrupted(),
        Stop::Io(error) => Error::io("cannot read", shown, error),
    })
}

pub(crate) fn hash_both(path: &Path, ctx: &Ctx) -> Result<((Blake3, Sha256), Signature)> {
    // Into the pool once, not for each window.
    hash_stable(path, ctx, |reading| rayon::scope(|_| both_of(reading)))
}

pub(crate) fn hash_blake3(path: &Path, ctx: &Ctx) -> Result<(Blake3, Signature)> {
    hash_stable(path, ctx, blake3_of)
}

pub(crate) fn hash_sha256(path: &Path, ctx: &Ctx) -> Result<(Sha256, Signature)> {
    hash_stable(path, ctx, sha256_of)
}

/// Hashes until the file's signature is the same before and after.
fn hash_stable<D>(path: &Path, ctx: &Ctx, hash: impl Fn(&Reading<'_>) -> Result<D, Stop>) -> Result<(D, Signature)> {
    let failed = |error| Error::io("cannot read", path, error);
    for _ in 0..ATTEMPTS {
        ctx.check()?;
        // Asked before opening: opening a named pipe would wait for somebody to write to it.
        let before = fs::metadata(path).map_err(failed)?;
        if !before.is_file() {
            let (what, help) = if before.is_dir() { folder(path) } else { ("not a regular file", "name a file") };
            return Err(Error::new(format!("cannot read `{}`", path.display())).because(format!("it is {what}")).help(help));
        }
        let before = Signature::of(&before);
        let file = open_file(path).map_err(failed)?;
        if Signature::of(&file.metadata().map_err(failed)?) != before {
            continue;
        }
        let shown = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        let reading = Reading { file: &file, len: before.len, ctx, meter: Meter::new(&shown, before.len, ctx) };
        let digest = match hash(&reading) {
            Ok(digest) => digest,
            Err(Stop::Interrupted) => return Err(Error::interrupted()),
            Err(Stop::Io(error)) if error.kind() == io::ErrorKind::UnexpectedEof => continue,
            Err(Stop::Io(error)) => return Err(failed(error)),
        };
        if Signature::of(&fs::metadata(path).map_err(failed)?) == before {
            return Ok((digest, before));
        }
    }
    Err(Error::new(format!("`{}` changes while it is read", path.display()))
        .because(format!("its size or times were different after each of {ATTEMPTS} attempts"))
        .help("wait until whatever writes it is done"))
}

/// Why a reading ended early.
#[derive(Debug)]
enum Stop {
    Interrupted,
    Io(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// One reading of a file from its beginning to its end.
struct Reading<'a> {
    file: &'a File,
    len: u64,
    ctx: &'a Ctx,
    meter: Meter<'a>,
}

impl Reading<'_> {
    /// Fills `block` with the bytes at `offset`.
    fn read(&self, offset: u64, block: &mut [u8]) -> Result<(), Stop> {
        self.ctx.check().map_err(|_| Stop::Interrupted)?;
        platform::read_exact_at(self.file, block, offset)?;
        self.meter.advance(block.len() as u64);
        Ok(())
    }

    /// Calls `then` with `len` ≤ [`BLOCK`] bytes at `offset`, read into a buffer that the thread keeps.
    fn with_block<T>(&self, offset: u64, len: u64, then: impl FnOnce(&[u8]) -> T) -> Result<T, Stop> {
        thread_local!(static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; BLOCK]));
        BUFFER.with_borrow_mut(|buffer| {
            let len = usize::try_from(len).unwrap_or(usize::MAX);
            let block = buffer.get_mut(..len).ok_or_else(|| io::Error::other("a block is larger than its buffer"))?;
            self.read(offset, block)?;
            Ok(then(block))
        })
    }
}

/// Tells how far the reading of a large file is.
struct Meter<'a> {
    /// `None` for files that are read in no time.
    task: Option<String>,
    done: AtomicU64,
    ctx: &'a Ctx,
}

impl<'a> Meter<'a> {
    fn new(shown: &str, len: u64, ctx: &'a Ctx) -> Self {
        let task = (len >= LARGE).then(|| format!("hash {shown}"));
        if let Some(task) = &task {
            ctx.progress().start(task, Some(len), "bytes");
        }
        Self { task, done: AtomicU64::new(0), ctx }
    }

    fn advance(&self, bytes: u64) {
        let Some(task) = &self.task else { return };
        let before = self.done.fetch_add(bytes, Ordering::Relaxed);
        let steps = (before + bytes) / STEP - before / STEP;
        if steps > 0 {
            self.ctx.progress().advance(task, steps * STEP);
        }
    }
}

impl Drop for Meter<'_> {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            self.ctx.progress().advance(task, self.done.load(Ordering::Relaxed) % STEP);
            self.ctx.progress().finish(task);
        }
    }
}

/// Both digests take each window while the next one is read: three threads where they are free, one after the other where not.
fn both_of(reading: &Reading<'_>) -> Result<(Blake3, Sha256), Stop> {
    let (mut blake3, mut sha256) = (<Blake3 as StreamDigest>::State::default(), <Sha256 as StreamDigest>::State::default());
    let window = |at: u64| usize::try_from((reading.len - at).min(WINDOW as u64)).unwrap_or(WINDOW);
    let (mut now, mut next) = (vec![0; window(0)], Vec::new());
    reading.read(0, &mut now)?;
    let mut at = now.len() as u64;
    while !now.is_empty() {
        next.resize(window(at), 0);
        let tree = |blake3: &mut blake3::Hasher| {
            blake3.update_rayon(&now);
        };
        let take = || rayon::join(|| Sha256::update(&mut sha256, &now), || tree(&mut blake3));
        let (read, _) = rayon::join(|| reading.read(at, &mut next), take);
        read?;
        at += next.len() as u64;
        std::mem::swap(&mut now, &mut next);
    }
    Ok((Blake3::finish(blake3), Sha256::finish(sha256)))
}

fn blake3_of(reading: &Reading<'_>) -> Result<Blake3, Stop> {
    let len = reading.len;
    if len <= BLOCK as u64 {
        return reading.with_block(0, len, Blake3::of);
    }
    let split = hazmat::left_subtree_len(len);
    let (left, right) = rayon::join(|| subtree(reading, 0, split), || subtree(reading, split, len - split));
    Ok(Blake3(hazmat::merge_subtrees_root(&left?, &right?, hazmat::Mode::Hash).into()))
}

/// The chaining value of the `len` bytes at `offset`, which are a proper subtree of the file's hash tree.
fn subtree(reading: &Reading<'_>, offset: u64, len: u64) -> Result<ChainingValue, Stop> {
    if len <= BLOCK as u64 {
        return reading.with_block(offset, len, |block| blake3::Hasher::new().set_input_offset(offset).update(block).finalize_non_root());
    }
    let split = hazmat::left_subtree_len(len);
    let (left, right) = rayon::join(|| subtree(reading, offset, split), || subtree(reading, offset + split, len - split));
    Ok(hazmat::merge_subtrees_non_root(&left?, &right?, hazmat::Mode::Hash))
}

fn sha256_of(reading: &Reading<'_>) -> Result<Sha256, Stop> {
    let mut state = <Sha256 as StreamDigest>::State::default();
    let mut at = 0;
    while at < reading.len {
        let take = (reading.len - at).min(BLOCK as u64);
        reading.with_block(at, take, |block| Sha256::update(&mut state, block))?;
        at += take;
    }
    Ok(Sha256::finish(state))
}

#[cfg(test)]
mod tests;
