//! What an engine computes from a network, to the integer, and what the float network would say.
//!
//! * [`trace`]: one position in plain integers, layer by layer: the reference.
//! * [`Evaluator`]: many positions, as fast as the processor can, exactly as the reference.
//! * [`forward`]: the float network as its trainer computes it; [`quantization_error`]: both side by side.
//! * [`prove`](prove()): that two networks evaluate alike, or where they part.
//! * [`bounds`](bounds()): what any legal position can make of the sums; [`largest_seen`]: what some do.
//! * [`compare`](compare()): how two lists of values differ.
//!
//! The wiring comes from the table of architectures; nothing here asks for a generation's name. Knows nothing of files, the command line
//! and the cache.

mod batch;
mod bounds;
mod compare;
mod dense;
mod error;
mod float;
mod prove;
mod reference;

pub use batch::{Evaluation, Evaluator};
pub use bounds::{Bounds, LayerRange, Range, bounds, largest_seen};
pub use compare::{Comparison, Difference, Histogram, compare};
pub use error::{LayerError, QuantizationError, quantization_error};
pub use float::{FloatTrace, UNITS, forward, forward_all};
pub use prove::{Proof, prove};
pub use reference::{BucketTrace, Trace, trace};

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
