//! File formats: bytes ↔ `net` types. One module a format; each documents the format and its limitations.

pub mod identify;
pub mod nnue;
pub mod npy;
pub mod npz;
pub mod safetensors;
pub mod state_dict;
pub mod tensor;
pub mod torch;
pub mod wasm;
pub mod zip;
