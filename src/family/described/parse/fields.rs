//! Typed reading of single values, with a mistake for each that is not of its type. Knows no key.

use std::ops::RangeInclusive;

use super::Reader;
use crate::family::described::diagnose::{Name, Problem, Span};
use crate::family::described::tree::{Node, Value};
use crate::words::suggest;

/// A table whose keys are being read: what was asked for is what it may hold.
pub(super) struct Fields<'t> {
    path: String,
    span: Span,
    entries: &'t [(Name, Node)],
    known: Vec<&'static str>,
}

impl<'t> Fields<'t> {
    pub fn new(path: &str, span: Span, entries: &'t [(Name, Node)]) -> Self {
        Self { path: path.to_owned(), span, entries, known: Vec::new() }
    }

    pub fn get(&mut self, key: &'static str) -> Option<&'t Node> {
        self.known.push(key);
        self.entries.iter().find(|(name, _)| name.text == key).map(|(_, node)| node)
    }

    /// All entries, for tables whose keys the user chooses.
    pub fn entries(&self) -> &'t [(Name, Node)] {
        self.entries
    }

    pub fn span(&self) -> Span {
        self.span
    }

    /// A mistake for each key that nobody asked for.
    pub fn unknown(self) -> Vec<Problem> {
        let stray = self.entries.iter().filter(|(name, _)| !self.known.contains(&name.text.as_str()));
        stray
            .map(|(name, _)| {
                let place = if self.path.is_empty() { "the file".to_owned() } else { format!("`{}`", self.path) };
                let known = self.known.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
                let help = suggest(&name.text, self.known.iter().copied())
                    .map_or(format!("known: {known}"), |near| format!("did you mean `{near}`?"));
                Problem::new(format!("{place} has no key `{}`", name.text), name.span, "this key").help(help)
            })
            .collect()
    }
}

impl Reader<'_> {
    fn mistyped<T>(&mut self, key: &str, node: &Node, wanted: &str) -> Option<T> {
        self.problem(Problem::new(format!("`{key}` is {wanted}"), node.span, format!("this is {}", node.value.kind())));
        None
    }

    pub(super) fn required<'t>(&mut self, fields: &mut Fields<'t>, key: &'static str) -> Option<&'t Node> {
        let found = fields.get(key);
        if found.is_none() {
            let place = if fields.path.is_empty() { "the file".to_owned() } else { format!("`{}`", fields.path) };
            self.problem(Problem::new(format!("{place} has no `{key}`"), fields.span(), "needed here"));
        }
        found
    }

    pub(super) fn text(&mut self, key: &str, node: &Node) -> Option<Name> {
        match &node.value {
            Value::Text(text) => Some(Name { text: text.clone(), span: node.span }),
            _ => self.mistyped(key, node, "a string"),
        }
    }

    pub(super) fn truth(&mut self, key: &str, node: &Node) -> bool {
        match node.value {
            Value::Truth(truth) => truth,
            _ => self.mistyped(key, node, "`true` or `false`").unwrap_or(false),
        }
    }

    pub(super) fn number(&mut self, key: &str, node: &Node, range: RangeInclusive<i64>) -> Option<i64> {
        match node.value {
            Value::Integer(number) if range.contains(&number) => Some(number),
            Value::Integer(number) => {
                let label = format!("{} to {} are allowed", range.start(), range.end());
                self.problem(Problem::new(format!("`{key}` is {number}"), node.span, label));
                None
            }
            _ => self.mistyped(key, node, "a whole number"),
        }
    }

    pub(super) fn float(&mut self, key: &str, node: &Node) -> Option<f64> {
        match node.value {
            Value::Integer(number) => Some(number as f64),
            Value::Float(number) if number.is_finite() => Some(number),
            _ => self.mistyped(key, node, "a number"),
        }
    }

    pub(super) fn list<'t>(&mut self, key: &str, node: &'t Node) -> &'t [Node] {
        match &node.value {
            Value::List(items) => items,
            _ => {
                let _: Option<()> = self.mistyped(key, node, "a list");
                &[]
            }
        }
    }

    pub(super) fn texts(&mut self, key: &str, node: &Node) -> Vec<Name> {
        let items = self.list(key, node);
        items.iter().filter_map(|item| self.text(key, item)).collect()
    }

    /// Numbers from 0 to `most`.
    pub(super) fn numbers(&mut self, key: &str, node: &Node, most: i64) -> Vec<i64> {
        let items = self.list(key, node);
        items.iter().filter_map(|item| self.number(key, item, 0..=most)).collect()
    }

    /// The index of a string among `choices`.
    pub(super) fn choice(&mut self, key: &str, node: &Node, choices: &[&str]) -> Option<usize> {
        let text = self.text(key, node)?;
        let found = choices.iter().position(|choice| *choice == text.text);
        if found.is_none() {
            let all = choices.iter().map(|choice| format!("`{choice}`")).collect::<Vec<_>>().join(", ");
            let help =
                suggest(&text.text, choices.iter().copied()).map_or(format!("known: {all}"), |near| format!("did you mean `{near}`?"));
            self.problem(Problem::new(format!("`{key}` cannot be `{}`", text.text), node.span, "this value").help(help));
        }
        found
    }
}
