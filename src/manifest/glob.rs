//! Patterns of files: reading one, finding what it matches on the disk, and telling whether it would match a path.
//!
//! Knows nothing of nets. It only looks: at folders and links, never into files.

use std::{
    collections::BTreeMap,
    fs::Metadata,
    io,
    path::{Component, Path, PathBuf, is_separator},
};

use globset::{GlobBuilder, GlobMatcher};

use super::captures;
use super::identity::FilePath;
use crate::files::named;

/// Folders and links that were looked into, with what the file system said of them before.
pub(super) type Listed = BTreeMap<PathBuf, Option<Metadata>>;

/// A pattern of files.
pub(super) struct Glob {
    /// The root of a file system; empty where it is relative to the manifest.
    root: String,
    steps: Vec<Step>,
}

impl Glob {
    /// # Errors
    /// What is wrong with the pattern.
    pub fn parse(pattern: &str) -> Result<Self, String> {
        let pattern = &captures::without_names(pattern)?;
        let (root, rest) = pattern.split_at(root_length(pattern));
        Ok(Self { root: root.to_owned(), steps: parse_steps(rest)? })
    }

    /// The place from which the pattern leads, for a manifest in `folder`.
    fn root(&self, folder: &Path) -> FilePath {
        FilePath::new(folder, &self.root)
    }

    /// The files that match, for a manifest in `folder`.
    pub fn find(&self, folder: &Path) -> Found {
        let mut found = Found::default();
        walk(&self.root(folder), &self.steps, &mut found);
        found
    }

    /// The last folder on the literal way of the pattern that exists, as typed.
    pub fn deepest_folder(&self, folder: &Path) -> String {
        let mut at = self.root(folder);
        for step in &self.steps {
            let Step::Literal(name) = step else { break };
            let next = at.child(name);
            if !next.resolved.is_dir() {
                break;
            }
            at = next;
        }
        if at.typed.is_empty() { ".".to_owned() } else { at.typed }
    }

    /// Parts the pattern: the folder that its literal names lead to, by `..` and links, too; and what is matched name by name below it.
    pub fn split(&self, folder: &Path) -> (PathBuf, &[Step]) {
        let before_last = self.steps.len().saturating_sub(1);
        let literal = self.steps.iter().take(before_last).take_while(|step| matches!(step, Step::Literal(_))).count();
        let (way, rest) = self.steps.split_at(literal);
        let root = if self.root.is_empty() { folder } else { Path::new(&self.root) };
        let names = way.iter().filter_map(|step| if let Step::Literal(name) = step { Some(name) } else { None });
        (names.fold(root.to_owned(), |at, name| at.join(name)), rest)
    }
}

/// One part of a glob between slashes.
pub(super) enum Step {
    Literal(String),
    Pattern {
        matcher: GlobMatcher,
        hidden: bool,
    },
    /// `**`: any number of folders.
    Any,
}

/// How much of a pattern is the root of a file system: `/`, on Windows also `C:/`.
fn root_length(pattern: &str) -> usize {
    let prefix = match Path::new(pattern).components().next() {
        Some(Component::Prefix(prefix)) => prefix.as_os_str().len(),
        _ => 0,
    };
    prefix + usize::from(pattern[prefix..].starts_with(is_separator))
}

fn parse_steps(pattern: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    for part in pattern.split('/').filter(|part| !matches!(*part, "" | ".")) {
        if part == "**" {
            // `**/**` matches what `**` does, in more time.
            if !matches!(steps.last(), Some(Step::Any)) {
                steps.push(Step::Any);
            }
        } else if part.contains(['*', '?', '[', ']', '{', '}', '\\']) {
            let glob = GlobBuilder::new(part).literal_separator(true).backslash_escape(true).build();
            let matcher = glob.map_err(|error| format!("`{part}`: {}", error.kind()))?.compile_matcher();
            steps.push(Step::Pattern { matcher, hidden: part.starts_with('.') });
        } else {
            steps.push(Step::Literal(part.to_owned()));
        }
    }
    if pattern.ends_with('/') || steps.is_empty() { Err("it names a folder, not files".to_owned()) } else { Ok(steps) }
}

