//! Counting by matrix products of libtorch, on CUDA where it is there.

#[cfg(not(feature = "torch"))]
#[path = "disabled.rs"]
mod imp;
#[cfg(feature = "torch")]
#[path = "enabled.rs"]
mod imp;

pub(super) use imp::find;
