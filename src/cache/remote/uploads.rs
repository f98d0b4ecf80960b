//! Uploads in the background: one thread that takes records from a bounded queue, so that no build waits for a network.

use std::collections::HashSet;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::action_result::{self, Entry, MacKey};
use super::client::Client;
use super::execute::Blob;
use super::transport::{Body, Failure, Place, shown};
use crate::cache::record::ActionRecord;
use crate::cache::store::Cache;
use crate::error::{Error, Result};
use crate::files::Sha256;

/// Records that may wait. Their blobs wait on the disk.
const QUEUE: usize = 4096;
/// A wait of this length is worth a word.
const SAY_AFTER: Duration = Duration::from_secs(5);

/// The way into the background.
pub(super) struct Uploads {
    shared: Arc<Shared>,
    /// Set when the thread was started, by the first upload.
    queue: OnceLock<Option<(SyncSender<ActionRecord>, JoinHandle<()>)>>,
}

struct Shared {
    client: Arc<Client>,
    cache: Arc<Cache>,
    key: Option<MacKey>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: u64,
    done: u64,
    failed: u64,
    /// What went wrong first.
    why: Option<String>,
    /// Blobs that the remote has and that are not what they should be.
    damaged: HashSet<Sha256>,
}

impl Uploads {
    pub(super) fn new(client: Arc<Client>, cache: Arc<Cache>, key: Option<MacKey>) -> Self {
        let shared = Shared { client, cache, key, state: Mutex::default(), changed: Condvar::new() };
        Self { shared: Arc::new(shared), queue: OnceLock::new() }
    }

    /// Lets a record be uploaded with its blob.
    pub(super) fn push(&self, record: ActionRecord) {
        let queue = self.queue.get_or_init(|| {
            let (sender, receiver) = sync_channel(QUEUE);
            let shared = self.shared.clone();
            let thread = std::thread::Builder::new().name("uploads".to_owned()).spawn(move || shared.work(&receiver));
            thread.ok().map(|thread| (sender, thread))
        });
        self.shared.state().waiting += 1;
        let taken = queue.as_ref().is_some_and(|(queue, _)| queue.try_send(record).is_ok());
        if !taken {
            self.shared.settle(Err(Failure::Refused("too many results are waiting to be uploaded".to_owned())));
        }
    }

    /// The remote's blob of this name is damaged: it is uploaded although it is there.
    pub(super) fn replace(&self, blob: Sha256) {
        self.shared.state().damaged.insert(blob);
    }

    /// Results that were uploaded so far.
    pub(super) fn done(&self) -> u64 {
        self.shared.state().done
    }

    /// Waits for what was pushed.
    ///
    /// # Errors
    /// When the wait was interrupted.
    pub(super) fn finish(&self) -> Result<()> {
        const TASK: &str = "upload";
        let Shared { client, changed, .. } = &*self.shared;
        let start = Instant::now();
        let mut said = false;
        let mut state = self.shared.state();
        let mut left = state.waiting;
        if left > 0 {
            client.ctx.progress().start(TASK, Some(left), "results");
        }
        while state.waiting > 0 {
            // Looked at before the count: what the thread did before it ended is counted then.
            let ended = self.has_ended();
            state = changed.wait_timeout(state, Duration::from_millis(50)).unwrap_or_else(PoisonError::into_inner).0;
            if ended {
                // It ends before its queue does only by a panic, and takes nothing from then on.
                state.failed += std::mem::take(&mut state.waiting);
                state.why.get_or_insert_with(|| "the thread that uploads panicked: this is a bug in nnue, please report it".to_owned());
            }
            let waiting = state.waiting;
            if waiting < left {
                client.ctx.progress().advance(TASK, left - waiting);
                left = waiting;
            }
            if client.ctx.check().is_err() {
                client.ctx.progress().finish(TASK);
                return Err(Error::interrupted()
                    .because(format!("{} of the build not uploaded", were(waiting)))
                    .help("the build itself is done"));
            }
            if !said && start.elapsed() > SAY_AFTER {
                said = true;
                client.ctx.warn(format!("the build is done; {} still being uploaded to the remote cache `{}`", are(waiting), client.url()));
            }
        }
        if left > 0 || said {
            client.ctx.progress().finish(TASK);
        }
        if let Some(why) = state.why.take() {
            client.ctx.warn(format!("{} not uploaded to the remote cache `{}`: {why}", were(state.failed), client.url()));
        }
        Ok(())
    }

