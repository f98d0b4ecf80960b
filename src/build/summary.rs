//! The last pass of a build: puts the states into words, and remembers finished builds.

use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;

use super::Workspace;
use petgraph::graph::NodeIndex;

use super::execute::{Build, place, recorded};
use super::release::{self, Known, Released};
use super::report::{
    NetReport, NetStatus, OutputReport, RemoteReport, Report, SCHEMA, ShareReport, StageReport, StageStatus, ZeroBlocksReport,
};
use super::state::State;
use crate::cache::record::ActionResult;
use crate::cache::witness::Signed;
use crate::cache::{BuildState, OutputState, PublishedFile, StageState, Witnessed};
use crate::error::{Error, Result};
use crate::family::publication;
use crate::files::Signature;
use crate::manifest::{PROVENANCE_SUFFIX, provenance_path};
use crate::plan::{NetPlan, Node};
use crate::stage::{Action, Counts, Stage};

impl Build<'_> {
    /// Puts the states into words, and remembers finished builds.
    pub(super) fn report(&self, states: &[State], released: &[Option<Released>]) -> Result<Report> {
        let of = |index: usize| released.get(index).and_then(Option::as_ref);
        let states = &|node: NodeIndex| &states[node.index()];
        let mut nets: Vec<NetReport> =
            self.graph.nets.iter().enumerate().map(|(index, net)| self.net_report(index, net, states, of(index))).collect();
        fail_dependents(&mut nets, &self.graph.nets);
        if !self.options.dry_run && !self.options.frozen {
            let finished = nets
                .iter()
                .zip(&self.graph.nets)
                .enumerate()
                .filter(|(_, (report, _))| matches!(report.status, NetStatus::Built | NetStatus::Fresh));
            let is_noted = self.workspace.cache.has_root(&self.workspace.absolute_manifest());
            let (mut needs, mut published) = (Vec::new(), Vec::new());
            for (index, (_, net)) in finished {
                let state = self.build_state(net, states, of(index))?;
                let is_new = self.last[index].as_ref() != Some(&state);
                if is_new && let Err(error) = self.workspace.log.save(&net.name, &state) {
                    // The files are published; only the next build's reasons will be poorer.
                    self.ctx.warn(format!("cannot record this build: {error}"));
                    break;
                }
                if is_new {
                    // What was there before, too: it may be of a build that noted nothing.
                    let before = self.last[index].iter().flat_map(|state| &state.outputs);
                    published.extend(before.chain(&state.outputs).map(|output| PublishedFile {
                        path: output.path.clone(),
                        net: net.name.clone(),
                        sha256: output.sha256,
                        bytes: output.bytes,
                        provenance: output.provenance,
                    }));
                }
                if is_new || !is_noted {
                    needs.push((net.name.as_str(), state.stages.iter().map(StageState::key).collect()));
                }
            }
            self.workspace.note_published(published, self.ctx);
            self.workspace.note_root(&needs);
        }
        Ok(Report { schema: SCHEMA, nets })
    }

    pub(super) fn net_report(&self, index: usize, net: &NetPlan, states: &Known<'_>, released: Option<&Released>) -> NetReport {
        let mut stages = Vec::with_capacity(net.actions.len());
        let mut error = None;
        for &node in &net.actions {
            let stage = self.graph.action(node).map_or(Stage::Load, Action::stage);
            let mut report =
                StageReport { stage, status: StageStatus::Stale, seconds: None, key: None, digest: None, reason: None, remote: None };
            match states(node) {
                State::Settled(settled) => {
                    let missing = released.and_then(|released| released.missing.iter().find(|(write, _, _)| *write == node));
                    report.key = Some(settled.preimage.key().to_string());
                    report.digest = Some(settled.result.output_digest.to_string());
                    report.remote =
                        settled.elsewhere.as_ref().map(|there| RemoteReport { worker: there.worker.clone(), from_cache: there.from_cache });
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
                State::Failed(failure) => {
                    report.status = StageStatus::Failed;
                    error.get_or_insert_with(|| failure.to_string());
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
        let zero_blocks = net.search.and_then(|search| zero_blocks(&states(search).settled()?.result));
        let outcomes = || net.actions.iter().filter_map(|node| states(*node).settled()?.result.outcome());
        let largest_sum = outcomes().find_map(|outcome| outcome.permuted()?.largest_sum);
        let proof = outcomes().find_map(|outcome| outcome.proved().map(|proved| (**proved).clone()));
        let engine = outcomes().find_map(|outcome| outcome.played().map(|played| (**played).clone()));
        let outputs = self.outputs(net, states);
        NetReport { net: net.name.clone(), status, outputs, zero_blocks, largest_sum, proof, engine, stages, error }
    }

    /// All files that were looked at to find a net fresh, as they were then; `None` where one changed meanwhile.
    pub(super) fn rests_on(&self, net: &NetPlan, states: &[State]) -> Option<Vec<Signed>> {
        let Workspace { files, cache, .. } = self.workspace;
        let inputs = net.actions.iter().flat_map(|action| self.graph.inputs(*action)).map(|(_, input)| input);
        let is_own = |node: &NodeIndex| self.graph.action(*node).is_none() || net.actions.contains(node);
        let nodes: BTreeSet<NodeIndex> = inputs.chain(net.actions.iter().copied()).filter(is_own).collect();
        let mut rests_on = Vec::with_capacity(2 * nodes.len());
        for node in nodes {
            match (&self.graph.dag[node], &states[node.index()]) {
                (Node::File(file), _) => {
                    let path = &file.path.resolved;
                    rests_on.push((Witnessed::Path(path.clone()), files.stable_signature(path)?));
                }
                (Node::Action(_), State::Settled(settled)) => {
                    let key = settled.preimage.key();
                    rests_on.push((Witnessed::Record(key), cache.record_signature(key)?));
                    if settled.result.stored {
                        let digest = settled.result.output_digest;
                        rests_on.push((Witnessed::Blob(digest), cache.blob_signature(digest, files)?));
                    }
                    let written = recorded(&settled.result);
                    for output in self.writes.get(&node).into_iter().flatten() {
                        let path = place(output, written.as_ref());
                        let signature = files.stable_signature(&path)?;
                        rests_on.push((Witnessed::Path(path), signature));
                    }
                }
                (Node::Action(_), _) => {}
            }
        }
        if net.release.as_ref().is_some_and(|net| net.release.provenance.value) {
            for (output, write) in &net.outputs {
                let State::Settled(settled) = &states[write.index()] else { continue };
                let path = provenance_path(&place(output, recorded(&settled.result).as_ref()));
                let signature = Signature::of(&path.metadata().ok()?);
                rests_on.push((Witnessed::Path(path), signature));
            }
        }
        Some(rests_on)
    }

    pub(super) fn outputs(&self, net: &NetPlan, states: &Known<'_>) -> Vec<OutputReport> {
        let known = net.outputs.iter().filter_map(|(output, write)| {
            let settled = states(*write).settled()?;
            let written = recorded(&settled.result)?;
            let path = self.shown(output, &place(output, Some(&written)));
            let has_provenance = net.release.as_ref().is_some_and(|net| net.release.provenance.value);
            let provenance = has_provenance.then(|| format!("{path}{PROVENANCE_SUFFIX}"));
            Some(OutputReport { path, sha256: written.sha256.to_string(), bytes: settled.result.bytes, provenance })
        });
        known.collect()
    }

    pub(super) fn build_state(&self, net: &NetPlan, states: &Known<'_>, released: Option<&Released>) -> Result<BuildState> {
        let settled = |node: &NodeIndex| {
            let bug = "a finished net has an unsettled stage: this is a bug in nnue, please report it";
            states(*node).settled().ok_or_else(|| Error::new(bug))
        };
        let mut stages = Vec::with_capacity(net.actions.len());
        for node in &net.actions {
            let settled = settled(node)?;
            let stage = settled.result.stage_name().to_owned();
            stages.push(StageState { stage, preimage: settled.preimage.clone(), output_digest: settled.result.output_digest });
        }
        let mut outputs = Vec::with_capacity(net.outputs.len());
        for (index, (output, write)) in net.outputs.iter().enumerate() {
            let result = &settled(write)?.result;
            let Some(written) = recorded(result) else { continue };
            let path = PathBuf::from(self.shown(output, &place(output, Some(&written))));
            let at = net.release.as_ref().and_then(|net| release::published_at(net, output));
            let checked = at.map(|at| publication(at).rules().to_owned());
            let provenance = released.and_then(|released| released.provenance.get(index).copied().flatten());
            outputs.push(OutputState { path, sha256: written.sha256, bytes: result.bytes, signature: None, checked, provenance });
        }
        Ok(BuildState { net: net.name.clone(), tool_version: env!("CARGO_PKG_VERSION").to_owned(), stages, outputs })
    }
}

/// What is made from a net that failed cannot be brought up to date.
fn fail_dependents(nets: &mut [NetReport], plans: &[NetPlan]) {
    let mut failed: HashSet<String> = nets.iter().filter(|net| net.status == NetStatus::Failed).map(|net| net.net.clone()).collect();
    while !failed.is_empty() {
        let mut more = HashSet::new();
        for (net, plan) in nets.iter_mut().zip(plans).filter(|(net, _)| net.status == NetStatus::Stale) {
            if let Some(other) = plan.needs.iter().find(|name| failed.contains(*name)) {
                net.status = NetStatus::Failed;
                net.error = Some(format!("the net `{other}`, which it is made from, failed"));
                more.insert(net.net.clone());
            }
        }
        failed = more;
    }
}

fn zero_blocks(result: &ActionResult) -> Option<ZeroBlocksReport> {
    let found = result.outcome()?.searched()?;
    let ShareReport { positions, before, after, mean_nonzero } = share(&found.train)?;
    Some(ZeroBlocksReport { positions, before, after, mean_nonzero, held_out: found.held_out.as_ref().and_then(share) })
}

/// Shares from counts; `None` where nothing was counted.
fn share(counts: &Counts) -> Option<ShareReport> {
    let Counts { positions, blocks, zero_before, zero_after } = *counts;
    if blocks == 0 {
        return None;
    }
    let share = |zero: u64| zero as f64 / blocks as f64;
    let mean_nonzero = blocks.saturating_sub(zero_after) as f64 / positions as f64;
    Some(ShareReport { positions, before: share(zero_before), after: share(zero_after), mean_nonzero })
}
