//! Exact, seeded selection of positions from a stream: the same positions on every machine and any number of threads.
//!
//! # Rule, version 1
//! 1. The stream is the files' entries in order, cut into chunks numbered from 0 over all files (see [`Stream`]).
//! 2. Entries whose side to move is in check are dropped, then those that the filters drop. The others *remain*.
//! 3. With no count, all remaining entries are taken, in stream order.
//! 4. With a count N, chunk `c` has the priority `mix([1, seed, c])`. Chunks are visited in the order of (priority, c) until the visited
//!    ones hold at least 8·N remaining entries, or all are visited.
//! 5. Entry `i` of chunk `c` (counted from 0 over all entries of the chunk, dropped ones too) has the priority `mix([2, seed, c, i])`.
//!    Of the remaining entries of the visited chunks, those with the N smallest (priority, c, i) are taken; fewer than N are an error.
//! 6. Held-out positions are the next smallest ones of the same chunks, as many as asked for or as there are.
//! 7. What was taken is put back into stream order.
//!
//! `mix` is the 64-bit hash documented in [`crate::random`]: from 0, for each word `h = splitmix64(h xor word)`.
//!
//! So a sample from hundreds of gigabytes decodes only a few chunks, in memory for the sample and one chunk a thread.

use std::path::PathBuf;

use rayon::prelude::*;

use super::{filters::Filters, position::Position, stream::Stream};
use crate::{
    ctx::Ctx,
    error::{Error, Result},
    random::{mix, mix_in},
};

/// The version of the rule above; part of every key that depends on it.
pub const SELECTION_RULE: u32 = 1;

/// How many positions are taken where nobody says: as many as the trainer's tool takes.
pub const DEFAULT_POSITIONS: u64 = 10_000;

const CHUNK_TAG: u64 = 1;
const ENTRY_TAG: u64 = 2;
const OVERSAMPLE: u64 = 8;
/// Shorter lists of candidates are not worth cutting.
const MIN_CUT: usize = 8192;

/// What to take from a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Selection {
    /// How many positions, exactly; `None`: all.
    pub count: Option<u64>,
    /// How many further ones to hold out at most; with a count only.
    pub held_out: u64,
    /// Fixes which.
    pub seed: u64,
    /// Which entries count.
    pub filters: Filters,
}

/// The positions that were taken.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sampled {
    /// The sample in stream order, so neighbours are often of one game.
    pub positions: Vec<Position>,
    /// A second sample without any entry of the first, in stream order.
    pub held_out: Vec<Position>,
    /// What was read for it.
    pub stats: Stats,
}

/// Positions beside those of a sample of `positions`, on which a result is judged: as many again, up to 10,000.
pub const fn held_out(positions: u64) -> u64 {
    if positions < 10_000 { positions } else { 10_000 }
}

/// What a selection read. Numbers of entries are those of the visited chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// All entries.
    pub entries: u64,
    /// Dropped because the side to move is in check.
    pub in_check: u64,
    /// Dropped by filters.
    pub filtered: u64,
    /// Chunks that were decoded.
    pub chunks_visited: u64,
    /// Chunks of the stream.
    pub chunks: u64,
}

impl Stats {
    /// Entries that could be taken.
    pub fn remaining(&self) -> u64 {
        self.entries - self.in_check - self.filtered
    }
}

/// Takes positions from the files of `sources`, in their order one stream.
///
/// # Errors
/// Files that cannot be read or are damaged (see [`Stream::open`], [`Stream::read_chunk`]); fewer positions than asked for; filters that
/// the data cannot answer; cancellation.
pub fn select(sources: &[PathBuf], selection: &Selection, ctx: &Ctx) -> Result<Sampled> {
    selection.filters.validate()?;
    if selection.count == Some(0) {
        return Err(Error::usage("0 positions were asked for").help("ask for at least one"));
    }
    if selection.count.is_none() && selection.held_out > 0 {
        return Err(Error::usage("no positions can be held out where all are taken").help("give the number of positions"));
    }
    let stream = Stream::open(sources, ctx)?;
    ctx.progress().start("positions", None, "entries");
    let sampled = take(&stream, selection, ctx);
    ctx.progress().finish("positions");
    let sampled = sampled?;

    let taken = sampled.positions.len() as u64;
    let wanted = selection.count.unwrap_or(1);
    if taken < wanted {
        let Stats { entries, in_check, filtered, .. } = sampled.stats;
        let names: Vec<String> = sources.iter().map(|path| format!("`{}`", path.display())).collect();
        return Err(Error::new(format!("asked for {wanted} positions, found {taken} in {}", names.join(", ")))
            .because(format!("of {entries} entries {in_check} are in check and {filtered} were filtered out"))
            .help("ask for fewer positions, or add files"));
    }
    Ok(sampled)
}

/// (priority, chunk, entry): the order of step 5.
type Key = (u64, u32, u32);

struct Candidate {
    key: Key,
    position: Position,
}

/// What one chunk gives.
struct Visited {
    stats: Stats,
    candidates: Vec<Candidate>,
}

