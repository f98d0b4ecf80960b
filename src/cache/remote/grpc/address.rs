//! Where a server is, and what the environment says of credentials and certificates for it.

use std::path::Path;
use std::time::Duration;

use tonic::codegen::http::{HeaderMap, HeaderName, HeaderValue};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

use super::super::credentials::{AUTHORITIES, authorization, in_the_open, printable};
use super::super::transport::shown;
use super::super::variable;
use crate::ctx::read_file;
use crate::error::{Error, Kind, Result};

const TOKEN: &str = "NNUE_REMOTE_TOKEN";
/// More headers, `name=value`, one a line.
const HEADERS: &str = "NNUE_REMOTE_HEADER";
const AUTHORITY: &str = "NNUE_REMOTE_CA";
const CERTIFICATE: &str = "NNUE_REMOTE_CERT";
const CLIENT_KEY: &str = "NNUE_REMOTE_CLIENT_KEY";

/// How long to wait for a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// How often the operating system asks whether a silent connection is still there.
const TCP_KEEPALIVE: Duration = Duration::from_secs(30);
/// No file with certificates or a key has more bytes.
const MAX_PEM: u64 = 4 << 20;

/// A server.
pub(super) struct Address {
    pub(super) endpoint: Endpoint,
    /// What every request carries.
    pub(super) headers: HeaderMap,
    /// The name of the instance; often empty.
    pub(super) instance: String,
    /// What the user should know.
    pub(super) warning: Option<String>,
}

/// Whose credentials are sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    /// Those of the remote cache, and where there are none, the cluster's.
    Cache,
    Cluster,
}

/// What `url` and the environment say. Connects to nothing.
///
/// # Errors
/// When one of them is not usable.
pub(super) fn read(url: &str, whose: For, keepalive: Option<Duration>) -> Result<Address> {
    let what = if whose == For::Cache { "remote cache" } else { "cluster" };
    let cannot = |why: String| Error::usage(format!("the {what} `{url}` cannot be used")).because(why);
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let (host, instance) = rest.split_once('/').unwrap_or((rest, ""));
    let encrypted = match scheme {
        "grpc" => false,
        "grpcs" => true,
        _ => return Err(cannot(format!("`{scheme}` is not a scheme of gRPC")).help("write `grpcs://host:port` or `grpc://host:port`")),
    };
    let endpoint = Endpoint::from_shared(format!("{}://{host}", if encrypted { "https" } else { "http" }));
    let mut endpoint = endpoint
        .map_err(|error| cannot(shown(&error.to_string())).help("write `grpcs://host:port` or `grpc://host:port`"))?
        .connect_timeout(CONNECT)
        .tcp_keepalive(Some(TCP_KEEPALIVE))
        .user_agent(concat!("nnue/", env!("CARGO_PKG_VERSION")))
        .map_err(|error| cannot(error.to_string()))?;
    if let Some(interval) = keepalive {
        endpoint = endpoint.http2_keep_alive_interval(interval).keep_alive_while_idle(true);
    }
    if encrypted {
        endpoint = endpoint.tls_config(tls()?).map_err(|error| {
            let help = format!("`{AUTHORITY}`, `{CERTIFICATE}` and `{CLIENT_KEY}` name PEM files");
            cannot(causes(&error)).help(help)
        })?;
    }
    let headers = headers(whose)?;
    let warning = if headers.is_empty() { None } else { in_the_open(url, what) };
    Ok(Address { endpoint, headers, instance: instance.trim_matches('/').to_owned(), warning })
}

/// Whom to trust, and who we are.
fn tls() -> Result<ClientTlsConfig> {
    let mut tls = ClientTlsConfig::new();
    let authority = match variable(AUTHORITY)? {
        Some(path) => Some((path, AUTHORITY)),
        None => variable(AUTHORITIES)?.map(|path| (path, AUTHORITIES)),
    };
    tls = match authority {
        Some((path, name)) => tls.ca_certificate(Certificate::from_pem(pem(&path, name, "CERTIFICATE")?)),
        None => tls.with_webpki_roots(),
    };
    match (variable(CERTIFICATE)?, variable(CLIENT_KEY)?) {
        (Some(certificate), Some(key)) => {
            let (certificate, key) = (pem(&certificate, CERTIFICATE, "CERTIFICATE")?, pem(&key, CLIENT_KEY, "PRIVATE KEY")?);
            Ok(tls.identity(Identity::from_pem(certificate, key)))
        }
        (None, None) => Ok(tls),
        (Some(_), None) => {
            Err(Error::usage(format!("`{CERTIFICATE}` is set without `{CLIENT_KEY}`")).help(format!("set `{CLIENT_KEY}` as well")))
        }
        (None, Some(_)) => {
            Err(Error::usage(format!("`{CLIENT_KEY}` is set without `{CERTIFICATE}`")).help(format!("set `{CERTIFICATE}` as well")))
        }
    }
}

/// The PEM file that a variable names; there is a `what` in it.
fn pem(path: &str, variable: &str, what: &str) -> Result<Vec<u8>> {
    let named = |error: Error| error.kind_is(Kind::Usage).help(format!("`{variable}` names this file"));
    let path = Path::new(path);
    let bytes = read_file(path, MAX_PEM).map_err(|error| named(Error::io("cannot read", path, error)))?;
    let text = String::from_utf8_lossy(&bytes);
    // `-----BEGIN EC PRIVATE KEY-----` is one as well.
    if !text.lines().any(|line| line.starts_with("-----BEGIN ") && line.trim_end().ends_with(&format!("{what}-----"))) {
        let what = if what == "CERTIFICATE" { "certificate" } else { "private key" };
        return Err(named(Error::usage(format!("there is no {what} in `{}`", path.display()))));
    }
    Ok(bytes)
}

fn headers(whose: For) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    let of_cache = if whose == For::Cache { authorization()? } else { None };
    let authorization = match of_cache {
        Some(authorization) => Some(authorization),
        None => variable(TOKEN)?.map(|token| printable(&token, TOKEN).map(|token| format!("Bearer {token}"))).transpose()?,
    };
    if let Some(authorization) = authorization {
        headers.insert("authorization", secret(&authorization, TOKEN)?);
    }
    for line in variable(HEADERS)?.unwrap_or_default().lines().map(str::trim).filter(|line| !line.is_empty()) {
        let wrong = |why: &str| {
            Error::usage(format!("`{HEADERS}` is not a list of headers")).because(why).help("write `name=value`, one a line: `x-api-key=…`")
        };
        let (name, value) = line.split_once('=').ok_or_else(|| wrong("a line of it has no `=`"))?;
        let name = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| wrong("a line of it does not start with a header's name"))?;
        if name.as_str().starts_with("grpc-") || matches!(name.as_str(), "te" | "content-type" | "content-length" | "host" | "connection") {
            return Err(wrong(&format!("`{name}` is not for users to set")));
        }
        headers.append(name, secret(value.trim(), HEADERS)?);
    }
    Ok(headers)
}

/// A header's value that nobody gets to see.
fn secret(value: &str, variable: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(value).map_err(|_| {
        Error::usage(format!("`{variable}` has a value that no header may have"))
            .because("it holds control characters or letters beyond ASCII")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// An error and what is behind it, each text once.
pub(super) fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let more = cause.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        next = cause.source();
    }
    shown(&text)
}

#[cfg(test)]
mod tests;
