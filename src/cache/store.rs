//! The store: blobs by digest, records by key. Verified on reading; never the reason for a failure.
//!
//! Whatever goes wrong on the disk is a miss or a result that is not stored, with one warning. Blobs are written before the record
//! that names them; nothing is forced to the disk, as what a power cut tears is noticed on reading.

use std::{
    collections::{BTreeMap, HashMap},
    fs::{File, Metadata},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};

use super::{
    record::{ActionRecord, Key},
    sealed,
    stat_cache::StatCache,
};
use crate::{
    ctx::Ctx,
    error::{Error, Kind, Result},
    files::{
        self, Blake3, Bytes, Durability, HashingWriter, OwnPath, Signature, TempFile,
        digest::hex,
        lock::{self, Acquired, FileLock, Sharing, Waiting},
    },
};

/// Name of the bucket: changes with the layout of anything below it, so that no version misreads another's files.
const BUCKET: &str = "v1";

/// What <https://bford.info/cachedir/> asks for: tells backup programs to skip the folder.
const CACHEDIR_TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n\
    # This folder is a cache of `nnue`; it can be removed at any time.\n\
    # What the line above means: https://bford.info/cachedir/\n";

/// A last use is noted when the noted one is older than this.
const NOTE_USE_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// The most bytes that a record may have.
pub(super) const MAX_RECORD: u64 = 64 << 20;

/// What may be done to a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Read, store, evict.
    #[default]
    ReadWrite,
    /// Read only (`--frozen`): nothing in the folder changes.
    ReadOnly,
}

/// How to open a cache.
#[derive(Debug, Clone, Copy, Default)]
pub struct OpenOptions {
    /// What may be done to it.
    pub mode: Mode,
    /// How long to wait for other processes; `None`: as long as it takes.
    pub lock_timeout: Option<Duration>,
}

/// An open cache; holds a shared lock, which keeps `gc` out. Shared between threads.
pub struct Cache {
    layout: Layout,
    options: OpenOptions,
    ctx: Ctx,
    /// Falls to false at the first failure to store.
    storing: AtomicBool,
    /// Set by the first record that is there and cannot be read: the others would only say so again.
    unreadable: AtomicBool,
    hits: AtomicU64,
    misses: AtomicU64,
    /// The signatures under which records were read.
    read: Mutex<HashMap<Key, Signature>>,
    _lock: Option<FileLock>,
}

/// What became of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// BLAKE3 of its bytes.
    pub digest: Blake3,
    /// How many they are.
    pub bytes: u64,
    /// Whether the store has it now; false when storing failed or is not allowed.
    pub stored: bool,
}

/// The right to run an action, alone among all processes, until this is dropped.
#[derive(Debug)]
#[must_use = "the lock ends when this is dropped"]
pub struct ActionLock {
    _lock: Option<FileLock>,
}

/// Hits and misses of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Records found whole.
    pub hits: u64,
    /// Records not found, or found damaged.
    pub misses: u64,
}

/// What one manifest needs of the cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// The manifest; when it is gone, so is the need.
    pub manifest: PathBuf,
    /// The keys of each net's last build.
    pub nets: BTreeMap<String, Vec<Key>>,
}

