//! Every file that builds of one manifest published and that nobody removed since, with the content it was given: a sealed file in
//! `.nnue/state`. It is what `nnue clean` goes by: a file that is not in it, or has another content, is somebody else's.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::sealed;
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::files::lock::{self, Acquired, Sharing, Waiting};
use crate::files::{Durability, OwnPath, Sha256};

/// The layout of the file; one with another number counts as damaged.
const SCHEMA: u32 = 1;

/// A longer file is not one of these: an entry takes some hundred bytes.
const MAX_BYTES: u64 = 256 << 20;

/// A file that a build published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedFile {
    /// As the manifest's folder sees it.
    pub path: PathBuf,
    /// The net that it was of.
    pub net: String,
    /// SHA-256 of what was written.
    pub sha256: Sha256,
    /// Size of it.
    pub bytes: u64,
    /// SHA-256 of the provenance file that was written beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Sha256>,
}

/// The list of one manifest.
#[derive(Debug, Clone)]
pub struct PublishedLog {
    path: OwnPath,
}

#[derive(Serialize, Deserialize)]
struct Versioned {
    schema: u32,
    files: Vec<PublishedFile>,
}

impl PublishedLog {
    /// The list in the folder `state`. Makes nothing yet.
    pub fn new(state: &OwnPath) -> Self {
        Self { path: state.join("published.json") }
    }

    /// All files by path; none where there is no list.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn load(&self) -> Result<Vec<PublishedFile>> {
        let bytes = match self.path.read(MAX_BYTES) {
            Ok(bytes) => Ok(bytes),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(Vec::new()),
            Err(error) => Err(error.to_string()),
        };
        let files = bytes.and_then(|bytes| sealed::unseal::<Versioned>(&bytes)).and_then(|list| match list {
            Versioned { schema: SCHEMA, files } => Ok(files),
            Versioned { schema, .. } => Err(format!("its schema is {schema}, this program knows {SCHEMA}")),
        });
        files.map_err(|why| {
            Error::new(format!("cannot use the list of published files in `{}`", self.path.display()))
                .because(why)
                .help("remove it: builds begin a new one, and what is in no list stays where it is")
        })
    }

    /// Adds files; those of a path that is there already take its place.
    ///
    /// # Errors
    /// When the list cannot be read or written, or the wait for another process was interrupted.
    pub fn add(&self, files: Vec<PublishedFile>, ctx: &Ctx) -> Result<()> {
        if files.is_empty() {
            return Ok(());
        }
        self.change(None, ctx, |known| {
            for mut file in files {
                // A write is noted before there is a provenance file: what is known of that stays while the file does.
                let old = known.get(&file.path).filter(|old| old.sha256 == file.sha256);
                file.provenance = file.provenance.or_else(|| old.and_then(|old| old.provenance));
                known.insert(file.path.clone(), file);
            }
        })
    }

    /// Forgets files, as long as they are listed as they are in `files`.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn remove(&self, files: &[PublishedFile], timeout: Option<Duration>, ctx: &Ctx) -> Result<()> {
        if files.is_empty() {
            return Ok(());
        }
        self.change(timeout, ctx, |known| {
            for file in files {
                if known.get(&file.path) == Some(file) {
                    known.remove(&file.path);
                }
            }
        })
    }

    /// Changes the list while no other process does.
    fn change(&self, timeout: Option<Duration>, ctx: &Ctx, change: impl FnOnce(&mut BTreeMap<PathBuf, PublishedFile>)) -> Result<()> {
        self.path.folder().create_folder()?;
        let waiting = Waiting { message: "waiting for another `nnue` to note what it published", timeout };
        // Where no lock can be made, the last writer wins.
        let _held: Acquired = lock::acquire(&self.path.with_extension("lock"), Sharing::Exclusive, waiting, ctx)?;
        let before = self.load()?;
        let mut known: BTreeMap<PathBuf, PublishedFile> = before.iter().map(|file| (file.path.clone(), file.clone())).collect();
        change(&mut known);
        let files: Vec<PublishedFile> = known.into_values().collect();
        if files == before {
            return Ok(());
        }
        let failed = |error: serde_json::Error| Error::new(format!("cannot write `{}`", self.path.display())).because(error);
        let bytes = sealed::seal(&Versioned { schema: SCHEMA, files }).map_err(failed)?;
        self.path.write_bytes(Durability::Fast, &bytes)
    }
}

#[cfg(test)]
mod tests;