fn take(stream: &Stream, selection: &Selection, ctx: &Ctx) -> Result<Sampled> {
    let chunks = u32::try_from(stream.chunk_count()).map_err(|_| Error::new("the files have more than 4294967295 chunks"))?;
    let mut order: Vec<u32> = (0..chunks).collect();
    if selection.count.is_some() {
        order.sort_unstable_by_key(|&chunk| (mix([CHUNK_TAG, selection.seed, u64::from(chunk)]), chunk));
    }
    let enough = selection.count.map_or(u64::MAX, |count| count.saturating_mul(OVERSAMPLE));
    // No more candidates than this can ever be taken.
    let keep = selection.count.map_or(usize::MAX, |count| usize::try_from(count.saturating_add(selection.held_out)).unwrap_or(usize::MAX));

    let mut stats = Stats { chunks: u64::from(chunks), ..Stats::default() };
    let mut best: Vec<Candidate> = Vec::new();
    let mut bound = None;
    let mut unvisited = order.as_slice();
    while !unvisited.is_empty() && stats.remaining() < enough {
        // How many chunks are decoded at once changes only the time: what goes beyond `enough` is thrown away below.
        let threads = rayon::current_num_threads();
        let per_chunk = (stats.remaining() / stats.chunks_visited.max(1)).max(1);
        let likely = if stats.chunks_visited == 0 { threads as u64 } else { (enough - stats.remaining()).div_ceil(per_chunk) };
        let batch = likely.clamp(1, 4 * threads as u64) as usize;
        let (now, later) = unvisited.split_at(batch.min(unvisited.len()));
        unvisited = later;
        let visited: Vec<Result<Visited>> = now.par_iter().map(|&chunk| visit(stream, chunk, selection, keep, bound, ctx)).collect();
        for visited in visited {
            if stats.remaining() >= enough {
                break;
            }
            let visited = visited?;
            stats.entries += visited.stats.entries;
            stats.in_check += visited.stats.in_check;
            stats.filtered += visited.stats.filtered;
            stats.chunks_visited += 1;
            ctx.progress().advance("positions", visited.stats.entries);
            best.extend(visited.candidates);
        }
        bound = keep_smallest(&mut best, keep);
    }

    let Some(count) = selection.count else {
        // Chunks came in stream order, and so did their entries.
        return Ok(Sampled { positions: best.into_iter().map(|candidate| candidate.position).collect(), held_out: Vec::new(), stats });
    };
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let mut held_out = Vec::new();
    if best.len() > count {
        best.select_nth_unstable_by_key(count, |candidate| candidate.key);
        held_out = best.split_off(count);
    }
    let in_order = |mut candidates: Vec<Candidate>| -> Vec<Position> {
        candidates.sort_unstable_by_key(|candidate| (candidate.key.1, candidate.key.2));
        candidates.into_iter().map(|candidate| candidate.position).collect()
    };
    Ok(Sampled { positions: in_order(best), held_out: in_order(held_out), stats })
}

/// Cuts the list down to the `keep` smallest keys; returns the largest of them once there are that many.
fn keep_smallest(candidates: &mut Vec<Candidate>, keep: usize) -> Option<Key> {
    let last = keep.checked_sub(1)?;
    if candidates.len() <= last {
        return None;
    }
    let bound = candidates.select_nth_unstable_by_key(last, |candidate| candidate.key).1.key;
    candidates.truncate(keep);
    Some(bound)
}

/// Decodes a chunk: counts all entries, and returns the remaining ones, of a selection with a count only those that can still be taken.
fn visit(stream: &Stream, chunk: u32, selection: &Selection, keep: usize, mut bound: Option<Key>, ctx: &Ctx) -> Result<Visited> {
    let Selection { count, seed, ref filters, .. } = *selection;
    let place = u64::from(chunk);
    let filtering = *filters != Filters::default();
    let weighted = filters.piece_count_rates(&[0; 33]).is_some();
    // With the entry's number this gives `mix([2, seed, c, i])`.
    let chunk_hash = mix([ENTRY_TAG, seed, place]);
    let mut stats = Stats::default();
    let mut candidates: Vec<Candidate> = Vec::new();
    stream.read_chunk(chunk as usize, ctx, |number, entry| {
        stats.entries += 1;
        if entry.position.is_in_check() {
            stats.in_check += 1;
        } else if filtering && !filters.keeps(entry, seed, place, number).map_err(|error| without_facts(error, stream, chunk))? {
            stats.filtered += 1;
        } else {
            let priority = if count.is_some() { mix_in(chunk_hash, u64::from(number)) } else { 0 };
            let key = (priority, chunk, number);
            // The weighting needs to see all positions of the chunk before it drops any.
            if weighted || bound.is_none_or(|bound| key < bound) {
                candidates.push(Candidate { key, position: entry.position });
                // Now and then the list is cut, which also lowers the bound for the entries to come.
                if !weighted && candidates.len() >= keep.saturating_mul(2).max(MIN_CUT) {
                    bound = keep_smallest(&mut candidates, keep).or(bound);
                }
            }
        }
        Ok(())
    })?;
    if weighted {
        let mut counts = [0; 33];
        candidates.iter().for_each(|candidate| counts[candidate.position.piece_count() as usize] += 1);
        if let Some(rates) = filters.piece_count_rates(&counts) {
            let before = candidates.len();
            candidates.retain(|candidate| {
                let rate = rates[candidate.position.piece_count() as usize];
                Filters::keeps_at_rate(rate, seed, place, candidate.key.2)
            });
            stats.filtered += (before - candidates.len()) as u64;
        }
    }
    if count.is_some() {
        keep_smallest(&mut candidates, keep);
        candidates.shrink_to_fit();
    }
    Ok(Visited { stats, candidates })
}

/// Names the file that a filter cannot be used on.
fn without_facts(error: Error, stream: &Stream, chunk: u32) -> Error {
    match stream.path(chunk as usize) {
        Some(path) => error.because(format!("such lines are in `{}`", path.display())),
        None => error,
    }
}

#[cfg(test)]
mod tests;
