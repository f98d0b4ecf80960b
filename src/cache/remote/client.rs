//! Requests to a remote that end: by an answer, by Ctrl-C, or when nothing moves. And the one warning when they come to nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use super::transport::{Body, Failure, Moved, Place, Transport, shown};
use crate::ctx::Ctx;

/// A transfer earns a second of patience with each of this many bytes: one that only trickles ends, a large one does not.
const SLOWEST_BYTES_PER_S: u64 = 16 << 10;
/// How often a waiting thread looks whether it should stop.
const TICK: Duration = Duration::from_millis(50);
/// Pauses before the second and the third try of an upload.
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(2)];

/// One remote as a build sees it.
pub(super) struct Client {
    url: String,
    transport: Arc<dyn Transport>,
    patience: Duration,
    pub(super) ctx: Ctx,
    /// Set by a failure that will most likely come again.
    off: AtomicBool,
    /// What a remote does wrong and what makes it useless are told apart: each is said once.
    said_refused: AtomicBool,
    said_off: AtomicBool,
}

impl Client {
    pub(super) fn new(url: &str, transport: Box<dyn Transport>, patience: Duration, ctx: &Ctx) -> Self {
        Self {
            url: url.trim_end_matches('/').to_owned(),
            transport: transport.into(),
            patience,
            ctx: ctx.clone(),
            off: AtomicBool::new(false),
            said_refused: AtomicBool::new(false),
            said_off: AtomicBool::new(false),
        }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Whether the remote was given up.
    pub(super) fn is_off(&self) -> bool {
        self.off.load(Ordering::Relaxed)
    }

    /// Asks for a small value.
    pub(super) fn get(&self, place: &Place, limit: u64) -> Result<Vec<u8>, Failure> {
        self.twice(|| {
            let place = place.clone();
            self.attempt(|_| {}, move |transport, moved| transport.get(&place, limit, moved))
        })
    }

    /// Asks for a value of `size` bytes, with progress under the name `task`.
    pub(super) fn download(&self, place: &Place, size: u64, task: &str) -> Result<Vec<u8>, Failure> {
        self.twice(|| {
            let place = place.clone();
            let mut shown = 0;
            self.ctx.progress().start(task, Some(size), "bytes");
            let advance = |moved: u64| {
                self.ctx.progress().advance(task, moved - shown);
                shown = moved;
            };
            let bytes = self.attempt(advance, move |transport, moved| transport.get(&place, size, moved));
            self.ctx.progress().finish(task);
            bytes
        })
    }

    /// The length of a value, where the server says it.
    pub(super) fn length(&self, place: &Place) -> Result<Option<u64>, Failure> {
        self.patiently(|| {
            let place = place.clone();
            self.attempt(|_| {}, move |transport, _| transport.length(&place))
        })
    }

    /// Uploads a value.
    pub(super) fn put(&self, place: &Place, body: &Body) -> Result<(), Failure> {
        self.patiently(|| {
            let (place, body) = (place.clone(), body.clone());
            self.attempt(|_| {}, move |transport, moved| transport.put(&place, body, moved))
        })
    }

    /// Says what was wrong with a look-up, and that the remote is given up: each once a build. Nothing is said of what is merely not there.
    pub(super) fn report(&self, place: &Place, failure: Failure) {
        let url = &self.url;
        match failure {
            Failure::Absent | Failure::Interrupted => {}
            Failure::Refused(why) => self.warn_once(&self.said_refused, || {
                format!(
                    "`{url}/{place}` in the remote cache cannot be used: {}; running its stage here (further cases are not reported)",
                    shown(&why)
                )
            }),
            Failure::Unavailable(why) | Failure::TimedOut(why) => {
                self.switch_off();
                self.warn_once(&self.said_off, || {
                    format!("disabling the remote cache `{url}` for this run: {} (at `{place}`)", shown(&why))
                });
            }
        }
    }

    /// The remote is not asked again.
    pub(super) fn switch_off(&self) {
        self.off.store(true, Ordering::Relaxed);
    }

    fn warn_once(&self, said: &AtomicBool, message: impl FnOnce() -> String) {
        if !said.swap(true, Ordering::Relaxed) {
            self.ctx.warn(message());
        }
    }

    /// Tries again after a broken connection: it may have been an old one that the server had closed.
    fn twice<T>(&self, mut request: impl FnMut() -> Result<T, Failure>) -> Result<T, Failure> {
        match request() {
            Err(Failure::Unavailable(_)) => request(),
            result => result,
        }
    }

    /// Three times, with pauses, while the failure may pass. Not after a silence: all patience went into that already.
    fn patiently<T>(&self, mut request: impl FnMut() -> Result<T, Failure>) -> Result<T, Failure> {
        for pause in PAUSES {
            match request() {
                Err(Failure::Unavailable(_)) => {}
                result => return result,
            }
            let end = Instant::now() + pause;
            while Instant::now() < end {
                self.ctx.check().map_err(|_| Failure::Interrupted)?;
                thread::sleep(TICK);
            }
        }
        request()
    }

    /// Runs a request on a thread of its own and waits for it while bytes move; `advance` gets their number now and then.
    ///
    /// What is given up goes on until it notices; it ends with the process at the latest.
    fn attempt<T: Send + 'static>(
        &self,
        mut advance: impl FnMut(u64),
        request: impl FnOnce(&dyn Transport, &Moved) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let (transport, moved) = (self.transport.clone(), Moved::default());
        let (sender, receiver) = mpsc::channel();
        let counted = moved.clone();
        let thread = thread::Builder::new().name("remote cache".to_owned());
        // Whoever gave up no longer listens.
        let started = thread.spawn(move || drop(sender.send(request(&*transport, &counted))));
        started.map_err(|error| Failure::Unavailable(format!("cannot start a thread: {error}")))?;
        let start = Instant::now();
        loop {
            match receiver.recv_timeout(TICK) {
                Ok(result) => {
                    advance(moved.bytes());
                    return result;
                }
                Err(RecvTimeoutError::Disconnected) => return Err(Failure::Unavailable("the request panicked".to_owned())),
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.ctx.check().map_err(|_| Failure::Interrupted)?;
            let bytes = moved.bytes();
            advance(bytes);
            if start.elapsed() > self.patience.saturating_add(Duration::from_secs(bytes / SLOWEST_BYTES_PER_S)) {
                return Err(Failure::TimedOut(format!("{bytes} bytes moved in {} seconds", start.elapsed().as_secs())));
            }
        }
    }
}

#[cfg(test)]
mod tests;
