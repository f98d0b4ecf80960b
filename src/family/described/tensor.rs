//! A tensor as bytes: where they are, and how they are put into another order of axes. Knows nothing of what they mean.

use std::ops::{Deref, Range};

use rayon::prelude::*;

use super::model::{AxisPart, DType, Part};
use crate::files::Bytes;

/// Values in memory: little-endian, the last axis fastest.
#[derive(Debug, Clone)]
pub(crate) struct Tensor {
    pub dtype: DType,
    pub shape: Vec<usize>,
    pub bytes: Storage,
}

/// Bytes of a file, or own ones.
#[derive(Debug, Clone)]
pub(crate) enum Storage {
    Mapped(Bytes, Range<usize>),
    Owned(Vec<u8>),
}

impl Deref for Storage {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(bytes, range) => bytes.get(range.clone()).unwrap_or_default(),
            Self::Owned(bytes) => bytes,
        }
    }
}

/// How the axes of a file lie in those of a tensor.
#[derive(Debug)]
pub(crate) struct Order {
    /// Sizes in the tensor's order, split axes as two.
    dims: Vec<usize>,
    /// For each axis of the file, its index in `dims`.
    file: Vec<usize>,
}

impl Order {
    /// `order` was checked against `axes`, and `shape` is that of the tensor.
    pub fn new(axes: &[String], shape: &[usize], order: &[AxisPart]) -> Self {
        let mut dims = Vec::new();
        let mut file = vec![0; order.len()];
        for (axis, &size) in axes.iter().zip(shape) {
            let mut parts: Vec<(usize, Part)> =
                order.iter().enumerate().filter(|(_, part)| part.axis == *axis).map(|(index, part)| (index, part.part)).collect();
            parts.sort_by_key(|(_, part)| matches!(part, Part::Remainder(_)));
            for (index, part) in parts {
                file[index] = dims.len();
                dims.push(match part {
                    Part::Whole => size,
                    Part::Quotient(divisor) => size / divisor.max(1),
                    Part::Remainder(divisor) => divisor,
                });
            }
        }
        Self { dims, file }
    }

    /// Whether the file has the axes as the tensor has them.
    pub fn is_identity(&self) -> bool {
        self.file.iter().enumerate().all(|(place, index)| place == *index)
    }

    /// Slices of the outermost axis of the file.
    pub fn slices(&self) -> usize {
        self.file.first().map_or(1, |index| self.dims[*index])
    }

    /// The tensor's values in the order of the file.
    pub fn to_file(&self, bytes: &[u8], size: usize) -> Vec<u8> {
        transposed(bytes, size, &self.dims, &self.file)
    }

    /// The file's values in the order of the tensor.
    pub fn to_tensor(&self, bytes: &[u8], size: usize) -> Vec<u8> {
        let dims: Vec<usize> = self.file.iter().map(|index| self.dims[*index]).collect();
        let mut back = vec![0; self.file.len()];
        for (place, index) in self.file.iter().enumerate() {
            back[*index] = place;
        }
        transposed(bytes, size, &dims, &back)
    }
}

/// Axis `i` of the result is axis `axes[i]` of `bytes`, which has `dims`.
fn transposed(bytes: &[u8], size: usize, dims: &[usize], axes: &[usize]) -> Vec<u8> {
    match size {
        1 => transposed_values::<1>(bytes, dims, axes),
        2 => transposed_values::<2>(bytes, dims, axes),
        _ => transposed_values::<4>(bytes, dims, axes),
    }
}

fn transposed_values<const N: usize>(bytes: &[u8], dims: &[usize], axes: &[usize]) -> Vec<u8> {
    let (values, _) = bytes.as_chunks::<N>();
    let mut strides = vec![1usize; dims.len()];
    for index in (1..dims.len()).rev() {
        strides[index - 1] = strides[index] * dims[index];
    }
    let [outer, rest @ ..] = axes else { return bytes.to_vec() };
    let inner: Vec<(usize, usize)> = rest.iter().map(|axis| (dims[*axis], strides[*axis])).collect();
    let mut out = vec![[0u8; N]; values.len()];
    let slice = inner.iter().map(|(size, _)| size).product::<usize>().max(1);
    out.par_chunks_mut(slice).enumerate().for_each(|(index, out)| copy(values, index * strides[*outer], &inner, out));
    out.into_flattened()
}

/// Copies the box of `axes` (size and stride each) that starts at `base`.
fn copy<const N: usize>(values: &[[u8; N]], base: usize, axes: &[(usize, usize)], out: &mut [[u8; N]]) {
    match axes {
        [] => out.copy_from_slice(&values[base..=base]),
        [(size, 1)] => out.copy_from_slice(&values[base..base + size]),
        [(_, stride)] => out.iter_mut().enumerate().for_each(|(index, out)| *out = values[base + index * stride]),
        [(size, stride), rest @ ..] => {
            let slice = out.len() / (*size).max(1);
            out.chunks_mut(slice.max(1)).enumerate().for_each(|(index, out)| copy(values, base + index * stride, rest, out));
        }
    }
}

