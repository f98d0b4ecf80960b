//! Every file of `tests/attacks/files` (made by `tests/attacks/make.py`) is refused for the right reason or is inert; none
//! starts a process, makes a file, or takes memory out of proportion.
//!
//! `tests/attacks/expected.txt` has one line a file: its name, then `ok` or a part of the refusal.
#![allow(unsafe_code, reason = "an allocator that counts")]

#[path = "common/lc0_net.rs"]
mod lc0_net;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    collections::BTreeMap,
    fs,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
};

use nnue::internals::{
    error::{Error, Result},
    family::lc0::{Decode, Net, View},
    files::Bytes,
    format::{npz::Npz, safetensors, torch::TorchFile, zip},
};

/// Counts the bytes in use and their peak.
struct Counting {
    now: AtomicUsize,
    peak: AtomicUsize,
}

impl Counting {
    fn grow(&self, size: usize) {
        let now = self.now.fetch_add(size, Ordering::Relaxed) + size;
        self.peak.fetch_max(now, Ordering::Relaxed);
    }
}

// SAFETY: every call is handed to the system's allocator unchanged; only numbers are kept beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.grow(layout.size());
        // SAFETY: the caller's promises are the system allocator's demands.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        self.now.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting { now: AtomicUsize::new(0), peak: AtomicUsize::new(0) };

/// What a payload would create.
const MARKER: &str = "/tmp/nnue-attack-PWNED";

/// Reading may take this much for each byte of the file …
const FACTOR: usize = 128;
/// … and this much besides: the most tensors that a walk may find.
const ALLOWANCE: usize = 32 << 20;
/// What one compressed byte can become.
const DEFLATE: usize = 1032;

/// Does with a file all that the tool does with it, and more.
fn read_everything(path: &Path) -> Result<()> {
    let bytes = Bytes::from_vec(fs::read(path).unwrap());
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("safetensors") => {
            for (_, tensor) in safetensors::read(bytes)?.tensors {
                tensor.contiguous_le_bytes()?;
            }
        }
        Some("npz") => {
            let npz = Npz::open(bytes)?;
            for name in npz.names() {
                npz.array(name)?.contiguous_le_bytes()?;
            }
        }
        _ => {
            let file = TorchFile::open(bytes)?;
            // These may refuse what has no network in it; what counts is that they return.
            let _ = (file.tensors(), file.attributes(), file.globals(), file.verify_storages());
            for (_, tensor) in file.state_dict()? {
                tensor.contiguous_le_bytes()?;
                tensor.to_f32()?;
            }
        }
    }
    Ok(())
}

/// Memory is counted for the whole process: those that count it take turns.
static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());

#[test]
fn every_attack_is_refused_or_inert() {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/attacks");
    let _ = fs::remove_file(MARKER);
    let expected = fs::read_to_string(folder.join("expected.txt")).unwrap();
    let mut expected: BTreeMap<&str, &str> = expected.lines().filter_map(|line| line.split_once(": ")).collect();
    let mut wrong = Vec::new();
    let mut names: Vec<_> =
        fs::read_dir(folder.join("files")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    for name in &names {
        let path = folder.join("files").join(name);
        let size = fs::metadata(&path).unwrap().len() as usize;
        let before = ALLOCATOR.now.load(Ordering::Relaxed);
        ALLOCATOR.peak.store(before, Ordering::Relaxed);
        let outcome = read_everything(&path).map_or_else(|error| error.to_string(), |()| "ok".into());
        let peak = ALLOCATOR.peak.load(Ordering::Relaxed) - before;
        let factor = if name.ends_with(".npz") { FACTOR + DEFLATE } else { FACTOR };
        if peak > factor * size + ALLOWANCE {
            wrong.push(format!("{name}: {peak} bytes of memory for a file of {size}"));
        }
        match expected.remove(name.as_str()) {
            Some("ok") if outcome == "ok" => {}
            Some(part) if part != "ok" && outcome.contains(part) => {}
            part => wrong.push(format!("{name}: {outcome} (expected: {})", part.unwrap_or("nothing"))),
        }
    }
    for (body, count) in [(&b"}"[..], 1_000_000), (b"}0", 500_000), (b"h\0)R0", 400_000), (b"]Na0", 400_000), (b"\x8c\x010", 400_000)] {
        let pickle = [&b"\x80\x02cm\nC\nq\0"[..], &body.repeat(count), b"."].concat();
        let mut file = zip::Writer::new(Vec::new());
        let mut write = |out: &mut dyn std::io::Write| out.write_all(&pickle).map_err(|error| Error::new(error.to_string()));
        file.entry("a/data.pkl", pickle.len() as u64, 1, &mut write).unwrap();
        let file = file.finish().unwrap();
        let (size, before) = (file.len(), ALLOCATOR.now.load(Ordering::Relaxed));
        ALLOCATOR.peak.store(before, Ordering::Relaxed);
        let _ = TorchFile::open(Bytes::from_vec(file));
        let peak = ALLOCATOR.peak.load(Ordering::Relaxed) - before;
        if peak > FACTOR * size + ALLOWANCE {
            wrong.push(format!("{}: {peak} bytes of memory for a file of {size}", body.escape_ascii()));
        }
    }
    wrong.extend(expected.keys().map(|name| format!("{name}: the file is missing")));
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(!Path::new(MARKER).exists(), "a payload was executed");
    assert!(names.len() > 120);
}

#[test]
fn no_format_reader_can_start_a_process_or_write_a_file() {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    fn visit(folder: &Path, seen: &mut usize) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                visit(&path, seen);
                continue;
            }
            if path.ends_with("tests.rs") {
                continue;
            }
            let code = fs::read_to_string(&path).unwrap();
            let code = code.split("#[cfg(test)]").next().unwrap();
            for word in ["std::process", "process::Command", "fs::write", "File::create", "dlopen", "TcpStream"] {
                assert!(!code.contains(word), "`{}` uses `{word}`", path.display());
            }
            *seen += 1;
        }
    }
    let mut seen = 0;
    visit(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/format"), &mut seen);
    assert!(seen >= 10);
}

