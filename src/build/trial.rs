//! Trials: what looks at a file that a write action made, such as its proof, runs before the file gets its name. Where one fails, nothing is
//! published, and an earlier file of that name stays as it is.
//!
//! In the graph a trial comes after its write action, like everything that reads a result. Here it runs early, and what came of it waits
//! for its own turn. A file that was published by an earlier build is looked at then, in the usual order.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use petgraph::graph::NodeIndex;

use super::earlier::Earlier;
use super::execute::{Build, place};
use super::perform::Turn;
use super::run::{Candidate, Runner};
use super::schedule::Slot;
use super::state::{Settled, State, States};
use super::values::Values;
use crate::cache::Key;
use crate::ctx::Ctx;
use crate::error::{Error, Kind, Result};
use crate::files::Blake3;
use crate::manifest::Output;
use crate::stage::Role;

/// What came of the trials so far.
#[derive(Default)]
pub(super) struct Trials {
    /// Those that a file passed, by their nodes.
    passed: Mutex<HashMap<NodeIndex, Settled>>,
    /// The trial that each write action's file failed.
    failed: Mutex<HashMap<NodeIndex, NodeIndex>>,
}

impl Trials {
    fn passed(&self) -> MutexGuard<'_, HashMap<NodeIndex, Settled>> {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What came of a trial that ran in this build, if it was the action of this key.
    pub(super) fn result(&self, trial: NodeIndex, key: Key) -> Option<Settled> {
        self.passed().get(&trial).filter(|settled| settled.preimage.key() == key).cloned()
    }

    /// The state that a trial will have.
    pub(super) fn state(&self, trial: NodeIndex) -> Option<State> {
        self.passed().get(&trial).map(|settled| State::Settled(Box::new(settled.clone())))
    }

    /// The seconds that these took.
    pub(super) fn seconds(&self, trials: &[NodeIndex]) -> f64 {
        let passed = self.passed();
        trials.iter().filter_map(|trial| passed.get(trial)?.ran.as_ref()).map(|(seconds, _)| seconds).sum()
    }

    /// The trial that the file of this write action failed.
    pub(super) fn failed(&self, write: NodeIndex) -> Option<NodeIndex> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).get(&write).copied()
    }

    fn note_failure(&self, write: NodeIndex, trial: NodeIndex) {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).insert(write, trial);
    }
}

