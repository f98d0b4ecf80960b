//! What other engines' own tools wrote, byte for byte, through the command line.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::common::{data, json, read_maybe_xz, sha256};

/// Source file, its layout, the layout to write, the tool's file.
pub(crate) type Made = (&'static str, &'static str, &'static str, &'static str);

/// Every output that an engine's tool made, by engine.
pub(crate) const OUTPUTS: &[(&str, &[Made])] = &[
    (
        "plentychess",
        &[
            ("raw.bin", "raw", "quantised", "quantised.bin"),
            ("raw.bin", "raw", "published", "compressed.bin"),
            ("raw.bin", "raw", "embed-generic-raw", "processed.generic.bin"),
            ("raw.bin", "raw", "embed-ssse3-raw", "processed.ssse3.bin"),
            ("raw.bin", "raw", "embed-avx2-raw", "processed.avx2.bin"),
            ("raw.bin", "raw", "embed-avx512-raw", "processed.avx512.bin"),
            ("compressed.bin", "published", "embed-generic-published", "processed_from_compressed.generic.bin"),
            ("compressed.bin", "published", "embed-ssse3-published", "processed_from_compressed.ssse3.bin"),
            ("compressed.bin", "published", "embed-avx2-published", "processed_from_compressed.avx2.bin"),
            ("compressed.bin", "published", "embed-avx512-published", "processed_from_compressed.avx512.bin"),
        ],
    ),
    (
        "viridithas",
        &[
            ("raw.bin", "raw", "checkpoint", "merged.bin"),
            ("raw.bin", "raw", "quantised", "quantised.bin"),
            ("raw.bin", "raw", "memory-x86-64-v2", "verbatim.x86-64-v2.bin"),
            ("raw.bin", "raw", "memory-x86-64-v3", "verbatim.x86-64-v3.bin"),
            ("raw.bin", "raw", "memory-x86-64-v4", "verbatim.x86-64-v4.bin"),
        ],
    ),
    (
        "alexandria",
        &[
            ("raw.bin", "raw", "published", "quantised.nn.net"),
            ("quantised.nn.net", "published", "embed-generic", "processed.generic.net"),
            ("quantised.nn.net", "published", "embed-avx2", "processed.avx2.net"),
            ("quantised.nn.net", "published", "embed-avx512", "processed.avx512.net"),
        ],
    ),
    (
        "stormphrax",
        &[("in.nnue", "published", "embed-avx2", "permuted.avx2.nnue"), ("in.nnue", "published", "embed-avx512", "permuted.avx512.nnue")],
    ),
    (
        "integral",
        &[
            ("in.nnue", "published", "embed-sse41", "processed.sse41.nnue"),
            ("in.nnue", "published", "embed-avx2", "processed.avx2.nnue"),
            ("in.nnue", "published", "embed-avx512", "processed.avx512.nnue"),
        ],
    ),
    ("bullet", &[("weights.bin", "raw", "raw", "raw.bin"), ("weights.bin", "raw", "quantised", "quantised.bin")]),
];

/// The king buckets of the small net; the engine's own has more.
const VIRIDITHAS_MAP: &str = "inputs.2.buckets=[0,0,1,1,0,0,1,1,2,2,2,2,2,2,2,2,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3]";

pub(crate) fn engines() -> Option<PathBuf> {
    data("golden_engines")
}

/// The files of a case, unpacked.
pub(crate) fn unpacked(folder: &Path, case: &str) -> tempfile::TempDir {
    let into = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(folder.join("public").join(case)).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().trim_end_matches(".xz").to_owned();
        std::fs::write(into.path().join(&name), read_maybe_xz(&path.with_file_name(&name))).unwrap();
    }
    into
}

pub(crate) fn nnue(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_nnue")).current_dir(folder).args(arguments).output().unwrap()
}

fn converted(folder: &Path, arguments: &[&str]) -> Vec<u8> {
    let all = [&["convert"], arguments].concat();
    let output = nnue(folder, &all);
    assert!(output.status.success(), "{all:?}\n{}", String::from_utf8_lossy(&output.stderr));
    std::fs::read(folder.join(arguments[1])).unwrap()
}

