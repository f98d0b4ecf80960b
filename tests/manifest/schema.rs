//! The JSON schema says what the parser does.

use crate::*;

#[test]
fn the_schema_is_current() {
    let committed = fs::read_to_string(Path::new(ROOT).join("schemas/nnue.schema.json")).unwrap();
    assert!(committed == format!("{:#}\n", manifest::schema()), "run `nnue schema > schemas/nnue.schema.json`");
}

/// The parser says of an unknown key which ones it knows: the same as the schema.
#[test]
fn the_schema_has_the_keys_of_the_parser() {
    let text = "version = 1\nzzz = 0\nwatch = { zzz = 0 }\ncache = { zzz = 0, remote = { zzz = 0 } }\nremote = { zzz = 0 }\nsource.a = { zzz = 0 }\ndata.a = { zzz = 0 }\ndefaults = { zzz = 0 }\nnet.a = { zzz = 0, source = { zzz = 0 }, optimize = { zzz = 0, filters = { zzz = 0 } }, blend = { zzz = 0 }, heads = { zzz = 0 }, metadata = { zzz = 0 }, prove = { zzz = 0 }, engine = { zzz = 0 } }\n";
    let error = parse(text).unwrap_err();
    let mut of_parser: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for problem in error.report().unwrap().related().unwrap() {
        let message = problem.to_string();
        let Some(place) = message.strip_prefix("unknown key `zzz` ") else { continue };
        let table = match place {
            "at the top level" => "",
            "in `watch`" => "watch",
            "in `cache`" => "cache",
            "in `cache.remote`" => "remote",
            "in `remote`" => "cluster",
            "in `source.a`" => "source",
            "in `data.a`" => "data",
            "in `defaults`" => "defaults",
            "in `net.a`" => "net",
            "in `net.a.source`" => "glob",
            "in `net.a.optimize`" => "optimize",
            "in `net.a.optimize.filters`" => "filters",
            "in `net.a.blend`" => "blend",
            "in `net.a.heads`" => "heads",
            "in `net.a.metadata`" => "metadata",
            "in `net.a.prove`" => "prove",
            "in `net.a.engine`" => "engine",
            other => panic!("{other}"),
        };
        let help = problem.help().unwrap().to_string();
        let known = help.split_once("known here: ").unwrap().1.replace('`', "");
        of_parser.insert(table.to_owned(), known.split(", ").map(str::to_owned).collect());
    }
    assert_eq!(of_parser, schema_keys());
}

/// Every word that the schema offers is read, and the parser offers no other.
#[test]
fn the_schema_has_the_words_of_the_parser() {
    let schema = manifest::schema();
    let words = |name: &str| -> Vec<String> {
        let definition = &schema["definitions"][name];
        let list = definition["oneOf"].as_array().or(definition["enum"].as_array()).unwrap();
        list.iter().map(|word| word.get("const").unwrap_or(word).as_str().unwrap().to_owned()).collect()
    };
    let keys = [
        ("Quantization", "quantization"),
        ("Overflow", "overflow"),
        ("Compression", "compression"),
        ("Algorithm", "algorithm"),
        ("Publish", "publish"),
        ("RemoteMode", "mode"),
        ("RemoteStage", "stages"),
        ("Decode", "decode"),
        ("LayerEncoding", "encoding"),
        ("View", "view"),
        ("OnnxType", "onnx"),
    ];
    for (name, key) in keys {
        let text = |word: &str| match name {
            "RemoteMode" => remote(&format!("url = \"https://cache.example.org\"\n{key} = \"{word}\"")),
            "RemoteStage" => cluster(&format!("{key} = \"{word}\"")),
            "Compression" | "LayerEncoding" | "View" | "OnnxType" => head(&format!("{key} = \"{word}\"\n")),
            "Publish" => head(&format!("license = \"CC0-1.0\"\n{key} = \"{word}\"\n")),
            "Algorithm" => optimize(&format!("data = \"fishpack\"\n{key} = \"{word}\"")),
            _ => source(&format!("{key} = \"{word}\"")),
        };
        for word in words(name) {
            parse(&text(&word)).unwrap();
        }
        let error = parse(&text("?????????")).unwrap_err();
        let help = error.report().unwrap().help().unwrap().to_string();
        let known: Vec<String> = help.trim_start_matches("known: ").split(", ").map(|word| word.trim_matches('`').to_owned()).collect();
        assert_eq!(known, words(name), "{name}");
    }
}

