//! What the file system says of a file without reading it, and when that may stand for its contents.
//!
//! # Limitations
//! Writes through a shared memory map move the times of a file only when a clean page becomes dirty; an edit made that way right
//! after hashing may go unseen. `--paranoid` reads everything.

use std::{fs::Metadata, time::SystemTime};

use serde::{Deserialize, Serialize};

use crate::platform::{self, Stat};

/// Seconds and nanoseconds since 1970, negative before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp {
    /// Whole seconds, rounded down.
    pub seconds: i64,
    /// 0 … 999,999,999.
    pub nanos: u32,
}

impl Timestamp {
    /// The system's clock.
    pub fn now() -> Self {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(Self { seconds: 0, nanos: 0 }, |since| Self {
            seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
            nanos: since.subsec_nanos(),
        })
    }

    fn as_nanos(self) -> i128 {
        i128::from(self.seconds) * 1_000_000_000 + i128::from(self.nanos)
    }
}

/// Changes whenever a file's contents do, as far as the file system can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Signature {
    /// Bytes.
    pub len: u64,
    /// When the contents changed, or what a program set it to.
    pub mtime: Timestamp,
    /// When the contents or the inode changed; no program can set it. Where the system does not know that, when the file was made.
    pub ctime: Timestamp,
    /// Number of the inode.
    pub inode: u64,
    /// Number of the device.
    pub device: u64,
}

impl Signature {
    /// The signature in `metadata`.
    pub fn of(metadata: &Metadata) -> Self {
        platform::stat_of(metadata).into()
    }

    /// Whether every edit after `clock.at` must change this signature: the rule for racily clean files.
    ///
    /// Two edits within one tick of the file system's clock leave equal times. So a signature stands for contents read after
    /// `clock.at` only when both times are older than that by more than a tick. A tick is at most 10 ms on file systems with fine
    /// times and 2 s on the coarsest (FAT); the change time tells which, as nobody can set it. A time in the future never passes, and
    /// nothing does where the system does not know when a file was changed.
    pub fn is_settled(&self, clock: Clock) -> bool {
        const FINE: i128 = 100_000_000;
        const COARSE: i128 = 2_000_000_000;
        const FOREIGN: i128 = 60_000_000_000;
        let tick = if self.ctime.nanos.is_multiple_of(1_000_000) { COARSE } else { FINE };
        // Another device may be another machine, whose clock is not ours.
        let margin = if clock.device == Some(self.device) { tick } else { FOREIGN };
        platform::KNOWS_CHANGES && self.mtime.max(self.ctime).as_nanos() < clock.at.as_nanos() - margin
    }
}

impl From<Stat> for Signature {
    fn from(stat: Stat) -> Self {
        let time = |(seconds, nanos)| Timestamp { seconds, nanos };
        Self { len: stat.len, mtime: time(stat.modified), ctime: time(stat.changed), inode: stat.inode, device: stat.device }
    }
}

/// A moment, and whose clock told it.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// The moment.
    pub at: Timestamp,
    /// The device whose file system told it; `None` for the system's clock.
    pub device: Option<u64>,
}

// Where changes are not told, nothing is settled.
#[cfg(test)]
#[cfg(unix)]
mod tests;
