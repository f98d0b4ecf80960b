//! What the disk has a say in: sweeps, links, folders, files that are not manifests.

use crate::*;

/// A manifest of a megabyte that stands for gigabytes of nets is refused before any of them is made.
#[test]
fn small_manifests_of_huge_nets_are_refused() {
    let values = (0..4000).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
    let net = "source = \"a.nnue\"\noutputs = \"out/{x}-{y}/\"\n";
    let large = "a".repeat(900_000);
    let axis = format!("version = 1\n[matrix]\nx = [{values}]\ny = [\"{large}\"]\n[net.\"n{{x}}-{{y}}\"]\n{net}");
    let places = "{x}".repeat(200_000);
    let repeated = format!(
        "version = 1\n[matrix]\nx = [{values}]\n[net.\"n{{x}}\"]\nsource = \"a.nnue\"\noutputs = \"{{x}}/\"\ndescription = \"{places}\"\n"
    );
    let fixed = format!(
        "version = 1\n[matrix]\nx = [{values}]\n[net.\"n{{x}}\"]\nsource = \"a.nnue\"\noutputs = \"{{x}}/\"\ndescription = \"{large}\"\n"
    );
    let defaults = (0..4000).map(|n| format!("[net.n{n}]\nsource = \"a.nnue\"\noutputs = \"{n}/\"\n")).collect::<String>();
    let list = vec!["0"; 400_000].join(",");
    let cases = [
        (axis, "makes nets that are too large together", "a value of `y` has up to 900000 bytes, and each net has 2 of it"),
        (repeated, "makes nets that are too large together", "each net has 200002 of it"),
        (fixed, "makes nets that are too large together", "its nets, 4000 of them, would have 36"),
        (format!("version = 1\n[defaults]\ndescription = \"{large}\"\n{defaults}"), "`defaults.description` is too large", "4000 nets"),
        (format!("version = 1\n[defaults]\ndescription = [{list}]\n{defaults}"), "`defaults.description` is too large", "400001 values"),
        (format!("version = 1\n[defaults.optimize]\ndata = \"{large}\"\n{defaults}"), "`defaults.optimize` is too large", "4000 nets"),
    ];
    for (text, message, cause) in cases {
        let error = parse(&text).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        let shown = render(&error);
        assert!(shown.contains(message) && shown.contains(cause), "{message} {cause}: {:.400}", shown.replace(['a', '0'], ""));
        assert_eq!(shown.matches("too large").count(), 1);
    }
}

/// Like [`snapshot`], without the name of the temporary folder.
#[track_caller]
fn disk_snapshot(name: &str, folder: &Path) {
    let text = render(&load(folder).unwrap_err());
    let real = folder.canonicalize().unwrap().display().to_string();
    let text = text.replace(&real, "$DIR").replace(&folder.display().to_string(), "$DIR");
    same(name, &text);
}

const SWEEP: &str =
    "version = 1\n[net.\"nightly/{stem}\"]\nsource = { glob = \"runs/*/epoch=*.ckpt\" }\noutputs = [\"nightly/{stem}.nnue\"]\n";

#[test]
fn sweep_makes_a_net_per_file() {
    let files = [
        "runs/b/epoch=1.ckpt",
        "runs/a/epoch=20.ckpt",
        "runs/a/epoch=3.ckpt",
        "runs/a/last.ckpt",
        "runs/epoch=9.ckpt",
        "runs/.c/epoch=4.ckpt",
    ];
    let folder = folder(SWEEP, &files);
    fs::create_dir(folder.path().join("runs/a/epoch=dir.ckpt")).unwrap();
    let manifest = load(folder.path()).unwrap();
    let nets: Vec<_> = manifest.nets.iter().map(|net| (net.name.as_str(), net.source.path.value.typed.as_str())).collect();
    assert_eq!(
        nets,
        [
            ("nightly/epoch=20", "runs/a/epoch=20.ckpt"),
            ("nightly/epoch=3", "runs/a/epoch=3.ckpt"),
            ("nightly/epoch=1", "runs/b/epoch=1.ckpt"),
        ]
    );
    let net = &manifest.nets[2];
    assert_eq!(net.sweep.as_deref(), Some("nightly/{stem}"));
    assert_eq!(net.outputs[0].path.value.typed, "nightly/epoch=1.nnue");
    assert_eq!(net.outputs[0].path.value.resolved, folder.path().join("nightly/epoch=1.nnue"));
    assert!(net.source.path.value.resolved.is_file());

    fs::write(folder.path().join("runs/a/epoch=0.ckpt"), "").unwrap();
    let mut manifest = manifest;
    manifest::refresh(&mut manifest).unwrap();
    assert_eq!(manifest.nets.len(), 4);
    assert_eq!(manifest.nets[0].name, "nightly/epoch=0");
}

