//! The program that a worker runs: it has to run where there is no other file, no library and no loader.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::ctx::open_file;
use crate::error::{Error, Result};

/// More bytes of a program than its headers take.
const HEAD: u64 = 64 << 10;
/// The entry of a program header table that names a loader.
const PT_INTERP: u32 = 3;

/// Whether the program with these first bytes is an ELF file that asks for no loader.
pub(crate) fn is_static(head: &[u8]) -> bool {
    needs_loader(head) == Some(false)
}

/// `None` for what is no ELF file of 64 bits and little-endian numbers, or is cut off.
fn needs_loader(head: &[u8]) -> Option<bool> {
    let bytes = |at: usize, count: usize| head.get(at..at.checked_add(count)?);
    let word = |at: usize| Some(u32::from_le_bytes(bytes(at, 4)?.try_into().ok()?));
    let half = |at: usize| Some(u16::from_le_bytes(bytes(at, 2)?.try_into().ok()?));
    // Magic, 64 bits, little-endian.
    (bytes(0, 6)? == b"\x7fELF\x02\x01").then_some(())?;
    let table = usize::try_from(u64::from_le_bytes(bytes(32, 8)?.try_into().ok()?)).ok()?;
    let (size, count) = (usize::from(half(54)?), usize::from(half(56)?));
    let mut needs = false;
    for entry in 0..count {
        needs |= word(table.checked_add(entry.checked_mul(size)?)?)? == PT_INTERP;
    }
    // A program without a single segment does not run at all.
    (count > 0).then_some(needs)
}

/// The program to send: what the manifest names, or this one.
///
/// # Errors
/// When none is named and this one needs the libraries of its machine.
pub(crate) fn tool(named: Option<&Path>) -> Result<PathBuf> {
    if let Some(path) = named {
        return match open_file(path) {
            Ok(_) => Ok(path.to_owned()),
            Err(error) => Err(Error::io("cannot read the program for workers", path, error).help("`[remote] tool` names it")),
        };
    }
    let own = std::env::current_exe().map_err(|error| Error::new("cannot tell where this program is").because(error))?;
    let mut head = Vec::new();
    let read = open_file(&own).and_then(|file| file.take(HEAD).read_to_end(&mut head));
    read.map_err(|error| Error::io("cannot read this program", &own, error))?;
    if is_static(&head) {
        return Ok(own);
    }
    Err(Error::usage("workers cannot run this `nnue`")
        .because("it needs the shared libraries of this machine, and a worker has none")
        .help(
            "make a static one with `packaging/static-linux.sh`, and use it, or name it: `[remote] tool = \"…/bin/nnue\"`; `--remote off` runs \
             everything here",
        ))
}

#[cfg(test)]
mod tests {
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
}
