//! Files by the calls of Windows.
//!
//! Windows opens files by whole paths, not relative to a handle. So that nobody can put a link in place of a folder meanwhile, each folder on
//! the way is opened first, without following it if it is a link, and in a way that forbids to rename or remove it while it is open.

use std::{
    env,
    ffi::OsStr,
    fs::{self, File, Metadata, OpenOptions},
    io,
    os::windows::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use winapi_util::file::{information, typ};
use windows_sys::Win32::{
    Foundation::{ERROR_ACCESS_DENIED, ERROR_DIRECTORY, ERROR_SHARING_VIOLATION, ERROR_STOPPED_ON_SYMLINK, GENERIC_READ},
    Storage::FileSystem::{
        FILE_ATTRIBUTE_REPARSE_POINT, FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_REPARSE_POINT, FILE_READ_ATTRIBUTES, FILE_SHARE_READ,
        FILE_SHARE_WRITE, FILE_WRITE_ATTRIBUTES,
    },
};

use super::{calls, errors::number};
use crate::platform::{Identity, NewFile, Purpose, Room, Stat};

/// Whether [`Stat::changed`] moves with every change of a file, whatever programs do.
pub(crate) const KNOWS_CHANGES: bool = false;

/// The file itself is opened, and not what a link in its place leads to; also a folder.
const ITSELF: u32 = FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT;

/// A folder that keeps its place while this lives.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// It, and all on the way to it.
    _held: Vec<File>,
}

impl Folder {
    /// The folder `rest` below `base`, reached without a link from there on.
    pub(crate) fn open(base: &Path, rest: &Path) -> io::Result<Self> {
        let mut path = base.to_owned();
        // Links on the way to the user's folder are the user's.
        let mut held = vec![hold(&path, FILE_FLAG_BACKUP_SEMANTICS)?];
        for part in rest {
            path.push(part);
            held.push(hold(&path, ITSELF)?);
        }
        Ok(Self { path, _held: held })
    }

    /// Makes a folder in it.
    pub(crate) fn make(&self, name: &OsStr) -> io::Result<()> {
        fs::create_dir(self.path.join(name))
    }

    /// Makes a file in it, which must not be there.
    pub(crate) fn create(&self, name: &OsStr, new: NewFile) -> io::Result<File> {
        create_new(&self.path.join(name), new)
    }

    /// Removes a file from it; of a link only the link.
    pub(crate) fn remove(&self, name: &OsStr) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    /// Moves a file in it to a name in another folder, where it replaces what is there.
    pub(crate) fn rename(&self, from: &OsStr, folder: &Self, to: &OsStr) -> io::Result<()> {
        rename(&self.path.join(from), &folder.path.join(to))
    }

    /// What is said of the file of this name, links followed.
    pub(crate) fn stat(&self, name: &str) -> io::Result<Stat> {
        stat(&self.path.join(name))
    }
}

/// Opens a folder so that nobody can rename or remove it.
fn hold(path: &Path, flags: u32) -> io::Result<File> {
    let folder = File::options().read(true).share_mode(FILE_SHARE_READ | FILE_SHARE_WRITE).custom_flags(flags).open(path)?;
    let folder = if flags == ITSELF { not_a_link(folder)? } else { folder };
    if folder.metadata()?.is_dir() { Ok(folder) } else { Err(io::Error::from_raw_os_error(ERROR_DIRECTORY.cast_signed())) }
}

/// Refuses all that may lead elsewhere: links, junctions, mounted volumes.
fn not_a_link(file: File) -> io::Result<File> {
    if file.metadata()?.file_attributes() & FILE_ATTRIBUTE_REPARSE_POINT == 0 {
        return Ok(file);
    }
    Err(io::Error::from_raw_os_error(ERROR_STOPPED_ON_SYMLINK.cast_signed()))
}

/// Opens what is called `rest` below `base`.
pub(crate) fn open_below(base: &Path, rest: &Path, purpose: Purpose) -> io::Result<File> {
    let folder = Folder::open(base, rest.parent().unwrap_or(Path::new("")))?;
    let path = rest.file_name().map_or_else(|| folder.path.clone(), |name| folder.path.join(name));
    let mut options = File::options();
    options.custom_flags(ITSELF);
    let file = match purpose {
        // Whoever reads a file of the cache notes when; where the disk is read-only, not.
        Purpose::Read => options.access_mode(GENERIC_READ | FILE_WRITE_ATTRIBUTES).open(&path).or_else(|error| match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => options.access_mode(GENERIC_READ).open(&path),
            _ => Err(error),
        }),
        Purpose::Look => options.access_mode(FILE_READ_ATTRIBUTES).open(&path),
        Purpose::Lock => options.read(true).write(true).create(true).open(&path),
        Purpose::Inherit => options.read(true).share_mode(0).open(&path),
    };
    let file = not_a_link(file?)?;
    // A folder is said to be one by whoever wants a file.
    let metadata = file.metadata()?;
    if !metadata.is_dir() {
        check_on_disk(&file, &metadata)?;
    }
    Ok(file)
}

