//! The table of keys as a JSON schema, for editors and other tools.
//!
//! Accepts what `read` accepts of each value by itself, and refuses what it refuses of keys that exclude or need each other. What needs
//! the values of other tables, such as a name that must be defined, is not in it.

use serde_json::{Map, Value, json};

use super::keys::{Choices, DEFAULTS, Key, Kind, NET, Need, OPTIMIZE, ROOT, Table};
use super::publish::FISHTEST_LICENSE;
use crate::net::{Block, FeatureSet, GENERATION_ALIASES, GENERATIONS, shipped};
use crate::words::{Algorithm, Publish};

/// A value that is an axis of `[matrix]` alone.
const AXIS: &str = r"^\{[0-9A-Za-z_]+\}$";
/// A text with an axis in it.
const WITH_AXIS: &str = r"\{[0-9A-Za-z_]+\}";
/// A version, or an axis of `[matrix]` in its place.
const VERSION: &str = r"^([0-9]+\.[0-9]+\.[0-9]+|\{[0-9A-Za-z_]+\})$";
/// A path, which is not a shell's.
const PATH: &str = r"^([^~$]|~[^/]|~$)";
const SHA256: &str = "^[0-9a-fA-F]{64}$";
const URL: &str = r"^(https?|s3|gs|az|grpcs?)://[^/@?#]+(/[^?#]*)?$";
const CLUSTER: &str = r"^grpcs?://[^/@?#:]+(:[^/@?#]*)?(/[^?#]*)?$";
const DURATION: &str = r"^([0-9]+(ms|s|m|h|d))+$";

/// What the schema is called by others that refer to it.
const ID: &str = "urn:nnue:manifest:1";

/// The JSON schema (draft 7, which editors for TOML understand) of `nnue.toml`.
pub fn schema() -> Value {
    let mut definitions = Map::new();
    let mut root = table(&ROOT, &mut definitions);
    root.insert("title".to_owned(), json!("nnue.toml"));
    root.insert("$id".to_owned(), json!(ID));
    let mut rules = license_somewhere();
    rules.extend(here_or_in_defaults());
    rules.push(known_architectures());
    rules.push(sweeps_have_placeholders());
    root.insert("allOf".to_owned(), json!(rules));
    root.insert("$schema".to_owned(), json!("http://json-schema.org/draft-07/schema#"));
    root.insert("definitions".to_owned(), Value::Object(definitions));
    Value::Object(root)
}

type Definitions = Map<String, Value>;

fn table(table: &'static Table, definitions: &mut Definitions) -> Map<String, Value> {
    let properties: Map<String, Value> = table.keys().map(|key| (key.name.to_owned(), property(key, table, definitions))).collect();
    let required: Vec<&str> = table.keys().filter(|key| matches!(key.need, Need::Required(_))).map(|key| key.name).collect();
    let mut schema = object(json!({
        "type": "object",
        "description": table.about,
        "additionalProperties": false,
        "properties": properties,
    }));
    if !required.is_empty() {
        schema.insert("required".to_owned(), json!(required));
    }
    if [NET.name, DEFAULTS.name].contains(&table.name) {
        schema.extend(of_one_net());
    }
    if table.name == OPTIMIZE.name {
        schema.insert("allOf".to_owned(), budgets());
    }
    for (key, other) in table.keys().filter_map(|key| match key.need {
        Need::RequiredUnless(other, _) => Some((key.name, other)),
        Need::Optional | Need::Required(_) | Need::HereOrInDefaults(_) => None,
    }) {
        schema.insert("oneOf".to_owned(), json!([{"required": [key]}, {"required": [other]}]));
    }
    schema
}

/// What each search has of its own says nothing to another one.
fn budgets() -> Value {
    let named = Algorithm::ALL.iter().filter_map(|algorithm| Some((algorithm.name(), algorithm.budget()?)));
    let rules = named.map(|(name, key)| {
        let fits = json!({"anyOf": [{"const": name}, {"type": "string", "pattern": AXIS}]});
        json!({"if": {"required": [key, "algorithm"]}, "then": {"properties": {"algorithm": fits}}})
    });
    json!(rules.collect::<Vec<_>>())
}

