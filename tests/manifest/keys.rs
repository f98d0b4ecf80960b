//! The table of a manifest's keys: every row is read, the page made of it is current, and what is written is what is read.

use std::{fmt::Write as _, fs, path::Path};

use nnue::internals::{
    manifest::{self, Algorithm, CompressionChoice, Data, Manifest, Overflow, Publish, RemoteMode},
    net::{Block, GENERATIONS, QUANTIZATIONS},
    positions::{FILTERS, FilterKind, Filters, Setting},
    words::{PieceWeights, Word},
};
use proptest::{option, prelude::*, sample::select};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn parse(text: &str) -> Result<Manifest, nnue::internals::error::Error> {
    manifest::parse(text, Path::new("nowhere/nnue.toml"), &[])
}

#[test]
fn the_reference_is_current() {
    let (path, page) = (Path::new(ROOT).join("docs/manifest.md"), manifest::reference());
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
    assert!(found == page, "docs/manifest.md differs from the table of keys (UPDATE=1 rewrites it)");
}

/// The message of every mistake of a manifest.
fn mistakes(text: &str) -> Vec<String> {
    let error = parse(text).unwrap_err();
    match error.report().and_then(|report| report.related()) {
        Some(related) => related.map(ToString::to_string).collect(),
        None => vec![error.message().to_owned()],
    }
}

/// A row that nothing reads would let a value of the wrong type pass.
#[test]
fn every_key_is_read() {
    let schema = manifest::schema();
    let places = [
        ("source", "source.a"),
        ("data", "data.a"),
        ("net", "net.a"),
        ("defaults", "defaults"),
        ("glob", "net.a.source"),
        ("optimize", "net.a.optimize"),
        ("filters", "net.a.optimize.filters"),
        ("blend", "net.a.blend"),
        ("heads", "net.a.heads"),
        ("metadata", "net.a.metadata"),
        ("cache", "cache"),
        ("remote", "cache.remote"),
        ("", ""),
    ];
    let mut count = 0;
    for (table, place) in places {
        let keys = if table.is_empty() { &schema["properties"] } else { &schema["definitions"][table]["properties"] };
        for key in keys.as_object().unwrap().keys() {
            let path = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
            let version = if path == "version" { "" } else { "version = 1\n" };
            let found = mistakes(&format!("{version}{path} = 1979-05-27\n"));
            assert!(found.iter().any(|message| message.starts_with(&format!("`{path}` must be "))), "{path}: {found:?}");
            count += 1;
        }
    }
    assert!(count > 50, "{count}");
}

#[test]
fn generations_are_named_in_any_case() {
    let read = |name: &str| {
        let text = format!("version = 1\n[source.a]\npath = \"a\"\narchitecture = \"{name}\"\n");
        parse(&text).map(|manifest| manifest.sources["a"].claims.architecture.as_ref().unwrap().value.name)
    };
    assert_eq!((read("sfnnv5").unwrap(), read("SFNNV14.1").unwrap()), ("SFNNv5", "SFNNv14.1"));
    assert_eq!(read("v13 new hash").unwrap(), "SFNNv13-newhash");
    for generation in &GENERATIONS {
        assert_eq!(read(generation.name).unwrap(), generation.name);
    }
    let error = read("SFNNv10").unwrap_err();
    let help = error.report().unwrap().help().unwrap().to_string();
    assert!(help.starts_with("did you mean `SFNNv10a` or `SFNNv10b`? "), "{help}");
}

// ── What is written is what is read ──────────────────────────────────────────────────────────────────────────────────

/// Everything that a source can say, as plain values.
#[derive(Debug, Clone, PartialEq)]
struct Claimed {
    features: Option<String>,
    sizes: [Option<u32>; 3],
    architecture: Option<&'static str>,
    quantization: Option<&'static str>,
    overflow: Option<Overflow>,
}

