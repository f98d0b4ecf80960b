//! The two passes of a build (resolve, execute), what follows them (release), and the report of all.

mod release;

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use petgraph::Direction;
use petgraph::algo::toposort;
use petgraph::graph::NodeIndex;
use rayon::prelude::*;

use release::Released;

use super::fishtest;
use super::lock::{self, Lock, LockedFile};
use super::report::{NetReport, NetStatus, OutputReport, Report, SCHEMA, ShareReport, StageReport, StageStatus, ZeroBlocksReport};
use super::run::{Ran, Runner};
use super::values::Values;
use super::{Options, Workspace};
use crate::cache::record::ActionResult;
use crate::cache::witness::Signed;
use crate::cache::{ActionRecord, BuildState, Key, OutputState, Preimage, StageState, Witnessed};
use crate::ctx::Ctx;
use crate::error::{Error, Kind, Result};
use crate::files::{Blake3, Sha256, Signature};
use crate::graph::{Graph, NetPlan, Node, Reason, compare};
use crate::manifest::{Output, OutputKind, PROVENANCE_SUFFIX, provenance_path};
use crate::stage::{Role, Stage};

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
    /// It failed, with the message.
    Failed(String),
}

#[derive(Clone)]
pub(super) struct Settled {
    preimage: Preimage,
    result: ActionResult,
    /// How long it ran in this build, and why; `None` for a result from the cache.
    ran: Option<(f64, Reason)>,
}

impl State {
    pub(super) fn digest(&self) -> Option<Blake3> {
        match self {
            Self::File(digest) => Some(*digest),
            Self::Settled(settled) => Some(settled.result.output_digest),
            _ => None,
        }
    }
}

/// Builds, or only resolves.
pub(super) fn execute(
    workspace: &Workspace<'_>,
    graph: &Graph,
    options: &Options,
    locked: Option<&Lock>,
    ctx: &Ctx,
    on_error: &(dyn Fn(&str, &Error) + Sync),
) -> Result<Executed> {
    let order = order(graph)?;
    let build = Build::new(workspace, graph, options, locked, ctx, on_error);
    let mut states = build.resolve(&order);
    // A source that is missing is a failure like any other: without `keep_going` nothing runs after it.
    let stopped = !options.keep_going && states.iter().any(|state| matches!(state, State::Failed(_)));
    if !options.dry_run && !stopped {
        states = build.run_stale(&order, states)?;
    }
    ctx.check()?;
    let refused = std::mem::take(&mut *build.refused.lock().unwrap_or_else(PoisonError::into_inner));
    if !refused.is_empty() {
        return Err(lock::difference(&format!("`{}` would change", lock::name_of(workspace.manifest)), &refused));
    }
    let released = build.release(&states);
    let report = build.report(&states, &released)?;
    let is_fresh = report.nets.iter().all(|net| net.status == NetStatus::Fresh);
    let rests_on = if is_fresh && !options.dry_run { build.rests_on(&states) } else { None };
    Ok(Executed { report, digests: states.iter().map(State::digest).collect(), rests_on })
}

/// What a build came to.
pub(super) struct Executed {
    pub(super) report: Report,
    /// Of each node, by its index: the content of files as they were built from, the results of settled actions.
    pub(super) digests: Vec<Option<Blake3>>,
    /// Of a build that found everything fresh: all files that this was found from, as they were.
    pub(super) rests_on: Option<Vec<Signed>>,
}

/// Inputs before those that use them.
pub(super) fn order(graph: &Graph) -> Result<Vec<NodeIndex>> {
    toposort(&graph.dag, None).map_err(|_| Error::new("the graph has a cycle: this is a bug in nnue, please report it"))
}

