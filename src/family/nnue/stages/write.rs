//! `write`: an integer network → the bytes of a `.nnue` file.

use std::io::Write;

use crate::error::{Error, Result};
use crate::format::nnue::{self, Compression, MAX_DESCRIPTION};
use crate::net::QuantizedNetwork;

/// Writes `network` with the given description, or its own.
///
/// # Errors
/// When the description is too long, or those of `out`.
pub fn write_nnue(out: &mut dyn Write, network: &QuantizedNetwork, description: Option<&str>, compression: Compression) -> Result<()> {
    let description = description.map_or(network.description.as_slice(), str::as_bytes);
    if description.len() > MAX_DESCRIPTION {
        return Err(Error::usage(format!("the description has {} bytes, at most {MAX_DESCRIPTION} are allowed", description.len())));
    }
    let mut out = std::io::BufWriter::with_capacity(1 << 20, out);
    let written = nnue::write_described(&mut out, network, description, compression).and_then(|()| out.flush());
    written.map_err(|error| match error.kind() {
        std::io::ErrorKind::StorageFull => {
            Error::new("no space is left on the device").help("free some space, then run the same command again")
        }
        _ => Error::new("cannot write the network").because(error),
    })
}
