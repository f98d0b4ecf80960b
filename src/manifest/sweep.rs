//! A net whose source is a glob: the files that match, and what each gives the net's name and paths.

use std::path::Path;

use super::{
    glob::{Glob, Listed},
    identity::normalise,
    placeholders,
    read::Net,
    text::{Once, Problem},
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
    stem: String,
    parent: String,
}

impl Match {
    /// `None` if a part that placeholders may need is not UTF-8 or has control characters.
    fn new(typed: &str, resolved: &Path) -> Option<Self> {
        let stem = Path::new(typed).file_stem()?.to_str()?;
        let absolute = normalise(&std::path::absolute(resolved).ok()?);
        // A file in the root folder has no parent's name.
        let parent = absolute.parent().and_then(Path::file_name).map_or(Some(""), |name| name.to_str())?;
        if [stem, parent].iter().any(|name| name.chars().any(char::is_control) || *name == "..") {
            return None;
        }
        Some(Self { typed: typed.to_owned(), stem: stem.to_owned(), parent: parent.to_owned() })
    }

    /// A text of the net with the file's names in it.
    pub fn fill(&self, text: &str) -> String {
        placeholders::fill(text, |word| match word {
            "stem" => Some(self.stem.as_str()),
            "parent" => Some(self.parent.as_str()),
            _ => None,
        })
    }
}

/// The files of a sweep, by path. What decided which they are goes to `listed`.
pub(super) fn matches(net: &Net, pattern: &str, folder: &Path, globs: Globs, listed: &mut Listed, problems: &mut Once<'_>) -> Vec<Match> {
    let span = net.source.span;
    let bad = |cause: String, help: &str| Problem::new(format!("cannot expand the glob `{pattern}`"), span, "this glob", cause, help);
    let glob = match Glob::parse(pattern) {
        Ok(glob) => glob,
        Err(cause) => {
            let help = "`*` and `?` match within a name, `**` any folders, `[ab]` and `{ab,cd}` alternatives without a `/`";
            problems.report(bad(cause, help), span);
            return Vec::new();
        }
    };
    let mut found = glob.find(folder);
    listed.append(&mut found.listed);
    if let Some((path, error)) = found.error {
        problems.report(bad(format!("cannot read `{}`: {error}", path.display()), "check the folder's permissions"), span);
    } else if found.files.is_empty() && globs == Globs::MustMatch {
        let stuck = glob.deepest_folder(folder);
        let help = format!("check the pattern from `{stuck}` on; it is relative to the folder of the manifest");
        let cause = format!("the sweep `{}` would make no nets", net.name.value);
        problems.report(Problem::new(format!("no file matches `{pattern}`"), span, "this glob", cause, help), span);
    }
    let mut matches = Vec::new();
    for (resolved, typed) in found.files {
        match typed.as_deref().and_then(|typed| Match::new(typed, &resolved)) {
            Some(file) => matches.push(file),
            None => problems.add(bad(
                format!("it matches `{}`, whose name cannot be part of a net's name", resolved.display().to_string().escape_debug()),
                "rename the file and its folder to valid UTF-8 without control characters",
            )),
        }
    }
    matches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_gives_its_names() {
        let file = Match::new("runs/x/epoch=1.ckpt", Path::new("m/runs/x/epoch=1.ckpt")).unwrap();
        assert_eq!(file.fill("{parent}-{stem}{other}"), "x-epoch=1{other}");
        assert_eq!(Match::new("/a.ckpt", Path::new("/a.ckpt")).unwrap().fill("[{parent}]"), "[]");
        assert!(Match::new("x/a\n.ckpt", Path::new("x/a\n.ckpt")).is_none());
    }
}
