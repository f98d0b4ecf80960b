//! `nnue.lock`: what each net was made from and what came out, by full SHA-256, for people, reviews and `--locked`.
//!
//! One self-contained block a net, sorted by name, so that changes to different nets merge without conflict. It holds no times, no
//! hosts and no absolute paths of its own making: paths stand as the manifest has them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};
use crate::files::OwnPath;
use crate::manifest::{Manifest, Output, OutputKind};
use crate::plan::KEY_SCHEMA;
use crate::shown;
use crate::stage::Proved;

/// Name of the file, beside the manifest.
pub const FILE_NAME: &str = "nnue.lock";

/// Version of the file's format.
const VERSION: u32 = 1;

/// Differences that a message names.
const SHOWN: usize = 100;

/// A longer file is not one that this program wrote: a net takes some hundred bytes.
const MAX_BYTES: u64 = 64 << 20;

/// A file by its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedFile {
    /// As the manifest has it; of a published file, with its name in the folder.
    pub path: String,
    /// 64 digits.
    pub sha256: String,
}

/// One net.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedNet {
    /// Its name.
    pub name: String,
    /// Version of the program that built it. Not compared.
    pub tool: String,
    /// What the keys of its stages were made of.
    pub key_schema: u32,
    /// Source, data and permutation files.
    pub inputs: Vec<LockedFile>,
    /// Published files.
    pub outputs: Vec<LockedFile>,
    /// What the `.nnue` file was proven to evaluate to, where it was.
    #[serde(default)]
    pub proof: Option<LockedProof>,
}

/// A proof by what it claims: over these positions of the net's data, every bucket of the file and of its source gives these values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedProof {
    /// How many.
    pub positions: u64,
    /// Of their choice.
    pub seed: u64,
    /// BLAKE3 of all values, 64 digits.
    pub values: String,
}

impl From<&Proved> for LockedProof {
    fn from(proved: &Proved) -> Self {
        Self { positions: proved.positions, seed: proved.seed, values: proved.digest.to_string() }
    }
}

impl fmt::Display for LockedProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} positions of seed {} with the values {}", self.positions, self.seed, self.values)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    #[serde(default)]
    net: Vec<LockedNet>,
}

/// All nets of a manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lock {
    /// By name.
    pub nets: BTreeMap<String, LockedNet>,
}

impl LockedFile {
    /// Whether it is a file of this output.
    pub fn is_of(&self, output: &Output) -> bool {
        let typed = &output.path.value.typed;
        match output.kind {
            OutputKind::Folder => Path::new(&self.path).parent() == Some(Path::new(typed)),
            _ => self.path == *typed,
        }
    }
}

impl LockedNet {
    /// A net as this program builds it. The files are sorted: the order in which a manifest names them does not matter.
    pub fn new(name: &str, mut inputs: Vec<LockedFile>, mut outputs: Vec<LockedFile>) -> Self {
        for files in [&mut inputs, &mut outputs] {
            files.sort_by(|a, b| a.path.cmp(&b.path));
        }
        let tool = env!("CARGO_PKG_VERSION").to_owned();
        Self { name: name.to_owned(), tool, key_schema: KEY_SCHEMA, inputs, outputs, proof: None }
    }

    /// The same with what was proven.
    #[must_use]
    pub fn proven(self, proof: Option<LockedProof>) -> Self {
        Self { proof, ..self }
    }

    /// What differs from `new`, a line each. The program's version does not count.
    pub fn differences(&self, new: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        for (what, old, new) in [("input", &self.inputs, &new.inputs), ("output", &self.outputs, &new.outputs)] {
            for file in old {
                match new.iter().find(|other| other.path == file.path) {
                    Some(other) if other.sha256 != file.sha256 => {
                        lines.push(format!("{what} `{}`: sha256 {} is locked, now {}", file.path, file.sha256, other.sha256));
                    }
                    Some(_) => {}
                    None => lines.push(format!("{what} `{}` is locked, but no longer part of the net", file.path)),
                }
            }
            for file in new.iter().filter(|file| !old.iter().any(|other| other.path == file.path)) {
                lines.push(format!("{what} `{}` (sha256 {}) is not locked", file.path, file.sha256));
            }
        }
        // What is not proven, or not yet, claims nothing that could be contradicted.
        if let (Some(old), Some(new)) = (&self.proof, &new.proof)
            && old != new
        {
            lines.push(format!("proof: {old} is locked, now {new}"));
        }
        if self.key_schema != new.key_schema {
            lines.push(format!("key schema {} is locked, now {}", self.key_schema, new.key_schema));
        }
        lines
    }
}

