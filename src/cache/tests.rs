//! Tests of the store as a whole: damage, full disks, neighbours.

use std::{
    fs,
    io::Write,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use serde_json::json;

use super::{gc, record::tests::record, *};
use crate::{
    error::Result,
    files::{
        self, lock,
        testing::{Listener, Tmpfs, all_files, child_argument, flip_bit, repeat_until, set_age, spawn, temp_files},
        *,
    },
};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

fn open(root: &Path, listener: &Listener) -> Cache {
    Cache::open(root, OpenOptions::default(), &listener.ctx()).unwrap()
}

fn read_only(root: &Path, listener: &Listener) -> Cache {
    Cache::open(root, OpenOptions { mode: Mode::ReadOnly, lock_timeout: None }, &listener.ctx()).unwrap()
}

fn blob_path(root: &Path, digest: Blake3) -> std::path::PathBuf {
    let hex = digest.to_string();
    root.join("v1/cas").join(&hex[..2]).join(&hex[2..])
}

fn record_path(root: &Path, key: Key) -> std::path::PathBuf {
    let hex = key.to_string();
    root.join("v1/actions").join(&hex[..2]).join(format!("{}.json", &hex[2..]))
}

/// A pattern that differs for each `seed`.
fn pattern(seed: u32, len: usize) -> Vec<u8> {
    (0..len as u32).map(|i| (i.wrapping_add(seed).wrapping_mul(2_654_435_761) >> 11) as u8).collect()
}

/// Puts a blob and its record.
fn put(cache: &Cache, stage: &str, n: u32, len: usize) -> (Key, Blake3) {
    let stored = cache.put_bytes(&pattern(n, len));
    let record = record(stage, u64::from(n), stored.digest);
    assert!(stored.stored && cache.put_record(&record));
    (record.key(), stored.digest)
}

#[test]
fn blobs_and_records_come_back_and_the_folder_is_tagged() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("a b/é");
    let listener = Listener::new();
    let cache = open(&root, &listener);
    for len in [0, 1, 100_000, 1 << 20, 3_000_001] {
        let bytes = pattern(len as u32, len);
        let (streamed, value) = cache
            .put_blob(|out| -> Result<u8> {
                bytes.chunks(1000).for_each(|chunk| out.write_all(chunk).unwrap());
                Ok(7)
            })
            .unwrap();
        assert_eq!((streamed, value), (Stored { digest: Blake3::of(&bytes), bytes: len as u64, stored: true }, 7));
        assert_eq!(cache.put_bytes(&bytes), streamed);
        assert_eq!(&*cache.get_blob(streamed.digest).unwrap(), &bytes[..]);
        assert!(cache.has_blob(streamed.digest));
    }
    let record = record("gather", 1, Blake3::of(b""));
    assert_eq!(cache.get_record(record.key()), None);
    assert!(cache.put_record(&record));
    assert_eq!(cache.get_record(record.key()), Some(record));
    assert_eq!((cache.usage().hits, cache.usage().misses), (1, 1));
    let tag = fs::read_to_string(root.join("CACHEDIR.TAG")).unwrap();
    assert!(tag.starts_with("Signature: 8a477f597d28d172789f06886806bc55\n"));
    let failed: Result<(Stored, ())> = cache.put_blob(|_| Err(crate::error::Error::interrupted()));
    assert!(failed.is_err());
    assert!(temp_files(&root).is_empty());
    assert!(listener.warnings().is_empty());
}

