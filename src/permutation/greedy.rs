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
    kernel::{ABOVE, Kernel},
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
    let (blocks, kernel) = (gains.blocks(), Kernel::best());
    let mut best = known;
    for second in first + 1..blocks {
        let thirds = Thirds {
            gains,
            kernel,
            blocks: [first, second],
            there: bounds.from[first * blocks + second],
            onward: &bounds.from[second * blocks..][..blocks],
            back: &bounds.to[first * blocks..][..blocks],
            ends_there: bounds.ends_from[first * blocks + second],
            ends_onward: &bounds.ends_from[second * blocks..][..blocks],
            ends_back: &bounds.ends_to[first * blocks..][..blocks],
        };
        match scope {
            Scope::Unused(used) if used[second] => {}
            Scope::Unused(used) => thirds.look_at_all(|third| !used[third], &mut best),
            Scope::Through(marked, list) if !marked[second] => {
                for list in list[list.partition_point(|third| *third <= first)..].chunks(ABOVE) {
                    let so_far = best;
                    thirds.look_at(list.iter().copied().filter(|third| thirds.is_near(*third, so_far)), &mut best);
                }
            }
            Scope::Through(..) | Scope::All => thirds.look_at_all(|_| true, &mut best),
        }
    }
    best
}

/// Two blocks, and all that is known of the ways on from the second and back to the first.
///
/// Thirds are looked at by dozens: the coarse bound of all of them at once, the finer ones of those that are left, and of the few that
/// pass these the gains, which lie far apart and are asked for some time before they are needed.
struct Thirds<'a> {
    gains: &'a Gains,
    kernel: Kernel,
    blocks: [usize; 2],
    /// The most that a neuron gains on its way from the first to the second; from there to each; from each to the first.
    there: i32,
    onward: &'a [i32],
    back: &'a [i32],
    ends_there: Ends,
    ends_onward: &'a [Ends],
    ends_back: &'a [Ends],
}

impl Thirds<'_> {
    /// What a cycle has to gain more than, to be better than `best`. Never falls from one third to the next.
    fn least(&self, third: usize, best: Option<Cycle>) -> i32 {
        match best {
            Some(Cycle { gain, places: [_, j, k] }) if (self.blocks[1], third) < (j / 4, k / 4) => gain - 1,
            Some(Cycle { gain, .. }) => gain,
            None => 0,
        }
    }

    /// Whether the coarse bound leaves the cycle a chance.
    fn is_near(&self, third: usize, best: Option<Cycle>) -> bool {
        third != self.blocks[1] && self.there + self.onward[third] + self.back[third] > self.least(third, best)
    }

    /// Whether the finer bounds do, one for each joint of the cycle.
    fn is_nearer(&self, third: usize, best: Option<Cycle>) -> bool {
        let (onward, back, least) = (&self.ends_onward[third], &self.ends_back[third], self.least(third, best));
        self.ends_there.through(onward) + self.back[third] > least
            && onward.through(back) + self.there > least
            && back.through(&self.ends_there) + self.onward[third] > least
    }

    /// Puts the best of the cycles through a wanted third into `best`, if that is not better.
    fn look_at_all(&self, is_wanted: impl Fn(usize) -> bool, best: &mut Option<Cycle>) {
        for begin in (self.blocks[0] + 1..self.onward.len()).step_by(ABOVE) {
            let chunk = begin..self.onward.len().min(begin + ABOVE);
            let least = self.least(begin, *best) - self.there;
            let mut near = self.kernel.above(&self.onward[chunk.clone()], &self.back[chunk], least);
            let thirds = std::iter::from_fn(|| {
                let next = (near != 0).then(|| begin + near.trailing_zeros() as usize);
                near &= near.wrapping_sub(1);
                next
            });
            self.look_at(thirds.filter(|third| *third != self.blocks[1] && is_wanted(*third)), best);
        }
    }

    /// The same for at most [`ABOVE`] thirds, all near, in ascending order.
    fn look_at(&self, thirds: impl Iterator<Item = usize>, best: &mut Option<Cycle>) {
        let (mut hopeful, mut count) = ([0; ABOVE], 0);
        let [first, second] = self.blocks;
        for third in thirds {
            if self.is_nearer(third, *best) {
                self.kernel.prefetch(self.gains.pair(second, third));
                hopeful[count] = third;
                count += 1;
            }
        }
        let ab = self.gains.pair(first, second);
        for &third in &hopeful[..count] {
            let (bc, ca) = (self.gains.pair(second, third), self.gains.pair(third, first));
            if let Some((gain, [i, j, k])) = self.kernel.best_rotation(ab, bc, ca, self.least(third, *best)) {
                *best = Some(Cycle { gain, places: [4 * first + i, 4 * second + j, 4 * third + k] });
            }
        }
    }
}