/// Every output of a case with one architecture; returns how many there were.
fn check_case(engines: &Path, case: &str, engine: &str, architecture: &str, sets: &[String]) -> usize {
    let index = json(&engines.join("index.json"));
    let files = &index[format!("public/{case}")]["files"];
    let folder = unpacked(engines, case);
    let outputs = OUTPUTS.iter().find(|(name, _)| *name == engine).unwrap().1;
    let mut checked = 0;
    for (source, from, to, target) in outputs {
        let (Some(wanted), true) = (files[*target]["sha256"].as_str(), folder.path().join(source).exists()) else { continue };
        let mut arguments = vec![*source, "out", "--architecture", architecture, "--from", from, "--to", to];
        arguments.extend(sets.iter().flat_map(|set| ["--set", set]));
        if folder.path().join("order.txt").exists() {
            arguments.extend(["--ft_perm", "order.txt"]);
        }
        assert_eq!(sha256(&converted(folder.path(), &arguments)), wanted, "{case}: {target} with {architecture}");
        checked += 1;
    }
    checked
}

#[test]
fn every_tools_outputs_come_from_its_description() {
    let Some(engines) = engines() else { return };
    let mut checked = 0;
    for (engine, _) in OUTPUTS {
        checked += check_case(&engines, engine, engine, "net.toml", &[]);
    }
    checked += check_case(&engines, "plentychess-wrap", "plentychess", "net.toml", &[]);
    assert!(checked >= 35, "{checked}");
}

#[test]
fn every_tools_outputs_come_from_the_shipped_architectures() {
    let Some(engines) = engines() else { return };
    let index = json(&engines.join("index.json"));
    let sets_of = |case: &str, engine: &str| {
        let sizes = index[format!("public/{case}")]["sizes"].as_object().unwrap().clone();
        let mut sets: Vec<String> = sizes.iter().map(|(name, size)| format!("sizes.{name}={size}")).collect();
        if engine == "viridithas" {
            sets.push(VIRIDITHAS_MAP.to_owned());
        }
        sets
    };
    for (engine, outputs) in OUTPUTS {
        let checked = check_case(&engines, engine, engine, engine, &sets_of(engine, engine));
        assert!(checked >= outputs.len() - 1, "{engine}: {checked}");
    }
    let mut sets = sets_of("plentychess-wrap", "plentychess");
    sets.push("step.l1.overflow=wrap".to_owned());
    assert_eq!(check_case(&engines, "plentychess-wrap", "plentychess", "plentychess", &sets), 10);
}

#[test]
fn what_does_not_fit_is_an_error_that_leaves_no_file() {
    let Some(engines) = engines() else { return };
    for (case, source, set) in [("bullet-overflow", "weights.bin", None), ("plentychess-wrap", "raw.bin", Some("step.l1.overflow=error"))] {
        let folder = unpacked(&engines, case);
        let _ = std::fs::remove_file(folder.path().join("quantised.bin"));
        let mut arguments = vec!["convert", source, "out", "--architecture", "net.toml", "--from", "raw", "--to", "quantised"];
        arguments.extend(set.iter().flat_map(|set| ["--set", set]));
        let output = nnue(folder.path(), &arguments);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(message.contains("`l1.w` do not fit i8") && message.contains("overflow = \"saturate\""), "{message}");
        assert!(!folder.path().join("out").exists());
    }
}

#[test]
fn a_wrong_file_or_name_is_said_to_be_one() {
    let Some(engines) = engines() else { return };
    let folder = unpacked(&engines, "plentychess");
    std::fs::write(folder.path().join("short"), &std::fs::read(folder.path().join("raw.bin")).unwrap()[..1000]).unwrap();
    let refused = |arguments: &[&str], code: i32, words: &[&str]| {
        let output = nnue(folder.path(), &[&["convert", arguments[0], "out", "--architecture", "net.toml"], &arguments[1..]].concat());
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {message}");
        words.iter().for_each(|word| assert!(message.contains(word), "{arguments:?}: {message}"));
        assert!(!folder.path().join("out").exists());
    };
    refused(&["short", "--from", "raw", "--to", "quantised"], 1, &["takes 817288 bytes, the file has 1000"]);
    refused(&["raw.bin", "--to", "quantized"], 2, &["did you mean `quantised`"]);
    refused(&["raw.bin"], 2, &["`--to` is missing", "`published`"]);
    refused(&["raw.bin", "--to", "quantised", "--set", "sizes.nouron=3"], 2, &["did you mean `neuron`"]);
    refused(&["quantised.bin", "--to", "published"], 2, &["fits the layouts", "`--from LAYOUT`"]);
    refused(&["raw.bin", "--to", "quantised", "--set", "sizes.l3in=2*o"], 2, &["no size is named `o`", "has 2 errors"]);
}

