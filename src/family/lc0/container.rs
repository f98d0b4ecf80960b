//! What a weight file is wrapped in: nothing, gzip, or the end of an engine. Gives the protobuf's bytes; knows nothing of its content.
//!
//! By content only, as lc0: gzip where the bytes begin with `1f 8b`, an engine where they end with a size and `Lc0!`. gzip members are
//! joined, and bytes after them dropped. A gzip stream without its end is inflated as far as it goes, as zlib's `gzread` does; where it
//! ends is told.

use std::ops::Range;

use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::{
    inflate_fault::{UNHARMED, fault_of},
    unpack,
};
use crate::{
    error::{Error, Result},
    files::{Bytes, Sha256},
};

/// How the protobuf is wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrapping {
    /// Not at all.
    Raw,
    /// gzip.
    Gzip,
    /// gzip or raw at the end of an engine.
    Embedded,
}

impl Wrapping {
    /// Its name in `inspect`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Gzip => "gzip",
            Self::Embedded => "embedded",
        }
    }
}

/// An unwrapped file.
#[derive(Debug, Clone)]
pub struct Unwrapped {
    /// What it was wrapped in.
    pub wrapping: Wrapping,
    /// The bytes inside.
    pub protobuf: Bytes,
    /// Their digest, where it was asked for.
    pub digest: Option<Sha256>,
    /// Whether there is a gzip stream, whole or not.
    pub is_gzip: bool,
    /// Where the gzip stream lies in the file; `None` where there is none, or where it does not end as it should.
    pub stream: Option<Range<usize>>,
    /// What is odd about the wrapping.
    pub notes: Vec<String>,
    /// Byte of the file at which a gzip stream breaks off before its data ends.
    pub cut: Option<usize>,
}

const GZIP: [u8; 2] = [0x1F, 0x8B];
const EMBEDDED: &[u8; 4] = b"Lc0!";
/// lc0 holds lengths in an `int`.
const MAX_PROTOBUF: u64 = i32::MAX as u64;
/// Networks deflate to a fifth at best; test networks to a fiftieth. Beyond both limits a file is taken for an attack.
const MAX_RATIO: u64 = 100;
const FREE_SIZE: u64 = 256 << 20;

/// Whether `bytes` end as an engine with an embedded net does.
pub fn is_embedded(bytes: &[u8]) -> bool {
    bytes.len() >= 8 && bytes.ends_with(EMBEDDED)
}

/// The engine without the net at its end; all of it where there is none.
pub fn without_embedded(engine: &[u8]) -> &[u8] {
    let length = engine.strip_suffix(EMBEDDED).and_then(|rest| rest.split_last_chunk::<4>()).and_then(|(rest, size)| {
        let size = usize::try_from(i32::from_le_bytes(*size)).ok()?;
        rest.len().checked_sub(size)
    });
    length.and_then(|length| engine.get(..length)).unwrap_or(engine)
}

/// Unwraps a file that is opened by its name; with the digest of what is inside, where that is asked for.
///
/// # Errors
/// When gzip data is damaged, in zlib's words; when it inflates beyond every sensible size.
pub fn unwrap(file: &Bytes, with_digest: bool) -> Result<Unwrapped> {
    unwrap_at(file, 0, Wrapping::Raw, with_digest)
}

/// Unwraps the net at the end of an engine.
///
/// # Errors
/// Those of [`unwrap`], and when there is none.
pub fn unwrap_embedded(file: &Bytes, with_digest: bool) -> Result<Unwrapped> {
    if !is_embedded(file) {
        return Err(Error::new("No embedded file detected."));
    }
    let trailer = file.len() - 8;
    let size = file.get(trailer..trailer + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, i32::from_le_bytes);
    // lc0 reads from there to the end of the file, trailer included. A start outside reads nothing.
    let start = i64::try_from(trailer).unwrap_or(i64::MAX).saturating_sub(i64::from(size));
    let start = usize::try_from(start).ok().filter(|start| *start <= file.len()).unwrap_or(file.len());
    unwrap_at(file, start, Wrapping::Embedded, with_digest)
}

