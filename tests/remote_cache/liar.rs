//! A server of the Remote Execution API that is honest until it is told otherwise: it refuses, breaks off, falls silent and lies.
//!
//! Messages are taken apart and put together by hand: the tests share no code with the program.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use h2::server::SendResponse;
use prost::bytes::Bytes;
use tonic::codegen::http::{HeaderMap, Request, Response};

use crate::common::sha256;
use crate::servers::{Field, bytes_of, field, number, protobuf};

/// A call as the server saw it.
#[derive(Debug, Clone)]
pub struct Call {
    /// What stands behind the last `/` of its path.
    pub method: String,
    pub headers: BTreeMap<String, String>,
    pub messages: Vec<Vec<u8>>,
}

/// What the server says.
pub enum Say {
    /// What a good server says.
    Honest,
    /// These messages, and how they end.
    Messages(Vec<Vec<u8>>, End),
    /// A page of a web server, with this status.
    Page(u16),
}

/// How an answer ends.
pub enum End {
    Status(u32, &'static str),
    /// As if all had been said, without a status.
    Abrupt,
    /// The stream is reset.
    Reset,
    /// The connection breaks.
    Broken,
    /// Never.
    Silence,
    /// A status with this piece of details.
    Details(&'static str),
}

type Hook = Arc<dyn Fn(&Call) -> Say + Send + Sync>;

#[derive(Default)]
struct Shared {
    blobs: Mutex<BTreeMap<String, Vec<u8>>>,
    /// Uploads that are not whole, by their resource names.
    partial: Mutex<BTreeMap<String, Vec<u8>>>,
    entries: Mutex<BTreeMap<String, Vec<u8>>>,
    log: Mutex<Vec<Call>>,
    hook: Mutex<Option<Hook>>,
    /// After so many bytes of the next uploads and downloads the connection breaks.
    breaks: Mutex<VecDeque<usize>>,
}

/// A server on a free port of this machine. It ends with the process.
pub struct Liar {
    pub url: String,
    shared: Arc<Shared>,
}

impl Liar {
    pub fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let (sender, receiver) = std::sync::mpsc::channel();
        let served = shared.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                sender.send(listener.local_addr().unwrap()).unwrap();
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    // Clients that go away in the middle are part of the tests.
                    tokio::spawn(connection(stream, served.clone()));
                }
            });
        });
        let address: SocketAddr = receiver.recv().unwrap();
        Self { url: format!("grpc://{address}"), shared }
    }

    /// Lets every call be answered by `hook`.
    pub fn answer(&self, hook: impl Fn(&Call) -> Say + Send + Sync + 'static) {
        *self.shared.hook.lock().unwrap() = Some(Arc::new(hook));
    }

    /// Breaks the connection after so many bytes of each of the next transfers of a large blob.
    pub fn break_after(&self, bytes: &[usize]) {
        *self.shared.breaks.lock().unwrap() = bytes.iter().copied().collect();
    }

    /// The calls since the last time, without those that ask what the server can do.
    pub fn calls(&self) -> Vec<Call> {
        let mut calls = std::mem::take(&mut *self.shared.log.lock().unwrap());
        calls.retain(|call| call.method != "GetCapabilities");
        calls
    }

    /// SHA-256 → blob.
    pub fn blobs(&self) -> BTreeMap<String, Vec<u8>> {
        self.shared.blobs.lock().unwrap().clone()
    }

    /// SHA-256 of what was asked → `ActionResult`.
    pub fn entries(&self) -> BTreeMap<String, Vec<u8>> {
        self.shared.entries.lock().unwrap().clone()
    }

    pub fn lose_blob(&self, hash: &str) {
        self.shared.blobs.lock().unwrap().remove(hash).unwrap();
    }
}

/// The fields of this number, as bytes.
pub fn all(message: &[u8], wanted: u64) -> Vec<Vec<u8>> {
    let fields = protobuf(message).into_iter().filter(|(found, _)| *found == wanted);
    fields.map(|(_, field)| if let Field::Bytes(bytes) = field { bytes } else { panic!("{field:?}") }).collect()
}

/// The field of this number, as a number; 0 where it is not there.
pub fn value(message: &[u8], wanted: u64) -> u64 {
    protobuf(message)
        .into_iter()
        .find_map(|(found, field)| if let (true, Field::Varint(value)) = (found == wanted, field) { Some(value) } else { None })
        .unwrap_or(0)
}

