//! What is done to a network of lc0: `blend`, `heads`, `fold`, `encoding`, `view`, `onnx`, `into` and `metadata` of `[net.NAME]`.

use std::hash::{Hash, Hasher};

use serde_json::{Map, Value as Json, json};

use super::{
    super::{
        identity::FilePath,
        keys::{self, MAX_SHARE},
        text::{Located, Problem, Span},
        tree::{Item, Value},
    },
    net::NetSource,
    reader::Reader,
    source::Source,
    values::Fields,
};
use crate::words::{LayerEncoding, OnnxType, View};

/// What is done to a network of lc0. Sources are as written, or, in [`ResolvedNet`](super::super::ResolvedNet), looked up.
#[derive(Debug, Clone, PartialEq, Hash)]
pub struct Edits<S> {
    /// Networks that it is made of.
    pub blend: Option<Located<Blend<S>>>,
    /// The heads that are kept.
    pub heads: Option<Located<Heads>>,
    /// Whether batch norms are folded into convolutions.
    pub fold: Option<Located<bool>>,
    /// How layers are stored.
    pub encoding: Option<Located<LayerEncoding>>,
    /// What files of tensors hold.
    pub view: Option<Located<View>>,
    /// The numbers of ONNX models.
    pub onnx: Option<Located<OnnxType>>,
    /// The program that outputs are which no ending names.
    pub into: Option<Located<FilePath>>,
    /// Changes of the header.
    pub metadata: Option<Located<HeaderEdits>>,
}

/// Networks that one is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Blend<S> {
    /// Those that it is averaged with.
    pub with: Vec<S>,
    /// Of the net's own source and of each of `with`; empty for equal shares. Their sum is not 0.
    pub shares: Vec<f64>,
    /// Parts that are taken from others.
    pub graft: Vec<(Located<String>, S)>,
}

impl<S: Hash> Hash for Blend<S> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { with, shares, graft } = self;
        (with, graft).hash(state);
        shares.iter().map(|share| share.to_bits()).collect::<Vec<_>>().hash(state);
    }
}

/// Heads that are kept; `None` for all of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Heads {
    /// Policy heads.
    pub policy: Option<Vec<String>>,
    /// Value heads.
    pub value: Option<Vec<String>>,
}

/// Changes of a header.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HeaderEdits {
    /// The text of the license: `Some(None)` removes it, `None` keeps it.
    pub license: Option<Option<String>>,
    /// The least release of lc0.
    pub min_version: Option<[u32; 3]>,
    /// Whether what lc0 changes in older headers is written out.
    pub fixup: bool,
    /// Whether the training parameters stay.
    pub keeps_training: bool,
    /// Training parameters that are set, by their names, sorted.
    pub training: Vec<(&'static str, String)>,
}

/// Training parameters of a header, by name.
const NUMBERS: [&str; 4] = ["accuracy", "learning_rate", "mse_loss", "policy_loss"];

impl<S> Edits<S> {
    /// The keys that are given, with their places.
    pub fn places(&self) -> impl Iterator<Item = (&'static str, Span)> {
        fn of<T>(key: &'static str, value: &Option<Located<T>>) -> Option<(&'static str, Span)> {
            value.as_ref().map(|value| (key, value.span))
        }
        let Self { blend, heads, fold, encoding, view, onnx, into, metadata } = self;
        let (first, second) = ([of("blend", blend), of("heads", heads), of("fold", fold)], [of("encoding", encoding), of("view", view)]);
        first.into_iter().chain(second).chain([of("onnx", onnx), of("into", into), of("metadata", metadata)]).flatten()
    }

    /// The same with other sources; `None` where one has none.
    pub(in super::super) fn with_sources<T>(&self, mut source: impl FnMut(&S) -> Option<T>) -> Option<Edits<T>> {
        let blend = match &self.blend {
            None => None,
            Some(Located { value: Blend { with, shares, graft }, span }) => {
                let with = with.iter().map(&mut source).collect::<Option<Vec<T>>>()?;
                let graft = graft.iter().map(|(part, from)| Some((part.clone(), source(from)?))).collect::<Option<Vec<_>>>()?;
                Some(Located { value: Blend { with, shares: shares.clone(), graft }, span: *span })
            }
        };
        Some(Edits {
            blend,
            heads: self.heads.clone(),
            fold: self.fold.clone(),
            encoding: self.encoding.clone(),
            view: self.view.clone(),
            onnx: self.onnx.clone(),
            into: self.into.clone(),
            metadata: self.metadata.clone(),
        })
    }

