//! `nnue`: declarative, exact and reproducible builds of chess NNUE networks.
//!
//! The rooms, and the one direction in which they know of each other:
//!
//! ```text
//! cli → build → {plan, exec, cache} → family → {manifest, stage, evaluate, permutation} → accumulator → positions → format → net → files
//!     → {ctx, cpu, error, panics, random, words}
//! ```
//!
//! * [`cli`]: the command line over all of it.
//! * [`build`]: walks the graph, asks the cache, lets actions run, publishes outputs.
//! * [`plan`]: manifest and facts about its sources → petgraph DAG of actions, keys, stale reasons, drawings.
//! * `exec`: runs an action: here, by its family, or elsewhere.
//! * [`cache`]: content-addressed store, action records, stat cache.
//! * [`family`]: the kinds of networks. Each brings how its sources are recognized, its stages and its artifacts; the rooms above name none.
//! * [`manifest`]: `nnue.toml` → typed, spanned values.
//! * [`stage`]: the vocabulary of builds: stages, their parameters, the roles of inputs, what is said of results.
//! * [`evaluate`]: what an engine computes from a network, to the integer; proofs, bounds, comparisons. Knows `net` and `positions`.
//! * [`permutation`]: activation matrix, objective, search, backends.
//! * `accumulator`: sums of the feature transformer over many positions, for `family` and `evaluate`.
//! * [`format`](mod@format): one module a file format, bytes ↔ `net` types.
//! * [`positions`]: training data readers, deterministic sampling, feature indices.
//! * [`net`]: what a network is: architectures as data, feature sets, integer and float networks, permutations.
//!   Knows no file format, no command line, no cache.
//! * [`files`]: what is common to all use of files: open safely, replace atomically, hash, lock, map. Nothing else writes files that stay.
//! * [`random`]: chance from seeds.
//! * [`words`]: the values that users choose from by name, one enum for each set. Knows nothing of the rest.
#![deny(missing_docs)]

mod accumulator;
pub mod build;
pub mod cache;
pub mod cli;
mod cpu;
pub mod ctx;
pub mod error;
pub mod draw;
pub mod evaluate;
mod exec;
pub mod family;
pub mod files;
pub mod format;
pub mod manifest;
pub mod net;
mod panics;
pub mod permutation;
pub mod plan;
pub mod positions;
pub mod random;
pub mod show;
pub mod stage;
pub mod words;

/// What the targets in `fuzz/` need beyond the public modules. Not for other users.
#[doc(hidden)]
pub mod fuzzing {
    pub use crate::cache::remote::read_action_result;
}
