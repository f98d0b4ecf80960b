//! What reruns and why: builds of a small net, through the library, one change at a time.

use std::sync::{Arc, Mutex, atomic::AtomicBool};

use crate::common;
use nnue::internals::build::{NetReport, NetStatus, Options, Report, StageStatus, Workspace, select_nets};
use nnue::internals::ctx::{Backend, Ctx, Progress};
use nnue::internals::format::nnue::{Compression, write};
use nnue::internals::manifest;
use nnue::internals::net::random_network;

use crate::project::Project;
use crate::project::manifest;

/// Keeps warnings.
#[derive(Default)]
struct Warnings(Mutex<Vec<String>>);

impl Progress for Warnings {
    fn warn(&self, message: &str) {
        self.0.lock().unwrap().push(message.to_owned());
    }
}

const MANIFEST: &str = manifest!(
    r#"[net.big]
source = "run"
description = "first"
outputs = ["dist/", "latest.nnue"]
[net.big.optimize]
data = "fens"
positions = 200
"#
);

/// Builds a project through the library, and keeps what was said.
struct Library {
    project: Project,
    warnings: Arc<Warnings>,
    errors: Mutex<Vec<String>>,
}

impl std::ops::Deref for Library {
    type Target = Project;

    fn deref(&self) -> &Project {
        &self.project
    }
}

impl Library {
    fn new() -> Self {
        let project = Project::empty().with_fens("positions.fen", 9, 400).with_manifest(MANIFEST);
        let mut bytes = Vec::new();
        write(&mut bytes, &random_network("small", 64, 5), Compression::None).unwrap();
        project.write("run.nnue", bytes);
        Self { project, warnings: Arc::default(), errors: Mutex::default() }
    }

    fn run(&self, options: &Options) -> Report {
        self.warnings.0.lock().unwrap().clear();
        self.errors.lock().unwrap().clear();
        let ctx = Ctx::new(Arc::new(AtomicBool::new(false)), self.warnings.clone(), Backend::Cpu);
        let manifest = manifest::load(&self.at("nnue.toml"), &[]).unwrap();
        let workspace = Workspace::open(&manifest, options, &ctx).unwrap();
        let nets = select_nets(&manifest, &[]).unwrap();
        let on_error = |net: &str, error: &nnue::internals::error::Error| self.errors.lock().unwrap().push(format!("{net}: {error}"));
        workspace.build(&nets, options, &ctx, &on_error).unwrap()
    }

    fn build(&self) -> NetReport {
        let report = self.run(&Options::default());
        assert!(self.errors.lock().unwrap().is_empty(), "{:?}", self.errors.lock().unwrap());
        report.nets.into_iter().next().unwrap()
    }

    fn warnings(&self) -> String {
        self.warnings.0.lock().unwrap().join("\n")
    }
}

/// Stages that ran, with the kind of reason.
fn ran(net: &NetReport) -> Vec<(&'static str, String)> {
    let ran = net.stages.iter().filter(|stage| stage.status == StageStatus::Ran);
    ran.map(|stage| (stage.stage.name(), stage.reason.as_ref().unwrap().kind().to_owned())).collect()
}

#[test]
fn nets_that_share_an_action_have_their_own_reasons_and_leave_nothing_behind() {
    let project = Library::new();
    project.build();
    let twin = "\n[net.twin]\nsource = \"run\"\noutputs = [\"twin.nnue\"]\ncompression = \"none\"\n";
    project.manifest(&format!("{MANIFEST}{twin}"));
    let source = project.at("run.nnue");
    let mut bytes = std::fs::read(&source).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&source, bytes).unwrap();
    let report = project.run(&Options::default());
    let reasons: Vec<String> = report.nets.iter().map(|net| net.stages[0].reason.as_ref().unwrap().kind().to_owned()).collect();
    assert_eq!(reasons, ["input_changed", "never_built"]);
    let states = || common::files_below(&project.at(".nnue/state/nets")).len();
    assert_eq!(states(), 2);
    project.manifest(MANIFEST);
    project.run(&Options::default());
    assert_eq!(states(), 1, "a net that no longer exists is forgotten");
}