#[test]
fn a_matrix_of_sweeps() {
    let text = "version = 1\n[matrix]\nrun = [\"a\", \"b\"]\nkind = [\"none\", \"leb128\"]\n[net.\"{run}/{stem} {kind}\"]\n\
                source = { glob = \"runs/{run}/*.ckpt\" }\noutputs = [\"out/{parent}-{stem}-{kind}.nnue\"]\ncompression = \"{kind}\"\n";
    let found = folder(text, &["runs/a/1.ckpt", "runs/a/2.ckpt", "runs/b/1.ckpt", "runs/c/1.ckpt"]);
    let manifest = load(found.path()).unwrap();
    let nets: Vec<_> = manifest.nets.iter().map(|net| (net.name.as_str(), net.outputs[0].path.value.typed.as_str())).collect();
    assert_eq!(
        nets,
        [
            ("a/1 none", "out/a-1-none.nnue"),
            ("a/2 none", "out/a-2-none.nnue"),
            ("a/1 leb128", "out/a-1-leb128.nnue"),
            ("a/2 leb128", "out/a-2-leb128.nnue"),
            ("b/1 none", "out/b-1-none.nnue"),
            ("b/1 leb128", "out/b-1-leb128.nnue"),
        ]
    );
    assert!(manifest.nets.iter().all(|net| net.sweep.as_deref() == Some("{run}/{stem} {kind}")));
    let mut again = load(found.path()).unwrap();
    manifest::refresh(&mut again).unwrap();
    assert_eq!(again.nets, manifest.nets);
    // Neither run has files: one message.
    let none = folder(text, &["runs/c/1.ckpt"]);
    disk_snapshot("matrix_of_sweeps_without_files", none.path());
}

#[test]
fn sweep_patterns() {
    let files = ["a/x.nnue", "a/b/x.nnue", "a/b/c/y.pt", "z.nnue", ".nnue/cache/q.nnue", "a/[1].nnue"];
    let cases: &[(&str, &[&str])] = &[
        ("**/*.nnue", &["a/[1].nnue", "a/b/x.nnue", "a/x.nnue", "z.nnue"]),
        ("**/**/x.nnue", &["a/b/x.nnue", "a/x.nnue"]),
        ("a/**", &["a/[1].nnue", "a/b/c/y.pt", "a/b/x.nnue", "a/x.nnue"]),
        ("./a//b/../x.nnue", &["a/b/../x.nnue"]),
        ("a/*/x.{nnue,pt}", &["a/b/x.nnue"]),
        ("a/\\[1\\].nnue", &["a/[1].nnue"]),
        ("?.nnue", &["z.nnue"]),
        (".nnue/*/[p-r].nnue", &[".nnue/cache/q.nnue"]),
    ];
    for (pattern, expected) in cases {
        let manifest = format!(
            "version = 1\n[net.\"{{parent}}/{{stem}}\"]\nsource = {{ glob = '{pattern}' }}\noutputs = '.out/{{parent}}-{{stem}}.nnue'\n"
        );
        let folder = folder(&manifest, &files);
        let manifest = load(folder.path()).unwrap();
        let found: Vec<_> = manifest.nets.iter().map(|net| net.source.path.value.typed.as_str()).collect();
        assert_eq!(found, *expected, "{pattern}");
    }
}

#[test]
fn sweep_without_files() {
    let folder = folder(SWEEP, &["runs/x"]);
    disk_snapshot("sweep_without_files", folder.path());
}

#[test]
fn sweep_with_one_stem_twice() {
    let folder = folder(SWEEP, &["runs/a/epoch=1.ckpt", "runs/b/epoch=1.ckpt", "runs/c/epoch=1.ckpt"]);
    disk_snapshot("sweep_with_one_stem_twice", folder.path());
}

#[test]
fn sweep_makes_the_name_of_another_net() {
    let text = format!("{SWEEP}[net.\"nightly/epoch=1\"]\nsource = \"a.nnue\"\noutputs = \"d/\"\n");
    let folder = folder(&text, &["runs/a/epoch=1.ckpt"]);
    disk_snapshot("sweep_makes_the_name_of_another_net", folder.path());
}

#[test]
fn sweep_over_its_own_outputs() {
    let text = "version = 1\n[net.\"{stem}\"]\nsource = { glob = \"nets/*.nnue\" }\noutputs = [\"nets/{stem}.nnue\"]\n";
    let folder = folder(text, &["nets/a.nnue", "nets/b.nnue"]);
    disk_snapshot("sweep_over_its_own_outputs", folder.path());
}

