use super::*;

#[test]
fn the_end_is_marked_by_its_last_character() {
    let span = |start, end| Span { text: 0, start, end };
    assert_eq!(visible("aö\n", span(4, 4)), (1, 3));
    assert_eq!(visible("aö\n", span(1, 3)), (1, 3));
    assert_eq!(visible("ab", span(0, 0)), (0, 0));
    assert_eq!(visible("", span(0, 0)), (0, 0));
    assert_eq!(visible("ab", span(7, 9)), (2, 2));
}
