//! A build of everything in which nothing is to be done, without reading the manifest: the last such build's report, if not one of the
//! files that it rests on was touched since. What "touched" means is [`cache::witness`]'s.

use std::path::{Path, PathBuf};

use super::report::Report;
use super::{CACHE_VARIABLE, Workspace, cache_folder, lock, state_folder_of};
use crate::cache::{Blake3, Clock, Signature, Witnessed, witness};
use crate::graph::KEY_SCHEMA;

/// The report of a build of all nets of the manifest at `manifest`, if that build would find everything as the last one left it.
pub fn unchanged(manifest: &Path) -> Option<Report> {
    let cache = cache_folder(&folder_of(manifest));
    witness::load(&place(manifest), context(manifest)?, &cache, |report| serde_json::from_slice(report).ok())
}

/// Remembers a build of all nets that began at `began` and found them fresh from the files `rests_on`.
pub(super) fn remember(workspace: &Workspace<'_>, report: &Report, mut rests_on: Vec<Witnessed>, began: Clock) {
    let manifest = workspace.manifest;
    // Warnings are said at every build.
    if !manifest.overrides.is_empty() || !manifest.warnings.is_empty() || !workspace.cache.is_storing() {
        return;
    }
    rests_on.push(Witnessed::Path(manifest.path.clone()));
    rests_on.push(Witnessed::Path(lock::path_of(manifest)));
    rests_on.push(Witnessed::Path(workspace.cache.root_of(&workspace.absolute_manifest())));
    rests_on.extend(manifest.listed.iter().cloned().map(Witnessed::Path));
    rests_on.sort_unstable();
    rests_on.dedup();
    if let (Some(context), Ok(bytes)) = (context(&manifest.path), serde_json::to_vec(report)) {
        let cache = cache_folder(&manifest.folder);
        // It only saves time; without it the next build looks at everything once more.
        witness::save(&place(&manifest.path), context, &rests_on, &cache, began, &bytes);
    }
}

fn place(manifest: &Path) -> PathBuf {
    state_folder_of(manifest).join("unchanged.bin")
}

fn folder_of(manifest: &Path) -> PathBuf {
    manifest.parent().filter(|folder| !folder.as_os_str().is_empty()).map_or_else(|| PathBuf::from("."), Path::to_owned)
}

/// What the report depends on besides files: this program, the words for the manifest and the cache from which paths are made.
fn context(manifest: &Path) -> Option<Blake3> {
    let program = std::env::current_exe().ok()?;
    let signature = Signature::of(&std::fs::metadata(&program).ok()?);
    let cache = std::env::var_os(CACHE_VARIABLE).unwrap_or_default();
    let mut hasher = blake3::Hasher::new_derive_key("nnue 2026-11 unchanged build");
    let program = [env!("CARGO_PKG_VERSION").to_owned(), KEY_SCHEMA.to_string(), format!("{signature:?}")];
    for part in program.iter().map(AsRef::as_ref).chain([manifest.as_os_str(), cache.as_os_str()]) {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_encoded_bytes());
    }
    Some(Blake3(hasher.finalize().into()))
}
