use super::super::{Compression, read, write};
use super::*;
use crate::format::nnue::Expectation;
use crate::net::random_network;

/// A net of which the first rows are dropped, raw.
fn with_rows(generation: &str, l1: usize, rows: usize) -> Vec<u8> {
    let network = random_network(generation, l1, 3);
    let mut bytes = Vec::new();
    write(&mut bytes, &network, Compression::None).unwrap();
    let parsed = read(&bytes, &Expectation::default()).unwrap();
    let known = parsed.entries.iter().find(|entry| entry.name == "ft.weight").unwrap().shape[0];
    let mut cut: Vec<std::ops::Range<usize>> = Vec::new();
    for entry in parsed.entries.iter().filter(|entry| ["ft.weight", "ft.psqt"].contains(&entry.name.as_str())) {
        cut.push(entry.offset + entry.bytes / known * rows..entry.offset + entry.bytes);
    }
    let mut at = 0;
    let mut kept = Vec::new();
    for range in cut {
        kept.extend_from_slice(&bytes[at..range.start]);
        at = range.end;
    }
    kept.extend_from_slice(&bytes[at..]);
    kept
}

#[test]
fn nets_of_other_feature_sets_are_described() {
    let bytes = with_rows("small", 32, 11264);
    let error = read(&bytes, &Expectation::default()).unwrap_err().to_string();
    for part in ["a kind that is in no table", "0x7F234CF8", "8 layer stacks", "L1=32, L2=15, L3=32", "11264 rows = 16 · 704"] {
        assert!(error.contains(part), "`{part}` is missing: {error}");
    }
    let shogi = diagnose(&with_rows("SFNNv1", 16, 1548 * 10)).unwrap();
    assert_eq!((shogi.rows, shogi.stacks), (Some(15480), 1));
    assert!(shogi.facts().concat().contains("shogi"), "{:?}", shogi.facts());
    let variant = diagnose(&with_rows("SFNNv2", 32, 972)).unwrap();
    assert!(variant.facts().concat().contains("972 rows: of a variant"), "{:?}", variant.facts());
}

#[test]
fn a_version_or_a_packing_does_not_hide_them() {
    let network = random_network("small", 64, 3);
    let mut bytes = Vec::new();
    write(&mut bytes, &network, Compression::Leb128).unwrap();
    bytes[..4].copy_from_slice(&0x1234_5678u32.to_le_bytes());
    let found = diagnose(&bytes).unwrap();
    assert_eq!((found.sizes.map(|sizes| sizes.0), found.rows), (Some(64), Some(22528)));
    assert!(found.facts()[0].contains("0x12345678"));
    let inside = [&bytes[..], &[7; 5000]].concat();
    assert_eq!(diagnose_inside(&inside).map(|found| found.bytes), Some(bytes.len()));
}

#[test]
fn what_is_cut_off_or_something_else_is_not_one() {
    let bytes = with_rows("small", 32, 704);
    for end in [0, 3, 12, 40, bytes.len() / 2, bytes.len() - 1] {
        let found = diagnose(&bytes[..end]);
        assert!(found.as_ref().is_none_or(|found| !found.is_whole()), "{end}: {found:?}");
    }
    assert_eq!(diagnose(&[0; 4096]), None);
    assert_eq!(diagnose_inside(&[1; 4096]), None);
}
