//! `write`: an integer network → the bytes of a `.nnue` file.

use std::io::Write;

use crate::error::{Error, Result};
use crate::format::nnue::{self, Compression, MAX_DESCRIPTION};
use crate::net::QuantizedNetwork;

/// Writes `network` with the given description, or its own.
///
/// # Errors
/// When the description is too long, or those of `out`.
pub fn write_nnue(out: &mut dyn Write, network: &mut QuantizedNetwork, description: Option<&str>, compression: Compression) -> Result<()> {
    if let Some(description) = description {
        if description.len() > MAX_DESCRIPTION {
            return Err(Error::usage(format!("the description has {} bytes, at most {MAX_DESCRIPTION} are allowed", description.len())));
        }
        network.description = description.as_bytes().to_vec();
    }
    let mut out = std::io::BufWriter::with_capacity(1 << 20, out);
    nnue::write(&mut out, network, compression).and_then(|()| out.flush()).map_err(|error| match error.kind() {
        std::io::ErrorKind::StorageFull => {
            Error::new("no space is left on the device").help("free some space, then run the same command again")
        }
        _ => Error::new("cannot write the network").because(error),
    })
}