fn unwrap_at(file: &Bytes, start: usize, wrapping: Wrapping, with_digest: bool) -> Result<Unwrapped> {
    let content = file.get(start..).unwrap_or_default();
    if !content.starts_with(&GZIP) {
        if content.len() as u64 > MAX_PROTOBUF {
            return Err(too_large());
        }
        let protobuf = if start == 0 { file.clone() } else { Bytes::from_vec(content.to_vec()) };
        let digest = with_digest.then(|| Sha256::of(&protobuf));
        return Ok(Unwrapped { wrapping, protobuf, digest, is_gzip: false, stream: None, notes: Vec::new(), cut: None });
    }
    let limit = MAX_PROTOBUF.min(FREE_SIZE.max((content.len() as u64).saturating_mul(MAX_RATIO)));
    let (mut at, mut cut, mut notes) = (0, None, Vec::new());
    // What is one whole stream is inflated on several threads; everything else by the way below, which knows what is wrong with it.
    let whole = body_of(content, 0)?.and_then(|body| unpack::whole(content, body, limit, with_digest));
    let (mut inflated, mut digest) = (Inflated::default(), None);
    if let Some(whole) = whole {
        (inflated.data, digest, at) = (whole.data, whole.digest, whole.end);
        file.let_go(start..start + at);
    }
    while content.get(at..).is_some_and(|rest| rest.starts_with(&GZIP)) {
        digest = None;
        match inflated.member(content, at, limit).map_err(|error| error.because(format!("in the gzip member at byte {}", start + at)))? {
            End::Whole(end) => at = end,
            End::Data(byte) => {
                cut = Some(start + byte);
                at = content.len();
            }
            End::Trailer(byte) => {
                notes.push(format!("the gzip stream ends at byte {}, inside its checksums; lc0 does not mind", start + byte));
                at = content.len();
            }
        }
    }
    let whole = cut.is_none() && notes.is_empty();
    // A program's own mark is its last eight bytes.
    let is_mark = wrapping == Wrapping::Embedded && content.get(at..).is_some_and(|rest| rest.len() == 8);
    if at < content.len() && !is_mark {
        notes.push(format!("{} bytes after the gzip stream, from byte {} on, are ignored", content.len() - at, start + at));
    }
    let wrapping = if wrapping == Wrapping::Raw { Wrapping::Gzip } else { wrapping };
    let stream = whole.then_some(start..start + at);
    let digest = with_digest.then(|| digest.unwrap_or_else(|| Sha256::of(&inflated.data)));
    Ok(Unwrapped { wrapping, protobuf: Bytes::from_vec(inflated.data), digest, is_gzip: true, stream, notes, cut })
}

fn too_large() -> Error {
    Error::new("the weight file is too large").because("lc0 reads at most 2 GiB of protobuf")
}

/// How a member ends: at which byte of the file.
enum End {
    Whole(usize),
    Data(usize),
    Trailer(usize),
}

#[derive(Default)]
struct Inflated {
    data: Vec<u8>,
}

impl Inflated {
    /// Inflates the member at `at`.
    fn member(&mut self, content: &[u8], at: usize, limit: u64) -> Result<End> {
        let Some(body) = body_of(content, at)? else { return Ok(End::Data(content.len())) };
        let packed = content.get(body..).unwrap_or_default();
        let before = self.data.len();
        self.reserve(content, limit)?;
        let Some(used) = self.inflate(packed, limit)? else { return Ok(End::Data(content.len())) };
        let trailer = packed.get(used..).unwrap_or_default();
        let member = self.data.get(before..).unwrap_or_default();
        let word = |at: usize| trailer.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
        let Some(stated) = word(0) else { return Ok(End::Trailer(content.len())) };
        let mut crc = Crc::new();
        crc.update(member);
        if crc.sum() != stated {
            // The fast decoder lets matches reach before the beginning; zlib does not.
            let words = match fault_of(packed) {
                UNHARMED => "incorrect data check",
                words => words,
            };
            return Err(Error::new(words).because(format!("CRC-32 is {:08x}, the file states {stated:08x}", crc.sum())));
        }
        let Some(stated) = word(4) else { return Ok(End::Trailer(content.len())) };
        if member.len() as u32 != stated {
            return Err(Error::new("incorrect length check").because(format!("there are {} bytes, the file states {stated}", member.len())));
        }
        Ok(End::Whole(body + used + 8))
    }

