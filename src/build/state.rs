//! What a build knows of each node of its graph: the states that an action goes through.

use std::sync::Arc;

use crate::cache::Preimage;
use crate::cache::record::ActionResult;
use crate::error::Error;
use crate::files::Blake3;
use crate::graph::Reason;

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
}

impl State {
    pub(super) fn digest(&self) -> Option<Blake3> {
        match self {
            Self::File(digest) => Some(*digest),
            Self::Settled(settled) => Some(settled.result.output_digest),
            Self::Open | Self::Stale { .. } | Self::Failed(_) => None,
        }
    }
}
