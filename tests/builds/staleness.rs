//! Files whose times lie, projects that moved, threads and caches of all kinds: never a stale result, always the same bytes.

use std::fs::{File, FileTimes};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::cli_support::{self, nnue};
use crate::common;
use crate::project::{self, MANIFEST, Published, assert_ok, command, copy, files_below, forget, make, manifest, published, ran};
use nnue::internals::format::nnue::Compression;

/// One net for each kind of input: source and data, permutation file.
const INPUTS: &str = manifest!(
    r#"[net.big]
source = "run"
outputs = ["latest.nnue"]
[net.big.optimize]
data = "fens"
positions = 150
[net.permuted]
source = "run"
permutation = "perm.npy"
outputs = ["plain/permuted.nnue"]
"#
);

/// How a file gets other contents of the same size.
#[derive(Debug, Clone, Copy)]
enum Game {
    /// In place, at once.
    SameSecond,
    /// In place, and the old modification time is set again.
    RestoredTime,
    /// In place; the modification time is a year ahead before and after.
    Future,
    /// In place; the modification time is 1970 before and after.
    Epoch,
    /// Another file with the same modification time takes its name.
    Renamed,
    /// The name becomes a hard link to another old file with the same modification time.
    Linked,
}

const GAMES: [Game; 6] = [Game::SameSecond, Game::RestoredTime, Game::Future, Game::Epoch, Game::Renamed, Game::Linked];

fn set_modified(path: &Path, time: SystemTime) {
    File::open(path).unwrap().set_times(FileTimes::new().set_modified(time).set_accessed(time)).unwrap();
}

fn modified(path: &Path) -> SystemTime {
    std::fs::metadata(path).unwrap().modified().unwrap()
}

impl Game {
    fn time(self) -> Option<SystemTime> {
        match self {
            Self::Future => Some(SystemTime::now() + Duration::from_secs(365 * 24 * 3600)),
            Self::Epoch => Some(SystemTime::UNIX_EPOCH),
            _ => None,
        }
    }

    /// Before the build that is to be deceived.
    fn prepare(self, path: &Path) {
        if let Some(time) = self.time() {
            set_modified(path, time);
        }
    }

    fn play(self, path: &Path, bytes: &[u8]) {
        let time = modified(path);
        let other = path.with_extension("other");
        match self {
            Self::SameSecond => std::fs::write(path, bytes).unwrap(),
            Self::RestoredTime | Self::Future | Self::Epoch => {
                std::fs::write(path, bytes).unwrap();
                set_modified(path, time);
            }
            Self::Renamed => {
                std::fs::write(&other, bytes).unwrap();
                set_modified(&other, time);
                std::fs::rename(&other, path).unwrap();
            }
            Self::Linked => {
                std::fs::write(&other, bytes).unwrap();
                set_modified(&other, time);
                std::fs::remove_file(path).unwrap();
                std::fs::hard_link(&other, path).unwrap();
                std::fs::remove_file(&other).unwrap();
            }
        }
        assert_eq!(std::fs::read(path).unwrap(), bytes);
    }
}

struct Inputs {
    name: &'static str,
    contents: [Vec<u8>; 2],
}

/// Two contents of equal size for each input.
fn inputs() -> Vec<Inputs> {
    let net = |seed| {
        let mut bytes = Vec::new();
        nnue::internals::format::nnue::write(&mut bytes, &nnue::internals::net::random_network("small", 64, seed), Compression::None)
            .unwrap();
        bytes
    };
    let lines: Vec<String> = nnue::internals::positions::generate(9, 400).iter().map(|position| position.to_fen() + "\n").collect();
    let turned = [&lines[200..], &lines[..200]].concat();
    let folder = tempfile::tempdir().unwrap();
    let permutation = |order: Vec<i32>| {
        let path = folder.path().join("perm.npy");
        project::write_permutation(&path, order.into_iter());
        std::fs::read(path).unwrap()
    };
    let inputs = vec![
        Inputs { name: "run.nnue", contents: [net(5), net(6)] },
        Inputs { name: "positions.fen", contents: [lines.concat().into(), turned.concat().into()] },
        Inputs { name: "perm.npy", contents: [permutation((0..32).rev().collect()), permutation((0..32).map(|i| i ^ 1).collect())] },
    ];
    assert!(inputs.iter().all(|input| input.contents[0].len() == input.contents[1].len() && input.contents[0] != input.contents[1]));
    inputs
}

