//! The remote cache as users have it: the real binary against a real nginx, a real S3 server, and a server that does everything wrong.
#![allow(missing_docs)]

mod cli_support;
mod common;
mod remote_support;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};

use cli_support::{Ran, write_fens, write_net};
use nnue::cache::record::{ActionResult, Said};
use nnue::cache::{ActionRecord, Cache, OpenOptions, Preimage, Remote, RemoteOptions};
use nnue::stage::{Outcome, Sampled, Stage};
use remote_support::{Field, Reply, Server, bytes_of, files, http, protobuf};
use serde_json::Value;

/// A project folder; clones of it are equal but for the cache.
struct Project {
    _folder: tempfile::TempDir,
    path: PathBuf,
    environment: BTreeMap<&'static str, String>,
}

impl Project {
    /// A net to optimize, with a remote cache.
    fn new(url: &str, mode: &str) -> Self {
        Self::with(&format!("[cache.remote]\nurl = \"{url}\"\nmode = \"{mode}\"\n"))
    }

    fn with(more: &str) -> Self {
        static INPUTS: OnceLock<tempfile::TempDir> = OnceLock::new();
        let inputs = INPUTS.get_or_init(|| {
            let folder = tempfile::tempdir().unwrap();
            write_net(&folder.path().join("run.nnue"), "small", 64, 5);
            write_fens(&folder.path().join("positions.fen"), 9, 300);
            folder
        });
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("project");
        std::fs::create_dir(&path).unwrap();
        for name in ["run.nnue", "positions.fen"] {
            std::fs::copy(inputs.path().join(name), path.join(name)).unwrap();
        }
        let manifest = format!(
            "version = 1\n[source.run]\npath = \"run.nnue\"\nquantization = \"ft127\"\n[data.fens]\npath = \"positions.fen\"\n\
             [net.big]\nsource = \"run\"\noutputs = [\"big.nnue\"]\n[net.big.optimize]\ndata = \"fens\"\npositions = 100\n{more}"
        );
        std::fs::write(path.join("nnue.toml"), manifest).unwrap();
        Self { _folder: folder, path, environment: BTreeMap::new() }
    }

    fn env(mut self, name: &'static str, value: &str) -> Self {
        self.environment.insert(name, value.to_owned());
        self
    }

    fn command(&self) -> assert_cmd::Command {
        let mut command = cli_support::command(&self.path);
        // Nothing of the machine that runs the tests may reach the program.
        for (name, _) in std::env::vars_os() {
            let known = ["NNUE_", "AWS_", "GOOGLE_", "AZURE_", "SSL_CERT_"].iter().any(|start| name.to_string_lossy().starts_with(start));
            if known || name.to_string_lossy().to_lowercase().ends_with("_proxy") {
                command.env_remove(name);
            }
        }
        command.envs(&self.environment);
        command
    }

    fn nnue(&self, args: &[&str]) -> Ran {
        let output = self.command().args(args).output().unwrap();
        Ran {
            code: output.status.code().expect("it was not killed"),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Builds, and gives stage → status.
    #[track_caller]
    fn build(&self) -> (BTreeMap<String, String>, Ran) {
        let ran = self.nnue(&["build", "--json"]).ok();
        (statuses(&ran.json()), ran)
    }

    /// Builds as if for the first time.
    #[track_caller]
    fn build_anew(&self) -> (BTreeMap<String, String>, Ran) {
        let _ = std::fs::remove_dir_all(self.path.join(".nnue"));
        let _ = std::fs::remove_file(self.path.join("big.nnue"));
        self.build()
    }

    fn output(&self) -> Vec<u8> {
        std::fs::read(self.path.join("big.nnue")).unwrap()
    }
}

fn statuses(report: &Value) -> BTreeMap<String, String> {
    let stages = report["nets"][0]["stages"].as_array().unwrap();
    stages.iter().map(|stage| (stage["stage"].as_str().unwrap().to_owned(), stage["status"].as_str().unwrap().to_owned())).collect()
}

#[track_caller]
fn assert_stages(found: &BTreeMap<String, String>, gather: &str, search: &str) {
    assert_eq!((found["gather"].as_str(), found["search"].as_str()), (gather, search), "{found:?}");
}

fn warnings(ran: &Ran) -> Vec<&str> {
    ran.err.lines().filter(|line| line.starts_with("warning:")).collect()
}

#[track_caller]
fn assert_warned_once(ran: &Ran, part: &str) {
    let warnings = warnings(ran);
    assert!(warnings.len() == 1 && warnings[0].contains(part), "expected one warning with `{part}`:\n{}", ran.transcript());
}

/// What the project gives without any remote cache.
fn expected() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| {
        let project = Project::with("");
        project.build();
        project.output()
    })
}

/// A server with the results of one build, and the names of its values.
struct Filled {
    server: Server,
    gather: String,
    search: String,
    matrix: String,
    permutation: String,
}

