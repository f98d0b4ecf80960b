//! Running the binary and looking at all of what it did: exit code, stdout, stderr.
#![allow(dead_code, missing_docs)]

use std::ffi::OsStr;
use std::path::Path;

/// What one run of the binary did.
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// Runs `nnue` with `args` in `folder`, without a terminal and without what the environment of the test might say.
pub fn nnue<S: AsRef<OsStr>>(folder: &Path, args: impl IntoIterator<Item = S>) -> Ran {
    let output = command(folder).args(args).output().unwrap();
    Ran {
        code: output.status.code().expect("it was not killed"),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

pub fn command(folder: &Path) -> assert_cmd::Command {
    let mut command = assert_cmd::Command::new(assert_cmd::cargo::cargo_bin!("nnue"));
    command.current_dir(folder).env_remove("NO_COLOR").env_remove("RUST_BACKTRACE");
    command
}

impl Ran {
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
    let network = nnue::net::random_network(generation, l1, seed);
    nnue::format::nnue::write(&mut bytes, &network, nnue::format::nnue::Compression::Leb128).unwrap();
    std::fs::write(path, &bytes).unwrap();
    bytes
}

/// Positions of random games as lines of FEN.
pub fn write_fens(path: &Path, seed: u64, count: usize) {
    let lines: Vec<String> = nnue::positions::generate(seed, count).iter().map(|position| position.to_fen() + "\n").collect();
    std::fs::write(path, lines.concat()).unwrap();
}
