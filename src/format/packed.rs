//! Files that are packed as a whole: gzip, zstd and xz, told by their first bytes, and brotli, which has no mark of its own. Knows nothing of what is inside.
//!
//! Members, frames and streams that follow one another are one file, as the tools that write them have it. Checksums are compared.
//!
//! # Limits
//! A small file may unpack to an endless one. So what comes out is bounded by [`budget`], the window of a zstd frame by 100 MiB and the
//! memory for an xz block by 256 MiB (the tools' largest levels take 8 MiB and 64 MiB).

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use lzma_rust2::XzReader;
use ruzstd::decoding::{
    BlockDecodingStrategy, FrameDecoder,
    errors::{FrameDecoderError, ReadFrameHeaderError},
};

use crate::error::{Error, Result};

/// How a file is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// gzip.
    Gzip,
    /// zstd.
    Zstd,
    /// xz.
    Xz,
    /// brotli.
    Brotli,
}

/// What is allowed to come out of any file, bytes.
const SMALL: u64 = 64 << 20;
/// How many times its size a larger file may become.
const RATIO: u64 = 100;
/// The most that is unpacked into memory, bytes.
const MAX_IN_MEMORY: u64 = 4 << 30;
/// The most that an xz block may ask for, KiB.
const XZ_MEMORY: u32 = 256 << 10;
/// Bytes that are unpacked at once.
const BUFFER: usize = 256 << 10;

impl Packing {
    /// What the first bytes of a file say; `None` where it is not packed, or with brotli.
    pub fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0x1F, 0x8B, ..] => Some(Self::Gzip),
            // The second is a frame to be skipped, with which a file may begin.
            [0x28, 0xB5, 0x2F, 0xFD, ..] | [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..] => Some(Self::Zstd),
            [0xFD, b'7', b'z', b'X', b'Z', 0, ..] => Some(Self::Xz),
            _ => None,
        }
    }

    /// The name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Xz => "xz",
            Self::Brotli => "brotli",
        }
    }

    /// `name`, in lower case, without the ending that says how the file is packed.
    pub fn strip_ending(name: &str) -> &str {
        [".gz", ".zst", ".zstd", ".xz", ".br"].iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name)
    }
}

/// The most that `packed` bytes may become: a hundred times as much, and 64 MiB in any case. Networks and positions become 2 to 20 times
/// as much.
pub const fn budget(packed: u64) -> u64 {
    let most = packed.saturating_mul(RATIO);
    if most > SMALL { most } else { SMALL }
}

/// Reads what is packed in `source`. More than `budget` bytes are an error.
pub fn reader<'a>(packing: Packing, source: impl BufRead + 'a, budget: u64) -> Box<dyn BufRead + 'a> {
    let unpacking: Box<dyn Read + 'a> = match packing {
        Packing::Gzip => Box::new(MultiGzDecoder::new(source)),
        Packing::Zstd => Box::new(ZstdFrames { source, decoder: FrameDecoder::new(), in_frame: false }),
        Packing::Brotli => Box::new(brotli_decompressor::Decompressor::new(source, 64 << 10)),
        Packing::Xz => Box::new(XzReader::new_mem_limit(source, true, XZ_MEMORY)),
    };
    Box::new(BufReader::with_capacity(BUFFER, Budgeted { source: unpacking, budget, left: budget }))
}

/// Unpacks a whole file into memory.
///
/// # Errors
/// When the data is damaged, cut off, or becomes more than [`budget`] allows.
pub fn unpack(packed: &[u8], packing: Packing) -> Result<Vec<u8>> {
    let budget = budget(packed.len() as u64).min(MAX_IN_MEMORY);
    read_within(reader(packing, packed, budget), budget).map_err(|error| {
        Error::new(format!("the {}-compressed data cannot be unpacked", packing.name()))
            .because(error)
            .help("the file may be cut off or damaged: copy or download it again")
    })
}

/// All of what is read, which is at most `budget` bytes: never is there room for more.
fn read_within(mut reader: impl BufRead, budget: u64) -> io::Result<Vec<u8>> {
    let most = usize::try_from(budget).unwrap_or(usize::MAX);
    let mut content: Vec<u8> = Vec::new();
    loop {
        let bytes = reader.fill_buf()?;
        if bytes.is_empty() {
            return Ok(content);
        }
        if content.capacity() - content.len() < bytes.len() {
            // Doubling, as far as that goes.
            let more = content.len().min(most.saturating_sub(content.len())).max(bytes.len());
            content.try_reserve_exact(more)?;
        }
        content.extend_from_slice(bytes);
        let read = bytes.len();
        reader.consume(read);
    }
}

