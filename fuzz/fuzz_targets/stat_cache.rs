//! The file of what digests were seen. The checksum is put behind as well: then the fuzzer need not keep it right.
#![no_main]

mod common;

use libfuzzer_sys::fuzz_target;
use nnue::cache::{Blake3, StatCache, Trust, hash_file_blake3};
use nnue::ctx::Ctx;

fuzz_target!(|data: &[u8]| {
    for bytes in [data.to_vec(), [data, &Blake3::of(data).0].concat()] {
        let path = common::file("files.bin", &bytes);
        let file = common::file("file", b"content");
        let cache = StatCache::load(&path, Trust::Settled, &Ctx::silent());
        // Whatever it says of other files, this one is new.
        assert_eq!(cache.blake3(&file).unwrap().digest, hash_file_blake3(&file).unwrap().0);
        cache.save();
        // What was saved is read, and says the same.
        let again = StatCache::load(&path, Trust::Settled, &Ctx::silent());
        assert_eq!(again.blake3(&file).unwrap().digest, hash_file_blake3(&file).unwrap().0);
    }
});
