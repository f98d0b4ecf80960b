//! `[net.NAME]` and `[defaults]`: what is built, of what, to where.

use std::path::Path;

use super::{
    super::{
        captures,
        identity::FilePath,
        keys,
        output::{self, OutputKind, TypedOutput, holds_nnue},
        placeholders,
        publish::{self, Release},
        text::{Located, Problem, Span},
        tree::{Item, Value, quoted},
    },
    edits::Edits,
    engine::Engine,
    optimize::Optimize,
    prove::Proving,
    reader::Reader,
    source::Claims,
    values::Fields,
};
use crate::format::autodiscover::AUTODISCOVER;
use crate::words::{Allow, CompressionChoice};

/// What a source begins with that is the output of another net.
pub const NET_PREFIX: &str = "net:";

/// A `[net.NAME]` table as written, with the defaults in it and the axes of `[matrix]` filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct Net {
    /// The name; of a sweep with placeholders.
    pub name: Located<String>,
    /// Of a net that `[matrix]` made: the name as written, with the axes in it.
    pub template: Option<String>,
    /// The table's header.
    pub span: Span,
    /// Where it comes from.
    pub source: Located<NetSource>,
    /// Text for the file's header; `None` keeps the source's, or the writer's default.
    pub description: Option<Located<String>>,
    /// Of `.nnue` outputs.
    pub compression: Located<CompressionChoice>,
    /// Outputs as typed, at least one.
    pub outputs: Vec<TypedOutput>,
    /// A permutation file (`.npy`) to apply; never together with `optimize`.
    pub permutation: Option<Located<String>>,
    /// Search for a permutation.
    pub optimize: Option<Optimize>,
    /// What is done to a network of lc0.
    pub edits: Edits<Located<NetSource>>,
    /// What is known of a described network and accepted.
    pub allow: Option<Located<Allow>>,
    /// Whether and how the published file is held against its source.
    pub prove: Proving,
    /// The engine that plays with the file.
    pub engine: Option<Engine<String>>,
    /// What is said of the published files.
    pub release: Release,
}

/// A net's `source`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetSource {
    /// A `[source.NAME]` table.
    Named(String),
    /// A file.
    Path(FilePath),
    /// The first output of the net of this name.
    Net(String),
    /// A pattern: one net per file that matches.
    Glob {
        /// The pattern.
        pattern: String,
        /// What is said of every file that matches.
        claims: Box<Claims>,
        /// Of each folder only so many files: those with the highest step, else epoch, else name.
        last: Option<usize>,
        /// Of all files only so many: those that were written last.
        newest: Option<usize>,
    },
    /// An lc0 with a network at its end.
    Embedded {
        /// The program.
        path: FilePath,
        /// What is said of the network.
        claims: Box<Claims>,
    },
}

