//! PNG files, written in strips on all processors. The strips do not depend on how many there are: equal pixels give equal bytes.

use flate2::{Compress, Compression, Crc, FlushCompress};
use rayon::prelude::*;

use super::color::Rgb;

/// Bytes of a strip, about: enough for the window of the compression to be of use.
const STRIP: usize = 1 << 18;

/// A picture of colour numbers, one byte a pixel, row by row. `clear` is a colour number that lets the background through.
///
/// # Panics
/// When the pixels are not `width × height`, or the palette is empty or has more than 256 colours.
pub fn indexed(width: usize, height: usize, pixels: &[u8], palette: &[Rgb], clear: Option<u8>) -> Vec<u8> {
    assert!((1..=256).contains(&palette.len()), "the caller made the palette");
    assert_eq!(pixels.len(), width * height, "the caller made the pixels");
    let mut out = head(width, height, 3);
    chunk(&mut out, b"PLTE", palette.as_flattened());
    if let Some(clear) = clear {
        let mut opacity = vec![255u8; usize::from(clear)];
        opacity.push(0);
        chunk(&mut out, b"tRNS", &opacity);
    }
    finish(out, width, pixels)
}

/// A picture of full colours, three bytes a pixel, row by row.
///
/// # Panics
/// When the pixels are not `width × height × 3` bytes.
pub fn rgb(width: usize, height: usize, pixels: &[u8]) -> Vec<u8> {
    assert_eq!(pixels.len(), 3 * width * height, "the caller made the pixels");
    finish(head(width, height, 2), 3 * width, pixels)
}

fn head(width: usize, height: usize, kind: u8) -> Vec<u8> {
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    let side = |pixels: usize| u32::try_from(pixels).unwrap_or(u32::MAX).to_be_bytes();
    let [width, height] = [side(width), side(height)];
    chunk(&mut out, b"IHDR", &[&width[..], &height, &[8, kind, 0, 0, 0]].concat());
    out
}

fn finish(mut out: Vec<u8>, row_bytes: usize, pixels: &[u8]) -> Vec<u8> {
    let packed = zlib(row_bytes, pixels);
    chunk(&mut out, b"IDAT", &packed);
    chunk(&mut out, b"IEND", &[]);
    out
}

fn chunk(out: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
    out.extend(u32::try_from(data.len()).unwrap_or(u32::MAX).to_be_bytes());
    let start = out.len();
    out.extend(kind);
    out.extend(data);
    let mut crc = Crc::new();
    crc.update(&out[start..]);
    out.extend(crc.sum().to_be_bytes());
}

/// The rows, each after a byte that says "not filtered", as one zlib stream.
fn zlib(row_bytes: usize, pixels: &[u8]) -> Vec<u8> {
    let rows: Vec<&[u8]> = pixels.chunks_exact(row_bytes.max(1)).collect();
    let strips: Vec<&[&[u8]]> = rows.chunks((STRIP / (row_bytes + 1)).max(1)).collect();
    let last = strips.len().saturating_sub(1);
    let packed: Vec<(Vec<u8>, Vec<u8>)> = strips
        .par_iter()
        .enumerate()
        .map(|(index, strip)| {
            let mut plain = Vec::with_capacity(strip.len() * (row_bytes + 1));
            for row in *strip {
                plain.push(0);
                plain.extend_from_slice(row);
            }
            (deflated(&plain, index == last), plain)
        })
        .collect();
    let mut out = vec![0x78, 0x9c];
    let mut sums = (1u32, 0u32);
    for (strip, plain) in &packed {
        out.extend(strip);
        sums = adler(sums, plain);
    }
    if packed.is_empty() {
        out.extend(deflated(&[], true));
    }
    out.extend((sums.1 << 16 | sums.0).to_be_bytes());
    out
}

/// `plain` as a piece of a deflate stream that ends at a byte; the last piece ends the stream.
fn deflated(plain: &[u8], is_last: bool) -> Vec<u8> {
    let mut compress = Compress::new(Compression::new(6), false);
    let mut out = Vec::with_capacity(plain.len() / 2 + 1024);
    let flush = if is_last { FlushCompress::Finish } else { FlushCompress::Sync };
    loop {
        let at = usize::try_from(compress.total_in()).unwrap_or(plain.len()).min(plain.len());
        // Compressing in memory cannot fail; what is not finished when the space ends goes on with more of it.
        let Ok(status) = compress.compress_vec(&plain[at..], &mut out, flush) else { return out };
        let is_done = match flush {
            FlushCompress::Finish => status == flate2::Status::StreamEnd,
            _ => out.len() < out.capacity(),
        };
        if is_done {
            return out;
        }
        out.reserve(plain.len() / 2 + 1024);
    }
}

/// Adler-32, going on from earlier sums.
fn adler((mut a, mut b): (u32, u32), bytes: &[u8]) -> (u32, u32) {
    // The most bytes whose sums fit 32 bits.
    for part in bytes.chunks(5552) {
        for byte in part {
            a += u32::from(*byte);
            b += a;
        }
        (a, b) = (a % 65521, b % 65521);
    }
    (a, b)
}

#[cfg(test)]
mod tests;
