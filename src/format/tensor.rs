//! A view of one tensor inside a file: element type, shape, strides, and where its bytes lie. Shared by the PyTorch,
//! safetensors and npz readers.
//!
//! Boundary: reads bytes and converts numbers; knows no container and no network.
//!
//! # Limitations
//! At most 64 dimensions. A view with more elements than its storage holds (an expanded tensor) can be read whole only
//! up to 2^22 elements; larger ones are read in row blocks.

use std::{
    borrow::Cow,
    io::Write,
    ops::Range,
    sync::{Arc, OnceLock},
};

use half::f16;

use crate::{
    error::{Error, Result},
    files::Bytes,
};

/// Element type of a tensor, all that PyTorch has a stable name for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are the documentation; `name` gives PyTorch's")]
pub enum DType {
    F64,
    F32,
    F16,
    BF16,
    F8E4M3,
    F8E5M2,
    F8E4M3Fnuz,
    F8E5M2Fnuz,
    F8E8M0,
    I64,
    I32,
    I16,
    I8,
    U64,
    U32,
    U16,
    U8,
    Bool,
    C128,
    C64,
    C32,
    QI32,
    QI8,
    QU8,
}

impl DType {
    /// Type, PyTorch's name, bytes of an element, PyTorch's typed storage class (empty: none).
    const ALL: [(Self, &'static str, usize, &'static str); 24] = [
        (Self::F64, "float64", 8, "DoubleStorage"),
        (Self::F32, "float32", 4, "FloatStorage"),
        (Self::F16, "float16", 2, "HalfStorage"),
        (Self::BF16, "bfloat16", 2, "BFloat16Storage"),
        (Self::F8E4M3, "float8_e4m3fn", 1, ""),
        (Self::F8E5M2, "float8_e5m2", 1, ""),
        (Self::F8E4M3Fnuz, "float8_e4m3fnuz", 1, ""),
        (Self::F8E5M2Fnuz, "float8_e5m2fnuz", 1, ""),
        (Self::F8E8M0, "float8_e8m0fnu", 1, ""),
        (Self::I64, "int64", 8, "LongStorage"),
        (Self::I32, "int32", 4, "IntStorage"),
        (Self::I16, "int16", 2, "ShortStorage"),
        (Self::I8, "int8", 1, "CharStorage"),
        (Self::U64, "uint64", 8, ""),
        (Self::U32, "uint32", 4, ""),
        (Self::U16, "uint16", 2, ""),
        (Self::U8, "uint8", 1, "ByteStorage"),
        (Self::Bool, "bool", 1, "BoolStorage"),
        (Self::C128, "complex128", 16, "ComplexDoubleStorage"),
        (Self::C64, "complex64", 8, "ComplexFloatStorage"),
        (Self::C32, "complex32", 4, ""),
        (Self::QI32, "qint32", 4, "QInt32Storage"),
        (Self::QI8, "qint8", 1, "QInt8Storage"),
        (Self::QU8, "quint8", 1, "QUInt8Storage"),
    ];

    fn entry(self) -> &'static (Self, &'static str, usize, &'static str) {
        Self::ALL.iter().find(|entry| entry.0 == self).expect("every type is in the table")
    }

    /// PyTorch's name, such as `float32`.
    pub fn name(self) -> &'static str {
        self.entry().1
    }

    /// Bytes of one element.
    pub fn size(self) -> usize {
        self.entry().2
    }

    /// The storage class that PyTorch's files name for this type, where there is one.
    pub fn storage_class(self) -> Option<&'static str> {
        Some(self.entry().3).filter(|class| !class.is_empty())
    }

    /// The type that PyTorch calls `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|entry| entry.1 == name).map(|entry| entry.0)
    }

    /// The type of the storage class `class`, such as `FloatStorage`.
    pub fn from_storage_class(class: &str) -> Option<Self> {
        Self::ALL.iter().find(|entry| !entry.3.is_empty() && entry.3 == class).map(|entry| entry.0)
    }

    /// Bytes of the numbers that an element consists of: half the element for complex types.
    fn part_size(self) -> usize {
        if self.is_complex() { self.size() / 2 } else { self.size() }
    }

    fn is_complex(self) -> bool {
        matches!(self, Self::C32 | Self::C64 | Self::C128)
    }
}

/// A run of bytes in a file that tensors are views of.
#[derive(Debug)]
pub struct Storage {
    bytes: Bytes,
    range: Range<usize>,
    big_endian: bool,
    /// CRC-32 that the container promises, and what checking it once said.
    crc: Option<u32>,
    verdict: OnceLock<bool>,
    /// How errors call it, such as ``record `archive/data/0` ``.
    name: String,
}

