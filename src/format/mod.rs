//! File formats: bytes ↔ `net` types. One module a format; each documents the format and its limitations.
//!
//! [`content_name`] knows the names of published nets. [`sources`] tells what a file is and which reader it is for; below it [`packed`] unpacks. [`checkpoint`] and [`state_dict`] make networks
//! of the tensors that the containers hold.

pub mod autodiscover;
pub mod checkpoint;
pub mod content_name;
pub mod nnue;
pub mod npy;
pub mod npz;
pub mod packed;
pub mod safetensors;
pub mod sources;
pub mod state_dict;
pub mod tensor;
pub mod torch;
pub mod trainer_module;
pub mod wasm;
pub mod zip;
