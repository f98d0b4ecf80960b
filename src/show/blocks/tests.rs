use super::*;

fn matrix() -> ActivationMatrix {
    let rows: Vec<u64> = (0..8 * 32u64).map(|k| k.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ k.wrapping_mul(k) << 9 | k << 40).collect();
    ActivationMatrix::from_word_rows(256, 32, &rows[..8 * 32]).unwrap()
}

#[test]
fn a_climb_ends_where_the_search_does() {
    let (matrix, held_out) = (matrix(), matrix());
    let (outcome, climb) = Climb::of(&matrix, Some(&held_out), &Ctx::silent()).unwrap();
    assert!(outcome.swaps > 0);
    assert_eq!(climb.searched.len(), 1 + outcome.swaps + outcome.cycles);
    let ends = |points: &[(usize, f64)]| (points[0].1, points.last().unwrap().1);
    assert_eq!(ends(&climb.searched), (outcome.before.fraction(), outcome.after.fraction()));
    // The same positions, judged by the moves made again.
    assert_eq!(ends(&climb.held_out), ends(&climb.searched));
}

#[test]
fn a_map_shows_what_is_zero_and_sums_match() {
    let matrix = matrix();
    let permutation = Permutation::try_from((0..32u32).rev().collect::<Vec<_>>().as_slice()).unwrap();
    let of = Activations { matrix: &matrix, permutation: Some(&permutation), climb: None };
    let scenes = activations("test", &of).unwrap();
    let heats: Vec<&Heat> = scenes[0].heats().map(|(_, heat)| heat).collect();
    for (heat, order) in heats.iter().zip([Permutation::identity(32).unwrap(), permutation.clone()]) {
        assert_eq!([heat.width(), heat.height()], [8, 256]);
        let neurons = &order.as_slice()[4 * 3..4 * 4];
        // Row 9 shows sample 18.
        let zero = neurons.iter().filter(|neuron| matrix.column(**neuron as usize)[0] >> 18 & 1 == 1).count();
        assert_eq!(heat.number(3, 9), zero as i32);
        let hover = heat.hover(3, 9).unwrap();
        assert!(hover.contains("position 9, side to move, block 3 of neurons"), "{hover}");
    }
    // All samples shown: the share of full blocks is the share of zero blocks.
    let half =
        ActivationMatrix::from_word_rows(32, 32, &(0..32u64).map(|k| k.wrapping_mul(0xD1B5_4A32_D192_ED03)).collect::<Vec<_>>()).unwrap();
    let shown = map(&half, Permutation::identity(32).unwrap().as_slice(), "");
    let full = shown.numbers.iter().filter(|number| **number == 4).count() as u64;
    let counted = zero_blocks(&half, &Permutation::identity(32).unwrap()).unwrap();
    assert_eq!((full, shown.numbers.len() as u64), (counted.zero, counted.total));
    let zeros: i32 = shown.numbers.iter().sum();
    let shares: f64 = zero_shares(&half).iter().sum();
    assert!((f64::from(zeros) - shares * 64.0).abs() < 1e-6);
}
