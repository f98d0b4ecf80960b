//! Values behind `http://` and `https://`: plain GET, HEAD and PUT, as nginx with WebDAV, bazel-remote and other HTTP caches of Bazel
//! understand them.
//!
//! Credentials go to the configured address only: after a redirect they are left out. Uploads follow no redirects.

use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_STANDARD as BASE64};
use ureq::Agent;
use ureq::SendBody;
use ureq::http::{Response, StatusCode};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use super::super::transport::{Body, Failure, Moved, Transport, too_long};
use super::super::variable;
use crate::error::{Error, Kind, Result};

/// How long to wait for a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// Redirects that a download follows.
const REDIRECTS: u32 = 4;
/// Bytes that are read or sent at once.
const PIECE: usize = 64 << 10;

const TOKEN: &str = "NNUE_REMOTE_CACHE_TOKEN";
const USER: &str = "NNUE_REMOTE_CACHE_USER";
const PASSWORD: &str = "NNUE_REMOTE_CACHE_PASSWORD";

/// A PEM file of the authorities that are trusted instead of Mozilla's, under the name that OpenSSL gave it.
const CERTIFICATES: &str = "SSL_CERT_FILE";

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
    let certificates = match variable(CERTIFICATES)?.filter(|_| url.starts_with("https://")) {
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
    let in_the_open = authorization.is_some() && url.starts_with("http://") && !is_loopback(url);
    let warning =
        in_the_open.then(|| format!("the credentials of the remote cache are sent without encryption: `{url}` is not `https://`"));
    let url = url.trim_end_matches('/').to_owned();
    Ok((Box::new(Http { agent: config.new_agent(), url, authorization }), warning))
}

/// The certificates of a PEM file.
fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>> {
    let named = |error: Error| error.kind_is(Kind::Usage).help(format!("`{CERTIFICATES}` names this file"));
    let bytes = std::fs::read(path).map_err(|error| named(Error::io("cannot read the certificates", path, error)))?;
    let found: Vec<_> =
        parse_pem(&bytes).filter_map(|item| if let Ok(PemItem::Certificate(found)) = item { Some(found) } else { None }).collect();
    if found.is_empty() {
        return Err(named(Error::usage(format!("there is no certificate in `{}`", path.display()))));
    }
    Ok(found)
}

/// `Bearer …` or `Basic …`, by the environment.
fn authorization() -> Result<Option<String>> {
    if let Some(token) = variable(TOKEN)? {
        return printable(&token, TOKEN).map(|token| Some(format!("Bearer {token}")));
    }
    match (variable(USER)?, variable(PASSWORD)?) {
        (Some(user), password) => Ok(Some(format!("Basic {}", BASE64.encode(format!("{user}:{}", password.unwrap_or_default()))))),
        (None, Some(_)) => Err(Error::usage(format!("`{PASSWORD}` is set without `{USER}`")).help(format!("set `{USER}` as well"))),
        (None, None) => Ok(None),
    }
}

/// A token that may stand in a header. It is not shown if it may not: it is a secret.
fn printable<'t>(token: &'t str, name: &str) -> Result<&'t str> {
    // Files that secrets come from often end with a newline.
    let token = token.trim();
    if token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(token);
    }
    Err(Error::usage(format!("`{name}` is not a token")).because("it holds blanks, control characters or letters beyond ASCII"))
}

fn is_loopback(url: &str) -> bool {
    let host = url.strip_prefix("http://").unwrap_or(url);
    let host = host.split('/').next().unwrap_or_default();
    let host = match host.strip_prefix('[') {
        Some(address) => address.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl Http {
    fn address(&self, name: &str) -> String {
        format!("{}/{name}", self.url)
    }
}

impl Transport for Http {
    fn get(&self, name: &str, limit: u64, moved: &Moved) -> Result<Vec<u8>, Failure> {
        let mut request = self.agent.get(self.address(name));
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

    fn length(&self, name: &str) -> Result<Option<u64>, Failure> {
        let mut request = self.agent.head(self.address(name));
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        let response = found(request.call().map_err(failure)?)?;
        let length = response.headers().get("content-length");
        Ok(length.and_then(|length| length.to_str().ok()).and_then(|length| length.parse().ok()))
    }

    fn put(&self, name: &str, body: Body, moved: &Moved) -> Result<(), Failure> {
        let bytes: &[u8] = (*body).as_ref();
        let request = self.agent.put(self.address(name)).config().max_redirects(0).build();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_told_from_other_hosts() {
        for url in
            ["http://localhost/a", "http://localhost:8080", "http://127.0.0.1:1/x", "http://127.1.2.3", "http://[::1]:80/x", "http://[::1]"]
        {
            assert!(is_loopback(url), "{url}");
        }
        for url in ["http://localhost.example.org/", "http://10.0.0.1:80", "http://[fe80::1]:80/", "http://127.0.0.1.example.org"] {
            assert!(!is_loopback(url), "{url}");
        }
    }

    #[test]
    fn a_token_with_a_newline_inside_is_refused_and_not_shown() {
        assert_eq!(printable("abc\n", TOKEN).unwrap(), "abc");
        let error = printable("geheim\r\nx: y", TOKEN).unwrap_err().to_string();
        assert!(error.contains(TOKEN) && !error.contains("geheim"), "{error}");
    }
}
