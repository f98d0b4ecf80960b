//! Where the unpacked bytes of a file of positions lie: in the file itself, or, since a packed file cannot be entered in the middle, in
//! memory (up to 64 MiB) or in a temporary file. Knows nothing of what the bytes mean.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Cursor, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

use crate::{
    ctx::Ctx,
    error::{Error, Result},
    files::note_unfinished,
    format::packed::{self, Packing},
    platform::{self, Room},
};

const MAX_IN_MEMORY: usize = 64 << 20;
const BUFFER: usize = 256 << 10;
/// Bytes of the temporary folder that stay free; a twentieth of a small one.
const RESERVE: u64 = 1 << 30;

/// The bytes of a file.
pub(super) struct Content {
    /// For messages.
    path: PathBuf,
    bytes: Bytes,
    len: u64,
}

enum Bytes {
    File,
    Memory(Vec<u8>),
    Temporary(NamedTempFile),
}

/// What is read from and moved about in.
pub(super) trait ReadSeek: Read + Seek {}
impl<T: Read + Seek> ReadSeek for T {}

impl Content {
    /// The `len` bytes of a file as they are.
    pub(super) fn plain(path: &Path, len: u64) -> Self {
        Self { path: path.to_owned(), bytes: Bytes::File, len }
    }

    /// Unpacks a file of `len` bytes.
    ///
    /// # Errors
    /// When it is damaged or becomes more than [`packed::budget`] allows; no room for the temporary file; cancellation.
    pub(super) fn unpacked(path: &Path, len: u64, packing: Packing, ctx: &Ctx) -> Result<Self> {
        let mut reader = unpacking(path, len, packing, ctx)?;
        let mut spool = Spool::default();
        let mut len = 0;
        loop {
            ctx.check()?;
            let bytes = reader.fill_buf().map_err(|error| damaged(path, error))?;
            if bytes.is_empty() {
                break;
            }
            spool.write(bytes).map_err(|error| Error::io("cannot unpack into a temporary file", path, error))?;
            let taken = bytes.len();
            len += taken as u64;
            reader.consume(taken);
        }
        let bytes = spool.finish().map_err(|error| Error::io("cannot unpack into a temporary file", path, error))?;
        Ok(Self { path: path.to_owned(), bytes, len })
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// How many bytes there are.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// A reader from the beginning.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub(super) fn open(&self, ctx: &Ctx) -> Result<Box<dyn ReadSeek + '_>> {
        Ok(match &self.bytes {
            Bytes::File => Box::new(ctx.open(&self.path)?),
            Bytes::Temporary(file) => Box::new(File::open(file.path()).map_err(|error| self.failed(error))?),
            Bytes::Memory(bytes) => Box::new(Cursor::new(bytes)),
        })
    }

    /// `length` bytes from `offset` on.
    ///
    /// # Errors
    /// When fewer are left, or they cannot be read.
    pub(super) fn range(&self, offset: u64, length: u64, ctx: &Ctx) -> Result<Vec<u8>> {
        let mut source = self.open(ctx)?;
        let mut bytes = Vec::new();
        let read = source.seek(SeekFrom::Start(offset)).and_then(|_| source.take(length).read_to_end(&mut bytes));
        read.map_err(|error| self.failed(error))?;
        if (bytes.len() as u64) < length {
            return Err(Error::new(format!("`{}` became shorter while it was read", self.path.display())));
        }
        Ok(bytes)
    }

    fn failed(&self, error: io::Error) -> Error {
        Error::io("cannot read", &self.path, error)
    }
}

/// Up to `length` bytes of what a file of `len` bytes is unpacked to.
///
/// # Errors
/// When it is damaged there.
pub(super) fn unpacked_head(path: &Path, len: u64, packing: Packing, length: u64, ctx: &Ctx) -> Result<Vec<u8>> {
    let mut head = Vec::new();
    unpacking(path, len, packing, ctx)?.take(length).read_to_end(&mut head).map_err(|error| damaged(path, error))?;
    Ok(head)
}

fn unpacking(path: &Path, len: u64, packing: Packing, ctx: &Ctx) -> Result<Box<dyn BufRead>> {
    let file = BufReader::with_capacity(BUFFER, ctx.open(path)?);
    Ok(packed::reader(packing, file, packed::budget(len)))
}

fn damaged(path: &Path, error: io::Error) -> Error {
    Error::io("cannot unpack", path, error).help("the file may be cut off or damaged")
}

/// Leaves something of the disk to everybody else: a temporary folder that is full stops more than this program.
fn check_room(file: &NamedTempFile, needed: u64) -> io::Result<()> {
    let Ok(Room { size, free }) = platform::room_of(file.as_file(), file.path()) else { return Ok(()) };
    let kept = RESERVE.min(size / 20);
    if free.saturating_sub(needed) < kept {
        let message =
            format!("the temporary folder has {free} bytes left, of which {kept} are for others: set TMPDIR to a folder with space");
        return Err(io::Error::new(io::ErrorKind::StorageFull, message));
    }
    Ok(())
}

#[derive(Default)]
struct Spool {
    memory: Vec<u8>,
    file: Option<NamedTempFile>,
}

impl Spool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.memory.extend_from_slice(bytes);
        if self.memory.len() >= MAX_IN_MEMORY { self.spill() } else { Ok(()) }
    }

    fn spill(&mut self) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            empty => {
                let file = empty.insert(NamedTempFile::new()?);
                note_unfinished(file.path());
                file
            }
        };
        check_room(file, self.memory.len() as u64)?;
        file.write_all(&self.memory)?;
        self.memory.clear();
        Ok(())
    }

    fn finish(mut self) -> io::Result<Bytes> {
        if self.file.is_some() {
            self.spill()?;
        }
        Ok(match self.file {
            Some(file) => Bytes::Temporary(file),
            None => Bytes::Memory(self.memory),
        })
    }
}
