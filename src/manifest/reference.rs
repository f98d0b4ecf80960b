//! The table of keys as a page for people: `docs/manifest.md`.

use std::fmt::Write as _;

use super::keys::{Choices, Key, Kind, Need, TABLES, Table};
use crate::net::Block;

/// What stands before the tables.
const HEAD: &str = "\
# The manifest: every key

This page is made of the table of keys that `nnue` reads manifests with, and a test holds it to be current. `nnue.toml.example` shows
all keys at work; `nnue schema` prints the same as a JSON schema for editors.

Paths are relative to the folder of the manifest. A key that is not listed is an error.
";

/// What stands after them.
const AXES: &str = "
## Axes of `[matrix]`

A net with `{axis}` in its name is built for each value of the axis `axis`, which is a list of texts, numbers or booleans. Below such
a net `{axis}` may stand in every text, and alone in quotes in place of a value of any type: `seed = \"{seed}\"`. In nets whose source
is a glob, `{stem}` is the file's name without its ending and `{parent}` the name of its folder.
";

/// The page.
pub fn reference() -> String {
    let mut page = HEAD.to_owned();
    let mut lists: Vec<Choices> = Vec::new();
    for table in TABLES {
        section(table, &mut page, &mut lists);
    }
    page.push_str(AXES);
    page.push_str("\n## Words\n");
    for Choices { name, words } in lists {
        let _ = write!(page, "\n### {name}\n\n| word | meaning |\n| --- | --- |\n");
        for (word, about) in words {
            let _ = writeln!(page, "| `{word}` | {} |", cell(about));
        }
    }
    let _ = write!(
        page,
        "\n### Feature blocks\n\n{}; each also with `^`, joined by `+`.\n",
        Block::NAMES.map(|name| format!("`{name}`")).join(", ")
    );
    page
}

fn section(table: &Table, page: &mut String, lists: &mut Vec<Choices>) {
    let title = if table.header.is_empty() { "The file".to_owned() } else { format!("`{}`", table.header) };
    let _ = write!(page, "\n## {title}\n\n{}.\n\n| key | value | default | meaning |\n| --- | --- | --- | --- |\n", table.about);
    for key in table.keys() {
        let _ = writeln!(page, "| `{}` | {} | {} | {} |", key.name, cell(&shown(key, lists)), default(key), cell(key.about));
    }
}

/// What the key takes; words that are met for the first time are added to `lists`.
fn shown(key: &Key, lists: &mut Vec<Choices>) -> String {
    let mut list = |choices: Choices| {
        let link = format!("[{}](#{})", choices.name, choices.name.to_lowercase());
        if !lists.iter().any(|known| known.name == choices.name) {
            lists.push(choices);
        }
        link
    };
    let value = match key.kind {
        Kind::Text => "text".to_owned(),
        Kind::Words => "text, not empty".to_owned(),
        Kind::Path => "path".to_owned(),
        Kind::Paths => "path, or list of paths".to_owned(),
        Kind::Names => "text, or list of texts".to_owned(),
        Kind::TextOrNone => "text, or `false`".to_owned(),
        Kind::Version => "text of three numbers with dots".to_owned(),
        Kind::Numbers(max) => format!("list of numbers from -{max} to {max}"),
        Kind::Sources => "table of sources".to_owned(),
        Kind::Sha256 => "64 hexadecimal digits".to_owned(),
        Kind::Sha256s => "64 hexadecimal digits, or list of such".to_owned(),
        Kind::Boolean => "`true` or `false`".to_owned(),
        Kind::Integer { min, max, .. } if min == max => format!("`{min}`"),
        Kind::Integer { min, max, even } => format!("{} from {min} to {max}", if even.is_some() { "even integer" } else { "integer" }),
        Kind::Limit(max) => format!("number from 0 to {max}"),
        Kind::Number(max) => format!("number from -{max} to {max}"),
        Kind::Choice(choices) => list(choices()),
        Kind::Architecture(choices) => format!("{}, in upper or lower case; or a described one", list(choices())),
        Kind::Features => "[blocks](#feature-blocks)".to_owned(),
        Kind::Url | Kind::Cluster => "address".to_owned(),
        Kind::Duration => "time, such as `10m`".to_owned(),
        Kind::Texts => "table of texts".to_owned(),
        Kind::Choices(choices) => format!("{}, or list of such", list(choices())),
        Kind::Source(glob) => format!("text, or table `{{ {} = \"…\" }}`", glob.name),
        Kind::Table(_) => "table".to_owned(),
        Kind::NamedTable(_, choices) => format!("table, or {}", list(choices())),
        Kind::Named(_) => "tables by name".to_owned(),
        Kind::Axes => "lists by name".to_owned(),
        Kind::Architectures => "tables by name".to_owned(),
        Kind::Outputs => "path, list of paths, or table of these by layout".to_owned(),
    };
    if key.can_be_off { format!("{value}, or `false` for none") } else { value }
}

fn default(key: &Key) -> String {
    match key.need {
        Need::Required(_) => "required".to_owned(),
        Need::RequiredUnless(other, _) => format!("required without `{other}`"),
        Need::HereOrInDefaults(_) => "required here or in `[defaults]`".to_owned(),
        Need::Optional => cell(key.default),
    }
}

/// A text for a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
