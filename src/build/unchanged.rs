//! Nets with nothing to do, told without looking into their files: the reports of the last build that found each of them fresh, if
//! none of the files that this rests on was touched since. What "touched" means is [`cache::witness`]'s.
//!
//! Where that is so of all nets, and of the manifest and what is around it, the manifest need not be read; else each net is judged by
//! what the manifest now says of it, and only the others are planned and resolved.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::lock::{Lock, LockedNet};
use super::report::{NetReport, Report, SCHEMA};
use super::{CACHE_VARIABLE, Options, Workspace, cache_folder, lock, state_folder};
use crate::cache::witness::{self, Part, Signed, Witness};
use crate::cache::{Witnessed, remote};
use crate::files::{Blake3, Clock, OwnPath, Signature, folder_of};
use crate::manifest::{Manifest, OutputKind, ResolvedNet, provenance_path};
use crate::plan::KEY_SCHEMA;

/// Variables of the environment that a build checks before it does anything.
const VARIABLES: [&str; 3] = [remote::KEY_VARIABLE, remote::TIMEOUT_VARIABLE, "SSL_CERT_FILE"];

/// The report of a build of all nets of the manifest at `manifest`, if that build would find everything as the last one left it.
pub fn unchanged(manifest: &Path) -> Option<Report> {
    let cache = cache_folder(folder_of(manifest));
    let witness = Witness::read(&place(manifest), context(manifest)?)?;
    let nets = witness.whole(&cache, |result| serde_json::from_slice(split(result)?.1).ok())?;
    Some(Report { schema: SCHEMA, nets })
}

/// The moment by which a build of the manifest at `manifest` begins, for [`super::Options::began`]. `None` before the first build.
pub fn began(manifest: &Path) -> Option<Clock> {
    witness::clock(&state_folder(manifest))
}

/// Nets of which a build need not look at anything, by their names.
#[derive(Default)]
pub(super) struct Known {
    nets: HashMap<String, (NetReport, Part)>,
    /// How many results the file has, of nets that are as they were and others.
    in_file: usize,
}

impl Known {
    /// Those of `nets`, among which are those that others are made from. `lock` is what is locked, where that counts.
    pub(super) fn of(workspace: &Workspace<'_>, nets: &[&ResolvedNet], options: &Options, lock: Option<&Lock>) -> Self {
        let manifest = workspace.manifest;
        let asks = !options.force && !options.paranoid && manifest.overrides.is_empty() && manifest.warnings.is_empty();
        if !asks || !workspace.cache.has_root(&workspace.absolute_manifest()) {
            return Self::default();
        }
        let witness = context(&manifest.path).and_then(|context| Witness::read(&place(&manifest.path), context));
        let Some(witness) = witness else { return Self::default() };
        let mut standing = witness.standing(&cache_folder(&manifest.folder));
        let mut known = Self { nets: HashMap::with_capacity(nets.len()), in_file: witness.len() };
        for net in nets {
            let Some(part) = standing.remove(&identity(manifest, net)) else { continue };
            let Some((locked, report)) = split(&part.result) else { continue };
            let is_locked = lock.is_none_or(|lock| digest_of(lock.nets.get(&net.name)) == locked);
            match serde_json::from_slice::<NetReport>(report) {
                Ok(report) if is_locked && report.net == net.name => drop(known.nets.insert(report.net.clone(), (report, part))),
                _ => {}
            }
        }
        // What is made from a net that is looked into is looked into, too.
        loop {
            let lost: Vec<&str> = nets
                .iter()
                .filter(|net| known.knows(net) && net.needs().any(|name| !known.nets.contains_key(name)))
                .map(|net| net.name.as_str())
                .collect();
            if lost.is_empty() {
                return known;
            }
            lost.into_iter().for_each(|name| drop(known.nets.remove(name)));
        }
    }

    /// Whether nothing of the net need be looked at.
    pub(super) fn knows(&self, net: &ResolvedNet) -> bool {
        self.nets.contains_key(&net.name)
    }

    /// Takes these out: they are looked into after all.
    pub(super) fn forget(&mut self, nets: &[&ResolvedNet]) {
        nets.iter().for_each(|net| drop(self.nets.remove(&net.name)));
    }

