use super::*;

fn storage(bytes: Vec<u8>, big_endian: bool) -> Arc<Storage> {
    let range = 0..bytes.len();
    Arc::new(Storage::new(Bytes::from_vec(bytes), range, big_endian, None, "record `x`".into()).unwrap())
}

fn floats(n: usize) -> Arc<Storage> {
    storage((0..n).flat_map(|i| (i as f32).to_le_bytes()).collect(), false)
}

#[test]
fn views_of_every_layout_give_the_right_elements() {
    let x = floats(24);
    let whole = TensorView::dense(x.clone(), DType::F32, vec![4, 6], 0).unwrap();
    assert_eq!(whole.stride(), [6, 1]);
    assert_eq!(whole.rows_f32(1..3).unwrap(), (6..18).map(|i| i as f32).collect::<Vec<_>>());
    let transposed = TensorView::new(x.clone(), DType::F32, vec![6, 4], vec![1, 6], 0).unwrap();
    assert!(transposed.contiguous().unwrap().is_none());
    assert_eq!(transposed.rows_f32(0..2).unwrap().as_ref(), [0., 6., 12., 18., 1., 7., 13., 19.]);
    let expanded = TensorView::new(x.clone(), DType::F32, vec![3, 2], vec![0, 1], 4).unwrap();
    assert_eq!(expanded.to_f32().unwrap().as_ref(), [4., 5., 4., 5., 4., 5.]);
    let scalar = TensorView::new(x.clone(), DType::F32, vec![], vec![], 7).unwrap();
    assert_eq!(scalar.to_f32().unwrap().as_ref(), [7.]);
    assert!(scalar.rows_f32(0..1).is_err());
    let empty = TensorView::new(x, DType::F32, vec![0, 5], vec![5, 1], 99).unwrap();
    assert_eq!(empty.to_f32().unwrap().len(), 0);
    assert_eq!(empty.contiguous_le_bytes().unwrap().len(), 0);
}

#[test]
fn impossible_layouts_are_refused() {
    let x = floats(16);
    let view = |shape: &[usize], stride: &[usize], offset| TensorView::new(x.clone(), DType::F32, shape.to_vec(), stride.to_vec(), offset);
    assert!(view(&[4, 4], &[4, 1], 0).is_ok());
    assert!(view(&[4, 4], &[4, 1], 1).unwrap_err().to_string().contains("needs 17 elements"), "one past the end");
    assert!(view(&[4, 4], &[4], 0).is_err());
    assert!(view(&[1 << 20, 1 << 20], &[1 << 20, 1], 0).is_err());
    assert!(view(&[1 << 40, 1 << 40], &[0, 0], 0).unwrap_err().to_string().contains("overflows"));
    assert!(view(&[2], &[usize::MAX], 0).is_err());
    assert!(view(&[1; 65], &[1; 65], 0).is_err());
    assert!(view(&[0, 1 << 62, 8], &[1, 1, 1], 0).is_err(), "an empty tensor's other sizes must not overflow either");
}

#[test]
fn a_huge_expanded_view_is_streamed_but_not_materialized() {
    let x = floats(4);
    let view = TensorView::new(x, DType::F32, vec![1 << 40], vec![0], 2).unwrap();
    assert!(view.to_f32().unwrap_err().to_string().contains("too large"));
    assert!(view.contiguous_le_bytes().is_err());
    assert_eq!(view.rows_f32(1 << 39..(1 << 39) + 3).unwrap().as_ref(), [2., 2., 2.]);
}

#[test]
fn halves_convert_exactly() {
    for bits in 0..=u16::MAX {
        let (sign, exponent, fraction) = (bits >> 15, i32::from(bits >> 10 & 31), f64::from(bits & 1023));
        let value = f64::from(f16::from_bits(bits).to_f32());
        let expected = match exponent {
            0 => fraction * 2f64.powi(-24),
            31 if fraction == 0.0 => f64::INFINITY,
            31 => f64::NAN,
            e => (1.0 + fraction / 1024.0) * 2f64.powi(e - 15),
        } * if sign == 1 { -1.0 } else { 1.0 };
        assert!(value == expected || value.is_nan() && expected.is_nan(), "{bits:04x}: {value} {expected}");
        assert_eq!(value.is_sign_negative(), sign == 1);
    }
}

#[test]
fn doubles_round_to_nearest_even_and_integers_are_refused() {
    let tie = 1.0 + 2f64.powi(-24);
    let x = storage([tie, 1.0 + 3.0 * 2f64.powi(-24), 1e300, -1e-300].iter().flat_map(|x| x.to_be_bytes()).collect(), true);
    let view = TensorView::dense(x.clone(), DType::F64, vec![4], 0).unwrap();
    assert_eq!(view.to_f32().unwrap().as_ref(), [1.0, 1.0 + 2.0 * f32::EPSILON, f32::INFINITY, -0.0]);
    assert_eq!(view.contiguous_le_bytes().unwrap()[..8], tie.to_le_bytes());
    assert!(TensorView::dense(x, DType::I64, vec![4], 0).unwrap().to_f32().unwrap_err().to_string().contains("int64"));
}

#[test]
fn a_wrong_checksum_is_found_when_the_data_is_taken() {
    let storage = Storage::new(Bytes::from_vec(vec![1, 2, 3, 4]), 0..4, false, Some(1), "record `a/data/0`".into()).unwrap();
    let view = TensorView::dense(Arc::new(storage), DType::F32, vec![1], 0).unwrap();
    assert!(view.to_f32().unwrap_err().to_string().contains("record `a/data/0` is damaged"));
    assert!(view.contiguous().is_err() && view.contiguous_le_bytes().is_err() && view.rows_f32(0..1).is_err());
}
