use super::*;

#[test]
fn wrong_files_are_named() {
    for (bytes, kind) in [
        (&b""[..], FileKind::Empty),
        (b"<!DOCTYPE html><html>", FileKind::Html),
        (b"  <HTML>", FileKind::Html),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", FileKind::LfsPointer),
        (b"\x1F\x8B\x08\0", FileKind::Gzip),
        (b"BZh91AY&SY\0", FileKind::Bzip2),
        (b"[Event \"Titled Tuesday\"]\n", FileKind::Pgn),
        (b"hello world\n", FileKind::Text),
        (b"PK\x03\x04", FileKind::TorchZip),
        (b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x05\0\0\0a.npy", FileKind::Npz),
        (b"\x7FELF\x02", FileKind::Elf),
        (b"\x20\x2F\xF3\x7A", FileKind::Nnue),
        (b"BINP\0\0\0\0", FileKind::Binpack),
        (b"\x00\x01\x02", FileKind::Unknown),
    ] {
        assert_eq!(identify(bytes), kind, "{bytes:?}");
    }
}

#[test]
fn names_are_unlike() {
    let mut names: Vec<&str> = KINDS.iter().map(|row| row.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), KINDS.len());
}

#[test]
fn packed_files_are_looked_into() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    for (packing, bytes) in packed::tests::packed(b"BINP and some more bytes") {
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(probe(&path).unwrap(), Found { kind: FileKind::Binpack, packing: Some(packing) });
        assert_eq!(&*unpacked(Bytes::from_vec(bytes)).unwrap().0, b"BINP and some more bytes");
    }
    let bytes = packed::tests::brotli(b"\x20\x2F\xF3\x7A and some more bytes");
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(probe(&path).unwrap(), Found { kind: FileKind::Nnue, packing: Some(Packing::Brotli) });
    assert_eq!(&*unpacked(Bytes::from_vec(bytes)).unwrap().0, b"\x20\x2F\xF3\x7A and some more bytes");
    std::fs::write(&path, b"\x1F\x8B\x08\0").unwrap();
    assert_eq!(probe(&path).unwrap(), Found { kind: FileKind::Gzip, packing: Some(Packing::Gzip) });
    assert!(probe(folder.path()).unwrap_err().message().contains("folder"));
}
