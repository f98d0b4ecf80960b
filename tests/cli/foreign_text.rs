//! Names, keys and lines of others: none of them does anything to a terminal, is of any length, or brings the program down.

use std::path::Path;

use crate::cli_support::{Ran, nnue, write_net};

/// Sets a title, moves the cursor by C0 and by C1, rings, turns the writing around, and ends the line.
const HOSTILE: &str = "x\u{1b}]0;title\u{7}\u{1b}[2J\u{9b}1A\u{202e}evil\u{2066}\u{7f}\rend";

/// Whether something stands in a text that a terminal obeys, or that is not seen.
fn is_clean(text: &str) -> bool {
    text.chars().all(|c| {
        matches!(c, '\n' | '\t')
            || !(c.is_control() || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
    })
}

#[track_caller]
fn assert_clean(ran: &Ran, context: &str) {
    assert!(is_clean(&ran.out), "{context}: stdout: {:?}", ran.out);
    assert!(is_clean(&ran.err), "{context}: stderr: {:?}", ran.err);
    assert!(!ran.err.contains("a bug in nnue"), "{context}: {}", ran.err);
}

/// A safetensors file of tensors of one number, and of metadata.
fn safetensors(path: &Path, names: &[String], metadata: &[(String, String)]) {
    let mut header = serde_json::Map::new();
    if !metadata.is_empty() {
        let metadata: serde_json::Map<_, _> = metadata.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect();
        header.insert("__metadata__".into(), metadata.into());
    }
    for (index, name) in names.iter().enumerate() {
        let place = [index * 4, index * 4 + 4];
        header.insert(name.clone(), serde_json::json!({"dtype": "F32", "shape": [1], "data_offsets": place}));
    }
    let header = serde_json::Value::Object(header).to_string();
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes.resize(bytes.len() + names.len() * 4, 0);
    std::fs::write(path, bytes).unwrap();
}

/// All that shows what stands in a file of tensors.
fn show(folder: &Path, file: &str) -> Vec<Ran> {
    [
        &["inspect", file][..],
        &["inspect", file, "--json"],
        &["convert", file, "out.nnue"],
        &["--log-format", "json", "convert", file, "out.nnue"],
        &["diff", file, "good.nnue"],
        &["diff", file, file],
        &["init", "."],
    ]
    .iter()
    .map(|args| {
        let ran = nnue(folder, *args);
        assert!(ran.code == 1 || ran.code == 0 || ran.code == 2, "{args:?}: {}", ran.transcript());
        ran
    })
    .collect()
}

#[test]
fn names_of_any_length_are_shown_shortened() {
    let folder = tempfile::tempdir().unwrap();
    write_net(&folder.path().join("good.nnue"), "small", 16, 1);
    // The widths of Rust's formatting end at 65,535.
    for length in [65_534, 65_535, 65_536, 300_000] {
        for letter in ["n", "中", "\u{1b}"] {
            safetensors(&folder.path().join("long.safetensors"), &[letter.repeat(length / letter.len()), "short".into()], &[]);
            for ran in show(folder.path(), "long.safetensors") {
                assert_clean(&ran, &format!("{length} {letter:?}"));
                assert!(ran.err.len() < 64 << 10, "{length} {letter:?}: {} bytes of messages", ran.err.len());
            }
            let table = nnue(folder.path(), ["inspect", "long.safetensors"]);
            assert!(table.out.len() < 5000 && table.out.contains('…'), "{length} {letter:?}: {}", table.transcript());
        }
    }
}

#[test]
fn what_is_printed_is_in_proportion_to_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut names: Vec<String> = (0..8000).map(|index| format!("t{index}")).collect();
    names.push("n".repeat(60_000));
    safetensors(&folder.path().join("many.safetensors"), &names, &[]);
    let size = std::fs::metadata(folder.path().join("many.safetensors")).unwrap().len() as usize;
    let ran = nnue(folder.path(), ["inspect", "many.safetensors"]);
    assert!(ran.out.len() < size * 4, "{} bytes printed of a file of {size}", ran.out.len());
}

