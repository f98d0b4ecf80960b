//! Content-addressed store, action records, stat cache, build state.
//!
//! Knows nothing of nets and manifests, and of stages only what they say of a result, which records keep: it keeps bytes under digests and
//! records under keys, and says what a file's digest is.
//! It touches the disk through [`crate::files`]. A corrupt, unreadable or read-only cache makes a build slower; it never makes it wrong or fail:
//! everything that is read back is verified first, and what does not verify is a miss with a warning. The same holds for what comes
//! from other machines ([`remote`], the only room that knows a network).
//!
//! ```text
//! <root>/CACHEDIR.TAG
//! <root>/v1/lock                     shared while building, exclusive for gc
//! <root>/v1/gate                     passed by a build on its way to the lock, closed for moments by a waiting gc
//! <root>/v1/locks/ab/<62 hex>.lock   one a running action
//! <root>/v1/cas/ab/<62 hex>          a blob, named by its BLAKE3
//! <root>/v1/actions/ab/<62 hex>.json a record, named by its key
//! <root>/v1/roots/<64 hex>.json      what one manifest needs; keeps gc from removing it
//! <root>/v1/usage.json               hits and misses of all builds
//! ```

pub mod build_log;
pub mod gc;
#[cfg(test)]
mod model;
mod packed;
pub mod published;
pub mod record;
pub mod remote;
mod sealed;
pub mod stat_cache;
pub mod store;
#[cfg(test)]
mod tests;
pub mod witness;

pub use build_log::{BuildLog, BuildState, OutputState, StageState};
pub use gc::{CacheStats, GcOptions, GcOutcome, VerifyOutcome};
pub use published::{PublishedFile, PublishedLog};
pub use record::{ActionRecord, Key, Preimage};
pub use remote::{Remote, RemoteOptions};
pub use stat_cache::{StatCache, Trust};
pub use store::{Cache, Mode, OpenOptions, Stored};
pub use witness::Witnessed;
