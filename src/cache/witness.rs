//! A result together with the [`Signature`]s of all files that it rests on: while none of them was touched, the result stands.
//!
//! Knows nothing of what the result is. A file is a witness only when every edit since the work began must change its signature
//! ([`Signature::is_settled`]): then "unchanged since" needs no content, no record and no graph. One file of `packed`:
//! the context (32 bytes), when it was made (seconds, i64), the list of files with their signatures, and the result to the end.
//!
//! A file that cannot be read, is corrupt, or is of another version or context only means that the work is done again.

use std::{os::fd::OwnedFd, path::PathBuf};

use rayon::prelude::*;
use rustix::fs::AtFlags;

use super::{
    packed::{self, Packed, Unusable},
    record::Key,
    store::{Layout, blob_name, record_name},
};
use crate::files::{self, Blake3, Clock, Durability, OwnPath, Reader, Signature, signature::Timestamp};

const KIND: packed::Kind = packed::Kind { magic: b"NNUEWITN", version: 2 };

/// Older than this a result is not taken: whoever does the work again also notes that the cache's entries are still in use.
const SERVES_SECONDS: i64 = 12 * 60 * 60;

/// A longer file is not one of these.
const MAX_BYTES: u64 = 256 << 20;

/// So many files are looked at by several threads; fewer are looked at before the threads would have started.
const WORTH_THREADS: usize = 512;

/// A file or folder that a result rests on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Witnessed {
    /// Any path, links followed. Of a folder its listing.
    Path(PathBuf),
    /// What stands in a place itself, be it a link.
    Place(PathBuf),
    /// An action record of the cache.
    Record(Key),
    /// A blob of the cache.
    Blob(Blake3),
}

/// A file as it was when it was looked into.
pub type Signed = (Witnessed, Signature);

/// The cache's folders, opened once: a name below one is found sooner than a whole path.
struct Folders {
    records: Option<OwnedFd>,
    blobs: Option<OwnedFd>,
}

impl Folders {
    fn open(cache: &OwnPath) -> Self {
        let cache = Layout::new(cache);
        Self { records: cache.actions().open_folder().ok(), blobs: cache.cas().open_folder().ok() }
    }

    fn signature(&self, file: &Witnessed) -> Option<Signature> {
        let below = |folder: &Option<OwnedFd>, name: String| rustix::fs::statat(folder.as_ref()?, name, AtFlags::empty()).ok();
        let stat = match file {
            Witnessed::Path(path) => rustix::fs::stat(path).ok(),
            Witnessed::Place(path) => rustix::fs::lstat(path).ok(),
            Witnessed::Record(key) => below(&self.records, record_name(*key)),
            Witnessed::Blob(digest) => below(&self.blobs, blob_name(*digest)),
        };
        stat.map(|stat| Signature::of_stat(&stat))
    }
}

/// The present moment by the clock of the file system of `folder`; `None` where that cannot be asked. To be called before a work begins.
pub fn clock(folder: &OwnPath) -> Option<Clock> {
    files::file_system_clock(folder)
}

/// Writes `result` to `path`, if all of `files` were untouched since a moment before `began`, when the work that found the result began.
/// Tells whether it did. Each file comes with the signature that it had *before* it was looked into: a path may lead to another file since.
/// `context` is what else the result depends on.
pub fn save(path: &OwnPath, context: Blake3, files: &[Signed], began: Clock, result: &[u8]) -> bool {
    if !files.iter().all(|(_, signature)| signature.is_settled(began)) {
        return false;
    }
    path.write_bytes(Durability::Fast, &encode(context, files, result)).is_ok()
}

/// What `read` makes of the result in `path`, if it is of this `context` and no file that it rests on was touched since.
pub fn load<T: Send>(path: &OwnPath, context: Blake3, cache: &OwnPath, read: impl FnOnce(&[u8]) -> Option<T> + Send) -> Option<T> {
    let bytes = path.read(MAX_BYTES).ok()?;
    let (files, result) = decode(&bytes, context)?;
    let folders = Folders::open(cache);
    let is_untouched = |(file, signature): &Signed| folders.signature(file) == Some(*signature);
    if files.len() < WORTH_THREADS {
        return if files.iter().all(is_untouched) { read(result) } else { None };
    }
    let (untouched, result) = rayon::join(|| files.par_iter().with_min_len(128).all(is_untouched), || read(result));
    result.filter(|_| untouched)
}

impl Packed for Witnessed {
    const LEAST: usize = 1 + 8;

    fn pack(&self, out: &mut Vec<u8>) {
        match self {
            Self::Path(path) => (0u8, path.clone()).pack(out),
            Self::Record(key) => (1u8, *key).pack(out),
            Self::Blob(digest) => (2u8, *digest).pack(out),
            Self::Place(path) => (3u8, path.clone()).pack(out),
        }
    }

