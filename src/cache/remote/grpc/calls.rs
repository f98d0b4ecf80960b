//! One function a call: messages in, messages out.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use prost::Message;
use tonic::codegen::tokio_stream::Stream;

use super::super::execute::Blob;
use super::super::messages::{ActionResult, Digest};
use super::super::transport::Body;
use super::messages::{
    BatchUpdateBlobsRequest, BatchUpdateBlobsResponse, ExecuteRequest, FindMissingBlobsRequest, FindMissingBlobsResponse,
    GetActionResultRequest, GetCapabilitiesRequest, Operation, OperationName, QueryWriteStatusRequest, QueryWriteStatusResponse,
    ReadRequest, ReadResponse, ServerCapabilities, UpdateActionResultRequest, UpdateBlob, WriteRequest, WriteResponse,
};
use super::wire::{About, Messages, Trouble, Wire};

/// Bytes of a piece of a blob.
const PIECE: usize = 1 << 20;

/// A server's calls, for one instance.
#[derive(Clone)]
pub(super) struct Calls {
    pub(super) wire: Arc<Wire>,
    pub(super) instance: String,
    pub(super) about: About,
}

/// The messages of an operation.
pub(super) struct Operations(Messages);

/// The pieces of a blob that come in.
pub(super) struct Pieces(Messages);

impl Calls {
    async fn ask<T: Message + Default>(&self, path: &'static str, message: &impl Message) -> Result<T, Trouble> {
        let answer = self.wire.unary(path, message.encode_to_vec(), &self.about).await?;
        decode(&answer)
    }

    pub(super) async fn capabilities(&self) -> Result<ServerCapabilities, Trouble> {
        let message = GetCapabilitiesRequest { instance_name: self.instance.clone() };
        self.ask("/build.bazel.remote.execution.v2.Capabilities/GetCapabilities", &message).await
    }

    pub(super) async fn find_missing(&self, blobs: &[Blob]) -> Result<Vec<Digest>, Trouble> {
        let blob_digests = blobs.iter().map(|blob| (*blob).into()).collect();
        let message = FindMissingBlobsRequest { instance_name: self.instance.clone(), blob_digests };
        let path = "/build.bazel.remote.execution.v2.ContentAddressableStorage/FindMissingBlobs";
        let answer: FindMissingBlobsResponse = self.ask(path, &message).await?;
        Ok(answer.missing_blob_digests)
    }

    pub(super) async fn batch_update(&self, requests: Vec<UpdateBlob>) -> Result<BatchUpdateBlobsResponse, Trouble> {
        let message = BatchUpdateBlobsRequest { instance_name: self.instance.clone(), requests };
        self.ask("/build.bazel.remote.execution.v2.ContentAddressableStorage/BatchUpdateBlobs", &message).await
    }

    /// An `ActionResult` as it came.
    pub(super) async fn action_result(&self, action: Blob) -> Result<Vec<u8>, Trouble> {
        let message = GetActionResultRequest { instance_name: self.instance.clone(), action_digest: Some(action.into()) };
        let path = "/build.bazel.remote.execution.v2.ActionCache/GetActionResult";
        Ok(self.wire.unary(path, message.encode_to_vec(), &self.about).await?.to_vec())
    }

    pub(super) async fn update_action_result(&self, action: Blob, result: ActionResult) -> Result<(), Trouble> {
        let message = UpdateActionResultRequest {
            instance_name: self.instance.clone(),
            action_digest: Some(action.into()),
            action_result: Some(result),
        };
        self.ask("/build.bazel.remote.execution.v2.ActionCache/UpdateActionResult", &message).await.map(|_: ActionResult| ())
    }

    /// The bytes of a blob from `offset` on.
    pub(super) async fn read(&self, blob: Blob, offset: u64) -> Result<Pieces, Trouble> {
        let message = ReadRequest { resource_name: self.resource(blob), read_offset: i64::try_from(offset).unwrap_or(i64::MAX) };
        self.wire.downward("/google.bytestream.ByteStream/Read", message.encode_to_vec(), &self.about).await.map(Pieces)
    }

