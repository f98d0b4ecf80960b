//! Results that a remote cache holds under an action's name. The message around a record is put in front as well.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use nnue::internals::cache::{ActionRecord, Preimage};
use nnue::internals::fuzzing::read_action_result;

static PREIMAGE: LazyLock<Preimage> = LazyLock::new(|| Preimage::of(&serde_json::json!({"stage": "gather"})).unwrap());

/// A field of protobuf with a length.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut length = content.len();
    while length > 127 {
        out.push(length as u8 | 128);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(content);
    out
}

/// A message that is right but for its record.
fn around(record: &[u8]) -> Vec<u8> {
    let digest = [field(1, "0".repeat(64).as_bytes()), vec![2 << 3, 1]].concat();
    let file = [field(1, b"artifact"), field(2, &digest)].concat();
    let any = [field(1, b"nnue/ActionRecord"), field(2, record)].concat();
    [field(2, &file), field(9, &field(11, &any))].concat()
}

fuzz_target!(|data: &[u8]| {
    for bytes in [data.to_vec(), around(data)] {
        if let Ok(record) = read_action_result(&bytes, &PREIMAGE) {
            assert_eq!(record.preimage, *PREIMAGE);
            let again = ActionRecord::decode(record.key(), &record.encode().unwrap()).unwrap();
            assert_eq!(again.preimage, record.preimage);
        }
    }
});
