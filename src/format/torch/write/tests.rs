use super::*;
use crate::files::Bytes;
use crate::format::{
    tensor::Source,
    torch::{Scalar, TorchFile},
};

fn tensors() -> Vec<TensorOut<'static>> {
    let bytes = |name: &str, dtype: DType, shape: &[usize], fill: u8| {
        let len = shape.iter().product::<usize>() * dtype.size();
        TensorOut { name: name.into(), dtype, shape: shape.to_vec(), data: Source::Bytes(vec![fill; len].into()) }
    };
    let stream = Source::Stream(Box::new(|out| (0..6u8).try_for_each(|i| out.write_all(&[0, 0, i, 0x40])).map_err(cannot_write)));
    vec![
        TensorOut::f32("b.weight", &[2, 3], vec![1.0, -2.5, 3.0, f32::MAX, 0.0, -0.0]),
        bytes("a.bias", DType::I64, &[4], 7),
        bytes("scalar", DType::F16, &[], 0x3c),
        bytes("empty", DType::F32, &[0, 3], 0),
        bytes("u16", DType::U16, &[5], 9),
        TensorOut { name: "streamed".into(), dtype: DType::F32, shape: vec![3, 2], data: stream },
    ]
}

#[test]
fn a_state_dict_is_deterministic_and_read_back_equal() {
    let write = || {
        let mut out = Vec::new();
        write_state_dict(&mut out, &tensors()).unwrap();
        out
    };
    let bytes = write();
    assert_eq!(bytes, write());
    let file = TorchFile::open(Bytes::from_vec(bytes)).unwrap();
    file.verify_storages().unwrap();
    let found = file.state_dict().unwrap();
    assert_eq!(found.len(), 6);
    for ((name, view), out) in found.iter().zip(tensors()) {
        assert_eq!((name, view.dtype(), view.shape()), (&out.name, out.dtype, &*out.shape));
        let mut expected = Vec::new();
        out.write_to(&mut expected).unwrap();
        assert_eq!(view.contiguous_le_bytes().unwrap(), expected, "{name}");
    }
    assert_eq!(found[0].1.rows_f32(1..2).unwrap().as_ref(), [f32::MAX, 0.0, -0.0]);
}

#[test]
fn wrong_sizes_types_and_names_are_refused() {
    let write = |tensors: &[TensorOut]| write_state_dict(&mut Vec::new(), tensors).unwrap_err().to_string();
    assert!(write(&[TensorOut::f32("a", &[3], vec![1.0])]).contains("needs 12 bytes, 4 were given"));
    assert!(write(&[TensorOut { dtype: DType::F64, ..TensorOut::f32("a", &[1], vec![1.0]) }]).contains("another type"));
    assert!(write(&[TensorOut::f32("a", &[1], vec![1.0]), TensorOut::f32("a", &[1], vec![1.0])]).contains("occurs twice"));
    assert!(write(&[TensorOut::f32("a", &[usize::MAX, 2], vec![])]).contains("overflows"));
    let lying = Source::Stream(Box::new(|out| out.write_all(&[0; 3]).map_err(cannot_write)));
    assert!(write(&[TensorOut { data: lying, ..TensorOut::f32("a", &[1], vec![]) }]).contains("3 were written"));
    let error = write_archive(&mut Vec::new(), &PickleValue::Tensor(0), &[]).unwrap_err();
    assert!(error.to_string().contains("no tensor 0"));
    assert!(write_archive(&mut Vec::new(), &PickleValue::global("os\nx", "y"), &[]).is_err());
}

#[test]
fn a_module_in_constructor_form_gives_its_tensors_and_attributes() {
    let sizes = PickleValue::global("model.config", "ModelConfig").reduce(vec![]).build(vec![("L1", PickleValue::Int(128))]);
    let config = PickleValue::global("model.config", "NNUELightningConfig").reduce(vec![]).build(vec![
        ("features", PickleValue::str("HalfKAv2_hm^")),
        ("model_config", sizes),
        ("lr", PickleValue::Float(0.5)),
        ("steps", PickleValue::List(vec![PickleValue::Int(-1), PickleValue::Int(1 << 40), PickleValue::Bool(true), PickleValue::None])),
    ]);
    let tensors = tensors();
    let weights = tensors.iter().enumerate().map(|(i, tensor)| (PickleValue::str(&*tensor.name), PickleValue::Tensor(i))).collect();
    let module = PickleValue::global("model.nnue", "NNUE").reduce(vec![config]);
    let module = module.call("load_state_dict", vec![PickleValue::OrderedDict(weights)]);
    let mut out = Vec::new();
    write_archive(&mut out, &module, &tensors).unwrap();
    let file = TorchFile::open(Bytes::from_vec(out)).unwrap();
    assert_eq!(file.root().class().as_deref(), Some("model.nnue.NNUE"));
    assert_eq!(file.state_dict().unwrap().len(), 6);
    let attributes = file.attributes().unwrap();
    let get = |name: &str| attributes.iter().find(|(found, _)| found == name).map(|(_, value)| value.clone());
    assert_eq!(get("args.0.features"), Some(Scalar::Str("HalfKAv2_hm^".into())));
    assert_eq!(get("args.0.model_config.L1"), Some(Scalar::Int(128)));
    assert_eq!(get("args.0.lr"), Some(Scalar::Float(0.5)));
    assert_eq!(get("args.0.steps.0"), Some(Scalar::Int(-1)));
    assert_eq!(get("args.0.steps.1"), Some(Scalar::Int(1 << 40)));
}
