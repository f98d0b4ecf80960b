//! `nnue verify`, with `--rebuild` too: published files against the lock and against what is built from nothing.

use super::fixture::{MANIFEST, project};
use crate::cli_support::write_net;
use crate::common;

#[test]
fn verify_compares_published_files_with_the_lock() {
    let project = project();
    let ran = project.nnue(&["verify"]);
    assert!(ran.code == 3 && ran.out.contains("big: not locked: `nnue.lock` does not have it"), "{}", ran.transcript());
    project.nnue(&["build", "big"]).ok();
    let ran = project.nnue(&["verify"]);
    assert!(ran.code == 3 && ran.out.contains("big: as locked") && ran.out.contains("nnue build plain"), "{}", ran.transcript());
    for args in [&["verify", "--json"][..], &["verify", "--json", "--rebuild"]] {
        let ran = project.nnue(args);
        let report = ran.json();
        let of = |index: usize| (report["nets"][index]["same"].clone(), report["nets"][index]["locked"].clone());
        assert_eq!((ran.code, of(0), of(1)), (3, (true.into(), true.into()), (false.into(), false.into())), "{report}");
    }
    assert_eq!(project.nnue(&["verify", "big"]).ok().out, "big: as locked\n");
    project.nnue(&["build"]).ok();
    project.nnue(&["verify"]).ok();

    let (whole, locked) = (project.bytes("latest.nnue"), project.sha256("latest.nnue"));
    let mut changed = whole.clone();
    changed[2000] ^= 1;
    std::fs::write(project.path.join("latest.nnue"), &changed).unwrap();
    let ran = project.nnue(&["verify"]);
    assert_eq!(ran.code, 3, "{}", ran.transcript());
    let found = common::sha256(&changed);
    assert!(ran.out.contains(&format!("`latest.nnue`: sha256 {locked} is locked, the file has {found}")), "{}", ran.out);
    assert!(ran.out.contains("plain: as locked"), "{}", ran.out);
    let report = project.nnue(&["verify", "--json"]).json();
    assert_eq!((&report["nets"][0]["same"], &report["nets"][1]["same"]), (&false.into(), &true.into()));
    assert_eq!(report["nets"][0]["outputs"][1], serde_json::json!({"path": "latest.nnue", "locked": locked, "found": found}));
    std::fs::remove_file(project.path.join("latest.nnue")).unwrap();
    let ran = project.nnue(&["verify", "big"]);
    assert!(
        ran.code == 3 && ran.out.contains("`latest.nnue` (sha256 ") && ran.out.contains("is missing or cannot be read"),
        "{}",
        ran.transcript()
    );
    std::fs::write(project.path.join("latest.nnue"), &whole).unwrap();
    project.manifest(&MANIFEST.replace("\"latest.nnue\"", "\"latest.nnue\", \"third.nnue\""));
    let ran = project.nnue(&["verify", "big"]);
    assert!(ran.code == 3 && ran.out.contains("`third.nnue` is an output of the manifest and not locked"), "{}", ran.transcript());
}

#[test]
fn verify_misses_nets_that_only_the_lock_has() {
    let project = project();
    project.nnue(&["build"]).ok();
    let (without, _) = MANIFEST.split_once("[net.plain]").unwrap();
    project.manifest(without);
    let ran = project.nnue(&["verify"]);
    assert!(ran.code == 3 && ran.out.contains("plain: `nnue.lock` has it, but it is no longer in the manifest"), "{}", ran.transcript());
    assert_eq!(project.nnue(&["verify", "--json"]).json()["gone"], serde_json::json!(["plain"]));
    project.nnue(&["verify", "big"]).ok();
}

#[test]
fn verify_tells_changed_inputs_which_are_no_difference() {
    let project = project();
    project.nnue(&["build"]).ok();
    write_net(&project.path.join("run.nnue"), "small", 64, 8);
    let ran = project.nnue(&["verify", "plain"]).ok();
    assert!(ran.out.starts_with("plain: as locked\n  note: input `run.nnue`: sha256 "), "{}", ran.out);
}

