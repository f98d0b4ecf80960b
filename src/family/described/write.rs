//! Tensors → bytes of a file in a layout.

use std::borrow::Cow;
use std::io::{self, Write};

use super::model::{Architecture, Encoding, Field, Header, Layout, Packing, Piece, Stored};
use super::pack;
use super::plan::header_of;
use super::read::{Contents, aligned};
use super::tensor::{Order, Tensor};
use crate::error::{Error, Result};

/// Writes `contents`, whose tensors are as the plan for `layout` leaves them.
///
/// # Errors
/// Those of `out`, a header that the source has not, and a section too long for its length.
pub(crate) fn write(architecture: &Architecture, layout: &Layout, contents: &Contents, out: &mut dyn Write) -> Result<()> {
    match layout.zstd {
        None => write_plain(architecture, layout, contents, out),
        Some(level) => {
            let mut plain = Vec::new();
            write_plain(architecture, layout, contents, &mut plain)?;
            out.write_all(&super::zstd::compress(&plain, level)?).map_err(failed)
        }
    }
}

fn failed(error: io::Error) -> Error {
    Error::new("cannot write the file").because(error)
}

fn write_plain(architecture: &Architecture, layout: &Layout, contents: &Contents, out: &mut dyn Write) -> Result<()> {
    let mut writer = Writer { out, at: 0, fields: contents.kept.fields.iter() };
    match (&layout.header, header_of(architecture, layout)) {
        (Header::Keep, Header::Fields(_)) => {
            writer.put(&contents.kept.header)?;
            // What is kept within the header is not for the fields behind it.
            for field in header_fields(header_of(architecture, layout)) {
                if !matches!(field, Field::Fixed(..)) {
                    writer.fields.next();
                }
            }
        }
        (_, Header::Fields(fields)) => fields.iter().try_for_each(|field| writer.field(field))?,
        (Header::Keep, _) => return Err(Error::new("there is no header to keep").because("the layout of the source has none")),
        _ => {}
    }
    let in_file: Vec<Cow<'_, [u8]>> =
        layout.tensors.iter().map(|stored| in_file(architecture, layout, stored, contents)).collect::<Result<_>>()?;
    if layout.encoding == Encoding::Checkpoint {
        for (stored, bytes) in layout.tensors.iter().zip(&in_file) {
            writer.put(stored.id.as_deref().unwrap_or_default().as_bytes())?;
            writer.put(b"\n")?;
            writer.put(&((bytes.len() / 4) as u64).to_le_bytes())?;
            writer.put(bytes)?;
        }
    } else {
        for piece in &layout.pieces {
            match piece {
                Piece::Field(field) => writer.field(field)?,
                Piece::Tensor(index, slice) => writer.tensor(architecture, layout, *index, *slice, &in_file, contents)?,
            }
        }
    }
    let rest = aligned(writer.at, layout.pad) - writer.at;
    let fill: Vec<u8> = layout.pad_with.iter().copied().cycle().take(rest).collect();
    writer.put(&fill)
}

fn header_fields(header: &Header) -> &[Field] {
    match header {
        Header::Fields(fields) => fields,
        _ => &[],
    }
}

/// The tensor in the order of the file.
fn in_file<'a>(architecture: &Architecture, layout: &Layout, stored: &Stored, contents: &'a Contents) -> Result<Cow<'a, [u8]>> {
    let tensor = contents.tensors[stored.tensor].as_ref();
    let Tensor { dtype, shape, bytes } = tensor
        .filter(|tensor| tensor.dtype == stored.dtype)
        .ok_or_else(|| Error::new(format!("the layout `{}` cannot take `{}`", layout.name.text, stored.role.text)))?;
    let order = Order::new(&architecture.tensors[stored.tensor].axes, shape, &stored.order);
    Ok(if order.is_identity() { Cow::Borrowed(&**bytes) } else { Cow::Owned(order.to_file(bytes, dtype.size())) })
}

/// Counts what was written.
struct Writer<'a> {
    out: &'a mut dyn Write,
    at: usize,
    fields: std::slice::Iter<'a, Vec<u8>>,
}

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.at += bytes.len();
        self.out.write_all(bytes).map_err(failed)
    }

    fn align(&mut self, to: usize) -> Result<()> {
        const ZEROS: [u8; 64] = [0; 64];
        let mut left = aligned(self.at, to) - self.at;
        while left > 0 {
            let part = left.min(ZEROS.len());
            self.put(&ZEROS[..part])?;
            left -= part;
        }
        Ok(())
    }

    fn field(&mut self, field: &Field) -> Result<()> {
        let missing = || {
            Error::new("a field of the file is taken over from the source, which has none")
                .help("convert from a layout that has the field, too")
        };
        match field {
            Field::Fixed(bytes, _) => self.put(bytes),
            Field::Opaque(size) => {
                let kept = self.fields.next().filter(|kept| kept.len() == *size).ok_or_else(missing)?;
                self.put(kept)
            }
            Field::Counted => {
                let kept = self.fields.next().ok_or_else(missing)?;
                self.put(&(kept.len() as u32).to_le_bytes())?;
                self.put(kept)
            }
        }
    }

    fn tensor(
        &mut self,
        architecture: &Architecture,
        layout: &Layout,
        index: usize,
        slice: Option<usize>,
        in_file: &[Cow<'_, [u8]>],
        contents: &Contents,
    ) -> Result<()> {
        let (stored, bytes) = (&layout.tensors[index], &in_file[index]);
        let Some(Tensor { shape, .. }) = &contents.tensors[stored.tensor] else { return Ok(()) };
        let slices = Order::new(&architecture.tensors[stored.tensor].axes, shape, &stored.order).slices().max(1);
        let length = bytes.len() / slices;
        let (first, times, length) = match (slice, stored.each) {
            (Some(slice), _) => (slice, 1, length),
            (None, true) => (0, slices, length),
            (None, false) => (0, 1, bytes.len()),
        };
        for slice in first..first + times {
            self.align(stored.align)?;
            let bytes = bytes.get(slice * length..(slice + 1) * length).unwrap_or_default();
            match stored.packing {
                Packing::Raw => self.put(bytes)?,
                Packing::Leb128 => {
                    for batch in bytes.chunks(pack::VALUES_A_BATCH * stored.dtype.size()) {
                        pack::encode(batch, stored.dtype).iter().try_for_each(|piece| self.put(piece))?;
                    }
                }
                Packing::Section => {
                    let pieces = pack::encode(bytes, stored.dtype);
                    let length: usize = pieces.iter().map(Vec::len).sum();
                    let length =
                        u32::try_from(length).map_err(|_| Error::new(format!("`{}` is too long for a section", stored.role.text)))?;
                    self.put(pack::SECTION)?;
                    self.put(&length.to_le_bytes())?;
                    pieces.iter().try_for_each(|piece| self.put(piece))?;
                }
            }
        }
        if stored.each { self.align(stored.align) } else { Ok(()) }
    }
}