fn matches(pattern: &str, text: &str) -> bool {
    regex_automata::meta::Regex::new(pattern).unwrap().is_match(text)
}

/// Whether a schema, with the keywords that ours has, accepts a value. Bounds are left to other tests.
fn accepts(root: &serde_json::Value, schema: &serde_json::Value, value: &serde_json::Value) -> bool {
    use serde_json::Value;
    let is = |schema: &Value| accepts(root, schema, value);
    let list = |of: &Value| of.as_array().unwrap().clone();
    let Some(schema) = schema.as_object() else { return schema != &Value::Bool(false) };
    let holds = |(keyword, wanted): (&String, &Value)| match keyword.as_str() {
        "$ref" => is(root.pointer(wanted.as_str().unwrap().strip_prefix('#').unwrap()).unwrap()),
        "type" => match wanted.as_str().unwrap() {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            other => panic!("the type {other}"),
        },
        "const" => value == wanted,
        "enum" => list(wanted).contains(value),
        "allOf" => list(wanted).iter().all(is),
        "anyOf" => list(wanted).iter().any(is),
        "oneOf" => list(wanted).iter().filter(|one| is(one)).count() == 1,
        "not" => !is(wanted),
        "if" => schema.get(if is(wanted) { "then" } else { "else" }).is_none_or(is),
        "then" | "else" => true,
        "required" => value.as_object().is_none_or(|fields| list(wanted).iter().all(|key| fields.contains_key(key.as_str().unwrap()))),
        "dependencies" => value.as_object().is_none_or(|fields| {
            let needs = |key: &Value| fields.contains_key(key.as_str().unwrap());
            wanted.as_object().unwrap().iter().all(|(key, needed)| !fields.contains_key(key) || list(needed).iter().all(needs))
        }),
        "properties" => {
            wanted.as_object().unwrap().iter().all(|(key, schema)| value.get(key).is_none_or(|value| accepts(root, schema, value)))
        }
        "additionalProperties" => value.as_object().is_none_or(|fields| {
            let own = schema.get("properties").and_then(Value::as_object);
            fields.iter().all(|(key, value)| own.is_some_and(|own| own.contains_key(key)) || accepts(root, wanted, value))
        }),
        "items" => value.as_array().is_none_or(|items| items.iter().all(|item| accepts(root, wanted, item))),
        "pattern" => value.as_str().is_none_or(|text| matches(wanted.as_str().unwrap(), text)),
        "patternProperties" => wanted.as_object().unwrap().iter().all(|(pattern, schema)| {
            value.as_object().is_none_or(|fields| fields.iter().all(|(key, value)| !matches(pattern, key) || accepts(root, schema, value)))
        }),
        "$schema" | "$id" | "title" | "description" | "definitions" | "minimum" | "maximum" | "multipleOf" | "minLength" | "minItems"
        | "minProperties" | "uniqueItems" | "propertyNames" => true,
        other => panic!("the keyword `{other}`"),
    };
    schema.iter().all(holds)
}

