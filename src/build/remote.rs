//! Results of stored stages from the remote cache: looked up, proven to fit this build, put into the local cache and into memory.
//!
//! What the remote says of itself is checked in [`crate::cache::remote`]; here is checked what only a build knows: that a matrix has
//! the positions and neurons, a permutation the length of the network at hand.

use petgraph::Direction;
use petgraph::graph::NodeIndex;

use super::Workspace;
use super::run::Runner;
use crate::cache::record::ActionResult;
use crate::cache::remote::{Found, Traffic};
use crate::cache::{ActionRecord, Preimage, Remote};
use crate::error::{Error, Result};
use crate::exec::{Gathered, Value, read_stored};
use crate::positions::held_out;
use crate::stage::{Action, Role, Stage};

/// Room for the headers of a stored artifact, bytes.
const HEADERS: u64 = 64 << 10;

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
        // A matrix is large. Where everything that would be made of it is there, it stays where it is.
        if action.stage() == Stage::Gather && self.matrix_is_unused(remote, node, &found)? {
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

    /// Whether every search over this matrix has its permutation, here or in the remote; fetches those that are there.
    fn matrix_is_unused(&self, remote: &Remote, node: NodeIndex, matrix: &Found) -> Result<bool> {
        let users: Vec<NodeIndex> = self.graph.dag.neighbors_directed(node, Direction::Outgoing).collect();
        for user in users {
            let digest = |input: NodeIndex| if input == node { Some(matrix.digest()) } else { (self.digest)(input) };
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
        let half = self.half(node)?;
        let bytes = remote.fetch(found, self.most_bytes(node, half));
        self.ctx.check()?;
        let Some(bytes) = bytes else { return Ok(None) };
        let action = self.graph.action(node).ok_or_else(|| Error::new("a file is not an action"))?;
        let value = read_stored(action, &bytes).and_then(|value| check_fits(action, &value, half).map(|()| value));
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
        let record = ActionRecord { preimage, result: ActionResult { stored, ..result } };
        self.workspace.cache.put_record(&record);
        record.result
    }

    /// L1/2 of the network that a gather, or the gather before a search, works on.
    fn half(&self, node: NodeIndex) -> Result<usize> {
        let gather = self.graph.input(node, Role::Matrix).unwrap_or(node);
        let value = self.value(gather, Role::Network)?;
        let Value::Quantized(network) = &value else {
            return Err(Error::new("gather got a network of floats: this is a bug in nnue, please report it"));
        };
        let half = network.architecture.l1 / 2;
        if let Some(input) = self.graph.input(gather, Role::Network) {
            // Whoever asks last takes a value out of memory; this one only looked.
            self.values.put(input, &value);
        }
        Ok(half)
    }

    /// More bytes no result of this action has.
    fn most_bytes(&self, node: NodeIndex, half: usize) -> u64 {
        match self.graph.action(node) {
            Some(Action::Gather(gather)) => {
                let positions = &gather.positions;
                // A bit for each of two perspectives, in columns that are padded to 64 bytes.
                let column = |positions: u64| positions.saturating_mul(2).div_ceil(512).saturating_mul(64);
                let columns = column(*positions).saturating_add(column(held_out(*positions)));
                columns.saturating_mul(half as u64).saturating_add(HEADERS)
            }
            Some(Action::Search(_)) => (half as u64).saturating_mul(8).saturating_add(HEADERS),
            Some(Action::Load(_) | Action::Coalesce | Action::Quantize(_) | Action::Permute | Action::Write(_)) | None => 0,
        }
    }
}

/// Whether a result is one that this action gives for a network with this L1/2.
fn check_fits(action: &Action, value: &Value, half: usize) -> Result<()> {
    match (action, value) {
        (Action::Gather(gather), Value::Gathered(gathered)) => check_matrices(gathered, gather.positions, half),
        (Action::Search(_), Value::Permutation(permutation)) => permutation.check_len(half),
        (
            Action::Load(_)
            | Action::Coalesce
            | Action::Quantize(_)
            | Action::Gather(_)
            | Action::Search(_)
            | Action::Permute
            | Action::Write(_),
            Value::Factorized(_) | Value::Coalesced(_) | Value::Quantized(_) | Value::Gathered(_) | Value::Permutation(_),
        ) => Err(Error::new(format!("it is not a result of {}", action.stage()))),
    }
}

fn check_matrices(gathered: &Gathered, positions: u64, half: usize) -> Result<()> {
    let judged_on = gathered.held_out.as_ref();
    let fits = gathered.matrix.half() == half
        && gathered.matrix.positions() as u64 == positions
        && judged_on.is_none_or(|matrix| matrix.half() == half && matrix.positions() as u64 <= held_out(positions));
    if fits { Ok(()) } else { Err(Error::new(format!("its matrices are not of {positions} positions and {half} neurons"))) }
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