fn filled() -> Filled {
    let server = Server::start();
    let project = Project::new(&server.url, "read-write");
    let (stages, ran) = project.build();
    assert_stages(&stages, "ran", "ran");
    assert_eq!(ran.err, "");
    assert_eq!(project.output(), expected());
    let values = server.values();
    assert_eq!(values.len(), 4, "{:?}", values.keys());
    let of_stage = |stage: &str| {
        let entries = values.iter().filter(|(name, _)| name.starts_with("ac/"));
        let found = entries.map(|(name, value)| (name.clone(), entry(value))).find(|(_, entry)| entry.record["result"]["stage"] == stage);
        let (name, entry) = found.unwrap();
        (name, format!("cas/{}", entry.hash))
    };
    let ((gather, matrix), (search, permutation)) = (of_stage("gather"), of_stage("search"));
    server.requests();
    Filled { server, gather, search, matrix, permutation }
}

/// What a value under `ac/` says, read without the program's code.
struct Entry {
    hash: String,
    size: u64,
    path: String,
    record: Value,
}

fn entry(value: &[u8]) -> Entry {
    let result = protobuf(value);
    // ActionResult: output_files = 2, exit_code = 4 (0 is not written), execution_metadata = 9.
    assert_eq!(result.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [2, 9]);
    let file = protobuf(&bytes_of(&result, 2));
    // OutputFile: path = 1, digest = 2. Digest: hash = 1, size_bytes = 2.
    let digest = protobuf(&bytes_of(&file, 2));
    let [(1, Field::Bytes(hash)), (2, Field::Varint(size))] = digest.as_slice() else { panic!("{digest:?}") };
    // ExecutedActionMetadata: worker = 1, auxiliary_metadata = 11. Any: type_url = 1, value = 2.
    let metadata = protobuf(&bytes_of(&result, 9));
    assert_eq!(bytes_of(&metadata, 1), b"nnue", "a cache that finds no worker writes one in");
    let Some((11, Field::Bytes(any))) = metadata.get(1) else { panic!("{metadata:?}") };
    let any = protobuf(any);
    assert_eq!(bytes_of(&any, 1), b"nnue/ActionRecord");
    Entry {
        hash: String::from_utf8(hash.clone()).unwrap(),
        size: *size,
        path: String::from_utf8(bytes_of(&file, 1)).unwrap(),
        record: serde_json::from_slice(&bytes_of(&any, 2)).unwrap(),
    }
}

// ── Real servers ─────────────────────────────────────────────────────────────────────────────────────────────────────

