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
mod tests {
    use super::*;
    use crate::format::packed::tests::packed;
    use crate::positions::{Position, bin::tests as records, generate};

    fn entries_of(paths: &[PathBuf]) -> Result<Vec<Entry>> {
        let ctx = Ctx::silent();
        let mut entries = Vec::new();
        Stream::open(paths, &ctx)?.read_all(&ctx, |entry| {
            entries.push(*entry);
            Ok(())
        })?;
        Ok(entries)
    }

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn write(&self, name: &str, content: &[u8]) -> PathBuf {
            let path = self.0.path().join(name);
            std::fs::write(&path, content).unwrap();
            path
        }

        /// The error's message and causes, without the folder.
        fn error(&self, name: &str, content: &[u8]) -> String {
            let path = self.write(name, content);
            let error = entries_of(&[path]).unwrap_err();
            assert!(error.help_text().is_some(), "{error}");
            error.to_string().replace(&format!("{}/", self.0.path().display()), "")
        }
    }

    fn lines(positions: &[Position]) -> String {
        positions.iter().map(|position| format!("{}\n", position.to_fen())).collect()
    }

    #[test]
    fn text_is_read_plain_and_packed_by_content() {
        let folder = Folder::new();
        let positions = generate(1, 300);
        let text = format!("\u{feff}# a comment\n\n{}   \n", lines(&positions).replace('\n', " ; eval\r\n"));
        let [(_, gzip), (_, zstd), (_, xz)] = packed(text.as_bytes());
        let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 9, 9, 9], zstd.as_slice()].concat();
        let plain = text.into_bytes();
        for (name, content) in [("plain", &plain), ("x.epd", &gzip), ("y", &zstd), ("z.zst", &skippable), ("a.fen.xz", &xz)] {
            let path = folder.write(name, content);
            let read = entries_of(&[path]).unwrap();
            assert_eq!(read.iter().map(|entry| entry.position).collect::<Vec<_>>(), positions, "{name}");
        }
        // Several members and frames are one text.
        for (name, packed) in [("two.gz", gzip), ("two.zst", zstd), ("two.xz", xz)] {
            let path = folder.write(name, &[packed.clone(), packed.clone()].concat());
            assert_eq!(entries_of(&[path]).unwrap().len(), 600, "{name}");
            let cut = folder.error(name, &packed[..packed.len() - 9]);
            assert!(cut.starts_with(&format!("cannot unpack `{name}`")), "{cut}");
        }
    }

    #[test]
    fn packed_records_are_those_of_the_plain_file() {
        let folder = Folder::new();
        let entries = records::entries(5, 70_000);
        let bytes: Vec<u8> = entries.iter().flat_map(records::encode).collect();
        for (packing, packed) in packed(&bytes) {
            for name in ["x.bin", "x"] {
                let path = folder.write(&format!("{name}.{}", packing.name()), &packed);
                assert_eq!(entries_of(&[path]).unwrap(), entries, "{name} {packing:?}");
            }
        }
    }

    #[test]
    fn a_bad_line_is_named_by_its_number() {
        let folder = Folder::new();
        let text = format!("# first\n\n{}rnbqkbnr/pppp w - -\n", lines(&generate(1, 3)));
        let error = folder.error("x.fen", text.as_bytes());
        assert_eq!(error, "`x.fen`, line 6 is not a FEN: board, character 14: ends on rank 7 after 4 of 8 squares");
        assert_eq!(
            folder.error("y.txt", b"hello world\n"),
            "`y.txt`, line 1 is not a FEN: board, character 1: `h` is not a piece, digit or `/`"
        );
        assert!(folder.error("z.fen", &[b"4k3".as_slice(), &[b' '; 70_000]].concat()).contains("line 1 is longer than any FEN"));
    }

    #[test]
    fn records_are_read_by_extension_or_by_content() {
        let folder = Folder::new();
        let entries = records::entries(3, 500);
        let bytes: Vec<u8> = entries.iter().flat_map(records::encode).collect();
        for name in ["x.bin", "x.data"] {
            assert_eq!(entries_of(&[folder.write(name, &bytes)]).unwrap(), entries, "{name}");
        }
        let error = folder.error("y.bin", &bytes[..399]);
        assert_eq!(error, "`y.bin` is cut off at byte 360: 39 bytes follow 9 whole records of 40 bytes");
        let mut damaged = bytes;
        damaged[40 * 100 + 38] = 7;
        let error = folder.error("z.bin", &damaged);
        assert_eq!(error, "`z.bin` is damaged in record 100, at byte 4000: result 7 is not -1, 0 or 1");
    }

    #[test]
    fn plain_text_tells_what_records_tell() {
        let folder = Folder::new();
        let entries = records::entries(7, 300);
        let block = |entry: &Entry| {
            let facts = entry.facts.unwrap();
            let boards = entry.position.boards();
            let enemies = boards.by_color[entry.position.side_to_move().opponent() as usize];
            let targets = if facts.is_capture { enemies } else { !(boards.by_color[0] | boards.by_color[1]) };
            let target = targets.trailing_zeros() as u8;
            let square = format!("{}{}", (b'a' + target % 8) as char, target / 8 + 1);
            let (score, ply, result) = (facts.score, facts.ply, facts.result);
            format!("fen {}\nmove a1{square}\nscore {score}\nply {ply}\nresult {result}\ne\n", entry.position.to_fen())
        };
        let text: String = entries.iter().map(block).collect();
        for name in ["x.plain", "x.txt"] {
            assert_eq!(entries_of(&[folder.write(name, text.as_bytes())]).unwrap(), entries, "{name}");
        }
        for (packing, packed) in packed(text.replace('\n', "\r\n").as_bytes()) {
            assert_eq!(entries_of(&[folder.write("y", &packed)]).unwrap(), entries, "{packing:?}");
        }
        let many = folder.write("many.plain", text.repeat(220).as_bytes());
        assert_eq!(
            (Stream::open(std::slice::from_ref(&many), &Ctx::silent()).unwrap().chunk_count(), entries_of(&[many]).unwrap().len()),
            (2, 66_000)
        );
        let first = block(&entries[0]);
        for (wrong, says) in [
            (first.replace("\ne\n", "\n"), "the file ends inside of a block"),
            (first.replace("result -1", "result 7"), "is not -1, 0 or 1"),
            (first.replace("move a1", "move i1"), "is not a move such as"),
            (first.replace("score ", "scope "), "`scope` is not known"),
            (first.replace("\nply", "\n#"), "is not known"),
            (format!("{}{first}", first.replace("\ne\n", "\n")), "a block begins before the one above"),
            (first.replacen("fen ", "fen x", 1), "`x` is not a piece"),
            (first.lines().filter(|line| !line.starts_with("ply")).map(|line| format!("{line}\n")).collect(), "has no `ply`"),
        ] {
            let error = folder.error("bad.plain", wrong.as_bytes());
            assert!(error.contains(says) && error.contains("`bad.plain`, line "), "{error}");
        }
    }

    #[test]
    fn chunks_are_of_65536_entries() {
        let folder = Folder::new();
        let positions = generate(2, 200);
        let text = lines(&positions).repeat(400);
        let bytes: Vec<u8> = records::entries(2, 200).iter().flat_map(records::encode).collect::<Vec<_>>().repeat(400);
        let ctx = Ctx::silent();
        for (name, content) in [("x.fen", text.as_bytes()), ("x.bin", bytes.as_slice())] {
            let stream = Stream::open(&[folder.write(name, content)], &ctx).unwrap();
            let mut counts = Vec::new();
            for chunk in 0..stream.chunk_count() {
                let mut numbers = Vec::new();
                let mut first = None;
                stream
                    .read_chunk(chunk, &ctx, |number, entry| {
                        numbers.push(number);
                        first.get_or_insert(entry.position);
                        Ok(())
                    })
                    .unwrap();
                assert!(numbers.iter().copied().eq(0..numbers.len() as u32));
                assert_eq!(first, Some(positions[chunk * 65_536 % 200]));
                counts.push(numbers.len());
            }
            assert_eq!(counts, [65_536, 14_464], "{name}");
        }
    }

    #[test]
    fn other_files_are_called_what_they_are() {
        let folder = Folder::new();
        let cases: [(&str, &[u8], &str); 10] = [
            ("a.binpack", b"", "`a.binpack` is empty"),
            ("b.binpack", b"<!DOCTYPE html><html>", "`b.binpack` is an HTML page"),
            ("c.fen", b"  <html>", "`c.fen` is an HTML page"),
            ("d.binpack", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "`d.binpack` is a git-lfs pointer"),
            ("e.binpack", b"\x20\x2f\xf3\x7a\0\0\0\0", "`e.binpack` is a network (.nnue)"),
            ("f.binpack", b"\0\x01\x02\x03\x04", "`f.binpack` is not a binpack: it starts with [00, 01, 02, 03], not with `BINP`"),
            ("g", b"\0\x01\x02\x03\x04", "`g` is not a file of positions"),
            ("h.bin", b"PK\x03\x04\0\0", "`h.bin` is a zip archive (PyTorch's files are such)"),
            ("i", b"some words\n", "`i` is not made of FEN lines: board, character 1: `s` is not a piece, digit or `/`"),
            ("j.epd", b" \n\n", "`j.epd` is empty"),
        ];
        for (name, content, expected) in cases {
            assert_eq!(folder.error(name, content), expected);
        }
        let error = entries_of(&[folder.0.path().to_owned()]).unwrap_err();
        assert!(error.message().ends_with("is a folder"), "{error}");
        for (packing, packed) in packed(b"<!DOCTYPE html><html>") {
            let name = format!("k.fen.{}", packing.name());
            assert_eq!(folder.error(&name, &packed), format!("`{name}` is an HTML page"));
        }
    }
}
