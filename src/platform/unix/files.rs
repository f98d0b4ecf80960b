//! Files by the calls of Unix.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs::{self, File, Metadata, OpenOptions, Permissions, TryLockError},
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::{
            ffi::OsStringExt,
            fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt},
        },
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{AtFlags, CWD, Mode, OFlags},
    io::Errno,
};

use crate::platform::{Identity, NewFile, Purpose, Room, Stat};

/// Whether [`Stat::changed`] moves with every change of a file, whatever programs do.
pub(crate) const KNOWS_CHANGES: bool = true;

/// How folders are opened: to find files below them.
#[cfg(target_os = "linux")]
const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY);
#[cfg(not(target_os = "linux"))]
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY);

/// How a file is opened to be looked at from outside.
#[cfg(target_os = "linux")]
const LOOK: OFlags = OFlags::PATH;
#[cfg(not(target_os = "linux"))]
const LOOK: OFlags = READ;

const READ: OFlags = OFlags::RDONLY.union(NEVER_WAIT);

/// A pipe that nobody writes to does not keep us waiting, a terminal does not become ours.
const NEVER_WAIT: OFlags = OFlags::NONBLOCK.union(OFlags::NOCTTY);

/// A handle of a folder, for what is in it.
#[derive(Debug)]
pub(crate) struct Folder(OwnedFd);

impl Folder {
    /// The folder `rest` below `base`, reached without a link from there on.
    pub(crate) fn open(base: &Path, rest: &Path) -> io::Result<Self> {
        open_as(base, rest, FOLDER, Mode::empty()).map(Self)
    }

    /// Makes a folder in it.
    pub(crate) fn make(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::mkdirat(&self.0, name, Mode::from_raw_mode(0o777))?)
    }

    /// Makes a file in it, which must not be there.
    pub(crate) fn create(&self, name: &OsStr, new: NewFile) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        // A handle that only shows the folder takes new files as one for reading does.
        let mode = mode_of(new) as rustix::fs::RawMode;
        Ok(File::from(rustix::fs::openat(&self.0, name, flags, Mode::from_raw_mode(mode))?))
    }

    /// Removes a file from it; of a link only the link.
    pub(crate) fn remove(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::empty())?)
    }

    /// Moves a file in it to a name in another folder, where it replaces what is there.
    pub(crate) fn rename(&self, from: &OsStr, folder: &Self, to: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.0, from, &folder.0, to)?)
    }

    /// What is said of the file of this name, links followed.
    pub(crate) fn stat(&self, name: &str) -> io::Result<Stat> {
        Ok(of_system(&rustix::fs::statat(&self.0, name, AtFlags::empty())?))
    }
}

/// Opens what is called `rest` below `base`.
pub(crate) fn open_below(base: &Path, rest: &Path, purpose: Purpose) -> io::Result<File> {
    let (flags, mode) = match purpose {
        Purpose::Read | Purpose::Inherit => (READ, Mode::empty()),
        Purpose::Look => (LOOK, Mode::empty()),
        Purpose::Lock => (OFlags::RDWR | OFlags::CREATE | NEVER_WAIT, Mode::from_raw_mode(0o666)),
    };
    open_as(base, rest, flags, mode).map(File::from)
}

fn open_as(base: &Path, rest: &Path, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
    let opened = if base == Path::new(".") {
        open_in(CWD, rest, flags, mode)
    } else {
        rustix::fs::open(base, FOLDER | OFlags::CLOEXEC, Mode::empty()).and_then(|base| open_in(base.as_fd(), rest, flags, mode))
    };
    Ok(opened?)
}

/// Opens `rest` below `folder` without following a link, in one call where the system has one for it.
fn open_in(folder: BorrowedFd<'_>, rest: &Path, flags: OFlags, mode: Mode) -> rustix::io::Result<OwnedFd> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::ResolveFlags;
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        // Nothing below a folder is the folder.
        let name = if rest.as_os_str().is_empty() { Path::new(".") } else { rest };
        match rustix::fs::openat2(folder, name, flags, mode, ResolveFlags::NO_SYMLINKS) {
            // Kernels before 5.6, and sandboxes that do not know the call.
            Err(Errno::NOSYS | Errno::PERM) => {}
            other => return other,
        }
    }
    walk(folder, rest, flags, mode)
}

/// The same folder by folder.
fn walk(folder: BorrowedFd<'_>, rest: &Path, flags: OFlags, mode: Mode) -> rustix::io::Result<OwnedFd> {
    let open = |folder: BorrowedFd<'_>, name: &Path, flags: OFlags, mode: Mode| {
        rustix::fs::openat(folder, name, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, mode)
    };
    let (above, last) = (rest.parent().unwrap_or(Path::new("")), rest.file_name().map_or(Path::new("."), Path::new));
    let mut inner: Option<OwnedFd> = None;
    for part in above {
        let next = open(inner.as_ref().map_or(folder, AsFd::as_fd), Path::new(part), FOLDER, Mode::empty())?;
        inner = Some(next);
    }
    open(inner.as_ref().map_or(folder, AsFd::as_fd), last, flags, mode)
}

/// Whether the error may be that of a link that was not followed.
pub(crate) fn is_of_link(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::LOOP | Errno::MLINK | Errno::NOTDIR))
}

/// Lets a file be opened for reading without waiting for anybody.
pub(crate) fn never_wait(options: &mut OpenOptions) {
    options.custom_flags(NEVER_WAIT.bits() as i32);
}

/// Refuses files of the kernel that have no size, of which some never end.
pub(crate) fn check_on_disk(file: &File, metadata: &Metadata) -> io::Result<()> {
    if metadata.len() == 0 && is_of_the_kernel(file) {
        return Err(io::Error::other("it is a file of the kernel, not one on a disk"));
    }
    Ok(())
}

