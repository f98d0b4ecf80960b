//! File digests without reading the files: remembered by path and [`Signature`], under the rule for racily clean files.
//!
//! An entry is made only when every later edit must change the signature (see [`Signature::is_settled`]), so an entry that matches is
//! right. One file of `packed`: a list of path hashes (16 bytes), each with its entry.
//!
//! A corrupt file counts as empty, with a warning: files are hashed again.

use std::{
    collections::HashMap,
    fs, io,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::packed::{self, Packed, Unusable, packed_as_fields};
use crate::{
    ctx::Ctx,
    error::Result,
    files::{
        self, Blake3, Clock, Durability, FileDigests, OwnPath, Sha256, Signature, hash,
        lock::{self, Sharing, Waiting},
        signature::Timestamp,
    },
};

const KIND: packed::Kind = packed::Kind { magic: b"NNUESTAT", version: 2 };

/// More entries than this are not kept; the ones recorded first go.
const MAX_ENTRIES: usize = 100_000;

/// No file of so many entries is longer.
const MAX_BYTES: u64 = 64 << 20;

/// Whether remembered digests may stand for files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Trust {
    /// Yes, under the racy-timestamp rule.
    #[default]
    Settled,
    /// No: every file is read (`--paranoid`). What was found is remembered all the same.
    Nothing,
}

/// A file's digest, and what to compare to see that the file is still the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tracked<D> {
    /// The digest of the contents.
    pub digest: D,
    /// Bytes.
    pub len: u64,
    /// The file's signature where that may stand for the contents; `None` while the file is too young.
    pub signature: Option<Signature>,
}

/// The remembered digests of one workspace. Shared between threads.
pub struct StatCache {
    path: OwnPath,
    trust: Trust,
    /// False for runs that leave the workspace as it is.
    writes: bool,
    ctx: Ctx,
    entries: Mutex<Entries>,
    answers: Mutex<HashMap<PathHash, Answer>>,
    /// The last answer of the file system's clock, and when it was asked.
    asked: Mutex<Option<(Instant, Option<Clock>)>>,
}

#[derive(Default)]
struct Entries {
    known: HashMap<PathHash, Entry>,
    /// Those of `known` that the file does not have yet.
    new: HashMap<PathHash, Entry>,
}

type PathHash = [u8; 16];

/// What was told of a file in this run.
#[derive(Debug, Clone, Copy)]
struct Answer {
    /// The signature under which it was last told of; `None` once there were two.
    signature: Option<Signature>,
    /// How often it was read for that.
    readings: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    signature: Signature,
    recorded: Timestamp,
    blake3: Option<Blake3>,
    sha256: Option<Sha256>,
}

impl StatCache {
    /// Reads the file at `path`; a missing one is empty, a corrupt or unreadable one counts as empty, with a warning.
    pub fn load(path: impl Into<OwnPath>, trust: Trust, ctx: &Ctx) -> Self {
        let path = path.into();
        let known = read_entries(&path).unwrap_or_else(|why| {
            ctx.warn(format!("cannot use the stat cache `{}`; hashing files again: {why}", path.display()));
            HashMap::new()
        });
        let entries = Mutex::new(Entries { known, new: HashMap::new() });
        Self { path, trust, writes: true, ctx: ctx.clone(), entries, answers: Mutex::default(), asked: Mutex::new(None) }
    }

