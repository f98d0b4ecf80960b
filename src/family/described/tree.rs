//! TOML text → a tree in which every key and value knows its place, with `--set` on top. Knows nothing of the keys' meaning.

use toml::de::{DeTable, DeValue};

use super::diagnose::{Name, Problem, Span, Texts};

/// Levels of tables and lists: an architecture needs five.
const DEPTH: usize = 16;

/// Tables whose entries the author of the file names.
const NAMED: [&str; 6] = ["sizes", "tensors", "step", "read", "write", "layout"];

#[derive(Debug, Clone)]
pub(crate) enum Value {
    Text(String),
    Integer(i64),
    Float(f64),
    Truth(bool),
    List(Vec<Node>),
    Table(Vec<(Name, Node)>),
    /// What no key of an architecture takes: a date, a number of more than 64 bits.
    Other,
}

#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub value: Value,
    pub span: Span,
}

impl Value {
    /// The kind, with its article.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Integer(_) => "an integer",
            Self::Float(_) => "a number with a fraction",
            Self::Truth(_) => "a truth value",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Other => "a date or a very large number",
        }
    }
}

/// Parses a whole document, which is text `number`.
pub(crate) fn parse(text: &str, number: usize, problems: &mut Vec<Problem>) -> Node {
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let range = error.span().unwrap_or(0..0);
        let span = Span { text: number, start: range.start, end: range.end };
        problems.push(Problem::new(format!("invalid TOML: {}", error.message()), span, "here"));
    }
    Node { value: table_of(table.get_ref(), number, 0, 0, problems), span: Span { text: number, start: 0, end: 0 } }
}

/// The node at the end of `keys`; an empty table where there is none.
pub(crate) fn below(root: Node, keys: &[String]) -> Node {
    keys.iter().fold(root, |node, key| {
        let span = node.span;
        let entries = if let Value::Table(entries) = node.value { entries } else { Vec::new() };
        let found = entries.into_iter().find(|(name, _)| name.text == *key);
        found.map_or_else(|| Node { value: Value::Table(Vec::new()), span }, |(_, node)| node)
    })
}

/// What a table has under a key.
pub(crate) fn find<'t>(node: &'t Node, key: &str) -> Option<&'t Node> {
    match &node.value {
        Value::Table(entries) => entries.iter().find(|(name, _)| name.text == key).map(|(_, node)| node),
        _ => None,
    }
}

/// Whether a word stands in any of the strings below a node.
pub(crate) fn mentions(node: &Node, word: &str) -> bool {
    match &node.value {
        Value::Text(text) => text.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|part| part == word),
        Value::List(items) => items.iter().any(|item| mentions(item, word)),
        Value::Table(entries) => entries.iter().any(|(_, node)| mentions(node, word)),
        Value::Integer(_) | Value::Float(_) | Value::Truth(_) | Value::Other => false,
    }
}

/// Puts a tree on top of another: tables key by key, all else as a whole.
pub(crate) fn lay_over(base: &mut Node, top: Node) {
    match (&mut base.value, top.value) {
        (Value::Table(entries), Value::Table(over)) => {
            for (name, node) in over {
                match entries.iter_mut().find(|(known, _)| known.text == name.text) {
                    Some((known, under)) => {
                        known.span = name.span;
                        lay_over(under, node);
                    }
                    None => entries.push((name, node)),
                }
            }
        }
        (_, value) => *base = Node { value, span: top.span },
    }
}

/// The tree as TOML has it; `None` where it holds what no architecture does.
pub(crate) fn to_toml(node: Node) -> Option<toml::Value> {
    Some(match node.value {
        Value::Text(text) => text.into(),
        Value::Integer(number) => number.into(),
        Value::Float(number) => number.into(),
        Value::Truth(truth) => truth.into(),
        Value::List(items) => toml::Value::Array(items.into_iter().map(to_toml).collect::<Option<_>>()?),
        Value::Table(entries) => {
            let entries = entries.into_iter().map(|(name, node)| Some((name.text, to_toml(node)?)));
            toml::Value::Table(entries.collect::<Option<_>>()?)
        }
        Value::Other => return None,
    })
}

