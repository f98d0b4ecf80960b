//! The tree of a manifest → typed values: every key that there is, its type, range and default.
//!
//! Collects all problems instead of stopping at the first. Judges only what the text says; what depends on the disk, or
//! on several nets at once, is [`super::expand`]'s.

use std::{
    collections::{BTreeMap, HashSet},
    fmt::Display,
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

use super::{
    Claims, Data, FilePath, Net, NetSource, Optimize, Release, RemoteCache, Source, Vocabulary,
    expand::{names_file, placeholders},
    text::{Located, Problem, Span, Texts, listed, suggest},
    tree::{Entry, Item, Value, display_path, quoted, type_name},
};
use crate::net::Quantization;
use crate::positions::{DEFAULT_COUNT, Filters};
use crate::words::{self, Algorithm, Compression, Overflow, Publish, RemoteMode, Word};

/// The manifest version that this program reads.
const VERSION: u64 = 1;

/// Bytes; Linux allows 4096, others fewer.
const LONGEST_PATH: usize = 4096;

/// Where a remote cache may be.
const REMOTE_SCHEMES: [&str; 5] = ["https", "http", "s3", "gs", "az"];

/// All that the tables of a manifest say, before anything is looked up on the disk.
#[derive(Default)]
pub(super) struct Content {
    pub sources: BTreeMap<String, Source>,
    pub data: BTreeMap<String, Data>,
    pub nets: Vec<Net>,
    pub remote_cache: Option<RemoteCache>,
    pub warnings: Vec<String>,
}

/// Converts the whole tree.
pub(super) fn read(root: &Item, texts: &Texts, folder: &Path, vocabulary: &Vocabulary<'_>, problems: &mut Vec<Problem>) -> Content {
    let mut reader = Reader {
        texts,
        folder,
        vocabulary,
        problems,
        source_names: Names::default(),
        data_names: Names::default(),
        in_defaults: false,
        default_moves: None,
        reported: HashSet::new(),
        warnings: Vec::new(),
        warned: HashSet::new(),
    };
    reader.manifest(root)
}

/// Whether the keys mean what this program thinks. True also where the version is missing or no number: that is a mistake of its own.
pub(super) fn is_of_known_version(root: &Item) -> bool {
    let Value::Table(entries) = &root.value else { return true };
    let version = entries.iter().find(|entry| entry.key.value == "version").map(|entry| &entry.item.value);
    !matches!(version, Some(Value::Integer(number)) if *number != Some(i128::from(VERSION)))
}

/// A table whose keys are being read. What was asked for is what the table may hold: there is no second list of keys.
struct Fields<'t> {
    /// `net.big`; empty for the whole file.
    path: String,
    span: Span,
    entries: &'t [Entry],
    known: Vec<&'static str>,
}

