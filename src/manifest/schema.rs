//! The format of `nnue.toml` as a JSON schema, for editors and other tools.
//!
//! These types mirror what `read` takes; their comments are the descriptions that editors show. They are never filled. A test
//! compares their keys with those that `read` asks for.
#![expect(dead_code, reason = "only the shape of these types is used")]

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, generate::SchemaSettings, transform::RecursiveTransform};
use serde_json::Value;

use super::{Algorithm, Compression, Overflow, Quantization, RemoteMode};

/// The JSON schema (draft 7, which editors for TOML understand) of `nnue.toml`.
///
/// Names of architectures and feature blocks are plain strings in it: they grow without a new version of the format.
pub fn schema() -> Value {
    let settings = SchemaSettings::draft07().with_transform(RecursiveTransform(without_null));
    settings.into_generator().into_root_schema_for::<NnueToml>().to_value()
}

/// TOML has no null: a key that may be left out has the type of its value.
fn without_null(schema: &mut Schema) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = &types[..] {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
        choices.retain(|choice| choice.get("type").is_none_or(|name| name != "null"));
        if choices.len() == 1
            && let Some(only) = schema.remove("anyOf")
        {
            // In draft 7 a bare `$ref` would hide the description beside it.
            schema.insert("allOf".to_owned(), only);
        }
    }
}

/// Manifest of `nnue`: which networks to build, from what, to where
#[derive(JsonSchema)]
#[schemars(title = "nnue.toml", deny_unknown_fields)]
struct NnueToml {
    /// Version of this format; it is 1
    #[schemars(range(min = 1, max = 1))]
    version: u64,
    /// Networks to start from, by name
    #[schemars(default)]
    source: BTreeMap<String, SourceTable>,
    /// Training positions, by name
    #[schemars(default)]
    data: BTreeMap<String, DataTable>,
    /// Networks to build, by name; a name with `{stem}` or `{parent}` is a sweep over files
    #[schemars(default)]
    net: BTreeMap<String, NetTable>,
    /// Where results are kept besides the local cache
    cache: Option<CacheTable>,
}

/// Where results are kept besides the local cache; changes no result
#[derive(JsonSchema)]
#[schemars(rename = "cache", deny_unknown_fields)]
struct CacheTable {
    /// A cache that machines share
    remote: Option<RemoteTable>,
}

/// A cache that machines share. Credentials come from the environment only
#[derive(JsonSchema)]
#[schemars(rename = "remote", deny_unknown_fields)]
struct RemoteTable {
    /// An HTTP cache (`http://`, `https://`) or a bucket (`s3://`, `gs://`, `az://`), with a folder
    #[schemars(regex(pattern = r"^(https?|s3|gs|az)://[^/@?#]+(/[^?#]*)?$"))]
    url: String,
    /// What is done with it (default: read)
    mode: Option<RemoteMode>,
}

/// A network to start from. What the file tells is inferred; what stands here is an assertion
#[derive(JsonSchema)]
#[schemars(rename = "source", deny_unknown_fields)]
struct SourceTable {
    /// A `.ckpt`, `.pt`, `.safetensors` or `.nnue` file or an engine, relative to the manifest
    #[schemars(length(min = 1))]
    path: String,
    /// Feature blocks joined by `+`, such as `Full_Threats+HalfKAv2_hm^`
    #[schemars(length(min = 1))]
    features: Option<String>,
    /// Outputs of the feature transformer per perspective, even
    #[schemars(range(min = 2, max = 65536), extend("multipleOf" = 2))]
    l1: Option<u32>,
    /// Size of the second layer
    #[schemars(range(min = 1, max = 65536))]
    l2: Option<u32>,
    /// Size of the third layer
    #[schemars(range(min = 1, max = 65536))]
    l3: Option<u32>,
    /// Generation of the network, such as `SFNNv14`; only needed where shapes leave it open
    #[schemars(length(min = 1))]
    architecture: Option<String>,
    /// Scales of the integers; only needed where the source leaves them open
    quantization: Option<Quantization>,
    /// What to do with weights that are out of range (default: error)
    overflow: Option<Overflow>,
    /// Pin: the file must have this SHA-256
    #[schemars(regex(pattern = r"^[0-9a-fA-F]{64}$"))]
    sha256: Option<String>,
}

/// Training positions
#[derive(JsonSchema)]
#[schemars(rename = "data", deny_unknown_fields)]
struct DataTable {
    /// A file or several, relative to the manifest; several are one stream in this order
    path: OneOrMore,
    /// Pins: one SHA-256 per file
    sha256: Option<OneOrMoreSums>,
}

/// A network to build
#[derive(JsonSchema)]
#[schemars(rename = "net", deny_unknown_fields)]
struct NetTable {
    /// The name of a `source` table, the path of a file, or a glob
    source: SourceReference,
    /// Text for the file's header
    description: Option<String>,
    /// Packing of `.nnue` outputs (default: leb128)
    compression: Option<Compression>,
    /// Where to write: a folder (ends with `/`; gets `nn-<sha256>.nnue`), or a `.nnue`, `.pt`, `.safetensors` or `.npz` file
    outputs: OneOrMore,
    /// A known permutation (`.npy`) to apply; excludes `optimize`
    #[schemars(length(min = 1))]
    permutation: Option<String>,
    /// Search for a permutation; excludes `permutation`
    optimize: Option<OptimizeTable>,
}

