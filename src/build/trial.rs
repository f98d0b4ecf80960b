//! Trials: what looks at a file that a write action made, such as its proof, runs before the file gets its name. Where one fails, nothing is
//! published, and an earlier file of that name stays as it is.
//!
//! In the graph a trial comes after its write action, like everything that reads a result. Here it runs early, and what came of it waits
//! for its own turn. A file that was published by an earlier build is looked at then, in the usual order.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use petgraph::graph::NodeIndex;

use super::earlier::Earlier;
use super::execute::{Build, place};
use super::perform::Turn;
use super::run::{Candidate, Runner};
use super::schedule::Slot;
use super::state::{Settled, State, States};
use super::values::Values;
use crate::cache::Key;
use crate::ctx::Ctx;
use crate::error::{Error, Kind, Result};
use crate::files::Blake3;
use crate::manifest::Output;
use crate::stage::Role;

/// What came of the trials so far.
#[derive(Default)]
pub(super) struct Trials {
    /// Those that a file passed, by their nodes.
    passed: Mutex<HashMap<NodeIndex, Settled>>,
    /// The trial that each write action's file failed.
    failed: Mutex<HashMap<NodeIndex, NodeIndex>>,
}

impl Trials {
    fn passed(&self) -> MutexGuard<'_, HashMap<NodeIndex, Settled>> {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What came of a trial that ran in this build, if it was the action of this key.
    pub(super) fn result(&self, trial: NodeIndex, key: Key) -> Option<Settled> {
        self.passed().get(&trial).filter(|settled| settled.preimage.key() == key).cloned()
    }

    /// The state that a trial will have.
    pub(super) fn state(&self, trial: NodeIndex) -> Option<State> {
        self.passed().get(&trial).map(|settled| State::Settled(Box::new(settled.clone())))
    }

    /// The seconds that these took.
    pub(super) fn seconds(&self, trials: &[NodeIndex]) -> f64 {
        let passed = self.passed();
        trials.iter().filter_map(|trial| passed.get(trial)?.ran.as_ref()).map(|(seconds, _)| seconds).sum()
    }

    /// The trial that the file of this write action failed.
    pub(super) fn failed(&self, write: NodeIndex) -> Option<NodeIndex> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).get(&write).copied()
    }

    fn note_failure(&self, write: NodeIndex, trial: NodeIndex) {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).insert(write, trial);
    }
}

impl Build<'_> {
    /// Runs the trials of the file that `write` made, which is to be published as `output`.
    ///
    /// # Errors
    /// That of the first trial that the file fails.
    pub(super) fn try_out(
        &self,
        write: NodeIndex,
        output: &Output,
        made: &Candidate<'_>,
        states: &States,
        values: &Values,
        slot: &Slot<'_>,
    ) -> Result<()> {
        for trial in self.graph.trials(write) {
            if let Err(error) = self.try_by(trial, write, made, states, values, slot) {
                if error.kind() == Kind::Interrupted {
                    return Err(error);
                }
                self.trials.note_failure(write, trial);
                let path = place(output, Some(&made.written));
                let shown = self.shown(output, &path);
                let what = if path.exists() { "the file there is an earlier one" } else { "there is no such file" };
                return Err(error.because(format!("`{shown}` was not published: {what}")));
            }
        }
        Ok(())
    }

    fn try_by(
        &self,
        trial: NodeIndex,
        write: NodeIndex,
        made: &Candidate<'_>,
        states: &States,
        values: &Values,
        slot: &Slot<'_>,
    ) -> Result<()> {
        if let Some(error) = self.graph.inputs(trial).into_iter().find_map(|(_, input)| states.failure(input)) {
            let stage = self.graph.action(trial).map_or("a trial", |action| action.stage().name());
            return Err(Error::new(format!("`{stage}` cannot look at the file")).because(error));
        }
        let digest = |input: NodeIndex| if input == write { Some(made.blake3) } else { states.digest(input) };
        let preimage = self.graph.preimage(trial, digest)?;
        let preimage = preimage.ok_or_else(|| Error::new("a trial lacks an input: this is a bug in nnue, please report it"))?;
        if self.trials.result(trial, preimage.key()).is_some() {
            return Ok(());
        }
        let reason = match self.find(trial, &preimage) {
            Ok(result) => {
                self.trials.passed().insert(trial, Settled { preimage, result, ran: None, elsewhere: None });
                return Ok(());
            }
            Err(reason) => reason,
        };
        // Only the file on trial has no name yet; those of other nets, of which it may be made, have theirs.
        let published = |other| if other == write { Some(made.path.to_owned()) } else { self.published(other, &states.get(other)) };
        let accept = |_: &Output, _: &Candidate<'_>| Err(Error::new("a trial publishes nothing: this is a bug in nnue, please report it"));
        let ctx = self.scope(trial);
        let runner = self.runner(&ctx, values, &digest, &accept, &published, slot);
        let settled = self.run_somewhere(&runner, Turn { node: trial, preimage: &preimage, reason: &reason, states, slot })?;
        self.trials.passed().insert(trial, settled);
        Ok(())
    }

    /// A runner of this build, for what `ctx` says.
    pub(super) fn runner<'a>(
        &'a self,
        ctx: &'a Ctx,
        values: &'a Values,
        digest: &'a (dyn Fn(NodeIndex) -> Option<Blake3> + Sync),
        accept: &'a (dyn Fn(&Output, &Candidate<'_>) -> Result<()> + Sync),
        published: &'a (dyn Fn(NodeIndex) -> Option<PathBuf> + Sync),
        slot: &'a Slot<'a>,
    ) -> Runner<'a> {
        let Self { workspace, graph, last, users, .. } = self;
        let earlier = Earlier { workspace, last, users };
        Runner { workspace, graph, values, ctx, executor: workspace.executor, digest, accept, published, earlier, slot }
    }

    /// The error of an action in its own turn. The file that a trial looks at has its name by then.
    pub(super) fn of_published(&self, node: NodeIndex, states: &States, error: Error) -> Error {
        let shown = self.graph.input(node, Role::Published).filter(|_| error.kind() != Kind::Interrupted).and_then(|write| {
            let path = self.published(write, &states.get(write))?;
            Some(self.shown(self.writes.get(&write)?.first()?, &path))
        });
        match shown {
            Some(shown) => error.because(format!("`{shown}` has been published already: do not use it until this is settled")),
            None => error,
        }
    }
}

#[cfg(test)]
mod tests;
