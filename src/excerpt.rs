//! The text around a mistake, for diagnostics: nothing in it does anything to a terminal, and of a long line there is only what stands
//! near the mistake.

use miette::{LabeledSpan, MietteError, MietteSpanContents, NamedSource, SourceCode, SourceSpan, SpanContents};

use crate::shown;

/// Lines that are shown whole, with those around them, bytes.
const LONG: usize = 2000;

/// What is shown of a longer one before and behind the mistake, bytes.
const AROUND: usize = 100;

/// The most bytes that are marked.
const MARKED: usize = 200;

/// The most bytes of one message of a diagnostic.
const MESSAGE: usize = 2000;

/// A text with its name.
#[derive(Debug)]
pub(crate) struct Excerpt {
    name: String,
    text: String,
}

impl Excerpt {
    /// Of all that was read.
    pub(crate) fn of(source: &NamedSource<String>) -> Self {
        Self { name: shown::line(source.name()).into_owned(), text: shown::same_length(source.inner()).into_owned() }
    }

    /// Marks that can be shown together: each with its first byte and one past its last. Those far from the first are left out, and of
    /// a long one its beginning is marked.
    pub(crate) fn labels(&self, labels: impl IntoIterator<Item = (usize, usize, String)>) -> Vec<LabeledSpan> {
        let mut first = None;
        let mut near = Vec::new();
        for (start, end, label) in labels {
            let start = self.boundary(start);
            let first = *first.get_or_insert(start);
            if start.abs_diff(first) <= LONG || !self.is_on_long_line(start.min(first), start.max(first)) {
                let end = self.boundary(end.min(start + MARKED)).max(start);
                near.push(LabeledSpan::new(Some(message(&label)), start, end - start));
            }
        }
        near
    }

    /// Whether the lines with these places, and those between, are long.
    fn is_on_long_line(&self, from: usize, to: usize) -> bool {
        self.text.get(from..to).is_some_and(|between| between.split('\n').any(|line| line.len() > AROUND * 4))
    }

    /// The last beginning of a character that is not behind `at`.
    fn boundary(&self, at: usize) -> usize {
        (0..=at.min(self.text.len())).rev().find(|at| self.text.is_char_boundary(*at)).unwrap_or(0)
    }
}

/// A message of a diagnostic that may hold names of others.
pub(crate) fn message(text: &str) -> String {
    shown::bounded(shown::clean(text).into_owned(), MESSAGE)
}

impl SourceCode for Excerpt {
    fn read_span<'a>(&'a self, span: &SourceSpan, before: usize, after: usize) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let whole = self.text.as_str().read_span(span, before, after)?;
        let (mut line, mut column, mut place) = (whole.line(), whole.column(), *whole.span());
        let mut data = whole.data();
        if data.len() > LONG {
            let begin = place.offset();
            let from = self.boundary(span.offset().saturating_sub(AROUND).max(begin));
            let to = self.boundary((span.offset() + span.len() + AROUND).min(begin + data.len()));
            let skipped = self.text.get(begin..from).unwrap_or_default();
            match skipped.rfind('\n') {
                Some(end) => {
                    line += skipped.bytes().filter(|byte| *byte == b'\n').count();
                    column = skipped.len() - end - 1;
                }
                None => column += skipped.len(),
            }
            data = self.text.as_bytes().get(from..to).unwrap_or_default();
            place = (from, data.len()).into();
        }
        let name = self.name.clone();
        Ok(Box::new(MietteSpanContents::new_named(name, data, place, line, column, whole.line_count())))
    }
}

#[cfg(test)]
mod tests;