/// Everything that a net and what belongs to it can say.
#[derive(Debug, Clone)]
struct Written {
    name: String,
    path: String,
    claims: Claimed,
    pin: Option<String>,
    description: Option<String>,
    compression: Option<CompressionChoice>,
    outputs: Vec<String>,
    provenance: Option<bool>,
    license: Option<String>,
    order: Order,
    cache: Option<Option<RemoteMode>>,
}

#[derive(Debug, Clone)]
enum Order {
    Own,
    Known(String),
    Searched(Box<Search>),
}

#[derive(Debug, Clone)]
struct Search {
    data: Vec<String>,
    positions: Option<u64>,
    seed: Option<u64>,
    algorithm: Option<Algorithm>,
    moves: Option<u64>,
    settings: Vec<Option<Setting>>,
}

fn word<W: Word + std::fmt::Debug>() -> impl Strategy<Value = Option<W>> {
    option::of(select(W::all()))
}

fn text() -> impl Strategy<Value = String> {
    // Braces are placeholders; the rest may be anything that TOML can hold.
    "[^{}\\p{Cc}]{0,12}"
}

fn file() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9äß _'\"-]{1,8}".prop_map(|name| format!("in/{name}.x"))
}

fn claims() -> impl Strategy<Value = Claimed> {
    let block = (select(Block::NAMES.to_vec()), any::<bool>())
        .prop_map(|(name, factorized)| format!("{name}{}", if factorized { "^" } else { "" }));
    let features = option::of(prop::collection::vec(block, 1..4).prop_map(|blocks| blocks.join("+")));
    let sizes = (option::of((1..=32768u32).prop_map(|half| 2 * half)), option::of(1..=65536u32), option::of(1..=65536u32));
    let names = GENERATIONS.iter().map(|generation| generation.name).collect::<Vec<_>>();
    let scales = QUANTIZATIONS.iter().map(|scales| scales.name).collect::<Vec<_>>();
    (features, sizes, option::of(select(names)), option::of(select(scales)), word::<Overflow>()).prop_map(
        |(features, (l1, l2, l3), architecture, quantization, overflow)| Claimed {
            features,
            sizes: [l1, l2, l3],
            architecture,
            quantization,
            overflow,
        },
    )
}

fn settings() -> impl Strategy<Value = Vec<Option<Setting>>> {
    let each = FILTERS
        .iter()
        .map(|filter| match filter.kind {
            FilterKind::Flag => option::of(any::<bool>().prop_map(Setting::Flag)).boxed(),
            FilterKind::Whole { min, max } => option::of((min..=max).prop_map(Setting::Whole)).boxed(),
            // The second of the weights is that of 16 pieces: with it positive there is always a distribution.
            FilterKind::Number => option::of((0.001..1e6f64).prop_map(Setting::Number)).boxed(),
            FilterKind::PieceWeights => word::<PieceWeights>().prop_map(|word| word.map(Setting::PieceWeights)).boxed(),
        })
        .collect::<Vec<_>>();
    each.prop_map(sensible)
}

/// The settings without those that mean nothing beside the others.
fn sensible(mut settings: Vec<Option<Setting>>) -> Vec<Option<Setting>> {
    let place = |name: &str| FILTERS.iter().position(|filter| filter.name == name).unwrap();
    let is_old = settings[place("pc")] == Some(Setting::PieceWeights(PieceWeights::January2026));
    let is_soft = matches!(settings[place("soft_early_fen_skipping")], Some(Setting::Whole(1..)));
    for (filter, setting) in FILTERS.iter().zip(&mut settings) {
        let is_idle = match filter.name {
            "pc_y0" | "pc_y4" => is_old,
            "ply_x1" | "ply_x2" | "ply_x3" => true,
            "ply_x4" => !is_soft || matches!(setting, Some(Setting::Number(..10.0))),
            name => name.starts_with("ply_y") && !is_soft,
        };
        if is_idle {
            *setting = None;
        }
    }
    let weights = ["pc_y1", "pc_y2", "pc_y3"].map(|name| settings[place(name)]);
    if weights.iter().any(Option::is_some) {
        settings[place("pc")].get_or_insert(Setting::PieceWeights(PieceWeights::May2026));
    }
    settings
}