impl Cache {
    /// Opens the cache in the folder `root`, making it where it is missing. Waits, with a message, while `gc` runs.
    ///
    /// A folder that cannot be written to or locked is used for reading alone, with a warning; one whose file system has no locks is used
    /// without them, with another.
    ///
    /// # Errors
    /// When waiting was interrupted or took longer than `options.lock_timeout`.
    pub fn open(root: impl Into<OwnPath>, options: OpenOptions, ctx: &Ctx) -> Result<Self> {
        let root = root.into();
        let layout = Layout::new(&root);
        let mut cache = Self {
            storing: AtomicBool::new(options.mode == Mode::ReadWrite),
            unreadable: AtomicBool::new(false),
            layout,
            options,
            ctx: ctx.clone(),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            read: Mutex::default(),
            _lock: None,
        };
        if options.mode == Mode::ReadWrite
            && let Err(error) = cache.layout.create()
        {
            cache.stop_storing(&error);
        }
        if options.mode == Mode::ReadOnly && !cache.layout.lock().is_file() {
            // Taking the lock would make its file.
            return Ok(cache);
        }
        match cache.layout.lock_shared(options.lock_timeout, ctx)? {
            Acquired::Held(lock) => cache._lock = Some(lock),
            // Everything is renamed into place and proven when it is read: without locks only a `gc` beside this build could do harm, and
            // without locks it does not run.
            Acquired::Unavailable(error) if lock::is_unsupported(&error) => {
                if cache.is_storing() {
                    ctx.warn(format!(
                        "the file system of the cache `{}` has no locks ({error}): run one `nnue` on it at a time, or name a folder on a local \
                         disk with NNUE_CACHE_DIR",
                        root.as_path().display()
                    ));
                }
            }
            Acquired::Unavailable(error) => cache.stop_storing(&Error::io("cannot lock", cache.layout.lock().as_path(), error)),
        }
        Ok(cache)
    }

    /// Whether results are stored: false in [`Mode::ReadOnly`] and after the first failure.
    pub fn is_storing(&self) -> bool {
        self.storing.load(Ordering::Relaxed)
    }

    /// Stores what `write` writes, and digests it in any case: a full disk only makes `stored` false.
    ///
    /// # Errors
    /// Only those of `write`; writing itself never fails.
    pub fn put_blob<T>(&self, write: impl FnOnce(&mut dyn Write) -> Result<T>) -> Result<(Stored, T)> {
        let mut out = HashingWriter::<_, Blake3>::new(BlobWriter { cache: self, temp: self.new_temp(&self.layout.cas()) });
        let value = write(&mut out)?;
        let (BlobWriter { temp, .. }, digest, bytes) = out.finish();
        let stored = temp.is_some_and(|temp| self.has_small_blob(digest, bytes) || self.publish(temp, &self.layout.blob(digest)));
        Ok((Stored { digest, bytes, stored }, value))
    }

    /// Whether there is a whole blob of this digest, which other results may rest on: replacing it by its like would be a change for them.
    /// A large one is not read for that.
    fn has_small_blob(&self, digest: Blake3, bytes: u64) -> bool {
        const SMALL: u64 = 1 << 20;
        let path = self.layout.blob(digest);
        let read = || -> io::Result<bool> {
            let (file, metadata) = path.open_file()?;
            if metadata.len() != bytes {
                return Ok(false);
            }
            let mut found = Vec::with_capacity(usize::try_from(bytes).unwrap_or(0));
            (&file).take(SMALL).read_to_end(&mut found)?;
            let is_whole = blake3_of(&found) == digest;
            if is_whole {
                self.note_use(&file, &metadata);
            }
            Ok(is_whole)
        };
        bytes <= SMALL && read().unwrap_or(false)
    }

    /// Stores `bytes`, digesting them on the threads of the current rayon pool.
    pub fn put_bytes(&self, bytes: &[u8]) -> Stored {
        let digest = blake3_of(bytes);
        let stored = self.new_temp(&self.layout.cas()).is_some_and(|temp| {
            let mut out = BlobWriter { cache: self, temp: Some(temp) };
            out.put(bytes);
            out.temp.is_some_and(|temp| self.publish(temp, &self.layout.blob(digest)))
        });
        Stored { digest, bytes: bytes.len() as u64, stored }
    }

