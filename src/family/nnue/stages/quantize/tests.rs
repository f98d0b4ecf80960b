use super::*;
use crate::net::QUANTIZATIONS;
use crate::random::SplitMix;

/// Values around every tie and every limit, values that are not numbers, and random ones of all magnitudes.
fn values(scale: f32) -> Vec<f32> {
    let mut values = vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN, f32::MIN_POSITIVE, 0.0, -0.0, 1e-45];
    for halves in -66_000i32..=66_000 {
        let tie = halves as f32 / 2.0 / scale;
        values.extend([tie.next_down(), tie, tie.next_up()]);
    }
    for exponent in 14..32 {
        let power = (1u64 << exponent) as f32 / scale;
        values.extend([power, -power, power.next_down(), -power.next_down(), power.next_up(), -power.next_up()]);
    }
    let mut random = SplitMix::new(3);
    values.extend((0..20_000).map(|_| f32::from_bits(random.next_u64() as u32)));
    values
}

fn rows_are_narrowed_as_single_values<T: Target + FromLowBits + std::fmt::Debug>(rule: &Rule) {
    let values = values(rule.scale);
    // Rows of one value take the short way or the long one, each for itself; longer ones all take the long one.
    for length in [1, 7, 64] {
        for (index, row) in values.chunks(length).enumerate() {
            let start = index * length;
            let mut out = vec![T::default(); row.len()];
            let (mut of_row, mut single) = (Tally::default(), Tally::default());
            rule.narrow_row(row, &mut out, start, &mut of_row);
            let expected: Vec<T> = row.iter().enumerate().map(|(i, value)| rule.narrow(*value, start + i, &mut single)).collect();
            assert_eq!(out, expected, "{row:?}");
            assert_eq!((of_row.overflowed, of_row.first.map(|first| first.0)), (single.overflowed, single.first.map(|first| first.0)));
            assert_eq!(of_row.first_not_finite.map(|first| first.0), single.first_not_finite.map(|first| first.0));
        }
    }
}

#[test]
fn the_short_way_of_rows_gives_the_same_integers() {
    for scales in QUANTIZATIONS {
        for &overflow in Overflow::ALL {
            let rule = Rules::new(scales, overflow).ft;
            rows_are_narrowed_as_single_values::<i16>(&rule);
            rows_are_narrowed_as_single_values::<i8>(&rule);
        }
    }
}

#[test]
fn what_is_not_finite_is_refused_whatever_is_asked_for() {
    let place = Place { tensor: "l1.weight", stack: Some(3), columns: 2 };
    for scales in QUANTIZATIONS {
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for &overflow in Overflow::ALL {
                let rules = Rules::new(scales, overflow);
                for rule in [rules.ft, rules.psqt, rules.dense[0].0, rules.dense[2].1] {
                    let narrowed = narrow_all::<i8>(&[0.0, 0.0, 0.0, value], &rule, &place, &mut Quantized::default());
                    if overflow == Overflow::Trainer {
                        assert!(narrowed.is_ok());
                        continue;
                    }
                    let error = narrowed.unwrap_err();
                    assert_eq!(error.message(), "1 value of `l1.weight of layer stack 3` is not finite");
                    assert_eq!(error.causes(), [format!("the first, at row 1, column 1, is {value}")]);
                }
            }
        }
    }
}

#[test]
fn halves_go_to_the_even_integer() {
    let rule = Rules::new(QUANTIZATIONS[2], Overflow::Error).ft;
    let mut out = [0i16; 6];
    let row = [0.5, 1.5, 2.5, -0.5, -1.5, -2.5].map(|value: f32| value / 256.0);
    rule.narrow_row(&row, &mut out, 0, &mut Tally::default());
    assert_eq!(out, [0, 2, 2, 0, -2, -2]);
}
