use std::fs;

use serde_json::json;

use super::*;

fn state(net: &str) -> BuildState {
    let stage = |stage: &str| StageState {
        stage: stage.into(),
        preimage: Preimage::of(&json!({"schema": 1, "stage": stage, "params": {"positions": 10_000, "description": "\"é\""}})).unwrap(),
        output_digest: Blake3::of(stage.as_bytes()),
    };
    BuildState {
        net: net.into(),
        tool_version: "0.1.0".into(),
        stages: ["load", "gather", "search", "permute", "write"].map(stage).to_vec(),
        outputs: vec![OutputState {
            path: "dist/a.nnue".into(),
            sha256: Sha256::of(b"x"),
            bytes: 1,
            signature: None,
            checked: None,
            provenance: None,
        }],
    }
}

#[test]
fn states_round_trip_under_any_name() {
    let folder = tempfile::tempdir().unwrap();
    let log = BuildLog::new(&folder.path().join("state/nets"));
    let long = "x".repeat(4000);
    let long_other = format!("{long}y");
    let names = ["big", "Big", "../up", ".", "a/b", "a%2fb", "é", "", "nightly/epoch=799", &long, &long_other, "con.", "a b\n"];
    for name in names {
        assert_eq!(log.load(name, &Ctx::silent()), None);
        log.save(name, &state(name)).unwrap();
    }
    for name in names {
        assert_eq!(log.load(name, &Ctx::silent()).unwrap(), state(name), "{name}");
        assert_eq!(log.load(name, &Ctx::silent()).unwrap().stages[1].key(), state(name).stages[1].key());
    }
    let mut files: Vec<_> =
        fs::read_dir(log.folder.as_path()).unwrap().map(|e| e.unwrap().file_name().to_str().unwrap().to_lowercase()).collect();
    files.sort();
    files.dedup();
    assert_eq!(files.len(), names.len(), "no two names share a file, case ignored");
    log.remove("big").unwrap();
    log.remove("big").unwrap();
    assert_eq!(log.load("big", &Ctx::silent()), None);
}

#[test]
fn a_flipped_bit_anywhere_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let log = BuildLog::new(folder.path());
    log.save("net", &state("net")).unwrap();
    let path = log.path("net");
    let good = fs::read(path.as_path()).unwrap();
    for at in (0..good.len() * 8).step_by(7) {
        let mut bad = good.clone();
        bad[at / 8] ^= 1 << (at % 8);
        fs::write(path.as_path(), &bad).unwrap();
        assert_eq!(log.load("net", &Ctx::silent()), None, "bit {at}");
    }
    fs::write(path.as_path(), &good[..good.len() / 2]).unwrap();
    assert_eq!(log.load("net", &Ctx::silent()), None);
    fs::write(path.as_path(), b"").unwrap();
    assert_eq!(log.load("net", &Ctx::silent()), None);
    log.save("net", &state("net")).unwrap();
    assert_eq!(log.load("net", &Ctx::silent()), Some(state("net")));
    fs::copy(path.as_path(), log.path("other").as_path()).unwrap();
    assert_eq!(log.load("other", &Ctx::silent()), None, "a file under another net's name");
}
