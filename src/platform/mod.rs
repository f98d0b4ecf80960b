//! What every operating system has in words of its own: one folder for each kind of system, with the same names and signatures in it.
//!
//! * `files`: opening below a folder without following links, what a system says of a file, permissions, the room on a disk.
//! * `programs`: a program with all that it starts.
//! * `terminal`: its width, and whether it shows colours.
//! * `errors`: what to do about errors of which the standard library knows no kind.
//!
//! Knows bytes, paths and processes, never what they mean. What differs between systems is asked of this room. Elsewhere only such rooms
//! know systems apart as have a kind of their own to choose: mapped files (`files/map`), walls around a process (`cli/confined.rs`), processors.
//!
//! # Limitations
//! Windows does not tell when a file was changed, only when it was last written, which programs may set to any time ([`KNOWS_CHANGES`]); and
//! nothing there says of a file that it may be run. `docs/limits.md` says what follows.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
use unix as system;
#[cfg(windows)]
mod windows;
#[cfg(windows)]
use windows as system;

#[cfg(feature = "cli")]
pub(crate) use system::errors::survive_large_files;
pub(crate) use system::errors::{help_for, is_without_locks};
pub(crate) use system::files::{
    Folder, KNOWS_CHANGES, check_on_disk, create_new, find_program, has_no_writer, has_writer, identity_of, identity_of_path, is_of_link,
    is_runnable, is_unlinked, keep_permissions, make_runnable, never_wait, open_below, path_of, read_exact_at, rename, room_of, stat,
    stat_link, stat_of, sync_folder,
};
pub(crate) use system::programs::Tree;
#[cfg(feature = "cli")]
pub(crate) use system::terminal::{shows_colours, width_of};

/// What a file below a folder is opened for. No link is followed on the way to it, nor in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To be read; a pipe that nobody writes to does not keep us waiting, a terminal does not become ours.
    Read,
    /// To be looked at from outside.
    Look,
    /// To be locked: it is made where it is missing, and opened for writing, since some network file systems give exclusive locks to
    /// writers only.
    Lock,
    /// To see whether somebody else still writes it ([`has_no_writer`]).
    Inherit,
}

/// Who may use a new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NewFile {
    /// As the umask has it.
    Usual,
    /// Nobody writes to it once it is closed, where permissions can say so of a file that is open.
    ReadOnly,
}

/// What a system says of a file without reading it. Times are seconds since 1970, rounded down, and nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) len: u64,
    /// When the contents changed, or what a program set it to.
    pub(crate) modified: (i64, u32),
    /// When anything of it changed, where the system [knows](KNOWS_CHANGES); else when it was made.
    pub(crate) changed: (i64, u32),
    /// The file's number on its device; 0 where that is not told.
    pub(crate) inode: u64,
    /// The device's number; likewise.
    pub(crate) device: u64,
}

/// A file whatever it is called: two names are one file where these are equal.
pub(crate) type Identity = (u64, u64);

/// Room on a disk, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    pub(crate) size: u64,
    pub(crate) free: u64,
}