#[test]
fn verify_holds_a_damaged_or_missing_file_against_the_rebuilt_one() {
    let project = project();
    project.nnue(&["build"]).ok();
    let whole = project.bytes("plain.nnue");
    // A weight of the first layer of the last stack: it parses, and means something else.
    let mut changed = whole.clone();
    let place = changed.len() - 40;
    changed[place] ^= 1;
    std::fs::write(project.path.join("plain.nnue"), &changed).unwrap();
    let ran = project.nnue(&["verify", "plain", "--rebuild"]);
    assert_eq!(ran.code, 3, "{}", ran.transcript());
    let parts = format!("they part at byte {place}");
    for part in ["`plain.nnue` built again: the locked bytes", &parts, "values differ", "built again with the locked bytes"] {
        assert!(ran.out.contains(part), "`{part}` is missing: {}", ran.transcript());
    }
    assert!(!ran.out.contains("a different result from"), "{}", ran.out);
    let report = project.nnue(&["verify", "plain", "--rebuild", "--json"]).json();
    let difference = &report["nets"][0]["differences"][0];
    assert_eq!((&difference["as_locked"], &difference["bytes"]["first"]), (&true.into(), &place.into()));
    assert_eq!(difference["comparison"]["relation"], "different");

    std::fs::write(project.path.join("plain.nnue"), &whole[..whole.len() / 2]).unwrap();
    let ran = project.nnue(&["verify", "plain", "--rebuild"]);
    assert!(ran.code == 3 && ran.out.contains("they cannot be compared as networks: "), "{}", ran.transcript());

    std::fs::remove_file(project.path.join("plain.nnue")).unwrap();
    let ran = project.nnue(&["verify", "plain", "--rebuild"]);
    assert!(ran.code == 3 && ran.out.contains("built again with the locked bytes"), "{}", ran.transcript());

    // All stages are as recorded, and the lock tells of something else.
    project.nnue(&["build"]).ok();
    let lock = String::from_utf8(project.bytes("nnue.lock")).unwrap();
    std::fs::write(project.path.join("nnue.lock"), lock.replace(&project.sha256("plain.nnue"), &"0".repeat(64))).unwrap();
    let ran = project.nnue(&["verify", "plain", "--rebuild"]);
    assert!(ran.code == 3 && ran.out.contains("all stages gave the results that the last build recorded"), "{}", ran.transcript());
    assert!(ran.out.contains("the published file has the rebuilt bytes"), "{}", ran.out);
}

#[test]
fn verify_builds_again_from_nothing_and_says_what_differs() {
    let project = project();
    project.nnue(&["build"]).ok();
    let before = project.snapshot();
    let ran = project.nnue(&["verify", "--rebuild"]).ok();
    assert_eq!(ran.out.matches("built again with the same bytes").count(), 2, "{}", ran.out);
    assert_eq!(project.snapshot(), before, "nothing in the project changes");

    // Another choice of positions gives another order of the same neurons.
    project.manifest(&MANIFEST.replace("positions = 100", "positions = 100\nseed = 3"));
    let ran = project.nnue(&["verify", "big", "--rebuild"]);
    assert_eq!(ran.code, 3, "{}", ran.transcript());
    for part in ["`latest.nnue` built again: sha256 ", "a different result from the last build's is gather", "equal up to a permutation"] {
        assert!(ran.out.contains(part), "`{part}` is missing: {}", ran.transcript());
    }
    let report = project.nnue(&["verify", "big", "--rebuild", "--json"]).json();
    let big = &report["nets"][0];
    assert_eq!((&big["same"], &big["rebuilt"]["first_different_stage"]), (&false.into(), &"gather".into()));
    assert_eq!(big["differences"].as_array().unwrap().len(), 2);
    assert_eq!(big["differences"][1]["comparison"]["relation"], "equal_up_to_permutation");

    project.manifest(MANIFEST);
    write_net(&project.path.join("run.nnue"), "small", 64, 8);
    let ran = project.nnue(&["verify", "plain", "--rebuild"]);
    assert!(ran.code == 3 && ran.out.contains("input `run.nnue`: sha256 "), "{}", ran.transcript());
    assert!(ran.out.contains("ft.bias") && ran.out.contains("values differ"), "{}", ran.out);
    std::fs::remove_file(project.path.join("run.nnue")).unwrap();
    let ran = project.nnue(&["verify", "plain", "--rebuild"]);
    assert!(ran.code == 1 && ran.out.contains("cannot be built again") && ran.out.contains("run.nnue"), "{}", ran.transcript());
    assert!(!ran.out.contains("the first stage with a different result"), "a stage that did not run differs from nothing: {}", ran.out);
}

/// A file that could not be written leaves a gap in the list of those that were, which must not shift the others.
#[test]
fn what_was_built_again_is_told_by_its_path_where_another_file_failed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nnue.toml");
    write_net(&folder.path().join("run.nnue"), "small", 64, 5);
    std::fs::write(
        &path,
        "version = 1\n[source.run]\npath = \"run.nnue\"\nquantization = \"ft127\"\n[net.one]\nsource = \"run\"\noutputs = [\"one.pt\", \"one.nnue\", \"dist/\"]\n",
    )
    .unwrap();
    let manifest = nnue::internals::manifest::load(&path, &[]).unwrap();
    let nets: Vec<_> = manifest.nets.iter().collect();
    let below = tempfile::tempdir().unwrap();
    // In the place of the first output.
    std::fs::create_dir_all(below.path().join("0/0/one.pt/in the way")).unwrap();
    let ctx = nnue::internals::ctx::Ctx::silent();
    let rebuilt =
        nnue::internals::build::rebuild(&manifest, &nets, below.path(), &nnue::internals::build::Options::default(), &ctx).unwrap();
    assert!(rebuilt[0].error.is_some());
    let names: Vec<&str> = rebuilt[0].outputs.iter().map(|file| file.path.as_str()).collect();
    assert!(names.len() == 2 && names[0] == "one.nnue" && names[1].starts_with("dist/nn-"), "{names:?}");
    for file in &rebuilt[0].outputs {
        assert_eq!(common::sha256(&std::fs::read(&file.place).unwrap()), file.sha256, "{}", file.path);
    }
}
