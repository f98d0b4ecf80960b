//! `nnue.toml`: what is read, what is refused, and how that is said.
//!
//! Each kind of mistake has a snapshot of the rendered message in `tests/snapshots/manifest/`; `UPDATE=1` rewrites them
//! and the JSON schema.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use miette::{GraphicalReportHandler, GraphicalTheme};
use nnue::{
    build,
    error::{Error, Kind},
    manifest::{self, Algorithm, Compression, Manifest, NetSource, OutputKind, Overflow, Override, Publish, RemoteMode, Vocabulary},
    plan,
    positions::Filters,
};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The least that a net needs, to append to.
const HEAD: &str = "version = 1\n[net.big]\nsource = \"a.nnue\"\noutputs = [\"dist/\"]\n";

/// A path whose folder does not exist: the disk has no say.
fn parse_with(text: &str, overrides: &[&str]) -> Result<Manifest, Error> {
    let overrides: Vec<Override> = overrides.iter().map(|text| Override::parse(text).unwrap()).collect();
    manifest::parse(text, Path::new("nowhere/nnue.toml"), &overrides, &Vocabulary::default())
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

#[track_caller]
fn same_as_file(path: &Path, text: &str) {
    if std::env::var_os("UPDATE").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let expected = fs::read_to_string(path).unwrap_or_default().replace("\r\n", "\n");
    assert!(text == expected, "differs from {} (UPDATE=1 rewrites it):\n{text}", path.display());
}

#[track_caller]
fn snapshot(name: &str, error: &Error) {
    same_as_file(&Path::new(ROOT).join(format!("tests/snapshots/manifest/{name}.txt")), &render(error));
}

/// One test per mistake: its name is that of the snapshot.
macro_rules! refused {
    ($($name:ident: $text:expr $(, $set:literal)*;)*) => {$(
        #[test]
        fn $name() {
            snapshot(stringify!($name), &parse_with(&$text, &[$($set),*]).unwrap_err());
        }
    )*};
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

refused! {
    // The file as such.
    toml_unquoted: "version = 1\n[source.a]\npath = runs/x.ckpt\n";
    toml_duplicate: head("source = \"b.nnue\"\n");
    toml_unclosed: "version = 1\n[net.big\nsource = \"x\"";
    toml_two_mistakes: "version = 1\n[net.big]\nsource = 'x\noutputs = yes\n";
    version_missing: "[net.big]\nsource = \"a.nnue\"\noutputs = \"dist/\"\n";
    version_unknown: "version = 2\nanything = \"goes\"\n";
    version_text: "version = \"1\"\n";

    // Keys.
    key_unknown: optimize("data = \"fishpack\"\npostions = 5");
    key_unknown_at_top: head("[matrices]\nx = 1\n");
    key_of_a_later_version: head("signature = true\n");
    key_missing: "version = 1\n[net.big]\ndescription = \"x\"\n[source.a]\nl1 = 8\n[data.d]\n[net.b]\nsource = \"a\"\noutputs = \"d/\"\noptimize = {}\n";
    table_expected: "version = 1\nnet = 3\n[source]\nrun = \"x\"\n";
    name_blank: head("[source.\"\"]\npath = \"x\"\n");
    name_with_control_character: "version = 1\n[net.\"a\\nb\"]\nsource = \"a.nnue\"\noutputs = \"d/\"\n";
    nested_too_deeply: head(&format!("[x]\n{}z = 1\n", "a.".repeat(40)));

    // Values.
    type_string_expected: head("description = 800\n");
    type_list_expected: "version = 1\n[net.big]\nsource = 5\noutputs = { a = 1 }\n";
    type_integer_quoted: source("l1 = \"1_024\"");
    type_integer_with_fraction: optimize("data = \"fishpack\"\npositions = 1e5");
    integer_zero_positions: optimize("data = \"fishpack\"\npositions = 0");
    integer_negative_seed: optimize("data = \"fishpack\"\nseed = -1");
    integer_beyond_128_bits: optimize("data = \"fishpack\"\nseed = 999999999999999999999999999999999999999999");
    l1_odd: source("l1 = 1023");
    l1_too_large: source("l1 = 65_538");
    l2_zero: source("l2 = 0\nl3 = 0");
    features_unknown_block: source("features = \"Full_Threats+HalfKAv2_mh^\"");
    features_blank: source("features = \"HalfKP + HalfKA\"");
    architecture_unknown: source("architecture = \"sfnnv14\"");
    quantization_unknown: source("quantization = \"ft128\"");
    overflow_unknown: source("overflow = \"saturate\"");
    compression_unknown: head("compression = \"zstd\"\n");
    algorithm_unknown: optimize("data = \"fishpack\"\nalgorithm = \"greddy\"\nmoves = 5");
    filter_unknown: filters("filterd = true");
    filter_of_a_wrong_type: filters("filtered = 1\nwld_filtered = \"true\"\nmax_ply = 1.0\npc_y1 = true");
    filter_out_of_range: filters("random_fen_skipping = -1\nearly_fen_skipping = -2\nsimple_eval_skipping = 3_000_000_000\nmax_score = 65_536\npc_y2 = 1e7\npc_y3 = nan");
    filter_weights_nowhere_positive: filters("pc_y1 = 0\npc_y2 = -1\npc_y3 = 0");
    moves_without_anneal: optimize("data = \"fishpack\"\nmoves = 5");
    sha256_short: source("sha256 = \"abc\"");
    sha256_not_hex: source(&format!("sha256 = \"{}\"", "x".repeat(64)));
    sha256_of_data_differs_in_number: head(&format!("[data.d]\npath = [\"a\", \"b\"]\nsha256 = \"{}\"\n", "0".repeat(64)));
    path_empty: head("permutation = \"\"\n");
    path_with_nul: source("sha256 = \"\"\n[data.d]\npath = \"a\\u0000b\"");
    outputs_empty: "version = 1\n[net.big]\nsource = \"a.nnue\"\noutputs = []\n";

    // The remote cache.
    remote_without_url: remote("mode = \"write\"");
    remote_url_without_scheme: remote("url = \"cache.example.org/nnue\"");
    remote_url_of_an_unknown_scheme: remote("url = \"ftp://cache.example.org/nnue\"");
    remote_url_without_bucket: remote("url = \"s3:///nnue\"");
    remote_url_with_blanks: remote("url = \"https://cache.example.org/my nets\"");
    remote_url_with_credentials: remote("url = \"https://anna:geheim@cache.example.org/nnue\"");
    remote_url_with_a_query: remote(""), "cache.remote.url=https://a.blob.example.org/nnue?sig=geheim";
    cache_key_unknown: remote("url = \"https://a\"\nreadonly = true\n[cache.remotes]\nurl = \"x\"");

    // Names.
    source_undefined: "version = 1\n[source.run42]\npath = \"a\"\n[source.other]\npath = \"b\"\n[net.big]\nsource = \"run24\"\noutputs = \"d/\"\n";
    source_undefined_and_none_defined: "version = 1\n[net.big]\nsource = \"run 24\"\noutputs = \"d/\"\n";
    data_undefined: optimize("data = \"fishpak\"");
    data_undefined_and_a_wrong_output: optimize("data = \"fishpak\"").replacen("dist/", "net.bin", 1);
    data_is_a_path: optimize("data = \"data/x.binpack\"");
    permutation_and_optimize: head("permutation = \"p.npy\"\noptimize = { data = \"d\" }\n[data.d]\npath = \"x\"\n");

    // Outputs.
    output_ckpt: output("dist/big.ckpt");
    output_unknown_ending: output("dist/big.bin");
    output_no_ending: output("dist/big");
    output_twice_in_a_net: "version = 1\n[net.big]\nsource = \"a.nnue\"\noutputs = [\"d/x.nnue\", \"d/../d/x.nnue\"]\n";
    output_of_two_nets: head("[net.b]\nsource = \"a.nnue\"\noutputs = [\"d/X.nnue\"]\n[net.c]\nsource = \"a.nnue\"\noutputs = [\"e/../D/x.nnue\"]\n");
    output_is_a_source: output("./A.nnue");
    output_is_a_permutation: head("permutation = \"p.npz\"\n[net.b]\nsource = \"a.nnue\"\noutputs = [\"p.npz\"]\n");

    // Publication.
    provenance_of_a_wrong_type: head("provenance = \"yes\"\n");
    publish_unknown: head("publish = \"fishtst\"\n");
    publish_without_license: head("publish = \"fishtest\"\n");
    publish_under_another_license: head("publish = \"fishtest\"\nlicense = \"GPL-3.0-only\"\n");
    publish_without_a_nnue_output: published("[\"dist/big.pt\", \"big.safetensors\"]");
    publish_under_a_name_of_its_own: published("[\"dist/\", \"latest.nnue\", \"nn-0123456789AB.nnue\", \"dist/nn-0123456789ab.nnue\", \"x.pt\"]");
    publish_by_an_override: head(""), "net.big.publish=fishtest";
    license_empty: head("license = \" \"\n[net.b]\nsource = \"b.nnue\"\noutputs = \"d/\"\nlicense = \"a\\nb\"\n[net.c]\nsource = \"b.nnue\"\noutputs = \"d/\"\nlicense = 0\npublish = \"fishtest\"\n");
    provenance_over_an_input: "version = 1\n[net.big]\nsource = \"B.nnue.provenance.json\"\noutputs = \"b.nnue\"\nprovenance = true\n";
    provenance_over_a_folder: "version = 1\n[net.big]\nsource = \"a.nnue\"\noutputs = \"b.pt\"\nprovenance = true\n[net.c]\nsource = \"a.nnue\"\noutputs = \"b.pt.provenance.json/\"\n";

    // Sweeps, as far as the text tells.
    sweep_without_placeholder: "version = 1\n[net.nightly]\nsource = { glob = \"*.ckpt\" }\noutputs = \"n.nnue\"\n";
    sweep_unknown_placeholder: "version = 1\n[net.\"n/{stem}\"]\nsource = { glob = \"*.ckpt\" }\noutputs = \"{stm}.nnue\"\n";
    sweep_unknown_key: "version = 1\n[net.\"n/{stem}\"]\nsource = { globs = \"*.ckpt\" }\noutputs = \"{stem}.nnue\"\n";
    sweep_bad_glob: "version = 1\n[net.\"n/{stem}\"]\nsource = { glob = \"{a/b,c}/*.ckpt\" }\noutputs = \"{stem}.nnue\"\n";
    sweep_of_a_folder: "version = 1\n[net.\"n/{stem}\"]\nsource = { glob = \"runs/*/\" }\noutputs = \"{stem}.nnue\"\n";
    placeholder_without_sweep: "version = 1\n[net.\"n/{stem}\"]\nsource = \"a.nnue\"\noutputs = \"{parent}.nnue\"\n";

    // Defaults.
    default_unknown_without_nets: "version = 1\n[defaults]\ncompresion = \"none\"\nsource = \"a.nnue\"\n";
    default_wrong_is_said_once: nets("[defaults]\ncompression = \"zip\"\noutputs = 5\noptimize.data = \"fishpak\"\noptimize.filters.max_ply = -1\n");
    default_without_data_is_said_once: nets("[defaults.optimize]\nseed = 3\n");
    default_license_is_missed_once: nets("defaults.publish = \"fishtest\"\n");
    default_no_table: nets("defaults = \"leb128\"\n");
    default_of_both: nets("[defaults]\npermutation = \"p.npy\"\noptimize.data = \"d\"\n[data.d]\npath = \"x\"\n");
    default_placeholder_without_sweep: nets("[defaults]\npermutation = \"{stem}.npy\"\n");
    default_beside_what_a_net_says: nets("[defaults.optimize]\ndata = \"d\"\nfilters.pc_y1 = 0\n[net.c.optimize]\nfilters = { pc_y2 = 0, pc_y3 = 0 }\n[data.d]\npath = \"x\"\n");
    optimize_true: head("optimize = true\n");

    // The matrix.
    matrix_no_table: head("[[matrix]]\nx = 1\n");
    matrix_bad_axes: matrix("stem = [1]\n\"a b\" = [1]\nnone = []\none = \"x\"\n", "net");
    matrix_bad_values: matrix("run = [\"a\", \"{x}\", \"a\", 1, \"1\", 0x1, 1.0, [2], nan, \"x\\ny\", 2026-01-01]\n", "{run}");
    matrix_unused_axis: matrix("run = [\"a\"]\nseed = [1, 2]\n", "{run}");
    matrix_axis_not_in_the_name: matrix("run = [\"a\"]\nseed = [1, 2]\n", "{run}") + "description = \"{run} of {seed}\"\n";
    matrix_axis_of_a_default_not_in_the_name: matrix("run = [\"a\"]\n", "{run}") + "[net.b]\nsource = \"b.nnue\"\n[net.c]\nsource = \"b.nnue\"\n[defaults]\ndescription = \"{run}\"\noutputs = \"d/\"\n";
    matrix_unknown_placeholder: matrix("run = [\"a\", \"b\"]\n", "{run}") + "description = \"{stem} of {rum}\"\n[net.\"x{rnu}\"]\nsource = \"b.nnue\"\noutputs = \"d/\"\n";
    matrix_too_many: matrix(&format!("run = {0:?}\nseed = {0:?}\n", (0..400).collect::<Vec<_>>()).replace(", ", ","), "{run}-{seed}").replace(",399]", ",399\n]");
    matrix_names_collide: matrix("a = [\"x\", \"x-y\"]\nb = [\"z\", \"y-z\"]\n", "{a}-{b}") + "[net.x-z]\nsource = \"b.nnue\"\noutputs = \"d/\"\n";
    matrix_mistakes_are_said_once: matrix("run = [\"a\", \"b\"]\nseed = [0, -1, -2]\n", "{run}-{seed}") + "colour = \"{run}\"\ncompression = \"zip\"\n[net.\"{run}-{seed}\".optimize]\nseed = \"{seed}\"\npositions = \"{seed}0\"\n";
    matrix_source_undefined: matrix("run = [\"a.nnue\", \"run42\", \"run43\"]\nseed = [1, 2]\n", "{run}-{seed}").replace("\"a.nnue\"\noutputs", "\"{run}\"\noutputs");
    matrix_outputs_collide: matrix("run = [\"a\", \"b\", \"c\"]\n", "{run}").replace("dist/", "dist/x.nnue");
    matrix_set_of_a_combination: matrix("run = [\"a\"]\n", "{run}"), "net.a.compression=none";
    matrix_set_of_an_unknown_axis: matrix("run = [\"a\"]\n", "{run}"), "matrix.runs=[1]";

    // `--set`.
    set_value: optimize("data = \"fishpack\""), "net.big.optimize.positions=0";
    set_key_unknown: optimize("data = \"fishpack\""), "net.big.optimize.postions=5";
    set_key_unknown_at_top: head(""), "nets.big.compression=none";
    set_name_unknown: head(""), "net.bgi.compression=none";
    set_below_a_string: head("compression = \"none\"\n"), "net.big.compression.level=9";
    set_string_expected: head(""), "net.big.description=800";
    set_source_undefined: head(""), "net.big.source=run42";

    // Several at once, of the file, the command line and the disk.
    many: optimize("data = \"fishpak\"\nseed = -1\ncolour = \"red\"").replace("a.nnue", "a"), "net.big.compression=lzma", "net.big.outputs=x.ckpt";
    multi_byte: "version = 1\n# Größe\n[net.\"größer\"]\nsource = \"näher.nnue\"\ndescription = \"žluťoučký kůň\"\ncompression = \"žádná\"\noutputs = \"d/\"\n";
    crlf: "version = 1\r\n[net.big]\r\nsource = \"a.nnue\"\r\noutputs = [\"d/\"]\r\ncompresion = \"none\"\r\n";
    byte_order_mark: "\u{feff}version = 7\n";
}

/// Spans are bytes of the text, and of the text alone.
#[test]
fn spans_are_exact() {
    let text = "\u{feff}version = 1\r\n# äöü\r\n[source.\"läuft\"]\r\npath = 'ä.ckpt'\r\nl1 = 1_024\r\n[net.big]\r\nsource = \"läuft\"\r\noutputs = \"d/\"\r\n";
    let manifest = parse_with(text, &["net.big.compression=none"]).unwrap();
    let text = text.trim_start_matches('\u{feff}');
    let source = &manifest.sources["läuft"];
    let slice = |span: manifest::Span| &text[span.start..span.end];
    assert_eq!(slice(source.span), "[source.\"läuft\"]");
    assert_eq!(slice(source.path.span), "'ä.ckpt'");
    assert_eq!(slice(source.claims.l1.as_ref().unwrap().span), "1_024");
    assert_eq!(slice(source.claims.overflow.span), "[source.\"läuft\"]");
    let compression = &manifest.nets[0].compression;
    assert_eq!((compression.span.text, compression.span.start, compression.span.end), (1, 20, 24));
    assert_eq!(manifest.line(source.path.span), "nowhere/nnue.toml:4");
}

#[test]
fn later_errors_point_into_the_manifest() {
    let manifest = parse(&source("l1 = 3072")).unwrap();
    let span = manifest.sources["run"].claims.l1.as_ref().unwrap().span;
    let error = manifest.diagnostic(
        span,
        "`run.ckpt` has L1 = 1536, the manifest says 3072",
        "3072 here",
        "`ft.weight` has 1536 columns",
        "write `l1 = 1536`, or name another file",
    );
    snapshot("later_error", &error);
}

#[test]
fn all_keys_have_their_values() {
    let text = fs::read_to_string(Path::new(ROOT).join("nnue.toml.example")).unwrap();
    // The example's files do not exist: its sweep has none to match.
    let text = &text[..text.find("[net.\"nightly").unwrap()];
    let manifest = parse(text).unwrap();
    assert_eq!(manifest.warnings, Vec::<String>::new());

    let source = &manifest.sources["run42"];
    assert_eq!(source.path.value.typed, "runs/epoch=799.ckpt");
    assert_eq!(source.path.value.resolved, Path::new("nowhere/runs/epoch=799.ckpt"));
    assert_eq!(source.claims.features.as_ref().unwrap().value, "Full_Threats+HalfKAv2_hm^");
    assert_eq!([&source.claims.l1, &source.claims.l2, &source.claims.l3].map(|size| size.as_ref().unwrap().value), [1024, 31, 32]);
    assert_eq!(source.claims.architecture.as_ref().unwrap().value, "SFNNv14");
    assert_eq!(source.claims.quantization.as_ref().unwrap().value.name, "ft255");
    assert_eq!(source.claims.overflow.value, Overflow::Error);
    assert!(source.sha256.as_ref().unwrap().value.starts_with("0123"));

    let big = &manifest.nets[0];
    assert_eq!((big.name.as_str(), big.source.name.as_deref(), &big.sweep), ("big", Some("run42"), &None));
    assert_eq!(big.description.as_ref().unwrap().value, "Training run 42, epoch 799");
    assert_eq!(big.compression.value, Compression::Leb128);
    assert_eq!(big.outputs.iter().map(|output| output.kind).collect::<Vec<_>>(), [OutputKind::Folder, OutputKind::Nnue]);
    let optimize = big.optimize.as_ref().unwrap();
    assert_eq!(optimize.data.paths[1].value.typed, "data/part2.binpack");
    assert_eq!(optimize.data.sha256.len(), 2);
    assert_eq!((optimize.positions.value, optimize.seed.value), (100_000, 0));
    assert_eq!((optimize.algorithm.value, optimize.moves.as_ref().unwrap().value), (Algorithm::Anneal, 50_000_000));
    let expected = Filters {
        filtered: true,
        wld_filtered: true,
        random_fen_skipping: 3,
        early_fen_skipping: 16,
        simple_eval_skipping: -1,
        max_score: Some(10_000),
        max_ply: Some(400),
        pc_y1: Some(1.0),
        pc_y2: Some(2.0),
        pc_y3: Some(1.0),
    };
    assert_eq!(optimize.filters.value, expected);

    let known = &manifest.nets[1];
    assert_eq!((known.source.name.as_deref(), known.source.path.value.typed.as_str()), (None, "runs/epoch=799.nnue"));
    assert_eq!(known.permutation.as_ref().unwrap().value.typed, "perms/big.npy");
    assert_eq!(known.outputs[0].path.value.typed, "public/");
    assert!(big.release.provenance.value && known.release.publish.is_some());

    let remote = manifest.remote_cache.as_ref().unwrap();
    assert_eq!((remote.url.value.as_str(), remote.mode.value), ("https://cache.example.org/nnue", RemoteMode::ReadWrite));
}

#[test]
fn what_is_said_of_published_files_is_no_part_of_the_net() {
    let release = |text: &str| parse(text).unwrap().nets.remove(0).release;
    let none = release(HEAD);
    assert_eq!((none.provenance.value, &none.publish, &none.license), (false, &None, &None));
    let all = release(&head("provenance = true\npublish = \"fishtest\"\nlicense = \"CC0-1.0\"\n"));
    assert!(all.provenance.value);
    assert_eq!(all.publish.unwrap().value, Publish::Fishtest);
    assert_eq!(all.license.unwrap().value, "CC0-1.0");
    // A licence is free text where nothing is published; a fixed name may be the right one.
    assert_eq!(release(&head("license = \"GPL-3.0-or-later OR MIT\"\n")).license.unwrap().value, "GPL-3.0-or-later OR MIT");
    let fixed = HEAD.replace("dist/", "dist/nn-0123456789ab.nnue") + "publish = \"fishtest\"\nlicense = \"CC0-1.0\"\n";
    assert!(release(&fixed).publish.is_some());
}

#[test]
fn the_text_is_kept_byte_for_byte() {
    for mark in ["", "\u{feff}"] {
        let text = format!("{mark}{HEAD}\r\n# ä\n");
        assert_eq!(parse_with(&text, &["net.big.compression=none"]).unwrap().text(), text);
    }
}

#[test]
fn the_example_parses_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(Path::new(ROOT).join("nnue.toml.example"), folder.path().join("nnue.toml")).unwrap();
    fs::create_dir_all(folder.path().join("runs/a")).unwrap();
    fs::write(folder.path().join("runs/a/epoch=1.ckpt"), "").unwrap();
    let manifest = load(folder.path()).unwrap();
    let names: Vec<&str> = manifest.nets.iter().map(|net| net.name.as_str()).collect();
    assert_eq!(names[..3], ["big", "known", "nightly/a/epoch=1"]);
    assert_eq!(names.len(), 3 + 2 * 3);
    assert_eq!(manifest.warnings, Vec::<String>::new());
}

/// The example shows every key that the schema has.
#[test]
fn the_example_is_complete() {
    let text = fs::read_to_string(Path::new(ROOT).join("nnue.toml.example")).unwrap();
    for (table, keys) in schema_keys() {
        for key in keys {
            let header = [
                format!("[{key}]"),
                format!("[{table}.{key}]"),
                format!("[{key}."),
                format!("[{table}.big.{key}]"),
                format!("[net.big.{table}.{key}]"),
            ];
            let shown = text.lines().any(|line| {
                let starts = line.split_once('=').is_some_and(|(name, _)| name.trim() == key);
                starts && line.contains('#')
                    || line.contains("{ glob =") && key == "glob"
                    || header.iter().any(|header| line.starts_with(header))
            });
            assert!(shown, "`{key}` of `{table}` is not shown with a comment");
        }
    }
}

#[test]
fn defaults_are_those_of_the_documentation() {
    let manifest = parse(&optimize("data = \"fishpack\"")).unwrap();
    let net = &manifest.nets[0];
    let optimize = net.optimize.as_ref().unwrap();
    assert_eq!((optimize.positions.value, optimize.seed.value, optimize.algorithm.value), (10_000, 0, Algorithm::Greedy));
    assert_eq!((net.compression.value, net.source.claims.overflow.value), (Compression::Leb128, Overflow::Error));
    assert_eq!((&net.description, &optimize.moves), (&None, &None));
    assert_eq!(optimize.filters.value, Filters::default());
    assert_eq!(parse(&filters("")).unwrap().nets[0].optimize.as_ref().unwrap().filters.value, Filters::default());
}

#[test]
fn remote_addresses() {
    for url in
        ["http://localhost", "http://[::1]:8080/a/b/", "https://cache.example.org/a%20b", "s3://bucket/x", "gs://b", "az://container/y/z"]
    {
        let cache = parse(&remote(&format!("url = \"{url}\""))).unwrap().remote_cache.unwrap();
        assert_eq!((cache.url.value.as_str(), cache.mode.value), (url, RemoteMode::Read));
    }
    assert_eq!(parse(HEAD).unwrap().remote_cache, None);
    assert_eq!(parse(&head("[cache]\n")).unwrap().remote_cache, None);
}

#[test]
fn credentials_in_an_address_are_not_shown() {
    for url in [
        "https://anna:geheim@a/b",
        "https://geheim@a",
        "ftp://anna:geheim@a",
        "anna:geheim@a/b",
        "https://a/b?sig=geheim",
        "s3://a/#geheim",
    ] {
        let text = render(&parse(&remote(&format!("url = \"{url}\""))).unwrap_err());
        assert!(text.contains("cache.remote.url") && text.contains("nnue.toml:3") && !text.contains("geheim"), "{text}");
    }
}

#[test]
fn seed_has_all_64_bits() {
    let manifest = parse(&optimize(&format!("data = \"fishpack\"\nseed = {}", u64::MAX))).unwrap();
    assert_eq!(manifest.nets[0].optimize.as_ref().unwrap().seed.value, u64::MAX);
    let manifest = parse(&optimize("data = \"fishpack\"\nseed = 0xFF_FF")).unwrap();
    assert_eq!(manifest.nets[0].optimize.as_ref().unwrap().seed.value, 0xFFFF);
}

#[test]
fn weights_are_integers_or_floats() {
    let manifest = parse(&filters("pc_y1 = 1_0.5\npc_y2 = 2\npc_y3 = -1e-1\nsimple_eval_skipping = 0")).unwrap();
    let filters = &manifest.nets[0].optimize.as_ref().unwrap().filters.value;
    assert_eq!([filters.pc_y1, filters.pc_y2, filters.pc_y3], [Some(10.5), Some(2.0), Some(-0.1)]);
    assert_eq!(filters.simple_eval_skipping, 0);
}

#[test]
fn pins_are_lower_case() {
    let manifest = parse(&source(&format!("sha256 = \"{}\"", "AB".repeat(32)))).unwrap();
    assert_eq!(manifest.sources["run"].sha256.as_ref().unwrap().value, "ab".repeat(32));
}

#[test]
fn a_source_with_a_dot_in_its_name_is_found_before_a_path() {
    let text = "version = 1\n[source.\"run4.2\"]\npath = \"x\"\n[net.a]\nsource = \"run4.2\"\noutputs = \"d/\"\n[net.b]\nsource = \"run4.3\"\noutputs = \"d/\"\n";
    let manifest = parse(text).unwrap();
    assert_eq!(manifest.declared[0].source.value, NetSource::Named("run4.2".into()));
    assert!(matches!(&manifest.declared[1].source.value, NetSource::Path(path) if path.typed == "run4.3"));
}

#[test]
fn nets_keep_the_order_of_the_file() {
    let text = "version = 1\n[net.z]\nsource = \"a.nnue\"\noutputs = \"d/\"\n[net.a]\nsource = \"a.nnue\"\noutputs = \"d/\"\n";
    let manifest = parse(text).unwrap();
    assert_eq!(manifest.nets.iter().map(|net| net.name.as_str()).collect::<Vec<_>>(), ["z", "a"]);
}

#[test]
fn unused_tables_and_idle_keys_are_warnings() {
    let text = "version = 1\n[source.old]\npath = \"x\"\n[data.old]\npath = \"y\"\n[net.a]\nsource = \"a.nnue\"\noutputs = \"x.pt\"\ncompression = \"none\"\n";
    assert_eq!(
        parse(text).unwrap().warnings,
        [
            "nowhere/nnue.toml:9: `net.a.compression` has no effect: no output is a `.nnue` file or a folder",
            "nowhere/nnue.toml:2: `source.old` is used by no net",
            "nowhere/nnue.toml:4: `data.old` is used by no net",
        ]
    );
    assert_eq!(parse("version = 1\n").unwrap().warnings, ["nowhere/nnue.toml:1: no `[net.NAME]` table: there is nothing to build"]);
}

#[test]
fn folders_take_several_nets() {
    let manifest = parse(&head("[net.b]\nsource = \"b.nnue\"\noutputs = [\"dist/\", \"../up.nnue\"]\n")).unwrap();
    assert_eq!(manifest.nets[1].outputs[1].path.value.resolved, Path::new("up.nnue"));
}

#[test]
fn set_changes_values() {
    let text = format!("{}\n[net.\"nightly/x\"]\nsource = \"b.nnue\"\noutputs = \"n/\"\n", optimize("data = \"fishpack\""));
    let manifest = parse_with(
        &text,
        &[
            "net.big.optimize.positions=5",
            "net.big.optimize.positions = 1_000_000",
            "net.big.description=two words, no quotes",
            "net.\"nightly/x\".compression=none",
            "net.nightly/x.outputs=[\"a/\", \"b/\"]",
            "net.big.optimize.filters.filtered=true",
            "net.big.optimize.filters.pc_y1=0.5",
            "net.'nightly/x'.optimize={ data = 'fishpack', seed = 3 }",
            "net.big.source=runs/x=y.ckpt",
        ],
    )
    .unwrap();
    let [big, nightly] = &manifest.nets[..] else { panic!("two nets") };
    assert_eq!(big.optimize.as_ref().unwrap().positions.value, 1_000_000);
    let set = Filters { filtered: true, pc_y1: Some(0.5), ..Filters::default() };
    assert_eq!(big.optimize.as_ref().unwrap().filters.value, set);
    assert_eq!(big.description.as_ref().unwrap().value, "two words, no quotes");
    assert_eq!(big.source.path.value.typed, "runs/x=y.ckpt");
    assert_eq!(nightly.compression.value, Compression::None);
    assert_eq!(nightly.outputs.len(), 2);
    assert_eq!(nightly.optimize.as_ref().unwrap().seed.value, 3);
}

#[test]
fn set_adds_a_table_below_a_net() {
    let manifest = parse_with(&head("[data.d]\npath = \"x\"\n"), &["net.big.optimize.data=d"]).unwrap();
    assert_eq!(manifest.nets[0].optimize.as_ref().unwrap().data.name, "d");
}

#[test]
fn set_that_is_malformed() {
    let mut all = String::new();
    for text in ["", "=1", "a", "a.b", "a.b=", "a..b=1", "a b=1", "\"a=1", "\"\\q\".x=1", ".a=1", "ä.\"ö=1", "a ü=1"] {
        all.push_str(&render(&Override::parse(text).unwrap_err()));
        all.push('\n');
    }
    same_as_file(&Path::new(ROOT).join("tests/snapshots/manifest/set_malformed.txt"), &all);
}

// ── Defaults ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/// All that a build makes of a manifest's nets: names, files, and the parameters of each stage, which are what keys are made of.
fn plans(manifest: &Manifest) -> Vec<String> {
    let nets: Vec<_> = manifest.nets.iter().collect();
    let graph = plan::plan(manifest, &nets, &plan::Facts::probe(&nets)).unwrap();
    let plan = |net: &plan::NetPlan| {
        let mut lines = vec![net.name.clone()];
        for &action in &net.actions {
            let operation = graph.action(action).unwrap();
            lines.push(format!("{} {}", operation.stage().name(), serde_json::Value::Object(operation.params())));
            lines.extend(graph.inputs(action).into_iter().filter_map(|(name, input)| match &graph.dag[input] {
                plan::Node::File(file) => Some(format!("{name} = {}", file.path.typed)),
                plan::Node::Action(_) => None,
            }));
        }
        lines.extend(net.outputs.iter().map(|(output, _)| output.path.value.typed.clone()));
        let net = manifest.nets.iter().find(|other| other.name == net.name).unwrap();
        lines.push(format!("{} {:?}", net.release.provenance.value, net.release.license.as_ref().map(|license| &license.value)));
        lines.join("\n")
    };
    graph.nets.iter().map(plan).collect()
}

#[test]
fn defaults_go_where_a_net_says_nothing() {
    let text = nets(
        "[defaults]\ncompression = \"none\"\ndescription = \"all\"\n[defaults.optimize]\ndata = \"d\"\npositions = 7\nalgorithm = \"anneal\"\nmoves = 9\n\
         [defaults.optimize.filters]\nfiltered = true\nmax_ply = 5\n[data.d]\npath = \"x\"\n[data.e]\npath = \"y\"\n",
    );
    let text = text.replace("[net.b]\n", "[net.b]\ncompression = \"leb128\"\npermutation = \"p.npy\"\n")
        + "optimize = { data = \"e\", algorithm = \"greedy\", filters = { max_ply = 6 } }\n\
           [net.off]\nsource = \"a.nnue\"\noutputs = \"d.nnue\"\noptimize = false\n";
    let manifest = parse(&text).unwrap();
    assert_eq!(manifest.warnings, Vec::<String>::new());
    let [a, b, c, off] = &manifest.nets[..] else { panic!("four nets") };
    let slice = |span: manifest::Span| &text[span.start..span.end];
    assert_eq!((a.compression.value, slice(a.compression.span)), (Compression::None, "\"none\""));
    assert_eq!(a.description.as_ref().unwrap().value, "all");
    let optimize = a.optimize.as_ref().unwrap();
    assert_eq!((optimize.positions.value, optimize.moves.as_ref().unwrap().value), (7, 9));
    assert_eq!((slice(optimize.span), slice(optimize.positions.span)), ("[defaults.optimize]", "7"));
    assert_eq!(optimize.filters.value, Filters { filtered: true, max_ply: Some(5), ..Filters::default() });

    assert_eq!((b.compression.value, &b.optimize), (Compression::Leb128, &None));
    assert_eq!(b.permutation.as_ref().unwrap().value.typed, "p.npy");

    let optimize = c.optimize.as_ref().unwrap();
    assert_eq!((optimize.data.name.as_str(), optimize.positions.value, optimize.algorithm.value), ("e", 7, Algorithm::Greedy));
    assert_eq!(optimize.moves, None);
    assert_eq!(optimize.filters.value, Filters { filtered: true, max_ply: Some(6), ..Filters::default() });

    assert_eq!((off.compression.value, &off.optimize, &off.permutation), (Compression::None, &None, &None));
}

#[test]
fn a_net_that_searches_takes_no_permutation_from_the_defaults() {
    let text = nets("[defaults]\npermutation = \"p.npy\"\n[data.d]\npath = \"x\"\n") + "optimize.data = \"d\"\n";
    let manifest = parse(&text.replace("[net.b]\n", "[net.b]\npermutation = false\n")).unwrap();
    let permuted: Vec<bool> = manifest.nets.iter().map(|net| net.permutation.is_some()).collect();
    assert_eq!(permuted, [true, false, false]);
}

#[test]
fn defaults_on_the_command_line() {
    let text = nets("[data.d]\npath = \"x\"\n");
    let sets = ["defaults.compression=none", "defaults.optimize.data=d", "net.a.optimize.positions=5", "net.b.optimize=false"];
    let manifest = parse_with(&text, &sets).unwrap();
    assert!(manifest.nets.iter().all(|net| net.compression.value == Compression::None));
    let positions: Vec<_> = manifest.nets.iter().map(|net| Some(net.optimize.as_ref()?.positions.value)).collect();
    assert_eq!(positions, [Some(5), None, Some(10_000)]);
}

#[test]
fn defaults_that_nothing_takes_are_warnings() {
    let text = nets("[defaults]\noutputs = \"other/\"\ncompression = \"none\"\noptimize.data = \"d\"\n[data.d]\npath = \"x\"\n");
    let text = text.replace("outputs = [\"dist/\"]", "outputs = \"dist/\"\npermutation = \"p.npy\"");
    assert_eq!(
        parse(&text).unwrap().warnings,
        [
            "nowhere/nnue.toml:6: `data.d` is used by no net",
            "nowhere/nnue.toml:3: `defaults.outputs` is taken by no net",
            "nowhere/nnue.toml:5: `defaults.optimize` is taken by no net",
        ]
    );
    // A default that does nothing for one net is no mistake of that net, and is said once where it does nothing for all.
    let floats = nets("[defaults]\ncompression = \"none\"\n").replace("dist/", "dist/x.pt");
    assert!(parse(&floats).is_err(), "one file three times");
    let one = "version = 1\n[defaults]\ncompression = \"none\"\n[net.a]\nsource = \"a.nnue\"\noutputs = \"x.pt\"\n[net.b]\nsource = \"a.nnue\"\noutputs = \"y.pt\"\n";
    assert_eq!(parse(one).unwrap().warnings.len(), 1);
}

/// Whether a value stands in the net or comes from the defaults changes nothing, whatever else is there.
#[test]
fn a_default_is_as_good_as_an_own_value() {
    let keys: &[(&str, [&str; 2])] = &[
        ("description", ["'one'", "'two'"]),
        ("compression", ["'none'", "'leb128'"]),
        ("outputs", ["['dist/']", "'other/'"]),
        ("provenance", ["true", "false"]),
        ("license", ["'CC0-1.0'", "'GPL-3.0-only'"]),
        ("optimize.data", ["'d'", "'e'"]),
        ("optimize.positions", ["5", "1_000"]),
        ("optimize.seed", ["0", "18446744073709551615"]),
        ("optimize.algorithm", ["'anneal'", "'greedy'"]),
        ("optimize.filters.filtered", ["true", "false"]),
        ("optimize.filters.max_ply", ["300", "0"]),
        ("optimize.filters.pc_y2", ["0.5", "2"]),
    ];
    let always = |key: &str| matches!(key, "outputs" | "optimize.data");
    let mut random = random();
    for _ in 0..500 {
        let (mut with_defaults, mut written_out) = (String::new(), String::new());
        let defaults: Vec<Option<&str>> =
            keys.iter().map(|(key, values)| (always(key) || random(2) == 0).then(|| values[random(2)])).collect();
        for name in ["a", "b", "c"] {
            let header = format!("[net.{name}]\nsource = '{name}.nnue'\n");
            with_defaults.push_str(&header);
            written_out.push_str(&header);
            for ((key, values), default) in keys.iter().zip(&defaults) {
                let own = (random(2) == 0).then(|| values[random(2)]);
                with_defaults.extend(own.map(|own| format!("{key} = {own}\n")));
                written_out.extend(own.or(*default).map(|value| format!("{key} = {value}\n")));
            }
        }
        let lines = keys.iter().zip(&defaults).filter_map(|((key, _), value)| Some(format!("{key} = {}\n", (*value)?)));
        let defaults = format!("[defaults]\n{}", lines.collect::<String>());
        let before = random(2) == 0;
        let head = "version = 1\n[data.d]\npath = 'x'\n[data.e]\npath = 'y'\n";
        let with_defaults = if before { format!("{head}{defaults}{with_defaults}") } else { format!("{head}{with_defaults}{defaults}") };
        let written_out = format!("{head}{written_out}");
        assert_eq!(plans(&parse(&with_defaults).unwrap()), plans(&parse(&written_out).unwrap()), "{with_defaults}");
    }
}

// ── The matrix ───────────────────────────────────────────────────────────────────────────────────────────────────────

const MATRIX: &str = r#"version = 1
[source.run42]
path = "a.nnue"
[source.run43]
path = "b.nnue"
[data.d]
path = "x"

[net.first]
source = "run42"
outputs = "{literally}/"

[matrix]
run = ["run42", "run43"]
seed = [0, 0x1F]
fast = [true]

[net."{run}-s{seed}"]
source = "{run}"
description = "{run} with {seed}, {fast}? {run}"
outputs = ["dist/{run}-s{seed}.nnue", "all/"]

[net."{run}-s{seed}".optimize]
data = "d"
seed = "{seed}"
filters.filtered = "{fast}"

[net."only {seed}"]
source = "c.nnue"
outputs = "other/"
"#;

#[test]
fn a_matrix_makes_a_net_per_combination() {
    let text = MATRIX.replace(", {fast}?", "").replace("\"{fast}\"", "true").replace("fast = [true]\n", "");
    let manifest = parse_with(&text, &["net.\"{run}-s{seed}\".compression=none"]).unwrap();
    let names: Vec<&str> = manifest.nets.iter().map(|net| net.name.as_str()).collect();
    assert_eq!(names, ["first", "run42-s0", "run42-s31", "run43-s0", "run43-s31", "only 0", "only 31"]);
    assert_eq!(manifest.warnings, Vec::<String>::new());
    let net = &manifest.nets[2];
    assert_eq!((net.sweep.as_deref(), net.source.name.as_deref()), (Some("{run}-s{seed}"), Some("run42")));
    assert_eq!(net.description.as_ref().unwrap().value, "run42 with 31 run42");
    assert_eq!(net.outputs[0].path.value.typed, "dist/run42-s31.nnue");
    assert_eq!((net.compression.value, manifest.nets[5].compression.value), (Compression::None, Compression::Leb128));
    let seed = &net.optimize.as_ref().unwrap().seed;
    // Whoever looks for the value finds it in the matrix.
    assert_eq!((seed.value, &text[seed.span.start..seed.span.end]), (31, "0x1F"));
    assert_eq!(manifest.nets[0].sweep, None);
    assert_eq!(manifest.nets[0].outputs[0].path.value.typed, "{literally}/");

    let of_sweep = |name: &str| build::select_nets(&manifest, &[name.to_owned()]).map(|nets| nets.len());
    assert_eq!(of_sweep("{run}-s{seed}").unwrap(), 4);
    assert_eq!(of_sweep("run43-s0").unwrap(), 1);
    assert!(of_sweep("{run}").is_err());

    let one = parse_with(&text, &["matrix.seed=[7]", "matrix.run=['run43']"]).unwrap();
    assert_eq!(one.nets.iter().map(|net| net.name.as_str()).collect::<Vec<_>>(), ["first", "run43-s7", "only 7"]);
}

#[test]
fn a_value_alone_keeps_its_type() {
    let text = MATRIX.replace("\"{run}-s{seed}\"", "\"{run}-s{seed}-{fast}\"");
    let manifest = parse(&text).unwrap();
    assert!(manifest.nets[1].optimize.as_ref().unwrap().filters.value.filtered);
    assert_eq!(manifest.nets[1].description.as_ref().unwrap().value, "run42 with 0, true? run42");
    let text = "version = 1\n[matrix]\nx = [1.50, -0.0, 2]\n[net.\"{x}\"]\nsource = \"a.nnue\"\noutputs = \"d/\"\n[net.\"{x}\".optimize]\ndata = \"d\"\nfilters.pc_y1 = \"{x}\"\n[data.d]\npath = \"x\"\n";
    let manifest = parse(text).unwrap();
    assert_eq!(manifest.nets.iter().map(|net| net.name.as_str()).collect::<Vec<_>>(), ["1.5", "0", "2"]);
}

#[test]
fn a_matrix_takes_defaults() {
    let text = MATRIX.replace("seed = \"{seed}\"\n", "").replace("outputs = [\"dist/{run}-s{seed}.nnue\", \"all/\"]\n", "")
        + "[defaults]\noutputs = \"default/{seed}/\"\n[defaults.optimize]\nseed = \"{seed}\"\n";
    let text = text.replace("\"{run}-s{seed}\"", "\"{run}-s{seed}-{fast}\"");
    let text = text.replace("[net.first]\n", "[net.first]\noptimize = false\n").replace("other/\"\n", "other/\"\noptimize.data = \"d\"\n");
    let manifest = parse(&text).unwrap();
    let seeds: Vec<_> = manifest.nets.iter().map(|net| Some(net.optimize.as_ref()?.seed.value)).collect();
    assert_eq!(seeds, [None, Some(0), Some(31), Some(0), Some(31), Some(0), Some(31)]);
    assert_eq!(manifest.nets[2].outputs[0].path.value.typed, "default/31/");
}

/// A matrix is short for its nets written out: the same nets in the same order, however it is laid out.
#[test]
fn a_matrix_is_as_good_as_its_nets_written_out() {
    let mut random = random();
    for _ in 0..300 {
        let axes: Vec<(&str, Vec<&str>)> = [
            ("a", ["'x.nnue'", "\"y.nnue\"", "'z z.nnue'"]),
            ("b", ["5", "1_00", "0xff"]),
            ("c", ["'none'", "'leb128'", "'none'"]),
            ("d", ["0", "-1", "400"]),
        ]
        .into_iter()
        .map(|(name, values)| (name, values[..1 + random(if name == "c" { 2 } else { 3 })].to_vec()))
        .collect();
        let plain = |value: &str| match value {
            "1_00" => "100".to_owned(),
            "0xff" => "255".to_owned(),
            other => other.trim_matches(['\'', '"']).to_owned(),
        };
        let lines: String = axes.iter().map(|(name, values)| format!("{name} = [ {} ] # {}\n", values.join(" , "), random(9))).collect();
        let description = ["", "description = 'of {a}, {b} {c}{d}'\n"][random(2)];
        let body = |source: &str, compression: &str, positions: &str, skip: &str| {
            format!(
                "source = {source}\ncompression = {compression}\noptimize = {{ data = 'd', positions = {positions}, filters = {{ early_fen_skipping = {skip} }} }}\n"
            )
        };
        let template = body("'{a}'", "'{c}'", "'{b}'", "\"{d}\"");
        let net = format!("[net.'{{d}} {{a}}/{{c}}-{{b}}']\noutputs = 'out/{{a}}{{b}}{{c}}{{d}}.nnue'\n{description}{template}");
        let head = "version = 1\n[data.d]\npath = 'p'\n";
        let with_matrix = match random(2) {
            0 => format!("{head}[matrix]\n{lines}{net}"),
            _ => format!("{net}[matrix]\n{lines}").replacen("", head, 1),
        };
        let mut written_out = head.to_owned();
        for a in &axes[0].1 {
            for b in &axes[1].1 {
                for c in &axes[2].1 {
                    for d in &axes[3].1 {
                        let fill = |text: &str| {
                            text.replace("{a}", &plain(a)).replace("{b}", &plain(b)).replace("{c}", &plain(c)).replace("{d}", &plain(d))
                        };
                        let name = fill("{d} {a}/{c}-{b}");
                        let outputs = fill("out/{a}{b}{c}{d}.nnue");
                        let net = format!("[net.'{name}']\noutputs = '{outputs}'\n{}{}", fill(description), body(a, c, b, d));
                        written_out.push_str(&net);
                    }
                }
            }
        }
        assert_eq!(plans(&parse(&with_matrix).unwrap()), plans(&parse(&written_out).unwrap()), "{with_matrix}");
    }
}

#[test]
fn a_hundred_thousand_nets_are_read() {
    let values = |count: usize| format!("{:?}", (0..count).collect::<Vec<_>>());
    let text = matrix(&format!("run = {}\nseed = {}\n", values(100), values(1000)), "{run}-{seed}");
    assert_eq!(parse(&text).unwrap().nets.len(), 100_000);
    let more = text + "[net.one]\nsource = \"b.nnue\"\noutputs = \"d/\"\n";
    assert_eq!(parse(&more).unwrap().nets.len(), 100_001, "what is written out one by one is no slip");
}

// ── The disk ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/// A manifest of a megabyte that stands for gigabytes of nets is refused before any of them is made.
#[test]
fn small_manifests_of_huge_nets_are_refused() {
    let values = (0..4000).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
    let net = "source = \"a.nnue\"\noutputs = \"out/{x}-{y}/\"\n";
    let large = "a".repeat(900_000);
    let axis = format!("version = 1\n[matrix]\nx = [{values}]\ny = [\"{large}\"]\n[net.\"n{{x}}-{{y}}\"]\n{net}");
    let places = "{x}".repeat(200_000);
    let repeated = format!(
        "version = 1\n[matrix]\nx = [{values}]\n[net.\"n{{x}}\"]\nsource = \"a.nnue\"\noutputs = \"{{x}}/\"\ndescription = \"{places}\"\n"
    );
    let fixed = format!(
        "version = 1\n[matrix]\nx = [{values}]\n[net.\"n{{x}}\"]\nsource = \"a.nnue\"\noutputs = \"{{x}}/\"\ndescription = \"{large}\"\n"
    );
    let defaults = (0..4000).map(|n| format!("[net.n{n}]\nsource = \"a.nnue\"\noutputs = \"{n}/\"\n")).collect::<String>();
    let list = vec!["0"; 400_000].join(",");
    let cases = [
        (axis, "makes nets that are too large together", "a value of `y` has up to 900000 bytes, and each net has 2 of it"),
        (repeated, "makes nets that are too large together", "each net has 200002 of it"),
        (fixed, "makes nets that are too large together", "its nets, 4000 of them, would have 36"),
        (format!("version = 1\n[defaults]\ndescription = \"{large}\"\n{defaults}"), "`defaults.description` is too large", "4000 nets"),
        (format!("version = 1\n[defaults]\ndescription = [{list}]\n{defaults}"), "`defaults.description` is too large", "400001 values"),
        (format!("version = 1\n[defaults.optimize]\ndata = \"{large}\"\n{defaults}"), "`defaults.optimize` is too large", "4000 nets"),
    ];
    for (text, message, cause) in cases {
        let error = parse(&text).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        let shown = render(&error);
        assert!(shown.contains(message) && shown.contains(cause), "{message} {cause}: {:.400}", shown.replace(['a', '0'], ""));
        assert_eq!(shown.matches("too large").count(), 1);
    }
}

fn load(folder: &Path) -> Result<Manifest, Error> {
    manifest::load(&folder.join("nnue.toml"), &[], &Vocabulary::default())
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

/// Like [`snapshot`], without the name of the temporary folder.
#[track_caller]
fn disk_snapshot(name: &str, folder: &Path) {
    let text = render(&load(folder).unwrap_err());
    let real = folder.canonicalize().unwrap().display().to_string();
    let text = text.replace(&real, "$DIR").replace(&folder.display().to_string(), "$DIR");
    same_as_file(&Path::new(ROOT).join(format!("tests/snapshots/manifest/{name}.txt")), &text);
}

const SWEEP: &str =
    "version = 1\n[net.\"nightly/{stem}\"]\nsource = { glob = \"runs/*/epoch=*.ckpt\" }\noutputs = [\"nightly/{stem}.nnue\"]\n";

#[test]
fn sweep_makes_a_net_per_file() {
    let files = [
        "runs/b/epoch=1.ckpt",
        "runs/a/epoch=20.ckpt",
        "runs/a/epoch=3.ckpt",
        "runs/a/last.ckpt",
        "runs/epoch=9.ckpt",
        "runs/.c/epoch=4.ckpt",
    ];
    let folder = folder(SWEEP, &files);
    fs::create_dir(folder.path().join("runs/a/epoch=dir.ckpt")).unwrap();
    let manifest = load(folder.path()).unwrap();
    let nets: Vec<_> = manifest.nets.iter().map(|net| (net.name.as_str(), net.source.path.value.typed.as_str())).collect();
    assert_eq!(
        nets,
        [
            ("nightly/epoch=20", "runs/a/epoch=20.ckpt"),
            ("nightly/epoch=3", "runs/a/epoch=3.ckpt"),
            ("nightly/epoch=1", "runs/b/epoch=1.ckpt"),
        ]
    );
    let net = &manifest.nets[2];
    assert_eq!(net.sweep.as_deref(), Some("nightly/{stem}"));
    assert_eq!(net.outputs[0].path.value.typed, "nightly/epoch=1.nnue");
    assert_eq!(net.outputs[0].path.value.resolved, folder.path().join("nightly/epoch=1.nnue"));
    assert!(net.source.path.value.resolved.is_file());

    fs::write(folder.path().join("runs/a/epoch=0.ckpt"), "").unwrap();
    let mut manifest = manifest;
    manifest::refresh(&mut manifest).unwrap();
    assert_eq!(manifest.nets.len(), 4);
    assert_eq!(manifest.nets[0].name, "nightly/epoch=0");
}

#[test]
fn a_matrix_of_sweeps() {
    let text = "version = 1\n[matrix]\nrun = [\"a\", \"b\"]\nkind = [\"none\", \"leb128\"]\n[net.\"{run}/{stem} {kind}\"]\n\
                source = { glob = \"runs/{run}/*.ckpt\" }\noutputs = [\"out/{parent}-{stem}-{kind}.nnue\"]\ncompression = \"{kind}\"\n";
    let found = folder(text, &["runs/a/1.ckpt", "runs/a/2.ckpt", "runs/b/1.ckpt", "runs/c/1.ckpt"]);
    let manifest = load(found.path()).unwrap();
    let nets: Vec<_> = manifest.nets.iter().map(|net| (net.name.as_str(), net.outputs[0].path.value.typed.as_str())).collect();
    assert_eq!(
        nets,
        [
            ("a/1 none", "out/a-1-none.nnue"),
            ("a/2 none", "out/a-2-none.nnue"),
            ("a/1 leb128", "out/a-1-leb128.nnue"),
            ("a/2 leb128", "out/a-2-leb128.nnue"),
            ("b/1 none", "out/b-1-none.nnue"),
            ("b/1 leb128", "out/b-1-leb128.nnue"),
        ]
    );
    assert!(manifest.nets.iter().all(|net| net.sweep.as_deref() == Some("{run}/{stem} {kind}")));
    let mut again = load(found.path()).unwrap();
    manifest::refresh(&mut again).unwrap();
    assert_eq!(again.nets, manifest.nets);
    // Neither run has files: one message.
    let none = folder(text, &["runs/c/1.ckpt"]);
    disk_snapshot("matrix_of_sweeps_without_files", none.path());
}

#[test]
fn sweep_patterns() {
    let files = ["a/x.nnue", "a/b/x.nnue", "a/b/c/y.pt", "z.nnue", ".nnue/cache/q.nnue", "a/[1].nnue"];
    let cases: &[(&str, &[&str])] = &[
        ("**/*.nnue", &["a/[1].nnue", "a/b/x.nnue", "a/x.nnue", "z.nnue"]),
        ("**/**/x.nnue", &["a/b/x.nnue", "a/x.nnue"]),
        ("a/**", &["a/[1].nnue", "a/b/c/y.pt", "a/b/x.nnue", "a/x.nnue"]),
        ("./a//b/../x.nnue", &["a/b/../x.nnue"]),
        ("a/*/x.{nnue,pt}", &["a/b/x.nnue"]),
        ("a/\\[1\\].nnue", &["a/[1].nnue"]),
        ("?.nnue", &["z.nnue"]),
        (".nnue/*/[p-r].nnue", &[".nnue/cache/q.nnue"]),
    ];
    for (pattern, expected) in cases {
        let manifest = format!(
            "version = 1\n[net.\"{{parent}}/{{stem}}\"]\nsource = {{ glob = '{pattern}' }}\noutputs = '.out/{{parent}}-{{stem}}.nnue'\n"
        );
        let folder = folder(&manifest, &files);
        let manifest = load(folder.path()).unwrap();
        let found: Vec<_> = manifest.nets.iter().map(|net| net.source.path.value.typed.as_str()).collect();
        assert_eq!(found, *expected, "{pattern}");
    }
}

#[test]
fn sweep_without_files() {
    let folder = folder(SWEEP, &["runs/x"]);
    disk_snapshot("sweep_without_files", folder.path());
}

#[test]
fn sweep_with_one_stem_twice() {
    let folder = folder(SWEEP, &["runs/a/epoch=1.ckpt", "runs/b/epoch=1.ckpt", "runs/c/epoch=1.ckpt"]);
    disk_snapshot("sweep_with_one_stem_twice", folder.path());
}

#[test]
fn sweep_makes_the_name_of_another_net() {
    let text = format!("{SWEEP}[net.\"nightly/epoch=1\"]\nsource = \"a.nnue\"\noutputs = \"d/\"\n");
    let folder = folder(&text, &["runs/a/epoch=1.ckpt"]);
    disk_snapshot("sweep_makes_the_name_of_another_net", folder.path());
}

#[test]
fn sweep_over_its_own_outputs() {
    let text = "version = 1\n[net.\"{stem}\"]\nsource = { glob = \"nets/*.nnue\" }\noutputs = [\"nets/{stem}.nnue\"]\n";
    let folder = folder(text, &["nets/a.nnue", "nets/b.nnue"]);
    disk_snapshot("sweep_over_its_own_outputs", folder.path());
}

#[test]
fn sweep_that_would_read_what_is_written() {
    let sweep = |glob: &str, outputs: &str| {
        format!("version = 1\n[net.\"n-{{stem}}\"]\nsource = {{ glob = \"{glob}\" }}\noutputs = [\"{outputs}\"]\n")
    };
    let files = ["runs/a.nnue", "runs/b.nnue"];
    for (glob, output) in [
        ("runs/*.nnue", "runs/opt-{stem}.nnue"),
        ("**/*.nnue", "dist/"),
        ("**/*.nnue", "deep/er/{stem}.nnue"),
        ("./runs/../*/?*.nnue", "dist/"),
        ("runs/*", "runs/{stem}.pt"),
        ("runs/*.nnue", "./x/../runs/"),
    ] {
        let folder = folder(&sweep(glob, output), &files);
        let text = render(&load(folder.path()).unwrap_err());
        assert!(text.contains("would become a source of the sweep `n-{stem}`") && text.contains("read by this glob"), "{text}");
        assert_eq!(text.matches("would become").count(), 1, "one mistake for all files: {text}");
    }
    for (glob, output) in [
        ("runs/*.nnue", "runs/opt/{stem}.nnue"),
        ("runs/*.nnue", "runs/{stem}.pt"),
        ("**/*.nnue", ".dist/"),
        ("runs/?.nnue", "runs/"),
        ("runs/**/a.nnue", "runs/out/x-{stem}.nnue"),
    ] {
        let folder = folder(&sweep(glob, output), &files);
        load(folder.path()).unwrap_or_else(|error| panic!("{glob} {output}: {error:?}"));
    }
    // Another net's outputs are sources of the sweep as well.
    let other = format!("{}[net.big]\nsource = \"a.nnue\"\noutputs = [\"runs/\"]\n", sweep("runs/*.nnue", "dist/"));
    disk_snapshot("sweep_over_the_outputs_of_another_net", folder(&other, &files).path());
}

#[cfg(unix)]
#[test]
fn sweep_that_would_read_what_is_written_through_a_link() {
    let text = "version = 1\n[net.\"n-{stem}\"]\nsource = { glob = \"runs/*.nnue\" }\noutputs = [\"link/new-{stem}.nnue\"]\n";
    let folder = folder(text, &["runs/a.nnue"]);
    std::os::unix::fs::symlink("runs", folder.path().join("link")).unwrap();
    assert!(render(&load(folder.path()).unwrap_err()).contains("would become a source"));
}

#[test]
fn default_moves_mean_nothing_to_a_greedy_net() {
    let text = |net: &str, more: &str| {
        format!(
            "version = 1\n[matrix]\nhow = [\"greedy\", \"anneal\"]\n[data.d]\npath = \"d.fen\"\n[defaults.optimize]\ndata = \"d\"\n\
             moves = 7\n{more}[net.\"{net}-{{how}}\"]\nsource = \"a.nnue\"\noutputs = \"{{how}}/\"\n"
        )
    };
    let own = parse(&format!("{}optimize = {{ algorithm = \"{{how}}\" }}\n", text("own", ""))).unwrap();
    let by_default = parse(&text("default", "algorithm = \"{how}\"\n")).unwrap();
    for manifest in [own, by_default] {
        let moves = |index: usize| manifest.nets[index].optimize.as_ref().unwrap().moves.as_ref().map(|moves| moves.value);
        assert_eq!((moves(0), moves(1)), (None, Some(7)));
    }
    // What the net says itself is a mistake as before.
    assert!(parse(&format!("{}optimize = {{ algorithm = \"{{how}}\", moves = 8 }}\n", text("own", ""))).is_err());
}

#[test]
fn an_existing_folder_needs_no_slash() {
    let folder = folder("version = 1\n[net.big]\nsource = \"a.nnue\"\noutputs = [\"dist\", \".\"]\n", &["dist/x"]);
    let manifest = load(folder.path()).unwrap();
    assert!(manifest.nets[0].outputs.iter().all(|output| output.kind == OutputKind::Folder));
}

#[cfg(unix)]
#[test]
fn output_escapes_through_a_link() {
    let outside = tempfile::tempdir().unwrap();
    let text =
        "version = 1\n[net.big]\nsource = \"a.nnue\"\noutputs = [\"link/sub/x.nnue\", \"link/\", \"inner/y.nnue\", \"../up.nnue\"]\n";
    let folder = folder(text, &["real/x"]);
    std::os::unix::fs::symlink(outside.path(), folder.path().join("link")).unwrap();
    std::os::unix::fs::symlink("real", folder.path().join("inner")).unwrap();
    let text = render(&load(folder.path()).unwrap_err());
    let text = text.replace(&outside.path().canonicalize().unwrap().display().to_string(), "$OUTSIDE");
    let text = text.replace(&folder.path().display().to_string(), "$DIR");
    same_as_file(&Path::new(ROOT).join("tests/snapshots/manifest/output_escapes_through_a_link.txt"), &text);
}

#[cfg(unix)]
#[test]
fn outputs_that_meet_through_a_link() {
    let text =
        "version = 1\n[net.a]\nsource = \"a.nnue\"\noutputs = \"real/x.nnue\"\n[net.b]\nsource = \"a.nnue\"\noutputs = \"link/x.nnue\"\n";
    let folder = folder(text, &["real/file"]);
    std::os::unix::fs::symlink("real", folder.path().join("link")).unwrap();
    disk_snapshot("outputs_that_meet_through_a_link", folder.path());
}

#[cfg(unix)]
#[test]
fn an_output_that_is_a_linked_source() {
    let text = "version = 1\n[net.a]\nsource = \"latest.nnue\"\noutputs = \"nets/7.nnue\"\n";
    let folder = folder(text, &["nets/7.nnue"]);
    std::os::unix::fs::symlink("nets/7.nnue", folder.path().join("latest.nnue")).unwrap();
    disk_snapshot("an_output_that_is_a_linked_source", folder.path());
}

#[test]
fn files_that_are_no_manifest() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nnue.toml");
    let mut all = render(&load(folder.path()).unwrap_err());
    for bytes in [&b"version = 1\n\xff"[..], b"\xff\xfev\0e\0"] {
        fs::write(&path, bytes).unwrap();
        all.push_str(&render(&load(folder.path()).unwrap_err()));
    }
    fs::File::create(&path).unwrap().set_len(17 << 20).unwrap();
    all.push_str(&render(&load(folder.path()).unwrap_err()));
    let all = all.replace(&folder.path().display().to_string(), "$DIR");
    same_as_file(&Path::new(ROOT).join("tests/snapshots/manifest/files_that_are_no_manifest.txt"), &all);
}

#[test]
fn found_here_or_above() {
    let folder = folder("version = 1\n", &["a/b/c"]);
    let manifest = folder.path().join("nnue.toml");
    assert_eq!(manifest::find(folder.path()).unwrap(), manifest);
    assert_eq!(manifest::find(&folder.path().join("a/b")).unwrap(), manifest);
    let empty = tempfile::tempdir().unwrap();
    let error = manifest::find(empty.path()).unwrap_err();
    assert_eq!(error.kind(), Kind::Usage);
    assert!(error.help_text().unwrap().contains("-f FILE"));
}

// ── The schema ───────────────────────────────────────────────────────────────────────────────────────────────────────

#[test]
fn the_schema_is_current() {
    let text = format!("{:#}\n", manifest::schema());
    same_as_file(&PathBuf::from(ROOT).join("schemas/nnue.schema.json"), &text);
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

/// The parser says of an unknown key which ones it knows: the same as the schema.
#[test]
fn the_schema_has_the_keys_of_the_parser() {
    let text = "version = 1\nzzz = 0\ncache = { zzz = 0, remote = { zzz = 0 } }\nsource.a = { zzz = 0 }\ndata.a = { zzz = 0 }\ndefaults = { zzz = 0 }\nnet.a = { zzz = 0, source = { zzz = 0 }, optimize = { zzz = 0, filters = { zzz = 0 } } }\n";
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

// ── Damage ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/// Any text gives a manifest or an error that can be shown.
#[test]
fn no_mutation_panics() {
    let example = fs::read(Path::new(ROOT).join("nnue.toml.example")).unwrap();
    // Without comments a mutation is more likely to hit something that is read.
    let example: String =
        String::from_utf8(example).unwrap().lines().map(|line| format!("{}\n", line.split(" #").next().unwrap())).collect();
    let tokens = [
        "\"",
        "[",
        "]",
        "{",
        "}",
        "=",
        "\n",
        "{stem}",
        "{run}",
        "{seed}",
        "..",
        "/",
        "1",
        "-",
        "[net.big]",
        "'''",
        "\u{0}",
        "ü",
        "\r",
        "glob",
        "true",
        "1e9",
        "#",
        "*",
    ];
    let mut random = random();
    let folder = folder("", &["runs/a/epoch=1.ckpt"]);
    let path = folder.path().join("nnue.toml");
    let (mut good, mut bad) = (0, 0);
    for _ in 0..10_000 {
        let mut bytes = example.clone().into_bytes();
        for _ in 0..=random(4) {
            let at = random(bytes.len());
            match random(5) {
                0 => bytes[at] = u8::try_from(random(256)).unwrap(),
                1 => drop(bytes.drain(at..(at + random(40)).min(bytes.len()))),
                2 => drop(bytes.splice(at..at, tokens[random(tokens.len())].bytes())),
                3 => {
                    let from = random(bytes.len());
                    let piece = bytes[from..(from + random(60)).min(bytes.len())].to_vec();
                    drop(bytes.splice(at..at, piece));
                }
                _ => bytes.truncate(at),
            }
            if bytes.is_empty() {
                bytes.push(b'x');
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        let set = Override::parse(&text[..text.floor_char_boundary(30)]).into_iter().collect::<Vec<_>>();
        match manifest::parse(&text, &path, &set, &Vocabulary::default()) {
            Ok(_) => good += 1,
            Err(error) => {
                bad += 1;
                assert!(!render(&error).is_empty());
            }
        }
    }
    assert_eq!(good + bad, 10_000);
    assert!(bad > 5_000 && good > 100, "the mutations do damage, not only ({good} good)");
}

/// Any `--set` is taken or refused, and what is taken can be applied.
#[test]
fn no_override_panics() {
    let mut random = random();
    let pieces = [
        "net", "big", ".", ".", "=", "=", "\"", "'", "\\", " ", "ü", "{stem}", "[", "{", "1", "source", "outputs", "optimize", "\u{0}",
        "\n",
    ];
    let (mut good, mut bad) = (0, 0);
    for _ in 0..10_000 {
        let tail: String = (0..random(9)).map(|_| pieces[random(pieces.len())]).collect();
        let text = if random(2) == 0 { tail } else { format!("net.big.{tail}") };
        match Override::parse(&text) {
            Ok(set) => {
                good += 1;
                if let Err(error) = manifest::parse(HEAD, Path::new("nowhere/nnue.toml"), &[set], &Vocabulary::default()) {
                    assert!(!render(&error).is_empty());
                }
            }
            Err(error) => {
                bad += 1;
                assert!(!render(&error).is_empty());
            }
        }
    }
    assert!(good > 500 && bad > 500, "{good} {bad}");
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
