//! What a file really is, by its first bytes: one table from which the right reader is chosen, and from which files that turn up in the
//! wrong place are called by their name.
//!
//! A new format is a variant of [`FileKind`] and a row of `KINDS`. Packed files are looked into: [`probe`] and [`unpacked`].

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek};
use std::path::{Path, PathBuf};

use super::packed::{self, Packing};
use super::state_dict::StateDict;
use super::{checkpoint, nnue, npy, wasm};
use crate::ctx::open_file;
use crate::error::{Error, Result};
use crate::files::{Bytes, check_regular};

/// Kinds of files that turn up where a network, positions or an array is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// Nothing in it.
    Empty,
    /// A `.nnue` network.
    Nnue,
    /// NumPy's archive of arrays.
    Npz,
    /// A PyTorch archive (or another zip).
    TorchZip,
    /// A PyTorch file of the old, non-zip kind.
    TorchLegacy,
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
    /// A WebAssembly module.
    Wasm,
    /// gzip.
    Gzip,
    /// xz.
    Xz,
    /// zstd.
    Zstd,
    /// bzip2.
    Bzip2,
    /// A 7-Zip archive.
    SevenZip,
    /// A tar archive.
    Tar,
    /// A safetensors file.
    Safetensors,
    /// The text that git stores when git-lfs is not installed.
    LfsPointer,
    /// A page that a server sent in place of the file.
    Html,
    /// Games in PGN.
    Pgn,
    /// Readable text.
    Text,
    /// Nothing that is known.
    Unknown,
}

/// What a kind of file holds for this tool, with its reader where one fits all that it is read for.
#[derive(Clone, Copy)]
pub enum Holds {
    /// One network of integers.
    Integers,
    /// A program, in which networks of integers may stand.
    Program,
    /// The float tensors of a trainer. The reader takes the path of keys to the dict that is meant, where the user says it.
    Tensors(fn(Bytes, Option<&str>) -> Result<StateDict>),
    /// One array: a permutation or an activation matrix.
    Array,
    /// Positions with their scores.
    Positions,
    /// Another file, packed.
    Packed(Packing),
    /// What has no mark of its own: perhaps lines or records of positions.
    Unmarked,
    /// Nothing that this tool reads.
    Nothing,
}

impl Holds {
    /// Whether it is a network by its own mark, and nothing else can be meant.
    pub fn is_network(self) -> bool {
        match self {
            Self::Integers | Self::Tensors(_) => true,
            Self::Program | Self::Array | Self::Positions | Self::Packed(_) | Self::Unmarked | Self::Nothing => false,
        }
    }

    /// Whether a network may stand in it that has no mark where files have theirs.
    pub fn may_hide_network(self) -> bool {
        match self {
            Self::Program | Self::Packed(_) | Self::Unmarked => true,
            Self::Integers | Self::Tensors(_) | Self::Array | Self::Positions | Self::Nothing => false,
        }
    }
}

/// How a kind is told.
enum Mark {
    /// By one of these at the beginning.
    Begins(&'static [&'static [u8]]),
    /// By what a function says of the first bytes.
    Looks(fn(&[u8]) -> bool),
    /// By one of these, in lower case, at the beginning of a text, behind white space.
    Says(&'static [&'static str]),
}

struct Row {
    kind: FileKind,
    /// In `inspect --json`.
    name: &'static str,
    mark: Mark,
    holds: Holds,
    /// What it is, with an article.
    what: &'static str,
    /// What to do where something else is expected.
    help: &'static str,
}

const PROGRAM: &str = "give the file itself that you mean, not a program";
const CHECK_PATH: &str = "check the path";

const fn row(kind: FileKind, name: &'static str, mark: Mark, holds: Holds, what: &'static str, help: &'static str) -> Row {
    Row { kind, name, mark, holds, what, help }
}

/// All kinds, in the order of [`FileKind`]. The first row whose mark is there tells the kind.
static KINDS: [Row; 23] = TABLE;

const _: () = {
    let mut index = 0;
    while index < TABLE.len() {
        assert!(TABLE[index].kind as usize == index, "the rows are in the order of the kinds");
        index += 1;
    }
    assert!(TABLE.len() == FileKind::Unknown as usize + 1, "every kind has a row");
};

