use super::matches_pattern;

#[test]
fn patterns_stand_for_names() {
    for (pattern, yes, no) in [
        ("epoch=1*", &["epoch=1", "epoch=19", "epoch=1/x"][..], &["epoch=2", "a/epoch=1"][..]),
        ("*=1?", &["epoch=10", "=1="], &["epoch=1", "epoch=100"]),
        ("a*b*c", &["abc", "aXbYc", "abcbc"], &["ab", "acb", "abcd"]),
        ("", &[""], &["a"]),
        ("**", &["", "x"], &[]),
    ] {
        yes.iter().for_each(|text| assert!(matches_pattern(pattern, text), "{pattern} {text}"));
        no.iter().for_each(|text| assert!(!matches_pattern(pattern, text), "{pattern} {text}"));
    }
}
