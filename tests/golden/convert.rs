//! Every conversion that was recorded of the real trainer's `serialize.py`, with its own arguments: the same bytes, or the right ones where
//! the trainer damaged the net, or a refusal where it should have refused.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::cli_support::{Ran, names, nnue};
use crate::common;
use serde_json::Value;

/// What one recorded step must come to here.
enum Expected {
    /// This file, by SHA-256.
    Bytes(String),
    /// This file name in the target folder.
    Name(String),
    /// Exit code and a part of the message.
    Refused(i32, &'static str),
    /// Not compared.
    Skipped,
}

fn expected(step: &str, case: &Value, outputs: &Value, folder: &str) -> Expected {
    let sha = |step: &str| outputs[step]["sha256"].as_str().unwrap_or_else(|| panic!("{folder}: no {step}")).to_owned();
    let argument = |index: usize| case["argv"][index].as_str().unwrap();
    // Targets and sources of other kinds have tests of their own.
    if argument(1).ends_with(".pt") || argument(0).starts_with("from_") || argument(0).starts_with("back") {
        return Expected::Skipped;
    }
    match step {
        "ERR_target_ckpt" => Expected::Refused(2, "cannot convert into .ckpt"),
        "ERR_target_unknown" => Expected::Refused(2, "`.nnue`, `.pt`, `.safetensors` and `.npz`"),
        "ERR_optimize_and_perm" => Expected::Refused(2, "`--ft_perm` and `--ft_optimize` are mutually exclusive"),
        "ERR_bad_compression" => Expected::Refused(2, "invalid value 'zip'"),
        "ERR_nnue_with_wrong_l1" | "ERR_nnue_wrong_l1" | "ERR_ckpt_wrong_l1" => Expected::Refused(1, "expected"),
        "ERR_ckpt_without_factorizer_name" => Expected::Refused(1, "features="),
        // The seed's reader fails there; later ones and this one take the name with `^` for the same set.
        "ERR_nnue_none_read_with_factorized_name" => Expected::Bytes(sha("nnue_none_to_nnue_leb128")),
        "ERR_perm_wrong_length" => Expected::Refused(1, "are needed (L1/2)"),
        "ERR_truncated_in_fc" | "ERR_truncated_in_ft" | "ERR_truncated_in_leb" => Expected::Refused(1, "truncated at byte"),
        "trailing_bytes_ignored" => Expected::Refused(1, "bytes are left after the last layer stack"),
        "nnue_perm_with_duplicate_accepted" => Expected::Refused(1, "are not a permutation of"),
        // The trainer coalesced twice, or forgot the factorizer: the right bytes are those of the way through a `.nnue`.
        "ckpt_perm_to_nnue_leb128" | "pt_perm_to_nnue_leb128" if folder.contains("HalfKA_fact") => {
            Expected::Bytes(sha("nnue_perm_to_nnue_leb128"))
        }
        "ckpt_perm_to_nnue_none" if folder.contains("3d3d88b") || folder.contains("a7a65f6") => {
            Expected::Bytes(sha("nnue_perm_to_nnue_none"))
        }
        // Two readers of 2022 took the wrong scale; without scales to take, the file stays as it is.
        "nnue_to_nnue" => Expected::Bytes(sha("ckpt_to_nnue_none")),
        _ if step.starts_with("ERR") => panic!("{folder}: unknown step {step}"),
        _ => match (&case["sha256"], &case["file_name"]) {
            (Value::String(sha), _) => Expected::Bytes(sha.clone()),
            (_, Value::String(name)) => Expected::Name(name.clone()),
            (_, Value::Array(names)) => Expected::Name(names[0].as_str().unwrap().to_owned()),
            _ => panic!("{folder}: {step} has no result"),
        },
    }
}

/// Puts the source of a step into the working folder; false where it was not kept.
fn provide(name: &str, golden: &Path, work: &Path) -> bool {
    let path = work.join(name);
    if path.exists() {
        return true;
    }
    let stored = |name: &str| golden.join(name).exists() || golden.join(format!("{name}.xz")).exists();
    let none = || common::read_maybe_xz(&golden.join("none.nnue"));
    let bytes = match name {
        _ if stored(name) => common::read_maybe_xz(&golden.join(name)),
        "trunc_fc.nnue" => none()[..none().len() - 5].to_vec(),
        "trunc_ft.nnue" => none()[..none().len() / 4].to_vec(),
        "trunc_leb.nnue" => {
            let whole = std::fs::read(work.join("leb128.nnue")).unwrap();
            whole[..whole.len() / 4].to_vec()
        }
        "trail.nnue" => [none(), vec![0; 7]].concat(),
        "bad.perm" => {
            let mut bytes = Vec::new();
            let l1 = common::json(&golden.join("manifest.json"))["L1"].as_u64().unwrap() as usize;
            nnue::internals::permutation::write_permutation(&nnue::internals::net::Permutation::identity(l1 / 2 - 1).unwrap(), &mut bytes)
                .unwrap();
            bytes
        }
        _ => return false,
    };
    std::fs::write(path, bytes).unwrap();
    true
}

fn run_folder(golden: &Path) -> HashMap<&'static str, usize> {
    let manifest = common::json(&golden.join("manifest.json"));
    let shown = golden.display().to_string();
    let outputs = &manifest["outputs"];
    let scales = if shown.contains("A_seed") {
        Some("ft255")
    } else if shown.contains("G_old") {
        Some("ft127")
    } else {
        None
    };
    let folder = tempfile::tempdir().unwrap();
    let work = folder.path();
    let mut counts = HashMap::new();
    for (step, case) in outputs.as_object().unwrap() {
        let mut argv: Vec<String> = case["argv"].as_array().unwrap().iter().map(|arg| arg.as_str().unwrap().to_owned()).collect();
        let expected = expected(step, case, outputs, &shown);
        if matches!(expected, Expected::Skipped) {
            *counts.entry("skipped").or_default() += 1;
            continue;
        }
        if argv[0] == "net.pt" && !provide("net.pt", golden, work) {
            // Not kept for most sets; it has the weights of the checkpoint.
            argv[0] = "net.ckpt".to_owned();
        }
        let perm = argv.iter().position(|arg| arg.ends_with("ft_perm") || arg.ends_with("ft-perm")).map(|at| argv[at + 1].clone());
        for name in [Some(argv[0].clone()), perm].into_iter().flatten() {
            assert!(provide(&name, golden, work), "{shown}: {step} needs {name}");
        }
        if let Some(scales) = scales
            && !argv[0].ends_with(".nnue")
        {
            argv.extend(["--quantization".to_owned(), scales.to_owned()]);
        }
        // The tools of the time before July 2023 knew no compression; later ones took LEB128 where nothing was said. Ours keeps the
        // source's.
        if shown.split("G_old/").nth(1).is_some_and(|date| date < "2023-07") {
            argv.extend(["--ft_compression".to_owned(), "none".to_owned()]);
        } else if (argv[1].ends_with(".nnue") || matches!(expected, Expected::Name(_)))
            && !argv.iter().any(|word| word.replace('-', "_").starts_with("__ft_compression"))
        {
            argv.extend(["--ft_compression".to_owned(), "leb128".to_owned()]);
        }
        if matches!(expected, Expected::Name(_)) {
            // The recorded runs had the folder; a target that is none says which folder is meant.
            std::fs::create_dir(work.join(&argv[1])).unwrap();
        }
        let before = names(work);
        let ran = nnue(work, std::iter::once("convert".to_owned()).chain(argv.iter().cloned()));
        let context = |ran: &Ran| format!("{shown}: {step}: {argv:?}\n{}", ran.transcript());
        match expected {
            Expected::Bytes(sha) => {
                assert_eq!(ran.code, 0, "{}", context(&ran));
                let bytes = std::fs::read(work.join(&argv[1])).unwrap();
                assert_eq!(common::sha256(&bytes), sha, "{}", context(&ran));
                assert!(ran.out.contains(&sha), "{}", context(&ran));
                *counts.entry("equal").or_default() += 1;
            }
            Expected::Name(name) => {
                assert_eq!(ran.code, 0, "{}", context(&ran));
                assert_eq!(names(&work.join(&argv[1])), [name], "{}", context(&ran));
                *counts.entry("equal").or_default() += 1;
            }
            Expected::Refused(code, part) => {
                assert_eq!(ran.code, code, "{}", context(&ran));
                assert!(ran.err.contains(part), "{}", context(&ran));
                assert_eq!(names(work), before, "{}", context(&ran));
                *counts.entry("refused").or_default() += 1;
            }
            Expected::Skipped => {}
        }
    }
    counts
}

