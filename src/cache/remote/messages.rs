//! Messages of `build.bazel.remote.execution.v2`, cut down to the fields that are used here; others are skipped on reading.

use prost::Message;

use super::execute::Blob;
use crate::files::Sha256;
use crate::files::digest::unhex;

/// What came of an action.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ActionResult {
    #[prost(message, repeated, tag = "2")]
    pub(super) output_files: Vec<OutputFile>,
    #[prost(int32, tag = "4")]
    pub(super) exit_code: i32,
    #[prost(bytes = "vec", tag = "7")]
    pub(super) stderr_raw: Vec<u8>,
    #[prost(message, optional, tag = "8")]
    pub(super) stderr_digest: Option<Digest>,
    #[prost(message, optional, tag = "9")]
    pub(super) execution_metadata: Option<ExecutedActionMetadata>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct OutputFile {
    #[prost(string, tag = "1")]
    pub(super) path: String,
    #[prost(message, optional, tag = "2")]
    pub(super) digest: Option<Digest>,
    #[prost(bool, tag = "4")]
    pub(super) is_executable: bool,
}

#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub(super) struct Digest {
    #[prost(string, tag = "1")]
    pub(super) hash: String,
    #[prost(int64, tag = "2")]
    pub(super) size_bytes: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ExecutedActionMetadata {
    #[prost(string, tag = "1")]
    pub(super) worker: String,
    #[prost(message, repeated, tag = "11")]
    pub(super) auxiliary_metadata: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Any {
    #[prost(string, tag = "1")]
    pub(super) type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) value: Vec<u8>,
}

impl Digest {
    /// The blob, if this is the digest of one: a SHA-256 in lower case, and a size.
    pub(super) fn blob(&self) -> Option<Blob> {
        let lower = self.hash.bytes().all(|byte| !byte.is_ascii_uppercase());
        let sha256 = unhex(&self.hash).filter(|_| lower).map(Sha256)?;
        Some(Blob { sha256, bytes: u64::try_from(self.size_bytes).ok()? })
    }
}
