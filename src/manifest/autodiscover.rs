//! `path = "<autodiscover>"`: the file that it stands for today.

use std::path::Path;

use super::{glob::Listed, read::Source};
use crate::format::autodiscover::{AUTODISCOVER, Environment, discover};

/// The engine whose search is followed where none is named: in the manifest's folder, whether it is there or not.
const ENGINE: &str = "lc0";

/// Puts the file that is found into a source that asks for it. Where there is none, the source stands for a file that is missing: other
/// nets can be built, and one may come.
pub(super) fn resolve(source: &mut Source, folder: &Path, listed: &mut Listed) {
    if source.path.value.typed != AUTODISCOVER {
        return;
    }
    // The environment and the times of files decide, too: every build has to look again.
    listed.insert(source.path.value.resolved.clone(), None);
    let engine = source.engine.as_ref().map_or_else(|| folder.join(ENGINE), |engine| engine.value.resolved.clone());
    if let Some(found) = discover(&Environment::of_process(&engine)) {
        source.path.value.resolved = found;
    }
}