    /// The blob of this digest, verified. A missing, damaged or unreadable one is `None` with a warning, and a damaged one is evicted.
    pub fn get_blob(&self, digest: Blake3) -> Option<Bytes> {
        let path = self.layout.blob(digest);
        let read = || -> io::Result<Bytes> {
            let (file, metadata) = path.open_file()?;
            self.note_use(&file, &metadata);
            Bytes::of_file(file, path.as_path())
        };
        match read() {
            Ok(blob) if blake3_of(&blob) == digest => Some(blob),
            Ok(_) => {
                self.evict(&path, "its contents do not have its digest");
                None
            }
            Err(error) => {
                self.ctx.warn(format!("cannot read `{}` from the cache; rebuilding it: {error}", path.display()));
                None
            }
        }
    }

    /// Whether there is a blob under this digest; does not read it.
    pub fn has_blob(&self, digest: Blake3) -> bool {
        self.layout.blob(digest).is_file()
    }

    /// Whether the blob of this digest is there and still has it. Asks `files` first, so that a blob which was verified before
    /// costs a look at its times only; a damaged one is evicted with a warning.
    pub fn verify_blob(&self, digest: Blake3, files: &StatCache) -> bool {
        if !self.has_blob(digest) {
            return false;
        }
        match files.blake3(self.layout.blob(digest).as_path()) {
            Ok(tracked) if tracked.digest == digest => true,
            // Nothing is known of it, and nobody waits for an answer.
            Err(error) if error.kind() == Kind::Interrupted => false,
            _ => self.get_blob(digest).is_some(),
        }
    }

    /// Stores a record under its key, after the blob that it names. Tells whether it is stored now.
    pub fn put_record(&self, record: &ActionRecord) -> bool {
        let bytes = match record.encode() {
            Ok(bytes) => bytes,
            Err(error) => {
                self.ctx.warn(error.to_string());
                return false;
            }
        };
        self.new_temp(&self.layout.actions()).is_some_and(|temp| {
            let mut out = BlobWriter { cache: self, temp: Some(temp) };
            out.put(&bytes);
            out.temp.is_some_and(|temp| self.publish(temp, &self.layout.record(record.key())))
        })
    }

