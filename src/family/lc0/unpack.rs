//! gzip inflated on several threads, for files that are one whole stream and say how large they become. The others are left to
//! [`super::container`], which reads everything that zlib reads and knows what is wrong with the rest.
//!
//! The stream of a [`Packer`](super::pack::Packer) has places at which a decoder needs nothing of what came before: its pieces are inflated
//! side by side. Any other is inflated on one thread, while others sum up what there is so far.
//!
//! A piece that inflates by itself, from just behind an empty stored block to the end of such a block, gives what it gives in its stream:
//! its matches reach no farther back than its own beginning, and the next piece begins where a block does. Both are checked, and so is the
//! checksum of the whole; so that a stream in which other codes look like the end of a block is read as zlib reads it, too.

use std::ops::Range;

use flate2::Crc;
use rayon::prelude::*;
use zlib_rs::{Inflate, InflateFlush, Status};

use super::pack::PIECE;
use crate::files::{Sha256, StreamDigest};

/// A stream that was inflated.
pub struct Whole {
    /// What is inside.
    pub data: Vec<u8>,
    /// Digest of it, where it was asked for.
    pub digest: Option<Sha256>,
    /// Where the member ends in the file.
    pub end: usize,
}

/// Bytes that are inflated before others look at them.
const WINDOW: usize = 4 << 20;
/// Below, one thread is as fast.
const LEAST: usize = 2 * PIECE;
/// The checksum and the length.
const TRAILER: usize = 8;
/// The end of an empty stored block.
const MARK: [u8; 4] = [0, 0, 0xFF, 0xFF];
/// An empty stored block, the five bits between its head and its length set, and a byte behind it. Where it is taken for something else, as
/// when it begins with bits of a byte before (the last one of a [`MARK`] has none but ones), it is no block, a last one, or not at its end.
const PROBE: [u8; 6] = [0xF8, 0, 0, 0xFF, 0xFF, 0];

/// Inflates the member whose deflate data begin at `body`. `None` where anything is odd about it, or it is too small to be worth it.
pub fn whole(content: &[u8], body: usize, limit: u64, with_digest: bool) -> Option<Whole> {
    let size = u32::from_le_bytes(*content.last_chunk()?) as usize;
    let packed = content.get(body..)?;
    if size < LEAST || size as u64 > limit {
        return None;
    }
    // What cannot be had is said by the other way.
    Vec::<u8>::new().try_reserve_exact(size).ok()?;
    let mut sums = Sums { crc: Crc::new(), sha256: with_digest.then(Default::default) };
    let mut data = vec![0; size];
    let used = match pieces_of(packed, size) {
        Some(pieces) => side_by_side(packed, &pieces, &mut data, &mut sums)?,
        None => one_by_one(packed, &mut data, &mut sums)?,
    };
    let trailer = packed.get(used..used + TRAILER)?;
    let expected = [sums.crc.sum().to_le_bytes(), (size as u32).to_le_bytes()].concat();
    (trailer == expected).then(|| Whole { data, digest: sums.sha256.map(Sha256::finish), end: body + used + TRAILER })
}

/// What is summed up of the content, in its order.
struct Sums {
    crc: Crc,
    sha256: Option<<Sha256 as StreamDigest>::State>,
}

impl Sums {
    fn update(&mut self, bytes: &[u8]) {
        self.crc.update(bytes);
        self.digest(bytes);
    }

    fn digest(&mut self, bytes: &[u8]) {
        if let Some(state) = &mut self.sha256 {
            Sha256::update(state, bytes);
        }
    }
}

/// The pieces that a stream of [`Packer`](super::pack::Packer) of this size has, where there are as many marks as it would have.
fn pieces_of(packed: &[u8], size: usize) -> Option<Vec<Range<usize>>> {
    let count = size.div_ceil(PIECE);
    let (mut pieces, mut start) = (Vec::with_capacity(count), 0);
    for mark in memchr::memmem::find_iter(packed, &MARK) {
        // The block's own head, three zeros, lies in the byte before, or that byte is all head.
        let is_head = mark > 0 && packed.get(mark - 1).is_some_and(|byte| byte & 0xE0 == 0);
        if !is_head {
            continue;
        }
        if pieces.len() == count {
            return None;
        }
        pieces.push(start..mark + MARK.len());
        start = mark + MARK.len();
    }
    // A last piece may have nothing in it.
    if pieces.len() + 1 != count && pieces.len() != count {
        return None;
    }
    pieces.push(start..packed.len());
    Some(pieces)
}