/// Whether a file lies below `/proc`, or where kernels show what they trace.
#[cfg(target_os = "linux")]
fn is_of_the_kernel(file: &File) -> bool {
    const PROC: i64 = 0x9fa0;
    const TRACE: i64 = 0x7472_6163;
    const DEBUG: i64 = 0x6462_6720;
    #[allow(clippy::useless_conversion, clippy::unnecessary_cast, reason = "the type of the number differs between systems")]
    rustix::fs::fstatfs(file).is_ok_and(|system| [PROC, TRACE, DEBUG].contains(&(system.f_type as i64)))
}

/// Others have none that look like files.
#[cfg(not(target_os = "linux"))]
fn is_of_the_kernel(_: &File) -> bool {
    false
}

fn mode_of(new: NewFile) -> u32 {
    match new {
        NewFile::Usual => 0o666,
        NewFile::ReadOnly => 0o444,
    }
}

/// Makes a file, which must not be there.
pub(crate) fn create_new(path: &Path, new: NewFile) -> io::Result<File> {
    // The mode is given on creation, where the umask applies to it; setting it later would bypass the umask.
    File::options().read(true).write(true).create_new(true).mode(mode_of(new)).open(path)
}

/// Lets [`has_no_writer`] know that somebody writes the file, for as long as it is open. Where locks do not work, nobody knows.
pub(crate) fn has_writer(file: &File) {
    let _ = file.try_lock();
}

/// Whether nobody writes a file any more that was opened for [`Purpose::Inherit`]. Where locks do not work, that is said of all.
pub(crate) fn has_no_writer(file: &File) -> bool {
    !matches!(file.try_lock(), Err(TryLockError::WouldBlock))
}

/// Whether the file has no name any more.
pub(crate) fn is_unlinked(file: &File) -> io::Result<bool> {
    Ok(file.metadata()?.nlink() == 0)
}

/// Gives a file another name, where it replaces what is there.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

/// Forces the names in a folder to the disk.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        // Some network file systems know no such call; they order the rename themselves or not at all.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        other => other,
    }
}

/// Gives a file the permissions of one that it will replace.
pub(crate) fn keep_permissions(file: &File, old: &Metadata) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(old.permissions().mode() & 0o7777))
}

/// Lets those run a file who may read it.
pub(crate) fn make_runnable(path: &Path) -> io::Result<()> {
    let mode = fs::metadata(path)?.permissions().mode();
    let wanted = mode | (mode & 0o444) >> 2;
    if wanted == mode { Ok(()) } else { fs::set_permissions(path, Permissions::from_mode(wanted)) }
}

/// Whether anybody may run the file.
pub(crate) fn is_runnable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// Looks a program up by its name, as a shell does; then in `more`.
pub(crate) fn find_program(name: &str, more: &[&str]) -> Option<PathBuf> {
    let paths = env::var_os("PATH").unwrap_or_default();
    // An empty entry stands for the current folder, from which nobody should run programs.
    let folders = env::split_paths(&paths).filter(|folder| folder.is_absolute()).chain(more.iter().map(Into::into));
    folders.map(|folder| folder.join(name)).find(|path| is_runnable(path))
}

/// Fills `bytes` from a place in the file.
pub(crate) fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    file.read_exact_at(bytes, offset)
}

/// The path of these bytes, where they are one.
pub(crate) fn path_of(bytes: &[u8]) -> Option<PathBuf> {
    Some(PathBuf::from(OsString::from_vec(bytes.to_vec())))
}

/// What is said in `metadata`.
pub(crate) fn stat_of(metadata: &Metadata) -> Stat {
    let nanos = |nanos| u32::try_from(nanos).unwrap_or(0);
    Stat {
        len: metadata.len(),
        modified: (metadata.mtime(), nanos(metadata.mtime_nsec())),
        changed: (metadata.ctime(), nanos(metadata.ctime_nsec())),
        inode: metadata.ino(),
        device: metadata.dev(),
    }
}

/// What is said of the file, links followed.
pub(crate) fn stat(path: &Path) -> io::Result<Stat> {
    Ok(of_system(&rustix::fs::stat(path)?))
}

/// What is said of the file, or of the link in its place.
pub(crate) fn stat_link(path: &Path) -> io::Result<Stat> {
    Ok(of_system(&rustix::fs::lstat(path)?))
}

/// Equal to what [`stat_of`] makes of the same.
#[allow(clippy::unnecessary_cast, reason = "the types of these fields differ between systems")]
fn of_system(stat: &rustix::fs::Stat) -> Stat {
    Stat {
        len: stat.st_size as u64,
        modified: (stat.st_mtime as i64, stat.st_mtime_nsec as u32),
        changed: (stat.st_ctime as i64, stat.st_ctime_nsec as u32),
        inode: stat.st_ino as u64,
        device: stat.st_dev as u64,
    }
}

/// Which file this is.
pub(crate) fn identity_of(_: &File, metadata: &Metadata) -> io::Result<Identity> {
    Ok((metadata.dev(), metadata.ino()))
}

/// Which file has this name, links followed.
pub(crate) fn identity_of_path(path: &Path) -> io::Result<Identity> {
    let metadata = path.metadata()?;
    Ok((metadata.dev(), metadata.ino()))
}

/// The room on the disk where the file lies.
#[allow(clippy::unnecessary_cast, reason = "the types of these fields differ between systems")]
pub(crate) fn room_of(file: &File, _: &Path) -> io::Result<Room> {
    let disk = rustix::fs::fstatvfs(file)?;
    let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize as u64);
    Ok(Room { size: bytes(disk.f_blocks as u64), free: bytes(disk.f_bavail as u64) })
}

#[cfg(test)]
mod tests;
