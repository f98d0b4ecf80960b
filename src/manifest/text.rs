//! Where a value was written, and how a mistake in it is shown: spans, source texts, problems.
//!
//! Knows nothing of TOML or of the manifest's keys.

use std::{
    collections::HashSet,
    hash::{Hash, Hasher},
    path::Path,
    sync::Arc,
};

use miette::NamedSource;

use crate::error::Error;
pub use crate::findings::Span;
use crate::findings::{self, Mistake};
use crate::words::suggest;

/// What some editors put before the first character of a file.
pub(super) const BYTE_ORDER_MARK: char = '\u{feff}';

/// At most this many problems are shown; a binary file given as a manifest would have thousands.
const SHOWN: usize = 100;

/// A value and the place where it was written. A default has the place of the table that could hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub span: Span,
}

/// Hashes all of a table but the place where it stands. A field that is not named does not compile.
macro_rules! hashed_without_place {
    ($type:ident $(<$of:ident>)? { $($field:ident),* $(,)? }) => {
        impl $(<$of: std::hash::Hash>)? std::hash::Hash for $type $(<$of>)? {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                let Self { span: _, $($field),* } = self;
                $(std::hash::Hash::hash($field, state);)*
            }
        }
    };
}
pub(super) use hashed_without_place;

impl<T: Hash> Hash for Located<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { value, span: _ } = self;
        value.hash(state);
    }
}

impl<T> Located<T> {
    pub(super) fn map<U>(self, convert: impl FnOnce(T) -> U) -> Located<U> {
        Located { value: convert(self.value), span: self.span }
    }
}

/// The manifest's text and the texts of the overrides, by [`Span::text`]; and whether the file begins with a byte order mark.
#[derive(Debug, Clone)]
pub(super) struct Texts(Vec<Arc<NamedSource<String>>>, bool);

impl Texts {
    /// `text` with or without its byte order mark.
    pub fn new(name: &Path, text: &str) -> Self {
        let bare = text.strip_prefix(BYTE_ORDER_MARK);
        let source = NamedSource::new(name.display().to_string(), bare.unwrap_or(text).to_owned());
        Self(vec![Arc::new(source)], bare.is_some())
    }

    /// The manifest as it was read.
    pub fn whole(&self) -> String {
        let text = self.0.first().map_or("", |text| text.inner());
        if self.1 { format!("{BYTE_ORDER_MARK}{text}") } else { text.to_owned() }
    }

    /// Adds the text of a `--set` and gives its number.
    pub fn add_override(&mut self, text: &str) -> usize {
        self.0.push(Arc::new(NamedSource::new("--set", text.to_owned())));
        self.0.len() - 1
    }

    /// What is written at `span`; empty where the span does not lie in its text.
    pub fn slice(&self, span: Span) -> &str {
        self.0.get(span.text).and_then(|text| text.inner().get(span.start..span.end)).unwrap_or("")
    }

    /// The place of `range` of a string value within the literal at `span`; the whole literal if it holds escapes.
    pub fn inside(&self, span: Span, value: &str, range: std::ops::Range<usize>) -> Span {
        let raw = self.slice(span);
        let quote = match raw.len().checked_sub(value.len()) {
            Some(0) if raw == value => 0,
            Some(2) if raw.get(1..raw.len() - 1) == Some(value) => 1,
            _ => return span,
        };
        Span { text: span.text, start: span.start + quote + range.start, end: span.start + quote + range.end }
    }

    /// `file:line` of a span, for one-line messages.
    pub fn line(&self, span: Span) -> String {
        let Some(text) = self.0.get(span.text) else { return String::new() };
        let before = text.inner().as_bytes().get(..span.start).unwrap_or_default();
        format!("{}:{}", text.name(), 1 + before.iter().filter(|&&byte| byte == b'\n').count())
    }

    fn name(&self) -> &str {
        self.0.first().map_or("nnue.toml", |text| text.name())
    }
}

/// One mistake: what, where, why, and what to do.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    pub message: String,
    /// The first label is the place; the others add to it and are shown if they lie in the same text.
    pub labels: Vec<(Span, String)>,
    pub cause: String,
    pub help: String,
}

impl Problem {
    pub fn new(
        message: impl Into<String>,
        span: Span,
        label: impl Into<String>,
        cause: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self { message: message.into(), labels: vec![(span, label.into())], cause: cause.into(), help: help.into() }
    }

    /// A problem whose place must not be shown.
    pub fn without_place(message: impl Into<String>, cause: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), labels: Vec::new(), cause: cause.into(), help: help.into() }
    }

    /// Adds a second place.
    pub fn and(mut self, span: Span, label: impl Into<String>) -> Self {
        self.labels.push((span, label.into()));
        self
    }

    /// Of the first label.
    pub fn place(&self) -> Span {
        self.labels.first().map_or_else(Span::default, |label| label.0)
    }
}

/// A list of problems with each pair of places at most once: a thousand files of a sweep are one mistake.
pub(super) struct Once<'a> {
    problems: &'a mut Vec<Problem>,
    reported: HashSet<(Span, Span)>,
}

impl<'a> Once<'a> {
    pub fn new(problems: &'a mut Vec<Problem>) -> Self {
        Self { problems, reported: HashSet::new() }
    }

    /// Adds a problem unless one with its place and this other one is there.
    pub fn report(&mut self, problem: Problem, other: Span) {
        if let Some(&(place, _)) = problem.labels.first()
            && self.reported.insert((place, other))
        {
            self.problems.push(problem);
        }
    }

    /// Whether there are problems already, of which others may only follow.
    pub fn has_any(&self) -> bool {
        !self.problems.is_empty()
    }

    /// Adds a problem that may share its place with others.
    pub fn add(&mut self, problem: Problem) {
        self.problems.push(problem);
    }
}

/// Turns all problems of a run into one error.
pub(super) fn report(texts: &Texts, mut problems: Vec<Problem>) -> Error {
    problems.sort_by_key(Problem::place);
    let mistakes = problems.into_iter().map(|problem| {
        let Problem { message, labels, cause, help } = problem;
        Mistake { message, labels, cause, help }
    });
    findings::report(texts.name(), &texts.0, mistakes, SHOWN)
}

/// The words that `typed` may have been meant to be, as the beginning of a help: those that begin with it if they are few, as `SFNNv10`
/// begins two, or the nearest. Empty if there are none.
pub(super) fn suggestion(typed: &str, words: &[&str]) -> String {
    const FEW: usize = 3;
    let begins = |word: &&&str| word.get(..typed.len()).is_some_and(|start| start.eq_ignore_ascii_case(typed));
    let longer: Vec<String> = words.iter().filter(begins).map(|word| format!("`{word}`")).collect();
    match longer.len() {
        1..=FEW if !typed.is_empty() => format!("did you mean {}? ", longer.join(" or ")),
        _ => suggest(typed, words.iter().copied()).map_or(String::new(), |meant| format!("did you mean `{meant}`? ")),
    }
}

/// Names in backticks, for a help text; long lists are cut.
pub(super) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const MANY: usize = 24;
    let names: Vec<&str> = names.into_iter().collect();
    let mut text = names.iter().take(MANY).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if names.len() > MANY {
        text.push_str(&format!(" and {} more", names.len() - MANY));
    }
    text
}

#[cfg(test)]
mod tests;
