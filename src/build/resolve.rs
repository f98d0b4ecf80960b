//! The first pass of a build: digests of files, keys, records. Says of each action whether its result is known, and if not, why.

use std::path::Path;
use std::sync::Arc;

use petgraph::Direction;
use petgraph::graph::NodeIndex;
use rayon::prelude::*;

use super::Workspace;
use super::execute::{Build, place, recorded};
use super::state::{Settled, State, States};
use crate::cache::record::ActionResult;
use crate::cache::{OutputState, Preimage};
use crate::error::{Error, Kind, Result};
use crate::files::{Blake3, Sha256};
use crate::format::autodiscover::AUTODISCOVER;
use crate::plan::{Change, FileNode, Node, Reason, compare};
use crate::stage::{Role, Stage};

impl Build<'_> {
    /// First pass: digests of files, keys, records.
    pub(super) fn resolve(&self, order: &[NodeIndex]) -> Vec<State> {
        let states = States::open(self.graph.dag.node_count());
        let files: Vec<NodeIndex> = order.iter().copied().filter(|node| self.graph.action(*node).is_none()).collect();
        files.into_par_iter().for_each(|node| states.set(node, self.resolve_file(node)));
        for level in self.graph.levels(order) {
            level.par_iter().with_min_len(16).for_each(|node| states.set(*node, self.resolve_action(*node, &states)));
        }
        let is_stored = |node: &&NodeIndex| self.graph.action(**node).is_some_and(|action| action.is_stored());
        for &node in order.iter().filter(is_stored) {
            if let Some(stale) = self.restale_unfetched(node, &states.get(node), &states) {
                states.set(node, stale);
            }
        }
        states.into_vec()
    }

    /// Makes a settled action stale where its result should be stored but is not, and a stale action will read it: a matrix that was
    /// left in the remote cache. Run as an action of its own it may differ from what the remote said, and the actions after it still get
    /// the right keys.
    pub(super) fn restale_unfetched(&self, node: NodeIndex, state: &State, states: &States) -> Option<State> {
        let State::Settled(settled) = state else { return None };
        if settled.ran.is_some() || settled.result.stored || !self.graph.action(node)?.is_stored() {
            return None;
        }
        let digest = |input: NodeIndex| if input == node { Some(settled.result.output_digest) } else { states.digest(input) };
        let will_read = |user: NodeIndex| {
            let preimage = self.graph.preimage(user, digest).ok().flatten();
            states.is_stale(user) && preimage.and_then(|preimage| self.workspace.stored_result(&preimage)).is_none()
        };
        let needed = self.graph.dag.neighbors_directed(node, Direction::Outgoing).any(will_read);
        needed.then(|| State::Stale { preimage: Some(settled.preimage.clone()), reason: Reason::BlobMissing })
    }

    pub(super) fn resolve_file(&self, node: NodeIndex) -> State {
        let Node::File(file) = &self.graph.dag[node] else { return State::Open };
        let path = &file.path.resolved;
        // Keys need the one digest, pins and `nnue.lock` the other: the file is read once for both. What merely looks needs no lock.
        let is_only_looked_at = self.options.dry_run && !self.options.locked && file.pin.is_none();
        let digest =
            if is_only_looked_at { self.workspace.files.blake3(path).map(|known| known.digest) } else { self.checked_digest(file) };
        match digest {
            Ok(digest) => State::File(digest),
            // An interrupted build reports nothing else.
            Err(error) if error.kind() == Kind::Interrupted => State::Failed(Arc::new(error)),
            Err(error) => {
                let error = if error.report().is_some() {
                    error
                } else if file.path.typed == AUTODISCOVER {
                    Error::new(format!("`{AUTODISCOVER}` finds no network: {}", self.workspace.manifest.line(file.span)))
                        .because("lc0 would find none beside it, in `networks` there, or in its folders of data")
                        .help("put a network of at least 500,000 bytes into one of these folders, or name its file")
                } else if self.graph.dag.edges(node).any(|edge| *edge.weight() == Role::Engine) {
                    Error::new(format!("there is no engine `{}`: {}", file.path.typed, self.workspace.manifest.line(file.span)))
                        .because(error)
                        .help(
                            "install it (on Debian `apt install stockfish`), or give the path of one, such as `./stockfish`; `engine = false` \
                             builds without",
                        )
                } else {
                    error.help(format!("it is named in {}", self.workspace.manifest.line(file.span)))
                };
                for net in self.nets_of(node) {
                    (self.on_error)(&self.graph.nets[net].name, &error);
                }
                State::Failed(Arc::new(error))
            }
        }
    }

    /// The digest of a file for keys, if it is the one that is pinned.
    fn checked_digest(&self, file: &FileNode) -> Result<Blake3> {
        let digests = self.workspace.files.digests(&file.path.resolved)?;
        let Some(pin) = &file.pin else { return Ok(digests.blake3) };
        let found = digests.sha256.to_string();
        if found == pin.value {
            return Ok(digests.blake3);
        }
        let error = self.workspace.manifest.diagnostic(
            pin.span,
            &format!("`{}` does not match its pin: its SHA-256 is {found}", file.path.typed),
            &format!("the file has {found}"),
            "its content changed since the pin was written, or it is another file",
            "restore the file, or correct `sha256`",
        );
        Err(error.kind_is(Kind::Failed))
    }

    pub(super) fn resolve_action(&self, node: NodeIndex, states: &States) -> State {
        let inputs = self.graph.inputs(node);
        // A file that cannot be read fails the stage that reads it; what comes after a failed stage only waits.
        let is_file = |input: NodeIndex| self.graph.action(input).is_none();
        if let Some(error) = inputs.iter().filter(|(_, input)| is_file(*input)).find_map(|(_, input)| states.failure(*input)) {
            return State::Failed(error);
        }
        // A net whose proof is missing, or failed, is nothing to make another one from.
        if let Some(proof) = self.graph.waits_for(node).find(|proof| states.digest(*proof).is_none()) {
            return State::Stale { preimage: None, reason: Reason::UpstreamStale(self.upstream(node, proof)) };
        }
        let preimage = match self.graph.preimage(node, |input| states.digest(input)) {
            Ok(preimage) => preimage,
            Err(error) => return State::Failed(Arc::new(error)),
        };
        let Some(preimage) = preimage else {
            let waiting = inputs.iter().find(|(_, input)| states.digest(*input).is_none());
            let upstream = waiting.map_or_else(|| "an input".to_owned(), |(_, input)| self.upstream(node, *input));
            return State::Stale { preimage: None, reason: Reason::UpstreamStale(upstream) };
        };
        match self.find(node, &preimage) {
            Ok(result) => State::Settled(Box::new(Settled { preimage, result, ran: None, elsewhere: None })),
            Err(reason) => State::Stale { preimage: Some(preimage), reason },
        }
    }

    /// What an action waits for: another stage of its net, or another net.
    fn upstream(&self, node: NodeIndex, input: NodeIndex) -> String {
        let net = self.users.get(&node).and_then(|users| self.graph.nets.get(*users.first()?));
        let other = net.and_then(|net| self.graph.net_behind(net, input));
        other.unwrap_or_else(|| self.graph.action(input).map_or("an input", |action| action.stage().name()).to_owned())
    }

    /// The recorded result of an action that need not run; else the reason why it has to.
    pub(super) fn find(&self, node: NodeIndex, preimage: &Preimage) -> Result<ActionResult, Reason> {
        if self.options.force {
            return Err(Reason::Forced);
        }
        let Some(record) = self.workspace.cache.get_record(preimage.key()) else { return Err(self.reason(node, preimage)) };
        // What another version of the program said is not understood: the stage runs again.
        if record.result.outcome().is_none() {
            return Err(Reason::RecordMissing);
        }
        let stage = self.graph.action(node).map(|action| action.stage());
        let Workspace { cache, files, .. } = self.workspace;
        if record.result.stored {
            let was_there = cache.has_blob(record.result.output_digest);
            if !cache.verify_blob(record.result.output_digest, files) {
                return Err(if was_there { Reason::BlobCorrupt } else { Reason::BlobMissing });
            }
        }
        if stage == Some(Stage::Write) {
            self.check_outputs(node, preimage, &record.result)?;
        }
        Ok(record.result)
    }

    /// Why an action without a record has to run: by the last build of the first net that uses it and had it.
    pub(super) fn reason(&self, node: NodeIndex, preimage: &Preimage) -> Reason {
        let old = self.users.get(&node).into_iter().flatten().find_map(|net| self.last_preimage(*net, node));
        self.difference(node, old.as_ref(), preimage)
    }

    /// The reason of an action as the net of this index sees it: what is news to one net may be known to another that shares the action.
    pub(super) fn reason_of(&self, index: usize, node: NodeIndex, preimage: &Preimage, reason: &Reason) -> Reason {
        let is_shared = self.users.get(&node).is_some_and(|users| users.len() > 1);
        if !is_shared || !reason.is_by_comparison() {
            return reason.clone();
        }
        self.difference(node, self.last_preimage(index, node).as_ref(), preimage)
    }

    pub(super) fn difference(&self, node: NodeIndex, old: Option<&Preimage>, preimage: &Preimage) -> Reason {
        let Some(old) = old else { return Reason::NeverBuilt };
        if old == preimage {
            return Reason::RecordMissing;
        }
        let file = |name: &str| match Role::named(name).and_then(|role| self.graph.input(node, role)).map(|input| &self.graph.dag[input]) {
            Some(Node::File(file)) => Some(file.path.typed.clone()),
            // What another net wrote is a file, too.
            Some(Node::Action(_)) if Role::named(name) == Some(Role::Source) => {
                self.graph.input(node, Role::Source).map(|write| self.upstream(node, write))
            }
            _ => None,
        };
        compare(old, preimage, file).into_iter().next().unwrap_or(Reason::RecordMissing)
    }

    /// Whether all published files of a write action are there with the recorded content.
    pub(super) fn check_outputs(&self, node: NodeIndex, preimage: &Preimage, result: &ActionResult) -> Result<(), Reason> {
        let written = recorded(result);
        let expected = written.map(|written| written.sha256);
        for output in self.writes.get(&node).into_iter().flatten() {
            let path = place(output, written.as_ref());
            let shown = self.shown(output, &path);
            if !path.is_file() {
                return Err(Reason::OutputMissing(shown));
            }
            match self.workspace.files.sha256(&path) {
                Ok(found) if Some(found.digest) == expected => {}
                Ok(found) if self.is_of_last_build(node, &shown, &found.digest) => {
                    // Nobody touched the file: it is what was asked for last time.
                    return Err(self.reason(node, preimage));
                }
                Ok(found) => {
                    let (old, new) = (expected.map(|sha256| sha256.short()), Some(found.digest.short()));
                    return Err(Reason::OutputModified(Change { name: shown, old, new }));
                }
                Err(_) => return Err(Reason::OutputMissing(shown)),
            }
        }
        Ok(())
    }

    /// Whether the last build of a net published this file, from another preimage than it would now.
    pub(super) fn is_of_last_build(&self, node: NodeIndex, shown: &str, found: &Sha256) -> bool {
        let nets = self.users.get(&node).into_iter().flatten();
        nets.filter_map(|net| self.last[*net].as_ref()).any(|last| {
            let is_this = |output: &OutputState| output.path == Path::new(shown) && output.sha256 == *found;
            last.outputs.iter().any(is_this)
        })
    }
}
