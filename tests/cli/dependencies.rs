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
        "src/files/map/enabled.rs",
        "src/files/map/lost.rs",
        "src/permutation/backend/opencl/enabled.rs",
        "src/permutation/kernel/mod.rs",
        "src/permutation/matrix.rs",
        "src/platform/windows/calls.rs",
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
        "files/map",
        "files/map/lost.rs",
        "permutation/kernel",
        "permutation/matrix.rs",
        "platform/windows/calls.rs",
    ] {
        assert!(architecture.contains(name), "docs/architecture.md does not name `{name}`");
    }
}

/// Who opens, makes, replaces or removes files by a path, links included: of files that the user named, or below a folder that the program
/// made for itself. All else goes through `files::OwnPath` or `ctx::open_file`, and so does what is new. Below these lies `platform`.
#[test]
fn only_the_named_modules_open_files_by_their_paths() {
    const WAYS: [&str; 17] = [
        "File::open(",
        "File::create",
        "File::options(",
        "fs::read(",
        "fs::read_to_string(",
        "fs::write(",
        "fs::copy(",
        "fs::rename(",
        "fs::remove_",
        "fs::hard_link(",
        "fs::set_permissions(",
        "fs::create_dir",
        "write_atomic(",
        "write_if_different(",
        "Complete::write",
        "create_dir_all(",
        "symlink(",
    ];
    let named = [
        // What the library's user names.
        ("src/api.rs", "write_atomic("),
        // The manifest's report and outputs: those that leave its folder through a link were refused with the manifest.
        ("src/build/page.rs", "create_dir_all( write_if_different("),
        ("src/build/publish.rs", "Complete::write create_dir_all("),
        // What the command line names.
        ("src/cli/convert/mod.rs", "create_dir_all("),
        // `nnue.toml`, after a look that there is none.
        ("src/cli/init.rs", "write_atomic("),
        ("src/cli/lc0.rs", "fs::set_permissions("),
        ("src/cli/man.rs", "create_dir_all("),
        ("src/cli/output.rs", "write_atomic("),
        ("src/cli/perm/mod.rs", "write_atomic("),
        ("src/cli/show/mod.rs", "create_dir_all("),
        // In a temporary folder of its own.
        ("src/family/nnue/stages/engine.rs", "fs::write("),
        // A temporary file of its own.
        ("src/positions/content.rs", "File::open("),
        ("src/ctx.rs", "File::options("),
    ];
    let mut found = BTreeSet::new();
    for path in files_below(&root().join("src")).into_iter().filter(|path| path.extension().is_some_and(|ending| ending == "rs")) {
        let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let is_for_tests = ["testing.rs", "model.rs", "readings.rs"].iter().any(|ending| name.ends_with(ending));
        let is_test = name.ends_with("/tests.rs") || (is_for_tests && !text.contains("#[cfg(test)]"));
        if name.starts_with("src/files/") || name.starts_with("src/platform/") || is_test {
            continue;
        }
        let program = text.split("#[cfg(test)]").next().unwrap_or_default();
        for line in program.lines().map(str::trim_start).filter(|line| !line.starts_with("//")) {
            // `TorchFile::open` and methods of `OwnPath` are none of these.
            let is_there = |way: &str| {
                line.match_indices(way).any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '.'))
            };
            found.extend(WAYS.iter().filter(|way| is_there(way)).map(|way| (name.clone(), (*way).to_owned())));
        }
    }
    let named: BTreeSet<(String, String)> =
        named.iter().flat_map(|(file, ways)| ways.split(' ').map(|way| ((*file).to_owned(), way.to_owned()))).collect();
    assert_eq!(found, named);
}

