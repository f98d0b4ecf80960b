//! Whether an action is done sooner on the cluster: what its computing, its files and the queue cost there and here. Decides no byte.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What asking, queueing and answering take, seconds.
const OVERHEAD_S: f64 = 0.3;
/// Bytes a second that go over a network nobody has measured yet.
const UNKNOWN_RATE: f64 = 10e6;
/// Cores of a worker, until one has answered.
const WORKER_CORES: f64 = 4.0;
/// Work that takes less here tells nothing of how fast it goes, seconds.
const SHORTEST: f64 = 0.1;
/// So many times longer or shorter than was reckoned something is believed to take.
const FARTHEST: f64 = 16.0;
/// How much the last answer counts for what is believed of workers.
const NEWS: f64 = 0.25;

/// What an action costs, wherever it runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Work {
    /// Seconds that one core would compute.
    pub(crate) core_s: f64,
    /// Bytes that the cluster lacks.
    pub(crate) up: u64,
    /// Bytes of the result that are wanted here.
    pub(crate) down: u64,
}

/// What is known of both places.
pub(super) struct Model {
    /// Cores here.
    cores: f64,
    /// Actions under way there.
    jobs: usize,
    /// What is done here in less is not sent; 0: everything is.
    min_seconds: f64,
    state: Mutex<State>,
    /// How much longer each kind of work takes here than was reckoned.
    paces: Mutex<HashMap<String, f64>>,
}

struct State {
    /// Of what runs here, seconds of a core.
    here_core_s: f64,
    /// Under way there.
    there: usize,
    /// Seconds that an action is away, as was seen.
    away_s: Option<f64>,
    /// Cores of a worker, as its answers tell.
    worker_cores: f64,
}

impl Model {
    pub(super) fn new(cores: usize, jobs: usize, min_seconds: f64) -> Self {
        let state = State { here_core_s: 0.0, there: 0, away_s: None, worker_cores: WORKER_CORES };
        Self { cores: cores.max(1) as f64, jobs: jobs.max(1), min_seconds, state: Mutex::new(state), paces: Mutex::default() }
    }

    /// Work of a kind that was reckoned to take a core so many seconds took this machine so many.
    pub(super) fn learn(&self, kind: &str, reckoned_s: f64, seconds: f64) {
        // Of what takes no time nothing is learned.
        if seconds < SHORTEST || reckoned_s <= 0.0 {
            return;
        }
        let found = (seconds * self.cores / reckoned_s).clamp(1.0 / FARTHEST, FARTHEST);
        let mut paces = self.paces.lock().unwrap_or_else(PoisonError::into_inner);
        let pace = paces.entry(kind.to_owned()).or_insert(found);
        *pace += NEWS * (found - *pace);
    }

    /// Seconds of a core that work of a kind takes by what was learned, for those that were reckoned.
    pub(super) fn expected(&self, kind: &str, reckoned_s: f64) -> f64 {
        reckoned_s * self.paces.lock().unwrap_or_else(PoisonError::into_inner).get(kind).copied().unwrap_or(1.0)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether somebody wants everything there, whatever it costs.
    fn sends_all(&self) -> bool {
        self.min_seconds == 0.0
    }

    /// When it would be done here: behind what runs already.
    fn here_s(&self, state: &State, core_s: f64) -> f64 {
        (state.here_core_s + core_s) / self.cores
    }

    /// Whether it may be worth while, whatever has to be sent: asked before that is known.
    pub(super) fn may_be_worth(&self, core_s: f64) -> bool {
        let state = self.state();
        let here_s = self.here_s(&state, core_s);
        self.sends_all() || here_s > self.min_seconds && OVERHEAD_S + core_s / state.worker_cores < here_s
    }

    /// A place there, if it is done sooner there; the rates are bytes a second up and down, as far as they are known.
    pub(super) fn admit(&self, work: Work, up: Option<f64>, down: Option<f64>) -> Option<There<'_>> {
        let mut state = self.state();
        let here_s = self.here_s(&state, work.core_s);
        let rate = |rate: Option<f64>| rate.unwrap_or(UNKNOWN_RATE).max(1.0);
        let run_s = OVERHEAD_S + work.core_s / state.worker_cores;
        let moved_s = work.up as f64 / rate(up) + work.down as f64 / rate(down);
        // Who comes when all places are taken waits for a share of what is under way.
        let before = (state.there + 1).saturating_sub(self.jobs) as f64;
        let queue_s = before * state.away_s.unwrap_or(run_s) / self.jobs as f64;
        let is_worth = self.sends_all() || here_s > self.min_seconds && run_s + moved_s + queue_s < here_s;
        // All of it is decided at once: others ask at the same time.
        (is_worth && state.there < self.jobs).then(|| {
            state.there += 1;
            There(self)
        })
    }

    /// What is computed here from now on until the value goes: work of this kind.
    pub(super) fn here(&self, kind: String, core_s: f64) -> Here<'_> {
        self.state().here_core_s += core_s;
        Here { model: self, reckoned_s: core_s / self.expected(&kind, 1.0), kind, core_s }
    }

    /// An action ran there for so long.
    pub(super) fn seen(&self, core_s: f64, seconds: f64) {
        let mut state = self.state();
        state.away_s = Some(state.away_s.map_or(seconds, |known| known + NEWS * (seconds - known)));
        // Of what takes no time nothing is learned.
        if core_s > 1.0 {
            let cores = (core_s / (seconds - OVERHEAD_S).max(0.1)).clamp(0.25, 256.0);
            state.worker_cores += NEWS * (cores - state.worker_cores);
        }
    }
}

/// A place among those that are under way there.
pub(crate) struct There<'a>(&'a Model);

impl Drop for There<'_> {
    fn drop(&mut self) {
        self.0.state().there -= 1;
    }
}

/// Something that is computed here.
#[must_use]
pub(crate) struct Here<'a> {
    model: &'a Model,
    kind: String,
    /// What was reckoned, and what was expected of that.
    reckoned_s: f64,
    core_s: f64,
}

impl Here<'_> {
    /// It is done, and took so many seconds.
    pub(crate) fn took(self, seconds: f64) {
        self.model.learn(&self.kind, self.reckoned_s, seconds);
    }
}

impl Drop for Here<'_> {
    fn drop(&mut self) {
        self.model.state().here_core_s -= self.core_s;
    }
}

#[cfg(test)]
mod tests;
