//! The stages of lc0's networks with their parameters, and how these enter a key.

use serde_json::{Map, Value, json};

use super::members;
use crate::words::{Decode, LayerEncoding, OnnxType, View};

/// Parameters of `load`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadWeights {
    /// The release whose checks it must pass.
    pub decode: Decode,
    /// Whether the network stands at the end of a program, whatever the file begins with.
    pub embedded: bool,
    /// How a file of tensors gets layers stored whose floats are new; `None`: as they were, and for all other files.
    pub changed: Option<LayerEncoding>,
}

/// Parameters of `blend`.
#[derive(Debug, Clone, PartialEq)]
pub struct Blend {
    /// Of the first network and of each further one that is averaged with it, in order; none where nothing is averaged.
    pub shares: Vec<f64>,
    /// Parts that are taken from another network: the part's path, and the number of the network among the further ones, from 1.
    pub grafts: Vec<(String, u32)>,
    /// How changed layers are stored; `None`: as in the first network.
    pub encoding: Option<LayerEncoding>,
    /// How codes become floats.
    pub decode: Decode,
}

/// Parameters of `heads`: names, or `None` for all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Heads {
    /// Policy heads.
    pub policy: Option<Vec<String>>,
    /// Value heads.
    pub value: Option<Vec<String>>,
}

/// Parameters of `fold`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fold {
    /// How folded blocks are stored; `None`: as they were.
    pub encoding: Option<LayerEncoding>,
    /// How codes become floats.
    pub decode: Decode,
}

/// Parameters of `encode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encode {
    /// How all layers are stored then.
    pub encoding: LayerEncoding,
    /// How codes become floats.
    pub decode: Decode,
}

/// Parameters of `write`.
#[derive(Debug, Clone, PartialEq)]
pub struct WriteWeights {
    /// What kind of file.
    pub format: WeightFormat,
    /// Changes of the header; an ONNX model has nothing of it.
    pub metadata: Metadata,
}

/// What kind of file a network of lc0 is written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WeightFormat {
    /// The weight file itself.
    Protobuf,
    /// The same, gzip'd.
    Gzip,
    /// A program with the same at its end.
    Program,
    /// A file of tensors.
    Tensors {
        /// `.npz`, else `.safetensors`.
        npz: bool,
        /// Which tensors.
        view: View,
        /// How codes become floats.
        decode: Decode,
    },
    /// An ONNX model.
    Onnx {
        /// Its policy head.
        policy: String,
        /// Its value head.
        value: String,
        /// The type of its numbers, where it is said.
        numbers: Option<OnnxType>,
        /// How codes become floats.
        decode: Decode,
    },
}

/// Changes of a header.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Metadata {
    /// The text of the license: `Some(None)` removes it, `None` keeps it.
    pub license: Option<Option<String>>,
    /// The least release of lc0.
    pub min_version: Option<[u32; 3]>,
    /// Whether what lc0 changes in older headers is written out.
    pub fixup: bool,
    /// Whether the training parameters go.
    pub strip_training: bool,
    /// Training parameters that are set, by their names in the file, sorted.
    pub training: Vec<(&'static str, String)>,
}

impl ReadWeights {
    pub(super) fn params(self) -> Map<String, Value> {
        let Self { decode, embedded, changed } = self;
        members([
            ("decode", Some(json!(decode))),
            ("embedded", embedded.then(|| json!(true))),
            ("changed", changed.map(|encoding| json!(encoding))),
        ])
    }
}

impl Heads {
    pub(super) fn params(&self) -> Map<String, Value> {
        let Self { policy, value } = self;
        members([("policy", policy.as_ref().map(|names| json!(names))), ("value", value.as_ref().map(|names| json!(names)))])
    }
}

impl Fold {
    pub(super) fn params(self) -> Map<String, Value> {
        let Self { encoding, decode } = self;
        members([("encoding", encoding.map(|encoding| json!(encoding))), ("decode", Some(json!(decode)))])
    }
}

impl Encode {
    pub(super) fn params(self) -> Map<String, Value> {
        members([("encoding", Some(json!(self.encoding))), ("decode", Some(json!(self.decode)))])
    }
}

impl Blend {
    pub(super) fn params(&self) -> Map<String, Value> {
        let Self { shares, grafts, encoding, decode } = self;
        // Keys hold no floats: the shortest text that reads back is one for each.
        let shares: Vec<String> = shares.iter().map(f64::to_string).collect();
        let grafts: Map<String, Value> = grafts.iter().map(|(part, from)| (part.clone(), json!(from))).collect();
        members([
            ("shares", (!shares.is_empty()).then(|| json!(shares))),
            ("grafts", (!grafts.is_empty()).then_some(Value::Object(grafts))),
            ("encoding", encoding.map(|encoding| json!(encoding))),
            ("decode", Some(json!(decode))),
        ])
    }
}

impl WriteWeights {
    pub(super) fn params(&self) -> Map<String, Value> {
        let (mut params, has_header) = match &self.format {
            WeightFormat::Protobuf => (members([("format", Some(json!("pb")))]), true),
            WeightFormat::Gzip => (members([("format", Some(json!("pb.gz")))]), true),
            WeightFormat::Program => (members([("format", Some(json!("program")))]), true),
            WeightFormat::Tensors { npz, view, decode } => {
                let format = if *npz { "npz" } else { "safetensors" };
                (members([("format", Some(json!(format))), ("view", Some(json!(view))), ("decode", Some(json!(decode)))]), true)
            }
            WeightFormat::Onnx { policy, value, numbers, decode } => (
                members([
                    ("format", Some(json!("onnx"))),
                    ("policy", Some(json!(policy))),
                    ("value", Some(json!(value))),
                    ("numbers", numbers.map(|numbers| json!(numbers))),
                    ("decode", Some(json!(decode))),
                ]),
                false,
            ),
        };
        let metadata = self.metadata.params();
        if has_header && !metadata.is_empty() {
            params.insert("metadata".to_owned(), Value::Object(metadata));
        }
        params
    }
}

impl Metadata {
    /// What is changed, by name; nothing for what stays.
    pub fn params(&self) -> Map<String, Value> {
        let Self { license, min_version, fixup, strip_training, training } = self;
        let training: Map<String, Value> = training.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        members([
            ("license", license.as_ref().map(|text| text.as_ref().map_or(json!(false), |text| json!(text)))),
            ("min_version", min_version.map(|[major, minor, patch]| json!(format!("{major}.{minor}.{patch}")))),
            ("fixup", fixup.then(|| json!(true))),
            ("strip_training", strip_training.then(|| json!(true))),
            ("training", (!training.is_empty()).then_some(Value::Object(training))),
        ])
    }
}

#[cfg(test)]
mod tests;
