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
mod tests;
