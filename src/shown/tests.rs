use super::*;

const HOSTILE: &str = "a\u{1b}]0;title\u{7}b\u{9b}31mc\u{202e}txt.exe\r\u{7f}\u{2066}";

#[test]
fn what_a_terminal_obeys_is_written_out() {
    assert_eq!(clean("plain – ä 中\n\tline"), "plain – ä 中\n\tline");
    let shown = clean(HOSTILE);
    assert_eq!(shown, r"a\u{1b}]0;title\u{7}b\u{9b}31mc\u{202e}txt.exe\r\u{7f}\u{2066}");
    assert!(!shown.chars().any(is_harmful));
    assert_eq!(line("a\nerror: b\tc"), r"a\nerror: b\tc");
    let json = serde_json::to_string(HOSTILE).unwrap();
    let shown = clean_json(&json);
    assert!(!shown.chars().any(is_harmful), "{shown}");
    assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), HOSTILE);
    assert_eq!(serde_json::from_str::<String>(&clean_json("\"\u{e0041}\"")).unwrap(), "\u{e0041}");
    assert_eq!(same_length(HOSTILE).len(), HOSTILE.len());
    assert!(!same_length(HOSTILE).chars().any(is_harmful));
}

#[test]
fn no_line_is_a_command_to_a_runner() {
    for text in ["a::b\n  std::x", "", "a: :b", "# #["] {
        assert!(matches!(without_commands(text), Cow::Borrowed(_)) || without_commands(text) == text);
    }
    assert_eq!(without_commands("::set-output name=a::b\n \u{a0}::x::\nc ::d"), "\\u{3a}:set-output name=a::b\n \u{a0}\\u{3a}:x::\nc ::d");
    assert_eq!(without_commands("a ##[add-mask]b"), "a #\\u{23}[add-mask]b");
    let json = clean_json(r###"{"a":"##[b"}"###);
    assert!(!json.contains("##["));
    assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap()["a"], "##[b");
}

#[test]
fn only_colours_stay() {
    assert_eq!(clean_coloured("\u{1b}[1;31merror:\u{1b}[0m x"), "\u{1b}[1;31merror:\u{1b}[0m x");
    assert_eq!(clean_coloured("\u{1b}[2J\u{1b}]8;;u\u{1b}[m\u{1b}"), "\\u{1b}[2J\\u{1b}]8;;u\u{1b}[m\\u{1b}");
    assert_eq!(clean_coloured("\u{1b}[31m\u{9b}"), "\u{1b}[31m\\u{9b}");
}

#[test]
fn names_are_bounded_by_what_they_take_on_the_screen() {
    assert_eq!(name("l1.weight"), "l1.weight");
    for long in ["x".repeat(1 << 20), "中".repeat(70_000), "\u{1b}".repeat(70_000)] {
        let shown = name(&long);
        assert!(columns(&shown) <= NAME && shown.contains('…') && !shown.chars().any(is_harmful), "{shown}");
    }
    assert_eq!(shortened("beginning.of.a.name.weight", 11), "begin…eight");
    assert_eq!((columns("中"), left("中", 4), right("x", 3), left("long", 2)), (2, "中  ".into(), "  x".into(), "long".into()));
    assert_eq!(bounded("äöü".to_owned(), 3), "ä… (6 bytes in all)");
    assert_eq!(bounded("äöü".to_owned(), 6), "äöü");
}
