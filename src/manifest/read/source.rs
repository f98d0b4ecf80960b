//! `[source.NAME]`, and what a source and a glob say of the files that they stand for.

use serde_json::{Value, json};

use super::{
    super::{
        identity::FilePath,
        keys,
        text::{Located, Problem, Span, hashed_without_place, listed, suggestion},
        tree::{Entry, Item, display_path},
    },
    net::NET_PREFIX,
    reader::Reader,
    values::Fields,
};
use crate::format::autodiscover::AUTODISCOVER;
use crate::words::{Decode, suggest};
use crate::{
    net::{Block, Generation, Quantization, generation, generation_names, shipped},
    words::{Overflow, Word},
};

/// A network to start from. What is `None` is inferred from the file; what is given is an assertion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The table's name; `None` for a path given in a net.
    pub name: Option<String>,
    /// The table's header, or the path in the net.
    pub span: Span,
    /// The file. Of another net's output: `net:NAME` as typed, and where that output is, or its folder.
    pub path: Located<FilePath>,
    /// The other files of a WebAssembly module that is split into `…-part-0.wasm`, `…-part-1.wasm` …, in order.
    pub parts: Vec<FilePath>,
    /// The net whose first output it is.
    pub net: Option<String>,
    /// Whether the network is that at the end of a program, whatever the file begins with.
    pub embedded: bool,
    /// Of `<autodiscover>`: the lc0 whose search is followed.
    pub engine: Option<Located<FilePath>>,
    /// What is said of its content.
    pub claims: Claims,
    /// Pin: 64 lower-case hexadecimal digits.
    pub sha256: Option<Located<String>>,
}

hashed_without_place!(Source { name, path, parts, net, embedded, engine, claims, sha256 });

/// What a manifest says of a source's content: assertions, which also settle what the file leaves open.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Claims {
    /// Feature set, such as `Full_Threats+HalfKAv2_hm^`; each block is one of [`Block::NAMES`].
    pub features: Option<Located<String>>,
    /// Feature transformer outputs per perspective, even, 2..=65536.
    pub l1: Option<Located<u32>>,
    /// Second layer's size, 1..=65536.
    pub l2: Option<Located<u32>>,
    /// Third layer's size, 1..=65536.
    pub l3: Option<Located<u32>>,
    /// Generation.
    pub architecture: Option<Located<&'static Generation>>,
    /// In place of a generation: what describes the architecture.
    pub described: Option<Located<Described>>,
    /// The layout that the file is in, of a described architecture.
    pub layout: Option<Located<String>>,
    /// Scales.
    pub quantization: Option<Located<&'static Quantization>>,
    /// The dict of tensors that is meant in a checkpoint with several: its path of keys, joined by `/`.
    pub state_dict: Option<Located<String>>,
    /// How the codes of a network of lc0 become floats.
    pub decode: Option<Located<Decode>>,
    /// What to do with weights beyond the range of their integers.
    pub overflow: Located<Overflow>,
}

/// What describes an architecture.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Described {
    /// One that comes with the program.
    Shipped(&'static str),
    /// An `[architecture.NAME]` table.
    Table(String),
    /// A file.
    File(FilePath),
}

impl Described {
    /// As it was typed.
    pub fn typed(&self) -> &str {
        match self {
            Self::Shipped(name) => name,
            Self::Table(name) => name,
            Self::File(path) => &path.typed,
        }
    }
}

impl Claims {
    /// Nothing is said; `span` stands for the place where it could be.
    pub fn none(span: Span) -> Self {
        let overflow = Located { value: Overflow::default(), span };
        Self {
            features: None,
            l1: None,
            l2: None,
            l3: None,
            architecture: None,
            described: None,
            layout: None,
            quantization: None,
            state_dict: None,
            decode: None,
            overflow,
        }
    }

    /// The same, with what `other` says of what is not said here.
    #[must_use]
    pub(in super::super) fn or(self, other: Self) -> Self {
        // A generation and what is described exclude each other.
        let is_open = self.architecture.is_none() && self.described.is_none();
        let (architecture, described) = if is_open { (other.architecture, other.described) } else { (self.architecture, self.described) };
        let overflow = if self.overflow.value == Overflow::default() { other.overflow } else { self.overflow };
        Self {
            features: self.features.or(other.features),
            l1: self.l1.or(other.l1),
            l2: self.l2.or(other.l2),
            l3: self.l3.or(other.l3),
            architecture,
            described,
            layout: self.layout.or(other.layout),
            quantization: self.quantization.or(other.quantization),
            state_dict: self.state_dict.or(other.state_dict),
            decode: self.decode.or(other.decode),
            overflow,
        }
    }