#[test]
fn a_flipped_bit_in_a_blob_or_record_is_a_miss_with_a_warning_and_evicted() {
    let folder = tempfile::tempdir().unwrap();
    let listener = Listener::new();
    let cache = open(folder.path(), &listener);
    for len in [1, 5000, 2_000_000] {
        let (_, digest) = put(&cache, "gather", 1, len);
        for bit in [0, len * 4, len * 8 - 1] {
            cache.put_bytes(&pattern(1, len));
            flip_bit(&blob_path(folder.path(), digest), bit);
            assert!(cache.get_blob(digest).is_none(), "bit {bit} of {len} bytes");
            listener.warned_once("corrupt");
            assert!(!cache.has_blob(digest));
        }
        assert!(cache.get_blob(digest).is_none());
        listener.warned_once("cannot read");
        cache.put_bytes(&pattern(1, len));
        fs::remove_file(blob_path(folder.path(), digest)).unwrap();
        fs::write(blob_path(folder.path(), digest), &pattern(1, len)[..len - 1]).unwrap();
        assert!(cache.get_blob(digest).is_none(), "cut");
        listener.warned_once("corrupt");
    }
    let (key, _) = put(&cache, "search", 2, 10);
    let whole = cache.get_record(key).unwrap();
    let path = record_path(folder.path(), key);
    let bits = fs::metadata(&path).unwrap().len() as usize * 8;
    for bit in (0..bits).step_by(5) {
        flip_bit(&path, bit);
        assert_eq!(cache.get_record(key), None, "bit {bit}");
        listener.warned_once("corrupt");
        assert!(!path.exists());
        assert!(cache.put_record(&whole));
    }
    let (other, _) = put(&cache, "search", 3, 10);
    fs::remove_file(&path).unwrap();
    fs::copy(record_path(folder.path(), other), &path).unwrap();
    assert_eq!(cache.get_record(key), None, "another action's record under this name");
    listener.warned_once("does not have its key");
}

#[test]
fn a_read_only_cache_answers_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let listener = Listener::new();
    let missing = folder.path().join("missing");
    let cache = read_only(&missing, &listener);
    assert_eq!(cache.get_record(Key::of(&json!(1)).unwrap()), None);
    assert!(!cache.put_bytes(b"x").stored && !missing.exists());
    drop(cache);

    let root = folder.path().join("cache");
    let (key, digest) = put(&open(&root, &listener), "gather", 1, 10);
    set_age(&blob_path(&root, digest), DAY * 10);
    flip_bit(&record_path(&root, key), 999);
    let before: Vec<_> = all_files(&root).into_iter().map(|path| (Signature::of(&fs::metadata(&path).unwrap()), path)).collect();
    let cache = read_only(&root, &listener);
    assert!(cache.get_blob(digest).is_some());
    assert_eq!(cache.get_record(key), None);
    listener.warned_once("corrupt");
    let (stored, ()) = cache.put_blob(|out| out.write_all(b"abc").map_err(|_| unreachable!())).unwrap();
    assert_eq!(stored, Stored { digest: Blake3::of(b"abc"), bytes: 3, stored: false });
    assert!(!cache.put_record(&record("x", 1, digest)));
    cache.note_root(Path::new("/m"), &[("net", vec![key])], |_| true);
    cache.save_usage();
    drop(cache.lock_action(key).unwrap());
    assert!(cache.try_lock_action(key).is_some());
    let after: Vec<_> = all_files(&root).into_iter().map(|path| (Signature::of(&fs::metadata(&path).unwrap()), path)).collect();
    assert_eq!(before, after);
    assert!(listener.warnings().is_empty());
}

#[test]
fn a_cache_that_cannot_be_made_is_one_warning() {
    let folder = tempfile::tempdir().unwrap();
    let listener = Listener::new();
    let root = folder.path().join("file");
    fs::write(&root, b"in the way").unwrap();
    let cache = open(&root, &listener);
    let stored = cache.put_bytes(b"abc");
    assert_eq!(stored, Stored { digest: Blake3::of(b"abc"), bytes: 3, stored: false });
    assert!(!cache.put_record(&record("x", 1, stored.digest)));
    assert_eq!(cache.get_record(record("x", 1, stored.digest).key()), None);
    drop(cache.lock_action(Key::of(&json!(1)).unwrap()).unwrap());
    // The record's folder is a file: unreadable, which is said as well, but stays a miss.
    let warnings = listener.warnings();
    assert_eq!(warnings.iter().filter(|warning| warning.contains("disabling cache writes")).count(), 1, "{warnings:?}");
}

