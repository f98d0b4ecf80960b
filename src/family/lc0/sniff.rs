//! Whether a file is a weight file, from its first bytes: for choosing a reader, not for saying what is wrong.

use std::io::Read;

use super::{container::is_embedded, net::begins_as_net, text_version};

/// Inflated bytes that are looked at.
pub(super) const HEAD: u64 = 1 << 16;

/// What kind of lc0 file this seems to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sniffed {
    /// Raw or gzip'd protobuf.
    Net,
    /// An engine with a net at its end.
    Engine,
    /// A text net.
    Text,
}

/// Looks at a whole file. `None` where it is something else; a damaged net may be either.
pub fn sniff(bytes: &[u8]) -> Option<Sniffed> {
    let head = bytes.get(..HEAD as usize).unwrap_or(bytes);
    sniff_parts(head, bytes.last_chunk::<8>().map_or(&[], |tail| &tail[..]))
}

/// As [`sniff`], of the beginning of a file (up to [`HEAD`] bytes) and its last eight bytes; none of a shorter file.
pub(super) fn sniff_parts(bytes: &[u8], tail: &[u8]) -> Option<Sniffed> {
    let head = if bytes.starts_with(b"\x1F\x8B") {
        let mut head = Vec::new();
        // What a damaged stream gives before its fault is enough.
        let _ = flate2::bufread::MultiGzDecoder::new(bytes).take(HEAD).read_to_end(&mut head);
        head
    } else {
        bytes.to_vec()
    };
    if begins_as_net(&head) {
        return Some(Sniffed::Net);
    }
    if text_version(&head).is_some() {
        return Some(Sniffed::Text);
    }
    if is_embedded(tail) {
        return Some(Sniffed::Engine);
    }
    walks_as_net(&head).then_some(Sniffed::Net)
}

/// Whether the records of the head are those of a net: its fields with their wire types, in whatever order, and the magic or the weights
/// among them.
fn walks_as_net(head: &[u8]) -> bool {
    let mut rest = head;
    let (mut known, mut strange) = (0, 0);
    while !rest.is_empty() {
        let Some(tag) = varint(&mut rest) else { break };
        match (tag >> 3, tag & 7) {
            (1, 5) if rest.starts_with(&[0xC0, 1, 0, 0]) => known += 2,
            (10, 2) => known += 2,
            (2..=5 | 11, 2) => known += 1,
            (0, _) => return false,
            _ => strange += 1,
        }
        let skip = match tag & 7 {
            0 => varint(&mut rest).map(|_| 0),
            1 => Some(8),
            2 => varint(&mut rest),
            5 => Some(4),
            _ => return false,
        };
        let Some(skip) = skip.and_then(|skip| usize::try_from(skip).ok()) else { break };
        rest = rest.get(skip..).unwrap_or_default();
    }
    known >= 2 && known > strange
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for (at, byte) in rest.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7F) << (7 * at).min(63);
        if *byte < 0x80 {
            *rest = &rest[at + 1..];
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests;
