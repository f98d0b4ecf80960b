//! One build: its parts in their order (resolve, run, release, report), and what all of them look up.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use petgraph::Direction;
use petgraph::graph::NodeIndex;
use rayon::prelude::*;

use super::begun::Begun;
use super::lock::{self, Lock, LockedFile};
use super::release::{Pass as ReleasePass, Released};
use super::report::{NetReport, NetStatus, Report};
use super::state::State;
use super::trial::Trials;
use super::{Made, Options, Workspace};
use crate::cache::record::ActionResult;
use crate::cache::witness::Signed;
use crate::cache::{BuildState, Key, Preimage};
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::files::{Blake3, Sha256, folder_of};
use crate::manifest::{Output, OutputKind};
use crate::plan::{Graph, NetPlan};
use crate::stage::Written;

/// Builds, or only resolves. `provenance` are the provenance files of nets that are not in the graph, with these nets.
pub(super) fn execute(
    workspace: &Workspace<'_>,
    graph: &Graph,
    options: &Options,
    locked: Option<&Lock>,
    ctx: &Ctx,
    said: &Said<'_>,
    provenance: HashMap<PathBuf, String>,
) -> Result<Executed> {
    let order = graph.order()?;
    let build = Build::new(workspace, graph, options, locked, ctx, said);
    build.release_pass.lock().unwrap_or_else(PoisonError::into_inner).written = provenance;
    let mut states = build.resolve(&order);
    // A source that is missing is a failure like any other: without `keep_going` nothing runs after it.
    let stopped = !options.keep_going && states.iter().any(|state| matches!(state, State::Failed(_)));
    if !stopped {
        let is_stale = |net: &NetPlan| net.actions.iter().any(|node| matches!(states[node.index()], State::Stale { .. }));
        let stale = graph.nets.iter().enumerate().filter(|(_, net)| is_stale(net)).map(|(index, _)| index);
        (said.assume)(&stale.collect::<Vec<_>>());
    }
    if !options.dry_run && !stopped {
        if states.iter().any(|state| matches!(state, State::Stale { .. })) {
            build.note_begun();
        }
        let is_open = |net: &NetPlan| net.actions.iter().any(|node| !matches!(states[node.index()], State::Settled(_)));
        for (index, _) in graph.nets.iter().enumerate().filter(|(_, net)| !is_open(net)) {
            build.finish(index, &|node| states[node.index()].clone());
        }
        states = build.run_stale(states)?;
    }
    ctx.check()?;
    let refused = std::mem::take(&mut *build.refused.lock().unwrap_or_else(PoisonError::into_inner));
    if !refused.is_empty() {
        return Err(lock::difference(&format!("`{}` would change", lock::name_of(workspace.manifest)), &refused));
    }
    let released = build.release(&states);
    let report = build.report(&states, &released)?;
    let fresh = report.nets.iter().zip(&graph.nets).filter(|(net, _)| net.status == NetStatus::Fresh && !options.dry_run);
    let found = fresh.filter_map(|(net, plan)| Some((net.clone(), build.rests_on(plan, &states)?))).collect();
    let made = build.made(&states);
    Ok(Executed { report, digests: states.iter().map(State::digest).collect(), made, found })
}

/// Who is told what during a build.
pub(super) struct Said<'a> {
    /// Gets each error as it happens, with the net's name.
    pub(super) on_error: &'a (dyn Fn(&str, &Error) + Sync),
    /// Gets each net as soon as nothing is left to do for it but to lock it.
    pub(super) finished: &'a (dyn Fn(&NetReport) + Sync),
    /// Gets the nets of which something is stale, by their places in the graph, before anything runs.
    pub(super) assume: &'a dyn Fn(&[usize]),
}

/// What a build came to.
pub(super) struct Executed {
    pub(super) report: Report,
    /// Of each node, by its index: the content of files as they were built from, the results of settled actions.
    pub(super) digests: Vec<Option<Blake3>>,
    /// What other nets are made from.
    pub(super) made: Made,
    /// The nets that were found fresh, each with all files that were looked at, as they were.
    pub(super) found: Vec<(NetReport, Vec<Signed>)>,
}

