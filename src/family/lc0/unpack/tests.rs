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
    assert!(inner_piece(&[0x4B, 0x4C, 0x4A, 0x06, 0, 0, 0, 0xFF, 0xFF, 3, 0], 9, &mut out).is_none(), "cut within a block");
}

/// Bits as deflate packs them.
#[derive(Default)]
struct Bits(Vec<bool>);

impl Bits {
    /// A number, its lowest bit first.
    fn number(&mut self, value: usize, bits: usize) {
        self.0.extend((0..bits).map(|bit| value >> bit & 1 == 1));
    }

    /// A code as it is written down.
    fn code(&mut self, code: &str) {
        self.0.extend(code.bytes().map(|bit| bit == b'1'));
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.chunks(8).map(|byte| byte.iter().rev().fold(0, |byte, bit| byte << 1 | u8::from(*bit))).collect()
    }
}

/// The head of a last block whose codes are such that an empty stored block, as which its end is made up, is a part of it; and an empty
/// last block, which would be all that is missing between two pieces, would be read as this block's end.
fn hidden_mark() -> Vec<u8> {
    let mut bits = Bits::default();
    // A last block, with codes of its own.
    bits.number(1, 1);
    bits.number(2, 2);
    let (literals, zeros) = (257, 19..27);
    for distances in zeros {
        let mut bits = Bits(bits.0.clone());
        bits.number(literals - 257, 5);
        bits.number(distances + 4 - 1, 5);
        // Lengths of the codes of lengths, in deflate's order: 0 is `0`, 10 is `10`, 9 is `110`, 1 is `1110`, 2 is `1111`.
        let order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1];
        bits.number(order.len() - 4, 4);
        for length in order {
            bits.number([(0, 1), (10, 2), (9, 3), (1, 4), (2, 4)].iter().find(|(of, _)| *of == length).map_or(0, |(_, bits)| *bits), 3);
        }
        // 254 literals of ten bits, one of one, one of two; the block's end is `110000000`.
        (0..254).for_each(|_| bits.code("10"));
        ["1110", "1111", "110"].iter().for_each(|code| bits.code(code));
        // Distances: many of none, four of two bits: these are the mark.
        (0..distances).for_each(|_| bits.code("0"));
        (0..4).for_each(|_| bits.code("1111"));
        if bits.0.len().is_multiple_of(8) {
            return bits.bytes();
        }
    }
    unreachable!("eight lengths in a row")
}

#[test]
fn a_mark_that_is_hidden_in_codes_ends_no_piece() {
    let content = content(3 * PIECE);
    let stored = |bytes: &[u8]| {
        let chunks = bytes.chunks(60_000);
        chunks
            .flat_map(|chunk| [&[0], &(chunk.len() as u16).to_le_bytes()[..], &(!(chunk.len() as u16)).to_le_bytes(), chunk].concat())
            .collect()
    };
    let hidden = hidden_mark();
    assert!(hidden.ends_with(&MARK) && hidden[hidden.len() - 5] & 0xE0 == 0);
    let piece: Vec<u8> = [stored(&content[..PIECE]), hidden].concat();
    // What zlib makes of it, and that it would end as a piece does.
    let mut state = flate2::Decompress::new(false);
    let mut out = Vec::with_capacity(PIECE + 9);
    let status = state.decompress_vec(&[&piece[..], &[3, 0]].concat(), &mut out, flate2::FlushDecompress::Finish).unwrap();
    assert!(status == flate2::Status::StreamEnd && state.total_in() == piece.len() as u64 + 2 && out == content[..PIECE]);

    let rest: Vec<u8> = [stored(&content[PIECE..2 * PIECE]), vec![0], MARK.to_vec(), stored(&content[2 * PIECE..]), vec![3, 0]].concat();
    let mut stream = [&[0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF], &piece[..], &rest].concat();
    let mut crc = Crc::new();
    crc.update(&content);
    stream.extend([crc.sum().to_le_bytes(), crc.amount().to_le_bytes()].concat());
    assert_eq!(pieces_of(&stream[10..], content.len()).map(|pieces| pieces.len()), Some(3));
    assert!(whole(&stream, 10, u64::MAX, false).is_none());
}
