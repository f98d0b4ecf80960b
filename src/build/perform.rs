//! One stale action: its result from elsewhere or from running its stage, its record, and the checks before a file gets its name.

use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use petgraph::graph::NodeIndex;

use super::execute::{Build, Twin, place};
use super::lock::LockedFile;
use super::run::{Ran, Runner};
use super::schedule::Shared;
use super::state::{Settled, State};
use super::values::Values;
use crate::cache::record::{ActionResult, Said};
use crate::cache::{ActionRecord, Key, Preimage};
use crate::error::{Error, Kind, Result};
use crate::files::Sha256;
use crate::graph::Reason;
use crate::manifest::Output;
use crate::stage::Stage;

impl Build<'_> {
    /// The place for the result of the action of this key.
    pub(super) fn twin(&self, key: Key) -> Twin {
        self.twins.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default().clone()
    }

    pub(super) fn run_action(&self, node: NodeIndex, preimage: Preimage, reason: Reason, shared: &Shared, values: &Values) -> State {
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
            let Ran { digest, bytes, stored, outcome, value } = runner.run(node, outputs)?;
            let seconds = start.elapsed().as_secs_f64();
            if let Some(value) = &value {
                values.put(node, value);
            }
            let result = ActionResult {
                said: Said::Known(outcome),
                output_digest: digest,
                stored,
                bytes,
                duration_s: seconds,
                created_by: env!("CARGO_PKG_VERSION").to_owned(),
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
                State::Failed(Arc::new(error))
            }
        }
    }

    /// Whether a write action may give `content`, a complete file with this digest, the name of `output`.
    pub(super) fn accept(&self, node: NodeIndex, output: &Output, sha256: &Sha256, content: &Path) -> Result<()> {
        self.accept_locked(node, sha256)?;
        self.accept_for_publication(node, output, sha256, content)
    }

    /// Whether the lock has a result with this digest; what a locked build refuses is noted for its report.
    pub(super) fn accept_locked(&self, node: NodeIndex, sha256: &Sha256) -> Result<()> {
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
    pub(super) fn located(&self, node: NodeIndex, error: Error) -> Error {
        let manifest = self.workspace.manifest;
        let place = error.key().and_then(|key| {
            let name = &self.graph.nets.get(*self.users.get(&node)?.first()?)?.name;
            manifest.nets.iter().find(|net| net.name == *name)?.source.claims.place_of(key)
        });
        let (Some(span), Some((label, causes))) = (place, error.causes().split_first()) else { return error };
        let message = format!("{}: {label}", error.message());
        manifest.diagnostic(span, &message, label, &causes.join("; "), error.help_text().unwrap_or_default()).kind_is(error.kind())
    }
}
