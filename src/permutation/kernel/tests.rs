use super::*;

fn slices(length: usize, seed: u64, dense: bool) -> Vec<Vec<u64>> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state ^ state >> 29
    };
    (0..8).map(|_| (0..length).map(|_| if dense { u64::MAX } else { next() }).collect()).collect()
}

/// Lengths around each inner accumulator's limit; all ones is where a narrow accumulator would overflow.
#[test]
fn every_form_counts_the_same() {
    for length in [0, 8, 16, 120, 128, 248, 256, 264, 1000, 2048] {
        for dense in [false, true] {
            let data = slices(length, length as u64 + 1, dense);
            let rows = std::array::from_fn(|k| data[k].as_slice());
            let columns = std::array::from_fn(|k| data[4 + k].as_slice());
            let mut expected = [[0u64; 4]; 4];
            for (i, line) in expected.iter_mut().enumerate() {
                for (j, count) in line.iter_mut().enumerate() {
                    *count = (0..length).map(|w| u64::from((data[i][w] & data[4 + j][w]).count_ones())).sum();
                }
            }
            let common: u64 = (0..length).map(|w| u64::from((data[0][w] & data[1][w] & data[2][w] & data[3][w]).count_ones())).sum();
            for kernel in Kernel::available() {
                assert_eq!(kernel.count_shared(rows, columns), expected, "{} {length}", kernel.name());
                assert_eq!(kernel.count_common(rows), common, "{} {length}", kernel.name());
            }
        }
    }
    println!("compared: {:?}", Kernel::available().iter().map(|kernel| kernel.name()).collect::<Vec<_>>());
}

/// Small numbers, so that sums are often equal: the first of them counts.
#[test]
fn every_form_finds_the_same_rotation_and_the_same_sums() {
    let numbers = |seed: u64, range: i32| -> Vec<i32> {
        slices(2 * ABOVE, seed, false).iter().flatten().map(|word| (*word >> 33) as i32 % (2 * range) - range).collect()
    };
    for seed in 0..if cfg!(miri) { 8 } else { 200 } {
        let range = [2, 5, 1000, 500_000_000][seed as usize % 4];
        let numbers = numbers(seed, range);
        let square = |at: usize| -> &Square { numbers[at..].first_chunk().unwrap() };
        let (ab, bc, ca) = (square(0), square(16), square(32));
        let sum = |[i, j, k]: [usize; 3]| ab[4 * i + j] + bc[4 * j + k] + ca[4 * k + i];
        let all = (0..64).map(|n| [n / 16, n / 4 % 4, n % 4]);
        let best = all.clone().map(sum).max().unwrap();
        let first = all.clone().find(|places| sum(*places) == best).unwrap();
        for kernel in Kernel::available() {
            for least in [i32::MIN, best - 1] {
                assert_eq!(kernel.best_rotation(ab, bc, ca, least), Some((best, first)), "{} {seed}", kernel.name());
            }
            for least in [best, i32::MAX] {
                assert_eq!(kernel.best_rotation(ab, bc, ca, least), None, "{} {seed}", kernel.name());
            }
            for length in [0, 1, 15, 16, 17, 63, 64] {
                let (a, b) = (&numbers[100..][..length], &numbers[200..][..length]);
                let least = numbers[300];
                let expected = (0..length).filter(|k| a[*k] + b[*k] > least).fold(0, |bits, k| bits | 1 << k);
                assert_eq!(kernel.above(a, b, least), expected, "{} {seed} {length}", kernel.name());
            }
        }
    }
}

#[test]
#[should_panic(expected = "slices of one length")]
fn lengths_are_checked() {
    let (a, b) = ([0u64; 8], [0u64; 16]);
    Kernel::best().count_shared([&a, &a, &a, &b], [&a; 4]);
}
