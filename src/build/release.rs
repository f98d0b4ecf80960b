//! What the outputs of a finished net need besides their bytes: the check of the place of publication, and the provenance file.
//!
//! Both follow from what is known once a net's stages are settled, so they are looked at on every build, also where nothing ran. The
//! report says what they lacked in the write stage, which publishes.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::time::Instant;

use petgraph::graph::NodeIndex;

use super::execute::{Build, place, recorded};
use super::report::NetStatus;
use super::state::{Settled, State};
use crate::build::provenance::{self, Facts};
use crate::cache::OutputState;
use crate::error::{Error, Kind, Result};
use crate::family::publication;
use crate::files::{OwnPath, Sha256};
use crate::manifest::{Output, OutputKind, PROVENANCE_SUFFIX, Publish, ResolvedNet, provenance_path};
use crate::plan::{Change, NetPlan, Node, Reason};
use crate::stage::Written;

/// What was found and done for one net.
#[derive(Default)]
pub(super) struct Released {
    /// Write actions whose outputs were missing something, the first reason of each, and the seconds that it took to make up for it.
    pub(super) missing: Vec<(NodeIndex, Reason, f64)>,
    /// The write action whose output cannot be published, and why.
    pub(super) failed: Option<(NodeIndex, String)>,
    /// SHA-256 of the provenance file of each output that has one, in the outputs' order.
    pub(super) provenance: Vec<Option<Sha256>>,
}

