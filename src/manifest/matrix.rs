//! `[matrix]`: axes of values, and nets that are built for each combination of them.
//!
//! A net whose name holds `{axis}` is a template: it becomes one table per combination of the axes in its name, with the values
//! filled in everywhere, before anything is read. So nothing after this file knows of axes, except for the name of a net's
//! template. `{stem}` and `{parent}` are left to the files of a glob.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::{
    placeholders::{self, PLACEHOLDERS, may_be_swept, names_in, words},
    text::{Problem, Span, Texts, listed},
    tree::{Entry, Item, MOST_TEXT, MOST_VALUES, Value, Weight, display_path, quoted, type_name},
};
use crate::words::suggest;

/// Nets that a matrix may make: more are a slip in an axis.
const MOST: usize = 100_000;

/// Replaces the templates among the nets by their combinations, the last axis of `[matrix]` varying fastest.
///
/// The result is the template's name, by the name of each net that came of one.
pub(super) fn expand(root: &mut Item, texts: &Texts, problems: &mut Vec<Problem>) -> HashMap<String, String> {
    let mut matrix = Matrix {
        texts,
        problems,
        axes: Vec::new(),
        reported: HashSet::new(),
        wildcards: Vec::new(),
        names: HashMap::new(),
        templates: HashMap::new(),
        made: Weight::default(),
    };
    let Value::Table(top) = &mut root.value else { return HashMap::new() };
    let Some(axes) = top.iter().find(|entry| entry.key.value == "matrix") else { return HashMap::new() };
    if !matrix.read(&axes.item) {
        return HashMap::new();
    }
    if let Some(nets) = top.iter_mut().find(|entry| entry.key.value == "net")
        && let Value::Table(nets) = &mut nets.item.value
    {
        let mut made = Vec::with_capacity(nets.len());
        for net in std::mem::take(nets) {
            matrix.net(net, &mut made);
        }
        *nets = made;
    }
    // What a default says by axes was judged in the nets that took it.
    if let Some(defaults) = top.iter_mut().find(|entry| entry.key.value == "defaults") {
        matrix.prune(&mut defaults.item);
    }
    matrix.unused();
    matrix.templates
}

struct Matrix<'a> {
    texts: &'a Texts,
    problems: &'a mut Vec<Problem>,
    /// In the order of the manifest.
    axes: Vec<Axis>,
    /// Places of placeholders with a problem: what came to several nets from one place is one mistake.
    reported: HashSet<Span>,
    /// The names of wildcards in the net that is looked at.
    wildcards: Vec<String>,
    /// The names of all nets so far, and where they were written.
    names: HashMap<String, Span>,
    templates: HashMap<String, String>,
    /// What all nets weigh that came of templates.
    made: Weight,
}

struct Axis {
    name: String,
    span: Span,
    values: Vec<AxisValue>,
    /// A net mentions it, rightly or not.
    mentioned: bool,
}

struct AxisValue {
    /// As it is filled in between other text.
    text: String,
    item: Item,
}