/// The same for every kind of server: one machine fills it, others take from it.
fn is_shared(url: &str, environment: &[(&'static str, &str)]) {
    let project = |mode: &str| {
        let project = Project::new(url, mode);
        environment.iter().fold(project, |project, (name, value)| project.env(name, value))
    };
    let first = project("read-write");
    let (stages, ran) = first.build();
    assert_stages(&stages, "ran", "ran");
    assert_eq!(ran.err, "");
    assert_eq!(first.output(), expected());

    // The same machine without its local cache, then another one.
    let other = project("read");
    for project in [&first, &other] {
        let (stages, ran) = project.build_anew();
        assert_stages(&stages, "cached", "cached");
        assert_eq!(ran.err, "");
        assert_eq!(project.output(), expected());
        let (stages, _) = project.build();
        assert_stages(&stages, "fresh", "fresh");
    }

    // The matrix was not fetched; another search needs it.
    let ran =
        other.nnue(&["build", "-v", "--json", "--set", "net.big.optimize.algorithm=anneal", "--set", "net.big.optimize.moves=1000"]).ok();
    assert_stages(&statuses(&ran.json()), "fresh", "ran");
    assert!(ran.err.contains("remote cache: gather taken"), "{}", ran.err);
    assert!(warnings(&ran).is_empty(), "{}", ran.err);
}

#[test]
fn nginx_with_webdav_serves_it() {
    let Some(nginx) = remote_support::nginx() else { return };
    is_shared(&nginx.url, &[]);
    let values = files(&nginx.folder.path().join("data/some/cache"));
    assert_eq!(values.keys().filter(|name| name.starts_with("ac/")).count(), 2, "{:?}", values.keys());
    for (name, value) in &values {
        if let Some(hash) = name.strip_prefix("cas/") {
            assert_eq!(common::sha256(value), hash, "a blob is named by its SHA-256");
            continue;
        }
        let entry = entry(value);
        let blob = &values[&format!("cas/{}", entry.hash)];
        assert_eq!((entry.path.as_str(), entry.size), ("artifact", blob.len() as u64));
        // The preimage stands in the record in its canonical form, and its hash is the name.
        let canonical = serde_json::to_string(&entry.record["preimage"]).unwrap();
        assert_eq!(name.strip_prefix("ac/").unwrap(), common::sha256(canonical.as_bytes()));
        assert_eq!(entry.record["result"]["bytes"], blob.len());
    }
    // Nobody uploads in mode "read".
    let reader = Project::new(&nginx.url, "read");
    reader.nnue(&["build", "--set", "net.big.optimize.positions=120"]).ok();
    assert_eq!(files(&nginx.folder.path().join("data/some/cache")).len(), values.len());
    // What is there is not uploaded once more.
    let log = || std::fs::read_to_string(nginx.folder.path().join("access.log")).unwrap();
    let before = log().matches("\"PUT /some/cache/cas/").count();
    let forced = Project::new(&nginx.url, "read-write");
    let ran = forced.nnue(&["build", "--force", "-v"]).ok();
    assert!(ran.err.contains("nothing taken (0 bytes), 0 missed, 2 uploaded"), "{}", ran.err);
    assert_eq!(log().matches("\"PUT /some/cache/cas/").count(), before);
    assert!(log().contains("\"HEAD /some/cache/cas/"));
}

#[test]
fn https_is_spoken_with_servers_that_can_be_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let Some(nginx) = remote_support::nginx_with_tls(folder.path()) else { return };
    let authority = folder.path().join("authority.pem").to_str().unwrap().to_owned();
    is_shared(&nginx.url, &[("SSL_CERT_FILE", &authority)]);

    // Nobody that the program knows by itself has signed the certificate.
    let stranger = Project::new(&nginx.url, "read");
    let (stages, ran) = stranger.build();
    assert_stages(&stages, "ran", "ran");
    assert_warned_once(&ran, "certificate");
    assert_eq!(stranger.output(), expected());

    let here = folder.path().join("key.pem").to_str().unwrap().to_owned();
    Project::new(&nginx.url, "read")
        .env("SSL_CERT_FILE", &here)
        .nnue(&["build"])
        .fails(2, &["there is no certificate in", "SSL_CERT_FILE"]);
}

/// Blobs of all sizes around the pieces in which they go over the network.
fn moves_blobs(url: &str) {
    for size in [0, 1, (8 << 20) - 1, 8 << 20, (20 << 20) + 123] {
        let bytes: Vec<u8> = (0..size).map(|i: u32| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let folder = tempfile::tempdir().unwrap();
        let ctx = nnue::ctx::Ctx::silent();
        let cache = Arc::new(Cache::open(folder.path(), OpenOptions::default(), &ctx).unwrap());
        let stored = cache.put_bytes(&bytes);
        let preimage = Preimage::of(&serde_json::json!({"stage": "gather", "size": size})).unwrap();
        let result = ActionResult {
            said: Said::Known(Outcome::Gather(Sampled::default())),
            output_digest: stored.digest,
            stored: true,
            bytes: stored.bytes,
            duration_s: 0.5,
            created_by: "test".to_owned(),
        };
        let record = ActionRecord { preimage: preimage.clone(), result };
        let open = || Remote::open(url, RemoteOptions { reads: true, writes: true }, &cache, &ctx).unwrap();
        let writer = open();
        writer.upload(&record);
        writer.finish().unwrap();
        assert_eq!(writer.traffic_so_far().uploaded, 1);
        let reader = open();
        let found = reader.find(&preimage, Stage::Gather).unwrap();
        assert_eq!(found.record, record);
        assert!(reader.fetch(&found, u64::from(size)).unwrap() == bytes, "{size}");
        assert!(size == 0 || reader.fetch(&found, u64::from(size) - 1).is_none(), "{size}");
        assert!(reader.find(&preimage, Stage::Search).is_none());
    }
}

#[test]
fn nginx_moves_blobs_of_all_sizes() {
    let Some(nginx) = remote_support::nginx() else { return };
    moves_blobs(&nginx.url);
}

/// The library takes credentials from the environment, so this is a process of its own: the test below starts it.
#[cfg(feature = "cloud")]
#[test]
#[ignore = "started by another test"]
fn s3_child() {
    moves_blobs(&std::env::var("NNUE_TEST_URL").unwrap());
}

#[cfg(feature = "cloud")]
#[test]
fn s3_serves_it() {
    let Some(moto) = remote_support::moto() else { return };
    let environment = [
        ("AWS_ENDPOINT_URL", moto.url.as_str()),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_REGION", "us-east-1"),
    ];
    is_shared("s3://bucket/some/cache", &environment);
    is_shared("s3://bucket", &environment);
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "s3_child", "--ignored"]).envs(environment).env("NNUE_TEST_URL", "s3://bucket/blobs");
    assert!(child.status().unwrap().success());

    let missing =
        environment.iter().fold(Project::new("s3://no-such-bucket/x", "read-write"), |project, (name, value)| project.env(name, value));
    let (stages, ran) = missing.build();
    assert_stages(&stages, "ran", "ran");
    assert_warned_once(&ran, "s3://no-such-bucket/x");
    assert_eq!(missing.output(), expected());

    let mut gone = environment;
    gone[0].1 = "http://127.0.0.1:1";
    let gone = gone.iter().fold(Project::new("s3://bucket", "read-write"), |project, (name, value)| project.env(name, value));
    let (stages, ran) = gone.build();
    assert_stages(&stages, "ran", "ran");
    assert_warned_once(&ran, "is not used any more");
    assert_eq!(gone.output(), expected());
}

