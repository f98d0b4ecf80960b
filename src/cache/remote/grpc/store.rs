//! Blobs and entries of a server: what is missing, up and down, resumed after a break.
//!
//! What comes down is not proven here: whoever asked knows what it should be.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prost::Message;
use tonic::Code;

use super::super::execute::Blob;
use super::super::messages::ActionResult;
use super::super::transport::{Body, Moved};
use super::calls::Calls;
use super::messages::{QueryWriteStatusResponse, ServerCapabilities, UpdateBlob};
use super::wire::Trouble;

/// The most bytes of one message: servers take 4 MiB, whatever they say.
const BATCH: u64 = 3 << 20;
/// What a blob costs in a message beside its bytes.
const OVERHEAD: u64 = 128;
/// Blobs that are asked for at once.
const ASKED: usize = 4000;
/// Pauses before a call is made again.
pub(super) const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(2)];
/// SHA-256 among the digest functions.
const SHA256: i32 = 1;

/// What a server can do.
#[derive(Debug)]
pub(super) struct Able {
    /// The most bytes of blobs in one message.
    batch: u64,
    /// Whether it takes entries.
    updates: bool,
    /// Whether it runs programs.
    pub(super) executes: bool,
}

/// What a server can do, or why it is of no use.
type Asked = Result<Arc<Able>, String>;

/// A server.
#[derive(Clone)]
pub(super) struct Store {
    pub(super) calls: Calls,
    able: Arc<Mutex<Option<Asked>>>,
}

impl Store {
    pub(super) fn new(calls: Calls) -> Self {
        Self { calls, able: Arc::default() }
    }

    /// The same server, for calls that count what they move here.
    pub(super) fn counting(&self, moved: &Moved) -> Self {
        let mut store = self.clone();
        store.calls.about.moved = moved.clone();
        store
    }

    /// What it can do: asked once.
    pub(super) async fn able(&self) -> Result<Arc<Able>, Trouble> {
        let known = || self.able.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(able) = known().clone() {
            return able.map_err(Trouble::wrong);
        }
        let answer = match self.calls.capabilities().await {
            Ok(answer) => answer,
            // Some old caches have no such call.
            Err(Trouble::Refused(code, _)) if code == Code::Unimplemented as i32 => ServerCapabilities::default(),
            Err(trouble) => return Err(trouble),
        };
        let able = able(&answer).map(Arc::new);
        *known() = Some(able.clone());
        able.map_err(Trouble::wrong)
    }

    /// Those of `blobs` that it lacks, each once.
    pub(super) async fn missing(&self, blobs: &[Blob]) -> Result<Vec<Blob>, Trouble> {
        self.able().await?;
        let mut asked = blobs.to_vec();
        asked.sort_unstable();
        asked.dedup();
        let mut missing = Vec::new();
        for some in asked.chunks(ASKED) {
            for digest in self.calls.find_missing(some).await? {
                let blob = digest.blob().filter(|blob| some.binary_search(blob).is_ok());
                missing.push(blob.ok_or_else(|| Trouble::wrong("the server misses a blob that it was not asked for"))?);
            }
        }
        Ok(missing)
    }

    /// The bytes under the name of `blob`: so many of them as come, at most `limit`.
    pub(super) async fn read(&self, blob: Blob, limit: u64) -> Result<Vec<u8>, Trouble> {
        let mut bytes = Vec::new();
        if blob.bytes == 0 {
            return Ok(bytes);
        }
        self.able().await?;
        let mut pauses = PAUSES.into_iter();
        loop {
            let had = bytes.len();
            let trouble = match self.read_on(blob, limit, &mut bytes).await {
                Ok(()) => return Ok(bytes),
                Err(trouble) => trouble,
            };
            // What came is kept, and the rest asked for. The connection may not have noticed yet that it is broken.
            if bytes.len() > had {
                pauses = PAUSES.into_iter();
            }
            let pause = if trouble.may_pass() && !bytes.is_empty() { pauses.next() } else { None };
            let Some(pause) = pause else { return Err(trouble) };
            tokio::time::sleep(pause).await;
        }
    }

    /// Appends to `bytes` what is behind them.
    async fn read_on(&self, blob: Blob, limit: u64, bytes: &mut Vec<u8>) -> Result<(), Trouble> {
        let mut pieces = self.calls.read(blob, bytes.len() as u64).await?;
        while let Some(piece) = pieces.next().await? {
            bytes.extend_from_slice(&piece);
            if bytes.len() as u64 > limit {
                return Err(Trouble::wrong(format!("it is longer than the limit of {limit} bytes")));
            }
        }
        Ok(())
    }