#[test]
fn sweep_that_would_read_what_is_written() {
    let sweep = |glob: &str, outputs: &str| {
        format!("version = 1\n[net.\"n-{{stem}}\"]\nsource = {{ glob = \"{glob}\" }}\noutputs = [\"{outputs}\"]\n")
    };
    let files = ["runs/a.nnue", "runs/b.nnue"];
    for (glob, output) in [
        ("runs/*.nnue", "runs/opt-{stem}.nnue"),
        ("**/*.nnue", "dist/"),
        ("**/*.nnue", "deep/er/{stem}.nnue"),
        ("./runs/../*/?*.nnue", "dist/"),
        ("runs/*", "runs/{stem}.pt"),
        ("runs/*.nnue", "./x/../runs/"),
    ] {
        let folder = folder(&sweep(glob, output), &files);
        let text = render(&load(folder.path()).unwrap_err());
        assert!(text.contains("would become a source of the sweep `n-{stem}`") && text.contains("read by this glob"), "{text}");
        assert_eq!(text.matches("would become").count(), 1, "one mistake for all files: {text}");
    }
    for (glob, output) in [
        ("runs/*.nnue", "runs/opt/{stem}.nnue"),
        ("runs/*.nnue", "runs/{stem}.pt"),
        ("**/*.nnue", ".dist/"),
        ("runs/?.nnue", "runs/"),
        ("runs/**/a.nnue", "runs/out/x-{stem}.nnue"),
    ] {
        let folder = folder(&sweep(glob, output), &files);
        load(folder.path()).unwrap_or_else(|error| panic!("{glob} {output}: {error:?}"));
    }
    // Another net's outputs are sources of the sweep as well.
    let other = format!("{}[net.big]\nsource = \"a.nnue\"\noutputs = [\"runs/\"]\n", sweep("runs/*.nnue", "dist/"));
    disk_snapshot("sweep_over_the_outputs_of_another_net", folder(&other, &files).path());
}

#[cfg(unix)]
#[test]
fn sweep_that_would_read_what_is_written_through_a_link() {
    let text = "version = 1\n[net.\"n-{stem}\"]\nsource = { glob = \"runs/*.nnue\" }\noutputs = [\"link/new-{stem}.nnue\"]\n";
    let folder = folder(text, &["runs/a.nnue"]);
    std::os::unix::fs::symlink("runs", folder.path().join("link")).unwrap();
    assert!(render(&load(folder.path()).unwrap_err()).contains("would become a source"));
}

#[test]
fn default_moves_mean_nothing_to_a_greedy_net() {
    let text = |net: &str, more: &str| {
        format!(
            "version = 1\n[matrix]\nhow = [\"greedy\", \"anneal\"]\n[data.d]\npath = \"d.fen\"\n[defaults.optimize]\ndata = \"d\"\n\
             moves = 7\n{more}[net.\"{net}-{{how}}\"]\nsource = \"a.nnue\"\noutputs = \"{{how}}/\"\n"
        )
    };
    let own = parse(&format!("{}optimize = {{ algorithm = \"{{how}}\" }}\n", text("own", ""))).unwrap();
    let by_default = parse(&text("default", "algorithm = \"{how}\"\n")).unwrap();
    for manifest in [own, by_default] {
        let moves = |index: usize| manifest.nets[index].optimize.as_ref().unwrap().budget.as_ref().map(|moves| moves.value);
        assert_eq!((moves(0), moves(1)), (None, Some(7)));
    }
    // What the net says itself is a mistake as before.
    assert!(parse(&format!("{}optimize = {{ algorithm = \"{{how}}\", moves = 8 }}\n", text("own", ""))).is_err());
}

#[test]
fn an_existing_folder_needs_no_slash() {
    let folder = folder("version = 1\n[net.big]\nsource = \"a.nnue\"\noutputs = [\"dist\", \".\"]\n", &["dist/x"]);
    let manifest = load(folder.path()).unwrap();
    assert!(manifest.nets[0].outputs.iter().all(|output| output.kind == OutputKind::Folder));
}

