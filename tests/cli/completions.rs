//! `nnue completions` in the shells that it is for: options, nets of the manifest at hand, files, and words that a shell splits.

use std::process::{Command, Output};

use crate::project::Project;

const MANIFEST: &str = "version = 1\n[net.big]\nsource = \"runs/epoch=10.nnue\"\noutputs = \"big/\"\n\
    [net.\"nightly/{stem}\"]\nsource = { glob = \"runs/*.nnue\" }\noutputs = \"nightly/{stem}.nnue\"\n";

fn project() -> Project {
    let mut project = Project::empty().with_manifest(MANIFEST);
    for name in ["epoch=10", "epoch=11", "epoch=20", "a b"] {
        project.write(&format!("runs/{name}.nnue"), "not looked into");
    }
    project.write("other.toml", "version = 1\n[net.other]\nsource = \"x.nnue\"\noutputs = \"x/\"\n");
    project.write("broken.toml", "version = 1\n[net.broken\n");
    std::fs::create_dir(project.at("sub")).unwrap();
    let program = assert_cmd::cargo::cargo_bin!("nnue").parent().unwrap().to_path_buf();
    project.environment.push(("PATH", format!("{}:{}", program.display(), std::env::var("PATH").unwrap())));
    project
}

/// Runs a script of this shell; `None` where it is missing, which CI must not skip.
fn shell(project: &Project, shell: &str, options: &[&str], script: &str) -> Option<Output> {
    let mut command = Command::new(shell);
    command.args(options).arg("-c").arg(script).current_dir(&project.path).envs(project.environment.iter().cloned());
    match command.output() {
        Ok(output) => Some(output),
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "`{shell}` is missing: {error}");
            println!("skipped: `{shell}` is missing: {error}");
            None
        }
    }
}

/// What bash offers for each line, with the cursor at its end.
fn in_bash(project: &Project, lines: &[&str]) -> Option<Vec<Vec<String>>> {
    let mut script = "compopt() { :; }\nsource <(nnue completions bash)\ncomplete -p nnue\n".to_owned();
    for line in lines {
        let quoted = line.replace('\'', "'\\''");
        script +=
            &format!("COMP_LINE='{quoted}' COMP_POINT={} COMPREPLY=()\n_nnue nnue\nprintf '%s\\n' -- \"${{COMPREPLY[@]}}\"\n", line.len());
    }
    let output = shell(project, "bash", &["--norc", "--noprofile"], &script)?;
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
    let text = String::from_utf8(output.stdout).unwrap();
    let (registered, answers) = text.split_once('\n').unwrap();
    assert_eq!(registered, "complete -F _nnue nnue");
    let answers = answers.split("--\n").skip(1);
    Some(answers.map(|answer| answer.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()).collect())
}

#[test]
fn bash_completes_commands_options_nets_and_files() {
    const NIGHTLY: [&str; 4] = ["nightly/a\\ b", "nightly/epoch=10", "nightly/epoch=11", "nightly/epoch=20"];
    let all = [&["big"], &NIGHTLY[..]].concat();
    let cases: &[(&str, &[&str])] = &[
        ("nnue bui", &["build"]),
        ("nnue perm fi", &["find"]),
        ("nnue build --lo", &["--locked", "--lock-timeout", "--log-format"]),
        ("nnue build --backend ", &["auto", "cpu", "opencl", "torch"]),
        ("nnue convert a b --ft_compression=l", &["leb128"]),
        // Nets, with what bash takes for a word of its own.
        ("nnue build ", &all),
        ("nnue status n", &NIGHTLY),
        ("nnue explain b", &["big"]),
        ("nnue graph big nightly/epoch=1", &["10", "11"]),
        ("nnue verify --rebuild nightly/epoch=2", &["20"]),
        ("nnue watch 'nightly/a", &["nightly/a b"]),
        ("nnue build nightly/a\\ ", &["nightly/a\\ b"]),
        // Of the manifest that the line names.
        ("nnue -f other.toml build ", &["other"]),
        ("nnue -C sub build b", &["big"]),
        ("nnue -C nowhere build b", &["big"]),
        ("nnue -f broken.toml build ", &[]),
        ("nnue -f nowhere.toml build ", &[]),
        // Files.
        ("nnue inspect run", &["runs/"]),
        ("nnue inspect runs/epoch=", &["10.nnue", "11.nnue", "20.nnue"]),
        ("nnue convert runs/a", &["runs/a\\ b.nnue"]),
        ("nnue -C s", &["sub/"]),
        ("nnue nonsense x", &[]),
    ];
    let project = project();
    let Some(found) = in_bash(&project, &cases.iter().map(|(line, _)| *line).collect::<Vec<_>>()) else { return };
    assert_eq!(found.len(), cases.len());
    for ((line, expected), found) in cases.iter().zip(found) {
        assert_eq!(found, *expected, "{line}");
    }
    assert!(!project.at(".nnue").exists(), "it only looks");
}

#[test]
fn fish_and_zsh_ask_the_program_too() {
    let project = project();
    let ask = "nnue completions fish | source; complete -C 'nnue build nightly/epoch=1'; complete -C 'nnue perm f'";
    if let Some(output) = shell(&project, "fish", &["--no-config"], ask) {
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.starts_with("nightly/epoch=10\nnightly/epoch=11\nfind\t"), "{text}");
    }
    // Its functions need a terminal: what they run is run without them.
    let ask = "compdef() { :; }; source <(nnue completions zsh); _describe() { print -l ${(P)${@[$#]}} ${(P)3}; }; \
        words=(nnue build nightly/epoch=1); CURRENT=3; _clap_dynamic_completer_nnue";
    if let Some(output) = shell(&project, "zsh", &["-f"], ask) {
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("nightly/epoch=10") && text.contains("nightly/epoch=11") && !text.contains("epoch=20"), "{text}");
    }
    for shell in ["elvish", "powershell"] {
        assert!(project.nnue(&["completions", shell]).ok().out.contains("NNUE_COMPLETE"), "{shell}");
    }
}

/// The variable that scripts set means nothing to a command line as people type it.
#[test]
fn only_a_script_is_answered() {
    let project = project().with_env("NNUE_COMPLETE", "bash");
    assert!(project.nnue(&["--version"]).ok().out.starts_with("nnue "));
    project.nnue(&["build", "nowhere"]).fails(2, &["has no net `nowhere`"]);
    project.nnue(&["--", "nnue bui"]).ok();
    assert_eq!(project.nnue(&["--", "nnue bui", ""]).ok().out, "build\n");
    let unknown = project.with_env("NNUE_COMPLETE", "tcsh");
    assert_eq!(unknown.nnue(&["--", "nnue bui", ""]).code, 2);
}