    /// The first bytes of `blob`, about `most`.
    pub(super) async fn beginning(&self, blob: Blob, most: u64) -> Result<Vec<u8>, Trouble> {
        let mut bytes = Vec::new();
        let mut pieces = self.calls.read(blob, 0).await?;
        while (bytes.len() as u64) < most.min(blob.bytes) {
            let Some(piece) = pieces.next().await? else { break };
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }

    /// Sends `body`, whose name is `blob`: also an empty one, which not every server has.
    pub(super) async fn write(&self, blob: Blob, body: &Body) -> Result<(), Trouble> {
        if blob.bytes.saturating_add(OVERHEAD) <= self.able().await?.batch {
            return self.write_batch(&[(blob, body.clone())]).await;
        }
        let resource = self.calls.upload(blob, &uuid());
        let mut offset = 0;
        loop {
            let trouble = match self.calls.write(&resource, body.clone(), offset).await {
                Ok(taken) if u64::try_from(taken) == Ok(blob.bytes) => return Ok(()),
                Ok(taken) => Trouble::wrong(format!("the server took {taken} of {} bytes", blob.bytes)),
                // Somebody else was quicker.
                Err(Trouble::Refused(code, _)) if code == Code::AlreadyExists as i32 => return Ok(()),
                Err(trouble) => trouble,
            };
            if !trouble.may_pass() {
                return Err(trouble);
            }
            // The connection broke: goes on where the server stands, if it has come further.
            let Ok(status) = self.write_status(&resource).await else { return Err(trouble) };
            let taken = usize::try_from(status.committed_size).unwrap_or(0);
            if status.complete && taken as u64 == blob.bytes {
                return Ok(());
            }
            if taken <= offset || taken as u64 >= blob.bytes {
                return Err(trouble);
            }
            offset = taken;
        }
    }

    /// How far an upload has come. The connection may not have noticed yet that it is broken.
    async fn write_status(&self, resource: &str) -> Result<QueryWriteStatusResponse, Trouble> {
        let mut pauses = PAUSES.into_iter();
        loop {
            let status = self.calls.write_status(resource).await;
            let pause = if status.as_ref().is_err_and(Trouble::may_pass) { pauses.next() } else { None };
            let Some(pause) = pause else { return status };
            tokio::time::sleep(pause).await;
        }
    }

    /// Sends all of `blobs`, small ones together.
    pub(super) async fn write_all(&self, blobs: Vec<(Blob, Body)>) -> Result<(), Trouble> {
        let most = self.able().await?.batch;
        let (large, small): (Vec<_>, Vec<_>) = blobs.into_iter().partition(|(blob, _)| blob.bytes.saturating_add(OVERHEAD) > most);
        let (mut batch, mut size) = (Vec::new(), 0);
        for (blob, body) in small {
            if size + blob.bytes + OVERHEAD > most {
                self.write_batch(&std::mem::take(&mut batch)).await?;
                size = 0;
            }
            size += blob.bytes + OVERHEAD;
            batch.push((blob, body));
        }
        if !batch.is_empty() {
            self.write_batch(&batch).await?;
        }
        for (blob, body) in large {
            self.write(blob, &body).await?;
        }
        Ok(())
    }

    async fn write_batch(&self, blobs: &[(Blob, Body)]) -> Result<(), Trouble> {
        let requests = blobs.iter().map(|(blob, body)| UpdateBlob { digest: Some((*blob).into()), data: (**body).as_ref().to_vec() });
        let answer = self.calls.batch_update(requests.collect()).await?;
        let mut left: HashSet<Blob> = blobs.iter().map(|(blob, _)| *blob).collect();
        for response in answer.responses {
            let status = response.status.unwrap_or_default();
            match response.digest.and_then(|digest| digest.blob()).map(|blob| left.remove(&blob)) {
                None | Some(false) => return Err(Trouble::wrong("the server answered for a blob that it was not sent")),
                Some(true) if status.code == 0 || status.code == Code::AlreadyExists as i32 => {}
                Some(true) => return Err(status_trouble(status.code, &status.message)),
            }
        }
        if left.is_empty() { Ok(()) } else { Err(Trouble::wrong("the server did not say what became of a blob")) }
    }

    /// The entry of an action, as bytes of an `ActionResult`.
    pub(super) async fn entry(&self, action: Blob) -> Result<Vec<u8>, Trouble> {
        self.able().await?;
        self.calls.action_result(action).await
    }

    /// Writes the entry of an action of which `asked` are the bytes.
    pub(super) async fn set_entry(&self, action: Blob, asked: &str, entry: &[u8]) -> Result<(), Trouble> {
        if !self.able().await?.updates {
            return Err(Trouble::wrong("the server takes no results: it says that `update_enabled` is false"));
        }
        let entry = ActionResult::decode(entry).map_err(|_| Trouble::wrong("it is not an ActionResult message"))?;
        // The name of the entry is that of a blob, and some servers look whether it is there.
        let body: Body = Arc::new(asked.as_bytes().to_vec());
        self.write(action, &body).await?;
        self.calls.update_action_result(action, entry).await
    }
}

/// What the answer to `GetCapabilities` means here.
fn able(answer: &ServerCapabilities) -> Result<Able, String> {
    let cache = answer.cache.clone().unwrap_or_default();
    if !cache.digest_functions.is_empty() && !cache.digest_functions.contains(&SHA256) {
        return Err(format!("the server names blobs by other digests than SHA-256 (its digest functions: {:?})", cache.digest_functions));
    }
    let execution = answer.execution.clone().unwrap_or_default();
    let knows = execution.digest_functions.contains(&SHA256)
        || execution.digest_functions.is_empty() && matches!(execution.digest_function, 0 | SHA256);
    // 0 is said by servers that have a limit all the same.
    let batch = u64::try_from(cache.max_batch_total_size_bytes).ok().filter(|most| *most > 0).unwrap_or(BATCH).min(BATCH);
    // A server that says nothing of it is asked.
    let updates = answer.cache.is_none() || cache.action_cache_update.is_some_and(|update| update.update_enabled);
    Ok(Able { batch, updates, executes: execution.exec_enabled && knows })
}

/// The trouble that a status inside of an answer is.
pub(super) fn status_trouble(code: i32, message: &str) -> Trouble {
    let why = format!("the server answered {:?}: {}", Code::from_i32(code), super::super::transport::shown(message));
    if code == Code::Unavailable as i32 { Trouble::Lost(why) } else { Trouble::Refused(code, why) }
}

/// A word that nobody else has.
pub(super) fn uuid() -> String {
    let random = || RandomState::new().build_hasher().finish();
    let bits = u128::from(random()) << 64 | u128::from(random());
    // Version 4, variant 1.
    let bits = bits & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let hex = format!("{bits:032x}");
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default().to_owned();
    format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
}

#[cfg(test)]
mod tests;