/// What keys say of each other, the schema and the parser judge alike.
#[test]
fn the_schema_refuses_what_the_parser_refuses() {
    let schema = manifest::schema();
    assert!(schema["$id"].is_string());
    let net = |lines: &str| format!("version = 1\n[net.a]\nsource = \"a.nnue\"\noutputs = \"dist/\"\n{lines}\n");
    let with = |defaults: &str, lines: &str| format!("{}[defaults]\n{defaults}\n", net(lines));
    let data = "\n[data.d]\npath = \"x\"";
    let search = format!("optimize = {{ data = \"d\" }}{data}");
    let of_source = |lines: &str| format!("version = 1\n[source.s]\n{lines}\n[net.a]\nsource = \"s\"\noutputs = \"dist/a.nnue\"\n");
    let sweep = |name: &str, lines: &str| format!("version = 1\n[net.\"{name}\"]\n{lines}\noutputs = \"out/{name}.nnue\"\n");
    for (text, is_good) in [
        (net(""), true),
        (net("permutation = \"p.npy\""), true),
        (net(&search), true),
        (net(&format!("permutation = \"p.npy\"\n{search}")), false),
        (net("publish = \"fishtest\""), false),
        (net("publish = \"fishtest\"\nlicense = \"CC0-1.0\""), true),
        (net("publish = \"fishtest\"\nlicense = \"GPL-3.0-only\""), false),
        (net("license = \"GPL-3.0-only\""), true),
        (with("license = \"CC0-1.0\"", "publish = \"fishtest\""), true),
        (with("publish = \"fishtest\"", ""), false),
        (with("publish = \"fishtest\"", "license = \"CC0-1.0\""), true),
        (with("publish = \"fishtest\"\nlicense = \"CC0-1.0\"", ""), true),
        (net("compression = \"zip\""), false),
        (net("optimize = true"), false),
        (net(&format!("optimize = {{ data = \"d\", filters = \"trainer-2026-05\" }}{data}")), true),
        (net(&format!("optimize = {{ data = \"d\", filters = \"trainer\" }}{data}")), false),
        (net(&format!("optimize = {{ data = \"d\", filters = {{ pc = \"2026-01\" }} }}{data}")), true),
        (net(&format!("optimize = {{ data = \"d\", filters = {{ pc = \"2025\" }} }}{data}")), false),
        // A net has outputs, a search has data: here or in the defaults.
        (format!("{}[net.b]\nsource = \"b.nnue\"\n", net("")), false),
        ("version = 1\n[net.a]\nsource = \"a.nnue\"\n[defaults]\noutputs = \"dist/\"\n".to_owned(), true),
        (net(&format!("optimize = {{ seed = 1 }}{data}")), false),
        (with("optimize = { data = \"d\" }", "optimize = { seed = 1 }") + data, true),
        (with("optimize = { seed = 2 }", "optimize = { seed = 1 }") + data, false),
        (net("optimize = false"), true),
        // What only another search has.
        (net(&format!("optimize = {{ data = \"d\", algorithm = \"greedy\", moves = 5 }}{data}")), false),
        (net(&format!("optimize = {{ data = \"d\", algorithm = \"assign\", moves = 5 }}{data}")), false),
        (net(&format!("optimize = {{ data = \"d\", algorithm = \"anneal\", moves = 5 }}{data}")), true),
        // A network comes from one file.
        (of_source("path = \"a.nnue\"\nembedded = \"lc0\""), false),
        (of_source("l1 = 64"), false),
        (of_source("embedded = \"lc0\""), true),
        // Architectures: known, of the manifest, in a file.
        (of_source("path = \"a.nnue\"\narchitecture = \"sfnnV14.1\""), true),
        (of_source("path = \"a.nnue\"\narchitecture = \"plentychess\"").replace("\"dist/a.nnue\"", "{ published = \"a.bin\" }"), true),
        (of_source("path = \"a.nnue\"\narchitecture = \"SFNNv99\""), false),
        (of_source("path = \"a.nnue\"\narchitecture = \"SFNNv14x1\""), false),
        (
            of_source("path = \"a.nnue\"\narchitecture = \"mine\"").replace("\"dist/a.nnue\"", "{ published = \"a.bin\" }")
                + "[architecture.mine]\nlike = \"plentychess\"\n",
            true,
        ),
        (sweep("{stem}", "source = { glob = \"*.nnue\", architecture = \"SFNNv5\" }"), true),
        (sweep("{stem}", "source = { glob = \"*.nnue\", architecture = \"SFNNv99\" }"), false),
        // One net for each file, each with its name.
        ("version = 1\n[net.a]\nsource = { embedded = \"lc0\" }\noutputs = \"dist/a.pb.gz\"\n".to_owned(), true),
        (sweep("all", "source = { glob = \"*.nnue\" }"), false),
        // Paths are no shell's.
        (net("permutation = \"~/p.npy\""), false),
        (net("permutation = \"~p.npy\""), true),
        ("version = 1\n[net.a]\nsource = \"a.nnue\"\noutputs = [\"dist/\", \"$HOME/x/\"]\n".to_owned(), false),
    ] {
        let value: serde_json::Value = serde_json::to_value(toml::from_str::<toml::Value>(&text).unwrap()).unwrap();
        // Files are not there, and not looked for by a schema.
        let error = parse(&text).err().filter(|error| !error.message().starts_with("no file matches"));
        assert_eq!(error.is_none(), is_good, "the parser: {text}\n{error:?}");
        assert_eq!(accepts(&schema, &schema, &value), is_good, "the schema: {text}");
    }
}
