//! Locks between processes, by the operating system: they end with their holder, whatever ends it.
//!
//! A lock is polled for and not waited for inside the kernel, so that Ctrl-C and a time limit work.

use std::{
    fs::{File, TryLockError},
    io, thread,
    time::{Duration, Instant},
};

use super::own::OwnPath;
use crate::{
    ctx::Ctx,
    error::{Error, Result},
    platform,
};

/// Who may hold a lock at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// Any number of holders.
    Shared,
    /// One.
    Exclusive,
}

/// A lock that is held until this is dropped.
#[derive(Debug)]
#[must_use = "the lock ends when this is dropped"]
pub struct FileLock {
    _file: File,
}

/// How long to wait, and what to say meanwhile.
#[derive(Debug, Clone, Copy)]
pub struct Waiting<'a> {
    /// Reported once when the lock is not free at the first try.
    pub message: &'a str,
    /// After this an error; `None`: until it is free.
    pub timeout: Option<Duration>,
}

/// What asking for a lock came to.
#[derive(Debug)]
pub enum Acquired {
    /// It is held now.
    Held(FileLock),
    /// The file cannot be made, or its file system does not support locks.
    Unavailable(io::Error),
}

/// Whether the file system has no locks at all, as some network file systems: then nobody else can hold one either.
pub fn is_unsupported(error: &io::Error) -> bool {
    platform::is_without_locks(error)
}

/// Takes the lock on the file at `path`, making the file (not its folder) where it is missing.
///
/// # Errors
/// When the wait was interrupted or took longer than allowed.
pub fn acquire(path: &OwnPath, sharing: Sharing, waiting: Waiting<'_>, ctx: &Ctx) -> Result<Acquired> {
    acquire_gated(path, None, sharing, waiting, ctx)
}

/// As [`acquire`]; while it waits it holds the lock `gate` exclusively every other half second.
///
/// Holders that pass the gate (shared) before they take the lock cannot keep this one out for ever by overlapping, and are
/// themselves held up for no longer than that by a holder that stays.
pub(crate) fn acquire_gated(path: &OwnPath, gate: Option<&OwnPath>, sharing: Sharing, waiting: Waiting<'_>, ctx: &Ctx) -> Result<Acquired> {
    const PHASE_MS: u128 = 500;
    let start = Instant::now();
    let mut pause = Duration::from_millis(1);
    let mut told = false;
    let mut closed = None;
    loop {
        match try_acquire(path, sharing) {
            Ok(Some(lock)) => return Ok(Acquired::Held(lock)),
            Ok(None) => {}
            Err(error) => return Ok(Acquired::Unavailable(error)),
        }
        ctx.check()?;
        if !told {
            ctx.warn(waiting.message);
            told = true;
        }
        let left = waiting.timeout.map(|timeout| timeout.saturating_sub(start.elapsed()));
        if left.is_some_and(|left| left.is_zero()) {
            return Err(Error::new(format!("gave up after {:.1} s: {}", start.elapsed().as_secs_f64(), waiting.message))
                .because(format!("another process holds the lock `{}`", path.display()))
                .help("run the command again when the other process is done, or allow more time with `--lock-timeout`"));
        }
        let close = (start.elapsed().as_millis() / PHASE_MS).is_multiple_of(2);
        closed = closed.take().filter(|_| close).or_else(|| {
            let gate = gate.filter(|_| close)?;
            try_acquire(gate, Sharing::Exclusive).ok().flatten()
        });
        thread::sleep(left.map_or(pause, |left| pause.min(left)));
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// Takes the lock if it is free at once; `None` where somebody else holds it.
///
/// # Errors
/// When the file cannot be made, or its file system does not support locks.
pub fn try_acquire(path: &OwnPath, sharing: Sharing) -> io::Result<Option<FileLock>> {
    loop {
        let file = path.open_lock()?;
        let tried = match sharing {
            Sharing::Shared => file.try_lock_shared(),
            Sharing::Exclusive => file.try_lock(),
        };
        match tried {
            // Removed between opening and locking: others will lock a new file of this name.
            Ok(()) if platform::is_unlinked(&file)? => {}
            Ok(()) => return Ok(Some(FileLock { _file: file })),
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests;
