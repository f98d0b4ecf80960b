//! Results together with the [`Signature`]s of all files that they rest on: while none of a result's files was touched, it stands.
//!
//! Knows nothing of what the results are. A file is a witness only when every edit since the work began must change its signature
//! ([`Signature::is_settled`]): then "unchanged since" needs no content, no record and no graph. One file of `packed`:
//! the context (32 bytes), whether these are all results that there are, what all of them together rest on, the files of the single results,
//! and the results: a name (32 bytes), when it was found (seconds, i64), its files by their numbers, its bytes.
//!
//! The cache's own entries are among the files: one that was written over in place is damage that a build is to notice.
//!
//! A file that cannot be read, is corrupt, or is of another version or context only means that the work is done again.

use std::{collections::HashMap, ops::Range, path::PathBuf};

use rayon::prelude::*;

use super::{
    packed::{self, Packed, Unusable},
    record::Key,
    store::{Layout, blob_name, record_name},
};
use crate::files::{self, Blake3, Clock, Durability, OwnPath, Reader, Signature, signature::Timestamp};
use crate::platform::{self, Folder};

const KIND: packed::Kind = packed::Kind { magic: b"NNUEWITN", version: 4 };

/// Older than this a result is not taken: whoever does the work again also notes that the cache's entries are still in use.
const SERVES_SECONDS: i64 = 12 * 60 * 60;

/// A longer file is not one of these.
const MAX_BYTES: u64 = 256 << 20;

/// So many files are looked at by several threads; fewer are looked at before the threads would have started.
const WORTH_THREADS: usize = 512;

/// A file or folder that a result rests on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

/// A result with what it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What it is the result of.
    pub name: Blake3,
    /// When it was found, in seconds.
    pub found: i64,
    /// The files, with the signatures that they had *before* they were looked into: a path may lead to another file since.
    pub files: Vec<Signed>,
    /// The result.
    pub result: Vec<u8>,
}

impl Part {
    /// A result that was found just now.
    pub fn new(name: Blake3, files: Vec<Signed>, result: Vec<u8>) -> Self {
        Self { name, found: Timestamp::now().seconds, files, result }
    }
}

/// The cache's folders, opened once: a name below one is found sooner than a whole path.
struct Folders {
    records: Option<Folder>,
    blobs: Option<Folder>,
}

impl Folders {
    fn open(cache: &OwnPath) -> Self {
        let cache = Layout::new(cache);
        Self { records: cache.actions().open_folder().ok(), blobs: cache.cas().open_folder().ok() }
    }

    fn below(folder: &Option<Folder>, name: String) -> Option<Signature> {
        folder.as_ref()?.stat(&name).ok().map(Signature::from)
    }

    fn signature(&self, file: &Witnessed) -> Option<Signature> {
        let stat = match file {
            Witnessed::Path(path) => platform::stat(path).ok(),
            Witnessed::Place(path) => platform::stat_link(path).ok(),
            Witnessed::Record(key) => return Self::below(&self.records, record_name(*key)),
            Witnessed::Blob(digest) => return Self::below(&self.blobs, blob_name(*digest)),
        };
        stat.map(Signature::from)
    }
}

/// The present moment by the clock of the file system of `folder`; `None` where that cannot be asked. To be called before a work begins.
pub fn clock(folder: &OwnPath) -> Option<Clock> {
    files::file_system_clock(folder)
}

/// Writes those of `parts` to `path` of which all files were untouched since a moment before `began`, when the work that found the results
/// began. With `common`, what all of them rest on together, they are all that there are; that is kept only where nothing has to be left
/// out. `context` is what else the results depend on. Tells whether they are all there.
pub fn save(path: &OwnPath, context: Blake3, common: Option<&[Signed]>, parts: &[Part], began: Clock) -> bool {
    let is_settled = |files: &[Signed]| files.iter().all(|(_, signature)| signature.is_settled(began));
    let settled: Vec<&Part> = parts.iter().filter(|part| is_settled(&part.files)).collect();
    let common = common.filter(|common| settled.len() == parts.len() && is_settled(common));
    if settled.is_empty() && common.is_none() {
        return false;
    }
    path.write_bytes(Durability::Fast, &encode(context, common, &settled)).is_ok() && common.is_some()
}

/// The results in a file, and what they rest on.
pub struct Witness {
    bytes: Vec<u8>,
    /// What all results together rest on, where they are all that there are.
    common: Option<Vec<Signed>>,
    files: Vec<Signed>,
    parts: Vec<Numbered>,
}

/// A part in a file.
struct Numbered {
    name: Blake3,
    found: i64,
    /// By their places in the list.
    files: Vec<u32>,
    result: Range<usize>,
}