/// Search for the permutation of neurons that makes the engine fastest
#[derive(JsonSchema)]
#[schemars(rename = "optimize", deny_unknown_fields)]
struct OptimizeTable {
    /// The name of a `data` table
    data: String,
    /// How many positions to use, exactly (default: 10000)
    #[schemars(range(min = 1, max = 9_223_372_036_854_775_807_u64))]
    positions: Option<u64>,
    /// Of the choice of positions, and of annealing (default: 0)
    #[schemars(range(min = 0))]
    seed: Option<u64>,
    /// How to search (default: greedy)
    algorithm: Option<Algorithm>,
    /// How many moves annealing makes; only with `algorithm = "anneal"`
    #[schemars(range(min = 1, max = 9_223_372_036_854_775_807_u64))]
    moves: Option<u64>,
    /// Which positions count (default: all that are not in check)
    filters: Option<FiltersTable>,
}

/// Positions to leave out besides those in check, under the names of the trainer's data loader
#[derive(JsonSchema)]
#[schemars(rename = "filters", deny_unknown_fields)]
struct FiltersTable {
    /// Leave out positions whose move is a capture (default: false)
    filtered: Option<bool>,
    /// Leave out, at random, positions whose game ended otherwise than their score foretells (default: false)
    wld_filtered: Option<bool>,
    /// Leave out N of N + 1 positions, at random; 0: none (default: 0)
    #[schemars(range(min = 0, max = 4_294_967_295_u32))]
    random_fen_skipping: Option<u32>,
    /// Leave out positions of ply N and below; -1: none (default: -1)
    #[schemars(range(min = -1, max = 65535))]
    early_fen_skipping: Option<i32>,
    /// Leave out positions whose material differs by less than N (a pawn is 208, a queen 2538); -1: none (default: -1)
    #[schemars(range(min = -1, max = 2_147_483_647_i32))]
    simple_eval_skipping: Option<i32>,
    /// Leave out positions whose score is beyond N for either side (default: no limit)
    #[schemars(range(min = 0, max = 65535))]
    max_score: Option<u16>,
    /// Leave out positions after ply N (default: no limit)
    #[schemars(range(min = 0, max = 65535))]
    max_ply: Option<u16>,
    /// Wanted share of positions with 0 pieces; any of `pc_y1` to `pc_y3` turns weighting by pieces on (default: 1, if on)
    #[schemars(range(min = -1e6, max = 1e6))]
    pc_y1: Option<f64>,
    /// Wanted share of positions with 16 pieces (default: 2, if on)
    #[schemars(range(min = -1e6, max = 1e6))]
    pc_y2: Option<f64>,
    /// Wanted share of positions with 32 pieces (default: 1, if on)
    #[schemars(range(min = -1e6, max = 1e6))]
    pc_y3: Option<f64>,
}

/// A `source` by name or path, or many by a glob
#[derive(JsonSchema)]
#[schemars(untagged)]
enum SourceReference {
    /// The name of a `source` table, or the path of a file
    One(#[schemars(length(min = 1))] String),
    /// Files by a pattern
    Glob(GlobTable),
}

/// One net per file that matches
#[derive(JsonSchema)]
#[schemars(rename = "glob", deny_unknown_fields)]
struct GlobTable {
    /// Pattern with `*`, `?`, `**`, `[ab]`, `{ab,cd}`, relative to the manifest
    #[schemars(length(min = 1))]
    glob: String,
    /// Feature blocks of every file, joined by `+`
    #[schemars(length(min = 1))]
    features: Option<String>,
    /// Outputs of the feature transformer per perspective, even
    #[schemars(range(min = 2, max = 65536), extend("multipleOf" = 2))]
    l1: Option<u32>,
    /// Size of the second layer
    #[schemars(range(min = 1, max = 65536))]
    l2: Option<u32>,
    /// Size of the third layer
    #[schemars(range(min = 1, max = 65536))]
    l3: Option<u32>,
    /// Generation of the networks; only needed where shapes leave it open
    #[schemars(length(min = 1))]
    architecture: Option<String>,
    /// Scales of the integers; only needed where the files leave them open
    quantization: Option<Quantization>,
    /// What to do with weights that are out of range (default: error)
    overflow: Option<Overflow>,
}

/// A text or a list of them
#[derive(JsonSchema)]
#[schemars(untagged)]
enum OneOrMore {
    /// One
    One(#[schemars(length(min = 1))] String),
    /// One or more
    More(#[schemars(length(min = 1), inner(length(min = 1)))] Vec<String>),
}

/// A SHA-256 or a list of them
#[derive(JsonSchema)]
#[schemars(untagged)]
enum OneOrMoreSums {
    /// One
    One(#[schemars(regex(pattern = r"^[0-9a-fA-F]{64}$"))] String),
    /// One or more
    More(#[schemars(length(min = 1), inner(regex(pattern = r"^[0-9a-fA-F]{64}$")))] Vec<String>),
}
