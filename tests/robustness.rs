//! Builds that are killed, that run beside each other and beside `gc`, and on full disks: the bytes are the same, or nothing is published.
#![allow(missing_docs)]

mod cli_support;
mod common;

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use cli_support::{names, nnue, write_fens, write_net};
use nnue::net::SplitMix;

const MANIFEST: &str = r#"version = 1
[source.run]
path = "run.nnue"
quantization = "ft127"
[data.fens]
path = "positions.fen"
[net.big]
source = "run"
outputs = ["dist/", "latest.nnue"]
[net.big.optimize]
data = "fens"
positions = 150
[net.plain]
source = "run"
compression = "none"
outputs = ["plain/plain.nnue"]
"#;

fn project(path: &Path) {
    std::fs::create_dir_all(path).unwrap();
    write_net(&path.join("run.nnue"), "small", 64, 5);
    write_fens(&path.join("positions.fen"), 9, 400);
    std::fs::write(path.join("nnue.toml"), MANIFEST).unwrap();
}

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("nnue"));
    command.current_dir(folder).args(args).env_remove("NNUE_CACHE_DIR").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn start(folder: &Path, args: &[&str]) -> Child {
    command(folder, args).spawn().unwrap()
}

#[track_caller]
fn assert_ok(output: &Output) {
    assert!(output.status.success(), "{:?}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
}

/// All published files and the lock, by their place and digest.
fn published(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for place in ["dist", "plain", "."] {
        for entry in std::fs::read_dir(folder.join(place)).into_iter().flatten().flatten() {
            let name = entry.file_name().into_string().unwrap();
            if !name.starts_with(".nnue-tmp-") && (place != "." || ["latest.nnue", "nnue.lock"].contains(&name.as_str())) {
                found.insert(format!("{place}/{name}"), common::sha256(&std::fs::read(entry.path()).unwrap()));
            }
        }
    }
    found
}

fn temporary(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(temporary(&path));
        } else if path.file_name().unwrap().to_str().unwrap().starts_with(".nnue-tmp-") {
            found.push(path);
        }
    }
    found
}

fn forget(folder: &Path, what: u64) {
    let remove = |name: &str| drop(std::fs::remove_dir_all(folder.join(name)).or_else(|_| std::fs::remove_file(folder.join(name))));
    match what % 4 {
        0 => remove(".nnue"),
        1 => [".nnue", "dist", "plain", "latest.nnue", "nnue.lock"].into_iter().for_each(remove),
        2 => ["dist", "plain", "latest.nnue"].into_iter().for_each(remove),
        _ => {}
    }
}

#[test]
fn killed_builds_leave_no_half_file_and_the_next_build_gives_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    project(path);
    let begin = Instant::now();
    assert_ok(&start(path, &["build"]).wait_with_output().unwrap());
    let takes = begin.elapsed();
    let expected = published(path);
    assert_eq!(expected.len(), 4, "{expected:?}");

    let mut random = SplitMix::new(1);
    let mut killed = 0;
    for round in 0..30 {
        forget(path, random.next_u64());
        let args: &[&str] = if random.next_u64().is_multiple_of(2) { &["build", "--force"] } else { &["build"] };
        let mut child = start(path, args);
        // A little beyond the whole time, so that the very end is met too.
        std::thread::sleep(takes.mul_f64((random.next_u64() % 1100) as f64 / 1000.0));
        child.kill().unwrap();
        killed += u32::from(!child.wait().unwrap().success());
        for (name, digest) in published(path) {
            // Two nets finish at different times, but the lock is written once.
            assert_eq!(expected.get(&name), Some(&digest), "round {round}: `{name}` is not whole");
        }
        if round % 3 == 2 {
            let verified = nnue(path, ["cache", "verify", "--json"]).ok().json();
            assert_eq!(verified["damaged"], serde_json::json!([]), "round {round}");
            assert_ok(&start(path, &["build"]).wait_with_output().unwrap());
            assert_eq!(published(path), expected, "round {round}");
        }
    }
    assert!(killed > 0, "no build was killed in time");

    // Leftovers go once they are old enough to be nobody's.
    for leftover in temporary(path) {
        let hour_ago = SystemTime::now() - Duration::from_secs(3600);
        std::fs::File::options()
            .write(true)
            .open(&leftover)
            .or_else(|_| std::fs::File::open(&leftover))
            .unwrap()
            .set_modified(hour_ago)
            .unwrap();
    }
    assert_ok(&start(path, &["build", "--force"]).wait_with_output().unwrap());
    nnue(path, ["cache", "gc", "--grace", "1m"]).ok();
    assert_eq!(temporary(path), Vec::<PathBuf>::new());
    assert_eq!(published(path), expected);
}

