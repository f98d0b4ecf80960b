//! What the system tells the program at any moment: to end, that memory is over, that a mapped file is no more. It ends in an orderly way at
//! the first word, never hangs, and never takes for a file's bytes what was none of them.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::cli_support::{Ran, names, write_net};
use crate::faults::{Fault, Setup, class};
use crate::project::{self, assert_ok, command, copy, wait_all};
use nnue::internals::random::SplitMix;

fn is_output(path: &str) -> bool {
    path.starts_with("dist") || path.starts_with("plain") || path == "latest.nnue"
}

/// Whether a process has ended, waited for or not.
fn is_over(process: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{process}/stat")) else { return true };
    stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z'))
}

/// One SIGTERM while the build stands in a call: at every one in the nightly run, at each kind and a seeded part of the others in CI. Of
/// every second call nothing ever comes: so the work cannot look whether it is to end, and does nothing more either.
fn terminate(sample: Option<usize>) {
    let Some(setup) = Setup::new() else { return };
    let (mut faults, mut rest, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (state, calls) in setup.calls() {
        let mut numbers = std::collections::BTreeMap::<String, usize>::new();
        for (operation, path) in calls {
            let at = numbers.entry(operation.clone()).or_default();
            *at += 1;
            let fault = Fault { state, operation: operation.clone(), at: *at, how: "wait".into(), stays: false, path: "" };
            if seen.insert((operation, class(&path))) { faults.push(fault) } else { rest.push(fault) }
        }
    }
    let mut random = SplitMix::new(8);
    while !rest.is_empty() && sample.is_none_or(|sample| faults.len() < sample) {
        faults.push(rest.swap_remove((random.next_u64() % rest.len() as u64) as usize));
    }
    let (counts, missed) = ([const { AtomicUsize::new(0) }; 4], AtomicUsize::new(0));
    setup.for_all(&faults, |place, fault| {
        let is_for_ever = fault.at.is_multiple_of(2);
        let outcome = setup.run_with(place, fault.state, &["build", "-j1"], Some(fault), |process| {
            // It may have ended without such a call: the number of some differs from run to run.
            let is_told = Command::new("kill").arg(process.to_string()).stderr(std::process::Stdio::null()).status().unwrap().success();
            if is_told && is_for_ever {
                let begin = Instant::now();
                while !is_over(process) && begin.elapsed() < Duration::from_secs(120) {
                    std::thread::sleep(Duration::from_millis(2));
                }
                assert!(is_over(process), "{fault:?}: it goes on");
            }
            // The flag is set by a thread that the signal wakes.
            std::thread::sleep(Duration::from_millis(30));
        });
        let context = format!("{fault:?} {:?} {:?}\n{}", outcome.hits, outcome.code, outcome.err);
        if outcome.hits.is_empty() {
            assert_eq!(outcome.code, Some(0), "{context}");
            missed.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let index = match outcome.code {
            // Before there is work that could be stopped it ends as any process does.
            None => 0,
            Some(130) if is_for_ever => 1,
            Some(130) => 2,
            // All was done but for what a build says of itself: no output is begun any more.
            Some(0) if !is_for_ever => {
                let begun = outcome.after.iter().filter(|(name, path)| name == "create" && is_output(path));
                assert_eq!(begun.count(), 0, "{context}");
                3
            }
            _ => panic!("{context}"),
        };
        counts[index].fetch_add(1, Ordering::Relaxed);
        if outcome.code.is_some() {
            assert!(outcome.code == Some(0) || outcome.err.contains("interrupted"), "{context}");
            assert!(project::temporary(place).is_empty(), "{context}");
        }
        setup.assert_recovers(place, &context);
    });
    let [before, held, orderly, done] = counts.map(AtomicUsize::into_inner);
    let all = faults.len() - missed.into_inner();
    println!(
        "builds told to end: {all}: in calls that never return {held}, in others {orderly}, with nothing left to do {done}, before there was work {before}"
    );
    assert!(held > all / 4 && orderly > all / 8, "{held} {orderly}");
}

#[test]
fn the_first_word_ends_a_build_wherever_it_is() {
    terminate(Some(150));
}

#[test]
#[ignore = "every call of the test above: cargo test --test builds signals:: -- --ignored --nocapture"]
fn the_first_word_ends_a_build_at_every_call() {
    terminate(None);
}

/// Commands that read: one word while a file is opened, read or mapped that never comes. None leaves a file or prints a result.
#[test]
fn the_first_word_ends_every_command_that_reads() {
    let Some(setup) = Setup::new() else { return };
    let state = setup.folder.path().join("read");
    copy(&setup.folder.path().join("first"), &state);
    write_net(&state.join("large.nnue"), "small", 128, 5);
    let before = names(&state);
    let place = setup.folder.path().join("told");
    // What a shell starts in the background ignores Ctrl-C from the beginning, and so does what that starts, until it has a handler.
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let ignored = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok()).unwrap();
    let word = if ignored & 1 << (2 - 1) == 0 { "-INT" } else { "-TERM" };
    let mut told = 0;
    for (file, args) in [
        ("large.nnue", &["inspect", "large.nnue"][..]),
        ("large.nnue", &["convert", "large.nnue", "new.nnue"]),
        ("large.nnue", &["convert", "large.nnue", "new.npz", "--quantization", "ft127"]),
        ("large.nnue", &["diff", "large.nnue", "run.nnue"]),
        ("large.nnue", &["eval", "large.nnue", "--quantization", "ft127", "--data", "positions.fen"]),
        ("positions.fen", &["eval", "run.nnue", "--quantization", "ft127", "--data", "positions.fen"]),
        ("weights.safetensors", &["inspect", "weights.safetensors"]),
        ("new.n", &["convert", "large.nnue", "new.nnue"]),
        (".nnue-tmp-", &["convert", "large.nnue", "new.nnue"]),
    ] {
        let is_output = file.contains("new") || file.contains("tmp");
        let operations: &[&str] = if is_output { &["create", "write", "sync", "rename"] } else { &["open", "read", "map"] };
        for operation in operations {
            let fault = Fault { state: "read", operation: (*operation).into(), at: 1, how: "wait".into(), stays: false, path: file };
            let outcome = setup.run_with(&place, "read", args, Some(&fault), |process| {
                let _ = Command::new("kill").args([word, &process.to_string()]).stderr(std::process::Stdio::null()).status().unwrap();
                let begin = Instant::now();
                while !is_over(process) && begin.elapsed() < Duration::from_secs(120) {
                    std::thread::sleep(Duration::from_millis(2));
                }
            });
            if outcome.hits.is_empty() {
                continue;
            }
            let context = format!("{args:?} {fault:?} {:?} {:?}\n{}", outcome.hits, outcome.code, outcome.err);
            told += 1;
            // Before there is work that could be stopped it ends as any process does.
            assert!(outcome.code == Some(130) || (outcome.code.is_none() && !is_output), "{context}");
            assert!(outcome.code.is_none() || outcome.err.contains("interrupted"), "{context}");
            assert_eq!(names(&place), before, "{context}");
        }
    }
    println!("commands told to end in a call that never returns: {told}");
    assert!(told > 12, "{told}");
}

/// Where memory ends, the process does: with `RUST_BACKTRACE` set, too, which asks for memory once more. The next build finds no lock held
/// and nothing half done.
#[test]
fn a_build_without_memory_ends() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("project");
    project::make(&path);
    let expected = project::build(&path);
    let limited = |kib: u64, backtrace: &str| {
        project::forget(&path, 1);
        let mut command = Command::new("sh");
        command
            .current_dir(&path)
            .args(["-c", &format!("ulimit -v {kib} && exec \"$0\" build -j1")])
            .arg(assert_cmd::cargo::cargo_bin!("nnue"))
            .env("RUST_BACKTRACE", backtrace)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        wait_all(vec![command.spawn().unwrap()], &format!("{kib} KiB of memory, RUST_BACKTRACE={backtrace}")).remove(0)
    };
    // From what is too little to begin with to what is enough.
    let enough = (14..).find(|power| limited(1 << power, "0").status.success()).unwrap();
    let (most, mut ended) = (1u64 << enough, 0);
    for part in 1..12 {
        for backtrace in ["0", "1"] {
            let output = limited(most * part / 12, backtrace);
            ended += u32::from(!output.status.success());
        }
        project::build(&path);
        project::assert_published(&path, &expected, &format!("after {part}/12 of {most} KiB"));
    }
    println!("builds without enough memory: {ended}");
    assert!(ended > 5, "{ended}");
}

