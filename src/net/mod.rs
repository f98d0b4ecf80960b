//! What a network is: feature blocks, architectures as data and as text, integer and float weights, permutations.
//! Depends on nothing else of this crate but `error`, `random` and `words`.

mod architecture;
mod block;
mod expectation;
mod features;
mod float;
mod permutation;
mod quantization;
mod quantized;
mod random;
pub mod shipped;

pub use architecture::{
    Architecture, FtLayout, GENERATION_ALIASES, GENERATIONS, Generation, Place, Skip, Wiring, fc_hash, generation, generation_names,
};
pub use block::{Block, ThreatTable};
pub use expectation::Expectation;
pub use features::{FeatureSet, composed_hash, recursive_hash};
pub use float::{
    Coalesced, Factorized, FloatBlock, FloatDense, JoinedRows, Layout, Names, Network, Owned, Piece, RowRecipe, Tensor, Terms,
    bucket_square, king_bucket, read_all,
};
pub use permutation::Permutation;
pub use quantization::{
    ACTIVATION_MAX, DenseScale, FT127, FT255, FT256, FloatScale, OUTPUT_DIVISOR, OverflowBehaviour, QUANTIZATIONS, Quantization, ZeroRule,
    quantization,
};
pub use quantized::{BlockWeights, Dense, FtBlock, LAYER_NAMES, LayerStack, PADDING, QuantizedNetwork, le_bytes, padded};
pub use random::random_network;
pub use shipped::Description;
