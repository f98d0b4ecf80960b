//! One file a stage: pure functions of inputs and parameters.
pub use crate::ctx::Ctx;
