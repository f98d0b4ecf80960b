use super::*;

fn at(seconds: i64, nanos: u32) -> Timestamp {
    Timestamp { seconds, nanos }
}

#[test]
fn only_times_older_than_a_tick_are_settled() {
    let signature = |mtime, ctime| Signature { len: 1, mtime, ctime, inode: 1, device: 7 };
    let local = |at| Clock { at, device: Some(7) };
    let fine = signature(at(1000, 5), at(1000, 5));
    assert!(!fine.is_settled(local(at(1000, 5))), "recorded in the very tick of the edit");
    assert!(!fine.is_settled(local(at(1000, 100_000_005))));
    assert!(fine.is_settled(local(at(1000, 100_000_006))));
    let coarse = signature(at(1000, 0), at(1000, 0));
    assert!(!coarse.is_settled(local(at(1002, 0))), "whole seconds may be a clock of 2 s ticks");
    assert!(coarse.is_settled(local(at(1002, 1))));
    assert!(!signature(at(5000, 5), at(1000, 5)).is_settled(local(at(2000, 0))), "mtime in the future");
    assert!(!signature(at(0, 0), at(2000, 5)).is_settled(local(at(2000, 5))), "an old mtime does not hide a young ctime");
    assert!(signature(at(-1, 0), at(1000, 5)).is_settled(local(at(2000, 0))), "before 1970");
    let foreign = Clock { at: at(1059, 0), device: Some(8) };
    assert!(!fine.is_settled(foreign));
    assert!(!fine.is_settled(Clock { device: None, ..foreign }));
    assert!(fine.is_settled(Clock { at: at(1061, 0), device: Some(8) }));
}
