//! Values behind `http://` and `https://`: only in builds with the cargo feature `http`, which `cli` brings.

#[cfg(not(feature = "http"))]
mod disabled;
#[cfg(feature = "http")]
mod enabled;

#[cfg(not(feature = "http"))]
pub(super) use disabled::open;
#[cfg(feature = "http")]
pub(super) use enabled::open;
