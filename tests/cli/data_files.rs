//! Training data in each form that it is kept in, through a build and through `perm gather`: the same positions give the same bits.

use crate::common;
use crate::project::{Project, manifest};

const MANIFEST: &str = manifest!(
    r#"[net.big]
source = "run"
outputs = ["big.nnue"]
[net.big.optimize]
data = "fens"
positions = 200
[net.big.optimize.filters]
filtered = true
"#
);

/// What a build publishes and `perm gather` writes of the data in this file.
fn of_data(project: &Project, name: &str, text: &str) -> (Vec<u8>, Vec<u8>) {
    project.manifest(&text.replace("positions.fen", name));
    project.nnue(&["build"]).ok();
    let gather = ["perm", "gather", "--net", "run.nnue", "--quantization=ft127", "--data", name, "--count", "150", "--out", "act.npy"];
    project.nnue(&gather).ok();
    (project.bytes("big.nnue"), project.bytes("act.npy"))
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(bytes, 3).unwrap()
}

#[test]
fn plain_training_data_is_what_its_lines_are() {
    let unfiltered = MANIFEST.replace("[net.big.optimize.filters]\nfiltered = true\n", "");
    let project = Project::new(&unfiltered);
    let of_lines = of_data(&project, "positions.fen", &unfiltered);
    let block = |(number, fen): (usize, &str)| format!("fen {fen}\nmove a2a3\nscore {}\nply {}\nresult 1\ne\n", number % 90, number % 200);
    let plain: String = project.text("positions.fen").lines().enumerate().map(block).collect();
    project.write("data.plain", &plain);
    project.write("data.plain.zst", zstd(plain.as_bytes()));
    // The content tells what it is, not the name.
    project.write("data.txt", &plain);
    for name in ["data.plain", "data.plain.zst", "data.txt"] {
        assert!(of_data(&project, name, &unfiltered) == of_lines, "{name}");
    }
    // Of it more is known than of lines.
    project.nnue(&["build", "--set", "net.big.optimize.filters.early_fen_skipping=20"]).ok();
    assert!(project.bytes("big.nnue") != of_lines.0);
    project.manifest(&unfiltered);
    let ran = project.nnue(&["build", "--set", "net.big.optimize.filters.early_fen_skipping=20"]);
    assert!(ran.code != 0 && ran.err.contains("early_fen_skipping"), "{}", ran.transcript());
    let (cut, _) = plain.rsplit_once("result").unwrap();
    project.write("data.plain", cut);
    project.manifest(&unfiltered.replace("positions.fen", "data.plain"));
    let ran = project.nnue(&["build"]);
    assert!(ran.code == 1 && ran.err.contains("data.plain"), "{}", ran.transcript());
}

#[test]
fn packed_training_data_is_unpacked() {
    let Some(golden) = common::golden() else { return };
    let project = Project::new(MANIFEST);
    let data = std::fs::read(golden.join("small.binpack")).unwrap();
    project.write("data.binpack", &data);
    project.write("data.binpack.zst", zstd(&data));
    // Two frames that follow each other, as `zstd` and `cat` write them.
    let (first, second) = data.split_at(data.len() / 2);
    project.write("two.binpack.zst", [zstd(first), zstd(second)].concat());
    let unpacked = of_data(&project, "data.binpack", MANIFEST);
    for name in ["data.binpack.zst", "two.binpack.zst"] {
        assert!(of_data(&project, name, MANIFEST) == unpacked, "{name}");
    }
    let packed = zstd(&data);
    project.write("cut.binpack.zst", &packed[..packed.len() - 9]);
    project.manifest(&MANIFEST.replace("positions.fen", "cut.binpack.zst"));
    let ran = project.nnue(&["build"]);
    assert!(ran.code == 1 && ran.err.contains("cut.binpack.zst"), "{}", ran.transcript());
}