    /// The record of this key, proven whole. A missing one is `None`; a damaged one too, with a warning, and it is evicted.
    pub fn get_record(&self, key: Key) -> Option<ActionRecord> {
        let record = self.find_record(key);
        let counter = if record.is_some() { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
        record
    }

    fn find_record(&self, key: Key) -> Option<ActionRecord> {
        let path = self.layout.record(key);
        let read = || -> io::Result<Vec<u8>> {
            let (file, metadata) = path.open_file()?;
            let mut bytes = Vec::with_capacity(usize::try_from(metadata.len().min(MAX_RECORD)).unwrap_or(0));
            (&file).take(MAX_RECORD).read_to_end(&mut bytes)?;
            self.read.lock().unwrap_or_else(PoisonError::into_inner).insert(key, Signature::of(&metadata));
            self.note_use(&file, &metadata);
            Ok(bytes)
        };
        match read() {
            Ok(bytes) => ActionRecord::decode(key, &bytes).map_err(|why| self.evict(&path, &why)).ok(),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => None,
            Err(error) => {
                if !self.unreadable.swap(true, Ordering::Relaxed) {
                    let path = path.display();
                    self.ctx.warn(format!("cannot read records such as `{path}` from the cache; running their stages again: {error}"));
                }
                None
            }
        }
    }

    /// Waits until no other process (and no other thread) runs the action of this key, then keeps others out. Look for the record
    /// again after this: the other one may have left it.
    ///
    /// The wait blocks the thread and is meant for one that holds no other action lock: a rayon worker that takes up a second action
    /// while it waits inside the first can deadlock two processes. There use [`Cache::try_lock_action`].
    ///
    /// A lock that cannot be had, or not in time, only means that work may be done twice: then this returns without it.
    ///
    /// # Errors
    /// When the wait was interrupted.
    pub fn lock_action(&self, key: Key) -> Result<ActionLock> {
        let Some(path) = self.action_lock_path(key) else { return Ok(ActionLock { _lock: None }) };
        let message = format!("waiting for another `nnue` to run the same action ({key:.12})");
        let waiting = Waiting { message: &message, timeout: self.options.lock_timeout };
        match lock::acquire(&path, Sharing::Exclusive, waiting, &self.ctx) {
            Ok(Acquired::Held(lock)) => Ok(ActionLock { _lock: Some(lock) }),
            Ok(Acquired::Unavailable(_)) => Ok(ActionLock { _lock: None }),
            Err(error) if error.kind() == Kind::Interrupted => Err(error),
            Err(error) => {
                self.ctx.warn(format!("{error}; running the action here too"));
                Ok(ActionLock { _lock: None })
            }
        }
    }

    /// As [`Cache::lock_action`] without waiting: `None` while somebody else runs the action.
    pub fn try_lock_action(&self, key: Key) -> Option<ActionLock> {
        let lock = self.action_lock_path(key).map_or(Ok(None), |path| match lock::try_acquire(&path, Sharing::Exclusive) {
            Ok(Some(lock)) => Ok(Some(lock)),
            Ok(None) => Err(()),
            Err(_) => Ok(None),
        });
        lock.ok().map(|lock| ActionLock { _lock: lock })
    }

    /// Notes what the last builds of `nets` by the manifest at `manifest` (an absolute path) used, so that `gc` keeps it, and forgets
    /// nets that are no longer in the manifest, by `exists`.
    pub fn note_root(&self, manifest: &Path, nets: &[(&str, Vec<Key>)], exists: impl Fn(&str) -> bool) {
        if !self.is_storing() || nets.is_empty() {
            return;
        }
        let path = self.layout.root(manifest);
        let noted = self.layout.roots().create_folder().and_then(|()| {
            let _lock = self.short_lock(&path.with_extension("lock"))?;
            let old = match try_read_sealed::<Root>(&path) {
                Ok(old) => Some(old),
                // What other nets need stands in it, too.
                Err(Unsealed::Unread(error)) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::io("cannot read", path.as_path(), error));
                }
                Err(_) => None,
            };
            let mut root = old.clone().unwrap_or_else(|| Root { manifest: manifest.to_owned(), nets: BTreeMap::new() });
            root.nets.retain(|net, _| exists(net));
            root.nets.extend(nets.iter().map(|(net, keys)| ((*net).to_owned(), keys.clone())));
            if old.as_ref() == Some(&root) { Ok(()) } else { write_sealed(&path, &root) }
        });
        if let Err(error) = noted {
            self.stop_storing(&error);
        }
    }

    /// Whether anything is noted of the manifest at `manifest` (an absolute path); does not read it.
    pub fn has_root(&self, manifest: &Path) -> bool {
        self.layout.root(manifest).is_file()
    }

    /// The signature under which the record of this key was last read.
    pub fn record_signature(&self, key: Key) -> Option<Signature> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied()
    }

    /// The signature under which `files` told of the blob of this digest.
    pub fn blob_signature(&self, digest: Blake3, files: &StatCache) -> Option<Signature> {
        files.stable_signature(self.layout.blob(digest).as_path())
    }

    /// Where that is noted.
    pub fn root_of(&self, manifest: &Path) -> OwnPath {
        self.layout.root(manifest)
    }

    /// Hits and misses since the cache was opened.
    pub fn usage(&self) -> Usage {
        Usage { hits: self.hits.load(Ordering::Relaxed), misses: self.misses.load(Ordering::Relaxed) }
    }

    /// Adds the hits and misses so far to the totals that `cache stats` shows, and starts counting again. Once, at the end of a build.
    pub fn save_usage(&self) {
        let now = Usage { hits: self.hits.swap(0, Ordering::Relaxed), misses: self.misses.swap(0, Ordering::Relaxed) };
        if !self.is_storing() || now == Usage::default() {
            return;
        }
        let path = self.layout.usage();
        // Totals that get lost are not worth a warning.
        let _ = self.short_lock(&path.with_extension("lock")).and_then(|_lock| {
            let old = read_sealed::<Usage>(&path).unwrap_or_default();
            write_sealed(&path, &Usage { hits: old.hits.saturating_add(now.hits), misses: old.misses.saturating_add(now.misses) })
        });
    }

    /// A lock around a read and a write of a small file.
    fn short_lock(&self, path: &OwnPath) -> Result<Acquired> {
        let message = "waiting for another process to write to the cache";
        lock::acquire(path, Sharing::Exclusive, Waiting { message, timeout: Some(Duration::from_secs(5)) }, &self.ctx)
    }

    fn action_lock_path(&self, key: Key) -> Option<OwnPath> {
        let path = self.layout.action_lock(key);
        (self.is_storing() && path.folder().create_folder().is_ok()).then_some(path)
    }

    fn new_temp(&self, folder: &OwnPath) -> Option<TempFile> {
        if !self.is_storing() {
            return None;
        }
        TempFile::read_only(folder).map_err(|error| self.stop_storing(&Error::io("cannot write in", folder.as_path(), error))).ok()
    }

    fn publish(&self, temp: TempFile, path: &OwnPath) -> bool {
        temp.rename(path).map_err(|error| self.stop_storing(&Error::io("cannot write", path.as_path(), error))).is_ok()
    }

    fn stop_storing(&self, error: &Error) {
        if self.storing.swap(false, Ordering::Relaxed) {
            let help = error.help_text().map_or(String::new(), |help| format!(" ({help})"));
            self.ctx.warn(format!("disabling cache writes for this run: {error}{help}"));
        }
    }

    fn evict(&self, path: &OwnPath, why: &str) {
        self.ctx.warn(format!("`{}` in the cache is corrupt; rebuilding it: {why}", path.display()));
        if self.options.mode == Mode::ReadWrite {
            // Where it cannot be removed, the next reading notices the damage again.
            let _ = path.remove();
        }
    }

    /// Moves the file's modification time, which `gc` takes for its last use.
    fn note_use(&self, file: &File, metadata: &Metadata) {
        if self.options.mode == Mode::ReadWrite && files::age(metadata) > NOTE_USE_AFTER {
            // Only the owner may; a use that goes unnoted at worst means that something is made again.
            let _ = file.set_modified(SystemTime::now());
        }
    }
}

