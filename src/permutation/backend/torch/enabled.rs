//! A build with libtorch. Counts are products of matrices of zeros and ones in `f32`, over so few samples at a time that every sum is below
//! 2^24 and so exact, whatever the order in which a device adds; ranges of samples are added in 64-bit integers.

use tch::{Cuda, Device, Kind, TchError, Tensor};

use crate::{
    ctx::Ctx,
    error::{Error, Result},
    permutation::{ActivationMatrix, OverlapCounter, SearchBackend, kernel::LANE},
};

/// Bytes of one range of samples of all neurons as `f32`; a few of that size live at a time.
const RANGE_BYTES: usize = 128 << 20;
/// Words of a range, at most: 2^23 samples.
const MAX_WORDS: usize = 1 << 17;

/// CUDA where libtorch has it, or else libtorch on the processor.
#[expect(clippy::unnecessary_wraps, reason = "the signature of a build without libtorch")]
pub(in super::super) fn find() -> Result<Box<dyn SearchBackend>> {
    let device = if Cuda::is_available() { Device::Cuda(0) } else { Device::Cpu };
    Ok(Box::new(Torch { device }))
}

struct Torch {
    device: Device,
}

fn failed(cause: impl std::fmt::Display) -> Error {
    Error::new("cannot count with libtorch").because(cause).help("`--backend cpu` gives the same result without it")
}

impl SearchBackend for Torch {
    fn name(&self) -> &'static str {
        "torch"
    }

    fn device(&self) -> String {
        match self.device {
            Device::Cuda(number) => format!("libtorch, CUDA device {number}"),
            _ => "libtorch, processor".into(),
        }
    }

    fn is_accelerator(&self) -> bool {
        self.device.is_cuda()
    }

    fn prepare<'a>(&'a self, matrix: &'a ActivationMatrix) -> Result<Box<dyn OverlapCounter + 'a>> {
        let words = RANGE_BYTES / (matrix.half() * 64 * size_of::<f32>()) / LANE * LANE;
        Ok(Box::new(Counter { device: self.device, matrix, words: words.clamp(LANE, MAX_WORDS) }))
    }
}

struct Counter<'a> {
    device: Device,
    matrix: &'a ActivationMatrix,
    /// Words of a range of samples.
    words: usize,
}

impl OverlapCounter for Counter<'_> {
    fn overlap_counts(&mut self, blocks: &[[u32; 4]], counts: &mut [u32], ctx: &Ctx) -> Result<()> {
        // The masks of a pass are no larger than the columns.
        let pass = self.matrix.half() / 4;
        for (blocks, counts) in blocks.chunks(pass).zip(counts.chunks_mut(4 * pass * self.matrix.half())) {
            self.count(blocks, counts, ctx)?;
        }
        Ok(())
    }
}

impl Counter<'_> {
    fn count(&self, blocks: &[[u32; 4]], counts: &mut [u32], ctx: &Ctx) -> Result<()> {
        let neurons: Vec<i64> = blocks.as_flattened().iter().map(|&neuron| neuron.into()).collect();
        let neurons = Tensor::f_from_slice(&neurons).and_then(|tensor| tensor.f_to_device(self.device)).map_err(failed)?;
        let mut sums = None;
        for first in (0..self.matrix.words_per_column()).step_by(self.words) {
            ctx.check()?;
            let product = self.product(&neurons, first).map_err(failed)?;
            sums = Some(match sums {
                None => product,
                Some(mut sums) => Tensor::f_add_(&mut sums, &product).map_err(failed)?,
            });
        }
        if let Some(sums) = sums {
            let mut wide = vec![0i64; counts.len()];
            sums.f_to_device(Device::Cpu)
                .and_then(|sums| sums.f_contiguous())
                .and_then(|sums| sums.f_copy_data(&mut wide, counts.len()))
                .map_err(failed)?;
            for (count, wide) in counts.iter_mut().zip(wide) {
                *count = u32::try_from(wide).map_err(|_| failed(format!("it counted {wide} samples")))?;
            }
        }
        Ok(())
    }

    /// The counts of one range of samples, (4 * blocks, half), `i64`.
    fn product(&self, neurons: &Tensor, first: usize) -> Result<Tensor, TchError> {
        let columns = self.columns(first)?;
        let samples = columns.size()[1];
        let held = columns.f_index_select(0, neurons)?.f_view([-1, 4, samples])?;
        let [a, b, c, d] = [held.f_select(1, 0)?, held.f_select(1, 1)?, held.f_select(1, 2)?, held.f_select(1, 3)?];
        let (ab, cd) = (a.f_mul(&b)?, c.f_mul(&d)?);
        let masks = Tensor::f_stack(&[b.f_mul(&cd)?, a.f_mul(&cd)?, ab.f_mul(&d)?, ab.f_mul(&c)?], 1)?.f_view([-1, samples])?;
        masks.f_matmul(&columns.f_transpose(0, 1)?)?.f_to_kind(Kind::Int64)
    }

    /// One range of samples of all neurons, (half, samples), `f32`. The order of samples in it does not matter.
    fn columns(&self, first: usize) -> Result<Tensor, TchError> {
        let half = self.matrix.half();
        let words = self.words.min(self.matrix.words_per_column() - first);
        let mut packed: Vec<u8> = Vec::with_capacity(half * words * 8);
        for neuron in 0..half {
            packed.extend_from_slice(bytemuck::cast_slice(&self.matrix.column(neuron)[first..first + words]));
        }
        let shifts = Tensor::f_from_slice(&[0u8, 1, 2, 3, 4, 5, 6, 7])?.f_to_device(self.device)?;
        Tensor::f_from_data_size(&packed, &[half as i64, (words * 8) as i64, 1], Kind::Uint8)?
            .f_to_device(self.device)?
            .f_bitwise_right_shift(&shifts)?
            .f_bitwise_and(1)?
            .f_to_kind(Kind::Float)?
            .f_view([half as i64, (words * 64) as i64])
    }
}
