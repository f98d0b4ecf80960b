//! As `zip`, but the input is an archive in its parts: headers, directory and end agree but for what the input says. So what two places say
//! differently is tried one at a time.
#![no_main]

mod common;

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use nnue::internals::format::zip;

#[derive(Arbitrary, Debug)]
struct Entry {
    name: u8,
    content: Vec<u8>,
    extra: Vec<u8>,
    method: bool,
    /// Added to what stands in the entry's own header and in the directory.
    local: [i8; 4],
    central: [i8; 5],
    has_descriptor: bool,
    gap: u8,
}

#[derive(Arbitrary, Debug)]
struct Archive {
    entries: Vec<Entry>,
    count: i8,
    size: i8,
    start: i8,
    comment: Vec<u8>,
    behind: Vec<u8>,
}

const NAMES: [&str; 6] = ["a/data.pkl", "a/version", "a/data/0", "a/data/1", "a/byteorder", "../a"];

fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| crc >> 1 ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 }))
}

fn shifted(value: usize, by: i8) -> u32 {
    (value as u32).wrapping_add_signed(by.into())
}

/// What the headers have in common: version, flags, method, time, date, checksum and sizes.
fn common_part(entry: &Entry, by: &[i8]) -> Vec<u8> {
    let flags = u16::from(entry.has_descriptor) << 3;
    let mut out = Vec::new();
    for word in [20, flags, u16::from(entry.method) * 8, 0, 0] {
        out.extend(word.to_le_bytes());
    }
    out.extend(crc(&entry.content).wrapping_add_signed(by[0].into()).to_le_bytes());
    out.extend(shifted(entry.content.len(), by[1]).to_le_bytes());
    out.extend(shifted(entry.content.len(), by[2]).to_le_bytes());
    out
}

fuzz_target!(|archive: Archive| {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for entry in &archive.entries {
        let name = NAMES[usize::from(entry.name) % NAMES.len()];
        file.extend(vec![0; usize::from(entry.gap % 4)]);
        let at = file.len();
        let lengths = [(name.len() as u16).wrapping_add_signed(entry.local[3].into()), entry.extra.len() as u16];
        file.extend(b"PK\x03\x04");
        file.extend(common_part(entry, &entry.local));
        lengths.iter().for_each(|length| file.extend(length.to_le_bytes()));
        file.extend(name.as_bytes());
        file.extend(&entry.extra);
        file.extend(&entry.content);
        if entry.has_descriptor {
            file.extend(b"PK\x07\x08");
            file.extend(&common_part(entry, &[0; 3])[10..]);
        }
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(common_part(entry, &entry.central));
        directory.extend((name.len() as u16).wrapping_add_signed(entry.central[3].into()).to_le_bytes());
        directory.extend([0; 12]);
        directory.extend(shifted(at, entry.central[4]).to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let start = file.len();
    file.extend(&directory);
    file.extend(b"PK\x05\x06\0\0\0\0");
    let count = (archive.entries.len() as u16).wrapping_add_signed(archive.count.into());
    [count, count].iter().for_each(|count| file.extend(count.to_le_bytes()));
    file.extend(shifted(directory.len(), archive.size).to_le_bytes());
    file.extend(shifted(start, archive.start).to_le_bytes());
    file.extend((archive.comment.len() as u16).to_le_bytes());
    file.extend(&archive.comment);
    file.extend(&archive.behind);
    if let Ok(entries) = zip::read(&file) {
        assert!(archive.behind.is_empty(), "nothing stands behind the end");
        for entry in &entries {
            assert!(entry.range.end <= start, "contents lie before the directory");
        }
    }
    common::use_torch(file);
});
