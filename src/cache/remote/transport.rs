//! What every kind of remote can do, and how it fails. Knows nothing of records.
#![cfg_attr(
    not(any(feature = "http", feature = "cloud", feature = "remote")),
    allow(dead_code, reason = "a build without remotes has nothing that answers")
)]

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::execute::Blob;

/// Bytes to upload.
pub(super) type Body = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// What a value is: shown as its name, `ac/0123…` or `cas/0123…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// What came of an action, by the action's name: of the bytes that say what was asked.
    Entry {
        action: Blob,
        /// Those bytes.
        asked: Arc<str>,
    },
    /// Bytes by their own name.
    Blob(Blob),
}

impl Place {
    /// Of what came of the action that `asked` for it.
    pub(super) fn entry(asked: &str) -> Self {
        Self::Entry { action: Blob::of(asked.as_bytes()), asked: asked.into() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry { action, .. } => write!(f, "ac/{}", action.sha256),
            Self::Blob(blob) => write!(f, "cas/{}", blob.sha256),
        }
    }
}

/// Where values are kept. Calls block; whoever cannot wait calls on another thread.
pub(super) trait Transport: Send + Sync {
    /// The value at `place`, of at most `limit` bytes. What a server says of the length is not believed.
    fn get(&self, place: &Place, limit: u64, moved: &Moved) -> Result<Vec<u8>, Failure>;

    /// The length of the value at `place`; `None` where the server does not say it.
    fn length(&self, place: &Place) -> Result<Option<u64>, Failure>;

    /// Puts a value at `place`.
    fn put(&self, place: &Place, body: Body, moved: &Moved) -> Result<(), Failure>;
}

/// Why there is no answer, or no useful one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// There is nothing under this name.
    Absent,
    /// The server answered, and will most likely answer the same again.
    Refused(String),
    /// No connection, a broken one, or an error of the server: it may pass.
    Unavailable(String),
    /// Nothing moved for too long.
    TimedOut(String),
    /// Somebody pressed Ctrl-C.
    Interrupted,
}

/// Bytes that went over the network so far: what shows that a transfer is alive.
#[derive(Debug, Default, Clone)]
pub(super) struct Moved(Arc<AtomicU64>);

impl Moved {
    pub(super) fn add(&self, bytes: usize) {
        self.0.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What somebody else's text may add to a message: one short line, without the queries of URLs, which may be signatures.
pub(super) fn shown(text: &str) -> String {
    const CHARACTERS: usize = 300;
    let mut line = String::new();
    let mut in_query = false;
    for c in text.lines().next().unwrap_or_default().chars().take(CHARACTERS) {
        in_query = match c {
            '?' => true,
            c if c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ')' | '>') => false,
            _ => in_query,
        };
        if !in_query {
            line.push(if c.is_control() { ' ' } else { c });
        }
    }
    line
}

/// The failure of a value that is longer than it may be.
pub(super) fn too_long(limit: u64) -> Failure {
    Failure::Refused(format!("it is longer than the limit of {limit} bytes"))
}

#[cfg(test)]
mod tests;
