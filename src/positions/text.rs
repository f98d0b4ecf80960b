//! Lines of FEN or EPD: plain, gzip or zstd. Blank lines and lines that start with `#` are skipped.
//!
//! One pass over the file finds where the chunks start. Compressed files cannot be entered in the middle, so that pass keeps
//! what it unpacks: up to 64 MiB in memory, more in a temporary file.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Cursor, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::{
    BlockDecodingStrategy, FrameDecoder,
    errors::{FrameDecoderError, ReadFrameHeaderError},
};
use tempfile::NamedTempFile;

use super::{entry::Entry, position};
use crate::{
    ctx::Ctx,
    error::{Error, Result},
};

/// Entries of a chunk.
pub(super) const LINES_PER_CHUNK: u64 = 65_536;
/// No FEN or EPD comes near; longer lines are a sign of another kind of file.
const MAX_LINE: u64 = 64 << 10;
const MAX_IN_MEMORY: usize = 64 << 20;

/// How a file's bytes are packed, told by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    Plain,
    Gzip,
    Zstd,
}

impl Packing {
    pub(super) fn of(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::Plain,
        }
    }
}

/// Where the plain lines of a file lie.
pub(super) enum Lines {
    File(PathBuf),
    Memory(Vec<u8>),
    Temporary(NamedTempFile),
}

/// A run of up to [`LINES_PER_CHUNK`] entries.
pub(super) struct TextChunk {
    pub(super) offset: u64,
    pub(super) bytes: u64,
    /// The number of its first line in the file, from 1.
    pub(super) first_line: u64,
}

/// Opens a file for reading its unpacked bytes.
pub(super) fn unpack(path: &Path, packing: Packing, ctx: &Ctx) -> Result<Box<dyn BufRead>> {
    let file = ctx.open(path)?;
    let file = BufReader::with_capacity(256 << 10, file);
    Ok(match packing {
        Packing::Plain => Box::new(file),
        Packing::Gzip => Box::new(BufReader::with_capacity(256 << 10, MultiGzDecoder::new(file))),
        Packing::Zstd => {
            let frames = ZstdFrames { source: file, decoder: FrameDecoder::new(), in_frame: false };
            Box::new(BufReader::with_capacity(256 << 10, frames))
        }
    })
}

/// Finds the chunks of a file, and where to read them from.
pub(super) fn index(path: &Path, packing: Packing, ctx: &Ctx) -> Result<(Lines, Vec<TextChunk>)> {
    let mut reader = unpack(path, packing, ctx)?;
    let mut spool = (packing != Packing::Plain).then(Spool::default);
    let mut chunks: Vec<TextChunk> = Vec::new();
    let mut line = Vec::new();
    let (mut offset, mut number, mut entries) = (0u64, 0u64, 0u64);
    loop {
        if number.is_multiple_of(4096) {
            ctx.check()?;
        }
        line.clear();
        let read = reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut line);
        let bytes = read.map_err(|e| Error::io("cannot read", path, e).help("the file may be cut off or damaged"))? as u64;
        if bytes == 0 {
            break;
        }
        number += 1;
        if bytes == MAX_LINE {
            return Err(Error::new(format!("`{}`, line {number} is longer than any FEN", path.display()))
                .help("each line holds one FEN or EPD; lines that start with `#` are skipped"));
        }
        if let Some(spool) = &mut spool {
            spool.write(&line).map_err(|e| Error::io("cannot unpack into a temporary file", path, e))?;
        }
        if is_entry(&line) {
            if entries.is_multiple_of(LINES_PER_CHUNK) {
                chunks.push(TextChunk { offset, bytes: 0, first_line: number });
            }
            entries += 1;
        }
        offset += bytes;
        if let Some(last) = chunks.last_mut() {
            last.bytes = offset - last.offset;
        }
    }
    let lines = match spool {
        None => Lines::File(path.to_owned()),
        Some(spool) => spool.finish().map_err(|e| Error::io("cannot unpack into a temporary file", path, e))?,
    };
    Ok((lines, chunks))
}