fn text(message: &[u8], wanted: u64) -> String {
    String::from_utf8(all(message, wanted).into_iter().next().unwrap_or_default()).unwrap()
}

/// The hash in a `Digest`.
fn hash(digest: &[u8]) -> String {
    text(digest, 1)
}

async fn connection(stream: tokio::net::TcpStream, shared: Arc<Shared>) {
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    let broken = Arc::new(AtomicBool::new(false));
    while !broken.load(Ordering::Relaxed) {
        match tokio::time::timeout(Duration::from_millis(5), connection.accept()).await {
            Err(_) => {}
            Ok(Some(Ok((request, respond)))) => drop(tokio::spawn(call(request, respond, shared.clone(), broken.clone()))),
            Ok(_) => return,
        }
    }
}

/// Takes the messages of a call out of its body, as far as they come.
async fn call(request: Request<h2::RecvStream>, respond: SendResponse<Bytes>, shared: Arc<Shared>, broken: Arc<AtomicBool>) {
    let (head, mut body) = request.into_parts();
    let method = head.uri.path().rsplit('/').next().unwrap().to_owned();
    let headers = head.headers.iter().map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    let mut call = Call { method, headers: headers.collect(), messages: Vec::new() };
    let limit = if call.method == "Write" { shared.breaks.lock().unwrap().pop_front() } else { None };
    let (mut bytes, mut taken) = (Vec::new(), 0);
    while let Some(data) = body.data().await {
        let Ok(data) = data else { return };
        let _ = body.flow_control().release_capacity(data.len());
        bytes.extend_from_slice(&data);
        while bytes.len() >= 5 {
            let size = u32::from_be_bytes(bytes[1..5].try_into().unwrap()) as usize;
            if bytes.len() < 5 + size {
                break;
            }
            let message = bytes[5..5 + size].to_vec();
            bytes.drain(..5 + size);
            taken += size;
            call.messages.push(message);
        }
        if limit.is_some_and(|limit| taken > limit) {
            shared.log.lock().unwrap().push(call.clone());
            keep(&call, &shared);
            broken.store(true, Ordering::Relaxed);
            return;
        }
    }
    shared.log.lock().unwrap().push(call.clone());
    let hook = shared.hook.lock().unwrap().clone();
    let say = hook.map_or(Say::Honest, |hook| hook(&call));
    let say = if matches!(say, Say::Honest) { honest(&call, &shared) } else { say };
    answer(say, respond, &broken).await;
}

async fn answer(say: Say, mut respond: SendResponse<Bytes>, broken: &AtomicBool) {
    let (messages, end) = match say {
        Say::Honest => unreachable!(),
        Say::Page(status) => {
            let head = Response::builder().status(status).header("content-type", "text/html; charset=utf-8").body(()).unwrap();
            if let Ok(mut stream) = respond.send_response(head, false) {
                let _ = stream.send_data(Bytes::from_static(b"<!DOCTYPE html><title>Sign in</title>"), true);
            }
            return;
        }
        Say::Messages(messages, end) => (messages, end),
    };
    let head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
    let Ok(mut stream) = respond.send_response(head, false) else { return };
    for message in messages {
        let mut rest = Bytes::from([vec![0], (message.len() as u32).to_be_bytes().to_vec(), message].concat());
        // By and by, as the client takes it.
        while !rest.is_empty() {
            stream.reserve_capacity(rest.len());
            let Some(Ok(room)) = std::future::poll_fn(|context| stream.poll_capacity(context)).await else { return };
            if stream.send_data(rest.split_to(room.min(rest.len())), false).is_err() {
                return;
            }
        }
    }
    let mut trailers = HeaderMap::new();
    match end {
        End::Status(code, message) => {
            trailers.insert("grpc-status", code.to_string().parse().unwrap());
            trailers.insert("grpc-message", message.parse().unwrap());
        }
        End::Details(details) => {
            trailers.insert("grpc-status", "9".parse().unwrap());
            trailers.insert("grpc-status-details-bin", details.parse().unwrap());
        }
        End::Abrupt => {
            let _ = stream.send_data(Bytes::new(), true);
            return;
        }
        End::Reset => {
            // What was sent is to arrive before.
            tokio::time::sleep(Duration::from_millis(50)).await;
            stream.send_reset(h2::Reason::INTERNAL_ERROR);
            return;
        }
        End::Broken => {
            tokio::time::sleep(Duration::from_millis(50)).await;
            broken.store(true, Ordering::Relaxed);
            return;
        }
        End::Silence => {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            return;
        }
    }
    let _ = stream.send_trailers(trailers);
}

