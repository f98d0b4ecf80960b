//! Paths that the program makes itself, below a folder of the user's: no symbolic link is followed there, and nothing but regular files
//! is read or written.
//!
//! A project may come from anybody, with a `.nnue` and a `nnue.lock` in it. Whatever stands in these places must not lead a write, a
//! lock or a removal to another file, nor a read to a pipe that keeps it waiting. So files are opened relative to a handle of the folder
//! that the user named; links on the way to *that* are the user's own, and are followed.
//!
//! A name that is given to a new file replaces a link of that name, and never what the link leads to.

use std::{
    ffi::{OsStr, OsString},
    fs::{File, Metadata},
    io::{self, Read, Write},
    path::{Component, Path, PathBuf},
};

use tempfile::NamedTempFile;

use super::paths::{folder_of, named};
use super::write::{self, Durability};
use crate::error::{Error, Result};
use crate::platform::{self, Folder, NewFile, Purpose};

/// A path of the program's own, of a file or a folder that may or may not be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnPath {
    /// The user's folder.
    base: PathBuf,
    /// Below it; empty for the folder itself.
    rest: PathBuf,
    /// Both, for messages.
    path: PathBuf,
}

/// The file or folder of this name, in a folder of the user's.
impl From<&Path> for OwnPath {
    fn from(path: &Path) -> Self {
        match path.file_name() {
            Some(name) => Self::new(folder_of(path), name),
            None => Self::new(path, ""),
        }
    }
}

impl From<&PathBuf> for OwnPath {
    fn from(path: &PathBuf) -> Self {
        path.as_path().into()
    }
}

impl From<&OwnPath> for OwnPath {
    fn from(path: &OwnPath) -> Self {
        path.clone()
    }
}

impl OwnPath {
    /// What is called `rest` below the user's folder `base`. With an empty `rest` it is that folder.
    pub fn new(base: &Path, rest: impl AsRef<Path>) -> Self {
        let path = if base == Path::new(".") { rest.as_ref().to_owned() } else { base.join(&rest) };
        Self { base: named(base).to_owned(), rest: rest.as_ref().to_owned(), path }
    }

    /// What is called `name` in this folder.
    #[must_use]
    pub fn join(&self, name: impl AsRef<Path>) -> Self {
        Self { base: self.base.clone(), rest: self.rest.join(&name), path: self.path.join(&name) }
    }

    /// The same with another ending of the last name.
    #[must_use]
    pub fn with_extension(&self, ending: &str) -> Self {
        Self { base: self.base.clone(), rest: self.rest.with_extension(ending), path: self.path.with_extension(ending) }
    }

    /// The folder that this is in; the user's folder is in itself.
    #[must_use]
    pub fn folder(&self) -> Self {
        let rest = self.rest.parent().unwrap_or(Path::new(""));
        if rest.as_os_str().is_empty() { Self::new(&self.base, "") } else { Self::new(&self.base, rest) }
    }

    /// As other programs have it, for messages and for what only looks.
    pub fn as_path(&self) -> &Path {
        &self.path
    }