pub(super) struct Build<'a> {
    workspace: &'a Workspace<'a>,
    graph: &'a Graph,
    options: &'a Options,
    /// What must come out, where only that may be published.
    locked: Option<&'a Lock>,
    /// What would have come out instead, a line each.
    refused: Mutex<Vec<String>>,
    ctx: &'a Ctx,
    on_error: &'a (dyn Fn(&str, &Error) + Sync),
    last: Vec<Option<BuildState>>,
    /// Outputs of each write action, which one net has for itself.
    writes: HashMap<NodeIndex, Vec<Output>>,
    /// The nets that use an action.
    users: HashMap<NodeIndex, Vec<usize>>,
    /// Expensive actions that ran in this build, or run.
    twins: Mutex<HashMap<Key, Twin>>,
}

/// The result of an action, once it has one; locked while it runs.
type Twin = Arc<Mutex<Option<ActionResult>>>;

impl<'a> Build<'a> {
    pub(super) fn new(
        workspace: &'a Workspace<'a>,
        graph: &'a Graph,
        options: &'a Options,
        locked: Option<&'a Lock>,
        ctx: &'a Ctx,
        on_error: &'a (dyn Fn(&str, &Error) + Sync),
    ) -> Self {
        let last: Vec<Option<BuildState>> = graph.nets.par_iter().map(|net| workspace.log.load(&net.name, ctx)).collect();
        let (mut writes, mut users) = (HashMap::<NodeIndex, Vec<Output>>::new(), HashMap::<NodeIndex, Vec<usize>>::new());
        for (index, net) in graph.nets.iter().enumerate() {
            for action in &net.actions {
                users.entry(*action).or_default().push(index);
            }
            for (output, write) in &net.outputs {
                writes.entry(*write).or_default().push(output.clone());
            }
        }
        Self { workspace, graph, options, locked, refused: Mutex::default(), ctx, on_error, last, writes, users, twins: Mutex::default() }
    }

    /// First pass: digests of files, keys, records.
    pub(super) fn resolve(&self, order: &[NodeIndex]) -> Vec<State> {
        let mut states = vec![State::Open; self.graph.dag.node_count()];
        let files: Vec<NodeIndex> = order.iter().copied().filter(|node| self.graph.action(*node).is_none()).collect();
        let digests: Vec<(NodeIndex, State)> = files.into_par_iter().map(|node| (node, self.resolve_file(node))).collect();
        for (node, state) in digests {
            states[node.index()] = state;
        }
        for level in self.levels(order) {
            let resolved: Vec<State> = level.par_iter().with_min_len(16).map(|node| self.resolve_action(*node, &states)).collect();
            for (node, state) in level.into_iter().zip(resolved) {
                states[node.index()] = state;
            }
        }
        for &node in order {
            if let Some(stale) = self.needed_again(node, &states[node.index()], &states) {
                states[node.index()] = stale;
            }
        }
        states
    }

    /// The actions by the length of the longest way from a file: those of one level do not wait for each other.
    fn levels(&self, order: &[NodeIndex]) -> Vec<Vec<NodeIndex>> {
        let mut depths = vec![0; self.graph.dag.node_count()];
        let mut levels: Vec<Vec<NodeIndex>> = Vec::new();
        for &node in order.iter().filter(|node| self.graph.action(**node).is_some()) {
            let inputs = self.graph.dag.neighbors_directed(node, Direction::Incoming);
            let depth = inputs.map(|input| depths[input.index()] + usize::from(self.graph.action(input).is_some())).max().unwrap_or(0);
            depths[node.index()] = depth;
            if levels.len() <= depth {
                levels.resize(depth + 1, Vec::new());
            }
            levels[depth].push(node);
        }
        levels
    }

    /// A settled action whose result is to be stored and is not, while a stale one will read it: a matrix that was left in the remote
    /// cache. Made again as an action of its own it may come out otherwise than the remote said, and what comes after it gets the right
    /// key.
    fn needed_again(&self, node: NodeIndex, state: &State, states: &[State]) -> Option<State> {
        let State::Settled(settled) = state else { return None };
        if settled.ran.is_some() || settled.result.stored || !self.graph.action(node)?.stage().is_stored() {
            return None;
        }
        let digest = |input: NodeIndex| if input == node { Some(settled.result.output_digest) } else { states[input.index()].digest() };
        let will_read = |user: NodeIndex| {
            let preimage = self.graph.preimage(user, digest).ok().flatten();
            matches!(states[user.index()], State::Stale { .. })
                && preimage.and_then(|preimage| self.workspace.stored_result(&preimage)).is_none()
        };
        let needed = self.graph.dag.neighbors_directed(node, Direction::Outgoing).any(will_read);
        needed.then(|| State::Stale { preimage: Some(settled.preimage.clone()), reason: Reason::of("blob_missing") })
    }