#[test]
fn no_name_in_a_file_reaches_the_terminal_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_net(&path.join("good.nnue"), "small", 16, 1);
    safetensors(&path.join("named.safetensors"), &[HOSTILE.into()], &[(HOSTILE.into(), HOSTILE.into())]);
    safetensors(&path.join("typed.safetensors"), &["nnue.weight".into()], &[("nnue_architecture".into(), HOSTILE.into())]);
    // Names of files, of which `-` and the end of the line are the sender's choice too.
    let file = format!("{HOSTILE}.safetensors");
    std::fs::copy(path.join("named.safetensors"), path.join(&file)).unwrap();
    for name in ["named.safetensors", "typed.safetensors", &file] {
        for ran in show(path, name) {
            assert_clean(&ran, name);
        }
        let _ = std::fs::remove_file(path.join("nnue.toml"));
    }
    let header = format!("{{'descr': '{HOSTILE}', 'fortran_order': False, 'shape': (4,), }}\n");
    let mut npy = b"\x93NUMPY\x01\x00".to_vec();
    npy.extend((header.len() as u16).to_le_bytes());
    npy.extend(header.as_bytes());
    std::fs::write(path.join("perm.npy"), npy).unwrap();
    for args in [&["perm", "apply", "good.nnue", "perm.npy", "out.nnue"][..], &["inspect", "perm.npy"]] {
        assert_clean(&nnue(path, args), "npy");
    }
}

#[test]
fn no_word_of_a_manifest_or_a_lock_reaches_the_terminal_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_net(&path.join("run.nnue"), "small", 16, 1);
    let quoted = "\\u001b]0;x\\u0007\\u009b1A\\u202eevil\\u2066";
    let good = "version = 1\n[net.a]\nsource = \"run.nnue\"\noutputs = [\"a.nnue\"]\n";
    for text in [
        format!("{good}\"{quoted}\" = 1\n"),
        format!("{good}compression = \"{quoted}\"\n"),
        format!("version = 1\n[net.\"{quoted}\"]\nsource = \"missing.nnue\"\noutputs = [\"a.nnue\"]\n"),
        format!("version = 1\n[net.a]\nsource = \"{quoted}.nnue\"\noutputs = [\"a.nnue\"]\n"),
        format!("version = 1 # {HOSTILE}\n[net.a]\nsource = 7 # {}\n", HOSTILE.replace('\r', "")),
        format!("version = {HOSTILE}\n"),
    ] {
        std::fs::write(path.join("nnue.toml"), &text).unwrap();
        for args in [
            &["build"][..],
            &["status"],
            &["--log-format", "json", "build"],
            &["explain", HOSTILE],
            &["graph"],
            &["build", "--set", HOSTILE],
            &["build", "--set", &format!("net.a.description='{HOSTILE}'")],
            &["--color", "always", "build", HOSTILE],
            &["--color", "never", HOSTILE],
        ] {
            let ran = nnue(path, args);
            if args.contains(&"always") {
                // The program's own colours are all that there may be.
                let shown = ran.err.replace("\u{1b}[0m", "").replace("\u{1b}[1;31m", "").replace("\u{1b}[1;36m", "");
                let shown = shown.split("\u{1b}[").map(|part| part.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';'));
                assert!(shown.skip(1).all(|part| part.starts_with('m')), "{text}: {:?}", ran.err);
                assert!(is_clean(&ran.err.replace('\u{1b}', "")), "{text}: {:?}", ran.err);
            } else {
                assert_clean(&ran, &format!("{args:?} of {text:?}"));
            }
        }
    }
    std::fs::write(path.join("nnue.toml"), good).unwrap();
    nnue(path, ["build"]).ok();
    let lock = std::fs::read_to_string(path.join("nnue.lock")).unwrap();
    for text in
        [lock.replace("run.nnue", quoted), format!("{lock}{HOSTILE}"), lock.replace("name = \"a\"", &format!("name = \"{quoted}\""))]
    {
        std::fs::write(path.join("nnue.lock"), &text).unwrap();
        for args in [&["build", "--locked"][..], &["verify"], &["status"], &["verify", "--json"]] {
            assert_clean(&nnue(path, args), &format!("{args:?} of {text:?}"));
        }
    }
}