/// A large source that another program cuts off in place, just when it is mapped: every command says so, and none leaves a file or a result.
#[test]
fn a_mapped_file_that_is_cut_off_is_an_error() {
    let Some(setup) = Setup::new() else { return };
    // A state of its own, with files that are mapped.
    let state = setup.folder.path().join("large");
    copy(&setup.folder.path().join("first"), &state);
    write_net(&state.join("run.nnue"), "small", 128, 5);
    std::fs::copy(state.join("run.nnue"), state.join("other.nnue")).unwrap();
    project::write_permutation(&state.join("perm.npy"), (0..64).rev());
    let manifest = "version = 1\n[source.run]\npath = \"run.nnue\"\nquantization = \"ft127\"\n[net.big]\nsource = \"run\"\noutputs = [\"big.nnue\", \"big.npz\"]\n";
    std::fs::write(state.join("nnue.toml"), manifest).unwrap();
    assert_ok(&command(&state, &["convert", "run.nnue", "run.pt", "--quantization", "ft127"]).output().unwrap());
    let before = names(&state);
    let place = setup.folder.path().join("cut");
    let (mut cuts, mut told) = (0, 0);
    for (source, args) in [
        ("run.nnue", &["inspect", "run.nnue"][..]),
        ("run.nnue", &["inspect", "run.nnue", "--json"]),
        ("run.nnue", &["convert", "run.nnue", "new.safetensors", "--quantization", "ft127"]),
        ("run.nnue", &["convert", "run.nnue", "new.nnue"]),
        ("run.nnue", &["diff", "run.nnue", "other.nnue"]),
        ("other.nnue", &["diff", "run.nnue", "other.nnue"]),
        ("run.nnue", &["eval", "run.nnue", "--quantization", "ft127", "--fen", project::START]),
        ("run.nnue", &["show", "run.nnue", "-o", "new.html"]),
        ("run.nnue", &["perm", "apply", "run.nnue", "perm.npy", "new.nnue"]),
        ("run.nnue", &["build", "-j1"]),
        ("run.pt", &["inspect", "run.pt"]),
        ("run.pt", &["convert", "run.pt", "new.nnue"]),
        ("run.pt", &["convert", "run.pt", "new.npz"]),
    ] {
        // To less than a page, in the middle, and before the last page.
        for keep in [7, 1_000_000, 1_400_000] {
            let fault = Fault { state: "large", operation: "map".into(), at: 1, how: "wait".into(), stays: false, path: source };
            let outcome = setup.run_with(&place, "large", args, Some(&fault), |_| {
                std::fs::File::options().write(true).open(place.join(source)).unwrap().set_len(keep).unwrap();
            });
            let context = format!("{args:?}, {source} cut to {keep}: {:?} {:?}\n{}", outcome.hits, outcome.code, outcome.err);
            assert!(!outcome.hits.is_empty(), "{context}");
            cuts += 1;
            assert_eq!(outcome.code, Some(1), "{context}");
            // Who opens the same file once more finds a short one.
            told += usize::from(outcome.err.contains(&format!("`{source}` was cut off while it was read")));
            assert!(outcome.err.contains(source), "{context}");
            let left: Vec<String> = names(&place).into_iter().filter(|name| name != ".nnue").collect();
            assert_eq!(left, before, "{context}");
            assert!(project::temporary(&place).is_empty(), "{context}");
        }
    }
    println!("mapped files cut off: {cuts}, of which {told} while the program was reading them");
    assert!(told > cuts / 3, "{told} of {cuts}");
}