#[cfg(unix)]
#[test]
fn a_folder_without_permission_is_one_warning() {
    use std::os::unix::fs::PermissionsExt;

    use crate::files::testing::permissions_bind;
    if !permissions_bind() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let listener = Listener::new();
    let (key, _) = put(&open(folder.path(), &listener), "gather", 1, 10);
    for path in [folder.path().join("v1/cas"), folder.path().join("v1/actions")] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o555)).unwrap();
    }
    let cache = open(folder.path(), &listener);
    assert!(cache.get_record(key).is_some());
    assert!(!cache.put_bytes(b"abc").stored && !cache.put_bytes(b"def").stored);
    listener.warned_once("disabling cache writes");
}

#[test]
fn a_full_disk_is_one_warning_and_the_digests_are_right() {
    let Some(disk) = Tmpfs::mount(512) else { return };
    let listener = Listener::new();
    let root = disk.0.path().join("cache");
    let cache = open(&root, &listener);
    let (key, digest) = put(&cache, "gather", 1, 100_000);
    let large = pattern(2, 600_000);
    let (stored, ()) = cache.put_blob(|out| out.write_all(&large).map_err(|_| unreachable!())).unwrap();
    assert_eq!(stored, Stored { digest: Blake3::of(&large), bytes: 600_000, stored: false });
    listener.warned_once("space");
    assert!(!cache.put_bytes(b"small").stored, "the first failure ends storing");
    assert!(cache.get_blob(digest).is_some() && cache.get_record(key).is_some());
    assert!(temp_files(&root).is_empty());
    assert!(listener.warnings().is_empty());
}

#[test]
fn use_is_noted_at_most_once_a_day() {
    let folder = tempfile::tempdir().unwrap();
    let listener = Listener::new();
    let cache = open(folder.path(), &listener);
    let (key, digest) = put(&cache, "gather", 1, 10);
    for path in [blob_path(folder.path(), digest), record_path(folder.path(), key)] {
        let age = || files::age(&fs::metadata(&path).unwrap());
        for (old, noted) in [(HOUR, false), (DAY * 2, true)] {
            set_age(&path, old);
            assert!(cache.get_record(key).is_some() && cache.get_blob(digest).is_some());
            assert_eq!(age() < HOUR / 2, noted, "{}", path.display());
        }
    }
}

