//! The `.npz` reader, stored and compressed members.
#![no_main]

mod common;

use libfuzzer_sys::fuzz_target;
use nnue::internals::files::Bytes;
use nnue::internals::format::npz::Npz;

fuzz_target!(|data: &[u8]| {
    if let Ok(npz) = Npz::open(Bytes::from_vec(data.to_vec())) {
        npz.names().filter_map(|name| npz.array(name).ok()).for_each(|tensor| common::use_tensor(&tensor));
    }
});
