//! The command line: what was typed → requests → results on stdout, everything else on stderr.
//!
//! One file a command, each with an `Args` (what clap parses) and a `run(args, &Global) -> Result<Exit>`. A new command is such a file,
//! a variant of `Command` and a line in `dispatch`. Exit codes are decided here and nowhere else:
//!
//! | code | meaning |
//! | --- | --- |
//! | 0 | done |
//! | 1 | a build or a check failed; a file is not what it should be |
//! | 2 | the command line or the manifest is wrong |
//! | 3 | `--locked` or `verify` found a difference |
//! | 130 | interrupted |

mod architecture;
mod build;
mod cache;
mod clean;
mod comparison;
mod completions;
mod confined;
mod convert;
mod data;
mod described;
mod diff;
mod eval;
mod explain;
mod filters;
mod global;
mod graph;
mod hook;
mod init;
mod inspect;
mod lc0;
mod log;
mod man;
mod network;
mod output;
mod panics;
mod perm;
mod plain;
mod progress;
mod report;
mod schema;
mod search;
mod shell_words;
mod show;
mod stage;
mod status;
mod terminal;
mod trainer_options;
mod units;
mod verify;
mod watch;
pub(crate) mod word;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{ColorChoice, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::error::{Error, Kind, Result};
use crate::files::lost;
use global::{Global, GlobalArgs};
use log::LogFormat;
use terminal::{Color, Style};

/// How a command that did not fail ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All is well.
    Done,
    /// What was asked has the answer "no", and stdout says so.
    Failed,
    /// It failed because what the user wrote cannot be, and stderr says so.
    Misused,
    /// What was compared differs, and stdout says how.
    Different,
}

/// What the codes of the table above mean, for people.
const EXIT_CODES: &str = "Exit codes:
  0    done
  1    a build or a check failed, or a file is not what it should be
  2    the command line or the manifest is wrong
  3    `--locked` or `verify` found a difference
  130  interrupted";

/// Exact, reproducible builds of chess NNUE networks.
#[derive(Parser)]
#[command(name = "nnue", version, after_help = EXIT_CODES, max_term_width = 100, propagate_version = true, subcommand_required = true)]
struct Cli {
    #[command(flatten)]
    global: GlobalArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Build(build::Args),
    Watch(watch::Args),
    Status(status::Args),
    Explain(explain::Args),
    Graph(graph::Args),
    Verify(verify::Args),
    Clean(clean::Args),
    Cache(cache::Args),
    Convert(Box<convert::Args>),
    Inspect(inspect::Args),
    Show(Box<show::Args>),
    Diff(diff::Args),
    Eval(Box<eval::Args>),
    Perm(perm::Args),
    Architecture(architecture::Args),
    Init(init::Args),
    Schema(schema::Args),
    #[command(subcommand, hide = true)]
    Stage(stage::Command),
    Completions(completions::Args),
    Man(man::Args),
}

fn dispatch(command: Command, global: &Global) -> Result<Exit> {
    match command {
        Command::Build(args) => build::run(args, global),
        Command::Watch(args) => watch::run(args, global),
        Command::Status(args) => status::run(args, global),
        Command::Explain(args) => explain::run(args, global),
        Command::Graph(args) => graph::run(args, global),
        Command::Verify(args) => verify::run(args, global),
        Command::Clean(args) => clean::run(args, global),
        Command::Cache(args) => cache::run(args, global),
        Command::Convert(args) => convert::run(*args, global),
        Command::Inspect(args) => inspect::run(args, global),
        Command::Show(args) => show::run(*args, global),
        Command::Diff(args) => diff::run(args, global),
        Command::Eval(args) => eval::run(*args, global),
        Command::Perm(args) => perm::run(args, global),
        Command::Architecture(args) => architecture::run(args, global),
        Command::Init(args) => init::run(args, global),
        Command::Schema(args) => schema::run(args, global),
        Command::Stage(command) => stage::run(command, global),
        Command::Completions(args) => completions::run(args, global),
        Command::Man(args) => man::run(args, global),
    }
}

/// Parses the command line, runs the command, and says the exit code.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let format = LogFormat::asked_for(&arguments);
    panics::install_hook(format);
    let color = clap_color(&arguments);
    let plain = plain::parse(&arguments);
    if plain.is_none()
        && let Some(code) = completions::answer(&arguments)
    {
        return code;
    }
    let cli = match plain.map_or_else(|| parse(arguments), Ok) {
        Ok(cli) => cli,
        Err(error) => return refuse(&error, format, color),
    };
    let style = Style::of_stderr(cli.global.color, cli.global.log_format());
    lost::expect();
    let outcome = panics::caught(|| Global::start(cli.global).and_then(|global| dispatch(cli.command, &global)));
    let outcome = match (lost::check(), outcome) {
        (Ok(()), outcome) => outcome,
        // Whatever else went wrong may come of that.
        (Err(lost), Err(error)) if !error.to_string().contains(lost.message()) => Err(lost.because(error)),
        (Err(_), Err(error)) => Err(error),
        (Err(lost), Ok(_)) => Err(lost),
    };
    match outcome {
        Ok(Exit::Done) => ExitCode::SUCCESS,
        Ok(Exit::Failed) => ExitCode::from(1),
        Ok(Exit::Misused) => ExitCode::from(2),
        Ok(Exit::Different) => ExitCode::from(3),
        Err(error) => {
            report::print(&error, style);
            ExitCode::from(exit_code(&error))
        }
    }
}

/// What clap makes of the command line.
fn parse(arguments: Vec<OsString>) -> Result<Cli, clap::Error> {
    let command = Cli::command().color(clap_color(&arguments));
    command.try_get_matches_from(arguments).and_then(|matches| Cli::from_arg_matches(&matches))
}

/// Says why a command line is not carried out: it is wrong, or asks for help or the version.
fn refuse(error: &clap::Error, format: LogFormat, color: ColorChoice) -> ExitCode {
    if error.use_stderr() && format == LogFormat::Json {
        terminal::to_stderr(&log::usage(&error.render().to_string()));
    } else {
        terminal::clap_message(error, color);
        if error.use_stderr() && format == LogFormat::Github {
            terminal::annotations_to_stderr(&[log::github::usage(&error.render().to_string())]);
        }
    }
    ExitCode::from(if error.use_stderr() { 2 } else { 0 })
}

fn exit_code(error: &Error) -> u8 {
    match error.kind() {
        Kind::Failed => 1,
        Kind::Usage => 2,
        Kind::Difference => 3,
        Kind::Interrupted => 130,
    }
}

/// What `--color` says to clap's own messages, which are printed before the command line was understood.
fn clap_color(arguments: &[OsString]) -> ColorChoice {
    let value = arguments.iter().enumerate().find_map(|(index, argument)| match argument.to_str()?.strip_prefix("--color")? {
        "" => arguments.get(index + 1)?.to_str(),
        value => value.strip_prefix('='),
    });
    match value {
        Some("always") => ColorChoice::Always,
        Some("never") => ColorChoice::Never,
        _ if Color::Auto.forbidden_by_environment() => ColorChoice::Never,
        _ => ColorChoice::Auto,
    }
}

/// The whole command line, for `completions` and `man`.
fn command() -> clap::Command {
    Cli::command()
}

#[cfg(test)]
mod tests;
