//! Permutations as engines keep them: numbers in a text, counts of activations, and constants to paste into a source.
//! The trainer's `.npy` files are `npy`'s.

use std::fmt::Write;

use crate::error::{Error, Result};
use crate::net::Permutation;

/// Reads numbers separated by blanks or commas, also as a constant of Rust or C++ is pasted: what stands before the opening bracket
/// and behind the closing one does not count.
///
/// # Errors
/// When the text holds anything else, or the numbers are not a permutation.
pub fn parse(text: &str) -> Result<Permutation> {
    Permutation::try_from(numbers(text)?.as_slice())
}

/// The order that `counts` of activations a neuron pair give: those that are seldom active first, equal ones as they stand.
///
/// # Errors
/// When the text holds anything but numbers.
pub fn by_counts(text: &str) -> Result<Permutation> {
    let counts = numbers(text)?;
    let mut order: Vec<i64> = (0..counts.len() as i64).collect();
    order.sort_by_key(|index| counts.get(*index as usize));
    Permutation::try_from(order.as_slice())
}

fn numbers(text: &str) -> Result<Vec<i64>> {
    // The last opening bracket: a type such as `[usize; 512]` has one, too.
    let inner = match (text.rfind(['[', '{']), text.rfind([']', '}'])) {
        (Some(open), Some(close)) if open < close => text.get(open + 1..close).unwrap_or_default(),
        _ => text,
    };
    let words = inner.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty());
    words
        .map(|word| {
            word.parse().map_err(|_| {
                let shown: String = word.chars().take(40).collect();
                Error::new(format!("`{shown}` is no number")).help("a permutation in a text is numbers, separated by commas or blanks")
            })
        })
        .collect()
}

/// The languages that a permutation can be pasted into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Numbers, separated by commas.
    Text,
    /// `const NAME: [usize; N] = […];`
    Rust,
    /// `constexpr std::uint16_t NAME[N] = {…};`
    Cpp,
}

/// The permutation in a source text, sixteen numbers a line; [`parse`] reads it again.
pub fn render(permutation: &Permutation, language: Language, name: &str) -> String {
    let entries = permutation.as_slice();
    if language == Language::Text {
        let numbers: Vec<String> = entries.iter().map(u32::to_string).collect();
        return numbers.join(",") + "\n";
    }
    let mut text = match language {
        Language::Cpp => format!("constexpr std::uint16_t {name}[{}] = {{\n", entries.len()),
        _ => format!("const {name}: [usize; {}] = [\n", entries.len()),
    };
    for line in entries.chunks(16) {
        let numbers: Vec<String> = line.iter().map(u32::to_string).collect();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "    {},", numbers.join(", "));
    }
    text.push_str(if language == Language::Cpp { "};\n" } else { "];\n" });
    text
}

#[cfg(test)]
mod tests;
