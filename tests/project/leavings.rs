//! A small project that builds in some hundredths of a second, and how the tests of robustness look at what a build left.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::time::{Duration, Instant, SystemTime};

use super::manifest;
use crate::cli_support::{self, write_fens, write_net};
use crate::common::{files_below, sha256};

/// Two nets: one that is optimized and has two outputs, one that is only written.
pub const MANIFEST: &str = manifest!(
    r#"[net.big]
source = "run"
outputs = ["dist/", "latest.nnue"]
[net.big.optimize]
data = "fens"
positions = 150
[net.plain]
source = "run"
compression = "none"
outputs = ["plain/plain.nnue"]
"#
);

/// Where every game begins.
pub const START: &str = "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1";

/// The same nets with other bytes.
pub fn other_manifest() -> String {
    MANIFEST
        .replace("positions = 150", "positions = 140")
        .replace("compression = \"none\"", "compression = \"none\"\ndescription = \"other\"")
}

pub fn make(path: &Path) {
    std::fs::create_dir_all(path).unwrap();
    write_net(&path.join("run.nnue"), "small", 32, 5);
    write_fens(&path.join("positions.fen"), 9, 400);
    std::fs::write(path.join("nnue.toml"), MANIFEST).unwrap();
}

/// A permutation as `nnue perm find` writes it.
pub fn write_permutation(path: &Path, order: impl ExactSizeIterator<Item = i32>) {
    let mut bytes = Vec::new();
    nnue::internals::format::npy::write_header(&mut bytes, nnue::internals::format::npy::DType::I64, &[order.len()]).unwrap();
    bytes.extend(order.flat_map(|entry| i64::from(entry).to_le_bytes()));
    std::fs::write(path, bytes).unwrap();
}

/// The program with these arguments, in the folder.
pub fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = cli_support::command(folder);
    command.args(args);
    command
}

pub fn start(folder: &Path, args: &[&str]) -> Child {
    command(folder, args).spawn().unwrap()
}

