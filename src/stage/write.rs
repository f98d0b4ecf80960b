//! `write`: a network → the bytes of a file.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::members;
use crate::files::Sha256;
use crate::format::content_name::{net_name, weights_name};
use crate::words::{Compression, CompressionChoice, FileFormat};

/// Parameters of `write`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// What kind of file.
    pub format: FileFormat,
    /// How `.nnue` files are packed; other formats have nothing of it.
    pub compression: CompressionChoice,
    /// How the source is packed, where that is known: what `auto` comes to. Otherwise the network's generation decides.
    pub source_compression: Option<Compression>,
    /// Replaces the network's own.
    pub description: Option<String>,
}

/// A file that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// Digest of its bytes.
    #[serde(with = "super::hex")]
    pub sha256: Sha256,
    /// Digest of what it unpacks to, where its family names files by that.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "super::hex::optional")]
    pub content: Option<Sha256>,
}

impl Write {
    /// The compression as it enters the key: by its own name wherever it is known, whoever said it.
    fn settled(&self) -> CompressionChoice {
        self.compression.named().or(self.source_compression).map_or(CompressionChoice::Auto, Into::into)
    }

    pub(super) fn params(&self) -> Map<String, Value> {
        members([
            ("format", Some(json!(self.format))),
            ("compression", (self.format == FileFormat::Nnue).then(|| json!(self.settled()))),
            ("description", self.description.as_ref().map(|text| json!(text))),
        ])
    }
}

impl Written {
    /// A file that is named by its own bytes.
    pub const fn new(sha256: Sha256) -> Self {
        Self { sha256, content: None }
    }

    /// Its name in a folder of files that are named by their content.
    pub fn name(&self) -> String {
        self.content.as_ref().map_or_else(|| net_name(&self.sha256), weights_name)
    }

    /// None: the file is a subject of the statement, with its digest.
    #[expect(clippy::unused_self, reason = "all outcomes answer this")]
    pub(super) fn annotations(&self) -> Map<String, Value> {
        Map::new()
    }
}

#[cfg(test)]
mod tests;
