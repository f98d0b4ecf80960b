//! What every exchange of neurons between blocks would gain, kept current while neurons move.
//! Knows nothing of which exchanges are made.

use rayon::prelude::*;

use super::backend::OverlapCounter;
use crate::{ctx::Ctx, error::Result};

/// Gains of one ordered pair of blocks: entry `4 * i + j` is for neuron `i` of the first moving to place `j` of the second.
pub(super) type PairGains = [i32; 16];

/// The present order of the neurons and the gain of every neuron at every place.
///
/// A gain is the change in the number of zero blocks when a neuron replaces the one at a place of another block; an exchange gains the
/// sum over the neurons that move, since each place lies in a block of its own. So the counts of [`OverlapCounter`] tell every 2-swap
/// and 3-cycle, and a move makes only the rows of the touched blocks stale.
pub(super) struct Gains {
    half: usize,
    blocks: usize,
    perm: Vec<u32>,
    /// `counts[place * half + neuron]`, see [`OverlapCounter::overlap_counts`]; neurons by their number in the matrix.
    counts: Vec<u32>,
    /// `pairs[to * blocks + from]`; zeros where `from` is `to`.
    pairs: Vec<PairGains>,
    /// What changed in each block since the counts were made.
    stale: Vec<Stale>,
}

/// What of a block's counts and gains is out of date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stale {
    Nothing,
    /// All but the counts of this place, at which alone another neuron stands: they rest on the three others.
    AllBut(usize),
    All,
}

impl Stale {
    fn is_any(self) -> bool {
        self != Self::Nothing
    }

    /// Another neuron came to this place.
    fn changed(&mut self, place: usize) {
        *self = match *self {
            Self::Nothing => Self::AllBut(place),
            Self::AllBut(other) if other == place => Self::AllBut(place),
            Self::AllBut(_) | Self::All => Self::All,
        };
    }
}

impl Gains {
    /// In the order `perm`, a permutation of a multiple of 4 neurons.
    pub(super) fn new(perm: Vec<u32>) -> Self {
        let half = perm.len();
        let blocks = half / 4;
        Self { half, blocks, perm, counts: vec![0; half * half], pairs: vec![[0; 16]; blocks * blocks], stale: vec![Stale::All; blocks] }
    }

    pub(super) fn blocks(&self) -> usize {
        self.blocks
    }

    pub(super) fn into_perm(self) -> Vec<u32> {
        self.perm
    }

    /// Exchanges the neurons at two places.
    pub(super) fn swap(&mut self, i: usize, j: usize) {
        self.perm.swap(i, j);
        self.stale[i / 4].changed(i % 4);
        self.stale[j / 4].changed(j % 4);
    }

    /// Moves the neuron at `i` to `j`, that at `j` to `k`, and that at `k` to `i`.
    pub(super) fn rotate(&mut self, i: usize, j: usize, k: usize) {
        self.swap(i, j);
        self.swap(i, k);
    }

    /// Brings counts and gains up to date with the moves made. `counter` must always be of the same matrix.
    pub(super) fn refresh(&mut self, counter: &mut dyn OverlapCounter, ctx: &Ctx) -> Result<()> {
        let half = self.half;
        let stale: Vec<usize> = (0..self.blocks).filter(|&block| self.stale[block].is_any()).collect();
        if stale.is_empty() {
            return Ok(());
        }
        let neurons: Vec<[u32; 4]> = stale.iter().map(|&block| self.neurons(block)).collect();
        if stale.len() == self.blocks {
            counter.overlap_counts(&neurons, &mut self.counts, ctx)?;
        } else {
            let mut rows = vec![0; 4 * stale.len() * half];
            let known = |block: &usize| if let Stale::AllBut(place) = self.stale[*block] { Some(place) } else { None };
            let known: Vec<Option<usize>> = stale.iter().map(known).collect();
            counter.overlap_counts_but(&neurons, &known, &mut rows, ctx)?;
            for ((&block, known), rows) in stale.iter().zip(known).zip(rows.chunks_exact(4 * half)) {
                for (place, row) in rows.chunks_exact(half).enumerate().filter(|(place, _)| known != Some(*place)) {
                    self.counts[(4 * block + place) * half..][..half].copy_from_slice(row);
                }
            }
        }
        let Self { blocks, perm, counts, pairs, stale, .. } = self;
        pairs.par_chunks_mut(*blocks).enumerate().for_each(|(to, pairs)| {
            let rows: [&[u32]; 4] = std::array::from_fn(|j| &counts[(4 * to + j) * half..][..half]);
            let held: [u32; 4] = std::array::from_fn(|j| rows[j][perm[4 * to + j] as usize]);
            for (from, pair) in pairs.iter_mut().enumerate() {
                if from != to && (stale[from].is_any() || stale[to].is_any()) {
                    for i in 0..4 {
                        let neuron = perm[4 * from + i] as usize;
                        for j in 0..4 {
                            // Both are at most the number of samples, which is far below 2^31.
                            pair[4 * i + j] = rows[j][neuron].wrapping_sub(held[j]).cast_signed();
                        }
                    }
                }
            }
        });
        stale.fill(Stale::Nothing);
        Ok(())
    }

    /// Gains of moving neurons of block `from` to places of block `to`, as of the last [`refresh`](Self::refresh).
    pub(super) fn pair(&self, from: usize, to: usize) -> &PairGains {
        &self.pairs[to * self.blocks + from]
    }

    fn neurons(&self, block: usize) -> [u32; 4] {
        std::array::from_fn(|k| self.perm[4 * block + k])
    }
}
