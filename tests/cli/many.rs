//! Nets by patterns, many nets at once, what `status` shows, and JSON of locked builds that differ.

use crate::project::{Project, manifest};

const TWO: &str = manifest!("[net.a]\nsource = \"run\"\noutputs = \"a.nnue\"\n[net.b]\nsource = \"run\"\noutputs = \"b/\"\n");

#[test]
fn a_locked_build_that_differs_prints_its_report() {
    let project = Project::new(TWO);
    project.nnue(&["build"]).ok();
    project.write_net("run.nnue", 64, 6);
    let ran = project.nnue(&["build", "--locked", "--json"]);
    assert_eq!(ran.code, 3, "{}", ran.transcript());
    let report = ran.json();
    assert_eq!(report["schema"], 1);
    for net in report["nets"].as_array().unwrap() {
        assert_eq!(net["status"], "failed");
        let error = net["error"].as_str().unwrap();
        assert!(error.starts_with("`nnue.lock` would change") && error.contains("input `run.nnue`: sha256"), "{error}");
    }
    assert!(ran.err.contains("would change"), "{}", ran.err);
    // One net differs, the other is as it was.
    project.write_net("run.nnue", 64, 5);
    project.manifest(&TWO.replace("b/", "c/"));
    let report = project.json(&["build", "--locked"]);
    let of = |name| crate::project::net(&report, name)["status"].as_str().unwrap().to_owned();
    assert_eq!((of("a").as_str(), of("b").as_str()), ("stale", "failed"), "{report:#}");
}

#[test]
fn a_locked_build_names_a_git_lfs_pointer() {
    let project = Project::new(TWO);
    project.nnue(&["build"]).ok();
    project.write("run.nnue", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n");
    let ran = project.nnue(&["build", "--locked", "--json"]);
    assert_eq!(ran.code, 3, "{}", ran.transcript());
    let named = "input `run.nnue` is a git-lfs pointer, not the file: `git lfs pull` gets it";
    assert!(ran.err.replace('\n', " ").contains("git-lfs pointer") && ran.out.contains(named), "{}", ran.transcript());
}

/// One rule for plain and locked builds: another version of the program alone changes no lock.
#[test]
fn the_version_of_the_program_alone_changes_no_lock() {
    let project = Project::new(TWO);
    project.nnue(&["build"]).ok();
    let tool = format!("tool = \"{}\"", env!("CARGO_PKG_VERSION"));
    let older = project.text("nnue.lock").replace(&tool, "tool = \"0.0.1\"");
    assert_ne!(older, project.text("nnue.lock"));
    project.write("nnue.lock", &older);
    project.nnue(&["build", "--locked"]).ok();
    project.nnue(&["build"]).ok();
    assert_eq!(project.text("nnue.lock"), older);
}

#[test]
fn nets_are_named_by_patterns_and_slips_are_seen() {
    let project = Project::new(TWO);
    let sweep = manifest!("[net.\"epoch={stem}\"]\nsource = { glob = \"n*.nnue\" }\noutputs = \"{stem}-out/\"\n");
    for name in ["n10.nnue", "n11.nnue", "n20.nnue"] {
        project.write_net(name, 16, 1);
    }
    project.manifest(sweep);
    let nets = |args: &[&str]| -> Vec<String> {
        let report = project.json(args);
        report["nets"].as_array().unwrap().iter().map(|net| net["net"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(nets(&["build", "epoch=n1*"]), ["epoch=n10", "epoch=n11"]);
    assert_eq!(nets(&["status", "*?0"]), ["epoch=n10", "epoch=n20"]);
    project.nnue(&["build", "epoch=n3*"]).fails(2, &["has no net that matches `epoch=n3*`", "its nets are epoch=n10"]);
    project.nnue(&["build", "epoch=n12"]).fails(2, &["has no net `epoch=n12`", "did you mean `epoch=n10`?"]);
}

#[test]
fn of_many_nets_each_has_a_line_and_all_have_a_sum() {
    let mut text = manifest!("").to_owned();
    for number in 0..12 {
        text += &format!("[net.n{number}]\nsource = \"run\"\ndescription = \"{number}\"\noutputs = \"out/{number}.nnue\"\n");
    }
    let project = Project::new(&text);
    let first = project.nnue(&["build", "-j1"]).ok().out;
    let lines: Vec<&str> = first.lines().collect();
    assert_eq!(lines.len(), 13, "{first}");
    assert!(lines[3].starts_with("n3: built in ") && lines[3].ends_with(" s → out/3.nnue"), "{first}");
    assert!(lines[12].starts_with("12 nets: 12 built; stages took "), "{first}");
    std::fs::remove_file(project.at("out/5.nnue")).unwrap();
    let second = project.nnue(&["build"]).ok().out;
    assert!(second.contains("n4: up to date → out/4.nnue\n") && second.contains("12 nets: 1 built, 11 up to date; stages"), "{second}");
    assert!(project.nnue(&["build"]).ok().out.ends_with("12 nets: 12 up to date\n"));
}

#[test]
fn status_shows_files_and_all_that_is_missing_and_checks() {
    let both = manifest!(
        "[net.a]\nsource = \"run\"\noutputs = \"a.nnue\"\n[net.a.optimize]\ndata = \"fens\"\npositions = 50\n[net.b]\nsource = \"run\"\noutputs = \"b/\"\n"
    );
    let project = Project::new(both);
    let ran = project.nnue(&["status", "--check"]);
    assert_eq!(ran.code, 3, "{}", ran.transcript());
    project.nnue(&["status"]).ok();
    project.nnue(&["build"]).ok();
    let shown = project.nnue(&["status", "--check"]).ok().out;
    assert!(shown.contains("  → a.nnue  ") && shown.contains("  → b/nn-"), "{shown}");
    assert!(!shown.contains('\x1b') && project.nnue(&["status", "--color=always"]).ok().out.contains("a: \x1b[32mfresh\x1b[0m\n"));
    std::fs::remove_file(project.at("run.nnue")).unwrap();
    std::fs::remove_file(project.at("positions.fen")).unwrap();
    let ran = project.nnue(&["status"]);
    assert_eq!(ran.code, 1, "{}", ran.transcript());
    let a = ran.out.split("b: ").next().unwrap();
    for (file, line) in [("run.nnue", 3), ("positions.fen", 6)] {
        let place = format!("(it is named in ./nnue.toml:{line})");
        assert!(a.lines().any(|text| text.contains(&format!("cannot read `{file}`")) && text.contains(&place)), "{}", ran.out);
    }
}
