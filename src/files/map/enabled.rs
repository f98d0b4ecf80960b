//! Maps of files that can be read.
#![allow(unsafe_code, reason = "the one place that maps files")]

use std::{
    fs::File,
    io,
    ops::{Deref, Range},
    path::Path,
};

use super::lost::Watch;

/// A file as memory. The watch goes before its map does.
pub struct Map {
    _watch: Option<Watch>,
    map: memmap2::Mmap,
}

impl Map {
    /// Maps a file; `path` is for messages. `None` where files are not mapped.
    pub fn of(file: &File, path: &Path) -> io::Result<Option<Self>> {
        // SAFETY: the map is read-only. Another process that writes to the file in place changes what is read, but every read goes
        // through bounds-checked slices, and no value taken from the map is trusted after its check: text is copied out first,
        // tensor bytes are plain numbers of which every pattern is valid. Blobs of the cache are written under another name, made
        // read-only and then renamed; this program only ever unlinks or replaces them, which leaves a mapped inode alone. Whoever
        // truncates a mapped file in place makes the system send SIGBUS, which `lost.rs` is for; of a library it ends the process.
        let map = unsafe { memmap2::Mmap::map(file) }?;
        Ok(Some(Self { _watch: Watch::over(&map, path), map }))
    }

    /// Tells the system that these bytes, which the map has, are not needed for now.
    pub fn let_go(&self, range: Range<usize>) {
        // SAFETY: of a shared, read-only map of a file the pages are read from the file again, so every byte stays what it is.
        // A system that does not know the advice changes nothing.
        let _ = unsafe { self.map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, range.start, range.len()) };
    }
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.map
    }
}
