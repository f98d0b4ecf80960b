//! The tree of a manifest → typed values: the tables, and what holds of several of them.
//!
//! Collects all problems instead of stopping at the first. Judges only what the text says; what depends on the disk, or
//! on several nets at once, is [`super::expand`]'s. A file here for each table, with its type, and one for the values of all.

mod cache;
mod data;
mod edits;
mod engine;
mod filters;
mod net;
mod optimize;
mod prove;
mod reader;
mod remote;
mod source;
mod values;
mod watch;

use std::{
    collections::{BTreeMap, HashSet},
    path::Path,
    sync::Arc,
};

pub use cache::RemoteCache;
pub use data::Data;
pub use edits::{Blend, Edits, HeaderEdits, Heads};
pub use engine::Engine;
pub use net::{NET_PREFIX, Net, NetSource};
pub use optimize::Optimize;
pub use prove::{Prove, Proving};
use reader::{Names, Reader};
pub use remote::{Cluster, check_cluster_url};
pub use source::{Claims, Described, Source};
use values::Fields;
pub use watch::Hook;

use super::{
    identity::FilePath,
    keys::{self, VERSION},
    text::{Located, Problem, Texts},
    tree::{Entry, Item, Value, display_path, quoted},
};
use crate::net::Description;

/// All that the tables of a manifest say, before anything is looked up on the disk.
#[derive(Default)]
pub(super) struct Content {
    pub sources: BTreeMap<String, Source>,
    pub data: BTreeMap<String, Data>,
    pub nets: Vec<Net>,
    /// Names of all `[net.NAME]` tables, also of those with mistakes.
    pub net_names: Vec<String>,
    pub remote_cache: Option<RemoteCache>,
    pub cluster: Option<Cluster>,
    pub report: Option<Located<FilePath>>,
    pub hook: Option<Hook>,
    /// `[architecture.NAME]` tables.
    pub architectures: BTreeMap<String, Arc<Description>>,
    pub warnings: Vec<String>,
}

/// Converts the whole tree.
pub(super) fn read(root: &Item, texts: &Texts, folder: &Path, problems: &mut Vec<Problem>) -> Content {
    Reader::new(texts, folder, problems).manifest(root)
}

/// Whether the keys mean what this program thinks. True also where the version is missing or no number: that is a mistake of its own.
pub(super) fn is_of_known_version(root: &Item) -> bool {
    let Value::Table(entries) = &root.value else { return true };
    let version = entries.iter().find(|entry| entry.key.value == "version").map(|entry| &entry.item.value);
    !matches!(version, Some(Value::Integer(number)) if *number != Some(i128::from(VERSION)))
}

