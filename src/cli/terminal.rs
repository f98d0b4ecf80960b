//! What is known of the terminal, and of what the user wants to see on it. Says nothing itself.

use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;

use super::log::LogFormat;

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
    let stdout = io::stdout();
    let size = stdout.is_terminal().then(|| rustix::termios::tcgetwinsize(&stdout).ok()).flatten()?;
    (size.ws_col > 0).then(|| usize::from(size.ws_col))
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
            Color::Auto => terminal && !color.forbidden_by_environment(),
        };
        Self { terminal, color, format }
    }

    /// The same of stdout, for results.
    pub(super) fn of_stdout(color: Color) -> Self {
        let terminal = io::stdout().is_terminal();
        let wanted = color == Color::Always || color == Color::Auto && terminal && !color.forbidden_by_environment();
        Self { terminal, color: wanted, format: LogFormat::Text }
    }

    /// `text` in the colour of an ANSI code, where colours are wanted.
    pub(super) fn paint(self, text: &str, code: &str) -> String {
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Writes a line to stderr; where that fails there is nobody left to tell.
pub(super) fn to_stderr(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
