//! The remote cache as users have it: the real binary against real servers (nginx, S3, two of the Remote Execution API) and
//! against two that do everything wrong; and clusters, which are the same servers.
#![allow(missing_docs)]

#[path = "../cli_support/mod.rs"]
mod cli_support;
#[path = "../common/mod.rs"]
mod common;
#[path = "../project/mod.rs"]
mod project;
mod servers;

#[cfg(feature = "remote")]
mod cluster;
mod credentials;
mod damage;
#[cfg(feature = "remote")]
mod execution;
#[cfg(feature = "remote")]
mod grpc;
mod interrupts;
#[cfg(feature = "remote")]
mod liar;
mod real_servers;
mod requests;
mod uploads;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, OnceLock};

use cli_support::{Ran, write_net};
use nnue::internals::cache::record::{ActionResult, Said};
use nnue::internals::cache::{ActionRecord, Cache, OpenOptions, Preimage, Remote, RemoteOptions};
use nnue::internals::stage::{Outcome, Sampled, Stage};
use project::Project;
use serde_json::Value;
use servers::{Field, Reply, Server, bytes_of, digest, field, files, http, protobuf};

/// A net to optimize, with a remote cache.
fn client(url: &str, mode: &str) -> Project {
    client_with(&format!("[cache.remote]\nurl = \"{url}\"\nmode = \"{mode}\"\n"))
}

/// Projects of this are equal but for what more the manifest says.
fn client_with(more: &str) -> Project {
    Project::new(&format!(
        "version = 1\n[source.run]\npath = \"run.nnue\"\nquantization = \"ft127\"\n[data.fens]\npath = \"positions.fen\"\n\
         [net.big]\nsource = \"run\"\noutputs = [\"big.nnue\"]\n[net.big.optimize]\ndata = \"fens\"\npositions = 100\n{more}"
    ))
}

/// How the tests here build, and what of it they look at.
trait Build {
    /// Builds, and gives stage → status.
    fn build(&self) -> (BTreeMap<String, String>, Ran);
    /// Builds as if for the first time.
    fn build_anew(&self) -> (BTreeMap<String, String>, Ran);
    fn output(&self) -> Vec<u8>;
}

impl Build for Project {
    #[track_caller]
    fn build(&self) -> (BTreeMap<String, String>, Ran) {
        let ran = self.nnue(&["build", "--json"]).ok();
        (statuses(&ran.json()), ran)
    }

    #[track_caller]
    fn build_anew(&self) -> (BTreeMap<String, String>, Ran) {
        let _ = std::fs::remove_dir_all(self.at(".nnue"));
        let _ = std::fs::remove_file(self.at("big.nnue"));
        self.build()
    }

    fn output(&self) -> Vec<u8> {
        self.bytes("big.nnue")
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
        let project = client_with("");
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
    let project = client(&server.url, "read-write");
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
    let file = [field(1, b"artifact"), field(2, digest(hash, blob.len()))].concat();
    let any = [field(1, b"nnue/ActionRecord"), field(2, sealed.as_bytes())].concat();
    [field(2, &file), field(9, [field(1, b"nnue"), field(11, &any)].concat())].concat()
}
