//! Real PyTorch, safetensors and NumPy read networks that are written here as floats.
//!
//! Runs when `NNUE_TEST_PYTHON` names a Python with `torch`, `safetensors` and `numpy`; skipped otherwise, which is a failure in CI.

use std::process::Command;
use std::sync::Arc;

use nnue::internals::ctx::Ctx;
use nnue::internals::family::nnue::stages::dequantize::dequantize;
use nnue::internals::family::nnue::stages::write_float::{FloatTarget, ModuleProfile, write_float};
use nnue::internals::net::random_network;

#[test]
fn torch_reads_what_is_written() {
    let Some(python) = std::env::var_os("NNUE_TEST_PYTHON") else {
        assert!(std::env::var_os("CI").is_none(), "NNUE_TEST_PYTHON is not set, and in CI this test must run");
        eprintln!("skipped: NNUE_TEST_PYTHON does not name a Python with torch");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    for (name, generation, target) in [
        ("net.pt", "SFNNv9", FloatTarget::StateDict),
        ("net.safetensors", "SFNNv9", FloatTarget::Safetensors),
        ("net.npz", "SFNNv9", FloatTarget::Npz),
        ("seed.pt", "SFNNv9", FloatTarget::Module(ModuleProfile::Seed)),
        ("head.pt", "SFNNv16", FloatTarget::Module(ModuleProfile::Head)),
    ] {
        let floats = dequantize(&Arc::new(random_network(generation, 8, 1)), &Ctx::silent()).unwrap();
        let mut file = std::fs::File::create(folder.path().join(name)).unwrap();
        write_float(&mut file, &floats, target, &Ctx::silent()).unwrap();
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/checkpoint_reads.py");
    let output = Command::new(python).args(["-W", "ignore", script]).arg(folder.path()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
}