    fn resolve_file(&self, node: NodeIndex) -> State {
        let Node::File(file) = &self.graph.dag[node] else { return State::Open };
        let path = &file.path.resolved;
        // Keys need the one digest, pins and `nnue.lock` the other: the file is read once for both.
        let digest = self.workspace.files.digests(path).and_then(|digests| {
            if let Some(pin) = &file.pin {
                let found = digests.sha256.to_string();
                if found != pin.value {
                    return Err(self
                        .workspace
                        .manifest
                        .diagnostic(
                            pin.span,
                            &format!("`{}` is not the file that is pinned: its SHA-256 is {found}", file.path.typed),
                            &format!("the file has {found}"),
                            "its content changed since the pin was written, or it is another file",
                            "restore the file, or correct `sha256`",
                        )
                        .kind_is(Kind::Failed));
                }
            }
            Ok(digests.blake3)
        });
        match digest {
            Ok(digest) => State::File(digest),
            // Of an interrupted build nothing is told but that.
            Err(error) if error.kind() == Kind::Interrupted => State::Failed(error.to_string()),
            Err(error) => {
                let error = if error.report().is_some() {
                    error
                } else {
                    error.help(format!("it is named in {}", self.workspace.manifest.line(file.span)))
                };
                for net in self.nets_after(node) {
                    (self.on_error)(&self.graph.nets[net].name, &error);
                }
                State::Failed(error.to_string())
            }
        }
    }

    /// The nets that an error of this node concerns.
    fn nets_after(&self, node: NodeIndex) -> Vec<usize> {
        let mut nets: Vec<usize> = match self.graph.action(node) {
            Some(_) => self.users.get(&node).cloned().unwrap_or_default(),
            None => {
                let actions = self.graph.dag.neighbors_directed(node, Direction::Outgoing);
                actions.flat_map(|action| self.users.get(&action).cloned().unwrap_or_default()).collect()
            }
        };
        nets.sort_unstable();
        nets.dedup();
        nets
    }

    fn resolve_action(&self, node: NodeIndex, states: &[State]) -> State {
        let inputs = self.graph.inputs(node);
        // A file that cannot be read fails the stage that reads it; what comes after a failed stage only waits.
        let is_file = |input: NodeIndex| self.graph.action(input).is_none();
        if let Some(message) = inputs.iter().find_map(|(_, input)| match &states[input.index()] {
            State::Failed(message) if is_file(*input) => Some(message.clone()),
            _ => None,
        }) {
            return State::Failed(message);
        }
        let preimage = match self.graph.preimage(node, |input| states[input.index()].digest()) {
            Ok(preimage) => preimage,
            Err(error) => return State::Failed(error.to_string()),
        };
        let Some(preimage) = preimage else {
            let waiting = inputs.iter().find(|(_, input)| states[input.index()].digest().is_none());
            let upstream = waiting.and_then(|(_, input)| self.graph.action(*input)).map_or("an input", |op| op.stage().name());
            return State::Stale { preimage: None, reason: Reason::about("upstream_stale", upstream) };
        };
        match self.find(node, &preimage) {
            Ok(result) => State::Settled(Box::new(Settled { preimage, result, ran: None })),
            Err(reason) => State::Stale { preimage: Some(preimage), reason },
        }
    }

