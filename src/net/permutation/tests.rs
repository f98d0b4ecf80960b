use super::*;

#[test]
fn takes_permutations_only() {
    let perm = Permutation::try_from([2i64, 0, 1].as_slice()).unwrap();
    assert_eq!(perm.as_slice(), [2, 0, 1]);
    assert!(!perm.is_identity());
    assert!(Permutation::identity(3).unwrap().is_identity());
}

#[test]
fn names_the_offending_entry() {
    let message = |values: &[i64]| Permutation::try_from(values).unwrap_err().to_string();
    assert_eq!(message(&[0, 2, 1, 2]), "the 4 numbers are not a permutation of 0..4: entries 1 and 3 are both 2");
    assert_eq!(message(&[0, 4, 1, 2]), "the 4 numbers are not a permutation of 0..4: entry 1 is 4, which is out of range");
    assert_eq!(message(&[0, -1]), "the 2 numbers are not a permutation of 0..2: entry 1 is -1, which is out of range");
    assert_eq!(message(&[]), "a permutation without entries fits no network");
    assert!(Permutation::identity(0).is_err());
}

#[test]
fn says_which_length_is_needed() {
    let error = Permutation::identity(4).unwrap().check_len(8).unwrap_err();
    assert_eq!(error.to_string(), "the permutation has 4 entries where 8 are needed (L1/2)");
}
