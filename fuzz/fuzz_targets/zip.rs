//! The zip reader, and PyTorch's archives as they come.
#![no_main]

mod common;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(entries) = nnue::internals::format::zip::read(data) {
        // Entries lie inside the file and do not overlap.
        let mut ranges: Vec<_> = entries.iter().map(|entry| entry.range.clone()).collect();
        ranges.sort_by_key(|range| range.start);
        assert!(ranges.iter().all(|range| range.start <= range.end && range.end <= data.len()));
        assert!(ranges.windows(2).all(|pair| pair[0].end <= pair[1].start));
    }
    if data.starts_with(nnue::internals::format::zip::MAGIC) {
        common::use_torch(data.to_vec());
    }
});
