//! `nnue stage run`: what a worker of a cluster starts. It computes what a build computes, and believes nobody.

use std::fs;
use std::path::Path;

use nnue::internals::cache::{ActionRecord, Preimage};
use nnue::internals::files::Blake3;
use serde_json::{Value, json};

use crate::cli_support::{Ran, names, nnue};
use crate::project::{Project, manifest, net};

const MANIFEST: &str =
    manifest!("[net.big]\nsource = \"run\"\noutputs = \"big.nnue\"\n[net.big.optimize]\ndata = \"fens\"\npositions = 100\n");

/// What a build came to: the preimages and results of its stages that run elsewhere.
struct Built {
    project: Project,
    /// Of gather, search and prove.
    records: [ActionRecord; 3],
}

fn built() -> Built {
    let project = Project::new(MANIFEST);
    let report = project.json(&["build"]);
    let stages = net(&report, "big")["stages"].as_array().unwrap().clone();
    let records = ["gather", "search", "prove"].map(|name| {
        let key = stages.iter().find(|stage| stage["stage"] == name).unwrap()["key"].as_str().unwrap().to_owned();
        let path = project.at(&format!(".nnue/cache/v1/actions/{}/{}.json", &key[..2], &key[2..]));
        ActionRecord::decode(key.parse().unwrap(), &fs::read(path).unwrap()).unwrap()
    });
    Built { project, records }
}

impl Built {
    /// A worker's folder for a request, with the inputs of all stages.
    fn worker(&self, request: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("in")).unwrap();
        fs::copy(self.project.at("run.nnue"), folder.path().join("in/network")).unwrap();
        fs::copy(self.project.at("positions.fen"), folder.path().join("in/data.0")).unwrap();
        fs::copy(self.project.at("big.nnue"), folder.path().join("in/published")).unwrap();
        let matrix = self.records[0].result.output_digest.to_string();
        fs::copy(self.project.at(&format!(".nnue/cache/v1/cas/{}/{}", &matrix[..2], &matrix[2..])), folder.path().join("in/matrix"))
            .unwrap();
        fs::write(folder.path().join("request.json"), request).unwrap();
        folder
    }
}

fn run(folder: &Path) -> Ran {
    nnue(folder, ["stage", "run", "request.json", "--in", "in", "--out", "out"])
}

#[test]
fn a_worker_leaves_what_a_build_computes_and_a_record_that_says_nothing_of_time_and_place() {
    let built = built();
    for record in &built.records {
        let outputs = [(), ()].map(|()| {
            let folder = built.worker(record.preimage.as_str());
            let ran = run(folder.path()).ok();
            assert_eq!((ran.out.as_str(), ran.err.as_str()), ("", ""));
            let names = names(&folder.path().join("out"));
            names.into_iter().map(|name| (fs::read(folder.path().join("out").join(&name)).unwrap(), name)).collect::<Vec<_>>()
        });
        assert!(outputs[0] == outputs[1], "two workers give equal bytes");
        // What a proof finds stands in its record.
        let (artifact, sealed) = match outputs[0].as_slice() {
            [(artifact, name), (sealed, record)] if name == "artifact" && record == "record" => (Some(artifact), sealed),
            [(sealed, record)] if record == "record" => (None, sealed),
            other => panic!("{other:?}"),
        };
        assert_eq!(artifact.is_none(), record.result.stage_name() == "prove");
        assert_eq!(artifact.map_or(record.result.output_digest, |artifact| Blake3::of(artifact)), record.result.output_digest);
        let sealed = ActionRecord::decode(record.key(), sealed).unwrap();
        let mut expected = record.clone();
        expected.result.duration_s = 0.0;
        assert_eq!(sealed, expected);
    }
}

/// The preimage with another value at a JSON pointer, in the canonical form.
fn changed(record: &ActionRecord, place: &str, value: Value) -> String {
    let mut preimage = record.preimage.to_value();
    *preimage.pointer_mut(place).unwrap() = value;
    Preimage::of(&preimage).unwrap().as_str().to_owned()
}

#[test]
fn other_versions_other_files_and_other_texts_are_refused_before_anything_is_computed() {
    let built = built();
    let [gather, search, prove] = &built.records;
    let zeros = json!("0".repeat(64));
    for (request, parts) in [
        (changed(gather, "/key_schema", json!(2)), &["its key schema is 2", "[remote] tool"][..]),
        (changed(gather, "/stage_version", json!(99)), &["version 99 of gather"]),
        (changed(gather, "/stage", json!("bake")), &["there is no stage `bake`"]),
        (changed(gather, "/params/selection", json!(2)), &["gather with these parameters"]),
        (changed(search, "/params/algorithm", json!("magic")), &["search with these parameters"]),
        (changed(gather, "/stage", json!("permute")), &["permute with these parameters"]),
        (changed(gather, "/inputs", json!({"network": zeros})), &["its inputs are not those of gather"]),
        (changed(gather, "/inputs/data.0", json!("x")), &["its inputs are not digests"]),
        (changed(gather, "/inputs/data.0", zeros.clone()), &["`in/data.0` is not the input of the request", "its BLAKE3 is"]),
        (changed(gather, "/inputs/network", zeros.clone()), &["cannot use `in/network`", "not the one of the request"]),
        (changed(search, "/inputs/matrix", zeros), &["`in/matrix` is not the input of the request"]),
        (changed(prove, "/inputs/published", json!("1".repeat(64))), &["`in/published` is not the input of the request"]),
        (changed(prove, "/params", json!({"positions": 9, "seed": 0, "selection": 1, "max_error": "1"})), &["prove with these parameters"]),
        (changed(prove, "/inputs", json!({"network": "1".repeat(64)})), &["its inputs are not those of prove"]),
        (format!(" {}", gather.preimage), &["not in the canonical form"]),
        ("{}".to_owned(), &["not the preimage of a key"]),
        ("nonsense".to_owned(), &["cannot run `request.json`", "not JSON"]),
        (" ".repeat((1 << 20) + 1), &["more than 1048576 bytes"]),
    ] {
        let folder = built.worker(&request);
        run(folder.path()).fails(2, parts);
        assert!(!folder.path().join("out/artifact").exists() && !folder.path().join("out/record").exists(), "{request}");
    }
}

