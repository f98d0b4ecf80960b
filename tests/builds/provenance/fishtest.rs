//! The check of `publish = "fishtest"`: names, contents, and when they are looked at.

use super::*;

#[test]
fn a_net_for_fishtest_gets_its_public_name_when_it_is_fit_for_it() {
    let project = project_with(PUBLISHED);
    let report = project.report(&["build"], "big");
    let path = report["outputs"][0]["path"].as_str().unwrap();
    assert_eq!(path, format!("dist/nn-{}.nnue", &project.sha256(path)[..12]));
    assert_eq!(report["outputs"][0]["provenance"], Value::Null);
    assert_eq!(project.report(&["build"], "big")["status"], "fresh");
    let checked = project.report(&["verify"], "big");
    assert_eq!(checked["publish"], json!([{"path": path, "problem": null}]));
    project.nnue(&["verify", "--rebuild"]).ok();

    // A fixed name is good where it is that of the content.
    project.manifest(&PUBLISHED.replace("dist/", &path.replace("dist/", "")));
    project.nnue(&["build"]).ok();
}

#[test]
fn real_nets_pass_under_their_own_names() {
    let Some(golden) = common::golden() else { return };
    for name in ["nn-37f18f62d772.nnue", "nn-baff1ede1f90.nnue"] {
        let project = project_with(&PUBLISHED.replace("the run #1/größe.nnue", "run.nnue"));
        std::fs::copy(golden.join("nets").join(name), project.path.join("run.nnue")).unwrap();
        project.nnue(&["build"]).ok();
        assert_eq!(names(&project.path.join("dist")), [name]);
        project.nnue(&["verify"]).ok();
    }
}

#[test]
fn a_net_beside_a_published_one_is_not_judged() {
    let other = "[net.other]\nsource = \"the run #1/größe.nnue\"\noutputs = [\"other.nnue\"]\n";
    let project = project_with(&format!("{PUBLISHED}{other}"));
    project.nnue(&["build"]).ok();
    assert!(project.path.join("other.nnue").exists(), "one write action serves both nets");
    assert_eq!(project.report(&["verify"], "other")["publish"], json!([]));
    assert_eq!(project.report(&["status"], "big")["status"], "fresh");
}

#[test]
fn a_name_that_is_not_the_contents_is_refused_before_the_file_is_there() {
    let project = project_with(&PUBLISHED.replace("dist/", "nn-000000000000.nnue"));
    let ran = project.nnue(&["build"]);
    assert_eq!(ran.code, 1, "{}", ran.transcript());
    for part in ["fishtest would refuse `nn-000000000000.nnue`", "the SHA-256 is", "help: name a folder", "net `big` failed"] {
        assert!(ran.err.contains(part), "`{part}` is missing: {}", ran.transcript());
    }
    assert_eq!(names(&project.path), [".nnue", "a.fen", "b.fen", "nnue.toml", "the run #1"], "nothing is published, nothing is left");
    // A file that was there stays.
    std::fs::write(project.path.join("nn-000000000000.nnue"), "old").unwrap();
    assert_eq!(project.nnue(&["build"]).code, 1);
    assert_eq!(project.bytes("nn-000000000000.nnue"), b"old");
}

#[test]
fn mistakes_about_publication_are_mistakes_of_the_manifest() {
    for (from, to, parts) in [
        ("license = \"CC0-1.0\"\n", "", ["would be published without a licence", "license = \"CC0-1.0\""]),
        ("CC0-1.0", "MIT", ["under the licence `MIT`", "license = \"CC0-1.0\""]),
        ("dist/", "big.pt", ["has no output that fishtest accepts", "add a folder"]),
        ("dist/", "latest.nnue", ["fishtest does not accept a net named `latest.nnue`", "name a folder"]),
    ] {
        let project = project_with(&PUBLISHED.replace(from, to));
        project.nnue(&["build"]).fails(2, &parts);
        project.nnue(&["verify"]).fails(2, &parts);
    }
    // The names of a sweep are judged when they are known, once for all of them.
    let sweep = "version = 1\n[net.\"{stem}\"]\nsource = { glob = \"*/*.nnue\" }\noutputs = \"{stem}.nnue\"\npublish = \"fishtest\"\nlicense = \"CC0-1.0\"\n";
    let project = project_with(sweep);
    write_net(&project.path.join("the run #1/b.nnue"), "small", 16, 4);
    let ran = project.nnue(&["build"]).fails(2, &["fishtest does not accept a net named"]);
    assert_eq!(ran.err.matches("fishtest does not accept a net").count(), 1, "{}", ran.err);
}

#[test]
fn a_net_that_is_published_later_is_checked_once() {
    let unpublished = PUBLISHED.replace("publish = \"fishtest\"\n", "");
    let project = project_with(&unpublished);
    project.nnue(&["build"]).ok();
    let state = project.path.join(".nnue/state/nets/big.json");
    assert!(!std::fs::read_to_string(&state).unwrap().contains("checked"), "states of nets without `publish` are as they were");

    project.manifest(PUBLISHED);
    let name = project.report(&["status"], "big")["outputs"][0]["path"].as_str().unwrap().to_owned();
    let unchecked = |status: &str, stage: &str| (status.into(), stage.into(), "unchecked".into(), name.clone());
    assert_eq!(project.publishing(&["status"], "big"), unchecked("stale", "stale"));
    assert_eq!(project.publishing(&["build"], "big"), unchecked("built", "ran"));
    assert!(std::fs::read_to_string(&state).unwrap().contains("fishtest 2"));
    assert_eq!(project.report(&["build"], "big")["status"], "fresh");
    assert_eq!(project.report(&["status"], "big")["status"], "fresh");

    // A frozen build remembers nothing, and so checks again. Where the manifest had got old enough meanwhile, the builds above left a
    // proof that nothing changed, which would answer instead.
    std::fs::remove_file(&state).unwrap();
    let _ = std::fs::remove_file(project.at(".nnue/state/unchanged.bin"));
    project.nnue(&["build", "--frozen"]).ok();
    assert!(!state.exists());
    assert_eq!(project.publishing(&["build"], "big"), unchecked("built", "ran"));
}

#[test]
fn a_published_file_that_is_not_fit_fails_the_net_and_verify() {
    let fixed = PUBLISHED.replace("dist/", "nn-000000000000.nnue");
    let project = project_with(&fixed.replace("publish = \"fishtest\"\n", ""));
    project.nnue(&["build"]).ok();
    project.manifest(&fixed);
    let ran = project.nnue(&["build"]);
    assert!(ran.code == 1 && ran.err.contains("fishtest would refuse `nn-000000000000.nnue`"), "{}", ran.transcript());
    assert_eq!(project.report(&["build"], "big")["status"], "failed", "and again: what failed is not remembered as good");
    let ran = project.nnue(&["verify"]);
    assert_eq!(ran.code, 3, "{}", ran.transcript());
    assert!(ran.out.contains("`nn-000000000000.nnue`: fishtest would refuse"), "{}", ran.transcript());
    let problem = project.report(&["verify"], "big")["publish"][0]["problem"].as_str().unwrap().to_owned();
    assert!(problem.contains("its name does not match its content"), "{problem}");

    // One that was cut off on the disk.
    let project = project_with(PUBLISHED);
    let path = project.report(&["build"], "big")["outputs"][0]["path"].as_str().unwrap().to_owned();
    let whole = project.bytes(&path);
    std::fs::write(project.path.join(&path), &whole[..whole.len() / 2]).unwrap();
    project.nnue(&["verify"]).code_is(3);
    project.nnue(&["build"]).ok();
    assert_eq!(project.bytes(&path), whole);
}