#[test]
fn values_that_are_no_numbers_are_refused() {
    let Some(engines) = engines() else { return };
    let folder = unpacked(&engines, "plentychess");
    let raw = std::fs::read(folder.path().join("raw.bin")).unwrap();
    // The factoriser, which is quantized, and the last bias, which stays a float.
    for (at, role) in [(400, "`ft.factor`"), (raw.len() - 4, "`l3.b`")] {
        let mut bytes = raw.clone();
        bytes[at..at + 4].copy_from_slice(&f32::NAN.to_le_bytes());
        std::fs::write(folder.path().join("nan"), bytes).unwrap();
        let output = nnue(folder.path(), &["convert", "nan", "out", "--architecture", "net.toml", "--from", "raw", "--to", "published"]);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(message.contains(role) && !folder.path().join("out").exists(), "{message}");
    }
}

#[test]
fn published_files_are_rewritten_as_they_are_and_permuted_as_their_tool_does() {
    let Some(engines) = engines() else { return };
    let folder = unpacked(&engines, "plentychess");
    let at = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    let with = |source: &str, from: &str, to: &str, more: &[&str]| {
        converted(folder.path(), &[&[source, "made", "--architecture", "net.toml", "--from", from, "--to", to], more].concat())
    };
    assert_eq!(with("compressed.bin", "published", "published", &[]), at("compressed.bin"));
    // Without an order the neurons stay; the order applied to that is what the tool wrote.
    std::fs::write(folder.path().join("plain"), with("raw.bin", "raw", "published", &[])).unwrap();
    assert_ne!(at("plain"), at("compressed.bin"));
    assert_eq!(with("plain", "published", "published", &["--ft_perm", "order.txt"]), at("compressed.bin"));
    // The order of lanes is undone.
    assert_eq!(with("processed.avx2.bin", "embed-avx2-raw", "quantised", &[]), at("quantised.bin"));
    assert_eq!(with("processed.avx512.bin", "embed-avx512-raw", "embed-avx2-raw", &[]), at("processed.avx2.bin"));
}

#[test]
fn zstd_holds_what_the_tool_made() {
    let Some(engines) = engines() else { return };
    let folder = unpacked(&engines, "viridithas");
    let from_raw = ["raw.bin", "net.zst", "--architecture", "net.toml", "--from", "raw", "--to", "published"];
    let packed = converted(folder.path(), &from_raw);
    // What libzstd 1.5.7 makes of it at level 19: another encoder would re-key builds, and must not come unnoticed.
    assert_eq!(sha256(&packed), "e4687f37cbbb4f3de9f0f977ccb49eb76e68475890c93ebf9397a628590904ed");
    let back = ["net.zst", "out", "--architecture", "net.toml", "--from", "published", "--to", "quantised"];
    assert_eq!(converted(folder.path(), &back), std::fs::read(folder.path().join("quantised.bin")).unwrap());
}

#[test]
fn networks_in_stockfishs_format_return_to_their_bytes() {
    let Some(engines) = engines() else { return };
    let folder = tempfile::tempdir().unwrap();
    let cases: [(&str, &str, &str, &[&str]); 3] = [
        ("nn-61e7af4bb97d.nnue", "stockfish-768", "leb128", &[]),
        ("kp64.bin", "shogi", "none", &["--set", "sizes.row=1710", "--set", "sizes.neuron=64"]),
        ("sfnn.bin", "shogi-sfnn", "leb128", &[]),
    ];
    for (name, architecture, layout, sets) in cases {
        let bytes = read_maybe_xz(&engines.join("foreign").join(name));
        std::fs::write(folder.path().join("in"), &bytes).unwrap();
        let other = if layout == "none" { "leb128" } else { "none" };
        let forth = [&["in", "other", "--architecture", architecture, "--to", other][..], sets].concat();
        let changed = converted(folder.path(), &forth);
        assert_ne!(changed, bytes, "{name}");
        let back = [&["other", "back", "--architecture", architecture, "--to", layout][..], sets].concat();
        assert!(converted(folder.path(), &back) == bytes, "{name}");
    }
}

