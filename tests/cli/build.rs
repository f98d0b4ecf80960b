//! `nnue build`, `status` and `init` as a user runs them: the real binary on small projects.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::fixture::{MANIFEST, project};
use crate::cli_support::{names, nnue, write_net};
use crate::common;
use crate::project::{Project, files_below, keys, net, statuses};

#[test]
fn a_build_says_what_it_made_and_the_next_one_that_nothing_is_to_do() {
    let project = project();
    let first = project.nnue(&["build"]).ok();
    assert!(first.out.contains("big: built") && first.out.contains("zero blocks") && first.out.contains("plain: built"), "{}", first.out);
    let sha256 = project.sha256("latest.nnue");
    assert!(first.out.contains(&format!("dist/nn-{}.nnue", &sha256[..12])) && first.out.contains(&sha256), "{}", first.out);
    assert_eq!(names(&project.path.join("dist")), [format!("nn-{}.nnue", &sha256[..12])]);
    assert_eq!(first.err, "");
    let second = project.nnue(&["build"]).ok();
    assert!(second.out.contains("big: up to date") && second.out.contains("plain: up to date"), "{}", second.out);
    let quiet = project.nnue(&["build", "-q"]).ok();
    assert_eq!((quiet.out.as_str(), quiet.err.as_str()), ("", ""));
}

#[test]
fn the_json_has_the_documented_members() {
    let project = project();
    let before = project.nnue(&["status", "--json"]).ok().json();
    assert_eq!(net(&before, "big")["status"], "stale");
    assert!(!project.path.join(".nnue").exists(), "status changes nothing");

    let report = project.nnue(&["build", "--json"]).ok().json();
    assert_eq!(keys(&report), ["schema", "nets"]);
    assert_eq!(report["schema"], 1);
    let big = net(&report, "big");
    assert_eq!(keys(big), ["net", "status", "outputs", "zero_blocks", "largest_sum", "proof", "engine", "stages", "error"]);
    assert_eq!((&big["status"], &big["error"]), (&"built".into(), &Value::Null));
    for output in big["outputs"].as_array().unwrap() {
        assert_eq!(keys(output), ["path", "sha256", "bytes", "provenance"]);
        let path = output["path"].as_str().unwrap();
        assert_eq!(project.sha256(path), output["sha256"]);
        assert_eq!(project.bytes(path).len() as u64, output["bytes"]);
    }
    let zero = &big["zero_blocks"];
    assert_eq!(zero["positions"], 100);
    assert!(zero["before"].as_f64().unwrap() < zero["after"].as_f64().unwrap(), "{zero}");
    let expected = [("load", "ran"), ("gather", "ran"), ("search", "ran"), ("permute", "ran"), ("write", "ran"), ("prove", "ran")];
    assert_eq!(statuses(big), expected);
    for stage in big["stages"].as_array().unwrap() {
        assert_eq!(keys(stage), ["stage", "status", "seconds", "key", "digest", "reason", "remote"]);
        assert_eq!(stage["remote"], Value::Null, "there is no cluster");
        assert!(stage["seconds"].as_f64().unwrap() >= 0.0);
        assert_eq!((stage["key"].as_str().unwrap().len(), stage["digest"].as_str().unwrap().len()), (64, 64));
        assert_eq!(keys(&stage["reason"]), ["kind", "name", "old", "new"]);
    }
    assert_eq!(net(&report, "plain")["zero_blocks"], Value::Null);
    assert_eq!((&big["proof"]["positions"], &net(&report, "plain")["proof"]), (&100.into(), &Value::Null));

    let status = project.nnue(&["status", "--json"]).ok().json();
    assert!(statuses(net(&status, "big")).iter().all(|(_, status)| *status == "fresh"), "{status}");
    assert_eq!(net(&status, "big")["outputs"], big["outputs"]);
    project.manifest(&MANIFEST.replace("positions = 100", "positions = 120"));
    let status = project.nnue(&["status", "big", "--json"]).ok().json();
    let gather = &net(&status, "big")["stages"][1];
    assert_eq!((&gather["status"], &gather["seconds"], &gather["digest"]), (&"stale".into(), &Value::Null, &Value::Null));
    assert_eq!(gather["reason"], serde_json::json!({"kind": "param_changed", "name": "positions", "old": "100", "new": "120"}));
    let text = project.nnue(&["status"]).ok().out;
    assert!(text.contains("`positions` changed: 100 → 120") && text.contains("plain: fresh"), "{text}");
}

