use super::*;

#[test]
fn files_are_told_by_their_content() {
    for (bytes, kind) in [
        (&b"\x0d\xc0\x01\0\0"[..], Some(Sniffed::Net)),
        // The magic comes last, and an unknown field first.
        (b"\x7a\x01x\x22\x02\x08\x01\x0d\xc0\x01\0\0", Some(Sniffed::Net)),
        (b"3\n0.5 0.25\n", Some(Sniffed::Text)),
        (b"2\r\n0.5\r\n", Some(Sniffed::Text)),
        (b"\x7fELF\x01\x02\x03\x04\0\0\0\0Lc0!", Some(Sniffed::Engine)),
        (b"<!DOCTYPE html><html>", None),
        (b"rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1\n", None),
        (&[0; 64], None),
        (b"", None),
    ] {
        assert_eq!(sniff(bytes), kind, "{bytes:?}");
    }
}
