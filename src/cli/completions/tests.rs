use super::*;

#[test]
fn words_go_back_as_they_came() {
    assert_eq!(escaped("a b(ö)=1/$x"), "a\\ b\\(ö\\)=1/\\$x");
}
