//! Removes what builds published and no net has as its output any more: files of nets that are gone, files of earlier contents.
//!
//! Goes by the list of published files alone. What stays, whatever the list says: outputs of the last build of each net of the manifest, files that
//! the manifest reads, files that another manifest beside it published, links, and files with another content than a build gave them.

use std::collections::{BTreeSet, HashSet};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::lock::Lock;
use super::{begun, lock, state_folder};
use crate::cache::{BuildLog, BuildState, PublishedLog};
use crate::ctx::Ctx;
use crate::error::Result;
use crate::files::lock::{Sharing, Waiting};
use crate::files::{self, HashingWriter, OwnPath, Sha256};
use crate::manifest::{Described, FilePath, Manifest, OutputKind, PROVENANCE_SUFFIX};

/// How to clean.
#[derive(Debug, Clone, Copy, Default)]
pub struct CleanOptions {
    /// Only say what would go.
    pub dry_run: bool,
    /// How long to wait for other processes; `None`: as long as it takes.
    pub lock_timeout: Option<Duration>,
}

/// What was removed, or would be.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Cleaned {
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// Files that went.
    pub removed: Vec<RemovedFile>,
    /// Files that no net has any more, and that stay all the same.
    pub kept: Vec<KeptFile>,
    /// Nets that went from the lock.
    pub unlocked: Vec<String>,
}

/// A file that went.
#[derive(Debug, Clone, Serialize)]
pub struct RemovedFile {
    /// As the manifest has, or had, it.
    pub path: String,
    /// The net that it was of.
    pub net: String,
    /// Whether the manifest no longer has that net.
    pub gone: bool,
    /// Size.
    pub bytes: u64,
}

/// A file that stays.
#[derive(Debug, Clone, Serialize)]
pub struct KeptFile {
    /// As the manifest has, or had, it.
    pub path: String,
    /// The net that it was of.
    pub net: String,
    /// Why.
    pub why: String,
}

/// A file whatever it is called: two names are one file where these are equal.
type Identity = (u64, u64);

/// Removes them.
///
/// # Errors
/// When a list cannot be read, a file cannot be removed, or the work was interrupted.
pub fn clean(manifest: &Manifest, options: CleanOptions, ctx: &Ctx) -> Result<Cleaned> {
    let state = state_folder(&manifest.path);
    if !options.dry_run {
        begun::wait(&state, options.lock_timeout, ctx)?;
    }
    let log = PublishedLog::new(&state);
    let known = log.load()?;
    let lock_path = lock::path_of(manifest);
    let locked = Lock::read(&lock_path)?;
    let builds = BuildLog::new(state.join("nets"));
    let last: Vec<BuildState> = manifest.nets.iter().filter_map(|net| builds.load(&net.name, ctx)).collect();
    let keep = Keep::new(manifest, &last, &locked);
    let names: HashSet<&str> = manifest.nets.iter().map(|net| net.name.as_str()).collect();
    let mut cleaned = Cleaned { dry_run: options.dry_run, ..Cleaned::default() };
    let mut forgotten = Vec::new();
    for file in known {
        ctx.check()?;
        if keep.paths.contains(&file.path) {
            continue;
        }
        let found = place_of(manifest, &file.path).and_then(|place| Ok((ours(&place, &file.sha256, &keep, ctx)?, place)));
        let (found, place) = match found {
            Ok((found, place)) => (found, Some(place)),
            Err(why) => (Found::Other(why), None),
        };
        let mut keeps = |path: String, why: &str| {
            cleaned.kept.push(KeptFile { path, net: file.net.clone(), why: why.to_owned() });
        };
        let shown = file.path.display().to_string();
        match (found, &place) {
            // It is another one's now.
            (Found::Needed, _) => {
                forgotten.push(file);
                continue;
            }
            (Found::Missing, _) => {}
            (Found::Ours(bytes), Some(place)) => {
                if !options.dry_run {
                    place.remove()?;
                }
                let gone = !names.contains(file.net.as_str());
                cleaned.removed.push(RemovedFile { path: shown.clone(), net: file.net.clone(), gone, bytes });
            }
            (Found::Other(why), _) => {
                keeps(shown, &why);
                forgotten.push(file);
                continue;
            }
            (Found::Ours(_), None) => continue,
        }
        if let (Some(sha256), Some(place)) = (file.provenance, place) {
            let shown = format!("{shown}{PROVENANCE_SUFFIX}");
            let mut name = place.as_path().file_name().unwrap_or_default().to_owned();
            name.push(PROVENANCE_SUFFIX);
            let beside = place.folder().join(name);
            match ours(&beside, &sha256, &keep, ctx) {
                Ok(Found::Ours(bytes)) => {
                    if !options.dry_run {
                        beside.remove()?;
                    }
                    let gone = !names.contains(file.net.as_str());
                    cleaned.removed.push(RemovedFile { path: shown, net: file.net.clone(), gone, bytes });
                }
                Ok(Found::Other(why)) | Err(why) => keeps(shown, &why),
                Ok(Found::Missing | Found::Needed) => {}
            }
        }
        forgotten.push(file);
    }
    cleaned.unlocked = locked.nets.keys().filter(|name| !names.contains(name.as_str())).cloned().collect();
    if !options.dry_run {
        log.remove(&forgotten, options.lock_timeout, ctx)?;
        if !cleaned.unlocked.is_empty() {
            unlock(manifest, &builds, options, &names, ctx)?;
        }
    }
    Ok(cleaned)
}

