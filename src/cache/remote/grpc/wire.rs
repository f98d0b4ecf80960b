//! One connection, on a thread of its own: the rest of the program waits for it and is not written around it.
//!
//! Bytes go through here as they are; [`super::calls`] makes messages of them. What a server or something in front of it sends that is no
//! gRPC is told from answers here, and nothing that it sends makes anything panic.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock, mpsc};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http_body::Frame;
use prost::bytes::{Buf, BufMut, Bytes};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tonic::body::Body;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::codegen::http::{self, HeaderMap, StatusCode};
use tonic::codegen::tokio_stream::Stream;
use tonic::codegen::{BoxFuture, Service};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status, Streaming};

use super::super::transport::{Failure, Moved, shown};
use super::address::{Address, causes};

/// No message that comes in has more bytes: servers send at most 4 MiB.
const MAX_MESSAGE: usize = 8 << 20;
/// Bytes that are handed to the connection at once.
const PIECE: usize = 64 << 10;
/// How often it is looked whether anything moves.
const TICK: Duration = Duration::from_millis(200);
/// The piece of a status that may be anything, and that nothing here reads.
const DETAILS: &str = "grpc-status-details-bin";
const STATUS: &str = "grpc-status";

/// The thread on which all of this happens, from the first call on.
pub(super) struct Network(OnceLock<Result<Started, String>>);

struct Started {
    handle: Handle,
    /// The thread ends when this goes.
    _stop: oneshot::Sender<()>,
}

impl Network {
    pub(super) fn new() -> Self {
        Self(OnceLock::new())
    }

    fn handle(&self) -> Result<&Handle, Trouble> {
        let started = self.0.get_or_init(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|error| format!("cannot start: {error}"))?;
            let handle = runtime.handle().clone();
            let (stop, stopped) = oneshot::channel::<()>();
            let thread = std::thread::Builder::new().name("remote".to_owned());
            let thread = thread.spawn(move || drop(runtime.block_on(stopped)));
            thread.map_err(|error| format!("cannot start a thread: {error}"))?;
            Ok(Started { handle, _stop: stop })
        });
        started.as_ref().map(|started| &started.handle).map_err(|why| Trouble::Lost(why.clone()))
    }

    /// Begins `work`; its result comes through the channel, unless it panics or is aborted.
    pub(super) fn begin<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<(mpsc::Receiver<T>, tokio::task::AbortHandle), Trouble> {
        let (sender, receiver) = mpsc::channel();
        // Whoever gave up no longer listens.
        let task = self.handle()?.spawn(async move { drop(sender.send(work.await)) });
        Ok((receiver, task.abort_handle()))
    }

    /// Waits for `work`.
    pub(super) fn wait<T: Send + 'static>(&self, work: impl Future<Output = Result<T, Trouble>> + Send + 'static) -> Result<T, Trouble> {
        let (receiver, _) = self.begin(work)?;
        receiver.recv().unwrap_or_else(|_| Err(Trouble::Lost("the request panicked".to_owned())))
    }
}

/// A server, connected to with the first call, and again when the connection was lost.
pub(super) struct Wire {
    network: Arc<Network>,
    endpoint: Endpoint,
    headers: Arc<HeaderMap>,
    channel: OnceLock<Channel>,
}

/// What belongs to a call beside its message.
#[derive(Clone, Default)]
pub(super) struct About {
    /// Counts what comes and goes.
    pub(super) moved: Moved,
    /// An encoded [`super::messages::RequestMetadata`].
    pub(super) metadata: Arc<Vec<u8>>,
}

impl Wire {
    pub(super) fn new(address: &Address, network: Arc<Network>) -> Self {
        let (endpoint, headers) = (address.endpoint.clone(), Arc::new(address.headers.clone()));
        Self { network, endpoint, headers, channel: OnceLock::new() }
    }

    async fn grpc(&self) -> Result<Grpc<Guarded>, Trouble> {
        let channel = match self.channel.get() {
            Some(channel) => channel.clone(),
            None => {
                let _entered = self.network.handle()?.enter();
                self.channel.get_or_init(|| self.endpoint.connect_lazy()).clone()
            }
        };
        let mut grpc = Grpc::new(Guarded { channel, headers: self.headers.clone() }).max_decoding_message_size(MAX_MESSAGE);
        grpc.ready().await.map_err(|error| Trouble::of(&Status::from_error(error)))?;
        Ok(grpc)
    }

