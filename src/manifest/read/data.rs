//! `[data.NAME]`: files of training positions.

use super::{
    super::{
        identity::FilePath,
        keys,
        text::{Located, Problem, Span, hashed_without_place},
        tree::{Entry, Item, display_path},
    },
    reader::Reader,
};

/// Files of positions that are read as one stream, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Data {
    /// The table's name.
    pub name: String,
    /// The table's header.
    pub span: Span,
    /// The files, at least one.
    pub paths: Vec<Located<FilePath>>,
    /// Pins: none, or one per path; 64 lower-case hexadecimal digits each.
    pub sha256: Vec<Located<String>>,
}

hashed_without_place!(Data { name, paths, sha256 });

impl Reader<'_> {
    /// The name of a `[data.NAME]` table, as another table gives it.
    pub(super) fn data_name(&mut self, key: &str, item: &Item) -> Option<Located<String>> {
        let name = self.string(key, item)?;
        if self.data_names.set.contains(&name.value) {
            return Some(name);
        }
        let names = self.data_names.ordered.clone();
        self.undefined("data", key, &name, &names, "; files are named in a `[data.NAME]` table: `path = [\"file.binpack\"]`");
        None
    }

    pub(super) fn data(&mut self, entry: &Entry) -> Option<Data> {
        let fields = self.table(&keys::DATA, &display_path(["data", &entry.key.value]), &entry.item)?;
        let paths = self.required(&fields, "path").map(|(key, item)| self.list(&key, item, |reader, key, item| reader.file(key, item)));
        let sums = fields.get("sha256").map(|item| {
            let key = fields.path_of("sha256");
            (item.span, self.list(&key, item, |reader, key, item| reader.sha256(key, item)))
        });
        let span = fields.span;
        let path_place = fields.place("path");
        self.finish(fields);
        let paths = paths??;
        let sha256 = match sums {
            Some((_, None)) => return None,
            Some((place, Some(sums))) if sums.len() != paths.len() => {
                let problem = Problem::new(
                    format!(
                        "`{}` has {} and {}",
                        display_path(["data", &entry.key.value]),
                        count(paths.len(), "path"),
                        count(sums.len(), "sha256")
                    ),
                    place,
                    count(sums.len(), "sum"),
                    "each sum pins the file in the same place of `path`",
                    "give one sum per file in the same order, or leave `sha256` out",
                );
                self.problems.push(problem.and(path_place, count(paths.len(), "path")));
                return None;
            }
            Some((_, Some(sums))) => sums,
            None => Vec::new(),
        };
        Some(Data { name: entry.key.value.clone(), span, paths, sha256 })
    }
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
