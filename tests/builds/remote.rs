//! Builds beside a cluster: where a stage runs decides no byte, and nothing that a cluster does wrong decides more than how long it takes.
//!
//! The cluster is one in this process that starts `nnue stage run` in empty folders, as a real one does. Those that are spoken to over a
//! network are met in `tests/remote_cache`.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use nnue::internals::build::{Options, Report, StageStatus, Workspace};
use nnue::internals::cache::ActionRecord;
use nnue::internals::cache::remote::execute::{Blob, Execute, Failure, Finished, Progress, Request, Source, Totals};
use nnue::internals::ctx::{Backend, Ctx, Progress as Told, Task};
use nnue::internals::error::{Error, Kind};
use nnue::internals::files::Sha256;
use nnue::internals::manifest;

use crate::project::{Project, manifest};

/// What the cluster does with a request instead of running it, by the number of the request, from 1.
pub(crate) type Script = Box<dyn Fn(usize, &Request) -> Option<Failure> + Send + Sync>;
/// What it makes of the outputs of a run, by the stage.
pub(crate) type Lie = Box<dyn Fn(&str, &mut BTreeMap<String, Vec<u8>>) + Send + Sync>;

#[derive(Default)]
pub(crate) struct Cluster {
    blobs: Mutex<HashMap<Sha256, Vec<u8>>>,
    /// Results by arguments and inputs.
    cache: Mutex<HashMap<Vec<String>, Finished>>,
    requests: AtomicUsize,
    /// Each request's stage, and whether it ran, was remembered or failed.
    log: Mutex<Vec<String>>,
    pub(crate) fetched: Mutex<Vec<Blob>>,
    /// What was asked for, question by question.
    pub(crate) asked: Mutex<Vec<Vec<Blob>>>,
    under_way: AtomicUsize,
    most_under_way: AtomicUsize,
    pub(crate) script: Option<Script>,
    pub(crate) lie: Option<Lie>,
    /// Waits until so many requests came, or a second is over.
    meets: usize,
    /// Stages whose outputs are lost as soon as another request comes.
    loses: Option<&'static str>,
    stopped: Option<Arc<AtomicBool>>,
    /// One worker: requests are answered one after the other.
    worker: Mutex<()>,
}

/// What is handed to the build; the test keeps the other end.
struct Handle(Arc<Cluster>);

impl Cluster {
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    fn put(&self, bytes: &[u8]) -> Blob {
        let blob = Blob::of(bytes);
        self.blobs.lock().unwrap().insert(blob.sha256, bytes.to_vec());
        blob
    }

    fn get(&self, blob: Blob) -> Option<Vec<u8>> {
        self.blobs.lock().unwrap().get(&blob.sha256).cloned()
    }

