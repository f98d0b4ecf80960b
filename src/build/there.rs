//! Actions that run on a cluster: what they need as files, whether they are better off there, and what becomes of their results here.
//!
//! What is believed of a result by itself is checked in [`crate::exec::remote`]; here is checked what only a build knows: that it fits the
//! network at hand.

use std::collections::{BTreeSet, HashMap};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use petgraph::Direction;
use petgraph::graph::NodeIndex;

use super::Workspace;
use super::execute::Build;
use super::perform::Turn;
use super::run::{NodeInputs, Runner, changed};
use super::schedule::Slot;
use super::state::{Elsewhere, Settled, States};
use crate::cache::record::{ActionResult, Said};
use crate::cache::remote::KEY_VARIABLE;
use crate::cache::remote::execute::{Blob, Execute, Failure, Input, Settings, Source, open};
use crate::cache::{ActionRecord, Preimage};
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::exec::remote::cost::{Here, Work};
use crate::exec::remote::{Cluster, ClusterTraffic, Job, Options as ClusterOptions, Ran, Tried, tool};
use crate::family::{self, Packed, Value};
use crate::files::{Blake3, Bytes};
use crate::manifest::{self, Manifest};
use crate::plan::{Node, preimage_of};
use crate::stage::{Action, Role, Stage, Stored};

/// Environment variable with the share of results of a cluster that are made again here and compared, from 0 to 1.
pub const RECHECK_VARIABLE: &str = "NNUE_REMOTE_RECHECK";

/// Which cluster a build may use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ClusterChoice {
    /// The manifest's, if it has one.
    #[default]
    OfManifest,
    /// None.
    Off,
    /// The one at this address; what else the manifest's `[remote]` says holds.
    At(String),
}

/// Where an action is to run.
pub(super) enum Place<'a> {
    /// It ran there.
    Ran(Box<Settled>),
    /// Here, which a cluster should know of.
    Here(Option<Here<'a>>),
    /// Here, since it was found there not to be so: [`Build::contradicted`] is told if it is.
    Disproved(Here<'a>, Failure),
}

/// What is asked of a worker.
struct Errand {
    /// Of [`Action::elsewhere`], on the inputs that travel.
    preimage: Preimage,
    inputs: Vec<Input>,
}

/// An action on its way to the cluster.
#[derive(Clone, Copy)]
struct Trip<'t> {
    cluster: &'t Cluster,
    runner: &'t Runner<'t>,
    node: NodeIndex,
    action: &'t Action,
    /// The net that it is for.
    net: &'t str,
    slot: &'t Slot<'t>,
    /// Seconds that one core takes for it.
    core_s: f64,
}

impl<'a> Workspace<'a> {
    /// As [`Self::open`], with `cluster` in place of the one that the manifest names: what else its `[remote]` says holds.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_with(manifest: &'a Manifest, options: &super::Options, cluster: Box<dyn Execute>, ctx: &Ctx) -> Result<Self> {
        let without = super::Options { cluster: ClusterChoice::Off, ..options.clone() };
        let mut workspace = Self::open(manifest, &without, ctx)?;
        workspace.cluster = Some(Cluster::new(cluster, cluster_options(manifest, options, "a cluster")?, ctx));
        Ok(workspace)
    }

    /// The cluster of the manifest, or the one that was named.
    pub(super) fn open_cluster(&self, options: &super::Options, ctx: &Ctx) -> Result<Option<Cluster>> {
        let table = self.manifest.cluster.as_ref();
        let (url, span) = match &options.cluster {
            ClusterChoice::Off => return Ok(None),
            ClusterChoice::At(url) => (url.clone(), None),
            ClusterChoice::OfManifest => match table.and_then(|table| table.url.as_ref()) {
                Some(url) => (url.value.clone(), Some(url.span)),
                None => return Ok(None),
            },
        };
        // What is to be relied on is computed here.
        if options.locked {
            return Ok(None);
        }
        let settings = Settings {
            url: url.clone(),
            cas: table.and_then(|table| table.cas.as_ref()).map(|cas| cas.value.clone()),
            instance: table.and_then(|table| table.instance.clone()),
            keepalive: table.and_then(|table| table.keepalive),
        };
        let opened =
            open(&settings, ctx).and_then(|execute| Ok(Cluster::new(execute, cluster_options(self.manifest, options, &url)?, ctx)));
        opened.map(Some).map_err(|error| match span {
            Some(span) => {
                let help = error.help_text().unwrap_or("use another cluster, or none: `--remote off`");
                self.manifest.diagnostic(span, error.message(), "asked for here", &error.causes().join(": "), help)
            }
            None => error,
        })
    }

    /// What a cluster had to do, where there is one.
    pub fn cluster_traffic(&self) -> Option<ClusterTraffic> {
        self.cluster.as_ref().map(Cluster::traffic)
    }
}

