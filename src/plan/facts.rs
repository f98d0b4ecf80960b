//! What has to be known of sources before anything runs: a short look at the head of each, once per file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::files::Bytes;
use crate::format::nnue;
use crate::format::sources::{FileKind, probe};
use crate::manifest::{FilePath, ResolvedNet};
use crate::words::Compression;

/// What the sources of some nets are, by path.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    sources: HashMap<PathBuf, SourceFacts>,
}

/// What is known of one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceFacts {
    /// By its content; `None` for what cannot be read: that fails later, with a reason.
    pub kind: Option<FileKind>,
    /// Whether it holds float weights, which have to be coalesced and quantized; by its name where it cannot be read.
    pub is_float: bool,
    /// How it is packed, for a `.nnue` file that can be read.
    pub compression: Option<Compression>,
}

impl Facts {
    /// Looks at the sources of `nets`.
    pub fn probe(nets: &[&ResolvedNet]) -> Self {
        let mut facts = Self::default();
        for net in nets {
            let path = &net.source.path.value;
            if !facts.sources.contains_key(&path.resolved) {
                facts.sources.insert(path.resolved.clone(), SourceFacts::of(path));
            }
        }
        facts
    }

    /// What is known of the source at this path, if it was looked at.
    pub fn of(&self, path: &Path) -> Option<SourceFacts> {
        self.sources.get(path).copied()
    }
}

impl SourceFacts {
    fn of(path: &FilePath) -> Self {
        // What cannot be read, a pipe for example, is refused later, with its name.
        match probe(&path.resolved) {
            Ok(found) => {
                let compression = (found.kind == FileKind::Nnue && found.packing.is_none()).then(|| stored(&path.resolved)).flatten();
                Self { kind: Some(found.kind), is_float: found.kind.holds_floats(), compression }
            }
            Err(_) => Self { kind: None, is_float: !path.typed.ends_with(".nnue"), compression: None },
        }
    }
}

/// How the network in a `.nnue` file is packed. Of the mapped file only the headers are read.
fn stored(path: &Path) -> Option<Compression> {
    nnue::compression(&Bytes::map(path).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(folder: &Path, name: &str) -> SourceFacts {
        SourceFacts::of(&FilePath { typed: name.to_owned(), resolved: folder.join(name) })
    }

    #[test]
    fn the_content_says_what_a_source_is_and_the_name_only_without_it() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.nnue"), b"PK\x03\x04 and more of a zip archive").unwrap();
        let zip = facts(folder.path(), "a.nnue");
        assert_eq!((zip.kind, zip.is_float), (Some(FileKind::TorchZip), true));
        assert_eq!(facts(folder.path(), "missing.nnue"), SourceFacts { kind: None, is_float: false, compression: None });
        assert_eq!(facts(folder.path(), "missing.ckpt"), SourceFacts { kind: None, is_float: true, compression: None });
        assert_eq!(facts(folder.path(), "").kind, None, "a folder");
        for compression in [Compression::None, Compression::Leb128] {
            let mut bytes = Vec::new();
            nnue::write(&mut bytes, &crate::net::random_network("small", 8, 1), compression).unwrap();
            std::fs::write(folder.path().join("b.nnue"), bytes).unwrap();
            assert_eq!(facts(folder.path(), "b.nnue").compression, Some(compression));
        }
    }
}
