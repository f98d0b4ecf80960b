use super::*;

fn sample() -> Error {
    Error::new("cannot load `a.nnue`").because("truncated at byte 7").because("read as SFNNv5").help("fetch it again")
}

#[test]
fn files_and_pipes_get_one_line_each() {
    let style = Style { terminal: false, color: false, format: LogFormat::Text };
    let expected = "error: cannot load `a.nnue`\n  because: truncated at byte 7\n  because: read as SFNNv5\n  help: fetch it again\n";
    assert_eq!(render(&sample(), style), expected);
    assert!(render(&sample(), Style { color: true, ..style }).starts_with("\x1b[1;31merror:\x1b[0m cannot"));
}

#[test]
fn terminals_get_all_of_it_too() {
    for color in [false, true] {
        let text = render(&sample(), Style { terminal: true, color, format: LogFormat::Text });
        for part in ["cannot load `a.nnue`", "truncated at byte 7", "read as SFNNv5", "fetch it again"] {
            assert!(text.contains(part), "{text}");
        }
        assert_eq!(text.contains('\x1b'), color, "{text}");
    }
}
