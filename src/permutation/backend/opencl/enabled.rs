//! A build with OpenCL. The library is opened at run time; each way in which it can be absent is an error that says what to install.
//!
//! The matrix lies on the device as a whole where it fits the budget; else words of all columns are sent, a range at a time, for each count.
//! `unsafe` is that of the OpenCL calls: sizes are those that the buffers were made with, and calls that read or write memory of this
//! process block until they are done.
#![allow(unsafe_code, reason = "OpenCL is a C interface")]

use std::ptr;

use opencl3::{
    command_queue::CommandQueue,
    context::Context,
    device::{CL_DEVICE_TYPE_ALL, CL_DEVICE_TYPE_CPU, CL_DEVICE_TYPE_GPU, Device},
    error_codes::ClError,
    kernel::{ExecuteKernel, Kernel},
    memory::{Buffer, CL_MEM_READ_ONLY, CL_MEM_READ_WRITE, ClMem},
    platform::get_platforms,
    program::Program,
    types::{CL_BLOCKING, cl_device_type, cl_uint, cl_ulong},
};

use crate::{
    ctx::Ctx,
    error::{Error, Result},
    permutation::{ActivationMatrix, OverlapCounter, SearchBackend, kernel::LANE},
};

const SOURCE: &str = include_str!("overlap_counts.cl");
const NAME: &str = "overlap_counts";
/// As in the source: side of a group, and places and neurons that it does.
const SIDE: usize = 16;
const WIDE: usize = 64;
const LOCAL_BYTES: usize = WIDE * (16 + 1) * 8;
/// Words that one launch may combine, so that a display stays alive and Ctrl-C is heard.
const LAUNCH: usize = 1 << 33;

/// The first GPU, or else the first other device that can run the kernel.
pub(in super::super) fn find() -> Result<Box<dyn SearchBackend>> {
    Ok(Box::new(OpenCl::new(None)?))
}

/// As [`find`], using at most `bytes` of the device's memory.
#[cfg(test)]
pub(in super::super) fn find_with_budget(bytes: usize) -> Result<Box<dyn SearchBackend>> {
    Ok(Box::new(OpenCl::new(Some(bytes))?))
}

struct OpenCl {
    device: Device,
    context: Context,
    program: Program,
    /// Bytes of the device that may be used.
    budget: usize,
}

impl OpenCl {
    fn new(budget: Option<usize>) -> Result<Self> {
        let mut devices = devices()?;
        let rank = |kind: cl_device_type| match kind {
            kind if kind & CL_DEVICE_TYPE_GPU != 0 => 0,
            kind if kind & CL_DEVICE_TYPE_CPU != 0 => 2,
            _ => 1,
        };
        devices.retain(is_usable);
        devices.sort_by_key(|device| device.dev_type().map_or(3, rank));
        let Some(device) = devices.into_iter().next() else {
            return Err(Error::new("there is no OpenCL device that can run the search")
                .because("a little-endian device with a compiler and work groups of 256 is needed")
                .help("install the driver of a GPU, or use `--backend cpu`"));
        };
        let context = Context::from_device(&device).map_err(failed("use the OpenCL device"))?;
        let program = Program::create_and_build_from_source(&context, SOURCE, "")
            .map_err(|log| device_error("compile the kernel for the OpenCL device", log.trim()))?;
        let query = |size: Result<cl_ulong, ClError>| size.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        let memory = query(device.global_mem_size()).map_err(failed("ask the OpenCL device for its memory"))?;
        let largest = query(device.max_mem_alloc_size()).map_err(failed("ask the OpenCL device for its memory"))?;
        // One buffer may be no larger than `largest`, and other programs want some of the rest.
        let budget = budget.unwrap_or_else(|| largest.min(memory / 2));
        Ok(Self { device, context, program, budget })
    }
}

