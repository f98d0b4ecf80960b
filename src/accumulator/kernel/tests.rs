use super::*;
use crate::net::ZeroRule;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 24
    }
}

/// Every variant against sums in wide integers: sizes that leave a rest behind each kind of tile, weights that wrap around, rules at
/// both ends of their range.
#[test]
fn all_variants_agree_with_wide_integers() {
    // Miri takes a thousand times as long.
    const STEPS: usize = if cfg!(miri) { 8 } else { 40 };
    let mut random = Random(1);
    let sizes: &[usize] = if cfg!(miri) { &[2, 130] } else { &[2, 16, 128, 130, 264, 512, 1024, 1032, 1280] };
    for &l1 in sizes {
        let half = l1 / 2;
        let bias: Vec<i16> = (0..l1).map(|_| random.next() as i16).collect();
        // The second block is small, so that sums near 0 and near the rules' limits occur too.
        let blocks = [
            BlockWeights::I16((0..20 * l1).map(|_| random.next() as i16).collect()),
            BlockWeights::I8((0..20 * l1).map(|_| random.next() as i8).collect()),
            BlockWeights::I16((0..20 * l1).map(|_| random.next() as i16 % 300).collect()),
        ];
        let weights = Weights { bias: &bias, blocks: &blocks.each_ref() };
        let mut script = Script::default();
        let mut sums = vec![0i64; l1];
        let mut all_sums = Vec::new();
        for step in 0..STEPS {
            let fresh = step == 0 || random.next().is_multiple_of(5);
            script.step(fresh);
            if fresh {
                sums = bias.iter().map(|&bias| i64::from(bias)).collect();
            }
            for block in &blocks {
                let mut pick = |sign: i64| -> Vec<u32> {
                    let rows: Vec<u32> = (0..random.next() % 4).map(|_| (random.next() % 20) as u32).collect();
                    for &row in &rows {
                        for (column, sum) in sums.iter_mut().enumerate() {
                            *sum += sign
                                * match block {
                                    BlockWeights::I16(block) => i64::from(block[row as usize * l1 + column]),
                                    BlockWeights::I8(block) => i64::from(block[row as usize * l1 + column]),
                                };
                        }
                    }
                    rows
                };
                let (added, removed) = (pick(1), pick(-1));
                script.block(&added, &removed);
            }
            all_sums.push(sums.clone());
        }
        let clip = |sum: i64, clamp: i64| i64::from(sum as i16).clamp(0, clamp);
        for (clamp, limit) in
            [(127, 128), (255, 257), (255, 512), (255, 1), (255, i32::MAX), (256, 70_000), (32_767, 1 << 28), (32_767, i32::MAX), (1, 1)]
        {
            let mut expected = vec![0u64; STEPS * half.div_ceil(64)];
            for (step, sums) in all_sums.iter().enumerate() {
                for neuron in 0..half {
                    let zero = clip(sums[neuron], clamp) * clip(sums[neuron + half], clamp) < i64::from(limit);
                    expected[step * half.div_ceil(64) + neuron / 64] |= u64::from(zero) << (neuron % 64);
                }
            }
            let rule = ZeroRule { clamp: clamp as i32, limit };
            for kernel in Kernel::available() {
                let mut zeros = vec![u64::MAX; expected.len()];
                if clamp <= 255 {
                    kernel.run(&script, weights, &mut Zeros::<true>::new(rule, &mut zeros));
                } else {
                    kernel.run(&script, weights, &mut Zeros::<false>::new(rule, &mut zeros));
                }
                assert!(zeros == expected, "{kernel:?} L1={l1} {rule}");
            }
        }
        for (clamp, shift) in [(127, 7), (255, 9), (255, 8)] {
            let all = |of: &dyn Fn(&[i64], usize) -> i64, width: usize| -> Vec<u8> {
                all_sums.iter().flat_map(|sums| (0..width).map(move |j| of(sums, j) as u8)).collect()
            };
            let products = all(&|sums, j| (clip(sums[j], clamp) * clip(sums[j + half], clamp)) >> shift, half);
            let clipped = all(&|sums, j| clip(sums[j], clamp), l1);
            for kernel in Kernel::available() {
                let (mut found, mut found_clipped) = (vec![9; STEPS * half], vec![9; STEPS * l1]);
                kernel.run(&script, weights, &mut Products::new(clamp as i32, shift, &mut found));
                kernel.run(&script, weights, &mut Clipped::new(clamp as i32, &mut found_clipped));
                assert!(found == products && found_clipped == clipped, "{kernel:?} L1={l1} {clamp} >> {shift}");
            }
        }
    }
}

#[test]
fn transposition_moves_every_bit() {
    let mut random = Random(2);
    let block: [u64; 64] = std::array::from_fn(|_| random.next() << 24 ^ random.next());
    let expected: [u64; 64] =
        std::array::from_fn(|j| block.iter().enumerate().map(|(i, word)| (word >> j & 1) << i).fold(0, |all, bit| all | bit));
    for kernel in Kernel::available() {
        let mut turned = block;
        kernel.transpose(&mut turned);
        assert_eq!(turned, expected, "{kernel:?}");
    }
}