/// Whether [`walk`] along `steps` would find a file of this path below the place where it begins.
pub(super) fn covers(steps: &[Step], below: &Path) -> bool {
    // Which steps may be next. `**` may be left at any time, so what follows it is next, too.
    let reach = |next: &mut [bool]| {
        for index in 0..steps.len() {
            if next[index] && matches!(steps[index], Step::Any) && index + 1 < steps.len() {
                next[index + 1] = true;
            }
        }
    };
    let mut next = vec![false; steps.len() + 1];
    next[0] = true;
    reach(&mut next);
    for part in below.components() {
        let Component::Normal(name) = part else { return false };
        let is_hidden = name.as_encoded_bytes().starts_with(b".");
        let mut then = vec![false; steps.len() + 1];
        for (index, step) in steps.iter().enumerate().filter(|(index, _)| next[*index]) {
            match step {
                Step::Literal(literal) => then[index + 1] |= name == literal.as_str(),
                Step::Pattern { matcher, hidden } => then[index + 1] |= (*hidden || !is_hidden) && matcher.is_match(Path::new(name)),
                Step::Any => {
                    then[index] |= !is_hidden;
                    // At the end of a glob it stands for files.
                    then[index + 1] |= !is_hidden && index + 1 == steps.len();
                }
            }
        }
        next = then;
        reach(&mut next);
    }
    next[steps.len()]
}

/// Files found by a glob: path on disk, and as typed where it is UTF-8.
#[derive(Default)]
pub(super) struct Found {
    pub files: BTreeMap<PathBuf, Option<String>>,
    pub error: Option<(PathBuf, io::Error)>,
    /// While these stay as they are, the same files are found.
    pub listed: Listed,
    /// Links that match and lead to nothing.
    pub dangling: Vec<PathBuf>,
}

impl Found {
    /// To be called before `path` is looked into.
    fn note(&mut self, path: &Path) {
        self.listed.entry(path.to_owned()).or_insert_with(|| path.metadata().ok());
    }
}

/// Goes down only where the next step can match. `**` does not follow links, so that it ends; nothing but a pattern that
/// begins with a dot matches hidden names, so that the cache is never a source.
fn walk(at: &FilePath, steps: &[Step], found: &mut Found) {
    let Some((step, rest)) = steps.split_first() else { return };
    // A folder that is missing can only come to one that is there.
    let nearest = at.resolved.ancestors().map(named).find(|folder| folder.exists());
    if let Some(nearest) = nearest {
        found.note(nearest);
    }
    match step {
        Step::Literal(name) => {
            let next = at.child(name);
            if next.resolved.is_symlink() {
                // What a link leads to may come and go without a change of the folder.
                found.note(&next.resolved);
            }
            if !rest.is_empty() {
                walk(&next, rest, found);
            } else if next.resolved.is_file() {
                found.files.insert(next.resolved, Some(next.typed));
            } else if next.resolved.is_symlink() && !next.resolved.exists() {
                found.dangling.push(next.resolved);
            }
        }
        Step::Pattern { matcher, hidden } => {
            for entry in read_folder(&at.resolved, found) {
                let name = entry.file_name();
                if (name.as_encoded_bytes().starts_with(b".") && !hidden) || !matcher.is_match(Path::new(&name)) {
                    continue;
                }
                enter(at, &entry, rest, rest.is_empty(), found);
            }
        }
        Step::Any => {
            walk(at, rest, found);
            for entry in read_folder(&at.resolved, found) {
                if entry.file_name().as_encoded_bytes().starts_with(b".") {
                    continue;
                }
                let real_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                if real_folder {
                    enter(at, &entry, steps, false, found);
                } else if rest.is_empty() {
                    enter(at, &entry, &[], true, found);
                }
            }
        }
    }
}

/// Takes a matching entry as a file, or goes on below it.
fn enter(at: &FilePath, entry: &std::fs::DirEntry, steps: &[Step], last: bool, found: &mut Found) {
    let name = entry.file_name();
    let path = entry.path();
    if entry.file_type().is_ok_and(|kind| kind.is_symlink()) {
        found.note(&path);
    }
    // The folder's listing tells what is a file; only links need a look.
    let is_file = || entry.file_type().is_ok_and(|kind| kind.is_file() || (kind.is_symlink() && path.is_file()));
    match name.to_str() {
        Some(name) if !last => walk(&at.child(name), steps, found),
        // Below a folder whose name is not UTF-8 nothing can be typed; its files are reported one by one.
        None if !last => {}
        Some(name) if is_file() => {
            let file = at.child(name);
            found.files.insert(file.resolved, Some(file.typed));
        }
        None if is_file() => {
            found.files.insert(path, None);
        }
        _ if path.is_symlink() && !path.exists() => found.dangling.push(path),
        _ => {}
    }
}

/// The entries by name. A folder that is not there has none.
fn read_folder(folder: &Path, found: &mut Found) -> Vec<std::fs::DirEntry> {
    let folder = named(folder);
    let entries = std::fs::read_dir(folder).and_then(|entries| entries.collect::<io::Result<Vec<_>>>());
    match entries {
        Ok(mut entries) => {
            entries.sort_by_key(std::fs::DirEntry::file_name);
            entries
        }
        Err(error) => {
            if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) && found.error.is_none() {
                found.error = Some((folder.to_owned(), error));
            }
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests;
