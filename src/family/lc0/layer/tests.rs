use super::super::schema::LAYER;
use super::*;
use proptest::prelude::*;

fn decoded(encoded: Encoded, decode: Decode) -> Vec<f32> {
    let mut message = Message::new(&LAYER);
    encoded.store(&mut message);
    Layer::of(&message).values(decode).unwrap()
}

#[test]
fn the_ends_of_a_range_are_exact() {
    for decode in Decode::ALL.iter().copied() {
        assert_eq!(decode.linear(0, -0.3, 0.7), -0.3);
    }
    assert_eq!(Decode::Lc0V033.linear(65535, -0.3, 0.7), 0.7);
    assert_eq!(decoded(encode(&[0.25], Encoding::Linear16).unwrap(), Decode::Lc0V033), [0.25]);
    assert_eq!(decoded(encode(&[0.0], Encoding::Linear16).unwrap(), Decode::Lc0V033), [0.0]);
}

#[test]
fn what_cannot_be_stored_is_refused() {
    for encoding in Encoding::ALL.iter().copied() {
        assert!(encode(&[1.0, f32::NAN], encoding).unwrap_err().message().contains("element 1"));
    }
    assert!(encode(&[70000.0], Encoding::Float16).is_err());
    assert!(encode(&[f32::MAX], Encoding::Bfloat16).is_err());
    assert!(encode(&[f32::MAX, -f32::MAX], Encoding::Linear16).is_err());
}

proptest! {
    #[test]
    fn encoding_again_changes_nothing(values in proptest::collection::vec(-8.0f32..8.0, 2..300)) {
        for encoding in Encoding::ALL.iter().copied() {
            let once = encode(&values, encoding).unwrap();
            if let Some((min, max)) = once.range && !is_linear16_stable(min, max) {
                continue;
            }
            let back = decoded(once.clone(), Decode::Lc0V033);
            prop_assert_eq!(encode(&back, encoding).unwrap(), once);
        }
    }

    #[test]
    fn half_precision_is_the_nearest(value in -60000.0f32..60000.0) {
        let back = decoded(encode(&[value], Encoding::Float16).unwrap(), Decode::Lc0V033)[0];
        let error = (f64::from(back) - f64::from(value)).abs();
        for step in [-1i32, 1] {
            let neighbour = f16::from_bits((f16::from_f32(value).to_bits() as i32 + step) as u16).to_f32();
            prop_assert!(error <= (f64::from(neighbour) - f64::from(value)).abs() || neighbour.is_nan());
        }
    }
}
