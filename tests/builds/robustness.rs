//! Builds that are killed at random moments, on full and read-only disks, and over files that change: the bytes are the same, or nothing is
//! published. Calls that fail one by one are in `faults.rs`, neighbours in `concurrency.rs`.

use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::cli_support::{self, names, nnue, write_net};
use crate::common;
use crate::project::{
    self, MANIFEST, allowed, assert_ok, assert_published, assert_whole, command, forget, make, other_manifest, published, start, temporary,
};
use nnue::internals::random::SplitMix;

#[test]
fn killed_builds_leave_no_half_file_and_the_next_build_gives_the_same_bytes() {
    const KILLS: u32 = 200;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    make(path);
    let set_manifest = |text: &str| std::fs::write(path.join("nnue.toml"), text).unwrap();
    let expected = project::build(path);
    assert_eq!(expected.len(), 4, "{expected:?}");
    set_manifest(&other_manifest());
    let other = project::build(path);
    let allowed = allowed(&[&expected, &other]);
    let mut times: Vec<Duration> = (0..9)
        .map(|_| {
            let begin = Instant::now();
            assert_ok(&start(path, &["build", "--force"]).wait_with_output().unwrap());
            begin.elapsed()
        })
        .collect();
    times.sort();
    let takes = times[times.len() / 2];

    let mut random = SplitMix::new(1);
    let mut completed = 0;
    for round in 0..KILLS {
        // What is there when the build begins: nothing, only the cache, the outputs of another manifest, all of it.
        forget(path, random.next_u64());
        set_manifest(&if random.next_u64().is_multiple_of(2) { MANIFEST.to_owned() } else { other_manifest() });
        let args: &[&str] = if random.next_u64().is_multiple_of(2) { &["build", "--force"] } else { &["build"] };
        // Every other moment is in the last part, where most of the names are given, and all go a little beyond the end.
        let from = if random.next_u64().is_multiple_of(2) { 0 } else { 500 };
        let moment = takes.mul_f64((from + random.next_u64() % (1150 - from)) as f64 / 1000.0);
        let mut child = start(path, args);
        std::thread::sleep(moment);
        child.kill().unwrap();
        completed += u32::from(child.wait().unwrap().success());
        assert_whole(path, &allowed, &format!("round {round}"));
        if round % 3 == 2 {
            set_manifest(MANIFEST);
            let output = command(path, &["build"]).output().unwrap();
            assert_ok(&output);
            let err = String::from_utf8_lossy(&output.stderr);
            assert!(!err.contains("corrupt"), "round {round}: {err}");
            assert_published(path, &expected, &format!("round {round}"));
        }
    }
    set_manifest(MANIFEST);
    let swept = project::sweep(path);
    assert_published(path, &expected, "after all");
    println!("kills: {KILLS}, completed before: {completed}, leftovers swept: {swept}");
    assert!(completed < KILLS, "no build was killed in time");
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
    make(&path);
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
            assert!(free > 16 || err.contains("disabling cache writes for this run"), "{free} KiB free: {err}");
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
    make(&path);
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

/// Packed positions are unpacked into the temporary folder so long as that leaves something to everybody else, and never to more than a
/// hundred times what they are.
#[test]
fn packed_positions_fill_no_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("project");
    make(&path);
    let gzip = |name: &str, text: &[u8], times: usize, how| {
        let file = std::fs::File::create(path.join(name)).unwrap();
        let mut out = flate2::write::GzEncoder::new(file, how);
        (0..times).for_each(|_| out.write_all(text).unwrap());
        std::fs::metadata(out.finish().map(|_| path.join(name)).unwrap()).unwrap().len()
    };
    let fens: Vec<String> = nnue::internals::positions::generate(7, 20_000).iter().map(|position| position.to_fen() + "\n").collect();
    let text = fens.concat();
    // 150 MB of games in some ten, and a bomb of a hundred and fifty in less than one.
    let honest = gzip("games.fen.gz", text.as_bytes(), 150_000_000 / text.len(), flate2::Compression::fast());
    let bomb = gzip("bomb.fen.gz", &fens[0].repeat(1_000_000 / fens[0].len()).into_bytes(), 150, flate2::Compression::best());
    assert!(honest > 5_000_000 && bomb < 1_400_000, "{honest} {bomb}");
    let eval = |file: &str, temporary: &Path| {
        let args = ["eval", "run.nnue", "--quantization", "ft127", "--data", file, "--count", "3"];
        cli_support::Ran::of(command(&path, &args).env("TMPDIR", temporary).output().unwrap())
    };
    eval("bomb.fen.gz", folder.path()).fails(1, &["bomb.fen.gz", "it becomes more than"]);
    assert_eq!(names(folder.path()), ["project"]);
    let place = folder.path().join("temporary");
    // Room for the first 64 MiB that leave memory, and not for all; room for all, but then for nothing else.
    for mib in [100, 148] {
        let Some(disk) = SmallDisk::mount(&place, mib << 10) else { return };
        eval("games.fen.gz", &place).fails(1, &["games.fen.gz", "bytes left, of which", "set TMPDIR to a folder with space"]);
        assert_eq!(names(&place), Vec::<String>::new(), "{mib} MiB");
        drop(disk);
    }
    let Some(_disk) = SmallDisk::mount(&place, 300 << 10) else { return };
    eval("games.fen.gz", &place).ok();
    assert_eq!(names(&place), Vec::<String>::new());
}

