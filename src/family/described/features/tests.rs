use super::*;

/// White king e1, black king g8, white pawn a2: by hand from the formula.
#[test]
fn rows_are_side_kind_square() {
    let position = Position::from_fen("6k1/8/8/8/8/8/P7/4K3 w - - 0 1").unwrap();
    let sorted = |squares: &PieceSquares, color| {
        let mut rows = Vec::new();
        squares.active(&position, color, &mut rows);
        rows.sort_unstable();
        rows
    };
    let map: Vec<u16> = (0..32).collect();
    let separate = PieceSquares::new(&map, Mirror::QueenSide, false).unwrap();
    // e1 is seen as d1, bucket 3; a2 as h2 (15), the enemy king g8 as b8 (57).
    assert_eq!(sorted(&separate, Color::White), [3 * 768 + 15, 3 * 768 + 320 + 3, 3 * 768 + 704 + 57]);
    // g8 is g1 to black, seen as b1, bucket 1; e1 is e8, seen as d8 (59); a2 is a7, seen as h7 (55).
    assert_eq!(sorted(&separate, Color::Black), [768 + 320 + 1, 768 + 384 + 55, 768 + 704 + 59]);
    let merged = PieceSquares::new(&map, Mirror::KingSide, true).unwrap();
    // On the king's side e1 stays, the first of its rank: bucket 0; both kings are in one plane.
    assert_eq!(sorted(&merged, Color::White), [8, 320 + 4, 320 + 62]);
    assert!(separate.king_stands(3, 3) && !separate.king_stands(4, 3) && merged.king_stands(4, 0) && !merged.king_stands(3, 0));
    assert!(PieceSquares::new(&map, Mirror::None, false).is_err() && PieceSquares::new(&map[1..], Mirror::QueenSide, false).is_err());
}
