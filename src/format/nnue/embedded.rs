//! Networks inside engine binaries: found by looking for a header whose network parses to its end.

use super::diagnose::{Unknown, diagnose_inside};
use super::read::{Extent, header, layouts};
use super::versions;
use crate::error::{Error, Result};

/// A network inside a larger file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Embedded {
    /// Offset of its first byte.
    pub offset: usize,
    /// Its length in bytes.
    pub bytes: usize,
    /// Feature set and L1, for messages.
    pub summary: String,
}

/// What looks like the beginning of a network and is none may stand so often in a program: each costs a look at all behind it.
const FALSE_BEGINNINGS: usize = 64;

/// All networks in `bytes`, in order of offset. Overlapping finds are impossible: the search goes on behind each.
///
/// # Errors
/// When more than 64 places look like the beginning of a network and are none: chance makes none of them.
pub fn find_embedded(bytes: &[u8]) -> Result<Vec<Embedded>> {
    let versions: Vec<[u8; 4]> = versions().into_iter().map(u32::to_le_bytes).collect();
    // The last bytes of the version words are few and rare in machine code: look for those.
    let last: Vec<u8> = versions.iter().map(|version| version[3]).collect();
    let mut found = Vec::new();
    let mut false_beginnings = 0;
    let mut at = 3;
    while at < bytes.len() {
        let begin = at - 3;
        at += 1;
        if !last.contains(&bytes[begin + 3]) || !versions.iter().any(|version| bytes[begin..].starts_with(version)) {
            continue;
        }
        let rest = &bytes[begin..];
        let Ok(header) = header(rest) else { continue };
        let layouts = layouts(rest, &header, Extent::Prefix).unwrap_or_default();
        let Some(layout) = layouts.first() else {
            false_beginnings += 1;
            if false_beginnings > FALSE_BEGINNINGS {
                return Err(Error::new("this program cannot be searched for networks")
                    .because(format!("more than {FALSE_BEGINNINGS} places in it look like the beginning of a network, and are none"))
                    .help("give the `.nnue` file itself"));
            }
            continue;
        };
        let architecture = &layout.architecture;
        let summary = format!("`{}` with L1={} ({} bytes)", architecture.features.name(), architecture.l1, layout.end);
        found.push(Embedded { offset: begin, bytes: layout.end, summary });
        at = begin + layout.end + 3;
    }
    Ok(found)
}

/// The first network in `bytes` of a version that is known and of a kind that is not, with its offset.
pub fn find_unknown(bytes: &[u8]) -> Option<(usize, Unknown)> {
    let versions: Vec<[u8; 4]> = versions().into_iter().map(u32::to_le_bytes).collect();
    let is_version = |at: &usize| versions.iter().any(|version| bytes[*at..].starts_with(version));
    (0..bytes.len().saturating_sub(3)).filter(is_version).find_map(|at| Some((at, diagnose_inside(&bytes[at..])?)))
}
