//! Results of stored stages from the remote cache: looked up, proven to fit this build, put into the local cache and into memory.
//!
//! What the remote says of itself is checked in [`crate::cache::remote`]; here is checked what only a build knows: that a result
//! fits the network at hand.

use petgraph::Direction;
use petgraph::graph::NodeIndex;

use super::Workspace;
use super::run::Runner;
use crate::cache::record::ActionResult;
use crate::cache::remote::{Found, Traffic};
use crate::cache::{ActionRecord, Preimage, Remote};
use crate::error::{Error, Result};
use crate::family::{self, Value};
use crate::stage::{Action, Role};

impl Runner<'_> {
    /// The result of a stored stage from the remote cache; from then on the local one has it, too.
    ///
    /// # Errors
    /// When the work was interrupted, or the network that the result belongs to cannot be loaded.
    pub(super) fn remote_result(&self, node: NodeIndex, preimage: &Preimage) -> Result<Option<ActionResult>> {
        let Some(remote) = &self.workspace.remote else { return Ok(None) };
        let Some(action) = self.graph.action(node) else { return Ok(None) };
        let found = remote.find(preimage, action.stage());
        self.ctx.check()?;
        let Some(found) = found else { return Ok(None) };
        // It may be large. Where everything that would be made of it is there, it stays where it is.
        if self.is_unused(remote, node, &found)? {
            remote.accept(&found);
            return Ok(Some(self.note(&found, false)));
        }
        self.download(remote, node, &found)
    }

    /// As [`Self::remote_result`] for a result whose digest is known and whose blob the local cache lacks. Its value, if there is one.
    pub(super) fn remote_value(&self, node: NodeIndex) -> Result<Option<Value>> {
        let Some(remote) = &self.workspace.remote else { return Ok(None) };
        let (Some(action), Some(preimage)) = (self.graph.action(node), self.graph.preimage(node, self.digest)?) else {
            return Ok(None);
        };
        let found = remote.find(&preimage, action.stage());
        self.ctx.check()?;
        let Some(found) = found.filter(|found| Some(found.digest()) == (self.digest)(node)) else { return Ok(None) };
        let Some((value, stored)) = self.fetch(remote, node, &found)? else { return Ok(None) };
        self.note(&found, stored);
        Ok(Some(value))
    }

    /// Whether only stored results are made of this one, and all of them are there, here or in the remote; fetches those.
    fn is_unused(&self, remote: &Remote, node: NodeIndex, result: &Found) -> Result<bool> {
        let users: Vec<NodeIndex> = self.graph.dag.neighbors_directed(node, Direction::Outgoing).collect();
        if !users.iter().all(|user| self.graph.action(*user).is_some_and(Action::is_stored)) {
            return Ok(false);
        }
        for user in users {
            let digest = |input: NodeIndex| if input == node { Some(result.digest()) } else { (self.digest)(input) };
            let Some(preimage) = self.graph.preimage(user, digest)? else { return Ok(false) };
            if self.workspace.stored_result(&preimage).is_some() {
                continue;
            }
            let Some(stage) = self.graph.action(user).map(Action::stage) else { return Ok(false) };
            let found = remote.find(&preimage, stage);
            self.ctx.check()?;
            let Some(found) = found else { return Ok(false) };
            // Without a local cache it would be lost until its own turn comes.
            if self.download(remote, user, &found)?.is_none_or(|result| !result.stored) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn download(&self, remote: &Remote, node: NodeIndex, found: &Found) -> Result<Option<ActionResult>> {
        Ok(self.fetch(remote, node, found)?.map(|(_, stored)| self.note(found, stored)))
    }

    /// The blob as a value that fits, and whether the local cache has it now.
    fn fetch(&self, remote: &Remote, node: NodeIndex, found: &Found) -> Result<Option<(Value, bool)>> {
        let action = self.graph.action(node).ok_or_else(|| Error::new("a file is not an action"))?;
        let stages = family::stages(action);
        let network = self.network_of(node)?;
        let bytes = remote.fetch(found, stages.most_bytes(action, &network)?);
        self.ctx.check()?;
        let Some(bytes) = bytes else { return Ok(None) };
        let value = stages.read_stored(action, &bytes).and_then(|value| stages.check_fits(action, &value, &network).map(|()| value));
        drop(network);
        let value = match value {
            Ok(value) => value,
            Err(error) => {
                remote.reject(found, &error.to_string());
                return Ok(None);
            }
        };
        let stored = self.workspace.cache.put_bytes(&bytes).stored;
        self.values.put(node, &value);
        remote.accept(found);
        Ok(Some((value, stored)))
    }

    /// Puts a record into the local cache; `stored` says whether the blob is there.
    fn note(&self, found: &Found, stored: bool) -> ActionResult {
        let ActionRecord { preimage, result } = found.record.clone();
        let record = ActionRecord { preimage, result: ActionResult { stored, elsewhere: true, ..result } };
        self.workspace.cache.put_record(&record);
        record.result
    }

    /// The network that a stored action, or the nearest one that it depends on, works on.
    pub(super) fn network_of(&self, node: NodeIndex) -> Result<Value> {
        let mut of = node;
        let input = loop {
            match self.graph.input(of, Role::Network) {
                Some(input) => break input,
                None => {
                    let before =
                        self.graph.inputs(of).into_iter().map(|(_, input)| input).find(|input| self.graph.action(*input).is_some());
                    of = before.ok_or_else(|| Error::new("a stored result without a network: this is a bug in nnue, please report it"))?;
                }
            }
        };
        let value = self.value(of, Role::Network)?;
        // Whoever asks last takes a value out of memory; this one only looked.
        self.values.put(input, &value);
        Ok(value)
    }
}

impl Workspace<'_> {
    /// Waits until the results of builds are uploaded to the remote cache, if they are to be. Call it when results are reported.
    ///
    /// # Errors
    /// When the wait was interrupted.
    pub fn finish_uploads(&self) -> Result<()> {
        self.remote.as_ref().map_or(Ok(()), Remote::finish)
    }

    /// What the remote cache gave and took, where there is one.
    pub fn remote_traffic(&self) -> Option<Traffic> {
        self.remote.as_ref().map(Remote::traffic_so_far)
    }
}
