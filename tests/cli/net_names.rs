//! Files named `nn-<first 12 digits of their SHA-256>.nnue`: the name is the only checksum that published nets have, so a wrong one is said
//! by every command that reads such a file, and stops what is locked or published.

use crate::cli_support::{nnue, write_net};
use crate::common::sha256;
use crate::project::Project;

const WRONG: &str = "nn-000000000000.nnue";
const SAYS: [&str; 2] =
    ["`nn-000000000000.nnue` does not hold what its name says", "its SHA-256 begins with 000000000000; it begins with "];

#[test]
fn every_command_that_reads_a_file_says_that_its_name_is_wrong() {
    let work = tempfile::tempdir().unwrap();
    let at = |name: &str| work.path().join(name);
    let bytes = write_net(&at(WRONG), "small", 16, 1);
    let right = format!("nn-{}.nnue", &sha256(&bytes)[..12]);
    std::fs::write(at(&right), &bytes).unwrap();
    let fen = "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1";
    std::fs::write(at("p.fen"), format!("{fen}\n")).unwrap();
    let order: String = (0..8).map(|i| format!("{i}\n")).collect();
    std::fs::write(at("order.txt"), order).unwrap();
    let commands = |name: &'static str| {
        [
            vec!["convert", name, "out.nnue"],
            vec!["convert", name, "out.safetensors", "--quantization", "ft127"],
            vec!["perm", "apply", name, "order.txt", "out.nnue"],
            vec!["perm", "gather", "--net", name, "--data", "p.fen", "--out", "act.npy", "--quantization=ft127"],
            vec!["eval", name, "--fen", fen, "--quantization=ft127"],
            vec!["inspect", name, "--json"],
        ]
    };
    for command in commands(WRONG) {
        let ran = nnue(work.path(), &command).ok();
        assert!(SAYS.iter().all(|part| ran.err.contains(part)), "{command:?}\n{}", ran.transcript());
    }
    for command in commands(right.leak()) {
        let ran = nnue(work.path(), &command).ok();
        assert!(!ran.err.contains("SHA-256"), "{command:?}\n{}", ran.transcript());
    }
    let text = nnue(work.path(), ["inspect", WRONG]).ok().out;
    assert!(SAYS.iter().all(|part| text.contains(part)), "{text}");
    // A name that the tool gives itself.
    let named = nnue(work.path(), ["convert", WRONG, "nn-abcdefabcdef.nnue"]).ok();
    assert!(named.err.contains("`nn-abcdefabcdef.nnue` does not hold what its name says"), "{}", named.transcript());
}

#[test]
fn builds_warn_each_time_and_neither_lock_nor_publish() {
    let project = Project::new("version = 1\n[net.a]\nsource = \"nn-000000000000.nnue\"\noutputs = \"out/\"\n");
    std::fs::copy(project.at("run.nnue"), project.at(WRONG)).unwrap();
    for _ in 0..3 {
        let ran = project.nnue(&["build"]).ok();
        assert!(SAYS.iter().all(|part| ran.err.contains(part)), "{}", ran.transcript());
    }
    project.nnue(&["build", "--locked"]).fails(3, &[SAYS[0], SAYS[1], "net `a` is locked"]);
    std::fs::remove_dir_all(project.at("out")).unwrap();
    let manifest =
        "version = 1\n[net.a]\nsource = \"nn-000000000000.nnue\"\noutputs = \"out/\"\npublish = \"fishtest\"\nlicense = \"CC0-1.0\"\n";
    project.manifest(manifest);
    project.nnue(&["build"]).fails(1, &[SAYS[0], SAYS[1], "to be published"]);
    assert!(!project.at("out").exists());
    // Under another name it is only a file.
    std::fs::rename(project.at(WRONG), project.at("a.nnue")).unwrap();
    project.manifest(&manifest.replace(WRONG, "a.nnue"));
    let ran = project.nnue(&["build"]).ok();
    assert!(!ran.err.contains("SHA-256"), "{}", ran.transcript());
}
