//! Names that say what a file holds: `nn-0123456789ab.nnue` is a net whose SHA-256 begins with these digits. It is the only checksum
//! that published nets have.

use std::path::Path;

use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::files::{Bytes, Sha256, hash_bytes_sha256};

use super::packed::Packing;
use super::sources::unpacked;

/// Digits of the SHA-256 in a name.
const DIGITS: usize = 12;
/// All that it has.
const ALL_DIGITS: usize = 64;

/// `nn-<first 12 digits>.nnue`: the name under which the testing framework and the engine know a net.
pub fn net_name(sha256: &Sha256) -> String {
    format!("nn-{}.nnue", sha256.short())
}

/// `<64 digits>.pb.gz`, of the SHA-256 of the protobuf inside: the digits under which lc0's training server and its clients know a net.
pub fn weights_name(protobuf: &Sha256) -> String {
    format!("{protobuf}.pb.gz")
}

/// The digits with which the SHA-256 of a file begins by its name, if it has such a name.
pub fn claimed(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let of_nnue = name.strip_prefix("nn-").and_then(|rest| Some((rest.strip_suffix(".nnue")?, DIGITS)));
    let of_weights = || Some((name.strip_suffix(".pb.gz").or_else(|| name.strip_suffix(".pb"))?, ALL_DIGITS));
    let (digits, length) = of_nnue.or_else(of_weights)?;
    (digits.len() == length && digits.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| digits.to_ascii_lowercase())
}

/// Whether the name of the file at `path`, whose SHA-256 is known, says another; then the error that tells so. A packed file may be
/// named for what it unpacks to.
pub fn misnamed(path: &Path, sha256: &Sha256, ctx: &Ctx) -> Option<Error> {
    let claimed = claimed(path)?;
    if has_digits(sha256, &claimed) || unpacks_to(path, &claimed, ctx) {
        return None;
    }
    let found: String = sha256.to_string().chars().take(claimed.len()).collect();
    Some(
        Error::new(format!("`{}` does not hold what its name says", path.display()))
            .because(format!("by its name its SHA-256 begins with {claimed}; it begins with {found}"))
            .help("the file is damaged or another net was renamed: get it again, or give it another name"),
    )
}

/// As [`misnamed`] for a file whose SHA-256 is not known; files without such a name are not read.
///
/// # Errors
/// When it cannot be read, or the work was interrupted.
pub fn check(path: &Path, ctx: &Ctx) -> Result<Option<Error>> {
    if claimed(path).is_none() {
        return Ok(None);
    }
    let sha256 = hash_bytes_sha256(&Bytes::map(path)?, &path.display().to_string(), ctx)?;
    Ok(misnamed(path, &sha256, ctx))
}

/// Whether the file is packed, and its content has the digits. What cannot be unpacked says so where it is read.
fn unpacks_to(path: &Path, digits: &str, ctx: &Ctx) -> bool {
    let Some(bytes) = Bytes::map(path).ok().filter(|bytes| Packing::of(bytes).is_some()) else { return false };
    let sha256 = unpacked(bytes).and_then(|(content, _)| hash_bytes_sha256(&content, &path.display().to_string(), ctx));
    sha256.is_ok_and(|sha256| has_digits(&sha256, digits))
}

fn has_digits(sha256: &Sha256, digits: &str) -> bool {
    sha256.to_string().starts_with(digits)
}

#[cfg(test)]
mod tests;
