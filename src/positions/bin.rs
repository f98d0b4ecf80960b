//! `.bin`: records of 40 bytes, one a position, as Stockfish's older data generator wrote them (`PackedSfenValue`).
//!
//! | bytes | content, little-endian |
//! | --- | --- |
//! | 32 | the position as a stream of bits, lowest bit of each byte first |
//! | 2 | score, signed |
//! | 2 | move: bits 0–5 target, 6–11 origin, 12–13 promotion, 14–15 kind (3 is castling, as king takes rook) |
//! | 2 | ply |
//! | 1 | result, signed |
//! | 1 | padding |
//!
//! The bits: side to move (1: black), white king (6), black king (6); then the squares a8, b8 … h1 without those of the kings:
//! `0` is empty, otherwise four bits, lowest first, of which the value is 1 pawn, 3 knight, 5 bishop, 7 rook, 9 queen, and the
//! colour (1: black). Castling rights, en passant square and counters follow; they are not read.

use super::{
    entry::{Entry, Facts},
    position::{Boards, Color, Position},
};

/// Bytes of a record.
pub(super) const RECORD: usize = 40;

/// Decodes a record; the error is the reason alone.
pub(super) fn decode(record: &[u8; RECORD]) -> Result<Entry, String> {
    let mut bits = Bits { bytes: record, at: 0 };
    let mut boards = Boards { side_to_move: if bits.take(1)? == 1 { Color::Black } else { Color::White }, ..Boards::EMPTY };
    for color in 0..2 {
        let king = 1u64 << bits.take(6)?;
        boards.by_type[5] |= king;
        boards.by_color[color] |= king;
    }
    let kings = boards.by_type[5];
    for square in (0..8).rev().flat_map(|rank| 8 * rank..8 * rank + 8) {
        let bit = 1u64 << square;
        if kings & bit != 0 || bits.take(1)? == 0 {
            continue;
        }
        // The code's lowest bit is the 1 that was just read.
        let kind = match bits.take(3)? {
            kind @ 0..=4 => kind,
            other => return Err(format!("no piece has the code {}", 2 * other + 1)),
        };
        boards.by_type[kind] |= bit;
        boards.by_color[bits.take(1)?] |= bit;
    }
    let position = Position::try_from(&boards).map_err(|fault| fault.to_string())?;

    let [.., s0, s1, m0, m1, p0, p1, result, _] = *record;
    let result = i8::from_le_bytes([result]);
    if !(-1..=1).contains(&result) {
        return Err(format!("result {result} is not -1, 0 or 1"));
    }
    let target = u16::from_le_bytes([m0, m1]) & 63;
    let is_capture = boards.by_color[boards.side_to_move.opponent() as usize] >> target & 1 != 0;
    let facts = Facts { score: i16::from_le_bytes([s0, s1]), ply: u16::from_le_bytes([p0, p1]), result, is_capture };
    Ok(Entry { position, facts: Some(facts) })
}

struct Bits<'a> {
    bytes: &'a [u8; RECORD],
    at: usize,
}

impl Bits<'_> {
    /// The next `count` bits (at most 8), the first the lowest.
    #[inline]
    fn take(&mut self, count: usize) -> Result<usize, String> {
        let end = self.at + count;
        if end > 256 {
            return Err("the position takes more than 32 bytes".to_owned());
        }
        // In range: `at` is below 256 here, and the record has bytes after the 32.
        let low = u16::from_le_bytes([self.bytes[self.at / 8], self.bytes[self.at / 8 + 1]]);
        let value = usize::from(low >> (self.at % 8)) & ((1 << count) - 1);
        self.at = end;
        Ok(value)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::positions::generate;

    /// Writes a record as the format says; the fields that are not read stay 0.
    pub(crate) fn encode(entry: &Entry) -> [u8; RECORD] {
        let mut bits: Vec<bool> = Vec::new();
        let mut put = |value: usize, count: usize| bits.extend((0..count).map(|i| value >> i & 1 == 1));
        let position = &entry.position;
        let boards = position.boards();
        put(position.side_to_move() as usize, 1);
        put(position.king_square(Color::White), 6);
        put(position.king_square(Color::Black), 6);
        for rank in (0..8).rev() {
            for file in 0..8 {
                let bit = 1u64 << (8 * rank + file);
                match boards.by_type.iter().position(|of_kind| of_kind & bit != 0) {
                    None => put(0, 1),
                    Some(5) => {}
                    Some(kind) => {
                        put(2 * kind + 1, 4);
                        put(usize::from(boards.by_color[1] & bit != 0), 1);
                    }
                }
            }
        }
        let mut record = [0; RECORD];
        for (i, _) in bits.iter().enumerate().filter(|(_, bit)| **bit) {
            record[i / 8] |= 1 << (i % 8);
        }
        let facts = entry.facts.unwrap();
        record[32..34].copy_from_slice(&facts.score.to_le_bytes());
        let target = match facts.is_capture {
            true => boards.by_color[position.side_to_move().opponent() as usize].trailing_zeros() as u16,
            false => boards.by_color[position.side_to_move() as usize].trailing_zeros() as u16,
        };
        record[34..36].copy_from_slice(&target.to_le_bytes());
        record[36..38].copy_from_slice(&facts.ply.to_le_bytes());
        record[38] = facts.result as u8;
        record
    }

    pub(crate) fn entries(seed: u64, count: usize) -> Vec<Entry> {
        let with_facts = |(i, position): (usize, Position)| Entry {
            position,
            facts: Some(Facts {
                score: (i as i16).wrapping_mul(37),
                ply: i as u16,
                result: (i % 3) as i8 - 1,
                is_capture: i.is_multiple_of(4),
            }),
        };
        generate(seed, count).into_iter().enumerate().map(with_facts).collect()
    }

    #[test]
    fn records_round_trip() {
        for entry in entries(5, 1000) {
            assert_eq!(decode(&encode(&entry)).unwrap(), entry);
        }
    }

    #[test]
    fn the_start_position_reads_as_stockfish_writes_it() {
        // Side to move 0, kings on e1 (4) and e8 (60): bits 0, 001000, 001111, then the rook on a8: 1110 and 1.
        let mut record = [0u8; RECORD];
        let mut bits = String::from("0001000001111");
        let piece = |code: &str, color: char| format!("{code}{color}");
        let (pawn, back) = ("1000", ["1110", "1100", "1010", "1001", "1010", "1100", "1110"]);
        back.iter().for_each(|code| bits += &piece(code, '1'));
        (0..8).for_each(|_| bits += &piece(pawn, '1'));
        bits += &"0".repeat(32);
        (0..8).for_each(|_| bits += &piece(pawn, '0'));
        back.iter().for_each(|code| bits += &piece(code, '0'));
        for (i, _) in bits.chars().enumerate().filter(|(_, bit)| *bit == '1') {
            record[i / 8] |= 1 << (i % 8);
        }
        assert_eq!(decode(&record).unwrap().position.to_fen(), "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w - - 0 1");
    }

    proptest! {
        #[test]
        fn any_record_is_an_entry_or_an_error(record in proptest::collection::vec(any::<u8>(), RECORD)) {
            let _ = decode(&record.try_into().unwrap());
        }

        #[test]
        fn a_changed_record_never_panics(seed in 0u64..50, byte in 0..RECORD, bit in 0u32..8) {
            let mut record = encode(&entries(seed, 1)[0]);
            record[byte] ^= 1u8 << bit;
            if let Ok(entry) = decode(&record) {
                prop_assert!(entry.position.piece_count() <= 32);
            }
        }
    }
}