#[test]
fn a_cache_on_a_read_only_file_system_is_used_and_costs_one_warning() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("project");
    make(&path);
    let place = folder.path().join("cache");
    let Some(_disk) = SmallDisk::mount(&place, 50 << 10) else { return };
    let build = |args: &[&str]| {
        let output = command(&path, args).env("NNUE_CACHE_DIR", &place).output().unwrap();
        assert_ok(&output);
        (serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    build(&["build", "--json"]);
    let expected = published(&path);
    let status = Command::new("mount").args(["-o", "remount,ro"]).arg(&place).status().unwrap();
    assert!(status.success());
    let before = project::files_below(&place);
    forget(&path, 2);
    let (report, err) = build(&["build", "--json"]);
    let ran: Vec<String> = project::ran(&report).into_iter().map(|(_, stage, _)| stage).collect();
    assert!(!ran.contains(&"gather".to_owned()) && !ran.contains(&"search".to_owned()), "{ran:?}");
    assert_eq!(published(&path), expected);
    assert_eq!(err.matches("warning:").count(), 1, "{err}");
    let (_, err) = build(&["build", "--force", "--json"]);
    assert_eq!(published(&path), expected);
    assert_eq!(err.matches("warning:").count(), 1, "{err}");
    let (_, err) = build(&["build", "--json"]);
    assert!(err.matches("warning:").count() <= 1, "{err}");
    assert_eq!(project::files_below(&place), before);
}

#[test]
fn a_wait_for_the_collector_says_so_and_ends_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    make(path);
    assert_ok(&start(path, &["build"]).wait_with_output().unwrap());
    let lock = std::fs::File::options().write(true).open(path.join(".nnue/cache/v1/lock")).unwrap();
    lock.lock().unwrap();
    for args in [["build", "--lock-timeout", "200ms"], ["status", "--lock-timeout", "200ms"]] {
        nnue(path, args).fails(1, &["warning: waiting for", "gave up after", "more time with `--lock-timeout`"]);
    }
    nnue(path, ["cache", "gc", "--lock-timeout", "200ms"]).fails(1, &["gave up after"]);
    nnue(path, ["build", "--lock-timeout", "soon"]).fails(2, &["--lock-timeout", "12h"]);
    lock.unlock().unwrap();
    nnue(path, ["build", "--lock-timeout", "200ms"]).ok();
}

#[test]
fn a_source_that_changes_during_the_build_is_not_locked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    make(path);
    let annealed = MANIFEST.replace("positions = 150", "positions = 150\nalgorithm = \"anneal\"\nmoves = 2000");
    std::fs::write(path.join("nnue.toml"), annealed).unwrap();
    // The search waits for the lock of its action, which the test holds: the source changes in between.
    let args = ["build", "big"];
    assert_ok(&start(path, &args).wait_with_output().unwrap());
    let report = nnue(path, ["status", "big", "--json"]).ok().json();
    let search = report["nets"][0]["stages"][2]["key"].as_str().unwrap().to_owned();
    forget(path, 1);
    let lock = path.join(".nnue/cache/v1/locks").join(&search[..2]).join(format!("{}.lock", &search[2..]));
    std::fs::create_dir_all(lock.parent().unwrap()).unwrap();
    let held = std::fs::File::create(&lock).unwrap();
    held.lock().unwrap();
    let child = start(path, &args);
    let begin = Instant::now();
    while !path.join(".nnue/cache/v1/cas").read_dir().is_ok_and(|mut shards| shards.any(|shard| shard.unwrap().path().is_dir())) {
        assert!(begin.elapsed() < Duration::from_secs(120));
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(50));
    write_net(&path.join("run.nnue"), "small", 64, 77);
    held.unlock().unwrap();
    let output = child.wait_with_output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(err.contains("`run.nnue` changed") && err.contains("run the same command again"), "{err}");
    assert!(!path.join("nnue.lock").exists());
    assert_ok(&start(path, &args).wait_with_output().unwrap());
    assert!(
        std::fs::read_to_string(path.join("nnue.lock")).unwrap().contains(&common::sha256(&std::fs::read(path.join("run.nnue")).unwrap()))
    );
}