    fn run(&self, request: &Request, watch: &mut dyn FnMut(Progress)) -> Result<Finished, Failure> {
        let number = self.requests.fetch_add(1, Ordering::SeqCst) + 1;
        watch(Progress::Queued);
        let name = |request: &Request| -> Vec<String> {
            let inputs = request.inputs.iter().map(|input| format!("{} {}", input.path, input.blob.sha256));
            request.arguments.iter().cloned().chain(inputs).collect()
        };
        if let Some(known) = self.cache.lock().unwrap().get(&name(request)).filter(|_| !request.skip_cache) {
            self.log.lock().unwrap().push(format!("{} remembered", request.stage));
            return Ok(Finished { from_cache: true, ..known.clone() });
        }
        if let Some(failure) = self.script.as_ref().and_then(|script| script(number, request)) {
            self.log.lock().unwrap().push(format!("{} failed", request.stage));
            return Err(failure);
        }
        let mut sent = 0;
        let mut gone = Vec::new();
        for input in &request.inputs {
            if self.get(input.blob).is_some() {
                continue;
            }
            let bytes = match &input.source {
                Source::Memory(bytes) => (**bytes).as_ref().to_vec(),
                Source::File(path) => fs::read(path).unwrap(),
                Source::There => {
                    gone.push(input.blob);
                    continue;
                }
            };
            assert_eq!(self.put(&bytes), input.blob, "{}", input.path);
            sent += bytes.len() as u64;
            watch(Progress::Uploading { done: sent, total: sent });
        }
        if !gone.is_empty() {
            self.log.lock().unwrap().push(format!("{} lacks its input", request.stage));
            return Err(Failure::Evicted(gone));
        }
        watch(Progress::Running { worker: Some("worker-3".to_owned()) });
        let folder = tempfile::tempdir().unwrap();
        for input in &request.inputs {
            let path = folder.path().join(&input.path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            if input.executable {
                // The program itself: starting a copy costs what copying it does.
                std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_nnue"), &path)
                    .or_else(|_| fs::copy(env!("CARGO_BIN_EXE_nnue"), &path).map(drop))
                    .unwrap();
            } else {
                fs::write(path, self.get(input.blob).unwrap()).unwrap();
            }
        }
        let ran =
            Command::new(&request.arguments[0]).args(&request.arguments[1..]).current_dir(folder.path()).env_clear().output().unwrap();
        if !ran.status.success() {
            let stderr = String::from_utf8_lossy(&ran.stderr).into_owned();
            return Err(Failure::Failed { exit_code: ran.status.code().unwrap(), stderr, worker: Some("worker-3".to_owned()) });
        }
        let read = |path: &String| (path.clone(), fs::read(folder.path().join(path)).unwrap());
        let mut outputs: BTreeMap<String, Vec<u8>> = request.outputs.iter().map(read).collect();
        if let Some(lie) = &self.lie {
            lie(&request.stage, &mut outputs);
        }
        let outputs = outputs.iter().map(|(path, bytes)| (path.clone(), self.put(bytes))).collect();
        let finished = Finished { outputs, from_cache: false, worker: Some("worker-3".to_owned()), uploaded: sent, seconds: 0.5 };
        self.cache.lock().unwrap().insert(name(request), finished.clone());
        self.log.lock().unwrap().push(format!("{} ran", request.stage));
        if self.loses == Some(&*request.stage) && !request.skip_cache {
            self.blobs.lock().unwrap().remove(&finished.outputs["out/artifact"].sha256);
        }
        Ok(finished)
    }
}

impl Execute for Handle {
    fn cached(&self, _: &Request) -> Result<Option<Finished>, Failure> {
        Ok(None)
    }

