use super::*;
use crate::stage::{Action, key};

#[test]
fn what_is_asked_is_in_the_key_and_how_long_it_may_take_is_not() {
    let usual = Engine {
        name: "stockfish".into(),
        option: None,
        options: Vec::new(),
        bench: Some(String::new()),
        export: true,
        speed: 0,
        timeout: 600,
    };
    let of = |engine: &Engine| key(&Action::Engine(Box::new(engine.clone())));
    assert_eq!(of(&usual), r#"{"bench":"","export":true}"#);
    assert_eq!(of(&Engine { name: "other".into(), timeout: 5, ..usual.clone() }), of(&usual));
    let all = Engine {
        option: Some("EvalFileSmall".into()),
        options: vec![("Hash".into(), Some("64".into())), ("Clear Hash".into(), None)],
        bench: None,
        export: false,
        speed: 20,
        ..usual
    };
    assert_eq!(of(&all), r#"{"export":false,"option":"EvalFileSmall","options":[["Hash","64"],["Clear Hash",null]],"speed":20}"#);
}
