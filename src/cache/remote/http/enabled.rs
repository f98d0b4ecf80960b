//! Values behind `http://` and `https://`: plain GET, HEAD and PUT, as nginx with WebDAV, bazel-remote and other HTTP caches of Bazel
//! understand them.
//!
//! Credentials go to the configured address only: after a redirect they are left out. Uploads follow no redirects.

use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use ureq::Agent;
use ureq::SendBody;
use ureq::http::{Response, StatusCode};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use super::super::credentials::{AUTHORITIES, authorization, in_the_open};
use super::super::transport::{Body, Failure, Moved, Place, Transport, too_long};
use super::super::variable;
use crate::ctx::read_file;
use crate::error::{Error, Kind, Result};

/// How long to wait for a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// Redirects that a download follows.
const REDIRECTS: u32 = 4;
/// The most bytes of a file of certificates; the list of a whole system has a quarter of a million.
const MAX_CERTIFICATES: u64 = 16 << 20;
/// Bytes that are read or sent at once.
const PIECE: usize = 64 << 10;

/// A cache behind a URL.
struct Http {
    agent: Agent,
    /// Without a slash at its end.
    url: String,
    /// The header's value.
    authorization: Option<String>,
}

/// The cache at `url`, with the credentials of the environment. Connects to nothing yet.
///
/// The second value is a warning.
///
/// # Errors
/// When the variables of the credentials or of the certificates are not usable.
pub(in super::super) fn open(url: &str) -> Result<(Box<dyn Transport>, Option<String>)> {
    let authorization = authorization()?;
    let certificates = match variable(AUTHORITIES)?.filter(|_| url.starts_with("https://")) {
        Some(path) => RootCerts::new_with_certs(&certificates(Path::new(&path))?),
        None => RootCerts::WebPki,
    };
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(CONNECT))
        .max_redirects(REDIRECTS)
        .tls_config(TlsConfig::builder().root_certs(certificates).build())
        .redirect_auth_headers(ureq::config::RedirectAuthHeaders::Never)
        .user_agent(concat!("nnue/", env!("CARGO_PKG_VERSION")))
        .build();
    let warning = if authorization.is_some() { in_the_open(url, "remote cache") } else { None };
    let url = url.trim_end_matches('/').to_owned();
    Ok((Box::new(Http { agent: config.new_agent(), url, authorization }), warning))
}

/// The certificates of a PEM file.
fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>> {
    let named = |error: Error| error.kind_is(Kind::Usage).help(format!("`{AUTHORITIES}` names this file"));
    let bytes = read_file(path, MAX_CERTIFICATES).map_err(|error| named(Error::io("cannot read the certificates", path, error)))?;
    let found: Vec<_> =
        parse_pem(&bytes).filter_map(|item| if let Ok(PemItem::Certificate(found)) = item { Some(found) } else { None }).collect();
    if found.is_empty() {
        return Err(named(Error::usage(format!("there is no certificate in `{}`", path.display()))));
    }
    Ok(found)
}

impl Http {
    fn address(&self, place: &Place) -> String {
        format!("{}/{place}", self.url)
    }
}

impl Transport for Http {
    fn get(&self, place: &Place, limit: u64, moved: &Moved) -> Result<Vec<u8>, Failure> {
        let mut request = self.agent.get(self.address(place));
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        let response = found(request.call().map_err(failure)?)?;
        let mut body = response.into_body().into_reader();
        let mut bytes = Vec::new();
        let mut piece = vec![0; PIECE];
        loop {
            let read = match body.read(&mut piece) {
                Ok(0) => return Ok(bytes),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Failure::Unavailable(error.to_string())),
            };
            moved.add(read);
            bytes.extend_from_slice(piece.get(..read).unwrap_or_default());
            if bytes.len() as u64 > limit {
                return Err(too_long(limit));
            }
        }
    }

    fn length(&self, place: &Place) -> Result<Option<u64>, Failure> {
        let mut request = self.agent.head(self.address(place));
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        let response = found(request.call().map_err(failure)?)?;
        let length = response.headers().get("content-length");
        Ok(length.and_then(|length| length.to_str().ok()).and_then(|length| length.parse().ok()))
    }

    fn put(&self, place: &Place, body: Body, moved: &Moved) -> Result<(), Failure> {
        let bytes: &[u8] = (*body).as_ref();
        let request = self.agent.put(self.address(place)).config().max_redirects(0).build();
        // Some caches take nothing of unknown length.
        let mut request = request.header("content-type", "application/octet-stream").header("content-length", bytes.len().to_string());
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        let mut reader = Counted { bytes, moved };
        let response = request.send(SendBody::from_reader(&mut reader)).map_err(failure)?;
        if response.status().is_success() { Ok(()) } else { Err(refused(response.status())) }
    }
}

/// A response that has what was asked for.
fn found<B>(response: Response<B>) -> Result<Response<B>, Failure> {
    match response.status() {
        StatusCode::OK => Ok(response),
        StatusCode::NOT_FOUND | StatusCode::GONE => Err(Failure::Absent),
        status => Err(refused(status)),
    }
}

fn refused(status: StatusCode) -> Failure {
    let why = format!("the server answered {status}");
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS { Failure::Unavailable(why) } else { Failure::Refused(why) }
}

fn failure(error: ureq::Error) -> Failure {
    match error {
        ureq::Error::Timeout(_) => Failure::TimedOut(error.to_string()),
        ureq::Error::Protocol(_)
        | ureq::Error::BadUri(_)
        | ureq::Error::Http(_)
        | ureq::Error::TooManyRedirects
        | ureq::Error::RedirectFailed => Failure::Refused(error.to_string()),
        error => Failure::Unavailable(error.to_string()),
    }
}

/// Hands bytes out in pieces and counts them.
struct Counted<'a> {
    bytes: &'a [u8],
    moved: &'a Moved,
}

impl Read for Counted<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.bytes.read(out)?;
        self.moved.add(read);
        Ok(read)
    }
}