/// Drops the blocks of nets that are gone, as a build does.
fn unlock(manifest: &Manifest, builds: &BuildLog, options: CleanOptions, names: &HashSet<&str>, ctx: &Ctx) -> Result<()> {
    let waiting = Waiting { message: "waiting for another `nnue` to write `nnue.lock`", timeout: options.lock_timeout };
    let _held = files::lock::acquire(&state_folder(&manifest.path).join("nnue.lock.lock"), Sharing::Exclusive, waiting, ctx)?;
    let path = lock::path_of(manifest);
    let mut new = Lock::read(&path)?;
    for name in new.nets.keys().filter(|name| !names.contains(name.as_str())) {
        // What is left of it would only say why a net of this name was built, should there be one again.
        let _ = builds.remove(name);
    }
    new.nets.retain(|name, _| names.contains(name.as_str()));
    new.write(&path)
}

/// What stays.
struct Keep {
    /// By the path that a build would note.
    paths: HashSet<PathBuf>,
    /// By what they are, under whatever name.
    files: HashSet<Identity>,
}

impl Keep {
    fn new(manifest: &Manifest, last: &[BuildState], locked: &Lock) -> Self {
        let names: HashSet<&str> = manifest.nets.iter().map(|net| net.name.as_str()).collect();
        let of_builds = last.iter().flat_map(|state| &state.outputs).map(|output| output.path.clone());
        let of_lock = locked.nets.values().filter(|net| names.contains(net.name.as_str())).flat_map(|net| &net.outputs);
        let outputs = manifest.nets.iter().flat_map(|net| &net.outputs).filter(|output| output.kind != OutputKind::Folder);
        let mut paths: HashSet<PathBuf> = of_builds.chain(of_lock.map(|file| PathBuf::from(&file.path))).collect();
        paths.extend(outputs.map(|output| PathBuf::from(&output.path.value.typed)));
        let beside = paths.iter().map(|path| {
            let mut path = path.clone().into_os_string();
            path.push(PROVENANCE_SUFFIX);
            PathBuf::from(path)
        });
        let beside: Vec<PathBuf> = beside.collect();
        let mut kept: BTreeSet<PathBuf> = paths.iter().chain(&beside).map(|path| manifest.folder.join(path)).collect();
        kept.extend(inputs(manifest));
        kept.extend(of_other_manifests(manifest).into_iter().map(|path| manifest.folder.join(path)));
        // What a link leads to stays with it.
        let files = kept.iter().filter_map(|path| path.metadata().ok()).map(|metadata| (metadata.dev(), metadata.ino())).collect();
        Self { paths, files }
    }
}

