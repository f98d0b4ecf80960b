//! TOML text → an owned tree in which every key and value knows its place, and `--set` on top of it.
//!
//! Knows TOML and nothing of the manifest's keys, except that the tables below `source`, `data` and `net` are named by
//! the user, so that `--set` cannot invent one by a slip of the finger.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::{
    keys,
    text::{Located, Problem, Span, Texts, listed, report},
};
use crate::error::Result;
use crate::words::suggest;

/// Keys lie five deep in a manifest. The TOML parser bounds brackets and dots each by themselves, not their product.
const DEPTH: usize = 32;

#[derive(Clone)]
pub(super) enum Value {
    String(String),
    /// `None` for a number beyond 128 bits.
    Integer(Option<i128>),
    Float(String),
    Boolean(bool),
    Date,
    List(Vec<Item>),
    /// In the order of the text.
    Table(Vec<Entry>),
}

#[derive(Clone)]
pub(super) struct Item {
    pub value: Value,
    pub span: Span,
}

#[derive(Clone)]
pub(super) struct Entry {
    pub key: Located<String>,
    pub item: Item,
}

/// Texts that defaults, and that axes, may add to a manifest, bytes. Nets with names and paths are a few hundred bytes each.
pub(super) const MOST_TEXT: u64 = 64 << 20;
/// Values that each of the two may add.
pub(super) const MOST_VALUES: u64 = 4_000_000;

/// What values weigh: a manifest of a few lines may stand for more than a machine can hold.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Weight {
    /// Bytes of texts and keys.
    pub text: u64,
    /// Values, also those that hold others.
    pub values: u64,
}

impl Weight {
    pub fn of(item: &Item) -> Self {
        let own = Self { text: 0, values: 1 };
        match &item.value {
            Value::String(text) | Value::Float(text) => Self { text: text.len() as u64, ..own },
            Value::List(items) => items.iter().fold(own, |sum, item| sum.plus(Self::of(item))),
            Value::Table(entries) => entries.iter().fold(own, |sum, entry| sum.plus(Self::of_entry(entry))),
            Value::Integer(_) | Value::Boolean(_) | Value::Date => own,
        }
    }

    pub fn of_entry(entry: &Entry) -> Self {
        Self { text: entry.key.value.len() as u64, values: 0 }.plus(Self::of(&entry.item))
    }

    pub fn plus(self, other: Self) -> Self {
        Self { text: self.text.saturating_add(other.text), values: self.values.saturating_add(other.values) }
    }

    pub fn times(self, count: u64) -> Self {
        Self { text: self.text.saturating_mul(count), values: self.values.saturating_mul(count) }
    }

    pub fn is_too_much(self) -> bool {
        self.text > MOST_TEXT || self.values > MOST_VALUES
    }
}

impl std::fmt::Display for Weight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes of text in {} values", self.text, self.values)
    }
}

/// Parses a whole document, which is text 0.
pub(super) fn parse_document(text: &str, problems: &mut Vec<Problem>) -> Item {
    let root = Span { text: 0, start: 0, end: 0 };
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let (cause, label) = error.message().split_once(", expected ").unwrap_or((error.message(), "nothing"));
        let label = match label {
            "nothing" => "here".to_owned(),
            "literal string" => "expected a value in quotes".to_owned(),
            other => format!("expected {other}"),
        };
        let help = if cause.contains("unicode") || cause.contains("escape") {
            "in double quotes `\\` begins an escape: write the text in single quotes, `'C:\\users'`, or with `/`"
        } else if text.get(..error.span().unwrap_or(0..0).start).is_some_and(|before| before.trim_end().ends_with("version =")) {
            "the version is a number: `version = 1`"
        } else if cause.contains("must be quoted") || cause.starts_with("invalid boolean") {
            "put text in quotes: `key = \"value\"`"
        } else if cause == "duplicate key" {
            "remove one of them, or put the keys of both into one table"
        } else if cause.starts_with("unclosed") || cause.contains("string") {
            "close what was opened before this place"
        } else {
            "write `key = value` lines below `[table]` headers; the rules are at https://toml.io/en/v1.0.0"
        };
        let span = error.span().unwrap_or(0..0);
        problems.push(Problem::new("invalid TOML", Span { text: 0, start: span.start, end: span.end }, label, cause, help));
    }
    Item { value: convert_table(table.get_ref(), 0, 0, 0, problems), span: root }
}

fn too_deep(span: Span) -> Problem {
    Problem::new(
        "tables are nested too deeply",
        span,
        "here",
        format!("more than {DEPTH} levels"),
        "no key of a manifest is nested deeper than five levels",
    )
}

