//! Files of training data as one stream of entries, cut into chunks that can be read in any order.
//!
//! What a file is, its first bytes decide; the extension only where they leave it open. Packed files (gzip, zstd, xz) are unpacked once,
//! when the stream is opened. Files are opened again for each chunk, so a stream holds no handles and is read from many threads at once.

use std::{
    ffi::OsStr,
    io::Read,
    path::{Path, PathBuf},
};

use super::{
    bin, binpack,
    content::{self, Content},
    entry::Entry,
    plain,
    text::{self, TextChunk},
};
use crate::{
    ctx::Ctx,
    error::{Error, Result},
    format::{
        packed::Packing,
        sources::{FileKind, Holds, identify},
    },
};

/// Entries of a chunk of a `.bin`.
const RECORDS_PER_CHUNK: u64 = 65_536;
/// How much of a file is looked at to tell what it is.
const HEAD: u64 = 64 << 10;

/// The entries of several files, in the order of the files.
///
/// A chunk is a `BINP` chunk of a `.binpack`, 65,536 records of a `.bin`, or 65,536 lines of FEN (blank ones and comments not counted);
/// the last chunk of a file may be smaller. Chunks are numbered over all files.
pub struct Stream {
    files: Vec<Data>,
    chunks: Vec<Chunk>,
}

struct Data {
    kind: Kind,
    content: Content,
}

#[derive(Clone, Copy)]
enum Kind {
    Binpack,
    Bin,
    Text,
    Plain,
}

struct Chunk {
    file: usize,
    at: TextChunk,
}

impl Stream {
    /// Opens files and finds their chunks: headers are walked, lines are counted, nothing is decoded.
    ///
    /// # Errors
    /// A file that cannot be read or unpacked, is cut off, or is none of `.binpack`, `.bin`, `.plain` and FEN/EPD text: the error says what it is
    /// instead, where that can be told.
    pub fn open(paths: &[PathBuf], ctx: &Ctx) -> Result<Self> {
        let mut stream = Self { files: Vec::with_capacity(paths.len()), chunks: Vec::new() };
        for path in paths {
            ctx.check()?;
            let (data, chunks) = open_file(path, ctx)?;
            let file = stream.files.len();
            stream.files.push(data);
            stream.chunks.extend(chunks.into_iter().map(|at| Chunk { file, at }));
        }
        Ok(stream)
    }

    /// Number of chunks of all files.
    pub fn chunk_count(&self) -> usize {
        self.chunks.len()
    }

    /// The file that a chunk is in.
    pub(super) fn path(&self, chunk: usize) -> Option<&Path> {
        self.files.get(self.chunks.get(chunk)?.file).map(|file| file.content.path())
    }

    /// Decodes one chunk (an index below [`Self::chunk_count`]; others are empty), calling `visit` with each entry's number in the
    /// chunk and the entry.
    ///
    /// # Errors
    /// Damaged data, naming the file and the byte, record or line; and whatever `visit` returns.
    pub fn read_chunk(&self, chunk: usize, ctx: &Ctx, mut visit: impl FnMut(u32, &Entry) -> Result<()>) -> Result<()> {
        let Some(Chunk { file, at }) = self.chunks.get(chunk) else { return Ok(()) };
        let Some(Data { kind, content }) = self.files.get(*file) else { return Ok(()) };
        match kind {
            Kind::Binpack => binpack::decode(content.path(), at.offset, &content.range(at.offset, at.bytes, ctx)?, ctx, &mut visit),
            Kind::Bin => read_records(content, at, ctx, &mut visit),
            Kind::Text => text::read(content, at, ctx, &mut visit),
            Kind::Plain => plain::read(content, at, ctx, &mut visit),
        }
    }

    /// Decodes the whole stream in order.
    ///
    /// # Errors
    /// As [`Self::read_chunk`].
    pub fn read_all(&self, ctx: &Ctx, mut visit: impl FnMut(&Entry) -> Result<()>) -> Result<()> {
        (0..self.chunk_count()).try_for_each(|chunk| self.read_chunk(chunk, ctx, |_, entry| visit(entry)))
    }
}

fn open_file(path: &Path, ctx: &Ctx) -> Result<(Data, Vec<TextChunk>)> {
    let shown = path.display();
    let metadata = std::fs::metadata(path).map_err(|e| Error::io("cannot open", path, e))?;
    if !metadata.is_file() {
        let what = if metadata.is_dir() { "a folder" } else { "not a regular file" };
        return Err(Error::new(format!("`{shown}` is {what}")).help("name the files of positions themselves"));
    }
    let mut file = ctx.open(path)?;
    let len = file.metadata().map_err(|e| Error::io("cannot open", path, e))?.len();
    let mut head = Vec::new();
    file.by_ref().take(HEAD).read_to_end(&mut head).map_err(|e| Error::io("cannot read", path, e))?;
    let packing = Packing::of(&head);
    if let Some(packing) = packing {
        head = content::unpacked_head(path, len, packing, HEAD, ctx)?;
    }
    // Before all is unpacked: that takes long, and what holds no positions may have been meant for something else.
    let kind = kind_of(path, &head, packing.is_none().then_some(len))?;
    let content = match packing {
        Some(packing) => Content::unpacked(path, len, packing, ctx)?,
        None => Content::plain(path, len),
    };
    let chunks = match kind {
        Kind::Text => text::index(&content, ctx)?,
        Kind::Plain => plain::index(&content, ctx)?,
        Kind::Bin => record_chunks(&content)?,
        Kind::Binpack => {
            let chunks = binpack::chunks(path, &mut *content.open(ctx)?, content.len(), ctx)?;
            chunks.into_iter().map(|(offset, bytes)| TextChunk { offset, bytes, first_line: 0 }).collect()
        }
    };
    Ok((Data { kind, content }, chunks))
}

