//! The `.npy` reader.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok((header, content)) = nnue::internals::format::npy::parse(data) {
        assert_eq!(header.shape.iter().product::<usize>() * header.dtype.size(), content.len());
    }
});
