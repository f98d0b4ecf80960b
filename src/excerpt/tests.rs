use super::*;

fn excerpt(text: &str) -> Excerpt {
    Excerpt::of(&NamedSource::new("a\u{1b}.toml", text.to_owned()))
}

#[test]
fn short_texts_are_shown_as_they_are_and_long_lines_in_part() {
    let short = excerpt("one\ntwo = \u{1b}3\nthree\n");
    let contents = short.read_span(&(4, 3).into(), 1, 1).unwrap();
    assert_eq!((contents.data(), contents.line(), contents.column()), (&b"one\ntwo = ?3\nthree\n"[..], 0, 0));
    assert_eq!(contents.name(), Some("a\\u{1b}.toml"));
    let long = excerpt(&format!("first\n{}X{}\nlast\n", "ä".repeat(400_000), "b".repeat(100_000)));
    let at = 6 + 800_000;
    let contents = long.read_span(&(at, 1).into(), 1, 1).unwrap();
    assert!(contents.data().len() <= 2 * AROUND + 1, "{}", contents.data().len());
    assert_eq!((contents.line(), contents.column() + at - contents.span().offset()), (1, 800_000));
    assert!(std::str::from_utf8(contents.data()).unwrap().contains("äXb"));
    let place = long.read_span(&(at, 1).into(), 0, 0).unwrap();
    assert_eq!((place.line(), place.column()), (1, 800_000));
}

#[test]
fn marks_are_short_and_near_each_other() {
    let long = excerpt(&"x".repeat(1 << 20));
    let labels = long.labels([(5, 1 << 20, "here".into()), (7, 8, "there".into()), (900_000, 900_001, "far".into())]);
    let places: Vec<_> = labels.iter().map(|label| (label.offset(), label.len())).collect();
    assert_eq!(places, [(5, MARKED), (7, 1)]);
    let lines = excerpt(&"short\n".repeat(10_000));
    assert_eq!(lines.labels([(0, 5, "here".into()), (30_000, 30_005, "there".into())]).len(), 2);
}
