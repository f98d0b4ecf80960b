//! `--log-format json`: everything on stderr is one JSON object a line, whatever happens; stdout stays as it is.

use crate::cli_support::{Ran, nnue};
use crate::project::Project;
use serde_json::{Value, json};

const MANIFEST: &str = "version = 1\n[source.unused]\npath = \"x.nnue\"\n[data.fens]\npath = \"positions.fen\"\n\
    [net.big]\nsource = \"run.nnue\"\noutputs = \"big.nnue\"\n[net.big.optimize]\ndata = \"fens\"\npositions = 100\n";

fn project(manifest: &str) -> Project {
    Project::new(manifest).with_args(&["--log-format", "json"])
}

/// The objects on stderr.
#[track_caller]
fn events(ran: &Ran) -> Vec<Value> {
    let events: Vec<Value> =
        ran.err.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{}", ran.transcript()))).collect();
    assert!(events.iter().all(|event| event["schema"] == 1 && event["event"].is_string()), "{}", ran.transcript());
    events
}

fn of_kind<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["event"] == kind).collect()
}

#[test]
fn scales_that_are_assumed_are_said_before_anything_runs_and_once_per_source() {
    let second = MANIFEST.split_once("[net.big]").unwrap().1.replace("net.big", "net.other").replace("big.nnue", "other.nnue");
    let second = second.replace("positions = 100", "positions = 120");
    let project = project(&format!("{MANIFEST}[net.other]{second}"));
    let assumed = |args: &[&str]| {
        let ran = project.nnue(args).ok();
        let messages =
            of_kind(&events(&ran), "warning").iter().map(|event| event["message"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
        messages.into_iter().filter(|message| message.contains("does not record its scales")).collect::<Vec<_>>()
    };
    for args in [&["build", "-n"][..], &["status"], &["build"]] {
        let lines = assumed(args);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].starts_with("`run.nnue` does not") && lines[0].contains("is assumed for the zero rule"), "{lines:?}");
    }
    for args in [&["status"][..], &["build"]] {
        assert_eq!(assumed(args), Vec::<String>::new(), "nothing is left to decide");
    }
}

#[test]
fn a_build_says_what_it_does() {
    let project = project(MANIFEST);
    let ran = project.nnue(&["build", "--json"]).ok();
    assert_eq!(ran.json()["nets"][0]["status"], "built");
    let events = events(&ran);
    let warnings = of_kind(&events, "warning");
    let warned = |text: &str| warnings.iter().any(|event| event["message"].as_str().unwrap().contains(text));
    assert!(warned("`source.unused` is not used by any net") && warned("does not record its scales"), "{}", ran.transcript());
    let tasks = |kind: &str| {
        let name = |event: &&Value| ["net", "stage", "task"].map(|member| event[member].as_str().unwrap_or("-").to_owned()).join(" ");
        let mut tasks: Vec<String> = of_kind(&events, kind).iter().map(name).collect();
        tasks.sort();
        tasks
    };
    for task in ["big load load", "big gather positions", "big gather gather", "big write write"] {
        assert!(tasks("start").contains(&task.to_owned()), "{task}: {}", ran.transcript());
    }
    assert_eq!(tasks("start"), tasks("finish"));
    let nets = of_kind(&events, "net");
    assert_eq!((nets.len(), &nets[0]["net"], &nets[0]["status"]), (1, &json!("big"), &json!("built")));
    assert_eq!(nets[0]["outputs"], ran.json()["nets"][0]["outputs"]);
    let gather = *of_kind(&events, "finish").iter().find(|event| event["task"] == "gather").unwrap();
    assert_eq!((&gather["unit"], &gather["done"]), (&json!("positions"), &gather["total"]));
    assert!(gather["seconds"].is_number());
    assert!(of_kind(&events, "error").is_empty());
    // Nothing to do, and nothing but results and errors: nothing to say.
    assert_eq!(project.nnue(&["build", "--force", "-q"]).ok().err, "");
}

#[test]
fn errors_have_their_place_and_their_help() {
    let wrong = project(&format!("{MANIFEST}postions = 3\n[net.b]\nsource = \"run\"\noutputs = \"b.nnue\"\n"));
    let ran = wrong.nnue(&["build"]);
    assert_eq!(ran.code, 2, "{}", ran.transcript());
    let events = events(&ran);
    assert_eq!(events.len(), 2);
    for (event, line, message) in
        [(&events[0], 12, "unknown key `postions` in `net.big.optimize`"), (&events[1], 14, "no source named `run`")]
    {
        assert_eq!((&event["event"], &event["kind"], &event["line"]), (&json!("error"), &json!("usage"), &json!(line)));
        assert_eq!(event["message"], message);
        assert!(event["file"].as_str().unwrap().ends_with("nnue.toml"));
        assert_eq!(event["causes"].as_array().unwrap().len(), 1);
        assert!(!event["help"].as_str().unwrap().is_empty());
    }
    let project = project(MANIFEST);
    std::fs::remove_file(project.path.join("run.nnue")).unwrap();
    let ran = project.nnue(&["build", "-q"]);
    assert_eq!(ran.code, 1);
    let errors = only_errors(&ran);
    assert_eq!((&errors[0]["kind"], &errors[0]["message"]), (&json!("failed"), &json!("net `big` failed")));
    assert!(errors[0]["causes"].as_array().unwrap().len() > 1, "{}", ran.transcript());
    assert!(errors[0]["help"].as_str().unwrap().contains("nnue.toml:7"));
}

/// What is on stderr, which is errors alone.
#[track_caller]
fn only_errors(ran: &Ran) -> Vec<Value> {
    let events = events(ran);
    assert!(events.iter().all(|event| event["event"] == "error"), "{}", ran.transcript());
    events
}

#[test]
fn a_command_line_that_is_not_understood() {
    let project = project(MANIFEST);
    let ran = project.nnue(&["build", "--nonsense"]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    let events = only_errors(&ran);
    assert_eq!(events.len(), 1);
    assert!(events[0]["message"].as_str().unwrap().contains("--nonsense"), "{}", ran.transcript());
    // Help is a result.
    let help = project.nnue(&["build", "--help"]).ok();
    assert!(help.err.is_empty() && help.out.contains("--log-format"), "{}", help.transcript());
    let ran = nnue(&project.path, ["build", "--log-format", "yaml"]);
    assert!(ran.code == 2 && ran.err.contains("[possible values: text, json, github]"), "{}", ran.transcript());
}

/// Without a terminal and without `-v`, what is over soon is not mentioned.
#[test]
fn lines_are_few() {
    let project = project(MANIFEST);
    let ran = nnue(&project.path, ["build"]).ok();
    assert!(ran.err.lines().all(|line| line.starts_with("warning: ")), "{}", ran.transcript());
    let ran = nnue(&project.path, ["build", "--force", "-v"]).ok();
    assert!(ran.err.contains("gather: "), "{}", ran.transcript());
    assert!(ran.err.contains("gather: done in "), "{}", ran.transcript());
}
