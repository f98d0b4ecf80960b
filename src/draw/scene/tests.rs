use super::*;

#[test]
fn numbers_are_short() {
    let cases = [(0.0, "0"), (-1.0, "-1"), (0.25, "0.25"), (0.003_123, "0.00312"), (12_000.4, "12000"), (1.5, "1.5"), (99.96, "100")];
    for (number, text) in cases {
        assert_eq!(short(number), text);
    }
    assert_eq!([fixed(0.03125, 4), fixed(-0.03125, 4), fixed(-0.00001, 4)], ["0.0313", "-0.0313", "-0.0000"], "as `toFixed`");
    assert_eq!(grouped(1), "1");
    assert_eq!(grouped(12_345_678), "12 345 678");
}

#[test]
fn a_cell_says_what_it_is() {
    let labels = Labels {
        template: "{c0} {r0} on {c1}{r1}".to_owned(),
        rows: vec![vec!["pawn".to_owned(), "2".to_owned()]],
        columns: vec![vec!["white".to_owned(), "a".to_owned()], vec!["black".to_owned(), "b".to_owned()]],
    };
    let heat = Heat {
        tile: [2, 1],
        across: 1,
        names: vec!["neuron 0".to_owned(), "neuron 1".to_owned()],
        labels,
        numbers: vec![5, BLANK, -6, 12],
        divisor: 4,
        one: 127.0,
        ramp: Ramp::around_zero(1.0),
    };
    assert_eq!((heat.width(), heat.height()), (2, 2));
    assert_eq!(heat.hover(0, 1).unwrap(), "neuron 1, white pawn on a2: -1.500 (-0.0118)");
    assert_eq!(heat.hover(1, 0), None);
    assert_eq!(heat.hover(0, 2), None);
}
