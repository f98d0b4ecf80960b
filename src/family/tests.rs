use std::path::PathBuf;

use super::*;

fn facts(folder: &Path, name: &str) -> SourceFacts {
    recognize(&FilePath { typed: name.to_owned(), resolved: folder.join(name) })
}

#[test]
fn the_content_says_whose_a_source_is_and_the_name_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for (bytes, content, family) in [
        (&b"PK\x03\x04 and more of a zip archive"[..], FileKind::TorchZip, Kind::Nnue),
        (b"\x20\x2F\xF3\x7A", FileKind::Nnue, Kind::Nnue),
        (b"\x0d\xc0\x01\0\0", FileKind::Unknown, Kind::Lc0),
        (b"\x7FELF\x02", FileKind::Elf, Kind::Nnue),
        (b"\x7fELF\x01\x02\x03\x04\0\0\0\0Lc0!", FileKind::Elf, Kind::Lc0),
        (b"<!doctype html>", FileKind::Html, Kind::Nnue),
        (b"hello\n", FileKind::Text, Kind::Nnue),
    ] {
        std::fs::write(folder.path().join("a.nnue"), bytes).unwrap();
        assert_eq!(facts(folder.path(), "a.nnue"), SourceFacts { family, content: Some(content), compression: None }, "{bytes:?}");
    }
    let lc0 = r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"__metadata__":{"format":"lc0","lc0.view":"raw"}}"#;
    for (header, family) in [(lc0, Kind::Lc0), (&lc0.replace("lc0", "pt"), Kind::Nnue)] {
        let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0; 4]].concat();
        std::fs::write(folder.path().join("a.safetensors"), bytes).unwrap();
        assert_eq!(facts(folder.path(), "a.safetensors").family, family);
    }
    for name in ["missing.nnue", ""] {
        assert_eq!(facts(folder.path(), name), SourceFacts { family: Kind::Nnue, content: None, compression: None });
    }
}

/// Files that lie below a folder of the sources.
fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { sources(&path, into) } else { into.push(path) }
    }
}

/// What else the rooms above need of the rooms of one family, they ask this room for.
#[test]
fn graph_build_and_cache_name_no_kind_of_net() {
    let forbidden =
        names_of(&["net", "format::nnue", "format::checkpoint", "format::state_dict", "permutation", "accumulator", "evaluate"]);
    let mut files = Vec::new();
    for room in ["plan", "build", "cache", "exec"] {
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(room), &mut files);
    }
    assert!(files.len() > 20, "{files:?}");
    for file in files {
        let text: String = std::fs::read_to_string(&file).unwrap().split_whitespace().collect();
        for word in &forbidden {
            assert!(!text.contains(word.as_str()), "{} uses `{word}`", file.display());
        }
    }
}

/// How code names these rooms, without its white space: as a path, first in a group, or later in one.
fn names_of(rooms: &[&str]) -> Vec<String> {
    let families = ["family::nnue", "family::lc0", "family::described", "family::Kind"].map(str::to_owned);
    let named = rooms.iter().flat_map(|room| ["::", ";"].map(|end| format!("crate::{room}{end}")));
    let grouped = rooms.iter().flat_map(|room| [format!("usecrate::{{{room}::"), format!(",{room}::")]);
    families.into_iter().chain(named).chain(grouped).collect()
}
