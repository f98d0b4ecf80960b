use super::*;

fn archive() -> Vec<u8> {
    let mut out = Vec::new();
    let long: Vec<f32> = (0..600).map(|i| i as f32).collect();
    write(&mut out, &[TensorOut::f32("a.b", &[2, 300], long), TensorOut::f32("c", &[], vec![0.5])]).unwrap();
    out
}

#[test]
fn what_is_written_is_read_back() {
    let npz = Npz::open(Bytes::from_vec(archive())).unwrap();
    assert_eq!(npz.names().collect::<Vec<_>>(), ["a.b", "c"]);
    let array = npz.array("a.b").unwrap();
    assert_eq!(array.shape(), [2, 300]);
    assert_eq!(array.to_f32().unwrap()[599], 599.0);
    assert_eq!(npz.array("c").unwrap().shape(), [0usize; 0]);
    assert!(npz.array("d").unwrap_err().to_string().contains("no array `d`"));
    let mut damaged = archive();
    let at = damaged.len() / 2;
    damaged[at] ^= 1;
    let error = Npz::open(Bytes::from_vec(damaged)).unwrap().array("a.b").unwrap_err();
    assert!(error.to_string().contains("checksum"), "{error}");
}
