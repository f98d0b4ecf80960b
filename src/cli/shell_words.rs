//! A command line as a shell takes it apart: blanks, quotes and backslashes; nothing is expanded.

/// How the last word of a line stands.
pub(super) struct Last {
    /// It began with a quote, and goes on in it.
    pub(super) quoted: bool,
    /// So many bytes at its beginning are another word for a shell that ends words at other letters, too.
    pub(super) kept: usize,
}

/// The words of a line, the last one being what its end is in, if only nothing. `breaks` are letters that end words for the shell that asks.
pub(super) fn split(line: &str, breaks: &str) -> (Vec<String>, Last) {
    let mut words = Vec::new();
    let (mut word, mut quote, mut kept) = (None::<String>, None, 0);
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        let is_plain = match (quote, letter) {
            (None, letter) if letter.is_whitespace() => {
                words.extend(word.take());
                kept = 0;
                continue;
            }
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
                continue;
            }
            (Some(open), _) if open == letter => {
                quote = None;
                continue;
            }
            (None | Some('"'), '\\') => {
                // A backslash at the end of a line goes on with the next one.
                if let Some(next) = letters.next().filter(|next| *next != '\n') {
                    word.get_or_insert_default().push(next);
                }
                continue;
            }
            (quote, _) => quote.is_none(),
        };
        let word = word.get_or_insert_default();
        word.push(letter);
        if is_plain && breaks.contains(letter) {
            kept = word.len();
        }
    }
    words.push(word.unwrap_or_default());
    (words, Last { quoted: quote.is_some(), kept })
}

#[cfg(test)]
mod tests;
