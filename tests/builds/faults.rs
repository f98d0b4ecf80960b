//! File operations of the real binary that fail, fall short, or are its last: each build gives the right bytes or says what is wrong, and
//! the next one is as if nothing had been.
//!
//! A library of the test's own (`tests/builds/faults.c`) stands between the binary and the C library and lets one call go wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::cli_support;
use crate::common;
use crate::project::{
    self, Allowed, MANIFEST, Published, allowed, assert_ok, assert_published, assert_whole, command, copy, other_manifest, temporary,
};
use nnue::internals::random::SplitMix;

const EINTR: i32 = 4;
const EIO: i32 = 5;
const ENOMEM: i32 = 12;
const EACCES: i32 = 13;
const EMFILE: i32 = 24;
const ENOSPC: i32 = 28;
const EROFS: i32 = 30;
const EDQUOT: i32 = 122;

/// Beyond the usual nets: one with a permutation file, one that reads and writes floats.
const MORE: &str = r#"
[net.permuted]
source = "run"
permutation = "perm.npy"
outputs = ["plain/permuted.nnue"]
[source.weights]
path = "weights.safetensors"
quantization = "ft127"
[net.float]
source = "weights"
outputs = ["plain/float.nnue", "plain/float.npz"]
"#;

/// The library, and projects in every state that a build may find.
pub(super) struct Setup {
    pub(super) folder: tempfile::TempDir,
    pub(super) expected: Published,
    allowed: Allowed,
}

/// Nothing was built; only the cache is left; other bytes were built; everything is up to date.
pub(super) const STATES: [&str; 4] = ["first", "cached", "changed", "fresh"];

/// One call that goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) state: &'static str,
    pub(super) operation: String,
    /// Number among the calls of this operation, from 1.
    pub(super) at: usize,
    /// An error's number, `short`, `kill`, `cut` or `wait`.
    pub(super) how: String,
    /// From then on all calls of this operation.
    pub(super) stays: bool,
    /// Part of the path of the calls that count; of all where it is empty.
    pub(super) path: &'static str,
}

pub(super) struct Outcome {
    pub(super) code: Option<i32>,
    pub(super) err: String,
    /// Operation and path of each call.
    pub(super) calls: Vec<(String, String)>,
    /// Those that went wrong.
    pub(super) hits: Vec<(String, String)>,
    /// Calls behind the first that went wrong.
    pub(super) after: Vec<(String, String)>,
}

