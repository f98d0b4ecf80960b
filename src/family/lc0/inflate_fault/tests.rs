use super::*;
use std::io::Write;

#[test]
fn faults_have_zlibs_words() {
    for (bytes, words) in [
        (&[0x07][..], "invalid block type"),
        (&[0x01, 1, 0, 1, 0], "invalid stored block lengths"),
        (&[0xfd, 0xff, 0xff], "too many length or distance symbols"),
    ] {
        assert_eq!(fault_of(bytes), words, "{bytes:?}");
    }
    // A match as the first symbol of a block of the fixed code: length code 257 is 0000001, distance code 00000.
    assert_eq!(fault_of(&[0b0000_0011, 0b0000_0010, 0]), "invalid distance too far back");
}

#[test]
fn good_streams_end_without_a_fault() {
    for level in [0, 1, 6, 9] {
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::new(level));
        let content: Vec<u8> = (0..9000u32).map(|i| ((i * i) >> 7) as u8).collect();
        encoder.write_all(&content).unwrap();
        assert_eq!(fault_of(&encoder.finish().unwrap()), UNHARMED);
    }
}
