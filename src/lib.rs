//! `nnue`: declarative, exact and reproducible builds of chess NNUE networks.
//!
//! The rooms, and the one direction in which they know of each other:
//!
//! ```text
//! cli → build → {plan, exec} → {cache, manifest, stages} → {stage, evaluate, permutation} → accumulator → positions → format → net → files → {ctx, cpu, error, panics, random, words}
//! ```
//!
//! * [`net`]: what a network is: architectures as data, feature sets, integer and float networks, permutations.
//!   Knows no file format, no command line, no cache.
//! * [`format`](mod@format): one module a file format, bytes ↔ `net` types.
//! * [`family`]: networks of other kinds than the trainer's: formats, artifacts and operations of each.
//! * [`positions`]: training data readers, deterministic sampling, feature indices.
//! * [`permutation`]: activation matrix, objective, search, backends.
//! * `accumulator`: sums of the feature transformer over many positions, for `stages` and `evaluate`.
//! * [`evaluate`]: what an engine computes from a network, to the integer; proofs, bounds, comparisons. Knows `net` and `positions`.
//! * [`stages`]: one file a stage: pure functions `(inputs, parameters, &Ctx) -> Result<Output>`.
//! * [`manifest`]: `nnue.toml` → typed, spanned values.
//! * [`random`]: chance from seeds.
//! * [`plan`]: manifest and facts about its sources → petgraph DAG of actions, keys, stale reasons, drawings.
//! * `exec`: runs an action: here, by the stages, or elsewhere.
//! * [`files`]: what is common to all use of files: open safely, replace atomically, hash, lock, map. Nothing else writes files that stay.
//! * [`cache`]: content-addressed store, action records, stat cache.
//! * [`build`]: walks the DAG, asks the cache, lets actions run, publishes outputs.
//! * [`words`]: the values that users choose from by name, one enum for each set. Knows nothing of the rest.
//! * [`cli`]: the command line over all of it.
#![deny(missing_docs)]

mod accumulator;
pub mod build;
pub mod cache;
pub mod cli;
mod cpu;
pub mod ctx;
pub mod error;
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
pub mod stage;
pub mod stages;
pub mod words;

/// What the targets in `fuzz/` need beyond the public modules. Not for other users.
#[doc(hidden)]
pub mod fuzzing {
    pub use crate::cache::remote::read_action_result;
}