/// All files that the manifest names to be read.
fn inputs(manifest: &Manifest) -> Vec<PathBuf> {
    let mut files: Vec<&FilePath> = Vec::new();
    for source in manifest.sources.values().chain(manifest.nets.iter().flat_map(|net| net.sources())) {
        if source.net.is_none() {
            files.push(&source.path.value);
            files.extend(&source.parts);
        }
        files.extend(source.engine.iter().map(|engine| &engine.value));
        if let Some(Described::File(path)) = source.claims.described.as_ref().map(|described| &described.value) {
            files.push(path);
        }
    }
    files.extend(manifest.data.values().flat_map(|data| &data.paths).map(|path| &path.value));
    files.extend(manifest.nets.iter().filter_map(|net| net.permutation.as_ref()).map(|path| &path.value));
    let programs = manifest.nets.iter().flat_map(|net| [net.edits.into.as_ref(), net.engine.as_ref().map(|engine| &engine.path)]);
    files.extend(programs.flatten().map(|path| &path.value));
    files.into_iter().map(|path| path.resolved.clone()).collect()
}

/// What other manifests of the folder published. A list that cannot be read is of no build that goes on.
fn of_other_manifests(manifest: &Manifest) -> Vec<PathBuf> {
    let own = state_folder(&manifest.path);
    let all = OwnPath::new(&manifest.folder, ".nnue/state");
    let names = all.names().unwrap_or_default();
    let others = names.into_iter().map(|name| all.join(name)).chain([all.clone()]).filter(|state| *state != own);
    others.flat_map(|state| PublishedLog::new(&state).load().unwrap_or_default()).map(|file| file.path).collect()
}

/// The file that is noted as `path`, to be removed: below the manifest's folder, or in a folder that nets write to now. A list may have
/// come with the project, and decides nothing about other places.
fn place_of(manifest: &Manifest, path: &Path) -> Result<OwnPath, String> {
    let mut parts = path.components().filter(|part| *part != Component::CurDir).peekable();
    if parts.peek().is_some() && parts.clone().all(|part| matches!(part, Component::Normal(_))) {
        return Ok(OwnPath::new(&manifest.folder, parts.collect::<PathBuf>()));
    }
    let folders = manifest.nets.iter().flat_map(|net| &net.outputs).filter(|output| output.kind == OutputKind::Folder);
    let same = |typed: &str| path.parent().is_some_and(|parent| parent == Path::new(typed));
    let folder = folders.map(|output| &output.path.value).find(|folder| same(&folder.typed));
    match (folder, path.file_name()) {
        (Some(folder), Some(name)) => Ok(OwnPath::new(&folder.resolved, name)),
        _ => Err("it is outside the folder of the manifest, and in none that nets write to now: remove it yourself".to_owned()),
    }
}

/// What is found under a noted path.
enum Found {
    /// Nothing.
    Missing,
    /// What stays under another name.
    Needed,
    /// The file that was noted, with its size.
    Ours(u64),
    /// Something else: why it stays.
    Other(String),
}

/// Whether what is there is the file that was published with this content.
fn ours(place: &OwnPath, sha256: &Sha256, keep: &Keep, ctx: &Ctx) -> Result<Found, String> {
    let (mut file, metadata) = match place.open_file() {
        Ok(opened) => opened,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(Found::Missing),
        Err(error) => return Ok(Found::Other(error.to_string())),
    };
    if keep.files.contains(&(metadata.dev(), metadata.ino())) {
        return Ok(Found::Needed);
    }
    let mut hasher = HashingWriter::<_, Sha256>::new(io::sink());
    let mut buffer = vec![0; 1 << 20];
    loop {
        ctx.check().map_err(|error| error.to_string())?;
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => hasher.write_all(&buffer[..count]).map_err(|error| error.to_string())?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    let (_, found, bytes) = hasher.finish();
    Ok(if found == *sha256 { Found::Ours(bytes) } else { Found::Other("its content is not what a build gave it".to_owned()) })
}