impl Setup {
    /// `None`, with the reason printed, where there is no C compiler. In CI there is one: Rust links with it.
    pub(super) fn new() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let library = folder.path().join("faults.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/builds/faults.c");
        let compiled = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source).arg("-ldl").output();
        if !compiled.as_ref().is_ok_and(|output| output.status.success()) {
            assert!(std::env::var_os("CI").is_none(), "cc cannot make a library: {compiled:?}");
            println!("skipped: cc cannot make a library: {compiled:?}");
            return None;
        }
        let place = |state: &str| folder.path().join(state);
        let (first, fresh) = (place("first"), place("fresh"));
        project::make(&first);
        // As small as nets get: there are more than a thousand builds to come.
        cli_support::write_net(&first.join("run.nnue"), "small", 16, 5);
        let manifest = format!("{MANIFEST}{MORE}");
        project::write_permutation(&first.join("perm.npy"), (0..8).rev());
        std::fs::write(
            first.join("nnue.toml"),
            "version = 1\n[source.run]\npath = \"run.nnue\"\nquantization = \"ft127\"\n[net.weights]\nsource = \"run\"\noutputs = [\"weights.safetensors\"]\n",
        )
        .unwrap();
        assert_ok(&command(&first, &["build"]).output().unwrap());
        std::fs::remove_dir_all(first.join(".nnue")).unwrap();
        std::fs::remove_file(first.join("nnue.lock")).unwrap();
        std::fs::write(first.join("nnue.toml"), &manifest).unwrap();

        copy(&first, &fresh);
        let expected = project::build(&fresh);
        let cached = place("cached");
        copy(&fresh, &cached);
        project::forget(&cached, 2);
        std::fs::remove_dir_all(cached.join(".nnue/state")).unwrap();
        std::fs::remove_file(cached.join("nnue.lock")).unwrap();
        let changed = place("changed");
        copy(&first, &changed);
        std::fs::write(changed.join("nnue.toml"), format!("{}{MORE}", other_manifest())).unwrap();
        let other = project::build(&changed);
        std::fs::write(changed.join("nnue.toml"), manifest).unwrap();
        let allowed = allowed(&[&expected, &other]);
        Some(Self { folder, expected, allowed })
    }

    /// Builds in a fresh copy of the state at `place`, on one thread: its calls come in one order.
    fn run(&self, place: &Path, state: &str, fault: Option<&Fault>) -> Outcome {
        self.run_with(place, state, &["build", "-j1", "--lock-timeout", "20s"], fault, |_| {})
    }

    /// Runs any command so; `meanwhile` is called with its number when a fault of the kind `wait` holds it.
    pub(super) fn run_with(&self, place: &Path, state: &str, args: &[&str], fault: Option<&Fault>, meanwhile: impl FnOnce(u32)) -> Outcome {
        let _ = std::fs::remove_dir_all(place);
        copy(&self.folder.path().join(state), place);
        let log = place.with_extension("log");
        let _ = std::fs::remove_file(&log);
        let held = place.with_extension("held");
        let _ = std::fs::remove_file(&held);
        let mut command = command(place, args);
        command
            // Nobody looks at it, and a pipe that is full holds who writes.
            .stdout(std::process::Stdio::null())
            .env("FAULT_WAIT", &held)
            .env("LD_PRELOAD", self.folder.path().join("faults.so"))
            .env("FAULT_ROOT", place)
            .env("FAULT_LOG", &log);
        if let Some(fault) = fault {
            command.env("FAULT_AT", fault.at.to_string()).env("FAULT_ONLY", &fault.operation).env("FAULT_HOW", &fault.how);
            if fault.stays {
                command.env("FAULT_STAYS", "1");
            }
            if !fault.path.is_empty() {
                command.env("FAULT_PATH", fault.path);
            }
        }
        let mut child = command.spawn().unwrap();
        if fault.is_some_and(|fault| fault.how == "wait") {
            let is_held = || std::fs::metadata(&held).is_ok_and(|metadata| metadata.len() > 0);
            while !is_held() && child.try_wait().unwrap().is_none() {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            meanwhile(child.id());
            let _ = std::fs::remove_file(&held);
        }
        let output = child.wait_with_output().unwrap();
        let text = std::fs::read_to_string(&log).unwrap();
        let calls = text.lines().filter_map(|line| line.split_once(' ')).map(|(name, path)| (name.to_owned(), path.to_owned()));
        let after = calls.clone().skip_while(|(name, _)| !name.starts_with('!')).skip(1).collect();
        let (hits, calls): (Vec<_>, Vec<_>) = calls.partition(|(name, _)| name.starts_with('!'));
        let hits = hits.into_iter().map(|(name, path)| (name[1..].to_owned(), path)).collect();
        let signal = output.status.signal();
        let is_expected =
            signal.is_none_or(|signal| signal == 9 || (matches!(signal, 2 | 15) && fault.is_some_and(|fault| fault.how == "wait")));
        assert!(is_expected, "{fault:?}: {:?}", output.status);
        Outcome { code: output.status.code(), err: String::from_utf8(output.stderr).unwrap(), calls, hits, after }
    }

    /// The calls of each state's build.
    pub(super) fn calls(&self) -> Vec<(&'static str, Vec<(String, String)>)> {
        let place = self.folder.path().join("count");
        STATES
            .iter()
            .map(|state| {
                let outcome = self.run(&place, state, None);
                assert_eq!(outcome.code, Some(0), "{}", outcome.err);
                assert_eq!(outcome.err.matches("warning").count(), 0, "{}", outcome.err);
                assert_published(&place, &self.expected, state);
                assert!(outcome.calls.len() > 50, "the library sees the calls: {:?}", outcome.calls);
                (*state, outcome.calls)
            })
            .collect()
    }

    /// Runs `check` for all faults, on two threads, each with a place of its own; tells of all that do not hold.
    #[track_caller]
    pub(super) fn for_all(&self, faults: &[Fault], check: impl Fn(&Path, &Fault) + Sync) {
        let next = AtomicUsize::new(0);
        let failed = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for worker in 0..2 {
                let (next, failed, check) = (&next, &failed, &check);
                scope.spawn(move || {
                    let place = self.folder.path().join(format!("work{worker}"));
                    while let Some(fault) = faults.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check(&place, fault)));
                        failed.fetch_add(usize::from(caught.is_err()), Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(failed.into_inner(), 0, "of {} faults, see above", faults.len());
    }

    /// The next build is as if nothing had been.
    pub(super) fn assert_recovers(&self, place: &Path, context: &str) {
        assert_whole(place, &self.allowed, context);
        let next = command(place, &["build"]).output().unwrap();
        let err = String::from_utf8_lossy(&next.stderr);
        assert!(next.status.success() && !err.contains("corrupt"), "{context}: the next build: {err}");
        assert_published(place, &self.expected, context);
    }
}

/// What can go wrong with an operation: the table of system calls and errors. A call that was interrupted is only so once; who tries again
/// without an end would do so here.
fn ways(operation: &str) -> Vec<String> {
    let errors: &[i32] = match operation {
        "write" => &[EIO, EACCES, ENOSPC, EDQUOT, EROFS, EINTR],
        "create" | "mkdir" => &[EIO, EACCES, ENOSPC, EDQUOT, EROFS, EMFILE, EINTR],
        "rename" | "unlink" | "chmod" | "touch" | "truncate" => &[EIO, EACCES, ENOSPC, EDQUOT, EROFS, EINTR],
        "sync" => &[EIO, ENOSPC, EDQUOT, EINTR],
        "read" => &[EIO, EINTR],
        "map" => &[EIO, ENOMEM],
        "open" | "list" => &[EIO, EACCES, EMFILE, EINTR],
        "lock" => &[EIO, EACCES, EINTR],
        _ => &[EIO, EACCES],
    };
    let short = matches!(operation, "read" | "write").then(|| "short".to_owned());
    errors.iter().map(i32::to_string).chain(short).collect()
}

/// A call's path without what differs from run to run and from file to file.
pub(super) fn class(path: &str) -> String {
    let parts = path.split('/').map(|part| match part {
        part if part.starts_with(".nnue-tmp-") => "TEMP",
        part if part.len() == 2 && part.chars().all(|c| c.is_ascii_hexdigit()) => "SHARD",
        part if part.len() > 60 => "HASH",
        part => part,
    });
    parts.collect::<Vec<_>>().join("/")
}

fn is_cache(path: &str) -> bool {
    path == ".nnue" || path.starts_with(".nnue/")
}

/// Whether a message that is to name `path` does. A temporary file is named by the file that it was to become, or by its folder.
fn names(err: &str, path: &str) -> bool {
    let path = Path::new(path);
    let name = path.file_name().unwrap_or_default().to_str().unwrap();
    let folder = path.parent().and_then(Path::file_name).unwrap_or_default().to_str().unwrap();
    match (name.starts_with(".nnue-tmp-"), folder) {
        (false, _) => err.contains(name),
        (true, "") => err.contains("`latest.nnue`") || err.contains("nnue.lock`"),
        (true, folder) => err.contains(folder),
    }
}

/// The verdict on one build with a fault.
fn check(setup: &Setup, place: &Path, fault: &Fault, count: &Mutex<BTreeMap<&'static str, usize>>) {
    let Outcome { code, err, hits, .. } = setup.run(place, fault.state, Some(fault));
    let context = format!("{fault:?} {hits:?} exit {code:?}\n{err}");
    let paths: BTreeSet<&str> = hits.iter().map(|(_, path)| path.as_str()).collect();
    assert!(!err.contains("panicked") && !err.contains("a bug in nnue"), "{context}");
    let verdict = if code == Some(0) {
        assert_published(place, &setup.expected, &context);
        if err.contains("warning:") { "succeeded with a warning" } else { "succeeded" }
    } else {
        assert!(!paths.iter().all(|path| is_cache(path)), "a fault of the cache fails the build: {context}");
        assert_ne!(fault.how, "short", "{context}");
        let of_manifest = paths.iter().any(|path| path.ends_with("nnue.toml"));
        assert!(code == Some(1) || (code == Some(2) && of_manifest), "{context}");
        assert!(paths.iter().any(|path| names(&err, path)), "the file is not named: {context}");
        assert!(err.contains("help:"), "it does not say what to do: {context}");
        "failed with a message"
    };
    *count.lock().unwrap().entry(if hits.is_empty() { "not met" } else { verdict }).or_default() += 1;
    if fault.operation != "unlink" {
        assert_eq!(temporary(place), Vec::<PathBuf>::new(), "{context}");
    }
    setup.assert_recovers(place, &context);
}

/// Every fault of the table at every call of every state, or a seeded part of them in which every call of every kind goes wrong in some way,
/// and every operation in every way.
fn faults(setup: &Setup, part: Option<usize>) -> Vec<Fault> {
    let mut random = SplitMix::new(3);
    let (mut needed, mut rest) = (Vec::new(), Vec::new());
    let (mut calls_seen, mut ways_seen) = (BTreeSet::new(), BTreeSet::new());
    for (state, calls) in setup.calls() {
        let mut numbers = BTreeMap::<String, usize>::new();
        for (operation, path) in calls {
            let at = numbers.entry(operation.clone()).or_default();
            *at += 1;
            let mut ways = ways(&operation);
            let some = (random.next_u64() % ways.len() as u64) as usize;
            ways.rotate_left(some);
            for how in ways {
                let is_new_call = calls_seen.insert((operation.clone(), class(&path)));
                let is_new = is_new_call | ways_seen.insert((operation.clone(), how.clone()));
                let stays = if how == EINTR.to_string() { &[false][..] } else { &[false, true] };
                for &stays in stays {
                    let fault = Fault { state, operation: operation.clone(), at: *at, how: how.clone(), stays, path: "" };
                    if is_new && !stays { needed.push(fault) } else { rest.push(fault) }
                }
            }
        }
    }
    let all = needed.len() + rest.len();
    println!("kinds of calls: {}, operations and what goes wrong with them: {}, faults in all: {all}", calls_seen.len(), ways_seen.len());
    while !rest.is_empty() && part.is_none_or(|part| needed.len() < all / part) {
        needed.push(rest.swap_remove((random.next_u64() % rest.len() as u64) as usize));
    }
    needed
}

fn campaign(part: Option<usize>) {
    let Some(setup) = Setup::new() else { return };
    let faults = faults(&setup, part);
    let count = Mutex::new(BTreeMap::new());
    setup.for_all(&faults, |place, fault| check(&setup, place, fault, &count));
    println!("faults injected: {}: {:?}", faults.len(), count.into_inner().unwrap());
}

#[test]
fn a_call_that_fails_or_falls_short_is_a_message_or_nothing() {
    campaign(Some(if std::env::var_os("CI").is_some() { 10 } else { 40 }));
}

#[test]
#[ignore = "all faults of the test above, an hour: cargo test --test builds faults:: -- --ignored --nocapture"]
fn every_call_that_fails_or_falls_short_is_a_message_or_nothing() {
    campaign(None);
}

#[test]
fn a_build_that_is_killed_at_any_call_leaves_nothing_half_done() {
    let Some(setup) = Setup::new() else { return };
    let mut faults = Vec::new();
    for (state, calls) in setup.calls() {
        for (operation, hows) in [
            ("create", &["kill"][..]),
            ("write", &["kill", "cut"]),
            ("sync", &["kill"]),
            ("rename", &["kill"]),
            ("unlink", &["kill"]),
            // Before these nothing is there that was not there before; once will do.
            ("mkdir", if state == "first" { &["kill"] } else { &[] }),
            ("lock", if state == "first" { &["kill"] } else { &[] }),
        ] {
            let all = calls.iter().filter(|(name, _)| name == operation).count();
            let fault = |at, how: &str| Fault { state, operation: operation.into(), at, how: how.into(), stays: false, path: "" };
            faults.extend((1..=all).flat_map(|at| hows.iter().map(move |how| fault(at, how))));
        }
    }
    let (killed, swept) = (AtomicUsize::new(0), AtomicUsize::new(0));
    setup.for_all(&faults, |place, fault| {
        let Outcome { code, hits, .. } = setup.run(place, fault.state, Some(fault));
        killed.fetch_add(usize::from(code.is_none()), Ordering::Relaxed);
        let context = format!("{fault:?} {hits:?}");
        setup.assert_recovers(place, &context);
        if !temporary(place).is_empty() {
            swept.fetch_add(project::sweep(place), Ordering::Relaxed);
        }
    });
    let (killed, swept) = (killed.into_inner(), swept.into_inner());
    println!("builds to be killed: {}, killed: {killed}, leftovers swept: {swept}", faults.len());
    assert!(killed > faults.len() / 2 && swept > 0);
}

/// A disk that is broken for good, below one folder or for one file.
#[test]
fn a_cache_that_is_broken_for_good_is_a_warning_and_an_input_is_an_error() {
    let Some(setup) = Setup::new() else { return };
    let place = setup.folder.path().join("broken");
    let broken = |state, operation: &str, how: i32, path| {
        let fault = Fault { state, operation: operation.into(), at: 1, how: how.to_string(), stays: true, path };
        let outcome = setup.run(&place, state, Some(&fault));
        let context = format!("{fault:?}\n{}", outcome.err);
        assert!(!outcome.hits.is_empty(), "{context}");
        (outcome, context)
    };
    for state in STATES {
        for (operation, how, said) in [
            ("open,read,map,list", EIO, None),
            ("create,write,rename,mkdir", ENOSPC, Some("not stored in the cache")),
            ("create,write,rename,mkdir,lock", EACCES, Some("not stored in the cache")),
            ("open,create,read,write,rename,mkdir,lock,map,list,stat,unlink", EIO, None),
        ] {
            if state == "fresh" && said.is_some() {
                // Nothing is to be stored.
                continue;
            }
            let (outcome, context) = broken(state, operation, how, ".nnue");
            assert!(!outcome.hits.iter().any(|(_, path)| !path.contains(".nnue")), "{context}");
            // Temporary files of outputs have such names, too.
            if outcome.hits.iter().all(|(_, path)| is_cache(path)) {
                assert_eq!(outcome.code, Some(0), "{context}");
                assert_published(&place, &setup.expected, &context);
                assert!(outcome.err.contains("warning:"), "{context}");
                assert!(said.is_none_or(|said| outcome.err.matches(said).count() == 1), "{context}");
            }
            setup.assert_recovers(&place, &context);
            let (outcome, context) = broken(state, operation, how, ".nnue/cache");
            assert_eq!(outcome.code, Some(0), "{context}");
            assert_published(&place, &setup.expected, &context);
            setup.assert_recovers(&place, &context);
        }
        for input in ["run.nnue", "positions.fen", "perm.npy", "weights.safetensors"] {
            for how in [EIO, EACCES] {
                let (outcome, context) = broken(state, "open,read", how, input);
                assert_eq!(outcome.code, Some(1), "{context}");
                assert!(outcome.err.contains(input) && outcome.err.contains("help:"), "{context}");
                setup.assert_recovers(&place, &context);
            }
        }
    }
}

#[test]
fn a_collection_that_is_killed_or_fails_leaves_a_cache_that_serves() {
    let Some(setup) = Setup::new() else { return };
    let args = ["cache", "gc", "--unreachable", "--max-size", "0", "--grace", "0s"];
    let roots = setup.folder.path().join("fresh/.nnue/cache/v1/roots");
    std::fs::remove_dir_all(roots).unwrap();
    let counted = setup.run_with(&setup.folder.path().join("count"), "fresh", &args, None, |_| {});
    let mut faults = Vec::new();
    for operation in ["unlink", "list", "open", "read", "lock"] {
        let all = counted.calls.iter().filter(|(name, _)| name == operation).count();
        let hows: &[&str] = if operation == "unlink" { &["kill", "5", "13"] } else { &["5"] };
        faults.extend((1..=all).flat_map(|at| {
            hows.iter().map(move |how| Fault {
                state: "fresh",
                operation: operation.into(),
                at,
                how: (*how).into(),
                stays: false,
                path: "",
            })
        }));
    }
    setup.for_all(&faults, |place, fault| {
        let outcome = setup.run_with(place, fault.state, &args, Some(fault), |_| {});
        let context = format!("{fault:?} {:?} {:?}\n{}", outcome.hits, outcome.code, outcome.err);
        assert!(!outcome.err.contains("panicked") && matches!(outcome.code, None | Some(0 | 1)), "{context}");
        assert!(outcome.code != Some(1) || outcome.err.contains("help:"), "{context}");
        setup.assert_recovers(place, &context);
    });
    println!("collections disturbed: {}", faults.len());
    assert!(faults.len() > 20);
}

#[test]
fn a_lock_never_tells_of_other_inputs_than_the_outputs_were_made_from() {
    let Some(setup) = Setup::new() else { return };
    let place = setup.folder.path().join("edited");
    let other = setup.folder.path().join("other.nnue");
    let bytes = cli_support::write_net(&other, "small", 16, 77);
    // What belongs together: the source's digest, and the lock of a build of it alone.
    let source = |bytes: &[u8]| common::sha256(bytes);
    let first = setup.folder.path().join("first");
    copy(&first, &place);
    std::fs::write(place.join("run.nnue"), &bytes).unwrap();
    let locks = [
        (source(&std::fs::read(first.join("run.nnue")).unwrap()), setup.expected["./nnue.lock"].clone()),
        (source(&bytes), project::build(&place)["./nnue.lock"].clone()),
    ];
    let (mut edits, mut refused) = (0, 0);
    for state in ["first", "fresh", "changed"] {
        if state == "fresh" {
            // Nothing but the lock is to be done.
            std::fs::remove_file(setup.folder.path().join("fresh/nnue.lock")).unwrap();
        }
        for at in 1.. {
            let fault = Fault { state, operation: "open".into(), at, how: "wait".into(), stays: false, path: "run.nnue" };
            let args = ["build", "-j1"];
            let outcome = setup.run_with(&place, state, &args, Some(&fault), |_| std::fs::write(place.join("run.nnue"), &bytes).unwrap());
            if outcome.hits.is_empty() {
                break;
            }
            let context = format!("{fault:?} exit {:?}\n{}", outcome.code, outcome.err);
            edits += 1;
            assert!(matches!(outcome.code, Some(0 | 1)), "{context}");
            if outcome.code == Some(1) {
                assert!(outcome.err.contains("changed") && outcome.err.contains("help:"), "{context}");
                refused += 1;
            }
            // Each net's block, if there is one, is that of one content or of the other, or was there before.
            let before = std::fs::read_to_string(setup.folder.path().join(state).join("nnue.lock")).unwrap_or_default();
            let lock = std::fs::read_to_string(place.join("nnue.lock")).unwrap_or_default();
            let known: BTreeSet<&str> = locks.iter().flat_map(|(_, lock)| project::blocks(lock)).chain(project::blocks(&before)).collect();
            assert!(lock.is_empty() || project::blocks(&lock).all(|block| known.contains(block)), "{context}\n{lock}");
            assert_ok(&command(&place, &["build"]).output().unwrap());
            assert_eq!(std::fs::read_to_string(place.join("nnue.lock")).unwrap(), locks[1].1, "{context}");
        }
    }
    println!("edits during a build: {edits}, refused: {refused}");
    assert!(refused > 0 && locks[0].0 != locks[1].0);
}

/// As many nets as there are workers wait for a disk that takes its time: the one behind them is computed and published meanwhile.
#[test]
fn nets_that_wait_for_the_disk_keep_no_other_from_its_work() {
    let Some(setup) = Setup::new() else { return };
    let state = setup.folder.path().join("disks");
    std::fs::create_dir(&state).unwrap();
    std::fs::copy(setup.folder.path().join("first/run.nnue"), state.join("run.nnue")).unwrap();
    let nets = ["slow/a", "slow/b", "quick/c"].map(|output| {
        let name = &output[output.len() - 1..];
        format!("[net.{name}]\nsource = \"run.nnue\"\noutputs = [\"{output}.nnue\"]\n")
    });
    std::fs::write(state.join("nnue.toml"), format!("version = 1\n{}", nets.concat())).unwrap();
    let place = setup.folder.path().join("work");
    let fault = Fault { state: "disks", operation: "sync".into(), at: 1, how: "wait".into(), stays: true, path: "slow" };
    let outcome = setup.run_with(&place, "disks", &["build", "-j2"], Some(&fault), |_| {
        let begin = std::time::Instant::now();
        while !place.join("quick/c.nnue").exists() {
            assert!(begin.elapsed() < std::time::Duration::from_secs(60), "it waits for the disk of the others");
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        for name in ["slow/a.nnue", "slow/b.nnue"] {
            assert!(!place.join(name).exists(), "{name} is not on the disk and has its name");
        }
    });
    assert_eq!((outcome.code, outcome.hits.len()), (Some(0), 4), "{}\n{:?}", outcome.err, outcome.hits);
    for name in ["slow/a.nnue", "slow/b.nnue", "quick/c.nnue"] {
        assert!(place.join(name).exists(), "{name}");
    }
}
