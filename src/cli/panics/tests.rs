use super::*;

#[test]
fn a_panic_becomes_an_error() {
    let error = caught(|| -> Result<()> { panic!("index {} is out of bounds", 7) }).unwrap_err();
    assert_eq!(error.message(), "this is a bug in nnue");
    assert_eq!(error.causes()[0], "index 7 is out of bounds");
    assert_eq!(caught(|| Ok(3)).unwrap(), 3);
}
