//! The command line as its users see it: one test a behaviour, each with exit code, stdout and stderr.

use std::path::Path;

use crate::cli_support::{command, names, nnue, write_fens, write_net};
use crate::common;
use serde_json::json;

use super::fixture::project;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn read(folder: &Path, name: &str) -> Vec<u8> {
    std::fs::read(folder.join(name)).unwrap()
}

// ── Global behaviour ──────────────────────────────────────────────────────────────────────────────────────────────────

#[test]
fn help_and_version_are_results_and_no_command_is_a_mistake() {
    let work = folder();
    assert!(nnue(work.path(), ["--help"]).ok().out.contains("Usage: nnue"));
    assert_eq!(
        nnue(work.path(), ["--version"]).ok().transcript(),
        format!("exit 0\n--- stdout\nnnue {}\n--- stderr\n", env!("CARGO_PKG_VERSION"))
    );
    nnue(work.path(), ["frobnicate"]).fails(2, &["unrecognized subcommand 'frobnicate'"]);
    nnue::<&str>(work.path(), []).fails(2, &["Usage: nnue"]);
    nnue(work.path(), ["inspect"]).fails(2, &["<FILE>"]);
}

#[test]
fn a_folder_to_start_in_holds_for_all_paths() {
    let work = folder();
    std::fs::create_dir(work.path().join("sub")).unwrap();
    write_net(&work.path().join("sub/a.nnue"), "small", 16, 1);
    nnue(work.path(), ["-C", "sub", "convert", "a.nnue", "b.nnue", "-q"]).ok();
    assert_eq!(names(&work.path().join("sub")), ["a.nnue", "b.nnue"]);
    nnue(work.path(), ["inspect", "a.nnue", "-C", "missing"]).fails(2, &["cannot change to the folder `missing`"]);
}

#[test]
fn colours_are_for_terminals_and_those_who_ask() {
    let work = folder();
    assert!(!nnue(work.path(), ["convert", "a", "b"]).err.contains('\x1b'));
    assert!(nnue(work.path(), ["--color", "always", "convert", "a", "b"]).err.contains("\x1b[1;31merror:"));
    assert!(nnue(work.path(), ["--color=always", "frobnicate"]).err.contains('\x1b'));
    let quiet = command(work.path()).env("NO_COLOR", "1").args(["--color", "never", "frobnicate"]).output().unwrap();
    assert!(!String::from_utf8(quiet.stderr).unwrap().contains('\x1b'));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let work = folder();
    write_net(&work.path().join("a.nnue"), "small", 16, 1);
    let nnue = assert_cmd::cargo::cargo_bin!("nnue");
    for args in ["inspect a.nnue --json", "schema", "completions bash", "--help", "man"] {
        let script = format!("set -o pipefail; {} {args} | true", nnue.display());
        let output = std::process::Command::new("bash").args(["-c", &script]).current_dir(work.path()).output().unwrap();
        assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap().as_str()), (Some(0), ""), "{args}");
    }
    let full = format!("{} schema > /dev/full", nnue.display());
    let output = std::process::Command::new("bash").args(["-c", &full]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("cannot write to stdout"));
}

#[test]
fn an_interrupt_ends_with_130_and_leaves_nothing() {
    let work = folder();
    // Big enough that the search runs for minutes.
    write_net(&work.path().join("a.nnue"), "small", 256, 1);
    write_fens(&work.path().join("p.fen"), 1, 20_000);
    let nnue = assert_cmd::cargo::cargo_bin!("nnue");
    let mut child = std::process::Command::new(nnue)
        .args(["convert", "a.nnue", "b.nnue", "--ft_optimize", "--ft_optimize_data", "p.fen", "-v", "--quantization", "ft127"])
        .args(["--ft_optimize_count", "5000", "--algorithm", "anneal", "--moves", "100000000000"])
        .current_dir(work.path())
        .stderr(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // Its second line on stderr says that work has begun.
    let mut said = std::io::BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut said, &mut line).unwrap();
    let status = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(status.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut said, &mut rest).unwrap();
    assert!(rest.contains("error: interrupted"), "{line}{rest}");
    assert_eq!(names(work.path()), ["a.nnue", "p.fen"]);
}

// ── convert ───────────────────────────────────────────────────────────────────────────────────────────────────────────