impl Tensor {
    /// Takes the entries `indices` of an axis, in their order: each of them once. An axis of another size stays.
    pub fn take(&mut self, axis: usize, indices: &[usize]) {
        if self.shape[axis] != indices.len() {
            return;
        }
        let inner: usize = self.shape[axis + 1..].iter().product();
        let bytes = match inner * self.dtype.size() {
            1 => taken::<1>(&self.bytes, indices),
            2 => taken::<2>(&self.bytes, indices),
            4 => taken::<4>(&self.bytes, indices),
            wide => taken_wide(&self.bytes, indices, wide),
        };
        self.bytes = Storage::Owned(bytes);
    }
}

fn taken<const N: usize>(bytes: &[u8], indices: &[usize]) -> Vec<u8> {
    let (values, _) = bytes.as_chunks::<N>();
    let mut out = vec![[0u8; N]; values.len()];
    let rows = out.par_chunks_mut(indices.len()).zip(values.par_chunks(indices.len()));
    rows.with_min_len(64).for_each(|(out, row)| out.iter_mut().zip(indices).for_each(|(out, index)| *out = row[*index]));
    out.into_flattened()
}

fn taken_wide(bytes: &[u8], indices: &[usize], wide: usize) -> Vec<u8> {
    let mut out = vec![0u8; bytes.len()];
    let block = indices.len() * wide;
    for (out, block) in out.chunks_mut(block).zip(bytes.chunks(block)) {
        for (out, index) in out.chunks_mut(wide).zip(indices) {
            out.copy_from_slice(&block[index * wide..][..wide]);
        }
    }
    out
}

impl Tensor {
    /// Whether the values are still in their file.
    pub fn is_mapped(&self) -> bool {
        matches!(self.bytes, Storage::Mapped(..))
    }

    /// Puts other values in the place of these, whose pages are no longer needed.
    pub fn replace(&mut self, bytes: Vec<u8>) {
        if let Storage::Mapped(file, range) = &self.bytes {
            file.let_go(range.clone());
        }
        self.bytes = Storage::Owned(bytes);
    }

    /// Copies values that are still in their file.
    pub fn own(&mut self) {
        if self.is_mapped() {
            self.bytes = Storage::Owned(self.bytes.to_vec());
        }
    }

    /// How many values it has.
    pub fn count(&self) -> usize {
        self.bytes.len() / self.dtype.size()
    }

    /// The value at an index, as a float: those of i32 beyond 2^24 are rounded. 0 behind the end.
    pub fn value(&self, index: usize) -> f32 {
        let bytes = &*self.bytes;
        match self.dtype {
            DType::F32 => bytes.as_chunks().0.get(index).map_or(0.0, |value| f32::from_le_bytes(*value)),
            DType::I8 => bytes.get(index).map_or(0.0, |value| f32::from(value.cast_signed())),
            DType::U8 => bytes.get(index).map_or(0.0, |value| f32::from(*value)),
            DType::I16 => bytes.as_chunks().0.get(index).map_or(0.0, |value| f32::from(i16::from_le_bytes(*value))),
            DType::I32 => bytes.as_chunks().0.get(index).map_or(0.0, |value| i32::from_le_bytes(*value) as f32),
        }
    }

    /// Index of the first value that is no number.
    pub fn first_nan(&self) -> Option<usize> {
        let values: &[[u8; 4]] = if self.dtype == DType::F32 { self.bytes.as_chunks().0 } else { &[] };
        values.par_iter().with_min_len(1 << 14).position_first(|value| f32::from_le_bytes(*value).is_nan())
    }

    /// Smallest and largest value; not a number where one of them is none.
    pub fn limits(&self) -> (f64, f64) {
        let fold = |(low, high): (f64, f64), value: f64| {
            if value.is_nan() {
                (f64::NAN, f64::NAN)
            } else {
                (if value < low { value } else { low }, if value > high { value } else { high })
            }
        };
        let start = (f64::INFINITY, f64::NEG_INFINITY);
        let bytes = &*self.bytes;
        match self.dtype {
            DType::F32 => bytes.as_chunks().0.iter().map(|value| f64::from(f32::from_le_bytes(*value))).fold(start, fold),
            DType::I8 => bytes.iter().map(|value| f64::from(value.cast_signed())).fold(start, fold),
            DType::U8 => bytes.iter().map(|value| f64::from(*value)).fold(start, fold),
            DType::I16 => bytes.as_chunks().0.iter().map(|value| f64::from(i16::from_le_bytes(*value))).fold(start, fold),
            DType::I32 => bytes.as_chunks().0.iter().map(|value| f64::from(i32::from_le_bytes(*value))).fold(start, fold),
        }
    }
}
