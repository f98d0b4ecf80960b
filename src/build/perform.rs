//! The second pass of a build: every stale action gets its result, from elsewhere or by running its stage, then its record; files are
//! checked before they get their names. [`super::schedule`] decides when each runs.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, TryLockError};
use std::time::Instant;

use petgraph::Direction;
use petgraph::graph::NodeIndex;
use petgraph::visit::EdgeRef;

use super::execute::{Build, InFlight, place, recorded};
use super::lock::{self, LockedFile};
use super::run::{Candidate, Ran, Runner};
use super::schedule::{Limits, Slot, Tasks, Work};
use super::state::{Settled, State, States};
use super::there::Place;
use super::values::Values;
use crate::cache::record::{ActionResult, Said};
use crate::cache::{ActionRecord, Key, Preimage, PublishedFile};
use crate::ctx::Ctx;
use crate::error::{Error, Kind, Result};
use crate::manifest::{Output, OutputKind};
use crate::plan::{NetPlan, Reason};
use crate::stage::{Action, Written};

/// The second pass: what is known of the nodes, and the results that are in memory.
struct Pass<'b, 'a> {
    build: &'b Build<'a>,
    /// The open actions; a task's number is its place here.
    open: Vec<NodeIndex>,
    states: States,
    values: Values,
    /// How many open actions each net has left.
    left: Vec<AtomicUsize>,
}

/// An action whose turn it is.
#[derive(Clone, Copy)]
pub(super) struct Turn<'t> {
    pub node: NodeIndex,
    /// Of its key.
    pub preimage: &'t Preimage,
    /// Why it runs.
    pub reason: &'t Reason,
    pub states: &'t States,
    /// Its place among those that run at a time.
    pub slot: &'t Slot<'t>,
}

impl Work for Pass<'_, '_> {
    fn run(&self, task: usize, slot: &Slot<'_>) -> Result<()> {
        let (build, node) = (self.build, self.open[task]);
        if self.states.failure(node).is_some() {
            // A trial that a file failed: it was said when it ran.
            self.release_inputs(node);
            return Ok(());
        }
        let resolved = build.resolve_action(node, &self.states);
        let resolved = build.restale_unfetched(node, &resolved, &self.states).unwrap_or(resolved);
        let key = match &resolved {
            State::Settled(settled) => Some(settled.preimage.key()),
            State::Stale { preimage, .. } => preimage.as_ref().map(Preimage::key),
            State::Open | State::File(_) | State::Failed(_) => None,
        };
        let resolved = match key.and_then(|key| build.trials.result(node, key)) {
            Some(settled) => State::Settled(Box::new(settled)),
            None => resolved,
        };
        let result = match resolved {
            State::Stale { preimage: Some(preimage), reason } => {
                let reason = match self.states.get(node) {
                    // What was found out first is the better explanation, except that waiting explains nothing.
                    State::Stale { reason: first, .. } if !matches!(first, Reason::UpstreamStale(_)) => first,
                    State::Stale { .. } | State::Open | State::File(_) | State::Settled(_) | State::Failed(_) => reason,
                };
                let ran = build.run_action(node, &preimage, &reason, &self.states, &self.values, slot);
                ran.map(|settled| State::Settled(Box::new(settled))).map_err(|error| build.of_published(node, &self.states, error))
            }
            State::Failed(error) => {
                // It was said where the file was looked at.
                self.states.set(node, State::Failed(error));
                self.release_inputs(node);
                return Ok(());
            }
            other @ (State::Stale { .. } | State::Open | State::File(_) | State::Settled(_)) => Ok(other),
        };
        let result = result.map(|state| {
            let is_settled = matches!(state, State::Settled(_));
            self.states.set(node, state);
            is_settled
        });
        self.release_inputs(node);
        if result? {
            self.finish_nets(node);
        }
        Ok(())
    }