#[cfg(not(feature = "cloud"))]
#[test]
fn a_bucket_needs_the_feature_and_only_for_a_build() {
    let project = Project::new("s3://bucket/some/cache", "read");
    for args in [&["status"][..], &["graph"], &["explain", "big"], &["build", "--dry-run"]] {
        project.nnue(args).ok();
    }
    let ran = project.nnue(&["build"]).fails(2, &["s3://bucket/some/cache", "cargo feature `cloud`", "--features cloud", "nnue.toml"]);
    assert!(!ran.err.contains("panicked"), "{}", ran.err);
}

// ── What is asked for, and when ──────────────────────────────────────────────────────────────────────────────────────

#[test]
fn only_a_build_that_runs_something_asks() {
    let Filled { server, .. } = filled();
    let project = Project::new(&server.url, "read-write");
    for args in [&["status"][..], &["explain", "big"], &["graph"], &["build", "--dry-run"], &["cache", "stats"]] {
        project.nnue(args).ok();
    }
    assert!(server.requests().is_empty());
    project.build();
    assert!(!server.requests().is_empty());
    for args in [&["build"][..], &["build", "--locked"], &["build", "--frozen"], &["verify"], &["verify", "--rebuild"], &["status"]] {
        project.nnue(args).ok();
        assert!(server.requests().is_empty(), "{args:?}");
    }
}

#[test]
fn a_matrix_that_nobody_needs_stays_where_it_is() {
    let Filled { server, gather, search, matrix, permutation } = filled();
    let asked = |server: &Server| {
        let requests = server.requests();
        requests.iter().map(|request| format!("{} {}", request.method, request.path.strip_prefix("/cache/").unwrap())).collect::<Vec<_>>()
    };
    let project = Project::new(&server.url, "read");
    let (stages, _) = project.build();
    assert_stages(&stages, "cached", "cached");
    assert_eq!(asked(&server), [format!("GET {gather}"), format!("GET {search}"), format!("GET {permutation}")]);

    // A search that the remote does not have needs it: from there, and if it is gone from the data.
    let anneal = ["build", "--json", "--set", "net.big.optimize.algorithm=anneal", "--set", "net.big.optimize.moves=1000"];
    let ran = project.nnue(&anneal).ok();
    assert_stages(&statuses(&ran.json()), "fresh", "ran");
    assert_eq!(ran.err, "");
    assert!(asked(&server).contains(&format!("GET {matrix}")));
    let annealed = project.output();

    let other = Project::new(&server.url, "read");
    other.build();
    server.clear();
    let ran = other.nnue(&anneal).ok();
    assert_stages(&statuses(&ran.json()), "ran", "ran");
    assert_eq!(ran.json()["nets"][0]["stages"][1]["reason"]["kind"], "blob_missing");
    assert_eq!(ran.err, "");
    assert_eq!(other.output(), annealed);
    let (stages, _) = other.build();
    assert_stages(&stages, "fresh", "cached");
}

/// A record of gather that belongs to nothing: the search over what it promises fits, and only a later one finds out.
#[test]
fn a_lie_that_shows_later_fails_no_build() {
    let Filled { server, gather, search, permutation, .. } = filled();
    let values = server.values();
    let lie = entry(&values[&gather]).record;
    let blob = b"never seen".to_vec();
    server.put(&gather, forged(&lie, &common::sha256(&blob), &blob));
    let mut preimage = entry(&values[&search]).record;
    preimage["preimage"]["inputs"]["matrix"] = blake3::hash(&blob).to_hex().to_string().into();
    let canonical = serde_json::to_string(&preimage["preimage"]).unwrap();
    let name = permutation.strip_prefix("cas/").unwrap();
    server.put(&format!("ac/{}", common::sha256(canonical.as_bytes())), forged(&preimage, name, &values[&permutation]));
    let project = Project::new(&server.url, "read");
    let (stages, ran) = project.build();
    assert_stages(&stages, "cached", "cached");
    assert_eq!(ran.err, "");

    let anneal = ["build", "--json", "--set", "net.big.optimize.algorithm=anneal", "--set", "net.big.optimize.moves=1000"];
    let ran = project.nnue(&anneal).ok();
    assert_stages(&statuses(&ran.json()), "ran", "ran");
    assert_warned_once(&ran, "cannot be used");
    let honest = Project::with("");
    honest.nnue(&anneal).ok();
    assert_eq!(project.output(), honest.output());
}

#[test]
fn without_its_search_a_matrix_is_fetched() {
    let Filled { server, search, .. } = filled();
    server.answer(move |request, _| if request.path.ends_with(&search) { Reply::Raw(http("404 Not Found", b"")) } else { Reply::Honest });
    let project = Project::new(&server.url, "read");
    let (stages, ran) = project.build();
    assert_stages(&stages, "cached", "ran");
    assert_eq!(ran.err, "", "what is not there is not worth a warning");
    assert_eq!(project.output(), expected());
}

