//! What the tests of this room and of those above share.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use super::write::TEMP_PREFIX;
use crate::ctx::{Backend, Ctx, Progress};

/// A file or a folder of the golden data; `None` (with a reason printed) where `NNUE_TEST_DATA` names no folder, a panic where `CI` is set.
pub(crate) fn golden(name: &str) -> Option<PathBuf> {
    let data = std::env::var_os("NNUE_TEST_DATA");
    if data.is_none() {
        assert!(std::env::var_os("CI").is_none(), "NNUE_TEST_DATA is not set, and CI must not skip this");
        println!("skipped: NNUE_TEST_DATA does not name the golden data");
    }
    Some(PathBuf::from(data?).join("golden").join(name))
}

/// Collects warnings, and can cancel.
#[derive(Default)]
pub(crate) struct Listener {
    warnings: Arc<Heard>,
    pub(crate) cancel: Arc<AtomicBool>,
}

#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Progress for Heard {
    fn warn(&self, message: &str) {
        self.0.lock().unwrap().push(message.to_owned());
    }
}

impl Listener {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn ctx(&self) -> Ctx {
        Ctx::new(self.cancel.clone(), self.warnings.clone(), Backend::Cpu)
    }

    /// The warnings since the last call, without those of waiting for a lock: a sibling test that starts a process holds copies of
    /// this process's descriptors, and the locks with them, until its `exec`, so that any lock may be waited for briefly.
    pub(crate) fn warnings(&self) -> Vec<String> {
        self.heard().0
    }

    /// What was waited for since the last call of this or [`Listener::warnings`].
    pub(crate) fn waits(&self) -> Vec<String> {
        self.heard().1
    }

    fn heard(&self) -> (Vec<String>, Vec<String>) {
        let heard = std::mem::take(&mut *self.warnings.0.lock().unwrap());
        heard.into_iter().partition(|message| !message.starts_with("waiting for"))
    }

    /// Asserts that there was exactly one warning since the last call, with `part` in it.
    pub(crate) fn warned_once(&self, part: &str) {
        let warnings = self.warnings();
        assert!(warnings.len() == 1 && warnings[0].contains(part), "expected one warning with {part:?}: {warnings:?}");
    }
}

/// Flips one bit of a file in place, whatever its permissions.
pub(crate) fn flip_bit(path: &Path, bit: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[bit / 8] ^= 1 << (bit % 8);
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Sets the modification time of a file to `age` ago.
pub(crate) fn set_age(path: &Path, age: Duration) {
    fs::File::open(path).unwrap().set_modified(SystemTime::now() - age).unwrap();
}

/// All files below `folder`, sorted.
pub(crate) fn all_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().unwrap().is_dir() {
            found.extend(all_files(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found.sort();
    found
}

/// The temporary files below `folder`.
pub(crate) fn temp_files(folder: &Path) -> Vec<PathBuf> {
    all_files(folder).into_iter().filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(TEMP_PREFIX)).collect()
}

/// A file system of a few KiB, unmounted on drop.
pub(crate) struct Tmpfs(pub(crate) tempfile::TempDir);

impl Tmpfs {
    /// `None`, with a printed reason, where mounting is not allowed.
    pub(crate) fn mount(kib: u32) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={kib}k"), "none"]).arg(folder.path()).output();
        match mount {
            Ok(output) if output.status.success() => Some(Self(folder)),
            other => {
                println!("skipped: a tmpfs cannot be mounted here: {other:?}");
                None
            }
        }
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

/// Whether permissions bind this process; says so where they do not (root).
#[cfg(unix)]
pub(crate) fn permissions_bind() -> bool {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o555)).unwrap();
    let bound = fs::write(folder.path().join("file"), b"").is_err();
    if !bound {
        println!("skipped: permissions do not bind this user (root)");
    }
    bound
}

const CHILD: &str = "NNUE_TEST_CHILD";

/// What [`spawn`] told this process; `None` in the test run itself.
pub(crate) fn child_argument() -> Option<String> {
    std::env::var(CHILD).ok()
}

/// Runs one test of this very binary in a process of its own.
pub(crate) fn spawn(test: &str, argument: &str) -> std::process::Child {
    child(test, argument).stdout(Stdio::null()).spawn().unwrap()
}

/// One test of this very binary, to be run in a process of its own.
pub(crate) fn child(test: &str, argument: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(CHILD, argument);
    command
}

/// Calls `work` until `stop` is set.
pub(crate) fn repeat_until(stop: &AtomicBool, mut work: impl FnMut()) {
    while !stop.load(Ordering::Relaxed) {
        work();
    }
}
