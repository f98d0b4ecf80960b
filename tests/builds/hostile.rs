//! Projects that somebody else packed: links and special files wherever the program keeps something. Nothing outside the project is
//! written, made or removed, and nothing keeps the program waiting.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::{FileTypeExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use crate::cli_support::Ran;
use crate::project::{self, assert_published, command, copy, files_below, manifest, wait_all};

/// One net with all that a build may leave: data, outputs with and without a name, provenance.
const MANIFEST: &str = manifest!(
    r#"[net.big]
source = "run"
outputs = ["dist/", "latest.nnue"]
provenance = true
[net.big.optimize]
data = "fens"
positions = 150
"#
);

/// All that looks at what a build left, or changes it.
const COMMANDS: [&[&str]; 11] = [
    &["status"],
    &["build", "--locked"],
    &["build"],
    &["build", "--force"],
    &["verify"],
    &["explain", "big"],
    &["clean"],
    &["cache", "stats"],
    &["cache", "verify"],
    &["cache", "gc", "--unreachable", "--max-size", "0", "--grace", "0s"],
    &["build"],
];

/// A built project, old enough to be remembered.
fn built() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("built");
    project::make(&path);
    std::fs::write(path.join("nnue.toml"), MANIFEST.replacen('\n', "\nreport = \"report.html\"\n", 1)).unwrap();
    for _ in 0..3 {
        project::build(&path);
        std::thread::sleep(Duration::from_millis(150));
    }
    (folder, path)
}

/// Every path that a build left, one of each kind, relative to the project.
fn places(project: &Path) -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            }
            found.push(path);
        }
    }
    let mut all = Vec::new();
    walk(project, &mut all);
    let inputs = ["nnue.toml", "run.nnue", "positions.fen"];
    let mut kinds = BTreeSet::new();
    let mut places: Vec<PathBuf> = all.iter().map(|path| path.strip_prefix(project).unwrap().to_owned()).collect();
    places.sort();
    places.retain(|path| {
        let parts: Vec<&str> = path.iter().map(|part| part.to_str().unwrap()).collect();
        let kind: Vec<&str> = parts
            .iter()
            .map(|part| match part.len() {
                2 => "SHARD",
                60.. => "HASH",
                _ => part,
            })
            .collect();
        !inputs.contains(&parts[0]) && kinds.insert(kind.join("/"))
    });
    places
}

/// All files below a folder with their bytes and times, and all folders.
fn snapshot(folder: &Path) -> BTreeMap<PathBuf, (Vec<u8>, SystemTime)> {
    files_below(folder)
        .into_iter()
        .map(|path| {
            let metadata = std::fs::symlink_metadata(&path).unwrap();
            (path.clone(), (std::fs::read(&path).unwrap(), metadata.modified().unwrap()))
        })
        .collect()
}

/// Runs the program; a hang is a failure that says so.
#[track_caller]
fn run(folder: &Path, args: &[&str], context: &str) -> Ran {
    let child = command(folder, args).spawn().unwrap();
    Ran::of(wait_all(vec![child], &format!("{context}: nnue {}", args.join(" "))).remove(0))
}