#[test]
fn neighbours_build_one_manifest_with_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    project(path);
    assert_ok(&start(path, &["build"]).wait_with_output().unwrap());
    let expected = published(path);
    for round in 0..5 {
        forget(path, round);
        let children: Vec<Child> = (0..4).map(|_| start(path, &["build", "--json"])).collect();
        let mut searches = 0;
        for child in children {
            let output = child.wait_with_output().unwrap();
            assert_ok(&output);
            let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
            let stages = report["nets"][0]["stages"].as_array().unwrap();
            searches += stages.iter().filter(|stage| stage["stage"] == "search" && stage["status"] == "ran").count();
        }
        assert!(searches <= 1, "round {round}: the search ran {searches} times");
        assert_eq!(published(path), expected, "round {round}");
        assert_eq!(temporary(path), Vec::<PathBuf>::new());
    }
}

#[test]
fn builds_go_on_beside_a_collector_that_takes_everything() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    project(path);
    assert_ok(&start(path, &["build"]).wait_with_output().unwrap());
    let expected = published(path);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let collector = scope.spawn(|| {
            let mut runs = 0;
            while !done.load(Ordering::Relaxed) {
                // The manifest's needs are what keeps a result: without them everything goes.
                let _ = std::fs::remove_dir_all(path.join(".nnue/cache/v1/roots"));
                assert_ok(&command(path, &["cache", "gc", "--unreachable", "--max-size", "0", "--grace", "0s"]).output().unwrap());
                runs += 1;
            }
            runs
        });
        let builds: Vec<_> = (0..2)
            .map(|which| {
                scope.spawn(move || {
                    for round in 0..6 {
                        let args: &[&str] = if (which + round) % 2 == 0 { &["build", "--force"] } else { &["build"] };
                        assert_ok(&command(path, args).output().unwrap());
                    }
                })
            })
            .collect();
        let ended: Vec<_> = builds.into_iter().map(|build| build.join()).collect();
        done.store(true, Ordering::Relaxed);
        assert!(collector.join().unwrap() > 0);
        assert!(ended.iter().all(Result::is_ok));
    });
    assert_eq!(published(path), expected);
}

/// A file system of its own that ends with this.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None`, with the reason printed, where this process may not mount. In CI root must.
    fn mount(path: &Path, kib: u32) -> Option<Self> {
        std::fs::create_dir_all(path).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={kib}k"), "tmpfs"]).arg(path).output();
        if mounted.as_ref().is_ok_and(|output| output.status.success()) {
            return Some(Self(path.to_owned()));
        }
        let is_root = std::fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0);
        assert!(!(is_root && std::env::var_os("CI").is_some()), "root in CI cannot mount a tmpfs: {mounted:?}");
        println!("skipped: cannot mount a tmpfs: {mounted:?}");
        None
    }

    fn grow(&self, mib: u32) {
        let status = Command::new("mount").args(["-o", &format!("remount,size={mib}m")]).arg(&self.0).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_under_the_cache_costs_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("project");
    project(&path);
    assert_ok(&start(&path, &["build"]).wait_with_output().unwrap());
    let expected = published(&path);
    let place = folder.path().join("cache");
    // Full from the start, in the middle of the first build, and large enough for it.
    for free in [0, 4, 8, 16, 28, 64, 3000] {
        let Some(disk) = SmallDisk::mount(&place, free.max(4)) else { return };
        if free == 0 {
            std::fs::write(place.join("filler"), [0; 4096]).unwrap();
        }
        forget(&path, 1);
        for _ in 0..2 {
            let output = command(&path, &["build"]).env("NNUE_CACHE_DIR", &place).output().unwrap();
            assert_ok(&output);
            let err = String::from_utf8(output.stderr).unwrap();
            assert!(err.matches("warning:").count() <= 2, "{free} KiB free: {err}");
            assert!(free > 16 || err.contains("not stored in the cache"), "{free} KiB free: {err}");
            assert_eq!(published(&path), expected, "{free} KiB free");
        }
        assert_eq!(temporary(&place), Vec::<PathBuf>::new(), "{free} KiB free");
        drop(disk);
    }
}

#[test]
fn a_full_disk_under_an_output_is_an_error_that_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("project");
    project(&path);
    assert_ok(&start(&path, &["build"]).wait_with_output().unwrap());
    let expected = published(&path);
    std::fs::remove_dir_all(path.join("plain")).unwrap();
    let Some(disk) = SmallDisk::mount(&path.join("plain"), 512) else { return };
    let ran = nnue(&path, ["build"]);
    assert_eq!(ran.code, 1, "{}", ran.transcript());
    for part in ["plain/plain.nnue", "No space left", "free some space"] {
        assert!(ran.err.contains(part), "`{part}` is missing: {}", ran.transcript());
    }
    assert_eq!(names(&path.join("plain")), Vec::<String>::new());
    disk.grow(50);
    assert_ok(&start(&path, &["build"]).wait_with_output().unwrap());
    assert_eq!(published(&path), expected);
}
