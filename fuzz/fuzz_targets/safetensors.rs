//! The safetensors reader. The length of the header is put in front as well: then the fuzzer need not keep it right.
#![no_main]

mod common;

use libfuzzer_sys::fuzz_target;
use nnue::internals::files::Bytes;
use nnue::internals::format::safetensors;

fuzz_target!(|data: &[u8]| {
    let header = data.iter().rposition(|&byte| byte == b'}').map_or(0, |at| at + 1);
    let framed = [&(header as u64).to_le_bytes()[..], data].concat();
    for bytes in [data.to_vec(), framed] {
        if let Ok(file) = safetensors::read(Bytes::from_vec(bytes)) {
            file.tensors.iter().for_each(|(_, tensor)| common::use_tensor(tensor));
        }
    }
});
