use super::*;

#[test]
fn ticks_are_round() {
    assert_eq!(ticks([0.0, 10.0], 5), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
    assert_eq!(ticks([-128.0, 127.0], 5), [-100.0, 0.0, 100.0]);
    assert_eq!(ticks([0.0, 0.37], 4), [0.0, 0.1, 0.2, 0.300_000_000_000_000_04]);
    assert_eq!(ticks([3.0, 3.0], 4), [3.0]);
}
