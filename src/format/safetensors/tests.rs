use super::*;

fn file(header: &str, data: usize) -> Bytes {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes.resize(bytes.len() + data, 1);
    Bytes::from_vec(bytes)
}

fn refusal(header: &str, data: usize) -> String {
    read(file(header, data)).unwrap_err().to_string()
}

#[test]
fn what_is_written_is_read_back_and_is_the_librarys_bytes() {
    let tensors = [
        TensorOut::f32("b", &[2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
        TensorOut { dtype: DType::F16, ..TensorOut::f32("a", &[3], vec![]) },
    ];
    let [b, mut a] = tensors;
    a.data = crate::format::tensor::Source::Bytes(vec![0; 6].into());
    let mut out = Vec::new();
    write(&mut out, &[a, b], &[("z".into(), "1".into()), ("a".into(), "\"ü\"".into())]).unwrap();
    let expected = r#"{"__metadata__":{"a":"\"ü\"","z":"1"},"b":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"a":{"dtype":"F16","shape":[3],"data_offsets":[24,30]}}"#;
    assert!(String::from_utf8_lossy(&out[8..]).starts_with(expected));
    let read = read(Bytes::from_vec(out)).unwrap();
    assert_eq!(read.metadata, [("a".to_string(), "\"ü\"".to_string()), ("z".to_string(), "1".to_string())]);
    assert_eq!(read.tensors[0].1.to_f32().unwrap().as_ref(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    assert_eq!(read.tensors[1].0, "a");
}

#[test]
fn every_broken_rule_is_named() {
    assert!(
        refusal(r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}"#, 6)
            .contains("begins at byte 2")
    );
    assert!(refusal(r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, 8).contains("begins at byte 4"));
    assert!(refusal(r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 5).contains("end at byte 4"));
    assert!(refusal(r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, 4).contains("bytes 0 to 8 of 4"));
    assert!(refusal(r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, 4).contains("tensor `a`"));
    assert!(refusal(r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}}"#, 8).contains("needs 4 bytes, it has 8"));
    assert!(refusal(r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,18446744073709551615]}}"#, 4).contains("lies at bytes"));
    assert!(refusal(r#"{"a":{"dtype":"F9","shape":[],"data_offsets":[0,4]}}"#, 4).contains("`F9` is unknown"));
    assert!(
        refusal(r#"{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}"#, 4)
            .contains("`a` occurs twice")
    );
    assert!(refusal(r#"{"__metadata__":{"k":"1","k":"2"}}"#, 0).contains("`k` occurs twice"));
    assert!(refusal(r#"{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4],"x":1}}"#, 4).contains("unknown field"));
    assert!(refusal(r#"{"a":{"dtype":"F32","shape":[9223372036854775807,3],"data_offsets":[0,4]}}"#, 4).contains("overflows"));
    assert!(refusal("[]", 0).contains("not a JSON object"));
    assert!(read(Bytes::from_vec(vec![0xff; 8])).unwrap_err().to_string().contains("the limit is 100000000"));
    assert!(read(Bytes::from_vec(vec![1; 7])).unwrap_err().to_string().contains("7 bytes"));
    assert!(read(file("{}", 0)).unwrap().tensors.is_empty());
    assert!(read(file(r#"{"__metadata__":null}"#, 0)).unwrap().metadata.is_empty());
    assert!(refusal(r#"{"__metadata__":1}"#, 0).contains("a JSON object"));
}
