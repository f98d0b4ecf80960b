//! Every file of `tests/attacks/files` (made by `tests/attacks/make.py`) is refused for the right reason or is inert; none
//! starts a process, makes a file, or takes memory out of proportion.
//!
//! `tests/attacks/expected.txt` has one line a file: its name, then `ok` or a part of the refusal.
#![allow(unsafe_code, reason = "an allocator that counts")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    collections::BTreeMap,
    fs,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
};

use nnue::internals::{
    error::{Error, Result},
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

#[test]
fn every_attack_is_refused_or_inert() {
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
    fn visit(folder: &Path, seen: &mut usize) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                visit(&path, seen);
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
