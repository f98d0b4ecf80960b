//! Mistakes in texts that the user wrote: where each is, and all of a text as one error. Knows nothing of what the texts mean.

use std::{fmt, sync::Arc};

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};

use crate::error::{Error, Kind};
use crate::excerpt::{self, Excerpt};

/// A byte range in one of the texts that were read together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    /// 0: the file itself; others: what it builds on, and the texts of `--set`.
    pub text: usize,
    /// First byte. In a file that starts with a byte order mark, counted after it.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// One mistake. The first label is its place; those in other texts are not shown.
#[derive(Debug)]
pub(crate) struct Mistake {
    pub message: String,
    pub labels: Vec<(Span, String)>,
    /// Empty if the message says it all.
    pub cause: String,
    /// Empty if there is nothing to do.
    pub help: String,
}

/// Turns all mistakes, of which there is one at least, into one error of `Kind::Usage`: a lone one is the diagnostic, several are related to
/// a common one, of which at most `shown` are shown. `name` is that of the first text.
pub(crate) fn report(
    name: &str,
    texts: &[Arc<NamedSource<String>>],
    mistakes: impl ExactSizeIterator<Item = Mistake>,
    shown: usize,
) -> Error {
    let count = mistakes.len();
    let excerpts: Vec<Arc<Excerpt>> = texts.iter().map(|text| Arc::new(Excerpt::of(text))).collect();
    let mut findings: Vec<Finding> = mistakes.take(shown).map(|mistake| Finding::new(texts, &excerpts, mistake)).collect();
    if count == 1
        && let Some(finding) = findings.pop()
    {
        return Error::from_report(Kind::Usage, finding);
    }
    let more = if count > shown { format!("; the first {shown} are") } else { String::new() };
    Error::from_report(Kind::Usage, Findings { message: format!("`{name}` has {count} errors{more}"), findings })
}

/// A mistake together with its text.
#[derive(Debug)]
struct Finding {
    message: String,
    cause: Cause,
    help: String,
    text: Option<Arc<Excerpt>>,
    labels: Vec<LabeledSpan>,
}

impl Finding {
    fn new(texts: &[Arc<NamedSource<String>>], excerpts: &[Arc<Excerpt>], mistake: Mistake) -> Self {
        let place = mistake.labels.first().map_or_else(Span::default, |label| label.0);
        let text = excerpts.get(place.text).cloned();
        let content = texts.get(place.text).map_or("", |text| text.inner());
        let labels = mistake.labels.into_iter().filter(|(span, _)| span.text == place.text).map(|(span, label)| {
            let (start, end) = visible(content, span);
            (start, end, label)
        });
        let labels = text.as_ref().map_or_else(Vec::new, |text| text.labels(labels));
        let [message, cause, help] = [&mistake.message, &mistake.cause, &mistake.help].map(|text| excerpt::message(text));
        Self { message, cause: Cause(cause), help, text, labels }
    }
}

/// The span within its text. Nothing can be marked at the very end: what ends there is marked by its last character.
fn visible(text: &str, span: Span) -> (usize, usize) {
    let start = span.start.min(text.len());
    if start < text.trim_end().len() || span.start < span.end {
        return (start, span.end.clamp(start, text.len()));
    }
    let last = text.trim_end().char_indices().next_back().map_or((0, 0), |(at, c)| (at, at + c.len_utf8()));
    (last.0, last.1)
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Finding {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        (!self.cause.0.is_empty()).then_some(&self.cause)
    }
}

impl Diagnostic for Finding {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        (!self.help.is_empty()).then(|| Box::new(&self.help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.text.as_ref().map(|text| text as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
    }
}

#[derive(Debug)]
struct Cause(String);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Cause {}

/// Several mistakes of one run.
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

#[cfg(test)]
mod tests;
