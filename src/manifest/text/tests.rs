use super::*;

#[test]
fn a_beginning_suggests_what_it_begins() {
    let names = ["SFNNv1", "SFNNv10a", "SFNNv10b", "SFNNv11"];
    assert_eq!(suggestion("sfnnv10", &names), "did you mean `SFNNv10a` or `SFNNv10b`? ");
    assert_eq!(suggestion("SFNNv", &names), "did you mean `SFNNv1`? ");
    assert_eq!((suggestion("", &names), suggestion("zstd", &names)), (String::new(), String::new()));
}

#[test]
fn line_of_a_span() {
    let texts = Texts::new(Path::new("n.toml"), "a\nb\nc");
    assert_eq!(texts.line(Span { text: 0, start: 4, end: 5 }), "n.toml:3");
}
