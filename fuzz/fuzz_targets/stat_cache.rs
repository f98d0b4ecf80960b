//! The file of what digests were seen. The checksum is put behind as well: then the fuzzer need not keep it right.
#![no_main]

mod common;

use libfuzzer_sys::fuzz_target;
use nnue::internals::cache::{StatCache, Trust};
use nnue::internals::ctx::Ctx;
use nnue::internals::files::{Blake3, hash_file_blake3};

fuzz_target!(|data: &[u8]| {
    for bytes in [data.to_vec(), [data, &Blake3::of(data).0].concat()] {
        let path = common::file("files.bin", &bytes);
        let file = common::file("file", b"content");
        let cache = StatCache::load(&path, Trust::Settled, &Ctx::silent());
        // Whatever it says of other files, this one is new.
        assert_eq!(cache.blake3(&file).unwrap().digest, hash_file_blake3(&file, &Ctx::silent()).unwrap().0);
        cache.save();
        // What was saved is read, and says the same.
        let again = StatCache::load(&path, Trust::Settled, &Ctx::silent());
        assert_eq!(again.blake3(&file).unwrap().digest, hash_file_blake3(&file, &Ctx::silent()).unwrap().0);
    }
});
