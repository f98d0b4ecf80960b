//! What all tables share while a manifest is read: its texts, the problems so far, and the names that tables have.

use std::{collections::HashSet, path::Path};

use super::super::{
    text::{Located, Problem, Span, Texts, listed},
    tree::{Entry, quoted},
};
use crate::words::suggest;

/// A manifest that is being read.
pub(super) struct Reader<'a> {
    pub texts: &'a Texts,
    pub folder: &'a Path,
    pub problems: &'a mut Vec<Problem>,
    /// Names of all tables, also of those with errors: a net that uses one is not wrong in addition.
    pub source_names: Names,
    pub data_names: Names,
    pub architecture_names: Names,
    /// What is read is `[defaults]`: nothing is required of it, and no key is judged together with one that a net may give.
    pub in_defaults: bool,
    /// Where `[defaults]` says how long searches go on.
    pub default_budgets: Vec<Span>,
    /// Keys that `[defaults]` has: a net that has no use for one did not ask for it.
    pub default_keys: HashSet<Span>,
    /// Places with a problem. What came to several nets from one place is one mistake.
    pub reported: HashSet<Span>,
    pub warnings: Vec<String>,
    /// Places with a warning, likewise.
    pub warned: HashSet<Span>,
}

impl<'a> Reader<'a> {
    pub fn new(texts: &'a Texts, folder: &'a Path, problems: &'a mut Vec<Problem>) -> Self {
        Self {
            texts,
            folder,
            problems,
            source_names: Names::default(),
            data_names: Names::default(),
            architecture_names: Names::default(),
            in_defaults: false,
            default_budgets: Vec::new(),
            default_keys: HashSet::new(),
            reported: HashSet::new(),
            warnings: Vec::new(),
            warned: HashSet::new(),
        }
    }

    /// Keeps of the problems since `before` those at places that had none until then.
    pub fn drop_reported(&mut self, before: usize) {
        let new: Vec<Problem> = self.problems.drain(before..).filter(|problem| !self.reported.contains(&problem.place())).collect();
        self.reported.extend(new.iter().map(Problem::place));
        self.problems.extend(new);
    }

    pub fn undefined(&mut self, kind: &str, key: &str, name: &Located<String>, names: &[String], more: &str) {
        let names = || names.iter().map(String::as_str);
        let mut help = match suggest(&name.value, names()) {
            Some(meant) => format!("did you mean `{meant}`? "),
            None => String::new(),
        };
        help.push_str(&match names().next() {
            Some(_) => format!("defined: {}{more}", listed(names())),
            None => format!("add a `[{kind}.{}]` table{more}", quoted(&name.value)),
        });
        self.problems.push(Problem::new(
            format!("no {kind} named `{}`", name.value),
            name.span,
            "this name",
            format!("`{key}` uses it, and no table defines `[{kind}.{}]`", quoted(&name.value)),
            help,
        ));
    }
}

/// The names of tables: in the order of the file for messages, as a set for a thousand look-ups.
#[derive(Default)]
pub(super) struct Names {
    pub ordered: Vec<String>,
    pub set: HashSet<String>,
}

impl Names {
    pub fn of(entries: &[Entry]) -> Self {
        let names = || entries.iter().map(|entry| entry.key.value.clone());
        Self { ordered: names().collect(), set: names().collect() }
    }
}
