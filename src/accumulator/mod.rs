//! Accumulators of many positions: in which order, by which differences of active rows, and the sums in the processor's widest form.
//!
//! What is made of the sums is the user's: the stage `gather` keeps which outputs are zero, `evaluate` the outputs themselves. Sums wrap in
//! 16 bits as engines' do, so any order of additions gives the same.

mod kernel;
mod script;

pub(crate) use kernel::{Clipped, Kernel, Products, Weights, Zeros, prefetch};
pub(crate) use script::{Script, piece_square_sums};

use crate::net::{BlockWeights, FtBlock, QuantizedNetwork};
use crate::positions::{Color, Features, Position};

/// A network's transformer as engines hold it.
pub(crate) struct EngineWeights<'a> {
    network: &'a QuantizedNetwork,
    narrowed: Vec<Option<BlockWeights>>,
}

impl<'a> EngineWeights<'a> {
    /// Of `network`.
    pub(crate) fn of(network: &'a QuantizedNetwork) -> Self {
        Self { network, narrowed: network.blocks.iter().map(engine_weights).collect() }
    }

    /// The weights of each block.
    pub(crate) fn blocks(&self) -> Vec<&BlockWeights> {
        let blocks = self.network.blocks.iter().zip(&self.narrowed);
        blocks.map(|(block, narrowed)| narrowed.as_ref().unwrap_or(&block.weights)).collect()
    }

    /// The features of each block.
    pub(crate) fn features(&self) -> Vec<&dyn Features> {
        self.network.blocks.iter().map(|block| &block.block as &dyn Features).collect()
    }

    /// What the kernel adds up.
    pub(crate) fn weights<'b>(&'b self, blocks: &'b [&'b BlockWeights]) -> Weights<'b> {
        Weights { bias: &self.network.ft_bias, blocks }
    }
}

/// Engines of SFNNv10a keep the low byte of the threat weights, which its files store in 16 bits.
fn engine_weights(block: &FtBlock) -> Option<BlockWeights> {
    match &block.weights {
        BlockWeights::I16(weights) if block.block.is_narrow() => {
            Some(BlockWeights::I8(weights.iter().map(|weight| *weight as i8).collect()))
        }
        _ => None,
    }
}

/// In which order the samples of a batch are worked off. Changes the time only.
#[derive(Default)]
pub(crate) struct Order {
    /// Sample numbers within the batch: `2 * position`, plus 1 for the side that does not move.
    samples: Vec<u32>,
    /// Where in `samples` each sample is.
    places: Vec<u32>,
}

impl Order {
    const KEYS: usize = 128;

    /// Sample numbers within the batch: `2 * position`, plus 1 for the side that does not move.
    pub(crate) fn samples(&self) -> &[u32] {
        &self.samples
    }

    /// Where in [`Self::samples`] each sample is.
    pub(crate) fn places(&self) -> &[u32] {
        &self.places
    }

    /// By the own king's square as that side sees it, files mirrored to e to h first, then by which mirroring and colour it was; otherwise
    /// as they came.
    pub(crate) fn arrange(&mut self, positions: &[Position]) {
        let key = |position: &Position, side: usize| {
            let mover = position.side_to_move();
            let color = if side == 0 { mover } else { mover.opponent() };
            let king = (position.king_square(color) & 63) ^ if color == Color::Black { 56 } else { 0 };
            let left = usize::from(king & 4 == 0);
            (king >> 3) << 4 | ((king ^ (7 * left)) & 3) << 2 | left << 1 | color as usize
        };
        let keys = || positions.iter().flat_map(|position| [key(position, 0), key(position, 1)]);
        let mut next = [0u32; Self::KEYS];
        keys().for_each(|key| next[key] += 1);
        let mut start = 0;
        for count in &mut next {
            start += std::mem::replace(count, start);
        }
        self.samples.resize(2 * positions.len(), 0);
        self.places.clear();
        self.places.extend(keys().zip(0..).map(|(key, sample)| {
            let place = next[key];
            next[key] += 1;
            self.samples[place as usize] = sample;
            place
        }));
    }
}

/// Finds what leads from sample to sample. Knows which rows are active, not what is in them.
pub(crate) struct Follower<'a> {
    blocks: Vec<Active<'a>>,
    script: Script,
}

/// The active rows of one block.
struct Active<'a> {
    block: &'a dyn Features,
    /// Of the present sample.
    rows: Vec<u32>,
    /// Of the sample before.
    before: Vec<u32>,
    /// For each row of the block whether it is in `before`. A byte each: what is written to one does not hold up those beside it.
    is_before: Vec<bool>,
    added: Vec<u32>,
    removed: Vec<u32>,
}

impl<'a> Follower<'a> {
    /// Over `blocks`.
    pub(crate) fn new(blocks: &[&'a dyn Features]) -> Self {
        let active = |block: &&'a dyn Features| Active {
            block: *block,
            rows: Vec::new(),
            before: Vec::new(),
            is_before: vec![false; block.rows()],
            added: Vec::new(),
            removed: Vec::new(),
        };
        Self { blocks: blocks.iter().map(active).collect(), script: Script::default() }
    }

    /// Writes the script of `samples` (see [`Order::samples`]). Its first step is a fresh one.
    pub(crate) fn follow(&mut self, positions: &[Position], samples: &[u32]) -> &Script {
        self.script.clear();
        for (step, &sample) in samples.iter().enumerate() {
            let position = &positions[sample as usize / 2];
            let mover = position.side_to_move();
            let color = if sample % 2 == 0 { mover } else { mover.opponent() };
            let (mut all, mut changed) = (0, 0);
            for block in &mut self.blocks {
                block.advance(position, color);
                all += block.rows.len();
                changed += block.added.len() + block.removed.len();
            }
            let fresh = step == 0 || changed >= all;
            self.script.step(fresh);
            for block in &self.blocks {
                if fresh {
                    self.script.block(&block.rows, &[]);
                } else {
                    self.script.block(&block.added, &block.removed);
                }
            }
        }
        &self.script
    }
}

impl Active<'_> {
    /// Goes on to the next sample.
    fn advance(&mut self, position: &Position, color: Color) {
        std::mem::swap(&mut self.rows, &mut self.before);
        self.rows.clear();
        self.block.active(position, color, &mut self.rows);
        // What is in both is no longer marked, so that the others are left. Which rows these are nobody can guess: each is written down, and
        // only those that count are kept.
        self.added.resize(self.rows.len(), 0);
        let mut count = 0;
        for &row in &self.rows {
            self.added[count] = row;
            count += usize::from(!std::mem::take(&mut self.is_before[row as usize]));
        }
        self.added.truncate(count);
        self.removed.resize(self.before.len(), 0);
        count = 0;
        for &row in &self.before {
            self.removed[count] = row;
            count += usize::from(std::mem::take(&mut self.is_before[row as usize]));
        }
        self.removed.truncate(count);
        for &row in &self.rows {
            self.is_before[row as usize] = true;
        }
    }
}

#[cfg(test)]
mod tests;
