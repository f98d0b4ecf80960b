use std::{
    io::{Seek, SeekFrom, Write},
    path::PathBuf,
    thread,
    time::SystemTime,
};

use super::*;
use crate::files::testing::{Listener, flip_bit};

struct Setup {
    folder: tempfile::TempDir,
    listener: Listener,
}

impl Setup {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), listener: Listener::new() }
    }
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
    fn store(&self) -> PathBuf {
        self.path("state/stat-cache")
    }
    fn load(&self, trust: Trust) -> StatCache {
        StatCache::load(&self.store(), trust, &self.listener.ctx())
    }
    /// Edits in place, inode and size stay.
    fn edit(&self, name: &str, bytes: &[u8]) {
        let mut file = fs::File::options().write(true).create(true).truncate(false).open(self.path(name)).unwrap();
        file.seek(SeekFrom::Start(0)).unwrap();
        file.write_all(bytes).unwrap();
    }
    fn set_mtime(&self, name: &str, time: SystemTime) {
        fs::File::open(self.path(name)).unwrap().set_modified(time).unwrap();
    }
    /// Waits until a file that was just written may be trusted.
    fn settle(&self) {
        thread::sleep(Duration::from_millis(150));
    }
}

#[test]
fn edits_of_equal_size_in_the_same_moment_are_never_missed() {
    let setup = Setup::new();
    for round in 0..300u32 {
        let cache = setup.load(Trust::Settled);
        for step in 0..3 {
            let bytes = [round.to_le_bytes(), [step; 4]].concat();
            setup.edit("file", &bytes);
            assert_eq!(cache.blake3(&setup.path("file")).unwrap().digest, Blake3::of(&bytes));
            assert_eq!(cache.sha256(&setup.path("file")).unwrap().digest, Sha256::of(&bytes));
        }
        cache.save();
    }
    assert!(setup.listener.warnings().is_empty());
}

#[test]
fn edits_at_any_distance_from_the_reading_are_never_missed() {
    let setup = Setup::new();
    let cache = setup.load(Trust::Settled);
    // Around the margin of 100 ms, where entries begin to be made.
    for pause in (60..140).step_by(5) {
        setup.edit("file", b"old");
        thread::sleep(Duration::from_millis(pause));
        assert_eq!(cache.blake3(&setup.path("file")).unwrap().digest, Blake3::of(b"old"));
        setup.edit("file", b"new");
        assert_eq!(cache.blake3(&setup.path("file")).unwrap().digest, Blake3::of(b"new"), "{pause} ms");
    }
}

#[test]
fn times_that_were_set_do_not_deceive() {
    let setup = Setup::new();
    let now = SystemTime::now();
    let times = [
        ("epoch", SystemTime::UNIX_EPOCH),
        ("future", now + Duration::from_secs(86_400)),
        ("restored", now - Duration::from_secs(86_400)),
        ("whole second", SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)),
    ];
    for wait in [false, true] {
        for (name, time) in times {
            let cache = setup.load(Trust::Settled);
            setup.edit(name, b"old");
            setup.set_mtime(name, time);
            if wait {
                setup.settle();
            }
            let tracked = cache.blake3(&setup.path(name)).unwrap();
            assert_eq!(tracked.digest, Blake3::of(b"old"));
            // Where the file system gives fine times, waiting is enough for all but the future.
            if name == "future" || !wait {
                assert_eq!(tracked.signature, None, "{name} is not trusted yet");
            }
            cache.save();
            setup.edit(name, b"new");
            setup.set_mtime(name, time);
            for cache in [&cache, &setup.load(Trust::Settled)] {
                assert_eq!(cache.blake3(&setup.path(name)).unwrap().digest, Blake3::of(b"new"), "{name}");
            }
        }
    }
}

#[test]
fn a_replaced_file_and_a_copied_cache_do_not_deceive() {
    let setup = Setup::new();
    fs::write(setup.path("a"), b"one").unwrap();
    fs::write(setup.path("b"), b"two").unwrap();
    setup.settle();
    let cache = setup.load(Trust::Settled);
    assert_eq!(cache.blake3(&setup.path("a")).unwrap().digest, Blake3::of(b"one"));
    assert_eq!(cache.blake3(&setup.path("b")).unwrap().digest, Blake3::of(b"two"));
    fs::rename(setup.path("b"), setup.path("a")).unwrap();
    assert_eq!(cache.blake3(&setup.path("a")).unwrap().digest, Blake3::of(b"two"));
    assert!(cache.blake3(&setup.path("b")).is_err());
    fs::create_dir(setup.path("b")).unwrap();
    assert!(cache.blake3(&setup.path("b")).is_err());
}