#[test]
fn no_link_leads_a_build_out_of_the_project() {
    let (folder, built) = built();
    let expected = project::published(&built);
    let places = places(&built);
    for needed in [
        ".nnue",
        ".nnue/state",
        ".nnue/state/files.bin",
        ".nnue/state/files.lock",
        ".nnue/state/nets",
        ".nnue/state/nets/big.json",
        ".nnue/state/nnue.lock.lock",
        ".nnue/state/unchanged.bin",
        ".nnue/cache",
        ".nnue/cache/CACHEDIR.TAG",
        ".nnue/cache/v1",
        ".nnue/cache/v1/actions",
        ".nnue/cache/v1/cas",
        ".nnue/cache/v1/gate",
        ".nnue/cache/v1/lock",
        ".nnue/cache/v1/locks",
        ".nnue/cache/v1/roots",
        ".nnue/cache/v1/usage.json",
        ".nnue/cache/v1/usage.lock",
        "nnue.lock",
        "latest.nnue.provenance.json",
        "report.html",
        "report-pictures",
    ] {
        assert!(places.iter().any(|place| place == Path::new(needed)), "{needed} is not among {places:?}");
    }
    assert!(places.iter().filter(|place| place.starts_with(".nnue/cache/v1")).count() > 15, "{places:?}");
    assert!(places.iter().filter(|place| place.starts_with("report-pictures")).count() > 5, "{places:?}");
    let mut runs = 0;
    for place in &places {
        for dangling in [false, true] {
            let (project, victims) = (folder.path().join("project"), folder.path().join("victims"));
            let _ = (std::fs::remove_dir_all(&project), std::fs::remove_dir_all(&victims));
            copy(&built, &project);
            let (link, victim) = (project.join(place), victims.join("victim"));
            std::fs::create_dir(&victims).unwrap();
            std::fs::write(victims.join(".nnue-tmp-theirs"), "theirs").unwrap();
            // What it leads to looks like what was there, so that nothing is refused for another reason.
            if !dangling {
                if link.is_dir() { copy(&link, &victim) } else { assert!(std::fs::copy(&link, &victim).is_ok()) }
            }
            if link.is_dir() {
                std::fs::remove_dir_all(&link).unwrap()
            } else {
                std::fs::remove_file(&link).unwrap()
            }
            symlink(&victim, &link).unwrap();
            // Files that nobody holds any more, for the sweep.
            let old = SystemTime::now() - Duration::from_secs(100_000);
            for path in files_below(&victims) {
                let file = std::fs::File::open(&path).unwrap();
                file.set_modified(old).unwrap();
            }
            let before = snapshot(&victims);
            // Outputs, their provenance and the page that lead out of the project are refused with the manifest, folders of pictures
            // when the page is written.
            let is_output = ["dist", "latest.nnue", "report"].iter().any(|start| place.to_str().unwrap().starts_with(start));
            let is_refused = !dangling && (place == Path::new("report.html") || place == Path::new("latest.nnue"));
            for args in COMMANDS {
                let context = format!("{} leads {}", place.display(), if dangling { "nowhere" } else { "outside" });
                let ran = run(&project, args, &context);
                runs += 1;
                assert_eq!(snapshot(&victims), before, "{context}: {args:?}\n{}", ran.transcript());
                assert!(!ran.err.contains("a bug in nnue"), "{context}: {args:?}\n{}", ran.transcript());
                if place == Path::new("nnue.lock") && args[0] == "build" && !args.contains(&"--dry-run") && ran.code != 0 {
                    assert!(ran.err.contains("symbolic link") && ran.err.contains("help:"), "{context}\n{}", ran.transcript());
                } else if args == ["build"] && is_refused {
                    assert_eq!(ran.code, 2, "{context}\n{}", ran.transcript());
                    assert!(ran.err.contains("leaves the manifest's folder through a symbolic link"), "{context}\n{}", ran.transcript());
                } else if args == ["build"] && !is_output && place != Path::new("nnue.lock") {
                    assert_eq!(ran.code, 0, "{context}\n{}", ran.transcript());
                    assert_published(&project, &expected, &context);
                }
            }
        }
    }
    println!("links planted: {}, commands run: {runs}", places.len() * 2);
}

/// Files that a command writes under a name, or in a folder, that nobody typed: a link there is replaced, or refused where it is a folder.
#[test]
fn no_link_leads_what_a_command_writes_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let (victim, other) = (folder.path().join("victim"), folder.path().join("other"));
    let page = ["show", "run.nnue", "--quantization", "ft127"];
    let pictures = |out: &'static [&str]| [&page[..], &["--format", "svg"], out].concat();
    let mut planted = 0;
    for (args, link, is_folder) in [
        (page.to_vec(), "run.html", false),
        (pictures(&[]), "run", true),
        (pictures(&[]), "run/biases.svg", false),
        (pictures(&["--out", "typed"]), "typed/biases.svg", false),
        (vec!["convert", "run.nnue", "--out-sha", "typed"], "typed/NET", false),
        (vec!["man", "typed"], "typed/nnue-build.1", false),
        (vec!["init", "."], "nnue.toml", false),
    ] {
        let project = folder.path().join("project");
        for dangling in [false, true] {
            let _ = (std::fs::remove_dir_all(&project), std::fs::remove_dir_all(&other));
            project::make(&project);
            std::fs::create_dir(&other).unwrap();
            std::fs::write(&victim, "untouched").unwrap();
            std::fs::remove_file(project.join("nnue.toml")).unwrap();
            std::fs::create_dir(project.join("typed")).unwrap();
            let net = std::fs::read(project.join("run.nnue")).unwrap();
            let link = project.join(link.replace("NET", &format!("nn-{}.nnue", &crate::common::sha256(&net)[..12])));
            std::fs::create_dir_all(link.parent().unwrap()).unwrap();
            let target = match (dangling, is_folder) {
                (true, _) => folder.path().join("missing"),
                (false, true) => other.clone(),
                (false, false) => victim.clone(),
            };
            symlink(target, &link).unwrap();
            let context = format!("{args:?}, {}, dangling: {dangling}", link.display());
            let ran = run(&project, &args, &context);
            planted += 1;
            assert_eq!(std::fs::read(&victim).unwrap(), b"untouched", "{context}");
            assert_eq!(other.read_dir().unwrap().count(), 0, "{context}");
            assert!(!folder.path().join("missing").exists(), "{context}");
            if is_folder || args[0] == "init" {
                assert_eq!(ran.code, 1, "{context}\n{}", ran.transcript());
                assert!(ran.err.contains("help:"), "{context}\n{}", ran.transcript());
            } else {
                assert_eq!(ran.code, 0, "{context}\n{}", ran.transcript());
                assert!(link.symlink_metadata().unwrap().is_file(), "{context}");
            }
        }
    }
    println!("links planted before commands: {planted}");
}

