//! What travels in another form than it has here: proofs, whose floats stay, and networks that an architecture file describes. The cluster is
//! that of [`crate::remote`].

use std::sync::Arc;

use nnue::internals::build::{Options, StageStatus};
use nnue::internals::cache::ActionRecord;
use nnue::internals::cache::remote::execute::{Request, Source};

use crate::project::{Project, manifest};
use crate::remote::{Built, Cluster, build, build_with, failed, failing, key_of, lying};

/// The part of a manifest that sends everything.
fn remote() -> String {
    format!("[remote]\nmin-seconds = 0\njobs = 4\ntool = '{}'\n", env!("CARGO_BIN_EXE_nnue"))
}

/// One job at a time, so that what the cluster sees has an order; goes on after failures.
fn one_job() -> Options {
    Options { jobs: Some(1), keep_going: true, ..Options::default() }
}

/// The same manifest where nothing is worth sending.
fn at_home(project: &Project) -> Built {
    project.manifest(&project.text("nnue.toml").replace("min-seconds = 0", "min-seconds = 100000"));
    let cluster = Arc::new(Cluster::default());
    let built = build_with(project, &cluster, &one_job(), Arc::default()).unwrap();
    assert!(cluster.log().is_empty(), "{:?}", cluster.log());
    built
}

/// The record of a stage of the first net.
fn record(project: &Project, built: &Built, stage: &str) -> ActionRecord {
    let stages = &built.report.nets[0].stages;
    let key = stages.iter().find(|found| found.stage.name() == stage).unwrap().key.clone().unwrap();
    let bytes = std::fs::read(project.at(&format!(".nnue/cache/v1/actions/{}/{}.json", &key[..2], &key[2..]))).unwrap();
    ActionRecord::decode(key.parse().unwrap(), &bytes).unwrap()
}

#[track_caller]
fn same_record(mut there: ActionRecord, here: &ActionRecord) {
    assert!(there.result.elsewhere && !here.result.elsewhere);
    there.result.elsewhere = false;
    there.result.duration_s = here.result.duration_s;
    assert_eq!(there, *here);
}

const PROVEN: &str = manifest!("[net.big]\nsource = \"run\"\noutputs = \"big.nnue\"\n[net.big.prove]\ndata = \"fens\"\npositions = 120\n");

#[test]
fn a_proof_runs_there_and_its_record_is_that_of_one_made_here() {
    let (there, here) = (Project::new(&(PROVEN.to_owned() + &remote())), Project::new(&(PROVEN.to_owned() + &remote())));
    let cluster = Arc::new(Cluster::default());
    let built = build(&there, &cluster);
    assert_eq!((cluster.log(), built.remote("big")), (vec!["prove ran".to_owned()], vec!["prove worker-3".to_owned()]));
    assert_eq!(built.warnings(), Vec::<String>::new());
    assert!(cluster.fetched.lock().unwrap().iter().all(|blob| blob.bytes < 4096), "a record is all that comes back");
    let local = at_home(&here);
    assert!(there.bytes("big.nnue") == here.bytes("big.nnue"));
    assert_eq!(built.report.nets[0].proof, local.report.nets[0].proof);
    same_record(record(&there, &built, "prove"), &record(&here, &local, "prove"));
    // What was proven there is proven.
    assert_eq!(build(&there, &cluster).report.nets[0].proof, local.report.nets[0].proof);
    assert_eq!(cluster.log().len(), 1);
    // Where the file has its name already, more positions are looked at there, too.
    there.manifest(&there.text("nnue.toml").replace("positions = 120", "positions = 130"));
    build(&there, &cluster);
    assert_eq!(cluster.log()[1..], ["prove ran"]);
}

