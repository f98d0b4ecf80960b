//! The project that tests run the program in: a temporary folder with a manifest, sources and data. [`Project`] is the one fixture;
//! [`leavings`] is for the tests of robustness, which look at every file that a build left, of projects in folders of their own choice.
#![allow(dead_code, unused_imports, unused_macros, missing_docs)]

/// A manifest of these nets, with the source `run` and the data `fens` that [`Project::new`] makes.
macro_rules! manifest {
    ($nets:literal) => {
        concat!("version = 1\n[source.run]\npath = \"run.nnue\"\nquantization = \"ft127\"\n[data.fens]\npath = \"positions.fen\"\n", $nets)
    };
}
pub(crate) use manifest;

mod leavings;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::SystemTime;

use serde_json::Value;

use crate::cli_support::{self, Ran};
pub use crate::common::files_below;
pub use leavings::*;

/// An engine as a script, sound as far as a build can tell.
pub const ENGINE: &str = r#"#!/bin/sh
net=none
while read -r line; do
    case "$line" in
        uci) echo "id name Fake 1"; echo "option name EvalFile type string default x.nnue"; echo "option name Hash type spin"; echo uciok;;
        isready) echo readyok;;
        "setoption name EvalFile value "*) net=${line#setoption name EvalFile value };;
        "export_net "*) cp "$net" "${line#export_net }"; echo saved;;
        bench*) echo "info string NNUE evaluation using $net enabled"; echo "Nodes searched  : 1234" >&2;;
        quit) exit 0;;
    esac
done
"#;

/// A folder in which the program runs; it goes with the value. [`Self::new`] gives what most tests need, [`Self::empty`] begins a chain:
///
/// ```ignore
/// let project = Project::empty().with_net("run.nnue", 16, 5).with_manifest(MANIFEST);
/// let report = project.json(&["build"]);
/// assert_eq!(statuses(net(&report, "big")), [("load", "ran"), ("write", "ran")]);
/// ```
pub struct Project {
    _folder: tempfile::TempDir,
    /// The folder with the manifest.
    pub path: PathBuf,
    /// What the program finds in its environment besides what the tests' own has.
    pub environment: Vec<(&'static str, String)>,
    /// What stands behind the arguments of every run.
    more: &'static [&'static str],
}

impl Project {
    /// A small net `run.nnue` of L1 = 64, `positions.fen` of 300 lines, and this manifest.
    pub fn new(manifest: &str) -> Self {
        Self::in_folder("project", manifest)
    }

    /// The same in a folder of this name.
    pub fn in_folder(name: &str, manifest: &str) -> Self {
        Self::empty_in(name).with_net("run.nnue", 64, 5).with_fens("positions.fen", 9, 300).with_manifest(manifest)
    }

    /// A folder with nothing in it.
    pub fn empty() -> Self {
        Self::empty_in("project")
    }

    fn empty_in(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self { _folder: folder, path, environment: Vec::new(), more: &[] }
    }

    /// With a net of random weights; folders are made.
    pub fn with_net(self, name: &str, l1: usize, seed: u64) -> Self {
        self.write_net(name, l1, seed);
        self
    }

    /// With this many positions of random games.
    pub fn with_fens(self, name: &str, seed: u64, count: usize) -> Self {
        cli_support::write_fens(&self.place(name), seed, count);
        self
    }

    pub fn with_manifest(self, text: &str) -> Self {
        self.manifest(text);
        self
    }

    pub fn with_env(mut self, name: &'static str, value: &str) -> Self {
        self.environment.push((name, value.to_owned()));
        self
    }

    /// With these arguments behind those of every run.
    pub fn with_args(mut self, args: &'static [&'static str]) -> Self {
        self.more = args;
        self
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// [`Self::at`], in a folder that is there.
    fn place(&self, name: &str) -> PathBuf {
        let path = self.at(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    pub fn manifest(&self, text: &str) {
        self.write("nnue.toml", text);
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.place(name), bytes).unwrap();
    }

    /// Writes the program `fish`.
    pub fn write_engine(&self, text: &str) {
        use std::os::unix::fs::PermissionsExt;
        self.write("fish", text);
        std::fs::set_permissions(self.at("fish"), PermissionsExt::from_mode(0o755)).unwrap();
    }

    /// Writes a net of random weights and gives its bytes.
    pub fn write_net(&self, name: &str, l1: usize, seed: u64) -> Vec<u8> {
        cli_support::write_net(&self.place(name), "small", l1, seed)
    }

    #[track_caller]
    pub fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.at(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    #[track_caller]
    pub fn text(&self, name: &str) -> String {
        String::from_utf8(self.bytes(name)).unwrap()
    }

    #[track_caller]
    pub fn sha256(&self, name: &str) -> String {
        crate::common::sha256(&self.bytes(name))
    }

    /// The program with these arguments, in the folder, without what the machine's environment may say to it.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = cli_support::command(&self.path);
        command.args(args).args(self.more).envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs the program to its end.
    #[track_caller]
    pub fn nnue(&self, args: &[&str]) -> Ran {
        Ran::of(self.command(args).output().unwrap())
    }

    /// Runs the program and leaves it running.
    pub fn start(&self, args: &[&str]) -> Child {
        self.command(args).spawn().unwrap()
    }

    /// What the program prints with `--json`, whatever its exit code.
    #[track_caller]
    pub fn json(&self, args: &[&str]) -> Value {
        self.nnue(&[args, &["--json"]].concat()).json()
    }

    /// All files with their times and digests, of the state and the cache too.
    pub fn snapshot(&self) -> Vec<(PathBuf, SystemTime, String)> {
        let facts = |path: PathBuf| {
            let digest = crate::common::sha256(&std::fs::read(&path).unwrap());
            (path.clone(), std::fs::metadata(&path).unwrap().modified().unwrap(), digest)
        };
        files_below(&self.path).into_iter().map(facts).collect()
    }
}

/// The report's net of this name.
#[track_caller]
pub fn net<'a>(report: &'a Value, name: &str) -> &'a Value {
    let nets = report["nets"].as_array().unwrap();
    nets.iter().find(|net| net["net"] == name).unwrap_or_else(|| panic!("no net `{name}`: {report:#}"))
}

/// The stages of a report's net with what became of each.
pub fn statuses(net: &Value) -> Vec<(&str, &str)> {
    net["stages"].as_array().unwrap().iter().map(|stage| (stage["stage"].as_str().unwrap(), stage["status"].as_str().unwrap())).collect()
}

/// The names of an object's members, in their order.
pub fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}
