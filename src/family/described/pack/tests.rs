use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn values_return(values in proptest::collection::vec(any::<u32>(), 0..100), kind in 0usize..5, is_small in any::<bool>()) {
        let dtype = DType::named(DType::NAMES[kind]).unwrap();
        let mut bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        if is_small {
            // Runs of values that take one byte, with others among them.
            bytes.iter_mut().filter(|byte| **byte % 16 != 7).for_each(|byte| *byte = ((*byte as i8) / 2) as u8);
        }
        let count = bytes.len() / dtype.size();
        let encoded = encode(&bytes, dtype).concat();
        prop_assert_eq!(length(&encoded, count), Some(encoded.len()));
        prop_assert_eq!(&decode(&encoded, dtype, count).unwrap(), &bytes);
        prop_assert_eq!(decode_in_pieces(&encoded, dtype, count, 7).unwrap(), bytes);
    }

    #[test]
    fn nothing_else_decodes(bytes in proptest::collection::vec(prop_oneof![3 => 0u8..128, 1 => any::<u8>()], 0..60), kind in 0usize..5) {
        let dtype = DType::named(DType::NAMES[kind]).unwrap();
        let count = bytes.iter().filter(|byte| **byte < 0x80).count();
        if let Ok(values) = decode(&bytes, dtype, count) {
            prop_assert_eq!(encode(&values, dtype).concat(), &bytes[..]);
            prop_assert_eq!(decode_in_pieces(&bytes, dtype, count, 3).unwrap(), values);
        }
    }
}
