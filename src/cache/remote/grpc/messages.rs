//! Messages that only gRPC carries, cut down to the fields that are used here; others are skipped on reading.
//!
//! Of `build.bazel.remote.execution.v2` where nothing else is said.

use prost::Message;

use super::super::messages::{ActionResult, Any, Digest};

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Status {
    #[prost(int32, tag = "1")]
    pub(super) code: i32,
    #[prost(string, tag = "2")]
    pub(super) message: String,
}

/// `google.protobuf.Duration`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Duration {
    #[prost(int64, tag = "1")]
    pub(super) seconds: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct GetCapabilitiesRequest {
    #[prost(string, tag = "1")]
    pub(super) instance_name: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ServerCapabilities {
    #[prost(message, optional, tag = "1")]
    pub(super) cache: Option<CacheCapabilities>,
    #[prost(message, optional, tag = "2")]
    pub(super) execution: Option<ExecutionCapabilities>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct CacheCapabilities {
    #[prost(int32, repeated, tag = "1")]
    pub(super) digest_functions: Vec<i32>,
    #[prost(message, optional, tag = "2")]
    pub(super) action_cache_update: Option<ActionCacheUpdateCapabilities>,
    #[prost(int64, tag = "4")]
    pub(super) max_batch_total_size_bytes: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ActionCacheUpdateCapabilities {
    #[prost(bool, tag = "1")]
    pub(super) update_enabled: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ExecutionCapabilities {
    #[prost(int32, tag = "1")]
    pub(super) digest_function: i32,
    #[prost(bool, tag = "2")]
    pub(super) exec_enabled: bool,
    #[prost(int32, repeated, tag = "5")]
    pub(super) digest_functions: Vec<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct FindMissingBlobsRequest {
    #[prost(string, tag = "1")]
    pub(super) instance_name: String,
    #[prost(message, repeated, tag = "2")]
    pub(super) blob_digests: Vec<Digest>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct FindMissingBlobsResponse {
    #[prost(message, repeated, tag = "2")]
    pub(super) missing_blob_digests: Vec<Digest>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct BatchUpdateBlobsRequest {
    #[prost(string, tag = "1")]
    pub(super) instance_name: String,
    #[prost(message, repeated, tag = "2")]
    pub(super) requests: Vec<UpdateBlob>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct UpdateBlob {
    #[prost(message, optional, tag = "1")]
    pub(super) digest: Option<Digest>,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) data: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct BatchUpdateBlobsResponse {
    #[prost(message, repeated, tag = "1")]
    pub(super) responses: Vec<UpdatedBlob>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct UpdatedBlob {
    #[prost(message, optional, tag = "1")]
    pub(super) digest: Option<Digest>,
    #[prost(message, optional, tag = "2")]
    pub(super) status: Option<Status>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct GetActionResultRequest {
    #[prost(string, tag = "1")]
    pub(super) instance_name: String,
    #[prost(message, optional, tag = "2")]
    pub(super) action_digest: Option<Digest>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct UpdateActionResultRequest {
    #[prost(string, tag = "1")]
    pub(super) instance_name: String,
    #[prost(message, optional, tag = "2")]
    pub(super) action_digest: Option<Digest>,
    #[prost(message, optional, tag = "3")]
    pub(super) action_result: Option<ActionResult>,
}

/// `google.bytestream.ReadRequest`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ReadRequest {
    #[prost(string, tag = "1")]
    pub(super) resource_name: String,
    #[prost(int64, tag = "2")]
    pub(super) read_offset: i64,
}

/// `google.bytestream.ReadResponse`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ReadResponse {
    #[prost(bytes = "bytes", tag = "10")]
    pub(super) data: prost::bytes::Bytes,
}

/// `google.bytestream.WriteRequest`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct WriteRequest {
    /// Of the first piece only.
    #[prost(string, tag = "1")]
    pub(super) resource_name: String,
    #[prost(int64, tag = "2")]
    pub(super) write_offset: i64,
    #[prost(bool, tag = "3")]
    pub(super) finish_write: bool,
    #[prost(bytes = "vec", tag = "10")]
    pub(super) data: Vec<u8>,
}

/// `google.bytestream.WriteResponse`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct WriteResponse {
    #[prost(int64, tag = "1")]
    pub(super) committed_size: i64,
}

/// `google.bytestream.QueryWriteStatusRequest`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct QueryWriteStatusRequest {
    #[prost(string, tag = "1")]
    pub(super) resource_name: String,
}

/// `google.bytestream.QueryWriteStatusResponse`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct QueryWriteStatusResponse {
    #[prost(int64, tag = "1")]
    pub(super) committed_size: i64,
    #[prost(bool, tag = "2")]
    pub(super) complete: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Directory {
    #[prost(message, repeated, tag = "1")]
    pub(super) files: Vec<FileNode>,
    #[prost(message, repeated, tag = "2")]
    pub(super) directories: Vec<DirectoryNode>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct FileNode {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(message, optional, tag = "2")]
    pub(super) digest: Option<Digest>,
    #[prost(bool, tag = "4")]
    pub(super) is_executable: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct DirectoryNode {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(message, optional, tag = "2")]
    pub(super) digest: Option<Digest>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Command {
    #[prost(string, repeated, tag = "1")]
    pub(super) arguments: Vec<String>,
    /// What servers before version 2.1 know.
    #[prost(string, repeated, tag = "3")]
    pub(super) output_files: Vec<String>,
    /// What servers before version 2.2 read.
    #[prost(message, optional, tag = "5")]
    pub(super) platform: Option<Platform>,
    #[prost(string, repeated, tag = "7")]
    pub(super) output_paths: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Platform {
    #[prost(message, repeated, tag = "1")]
    pub(super) properties: Vec<Property>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Property {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) value: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Action {
    #[prost(message, optional, tag = "1")]
    pub(super) command_digest: Option<Digest>,
    #[prost(message, optional, tag = "2")]
    pub(super) input_root_digest: Option<Digest>,
    #[prost(message, optional, tag = "6")]
    pub(super) timeout: Option<Duration>,
    #[prost(message, optional, tag = "10")]
    pub(super) platform: Option<Platform>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ExecuteRequest {
    #[prost(string, tag = "1")]
    pub(super) instance_name: String,
    #[prost(bool, tag = "3")]
    pub(super) skip_cache_lookup: bool,
    #[prost(message, optional, tag = "6")]
    pub(super) action_digest: Option<Digest>,
}

/// Of [`ExecuteRequest`]'s operation, and `google.longrunning.CancelOperationRequest`, which has the same field.
#[derive(Clone, PartialEq, Message)]
pub(super) struct OperationName {
    #[prost(string, tag = "1")]
    pub(super) name: String,
}

/// `google.longrunning.Operation`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Operation {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(message, optional, tag = "2")]
    pub(super) metadata: Option<Any>,
    #[prost(bool, tag = "3")]
    pub(super) done: bool,
    #[prost(message, optional, tag = "4")]
    pub(super) error: Option<Status>,
    #[prost(message, optional, tag = "5")]
    pub(super) response: Option<Any>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ExecuteOperationMetadata {
    #[prost(int32, tag = "1")]
    pub(super) stage: i32,
    #[prost(message, optional, tag = "5")]
    pub(super) partial_execution_metadata: Option<super::super::messages::ExecutedActionMetadata>,
}

impl ExecuteOperationMetadata {
    pub(super) const TYPE: &str = "build.bazel.remote.execution.v2.ExecuteOperationMetadata";
    pub(super) const QUEUED: i32 = 2;
    pub(super) const EXECUTING: i32 = 3;
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ExecuteResponse {
    #[prost(message, optional, tag = "1")]
    pub(super) result: Option<ActionResult>,
    #[prost(bool, tag = "2")]
    pub(super) cached_result: bool,
    #[prost(message, optional, tag = "3")]
    pub(super) status: Option<Status>,
    #[prost(string, tag = "5")]
    pub(super) message: String,
}

/// Who asks and for what: for the cluster's own pages.
#[derive(Clone, PartialEq, Message)]
pub(super) struct RequestMetadata {
    #[prost(message, optional, tag = "1")]
    pub(super) tool_details: Option<ToolDetails>,
    #[prost(string, tag = "2")]
    pub(super) action_id: String,
    #[prost(string, tag = "3")]
    pub(super) tool_invocation_id: String,
    #[prost(string, tag = "5")]
    pub(super) action_mnemonic: String,
    #[prost(string, tag = "6")]
    pub(super) target_id: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ToolDetails {
    #[prost(string, tag = "1")]
    pub(super) tool_name: String,
    #[prost(string, tag = "2")]
    pub(super) tool_version: String,
}
