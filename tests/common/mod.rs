//! What the integration tests share: golden data, and temporary folders.
#![allow(dead_code, missing_docs)]

use std::path::{Path, PathBuf};

/// A folder of the golden data, which `NNUE_TEST_DATA` names: more than fits into the repository. Without it the caller skips, but CI fails.
pub fn data(name: &str) -> Option<PathBuf> {
    let Some(data) = std::env::var_os("NNUE_TEST_DATA") else {
        assert!(std::env::var_os("CI").is_none(), "NNUE_TEST_DATA is not set, and CI must not skip this");
        println!("skipped: NNUE_TEST_DATA does not name the golden data");
        return None;
    };
    let path = Path::new(&data).join(name);
    assert!(path.is_dir(), "`{}` is missing", path.display());
    Some(path)
}

/// What the trainer's tools and engines wrote.
pub fn golden() -> Option<PathBuf> {
    data("golden")
}

/// Reads `path`, or decompresses `path.xz`.
pub fn read_maybe_xz(path: &Path) -> Vec<u8> {
    if path.exists() {
        return std::fs::read(path).unwrap();
    }
    let packed = PathBuf::from(format!("{}.xz", path.display()));
    let mut input = std::io::BufReader::new(std::fs::File::open(&packed).unwrap_or_else(|error| panic!("{}: {error}", packed.display())));
    let mut bytes = Vec::new();
    lzma_rs::xz_decompress(&mut input, &mut bytes).unwrap_or_else(|error| panic!("{}: {error:?}", packed.display()));
    bytes
}

/// All files below `folder` whose name (without `.xz`) ends with `ending`, sorted, without `.xz`.
pub fn files_ending(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.to_str().unwrap();
                let name = name.strip_suffix(".xz").unwrap_or(name);
                if name.ends_with(ending) {
                    found.push(PathBuf::from(name));
                }
            }
        }
    }
    found.sort();
    found
}

/// Lower-case hex SHA-256.
pub fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn json(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))).unwrap()
}

/// All files below a folder, sorted.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() { found.extend(files_below(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// lc0's weight files of every kind, and what lc0 makes of them.
pub fn golden_lc0() -> Option<PathBuf> {
    data("golden_lc0")
}

/// A JSON file that may be packed.
pub fn json_maybe_xz(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&read_maybe_xz(path)).unwrap()
}

/// As [`json_maybe_xz`], of a file in which Python wrote NaN: they become null.
pub fn json_nan_xz(path: &Path) -> serde_json::Value {
    let text = String::from_utf8(read_maybe_xz(path)).unwrap();
    serde_json::from_str(&text.replace(": NaN", ": null")).unwrap()
}

/// A safetensors file without what tells its scales, as old checkpoints are: `ft127` and `ft255` give other nets.
pub fn without_scales(file: &[u8]) -> Vec<u8> {
    let length = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    let mut header: serde_json::Value = serde_json::from_slice(&file[8..8 + length]).unwrap();
    header.as_object_mut().unwrap().remove("__metadata__").unwrap();
    let mut header = header.to_string();
    // As the trainer named them from September 2025 to February 2026, with two scales in this time.
    for (old, new) in [("l1_fact.", "l1.factorized_linear."), ("l1.weight", "l1.linear.weight"), ("l1.bias", "l1.linear.bias")] {
        header = header.replace(&format!("layer_stacks.{old}"), &format!("layer_stacks.{new}"));
    }
    let mut header = header.replace("l2.", "l2.linear.").replace("output.", "output.linear.").into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    [&(header.len() as u64).to_le_bytes()[..], &header, &file[8 + length..]].concat()
}