fn make_inputs(path: &Path) {
    std::fs::create_dir_all(path).unwrap();
    inputs().iter().for_each(|input| std::fs::write(path.join(input.name), &input.contents[0]).unwrap());
    std::fs::write(path.join("nnue.toml"), INPUTS).unwrap();
}

#[test]
fn no_edit_of_an_input_is_missed_whatever_its_times_say() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("project");
    let mut deceived = 0;
    for input in inputs() {
        let file = path.join(input.name);
        // What a build from nothing gives.
        let expected: Vec<Published> = input
            .contents
            .iter()
            .map(|bytes| {
                let _ = std::fs::remove_dir_all(&path);
                make_inputs(&path);
                std::fs::write(&file, bytes).unwrap();
                project::build(&path)
            })
            .collect();
        assert_ne!(expected[0], expected[1], "{}", input.name);
        for game in GAMES {
            for round in 0..6usize {
                game.prepare(&file);
                // Every third round the stat cache gets the time that it needs to trust the file.
                if round % 3 == 0 {
                    std::thread::sleep(Duration::from_millis(130));
                }
                project::build(&path);
                let which = round % 2;
                game.play(&file, &input.contents[which]);
                assert_eq!(project::build(&path), expected[which], "{}, {game:?}, round {round}", input.name);
                deceived += 1;
            }
        }
    }
    println!("edits with lying times: {deceived}");
}

#[test]
fn no_edit_of_an_output_is_missed_whatever_its_times_say() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    make_inputs(path);
    let expected = project::build(path);
    for place in ["latest.nnue", "plain/permuted.nnue"] {
        let file = path.join(place);
        let good = std::fs::read(&file).unwrap();
        let mut bad = good.clone();
        *bad.last_mut().unwrap() ^= 1;
        for game in GAMES {
            for round in 0..4 {
                game.prepare(&file);
                if round % 2 == 0 {
                    std::thread::sleep(Duration::from_millis(130));
                }
                assert_eq!(project::build(path), expected);
                game.play(&file, &bad);
                let report = nnue(path, ["build", "--json"]).ok().json();
                let reasons: Vec<String> = ran(&report).into_iter().map(|(_, _, reason)| reason).collect();
                assert_eq!(reasons, ["output_modified"], "{place}, {game:?}, round {round}");
                assert_eq!(published(path), expected, "{place}, {game:?}, round {round}");
            }
        }
    }
}

/// Net, stage and key of all stages.
fn keys(report: &serde_json::Value) -> Vec<String> {
    let nets = report["nets"].as_array().unwrap().iter();
    let stages = nets.flat_map(|net| net["stages"].as_array().unwrap().iter().map(move |stage| (net, stage)));
    stages.map(|(net, stage)| format!("{} {} {}", net["net"], stage["stage"], stage["key"])).collect()
}