    /// All sources that it names.
    pub fn sources(&self) -> impl Iterator<Item = &S> {
        self.blend.iter().flat_map(|blend| blend.value.with.iter().chain(blend.value.graft.iter().map(|(_, source)| source)))
    }
}

impl Edits<Source> {
    /// All sources that it names, to be changed; in the order of [`Edits::sources`].
    pub(in super::super) fn sources_mut(&mut self) -> impl Iterator<Item = &mut Source> {
        self.blend.iter_mut().flat_map(|blend| {
            let Blend { with, graft, .. } = &mut blend.value;
            with.iter_mut().chain(graft.iter_mut().map(|(_, source)| source))
        })
    }

    /// What is asked for, as the manifest has it.
    pub fn said(&self) -> impl Iterator<Item = (&'static str, Json)> {
        let Self { blend, heads, fold, encoding, view, onnx, into, metadata } = self;
        let path = |source: &Source| json!(source.path.value.typed);
        let blend = blend.as_ref().map(|Located { value: Blend { with, shares, graft }, .. }| {
            let graft: Map<String, Json> = graft.iter().map(|(part, source)| (part.value.clone(), path(source))).collect();
            json!({"with": with.iter().map(path).collect::<Vec<_>>(), "shares": shares, "graft": graft})
        });
        let heads = heads.as_ref().map(|heads| json!({"policy": heads.value.policy, "value": heads.value.value}));
        let metadata = metadata.as_ref().map(|Located { value, .. }| {
            let HeaderEdits { license, min_version, fixup, keeps_training, training } = value;
            let version = min_version.map(|[major, minor, patch]| format!("{major}.{minor}.{patch}"));
            let license = license.as_ref().map(|text| text.as_ref().map_or(json!(false), |text| json!(text)));
            let mut members = Map::new();
            members.extend(license.map(|license| ("license".to_owned(), license)));
            members.extend(version.map(|version| ("min_version".to_owned(), json!(version))));
            members.insert("fixup".to_owned(), json!(fixup));
            members.insert("training".to_owned(), json!(keeps_training));
            members.extend(training.iter().map(|(name, value)| ((*name).to_owned(), json!(value))));
            Json::Object(members)
        });
        let all = [
            ("blend", blend),
            ("heads", heads),
            ("fold", fold.as_ref().map(|fold| json!(fold.value))),
            ("encoding", encoding.as_ref().map(|encoding| json!(encoding.value))),
            ("view", view.as_ref().map(|view| json!(view.value))),
            ("onnx", onnx.as_ref().map(|onnx| json!(onnx.value))),
            ("into", into.as_ref().map(|into| json!(into.value.typed))),
            ("metadata", metadata),
        ];
        all.into_iter().filter_map(|(key, value)| Some((key, value?)))
    }
}

