//! Manifests of any content: what is written is what is read, in every spelling of the same TOML.

use std::collections::BTreeMap;
use std::path::Path;

use nnue::internals::manifest::{self, Manifest, Override};
use proptest::prelude::*;
use toml::{Table, Value};

/// A net as a test wants it to be read.
#[derive(Debug, Clone, PartialEq)]
struct Net {
    source: String,
    description: Option<String>,
    compression: &'static str,
    outputs: Vec<String>,
    provenance: bool,
    /// Positions, seed, and the filters that have a value.
    optimize: Option<(u64, u64, BTreeMap<&'static str, i64>)>,
}

type Nets = BTreeMap<String, Net>;

fn filters() -> impl Strategy<Value = BTreeMap<&'static str, i64>> {
    let each = |name: &'static str, least: i64, most: i64| prop::option::of((least..=most).prop_map(move |value| (name, value)));
    let all = (
        each("random_fen_skipping", 0, 1000),
        each("early_fen_skipping", -1, 65_535),
        each("simple_eval_skipping", -1, 30_000),
        each("max_score", 0, 65_535),
        each("max_ply", 0, 65_535),
    );
    all.prop_map(|(a, b, c, d, e)| [a, b, c, d, e].into_iter().flatten().collect())
}

fn net() -> impl Strategy<Value = Net> {
    (
        "[a-zA-Zä-ü0-9 #'_-]{1,12}",
        prop::option::of("\\PC{0,24}"),
        prop::sample::select(vec!["leb128", "none"]),
        1..4usize,
        any::<bool>(),
        prop::option::of((1..=1_000_000u64, 0..=i64::MAX as u64, filters())),
    )
        .prop_map(|(source, description, compression, outputs, provenance, optimize)| Net {
            source: format!("in/{source}.nnue"),
            description,
            compression,
            // Places are told apart by the net's name, which is added below.
            outputs: (0..outputs).map(|number| format!("{number}.nnue")).collect(),
            provenance,
            optimize,
        })
}

/// Up to four nets with outputs of their own.
fn nets() -> impl Strategy<Value = Nets> {
    prop::collection::btree_map("[a-zß-ü][a-z0-9ß-ü_. -]{0,8}[a-z]", net(), 1..5).prop_map(|nets| {
        let name_outputs = |(index, (name, mut net)): (usize, (String, Net))| {
            net.outputs.iter_mut().for_each(|output| *output = format!("out/{index}/{output}"));
            (name, net)
        };
        nets.into_iter().enumerate().map(name_outputs).collect()
    })
}

fn table(net: &Net) -> Table {
    let mut table = Table::new();
    table.insert("source".into(), net.source.clone().into());
    if let Some(description) = &net.description {
        table.insert("description".into(), description.clone().into());
    }
    table.insert("compression".into(), net.compression.into());
    // One output may stand alone.
    let outputs: Vec<Value> = net.outputs.iter().cloned().map(Value::from).collect();
    table.insert("outputs".into(), if let [one] = &outputs[..] { one.clone() } else { outputs.into() });
    table.insert("provenance".into(), net.provenance.into());
    if let Some((positions, seed, filters)) = &net.optimize {
        let filters: Table = filters.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
        let mut optimize = Table::new();
        optimize.insert("data".into(), "fens".into());
        optimize.insert("positions".into(), (*positions as i64).into());
        optimize.insert("seed".into(), (*seed as i64).into());
        optimize.insert("filters".into(), filters.into());
        table.insert("optimize".into(), optimize.into());
    }
    table
}

/// The same manifest with a table for each net, in one inline table, and with all keys dotted.
fn spellings(nets: &Nets) -> [String; 3] {
    let head = "version = 1\ndata = { fens = { path = \"p.fen\" } }\n";
    let tables: Table = nets.iter().map(|(name, net)| (name.clone(), table(net).into())).collect();
    let document = Table::from_iter([("net".to_owned(), Value::from(tables.clone()))]);
    let quoted = |name: &str| Value::from(name).to_string();
    let lines = nets.iter().flat_map(|(name, net)| {
        let key = format!("net.{}", quoted(name));
        table(net).into_iter().map(move |(name, value)| format!("{key}.{name} = {value}\n"))
    });
    [
        format!("{head}{}", toml::to_string(&document).unwrap()),
        format!("{head}net = {}\n", Value::from(tables)),
        format!("{head}{}", lines.collect::<String>()),
    ]
}

fn parse(text: &str, overrides: &[String]) -> Manifest {
    let overrides: Vec<Override> = overrides.iter().map(|text| Override::parse(text).unwrap()).collect();
    manifest::parse(text, Path::new("nowhere/nnue.toml"), &overrides).unwrap_or_else(|error| panic!("{error:?}\n{text}"))
}

/// What was read, as the model has it.
fn read(manifest: &Manifest) -> Nets {
    let filters = |filters: &nnue::internals::positions::Filters| {
        let json = serde_json::to_value(filters).unwrap();
        let names = ["random_fen_skipping", "early_fen_skipping", "simple_eval_skipping", "max_score", "max_ply"];
        names.into_iter().filter_map(|name| Some((name, json[name].as_i64()?))).collect()
    };
    let read = |net: &manifest::ResolvedNet| Net {
        source: net.source.path.value.typed.clone(),
        description: net.description.as_ref().map(|description| description.value.clone()),
        compression: net.compression.value.name(),
        outputs: net.outputs.iter().map(|output| output.path.value.typed.clone()).collect(),
        provenance: net.release.provenance.value,
        optimize: net.optimize.as_ref().map(|optimize| (optimize.positions.value, optimize.seed.value, filters(&optimize.filters.value))),
    };
    manifest.nets.iter().map(|net| (net.name.clone(), read(net))).collect()
}

/// The model with the filters that are off by default, as they are read.
fn expected(nets: &Nets) -> Nets {
    let mut nets = nets.clone();
    for (_, _, filters) in nets.values_mut().filter_map(|net| net.optimize.as_mut()) {
        for (name, default) in [("random_fen_skipping", 0), ("early_fen_skipping", -1), ("simple_eval_skipping", -1)] {
            filters.entry(name).or_insert(default);
        }
    }
    nets
}

proptest! {
    #[test]
    fn what_is_written_is_read_in_every_spelling(nets in nets()) {
        for text in spellings(&nets) {
            let manifest = parse(&text, &[]);
            prop_assert_eq!(read(&manifest), expected(&nets), "{}", text);
            prop_assert_eq!(manifest.text(), text, "the text is kept");
        }
    }

    /// `--set` says what the file could have said.
    #[test]
    fn an_override_is_as_good_as_the_file(nets in nets(), positions in 1..1000u64, compression in prop::sample::select(vec!["leb128", "none"])) {
        let name = nets.keys().next().unwrap().clone();
        let mut changed = nets.clone();
        let net = changed.get_mut(&name).unwrap();
        net.compression = compression;
        let mut overrides = vec![format!("net.{}.compression={compression}", Value::from(name.as_str()))];
        if let Some(optimize) = &mut net.optimize {
            optimize.0 = positions;
            overrides.push(format!("net.{}.optimize.positions={positions}", Value::from(name.as_str())));
        }
        let [text, ..] = spellings(&nets);
        prop_assert_eq!(read(&parse(&text, &overrides)), expected(&changed));
    }
}