#[test]
fn gc_removes_what_it_may_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let listener = Listener::new();
    let ctx = listener.ctx();
    let fill = || {
        let cache = open(root, &listener);
        let made: Vec<_> = (0..6).map(|n| put(&cache, "gather", n, 1000)).collect();
        for (n, (key, digest)) in made.iter().enumerate() {
            let age = DAY * (n as u32 + 1);
            set_age(&record_path(root, *key), age);
            set_age(&blob_path(root, *digest), age);
        }
        made
    };
    let there = |made: &[(Key, Blake3)]| -> Vec<usize> {
        let both = |&(key, digest): &(Key, Blake3)| (record_path(root, key).exists(), blob_path(root, digest).exists());
        made.iter()
            .enumerate()
            .filter(|(_, entry)| {
                let b = both(entry);
                assert_eq!(b.0, b.1);
                b.0
            })
            .map(|(n, _)| n)
            .collect()
    };
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(gc::collect(&empty.path().join("none"), &GcOptions::default(), &ctx).unwrap(), GcOutcome::default());

    let made = fill();
    let unit = fs::metadata(record_path(root, made[0].0)).unwrap().len() + 1000;
    let outcome = gc::collect(root, &GcOptions::default(), &ctx).unwrap();
    assert_eq!((outcome.removed_blobs, outcome.removed_records, outcome.blobs, outcome.records, outcome.bytes), (0, 0, 6, 6, 6 * unit));

    let dry = GcOptions { older_than: Some(DAY * 4 + HOUR), dry_run: true, ..GcOptions::default() };
    let outcome = gc::collect(root, &dry, &ctx).unwrap();
    assert_eq!((outcome.removed_blobs, outcome.bytes), (2, 4 * unit));
    assert_eq!(there(&made), [0, 1, 2, 3, 4, 5]);
    assert_eq!(gc::collect(root, &GcOptions { dry_run: false, ..dry }, &ctx).unwrap().removed_bytes, 2 * unit);
    assert_eq!(there(&made), [0, 1, 2, 3]);

    fill();
    let outcome = gc::collect(root, &GcOptions { max_size: Some(3 * unit + 5), ..GcOptions::default() }, &ctx).unwrap();
    assert_eq!((there(&made), outcome.over_limit), (vec![0, 1, 2], false), "the longest unused go first");

    fill();
    let keep = [made[5].0].into();
    let options = GcOptions { max_size: Some(0), keep, grace: DAY * 2 + HOUR, ..GcOptions::default() };
    let outcome = gc::collect(root, &options, &ctx).unwrap();
    assert_eq!((there(&made), outcome.over_limit), (vec![0, 1, 5], true), "what is kept or young stays");

    fill();
    let manifest = root.join("nnue.toml");
    fs::write(&manifest, b"").unwrap();
    let note = |net: &str, key: Key, exists: &[&str]| {
        open(root, &listener).note_root(&manifest, &[(net, vec![key])], |net| exists.contains(&net));
    };
    note("gone", made[0].0, &["gone"]);
    note("big", made[4].0, &["big", "small"]);
    note("small", made[1].0, &["big", "small"]);
    let unreachable = GcOptions { unreachable: true, ..GcOptions::default() };
    gc::collect(root, &unreachable, &ctx).unwrap();
    assert_eq!(there(&made), [1, 4], "what a manifest needs stays");
    assert_eq!(gc::stats(root, None, &ctx).unwrap().roots, 1);
    fs::remove_file(&manifest).unwrap();
    gc::collect(root, &unreachable, &ctx).unwrap();
    assert!(there(&made).is_empty());
    assert_eq!(gc::stats(root, None, &ctx).unwrap().roots, 0);
    assert!(listener.warnings().is_empty());
}

#[test]
fn gc_removes_dangling_and_damaged_entries_and_leftovers_after_the_grace() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let listener = Listener::new();
    let cache = open(root, &listener);
    let (whole, _) = put(&cache, "gather", 0, 10);
    let (dangling, blob) = put(&cache, "gather", 1, 10);
    fs::remove_file(blob_path(root, blob)).unwrap();
    let (damaged, orphan) = put(&cache, "gather", 2, 10);
    flip_bit(&record_path(root, damaged), 3000);
    drop(cache.lock_action(whole).unwrap());
    let light =
        ActionRecord { result: record::ActionResult { stored: false, ..record("load", 9, blob).result }, ..record("load", 9, blob) };
    assert!(cache.put_record(&light));
    drop(cache);
    let foreign = root.join("v1/cas/ab/README");
    fs::create_dir_all(foreign.parent().unwrap()).unwrap();
    fs::write(&foreign, b"not ours").unwrap();
    let leftover = root.join("v1/cas/.nnue-tmp-killed");
    fs::write(&leftover, b"half").unwrap();
    for path in all_files(root) {
        set_age(&path, HOUR);
    }
    let young = GcOptions { grace: DAY, ..GcOptions::default() };
    let outcome = gc::collect(root, &young, &listener.ctx()).unwrap();
    assert_eq!((outcome.removed_blobs, outcome.removed_records, leftover.exists()), (0, 0, true));
    let outcome = gc::collect(root, &GcOptions { grace: HOUR / 2, ..GcOptions::default() }, &listener.ctx()).unwrap();
    assert_eq!((outcome.removed_blobs, outcome.removed_records, outcome.blobs, outcome.records), (1, 2, 1, 2));
    assert!(!blob_path(root, orphan).exists() && !record_path(root, dangling).exists() && !leftover.exists() && foreign.exists());
    assert!(record_path(root, light.key()).exists(), "a record whose artifact was never stored is whole");
    assert!(all_files(&root.join("v1/locks")).is_empty());
}

