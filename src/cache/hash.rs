//! Digests of whole files, on all cores, of contents that held still.
//!
//! Files are read in blocks by the threads that hash them and not mapped: a source that somebody truncates meanwhile is an error
//! here and not a SIGBUS.

use std::{
    cell::RefCell,
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::Path,
};

use blake3::hazmat::{self, ChainingValue, HasherExt};

use super::{
    digest::{Blake3, Sha256, StreamDigest},
    signature::Signature,
};
use crate::error::{Error, Result};

/// Bytes that one thread reads and hashes at a time: a power of two (BLAKE3's tree asks for it) that stays in a core's own cache.
const BLOCK: usize = 256 << 10;

/// How often a file may change under the reader before that is an error.
const ATTEMPTS: usize = 3;

/// Both digests of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileDigests {
    /// BLAKE3 of the contents.
    pub blake3: Blake3,
    /// SHA-256 of the contents.
    pub sha256: Sha256,
    /// Bytes.
    pub len: u64,
}

/// Both digests of the file at `path`. SHA-256 is serial: about 1 s a gigabyte; see [`hash_file_blake3`].
///
/// # Errors
/// When the file cannot be read, is no regular file, or keeps changing.
pub fn hash_file(path: &Path) -> Result<FileDigests> {
    let ((blake3, sha256), signature) = hash_both(path)?;
    Ok(FileDigests { blake3, sha256, len: signature.len })
}

/// BLAKE3 of the file at `path` and its length, on the threads of the current rayon pool.
///
/// # Errors
/// As [`hash_file`].
pub fn hash_file_blake3(path: &Path) -> Result<(Blake3, u64)> {
    hash_blake3(path).map(|(digest, signature)| (digest, signature.len))
}

/// SHA-256 of the file at `path` and its length.
///
/// # Errors
/// As [`hash_file`].
pub fn hash_file_sha256(path: &Path) -> Result<(Sha256, u64)> {
    hash_sha256(path).map(|(digest, signature)| (digest, signature.len))
}

pub(super) fn hash_both(path: &Path) -> Result<((Blake3, Sha256), Signature)> {
    hash_stable(path, |file, len| {
        let (blake3, sha256) = rayon::join(|| blake3_of(file, len), || sha256_of(file, len));
        Ok((blake3?, sha256?))
    })
}

pub(super) fn hash_blake3(path: &Path) -> Result<(Blake3, Signature)> {
    hash_stable(path, blake3_of)
}

pub(super) fn hash_sha256(path: &Path) -> Result<(Sha256, Signature)> {
    hash_stable(path, sha256_of)
}

/// Hashes until the file's signature is the same before and after.
fn hash_stable<D>(path: &Path, hash: impl Fn(&File, u64) -> io::Result<D>) -> Result<(D, Signature)> {
    let failed = |error| Error::io("cannot read", path, error);
    for _ in 0..ATTEMPTS {
        // Asked before opening: opening a named pipe would wait for somebody to write to it.
        let before = fs::metadata(path).map_err(failed)?;
        if !before.is_file() {
            let what = if before.is_dir() { "it is a folder" } else { "it is no regular file" };
            return Err(Error::new(format!("cannot read `{}`", path.display())).because(what));
        }
        let before = Signature::of(&before);
        let file = File::open(path).map_err(failed)?;
        if Signature::of(&file.metadata().map_err(failed)?) != before {
            continue;
        }
        let digest = match hash(&file, before.len) {
            Ok(digest) => digest,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => continue,
            Err(error) => return Err(failed(error)),
        };
        if Signature::of(&fs::metadata(path).map_err(failed)?) == before {
            return Ok((digest, before));
        }
    }
    Err(Error::new(format!("`{}` changes while it is read", path.display()))
        .because(format!("its size or times were different after each of {ATTEMPTS} attempts"))
        .help("wait until whatever writes it is done"))
}

fn blake3_of(file: &File, len: u64) -> io::Result<Blake3> {
    if len <= BLOCK as u64 {
        return with_block(file, 0, len, Blake3::of);
    }
    let split = hazmat::left_subtree_len(len);
    let (left, right) = rayon::join(|| subtree(file, 0, split), || subtree(file, split, len - split));
    Ok(Blake3(hazmat::merge_subtrees_root(&left?, &right?, hazmat::Mode::Hash).into()))
}

