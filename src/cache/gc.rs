//! `nnue cache stats | gc | verify`: what the cache holds, what of it can go, whether it is whole. Renders nothing.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap, HashSet},
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use rayon::prelude::*;
use serde::Serialize;

use super::{
    record::{ActionRecord, ActionResult, Key},
    store::{Layout, MAX_RECORD, Root, Unsealed, Usage, read_sealed, try_read_sealed},
};
use crate::{
    ctx::Ctx,
    error::{Error, Kind, Result},
    files::{
        self, Blake3, OwnPath,
        digest::unhex,
        hash_file_blake3,
        lock::{Acquired, FileLock},
    },
};

const DAY: u64 = 24 * 60 * 60;

/// What a cache holds.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct CacheStats {
    /// Artifacts.
    pub blobs: u64,
    /// Their size.
    pub blob_bytes: u64,
    /// Action records, the damaged ones included.
    pub records: u64,
    /// Their size.
    pub record_bytes: u64,
    /// Records that are damaged; `verify` evicts them.
    pub damaged_records: u64,
    /// Per stage, by its name.
    pub by_stage: BTreeMap<String, StageStats>,
    /// By last use, youngest first.
    pub by_age: Vec<AgeStats>,
    /// Records looked for by all builds.
    pub usage: Usage,
    /// Manifests whose needs are noted.
    pub roots: u64,
}

/// What a cache holds of one stage.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct StageStats {
    /// Action records.
    pub records: u64,
    /// How many of their artifacts are stored.
    pub stored: u64,
    /// Size of the stored artifacts; one that several records name counts for each.
    pub bytes: u64,
    /// How long the stages ran that the records save, seconds.
    pub saves_s: f64,
}

/// What a cache holds of one age.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AgeStats {
    /// Last used fewer than this many days ago (and not younger than the entry before); `None`: all that is older.
    pub under_days: Option<u64>,
    /// Artifacts.
    pub blobs: u64,
    /// Their size.
    pub bytes: u64,
}

/// What [`collect`] may remove. The default removes what nothing can reach: blobs without a record, records without their blob,
/// leftovers.
#[derive(Debug, Clone, Default)]
pub struct GcOptions {
    /// Remove the longest unused until the cache has at most this many bytes.
    pub max_size: Option<u64>,
    /// Remove what was not used for this long.
    pub older_than: Option<Duration>,
    /// Remove what neither `keep` nor a manifest that used the cache needs.
    pub unreachable: bool,
    /// Records that stay with their blobs, besides those that manifests need.
    pub keep: HashSet<Key>,
    /// Nothing younger goes, whatever the reason; also what work in progress needs.
    pub grace: Duration,
    /// Remove nothing, only say what would go.
    pub dry_run: bool,
    /// How long to wait for running builds; `None`: as long as it takes.
    pub lock_timeout: Option<Duration>,
}

/// What [`collect`] did, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct GcOutcome {
    /// Artifacts that went.
    pub removed_blobs: u64,
    /// Records that went.
    pub removed_records: u64,
    /// Size of both.
    pub removed_bytes: u64,
    /// Leftover temporary files and lock files that went; not counted in a dry run.
    pub removed_leftovers: u64,
    /// Artifacts that stayed.
    pub blobs: u64,
    /// Records that stayed.
    pub records: u64,
    /// Size of both.
    pub bytes: u64,
    /// Whether `max_size` could not be reached, as the rest is needed or too young.
    pub over_limit: bool,
}

/// What [`verify`] found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct VerifyOutcome {
    /// Artifacts that were read.
    pub blobs: u64,
    /// Records that were read.
    pub records: u64,
    /// Size of both.
    pub bytes: u64,
    /// What was damaged; all of it is evicted.
    pub damaged: Vec<Damage>,
    /// Records whose stored artifact is missing: their stages run again when needed.
    pub dangling_records: u64,
}

/// A damaged file of the cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// Where it was.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