/// Peak of memory while a weight file is read and described, and what came of it.
fn read_weights(bytes: Vec<u8>) -> (usize, String) {
    let bytes = Bytes::from_vec(bytes);
    let before = ALLOCATOR.now.load(Ordering::Relaxed);
    ALLOCATOR.peak.store(before, Ordering::Relaxed);
    let read = || -> Result<()> {
        let net = Net::read(&bytes)?;
        net.describe(Decode::default());
        for view in View::ALL {
            for tensor in net.tensors(*view, Decode::default())?.tensors {
                tensor.values()?;
            }
        }
        Ok(())
    };
    let outcome = read().map_or_else(|error| error.to_string(), |()| "ok".into());
    (ALLOCATOR.peak.load(Ordering::Relaxed) - before, outcome)
}

/// Weight files of lc0 that lie about lengths, inflate without end or have more records than any network.
#[test]
fn hostile_weight_files_are_refused_within_bounds() {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let gzip = |content: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, content).unwrap();
        encoder.finish().unwrap()
    };
    const MAGIC: &[u8] = b"\x0D\xC0\x01\0\0";
    let with = |rest: &[u8]| [MAGIC, rest].concat();
    let endless = b"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01";
    let format = b"\x1a\x02\x10\x15\x22\x02\x08\x01";
    // A layer of `input.weights` whose `params` claim more than there is.
    let layer = |params: &[u8]| {
        let layer = [&b"\x1a"[..], params].concat();
        let conv = [&[0x0A, layer.len() as u8][..], &layer].concat();
        let weights = [&[0x0A, conv.len() as u8][..], &conv].concat();
        with(&[&format[..], &[0x52, weights.len() as u8], &weights].concat())
    };
    let cases = [
        ("a length of 2^64 - 1", with(&[&b"\x52"[..], endless].concat()), "The file is truncated."),
        ("a varint without an end", with(&[0xFF; 100_000]), "The file seems truncated."),
        ("params of 2^64 - 1", layer(endless), "The file is truncated."),
        ("a group", with(b"\x53"), "The file seems to be unparseable."),
        ("a million empty blocks", with(&[&[0x52, 0x80, 0x89, 0x7A][..], &b"\x12\0".repeat(1_000_000)].concat()), "too many records"),
        ("a million unknown records", with(&b"\x78\0".repeat(1_000_000)), "too many records"),
        ("a million records, packed", gzip(&with(&b"\x78\0".repeat(1_000_000))), "too many records"),
        ("300 MB of zeros in 300 kB", gzip(&[MAGIC, &vec![0; 300 << 20]].concat()), "not a network"),
        ("a trailer without a net", [&b"\x7fELF"[..], &[0xFF; 4], b"Lc0!"].concat(), "unparseable"),
        ("a trailer as large as can be", [&b"\x7fELF"[..], &i32::MAX.to_le_bytes(), b"Lc0!"].concat(), "too small"),
        ("a trailer as small as can be", [&b"\x7fELF"[..], &i32::MIN.to_le_bytes(), b"Lc0!"].concat(), "too small"),
    ];
    for (what, bytes, words) in cases {
        let size = bytes.len();
        let (peak, outcome) = read_weights(bytes);
        assert!(outcome.contains(words), "{what}: {outcome}");
        // What inflates is bounded by its own limit.
        let limit = if words == "not a network" { 800 << 20 } else { FACTOR * size + ALLOWANCE };
        assert!(peak <= limit, "{what}: {peak} bytes of memory for a file of {size}");
    }
    // A whole network takes what it is inflated, and little besides: layers are decoded one at a time.
    let net = lc0_net::net(&lc0_net::SMALL, 1);
    let mut file = Vec::new();
    net.write_gz(&mut file).unwrap();
    let (peak, outcome) = read_weights(file);
    assert_eq!(outcome, "ok");
    assert!(peak as u64 <= 8 * net.pb_len() + ALLOWANCE as u64, "{peak}");
    assert!(net.findings(Decode::default()).is_empty(), "{:?}", net.findings(Decode::default()));
}