impl Reader<'_> {
    /// The keys of `[defaults]` are those of a net without its source. They are in the nets already: here they are judged.
    pub(super) fn defaults(&mut self, item: &Item) {
        let before = self.problems.len();
        self.in_defaults = true;
        self.net(&Located { value: "defaults".to_owned(), span: item.span }, "defaults", item);
        self.in_defaults = false;
        if let Value::Table(entries) = &item.value {
            self.default_keys.extend(entries.iter().map(|entry| entry.key.span));
        }
        self.drop_reported(before);
    }

    pub(super) fn net(&mut self, name: &Located<String>, path: &str, item: &Item) -> Option<Net> {
        let fields = self.table(if self.in_defaults { &keys::DEFAULTS } else { &keys::NET }, path, item)?;
        let source = match self.in_defaults {
            true => None,
            false => self.required(&fields, "source").map(|(key, item)| self.net_source(&key, item)),
        };
        let description = self.text(&fields, "description");
        let written = self.word::<CompressionChoice>(&fields, "compression");
        let of_trainer = source.as_ref().and_then(Option::as_ref).is_some_and(|source| is_of_the_trainer(&source.value));
        let outputs = self.required(&fields, "outputs").map(|(key, item)| self.outputs(&key, item, of_trainer));
        let (permutation, optimize) = self.order(&fields);
        let edits = self.edits(&fields);
        let allow = self.word::<Allow>(&fields, "allow");
        let prove = self.proving(&fields);
        let engine = self.engine(&fields);
        let release = self.release(&fields);
        if let Some(Some(outputs)) = &outputs
            && !self.in_defaults
        {
            self.judge_outputs(&fields, written.as_ref(), outputs, &release);
            self.judge_edits(&fields, &edits, outputs);
        }
        let compression = written.unwrap_or_else(|| fields.default(CompressionChoice::default()));
        let span = fields.span;
        self.finish(fields);
        if let Some(Some(source)) = &source {
            let wildcards = match &source.value {
                NetSource::Glob { pattern, .. } => Some(captures::words_of(pattern)),
                NetSource::Named(_) | NetSource::Path(_) | NetSource::Net(_) | NetSource::Embedded { .. } => None,
            };
            let outputs: Vec<&Located<String>> = outputs.iter().flatten().flatten().map(|output| &output.path).collect();
            if !self.placeholders_are_good(name, permutation.as_ref(), &outputs, wildcards.as_deref()) {
                return None;
            }
        }
        Some(Net {
            name: name.clone(),
            template: None,
            span,
            source: source??,
            description,
            compression,
            outputs: outputs??,
            permutation,
            // One that is wrong has been reported, and hides no mistakes of the outputs.
            optimize: optimize.flatten(),
            edits,
            allow,
            prove,
            engine,
            release,
        })
    }

    /// Paths, or tables of paths by layout.
    fn outputs(&mut self, key: &str, item: &Item, of_trainer: bool) -> Option<Vec<TypedOutput>> {
        let paths = |reader: &mut Self, key: &str, item: &Item, layout: Option<&Located<String>>| {
            let mut good = Vec::new();
            let paths = reader.list(key, item, |reader, key, item| {
                let text = reader.path_text(key, item)?;
                good.push(text.clone());
                Some(text)
            });
            let Some(paths) = paths else {
                // The net is not looked at any further: what else is wrong with its outputs is said now.
                if layout.is_none() {
                    let folder = reader.folder;
                    let fault = |typed: Located<String>| match output::resolve(typed.clone(), folder, false) {
                        Ok(output) => (of_trainer && output.kind.is_of_lc0()).then(|| output::of_lc0_only(&typed)),
                        Err(problem) => Some(problem),
                    };
                    reader.problems.extend(good.into_iter().filter_map(fault));
                }
                return None;
            };
            Some(paths.into_iter().map(|path| TypedOutput { path, layout: layout.cloned() }).collect::<Vec<_>>())
        };
        let Value::Table(layouts) = &item.value else { return paths(self, key, item, None) };
        if layouts.is_empty() {
            self.problems.push(Problem::new(
                format!("`{key}` is empty"),
                item.span,
                "no entry",
                "it needs at least one entry",
                "write a file by the name of its layout: `{ published = \"net.bin\" }`",
            ));
            return None;
        }
        // All are read before one is missed, so that each bad one is reported.
        let read: Vec<_> = layouts
            .iter()
            .map(|entry| paths(self, &format!("{key}.{}", quoted(&entry.key.value)), &entry.item, Some(&entry.key)))
            .collect();
        read.into_iter().collect::<Option<Vec<_>>>().map(|read| read.into_iter().flatten().collect())
    }

    /// A known permutation or the search for one. Of the search the inner `None` stands for one with mistakes.
    fn order(&mut self, fields: &Fields<'_>) -> (Option<Located<String>>, Option<Option<Optimize>>) {
        let (permutation, optimize) = (fields.get_unless_off("permutation"), fields.get_unless_off("optimize"));
        if permutation.is_some() && optimize.is_some() {
            self.problems.push(
                Problem::new(
                    format!("`{}` has both `permutation` and `optimize`", fields.path),
                    fields.place("permutation"),
                    "applies a known permutation",
                    "a net gets one permutation: a known one, or one that is searched for",
                    "remove one of them",
                )
                .and(fields.place("optimize"), "finds one"),
            );
        }
        let permutation = permutation.and_then(|item| self.path_text(&fields.path_of("permutation"), item));
        (permutation, optimize.map(|item| self.optimize(&fields.path_of("optimize"), item)))
    }

    /// What the outputs must fit: the compression and the place of publication.
    fn judge_outputs(
        &mut self,
        fields: &Fields<'_>,
        written: Option<&Located<CompressionChoice>>,
        outputs: &[TypedOutput],
        release: &Release,
    ) {
        let path = &fields.path;
        if outputs.iter().any(|output| output.layout.is_some()) {
            self.judge_layouts(fields, release);
            return;
        }
        let outputs: Vec<Located<String>> = outputs.iter().map(|output| output.path.clone()).collect();
        if let Some(written) = written
            && written.value != CompressionChoice::Auto
            && !outputs.iter().any(|output| holds_nnue(&output.value))
            && self.warned.insert(written.span)
        {
            let place = self.texts.line(written.span);
            self.warnings.push(format!("{place}: `{path}.compression` has no effect: no output is a `.nnue` file or a folder"));
        }
        // A licence that was given and is wrong has been reported.
        let has_license = fields.place("license") != fields.span;
        publish::check_net(path, release, has_license, &outputs, self.problems);
    }

    /// What is said of outputs that the net does not have. What `[defaults]` says is for others.
    fn judge_edits(&mut self, fields: &Fields<'_>, edits: &Edits<Located<NetSource>>, outputs: &[TypedOutput]) {
        let typed = || outputs.iter().map(|output| output.path.value.as_str());
        let has = |kinds: &[OutputKind]| typed().filter_map(output::named_kind).any(|kind| kinds.contains(&kind));
        let has_program = typed().any(|typed| output::named_kind(typed).is_none() && !output::names_folder(typed));
        let has_header = typed().any(|typed| output::named_kind(typed) != Some(OutputKind::Onnx));
        let checked = [
            ("view", edits.view.is_some(), has(&[OutputKind::Safetensors, OutputKind::Npz]), "no output is a file of tensors"),
            ("onnx", edits.onnx.is_some(), has(&[OutputKind::Onnx]), "no output is a `.onnx` file"),
            ("into", edits.into.is_some(), has_program, "every output has the ending of a network"),
            ("metadata", edits.metadata.is_some(), has_header, "a `.onnx` file has nothing of the header"),
        ];
        for (key, .., why) in checked.into_iter().filter(|(_, is_given, has_one, _)| *is_given && !has_one) {
            let place = fields.place(key);
            if !self.default_keys.contains(&place) && self.warned.insert(place) {
                let line = self.texts.line(place);
                self.warnings.push(format!("{line}: `{}.{key}` has no effect: {why}", fields.path));
            }
        }
    }

    /// What has no effect on files in a layout.
    fn judge_layouts(&mut self, fields: &Fields<'_>, release: &Release) {
        let path = &fields.path;
        for key in ["compression", "description"] {
            let place = fields.place(key);
            if fields.get(key).is_some() && !self.default_keys.contains(&place) && self.warned.insert(place) {
                let line = self.texts.line(place);
                self.warnings.push(format!("{line}: `{path}.{key}` has no effect: the architecture's layouts say all of a file"));
            }
        }
        if let Some(publish) = &release.publish {
            self.problems.push(Problem::new(
                format!("`{path}` has no output that fishtest accepts"),
                publish.span,
                "published here",
                "its outputs are files in layouts of a described architecture, and fishtest tests Stockfish's networks",
                "remove `publish`",
            ));
        }
    }

    /// Checks the placeholders of a net. Those of one whose source is wrong cannot be judged.
    fn placeholders_are_good(
        &mut self,
        name: &Located<String>,
        permutation: Option<&Located<String>>,
        outputs: &[&Located<String>],
        wildcards: Option<&[String]>,
    ) -> bool {
        let before = self.problems.len();
        for text in [Some(name), permutation].into_iter().flatten().chain(outputs.iter().copied()) {
            placeholders::check(text, wildcards, self.texts, self.problems);
        }
        if let Some(wildcards) = wildcards.filter(|_| self.problems.len() == before) {
            self.sweep_names(name, outputs.iter().copied(), wildcards);
        }
        self.problems.len() == before
    }

    /// The keys about published files.
    fn release(&mut self, fields: &Fields<'_>) -> Release {
        let given = self.boolean(fields, "provenance");
        let provenance = Located { value: given.unwrap_or(false), span: fields.place("provenance") };
        let publish = self.word(fields, "publish");
        let license = fields.get("license").and_then(|item| self.license(&fields.path_of("license"), item));
        Release { provenance, publish, license }
    }

    fn license(&mut self, key: &str, item: &Item) -> Option<Located<String>> {
        let text = self.string(key, item)?;
        let cause = if text.value.trim().is_empty() {
            "it is empty"
        } else if text.value.chars().any(char::is_control) {
            "it has control characters"
        } else {
            return Some(text);
        };
        self.problems.push(Problem::new(
            format!("`{key}` does not name a licence"),
            text.span,
            "this licence",
            cause,
            "write an SPDX expression, such as `CC0-1.0`; or leave `license` out",
        ));
        None
    }

    /// What a sweep writes must differ from file to file, also while only one file matches.
    fn sweep_names<'n>(&mut self, name: &Located<String>, outputs: impl Iterator<Item = &'n Located<String>>, wildcards: &[String]) {
        let cause = "a sweep makes one net per file that matches its glob";
        if !placeholders::has_placeholder(&name.value, wildcards) {
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
        for output in outputs.filter(|output| output::names_file(&output.value) && !placeholders::has_placeholder(&output.value, wildcards))
        {
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
        if let Value::Table(entries) = &item.value {
            let has = |name: &str| entries.iter().any(|entry| entry.key.value == name);
            if has("path") && !has("glob") && !has("embedded") {
                self.problems.push(Problem::new(
                    format!("`{key}` has a `path`"),
                    item.span,
                    "this table",
                    "in a net such a table is a glob; a file that something is said of has a table of its own",
                    "write its keys below `[source.NAME]`, and `source = \"NAME\"` here; or `source = \"FILE\"` alone",
                ));
                return None;
            }
            let fields = self.table(&keys::GLOB, key, item)?;
            let glob = self.required(&fields, "glob").and_then(|(key, item)| self.path_text(&key, item));
            let embedded = fields.get("embedded").map(|item| self.file(&fields.path_of("embedded"), item));
            if embedded.is_some() && fields.get("glob").is_some() {
                self.excluded(&fields, "glob", "embedded");
            }
            let claims = Box::new(self.claims(&fields));
            let (last, newest) = (self.integer(&fields, "last"), self.integer(&fields, "newest"));
            let count = |count: Option<Located<usize>>| count.map(|count| count.value);
            let (last, newest) = (count(last), count(newest));
            self.finish(fields);
            if let Some(embedded) = embedded {
                return embedded.map(|path| path.map(|path| NetSource::Embedded { path, claims }));
            }
            return glob.map(|glob| glob.map(|pattern| NetSource::Glob { pattern, claims, last, newest }));
        }
        if !matches!(item.value, Value::String(_)) {
            self.wrong_type(key, item, "a string or `{ glob = \"…\" }`", "name a `[source.NAME]` table, or give the path of a file");
            return None;
        }
        self.named_source(key, item)
    }

    /// The name of a source, or a path.
    pub(super) fn named_source(&mut self, key: &str, item: &Item) -> Option<Located<NetSource>> {
        let text = self.path_text(key, item)?;
        if let Some(name) = text.value.strip_prefix(NET_PREFIX) {
            let name = name.to_owned();
            return Some(text.map(|_| NetSource::Net(name)));
        }
        if self.source_names.set.contains(&text.value) {
            return Some(text.map(NetSource::Named));
        }
        if text.value == AUTODISCOVER || text.value.contains(['/', '\\']) || Path::new(&text.value).extension().is_some() {
            let folder = self.folder;
            return Some(text.map(|text| NetSource::Path(FilePath::new(folder, &text))));
        }
        let names = self.source_names.ordered.clone();
        self.undefined("source", key, &text, &names, "; the path of a file has a `/` or an ending in it, and another net is `net:NAME`");
        None
    }
}

/// Whether a source is, by its name, a network of the trainer.
fn is_of_the_trainer(source: &NetSource) -> bool {
    const ENDINGS: [&str; 3] = ["nnue", "ckpt", "pt"];
    let NetSource::Path(path) = source else { return false };
    path.resolved.extension().is_some_and(|ending| ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known)))
}
