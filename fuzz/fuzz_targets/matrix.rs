//! Activation matrices, as the cache and as NumPy files have them, and permutations.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nnue::internals::permutation::{ActivationMatrix, read_matrix, read_permutation, write_permutation};

fuzz_target!(|data: &[u8]| {
    if let Ok(matrix) = ActivationMatrix::read(data) {
        let mut bytes = Vec::new();
        matrix.write(&mut bytes).unwrap();
        assert_eq!(bytes, data, "what is read is written again, byte for byte");
    }
    let l1 = data.first().map(|&byte| 2 * usize::from(byte));
    for l1 in [None, l1] {
        if let Ok(matrix) = read_matrix(data, l1) {
            let mut bytes = Vec::new();
            matrix.write(&mut bytes).unwrap();
            assert_eq!(ActivationMatrix::read(&bytes).unwrap(), matrix);
        }
    }
    if let Ok(permutation) = read_permutation(data) {
        let mut bytes = Vec::new();
        write_permutation(&permutation, &mut bytes).unwrap();
        assert_eq!(read_permutation(&bytes).unwrap(), permutation);
    }
});
