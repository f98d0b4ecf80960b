//! gzip on all cores: pieces of one size are deflated each by itself and joined to one stream, whose bytes depend on the content alone.
//!
//! # Limitations
//! A match never reaches into the piece before, which costs less than a hundredth of a percent of a network.

use std::io::{self, Write};

use flate2::{Compress, Compression, Crc, FlushCompress};
use rayon::prelude::*;

/// Bytes of a piece. Part of what decides the stream's bytes.
pub(super) const PIECE: usize = 1 << 20;
/// Level 9, no name, no time, no particular system.
const HEADER: [u8; 10] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 2, 0xFF];

/// Packs what is written to it. [`Self::finish`] ends the stream.
pub struct Packer<W: Write> {
    out: W,
    /// Pieces that are not packed yet: full ones, and the last.
    waiting: Vec<u8>,
    /// How much waits before it is packed.
    most: usize,
    crc: Crc,
    has_begun: bool,
}

impl<W: Write> Packer<W> {
    /// A stream into `out`.
    pub fn new(out: W) -> Self {
        // Two pieces a thread: enough that none waits long for the slowest.
        let most = PIECE * 2 * rayon::current_num_threads().max(1);
        Self { out, waiting: Vec::new(), most, crc: Crc::new(), has_begun: false }
    }

    /// Packs the rest and ends the stream.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn finish(mut self) -> io::Result<()> {
        self.pack(true)?;
        self.out.write_all(&self.crc.sum().to_le_bytes())?;
        self.out.write_all(&self.crc.amount().to_le_bytes())
    }

    fn pack(&mut self, is_last: bool) -> io::Result<()> {
        if !self.has_begun {
            self.out.write_all(&HEADER)?;
            self.has_begun = true;
        }
        // An empty end is still a piece: the one that ends the stream.
        let pieces: Vec<&[u8]> = if self.waiting.is_empty() { vec![&[]] } else { self.waiting.chunks(PIECE).collect() };
        let last = pieces.len() - 1;
        let packed: Vec<io::Result<(Vec<u8>, Crc)>> = pieces
            .into_par_iter()
            .enumerate()
            .map(|(at, piece)| {
                let mut crc = Crc::new();
                crc.update(piece);
                Ok((deflate(piece, is_last && at == last)?, crc))
            })
            .collect();
        for piece in packed {
            let (bytes, crc) = piece?;
            self.out.write_all(&bytes)?;
            self.crc.combine(&crc);
        }
        self.waiting.clear();
        Ok(())
    }
}

impl<W: Write> Write for Packer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(self.most - self.waiting.len());
        self.waiting.extend_from_slice(&bytes[..taken]);
        if self.waiting.len() == self.most {
            self.pack(false)?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One piece: ends on a whole byte, and, if it is the last, ends the stream.
fn deflate(piece: &[u8], is_last: bool) -> io::Result<Vec<u8>> {
    let mut state = Compress::new(Compression::best(), false);
    let mut packed = Vec::with_capacity(piece.len() / 2 + 64);
    let flush = if is_last { FlushCompress::Finish } else { FlushCompress::Sync };
    loop {
        let used = usize::try_from(state.total_in()).unwrap_or(usize::MAX);
        let rest = piece.get(used..).unwrap_or_default();
        let room = packed.capacity() - packed.len();
        let status = state.compress_vec(rest, &mut packed, flush).map_err(io::Error::other)?;
        let is_through = state.total_in() == piece.len() as u64;
        // A flush is over once it left room.
        let is_flushed = packed.len() < packed.capacity() && room > 0;
        match status {
            flate2::Status::StreamEnd => return Ok(packed),
            flate2::Status::Ok | flate2::Status::BufError if is_through && !is_last && is_flushed => return Ok(packed),
            flate2::Status::Ok | flate2::Status::BufError => packed.reserve(packed.capacity().max(4096)),
        }
    }
}

#[cfg(test)]
mod tests;