    fn failed(&self, task: usize, error: Error) {
        let (build, node) = (self.build, self.open[task]);
        let error = build.located(node, error);
        if !matches!(error.kind(), Kind::Interrupted | Kind::Difference) {
            // A message that shows the place in the manifest is the same for all nets: it is said once.
            let nets = if error.report().is_some() { 1 } else { usize::MAX };
            for net in build.nets_of(node).into_iter().take(nets) {
                (build.on_error)(&build.graph.nets[net].name, &error);
            }
        }
        let failed = State::Failed(Arc::new(error));
        match build.trials.failed(node) {
            Some(trial) => {
                // Nothing is wrong with writing: it is the file that was not good enough for its name.
                let preimage = build.graph.preimage(node, |input| self.states.digest(input)).ok().flatten();
                let waits_for = build.graph.action(trial).map_or("a trial", |action| action.stage().name());
                self.states.set(node, State::Stale { preimage, reason: Reason::UpstreamStale(waits_for.to_owned()) });
                self.states.set(trial, failed);
            }
            None => self.states.set(node, failed),
        }
    }

    fn panicked(&self, task: usize) -> String {
        let stage = self.build.graph.action(self.open[task]).map_or("a stage", |action| action.stage().name());
        format!("{stage} panicked: this is a bug in nnue, please report it")
    }
}

impl Pass<'_, '_> {
    /// Finishes the nets of which this was the last open action.
    fn finish_nets(&self, node: NodeIndex) {
        for net in self.build.users.get(&node).into_iter().flatten() {
            if self.left[*net].fetch_sub(1, Ordering::AcqRel) == 1 {
                self.build.finish(*net, &|node| self.states.get(node));
            }
        }
    }

    fn release_inputs(&self, node: NodeIndex) {
        for (_, input) in self.build.graph.inputs(node) {
            self.values.release(input);
        }
    }
}

