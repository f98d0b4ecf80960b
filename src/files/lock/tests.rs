use std::sync::atomic::Ordering;

use super::*;
use crate::{error::Kind, files::testing::Listener};

#[test]
fn shared_holders_keep_an_exclusive_one_waiting_with_one_message() {
    let folder = tempfile::tempdir().unwrap();
    let path = OwnPath::from(&folder.path().join("lock"));
    let listener = Listener::new();
    let ctx = listener.ctx();
    let a = try_acquire(&path, Sharing::Shared).unwrap().unwrap();
    let b = try_acquire(&path, Sharing::Shared).unwrap().unwrap();
    assert!(try_acquire(&path, Sharing::Exclusive).unwrap().is_none());
    let waiting = Waiting { message: "waiting for the test", timeout: Some(Duration::from_millis(30)) };
    let error = acquire(&path, Sharing::Exclusive, waiting, &ctx).unwrap_err();
    assert!(error.to_string().contains("waiting for the test"), "{error}");
    assert_eq!(listener.waits(), ["waiting for the test"]);
    let waiter = std::thread::scope(|scope| {
        let waiter = scope.spawn(|| acquire(&path, Sharing::Exclusive, Waiting { message: "m", timeout: None }, &ctx));
        drop((a, b));
        waiter.join().unwrap().unwrap()
    });
    assert!(matches!(waiter, Acquired::Held(_)));
    listener.cancel.store(true, Ordering::Relaxed);
    let error = acquire(&path, Sharing::Shared, Waiting { message: "m", timeout: None }, &ctx).unwrap_err();
    assert_eq!(error.kind(), Kind::Interrupted);
}

#[test]
fn a_lock_that_cannot_be_made_is_told_apart_from_one_that_is_held() {
    let waiting = Waiting { message: "m", timeout: None };
    let acquired = acquire(&OwnPath::from(std::path::Path::new("/nonexistent/lock")), Sharing::Shared, waiting, &Ctx::silent()).unwrap();
    assert!(matches!(acquired, Acquired::Unavailable(error) if error.kind() == io::ErrorKind::NotFound));
}