const TABLE: [Row; 23] = {
    use FileKind as K;
    use Mark::{Begins, Looks, Says};
    const ZIP: &[&[u8]] = &[b"PK\x03\x04", b"PK\x05\x06"];
    const MACH_O: &[&[u8]] = &[b"\xFE\xED\xFA\xCE", b"\xFE\xED\xFA\xCF", b"\xCE\xFA\xED\xFE", b"\xCF\xFA\xED\xFE"];
    let floats = "name it as a source, or convert it";
    let fetch = "the download or the copy did not finish: fetch it again";
    let page = "a server answered with a page: check the address, then download the file again";
    let lfs = "run `git lfs install && git lfs pull` in its repository";
    let array = "a permutation goes under `permutation`, or after `--ft_perm`";
    let data = "name it under `[data]`, or after `--data`";
    let packed = "decompress it first";
    let (gzip, xz, zstd) = (Holds::Packed(Packing::Gzip), Holds::Packed(Packing::Xz), Holds::Packed(Packing::Zstd));
    [
        row(K::Empty, "empty", Looks(<[u8]>::is_empty), Holds::Nothing, "empty", fetch),
        row(K::Nnue, "nnue", Looks(nnue::is_nnue), Holds::Integers, "a network (.nnue)", floats),
        row(K::Npz, "npz", Looks(is_npz), Holds::Tensors(checkpoint::npz), "a NumPy archive", floats),
        row(K::TorchZip, "torch-zip", Begins(ZIP), Holds::Tensors(checkpoint::torch), "a zip archive (PyTorch's files are such)", floats),
        row(K::TorchLegacy, "torch-legacy", Looks(is_torch_legacy), Holds::Tensors(checkpoint::torch), "a PyTorch file", floats),
        row(K::Npy, "npy", Begins(&[npy::MAGIC]), Holds::Array, "a NumPy array", array),
        row(K::Binpack, "binpack", Begins(&[b"BINP"]), Holds::Positions, "training data (binpack)", data),
        row(K::Elf, "elf", Begins(&[b"\x7FELF"]), Holds::Program, "an ELF program", PROGRAM),
        row(K::Pe, "pe", Begins(&[b"MZ"]), Holds::Program, "a Windows program", PROGRAM),
        row(K::MachO, "macho", Begins(MACH_O), Holds::Program, "a macOS program", PROGRAM),
        row(K::Wasm, "wasm", Begins(&[wasm::MAGIC]), Holds::Program, "a WebAssembly module", PROGRAM),
        row(K::Gzip, "gzip", Looks(|head| is_packed(head, Packing::Gzip)), gzip, "gzip-compressed data", packed),
        row(K::Xz, "xz", Looks(|head| is_packed(head, Packing::Xz)), xz, "xz-compressed data", packed),
        row(K::Zstd, "zstd", Looks(|head| is_packed(head, Packing::Zstd)), zstd, "zstd-compressed data", packed),
        row(K::Bzip2, "bzip2", Looks(is_bzip2), Holds::Nothing, "bzip2-compressed data", "decompress it first: `bzip2 -d FILE`"),
        row(K::SevenZip, "7z", Begins(&[b"7z\xBC\xAF\x27\x1C"]), Holds::Nothing, "a 7-Zip archive", "extract it first: `7z x FILE`"),
        row(K::Tar, "tar", Looks(is_tar), Holds::Nothing, "a tar archive", "extract it first: `tar -xf FILE`"),
        row(K::Safetensors, "safetensors", Looks(is_safetensors), Holds::Tensors(checkpoint::safetensors), "a safetensors file", floats),
        row(K::LfsPointer, "git-lfs-pointer", Says(&["version https://git-lfs"]), Holds::Nothing, "a git-lfs pointer", lfs),
        row(K::Html, "html", Says(&["<!doctype html", "<html", "<head", "<?xml"]), Holds::Nothing, "an HTML page", page),
        row(K::Pgn, "pgn", Says(&["[event \""]), Holds::Nothing, "games in PGN", "positions are read from FEN lines, not from games"),
        row(K::Text, "text", Looks(is_text), Holds::Unmarked, "a text file", CHECK_PATH),
        row(K::Unknown, "unknown", Looks(|_| true), Holds::Unmarked, "of no kind that is known", CHECK_PATH),
    ]
};

/// Bytes from which every kind is told.
pub const HEAD: usize = 512;