    /// What is said of the content, by the names of its keys: the value, and where it was written.
    pub fn said(&self) -> impl Iterator<Item = (&'static str, Value, Span)> {
        fn of<T>(key: &'static str, said: &Option<Located<T>>, value: impl Fn(&T) -> Value) -> Option<(&'static str, Value, Span)> {
            said.as_ref().map(|said| (key, value(&said.value), said.span))
        }
        [
            of("features", &self.features, |features| json!(features)),
            of("l1", &self.l1, |size| json!(size)),
            of("l2", &self.l2, |size| json!(size)),
            of("l3", &self.l3, |size| json!(size)),
            of("architecture", &self.architecture, |generation| json!(generation.name)),
            of("architecture", &self.described, |described| json!(described.typed())),
            of("layout", &self.layout, |layout| json!(layout)),
            of("quantization", &self.quantization, |scales| json!(scales.name)),
            of("state_dict", &self.state_dict, |path| json!(path)),
            of("decode", &self.decode, |decode| json!(decode)),
        ]
        .into_iter()
        .flatten()
    }

    /// Where the value of `key` was written; `None` where nothing is said of it.
    pub fn place_of(&self, key: &str) -> Option<Span> {
        self.said().find(|(name, ..)| *name == key).map(|(.., span)| span)
    }
}

/// What `architecture` names.
enum Architecture {
    Generation(Located<&'static Generation>),
    Described(Located<Described>),
}

impl Reader<'_> {
    pub(super) fn source(&mut self, entry: &Entry) -> Option<Source> {
        let fields = self.table(&keys::SOURCE, &display_path(["source", &entry.key.value]), &entry.item)?;
        let path = self.required(&fields, "path").map(|(key, item)| self.file(&key, item));
        let embedded = fields.get("embedded").map(|item| self.file(&fields.path_of("embedded"), item));
        let engine = fields.get("engine").and_then(|item| self.file(&fields.path_of("engine"), item));
        if path.is_some() && embedded.is_some() {
            self.excluded(&fields, "path", "embedded");
        }
        if let Some(engine) = &engine
            && !matches!(&path, Some(Some(path)) if path.value.typed == AUTODISCOVER)
        {
            self.problems.push(Problem::new(
                format!("`{}.engine` needs `path = \"{AUTODISCOVER}\"`", fields.path),
                engine.span,
                "a program",
                "it says where that search begins",
                "remove `engine`; a network at the end of a program is `embedded = \"…\"`",
            ));
        }
        let claims = self.claims(&fields);
        let sha256 = fields.get("sha256").and_then(|item| self.sha256(&fields.path_of("sha256"), item));
        let span = fields.span;
        self.finish(fields);
        let is_embedded = embedded.is_some();
        let path = embedded.or(path)??;
        let net = path.value.typed.strip_prefix(NET_PREFIX).filter(|_| !is_embedded).map(str::to_owned);
        if let (Some(net), Some(pin)) = (&net, &sha256) {
            self.problems.push(Problem::new(
                format!("the output of the net `{net}` cannot be pinned"),
                pin.span,
                "this pin",
                "it is made anew whenever what it is made from changes",
                "remove `sha256`; `nnue.lock` says what came out, and `--locked` holds builds to it",
            ));
        }
        Some(Source {
            name: Some(entry.key.value.clone()),
            span,
            path,
            parts: Vec::new(),
            net,
            embedded: is_embedded,
            engine,
            claims,
            sha256,
        })
    }

    /// Says that a table has two keys of which it may have one.
    pub(super) fn excluded(&mut self, fields: &Fields<'_>, one: &str, other: &str) {
        let problem = Problem::new(
            format!("`{}` has both `{one}` and `{other}`", fields.path),
            fields.place(one),
            "one source",
            "a network comes from one file",
            "remove one of them",
        );
        self.problems.push(problem.and(fields.place(other), "another"));
    }

    /// The keys that a source and a glob share.
    pub(super) fn claims(&mut self, fields: &Fields<'_>) -> Claims {
        let (architecture, described) = match self.architecture(fields) {
            Some(Architecture::Generation(generation)) => (Some(generation), None),
            Some(Architecture::Described(described)) => (None, Some(described)),
            None => (None, None),
        };
        let claims = Claims {
            features: fields.get("features").and_then(|item| self.features(&fields.path_of("features"), item)),
            l1: self.integer(fields, "l1"),
            l2: self.integer(fields, "l2"),
            l3: self.integer(fields, "l3"),
            architecture,
            described,
            layout: self.text(fields, "layout"),
            quantization: self.word(fields, "quantization"),
            state_dict: fields.get("state_dict").and_then(|item| self.string(&fields.path_of("state_dict"), item)),
            decode: self.word(fields, "decode"),
            overflow: self.word(fields, "overflow").unwrap_or_else(|| fields.default(Overflow::default())),
        };
        self.judge_claims(fields, &claims);
        claims
    }

