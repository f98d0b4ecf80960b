//! Builds in which nothing changed are told by the times of files alone: that this is done, and that no change is missed by it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::cli_support::{self, nnue, write_fens, write_net};
use crate::project::Project;
use crate::project::manifest;

const MANIFEST: &str = manifest!(
    r#"[net.big]
source = "run"
outputs = ["dist/", "latest.nnue"]
provenance = true
optimize = { data = "fens", positions = 100 }
[net."night-{stem}"]
source = { glob = "runs/**/*.nnue", quantization = "ft127" }
outputs = ["night/{stem}.nnue"]
"#
);

/// A project whose state is known to be unchanged.
fn settled() -> Project {
    let project = Project::empty().with_net("run.nnue", 32, 5).with_net("runs/a/one.nnue", 16, 6);
    let project = project.with_fens("positions.fen", 9, 300).with_manifest(MANIFEST);
    project.nnue(&["build"]).ok();
    settle(&project);
    project
}

fn proof(project: &Project) -> PathBuf {
    project.at(".nnue/state/unchanged.bin")
}

/// Builds until the files are old enough to be trusted.
fn settle(project: &Project) {
    let _ = fs::remove_file(proof(project));
    for _ in 0..200 {
        let ran = project.nnue(&["build"]).ok();
        assert_eq!(ran.out.matches("up to date").count(), ran.out.lines().filter(|line| !line.starts_with(' ')).count());
        // Behind magic, version and context: whether it tells of all nets.
        if fs::read(proof(project)).is_ok_and(|bytes| bytes.get(44) == Some(&1)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("files do not get old here");
}

fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let mut permissions = fs::metadata(path).unwrap().permissions();
    #[expect(clippy::permissions_set_readonly_false, reason = "the test's own file")]
    permissions.set_readonly(false);
    fs::set_permissions(path, permissions).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Some file below the folder.
fn any_file(folder: &Path) -> PathBuf {
    let entry = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).min().unwrap();
    if entry.is_dir() { any_file(&entry) } else { entry }
}

#[test]
fn what_is_unchanged_is_told_without_looking_into_it() {
    let project = settled();
    let full = project.nnue(&["build", "--paranoid"]).ok();
    // Nothing but the proof knows of the nets now; the manifest's text is not needed either.
    fs::remove_dir_all(project.path.join(".nnue/state/nets")).unwrap();
    for args in [&["build"][..], &["build", "--locked"], &["build", "--frozen"], &["build", "-j1"]] {
        let ran = project.nnue(args).ok();
        assert_eq!((ran.out.as_str(), ran.err.as_str()), (full.out.as_str(), ""));
    }
    assert!(!project.path.join(".nnue/state/nets").exists(), "the proof was taken");
    let report = project.nnue(&["build", "--json"]).ok().json();
    let status = project.nnue(&["status", "--json"]).ok().json();
    assert_eq!(report, status);
    fs::remove_file(proof(&project)).unwrap();
    let looked = project.nnue(&["build", "--json"]).ok().json();
    let facts = |report: &serde_json::Value| {
        let nets = report["nets"].as_array().unwrap().iter();
        nets.map(|net| (net["net"].clone(), net["outputs"].clone(), net["zero_blocks"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(facts(&report), facts(&looked), "with the proof and without");
    assert_eq!(report["nets"][0]["status"], "fresh");
    assert!(report["nets"][0]["stages"].as_array().unwrap().iter().all(|stage| stage["status"] == "fresh" && stage["key"].is_string()));
}

#[test]
fn every_change_is_seen() {
    let project = settled();
    let path = |name: &str| project.path.join(name);
    let keep = tempfile::tempdir().unwrap();
    let latest = fs::read(path("latest.nnue")).unwrap();
    let copy = |name: &str| assert!(fs::copy(path("run.nnue"), path(name)).unwrap() > 0);
    let swap = |name: &str, bytes: &[u8]| fs::write(path(name), bytes).unwrap();
    let other = write_net(&keep.path().join("other.nnue"), "small", 32, 77);
    // What is done, what the next build must say, on stdout or stderr.
    type Change<'a> = (&'a str, Box<dyn Fn() + 'a>, &'a str);
    let changes: Vec<Change<'_>> = vec![
        ("the source", Box::new(|| swap("run.nnue", &other)), "`run.nnue` changed"),
        ("the data", Box::new(|| write_fens(&path("positions.fen"), 10, 300)), "`positions.fen` changed"),
        ("an output is gone", Box::new(|| fs::remove_file(path("latest.nnue")).unwrap()), "`latest.nnue` is missing"),
        ("an output is another", Box::new(|| swap("latest.nnue", &latest[1..])), "`latest.nnue`"),
        ("a provenance is gone", Box::new(|| fs::remove_file(path("latest.nnue.provenance.json")).unwrap()), "latest.nnue.provenance.json"),
        ("a provenance is another", Box::new(|| flip(&path("latest.nnue.provenance.json"))), "latest.nnue.provenance.json"),
        ("a file for the sweep", Box::new(|| copy("runs/two.nnue")), "night-two: built"),
        ("a folder for the sweep", Box::new(|| fs::create_dir(path("runs/b")).unwrap()), "up to date"),
        ("a file in it", Box::new(|| copy("runs/b/three.nnue")), "night-three: built"),
        ("a record is damaged", Box::new(|| flip(&any_file(&path(".nnue/cache/v1/actions")))), "warning"),
        ("a blob is damaged", Box::new(|| flip(&any_file(&path(".nnue/cache/v1/cas")))), "warning"),
        ("the cache is gone", Box::new(|| fs::remove_dir_all(path(".nnue/cache")).unwrap()), "big: built"),
        ("the manifest", Box::new(|| swap("nnue.toml", MANIFEST.replace("100", "90").as_bytes())), "`positions` changed: 100 → 90"),
        ("a mistake in it", Box::new(|| swap("nnue.toml", MANIFEST.replace("100", "ninety").as_bytes())), "ninety"),
    ];
    for (what, change, expected) in changes {
        change();
        let ran = project.nnue(&["build"]);
        assert!(ran.out.contains(expected) || ran.err.contains(expected), "{what}: {}", ran.transcript());
        if ran.code == 0 {
            settle(&project);
        }
    }
    swap("nnue.toml", MANIFEST.replace("100", "90").as_bytes());
    settle(&project);
    // The lock is rewritten, without the removed net.
    let lock = fs::read(path("nnue.lock")).unwrap();
    fs::remove_file(path("nnue.lock")).unwrap();
    project.nnue(&["build"]).ok();
    assert_eq!(fs::read(path("nnue.lock")).unwrap(), lock);
    settle(&project);
    fs::remove_file(path("runs/b/three.nnue")).unwrap();
    let report = project.nnue(&["build", "--json"]).ok().json();
    assert_eq!(report["nets"].as_array().unwrap().len(), 3, "a file that left the sweep");
}

/// Holds an OS lock on a file until dropped.
fn locked(path: &Path) -> fs::File {
    let file = fs::File::options().write(true).open(path).unwrap();
    file.lock().unwrap();
    file
}

#[test]
fn what_is_edited_while_a_build_waits_is_not_taken_for_what_it_read() {
    let project = settled();
    fs::remove_file(proof(&project)).unwrap();
    let held = locked(&project.path.join(".nnue/cache/v1/lock"));
    let mut build = project.start(&["build"]);
    // It says that it waits: the manifest was read by then.
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(build.stderr.take().unwrap()), &mut line).unwrap();
    assert!(line.contains("waiting"), "{line}");
    fs::write(project.path.join("nnue.toml"), MANIFEST.replace("100", "90")).unwrap();
    fs::copy(project.path.join("run.nnue"), project.path.join("runs/a/late.nnue")).unwrap();
    drop(held);
    build.wait().unwrap();
    let ran = project.nnue(&["build"]).ok();
    assert!(ran.out.contains("100 → 90") && ran.out.contains("night-late: built"), "{}", ran.transcript());
}

#[test]
fn links_are_seen_through() {
    let project = settled();
    let path = |name: &str| project.path.join(name);
    let link = |to: &str, at: &str| std::os::unix::fs::symlink(to, path(at)).unwrap();
    // A link that leads nowhere yet, in a place that a glob names literally.
    fs::create_dir(path("runs/b")).unwrap();
    link("../../late.nnue", "runs/b/net.nnue");
    let manifest = MANIFEST.replace("runs/**/*.nnue", "runs/*/net.nnue").replace("night-{stem}", "night-{parent}");
    let manifest = manifest.replace("night/{stem}", "night/{parent}");
    fs::create_dir(path("runs/c")).unwrap();
    fs::copy(path("run.nnue"), path("runs/c/net.nnue")).unwrap();
    fs::write(path("nnue.toml"), manifest).unwrap();
    for _ in 0..3 {
        project.nnue(&["build"]).ok();
        std::thread::sleep(Duration::from_millis(150));
    }
    fs::copy(path("run.nnue"), path("late.nnue")).unwrap();
    let ran = project.nnue(&["build"]).ok();
    assert!(ran.out.contains("night-b: built"), "{}", ran.transcript());
    // A folder of outputs that became a link out of the project.
    settle(&project);
    let outside = tempfile::tempdir().unwrap();
    fs::rename(path("night"), outside.path().join("night")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("night"), path("night")).unwrap();
    project.nnue(&["build"]).fails(2, &["leaves the manifest's folder through a symbolic link"]);
}

#[test]
fn a_project_that_was_moved_is_known_to_the_cache_by_its_new_name() {
    let project = settled();
    let moved = project.path.with_file_name("moved");
    fs::rename(&project.path, &moved).unwrap();
    nnue(&moved, ["build"]).ok();
    nnue(&moved, ["cache", "gc", "--unreachable", "--grace", "0s"]).ok();
    let ran = nnue(&moved, ["build"]).ok();
    assert_eq!(ran.out.matches("up to date").count(), 2, "{}", ran.transcript());
}

#[test]
fn other_questions_are_not_answered_by_it() {
    let project = settled();
    let ran = |args: &[&str]| project.nnue(args).ok().out;
    assert!(ran(&["build", "--force"]).contains("forced"));
    settle(&project);
    assert!(ran(&["status", "--set", "net.big.optimize.positions=50"]).contains("100 → 50"));
    assert_eq!(ran(&["build", "big"]).matches("up to date").count(), 1);
    // From a folder below, the manifest has another name, and the same state.
    let below = nnue(&project.path.join("runs"), ["build"]).ok();
    assert_eq!(below.out.matches("up to date").count(), 2);
    // Another cache knows nothing.
    let elsewhere = tempfile::tempdir().unwrap();
    let output = cli_support::command(&project.path).env("NNUE_CACHE_DIR", elsewhere.path()).arg("status").output().unwrap();
    assert!(String::from_utf8(output.stdout).unwrap().contains("stale"));
    // Damage to the proof costs time only.
    settle(&project);
    flip(&proof(&project));
    assert_eq!(ran(&["build"]).matches("up to date").count(), 2);
}

/// System calls of a build that look at files, where they can be counted.
fn calls(project: &Project) -> Option<u64> {
    let report = tempfile::NamedTempFile::new().unwrap();
    let build = project.command(&["build"]);
    let mut traced = Command::new("strace");
    // Those of files: how often threads wait for each other differs from run to run.
    traced.args(["-f", "-c", "-e", "trace=%file,%desc", "-o"]).arg(report.path()).arg(build.get_program()).args(build.get_args());
    traced.current_dir(&project.path);
    for (name, value) in build.get_envs() {
        match value {
            Some(value) => traced.env(name, value),
            None => traced.env_remove(name),
        };
    }
    let output = traced.output().ok()?;
    let report = fs::read_to_string(report.path()).unwrap();
    // Share, seconds, mean, calls, perhaps errors; none where a process may not be traced.
    let total = report.lines().find(|line| line.ends_with(" total"))?.split_whitespace().nth(3)?.parse().unwrap();
    assert!(output.status.success(), "{output:?}");
    Some(total)
}

#[test]
fn nets_that_are_as_they_were_take_few_calls_beside_one_that_changed() {
    let manifest = "version = 1\n[data.fens]\npath = \"positions.fen\"\n[net.\"{stem}\"]\noutputs = [\"dist/{stem}.nnue\"]\n\
                    source = { glob = \"runs/*.nnue\", quantization = \"ft127\" }\noptimize = { data = \"fens\", positions = 50 }\n";
    let counts = [10, 30].map(|nets| {
        let project = Project::empty().with_fens("positions.fen", 9, 200).with_manifest(manifest);
        fs::create_dir(project.at("runs")).unwrap();
        for net in 0..nets {
            write_net(&project.at(&format!("runs/{net:02}.nnue")), "small", 16, net);
        }
        project.nnue(&["build"]).ok();
        settle(&project);
        let same = calls(&project)?;
        write_net(&project.at("runs/05.nnue"), "small", 16, 1000);
        let changed = calls(&project)?;
        assert_eq!(project.nnue(&["status"]).ok().out.matches(": fresh\n").count(), nets as usize);
        Some([same, changed])
    });
    let [Some(few), Some(many)] = counts else { return println!("skipped: system calls cannot be counted here") };
    let of_each = [0, 1].map(|which| (many[which] - few[which]) as f64 / 20.0);
    println!("system calls of one net more: {:.1} where nothing changed, {:.1} beside one that did", of_each[0], of_each[1]);
    // Seven entries of the cache, three files of its own. The work on the net that changed makes some more or fewer in each run; without a
    // note for each net it was 82.
    assert!(of_each[0] <= 14.0 && of_each[1] <= 26.0, "{few:?} {many:?}");
}

#[test]
fn beside_a_net_that_changed_all_others_are_told_as_they_are() {
    let project = settled();
    let full = project.nnue(&["status", "--json", "--paranoid"]).ok().json();
    // Of the other net nothing is known but by the proof.
    fs::remove_dir_all(project.at(".nnue/state/nets")).unwrap();
    fs::copy(project.at("run.nnue"), project.at("runs/a/one.nnue")).unwrap();
    let nets = |report: &serde_json::Value| report["nets"].as_array().unwrap().clone();
    for command in ["status", "build"] {
        let report = nets(&project.nnue(&[command, "--json"]).ok().json());
        assert_eq!(report[0], nets(&full)[0], "{command}");
        assert_eq!(report[1]["net"], "night-one");
        assert_ne!(report[1]["status"], "fresh", "{command}");
    }
    assert!(!project.at(".nnue/state/nets/big.json").exists());
    // The lock has the blocks of both; what is taken from it comes back.
    let lock = fs::read_to_string(project.at("nnue.lock")).unwrap();
    assert!(lock.contains("big") && lock.contains("night-one"), "{lock}");
    // Once without the proof, so that there is something to compare with again.
    fs::remove_file(proof(&project)).unwrap();
    project.nnue(&["build"]).ok();
    settle(&project);
    fs::remove_file(project.at("nnue.lock")).unwrap();
    project.nnue(&["build"]).ok();
    assert_eq!(fs::read_to_string(project.at("nnue.lock")).unwrap(), lock);
}
