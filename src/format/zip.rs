//! Zip archives as PyTorch and NumPy write them: a strict reader over a byte slice, and a deterministic writer.
//!
//! A zip file says most things twice (local header, central directory, data descriptor, two end records), and readers that
//! trust different copies see different files. This reader accepts an archive only when all copies agree and every byte
//! belongs to exactly one entry: no prefix, no gap, no overlap, no comment, no two entries of one name.
//!
//! # Limitations
//! Reads stored and deflated entries, zip64, data descriptors with a signature. No encryption, no multi-volume archives, no
//! archive comment. Writes stored entries only.

use std::{collections::HashSet, io::Write, ops::Range};

use crate::error::{Error, Result};
use crate::files::{HashingWriter, Reader, digest::StreamDigest};

/// An entry of an archive.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Name with `/` between its parts: relative, without `.` and `..`.
    pub name: String,
    /// True when `range` holds a deflate stream, false when it holds the content itself.
    pub deflated: bool,
    /// Where the entry's data lies in the archive.
    pub range: Range<usize>,
    /// Size of the content; equals the length of `range` for stored entries.
    pub size: u64,
    /// CRC-32 of the content.
    pub crc: u32,
}

impl Entry {
    /// True when `content` has the entry's CRC-32.
    pub fn matches_crc(&self, content: &[u8]) -> bool {
        let mut crc = flate2::Crc::new();
        crc.update(content);
        crc.sum() == self.crc
    }
}

/// The bytes with which an archive begins.
pub const MAGIC: &[u8; 4] = b"PK\x03\x04";

const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
const END64: u32 = 0x0606_4b50;
const LOCATOR64: u32 = 0x0706_4b50;
const DESCRIPTOR: u32 = 0x0807_4b50;

const END_SIZE: usize = 22;
const LOCATOR64_SIZE: usize = 20;
const MAX_ENTRIES: usize = 1_000_000;

/// Flag bits that may be set: deflate's level (1, 2), data descriptor (3), UTF-8 name (11).
const KNOWN_FLAGS: u16 = 0x080e;
const HAS_DESCRIPTOR: u16 = 0x0008;
const UTF8: u16 = 0x0800;

/// Reads the directory of the archive `bytes`, in its own order, after checking that all headers agree. Contents are not
/// looked at.
///
/// # Errors
/// When the archive is truncated, inconsistent, or uses what this reader does not know; the message says which entry.
pub fn read(bytes: &[u8]) -> Result<Vec<Entry>> {
    let directory = find_directory(bytes)?;
    let mut at = directory.range.start;
    let mut entries = Vec::new();
    let mut extents = Vec::new();
    let mut names = HashSet::new();
    for index in 0..directory.entries {
        let (entry, extent, next) = read_entry(bytes, at, directory.range.end, directory.range.start)
            .map_err(|error| error.context(format!("entry {index} of the zip directory is wrong")))?;
        if !names.insert(entry.name.clone()) {
            return Err(refuse(format!("two entries are called `{}`", show(&entry.name))));
        }
        extents.push((extent, entries.len()));
        entries.push(entry);
        at = next;
    }
    if at != directory.range.end {
        return Err(refuse(format!(
            "the zip directory says {} entries, but {} more bytes follow them",
            directory.entries,
            directory.range.end - at
        )));
    }
    extents.sort_by_key(|(extent, _)| extent.start);
    let mut end = 0;
    for (extent, index) in extents {
        let name = entries.get(index).map_or("", |entry| entry.name.as_str());
        if extent.start < end {
            return Err(refuse(format!("entry `{}` overlaps the one before it", show(name))));
        }
        if extent.start > end {
            return Err(refuse(format!("{} bytes before entry `{}` belong to no entry", extent.start - end, show(name))));
        }
        end = extent.end;
    }
    if end != directory.range.start {
        return Err(refuse(format!("{} bytes before the zip directory belong to no entry", directory.range.start.saturating_sub(end))));
    }
    Ok(entries)
}

fn refuse(why: String) -> Error {
    Error::new("the zip archive is damaged or was tampered with").because(why)
}

/// A name as it may stand in a message.
fn show(name: &str) -> String {
    name.chars().take(200).collect::<String>().escape_debug().to_string()
}

struct Directory {
    range: Range<usize>,
    entries: usize,
}

