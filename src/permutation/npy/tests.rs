use super::*;

fn array(dtype: DType, shape: &[usize], data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    npy::write_header(&mut bytes, dtype, shape).unwrap();
    bytes.extend_from_slice(data);
    bytes
}

/// 70 positions × L1=10: neither whole word-rows nor whole bytes.
fn bools() -> Vec<u8> {
    (0..700u32).map(|k| (k.wrapping_mul(2_654_435_761) >> 13 & 1) as u8).collect()
}

#[test]
fn bool_matrices_round_trip() {
    let bytes = array(DType::Bool, &[70, 10], &bools());
    let matrix = read_matrix(&bytes, None).unwrap();
    assert_eq!((matrix.positions(), matrix.half()), (70, 5));
    for (k, &bit) in bools().iter().enumerate() {
        let (position, column) = (k / 10, k % 10);
        let sample = 2 * position + column / 5;
        assert_eq!(matrix.column(column % 5)[sample / 64] >> (sample % 64) & 1, u64::from(bit));
    }
    let mut again = Vec::new();
    write_matrix(&matrix, &mut again).unwrap();
    assert_eq!(again, bytes);
}

#[test]
fn packed_matrices_are_the_same() {
    let packed: Vec<u8> = bools()
        .chunks(10)
        .flat_map(|row| {
            row.chunks(8).map(|bits| bits.iter().enumerate().fold(0, |byte, (k, bit)| byte | bit << (7 - k))).collect::<Vec<u8>>()
        })
        .collect();
    let packed = array(DType::U8, &[70, 2], &packed);
    let matrix = read_matrix(&packed, Some(10)).unwrap();
    assert_eq!(matrix, read_matrix(&array(DType::Bool, &[70, 10], &bools()), Some(10)).unwrap());
    assert!(read_matrix(&packed, None).unwrap_err().help_text().unwrap().contains("--l1 16"));
    assert!(read_matrix(&packed, Some(18)).is_err());
    let mut dirty = packed.clone();
    *dirty.last_mut().unwrap() |= 1;
    assert_eq!(read_matrix(&dirty, Some(10)).unwrap_err().to_string(), "this activation matrix is damaged: row 69 has bits past column 9");
}

#[test]
fn refuses_what_is_no_matrix() {
    let mut two = bools();
    two[123] = 2;
    let error = read_matrix(&array(DType::Bool, &[70, 10], &two), None).unwrap_err().to_string();
    assert_eq!(error, "this activation matrix is damaged: the element in row 12, column 3 is 2, and a `bool` is 0 or 1");
    assert!(read_matrix(&array(DType::Bool, &[0, 10], &[]), None).is_err());
    assert!(read_matrix(&array(DType::Bool, &[10, 0], &[]), None).is_err());
    assert!(read_matrix(&array(DType::Bool, &[2, 5], &[0; 10]), None).is_err());
    assert!(read_matrix(&array(DType::Bool, &[2, 6], &[0; 12]), Some(8)).is_err());
    assert!(read_matrix(&array(DType::I32, &[1, 2], &[0; 8]), None).is_err());
    assert!(read_matrix(&array(DType::Bool, &[8], &[0; 8]), None).is_err());
}

#[test]
fn permutations_round_trip_and_int32_is_read() {
    let perm = Permutation::try_from([3i64, 1, 0, 2].as_slice()).unwrap();
    let mut bytes = Vec::new();
    write_permutation(&perm, &mut bytes).unwrap();
    assert_eq!(read_permutation(&bytes).unwrap(), perm);
    let ints: Vec<u8> = [3i32, 1, 0, 2].iter().flat_map(|value| value.to_le_bytes()).collect();
    assert_eq!(read_permutation(&array(DType::I32, &[4], &ints)).unwrap(), perm);
    assert!(read_permutation(&array(DType::I32, &[2, 2], &ints)).is_err());
    assert!(read_permutation(&array(DType::U8, &[4], &[0, 1, 2, 3])).is_err());
}
