//! The format of `nnue.toml` as a JSON schema, for editors and other tools.
//!
//! These types mirror what `read` takes; their comments are the descriptions that editors show. They are never filled. A test
//! compares their keys with those that `read` asks for.
#![expect(dead_code, reason = "only the shape of these types is used")]

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings, json_schema, transform::RecursiveTransform};
use serde_json::{Value, json};

use crate::net;
use crate::words::{self, Word};

/// One of the names of `W`.
struct OneOf<W>(PhantomData<W>);

impl<W: Word> JsonSchema for OneOf<W> {
    fn schema_name() -> Cow<'static, str> {
        let path = std::any::type_name::<W>();
        path.rsplit("::").next().unwrap_or(path).into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names = W::all().into_iter().map(|word| json!({"const": word.name(), "description": word.about()}));
        json_schema!({"oneOf": names.collect::<Vec<_>>()})
    }
}

type Algorithm = OneOf<words::Algorithm>;
type Compression = OneOf<words::Compression>;
type Overflow = OneOf<words::Overflow>;
type Publish = OneOf<words::Publish>;
type Quantization = OneOf<&'static net::Quantization>;
type RemoteMode = OneOf<words::RemoteMode>;

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
    /// What every net takes where it does not say otherwise
    #[schemars(default)]
    defaults: DefaultsTable,
    /// Axes by name: a net with `{axis}` in its name is built for each value, with the value filled in wherever `{axis}` stands
    #[schemars(default, extend("propertyNames" = {"pattern": "^[0-9A-Za-z_]+$"}))]
    matrix: BTreeMap<String, Axis>,
    /// Where results are kept besides the local cache
    cache: Option<CacheTable>,
}

