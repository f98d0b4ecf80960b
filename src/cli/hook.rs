//! The program that `nnue watch` runs for each net that it published. No shell is involved; what the program prints becomes lines on stderr,
//! for stdout is the watcher's own. It does not outlive the watcher.

use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use crate::build::OutputReport;
use crate::child::{Group, hand_on_lines};
use crate::ctx::Ctx;
use crate::error::{Error, Result};

/// How long a program that has to end may take for it.
const GRACE: Duration = Duration::from_secs(2);

/// How often is looked whether it ended, or has to.
const NAP: Duration = Duration::from_millis(20);

/// How long is waited for the rest of what a program printed that has ended: what it left running may hold the pipe open for ever.
const DRAIN: Duration = Duration::from_millis(200);

/// A longer line is shown in pieces.
const LONGEST_LINE: u64 = 4096;

/// What is run, and where.
pub(super) struct Call<'a> {
    /// The program and its arguments, with the net's values in them.
    pub arguments: Vec<String>,
    /// The folder of the manifest.
    pub folder: &'a Path,
    /// The net.
    pub net: &'a str,
    /// What was published of it.
    pub outputs: &'a [OutputReport],
}

impl Call<'_> {
    /// The words of the manifest with what they stand for: the first output of a net.
    pub(super) fn values(folder: &Path, net: &str, first: &OutputReport) -> [(&'static str, String); 3] {
        [("path", absolute(folder, &first.path)), ("net", net.to_owned()), ("sha256", first.sha256.clone())]
    }

    fn command(&self) -> Option<Command> {
        let (program, arguments) = self.arguments.split_first()?;
        // A path is relative to the manifest, as all paths in it are; a name alone is looked up.
        let program = if program.contains('/') { absolute(self.folder, program) } else { program.clone() };
        let mut command = Command::new(program);
        command.args(arguments).current_dir(if self.folder.as_os_str().is_empty() { Path::new(".") } else { self.folder });
        if let Some(first) = self.outputs.first() {
            for (name, value) in Self::values(self.folder, self.net, first) {
                command.env(format!("NNUE_{}", name.to_ascii_uppercase()), value);
            }
        }
        let paths: Vec<String> = self.outputs.iter().map(|output| absolute(self.folder, &output.path)).collect();
        command.env("NNUE_PATHS", paths.join("\n"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Some(command)
    }
}

fn absolute(folder: &Path, path: &str) -> String {
    let path = folder.join(path);
    std::path::absolute(&path).unwrap_or(path).display().to_string()
}

/// Runs the program to its end. Its lines go to `say`.
///
/// # Errors
/// When it cannot be started, or fails; when the work was interrupted, and the program with it.
pub(super) fn run(call: &Call<'_>, ctx: &Ctx, say: &dyn Fn(&str)) -> Result<()> {
    let Some(mut command) = call.command() else { return Ok(()) };
    let name = call.arguments.first().map_or("", String::as_str);
    let mut program = Group::start(&mut command).map_err(|error| {
        Error::new(format!("cannot run `{name}` for the net `{}`", call.net))
            .because(error)
            .help("it is named by `[watch] run`; a path is relative to the folder of the manifest, a name is looked up in PATH")
    })?;
    let (to, lines) = mpsc::channel();
    let (_, out, err) = program.streams();
    let listener = || {
        let to = to.clone();
        move |line: &str| to.send(line.trim_end_matches(['\n', '\r']).to_owned()).is_ok()
    };
    out.into_iter().for_each(|out| hand_on_lines(out, LONGEST_LINE, listener()));
    err.into_iter().for_each(|err| hand_on_lines(err, LONGEST_LINE, listener()));
    drop(to);
    let status = wait(&mut program, &lines, ctx, say).inspect_err(|_| end(&mut program))?;
    // What is still in the pipe.
    let until = Instant::now() + DRAIN;
    while let Ok(line) = lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
        say(&line);
    }
    if status.success() {
        return Ok(());
    }
    Err(Error::new(format!("`{name}` failed for the net `{}`: {status}", call.net)).help("the net was published all the same"))
}

/// Waits for the end of the program, and hands on what it prints.
fn wait(program: &mut Group, lines: &Receiver<String>, ctx: &Ctx, say: &dyn Fn(&str)) -> Result<ExitStatus> {
    loop {
        ctx.check()?;
        match lines.recv_timeout(NAP) {
            Ok(line) => {
                say(&line);
                continue;
            }
            Err(RecvTimeoutError::Timeout) => {}
            // It closed its output and goes on.
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(NAP),
        }
        if program.is_over() {
            return program.wait().map_err(|error| Error::new("cannot wait for the program of `[watch] run`").because(error));
        }
    }
}

/// Ends the program and what it started: asks first.
fn end(program: &mut Group) {
    program.ask_to_end();
    let until = Instant::now() + GRACE;
    while Instant::now() < until && !program.is_over() {
        std::thread::sleep(NAP);
    }
    let _ = program.end();
}