#[test]
fn recorded_conversions_give_the_same_files() {
    let Some(golden) = common::golden() else { return };
    let folders: Vec<PathBuf> = common::files_ending(&golden.join("public"), "manifest.json")
        .into_iter()
        .filter(|manifest| common::json(manifest)["outputs"].is_object())
        .map(|manifest| manifest.parent().unwrap().to_owned())
        // The checkpoint variants and overflows have tests below; unpadded rows of February 2021 are refused.
        .filter(|folder| !["ckpt_variants", "_overflow", "2021-02"].iter().any(|part| folder.to_str().unwrap().contains(part)))
        .collect();
    assert!(folders.len() > 20, "only {} folders", folders.len());
    let (left, right) = folders.split_at(folders.len() / 2);
    let totals = std::thread::scope(|scope| {
        let run = |folders: &[PathBuf]| folders.iter().map(|folder| run_folder(folder)).collect::<Vec<_>>();
        let other = scope.spawn(move || run(right));
        let mut all = run(left);
        all.extend(other.join().unwrap());
        all
    });
    let mut sum: HashMap<&str, usize> = HashMap::new();
    for (what, count) in totals.into_iter().flatten() {
        *sum.entry(what).or_default() += count;
    }
    println!("{sum:?}");
    assert!(sum["equal"] > 200 && sum["refused"] > 100, "{sum:?}");
}

