//! `--log-format github`: errors and warnings as commands that GitHub's workflows show as annotations, at a file's line where there is one.

use std::path::Path;

use miette::Diagnostic;

use super::{causes, findings, place};
use crate::error::Error;
use crate::files::typed;

/// A warning, or a note of `notice`, without a place.
pub(in crate::cli) fn message(kind: &str, text: &str) -> String {
    format!("::{kind} title=nnue::{}", data(text))
}

/// An error: an annotation for each of its findings.
pub(in crate::cli) fn error(error: &Error) -> Vec<String> {
    match error.report() {
        None => vec![message("error", &paragraph(error.message(), error.causes(), error.help_text()))],
        Some(report) => findings(report).into_iter().map(finding).collect(),
    }
}

/// A command line that clap refused, by the text that it would print.
pub(in crate::cli) fn usage(text: &str) -> String {
    message("error", text.trim().trim_start_matches("error: "))
}

fn finding(report: &dyn Diagnostic) -> String {
    let help = report.help().map(|help| help.to_string());
    let text = paragraph(&report.to_string(), &causes(report), help.as_deref());
    let Some((Some(file), line, column)) = place(report) else { return message("error", &text) };
    format!("::error file={},line={line},col={column},title=nnue::{}", property(&in_workspace(&file)), data(&text))
}

/// A line each for message, causes and help.
fn paragraph(message: &str, causes: &[String], help: Option<&str>) -> String {
    let causes = causes.iter().map(|cause| format!("\nbecause: {cause}"));
    let help = help.map(|help| format!("\nhelp: {help}"));
    std::iter::once(message.to_owned()).chain(causes).chain(help).collect()
}

/// The path as GitHub wants it: from the root of the repository. One that is not in there stays as it is.
fn in_workspace(file: &str) -> String {
    let inside = || {
        let root = Path::new(&std::env::var_os("GITHUB_WORKSPACE")?).canonicalize().ok()?;
        let path = Path::new(file).canonicalize().ok()?;
        path.strip_prefix(root).ok().filter(|path| path.to_str().is_some()).map(typed)
    };
    inside().unwrap_or_else(|| file.to_owned())
}

/// What stands behind the second pair of colons is one line.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Properties are also separated by commas and colons.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests;
