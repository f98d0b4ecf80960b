use super::*;
use crate::stage::{Action, key};

#[test]
fn the_formula_is_part_of_every_key_that_it_decides() {
    let (decode, encoding) = (Decode::Lc0V032, LayerEncoding::Linear16);
    let of = |action: &Action| key(action).contains(r#""decode":"lc0-0.32""#);
    assert!(of(&Action::ReadWeights(ReadWeights { decode, embedded: false, changed: None })));
    assert!(of(&Action::Fold(Fold { encoding: None, decode })));
    assert!(of(&Action::Encode(Encode { encoding, decode })));
    assert!(of(&Action::Blend(Box::new(Blend { shares: vec![0.5, 0.5], grafts: Vec::new(), encoding: None, decode }))));
    let write = |format| Action::WriteWeights(Box::new(WriteWeights { format, metadata: Metadata::default() }));
    assert!(of(&write(WeightFormat::Tensors { npz: false, view: View::Raw, decode })));
    // Stored layers are copied, whatever their floats are.
    assert_eq!(key(&write(WeightFormat::Gzip)), r#"{"format":"pb.gz"}"#);
}

#[test]
fn a_header_is_in_the_keys_of_files_that_have_one() {
    let metadata = Metadata { license: Some(Some("CC0".into())), ..Metadata::default() };
    let write = |format| key(&Action::WriteWeights(Box::new(WriteWeights { format, metadata: metadata.clone() })));
    assert_eq!(write(WeightFormat::Protobuf), r#"{"format":"pb","metadata":{"license":"CC0"}}"#);
    let decode = Decode::default();
    let onnx = WeightFormat::Onnx { policy: "vanilla".into(), value: "winner".into(), numbers: Some(OnnxType::Float32), decode };
    assert!(!write(onnx).contains("CC0"));
}
