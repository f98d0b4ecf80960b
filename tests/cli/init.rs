//! `nnue init` in folders as people have them: those of training runs, data that is packed, networks of other engines.

use crate::common::without_scales;
use crate::project::Project;

/// A checkpoint that leaves its scales open, as bytes.
fn open_checkpoint(seed: u64) -> Vec<u8> {
    use nnue::internals::family::nnue::stages::dequantize::dequantize;
    use nnue::internals::family::nnue::stages::write_float::{FloatTarget, write_float};
    let ctx = nnue::internals::ctx::Ctx::silent();
    let network = std::sync::Arc::new(nnue::internals::net::random_network("SFNNv5", 16, seed));
    let mut bytes = Vec::new();
    write_float(&mut bytes, &dequantize(&network, &ctx).unwrap(), FloatTarget::Safetensors, &ctx).unwrap();
    without_scales(&bytes)
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

#[test]
fn runs_of_lightning_are_one_sweep_with_one_choice() {
    let project = Project::empty().with_env("LC_ALL", "C.UTF-8");
    let mut seed = 0;
    for (run, version) in [("run_0", "version_0"), ("run_0", "version_1"), ("run_1", "version_0")] {
        let folder = format!("runs/{run}/lightning_logs/{version}");
        project.write(&format!("{folder}/hparams.yaml"), "l1: 16\n");
        for name in ["epoch=9-step=500", "epoch=19-step=1000"] {
            seed += 1;
            project.write(&format!("{folder}/checkpoints/{name}.ckpt"), open_checkpoint(seed));
        }
        project.write(&format!("{folder}/checkpoints/last.ckpt"), open_checkpoint(seed));
    }
    project.write_net("base.nnue", 16, 1);
    let fens: Vec<String> = nnue::internals::positions::generate(3, 300).iter().map(|position| position.to_fen() + "\n").collect();
    project.write("data/games.fen.zst", zstd(fens.concat().as_bytes()));

    let ran = project.nnue(&["init"]).ok();
    assert_eq!(ran.out, "wrote `./nnue.toml` with 10 files of networks and 1 file of positions\nnext: `nnue build`\n");
    assert_eq!(ran.err.matches("leaves its quantization open").count(), 1, "{}", ran.err);
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("init_lightning", project.text("nnue.toml"));
    });

    // Nothing is chosen, and nothing is built until somebody does.
    let ran = project.nnue(&["build"]);
    assert!(ran.code == 2 || ran.code == 1, "{}", ran.transcript());
    assert!(ran.err.contains("quantization = \"ft127\"` or `quantization = \"ft255\"") && !project.at("dist").exists(), "{}", ran.err);
    project.manifest(&project.text("nnue.toml").replace("# quantization = \"ft255\"", "quantization = \"ft255\""));
    let report = project.json(&["build"]);
    let built: Vec<&str> = report["nets"].as_array().unwrap().iter().map(|net| net["net"].as_str().unwrap()).collect();
    let of = |run: &str| [format!("{run}/epoch=19-step=1000"), format!("{run}/epoch=9-step=500")];
    let expected: Vec<String> = ["run_0/version_0", "run_0/version_1", "run_1/version_0"].iter().flat_map(|run| of(run)).collect();
    assert_eq!(built, [vec!["base".to_owned()], expected.clone()].concat());
    for name in expected {
        assert!(project.at(&format!("dist/{name}.nnue")).exists(), "{name}");
    }
}

#[test]
fn what_is_no_network_is_told_by_what_it_is() {
    let project = Project::empty();
    // A checkpoint of bullet: names, numbers of values, values.
    let tensor = |name: &str, count: usize| [name.as_bytes(), b"\n", &(count as u64).to_le_bytes(), &vec![0; 4 * count]].concat();
    project.write("sub/weights.bin", [tensor("l0w", 7), tensor("l0b", 3)].concat());
    project.write("sub/other.bin", [0xee; 77]);
    project.write("words.ckpt", "some words\n");
    project.nnue(&["init", "sub/weights.bin"]).fails(1, &["is a checkpoint of bullet", "`nnue architecture show bullet`"]);
    project.nnue(&["init", "sub/other.bin"]).fails(1, &["is not a network that its length tells, nor positions", "cut off at byte 40"]);
    project.nnue(&["init", "words.ckpt"]).fails(1, &["cannot load `words.ckpt`", "this is a text file, not a network"]);
    assert!(!project.at("nnue.toml").exists());
    // In a folder each is skipped with its reason.
    project.write_net("net.nnue", 16, 1);
    let ran = project.nnue(&["init"]).ok();
    for part in [
        "skipping `./sub/weights.bin`: `sub/weights.bin` is a checkpoint of bullet",
        "skipping `./sub/other.bin`",
        "skipping `./words.ckpt`",
    ] {
        assert!(ran.err.contains(part), "{part}: {}", ran.err);
    }
    project.nnue(&["build"]).ok();
}
