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
mod tests;