#[test]
fn the_place_of_a_project_changes_no_key_no_byte_and_no_lock() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let origin = at("origin");
    make_inputs(&origin);
    let report = nnue(&origin, ["build", "--json"]).ok().json();
    let (expected_keys, expected) = (keys(&report), published(&origin));
    #[track_caller]
    fn same(ran: cli_support::Ran, project: &Path, expected_keys: &[String], expected: &Published) -> serde_json::Value {
        let report = ran.ok().json();
        assert_eq!(keys(&report), expected_keys, "{}", project.display());
        assert_eq!(published(project), *expected, "{}", project.display());
        report
    }
    // Other folders: deep, with spaces and letters of several scripts, on another file system where there is one.
    let elsewhere = tempfile::Builder::new().tempdir_in("/dev/shm").ok();
    let mut places: Vec<PathBuf> =
        ["a/b/c/d", "with spaces and 'quotes'", "сеть/ネット/é", "-dash", "new\nline"].iter().map(|name| at(name)).collect();
    places.extend(elsewhere.iter().map(|folder| folder.path().join("project")));
    for place in &places {
        make_inputs(place);
        same(nnue(place, ["build", "--json"]), place, &expected_keys, &expected);
        assert_eq!(nnue(place, ["verify"]).code, 0);
    }
    // From somewhere else: `-C`, `-f`, a folder below, a link to the project.
    for (number, args) in
        [["-C", "project"], ["-f", "project/nnue.toml"], ["-C", "link"], ["-f", "link/nnue.toml"], ["-C", "link/deeper"]].iter().enumerate()
    {
        let from = at(&format!("from{number}"));
        make_inputs(&from.join("project"));
        std::fs::create_dir(from.join("project/deeper")).unwrap();
        symlink("project", from.join("link")).unwrap();
        same(nnue(&from, [args[0], args[1], "build", "--json"]), &from.join("project"), &expected_keys, &expected);
        assert!(!from.join(".nnue").exists() && !from.join("nnue.lock").exists(), "{args:?}");
    }
    // Inputs that are links. The program's own folder is none: nothing is written through a link.
    let linked = at("linked");
    std::fs::create_dir_all(&linked).unwrap();
    for name in ["run.nnue", "positions.fen", "perm.npy", "nnue.toml"] {
        symlink(origin.join(name), linked.join(name)).unwrap();
    }
    same(nnue(&linked, ["build", "--json"]), &linked, &expected_keys, &expected);
    // A link that leads to another content is an edit, and one to the same content is none.
    std::fs::remove_file(linked.join("run.nnue")).unwrap();
    std::fs::copy(origin.join("run.nnue"), at("copy.nnue")).unwrap();
    symlink(at("copy.nnue"), linked.join("run.nnue")).unwrap();
    assert!(ran(&same(nnue(&linked, ["build", "--json"]), &linked, &expected_keys, &expected)).is_empty());
    std::fs::write(at("other.nnue"), &inputs()[0].contents[1]).unwrap();
    std::fs::remove_file(linked.join("run.nnue")).unwrap();
    symlink(at("other.nnue"), linked.join("run.nnue")).unwrap();
    assert!(!ran(&nnue(&linked, ["build", "--json"]).ok().json()).is_empty());
    // A project that moved, or was copied with its state, has nothing to do.
    for (number, moved) in [at("moved"), at("copied")].into_iter().enumerate() {
        if number == 0 {
            std::fs::rename(&places[0], &moved).unwrap()
        } else {
            copy(&places[1], &moved)
        }
        let report = same(nnue(&moved, ["build", "--json", "--locked"]), &moved, &expected_keys, &expected);
        assert!(ran(&report).is_empty(), "{}", moved.display());
    }
    let device = |path: &Path| std::fs::metadata(path).unwrap().dev();
    println!(
        "places: {}, another file system: {}",
        places.len(),
        elsewhere.is_some_and(|place| device(place.path()) != device(folder.path()))
    );
}

