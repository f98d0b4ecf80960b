//! The field's standard search, step for step as the trainer's `ftperm.py` takes them: rounds of independent 2-swaps until none gains, then
//! rounds of independent 3-cycles, at most 50 rounds in all. Ties go to the lowest places.
//!
//! Where the trainer's tool fills a tensor of all triples and masks it, this one keeps the gains of pairs and bounds what a triple of blocks
//! can gain; which moves are chosen, and in which order, is the same.

use std::cmp::Reverse;

use rayon::prelude::*;

use super::{
    backend::OverlapCounter,
    gains::{Gains, PairGains},
};
use crate::{ctx::Ctx, error::Result};

/// Rounds after which the trainer's tool stops even if more could be gained.
pub const MAX_ITERATIONS: usize = 50;

/// One exchange of neurons, by their places at the beginning of the round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// The neurons at two places change places.
    Swap {
        /// The lower place.
        i: usize,
        /// The higher place.
        j: usize,
        /// Zero blocks won, over all samples.
        gain: u64,
    },
    /// The neuron at `i` goes to `j`, that at `j` to `k`, that at `k` to `i`.
    Rotate {
        /// First place, in the lowest of the three blocks.
        i: usize,
        /// Second place.
        j: usize,
        /// Third place.
        k: usize,
        /// Zero blocks won, over all samples.
        gain: u64,
    },
}

impl Move {
    /// Zero blocks won, over all samples.
    pub fn gain(self) -> u64 {
        match self {
            Self::Swap { gain, .. } | Self::Rotate { gain, .. } => gain,
        }
    }
}

/// Which moves a round looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Round {
    /// Exchanges of two neurons.
    Swaps,
    /// Cycles of three neurons of three blocks.
    Cycles,
}

/// One round of the greedy search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Iteration {
    /// What was looked for.
    pub round: Round,
    /// The moves made, in the order in which they were chosen; empty in the last round of its kind.
    pub moves: Vec<Move>,
}

impl Iteration {
    /// Zero blocks won by this round, over all samples.
    pub fn gain(&self) -> u64 {
        self.moves.iter().map(|one| one.gain()).sum()
    }
}

/// Runs the search from the present order of `gains`. Calls `trace` after each round.
pub(super) fn search(gains: &mut Gains, counter: &mut dyn OverlapCounter, ctx: &Ctx, mut trace: impl FnMut(Iteration)) -> Result<()> {
    let mut round = Round::Swaps;
    let mut cycles = Cycles::new(gains.blocks());
    for _ in 0..MAX_ITERATIONS {
        gains.refresh(counter, ctx)?;
        let moves = match round {
            Round::Swaps => choose_swaps(gains),
            Round::Cycles => cycles.choose(gains),
        };
        for &one in &moves {
            match one {
                Move::Swap { i, j, .. } => gains.swap(i, j),
                Move::Rotate { i, j, k, .. } => gains.rotate(i, j, k),
            }
        }
        let done = moves.is_empty();
        trace(Iteration { round, moves });
        ctx.progress().advance(super::TASK, 1);
        match round {
            Round::Swaps if done => round = Round::Cycles,
            Round::Cycles if done => break,
            _ => {}
        }
    }
    Ok(())
}

/// The best swap of each pair of blocks, best first, each block used once.
///
/// Taking the best of all pairs of places and masking its two blocks, again and again, comes to the same: masking never changes another
/// gain, and after a pair of blocks gave its best swap nothing of it is left.
fn choose_swaps(gains: &Gains) -> Vec<Move> {
    let blocks = gains.blocks();
    let mut candidates: Vec<(Reverse<i32>, usize, usize)> = (0..blocks)
        .into_par_iter()
        .flat_map_iter(|first| {
            (first + 1..blocks).filter_map(move |second| {
                let (gain, i, j) = best_swap(gains.pair(first, second), gains.pair(second, first))?;
                Some((Reverse(gain), 4 * first + i, 4 * second + j))
            })
        })
        .collect();
    candidates.sort_unstable();
    let mut used = vec![false; blocks];
    let mut moves = Vec::new();
    for (Reverse(gain), i, j) in candidates {
        if !used[i / 4] && !used[j / 4] {
            (used[i / 4], used[j / 4]) = (true, true);
            moves.push(Move::Swap { i, j, gain: gain.unsigned_abs().into() });
        }
    }
    moves
}

