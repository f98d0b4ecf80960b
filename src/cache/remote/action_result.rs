//! What stands under `ac/`: a record as an `ActionResult` of the Remote Execution API v2, so that caches which look into values take it.
//!
//! Fields that are not used here are skipped on reading. The record itself, sealed as in the local cache, is the one piece of `auxiliary_metadata`: the place for what
//! the protocol does not know. Bytes only: nothing here asks a network or looks into a blob.

use prost::Message;

use super::messages::{ActionResult, Any, Digest, ExecutedActionMetadata, OutputFile};
use crate::cache::record::{ActionRecord, Preimage};
use crate::error::{Error, Result};
use crate::files::Sha256;

/// The name of the artifact among an action's outputs.
const ARTIFACT: &str = "artifact";
/// Who made it. A cache that finds none here would write its own word in.
const WORKER: &str = "nnue";
/// The types of the pieces of metadata.
const RECORD: &str = "nnue/ActionRecord";
const MAC: &str = "nnue/Blake3Mac";

/// Keeps the keys of MACs apart from every other use of BLAKE3.
const MAC_CONTEXT: &str = "nnue 2026-11 remote cache: MAC of an action record";

/// The key under which records are proven to be from someone who knows the shared secret.
#[derive(Clone)]
pub(super) struct MacKey([u8; 32]);

impl MacKey {
    /// From the text that all who share a cache know.
    pub(super) fn of_secret(secret: &str) -> Self {
        Self(blake3::derive_key(MAC_CONTEXT, secret.as_bytes()))
    }

    fn mac(&self, record: &[u8]) -> blake3::Hash {
        blake3::keyed_hash(&self.0, record)
    }
}

/// A record with the name of its blob.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) record: ActionRecord,
    /// The blob's name under `cas/`.
    pub(super) blob: Sha256,
}

/// The value for a record whose blob has this SHA-256.
///
/// # Errors
/// As [`ActionRecord::encode`].
pub(super) fn encode(entry: &Entry, key: Option<&MacKey>) -> Result<Vec<u8>> {
    let record = entry.record.encode()?;
    let size_bytes = i64::try_from(entry.record.result.bytes).map_err(|_| Error::new("the artifact has 2^63 bytes or more"))?;
    let mac = key.map(|key| Any { type_url: MAC.into(), value: key.mac(&record).as_bytes().to_vec() });
    let record = Any { type_url: RECORD.into(), value: record };
    let digest = Some(Digest { hash: entry.blob.to_string(), size_bytes });
    let message = ActionResult {
        output_files: vec![OutputFile { path: ARTIFACT.into(), digest, is_executable: false }],
        execution_metadata: Some(ExecutedActionMetadata {
            worker: WORKER.into(),
            auxiliary_metadata: std::iter::once(record).chain(mac).collect(),
        }),
        ..ActionResult::default()
    };
    Ok(message.encode_to_vec())
}

/// Reads a value that was found under the name of `preimage`, or says in half a sentence what is wrong with it.
///
/// With a `key`, only what was sealed with it is taken. The blob is not looked at.
///
/// # Errors
/// When it is not a value of [`encode`] for this preimage.
pub(super) fn decode(bytes: &[u8], preimage: &Preimage, key: Option<&MacKey>) -> Result<Entry, String> {
    let message = ActionResult::decode(bytes).map_err(|_| "it is not an ActionResult message")?;
    let [OutputFile { path, digest: Some(digest), .. }] = message.output_files.as_slice() else {
        return Err("it does not have one output file".into());
    };
    if path != ARTIFACT || message.exit_code != 0 {
        return Err("it is the result of another program's action".into());
    }
    let blob = digest.blob().ok_or("its output's digest is not a SHA-256")?;
    let metadata = message.execution_metadata.unwrap_or_default().auxiliary_metadata;
    let piece = |name: &str| metadata.iter().find(|piece| piece.type_url == name).map(|piece| piece.value.as_slice());
    let sealed = piece(RECORD).ok_or("it has no action record of nnue")?;
    if let Some(key) = key {
        let mac = piece(MAC).and_then(|mac| <[u8; 32]>::try_from(mac).ok());
        // Compared as hashes, which takes the same time whatever differs.
        if mac.is_none_or(|mac| key.mac(sealed) != blake3::Hash::from_bytes(mac)) {
            return Err(format!("it was not sealed with the secret in `{}`", super::KEY_VARIABLE));
        }
    }
    let record = ActionRecord::decode(preimage.key(), sealed).map_err(|why| format!("in its action record, {why}"))?;
    if record.preimage != *preimage {
        return Err("its action record is for another action".into());
    }
    if !record.result.stored || blob.bytes != record.result.bytes {
        return Err("its action record and its output differ".into());
    }
    Ok(Entry { record, blob: blob.sha256 })
}

#[cfg(test)]
mod tests;
