//! `nnue`: declarative, exact and reproducible builds of chess NNUE networks.
//!
//! The rooms, and the one direction in which they know of each other:
//!
//! ```text
//! cli → build → {plan, exec, cache} → {stages, stage, manifest} → {net, format, positions, permutation} → files → {ctx, error}
//! ```
//!
//! * [`net`]: what a network is: architectures as data, feature sets, integer and float networks, permutations.
//!   Knows no file format, no command line, no cache.
//! * [`format`](mod@format): one module a file format, bytes ↔ `net` types.
//! * [`positions`]: training data readers, deterministic sampling, feature indices.
//! * [`permutation`]: activation matrix, objective, search, backends.
//! * [`stages`]: one file a stage: pure functions `(inputs, parameters, &Ctx) -> Result<Output>`.
//! * [`manifest`]: `nnue.toml` → typed, spanned values.
//! * [`plan`]: manifest and facts about its sources → petgraph DAG of actions, keys, stale reasons, drawings.
//! * `exec`: runs an action: here, by the stages, or elsewhere.
//! * [`files`]: the only door to the file system: open safely, replace atomically, hash, lock, map.
//! * [`cache`]: content-addressed store, action records, stat cache.
//! * [`build`]: walks the DAG, asks the cache, lets actions run, publishes outputs.
//! * [`words`]: the values that users choose from by name, one enum for each set. Knows nothing of the rest.
//! * [`cli`]: the command line over all of it.
#![deny(missing_docs)]

pub mod build;
pub mod cache;
pub mod cli;
pub mod ctx;
pub mod error;
mod exec;
pub mod files;
pub mod format;
pub mod manifest;
pub mod net;
mod panics;
pub mod permutation;
pub mod plan;
pub mod positions;
pub mod stage;
pub mod stages;
pub mod words;
