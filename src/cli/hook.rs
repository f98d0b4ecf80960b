//! The program that `nnue watch` runs for each net that it published. No shell is involved; what the program prints becomes lines on stderr,
//! for stdout is the watcher's own. It does not outlive the watcher.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::build::OutputReport;
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
        // In a group of its own it is ended with all that it started.
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
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
    let mut child = command.spawn().map_err(|error| {
        Error::new(format!("cannot run `{name}` for the net `{}`", call.net))
            .because(error)
            .help("it is named by `[watch] run`; a path is relative to the folder of the manifest, a name is looked up in PATH")
    })?;
    let (sender, lines) = mpsc::channel();
    read(child.stdout.take(), sender.clone());
    read(child.stderr.take(), sender);
    let status = match wait(&mut child, &lines, ctx, say) {
        Ok(status) => status,
        Err(error) => {
            end(&mut child);
            return Err(error);
        }
    };
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
fn wait(child: &mut Child, lines: &Receiver<String>, ctx: &Ctx, say: &dyn Fn(&str)) -> Result<ExitStatus> {
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
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) => {}
            Err(error) => return Err(Error::new("cannot wait for the program of `[watch] run`").because(error)),
        }
    }
}

/// Ends the program and what it started: asks first.
fn end(child: &mut Child) {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let signal = |signal: Signal| group.map(|group| kill_process_group(group, signal));
    signal(Signal::TERM);
    let until = Instant::now() + GRACE;
    while Instant::now() < until && matches!(child.try_wait(), Ok(None)) {
        std::thread::sleep(NAP);
    }
    signal(Signal::KILL);
    let _ = child.wait();
}

/// Sends the lines of a stream until it ends or nobody listens.
fn read(stream: Option<impl Read + Send + 'static>, to: Sender<String>) {
    let Some(stream) = stream else { return };
    std::thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        loop {
            let mut line = Vec::new();
            match stream.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            let text = String::from_utf8_lossy(&line);
            if to.send(text.trim_end_matches(['\n', '\r']).to_owned()).is_err() {
                return;
            }
        }
    });
}
