//! Bytes of a file in a layout → tensors. Every range is checked against the file before anything is read or allocated.

use std::ops::Range;

use super::model::{Architecture, DType, Encoding, Field, Header, Layout, Packing, Piece, Stored};
use super::pack;
use super::plan::{State, header_of, state_of};
use super::tensor::{Order, Storage, Tensor};
use crate::error::{Error, Result};
use crate::files::Bytes;
use crate::words::suggest;

/// A file that was read.
#[derive(Debug, Clone)]
pub(crate) struct Contents {
    /// By their index in the architecture.
    pub tensors: Vec<Option<Tensor>>,
    pub kept: Kept,
}

impl Contents {
    /// Bytes of all values.
    pub fn bytes(&self) -> u64 {
        self.tensors.iter().flatten().map(|tensor| tensor.bytes.len() as u64).sum()
    }
}

/// What a file holds beside tensors and fixed bytes.
#[derive(Debug, Default, Clone)]
pub(crate) struct Kept {
    /// All bytes before the first tensor.
    pub header: Vec<u8>,
    /// Opaque and counted fields, in order.
    pub fields: Vec<Vec<u8>>,
}

/// Where everything lies.
struct Map {
    /// Of each tensor of the layout: its slices.
    ranges: Vec<Vec<Range<usize>>>,
    kept: Kept,
}

/// Reads a file that is in `layout`.
///
/// # Errors
/// When it is not, with the reason.
pub(crate) fn read(architecture: &Architecture, layout: &Layout, file: &Bytes) -> Result<Contents> {
    let state = state_of(architecture, layout);
    let file = &unpacked(architecture, layout, &state, file)?;
    let map = Walker::new(layout, &state, file).walk(architecture)?;
    let mut tensors: Vec<Option<Tensor>> = vec![None; architecture.tensors.len()];
    for (stored, ranges) in layout.tensors.iter().zip(&map.ranges) {
        let Some((_, shape)) = &state[stored.tensor] else { continue };
        let spec = &architecture.tensors[stored.tensor];
        let order = Order::new(&spec.axes, shape, &stored.order);
        let bytes = values(stored, &order, ranges, file, shape)
            .map_err(|why| Error::new(format!("`{}` cannot be read", stored.role.text)).because(why))?;
        tensors[stored.tensor] = Some(Tensor { dtype: stored.dtype, shape: shape.clone(), bytes });
    }
    Ok(Contents { tensors, kept: map.kept })
}

/// Whether a file is in `layout`, and if not, why.
pub(crate) fn fits(architecture: &Architecture, layout: &Layout, file: &Bytes) -> Result<()> {
    let state = state_of(architecture, layout);
    let file = &unpacked(architecture, layout, &state, file)?;
    Walker::new(layout, &state, file).walk(architecture).map(|_| ())
}

/// The file without the compression around it.
fn unpacked(architecture: &Architecture, layout: &Layout, state: &State, file: &Bytes) -> Result<Bytes> {
    const MAGIC: &[u8] = b"\x28\xB5\x2F\xFD";
    match (layout.zstd, file.starts_with(MAGIC)) {
        (None, false) => Ok(file.clone()),
        (None, true) => {
            Err(Error::new("the file is compressed with zstd").because("the layout is not").help("decompress it first: `zstd -d FILE`"))
        }
        (Some(_), false) => Err(Error::new("the file is not compressed with zstd").because("the layout is")),
        (Some(_), true) => super::zstd::decompress(file, most_bytes(architecture, layout, state)).map(Bytes::from_vec),
    }
}

/// What a file in this layout has at most.
fn most_bytes(architecture: &Architecture, layout: &Layout, state: &State) -> usize {
    // Packed values have five bytes at most; names, alignment and padding are bounded by what the architecture file says.
    let values = layout.tensors.iter().filter_map(|stored| state[stored.tensor].as_ref().map(|(dtype, shape)| (stored, dtype, shape)));
    let tensors = values.map(|(stored, dtype, shape)| {
        let count = shape.iter().fold(1usize, |product, size| product.saturating_mul(*size));
        let slices = Order::new(&architecture.tensors[stored.tensor].axes, shape, &stored.order).slices();
        let each = if stored.packing == Packing::Raw { dtype.size() } else { 6 };
        count.saturating_mul(each).saturating_add(stored.align.saturating_mul(slices + 2)).saturating_add(1 << 12)
    });
    tensors.fold(layout.pad.saturating_add(1 << 20), usize::saturating_add)
}

/// Goes through a file from its first byte to its last.
struct Walker<'a> {
    layout: &'a Layout,
    state: &'a State,
    file: &'a Bytes,
    at: usize,
    map: Map,
}