impl Lines {
    /// Reads and parses a chunk; `path` is for messages.
    pub(super) fn read(&self, path: &Path, chunk: &TextChunk, ctx: &Ctx, visit: &mut impl FnMut(u32, &Entry) -> Result<()>) -> Result<()> {
        let text = self.bytes(path, chunk, ctx)?;
        let mut entry = 0u32;
        for (line, at) in text.split(|&byte| byte == b'\n').zip(chunk.first_line..) {
            if at.is_multiple_of(4096) {
                ctx.check()?;
            }
            if is_entry(line) {
                let position = parse_line(line).map_err(|reason| {
                    Error::new(format!("`{}`, line {at} is not a FEN", path.display()))
                        .because(reason)
                        .help("each line holds one FEN or EPD; lines that start with `#` are skipped")
                })?;
                visit(entry, &Entry { position, facts: None })?;
                entry += 1;
            }
        }
        Ok(())
    }

    fn bytes(&self, path: &Path, chunk: &TextChunk, ctx: &Ctx) -> Result<Vec<u8>> {
        let failed = |error| Error::io("cannot read", path, error);
        let take = |mut from: Box<dyn ReadSeek + '_>| {
            from.seek(SeekFrom::Start(chunk.offset))?;
            let mut bytes = Vec::new();
            from.take(chunk.bytes).read_to_end(&mut bytes)?;
            if (bytes.len() as u64) < chunk.bytes {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter while it was read"));
            }
            Ok(bytes)
        };
        let source: Box<dyn ReadSeek + '_> = match self {
            Self::File(path) => Box::new(ctx.open(path)?),
            Self::Temporary(file) => Box::new(File::open(file.path()).map_err(failed)?),
            Self::Memory(bytes) => Box::new(Cursor::new(bytes)),
        };
        take(source).map_err(failed)
    }
}

/// The reason why the first entry of `head` (the start of a text) is no FEN; `Ok` with its position if it is one.
pub(super) fn first_entry(head: &[u8]) -> Option<Result<position::Position, String>> {
    // The last line of a head may be cut; it counts only where it is all there is.
    head.split(|&byte| byte == b'\n').find(|line| is_entry(line)).map(parse_line)
}

fn is_entry(line: &[u8]) -> bool {
    let line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line).trim_ascii();
    !line.is_empty() && !line.starts_with(b"#")
}

fn parse_line(line: &[u8]) -> Result<position::Position, String> {
    let line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
    position::read_fen(std::str::from_utf8(line).map_err(|_| "it is not text".to_owned())?)
}

/// Some editors put it before the first line.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

trait ReadSeek: Read + Seek {}
impl<T: Read + Seek> ReadSeek for T {}

#[derive(Default)]
struct Spool {
    memory: Vec<u8>,
    file: Option<NamedTempFile>,
}

impl Spool {
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        self.memory.extend_from_slice(line);
        if self.memory.len() >= MAX_IN_MEMORY { self.spill() } else { Ok(()) }
    }

    fn spill(&mut self) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            empty => empty.insert(NamedTempFile::new()?),
        };
        file.write_all(&self.memory)?;
        self.memory.clear();
        Ok(())
    }

    fn finish(mut self) -> io::Result<Lines> {
        if self.file.is_some() {
            self.spill()?;
        }
        Ok(match self.file {
            Some(file) => Lines::Temporary(file),
            None => Lines::Memory(self.memory),
        })
    }
}

/// All frames of a zstd file one after the other; skippable frames are skipped, checksums compared.
struct ZstdFrames<R: BufRead> {
    source: R,
    decoder: FrameDecoder,
    in_frame: bool,
}

impl<R: BufRead> Read for ZstdFrames<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let invalid = |error: FrameDecoderError| io::Error::new(io::ErrorKind::InvalidData, error);
        while !out.is_empty() {
            if self.in_frame {
                while self.decoder.can_collect() < out.len() && !self.decoder.is_finished() {
                    let enough = BlockDecodingStrategy::UptoBytes(out.len());
                    self.decoder.decode_blocks(&mut self.source, enough).map_err(invalid)?;
                }
                let read = self.decoder.read(out)?;
                if read > 0 {
                    return Ok(read);
                }
                let stored = self.decoder.get_checksum_from_data();
                if stored.is_some() && stored != self.decoder.get_calculated_checksum() {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "a zstd frame does not match its checksum"));
                }
                self.in_frame = false;
            }
            if self.source.fill_buf()?.is_empty() {
                return Ok(0);
            }
            match self.decoder.init(&mut self.source) {
                Ok(()) => self.in_frame = true,
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    io::copy(&mut self.source.by_ref().take(u64::from(length)), &mut io::sink())?;
                }
                Err(error) => return Err(invalid(error)),
            }
        }
        Ok(0)
    }
}
