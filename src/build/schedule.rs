//! The second pass of a build: runs what is stale, each action once its inputs are settled, several at a time.

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use petgraph::Direction;
use petgraph::graph::NodeIndex;

use super::execute::Build;
use super::state::State;
use super::values::Values;
use crate::error::Result;
use crate::graph::Reason;
use crate::manifest::OutputKind;

impl Build<'_> {
    /// Second pass: runs what is stale, each action once its inputs are settled.
    pub(super) fn run_stale(&self, order: &[NodeIndex], states: Vec<State>) -> Result<Vec<State>> {
        let is_open = |node: NodeIndex| matches!(states[node.index()], State::Stale { .. });
        let open: Vec<NodeIndex> = order.iter().copied().filter(|node| is_open(*node)).collect();
        if open.is_empty() {
            return Ok(states);
        }
        let of_outputs = self.writes.values().flatten().filter_map(|output| {
            let path = &output.path.value.resolved;
            if output.kind == OutputKind::Folder { Some(path.clone()) } else { path.parent().map(Path::to_owned) }
        });
        super::sweep(&of_outputs.collect());
        let waiting: HashMap<NodeIndex, usize> =
            open.iter().map(|&node| (node, self.graph.inputs(node).into_iter().filter(|(_, input)| is_open(*input)).count())).collect();
        let users = order.iter().map(|&node| {
            let users = self.graph.dag.edges_directed(node, Direction::Outgoing);
            (node, users.filter(|edge| is_open(petgraph::visit::EdgeRef::target(edge))).count())
        });
        let values = Values::new(users);
        let ready: VecDeque<NodeIndex> = open.iter().copied().filter(|node| waiting[node] == 0).collect();
        let left = open.len();
        let shared = Shared { queue: Mutex::new(Queue { states, waiting, ready, left, stop: false }), changed: Condvar::new() };
        let processors = std::thread::available_parallelism().map_or(1, |n| n.get());
        // Stages use all processors themselves, through rayon; more actions at a time would only cost memory.
        let workers = self.options.jobs.unwrap_or(processors).clamp(1, left);
        std::thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| self.work(&shared, &values));
            }
        });
        self.ctx.check()?;
        let queue = shared.queue.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(queue.states)
    }

    /// One worker: takes ready actions until none is left.
    pub(super) fn work(&self, shared: &Shared, values: &Values) {
        let mut queue = shared.lock();
        loop {
            if queue.stop || queue.left == 0 || self.ctx.check().is_err() {
                queue.stop = true;
                shared.changed.notify_all();
                return;
            }
            let Some(node) = queue.ready.pop_front() else {
                // The timeout lets a waiting worker notice an interruption.
                queue = shared.changed.wait_timeout(queue, Duration::from_millis(100)).unwrap_or_else(PoisonError::into_inner).0;
                continue;
            };
            let resolved = self.resolve_action(node, &queue.states);
            let resolved = self.needed_again(node, &resolved, &queue.states).unwrap_or(resolved);
            let state = match resolved {
                State::Stale { preimage: Some(preimage), reason } => {
                    let reason = match &queue.states[node.index()] {
                        // What was found out first is the better explanation, except that waiting explains nothing.
                        State::Stale { reason: first, .. } if !matches!(first, Reason::UpstreamStale(_)) => first.clone(),
                        _ => reason,
                    };
                    drop(queue);
                    let state = self.run_action(node, preimage, reason, shared, values);
                    queue = shared.lock();
                    state
                }
                other => other,
            };
            let failed = matches!(state, State::Failed(_));
            queue.states[node.index()] = state;
            queue.left -= 1;
            for (_, input) in self.graph.inputs(node) {
                values.release(input);
            }
            for next in self.graph.dag.neighbors_directed(node, Direction::Outgoing).collect::<Vec<_>>() {
                if let Some(count) = queue.waiting.get_mut(&next) {
                    *count -= 1;
                    if *count == 0 {
                        queue.ready.push_back(next);
                    }
                }
            }
            if failed && !self.options.keep_going {
                queue.stop = true;
            }
            shared.changed.notify_all();
        }
    }
}

/// What the workers share.
pub(super) struct Shared {
    pub(super) queue: Mutex<Queue>,
    pub(super) changed: Condvar,
}

pub(super) struct Queue {
    pub(super) states: Vec<State>,
    /// Unsettled inputs of each open action.
    pub(super) waiting: HashMap<NodeIndex, usize>,
    pub(super) ready: VecDeque<NodeIndex>,
    /// Open actions.
    pub(super) left: usize,
    pub(super) stop: bool,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
