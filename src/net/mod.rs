//! What a network is: feature blocks, architectures as data, integer and float weights, permutations.
//! Depends on nothing else of this crate but `error`.

mod architecture;
mod block;
mod features;
mod float;
mod permutation;
mod quantized;
mod random;

pub use architecture::{
    Architecture, DenseScale, FT127, FT255, FT256, FtLayout, GENERATION_ALIASES, GENERATIONS, Generation, OverflowBehaviour, QUANTIZATIONS,
    Quantization, Wiring, ZeroRule, fc_hash, generation, generation_names, quantization,
};
pub use block::{Block, ThreatTable};
pub use features::{FeatureSet, composed_hash, recursive_hash};
pub use float::{
    Coalesced, Factorized, FloatBlock, FloatDense, JoinedRows, Layout, Names, Network, Owned, Piece, RowRecipe, Tensor, Terms,
    bucket_square, king_bucket, read_all,
};
pub use permutation::Permutation;
pub use quantized::{BlockWeights, Dense, FtBlock, LAYER_NAMES, LayerStack, PADDING, QuantizedNetwork, le_bytes, padded};
pub use random::{SplitMix, random_network};