/// What a file is that begins with `head`; `len` is its size where that is known.
fn kind_of(path: &Path, head: &[u8], len: Option<u64>) -> Result<Kind> {
    let kind = identify(head);
    if matches!(kind.holds(), Holds::Positions) {
        return Ok(Kind::Binpack);
    }
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or("").to_ascii_lowercase();
    let name = Packing::strip_ending(&name);
    if looks_like_text(head) {
        if plain::is_plain(head) {
            return Ok(Kind::Plain);
        }
        check_text(path, name, head, kind)?;
        return Ok(Kind::Text);
    }
    // Nothing marks a `.bin`, but 16 records of chance do not all decode.
    let whole_records = len.is_none_or(|len| len.is_multiple_of(bin::RECORD as u64));
    let decodes = || {
        head.len() >= bin::RECORD
            && head.chunks_exact(bin::RECORD).take(16).all(|record| record.try_into().is_ok_and(|record| bin::decode(record).is_ok()))
    };
    if whole_records && decodes() {
        return Ok(Kind::Bin);
    }
    if !matches!(kind.holds(), Holds::Unmarked) {
        return Err(wrong_file(path, kind.what()));
    }
    if name.ends_with(".bin") {
        return Ok(Kind::Bin);
    }
    if name.ends_with(".binpack") {
        let found = head.get(..4).unwrap_or(head);
        return Err(wrong_file(path, "not a binpack").because(format!("it starts with {found:02x?}, not with `BINP`")));
    }
    Err(wrong_file(path, "not a file of positions"))
}

/// Refuses texts that are not lines of positions; `name` is the file's without the ending of its packing.
fn check_text(path: &Path, name: &str, head: &[u8], kind: FileKind) -> Result<()> {
    if head.trim_ascii().is_empty() {
        return Err(wrong_file(path, "empty"));
    }
    if !matches!(kind.holds(), Holds::Unmarked) {
        return Err(wrong_file(path, kind.what()));
    }
    let is_named_so = [".fen", ".epd", ".txt"].iter().any(|end| name.ends_with(end));
    match text::first_entry(head) {
        Some(Err(reason)) if !is_named_so => Err(wrong_file(path, "not made of FEN lines").because(reason)),
        _ => Ok(()),
    }
}

/// The chunks of a `.bin`.
fn record_chunks(content: &Content) -> Result<Vec<TextChunk>> {
    let record = bin::RECORD as u64;
    let (records, rest) = (content.len() / record, content.len() % record);
    if rest > 0 {
        return Err(Error::new(format!("`{}` is cut off at byte {}", content.path().display(), records * record))
            .because(format!("{rest} bytes follow {records} whole records of 40 bytes"))
            .help("copy or download the file again"));
    }
    let chunk = |first: u64| {
        let bytes = (records - first).min(RECORDS_PER_CHUNK) * record;
        TextChunk { offset: first * record, bytes, first_line: first }
    };
    Ok((0..records.div_ceil(RECORDS_PER_CHUNK)).map(|i| chunk(i * RECORDS_PER_CHUNK)).collect())
}

fn looks_like_text(head: &[u8]) -> bool {
    // A head may end within a character.
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(e) if e.error_len().is_none() => std::str::from_utf8(&head[..e.valid_up_to()]).unwrap_or_default(),
        Err(_) => return false,
    };
    !text.chars().any(|c| c.is_control() && !c.is_ascii_whitespace())
}

fn wrong_file(path: &Path, what: &str) -> Error {
    Error::new(format!("`{}` is {what}", path.display())).help(
        "positions are read from `.binpack`, `.bin` (40-byte records), `.plain`, and FEN or EPD lines, each also packed (gzip, zstd, xz)",
    )
}

fn read_records(content: &Content, at: &TextChunk, ctx: &Ctx, visit: &mut impl FnMut(u32, &Entry) -> Result<()>) -> Result<()> {
    let bytes = content.range(at.offset, at.bytes, ctx)?;
    for (record, number) in bytes.chunks_exact(bin::RECORD).zip(0u32..) {
        if number.is_multiple_of(4096) {
            ctx.check()?;
        }
        let decoded = record.try_into().map_err(|_| "it is cut off".to_owned()).and_then(bin::decode);
        let entry = decoded.map_err(|reason| {
            let record = at.first_line + u64::from(number);
            let byte = record * bin::RECORD as u64;
            Error::new(format!("`{}` is damaged in record {record}, at byte {byte}", content.path().display()))
                .because(reason)
                .help("copy or download the file again, or check that it holds 40-byte records of chess positions")
        })?;
        visit(number, &entry)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
