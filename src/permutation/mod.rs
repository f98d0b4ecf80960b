//! Finding an order of the neurons in which more blocks of four are zero together.
//!
//! ```text
//! matrix (bits) ─ backend (counts) ─ gains ─ greedy ─ anneal, assign ─ search
//!       ├──────── objective
//!       └──────── bound
//! ```
//!
//! Everything is integer arithmetic on bits; backend, kernel and number of threads change no result. Knows nothing of positions, networks'
//! weights, files' paths or the cache.

mod anneal;
mod assign;
mod backend;
mod bound;
mod gains;
mod greedy;
mod kernel;
mod matrix;
mod npy;
mod objective;
pub mod order;
mod search;

pub use crate::words::Algorithm;
pub use backend::{Cpu, OverlapCounter, SearchBackend, select_backend};
pub use bound::{Bound, BoundLimits, bound, check as check_bound};
pub use greedy::{Iteration, MAX_ITERATIONS, Move, Round};
pub use kernel::{Kernel, LANE, Tile};
pub use matrix::{ActivationMatrix, MAX_HALF, MAX_POSITIONS, MatrixBuilder};
pub use npy::{read_matrix, read_permutation, write_matrix, write_permutation};
pub use objective::{BLOCK, ZeroBlocks, zero_blocks};
pub use search::{SearchOutcome, SearchParams, default_budget, search, search_with};

/// What the greedy search is called in progress reports; its units are rounds.
const TASK: &str = "search";
/// What annealing is called in progress reports; its units are moves.
const ANNEAL_TASK: &str = "anneal";
/// What search by assignment is called; its units are noisy steps.
const ASSIGN_TASK: &str = "assign";
