//! What the last build left behind: files in which a result stands whole, so that it need not be made again.

use std::collections::HashMap;
use std::path::PathBuf;

use petgraph::graph::NodeIndex;

use super::Workspace;
use crate::cache::{BuildState, Preimage};
use crate::files::Blake3;
use crate::stage::Stage;

/// The last builds of the nets of a graph.
#[derive(Clone, Copy)]
pub(super) struct Earlier<'a> {
    pub workspace: &'a Workspace<'a>,
    /// Of each net, by its place in the graph.
    pub last: &'a [Option<BuildState>],
    /// The nets that use an action.
    pub users: &'a HashMap<NodeIndex, Vec<usize>>,
}

impl<'a> Earlier<'a> {
    /// The files that were written of the result of `node` with this digest, and are still as they were written.
    pub(super) fn files_of(self, node: NodeIndex, digest: Blake3) -> impl Iterator<Item = PathBuf> + 'a {
        let digest = digest.to_string();
        let nets = self.users.get(&node).into_iter().flatten();
        let states = nets.filter_map(move |net| self.last.get(*net)?.as_ref());
        states.flat_map(move |state| {
            let written: Vec<Blake3> = state
                .stages
                .iter()
                .filter(|stage| stage.stage == Stage::Write.name())
                .filter(|stage| has_input(&stage.preimage, &digest))
                .map(|stage| stage.output_digest)
                .collect();
            let paths = state.outputs.iter().map(move |output| self.workspace.manifest.folder.join(&output.path));
            paths.filter(move |path| {
                !written.is_empty() && self.workspace.files.blake3(path).is_ok_and(|found| written.contains(&found.digest))
            })
        })
    }
}

fn has_input(preimage: &Preimage, digest: &str) -> bool {
    preimage.to_value()["inputs"].as_object().is_some_and(|inputs| inputs.values().any(|input| input == digest))
}

#[cfg(test)]
mod tests {
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
}
