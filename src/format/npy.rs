//! NumPy `.npy` arrays: the header, and the element types that this tool exchanges with `ftperm.py`.
//!
//! # Limitations
//! C order only; format versions 1.0, 2.0 and 3.0; element types `bool`, `u8`, `i8`, `i16`, `i32`, `i64`, `f32`, `f64`, little-endian
//! (or of one byte). Nothing else occurs in the field, and everything else is an error that names what was found.

use std::io::Write;

use crate::error::{Error, Result};
use crate::files::Reader;

/// Element type of an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DType {
    /// One byte, 0 or 1.
    Bool,
    /// `u8`.
    U8,
    /// `i8`.
    I8,
    /// Little-endian `i16`.
    I16,
    /// Little-endian `i32`.
    I32,
    /// Little-endian `i64`.
    I64,
    /// Little-endian `f32`.
    F32,
    /// Little-endian `f64`.
    F64,
}

impl DType {
    const ALL: [(Self, &'static str, usize); 8] = [
        (Self::Bool, "|b1", 1),
        (Self::U8, "|u1", 1),
        (Self::I8, "|i1", 1),
        (Self::I16, "<i2", 2),
        (Self::I32, "<i4", 4),
        (Self::I64, "<i8", 8),
        (Self::F32, "<f4", 4),
        (Self::F64, "<f8", 8),
    ];

    /// NumPy's descriptor, such as `<i8`.
    pub fn descr(self) -> &'static str {
        self.entry().1
    }

    /// Bytes of one element.
    pub fn size(self) -> usize {
        self.entry().2
    }

    fn entry(self) -> &'static (Self, &'static str, usize) {
        Self::ALL.iter().find(|entry| entry.0 == self).expect("every type is in the table")
    }
}

/// A parsed header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Element type.
    pub dtype: DType,
    /// Dimensions, outermost first.
    pub shape: Vec<usize>,
    /// Offset of the first element in the file.
    pub data_offset: usize,
}

/// First bytes of every `.npy` file.
pub const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// Parses the header of `bytes` and checks that exactly the declared data follows it.
///
/// # Errors
/// When the magic, the header dictionary, the order, the element type or the length is not what the format demands.
pub fn parse(bytes: &[u8]) -> Result<(Header, &[u8])> {
    let wrong = |why: String| Error::new("this `.npy` array cannot be used").because(why);
    if !bytes.starts_with(MAGIC) {
        return Err(wrong("it does not begin with the magic bytes `\\x93NUMPY`".into()).help("expected an array saved by `numpy.save`"));
    }
    let truncated = || wrong(format!("it ends inside the header, after {} bytes", bytes.len()));
    let major = *bytes.get(6).ok_or_else(truncated)?;
    let mut size = Reader::new(bytes).at(8);
    let (length, start): (usize, usize) = match major {
        1 => (usize::from(size.u16().map_err(|_| truncated())?), 10),
        2 | 3 => (size.u32().map_err(|_| truncated())? as usize, 12),
        other => return Err(wrong(format!("format version {other} is unknown (1, 2 and 3 are known)"))),
    };
    let header = start.checked_add(length).and_then(|end| bytes.get(start..end)).ok_or_else(truncated)?;
    let header = std::str::from_utf8(header).map_err(|error| wrong(format!("the header is not text: {error}")))?;
    let (descr, fortran, shape) =
        parse_dict(header).ok_or_else(|| wrong(format!("the header `{}` is malformed", header.trim().escape_debug())))?;
    let dtype = DType::ALL
        .iter()
        .find(|entry| entry.1 == descr || (entry.2 == 1 && entry.1[1..] == descr[1..]))
        .map(|entry| entry.0)
        .ok_or_else(|| wrong(format!("its element type `{descr}` is not one of {}", DType::ALL.map(|entry| entry.1).join(", "))))?;
    if fortran && shape.len() > 1 {
        return Err(wrong("it is stored in Fortran order".into()).help("save it with `numpy.save(path, numpy.ascontiguousarray(array))`"));
    }
    let data = &bytes[start + length..];
    let expected = shape
        .iter()
        .try_fold(dtype.size(), |product, &n| product.checked_mul(n))
        .ok_or_else(|| wrong(format!("its shape {shape:?} overflows")))?;
    if data.len() != expected {
        return Err(wrong(format!("shape {shape:?} of `{descr}` needs {expected} bytes of data, the file has {}", data.len())));
    }
    Ok((Header { dtype, shape, data_offset: start + length }, data))
}

/// Parses `{'descr': '<i8', 'fortran_order': False, 'shape': (512,), }`.
fn parse_dict(text: &str) -> Option<(&str, bool, Vec<usize>)> {
    let after = |key: &str| {
        let quoted = [format!("'{key}'"), format!("\"{key}\"")];
        quoted
            .iter()
            .find_map(|quoted| text.split_once(quoted.as_str()))
            .and_then(|(_, rest)| rest.trim_start().strip_prefix(':'))
            .map(str::trim_start)
    };
    let descr = after("descr")?;
    let quote = descr.chars().next().filter(|c| *c == '\'' || *c == '"')?;
    let descr = descr[1..].split_once(quote)?.0;
    if descr.len() < 2 || !descr.is_ascii() {
        return None;
    }
    let order = after("fortran_order")?;
    let fortran = if order.starts_with("True") {
        true
    } else if order.starts_with("False") {
        false
    } else {
        return None;
    };
    let shape = after("shape")?.strip_prefix('(')?.split_once(')')?.0;
    let shape = shape.split(',').map(str::trim).filter(|n| !n.is_empty()).map(|n| n.parse().ok()).collect::<Option<Vec<usize>>>()?;
    Some((descr, fortran, shape))
}

/// Writes a version 1.0 header as `numpy.save` does: padded with spaces to a multiple of 64 bytes, closed by a newline.
///
/// # Errors
/// Those of `out`.
pub fn write_header(out: &mut impl Write, dtype: DType, shape: &[usize]) -> std::io::Result<()> {
    let dims = match shape {
        [one] => format!("({one},)"),
        many => format!("({})", many.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")),
    };
    let mut dict = format!("{{'descr': '{}', 'fortran_order': False, 'shape': {dims}, }}", dtype.descr());
    while !(MAGIC.len() + 4 + dict.len() + 1).is_multiple_of(64) {
        dict.push(' ');
    }
    dict.push('\n');
    out.write_all(MAGIC)?;
    out.write_all(&[1, 0])?;
    let length = u16::try_from(dict.len()).map_err(|_| std::io::Error::other("the array has too many dimensions"))?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(dict.as_bytes())
}

#[cfg(test)]
mod tests;
