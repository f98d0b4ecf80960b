//! gzip inflated on several threads, for files that are one whole stream and say how large they become. The others are left to
//! [`super::container`], which reads everything that zlib reads and knows what is wrong with the rest.
//!
//! The stream of a [`Packer`](super::pack::Packer) has places at which a decoder needs nothing of what came before: its pieces are inflated
//! side by side. Any other is inflated on one thread, while others sum up what there is so far.
//!
//! A piece that inflates by itself, from just behind an empty stored block to the end of such a block, gives what it gives in its stream:
//! its matches reach no farther back than its own beginning, and the next piece begins where a block does. Both are checked, and so is the
//! checksum of the whole.
//!
//! # Limitations
//! That the next piece begins where a block does is seen by an empty last block, which has to end the piece. A stream that was made to deceive
//! can hide that end in its own codes and forge the checksum: then zlib reads other bytes than these.

use std::ops::Range;

use flate2::{Crc, Decompress, FlushDecompress, Status};
use rayon::prelude::*;

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
/// A last block with nothing in it.
const END: [u8; 2] = [3, 0];

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
                    inner_piece(packed.get(piece.clone())?, out)?;
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
    let mut state = Decompress::new(false);
    let used = to_the_end(&mut state, packed.get(last.clone())?, rest)?;
    sums.update(rest);
    Some(last.start + used)
}

/// Inflates a piece that is followed by another: all of `packed` gives just `out`, and ends where a block does.
fn inner_piece(packed: &[u8], out: &mut [u8]) -> Option<()> {
    let mut state = Decompress::new(false);
    fill(&mut state, packed, out)?;
    // What is left are blocks with nothing in them; between two blocks an empty last one is all that is missing.
    for (input, wanted) in [(packed, packed.len()), (&END[..], packed.len() + END.len())] {
        let from = usize::try_from(state.total_in()).ok()?.checked_sub(if wanted == packed.len() { 0 } else { packed.len() })?;
        let status = state.decompress(input.get(from..)?, &mut [0], FlushDecompress::None).ok()?;
        let is_end = status == Status::StreamEnd;
        if state.total_in() != wanted as u64 || state.total_out() != out.len() as u64 || is_end != (wanted > packed.len()) {
            return None;
        }
    }
    Some(())
}

/// Fills `out` from `packed`.
fn fill(state: &mut Decompress, packed: &[u8], out: &mut [u8]) -> Option<Status> {
    let before = state.total_out();
    loop {
        let (used, made) = (usize::try_from(state.total_in()).ok()?, usize::try_from(state.total_out() - before).ok()?);
        if made == out.len() {
            return Some(Status::Ok);
        }
        let status = state.decompress(packed.get(used..)?, out.get_mut(made..)?, FlushDecompress::None).ok()?;
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
fn to_the_end(state: &mut Decompress, packed: &[u8], out: &mut [u8]) -> Option<usize> {
    if fill(state, packed, out)? != Status::StreamEnd {
        let used = usize::try_from(state.total_in()).ok()?;
        let made = state.total_out();
        let status = state.decompress(packed.get(used..)?, &mut [0], FlushDecompress::None).ok()?;
        if status != Status::StreamEnd || state.total_out() != made {
            return None;
        }
    }
    usize::try_from(state.total_in()).ok()
}

/// Inflates a stream on this thread, while another one sums up what there is so far; how many bytes the stream has.
fn one_by_one(packed: &[u8], data: &mut [u8], sums: &mut Sums) -> Option<usize> {
    let mut state = Decompress::new(false);
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
mod tests {
    use std::io::Write;

    use super::super::pack::Packer;
    use super::*;

    /// What deflates to about a third, with places that look like the end of a piece.
    fn content(length: usize) -> Vec<u8> {
        let mut state = 1u32;
        let mut content: Vec<u8> = Vec::with_capacity(length + 8);
        while content.len() < length {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            content.extend((32768u16 + (state >> 24) as u16).to_le_bytes());
        }
        content.truncate(length);
        content
    }

    fn packed(content: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut packer = Packer::new(&mut out);
        packer.write_all(content).unwrap();
        packer.finish().unwrap();
        out
    }

    fn foreign(content: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn whole_streams_come_back_whoever_wrote_them() {
        for length in [LEAST, LEAST + 1, 5 * PIECE, 5 * PIECE + 12_345] {
            let content = content(length);
            for (stream, has_pieces) in [(packed(&content), true), (foreign(&content), false)] {
                assert_eq!(pieces_of(&stream[10..], length).is_some(), has_pieces);
                let whole = whole(&stream, 10, u64::MAX, true).unwrap();
                assert!(whole.data == content && whole.end == stream.len(), "{length}");
                assert_eq!(whole.digest, Some(Sha256::of(&content)));
            }
        }
        let small = content(LEAST - 1);
        assert!(whole(&packed(&small), 10, u64::MAX, false).is_none());
        assert!(whole(&packed(&content(LEAST)), 10, LEAST as u64 - 1, false).is_none());
    }

    /// Whatever is wrong is left to the other way.
    #[test]
    fn what_is_damaged_is_not_whole() {
        let content = content(3 * PIECE + 7);
        for stream in [packed(&content), foreign(&content)] {
            let is_whole = |stream: &[u8]| whole(stream, 10, u64::MAX, false).is_some();
            for cut in [1, 4, 8, 9, stream.len() / 2] {
                assert!(!is_whole(&stream[..stream.len() - cut]), "{cut}");
            }
            for at in (10..stream.len()).step_by(stream.len() / 40) {
                let mut damaged = stream.clone();
                damaged[at] ^= 1 << (at % 8);
                assert!(!is_whole(&damaged), "{at}");
            }
        }
    }

    /// Matches that reach into the piece before, and a mark within a block: pieces like these are not ours.
    #[test]
    fn pieces_that_need_the_one_before_are_inflated_one_by_one() {
        let content = content(2 * PIECE + PIECE / 2);
        let mut state = flate2::Compress::new(flate2::Compression::fast(), false);
        let mut stream = vec![0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF];
        for (piece, flush) in
            content.chunks(PIECE).zip([flate2::FlushCompress::Sync, flate2::FlushCompress::Sync, flate2::FlushCompress::Finish])
        {
            let mut out = Vec::with_capacity(2 * PIECE);
            state.compress_vec(piece, &mut out, flush).unwrap();
            stream.extend(out);
        }
        let mut crc = Crc::new();
        crc.update(&content);
        stream.extend(crc.sum().to_le_bytes());
        stream.extend(crc.amount().to_le_bytes());
        assert!(pieces_of(&stream[10..], content.len()).is_some_and(|pieces| pieces.len() == 3));
        // The distances are too far: the other way inflates it.
        assert!(whole(&stream, 10, u64::MAX, false).is_none_or(|whole| whole.data == content));
        let mut out = vec![0; 4];
        assert!(inner_piece(&[0x4B, 0x4C, 0x4A, 0x06, 0, 0, 0, 0xFF, 0xFF], &mut out).is_none(), "cut within a block");
    }
}
