use super::*;

#[test]
fn other_programs_texts_are_cut_and_lose_their_secrets() {
    let text = "error for url (https://a.example.org/b?sv=1&sig=geheim): refused \u{1b}[31m\n<Error>geheim</Error>";
    assert_eq!(shown(text), "error for url (https://a.example.org/b): refused  [31m");
    assert_eq!(shown("?geheim"), "");
    assert_eq!(shown(&"x".repeat(1000)).len(), 300);
}