    fn unpack(fields: &mut Reader<'_>) -> Result<Self, Unusable> {
        match fields.u8()? {
            0 => Packed::unpack(fields).map(Self::Path),
            1 => Packed::unpack(fields).map(Self::Record),
            2 => Packed::unpack(fields).map(Self::Blob),
            3 => Packed::unpack(fields).map(Self::Place),
            _ => Err(Unusable::Damaged),
        }
    }
}

fn encode(context: Blake3, files: &[Signed], result: &[u8]) -> Vec<u8> {
    KIND.seal(|out| {
        (context, Timestamp::now().seconds).pack(out);
        packed::pack_list(files, out);
        out.extend_from_slice(result);
    })
}

/// The files with their signatures, and the result.
fn decode(file: &[u8], context: Blake3) -> Option<(Vec<Signed>, &[u8])> {
    let mut fields = KIND.unseal(file).ok()?;
    let (found, created) = <(Blake3, i64)>::unpack(&mut fields).ok()?;
    let age = Timestamp::now().seconds.checked_sub(created)?;
    if found != context || !(0..=SERVES_SECONDS).contains(&age) {
        return None;
    }
    let files = packed::unpack_list(&mut fields).ok()?;
    Some((files, fields.rest()))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, FileTimes};
    use std::path::Path;
    use std::time::{Duration, SystemTime};

    use super::*;

    /// A moment after which every edit shows, for files that were made before it.
    fn later() -> Clock {
        Clock { at: Timestamp { seconds: Timestamp::now().seconds + 3600, nanos: 0 }, device: None }
    }

    /// As they are now.
    fn signed(files: &[Witnessed], cache: &Path) -> Vec<Signed> {
        let folders = Folders::open(&cache.into());
        files.iter().map(|file| (file.clone(), folders.signature(file).unwrap())).collect()
    }

    fn load_all(path: &Path, context: Blake3, cache: &Path) -> Option<Vec<u8>> {
        load(&path.into(), context, &cache.into(), |result| Some(result.to_vec()))
    }

    #[test]
    fn a_result_stands_until_a_file_is_touched() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b, path) = (folder.path().join("a"), folder.path().join("sub"), folder.path().join("w"));
        let context = Blake3::of(b"context");
        let files = [Witnessed::Path(a.clone()), Witnessed::Path(b.clone())];
        let tries: [(&str, &dyn Fn()); 5] = [
            ("edited", &|| fs::write(&a, "two").unwrap()),
            ("removed", &|| fs::remove_file(&a).unwrap()),
            ("a file came to the folder", &|| fs::write(b.join("new"), "").unwrap()),
            ("replaced, times kept", &|| {
                let modified = fs::metadata(&a).unwrap().modified().unwrap();
                fs::write(folder.path().join("c"), "uno").unwrap();
                fs::File::open(folder.path().join("c")).unwrap().set_times(FileTimes::new().set_modified(modified)).unwrap();
                fs::rename(folder.path().join("c"), &a).unwrap();
            }),
            ("its time set", &|| {
                let past = FileTimes::new().set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1));
                fs::File::open(&a).unwrap().set_times(past).unwrap();
            }),
        ];
        for (what, touch) in tries {
            fs::write(&a, "one").unwrap();
            fs::create_dir_all(&b).unwrap();
            assert!(save(&OwnPath::from(&path), context, &signed(&files, folder.path()), later(), b"result"));
            assert_eq!(load_all(&path, context, folder.path()).as_deref(), Some(&b"result"[..]));
            assert_eq!(load_all(&path, Blake3::of(b"other"), folder.path()), None, "another context");
            touch();
            assert_eq!(load_all(&path, context, folder.path()), None, "{what}");
        }
    }

    #[test]
    fn a_file_that_may_have_changed_since_the_beginning_is_no_witness() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        fs::write(&file, "one").unwrap();
        let began = Clock { at: Timestamp::now(), device: None };
        let path = folder.path().join("w");
        assert!(!save(&OwnPath::from(&path), Blake3([0; 32]), &signed(&[Witnessed::Path(file)], folder.path()), began, b"result"));
        assert!(!path.exists());
    }

    #[test]
    fn no_damage_passes() {
        let folder = tempfile::tempdir().unwrap();
        let (file, path) = (folder.path().join("a"), folder.path().join("w"));
        fs::write(&file, "one").unwrap();
        let context = Blake3::of(b"context");
        let files = signed(&[Witnessed::Path(file.clone()), Witnessed::Place(file)], folder.path());
        assert!(save(&OwnPath::from(&path), context, &files, later(), b"result"));
        let good = fs::read(&path).unwrap();
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, &bad).unwrap();
            assert_eq!(load_all(&path, context, folder.path()), None, "bit {bit}");
        }
        for length in 0..good.len() {
            fs::write(&path, &good[..length]).unwrap();
            assert_eq!(load_all(&path, context, folder.path()), None, "{length} bytes");
        }
        fs::write(&path, &good).unwrap();
        assert!(load_all(&path, context, folder.path()).is_some());
    }
}
