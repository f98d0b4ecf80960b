//! Tests of what a build reads: every input once, and nothing after Ctrl-C.

use std::{
    fs::{self, File},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use super::{Options, Workspace};
use crate::{
    ctx::{Backend, Ctx, Progress, Silent, Task},
    error::{Error, Kind},
    family::testing::small_source,
    files::{Clock, Sha256, Signature, signature::Timestamp},
    manifest::{self, Manifest},
};

/// A manifest with one net whose source is pinned.
fn project(folder: &Path, source: &[u8]) -> Manifest {
    fs::write(folder.join("run.nnue"), source).unwrap();
    let text = format!(
        "version = 1\n[source.run]\npath = \"run.nnue\"\nquantization = \"ft127\"\nsha256 = \"{}\"\n\
         [net.a]\nsource = \"run\"\noutputs = [\"a.nnue\"]\n",
        Sha256::of(source)
    );
    let path = folder.join("nnue.toml");
    fs::write(&path, text).unwrap();
    manifest::load(&path, &[]).unwrap()
}

/// Waits until a file's times are older than its file system's clock can hide an edit.
fn settle(path: &Path) {
    let signature = Signature::of(&fs::metadata(path).unwrap());
    while !signature.is_settled(Clock { at: Timestamp::now(), device: Some(signature.device) }) {
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(20));
}

#[test]
fn a_first_build_reads_its_source_once_for_key_pin_and_lock() {
    let folder = tempfile::tempdir().unwrap();
    let source = small_source();
    let manifest = project(folder.path(), &source);
    let path = &folder.path().join("run.nnue");
    settle(path);
    let ctx = Ctx::silent();
    for (locked, expected) in [(false, 1), (true, 0)] {
        let options = Options { locked, ..Options::default() };
        let workspace = Workspace::open(&manifest, &options, &ctx).unwrap();
        let nets: Vec<_> = manifest.nets.iter().collect();
        workspace.build(&nets, &options, &ctx, &|net, error| panic!("{net}: {error}")).unwrap();
        assert_eq!(workspace.files.readings(path), expected, "locked: {locked}");
    }
    let lock = fs::read_to_string(folder.path().join("nnue.lock")).unwrap();
    assert!(lock.contains(&Sha256::of(&source).to_string()), "{lock}");
    // A locked build looks at what is locked before anything else: that counts, too.
    fs::remove_dir_all(folder.path().join(".nnue")).unwrap();
    let options = Options { locked: true, ..Options::default() };
    let workspace = Workspace::open(&manifest, &options, &ctx).unwrap();
    workspace.build(&manifest.nets.iter().collect::<Vec<_>>(), &options, &ctx, &|net, error| panic!("{net}: {error}")).unwrap();
    assert_eq!(workspace.files.readings(path), 1);
}

/// Cancels when a large file is half-way: after it told of the first bytes.
#[derive(Default)]
struct Canceller(Arc<AtomicBool>);

impl Progress for Canceller {
    fn advance(&self, _: Task<'_>, _: u64) {
        self.0.store(true, Ordering::Relaxed);
    }
    fn warn(&self, _: &str) {}
}

#[test]
fn ctrl_c_while_a_huge_source_is_digested_ends_builds_and_status_and_blames_no_net() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = project(folder.path(), b"");
    File::options().write(true).open(folder.path().join("run.nnue")).unwrap().set_len(1 << 40).unwrap();
    let nets: Vec<_> = manifest.nets.iter().collect();
    for dry_run in [false, true] {
        let canceller = Canceller::default();
        let ctx = Ctx::new(canceller.0.clone(), Arc::new(canceller), Backend::Cpu);
        let options = Options { dry_run, ..Options::default() };
        let start = Instant::now();
        let blamed = |net: &str, error: &Error| panic!("{net}: {error}");
        let error = Workspace::open(&manifest, &options, &ctx).unwrap().build(&nets, &options, &ctx, &blamed).unwrap_err();
        assert_eq!(error.kind(), Kind::Interrupted);
        assert!(start.elapsed() < Duration::from_secs(30), "minutes of work were left");
        let still = Ctx::new(Arc::new(AtomicBool::new(true)), Arc::new(Silent), Backend::Cpu);
        let locked = super::LockedNet::new(
            "a",
            vec![super::LockedFile { path: "run.nnue".into(), sha256: "0".repeat(64) }],
            vec![super::LockedFile { path: "run.nnue".into(), sha256: "0".repeat(64) }],
        );
        let error = super::Checked::of(&manifest, nets[0], Some(&locked), &still).err().unwrap();
        assert_eq!(error.kind(), Kind::Interrupted);
    }
}