/// The chaining value of the `len` bytes at `offset`, which are a proper subtree of the file's hash tree.
fn subtree(file: &File, offset: u64, len: u64) -> io::Result<ChainingValue> {
    if len <= BLOCK as u64 {
        return with_block(file, offset, len, |block| blake3::Hasher::new().set_input_offset(offset).update(block).finalize_non_root());
    }
    let split = hazmat::left_subtree_len(len);
    let (left, right) = rayon::join(|| subtree(file, offset, split), || subtree(file, offset + split, len - split));
    Ok(hazmat::merge_subtrees_non_root(&left?, &right?, hazmat::Mode::Hash))
}

fn sha256_of(file: &File, len: u64) -> io::Result<Sha256> {
    let mut state = <Sha256 as StreamDigest>::State::default();
    let mut at = 0;
    while at < len {
        let take = (len - at).min(BLOCK as u64);
        with_block(file, at, take, |block| Sha256::update(&mut state, block))?;
        at += take;
    }
    Ok(Sha256::finish(state))
}

/// Calls `then` with `len` ≤ [`BLOCK`] bytes at `offset`, read into a buffer that the thread keeps.
fn with_block<T>(file: &File, offset: u64, len: u64, then: impl FnOnce(&[u8]) -> T) -> io::Result<T> {
    thread_local!(static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; BLOCK]));
    BUFFER.with_borrow_mut(|buffer| {
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let block = buffer.get_mut(..len).ok_or_else(|| io::Error::other("a block is larger than its buffer"))?;
        file.read_exact_at(block, offset)?;
        Ok(then(block))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn files_of_all_sizes_have_the_digests_of_their_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let data: Vec<u8> = (0..2_000_003u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        for len in [0, 1, 63, 1024, 1025, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 2 * BLOCK + 1, 3 * BLOCK + 1023, 7 * BLOCK, data.len()] {
            fs::write(&path, &data[..len]).unwrap();
            let expected = FileDigests { blake3: Blake3::of(&data[..len]), sha256: Sha256::of(&data[..len]), len: len as u64 };
            assert_eq!(hash_file(&path).unwrap(), expected, "{len} bytes");
            assert_eq!(hash_file_blake3(&path).unwrap(), (expected.blake3, expected.len));
            assert_eq!(hash_file_sha256(&path).unwrap(), (expected.sha256, expected.len));
        }
        for threads in [1, 2, 7] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            assert_eq!(pool.install(|| hash_file_blake3(&path)).unwrap().0, Blake3::of(&data), "{threads} threads");
        }
    }

    #[test]
    fn a_file_that_keeps_changing_is_an_error_and_one_that_changed_once_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("growing");
        fs::write(&path, b"0").unwrap();
        let calls = AtomicUsize::new(0);
        let hash_while = |changes: usize| {
            calls.store(0, Ordering::Relaxed);
            hash_stable(&path, |file, len| {
                let digest = blake3_of(file, len);
                if calls.fetch_add(1, Ordering::Relaxed) < changes {
                    let old = fs::read(&path).unwrap();
                    fs::write(&path, [old, b"1".to_vec()].concat()).unwrap();
                }
                digest
            })
        };
        let error = hash_while(ATTEMPTS).unwrap_err();
        assert!(error.message().contains("changes while it is read"), "{error}");
        let (digest, signature) = hash_while(1).unwrap();
        assert_eq!((digest, signature.len), (Blake3::of(&fs::read(&path).unwrap()), 5));
    }

    #[test]
    fn what_is_no_file_is_said_to_be_none() {
        let folder = tempfile::tempdir().unwrap();
        assert!(hash_file(folder.path()).unwrap_err().to_string().contains("it is a folder"));
        assert!(hash_file(&folder.path().join("missing")).unwrap_err().to_string().contains("missing"));
        assert!(hash_file(Path::new("/dev/zero")).unwrap_err().to_string().contains("no regular file"));
    }
}