    /// Looks digests up without ever writing: for runs that must leave the workspace as it is.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.writes = false;
        self
    }

    /// BLAKE3 of the file at `path`, read only where it is not known.
    ///
    /// # Errors
    /// When the file cannot be read, is not a regular file, or keeps changing; when the work was interrupted.
    pub fn blake3(&self, path: &Path) -> Result<Tracked<Blake3>> {
        self.get(path, |entry| entry.blake3, hash::hash_blake3, |entry, digest| entry.blake3 = Some(digest))
    }

    /// SHA-256 of the file at `path`, read only where it is not known.
    ///
    /// # Errors
    /// As [`StatCache::blake3`].
    pub fn sha256(&self, path: &Path) -> Result<Tracked<Sha256>> {
        self.get(path, |entry| entry.sha256, hash::hash_sha256, |entry, digest| entry.sha256 = Some(digest))
    }

    /// Both digests of the file at `path`, in one reading where neither is known.
    ///
    /// # Errors
    /// As [`StatCache::blake3`].
    pub fn digests(&self, path: &Path) -> Result<FileDigests> {
        let both = self.get(
            path,
            |entry| entry.blake3.zip(entry.sha256),
            hash::hash_both,
            |entry, (blake3, sha256)| (entry.blake3, entry.sha256) = (Some(blake3), Some(sha256)),
        )?;
        Ok(FileDigests { blake3: both.digest.0, sha256: both.digest.1, len: both.len })
    }

    /// Writes what was learned since loading, merged with what other processes wrote meanwhile. Does nothing where nothing was
    /// learned; failure is a warning, as it costs only time.
    pub fn save(&self) {
        let mut entries = self.entries();
        if entries.new.is_empty() || !self.writes {
            return;
        }
        match self.merge_into_file(&entries.new) {
            Ok(()) => entries.new.clear(),
            Err(error) => self.ctx.warn(format!("cannot save file digests: {error}")),
        }
    }

    fn get<D>(
        &self,
        path: &Path,
        known: impl Fn(&Entry) -> Option<D>,
        hash: impl Fn(&Path, &Ctx) -> Result<(D, Signature)>,
        learn: impl Fn(&mut Entry, D),
    ) -> Result<Tracked<D>>
    where
        D: Copy,
    {
        let name = path_hash(path);
        if let Some(tracked) = self.look_up(path, &name, known) {
            if let Some(signature) = tracked.signature {
                self.note_answer(name, signature, 0);
            }
            return Ok(tracked);
        }
        // Before the file is read: any edit that the reading misses comes after this moment.
        let clock = self.clock(path);
        let (digest, signature) = hash(path, &self.ctx)?;
        self.note_answer(name, signature, 1);
        let settled = signature.is_settled(clock);
        if settled {
            let mut entries = self.entries();
            // What is known of the same contents stays: the other digest.
            let old = entries.known.get(&name).filter(|entry| entry.signature == signature && self.trust == Trust::Settled);
            let mut entry = old.copied().unwrap_or(Entry { signature, recorded: clock.at, blake3: None, sha256: None });
            learn(&mut entry, digest);
            entries.known.insert(name, entry);
            entries.new.insert(name, entry);
        }
        Ok(Tracked { digest, len: signature.len, signature: settled.then_some(signature) })
    }

    fn look_up<D>(&self, path: &Path, name: &PathHash, known: impl Fn(&Entry) -> Option<D>) -> Option<Tracked<D>> {
        if self.trust == Trust::Nothing {
            return None;
        }
        let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
        let signature = Signature::of(&metadata);
        let entry = *self.entries().known.get(name).filter(|entry| entry.signature == signature)?;
        Some(Tracked { digest: known(&entry)?, len: signature.len, signature: Some(signature) })
    }

    /// The signature under which all digests of the file at `path` were told; `None` where none was, or where it was another file, or in
    /// another state, from one time to the next.
    pub fn stable_signature(&self, path: &Path) -> Option<Signature> {
        self.answers().get(&path_hash(path))?.signature
    }

    /// How often the file at `path` was read to tell its digests.
    pub fn readings(&self, path: &Path) -> u32 {
        self.answers().get(&path_hash(path)).map_or(0, |answer| answer.readings)
    }

    fn note_answer(&self, name: PathHash, signature: Signature, readings: u32) {
        let mut answers = self.answers();
        let noted = answers.entry(name).or_insert(Answer { signature: Some(signature), readings: 0 });
        if noted.signature != Some(signature) {
            noted.signature = None;
        }
        noted.readings = noted.readings.saturating_add(readings);
    }

    fn answers(&self) -> MutexGuard<'_, HashMap<PathHash, Answer>> {
        // Every change is a single insertion or assignment.
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A moment not after now, by the clock of the file's own file system where the workspace is on it too; else by the system's.
    fn clock(&self, path: &Path) -> Clock {
        let system = Clock { at: Timestamp::now(), device: None };
        let device = fs::metadata(path).ok().map(|metadata| Signature::of(&metadata).device);
        self.workspace_clock().filter(|clock| clock.device == device).unwrap_or(system)
    }

    /// Asking costs a file, so an answer serves for a while: an old one only trusts less.
    fn workspace_clock(&self) -> Option<Clock> {
        const SERVES: Duration = Duration::from_millis(50);
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((when, clock)) = *asked
            && when.elapsed() < SERVES
        {
            return clock;
        }
        let when = Instant::now();
        // The first build finds no folder yet.
        let folder = self.path.folder();
        let clock = if self.writes && folder.create_folder().is_ok() { files::file_system_clock(&folder) } else { None };
        *asked = Some((when, clock));
        clock
    }

    fn merge_into_file(&self, new: &HashMap<PathHash, Entry>) -> Result<()> {
        self.path.folder().create_folder()?;
        let waiting = Waiting { message: "waiting for another process to write the stat cache", timeout: Some(Duration::from_secs(5)) };
        // Without the lock an entry of another process may get lost; it is learned again.
        let _lock = lock::acquire(&self.path.with_extension("lock"), Sharing::Exclusive, waiting, &self.ctx)?;
        let mut all = read_entries(&self.path).unwrap_or_default();
        all.extend(new);
        let mut all: Vec<_> = all.into_iter().collect();
        if all.len() > MAX_ENTRIES {
            all.sort_unstable_by_key(|(name, entry)| (std::cmp::Reverse(entry.recorded), *name));
            all.truncate(MAX_ENTRIES);
        }
        all.sort_unstable_by_key(|(name, _)| *name);
        self.path.write_bytes(Durability::Fast, &encode(&all))
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        // Every change of the maps is a single insertion, so a panic elsewhere leaves them whole.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn path_hash(path: &Path) -> PathHash {
    *blake3::hash(path.as_os_str().as_encoded_bytes()).as_bytes().first_chunk().expect("32 bytes begin with 16")
}

fn read_entries(path: &OwnPath) -> Result<HashMap<PathHash, Entry>, String> {
    match path.read(MAX_BYTES) {
        Ok(bytes) => match decode(&bytes) {
            // Another version of this program wrote it, or will rewrite it.
            Err(Unusable::OtherVersion) => Ok(HashMap::new()),
            other => other.map_err(|_| "it is corrupt".into()),
        },
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(HashMap::new()),
        Err(error) => Err(error.to_string()),
    }
}

packed_as_fields! {
    Entry { signature: Signature, recorded: Timestamp, blake3: Option<Blake3>, sha256: Option<Sha256> };
}

fn encode(entries: &[(PathHash, Entry)]) -> Vec<u8> {
    KIND.seal(|out| packed::pack_list(entries, out))
}

fn decode(file: &[u8]) -> Result<HashMap<PathHash, Entry>, Unusable> {
    let mut fields = KIND.unseal(file)?;
    let entries = packed::unpack_list(&mut fields)?;
    if fields.rest().is_empty() { Ok(entries) } else { Err(Unusable::Damaged) }
}

#[cfg(test)]
mod tests;
