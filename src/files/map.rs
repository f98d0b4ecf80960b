//! The one place that maps files into memory: verified blobs of the cache.

use std::{
    fs::File,
    io::{self, Read},
    ops::Deref,
};

/// From here on a blob is mapped instead of copied, bytes.
const MAP_FROM: u64 = 1 << 20;

/// The bytes of a blob; dereferences to `[u8]`. Stays readable when the blob is evicted.
pub struct Blob(Bytes);

enum Bytes {
    Owned(Vec<u8>),
    Mapped(memmap2::Mmap),
}

impl Blob {
    /// All `len` bytes of `file`, copied or mapped by size.
    pub(crate) fn read(file: &mut File, len: u64) -> io::Result<Self> {
        if len < MAP_FROM {
            let mut bytes = Vec::with_capacity(usize::try_from(len).unwrap_or(0));
            file.read_to_end(&mut bytes)?;
            return Ok(Self(Bytes::Owned(bytes)));
        }
        // SAFETY: blobs are written under another name, made read-only and then renamed; afterwards this program only ever unlinks
        // or replaces them, which leaves a mapped inode alone. Whoever truncates one in place by hand can end the process with
        // SIGBUS, as with any mapped file, and does so to a file that says it is read-only inside a private cache folder.
        let map = unsafe { memmap2::Mmap::map(&*file) }?;
        Ok(Self(Bytes::Mapped(map)))
    }
}

impl Deref for Blob {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Bytes::Owned(bytes) => bytes,
            Bytes::Mapped(map) => map,
        }
    }
}

impl AsRef<[u8]> for Blob {
    fn as_ref(&self) -> &[u8] {
        self
    }
}