#[test]
fn dry_run_force_and_names() {
    let project = project();
    let dry = project.nnue(&["build", "--dry-run"]).ok();
    assert!(dry.out.contains("big: stale") && dry.out.contains("never built before"), "{}", dry.out);
    assert!(!project.path.join(".nnue").exists() && !project.path.join("dist").exists());

    let one = project.nnue(&["build", "plain", "--json"]).ok().json();
    assert_eq!(one["nets"].as_array().unwrap().len(), 1);
    assert!(project.path.join("plain.nnue").exists() && !project.path.join("latest.nnue").exists());
    project.nnue(&["build", "huge"]).fails(2, &["no net `huge`", "big, plain"]);

    project.nnue(&["build"]).ok();
    let before = project.sha256("latest.nnue");
    let forced = project.nnue(&["build", "--force", "--json"]).ok().json();
    assert!(statuses(net(&forced, "big")).iter().all(|(_, status)| *status == "ran"), "{forced}");
    assert_eq!(net(&forced, "big")["stages"][1]["reason"]["kind"], "forced");
    assert_eq!(project.sha256("latest.nnue"), before);
}

#[test]
fn threads_and_backends_change_no_byte() {
    let project = project();
    let mut seen = Vec::new();
    for jobs in ["1", "2", "7"] {
        project.nnue(&["build", "--force", "-j", jobs, "--backend", "cpu"]).ok();
        seen.push((project.sha256("latest.nnue"), project.sha256("plain.nnue"), project.sha256("nnue.lock")));
    }
    assert!(seen.iter().all(|each| *each == seen[0]), "{seen:?}");
    project.nnue(&["build", "-j", "0"]).fails(2, &["-j", "0"]);
}

#[test]
fn one_bad_net_stops_the_build_unless_told_to_keep_going() {
    let project = project();
    project.manifest(&format!("{MANIFEST}\n[net.aaa]\nsource = \"missing.nnue\"\noutputs = [\"aaa.nnue\"]\n"));
    let stopped = project.nnue(&["build"]);
    assert_eq!(stopped.code, 1);
    assert!(stopped.err.contains("missing.nnue") && stopped.err.contains("nnue.toml:"), "{}", stopped.transcript());
    assert!(stopped.out.contains("big: not built, because another net failed"), "{}", stopped.transcript());
    assert!(!project.path.join("plain.nnue").exists());

    let going = project.nnue(&["build", "--keep-going", "--json"]);
    assert_eq!(going.code, 1);
    let report = going.json();
    assert_eq!((&net(&report, "big")["status"], &net(&report, "plain")["status"]), (&"built".into(), &"built".into()));
    assert_eq!(net(&report, "aaa")["status"], "failed");
    assert!(net(&report, "aaa")["error"].as_str().unwrap().contains("missing.nnue"));
    let lock = std::fs::read_to_string(project.path.join("nnue.lock")).unwrap();
    assert!(lock.contains("\"big\"") && lock.contains("\"plain\"") && !lock.contains("\"aaa\""), "{lock}");
}

