//! Builds beside each other and beside `gc`: no deadlock, no wrong byte, nothing expensive done twice.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::project::{self, MANIFEST, assert_ok, assert_published, command, forget, make, published, ran, start, temporary, wait_all};
use nnue::internals::random::SplitMix;

#[test]
fn eight_neighbours_build_one_manifest_with_the_same_bytes_and_run_each_search_once() {
    const ROUNDS: u64 = 50;
    const NEIGHBOURS: usize = 8;
    let folder = tempfile::tempdir().unwrap();
    let (path, alone) = (folder.path().join("together"), folder.path().join("alone"));
    [&path, &alone].into_iter().for_each(|path| make(path));
    let (mut runs, mut cached) = (0, 0);
    let mut seen = std::collections::BTreeSet::new();
    for round in 0..ROUNDS {
        let manifest = MANIFEST.replace("positions = 150", &format!("positions = 150\nseed = {round}"));
        let manifest = manifest.replace("[net.big]", &format!("[net.big]\ndescription = \"round {round}\""));
        [&path, &alone].into_iter().for_each(|path| std::fs::write(path.join("nnue.toml"), &manifest).unwrap());
        // Every few rounds from nothing: then everything, the folders too, is made by all of them at once.
        if round % 10 == 9 {
            forget(&path, round / 10);
        }
        forget(&alone, 1);
        let expected = project::build(&alone);
        seen.insert(expected["./latest.nnue"].clone());
        let children = (0..NEIGHBOURS).map(|_| start(&path, &["build", "--json"])).collect();
        let mut expensive = Vec::new();
        for output in wait_all(children, &format!("round {round}")) {
            assert_ok(&output);
            let err = String::from_utf8_lossy(&output.stderr);
            assert!(!err.contains("corrupt") && !err.contains("missing"), "round {round}: {err}");
            let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
            expensive.extend(ran(&report).into_iter().map(|(_, stage, _)| stage).filter(|stage| stage == "gather" || stage == "search"));
            cached += report["nets"][0]["stages"].as_array().unwrap().iter().filter(|stage| stage["status"] == "cached").count();
        }
        expensive.sort();
        assert_eq!(expensive, ["gather", "search"], "round {round}: each once");
        runs += expensive.len();
        assert_published(&path, &expected, &format!("round {round}"));
        assert_eq!(temporary(&path), Vec::<PathBuf>::new());
    }
    assert_eq!(seen.len() as u64, ROUNDS, "the rounds differ");
    println!("rounds: {ROUNDS}, builds: {}, gather and search ran: {runs}, stages taken from neighbours: {cached}", ROUNDS * 8);
}

#[test]
fn builds_go_on_when_neighbours_are_killed() {
    const ROUNDS: u64 = 25;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    make(path);
    let expected = project::build(path);
    let allowed = project::allowed(&[&expected]);
    let mut random = SplitMix::new(6);
    let mut killed = 0;
    for round in 0..ROUNDS {
        forget(path, round % 3);
        let mut victims = [start(path, &["build", "--force"]), start(path, &["build"])];
        let others = (0..3).map(|_| start(path, &["build"])).collect();
        for victim in &mut victims {
            std::thread::sleep(Duration::from_micros(random.next_u64() % 40_000));
            victim.kill().unwrap();
            killed += u32::from(!victim.wait().unwrap().success());
        }
        wait_all(others, &format!("round {round}")).iter().for_each(assert_ok);
        assert_published(path, &expected, &format!("round {round}"));
        project::assert_whole(path, &allowed, &format!("round {round}"));
    }
    println!("rounds: {ROUNDS}, killed: {killed}, leftovers swept: {}", project::sweep(path));
    assert!(killed > 0);
}

#[test]
fn builds_go_on_beside_a_collector_that_takes_everything() {
    const BUILDERS: usize = 3;
    const BUILDS: usize = 12;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    make(path);
    let expected = project::build(path);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let collector = scope.spawn(|| {
            let mut runs = 0;
            while !done.load(Ordering::Relaxed) {
                // The manifest's needs are what keeps a result: without them everything goes.
                let _ = std::fs::remove_dir_all(path.join(".nnue/cache/v1/roots"));
                let args = ["cache", "gc", "--unreachable", "--max-size", "0", "--grace", "0s", "--lock-timeout", "100s"];
                assert_ok(&command(path, &args).output().unwrap());
                runs += 1;
            }
            runs
        });
        let builds: Vec<_> = (0..BUILDERS)
            .map(|which| {
                let expected = &expected;
                scope.spawn(move || {
                    for round in 0..BUILDS {
                        let args: &[&str] = if (which + round) % 2 == 0 {
                            &["build", "--force", "--lock-timeout", "100s"]
                        } else {
                            &["build", "--lock-timeout", "100s"]
                        };
                        assert_ok(&command(path, args).output().unwrap());
                        assert_published(path, expected, &format!("builder {which}, build {round}"));
                    }
                })
            })
            .collect();
        let ended: Vec<_> = builds.into_iter().map(|build| build.join()).collect();
        done.store(true, Ordering::Relaxed);
        let collections = collector.join().unwrap();
        println!("builds: {}, collections beside them: {collections}", BUILDERS * BUILDS);
        assert!(collections > 0);
        assert!(ended.iter().all(Result::is_ok));
    });
    assert_eq!(published(path), expected);
    assert_eq!(temporary(path), Vec::<PathBuf>::new());
}

#[test]
fn builds_of_different_nets_at_the_same_time_are_all_locked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    make(path);
    assert_ok(&start(path, &["build"]).wait_with_output().unwrap());
    let lock = std::fs::read(path.join("nnue.lock")).unwrap();
    for round in 0..8 {
        forget(path, if round % 2 == 0 { 1 } else { 2 });
        let _ = std::fs::remove_file(path.join("nnue.lock"));
        let children = [start(path, &["build", "big"]), start(path, &["build", "plain"])];
        children.into_iter().for_each(|child| assert_ok(&child.wait_with_output().unwrap()));
        assert_eq!(std::fs::read(path.join("nnue.lock")).unwrap(), lock, "round {round}");
    }
}
