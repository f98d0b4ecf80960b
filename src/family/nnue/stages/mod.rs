//! What stages do: pure functions of inputs and parameters, one file each; [`pipeline`] is the way of a net through them.
//! Knows nothing of TOML, the command line, the cache, the terminal.

pub mod dequantize;
pub mod engine;
pub mod gather;
pub mod load;
pub mod permute;
pub mod pipeline;
pub mod prove;
pub mod quantize;
pub mod write;
pub mod write_float;

pub use crate::ctx::Ctx;
