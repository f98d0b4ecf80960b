//! Values of a manifest's keys, by the type, range and words that the table of keys gives them.
//!
//! Knows how a value of each type is written and what is said where it is not. Which keys a table has is [`super::super::keys`]'
//! business, what a value is for that of the tables' own files.

use super::{
    super::{
        identity::FilePath,
        keys::{Key, Kind, Need, TABLES, Table},
        text::{Located, Problem, Span, listed, suggestion},
        tree::{Entry, Item, Value, type_name},
    },
    reader::Reader,
};
use crate::words::{self, Word, suggest};

/// Tables that an error names as those of a key.
const MOST_HOMES: usize = 3;

/// Bytes; Linux allows 4096, others fewer.
const LONGEST_PATH: usize = 4096;

/// A table whose keys are being read.
pub(super) struct Fields<'t> {
    /// `net.big`; empty for the whole file.
    pub path: String,
    pub span: Span,
    pub entries: &'t [Entry],
    table: &'static Table,
}

impl<'t> Fields<'t> {
    /// What the table may hold under a name, which is one of its keys.
    fn key(&self, name: &str) -> Option<&'static Key> {
        let key = self.table.key(name);
        debug_assert!(key.is_some(), "`{name}` is not in the table of keys of `{}`", self.table.name);
        key
    }

    pub fn get(&self, key: &str) -> Option<&'t Item> {
        self.key(key)?;
        self.entries.iter().find(|entry| entry.key.value == key).map(|entry| &entry.item)
    }

    /// A key that `false` turns off, whatever `[defaults]` says of it.
    pub fn get_unless_off(&self, key: &str) -> Option<&'t Item> {
        self.get(key).filter(|item| !matches!(item.value, Value::Boolean(false)))
    }

    /// The place of a key, for labels; of the table where the key is not there.
    pub fn place(&self, key: &str) -> Span {
        self.entries.iter().find(|entry| entry.key.value == key).map_or(self.span, |entry| entry.key.span)
    }

    pub fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// A value that was not written: it has the place of the table that could hold it.
    pub fn default<T>(&self, value: T) -> Located<T> {
        Located { value, span: self.span }
    }
}

