use super::*;

#[test]
fn writes_what_numpy_writes_and_reads_it_back() {
    let mut bytes = Vec::new();
    write_header(&mut bytes, DType::I64, &[3]).unwrap();
    assert_eq!(bytes.len(), 128, "numpy pads the header of a small array to 128 bytes");
    bytes.extend_from_slice(bytemuck::cast_slice(&[2i64, 0, 1]));
    let (header, data) = parse(&bytes).unwrap();
    assert_eq!((header.dtype, header.shape, header.data_offset, data.len()), (DType::I64, vec![3], 128, 24));
}

#[test]
fn every_truncation_is_an_error() {
    let mut bytes = Vec::new();
    write_header(&mut bytes, DType::U8, &[2, 5]).unwrap();
    bytes.extend_from_slice(&[0; 10]);
    for cut in 0..bytes.len() {
        assert!(parse(&bytes[..cut]).is_err(), "cut at {cut}");
    }
    bytes.push(0);
    assert!(parse(&bytes).is_err(), "trailing byte");
}
