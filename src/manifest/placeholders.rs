//! `{words}` in the names and paths of nets: where they stand, which there are, and putting texts in their place.
//!
//! Knows texts only. What `{stem}` and `{parent}` stand for is a sweep's question, what an axis stands for the matrix's.

use std::ops::Range;

use super::text::{Located, Problem, Texts};
use crate::words::suggest;

/// What a sweep's name, outputs and permutation may hold.
pub(super) const PLACEHOLDERS: [&str; 2] = ["stem", "parent"];

/// The `{words}` of a text in their order, each with its place, braces included.
pub(super) fn words(text: &str) -> impl Iterator<Item = (&str, Range<usize>)> {
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            let open = from + text[from..].find('{')?;
            from = open + 1;
            let close = from + text[from..].find('}')?;
            let word = &text[from..close];
            if !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                from = close + 1;
                return Some((word, open..from));
            }
        }
    })
}

/// Replaces the words that have a value in one pass: a value that looks like a placeholder stays as it is.
pub(super) fn fill<'v>(text: &str, value: impl Fn(&str) -> Option<&'v str>) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut from = 0;
    for (word, range) in words(text) {
        if let Some(value) = value(word) {
            filled.push_str(&text[from..range.start]);
            filled.push_str(value);
            from = range.end;
        }
    }
    filled.push_str(&text[from..]);
    filled
}

/// Whether a text differs from file to file.
pub(super) fn has_placeholder(text: &str) -> bool {
    words(text).any(|(word, _)| PLACEHOLDERS.contains(&word))
}

/// Checks the words in a net's name or path.
pub(super) fn check(text: &Located<String>, swept: bool, texts: &Texts, problems: &mut Vec<Problem>) {
    for (word, range) in words(&text.value) {
        let place = texts.inside(text.span, &text.value, range);
        let known = PLACEHOLDERS.contains(&word);
        if known && !swept {
            problems.push(Problem::new(
                format!("`{{{word}}}` has no value here"),
                place,
                "this placeholder",
                "only a sweep, a net whose source is a glob, has a file to take it from",
                "write `source = { glob = \"…\" }`, or a fixed text in place of it",
            ));
        } else if !known && swept {
            let meant = suggest(word, PLACEHOLDERS).map_or(String::new(), |meant| format!("did you mean `{{{meant}}}`? "));
            problems.push(Problem::new(
                format!("unknown placeholder `{{{word}}}`"),
                place,
                "this placeholder",
                "each file of a sweep gives its own names",
                format!("{meant}`{{stem}}` is the file's name without its ending, `{{parent}}` the name of its folder"),
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_in_one_pass() {
        let value = |word: &str| match word {
            "stem" => Some("{parent}"),
            "parent" => Some("p"),
            _ => None,
        };
        assert_eq!(fill("a{stem}/{parent}{x}{", value), "a{parent}/p{x}{");
        assert_eq!(fill("{{stem}}{}{s tem}", value), "{{parent}}{}{s tem}");
    }

    #[test]
    fn words_know_their_places() {
        let found: Vec<_> = words("{a}ü{{b_1}}{}{c d}").collect();
        assert_eq!(found, [("a", 0..3), ("b_1", 6..11)]);
    }
}