impl Build<'_> {
    /// Makes up for what the outputs of settled nets are missing, or only finds out (dry run). `None` for nets that need nothing.
    pub(super) fn release(&self, states: &[State]) -> Vec<Option<Released>> {
        let mut known = std::mem::take(&mut *self.released.lock().unwrap_or_else(PoisonError::into_inner));
        let one = |index| known.remove(&index).unwrap_or_else(|| self.release_one(index, &|node| &states[node.index()]));
        let all: Vec<Option<Released>> = (0..self.graph.nets.len()).map(one).collect();
        let did_write = |released: &Released| !self.options.dry_run && !released.missing.is_empty();
        if all.iter().flatten().any(did_write) {
            // Where nothing ran, nothing swept the folders yet.
            let pass = self.release_pass.lock().unwrap_or_else(PoisonError::into_inner);
            let folders = pass.written.keys().filter_map(|path| path.parent().map(Path::to_owned));
            crate::build::sweep(&folders.collect());
        }
        all
    }

    /// The same for one net.
    fn release_one(&self, index: usize, states: &Known<'_>) -> Option<Released> {
        let plan = &self.graph.nets[index];
        let is_settled = || plan.actions.iter().all(|node| matches!(states(*node), State::Settled(_)));
        let net = plan.release.as_deref().filter(|_| is_settled())?;
        let mut released = Released::default();
        let this = Net { index, plan, net, states };
        let mut pass = self.release_pass.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err((write, error)) = self.release_net(&this, &mut pass, &mut released) {
            // An interruption ends the build, and is no net's fault.
            if error.kind() != Kind::Interrupted {
                (self.on_error)(&plan.name, &error);
            }
            released.failed = Some((write, error.to_string()));
        }
        Some(released)
    }

    /// Does what is left to be done for a net whose actions are all settled, and tells of it; one that fails in this is told of with the
    /// rest, at the end. Whether anything of a locked build counts is known only then.
    pub(super) fn finish(&self, index: usize, state: &dyn Fn(NodeIndex) -> State) {
        if self.locked.is_some() {
            return;
        }
        let plan = &self.graph.nets[index];
        let inputs = plan.actions.iter().flat_map(|action| self.graph.inputs(*action)).map(|(_, input)| input);
        let nodes: BTreeSet<NodeIndex> = plan.actions.iter().copied().chain(inputs).collect();
        let known: HashMap<NodeIndex, State> = nodes.into_iter().map(|node| (node, state(node))).collect();
        let states = |node: NodeIndex| known.get(&node).unwrap_or(&State::Open);
        let released = self.release_one(index, &states);
        let report = self.net_report(index, plan, &states, released.as_ref());
        self.released.lock().unwrap_or_else(PoisonError::into_inner).insert(index, released);
        let is_of_its_inputs = || self.workspace.check_inputs(self.graph, plan, &|node| states(node).digest()).is_ok();
        if report.status == NetStatus::Fresh || report.status == NetStatus::Built && is_of_its_inputs() {
            (self.finished)(&report);
        }
    }

    fn release_net(&self, this: &Net<'_, '_>, pass: &mut Pass, released: &mut Released) -> Result<(), (NodeIndex, Error)> {
        // A locked build publishes only what is locked; the difference is reported with the lock.
        let writes = !self.options.dry_run && self.is_locked(this);
        released.provenance = vec![None; this.plan.outputs.len()];
        for ((output, write), known) in this.plan.outputs.iter().zip(&mut released.provenance) {
            let Some((settled, written)) = this.settled(*write).and_then(|settled| Some((settled, recorded(&settled.result)?))) else {
                continue;
            };
            let path = place(output, Some(&written));
            let shown = self.shown(output, &path);
            let start = Instant::now();
            let mut reason = None;
            self.accept_sums(*write, output, &|action| (this.states)(action).clone()).map_err(|error| (*write, error))?;
            // What was written just now was checked before it got its name.
            if let Some(at) = published_at(this.net, output)
                && settled.ran.is_none()
                && !self.was_checked(this.index, &shown, &written.sha256, at)
            {
                if writes {
                    let license = this.net.release.license.as_ref().map(|license| license.value.as_str());
                    publication(at).check(&shown, &path, license, self.ctx).map_err(|error| (*write, error))?;
                }
                reason = Some(Reason::Unchecked(shown.clone()));
            }
            if this.net.release.provenance.value {
                let provenance = self.provenance(this, output, *write, &written, pass, writes).map_err(|error| (*write, error))?;
                *known = Some(provenance.sha256);
                reason = reason.or(provenance.reason);
            }
            if let Some(reason) = reason
                && !released.missing.iter().any(|(node, _, _)| node == write)
            {
                released.missing.push((*write, reason, start.elapsed().as_secs_f64()));
            }
        }
        Ok(())
    }

    /// Brings the provenance file of one output up to date.
    fn provenance(
        &self,
        this: &Net<'_, '_>,
        output: &Output,
        write: NodeIndex,
        written: &Written,
        pass: &mut Pass,
        writes: bool,
    ) -> Result<Provenance> {
        let published = place(output, Some(written));
        let path = provenance_path(&published);
        let shown = format!("{}{PROVENANCE_SUFFIX}", self.shown(output, &published));
        if let Some(other) = pass.written.insert(path.clone(), this.plan.name.clone()) {
            // In the manifest's order, whichever came first.
            let place = |name: &String| self.workspace.manifest.nets.iter().position(|net| net.name == *name);
            let (mut first, mut second) = (&other, &this.plan.name);
            if place(first) > place(second) {
                (first, second) = (second, first);
            }
            return Err(Error::new(format!("nets `{first}` and `{second}` publish the same file, and both write `{shown}`"))
                .because("their bytes are equal, and a provenance file describes one net only")
                .help("give each net a folder of its own, or remove one of them"));
        }
        let settled = |node: NodeIndex| this.settled(node).map(|settled| (settled.preimage.key(), &settled.result));
        let manifest = self.workspace.manifest;
        let facts = Facts {
            manifest,
            manifest_sha256: *pass.manifest.get_or_insert_with(|| Sha256::of(manifest.text().as_bytes())),
            graph: self.graph,
            plan: this.plan,
            net: this.net,
            settled: &settled,
            sha256: &|node| self.sha256_of(node, this.states, &pass.files),
            made: &|write| {
                let written = recorded(&this.settled(write)?.result)?;
                let output = self.writes.get(&write)?.first()?;
                Some((self.shown(output, &place(output, Some(&written))), written.sha256))
            },
        };
        let name = published.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        let text = facts.statement(&name, &written.sha256, write)?;
        let digest = Sha256::of(text.as_bytes());
        let reason = match provenance::read(&path) {
            Ok(found) if found == text.as_bytes() => None,
            Ok(found) => Some(self.why_other(this.index, &self.shown(output, &published), &shown, &found, &text)),
            Err(_) => Some(Reason::OutputMissing(shown)),
        };
        if writes && reason.is_some() {
            self.note_begun();
            OwnPath::from(&path).write_if_different(text.as_bytes())?;
        }
        Ok(Provenance { sha256: digest, reason })
    }

    /// Why a provenance file differs from what would be written now: somebody edited it, or what it describes changed.
    fn why_other(&self, net: usize, output: &str, shown: &str, found: &[u8], expected: &str) -> Reason {
        let digest = Sha256::of(found);
        let is_ours = self.last_output(net, output).is_some_and(|last| last.provenance == Some(digest));
        let change = std::str::from_utf8(found).ok().filter(|_| is_ours).and_then(|found| provenance::change(found, expected));
        change.unwrap_or_else(|| {
            Reason::OutputModified(Change {
                name: shown.to_owned(),
                old: Some(Sha256::of(expected.as_bytes()).short()),
                new: Some(digest.short()),
            })
        })
    }

    /// SHA-256 of an input that has not changed since it was built from.
    fn sha256_of(&self, node: NodeIndex, states: &Known<'_>, known: &RefCell<HashMap<NodeIndex, Sha256>>) -> Result<Sha256> {
        if let Some(sha256) = known.borrow().get(&node) {
            return Ok(*sha256);
        }
        let Node::File(file) = &self.graph.dag[node] else { return Err(Error::new("an action is not a file")) };
        let digests = self.workspace.files.digests(&file.path.resolved)?;
        if states(node).digest() == Some(digests.blake3) {
            known.borrow_mut().insert(node, digests.sha256);
            return Ok(digests.sha256);
        }
        Err(Error::new(format!("`{}` changed during the build", file.path.typed))
            .because("the net was made from its earlier content")
            .help("wait until nothing writes to it, then run the same command again"))
    }

    /// Whether these very bytes passed the check of that place in an earlier build.
    fn was_checked(&self, net: usize, shown: &str, sha256: &Sha256, at: Publish) -> bool {
        let last = self.last_output(net, shown);
        last.is_some_and(|last| last.sha256 == *sha256 && last.checked.as_deref() == Some(publication(at).rules()))
    }

    /// What is known of an output from the last build.
    fn last_output(&self, net: usize, shown: &str) -> Option<&OutputState> {
        self.last.get(net)?.as_ref()?.outputs.iter().find(|output| output.path == Path::new(shown))
    }

    /// Whether what would be published is locked, where it has to be.
    fn is_locked(&self, this: &Net<'_, '_>) -> bool {
        let Some(locked) = self.locked else { return true };
        let outputs = self.outputs(this.plan, this.states);
        let known = locked.nets.get(&this.plan.name).map_or(&[][..], |net| &net.outputs);
        outputs.iter().all(|output| known.iter().any(|known| known.path == output.path && known.sha256 == output.sha256))
    }

    /// Whether what is known of the stages that made an output keeps it from being published: sums that overflow in real positions.
    pub(super) fn accept_sums(&self, write: NodeIndex, output: &Output, state: &dyn Fn(NodeIndex) -> State) -> Result<()> {
        for plan in self.users.get(&write).into_iter().flatten().filter_map(|net| self.graph.nets.get(*net)) {
            let is_published =
                plan.release.as_deref().is_some_and(|net| published_at(net, output).is_some() && net.outputs.contains(output));
            if !is_published {
                continue;
            }
            let overflow = plan.actions.iter().find_map(|action| state(*action).settled()?.result.outcome()?.overflow().copied());
            if let Some(overflow) = overflow {
                return Err(Error::new(format!("net `{}` is not fit to be published: {overflow}", plan.name))
                    .because("engines wrap such sums around and compute something else than was trained")
                    .help("train with smaller weights, or remove `publish` to build it all the same"));
            }
        }
        Ok(())
    }

    /// Whether a file may get its public name, of which `content` holds the bytes.
    pub(super) fn accept_for_publication(&self, node: NodeIndex, output: &Output, written: &Written, content: &Path) -> Result<()> {
        for plan in self.users.get(&node).into_iter().flatten().filter_map(|net| self.graph.nets.get(*net)) {
            let Some(net) = plan.release.as_deref() else { continue };
            if let Some(at) = published_at(net, output)
                && net.outputs.contains(output)
            {
                let license = net.release.license.as_ref().map(|license| license.value.as_str());
                publication(at).check(&self.shown(output, &place(output, Some(written))), content, license, self.ctx)?;
            }
        }
        Ok(())
    }
}