impl Storage {
    /// The storage at `range` of `bytes`; `crc` is checked when the data is first taken.
    ///
    /// # Errors
    /// When `range` does not lie inside `bytes`.
    pub fn new(bytes: Bytes, range: Range<usize>, big_endian: bool, crc: Option<u32>, name: String) -> Result<Self> {
        if bytes.get(range.clone()).is_none() {
            return Err(Error::new(format!("{name} lies outside of the file")));
        }
        Ok(Self { bytes, range, big_endian, crc, verdict: OnceLock::new(), name })
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.range.len()
    }

    /// True for a storage of no bytes.
    pub fn is_empty(&self) -> bool {
        self.range.is_empty()
    }

    /// Its place in the file.
    pub fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    /// Its bytes, after their CRC-32 was found to be right (checked once, then remembered).
    ///
    /// # Errors
    /// When the bytes do not have the CRC-32 that the container states.
    pub fn data(&self) -> Result<&[u8]> {
        let data = self.bytes.get(self.range.clone()).unwrap_or_default();
        let right = |crc: u32| {
            let mut actual = flate2::Crc::new();
            actual.update(data);
            actual.sum() == crc
        };
        match self.crc {
            Some(crc) if !*self.verdict.get_or_init(|| right(crc)) => Err(Error::new(format!("{} is damaged", self.name))
                .because(format!("its {} bytes do not have the checksum {crc:08x} that the file states (CRC-32)", data.len()))
                .help("copy or download the file again")),
            _ => Ok(data),
        }
    }
}

/// One tensor: a typed, strided view of a [`Storage`]. Cheap to clone; keeps the file's bytes alive.
///
/// Every index that shape, strides and offset can form was checked to lie inside the storage when the view was made.
#[derive(Debug, Clone)]
pub struct TensorView {
    dtype: DType,
    shape: Vec<usize>,
    stride: Vec<usize>,
    offset: usize,
    numel: usize,
    negated: bool,
    conjugated: bool,
    storage: Arc<Storage>,
}

/// Above this many elements, a view that is larger than its storage is not read whole.
const MAX_EXPANDED: usize = 1 << 22;
/// Most dimensions that a view may have.
pub(crate) const MAX_RANK: usize = 64;

impl TensorView {
    /// A view of `storage`: `shape` and `stride` (both outermost first) and `offset` count elements of `dtype`.
    ///
    /// # Errors
    /// When ranks differ or exceed 64, a product overflows, or an element would lie outside of the storage.
    pub fn new(storage: Arc<Storage>, dtype: DType, shape: Vec<usize>, stride: Vec<usize>, offset: usize) -> Result<Self> {
        let wrong = |why: String| Err(Error::new("the tensor's layout is impossible").because(why));
        if shape.len() != stride.len() {
            return wrong(format!("it has {} sizes but {} strides", shape.len(), stride.len()));
        }
        if shape.len() > MAX_RANK {
            return wrong(format!("it has {} dimensions, the limit is {MAX_RANK}", shape.len()));
        }
        let mut numel = 1usize;
        let mut bytes = dtype.size();
        for &size in &shape {
            (numel, bytes) = match (numel.checked_mul(size), bytes.checked_mul(size.max(1))) {
                (Some(numel), Some(bytes)) if bytes <= isize::MAX as usize => (numel, bytes),
                _ => return wrong(format!("the number of elements of shape {} overflows", show(&shape))),
            };
        }
        let available = storage.len() / dtype.size();
        let last = shape.iter().zip(&stride).try_fold(offset, |sum, (&size, &stride)| {
            size.checked_sub(1).map_or(Some(sum), |steps| steps.checked_mul(stride).and_then(|span| sum.checked_add(span)))
        });
        if numel > 0 && last.is_none_or(|last| last >= available) {
            return wrong(format!(
                "shape {} with strides {} from element {offset} on needs {} elements, {} holds {available}",
                show(&shape),
                show(&stride),
                last.and_then(|last| last.checked_add(1)).map_or("more than 2^64".into(), |n| n.to_string()),
                storage.name
            ));
        }
        Ok(Self { dtype, shape, stride, offset, numel, negated: false, conjugated: false, storage })
    }

