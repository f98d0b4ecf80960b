//! Lines of FEN or EPD. Blank lines and lines that start with `#` are skipped.
//!
//! One pass over the text finds where the chunks start.

use std::io::{BufRead, BufReader, Read};

use super::{content::Content, entry::Entry, position};
use crate::{
    ctx::Ctx,
    error::{Error, Result},
};

/// Entries of a chunk.
pub(super) const LINES_PER_CHUNK: u64 = 65_536;
/// No FEN or EPD comes near; longer lines are a sign of another kind of file.
const MAX_LINE: u64 = 64 << 10;

/// A run of up to [`LINES_PER_CHUNK`] entries.
pub(super) struct TextChunk {
    pub(super) offset: u64,
    pub(super) bytes: u64,
    /// The number of its first line in the file, from 1.
    pub(super) first_line: u64,
}

/// Finds the chunks of a text.
pub(super) fn index(content: &Content, ctx: &Ctx) -> Result<Vec<TextChunk>> {
    index_by(content, MAX_LINE, is_entry, too_long, ctx)
}

fn too_long(content: &Content, number: u64) -> Error {
    Error::new(format!("`{}`, line {number} is longer than any FEN", content.path().display()))
        .help("each line holds one FEN or EPD; lines that start with `#` are skipped")
}

/// Finds the chunks of lines, of up to [`LINES_PER_CHUNK`] entries each. `begins` tells of a line whether an entry begins there; one of
/// `longest` bytes is refused with the error that `too_long` makes of its number.
pub(super) fn index_by(
    content: &Content,
    longest: u64,
    begins: impl Fn(&[u8]) -> bool,
    too_long: impl Fn(&Content, u64) -> Error,
    ctx: &Ctx,
) -> Result<Vec<TextChunk>> {
    let path = content.path();
    let mut reader = BufReader::with_capacity(256 << 10, content.open(ctx)?);
    let mut chunks: Vec<TextChunk> = Vec::new();
    let mut line = Vec::new();
    let (mut offset, mut number, mut entries) = (0u64, 0u64, 0u64);
    loop {
        if number.is_multiple_of(4096) {
            ctx.check()?;
        }
        line.clear();
        let read = reader.by_ref().take(longest).read_until(b'\n', &mut line);
        let bytes = read.map_err(|error| Error::io("cannot read", path, error))? as u64;
        if bytes == 0 {
            return Ok(chunks);
        }
        number += 1;
        if bytes == longest {
            return Err(too_long(content, number));
        }
        if begins(&line) {
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
}

/// Reads and parses a chunk.
pub(super) fn read(content: &Content, chunk: &TextChunk, ctx: &Ctx, visit: &mut impl FnMut(u32, &Entry) -> Result<()>) -> Result<()> {
    let text = content.range(chunk.offset, chunk.bytes, ctx)?;
    let mut entry = 0u32;
    for (line, at) in text.split(|&byte| byte == b'\n').zip(chunk.first_line..) {
        if at.is_multiple_of(4096) {
            ctx.check()?;
        }
        if is_entry(line) {
            let position = parse_line(line).map_err(|reason| {
                Error::new(format!("`{}`, line {at} is not a FEN", content.path().display()))
                    .because(reason)
                    .help("each line holds one FEN or EPD; lines that start with `#` are skipped")
            })?;
            visit(entry, &Entry { position, facts: None })?;
            entry += 1;
        }
    }
    Ok(())
}

/// The reason why the first entry of `head` (the start of a text) is not a FEN; `Ok` with its position if it is one.
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
