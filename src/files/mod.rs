//! The room of the file system: open safely, replace atomically, hash, lock, map. Other rooms may read files themselves; nothing else gives
//! a file its name.
//!
//! Knows bytes and paths, never what they mean: no cache, no format, no net. Below it lie only [`crate::ctx`] and [`crate::error`].
//!
//! * [`write`](mod@write): the only module that writes files that stay. A file appears whole or not at all.
//! * [`OwnPath`]: files that the program names itself, in which no link is followed.
//! * [`lock`]: locks between processes.
//! * [`digest`]: digests as types. [`hash`]: digests of files that held still while they were read.
//! * [`signature`]: what the file system says of a file, and when that may stand for its contents.
//! * [`bytes`]: the bytes of whole files, mapped where they are many. [`map`]: files as memory; [`lost`]: maps that were cut off. [`reader`]: numbers from bytes.

pub mod bytes;
pub mod digest;
pub mod hash;
pub mod lock;
pub mod map;
mod own;
pub(crate) mod paths;
pub mod reader;
pub mod signature;
#[cfg(test)]
pub(crate) mod testing;
pub mod write;

pub use bytes::{Bytes, check_regular};
pub use digest::{Blake3, CountingWriter, HashingWriter, Sha256, StreamDigest};
pub(crate) use hash::hash_opened_sha256;
pub use hash::{FileDigests, hash_bytes_sha256, hash_file, hash_file_blake3, hash_file_sha256};
pub use map::lost;
pub use own::OwnPath;
pub(crate) use paths::{folder_of, joined, named, typed};
pub use reader::{CutOff, Reader};
pub use signature::{Clock, Signature};
#[cfg(feature = "cli")]
pub(crate) use write::remove_unfinished;
pub use write::{
    Complete, Durability, TEMP_PREFIX, create_dir_all, is_runnable, make_runnable, publish_all, remove_file, sweep_temp, write_atomic,
    write_atomic_named, write_if_different,
};
pub(crate) use write::{TempFile, age, file_system_clock, note_unfinished, sweep_own};
