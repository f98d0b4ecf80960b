//! The bytes of a whole file, in memory or mapped, shared cheaply.
//!
//! Parsers take [`Bytes`] and hand out ranges of it, so tensors of a large file are read where they lie. Nothing here knows a format.

use std::{
    fmt,
    fs::File,
    io::{self, Read},
    ops::{Deref, Range},
    path::Path,
    sync::Arc,
};

use super::map::Map;
use crate::{
    ctx::{Ctx, open_file},
    error::{Error, Result},
};

/// From here on a file is mapped instead of copied where files can be mapped, bytes.
const MAP_FROM: u64 = 1 << 20;

/// A shared, read-only piece of memory. Cloning copies a pointer. Stays readable when the file is removed or replaced.
#[derive(Clone)]
pub struct Bytes(Arc<Owner>);

enum Owner {
    Map(Map),
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
    let (what, help) = if kind.is_dir() { folder(path) } else { ("not a regular file", NAME_A_FILE) };
    Err(Error::new(format!("`{}` is {what}", path.display())).help(help))
}

const NAME_A_FILE: &str = "name a file";

/// What a folder is that stands where a file is expected, with what to do. Trainings on several devices write folders under the names that
/// their users know from files.
pub(super) fn folder(path: &Path) -> (&'static str, &'static str) {
    let has = |name: &str| path.join(name).exists();
    if has(".metadata") {
        let help = "make one file of it: `python -m torch.distributed.checkpoint.format_utils dcp_to_torch FOLDER net.pt`";
        ("a folder with a sharded checkpoint of PyTorch, not a file", help)
    } else if has("zero_to_fp32.py") || has("latest") && has("mp_rank_00_model_states.pt") {
        ("a folder with a sharded checkpoint of DeepSpeed, not a file", "make one file of it: `python zero_to_fp32.py . net.pt` in it")
    } else {
        ("a folder, not a file", NAME_A_FILE)
    }
}

impl Bytes {
    /// The file at `path`.
    ///
    /// A large one must not shrink while its bytes are in use: the operating system then ends the process, unless it is the command line's
    /// ([`super::lost`]). It may grow or be replaced by renaming, which is how every careful program writes.
    ///
    /// # Errors
    /// When the file cannot be opened, read or mapped, or is not a regular one.
    pub fn map(path: &Path) -> Result<Self> {
        check_regular(path)?;
        let file = open_file(path).map_err(|error| Error::io("cannot open", path, error))?;
        Self::of_file(file, path).map_err(|error| Error::io("cannot read", path, error))
    }

    /// An input of a stage: as [`Self::map`], but opened through `ctx`, and copied whatever its size where `ctx` says so.
    ///
    /// # Errors
    /// As [`Self::map`], and those of [`Ctx::open`].
    pub fn input(path: &Path, ctx: &Ctx) -> Result<Self> {
        check_regular(path)?;
        let file = ctx.open(path)?;
        let bytes = if ctx.copies_inputs() { Self::copy_of(file) } else { Self::of_file(file, path) };
        bytes.map_err(|error| Error::io("cannot read", path, error))
    }

    /// The contents of a file that is open, copied or mapped by size; `path` is for messages.
    pub(crate) fn of_file(file: File, path: &Path) -> io::Result<Self> {
        if file.metadata()?.len() < MAP_FROM {
            return Self::copy_of(file);
        }
        match Map::of(&file, path)? {
            Some(map) => Ok(Self(Arc::new(Owner::Map(map)))),
            None => Self::copy_of(file),
        }
    }

    fn copy_of(mut file: File) -> io::Result<Self> {
        let mut bytes = Vec::with_capacity(usize::try_from(file.metadata()?.len()).unwrap_or(0));
        file.read_to_end(&mut bytes)?;
        Ok(Self::from_vec(bytes))
    }

    /// Tells the system that these bytes are not needed for now: of a mapped file their pages leave the memory, and come back when they are
    /// read again. Of bytes in memory nothing goes.
    pub fn let_go(&self, range: Range<usize>) {
        if let Owner::Map(map) = &*self.0
            && range.end <= map.len()
            && range.start < range.end
        {
            map.let_go(range);
        }
    }

    /// Takes bytes that are in memory already.
    pub fn from_vec(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Owner::Vec(bytes)))
    }

    /// The memory itself, to be written to. Given back as it is where someone else holds it as well, and where it is a mapped file.
    pub fn into_vec(self) -> Result<Vec<u8>, Self> {
        match Arc::try_unwrap(self.0) {
            Ok(Owner::Vec(bytes)) => Ok(bytes),
            Ok(map) => Err(Self(Arc::new(map))),
            Err(shared) => Err(Self(shared)),
        }
    }

    /// Whether two are one piece of memory.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
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

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bytes({})", self.len())
    }
}

#[cfg(test)]
mod tests;
