use super::*;

#[test]
fn every_form_is_read_again() {
    let permutation = Permutation::try_from((0..40i64).rev().collect::<Vec<_>>().as_slice()).unwrap();
    for language in [Language::Text, Language::Rust, Language::Cpp] {
        assert_eq!(parse(&render(&permutation, language, "REPERMUTE_INDICES")).unwrap(), permutation, "{language:?}");
    }
    assert_eq!(parse("2 0\n1").unwrap().as_slice(), [2, 0, 1]);
    for text in ["", "0, 0", "0, x", "1, 2", "[0; 2"] {
        assert!(parse(text).is_err(), "{text}");
    }
}

#[test]
fn counts_sort_stably() {
    assert_eq!(by_counts("5 0 5 0 100").unwrap().as_slice(), [1, 3, 0, 2, 4]);
}
