//! What `publish` asks of a manifest: a licence, an output that can be published, names that the place takes.
//!
//! Judges what the text says. Whether a file that was made is fit to be published is the `build` room's question.

use super::{
    output::{Output, OutputKind, holds_nnue},
    text::{Located, Problem},
};
use crate::words::Publish;

/// The only licence under which fishtest takes a net: who uploads one gives it away.
pub const FISHTEST_LICENSE: &str = "CC0-1.0";

/// Digits of the SHA-256 in a public name.
const DIGITS: usize = 12;

/// How the files of a net go out into the world. None of it changes a byte of the net, so none of it is in a key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Release {
    /// Whether each output gets a provenance file beside it.
    pub provenance: Located<bool>,
    /// Where the net is to be published: its `.nnue` outputs are checked as that place does, before they get their names.
    pub publish: Option<Located<Publish>>,
    /// SPDX expression of the licence that the net is given; not empty.
    pub license: Option<Located<String>>,
}

/// Whether `name` is one that fishtest takes: `nn-`, 12 hexadecimal digits in lower case, `.nnue`.
pub fn is_public_name(name: &str) -> bool {
    let digits = name.strip_prefix("nn-").and_then(|rest| rest.strip_suffix(".nnue"));
    digits.is_some_and(|digits| digits.len() == DIGITS && digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')))
}

/// Checks what a net as a whole says. `path` is its table, such as `net.big`; `has_license`: it has the key, with whatever value.
pub(super) fn check_net(path: &str, release: &Release, has_license: bool, outputs: &[Located<String>], problems: &mut Vec<Problem>) {
    let Some(Located { value: Publish::Fishtest, span }) = release.publish else { return };
    let cause = "nets on fishtest are under CC0, and the manifest must say that the owner agrees";
    let help = format!("if the net is yours to give away, write `license = \"{FISHTEST_LICENSE}\"`; otherwise remove `publish`");
    match &release.license {
        Some(license) if license.value == FISHTEST_LICENSE => {}
        None if has_license => {}
        Some(license) => problems.push(
            Problem::new(
                format!("`{path}` cannot be published on fishtest under the licence `{}`", license.value),
                license.span,
                "this licence",
                cause,
                help,
            )
            .and(span, "published here"),
        ),
        None => problems.push(Problem::new(format!("`{path}` would be published without a licence"), span, "needs `license`", cause, help)),
    }
    if !outputs.iter().any(|output| holds_nnue(&output.value))
        && let Some(output) = outputs.first()
    {
        problems.push(
            Problem::new(
                format!("`{path}` has no output that fishtest accepts"),
                output.span,
                "neither a `.nnue` file nor a folder",
                "fishtest tests `.nnue` files",
                "add a folder to `outputs`, such as `\"dist/\"`, which gets `nn-<sha256>.nnue`; or remove `publish`",
            )
            .and(span, "published here"),
        );
    }
}

/// The outputs of a net whose names the place would refuse. Placeholders are already filled.
pub(super) fn check_names(release: &Release, outputs: &[Output]) -> Vec<Problem> {
    let Some(Located { value: Publish::Fishtest, span }) = release.publish else { return Vec::new() };
    let unfit = outputs.iter().filter(|output| {
        let name = output.path.value.resolved.file_name().map(|name| name.to_string_lossy());
        output.kind == OutputKind::Nnue && !name.is_some_and(|name| is_public_name(&name))
    });
    let problem = |output: &Output| {
        Problem::new(
            format!("fishtest does not accept a net named `{}`", output.path.value.typed),
            output.path.span,
            "this name",
            "a public net is named by its content: `nn-<first 12 digits of the SHA-256>.nnue`",
            "name a folder, which gives the file that name: `outputs = [\"dist/\"]`; or remove `publish`",
        )
        .and(span, "published here")
    };
    unfit.map(problem).collect()
}

#[cfg(test)]
mod tests;