    fn request<T>(message: T, about: &About) -> Request<T> {
        let mut request = Request::new(message);
        request.extensions_mut().insert(about.moved.clone());
        if !about.metadata.is_empty() {
            let value = tonic::metadata::MetadataValue::from_bytes(&about.metadata);
            request.metadata_mut().insert_bin("build.bazel.remote.execution.v2.requestmetadata-bin", value);
        }
        request
    }

    /// One message for one.
    pub(super) async fn unary(&self, path: &'static str, message: Vec<u8>, about: &About) -> Result<Bytes, Trouble> {
        let mut grpc = self.grpc().await?;
        let answer = grpc.unary(Self::request(message, about), PathAndQuery::from_static(path), Raw).await;
        answer.map(tonic::Response::into_inner).map_err(|status| Trouble::of(&status))
    }

    /// Many messages for one.
    pub(super) async fn upward(
        &self,
        path: &'static str,
        messages: impl Stream<Item = Vec<u8>> + Send + 'static,
        about: &About,
    ) -> Result<Bytes, Trouble> {
        let mut grpc = self.grpc().await?;
        let answer = grpc.client_streaming(Self::request(messages, about), PathAndQuery::from_static(path), Raw).await;
        answer.map(tonic::Response::into_inner).map_err(|status| Trouble::of(&status))
    }

    /// One message for many.
    pub(super) async fn downward(&self, path: &'static str, message: Vec<u8>, about: &About) -> Result<Messages, Trouble> {
        let mut grpc = self.grpc().await?;
        let answer = grpc.server_streaming(Self::request(message, about), PathAndQuery::from_static(path), Raw).await;
        answer.map(|answer| Messages(answer.into_inner())).map_err(|status| Trouble::of(&status))
    }
}

/// Messages that come in.
pub(super) struct Messages(Streaming<Bytes>);

impl Messages {
    /// The next one; `None` where the server says that it was the last.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Trouble> {
        self.0.message().await.map_err(|status| Trouble::of(&status))
    }
}

/// Why a call has no answer, or no useful one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// What was asked for is not there.
    Absent,
    /// Nobody lets us in.
    Denied(String),
    /// The server answered so.
    Refused(i32, String),
    /// No connection, a broken one, or a server that says itself that this may pass.
    Lost(String),
}

impl Trouble {
    /// What a status means. One with a cause was made here, of whatever went wrong underneath: its code says nothing.
    fn of(status: &Status) -> Self {
        if let Some(cause) = status.source() {
            if let Some(NotGrpc { status, .. }) = cause.downcast_ref() {
                let why = cause.to_string();
                return match *status {
                    StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::PROXY_AUTHENTICATION_REQUIRED => Self::Denied(why),
                    StatusCode::TOO_MANY_REQUESTS => Self::Lost(why),
                    status if status.is_server_error() => Self::Lost(why),
                    _ => Self::Denied(why),
                };
            }
            return Self::Lost(causes(cause));
        }
        let why = || format!("the server answered {:?}: {}", status.code(), shown(status.message()));
        match status.code() {
            Code::NotFound => Self::Absent,
            Code::Unavailable => Self::Lost(why()),
            Code::Unauthenticated | Code::PermissionDenied => Self::Denied(why()),
            code => Self::Refused(code as i32, why()),
        }
    }

    /// A refusal that is found here.
    pub(super) fn wrong(why: impl Into<String>) -> Self {
        Self::Refused(Code::Unknown as i32, why.into())
    }

    /// Whether another try may help.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self, Self::Lost(_))
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Absent => Self::Absent,
            Trouble::Denied(why) | Trouble::Refused(_, why) => Self::Refused(why),
            Trouble::Lost(why) => Self::Unavailable(why),
        }
    }
}

