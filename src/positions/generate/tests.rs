use super::*;

#[test]
fn positions_are_fixed_by_the_seed_and_varied() {
    let positions = generate(1, 2_000);
    assert_eq!(positions, generate(1, 2_000));
    assert_eq!(positions[..100], generate(1, 100));
    assert_ne!(positions[..100], generate(2, 100));
    assert!(positions.iter().all(|position| !position.is_in_check()));
    let counts: Vec<u32> = positions.iter().map(Position::piece_count).collect();
    assert!(counts.iter().any(|&count| count < 12) && counts.iter().any(|&count| count > 28));
    // Held for ever: examples are built from these.
    assert_eq!(positions[0].to_fen(), "rnbq1bnr/pppkpppp/8/3p4/3P4/8/PPPBPPPP/RN1QKBNR w - - 0 1");
}
