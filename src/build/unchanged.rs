//! A build of all nets with nothing to do, told without reading the manifest: the report of the last such build, if none of the files
//! that it rests on was touched since. What "touched" means is [`cache::witness`]'s.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;

use super::report::Report;
use super::{CACHE_VARIABLE, Workspace, cache_folder, lock, state_folder};
use crate::cache::witness::{self, Signed};
use crate::cache::{Witnessed, remote};
use crate::files::{Blake3, Clock, OwnPath, Signature, folder_of};
use crate::manifest::OutputKind;
use crate::plan::KEY_SCHEMA;

/// Variables of the environment that a build checks before it does anything.
const VARIABLES: [&str; 3] = [remote::KEY_VARIABLE, remote::TIMEOUT_VARIABLE, "SSL_CERT_FILE"];

/// The report of a build of all nets of the manifest at `manifest`, if that build would find everything as the last one left it.
pub fn unchanged(manifest: &Path) -> Option<Report> {
    let cache = cache_folder(folder_of(manifest));
    witness::load(&place(manifest), context(manifest)?, &cache, |report| serde_json::from_slice(report).ok())
}

/// The moment by which a build of the manifest at `manifest` begins, for [`super::Options::began`]. `None` before the first build.
pub fn began(manifest: &Path) -> Option<Clock> {
    witness::clock(&state_folder(manifest))
}

/// Remembers a build of all nets that began at `began` and found them fresh from the files `rests_on`. It only saves time: without it
/// the next build looks at everything again.
pub(super) fn remember(workspace: &Workspace<'_>, report: &Report, rests_on: Vec<Signed>, began: Clock) {
    let manifest = workspace.manifest;
    // Warnings are said at every build.
    if !manifest.overrides.is_empty() || !manifest.warnings.is_empty() || !workspace.cache.is_storing() {
        return;
    }
    if let (Some(files), Some(context), Ok(report)) = (and_around(workspace, rests_on), context(&manifest.path), serde_json::to_vec(report))
    {
        witness::save(&place(&manifest.path), context, &files, began, &report);
    }
}

/// `files`, and what else decides: the manifest, where its sweeps looked, the lock, the cache's note of the manifest, and the folders on the
/// way to the outputs, of which none may become a link that leads elsewhere.
fn and_around(workspace: &Workspace<'_>, mut files: Vec<Signed>) -> Option<Vec<Signed>> {
    let manifest = workspace.manifest;
    files.push((Witnessed::Path(manifest.path.clone()), Signature::of(manifest.metadata.as_ref()?)));
    for (path, metadata) in &manifest.listed {
        files.push((Witnessed::Path(path.clone()), Signature::of(metadata.as_ref()?)));
    }
    for path in [lock::path_of(manifest), workspace.cache.root_of(&workspace.absolute_manifest())] {
        let signature = Signature::of(&path.metadata().ok()?);
        files.push((Witnessed::Place(path.as_path().to_owned()), signature));
    }
    let mut folders = BTreeSet::new();
    for output in manifest.nets.iter().flat_map(|net| &net.outputs) {
        let path = &output.path.value.resolved;
        let first = if output.kind == OutputKind::Folder { Some(path.as_path()) } else { path.parent() };
        let below = first.into_iter().flat_map(Path::ancestors).take_while(|folder| **folder != manifest.folder);
        folders.extend(below.filter(|folder| folder.file_name().is_some()).map(Path::to_owned));
    }
    for folder in folders {
        let signature = Signature::of(&folder.symlink_metadata().ok()?);
        files.push((Witnessed::Place(folder), signature));
    }
    Some(files)
}

fn place(manifest: &Path) -> OwnPath {
    state_folder(manifest).join("unchanged.bin")
}

/// What the report depends on besides files: this program, the words for the manifest and the cache from which paths are made.
fn context(manifest: &Path) -> Option<Blake3> {
    let program = std::env::current_exe().ok()?;
    let signature = Signature::of(&std::fs::metadata(&program).ok()?);
    let cache = std::env::var_os(CACHE_VARIABLE).unwrap_or_default();
    let mut hasher = blake3::Hasher::new_derive_key("nnue 2026-11 unchanged build");
    let program = [env!("CARGO_PKG_VERSION").to_owned(), KEY_SCHEMA.to_string(), format!("{signature:?}")];
    // By its absolute name the cache knows the manifest: one that was moved is another.
    let absolute = std::path::absolute(manifest).ok()?;
    // Variables that are wrong have to be said, too.
    let variables: Vec<OsString> = VARIABLES.iter().map(|name| std::env::var_os(name).unwrap_or_default()).collect();
    let words = [manifest.as_os_str(), absolute.as_os_str(), cache.as_os_str()].into_iter().chain(variables.iter().map(AsRef::as_ref));
    for part in program.iter().map(AsRef::as_ref).chain(words) {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_encoded_bytes());
    }
    Some(Blake3(hasher.finalize().into()))
}
