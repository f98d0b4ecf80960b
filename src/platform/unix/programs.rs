//! A program with what it starts: a group of processes.

use std::{
    io,
    os::unix::process::CommandExt,
    process::{Child, Command},
};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

/// A program's group, which may be told only until the program was waited for: then another group may have its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tree(Pid);

impl Tree {
    /// Starts the program in a group of its own.
    pub(crate) fn start(command: &mut Command) -> io::Result<(Child, Self)> {
        let child = command.process_group(0).spawn()?;
        let group = Self(Pid::from_child(&child));
        Ok((child, group))
    }

    /// Whether the program ended. It keeps its number, so that its group can still be told.
    pub(crate) fn is_over(&self, _: &mut Child) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        !matches!(waitid(WaitId::Pid(self.0), options), Ok(None))
    }

    /// Asks all of it to end.
    #[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "only the command line asks; an engine is told to quit"))]
    pub(crate) fn ask_to_end(&self) {
        let _ = kill_process_group(self.0, Signal::TERM);
    }

    /// Ends all of it.
    pub(crate) fn end(&self) {
        let _ = kill_process_group(self.0, Signal::KILL);
    }
}