/// What the manifest, the command line and the environment want of a cluster.
fn cluster_options(manifest: &Manifest, options: &super::Options, url: &str) -> Result<ClusterOptions> {
    let table = manifest.cluster.clone().unwrap_or_default();
    let manifest::Cluster { properties, stages, jobs, timeout, queue_timeout, min_seconds, fallback, tool: named, .. } = table;
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
    Ok(ClusterOptions {
        url: url.to_owned(),
        stages,
        jobs,
        cores: options.jobs.map_or(cores, |jobs| jobs.min(cores)),
        min_seconds,
        properties,
        timeout,
        queue_timeout,
        fallback: options.cluster_fallback.unwrap_or(fallback),
        forgets: options.force,
        distrusts: std::env::var_os(KEY_VARIABLE).is_some_and(|secret| !secret.is_empty()),
        recheck: options.cluster_recheck.map_or_else(recheck, Ok)?,
        tool: tool(named.as_ref().map(|path| path.value.resolved.as_path()))?,
    })
}

fn recheck() -> Result<f64> {
    match std::env::var(RECHECK_VARIABLE) {
        Ok(text) if !text.is_empty() => text.trim().parse().ok().filter(|share| (0.0..=1.0).contains(share)).ok_or_else(|| {
            Error::usage(format!("`{RECHECK_VARIABLE}` is not a share of results")).help("write a number from 0 to 1, such as 0.01")
        }),
        Ok(_) | Err(std::env::VarError::NotPresent) => Ok(0.0),
        Err(std::env::VarError::NotUnicode(_)) => Err(Error::usage(format!("`{RECHECK_VARIABLE}` is not UTF-8"))),
    }
}