impl Reader<'_> {
    pub(super) fn table<'t>(&mut self, table: &'static Table, path: &str, item: &'t Item) -> Option<Fields<'t>> {
        let entries = self.entries(path, item, "a table")?;
        Some(Fields { path: path.to_owned(), span: item.span, entries, table })
    }

    pub(super) fn entries<'t>(&mut self, path: &str, item: &'t Item, expected: &str) -> Option<&'t [Entry]> {
        if let Value::Table(entries) = &item.value {
            return Some(entries);
        }
        self.wrong_type(path, item, expected, &format!("write a header `[{path}]` with keys below it"));
        None
    }

    pub(super) fn wrong_type(&mut self, key: &str, item: &Item, expected: &str, help: &str) {
        let found = type_name(&item.value);
        self.problems.push(Problem::new(format!("`{key}` must be {expected}"), item.span, found, format!("it is {found}"), help));
    }

    /// A key that has no default: its path and value.
    pub(super) fn required<'t>(&mut self, fields: &Fields<'t>, key: &str) -> Option<(String, &'t Item)> {
        let item = fields.get(key);
        if item.is_none()
            && !self.in_defaults
            && let Some(example) = fields.key(key).and_then(|key| match key.need {
                Need::Required(example) | Need::HereOrInDefaults(example) => Some(example),
                Need::RequiredUnless(other, example) => fields.get(other).is_none().then_some(example),
                Need::Optional => None,
            })
        {
            self.problems.push(Problem::new(
                format!("`{}` has no `{key}`", fields.path),
                fields.span,
                format!("needs `{key}`"),
                "it has no default",
                format!("add a line such as `{example}`"),
            ));
        }
        item.map(|item| (fields.path_of(key), item))
    }

    /// Reports the keys that the table does not have.
    pub(super) fn finish(&mut self, fields: Fields<'_>) {
        let Fields { path, entries, table, .. } = fields;
        let mut known: Vec<&str> = table.keys().map(|key| key.name).collect();
        known.sort_unstable();
        for entry in entries.iter().filter(|entry| table.key(&entry.key.value).is_none()) {
            let place = if path.is_empty() { "at the top level".to_owned() } else { format!("in `{path}`") };
            // A key in the wrong table is likelier than one that is mistyped into the name of another.
            let homes =
                TABLES.iter().filter(|other| !other.name.is_empty() && other.key(&entry.key.value).is_some()).map(|other| other.header);
            let mut help = match (&homes.take(MOST_HOMES).collect::<Vec<_>>()[..], suggest(&entry.key.value, known.iter().copied())) {
                ([], Some(meant)) => format!("did you mean `{meant}`? "),
                ([], None) => String::new(),
                (homes, _) => format!("it is a key of {}; ", listed(homes.iter().copied())),
            };
            help.push_str(&format!("known here: {}", listed(known.iter().copied())));
            self.problems.push(Problem::new(
                format!("unknown key `{}` {place}", entry.key.value),
                entry.key.span,
                "not known here",
                "a key that nothing reads would be silently ignored",
                help,
            ));
        }
    }

    pub(super) fn boolean(&mut self, fields: &Fields<'_>, key: &str) -> Option<bool> {
        let item = fields.get(key)?;
        if let Value::Boolean(truth) = item.value {
            return Some(truth);
        }
        self.wrong_type(&fields.path_of(key), item, "a boolean", "write `true` or `false`, without quotes");
        None
    }

    /// A number that need not be whole.
    pub(super) fn number(&mut self, fields: &Fields<'_>, key: &str) -> Option<f64> {
        let item = fields.get(key)?;
        match fields.key(key)?.kind {
            Kind::Number(max) => self.number_of(&fields.path_of(key), item, -max, max),
            Kind::Limit(max) => self.number_of(&fields.path_of(key), item, 0.0, max),
            _ => None,
        }
    }

    /// A number that need not be whole, from `min` to `max`.
    pub(super) fn number_of(&mut self, path: &str, item: &Item, min: f64, max: f64) -> Option<f64> {
        let number = match &item.value {
            Value::Integer(number) => number.map_or(f64::INFINITY, |number| number as f64),
            // What TOML takes for a number, Rust reads as well; the separators are TOML's alone.
            Value::Float(text) => text.replace('_', "").parse().unwrap_or(f64::NAN),
            _ => {
                self.wrong_type(path, item, "a number", "write a number, for example `1.5`");
                return None;
            }
        };
        if (min..=max).contains(&number) {
            return Some(number);
        }
        self.problems.push(Problem::new(
            format!("`{path}` is out of range"),
            item.span,
            "this number",
            format!("it is {} and must be from {min} to {max}", self.texts.slice(item.span)),
            if min < 0.0 { "write a number in this range; of weights only the proportions matter" } else { "write a number in this range" },
        ));
        None
    }

    pub(super) fn integer<T: TryFrom<i128>>(&mut self, fields: &Fields<'_>, key: &str) -> Option<Located<T>> {
        let item = fields.get(key)?;
        let Some(Kind::Integer { min, max, even }) = fields.key(key).map(|key| key.kind) else { return None };
        let path = fields.path_of(key);
        let number = self.whole_number(&path, item, min)?;
        if number.is_some_and(|number| (min..=max).contains(&number) && number % 2 != 0)
            && let Some(cause) = even
        {
            let help = "write the number of neurons per perspective, for example 1024";
            let message = format!("`{key}` is {}, which is odd", number.unwrap_or_default());
            self.problems.push(Problem::new(message, item.span, "this number", cause, help));
            return None;
        }
        if let Some(number) = number.filter(|number| (min..=max).contains(number))
            && let Ok(value) = T::try_from(number)
        {
            return Some(Located { value, span: item.span });
        }
        self.problems.push(Problem::new(
            format!("`{path}` is out of range"),
            item.span,
            "this number",
            format!("it is {} and must be from {min} to {max}", self.texts.slice(item.span)),
            "write a number in this range",
        ));
        None
    }

    /// An integer; the inner `None` stands for one of more than 128 bits.
    pub(super) fn whole_number(&mut self, key: &str, item: &Item, min: i128) -> Option<Option<i128>> {
        let help = match &item.value {
            Value::Integer(number) => return Some(*number),
            Value::Float(text) => {
                let whole = text.parse::<f64>().ok().filter(|number| number.fract() == 0.0 && (0.0..1e15).contains(number));
                whole.map_or("write a whole number".to_owned(), |number| format!("write `{number:.0}`"))
            }
            Value::String(text) if text.replace('_', "").parse::<u64>().is_ok() => format!("write `{text}` without quotes"),
            _ => format!("write a number, for example `{}`", min.max(1)),
        };
        self.wrong_type(key, item, "an integer", &help);
        None
    }

    /// One of the names of `W`.
    pub(super) fn word<W: Word>(&mut self, fields: &Fields<'_>, key: &str) -> Option<Located<W>> {
        let item = fields.get(key)?;
        let path = fields.path_of(key);
        let text = self.string(&path, item)?;
        if let Some(word) = W::named(&text.value) {
            return Some(text.map(|_| word));
        }
        let names = words::names::<W>();
        let mut help = suggestion(&text.value, &names);
        help.push_str(&format!("known: {}", listed(names.iter().copied())));
        self.problems.push(Problem::new(
            format!("invalid value `{}` for `{path}`", text.value),
            text.span,
            "this value",
            format!("expected {}", W::KIND),
            help,
        ));
        None
    }

    /// The key's text, which may be empty.
    pub(super) fn text(&mut self, fields: &Fields<'_>, key: &str) -> Option<Located<String>> {
        fields.get(key).and_then(|item| self.string(&fields.path_of(key), item))
    }

    pub(super) fn string(&mut self, key: &str, item: &Item) -> Option<Located<String>> {
        if let Value::String(text) = &item.value {
            return Some(Located { value: text.clone(), span: item.span });
        }
        let help = match item.value {
            Value::List(_) | Value::Table(_) => "write one string in quotes".to_owned(),
            _ if item.span.text == 0 => format!("put it in quotes: `\"{}\"`", self.texts.slice(item.span)),
            _ => format!("put it in quotes that the shell leaves alone: `--set '{key}=\"{}\"'`", self.texts.slice(item.span)),
        };
        self.wrong_type(key, item, "a string", &help);
        None
    }

    pub(super) fn file(&mut self, key: &str, item: &Item) -> Option<Located<FilePath>> {
        let folder = self.folder;
        Some(self.path_text(key, item)?.map(|text| FilePath::new(folder, &text)))
    }

    /// A path as typed: not empty, no NUL or other control character, not absurdly long.
    pub(super) fn path_text(&mut self, key: &str, item: &Item) -> Option<Located<String>> {
        let text = self.string(key, item)?;
        let cause = if text.value.trim().is_empty() {
            "it is empty"
        } else if text.value.contains('\0') {
            "it has a NUL character"
        } else if text.value.chars().any(char::is_control) {
            // Lists of files, of which one is a line, would have more of them.
            "it has a control character, such as the end of a line"
        } else if text.value.len() > LONGEST_PATH {
            "no system accepts a path that long"
        } else if text.value.starts_with("~/") || text.value.starts_with('$') {
            "`~` and variables are a shell's: here they would be names of folders"
        } else {
            return Some(text);
        };
        self.problems.push(Problem::new(
            format!("`{key}` is not a path"),
            text.span,
            "this path",
            cause,
            "write a path relative to the folder of the manifest, or one from `/` on",
        ));
        None
    }

    /// A list of values, or one value in place of a list of one. At least one.
    pub(super) fn list<T>(&mut self, key: &str, item: &Item, mut read: impl FnMut(&mut Self, &str, &Item) -> Option<T>) -> Option<Vec<T>> {
        let items = match &item.value {
            Value::List(items) => items,
            Value::String(_) => return Some(vec![read(self, key, item)?]),
            _ => {
                self.wrong_type(key, item, "a string or a list of strings", "write `[\"…\", \"…\"]`");
                return None;
            }
        };
        if items.is_empty() {
            self.problems.push(Problem::new(
                format!("`{key}` is empty"),
                item.span,
                "no entry",
                "it needs at least one entry",
                "write at least one string in the list",
            ));
            return None;
        }
        // All are read before one is missed, so that each bad one is reported.
        let read: Vec<Option<T>> = items.iter().enumerate().map(|(index, item)| read(self, &format!("{key}[{index}]"), item)).collect();
        read.into_iter().collect()
    }

    pub(super) fn sha256(&mut self, key: &str, item: &Item) -> Option<Located<String>> {
        let text = self.string(key, item)?;
        if text.value.len() == 64 && text.value.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Some(text.map(|text| text.to_ascii_lowercase()));
        }
        let cause = match text.value.chars().find(|c| !c.is_ascii_hexdigit()) {
            Some(c) => format!("a SHA-256 has 64 hexadecimal digits, and `{}` is not one", c.escape_debug()),
            None => format!("a SHA-256 has 64 hexadecimal digits, and this text has {}", text.value.len()),
        };
        let help = "take the first word that `sha256sum FILE` prints, or leave `sha256` out";
        self.problems.push(Problem::new(format!("`{key}` is not a SHA-256"), text.span, "this text", cause, help));
        None
    }
}
