//! What a network is: feature blocks, architectures as data, integer and float weights, permutations.
//! Depends on nothing else of this crate but `error`.

mod block;
mod permutation;

pub use block::{Block, ThreatTable};
pub use permutation::Permutation;
