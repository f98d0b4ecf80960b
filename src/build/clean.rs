//! Removes what builds published and no net has as its output any more: files of nets that are gone, files of earlier contents.
//!
//! Goes by the list of published files alone. What stays, whatever the list says: outputs of the last build of each net of the manifest, files that
//! the manifest reads, files that another manifest beside it published, links, and files with another content than a build gave them.

use std::collections::{BTreeSet, HashSet};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::lock::Lock;
use super::{begun, lock, state_folder};
use crate::cache::{BuildLog, BuildState, PublishedFile, PublishedLog};
use crate::ctx::Ctx;
use crate::error::{Kind, Result};
use crate::files::lock::{Sharing, Waiting};
use crate::files::{self, OwnPath, Sha256};
use crate::manifest::{Described, FilePath, Manifest, OutputKind, PROVENANCE_SUFFIX, provenance_path};
use crate::platform::{self, Identity};

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
    let locked = Lock::read(lock::path_of(manifest))?;
    let builds = BuildLog::new(state.join("nets"));
    let last: Vec<BuildState> = manifest.nets.iter().filter_map(|net| builds.load(&net.name, ctx)).collect();
    let keep = Keep::new(manifest, &last, &locked);
    let names: HashSet<&str> = manifest.nets.iter().map(|net| net.name.as_str()).collect();
    let mut cleaning = Cleaning { keep, names: &names, cleaned: Cleaned { dry_run: options.dry_run, ..Cleaned::default() }, ctx };
    let mut forgotten = Vec::new();
    for file in known {
        ctx.check()?;
        if !cleaning.keep.paths.contains(&file.path) {
            cleaning.published(manifest, &file)?;
            forgotten.push(file);
        }
    }
    let mut cleaned = cleaning.cleaned;
    cleaned.unlocked = locked.nets.keys().filter(|name| !names.contains(name.as_str())).cloned().collect();
    if !options.dry_run {
        log.remove(&forgotten, options.lock_timeout, ctx)?;
        if !cleaned.unlocked.is_empty() {
            unlock(manifest, &builds, options, &names, ctx)?;
        }
    }
    Ok(cleaned)
}

/// What is known while files are gone through.
struct Cleaning<'a> {
    keep: Keep,
    /// Of the nets of the manifest.
    names: &'a HashSet<&'a str>,
    cleaned: Cleaned,
    ctx: &'a Ctx,
}

impl Cleaning<'_> {
    /// Removes a published file with its provenance file, so far as they are what builds made them.
    fn published(&mut self, manifest: &Manifest, file: &PublishedFile) -> Result<()> {
        let shown = file.path.display().to_string();
        let place = match place_of(manifest, &file.path) {
            Ok(place) => place,
            Err(why) => {
                self.stays(shown, &file.net, why);
                return Ok(());
            }
        };
        if self.remove(&place, &file.sha256, &shown, &file.net)?
            && let Some(sha256) = &file.provenance
        {
            let name = place.as_path().file_name().unwrap_or_default();
            let beside = place.folder().join(provenance_path(Path::new(name)));
            self.remove(&beside, sha256, &format!("{shown}{PROVENANCE_SUFFIX}"), &file.net)?;
        }
        Ok(())
    }

    /// Removes a file that still has this content; whether none is there any more.
    fn remove(&mut self, place: &OwnPath, sha256: &Sha256, shown: &str, net: &str) -> Result<bool> {
        match self.found(place, sha256)? {
            Found::Missing => Ok(true),
            Found::Ours(bytes) => {
                if !self.cleaned.dry_run {
                    place.remove()?;
                }
                let gone = !self.names.contains(net);
                self.cleaned.removed.push(RemovedFile { path: shown.to_owned(), net: net.to_owned(), gone, bytes });
                Ok(true)
            }
            // It is another one's now.
            Found::Needed => Ok(false),
            Found::Other(why) => {
                self.stays(shown.to_owned(), net, why);
                Ok(false)
            }
        }
    }

    fn stays(&mut self, path: String, net: &str, why: String) {
        self.cleaned.kept.push(KeptFile { path, net: net.to_owned(), why });
    }

    /// Whether what is there is the file that was published with this content.
    fn found(&self, place: &OwnPath, sha256: &Sha256) -> Result<Found> {
        let (file, metadata) = match place.open_file() {
            Ok(opened) => opened,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(Found::Missing),
            Err(error) => return Ok(Found::Other(error.to_string())),
        };
        if platform::identity_of(&file, &metadata).is_ok_and(|identity| self.keep.files.contains(&identity)) {
            return Ok(Found::Needed);
        }
        match files::hash_opened_sha256(&file, metadata.len(), place.as_path(), self.ctx) {
            Ok(found) if found == *sha256 => Ok(Found::Ours(metadata.len())),
            Ok(_) => Ok(Found::Other("its content is not what a build gave it".to_owned())),
            Err(error) if error.kind() == Kind::Interrupted => Err(error),
            Err(error) => Ok(Found::Other(error.to_string())),
        }
    }
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
        let with_provenance = paths.iter().flat_map(|path| [path.clone(), provenance_path(path)]);
        let mut kept: BTreeSet<PathBuf> = with_provenance.map(|path| manifest.folder.join(path)).collect();
        kept.extend(inputs(manifest));
        kept.extend(of_other_manifests(manifest).into_iter().map(|path| manifest.folder.join(path)));
        // What a link leads to stays with it.
        let files = kept.iter().filter_map(|path| platform::identity_of_path(path).ok()).collect();
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