    /// Sends the bytes of `body` from `offset` on. Gives how many the server has.
    pub(super) async fn write(&self, resource: &str, body: Body, offset: usize) -> Result<i64, Trouble> {
        let outgoing = Outgoing { resource: resource.to_owned(), body, offset, ended: false };
        let answer = self.wire.upward("/google.bytestream.ByteStream/Write", outgoing, &self.about).await?;
        decode::<WriteResponse>(&answer).map(|answer| answer.committed_size)
    }

    pub(super) async fn write_status(&self, resource: &str) -> Result<QueryWriteStatusResponse, Trouble> {
        let message = QueryWriteStatusRequest { resource_name: resource.to_owned() };
        self.ask("/google.bytestream.ByteStream/QueryWriteStatus", &message).await
    }

    pub(super) async fn execute(&self, action: Blob, skip_cache_lookup: bool) -> Result<Operations, Trouble> {
        let message = ExecuteRequest { instance_name: self.instance.clone(), skip_cache_lookup, action_digest: Some(action.into()) };
        let path = "/build.bazel.remote.execution.v2.Execution/Execute";
        self.wire.downward(path, message.encode_to_vec(), &self.about).await.map(Operations)
    }

    pub(super) async fn wait_execution(&self, name: &str) -> Result<Operations, Trouble> {
        let message = OperationName { name: name.to_owned() };
        let path = "/build.bazel.remote.execution.v2.Execution/WaitExecution";
        self.wire.downward(path, message.encode_to_vec(), &self.about).await.map(Operations)
    }

    pub(super) async fn cancel(&self, name: &str) -> Result<(), Trouble> {
        let message = OperationName { name: name.to_owned() };
        self.wire.unary("/google.longrunning.Operations/CancelOperation", message.encode_to_vec(), &self.about).await.map(drop)
    }

    /// The name under which a blob is read.
    fn resource(&self, blob: Blob) -> String {
        format!("{}blobs/{}/{}", self.prefix(), blob.sha256, blob.bytes)
    }

    /// The name under which a blob is written, with a word that tells this upload from others.
    pub(super) fn upload(&self, blob: Blob, uuid: &str) -> String {
        format!("{}uploads/{uuid}/blobs/{}/{}", self.prefix(), blob.sha256, blob.bytes)
    }

    fn prefix(&self) -> String {
        if self.instance.is_empty() { String::new() } else { format!("{}/", self.instance) }
    }
}

impl Operations {
    pub(super) async fn next(&mut self) -> Result<Option<Operation>, Trouble> {
        self.0.next().await?.map(|message| decode(&message)).transpose()
    }
}

impl Pieces {
    pub(super) async fn next(&mut self) -> Result<Option<prost::bytes::Bytes>, Trouble> {
        Ok(self.0.next().await?.map(|message| decode::<ReadResponse>(&message)).transpose()?.map(|piece| piece.data))
    }
}

/// # Errors
/// When it is no such message.
pub(super) fn decode<T: Message + Default>(bytes: &[u8]) -> Result<T, Trouble> {
    T::decode(bytes).map_err(|_| Trouble::wrong("the server's answer is not the message that it should be"))
}

/// The pieces of a blob that go out, each made when the connection takes it.
struct Outgoing {
    resource: String,
    body: Body,
    offset: usize,
    ended: bool,
}

impl Stream for Outgoing {
    type Item = Vec<u8>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Vec<u8>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let bytes: &[u8] = (*self.body).as_ref();
        let (from, size) = (self.offset, bytes.len());
        let data = bytes.get(from..size.min(from.saturating_add(PIECE))).unwrap_or_default().to_vec();
        self.offset = from.saturating_add(data.len());
        self.ended = self.offset >= size;
        let message = WriteRequest {
            resource_name: std::mem::take(&mut self.resource),
            write_offset: i64::try_from(from).unwrap_or(i64::MAX),
            finish_write: self.ended,
            data,
        };
        Poll::Ready(Some(message.encode_to_vec()))
    }
}
