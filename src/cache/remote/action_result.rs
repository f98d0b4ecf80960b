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
mod tests {
    use serde_json::json;

    use super::*;
    use crate::files::Blake3;

    fn entry() -> Entry {
        let record = crate::cache::record::tests::record("gather", 10, Blake3::of(b"abc"));
        Entry { record, blob: Sha256::of(b"abc") }
    }

    #[test]
    fn a_value_comes_back_and_belongs_to_its_preimage() {
        let entry = entry();
        let bytes = encode(&entry, None).unwrap();
        assert_eq!(decode(&bytes, &entry.record.preimage, None).unwrap(), entry);
        let other = Preimage::of(&json!({"stage": "search"})).unwrap();
        assert!(decode(&bytes, &other, None).unwrap_err().contains("does not have its key"));
    }

    #[test]
    fn fields_that_a_cache_adds_are_skipped() {
        let entry = entry();
        let mut bytes = encode(&entry, None).unwrap();
        // stdout_raw = "x", and a field that no version knows
        bytes.extend_from_slice(&[0x2a, 1, b'x', 0xf8, 0x07, 5]);
        assert_eq!(decode(&bytes, &entry.record.preimage, None).unwrap(), entry);
    }

    #[test]
    fn no_changed_bit_gives_another_record() {
        let entry = entry();
        let key = MacKey::of_secret("secret");
        let bytes = encode(&entry, Some(&key)).unwrap();
        let mut unharmed = 0;
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            if let Ok(read) = decode(&bad, &entry.record.preimage, None) {
                // The worker's name, the MAC and the blob's name are outside the seal; another blob is noticed by its digest.
                assert_eq!(read.record, entry.record, "bit {bit}");
                unharmed += 1;
            }
            if let Ok(read) = decode(&bad, &entry.record.preimage, Some(&key)) {
                assert_eq!(read.record, entry.record, "bit {bit}");
            }
        }
        assert!(unharmed > 0 && unharmed < bytes.len() * 2, "{unharmed}");
        for cut in 0..bytes.len() {
            assert!(decode(&bytes[..cut], &entry.record.preimage, Some(&key)).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn noise_gives_no_record_and_no_panic() {
        let entry = entry();
        let good = encode(&entry, None).unwrap();
        let mut state = 1u64;
        let mut random = move |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        for _ in 0..20_000 {
            let mut bad = good.clone();
            for _ in 0..=random(4) {
                if bad.is_empty() {
                    break;
                }
                let at = random(bad.len());
                match random(4) {
                    0 => bad[at] = random(256) as u8,
                    1 => drop(bad.remove(at)),
                    2 => bad.insert(at, [0, 0xff, 0x80, 0x12][random(4)]),
                    _ => bad.truncate(at + 1),
                }
            }
            if let Ok(read) = decode(&bad, &entry.record.preimage, None) {
                assert_eq!(read.record, entry.record);
            }
            let noise: Vec<u8> = (0..random(200)).map(|_| random(256) as u8).collect();
            assert!(decode(&noise, &entry.record.preimage, None).is_err());
        }
    }

    #[test]
    fn with_a_secret_only_what_it_sealed_is_taken() {
        let entry = entry();
        let (ours, theirs) = (MacKey::of_secret("ours"), MacKey::of_secret("theirs"));
        let preimage = &entry.record.preimage;
        let sealed = encode(&entry, Some(&ours)).unwrap();
        assert_eq!(decode(&sealed, preimage, Some(&ours)).unwrap(), entry);
        assert_eq!(decode(&sealed, preimage, None).unwrap(), entry, "who has no secret does not ask for one");
        for bytes in [encode(&entry, Some(&theirs)).unwrap(), encode(&entry, None).unwrap()] {
            assert!(decode(&bytes, preimage, Some(&ours)).unwrap_err().contains("not sealed"));
        }
    }
}