/// A settled net.
struct Net<'a, 's> {
    index: usize,
    plan: &'a NetPlan,
    net: &'a ResolvedNet,
    states: &'a Known<'s>,
}

/// What is known of the nodes of a net.
pub(super) type Known<'a> = dyn Fn(NodeIndex) -> &'a State + 'a;

/// What the nets of one pass share.
#[derive(Default)]
pub(super) struct Pass {
    /// Provenance files, with the net that each is about.
    pub(super) written: HashMap<PathBuf, String>,
    /// SHA-256 of the manifest, once it was needed.
    manifest: Option<Sha256>,
    /// SHA-256 of the files that were needed so far.
    files: RefCell<HashMap<NodeIndex, Sha256>>,
}

impl<'s> Net<'_, 's> {
    fn settled(&self, node: NodeIndex) -> Option<&'s Settled> {
        (self.states)(node).settled()
    }
}

/// A provenance file as it has to be.
struct Provenance {
    sha256: Sha256,
    /// Why it was not so.
    reason: Option<Reason>,
}

/// The place of publication, where it has a say about this output.
pub(super) fn published_at(net: &ResolvedNet, output: &Output) -> Option<Publish> {
    let place = net.release.publish.as_ref().map(|publish| publish.value)?;
    match place {
        Publish::Fishtest => matches!(output.kind, OutputKind::Nnue | OutputKind::Folder).then_some(place),
    }
}
