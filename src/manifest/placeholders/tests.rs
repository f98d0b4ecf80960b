use super::*;

#[test]
fn placeholders_are_filled_in_one_pass() {
    let value = |word: &str| match word {
        "stem" => Some("{parent}"),
        "parent" => Some("p"),
        _ => None,
    };
    assert_eq!(fill("a{stem}/{parent}{x}{", value), "a{parent}/p{x}{");
    assert_eq!(fill("{{stem}}{}{s tem}", value), "{{parent}}{}{s tem}");
}

#[test]
fn words_know_their_places() {
    let found: Vec<_> = words("{a}ü{{b_1}}{}{c d}").collect();
    assert_eq!(found, [("a", 0..3), ("b_1", 6..11)]);
    let found: Vec<_> = words("{parent.2}{a.b}{parent.}").map(|(word, _)| word).collect();
    assert_eq!(found, ["parent.2"]);
}
