//! The `.nnue` reader, and the search for nets inside other files. Seeds: `cargo test --test properties mutations_nnue -- --ignored`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nnue::internals::format::nnue::{Expectation, find_embedded, read, write};

fuzz_target!(|data: &[u8]| {
    if let Ok(parsed) = read(data, &Expectation::default()) {
        assert_eq!(parsed.end, data.len());
        assert_eq!(parsed.ranges().unwrap().len(), parsed.entries.len());
        if let Some(compression) = parsed.compression {
            let mut bytes = Vec::new();
            write(&mut bytes, &parsed.network, compression).unwrap();
            assert_eq!(bytes, data, "what is read is written again, byte for byte");
        }
    }
    for embedded in find_embedded(data).unwrap_or_default() {
        assert!(embedded.offset + embedded.bytes <= data.len());
    }
});
