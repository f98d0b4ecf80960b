//! What a build knows of each node of its graph: the states that an action goes through.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use petgraph::graph::NodeIndex;

use crate::cache::Preimage;
use crate::cache::record::ActionResult;
use crate::error::Error;
use crate::files::Blake3;
use crate::plan::Reason;

/// What is known of a node.
#[derive(Clone)]
pub(super) enum State {
    /// Not looked at yet, or it waits for others.
    Open,
    /// A file, with the digest of its content.
    File(Blake3),
    /// An action whose result is known by its digest.
    Settled(Box<Settled>),
    /// An action that has to run, and why.
    Stale { preimage: Option<Preimage>, reason: Reason },
    /// It failed, or a file that it reads cannot be read.
    Failed(Arc<Error>),
}

#[derive(Clone)]
pub(super) struct Settled {
    pub(super) preimage: Preimage,
    pub(super) result: ActionResult,
    /// How long it ran in this build, and why; `None` for a result from the cache.
    pub(super) ran: Option<(f64, Reason)>,
    /// Where it ran in this build, if not here.
    pub(super) elsewhere: Option<Elsewhere>,
}

/// A run on a cluster.
#[derive(Debug, Clone)]
pub(super) struct Elsewhere {
    /// Who ran it, where the cluster says so.
    pub(super) worker: Option<String>,
    /// It ran for an earlier build, or another one.
    pub(super) from_cache: bool,
}

/// The states of all nodes, each behind a lock of its own that is held only to copy: whoever reads files holds none.
pub(super) struct States(Vec<Mutex<State>>);

impl States {
    /// Of this many nodes that nobody looked at.
    pub(super) fn open(count: usize) -> Self {
        Self::from(vec![State::Open; count])
    }

    fn at(&self, node: NodeIndex) -> MutexGuard<'_, State> {
        // A state is replaced at once: a panic elsewhere leaves whole ones.
        self.0[node.index()].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy.
    pub(super) fn get(&self, node: NodeIndex) -> State {
        self.at(node).clone()
    }

    /// Replaces the state of a node.
    pub(super) fn set(&self, node: NodeIndex, state: State) {
        *self.at(node) = state;
    }

    /// The digest of the file or the result, where it is known.
    pub(super) fn digest(&self, node: NodeIndex) -> Option<Blake3> {
        self.at(node).digest()
    }

    /// Whether the action has to run.
    pub(super) fn is_stale(&self, node: NodeIndex) -> bool {
        matches!(*self.at(node), State::Stale { .. })
    }

    /// Why it failed.
    pub(super) fn failure(&self, node: NodeIndex) -> Option<Arc<Error>> {
        match &*self.at(node) {
            State::Failed(error) => Some(error.clone()),
            State::Open | State::File(_) | State::Settled(_) | State::Stale { .. } => None,
        }
    }

    /// All of them, by the node's index.
    pub(super) fn into_vec(self) -> Vec<State> {
        self.0.into_iter().map(|state| state.into_inner().unwrap_or_else(PoisonError::into_inner)).collect()
    }
}

impl From<Vec<State>> for States {
    fn from(states: Vec<State>) -> Self {
        Self(states.into_iter().map(Mutex::new).collect())
    }
}

impl State {
    /// The key and the result of an action whose result is known.
    pub(super) fn settled(&self) -> Option<&Settled> {
        match self {
            Self::Settled(settled) => Some(settled),
            Self::Open | Self::File(_) | Self::Stale { .. } | Self::Failed(_) => None,
        }
    }

    pub(super) fn digest(&self) -> Option<Blake3> {
        match self {
            Self::File(digest) => Some(*digest),
            Self::Settled(settled) => Some(settled.result.output_digest),
            Self::Open | Self::Stale { .. } | Self::Failed(_) => None,
        }
    }
}