/// Values of an axis, each another
#[derive(JsonSchema)]
#[schemars(inline, transparent)]
struct Axis(#[schemars(length(min = 1), extend("uniqueItems" = true))] Vec<AxisValue>);

/// A value of an axis
#[derive(JsonSchema)]
#[schemars(untagged, inline)]
enum AxisValue {
    /// Text, such as the name of a source
    Text(#[schemars(regex(pattern = r"^[^{}]*$"))] String),
    /// Number
    Number(f64),
    /// Truth value
    Truth(bool),
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
    compression: Option<OrAxis<Compression>>,
    /// Where to write: a folder (ends with `/`; gets `nn-<sha256>.nnue`), or a `.nnue`, `.pt`, `.safetensors` or `.npz` file;
    /// required here or in `defaults`
    outputs: Option<OneOrMore>,
    /// A known permutation (`.npy`) to apply; excludes `optimize`; false: not that of `defaults`
    permutation: Option<OrOff<Text>>,
    /// Search for a permutation; excludes `permutation`; false: not as `defaults` say
    optimize: Option<OrOff<OptimizeTable>>,
    /// Whether to write `<output>.provenance.json`, an in-toto statement, beside each output (default: false)
    provenance: Option<OrAxis<bool>>,
    /// Check the `.nnue` outputs as this place does before they get their names
    publish: Option<OrAxis<Publish>>,
    /// Licence of the net as an SPDX expression, such as `CC0-1.0`
    #[schemars(length(min = 1))]
    license: Option<String>,
}

/// What every net takes where it does not say otherwise; tables key by key
#[derive(Default, JsonSchema)]
#[schemars(rename = "defaults", deny_unknown_fields)]
struct DefaultsTable {
    /// Text for the file's header
    description: Option<String>,
    /// Packing of `.nnue` outputs (default: leb128)
    compression: Option<OrAxis<Compression>>,
    /// Where to write: a folder (ends with `/`; gets `nn-<sha256>.nnue`), or for sweeps a file with placeholders
    outputs: Option<OneOrMore>,
    /// A known permutation (`.npy`) to apply, in nets without `optimize`
    permutation: Option<OrOff<Text>>,
    /// Search for a permutation, in nets without `permutation`
    optimize: Option<OrOff<OptimizeTable>>,
    /// Whether to write `<output>.provenance.json`, an in-toto statement, beside each output (default: false)
    provenance: Option<OrAxis<bool>>,
    /// Check the `.nnue` outputs as this place does before they get their names
    publish: Option<OrAxis<Publish>>,
    /// Licence of the net as an SPDX expression, such as `CC0-1.0`
    #[schemars(length(min = 1))]
    license: Option<String>,
}

/// Search for the permutation of neurons that makes the engine fastest
#[derive(JsonSchema)]
#[schemars(rename = "optimize", deny_unknown_fields)]
struct OptimizeTable {
    /// The name of a `data` table; required here or in `defaults.optimize`
    data: Option<String>,
    /// How many positions to use, exactly (default: 10000)
    #[schemars(extend("minimum" = 1, "maximum" = 9_223_372_036_854_775_807_u64))]
    positions: Option<OrAxis<u64>>,
    /// Of the choice of positions, and of annealing (default: 0)
    #[schemars(extend("minimum" = 0))]
    seed: Option<OrAxis<u64>>,
    /// How to search (default: greedy)
    algorithm: Option<OrAxis<Algorithm>>,
    /// How many moves annealing makes; only with `algorithm = "anneal"`
    #[schemars(extend("minimum" = 1, "maximum" = 9_223_372_036_854_775_807_u64))]
    moves: Option<OrAxis<u64>>,
    /// Which positions count (default: all that are not in check)
    filters: Option<FiltersTable>,
}

/// Positions to leave out besides those in check, under the names of the trainer's data loader
#[derive(JsonSchema)]
#[schemars(rename = "filters", deny_unknown_fields)]
struct FiltersTable {
    /// Leave out positions whose move is a capture (default: false)
    filtered: Option<OrAxis<bool>>,
    /// Leave out, at random, positions whose game ended otherwise than their score foretells (default: false)
    wld_filtered: Option<OrAxis<bool>>,
    /// Leave out N of N + 1 positions, at random; 0: none (default: 0)
    #[schemars(extend("minimum" = 0, "maximum" = 4_294_967_295_u32))]
    random_fen_skipping: Option<OrAxis<u32>>,
    /// Leave out positions of ply N and below; -1: none (default: -1)
    #[schemars(extend("minimum" = -1, "maximum" = 65535))]
    early_fen_skipping: Option<OrAxis<i32>>,
    /// Leave out positions whose material differs by less than N (a pawn is 208, a queen 2538); -1: none (default: -1)
    #[schemars(extend("minimum" = -1, "maximum" = 2_147_483_647_i32))]
    simple_eval_skipping: Option<OrAxis<i32>>,
    /// Leave out positions whose score is beyond N for either side (default: no limit)
    #[schemars(extend("minimum" = 0, "maximum" = 65535))]
    max_score: Option<OrAxis<u16>>,
    /// Leave out positions after ply N (default: no limit)
    #[schemars(extend("minimum" = 0, "maximum" = 65535))]
    max_ply: Option<OrAxis<u16>>,
    /// Wanted share of positions with 0 pieces; any of `pc_y1` to `pc_y3` turns weighting by pieces on (default: 1, if on)
    #[schemars(extend("minimum" = -1e6, "maximum" = 1e6))]
    pc_y1: Option<OrAxis<f64>>,
    /// Wanted share of positions with 16 pieces (default: 2, if on)
    #[schemars(extend("minimum" = -1e6, "maximum" = 1e6))]
    pc_y2: Option<OrAxis<f64>>,
    /// Wanted share of positions with 32 pieces (default: 1, if on)
    #[schemars(extend("minimum" = -1e6, "maximum" = 1e6))]
    pc_y3: Option<OrAxis<f64>>,
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
    #[schemars(extend("minimum" = 2, "maximum" = 65536, "multipleOf" = 2))]
    l1: Option<OrAxis<u32>>,
    /// Size of the second layer
    #[schemars(extend("minimum" = 1, "maximum" = 65536))]
    l2: Option<OrAxis<u32>>,
    /// Size of the third layer
    #[schemars(extend("minimum" = 1, "maximum" = 65536))]
    l3: Option<OrAxis<u32>>,
    /// Generation of the networks; only needed where shapes leave it open
    #[schemars(length(min = 1))]
    architecture: Option<String>,
    /// Scales of the integers; only needed where the files leave them open
    quantization: Option<OrAxis<Quantization>>,
    /// What to do with weights that are out of range (default: error)
    overflow: Option<OrAxis<Overflow>>,
}

/// A value, or false for none
#[derive(JsonSchema)]
#[schemars(untagged, inline)]
enum OrOff<T> {
    /// The value
    On(T),
    /// None, whatever `defaults` say
    Off(#[schemars(extend("const" = false))] bool),
}

/// A value, or an axis of `matrix` that gives it
#[derive(JsonSchema)]
#[schemars(untagged, inline)]
enum OrAxis<T> {
    /// The value
    Value(T),
    /// An axis in braces, of a net with it in its name
    Axis(#[schemars(regex(pattern = r"^\{[0-9A-Za-z_]+\}$"))] String),
}

/// A text that is not empty
#[derive(JsonSchema)]
#[schemars(inline, transparent)]
struct Text(#[schemars(length(min = 1))] String);

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
