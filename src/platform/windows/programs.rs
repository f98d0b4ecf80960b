//! A program with what it starts: a job.
//!
//! # Limitations
//! A program is put into its job right after it was started: what it starts before that is not a part of it.

use std::{
    io,
    os::windows::{io::OwnedHandle, process::CommandExt},
    process::{Child, Command},
    sync::Arc,
};

use windows_sys::Win32::System::Threading::CREATE_NEW_PROCESS_GROUP;

use super::calls;

/// A program's job.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    job: Arc<OwnedHandle>,
    /// The program's number, which is that of its group at the console.
    group: u32,
}

impl PartialEq for Tree {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.job, &other.job)
    }
}

impl Tree {
    /// Starts the program in a job of its own, and in a group of its own, which Ctrl-C does not reach.
    pub(crate) fn start(command: &mut Command) -> io::Result<(Child, Self)> {
        let job = calls::new_job()?;
        let mut child = command.creation_flags(CREATE_NEW_PROCESS_GROUP).spawn()?;
        if let Err(error) = calls::put_into(&job, &child) {
            // One that is over already needs none.
            if !matches!(child.try_wait(), Ok(Some(_))) {
                let _ = child.kill();
                let _ = child.wait();
                return Err(error);
            }
        }
        let group = child.id();
        Ok((child, Self { job: Arc::new(job), group }))
    }

    /// Whether the program ended.
    pub(crate) fn is_over(&self, child: &mut Child) -> bool {
        !matches!(child.try_wait(), Ok(None))
    }

    /// Asks all of it to end: those that listen to the console that it shares with us.
    #[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "only the command line asks; an engine is told to quit"))]
    pub(crate) fn ask_to_end(&self) {
        calls::send_break(self.group);
    }

    /// Ends all of it.
    pub(crate) fn end(&self) {
        calls::end_job(&self.job);
    }
}

#[cfg(test)]
mod tests;