#[test]
fn threads_and_caches_change_no_byte() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("project");
    make(&path);
    let expected = project::build(&path);
    let run = |what: &str, args: &[&str], cache: Option<&Path>| -> (serde_json::Value, String) {
        let mut command = command(&path, args);
        command.arg("--json");
        if let Some(cache) = cache {
            command.env("NNUE_CACHE_DIR", cache);
        }
        let output = command.output().unwrap();
        assert_ok(&output);
        assert_eq!(published(&path), expected, "{what}: {args:?}");
        (serde_json::from_slice(&output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    for threads in ["1", "2", "7"] {
        for backend in ["auto", "cpu"] {
            forget(&path, 1);
            run("from nothing", &["build", "-j", threads, "--backend", backend], None);
            run("forced", &["build", "-j", threads, "--backend", backend, "--force"], None);
            forget(&path, 2);
            let (report, _) = run("outputs gone", &["build", "-j", threads, "--backend", backend], None);
            assert!(ran(&report).iter().all(|(_, stage, _)| stage != "gather" && stage != "search"), "{:?}", ran(&report));
        }
    }
    // A cache elsewhere: empty, then filled, and nothing is written beside the manifest's.
    let elsewhere = folder.path().join("cache of all/é");
    for what in ["an empty cache", "a filled cache"] {
        forget(&path, 1);
        let (report, err) = run(what, &["build"], Some(&elsewhere));
        assert_eq!(ran(&report).iter().any(|(_, stage, _)| stage == "search"), what == "an empty cache");
        assert!(!path.join(".nnue/cache").exists() && !err.contains("warning"), "{err}");
    }
    forget(&path, 1);
    run("a relative cache", &["build"], Some(Path::new("near")));
    assert!(path.join("near/v1/cas").is_dir());
    // No cache at all: a file is in its place.
    let file = folder.path().join("file");
    std::fs::write(&file, b"").unwrap();
    for _ in 0..2 {
        forget(&path, 1);
        let (_, err) = run("no cache", &["build"], Some(&file));
        assert!(err.contains("disabling cache writes for this run"), "{err}");
    }
    // Locked and frozen builds, also without any cache, and with one that nobody may write to.
    project::build(&path);
    for state in [2, 3] {
        forget(&path, state);
        run("locked", &["build", "--locked"], None);
        forget(&path, state);
        let before = snapshot(&path.join(".nnue"));
        run("frozen", &["build", "--frozen"], None);
        assert_eq!(snapshot(&path.join(".nnue")), before, "a frozen build changes neither cache nor state");
        forget(&path, state);
        let missing = folder.path().join("missing");
        run("frozen, no cache", &["build", "--frozen"], Some(&missing));
        assert!(!missing.exists());
    }
    let folders = || files_below(&elsewhere).into_iter().filter_map(|file| file.parent().map(Path::to_owned));
    let allow = |mode| folders().for_each(|folder| std::fs::set_permissions(folder, PermissionsExt::from_mode(mode)).unwrap());
    allow(0o555);
    forget(&path, 2);
    run("a cache without permission to write", &["build"], Some(&elsewhere));
    run("a cache without permission to write", &["build", "--force"], Some(&elsewhere));
    allow(0o755);
}

/// Everything below a folder, contents and times of modification.
fn snapshot(folder: &Path) -> Vec<(PathBuf, Vec<u8>, SystemTime)> {
    files_below(folder).into_iter().map(|path| (path.clone(), std::fs::read(&path).unwrap(), modified(&path))).collect()
}

#[test]
fn a_manifest_under_another_name_has_a_lock_and_a_state_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    make(path);
    let expected = project::build(path);
    std::fs::write(path.join("release.toml"), MANIFEST).unwrap();
    let report = nnue(path, ["-f", "release.toml", "build", "--json"]).ok().json();
    assert!(ran(&report).is_empty(), "{:?}", ran(&report));
    assert_eq!(std::fs::read_to_string(path.join("release.lock")).unwrap(), expected["./nnue.lock"]);
    assert_eq!(published(path), expected);
}

/// Builds beside a link that leads to one of two inputs in turn, whose files `write` makes: what is locked always fits together.
fn build_beside_a_moving_link(ending: &str, net: &str, write: impl Fn(&Path, u64)) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    cli_support::write_net(&path("run.nnue"), "small", 32, 5);
    let names = [format!("one.{ending}"), format!("two.{ending}")];
    let current = format!("current.{ending}");
    let mut expected = std::collections::BTreeMap::new();
    for (name, seed) in names.iter().zip(1..) {
        write(&path(name), seed);
        std::fs::write(path("nnue.toml"), net.replace("INPUT", name)).unwrap();
        assert_ok(&command(folder.path(), &["build"]).output().unwrap());
        let digest = |name: &str| common::sha256(&std::fs::read(path(name)).unwrap());
        expected.insert(digest(name), digest("out.nnue"));
    }
    assert_eq!(expected.values().collect::<std::collections::BTreeSet<_>>().len(), 2, "the inputs give different nets");
    std::fs::write(path("nnue.toml"), net.replace("INPUT", &current)).unwrap();
    symlink(&names[0], path(&current)).unwrap();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let built = std::thread::scope(|scope| {
        scope.spawn(|| {
            for target in names.iter().rev().cycle() {
                if stop.load(std::sync::atomic::Ordering::Relaxed) {
                    return;
                }
                symlink(target, path("next")).unwrap();
                std::fs::rename(path("next"), path(&current)).unwrap();
                std::thread::sleep(Duration::from_micros(700));
            }
        });
        let check = || {
            let mut built = 0;
            for _ in 0..120 {
                if command(folder.path(), &["build", "--force"]).output().unwrap().status.success() {
                    let lock = nnue::internals::build::lock::Lock::read(&path("nnue.lock")).unwrap();
                    let input = lock.nets["a"].inputs.iter().find(|input| input.path == current).unwrap();
                    assert_eq!(expected.get(&input.sha256), Some(&lock.nets["a"].outputs[0].sha256), "after {built} builds");
                    built += 1;
                }
            }
            built
        };
        let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(check));
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        checked.unwrap()
    });
    println!("builds beside a moving link to a `.{ending}`: {built} of 120 succeeded");
}

