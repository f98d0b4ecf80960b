use super::*;

fn boards() -> Vec<Board> {
    let board: Vec<Option<f64>> = (0..64).map(|square| (8..56).contains(&square).then_some(f64::from(square) / 63.0)).collect();
    vec![("white pawn".to_owned(), board.clone()), ("black pawn".to_owned(), board)]
}

#[test]
fn columns_are_named() {
    assert_eq!(parse("17"), Ok(Column::Neuron(17)));
    assert_eq!(parse("psqt:3"), Ok(Column::Psqt(3)));
    assert!(parse("psqt").is_err() && parse("-1").is_err());
}

#[test]
fn boards_stand_beside_each_other_where_there_is_room() {
    let wide = drawn(&boards(), Look { colors: true, width: 80 });
    assert_eq!(wide.lines().count(), 6);
    assert!(wide.starts_with("white pawn       black pawn\n"), "{wide}");
    let narrow = drawn(&boards(), Look { colors: true, width: 20 });
    assert_eq!(narrow.lines().count(), 11);
    // The corner a8 has no pawns; h7 is the largest value.
    assert!(wide.lines().nth(1).unwrap().starts_with("\x1b[38;2;96;96;96m"));
    assert!(wide.contains("\x1b[48;2;180;4;38m▀▀"));
    assert_eq!(wide.matches('▀').count(), 2 * 4 * 16);
}

#[test]
fn without_colours_there_are_numbers() {
    let text = drawn(&boards(), Look { colors: false, width: 80 });
    assert!(text.lines().nth(1).unwrap().split_whitespace().all(|cell| cell == "-"), "{text}");
    assert!(text.contains("   0.873"), "{text}");
}
