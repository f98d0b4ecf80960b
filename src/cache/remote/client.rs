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
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::AtomicU32;

    use super::*;
    use crate::files::testing::Listener;

    /// Answers by a function of the number of the request.
    struct Scripted<F>(F, Mutex<u32>);

    impl<F: Fn(u32, &Moved) -> Result<Vec<u8>, Failure> + Send + Sync> Transport for Scripted<F> {
        fn get(&self, _: &Place, _: u64, moved: &Moved) -> Result<Vec<u8>, Failure> {
            let number = {
                let mut number = self.1.lock().unwrap();
                *number += 1;
                *number
            };
            (self.0)(number, moved)
        }

        fn length(&self, place: &Place) -> Result<Option<u64>, Failure> {
            self.get(place, 0, &Moved::default()).map(|bytes| Some(bytes.len() as u64))
        }

        fn put(&self, place: &Place, _: Body, moved: &Moved) -> Result<(), Failure> {
            self.get(place, 0, moved).map(drop)
        }
    }

    fn client(answer: impl Fn(u32, &Moved) -> Result<Vec<u8>, Failure> + Send + Sync + 'static, ctx: &Ctx) -> Client {
        Client::new("http://a/", Box::new(Scripted(answer, Mutex::new(0))), Duration::from_millis(200), ctx)
    }

    /// Some place.
    fn x() -> Place {
        Place::entry("x")
    }

    fn broken() -> Failure {
        Failure::Unavailable("broken".to_owned())
    }

    #[test]
    fn downloads_try_twice_and_uploads_three_times_where_it_may_help() {
        let fails_until = |good: u32| move |number: u32, _: &Moved| if number < good { Err(broken()) } else { Ok(vec![1, 2]) };
        let ctx = Ctx::silent();
        assert_eq!(client(fails_until(2), &ctx).get(&x(), 9), Ok(vec![1, 2]));
        assert_eq!(client(fails_until(3), &ctx).get(&x(), 9), Err(broken()));
        assert_eq!(client(fails_until(3), &ctx).length(&x()), Ok(Some(2)));
        let body: Body = Arc::new(Vec::new());
        assert_eq!(client(fails_until(3), &ctx).put(&x(), &body), Ok(()));
        let refused = |number: u32, _: &Moved| if number == 1 { Err(Failure::Refused("no".to_owned())) } else { Ok(Vec::new()) };
        assert_eq!(client(refused, &ctx).put(&x(), &body), Err(Failure::Refused("no".to_owned())));
        assert_eq!(client(|_, _| Err(Failure::Absent), &ctx).length(&x()), Err(Failure::Absent));
    }

    #[test]
    fn silence_ends_and_a_transfer_that_moves_does_not() {
        let ctx = Ctx::silent();
        let silent = client(
            |_, _| {
                thread::sleep(Duration::from_secs(20));
                Ok(Vec::new())
            },
            &ctx,
        );
        assert!(matches!(silent.get(&x(), 9), Err(Failure::TimedOut(_))));
        // Whoever waits for an upload waits once.
        let asked = Arc::new(AtomicU32::new(0));
        let counted = asked.clone();
        let swallows = client(
            move |_, _| {
                counted.fetch_add(1, Ordering::Relaxed);
                thread::sleep(Duration::from_secs(20));
                Ok(Vec::new())
            },
            &ctx,
        );
        assert!(matches!(swallows.put(&x(), &(Arc::new(Vec::new()) as Body)), Err(Failure::TimedOut(_))));
        assert!(matches!(swallows.length(&x()), Err(Failure::TimedOut(_))));
        assert_eq!(asked.load(Ordering::Relaxed), 2);
        let moving = client(
            |_, moved| {
                moved.add(1 << 20);
                thread::sleep(Duration::from_millis(600));
                Ok(vec![7])
            },
            &ctx,
        );
        assert_eq!(moving.get(&x(), 9), Ok(vec![7]));
    }

    #[test]
    fn ctrl_c_does_not_wait_for_the_network() {
        let cancel = Arc::new(AtomicBool::new(true));
        let ctx = Ctx::new(cancel, Arc::new(crate::ctx::Silent), crate::ctx::Backend::Cpu);
        let client = Client::new(
            "http://a",
            Box::new(Scripted(
                |_, _: &Moved| {
                    thread::sleep(Duration::from_secs(20));
                    Ok(Vec::new())
                },
                Mutex::new(0),
            )),
            Duration::from_secs(60),
            &ctx,
        );
        assert_eq!(client.get(&x(), 9), Err(Failure::Interrupted));
    }

    #[test]
    fn each_kind_of_warning_is_said_once_and_a_broken_remote_is_left_alone() {
        let listener = Listener::new();
        let client = client(|_, _| Err(Failure::Absent), &listener.ctx());
        client.report(&Place::entry("1"), Failure::Absent);
        assert!(listener.warnings().is_empty() && !client.is_off());
        client.report(&Place::entry("1"), Failure::Refused("the server answered 403 Forbidden".to_owned()));
        client.report(&Place::entry("2"), Failure::Refused("another".to_owned()));
        assert!(!client.is_off());
        client.report(&Place::entry("3"), broken());
        assert!(client.is_off());
        let said = listener.warnings();
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said[0].contains(&format!("`http://a/{}`", Place::entry("1"))) && said[0].contains("403"), "{said:?}");
        assert!(said[1].contains("disabling the remote cache") && said[1].contains(&Place::entry("3").to_string()), "{said:?}");
        client.report(&Place::entry("4"), broken());
        client.report(&Place::entry("5"), Failure::Refused("another".to_owned()));
        assert!(listener.warnings().is_empty());
    }
}
