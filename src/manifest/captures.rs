//! What the wildcards of a glob stand for in a path that it matches: `{1}`, `{2}` … in their order, and the names that `{run:*}` gives.
//!
//! Knows texts only. `*`, `?`, `[ab]`, `{ab,cd}` and `**` are one wildcard each, and so is `{name:…}` with all that is in it.

use regex_automata::meta::Regex;

/// A glob, taken apart.
struct Parts {
    /// The glob without names, as it is matched.
    plain: String,
    /// An expression with a group for each wildcard.
    expression: String,
    /// Of each wildcard its name, where it has one.
    names: Vec<Option<String>>,
}

/// What the glob is without the names of its wildcards.
///
/// # Errors
/// When a name is given twice or has another meaning.
pub(super) fn without_names(pattern: &str) -> Result<String, String> {
    let parts = Parts::of(pattern);
    for (index, name) in parts.names.iter().enumerate().filter_map(|(index, name)| Some((index, name.as_ref()?))) {
        if parts.names[..index].contains(&Some(name.clone())) {
            return Err(format!("two of its wildcards are named `{name}`"));
        }
        if OWN_WORDS.contains(&name.as_str()) || name.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(format!("a wildcard cannot be named `{name}`, which stands for something else"));
        }
    }
    Ok(parts.plain)
}

/// Words that every file of a sweep, or its name, gives.
pub(super) const OWN_WORDS: [&str; 4] = ["stem", "parent", "epoch", "step"];

/// The words for the wildcards of a glob: numbers from 1 on, and names.
pub(super) fn words_of(pattern: &str) -> Vec<String> {
    let names = Parts::of(pattern).names;
    let numbers = (1..=names.len()).map(|number| number.to_string());
    numbers.chain(names.iter().flatten().cloned()).collect()
}

/// Reads what wildcards stand for.
pub(super) struct Captures {
    regex: Option<Regex>,
    names: Vec<Option<String>>,
}

impl Captures {
    pub fn of(pattern: &str) -> Self {
        let parts = Parts::of(pattern);
        Self { regex: Regex::new(&format!("(?s)\\A{}\\z", parts.expression)).ok(), names: parts.names }
    }

    /// The words with their values for a path that the glob matches.
    pub fn read(&self, path: &str) -> Vec<(String, String)> {
        let Some(regex) = &self.regex else { return Vec::new() };
        let mut groups = regex.create_captures();
        regex.captures(path, &mut groups);
        let mut values = Vec::new();
        for (index, name) in self.names.iter().enumerate() {
            let Some(span) = groups.get_group(index + 1) else { continue };
            // `**` stands for folders with a `/` behind each.
            let value = path[span.range()].trim_end_matches('/').to_owned();
            values.extend(name.iter().map(|name| (name.clone(), value.clone())));
            values.push(((index + 1).to_string(), value));
        }
        values
    }
}

impl Parts {
    fn of(pattern: &str) -> Self {
        let mut parts = Self { plain: String::new(), expression: String::new(), names: Vec::new() };
        let absolute = if pattern.starts_with('/') { "/" } else { "" };
        parts.plain.push_str(absolute);
        parts.expression.push_str(absolute);
        let all: Vec<&str> = pattern.split('/').collect();
        let steps: Vec<&str> = all.iter().copied().filter(|step| !matches!(*step, "" | ".")).collect();
        let mut any = false;
        for (index, step) in steps.iter().enumerate() {
            let is_last = index + 1 == steps.len();
            if *step == "**" {
                // Several in a row are one.
                if !any {
                    parts.names.push(None);
                    parts.expression.push_str(if is_last { "(.+)" } else { "((?:[^/]+/)*)" });
                }
                parts.plain.push_str("**");
            } else {
                let chars: Vec<char> = step.chars().collect();
                parts.name(&chars, true);
                if !is_last {
                    parts.expression.push('/');
                }
            }
            any = *step == "**";
            if !is_last {
                parts.plain.push('/');
            }
        }
        if pattern.ends_with('/') && !steps.is_empty() {
            parts.plain.push('/');
        }
        parts
    }