fn find_directory(bytes: &[u8]) -> Result<Directory> {
    let end_at = bytes.len().checked_sub(END_SIZE).ok_or_else(|| truncated(bytes))?;
    let mut end = header(bytes).at(end_at);
    if end.u32()? != END {
        return Err(truncated(bytes));
    }
    let (disk, directory_disk, here, total) = (end.u16()?, end.u16()?, end.u16()?, end.u16()?);
    let (size, offset, comment) = (end.u32()?, end.u32()?, end.u16()?);
    if comment != 0 {
        return Err(refuse("its end record announces a comment that is not there".into()));
    }
    if disk != 0 || directory_disk != 0 || here != total {
        return Err(refuse("it is one volume of several".into()));
    }
    let (mut size, mut offset, mut total) = (u64::from(size), u64::from(offset), u64::from(total));
    let mut directory_end = end_at;
    let locator_at = end_at.checked_sub(LOCATOR64_SIZE);
    if let Some(locator_at) = locator_at.filter(|&at| header(bytes).at(at).u32().is_ok_and(|signature| signature == LOCATOR64)) {
        let mut locator = header(bytes).at(locator_at + 4);
        let (disk, end64_at, disks) = (locator.u32()?, locator.u64()?, locator.u32()?);
        let end64_at = to_usize(end64_at)?;
        let mut end64 = header(bytes).at(end64_at);
        if disk != 0 || disks > 1 || end64.u32()? != END64 {
            return Err(refuse("its zip64 locator points to no end record".into()));
        }
        let record = end64.u64()?;
        let (_made_by, _needed) = (end64.u16()?, end64.u16()?);
        let (disk, directory_disk, here64, total64) = (end64.u32()?, end64.u32()?, end64.u64()?, end64.u64()?);
        let (size64, offset64) = (end64.u64()?, end64.u64()?);
        if disk != 0 || directory_disk != 0 || here64 != total64 || record != 44 || end64.position() != locator_at {
            return Err(refuse("its zip64 end record is malformed".into()));
        }
        let agrees = |short: u64, long: u64, saturated: u64| short == long || short == saturated;
        if !agrees(total, total64, 0xffff) || !agrees(size, size64, 0xffff_ffff) || !agrees(offset, offset64, 0xffff_ffff) {
            return Err(refuse("its two end records disagree".into()));
        }
        (size, offset, total) = (size64, offset64, total64);
        directory_end = end64_at;
    }
    let (start, size, entries) = (to_usize(offset)?, to_usize(size)?, to_usize(total)?);
    if start.checked_add(size) != Some(directory_end) {
        return Err(refuse(format!(
            "its directory should lie at byte {start} and be {size} bytes long, but ends at byte {directory_end}: bytes were put in or taken away"
        )));
    }
    if entries > MAX_ENTRIES {
        return Err(refuse(format!("it has {entries} entries, the limit is {MAX_ENTRIES}")));
    }
    Ok(Directory { range: start..directory_end, entries })
}

fn truncated(bytes: &[u8]) -> Error {
    Error::new("the zip archive is incomplete")
        .because(format!("its {} bytes do not close with an end-of-directory record", bytes.len()))
        .help("it was cut off or has something appended: copy or download the file again")
}

