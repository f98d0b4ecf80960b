//! In builds without the cargo feature `cloud`: says so.

use super::super::transport::Transport;
use crate::error::{Error, Result};

/// The bucket behind an `s3://`, `gs://` or `az://` URL.
///
/// # Errors
/// Always.
pub(in super::super) fn open(url: &str) -> Result<Box<dyn Transport>> {
    Err(Error::usage(format!("this `nnue` cannot use `{url}`"))
        .because("it was built without the cargo feature `cloud`")
        .help("build it with `cargo build --release --features cloud`, or use an `http://` or `https://` cache"))
}
