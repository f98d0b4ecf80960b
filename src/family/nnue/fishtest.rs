//! What fishtest, the test server of Stockfish, checks of a net, and more: the server looks at the name, the size and the first digits of
//! the SHA-256; here the file is also read back to its last byte, as an engine would read it, and the licence has to be stated.
//!
//! Looks at files, never at networks in memory: what is judged is what would be uploaded.

use std::path::Path;

use super::stages::pipeline::check_readable;
use crate::ctx::Ctx;
use crate::error::{Error, Kind, Result};
use crate::family::Publication;
use crate::files::{Bytes, hash_file_sha256};
use crate::format::nnue::{self, Expectation};
use crate::manifest::{FISHTEST_LICENSE, is_public_name};

/// Files of this many bytes or more are refused.
const TOO_MANY_BYTES: u64 = 200_000_000;

/// The place.
pub(crate) struct Fishtest;

impl Publication for Fishtest {
    fn rules(&self) -> &'static str {
        "fishtest 2"
    }

    /// Fails also where no engine would read the file: what is wrong, why, and what to do.
    fn check(&self, shown: &str, content: &Path, license: Option<&str>, ctx: &Ctx) -> Result<()> {
        judge(shown, content, license, ctx).map_err(|error| match error.kind() {
            Kind::Interrupted => error,
            Kind::Failed | Kind::Usage | Kind::Difference => error.context(format!("fishtest would refuse `{shown}`")),
        })
    }
}

fn judge(shown: &str, content: &Path, license: Option<&str>, ctx: &Ctx) -> Result<()> {
    check_license(license)?;
    let name = Path::new(shown).file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    if !is_public_name(&name) {
        return Err(Error::new("its name is not `nn-`, 12 lower-case hexadecimal digits and `.nnue`")
            .help("name a folder in `outputs`: the file gets its public name there"));
    }
    let (sha256, bytes) = hash_file_sha256(content, ctx)?;
    check_size(bytes)?;
    if name.get(3..15) != Some(&sha256.short()) {
        return Err(Error::new(format!("its name does not match its content: the SHA-256 is {sha256}"))
            .help("name a folder in `outputs`: the file is named after its content there"));
    }
    let parsed = nnue::read(&Bytes::map(content)?, &Expectation::default())
        .map_err(|error| error.context("it cannot be read back").help("this is a bug in nnue, please report it"))?;
    check_readable(&parsed)
}

fn check_license(license: Option<&str>) -> Result<()> {
    if license == Some(FISHTEST_LICENSE) {
        return Ok(());
    }
    let stated = license.map_or("no licence is stated".to_owned(), |license| format!("the stated licence is `{license}`"));
    Err(Error::new(stated).help(format!("write `license = \"{FISHTEST_LICENSE}\"` in the net's table, if it is yours to give away")))
}

fn check_size(bytes: u64) -> Result<()> {
    if bytes < TOO_MANY_BYTES {
        return Ok(());
    }
    Err(Error::new(format!("it has {bytes} bytes, and the server takes fewer than {TOO_MANY_BYTES}")).help(
        "write it with `compression = \"leb128\"`, which takes about half the space; a net that is still too large cannot be tested there",
    ))
}

#[cfg(test)]
mod tests;