#[test]
fn force_takes_nothing_and_frozen_writes_nothing() {
    let Filled { server, .. } = filled();
    let project = Project::new(&server.url, "read-write");
    let ran = project.nnue(&["build", "--force", "--json"]).ok();
    assert_stages(&statuses(&ran.json()), "ran", "ran");
    let requests = server.requests();
    assert!(requests.iter().all(|request| request.method != "GET") && requests.iter().any(|request| request.method == "PUT"));

    let clone = Project::new(&server.url, "read-write");
    std::fs::copy(project.path.join("nnue.lock"), clone.path.join("nnue.lock")).unwrap();
    let ran = clone.nnue(&["build", "--frozen", "--json"]).ok();
    assert_stages(&statuses(&ran.json()), "cached", "cached");
    assert!(server.requests().iter().all(|request| request.method == "GET"));
    assert!(!clone.path.join(".nnue").exists());
    assert_eq!(clone.output(), expected());
}

#[test]
fn the_address_can_be_given_on_the_command_line() {
    let Filled { server, .. } = filled();
    let project = Project::with("");
    let ran = project.nnue(&["build", "--json", "--set", &format!("cache.remote.url={}/", server.url)]).ok();
    assert_stages(&statuses(&ran.json()), "cached", "cached");
    assert!(server.requests().iter().all(|request| !request.path.contains("//")));
}

// ── Damage and lies ──────────────────────────────────────────────────────────────────────────────────────────────────

/// Builds from nothing against a server whose answers for `name` are `value`.
#[track_caller]
fn survives(filled: &Filled, project: &Project, what: &str) -> (BTreeMap<String, String>, Ran) {
    let (stages, ran) = project.build_anew();
    assert_eq!(project.output(), expected(), "{what}: {}", ran.transcript());
    assert!(warnings(&ran).len() <= 1, "{what}: {}", ran.transcript());
    filled.server.requests();
    (stages, ran)
}

#[test]
fn a_changed_bit_is_noticed_wherever_it_is() {
    let filled = filled();
    let good = filled.server.values();
    let project = Project::new(&filled.server.url, "read");
    let mut noticed = 0;
    // Without the search's record the matrix is fetched.
    for (damaged, without) in
        [(&filled.gather, None), (&filled.search, None), (&filled.permutation, None), (&filled.matrix, Some(&filled.search))]
    {
        if let Some(without) = without {
            filled.server.put(without, b"".to_vec());
        }
        let value = &good[damaged];
        for step in 0..16 {
            let bit = (value.len() * 8 - 1) * step / 15;
            let mut bad = value.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            filled.server.put(damaged, bad);
            let what = format!("bit {bit} of {damaged}");
            let (stages, ran) = survives(&filled, &project, &what);
            if warnings(&ran).is_empty() {
                // A few bits of a record are of no meaning, such as those of the worker's name.
                assert!(damaged.starts_with("ac/"), "{what}");
                assert_stages(&stages, "cached", "cached");
            } else {
                assert!(ran.err.contains("cannot be used"), "{what}: {}", ran.err);
                noticed += 1;
            }
        }
        filled.server.put(damaged, value.clone());
    }
    assert!(noticed >= 60, "{noticed}");
}

#[test]
fn wrong_answers_are_misses_with_one_warning() {
    let filled = filled();
    let good = filled.server.values();
    let project = Project::new(&filled.server.url, "read");
    let page = b"<!DOCTYPE html><title>Sign in</title>".to_vec();
    for name in [&filled.gather, &filled.search, &filled.permutation] {
        let value = &good[name];
        let long: Vec<u8> = value.iter().copied().cycle().take(value.len() * 3).collect();
        for bad in [Vec::new(), page.clone(), value[..value.len() / 2].to_vec(), long, vec![0xff; 5 << 20], good[&filled.matrix].clone()] {
            let what = format!("{} bytes for {name}", bad.len());
            filled.server.put(name, bad);
            let (_, ran) = survives(&filled, &project, &what);
            assert_warned_once(&ran, name);
        }
        // Another action's record, whole as it is, and another blob.
        let other = if *name == filled.gather { &filled.search } else { &filled.gather };
        filled.server.put(name, good[other].clone());
        let (_, ran) = survives(&filled, &project, "another value");
        assert_warned_once(&ran, name);
        filled.server.put(name, value.clone());
    }
    let (stages, ran) = survives(&filled, &project, "all is well again");
    assert_stages(&stages, "cached", "cached");
    assert_eq!(ran.err, "");
}

