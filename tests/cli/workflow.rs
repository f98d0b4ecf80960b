//! `examples/github-workflow.yml` and `action.yml`: they are YAML of the expected shape, and their commands do what they are there for, in
//! their order, on a small project. GitHub's part is not run.

use std::path::Path;
use std::process::{Command, Output};

use crate::cli_support::names;
use crate::project::Project;
use yaml_rust2::{Yaml, YamlLoader};

fn yaml(name: &str) -> Yaml {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    let mut documents = YamlLoader::load_from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(documents.len(), 1);
    documents.remove(0)
}

fn workflow() -> Yaml {
    yaml("examples/github-workflow.yml")
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

#[test]
fn nothing_is_to_be_filled_in() {
    let workflow = workflow();
    for name in ["NNUE_REPOSITORY", "NNUE_REVISION"] {
        assert_eq!(workflow["env"][name].as_str(), Some(&*format!("${{{{ vars.{name} }}}}")));
    }
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/github-workflow.yml")).unwrap();
    assert!(!text.contains("FILL"));
}

/// What GitHub puts in place of the expressions of an action's step, with these inputs.
fn filled(text: &str, inputs: &[(&str, &str)], folder: &Path) -> String {
    let mut out = text.replace("${{ github.workspace }}", &folder.display().to_string());
    out = out.replace("${{ steps.build.outputs.report }}", &folder.join("nnue-report.json").display().to_string());
    for (name, value) in inputs {
        out = out.replace(&format!("${{{{ inputs.{name} }}}}"), value);
    }
    assert!(!out.contains("${{"), "{out}");
    out
}

/// Runs a script of the action as GitHub does: `bash -eo pipefail`, with its environment.
fn act(action: &Yaml, name: &str, inputs: &[(&str, &str)], folder: &Path) -> Output {
    let step = steps_of_action(action).iter().find(|step| step["name"].as_str() == Some(name)).unwrap();
    assert_eq!(step["shell"].as_str(), Some("bash"));
    let program = assert_cmd::cargo::cargo_bin!("nnue");
    let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("bash");
    command.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"].as_str().unwrap()]);
    command.current_dir(folder).env("PATH", path).env("RUNNER_TEMP", folder).env("GITHUB_OUTPUT", folder.join("outputs"));
    command.env("GITHUB_ACTIONS", "true").env("GITHUB_WORKSPACE", folder);
    for (key, value) in step["env"].as_hash().into_iter().flatten() {
        command.env(key.as_str().unwrap(), filled(value.as_str().unwrap(), inputs, folder));
    }
    command.output().unwrap()
}

fn steps_of_action(action: &Yaml) -> &[Yaml] {
    action["runs"]["steps"].as_vec().unwrap()
}

const INPUTS: [(&str, &str); 4] = [("manifest", "nets/nnue.toml"), ("nets", ""), ("locked", "true"), ("rebuild", "true")];

#[test]
fn the_action_declares_what_it_uses() {
    let action = yaml("action.yml");
    assert_eq!(action["runs"]["using"].as_str(), Some("composite"));
    let declared: Vec<&str> = action["inputs"].as_hash().unwrap().keys().map(|name| name.as_str().unwrap()).collect();
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/action.yml")).unwrap();
    for name in &declared {
        assert!(text.contains(&format!("inputs.{name}")), "{name} is not used");
        assert!(!action["inputs"][*name]["default"].is_badvalue(), "{name} has no default");
    }
    for used in text.split("inputs.").skip(1) {
        let name: String = used.chars().take_while(char::is_ascii_alphabetic).collect();
        assert!(declared.contains(&&*name), "{name} is not declared");
    }
    for step in steps_of_action(&action) {
        match (step["uses"].as_str(), step["run"].as_str()) {
            (Some(uses), None) => assert!(uses.starts_with("actions/"), "{uses}"),
            (None, Some(run)) => assert!(!run.contains("${{") && step["shell"].as_str() == Some("bash"), "{run}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_action_builds_verifies_and_lists() {
    let action = yaml("action.yml");
    let project = Project::new(
        "version = 1\n[source.run]\npath = \"run.nnue\"\nquantization = \"ft127\"\n[net.big]\nsource = \"run\"\noutputs = \"dist/\"\n\
         compression = \"none\"\nprovenance = true\n",
    );
    project.nnue(&["build"]).ok();
    // The repository is the folder above, so that paths from its root are not those from the manifest.
    let root = tempfile::tempdir().unwrap();
    let nets = root.path().join("nets");
    std::fs::create_dir(&nets).unwrap();
    for name in ["nnue.toml", "nnue.lock", "run.nnue"] {
        std::fs::copy(project.path.join(name), nets.join(name)).unwrap();
    }
    for name in ["Build", "Verify", "Tidy the cache of results", "List what was built"] {
        let output = act(&action, name, &INPUTS, root.path());
        assert!(output.status.success(), "{name}: {output:?}");
    }
    let outputs = std::fs::read_to_string(root.path().join("outputs")).unwrap();
    let listed = outputs.split_once("paths<<END_OF_PATHS\n").unwrap().1.split_once("END_OF_PATHS").unwrap().0;
    let listed: Vec<&str> = listed.lines().collect();
    assert_eq!(listed.len(), 3, "{listed:?}");
    for path in listed {
        assert!(root.path().join(path).is_file(), "{path}");
    }
    // Another net than the locked one.
    project.write_net("run.nnue", 64, 6);
    std::fs::copy(project.path.join("run.nnue"), nets.join("run.nnue")).unwrap();
    let refused = act(&action, "Build", &INPUTS, root.path());
    assert_eq!(refused.status.code(), Some(3), "{refused:?}");
    assert!(String::from_utf8(refused.stderr).unwrap().contains("\n::error title=nnue::"));
    // A mistake stands at its line.
    let manifest = std::fs::read_to_string(nets.join("nnue.toml")).unwrap();
    std::fs::write(nets.join("nnue.toml"), manifest.replace("provenance = true", "provenance = 1")).unwrap();
    let refused = act(&action, "Build", &INPUTS, root.path());
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    let stderr = String::from_utf8(refused.stderr).unwrap();
    assert!(stderr.contains("\n::error file=nets/nnue.toml,line=9,col=14,title=nnue::"), "{stderr}");
}

/// Those of this repository: nothing of others runs, scripts get what GitHub fills in by their environment only, and one job writes.
#[test]
fn the_workflows_of_this_repository_may_do_no_more_than_they_need() {
    for (name, writers) in [("ci", 0), ("nightly", 0), ("release", 1)] {
        let workflow = yaml(&format!(".github/workflows/{name}.yml"));
        assert_eq!(workflow["permissions"].as_hash().unwrap().len(), 1, "{name}");
        assert_eq!(workflow["permissions"]["contents"].as_str(), Some("read"), "{name}");
        let jobs = workflow["jobs"].as_hash().unwrap();
        assert_eq!(jobs.values().filter(|job| !job["permissions"].is_badvalue()).count(), writers, "{name}");
        for step in jobs.values().flat_map(|job| job["steps"].as_vec().unwrap()) {
            assert!(step["uses"].as_str().is_none_or(|uses| uses.starts_with("actions/")), "{name}: {step:?}");
            assert!(step["run"].as_str().is_none_or(|run| !run.contains("${{")), "{name}: {step:?}");
        }
    }
}

/// `bash` understands them; what they do is tried by `.ci/packages`, and by night.
#[test]
fn the_scripts_are_well_formed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let scripts = [
        "packaging/common.sh",
        "packaging/debian.sh",
        "packaging/python.sh",
        "packaging/static-linux.sh",
        "packaging/wheel.sh",
        ".ci/packages",
        ".ci/run",
        "tests/figures.sh",
    ];
    for script in scripts {
        let output = Command::new("bash").arg("-n").arg(root.join(script)).output().unwrap();
        assert!(output.status.success(), "{script}: {output:?}");
    }
}

#[test]
fn the_hooks_of_pre_commit_do_what_they_say() {
    let hooks = yaml(".pre-commit-hooks.yaml");
    let project = Project::new("version = 1\n[net.a]\nsource = \"run.nnue\"\noutputs = \"dist/\"\n");
    project.nnue(&["build"]).ok();
    let run = |id: &str| {
        let hook = hooks.as_vec().unwrap().iter().find(|hook| hook["id"].as_str() == Some(id)).unwrap();
        assert_eq!((hook["language"].as_str(), hook["pass_filenames"].as_bool()), (Some("system"), Some(false)));
        shell(&project.path, hook["entry"].as_str().unwrap()).status.code()
    };
    assert_eq!((run("nnue-manifest"), run("nnue-locked")), (Some(0), Some(0)));
    project.write_net("run.nnue", 64, 6);
    assert_eq!((run("nnue-manifest"), run("nnue-locked")), (Some(0), Some(3)));
    project.manifest("version = 1\n[net.a]\n");
    assert_eq!(run("nnue-manifest"), Some(2));
}
