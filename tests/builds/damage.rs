//! One bit flipped in each kind of file that a build leaves: the real binary notices, puts it right, and publishes the same bytes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cli_support::{Ran, nnue};
use crate::project::{self, Published, assert_published, files_below, flip_bit, make, published, ran};
use nnue::internals::random::SplitMix;

/// The first bit of a file, the last one, and any others. The file may get another length whenever it is rewritten.
fn bit(path: &Path, random: &mut SplitMix, number: u64) -> usize {
    let all = std::fs::metadata(path).unwrap().len() * 8;
    match number {
        0 => 0,
        1 => all as usize - 1,
        _ => (random.next_u64() % all) as usize,
    }
}

fn project() -> (tempfile::TempDir, Published) {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path());
    project::build(folder.path());
    // Old enough for the stat cache, which then holds what it can.
    std::thread::sleep(Duration::from_millis(200));
    let expected = project::build(folder.path());
    assert!(folder.path().join(".nnue/state/files.bin").exists());
    (folder, expected)
}

/// Builds with a report; the published files are the expected ones.
#[track_caller]
fn build(folder: &Path, expected: &Published, context: &str) -> (serde_json::Value, Ran) {
    let done = nnue(folder, ["build", "--json"]).ok();
    assert_published(folder, expected, context);
    (done.json(), done)
}

fn below(folder: &Path, place: &str, ending: &str) -> Vec<PathBuf> {
    files_below(&folder.join(place)).into_iter().filter(|path| path.to_str().unwrap().ends_with(ending)).collect()
}

#[test]
fn a_flipped_bit_in_an_artifact_or_a_record_is_evicted_and_made_again() {
    let (folder, expected) = project();
    let folder = folder.path();
    let mut random = SplitMix::new(1);
    let mut flips = 0;
    for place in [".nnue/cache/v1/cas", ".nnue/cache/v1/actions"] {
        let files = below(folder, place, "");
        assert!(files.len() >= 2, "{files:?}");
        for path in files {
            for number in 0..8 {
                let bit = bit(&path, &mut random, number);
                let context = format!("bit {bit} of {}", path.display());
                let good = std::fs::read(&path).unwrap();
                flip_bit(&path, bit);
                // A locked build that writes nothing goes around it and leaves it where it is.
                if flips % 4 == 0 {
                    let damaged = std::fs::read(&path).unwrap();
                    let frozen = nnue(folder, ["build", "--frozen"]).ok();
                    assert!(frozen.err.contains("corrupt"), "{context}: {}", frozen.err);
                    assert_published(folder, &expected, &context);
                    assert_eq!(std::fs::read(&path).unwrap(), damaged, "{context}");
                }
                let (report, done) = build(folder, &expected, &context);
                assert!(done.err.contains("corrupt") && done.err.contains("rebuilding it"), "{context}: {}", done.err);
                // Both nets share the stage that loads their source.
                let ran: BTreeSet<(String, String)> = ran(&report).into_iter().map(|(_, stage, reason)| (stage, reason)).collect();
                let reason = if place.ends_with("cas") { "blob_corrupt" } else { "record_missing" };
                assert!(ran.len() == 1 && ran.iter().all(|(_, why)| why == reason), "{context}: {ran:?}");
                if place.ends_with("cas") {
                    assert_eq!(std::fs::read(&path).unwrap(), good, "{context}");
                } else {
                    assert!(path.exists(), "{context}");
                }
                let (report, done) = build(folder, &expected, &context);
                assert!(project::ran(&report).is_empty() && !done.err.contains("warning"), "{context}: {}", done.err);
                flips += 1;
            }
        }
    }
    println!("bits flipped in artifacts and records: {flips}");
}

#[test]
fn a_flipped_bit_in_what_is_remembered_costs_a_warning() {
    let (folder, expected) = project();
    let folder = folder.path();
    let mut random = SplitMix::new(2);
    let mut flips = 0;
    let files = [below(folder, ".nnue/state/nets", ".json"), vec![folder.join(".nnue/state/files.bin")]].concat();
    assert_eq!(files.len(), 3);
    for path in &files {
        for number in 0..16 {
            let bit = bit(path, &mut random, number);
            let context = format!("bit {bit} of {}", path.display());
            flip_bit(path, bit);
            project::look_again(folder);
            let (report, done) = build(folder, &expected, &context);
            assert!(done.err.contains("cannot use"), "{context}: {}", done.err);
            assert!(ran(&report).is_empty(), "{context}");
            let (_, done) = build(folder, &expected, &context);
            assert!(!done.err.contains("warning"), "{context}: {}", done.err);
            flips += 1;
        }
    }
    println!("bits flipped in build log and stat cache: {flips}");
}