#[test]
fn paths_that_lead_out_of_the_folder_are_refused_and_no_link_leads_a_result_out() {
    let built = built();
    let folder = built.worker(built.records[0].preimage.as_str());
    let outside = tempfile::tempdir().unwrap();
    let absolute = outside.path().to_str().unwrap();
    for arguments in [
        ["../request.json", "--in", "in", "--out", "out"],
        ["request.json", "--in", "in/../..", "--out", "out"],
        ["request.json", "--in", "in", "--out", absolute],
    ] {
        nnue(folder.path(), ["stage", "run"].iter().chain(&arguments)).fails(2, &["leads out of this folder"]);
    }
    std::os::unix::fs::symlink(outside.path(), folder.path().join("out")).unwrap();
    assert_ne!(run(folder.path()).code, 0);
    assert!(names(outside.path()).is_empty(), "{:?}", names(outside.path()));
}

/// Every packing of a network gives the digest of the request: what travelled does not matter, what it holds does.
#[test]
fn a_network_may_travel_in_any_packing() {
    use nnue::internals::format::nnue::{Compression, write};
    let built = built();
    let folder = built.worker(built.records[0].preimage.as_str());
    let mut bytes = Vec::new();
    write(&mut bytes, &nnue::internals::net::random_network("small", 64, 5), Compression::None).unwrap();
    let packed = fs::read(folder.path().join("in/network")).unwrap();
    assert_ne!(packed, bytes);
    fs::write(folder.path().join("in/network"), bytes).unwrap();
    run(folder.path()).ok();
    assert_eq!(Blake3::of(&fs::read(folder.path().join("out/artifact")).unwrap()), built.records[0].result.output_digest);
}

/// Without a single other file, and without a network: as in a sandbox that has nothing.
#[cfg(target_os = "linux")]
#[test]
fn a_static_program_runs_in_an_empty_file_system() {
    let Some(tool) = std::env::var_os("NNUE_TEST_STATIC") else {
        assert!(std::env::var_os("CI").is_none(), "CI names a static program in NNUE_TEST_STATIC");
        println!("skipped: NNUE_TEST_STATIC names no static program");
        return;
    };
    let built = built();
    for record in &built.records {
        let folder = built.worker(record.preimage.as_str());
        fs::copy(&tool, folder.path().join("nnue")).unwrap();
        let mut unshared = std::process::Command::new("unshare");
        unshared.args(["--user", "--map-root-user", "--net", "chroot"]).arg(folder.path()).args(["/nnue", "stage", "run", "request.json"]);
        let ran = Ran::of(
            unshared.args(["--in", "in", "--out", "out"]).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").output().unwrap(),
        );
        ran.ok();
        let sealed = ActionRecord::decode(record.key(), &fs::read(folder.path().join("out/record")).unwrap()).unwrap();
        assert_eq!(sealed.result.output_digest, record.result.output_digest);
    }
}

/// A file that does not evaluate as its source does: the exit code tells it from a request that is refused.
#[test]
fn a_proof_that_fails_ends_with_1_and_leaves_no_record() {
    let built = built();
    let prove = &built.records[2];
    let mut damaged = fs::read(built.project.at("big.nnue")).unwrap();
    *damaged.last_mut().unwrap() ^= 0x40;
    let request = changed(prove, "/inputs/published", json!(Blake3::of(&damaged).to_string()));
    let folder = built.worker(&request);
    fs::write(folder.path().join("in/published"), damaged).unwrap();
    run(folder.path()).fails(1, &["does not evaluate as its source does"]);
    assert!(!folder.path().join("out/record").exists());
}

/// What stands in the place of a described network is believed as little.
#[test]
fn what_is_no_described_network_is_refused() {
    let built = built();
    let magic = b"nnue described network 1\n";
    let head = |text: &str| [&magic[..], &(text.len() as u64).to_le_bytes(), text.as_bytes()].concat();
    for (network, part) in [
        (magic.to_vec(), "it has no head"),
        ([&magic[..], &u64::MAX.to_le_bytes()].concat(), "its head is cut off"),
        (head("{}"), "missing field"),
        (head(&json!({"architecture": "x", "tensors": []}).to_string()), "invalid TOML"),
        (b"something else".to_vec(), "gather with these parameters is not run on its own"),
    ] {
        let mut preimage = built.records[0].preimage.to_value();
        preimage["params"]["activation"] = json!("screlu 255 0");
        preimage["inputs"]["network"] = json!(Blake3::of(&network).to_string());
        let folder = built.worker(Preimage::of(&preimage).unwrap().as_str());
        fs::write(folder.path().join("in/network"), network).unwrap();
        run(folder.path()).fails(2, &[part]);
    }
}