    /// Room for what the last word of the file says there is, as far as that can be.
    fn reserve(&mut self, content: &[u8], limit: u64) -> Result<()> {
        let stated = content.last_chunk::<4>().map_or(0, |bytes| u64::from(u32::from_le_bytes(*bytes)));
        let possible = stated.min(limit).min((content.len() as u64).saturating_mul(1032));
        let more = usize::try_from(possible).unwrap_or(0).saturating_sub(self.data.len());
        self.data.try_reserve_exact(more).map_err(|error| Error::new("there is not enough memory for the weight file").because(error))
    }

    /// Inflates one deflate stream; `None` where it breaks off, else how many bytes it has.
    fn inflate(&mut self, packed: &[u8], limit: u64) -> Result<Option<usize>> {
        let mut state = Decompress::new(false);
        loop {
            let used = usize::try_from(state.total_in()).unwrap_or(usize::MAX);
            if self.data.len() == self.data.capacity() {
                // Not beyond the limit: what would be refused must not be held twice over.
                let room = usize::try_from(limit.saturating_sub(self.data.len() as u64)).unwrap_or(usize::MAX);
                let more = (self.data.len() / 2).min(room).max(1 << 16);
                self.data
                    .try_reserve_exact(more)
                    .map_err(|error| Error::new("there is not enough memory for the weight file").because(error))?;
            }
            let before = self.data.len();
            let input = packed.get(used..).unwrap_or_default();
            let status = state
                .decompress_vec(input, &mut self.data, FlushDecompress::None)
                .map_err(|_| Error::new(fault_of(packed)).because("the deflate data is damaged"))?;
            if self.data.len() as u64 > limit {
                let why = format!("{} bytes become more than {limit}; networks do not deflate that well", packed.len());
                return Err(if limit == MAX_PROTOBUF { too_large() } else { Error::new("the gzip data is not a network").because(why) });
            }
            let progressed = state.total_in() > used as u64 || self.data.len() > before;
            match status {
                Status::StreamEnd => return Ok(usize::try_from(state.total_in()).ok()),
                _ if !progressed && self.data.len() < self.data.capacity() => return Ok(None),
                _ => {}
            }
        }
    }
}

/// Where the deflate data of the member at `at` begins; `None` where the header breaks off.
fn body_of(content: &[u8], at: usize) -> Result<Option<usize>> {
    let header = content.get(at..).unwrap_or_default();
    match header.get(2) {
        Some(8) | None => {}
        Some(_) => return Err(Error::new("unknown compression method")),
    }
    let flags = header.get(3).copied().unwrap_or(0);
    if flags & 0xE0 != 0 {
        return Err(Error::new("unknown header flags set"));
    }
    let mut end = 10;
    if flags & 4 != 0 {
        let Some(extra) = header.get(end..end + 2) else { return Ok(None) };
        end += 2 + usize::from(u16::from_le_bytes([extra[0], extra[1]]));
    }
    for flag in [8, 16] {
        if flags & flag != 0 {
            let Some(length) = header.get(end..).and_then(|rest| rest.iter().position(|byte| *byte == 0)) else { return Ok(None) };
            end += length + 1;
        }
    }
    if flags & 2 != 0 {
        let Some(stated) = header.get(end..end + 2) else { return Ok(None) };
        let mut crc = Crc::new();
        crc.update(header.get(..end).unwrap_or_default());
        if crc.sum() as u16 != u16::from_le_bytes([stated[0], stated[1]]) {
            return Err(Error::new("header crc mismatch"));
        }
        end += 2;
    }
    Ok((header.len() >= end).then_some(at + end))
}

#[cfg(test)]
mod tests;
