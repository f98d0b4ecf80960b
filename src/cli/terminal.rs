//! What is known of the terminal, and of what the user wants to see on it. Says nothing itself.

use std::io::{self, IsTerminal, Write};

use clap::{ColorChoice, ValueEnum};

use super::log::LogFormat;
use crate::{platform, shown};

/// When messages are coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless the environment says otherwise
    Auto,
    /// Also into files and pipes
    Always,
    /// Not at all
    Never,
}

impl Color {
    /// Whether the environment asks for none and the command line does not insist.
    pub(super) fn forbidden_by_environment(self) -> bool {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        self == Self::Auto && (set("NO_COLOR").is_some() || set("TERM").is_some_and(|term| term == "dumb"))
    }
}

impl Color {
    /// Whether results on stdout may have 24-bit colours: asked for, or a terminal that says that it has them.
    pub(super) fn is_true_on_stdout(self) -> bool {
        let has_them = || std::env::var("COLORTERM").is_ok_and(|value| matches!(value.as_str(), "truecolor" | "24bit"));
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => io::stdout().is_terminal() && !self.forbidden_by_environment() && has_them(),
        }
    }
}

/// Columns of the terminal that stdout is; `None` where it is none, or does not know.
pub(super) fn width_of_stdout() -> Option<usize> {
    platform::width_of(&io::stdout())
}

/// The same of stderr.
pub(super) fn width_of_stderr() -> Option<usize> {
    platform::width_of(&io::stderr())
}

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verbosity {
    /// Results and errors.
    Quiet,
    /// Also warnings and summaries.
    Normal,
    /// Also each step.
    Verbose,
}

/// What stderr can show.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    /// Somebody is looking.
    pub(super) terminal: bool,
    /// Colours are wanted.
    pub(super) color: bool,
    /// For whom messages are.
    pub(super) format: LogFormat,
}

impl Style {
    pub(super) fn of_stderr(color: Color, format: LogFormat) -> Self {
        let terminal = io::stderr().is_terminal();
        let color = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !color.forbidden_by_environment() && platform::shows_colours(&io::stderr()),
        };
        Self { terminal, color, format }
    }

    /// The same of stdout, for results.
    pub(super) fn of_stdout(color: Color) -> Self {
        let terminal = io::stdout().is_terminal();
        let is_shown = || terminal && !color.forbidden_by_environment() && platform::shows_colours(&io::stdout());
        let wanted = color == Color::Always || color == Color::Auto && is_shown();
        Self { terminal, color: wanted, format: LogFormat::Text }
    }

    /// `text` in the colour of an ANSI code, where colours are wanted.
    pub(super) fn paint(self, text: &str, code: &str) -> String {
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Writes a line to stderr; where that fails there is nobody left to tell. Of what a terminal obeys only colours come through, and
/// nothing that GitHub's runners obey.
pub(super) fn to_stderr(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", shown::without_commands(&shown::clean_coloured(text)));
}

/// Writes commands to GitHub's runners, each of which is a line.
pub(super) fn annotations_to_stderr(lines: &[String]) {
    let mut out = io::stderr().lock();
    for line in lines {
        let _ = writeln!(out, "{}", shown::line(line));
    }
}

/// Writes text for people to stdout: nothing in it does anything to a terminal, but for colours where they are wanted, nor to GitHub's
/// runners.
pub(super) fn to_stdout(text: &str, colours: bool) -> io::Result<()> {
    let text = if colours { shown::clean_coloured(text) } else { shown::clean(text) };
    bytes_to_stdout(shown::without_commands(&text).as_bytes())
}

/// Writes a JSON document to stdout, likewise.
pub(super) fn json_to_stdout(text: &str) -> io::Result<()> {
    bytes_to_stdout(shown::clean_json(text).as_bytes())
}

/// Prints what clap says of a command line: help and version, which are not errors, on stdout. A closed pipe is the reader's choice.
pub(super) fn clap_message(error: &clap::Error, color: ColorChoice) {
    if !error.use_stderr() {
        // The program's own text.
        let _ = error.print();
        return;
    }
    let coloured = match color {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => io::stderr().is_terminal(),
    };
    let text = error.render();
    let text = if coloured { text.ansi().to_string() } else { text.to_string() };
    to_stderr(text.trim_end_matches('\n'));
}

fn bytes_to_stdout(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush())
}

#[cfg(test)]
mod tests;
