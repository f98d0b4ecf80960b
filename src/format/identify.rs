//! What a file really is, by its first bytes: for messages about wrong files, and for choosing a reader.

use crate::error::Error;

/// Kinds of files that turn up where a network is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// Nothing in it.
    Empty,
    /// A `.nnue` network.
    Nnue,
    /// A PyTorch archive (or another zip).
    TorchZip,
    /// A PyTorch file of the old, non-zip kind.
    TorchLegacy,
    /// A safetensors file.
    Safetensors,
    /// A NumPy array.
    Npy,
    /// Stockfish training data.
    Binpack,
    /// An ELF executable or library.
    Elf,
    /// A Windows executable or library.
    Pe,
    /// A macOS executable or library.
    MachO,
    /// A page that a server sent in place of the file.
    Html,
    /// The text that git stores when git-lfs is not installed.
    LfsPointer,
    /// gzip.
    Gzip,
    /// xz.
    Xz,
    /// zstd.
    Zstd,
    /// A tar archive.
    Tar,
    /// Readable text.
    Text,
    /// Nothing that is known.
    Unknown,
}

impl FileKind {
    /// Name in `inspect --json`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Nnue => "nnue",
            Self::TorchZip => "torch-zip",
            Self::TorchLegacy => "torch-legacy",
            Self::Safetensors => "safetensors",
            Self::Npy => "npy",
            Self::Binpack => "binpack",
            Self::Elf => "elf",
            Self::Pe => "pe",
            Self::MachO => "macho",
            Self::Html => "html",
            Self::LfsPointer => "git-lfs-pointer",
            Self::Gzip => "gzip",
            Self::Xz => "xz",
            Self::Zstd => "zstd",
            Self::Tar => "tar",
            Self::Text => "text",
            Self::Unknown => "unknown",
        }
    }

    /// Whether a network may stand somewhere inside.
    pub const fn is_executable(self) -> bool {
        matches!(self, Self::Elf | Self::Pe | Self::MachO)
    }
}

/// Recognises `bytes`, which may be the beginning of a file (512 bytes are enough).
pub fn identify(bytes: &[u8]) -> FileKind {
    let begins = |magic: &[u8]| bytes.starts_with(magic);
    if bytes.is_empty() {
        FileKind::Empty
    } else if super::nnue::is_nnue(bytes) {
        FileKind::Nnue
    } else if begins(b"PK\x03\x04") || begins(b"PK\x05\x06") {
        FileKind::TorchZip
    } else if is_torch_legacy(bytes) {
        FileKind::TorchLegacy
    } else if begins(super::npy::MAGIC) {
        FileKind::Npy
    } else if begins(b"BINP") {
        FileKind::Binpack
    } else if begins(b"\x7FELF") {
        FileKind::Elf
    } else if begins(b"MZ") {
        FileKind::Pe
    } else if [[0xFE, 0xED, 0xFA, 0xCE], [0xFE, 0xED, 0xFA, 0xCF], [0xCE, 0xFA, 0xED, 0xFE], [0xCF, 0xFA, 0xED, 0xFE]]
        .iter()
        .any(|m| begins(m))
    {
        FileKind::MachO
    } else if begins(b"\x1F\x8B") {
        FileKind::Gzip
    } else if begins(b"\xFD7zXZ\0") {
        FileKind::Xz
    } else if begins(b"\x28\xB5\x2F\xFD") {
        FileKind::Zstd
    } else if bytes.get(257..262) == Some(b"ustar") {
        FileKind::Tar
    } else if bytes.get(8) == Some(&b'{') && bytes.first_chunk().is_some_and(|length| u64::from_le_bytes(*length) < 1 << 32) {
        FileKind::Safetensors
    } else {
        identify_text(bytes)
    }
}

/// The pickled magic number that opens a legacy file: protocol 2 to 5, then a ten-byte integer.
fn is_torch_legacy(bytes: &[u8]) -> bool {
    const MAGIC_NUMBER: [u8; 12] = [0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19];
    bytes.first() == Some(&0x80)
        && bytes.get(2..).is_some_and(|rest| rest.starts_with(&MAGIC_NUMBER) || rest.get(9..).is_some_and(|r| r.starts_with(&MAGIC_NUMBER)))
}

fn identify_text(bytes: &[u8]) -> FileKind {
    let head = &bytes[..bytes.len().min(512)];
    // A multi-byte character may be cut off at the end of the window.
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default(),
        Err(_) => return FileKind::Unknown,
    };
    let lower = text.trim_start_matches(['\u{FEFF}', ' ', '\t', '\r', '\n']).to_ascii_lowercase();
    if lower.starts_with("version https://git-lfs") {
        FileKind::LfsPointer
    } else if lower.starts_with("<!doctype html") || lower.starts_with("<html") || lower.starts_with("<head") || lower.starts_with("<?xml")
    {
        FileKind::Html
    } else if text.chars().all(|c| !c.is_control() || c.is_ascii_whitespace()) {
        FileKind::Text
    } else {
        FileKind::Unknown
    }
}

/// For a file that cannot hold a network: what it is and what to do. `None` where nothing is known about it.
pub fn not_a_network(bytes: &[u8]) -> Option<Error> {
    let kind = identify(bytes);
    let (what, help) = match kind {
        FileKind::Empty => ("the file is empty", "the download or the copy did not finish: fetch it again"),
        FileKind::Html => {
            ("this is an HTML page, not a network", "a server answered with a page: check the address, then download the file again")
        }
        FileKind::LfsPointer => {
            ("this is a git-lfs pointer, not the network itself", "run `git lfs install && git lfs pull` in its repository")
        }
        FileKind::Gzip => ("this is gzip-compressed data", "decompress it first: `gzip -d FILE`"),
        FileKind::Xz => ("this is xz-compressed data", "decompress it first: `xz -d FILE`"),
        FileKind::Zstd => ("this is zstd-compressed data", "decompress it first: `zstd -d FILE`"),
        FileKind::Tar => ("this is a tar archive", "extract it first: `tar -xf FILE`"),
        FileKind::Binpack => ("this is training data (binpack), not a network", "name it under `[data]`, or after `--data`"),
        FileKind::Npy => ("this is a NumPy array, not a network", "a permutation goes under `permutation`, or after `--ft_perm`"),
        FileKind::Text => ("this is a text file, not a network", "check the path"),
        _ => return None,
    };
    Some(Error::new(what).help(help))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_files_are_named() {
        for (bytes, kind) in [
            (&b""[..], FileKind::Empty),
            (b"<!DOCTYPE html><html>", FileKind::Html),
            (b"  <HTML>", FileKind::Html),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", FileKind::LfsPointer),
            (b"\x1F\x8B\x08\0", FileKind::Gzip),
            (b"hello world\n", FileKind::Text),
            (b"PK\x03\x04", FileKind::TorchZip),
            (b"\x7FELF\x02", FileKind::Elf),
            (b"\x20\x2F\xF3\x7A", FileKind::Nnue),
            (b"BINP\0\0\0\0", FileKind::Binpack),
            (b"\x00\x01\x02", FileKind::Unknown),
        ] {
            assert_eq!(identify(bytes), kind, "{bytes:?}");
        }
    }
}
