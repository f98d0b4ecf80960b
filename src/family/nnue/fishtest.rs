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
mod tests {
    use super::*;
    use crate::files::Sha256;
    use crate::format::nnue::Compression;
    use crate::net::random_network;

    fn refusal(result: Result<()>) -> (String, String) {
        let error = result.unwrap_err();
        (error.to_string(), error.help_text().unwrap().to_owned())
    }

    #[test]
    fn the_limit_itself_is_too_much() {
        for bytes in [0, 47_001_499, 199_999_999] {
            check_size(bytes).unwrap();
        }
        for bytes in [200_000_000, 200_000_001, u64::MAX] {
            let (message, help) = refusal(check_size(bytes));
            assert!(message.contains(&bytes.to_string()) && message.contains("fewer than 200000000"), "{message}");
            assert!(help.contains("compression = \"leb128\""), "{help}");
        }
    }

    #[test]
    fn a_file_is_judged_by_what_is_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("temporary");
        let mut bytes = Vec::new();
        nnue::write(&mut bytes, &random_network("small", 16, 1), Compression::Leb128).unwrap();
        let check_as = |bytes: &[u8], license: Option<&str>| {
            std::fs::write(&path, bytes).unwrap();
            Fishtest.check(&format!("dist/nn-{}.nnue", Sha256::of(bytes).short()), &path, license, &Ctx::silent())
        };
        check_as(&bytes, Some("CC0-1.0")).unwrap();

        assert!(refusal(check_as(&bytes, None)).0.contains("no licence is stated"));
        let (message, help) = refusal(check_as(&bytes, Some("GPL-3.0-only")));
        assert!(message.contains("`GPL-3.0-only`") && help.contains("license = \"CC0-1.0\""), "{message} {help}");

        let mut raw = Vec::new();
        nnue::write(&mut raw, &random_network("small", 128, 1), Compression::None).unwrap();
        let (message, help) = refusal(check_as(&raw, Some("CC0-1.0")));
        assert!(message.contains("no engine of its generation reads it") && help.contains("leb128"), "{message} {help}");

        let cut = refusal(check_as(&bytes[..bytes.len() - 1], Some("CC0-1.0"))).0;
        assert!(cut.contains("fishtest would refuse `dist/nn-") && cut.contains("truncated at byte"), "{cut}");
        bytes.push(0);
        assert!(refusal(check_as(&bytes, Some("CC0-1.0"))).0.contains("cannot be read back"));

        let (message, help) = refusal(Fishtest.check("dist/nn-000000000000.nnue", &path, Some("CC0-1.0"), &Ctx::silent()));
        assert!(message.contains(&Sha256::of(&bytes).to_string()) && help.contains("name a folder"), "{message}");
        assert!(refusal(Fishtest.check("dist/latest.nnue", &path, Some("CC0-1.0"), &Ctx::silent())).0.contains("its name is not"));
        assert!(
            Fishtest
                .check("dist/nn-000000000000.nnue", &folder.path().join("none"), Some("CC0-1.0"), &Ctx::silent())
                .unwrap_err()
                .to_string()
                .contains("none")
        );
    }
}
