use super::*;
use proptest::prelude::*;

fn encoded<T: Element>(values: &[T]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(&mut bytes, values).unwrap();
    bytes
}

#[test]
fn every_i16_survives_and_has_its_minimal_length() {
    let values: Vec<i16> = (i16::MIN..=i16::MAX).collect();
    let bytes = encoded(&values);
    assert_eq!(bytes.len(), 128 + (16384 - 128) * 2 + (65536 - 16384) * 3);
    assert_eq!(bytes.len(), encoded_len(&values));
    assert_eq!(decode::<i16>(&bytes, values.len()).unwrap(), values);
}

#[test]
fn longer_encodings_than_needed_are_refused() {
    for bytes in [&[0x80, 0x00][..], &[0xFF, 0x7F], &[0x80, 0x80, 0x00], &[0xC0, 0xFF, 0x7F]] {
        assert!(decode::<i16>(bytes, 1).unwrap_err().why.contains("more than it needs"), "{bytes:?}");
    }
    assert_eq!(decode::<i16>(&[0xC0, 0x00], 1).unwrap(), [64]);
    assert_eq!(decode::<i16>(&[0xBF, 0x7F], 1).unwrap(), [-65]);
}

#[test]
fn values_out_of_range_are_refused() {
    assert!(decode::<i16>(&encoded(&[32768i32]), 1).unwrap_err().why.contains("does not fit i16"));
    assert!(decode::<i16>(&encoded(&[-32769i32]), 1).is_err());
    assert!(decode::<i32>(&[0xFF, 0xFF, 0xFF, 0xFF, 0x0F], 1).unwrap_err().why.contains("does not fit i32"));
    assert!(decode::<i32>(&[0x80; 9], 1).unwrap_err().why.contains("longer than 5 bytes"));
}

#[test]
fn the_count_is_exact() {
    assert!(decode::<i16>(&[1, 2], 1).unwrap_err().why.contains("1 bytes are left"));
    assert!(decode::<i16>(&[1, 2], 3).is_err());
    assert!(decode::<i16>(&[1, 0x80], 2).unwrap_err().why.contains("ends inside"));
}

/// Pieces of several tasks stand in order.
#[test]
fn long_tensors_survive() {
    let values: Vec<i16> =
        (0..3 * VALUES_A_TASK as u64 + 17).map(|i| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 48) as u16 as i16).collect();
    let bytes = encoded(&values);
    assert_eq!(bytes.len(), encoded_len(&values));
    assert!(decode::<i16>(&bytes, values.len()).unwrap() == values);
}

proptest! {
    #[test]
    fn i32_round_trips(values in proptest::collection::vec(any::<i32>(), 0..200)) {
        let bytes = encoded(&values);
        prop_assert_eq!(bytes.len(), encoded_len(&values));
        prop_assert_eq!(decode::<i32>(&bytes, values.len()).unwrap(), values);
    }

    #[test]
    fn what_decodes_encodes_to_the_same_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        let count = bytes.iter().filter(|byte| **byte < 0x80).count();
        if let Ok(values) = decode::<i16>(&bytes, count) {
            prop_assert_eq!(encoded(&values), bytes);
        }
    }
}