#[test]
fn the_first_build_runs_everything_and_the_second_nothing() {
    let project = Library::new();
    let first = project.build();
    let names: Vec<&str> = first.stages.iter().map(|stage| stage.stage.name()).collect();
    assert_eq!(names, ["load", "gather", "search", "permute", "write", "prove"]);
    assert_eq!(ran(&first).len(), 6);
    assert!(ran(&first).iter().all(|(_, reason)| reason == "never_built" || reason == "upstream_stale"), "{:?}", ran(&first));
    assert_eq!(first.status, NetStatus::Built);
    let zero = first.zero_blocks.unwrap();
    assert!(zero.positions == 200 && zero.after > zero.before, "{zero:?}");
    assert_eq!(first.outputs.len(), 2);
    for output in &first.outputs {
        let bytes = std::fs::read(project.at(&output.path)).unwrap();
        assert_eq!(common::sha256(&bytes), output.sha256);
        assert_eq!(bytes.len() as u64, output.bytes);
    }
    assert!(first.outputs[0].path.ends_with(&format!("nn-{}.nnue", &first.outputs[0].sha256[..12])));

    let second = project.build();
    assert_eq!(second.status, NetStatus::Fresh);
    assert!(second.stages.iter().all(|stage| stage.status == StageStatus::Fresh));
    assert_eq!(second.outputs, first.outputs);
    assert_eq!(second.zero_blocks, first.zero_blocks);
}

#[test]
fn a_new_description_writes_and_proves_again() {
    let project = Library::new();
    project.build();
    project.manifest(&MANIFEST.replace("first", "second"));
    let net = project.build();
    assert_eq!(ran(&net), [("write", "param_changed".to_owned()), ("prove", "upstream_changed".to_owned())]);
    let reason = net.stages[4].reason.clone().unwrap();
    assert_eq!((reason.name(), reason.change().0, reason.change().1), (Some("description"), Some("first"), Some("second")));
}

#[test]
fn comments_order_and_formatting_rerun_nothing() {
    let project = Library::new();
    project.build();
    let moved = MANIFEST.replace("positions = 200", "positions   =  2_00 # as many").replace("version = 1", "# a comment\nversion = 1");
    project.manifest(&moved.replace("source = \"run\"\n", "").replace("outputs", "source = \"run\"\noutputs"));
    assert_eq!(project.build().status, NetStatus::Fresh);
}

#[test]
fn more_positions_rerun_gather_and_everything_after() {
    let project = Library::new();
    project.build();
    project.manifest(&MANIFEST.replace("200", "300"));
    let net = project.build();
    let stages: Vec<&str> = ran(&net).iter().map(|(stage, _)| *stage).collect();
    assert_eq!(stages, ["gather", "search", "permute", "write", "prove"]);
    assert_eq!(net.zero_blocks.unwrap().positions, 300);
    let reason = net.stages[1].reason.clone().unwrap();
    assert_eq!((reason.kind(), reason.change()), ("param_changed", (Some("200"), Some("300"))));
}