#[test]
fn servers_that_refuse_or_fail_are_misses_with_one_warning() {
    let filled = filled();
    let project = Project::new(&filled.server.url, "read-write").env("NNUE_REMOTE_CACHE_TIMEOUT", "1");
    const SHORT: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nabc";
    const ENDLESS: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\nabc";
    type Case = (&'static str, fn() -> Reply);
    let replies: [Case; 14] = [
        ("401", || Reply::Raw(http("401 Unauthorized", b"no"))),
        ("403", || Reply::Raw(http("403 Forbidden", b"no"))),
        ("418", || Reply::Raw(http("418 I'm a teapot", b""))),
        ("204", || Reply::Raw(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec())),
        ("500", || Reply::Raw(http("500 Internal Server Error", b"oops"))),
        ("503", || Reply::Raw(http("503 Service Unavailable", b""))),
        ("a redirect to nowhere", || Reply::Raw(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n".to_vec())),
        ("a redirect to itself", || Reply::Raw(b"HTTP/1.1 302 Found\r\nLocation: x\r\nContent-Length: 0\r\n\r\n".to_vec())),
        ("nothing", || Reply::Raw(Vec::new())),
        ("no HTTP", || Reply::Raw(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec())),
        ("an end in the middle", || Reply::Raw(SHORT.to_vec())),
        ("silence", || Reply::Silence(Vec::new())),
        ("silence in the middle", || Reply::Silence(ENDLESS.to_vec())),
        ("a byte now and then", || Reply::Drip(SHORT.to_vec())),
    ];
    for (what, reply) in replies {
        filled.server.answer(move |_, _| reply());
        let (stages, ran) = project.build_anew();
        assert_stages(&stages, "ran", "ran");
        assert_eq!(project.output(), expected(), "{what}");
        // Uploads that are refused may be worth a second one, of their own.
        let (reading, writing): (Vec<&str>, Vec<&str>) = warnings(&ran).into_iter().partition(|warning| !warning.contains("not uploaded"));
        assert_eq!(reading.len(), 1, "{what}: {}", ran.transcript());
        assert!(writing.len() <= 1, "{what}: {}", ran.transcript());
        println!("{what}: {}", reading[0]);
    }
    for bytes in [&b""[..], b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc"] {
        filled.server.reset_after(bytes);
        let (stages, ran) = project.build_anew();
        assert_stages(&stages, "ran", "ran");
        assert_warned_once(&ran, "is not used any more");
        assert_eq!(project.output(), expected());
    }
}

#[test]
fn a_broken_remote_is_asked_no_more() {
    let server = Server::start();
    server.answer(|_, _| Reply::Raw(http("500 Internal Server Error", b"")));
    let project = Project::new(&server.url, "read-write");
    let (_, ran) = project.build();
    assert_warned_once(&ran, "500");
    let requests = server.requests();
    assert_eq!(requests.len(), 2, "the second is a second try: {requests:?}");

    let nobody = Project::new("http://127.0.0.1:1/cache", "read-write");
    let (stages, ran) = nobody.build();
    assert_stages(&stages, "ran", "ran");
    assert_warned_once(&ran, "http://127.0.0.1:1/cache");
    assert_eq!(nobody.output(), expected());
}

/// Records and blobs that fit together and are not what the stage gives: size and shape are still looked at.
#[test]
fn a_whole_result_of_the_wrong_shape_is_a_miss() {
    // Another net has a matrix and a permutation of 256 neurons; its honest results are put under this one's names.
    let filled = filled();
    let server = Server::start();
    let other = Project::new(&server.url, "read-write");
    write_net(&other.path.join("run.nnue"), "small", 128, 5);
    other.build();
    let project = Project::new(&filled.server.url, "read");
    let wide: Vec<(String, Vec<u8>)> = server.values().into_iter().filter(|(name, _)| name.starts_with("cas/")).collect();
    for (name, value) in &wide {
        filled.server.put(name, value.clone());
    }
    for name in [&filled.gather, &filled.search] {
        let stage = if *name == filled.gather { "gather" } else { "search" };
        let good = filled.server.values()[name].clone();
        let honest = entry(&good);
        for (blob_name, blob) in &wide {
            filled.server.put(name, forged(&honest.record, blob_name.strip_prefix("cas/").unwrap(), blob));
            let (stages, ran) = survives(&filled, &project, stage);
            if stage == "gather" {
                // The search over the forged matrix has another key: both have to be looked at, and the forged one is found out.
                assert_stages(&stages, "ran", "cached");
            } else {
                assert_stages(&stages, "cached", "ran");
            }
            assert_warned_once(&ran, "cannot be used");
        }
        filled.server.put(name, good);
    }
}

/// An `ac/` value that says that `blob` came out of the action of `record`, sealed as the program seals it.
fn forged(record: &Value, hash: &str, blob: &[u8]) -> Vec<u8> {
    let mut record = record.clone();
    record["result"]["output_digest"] = blake3::hash(blob).to_hex().to_string().into();
    record["result"]["bytes"] = blob.len().into();
    let (preimage, result) = (serde_json::to_string(&record["preimage"]).unwrap(), serde_json::to_string(&record["result"]).unwrap());
    let checksum = blake3::hash(result.as_bytes()).to_hex();
    let sealed = format!(
        "{{\"schema\":1,\"checksum\":\"{checksum}\",\"preimage_bytes\":{:<10},\"preimage\":{preimage},\"result\":{result}}}\n",
        preimage.len()
    );
    fn varint(mut value: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while value >= 128 {
            bytes.push((value & 127) as u8 | 128);
            value >>= 7;
        }
        bytes.push(value as u8);
        bytes
    }
    let field = |number: usize, bytes: &[u8]| [varint(number << 3 | 2), varint(bytes.len()), bytes.to_vec()].concat();
    let digest = [field(1, hash.as_bytes()), vec![2 << 3], varint(blob.len())].concat();
    let file = [field(1, b"artifact"), field(2, &digest)].concat();
    let any = [field(1, b"nnue/ActionRecord"), field(2, sealed.as_bytes())].concat();
    [field(2, &file), field(9, &[field(1, b"nnue"), field(11, &any)].concat())].concat()
}

#[test]
fn with_a_secret_only_results_of_those_who_know_it_are_taken() {
    let server = Server::start();
    let project = |secret: &str| Project::new(&server.url, "read").env("NNUE_REMOTE_CACHE_KEY", secret);
    let mut writer = project("open sesame");
    let manifest = std::fs::read_to_string(writer.path.join("nnue.toml")).unwrap().replace("\"read\"", "\"read-write\"");
    std::fs::write(writer.path.join("nnue.toml"), &manifest).unwrap();
    writer.build();
    let (stages, ran) = project("open sesame").build();
    assert_stages(&stages, "cached", "cached");
    assert_eq!(ran.err, "");
    let (stages, ran) = project("another").build();
    assert_stages(&stages, "ran", "ran");
    assert_warned_once(&ran, "not sealed with the secret in `NNUE_REMOTE_CACHE_KEY`");
    assert!(!ran.err.contains("another") && !ran.err.contains("sesame"));
    let (stages, _) = Project::new(&server.url, "read").build();
    assert_stages(&stages, "cached", "cached");
    assert!(server.values().values().all(|value| !value.windows(6).any(|part| part == b"sesame")));

    // What somebody without the secret uploaded is not taken by those who have it.
    server.clear();
    writer.environment.clear();
    writer.build_anew();
    let (stages, ran) = project("open sesame").build();
    assert_stages(&stages, "ran", "ran");
    assert_warned_once(&ran, "not sealed");
}

// ── Credentials ──────────────────────────────────────────────────────────────────────────────────────────────────────

#[test]
fn credentials_come_from_the_environment_and_go_nowhere_else() {
    let Filled { server, .. } = filled();
    let basic = Project::new(&server.url, "read").env("NNUE_REMOTE_CACHE_USER", "anna").env("NNUE_REMOTE_CACHE_PASSWORD", "geheim");
    basic.build();
    assert!(server.requests().iter().all(|request| request.authorization.as_deref() == Some("Basic YW5uYTpnZWhlaW0=")));

    // A server that keeps its values elsewhere.
    let elsewhere = Server::start();
    for (name, value) in server.values() {
        elsewhere.put(&name, value);
    }
    let target = elsewhere.url.clone();
    server.answer(move |request, _| {
        let name = request.path.strip_prefix("/cache/").unwrap();
        Reply::Raw(format!("HTTP/1.1 307 Temporary Redirect\r\nLocation: {target}/{name}\r\nContent-Length: 0\r\n\r\n").into_bytes())
    });
    let project = Project::new(&server.url, "read").env("NNUE_REMOTE_CACHE_TOKEN", "s3cret\n");
    let (stages, ran) = project.build();
    assert_stages(&stages, "cached", "cached");
    assert_eq!(ran.err, "");
    assert!(server.requests().iter().all(|request| request.authorization.as_deref() == Some("Bearer s3cret")));
    let there = elsewhere.requests();
    assert!(!there.is_empty() && there.iter().all(|request| request.authorization.is_none()), "{there:?}");

    // An upload is not sent on.
    let writer = Project::new(&server.url, "read-write").env("NNUE_REMOTE_CACHE_TOKEN", "s3cret");
    let ran = writer.nnue(&["build", "--force", "-vv"]).ok();
    assert_warned_once(&ran, "307");
    assert!(elsewhere.requests().iter().all(|request| request.method != "PUT"));
    assert!(!ran.err.contains("s3cret"), "{}", ran.err);
}

#[test]
fn credentials_in_the_open_are_worth_a_warning() {
    // An address that is reserved for documentation: nobody answers, or nobody is reached.
    let project =
        Project::new("http://192.0.2.1:9/cache", "read").env("NNUE_REMOTE_CACHE_TOKEN", "s3cret").env("NNUE_REMOTE_CACHE_TIMEOUT", "1");
    let (_, ran) = project.build();
    assert!(ran.err.contains("are sent without encryption") && !ran.err.contains("s3cret"), "{}", ran.err);
    assert_eq!(project.output(), expected());
    for (name, value) in
        [("NNUE_REMOTE_CACHE_TOKEN", "s3c ret"), ("NNUE_REMOTE_CACHE_PASSWORD", "s3c ret"), ("NNUE_REMOTE_CACHE_TIMEOUT", "soon")]
    {
        let ran = Project::new("http://127.0.0.1:1", "read").env(name, value).nnue(&["build"]).fails(2, &[name]);
        assert!(!ran.err.contains("s3c ret"), "{}", ran.err);
    }
}

// ── Uploads ──────────────────────────────────────────────────────────────────────────────────────────────────────────

#[test]
fn uploads_are_tried_again_and_given_up() {
    let server = Server::start();
    let failures = std::sync::atomic::AtomicU32::new(0);
    server.answer(move |request, _| {
        let fails = request.method == "PUT" && failures.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < 2;
        if fails { Reply::Raw(http("503 Service Unavailable", b"")) } else { Reply::Honest }
    });
    let (_, ran) = Project::new(&server.url, "read-write").build();
    assert_eq!(ran.err, "", "the third try went well");
    assert_eq!(server.values().len(), 4);
    let puts: Vec<String> =
        server.requests().iter().filter(|request| request.method == "PUT").map(|request| request.path.clone()).collect();
    assert!(puts[0].contains("/cas/") && puts.last().unwrap().contains("/ac/"), "blobs first: {puts:?}");

    for status in ["403 Forbidden", "413 Payload Too Large", "500 Internal Server Error"] {
        let server = Server::start();
        server.answer(move |request, _| if request.method == "PUT" { Reply::Raw(http(status, b"")) } else { Reply::Honest });
        let project = Project::new(&server.url, "read-write");
        let (_, ran) = project.build();
        assert_warned_once(&ran, status);
        assert!(ran.err.contains("not uploaded to the remote cache"), "{}", ran.err);
        assert_eq!(project.output(), expected());
        let puts = server.requests().iter().filter(|request| request.method == "PUT").count();
        assert_eq!(puts, if status.starts_with('5') { 3 } else { 2 }, "{status}");
        assert!(server.values().is_empty());
    }
}

#[test]
fn a_damaged_value_is_replaced_by_who_may_write() {
    let filled = filled();
    let good = filled.server.values();
    for (damaged, without) in [(&filled.gather, None), (&filled.permutation, None), (&filled.matrix, Some(&filled.search))] {
        let mut bad = good[damaged].clone();
        let middle = bad.len() / 2;
        bad[middle] ^= 1;
        filled.server.put(damaged, bad);
        if let Some(without) = without {
            filled.server.put(without, Vec::new());
        }
        let (_, ran) = Project::new(&filled.server.url, "read-write").build();
        assert_eq!(warnings(&ran).len(), 1, "{}", ran.err);
        let (stages, ran) = Project::new(&filled.server.url, "read").build();
        assert_stages(&stages, "cached", "cached");
        assert_eq!(ran.err, "", "{damaged}");
    }
}

// ── Ctrl-C ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/// Starts a build in the background.
fn spawn(project: &Project) -> std::process::Child {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("nnue"));
    command.current_dir(&project.path).arg("build").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // Far longer than anybody waits for a test: only Ctrl-C ends it.
    command.env("NNUE_REMOTE_CACHE_TIMEOUT", "86400").env_remove("http_proxy").env_remove("HTTP_PROXY");
    command.spawn().unwrap()
}

fn interrupt(child: &std::process::Child) {
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
}

fn wait_for(server: &Server, method: &str) {
    let mut seen = Vec::new();
    while !seen.iter().any(|request: &remote_support::Request| request.method == method) {
        std::thread::sleep(std::time::Duration::from_millis(10));
        seen.extend(server.requests());
    }
}

#[test]
fn ctrl_c_ends_a_look_up() {
    let server = Server::start();
    server.answer(|_, _| Reply::Silence(Vec::new()));
    let project = Project::new(&server.url, "read");
    let mut child = spawn(&project);
    wait_for(&server, "GET");
    interrupt(&child);
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn results_are_published_and_reported_before_uploads_are_waited_for() {
    let server = Server::start();
    server.answer(|request, _| if request.method == "PUT" { Reply::Silence(Vec::new()) } else { Reply::Honest });
    let project = Project::new(&server.url, "read-write");
    let mut child = spawn(&project);
    wait_for(&server, "PUT");
    let (mut out, mut text) = (child.stdout.take().unwrap(), Vec::new());
    while !String::from_utf8_lossy(&text).contains("big.nnue") {
        let mut byte = [0];
        assert_eq!(out.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&text));
        text.push(byte[0]);
    }
    assert_eq!(project.output(), expected());
    assert!(project.path.join("nnue.lock").exists());
    interrupt(&child);
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(err.contains("not uploaded") && err.contains("the build itself is done"), "{err}");
    assert!(Path::new(&project.path).join(".nnue/cache").is_dir());
}
