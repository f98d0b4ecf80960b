//! zstd around a whole file, by libzstd: the same level gives the same bytes as long as the `zstd` crate in Cargo.toml stays pinned.

use std::io::Read;

use crate::error::{Error, Result};

/// # Errors
/// Those of the encoder.
pub(super) fn compress(bytes: &[u8], level: i32) -> Result<Vec<u8>> {
    zstd::bulk::compress(bytes, level).map_err(|error| Error::new("cannot compress with zstd").because(error))
}

/// Decompresses, but no more than `most` bytes.
///
/// # Errors
/// When the data is damaged or longer.
pub(super) fn decompress(bytes: &[u8], most: usize) -> Result<Vec<u8>> {
    let failed = |error| Error::new("cannot decompress with zstd").because(error);
    let limit = most as u64;
    let mut out = Vec::new();
    zstd::stream::read::Decoder::new(bytes).map_err(failed)?.take(limit.saturating_add(1)).read_to_end(&mut out).map_err(failed)?;
    if out.len() as u64 > limit {
        return Err(Error::new("the file decompresses to more than its layout takes").because(format!("more than {most} bytes")));
    }
    Ok(out)
}
