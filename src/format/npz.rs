//! NumPy's `.npz`: a zip archive of `.npy` arrays.
//!
//! # Limitations
//! Those of [`super::npy`] and [`super::zip`]. A compressed member may inflate to at most 4 GiB. Written members are stored, not
//! compressed.

use std::{
    collections::HashMap,
    io::{Read, Write},
    sync::Arc,
};

use crate::{
    error::{Error, Result},
    files::Bytes,
    format::{
        npy, packed,
        tensor::{DType, Storage, TensorOut, TensorView},
        zip,
    },
};

/// An open archive. Members are looked at when they are asked for.
#[derive(Debug)]
pub struct Npz {
    bytes: Bytes,
    entries: Vec<zip::Entry>,
    /// Places of `entries` by their names.
    places: HashMap<String, usize>,
}

const MAX_INFLATED: u64 = 4 << 30;
/// Deflate cannot expand data by more than this factor, so a member that claims more lies.
const MAX_RATIO: u64 = 1032;

const DTYPES: [(npy::DType, DType); 8] = [
    (npy::DType::Bool, DType::Bool),
    (npy::DType::U8, DType::U8),
    (npy::DType::I8, DType::I8),
    (npy::DType::I16, DType::I16),
    (npy::DType::I32, DType::I32),
    (npy::DType::I64, DType::I64),
    (npy::DType::F32, DType::F32),
    (npy::DType::F64, DType::F64),
];

impl Npz {
    /// Reads the directory of an archive.
    ///
    /// # Errors
    /// Those of [`zip::read`], and when a member is not a `.npy` file.
    pub fn open(bytes: Bytes) -> Result<Self> {
        let entries = zip::read(&bytes)?;
        if let Some(other) = entries.iter().find(|entry| !entry.name.ends_with(".npy")) {
            return Err(Error::new(format!("`{}` in the archive is not a `.npy` array", other.name.escape_debug())));
        }
        // Each member alone is bounded by its own size; together they may be no more than a packed file of this size.
        let inflated = entries.iter().filter(|entry| entry.deflated).fold(0, |sum: u64, entry| sum.saturating_add(entry.size));
        let most = packed::budget(bytes.len() as u64);
        if inflated > most {
            return Err(Error::new(format!("the {} bytes of the archive should become {inflated}, the limit is {most}", bytes.len())));
        }
        let places = entries.iter().enumerate().map(|(place, entry)| (entry.name.clone(), place)).collect();
        Ok(Self { bytes, entries, places })
    }

    /// The arrays' names, without `.npy`, in the archive's order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().filter_map(|entry| entry.name.strip_suffix(".npy"))
    }

    /// The array called `name`: where it lies if it is stored, inflated into memory if it is compressed.
    ///
    /// # Errors
    /// When there is none, it is damaged, or it is of a kind that [`npy::parse`] does not know.
    pub fn array(&self, name: &str) -> Result<TensorView> {
        let entry = self.places.get(&format!("{name}.npy")).and_then(|place| self.entries.get(*place));
        let entry = entry.ok_or_else(|| Error::new(format!("the archive has no array `{}`", name.escape_debug())))?;
        self.read(entry).map_err(|error| error.context(format!("array `{}` cannot be read", name.escape_debug())))
    }

    fn read(&self, entry: &zip::Entry) -> Result<TensorView> {
        let (bytes, base) =
            if entry.deflated { (Bytes::from_vec(self.inflate(entry)?), 0) } else { (self.bytes.clone(), entry.range.start) };
        let len = if entry.deflated { bytes.len() } else { entry.range.len() };
        let content = bytes.get(base..base + len).unwrap_or_default();
        if !entry.matches_crc(content) {
            return Err(Error::new(format!("it does not have the checksum {:08x} that the archive states (CRC-32)", entry.crc))
                .help("copy or download the file again"));
        }
        let (header, data) = npy::parse(content)?;
        let dtype = DTYPES.iter().find(|pair| pair.0 == header.dtype).map(|pair| pair.1);
        let dtype = dtype.ok_or_else(|| Error::new("its element type is unknown"))?;
        let start = base + header.data_offset;
        let end = start + data.len();
        TensorView::dense(Arc::new(Storage::new(bytes, start..end, false, None, "its data".into())?), dtype, header.shape, 0)
    }

    fn inflate(&self, entry: &zip::Entry) -> Result<Vec<u8>> {
        let packed = self.bytes.get(entry.range.clone()).unwrap_or_default();
        let limit = MAX_INFLATED.min((packed.len() as u64).saturating_mul(MAX_RATIO));
        if entry.size > limit {
            return Err(Error::new(format!("{} compressed bytes should become {}, the limit is {limit}", packed.len(), entry.size)));
        }
        let mut content = vec![0; entry.size as usize];
        let mut decoder = flate2::bufread::DeflateDecoder::new(packed);
        let inflated = decoder.read_exact(&mut content).and_then(|()| decoder.read(&mut [0]));
        match inflated {
            Ok(0) => {}
            Ok(_) => {
                return Err(Error::new(format!("its compressed data becomes more than the {} bytes that the archive states", entry.size)));
            }
            Err(error) => return Err(Error::new("its compressed data is damaged or too short").because(error)),
        }
        Ok(content)
    }
}

/// Writes `tensors` as an archive that `numpy.load` reads: stored members, in this order, the same bytes each time.
///
/// # Errors
/// Those of `out` and of the sources; when a source does not fit its shape, a name occurs twice, or NumPy's format has no
/// such element type.
pub fn write(out: &mut impl Write, tensors: &[TensorOut]) -> Result<()> {
    let mut names = std::collections::HashSet::new();
    let mut archive = zip::Writer::new(out);
    for tensor in tensors {
        if !names.insert(&tensor.name) {
            return Err(Error::new(format!("the tensor name `{}` occurs twice", tensor.name.escape_debug())));
        }
        let dtype = DTYPES.iter().find(|pair| pair.1 == tensor.dtype).map(|pair| pair.0);
        let dtype = dtype.ok_or_else(|| Error::new(format!("`.npz` has no element type `{}`", tensor.dtype.name())))?;
        let mut header = Vec::new();
        npy::write_header(&mut header, dtype, &tensor.shape).map_err(zip::cannot_write)?;
        let size = tensor.len()? + header.len() as u64;
        archive.entry(&format!("{}.npy", tensor.name), size, 64, &mut |out| {
            out.write_all(&header).map_err(zip::cannot_write)?;
            tensor.write_to(out)
        })?;
    }
    archive.finish()?;
    Ok(())
}

#[cfg(test)]
mod tests;
