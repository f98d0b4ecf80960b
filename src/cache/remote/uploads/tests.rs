use std::sync::atomic::AtomicBool;

use super::*;
use crate::cache::record::tests::record;
use crate::cache::remote::transport::{Moved, Transport};
use crate::cache::store::OpenOptions;
use crate::ctx::{Backend, Ctx, Progress};
use crate::files::testing::{Listener, all_files, flip_bit};

/// A remote that nobody gets to.
struct Nowhere;

impl Transport for Nowhere {
    fn get(&self, _: &Place, _: u64, _: &Moved) -> Result<Vec<u8>, Failure> {
        Err(Failure::Absent)
    }

    fn length(&self, _: &Place) -> Result<Option<u64>, Failure> {
        Ok(None)
    }

    fn put(&self, _: &Place, _: Body, _: &Moved) -> Result<(), Failure> {
        Ok(())
    }
}

/// Panics when it is warned.
struct Nervous;

impl Progress for Nervous {
    fn warn(&self, message: &str) {
        panic!("{message}");
    }
}

#[test]
fn a_panic_in_the_background_ends_the_wait() {
    let folder = tempfile::tempdir().unwrap();
    let nervous = Ctx::new(Arc::new(AtomicBool::new(false)), Arc::new(Nervous), Backend::Cpu);
    let cache = Arc::new(Cache::open(folder.path(), OpenOptions::default(), &nervous).unwrap());
    let stored = cache.put_bytes(b"an artifact");
    let blob = all_files(folder.path()).into_iter().find(|path| std::fs::read(path).unwrap() == b"an artifact").unwrap();
    flip_bit(&blob, 3);
    let listener = Listener::new();
    let client = Client::new("http://a", Box::new(Nowhere), Duration::from_secs(60), &listener.ctx());
    let uploads = Uploads::new(Arc::new(client), cache, None);
    for _ in 0..3 {
        uploads.push(record("gather", 1, stored.digest));
    }
    uploads.finish().unwrap();
    assert_eq!(uploads.done(), 0);
    listener.warned_once("3 results were not uploaded");
    uploads.finish().unwrap();
}
