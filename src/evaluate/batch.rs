//! Many positions: accumulators reached from each other by the difference of their active rows, dense layers in the processor's widest
//! form, on all cores. Exact against the reference.
//!
//! A batch is worked off in two steps: the transformer's outputs of all samples (a sample is a position as one side sees it) in the order
//! of their kings, so that rows are shared; then the dense layers, position by position.

use rayon::prelude::*;

use super::Raw;
use super::dense::{DenseKernel, Packed, padded};
use super::reference::{clip, finish};
use crate::accumulator::{Clipped, EngineWeights, Follower, Kernel, Order, Products, piece_square_sums};
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::net::{ACTIVATION_MAX, Architecture, QuantizedNetwork};
use crate::positions::Position;

/// Samples that one task adds up: see the stage `gather`.
const SAMPLES_A_TASK: usize = 1024;
/// Positions of which one task runs the dense layers.
const POSITIONS_A_TASK: usize = 256;
/// Transformer outputs that are kept between the two steps, in bytes.
const BYTES_A_BATCH: usize = 16 << 20;

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

/// What a thread needs to run the dense layers.
struct Scratch {
    /// The transformer's outputs of both sides, padded.
    transformed: Vec<u8>,
    /// Inputs of the second layer, padded.
    hidden: Vec<u8>,
    /// Inputs of the output layer, padded.
    last: Vec<u8>,
    /// Sums of each layer.
    sums: [Vec<i32>; 3],
}

