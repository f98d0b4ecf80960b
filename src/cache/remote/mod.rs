//! A cache that machines share, behind a URL: records and blobs of stored stages, beside the local cache.
//!
//! Nothing here can fail a build or change a byte of it. A value that cannot be had, or is not exactly what it should be, is a miss
//! with one warning a build; after a broken connection or a silence the remote is not asked again. Nothing is contacted before
//! the first look-up or upload.
//!
//! ```text
//! <url>/ac/<SHA-256 of the canonical preimage>    an ActionResult with the record and the name of the blob
//! <url>/cas/<SHA-256 of the blob>                 the blob
//! ```
//!
//! Blobs first, records last, as in the local cache. A value is believed for what can be proven of it: the record belongs to the
//! preimage and is whole, the blob has the record's BLAKE3, its own SHA-256 and size. That somebody *computed* the blob cannot be
//! proven: whoever may write into the cache is trusted, or shares the secret in [`KEY_VARIABLE`].
//!
//! * `action_result`: what stands under `ac/`; `transport`: what a remote can do; `http`, `cloud`, `grpc`: kinds of remotes;
//!   `client`: one request, bounded in time; `uploads`: the background.
//!
//! What speaks gRPC may also run programs: [`execute`] has the words for that, and `grpc` does it.

mod action_result;
mod client;
mod cloud;
mod credentials;
pub mod execute;
mod grpc;
mod http;
mod messages;
mod transport;
mod uploads;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::record::{ActionRecord, Preimage};
use super::store::{Cache, blake3_of};
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::files::{Blake3, Sha256};
use crate::stage::{Outcome, Stage};
use action_result::{Entry, MacKey};
use client::Client;
use execute::Blob;
use transport::{Failure, Place};
use uploads::Uploads;

/// Environment variable with a secret that all who share a cache know: with it, only records that were sealed with it are taken.
pub const KEY_VARIABLE: &str = "NNUE_REMOTE_CACHE_KEY";
/// Environment variable with the seconds after which a silent remote is given up.
pub const TIMEOUT_VARIABLE: &str = "NNUE_REMOTE_CACHE_TIMEOUT";

/// Seconds of silence that are tolerated without [`TIMEOUT_VARIABLE`].
const PATIENCE_S: u64 = 30;
/// No value under `ac/` has more bytes: a record is some kilobytes.
const MAX_ENTRY: u64 = 4 << 20;

/// What a build may do with a remote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemoteOptions {
    /// Take results from it.
    pub reads: bool,
    /// Give results to it.
    pub writes: bool,
}

/// A remote cache, for one build. Shared between threads.
pub struct Remote {
    client: Arc<Client>,
    key: Option<MacKey>,
    options: RemoteOptions,
    uploads: Uploads,
    traffic: Mutex<Traffic>,
    downloaded: AtomicU64,
}

/// A record that the remote has, and the name of its blob. The blob was not fetched yet.
#[derive(Debug, Clone)]
pub struct Found {
    /// The record, proven whole and to be of the preimage that was asked for.
    pub record: ActionRecord,
    blob: Sha256,
}

/// What a build got from a remote and gave to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Stages whose results came from the remote, in the order of their arrival.
    pub taken: Vec<String>,
    /// Look-ups that came to nothing.
    pub missed: u64,
    /// Bytes of blobs that were downloaded and whole.
    pub downloaded: u64,
    /// Results that were uploaded.
    pub uploaded: u64,
}

impl Remote {
    /// The remote at `url`, beside the local `cache`. Connects to nothing yet; credentials come from the environment.
    ///
    /// # Errors
    /// When this program cannot use the URL, or a variable of the environment is not usable.
    pub fn open(url: &str, options: RemoteOptions, cache: &Arc<Cache>, ctx: &Ctx) -> Result<Self> {
        let key = variable(KEY_VARIABLE)?.map(|secret| MacKey::of_secret(&secret));
        let (transport, warning) = match url.split_once("://").map_or("", |(scheme, _)| scheme) {
            "http" | "https" => http::open(url)?,
            "grpc" | "grpcs" => grpc::open(url)?,
            _ => (cloud::open(url)?, None),
        };
        if let Some(warning) = warning {
            ctx.warn(warning);
        }
        let client = Arc::new(Client::new(url, transport, patience()?, ctx));
        let uploads = Uploads::new(client.clone(), cache.clone(), key.clone());
        Ok(Self { client, key, options, uploads, traffic: Mutex::default(), downloaded: AtomicU64::new(0) })
    }