impl Witness {
    /// The results in the file at `path`, if they are of this `context`. Whether they still stand is another question.
    pub fn read(path: &OwnPath, context: Blake3) -> Option<Self> {
        let bytes = path.read(MAX_BYTES).ok()?;
        Self::decode(bytes, context)
    }

    /// How many results there are.
    pub fn len(&self) -> usize {
        self.parts.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// What `read` makes of all results, in their order, if they are all that there are and no file that they rest on was touched.
    pub fn whole<T: Send>(&self, cache: &OwnPath, read: impl Fn(&[u8]) -> Option<T> + Sync) -> Option<Vec<T>> {
        let common = self.common.as_ref()?;
        let now = Timestamp::now().seconds;
        if !self.parts.iter().all(|part| part.serves(now)) {
            return None;
        }
        let folders = Folders::open(cache);
        let is_untouched = |file: &Signed| is_untouched(file, &folders);
        let results = || self.parts.iter().map(|part| read(self.bytes.get(part.result.clone())?)).collect();
        if self.files.len() + common.len() < WORTH_THREADS {
            return if common.iter().chain(&self.files).all(is_untouched) { results() } else { None };
        }
        let all = || common.iter().all(is_untouched) && self.files.par_iter().with_min_len(128).all(is_untouched);
        let (stands, results) = rayon::join(all, results);
        results.filter(|_| stands)
    }

    /// The results of which no file was touched, by their names.
    pub fn standing(&self, cache: &OwnPath) -> HashMap<Blake3, Part> {
        let now = Timestamp::now().seconds;
        let folders = Folders::open(cache);
        let untouched: Vec<bool> = self.files.par_iter().with_min_len(128).map(|file| is_untouched(file, &folders)).collect();
        let stands = |part: &&Numbered| part.serves(now) && part.files.iter().all(|file| untouched.get(*file as usize) == Some(&true));
        let part = |part: &Numbered| {
            let files = part.files.iter().filter_map(|file| self.files.get(*file as usize).cloned()).collect();
            let result = self.bytes.get(part.result.clone())?.to_vec();
            Some((part.name, Part { name: part.name, found: part.found, files, result }))
        };
        self.parts.iter().filter(stands).filter_map(part).collect()
    }

    fn decode(bytes: Vec<u8>, context: Blake3) -> Option<Self> {
        let mut fields = KIND.unseal(&bytes).ok()?;
        if Blake3::unpack(&mut fields).ok()? != context {
            return None;
        }
        let is_whole = fields.u8().ok()?;
        let common: Vec<Signed> = packed::unpack_list(&mut fields).ok()?;
        let files: Vec<Signed> = packed::unpack_list(&mut fields).ok()?;
        let mut parts = Vec::new();
        while !fields.rest().is_empty() {
            let (name, found) = Packed::unpack(&mut fields).ok()?;
            let numbers = packed::unpack_list(&mut fields).ok()?;
            let length = usize::try_from(fields.u64().ok()?).ok()?;
            let begin = fields.position();
            fields.take(length).ok()?;
            parts.push(Numbered { name, found, files: numbers, result: begin..begin + length });
        }
        let common = (is_whole == 1).then_some(common);
        Some(Self { common, files, parts, bytes })
    }
}

impl Numbered {
    fn serves(&self, now: i64) -> bool {
        now.checked_sub(self.found).is_some_and(|age| (0..=SERVES_SECONDS).contains(&age))
    }
}

/// Whether a file is as it was.
fn is_untouched((file, signature): &Signed, folders: &Folders) -> bool {
    folders.signature(file) == Some(*signature)
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

fn encode(context: Blake3, common: Option<&[Signed]>, parts: &[&Part]) -> Vec<u8> {
    // Many results rest on one file: each is listed once for every state in which it was seen.
    let mut numbers: HashMap<&Signed, u32> = HashMap::new();
    let mut files: Vec<&Signed> = Vec::new();
    for file in parts.iter().flat_map(|part| &part.files) {
        numbers.entry(file).or_insert_with(|| {
            files.push(file);
            u32::try_from(files.len() - 1).unwrap_or(u32::MAX)
        });
    }
    KIND.seal(|out| {
        (context, u8::from(common.is_some())).pack(out);
        packed::pack_list(common.unwrap_or_default(), out);
        (files.len() as u64).pack(out);
        files.iter().for_each(|file| file.pack(out));
        for part in parts {
            (part.name, part.found).pack(out);
            let numbers: Vec<u32> = part.files.iter().filter_map(|file| numbers.get(file).copied()).collect();
            packed::pack_list(&numbers, out);
            (part.result.len() as u64).pack(out);
            out.extend_from_slice(&part.result);
        }
    })
}

#[cfg(test)]
mod tests;