/// What the first step left of a position.
struct Sums<'a> {
    psqt: [&'a [i32]; 2],
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
        self.for_each(positions, 1, ctx, |position, sums, scratch, out: &mut [Evaluation]| {
            let bucket = self.network.architecture.bucket(position.piece_count());
            out[0] = Evaluation { bucket, raw: self.propagate(bucket, sums, scratch) };
        })
    }

    /// Every bucket of each position: `[positions][stacks]`.
    ///
    /// # Errors
    /// On cancellation.
    pub fn evaluate_buckets(&self, positions: &[Position], ctx: &Ctx) -> Result<Vec<Raw>> {
        self.for_each(positions, self.stacks.len(), ctx, |_, sums, scratch, out: &mut [Raw]| {
            out.iter_mut().enumerate().for_each(|(bucket, out)| *out = self.propagate(bucket, sums, scratch));
        })
    }

    /// How many integers [`Self::sums`] gives of each bucket.
    pub(super) fn sums_a_bucket(&self) -> usize {
        let [(first, _), (second, _), _] = self.network.architecture.dense_shapes();
        2 + first + second
    }

    /// All sums of each bucket of each position, in the order piece squares, first layer, second layer, positional:
    /// `[positions][stacks][sums]`.
    pub(super) fn sums(&self, positions: &[Position], ctx: &Ctx) -> Result<Vec<i32>> {
        let width = self.sums_a_bucket();
        self.for_each(positions, self.stacks.len() * width, ctx, |_, sums, scratch, out: &mut [i32]| {
            for (bucket, out) in out.chunks_exact_mut(width).enumerate() {
                let raw = self.propagate(bucket, sums, scratch);
                let [first, second, _] = &self.stacks[bucket];
                let (l1, rest) = out[1..].split_at_mut(first.outputs());
                let (l2, _) = rest.split_at_mut(second.outputs());
                l1.copy_from_slice(&scratch.sums[0][..first.outputs()]);
                l2.copy_from_slice(&scratch.sums[1][..second.outputs()]);
                (out[0], out[width - 1]) = (raw.psqt, raw.positional);
            }
        })
    }

    /// Runs `work` for each position, with the inputs of the first layer in the scratch and `width` values to fill.
    fn for_each<T: Clone + Default + Send>(
        &self,
        positions: &[Position],
        width: usize,
        ctx: &Ctx,
        work: impl Fn(&Position, &Sums<'_>, &mut Scratch, &mut [T]) + Sync,
    ) -> Result<Vec<T>> {
        let architecture = &self.network.architecture;
        let (outputs, buckets) = (architecture.ft_outputs(), architecture.generation.psqt_buckets);
        let mut results = vec![T::default(); positions.len() * width];
        let positions_a_batch = (BYTES_A_BATCH / (2 * outputs).max(1)).max(POSITIONS_A_TASK);
        // Reused from batch to batch.
        let (mut order, mut transformed, mut psqt) = (Order::default(), Vec::new(), Vec::new());
        ctx.progress().start("evaluate", Some(positions.len() as u64), "positions");
        for (batch, results) in positions.chunks(positions_a_batch).zip(results.chunks_mut((positions_a_batch * width).max(1))) {
            order.arrange(batch);
            transformed.resize(2 * batch.len() * outputs, 0u8);
            psqt.resize(2 * batch.len() * buckets.max(1), 0i32);
            self.accumulate(batch, &order, &mut transformed, &mut psqt, ctx)?;
            let tasks = batch.par_chunks(POSITIONS_A_TASK).zip(results.par_chunks_mut((POSITIONS_A_TASK * width).max(1))).enumerate();
            tasks.try_for_each_init(
                || self.scratch(),
                |scratch, (task, (positions, results))| {
                    ctx.check()?;
                    let places = order.places()[2 * task * POSITIONS_A_TASK..].as_chunks::<2>().0;
                    for ((position, places), result) in positions.iter().zip(places).zip(results.chunks_mut(width.max(1))) {
                        let [own, other] = places.map(|place| place as usize);
                        scratch.transformed[..outputs].copy_from_slice(&transformed[own * outputs..][..outputs]);
                        scratch.transformed[outputs..2 * outputs].copy_from_slice(&transformed[other * outputs..][..outputs]);
                        let psqt = [own, other].map(|place| &psqt[place * buckets..][..buckets]);
                        work(position, &Sums { psqt }, scratch, result);
                    }
                    ctx.progress().advance("evaluate", positions.len() as u64);
                    Ok::<_, Error>(())
                },
            )?;
        }
        ctx.progress().finish("evaluate");
        Ok(results)
    }

    /// The first step: outputs and piece-square sums of all samples, in the order's places.
    fn accumulate(&self, batch: &[Position], order: &Order, transformed: &mut [u8], psqt: &mut [i32], ctx: &Ctx) -> Result<()> {
        let architecture = &self.network.architecture;
        let (outputs, buckets) = (architecture.ft_outputs(), architecture.generation.psqt_buckets);
        let scales = architecture.quantization;
        let blocks = self.held.blocks();
        let (features, weights) = (self.held.features(), self.held.weights(&blocks));
        let piece_squares: Vec<&[i32]> = self.network.blocks.iter().map(|block| block.psqt.as_slice()).collect();
        let out = transformed.par_chunks_mut(SAMPLES_A_TASK * outputs).zip(psqt.par_chunks_mut(SAMPLES_A_TASK * buckets.max(1)));
        order.samples().par_chunks(SAMPLES_A_TASK).zip(out).try_for_each_init(
            || Follower::new(&features),
            |follower, (samples, (transformed, psqt))| {
                ctx.check()?;
                let script = follower.follow(batch, samples);
                if architecture.generation.wiring.pairwise {
                    self.kernel.run(script, weights, &mut Products::new(scales.zero_rule.clamp, scales.product_shift, transformed));
                } else {
                    self.kernel.run(script, weights, &mut Clipped::new(scales.zero_rule.clamp, transformed));
                }
                if buckets > 0 {
                    piece_square_sums(script, &piece_squares, buckets, psqt);
                }
                Ok(())
            },
        )
    }

    fn scratch(&self) -> Scratch {
        let shapes = self.network.architecture.dense_shapes();
        let [transformed, hidden, last] = shapes.map(|(_, inputs)| vec![0u8; padded(inputs)]);
        let rows = |layer: usize| self.stacks.first().map_or(0, |stack| stack[layer].rows());
        Scratch { transformed, hidden, last, sums: [0, 1, 2].map(|layer| vec![0i32; rows(layer)]) }
    }

    /// The dense layers of one stack.
    fn propagate(&self, bucket: usize, sums: &Sums<'_>, scratch: &mut Scratch) -> Raw {
        let architecture = &self.network.architecture;
        let wiring = &architecture.generation.wiring;
        let [first_shift, second_shift] = architecture.quantization.hidden_shifts;
        let [first, second, output] = &self.stacks[bucket];
        let Scratch { transformed, hidden, last, sums: [l1, l2, out] } = scratch;
        self.dense.affine(first, transformed, l1);
        let size = activate(&l1[..architecture.l2], wiring.squared, first_shift, hidden);
        self.dense.affine(second, hidden, l2);
        let skip = if wiring.dense_output { size } else { 0 };
        last[..skip].copy_from_slice(&hidden[..skip]);
        activate(&l2[..architecture.l3], wiring.dense_output, second_shift, &mut last[skip..]);
        self.dense.affine(output, last, out);
        let [own, other] = sums.psqt.map(|psqt| psqt.get(bucket).copied().unwrap_or(0));
        Raw { psqt: own.wrapping_sub(other) / 2, positional: finish(architecture, &l1[..first.outputs()], out[0]) }
    }
}

