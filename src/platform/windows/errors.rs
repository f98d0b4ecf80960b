//! Numbers of errors.

use std::io;

use windows_sys::Win32::Foundation::{
    ERROR_CRC, ERROR_GEN_FAILURE, ERROR_INVALID_FUNCTION, ERROR_IO_DEVICE, ERROR_LOCK_VIOLATION, ERROR_NOT_SUPPORTED,
    ERROR_SHARING_VIOLATION, ERROR_TOO_MANY_OPEN_FILES, ERROR_USER_MAPPED_FILE,
};

/// The system's number of an error.
pub(super) fn number(error: &io::Error) -> Option<u32> {
    error.raw_os_error().map(i32::cast_unsigned)
}

/// What to do about an error that the standard library knows no kind for.
pub(crate) fn help_for(error: &io::Error) -> Option<&'static str> {
    match number(error)? {
        ERROR_CRC | ERROR_GEN_FAILURE | ERROR_IO_DEVICE => {
            Some("the disk, or the connection to it, has a fault: see what the system's log says of it, then run the same command again")
        }
        ERROR_TOO_MANY_OPEN_FILES => Some("too many files are open: run fewer jobs (`-j`)"),
        ERROR_SHARING_VIOLATION | ERROR_LOCK_VIOLATION | ERROR_USER_MAPPED_FILE => {
            Some("another program has the file open: close it there, then run the same command again")
        }
        _ => None,
    }
}

/// Whether the error says that the file system has no locks at all, as some network file systems.
pub(crate) fn is_without_locks(error: &io::Error) -> bool {
    matches!(number(error), Some(ERROR_INVALID_FUNCTION | ERROR_NOT_SUPPORTED))
}

/// A file that becomes too large is an error here anyway.
#[cfg(feature = "cli")]
pub(crate) fn survive_large_files() {}
