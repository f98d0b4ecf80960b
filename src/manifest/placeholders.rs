//! `{words}` in the names and paths of nets: where they stand, which there are, and putting texts in their place.
//!
//! Knows texts only. What `{stem}`, `{parent.2}` or `{1}` stand for is a sweep's question, what an axis stands for the matrix's.

use std::ops::Range;

use super::captures::{self, OWN_WORDS};
use super::text::{Located, Problem, Texts, listed};
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
            if is_word(word) {
                from = close + 1;
                return Some((word, open..from));
            }
        }
    })
}

fn is_word(text: &str) -> bool {
    let name = text.strip_prefix("parent.").unwrap_or(text);
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Whether a word can be one of a sweep, whatever its glob: where a file lies, the numbers in its name, a wildcard by its number.
pub(super) fn may_be_swept(word: &str) -> bool {
    let number = word.strip_prefix("parent.").unwrap_or(word);
    OWN_WORDS.contains(&word) || number.parse::<u8>().is_ok_and(|number| number > 0)
}

/// The names of wildcards in a text that may be a glob.
pub(super) fn names_in(text: &str) -> Vec<String> {
    if text.contains(':') { captures::words_of(text).into_iter().filter(|word| !may_be_swept(word)).collect() } else { Vec::new() }
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

/// Whether a text differs from file to file, of a sweep whose wildcards have these words.
pub(super) fn has_placeholder(text: &str, wildcards: &[String]) -> bool {
    words(text).any(|(word, _)| is_known(word, wildcards))
}

fn is_known(word: &str, wildcards: &[String]) -> bool {
    let is_wildcard = word.bytes().all(|byte| byte.is_ascii_digit());
    wildcards.iter().any(|known| known == word) || may_be_swept(word) && !is_wildcard
}

/// Checks the words in a net's name or path. `wildcards` are the words of its glob's; `None` where it has none.
pub(super) fn check(text: &Located<String>, wildcards: Option<&[String]>, texts: &Texts, problems: &mut Vec<Problem>) {
    for (word, range) in words(&text.value) {
        let place = texts.inside(text.span, &text.value, range);
        let known = wildcards.map_or(PLACEHOLDERS.contains(&word), |wildcards| is_known(word, wildcards));
        if known && wildcards.is_none() {
            problems.push(Problem::new(
                format!("`{{{word}}}` has no value here"),
                place,
                "this placeholder",
                "only a sweep, a net whose source is a glob, has a file to take it from",
                "write `source = { glob = \"…\" }`, or a fixed text in place of it",
            ));
        } else if let Some(wildcards) = wildcards.filter(|_| !known) {
            let shown: Vec<String> = wildcards.iter().map(|word| format!("{{{word}}}")).collect();
            let all = || OWN_WORDS.into_iter().chain(wildcards.iter().map(String::as_str));
            let meant = suggest(word, all()).map_or(String::new(), |meant| format!("did you mean `{{{meant}}}`? "));
            problems.push(Problem::new(
                format!("unknown placeholder `{{{word}}}`"),
                place,
                "this placeholder",
                "each file of a sweep gives its own names",
                format!(
                    "{meant}`{{stem}}` is the file's name without its ending, `{{parent}}` the name of its folder, `{{parent.2}}` of the one \
                     above, `{{epoch}}` and `{{step}}` numbers in its name; this glob's wildcards are {}",
                    if wildcards.is_empty() { "none".to_owned() } else { listed(shown.iter().map(String::as_str)) }
                ),
            ));
        }
    }
}

#[cfg(test)]
mod tests;