impl Matrix<'_> {
    /// Reads the axes. False if the table is none.
    fn read(&mut self, item: &Item) -> bool {
        let Value::Table(entries) = &item.value else {
            let found = type_name(&item.value);
            let help = "write a header `[matrix]` with a line for each axis below it, such as `seed = [0, 1, 2]`";
            self.problems.push(Problem::new("`matrix` must be a table", item.span, found, format!("it is {found}"), help));
            return false;
        };
        for entry in entries {
            let name = &entry.key.value;
            let is_word = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            let is_taken = PLACEHOLDERS.contains(&name.as_str());
            if is_taken || !is_word {
                let (cause, help) = match is_taken {
                    true => ("in a sweep it is a part of the file's path", "rename the axis"),
                    false => ("it is written in braces in the names of nets", "use letters, digits and `_` only"),
                };
                let message = format!("`{}` is not a valid name for an axis", quoted(name));
                self.problems.push(Problem::new(message, entry.key.span, "this name", cause, help));
            } else {
                let values = self.values(entry);
                // One without a good value has a problem already.
                let mentioned = values.is_empty();
                self.axes.push(Axis { name: name.clone(), span: entry.key.span, values, mentioned });
            }
        }
        true
    }

    /// The good values of an axis.
    fn values(&mut self, entry: &Entry) -> Vec<AxisValue> {
        let path = display_path(["matrix", &entry.key.value]);
        let help = format!("write a list, such as `{} = [0, 1, 2]`", quoted(&entry.key.value));
        let Value::List(items) = &entry.item.value else {
            let found = type_name(&entry.item.value);
            let message = format!("`{path}` must be a list");
            self.problems.push(Problem::new(message, entry.item.span, found, format!("it is {found}"), help));
            return Vec::new();
        };
        if items.is_empty() {
            let cause = "a net with this axis in its name would never be built";
            self.problems.push(Problem::new(format!("`{path}` is empty"), entry.item.span, "no value", cause, help));
        }
        let mut values = Vec::with_capacity(items.len());
        let mut known: HashMap<String, Span> = HashMap::new();
        for (index, item) in items.iter().enumerate() {
            let text = match text_of(&item.value) {
                Ok(text) => text,
                Err((message, cause, help)) => {
                    let message = format!("`{path}[{index}]` {message}");
                    self.problems.push(Problem::new(message, item.span, "this value", cause, help));
                    continue;
                }
            };
            if let Some(first) = known.get(&text) {
                let cause = "the nets made of the two would have one name";
                let problem = Problem::new(format!("`{path}` has `{text}` twice"), item.span, "again here", cause, "remove one of them");
                self.problems.push(problem.and(*first, "first here"));
                continue;
            }
            known.insert(text.clone(), item.span);
            values.push(AxisValue { text, item: item.clone() });
        }
        values
    }

    /// Adds a net to `made`; of a template all of its combinations.
    fn net(&mut self, net: Entry, made: &mut Vec<Entry>) {
        let template = &net.key.value;
        self.wildcards = wildcards(&net.item);
        let mut axes: Vec<usize> = Vec::new();
        for (word, range) in words(template) {
            match self.axis(word) {
                Some(axis) => axes.push(axis),
                None if self.is_swept(word) => {}
                None => self.unknown(net.key.span, template, word, range),
            }
        }
        axes.sort_unstable();
        axes.dedup();
        for &axis in &axes {
            self.axes[axis].mentioned = true;
        }
        if !self.strings(&net.item, template, &axes) {
            // What stands for nothing cannot be read.
            return;
        }
        if axes.is_empty() {
            self.add(net, None, made);
            return;
        }
        let count = axes.iter().try_fold(1usize, |count, &axis| count.checked_mul(self.axes[axis].values.len()));
        let count = count.filter(|count| made.len().saturating_add(*count) <= MOST);
        let Some(count) = count else {
            let sizes: Vec<String> =
                axes.iter().map(|&axis| format!("{} of `{}`", self.axes[axis].values.len(), self.axes[axis].name)).collect();
            self.problems.push(Problem::new(
                format!("`{template}` makes too many nets"),
                net.key.span,
                "this name",
                format!("it stands for all combinations of {}, and a manifest has at most {MOST} nets", sizes.join(" and ")),
                "give the axes fewer values, or divide the nets among several manifests",
            ));
            return;
        };
        if !self.has_room(&net, count, &axes) {
            return;
        }
        let mut chosen: Vec<(usize, usize)> = Vec::with_capacity(axes.len());
        for combination in 0..count {
            chosen.clear();
            let mut rest = combination;
            for &axis in axes.iter().rev() {
                let size = self.axes[axis].values.len();
                chosen.push((axis, rest % size));
                rest /= size;
            }
            let mut filled = net.clone();
            filled.key.value = self.fill(template, &chosen);
            self.fill_item(&mut filled.item, &chosen);
            self.add(filled, Some(template), made);
        }
    }

    /// Whether all combinations of a template can be held in memory. Says so if not.
    fn has_room(&mut self, net: &Entry, count: usize, axes: &[usize]) -> bool {
        // Each combination has the template's texts, and a value of an axis wherever a placeholder of it is.
        let mut added = Weight::of_entry(net).times(count as u64);
        let template = added.text;
        let mut largest = (template, None);
        for &axis in axes {
            let Axis { name, values, .. } = &self.axes[axis];
            let places = occurrences(&net.key.value, name).saturating_add(occurrences_in(&net.item, name));
            let once: u64 = values.iter().map(|value| value.text.len() as u64).sum();
            let times = (count / values.len().max(1)) as u64;
            let text = once.saturating_mul(times).saturating_mul(places);
            added.text = added.text.saturating_add(text);
            if text > largest.0 {
                largest = (text, Some((axis, places)));
            }
        }
        let made = self.made.plus(added);
        if !made.is_too_much() {
            self.made = made;
            return true;
        }
        let message = format!("`{}` makes nets that are too large together", net.key.value);
        let cause = format!(
            "its nets, {count} of them, would have {added}, and all nets of `[matrix]` have at most {MOST_TEXT} bytes in {MOST_VALUES} values"
        );
        let problem = match largest.1 {
            None => {
                let help = "shorten the texts of the net, give the axes fewer values, or divide the nets among several manifests";
                Problem::new(message, net.key.span, "this name", cause, help)
            }
            Some((axis, places)) => {
                let Axis { name, span, values, .. } = &self.axes[axis];
                let longest = values.iter().map(|value| value.text.len()).max().unwrap_or(0);
                let cause = format!("{cause}; a value of `{name}` has up to {longest} bytes, and each net has {places} of it");
                let help = "shorten the values of the axis, write it in fewer places, or divide the nets among several manifests";
                Problem::new(message, *span, "this axis", cause, help).and(net.key.span, "filled in here")
            }
        };
        self.problems.push(problem);
        false
    }

    /// Adds a finished net, unless its name is taken.
    fn add(&mut self, net: Entry, template: Option<&str>, made: &mut Vec<Entry>) {
        let (name, span) = (&net.key.value, net.key.span);
        if let Some(&first) = self.names.get(name) {
            if self.reported.insert(span) {
                let message = format!("two nets are named `{name}`");
                self.problems.push(if first == span {
                    let help = "put a text between the axes that occurs in none of their values";
                    Problem::new(message, span, "this name", "two combinations of its axes make it", help)
                } else {
                    let cause = "a net of `[matrix]` has the name once the axes are filled in";
                    Problem::new(message, span, "named again here", cause, "rename one of them").and(first, "first here")
                });
            }
            return;
        }
        self.names.insert(name.clone(), span);
        if let Some(template) = template {
            self.templates.insert(name.clone(), template.to_owned());
        }
        made.push(net);
    }

    /// Checks the placeholders in all strings of a net. False if one stands for nothing.
    fn strings(&mut self, item: &Item, template: &str, axes: &[usize]) -> bool {
        match &item.value {
            Value::String(text) => {
                let mut good = true;
                for (word, range) in words(text) {
                    match self.axis(word) {
                        Some(axis) if !axes.contains(&axis) => {
                            self.axes[axis].mentioned = true;
                            self.not_in_the_name(item.span, text, word, range, template);
                            good = false;
                        }
                        // A net of no axis may have braces of its own; what a sweep may have in them is judged where it is read.
                        None if !axes.is_empty() && !self.is_swept(word) => {
                            self.unknown(item.span, text, word, range);
                            good = false;
                        }
                        _ => {}
                    }
                }
                good
            }
            Value::List(items) => items.iter().filter(|item| !self.strings(item, template, axes)).count() == 0,
            Value::Table(entries) => entries.iter().filter(|entry| !self.strings(&entry.item, template, axes)).count() == 0,
            _ => true,
        }
    }

    /// Whether a word can be one of the net's sweep; what it stands for is judged where that is read.
    fn is_swept(&self, word: &str) -> bool {
        may_be_swept(word) || self.wildcards.iter().any(|name| name == word)
    }

    fn unknown(&mut self, span: Span, text: &str, word: &str, range: Range<usize>) {
        let place = self.texts.inside(span, text, range);
        if !self.reported.insert(place) {
            return;
        }
        let names = || self.axes.iter().map(|axis| axis.name.as_str());
        let meant = suggest(word, names().chain(PLACEHOLDERS)).map_or(String::new(), |meant| format!("did you mean `{{{meant}}}`? "));
        let known = if self.axes.is_empty() { "`[matrix]` has no axis".to_owned() } else { format!("axes: {}", listed(names())) };
        self.problems.push(Problem::new(
            format!("unknown axis `{word}`"),
            place,
            "this placeholder",
            "a word in braces is replaced by a value of `[matrix]`",
            format!("{meant}{known}; `{{stem}}` and `{{parent}}` are those of a glob's files"),
        ));
    }

    fn not_in_the_name(&mut self, span: Span, text: &str, word: &str, range: Range<usize>, template: &str) {
        let place = self.texts.inside(span, text, range);
        if !self.reported.insert(place) {
            return;
        }
        self.problems.push(Problem::new(
            format!("`{{{word}}}` is not in the name of the net `{template}`"),
            place,
            "this placeholder",
            format!("a net is built for each value of the axes in its name, and not for those of `{word}`"),
            format!("put it into the name, such as `[net.{}]`, or write a fixed text here", quoted(&format!("{template}-{{{word}}}"))),
        ));
    }

    /// Takes what holds axes out of the defaults.
    fn prune(&self, item: &mut Item) {
        let Value::Table(entries) = &mut item.value else { return };
        entries.retain(|entry| matches!(entry.item.value, Value::Table(_)) || !self.has_axes(&entry.item));
        for entry in entries {
            self.prune(&mut entry.item);
        }
    }

    fn has_axes(&self, item: &Item) -> bool {
        match &item.value {
            Value::String(text) => words(text).any(|(word, _)| self.axis(word).is_some()),
            Value::List(items) => items.iter().any(|item| self.has_axes(item)),
            _ => false,
        }
    }

    fn unused(&mut self) {
        for axis in self.axes.iter().filter(|axis| !axis.mentioned) {
            self.problems.push(Problem::new(
                format!("no net uses the axis `{}`", axis.name),
                axis.span,
                "this axis",
                format!("no name of a `[net.…]` table holds `{{{}}}`", axis.name),
                "put it into the name of a net in braces, or remove the axis",
            ));
        }
    }

    fn axis(&self, word: &str) -> Option<usize> {
        self.axes.iter().position(|axis| axis.name == word)
    }

    /// The value of an axis in a combination.
    fn value(&self, word: &str, chosen: &[(usize, usize)]) -> Option<&AxisValue> {
        let axis = self.axis(word)?;
        let (_, index) = chosen.iter().find(|(other, _)| *other == axis)?;
        self.axes[axis].values.get(*index)
    }

    /// Replaces the axes in one pass.
    fn fill(&self, text: &str, chosen: &[(usize, usize)]) -> String {
        placeholders::fill(text, |word| self.value(word, chosen).map(|value| value.text.as_str()))
    }

    fn fill_item(&self, item: &mut Item, chosen: &[(usize, usize)]) {
        match &mut item.value {
            Value::String(text) => {
                // Alone, the axis's value keeps its type, and the place where it was written: a mistake in it is there.
                let alone = words(text).find(|(_, range)| *range == (0..text.len())).and_then(|(word, _)| self.value(word, chosen));
                match alone {
                    Some(value) => *item = value.item.clone(),
                    None => *text = self.fill(text, chosen),
                }
            }
            Value::List(items) => items.iter_mut().for_each(|item| self.fill_item(item, chosen)),
            Value::Table(entries) => entries.iter_mut().for_each(|entry| self.fill_item(&mut entry.item, chosen)),
            _ => {}
        }
    }
}