impl Build<'_> {
    /// Runs what is stale, each action once its inputs are settled.
    pub(super) fn run_stale(&self, states: Vec<State>) -> Result<Vec<State>> {
        let states = States::from(states);
        // In the order of the manifest, in which the nodes were made.
        let open: Vec<NodeIndex> = self.graph.dag.node_indices().filter(|node| states.is_stale(*node)).collect();
        if open.is_empty() {
            return Ok(states.into_vec());
        }
        let of_outputs = self.writes.values().flatten().filter_map(|output| {
            let path = &output.path.value.resolved;
            if output.kind == OutputKind::Folder { Some(path.clone()) } else { path.parent().map(Path::to_owned) }
        });
        super::sweep(&of_outputs.collect());
        let numbers: HashMap<NodeIndex, usize> = open.iter().enumerate().map(|(number, node)| (*node, number)).collect();
        let edges = self.graph.dag.edge_references();
        let edges = edges.filter_map(|edge| Some((*numbers.get(&edge.source())?, *numbers.get(&edge.target())?)));
        let tasks = Tasks::new(open.len(), edges);
        let users = self.graph.dag.node_indices().map(|node| {
            let users = self.graph.dag.neighbors_directed(node, Direction::Outgoing);
            (node, users.filter(|user| numbers.contains_key(user)).count())
        });
        let values = Values::new(users);
        let processors = std::thread::available_parallelism().map_or(1, |n| n.get());
        // Stages use all processors themselves, through rayon; more actions at a time would only cost memory.
        let workers = self.options.jobs.unwrap_or(processors);
        let away = self.most_away(&open) + self.most_published(&open, workers);
        let limits = Limits { workers, away, keep_going: self.options.keep_going };
        let left = self.graph.nets.iter().map(|net| net.actions.iter().filter(|node| numbers.contains_key(node)).count());
        let left = left.map(AtomicUsize::new).collect();
        let pass = Pass { build: self, open, states, values, left };
        tasks.run(limits, self.ctx, &pass);
        let states = pass.states.into_vec();
        // Also of a build that is interrupted, or fails later.
        if !self.options.frozen {
            self.workspace.note_published(self.written(&states), self.ctx);
        }
        self.ctx.check()?;
        Ok(states)
    }

    /// How many nets may wait for the disk beside those that are computed: as many again, since each has a thread that keeps memory; none
    /// where one thing is to be done at a time.
    fn most_published(&self, open: &[NodeIndex], workers: usize) -> usize {
        let writes = open.iter().filter(|node| self.writes.contains_key(node)).count();
        if workers > 1 { writes.saturating_sub(workers).min(workers) } else { 0 }
    }

    /// The files that were written in this build.
    fn written(&self, states: &[State]) -> Vec<PublishedFile> {
        let of_net = |net: &NetPlan| {
            let files = net.outputs.iter().filter_map(|(output, write)| {
                let settled = states[write.index()].settled().filter(|settled| settled.ran.is_some())?;
                let written = recorded(&settled.result)?;
                let path = PathBuf::from(self.shown(output, &place(output, Some(&written))));
                Some(PublishedFile { path, net: net.name.clone(), sha256: written.sha256, bytes: settled.result.bytes, provenance: None })
            });
            files.collect::<Vec<_>>()
        };
        self.graph.nets.iter().flat_map(of_net).collect()
    }

    /// The place for the result of the action of this key.
    pub(super) fn in_flight(&self, key: Key) -> InFlight {
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default().clone()
    }

    /// The result of an action: of another node or process that had the same one, from the remote cache, or from running its stage.
    fn run_action(
        &self,
        node: NodeIndex,
        preimage: &Preimage,
        reason: &Reason,
        states: &States,
        values: &Values,
        slot: &Slot<'_>,
    ) -> Result<Settled> {
        let is_stored = self.graph.action(node).is_some_and(Action::is_stored);
        // Another node may be the same expensive action, such as that of a copy of the source: it is run once.
        let place = is_stored.then(|| self.in_flight(preimage.key()));
        let mut in_flight = place.as_ref().map(|place| match place.try_lock() {
            Ok(held) => held,
            Err(TryLockError::Poisoned(held)) => held.into_inner(),
            // Whoever has it may be away, and needs a place to come back to.
            Err(TryLockError::WouldBlock) => slot.away(|| place.lock().unwrap_or_else(PoisonError::into_inner)),
        });
        if let Some(result) = in_flight.as_ref().and_then(|known| known.as_ref()).filter(|result| result.stored) {
            return Ok(Settled { preimage: preimage.clone(), result: result.clone(), ran: None, elsewhere: None });
        }
        // Another process may be at it: then its result is there once it is done.
        let _lock = if is_stored { Some(self.workspace.cache.lock_action(preimage.key())?) } else { None };
        if is_stored
            && !self.options.force
            && let Some(result) = self.workspace.stored_result(preimage)
        {
            return Ok(Settled { preimage: preimage.clone(), result, ran: None, elsewhere: None });
        }
        let digest = |input: NodeIndex| states.digest(input);
        let accept = |output: &Output, made: &Candidate<'_>| {
            self.accept_sums(node, output, &|action| states.get(action))?;
            self.accept(node, output, &made.written, made.path)?;
            self.try_out(node, output, made, states, values, slot)?;
            let tried = |action: NodeIndex| self.trials.state(action).unwrap_or_else(|| states.get(action));
            self.accept_sums(node, output, &tried)
        };
        let published = |write: NodeIndex| self.published(write, &states.get(write));
        let ctx = self.scope(node);
        let runner = self.runner(&ctx, values, &digest, &accept, &published, slot);
        if is_stored && let Some(result) = runner.remote_result(node, preimage)? {
            return Ok(Settled { preimage: preimage.clone(), result, ran: None, elsewhere: None });
        }
        let settled = self.run_somewhere(&runner, Turn { node, preimage, reason, states, slot })?;
        if let Some(known) = &mut in_flight {
            **known = Some(settled.result.clone());
        }
        Ok(settled)
    }

    /// Runs the stage on the cluster or here, and records what came of it.
    pub(super) fn run_somewhere(&self, runner: &Runner<'_>, turn: Turn<'_>) -> Result<Settled> {
        let (here, failed_there) = match self.run_there(runner, turn)? {
            Place::Ran(settled) => return Ok(*settled),
            Place::Here(here) => (here, None),
            Place::Disproved(here, failure) => (Some(here), Some(failure)),
        };
        let Turn { node, preimage, reason, .. } = turn;
        let outputs = self.writes.get(&node).map_or(&[][..], Vec::as_slice);
        let settled = self.perform(runner, node, preimage, reason, outputs)?;
        if let Some(here) = here {
            here.took(settled.result.duration_s);
        }
        if let Some(failure) = failed_there {
            self.contradicted(node, failure);
        }
        Ok(settled)
    }

    /// Runs the stage, and records what came of it. A write action is published as `outputs`.
    pub(super) fn perform(
        &self,
        runner: &Runner<'_>,
        node: NodeIndex,
        preimage: &Preimage,
        reason: &Reason,
        outputs: &[Output],
    ) -> Result<Settled> {
        let start = Instant::now();
        let running = runner.ctx.running();
        let Ran { digest, bytes, stored, outcome, value } = runner.run(node, outputs)?;
        drop(running);
        // Trials that ran meanwhile have seconds of their own.
        let seconds = (start.elapsed().as_secs_f64() - self.trials.seconds(&self.graph.trials(node))).max(0.0);
        if let Some(value) = &value {
            runner.values.put(node, value);
        }
        let result = ActionResult {
            said: Said::Known(outcome),
            output_digest: digest,
            stored,
            bytes,
            duration_s: seconds,
            elsewhere: false,
            created_by: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let record = ActionRecord { preimage: preimage.clone(), result: result.clone() };
        self.workspace.cache.put_record(&record);
        if self.graph.action(node).is_some_and(Action::is_stored)
            && let Some(remote) = &self.workspace.remote
        {
            remote.upload(&record);
        }
        Ok(Settled { preimage: preimage.clone(), result, ran: Some((seconds, reason.clone())), elsewhere: None })
    }

    /// The context for an action: what it does is done for the first net that uses it.
    pub(super) fn scope(&self, node: NodeIndex) -> Ctx {
        let net = self.users.get(&node).and_then(|users| self.graph.nets.get(*users.first()?));
        match (net, self.graph.action(node)) {
            (Some(net), Some(action)) => self.ctx.within(&net.name, action.stage().name()),
            _ => self.ctx.clone(),
        }
    }

    /// Where the first file of a settled write action is.
    pub(super) fn published(&self, write: NodeIndex, state: &State) -> Option<PathBuf> {
        let written = recorded(&state.settled()?.result)?;
        self.writes.get(&write)?.first().map(|output| place(output, Some(&written)))
    }

    /// Whether a write action may give `content`, a complete file with this digest, the name of `output`.
    pub(super) fn accept(&self, node: NodeIndex, output: &Output, written: &Written, content: &Path) -> Result<()> {
        self.accept_locked(node, written)?;
        self.accept_for_publication(node, output, written, content)
    }

    /// Whether the lock has a result with this digest; what a locked build refuses is noted for its report.
    pub(super) fn accept_locked(&self, node: NodeIndex, written: &Written) -> Result<()> {
        let Some(locked) = self.locked else { return Ok(()) };
        let sha256 = written.sha256;
        let mut lines = Vec::new();
        for net in self.users.get(&node).into_iter().flatten().filter_map(|net| self.graph.nets.get(*net)) {
            let outputs = net
                .outputs
                .iter()
                .filter(|(_, write)| *write == node)
                .map(|(output, _)| LockedFile { path: self.shown(output, &place(output, Some(written))), sha256: sha256.to_string() });
            let known = locked.nets.get(&net.name);
            lines.extend(outputs.filter(|output| known.is_none_or(|net| !net.outputs.contains(output))).map(|output| {
                match known.and_then(|net| net.outputs.iter().find(|other| other.path == output.path)) {
                    Some(old) => format!("net `{}`: output `{}`: sha256 {} is locked, now {sha256}", net.name, old.path, old.sha256),
                    None => format!("net `{}`: output `{}` (sha256 {sha256}) is not locked", net.name, output.path),
                }
            }));
        }
        if lines.is_empty() {
            return Ok(());
        }
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).extend(lines);
        Err(Error::with_kind(Kind::Difference, format!("the result differs from `{}`", lock::name_of(self.workspace.manifest))))
    }

    /// An error about a value of the manifest, with the place where the value stands.
    pub(super) fn located(&self, node: NodeIndex, error: Error) -> Error {
        let manifest = self.workspace.manifest;
        let place = error.key().and_then(|key| {
            let name = &self.graph.nets.get(*self.users.get(&node)?.first()?)?.name;
            let source = &manifest.nets.iter().find(|net| net.name == *name)?.source;
            // What is not written yet belongs below the path.
            source.claims.place_of(key).or(Some(source.path.span))
        });
        let (Some(span), Some((label, causes))) = (place, error.causes().split_first()) else { return error };
        let message = format!("{}: {label}", error.message());
        manifest.diagnostic(span, &message, label, &causes.join("; "), error.help_text().unwrap_or_default()).kind_is(error.kind())
    }
}