/// Floats are many times what is made of them: a proof against them is made there of the integers, and of the floats here.
#[test]
fn floats_stay_here_and_the_proof_is_the_same() {
    let text = manifest!("[net.floats]\nsource = \"run\"\noutputs = \"floats.safetensors\"\nprove = false\n");
    let proven = "[source.floats]\npath = \"floats.safetensors\"\n[net.big]\nsource = \"floats\"\noutputs = \"big.nnue\"\n\
                  [net.big.prove]\ndata = \"fens\"\npositions = 120\n";
    let make = || {
        let project = Project::new(text);
        project.nnue(&["build"]).ok();
        project.manifest(&(manifest!("").to_owned() + proven + &remote()));
        project
    };
    let (there, here) = (make(), make());
    let cluster = failing(|_, request: &Request| {
        let inputs: Vec<&str> = request.inputs.iter().map(|input| input.path.as_str()).collect();
        assert_eq!(inputs, ["in/network", "in/published", "in/data.0", "nnue", "request.json"]);
        None
    });
    let (built, local) = (build(&there, &cluster), at_home(&here));
    assert_eq!(cluster.log(), ["prove ran"]);
    let proof = local.report.nets[0].proof.clone();
    assert!(format!("{proof:?}").contains("Deviation"), "{proof:?}");
    assert_eq!(built.report.nets[0].proof, proof);
    same_record(record(&there, &built, "prove"), &record(&here, &local, "prove"));

    // A limit that the floats do not keep is found here, in the words of a build here.
    let fails = |project: &Project| {
        project.manifest(&project.text("nnue.toml").replace("positions = 120\n", "positions = 120\nmax_error = 0\n"));
        std::fs::remove_file(project.at("big.nnue")).unwrap();
        project.manifest(&project.text("nnue.toml").replace("outputs = \"big.nnue\"", "outputs = \"other.nnue\""));
    };
    fails(&there);
    fails(&here);
    let built = build_with(&there, &cluster, &one_job(), Arc::default()).unwrap();
    let local = at_home(&here);
    assert_eq!(built.errors, local.errors);
    assert!(built.errors.len() == 1 && built.errors[0].contains("changes the evaluation too much"), "{:?}", built.errors);
    assert!(built.warnings().is_empty() && !there.at("other.nnue").exists(), "{:?}", built.warnings());
}

/// A file that no engine of its generation reads.
fn unprovable() -> Project {
    let project = Project::new(
        &(PROVEN.replace("quantization = \"ft127\"\n", "").replace("outputs = ", "compression = \"none\"\noutputs = ") + &remote()),
    );
    let network = nnue::internals::net::random_network("SFNNv10a", 32, 3);
    let mut bytes = Vec::new();
    nnue::internals::format::nnue::write(&mut bytes, &network, nnue::internals::format::nnue::Compression::None).unwrap();
    std::fs::write(project.at("run.nnue"), bytes).unwrap();
    project
}

#[test]
fn a_proof_that_fails_there_fails_the_net_in_the_words_of_one_here() {
    let (there, here) = (unprovable(), unprovable());
    let cluster = Arc::new(Cluster::default());
    let built = build_with(&there, &cluster, &one_job(), Arc::default()).unwrap();
    let local = at_home(&here);
    assert_eq!(built.errors, local.errors);
    assert!(built.errors.len() == 1 && built.errors[0].contains("cannot be proven"), "{:?}", built.errors);
    assert_eq!(cluster.asked.lock().unwrap().len(), 1, "it was sent");
    let of_cluster: Vec<String> = built.warnings().into_iter().filter(|text| text.contains("cluster")).collect();
    assert_eq!(of_cluster, [""; 0]);
    for project in [&there, &here] {
        assert!(!project.at("big.nnue").exists());
    }
    let status = |built: &Built| built.report.nets[0].stages.iter().map(|stage| (stage.stage, stage.status)).collect::<Vec<_>>();
    assert_eq!(status(&built), status(&local));
    assert!(status(&built).iter().any(|(stage, status)| stage.name() == "prove" && *status == StageStatus::Failed));
    // Nobody who wants no fallback gets other words.
    there.manifest(&there.text("nnue.toml").replace("[remote]\n", "[remote]\nfallback = false\n"));
    let strict = build_with(&there, &cluster, &one_job(), Arc::default()).unwrap();
    assert_eq!(strict.errors, local.errors);
}

/// A worker that finds fault with a sound file decides nothing but a warning.
#[test]
fn a_proof_that_fails_there_alone_is_a_warning() {
    let project = Project::new(&(PROVEN.to_owned() + &remote()));
    let cluster = failing(|_, _| Some(failed(1)));
    let built = build(&project, &cluster);
    let warnings = built.warnings();
    let warning = "prove failed on worker-3 of the cluster `a cluster`, and not here, which counts: no room";
    assert!(warnings.len() == 1 && warnings[0].starts_with(warning), "{warnings:?}");
    assert!(built.remote("big").is_empty() && project.at("big.nnue").exists());
    let strict = Project::new(&(PROVEN.to_owned() + &remote() + "fallback = false\n"));
    // A program that dies is no finding.
    let built = build_with(&strict, &failing(|_, _| Some(failed(137))), &one_job(), Arc::default()).unwrap();
    assert!(built.errors.len() == 1 && built.errors[0].contains("prove did not run on the cluster"), "{:?}", built.errors);
    let built = build_with(&strict, &cluster, &one_job(), Arc::default()).unwrap();
    assert!(built.errors.is_empty() && built.warnings().len() == 1, "{:?} {:?}", built.errors, built.warnings());
}