#[test]
fn architectures_are_listed_and_shown() {
    let folder = tempfile::tempdir().unwrap();
    let list = nnue(folder.path(), &["architecture", "list", "--json"]);
    let list: serde_json::Value = serde_json::from_slice(&list.stdout).unwrap();
    let names: Vec<&str> = list["architectures"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    for name in ["plentychess", "viridithas", "stormphrax", "reckless", "alexandria", "integral", "obsidian", "bullet"] {
        assert!(names.contains(&name), "{name}");
        let shown = nnue(folder.path(), &["architecture", "show", name]);
        assert!(shown.status.success() && String::from_utf8_lossy(&shown.stdout).contains("schema = \"engine-net-1\""), "{name}");
    }
    assert_eq!(nnue(folder.path(), &["architecture", "show", "nothing"]).status.code(), Some(2));
}

#[test]
fn features_are_numbered_as_the_engines_number_them() {
    use nnue::internals::family::described::Architecture;
    use nnue::internals::positions::{Color, Position};

    let Some(engines) = engines() else { return };
    let fens = std::fs::read_to_string(engines.join("features/fens.txt")).unwrap();
    for block in ["threats-66864", "threats-59808", "pawn-pairs-4560"] {
        let text = format!(
            "schema = \"engine-net-1\"\n[sizes]\nn = 2\n[[inputs]]\nblock = \"{block}\"\nmirror = \"abcd\"\n[tensors]\nx = [\"n\"]\n\
             [layout.file]\ntensors = [{{ role = \"x\", dtype = \"i8\" }}]\n"
        );
        let architecture = Architecture::parse(block, &text, &[]).unwrap();
        let input = architecture.inputs().next().unwrap();
        let expected = std::fs::read_to_string(engines.join(format!("features/{block}.txt"))).unwrap();
        let mut lines = expected.lines();
        let mut positions = 0;
        for fen in fens.lines() {
            let position = Position::from_fen(fen).unwrap();
            for color in [Color::White, Color::Black] {
                let mut rows = Vec::new();
                input.active(&position, color, &mut rows);
                rows.sort_unstable();
                let rows: Vec<String> = rows.iter().map(u32::to_string).collect();
                assert_eq!(rows.join(","), lines.next().unwrap(), "{block} {fen} {color:?}");
            }
            positions += 1;
        }
        assert_eq!(positions, 19);
        assert_eq!(lines.next(), None);
    }
}

#[test]
fn every_source_has_a_page() {
    let Some(engines) = engines() else { return };
    for (engine, outputs) in OUTPUTS {
        let folder = unpacked(&engines, engine);
        let mut sources: Vec<(&str, &str)> = outputs.iter().map(|(source, from, _, _)| (*source, *from)).collect();
        sources.dedup();
        for (source, from) in sources.into_iter().filter(|(source, _)| folder.path().join(source).exists()) {
            let options = ["show", source, "--architecture", "net.toml", "--from", from, "--out", "page.html"];
            let shown = nnue(folder.path(), &options);
            assert!(shown.status.success(), "{engine}, {source}: {}", String::from_utf8_lossy(&shown.stderr));
            let page = std::fs::read_to_string(folder.path().join("page.html")).unwrap();
            // These nets have fewer rows than the blocks of their engines: what they are of is not known.
            for id in ["summary", "layers", "histograms"] {
                assert!(page.contains(&format!("id=\"{id}\"")), "{engine}, {source}: no {id}");
            }
        }
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("net.nnue"), read_maybe_xz(&engines.join("foreign/nn-61e7af4bb97d.nnue"))).unwrap();
    assert!(nnue(folder.path(), &["show", "net.nnue", "--format", "png", "--out", "pictures"]).status.success());
    assert!(std::fs::read_dir(folder.path().join("pictures")).unwrap().count() > 3);
    let refused = nnue(folder.path(), &["show", "net.nnue", "--ref", "net.nnue", "--out", "x.html"]);
    assert_eq!(refused.status.code(), Some(2), "{}", String::from_utf8_lossy(&refused.stderr));
}

#[test]
fn foreign_networks_are_said_to_be_foreign() {
    let Some(engines) = engines() else { return };
    let folder = tempfile::tempdir().unwrap();
    for (name, words, good) in [
        ("kp64.bin", "a network for shogi (K+P, 1710 rows, 64 neurons)", true),
        ("sfnn.bin", "a network for shogi (K+A2, 1791 rows, 64 neurons)", true),
        ("halfkp_256x2-32-32.head", "a network for shogi (HalfKP(Friend), 125388 rows, 256 neurons)", false),
        ("nn-61e7af4bb97d.nnue", "768 rows", true),
    ] {
        std::fs::write(folder.path().join("net.nnue"), read_maybe_xz(&engines.join("foreign").join(name))).unwrap();
        let inspected = nnue(folder.path(), &["inspect", "net.nnue"]);
        let text = String::from_utf8_lossy(&inspected.stdout).into_owned();
        assert!(text.contains(words), "{name}: {text}");
        assert!(!text.contains("read as SFNNv1"), "{name}: {text}");
        assert_eq!(inspected.status.success(), good, "{name}");
        let refused = nnue(folder.path(), &["convert", "net.nnue", "out.npz"]);
        let message = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(1), "{name}");
        assert!(message.contains(words) && message.contains("--architecture"), "{name}: {message}");
    }
}

