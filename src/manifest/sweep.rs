//! A net whose source is a glob: the files that match, and what each gives the net's name and paths.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::{
    captures::Captures,
    glob::{Glob, Listed},
    identity::normalise,
    placeholders,
    read::Net,
    text::{Once, Problem, Span},
};

/// Whether a glob must match a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Globs {
    /// A mistake.
    #[default]
    MustMatch,
    /// A warning: files may come.
    MayMatch,
}

/// A file of a sweep.
pub(super) struct Match {
    /// As if it were written in the manifest.
    pub typed: String,
    /// What the words in braces stand for.
    values: BTreeMap<String, String>,
    /// The file's folder, and what puts the files of a folder in order.
    rank: (PathBuf, Rank),
}

/// By step, then by epoch, then by name, whose numbers count as numbers.
type Rank = (Option<u64>, Option<u64>, Vec<(u64, String)>);

impl Match {
    /// `None` if a part that placeholders may need is not UTF-8 or has control characters.
    fn new(typed: &str, resolved: &Path, captures: &Captures) -> Option<Self> {
        let stem = Path::new(typed).file_stem()?.to_str()?;
        let absolute = normalise(&std::path::absolute(resolved).ok()?);
        let mut values: BTreeMap<String, String> = captures.read(typed).into_iter().collect();
        values.insert("stem".to_owned(), stem.to_owned());
        for (above, folder) in absolute.ancestors().skip(1).enumerate() {
            // A file in the root folder has no parent's name.
            let Some(name) = folder.file_name() else { break };
            match name.to_str() {
                Some(name) => values.insert(format!("parent.{}", above + 1), name.to_owned()),
                None if above == 0 => return None,
                None => break,
            };
        }
        values.insert("parent".to_owned(), values.get("parent.1").cloned().unwrap_or_default());
        let number = |name: &str| number_behind(stem, name);
        for name in ["epoch", "step"] {
            values.extend(number(name).map(|number| (name.to_owned(), number.to_string())));
        }
        let is_bad = |name: &str| name.chars().any(char::is_control) || name == "..";
        // Folders far above are of no interest until they are asked for.
        values.retain(|word, name| !(word.starts_with("parent.") && word != "parent.1" && is_bad(name)));
        if values.values().any(|name| is_bad(name)) {
            return None;
        }
        let rank = (absolute.parent().unwrap_or(Path::new("")).to_owned(), (number("step"), number("epoch"), natural(stem)));
        Some(Self { typed: typed.to_owned(), values, rank })
    }

    /// A text of the net with the file's names in it.
    pub fn fill(&self, text: &str) -> String {
        placeholders::fill(text, |word| self.values.get(word).map(String::as_str))
    }

    /// A word of a text that this file has no value for.
    fn missing<'t>(&self, text: &'t str) -> Option<&'t str> {
        placeholders::words(text).map(|(word, _)| word).find(|word| placeholders::may_be_swept(word) && !self.values.contains_key(*word))
    }
}

/// The number behind `name=` in a file's name, as Lightning writes it.
fn number_behind(stem: &str, name: &str) -> Option<u64> {
    let starts = |at: usize| !stem[..at].ends_with(|c: char| c.is_alphanumeric());
    let (at, found) = stem.match_indices(name).find(|(at, found)| starts(*at) && stem[at + found.len()..].starts_with('='))?;
    let rest = &stem[at + found.len() + 1..];
    rest[..rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())].parse().ok()
}

/// A name as numbers and the texts behind them.
fn natural(name: &str) -> Vec<(u64, String)> {
    let mut parts = vec![(0, String::new())];
    let mut rest = name;
    while let Some(c) = rest.chars().next() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if digits > 0 {
            parts.push((rest[..digits].parse().unwrap_or(u64::MAX), String::new()));
            rest = &rest[digits..];
        } else {
            if let Some(last) = parts.last_mut() {
                last.1.push(c);
            }
            rest = &rest[c.len_utf8()..];
        }
    }
    parts
}

/// Which sweep.
pub(super) struct Of<'a> {
    pub net: &'a Net,
    pub pattern: &'a str,
    pub folder: &'a Path,
    pub globs: Globs,
    /// Of each folder only so many.
    pub last: Option<usize>,
    /// Of all only so many.
    pub newest: Option<usize>,
}