/// Whether the error may be that of a link that was not followed.
pub(crate) fn is_of_link(error: &io::Error) -> bool {
    number(error) == Some(ERROR_STOPPED_ON_SYMLINK)
}

/// What could wait is refused before it is opened.
pub(crate) fn never_wait(_: &mut OpenOptions) {}

/// Refuses consoles, pipes, and whatever else has the name of a device.
pub(crate) fn check_on_disk(file: &File, _: &Metadata) -> io::Result<()> {
    if typ(file)?.is_disk() { Ok(()) } else { Err(io::Error::other("it is a device, not a file on a disk")) }
}

/// Makes a file, which must not be there. Nobody is kept from writing to it later: a file that says so could not be replaced either.
pub(crate) fn create_new(path: &Path, _: NewFile) -> io::Result<File> {
    File::options().read(true).write(true).create_new(true).open(path)
}

/// Lets [`has_no_writer`] know that somebody writes the file, for as long as it is open: that it is open is enough. A lock would keep
/// everybody from reading it.
pub(crate) fn has_writer(_: &File) {}

/// Whether nobody writes a file any more that was opened for [`Purpose::Inherit`]: that fails while anybody has it open.
pub(crate) fn has_no_writer(_: &File) -> bool {
    true
}

/// Whether the file has no name any more.
pub(crate) fn is_unlinked(file: &File) -> io::Result<bool> {
    Ok(information(file)?.number_of_links() == 0)
}

/// Gives a file another name, where it replaces what is there. Scanners open what was just written for a moment, and that keeps it from
/// being renamed.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    const TRIES: u32 = 20;
    const APART: Duration = Duration::from_millis(25);
    for _ in 1..TRIES {
        match fs::rename(from, to) {
            Err(error) if matches!(number(&error), Some(ERROR_ACCESS_DENIED | ERROR_SHARING_VIOLATION)) => thread::sleep(APART),
            other => return other,
        }
    }
    fs::rename(from, to)
}

/// Names cannot be forced to the disk: the file system keeps a journal of them.
pub(crate) fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// A new file has the permissions of its folder, as the old one had.
pub(crate) fn keep_permissions(_: &File, _: &Metadata) -> io::Result<()> {
    Ok(())
}

/// What may be run its name says.
pub(crate) fn make_runnable(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Whether anybody may run the file.
pub(crate) fn is_runnable(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("exe")) && path.is_file()
}

/// Looks a program up by its name, with and without its ending, as a shell does; then in `more`.
pub(crate) fn find_program(name: &str, more: &[&str]) -> Option<PathBuf> {
    let paths = env::var_os("PATH").unwrap_or_default();
    // The current folder is searched by shells here, and nobody should run programs from it.
    let folders = env::split_paths(&paths).filter(|folder| folder.is_absolute()).chain(more.iter().map(Into::into));
    folders.flat_map(|folder| [folder.join(name), folder.join(format!("{name}.exe"))]).find(|path| is_runnable(path))
}

/// Fills `bytes` from a place in the file.
pub(crate) fn read_exact_at(file: &File, mut bytes: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.seek_read(bytes, offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                bytes = bytes.get_mut(read..).unwrap_or_default();
                offset += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The path of these bytes, where they are one.
pub(crate) fn path_of(bytes: &[u8]) -> Option<PathBuf> {
    str::from_utf8(bytes).ok().map(PathBuf::from)
}

/// What is said in `metadata`.
pub(crate) fn stat_of(metadata: &Metadata) -> Stat {
    Stat {
        len: metadata.file_size(),
        modified: since_1970(metadata.last_write_time()),
        changed: since_1970(metadata.creation_time()),
        inode: 0,
        device: 0,
    }
}

/// Seconds and nanoseconds of a time in units of 100 ns since 1601.
fn since_1970(time: u64) -> (i64, u32) {
    const SECOND: u64 = 10_000_000;
    const BEFORE_1970: i64 = 11_644_473_600;
    // Both parts are far from the ends of their types.
    ((time / SECOND) as i64 - BEFORE_1970, (time % SECOND * 100) as u32)
}

/// What is said of the file, links followed.
pub(crate) fn stat(path: &Path) -> io::Result<Stat> {
    path.metadata().map(|metadata| stat_of(&metadata))
}

/// What is said of the file, or of the link in its place.
pub(crate) fn stat_link(path: &Path) -> io::Result<Stat> {
    path.symlink_metadata().map(|metadata| stat_of(&metadata))
}

/// Which file this is.
pub(crate) fn identity_of(file: &File, _: &Metadata) -> io::Result<Identity> {
    let information = information(file)?;
    Ok((information.volume_serial_number(), information.file_index()))
}

/// Which file has this name, links followed.
pub(crate) fn identity_of_path(path: &Path) -> io::Result<Identity> {
    let file = File::options().access_mode(FILE_READ_ATTRIBUTES).custom_flags(FILE_FLAG_BACKUP_SEMANTICS).open(path)?;
    identity_of(&file, &file.metadata()?)
}

/// The room on the disk where the file lies.
pub(crate) fn room_of(_: &File, path: &Path) -> io::Result<Room> {
    calls::room_in(path.parent().unwrap_or(Path::new(".")))
}

#[cfg(test)]
mod tests;