#[cfg(unix)]
#[test]
fn gc_removes_nothing_that_a_manifest_may_need_whose_needs_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let listener = Listener::new();
    let ctx = listener.ctx();
    let cache = open(root, &listener);
    let (key, _) = put(&cache, "gather", 1, 1000);
    let manifest = root.join("nnue.toml");
    // A link to itself is there and can be neither read nor followed, whoever asks.
    std::os::unix::fs::symlink("nnue.toml", &manifest).unwrap();
    cache.note_root(&manifest, &[("net", vec![key])], |_| true);
    let noted = cache.root_of(&manifest).as_path().to_owned();
    drop(cache);
    let unreachable = GcOptions { unreachable: true, ..GcOptions::default() };
    assert_eq!(gc::collect(root, &unreachable, &ctx).unwrap().records, 1, "the manifest may be there");

    let aside = noted.with_extension("aside");
    fs::rename(&noted, &aside).unwrap();
    std::os::unix::fs::symlink(noted.file_name().unwrap(), &noted).unwrap();
    let limits = [
        unreachable.clone(),
        GcOptions { max_size: Some(0), ..GcOptions::default() },
        GcOptions { older_than: Some(Duration::ZERO), ..GcOptions::default() },
    ];
    for options in &limits {
        let error = gc::collect(root, options, &ctx).unwrap_err();
        assert!(error.message().contains(noted.to_str().unwrap()) && error.help_text().is_some(), "{error:?}");
    }
    assert!(listener.warnings().is_empty());
    assert_eq!(gc::collect(root, &GcOptions::default(), &ctx).unwrap().records, 1);
    listener.warned_once("cannot read what a manifest needs");
    open(root, &listener).note_root(&manifest, &[("other", vec![key])], |_| true);
    assert!(fs::symlink_metadata(&noted).unwrap().is_symlink(), "it is not rewritten either");
    listener.warned_once("disabling cache writes");

    fs::rename(&aside, &noted).unwrap();
    flip_bit(&noted, 700);
    assert_eq!(gc::collect(root, &unreachable, &ctx).unwrap().records, 0, "what was read and is corrupt says nothing");
    listener.warned_once("is corrupt");
    assert!(!noted.exists());
}

#[test]
fn verify_reports_and_evicts_exactly_what_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let listener = Listener::new();
    assert_eq!(gc::verify(root, None, &listener.ctx()).unwrap(), VerifyOutcome::default());
    let cache = open(root, &listener);
    let made: Vec<_> = (0..20).map(|n| put(&cache, if n < 5 { "gather" } else { "search" }, n, 100_000)).collect();
    cache.save_usage();
    let outcome = gc::verify(root, None, &listener.ctx()).unwrap();
    assert_eq!((outcome.blobs, outcome.records, outcome.damaged.len(), outcome.dangling_records), (20, 20, 0, 0));
    let stats = gc::stats(root, None, &listener.ctx()).unwrap();
    assert_eq!((stats.blobs, stats.blob_bytes, stats.records, stats.by_age[0].blobs), (20, 2_000_000, 20, 20));
    assert_eq!((stats.by_stage["gather"].records, stats.by_stage["search"].bytes), (5, 1_500_000));
    let (bad_blob, bad_record) = (blob_path(root, made[3].1), record_path(root, made[7].0));
    flip_bit(&bad_blob, 400_000);
    flip_bit(&bad_record, 1234);
    fs::remove_file(blob_path(root, made[9].1)).unwrap();
    let outcome = gc::verify(root, None, &listener.ctx()).unwrap();
    let mut damaged: Vec<_> = outcome.damaged.into_iter().map(|damage| damage.path).collect();
    damaged.sort();
    let mut expected = [bad_blob, bad_record];
    expected.sort();
    assert_eq!((damaged, outcome.dangling_records), (expected.to_vec(), 1));
    assert!(gc::verify(root, None, &listener.ctx()).unwrap().damaged.is_empty());
    cache.get_record(made[0].0);
    cache.get_record(made[7].0);
    cache.save_usage();
    let usage = gc::stats(root, None, &listener.ctx()).unwrap().usage;
    assert_eq!((usage.hits, usage.misses), (1, 1));
}

