//! `nnue`: declarative, exact and reproducible builds of chess NNUE networks.
//!
//! The rooms, and the one direction in which they know of each other:
//!
//! ```text
//! cli → build → family → {graph, cache, stages, manifest} → {net, format, positions, permutation} → {ctx, error, paths}
//! ```
//!
//! * [`net`]: what a network is: architectures as data, feature sets, integer and float networks, permutations.
//!   Knows no file format, no command line, no cache.
//! * [`format`](mod@format): one module a file format, bytes ↔ `net` types.
//! * [`positions`]: training data readers, deterministic sampling, feature indices.
//! * [`permutation`]: activation matrix, objective, search, backends.
//! * [`family`]: networks that are not Stockfish's own, such as those that an architecture file describes.
//! * [`stages`]: one file a stage: pure functions `(inputs, parameters, &Ctx) -> Result<Output>`.
//! * [`manifest`]: `nnue.toml` → typed, spanned values.
//! * [`graph`]: manifest → petgraph DAG of actions, keys, stale reasons.
//! * [`cache`]: content-addressed store, action records, stat cache, atomic files.
//! * [`build`]: walks the DAG, asks the cache, runs stages, publishes outputs.
//! * [`cli`]: the command line over all of it.
#![deny(missing_docs)]

pub mod build;
pub mod cache;
pub mod cli;
pub mod ctx;
pub mod error;
pub mod family;
pub mod format;
pub mod graph;
pub mod manifest;
pub mod net;
mod paths;
pub mod permutation;
pub mod positions;
pub mod stages;