#[test]
fn what_the_manifest_says_of_a_source_is_checked_and_shown_where_it_stands() {
    let project = project();
    for (line, parts) in [
        ("l1 = 128", ["L1=64 in the file, 128 expected", "l1 = 128"]),
        ("l2 = 16", ["L2=15 in the file, 16 expected", "l2 = 16"]),
        ("features = \"HalfKP\"", ["features=`HalfKAv2_hm` in the file, `HalfKP` expected", "features = \"HalfKP\""]),
        ("architecture = \"SFNNv10b\"", ["SFNNv10b expected", "architecture = \"SFNNv10b\""]),
    ] {
        project.manifest(&MANIFEST.replace("path = \"run.nnue\"\n", &format!("path = \"run.nnue\"\n{line}\n")));
        let ran = project.nnue(&["build"]);
        assert_eq!(ran.code, 1, "{}", ran.transcript());
        for part in parts.into_iter().chain(["run.nnue", "nnue.toml:", "help: correct or remove", "HalfKAv2_hm"]) {
            assert!(ran.err.contains(part), "`{part}` is missing:\n{}", ran.transcript());
        }
        assert!(!project.path.join("plain.nnue").exists() && !project.path.join("nnue.lock").exists());
    }
    project.manifest(MANIFEST);
    let ran = project.nnue(&["build", "--set", "source.run.l1=32", "--json"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("L1=64 in the file, 32 expected") && ran.err.contains("source.run.l1=32"), "{}", ran.transcript());
    let error = net(&ran.json(), "big")["error"].as_str().unwrap().to_owned();
    assert!(error.contains("L1=64 in the file, 32 expected"), "{error}");
}

#[test]
fn a_source_that_is_no_network_is_called_what_it_is() {
    let project = project();
    let whole = project.bytes("run.nnue");
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";
    let cases: [(&[u8], &str); 5] = [
        (b"<!DOCTYPE html>\n<html><body>404</body></html>\n", "HTML"),
        (pointer, "git-lfs"),
        (b"", "empty"),
        (&whole[..whole.len() / 2], "truncated at byte"),
        (&[0xAB; 5000], "ab ab ab"),
    ];
    for (bytes, part) in cases {
        std::fs::write(project.path.join("run.nnue"), bytes).unwrap();
        let ran = project.nnue(&["build"]);
        assert_eq!(ran.code, 1, "{}", ran.transcript());
        assert!(ran.err.contains(part) && ran.err.contains("run.nnue"), "`{part}`: {}", ran.transcript());
        assert!(!project.path.join("plain.nnue").exists());
    }
    std::fs::remove_file(project.path.join("run.nnue")).unwrap();
    let ran = project.nnue(&["build"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("run.nnue") && ran.err.contains("nnue.toml:"), "{}", ran.transcript());
    std::fs::create_dir(project.path.join("run.nnue")).unwrap();
    let ran = project.nnue(&["build"]);
    assert!(ran.code == 1 && ran.err.contains("run.nnue"), "{}", ran.transcript());
}

#[test]
fn mistakes_in_the_manifest_are_shown_all_at_once() {
    let empty = tempfile::tempdir().unwrap();
    nnue(empty.path(), ["build"]).fails(2, &["no `nnue.toml`", "-f FILE"]);
    nnue(empty.path(), ["build", "-f", "other.toml"]).fails(2, &["other.toml"]);
    nnue(empty.path(), ["-C", "nowhere", "build"]).fails(2, &["nowhere"]);
    let project = project();
    project.manifest(&MANIFEST.replace("positions = 100", "postions = 100").replace("compression = \"none\"", "compression = \"zip\""));
    project.nnue(&["build"]).fails(2, &["postions", "positions", "zip", "leb128", "nnue.toml:"]);
    project.manifest("version = 1\n[net.a\n");
    project.nnue(&["status"]).fails(2, &["nnue.toml:2"]);
}

#[test]
fn values_of_the_manifest_can_be_replaced_on_the_command_line() {
    let project = project();
    let report = project.nnue(&["build", "big", "--json", "--set", "net.big.optimize.positions=50"]).ok().json();
    assert_eq!(net(&report, "big")["zero_blocks"]["positions"], 50);
    let report = project.nnue(&["status", "big", "--json"]).ok().json();
    assert_eq!(net(&report, "big")["stages"][1]["reason"]["old"], "50");
    project.nnue(&["build", "--set", "net.big.optimize.positions=many"]).fails(2, &["--set", "positions"]);
    project.nnue(&["build", "--set", "net.big.optimise.positions=5"]).fails(2, &["optimise"]);
    let ran = project.nnue(&["build", "--set", "net.big.optimize.positions=5000"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("5000") && ran.err.contains("300"), "{}", ran.transcript());
}

#[test]
fn the_manifest_is_found_from_below_and_by_name() {
    let project = project();
    std::fs::create_dir_all(project.path.join("sub/below")).unwrap();
    nnue(&project.path.join("sub/below"), ["build", "plain"]).ok();
    assert!(project.path.join("plain.nnue").exists());
    let parent = project.path.parent().unwrap();
    for args in [["-C", "project", "build"].as_slice(), &["-f", "project/nnue.toml", "build"], &["build", "-f", "project/nnue.toml"]] {
        nnue(parent, args).ok();
    }
    let report = nnue(parent, ["status", "--json", "-f", "project/nnue.toml"]).ok().json();
    assert_eq!((&net(&report, "big")["status"], &net(&report, "plain")["status"]), (&"fresh".into(), &"fresh".into()));
}

#[test]
fn a_place_where_nothing_can_be_remembered_costs_warnings() {
    let project = project();
    std::fs::write(project.path.join(".nnue"), "a file where the folder should be").unwrap();
    for _ in 0..2 {
        let ran = project.nnue(&["build"]).ok();
        assert!(ran.err.contains("disabling cache writes for this run") && ran.err.contains("cannot record this build"), "{}", ran.err);
        assert!(ran.err.matches("warning:").count() <= 3, "{}", ran.err);
    }
    project.nnue(&["verify"]).ok();
    project.nnue(&["build", "--locked"]).ok();
}

#[test]
fn a_sweep_builds_a_net_for_each_file_and_later_only_the_new_one() {
    let project = project();
    std::fs::create_dir(project.path.join("runs")).unwrap();
    for epoch in 1..=3 {
        write_net(&project.path.join(format!("runs/epoch={epoch}.nnue")), "small", 16, epoch);
    }
    project.manifest(
        "version = 1\n[net.\"nightly/{stem}\"]\nsource = { glob = \"runs/epoch=*.nnue\" }\ncompression = \"none\"\noutputs = [\"nightly/{stem}.nnue\"]\n",
    );
    project.nnue(&["build"]).ok();
    assert_eq!(names(&project.path.join("nightly")), ["epoch=1.nnue", "epoch=2.nnue", "epoch=3.nnue"]);
    write_net(&project.path.join("runs/epoch=4.nnue"), "small", 16, 4);
    let report = project.nnue(&["build", "--json"]).ok().json();
    let ran: Vec<&str> =
        report["nets"].as_array().unwrap().iter().filter(|net| net["status"] == "built").map(|net| net["net"].as_str().unwrap()).collect();
    assert_eq!(ran, ["nightly/epoch=4"]);
    let one = project.nnue(&["status", "nightly/epoch=2", "--json"]).ok().json();
    assert_eq!(one["nets"].as_array().unwrap().len(), 1);
    assert_eq!(project.nnue(&["status", "nightly/{stem}", "--json"]).ok().json()["nets"].as_array().unwrap().len(), 4);
    std::fs::remove_file(project.path.join("runs/epoch=1.nnue")).unwrap();
    project.nnue(&["build"]).ok();
    assert!(!std::fs::read_to_string(project.path.join("nnue.lock")).unwrap().contains("epoch=1"));
}

#[test]
fn checkpoints_in_a_sweep_give_the_bytes_of_the_trainer() {
    let Some(golden) = common::golden() else { return };
    let golden = golden.join("public/A_seed/HalfKAv2_hm_fact_L32");
    let project = project();
    std::fs::create_dir(project.path.join("runs")).unwrap();
    std::fs::write(project.path.join("runs/epoch=1.ckpt"), common::read_maybe_xz(&golden.join("net.ckpt"))).unwrap();
    std::fs::write(project.path.join("runs/epoch=2.pt"), common::read_maybe_xz(&golden.join("net.pt"))).unwrap();
    project.manifest(
        "version = 1\n[net.\"{stem}\"]\nsource = { glob = \"runs/epoch=*\", features = \"HalfKAv2_hm^\", quantization = \"ft255\" }\noutputs = [\"{stem}.nnue\"]\n",
    );
    let ran = project.nnue(&["build", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.transcript());
    let expected = common::json(&golden.join("manifest.json"))["outputs"]["ckpt_to_nnue_leb128"]["sha256"].clone();
    for name in ["epoch=1", "epoch=2"] {
        assert_eq!(project.sha256(&format!("{name}.nnue")), expected, "{name}");
        let report = ran.json();
        let stages: Vec<&str> = statuses(net(&report, name)).into_iter().map(|(stage, _)| stage).collect();
        assert_eq!(stages, ["load", "coalesce", "quantize", "write"]);
    }
    assert_eq!(project.nnue(&["build", "--json"]).ok().json()["nets"][0]["status"], "fresh");
}

#[test]
fn spaces_letters_and_links_in_paths_change_neither_keys_nor_bytes() {
    let (plain, odd) = (project(), Project::in_folder("a böx, with späces/„网络“ #1", MANIFEST));
    let first = plain.nnue(&["build", "--json"]).ok().json();
    let second = odd.nnue(&["build", "--json"]).ok().json();
    let facts = |report: &Value| {
        let stages = net(report, "big")["stages"].as_array().unwrap().clone();
        let keys: Vec<Value> = stages.iter().flat_map(|stage| [stage["key"].clone(), stage["digest"].clone()]).collect();
        (keys, net(report, "big")["outputs"].clone())
    };
    assert_eq!(facts(&first), facts(&second));
    assert_eq!(plain.bytes("nnue.lock"), odd.bytes("nnue.lock"));
    let link = plain.path.with_file_name("link");
    std::os::unix::fs::symlink(&plain.path, &link).unwrap();
    let third = nnue(&link, ["build", "--json"]).ok().json();
    assert_eq!(net(&third, "big")["status"], "fresh");
    assert_eq!(facts(&first), facts(&third));
    std::fs::rename(plain.path.join("run.nnue"), plain.path.join("real.nnue")).unwrap();
    std::os::unix::fs::symlink("real.nnue", plain.path.join("run.nnue")).unwrap();
    assert_eq!(net(&plain.nnue(&["build", "--json"]).ok().json(), "big")["status"], "fresh");
}

#[test]
fn a_locked_build_changes_nothing_and_says_what_it_would_change() {
    let project = project();
    project.nnue(&["build", "--locked"]).fails(3, &["net `big` is not locked", "net `plain` is not locked", "`nnue.lock` would change"]);
    assert!(!project.path.join("plain.nnue").exists(), "nothing runs");
    project.nnue(&["build"]).ok();
    let (lock, latest) = (project.bytes("nnue.lock"), project.sha256("latest.nnue"));
    project.nnue(&["build", "--locked"]).ok();
    std::fs::remove_file(project.path.join("latest.nnue")).unwrap();
    project.nnue(&["build", "--locked"]).ok();
    assert_eq!(project.sha256("latest.nnue"), latest);

    // Another input: nothing runs.
    let source = project.bytes("run.nnue");
    let new = write_net(&project.path.join("run.nnue"), "small", 64, 6);
    project.nnue(&["build", "--locked"]).fails(3, &["input `run.nnue`", &common::sha256(&source), &common::sha256(&new)]);
    assert_eq!(project.sha256("latest.nnue"), latest);
    std::fs::write(project.path.join("run.nnue"), &source).unwrap();

    // Another output from the same inputs.
    project.manifest(&MANIFEST.replace("first", "second"));
    let ran = project.nnue(&["build", "--locked"]).fails(3, &["output `latest.nnue`", &latest]);
    assert!(!ran.err.contains("net `plain`"), "{}", ran.err);
    assert_eq!(project.bytes("nnue.lock"), lock);
    assert_eq!(project.sha256("latest.nnue"), latest, "a locked build leaves the published file alone");
}

/// Every file below `folder` that looks temporary.
fn temporary(folder: &Path) -> Vec<PathBuf> {
    files_below(folder).into_iter().filter(|path| path.file_name().unwrap().to_str().unwrap().contains("tmp")).collect()
}

/// Starts the binary, and sends it a signal once `when` says so.
fn interrupted(project: &Project, args: &[&str], when: impl Fn(&Path) -> bool) -> std::process::Output {
    let child = project.start(args);
    let start = Instant::now();
    while !when(&project.path) && start.elapsed() < Duration::from_secs(120) {
        std::thread::sleep(Duration::from_millis(2));
    }
    // It may have ended by itself: then there is nobody to get the signal.
    let _ = std::process::Command::new("sh").arg("-c").arg(format!("kill -INT {}", child.id())).status().unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn an_interrupted_build_leaves_nothing_half_done() {
    let (project, other) = (project(), project());
    let endless = MANIFEST.replace("positions = 100", "positions = 100\nalgorithm = \"anneal\"\nmoves = 1_000_000_000_000");
    project.manifest(&endless);
    let is_searching = |path: &Path| {
        let blobs =
            std::fs::read_dir(path.join(".nnue/cache/v1/cas")).map(|shards| shards.flatten().filter(|shard| shard.path().is_dir()).count());
        blobs.is_ok_and(|count| count >= 1)
    };
    let output = interrupted(&project, &["build", "big"], is_searching);
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{err}");
    assert!(err.contains("interrupted"), "{err}");
    assert!(!project.path.join("latest.nnue").exists() && !project.path.join("nnue.lock").exists());
    assert_eq!(temporary(&project.path), Vec::<PathBuf>::new());

    project.manifest(MANIFEST);
    other.nnue(&["build"]).ok();
    for delay in [0, 5, 20, 60, 150] {
        let start = Instant::now();
        let output = interrupted(&project, &["build"], |_| start.elapsed() >= Duration::from_millis(delay));
        assert!(matches!(output.status.code(), Some(0 | 130) | None), "{output:?}");
        if output.status.code().is_some() {
            assert_eq!(temporary(&project.path), Vec::<PathBuf>::new(), "after {delay} ms");
        }
    }
    project.nnue(&["build"]).ok();
    for name in ["latest.nnue", "plain.nnue", "nnue.lock"] {
        assert_eq!(project.bytes(name), other.bytes(name), "{name}");
    }
}

/// Whoever stops a long build sees what it has finished, and finds it finished.
#[test]
fn a_finished_net_is_told_of_at_once() {
    let project = project();
    project.manifest(&MANIFEST.replace("positions = 100", "positions = 100\nalgorithm = \"anneal\"\nmoves = 1_000_000_000_000"));
    for format in ["text", "json"] {
        let mut child = project.start(&["build", "-j", "2", "--force", "--log-format", format]);
        let mut lines = if format == "text" {
            Box::new(BufReader::new(child.stdout.take().unwrap()).lines()) as Box<dyn Iterator<Item = std::io::Result<String>>>
        } else {
            Box::new(BufReader::new(child.stderr.take().unwrap()).lines())
        };
        let wanted = if format == "text" {
            "plain: built"
        } else {
            r#""event":"net","net":"plain","status":"built","outputs":[{"path":"plain.nnue","#
        };
        lines.by_ref().map(Result::unwrap).find(|line| line.contains(wanted)).expect("it is told while `big` goes on");
        std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        let rest: Vec<String> = lines.map(Result::unwrap).collect();
        assert_eq!(child.wait().unwrap().code(), Some(130));
        if format == "text" {
            assert_eq!(
                rest[rest.len() - 1],
                format!("  → plain.nnue  {} bytes  sha256 {}", project.bytes("plain.nnue").len(), project.sha256("plain.nnue"))
            );
            let mut err = String::new();
            child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
            assert!(err.contains("1 net of this build is finished") && err.contains("the same command goes on from there"), "{err}");
        } else {
            assert!(rest.iter().any(|line| line.contains(r#""net":"big","stage":""#)), "{rest:?}");
        }
    }
    assert_eq!(crate::project::net(&project.json(&["status"]), "plain")["status"], "fresh");
}

/// Two nets of the same bytes, of which one may not be written: the other is built and locked.
#[test]
fn a_net_does_not_fail_for_the_place_of_another() {
    let project = project();
    let net = |name: &str, more: &str| format!("[net.{name}]\nsource = \"run.nnue\"\n{more}\n");
    let refused = "outputs = [\"o/nn-000000000000.nnue\"]\npublish = \"fishtest\"\nlicense = \"CC0-1.0\"";
    std::fs::write(project.path.join("file"), "").unwrap();
    for bad in [refused, "outputs = [\"file/b.nnue\"]"] {
        project.manifest(&format!("version = 1\n{}{}", net("a", "outputs = [\"dist/\"]"), net("b", bad)));
        let ran = project.nnue(&["build", "--keep-going", "--json"]);
        assert_eq!(ran.code, 1, "{}", ran.transcript());
        let report = ran.json();
        assert_eq!((&report["nets"][0]["status"], &report["nets"][1]["status"]), (&"built".into(), &"failed".into()), "{report:#}");
        assert!(String::from_utf8(project.bytes("nnue.lock")).unwrap().contains("name = \"a\""));
        std::fs::remove_dir_all(project.path.join(".nnue")).unwrap();
        std::fs::remove_dir_all(project.path.join("dist")).unwrap();
    }
}

/// A file that the last build published is nobody's doing.
#[test]
fn a_parameter_that_went_back_is_the_reason_and_not_the_file() {
    let project = project();
    let manifest = |description: &str| {
        project
            .manifest(&format!("version = 1\n[net.a]\nsource = \"run.nnue\"\noutputs = [\"a.nnue\"]\ndescription = \"{description}\"\n"));
    };
    for description in ["first", "second"] {
        manifest(description);
        project.nnue(&["build"]).ok();
    }
    manifest("first");
    let stages = project.nnue(&["status", "--json"]).json()["nets"][0]["stages"].clone();
    let reason = &stages.as_array().unwrap().last().unwrap()["reason"];
    assert_eq!((&reason["kind"], &reason["old"], &reason["new"]), (&"param_changed".into(), &"second".into(), &"first".into()), "{reason}");
}

#[test]
fn values_that_would_move_the_cursor_are_escaped() {
    let project = project();
    project.nnue(&["build"]).ok();
    project.manifest(&MANIFEST.replace("\"first\"", "\"a\\u001b[2Jb\\u009bc\""));
    for args in [&["status"][..], &["explain", "big"], &["build", "--dry-run"], &["build"]] {
        let ran = project.nnue(args);
        assert!(ran.out.contains("[2J"), "{}", ran.transcript());
        assert!(!ran.out.contains(['\u{1b}', '\u{9b}']), "{}", ran.transcript());
    }
}