fn order() -> impl Strategy<Value = Order> {
    let numbers = (option::of(1..=i64::MAX as u64), option::of(0..=i64::MAX as u64), option::of(1..=i64::MAX as u64));
    let search = (prop::collection::vec(file(), 1..4), numbers, word::<Algorithm>(), settings()).prop_map(
        |(data, (positions, seed, moves), algorithm, settings)| {
            let moves = moves.filter(|_| algorithm == Some(Algorithm::Anneal));
            Order::Searched(Box::new(Search { data, positions, seed, algorithm, moves, settings }))
        },
    );
    prop_oneof![Just(Order::Own), file().prop_map(Order::Known), search]
}

fn written() -> impl Strategy<Value = Written> {
    let outputs = prop::collection::btree_set("[a-z]{1,6}(/|\\.nnue|\\.pt|\\.safetensors|\\.npz)", 1..4);
    let outputs = outputs.prop_map(|outputs| outputs.into_iter().map(|output| format!("out/{output}")).collect());
    let license = option::of(select(vec!["CC0-1.0".to_owned(), "GPL-3.0-only OR MIT".to_owned()]));
    let pin = option::of("[0-9a-f]{64}");
    let about_net = (option::of(text()), word::<CompressionChoice>(), outputs, option::of(any::<bool>()), license, order());
    ("[a-zA-Zäß .\"'-]{0,6}[a-z]", file(), claims(), pin, about_net, option::of(word::<RemoteMode>())).prop_map(
        |(name, path, claims, pin, (description, compression, outputs, provenance, license, order), cache)| Written {
            name,
            path,
            claims,
            pin,
            description,
            compression,
            outputs,
            provenance,
            license,
            order,
            cache,
        },
    )
}

/// A text as a TOML string.
fn quoted(text: &str) -> String {
    // JSON's escapes are TOML's, for what these texts hold.
    serde_json::to_string(text).unwrap()
}

fn line<T>(out: &mut String, key: &str, value: Option<T>, shown: impl Fn(T) -> String) {
    if let Some(value) = value {
        let _ = writeln!(out, "{key} = {}", shown(value));
    }
}

fn list(texts: &[String]) -> String {
    format!("[{}]", texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", "))
}

impl Written {
    fn toml(&self) -> String {
        let mut out = "version = 1\n[source.a]\n".to_owned();
        line(&mut out, "path", Some(&self.path), |path| quoted(path));
        line(&mut out, "features", self.claims.features.as_ref(), |features| quoted(features));
        for (key, size) in ["l1", "l2", "l3"].into_iter().zip(self.claims.sizes) {
            line(&mut out, key, size, |size| size.to_string());
        }
        line(&mut out, "architecture", self.claims.architecture, quoted);
        line(&mut out, "quantization", self.claims.quantization, quoted);
        line(&mut out, "overflow", self.claims.overflow, |word| quoted(word.name()));
        line(&mut out, "sha256", self.pin.as_ref(), |pin| quoted(pin));
        let net = format!("net.{}", quoted(&self.name));
        let _ = writeln!(out, "[{net}]\nsource = \"a\"");
        line(&mut out, "description", self.description.as_ref(), |text| quoted(text));
        line(&mut out, "compression", self.compression, |word| quoted(word.name()));
        line(&mut out, "outputs", Some(&self.outputs), |outputs| list(outputs));
        line(&mut out, "provenance", self.provenance, |truth| truth.to_string());
        line(&mut out, "license", self.license.as_ref(), |license| quoted(license));
        match &self.order {
            Order::Own => {}
            Order::Known(path) => line(&mut out, "permutation", Some(path), |path| quoted(path)),
            Order::Searched(search) => search.toml(&net, &mut out),
        }
        if let Some(mode) = self.cache {
            out.push_str("[cache.remote]\nurl = \"s3://bucket/x\"\n");
            line(&mut out, "mode", mode, |word| quoted(word.name()));
        }
        out
    }