/// Where a manifest's lock is: beside it and named after it, so that two manifests of one folder do not share one.
pub fn path_of(manifest: &Manifest) -> OwnPath {
    OwnPath::new(&manifest.folder, name_of(manifest))
}

/// The name of a manifest's lock, `nnue.lock` for `nnue.toml`.
pub fn name_of(manifest: &Manifest) -> String {
    let stem = manifest.path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    stem.map_or_else(|| FILE_NAME.to_owned(), |stem| format!("{stem}.lock"))
}

impl Lock {
    /// Reads the file; a missing one is empty.
    ///
    /// # Errors
    /// When it cannot be read, or is not what this program writes.
    pub fn read(path: impl Into<OwnPath>) -> Result<Self> {
        let path = path.into();
        let bytes = match path.read(MAX_BYTES) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => {
                let error = Error::io("cannot read", path.as_path(), error);
                return Err(error.help("restore it from version control, or remove it: the next build writes a new one"));
            }
        };
        let wrong = |why: String| {
            Error::usage(format!("`{}` is not a valid lock file", path.display()))
                .because(why)
                .help("restore it from version control, or remove it: the next build writes a new one")
        };
        let markers = ["<<<<<<< ", ">>>>>>> "].map(str::as_bytes);
        if bytes.split(|byte| *byte == b'\n').any(|line| markers.iter().any(|marker| line.starts_with(marker))) {
            return Err(Error::usage(format!("`{}` is not a valid lock file", path.display()))
                .because("a merge of git left conflict markers in it")
                .help("take either side, `git checkout --ours FILE` or `--theirs`, and run `nnue build`: it brings the file up to date"));
        }
        let text = std::str::from_utf8(&bytes).map_err(|error| wrong(error.to_string()))?;
        let document: Document = toml::from_str(text).map_err(|error| wrong(error.message().to_owned()))?;
        if document.version != VERSION {
            return Err(wrong(format!("its version is {}, this program knows {VERSION}", document.version)));
        }
        let mut nets = BTreeMap::new();
        for net in document.net {
            // A merge that kept both sides: neither is more true than the other.
            if let Some(net) = nets.insert(net.name.clone(), net) {
                return Err(wrong(format!("it has the net `{}` twice", net.name)));
            }
        }
        Ok(Self { nets })
    }

    /// Writes the file, unless it has exactly these bytes already.
    ///
    /// # Errors
    /// Those of the file operations.
    pub fn write(&self, path: impl Into<OwnPath>) -> Result<()> {
        path.into().write_if_different(self.text().as_bytes()).map(drop)
    }

    /// The file's text. Written by hand: its layout is part of what makes it merge well.
    fn text(&self) -> String {
        let quote = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let mut text = format!("# Made by nnue, one block a net. Commit it; do not edit it.\nversion = {VERSION}\n");
        for net in self.nets.values() {
            text.push_str(&format!(
                "\n[[net]]\nname = {}\ntool = {}\nkey_schema = {}\n",
                quote(&net.name),
                quote(&net.tool),
                net.key_schema
            ));
            for (name, files) in [("inputs", &net.inputs), ("outputs", &net.outputs)] {
                text.push_str(&format!("{name} = [\n"));
                for file in files {
                    text.push_str(&format!("    {{ path = {}, sha256 = {} }},\n", quote(&file.path), quote(&file.sha256)));
                }
                text.push_str("]\n");
            }
            if let Some(LockedProof { positions, seed, values }) = &net.proof {
                text.push_str(&format!("proof = {{ positions = {positions}, seed = {seed}, values = {} }}\n", quote(values)));
            }
        }
        text
    }
}

/// The error of `--locked` and `verify`: exit code 3, a line for each difference.
pub fn difference(message: &str, lines: &[String]) -> Error {
    let mut error = Error::with_kind(Kind::Difference, message);
    for line in lines.iter().take(SHOWN) {
        error = error.because(shown::bounded(line.clone(), 1000));
    }
    if let Some(more) = lines.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        error = error.because(format!("and {more} more"));
    }
    error.help("build without `--locked` to accept the difference, or restore the files that changed")
}

#[cfg(test)]
mod tests;