/// Counts what the cache in `root` holds; all zero where there is none.
///
/// # Errors
/// When the folder cannot be read, or waiting for `gc` was interrupted or took longer than `lock_timeout`.
pub fn stats(root: impl Into<OwnPath>, lock_timeout: Option<Duration>, ctx: &Ctx) -> Result<CacheStats> {
    let layout = Layout::new(&root.into());
    let Some(_lock) = lock_shared(&layout, lock_timeout, ctx)? else { return Ok(CacheStats::default()) };
    let contents = Contents::scan(&layout)?;
    let mut stats = CacheStats {
        usage: read_sealed(&layout.usage()).unwrap_or_default(),
        roots: roots(&layout)?.len() as u64,
        by_age: [Some(1), Some(7), Some(30), Some(90), None].map(|under_days| AgeStats { under_days, blobs: 0, bytes: 0 }).to_vec(),
        ..CacheStats::default()
    };
    for blob in contents.blobs.values() {
        stats.blobs += 1;
        stats.blob_bytes += blob.bytes;
        let fits = |age: &&mut AgeStats| age.under_days.is_none_or(|days| blob.age < Duration::from_secs(days * DAY));
        if let Some(age) = stats.by_age.iter_mut().find(fits) {
            age.blobs += 1;
            age.bytes += blob.bytes;
        }
    }
    for record in &contents.records {
        stats.records += 1;
        stats.record_bytes += record.file.bytes;
        match &record.result {
            Err(_) => stats.damaged_records += 1,
            Ok(result) => {
                let stage = stats.by_stage.entry(result.stage_name().to_owned()).or_default();
                stage.records += 1;
                stage.saves_s += result.duration_s;
                if let Some(blob) = contents.blobs.get(&result.output_digest).filter(|_| result.stored) {
                    stage.stored += 1;
                    stage.bytes += blob.bytes;
                }
            }
        }
    }
    Ok(stats)
}

/// Removes what `options` allow, holding the cache alone. Drop an open [`super::Cache`] of the same folder first: this waits for it.
///
/// # Errors
/// When the folder cannot be read or locked, or waiting was interrupted or took longer than allowed; and when the needs of a manifest
/// cannot be read and may include what would go. Nothing is removed then.
pub fn collect(root: impl Into<OwnPath>, options: &GcOptions, ctx: &Ctx) -> Result<GcOutcome> {
    let layout = Layout::new(&root.into());
    if !layout.bucket.is_folder() {
        return Ok(GcOutcome::default());
    }
    let _lock = match layout.lock_exclusive(options.lock_timeout, ctx)? {
        Acquired::Held(lock) => lock,
        Acquired::Unavailable(error) => {
            return Err(Error::io("cannot lock", layout.lock().as_path(), error)
                .help("the cache can be removed as a whole instead, while no build runs: `rm -r` its folder"));
        }
    };
    let contents = Contents::scan(&layout)?;
    let mut keep = options.keep.clone();
    let mut forgotten = Vec::new();
    for (path, root) in roots(&layout)? {
        let root: Root = match root {
            Ok(root) => root,
            Err(Unsealed::Unread(error)) => {
                unknown_needs(&path, error, options, ctx)?;
                continue;
            }
            Err(Unsealed::Damaged(why)) => {
                ctx.warn(format!(
                    "`{}` in the cache is corrupt ({why}): what its manifest needs is unknown until that is built again",
                    path.display()
                ));
                forgotten.push(path);
                continue;
            }
        };
        // One that cannot be looked for may be there.
        if root.manifest.try_exists().unwrap_or(true) {
            keep.extend(root.nets.into_values().flatten());
        } else {
            forgotten.push(path);
        }
    }
    if !options.dry_run {
        for path in forgotten {
            path.remove()?;
        }
    }
    let mut outcome = GcOutcome::default();
    let units = contents.units(&keep);
    let mut bytes: u64 = units.iter().map(Unit::bytes).sum();
    for unit in units {
        let old = options.older_than.is_some_and(|limit| unit.age > limit);
        let excess = options.max_size.is_some_and(|limit| bytes > limit);
        let unneeded = unit.state == State::Useless || (unit.state == State::Free && (old || excess || options.unreachable));
        if unneeded && unit.age >= options.grace && (options.dry_run || unit.remove(ctx)) {
            bytes -= unit.bytes();
            outcome.removed_blobs += u64::from(unit.blob.is_some());
            outcome.removed_records += unit.records.len() as u64;
            outcome.removed_bytes += unit.bytes();
        } else {
            outcome.blobs += u64::from(unit.blob.is_some());
            outcome.records += unit.records.len() as u64;
        }
    }
    outcome.bytes = bytes;
    outcome.over_limit = options.max_size.is_some_and(|limit| bytes > limit);
    if !options.dry_run {
        outcome.removed_leftovers = remove_leftovers(&layout, options.grace)?;
    }
    Ok(outcome)
}