#[test]
fn a_source_that_moves_to_and_fro_never_stands_under_the_digest_of_another() {
    let net = "version = 1\n[net.a]\nsource = \"INPUT\"\noutputs = [\"out.nnue\"]\ncompression = \"none\"\n";
    build_beside_a_moving_link("nnue", net, |path, seed| drop(cli_support::write_net(path, "small", 32, seed)));
}

#[test]
fn data_that_move_to_and_fro_never_stand_under_the_digest_of_others() {
    let net = "version = 1\n[data.d]\npath = \"INPUT\"\n[net.a]\nsource = \"run.nnue\"\noutputs = [\"out.nnue\"]\n\
        optimize = { data = \"d\", positions = 150 }\n";
    build_beside_a_moving_link("fen", net, |path, seed| cli_support::write_fens(path, seed, 400));
}

#[test]
fn copies_of_one_source_share_their_expensive_stages() {
    let folder = tempfile::tempdir().unwrap();
    project::make(folder.path());
    std::fs::copy(folder.path().join("run.nnue"), folder.path().join("copy.nnue")).unwrap();
    let twin = "[source.copy]\npath = \"copy.nnue\"\nquantization = \"ft127\"\n[net.twin]\nsource = \"copy\"\noutputs = [\"twin/\"]\n\
        optimize = { data = \"fens\", positions = 150 }\n";
    std::fs::write(folder.path().join("nnue.toml"), format!("{}{twin}", project::MANIFEST)).unwrap();
    for args in [&["build", "--json"][..], &["build", "--json", "--force"]] {
        let output = project::command(folder.path(), args).output().unwrap();
        project::assert_ok(&output);
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let stages = report["nets"].as_array().unwrap().iter().flat_map(|net| net["stages"].as_array().unwrap());
        for stage in ["gather", "search"] {
            let ran = stages.clone().filter(|it| it["stage"] == stage && it["status"] == "ran").count();
            assert_eq!(ran, 1, "{stage}: {report:#}");
        }
        assert!(!String::from_utf8_lossy(&output.stderr).contains("waiting"), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
