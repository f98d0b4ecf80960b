//! What the program is made of besides its own safe code: the modules that have `unsafe`, and the crates that do. Both are lists that a
//! change has to touch, so that it is seen. And what these crates ask of the compiler, and how large the package is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::files_below;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn cargo(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).current_dir(root()).args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Clippy holds our own code to it (`incompatible_msrv`).
#[test]
fn no_crate_needs_a_newer_rust_than_the_package_asks_for() {
    let platform = ["--offline", "--locked", "--filter-platform", "x86_64-unknown-linux-gnu"];
    let metadata: serde_json::Value =
        serde_json::from_str(&cargo(&[&["metadata", "--format-version", "1", "--features", "cloud,remote"][..], &platform].concat()))
            .unwrap();
    let version = |text: &str| text.split('.').map(|part| part.parse::<u32>().unwrap()).collect::<Vec<_>>();
    let asked = version(env!("CARGO_PKG_RUST_VERSION"));
    let packages = metadata["packages"].as_array().unwrap();
    let newer = packages.iter().filter(|package| package["rust_version"].as_str().is_some_and(|text| version(text)[..2] > asked[..2]));
    assert_eq!(newer.map(|package| package["id"].to_string()).collect::<Vec<_>>(), Vec::<String>::new());
    assert!(packages.iter().filter(|package| package["rust_version"].is_string()).count() > 100);
}

/// What `cargo publish` would send: all that a build needs, and little else.
#[test]
fn the_package_is_small() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().to_str().unwrap();
    cargo(&["package", "--offline", "--locked", "--no-verify", "--allow-dirty", "--quiet", "--target-dir", target]);
    let package = folder.path().join(concat!("package/nnue-", env!("CARGO_PKG_VERSION"), ".crate"));
    let size = package.metadata().unwrap().len();
    assert!(size < 1_200_000, "{size} bytes");
}

/// Lines of Rust in which the word stands, outside of comments.
fn unsafe_lines(code: &str) -> usize {
    let is_one = |line: &&str| {
        let code = line.trim_start().split("//").next().unwrap_or_default();
        code.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|word| word == "unsafe")
    };
    code.lines().filter(is_one).count()
}

#[test]
fn only_the_named_modules_have_unsafe_code() {
    let mut found = BTreeSet::new();
    for path in files_below(&root().join("src")).into_iter().filter(|path| path.extension().is_some_and(|ending| ending == "rs")) {
        let code = std::fs::read_to_string(&path).unwrap();
        if code.contains("allow(unsafe_code") || code.contains("expect(unsafe_code") {
            found.insert(path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned());
        }
    }
    // Where the lint is off, and so for the files below them.
    let named = [
        "src/accumulator/kernel/mod.rs",
        "src/cli/panics.rs",
        "src/evaluate/dense/mod.rs",
        "src/files/bytes.rs",
        "src/files/lost.rs",
        "src/permutation/backend/opencl/enabled.rs",
        "src/permutation/kernel/mod.rs",
        "src/permutation/matrix.rs",
    ];
    assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), named);
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    for lint in ["unsafe_code = \"deny\"", "unsafe_op_in_unsafe_fn = \"deny\"", "undocumented_unsafe_blocks = \"deny\""] {
        assert!(manifest.contains(lint), "{lint}");
    }
    let architecture = std::fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    for name in [
        "accumulator/kernel",
        "cli/panics.rs",
        "evaluate/dense",
        "files/bytes.rs",
        "files/lost.rs",
        "permutation/kernel",
        "permutation/matrix.rs",
    ] {
        assert!(architecture.contains(name), "docs/architecture.md does not name `{name}`");
    }
}

/// `audits.txt` has a line for each crate of the default build that has `unsafe` code: name, version, how many lines, and what it is needed
/// for. `UPDATE=1` writes the figures anew and keeps the words.
#[test]
fn crates_with_unsafe_code_are_listed() {
    let platform = ["--offline", "--locked", "--filter-platform", "x86_64-unknown-linux-gnu"];
    let metadata: serde_json::Value =
        serde_json::from_str(&cargo(&[&["metadata", "--format-version", "1"][..], &platform].concat())).unwrap();
    let tree =
        cargo(&["tree", "--offline", "--locked", "--target", "x86_64-unknown-linux-gnu", "-e", "normal,no-proc-macro", "--prefix", "none"]);
    let used: BTreeSet<(&str, &str)> = tree
        .lines()
        .filter_map(|line| line.split_once(" v"))
        .map(|(name, rest)| (name, rest.split(' ').next().unwrap_or_default()))
        .filter(|(name, _)| *name != "nnue")
        .collect();
    assert!(used.len() > 80, "{}", used.len());
    let mut found = BTreeMap::new();
    for package in metadata["packages"].as_array().unwrap() {
        let (name, version) = (package["name"].as_str().unwrap(), package["version"].as_str().unwrap());
        if !used.contains(&(name, version)) {
            continue;
        }
        let folder: PathBuf = Path::new(package["manifest_path"].as_str().unwrap()).parent().unwrap().join("src");
        let sources = files_below(&folder).into_iter().filter(|path| path.extension().is_some_and(|ending| ending == "rs"));
        let count: usize = sources.map(|path| unsafe_lines(&String::from_utf8_lossy(&std::fs::read(path).unwrap()))).sum();
        if count > 0 {
            found.insert((name.to_owned(), version.to_owned()), count);
        }
    }
    let path = root().join("audits.txt");
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let mut words = BTreeMap::new();
    let mut listed = BTreeMap::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let parts: Vec<&str> = line.splitn(4, ' ').map(str::trim).collect();
        let [name, version, count, what] = parts[..] else { panic!("audits.txt: `{line}`") };
        words.insert(name.to_owned(), what.to_owned());
        listed.insert((name.to_owned(), version.to_owned()), count.parse::<usize>().unwrap());
    }
    if std::env::var_os("UPDATE").is_some() {
        let head: String = text.lines().take_while(|line| line.starts_with('#')).map(|line| format!("{line}\n")).collect();
        let line = |((name, version), count): (&(String, String), &usize)| {
            format!("{name} {version} {count} {}\n", words.get(name).map_or("?", String::as_str))
        };
        std::fs::write(&path, head + &found.iter().map(line).collect::<String>()).unwrap();
        return;
    }
    assert_eq!(
        listed, found,
        "look at what changed, then `UPDATE=1 cargo test --test cli dependencies::` and say in audits.txt what it is for"
    );
    let unsaid: Vec<&String> = words.iter().filter(|(_, what)| what.len() < 8).map(|(name, _)| name).collect();
    assert!(unsaid.is_empty(), "audits.txt does not say what these are for: {unsaid:?}");
}
