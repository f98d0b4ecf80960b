//! Where something was written in an architecture file, and how a mistake there is shown. Knows nothing of what the file means.

use std::{fmt, sync::Arc};

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};

use crate::error::{Error, Kind};
use crate::excerpt::{self, Excerpt};
use crate::words::suggest;

/// At most so many mistakes are shown.
const SHOWN: usize = 50;

/// A byte range in one of the texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Span {
    /// 0: the file itself; others: what it is like, and the texts of `--set`.
    pub text: usize,
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

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
    let count = problems.len();
    problems.truncate(SHOWN);
    let excerpts: Vec<Arc<Excerpt>> = texts.0.iter().map(|text| Arc::new(Excerpt::of(text))).collect();
    let mut findings: Vec<Finding> = problems.into_iter().map(|problem| Finding::new(&excerpts, problem)).collect();
    if count == 1
        && let Some(finding) = findings.pop()
    {
        return Error::from_report(Kind::Usage, finding);
    }
    let more = if count > SHOWN { format!("; the first {SHOWN} are") } else { String::new() };
    Error::from_report(Kind::Usage, Findings { message: format!("`{name}` has {count} errors{more}"), findings })
}

/// A mistake together with its text.
#[derive(Debug)]
struct Finding {
    problem: Problem,
    text: Option<Arc<Excerpt>>,
}

impl Finding {
    fn new(excerpts: &[Arc<Excerpt>], problem: Problem) -> Self {
        let message = excerpt::message(&problem.message);
        let help = problem.help.as_deref().map(excerpt::message);
        Self { text: excerpts.get(problem.span.text).cloned(), problem: Problem { message, help, ..problem } }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem.message)
    }
}

impl std::error::Error for Finding {}

impl Diagnostic for Finding {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.problem.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.text.as_ref().map(|text| text as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let Span { start, end, .. } = self.problem.span;
        let label = (start, end, self.problem.label.clone());
        Some(Box::new(self.text.as_ref().map_or_else(Vec::new, |text| text.labels([label])).into_iter()))
    }
}

/// Several mistakes of one file.
#[derive(Debug)]
struct Findings {
    message: String,
    findings: Vec<Finding>,
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Findings {}

impl Diagnostic for Findings {
    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.findings.iter().map(|finding| finding as &dyn Diagnostic)))
    }
}