#[test]
fn pipes_and_sockets_keep_nothing_waiting() {
    let (folder, built) = built();
    let expected = project::published(&built);
    let mut files: Vec<PathBuf> = places(&built).into_iter().filter(|place| built.join(place).is_file()).collect();
    files.extend(["nnue.toml", "run.nnue", "positions.fen"].map(PathBuf::from));
    for place in &files {
        let is_input = ["nnue.toml", "run.nnue", "positions.fen"].iter().any(|input| place == Path::new(input));
        for socket in if is_input { &[false, true][..] } else { &[false] } {
            let project = folder.path().join("p");
            let _ = std::fs::remove_dir_all(&project);
            copy(&built, &project);
            let path = project.join(place);
            std::fs::remove_file(&path).unwrap();
            let _held = if *socket {
                // Names of sockets are short; this one is moved where it is to be.
                let short = folder.path().join("s");
                let listener = std::os::unix::net::UnixListener::bind(&short).unwrap();
                std::fs::rename(&short, &path).unwrap();
                Some(listener)
            } else {
                assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
                None
            };
            for args in COMMANDS {
                let context = format!("{} is a {}", place.display(), if *socket { "socket" } else { "pipe" });
                let ran = run(&project, args, &context);
                assert!(!ran.err.contains("a bug in nnue"), "{context}: {args:?}\n{}", ran.transcript());
                if args == ["build"] && place.starts_with(".nnue") {
                    assert_eq!(ran.code, 0, "{context}\n{}", ran.transcript());
                    assert_published(&project, &expected, &context);
                } else if args == ["build"] && is_input {
                    assert!(ran.code == 1 || ran.code == 2, "{context}\n{}", ran.transcript());
                    // A manifest that is none is looked for in the folders above.
                    let why = if place == Path::new("nnue.toml") { "no `nnue.toml` in" } else { "not a regular file" };
                    assert!(ran.err.contains(why), "{context}\n{}", ran.transcript());
                }
            }
            if is_input {
                let kind = std::fs::symlink_metadata(&path).unwrap().file_type();
                assert!(kind.is_fifo() || kind.is_socket(), "an input is never replaced");
            }
        }
    }
}

/// Files that a command names: each is refused by its kind, whatever the command.
#[test]
fn no_command_reads_a_pipe_or_a_device() {
    let folder = tempfile::tempdir().unwrap();
    project::make(folder.path());
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for file in ["pipe", "/dev/zero", "/dev/tty", "/proc/self/mem", "/proc/kmsg", "."] {
        for args in [
            &["inspect", file][..],
            &["convert", file, "out.nnue"],
            &["convert", file, "out.safetensors"],
            &["diff", file, "run.nnue"],
            &["diff", "run.nnue", file],
            &["eval", "run.nnue", "--data", file],
            &["eval", file, "--fen", project::START],
            &["build", "-f", file],
            &["status", "-f", file],
            &["explain", "big", "--against", file],
            &["perm", "apply", "run.nnue", file, "out.nnue"],
            &["perm", "show", file],
            &["perm", "find", "--data", file, "--out", "out.npy"],
            &["show", file, "--out", "out.html"],
            &["show", "run.nnue", "--data", file, "--out", "out.html"],
            &["inspect", "run.nnue", "--architecture", file],
        ] {
            if file == "." && args[0] == "explain" {
                continue;
            }
            let ran = run(folder.path(), args, file);
            assert!((1..=2).contains(&ran.code), "{args:?}: {}", ran.transcript());
            // It was the file that was refused, not the command line.
            let not = ["a bug in nnue", "unexpected argument", "unrecognized", "For more information"];
            assert!(!not.iter().any(|text| ran.err.contains(text)), "{args:?}: {}", ran.transcript());
        }
    }
    assert!(["out.nnue", "out.safetensors", "out.npy", "out.html"].iter().all(|name| !folder.path().join(name).exists()));
}