/// The devices of all platforms. A platform without devices is passed over.
fn devices() -> Result<Vec<Device>> {
    let platforms = get_platforms().map_err(|error| {
        let (why, help) = match error {
            ClError(-2000) => ("there is no OpenCL loader on this machine", "install one (Debian: `ocl-icd-libopencl1`) and a driver"),
            ClError(-2001) => ("the OpenCL loader found is a different library", "check the variable `OPENCL_DYLIB_PATH`"),
            ClError(-1001) => ("no OpenCL driver is registered", "install the GPU's driver, or `pocl-opencl-icd` to run on the processor"),
            _ => ("OpenCL does not answer", "check the installation with `clinfo`"),
        };
        Error::new(why).because(describe(error)).help(format!("{help}; `--backend cpu` needs none"))
    })?;
    let ids = platforms.iter().filter_map(|platform| platform.get_devices(CL_DEVICE_TYPE_ALL).ok()).flatten();
    Ok(ids.map(Device::new).collect())
}

fn is_usable(device: &Device) -> bool {
    device.available().unwrap_or(false)
        && device.compiler_available().unwrap_or(false)
        && device.endian_little().unwrap_or(false)
        && device.max_work_group_size().is_ok_and(|size| size >= SIDE * SIDE)
        && device.local_mem_size().is_ok_and(|size| size >= 2 * LOCAL_BYTES as cl_ulong)
}

fn describe(error: ClError) -> String {
    format!("{error} ({})", error.0)
}

fn device_error(what: &str, cause: impl std::fmt::Display) -> Error {
    Error::new(format!("cannot {what}")).because(cause).help("`--backend cpu` gives the same result without a device")
}

fn failed(what: &'static str) -> impl Fn(ClError) -> Error {
    move |error| device_error(what, describe(error))
}

impl SearchBackend for OpenCl {
    fn name(&self) -> &'static str {
        "opencl"
    }

    fn device(&self) -> String {
        self.device.name().unwrap_or_else(describe)
    }

    fn is_accelerator(&self) -> bool {
        self.device.dev_type().is_ok_and(|kind| kind & CL_DEVICE_TYPE_CPU == 0)
    }

    fn prepare<'a>(&'a self, matrix: &'a ActivationMatrix) -> Result<Box<dyn OverlapCounter + 'a>> {
        let queue = CommandQueue::create_default(&self.context, 0).map_err(failed("make a queue on the OpenCL device"))?;
        let kernel = Kernel::create(&self.program, NAME).map_err(failed("use the kernel on the OpenCL device"))?;
        // Half of the budget for samples, the other half for counts.
        let column_bytes = matrix.half() * 8;
        let pitch = (self.budget / 2 / column_bytes / LANE * LANE).clamp(LANE, matrix.words_per_column());
        let columns = self.buffer(CL_MEM_READ_ONLY, matrix.half() * pitch)?;
        let mut counter = Counter { opencl: self, matrix, queue, kernel, columns, pitch };
        if pitch == matrix.words_per_column() {
            counter.send(0, pitch)?;
        }
        Ok(Box::new(counter))
    }
}

impl OpenCl {
    fn buffer<T>(&self, flags: cl_ulong, length: usize) -> Result<Buffer<T>> {
        // SAFETY: no memory of this process is handed over.
        unsafe { Buffer::create(&self.context, flags, length, ptr::null_mut()) }.map_err(failed("get memory of the OpenCL device"))
    }
}

struct Counter<'a> {
    opencl: &'a OpenCl,
    matrix: &'a ActivationMatrix,
    queue: CommandQueue,
    kernel: Kernel,
    /// `half` × `pitch` words of the columns.
    columns: Buffer<cl_ulong>,
    pitch: usize,
}

impl OverlapCounter for Counter<'_> {
    fn overlap_counts(&mut self, blocks: &[[u32; 4]], counts: &mut [u32], ctx: &Ctx) -> Result<()> {
        let half = self.matrix.half();
        let rows = (self.opencl.budget / 2 / (half * 4)).clamp(WIDE, MAX_ROWS);
        for (blocks, counts) in blocks.chunks(rows / 4).zip(counts.chunks_mut(rows / 4 * 4 * half)) {
            self.count(blocks, counts, ctx)?;
        }
        Ok(())
    }
}