impl Build<'_> {
    /// How many actions may be away at a time.
    pub(super) fn most_away(&self, open: &[NodeIndex]) -> usize {
        let Some(cluster) = &self.workspace.cluster else { return 0 };
        let offered = open.iter().filter(|node| self.graph.action(**node).is_some_and(|action| cluster.offers(action)));
        offered.count().min(cluster.jobs())
    }

    /// Runs an action on the cluster, if there is one that has it done sooner.
    ///
    /// # Errors
    /// When the work was interrupted, an input changed, or nothing is to be done here in place of a cluster that failed.
    pub(super) fn run_there(&self, runner: &Runner<'_>, turn: Turn<'_>) -> Result<Place<'_>> {
        let Turn { node, preimage, reason, states, slot } = turn;
        let (Some(cluster), Some(action)) = (&self.workspace.cluster, self.graph.action(node)) else { return Ok(Place::Here(None)) };
        if !cluster.offers(action) {
            return Ok(Place::Here(None));
        }
        let network = runner.network_of(node)?;
        let stages = family::stages(action);
        self.learn_from_records(cluster, &network);
        let core_s = cluster.expected(action, stages.core_seconds(action, &network, self.matrix_bytes(node, &network, states)?)?);
        let here = || Ok(Place::Here(Some(cluster.here(action, core_s))));
        if !cluster.may_be_worth(core_s) {
            return here();
        }
        let tool = cluster.tool();
        cluster.program(|| {
            let digests = self.workspace.files.digests(tool)?;
            Ok((digests.sha256, digests.len))
        })?;
        // What cannot be packed fails here, in its own words.
        let Some(Errand { preimage: asked, inputs }) = runner.errand(cluster, node, &network)? else { return here() };
        let most = stages.most_bytes(action, &network)?;
        let stays = self.stays(cluster, node, &network, most)?;
        let Some(up) = slot.away(|| cluster.missing(&inputs, action.stage(), || self.shared(cluster)))? else { return here() };
        let Some(place) = cluster.admit(Work { core_s, up, down: if stays { 0 } else { most } }) else { return here() };

        let net = self.users.get(&node).and_then(|users| self.graph.nets.get(*users.first()?)).map_or("", |net| &net.name);
        let running = runner.ctx.running();
        let trip = Trip { cluster, runner, node, action, net, slot, core_s };
        let job = Job { preimage: &asked, stage: action.stage(), net, inputs, is_finding: action.is_finding(), again: false };
        let mut tried = slot.away(|| cluster.run(job, core_s, runner.ctx))?;
        if matches!(tried, Tried::Evicted) {
            tried = self.again_there(trip)?;
        }
        drop(place);
        let ran = match tried {
            Tried::Ran(ran) => ran,
            Tried::Disproved(failure) => return Ok(Place::Disproved(cluster.here(action, core_s), failure)),
            Tried::Here | Tried::Evicted => return here(),
        };
        let taken = self.take(trip, *ran, &network, !stays)?;
        drop((running, network));
        let Some((result, elsewhere)) = taken else { return here() };
        if cluster.rechecks(preimage) {
            self.recheck(runner, node, &result, &elsewhere)?;
        }
        let record = ActionRecord { preimage: preimage.clone(), result };
        self.workspace.cache.put_record(&record);
        if let Some(remote) = self.workspace.remote.as_ref().filter(|_| action.is_stored()) {
            remote.upload(&record);
        }
        let seconds = record.result.duration_s;
        let (preimage, result) = (record.preimage, record.result);
        Ok(Place::Ran(Box::new(Settled { preimage, result, ran: Some((seconds, reason.clone())), elsewhere: Some(elsewhere) })))
    }

    /// Says that what is so here was not so there.
    pub(super) fn contradicted(&self, node: NodeIndex, there: Failure) {
        if let (Some(cluster), Some(action)) = (&self.workspace.cluster, self.graph.action(node)) {
            cluster.contradicted(action.stage(), there);
        }
    }

    /// Once more, after the cluster lost what an earlier action left there: that one runs again first, whatever the cluster remembers.
    fn again_there(&self, trip: Trip<'_>) -> Result<Tried> {
        let Trip { cluster, runner, node, action, net, slot, core_s } = trip;
        let lost = || cluster.failed(action.stage(), Failure::Refused("it lost files that it had, again and again".to_owned()));
        let Some(before) = self.graph.input(node, Role::Matrix) else { return lost() };
        let (Some(made_by), Some(made)) = (self.graph.action(before), self.graph.preimage(before, runner.digest)?) else {
            return lost();
        };
        let Some(digest) = (runner.digest)(before).filter(|_| cluster.offers(made_by)) else { return lost() };
        let network = runner.network_of(before)?;
        // Another search over it may be at the same.
        let place = self.in_flight(made.key());
        let held = slot.away(|| place.lock().unwrap_or_else(PoisonError::into_inner));
        if !slot.away(|| cluster.has(digest)) {
            let Some(Errand { preimage, inputs }) = runner.errand(cluster, before, &network)? else { return lost() };
            let job = Job { preimage: &preimage, stage: made_by.stage(), net, inputs, is_finding: false, again: true };
            let made = slot.away(|| cluster.run(job, core_s, runner.ctx))?;
            // Whoever takes it for there meanwhile finds out as this one did, and waits for this one.
            if !matches!(&made, Tried::Ran(ran) if ran.record.result.output_digest == digest) {
                cluster.forget(digest);
                // Why was said where it is to be made here.
                return if matches!(made, Tried::Here) { Ok(Tried::Here) } else { lost() };
            }
        }
        drop(held);
        let Some(Errand { preimage, inputs }) = runner.errand(cluster, node, &network)? else { return lost() };
        let job = Job { preimage: &preimage, stage: action.stage(), net, inputs, is_finding: false, again: false };
        let tried = slot.away(|| cluster.run(job, core_s, runner.ctx))?;
        if matches!(tried, Tried::Evicted) { lost() } else { Ok(tried) }
    }

    /// Fetches a result, if it `is_wanted`, and checks that it fits.
    fn take(&self, trip: Trip<'_>, ran: Ran, network: &Value, is_wanted: bool) -> Result<Option<(ActionResult, Elsewhere)>> {
        let Trip { cluster, runner, node, action, slot, .. } = trip;
        let stage = action.stage();
        let stages = family::stages(action);
        let most = stages.most_bytes(action, network)?;
        if let Some(artifact) = ran.artifact.filter(|artifact| artifact.bytes > most) {
            let why = format!("its artifact has {} bytes, and no such result has more than {most}", artifact.bytes);
            cluster.reject(&ran, stage, &why)?;
            return Ok(None);
        }
        let mut stored = false;
        if let Some(artifact) = ran.artifact.filter(|_| is_wanted) {
            let digest = ran.record.result.output_digest;
            let fetched = slot.away(|| cluster.fetch(digest, artifact, most))?;
            let bytes = match fetched {
                Ok(bytes) => bytes,
                Err(failure) => {
                    cluster.failed(stage, failure)?;
                    return Ok(None);
                }
            };
            let value = stages.read_stored(action, &bytes).and_then(|value| stages.check_fits(action, &value, network).map(|()| value));
            match value {
                Ok(value) => {
                    stored = self.workspace.cache.put_bytes(&bytes).stored;
                    runner.values.put(node, &value);
                }
                Err(error) => {
                    cluster.reject(&ran, stage, &error.to_string())?;
                    return Ok(None);
                }
            }
        }
        let Ran { record, worker, from_cache, seconds, .. } = ran;
        let Said::Known(outcome) = record.result.said else {
            return Err(Error::new("a record says nothing of its stage: this is a bug in nnue, please report it"));
        };
        let outcome = stages.completed(action, outcome, &NodeInputs { runner, node }, runner.ctx)?;
        if let Some(overflow) = outcome.overflow() {
            runner.ctx.warn(overflow.warning());
        }
        // Who finds a result takes no time for it.
        let duration_s = if from_cache { 0.0 } else { seconds };
        let result = ActionResult { said: Said::Known(outcome), stored, duration_s, elsewhere: true, ..record.result };
        Ok(Some((result, Elsewhere { worker, from_cache })))
    }

    /// Makes a result again here, and compares.
    fn recheck(&self, runner: &Runner<'_>, node: NodeIndex, there: &ActionResult, elsewhere: &Elsewhere) -> Result<()> {
        let here = runner.run(node, &[])?;
        let is_same = here.digest == there.output_digest && Some(&here.outcome) == there.outcome();
        if is_same {
            return Ok(());
        }
        let worker = elsewhere.worker.as_deref().unwrap_or("a worker");
        Err(Error::new(format!("{} gave another result on {worker} than here", there.stage_name()))
            .because(format!("BLAKE3 {} there, {} here, from the same inputs", there.output_digest, here.digest))
            .help("do not trust that worker: `--remote off` builds without the cluster; what it gave before is in `.nnue/cache`, and `--force` makes all of it again"))
    }

    /// Whether a result is only read by actions that run there, too: it is large, and nobody here needs it.
    fn stays(&self, cluster: &Cluster, node: NodeIndex, network: &Value, most: u64) -> Result<bool> {
        if !matches!(self.graph.action(node).and_then(Action::stored), Some(Stored::Matrices(_))) {
            return Ok(false);
        }
        let mut users = self.graph.dag.neighbors_directed(node, Direction::Outgoing).filter_map(|user| self.graph.action(user)).peekable();
        if users.peek().is_none() {
            return Ok(false);
        }
        for user in users {
            let goes = cluster.offers(user)
                && cluster.may_be_worth(cluster.expected(user, family::stages(user).core_seconds(user, network, most)?));
            if !goes {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Files that several actions may need there: all positions. What cannot be read fails where it is needed.
    fn shared(&self, cluster: &Cluster) -> Vec<Blob> {
        let nodes = self.graph.dag.node_indices().filter(|node| self.graph.action(*node).is_some_and(|action| cluster.offers(action)));
        let inputs: BTreeSet<NodeIndex> = nodes
            .flat_map(|node| self.graph.inputs(node))
            .filter(|(role, _)| matches!(role, Role::Data(_)))
            .map(|(_, file)| file)
            .collect();
        let files = inputs.into_iter().filter_map(|input| match &self.graph.dag[input] {
            Node::File(file) => self.workspace.files.digests(&file.path.resolved).ok(),
            Node::Action(_) => None,
        });
        files.map(|digests| Blob { sha256: digests.sha256, bytes: digests.len }).collect()
    }

    /// Tells the cluster's model, once, how long stages took that ran here in earlier builds of these nets; `network` is one of theirs, whose
    /// size most have.
    fn learn_from_records(&self, cluster: &Cluster, network: &Value) {
        /// Records of each stage that are looked at.
        const ENOUGH: usize = 16;
        if self.learned.swap(true, Ordering::Relaxed) {
            return;
        }
        let mut seen: HashMap<Stage, usize> = HashMap::new();
        for last in self.last.iter().flatten() {
            // That of the net's gather, which stands before its search.
            let mut matrix = 0;
            for state in &last.stages {
                let Some(stage) = Stage::named(&state.stage) else { continue };
                let count = seen.entry(stage).or_default();
                if *count >= ENOUGH {
                    continue;
                }
                let action = state.preimage.to_value()["params"].as_object().and_then(|params| Action::like(stage, params));
                let (Some(action), Some(record)) = (action, self.workspace.cache.get_record(state.key())) else { continue };
                *count += 1;
                if stage == Stage::Gather {
                    matrix = record.result.bytes;
                }
                let reckoned_s = family::stages(&action).core_seconds(&action, network, matrix);
                if let (Ok(reckoned_s), false) = (reckoned_s, record.result.elsewhere) {
                    cluster.learn(&action, reckoned_s, record.result.duration_s);
                }
            }
        }
    }

    /// The size of the matrix that a search reads; 0 where it reads none.
    fn matrix_bytes(&self, node: NodeIndex, network: &Value, states: &States) -> Result<u64> {
        let Some(before) = self.graph.input(node, Role::Matrix) else { return Ok(0) };
        let known = states.get(before).settled().map(|settled| settled.result.bytes);
        match (known, self.graph.action(before)) {
            (Some(bytes), _) => Ok(bytes),
            (None, Some(action)) => family::stages(action).most_bytes(action, network),
            (None, None) => Ok(0),
        }
    }
}

impl Runner<'_> {
    /// What a worker is asked in place of an action, with the files that it gets; `None` where the network cannot travel.
    fn errand(&self, cluster: &Cluster, node: NodeIndex, network: &Value) -> Result<Option<Errand>> {
        let action = self.graph.action(node).ok_or_else(|| Error::new("a file is not an action"))?;
        let (mut files, mut named) = (Vec::new(), Vec::new());
        for (role, input) in self.graph.inputs(node).into_iter().filter(|(role, _)| role.travels()) {
            let path = format!("in/{role}");
            let mut digest = self.input_digest(node, role)?;
            files.push(match &self.graph.dag[input] {
                Node::File(file) => {
                    let digests = self.workspace.files.digests(&file.path.resolved)?;
                    if digests.blake3 != digest {
                        return Err(changed(file));
                    }
                    let blob = Blob { sha256: digests.sha256, bytes: digests.len };
                    Input { path, blob, source: Source::File(file.path.resolved.clone()), executable: false }
                }
                Node::Action(_) if role == Role::Network => {
                    let Some(Packed { bytes, digest: of_bytes }) = family::stages(action).packed(action, network) else { return Ok(None) };
                    digest = of_bytes.unwrap_or(digest);
                    Input::memory(&path, bytes)
                }
                Node::Action(_) if role == Role::Published => {
                    let file = (self.published)(input)
                        .ok_or_else(|| Error::new("no file was published: this is a bug in nnue, please report it"))?;
                    // Whoever gets it finds out whether it is the one.
                    Input::memory(&path, Bytes::map(&file)?)
                }
                Node::Action(_) => match cluster.known(digest) {
                    Some(blob) => Input { path, blob, source: Source::There, executable: false },
                    None => Input::memory(&path, self.artifact(node, role, input, digest)?),
                },
            });
            named.push((role, Some(digest)));
        }
        Ok(Some(Errand { preimage: preimage_of(&action.elsewhere(), named)?, inputs: files }))
    }

    /// The bytes of an input that is stored.
    fn artifact(&self, node: NodeIndex, role: Role, input: NodeIndex, digest: Blake3) -> Result<Artifact> {
        if self.workspace.cache.has_blob(digest)
            && let Some(bytes) = self.workspace.cache.get_blob(digest)
        {
            return Ok(Artifact::Blob(bytes));
        }
        let value = self.value(node, role)?;
        // Whoever asks last takes a value out of memory; this one only looked.
        self.values.put(input, &value);
        let mut bytes = Vec::new();
        value.write(&mut bytes)?;
        Ok(Artifact::Made(bytes))
    }

    /// A result that was left on the cluster.
    pub(super) fn value_there(&self, input: NodeIndex, digest: Blake3) -> Result<Option<Value>> {
        let (Some(cluster), Some(action)) = (&self.workspace.cluster, self.graph.action(input)) else { return Ok(None) };
        let Some(blob) = cluster.known(digest) else { return Ok(None) };
        // It was held against the most that it may have when it was made.
        let bytes = match cluster.fetch(digest, blob, blob.bytes)? {
            Ok(bytes) => bytes,
            Err(failure) => {
                // Its stage runs again here: that is said by whoever does it.
                cluster.say(failure);
                return Ok(None);
            }
        };
        let Ok(value) = family::stages(action).read_stored(action, &bytes) else { return Ok(None) };
        self.workspace.cache.put_bytes(&bytes);
        self.values.put(input, &value);
        Ok(Some(value))
    }
}

/// Bytes that are sent.
enum Artifact {
    Blob(Bytes),
    Made(Vec<u8>),
}

impl AsRef<[u8]> for Artifact {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Blob(bytes) => bytes,
            Self::Made(bytes) => bytes,
        }
    }
}