/// What GitHub's runners obey, wherever a program prints it: names of nets, files and tensors may begin a line as a command, or go on in
/// a new one.
#[test]
fn no_name_is_a_command_to_a_runner_of_workflows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_net(&path.join("run.nnue"), "small", 16, 1);
    let evil = ["::set-output name=a::b", "x\n::add-mask::q", "##[add-mask]x", "\u{a0}::stop-commands::t"];
    safetensors(&path.join("::error::a.safetensors"), &evil.map(str::to_owned), &[(evil[1].into(), evil[1].into())]);
    let manifest = format!("version = 1\n[net.\"{}\"]\nsource = \"run.nnue\"\noutputs = [\"##[x]/\", \"::y::/a.nnue\"]\n", evil[0]);
    std::fs::write(path.join("nnue.toml"), manifest).unwrap();
    let file = "./::error::a.safetensors";
    let mut seen = 0;
    for args in [
        &["inspect", file][..],
        &["inspect", file, "--json"],
        &["convert", file, "out.nnue"],
        &["diff", file, file],
        &["show", file],
        &["build", "-v"],
        &["build"],
        &["build", "--json"],
        &["status"],
        &["graph"],
        &["explain", evil[0]],
        &["build", "--set", evil[1]],
        &["verify"],
        &["clean"],
        &["nonsense\n::add-mask::q"],
    ] {
        for format in ["text", "github", "json"] {
            let ran = nnue(path, [&["--log-format", format], args].concat());
            for line in ran.out.lines().chain(ran.err.lines()) {
                // The program's own.
                let is_ours = format == "github" && ["::error ", "::warning "].iter().any(|start| line.starts_with(start));
                assert!(is_ours || !(line.trim_start().starts_with("::") || line.contains("##[")), "{args:?}, {format}: {line:?}");
                seen += usize::from(line.contains("\\u{3a}:") || line.contains("#\\u"));
            }
            assert!(!ran.err.lines().any(|line| line.starts_with("error: q")), "{args:?}: {}", ran.err);
            if args.contains(&"--json") {
                ran.json();
            }
        }
    }
    assert!(seen > 20, "{seen}");
}

#[test]
fn mistakes_in_a_long_line_are_shown_by_what_stands_around_them() {
    let folder = tempfile::tempdir().unwrap();
    let mistakes: String = (0..20_000).map(|index| format!("wrong{index} = {index}, ")).collect();
    std::fs::write(folder.path().join("nnue.toml"), format!("version = 1\nnet = {{ a = {{ {mistakes} last = 1 }} }}\n")).unwrap();
    for args in [&["build"][..], &["--log-format", "json", "build"]] {
        let ran = nnue(folder.path(), args);
        assert_eq!(ran.code, 2);
        assert!(ran.err.len() < 256 << 10, "{args:?}: {} bytes of errors", ran.err.len());
        assert!(ran.err.contains("wrong0"), "{args:?}: {}", &ran.err[..2000]);
    }
    // One word that is the whole file.
    std::fs::write(folder.path().join("nnue.toml"), format!("version = 1\n{} = 1\n", "k".repeat(900_000))).unwrap();
    let ran = nnue(folder.path(), ["build"]).fails(2, &["kkkk"]);
    assert!(ran.err.len() < 64 << 10, "{} bytes of errors", ran.err.len());
}