    /// For messages.
    pub fn display(&self) -> std::path::Display<'_> {
        named(&self.path).display()
    }

    /// The file, for reading.
    ///
    /// # Errors
    /// When it is missing, a link, reached through a link, or not a regular file.
    pub fn open(&self) -> io::Result<File> {
        self.open_file().map(|(file, _)| file)
    }

    /// As [`Self::open`], with what the file system says of the open file.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_file(&self) -> io::Result<(File, Metadata)> {
        regular(self.open_for(Purpose::Read)?)
    }

    /// The contents of the file.
    ///
    /// # Errors
    /// As [`Self::open`]; and when there are more than `most` bytes.
    pub fn read(&self, most: u64) -> io::Result<Vec<u8>> {
        let (file, metadata) = self.open_file()?;
        let mut bytes = Vec::with_capacity(usize::try_from(metadata.len().min(most)).unwrap_or(0));
        file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > most {
            return Err(io::Error::other(format!("it has more than {most} bytes")));
        }
        Ok(bytes)
    }

    /// What the file system says of the file.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn metadata(&self) -> io::Result<Metadata> {
        regular(self.open_for(Purpose::Look)?).map(|(_, metadata)| metadata)
    }

    /// Whether the file is there.
    pub fn is_file(&self) -> bool {
        self.metadata().is_ok()
    }

    /// Whether the folder is there.
    pub fn is_folder(&self) -> bool {
        self.open_folder().is_ok()
    }

    /// A handle of the folder, for what is below it.
    ///
    /// # Errors
    /// When it is missing, a link, reached through a link, or not a folder.
    pub(crate) fn open_folder(&self) -> io::Result<Folder> {
        self.below(Folder::open)
    }

    /// The names of what is in the folder, in no order; those that are not text included.
    ///
    /// # Errors
    /// As [`Self::open_folder`].
    pub fn names(&self) -> io::Result<Vec<OsString>> {
        let _held = self.open_folder()?;
        std::fs::read_dir(named(&self.path))?.map(|entry| entry.map(|entry| entry.file_name())).collect()
    }

    /// The file for locking, made where it is missing. Where the folder is read-only, still that which is there.
    pub(crate) fn open_lock(&self) -> io::Result<File> {
        let opened = self.open_for(Purpose::Lock);
        let file = opened.or_else(|error| self.open_for(Purpose::Read).map_err(|_| error))?;
        regular(file).map(|(file, _)| file)
    }

    /// Whether it is a file that nobody writes any more.
    pub(super) fn has_no_writer(&self) -> bool {
        self.open_for(Purpose::Inherit).and_then(regular).is_ok_and(|(file, _)| platform::has_no_writer(&file))
    }

    /// Makes the folder and those above it, where they are missing.
    ///
    /// # Errors
    /// When that fails, or a link or a file is in the way.
    pub fn create_folder(&self) -> Result<()> {
        self.create().map_err(|error| {
            let in_the_way = matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory) || is_link(&error);
            let error = Error::io("cannot create the folder", named(&self.path), error);
            if in_the_way {
                error.help("what has that name, or that of a folder above it, is not a usable folder: move it away")
            } else {
                error
            }
        })
    }

    pub(super) fn create(&self) -> io::Result<()> {
        match self.open_folder() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => return other.map(drop),
        }
        let Some(name) = self.rest.file_name() else { return std::fs::create_dir_all(&self.base) };
        let above = self.folder();
        above.create()?;
        match above.open_folder()?.make(name) {
            // Another process was as fast.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.open_folder().map(drop),
            other => other,
        }
    }

    /// Removes the file and tells whether there was one. A link is removed as such.
    ///
    /// # Errors
    /// When it is there and cannot be removed.
    pub fn remove(&self) -> Result<bool> {
        let removed = self.folder().open_folder().and_then(|folder| folder.remove(self.name()?));
        match removed {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Error::io("cannot remove", &self.path, error)),
        }
    }

    /// Replaces the file by what `write` writes, as [`super::write_atomic`]; a link of this name is replaced, too.
    ///
    /// # Errors
    /// Those of `write`; any failed file operation; a folder of this name, or a link on the way.
    pub fn write<T>(&self, durability: Durability, write: impl FnOnce(&mut dyn Write) -> Result<T>) -> Result<T> {
        write::write_own(self, durability, write)
    }

    /// As [`Self::write`] with these bytes.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn write_bytes(&self, durability: Durability, bytes: &[u8]) -> Result<()> {
        self.write(durability, |out| out.write_all(bytes).map_err(|error| Error::io("cannot write", &self.path, error)))
    }

    /// As [`Self::write`], durably, but a file that has exactly these bytes already is left untouched. Tells whether it wrote.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn write_if_different(&self, bytes: &[u8]) -> Result<bool> {
        if self.read(bytes.len() as u64).is_ok_and(|old| old == bytes) {
            return Ok(false);
        }
        self.write_bytes(Durability::Durable, bytes).map(|()| true)
    }

    /// The last name.
    pub(super) fn name(&self) -> io::Result<&OsStr> {
        self.rest.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))
    }

    fn open_for(&self, purpose: Purpose) -> io::Result<File> {
        self.below(|base, rest| platform::open_below(base, rest, purpose))
    }

    /// Opens what is below the user's folder.
    fn below<T>(&self, open: impl FnOnce(&Path, &Path) -> io::Result<T>) -> io::Result<T> {
        if self.rest.components().any(|part| !matches!(part, Component::Normal(_))) {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        open(&self.base, &self.rest).map_err(|error| {
            let link = if platform::is_of_link(&error) { self.first_link() } else { None };
            link.map_or(error, |link| io::Error::other(Link(link)))
        })
    }

    /// The first link on the way, for messages.
    fn first_link(&self) -> Option<PathBuf> {
        let mut path = if self.base == Path::new(".") { PathBuf::new() } else { self.base.clone() };
        self.rest.components().find_map(|part| {
            path.push(part);
            path.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink()).then(|| path.clone())
        })
    }
}

/// A link where the program keeps files of its own.
#[derive(Debug)]
struct Link(PathBuf);

impl std::fmt::Display for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` is a symbolic link, and none is followed where nnue keeps its own files", self.0.display())
    }
}

impl std::error::Error for Link {}

/// Whether a link stood in the way.
fn is_link(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|error| error.is::<Link>())
}

/// Only files that lie on a disk are read, locked and looked at.
fn regular(file: File) -> io::Result<(File, Metadata)> {
    let metadata = file.metadata()?;
    if metadata.is_file() {
        return Ok((file, metadata));
    }
    // Asked for by path, the file itself is opened and not what it leads to.
    let what = match metadata.file_type() {
        kind if kind.is_dir() => "it is a folder",
        kind if kind.is_symlink() => "it is a symbolic link, and none is followed where nnue keeps its own files",
        _ => "it is not a regular file",
    };
    Err(io::Error::other(what))
}

/// A temporary file, and the folder in which it is, by its handle.
pub(super) struct OwnTemp {
    pub(super) file: NamedTempFile,
    folder: Folder,
}

impl OwnTemp {
    /// A new file in the folder.
    pub(super) fn new(folder: &OwnPath, new: NewFile) -> io::Result<Self> {
        let handle = folder.open_folder()?;
        let file = write::make_temp(named(folder.as_path()), |path| handle.create(path.file_name().unwrap_or_default(), new))?;
        Ok(Self { file, folder: handle })
    }

    /// Gives the file its real name. Where that fails it is removed when it is dropped, as if nothing had been tried.
    pub(super) fn rename(&mut self, to: &OwnPath) -> io::Result<()> {
        let folder = to.folder().open_folder()?;
        let temp = self.file.path().file_name().unwrap_or_default();
        self.folder.rename(temp, &folder, to.name()?)?;
        self.file.disable_cleanup(true);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