    /// Whether the thread was started and has ended.
    fn has_ended(&self) -> bool {
        self.queue.get().and_then(Option::as_ref).is_some_and(|(_, thread)| thread.is_finished())
    }
}

fn were(results: u64) -> String {
    if results == 1 { "1 result was".to_owned() } else { format!("{results} results were") }
}

fn are(results: u64) -> String {
    if results == 1 { "1 result is".to_owned() } else { format!("{results} results are") }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, queue: &Receiver<ActionRecord>) {
        while let Ok(record) = queue.recv() {
            // Why the remote was given up was said then.
            let result = if self.client.is_off() { Err(Failure::Interrupted) } else { self.upload(record) };
            self.settle(result);
        }
    }

    /// Notes what became of an upload.
    fn settle(&self, result: Result<(), Failure>) {
        let mut state = self.state();
        state.waiting = state.waiting.saturating_sub(1);
        match result {
            Ok(()) => state.done += 1,
            Err(Failure::Interrupted) => {}
            Err(failure) => {
                state.failed += 1;
                let why = match failure {
                    Failure::Refused(why) => why,
                    Failure::Unavailable(why) | Failure::TimedOut(why) => {
                        self.client.switch_off();
                        why
                    }
                    Failure::Absent | Failure::Interrupted => "there is no such place".to_owned(),
                };
                state.why.get_or_insert(why);
            }
        }
        self.changed.notify_all();
    }

    /// The blob, unless it is there, then the record.
    fn upload(&self, record: ActionRecord) -> Result<(), Failure> {
        let blob = self.cache.has_blob(record.result.output_digest).then(|| self.cache.get_blob(record.result.output_digest)).flatten();
        let blob = blob.ok_or_else(|| Failure::Refused("the local cache lost it meanwhile".to_owned()))?;
        let named = Blob::of(&blob);
        let place = Place::Blob(named);
        let damaged = self.state().damaged.contains(&named.sha256);
        // Where the length is not known or cannot be asked for, putting it again does no harm.
        if damaged || self.client.length(&place).or_else(unknown).map_err(|failure| at(&place, failure))? != Some(named.bytes) {
            let body: Body = Arc::new(blob);
            self.client.put(&place, &body).map_err(|failure| at(&place, failure))?;
        }
        let place = Place::entry(record.preimage.as_str());
        let entry = action_result::encode(&Entry { record, blob: named.sha256 }, self.key.as_ref());
        let body: Body = Arc::new(entry.map_err(|error| Failure::Refused(error.to_string()))?);
        self.client.put(&place, &body).map_err(|failure| at(&place, failure))
    }
}

/// A server that does not say whether it has something is asked to take it.
fn unknown(failure: Failure) -> Result<Option<u64>, Failure> {
    match failure {
        Failure::Absent | Failure::Refused(_) => Ok(None),
        failure => Err(failure),
    }
}

/// The failure with the name of the value.
fn at(place: &Place, failure: Failure) -> Failure {
    let named = |why: String| format!("{} (at `{place}`)", shown(&why));
    match failure {
        Failure::Refused(why) => Failure::Refused(named(why)),
        Failure::Unavailable(why) => Failure::Unavailable(named(why)),
        Failure::TimedOut(why) => Failure::TimedOut(named(why)),
        Failure::Absent => Failure::Refused(named("the server answered that there is no such place".to_owned())),
        Failure::Interrupted => Failure::Interrupted,
    }
}

#[cfg(test)]
mod tests;