/// Reads the central header at `at`; gives the entry, the bytes it occupies in the archive, and where the next header is.
fn read_entry(bytes: &[u8], at: usize, limit: usize, data_limit: usize) -> Result<(Entry, Range<usize>, usize)> {
    let mut central = header(bytes.get(..limit).unwrap_or(bytes)).at(at);
    if central.u32()? != CENTRAL {
        return Err(refuse(format!("byte {at} does not begin a directory entry")));
    }
    let (_made_by, _needed, flags, method) = (central.u16()?, central.u16()?, central.u16()?, central.u16()?);
    let _time = central.u32()?;
    let (crc, packed, size) = (central.u32()?, central.u32()?, central.u32()?);
    let (name_len, extra_len, comment_len, disk) = (central.u16()?, central.u16()?, central.u16()?, central.u16()?);
    let (_internal, _external, offset) = (central.u16()?, central.u32()?, central.u32()?);
    let raw_name = central.take(usize::from(name_len))?;
    let extra = central.take(usize::from(extra_len))?;
    central.take(usize::from(comment_len))?;
    let name = check_name(raw_name, flags)?;
    let wrong = |why: String| refuse(format!("entry `{}` {why}", show(&name)));
    if disk != 0 {
        return Err(wrong("lies in another volume".into()));
    }
    if flags & !KNOWN_FLAGS != 0 {
        return Err(wrong(format!("is encrypted or otherwise special (flags {flags:#06x})")));
    }
    let deflated = match method {
        0 => false,
        8 => true,
        other => return Err(wrong(format!("is compressed with method {other}; 0 (stored) and 8 (deflated) are known"))),
    };
    let mut extra64 = header(zip64_extra(extra).map_err(|why| wrong(why.into()))?.unwrap_or_default());
    let mut widen = |value: u32| if value == u32::MAX { extra64.u64() } else { Ok(u64::from(value)) };
    let (size, packed, offset) = (widen(size)?, widen(packed)?, widen(offset)?);
    if !deflated && size != packed {
        return Err(wrong(format!("is stored, yet its two sizes are {packed} and {size}")));
    }

    let start = to_usize(offset)?;
    let mut local = header(bytes.get(..data_limit).unwrap_or(bytes)).at(start);
    if local.u32()? != LOCAL {
        return Err(wrong(format!("is said to begin at byte {start}, where no local header is")));
    }
    let (_needed, local_flags, local_method) = (local.u16()?, local.u16()?, local.u16()?);
    let _time = local.u32()?;
    let (local_crc, local_packed, local_size) = (local.u32()?, local.u32()?, local.u32()?);
    let (local_name_len, local_extra_len) = (local.u16()?, local.u16()?);
    if local.take(usize::from(local_name_len))? != raw_name {
        return Err(wrong("has another name in its local header".into()));
    }
    let local_extra64 = zip64_extra(local.take(usize::from(local_extra_len))?).map_err(|why| wrong(why.into()))?;
    let mut wide = header(local_extra64.unwrap_or_default());
    let mut widen = |value: u32| if value == u32::MAX && local_extra64.is_some() { wide.u64() } else { Ok(u64::from(value)) };
    let (local_size, local_packed) = (widen(local_size)?, widen(local_packed)?);
    let descriptor = flags & HAS_DESCRIPTOR != 0;
    // With a data descriptor the local header may leave these at zero; what it does state must be true.
    let agrees = |local: u64, central: u64| local == central || descriptor && local == 0;
    if local_flags != flags || local_method != method {
        return Err(wrong("has other flags or another method in its local header".into()));
    }
    if !agrees(u64::from(local_crc), u64::from(crc)) || !agrees(local_packed, packed) || !agrees(local_size, size) {
        return Err(wrong("has another size or checksum in its local header".into()));
    }
    let range = local.position()..local.position().checked_add(to_usize(packed)?).ok_or_else(|| wrong("is too large".into()))?;
    if range.end > data_limit {
        return Err(wrong(format!("should reach to byte {}, but the directory begins at byte {data_limit}", range.end)));
    }
    let mut end = range.end;
    if descriptor {
        end = check_descriptor(local.at(end), crc, packed, size, local_extra64.is_some())
            .ok_or_else(|| wrong("has another size or checksum in its data descriptor".into()))?;
    }
    if name.ends_with('/') && size != 0 {
        return Err(wrong("is a folder with content".into()));
    }
    Ok((Entry { name, deflated, range, size, crc }, start..end, central.position()))
}

/// Checks the data descriptor where `at` stands and gives its end. Its sizes have 8 bytes in zip64 entries.
fn check_descriptor(at: Reader<'_, Error>, crc: u32, packed: u64, size: u64, zip64: bool) -> Option<usize> {
    [zip64, !zip64].into_iter().find_map(|wide| {
        let mut r = at;
        let long = |r: &mut Reader<'_, Error>| if wide { r.u64() } else { r.u32().map(u64::from) };
        let right = r.u32().ok()? == DESCRIPTOR && r.u32().ok()? == crc && long(&mut r).ok()? == packed && long(&mut r).ok()? == size;
        right.then_some(r.position())
    })
}

/// The content of the zip64 extra field, if there is one.
fn zip64_extra(extra: &[u8]) -> Result<Option<&[u8]>, &'static str> {
    let mut r = header(extra);
    let mut found = None;
    while !r.rest().is_empty() {
        let (id, len) = (r.u16(), r.u16());
        let content = len.and_then(|len| r.take(usize::from(len)));
        match (id, content) {
            (Ok(1), Ok(_)) if found.is_some() => return Err("has two zip64 extra fields"),
            (Ok(1), Ok(content)) => found = Some(content),
            (Ok(_), Ok(_)) => {}
            _ => return Err("has a malformed extra field"),
        }
    }
    Ok(found)
}