/// Whole, of the right request, and without the work: what a proof that is made again here finds.
#[test]
fn a_proof_that_was_not_made_is_found_by_whom_looks() {
    let lie = || {
        lying(|_, outputs| {
            let sealed = outputs["out/record"].clone();
            let mut record = ActionRecord::decode(key_of(&String::from_utf8_lossy(&sealed)), &sealed).unwrap();
            record.result.output_digest = nnue::internals::files::Blake3::of(b"looks good");
            outputs.insert("out/record".to_owned(), record.encode().unwrap());
        })
    };
    let project = Project::new(&(PROVEN.to_owned() + &remote()));
    let wary = Options { cluster_recheck: Some(1.0), ..one_job() };
    let built = build_with(&project, &lie(), &wary, Arc::default()).unwrap();
    assert!(built.errors.len() == 1 && built.errors[0].contains("prove gave another result on worker-3 than here"), "{:?}", built.errors);
    assert!(!project.at("big.nnue").exists());
    let honest = build_with(&project, &Arc::new(Cluster::default()), &wary, Arc::default()).unwrap();
    assert!(honest.errors.is_empty() && project.at("big.nnue").exists(), "{:?}", honest.errors);
    // Half a record of a proof is none.
    let cut = lying(|_, outputs| outputs.get_mut("out/record").unwrap().truncate(100));
    let other = Project::new(&(PROVEN.to_owned() + &remote()));
    let built = build(&other, &cut);
    assert!(built.remote("big").is_empty() && built.warnings()[0].contains("in its action record"), "{:?}", built.warnings());
}

/// A described net, with these words of its architecture.
fn described(words: &str) -> Project {
    /// What bullet's example holds at 64 neurons.
    const FLOATS: u64 = 768 * 64 + 64 + 2 * 64 + 1;
    let project = Project::empty().with_fens("positions.fen", 9, 300);
    // Small weights of both signs, so that some outputs are zero and some are not.
    let weights = (0..FLOATS).map(|at| {
        let word = at.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
        (word as f32 / (1u64 << 24) as f32 - 0.5) * 0.2
    });
    std::fs::write(project.at("raw.bin"), weights.flat_map(f32::to_le_bytes).collect::<Vec<u8>>()).unwrap();
    project.manifest(&format!(
        "version = 1\n# Not for the cluster.\n[architecture.mine]\nlike = \"bullet-simple\"\n[architecture.mine.sizes]\nneuron = 64\n{words}[source.raw]\npath = \"raw.bin\"\n\
         architecture = \"mine\"\nlayout = \"raw\"\n[data.fens]\npath = \"positions.fen\"\n[net.big]\nsource = \"raw\"\n\
         [net.big.outputs]\nquantised = \"big.bin\"\n[net.big.optimize]\ndata = \"fens\"\npositions = 100\n{}",
        remote()
    ));
    project
}

fn is_in(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn described_networks_are_gathered_there_and_the_bytes_are_those_of_a_build_here() {
    // Its outputs are squares of single neurons; or products of two.
    let pairs = "[architecture.mine.activation]\nkind = \"pairwise\"\nshift = 9\n[architecture.mine.permutation]\npairs = true\n";
    for words in ["", pairs] {
        let (there, here) = (described(words), described(words));
        let cluster = failing(|_, request: &Request| {
            // Nothing of the manifest but the words of the architecture.
            for input in request.inputs.iter().filter(|input| input.path == "in/network") {
                let Source::Memory(bytes) = &input.source else { panic!("it is in memory") };
                let bytes = (**bytes).as_ref();
                assert!(is_in(bytes, "activation") && !is_in(bytes, "Not for") && !is_in(bytes, "quantised"));
            }
            None
        });
        let built = build(&there, &cluster);
        assert_eq!(cluster.log(), ["gather ran", "search ran"], "{words}: {:?}", built.warnings());
        assert_eq!(built.remote("big"), ["gather worker-3", "search worker-3"]);
        let local = at_home(&here);
        assert!(there.bytes("big.bin") == here.bytes("big.bin"), "{words}: another net than without a cluster");
        // Its matrix stays there; only its record is here.
        let (mut gathered, expected) = (record(&there, &built, "gather"), record(&here, &local, "gather"));
        gathered.result.stored = true;
        same_record(gathered, &expected);
        same_record(record(&there, &built, "search"), &record(&here, &local, "search"));
        assert!(expected.result.bytes > 1000);
        // Everything again, and compared.
        let wary = Options { cluster_recheck: Some(1.0), force: true, ..one_job() };
        assert!(build_with(&there, &cluster, &wary, Arc::default()).unwrap().errors.is_empty(), "{words}");
    }
}