    /// The report on a net.
    pub(super) fn report(&self, net: &ResolvedNet) -> Option<&NetReport> {
        self.nets.get(&net.name).map(|(report, _)| report)
    }

    /// The provenance files of all, with the nets that they are about.
    pub(super) fn provenance<'n>(&'n self, nets: &'n [&ResolvedNet]) -> impl Iterator<Item = (PathBuf, String)> + 'n {
        let nets = nets.iter().filter(|net| net.release.provenance.value).filter_map(|net| Some((net, self.report(net)?)));
        nets.flat_map(|(net, report)| {
            net.outputs.iter().zip(&report.outputs).map(|(output, written)| {
                let path = &output.path.value.resolved;
                let name = Path::new(&written.path).file_name().filter(|_| output.kind == OutputKind::Folder);
                (provenance_path(&name.map_or_else(|| path.clone(), |name| path.join(name))), net.name.clone())
            })
        })
    }
}

/// Remembers what a build of all nets, that began at `began`, found: `known` of those that it did not look into, of others that it found
/// fresh the files that this rests on. With `page`, a page that was written. It only saves time: without it the next build looks at
/// everything again.
pub(super) fn remember(
    workspace: &Workspace<'_>,
    mut known: Known,
    found: &[(NetReport, Vec<Signed>)],
    page: Option<Signed>,
    began: Clock,
) {
    let manifest = workspace.manifest;
    // Warnings are said at every build.
    if !manifest.overrides.is_empty() || !manifest.warnings.is_empty() || !workspace.cache.is_storing() {
        return;
    }
    let (Some(context), Ok(lock)) = (context(&manifest.path), Lock::read(lock::path_of(manifest))) else { return };
    let found: HashMap<&str, &(NetReport, Vec<Signed>)> = found.iter().map(|found| (found.0.net.as_str(), found)).collect();
    let parts: Vec<Part> = manifest
        .nets
        .iter()
        .filter_map(|net| match found.get(net.name.as_str()) {
            Some((report, files)) => {
                let locked = lock.nets.get(&net.name);
                if !locked.is_some_and(|locked| is_as_written(locked, report)) {
                    return None;
                }
                let mut result = digest_of(locked).0.to_vec();
                serde_json::to_writer(&mut result, report).ok()?;
                Some(Part::new(identity(manifest, net), files.clone(), result))
            }
            None => known.nets.remove(&net.name).map(|(_, part)| part),
        })
        .collect();
    let common = if parts.len() == manifest.nets.len() { around(workspace, page) } else { None };
    // Else the file says as much already.
    if common.is_some() || parts.len() > known.in_file {
        witness::save(&place(&manifest.path), context, common.as_deref(), &parts, began);
    }
}

/// Whether a build would write this into the lock again: `--locked` also takes what other versions wrote, and what claims no proof.
fn is_as_written(locked: &LockedNet, report: &NetReport) -> bool {
    locked.tool == env!("CARGO_PKG_VERSION") && locked.key_schema == KEY_SCHEMA && locked.proof.is_some() == report.proof.is_some()
}

/// The digest of what is locked of a net, and the report on it.
fn split(result: &[u8]) -> Option<(Blake3, &[u8])> {
    let (digest, report) = result.split_first_chunk()?;
    Some((Blake3(*digest), report))
}

fn digest_of(locked: Option<&LockedNet>) -> Blake3 {
    Blake3::of(&serde_json::to_vec(&locked).unwrap_or_default())
}

/// All that the manifest says of a net and its files depend on.
fn identity(manifest: &Manifest, net: &ResolvedNet) -> Blake3 {
    let definition = net.definition();
    if !net.release.provenance.value {
        return definition;
    }
    // It holds a digest of the manifest.
    let mut hasher = blake3::Hasher::new();
    hasher.update(&definition.0).update(manifest.text().as_bytes());
    Blake3(hasher.finalize().into())
}

/// What decides besides the files of nets: the manifest, where its sweeps looked, the lock, the cache's note of the manifest, the page, and
/// the folders on the way to the outputs, of which none may become a link that leads elsewhere.
fn around(workspace: &Workspace<'_>, page: Option<Signed>) -> Option<Vec<Signed>> {
    let manifest = workspace.manifest;
    let mut files: Vec<Signed> = page.into_iter().collect();
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