fn check_name(raw: &[u8], flags: u16) -> Result<String> {
    let name = std::str::from_utf8(raw).ok().filter(|name| flags & UTF8 != 0 || name.is_ascii());
    let name = name.ok_or_else(|| refuse(format!("the entry name `{}` is not UTF-8", show(&String::from_utf8_lossy(raw)))))?;
    let wrong = |why: &str| Err(refuse(format!("the entry name `{}` {why}", show(name))));
    if name.starts_with('/') || name.contains('\\') || name.as_bytes().get(1) == Some(&b':') {
        return wrong("is not a relative path");
    }
    if name.chars().any(char::is_control) {
        return wrong("contains control characters");
    }
    if name.strip_suffix('/').unwrap_or(name).split('/').any(|part| matches!(part, "" | "." | "..")) {
        return wrong("has an empty part, `.` or `..`");
    }
    Ok(name.to_owned())
}

fn to_usize(value: u64) -> Result<usize> {
    usize::try_from(value).map_err(|_| refuse(format!("the offset or size {value} is out of range")))
}

/// Headers are read so that a cut one is named by its place.
fn header(bytes: &[u8]) -> Reader<'_, Error> {
    Reader::failing(bytes, |cut| refuse(format!("a header at byte {} is cut off", cut.at)))
}

/// Writes an archive of stored entries to a stream: the same entries give the same bytes, whatever the time.
///
/// Sizes and checksums follow each entry in a data descriptor, as PyTorch writes them, so the content is produced once.
#[must_use = "an archive without its directory is not an archive: call `finish`"]
pub struct Writer<W: Write> {
    out: W,
    at: u64,
    directory: Vec<u8>,
    entries: u64,
    /// Numbers from this on go to zip64 fields; lower in tests only.
    saturation: u64,
}

/// 1980-01-01 00:00:00, the earliest that a zip file can say.
const DOS_EPOCH: u32 = 0x0021_0000;
/// Extra field that PyTorch fills with padding ("FB").
const PADDING: u16 = 0x4246;

impl<W: Write> Writer<W> {
    /// An archive that begins where `out` stands.
    pub fn new(out: W) -> Self {
        Self { out, at: 0, directory: Vec::new(), entries: 0, saturation: u64::from(u32::MAX) }
    }