/// The files of a sweep, by path. What decided which they are goes to `listed`.
pub(super) fn matches(of: &Of<'_>, listed: &mut Listed, problems: &mut Once<'_>, warnings: &mut Vec<(Span, String)>) -> Vec<Match> {
    let Of { net, pattern, folder, globs, .. } = *of;
    let span = net.source.span;
    let bad = |cause: String, help: &str| Problem::new(format!("cannot expand the glob `{pattern}`"), span, "this glob", cause, help);
    let glob = match Glob::parse(pattern) {
        Ok(glob) => glob,
        Err(cause) => {
            let help =
                "`*` and `?` match within a name, `**` any folders, `[ab]` and `{ab,cd}` alternatives without a `/`; `{run:*}` names one";
            problems.report(bad(cause, help), span);
            return Vec::new();
        }
    };
    let mut found = glob.find(folder);
    listed.append(&mut found.listed);
    for link in &found.dangling {
        let target = std::fs::read_link(link).map(|target| target.display().to_string()).unwrap_or_default();
        let shown = link.display().to_string();
        warnings.push((
            span,
            format!("`{}` is a link to `{}`, which is not there: it is left out", shown.escape_debug(), target.escape_debug()),
        ));
    }
    if let Some((path, error)) = found.error {
        problems.report(bad(format!("cannot read `{}`: {error}", path.display()), "check the folder's permissions"), span);
    } else if found.files.is_empty() && globs == Globs::MustMatch {
        let stuck = glob.deepest_folder(folder);
        let help = format!("check the pattern from `{stuck}` on; it is relative to the folder of the manifest");
        let cause = match found.dangling.as_slice() {
            [] => format!("the sweep `{}` would make no nets", net.name.value),
            [link, ..] => format!("it matches `{}` only, a link to a file that is not there", link.display().to_string().escape_debug()),
        };
        problems.report(Problem::new(format!("no file matches `{pattern}`"), span, "this glob", cause, help), span);
    }
    let captures = Captures::of(pattern);
    let mut matches = Vec::new();
    for (resolved, typed) in found.files {
        let Some(file) = typed.as_deref().and_then(|typed| Match::new(typed, &resolved, &captures)) else {
            problems.add(bad(
                format!("it matches `{}`, whose name cannot be part of a net's name", resolved.display().to_string().escape_debug()),
                "rename the file and its folder to valid UTF-8 without control characters",
            ));
            continue;
        };
        matches.push((resolved, file));
    }
    let matches = kept(of, matches, listed);
    for file in &matches {
        let texts = [&net.name].into_iter().chain(net.outputs.iter().map(|output| &output.path)).chain(&net.permutation);
        if let Some((text, word)) = texts.filter_map(|text| Some((text, file.missing(&text.value)?))).next() {
            let help = "let the glob match only files that have it, such as `epoch=*.ckpt`, or take another placeholder";
            let message = format!("`{}` has no `{{{word}}}`", file.typed.escape_debug());
            let problem = Problem::new(message, text.span, "asks for it", "each file of a sweep must give what stands in braces", help);
            problems.report(problem.and(span, "matches the file"), text.span);
        }
    }
    matches
}

/// Those that `last` and `newest` leave, by path as before.
fn kept(of: &Of<'_>, mut matches: Vec<(PathBuf, Match)>, listed: &mut Listed) -> Vec<Match> {
    if let Some(last) = of.last {
        let mut by_rank: Vec<&(PathBuf, Match)> = matches.iter().collect();
        by_rank.sort_by(|(_, a), (_, b)| b.rank.cmp(&a.rank));
        let mut counts: BTreeMap<&Path, usize> = BTreeMap::new();
        let keep: BTreeSet<PathBuf> = by_rank
            .into_iter()
            .filter(|(_, file)| {
                let count = counts.entry(&file.rank.0).or_default();
                *count += 1;
                *count <= last
            })
            .map(|(path, _)| path.clone())
            .collect();
        matches.retain(|(path, _)| keep.contains(path));
    }
    if let Some(newest) = of.newest {
        // A file that is written again may come in, or push another out, while its folder stays as it is.
        let mut times: Vec<(Option<SystemTime>, PathBuf)> = Vec::new();
        for (path, _) in &matches {
            let metadata = path.metadata().ok();
            times.push((metadata.as_ref().and_then(|metadata| metadata.modified().ok()), path.clone()));
            listed.entry(path.clone()).or_insert(metadata);
        }
        times.sort();
        let keep: BTreeSet<PathBuf> = times.into_iter().rev().take(newest).map(|(_, path)| path).collect();
        matches.retain(|(path, _)| keep.contains(path));
    }
    matches.into_iter().map(|(_, file)| file).collect()
}

#[cfg(test)]
mod tests;