impl Reader<'_> {
    fn manifest(&mut self, root: &Item) -> Content {
        let mut content = Content::default();
        let Some(fields) = self.table(&keys::ROOT, "", root) else { return content };
        if !self.version(&fields) {
            return content;
        }
        let sources = self.named_tables(&fields, "source");
        let data = self.named_tables(&fields, "data");
        let architectures = self.named_tables(&fields, "architecture");
        let nets = self.named_tables(&fields, "net");
        self.source_names = Names::of(sources);
        self.data_names = Names::of(data);
        self.architecture_names = Names::of(architectures);
        for entry in sources {
            if let Some(source) = self.source(entry) {
                content.sources.insert(entry.key.value.clone(), source);
            }
        }
        for entry in data {
            if let Some(data) = self.data(entry) {
                content.data.insert(entry.key.value.clone(), data);
            }
        }
        // The axes of `matrix` already stand in the nets.
        if let Some(item) = fields.get("defaults") {
            self.defaults(item);
        }
        content.net_names = nets.iter().map(|entry| entry.key.value.clone()).collect();
        for entry in nets {
            let before = self.problems.len();
            let path = display_path(["net", &entry.key.value]);
            content.nets.extend(self.net(&entry.key, &path, &entry.item));
            self.drop_reported(before);
        }
        content.report = fields.get("report").and_then(|item| self.file("report", item));
        content.hook = fields.get("watch").and_then(|item| self.watch(item));
        content.cluster = fields.get("remote").and_then(|item| self.cluster(item));
        content.remote_cache = fields.get("cache").and_then(|item| self.cache(item));
        self.finish(fields);
        if nets.is_empty() {
            self.warnings.push(format!("{}: no `[net.NAME]` table: there is nothing to build", self.texts.line(root.span)));
        }
        self.unused(&content, sources, data, architectures);
        content.warnings = std::mem::take(&mut self.warnings);
        content
    }

    /// False if the keys may mean something else than this program thinks.
    fn version(&mut self, fields: &Fields<'_>) -> bool {
        let Some(item) = fields.get("version") else {
            self.problems.push(Problem::new(
                "the manifest has no `version`",
                fields.span,
                "expected before the first table",
                "the version decides what the keys mean",
                format!("begin the file with `version = {VERSION}`"),
            ));
            return true;
        };
        match self.whole_number("version", item, 0) {
            Some(found) if found != Some(VERSION.into()) => {
                self.problems.push(Problem::new(
                    format!("manifest version {} is not supported", self.texts.slice(item.span)),
                    item.span,
                    "this number",
                    format!("this `nnue` supports only version {VERSION}"),
                    format!("use a newer `nnue`, or rewrite the manifest for `version = {VERSION}`"),
                ));
                false
            }
            _ => true,
        }
    }

    /// The sub-tables `[KEY.NAME]`.
    fn named_tables<'t>(&mut self, fields: &Fields<'t>, key: &str) -> &'t [Entry] {
        let Some(item) = fields.get(key) else { return &[] };
        if let Value::List(_) = item.value {
            self.problems.push(Problem::new(
                format!("`{key}` must be a table of tables"),
                item.span,
                "a list",
                format!("every {key} has a name, which `[[{key}]]` gives it no place for"),
                format!("write `[{key}.NAME]` in place of `[[{key}]]`"),
            ));
            return &[];
        }
        let Some(entries) = self.entries(key, item, "a table of tables") else { return &[] };
        let before = self.problems.len();
        for entry in entries {
            let name = &entry.key;
            if name.value.trim().is_empty() || name.value.chars().any(char::is_control) {
                self.problems.push(Problem::new(
                    format!("{} is not a valid name for a {key}", quoted(&name.value)),
                    name.span,
                    "this name",
                    "names are shown in messages and typed on the command line; they need visible characters and no control characters",
                    format!("rename it, for example `[{key}.main]`"),
                ));
            }
        }
        self.drop_reported(before);
        entries
    }

    /// Warns of tables that no net uses. Not if there are problems: a net may have been dropped.
    fn unused(&mut self, content: &Content, sources: &[Entry], data: &[Entry], architectures: &[Entry]) {
        if !self.problems.is_empty() {
            return;
        }
        let mut warn = |kind: &str, entry: &Entry, used: bool| {
            if !used {
                let place = self.texts.line(entry.key.span);
                self.warnings.push(format!("{place}: `{}` is not used by any net", display_path([kind, &entry.key.value])));
            }
        };
        let used: HashSet<&str> = content
            .nets
            .iter()
            .flat_map(|net| std::iter::once(&net.source).chain(net.edits.sources()))
            .filter_map(|source| match &source.value {
                NetSource::Named(name) => Some(name.as_str()),
                NetSource::Path(_) | NetSource::Net(_) | NetSource::Glob { .. } | NetSource::Embedded { .. } => None,
            })
            .collect();
        for entry in sources {
            warn("source", entry, used.contains(entry.key.value.as_str()));
        }
        let of_net = |net: &'_ Net| -> [Option<String>; 2] {
            let prove = match &net.prove {
                Proving::As(prove) => prove.data.as_ref(),
                Proving::Unsaid | Proving::Off => None,
            };
            [net.optimize.as_ref().map(|optimize| &optimize.data), prove].map(|name| name.map(|name| name.value.clone()))
        };
        let used: HashSet<String> = content.nets.iter().flat_map(of_net).flatten().collect();
        for entry in data {
            warn("data", entry, used.contains(entry.key.value.as_str()));
        }
        let globs = content.nets.iter().filter_map(|net| match &net.source.value {
            NetSource::Glob { claims, .. } | NetSource::Embedded { claims, .. } => Some(&**claims),
            NetSource::Named(_) | NetSource::Path(_) | NetSource::Net(_) => None,
        });
        let claims = content.sources.values().map(|source| &source.claims).chain(globs);
        let used: HashSet<&str> = claims.filter_map(|claims| claims.described.as_ref()).map(|described| described.value.typed()).collect();
        for entry in architectures {
            warn("architecture", entry, used.contains(entry.key.value.as_str()));
        }
    }
}