    /// A view in C order of `shape` that begins at `offset`.
    ///
    /// # Errors
    /// Those of [`TensorView::new`].
    pub fn dense(storage: Arc<Storage>, dtype: DType, shape: Vec<usize>, offset: usize) -> Result<Self> {
        let mut stride = vec![1usize; shape.len()];
        for i in (1..shape.len()).rev() {
            stride[i - 1] = stride[i].saturating_mul(shape[i].max(1));
        }
        Self::new(storage, dtype, shape, stride, offset)
    }

    /// The same view with PyTorch's lazy negation and conjugation bits.
    #[must_use]
    pub(crate) fn with_bits(mut self, negated: bool, conjugated: bool) -> Self {
        self.negated = negated;
        self.conjugated = conjugated && self.dtype.is_complex();
        self
    }

    /// Element type.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Dimensions, outermost first; empty for a scalar.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Steps between neighbours along each dimension, in elements.
    pub fn stride(&self) -> &[usize] {
        &self.stride
    }

    /// First element's index in the storage.
    pub fn storage_offset(&self) -> usize {
        self.offset
    }

    /// Number of elements.
    pub fn numel(&self) -> usize {
        self.numel
    }

    /// The bytes behind it; views of one storage share the pointer.
    pub fn storage(&self) -> &Arc<Storage> {
        &self.storage
    }

    /// True when the stored numbers are big-endian.
    pub fn is_big_endian(&self) -> bool {
        self.storage.big_endian
    }

    /// The stored bytes without a copy, where the view is one run of elements in C order and needs no change of sign.
    /// They are in the storage's byte order.
    ///
    /// # Errors
    /// When the storage is damaged.
    pub fn contiguous(&self) -> Result<Option<&[u8]>> {
        self.dense_run(0..self.numel)
    }

