//! A chess engine as a child process that speaks UCI.
//!
//! What it prints is text to be looked at, never an order: lines of a bounded length, so many bytes in all, and only while somebody waits
//! for an answer, which has a time limit. The engine and what it starts are a group of processes of their own, which ends with the value,
//! after Ctrl-C too. It runs in a folder of its own, without this program's credentials.

use std::io::Write;
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use crate::child::{Group, hand_on_lines};
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::shown;

/// A longer line comes in pieces.
const LONGEST_LINE: u64 = 16 << 10;
/// More no engine has to say.
const MOST_BYTES: u64 = 64 << 20;
/// Lines that wait to be looked at; whoever prints more waits, too.
const WAITING_LINES: usize = 256;
/// How often a wait looks for a cancellation.
const LOOK: Duration = Duration::from_millis(20);
/// How long an engine may take to end by itself.
const TO_END: Duration = Duration::from_secs(2);
/// How the names of variables begin that are none of an engine's business.
const SECRETS: [&str; 5] = ["NNUE_", "AWS_", "GOOGLE_", "AZURE_", "GITHUB_"];

/// A running engine.
pub(crate) struct Engine {
    program: Group,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    /// Bytes that it printed.
    heard: u64,
    /// The last line that it printed with something on it.
    last: String,
    /// For each answer.
    limit: Duration,
    /// As it is shown.
    name: String,
    ctx: Ctx,
}

impl Engine {
    /// Starts a program in a folder. `name` is what messages call it, `limit` how long each answer may take.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn start(program: &Path, name: &str, folder: &Path, limit: Duration, ctx: &Ctx) -> Result<Self> {
        ctx.check()?;
        let cannot = |error: std::io::Error| {
            let help = "name a program that runs on this machine, and check its permissions";
            Error::new(format!("cannot start the engine `{name}`")).because(format!("`{}`: {error}", program.display())).help(help)
        };
        // The folder that it runs in is another one.
        let program = std::path::absolute(program).map_err(cannot)?;
        let mut command = Command::new(&program);
        command.current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for (variable, _) in std::env::vars_os() {
            if SECRETS.iter().any(|start| variable.to_string_lossy().starts_with(start)) {
                command.env_remove(variable);
            }
        }
        let mut program = Group::start(&mut command).map_err(cannot)?;
        let (to, lines) = sync_channel(WAITING_LINES);
        let (input, out, err) = program.streams();
        let listener = || {
            let to = to.clone();
            move |line: &str| to.send(line.to_owned()).is_ok()
        };
        out.into_iter().for_each(|out| hand_on_lines(out, LONGEST_LINE, listener()));
        // Results of benches are printed there.
        err.into_iter().for_each(|err| hand_on_lines(err, LONGEST_LINE, listener()));
        Ok(Self { program, input, lines, heard: 0, last: String::new(), limit, name: name.to_owned(), ctx: ctx.clone() })
    }

    /// Gives it a command.
    ///
    /// # Errors
    /// When it does not listen any more.
    pub(crate) fn say(&mut self, command: &str) -> Result<()> {
        let line = format!("{command}\n");
        let said = self.input.as_mut().is_some_and(|input| input.write_all(line.as_bytes()).and_then(|()| input.flush()).is_ok());
        if said { Ok(()) } else { Err(self.ended(command)) }
    }

    /// Reads lines until `of` makes something of one. `command` is what is waited for the answer of.
    ///
    /// # Errors
    /// When it takes too long, prints too much, or ends; what `of` says; on cancellation.
    pub(crate) fn answer<T>(&mut self, command: &str, mut of: impl FnMut(&str) -> Result<Option<T>>) -> Result<T> {
        let end = Instant::now() + self.limit;
        loop {
            self.ctx.check()?;
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let error = Error::new(format!("the engine `{}` did not answer `{command}` in {} s", self.name, self.limit.as_secs()));
                return Err(self.quoted(error).help("give it more time, `timeout`, or another engine"));
            }
            let line = match self.lines.recv_timeout(left.min(LOOK)) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return Err(self.ended(command)),
            };
            self.heard += line.len() as u64 + 1;
            if self.heard > MOST_BYTES {
                return Err(Error::new(format!("the engine `{}` prints without end", self.name))
                    .because(format!("more than {} MiB", MOST_BYTES >> 20))
                    .help("name a UCI engine"));
            }
            let found = of(line.trim())?;
            if !line.trim().is_empty() {
                self.last = line;
            }
            if let Some(found) = found {
                return Ok(found);
            }
        }
    }

    /// Gives a command and waits for the line that ends its answer.
    ///
    /// # Errors
    /// As [`Self::say`] and [`Self::answer`].
    pub(crate) fn ask(&mut self, command: &str, last: &str) -> Result<()> {
        self.say(command)?;
        self.answer(command, |line| Ok((line == last).then_some(())))
    }

    /// Lets it end by itself, within limits.
    pub(crate) fn quit(mut self) {
        if self.say("quit").is_ok() {
            self.input = None;
            let end = Instant::now() + TO_END;
            while !self.program.is_over() && Instant::now() < end && self.ctx.check().is_ok() {
                // Nobody looks at what it has to say, and it must not wait for that.
                while self.lines.try_recv().is_ok() {}
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }

    /// The error of an engine that ended while it was spoken to.
    fn ended(&mut self, command: &str) -> Error {
        let end = Instant::now() + TO_END;
        while !self.program.is_over() && Instant::now() < end {
            // It may wait for somebody to read what it has to say.
            self.note_last();
            std::thread::sleep(Duration::from_millis(1));
        }
        // What it said in the end is on its way.
        while Instant::now() < end {
            match self.lines.recv_timeout(LOOK) {
                Ok(line) if line.trim().is_empty() => {}
                Ok(line) => self.last = line,
                Err(_) => break,
            }
        }
        let how = self.program.end().map_or_else(|error| error.to_string(), |status| status.to_string());
        let error = Error::new(format!("the engine `{}` ended when it was asked `{command}`", self.name)).because(how);
        self.quoted(error).help("start it by hand and type the same, or name another engine")
    }

    /// Looks at what it printed meanwhile.
    fn note_last(&mut self) {
        while let Ok(line) = self.lines.try_recv() {
            if !line.trim().is_empty() {
                self.last = line;
            }
        }
    }

    fn quoted(&self, error: Error) -> Error {
        let last = self.last.trim();
        if last.is_empty() { error } else { error.because(format!("it last printed `{}`", shown::bounded(last.to_owned(), 300))) }
    }
}