fn table_of(table: &DeTable<'_>, text: usize, shift: usize, depth: usize, problems: &mut Vec<Problem>) -> Value {
    let place = |range: std::ops::Range<usize>| Span { text, start: range.start + shift, end: range.end + shift };
    let mut entries: Vec<(Name, Node)> = table
        .iter()
        .map(|(key, item)| {
            let name = Name { text: key.get_ref().clone().into_owned(), span: place(key.span()) };
            (name, node_of(item.get_ref(), place(item.span()), shift, depth + 1, problems))
        })
        .collect();
    entries.sort_by_key(|(name, _)| name.span);
    Value::Table(entries)
}

fn node_of(value: &DeValue<'_>, span: Span, shift: usize, depth: usize, problems: &mut Vec<Problem>) -> Node {
    if depth > DEPTH {
        problems.push(Problem::new("tables nest too deeply", span, "here"));
        return Node { value: Value::Other, span };
    }
    let value = match value {
        DeValue::String(text) => Value::Text(text.clone().into_owned()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).map_or(Value::Other, Value::Integer),
        DeValue::Float(number) => number.as_str().parse().map_or(Value::Other, Value::Float),
        DeValue::Boolean(truth) => Value::Truth(*truth),
        DeValue::Datetime(_) => Value::Other,
        DeValue::Array(items) => Value::List(
            items
                .iter()
                .map(|item| {
                    let range = item.span();
                    let place = Span { text: span.text, start: range.start + shift, end: range.end + shift };
                    node_of(item.get_ref(), place, shift, depth + 1, problems)
                })
                .collect(),
        ),
        DeValue::Table(table) => table_of(table, span.text, shift, depth, problems),
    };
    Node { value, span }
}

/// Puts the value of a `--set KEY=VALUE` in its place. KEY is a dotted path, with numbers for the entries of lists; keys that hold
/// dots are quoted. VALUE is TOML, or a plain string where it is no TOML.
pub(crate) fn set(root: &mut Node, argument: &str, texts: &mut Texts, problems: &mut Vec<Problem>) {
    let text = texts.add("--set", argument);
    let all = Span { text, start: 0, end: argument.len() };
    let help = "write a path of keys, `=` and a value, such as `--set sizes.neuron=64`";
    let Some((keys, at)) = path(argument) else {
        problems.push(Problem::new(format!("cannot read `--set {argument}`"), all, "no `KEY=VALUE`").help(help));
        return;
    };
    let raw = argument[at..].trim();
    let span = Span { text, start: at, end: argument.len() };
    let new = match DeValue::parse(raw) {
        Ok(value) => node_of(value.get_ref(), span, at, 1, problems),
        Err(_) => Node { value: Value::Text(raw.to_owned()), span },
    };
    let mut place = root;
    for (level, key) in keys.iter().enumerate() {
        let kind = place.value.kind();
        // What the user named is only changed: a new size or step would have no effect, so the name is a slip.
        if let (1, Value::Table(entries), Some(first)) = (level, &place.value, keys.first())
            && NAMED.contains(&first.as_str())
            && !entries.iter().any(|(name, _)| name.text == *key)
        {
            let known: Vec<&str> = entries.iter().map(|(name, _)| name.text.as_str()).collect();
            problems.push(Problem::unknown(first, &Name { text: key.clone(), span: all }, &known));
            return;
        }
        let next = match &mut place.value {
            Value::Table(entries) => {
                let found = entries.iter().position(|(name, _)| name.text == *key);
                let index = found.unwrap_or_else(|| {
                    entries.push((Name { text: key.clone(), span: all }, Node { value: Value::Table(Vec::new()), span: all }));
                    entries.len() - 1
                });
                entries.get_mut(index).map(|(_, node)| node)
            }
            Value::List(items) => key.parse().ok().and_then(|index: usize| items.get_mut(index)),
            _ => None,
        };
        let Some(next) = next else {
            problems.push(Problem::new(format!("`--set` finds no `{key}`"), all, format!("the file has {kind} there")).help(help));
            return;
        };
        place = next;
    }
    *place = new;
}

/// The keys before the first `=` outside quotes, and where the value begins.
fn path(argument: &str) -> Option<(Vec<String>, usize)> {
    let mut keys = vec![String::new()];
    let mut quote = None;
    for (at, c) in argument.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '.') => keys.push(String::new()),
            (None, '=') => {
                let keys: Vec<String> = keys.iter().map(|key| key.trim().to_owned()).collect();
                return (keys.len() <= DEPTH && keys.iter().all(|key| !key.is_empty())).then_some((keys, at + 1));
            }
            (_, c) => keys.last_mut()?.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests;
