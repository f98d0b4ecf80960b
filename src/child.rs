//! A program that is started: what it prints, line by line, and its end together with all that it started.

use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::platform::Tree;

/// A program in a group of processes of its own, which ends with the value unless the program was waited for.
pub(crate) struct Group {
    child: Child,
    tree: Tree,
    /// It was waited for, and has given its number back: another group may have it by now.
    is_reaped: bool,
}

/// Those that run.
static RUNNING: Mutex<Vec<Tree>> = Mutex::new(Vec::new());

fn running() -> MutexGuard<'static, Vec<Tree>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends all programs with all that they started, for a process that ends without dropping its values.
#[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "a library's process is not its own"))]
pub(crate) fn end_all() {
    for program in running().drain(..) {
        program.end();
    }
}

impl Group {
    /// Starts the program.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn start(command: &mut Command) -> io::Result<Self> {
        let mut running = running();
        let (child, tree) = Tree::start(command)?;
        running.push(tree.clone());
        Ok(Self { child, tree, is_reaped: false })
    }

    /// Its streams, so far as they are pipes; each can be taken once.
    pub(crate) fn streams(&mut self) -> (Option<ChildStdin>, Option<ChildStdout>, Option<ChildStderr>) {
        (self.child.stdin.take(), self.child.stdout.take(), self.child.stderr.take())
    }

    /// Whether it ended. It keeps its number, so that its group can still be told.
    pub(crate) fn is_over(&mut self) -> bool {
        self.tree.is_over(&mut self.child)
    }

    /// Asks it, and what it started, to end.
    #[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "only the command line asks; an engine is told to quit"))]
    pub(crate) fn ask_to_end(&self) {
        if !self.is_reaped {
            self.tree.ask_to_end();
        }
    }

    /// Waits for its end. What it left running goes on.
    ///
    /// # Errors
    /// When that cannot be waited for.
    pub(crate) fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait();
        self.is_reaped = true;
        running().retain(|running| *running != self.tree);
        status
    }

    /// Ends it with all that it started.
    ///
    /// # Errors
    /// As [`Self::wait`].
    pub(crate) fn end(&mut self) -> io::Result<ExitStatus> {
        if !self.is_reaped {
            self.tree.end();
        }
        self.wait()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.is_reaped {
            let _ = self.end();
        }
    }
}

/// Hands on what is printed, line by line and with its end of line, until there is nothing more or `to` wants none. A line longer than
/// `longest` bytes comes in pieces.
pub(crate) fn hand_on_lines(from: impl Read + Send + 'static, longest: u64, mut to: impl FnMut(&str) -> bool + Send + 'static) {
    std::thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        loop {
            line.clear();
            match from.by_ref().take(longest).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) if to(&String::from_utf8_lossy(&line)) => {}
                Ok(_) => return,
            }
        }
    });
}
