//! The container that PyTorch wrote before 1.6 and still writes on request: five pickles in a row (magic number, version,
//! system, the object, the list of storage keys), then each storage as a 64-bit count and its elements.
//!
//! # Limitations
//! Storages are little-endian: PyTorch wrote them so on every machine. The even older tar container is refused.

use std::{collections::HashMap, ops::Range};

use super::{
    pickle::{self, Node, Persistent, Pickle},
    value::storage_dtype,
};
use crate::error::{Error, Result};
use crate::files::Reader;

/// 0x1950a86a20f9469cfc6c, little-endian.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

/// True when `bytes` begin with a pickle of the magic number, or could.
pub(super) fn is_legacy(bytes: &[u8]) -> bool {
    matches!(bytes, [0x80, 2..=5, ..])
}

/// Where each storage's elements lie in the file, by its key.
pub(super) type Ranges = HashMap<Box<str>, Range<usize>>;

/// Reads the pickles of `bytes` and where each storage's elements lie.
///
/// # Errors
/// When the file is truncated, its parts contradict each other, or something follows them.
pub(super) fn read(bytes: &[u8]) -> Result<(Pickle, Ranges)> {
    let mut at = 0;
    let mut next = |persistent| -> Result<Pickle> {
        let pickle = pickle::run(bytes.get(at..).unwrap_or_default(), at, persistent)?;
        at += pickle.len;
        Ok(pickle)
    };
    let magic = next(Persistent::None).map_err(not_torch)?;
    if !matches!(root(&magic), Some(Node::Long(long)) if **long == MAGIC) {
        return Err(not_torch(Error::new("its first value is not PyTorch's magic number")));
    }
    match root(&next(Persistent::None)?) {
        Some(Node::Int(1001)) => {}
        _ => return Err(Error::new("the version of this legacy PyTorch file is unknown").because("only version 1001 was ever in use")),
    }
    let _system = next(Persistent::None)?;
    let object = next(Persistent::Legacy)?;
    let keys = next(Persistent::None)?;
    let Some(Node::List(list)) = root(&keys) else {
        return Err(Error::new("the file's list of storages is not a list"));
    };

    let mut wanted: HashMap<&str, (usize, usize)> = HashMap::new();
    for node in &object.nodes {
        if let Node::Storage(storage) = node {
            let size = storage_dtype(&object, storage)?.size();
            let key = object.text(storage.key);
            if *wanted.entry(key).or_insert((storage.numel, size)) != (storage.numel, size) {
                return Err(Error::new(format!("storage `{}` is described in two ways", show(key))));
            }
        }
    }
    let mut found = HashMap::new();
    for &id in list {
        let Some(Node::Str(key)) = keys.nodes.get(id as usize) else {
            return Err(Error::new("a storage key is not text"));
        };
        let &(numel, size) = wanted.get(&**key).ok_or_else(|| Error::new(format!("no tensor uses storage `{}`", show(key))))?;
        let stated = Reader::new(bytes).at(at).u64().map_err(|_| cut_off(bytes.len(), key, 8))?;
        if stated != numel as u64 {
            return Err(Error::new(format!("storage `{}` has the wrong size", show(key)))
                .because(format!("{numel} elements were announced, {stated} are there")));
        }
        let start = at + 8;
        let len = numel.checked_mul(size).ok_or_else(|| cut_off(bytes.len(), key, usize::MAX))?;
        let end = start.checked_add(len).filter(|&end| end <= bytes.len());
        let end = end.ok_or_else(|| cut_off(bytes.len(), key, (start.saturating_add(len)) - bytes.len().min(start)))?;
        if found.insert(key.clone(), start..end).is_some() {
            return Err(Error::new(format!("storage `{}` is stored twice", show(key))));
        }
        at = end;
    }
    if at != bytes.len() {
        return Err(Error::new(format!("{} bytes follow the end of the file's last storage", bytes.len() - at)));
    }
    Ok((object, found))
}

fn root(pickle: &Pickle) -> Option<&Node> {
    pickle.nodes.get(pickle.root as usize)
}

fn not_torch(cause: Error) -> Error {
    Error::new("this is a pickle, but not a PyTorch file").because(cause).help("expected a file that `torch.save` wrote")
}

fn cut_off(len: usize, key: &str, needed: usize) -> Error {
    Error::new("the PyTorch file is incomplete")
        .because(format!("it ends at byte {len}, inside storage `{}` which needs {needed} bytes", show(key)))
        .help("copy or download the file again")
}

fn show(key: &str) -> String {
    key.chars().take(100).collect::<String>().escape_debug().to_string()
}