    /// The recorded result of an action that need not run; else the reason why it has to.
    fn find(&self, node: NodeIndex, preimage: &Preimage) -> Result<ActionResult, Reason> {
        if self.options.force {
            return Err(Reason::of("forced"));
        }
        let Some(record) = self.workspace.cache.get_record(preimage.key()) else { return Err(self.reason(node, preimage)) };
        let stage = self.graph.action(node).map(|action| action.stage());
        let Workspace { cache, files, .. } = self.workspace;
        if record.result.stored {
            let was_there = cache.has_blob(record.result.output_digest);
            if !cache.verify_blob(record.result.output_digest, files) {
                return Err(Reason::of(if was_there { "blob_corrupt" } else { "blob_missing" }));
            }
        }
        if stage == Some(Stage::Write) {
            self.check_outputs(node, preimage, &record.result)?;
        }
        Ok(record.result)
    }

    /// Why an action without a record has to run: by the last build of the first net that uses it and had it.
    fn reason(&self, node: NodeIndex, preimage: &Preimage) -> Reason {
        let old = self.users.get(&node).into_iter().flatten().find_map(|net| self.last_preimage(*net, node));
        self.difference(node, old.as_ref(), preimage)
    }

    /// The reason of an action as the net of this index sees it: what is news to one net may be known to another that shares the action.
    fn reason_of(&self, index: usize, node: NodeIndex, preimage: &Preimage, reason: &Reason) -> Reason {
        let is_shared = self.users.get(&node).is_some_and(|users| users.len() > 1);
        let by_difference =
            ["never_built", "input_changed", "upstream_changed", "param_changed", "stage_version_changed", "record_missing"];
        if !is_shared || !by_difference.contains(&reason.kind.as_str()) {
            return reason.clone();
        }
        self.difference(node, self.last_preimage(index, node).as_ref(), preimage)
    }

    fn difference(&self, node: NodeIndex, old: Option<&Preimage>, preimage: &Preimage) -> Reason {
        let Some(old) = old else { return Reason::of("never_built") };
        if old == preimage {
            return Reason::of("record_missing");
        }
        let file = |name: &str| match Role::named(name).and_then(|role| self.graph.input(node, role)).map(|input| &self.graph.dag[input]) {
            Some(Node::File(file)) => Some(file.path.typed.clone()),
            _ => None,
        };
        compare(old, preimage, file).into_iter().next().unwrap_or_else(|| Reason::of("record_missing"))
    }

    /// The preimage that this stage of the net had in its last build.
    fn last_preimage(&self, net: usize, node: NodeIndex) -> Option<Preimage> {
        let position = stage_position(self.graph, &self.graph.nets[net], node)?;
        let stages = &self.last[net].as_ref()?.stages;
        stages.iter().filter(|stage| stage.stage == position.0).nth(position.1).map(|stage| stage.preimage.clone())
    }

    /// Whether all published files of a write action are there with the recorded content.
    fn check_outputs(&self, node: NodeIndex, preimage: &Preimage, result: &ActionResult) -> Result<(), Reason> {
        let expected = recorded_sha256(result);
        for output in self.writes.get(&node).into_iter().flatten() {
            let path = place(output, expected.as_ref());
            let shown = self.shown(output, &path);
            if !path.is_file() {
                return Err(Reason::about("output_missing", shown));
            }
            match self.workspace.files.sha256(&path) {
                Ok(found) if Some(found.digest) == expected => {}
                Ok(found) if self.is_of_last_build(node, &shown, &found.digest) => {
                    // Nobody touched the file: it is what was asked for last time.
                    return Err(self.reason(node, preimage));
                }
                Ok(found) => {
                    return Err(Reason {
                        kind: "output_modified".into(),
                        name: Some(shown),
                        old: expected.map(|sha256| sha256.short()),
                        new: Some(found.digest.short()),
                    });
                }
                Err(_) => return Err(Reason::about("output_missing", shown)),
            }
        }
        Ok(())
    }

    /// Whether the last build of a net published this file, from another preimage than it would now.
    fn is_of_last_build(&self, node: NodeIndex, shown: &str, found: &Sha256) -> bool {
        let nets = self.users.get(&node).into_iter().flatten();
        nets.filter_map(|net| self.last[*net].as_ref()).any(|last| {
            let is_this = |output: &OutputState| output.path == Path::new(shown) && output.sha256 == *found;
            last.outputs.iter().any(is_this)
        })
    }