#[test]
fn convert_says_what_it_wrote() {
    let work = folder();
    let bytes = write_net(&work.path().join("a.nnue"), "SFNNv9", 16, 7);
    let ran = nnue(work.path(), ["convert", "a.nnue", "b.nnue"]).ok();
    let sha = common::sha256(&bytes);
    assert_eq!(read(work.path(), "b.nnue"), bytes);
    let expected = format!(
        "exit 0\n--- stdout\nwrote        b.nnue\nname         nn-{}.nnue\nsha256       {sha}\nbytes        {}, compression leb128\n",
        &sha[..12],
        bytes.len()
    );
    assert!(ran.transcript().starts_with(&expected), "{}", ran.transcript());
    assert!(ran.out.contains("sizes        L1=16 L2=15 L3=32\n"), "{}", ran.out);
    assert_eq!(nnue(work.path(), ["convert", "a.nnue", "b.nnue", "-q"]).ok().transcript(), "exit 0\n--- stdout\n--- stderr\n");
    let result = nnue(work.path(), ["convert", "a.nnue", "b.nnue", "--json"]).ok().json();
    let output = json!({"path": "b.nnue", "sha256": sha, "bytes": bytes.len()});
    assert_eq!(result, json!({"schema": 1, "output": output, "zero_blocks": null, "warnings": []}));
}

#[test]
fn convert_keeps_or_replaces_or_empties_the_description() {
    let work = folder();
    write_net(&work.path().join("a.nnue"), "small", 16, 7);
    let described = |args: &[&str]| {
        nnue(work.path(), ["convert", "a.nnue", "b.nnue", "-q"].iter().chain(args)).ok();
        nnue(work.path(), ["inspect", "b.nnue", "--json"]).ok().json()["description"].clone()
    };
    assert_eq!(described(&[]), "Random network, seed 7");
    assert_eq!(described(&["--description", "für ✓\n"]), "für ✓\n");
    assert_eq!(described(&["--description", ""]), "");
    assert_eq!(described(&["--description=-x"]), "-x");
}

#[test]
fn convert_may_replace_its_own_source() {
    let work = folder();
    let bytes = write_net(&work.path().join("a.nnue"), "small", 16, 7);
    nnue(work.path(), ["convert", "a.nnue", "a.nnue", "--ft-compression", "none", "-q"]).ok();
    assert!(read(work.path(), "a.nnue").len() > bytes.len());
    nnue(work.path(), ["convert", "a.nnue", "a.nnue", "--ft_compression=leb128", "-q"]).ok();
    assert_eq!(read(work.path(), "a.nnue"), bytes);
    assert_eq!(names(work.path()), ["a.nnue"]);
}

#[test]
fn convert_goes_through_floats_and_back_without_loss() {
    let work = folder();
    let bytes = write_net(&work.path().join("a.nnue"), "SFNNv16", 8, 7);
    for target in ["f.pt", "f.safetensors", "f.npz"] {
        nnue(work.path(), ["convert", "a.nnue", target, "-q"]).ok();
        nnue(work.path(), ["convert", target, "back.nnue", "-q"]).ok();
        assert_eq!(read(work.path(), "back.nnue"), bytes, "{target}");
    }
    nnue(work.path(), ["convert", "a.nnue", "m.pt", "--pt-profile", "head", "-q"]).ok();
    nnue(work.path(), ["convert", "m.pt", "back.nnue", "-q"]).ok();
    assert_eq!(read(work.path(), "back.nnue"), bytes);
    let ran = nnue(work.path(), ["convert", "a.nnue", "g.npz", "--ft_compression", "none", "-q", "--json"]).ok();
    assert_eq!(ran.json()["warnings"], json!(["`--ft_compression` has no effect on a target that is not a `.nnue` file"]));
}

