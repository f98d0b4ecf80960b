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
mod tests {
    use super::*;

    #[test]
    fn an_annotation_is_one_line_whatever_it_says() {
        let plain = Error::new("50 % of `a`\r").because("truncated").help("fetch it\nagain");
        assert_eq!(error(&plain), ["::error title=nnue::50 %25 of `a`\\r%0Abecause: truncated%0Ahelp: fetch it%0Aagain"]);
        assert_eq!(message("warning", "a, b: c"), "::warning title=nnue::a, b: c");
        assert_eq!(usage("error: unexpected argument\n\n  tip: no\n"), "::error title=nnue::unexpected argument%0A%0A  tip: no");
    }

    #[test]
    fn mistakes_of_a_manifest_stand_at_their_lines() {
        let text = "version = 1\n[net.a]\nsource = \"x.nnue\"\noutputs = \"d/\"\nx = 1\ncompression = \"no\"\n";
        let broken = crate::manifest::parse(text, "so,me/nnue.toml".as_ref(), &[]).unwrap_err();
        let lines = error(&broken);
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].starts_with("::error file=so%2Cme/nnue.toml,line=5,col=1,title=nnue::unknown key `x`"), "{lines:?}");
        assert!(lines[1].starts_with("::error file=so%2Cme/nnue.toml,line=6,col=15,title=nnue::"), "{lines:?}");
        assert!(lines.iter().all(|line| !line.contains('\n')), "{lines:?}");
    }
}
