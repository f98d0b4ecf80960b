//! How errors look on stderr: miette's graphics on a terminal, plain lines elsewhere, or JSON.

use std::fmt;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, MietteHandlerOpts, ReportHandler};

use super::log::LogFormat;
use super::terminal::{Style, annotations_to_stderr, to_stderr};
use crate::error::Error;

/// Columns of a diagnostic with source text that goes into a file or a pipe.
const PLAIN_WIDTH: usize = 120;

/// Prints an error on stderr.
pub(super) fn print(error: &Error, style: Style) {
    match style.format {
        LogFormat::Json => to_stderr(&super::log::error(error).join("\n")),
        LogFormat::Text | LogFormat::Github => to_stderr(render(error, style).trim_end()),
    }
    if style.format == LogFormat::Github {
        annotations_to_stderr(&super::log::github::error(error));
    }
}

fn render(error: &Error, style: Style) -> String {
    let plain = Plain::of(error);
    match error.report() {
        Some(report) if style.terminal => graphical(report, style),
        Some(report) => {
            let theme = if style.color { GraphicalTheme::ascii() } else { GraphicalTheme::none() };
            let mut text = String::new();
            // Writing into a string does not fail; were it to, the lines without source text still say what is wrong.
            match GraphicalReportHandler::new_themed(theme).with_width(PLAIN_WIDTH).render_report(&mut text, report) {
                Ok(()) => text,
                Err(_) => plain.lines(style),
            }
        }
        None if style.terminal && !error.causes().is_empty() => graphical(&plain, style),
        None => plain.lines(style),
    }
}

fn graphical(diagnostic: &dyn Diagnostic, style: Style) -> String {
    struct Shown<'a>(&'a dyn ReportHandler, &'a dyn Diagnostic);
    impl fmt::Display for Shown<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.debug(self.1, f)
        }
    }
    let handler = MietteHandlerOpts::new().color(style.color).unicode(true).terminal_links(false).build();
    Shown(&handler, diagnostic).to_string()
}

/// An error without source text, in the shape that miette takes.
#[derive(Debug)]
struct Plain {
    message: String,
    cause: Option<Box<Cause>>,
    help: Option<String>,
}

#[derive(Debug)]
struct Cause {
    message: String,
    next: Option<Box<Cause>>,
}

impl Plain {
    fn of(error: &Error) -> Self {
        let chain = error.causes().iter().rev().fold(None, |next, message| Some(Box::new(Cause { message: message.clone(), next })));
        Self { message: error.message().to_owned(), cause: chain, help: error.help_text().map(str::to_owned) }
    }

    /// One line each for message, causes and help.
    fn lines(&self, style: Style) -> String {
        // What goes on in a further line, as a name in a file may, must not look like a message of its own.
        let one = |text: &str| text.replace('\n', "\n    ");
        let mut text = format!("{} {}\n", style.paint("error:", "1;31"), one(&self.message));
        let mut cause = self.cause.as_deref();
        while let Some(Cause { message, next }) = cause {
            text += &format!("  because: {}\n", one(message));
            cause = next.as_deref();
        }
        if let Some(help) = &self.help {
            text += &format!("  {} {}\n", style.paint("help:", "1;36"), one(help));
        }
        text
    }
}

impl fmt::Display for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Plain {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

impl std::error::Error for Cause {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.next.as_deref().map(|cause| cause as _)
    }
}

impl Diagnostic for Plain {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as _)
    }
}

#[cfg(test)]
mod tests;