#[test]
fn convert_names_files_by_their_digest() {
    let work = folder();
    let bytes = write_net(&work.path().join("a.nnue"), "small", 16, 7);
    let name = format!("nn-{}.nnue", &common::sha256(&bytes)[..12]);
    let result = nnue(work.path(), ["convert", "a.nnue", "new/sub/", "--out-sha", "--json"]).ok().json();
    assert_eq!(result["output"]["path"], format!("new/sub/{name}"));
    assert_eq!(names(&work.path().join("new/sub")), [name]);
    // As serialize.py: what is not a folder says which folder is meant.
    let name = std::path::Path::new(result["output"]["path"].as_str().unwrap()).file_name().unwrap().to_owned();
    for (target, folder) in [("new/foo.nnue", "new"), ("foo.nnue", ""), ("a.nnue", ""), ("./foo", "")] {
        nnue(work.path(), ["convert", "a.nnue", target, "--out_sha"]).ok();
        let path = work.path().join(folder).join(&name);
        assert!(path.is_file(), "{target}");
        assert!(!work.path().join("new/foo.nnue").exists() && !work.path().join("foo.nnue").exists() && !work.path().join("foo").exists());
        std::fs::remove_file(path).unwrap();
    }
    nnue(work.path(), ["convert", "a.nnue", "new"]).fails(2, &["`new` is a folder", "--out-sha"]);
}

#[test]
fn convert_optimizes_the_same_way_each_time() {
    let work = folder();
    write_net(&work.path().join("a.nnue"), "small", 64, 7);
    write_fens(&work.path().join("p.fen"), 1, 400);
    write_fens(&work.path().join("q.fen"), 2, 400);
    let run = |target: &str| {
        let args =
            ["convert", "a.nnue", target, "--ft_optimize", "--ft_optimize_data", "p.fen", "q.fen", "--ft_optimize_count", "500", "--json"];
        nnue(work.path(), args.iter().chain(&["--quantization", "ft127"])).ok().json()
    };
    let result = run("b.nnue");
    assert_eq!(result["zero_blocks"]["positions"], 500);
    assert!(result["zero_blocks"]["after"].as_f64() > result["zero_blocks"]["before"].as_f64(), "{result}");
    run("c.nnue");
    assert_eq!(read(work.path(), "b.nnue"), read(work.path(), "c.nnue"));
    let too_many = ["convert", "a.nnue", "d.nnue", "--ft_optimize", "--ft_optimize_data", "p.fen", "--ft_optimize_count", "100000"];
    nnue(work.path(), too_many).fails(1, &["asked for 100000 positions"]);
    assert!(!work.path().join("d.nnue").exists());
}

#[test]
fn convert_filters_positions() {
    let work = folder();
    write_net(&work.path().join("a.nnue"), "small", 64, 7);
    write_fens(&work.path().join("p.fen"), 1, 400);
    let optimize = ["convert", "a.nnue", "b.nnue", "--quantization", "ft127", "--ft_optimize", "--ft_optimize_data", "p.fen"];
    let run = |extra: &[&str]| nnue(work.path(), optimize.iter().chain(extra));
    run(&["--filtered", "--ft_optimize_count", "9"]).fails(2, &["the filter `filtered` needs", "`p.fen`"]);
    run(&["--random-fen-skipping", "1", "--ft_optimize_count", "350"]).fails(1, &["asked for 350 positions", "were filtered out"]);
    assert!(!work.path().join("b.nnue").exists());
    run(&["--random-fen-skipping", "1", "--pc=2026-01", "--pc_y1", "0.5", "--ft_optimize_count", "50"]).ok();
    let idle = nnue(work.path(), ["convert", "a.nnue", "c.nnue", "--max_ply", "80"]).ok();
    assert!(idle.err.contains("filters of positions have no effect without `--ft_optimize`"), "{}", idle.transcript());
}

#[test]
fn convert_refuses_options_that_contradict_each_other_before_it_reads() {
    let work = folder();
    let run = |args: &[&str]| nnue(work.path(), ["convert", "missing.nnue"].iter().chain(args));
    run(&["b.nnue", "--ft_perm", "p", "--ft_optimize"]).fails(2, &["mutually exclusive"]);
    run(&["b.nnue", "--ft_optimize"]).fails(2, &["`--ft_optimize` needs positions", "--ft_optimize_data"]);
    run(&["b.ckpt"]).fails(2, &["cannot convert into .ckpt"]);
    run(&["b.bin"]).fails(2, &["`.nnue`, `.pt`, `.safetensors` and `.npz`"]);
    run(&["b"]).fails(2, &["`b` has no ending"]);
    run(&["b.nnue", "--ft_compression", "zip"]).fails(2, &["invalid value 'zip'", "leb128, none"]);
    run(&["b.nnue", "--l1", "0"]).fails(2, &["--l1"]);
    run(&["b.nnue", "--features", "HalfKB"]).fails(2, &["`HalfKB` is not a feature block"]);
    run(&["b.nnue", "--architecture", "SFNNv99"]).fails(2, &["known are T0, SFNNv1"]);
    run(&["b.nnue", "--quantization", "ft1"]).fails(2, &["ft127, ft255, ft256"]);
    run(&["b.nnue", "--pc_y3", "1e9"]).fails(2, &["`pc_y3` is out of range", "from -1000000 to 1000000"]);
    run(&["b.nnue", "--ft_optimize_count", "0"]).fails(2, &["--ft_optimize_count"]);
    run(&["gone/b.nnue"]).fails(1, &["the folder `gone` does not exist"]);
    run(&["b.nnue"]).fails(1, &["cannot open `missing.nnue`"]);
    assert!(names(work.path()).is_empty());
}