/// The best positive gain of exchanging a neuron of one block with one of another, and the first places that reach it.
fn best_swap(there: &PairGains, back: &PairGains) -> Option<(i32, usize, usize)> {
    let mut best = (0, 0, 0);
    for i in 0..4 {
        for j in 0..4 {
            let gain = there[4 * i + j] + back[4 * j + i];
            if gain > best.0 {
                best = (gain, i, j);
            }
        }
    }
    (best.0 > 0).then_some(best)
}

/// A cycle through three blocks and what it gains.
#[derive(Debug, Clone, Copy)]
struct Cycle {
    gain: i32,
    places: [usize; 3],
}

/// The best cycle that begins in each block, kept from round to round.
struct Cycles {
    /// By the lowest block of the cycle, with no block masked.
    best: Vec<Option<Cycle>>,
    /// Blocks whose gains changed since `best` was made.
    changed: Vec<bool>,
}

impl Cycles {
    fn new(blocks: usize) -> Self {
        Self { best: vec![None; blocks], changed: vec![true; blocks] }
    }

    /// The best cycles, best first, each block used once.
    ///
    /// A cycle reads the same from each of its places, so the first of equal ones begins in its lowest block. Masking only takes cycles
    /// away, so a block's best that lost a block to an earlier cycle is still a bound, and is looked for again only when it comes up.
    fn choose(&mut self, gains: &Gains) -> Vec<Move> {
        let blocks = gains.blocks();
        let bounds = Bounds::new(gains);
        self.update(gains, &bounds);
        let mut best = self.best.clone();
        let mut used = vec![false; blocks];
        let mut moves = Vec::new();
        loop {
            let top = best.iter().flatten().max_by_key(|cycle| (cycle.gain, Reverse(cycle.places[0])));
            let Some(&Cycle { gain, places: [i, j, k] }) = top else { break };
            let first = i / 4;
            if used[first] {
                best[first] = None;
            } else if used[j / 4] || used[k / 4] {
                best[first] = best_cycle(gains, &bounds, first, Scope::Unused(&used), None);
            } else {
                for place in [i, j, k] {
                    used[place / 4] = true;
                }
                moves.push(Move::Rotate { i, j, k, gain: gain.unsigned_abs().into() });
            }
        }
        self.changed = used;
        moves
    }

    /// Where a block's best cycle kept its gain, only cycles through changed blocks can beat it.
    fn update(&mut self, gains: &Gains, bounds: &Bounds) {
        let Self { best, changed } = self;
        let list: Vec<usize> = (0..changed.len()).filter(|&block| changed[block]).collect();
        best.par_iter_mut().enumerate().for_each(|(first, best)| {
            let lost = best.is_some_and(|cycle| cycle.places.iter().any(|place| changed[place / 4]));
            *best = if lost || changed[first] {
                best_cycle(gains, bounds, first, Scope::All, None)
            } else {
                best_cycle(gains, bounds, first, Scope::Through(changed, &list), *best)
            };
        });
    }
}

/// Bounds on the gains of each ordered pair of blocks, in both orders of storage, so that the innermost loop reads them in sequence.
struct Bounds {
    /// `[from * blocks + to]`
    from: Vec<i32>,
    /// `[to * blocks + from]`
    to: Vec<i32>,
    /// `[from * blocks + to]`
    ends_from: Vec<Ends>,
    /// `[to * blocks + from]`
    ends_to: Vec<Ends>,
}

/// The largest gain that each neuron of the first block can have, and each place of the second.
#[derive(Debug, Clone, Copy)]
struct Ends {
    leave: [i32; 4],
    arrive: [i32; 4],
}

impl Ends {
    fn new(pair: &PairGains) -> Self {
        Self {
            leave: std::array::from_fn(|i| (0..4).map(|j| pair[4 * i + j]).fold(i32::MIN, i32::max)),
            arrive: std::array::from_fn(|j| (0..4).map(|i| pair[4 * i + j]).fold(i32::MIN, i32::max)),
        }
    }