pub(super) struct Build<'a> {
    pub(super) workspace: &'a Workspace<'a>,
    pub(super) graph: &'a Graph,
    pub(super) options: &'a Options,
    /// What must come out, where only that may be published.
    pub(super) locked: Option<&'a Lock>,
    /// What would have come out instead, a line each.
    pub(super) refused: Mutex<Vec<String>>,
    pub(super) ctx: &'a Ctx,
    pub(super) on_error: &'a (dyn Fn(&str, &Error) + Sync),
    pub(super) finished: &'a (dyn Fn(&NetReport) + Sync),
    /// What nets that were told of as finished needed besides their bytes.
    pub(super) released: Mutex<HashMap<usize, Option<Released>>>,
    /// What nets share when that is looked at.
    pub(super) release_pass: Mutex<ReleasePass>,
    pub(super) last: Vec<Option<BuildState>>,
    /// Outputs of each write action; nets do not share write actions.
    pub(super) writes: HashMap<NodeIndex, Vec<Output>>,
    /// The nets that use an action.
    pub(super) users: HashMap<NodeIndex, Vec<usize>>,
    /// Expensive actions that ran in this build, or run.
    pub(super) in_flight: Mutex<HashMap<Key, InFlight>>,
    /// What came of looking at files before they got their names.
    pub(super) trials: Trials,
    /// Whether a cluster was told how long stages took in earlier builds.
    pub(super) learned: AtomicBool,
    /// The note that this build has begun to write.
    begun: OnceLock<Option<Begun>>,
}

/// The result of an action, once it has one; locked while it runs.
pub(super) type InFlight = Arc<Mutex<Option<ActionResult>>>;

impl<'a> Build<'a> {
    pub(super) fn new(
        workspace: &'a Workspace<'a>,
        graph: &'a Graph,
        options: &'a Options,
        locked: Option<&'a Lock>,
        ctx: &'a Ctx,
        said: &Said<'a>,
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
        Self {
            workspace,
            graph,
            options,
            locked,
            refused: Mutex::default(),
            ctx,
            on_error: said.on_error,
            finished: said.finished,
            released: Mutex::default(),
            release_pass: Mutex::default(),
            last,
            writes,
            users,
            in_flight: Mutex::default(),
            trials: Trials::default(),
            learned: AtomicBool::new(false),
            begun: OnceLock::new(),
        }
    }

    /// Notes, before the first file is made, in which folders that will be. A frozen build leaves the state alone.
    pub(super) fn note_begun(&self) {
        if !self.options.frozen {
            let outputs = self.writes.values().flatten();
            let folders = outputs.map(|output| folder_of(&place(output, Some(&Written::new(Sha256([0; 32]))))).to_owned());
            self.begun.get_or_init(|| Begun::note(&self.workspace.state, &folders.collect()));
        }
    }

    /// The nets that an error of this node concerns: those that have it, or read the file. Of those that are made from them the report
    /// says so.
    pub(super) fn nets_of(&self, node: NodeIndex) -> Vec<usize> {
        let readers = self.graph.dag.neighbors_directed(node, Direction::Outgoing);
        let own: Vec<NodeIndex> = if self.graph.action(node).is_some() { vec![node] } else { readers.collect() };
        let nets: BTreeSet<usize> = own.iter().flat_map(|node| self.users.get(node).into_iter().flatten().copied()).collect();
        nets.into_iter().collect()
    }

    /// The preimage that this stage of the net had in its last build.
    pub(super) fn last_preimage(&self, net: usize, node: NodeIndex) -> Option<Preimage> {
        let position = stage_position(self.graph, &self.graph.nets[net], node)?;
        let stages = &self.last[net].as_ref()?.stages;
        stages.iter().filter(|stage| stage.stage == position.0).nth(position.1).map(|stage| stage.preimage.clone())
    }

    /// The first file of each settled write action.
    fn made(&self, states: &[State]) -> Made {
        let file = |(write, outputs): (&NodeIndex, &Vec<Output>)| {
            let written = recorded(&states[write.index()].settled()?.result)?;
            let output = outputs.first()?;
            let path = self.shown(output, &place(output, Some(&written)));
            Some((*write, LockedFile { path, sha256: written.sha256.to_string() }))
        };
        self.writes.iter().filter_map(file).collect()
    }

    pub(super) fn shown(&self, output: &Output, path: &Path) -> String {
        self.workspace.display(&output.path.value.typed, (output.kind == OutputKind::Folder).then_some(path))
    }
}

/// The stage's name and its number among the net's stages of that name (a net may have several write stages).
fn stage_position(graph: &Graph, net: &NetPlan, node: NodeIndex) -> Option<(&'static str, usize)> {
    let name = |node: NodeIndex| graph.action(node).map(|action| action.stage().name());
    let wanted = name(node)?;
    let same: Vec<NodeIndex> = net.actions.iter().copied().filter(|other| name(*other) == Some(wanted)).collect();
    same.iter().position(|other| *other == node).map(|position| (wanted, position))
}

/// What a write action gave.
pub(super) fn recorded(result: &ActionResult) -> Option<Written> {
    result.outcome()?.written().copied()
}

/// Where an output's file is.
pub(super) fn place(output: &Output, written: Option<&Written>) -> PathBuf {
    let path = &output.path.value.resolved;
    match (output.kind, written) {
        (OutputKind::Folder, Some(written)) => path.join(written.name()),
        _ => path.clone(),
    }
}
