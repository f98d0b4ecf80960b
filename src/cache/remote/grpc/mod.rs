//! Caches and clusters that speak the Remote Execution API v2, `grpc://` and `grpcs://`: only in builds with the cargo feature `remote`.
//!
//! * `address`: the URL, and what the environment says of credentials and certificates; `wire`: one connection, on one thread;
//!   `messages`: what goes over it; `calls`: one function a call; `store`: blobs and entries; `run`: programs.

#[cfg(feature = "remote")]
mod address;
#[cfg(feature = "remote")]
mod calls;
#[cfg(not(feature = "remote"))]
mod disabled;
#[cfg(feature = "remote")]
mod enabled;
#[cfg(feature = "remote")]
mod messages;
#[cfg(feature = "remote")]
mod run;
#[cfg(feature = "remote")]
mod store;
#[cfg(feature = "remote")]
mod tree;
#[cfg(feature = "remote")]
mod wire;

#[cfg(not(feature = "remote"))]
pub(super) use disabled::{execute, open};
#[cfg(feature = "remote")]
pub(super) use enabled::{execute, open};
