//! `examples/github-workflow.yml`: it is YAML of the expected shape, and its commands do what they are there for, in its order, on a
//! small project. GitHub's part is not run.

use std::path::Path;
use std::process::{Command, Output};

use crate::cli_support::names;
use crate::project::Project;
use yaml_rust2::{Yaml, YamlLoader};

fn workflow() -> Yaml {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/github-workflow.yml");
    let mut documents = YamlLoader::load_from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(documents.len(), 1);
    documents.remove(0)
}

fn steps<'y>(workflow: &'y Yaml, job: &str) -> &'y [Yaml] {
    workflow["jobs"][job]["steps"].as_vec().unwrap()
}

/// The scripts of a job that are `nnue`'s.
fn scripts<'y>(workflow: &'y Yaml, job: &str) -> Vec<&'y str> {
    let all = steps(workflow, job).iter().filter_map(|step| step["run"].as_str());
    all.filter(|script| script.lines().any(|line| line.trim_start().starts_with("nnue "))).collect()
}

fn shell(folder: &Path, script: &str) -> Output {
    let program = assert_cmd::cargo::cargo_bin!("nnue");
    let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
    Command::new("sh").args(["-e", "-c", script]).current_dir(folder).env("PATH", path).output().unwrap()
}

#[test]
fn it_may_do_no_more_than_it_needs() {
    let workflow = workflow();
    assert_eq!(workflow["permissions"].as_hash().unwrap().len(), 1);
    assert_eq!(workflow["permissions"]["contents"].as_str(), Some("read"));
    assert!(workflow["jobs"]["build"]["permissions"].is_badvalue());
    assert_eq!(workflow["jobs"]["publish"]["permissions"]["contents"].as_str(), Some("write"));
    assert_eq!(workflow["jobs"]["publish"]["needs"].as_str(), Some("build"));
    assert_eq!(workflow["jobs"]["publish"]["if"].as_str(), Some("startsWith(github.ref, 'refs/tags/')"));
    assert!(scripts(&workflow, "publish").is_empty());
    let jobs = workflow["jobs"].as_hash().unwrap();
    for step in jobs.values().flat_map(|job| job["steps"].as_vec().unwrap()) {
        match (step["uses"].as_str(), step["run"].as_str()) {
            (Some(uses), None) => {
                let (name, version) = uses.split_once('@').unwrap();
                assert!(name.starts_with("actions/"), "{uses}");
                assert!(version.strip_prefix('v').is_some_and(|major| major.parse::<u32>().is_ok()), "{uses} is pinned to a major");
            }
            // What GitHub fills in before the shell reads it could hold anything.
            (None, Some(run)) => assert!(!run.contains("${{"), "{run}"),
            other => panic!("a step either uses an action or runs a script: {other:?}"),
        }
    }
}

#[test]
fn it_keeps_the_cache_by_manifest_and_lock() {
    let workflow = workflow();
    let cache = steps(&workflow, "build").iter().find(|step| step["with"]["path"].as_str() == Some(".nnue")).unwrap();
    let key = cache["with"]["key"].as_str().unwrap();
    let fallback = cache["with"]["restore-keys"].as_str().unwrap();
    assert!(key.ends_with("${{ hashFiles('nnue.toml', 'nnue.lock') }}"), "{key}");
    assert!(key.starts_with(fallback) && fallback.len() < key.len());
}

#[test]
fn its_commands_build_and_verify_a_project() {
    let workflow = workflow();
    let manifest = "version = 1\n[source.run]\npath = \"run.nnue\"\nquantization = \"ft127\"\n[data.fens]\npath = \"positions.fen\"\n\
        [net.big]\nsource = \"run\"\noutputs = \"dist/\"\nprovenance = true\n[net.big.optimize]\ndata = \"fens\"\npositions = 100\n";
    let project = Project::new(manifest);
    let folder = &project.path;
    project.nnue(&["build"]).ok();
    let built = names(&folder.join("dist"));
    assert_eq!(built.len(), 2, "{built:?}");

    let scripts = scripts(&workflow, "build");
    assert!(scripts.contains(&"nnue build --locked --json > report.json") && scripts.contains(&"nnue verify"), "{scripts:?}");
    // A first run, without a cache; and one that has it.
    std::fs::remove_dir_all(folder.join(".nnue")).unwrap();
    for run in 0..2 {
        std::fs::remove_dir_all(folder.join("dist")).unwrap();
        for script in &scripts {
            let output = shell(folder, script);
            assert!(output.status.success(), "{run}: {script}: {output:?}");
        }
        assert_eq!(names(&folder.join("dist")), built);
        let report: serde_json::Value = serde_json::from_slice(&std::fs::read(folder.join("report.json")).unwrap()).unwrap();
        assert_eq!(report["nets"][0]["status"], "built");
    }

    // Another net than the locked one gets no further than the build.
    project.write_net("run.nnue", 64, 6);
    let build = scripts.iter().find(|script| script.contains("nnue build")).unwrap();
    assert_eq!(shell(folder, build).status.code(), Some(3));
}