/// Whether an SPDX expression can be met by licenses of the list: one side of each `OR`, both of each `AND`.
fn is_allowed(expression: &str, allowed: &BTreeSet<&str>) -> bool {
    fn any<'a>(words: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>, allowed: &BTreeSet<&str>) -> bool {
        let mut is_met = all(words, allowed);
        while words.next_if_eq(&"OR").is_some() {
            is_met |= all(words, allowed);
        }
        is_met
    }
    fn all<'a>(words: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>, allowed: &BTreeSet<&str>) -> bool {
        let mut is_met = one(words, allowed);
        while words.next_if_eq(&"AND").is_some() {
            is_met &= one(words, allowed);
        }
        is_met
    }
    fn one<'a>(words: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>, allowed: &BTreeSet<&str>) -> bool {
        if words.next_if_eq(&"(").is_some() {
            let is_met = any(words, allowed);
            assert_eq!(words.next(), Some(")"));
            return is_met;
        }
        let mut name = words.next().unwrap_or_default().to_owned();
        while words.next_if_eq(&"WITH").is_some() {
            name += &format!(" WITH {}", words.next().unwrap_or_default());
        }
        allowed.contains(&*name)
    }
    // As crates of old have it: `MIT/Apache-2.0`.
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut words = spaced.split_whitespace().peekable();
    let is_met = any(&mut words, allowed);
    assert_eq!(words.next(), None, "{expression}");
    is_met
}

#[test]
fn expressions_of_licenses_are_understood() {
    let allowed = BTreeSet::from(["MIT", "Apache-2.0 WITH LLVM-exception", "Zlib"]);
    for (expression, expected) in [
        ("MIT", true),
        ("GPL-2.0 OR MIT", true),
        ("GPL-2.0/MIT", true),
        ("MIT AND GPL-2.0", false),
        ("(GPL-2.0 OR MIT) AND Zlib", true),
        ("GPL-2.0 OR MIT AND GPL-2.0", false),
        ("Apache-2.0", false),
        ("Apache-2.0 WITH LLVM-exception AND (MIT OR X)", true),
        ("", false),
    ] {
        assert_eq!(is_allowed(expression, &allowed), expected, "{expression}");
    }
}

/// What `deny.toml` says of licenses, sources and wildcards holds for every crate that any feature needs on any platform. That no advisory
/// names one of them only `cargo deny check advisories` tells, which needs the network.
#[test]
fn licenses_and_sources_are_those_that_deny_toml_allows() {
    let deny: toml::Table = toml::from_str(&std::fs::read_to_string(root().join("deny.toml")).unwrap()).unwrap();
    let allowed: BTreeSet<&str> = deny["licenses"]["allow"].as_array().unwrap().iter().filter_map(|name| name.as_str()).collect();
    for (section, key) in [("sources", "unknown-registry"), ("sources", "unknown-git"), ("bans", "wildcards"), ("advisories", "yanked")] {
        assert_eq!(deny[section][key].as_str(), Some("deny"), "[{section}] {key}");
    }
    // What is not there yet is fetched.
    let args = ["metadata", "--format-version", "1", "--locked", "--all-features"];
    let output = Command::new(env!("CARGO")).current_dir(root()).args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 200, "{}", packages.len());
    let mut used = BTreeSet::new();
    for package in packages {
        let (name, version) = (package["name"].as_str().unwrap(), package["version"].as_str().unwrap());
        let license = package["license"].as_str().unwrap_or_default();
        assert!(is_allowed(license, &allowed), "{name} {version} is under `{license}`, which deny.toml does not allow");
        used.extend(allowed.iter().filter(|allowed| license.contains(**allowed)));
        if name == "nnue" {
            let dependencies = package["dependencies"].as_array().unwrap();
            assert!(dependencies.iter().all(|dependency| dependency["req"] != "*"), "a version is left open");
            continue;
        }
        let source = package["source"].as_str().unwrap_or_default();
        assert_eq!(source, "registry+https://github.com/rust-lang/crates.io-index", "{name} {version}");
    }
    let idle: Vec<_> = allowed.difference(&used).collect();
    assert!(idle.is_empty(), "deny.toml allows what no crate needs: {idle:?}");
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
