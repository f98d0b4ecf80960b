use super::*;
use crate::family::described::tensor::Storage;

#[test]
fn two_chunks_of_one_lane_meet() {
    let tensor = |values: [i8; 8], shape: Vec<usize>| Tensor {
        dtype: DType::I8,
        shape,
        bytes: Storage::Owned(values.map(i8::cast_unsigned).to_vec()),
    };
    // Lane 0: 1+2 and 100+100; lane 1: 127+127 and 0+4.
    assert_eq!(largest_of(&tensor([1, -2, 127, -127, 100, 100, 0, 4], vec![1, 8]), 1), 258);
    // One chunk an output: nothing to meet, and the two outputs stay apart.
    assert_eq!(largest_of(&tensor([1, -2, 127, -128, 100, 100, 0, 4], vec![2, 4]), 1), 255);
}