impl FileKind {
    fn row(self) -> &'static Row {
        &KINDS[self as usize]
    }

    /// Name in `inspect --json`.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// What it holds for this tool.
    pub fn holds(self) -> Holds {
        self.row().holds
    }

    /// What it is, with an article, to be put behind `is`.
    pub fn what(self) -> &'static str {
        self.row().what
    }

    /// What to do where another kind is expected.
    pub fn help(self) -> &'static str {
        self.row().help
    }

    /// Whether it holds the float weights of a trainer, which have to be coalesced and quantized.
    pub fn holds_floats(self) -> bool {
        matches!(self.holds(), Holds::Tensors(_))
    }
}

/// Recognizes `bytes`, which may be the beginning of a file: [`HEAD`] bytes are enough. A packed file is what it is packed with.
pub fn identify(bytes: &[u8]) -> FileKind {
    KINDS.iter().find(|row| row.mark.is_in(bytes)).map_or(FileKind::Unknown, |row| row.kind)
}

impl Mark {
    fn is_in(&self, bytes: &[u8]) -> bool {
        match self {
            Self::Begins(marks) => marks.iter().any(|mark| bytes.starts_with(mark)),
            Self::Looks(looks) => looks(bytes),
            Self::Says(texts) => {
                let text = text_of(bytes).unwrap_or_default();
                let lower = text.trim_start_matches(['\u{FEFF}', ' ', '\t', '\r', '\n']).to_ascii_lowercase();
                texts.iter().any(|text| lower.starts_with(text))
            }
        }
    }
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// What it is, or what is packed in it.
    pub kind: FileKind,
    /// How it is packed.
    pub packing: Option<Packing>,
}

/// Recognizes the file at `path`, looking into it where it is packed. Reads no more than its beginning.
///
/// # Errors
/// When it cannot be read, or is not a regular file: a pipe would keep us waiting.
pub fn probe(path: &Path) -> Result<Found> {
    check_regular(path)?;
    probe_file(open_file(path).map_err(|error| Error::io("cannot open", path, error))?, path)
}

/// As [`probe`], of a file that is open and has not been read; `path` is for messages.
///
/// # Errors
/// As [`probe`].
pub fn probe_file(mut file: File, path: &Path) -> Result<Found> {
    let failed = |error| Error::io("cannot read", path, error);
    let mut head = Vec::with_capacity(HEAD);
    file.by_ref().take(HEAD as u64).read_to_end(&mut head).map_err(failed)?;
    let kind = identify(&head);
    let packing = match Packing::of(&head) {
        Some(packing) => packing,
        None if kind != FileKind::Unknown => return Ok(Found { kind, packing: None }),
        None => {
            file.rewind().map_err(failed)?;
            let inner = in_brotli(BufReader::new(file));
            return Ok(Found { kind: inner.unwrap_or(kind), packing: inner.map(|_| Packing::Brotli) });
        }
    };
    file.rewind().map_err(failed)?;
    let inner = packed::unpack_head(packing, BufReader::new(file), HEAD);
    // What cannot be unpacked is at least that.
    let kind = identify(if inner.is_empty() { &head } else { &inner });
    Ok(Found { kind, packing: Some(packing) })
}

/// The bytes of a file as they are, or unpacked where it is packed, with how it was.
///
/// # Errors
/// As [`packed::unpack`].
pub fn unpacked(bytes: Bytes) -> Result<(Bytes, Option<Packing>)> {
    let packing =
        Packing::of(&bytes).or_else(|| (identify(&bytes) == FileKind::Unknown && in_brotli(&*bytes).is_some()).then_some(Packing::Brotli));
    match packing {
        None => Ok((bytes, None)),
        Some(packing) => Ok((Bytes::from_vec(packed::unpack(&bytes, packing)?), Some(packing))),
    }
}

/// What is packed with brotli, which has no mark: only that what comes out is of a kind that holds a network tells that it is.
fn in_brotli(source: impl BufRead) -> Option<FileKind> {
    let kind = identify(&packed::unpack_head(Packing::Brotli, source, HEAD));
    match kind.holds() {
        Holds::Integers | Holds::Program | Holds::Tensors(_) => Some(kind),
        Holds::Array | Holds::Positions | Holds::Packed(_) | Holds::Unmarked | Holds::Nothing => None,
    }
}

/// The file at `path`; of a WebAssembly module that is split into files, all of them from the first on.
///
/// # Errors
/// When one cannot be read.
pub fn whole(path: &Path) -> Result<Bytes> {
    let bytes = Bytes::map(path)?;
    with_parts(bytes, &wasm::other_parts(path).unwrap_or_default(), Bytes::map)
}