    /// What is read of the text, written down again: what was left out is there with its default.
    fn check(&self, manifest: &Manifest) {
        let net = &manifest.nets[0];
        let claims = &net.source.claims;
        let said = Claimed {
            features: claims.features.as_ref().map(|said| said.value.clone()),
            sizes: [&claims.l1, &claims.l2, &claims.l3].map(|size| size.as_ref().map(|size| size.value)),
            architecture: claims.architecture.as_ref().map(|said| said.value.name),
            quantization: claims.quantization.as_ref().map(|said| said.value.name),
            overflow: Some(claims.overflow.value),
        };
        assert_eq!(said, Claimed { overflow: Some(self.claims.overflow.unwrap_or_default()), ..self.claims.clone() });
        assert_eq!((&net.name, &net.source.path.value.typed), (&self.name, &self.path));
        assert_eq!(net.source.sha256.as_ref().map(|pin| &pin.value), self.pin.as_ref());
        assert_eq!(net.description.as_ref().map(|text| &text.value), self.description.as_ref());
        assert_eq!(net.compression.value, self.compression.unwrap_or_default());
        assert_eq!(net.outputs.iter().map(|output| &output.path.value.typed).collect::<Vec<_>>(), self.outputs.iter().collect::<Vec<_>>());
        assert_eq!(net.release.provenance.value, self.provenance.unwrap_or(false));
        assert_eq!(net.release.license.as_ref().map(|license| &license.value), self.license.as_ref());
        assert_eq!(net.release.publish.as_ref().map(|place| place.value), None::<Publish>);
        let mode = manifest.remote_cache.as_ref().map(|cache| cache.mode.value);
        assert_eq!(mode, self.cache.map(Option::unwrap_or_default));
        let (permutation, optimize) = (net.permutation.as_ref().map(|path| &path.value.typed), &net.optimize);
        match (&self.order, permutation, optimize) {
            (Order::Own, None, None) => {}
            (Order::Known(written), Some(read), None) => assert_eq!(written, read),
            (Order::Searched(written), None, Some(read)) => {
                let Data { paths, .. } = &read.data;
                assert_eq!(paths.iter().map(|path| &path.value.typed).collect::<Vec<_>>(), written.data.iter().collect::<Vec<_>>());
                assert_eq!(read.positions.value, written.positions.unwrap_or(10_000));
                assert_eq!(read.seed.value, written.seed.unwrap_or(0));
                assert_eq!(read.algorithm.value, written.algorithm.unwrap_or_default());
                assert_eq!(read.budget.as_ref().map(|moves| moves.value), written.moves);
                for (filter, written) in FILTERS.iter().zip(&written.settings) {
                    let read = filter.setting(&read.filters.value);
                    assert_eq!(read, written.or(filter.setting(&Filters::default())), "{}", filter.name);
                }
            }
            (written, permutation, optimize) => panic!("{written:?} was read as {permutation:?} and {optimize:?}"),
        }
    }
}

impl Search {
    fn toml(&self, net: &str, out: &mut String) {
        let _ = writeln!(out, "[data.d]\npath = {}\n[{net}.optimize]\ndata = \"d\"", list(&self.data));
        line(out, "positions", self.positions, |number| number.to_string());
        line(out, "seed", self.seed, |number| number.to_string());
        line(out, "algorithm", self.algorithm, |word| quoted(word.name()));
        line(out, "moves", self.moves, |number| number.to_string());
        let _ = writeln!(out, "[{net}.optimize.filters]");
        for (filter, setting) in FILTERS.iter().zip(&self.settings) {
            line(out, filter.name, *setting, |setting| match setting {
                Setting::Flag(on) => on.to_string(),
                Setting::Whole(number) => number.to_string(),
                Setting::Number(number) => format!("{number:?}"),
                Setting::PieceWeights(meaning) => quoted(meaning.name()),
            });
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn what_is_written_is_read(written in written()) {
        let text = written.toml();
        match parse(&text) {
            Ok(manifest) => written.check(&manifest),
            Err(error) => panic!("{text}\n{error:?}"),
        }
    }
}
