use super::*;

fn sample() -> ActivationMatrix {
    let rows: Vec<u64> = (0..3 * 12u64).map(|k| k.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ k << 7).collect();
    ActivationMatrix::from_word_rows(70, 12, &rows).unwrap()
}

#[test]
fn transposes_and_clears_what_is_past_the_end() {
    let matrix = sample();
    assert_eq!((matrix.samples(), matrix.words_per_column()), (140, 8));
    for neuron in 0..12 {
        let expected = |row: usize| {
            let k = (row * 12 + neuron) as u64;
            k.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ k << 7
        };
        assert_eq!(matrix.column(neuron), [expected(0), expected(1), expected(2) & 0xFFF, 0, 0, 0, 0, 0]);
    }
}

#[test]
fn piecewise_is_the_same() {
    let rows: Vec<u64> = (0..40 * 20u64).map(|k| k.wrapping_mul(0x9E37_79B9_7F4A_7C15)).collect();
    let whole = ActivationMatrix::from_word_rows(40 * 32, 20, &rows).unwrap();
    let mut builder = MatrixBuilder::new(40 * 32, 20).unwrap();
    for piece in rows.chunks(3 * 20) {
        builder.push(piece).unwrap();
    }
    assert_eq!(builder.finish().unwrap(), whole);
}

#[test]
fn refuses_wrong_sizes() {
    assert!(MatrixBuilder::new(0, 4).is_err());
    assert!(MatrixBuilder::new(4, 0).is_err());
    assert!(MatrixBuilder::new(MAX_POSITIONS + 1, 4).is_err());
    assert!(MatrixBuilder::new(1, MAX_HALF + 1).is_err());
    assert!(ActivationMatrix::from_word_rows(33, 4, &[0; 4]).is_err());
    assert!(ActivationMatrix::from_word_rows(33, 4, &[0; 12]).is_err());
    assert!(ActivationMatrix::from_word_rows(32, 4, &[0; 3]).is_err());
}

#[test]
fn artifact_round_trips_and_every_damage_of_its_frame_is_seen() {
    let matrix = sample();
    let mut bytes = Vec::new();
    matrix.write(&mut bytes).unwrap();
    assert_eq!(ActivationMatrix::read(&bytes).unwrap(), matrix);
    for cut in 0..bytes.len() {
        assert!(ActivationMatrix::read(&bytes[..cut]).is_err(), "cut at {cut}");
    }
    for at in 0..HEADER {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        // The size fields may come to a matrix of the same length in bytes with dirty padding, or a larger one: never the same.
        assert_ne!(ActivationMatrix::read(&damaged).ok(), Some(matrix.clone()), "byte {at}");
    }
    let mut padded = bytes.clone();
    padded[HEADER + 8 * 3] = 1;
    let error = ActivationMatrix::read(&padded).unwrap_err().to_string();
    assert!(error.contains("neuron 0 has bits past the last sample"), "{error}");
    bytes.push(0);
    assert!(ActivationMatrix::read(&bytes).is_err());
}