/// Inflates pieces side by side; where the last one ends.
fn side_by_side(packed: &[u8], pieces: &[Range<usize>], data: &mut [u8], sums: &mut Sums) -> Option<usize> {
    let (last, others) = pieces.split_last()?;
    let (full, rest) = data.split_at_mut_checked(others.len() * PIECE)?;
    // Some pieces a thread, so that what was inflated is summed up while it is at hand.
    let window = 4 * rayon::current_num_threads().max(1);
    let mut before: &[u8] = &[];
    for (pieces, out) in others.chunks(window).zip(full.chunks_mut(window * PIECE)) {
        let mut crcs = Vec::new();
        rayon::in_place_scope(|scope| {
            scope.spawn(|_| {
                let inflated = pieces.par_iter().zip(out.par_chunks_mut(PIECE)).map(|(piece, out)| {
                    inner_piece(packed.get(piece.start..)?, piece.len(), out)?;
                    let mut crc = Crc::new();
                    crc.update(out);
                    Some(crc)
                });
                crcs = inflated.collect::<Vec<Option<Crc>>>();
            });
            sums.digest(before);
        });
        for crc in crcs {
            sums.crc.combine(&crc?);
        }
        before = out;
    }
    sums.digest(before);
    let mut state = inflate();
    let used = to_the_end(&mut state, packed.get(last.clone())?, rest)?;
    sums.update(rest);
    Some(last.start + used)
}

/// Inflates the first `length` bytes of `packed`, a piece that others follow: they give just `out`, and end where a block does that has
/// whole bytes, as an empty stored one.
fn inner_piece(packed: &[u8], length: usize, out: &mut [u8]) -> Option<()> {
    let mut state = inflate();
    fill(&mut state, packed.get(..length.checked_sub(MARK.len())?)?, out)?;
    // What is left are blocks with nothing in them. With a byte more than it may take it stops where a block ends and nowhere else.
    let and_more = packed.get(..length + 1)?;
    let mut used = at(&state)?;
    while used < length {
        empty_block(&mut state, and_more.get(used..)?, out.len())?;
        used = at(&state)?;
    }
    // No bit of the last byte is left over: then the next byte's first bits begin a block.
    empty_block(&mut state, &PROBE, out.len())?;
    (at(&state)? == length + PROBE.len() - 1).then_some(())
}

/// Reads to the end of a block that has nothing in it.
fn empty_block(state: &mut Inflate, input: &[u8], made: usize) -> Option<()> {
    let before = state.total_in();
    let status = state.decompress(input, &mut [0], InflateFlush::Block).ok()?;
    (status == Status::Ok && state.total_in() > before && state.total_out() == made as u64).then_some(())
}

/// How far it has read.
fn at(state: &Inflate) -> Option<usize> {
    usize::try_from(state.total_in()).ok()
}

/// An inflater of a stream without a header.
fn inflate() -> Inflate {
    Inflate::new(false, 15)
}

/// Fills `out` from `packed`.
fn fill(state: &mut Inflate, packed: &[u8], out: &mut [u8]) -> Option<Status> {
    let before = state.total_out();
    loop {
        let (used, made) = (at(state)?, usize::try_from(state.total_out() - before).ok()?);
        if made == out.len() {
            return Some(Status::Ok);
        }
        let status = state.decompress(packed.get(used..)?, out.get_mut(made..)?, InflateFlush::NoFlush).ok()?;
        let progressed = state.total_in() > used as u64 || state.total_out() - before > made as u64;
        if status == Status::StreamEnd {
            return (state.total_out() - before == out.len() as u64).then_some(status);
        }
        if !progressed {
            return None;
        }
    }
}

/// Inflates to the end of the stream, which fills `out`; how many bytes the stream has.
fn to_the_end(state: &mut Inflate, packed: &[u8], out: &mut [u8]) -> Option<usize> {
    if fill(state, packed, out)? != Status::StreamEnd {
        let (rest, made) = (packed.get(at(state)?..)?, state.total_out());
        let status = state.decompress(rest, &mut [0], InflateFlush::NoFlush).ok()?;
        if status != Status::StreamEnd || state.total_out() != made {
            return None;
        }
    }
    at(state)
}

/// Inflates a stream on this thread, while another one sums up what there is so far; how many bytes the stream has.
fn one_by_one(packed: &[u8], data: &mut [u8], sums: &mut Sums) -> Option<usize> {
    let mut state = inflate();
    let mut before: &[u8] = &[];
    for out in data.chunks_mut(WINDOW) {
        let mut filled = None;
        rayon::in_place_scope(|scope| {
            scope.spawn(|_| sums.update(before));
            filled = fill(&mut state, packed, out);
        });
        filled?;
        before = out;
    }
    sums.update(before);
    to_the_end(&mut state, packed, &mut [])
}

#[cfg(test)]
mod tests;