#[track_caller]
pub fn assert_ok(output: &Output) {
    assert!(output.status.success(), "{:?}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
}

/// Builds, and gives what is published then.
#[track_caller]
pub fn build(folder: &Path) -> Published {
    assert_ok(&command(folder, &["build"]).output().unwrap());
    published(folder)
}

/// Makes the next build look at everything: what tells it that nothing changed is gone.
pub fn look_again(folder: &Path) {
    let _ = std::fs::remove_file(folder.join(".nnue/state/unchanged.bin"));
}

/// Waits for all of them; a hang is a failure that says so.
#[track_caller]
pub fn wait_all(children: Vec<Child>, what: &str) -> Vec<Output> {
    const LIMIT: Duration = Duration::from_secs(120);
    let begin = Instant::now();
    let mut children = children;
    while children.iter_mut().any(|child| child.try_wait().unwrap().is_none()) {
        if begin.elapsed() > LIMIT {
            let ended: Vec<_> = children.iter_mut().map(|child| child.try_wait().unwrap()).collect();
            children.iter_mut().for_each(|child| drop(child.kill()));
            panic!("{what}: still running after {LIMIT:?}, a deadlock: {ended:?}");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    children.into_iter().map(|child| child.wait_with_output().unwrap()).collect()
}

/// SHA-256 by the place in the project; of the lock its text.
pub type Published = BTreeMap<String, String>;

const LOCK: &str = "./nnue.lock";

/// All published files and the lock.
pub fn published(folder: &Path) -> Published {
    let mut found = Published::new();
    for place in ["dist", "plain", "."] {
        for entry in std::fs::read_dir(folder.join(place)).into_iter().flatten().flatten() {
            let name = entry.file_name().into_string().unwrap();
            if !name.starts_with(".nnue-tmp-") && (place != "." || ["latest.nnue", "nnue.lock"].contains(&name.as_str())) {
                let bytes = std::fs::read(entry.path()).unwrap();
                let place = format!("{place}/{name}");
                let content = if place == LOCK { String::from_utf8(bytes).unwrap() } else { sha256(&bytes) };
                found.insert(place, content);
            }
        }
    }
    found
}

/// Everything of `expected` is there as it should be; other files may be there, too.
#[track_caller]
pub fn assert_published(folder: &Path, expected: &Published, context: &str) {
    let found = published(folder);
    for (name, digest) in expected {
        assert_eq!(found.get(name), Some(digest), "{context}: `{name}`");
    }
}

/// What may stand under each name.
pub type Allowed = BTreeMap<String, BTreeSet<String>>;

pub fn allowed(all: &[&Published]) -> Allowed {
    let mut allowed = Allowed::new();
    for (name, digest) in all.iter().copied().flatten() {
        allowed.entry(name.clone()).or_default().insert(digest.clone());
    }
    allowed
}

/// No half file stands under a real name: published files are among the allowed ones, cache and state prove that they are whole.
#[track_caller]
pub fn assert_whole(folder: &Path, allowed: &Allowed, context: &str) {
    for (name, content) in published(folder) {
        let is_whole = if name == LOCK {
            // A build of which a part failed locks the other nets.
            let known: BTreeSet<&str> = allowed[LOCK].iter().flat_map(|text| blocks(text)).collect();
            blocks(&content).all(|block| known.contains(block))
        } else {
            allowed.get(&name).is_some_and(|contents| contents.contains(&content))
        };
        assert!(is_whole, "{context}: `{name}` is not whole: {content}");
    }
    for path in files_below(&folder.join(".nnue")) {
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.starts_with(".nnue-tmp-") {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let place = path.strip_prefix(folder).unwrap().to_str().unwrap();
        let is_whole = if name.ends_with(".lock") || name == "lock" || name == "gate" {
            bytes.is_empty()
        } else if place.contains("/cas/") {
            let shard = path.parent().unwrap().file_name().unwrap().to_str().unwrap();
            blake3::hash(&bytes).to_hex().as_str() == format!("{shard}{name}")
        } else if name.ends_with(".bin") {
            let (body, checksum) = bytes.split_last_chunk::<32>().unwrap();
            blake3::hash(body) == *checksum
        } else if name == "CACHEDIR.TAG" {
            bytes.starts_with(b"Signature: 8a477f597d28d172789f06886806bc55\n") && bytes.ends_with(b"\n")
        } else if name.ends_with(".json") {
            serde_json::from_slice::<serde_json::Value>(&bytes).is_ok() && is_sealed(&bytes)
        } else {
            !bytes.is_empty()
        };
        assert!(is_whole, "{context}: `{place}` is not whole");
    }
    let verified = nnue::internals::cache::gc::verify(&folder.join(".nnue/cache"), None, &nnue::internals::ctx::Ctx::silent()).unwrap();
    assert!(verified.damaged.is_empty(), "{context}: {:?}", verified.damaged);
}

/// The head of a lock and its blocks, one a net, without the empty lines around them.
pub fn blocks(lock: &str) -> impl Iterator<Item = &str> {
    lock.split("\n[[net]]\n").map(str::trim_end)
}

/// A file with `{"checksum":…,"body":…}` has that checksum. Records have a frame of their own, which `cache verify` checks.
fn is_sealed(bytes: &[u8]) -> bool {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    let Some(rest) = text.strip_prefix("{\"checksum\":\"") else { return true };
    let (checksum, rest) = rest.split_at(64);
    let body = rest.strip_prefix("\",\"body\":").and_then(|rest| rest.strip_suffix("}\n"));
    body.is_some_and(|body| blake3::hash(body.as_bytes()).to_hex().as_str() == checksum)
}

pub fn temporary(folder: &Path) -> Vec<PathBuf> {
    let is_temporary = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(".nnue-tmp-");
    files_below(folder).into_iter().filter(is_temporary).collect()
}

/// Makes what killed builds left old enough to be nobody's, and lets a build and `gc` sweep it. Tells how many files that were.
#[track_caller]
pub fn sweep(folder: &Path) -> usize {
    let leftovers = temporary(folder);
    for leftover in &leftovers {
        let hour_ago = SystemTime::now() - Duration::from_secs(3600);
        // The owner may set the times of a file that nobody may write to.
        std::fs::File::open(leftover).unwrap().set_modified(hour_ago).unwrap();
    }
    assert_ok(&command(folder, &["build", "--force"]).output().unwrap());
    cli_support::nnue(folder, ["cache", "gc", "--grace", "1m"]).ok();
    assert_eq!(temporary(folder), Vec::<PathBuf>::new());
    leftovers.len()
}

/// Removes a part of what builds made, or nothing.
pub fn forget(folder: &Path, what: u64) {
    let remove = |name: &str| drop(std::fs::remove_dir_all(folder.join(name)).or_else(|_| std::fs::remove_file(folder.join(name))));
    match what % 4 {
        0 => remove(".nnue"),
        1 => [".nnue", "dist", "plain", "latest.nnue", "nnue.lock"].into_iter().for_each(remove),
        2 => ["dist", "plain", "latest.nnue"].into_iter().for_each(remove),
        _ => {}
    }
}

/// Copies a folder; permissions come along, times do not.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let place = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &place);
        } else {
            std::fs::copy(entry.path(), place).unwrap();
        }
    }
}

/// Flips one bit of a file in place, whatever its permissions say.
pub fn flip_bit(path: &Path, bit: usize) {
    use std::os::unix::fs::PermissionsExt;
    let mut bytes = std::fs::read(path).unwrap();
    bytes[bit / 8] ^= 1 << (bit % 8);
    let permissions = std::fs::metadata(path).unwrap().permissions();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::write(path, bytes).unwrap();
    std::fs::set_permissions(path, permissions).unwrap();
}

/// Stages of the report's nets that ran: net, stage, kind of the reason.
pub fn ran(report: &serde_json::Value) -> Vec<(String, String, String)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let nets = report["nets"].as_array().unwrap().iter();
    nets.flat_map(|net| net["stages"].as_array().unwrap().iter().map(move |stage| (net, stage)))
        .filter(|(_, stage)| stage["status"] == "ran")
        .map(|(net, stage)| (text(&net["net"]), text(&stage["stage"]), text(&stage["reason"]["kind"])))
        .collect()
}
