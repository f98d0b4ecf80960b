//! Many positions: accumulators reached from each other by the difference of their active rows, dense layers in the processor's widest
//! form, on all cores. Exact against the reference.
//!
//! A batch is worked off in two steps: the transformer's outputs of all samples (a sample is a position as one side sees it) in the order
//! of their kings, so that rows are shared; then the dense layers, stack by stack, so that a stack's weights stay in the cache while the
//! positions of a task pass. Two networks of the same features go together: what changes from sample to sample is found once.

use std::array::from_fn;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::Raw;
use super::dense::{DenseKernel, Fours, Packed, padded, with_room};
use super::reference::finish;
use crate::accumulator::{Clipped, EngineWeights, Follower, Kernel, Order, Products, Script, piece_square_sums, prefetch};
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::net::{ACTIVATION_MAX, Architecture, QuantizedNetwork};
use crate::positions::Position;

/// Samples that one task adds up: see the stage `gather`.
const SAMPLES_A_TASK: usize = 1024;
/// Positions of which one task runs the dense layers: their inputs stay in the cache beside a stack's weights.
const POSITIONS_A_TASK: usize = 64;
/// Transformer outputs that are kept between the two steps, in bytes.
const BYTES_A_BATCH: usize = if cfg!(test) { 1 << 14 } else { 16 << 20 };

/// What the engine takes of a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Evaluation {
    /// The layer stack and piece-square column that it takes.
    pub bucket: usize,
    /// What these give.
    pub raw: Raw,
}

/// Evaluates many positions of one network.
pub struct Evaluator<'a> {
    network: &'a QuantizedNetwork,
    held: EngineWeights<'a>,
    stacks: Vec<[Packed; 3]>,
    kernel: Kernel,
    dense: DenseKernel,
}

/// Which stacks are asked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// That which the engine takes.
    Own,
    All,
}

/// What the first step leaves of a batch: one network's outputs and piece-square sums of all samples, in the order's places.
#[derive(Default)]
struct Transformed {
    /// `[samples][outputs]`.
    outputs: Vec<u8>,
    /// `[samples][buckets]`.
    psqt: Vec<i32>,
}

/// What a thread needs to run the dense layers of a task's positions.
struct Scratch {
    /// The transformer's outputs of both sides, padded.
    inputs: Vec<u8>,
    fours: Vec<Fours>,
    /// What one stack makes of them: the sums of each layer.
    sums: Vec<i32>,
    raws: Vec<Raw>,
    /// Inputs of the second layer, padded, with room behind.
    hidden: Vec<u8>,
    /// Inputs of the output layer, padded, with room behind.
    last: Vec<u8>,
    /// All fours of these two.
    all: [Fours; 2],
}

/// Sums of the dense layers of a position in one stack, and what comes of them.
#[derive(PartialEq, Eq)]
struct Layers<'a> {
    first: &'a [i32],
    second: &'a [i32],
    raw: Raw,
}

impl<'a> Evaluator<'a> {
    /// Prepares `network`.
    ///
    /// # Errors
    /// When its scales let the transformer's outputs pass 127, which no engine's layers take.
    pub fn new(network: &'a QuantizedNetwork) -> Result<Self> {
        Self::with_kernels(network, Kernel::detect(), DenseKernel::detect())
    }

    fn with_kernels(network: &'a QuantizedNetwork, kernel: Kernel, dense: DenseKernel) -> Result<Self> {
        let architecture = &network.architecture;
        if largest_output(architecture) > ACTIVATION_MAX {
            return Err(Error::new(format!(
                "no engine evaluates {} with the quantization {}",
                architecture.generation.name, architecture.quantization.name
            )));
        }
        let stacks = network.stacks.iter().map(|stack| stack.layers.each_ref().map(Packed::of)).collect();
        Ok(Self { network, held: EngineWeights::of(network), stacks, kernel, dense })
    }