/// What every net has, itself or from the defaults.
fn here_or_in_defaults() -> Vec<Value> {
    let needed = |table: &'static Table| table.keys().filter(|key| matches!(key.need, Need::HereOrInDefaults(_))).map(|key| key.name);
    let each_net = |schema: Value| json!({"properties": {"net": {"additionalProperties": schema}}});
    let unless = |default: Value, schema: Value| {
        let default = json!({"required": ["defaults"], "properties": {"defaults": default}});
        json!({"if": {"not": default}, "then": each_net(schema)})
    };
    let of_nets = needed(&NET).map(|key| unless(json!({"required": [key]}), json!({"required": [key]})));
    let of_searches = needed(&OPTIMIZE).map(|key| {
        let search = |schema: Value| json!({"properties": {"optimize": schema}});
        let mut default = search(json!({"required": [key]}));
        default["required"] = json!(["optimize"]);
        unless(default, search(json!({"required": [key]})))
    });
    of_nets.chain(of_searches).collect()
}

/// Where no architecture is described in the manifest, a name is one of those that are known, or a file.
fn known_architectures() -> Value {
    let names: Vec<String> =
        architecture_names().map(any_case).chain(shipped::ALL.iter().map(|shipped| regex_text(shipped.name))).collect();
    let known = json!({"type": "string", "pattern": format!(r"^({})$|[/\\]|\.toml$|{WITH_AXIS}", names.join("|"))});
    let claims = json!({"properties": {"architecture": known}});
    json!({
        "if": {"not": {"required": ["architecture"]}},
        "then": {"properties": {
            "source": {"additionalProperties": claims},
            "net": {"additionalProperties": {"properties": {"source": claims}}},
        }},
    })
}

/// A sweep makes several nets, which have several names.
fn sweeps_have_placeholders() -> Value {
    let sweep = json!({"type": "object", "required": ["glob"]});
    json!({"properties": {"net": {"patternProperties": {"^[^{]*$": {"properties": {"source": {"not": sweep}}}}}}})
}

/// What keys of one net say of each other.
fn of_one_net() -> Definitions {
    let both = ["permutation", "optimize"];
    object(json!({
        // `false` turns off what `defaults` has, and excludes nothing.
        "not": {"required": both, "properties": {"permutation": {"type": "string"}, "optimize": {"type": "object"}}},
        "if": {"required": ["publish"], "properties": {"publish": {"const": Publish::Fishtest.name()}}},
        "then": {"properties": {"license": {"anyOf": [{"const": FISHTEST_LICENSE}, {"type": "string", "pattern": WITH_AXIS}]}}},
    }))
}

/// A net that is published has a licence, its own or that of the defaults.
fn license_somewhere() -> Vec<Value> {
    let defaults = |schema: Value| json!({"required": ["defaults"], "properties": {"defaults": schema}});
    let each_net = |schema: Value| json!({"properties": {"net": {"additionalProperties": schema}}});
    vec![
        json!({
            "if": {"not": defaults(json!({"required": ["license"]}))},
            "then": each_net(json!({"dependencies": {"publish": ["license"]}})),
        }),
        json!({
            "if": defaults(json!({"required": ["publish"], "not": {"required": ["license"]}})),
            "then": each_net(json!({"required": ["license"]})),
        }),
    ]
}