/// Reads everything in the cache and evicts what is damaged.
///
/// # Errors
/// When the folder cannot be read, waiting for `gc` took longer than `lock_timeout`, or the work was interrupted.
pub fn verify(root: impl Into<OwnPath>, lock_timeout: Option<Duration>, ctx: &Ctx) -> Result<VerifyOutcome> {
    const TASK: &str = "verify the cache";
    let layout = Layout::new(&root.into());
    let Some(_lock) = lock_shared(&layout, lock_timeout, ctx)? else { return Ok(VerifyOutcome::default()) };
    let contents = Contents::scan(&layout)?;
    let blob_bytes: u64 = contents.blobs.values().map(|blob| blob.bytes).sum();
    ctx.progress().start(TASK, Some(blob_bytes), "bytes");
    let quiet = ctx.without_progress();
    let check = |(digest, blob): (&Blake3, &CacheFile)| -> Result<Option<(OwnPath, String)>> {
        ctx.check()?;
        let reason = match hash_file_blake3(blob.path.as_path(), &quiet) {
            Ok((found, _)) if found == *digest => None,
            Ok((found, _)) => Some(format!("its contents have the digest {found}")),
            Err(error) if error.kind() == Kind::Interrupted => return Err(error),
            // Evicted by a build meanwhile.
            Err(_) if !blob.path.is_file() => None,
            Err(error) => Some(error.to_string()),
        };
        ctx.progress().advance(TASK, blob.bytes);
        Ok(reason.map(|reason| (blob.path.clone(), reason)))
    };
    let damaged = contents.blobs.par_iter().map(check).collect::<Result<Vec<_>>>();
    ctx.progress().finish(TASK);
    let mut damaged: Vec<(OwnPath, String)> = damaged?.into_iter().flatten().collect();
    let mut dangling_records = 0;
    for record in &contents.records {
        match &record.result {
            Err(reason) => damaged.push((record.file.path.clone(), reason.clone())),
            Ok(result) => dangling_records += u64::from(result.stored && !contents.blobs.contains_key(&result.output_digest)),
        }
    }
    damaged.sort_unstable_by(|(a, _), (b, _)| a.as_path().cmp(b.as_path()));
    for (path, _) in &damaged {
        if let Err(error) = path.remove() {
            ctx.warn(error.to_string());
        }
    }
    let damaged = damaged.into_iter().map(|(path, reason)| Damage { path: path.as_path().to_owned(), reason }).collect();
    Ok(VerifyOutcome {
        blobs: contents.blobs.len() as u64,
        records: contents.records.len() as u64,
        bytes: blob_bytes + contents.records.iter().map(|record| record.file.bytes).sum::<u64>(),
        damaged,
        dangling_records,
    })
}

/// `None` where there is no cache. A cache that cannot be locked is read without.
fn lock_shared(layout: &Layout, timeout: Option<Duration>, ctx: &Ctx) -> Result<Option<Option<FileLock>>> {
    if !layout.bucket.is_folder() {
        return Ok(None);
    }
    match layout.lock_shared(timeout, ctx)? {
        Acquired::Held(lock) => Ok(Some(Some(lock))),
        Acquired::Unavailable(_) => Ok(Some(None)),
    }
}