impl Reader<'_> {
    /// The keys of a net about a network of lc0.
    pub(super) fn edits(&mut self, fields: &Fields<'_>) -> Edits<Located<NetSource>> {
        let fold = fields.get("fold").map(|item| item.span);
        Edits {
            blend: fields.get_unless_off("blend").and_then(|item| self.blend(&fields.path_of("blend"), item)),
            heads: fields.get_unless_off("heads").and_then(|item| self.heads(&fields.path_of("heads"), item)),
            fold: self.boolean(fields, "fold").zip(fold).map(|(value, span)| Located { value, span }),
            encoding: self.word(fields, "encoding"),
            view: self.word(fields, "view"),
            onnx: self.word(fields, "onnx"),
            into: fields.get("into").and_then(|item| self.file(&fields.path_of("into"), item)),
            metadata: fields.get_unless_off("metadata").and_then(|item| self.metadata(&fields.path_of("metadata"), item)),
        }
    }

    fn blend(&mut self, path: &str, item: &Item) -> Option<Located<Blend<Located<NetSource>>>> {
        let fields = self.table(&keys::BLEND, path, item)?;
        let with = match fields.get("with") {
            Some(item) => self.list(&fields.path_of("with"), item, |reader, key, item| reader.named_source(key, item)),
            None => Some(Vec::new()),
        };
        let shares = match fields.get("shares") {
            Some(item) => self.shares(&fields.path_of("shares"), item),
            None => Some(Vec::new()),
        };
        let graft = match fields.get("graft") {
            Some(item) => self.grafts(&fields.path_of("graft"), item),
            None => Some(Vec::new()),
        };
        let span = fields.span;
        let place = fields.place("shares");
        self.finish(fields);
        let (with, shares, graft) = (with?, shares?, graft?);
        let mut problem = |message: String, place: Span, cause: &str, help: &str| {
            self.problems.push(Problem::new(message, place, "here", cause, help));
        };
        let total: f64 = shares.iter().sum();
        if self.in_defaults {
            return None;
        }
        if with.is_empty() && graft.is_empty() {
            problem(format!("`{path}` blends nothing"), span, "it names no other network", "add `with` or `graft`, or remove the table");
        } else if !shares.is_empty() && shares.len() != with.len() + 1 {
            let cause = format!("there are {} shares for {} networks", shares.len(), with.len() + 1);
            problem(
                format!("`{path}.shares` does not fit `with`"),
                place,
                &cause,
                "write a share for the net's own source, then one for each of `with`",
            );
        } else if !shares.is_empty() && total == 0.0 {
            problem(
                format!("`{path}.shares` come to 0"),
                place,
                "the sum of the floats is divided by it",
                "write shares that come to something else",
            );
        } else {
            return Some(Located { value: Blend { with, shares, graft }, span });
        }
        None
    }

    fn shares(&mut self, path: &str, item: &Item) -> Option<Vec<f64>> {
        let Value::List(items) = &item.value else {
            self.wrong_type(path, item, "a list of numbers", "write `[0.5, 0.5]`");
            return None;
        };
        let numbers =
            items.iter().enumerate().map(|(index, item)| self.number_of(&format!("{path}[{index}]"), item, -MAX_SHARE, MAX_SHARE));
        let numbers: Vec<Option<f64>> = numbers.collect();
        numbers.into_iter().collect()
    }

    fn grafts(&mut self, path: &str, item: &Item) -> Option<Vec<(Located<String>, Located<NetSource>)>> {
        let entries = self.entries(path, item, "a table")?;
        let grafts: Vec<_> = entries
            .iter()
            .map(|entry| {
                let source = self.named_source(&format!("{path}.\"{}\"", entry.key.value), &entry.item)?;
                Some((entry.key.clone(), source))
            })
            .collect();
        grafts.into_iter().collect()
    }

    fn heads(&mut self, path: &str, item: &Item) -> Option<Located<Heads>> {
        let fields = self.table(&keys::HEADS, path, item)?;
        let mut names = |key: &str| -> Option<Option<Vec<String>>> {
            let Some(item) = fields.get(key) else { return Some(None) };
            let names = self.list(&fields.path_of(key), item, |reader, key, item| reader.string(key, item))?;
            Some(Some(names.into_iter().map(|name| name.value).collect()))
        };
        let (policy, value) = (names("policy"), names("value"));
        let span = fields.span;
        self.finish(fields);
        Some(Located { value: Heads { policy: policy?, value: value? }, span })
    }

    fn metadata(&mut self, path: &str, item: &Item) -> Option<Located<HeaderEdits>> {
        let fields = self.table(&keys::METADATA, path, item)?;
        let before = self.problems.len();
        let license = fields.get("license").map(|item| match item.value {
            Value::Boolean(false) => None,
            _ => self.string(&fields.path_of("license"), item).map(|text| text.value),
        });
        let min_version = fields.get("min_version").and_then(|item| self.version_of_lc0(&fields.path_of("min_version"), item));
        let fixup = self.boolean(&fields, "fixup").unwrap_or(false);
        let keeps_training = self.boolean(&fields, "training").unwrap_or(true);
        let mut training: Vec<(&'static str, String)> = Vec::new();
        for name in NUMBERS {
            training.extend(self.number(&fields, name).map(|number| (name, (number as f32).to_string())));
        }
        training.extend(self.text(&fields, "lc0_params").map(|text| ("lc0_params", text.value)));
        training.extend(self.integer::<u32>(&fields, "training_steps").map(|steps| ("training_steps", steps.value.to_string())));
        training.sort_unstable();
        let span = fields.span;
        self.finish(fields);
        (self.problems.len() == before)
            .then_some(Located { value: HeaderEdits { license, min_version, fixup, keeps_training, training }, span })
    }

    fn version_of_lc0(&mut self, path: &str, item: &Item) -> Option<[u32; 3]> {
        let text = self.string(path, item)?;
        let parts: Option<Vec<u32>> = text.value.split('.').map(|part| part.parse().ok()).collect();
        let version = parts.and_then(|parts| <[u32; 3]>::try_from(parts).ok());
        if version.is_none() {
            let cause = "a version of lc0 has three numbers with dots";
            self.problems.push(Problem::new(
                format!("`{path}` is not a version: `{}`", text.value),
                text.span,
                "this text",
                cause,
                "write one such as `0.33.0`",
            ));
        }
        version
    }
}