/// What a build that was killed noted, and left beside an output and in a folder that is an output no more.
#[test]
fn what_a_killed_build_left_is_removed_although_nothing_is_to_be_built() {
    let (folder, built) = built();
    let outside = folder.path().join("outside");
    let begun = built.join(".nnue/state/begun");
    for place in [built.join("dist"), built.join("earlier"), outside.clone()] {
        std::fs::create_dir_all(&place).unwrap();
        std::fs::write(place.join(".nnue-tmp-left"), "half a net").unwrap();
    }
    std::fs::create_dir_all(&begun).unwrap();
    let outside = outside.to_str().unwrap().to_owned();
    std::fs::write(begun.join("77-1.json"), serde_json::to_vec(&["dist", "earlier", "missing", &outside, "../outside"]).unwrap()).unwrap();
    std::fs::write(begun.join("77-1.lock"), "").unwrap();
    // Begun and killed before there was a note; not of this program; of a build that runs.
    std::fs::write(begun.join("78-1.lock"), "").unwrap();
    std::fs::write(begun.join("79-1.json"), "[\"dist\"]").unwrap();
    let running = std::fs::File::create(begun.join("79-1.lock")).unwrap();
    running.lock().unwrap();
    // Too young: somebody may be about to lock it.
    let ran = Ran::of(command(&built, &["build", "--paranoid"]).output().unwrap()).ok();
    assert!(ran.out.contains("up to date"), "{}", ran.transcript());
    std::thread::sleep(Duration::from_millis(1200));
    let ran = Ran::of(command(&built, &["build", "--paranoid"]).output().unwrap()).ok();
    assert!(ran.out.contains("up to date"), "{}", ran.transcript());
    for place in ["dist", "earlier"] {
        assert!(!built.join(place).join(".nnue-tmp-left").exists(), "{place}");
    }
    assert!(Path::new(&outside).join(".nnue-tmp-left").exists(), "a note decides nothing about folders elsewhere");
    assert_eq!(crate::cli_support::names(&begun), ["79-1.json", "79-1.lock"]);
    // A build that ends leaves no note.
    drop(running);
    Ran::of(command(&built, &["build", "--force"]).output().unwrap()).ok();
    assert_eq!(crate::cli_support::names(&begun), [""; 0]);
}

/// Two names of one file, of which one is an output: a new file takes that name, and the source keeps its bytes.
#[test]
fn an_output_that_is_a_hard_link_to_a_source_leaves_the_source_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    project::make(path);
    let source = std::fs::read(path.join("run.nnue")).unwrap();
    std::fs::hard_link(path.join("run.nnue"), path.join("latest.nnue")).unwrap();
    std::fs::create_dir(path.join("plain")).unwrap();
    std::fs::hard_link(path.join("run.nnue"), path.join("plain/plain.nnue")).unwrap();
    // What the source loses is a name, which its times tell: a build says that it changed, until none is left to lose.
    let is_built = || {
        let ran = Ran::of(command(path, &["build"]).output().unwrap());
        assert!(ran.code == 0 || ran.err.contains("`run.nnue` changed"), "{}", ran.transcript());
        ran.code == 0
    };
    assert!((0..4).any(|_| is_built()));
    assert!(std::fs::read(path.join("run.nnue")).unwrap() == source);
    for output in ["latest.nnue", "plain/plain.nnue"] {
        assert!(std::fs::read(path.join(output)).unwrap() != source, "{output}");
    }
    Ran::of(command(path, &["build", "--locked"]).output().unwrap()).ok();
}

#[test]
fn a_file_that_may_not_become_so_large_is_an_error_that_says_so() {
    let folder = tempfile::tempdir().unwrap();
    project::make(folder.path());
    let limited = |args: &str| {
        let line = format!("ulimit -f 8 && exec \"$0\" {args}");
        let mut command = Command::new("sh");
        command.current_dir(folder.path()).args(["-c", &line]).arg(assert_cmd::cargo::cargo_bin!("nnue"));
        Ran::of(command.output().unwrap())
    };
    for args in ["convert run.nnue out.nnue", "build plain"] {
        let ran = limited(args);
        assert!(ran.code == 1 && ran.err.contains("too large"), "{}", ran.transcript());
    }
    assert_eq!(project::temporary(folder.path()), Vec::<PathBuf>::new());
}