    /// One name of the path, or a part of one; `counts` unless it stands inside a wildcard.
    fn name(&mut self, chars: &[char], counts: bool) {
        let mut at = 0;
        while at < chars.len() {
            let from = at;
            match chars[at] {
                '*' => {
                    while chars.get(at) == Some(&'*') {
                        at += 1;
                    }
                    self.wildcard("[^/]*", counts);
                }
                '?' => {
                    at += 1;
                    self.wildcard("[^/]", counts);
                }
                '[' => {
                    at = end_of_class(chars, at);
                    self.wildcard(&class(&chars[from..at]), counts);
                }
                '{' => {
                    at = end_of_braces(chars, at);
                    let inner = &chars[from + 1..at.saturating_sub(1).max(from + 1)];
                    self.braces(inner, counts);
                    if named(inner).is_some() {
                        continue;
                    }
                }
                '\\' if at + 1 < chars.len() => {
                    at += 2;
                    self.expression.push_str(&escaped(chars[from + 1]));
                }
                other => {
                    at += 1;
                    self.expression.push_str(&escaped(other));
                }
            }
            self.plain.extend(&chars[from..at]);
        }
    }

    fn wildcard(&mut self, expression: &str, counts: bool) {
        if counts {
            self.names.push(None);
        }
        self.expression.push_str(&format!("({}{expression})", if counts { "" } else { "?:" }));
    }

    /// `{name:pattern}`, or alternatives.
    fn braces(&mut self, inner: &[char], counts: bool) {
        self.expression.push_str(if counts { "(" } else { "(?:" });
        match named(inner) {
            Some((name, pattern)) => {
                if counts {
                    self.names.push(Some(name));
                }
                self.name(pattern, false);
            }
            None => {
                if counts {
                    self.names.push(None);
                }
                // Only what it expands to is of interest: the text goes to `plain` as it stands.
                let plain = std::mem::take(&mut self.plain);
                for (index, alternative) in alternatives(inner).into_iter().enumerate() {
                    if index > 0 {
                        self.expression.push('|');
                    }
                    self.name(alternative, false);
                }
                self.plain = plain;
            }
        }
        self.expression.push(')');
    }
}

/// `name:pattern`.
fn named(inner: &[char]) -> Option<(String, &[char])> {
    let colon = inner.iter().position(|c| *c == ':')?;
    let (name, pattern) = (&inner[..colon], &inner[colon + 1..]);
    let is_name = !name.is_empty() && name.iter().all(|c| c.is_ascii_alphanumeric() || *c == '_');
    (is_name && !pattern.is_empty()).then(|| (name.iter().collect(), pattern))
}

/// Behind the class that begins at `from`.
fn end_of_class(chars: &[char], from: usize) -> usize {
    let mut at = from + 1;
    if matches!(chars.get(at), Some('!' | '^')) {
        at += 1;
    }
    // A bracket that comes first is a member.
    at += 1;
    while at < chars.len() && chars[at] != ']' {
        at += 1;
    }
    (at + 1).min(chars.len())
}

/// Behind the braces that begin at `from`.
fn end_of_braces(chars: &[char], from: usize) -> usize {
    let (mut at, mut depth) = (from, 0usize);
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 1,
            '[' => at = end_of_class(chars, at) - 1,
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    chars.len()
}

/// What stands between the commas that are not inside of inner braces.
fn alternatives(inner: &[char]) -> Vec<&[char]> {
    let (mut found, mut from, mut at) = (Vec::new(), 0, 0);
    while at < inner.len() {
        match inner[at] {
            '\\' => at += 2,
            '[' => at = end_of_class(inner, at),
            '{' => at = end_of_braces(inner, at),
            ',' => {
                found.push(&inner[from..at]);
                at += 1;
                from = at;
            }
            _ => at += 1,
        }
    }
    found.push(&inner[from.min(inner.len())..]);
    found
}

fn class(chars: &[char]) -> String {
    let inner = chars.get(1..chars.len().saturating_sub(1)).unwrap_or_default();
    let (sign, members) = match inner {
        ['!' | '^', rest @ ..] => ("^/", rest),
        all => ("", all),
    };
    let members: String = members.iter().map(|c| if *c == '-' { "-".to_owned() } else { escaped(*c) }).collect();
    format!("[{sign}{members}]")
}

fn escaped(c: char) -> String {
    if c.is_ascii_punctuation() && c != '_' && c != '/' { format!("\\{c}") } else { c.to_string() }
}

#[cfg(test)]
mod tests;
