use super::*;

#[test]
fn tasks_say_how_far_they_are() {
    let scope = Scope { net: "big".to_owned(), stage: "gather" };
    let running =
        Task { scope: Some(&scope), name: "positions", done: 250, total: Some(1000), unit: "entries", seconds: 3.5, counting: 2.5 };
    let expected = r#"{"schema":1,"event":"progress","net":"big","stage":"gather","task":"positions","done":250,"total":1000,"unit":"entries","seconds":3.5,"rate":100.0,"left":7.5}"#;
    assert_eq!(task("progress", &running), expected);
    let unknown = Task { scope: None, name: "hash x", done: 0, total: None, unit: "bytes", seconds: 0.0, counting: 0.0 };
    assert_eq!((unknown.rate(), unknown.left()), (0.0, None));
    let expected = r#"{"schema":1,"event":"start","net":null,"stage":null,"task":"hash x","total":null,"unit":"bytes"}"#;
    assert_eq!(task("start", &unknown), expected);
    assert_eq!([1e6 / 3.0, 0.000_123_456, 2.0, 0.0].map(four_figures), [333_300.0, 0.000_123_5, 2.0, 0.0]);
}

#[test]
fn errors_have_all_that_is_known() {
    let plain = Error::new("cannot load `a`").because("truncated").because("at byte 7").help("fetch \"it\"");
    assert_eq!(
        error(&plain),
        [
            r#"{"schema":1,"event":"error","kind":"failed","message":"cannot load `a`","causes":["truncated","at byte 7"],"help":"fetch \"it\"","file":null,"line":null,"column":null}"#
        ]
    );
    let text = "version = 1\n[net.a]\nsource = \"x.nnue\"\noutputs = \"d/\"\n\"ä\" = 1\ncompression = \"no\"\n";
    let broken = crate::manifest::parse(text, "some/nnue.toml".as_ref(), &[]).unwrap_err();
    let events: Vec<Value> = error(&broken).iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.len(), 2);
    assert_eq!((&events[0]["file"], &events[0]["line"], &events[0]["column"]), (&json!("some/nnue.toml"), &json!(5), &json!(1)));
    assert_eq!((&events[1]["line"], &events[1]["column"]), (&json!(6), &json!(15)));
    assert_eq!(events[1]["causes"], json!(["expected a compression"]));
    assert_eq!(events[1]["kind"], "usage");
}

#[test]
fn the_format_is_known_before_the_command_line_is() {
    let asked = |line: &str| LogFormat::asked_for(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
    assert_eq!(asked("nnue build --log-format json --nonsense"), LogFormat::Json);
    assert_eq!(asked("nnue --log-format=json"), LogFormat::Json);
    assert_eq!(asked("nnue --log-format text build"), LogFormat::Text);
    assert_eq!(asked("nnue build --log-format"), LogFormat::of_environment());
    assert_eq!(asked("nnue build --log-format github"), LogFormat::Github);
    let refused: Value = serde_json::from_str(&usage("error: unexpected argument\n\n  tip: no\n\nUsage: nnue\n")).unwrap();
    assert_eq!((&refused["message"], &refused["help"]), (&json!("unexpected argument"), &json!("tip: no\nUsage: nnue")));
}