/// Up to `length` bytes of what the beginning of a file unpacks to; none where it is damaged.
pub fn unpack_head(packing: Packing, source: impl BufRead, length: usize) -> Vec<u8> {
    let mut head = Vec::with_capacity(length);
    let mut reader = reader(packing, source, SMALL);
    while head.len() < length {
        match reader.fill_buf() {
            Ok([]) | Err(_) => break,
            Ok(bytes) => {
                let taken = bytes.len().min(length - head.len());
                head.extend_from_slice(&bytes[..taken]);
                reader.consume(taken);
            }
        }
    }
    head
}

/// Ends with an error where more comes than is allowed.
struct Budgeted<R> {
    source: R,
    budget: u64,
    left: u64,
}

impl<R: Read> Read for Budgeted<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(out)?;
        match self.left.checked_sub(read as u64) {
            Some(left) => self.left = left,
            None => {
                let message = format!("it becomes more than {} bytes, the most that a packed file of its size may become", self.budget);
                return Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
        }
        Ok(read)
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

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Write;

    use super::*;

    /// `content` with brotli, in blocks that are stored as they are.
    pub(crate) fn brotli(content: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for (index, block) in content.chunks(1 << 16).enumerate() {
            // Before the first block the window's size; then: not the last, 4 nibbles of length, stored.
            let header = ((block.len() as u32 - 1) << 3 | 1 << 19) << u32::from(index == 0);
            out.extend_from_slice(&header.to_le_bytes()[..3]);
            out.extend_from_slice(block);
        }
        out.push(3);
        out
    }

    /// `content` in each packing that has a mark.
    pub(crate) fn packed(content: &[u8]) -> [(Packing, Vec<u8>); 3] {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(content).unwrap();
        let zstd = ruzstd::encoding::compress_to_vec(content, ruzstd::encoding::CompressionLevel::Fastest);
        let mut xz = Vec::new();
        lzma_rs::xz_compress(&mut &*content, &mut xz).unwrap();
        [(Packing::Gzip, gzip.finish().unwrap()), (Packing::Zstd, zstd), (Packing::Xz, xz)]
    }

    #[test]
    fn every_packing_is_told_and_read() {
        let content: Vec<u8> = (0..100_000u32).flat_map(|i| (i / 7).to_le_bytes()).collect();
        for (packing, bytes) in packed(&content) {
            assert_eq!(Packing::of(&bytes), Some(packing));
            assert_eq!(unpack(&bytes, packing).unwrap(), content, "{packing:?}");
            assert_eq!(unpack_head(packing, &*bytes, 512), content[..512], "{packing:?}");
            // Several members, frames and streams are one file.
            assert_eq!(unpack(&[bytes.clone(), bytes.clone()].concat(), packing).unwrap().len(), 2 * content.len(), "{packing:?}");
            for cut in [8, bytes.len() / 2, bytes.len() - 1] {
                let error = unpack(&bytes[..cut], packing).unwrap_err();
                assert!(error.to_string().contains("-compressed data cannot be unpacked"), "{packing:?}, {cut}: {error}");
            }
        }
        assert_eq!(Packing::of(b"BINP"), None);
    }

    #[test]
    fn brotli_is_read() {
        let content: Vec<u8> = (0..100_000u32).flat_map(|i| (i / 7).to_le_bytes()).collect();
        let bytes = brotli(&content);
        assert_eq!(unpack(&bytes, Packing::Brotli).unwrap(), content);
        for cut in [1, bytes.len() / 2, bytes.len() - 1] {
            let error = unpack(&bytes[..cut], Packing::Brotli).unwrap_err();
            assert!(error.to_string().contains("brotli-compressed data cannot be unpacked"), "{cut}: {error}");
        }
    }

    #[test]
    fn what_becomes_too_much_is_refused() {
        let content = vec![0; SMALL as usize + 1];
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(&content).unwrap();
        let bomb = gzip.finish().unwrap();
        assert!((bomb.len() as u64) < SMALL / RATIO);
        let error = unpack(&bomb, Packing::Gzip).unwrap_err();
        assert!(error.to_string().contains("it becomes more than 67108864 bytes"), "{error}");
        // Room is made for what may come, and no more.
        for length in [0, 1, 3_000_001] {
            let all = read_within(BufReader::with_capacity(BUFFER, io::repeat(7).take(length)), length).unwrap();
            assert!(all.len() as u64 == length && all.capacity() <= all.len(), "{length}: {}", all.capacity());
        }
    }
}
