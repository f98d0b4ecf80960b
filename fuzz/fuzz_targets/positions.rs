//! Training data: `.binpack`, `.bin` and lines of FEN. The magic and a chunk's head are put in front as well: no fuzzer guesses them.
//!
//! The decoder of binpacks panics at what is damaged, and its panics become errors: so only those count that reach this file.
#![no_main]

mod common;

use libfuzzer_sys::fuzz_target;
use nnue::internals::{ctx::Ctx, positions::Stream};

fn read(name: &str, data: &[u8]) {
    let path = common::file(name, data);
    let ctx = Ctx::silent();
    let Ok(stream) = Stream::open(&[path], &ctx) else { return };
    let mut entries = 0u64;
    let _ = stream.read_all(&ctx, |entry| {
        // What is a position can be written.
        assert!(!entry.position.to_fen().is_empty());
        entries += 1;
        Ok(())
    });
    // An entry of a binpack takes a bit of a move list at the least, a line of text more than a byte.
    assert!(entries <= 8 * data.len() as u64 + 8);
}

fuzz_target!(
    init: std::panic::set_hook(Box::new(|_| {})),
    |data: &[u8]| {
        let length = u32::try_from(data.len()).unwrap_or(u32::MAX).to_le_bytes();
        read("p.binpack", &[b"BINP", &length[..], data].concat());
        read("p.binpack", data);
        read("p.bin", data);
        read("p.fen", data);
    }
);
