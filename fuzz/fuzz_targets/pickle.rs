//! The pickle machine and what is made of its values: the input is the pickle of an archive with two storages.
#![no_main]

mod common;

use std::io::Write;

use libfuzzer_sys::fuzz_target;
use nnue::internals::{error::Error, format::zip};

fuzz_target!(|data: &[u8]| {
    let mut archive = zip::Writer::new(Vec::new());
    for (name, content) in [("a/data.pkl", data), ("a/data/0", &[0x3f; 16][..]), ("a/data/1", &[1; 24])] {
        let mut write = |out: &mut dyn Write| out.write_all(content).map_err(|error| Error::new(error.to_string()));
        archive.entry(name, content.len() as u64, 64, &mut write).unwrap();
    }
    common::use_torch(archive.finish().unwrap());
});
