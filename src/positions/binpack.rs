//! `.binpack`: chunks of `BINP`, a little-endian length, and that many bytes of games as Stockfish's trainer stores them.
//!
//! The chunk headers are walked here, so that chunks can be skipped by seeking; their contents are decoded by the crate
//! `sfbinpack`. That decoder trusts its input: on damaged data it panics, or goes on with nonsense. Panics are caught (and kept
//! off the terminal), and each entry is checked for what cannot come from a game.
//!
//! # Limitations
//! Damage that still decodes to possible positions cannot be seen: the format has no checksum. Pin the file's sha256.

use std::{
    cell::Cell,
    io::SeekFrom,
    panic::{self, AssertUnwindSafe},
    path::Path,
    sync::Once,
};

use sfbinpack::{
    ChunkReader, TrainingDataEntry,
    chess::{color, piecetype::PieceType as Kind},
};

use super::{
    content::ReadSeek,
    entry::{Entry, Facts},
    position::{Boards, Color, Position},
};
use crate::{
    ctx::Ctx,
    error::{Error, Result},
};

/// What every chunk starts with.
pub(super) const MAGIC: &[u8; 4] = b"BINP";
const HEADER: u64 = 8;
/// The largest chunk that the trainer's own reader takes.
const MAX_CHUNK: u64 = 100 << 20;
/// Bytes of the smallest content: one position and the number of moves that follow it.
const MIN_CONTENT: usize = 34;
/// Entries decoded between two looks at the cancel flag.
const BATCH: usize = 1024;

/// Walks the headers of a file of `len` bytes: content offset and content length of each chunk.
pub(super) fn chunks(path: &Path, file: &mut dyn ReadSeek, len: u64, ctx: &Ctx) -> Result<Vec<(u64, u64)>> {
    let mut chunks = Vec::new();
    let mut at = 0;
    while at < len {
        if chunks.len() % 256 == 0 {
            ctx.check()?;
        }
        if len - at < HEADER {
            return Err(cut_off(path, at, &format!("{} bytes are left where a chunk header takes 8", len - at)));
        }
        let mut header = [0; HEADER as usize];
        file.seek(SeekFrom::Start(at)).and_then(|_| file.read_exact(&mut header)).map_err(|e| Error::io("cannot read", path, e))?;
        let [b0, b1, b2, b3, s0, s1, s2, s3] = header;
        if [b0, b1, b2, b3] != *MAGIC {
            return Err(damaged(path, at, &format!("expected `BINP`, found {:02x?}", [b0, b1, b2, b3])));
        }
        let size = u64::from(u32::from_le_bytes([s0, s1, s2, s3]));
        if size > MAX_CHUNK {
            return Err(damaged(path, at, &format!("its length of {size} bytes is more than the format's limit of {MAX_CHUNK}")));
        }
        if size > len - at - HEADER {
            let left = len - at - HEADER;
            return Err(cut_off(path, at, &format!("it should hold {size} bytes, the file ends after {left}")));
        }
        if size < MIN_CONTENT as u64 {
            return Err(damaged(path, at, &format!("its {size} bytes are too few for one position")));
        }
        chunks.push((at + HEADER, size));
        at += HEADER + size;
    }
    Ok(chunks)
}

/// Decodes a chunk's content, calling `visit` with each entry and its number in the chunk. `offset` is where the content starts.
pub(super) fn decode(path: &Path, offset: u64, content: &[u8], ctx: &Ctx, visit: &mut impl FnMut(u32, &Entry) -> Result<()>) -> Result<()> {
    let mut reader = ChunkReader::default();
    let mut batch = Vec::with_capacity(BATCH);
    let mut number = 0u32;
    loop {
        ctx.check()?;
        batch.clear();
        let end = quietly(|| {
            while batch.len() < BATCH {
                if !reader.has_next(content) {
                    return Ok(true);
                }
                batch.push(convert(&reader.next(content))?);
            }
            Ok(false)
        });
        for entry in &batch {
            visit(number, entry)?;
            number += 1;
        }
        let fault = match end {
            Ok(Ok(false)) => continue,
            Ok(Ok(true)) => return Ok(()),
            Ok(Err(fault)) => fault,
            Err(Stopped) => "the moves and scores that follow make no game".to_owned(),
        };
        return Err(damaged(path, offset - HEADER, &format!("entry {number}: {fault}")));
    }
}

fn convert(entry: &TrainingDataEntry) -> Result<Entry, String> {
    let pos = &entry.pos;
    let boards = Boards {
        by_type: [Kind::Pawn, Kind::Knight, Kind::Bishop, Kind::Rook, Kind::Queen, Kind::King].map(|kind| pos.pieces_bb_type(kind).bits()),
        by_color: [color::Color::White, color::Color::Black].map(|color| pos.pieces_bb(color).bits()),
        side_to_move: if pos.side_to_move() == color::Color::White { Color::White } else { Color::Black },
    };
    let position = Position::try_from(&boards).map_err(|fault| fault.to_string())?;
    if boards.is_in_check(boards.side_to_move.opponent()) {
        return Err("the king of the side that has moved can be taken".to_owned());
    }
    let result = i8::try_from(entry.result).ok().filter(|result| (-1..=1).contains(result));
    let result = result.ok_or_else(|| format!("result {} is not -1, 0 or 1", entry.result))?;
    // A game's last position may have no move; then both squares are out of range.
    let has = |side: Color, square: u32| boards.by_color[side as usize].checked_shr(square).is_some_and(|bits| bits & 1 != 0);
    let (from, to) = (entry.mv.from().index(), entry.mv.to().index());
    if from < 64 && !has(boards.side_to_move, from) {
        return Err("the move starts where the side to move has no piece".to_owned());
    }
    let is_capture = has(boards.side_to_move.opponent(), to);
    Ok(Entry { position, facts: Some(Facts { score: entry.score, ply: entry.ply, result, is_capture }) })
}

fn cut_off(path: &Path, at: u64, reason: &str) -> Error {
    Error::new(format!("`{}` is cut off in the chunk at byte {at}", path.display()))
        .because(reason)
        .help("copy or download the file again; what is before the cut can be used by cutting the file at that byte")
}

fn damaged(path: &Path, at: u64, reason: &str) -> Error {
    Error::new(format!("`{}` is damaged in the chunk at byte {at}", path.display()))
        .because(reason)
        .help("copy or download the file again, and compare its sha256 with the publisher's")
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// The decoder of others panicked: what it says then is of its own code, and of no use to people.
#[derive(Debug, PartialEq, Eq)]
struct Stopped;

/// Runs `work` and turns a panic in it into an error, without the panic hook's report on stderr.
///
/// The hook is process-wide, so it is wrapped once and asks a thread-local flag: panics of other threads are reported as ever.
fn quietly<T>(work: impl FnOnce() -> T) -> Result<T, Stopped> {
    static WRAP_HOOK: Once = Once::new();
    WRAP_HOOK.call_once(|| {
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                report(info);
            }
        }));
    });
    QUIET.set(true);
    let outcome = panic::catch_unwind(AssertUnwindSafe(work));
    QUIET.set(false);
    outcome.map_err(|_| Stopped)
}

#[cfg(test)]
mod tests;
