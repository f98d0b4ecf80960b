use super::super::reference;
use super::*;
use crate::net::padded as stored;
use crate::random::SplitMix;

/// Sizes of released nets and others, inputs and weights at the ends of their ranges, many zeros, biases that make sums wrap.
#[test]
fn every_form_adds_up_the_same() {
    let mut random = SplitMix::new(1);
    let sizes = [(1, 32), (16, 1024), (32, 30), (32, 62), (1, 128), (8, 2048), (3, 7), (16, 3072), (47, 96), (33, 64)];
    // Miri takes a thousand times as long.
    for (outputs, inputs) in sizes.into_iter().filter(|(outputs, inputs)| !cfg!(miri) || outputs * inputs < 1000) {
        for extreme in [false, true] {
            let mut byte =
                |low: i64, high: i64| if extreme && !random.next_u64().is_multiple_of(4) { low } else { random.centred(low, high) };
            let weights = (0..outputs * stored(inputs)).map(|_| byte(-128, 127) as i8).collect();
            let bias = (0..outputs).map(|_| byte(i64::from(i32::MIN), i64::from(i32::MAX)) as i32).collect();
            let layer = Dense { inputs, bias, weights };
            let packed = Packed::of(&layer);
            let mut input: Vec<u8> = (0..inputs).map(|_| 127 - byte(0, 127) as u8).collect();
            for zeros in [0, 3, 1] {
                if zeros > 0 {
                    input.chunks_mut(4).filter(|_| !random.next_u64().is_multiple_of(zeros)).for_each(|four| four.fill(0));
                }
                let expected: Vec<i32> = layer
                    .rows()
                    .zip(&layer.bias)
                    .map(|(row, bias)| {
                        let sum: i64 = row.iter().zip(&input).map(|(weight, input)| i64::from(*weight) * i64::from(*input)).sum();
                        (sum + i64::from(*bias)) as i32
                    })
                    .collect();
                let mut input = input.clone();
                input.resize(padded(inputs), 0);
                for kernel in DenseKernel::available() {
                    let mut found = Fours::default();
                    kernel.find(&[0; 4096], &mut found);
                    assert!(found.places().is_empty());
                    kernel.find(&input, &mut found);
                    let is_zero = |four: &[u8]| four.iter().all(|input| *input == 0);
                    let wanted = input.chunks(4).zip(0..).filter(|(four, _)| !is_zero(four)).map(|(_, place)| place);
                    assert_eq!(found.places(), wanted.collect::<Vec<u16>>(), "{kernel:?} {inputs}");
                    for fours in [&found, &Fours::all(input.len())] {
                        let mut out = vec![7; packed.rows()];
                        kernel.affine(&packed, &input, fours, &mut out);
                        assert_eq!(out[..packed.outputs()], expected, "{kernel:?} {outputs} × {inputs}");
                    }
                }
            }
        }
    }
}

#[test]
fn every_form_activates_as_the_reference() {
    let mut random = SplitMix::new(4);
    let sums = (0..20_000).map(|_| random.next_u64() as i32 >> (random.next_u64() % 32)).chain([i32::MIN, i32::MAX, 0]);
    let sums: Vec<i32> = (-20_000..20_000).chain(sums).collect();
    let step = if cfg!(miri) { 53 } else { 1 };
    for (sums, count) in sums.chunks_exact(16).zip([15, 16, 8, 3, 9].into_iter().cycle()).step_by(step) {
        for shift in [6, 7] {
            for squared in [false, true] {
                let squares = sums[..count].iter().filter(|_| squared).map(|sum| reference::square(*sum, shift));
                let expected: Vec<u8> = squares.chain(sums[..count].iter().map(|sum| reference::clip(*sum, shift))).collect();
                for kernel in DenseKernel::available() {
                    let mut out = [200; 2 * 16];
                    kernel.activate(sums, count, squared, shift, &mut out);
                    assert_eq!(out[..expected.len()], expected, "{kernel:?} {sums:?} {count} {shift} {squared}");
                }
            }
        }
    }
}
