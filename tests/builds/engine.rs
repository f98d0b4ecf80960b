//! `[net.NAME.engine]`: what a real engine has to do with a net before it is published, and what becomes of an engine that does not.
//! The engines here are scripts that do one thing wrong each; `tests/interop` has a real one.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cli_support::{Ran, names};
use crate::project::{ENGINE, Project, manifest, net, statuses};

const MANIFEST: &str = manifest!(
    "[net.big]\nsource = \"run\"\noutputs = \"dist/\"\nprovenance = true\n[net.big.optimize]\ndata = \"fens\"\npositions = 100\n\
     [net.big.engine]\npath = \"./fish\"\ntimeout = 20\n"
);

fn project(engine: &str) -> Project {
    let project = Project::new(MANIFEST);
    project.write_engine(engine);
    project
}

/// The engine with a part of it replaced.
fn with(part: &str, by: &str) -> String {
    assert!(ENGINE.contains(part), "{part}");
    ENGINE.replace(part, by)
}

fn last_stages(report: &Value) -> Vec<String> {
    let all: Vec<String> = statuses(net(report, "big")).into_iter().map(|(stage, status)| format!("{stage} {status}")).collect();
    all[all.len() - 3..].to_vec()
}

#[test]
fn an_engine_tries_each_net_once_before_it_is_published() {
    let project = project(ENGINE);
    let first = project.json(&["build"]);
    assert_eq!(last_stages(&first), ["write ran", "prove ran", "engine ran"]);
    let said = serde_json::json!({"name": "Fake 1", "nodes": 1234, "against": "source", "exported": "bytes", "speed": null});
    assert_eq!(net(&first, "big")["engine"], said);
    let again = project.json(&["build"]);
    assert_eq!(
        (last_stages(&again), &net(&again, "big")["engine"]),
        (["write", "prove", "engine"].map(|it| format!("{it} fresh")).into(), &said)
    );
    let (lock, files) = (project.text("nnue.lock"), names(&project.at("dist")));

    // Another engine, or another question, runs nothing else and changes no file.
    project.write_engine(&(ENGINE.to_owned() + "# newer\n"));
    let other = project.json(&["build"]);
    assert_eq!(last_stages(&other), ["write fresh", "prove fresh", "engine ran"]);
    let asked = project.json(&["build", "--set", "net.big.engine.bench_arguments=16 1 5"]);
    assert_eq!(last_stages(&asked), ["write fresh", "prove fresh", "engine ran"]);
    let patience = project.json(&["build", "--set", "net.big.engine.timeout=9", "--set", "net.big.engine.bench_arguments=16 1 5"]);
    assert_eq!(last_stages(&patience), ["write fresh", "prove fresh", "engine fresh"]);
    assert_eq!((project.text("nnue.lock"), names(&project.at("dist"))), (lock.clone(), files.clone()));
    assert!(!lock.contains("fish"), "no net is made from an engine: {lock}");
    let statement = files.iter().find(|name| name.ends_with(".json")).unwrap();
    assert!(!project.text(&format!("dist/{statement}")).contains("fish"));

    // What needs no engine asks for none.
    std::fs::remove_file(project.at("fish")).unwrap();
    project.nnue(&["verify", "--rebuild"]).ok();
    project.nnue(&["build", "--set", "net.big.engine=false", "--locked"]).ok();
    let text = project.nnue(&["build"]);
    assert_eq!(text.code, 1, "{}", text.transcript());
}

#[test]
fn what_an_engine_said_is_told_in_text() {
    let project = project(&with("Fake 1", "Fa\u{1b}[31mke $NNUE_REMOTE_CACHE_TOKEN.")).with_env("NNUE_REMOTE_CACHE_TOKEN", "secret");
    let ran = project.nnue(&["build"]).ok();
    let says = "ke .: writes the very file out again, bench of 1234 nodes as with its source";
    assert!(ran.out.contains(says) && !ran.out.contains('\u{1b}') && !ran.out.contains("secret"), "{}", ran.transcript());
}