#[test]
fn checkpoint_variants_give_the_net_or_a_refusal() {
    let Some(golden) = common::golden() else { return };
    let folder = golden.join("public/A_seed/HalfKAv2_hm_fact_L8_ckpt_variants");
    let outputs = &common::json(&folder.join("manifest.json"))["outputs"];
    let work = tempfile::tempdir().unwrap();
    for (name, case) in outputs.as_object().unwrap() {
        assert!(provide(name, &folder, work.path()));
        let target = format!("{name}.nnue");
        // Half precision has no such large numbers: they are infinite there, and only the trainer of the time wrote something for them.
        let overflow = if name == "float16_state.ckpt" { "trainer" } else { "error" };
        let scales = ["--quantization", "ft255", "--ft_compression", "none", "--overflow", overflow];
        let ran = nnue(work.path(), ["convert", name, &target].into_iter().chain(scales));
        match name.as_str() {
            // Bare state dicts and prefixes of compilers are understood here.
            "state_dict_only.ckpt" | "orig_mod_prefix.ckpt" => {
                let sha = common::sha256(&std::fs::read(work.path().join(&target)).unwrap());
                assert_eq!(sha, outputs["base.ckpt"]["none_nnue_sha256"], "{name}: {}", ran.transcript());
            }
            _ if case.get("error").is_some() => {
                ran.fails(1, &["cannot load", "tensor"]);
                assert!(!work.path().join(&target).exists());
            }
            _ => {
                let sha = common::sha256(&std::fs::read(work.path().join(&target)).unwrap());
                assert_eq!(sha, case["none_nnue_sha256"], "{name}: {}", ran.transcript());
            }
        }
    }
}

#[test]
fn unpadded_nets_of_february_2021_are_refused() {
    let Some(golden) = common::golden() else { return };
    let folders = common::files_ending(&golden.join("public/G_old"), "none.nnue");
    let mut seen = 0;
    for path in folders.iter().filter(|path| path.to_str().unwrap().contains("2021-02")) {
        for source in ["none.nnue", "net.ckpt"] {
            let work = tempfile::tempdir().unwrap();
            assert!(provide(source, path.parent().unwrap(), work.path()));
            let ran = nnue(work.path(), ["convert", source, "out.nnue"]);
            ran.fails(1, &[&format!("cannot load `{source}`")]);
            assert_eq!(names(work.path()), [source]);
            seen += 1;
        }
    }
    assert!(seen > 0);
}
