use proptest::prelude::*;

use super::*;

const START: &str = "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1";

fn reason(fen: &str) -> String {
    let error = Position::from_fen(fen).unwrap_err();
    error.causes()[0].clone()
}

#[test]
fn a_position_is_40_bytes_and_keeps_its_board() {
    assert_eq!(size_of::<Position>(), 40);
    let position = Position::from_fen(START).unwrap();
    assert_eq!(position.to_fen(), START.replace("KQkq", "-"));
    assert_eq!(position.piece_count(), 32);
    assert_eq!((position.king_square(Color::White), position.king_square(Color::Black)), (4, 60));
    assert_eq!(Position::try_from(&position.boards()), Ok(position));
}

#[test]
fn epd_operations_and_missing_counters_are_read_past() {
    let position = Position::from_fen("  4k3/8/8/8/8/8/4P3/4K3  b - e3 bm Kd7; id \"x\";").unwrap();
    assert_eq!(position.to_fen(), "4k3/8/8/8/8/8/4P3/4K3 b - - 0 1");
}

#[test]
fn errors_name_field_and_character() {
    let cases = [
        ("", "the board field is missing"),
        ("rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR", "the side to move field is missing"),
        ("rnbqkbnr/ppppxppp/8/8/8/8/PPPPPPPP/RNBQKBNR w - - 0 1", "board, character 14: `x` is not a piece, digit or `/`"),
        ("rnbqkbnr/ppp/8/8/8/8/PPPPPPPP/RNBQKBNR w - - 0 1", "board, character 13: `/` ends rank 7 after 3 of 8 squares"),
        ("4k3/44/8/8/8/8/8/4K3 w - -", "board, character 6: `4` follows another digit"),
        ("4k3/p8/8/8/8/8/8/4K3 w - -", "board, character 6: `8` makes rank 7 longer than 8 squares"),
        ("4k3/8/8/8/8/8/4K3 w - -", "board, character 18: ends on rank 2 after 8 of 8 squares"),
        ("4k3/8/8/8/8/8/8/8/4K3 w - -", "board, character 18: `/` starts a ninth rank"),
        ("4k3/8/8/8/8/8/8/4K3 x - -", "side to move, character 21: found `x`, expected `w` or `b`"),
        ("4k3/8/8/8/8/8/8/4K3 w Kx -", "castling, character 24: found `x`, expected `-` or letters of `KQkq`"),
        ("4k3/8/8/8/8/8/8/4K3 w - e4", "en passant, character 25: found `e4`, expected `-` or a square of rank 3 or 6"),
        ("4k3/8/8/8/8/8/8/8 w - -", "board: 0 white kings instead of one"),
        ("4k3/8/8/8/8/8/8/P3K3 w - -", "board: a pawn on a1"),
        ("qqqqkqqq/qqqqqqqq/qqqqqqqq/qqqqqqqq/q7/8/8/4K3 w - -", "board: 34 pieces, more than 32"),
    ];
    for (fen, expected) in cases {
        assert_eq!(reason(fen), expected, "{fen}");
    }
}

#[test]
fn checks_are_seen_from_every_piece_and_blocked() {
    let checked = |fen: &str| Position::from_fen(fen).unwrap().is_in_check();
    assert!(!checked(START));
    for fen in [
        "4k3/8/8/8/8/8/3p4/4K3 w - -",
        "4k3/3P4/8/8/8/8/8/4K3 b - -",
        "4k3/8/8/8/8/3n4/8/4K3 w - -",
        "4k3/8/8/8/7b/8/8/4K3 w - -",
        "4k3/8/8/8/8/8/8/r3K3 w - -",
        "4k3/8/8/8/4q3/8/8/4K3 w - -",
        "8/8/8/8/8/8/4k3/4K3 w - -",
    ] {
        assert!(checked(fen), "{fen}");
    }
    for fen in ["4k3/8/8/8/7b/6P1/8/4K3 w - -", "4k3/8/8/8/8/8/4p3/4K3 w - -", "4k3/8/8/8/8/8/8/rN2K3 w - -", "4k3/8/8/8/4q3/8/8/4K3 b - -"]
    {
        assert!(!checked(fen), "{fen}");
    }
}

#[test]
fn a_square_claimed_twice_is_refused() {
    let mut boards = Position::from_fen(START).unwrap().boards();
    boards.by_type[0] |= 1;
    assert_eq!(Position::try_from(&boards), Err(Fault::Inconsistent));
}

proptest! {
    #[test]
    fn any_text_is_a_position_or_an_error(text in "\\PC{0,90}") {
        let _ = Position::from_fen(&text);
    }

    #[test]
    fn a_changed_fen_never_panics_and_reads_back_what_it_wrote(at in 0usize..56, c in any::<char>()) {
        let mut chars: Vec<char> = START.chars().collect();
        chars[at] = c;
        let text: String = chars.into_iter().collect();
        if let Ok(position) = Position::from_fen(&text) {
            prop_assert_eq!(Position::from_fen(&position.to_fen()).unwrap(), position);
        }
    }
}