    fn run(&self, request: &Request, watch: &mut dyn FnMut(Progress)) -> Result<Finished, Failure> {
        let now = self.0.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.most_under_way.fetch_max(now, Ordering::SeqCst);
        for _ in 0..200 {
            let stopped = self.0.stopped.as_ref().is_some_and(|stopped| stopped.load(Ordering::SeqCst));
            if self.0.most_under_way.load(Ordering::SeqCst) >= self.0.meets || stopped {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let finished = {
            let _worker = self.0.worker.lock().unwrap();
            self.0.run(request, watch)
        };
        self.0.under_way.fetch_sub(1, Ordering::SeqCst);
        finished
    }

    fn fetch(&self, blob: Blob, limit: u64) -> Result<Vec<u8>, Failure> {
        assert!(blob.bytes <= limit);
        self.0.fetched.lock().unwrap().push(blob);
        self.0.get(blob).ok_or(Failure::Evicted(vec![blob]))
    }

    fn missing(&self, blobs: &[Blob]) -> Result<Vec<Blob>, Failure> {
        self.0.asked.lock().unwrap().push(blobs.to_vec());
        Ok(blobs.iter().copied().filter(|blob| self.0.get(*blob).is_none()).collect())
    }

    fn totals(&self) -> Totals {
        Totals { ran: self.0.log().iter().filter(|line| line.ends_with(" ran")).count() as u64, ..Totals::default() }
    }
}

/// Hears what a build says.
#[derive(Default)]
pub(crate) struct Heard {
    pub(crate) warnings: Mutex<Vec<String>>,
    notes: Mutex<Vec<String>>,
    states: Mutex<Vec<String>>,
}

impl Told for Heard {
    fn warn(&self, message: &str) {
        self.warnings.lock().unwrap().push(message.to_owned());
    }

    fn note(&self, message: &str) {
        self.notes.lock().unwrap().push(message.to_owned());
    }

    fn doing(&self, task: Task<'_>, state: &str) {
        let scope = task.scope.unwrap();
        self.states.lock().unwrap().push(format!("{} {}: {state}", scope.net, scope.stage));
    }
}

/// What a build beside a cluster came to.
pub(crate) struct Built {
    pub(crate) report: Report,
    pub(crate) heard: Arc<Heard>,
    pub(crate) errors: Vec<String>,
}

impl Built {
    pub(crate) fn warnings(&self) -> Vec<String> {
        self.heard.warnings.lock().unwrap().clone()
    }

    /// Of each stage that ran elsewhere: its name and the worker.
    pub(crate) fn remote(&self, net: &str) -> Vec<String> {
        let net = self.report.nets.iter().find(|found| found.net == net).unwrap();
        let there = net.stages.iter().filter(|stage| stage.status == StageStatus::Ran).filter_map(|stage| {
            let remote = stage.remote.as_ref()?;
            let worker = remote.worker.as_deref().unwrap_or("?");
            Some(format!("{} {}", stage.stage, if remote.from_cache { "cache" } else { worker }))
        });
        there.collect()
    }
}

pub(crate) fn build_with(project: &Project, cluster: &Arc<Cluster>, options: &Options, cancel: Arc<AtomicBool>) -> Result<Built, Error> {
    let manifest = manifest::load(&project.at("nnue.toml"), &[])?;
    let heard = Arc::new(Heard::default());
    let ctx = Ctx::new(cancel, heard.clone(), Backend::Cpu);
    let workspace = Workspace::open_with(&manifest, options, Box::new(Handle(cluster.clone())), &ctx)?;
    let errors = Mutex::new(Vec::new());
    let nets: Vec<_> = manifest.nets.iter().collect();
    let report = workspace.build(&nets, options, &ctx, &|net, error| errors.lock().unwrap().push(format!("{net}: {error}")))?;
    Ok(Built { report, heard, errors: errors.into_inner().unwrap() })
}

pub(crate) fn build(project: &Project, cluster: &Arc<Cluster>) -> Built {
    let built = build_with(project, cluster, &Options { jobs: Some(1), ..Options::default() }, Arc::default()).unwrap();
    assert!(built.errors.is_empty(), "{:?}", built.errors);
    built
}

/// Two searches over one gather, and a cluster that gets all of it.
const NETS: &str = manifest!(
    "[net.big]\nsource = \"run\"\noutputs = \"big.nnue\"\nprove = false\n[net.big.optimize]\nalgorithm = \"anneal\"\nmoves = 2000\n\
     [net.other]\nsource = \"run\"\noutputs = \"other.nnue\"\nprove = false\n[net.other.optimize]\nalgorithm = \"anneal\"\nmoves = 3000\n\
     [defaults.optimize]\ndata = \"fens\"\npositions = 100\n"
);

fn project(remote: &str) -> Project {
    let tool = env!("CARGO_BIN_EXE_nnue");
    Project::new(&format!("{NETS}[remote]\nmin-seconds = 0\ntool = '{tool}'\n{remote}"))
}

/// The files that a build without a cluster gives.
fn expected() -> &'static [Vec<u8>; 2] {
    static EXPECTED: OnceLock<[Vec<u8>; 2]> = OnceLock::new();
    EXPECTED.get_or_init(|| {
        let local = Project::new(NETS);
        local.nnue(&["build"]).ok();
        ["big.nnue", "other.nnue"].map(|name| local.bytes(name))
    })
}

#[track_caller]
fn same(project: &Project) {
    assert!(["big.nnue", "other.nnue"].map(|name| project.bytes(name)) == *expected(), "another net than without a cluster");
}

/// Whether the local cache has the result of gather.
fn has_matrix(project: &Project, built: &Built) -> bool {
    let stages = &built.report.nets[0].stages;
    let digest = stages.iter().find(|stage| stage.stage.name() == "gather").unwrap().digest.clone().unwrap();
    project.at(&format!(".nnue/cache/v1/cas/{}/{}", &digest[..2], &digest[2..])).exists()
}

#[test]
fn stages_run_there_the_matrix_stays_there_and_the_bytes_are_those_of_a_build_here() {
    let (project, cluster) = (project(""), Arc::new(Cluster::default()));
    let built = build(&project, &cluster);
    same(&project);
    assert_eq!(cluster.log(), ["gather ran", "search ran", "search ran"]);
    assert_eq!((built.remote("big"), built.warnings()), (vec!["gather worker-3".to_owned(), "search worker-3".to_owned()], Vec::new()));
    assert!(!has_matrix(&project, &built), "it stays there");
    let largest = cluster.fetched.lock().unwrap().iter().map(|blob| blob.bytes).max().unwrap();
    assert!(largest < 4096, "{largest}");
    let notes = built.heard.notes.lock().unwrap().clone();
    assert_eq!(notes.len(), 1, "what is sent is said once: {notes:?}");
    assert!(notes[0].contains("weights of nets and positions") && notes[0].contains("`big`"), "{notes:?}");
    let states = built.heard.states.lock().unwrap().clone();
    for state in ["big gather: queued", "big gather: uploading", "big gather: running on worker-3", "other search: running on worker-3"] {
        assert!(states.iter().any(|said| said == state), "{state}: {states:?}");
    }

    // Nothing is left to do, and nobody is asked.
    let again = build(&project, &cluster);
    assert_eq!((cluster.log().len(), again.remote("big").len()), (3, 0));
    // Another cache asks the cluster, which remembers.
    fs::remove_dir_all(project.at(".nnue")).unwrap();
    let again = build(&project, &cluster);
    assert_eq!(cluster.log()[3..], ["gather remembered", "search remembered", "search remembered"]);
    assert_eq!(again.remote("other"), ["gather cache", "search cache"]);
    same(&project);
    // A third search over the same positions: the matrix is still there.
    project.manifest(
        &(project.text("nnue.toml")
            + "[net.third]\nsource = \"run\"\noutputs = \"third.nnue\"\nprove = false\n[net.third.optimize]\nalgorithm = \"anneal\"\nmoves = 4000\n"),
    );
    let third = build(&project, &cluster);
    assert_eq!(cluster.log()[6..], ["gather remembered", "search ran"]);
    assert!(third.warnings().is_empty(), "{:?}", third.warnings());
}

#[test]
fn only_the_stages_that_are_wanted_go_and_what_is_cheap_stays_here() {
    let cluster = Arc::new(Cluster::default());
    let project = project("stages = [\"search\"]\n");
    let built = build(&project, &cluster);
    same(&project);
    assert!(has_matrix(&project, &built));
    assert_eq!(cluster.log(), ["search ran", "search ran"], "the matrix was sent");
    let text = project.text("nnue.toml").replace("min-seconds = 0", "min-seconds = 1000");
    let cheap = Project::new(&text);
    let cluster = Arc::new(Cluster::default());
    assert!(build(&cheap, &cluster).remote("big").is_empty() && cluster.log().is_empty());
    same(&cheap);
}

/// Locked builds are to be relied on: they compute everything here.
#[test]
fn a_locked_build_asks_no_cluster_and_a_forced_one_asks_it_to_forget() {
    let (project, cluster) = (project(""), Arc::new(Cluster::default()));
    build(&project, &cluster);
    let forced = Options { jobs: Some(1), force: true, ..Options::default() };
    build_with(&project, &cluster, &forced, Arc::default()).unwrap();
    assert_eq!(cluster.log()[3..], ["gather ran", "search ran", "search ran"], "nothing that it remembers");
    let text = project.text("nnue.toml").replace("[remote]\n", "[remote]\nurl = \"grpc://127.0.0.1:1\"\n");
    project.manifest(&text);
    project.nnue(&["build", "--locked", "-j1"]).ok();
}

pub(crate) fn failing(script: impl Fn(usize, &Request) -> Option<Failure> + Send + Sync + 'static) -> Arc<Cluster> {
    Arc::new(Cluster { script: Some(Box::new(script)), ..Cluster::default() })
}

pub(crate) fn failed(exit_code: i32) -> Failure {
    Failure::Failed { exit_code, stderr: "no room\u{1b}[31m".to_owned(), worker: Some("worker-3".to_owned()) }
}

#[test]
fn whatever_fails_there_is_done_here_with_one_warning() {
    let nobody = || Failure::Off("nobody listens".to_owned());
    let refused = || Failure::Refused("it waited for a worker for 10 minutes".to_owned());
    type Case = (Arc<Cluster>, &'static [&'static str], &'static str);
    let cases: [Case; 5] = [
        // Given up: the searches are not sent.
        (
            failing(move |_, _| Some(nobody())),
            &["gather failed"],
            "disabling the cluster `a cluster` for this run: nobody listens; what is left runs here",
        ),
        (
            failing(move |_, _| Some(refused())),
            &["gather failed", "search failed", "search failed"],
            "did not run on the cluster `a cluster`: it waited for a worker",
        ),
        (failing(|_, _| Some(failed(137))), &["gather failed", "search failed"], "on worker-3 ended with 137: no room\\u{1b}[31m"),
        // One of three: that it works again counts.
        (failing(|number, _| (number != 2).then(|| failed(1))), &["gather failed", "search ran", "search failed"], "ended with 1"),
        (
            failing(|number, _| (number == 2).then(|| failed(0))),
            &["gather ran", "search failed", "search ran"],
            "a result on worker-3 cannot be used: no room",
        ),
    ];
    for (cluster, log, warning) in cases {
        let project = project("");
        let built = build(&project, &cluster);
        same(&project);
        // The other search may be on its way when the cluster is given up.
        let seen = cluster.log();
        let is_begun = seen.iter().zip(log).all(|(seen, expected)| seen == expected);
        assert!(is_begun && (seen.len() == log.len() || warning.contains("137")), "{warning}: {seen:?}");
        let warnings = built.warnings();
        let of_cluster: Vec<_> = warnings.iter().filter(|text| text.contains("cluster")).collect();
        assert!(of_cluster[0].contains(warning), "{warnings:?}");
        // Two kinds at most: that one action did not run there, and that none will.
        assert!(of_cluster.len() == 1 || (warning.contains("ended with") && of_cluster.len() == 2), "{warnings:?}");
        assert!(!warnings.iter().any(|text| text.contains("rebuilding it")), "{warnings:?}");
        assert!(built.errors.is_empty());
    }
}

#[test]
fn without_fallback_what_fails_there_fails_its_net() {
    let project = project("fallback = false\n");
    let cluster = failing(|_, request| (request.net == "other").then(|| Failure::Refused("the queue is full".to_owned())));
    let options = Options { jobs: Some(1), keep_going: true, ..Options::default() };
    let built = build_with(&project, &cluster, &options, Arc::default()).unwrap();
    assert_eq!(built.errors.len(), 1, "{:?}", built.errors);
    assert!(
        built.errors[0].contains("other: search did not run on the cluster") && built.errors[0].contains("the queue is full"),
        "{:?}",
        built.errors
    );
    assert!(project.at("big.nnue").exists() && !project.at("other.nnue").exists());
    // What the command line says comes first.
    let options = Options { cluster_fallback: Some(true), ..options };
    assert!(build_with(&project, &cluster, &options, Arc::default()).unwrap().errors.is_empty());
    same(&project);
}

/// The search is refused after gather left its matrix there: it is fetched, not computed again.
#[test]
fn a_matrix_that_was_left_there_is_fetched_where_a_search_comes_home() {
    let (project, cluster) = (project(""), failing(|number, _| (number > 1).then(|| Failure::Refused("no".to_owned()))));
    let built = build(&project, &cluster);
    same(&project);
    assert_eq!(cluster.log(), ["gather ran", "search failed", "search failed"]);
    assert!(has_matrix(&project, &built), "it was fetched");
    assert_eq!((built.remote("big"), built.warnings().len()), (vec!["gather worker-3".to_owned()], 1), "{:?}", built.warnings());
}

#[test]
fn what_the_cluster_lost_is_made_there_again() {
    let cluster = Arc::new(Cluster { loses: Some("gather"), ..Cluster::default() });
    let project = project("");
    let built = build(&project, &cluster);
    same(&project);
    let mut log = cluster.log();
    // The other search may have found out for itself; gather runs again once.
    log.dedup();
    assert_eq!(log, ["gather ran", "search lacks its input", "gather ran", "search ran"]);
    assert!(built.warnings().is_empty(), "{:?}", built.warnings());
}

pub(crate) fn lying(lie: impl Fn(&str, &mut BTreeMap<String, Vec<u8>>) + Send + Sync + 'static) -> Arc<Cluster> {
    Arc::new(Cluster { lie: Some(Box::new(lie)), ..Cluster::default() })
}

#[test]
fn no_damage_and_no_record_of_something_else_is_taken() {
    let of_search = |lie: fn(&mut BTreeMap<String, Vec<u8>>)| {
        lying(move |stage, outputs| {
            if stage == "search" {
                lie(outputs);
            }
        })
    };
    let cases: [(Arc<Cluster>, &str); 5] = [
        (of_search(|outputs| outputs.get_mut("out/artifact").unwrap()[200] ^= 1), "does not have the digest of its record"),
        (of_search(|outputs| outputs.get_mut("out/artifact").unwrap().push(0)), "its action record and its artifact differ"),
        (of_search(|outputs| outputs.get_mut("out/record").unwrap()[300] ^= 1), "in its action record, "),
        (of_search(|outputs| outputs.get_mut("out/record").unwrap().clear()), "in its action record, its frame is corrupt"),
        (
            lying(|stage, outputs| {
                // A whole record and a whole artifact that are not of this network.
                if stage == "search" {
                    orders_nothing(outputs, 16);
                }
            }),
            "16",
        ),
    ];
    for (cluster, why) in cases {
        let project = project("");
        let built = build(&project, &cluster);
        same(&project);
        let warnings = built.warnings();
        assert!(warnings.iter().any(|text| text.contains(why)), "{why}: {warnings:?}");
        assert!(built.errors.is_empty() && built.remote("other") == ["gather worker-3"], "{why}: {:?}", built.remote("other"));
    }
}

/// A worker that says that the order of neurons is as good as it can be.
#[test]
fn what_a_worker_did_not_compute_is_found_by_whom_looks() {
    let liar = || {
        lying(|stage, outputs| {
            if stage == "search" {
                orders_nothing(outputs, 32);
            }
        })
    };
    // Whole, fitting, and wrong: nothing but computing it again can tell.
    let project = project("");
    build(&project, &liar());
    assert!(project.bytes("big.nnue") != expected()[0]);
    let wary = Project::new(&project.text("nnue.toml"));
    let options = Options { jobs: Some(1), keep_going: true, cluster_recheck: Some(1.0), ..Options::default() };
    let built = build_with(&wary, &liar(), &options, Arc::default()).unwrap();
    assert_eq!(built.errors.len(), 2, "{:?}", built.errors);
    assert!(built.errors.iter().all(|error| error.contains("search gave another result on worker-3 than here")), "{:?}", built.errors);
    assert!(!wary.at("big.nnue").exists() && !wary.at("other.nnue").exists());
    // Whom it finds honest it leaves alone.
    let honest = build_with(&wary, &Arc::new(Cluster::default()), &options, Arc::default()).unwrap();
    assert!(honest.errors.is_empty(), "{:?}", honest.errors);
    same(&wary);
}

#[test]
fn without_fallback_a_cluster_that_was_given_up_fails_what_is_left() {
    let project = project("fallback = false\njobs = 1\n");
    let cluster = failing(|_, _| Some(Failure::Off("nobody listens".to_owned())));
    let options = Options { jobs: Some(1), keep_going: true, ..Options::default() };
    let built = build_with(&project, &cluster, &options, Arc::default()).unwrap();
    assert_eq!(cluster.log(), ["gather failed"]);
    assert!(!built.errors.is_empty() && built.errors[0].contains("gather did not run on the cluster"), "{:?}", built.errors);
    assert!(!project.at("big.nnue").exists() && !project.at("other.nnue").exists());
}

/// Puts the order in which so many neurons are already in the place of a search's result, with a record that says so.
fn orders_nothing(outputs: &mut BTreeMap<String, Vec<u8>>, neurons: u32) {
    let record = &outputs["out/record"];
    let mut record = ActionRecord::decode(key_of(&String::from_utf8_lossy(record)), record).unwrap();
    let mut artifact = Vec::new();
    let order: Vec<u32> = (0..neurons).collect();
    let order = nnue::internals::net::Permutation::try_from(order.as_slice()).unwrap();
    nnue::internals::permutation::write_permutation(&order, &mut artifact).unwrap();
    record.result.output_digest = nnue::internals::files::Blake3::of(&artifact);
    record.result.bytes = artifact.len() as u64;
    outputs.insert("out/record".to_owned(), record.encode().unwrap());
    outputs.insert("out/artifact".to_owned(), artifact);
}

/// The key of the preimage in a record.
pub(crate) fn key_of(record: &str) -> nnue::internals::cache::Key {
    let record: serde_json::Value = serde_json::from_str(record).unwrap();
    nnue::internals::cache::Key::of(&record["preimage"]).unwrap()
}

/// What actions have in common is asked for once; what is there, or on its way, is not asked for again.
#[test]
fn what_many_actions_need_is_asked_for_once() {
    let cluster = Arc::new(Cluster::default());
    let text = project("").text("nnue.toml")
        + "[source.second]\npath = \"second.nnue\"\nquantization = \"ft127\"\n[data.more]\npath = \"more.fen\"\n[net.third]\nsource = \"second\"\n\
           outputs = \"third.nnue\"\nprove = false\n[net.third.optimize]\ndata = \"more\"\nalgorithm = \"anneal\"\nmoves = 2000\n";
    let project = Project::new(&text).with_net("second.nnue", 64, 6).with_fens("more.fen", 10, 300);
    build(&project, &cluster);
    assert_eq!(cluster.log().iter().filter(|line| *line == "gather ran").count(), 2);
    let asked: Vec<usize> = cluster.asked.lock().unwrap().iter().map(Vec::len).collect();
    // The program, a network, and the positions of all; then the other network. Searches read matrices that are known to be there.
    assert_eq!(asked, [4, 1]);
}

/// Ten searches, three places there and one here.
#[test]
fn so_many_are_under_way_there_as_the_manifest_says_and_here_goes_on() {
    let text = NETS.split("[net.big]").next().unwrap().to_owned()
        + "[matrix]\nseed = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]\n[net.\"s{seed}\"]\nsource = \"run\"\noutputs = [\"s{seed}.nnue\"]\nprove = false\n\
           [net.\"s{seed}\".optimize]\ndata = \"fens\"\npositions = 100\nalgorithm = \"anneal\"\nmoves = 2000\nseed = \"{seed}\"\n";
    let tool = env!("CARGO_BIN_EXE_nnue");
    let project = Project::new(&format!("{text}[remote]\nmin-seconds = 0\njobs = 3\ntool = '{tool}'\n"));
    let cluster = Arc::new(Cluster { meets: 3, ..Cluster::default() });
    let built = build(&project, &cluster);
    assert!(built.errors.is_empty(), "{:?}", built.errors);
    assert_eq!(cluster.most_under_way.load(Ordering::SeqCst), 3);
    let there = cluster.log().iter().filter(|line| *line == "search ran").count();
    let here = built
        .report
        .nets
        .iter()
        .flat_map(|net| &net.stages)
        .filter(|stage| stage.stage.name() == "search" && stage.remote.is_none())
        .count();
    assert_eq!(there + here, 10);
    assert!(there >= 3, "{there}");
    let local = Project::new(&text);
    local.nnue(&["build"]).ok();
    for seed in 0..10 {
        let name = format!("s{seed}.nnue");
        assert!(local.bytes(&name) == project.bytes(&name), "{name}");
    }
}

#[test]
fn ctrl_c_ends_a_build_that_waits_for_the_cluster() {
    let cancel = Arc::new(AtomicBool::new(false));
    let flag = cancel.clone();
    let script: Script = Box::new(move |_, _| {
        flag.store(true, Ordering::SeqCst);
        Some(Failure::Interrupted)
    });
    let cluster = Arc::new(Cluster { script: Some(script), stopped: Some(cancel.clone()), ..Cluster::default() });
    let project = project("");
    let options = Options { jobs: Some(1), ..Options::default() };
    let error = build_with(&project, &cluster, &options, cancel).err().unwrap();
    assert_eq!(error.kind(), Kind::Interrupted);
    assert!(!project.at("big.nnue").exists());
    assert_eq!(cluster.log(), ["gather failed"]);
    build(&project, &Arc::new(Cluster::default()));
    same(&project);
}

/// A program without the protocol says how to get it, or how to do without.
#[cfg(not(feature = "remote"))]
#[test]
fn a_cluster_needs_a_program_with_the_feature() {
    let text = |url: &str| project("").text("nnue.toml").replace("[remote]\n", &format!("[remote]\nurl = \"{url}\"\n"));
    let project = Project::new(&text("grpc://127.0.0.1:1"));
    let parts = &["without the cargo feature `remote`", "--features remote", "--remote off", "nnue.toml:"][..];
    project.nnue(&["build"]).fails(2, parts);
    project.nnue(&["build", "--remote", "grpcs://rbe.example.org"]).fails(2, &parts[..3]);
    for look in [&["status"][..], &["build", "--dry-run"], &["explain", "big"]] {
        project.nnue(look).ok();
    }
    project.nnue(&["build", "--remote", "off"]).ok();
    same(&project);
}

#[test]
fn what_is_typed_and_what_the_environment_says_is_checked() {
    let project = Project::new(NETS);
    project.nnue(&["build", "--remote", "https://a"]).fails(2, &["`https://a` of `--remote` is not the address of a cluster"]);
    let ran = project.nnue(&["build", "--remote", "grpcs://me:geheim@a"]).fails(2, &["credentials"]);
    assert!(!ran.err.contains("geheim"), "{}", ran.err);
    let project = project.with_env("NNUE_REMOTE", "a.example.org:80");
    project.nnue(&["build"]).fails(2, &["`a.example.org:80` of `NNUE_REMOTE`", "no scheme"]);
    project.nnue(&["build", "--remote", "off"]).ok();
    project.nnue(&["build", "--remote-fallback", "perhaps"]).fails(2, &["yes", "no"]);
}