impl<'a> Walker<'a> {
    fn new(layout: &'a Layout, state: &'a State, file: &'a Bytes) -> Self {
        let map = Map { ranges: vec![Vec::new(); layout.tensors.len()], kept: Kept::default() };
        Self { layout, state, file, at: 0, map }
    }

    fn walk(mut self, architecture: &Architecture) -> Result<Map> {
        if let Header::Fields(fields) = header_of(architecture, self.layout) {
            fields.iter().try_for_each(|field| self.field(field))?;
        }
        self.map.kept.header = self.file.get(..self.at).unwrap_or_default().to_vec();
        if self.layout.encoding == Encoding::Checkpoint {
            self.checkpoint()?;
        } else {
            for piece in &self.layout.pieces {
                match piece {
                    Piece::Field(field) => self.field(field)?,
                    Piece::Tensor(index, slice) => self.tensor(architecture, *index, *slice)?,
                }
            }
        }
        self.end()?;
        Ok(self.map)
    }

    /// The file ends where the layout does; the rest up to a multiple of the alignment may follow.
    fn end(&self) -> Result<()> {
        let length = self.file.len();
        let padded = aligned(self.at, if self.layout.pad > 1 { self.layout.pad } else { self.layout.align });
        if length == padded || (length == self.at && self.layout.pad <= 1) {
            return Ok(());
        }
        let wanted = if self.layout.pad > 1 { padded } else { self.at };
        let difference = if length > wanted { "more" } else { "less" };
        Err(Error::new(format!("the layout `{}` takes {wanted} bytes, the file has {length}", self.layout.name.text))
            .because(format!("{} bytes {difference}", length.abs_diff(wanted)))
            .help("check the sizes; each can be given with `--set sizes.NAME=NUMBER`"))
    }

    fn field(&mut self, field: &Field) -> Result<()> {
        let cut = || Error::new("the file ends inside its header");
        let start = self.at;
        let length = match field {
            Field::Fixed(bytes, _) => bytes.len(),
            Field::Opaque(size) => *size,
            Field::Counted => {
                let count = self.file.get(start..).and_then(|rest| rest.first_chunk()).ok_or_else(cut)?;
                4 + u32::from_le_bytes(*count) as usize
            }
        };
        let found = start.checked_add(length).and_then(|end| self.file.get(start..end)).ok_or_else(cut)?;
        match field {
            Field::Fixed(bytes, _) if found == bytes.as_slice() => {}
            Field::Fixed(_, shown) => {
                let first: Vec<String> = found.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
                return Err(Error::new(format!("{shown} is not at byte {start}")).because(format!("there is {}", first.join(" "))));
            }
            Field::Opaque(_) => self.map.kept.fields.push(found.to_vec()),
            Field::Counted => self.map.kept.fields.push(found[4..].to_vec()),
        }
        self.at += length;
        Ok(())
    }

    fn tensor(&mut self, architecture: &Architecture, index: usize, slice: Option<usize>) -> Result<()> {
        let stored = &self.layout.tensors[index];
        let Some((dtype, shape)) = &self.state[stored.tensor] else { return Ok(()) };
        let slices = Order::new(&architecture.tensors[stored.tensor].axes, shape, &stored.order).slices().max(1);
        let count: usize = shape.iter().product();
        let (times, count) = match (slice, stored.each) {
            (Some(_), _) => (1, count / slices),
            (None, true) => (slices, count / slices),
            (None, false) => (1, count),
        };
        // Each slice takes a byte at least: a file of a few bytes must not cost millions of steps.
        if times > 1 && times > self.file.len().saturating_sub(self.at) {
            return Err(Error::new(format!("the file ends inside `{}`", stored.role.text)));
        }
        for _ in 0..times {
            self.at = aligned(self.at, stored.align);
            let length = self.packed_length(stored, *dtype, count)?;
            let end = self.at.checked_add(length).ok_or_else(|| Error::new("the layout is too large"))?;
            self.map.ranges[index].push(self.at..end);
            self.at = end;
        }
        if stored.each {
            self.at = aligned(self.at, stored.align);
        }
        Ok(())
    }

