//! JSON files that prove they are whole: `{"checksum":"<BLAKE3 of the body's bytes>","body":…}` and a newline.

use serde::{Serialize, de::DeserializeOwned};

use crate::files::digest::{Blake3, hex};

const HEAD: &str = "{\"checksum\":\"";
const MIDDLE: &str = "\",\"body\":";
const TAIL: &str = "}\n";

/// The file for `body`.
pub(super) fn seal<T: Serialize>(body: &T) -> serde_json::Result<Vec<u8>> {
    let body = serde_json::to_vec(body)?;
    let mut out = Vec::with_capacity(body.len() + 96);
    out.extend_from_slice(HEAD.as_bytes());
    out.extend_from_slice(hex(&Blake3::of(&body).0, &mut [0; 64]).as_bytes());
    out.extend_from_slice(MIDDLE.as_bytes());
    out.extend_from_slice(&body);
    out.extend_from_slice(TAIL.as_bytes());
    Ok(out)
}

/// The body of a file, or why it cannot be had. Every changed bit is noticed.
pub(super) fn unseal<T: DeserializeOwned>(file: &[u8]) -> Result<T, String> {
    let body = body(file).ok_or("its checksum does not match its contents")?;
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

fn body(file: &[u8]) -> Option<&[u8]> {
    let (checksum, rest) = file.strip_prefix(HEAD.as_bytes())?.split_at_checked(64)?;
    let body = rest.strip_prefix(MIDDLE.as_bytes())?.strip_suffix(TAIL.as_bytes())?;
    (checksum == hex(&Blake3::of(body).0, &mut [0; 64]).as_bytes()).then_some(body)
}