#[test]
fn a_flipped_bit_in_the_notes_of_the_cache_is_noticed_by_what_reads_them() {
    let (folder, expected) = project();
    let folder = folder.path();
    let mut random = SplitMix::new(3);
    let [root] = below(folder, ".nnue/cache/v1/roots", ".json").try_into().unwrap();
    for number in 0..12 {
        let bit = bit(&root, &mut random, number);
        let context = format!("bit {bit} of {}", root.display());
        flip_bit(&root, bit);
        let collected = nnue(folder, ["cache", "gc", "--unreachable", "--grace", "1h"]).ok();
        assert!(collected.err.contains("corrupt") && !root.exists(), "{context}: {}", collected.err);
        project::look_again(folder);
        let (report, done) = build(folder, &expected, &context);
        assert!(ran(&report).is_empty() && root.exists(), "{context}: {}", done.err);
        // Noted again, the needs keep everything.
        let collected = nnue(folder, ["cache", "gc", "--unreachable", "--grace", "0s"]).ok();
        assert!(!collected.err.contains("warning"), "{context}: {}", collected.err);
        assert!(ran(&build(folder, &expected, &context).0).is_empty(), "{context}");
    }
    let usage = folder.join(".nnue/cache/v1/usage.json");
    for number in 0..12 {
        flip_bit(&usage, bit(&usage, &mut random, number));
        project::look_again(folder);
        build(folder, &expected, "usage");
        let hits = nnue(folder, ["cache", "stats", "--json"]).ok().json()["usage"]["hits"].as_u64().unwrap();
        assert!((1..100).contains(&hits), "the totals start again: {hits}");
    }
}

#[test]
fn a_flipped_bit_in_a_published_file_is_put_right() {
    let (folder, expected) = project();
    let folder = folder.path();
    let mut random = SplitMix::new(4);
    for place in expected.keys().filter(|place| !place.ends_with("nnue.lock")) {
        let path = folder.join(place);
        for number in 0..8 {
            let bit = bit(&path, &mut random, number);
            let context = format!("bit {bit} of {place}");
            let modified = std::fs::metadata(&path).unwrap().modified().unwrap();
            flip_bit(&path, bit);
            if number % 2 == 0 {
                std::fs::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
            }
            assert_eq!(nnue(folder, ["verify"]).code, 3, "{context}");
            let (report, _) = build(folder, &expected, &context);
            let reasons: Vec<String> = ran(&report).into_iter().map(|(_, _, reason)| reason).collect();
            assert_eq!(reasons, ["output_modified"], "{context}");
            nnue(folder, ["verify"]).ok();
        }
    }
}

/// What a lock says, without comments and the program's version; `None` where it is not TOML.
fn meaning(text: &[u8]) -> Option<toml::Value> {
    let mut value: toml::Value = toml::from_str(std::str::from_utf8(text).ok()?).ok()?;
    for net in value.get_mut("net").and_then(toml::Value::as_array_mut).into_iter().flatten() {
        net.as_table_mut()?.remove("tool");
    }
    Some(value)
}

#[test]
fn a_flipped_bit_in_the_lock_is_an_error_or_a_difference() {
    let (folder, expected) = project();
    let folder = folder.path();
    let path = folder.join("nnue.lock");
    let good = std::fs::read(&path).unwrap();
    let mut random = SplitMix::new(5);
    let (mut damaged, mut different, mut same) = (0, 0, 0);
    for number in 0..80 {
        let bit = bit(&path, &mut random, number);
        let context = format!("bit {bit} of the lock");
        flip_bit(&path, bit);
        let flipped = std::fs::read(&path).unwrap();
        let locked = nnue(folder, ["build", "--locked"]);
        assert_eq!(std::fs::read(&path).unwrap(), flipped, "{context}");
        let built = nnue(folder, ["build", "--json"]);
        if meaning(&flipped) == meaning(&good) {
            assert_eq!((locked.code, built.code), (0, 0), "{context}: {}", locked.transcript());
            same += 1;
        } else if built.code == 0 {
            assert_eq!(locked.code, 3, "{context}: {}", locked.transcript());
            assert_eq!(std::fs::read(&path).unwrap(), good, "{context}");
            different += 1;
        } else {
            assert_eq!((locked.code, built.code), (2, 2), "{context}: {}", built.transcript());
            assert!(
                built.err.contains("nnue.lock` is not a valid lock file") && built.err.contains("help:"),
                "{context}: {}",
                built.transcript()
            );
            assert_eq!(std::fs::read(&path).unwrap(), flipped, "{context}: a damaged lock stays for whoever has to look at it");
            damaged += 1;
        }
        std::fs::write(&path, &good).unwrap();
    }
    assert_eq!(published(folder), expected);
    println!("bits flipped in the lock: {damaged} damage, {different} differences, {same} in comments and the program's version");
    assert!(damaged > 0 && different > 0);
}
