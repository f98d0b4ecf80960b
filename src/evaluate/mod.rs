//! What an engine computes from a network, to the integer, and what the float network would say.
//!
//! * [`trace`](mod@reference): one position in plain integers, layer by layer: the reference.
//!
//! The wiring comes from the table of architectures; nothing here asks for a generation's name. Knows nothing of files, the command line
//! and the cache.

mod reference;

pub use reference::{BucketTrace, Trace, trace, transform};

use crate::net::OUTPUT_DIVISOR;

/// What one layer stack makes of a position, for the side to move and before any division.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Raw {
    /// Half the difference of both sides' piece-square sums; 0 in networks without such.
    pub psqt: i32,
    /// Output of the dense layers.
    pub positional: i32,
}

impl Raw {
    /// What the engine takes for the side to move, in its internal units.
    pub fn value(self) -> i32 {
        self.psqt.wrapping_add(self.positional) / OUTPUT_DIVISOR
    }
}
