//! Programs of others read what is written here, and the other way round: PyTorch, safetensors, NumPy, Stockfish.
#![allow(missing_docs)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/lc0_broken.rs"]
mod lc0_broken;

mod browser;
mod checkpoints;
mod engine;
mod lc0;
mod torch;