    /// Bytes of the next `count` values.
    fn packed_length(&mut self, stored: &Stored, dtype: DType, count: usize) -> Result<usize> {
        let rest = self.file.get(self.at..).unwrap_or_default();
        let cut = || Error::new(format!("the file ends inside `{}`", stored.role.text));
        match stored.packing {
            Packing::Raw => count.checked_mul(dtype.size()).ok_or_else(cut),
            Packing::Leb128 => pack::length(rest, count).ok_or_else(cut),
            Packing::Section => {
                let rest = rest.strip_prefix(pack::SECTION).ok_or_else(|| {
                    Error::new(format!("`{}` is not at byte {}", stored.role.text, self.at)).because("no `COMPRESSED_LEB128` is there")
                })?;
                let length = u32::from_le_bytes(*rest.first_chunk().ok_or_else(cut)?) as usize;
                self.at += pack::SECTION.len() + 4;
                if length <= rest.len() - 4 { Ok(length) } else { Err(cut()) }
            }
        }
    }

    fn checkpoint(&mut self) -> Result<()> {
        let ids: Vec<&str> = self.layout.tensors.iter().filter_map(|stored| stored.id.as_deref()).collect();
        while self.at < self.file.len() {
            let rest = &self.file[self.at..];
            let broken = || Error::new(format!("no tensor of a bullet checkpoint is at byte {}", self.at));
            let (name, count) = tensor_of_bullet(rest).ok_or_else(broken)?;
            let start = self.at + name.len() + 9;
            let length = usize::try_from(count).ok().and_then(|count| count.checked_mul(4));
            let stop = length.and_then(|length| start.checked_add(length)).filter(|stop| *stop <= self.file.len());
            let stop = stop.ok_or_else(|| Error::new(format!("the file ends inside `{name}`")))?;
            let Some(index) = self.layout.tensors.iter().position(|stored| stored.id.as_deref() == Some(name)) else {
                let near = suggest(name, ids.iter().copied())
                    .map_or_else(|| "describe it, too".to_owned(), |near| format!("did you mean `{near}`?"));
                return Err(Error::new(format!("the checkpoint holds `{name}`, which the layout does not name")).help(near));
            };
            let wanted = self.state[self.layout.tensors[index].tensor].as_ref().map_or(0, |(_, shape)| shape.iter().product::<usize>());
            if wanted * 4 != stop - start || !self.map.ranges[index].is_empty() {
                return Err(Error::new(format!("`{name}` has {count} values")).because(format!("the architecture gives it {wanted}, once")));
            }
            self.map.ranges[index].push(start..stop);
            self.at = stop;
        }
        match self.map.ranges.iter().position(Vec::is_empty) {
            Some(index) => Err(Error::new(format!("the checkpoint does not hold `{}`", ids.get(index).unwrap_or(&"")))),
            None => Ok(()),
        }
    }
}

/// The next multiple of `to`; saturates.
pub(crate) fn aligned(at: usize, to: usize) -> usize {
    at.checked_next_multiple_of(to.max(1)).unwrap_or(usize::MAX)
}

/// The values of a tensor in its own order.
fn values(stored: &Stored, order: &Order, ranges: &[Range<usize>], file: &Bytes, shape: &[usize]) -> Result<Storage, String> {
    let count: usize = shape.iter().product();
    let slice = |range: &Range<usize>| file.get(range.clone()).unwrap_or_default();
    let in_file: Storage = match (stored.packing, ranges) {
        (Packing::Raw, [one]) => Storage::Mapped(file.clone(), one.clone()),
        (Packing::Raw, many) => Storage::Owned(many.iter().flat_map(slice).copied().collect()),
        (_, many) => {
            let mut all = Vec::new();
            for range in many {
                all.append(&mut pack::decode(slice(range), stored.dtype, count / many.len().max(1))?);
            }
            Storage::Owned(all)
        }
    };
    if order.is_identity() { Ok(in_file) } else { Ok(Storage::Owned(order.to_tensor(&in_file, stored.dtype.size()))) }
}

/// The name and the number of values of a tensor of a bullet checkpoint, which stand before it.
fn tensor_of_bullet(rest: &[u8]) -> Option<(&str, u64)> {
    let end = rest.iter().take(256).position(|byte| *byte == b'\n')?;
    let name = std::str::from_utf8(&rest[..end]).ok()?;
    Some((name, u64::from_le_bytes(*rest[end + 1..].first_chunk()?)))
}

/// Whether a file is, from its beginning to its end, tensors as a bullet checkpoint has them.
pub fn is_bullet_checkpoint(file: &[u8]) -> bool {
    let mut rest = file;
    while !rest.is_empty() {
        let Some((name, count)) = tensor_of_bullet(rest).filter(|(name, _)| name.bytes().all(|byte| byte.is_ascii_graphic())) else {
            return false;
        };
        let length = usize::try_from(count).ok().and_then(|count| count.checked_mul(4)?.checked_add(name.len() + 9));
        let Some(behind) = length.and_then(|length| rest.get(length..)).filter(|_| !name.is_empty()) else { return false };
        rest = behind;
    }
    !file.is_empty()
}
