use super::*;

fn elf(kinds: &[u32]) -> Vec<u8> {
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(64, 0);
    bytes[32..40].copy_from_slice(&64u64.to_le_bytes());
    bytes[54..56].copy_from_slice(&56u16.to_le_bytes());
    bytes[56..58].copy_from_slice(&(kinds.len() as u16).to_le_bytes());
    for kind in kinds {
        bytes.extend(kind.to_le_bytes());
        bytes.extend([0; 52]);
    }
    bytes
}

#[test]
fn a_program_that_asks_for_a_loader_is_not_static() {
    assert!(is_static(&elf(&[6, 1, 1, 2])));
    assert!(!is_static(&elf(&[6, PT_INTERP, 1])));
    assert!(!is_static(&elf(&[])));
}

#[test]
fn no_cut_and_no_number_is_taken_for_a_static_program_or_panics() {
    let whole = elf(&[1, 2]);
    for cut in 0..whole.len() - 52 {
        assert!(!is_static(&whole[..cut]), "{cut}");
    }
    for at in 0..64 {
        let mut bad = whole.clone();
        bad[at] = 0xff;
        let _ = is_static(&bad);
    }
    assert!(!is_static(b"#!/bin/sh\n") && !is_static(b"\x7fELF\x01\x01"));
    let mut far = whole;
    far[32..40].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(!is_static(&far));
}

/// Test programs are linked as usual.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn this_program_is_told_to_be_made_static_and_another_is_taken_as_named() {
    let error = tool(None).unwrap_err();
    assert!(error.message().contains("workers cannot run") && error.help_text().unwrap().contains("static-linux.sh"), "{error}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nnue");
    assert!(tool(Some(&path)).unwrap_err().message().contains("cannot read the program"));
    std::fs::write(&path, b"x").unwrap();
    assert_eq!(tool(Some(&path)).unwrap(), path);
}