/// Notes the pieces of an upload. Gives the resource's name and how much is there.
fn keep(call: &Call, shared: &Shared) -> (String, usize, bool) {
    let resource = call.messages.first().map(|first| text(first, 1)).unwrap_or_default();
    let mut partial = shared.partial.lock().unwrap();
    let bytes = partial.entry(resource.clone()).or_default();
    let mut finished = false;
    for piece in &call.messages {
        assert_eq!(value(piece, 2) as usize, bytes.len(), "a piece at another offset than where the upload stands");
        bytes.extend(all(piece, 10).concat());
        finished |= value(piece, 3) == 1;
    }
    (resource, bytes.len(), finished)
}

fn honest(call: &Call, shared: &Shared) -> Say {
    let ok = |message: Vec<u8>| Say::Messages(vec![message], End::Status(0, ""));
    let absent = || Say::Messages(Vec::new(), End::Status(5, "not found"));
    let message = call.messages.first().cloned().unwrap_or_default();
    match call.method.as_str() {
        // SHA-256, updates, no limit: as many say that have one.
        "GetCapabilities" => {
            ok([field(1, [field(1, [1]), field(2, number(1, 1))].concat()), field(2, [number(1, 1), number(2, 1)].concat())].concat())
        }
        "FindMissingBlobs" => {
            let blobs = shared.blobs.lock().unwrap();
            let missing = all(&message, 2).into_iter().filter(|digest| !blobs.contains_key(&hash(digest)));
            ok(missing.map(|digest| field(2, digest)).collect::<Vec<_>>().concat())
        }
        "BatchUpdateBlobs" => {
            assert!(message.len() < 4 << 20, "a message of {} bytes", message.len());
            let mut blobs = shared.blobs.lock().unwrap();
            let updates = all(&message, 2).into_iter().map(|update| {
                let (digest, data) = (all(&update, 1).concat(), all(&update, 2).concat());
                assert_eq!((hash(&digest), value(&digest, 2) as usize), (sha256(&data), data.len()));
                blobs.insert(hash(&digest), data);
                field(1, [field(1, digest), field(2, [])].concat())
            });
            ok(updates.collect::<Vec<_>>().concat())
        }
        "Write" => {
            let (resource, size, finished) = keep(call, shared);
            assert!(finished, "an upload without an end");
            let bytes = shared.partial.lock().unwrap().remove(&resource).unwrap();
            assert!(resource.ends_with(&format!("/blobs/{}/{}", sha256(&bytes), bytes.len())), "{resource}");
            shared.blobs.lock().unwrap().insert(sha256(&bytes), bytes);
            ok(number(1, size as u64))
        }
        "QueryWriteStatus" => match shared.partial.lock().unwrap().get(&text(&message, 1)) {
            Some(bytes) => ok(number(1, bytes.len() as u64)),
            None => absent(),
        },
        "Read" => {
            let resource = text(&message, 1);
            let hash = resource.split('/').rev().nth(1).unwrap();
            let Some(blob) = shared.blobs.lock().unwrap().get(hash).cloned() else { return absent() };
            let from = value(&message, 2) as usize;
            let rest = blob.get(from..).unwrap_or_default();
            let limit = if rest.len() > 1 << 20 { shared.breaks.lock().unwrap().pop_front() } else { None };
            let (sent, end) = match limit {
                Some(limit) => (&rest[..limit], End::Broken),
                None => (rest, End::Status(0, "")),
            };
            Say::Messages(sent.chunks(2 << 20).map(|piece| field(10, piece)).collect(), end)
        }
        "GetActionResult" => match shared.entries.lock().unwrap().get(&hash(&all(&message, 2).concat())) {
            Some(entry) => ok(entry.clone()),
            None => absent(),
        },
        "UpdateActionResult" => {
            let (action, entry) = (hash(&all(&message, 2).concat()), all(&message, 3).concat());
            assert!(shared.blobs.lock().unwrap().contains_key(&action), "an entry whose name is not that of a blob");
            shared.entries.lock().unwrap().insert(action, entry.clone());
            ok(entry)
        }
        _ => Say::Messages(Vec::new(), End::Status(12, "not implemented")),
    }
}

/// The one resource name among the pieces of an upload.
pub fn resource(call: &Call) -> String {
    String::from_utf8(bytes_of(&protobuf(&call.messages[0]), 1)).unwrap()
}
