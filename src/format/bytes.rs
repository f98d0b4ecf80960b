//! Who owns the bytes that a file format reads: a memory map or a vector, shared cheaply.
//!
//! Parsers take a [`Bytes`] and hand out ranges of it, so tensors of a large file are read where they lie. Nothing here
//! knows a format.

use std::{
    fmt,
    fs::File,
    io::Read,
    ops::Deref,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::error::{Error, Result};

/// Set for the whole process: which files others write to is not known to whoever opens one.
static COPIES: AtomicBool = AtomicBool::new(false);

/// A shared, read-only piece of memory. Cloning copies a pointer.
#[derive(Clone)]
pub struct Bytes(Arc<Owner>);

enum Owner {
    Map(memmap2::Mmap),
    Vec(Vec<u8>),
}

/// Refuses folders, and pipes and devices, on which opening or reading might wait for ever.
///
/// # Errors
/// When there is no such file, or it is not a regular one.
pub fn check_regular(path: &Path) -> Result<()> {
    let kind = std::fs::metadata(path).map_err(|error| Error::io("cannot open", path, error))?.file_type();
    if kind.is_file() {
        return Ok(());
    }
    let what = if kind.is_dir() { "a folder, not a file" } else { "not a regular file" };
    Err(Error::new(format!("`{}` is {what}", path.display())).help("name a file"))
}

impl Bytes {
    /// Maps the file at `path` into memory.
    ///
    /// The file must not shrink while the map is in use: the operating system then ends the process. It may grow or be
    /// replaced by renaming, which is how every careful program writes.
    ///
    /// # Errors
    /// When the file cannot be opened or mapped.
    pub fn map(path: &Path) -> Result<Self> {
        check_regular(path)?;
        Self::of_file(File::open(path).map_err(|error| Error::io("cannot open", path, error))?, path)
    }

    /// As [`Self::map`], of a file that is open; `path` is for messages.
    ///
    /// # Errors
    /// When the file cannot be mapped.
    pub fn of_file(mut file: File, path: &Path) -> Result<Self> {
        let metadata = file.metadata().map_err(|error| Error::io("cannot read the size of", path, error))?;
        if metadata.len() == 0 {
            return Ok(Self::from_vec(Vec::new()));
        }
        if COPIES.load(Ordering::Relaxed) {
            let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
            file.read_to_end(&mut bytes).map_err(|error| Error::io("cannot read", path, error))?;
            return Ok(Self::from_vec(bytes));
        }
        Ok(Self(Arc::new(Owner::Map(map_file(&file).map_err(|error| Error::io("cannot map", path, error))?))))
    }

    /// From now on [`Self::map`] reads files into memory, in the whole process: for programs that run beside others which shorten
    /// files in place. It costs a copy of each file that is open.
    pub fn read_instead_of_mapping() {
        COPIES.store(true, Ordering::Relaxed);
    }

    /// Takes bytes that are in memory already.
    pub fn from_vec(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Owner::Vec(bytes)))
    }
}

fn map_file(file: &File) -> std::io::Result<memmap2::Mmap> {
    // SAFETY: the map is read-only and private to this process's readers. Another process that writes to the file in
    // place changes what is read, but every read here goes through bounds-checked slices and no value taken from the map is
    // trusted after its check: text is copied out first, tensor bytes are plain numbers of which every pattern is valid.
    unsafe { memmap2::Mmap::map(file) }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &*self.0 {
            Owner::Map(map) => map,
            Owner::Vec(bytes) => bytes,
        }
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bytes({})", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_files_and_names_what_it_cannot_open() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        std::fs::write(&path, b"abc").unwrap();
        assert_eq!(&*Bytes::map(&path).unwrap(), b"abc");
        std::fs::write(&path, b"").unwrap();
        assert_eq!(&*Bytes::map(&path).unwrap(), b"");
        let error = Bytes::map(&folder.path().join("missing")).unwrap_err();
        assert!(error.message().contains("missing"), "{error}");
        assert!(Bytes::map(folder.path()).unwrap_err().message().contains("folder"));
    }
}
