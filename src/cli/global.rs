//! What every command has: global options, the way to stdout and stderr, cancellation.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use clap::{ArgAction, ValueHint};

use super::log::LogFormat;
use super::progress::Reporter;
use super::terminal::{Color, Style, Verbosity, json_to_stdout, to_stdout};
use crate::build::NetReport;
use crate::child;
use crate::ctx::{Backend, Ctx, is_noticed};
use crate::error::{Error, Result};
use crate::files::{lost, remove_unfinished};
use crate::platform;

/// Options that every command takes. Their ids must be unlike those of any command's own arguments: clap would mix up their values.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalArgs {
    /// Act as if started in this folder
    #[arg(id = "start-folder", short = 'C', global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    folder: Option<PathBuf>,
    /// The manifest; by default `nnue.toml` here or in a parent folder
    #[arg(id = "manifest-file", short = 'f', global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    manifest: Option<PathBuf>,
    /// Print results and errors only
    #[arg(short, long, global = true)]
    pub(super) quiet: bool,
    /// Say more
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "quiet")]
    verbose: u8,
    /// When to use colours; NO_COLOR is honoured
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(super) color: Color,
    /// How messages on stderr are written; results on stdout stay as they are [default: text; github where GITHUB_ACTIONS is true]
    #[arg(long, global = true, value_name = "FORMAT")]
    pub(super) log_format: Option<LogFormat>,
}

impl GlobalArgs {
    /// How messages on stderr are written.
    pub(super) fn log_format(&self) -> LogFormat {
        self.log_format.unwrap_or_else(LogFormat::of_environment)
    }
}

impl Default for GlobalArgs {
    /// As if none was typed.
    fn default() -> Self {
        Self { folder: None, manifest: None, quiet: false, verbose: 0, color: Color::Auto, log_format: None }
    }
}

/// The resolved global options, and what a command uses of the outside world.
pub(crate) struct Global {
    /// The manifest that was named, if one was.
    pub(crate) manifest: Option<PathBuf>,
    /// How much is said.
    pub(crate) verbosity: Verbosity,
    /// Becomes true on Ctrl-C; made when there is work that could be stopped.
    cancel: OnceLock<Arc<AtomicBool>>,
    reporter: Arc<Reporter>,
    style: Style,
    /// What stdout can show.
    pub(super) result_style: Style,
    /// Results on stdout may have 24-bit colours.
    pub(crate) true_color: bool,
}

impl Global {
    /// Goes to the folder of `-C`.
    ///
    /// # Errors
    /// When there is no such folder.
    pub(super) fn start(args: GlobalArgs) -> Result<Self> {
        if let Some(folder) = &args.folder {
            std::env::set_current_dir(folder)
                .map_err(|error| Error::io("cannot change to the folder", folder, error).kind_is(crate::error::Kind::Usage))?;
        }
        let verbosity = match (args.quiet, args.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, 0) => Verbosity::Normal,
            (false, _) => Verbosity::Verbose,
        };
        let style = Style::of_stderr(args.color, args.log_format());
        let reporter = Arc::new(Reporter::new(verbosity, style));
        let result_style = Style::of_stdout(args.color);
        let true_color = args.color.is_true_on_stdout();
        Ok(Self { manifest: args.manifest, verbosity, cancel: OnceLock::new(), reporter, style, result_style, true_color })
    }

    /// What stages get. From the first call on, Ctrl-C stops the work in an orderly way, and a second one at once; before there is work
    /// to be stopped it ends the process as ever, and costs no thread.
    pub(crate) fn ctx(&self, backend: Backend) -> Ctx {
        let cancel = self.cancel.get_or_init(|| stopped_by_ctrl_c(self.style));
        self.reporter.stopped_by(cancel);
        Ctx::new(cancel.clone(), self.reporter.clone(), backend)
    }

    /// Columns of the terminal that stdout is; `None` where it is none.
    pub(crate) fn width(&self) -> Option<usize> {
        super::terminal::width_of_stdout()
    }

    /// The distinct warnings so far, in order.
    pub(crate) fn warnings(&self) -> Vec<String> {
        self.reporter.warnings()
    }

    /// Prints an error on stderr, for commands that go on after one.
    pub(crate) fn print_error(&self, error: &Error) {
        self.reporter.above(|| super::report::print(error, self.style));
    }

    /// Says on stderr what goes on, unless `-q` was given.
    pub(crate) fn note(&self, message: &str) {
        self.reporter.note(message);
    }

    /// Says what became of a net, where programs listen.
    pub(crate) fn say_net(&self, report: &NetReport) {
        self.reporter.net(report);
    }

    /// Prints a result on stdout. A reader that went away is not an error: whatever the command was to do is done.
    ///
    /// # Errors
    /// When stdout cannot be written to for another reason, such as a full disk; when a file was cut off that the result may come from.
    pub(crate) fn print(&self, text: &str) -> Result<()> {
        lost::check()?;
        printed(self.reporter.above(|| to_stdout(text, self.result_style.color || self.true_color)))
    }

    /// Prints a summary on stdout, unless `-q` was given.
    ///
    /// # Errors
    /// As [`Self::print`].
    pub(crate) fn print_summary(&self, text: &str) -> Result<()> {
        if self.verbosity == Verbosity::Quiet { Ok(()) } else { self.print(text) }
    }

    /// Prints a JSON document on stdout.
    ///
    /// # Errors
    /// As [`Self::print`].
    pub(crate) fn print_json(&self, value: &impl serde::Serialize) -> Result<()> {
        lost::check()?;
        let text = serde_json::to_string_pretty(value).map_err(|error| Error::new("cannot write JSON").because(error))?;
        printed(json_to_stdout(&format!("{text}\n")))
    }

    /// Prints a JSON document on one line of stdout.
    ///
    /// # Errors
    /// As [`Self::print`].
    pub(crate) fn print_json_line(&self, value: &impl serde::Serialize) -> Result<()> {
        let text = serde_json::to_string(value).map_err(|error| Error::new("cannot write JSON").because(error))?;
        printed(json_to_stdout(&format!("{text}\n")))
    }
}

/// A reader that went away is not an error.
fn printed(result: io::Result<()>) -> Result<()> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::new("cannot write to stdout").because(error)),
        _ => Ok(()),
    }
}

/// How long work may take to notice that it is cancelled …
const UNNOTICED: Duration = Duration::from_millis(100);
/// … and to put itself away then: programs that it started may take some time to end.
const ORDERLY: Duration = Duration::from_secs(5);

/// A flag that the first Ctrl-C sets. A second one ends the process, and so does the first where the work does not see to it in time: it
/// may stand in a call that waits, or in a loop that looks at no flag.
fn stopped_by_ctrl_c(style: Style) -> Arc<AtomicBool> {
    let cancel = Arc::new(AtomicBool::new(false));
    let flag = cancel.clone();
    platform::survive_large_files();
    // Where no handler can be installed, Ctrl-C ends the process as ever; files are renamed into place, so none is torn.
    let _ = ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            end_now();
        }
        let wait = move || {
            std::thread::sleep(UNNOTICED);
            if is_noticed() {
                std::thread::sleep(ORDERLY);
            }
            super::report::print(&Error::interrupted(), style);
            end_now();
        };
        // Without a thread it is as it was: a second Ctrl-C is needed.
        let _ = std::thread::Builder::new().spawn(wait);
    });
    cancel
}

/// Ends the process wherever its threads are. What is under way is put away all the same.
fn end_now() {
    child::end_all();
    remove_unfinished();
    std::process::exit(130);
}