    /// What the engine takes of each position.
    ///
    /// # Errors
    /// On cancellation.
    pub fn evaluate(&self, positions: &[Position], ctx: &Ctx) -> Result<Vec<Evaluation>> {
        run([self], positions, Asked::Own, ctx, |_, bucket, [layers]| Evaluation { bucket, raw: layers.raw })
    }

    /// Every bucket of each position: `[positions][stacks]`.
    ///
    /// # Errors
    /// On cancellation.
    pub fn evaluate_buckets(&self, positions: &[Position], ctx: &Ctx) -> Result<Vec<Raw>> {
        run([self], positions, Asked::All, ctx, |_, _, [layers]| layers.raw)
    }

    /// The first step for a task's samples.
    fn transform(&self, script: &Script, outputs: &mut [u8], psqt: &mut [i32]) {
        let architecture = &self.network.architecture;
        let (scales, buckets) = (architecture.quantization, architecture.generation.psqt_buckets);
        let blocks = self.held.blocks();
        let weights = self.held.weights(&blocks);
        if architecture.generation.wiring.pairwise {
            self.kernel.run(script, weights, &mut Products::new(scales.zero_rule.clamp, scales.product_shift, outputs));
        } else {
            self.kernel.run(script, weights, &mut Clipped::new(scales.zero_rule.clamp, outputs));
        }
        if buckets > 0 {
            let piece_squares: Vec<&[i32]> = self.network.blocks.iter().map(|block| block.psqt.as_slice()).collect();
            piece_square_sums(script, &piece_squares, buckets, psqt);
        }
    }

    fn scratch(&self) -> Scratch {
        let [first, second, output] = self.network.architecture.dense_shapes().map(|(_, inputs)| padded(inputs));
        Scratch {
            inputs: vec![0; POSITIONS_A_TASK * first],
            fours: (0..POSITIONS_A_TASK).map(|_| Fours::default()).collect(),
            sums: vec![0; POSITIONS_A_TASK * self.rows().iter().sum::<usize>()],
            raws: vec![Raw::default(); POSITIONS_A_TASK],
            hidden: vec![0; with_room(second)],
            last: vec![0; with_room(output)],
            all: [second, output].map(Fours::all),
        }
    }

    /// The sums that a stack's layers give, those that only fill a register among them.
    fn rows(&self) -> [usize; 3] {
        from_fn(|layer| self.stacks.first().map_or(0, |stack| stack[layer].rows()))
    }

    /// Takes the inputs of a position, the `index`th of its task, to the scratch.
    fn take(&self, index: usize, sides: [&[u8]; 2], scratch: &mut Scratch) {
        let outputs = sides[0].len();
        let stride = padded(2 * outputs);
        let inputs = &mut scratch.inputs[index * stride..][..stride];
        inputs[..outputs].copy_from_slice(sides[0]);
        inputs[outputs..2 * outputs].copy_from_slice(sides[1]);
        self.dense.find(inputs, &mut scratch.fours[index]);
    }

    /// The dense layers of one stack for a position, the `index`th of its task.
    fn propagate(&self, index: usize, bucket: usize, psqt: [&[i32]; 2], scratch: &mut Scratch) {
        let architecture = &self.network.architecture;
        let wiring = &architecture.generation.wiring;
        let [first_shift, second_shift] = architecture.quantization.hidden_shifts;
        let [first, second, output] = &self.stacks[bucket];
        let Scratch { inputs, fours, sums, raws, hidden, last, all: [all_hidden, all_last] } = scratch;
        let inputs = &inputs[index * first.inputs()..][..first.inputs()];
        let rows = self.rows();
        let (l1, rest) = sums[index * rows.iter().sum::<usize>()..].split_at_mut(rows[0]);
        let (l2, rest) = rest.split_at_mut(rows[1]);
        let out = &mut rest[..rows[2]];
        self.dense.affine(first, inputs, &fours[index], l1);
        let size = if wiring.squared { 2 } else { 1 } * architecture.l2;
        self.dense.activate(l1, architecture.l2, wiring.squared, first_shift, hidden);
        self.dense.affine(second, &hidden[..second.inputs()], all_hidden, l2);
        let skip = if wiring.dense_output { size } else { 0 };
        last[..skip].copy_from_slice(&hidden[..skip]);
        self.dense.activate(l2, architecture.l3, wiring.dense_output, second_shift, &mut last[skip..]);
        self.dense.affine(output, &last[..output.inputs()], all_last, out);
        let [own, other] = psqt.map(|psqt| psqt.get(bucket).copied().unwrap_or(0));
        let positional = finish(architecture, &l1[..first.outputs()], out[0]);
        raws[index] = Raw { psqt: own.wrapping_sub(other) / 2, positional };
    }

