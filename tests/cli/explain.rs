//! `nnue explain`: what a key is made of, what changed, and what differs from another machine's record.

use serde_json::Value;

use super::fixture::{MANIFEST, project};
use crate::cli_support::write_fens;
use crate::project::{Project, keys};

#[test]
fn explain_shows_what_a_key_is_made_of_and_what_changed() {
    let project = project();
    project.nnue(&["build"]).ok();
    let text = project.nnue(&["explain", "big"]).ok().out;
    for part in
        ["load", "gather", "search", "permute", "write", "positions = 100", "(`run.nnue`)", "(`positions.fen`)", "description = \"first\""]
    {
        assert!(text.contains(part), "`{part}` is missing: {text}");
    }
    assert!(!text.contains("changed"), "{text}");
    let status = project.nnue(&["status", "big", "--json"]).ok().json();
    let record = project.nnue(&["explain", "big", "--json"]).ok().json();
    assert_eq!(keys(&record), ["schema", "net", "tool", "key_schema", "stages", "gone"]);
    for (stage, of_status) in record["stages"].as_array().unwrap().iter().zip(status["nets"][0]["stages"].as_array().unwrap()) {
        assert_eq!(keys(stage), ["stage", "status", "key", "preimage", "digest", "files", "reason", "changes"]);
        assert_eq!((&stage["key"], &stage["digest"]), (&of_status["key"], &of_status["digest"]));
        assert_eq!(keys(&stage["preimage"]), ["inputs", "key_schema", "params", "stage", "stage_version"]);
    }

    project.manifest(&MANIFEST.replace("positions = 100", "positions = 120\nseed = 7").replace("first", "second"));
    let record = project.nnue(&["explain", "big", "--json"]).ok().json();
    let changes = |stage: usize| record["stages"][stage]["changes"].as_array().unwrap().clone();
    let names: Vec<Value> = changes(1).iter().map(|change| change["name"].clone()).collect();
    assert_eq!(names, ["positions", "seed", "held_out"], "all of them, not only the first");
    assert_eq!(changes(0), Vec::<Value>::new());
    assert_eq!(changes(2)[0]["kind"], "upstream_stale");
    assert_eq!(record["stages"][2]["key"], Value::Null);
    assert_eq!((&changes(4)[0]["old"], &changes(4)[0]["new"]), (&"first".into(), &"second".into()));
    let text = project.nnue(&["explain", "big"]).ok().out;
    assert!(text.contains("since the last build: `seed` changed: 0 → 7"), "{text}");
    assert!(!project.path.join("latest.nnue").with_extension("tmp").exists());
    project.nnue(&["explain", "huge"]).fails(2, &["no net `huge`"]);
}

#[test]
fn explain_compares_with_the_record_of_another_machine() {
    let (here, there) = (project(), Project::in_folder("there", MANIFEST));
    let record = here.path.join("record.json");
    let take = |project: &Project| std::fs::write(&record, project.nnue(&["explain", "big", "--json"]).ok().out).unwrap();
    let compare = || here.nnue(&["explain", "big", "--json", "--against", "record.json"]).ok().json();
    here.nnue(&["build"]).ok();
    there.nnue(&["build"]).ok();
    take(&there);
    let kinds = |report: &Value| -> Vec<String> {
        let stages = report["stages"].as_array().unwrap();
        stages
            .iter()
            .flat_map(|stage| stage["changes"].as_array().unwrap())
            .map(|change| change["kind"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(kinds(&compare()), Vec::<String>::new());

    write_fens(&there.path.join("positions.fen"), 10, 300);
    there.nnue(&["build"]).ok();
    take(&there);
    let report = compare();
    assert_eq!(report["stages"][1]["changes"][0]["kind"], "input_changed");
    assert_eq!(report["stages"][1]["changes"][0]["name"], "positions.fen");

    // The same key with another result: a machine that computes wrongly, or a bug.
    take(&here);
    let mut altered: Value = serde_json::from_str(&std::fs::read_to_string(&record).unwrap()).unwrap();
    altered["stages"][1]["digest"] = "00".repeat(32).into();
    std::fs::write(&record, altered.to_string()).unwrap();
    assert_eq!(kinds(&compare()), ["result_changed"]);
    let text = here.nnue(&["explain", "big", "--against", "record.json"]).ok().out;
    assert!(text.contains("since the record: the same inputs and parameters gave a different result: 000000000000 → "), "{text}");

    std::fs::write(&record, "{}").unwrap();
    here.nnue(&["explain", "big", "--against", "record.json"]).fails(2, &["record.json", "nnue explain NET --json"]);
    here.nnue(&["explain", "big", "--against", "missing.json"]).fails(2, &["missing.json"]);
}

#[test]
fn explain_says_that_nothing_differs_and_takes_no_record_of_another_net() {
    let project = project();
    project.nnue(&["build"]).ok();
    let record = |net: &str| {
        std::fs::write(project.path.join("record.json"), project.nnue(&["explain", net, "--json"]).ok().out).unwrap();
    };
    record("plain");
    let args = ["explain", "plain", "--against", "record.json"];
    assert!(project.nnue(&args).ok().out.ends_with("nothing differs from the record: keys and results are the same\n"));
    project.nnue(&["explain", "big", "--against", "record.json"]).fails(2, &["a record of the net `plain`, not of `big`"]);
    record("big");
    let (head, _) = MANIFEST.split_once("[net.big.optimize]").unwrap();
    project.manifest(head);
    let ran = project.nnue(&["explain", "big", "--against", "record.json"]);
    assert!(ran.out.contains("gather          only the record has this stage"), "{}", ran.transcript());
    assert!(!ran.out.contains("nothing differs"), "{}", ran.out);
}

#[test]
fn explain_says_why_a_stage_cannot_run() {
    let project = project();
    std::fs::remove_file(project.path.join("run.nnue")).unwrap();
    let ran = project.nnue(&["explain", "big"]);
    assert_eq!(ran.code, 1, "{}", ran.out);
    let line = ran.out.lines().find(|line| line.trim_start().starts_with("load")).unwrap();
    assert!(line.contains("failed: cannot") && line.contains("run.nnue") && line.contains("No such file"), "{line}");
    let json = project.nnue(&["explain", "big", "--json"]);
    let reason = &serde_json::from_str::<Value>(&json.out).unwrap()["stages"][0]["reason"];
    assert_eq!(reason["kind"], "failed");
    assert!(line.ends_with(reason["name"].as_str().unwrap()), "{line}: {reason}");
}