#[cfg(unix)]
#[test]
fn output_escapes_through_a_link() {
    let outside = tempfile::tempdir().unwrap();
    let text =
        "version = 1\n[net.big]\nsource = \"a.nnue\"\noutputs = [\"link/sub/x.nnue\", \"link/\", \"inner/y.nnue\", \"../up.nnue\"]\n";
    let folder = folder(text, &["real/x"]);
    std::os::unix::fs::symlink(outside.path(), folder.path().join("link")).unwrap();
    std::os::unix::fs::symlink("real", folder.path().join("inner")).unwrap();
    let text = render(&load(folder.path()).unwrap_err());
    let text = text.replace(&outside.path().canonicalize().unwrap().display().to_string(), "$OUTSIDE");
    let text = text.replace(&folder.path().display().to_string(), "$DIR");
    same("output_escapes_through_a_link", &text);
}

#[cfg(unix)]
#[test]
fn outputs_that_meet_through_a_link() {
    let text =
        "version = 1\n[net.a]\nsource = \"a.nnue\"\noutputs = \"real/x.nnue\"\n[net.b]\nsource = \"a.nnue\"\noutputs = \"link/x.nnue\"\n";
    let folder = folder(text, &["real/file"]);
    std::os::unix::fs::symlink("real", folder.path().join("link")).unwrap();
    disk_snapshot("outputs_that_meet_through_a_link", folder.path());
}

#[cfg(unix)]
#[test]
fn an_output_that_is_a_linked_source() {
    let text = "version = 1\n[net.a]\nsource = \"latest.nnue\"\noutputs = \"nets/7.nnue\"\n";
    let folder = folder(text, &["nets/7.nnue"]);
    std::os::unix::fs::symlink("nets/7.nnue", folder.path().join("latest.nnue")).unwrap();
    disk_snapshot("an_output_that_is_a_linked_source", folder.path());
}

#[test]
fn files_that_are_no_manifest() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nnue.toml");
    let mut all = render(&load(folder.path()).unwrap_err());
    for bytes in [&b"version = 1\n\xff"[..], b"\xff\xfev\0e\0"] {
        fs::write(&path, bytes).unwrap();
        all.push_str(&render(&load(folder.path()).unwrap_err()));
    }
    fs::File::create(&path).unwrap().set_len(17 << 20).unwrap();
    all.push_str(&render(&load(folder.path()).unwrap_err()));
    let all = all.replace(&folder.path().display().to_string(), "$DIR");
    same("files_that_are_no_manifest", &all);
}

#[test]
fn found_here_or_above() {
    let folder = folder("version = 1\n", &["a/b/c"]);
    let manifest = folder.path().join("nnue.toml");
    assert_eq!(manifest::find(folder.path()).unwrap(), manifest);
    assert_eq!(manifest::find(&folder.path().join("a/b")).unwrap(), manifest);
    let empty = tempfile::tempdir().unwrap();
    let error = manifest::find(empty.path()).unwrap_err();
    assert_eq!(error.kind(), Kind::Usage);
    assert!(error.help_text().unwrap().contains("-f FILE"));
}

/// The names of a sweep's nets over Lightning's folders.
fn lightning(name: &str, source: &str, files: &[&str]) -> Vec<String> {
    let text = format!("version = 1\n[net.\"{name}\"]\nsource = {{ {source} }}\noutputs = \"out/{name}.nnue\"\n");
    let folder = folder(&text, files);
    load(folder.path()).unwrap().nets.into_iter().map(|net| net.name).collect()
}

const LIGHTNING: [&str; 4] = [
    "runs/run_0/lightning_logs/version_0/checkpoints/epoch=9-step=500.ckpt",
    "runs/run_0/lightning_logs/version_0/checkpoints/epoch=10-step=550.ckpt",
    "runs/run_1/lightning_logs/version_0/checkpoints/epoch=9-step=500.ckpt",
    "runs/run_1/lightning_logs/version_1/checkpoints/epoch=009-step=00400.ckpt",
];

#[test]
fn wildcards_parents_and_numbers_tell_the_files_apart() {
    let glob = "glob = \"runs/run_*/lightning_logs/version_*/checkpoints/epoch=*.ckpt\"";
    assert_eq!(lightning("{1}.{2}/{epoch}-{step}", glob, &LIGHTNING), ["0.0/10-550", "0.0/9-500", "1.0/9-500", "1.1/9-400"]);
    let named = "glob = \"runs/{run:*}/lightning_logs/*/checkpoints/{file:epoch=*}.ckpt\"";
    assert_eq!(
        lightning("{run} {parent.2} {file}", named, &LIGHTNING),
        [
            "run_0 version_0 epoch=10-step=550",
            "run_0 version_0 epoch=9-step=500",
            "run_1 version_0 epoch=9-step=500",
            "run_1 version_1 epoch=009-step=00400"
        ]
    );
    assert_eq!(lightning("{run}{parent.2}", &format!("{named}, last = 1"), &LIGHTNING).len(), 3);
    assert_eq!(lightning("{run}{parent.2} {epoch}", &format!("{named}, last = 1"), &LIGHTNING)[0], "run_0version_0 10");
    assert_eq!(lightning("{run}{parent.2} {epoch}", &format!("{named}, newest = 1"), &LIGHTNING).len(), 1);
}

