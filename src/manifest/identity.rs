//! Which path is which file: paths as typed and as opened, links followed, letter case set aside.
//!
//! Looks at folders and links on the disk, never into files. What follows from two paths being one file is not decided here.

use std::{
    collections::HashMap,
    path::{Component, Path, PathBuf},
};

use crate::files::{joined, named};

/// A path in a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FilePath {
    /// As typed: for messages.
    pub typed: String,
    /// To open: relative to the process's folder, or absolute. Of an output without `.` and `..`.
    pub resolved: PathBuf,
}

impl FilePath {
    /// A path typed in a manifest that lies in `folder`.
    pub(super) fn new(folder: &Path, typed: &str) -> Self {
        let resolved = if folder == Path::new(".") { PathBuf::from(typed) } else { folder.join(typed) };
        Self { typed: typed.to_owned(), resolved }
    }

    /// A path to write to: without `.` and `..`.
    pub(super) fn of_output(folder: &Path, typed: &str) -> Self {
        let Self { typed, resolved } = Self::new(folder, typed);
        Self { typed, resolved: normalise(&resolved) }
    }

    /// What lies in this folder under a name.
    pub(super) fn child(&self, name: &str) -> Self {
        Self { typed: joined(&self.typed, name), resolved: self.resolved.join(name) }
    }
}

/// Which paths are one file.
pub(super) struct Disk {
    /// The process's folder, asked for once: sweeps have thousands of paths.
    here: Option<PathBuf>,
    /// The manifest's folder: as written, without `.` and `..`.
    lexical: Option<PathBuf>,
    /// The same with all links followed.
    real: Option<PathBuf>,
    /// Folders of files → with links followed. Many files share one.
    folders: HashMap<PathBuf, PathBuf>,
    /// Folders that are written to, likewise, their own last name included.
    targets: HashMap<PathBuf, PathBuf>,
}

/// [`std::path::absolute`] by a folder that is known.
fn absolute(here: Option<&Path>, path: &Path) -> std::io::Result<PathBuf> {
    match here {
        Some(here) if !path.as_os_str().is_empty() => std::path::absolute(here.join(path)),
        _ => std::path::absolute(path),
    }
}

impl Disk {
    pub fn new(folder: &Path) -> Self {
        let here = std::env::current_dir().ok();
        let lexical = absolute(here.as_deref(), folder).ok().map(|folder| normalise(&folder));
        Self { here, lexical, real: folder.canonicalize().ok(), folders: HashMap::new(), targets: HashMap::new() }
    }

    /// Equal for paths that are, or on some file system would be, one file.
    pub fn identity(&mut self, path: &Path) -> String {
        self.real_path(path).to_string_lossy().to_lowercase()
    }

    /// The path with the links of all that exists followed.
    fn real_path(&mut self, path: &Path) -> PathBuf {
        let absolute = absolute(self.here.as_deref(), path).unwrap_or_else(|_| path.to_owned());
        let (Some(parent), Some(name)) = (absolute.parent(), absolute.file_name()) else {
            return absolute.canonicalize().unwrap_or_else(|_| normalise(&absolute));
        };
        let real = match self.folders.get(parent) {
            Some(folder) => folder.join(name),
            None => {
                let folder = real_folder(parent);
                let real = folder.join(name);
                self.folders.insert(parent.to_owned(), folder);
                real
            }
        };
        // Only the last name is looked at for each file; the folders above are shared by many.
        let link = real.symlink_metadata().is_ok_and(|meta| meta.is_symlink());
        if link { real.canonicalize().unwrap_or(real) } else { real }
    }

    /// Where a path that is written below the manifest's folder really lies, if outside: the folder, and what it leads to.
    pub fn escape(&mut self, output: &Path, is_folder: bool) -> Option<(PathBuf, PathBuf)> {
        // A link in the output's own place leads out as one on the way does.
        let is_link = output.symlink_metadata().is_ok_and(|metadata| metadata.file_type().is_symlink());
        let target = if is_folder || is_link { Some(output) } else { output.parent() }?;
        let absolute = normalise(&absolute(self.here.as_deref(), named(target)).ok()?);
        if !absolute.starts_with(self.lexical.as_ref()?) {
            return None;
        }
        let real = self.target(absolute);
        (!real.starts_with(self.real.as_ref()?)).then(|| (target.to_owned(), real))
    }

    /// A folder with the links of all that exists followed.
    pub fn real_place(&mut self, folder: &Path) -> PathBuf {
        let absolute = normalise(&absolute(self.here.as_deref(), named(folder)).unwrap_or_else(|_| folder.to_owned()));
        self.target(absolute)
    }

    /// [`Self::real_path`] of a folder that many outputs share.
    fn target(&mut self, absolute: PathBuf) -> PathBuf {
        if let Some(real) = self.targets.get(&absolute) {
            return real.clone();
        }
        let real = self.real_path(&absolute);
        self.targets.insert(absolute, real.clone());
        real
    }
}

/// Follows the links of the deepest folder on the way that exists; the rest is kept.
fn real_folder(folder: &Path) -> PathBuf {
    for ancestor in folder.ancestors() {
        if let (Ok(real), Ok(rest)) = (ancestor.canonicalize(), folder.strip_prefix(ancestor)) {
            return normalise(&real.join(rest));
        }
    }
    normalise(folder)
}

/// The path without `.` and `..`, by its text alone.
pub(super) fn normalise(path: &Path) -> PathBuf {
    let mut parts: Vec<Component<'_>> = Vec::new();
    for part in path.components() {
        match (part, parts.last()) {
            (Component::CurDir, _) => {}
            (Component::ParentDir, Some(Component::Normal(_))) => {
                parts.pop();
            }
            (Component::ParentDir, Some(Component::RootDir | Component::Prefix(_))) => {}
            _ => parts.push(part),
        }
    }
    if parts.is_empty() { PathBuf::from(".") } else { parts.into_iter().collect() }
}

#[cfg(test)]
mod tests;