/// Any other fault of memory is none of the above, and ends the process as ever.
#[test]
fn another_program_may_end_us_by_the_same_signal() {
    let folder = tempfile::tempdir().unwrap();
    project::make(folder.path());
    let endless = project::MANIFEST.replace("positions = 150", "positions = 150\nalgorithm = \"anneal\"\nmoves = 1_000_000_000_000");
    std::fs::write(folder.path().join("nnue.toml"), endless).unwrap();
    let child = command(folder.path(), &["build", "big"]).spawn().unwrap();
    let begun =
        |path: &Path| path.join(".nnue/cache/v1/cas").read_dir().is_ok_and(|mut shards| shards.any(|shard| shard.unwrap().path().is_dir()));
    while !begun(folder.path()) {
        std::thread::sleep(Duration::from_millis(2));
    }
    // The first ones are taken for the processor's: the instruction is tried again, with the handler from before, and succeeds.
    for _ in 0..3 {
        let _ = Command::new("kill").args(["-BUS", &child.id().to_string()]).status().unwrap();
        std::thread::sleep(Duration::from_millis(50));
    }
    let output = wait_all(vec![child], "a build that was sent SIGBUS").remove(0);
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&output.status), Some(7), "{output:?}");
    std::fs::write(folder.path().join("nnue.toml"), project::MANIFEST).unwrap();
    assert_eq!(Ran::of(command(folder.path(), &["build"]).output().unwrap()).code, 0);
}