/// Everything that has a name of the cache's own kind; other files are left alone.
struct Contents {
    blobs: HashMap<Blake3, CacheFile>,
    records: Vec<RecordFile>,
}

#[derive(Clone)]
struct CacheFile {
    path: OwnPath,
    bytes: u64,
    age: Duration,
}

struct RecordFile {
    key: Key,
    file: CacheFile,
    result: Result<ActionResult, String>,
}

impl Contents {
    fn scan(layout: &Layout) -> Result<Self> {
        let blobs = files_in_shards(&layout.cas(), "")?.into_iter().map(|(name, file)| (Blake3(name), file)).collect();
        let read = |(name, file): ([u8; 32], CacheFile)| {
            let key = Key(name);
            let bytes = match file.path.read(MAX_RECORD) {
                Ok(bytes) => Ok(bytes),
                // Evicted by a build since the folder was listed.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
                Err(error) => Err(error.to_string()),
            };
            let result = bytes.and_then(|bytes| ActionRecord::decode(key, &bytes)).map(|record| record.result);
            Some(RecordFile { key, file, result })
        };
        let mut records: Vec<_> = files_in_shards(&layout.actions(), ".json")?.into_par_iter().filter_map(read).collect();
        records.sort_unstable_by_key(|record| record.key);
        Ok(Self { blobs, records })
    }

    /// What can only stay or go together, the longest unused first.
    fn units(&self, keep: &HashSet<Key>) -> Vec<Unit<'_>> {
        let mut by_blob: HashMap<Blake3, Unit<'_>> = HashMap::new();
        let mut units = Vec::new();
        for record in &self.records {
            let kept = keep.contains(&record.key);
            let state = if kept { State::Kept } else { State::Free };
            let blob = match &record.result {
                Err(_) => {
                    units.push(Unit::new(State::Useless, vec![&record.file], None));
                    continue;
                }
                Ok(result) if !result.stored => {
                    units.push(Unit::new(state, vec![&record.file], None));
                    continue;
                }
                Ok(result) => result.output_digest,
            };
            match (self.blobs.get(&blob), by_blob.get_mut(&blob)) {
                (None, _) => units.push(Unit::new(State::Useless, vec![&record.file], None)),
                (Some(_), Some(unit)) => unit.join(state, &record.file),
                (Some(file), None) => {
                    by_blob.insert(blob, Unit::new(state, vec![&record.file], Some(file)));
                }
            }
        }
        let orphans = self.blobs.iter().filter(|(digest, _)| !by_blob.contains_key(digest));
        units.extend(orphans.map(|(_, file)| Unit::new(State::Useless, Vec::new(), Some(file))));
        units.extend(by_blob.into_values());
        units.sort_unstable_by_key(|unit| (Reverse(unit.age), unit.first_path()));
        units
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    /// Damaged, or without what it belongs to.
    Useless,
    Free,
    Kept,
}

/// A blob with the records that name it, or a record alone.
struct Unit<'a> {
    state: State,
    records: Vec<&'a CacheFile>,
    blob: Option<&'a CacheFile>,
    age: Duration,
}

impl<'a> Unit<'a> {
    fn new(state: State, records: Vec<&'a CacheFile>, blob: Option<&'a CacheFile>) -> Self {
        let age = records.iter().copied().chain(blob).map(|file| file.age).min().unwrap_or_default();
        Self { state, records, blob, age }
    }

    fn join(&mut self, state: State, record: &'a CacheFile) {
        self.state = self.state.max(state);
        self.age = self.age.min(record.age);
        self.records.push(record);
    }