    /// The record of `stage` for this preimage, if the remote has one that is whole.
    pub fn find(&self, preimage: &Preimage, stage: Stage) -> Option<Found> {
        if !self.options.reads || self.client.is_off() {
            return None;
        }
        let place = Place::entry(preimage.as_str());
        let found = self.client.get(&place, MAX_ENTRY).and_then(|bytes| {
            let entry = action_result::decode(&bytes, preimage, self.key.as_ref()).map_err(Failure::Refused)?;
            let of = entry.record.result.outcome().map(Outcome::stage);
            match of {
                Some(of) if of == stage => Ok(entry),
                Some(_) => Err(Failure::Refused("its action record is of another stage".into())),
                None => Err(Failure::Refused("its action record is of another version of nnue".into())),
            }
        });
        match found {
            Ok(Entry { record, blob }) => Some(Found { record, blob }),
            Err(failure) => {
                self.miss(&place, failure);
                None
            }
        }
    }

    /// The blob of a record, of at most `limit` bytes, proven to be the very one.
    pub fn fetch(&self, found: &Found, limit: u64) -> Option<Vec<u8>> {
        let size = found.record.result.bytes;
        let place = found.place();
        let fetch = || {
            if size > limit {
                return Err(Failure::Refused(format!("it should have {size} bytes, and no such result has more than {limit}")));
            }
            let task = format!("{} (remote)", found.record.result.stage_name());
            let bytes = self.client.download(&place, size, &task)?;
            let wrong = if bytes.len() as u64 != size {
                Some(format!("it has {} bytes instead of {size}", bytes.len()))
            } else if Sha256::of(&bytes) != found.blob || blake3_of(&bytes) != found.record.result.output_digest {
                Some("its contents do not have its digest".to_owned())
            } else {
                None
            };
            match wrong {
                None => Ok(bytes),
                Some(why) => {
                    self.uploads.replace(found.blob);
                    Err(Failure::Refused(why))
                }
            }
        };
        match fetch() {
            Ok(bytes) => {
                self.downloaded.fetch_add(size, Ordering::Relaxed);
                Some(bytes)
            }
            Err(Failure::Absent) => {
                self.miss(&place, Failure::Refused("a record names it, but it is missing".into()));
                None
            }
            Err(failure) => {
                self.miss(&place, failure);
                None
            }
        }
    }

    /// Says that a blob is whole, but not a result of its stage.
    pub fn reject(&self, found: &Found, why: &str) {
        self.miss(&found.place(), Failure::Refused(why.to_owned()));
    }

    /// Counts a result that was taken.
    pub fn accept(&self, found: &Found) {
        self.traffic().taken.push(found.record.result.stage_name().to_owned());
    }

    /// Uploads a record and its blob from the local cache, in the background.
    pub fn upload(&self, record: &ActionRecord) {
        if self.options.writes && record.result.stored && !self.client.is_off() {
            self.uploads.push(record.clone());
        }
    }

    /// Waits until all uploads are done or given up. Says what failed in one warning. Call it when results are published and reported.
    ///
    /// # Errors
    /// When the wait was interrupted.
    pub fn finish(&self) -> Result<()> {
        self.uploads.finish()
    }

    /// What was moved so far.
    pub fn traffic_so_far(&self) -> Traffic {
        Traffic { downloaded: self.downloaded.load(Ordering::Relaxed), uploaded: self.uploads.done(), ..self.traffic().clone() }
    }

    fn traffic(&self) -> std::sync::MutexGuard<'_, Traffic> {
        self.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn miss(&self, place: &Place, failure: Failure) {
        self.traffic().missed += 1;
        self.client.report(place, failure);
    }
}

impl Found {
    /// BLAKE3 of the artifact.
    pub fn digest(&self) -> Blake3 {
        self.record.result.output_digest
    }

    fn place(&self) -> Place {
        Place::Blob(Blob { sha256: self.blob, bytes: self.record.result.bytes })
    }
}

/// How long a silence is tolerated.
fn patience() -> Result<Duration> {
    let seconds = match variable(TIMEOUT_VARIABLE)? {
        None => PATIENCE_S,
        Some(seconds) => seconds.trim().parse().ok().filter(|seconds| (1..=86_400).contains(seconds)).ok_or_else(|| {
            Error::usage(format!("`{TIMEOUT_VARIABLE}` is not a number of seconds")).help("write a whole number from 1 to 86400")
        })?,
    };
    Ok(Duration::from_secs(seconds))
}

/// A variable of the environment that is set and not empty.
fn variable(name: &str) -> Result<Option<String>> {
    match std::env::var(name) {
        Ok(value) if value.is_empty() => Ok(None),
        Ok(value) => Ok(Some(value)),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => Err(Error::usage(format!("`{name}` is not UTF-8"))),
    }
}

/// The record in what a remote cache has under the name of `preimage`: for `fuzz/`, through [`crate::fuzzing`].
#[doc(hidden)]
pub fn read_action_result(bytes: &[u8], preimage: &Preimage) -> Result<ActionRecord, String> {
    action_result::decode(bytes, preimage, None).map(|entry| entry.record)
}
