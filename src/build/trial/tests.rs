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
            let left = fs::read_dir(folder).unwrap().filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().contains("tmp"));
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