#[test]
fn gc_waits_for_builds_and_builds_for_gc() {
    let folder = tempfile::tempdir().unwrap();
    let listener = Listener::new();
    let cache = open(folder.path(), &listener);
    let hasty = GcOptions { lock_timeout: Some(Duration::from_millis(20)), ..GcOptions::default() };
    let error = gc::collect(folder.path(), &hasty, &listener.ctx()).unwrap_err();
    assert!(error.to_string().contains("waiting for running builds"), "{error}");
    assert_eq!(listener.waits(), ["waiting for running builds to finish with the cache"], "said once");
    drop(cache);
    let waiting = lock::Waiting { message: "waiting for a sibling's exec", timeout: None };
    let path = folder.path().join("v1/lock");
    let lock = lock::acquire(&OwnPath::from(&path), lock::Sharing::Exclusive, waiting, &listener.ctx()).unwrap();
    listener.waits();
    let options = OpenOptions { mode: Mode::ReadWrite, lock_timeout: Some(Duration::from_millis(20)) };
    assert!(Cache::open(folder.path(), options, &listener.ctx()).is_err());
    assert_eq!(listener.waits(), ["waiting for `nnue cache gc` to finish with the cache"], "said once");
    drop(lock);
    drop(open(folder.path(), &listener));
}

#[test]
fn an_action_lock_keeps_others_out_until_it_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let listener = Listener::new();
    let (one, two) = (open(folder.path(), &listener), open(folder.path(), &listener));
    let key = Key::of(&json!({"stage": "gather"})).unwrap();
    let held = one.lock_action(key).unwrap();
    assert!(two.try_lock_action(key).is_none());
    assert!(two.try_lock_action(Key::of(&json!(2)).unwrap()).is_some());
    let hasty = OpenOptions { mode: Mode::ReadWrite, lock_timeout: Some(Duration::from_millis(20)) };
    drop(Cache::open(folder.path(), hasty, &listener.ctx()).unwrap().lock_action(key).unwrap());
    listener.warned_once("gave up");
    thread::scope(|scope| {
        let waiter = scope.spawn(|| two.lock_action(key).unwrap());
        thread::sleep(Duration::from_millis(10));
        drop(held);
        drop(waiter.join().unwrap());
    });
    assert!(listener.waits().iter().any(|wait| wait.contains("the same action")));
    let held = one.lock_action(key).unwrap();
    listener.cancel.store(true, Ordering::Relaxed);
    assert!(two.lock_action(key).is_err());
    drop(held);
}

/// One "build": eight actions, each run by whoever comes first, noted in a file of the folder `runs`.
fn build(folder: &Path, listener: &Listener, actions: u32) {
    let cache = open(&folder.join("cache"), listener);
    for n in 0..actions {
        let bytes = pattern(n, 20_000 + n as usize);
        let asked = record("gather", u64::from(n), Blake3::of(&bytes));
        let found = || {
            let record = cache.get_record(asked.key())?;
            let blob = cache.get_blob(record.result.output_digest)?;
            assert_eq!(&*blob, &bytes[..], "wrong bytes");
            Some(())
        };
        if found().is_some() {
            continue;
        }
        let _lock = cache.lock_action(asked.key()).unwrap();
        if found().is_some() {
            continue;
        }
        let runs = fs::File::options().append(true).create(true).open(folder.join(format!("runs/{n}"))).unwrap();
        (&runs).write_all(b"x").unwrap();
        thread::sleep(Duration::from_millis(2));
        let (stored, ()) = cache.put_blob(|out| out.write_all(&bytes).map_err(|_| unreachable!())).unwrap();
        assert!(stored.stored && stored.digest == asked.result.output_digest);
        assert!(cache.put_record(&asked));
    }
    cache.save_usage();
}