/// Writes to the disk for as long as that works; afterwards to nowhere.
struct BlobWriter<'a> {
    cache: &'a Cache,
    temp: Option<TempFile>,
}

impl BlobWriter<'_> {
    fn put(&mut self, bytes: &[u8]) {
        if let Some(Err(error)) = self.temp.as_mut().map(|temp| temp.write_all(bytes)) {
            self.cache.stop_storing(&Error::io("cannot write in", self.cache.layout.bucket.as_path(), error));
            self.temp = None;
        }
    }
}

impl Write for BlobWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.put(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The digest of `bytes`, on the threads of the current rayon pool where they are many.
pub(super) fn blake3_of(bytes: &[u8]) -> Blake3 {
    /// Below this, threads cost more than they bring.
    const PARALLEL_FROM: usize = 128 << 10;
    let mut hasher = blake3::Hasher::new();
    if bytes.len() < PARALLEL_FROM {
        hasher.update(bytes)
    } else {
        hasher.update_rayon(bytes)
    };
    Blake3(hasher.finalize().into())
}

/// The body of a sealed file; `None` where it is missing or damaged.
pub(super) fn read_sealed<T: serde::de::DeserializeOwned>(path: &OwnPath) -> Option<T> {
    try_read_sealed(path).ok()
}

/// Why the body of a sealed file cannot be had.
#[derive(Debug)]
pub(super) enum Unsealed {
    /// It could not be read, and may be whole.
    Unread(io::Error),
    /// It was read and is not whole.
    Damaged(String),
}

/// The body of a sealed file, or why it cannot be had.
pub(super) fn try_read_sealed<T: serde::de::DeserializeOwned>(path: &OwnPath) -> Result<T, Unsealed> {
    let bytes = path.read(MAX_RECORD).map_err(Unsealed::Unread)?;
    sealed::unseal(&bytes).map_err(Unsealed::Damaged)
}

fn write_sealed<T: Serialize>(path: &OwnPath, body: &T) -> Result<()> {
    let bytes = sealed::seal(body).map_err(|error| Error::new(format!("cannot write `{}`", path.display())).because(error))?;
    path.write_bytes(Durability::Fast, &bytes)
}

/// Where everything is.
pub(super) struct Layout {
    pub(super) root: OwnPath,
    pub(super) bucket: OwnPath,
}

impl Layout {
    pub(super) fn new(root: &OwnPath) -> Self {
        Self { bucket: root.join(BUCKET), root: root.clone() }
    }

    fn create(&self) -> Result<()> {
        for folder in [self.cas(), self.actions()] {
            folder.create_folder()?;
        }
        let tag = self.root.join("CACHEDIR.TAG");
        if tag.is_file() { Ok(()) } else { tag.write_bytes(Durability::Fast, CACHEDIR_TAG.as_bytes()) }
    }

    pub(super) fn lock(&self) -> OwnPath {
        self.bucket.join("lock")
    }

    fn gate(&self) -> OwnPath {
        self.bucket.join("gate")
    }

    /// Keeps `gc` out.
    pub(super) fn lock_shared(&self, timeout: Option<Duration>, ctx: &Ctx) -> Result<Acquired> {
        let waiting = Waiting { message: "waiting for `nnue cache gc` to finish with the cache", timeout };
        // Held until the lock is: while `gc` waits it closes the gate now and then, or builds that overlap would keep it out for ever.
        let _gate = lock::acquire(&self.gate(), Sharing::Shared, waiting, ctx)?;
        lock::acquire(&self.lock(), Sharing::Shared, waiting, ctx)
    }

    /// Keeps everybody out.
    pub(super) fn lock_exclusive(&self, timeout: Option<Duration>, ctx: &Ctx) -> Result<Acquired> {
        let waiting = Waiting { message: "waiting for running builds to finish with the cache", timeout };
        lock::acquire_gated(&self.lock(), Some(&self.gate()), Sharing::Exclusive, waiting, ctx)
    }

    pub(super) fn cas(&self) -> OwnPath {
        self.bucket.join("cas")
    }

    pub(super) fn actions(&self) -> OwnPath {
        self.bucket.join("actions")
    }

    pub(super) fn locks(&self) -> OwnPath {
        self.bucket.join("locks")
    }

    pub(super) fn roots(&self) -> OwnPath {
        self.bucket.join("roots")
    }

    pub(super) fn usage(&self) -> OwnPath {
        self.bucket.join("usage.json")
    }

    pub(super) fn blob(&self, digest: Blake3) -> OwnPath {
        self.cas().join(blob_name(digest))
    }

    pub(super) fn record(&self, key: Key) -> OwnPath {
        self.actions().join(record_name(key))
    }

    fn action_lock(&self, key: Key) -> OwnPath {
        self.locks().join(sharded(&key.0, ".lock"))
    }

    fn root(&self, manifest: &Path) -> OwnPath {
        let name = blake3::hash(manifest.as_os_str().as_encoded_bytes());
        self.roots().join(format!("{}.json", name.to_hex()))
    }
}

/// A blob's path below the folder of blobs.
pub(super) fn blob_name(digest: Blake3) -> String {
    sharded(&digest.0, "")
}

/// A record's path below the folder of records.
pub(super) fn record_name(key: Key) -> String {
    sharded(&key.0, ".json")
}

/// `ab/cdef…`: 256 folders keep each of them small.
fn sharded(name: &[u8; 32], ending: &str) -> String {
    let mut digits = [0; 64];
    let (shard, rest) = hex(name, &mut digits).split_at(2);
    [shard, "/", rest, ending].concat()
}