/// The largest input that the first layer can get.
fn largest_output(architecture: &Architecture) -> i32 {
    let (clamp, shift) = (architecture.quantization.zero_rule.clamp, architecture.quantization.product_shift);
    if architecture.generation.wiring.pairwise { (clamp * clamp) >> shift } else { clamp }
}

/// Writes the squares of the sums, where they are wanted, then the clipped sums; returns how many values these are.
fn activate(sums: &[i32], squared: bool, shift: u32, out: &mut [u8]) -> usize {
    let mut clipped = out;
    if squared {
        let squares;
        (squares, clipped) = clipped.split_at_mut(sums.len());
        squares.iter_mut().zip(sums).for_each(|(out, sum)| *out = square(*sum, shift));
    }
    clipped.iter_mut().zip(sums).for_each(|(out, sum)| *out = clip(*sum, shift));
    sums.len() * if squared { 2 } else { 1 }
}

/// As the reference's square, in 32 bits: what is cut off would be clipped to 127 anyway.
fn square(sum: i32, shift: u32) -> u8 {
    let size = sum.unsigned_abs().min(128 << shift);
    ((size * size) >> (2 * shift + 7)).min(ACTIVATION_MAX as u32) as u8
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{reference, trace};
    use super::*;
    use crate::net::{Permutation, generation_names, random_network};
    use crate::positions::generate;

    #[test]
    fn squares_in_32_bits_are_those_in_64() {
        let mut random = crate::random::SplitMix::new(4);
        let sums = (0..100_000).map(|_| random.next_u64() as i32 >> (random.next_u64() % 32)).chain([i32::MIN, i32::MAX, 0]);
        let near = (-20_000..20_000).chain(sums);
        for sum in near {
            for shift in [6, 7] {
                assert_eq!(square(sum, shift), reference::square(sum, shift), "{sum} {shift}");
            }
        }
    }

    fn expected(network: &QuantizedNetwork, positions: &[Position]) -> Vec<Raw> {
        positions.iter().flat_map(|position| trace(network, position).buckets).map(|bucket| bucket.raw).collect()
    }

    /// Every generation, every variant, weights that wrap around.
    #[test]
    fn all_variants_agree_with_the_reference() {
        let positions = generate(3, 70);
        for (name, l1) in generation_names().into_iter().zip([32, 64, 136, 128].into_iter().cycle()) {
            let mut network = random_network(name, l1, 7);
            network.ft_bias.iter_mut().step_by(3).for_each(|bias| *bias = bias.wrapping_mul(901));
            let expected = expected(&network, &positions);
            for kernel in Kernel::available() {
                for dense in DenseKernel::available() {
                    let evaluator = Evaluator::with_kernels(&network, kernel, dense).unwrap();
                    let found = evaluator.evaluate_buckets(&positions, &Ctx::silent()).unwrap();
                    assert!(found == expected, "{name} {kernel:?} {dense:?}");
                }
            }
        }
    }

    #[test]
    fn batches_join_and_the_engines_bucket_is_taken() {
        let network = random_network("SFNNv3", 2, 5);
        let few = generate(9, 500);
        let many: Vec<Position> = few.iter().copied().cycle().take(BYTES_A_BATCH / 4 + 777).collect();
        let found = Evaluator::new(&network).unwrap().evaluate(&many, &Ctx::silent()).unwrap();
        for (index, found) in found.iter().enumerate().filter(|(index, _)| index % 997 == 0 || *index > BYTES_A_BATCH / 4) {
            let trace = trace(&network, &few[index % 500]);
            assert_eq!((found.bucket, found.raw), (trace.bucket, trace.buckets[trace.bucket].raw));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        /// Random nets, positions and permutations.
        #[test]
        fn permuted_nets_evaluate_alike(seed in any::<u64>(), which in 0usize..21, size in 1usize..80) {
            let mut network = random_network(generation_names()[which], 2 * size, seed);
            let positions = generate(seed, 12);
            let before = expected(&network, &positions);
            prop_assert_eq!(&Evaluator::new(&network).unwrap().evaluate_buckets(&positions, &Ctx::silent()).unwrap(), &before);
            if network.architecture.generation.wiring.pairwise {
                let mut order: Vec<u32> = (0..size as u32).collect();
                let mut random = crate::random::SplitMix::new(seed);
                for at in (1..size).rev() {
                    order.swap(at, (random.next_u64() % (at as u64 + 1)) as usize);
                }
                let order = Permutation::try_from(order.as_slice()).unwrap();
                network.permute(order.as_slice());
                prop_assert_eq!(&Evaluator::new(&network).unwrap().evaluate_buckets(&positions, &Ctx::silent()).unwrap(), &before);
            }
        }
    }
}
