use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
};

use crate::{
    build::{Options, testing::build_by},
    ctx::Ctx,
    error::Result,
    exec::{Executor, Local},
    family::{Inputs, Product, testing::small_checkpoint},
    stage::{Action, Stage},
};

/// Counts how often a network is made from its checkpoint.
#[derive(Default)]
struct Counting(AtomicUsize);

impl Executor for Counting {
    fn execute(&self, action: &Action, inputs: &dyn Inputs, ctx: &Ctx) -> Result<Product> {
        self.0.fetch_add((action.stage() == Stage::Quantize).into(), Ordering::Relaxed);
        Local.execute(action, inputs, ctx)
    }
}

/// Builds the net with a description; its file, and how often it was quantized.
fn build(folder: &Path, description: &str) -> (Vec<u8>, usize) {
    let net = "version = 1\n[source.run]\npath = \"run.safetensors\"\n[net.a]\nsource = \"run\"\noutputs = [\"a.nnue\", \"dist/\"]\n";
    let executor = Counting::default();
    let report = build_by(&executor, folder, &format!("{net}{description}\n"), &Options::default());
    assert_eq!(report.error, None);
    (fs::read(folder.join("a.nnue")).unwrap(), executor.0.load(Ordering::Relaxed))
}

#[test]
fn another_description_needs_no_checkpoint_while_the_last_file_is_there() {
    let (folder, fresh) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for folder in [&folder, &fresh] {
        fs::write(folder.path().join("run.safetensors"), small_checkpoint()).unwrap();
    }
    let folder = folder.path();
    assert_eq!(build(folder, "description = \"first\"").1, 1);
    let second = build(folder, "description = \"second\"");
    assert_eq!(second, (build(fresh.path(), "description = \"second\"").0, 0));
    // None at all is that of the trainer, not the one of the file that was read back.
    let (without, quantized) = build(folder, "");
    assert_eq!(quantized, 0);
    assert!(!without.windows(6).any(|bytes| bytes == b"second"));
    // What somebody else wrote there is not looked into.
    fs::write(folder.join("a.nnue"), &second.0).unwrap();
    fs::remove_dir_all(folder.join("dist")).unwrap();
    let (third, quantized) = build(folder, "description = \"third\"");
    assert_eq!(quantized, 1);
    assert_eq!(third.len(), second.0.len() - 1);
}