/// Makes `cache` believe that the file has another digest, to see whether it asks the file or its memory.
fn plant(cache: &StatCache, path: &Path, digest: Blake3) {
    let mut entries = cache.entries();
    let entry = entries.known.get_mut(&path_hash(path)).expect("the file is settled");
    entry.blake3 = Some(digest);
    let entry = *entry;
    entries.new.insert(path_hash(path), entry);
}

#[test]
fn settled_files_are_not_read_again_but_by_the_paranoid() {
    let setup = Setup::new();
    let path = setup.path("file");
    fs::write(&path, b"contents").unwrap();
    setup.settle();
    let planted = Blake3::of(b"planted");
    let cache = setup.load(Trust::Settled);
    let first = cache.digests(&path).unwrap();
    assert_eq!((first.blake3, first.sha256, first.len), (Blake3::of(b"contents"), Sha256::of(b"contents"), 8));
    plant(&cache, &path, planted);
    assert_eq!(cache.blake3(&path).unwrap().digest, planted);
    cache.save();
    let again = setup.load(Trust::Settled).blake3(&path).unwrap();
    assert_eq!((again.digest, again.signature.is_some()), (planted, true));
    let paranoid = setup.load(Trust::Nothing);
    assert_eq!(paranoid.blake3(&path).unwrap().digest, Blake3::of(b"contents"));
    paranoid.save();
    assert_eq!(setup.load(Trust::Settled).blake3(&path).unwrap().digest, Blake3::of(b"contents"), "what it read replaces the rest");
}

#[test]
fn savers_merge_and_an_unchanged_cache_is_not_written() {
    let setup = Setup::new();
    for name in ["a", "b", "c"] {
        fs::write(setup.path(name), name).unwrap();
    }
    setup.settle();
    let (one, two) = (setup.load(Trust::Settled), setup.load(Trust::Settled));
    one.blake3(&setup.path("a")).unwrap();
    two.blake3(&setup.path("b")).unwrap();
    two.sha256(&setup.path("b")).unwrap();
    one.save();
    two.save();
    let three = setup.load(Trust::Settled);
    let entries = three.entries().known.clone();
    assert_eq!(entries.len(), 2);
    assert!(entries[&path_hash(&setup.path("b"))].blake3.is_some() && entries[&path_hash(&setup.path("b"))].sha256.is_some());
    let before = Signature::of(&fs::metadata(setup.store()).unwrap());
    three.blake3(&setup.path("a")).unwrap();
    three.save();
    assert_eq!(Signature::of(&fs::metadata(setup.store()).unwrap()), before);
    assert!(setup.listener.warnings().is_empty());
}

#[test]
fn a_flipped_bit_or_a_cut_anywhere_is_an_empty_cache_with_a_warning() {
    let setup = Setup::new();
    fs::write(setup.path("a"), b"a").unwrap();
    setup.settle();
    let cache = setup.load(Trust::Settled);
    cache.digests(&setup.path("a")).unwrap();
    cache.save();
    let good = fs::read(setup.store()).unwrap();
    for bit in 0..good.len() * 8 {
        flip_bit(&setup.store(), bit);
        assert!(setup.load(Trust::Settled).entries().known.is_empty(), "bit {bit}");
        setup.listener.warned_once("corrupt");
        flip_bit(&setup.store(), bit);
    }
    for cut in 0..good.len() {
        assert_eq!(decode(&good[..cut]), Err(Unusable::Damaged), "cut at {cut}");
    }
    fs::write(setup.store(), packed::Kind { version: 1, ..KIND }.seal(|out| packed::pack_list::<(PathHash, Entry)>(&[], out))).unwrap();
    assert!(setup.load(Trust::Settled).entries().known.is_empty(), "another version's");
    assert!(setup.listener.warnings().is_empty());
    fs::write(setup.store(), b"junk").unwrap();
    let cache = setup.load(Trust::Settled);
    setup.listener.warned_once("corrupt");
    cache.blake3(&setup.path("a")).unwrap();
    cache.save();
    assert_eq!(setup.load(Trust::Settled).entries().known.len(), 1, "and it is rewritten");
}

#[test]
fn a_cache_that_cannot_be_written_is_one_warning() {
    let setup = Setup::new();
    fs::write(setup.path("a"), b"a").unwrap();
    fs::write(setup.path("state"), b"a file where the folder should be").unwrap();
    setup.settle();
    let cache = setup.load(Trust::Settled);
    setup.listener.warnings();
    let mut entries = cache.entries();
    let signature = Signature::of(&fs::metadata(setup.path("a")).unwrap());
    entries.new.insert([0; 16], Entry { signature, recorded: Timestamp::now(), blake3: None, sha256: None });
    drop(entries);
    cache.save();
    setup.listener.warned_once("cannot save file digests");
}