/// How often a text has the placeholder of an axis.
fn occurrences(text: &str, axis: &str) -> u64 {
    words(text).filter(|(word, _)| *word == axis).count() as u64
}

/// The same for all texts of an item.
fn occurrences_in(item: &Item, axis: &str) -> u64 {
    match &item.value {
        Value::String(text) => occurrences(text, axis),
        Value::List(items) => items.iter().map(|item| occurrences_in(item, axis)).sum(),
        Value::Table(entries) => entries.iter().map(|entry| occurrences_in(&entry.item, axis)).sum(),
        _ => 0,
    }
}

/// The names that the globs of a net give to wildcards.
fn wildcards(item: &Item) -> Vec<String> {
    match &item.value {
        Value::String(text) => names_in(text),
        Value::List(items) => items.iter().flat_map(wildcards).collect(),
        Value::Table(entries) => entries.iter().flat_map(|entry| wildcards(&entry.item)).collect(),
        _ => Vec::new(),
    }
}

/// What a value is in a name: the same however the number was spelled. Otherwise message, cause and help.
fn text_of(value: &Value) -> Result<String, (String, &'static str, &'static str)> {
    const HELP: &str = "write strings, numbers and booleans only";
    match value {
        Value::String(text) if text.chars().any(char::is_control) => {
            Err(("has a control character".to_owned(), "values become part of the names of nets", "remove it"))
        }
        Value::String(text) if text.contains(['{', '}']) => {
            Err(("has a brace".to_owned(), "braces mark what is filled in, and values are not filled in a second time", "remove it"))
        }
        Value::String(text) => Ok(text.clone()),
        Value::Integer(Some(number)) => Ok(number.to_string()),
        Value::Boolean(truth) => Ok(truth.to_string()),
        Value::Float(text) => match text.replace('_', "").parse::<f64>() {
            Ok(number) if number.is_finite() => Ok((number + 0.0).to_string()),
            _ => Err(("is not a finite number".to_owned(), "no key of a net accepts it", HELP)),
        },
        Value::Integer(None) => Err(("is out of range".to_owned(), "it has more than 128 bits", HELP)),
        Value::Date | Value::List(_) | Value::Table(_) => {
            Err((format!("is {}", type_name(value)), "an axis is a flat list of values that names can hold", HELP))
        }
    }
}