    /// A generation, or what describes another engine's networks: a table of the manifest, one that ships, or a file.
    fn architecture(&mut self, fields: &Fields<'_>) -> Option<Architecture> {
        let item = fields.get("architecture")?;
        let path = fields.path_of("architecture");
        let text = self.string(&path, item)?;
        let described = |described| Some(Architecture::Described(Located { value: described, span: text.span }));
        if self.architecture_names.set.contains(&text.value) {
            return described(Described::Table(text.value.clone()));
        }
        if let Some(generation) = generation(&text.value) {
            return Some(Architecture::Generation(Located { value: generation, span: text.span }));
        }
        if let Some(shipped) = shipped::find(&text.value) {
            return described(Described::Shipped(shipped.name));
        }
        if text.value.contains(['/', '\\']) || text.value.ends_with(".toml") {
            let file = self.path_text(&path, item)?;
            return described(Described::File(FilePath::new(self.folder, &file.value)));
        }
        let mut names = generation_names();
        names.extend(shipped::ALL.iter().map(|shipped| shipped.name));
        names.extend(self.architecture_names.ordered.iter().map(String::as_str));
        let mut help = suggestion(&text.value, &names);
        help.push_str(&format!("known: {}; other engines': ", listed(generation_names())));
        help.push_str(&format!("{}; or a file, such as `mine.toml`", listed(names[generation_names().len()..].iter().copied())));
        self.problems.push(Problem::new(
            format!("invalid value `{}` for `{path}`", text.value),
            text.span,
            "this value",
            format!("expected {}", <&Generation>::KIND),
            help,
        ));
        None
    }

    /// What is said must be of one kind: of the trainer's networks, or of described ones.
    fn judge_claims(&mut self, fields: &Fields<'_>, claims: &Claims) {
        let Claims { features, l1, l2, l3, described, layout, quantization, state_dict, decode, .. } = claims;
        let Some(described) = described else {
            if let Some(layout) = layout
                && fields.place("architecture") == fields.span
            {
                self.problems.push(Problem::new(
                    format!("`{}` has a `layout`, but no described architecture", fields.path),
                    layout.span,
                    "this layout",
                    "layouts are those of an architecture that is described",
                    "name the architecture: `architecture = \"plentychess\"`, a table `[architecture.NAME]`, or a file",
                ));
            }
            return;
        };
        let said = [
            ("features", features.as_ref().map(|said| said.span)),
            ("l1", l1.as_ref().map(|said| said.span)),
            ("l2", l2.as_ref().map(|said| said.span)),
            ("l3", l3.as_ref().map(|said| said.span)),
            ("quantization", quantization.as_ref().map(|said| said.span)),
            ("state_dict", state_dict.as_ref().map(|said| said.span)),
            ("decode", decode.as_ref().map(|said| said.span)),
        ];
        for (key, span) in said.into_iter().filter_map(|(key, span)| Some((key, span?))) {
            self.problems.push(
                Problem::new(
                    format!("`{key}` does not go with a described architecture"),
                    span,
                    "this value",
                    format!("`{}` says all of a network's sizes and steps itself", described.value.typed()),
                    "remove it; sizes are changed in the architecture's `sizes`",
                )
                .and(described.span, "the architecture"),
            );
        }
    }

    fn features(&mut self, key: &str, item: &Item) -> Option<Located<String>> {
        let text = self.string(key, item)?;
        let mut at = 0;
        let mut good = true;
        for block in text.value.split('+') {
            let name = block.strip_suffix('^').unwrap_or(block);
            if !Block::NAMES.contains(&name) {
                good = false;
                let place = self.texts.inside(text.span, &text.value, at..at + block.len());
                let help = match suggest(name, Block::NAMES) {
                    Some(meant) => format!("did you mean `{meant}`? known: {}", listed(Block::NAMES)),
                    None => format!("known: {}, each also with `^` (factorized), joined by `+` without blanks", listed(Block::NAMES)),
                };
                self.problems.push(Problem::new(
                    format!("unknown feature block `{block}`"),
                    place,
                    "this block",
                    format!("`{key}` lists the blocks of the network's input"),
                    help,
                ));
            }
            at += block.len() + 1;
        }
        good.then_some(text)
    }
}
