//! In builds without the cargo feature `http`: says so.

use super::super::transport::Transport;
use crate::error::{Error, Result};

/// The cache at `url`.
///
/// # Errors
/// Always.
pub(in super::super) fn open(url: &str) -> Result<(Box<dyn Transport>, Option<String>)> {
    Err(Error::usage(format!("this build of the library cannot use `{url}`"))
        .because("it was built without the cargo feature `http`")
        .help("enable the feature `http` or `cli`"))
}