impl Build<'_> {
    /// Runs the trials of the file that `write` made, which is to be published as `output`.
    ///
    /// # Errors
    /// That of the first trial that the file fails.
    pub(super) fn try_out(
        &self,
        write: NodeIndex,
        output: &Output,
        made: &Candidate<'_>,
        states: &States,
        values: &Values,
        slot: &Slot<'_>,
    ) -> Result<()> {
        for trial in self.graph.trials(write) {
            if let Err(error) = self.try_by(trial, write, made, states, values, slot) {
                if error.kind() == Kind::Interrupted {
                    return Err(error);
                }
                self.trials.note_failure(write, trial);
                let path = place(output, Some(&made.written));
                let shown = self.shown(output, &path);
                let what = if path.exists() { "the file there is an earlier one" } else { "there is no such file" };
                return Err(error.because(format!("`{shown}` was not published: {what}")));
            }
        }
        Ok(())
    }

    fn try_by(
        &self,
        trial: NodeIndex,
        write: NodeIndex,
        made: &Candidate<'_>,
        states: &States,
        values: &Values,
        slot: &Slot<'_>,
    ) -> Result<()> {
        if let Some(error) = self.graph.inputs(trial).into_iter().find_map(|(_, input)| states.failure(input)) {
            let stage = self.graph.action(trial).map_or("a trial", |action| action.stage().name());
            return Err(Error::new(format!("`{stage}` cannot look at the file")).because(error));
        }
        let digest = |input: NodeIndex| if input == write { Some(made.blake3) } else { states.digest(input) };
        let preimage = self.graph.preimage(trial, digest)?;
        let preimage = preimage.ok_or_else(|| Error::new("a trial lacks an input: this is a bug in nnue, please report it"))?;
        if self.trials.result(trial, preimage.key()).is_some() {
            return Ok(());
        }
        let reason = match self.find(trial, &preimage) {
            Ok(result) => {
                self.trials.passed().insert(trial, Settled { preimage, result, ran: None, elsewhere: None });
                return Ok(());
            }
            Err(reason) => reason,
        };
        // Only the file on trial has no name yet; those of other nets, of which it may be made, have theirs.
        let published = |other| if other == write { Some(made.path.to_owned()) } else { self.published(other, &states.get(other)) };
        let accept = |_: &Output, _: &Candidate<'_>| Err(Error::new("a trial publishes nothing: this is a bug in nnue, please report it"));
        let ctx = self.scope(trial);
        let runner = self.runner(&ctx, values, &digest, &accept, &published, slot);
        let settled = self.run_somewhere(&runner, Turn { node: trial, preimage: &preimage, reason: &reason, states, slot })?;
        self.trials.passed().insert(trial, settled);
        Ok(())
    }

    /// A runner of this build, for what `ctx` says.
    pub(super) fn runner<'a>(
        &'a self,
        ctx: &'a Ctx,
        values: &'a Values,
        digest: &'a (dyn Fn(NodeIndex) -> Option<Blake3> + Sync),
        accept: &'a (dyn Fn(&Output, &Candidate<'_>) -> Result<()> + Sync),
        published: &'a (dyn Fn(NodeIndex) -> Option<PathBuf> + Sync),
        slot: &'a Slot<'a>,
    ) -> Runner<'a> {
        let Self { workspace, graph, last, users, .. } = self;
        let earlier = Earlier { workspace, last, users };
        Runner { workspace, graph, values, ctx, executor: workspace.executor, digest, accept, published, earlier, slot }
    }

    /// The error of an action in its own turn. The file that a trial looks at has its name by then.
    pub(super) fn of_published(&self, node: NodeIndex, states: &States, error: Error) -> Error {
        let shown = self.graph.input(node, Role::Published).filter(|_| error.kind() != Kind::Interrupted).and_then(|write| {
            let path = self.published(write, &states.get(write))?;
            Some(self.shown(self.writes.get(&write)?.first()?, &path))
        });
        match shown {
            Some(shown) => error.because(format!("`{shown}` has been published already: do not use it until this is settled")),
            None => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::path::Path;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use crate::build::{NetReport, NetStatus, Options, testing::build_by};
    use crate::ctx::Ctx;
    use crate::error::{Error, Result};
    use crate::exec::{Executor, Local};
    use crate::family::{Content, Inputs, Product, testing::small_source};
    use crate::positions::generate;
    use crate::stage::{Action, Stage};

    /// An executor whose files come out damaged, as of a program or a machine that is not sound.
    #[derive(Default)]
    struct Unsound {
        /// What is done to the bytes of a file.
        damage: Option<fn(&mut Vec<u8>)>,
        /// How many proofs ran.
        proofs: AtomicUsize,
    }

    struct Damaged(Box<dyn Content>, fn(&mut Vec<u8>));

    impl Content for Damaged {
        fn write(&self, out: &mut dyn Write, ctx: &Ctx) -> Result<()> {
            let mut bytes = Vec::new();
            self.0.write(&mut bytes, ctx)?;
            (self.1)(&mut bytes);
            out.write_all(&bytes).map_err(|error| Error::new("cannot write").because(error))
        }

        fn reads_late(&self) -> bool {
            self.0.reads_late()
        }
    }

    impl Executor for Unsound {
        fn execute(&self, action: &Action, inputs: &dyn Inputs, ctx: &Ctx) -> Result<Product> {
            self.proofs.fetch_add((action.stage() == Stage::Prove).into(), Ordering::Relaxed);
            match (Local.execute(action, inputs, ctx)?, self.damage) {
                (Product::File(content), Some(damage)) => Ok(Product::File(Box::new(Damaged(content, damage)))),
                (product, _) => Ok(product),
            }
        }
    }

    const NET: &str = "[net.a]\nsource = \"run\"\noutputs = [\"a.nnue\", \"dist/\"]\n";

    /// Builds the net, and gives its report with the number of proofs that ran.
    fn build(folder: &Path, more: &str, damage: Option<fn(&mut Vec<u8>)>, options: &Options) -> (NetReport, usize) {
        let head = "version = 1\n[source.run]\npath = \"run.nnue\"\nquantization = \"ft127\"\n[data.fens]\npath = \"x.fen\"\n";
        let executor = Unsound { damage, ..Unsound::default() };
        let net = build_by(&executor, folder, &format!("{head}{NET}{more}"), options);
        (net, executor.proofs.load(Ordering::Relaxed))
    }

    fn stages(net: &NetReport) -> Vec<String> {
        net.stages.iter().map(|stage| format!("{} {}", stage.stage, stage.status.name())).collect()
    }

    const PROVE: &str = "[net.a.prove]\ndata = \"fens\"\npositions = 40\n";

    #[test]
    fn a_file_whose_proof_fails_is_not_published_and_the_earlier_one_stays() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        fs::write(folder.join("run.nnue"), small_source()).unwrap();
        fs::write(folder.join("x.fen"), generate(1, 60).iter().map(|position| position.to_fen() + "\n").collect::<String>()).unwrap();
        fs::write(folder.join("a.nnue"), b"earlier").unwrap();
        let weight: fn(&mut Vec<u8>) = |bytes| *bytes.last_mut().unwrap() ^= 0x40;
        let end: fn(&mut Vec<u8>) = |bytes| bytes.truncate(bytes.len() - 1);
        for (damage, says) in [(weight, "does not evaluate as its source does"), (end, "cannot be read back")] {
            for keep_going in [false, true] {
                let (net, proofs) = build(folder, PROVE, Some(damage), &Options { keep_going, ..Options::default() });
                assert_eq!((net.status, &stages(&net)[1..]), (NetStatus::Failed, &["write stale".to_owned(), "prove failed".into()][..]));
                let error = net.error.unwrap();
                assert!(error.contains(says) && error.contains("`a.nnue` was not published: the file there is an earlier one"), "{error}");
                assert_eq!((proofs, net.outputs.len()), (1, 0));
                assert_eq!(fs::read(folder.join("a.nnue")).unwrap(), b"earlier");
                assert!(!folder.join("dist").exists() && !folder.join("nnue.lock").exists());
                let left =
                    fs::read_dir(folder).unwrap().filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().contains("tmp"));
                assert_eq!(left.count(), 0);
            }
        }
        // Without a proof nobody sees it: the damage is real.
        let (net, proofs) = build(folder, "", Some(weight), &Options::default());
        assert_eq!((net.status, proofs), (NetStatus::Built, 0));
    }

    #[test]
    fn a_file_is_proven_once_whatever_its_names_and_again_only_where_something_changed() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        fs::write(folder.join("run.nnue"), small_source()).unwrap();
        fs::write(folder.join("x.fen"), generate(1, 60).iter().map(|position| position.to_fen() + "\n").collect::<String>()).unwrap();
        let usual = Options::default();
        let (net, proofs) = build(folder, PROVE, None, &usual);
        assert_eq!((stages(&net), proofs), (vec!["load ran".into(), "write ran".into(), "prove ran".into()], 1));
        let reason = net.stages[2].reason.as_ref().map(|reason| reason.kind().to_owned());
        assert_eq!(reason.as_deref(), Some("never_built"));
        let all_fresh = vec!["load fresh".to_owned(), "write fresh".into(), "prove fresh".into()];
        let (again, proofs) = build(folder, PROVE, None, &usual);
        assert_eq!((stages(&again), proofs, &again.proof), (all_fresh, 0, &net.proof));

        // The bytes that come back are proven already.
        fs::remove_file(folder.join("a.nnue")).unwrap();
        let (again, proofs) = build(folder, PROVE, None, &usual);
        assert_eq!((stages(&again), proofs), (vec!["load fresh".into(), "write ran".into(), "prove fresh".into()], 0));
        let (again, proofs) = build(folder, PROVE, None, &Options { force: true, ..usual.clone() });
        assert_eq!((stages(&again), proofs), (vec!["load ran".into(), "write ran".into(), "prove ran".into()], 1));
        // A published file is looked at in the usual order, and one that fails then is named.
        let (more, proofs) = build(folder, &PROVE.replace("40", "50"), None, &usual);
        assert_eq!((stages(&more), proofs), (vec!["load fresh".into(), "write fresh".into(), "prove ran".into()], 1));
        let (failed, _) = build(folder, &PROVE.replace("40", "500"), None, &usual);
        assert_eq!(stages(&failed), ["load fresh", "write fresh", "prove failed"]);
        let error = failed.error.unwrap();
        assert!(error.contains("`a.nnue` has been published already"), "{error}");
    }

    #[test]
    fn a_proof_that_cannot_be_made_keeps_the_file_back() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        fs::write(folder.join("run.nnue"), small_source()).unwrap();
        for keep_going in [false, true] {
            let (net, _) = build(folder, PROVE, None, &Options { keep_going, ..Options::default() });
            assert_eq!(net.status, NetStatus::Failed);
            assert!(net.error.unwrap().contains("x.fen") && !folder.join("a.nnue").exists());
        }
    }
}
