//! What has to be known of sources before anything runs: a short look at the head of each, once per file.

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::format::identify::{FileKind, identify};
use crate::manifest::{FilePath, ResolvedNet};

/// How much of a file is looked at, bytes.
const HEAD: usize = 512;

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
}

impl Facts {
    /// Looks at the sources of `nets`.
    pub fn probe(nets: &[&ResolvedNet]) -> Self {
        let mut facts = Self::default();
        for net in nets {
            let path = &net.source.path.value;
            if !facts.sources.contains_key(&path.resolved) {
                facts.sources.insert(path.resolved.clone(), SourceFacts::probe(path));
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
    fn probe(path: &FilePath) -> Self {
        match kind_of(&path.resolved) {
            Some(kind) => Self { kind: Some(kind), is_float: is_float(kind) },
            None => Self { kind: None, is_float: !path.typed.ends_with(".nnue") },
        }
    }
}

fn kind_of(path: &Path) -> Option<FileKind> {
    // A pipe would keep us waiting; hashing refuses it later, with its name.
    if !std::fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut head = [0u8; HEAD];
    let length = std::fs::File::open(path).and_then(|mut file| file.read(&mut head)).ok()?;
    Some(identify(&head[..length]))
}

fn is_float(kind: FileKind) -> bool {
    matches!(kind, FileKind::TorchZip | FileKind::TorchLegacy | FileKind::Safetensors)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(folder: &Path, name: &str) -> SourceFacts {
        SourceFacts::probe(&FilePath { typed: name.to_owned(), resolved: folder.join(name) })
    }

    #[test]
    fn the_content_says_what_a_source_is_and_the_name_only_without_it() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.nnue"), b"PK\x03\x04 and more of a zip archive").unwrap();
        let zip = probe(folder.path(), "a.nnue");
        assert_eq!((zip.kind, zip.is_float), (Some(FileKind::TorchZip), true));
        assert_eq!(probe(folder.path(), "missing.nnue"), SourceFacts { kind: None, is_float: false });
        assert_eq!(probe(folder.path(), "missing.ckpt"), SourceFacts { kind: None, is_float: true });
        assert_eq!(probe(folder.path(), "").kind, None, "a folder");
    }
}
