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
    let text = "version = 1\nzzz = 0\ncache = { zzz = 0, remote = { zzz = 0 } }\nsource.a = { zzz = 0 }\ndata.a = { zzz = 0 }\ndefaults = { zzz = 0 }\nnet.a = { zzz = 0, source = { zzz = 0 }, optimize = { zzz = 0, filters = { zzz = 0 } }, prove = { zzz = 0 } }\n";
    let error = parse(text).unwrap_err();
    let mut of_parser: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for problem in error.report().unwrap().related().unwrap() {
        let message = problem.to_string();
        let Some(place) = message.strip_prefix("unknown key `zzz` ") else { continue };
        let table = match place {
            "at the top level" => "",
            "in `cache`" => "cache",
            "in `cache.remote`" => "remote",
            "in `source.a`" => "source",
            "in `data.a`" => "data",
            "in `defaults`" => "defaults",
            "in `net.a`" => "net",
            "in `net.a.source`" => "glob",
            "in `net.a.optimize`" => "optimize",
            "in `net.a.optimize.filters`" => "filters",
            "in `net.a.prove`" => "prove",
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
    ];
    for (name, key) in keys {
        let text = |word: &str| match name {
            "RemoteMode" => remote(&format!("url = \"https://cache.example.org\"\n{key} = \"{word}\"")),
            "Compression" => head(&format!("{key} = \"{word}\"\n")),
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
