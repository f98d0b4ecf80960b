use super::super::model::Lanes;
use super::*;

#[test]
fn steps_of_a_kind_are_one_action_and_the_last_lanes_are_of_the_write() {
    let merge = || Move::MergeKings { into: 0 };
    let lanes = || Move::Lanes(Lanes::Avx2);
    let (found, rest) = segments(&[merge(), merge(), Move::Permute, lanes(), merge(), lanes(), Move::Permute, lanes(), lanes()]);
    let expected =
        [(Stage::Coalesce, 0..2), (Stage::Permute, 2..3), (Stage::Coalesce, 3..5), (Stage::Coalesce, 5..6), (Stage::Permute, 6..7)];
    assert_eq!((found, rest), (expected.to_vec(), 7..9));
    assert_eq!(segments(&[]), (Vec::new(), 0..0));
}