/// A key with its description, which editors show.
fn property(key: &Key, table: &Table, definitions: &mut Definitions) -> Value {
    let mut choices = vec![value(key, table, definitions)];
    if table.takes_axis(key) {
        choices
            .push(json!({"type": "string", "pattern": AXIS, "description": "An axis of `matrix` in braces, of a net with it in its name"}));
    }
    if key.can_be_off {
        choices.push(json!({"const": false, "description": "None, even if `defaults` has one"}));
    }
    let mut schema = match choices.len() {
        1 => choices.remove(0),
        _ => json!({"anyOf": choices}),
    };
    // In draft 7 a bare `$ref` would hide the description beside it.
    if schema.get("$ref").is_some() {
        schema = json!({"allOf": [schema]});
    }
    let mut about = key.about.to_owned();
    if !key.default.is_empty() {
        about.push_str(&format!(" (default: {})", key.default));
    }
    if matches!(key.need, Need::HereOrInDefaults(_)) && table.name != DEFAULTS.name {
        about.push_str("; required here or in `defaults`");
    }
    schema["description"] = json!(about);
    schema
}

fn value(key: &Key, table: &Table, definitions: &mut Definitions) -> Value {
    let pattern = |pattern: &str| json!({"type": "string", "pattern": pattern});
    match key.kind {
        Kind::Text => json!({"type": "string"}),
        Kind::Words => filled(),
        Kind::Path => pattern(PATH),
        Kind::Paths => define("OneOrMorePaths", definitions, |_| one_or_more(&pattern(PATH))),
        Kind::Names => define("OneOrMore", definitions, |_| one_or_more(&filled())),
        Kind::TextOrNone => json!({"anyOf": [{"type": "string"}, {"const": false}]}),
        Kind::Version => pattern(VERSION),
        Kind::Numbers(max) => json!({"type": "array", "items": {"type": "number", "minimum": -max, "maximum": max}, "minItems": 1}),
        Kind::Sources => json!({"type": "object", "additionalProperties": filled()}),
        Kind::Sha256 => pattern(SHA256),
        Kind::Sha256s => define("OneOrMoreSums", definitions, |_| one_or_more(&pattern(SHA256))),
        Kind::Boolean => json!({"type": "boolean"}),
        Kind::Integer { min, max, even } => integer(min, max, even.is_some()),
        Kind::Limit(max) => json!({"type": "number", "minimum": 0, "maximum": max}),
        Kind::Number(max) => json!({"type": "number", "minimum": -max, "maximum": max}),
        Kind::Choice(choices) => choice(choices(), definitions),
        Kind::Architecture(choices) => architecture(choices(), table, definitions),
        Kind::Features => features(table),
        Kind::Url => pattern(URL),
        Kind::Cluster => pattern(CLUSTER),
        Kind::Duration => pattern(DURATION),
        Kind::Texts => json!({"type": "object", "additionalProperties": {"type": "string"}}),
        Kind::Choices(choices) => one_or_more(&choice(choices(), definitions)),
        Kind::Source(glob) => {
            json!({"anyOf": [filled(), define_table(glob, definitions)]})
        }
        Kind::Table(inner) => define_table(inner, definitions),
        Kind::NamedTable(inner, choices) => {
            json!({"anyOf": [choice(choices(), definitions), define_table(inner, definitions), pattern(WITH_AXIS)]})
        }
        Kind::Named(inner) => json!({"type": "object", "additionalProperties": define_table(inner, definitions)}),
        Kind::Axes => axes(),
        Kind::Architectures => json!({"type": "object", "additionalProperties": {"type": "object"}}),
        Kind::Outputs => {
            let paths = define("OneOrMorePaths", definitions, |_| one_or_more(&pattern(PATH)));
            let layouts = json!({"type": "object", "description": "Files by layout", "minProperties": 1, "additionalProperties": &paths});
            json!({"anyOf": [paths, layouts]})
        }
    }
}

/// A text that is not empty.
fn filled() -> Value {
    json!({"type": "string", "minLength": 1})
}

fn one_or_more(one: &Value) -> Value {
    json!({"description": "One, or a list of them", "anyOf": [one, {"type": "array", "items": one, "minItems": 1}]})
}

fn integer(min: i128, max: i128, even: bool) -> Value {
    let mut schema = json!({"type": "integer"});
    // What no JSON number of 64 bits shows is left to the parser.
    for (name, limit) in [("minimum", min), ("maximum", max)] {
        if let Ok(limit) = i64::try_from(limit) {
            schema[name] = json!(limit);
        }
    }
    if even {
        schema["multipleOf"] = json!(2);
    }
    schema
}