/// Waits for `work` as long as bytes move: after `patience` without any it is given up.
pub(super) async fn while_moving<T>(
    work: impl Future<Output = Result<T, Trouble>>,
    moved: &Moved,
    patience: Duration,
) -> Result<T, Trouble> {
    let mut work = std::pin::pin!(work);
    let (mut bytes, mut since) = (moved.bytes(), tokio::time::Instant::now());
    loop {
        if let Ok(result) = tokio::time::timeout(TICK, work.as_mut()).await {
            return result;
        }
        if moved.bytes() != bytes {
            (bytes, since) = (moved.bytes(), tokio::time::Instant::now());
        } else if since.elapsed() >= patience {
            return Err(Trouble::Lost(format!("nothing moved for {} seconds", patience.as_secs())));
        }
    }
}

/// Bytes as they are.
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, message: Vec<u8>, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.reserve(message.len());
        out.put_slice(&message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

/// The channel, with our headers on each request and a look at each answer before anything reads it.
#[derive(Clone)]
struct Guarded {
    channel: Channel,
    headers: Arc<HeaderMap>,
}

impl Service<http::Request<Body>> for Guarded {
    type Response = http::Response<Body>;
    type Error = Box<dyn StdError + Send + Sync>;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.channel.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        for (name, value) in &*self.headers {
            request.headers_mut().append(name, value.clone());
        }
        let moved = request.extensions().get::<Moved>().cloned().unwrap_or_default();
        let counted = moved.clone();
        let request = request.map(|body| Body::new(Outward { body, rest: Bytes::new(), handed: 0, moved: counted }));
        let answer = self.channel.call(request);
        Box::pin(async move { checked(answer.await?, moved) })
    }
}

/// The body of a request, handed out in small pieces as the connection takes them, so that it is seen to move.
struct Outward {
    body: Body,
    rest: Bytes,
    /// Bytes of the last piece: they have moved when the next one is asked for.
    handed: usize,
    moved: Moved,
}

impl http_body::Body for Outward {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let handed = std::mem::take(&mut self.handed);
        self.moved.add(handed);
        while self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(context)).transpose()?.map(Frame::into_data) {
                Some(Ok(data)) => self.rest = data,
                Some(Err(frame)) => return Poll::Ready(Some(Ok(frame))),
                None => return Poll::Ready(None),
            }
        }
        let size = self.rest.len().min(PIECE);
        self.handed = size;
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(size)))))
    }
}

/// An answer that is gRPC.
fn checked(mut answer: http::Response<Body>, moved: Moved) -> Result<http::Response<Body>, Box<dyn StdError + Send + Sync>> {
    let ended = answer.headers().contains_key(STATUS);
    let kind = answer.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !ended && (answer.status() != StatusCode::OK || !kind.starts_with("application/grpc")) {
        let kind = shown(kind.split(';').next().unwrap_or_default());
        return Err(Box::new(NotGrpc { status: answer.status(), kind }));
    }
    answer.headers_mut().remove(DETAILS);
    Ok(answer.map(|body| Body::new(Watched { body, moved, ended })))
}

/// An answer of something that does not speak gRPC: a proxy, a web server.
#[derive(Debug)]
struct NotGrpc {
    status: StatusCode,
    kind: String,
}

impl fmt::Display for NotGrpc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.status, self.kind.as_str()) {
            (StatusCode::OK, "") => write!(f, "the server does not answer in gRPC"),
            (StatusCode::OK, kind) => write!(f, "the server answered in `{kind}` instead of gRPC"),
            (status, _) => write!(f, "the server answered {status}"),
        }
    }
}

impl StdError for NotGrpc {}

/// The body of an answer: counted, and whole only with a status at its end.
struct Watched {
    body: Body,
    moved: Moved,
    /// The status was there.
    ended: bool,
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = Box<dyn StdError + Send + Sync>;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        Poll::Ready(match frame {
            Some(Ok(mut frame)) => {
                if let Some(data) = frame.data_ref() {
                    self.moved.add(data.len());
                }
                if let Some(trailers) = frame.trailers_mut() {
                    trailers.remove(DETAILS);
                    self.ended |= trailers.contains_key(STATUS);
                }
                Some(Ok(frame))
            }
            Some(Err(status)) => {
                self.ended = true;
                Some(Err(status.into()))
            }
            None if self.ended => None,
            None => {
                self.ended = true;
                Some(Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server's answer was cut off").into()))
            }
        })
    }
}
