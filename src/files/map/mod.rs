//! Files as memory. The one place that maps them.
//!
//! On Unix large files are mapped, and a signal tells when one was cut off below us ([`lost`]). Elsewhere none is: a file that is mapped on
//! Windows can neither be replaced nor removed by anybody, and its loss has no signal that a handler could answer. There files are copied.

#[cfg(unix)]
mod enabled;
#[cfg(unix)]
pub mod lost;
#[cfg(unix)]
pub(super) use enabled::Map;

#[cfg(not(unix))]
mod disabled;
#[cfg(not(unix))]
pub(super) use disabled::Map;
#[cfg(not(unix))]
pub use disabled::lost;
