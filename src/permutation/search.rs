//! The search as a stage calls it: parameters in, permutation and statistics out.

use std::time::{Duration, Instant};

use super::{
    anneal::{self, Limits},
    assign,
    backend::{SearchBackend, select_backend},
    gains::Gains,
    greedy::{self, Iteration, Round},
    matrix::ActivationMatrix,
    objective::{ZeroBlocks, check_blocks, zero_blocks},
};
use crate::{ctx::Ctx, error::Result, net::Permutation, words::Algorithm};

/// What decides the result of a search.
#[derive(Debug, Clone, Default)]
pub struct SearchParams {
    /// How to search.
    pub algorithm: Algorithm,
    /// Of the random numbers; `greedy` uses none.
    pub seed: u64,
    /// How much of [`Algorithm::budget`] is spent; by default as [`default_budget`] says.
    pub budget: Option<u64>,
    /// Ends a search with a budget early. A convenience: [`SearchOutcome::moves`] then says which `budget` gives the same result again.
    pub time_limit: Option<Duration>,
}

/// A permutation and how it was found.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchOutcome {
    /// The order found.
    pub permutation: Permutation,
    /// Zero blocks of the samples in the matrix's own order.
    pub before: ZeroBlocks,
    /// Zero blocks of the samples in the order found.
    pub after: ZeroBlocks,
    /// Rounds of the greedy searches.
    pub iterations: usize,
    /// 2-swaps that the greedy searches made.
    pub swaps: usize,
    /// 3-cycles that the greedy searches made.
    pub cycles: usize,
    /// Moves that `anneal` tried, or noisy steps that `assign` made; 0 for `greedy`.
    pub moves: u64,
}

/// What a search spends when nothing is said: `anneal` up to 126 (L1/2)² moves, `assign` up to 1050 steps, fewer where the samples are many
/// or the network is wide. Depends on sizes alone.
pub fn default_budget(algorithm: Algorithm, matrix: &ActivationMatrix) -> u64 {
    match algorithm {
        Algorithm::Greedy => 0,
        Algorithm::Anneal => anneal::default_moves(matrix),
        Algorithm::Assign => assign::default_steps(matrix),
    }
}

/// Searches a permutation with the backend that `ctx` asks for.
///
/// # Errors
/// When L1/2 is not a multiple of 4, the work is cancelled, or the backend is missing or fails.
pub fn search(matrix: &ActivationMatrix, params: &SearchParams, ctx: &Ctx) -> Result<SearchOutcome> {
    let backend = select_backend(ctx.backend, matrix, ctx)?;
    search_with(&*backend, matrix, params, ctx, |_| {})
}

/// As [`search`], on a given backend; `trace` gets every round of the greedy search with its moves.
///
/// # Errors
/// As [`search`].
pub fn search_with(
    backend: &dyn SearchBackend,
    matrix: &ActivationMatrix,
    params: &SearchParams,
    ctx: &Ctx,
    mut trace: impl FnMut(&Iteration),
) -> Result<SearchOutcome> {
    check_blocks(matrix)?;
    let start = Instant::now();
    let identity = Permutation::identity(matrix.half())?;
    let before = zero_blocks(matrix, &identity)?;
    let (mut iterations, mut swaps, mut cycles, mut moves) = (0, 0, 0, 0);
    let mut counter = backend.prepare(matrix)?;
    let mut climb = |perm: Vec<u32>| {
        let _task = Task::start(ctx, super::TASK, None, "rounds");
        let mut gains = Gains::new(perm);
        greedy::search(&mut gains, &mut *counter, ctx, |iteration| {
            iterations += 1;
            match iteration.round {
                Round::Swaps => swaps += iteration.moves.len(),
                Round::Cycles => cycles += iteration.moves.len(),
            }
            trace(&iteration);
        })?;
        Ok(gains.into_perm())
    };
    let mut perm = climb(identity.as_slice().to_vec())?;
    let wanted = params.budget.unwrap_or_else(|| default_budget(params.algorithm, matrix));
    let limits = Limits { moves: wanted, deadline: params.time_limit.and_then(|limit| start.checked_add(limit)) };
    match params.algorithm {
        Algorithm::Greedy => {}
        Algorithm::Anneal => {
            let task = Task::start(ctx, super::ANNEAL_TASK, Some(wanted), "moves");
            let annealed = anneal::anneal(matrix, perm, params.seed, limits, ctx)?;
            drop(task);
            moves = annealed.moves;
            perm = climb(annealed.perm)?;
        }
        Algorithm::Assign => {
            let task = Task::start(ctx, super::ASSIGN_TASK, Some(wanted), "steps");
            let assigned = assign::assign(matrix, perm, params.seed, limits, ctx)?;
            drop(task);
            moves = assigned.steps;
            perm = assigned.perm;
        }
    }
    let permutation = Permutation::try_from(perm.as_slice())?;
    let after = zero_blocks(matrix, &permutation)?;
    Ok(SearchOutcome { permutation, before, after, iterations, swaps, cycles, moves })
}

/// Reports the end of a task on every way out.
struct Task<'a> {
    ctx: &'a Ctx,
    name: &'static str,
}

impl<'a> Task<'a> {
    fn start(ctx: &'a Ctx, name: &'static str, total: Option<u64>, unit: &'static str) -> Self {
        ctx.progress().start(name, total, unit);
        Self { ctx, name }
    }
}

impl Drop for Task<'_> {
    fn drop(&mut self) {
        self.ctx.progress().finish(self.name);
    }
}

#[cfg(test)]
mod tests;
