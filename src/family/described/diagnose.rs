//! Where something was written in an architecture file, and how a mistake there is shown. Knows nothing of what the file means.

use std::sync::Arc;

use miette::NamedSource;

use crate::error::Error;
pub(crate) use crate::findings::Span;
use crate::findings::{self, Mistake};
use crate::words::suggest;

/// At most so many mistakes are shown.
const SHOWN: usize = 50;

/// A text that the user wrote, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    pub text: String,
    pub span: Span,
}

/// The file's text, that of the shipped architecture that it is like, and those of the `--set` options, by [`Span::text`].
pub(crate) struct Texts(Vec<Arc<NamedSource<String>>>);

impl Texts {
    pub fn new(name: &str, text: &str) -> Self {
        Self(vec![Arc::new(NamedSource::new(name, text.to_owned()))])
    }

    /// Adds a text and gives its number.
    pub fn add(&mut self, name: &str, text: &str) -> usize {
        self.0.push(Arc::new(NamedSource::new(name, text.to_owned())));
        self.0.len() - 1
    }
}

/// One mistake: what, where, and what to do.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    message: String,
    span: Span,
    label: String,
    help: Option<String>,
}

impl Problem {
    pub fn new(message: impl Into<String>, span: Span, label: impl Into<String>) -> Self {
        Self { message: message.into(), span, label: label.into(), help: None }
    }

    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// A name that is not among `known`.
    pub fn unknown(what: &str, name: &Name, known: &[&str]) -> Self {
        let list = known.iter().take(24).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let help = match (suggest(&name.text, known.iter().copied()), known.is_empty()) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, true) => format!("no {what} is defined"),
            (None, false) => format!("known: {list}"),
        };
        Self::new(format!("no {what} is named `{}`", name.text), name.span, "this name").help(help)
    }
}

/// Turns all mistakes into one error.
pub(crate) fn report(texts: &Texts, name: &str, mut problems: Vec<Problem>) -> Error {
    problems.sort_by_key(|problem| problem.span);
    // What one layout has from another is read for both.
    problems.dedup_by(|a, b| a.span == b.span && a.message == b.message);
    let mistakes = problems.into_iter().map(|problem| {
        let Problem { message, span, label, help } = problem;
        Mistake { message, labels: vec![(span, label)], cause: String::new(), help: help.unwrap_or_default() }
    });
    findings::report(name, &texts.0, mistakes, SHOWN)
}
