//! What the last build of each net was made from: one sealed JSON file a net in `.nnue/state/nets/`, beside the manifest.
//!
//! It exists so that `status` and `explain` can say what changed, old and new. Nothing is ever skipped because of it alone; a
//! corrupt file counts as missing.

use std::{io, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::{
    record::{Key, Preimage},
    sealed,
};
use crate::{
    ctx::Ctx,
    error::{Error, Result},
    files::{Blake3, Durability, OwnPath, Sha256, Signature, digest::hex},
};

/// The layout of the files; a file with another number counts as missing.
const SCHEMA: u32 = 1;

/// Encoded names longer than this are cut and end in a hash; file systems allow 255 bytes.
const MAX_NAME: usize = 200;

/// A longer file is not one of these.
const MAX_BYTES: u64 = 64 << 20;

/// The folder of the build states of one workspace.
#[derive(Debug, Clone)]
pub struct BuildLog {
    folder: OwnPath,
}

/// The last build of one net.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BuildState {
    /// The net's name in the manifest.
    pub net: String,
    /// Version of the program that built it.
    pub tool_version: String,
    /// Its actions, inputs before those that use them.
    pub stages: Vec<StageState>,
    /// The files that were published.
    pub outputs: Vec<OutputState>,
}

/// One action of a build.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageState {
    /// The stage's name.
    pub stage: String,
    /// The key's preimage, the key with it.
    pub preimage: Preimage,
    /// BLAKE3 of the artifact.
    pub output_digest: Blake3,
}

impl StageState {
    /// The action's key.
    pub fn key(&self) -> Key {
        self.preimage.key()
    }
}

/// One published file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutputState {
    /// As the manifest's folder sees it.
    pub path: PathBuf,
    /// SHA-256 of the contents.
    pub sha256: Sha256,
    /// Size.
    pub bytes: u64,
    /// The file's signature, where it could stand for the contents when this was recorded.
    pub signature: Option<Signature>,
    /// The rules of the place of publication that these contents were checked by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checked: Option<String>,
    /// SHA-256 of the provenance file that was written beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Sha256>,
}

#[derive(Serialize, Deserialize)]
struct Versioned<T> {
    schema: u32,
    state: T,
}

impl BuildLog {
    /// The log in `folder`, for example `.nnue/state/nets`. Makes nothing yet.
    pub fn new(folder: impl Into<OwnPath>) -> Self {
        Self { folder: folder.into() }
    }

    /// The last build of `net`; `None` where there was none, and with a warning where it cannot be read.
    pub fn load(&self, net: &str, ctx: &Ctx) -> Option<BuildState> {
        let path = self.path(net);
        let bytes = match path.read(MAX_BYTES) {
            Ok(bytes) => Ok(bytes),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return None,
            Err(error) => Err(error.to_string()),
        };
        let state = bytes.and_then(|bytes| sealed::unseal::<Versioned<BuildState>>(&bytes)).and_then(|file| match file {
            Versioned { schema: SCHEMA, state } if state.net == net => Ok(state),
            Versioned { schema: SCHEMA, state } => Err(format!("it is about the net `{}`", state.net)),
            Versioned { schema, .. } => Err(format!("its schema is {schema}, this program knows {SCHEMA}")),
        });
        state.map_err(|why| ctx.warn(format!("cannot use the record of the last build in `{}`: {why}", path.display()))).ok()
    }

    /// Replaces what is known of `net` by `state`; an unchanged file is left alone.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, net: &str, state: &BuildState) -> Result<()> {
        let path = self.path(net);
        let failed = |error: serde_json::Error| Error::new(format!("cannot write `{}`", path.display())).because(error);
        let bytes = sealed::seal(&Versioned { schema: SCHEMA, state }).map_err(failed)?;
        if path.read(bytes.len() as u64).is_ok_and(|old| old == bytes) {
            return Ok(());
        }
        self.folder.create_folder()?;
        path.write_bytes(Durability::Fast, &bytes)
    }

    /// Forgets `net`.
    ///
    /// # Errors
    /// When its file is there and cannot be removed.
    pub fn remove(&self, net: &str) -> Result<()> {
        self.path(net).remove().map(drop)
    }

    fn path(&self, net: &str) -> OwnPath {
        self.folder.join(format!("{}.json", encode_name(net)))
    }
}

/// A file name for any net name: lower-case letters, digits, `_` and `-` stay, also `.` but at the start; every other byte becomes
/// `%xx`. So no two names collide, even on file systems that ignore case. A long one is cut and ends in `~` and a hash.
fn encode_name(net: &str) -> String {
    let mut name = String::with_capacity(net.len());
    for (i, byte) in net.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => name.push(char::from(byte)),
            b'.' if i > 0 => name.push('.'),
            _ => name.push_str(&format!("%{byte:02x}")),
        }
    }
    if name.len() > MAX_NAME {
        let hash = blake3::hash(net.as_bytes());
        name.truncate(MAX_NAME - 65);
        name.push('~');
        name.push_str(hex(hash.as_bytes(), &mut [0; 64]));
    }
    name
}

#[cfg(test)]
mod tests;
