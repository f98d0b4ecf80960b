use proptest::prelude::*;

use super::*;

fn rule(dtype: DType, rounding: Rounding, precision: Precision, overflow: Overflow) -> Quantize {
    Quantize { roles: Vec::new(), scale: 255.0, clip: None, clip_after: false, rounding, precision, dtype, overflow }
}

#[test]
fn halves_and_overflow_go_as_stated() {
    let away = rule(DType::I8, Rounding::Away, Precision::F64, Overflow::Error);
    let with = |how: &Quantize, scale: f64, value: f32| one(&Quantize { scale, ..how.clone() }, value);
    assert_eq!([with(&away, 1.0, 0.5), with(&away, 1.0, -2.5), with(&away, 1.0, 127.4)], [Some(1), Some(-3), Some(127)]);
    assert_eq!([with(&away, 1.0, 127.5), with(&away, 1.0, f32::NAN), with(&away, 1.0, f32::INFINITY)], [None; 3]);
    let wrap = rule(DType::I8, Rounding::Truncate, Precision::F32, Overflow::Wrap);
    assert_eq!(with(&wrap, 1.0, 130.9).map(|value| value as u8 as i8), Some(-126));
    let saturate = rule(DType::I8, Rounding::Even, Precision::F32, Overflow::Saturate);
    assert_eq!([with(&saturate, 1.0, 2.5), with(&saturate, 1.0, 1e9), with(&saturate, 1.0, f32::NAN)], [Some(2), Some(127), None]);
}

proptest! {
    /// The fast way is the slow one, or says that it is not.
    #[test]
    fn both_ways_agree(
        values in proptest::collection::vec(prop_oneof![any::<f32>(), -200.0f32..200.0, (-400i32..400).prop_map(|n| n as f32 / 510.0)], 1..60),
        kind in 1usize..5,
        rounding in prop_oneof![Just(Rounding::Away), Just(Rounding::Even), Just(Rounding::Truncate)],
        clip in proptest::option::of(Just([-1.98, 1.98])),
    ) {
        let how = Quantize { clip, ..rule(DType::named(DType::NAMES[kind]).unwrap(), rounding, Precision::F32, Overflow::Error) };
        let input: Vec<[u8; 4]> = values.iter().map(|value| value.to_le_bytes()).collect();
        let (mut quick, mut plain) = (vec![0; input.len() * how.dtype.size()], vec![0; input.len() * how.dtype.size()]);
        let wrong = slow(&how, &input, &mut plain);
        if fast(&how, &input, &mut quick) {
            prop_assert!(wrong.is_none());
            prop_assert_eq!(quick, plain);
        }
    }
}