/// The first file of a WebAssembly module with its other parts behind it; any other file as it is.
///
/// # Errors
/// Those of `read`.
pub fn with_parts(first: Bytes, parts: &[PathBuf], read: impl Fn(&Path) -> Result<Bytes>) -> Result<Bytes> {
    if parts.is_empty() || !first.starts_with(wasm::MAGIC) {
        return Ok(first);
    }
    let mut all = first.to_vec();
    for part in parts {
        all.extend_from_slice(&read(part)?);
    }
    Ok(Bytes::from_vec(all))
}

/// What of a program is looked through for networks: the file as it stands, or the memory that a WebAssembly module starts with.
///
/// # Errors
/// As [`wasm::memory`].
pub fn searched(program: &[u8]) -> Result<Cow<'_, [u8]>> {
    if identify(program) == FileKind::Wasm { wasm::memory(program).map(Cow::Owned) } else { Ok(Cow::Borrowed(program)) }
}

/// For a program in which no network of a known kind was found: another one that stands there, or nothing that can be told.
pub fn no_network_inside(searched: &[u8]) -> Error {
    match nnue::find_unknown(searched) {
        Some((offset, unknown)) => unknown
            .refusal()
            .context(format!("the only network that was found in this program stands at offset {offset}, and cannot be read")),
        None => Error::new("no network in Stockfish's format was found in this program")
            .because("an engine that is built without one reads a file; those of other formats are not recognized inside a program")
            .help("give the network's own file"),
    }
}

/// For a file in which no network can be: what it is and what to do.
pub fn not_a_network(bytes: &[u8]) -> Error {
    let kind = identify(bytes);
    match kind {
        FileKind::Empty => Error::new("the file is empty").help(kind.help()),
        FileKind::Unknown => {
            if let Some(unknown) = nnue::diagnose(bytes).filter(|unknown| unknown.stacks > 1) {
                return unknown.refusal();
            }
            let first: Vec<String> = bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            Error::new("this is not a network of a known kind")
                .because(format!("it begins with the bytes {}", first.join(" ")))
                .help("a source is a `.nnue` file, an engine with one inside, or a checkpoint (`.ckpt`, `.pt`, `.safetensors`, `.npz`)")
        }
        kind => Error::new(format!("this is {}, not a network", kind.what())).help(kind.help()),
    }
}

fn is_packed(head: &[u8], packing: Packing) -> bool {
    Packing::of(head) == Some(packing)
}

/// NumPy's archives are zip files whose members are named `*.npy`.
fn is_npz(bytes: &[u8]) -> bool {
    let length = bytes.get(26..28).map_or(0, |length| usize::from(u16::from_le_bytes([length[0], length[1]])));
    bytes.starts_with(b"PK\x03\x04") && bytes.get(30..30 + length).is_some_and(|name| name.ends_with(b".npy"))
}

/// The pickled magic number that opens a legacy file: protocol 2 to 5, then a ten-byte integer.
fn is_torch_legacy(bytes: &[u8]) -> bool {
    const MAGIC_NUMBER: [u8; 12] = [0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19];
    bytes.first() == Some(&0x80)
        && bytes.get(2..).is_some_and(|rest| rest.starts_with(&MAGIC_NUMBER) || rest.get(9..).is_some_and(|r| r.starts_with(&MAGIC_NUMBER)))
}

/// `BZh`, a digit, and the number pi in a block's header.
fn is_bzip2(bytes: &[u8]) -> bool {
    bytes.starts_with(b"BZh") && bytes.get(4..10) == Some(&[0x31, 0x41, 0x59, 0x26, 0x53, 0x59])
}

fn is_tar(bytes: &[u8]) -> bool {
    bytes.get(257..262) == Some(b"ustar")
}

/// A length of the header, and the header's first brace.
fn is_safetensors(bytes: &[u8]) -> bool {
    bytes.get(8) == Some(&b'{') && bytes.first_chunk().is_some_and(|length| u64::from_le_bytes(*length) < 1 << 32)
}

/// The beginning as text. A character of several bytes may be cut off at its end.
fn text_of(bytes: &[u8]) -> Option<&str> {
    let head = &bytes[..bytes.len().min(HEAD)];
    match std::str::from_utf8(head) {
        Ok(text) => Some(text),
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&head[..error.valid_up_to()]).ok(),
        Err(_) => None,
    }
}

fn is_text(bytes: &[u8]) -> bool {
    text_of(bytes).is_some_and(|text| text.chars().all(|c| !c.is_control() || c.is_ascii_whitespace()))
}

#[cfg(test)]
mod tests;
