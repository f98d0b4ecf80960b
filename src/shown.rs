//! Text of others as it may be shown: names, keys, lines and words that stand in files, or come from a server.
//!
//! A terminal obeys what it reads. An escape character in a tensor's name moves the cursor, sets the title or answers for the user;
//! marks of direction show a name backwards. So nothing of that kind leaves the program: [`crate::error::Error`] takes its texts through
//! here, and so do the two places that write to stdout and stderr (`cli/terminal.rs`), where a test sees to it that there is no third.

#![cfg_attr(not(feature = "cli"), allow(dead_code, reason = "only the command line prints"))]

use std::borrow::Cow;

use unicode_width::UnicodeWidthChar;

/// Columns that a name may take in a table.
pub(crate) const NAME: usize = 80;

/// The most bytes of one message, cause or help: all that anybody reads.
pub(crate) const MESSAGE: usize = 8 << 10;

/// Whether a character does something to a terminal or to what stands beside it, instead of being seen. Line ends and tabs are ours.
pub(crate) fn is_harmful(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        // C0, DEL and C1.
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' => true,
        // Direction, and ends of lines that not everybody knows.
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        // Invisible annotations and tags.
        '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}' => true,
        _ => false,
    }
}

/// The text with all that is harmful written out: `\u{1b}`.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    escaped(text, is_harmful, |c, out| out.extend(c.escape_default()))
}

/// As [`clean`], for what stands on a line of its own or within one: line ends and tabs are written out, too.
pub(crate) fn line(text: &str) -> Cow<'_, str> {
    escaped(text, |c| c == '\n' || c == '\t' || is_harmful(c), |c, out| out.extend(c.escape_default()))
}

/// As [`clean`] for a JSON document: what stands in its strings is escaped as JSON has it. No line of one begins with a colon, so
/// that [`without_commands`] has nothing left to do.
pub(crate) fn clean_json(text: &str) -> Cow<'_, str> {
    let clean = escaped(text, is_harmful, |c, out| {
        let mut units = [0; 2];
        out.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
    });
    if clean.contains(OLD_COMMAND) { Cow::Owned(clean.replace(OLD_COMMAND, "#\\u0023[")) } else { clean }
}

/// What GitHub's runners took for the beginning of a command once, and still do, wherever it stands.
const OLD_COMMAND: &str = "##[";

/// The text without commands to the machine that GitHub runs workflows on. It obeys lines of `::name …::` in what any program prints,
/// blanks before them aside: one names an output of the step, another stops all that come after it. So names of nets, files and
/// tensors must not begin a line as one.
pub(crate) fn without_commands(text: &str) -> Cow<'_, str> {
    if !text.contains("::") && !text.contains(OLD_COMMAND) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for line in text.split_inclusive('\n') {
        let rest = line.trim_start();
        match rest.strip_prefix("::") {
            Some(behind) => out.extend([&line[..line.len() - rest.len()], "\\u{3a}:", behind]),
            None => out.push_str(line),
        }
    }
    Cow::Owned(out.replace(OLD_COMMAND, "#\\u{23}["))
}

/// As [`clean`], but colours stay as this program's own messages have them: `ESC [ digits m`.
pub(crate) fn clean_coloured(text: &str) -> Cow<'_, str> {
    if !text.contains('\u{1b}') {
        return clean(text);
    }
    let mut out = String::with_capacity(text.len());
    for (number, part) in text.split('\u{1b}').enumerate() {
        let body = part.strip_prefix('[').unwrap_or("");
        let digits = body.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b';').count();
        if number > 0 {
            let is_colour = body.as_bytes().get(digits) == Some(&b'm');
            out.push_str(if is_colour { "\u{1b}" } else { "\\u{1b}" });
        }
        out.push_str(&clean(part));
    }
    Cow::Owned(out)
}

/// The text with as many bytes as before, for what is found in it by number: each harmful character becomes others of its length.
pub(crate) fn same_length(text: &str) -> Cow<'_, str> {
    escaped(
        text,
        |c| c == '\r' || is_harmful(c),
        |c, out| match c {
            // Of a line end this is a part.
            '\r' => out.push(' '),
            _ => (0..c.len_utf8()).for_each(|_| out.push('?')),
        },
    )
}

fn escaped(text: &str, is_meant: impl Fn(char) -> bool, escape: impl Fn(char, &mut String)) -> Cow<'_, str> {
    let Some(first) = first(text, &is_meant) else { return Cow::Borrowed(text) };
    let (good, rest) = text.split_at(first);
    let mut out = String::with_capacity(text.len() + 16);
    out.push_str(good);
    for c in rest.chars() {
        if is_meant(c) { escape(c, &mut out) } else { out.push(c) }
    }
    Cow::Owned(out)
}

/// Where the first character is that is meant. Printable ASCII never is, and nearly all that is shown is that.
fn first(text: &str, is_meant: impl Fn(char) -> bool) -> Option<usize> {
    let mut at = 0;
    loop {
        at += text.as_bytes().get(at..)?.iter().position(|byte| !matches!(byte, b' '..=b'~'))?;
        let c = text.get(at..)?.chars().next()?;
        if is_meant(c) {
            return Some(at);
        }
        at += c.len_utf8();
    }
}

/// The text, or its beginning and how long it is where that is more than `most` bytes.
pub(crate) fn bounded(text: String, most: usize) -> String {
    if text.len() <= most {
        return text;
    }
    let end = (0..=most).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}… ({} bytes in all)", text.get(..end).unwrap_or_default(), text.len())
}

/// Columns that a text takes on a terminal.
pub(crate) fn columns(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// A name for a line or a table: cleaned, and with its middle left out where it takes more than [`NAME`] columns.
pub(crate) fn name(text: &str) -> String {
    shortened(text, NAME)
}

/// As [`name`] for any number of columns from 3 on.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    // All that can be of use of a name of millions of bytes.
    let head: String = text.chars().take(most + 1).collect();
    let clean_head = line(&head);
    if head.len() == text.len() && columns(&clean_head) <= most {
        return clean_head.into_owned();
    }
    let tail: Vec<char> = text.chars().rev().take(most + 1).collect();
    let tail: String = tail.into_iter().rev().collect();
    let tail = line(&tail);
    let (left, right) = (most.saturating_sub(1).div_ceil(2), most.saturating_sub(1) / 2);
    let mut out = String::new();
    let mut used = 0;
    for c in clean_head.chars() {
        used += c.width().unwrap_or(0);
        if used > left {
            break;
        }
        out.push(c);
    }
    out.push('…');
    let mut used = 0;
    let end: Vec<char> = tail
        .chars()
        .rev()
        .take_while(|c| {
            used += c.width().unwrap_or(0);
            used <= right
        })
        .collect();
    out.extend(end.into_iter().rev());
    out
}

/// The text with blanks behind it up to `width` columns.
pub(crate) fn left(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(columns(text))))
}

/// The text with blanks before it up to `width` columns.
pub(crate) fn right(text: &str, width: usize) -> String {
    format!("{}{text}", " ".repeat(width.saturating_sub(columns(text))))
}

#[cfg(test)]
mod tests;