    /// All elements as `f32` in C order, exactly as PyTorch's `.float()` rounds (to nearest, ties to even). Native
    /// little-endian `f32` that lies aligned is not copied.
    ///
    /// # Errors
    /// When the element type is not a real floating point type of 16 bits or more, the storage is damaged, or an expanded
    /// view exceeds 2^22 elements.
    pub fn to_f32(&self) -> Result<Cow<'_, [f32]>> {
        self.check_expanded(self.numel)?;
        self.elements_f32(0..self.numel)
    }

    /// Rows `rows` (indices along the first dimension) as `f32`, C order: a caller streams a large tensor block by block.
    ///
    /// # Errors
    /// Those of [`TensorView::to_f32`], and when `rows` is not inside the first dimension or the tensor is a scalar.
    pub fn rows_f32(&self, rows: Range<usize>) -> Result<Cow<'_, [f32]>> {
        let count = self.shape.first().copied().unwrap_or(0);
        if self.shape.is_empty() || rows.start > rows.end || rows.end > count {
            return Err(Error::new(format!("rows {}..{} are not inside the {count} rows of the tensor", rows.start, rows.end)));
        }
        let width = self.numel.checked_div(count).unwrap_or(0);
        let elements = rows.start * width..rows.end * width;
        self.check_expanded(elements.len())?;
        self.elements_f32(elements)
    }

    /// All elements as little-endian bytes in C order; what checksums are taken of.
    ///
    /// # Errors
    /// When the storage is damaged, or an expanded view exceeds 2^22 elements.
    pub fn contiguous_le_bytes(&self) -> Result<Cow<'_, [u8]>> {
        if (self.dtype.part_size() == 1 || !self.storage.big_endian)
            && let Some(bytes) = self.contiguous()?
        {
            return Ok(Cow::Borrowed(bytes));
        }
        self.check_expanded(self.numel)?;
        let mut out = Vec::with_capacity(self.numel.saturating_mul(self.dtype.size()));
        self.each_le_block(&mut |block| out.extend_from_slice(block))?;
        Ok(Cow::Owned(out))
    }

    /// Hands all elements to `sink` as little-endian bytes in C order, in blocks of bounded size. There is no limit for expanded
    /// views here: the time is that of all elements.
    ///
    /// # Errors
    /// When the storage is damaged, or the type's sign cannot be changed although the file asks for it.
    pub fn each_le_block(&self, sink: &mut dyn FnMut(&[u8])) -> Result<()> {
        const BLOCK: usize = 1 << 16;
        if (self.dtype.part_size() == 1 || !self.storage.big_endian)
            && let Some(bytes) = self.contiguous()?
        {
            bytes.chunks(BLOCK).for_each(sink);
            return Ok(());
        }
        let (negate_real, negate_imaginary) = (self.negated, self.negated != self.conjugated);
        if (negate_real || negate_imaginary)
            && !self.dtype.is_complex()
            && !matches!(self.dtype, DType::F64 | DType::F32 | DType::F16 | DType::BF16)
        {
            return Err(Error::new(format!("a tensor of `{}` has PyTorch's negation bit, which only floats can have", self.dtype.name())));
        }
        let (size, part) = (self.dtype.size(), self.dtype.part_size());
        let data = self.storage.data()?;
        let mut block = Vec::with_capacity(BLOCK);
        self.each_run(0..self.numel, &mut |first, stride, count| {
            for i in 0..count {
                let at = (first + i * stride) * size;
                let start = block.len();
                block.extend_from_slice(&data[at..at + size]);
                for (k, number) in block[start..].chunks_exact_mut(part).enumerate() {
                    if self.storage.big_endian {
                        number.reverse();
                    }
                    if if k == 0 { negate_real } else { negate_imaginary } {
                        number[part - 1] ^= 0x80;
                    }
                }
                if block.len() + size > BLOCK {
                    sink(&block);
                    block.clear();
                }
            }
        });
        sink(&block);
        Ok(())
    }

    fn check_expanded(&self, wanted: usize) -> Result<()> {
        if wanted > MAX_EXPANDED && wanted > self.storage.len() / self.dtype.size() {
            return Err(Error::new(format!("a tensor of shape {} is too large to be read whole", show(&self.shape))).because(format!(
                "it repeats {} stored elements {} times over; the limit for such views is 2^22 elements",
                self.storage.len() / self.dtype.size(),
                self.numel / (self.storage.len() / self.dtype.size()).max(1)
            )));
        }
        Ok(())
    }

    /// The stored bytes of `elements` (C-order indices) where they are one run.
    fn dense_run(&self, elements: Range<usize>) -> Result<Option<&[u8]>> {
        let mut expected = 1usize;
        let dense = self.shape.iter().zip(&self.stride).rev().all(|(&size, &stride)| {
            let fits = size <= 1 || stride == expected;
            expected = expected.saturating_mul(size.max(1));
            fits
        });
        if (!dense && self.numel > 0) || self.negated || self.conjugated {
            return Ok(None);
        }
        let data = self.storage.data()?;
        if self.numel == 0 {
            return Ok(Some(&[]));
        }
        let size = self.dtype.size();
        Ok(data.get((self.offset + elements.start) * size..(self.offset + elements.end) * size))
    }

    fn elements_f32(&self, elements: Range<usize>) -> Result<Cow<'_, [f32]>> {
        if self.dtype == DType::F32
            && !self.storage.big_endian
            && cfg!(target_endian = "little")
            && let Some(bytes) = self.dense_run(elements.clone())?
            && let Ok(floats) = bytemuck::try_cast_slice(bytes)
        {
            return Ok(Cow::Borrowed(floats));
        }
        let mut out = Vec::with_capacity(elements.len());
        match self.dtype {
            DType::F32 => self.convert(elements, &mut out, f32::from_le_bytes)?,
            DType::F64 => self.convert(elements, &mut out, |bytes| f64::from_le_bytes(bytes) as f32)?,
            DType::F16 => self.convert(elements, &mut out, |bytes| f16::from_le_bytes(bytes).to_f32())?,
            DType::BF16 => self.convert(elements, &mut out, |bytes| f32::from_bits(u32::from(u16::from_le_bytes(bytes)) << 16))?,
            other => {
                return Err(Error::new(format!("the tensor holds `{}`, which are not weights", other.name()))
                    .help("weights are float32, float16, bfloat16 or float64"));
            }
        }
        if self.negated {
            out.iter_mut().for_each(|x| *x = -*x);
        }
        Ok(Cow::Owned(out))
    }

    /// Appends `elements` to `out`, each converted from its little-endian bytes.
    fn convert<const N: usize>(&self, elements: Range<usize>, out: &mut Vec<f32>, from_le: impl Fn([u8; N]) -> f32) -> Result<()> {
        let data = self.storage.data()?;
        let big = self.storage.big_endian;
        self.each_run(elements, &mut |first, stride, count| {
            out.extend((0..count).map(|i| {
                let at = (first + i * stride) * N;
                let mut bytes: [u8; N] = data[at..at + N].try_into().expect("the slice has N bytes");
                if big {
                    bytes.reverse();
                }
                from_le(bytes)
            }));
        });
        Ok(())
    }

    /// Calls `f(first, stride, count)` for runs along the last dimension that together are `elements` in C order.
    fn each_run(&self, elements: Range<usize>, f: &mut dyn FnMut(usize, usize, usize)) {
        let (width, step) = match (self.shape.last(), self.stride.last()) {
            (Some(&width), Some(&step)) => (width, step),
            _ => (1, 1),
        };
        let mut at = elements.start;
        while at < elements.end {
            let column = at % width;
            let mut row = at / width;
            let mut first = self.offset + column * step;
            for (&size, &stride) in self.shape.iter().zip(&self.stride).rev().skip(1) {
                first += row % size * stride;
                row /= size;
            }
            let count = (width - column).min(elements.end - at);
            f(first, step, count);
            at += count;
        }
    }
}