    fn shown(&self, output: &Output, path: &Path) -> String {
        self.workspace.display(&output.path.value.typed, (output.kind == OutputKind::Folder).then_some(path))
    }

    /// Second pass: runs what is stale, each action once its inputs are settled.
    fn run_stale(&self, order: &[NodeIndex], states: Vec<State>) -> Result<Vec<State>> {
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
    fn work(&self, shared: &Shared, values: &Values) {
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
                        State::Stale { reason: first, .. } if first.kind != "upstream_stale" => first.clone(),
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

    /// The place for the result of the action of this key.
    fn twin(&self, key: Key) -> Twin {
        self.twins.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default().clone()
    }

    fn run_action(&self, node: NodeIndex, preimage: Preimage, reason: Reason, shared: &Shared, values: &Values) -> State {
        let stage = self.graph.action(node).map_or(Stage::Load, |action| action.stage());
        let run = || -> Result<Settled> {
            // Another node may be the same expensive action, such as that of a copy of the source: it is run once.
            let twin = stage.is_stored().then(|| self.twin(preimage.key()));
            let mut twin = twin.as_ref().map(|twin| twin.lock().unwrap_or_else(PoisonError::into_inner));
            if let Some(result) = twin.as_ref().and_then(|twin| twin.as_ref()).filter(|result| result.stored) {
                return Ok(Settled { preimage: preimage.clone(), result: result.clone(), ran: None });
            }
            // Another process may be at it: then its result is there once it is done.
            let _lock = if stage.is_stored() { Some(self.workspace.cache.lock_action(preimage.key())?) } else { None };
            if stage.is_stored()
                && !self.options.force
                && let Some(result) = self.workspace.stored_result(&preimage)
            {
                return Ok(Settled { preimage: preimage.clone(), result, ran: None });
            }
            let digest = |input: NodeIndex| shared.lock().states[input.index()].digest();
            let accept = |output: &Output, sha256: &Sha256, content: &Path| self.accept(node, output, sha256, content);
            let runner = Runner { workspace: self.workspace, graph: self.graph, values, ctx: self.ctx, digest: &digest, accept: &accept };
            if stage.is_stored()
                && let Some(result) = runner.remote_result(node, &preimage)?
            {
                return Ok(Settled { preimage: preimage.clone(), result, ran: None });
            }
            let start = Instant::now();
            let outputs = self.writes.get(&node).map_or(&[][..], Vec::as_slice);
            let Ran { digest, bytes, stored, extra, value } = runner.run(node, outputs)?;
            let seconds = start.elapsed().as_secs_f64();
            if let Some(value) = &value {
                values.put(node, value);
            }
            let result = ActionResult {
                stage: stage.name().to_owned(),
                output_digest: digest,
                stored,
                bytes,
                duration_s: seconds,
                created_by: env!("CARGO_PKG_VERSION").to_owned(),
                extra,
            };
            if let Some(twin) = &mut twin {
                **twin = Some(result.clone());
            }
            let record = ActionRecord { preimage: preimage.clone(), result: result.clone() };
            self.workspace.cache.put_record(&record);
            if stage.is_stored()
                && let Some(remote) = &self.workspace.remote
            {
                remote.upload(&record);
            }
            Ok(Settled { preimage: preimage.clone(), result, ran: Some((seconds, reason.clone())) })
        };
        // A panic must not leave the other workers waiting for this one.
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
        match caught.unwrap_or_else(|_| Err(Error::new(format!("{} panicked: this is a bug in nnue, please report it", stage.name())))) {
            Ok(settled) => State::Settled(Box::new(settled)),
            Err(error) => {
                let error = self.located(node, error);
                if !matches!(error.kind(), Kind::Interrupted | Kind::Difference) {
                    for net in self.nets_after(node) {
                        (self.on_error)(&self.graph.nets[net].name, &error);
                    }
                }
                State::Failed(error.to_string())
            }
        }
    }

    /// Whether a write action may give `content`, a complete file with this digest, the name of `output`.
    fn accept(&self, node: NodeIndex, output: &Output, sha256: &Sha256, content: &Path) -> Result<()> {
        self.accept_locked(node, sha256)?;
        self.accept_for_publication(node, output, sha256, content)
    }

    /// Whether the lock has a result with this digest; what a locked build refuses is noted for its report.
    fn accept_locked(&self, node: NodeIndex, sha256: &Sha256) -> Result<()> {
        let Some(locked) = self.locked else { return Ok(()) };
        let mut lines = Vec::new();
        for net in self.users.get(&node).into_iter().flatten().filter_map(|net| self.graph.nets.get(*net)) {
            let outputs = net
                .outputs
                .iter()
                .filter(|(_, write)| *write == node)
                .map(|(output, _)| LockedFile { path: self.shown(output, &place(output, Some(sha256))), sha256: sha256.to_string() });
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
        Err(Error::with_kind(Kind::Difference, "the result is not the locked one"))
    }

    /// An error about a value of the manifest, with the place where the value stands.
    fn located(&self, node: NodeIndex, error: Error) -> Error {
        let manifest = self.workspace.manifest;
        let place = error.key().and_then(|key| {
            let name = &self.graph.nets.get(*self.users.get(&node)?.first()?)?.name;
            manifest.nets.iter().find(|net| net.name == *name)?.source.claims.place_of(key)
        });
        let (Some(span), Some((label, causes))) = (place, error.causes().split_first()) else { return error };
        let message = format!("{}: {label}", error.message());
        manifest.diagnostic(span, &message, label, &causes.join("; "), error.help_text().unwrap_or_default()).kind_is(error.kind())
    }

    /// Puts the states into words, and remembers finished builds.
    fn report(&self, states: &[State], released: &[Option<Released>]) -> Result<Report> {
        let of = |index: usize| released.get(index).and_then(Option::as_ref);
        let nets: Vec<NetReport> =
            self.graph.nets.iter().enumerate().map(|(index, net)| self.net_report(index, net, states, of(index))).collect();
        if !self.options.dry_run && !self.options.frozen {
            let finished = nets
                .iter()
                .zip(&self.graph.nets)
                .enumerate()
                .filter(|(_, (report, _))| matches!(report.status, NetStatus::Built | NetStatus::Fresh));
            let is_noted = self.workspace.cache.has_root(&self.workspace.absolute_manifest());
            let mut needs = Vec::new();
            for (index, (_, net)) in finished {
                let state = self.build_state(net, states, of(index))?;
                let is_new = self.last[index].as_ref() != Some(&state);
                if is_new && let Err(error) = self.workspace.log.save(&net.name, &state) {
                    // The files are published; only the next build's reasons will be poorer.
                    self.ctx.warn(format!("this build is not remembered: {error}"));
                    break;
                }
                if is_new || !is_noted {
                    needs.push((net.name.as_str(), state.stages.iter().map(StageState::key).collect()));
                }
            }
            self.workspace.note_root(&needs);
        }
        Ok(Report { schema: SCHEMA, nets })
    }

    fn net_report(&self, index: usize, net: &NetPlan, states: &[State], released: Option<&Released>) -> NetReport {
        let mut stages = Vec::with_capacity(net.actions.len());
        let mut error = None;
        for &node in &net.actions {
            let stage = self.graph.action(node).map_or(Stage::Load, |action| action.stage()).name();
            let mut report = StageReport { stage, status: StageStatus::Stale, seconds: None, key: None, digest: None, reason: None };
            match &states[node.index()] {
                State::Settled(settled) => {
                    let missing = released.and_then(|released| released.missing.iter().find(|(write, _, _)| *write == node));
                    report.key = Some(settled.preimage.key().to_string());
                    report.digest = Some(settled.result.output_digest.to_string());
                    report.status = match (&settled.ran, missing) {
                        (Some((seconds, reason)), _) => {
                            report.seconds = Some(*seconds);
                            report.reason = Some(self.reason_of(index, node, &settled.preimage, reason));
                            StageStatus::Ran
                        }
                        (None, Some((_, reason, seconds))) => {
                            report.reason = Some(reason.clone());
                            report.seconds = (!self.options.dry_run).then_some(*seconds);
                            if self.options.dry_run { StageStatus::Stale } else { StageStatus::Ran }
                        }
                        (None, None) if self.last_preimage(index, node).as_ref() == Some(&settled.preimage) => StageStatus::Fresh,
                        (None, None) => StageStatus::Cached,
                    };
                }
                State::Stale { preimage, reason } => {
                    report.key = preimage.as_ref().map(|preimage| preimage.key().to_string());
                    report.reason = Some(preimage.as_ref().map_or_else(|| reason.clone(), |new| self.reason_of(index, node, new, reason)));
                }
                State::Failed(message) => {
                    report.status = StageStatus::Failed;
                    error.get_or_insert_with(|| message.clone());
                }
                State::Open | State::File(_) => {}
            }
            if let Some((_, message)) = released.and_then(|released| released.failed.as_ref()).filter(|(write, _)| *write == node) {
                report.status = StageStatus::Failed;
                error.get_or_insert_with(|| message.clone());
            }
            stages.push(report);
        }
        let any = |status: StageStatus| stages.iter().any(|stage| stage.status == status);
        let status = if error.is_some() {
            NetStatus::Failed
        } else if any(StageStatus::Stale) {
            NetStatus::Stale
        } else if any(StageStatus::Ran) || (any(StageStatus::Cached) && !self.options.dry_run) {
            NetStatus::Built
        } else {
            NetStatus::Fresh
        };
        let zero_blocks = net.search.and_then(|search| match &states[search.index()] {
            State::Settled(settled) => zero_blocks(&settled.result),
            _ => None,
        });
        NetReport { net: net.name.clone(), status, outputs: self.outputs(net, states), zero_blocks, stages, error }
    }

    /// All files that were looked at to find every net fresh, as they were then; `None` where one was not the same all the time.
    fn rests_on(&self, states: &[State]) -> Option<Vec<Signed>> {
        let Workspace { files, cache, .. } = self.workspace;
        let mut rests_on = Vec::with_capacity(states.len() * 2);
        for (node, state) in self.graph.dag.node_indices().zip(states) {
            match (&self.graph.dag[node], state) {
                (Node::File(file), _) => {
                    let path = &file.path.resolved;
                    rests_on.push((Witnessed::Path(path.clone()), files.answered(path)?));
                }
                (Node::Action(_), State::Settled(settled)) => {
                    let key = settled.preimage.key();
                    rests_on.push((Witnessed::Record(key), cache.record_signature(key)?));
                    if settled.result.stored {
                        let digest = settled.result.output_digest;
                        rests_on.push((Witnessed::Blob(digest), cache.blob_signature(digest, files)?));
                    }
                    let sha256 = recorded_sha256(&settled.result);
                    for output in self.writes.get(&node).into_iter().flatten() {
                        let path = place(output, sha256.as_ref());
                        let signature = files.answered(&path)?;
                        rests_on.push((Witnessed::Path(path), signature));
                    }
                }
                (Node::Action(_), _) => {}
            }
        }
        for net in self.graph.nets.iter().filter(|net| net.release.as_ref().is_some_and(|net| net.release.provenance.value)) {
            for (output, write) in &net.outputs {
                let State::Settled(settled) = &states[write.index()] else { continue };
                let path = provenance_path(&place(output, recorded_sha256(&settled.result).as_ref()));
                let signature = Signature::of(&path.metadata().ok()?);
                rests_on.push((Witnessed::Path(path), signature));
            }
        }
        Some(rests_on)
    }

    fn outputs(&self, net: &NetPlan, states: &[State]) -> Vec<OutputReport> {
        let known = net.outputs.iter().filter_map(|(output, write)| match &states[write.index()] {
            State::Settled(settled) => {
                let sha256 = recorded_sha256(&settled.result)?;
                let path = self.shown(output, &place(output, Some(&sha256)));
                let has_provenance = net.release.as_ref().is_some_and(|net| net.release.provenance.value);
                let provenance = has_provenance.then(|| format!("{path}{PROVENANCE_SUFFIX}"));
                Some(OutputReport { path, sha256: sha256.to_string(), bytes: settled.result.bytes, provenance })
            }
            _ => None,
        });
        known.collect()
    }

    fn build_state(&self, net: &NetPlan, states: &[State], released: Option<&Released>) -> Result<BuildState> {
        let settled = |node: &NodeIndex| match &states[node.index()] {
            State::Settled(settled) => Ok(settled),
            _ => Err(Error::new("a finished net has an unsettled stage: this is a bug in nnue, please report it")),
        };
        let mut stages = Vec::with_capacity(net.actions.len());
        for node in &net.actions {
            let settled = settled(node)?;
            let stage = settled.result.stage.clone();
            stages.push(StageState { stage, preimage: settled.preimage.clone(), output_digest: settled.result.output_digest });
        }
        let mut outputs = Vec::with_capacity(net.outputs.len());
        for (index, (output, write)) in net.outputs.iter().enumerate() {
            let result = &settled(write)?.result;
            let Some(sha256) = recorded_sha256(result) else { continue };
            let path = PathBuf::from(self.shown(output, &place(output, Some(&sha256))));
            let is_checked = net.release.as_ref().is_some_and(|net| release::is_checked(net, output));
            let checked = is_checked.then(|| fishtest::RULES.to_owned());
            let provenance = released.and_then(|released| released.provenance.get(index).copied().flatten());
            outputs.push(OutputState { path, sha256, bytes: result.bytes, signature: None, checked, provenance });
        }
        Ok(BuildState { net: net.name.clone(), tool_version: env!("CARGO_PKG_VERSION").to_owned(), stages, outputs })
    }
}

/// What the workers share.
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

struct Queue {
    states: Vec<State>,
    /// Unsettled inputs of each open action.
    waiting: HashMap<NodeIndex, usize>,
    ready: VecDeque<NodeIndex>,
    /// Open actions.
    left: usize,
    stop: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The stage's name and its number among the net's stages of that name (a net may have several write stages).
fn stage_position(graph: &Graph, net: &NetPlan, node: NodeIndex) -> Option<(&'static str, usize)> {
    let name = |node: NodeIndex| graph.action(node).map(|action| action.stage().name());
    let wanted = name(node)?;
    let same: Vec<NodeIndex> = net.actions.iter().copied().filter(|other| name(*other) == Some(wanted)).collect();
    same.iter().position(|other| *other == node).map(|position| (wanted, position))
}

fn recorded_sha256(result: &ActionResult) -> Option<Sha256> {
    result.extra["sha256"].as_str()?.parse().ok()
}

/// Where an output's file is.
fn place(output: &Output, sha256: Option<&Sha256>) -> PathBuf {
    let path = &output.path.value.resolved;
    match (output.kind, sha256) {
        (OutputKind::Folder, Some(sha256)) => path.join(super::run::net_name(sha256)),
        _ => path.clone(),
    }
}

fn zero_blocks(result: &ActionResult) -> Option<ZeroBlocksReport> {
    let ShareReport { positions, before, after, mean_nonzero } = share(&result.extra["train"])?;
    Some(ZeroBlocksReport { positions, before, after, mean_nonzero, held_out: share(&result.extra["held_out"]) })
}

/// Shares from recorded counts.
fn share(counts: &serde_json::Value) -> Option<ShareReport> {
    let number = |name: &str| counts[name].as_u64();
    let (positions, blocks) = (number("positions")?, number("blocks").filter(|blocks| *blocks > 0)?);
    let (before, after) = (number("zero_before")?, number("zero_after")?);
    let share = |zero: u64| zero as f64 / blocks as f64;
    let mean_nonzero = blocks.saturating_sub(after) as f64 / positions as f64;
    Some(ShareReport { positions, before: share(before), after: share(after), mean_nonzero })
}