#[test]
fn a_permutation_is_found_and_applied_on_the_way() {
    let Some(engines) = engines() else { return };
    let folder = unpacked(&engines, "bullet");
    std::fs::copy(engines.join("features/fens.txt"), folder.path().join("positions.epd")).unwrap();
    let sizes = ["--set", "sizes.neuron=16", "--set", "sizes.out=8", "--set", "sizes.l3=16", "--set", "sizes.head=2"];
    let search = ["--ft_optimize", "--ft_optimize_data", "positions.epd", "--ft_optimize_count", "18", "--json"];
    let shipped =
        [&["convert", "weights.bin", "out", "--architecture", "bullet", "--from", "raw", "--to", "quantised"][..], &sizes].concat();
    let output = nnue(folder.path(), &[&shipped[..], &search].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let zero = &result["zero_blocks"];
    assert_eq!(zero["positions"], 18);
    assert!(zero["after"].as_f64() >= zero["before"].as_f64(), "{result}");
    // The described net of the test data has no step that reorders.
    let described =
        [&["convert", "weights.bin", "none", "--architecture", "net.toml", "--from", "raw", "--to", "quantised"][..], &search].concat();
    assert_eq!(nnue(folder.path(), &described).status.code(), Some(2));
    assert!(!folder.path().join("none").exists());
}

#[test]
fn files_are_compared_up_to_the_order_of_the_neurons() {
    let Some(engines) = engines() else { return };
    let folder = unpacked(&engines, "plentychess");
    let plain = ["raw.bin", "plain", "--architecture", "net.toml", "--from", "raw", "--to", "published"];
    converted(folder.path(), &plain);
    let diff = |a: &str, b: &str| {
        let output = nnue(folder.path(), &["diff", a, b, "--architecture", "net.toml", "--from", "published", "--json"]);
        serde_json::from_slice::<serde_json::Value>(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
    };
    assert_eq!(diff("plain", "plain")["relation"], "identical_bytes");
    let moved = diff("plain", "compressed.bin");
    assert_eq!(moved["relation"], "equal_up_to_permutation");
    let order = std::fs::read_to_string(folder.path().join("order.txt")).unwrap();
    let found: Vec<String> = moved["permutation"].as_array().unwrap().iter().map(|index| index.to_string()).collect();
    assert_eq!(found.join(","), order.trim());
    // The last float: one bit of its lowest byte.
    let mut bytes = std::fs::read(folder.path().join("plain")).unwrap();
    let last = bytes.len() - 5;
    bytes[last] ^= 1;
    std::fs::write(folder.path().join("other"), bytes).unwrap();
    let other = diff("plain", "other");
    assert_eq!(
        (&other["relation"], &other["tensors"][0]["name"], &other["tensors"][0]["differing"]),
        (&"different".into(), &"l3.b".into(), &1.into())
    );
}

#[test]
fn a_file_without_a_header_is_known_by_its_length() {
    let folder = tempfile::tempdir().unwrap();
    // The floats of bullet's `simple`: 768 rows of 128 neurons, their biases, two sides of output weights, one bias.
    let length = 4 * (768 * 128 + 128 + 2 * 128 + 1);
    std::fs::write(folder.path().join("raw"), vec![0; length]).unwrap();
    let inspected = nnue(folder.path(), &["inspect", "raw"]);
    let text = String::from_utf8_lossy(&inspected.stdout).into_owned();
    assert!(inspected.status.success() && text.contains("`bullet-simple`: `raw`") && text.contains("ft.psq"), "{text}");
    std::fs::write(folder.path().join("raw"), vec![0; length + 4]).unwrap();
    assert_eq!(nnue(folder.path(), &["inspect", "raw"]).status.code(), Some(1));
}

#[test]
fn permutations_are_printed_for_pasting() {
    let Some(engines) = engines() else { return };
    let folder = unpacked(&engines, "plentychess");
    let show = |arguments: &[&str]| String::from_utf8(nnue(folder.path(), &[&["perm", "show"], arguments].concat()).stdout).unwrap();
    let order = std::fs::read_to_string(folder.path().join("order.txt")).unwrap();
    assert_eq!(show(&["order.txt"]).trim(), order.trim());
    // The tool sorts the counts stably.
    assert_eq!(show(&["activations.txt", "--counts"]).trim(), order.trim());
    let rust = show(&["order.txt", "--as", "rust", "--name", "ORDER"]);
    assert!(rust.starts_with("const ORDER: [usize; 32] = [\n    6, 11, "), "{rust}");
    std::fs::write(folder.path().join("order.rs"), rust).unwrap();
    assert_eq!(show(&["order.rs"]).trim(), order.trim());
}
