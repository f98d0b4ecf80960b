//! PyTorch's legacy container. The magic number and the version are put in front: no fuzzer guesses them.
#![no_main]

mod common;

use libfuzzer_sys::fuzz_target;

const HEAD: &[u8] = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}.";

fuzz_target!(|data: &[u8]| {
    common::use_torch(data.to_vec());
    common::use_torch([HEAD, data].concat());
});