#[test]
fn child_builds() {
    let Some(argument) = child_argument() else { return };
    let folder = Path::new(&argument);
    let listener = Listener::new();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..10).for_each(|_| build(folder, &listener, 24)));
        }
    });
    assert_eq!(listener.warnings(), [""; 0]);
}

/// Eight processes of two threads each, and gc in a loop beside them.
fn hammer(folder: &Path, options: &GcOptions) {
    fs::create_dir(folder.join("runs")).unwrap();
    let children: Vec<_> = (0..8).map(|_| spawn("cache::tests::child_builds", folder.to_str().unwrap())).collect();
    let stop = AtomicBool::new(false);
    let listener = Listener::new();
    thread::scope(|scope| {
        let collector = scope.spawn(|| {
            let mut rounds = 0;
            repeat_until(&stop, || {
                let options = GcOptions { lock_timeout: Some(Duration::from_secs(60)), ..options.clone() };
                gc::collect(&folder.join("cache"), &options, &listener.ctx()).unwrap();
                rounds += 1;
                thread::sleep(Duration::from_millis(1));
            });
            rounds
        });
        let ended: Vec<bool> = children.into_iter().map(|mut child| child.wait().unwrap().success()).collect();
        stop.store(true, Ordering::Relaxed);
        let rounds = collector.join().unwrap();
        println!("gc ran {rounds} times");
        assert!(rounds > 1, "builds that overlap kept gc out");
        assert_eq!(ended, [true; 8]);
    });
    let verified = gc::verify(&folder.join("cache"), None, &listener.ctx()).unwrap();
    assert!(verified.damaged.is_empty() && verified.dangling_records == 0, "{verified:?}");
    assert!(temp_files(folder).is_empty());
    for n in 0..24 {
        assert!(folder.join(format!("runs/{n}")).exists(), "the children ran action {n}");
    }
}

#[test]
fn neighbours_run_each_action_once_while_gc_takes_only_what_is_useless() {
    let folder = tempfile::tempdir().unwrap();
    hammer(folder.path(), &GcOptions::default());
    for n in 0..24 {
        assert_eq!(fs::read(folder.path().join(format!("runs/{n}"))).unwrap(), b"x", "action {n} ran once");
    }
    let usage = gc::stats(&folder.path().join("cache"), None, &Listener::new().ctx()).unwrap().usage;
    assert!(usage.hits >= 8 * 2 * 9 * 24, "{usage:?}");
}

#[test]
fn neighbours_get_right_bytes_while_gc_empties_the_cache() {
    let folder = tempfile::tempdir().unwrap();
    hammer(folder.path(), &GcOptions { max_size: Some(0), ..GcOptions::default() });
}

#[test]
fn child_stores_in_a_loop() {
    let Some(argument) = child_argument() else { return };
    let cache = open(Path::new(&argument), &Listener::new());
    for n in 0.. {
        put(&cache, "gather", n % 50, 300_000);
    }
}

#[test]
fn kill_9_leaves_only_whole_blobs_and_records() {
    let folder = tempfile::tempdir().unwrap();
    let listener = Listener::new();
    let (mut leftovers, mut blobs) = (0, 0);
    for round in 0..30u64 {
        let mut child = spawn("cache::tests::child_stores_in_a_loop", folder.path().to_str().unwrap());
        thread::sleep(Duration::from_millis(20 + round * 11 % 70));
        child.kill().unwrap();
        child.wait().unwrap();
        let outcome = gc::verify(folder.path(), None, &listener.ctx()).unwrap();
        assert!(outcome.damaged.is_empty() && outcome.dangling_records == 0, "{outcome:?}");
        blobs = outcome.blobs;
        leftovers += temp_files(folder.path()).len();
        let options = GcOptions { lock_timeout: Some(Duration::from_secs(30)), ..GcOptions::default() };
        gc::collect(folder.path(), &options, &listener.ctx()).expect("locks end with their holders");
        assert!(temp_files(folder.path()).is_empty());
    }
    assert!(listener.warnings().is_empty());
    assert!(blobs > 0, "the children stored something");
    println!("{leftovers} leftovers of 30 kills were swept");
}
