use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize},
    },
    time::{Duration, Instant},
};

use super::*;
use crate::{
    ctx::{Backend, Progress, Task},
    error::Kind,
};

#[test]
fn files_of_all_sizes_have_the_digests_of_their_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let ctx = Ctx::silent();
    let data: Vec<u8> = (0..3_000_003u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let around = |size: usize| [size - 1, size, size + 1];
    let blocks = [0, 1, 63, 1024, 1025, 3 * BLOCK + 1023, 7 * BLOCK, 2 * WINDOW + BLOCK + 5, data.len()];
    for len in blocks.into_iter().chain([BLOCK, 2 * BLOCK, WINDOW, 2 * WINDOW].into_iter().flat_map(around)) {
        fs::write(&path, &data[..len]).unwrap();
        let expected = FileDigests { blake3: Blake3::of(&data[..len]), sha256: Sha256::of(&data[..len]), len: len as u64 };
        assert_eq!(hash_file(&path, &ctx).unwrap(), expected, "{len} bytes");
        assert_eq!(hash_file_blake3(&path, &ctx).unwrap(), (expected.blake3, expected.len));
        assert_eq!(hash_file_sha256(&path, &ctx).unwrap(), (expected.sha256, expected.len));
        assert_eq!(hash_bytes_sha256(&data[..len], "file", &ctx).unwrap(), expected.sha256);
    }
    fs::write(&path, &data).unwrap();
    let expected = FileDigests { blake3: Blake3::of(&data), sha256: Sha256::of(&data), len: data.len() as u64 };
    for threads in [1, 2, 7] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert_eq!(pool.install(|| hash_file_blake3(&path, &ctx)).unwrap().0, expected.blake3, "{threads} threads");
        assert_eq!(pool.install(|| hash_file(&path, &ctx)).unwrap(), expected, "{threads} threads");
    }
}

#[test]
fn a_file_that_keeps_changing_is_an_error_and_one_that_changed_once_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("growing");
    fs::write(&path, b"0").unwrap();
    let calls = AtomicUsize::new(0);
    let hash_while = |changes: usize| {
        calls.store(0, Ordering::Relaxed);
        hash_stable(&path, &Ctx::silent(), |reading| {
            let digest = blake3_of(reading);
            if calls.fetch_add(1, Ordering::Relaxed) < changes {
                let old = fs::read(&path).unwrap();
                fs::write(&path, [old, b"1".to_vec()].concat()).unwrap();
            }
            digest
        })
    };
    let error = hash_while(ATTEMPTS).unwrap_err();
    assert!(error.message().contains("changes while it is read"), "{error}");
    let (digest, signature) = hash_while(1).unwrap();
    assert_eq!((digest, signature.len), (Blake3::of(&fs::read(&path).unwrap()), 5));
}

#[test]
fn what_is_no_file_is_said_to_be_none() {
    let folder = tempfile::tempdir().unwrap();
    let failure = |path: &Path| hash_file(path, &Ctx::silent()).unwrap_err().to_string();
    assert!(failure(folder.path()).contains("it is a folder, not a file"));
    assert!(failure(&folder.path().join("missing")).contains("missing"));
    #[cfg(unix)]
    assert!(failure(Path::new("/dev/zero")).contains("not a regular file"));
}

/// Cancels as soon as it hears that bytes were read, and keeps what it heard.
#[derive(Default)]
struct Canceller {
    cancel: Arc<AtomicBool>,
    heard: Mutex<Vec<(String, u64)>>,
    at: Mutex<Option<Instant>>,
    cancels: bool,
}

impl Progress for Canceller {
    fn start(&self, task: Task<'_>, total: Option<u64>, unit: &'static str) {
        self.heard.lock().unwrap().push((format!("{} {unit}", task.name.unwrap_or_default()), total.unwrap()));
    }
    fn advance(&self, _: Task<'_>, done: u64) {
        if self.cancels {
            self.cancel.store(true, Ordering::Relaxed);
            self.at.lock().unwrap().get_or_insert_with(Instant::now);
        }
        self.heard.lock().unwrap().push(("advance".to_owned(), done));
    }
    fn finish(&self, _: Task<'_>) {
        self.heard.lock().unwrap().push(("finish".to_owned(), 0));
    }
    fn warn(&self, _: &str) {}
}

type Hash = fn(&Path, &Ctx) -> Result<()>;
const ALL: [Hash; 3] = [
    |path, ctx| hash_file(path, ctx).map(drop),
    |path, ctx| hash_file_blake3(path, ctx).map(drop),
    |path, ctx| hash_file_sha256(path, ctx).map(drop),
];

#[test]
fn ctrl_c_ends_the_reading_of_a_huge_file_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("huge");
    File::create(&path).unwrap().set_len(1 << 40).unwrap();
    for hash in ALL {
        let canceller = Arc::new(Canceller { cancels: true, ..Canceller::default() });
        let error = hash(&path, &Ctx::new(canceller.cancel.clone(), canceller.clone(), Backend::Cpu)).unwrap_err();
        assert_eq!(error.kind(), Kind::Interrupted);
        // Minutes of work were left.
        assert!(canceller.at.lock().unwrap().unwrap().elapsed() < Duration::from_secs(20));
        let read: u64 = canceller.heard.lock().unwrap().iter().filter(|(what, _)| what == "advance").map(|(_, done)| done).sum();
        assert!(read < 1 << 30, "{read} bytes were read");
        let before = Ctx::new(canceller.cancel.clone(), Arc::new(crate::ctx::Silent), Backend::Cpu);
        assert_eq!(hash(&path, &before).unwrap_err().kind(), Kind::Interrupted);
    }
}

#[test]
fn a_large_file_tells_how_far_it_is_and_a_small_one_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for hash in ALL {
        for (name, len, tells) in [("small", LARGE - 1, false), ("large", LARGE + 12345, true)] {
            let path = folder.path().join(name);
            File::create(&path).unwrap().set_len(len).unwrap();
            let canceller = Arc::new(Canceller::default());
            hash(&path, &Ctx::new(canceller.cancel.clone(), canceller.clone(), Backend::Cpu)).unwrap();
            let heard = canceller.heard.lock().unwrap();
            if tells {
                assert_eq!(heard[0], ("hash large bytes".to_owned(), len));
                assert_eq!(heard.iter().filter(|(what, _)| what == "advance").map(|(_, done)| done).sum::<u64>(), len);
                assert_eq!(heard.last().unwrap().0, "finish");
            } else {
                assert!(heard.is_empty(), "{heard:?}");
            }
        }
    }
}
