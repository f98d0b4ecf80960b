//! The calls of Windows for which there is no safe interface.
#![allow(unsafe_code, reason = "calls of the system")]

use std::{
    io,
    os::windows::{
        ffi::OsStrExt,
        io::{AsRawHandle, FromRawHandle, OwnedHandle},
    },
    path::Path,
    process::Child,
    ptr,
};

use windows_sys::Win32::{
    Storage::FileSystem::GetDiskFreeSpaceExW,
    System::{
        Console::{CTRL_BREAK_EVENT, GenerateConsoleCtrlEvent},
        JobObjects::{AssignProcessToJobObject, CreateJobObjectW, TerminateJobObject},
    },
};

use crate::platform::Room;

/// What a program gives back that was ended.
const ENDED: u32 = 1;

/// A job with nothing in it.
pub(super) fn new_job() -> io::Result<OwnedHandle> {
    // SAFETY: neither attributes nor a name are needed.
    let job = unsafe { CreateJobObjectW(ptr::null(), ptr::null()) };
    if job.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a handle that was just made for us, and that nobody else closes.
    Ok(unsafe { OwnedHandle::from_raw_handle(job) })
}

/// Puts a program into a job, and so what it starts from now on.
pub(super) fn put_into(job: &OwnedHandle, child: &Child) -> io::Result<()> {
    // SAFETY: both handles are open for as long as they are borrowed.
    succeeded(unsafe { AssignProcessToJobObject(job.as_raw_handle(), child.as_raw_handle()) })
}

/// Ends all that is in a job. Where that fails nothing is left to end.
pub(super) fn end_job(job: &OwnedHandle) {
    // SAFETY: the handle is open for as long as it is borrowed.
    let _ = unsafe { TerminateJobObject(job.as_raw_handle(), ENDED) };
}

/// Sends Ctrl-Break to a group of programs at our console, if there is one.
#[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "only the command line asks programs to end"))]
pub(super) fn send_break(group: u32) {
    // SAFETY: takes numbers; of a group that is gone it does nothing.
    let _ = unsafe { GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, group) };
}

/// The room on the disk of a folder.
pub(super) fn room_in(folder: &Path) -> io::Result<Room> {
    let name: Vec<u16> = folder.as_os_str().encode_wide().chain([0]).collect();
    let (mut free, mut size) = (0, 0);
    // SAFETY: the name ends with a zero; the numbers are written to where there is one of each; the third is not wanted.
    succeeded(unsafe { GetDiskFreeSpaceExW(name.as_ptr(), &raw mut free, &raw mut size, ptr::null_mut()) })?;
    Ok(Room { size, free })
}

fn succeeded(answer: windows_sys::core::BOOL) -> io::Result<()> {
    if answer == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
