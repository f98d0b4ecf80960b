use super::*;

#[test]
fn paths_are_typed_with_slashes() {
    assert_eq!(typed(&Path::new("a").join("b").join("c d")), "a/b/c d");
    assert_eq!((joined("", "x"), joined("a/", "x"), joined("a", "x")), ("x".to_owned(), "a/x".to_owned(), "a/x".to_owned()));
}
