//! What the environment says of credentials, for the kinds of remotes that share it.
#![cfg_attr(not(any(feature = "http", feature = "remote")), allow(dead_code, reason = "nothing here sends any"))]

use base64::{Engine as _, prelude::BASE64_STANDARD as BASE64};

use super::variable;
use crate::error::{Error, Result};

const TOKEN: &str = "NNUE_REMOTE_CACHE_TOKEN";
const USER: &str = "NNUE_REMOTE_CACHE_USER";
const PASSWORD: &str = "NNUE_REMOTE_CACHE_PASSWORD";

/// A PEM file of the authorities that are trusted instead of Mozilla's, under the name that OpenSSL gave it.
pub(super) const AUTHORITIES: &str = "SSL_CERT_FILE";

/// A warning, where credentials for `url` can be read on their way.
pub(super) fn in_the_open(url: &str, what: &str) -> Option<String> {
    let encrypted = match url.split_once("://").map_or("", |(scheme, _)| scheme) {
        "http" => "https",
        "grpc" => "grpcs",
        _ => return None,
    };
    let warning = || format!("the credentials of the {what} are sent without encryption: `{url}` is not `{encrypted}://`");
    (!is_loopback(url)).then(warning)
}

/// `Bearer …` or `Basic …`, by the environment.
pub(super) fn authorization() -> Result<Option<String>> {
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
pub(super) fn printable<'t>(token: &'t str, name: &str) -> Result<&'t str> {
    // Files that secrets come from often end with a newline.
    let token = token.trim();
    if token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(token);
    }
    Err(Error::usage(format!("`{name}` is not a token")).because("it holds blanks, control characters or letters beyond ASCII"))
}

fn is_loopback(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = host.split('/').next().unwrap_or_default();
    let host = match host.strip_prefix('[') {
        Some(address) => address.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests;