fn convert_table(table: &DeTable<'_>, text: usize, shift: usize, depth: usize, problems: &mut Vec<Problem>) -> Value {
    let place = |range: Range<usize>| Span { text, start: range.start + shift, end: range.end + shift };
    let mut entries: Vec<Entry> = table
        .iter()
        .map(|(key, item)| {
            let key = Located { value: key.get_ref().clone().into_owned(), span: place(key.span()) };
            let item = Item { value: convert(item.get_ref(), place(item.span()), shift, depth + 1, problems), span: place(item.span()) };
            Entry { key, item }
        })
        .collect();
    entries.sort_by_key(|entry| entry.key.span);
    Value::Table(entries)
}

fn convert(value: &DeValue<'_>, span: Span, shift: usize, depth: usize, problems: &mut Vec<Problem>) -> Value {
    if depth > DEPTH {
        problems.push(too_deep(span));
        return Value::Boolean(false);
    }
    match value {
        DeValue::String(string) => Value::String(string.clone().into_owned()),
        DeValue::Integer(integer) => Value::Integer(i128::from_str_radix(integer.as_str(), integer.radix()).ok()),
        DeValue::Float(float) => Value::Float(float.as_str().to_owned()),
        DeValue::Boolean(truth) => Value::Boolean(*truth),
        DeValue::Datetime(_) => Value::Date,
        DeValue::Array(array) => Value::List(
            array
                .iter()
                .map(|item| {
                    let span = Span { text: span.text, start: item.span().start + shift, end: item.span().end + shift };
                    Item { value: convert(item.get_ref(), span, shift, depth + 1, problems), span }
                })
                .collect(),
        ),
        DeValue::Table(table) => convert_table(table, span.text, shift, depth, problems),
    }
}

/// A value given on the command line in place of the manifest's: `--set net.big.optimize.positions=1000000`.
///
/// The value is TOML, or a plain string where it does not begin like TOML (a bracket, a brace, a quote, a number). Keys may be quoted as in TOML
/// (`net."nightly/{stem}".compression=none`); unquoted ones may hold all but dots, quotes, `=` and blanks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    text: String,
    keys: Vec<(String, Range<usize>)>,
    value: Range<usize>,
}

impl Override {
    /// Splits the argument of `--set` into key path and value.
    ///
    /// # Errors
    /// [`crate::error::Kind::Usage`] if there is no `=`, no value, or a malformed key.
    pub fn parse(text: &str) -> Result<Self> {
        let fail = |range: Range<usize>, label: &str, cause: &str| {
            let mut texts = Texts::new("".as_ref(), "");
            let span = Span { text: texts.add_override(text), start: range.start, end: range.end };
            let help = "write a path of keys, `=` and a value, such as `--set net.big.optimize.positions=1000000`";
            report(&texts, vec![Problem::new(format!("cannot read `--set {text}`"), span, label, cause, help)])
        };
        let mut keys = Vec::new();
        let mut at = skip_blanks(text, 0);
        loop {
            let rest = &text[at..];
            let end = match rest.chars().next() {
                Some(quote @ ('"' | '\'')) => match closing_quote(rest, quote) {
                    Some(end) => at + end,
                    None => return Err(fail(at..text.len(), "this quote is not closed", "a quoted key ends with the quote it began with")),
                },
                _ => at + rest.find(|c: char| matches!(c, '.' | '=' | '"' | '\'') || c.is_whitespace()).unwrap_or(rest.len()),
            };
            if end == at {
                return Err(fail(at..at, "a key is missing here", "each part of the path needs a name"));
            }
            let raw = &text[at..end];
            let key = if raw.starts_with(['"', '\'']) {
                match DeValue::parse(raw) {
                    Ok(value) => value.get_ref().as_str().map(str::to_owned),
                    Err(_) => None,
                }
            } else {
                Some(raw.to_owned())
            };
            let Some(key) = key else {
                return Err(fail(at..end, "this key", "it is not a valid TOML string"));
            };
            keys.push((key, at..end));
            if keys.len() > DEPTH {
                return Err(fail(at..end, "here", "no key of a manifest is nested that deeply"));
            }
            at = skip_blanks(text, end);
            match text[at..].chars().next() {
                Some('.') => at = skip_blanks(text, at + 1),
                Some('=') => break,
                Some(c) => return Err(fail(at..at + c.len_utf8(), "expected `.` or `=`", "keys are separated by dots and end at `=`")),
                None => return Err(fail(at..at, "expected `=` and a value", "there is no value")),
            }
        }
        let start = skip_blanks(text, at + 1);
        let end = text.trim_end().len().max(start);
        if start == end {
            return Err(fail(end..end, "expected a value", "there is no value; an empty text is `\"\"`"));
        }
        Ok(Self { text: text.to_owned(), keys, value: start..end })
    }

