use super::*;

#[test]
fn what_a_panic_said_comes_back() {
    let panic = caught(|| -> () { panic!("index {} is out of bounds", 7) }).unwrap_err();
    assert_eq!(panic.message, "index 7 is out of bounds");
    assert_eq!(caught(|| 3), Ok(3));
    let error = Panic { message: "no".into(), place: Some("a.rs:1:2".into()) }.into_error("load panicked");
    assert_eq!(error.to_string(), "load panicked: no: at a.rs:1:2");
}