#[test]
fn a_filter_reruns_gather_and_everything_after() {
    let project = Library::new();
    let unfiltered = project.build();
    // A table of filters that are all off asks for nothing.
    project
        .manifest(&format!("{MANIFEST}[net.big.optimize.filters]\nfiltered = false\nrandom_fen_skipping = 0\nearly_fen_skipping = -1\n"));
    assert_eq!(project.build().status, NetStatus::Fresh);
    let keys = |net: &NetReport| net.stages.iter().map(|stage| stage.key.clone()).collect::<Vec<_>>();
    assert_eq!(keys(&project.build()), keys(&unfiltered));

    let filtered = |lines: &str| {
        project.manifest(&format!("{}[net.big.optimize.filters]\n{lines}\n", MANIFEST.replace("200", "50")));
        project.build()
    };
    let stages = |net: &NetReport| ran(net).iter().map(|(stage, _)| *stage).collect::<Vec<_>>();
    filtered("");
    let net = filtered("random_fen_skipping = 1");
    assert_eq!(stages(&net), ["gather", "search", "permute", "write", "prove"]);
    let reason = net.stages[1].reason.clone().unwrap();
    assert_eq!((reason.kind(), reason.name()), ("param_changed", Some("filters")));
    assert_eq!(reason.change(), (None, Some("{\"random_fen_skipping\":1}")));
    let net = filtered("random_fen_skipping = 1\npc = \"2026-01\"\npc_y1 = 0.5");
    let reason = net.stages[1].reason.clone().unwrap();
    assert_eq!(reason.change().1, Some("{\"pc\":\"2026-01\",\"pc_y1\":\"0.5\",\"random_fen_skipping\":1}"));
    // Another spelling of the same number is the same filter.
    assert_eq!(filtered("random_fen_skipping = 0x1\npc = \"2026-01\"\npc_y1 = 5e-1").status, NetStatus::Fresh);
}

#[test]
fn a_filter_that_lines_cannot_answer_fails_with_the_reason() {
    let project = Library::new();
    project.manifest(&format!("{MANIFEST}[net.big.optimize.filters]\nmax_ply = 80\n"));
    let report = project.run(&Options::default());
    let error = report.nets[0].error.clone().unwrap();
    for part in ["the filter `max_ply`", "lines of FEN have none", "positions.fen"] {
        assert!(error.contains(part), "{error}");
    }
    assert!(!project.at("dist").exists());
}

#[test]
fn a_touched_or_copied_source_reruns_nothing() {
    let project = Library::new();
    project.build();
    let bytes = std::fs::read(project.at("run.nnue")).unwrap();
    std::fs::remove_file(project.at("run.nnue")).unwrap();
    std::fs::write(project.at("run.nnue"), bytes).unwrap();
    assert_eq!(project.build().status, NetStatus::Fresh);
}

#[test]
fn another_form_of_the_same_network_reruns_only_load() {
    let project = Library::new();
    // What nobody says follows the source, and would change with it.
    let text = std::fs::read_to_string(project.at("nnue.toml")).unwrap();
    std::fs::write(project.at("nnue.toml"), text.replacen("outputs", "compression = \"leb128\"\noutputs", 1)).unwrap();
    let first = project.build();
    let mut bytes = Vec::new();
    write(&mut bytes, &random_network("small", 64, 5), Compression::Leb128).unwrap();
    std::fs::write(project.at("run.nnue"), bytes).unwrap();
    let net = project.build();
    assert_eq!(ran(&net), [("load", "input_changed".to_owned())]);
    assert_eq!(net.outputs, first.outputs);
}

#[test]
fn a_missing_or_modified_output_is_written_again() {
    let project = Library::new();
    let first = project.build();
    std::fs::remove_file(project.at("latest.nnue")).unwrap();
    let net = project.build();
    assert_eq!(ran(&net), [("write", "output_missing".to_owned())]);
    assert_eq!(net.outputs, first.outputs);
    let path = project.at(&first.outputs[0].path);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[1000] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let net = project.build();
    assert_eq!(ran(&net), [("write", "output_modified".to_owned())]);
    assert_eq!(common::sha256(&std::fs::read(&path).unwrap()), first.outputs[0].sha256);
}