    /// The argument as it was typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The keys on the way to the value, outermost first: `net`, `big`, `compression`.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|(key, _)| key.as_str())
    }

    /// What the argument says of the table at `keys`: its text from the next key on. `None` where it is not about that table.
    pub(super) fn below(&self, keys: &[&str]) -> Option<&str> {
        let is_below = self.keys.len() > keys.len() && self.keys().zip(keys).all(|(own, key)| own == *key);
        self.keys.get(keys.len()).filter(|_| is_below).and_then(|(_, range)| self.text.get(range.start..))
    }

    /// Puts the value in its place in the tree. Keys that nothing reads are found later, like those of the file.
    pub(super) fn apply(&self, root: &mut Item, texts: &mut Texts, problems: &mut Vec<Problem>) {
        let text = texts.add_override(&self.text);
        let raw = &self.text[self.value.clone()];
        let span = Span { text, start: self.value.start, end: self.value.end };
        let value = match DeValue::parse(raw) {
            Ok(value) => convert(value.get_ref(), span, self.value.start, self.keys.len(), problems),
            Err(error) if begins_like_toml(raw) => {
                problems.push(Problem::new(
                    format!("cannot read the value of `--set {}`", self.text),
                    span,
                    "not a value of TOML",
                    error.message().to_owned(),
                    "correct it; a text that begins like this goes into quotes of its own: `'KEY=\"text\"'`",
                ));
                return;
            }
            Err(_) => Value::String(raw.to_owned()),
        };
        let mut new = Some(Item { value, span });
        let mut table = root;
        for (level, (key, range)) in self.keys.iter().enumerate() {
            let place = Span { text, start: range.start, end: range.end };
            let parent = &self.keys[..level];
            let kind = type_name(&table.value);
            let Value::Table(entries) = &mut table.value else {
                let path = display_path(parent.iter().map(|(key, _)| key.as_str()));
                problems.push(Problem::new(
                    format!("`{path}` has no keys"),
                    place,
                    "no such key",
                    format!("`{path}` is {kind} in the manifest"),
                    format!("set the whole value: `--set {path}=…`"),
                ));
                return;
            };
            let found = entries.iter().position(|entry| entry.key.value == *key);
            if found.is_none()
                && let [(top, _)] = parent
                && keys::is_named(top)
            {
                problems.push(undefined(top, key, place, entries));
                return;
            }
            let index = found.unwrap_or_else(|| {
                let item = Item { value: Value::Table(Vec::new()), span: Span { text, start: 0, end: range.end } };
                entries.push(Entry { key: Located { value: key.clone(), span: place }, item });
                entries.len() - 1
            });
            let entry = &mut entries[index];
            if level + 1 == self.keys.len()
                && let Some(new) = new.take()
            {
                entry.key.span = place;
                entry.item = new;
                return;
            }
            table = &mut entry.item;
        }
    }
}

fn undefined(top: &str, key: &str, place: Span, entries: &[Entry]) -> Problem {
    let names = || entries.iter().map(|entry| entry.key.value.as_str());
    let mut help = match suggest(key, names()) {
        Some(name) => format!("did you mean `{}`? ", quoted(name)),
        None => String::new(),
    };
    help.push_str(&match entries.is_empty() {
        true => format!("the manifest has no `[{top}.…]` table"),
        false => format!("defined: {}", listed(names())),
    });
    Problem::new(
        format!("no {top} named `{key}`"),
        place,
        "this name",
        format!("`--set` changes what the manifest has, and it has no `[{top}.{}]`", quoted(key)),
        help,
    )
}

fn skip_blanks(text: &str, from: usize) -> usize {
    text.len() - text[from..].trim_start().len()
}

/// Whether a value was meant as TOML: what is broken then is no text. A number with more behind it may be a name, such as `3rd.nnue`.
fn begins_like_toml(raw: &str) -> bool {
    let number = |c: char| c.is_ascii_digit() || matches!(c, '_' | '.' | '+' | '-' | 'e' | 'E');
    raw.starts_with(['[', '{', '"', '\'']) || (raw.starts_with(|c: char| c.is_ascii_digit() || c == '+') && raw.chars().all(number))
}

/// One past the closing quote of a string that starts at the first byte.
fn closing_quote(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (index, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' if quote == '"' => escaped = true,
            c if c == quote => return Some(index + 1),
            _ => {}
        }
    }
    None
}

/// The type of a value, with its article.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a string",
        Value::Integer(_) => "an integer",
        Value::Float(_) => "a float",
        Value::Boolean(_) => "a boolean",
        Value::Date => "a date",
        Value::List(_) => "a list",
        Value::Table(_) => "a table",
    }
}

/// A key as it is written in TOML, on one line.
pub(super) fn quoted(key: &str) -> String {
    if !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
        return key.to_owned();
    }
    let mut text = String::from("\"");
    for c in key.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            c if c.is_control() => text.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

/// A dotted path of keys as it is written in TOML.
pub(super) fn display_path<'a>(keys: impl IntoIterator<Item = &'a str>) -> String {
    keys.into_iter().map(quoted).collect::<Vec<_>>().join(".")
}
