//! `nnue`: declarative, exact and reproducible builds of chess NNUE networks.
//!
//! The library opens networks, evaluates them as their engines do, searches permutations of their neurons and writes them, to the byte
//! as the command line does:
//!
//! ```
//! # fn main() -> nnue::Result<()> {
//! # let folder = tempfile::tempdir().unwrap();
//! # let target = folder.path().join("optimized.nnue");
//! let net = nnue::Net::open("examples/quickstart/random.nnue")?;
//! let found = net.search(["examples/quickstart/positions.fen"], 50, nnue::Algorithm::Greedy)?;
//! let written = net.permuted(&found.permutation)?.write(&target, None)?;
//! println!("{}: {} of {} blocks are zero", written.name, found.zero_after, found.blocks);
//! # Ok(()) }
//! ```
//!
//! Without the feature `cli`, none of the command line's dependencies is built.
//!
//! # The rooms behind it
//!
//! The rooms, and the one direction in which they know of each other:
//!
//! ```text
//! {api, cli} → build → {plan, exec, cache} → family → {manifest, stage, evaluate, permutation} → accumulator → positions → format → net → files
//!     → {ctx, cpu, error, panics, random, shown, uci, words} → platform
//! ```
//!
//! * `api`: the few types and functions that users of the library see.
//! * `cli`: the command line over all of it.
//! * `build`: walks the graph, asks the cache, lets actions run, publishes outputs.
//! * `plan`: manifest and facts about its sources → petgraph DAG of actions, keys, stale reasons, drawings.
//! * `exec`: runs an action: here, by its family, or elsewhere.
//! * `cache`: content-addressed store, action records, stat cache.
//! * `family`: the kinds of networks. Each brings how its sources are recognized, its stages and its artifacts; the rooms above name none.
//! * `manifest`: `nnue.toml` → typed, spanned values.
//! * `stage`: the vocabulary of builds: stages, their parameters, the roles of inputs, what is said of results.
//! * `show`: pictures of networks, and pages of them; `draw`: pictures as data, of anything. Both read and write no file.
//! * `evaluate`: what an engine computes from a network, to the integer; proofs, bounds, comparisons. Knows `net` and `positions`.
//! * `permutation`: activation matrix, objective, search, backends.
//! * `accumulator`: sums of the feature transformer over many positions, for `family` and `evaluate`.
//! * `format`: one module a file format, bytes ↔ `net` types.
//! * `positions`: training data readers, deterministic sampling, feature indices.
//! * `net`: what a network is: architectures as data, feature sets, integer and float networks, permutations.
//!   Knows no file format, no command line, no cache.
//! * `files`: what is common to all use of files: open safely, replace atomically, hash, lock, map. Nothing else writes files that stay.
//! * `random`: chance from seeds.
//! * `uci`: a chess engine as a child process; `child`: programs that are started, what they print and how they end.
//! * `shown`: text of others as it may be shown; `excerpt`: that around a mistake; `findings`: mistakes with their places, as one error.
//! * `platform`: what every operating system has in words of its own. Knows nothing of the rest.
//! * `words`: the values that users choose from by name, one enum for each set. Knows nothing of the rest.
#![deny(missing_docs)]

mod accumulator;
mod api;
mod build;
mod cache;
mod child;
#[cfg(feature = "cli")]
mod cli;
mod cpu;
mod ctx;
mod draw;
mod error;
mod evaluate;
mod excerpt;
mod exec;
mod family;
mod files;
mod findings;
mod format;
mod manifest;
mod net;
mod panics;
mod permutation;
mod plan;
mod platform;
mod positions;
mod random;
mod show;
mod shown;
mod stage;
mod uci;
mod words;

pub use api::{Evaluation, Found, Net, OpenOptions, Tensor, Values, Written, read_permutation, read_tensors, write_permutation};
pub use error::{Error, Kind, Result};
pub use net::Permutation;
pub use words::{Algorithm, Compression, FileFormat, Overflow};

/// Runs the command line on this process's arguments.
#[cfg(feature = "cli")]
#[doc(hidden)]
pub fn main() -> std::process::ExitCode {
    cli::main()
}

/// The rooms, for this package's own tests, benches and fuzz targets. Nothing here is stable.
#[doc(hidden)]
pub mod internals {
    /// Declares a room's door: all that is public in it.
    macro_rules! doors {
        ($($room:ident),+ $(,)?) => {
            $(
                #[expect(missing_docs, reason = "it has the room's")]
                pub mod $room {
                    pub use crate::$room::*;
                }
            )+
        };
    }

    doors!(
        build,
        cache,
        ctx,
        draw,
        error,
        evaluate,
        family,
        files,
        format,
        manifest,
        net,
        permutation,
        plan,
        positions,
        random,
        show,
        stage,
        words,
    );

    /// What the fuzz targets need of rooms that have no door.
    pub mod fuzzing {
        pub use crate::cache::remote::read_action_result;
    }
}
