//! `nnue.toml`: what is read, what is refused, and how that is said.
//!
//! Each kind of mistake has a snapshot of the rendered message in `tests/manifest/snapshots/`: `INSTA_UPDATE=always` rewrites them.
#![allow(missing_docs)]

mod damage;
mod defaults;
mod keys;
mod messages;
mod net_sources;
mod schema;
mod sweeps;
mod values;

use std::{collections::BTreeMap, fs, path::Path};

use miette::{GraphicalReportHandler, GraphicalTheme};
use nnue::internals::{
    build,
    error::{Error, Kind},
    manifest::{self, Algorithm, CompressionChoice, Manifest, NetSource, OutputKind, Overflow, Override, Publish, RemoteMode},
    plan,
    positions::Filters,
    words::{FilterSet, PieceWeights},
};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The least that a net needs, to append to.
const HEAD: &str = "version = 1\n[net.big]\nsource = \"a.nnue\"\noutputs = [\"dist/\"]\n";

/// A path whose folder does not exist: the disk has no say.
fn parse_with(text: &str, overrides: &[&str]) -> Result<Manifest, Error> {
    let overrides: Vec<Override> = overrides.iter().map(|text| Override::parse(text).unwrap()).collect();
    manifest::parse(text, Path::new("nowhere/nnue.toml"), &overrides)
}

fn parse(text: &str) -> Result<Manifest, Error> {
    parse_with(text, &[])
}

fn render(error: &Error) -> String {
    assert_eq!(error.kind(), Kind::Usage);
    let Some(report) = error.report() else {
        let causes: String = error.causes().iter().map(|cause| format!("\ncause: {cause}")).collect();
        return format!("{}{causes}\nhelp: {}\n", error.message(), error.help_text().unwrap());
    };
    let mut text = String::new();
    let theme = GraphicalTheme::unicode_nocolor();
    GraphicalReportHandler::new_themed(theme).with_width(140).with_wrap_lines(false).render_report(&mut text, report).unwrap();
    // Lines of miette may end with blanks, which editors and git dislike.
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// Compares with a snapshot of this name.
#[track_caller]
fn same(name: &str, text: &str) {
    insta::with_settings!({ snapshot_path => "snapshots", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, text);
    });
}

#[track_caller]
fn snapshot(name: &str, error: &Error) {
    same(name, &render(error));
}

fn head(more: &str) -> String {
    format!("{HEAD}{more}")
}

fn source(line: &str) -> String {
    head(&format!("\n[source.run]\npath = \"run.ckpt\"\n{line}\n"))
}

fn optimize(lines: &str) -> String {
    head(&format!("\n[data.fishpack]\npath = \"f.binpack\"\n\n[net.big.optimize]\n{lines}\n"))
}

fn filters(lines: &str) -> String {
    optimize(&format!("data = \"fishpack\"\n[net.big.optimize.filters]\n{lines}"))
}

/// A net of this name after these axes.
fn matrix(axes: &str, name: &str) -> String {
    format!("version = 1\n[matrix]\n{axes}[net.\"{name}\"]\nsource = \"a.nnue\"\noutputs = [\"dist/\"]\n")
}

/// Three nets after `text`.
fn nets(text: &str) -> String {
    let net = |name: &str| format!("[net.{name}]\nsource = \"a.nnue\"\noutputs = [\"dist/\"]\n");
    format!("version = 1\n{text}{}{}{}", net("a"), net("b"), net("c"))
}

/// A manifest with this `[remote]`.
fn cluster(keys: &str) -> String {
    head(&format!("[remote]\n{keys}\n"))
}

fn remote(lines: &str) -> String {
    format!("version = 1\n[cache.remote]\n{lines}\n")
}

fn output(path: &str) -> String {
    format!("version = 1\n[net.big]\nsource = \"a.nnue\"\noutputs = [\"{path}\"]\n")
}

/// A net that is to be published.
fn published(outputs: &str) -> String {
    format!("version = 1\n[net.big]\nsource = \"a.nnue\"\noutputs = {outputs}\npublish = \"fishtest\"\nlicense = \"CC0-1.0\"\n")
}

/// xorshift below a bound: the same numbers in every run.
fn random() -> impl FnMut(usize) -> usize {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below.max(1) as u64).unwrap()
    }
}

/// Table name → its keys, sorted.
fn schema_keys() -> BTreeMap<String, Vec<String>> {
    let schema = manifest::schema();
    let keys = |table: &serde_json::Value| {
        let mut keys: Vec<String> = table["properties"].as_object().unwrap().keys().cloned().collect();
        keys.sort();
        keys
    };
    let definitions = schema["definitions"].as_object().unwrap();
    let mut all: BTreeMap<String, Vec<String>> =
        definitions.iter().filter(|(_, table)| table["properties"].is_object()).map(|(name, table)| (name.clone(), keys(table))).collect();
    all.insert(String::new(), keys(&schema));
    all
}

fn load(folder: &Path) -> Result<Manifest, Error> {
    manifest::load(&folder.join("nnue.toml"), &[])
}

fn folder(manifest: &str, files: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("nnue.toml"), manifest).unwrap();
    for file in files {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    folder
}