#[test]
fn a_net_that_an_engine_does_not_take_is_not_published() {
    const BENCH: &str = r#"echo "info string NNUE evaluation using $net enabled"; echo "Nodes searched  : 1234" >&2;;"#;
    const EXPORT: &str = r#"cp "$net" "${line#export_net }"; echo saved;;"#;
    let cases: &[(&str, String, &[&str])] = &[
        (
            "another tree",
            with(": 1234\"", ": $(cksum < $net | cut -d' ' -f1)\""),
            &["does not play with the net as with its source", "nodes with the net and", "with the source"],
        ),
        (
            "no bench",
            with(BENCH, "echo 'info string ERROR: Network evaluation parameters compatible with the engine must be available.'; exit 1;;"),
            &["does not read the net", "Network evaluation parameters"],
        ),
        ("no option", with("name EvalFile type", "name OwnBook type"), &["has no option `EvalFile`", "calls itself `Fake 1`"]),
        (
            "another export",
            with(EXPORT, r#"cp ../source.nnue "${line#export_net }"; cat "$net" "$net" > "${line#export_net }";;"#),
            &["wrote no network"],
        ),
        (
            "no export",
            with(EXPORT, "echo Failed to export a net;;"),
            &["wrote no network at `export_net", "it last printed `Failed to export a net`"],
        ),
        ("a link for an export", with(EXPORT, r#"ln -s /dev/zero "${line#export_net }";;"#), &["what is there is not a file"]),
        ("it ends", with("isready) echo readyok;;", "isready) exit 3;;"), &["ended when it was asked `isready`", "exit status: 3"]),
        ("it is no engine", "#!/bin/sh\necho hello\n".to_owned(), &["ended when it was asked", "it last printed `hello`"]),
        ("it prints for ever", with("isready) echo readyok;;", "isready) yes 'readynotok';;"), &["prints without end"]),
        ("it is no program", "hello".to_owned(), &["cannot start the engine `./fish`"]),
    ];
    let project = project(ENGINE);
    for (what, engine, says) in cases {
        project.write_engine(engine);
        let ran = project.nnue(&["build"]);
        let not_published = ["net `big` failed", "was not published: there is no such file"];
        let is_told = says.iter().chain(&not_published).all(|part| ran.err.contains(part));
        assert!(ran.code == 1 && is_told, "{what}: {}", ran.transcript());
        assert!(names(&project.at("dist")).is_empty() && !project.at("nnue.lock").exists(), "{what}");
        let report = project.nnue(&["status", "--json"]).json();
        assert_eq!(last_stages(&report)[2], "engine stale", "{what}");
    }
    std::fs::remove_file(project.at("fish")).unwrap();
    let ran = project.nnue(&["build"]);
    assert!(ran.code == 1 && ran.err.contains("there is no engine `./fish`") && ran.err.contains("apt install"), "{}", ran.transcript());
    project.write_engine(ENGINE);
    std::fs::set_permissions(project.at("fish"), PermissionsExt::from_mode(0o644)).unwrap();
    let ran = project.nnue(&["build"]);
    assert!(ran.code == 1 && ran.err.contains("check its permissions"), "{}", ran.transcript());
    let nowhere = project.nnue(&["build", "--set", "net.big.engine.path=no-such-engine"]);
    assert!(nowhere.code == 1 && nowhere.err.contains("there is no engine `no-such-engine`"), "{}", nowhere.transcript());
}

/// An engine that ignores the net is found out only by what shows that it took it.
#[test]
fn something_must_show_that_the_net_was_taken() {
    let project = project(&with("info string NNUE evaluation using $net enabled", "info string thinking"));
    project.nnue(&["build"]).ok();
    let ran = project.nnue(&["build", "--set", "net.big.engine.export=false"]);
    let says = ["nothing shows that the engine `./fish` took the net", "has been published already"];
    assert!(ran.code == 1 && says.iter().all(|part| ran.err.contains(part)), "{}", ran.transcript());
    project.write_engine(ENGINE);
    let ran = project.nnue(&["build", "--json", "--set", "net.big.engine.export=false"]).ok();
    let report = ran.json();
    assert_eq!((&net(&report, "big")["engine"]["exported"], &net(&report, "big")["engine"]["nodes"]), (&Value::Null, &1234.into()));
}

/// An engine of another time does not read the source: then its integers are written as the result is.
#[test]
fn a_source_that_the_engine_does_not_read_is_written_again() {
    let refuses = r#"[ $net = source.nnue ] && grep -q COMPRESSED $net || { echo "info string ERROR: no"; exit 1; }; [ $net != source.nnue ] || true;"#;
    let refuses =
        refuses.replace("[ $net = source.nnue ] && grep -q COMPRESSED $net ||", "[ $net = result.nnue ] || grep -q COMPRESSED $net ||");
    let project = project(&with("bench*) ", &format!("bench*) {refuses} ")));
    project.nnue(&["convert", "run.nnue", "raw.nnue", "--ft_compression", "none", "--quantization", "ft127"]).ok();
    project.manifest(
        &MANIFEST
            .replace("path = \"run.nnue\"", "path = \"raw.nnue\"")
            .replace("source = \"run\"", "source = \"run\"\ncompression = \"leb128\""),
    );
    let report = project.json(&["build"]);
    assert_eq!(net(&report, "big")["engine"]["against"], "unpermuted", "{report}");
}

/// Of two nets the smaller one has an option of its own, and is written out second.
#[test]
fn second_nets_go_to_their_own_option() {
    let small =
        ENGINE.replace("EvalFile", "EvalFileSmall").replace(r#"cp "$net" "${line#export_net }""#, r#"set -- $line; cp "$net" "$3""#);
    let project = project(&small);
    project.manifest(&MANIFEST.replace("quantization = \"ft127\"", "quantization = \"ft127\"\narchitecture = \"small\""));
    let report = project.json(&["build"]);
    assert_eq!(net(&report, "big")["engine"]["exported"], "bytes", "{report}");
    let other = project.nnue(&["build", "--set", "net.big.engine.option=EvalFile"]);
    assert!(other.code == 1 && other.err.contains("has no option `EvalFile`"), "{}", other.transcript());
}

#[test]
fn speed_is_measured_in_turn_and_told_with_its_interval() {
    let sleeps = r#"bench*) if [ $net = source.nnue ]; then sleep 0.2; else sleep 0.1; fi; "#;
    let project = project(&with("bench*) ", sleeps));
    project.manifest(&(MANIFEST.to_owned() + "speed = 4\n"));
    let ran = project.nnue(&["build"]).ok();
    assert!(ran.out.contains("with 95 % confidence), 4 pairs of benches"), "{}", ran.transcript());
    let speed = net(&project.json(&["build"]), "big")["engine"]["speed"].clone();
    let of = |name: &str| speed[name].as_f64().unwrap();
    assert!(speed["pairs"] == 4 && of("low") <= of("ratio") && of("ratio") <= of("high"), "{speed}");
    assert!((1.1..2.5).contains(&of("ratio")), "{speed}");
    // What changes from run to run is not timed.
    project.write_engine(&with(": 1234\"", ": $(cat count 2>/dev/null || echo 7)\"; [ -e source.nnue ] && echo 8 > count; echo \"\""));
    let ran = project.nnue(&["build"]);
    assert!(ran.code == 1 && ran.err.contains("Threads=1"), "{}", ran.transcript());
}

/// Whether a process of this number runs.
fn runs(process: &str) -> bool {
    std::fs::read_to_string(Path::new("/proc").join(process.trim()).join("stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// Waits for the number that a script wrote, and gives it.
fn number(project: &Project, name: &str) -> String {
    let end = Instant::now() + Duration::from_secs(60);
    while std::fs::read_to_string(project.at(name)).map_or(true, |text| !text.ends_with('\n')) {
        assert!(Instant::now() < end, "no `{name}`");
        std::thread::sleep(Duration::from_millis(10));
    }
    project.text(name)
}

#[test]
fn an_engine_that_hangs_is_ended_with_all_that_it_started() {
    if !Path::new("/proc/self/stat").exists() {
        return;
    }
    let engine =
        |project: &Project| with("bench*) ", &format!("bench*) sleep 1000 & echo $! > {}; wait; ", project.at("sleeper").display()));
    let late = project(ENGINE);
    late.write_engine(&engine(&late));
    let ran = late.nnue(&["build", "--set", "net.big.engine.timeout=1"]);
    assert!(ran.code == 1 && ran.err.contains("did not answer `bench` in 1 s"), "{}", ran.transcript());
    assert!(!runs(&number(&late, "sleeper")));

    let interrupted = project(ENGINE);
    interrupted.write_engine(&engine(&interrupted));
    let child = interrupted.start(&["build"]);
    let sleeper = number(&interrupted, "sleeper");
    assert!(runs(&sleeper));
    let killed = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!((ran.code, runs(&sleeper)), (130, false), "{}", ran.transcript());
    assert!(names(&interrupted.at("dist")).is_empty());
}

#[test]
fn mistakes_in_the_table_are_mistakes_of_the_manifest() {
    let project = project(ENGINE);
    let table = |lines: &str| format!("{MANIFEST}{lines}");
    for (manifest, says) in [
        (table("bench = false\nspeed = 4\n"), "`net.big.engine.speed` needs `bench`"),
        (table("bench = false\nexport = false\n"), "asks nothing of the engine"),
        (table("options = [\"Hash=1\\nquit\"]\n"), "is no text of one line"),
        (table("bench_arguments = \"16\\nquit\"\n"), "is no text of one line"),
        (table("speed = 1\n"), "speed"),
        (table("depth = 1\n"), "unknown key `depth`"),
        (MANIFEST.replace("path = \"./fish\"\n", ""), "`net.big.engine` has no `path`"),
        (
            MANIFEST.replace("\"dist/\"", "\"a.safetensors\"").replace("[net.big.optimize]\ndata = \"fens\"\npositions = 100\n", ""),
            "has nothing to load",
        ),
    ] {
        project.manifest(&manifest);
        let ran = project.nnue(&["build"]);
        assert!(ran.code == 2 && ran.err.contains(says), "{says}: {}", ran.transcript());
    }
}