    /// Adds an entry of exactly `size` bytes that `content` writes; the first byte lies at a multiple of `align`
    /// (a power of two, up to 4096).
    ///
    /// # Errors
    /// Those of `out` and of `content`, and when `content` writes more or fewer bytes.
    pub fn entry(&mut self, name: &str, size: u64, align: u64, content: &mut dyn FnMut(&mut dyn Write) -> Result<()>) -> Result<()> {
        let start = self.at;
        let wide = size >= self.saturation;
        let mut extra = Vec::new();
        if wide {
            put(&mut extra, &[&1u16.to_le_bytes(), &16u16.to_le_bytes(), &[0; 16]]);
        }
        let header_end = start + 30 + name.len() as u64 + extra.len() as u64;
        if !header_end.is_multiple_of(align) {
            let padding = (align - (header_end + 4) % align) % align;
            put(&mut extra, &[&PADDING.to_le_bytes(), &(padding as u16).to_le_bytes(), &vec![0; padding as usize]]);
        }
        let saturation = self.saturation;
        let short = |value: u64| if value >= saturation { u32::MAX } else { value as u32 };
        let needed: u16 = if wide { 45 } else { 20 };
        let name_len = u16::try_from(name.len()).map_err(|_| Error::new(format!("the entry name `{}` is too long", show(name))))?;
        let mut header = Vec::new();
        let unknown = if wide { u32::MAX } else { 0 };
        put(&mut header, &[&LOCAL.to_le_bytes(), &needed.to_le_bytes(), &(UTF8 | HAS_DESCRIPTOR).to_le_bytes(), &0u16.to_le_bytes()]);
        put(&mut header, &[&DOS_EPOCH.to_le_bytes(), &0u32.to_le_bytes(), &unknown.to_le_bytes(), &unknown.to_le_bytes()]);
        put(&mut header, &[&name_len.to_le_bytes(), &(extra.len() as u16).to_le_bytes(), name.as_bytes(), &extra]);
        self.write(&header)?;

        let mut body = HashingWriter::<_, Crc32>::new(&mut self.out);
        content(&mut body)?;
        let (_, Crc32(crc), written) = body.finish();
        if written != size {
            return Err(Error::new(format!("entry `{}` should have {size} bytes, {written} were written", show(name))));
        }
        self.at += written;

        let mut descriptor = Vec::new();
        put(&mut descriptor, &[&DESCRIPTOR.to_le_bytes(), &crc.to_le_bytes()]);
        if wide {
            put(&mut descriptor, &[&size.to_le_bytes(), &size.to_le_bytes()]);
        } else {
            put(&mut descriptor, &[&(size as u32).to_le_bytes(), &(size as u32).to_le_bytes()]);
        }
        let (size32, start32) = (short(size), short(start));
        self.write(&descriptor)?;

        let mut extra = Vec::new();
        for value in [(size32, size), (size32, size), (start32, start)].iter().filter(|value| value.0 == u32::MAX) {
            extra.extend_from_slice(&value.1.to_le_bytes());
        }
        if !extra.is_empty() {
            let mut head = Vec::new();
            put(&mut head, &[&1u16.to_le_bytes(), &(extra.len() as u16).to_le_bytes()]);
            extra.splice(0..0, head);
        }
        let needed: u16 = if extra.is_empty() { 20 } else { 45 };
        let directory = &mut self.directory;
        put(directory, &[&CENTRAL.to_le_bytes(), &needed.to_le_bytes(), &needed.to_le_bytes(), &(UTF8 | HAS_DESCRIPTOR).to_le_bytes()]);
        put(directory, &[&0u16.to_le_bytes(), &DOS_EPOCH.to_le_bytes(), &crc.to_le_bytes(), &size32.to_le_bytes(), &size32.to_le_bytes()]);
        put(directory, &[&name_len.to_le_bytes(), &(extra.len() as u16).to_le_bytes(), &[0; 10], &start32.to_le_bytes()]);
        put(directory, &[name.as_bytes(), &extra]);
        self.entries += 1;
        Ok(())
    }

    /// Writes the directory and gives the stream back.
    ///
    /// # Errors
    /// Those of the stream.
    pub fn finish(mut self) -> Result<W> {
        let (start, size, entries) = (self.at, self.directory.len() as u64, self.entries);
        let mut end = std::mem::take(&mut self.directory);
        if start >= self.saturation || size >= self.saturation || entries >= 0xffff {
            let end64_at = start + size;
            put(&mut end, &[&END64.to_le_bytes(), &44u64.to_le_bytes(), &45u16.to_le_bytes(), &45u16.to_le_bytes(), &[0; 8]]);
            put(&mut end, &[&entries.to_le_bytes(), &entries.to_le_bytes(), &size.to_le_bytes(), &start.to_le_bytes()]);
            put(&mut end, &[&LOCATOR64.to_le_bytes(), &0u32.to_le_bytes(), &end64_at.to_le_bytes(), &1u32.to_le_bytes()]);
        }
        let saturation = self.saturation;
        let short = |value: u64| if value >= saturation { u32::MAX } else { value as u32 };
        let count = u16::try_from(entries).unwrap_or(u16::MAX);
        put(&mut end, &[&END.to_le_bytes(), &[0; 4], &count.to_le_bytes(), &count.to_le_bytes()]);
        put(&mut end, &[&short(size).to_le_bytes(), &short(start).to_le_bytes(), &[0; 2]]);
        self.write(&end)?;
        Ok(self.out)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes).map_err(cannot_write)?;
        self.at += bytes.len() as u64;
        Ok(())
    }
}

/// An error of the stream that is written to; whoever opened it adds the path.
pub(crate) fn cannot_write(error: std::io::Error) -> Error {
    Error::new("cannot write").because(error)
}

fn put(out: &mut Vec<u8>, parts: &[&[u8]]) {
    parts.iter().for_each(|part| out.extend_from_slice(part));
}

/// The checksum of zip entries.
struct Crc32(u32);

impl StreamDigest for Crc32 {
    type State = flate2::Crc;
    fn update(state: &mut flate2::Crc, bytes: &[u8]) {
        state.update(bytes);
    }
    fn finish(state: flate2::Crc) -> Self {
        Self(state.sum())
    }
}

#[cfg(test)]
mod tests;
