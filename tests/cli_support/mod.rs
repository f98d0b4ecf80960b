//! Running the binary and looking at all of what it did: exit code, stdout, stderr.
#![allow(dead_code, missing_docs)]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A program that checks what is here, named by the variable `variable`; without it the test is skipped, which is a failure in CI.
pub fn tool(variable: &str, what: &str) -> Option<PathBuf> {
    let found = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.exists());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "{variable} does not name {what}, and CI must not skip this");
        println!("skipped: {variable} does not name {what}");
    }
    found
}

/// A program of the Debian package of its name; without it the test is skipped, which is a failure in CI.
pub fn debian(name: &str) -> Option<PathBuf> {
    let path = Path::new("/usr/bin").join(name);
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var_os("CI").is_none(), "Debian's package `{name}` is missing, and CI must not skip this");
    println!("skipped: no {name} (`apt-get install {name}`)");
    None
}

/// What one run of the binary did.
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// Runs `nnue` with `args` in `folder`, without a terminal and without what the environment of the test might say.
#[track_caller]
pub fn nnue<S: AsRef<OsStr>>(folder: &Path, args: impl IntoIterator<Item = S>) -> Ran {
    Ran::of(command(folder).args(args).output().unwrap())
}

/// The program, to be started in `folder`. Nothing of the machine that runs the tests reaches it: neither settings nor credentials.
pub fn command(folder: &Path) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("nnue"));
    let starts = ["GITHUB_", "NNUE_", "AWS_", "GOOGLE_", "AZURE_", "SSL_CERT_"];
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let is_known = starts.iter().any(|start| text.starts_with(start)) || ["NO_COLOR", "RUST_BACKTRACE"].contains(&&*text);
        if is_known || text.to_lowercase().ends_with("_proxy") {
            command.env_remove(&name);
        }
    }
    command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Ran {
    #[track_caller]
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code().expect("it was not killed"),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// All of it as one text, for comparison with a written-out expectation.
    pub fn transcript(&self) -> String {
        format!("exit {}\n--- stdout\n{}--- stderr\n{}", self.code, self.out, self.err)
    }

    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{}", self.transcript());
        self
    }

    /// A failure with this code that says all of `parts` on stderr and prints nothing.
    #[track_caller]
    pub fn fails(self, code: i32, parts: &[&str]) -> Self {
        assert_eq!(self.code, code, "{}", self.transcript());
        for part in parts {
            assert!(self.err.contains(part), "`{part}` is missing:\n{}", self.transcript());
        }
        assert_eq!(self.out, "", "{}", self.transcript());
        self
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.transcript()))
    }
}

/// The names of the files in a folder, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A small net of the generation, as a file.
pub fn write_net(path: &Path, generation: &str, l1: usize, seed: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let network = nnue::internals::net::random_network(generation, l1, seed);
    nnue::internals::format::nnue::write(&mut bytes, &network, nnue::internals::format::nnue::Compression::Leb128).unwrap();
    std::fs::write(path, &bytes).unwrap();
    bytes
}

/// Positions of random games as lines of FEN.
pub fn write_fens(path: &Path, seed: u64, count: usize) {
    let lines: Vec<String> = nnue::internals::positions::generate(seed, count).iter().map(|position| position.to_fen() + "\n").collect();
    std::fs::write(path, lines.concat()).unwrap();
}