#[test]
fn the_newest_file_changes_with_the_times_of_files() {
    let text = "version = 1\n[net.\"{stem}\"]\nsource = { glob = \"*.ckpt\", newest = 1 }\noutputs = \"out/{stem}.nnue\"\n";
    let folder = folder(text, &["a.ckpt", "b.ckpt"]);
    let at = |name: &str, seconds: u64| {
        let file = fs::File::options().write(true).open(folder.path().join(name)).unwrap();
        file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds)).unwrap();
    };
    at("a.ckpt", 2000);
    at("b.ckpt", 1000);
    let mut manifest = load(folder.path()).unwrap();
    assert_eq!(manifest.nets[0].name, "a");
    assert!(manifest.listed.iter().any(|(path, _)| path.ends_with("b.ckpt")), "its time decides, too");
    at("b.ckpt", 3000);
    manifest::refresh(&mut manifest).unwrap();
    assert_eq!(manifest.nets[0].name, "b");
}

#[test]
fn a_matrix_beside_named_wildcards() {
    let text = "version = 1\n[matrix]\nkind = [\"none\", \"leb128\"]\n[net.\"{run}-{1}-{kind}\"]\n\
                source = { glob = \"{run:*}/*.ckpt\" }\noutputs = [\"out/{run}/{kind}.nnue\"]\ncompression = \"{kind}\"\n";
    let found = folder(text, &["a/1.ckpt"]);
    let names: Vec<String> = load(found.path()).unwrap().nets.into_iter().map(|net| net.name).collect();
    assert_eq!(names, ["a-a-none", "a-a-leb128"]);
}

#[test]
fn what_a_file_does_not_give_is_said() {
    let text = |name: &str, glob: &str| {
        format!("version = 1\n[net.\"{name}\"]\nsource = {{ glob = \"{glob}\" }}\noutputs = \"out/{name}.nnue\"\n")
    };
    let message = |text: &str, files: &[&str]| {
        let folder = folder(text, files);
        let error = load(folder.path()).unwrap_err();
        let report = error.report().unwrap();
        let all: Vec<&dyn miette::Diagnostic> = report.related().map_or_else(|| vec![report as _], Iterator::collect);
        all.iter().map(|problem| format!("{problem}; {}\n", problem.help().unwrap())).collect::<String>()
    };
    assert!(message(&text("{epoch}", "*.ckpt"), &["epoch=1.ckpt", "last.ckpt"]).contains("`last.ckpt` has no `{epoch}`"));
    assert!(message(&text("{2}", "*.ckpt"), &["a.ckpt"]).contains("unknown placeholder `{2}`"));
    let said = message(&text("{rum}", "{run:*}/*.ckpt"), &["a/a.ckpt"]);
    assert!(said.contains("did you mean `{run}`?") && said.contains("`{1}`, `{2}`, `{run}`"), "{said}");
    assert!(message(&text("{run}", "{run:*}/{run:*}.ckpt"), &["a/a.ckpt"]).contains("cannot expand the glob"));
    let twice = message(&text("{stem}", "*/*.ckpt"), &["a/x.ckpt", "b/x.ckpt"]);
    assert!(twice.contains("two nets are named `x`") && twice.contains("`{run:*}`"), "{twice}");
}

#[test]
#[cfg(unix)]
fn links_to_nothing_are_said() {
    let text = "version = 1\n[net.\"{stem}\"]\nsource = { glob = \"runs/*.ckpt\" }\noutputs = \"out/{stem}.nnue\"\n";
    let folder = folder(text, &["runs/epoch=1.ckpt"]);
    std::os::unix::fs::symlink("epoch=9.ckpt", folder.path().join("runs/last.ckpt")).unwrap();
    let manifest = load(folder.path()).unwrap();
    assert_eq!(manifest.nets.len(), 1);
    let [warning] = manifest.warnings.as_slice() else { panic!("{:?}", manifest.warnings) };
    assert!(warning.contains("last.ckpt` is a link to `epoch=9.ckpt`, which is not there"), "{warning}");
    fs::remove_file(folder.path().join("runs/epoch=1.ckpt")).unwrap();
    let error = load(folder.path()).unwrap_err();
    assert!(error.message().contains("no file matches"), "{error}");
}