/// Places of one pass; keeps the sizes of a launch far within 32 bits.
const MAX_ROWS: usize = 1 << 16;

impl Counter<'_> {
    fn count(&mut self, blocks: &[[u32; 4]], counts: &mut [u32], ctx: &Ctx) -> Result<()> {
        let half = self.matrix.half();
        let stride = self.matrix.words_per_column();
        let whole = self.pitch == stride;
        let mut block_buffer = self.opencl.buffer::<cl_uint>(CL_MEM_READ_ONLY, 4 * blocks.len())?;
        let mut count_buffer = self.opencl.buffer::<cl_uint>(CL_MEM_READ_WRITE, counts.len())?;
        counts.fill(0);
        // SAFETY: both calls block, and each slice has the length of its buffer.
        unsafe {
            self.queue
                .enqueue_write_buffer(&mut block_buffer, CL_BLOCKING, 0, blocks.as_flattened(), &[])
                .and_then(|_| self.queue.enqueue_write_buffer(&mut count_buffer, CL_BLOCKING, 0, counts, &[]))
        }
        .map_err(failed("write to the OpenCL device"))?;
        let length = (LAUNCH / counts.len() / LANE * LANE).clamp(LANE, self.pitch);
        for first in (0..stride).step_by(self.pitch) {
            let end = stride.min(first + self.pitch);
            if !whole {
                self.send(first, end - first)?;
            }
            for at in (first..end).step_by(length) {
                ctx.check()?;
                let word = |number: usize| cl_uint::try_from(number).expect("a column has at most 2^23 words, a matrix 2^14 neurons");
                let (at, length) = (word(at - first), word(length.min(end - at)));
                // SAFETY: arguments are those that the kernel declares, in its order. The columns' buffer holds `half` × `pitch` words, of which
                // `at + length <= pitch` are read; block entries are below `half`; the kernel checks places and neurons against the ends.
                let launched = unsafe {
                    ExecuteKernel::new(&self.kernel)
                        .set_arg(&self.columns.get())
                        .set_arg(&word(self.pitch))
                        .set_arg(&at)
                        .set_arg(&length)
                        .set_arg(&word(half))
                        .set_arg(&block_buffer.get())
                        .set_arg(&word(blocks.len()))
                        .set_arg(&count_buffer.get())
                        .set_arg_local_buffer(LOCAL_BYTES)
                        .set_arg_local_buffer(LOCAL_BYTES)
                        .set_global_work_sizes(&[half.div_ceil(WIDE) * SIDE, (4 * blocks.len()).div_ceil(WIDE) * SIDE])
                        .set_local_work_sizes(&[SIDE, SIDE])
                        .enqueue_nd_range(&self.queue)
                };
                launched.and_then(|_| self.queue.finish()).map_err(failed("run the kernel on the OpenCL device"))?;
            }
        }
        // SAFETY: the call blocks, and the slice has the length of the buffer.
        unsafe { self.queue.enqueue_read_buffer(&count_buffer, CL_BLOCKING, 0, counts, &[]) }
            .map_err(failed("read from the OpenCL device"))?;
        Ok(())
    }

    /// Sends `length` words of every column, from word `first` on.
    fn send(&mut self, first: usize, length: usize) -> Result<()> {
        let words = self.matrix.words();
        debug_assert!(length <= self.pitch && first + length <= self.matrix.words_per_column());
        // SAFETY: the call blocks. It reads `half` rows of `length` words, `stride` words apart, which the matrix holds, and writes rows
        // `pitch` words apart, which the buffer holds. The pointer is only read from.
        unsafe {
            self.queue.enqueue_write_buffer_rect(
                &mut self.columns,
                CL_BLOCKING,
                [0; 3].as_ptr(),
                [8 * first, 0, 0].as_ptr(),
                [8 * length, self.matrix.half(), 1].as_ptr(),
                8 * self.pitch,
                0,
                8 * self.matrix.words_per_column(),
                0,
                words.as_ptr().cast_mut().cast(),
                &[],
            )
        }
        .map_err(failed("send the activation matrix to the OpenCL device"))?;
        Ok(())
    }
}