#[test]
fn deleted_and_damaged_blobs_are_made_again_with_the_same_bytes() {
    let project = Library::new();
    let first = project.build();
    let blobs = common::files_below(&project.at(".nnue/cache/v1/cas"));
    assert_eq!(blobs.len(), 2, "the matrix and the permutation");
    for damage in [false, true] {
        for blob in &blobs {
            if damage {
                let mut bytes = std::fs::read(blob).unwrap();
                let middle = bytes.len() / 2;
                bytes[middle] ^= 4;
                std::fs::write(blob, bytes).unwrap();
            } else {
                std::fs::remove_file(blob).unwrap();
            }
            let net = project.build();
            assert_eq!(ran(&net).len(), 1, "{:?}", ran(&net));
            assert_eq!(net.outputs, first.outputs);
            if damage {
                assert!(!project.warnings().is_empty());
            }
            assert!(blob.exists());
            assert_eq!(project.build().status, NetStatus::Fresh);
        }
    }
}

#[test]
fn a_dry_run_says_what_is_stale_and_changes_nothing() {
    let project = Library::new();
    let options = Options { dry_run: true, ..Options::default() };
    let report = project.run(&options);
    assert_eq!(report.nets[0].status, NetStatus::Stale);
    assert!(!project.at(".nnue").exists() && !project.at("dist").exists());
    project.build();
    assert_eq!(project.run(&options).nets[0].status, NetStatus::Fresh);
    project.manifest(&MANIFEST.replace("200", "201"));
    let report = project.run(&options);
    let states: Vec<(&str, StageStatus)> = report.nets[0].stages.iter().map(|stage| (stage.stage.name(), stage.status)).collect();
    use StageStatus::{Fresh, Stale};
    assert_eq!(states, [("load", Fresh), ("gather", Stale), ("search", Stale), ("permute", Stale), ("write", Stale), ("prove", Stale)]);
    assert_eq!(report.nets[0].stages[2].reason.as_ref().unwrap().kind(), "upstream_stale");
}

#[test]
fn force_gives_the_same_bytes_and_so_do_threads_and_a_lost_cache() {
    let project = Library::new();
    let first = project.build();
    let forced = project.run(&Options { force: true, ..Options::default() }).nets.remove(0);
    assert_eq!(ran(&forced).len(), 6);
    assert_eq!(forced.outputs, first.outputs);
    std::fs::remove_dir_all(project.at(".nnue")).unwrap();
    let one = project.run(&Options { jobs: Some(1), ..Options::default() }).nets.remove(0);
    assert_eq!(one.outputs, first.outputs);
}

#[test]
fn a_failing_net_does_not_stop_others_when_told_to_keep_going() {
    let project = Library::new();
    project.manifest(&format!("{MANIFEST}\n[net.aaa]\nsource = \"missing.nnue\"\noutputs = [\"aaa.nnue\"]\n"));
    let report = project.run(&Options { keep_going: true, ..Options::default() });
    let status: Vec<(&str, NetStatus)> = report.nets.iter().map(|net| (net.net.as_str(), net.status)).collect();
    assert_eq!(status, [("big", NetStatus::Built), ("aaa", NetStatus::Failed)]);
    assert!(report.nets[1].error.as_ref().unwrap().contains("missing.nnue"));
    assert_eq!(project.errors.lock().unwrap().len(), 1);
}

#[test]
fn too_few_positions_fail_with_both_numbers() {
    let project = Library::new();
    project.manifest(&MANIFEST.replace("200", "5000"));
    let report = project.run(&Options::default());
    let error = report.nets[0].error.clone().unwrap();
    assert!(error.contains("5000") && error.contains("400"), "{error}");
    assert!(!project.at("dist").exists());
}

#[test]
fn builds_in_other_folders_have_the_same_keys_and_bytes() {
    let (one, two) = (Library::new(), Library::new());
    let (first, second) = (one.build(), two.build());
    let keys = |net: &NetReport| net.stages.iter().map(|stage| stage.key.clone()).collect::<Vec<_>>();
    assert_eq!(keys(&first), keys(&second));
    assert_eq!(first.outputs, second.outputs);
}