#[test]
fn convert_says_what_a_wrong_file_is() {
    let work = folder();
    let whole = write_net(&work.path().join("a.nnue"), "SFNNv9", 16, 7);
    for (name, bytes, parts) in [
        ("page", b"<!DOCTYPE html><html></html>".to_vec(), &["this is an HTML page, not a network", "help: "][..]),
        ("lfs", b"version https://git-lfs.github.com/spec/v1\n".to_vec(), &["git-lfs pointer", "git lfs pull"]),
        ("gz", vec![0x1F, 0x8B, 8, 0], &["gzip-compressed"]),
        ("txt", b"hello\n".to_vec(), &["this is a text file"]),
        ("empty", Vec::new(), &["the file is empty"]),
        ("noise", vec![1, 2, 3], &["begins with the bytes 01 02 03"]),
        ("cut", whole[..whole.len() / 2].to_vec(), &["truncated at byte"]),
        ("long", [whole.as_slice(), b"x"].concat(), &["1 bytes are left after the last layer stack"]),
    ] {
        std::fs::write(work.path().join(name), bytes).unwrap();
        nnue(work.path(), ["convert", name, "b.nnue"]).fails(1, &[&[&*format!("cannot load `{name}`")], parts].concat());
    }
    nnue(work.path(), ["convert", "a.nnue", "b.nnue", "--l1", "3072"]).fails(1, &["L1=16 in the file, 3072 expected"]);
    assert!(!work.path().join("b.nnue").exists());
}

// ── init, schema, completions, man ────────────────────────────────────────────────────────────────────────────────────

#[test]
fn init_writes_a_manifest_of_what_is_there_and_overwrites_nothing() {
    let work = folder();
    write_net(&work.path().join("my net.nnue"), "small", 16, 1);
    write_fens(&work.path().join("games.fen"), 1, 300);
    std::fs::write(work.path().join("notes.txt"), "x").unwrap();
    let ran = nnue(work.path(), ["init"]).ok();
    assert_eq!(
        ran.out,
        "wrote `./nnue.toml` with 1 file of networks and 1 file of positions\nnext: `nnue build`\n",
        "{}",
        ran.transcript()
    );
    let text = String::from_utf8(read(work.path(), "nnue.toml")).unwrap();
    let expected = "version = 1\n\n# SFNNv5, HalfKAv2_hm, L1=16\n[source.my-net]\npath = \"my net.nnue\"\n\n[data.games]\npath = \"games.fen\"\n\n\
                    [net.my-net]\nsource = \"my-net\"\noutputs = [\"dist/\"]\n\n[net.my-net.optimize]\ndata = \"games\"\npositions = 200\n";
    assert_eq!(text, expected);
    nnue::internals::manifest::load(&work.path().join("nnue.toml"), &[]).unwrap();
    nnue(work.path(), ["init"]).fails(1, &["`./nnue.toml` already exists"]);
    assert_eq!(String::from_utf8(read(work.path(), "nnue.toml")).unwrap(), expected);
    // Without a network, positions are of no use.
    let empty = folder();
    write_fens(&empty.path().join("games.fen"), 1, 300);
    nnue(empty.path(), ["init"]).fails(1, &["no network was found in `.`"]);
    assert_eq!(names(empty.path()), ["games.fen"]);
}

