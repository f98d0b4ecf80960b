use super::super::schema::NET;
use super::*;
use proptest::prelude::*;

fn parse(bytes: &[u8]) -> Result<Message> {
    Message::parse(&NET, &Bytes::from_vec(bytes.to_vec()))
}

fn written(message: &Message) -> Vec<u8> {
    let mut out = Vec::new();
    message.write(&mut out, true).unwrap();
    assert_eq!(out.len() as u64, message.encoded_len(true));
    out
}

#[test]
fn canonical_bytes_come_back() {
    let bytes = b"\x0d\xc0\x01\0\0\x12\x02hi\x1a\x04\x08\0\x10\x15\x22\x04\x08\x01\x12\0\x52\x04\x0a\x02\x0a\0";
    let message = parse(bytes).unwrap();
    assert_eq!(message.u32("magic"), Some(0x1C0));
    assert_eq!(message.text("license").as_deref(), Some("hi"));
    assert!(message.message("format").unwrap().has("network_format"));
    assert_eq!(written(&message), bytes);
}

#[test]
fn merging_order_and_unknown_records_follow_lc0() {
    // Two versions merge, the later number wins; field 15 and a `magic` of another wire type are unknown.
    let message = parse(b"\x1a\x02\x08\x07\x7a\x01x\x08\x05\x1a\x04\x08\x01\x10\x09\x0d\x01\0\0\0").unwrap();
    let version = message.message("min_version").unwrap();
    assert_eq!((version.u32("major"), version.u32("minor"), message.u32("magic")), (Some(1), Some(9), Some(1)));
    assert_eq!(message.unknown().iter().map(|record| record.to_vec()).collect::<Vec<_>>(), [b"\x7a\x01x".to_vec(), b"\x08\x05".to_vec()]);
    assert_eq!(written(&message), b"\x0d\x01\0\0\0\x1a\x04\x08\x01\x10\x09\x7a\x01x\x08\x05");
}

#[test]
fn records_tell_their_fields() {
    // Also of a tag that is longer than it need be.
    for (record, field) in [(&b"\x78\x01"[..], 15), (b"\xfa\x01\x00", 31), (b"\xf8\x80\x00\x01", 15), (b"\xff", 15), (b"", 0)] {
        assert_eq!(field_of(record), field, "{record:?}");
    }
}

#[test]
fn faults_have_lc0s_words() {
    for (bytes, words) in [
        (&b"\xd2"[..], CUT_VARINT),
        (b"\x0d\xc0\x01", CUT),
        (b"\xa2\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", CUT),
        (b"\xa3\x01", UNPARSEABLE),
        (b"\x1a\x01\x10", CUT_VARINT),
    ] {
        assert_eq!(parse(bytes).unwrap_err().message(), words, "{bytes:?}");
    }
    assert!(parse(&b"\x52\0".repeat(MAX_VALUES + 1)).is_err());
}

proptest! {
    #[test]
    fn any_bytes_are_parsed_or_refused_and_writing_is_stable(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(message) = parse(&bytes) {
            let once = written(&message);
            prop_assert_eq!(&written(&parse(&once).unwrap()), &once);
        }
    }
}
