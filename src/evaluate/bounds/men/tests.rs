use super::*;

#[test]
fn numbers_of_men_are_kept() {
    let mut worth = Worth::default();
    worth.0[3].fill(10); // own rooks: two, and eight promoted
    worth.0[6][8..56].fill(3); // the other side's pawns: eight
    worth.0[5][4] = 7;
    worth.0[11][4] = 1000; // no place for its king
    assert_eq!(best(&worth, 4), 7 + 100 + 24);
    worth.0[4].fill(11); // nine queens and two rooks are better than ten rooks
    assert_eq!(best(&worth, 4), 7 + 99 + 20 + 24);
}

#[test]
fn a_square_holds_one_man() {
    let mut worth = Worth::default();
    (0..5).for_each(|kind| worth.0[kind][30] = 5 + kind as i32);
    assert_eq!(best(&worth, 4), 9);
}