/// A tensor that is to be written: C order, little-endian.
pub struct TensorOut<'a> {
    /// Name in a state_dict, safetensors or npz file.
    pub name: String,
    /// Element type.
    pub dtype: DType,
    /// Dimensions, outermost first.
    pub shape: Vec<usize>,
    /// Where the elements come from.
    pub data: Source<'a>,
}

/// Where the elements of a tensor come from.
pub enum Source<'a> {
    /// Little-endian bytes.
    Bytes(Cow<'a, [u8]>),
    /// Floats, for [`DType::F32`].
    F32(Cow<'a, [f32]>),
    /// A tensor of another file.
    View(TensorView),
    /// Writes the little-endian bytes when asked, for what is not to be held in memory at once. It may be asked again and
    /// must give the same bytes each time.
    Stream(Box<WriteElements<'a>>),
}

/// Writes all elements of a tensor.
pub type WriteElements<'a> = dyn Fn(&mut dyn Write) -> Result<()> + Send + Sync + 'a;

impl<'a> TensorOut<'a> {
    /// A tensor of floats.
    pub fn f32(name: impl Into<String>, shape: &[usize], data: impl Into<Cow<'a, [f32]>>) -> Self {
        Self { name: name.into(), dtype: DType::F32, shape: shape.to_vec(), data: Source::F32(data.into()) }
    }

    /// Number of bytes that the elements take up.
    ///
    /// # Errors
    /// When the shape overflows, or the data is of another type or size.
    pub fn len(&self) -> Result<u64> {
        let len = self.shape.iter().try_fold(self.dtype.size(), |len, &size| len.checked_mul(size));
        let wrong = |why: String| Error::new(format!("the tensor `{}` cannot be written", self.name.escape_debug())).because(why);
        let len = len.ok_or_else(|| wrong(format!("the number of elements of shape {} overflows", show(&self.shape))))?;
        let given = match &self.data {
            Source::Bytes(bytes) => Some(bytes.len()),
            Source::F32(floats) => Some(floats.len() * 4).filter(|_| self.dtype == DType::F32),
            Source::View(view) => Some(view.numel() * view.dtype().size()).filter(|_| self.dtype == view.dtype()),
            Source::Stream(_) => Some(len),
        };
        match given {
            Some(given) if given == len => Ok(len as u64),
            Some(given) => Err(wrong(format!("its shape {} needs {len} bytes, {given} were given", show(&self.shape)))),
            None => Err(wrong(format!("its data is of another type than `{}`", self.dtype.name()))),
        }
    }

    /// True when there are no elements.
    ///
    /// # Errors
    /// Those of [`TensorOut::len`].
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Writes the elements.
    ///
    /// # Errors
    /// Those of `out`, and of the source.
    pub fn write_to(&self, out: &mut dyn Write) -> Result<()> {
        let failed = |error| Error::new("cannot write").because(error);
        match &self.data {
            Source::Bytes(bytes) => out.write_all(bytes).map_err(failed),
            Source::F32(floats) if cfg!(target_endian = "little") => out.write_all(bytemuck::cast_slice(floats)).map_err(failed),
            Source::F32(floats) => floats.iter().try_for_each(|x| out.write_all(&x.to_le_bytes())).map_err(failed),
            Source::View(view) => {
                let mut result = Ok(());
                view.each_le_block(&mut |block| {
                    if result.is_ok() {
                        result = out.write_all(block);
                    }
                })?;
                result.map_err(failed)
            }
            Source::Stream(write) => write(out),
        }
    }
}

/// IEEE 754 half to single precision, exactly; a signalling NaN becomes quiet, as the processors' instruction does it.
/// `(2, 3)`, and `()` for a scalar.
pub(crate) fn show(dims: &[usize]) -> String {
    format!("({})", dims.iter().map(usize::to_string).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests;