    /// The most that a neuron moving to a place and the neuron of that place moving on, as `next` says, can gain together.
    fn through(&self, next: &Self) -> i32 {
        self.arrive.iter().zip(&next.leave).map(|(arrive, leave)| arrive + leave).fold(i32::MIN, i32::max)
    }
}

impl Bounds {
    fn new(gains: &Gains) -> Self {
        let blocks = gains.blocks();
        let all = || (0..blocks * blocks).into_par_iter().map(|at| (at / blocks, at % blocks));
        let ends_to: Vec<Ends> = all().map(|(to, from)| Ends::new(gains.pair(from, to))).collect();
        let ends_from: Vec<Ends> = all().map(|(from, to)| ends_to[to * blocks + from]).collect();
        let most = |ends: &Ends| ends.leave.iter().copied().fold(i32::MIN, i32::max);
        Self { from: ends_from.iter().map(most).collect(), to: ends_to.iter().map(most).collect(), ends_from, ends_to }
    }
}

/// Which second and third blocks a search for a cycle looks at.
#[derive(Clone, Copy)]
enum Scope<'a> {
    /// All.
    All,
    /// Those that are not marked.
    Unused(&'a [bool]),
    /// Pairs with at least one marked block; the marks, and the marked blocks in ascending order.
    Through(&'a [bool], &'a [usize]),
}

/// The best cycle with a positive gain whose lowest block is `first`, within `scope`, unless `known` is better; of equal ones the first by
/// (second block, third block, places).
fn best_cycle(gains: &Gains, bounds: &Bounds, first: usize, scope: Scope, known: Option<Cycle>) -> Option<Cycle> {
    let blocks = gains.blocks();
    let mut best = known;
    let back = &bounds.to[first * blocks..][..blocks];
    let ends_back = &bounds.ends_to[first * blocks..][..blocks];
    for second in first + 1..blocks {
        let there = bounds.from[first * blocks + second];
        let ends_there = bounds.ends_from[first * blocks + second];
        let onward = &bounds.from[second * blocks..][..blocks];
        let ends_onward = &bounds.ends_from[second * blocks..][..blocks];
        let mut look_at = |third: usize| {
            let least = match best {
                Some(Cycle { gain, places: [_, j, k] }) if (second, third) < (j / 4, k / 4) => gain - 1,
                Some(Cycle { gain, .. }) => gain,
                None => 0,
            };
            if there + onward[third] + back[third] <= least || third == second {
                return;
            }
            // The coarse bound lets through many more than the best; each joint of the cycle gives a finer one.
            let (ends_onward, ends_back) = (&ends_onward[third], &ends_back[third]);
            if ends_there.through(ends_onward) + back[third] <= least
                || ends_onward.through(ends_back) + there <= least
                || ends_back.through(&ends_there) + onward[third] <= least
            {
                return;
            }
            let found = best_rotation(gains.pair(first, second), gains.pair(second, third), gains.pair(third, first), least);
            if let Some((gain, [i, j, k])) = found {
                best = Some(Cycle { gain, places: [4 * first + i, 4 * second + j, 4 * third + k] });
            }
        };
        match scope {
            Scope::Unused(used) if used[second] => {}
            Scope::Unused(used) => (first + 1..blocks).filter(|&third| !used[third]).for_each(look_at),
            Scope::Through(marked, list) if !marked[second] => {
                list.iter().filter(|&&third| third > first).for_each(|&third| look_at(third));
            }
            Scope::Through(..) | Scope::All => (first + 1..blocks).for_each(look_at),
        }
    }
    best
}

/// The best cycle of neurons of three blocks that gains more than `least`, and the first places that reach it.
fn best_rotation(ab: &PairGains, bc: &PairGains, ca: &PairGains, least: i32) -> Option<(i32, [usize; 3])> {
    let mut best = (least, None);
    for i in 0..4 {
        for j in 0..4 {
            for k in 0..4 {
                let gain = ab[4 * i + j] + bc[4 * j + k] + ca[4 * k + i];
                if gain > best.0 {
                    best = (gain, Some([i, j, k]));
                }
            }
        }
    }
    best.1.map(|places| (best.0, places))
}