    /// What [`Self::propagate`] found for a position.
    fn layers<'b>(&self, index: usize, scratch: &'b Scratch) -> Layers<'b> {
        let rows = self.rows();
        let (first, rest) = scratch.sums[index * rows.iter().sum::<usize>()..].split_at(rows[0]);
        Layers { first, second: &rest[..rows[1]], raw: scratch.raws[index] }
    }
}

/// What two networks make of the same positions.
pub(super) enum Both {
    /// All sums of each bucket of each position are the same; `psqt` and `positional` of these: `[positions][stacks]`.
    Equal(Vec<[i32; 2]>),
    /// Not those of this position, the first.
    Differ(usize),
}

/// Evaluates every bucket of each position with two networks that have the same features, dense layers of the same sizes, and as many
/// stacks; compares the piece-square sums, the sums of the hidden layers and the outputs.
///
/// # Errors
/// On cancellation.
pub(super) fn both(networks: [&Evaluator<'_>; 2], positions: &[Position], ctx: &Ctx) -> Result<Both> {
    let first = AtomicUsize::new(usize::MAX);
    let raws = run(networks, positions, Asked::All, ctx, |position, _, [a, b]| {
        if a != b {
            first.fetch_min(position, Ordering::Relaxed);
        }
        [a.raw.psqt, a.raw.positional]
    })?;
    Ok(match first.into_inner() {
        usize::MAX => Both::Equal(raws),
        position => Both::Differ(position),
    })
}

/// Gives what `work` makes of each position, by its number, and each stack that is asked: `[positions]` or `[positions][stacks]`. The
/// networks have the same features, and stacks of the same sizes.
fn run<const N: usize, T: Clone + Default + Send>(
    networks: [&Evaluator<'_>; N],
    positions: &[Position],
    asked: Asked,
    ctx: &Ctx,
    work: impl Fn(usize, usize, [Layers<'_>; N]) -> T + Sync,
) -> Result<Vec<T>> {
    let architecture = &networks[0].network.architecture;
    let (outputs, buckets, stacks) = (architecture.ft_outputs(), architecture.generation.psqt_buckets, networks[0].stacks.len());
    let width = if asked == Asked::All { stacks } else { 1 };
    let mut results = vec![T::default(); positions.len() * width];
    let positions_a_batch = (BYTES_A_BATCH / (2 * N * outputs).max(1)).max(POSITIONS_A_TASK);
    // Reused from batch to batch.
    let (mut order, mut transformed) = (Order::default(), networks.map(|_| Transformed::default()));
    ctx.progress().start("evaluate", Some(positions.len() as u64), "positions");
    let batches = positions.chunks(positions_a_batch).zip(results.chunks_mut((positions_a_batch * width).max(1)));
    for (number, (batch, results)) in batches.enumerate() {
        order.arrange(batch);
        accumulate(networks, batch, &order, &mut transformed, ctx)?;
        let tasks = batch.par_chunks(POSITIONS_A_TASK).zip(results.par_chunks_mut((POSITIONS_A_TASK * width).max(1))).enumerate();
        tasks.try_for_each_init(
            || networks.map(Evaluator::scratch),
            |scratch, (task, (positions, results))| {
                ctx.check()?;
                let first = task * POSITIONS_A_TASK;
                let places = &order.places()[2 * first..].as_chunks::<2>().0[..positions.len()];
                for (index, these) in places.iter().enumerate() {
                    for ((network, transformed), scratch) in networks.iter().zip(&transformed).zip(&mut *scratch) {
                        let sides = |places: [u32; 2]| places.map(|place| &transformed.outputs[place as usize * outputs..][..outputs]);
                        if let Some(next) = places.get(index + 1) {
                            sides(*next).into_iter().for_each(prefetch);
                        }
                        network.take(index, sides(*these), scratch);
                    }
                }
                let own: Vec<usize> = positions.iter().map(|position| architecture.bucket(position.piece_count())).collect();
                for bucket in 0..stacks {
                    let indices = || (0..positions.len()).filter(|index| asked == Asked::All || own[*index] == bucket);
                    for ((network, transformed), scratch) in networks.iter().zip(&transformed).zip(&mut *scratch) {
                        for index in indices() {
                            let psqt = places[index].map(|place| &transformed.psqt[place as usize * buckets..][..buckets]);
                            network.propagate(index, bucket, psqt, scratch);
                        }
                    }
                    for index in indices() {
                        let result = &mut results[if asked == Asked::All { index * stacks + bucket } else { index }];
                        let layers = from_fn(|which| networks[which].layers(index, &scratch[which]));
                        *result = work(number * positions_a_batch + first + index, bucket, layers);
                    }
                }
                ctx.progress().advance("evaluate", positions.len() as u64);
                Ok::<_, Error>(())
            },
        )?;
    }
    ctx.progress().finish("evaluate");
    Ok(results)
}

/// Samples of a task, and for each network where their outputs and piece-square sums go.
type Task<'a, const N: usize> = (&'a [u32], [(&'a mut [u8], &'a mut [i32]); N]);

/// The first step: outputs and piece-square sums of all samples of each network, in the order's places.
fn accumulate<const N: usize>(
    networks: [&Evaluator<'_>; N],
    batch: &[Position],
    order: &Order,
    transformed: &mut [Transformed; N],
    ctx: &Ctx,
) -> Result<()> {
    let architecture = &networks[0].network.architecture;
    let (outputs, buckets) = (architecture.ft_outputs(), architecture.generation.psqt_buckets);
    let samples = order.samples();
    for Transformed { outputs: values, psqt } in &mut *transformed {
        values.resize(samples.len() * outputs, 0);
        psqt.resize(samples.len() * buckets.max(1), 0);
    }
    let mut parts = transformed.each_mut().map(|Transformed { outputs: values, psqt }| {
        values.chunks_mut(SAMPLES_A_TASK * outputs).zip(psqt.chunks_mut(SAMPLES_A_TASK * buckets.max(1)))
    });
    let mut part = || from_fn(|which| parts[which].next().expect("as many as there are tasks"));
    let tasks: Vec<Task<'_, N>> = samples.chunks(SAMPLES_A_TASK).map(|samples| (samples, part())).collect();
    let features = networks[0].held.features();
    tasks.into_par_iter().try_for_each_init(
        || Follower::new(&features),
        |follower, (samples, parts)| {
            ctx.check()?;
            let script = follower.follow(batch, samples);
            for (network, (values, psqt)) in networks.iter().zip(parts) {
                network.transform(script, values, psqt);
            }
            Ok(())
        },
    )
}

/// The largest input that the first layer can get.
fn largest_output(architecture: &Architecture) -> i32 {
    let (clamp, shift) = (architecture.quantization.zero_rule.clamp, architecture.quantization.product_shift);
    if architecture.generation.wiring.pairwise { (clamp * clamp) >> shift } else { clamp }
}

#[cfg(test)]
mod tests;