/// A checkpoint that leaves its scales open.
fn write_open_source(path: &std::path::Path) {
    let network = std::sync::Arc::new(nnue::internals::net::random_network("SFNNv5", 16, 1));
    let ctx = nnue::internals::ctx::Ctx::silent();
    let floats = nnue::internals::family::nnue::stages::dequantize::dequantize(&network, &ctx).unwrap();
    let mut bytes = Vec::new();
    let target = nnue::internals::family::nnue::stages::write_float::FloatTarget::Safetensors;
    nnue::internals::family::nnue::stages::write_float::write_float(&mut bytes, &floats, target, &ctx).unwrap();
    std::fs::write(path, crate::common::without_scales(&bytes)).unwrap();
}

#[test]
fn init_chooses_nothing_that_changes_bytes_and_the_build_fails_until_the_user_does() {
    let work = folder();
    write_open_source(&work.path().join("open.safetensors"));
    let ran = nnue(work.path(), ["init"]).ok();
    assert!(ran.err.contains("`open.safetensors` leaves its quantization open (ft127 or ft255)"), "{}", ran.transcript());
    let manifest = work.path().join("nnue.toml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    assert!(!text.lines().any(|line| line.starts_with("quantization") || line.starts_with("architecture")), "{text}");
    assert!(!text.contains("# architecture"), "{text}");
    // A second net of the same source says nothing new.
    std::fs::write(&manifest, text.clone() + "\n[net.again]\nsource = \"open\"\noutputs = \"again/\"\n").unwrap();
    let help = "help: say which: `quantization = \"ft127\"` or `quantization = \"ft255\"`";
    let ran = nnue(work.path(), ["build", "--keep-going"]);
    assert_eq!((ran.code, ran.out.as_str()), (1, "open: failed\nagain: failed\n"), "{}", ran.transcript());
    for part in ["nnue.toml:5:8", "path = \"open.safetensors\"", help] {
        assert!(ran.err.contains(part), "{}", ran.transcript());
    }
    assert_eq!(ran.err.matches("leave open which file is meant, and").count(), 2, "message and label, once: {}", ran.err);
    assert!(!work.path().join("dist").exists() && !work.path().join("again").exists());
    for scales in ["ft127", "ft255"] {
        let choice = format!("# quantization = \"{scales}\"");
        assert!(text.contains(&choice), "{text}");
        std::fs::write(&manifest, text.replace(&choice, &choice[2..])).unwrap();
        nnue(work.path(), ["build"]).ok();
    }
    assert_eq!(names(&work.path().join("dist")).len(), 2);
    nnue(work.path(), ["convert", "open.safetensors", "x.nnue"]).fails(1, &["say which: `--quantization ft127` or `--quantization ft255`"]);
}

#[test]
fn init_writes_a_template_where_nothing_is() {
    let work = folder();
    let ran = nnue(work.path(), ["init"]).ok();
    assert!(ran.out.starts_with("wrote `./nnue.toml`, a template"), "{}", ran.transcript());
    nnue(work.path(), ["build"]).ok();
    // Without the signs of a comment it is a manifest of everything that it shows.
    let text = String::from_utf8(read(work.path(), "nnue.toml")).unwrap();
    let is_toml = |line: &str| line.starts_with("# [") || line.strip_prefix("# ").is_some_and(|line| line.contains(" = "));
    let lines = text.lines().map(|line| if is_toml(line) { &line[2..] } else { line });
    let text = lines.collect::<Vec<_>>().join("\n");
    let manifest = nnue::internals::manifest::parse(&text, std::path::Path::new("nowhere/nnue.toml"), &[]);
    let error = manifest.err().map(|error| error.report().map(|report| format!("{report:?}")));
    assert!(error.iter().flatten().all(|report| report.contains("no file matches")), "{error:?}");
}

#[test]
fn init_looks_into_folders() {
    let work = folder();
    for name in ["runs/a", "data", ".hidden", "dist", "runs/.git"] {
        std::fs::create_dir_all(work.path().join(name)).unwrap();
        write_net(&work.path().join(name).join("net.nnue"), "small", 16, 1);
    }
    std::fs::remove_file(work.path().join("data/net.nnue")).unwrap();
    write_fens(&work.path().join("data/games.fen"), 1, 300);
    nnue(work.path(), ["init"]).ok();
    let text = String::from_utf8(read(work.path(), "nnue.toml")).unwrap();
    let paths: Vec<&str> = text.lines().filter(|line| line.starts_with("path")).collect();
    assert_eq!(paths, ["path = \"runs/a/net.nnue\"", "path = \"data/games.fen\""], "{text}");
    nnue(work.path(), ["build"]).ok();
}

#[test]
fn init_says_in_a_manifest_what_a_command_line_of_the_trainer_says() {
    let work = folder();
    write_net(&work.path().join("a.nnue"), "small", 16, 1);
    write_fens(&work.path().join("p.fen"), 1, 300);
    let options = ["--features=HalfKAv2_hm", "--l1=16", "--ft_compression=leb128", "--ft_optimize", "--ft_optimize_data=p.fen"];
    let line = format!("serialize.py a.nnue b.nnue {} --ft_optimize_count 50 --device=0 --ft-quantized-one 127", options.join(" "));
    nnue(work.path(), ["init", "--from-serialize", &line]).ok();
    nnue(work.path(), ["build"]).ok();
    let built = read(work.path(), "b.nnue");
    let words: Vec<&str> = line.split(' ').skip(1).collect();
    nnue(work.path(), ["convert"].iter().chain(&words)).ok();
    assert_eq!(read(work.path(), "b.nnue"), built, "the manifest and the command line give the same net");
    std::fs::remove_file(work.path().join("nnue.toml")).unwrap();
    nnue(work.path(), ["init", "--from-serialize", "train.py"]).fails(2, &["not a command line of `serialize.py`"]);
    assert!(!work.path().join("nnue.toml").exists());
}

#[test]
fn init_takes_one_file_too() {
    let work = folder();
    std::fs::create_dir(work.path().join("nets")).unwrap();
    write_net(&work.path().join("nets/a.nnue"), "SFNNv1", 16, 1);
    nnue(work.path(), ["init", "nets/a.nnue", "-q"]).ok();
    assert!(String::from_utf8(read(work.path(), "nnue.toml")).unwrap().contains("path = \"nets/a.nnue\""));
    let other = folder();
    std::fs::write(other.path().join("x.nnue"), "<html>").unwrap();
    nnue(other.path(), ["init", "x.nnue"]).fails(1, &["HTML page"]);
    assert_eq!(names(other.path()), ["x.nnue"]);
}

#[test]
fn the_schema_is_the_committed_one() {
    let work = folder();
    let committed = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/nnue.schema.json")).unwrap();
    assert_eq!(nnue(work.path(), ["schema"]).ok().out, committed);
}

#[test]
fn completions_and_manual_pages_are_there() {
    let work = folder();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(nnue(work.path(), ["completions", shell]).ok().out.contains("convert"), "{shell}");
    }
    assert!(nnue(work.path(), ["man"]).ok().out.contains(".TH nnue 1"));
    nnue(work.path(), ["man", "man1"]).ok();
    let pages = names(&work.path().join("man1"));
    for page in ["nnue.1", "nnue-convert.1", "nnue-perm.1", "nnue-perm-find.1"] {
        assert!(pages.iter().any(|name| name == page), "{pages:?}");
    }
    assert!(String::from_utf8(read(&work.path().join("man1"), "nnue-perm-find.1")).unwrap().contains("nnue\\-perm\\-find"));
    std::fs::write(work.path().join("file"), "").unwrap();
    nnue(work.path(), ["man", "file/man1"]).fails(1, &["`file/man1`"]);
}

#[test]
fn init_tells_how_to_build_what_it_wrote() {
    let project = project();
    std::fs::create_dir(project.path.join("new one")).unwrap();
    std::fs::copy(project.path.join("run.nnue"), project.path.join("new one/run.nnue")).unwrap();
    assert!(project.nnue(&["init", "new one"]).ok().out.ends_with("next: `nnue -C 'new one' build`\n"));
    assert!(project.nnue(&["init", "run.nnue", "-f", "other.toml"]).ok().out.ends_with("next: `nnue -f other.toml build`\n"));
    project.nnue(&["-f", "other.toml", "build"]).ok();
    project.nnue(&["init", "new one", "-f", "third.toml"]).fails(2, &["`-f third.toml` is not in `new one`"]);
    assert!(!project.path.join("third.toml").exists());
}

#[test]
fn manual_pages_get_their_folder_and_help_has_the_exit_codes() {
    let project = project();
    project.nnue(&["man", "share/man1"]).ok();
    assert!(names(&project.path.join("share/man1")).contains(&"nnue-build.1".to_owned()));
    let help = project.nnue(&["--help"]).ok().out;
    assert!(help.contains("Exit codes:") && help.contains("130  interrupted"), "{help}");
}
