//! Numbers of errors, and signals that stand for some.

use std::io;

use rustix::io::Errno;

/// What to do about an error that the standard library knows no kind for.
pub(crate) fn help_for(error: &io::Error) -> Option<&'static str> {
    /// Of the process and of the system.
    const TOO_MANY_FILES: [Errno; 2] = [Errno::MFILE, Errno::NFILE];
    match Errno::from_io_error(error)? {
        Errno::IO => {
            Some("the disk, or the connection to it, has a fault: see what the system's log says of it, then run the same command again")
        }
        errno if TOO_MANY_FILES.contains(&errno) => Some("too many files are open: allow more (`ulimit -n`), or run fewer jobs (`-j`)"),
        _ => None,
    }
}

/// Whether the error says that the file system has no locks at all, as some network file systems.
pub(crate) fn is_without_locks(error: &io::Error) -> bool {
    [Errno::NOLCK, Errno::NOSYS, Errno::NOTSUP].iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// A file that becomes larger than this process may make it would end it without a word; with a handler of its own the write fails.
#[cfg(feature = "cli")]
pub(crate) fn survive_large_files() {
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, std::sync::Arc::default());
}