fn choice(choices: Choices, definitions: &mut Definitions) -> Value {
    define(choices.name, definitions, |_| {
        let words = choices.words.iter().map(|(name, about)| json!({"const": name, "description": about}));
        json!({"oneOf": words.collect::<Vec<_>>()})
    })
}

/// The names for completion, and all other ways to write them.
fn architecture(choices: Choices, table: &Table, definitions: &mut Definitions) -> Value {
    let any_case: Vec<String> = architecture_names().map(any_case).collect();
    let mut ways = vec![choice(choices, definitions), json!({"type": "string", "pattern": format!("^({})$", any_case.join("|"))})];
    ways.push(json!({"enum": shipped::ALL.iter().map(|shipped| shipped.name).collect::<Vec<_>>(), "description": "Another engine's"}));
    // The name of a table, or a file.
    ways.push(filled());
    if table.in_net {
        ways.push(json!({"type": "string", "pattern": WITH_AXIS}));
    }
    json!({"anyOf": ways})
}

/// All names of generations.
fn architecture_names() -> impl Iterator<Item = &'static str> {
    GENERATIONS.iter().map(|generation| generation.name).chain(GENERATION_ALIASES.iter().map(|(alias, _)| *alias))
}

/// A name as a pattern.
fn regex_text(name: &str) -> String {
    name.replace('.', r"\.")
}

/// A pattern of a name in any mixture of cases.
fn any_case(name: &str) -> String {
    let letter = |c: char| match c {
        '.' => r"\.".to_owned(),
        c if c.is_ascii_alphabetic() => format!("[{}{}]", c.to_ascii_uppercase(), c.to_ascii_lowercase()),
        c => c.to_string(),
    };
    name.chars().map(letter).collect()
}

/// The sets that were trained and the blocks for completion, and all ways to join these.
fn features(table: &Table) -> Value {
    let trained = GENERATIONS.iter().filter_map(|generation| FeatureSet::of_blocks(generation.blocks, generation.composed).ok());
    let mut names: Vec<String> = Vec::new();
    for name in trained.map(|set| set.name()).chain(Block::NAMES.map(str::to_owned)) {
        if !names.contains(&name) {
            names.extend([format!("{name}^"), name]);
        }
    }
    let block = format!(r"({})\^?", Block::NAMES.join("|"));
    let mut ways = vec![json!({"enum": names}), json!({"type": "string", "pattern": format!(r"^{block}(\+{block})*$")})];
    if table.in_net {
        ways.push(json!({"type": "string", "pattern": WITH_AXIS}));
    }
    json!({"anyOf": ways})
}

fn axes() -> Value {
    let axis = json!({
        "type": "array",
        "description": "Values of an axis, each another",
        "minItems": 1,
        "uniqueItems": true,
        "items": {
            "description": "A value of an axis",
            "anyOf": [{"type": "string", "pattern": "^[^{}]*$"}, {"type": "number"}, {"type": "boolean"}],
        },
    });
    json!({"type": "object", "propertyNames": {"pattern": "^[0-9A-Za-z_]+$"}, "additionalProperties": axis})
}

fn define_table(inner: &'static Table, definitions: &mut Definitions) -> Value {
    define(inner.name, definitions, |definitions| Value::Object(table(inner, definitions)))
}

/// A reference to a definition, which is made where it is missing.
fn define(name: &str, definitions: &mut Definitions, make: impl FnOnce(&mut Definitions) -> Value) -> Value {
    if !definitions.contains_key(name) {
        // A place in the order of the text, before what it holds.
        definitions.insert(name.to_owned(), Value::Null);
        let definition = make(definitions);
        definitions.insert(name.to_owned(), definition);
    }
    json!({"$ref": format!("#/definitions/{name}")})
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests;
