//! Linux, macOS and their like.

pub(super) mod errors;
pub(super) mod files;
pub(super) mod programs;
#[cfg(feature = "cli")]
pub(super) mod terminal;
