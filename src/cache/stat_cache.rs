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
mod tests {
    use std::{
        io::{Seek, SeekFrom, Write},
        path::PathBuf,
        thread,
        time::SystemTime,
    };

    use super::*;
    use crate::files::testing::{Listener, flip_bit};

    struct Setup {
        folder: tempfile::TempDir,
        listener: Listener,
    }

    impl Setup {
        fn new() -> Self {
            Self { folder: tempfile::tempdir().unwrap(), listener: Listener::new() }
        }
        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }
        fn store(&self) -> PathBuf {
            self.path("state/stat-cache")
        }
        fn load(&self, trust: Trust) -> StatCache {
            StatCache::load(&self.store(), trust, &self.listener.ctx())
        }
        /// Edits in place, inode and size stay.
        fn edit(&self, name: &str, bytes: &[u8]) {
            let mut file = fs::File::options().write(true).create(true).truncate(false).open(self.path(name)).unwrap();
            file.seek(SeekFrom::Start(0)).unwrap();
            file.write_all(bytes).unwrap();
        }
        fn set_mtime(&self, name: &str, time: SystemTime) {
            fs::File::open(self.path(name)).unwrap().set_modified(time).unwrap();
        }
        /// Waits until a file that was just written may be trusted.
        fn settle(&self) {
            thread::sleep(Duration::from_millis(150));
        }
    }

    #[test]
    fn edits_of_equal_size_in_the_same_moment_are_never_missed() {
        let setup = Setup::new();
        for round in 0..300u32 {
            let cache = setup.load(Trust::Settled);
            for step in 0..3 {
                let bytes = [round.to_le_bytes(), [step; 4]].concat();
                setup.edit("file", &bytes);
                assert_eq!(cache.blake3(&setup.path("file")).unwrap().digest, Blake3::of(&bytes));
                assert_eq!(cache.sha256(&setup.path("file")).unwrap().digest, Sha256::of(&bytes));
            }
            cache.save();
        }
        assert!(setup.listener.warnings().is_empty());
    }

    #[test]
    fn edits_at_any_distance_from_the_reading_are_never_missed() {
        let setup = Setup::new();
        let cache = setup.load(Trust::Settled);
        // Around the margin of 100 ms, where entries begin to be made.
        for pause in (60..140).step_by(5) {
            setup.edit("file", b"old");
            thread::sleep(Duration::from_millis(pause));
            assert_eq!(cache.blake3(&setup.path("file")).unwrap().digest, Blake3::of(b"old"));
            setup.edit("file", b"new");
            assert_eq!(cache.blake3(&setup.path("file")).unwrap().digest, Blake3::of(b"new"), "{pause} ms");
        }
    }

    #[test]
    fn times_that_were_set_do_not_deceive() {
        let setup = Setup::new();
        let now = SystemTime::now();
        let times = [
            ("epoch", SystemTime::UNIX_EPOCH),
            ("future", now + Duration::from_secs(86_400)),
            ("restored", now - Duration::from_secs(86_400)),
            ("whole second", SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)),
        ];
        for wait in [false, true] {
            for (name, time) in times {
                let cache = setup.load(Trust::Settled);
                setup.edit(name, b"old");
                setup.set_mtime(name, time);
                if wait {
                    setup.settle();
                }
                let tracked = cache.blake3(&setup.path(name)).unwrap();
                assert_eq!(tracked.digest, Blake3::of(b"old"));
                // Where the file system gives fine times, waiting is enough for all but the future.
                if name == "future" || !wait {
                    assert_eq!(tracked.signature, None, "{name} is not trusted yet");
                }
                cache.save();
                setup.edit(name, b"new");
                setup.set_mtime(name, time);
                for cache in [&cache, &setup.load(Trust::Settled)] {
                    assert_eq!(cache.blake3(&setup.path(name)).unwrap().digest, Blake3::of(b"new"), "{name}");
                }
            }
        }
    }

    #[test]
    fn a_replaced_file_and_a_copied_cache_do_not_deceive() {
        let setup = Setup::new();
        fs::write(setup.path("a"), b"one").unwrap();
        fs::write(setup.path("b"), b"two").unwrap();
        setup.settle();
        let cache = setup.load(Trust::Settled);
        assert_eq!(cache.blake3(&setup.path("a")).unwrap().digest, Blake3::of(b"one"));
        assert_eq!(cache.blake3(&setup.path("b")).unwrap().digest, Blake3::of(b"two"));
        fs::rename(setup.path("b"), setup.path("a")).unwrap();
        assert_eq!(cache.blake3(&setup.path("a")).unwrap().digest, Blake3::of(b"two"));
        assert!(cache.blake3(&setup.path("b")).is_err());
        fs::create_dir(setup.path("b")).unwrap();
        assert!(cache.blake3(&setup.path("b")).is_err());
    }

    /// Makes `cache` believe that the file has another digest, to see whether it asks the file or its memory.
    fn plant(cache: &StatCache, path: &Path, digest: Blake3) {
        let mut entries = cache.entries();
        let entry = entries.known.get_mut(&path_hash(path)).expect("the file is settled");
        entry.blake3 = Some(digest);
        let entry = *entry;
        entries.new.insert(path_hash(path), entry);
    }

    #[test]
    fn settled_files_are_not_read_again_but_by_the_paranoid() {
        let setup = Setup::new();
        let path = setup.path("file");
        fs::write(&path, b"contents").unwrap();
        setup.settle();
        let planted = Blake3::of(b"planted");
        let cache = setup.load(Trust::Settled);
        let first = cache.digests(&path).unwrap();
        assert_eq!((first.blake3, first.sha256, first.len), (Blake3::of(b"contents"), Sha256::of(b"contents"), 8));
        plant(&cache, &path, planted);
        assert_eq!(cache.blake3(&path).unwrap().digest, planted);
        cache.save();
        let again = setup.load(Trust::Settled).blake3(&path).unwrap();
        assert_eq!((again.digest, again.signature.is_some()), (planted, true));
        let paranoid = setup.load(Trust::Nothing);
        assert_eq!(paranoid.blake3(&path).unwrap().digest, Blake3::of(b"contents"));
        paranoid.save();
        assert_eq!(setup.load(Trust::Settled).blake3(&path).unwrap().digest, Blake3::of(b"contents"), "what it read replaces the rest");
    }

    #[test]
    fn savers_merge_and_an_unchanged_cache_is_not_written() {
        let setup = Setup::new();
        for name in ["a", "b", "c"] {
            fs::write(setup.path(name), name).unwrap();
        }
        setup.settle();
        let (one, two) = (setup.load(Trust::Settled), setup.load(Trust::Settled));
        one.blake3(&setup.path("a")).unwrap();
        two.blake3(&setup.path("b")).unwrap();
        two.sha256(&setup.path("b")).unwrap();
        one.save();
        two.save();
        let three = setup.load(Trust::Settled);
        let entries = three.entries().known.clone();
        assert_eq!(entries.len(), 2);
        assert!(entries[&path_hash(&setup.path("b"))].blake3.is_some() && entries[&path_hash(&setup.path("b"))].sha256.is_some());
        let before = Signature::of(&fs::metadata(setup.store()).unwrap());
        three.blake3(&setup.path("a")).unwrap();
        three.save();
        assert_eq!(Signature::of(&fs::metadata(setup.store()).unwrap()), before);
        assert!(setup.listener.warnings().is_empty());
    }

    #[test]
    fn a_flipped_bit_or_a_cut_anywhere_is_an_empty_cache_with_a_warning() {
        let setup = Setup::new();
        fs::write(setup.path("a"), b"a").unwrap();
        setup.settle();
        let cache = setup.load(Trust::Settled);
        cache.digests(&setup.path("a")).unwrap();
        cache.save();
        let good = fs::read(setup.store()).unwrap();
        for bit in 0..good.len() * 8 {
            flip_bit(&setup.store(), bit);
            assert!(setup.load(Trust::Settled).entries().known.is_empty(), "bit {bit}");
            setup.listener.warned_once("corrupt");
            flip_bit(&setup.store(), bit);
        }
        for cut in 0..good.len() {
            assert_eq!(decode(&good[..cut]), Err(Unusable::Damaged), "cut at {cut}");
        }
        fs::write(setup.store(), packed::Kind { version: 1, ..KIND }.seal(|out| packed::pack_list::<(PathHash, Entry)>(&[], out))).unwrap();
        assert!(setup.load(Trust::Settled).entries().known.is_empty(), "another version's");
        assert!(setup.listener.warnings().is_empty());
        fs::write(setup.store(), b"junk").unwrap();
        let cache = setup.load(Trust::Settled);
        setup.listener.warned_once("corrupt");
        cache.blake3(&setup.path("a")).unwrap();
        cache.save();
        assert_eq!(setup.load(Trust::Settled).entries().known.len(), 1, "and it is rewritten");
    }

    #[test]
    fn a_cache_that_cannot_be_written_is_one_warning() {
        let setup = Setup::new();
        fs::write(setup.path("a"), b"a").unwrap();
        fs::write(setup.path("state"), b"a file where the folder should be").unwrap();
        setup.settle();
        let cache = setup.load(Trust::Settled);
        setup.listener.warnings();
        let mut entries = cache.entries();
        let signature = Signature::of(&fs::metadata(setup.path("a")).unwrap());
        entries.new.insert([0; 16], Entry { signature, recorded: Timestamp::now(), blake3: None, sha256: None });
        drop(entries);
        cache.save();
        setup.listener.warned_once("cannot save file digests");
    }
}
