//! Checkpoints of training runs that lie alike become one sweep: `runs/*/lightning_logs/*/checkpoints/epoch=*.ckpt`.

use super::Source;

/// So many checkpoints are a sweep; fewer are listed.
const ENOUGH: usize = 3;

/// How Lightning begins the names of the checkpoints that it keeps.
const EPOCH: &str = "epoch=";

/// A copy of the one that was written last, beside them.
const LAST: &str = "last.ckpt";

/// Networks that differ in their training alone.
pub(super) struct Sweep {
    /// Matches them, and no other network that was found.
    pub(super) glob: String,
    /// The name of their nets: what the wildcards stand for.
    pub(super) name: String,
    /// How many there are.
    pub(super) count: usize,
    /// One of them, for what is true of all.
    pub(super) like: Source,
}

/// Takes what is swept out of `sources`, the copies of the last checkpoints too.
pub(super) fn take(sources: &mut Vec<Source>) -> Vec<Sweep> {
    let mut sweeps: Vec<Sweep> = Vec::new();
    let mut from = 0;
    while from < sources.len() {
        let Some(group) = group_of(sources, from) else {
            from += 1;
            continue;
        };
        let paths: Vec<Vec<&str>> = group.iter().map(|index| sources[*index].path.split('/').collect()).collect();
        let pattern = pattern_of(&paths);
        let copies: Vec<usize> = (0..sources.len()).filter(|index| is_copy(&sources[*index].path, &paths)).collect();
        let is_alone = (0..sources.len())
            .filter(|index| !group.contains(index) && !copies.contains(index))
            .all(|index| !matches(&pattern, &sources[index].path));
        if !is_alone {
            from += 1;
            continue;
        }
        let glob = pattern.join("/");
        let folders = pattern.iter().rev().skip(1).filter(|part| **part == "*").count();
        let name: String = (1..=folders).map(|number| format!("{{{number}}}/")).collect::<String>() + "{stem}";
        let name = (1..).map(|n| if n == 1 { name.clone() } else { format!("{n}/{name}") });
        let name = name.into_iter().find(|name| sweeps.iter().all(|sweep| sweep.name != *name)).expect("numbers do not run out");
        let count = group.len();
        let mut taken: Vec<usize> = group.iter().chain(&copies).copied().collect();
        taken.sort_unstable();
        let mut removed: Vec<Source> = taken.iter().rev().map(|index| sources.remove(*index)).collect();
        if let Some(like) = removed.pop() {
            sweeps.push(Sweep { glob, name, count, like });
        }
    }
    sweeps
}

/// The checkpoints that are like the one at `from`, in folders of the same depth; `None` where those are few.
fn group_of(sources: &[Source], from: usize) -> Option<Vec<usize>> {
    let kind = |source: &Source| {
        let (folders, file) = source.path.rsplit_once('/').unwrap_or(("", &source.path));
        let plain =
            source.described.is_none() && file.ends_with(".ckpt") && !source.path.contains(['*', '?', '[', ']', '{', '}', '\\', '!']);
        plain.then(|| (folders.split('/').count(), folders.is_empty(), file.starts_with(EPOCH)))
    };
    let first = &sources[from];
    let wanted = kind(first)?;
    let is_like = |other: &Source| {
        kind(other) == Some(wanted)
            && (&other.summary, &other.open, &other.signs, other.can_optimize)
                == (&first.summary, &first.open, &first.signs, first.can_optimize)
    };
    let group: Vec<usize> = (from..sources.len()).filter(|index| is_like(&sources[*index])).collect();
    (group.len() >= ENOUGH).then_some(group)
}

/// A part for each of the paths', a wildcard where they differ.
fn pattern_of<'a>(paths: &[Vec<&'a str>]) -> Vec<&'a str> {
    let parts = paths[0].len();
    let part = |index: usize| {
        let first = paths[0][index];
        match paths.iter().all(|path| path[index] == first) {
            _ if index + 1 == parts && first.starts_with(EPOCH) => "epoch=*.ckpt",
            _ if index + 1 == parts => "*.ckpt",
            true => first,
            false => "*",
        }
    };
    (0..parts).map(part).collect()
}

/// Whether a file is the copy of the last of a folder's checkpoints.
fn is_copy(path: &str, paths: &[Vec<&str>]) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    let [folders @ .., LAST] = parts.as_slice() else { return false };
    paths.iter().any(|path| matches!(path.as_slice(), [these @ .., file] if these == folders && file.starts_with(EPOCH)))
}

fn matches(pattern: &[&str], path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    let fits = |(pattern, part): (&&str, &&str)| match pattern.split_once('*') {
        Some((begin, end)) => part.starts_with(begin) && part.ends_with(end),
        None => pattern == part,
    };
    pattern.len() == parts.len() && pattern.iter().zip(&parts).all(fits)
}

#[cfg(test)]
mod tests;