impl<'t> Fields<'t> {
    fn get(&mut self, key: &'static str) -> Option<&'t Item> {
        self.known.push(key);
        self.entries.iter().find(|entry| entry.key.value == key).map(|entry| &entry.item)
    }

    /// A key that `false` turns off, whatever `[defaults]` says of it.
    fn get_unless_off(&mut self, key: &'static str) -> Option<&'t Item> {
        self.get(key).filter(|item| !matches!(item.value, Value::Boolean(false)))
    }

    /// The place of a key, for labels; of the table where the key is not there.
    fn place(&self, key: &str) -> Span {
        self.entries.iter().find(|entry| entry.key.value == key).map_or(self.span, |entry| entry.key.span)
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}

struct Reader<'a> {
    texts: &'a Texts,
    folder: &'a Path,
    vocabulary: &'a Vocabulary<'a>,
    problems: &'a mut Vec<Problem>,
    /// Names of all tables, also of those with errors: a net that uses one is not wrong in addition.
    source_names: Names,
    data_names: Names,
    /// What is read is `[defaults]`: nothing is required of it, and no key is judged together with one that a net may give.
    in_defaults: bool,
    /// Where `[defaults]` says how many moves annealing makes.
    default_moves: Option<Span>,
    /// Places with a problem. What came to several nets from one place is one mistake.
    reported: HashSet<Span>,
    warnings: Vec<String>,
    /// Places with a warning, likewise.
    warned: HashSet<Span>,
}

impl<'a> Reader<'a> {
    fn manifest(&mut self, root: &Item) -> Content {
        let mut content = Content::default();
        let Some(mut fields) = self.table("", root, "a table") else { return content };
        if !self.version(&mut fields) {
            return content;
        }
        let sources = self.named_tables(&mut fields, "source");
        let data = self.named_tables(&mut fields, "data");
        let nets = self.named_tables(&mut fields, "net");
        self.source_names = Names::of(sources);
        self.data_names = Names::of(data);
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
        // Its axes stand in the nets by now.
        fields.get("matrix");
        if let Some(item) = fields.get("defaults") {
            self.defaults(item);
        }
        for entry in nets {
            let before = self.problems.len();
            let path = display_path(["net", &entry.key.value]);
            content.nets.extend(self.net(&entry.key, &path, &entry.item));
            self.drop_reported(before);
        }
        content.remote_cache = fields.get("cache").and_then(|item| self.cache(item));
        self.finish(fields);
        if nets.is_empty() {
            self.warnings.push(format!("{}: no `[net.NAME]` table: there is nothing to build", self.texts.line(root.span)));
        }
        self.unused(&content, sources, data);
        content.warnings = std::mem::take(&mut self.warnings);
        content
    }

    /// False if the keys may mean something else than this program thinks.
    fn version(&mut self, fields: &mut Fields<'_>) -> bool {
        let Some(item) = fields.get("version") else {
            self.problems.push(Problem::new(
                "the manifest has no `version`",
                fields.span,
                "expected before the first table",
                "the number fixes what the keys below it mean",
                format!("begin the file with `version = {VERSION}`"),
            ));
            return true;
        };
        match self.integer("version", item, 0..=u64::MAX) {
            Some(found) if found.value != VERSION => {
                self.problems.push(Problem::new(
                    format!("manifest version {} is not known", found.value),
                    found.span,
                    "this number",
                    format!("this `nnue` reads version {VERSION} only"),
                    format!("use a newer `nnue`, or write the manifest in the form of `version = {VERSION}`"),
                ));
                false
            }
            _ => true,
        }
    }

    /// The sub-tables `[KEY.NAME]`.
    fn named_tables<'t>(&mut self, fields: &mut Fields<'t>, key: &'static str) -> &'t [Entry] {
        let Some(item) = fields.get(key) else { return &[] };
        let Some(table) = self.table(key, item, "a table of tables") else { return &[] };
        let before = self.problems.len();
        for entry in table.entries {
            let name = &entry.key;
            if name.value.trim().is_empty() || name.value.chars().any(char::is_control) {
                self.problems.push(Problem::new(
                    format!("{} is no name for a {key}", quoted(&name.value)),
                    name.span,
                    "this name",
                    "names are shown in messages and typed on the command line; they need visible characters and no control characters",
                    format!("rename it, for example `[{key}.main]`"),
                ));
            }
        }
        self.drop_reported(before);
        table.entries
    }

    fn source(&mut self, entry: &Entry) -> Option<Source> {
        let mut fields = self.table(&display_path(["source", &entry.key.value]), &entry.item, "a table")?;
        let path = self.required(&mut fields, "path", "path = \"runs/epoch=799.ckpt\"").map(|(key, item)| self.file(&key, item));
        let claims = self.claims(&mut fields);
        let sha256 = fields.get("sha256").and_then(|item| self.sha256(&fields.path_of("sha256"), item));
        let span = fields.span;
        self.finish(fields);
        Some(Source { name: Some(entry.key.value.clone()), span, path: path??, claims, sha256 })
    }

    /// The keys that a source and a glob share.
    fn claims(&mut self, fields: &mut Fields<'_>) -> Claims {
        let features = fields.get("features").and_then(|item| self.features(&fields.path_of("features"), item));
        let l1 = self.optional_integer(fields, "l1", 2..=65536).and_then(|l1| self.even(l1));
        let l2 = self.optional_integer(fields, "l2", 1..=65536);
        let l3 = self.optional_integer(fields, "l3", 1..=65536);
        let architecture = fields.get("architecture").and_then(|item| self.architecture(&fields.path_of("architecture"), item));
        let quantization = self.optional_choice::<&'static Quantization>(fields, "quantization");
        let overflow = self.optional_choice::<Overflow>(fields, "overflow").unwrap_or_else(|| fields.default(Overflow::default()));
        let narrow = |size: Located<u64>| size.map(|size| u32::try_from(size).unwrap_or(u32::MAX));
        Claims { features, l1: l1.map(narrow), l2: l2.map(narrow), l3: l3.map(narrow), architecture, quantization, overflow }
    }

    fn data(&mut self, entry: &Entry) -> Option<Data> {
        let mut fields = self.table(&display_path(["data", &entry.key.value]), &entry.item, "a table")?;
        let paths = self
            .required(&mut fields, "path", "path = \"data/positions.binpack\"")
            .map(|(key, item)| self.list(&key, item, |reader, key, item| reader.file(key, item)));
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

    /// The keys of `[defaults]` are those of a net without its source. They are in the nets already: here they are judged.
    fn defaults(&mut self, item: &Item) {
        let before = self.problems.len();
        self.in_defaults = true;
        self.net(&Located { value: "defaults".to_owned(), span: item.span }, "defaults", item);
        self.in_defaults = false;
        self.drop_reported(before);
    }

    /// Keeps of the problems since `before` those at places that had none until then.
    fn drop_reported(&mut self, before: usize) {
        let new: Vec<Problem> = self.problems.drain(before..).filter(|problem| !self.reported.contains(&problem.place())).collect();
        self.reported.extend(new.iter().map(Problem::place));
        self.problems.extend(new);
    }

    fn net(&mut self, name: &Located<String>, path: &str, item: &Item) -> Option<Net> {
        let name = name.clone();
        let mut fields = self.table(path, item, "a table")?;
        let source = match self.in_defaults {
            true => None,
            false => {
                self.required(&mut fields, "source", "source = \"runs/epoch=799.ckpt\"").map(|(key, item)| self.net_source(&key, item))
            }
        };
        let swept = matches!(source, Some(Some(Located { value: NetSource::Glob { .. }, .. })));
        let description = fields.get("description").and_then(|item| self.string(&fields.path_of("description"), item));
        let written = self.optional_choice::<Compression>(&mut fields, "compression");
        let outputs = self
            .required(&mut fields, "outputs", "outputs = [\"dist/\"]")
            .map(|(key, item)| self.list(&key, item, |reader, key, item| reader.path_text(key, item)));
        let permutation = fields.get_unless_off("permutation");
        let optimize = fields.get_unless_off("optimize");
        let both = permutation.is_some() && optimize.is_some();
        let permutation = permutation.and_then(|item| self.path_text(&fields.path_of("permutation"), item));
        let optimize = optimize.map(|item| self.optimize(&fields.path_of("optimize"), item));
        let release = self.release(&mut fields);
        if both {
            self.problems.push(
                Problem::new(
                    format!("`{path}` has both `permutation` and `optimize`"),
                    fields.place("permutation"),
                    "applies a known permutation",
                    "a net gets one permutation: a known one, or one that is searched for",
                    "remove one of the two",
                )
                .and(fields.place("optimize"), "finds one"),
            );
        }
        if let (Some(written), Some(Some(outputs))) = (&written, &outputs)
            && !outputs.iter().any(|output| super::expand::holds_nnue(&output.value))
            && !self.in_defaults
            && self.warned.insert(written.span)
        {
            let place = self.texts.line(written.span);
            self.warnings.push(format!("{place}: `{path}.compression` has no effect: no output is a `.nnue` file or a folder"));
        }
        if let Some(Some(outputs)) = &outputs
            && !self.in_defaults
        {
            // A licence that was given and is wrong has been reported.
            let has_license = fields.place("license") != fields.span;
            super::publish::check_net(path, &release, has_license, outputs, self.problems);
        }
        let compression = written.unwrap_or_else(|| fields.default(Compression::default()));
        let span = fields.span;
        self.finish(fields);
        // The placeholders of a net whose source is wrong cannot be judged.
        let before = self.problems.len();
        if let Some(Some(_)) = &source {
            let outputs = || outputs.iter().flatten().flatten();
            for text in [Some(&name), permutation.as_ref()].into_iter().flatten().chain(outputs()) {
                placeholders(text, swept, self.texts, self.problems);
            }
            if swept && self.problems.len() == before {
                self.sweep_names(&name, outputs());
            }
        }
        if self.problems.len() > before {
            return None;
        }
        // One that is wrong has been reported, and hides no mistakes of the outputs.
        let optimize = optimize.flatten();
        Some(Net {
            name,
            template: None,
            span,
            source: source??,
            description,
            compression,
            outputs: outputs??,
            permutation,
            optimize,
            release,
        })
    }

    /// The keys about published files.
    fn release(&mut self, fields: &mut Fields<'_>) -> Release {
        let given = self.optional_truth(fields, "provenance");
        let provenance = Located { value: given.unwrap_or(false), span: fields.place("provenance") };
        let publish = self.optional_choice::<Publish>(fields, "publish");
        let license = fields.get("license").and_then(|item| self.license(&fields.path_of("license"), item));
        Release { provenance, publish, license }
    }

    fn license(&mut self, key: &str, item: &Item) -> Option<Located<String>> {
        let text = self.string(key, item)?;
        let cause = if text.value.trim().is_empty() {
            "the text is empty"
        } else if text.value.chars().any(char::is_control) {
            "it holds control characters"
        } else {
            return Some(text);
        };
        self.problems.push(Problem::new(
            format!("`{key}` names no licence"),
            text.span,
            "this licence",
            cause,
            "write an SPDX expression, such as `CC0-1.0`; or leave `license` out",
        ));
        None
    }

    /// What a sweep writes must differ from file to file, also while only one file matches.
    fn sweep_names<'n>(&mut self, name: &Located<String>, outputs: impl Iterator<Item = &'n Located<String>>) {
        let cause = "a sweep makes one net per file that matches its glob";
        if !has_placeholder(&name.value) {
            self.problems.push(Problem::new(
                format!("the nets of the sweep `{}` would all have one name", name.value),
                name.span,
                "without a placeholder",
                cause,
                format!(
                    "put `{{stem}}` (the file's name without its ending) in it: `[net.{}]`",
                    quoted(&format!("{}/{{stem}}", name.value))
                ),
            ));
        }
        for output in outputs.filter(|output| names_file(&output.value) && !has_placeholder(&output.value)) {
            self.problems.push(Problem::new(
                format!("the nets of the sweep `{}` would all write `{}`", name.value, output.value),
                output.span,
                "without a placeholder",
                cause,
                "put `{stem}` or `{parent}` in it, or name a folder with a `/` at its end",
            ));
        }
    }

    fn net_source(&mut self, key: &str, item: &Item) -> Option<Located<NetSource>> {
        if let Value::Table(_) = item.value {
            let mut fields = self.table(key, item, "a table")?;
            let glob = self
                .required(&mut fields, "glob", "source = { glob = \"runs/*/epoch=*.ckpt\" }")
                .and_then(|(key, item)| self.path_text(&key, item));
            let claims = Box::new(self.claims(&mut fields));
            self.finish(fields);
            return glob.map(|glob| glob.map(|pattern| NetSource::Glob { pattern, claims }));
        }
        let text = match &item.value {
            Value::String(_) => self.path_text(key, item)?,
            _ => {
                self.wrong_type(key, item, "a string or `{ glob = \"…\" }`", "name a `[source.NAME]` table, or give the path of a file");
                return None;
            }
        };
        if self.source_names.set.contains(&text.value) {
            return Some(text.map(NetSource::Named));
        }
        if text.value.contains(['/', '\\']) || Path::new(&text.value).extension().is_some() {
            let folder = self.folder;
            return Some(text.map(|text| NetSource::Path(FilePath::new(folder, &text))));
        }
        let names = self.source_names.ordered.clone();
        self.undefined("source", key, &text, &names, "; the path of a file has a `/` or an ending in it");
        None
    }

    fn optimize(&mut self, path: &str, item: &Item) -> Option<Optimize> {
        let mut fields = self.table(path, item, "a table")?;
        let data = self.required(&mut fields, "data", "data = \"fishpack\"").map(|(key, item)| {
            let name = self.string(&key, item)?;
            if self.data_names.set.contains(&name.value) {
                return Some(name);
            }
            let names = self.data_names.ordered.clone();
            self.undefined("data", &key, &name, &names, "; files are named in a `[data.NAME]` table: `path = [\"file.binpack\"]`");
            None
        });
        let positions =
            self.optional_integer(&mut fields, "positions", 1..=i64::MAX as u64).unwrap_or_else(|| fields.default(DEFAULT_COUNT));
        let seed = self.optional_integer(&mut fields, "seed", 0..=u64::MAX).unwrap_or_else(|| fields.default(0));
        let algorithm = self.optional_choice::<Algorithm>(&mut fields, "algorithm");
        let greedy = match &algorithm {
            Some(algorithm) => algorithm.value == Algorithm::Greedy,
            None => fields.place("algorithm") == fields.span && !self.in_defaults,
        };
        let asks_for_greedy = greedy && algorithm.is_some();
        let algorithm = algorithm.unwrap_or_else(|| fields.default(Algorithm::default()));
        let mut moves = self.optional_integer(&mut fields, "moves", 1..=i64::MAX as u64);
        if self.in_defaults {
            self.default_moves = moves.as_ref().map(|moves| moves.span);
        } else if asks_for_greedy && self.default_moves.is_some() {
            // An axis may choose the search, which is known only now: the default means nothing to a net that asks for the greedy one.
            moves = moves.filter(|moves| Some(moves.span) != self.default_moves);
        }
        if let Some(moves) = &moves
            && greedy
        {
            self.problems.push(Problem::new(
                format!("`{path}.moves` needs `algorithm = \"anneal\"`"),
                moves.span,
                "a number of moves",
                "the greedy search ends where no exchange improves it; only annealing counts moves",
                "remove `moves`, or choose `algorithm = \"anneal\"`",
            ));
        }
        let filters = fields.get("filters").and_then(|item| self.filters(&fields.path_of("filters"), item));
        let filters = filters.unwrap_or_else(|| fields.default(Filters::default()));
        let span = fields.span;
        self.finish(fields);
        Some(Optimize { span, data: data??, positions, seed, algorithm, moves, filters })
    }

    fn filters(&mut self, path: &str, item: &Item) -> Option<Located<Filters>> {
        let mut fields = self.table(path, item, "a table")?;
        let none = Filters::default();
        let before = self.problems.len();
        let filters = Filters {
            filtered: self.optional_truth(&mut fields, "filtered").unwrap_or(none.filtered),
            wld_filtered: self.optional_truth(&mut fields, "wld_filtered").unwrap_or(none.wld_filtered),
            random_fen_skipping: self.optional_number(&mut fields, "random_fen_skipping", 0..=u32::MAX).unwrap_or(none.random_fen_skipping),
            early_fen_skipping: self.optional_number(&mut fields, "early_fen_skipping", -1..=65535).unwrap_or(none.early_fen_skipping),
            simple_eval_skipping: self
                .optional_number(&mut fields, "simple_eval_skipping", -1..=i32::MAX)
                .unwrap_or(none.simple_eval_skipping),
            max_score: self.optional_number(&mut fields, "max_score", 0..=u16::MAX),
            max_ply: self.optional_number(&mut fields, "max_ply", 0..=u16::MAX),
            pc_y1: self.optional_weight(&mut fields, "pc_y1"),
            pc_y2: self.optional_weight(&mut fields, "pc_y2"),
            pc_y3: self.optional_weight(&mut fields, "pc_y3"),
        };
        if self.problems.len() == before
            && !self.in_defaults
            && let Err(error) = filters.validate()
        {
            let weight = ["pc_y1", "pc_y2", "pc_y3"].into_iter().map(|key| fields.place(key)).find(|place| *place != fields.span);
            self.problems.push(Problem::new(
                error.message(),
                weight.unwrap_or(fields.span),
                "these weights",
                error.causes().join(": "),
                error.help_text().unwrap_or("write other weights"),
            ));
        }
        let span = fields.span;
        self.finish(fields);
        Some(Located { value: filters, span })
    }

    fn cache(&mut self, item: &Item) -> Option<RemoteCache> {
        let mut fields = self.table("cache", item, "a table")?;
        let remote = fields.get("remote").map(|item| self.remote_cache(&fields.path_of("remote"), item));
        self.finish(fields);
        remote?
    }

    fn remote_cache(&mut self, path: &str, item: &Item) -> Option<RemoteCache> {
        let mut fields = self.table(path, item, "a table")?;
        let url = self
            .required(&mut fields, "url", "url = \"https://cache.example.org/nnue\"")
            .and_then(|(key, item)| self.remote_url(&key, item));
        let mode = self.optional_choice::<RemoteMode>(&mut fields, "mode").unwrap_or_else(|| fields.default(RemoteMode::default()));
        self.finish(fields);
        Some(RemoteCache { url: url?, mode })
    }

    /// The address of a remote cache: a scheme, a host or bucket, a folder; nothing that could be a secret.
    fn remote_url(&mut self, key: &str, item: &Item) -> Option<Located<String>> {
        let text = self.string(key, item)?;
        let url = text.value.as_str();
        let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
        let host = rest.split('/').next().unwrap_or_default();
        if host.contains('@') || rest.contains(['?', '#']) {
            let what = if host.contains('@') { "credentials" } else { "a part behind `?` or `#`" };
            let cause = "what stands there is often a secret, a manifest is read by many, and the address is shown in messages";
            let help = "take them out; credentials come from the environment: `NNUE_REMOTE_CACHE_TOKEN`, or `NNUE_REMOTE_CACHE_USER` and \
                        `NNUE_REMOTE_CACHE_PASSWORD`, or what the cloud's own tools take";
            // Without its place: that would show them.
            self.problems.push(Problem::without_place(format!("{}: `{key}` has {what} in it", self.texts.line(text.span)), cause, help));
            return None;
        }
        let known = REMOTE_SCHEMES.map(|scheme| format!("`{scheme}://`")).join(", ");
        let (label, cause, help) = if !url.contains("://") {
            ("this text", "it has no scheme".to_owned(), format!("it begins with one of {known}"))
        } else if !REMOTE_SCHEMES.contains(&scheme) {
            ("this address", format!("`{scheme}://` is not known"), format!("it begins with one of {known}"))
        } else if host.is_empty() {
            let what = if scheme.starts_with("http") { "host" } else { "bucket" };
            ("this address", format!("it has no {what}"), "write it as `https://host/folder` or `s3://bucket/folder`".to_owned())
        } else if url.chars().any(|c| !c.is_ascii_graphic() || matches!(c, '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}')) {
            ("this address", "it holds characters that no URL has".to_owned(), "write them as `%` and two digits".to_owned())
        } else {
            return Some(text);
        };
        self.problems.push(Problem::new(format!("`{key}` is no address of a remote cache"), text.span, label, cause, help));
        None
    }

    fn features(&mut self, key: &str, item: &Item) -> Option<Located<String>> {
        let text = self.string(key, item)?;
        let mut at = 0;
        let mut good = true;
        for block in text.value.split('+') {
            let name = block.strip_suffix('^').unwrap_or(block);
            if !self.vocabulary.features.contains(&name) {
                good = false;
                let place = self.texts.inside(text.span, &text.value, at..at + block.len());
                let help = match suggest(name, self.vocabulary.features.iter().copied()) {
                    Some(meant) => format!("did you mean `{meant}`? known: {}", listed(self.vocabulary.features.iter().copied())),
                    None => format!(
                        "known: {}, each also with `^` (factorized), joined by `+` without blanks",
                        listed(self.vocabulary.features.iter().copied())
                    ),
                };
                self.problems.push(Problem::new(
                    format!("no feature block is named `{block}`"),
                    place,
                    "this block",
                    format!("`{key}` names the blocks of the network's input"),
                    help,
                ));
            }
            at += block.len() + 1;
        }
        good.then_some(text)
    }

    fn architecture(&mut self, key: &str, item: &Item) -> Option<Located<String>> {
        let text = self.string(key, item)?;
        if self.vocabulary.architectures.contains(&text.value.as_str()) {
            return Some(text);
        }
        self.not_one_of(key, &text, self.vocabulary.architectures, "an architecture");
        None
    }

    fn optional_choice<T: Word>(&mut self, fields: &mut Fields<'_>, key: &'static str) -> Option<Located<T>> {
        let item = fields.get(key)?;
        let path = fields.path_of(key);
        let text = self.string(&path, item)?;
        match T::named(&text.value) {
            Some(choice) => Some(text.map(|_| choice)),
            None => {
                self.not_one_of(&path, &text, &words::names::<T>(), T::KIND);
                None
            }
        }
    }

    fn not_one_of(&mut self, key: &str, text: &Located<String>, names: &[&str], what: &str) {
        let help = match suggest(&text.value, names.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`? known: {}", listed(names.iter().copied())),
            None => format!("known: {}", listed(names.iter().copied())),
        };
        self.problems.push(Problem::new(
            format!("`{key}` cannot be `{}`", text.value),
            text.span,
            "this value",
            format!("the value names {what}"),
            help,
        ));
    }

    fn undefined(&mut self, kind: &str, key: &str, name: &Located<String>, names: &[String], more: &str) {
        let names = || names.iter().map(String::as_str);
        let mut help = match suggest(&name.value, names()) {
            Some(meant) => format!("did you mean `{meant}`? "),
            None => String::new(),
        };
        help.push_str(&match names().next() {
            Some(_) => format!("defined: {}{more}", listed(names())),
            None => format!("add a `[{kind}.{}]` table{more}", quoted(&name.value)),
        });
        self.problems.push(Problem::new(
            format!("no {kind} is named `{}`", name.value),
            name.span,
            "this name",
            format!("`{key}` uses it, and no table defines `[{kind}.{}]`", quoted(&name.value)),
            help,
        ));
    }

    fn sha256(&mut self, key: &str, item: &Item) -> Option<Located<String>> {
        let text = self.string(key, item)?;
        if text.value.len() == 64 && text.value.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Some(text.map(|text| text.to_ascii_lowercase()));
        }
        let cause = match text.value.chars().find(|c| !c.is_ascii_hexdigit()) {
            Some(c) => format!("a SHA-256 has 64 hexadecimal digits; `{}` is none", c.escape_debug()),
            None => format!("a SHA-256 has 64 hexadecimal digits; here are {}", text.value.len()),
        };
        let help = "take the first word that `sha256sum FILE` prints, or leave `sha256` out";
        self.problems.push(Problem::new(format!("`{key}` is no SHA-256"), text.span, "this text", cause, help));
        None
    }

    fn file(&mut self, key: &str, item: &Item) -> Option<Located<FilePath>> {
        let folder = self.folder;
        Some(self.path_text(key, item)?.map(|text| FilePath::new(folder, &text)))
    }

    /// A path as typed: not empty, no NUL, not absurdly long.
    fn path_text(&mut self, key: &str, item: &Item) -> Option<Located<String>> {
        let text = self.string(key, item)?;
        let cause = if text.value.trim().is_empty() {
            "the text is empty"
        } else if text.value.contains('\0') {
            "it holds a NUL character"
        } else if text.value.len() > LONGEST_PATH {
            "no system takes so long a path"
        } else {
            return Some(text);
        };
        self.problems.push(Problem::new(
            format!("`{key}` is no path"),
            text.span,
            "this path",
            cause,
            "write a path relative to the folder of the manifest",
        ));
        None
    }

    /// A list of values, or one value in place of a list of one. At least one.
    fn list<T>(&mut self, key: &str, item: &Item, mut read: impl FnMut(&mut Self, &str, &Item) -> Option<T>) -> Option<Vec<T>> {
        let items = match &item.value {
            Value::List(items) => items,
            Value::String(_) => return Some(vec![read(self, key, item)?]),
            _ => {
                self.wrong_type(key, item, "a string or a list of strings", "write `[\"…\", \"…\"]`");
                return None;
            }
        };
        if items.is_empty() {
            self.problems.push(Problem::new(
                format!("`{key}` is empty"),
                item.span,
                "no entry",
                "it needs one entry or more",
                "write at least one text in the list",
            ));
            return None;
        }
        // All are read before one is missed, so that each bad one is reported.
        let read: Vec<Option<T>> = items.iter().enumerate().map(|(index, item)| read(self, &format!("{key}[{index}]"), item)).collect();
        read.into_iter().collect()
    }

    fn even(&mut self, l1: Located<u64>) -> Option<Located<u64>> {
        if l1.value.is_multiple_of(2) {
            return Some(l1);
        }
        self.problems.push(Problem::new(
            format!("`l1` is {}, which is odd", l1.value),
            l1.span,
            "this number",
            "the neurons of the feature transformer are multiplied in pairs",
            "write the number of neurons per perspective, for example 1024",
        ));
        None
    }

    fn optional_truth(&mut self, fields: &mut Fields<'_>, key: &'static str) -> Option<bool> {
        let item = fields.get(key)?;
        if let Value::Boolean(truth) = item.value {
            return Some(truth);
        }
        self.wrong_type(&fields.path_of(key), item, "a truth value", "write `true` or `false`, without quotes");
        None
    }

    /// A weight of the wanted distribution of piece counts.
    fn optional_weight(&mut self, fields: &mut Fields<'_>, key: &'static str) -> Option<f64> {
        let item = fields.get(key)?;
        let number = match &item.value {
            Value::Integer(number) => number.map_or(f64::INFINITY, |number| number as f64),
            // What TOML takes for a number, Rust reads as well; the separators are TOML's alone.
            Value::Float(text) => text.replace('_', "").parse().unwrap_or(f64::NAN),
            _ => {
                self.wrong_type(&fields.path_of(key), item, "a number", "write a number, for example `1.5`");
                return None;
            }
        };
        if number.abs() <= Filters::MAX_WEIGHT {
            return Some(number);
        }
        self.problems.push(Problem::new(
            format!("`{}` is out of range", fields.path_of(key)),
            item.span,
            "this number",
            format!("it is {} and must be from -{} to {}", self.texts.slice(item.span), Filters::MAX_WEIGHT, Filters::MAX_WEIGHT),
            "write a number in this range: only the weights' proportions matter",
        ));
        None
    }

    /// An integer whose place no one asks for later.
    fn optional_number<T: Whole>(&mut self, fields: &mut Fields<'_>, key: &'static str, range: RangeInclusive<T>) -> Option<T> {
        self.optional_integer(fields, key, range).map(|number| number.value)
    }

    fn optional_integer<T: Whole>(&mut self, fields: &mut Fields<'_>, key: &'static str, range: RangeInclusive<T>) -> Option<Located<T>> {
        let item = fields.get(key)?;
        self.integer(&fields.path_of(key), item, range)
    }

    fn integer<T: Whole>(&mut self, key: &str, item: &Item, range: RangeInclusive<T>) -> Option<Located<T>> {
        let number = match &item.value {
            Value::Integer(number) => *number,
            Value::Float(text) => {
                let whole = text.parse::<f64>().ok().filter(|number| number.fract() == 0.0 && (0.0..1e15).contains(number));
                let help = whole.map_or("write a whole number".to_owned(), |number| format!("write `{number:.0}`"));
                self.wrong_type(key, item, "an integer", &help);
                return None;
            }
            Value::String(text) if text.replace('_', "").parse::<u64>().is_ok() => {
                self.wrong_type(key, item, "an integer", &format!("write `{text}` without quotes"));
                return None;
            }
            _ => {
                self.wrong_type(key, item, "an integer", &format!("write a number, for example `{}`", range.start().max(&T::from(1))));
                return None;
            }
        };
        if let Some(number) = number.and_then(|number| T::try_from(number).ok())
            && range.contains(&number)
        {
            return Some(Located { value: number, span: item.span });
        }
        self.problems.push(Problem::new(
            format!("`{key}` is out of range"),
            item.span,
            "this number",
            format!("it is {} and must be from {} to {}", self.texts.slice(item.span), range.start(), range.end()),
            "write a number in this range",
        ));
        None
    }

    fn string(&mut self, key: &str, item: &Item) -> Option<Located<String>> {
        if let Value::String(text) = &item.value {
            return Some(Located { value: text.clone(), span: item.span });
        }
        let help = match item.value {
            Value::List(_) | Value::Table(_) => "write one text in quotes".to_owned(),
            _ if item.span.text == 0 => format!("put it in quotes: `\"{}\"`", self.texts.slice(item.span)),
            _ => format!("put it in quotes that the shell leaves alone: `--set '{key}=\"{}\"'`", self.texts.slice(item.span)),
        };
        self.wrong_type(key, item, "a string", &help);
        None
    }

    fn table<'t>(&mut self, path: &str, item: &'t Item, expected: &str) -> Option<Fields<'t>> {
        if let Value::Table(entries) = &item.value {
            return Some(Fields { path: path.to_owned(), span: item.span, entries, known: Vec::new() });
        }
        self.wrong_type(path, item, expected, &format!("write a header `[{path}]` with keys below it"));
        None
    }

    fn wrong_type(&mut self, key: &str, item: &Item, expected: &str, help: &str) {
        let found = type_name(&item.value);
        self.problems.push(Problem::new(format!("`{key}` must be {expected}"), item.span, found, format!("it is {found}"), help));
    }

    fn required<'t>(&mut self, fields: &mut Fields<'t>, key: &'static str, example: &str) -> Option<(String, &'t Item)> {
        let item = fields.get(key);
        if item.is_none() && !self.in_defaults {
            self.problems.push(Problem::new(
                format!("`{}` has no `{key}`", fields.path),
                fields.span,
                format!("needs `{key}`"),
                "it has no default",
                format!("add a line such as `{example}`"),
            ));
        }
        item.map(|item| (fields.path_of(key), item))
    }

    /// Reports the keys that nothing asked for.
    fn finish(&mut self, fields: Fields<'_>) {
        let Fields { path, entries, mut known, .. } = fields;
        known.sort_unstable();
        for entry in entries.iter().filter(|entry| !known.contains(&entry.key.value.as_str())) {
            let place = if path.is_empty() { "at the top level".to_owned() } else { format!("in `{path}`") };
            let mut help = match suggest(&entry.key.value, known.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`? "),
                None => String::new(),
            };
            help.push_str(&format!("known here: {}", listed(known.iter().copied())));
            self.problems.push(Problem::new(
                format!("unknown key `{}` {place}", entry.key.value),
                entry.key.span,
                "not known here",
                "a key that nothing reads would be ignored in silence",
                help,
            ));
        }
    }

    /// Warns of tables that no net uses. Not if there are problems: a net may have been dropped.
    fn unused(&mut self, content: &Content, sources: &[Entry], data: &[Entry]) {
        if !self.problems.is_empty() {
            return;
        }
        let mut warn = |kind: &str, entry: &Entry, used: bool| {
            if !used {
                let place = self.texts.line(entry.key.span);
                self.warnings.push(format!("{place}: `{}` is used by no net", display_path([kind, &entry.key.value])));
            }
        };
        let used: HashSet<&str> = content
            .nets
            .iter()
            .filter_map(|net| match &net.source.value {
                NetSource::Named(name) => Some(name.as_str()),
                _ => None,
            })
            .collect();
        for entry in sources {
            warn("source", entry, used.contains(entry.key.value.as_str()));
        }
        let used: HashSet<&str> =
            content.nets.iter().filter_map(|net| net.optimize.as_ref()).map(|optimize| optimize.data.value.as_str()).collect();
        for entry in data {
            warn("data", entry, used.contains(entry.key.value.as_str()));
        }
    }
}

impl Fields<'_> {
    fn default<T>(&self, value: T) -> Located<T> {
        Located { value, span: self.span }
    }
}

/// A type of the integers in a manifest.
trait Whole: Ord + Display + From<u8> + TryFrom<i128> {}

impl<T: Ord + Display + From<u8> + TryFrom<i128>> Whole for T {}

impl FilePath {
    /// A path typed in a manifest that lies in `folder`.
    pub(super) fn new(folder: &Path, typed: &str) -> Self {
        let resolved = if folder == Path::new(".") { PathBuf::from(typed) } else { folder.join(typed) };
        Self { typed: typed.to_owned(), resolved }
    }
}

/// The names of tables: in the order of the file for messages, as a set for a thousand look-ups.
#[derive(Default)]
struct Names {
    ordered: Vec<String>,
    set: HashSet<String>,
}

impl Names {
    fn of(entries: &[Entry]) -> Self {
        let names = || entries.iter().map(|entry| entry.key.value.clone());
        Self { ordered: names().collect(), set: names().collect() }
    }
}

fn has_placeholder(name: &str) -> bool {
    name.contains("{stem}") || name.contains("{parent}")
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
