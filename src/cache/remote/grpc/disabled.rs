//! In builds without the cargo feature `remote`: says so.

use super::super::execute::{Execute, Settings};
use super::super::transport::Transport;
use crate::ctx::Ctx;
use crate::error::{Error, Result};

/// The cache behind a `grpc://` or `grpcs://` URL.
///
/// # Errors
/// Always.
pub(in super::super) fn open(url: &str) -> Result<(Box<dyn Transport>, Option<String>)> {
    Err(lacking(url).help("build it with `cargo build --release --features remote`, or use an `http://` or `https://` cache"))
}

/// The cluster of `settings`.
///
/// # Errors
/// Always.
pub(in super::super) fn execute(settings: &Settings, _: &Ctx) -> Result<Box<dyn Execute>> {
    Err(lacking(&settings.url).help("build it with `cargo build --release --features remote`, or run everything here: `--remote off`"))
}

fn lacking(url: &str) -> Error {
    Error::usage(format!("this `nnue` cannot use `{url}`")).because("it was built without the cargo feature `remote`")
}