    fn files(&self) -> impl Iterator<Item = &'a CacheFile> {
        // Records first: whatever interrupts this leaves a blob without a record and not the reverse.
        self.records.iter().copied().chain(self.blob)
    }

    fn bytes(&self) -> u64 {
        self.files().map(|file| file.bytes).sum()
    }

    fn first_path(&self) -> Option<&'a Path> {
        self.files().next().map(|file| file.path.as_path())
    }

    fn remove(&self, ctx: &Ctx) -> bool {
        self.files().try_for_each(|file| file.path.remove().map(drop)).map_err(|error| ctx.warn(error.to_string())).is_ok()
    }
}

/// The needs of manifests, and why those of one cannot be had.
fn roots(layout: &Layout) -> Result<Vec<(OwnPath, Result<Root, Unsealed>)>> {
    let folder = layout.roots();
    let failed = |error| Error::io("cannot read the folder", folder.as_path(), error);
    let entries = match list(&folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut roots = Vec::new();
    for entry in entries {
        let name = entry.map_err(failed)?.file_name();
        let bytes = name.as_encoded_bytes();
        if bytes.ends_with(b".json") && !bytes.starts_with(files::TEMP_PREFIX.as_bytes()) {
            let path = folder.join(&name);
            roots.push((try_read_sealed(&path), path));
        }
    }
    Ok(roots.into_iter().map(|(root, path)| (path, root)).collect())
}

/// What to do where the needs of a manifest could not be read: an error if something would go that may be among them.
fn unknown_needs(path: &OwnPath, error: std::io::Error, options: &GcOptions, ctx: &Ctx) -> Result<()> {
    let error = Error::io("cannot read what a manifest needs of the cache in", path.as_path(), error);
    if options.unreachable || options.older_than.is_some() || options.max_size.is_some() {
        return Err(error.help("make it readable, or remove it if what it keeps may go; then run `nnue cache gc` again"));
    }
    ctx.warn(error.to_string());
    Ok(())
}

fn remove_leftovers(layout: &Layout, grace: Duration) -> Result<u64> {
    let mut removed = 0;
    for folder in [&layout.root, &layout.bucket, &layout.cas(), &layout.actions(), &layout.roots()] {
        removed += files::sweep_own(folder, grace)? as u64;
    }
    // Whoever holds an action lock holds the cache's too, and that is ours alone now.
    for (_, file) in files_in_shards(&layout.locks(), ".lock")? {
        removed += u64::from(file.path.remove()?);
    }
    Ok(removed)
}

/// What is in a folder; a link to one has nothing in it that is ours.
fn list(folder: &OwnPath) -> std::io::Result<fs::ReadDir> {
    let _held = folder.open_folder()?;
    fs::read_dir(folder.as_path())
}

/// The files `<2 hex>/<62 hex><ending>` in `folder`, by the 32 bytes of their names.
fn files_in_shards(folder: &OwnPath, ending: &str) -> Result<Vec<([u8; 32], CacheFile)>> {
    let list = |folder: &OwnPath| match list(folder) {
        Ok(entries) => Ok(Some(entries)),
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(Error::io("cannot read the folder", folder.as_path(), error)),
    };
    let mut files = Vec::new();
    for shard in list(folder)?.into_iter().flatten().flatten() {
        let Some(prefix) = shard.file_name().to_str().filter(|name| name.len() == 2).map(str::to_owned) else { continue };
        let shard = folder.join(&prefix);
        for entry in list(&shard)?.into_iter().flatten().flatten() {
            let name = entry.file_name();
            let digits = name.to_str().and_then(|name| name.strip_suffix(ending));
            let digest = digits
                .filter(|digits| !digits.bytes().any(|c| c.is_ascii_uppercase()))
                .and_then(|digits| unhex(&format!("{prefix}{digits}")));
            let (Some(digest), Ok(metadata)) = (digest, entry.metadata()) else { continue };
            if metadata.is_file() {
                files.push((digest, CacheFile { path: shard.join(&name), bytes: metadata.len(), age: files::age(&metadata) }));
            }
        }
    }
    Ok(files)
}
