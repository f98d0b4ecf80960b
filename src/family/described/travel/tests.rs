use super::*;
use crate::net::shipped;

const SIZES: [&str; 1] = ["sizes.neuron=4"];

/// bullet's example with four neurons, and a network of it.
fn network() -> (Described, Value) {
    let text = shipped::find("bullet-simple").unwrap().text;
    let overrides = SIZES.map(str::to_owned).to_vec();
    let description = Description { name: "mine".into(), file: "mine.toml".into(), text: text.into(), table: Vec::new(), overrides };
    let architecture = Architecture::describe(&description).unwrap();
    let tensor = |index: usize, dtype: DType, shape: &[usize]| {
        let bytes = (0..shape.iter().product::<usize>() * dtype.size()).map(|at| (at * 7 + index) as u8);
        Some(Tensor { dtype, shape: shape.to_vec(), bytes: Storage::Owned(bytes.collect()) })
    };
    let tensors = vec![tensor(0, DType::I16, &[768, 4]), tensor(1, DType::I16, &[4]), tensor(2, DType::I16, &[2, 4]), None];
    let action = Described {
        stage: Stage::Gather,
        params: key::of_gather(&architecture),
        architecture: Arc::new(description),
        overflow: Overflow::Clamp,
        from: "raw".to_owned(),
        to: "quantised".to_owned(),
        steps: Vec::new(),
        work: Work::Gather(Box::new(Gather { positions: 10, seed: 0, filters: Default::default() })),
    };
    (action, Value { contents: Arc::new(Contents { tensors, kept: Kept::default() }), entries: 4 })
}

fn params(action: &Described) -> Map<String, Json> {
    Action::Described(Box::new(action.clone())).params()
}

#[test]
fn what_gathering_reads_arrives_and_nothing_else_is_sent() {
    let (action, value) = network();
    let bytes = packed(&action, &value).unwrap();
    let arrived = requested(&params(&action), &Bytes::from_vec(bytes.clone())).unwrap().unwrap();
    assert_eq!(arrived.params(), params(&action));
    let unpacked = unpacked(&bytes, Blake3::of(&bytes)).unwrap();
    assert_eq!(unpacked.entries, 4);
    // Biases and weights, whatever their places are there.
    let mut found: Vec<_> =
        unpacked.contents.tensors.iter().flatten().map(|tensor| (tensor.shape.clone(), tensor.bytes.to_vec())).collect();
    found.sort();
    let mut sent: Vec<_> =
        value.contents.tensors[..2].iter().flatten().map(|tensor| (tensor.shape.clone(), tensor.bytes.to_vec())).collect();
    sent.sort();
    assert_eq!(found, sent);
    assert!(!bytes.windows(9).any(|window| window == b"quantised"));
    // Other words, or none of here.
    let mut other = params(&action);
    other.insert("pairs".to_owned(), Json::Bool(true));
    assert!(requested(&other, &Bytes::from_vec(bytes.clone())).unwrap().is_none());
    assert!(requested(&params(&action), &Bytes::from_vec(b"else".to_vec())).unwrap().is_none());
    let steps = Described { work: Work::Steps(0..1), ..action };
    assert!(packed(&steps, &value).is_none());
}

#[test]
fn no_damage_is_taken_or_panics() {
    let (action, value) = network();
    let bytes = packed(&action, &value).unwrap();
    assert!(unpacked(&bytes, Blake3::of(b"")).map(drop).unwrap_err().to_string().contains("not the one of the request"));
    let refused = |bytes: &[u8]| unpacked(bytes, Blake3::of(bytes)).map(drop).unwrap_err().causes().join("; ");
    for cut in (0..bytes.len()).step_by(97) {
        refused(&bytes[..cut]);
        let _ = requested(&params(&action), &Bytes::from_vec(bytes[..cut].to_vec()));
    }
    assert!(refused(&[&bytes[..], b"x"].concat()).contains("1 bytes are left"));
    let with = |from: &str, to: &str| {
        let (head, values) = head(&bytes).unwrap();
        let head = serde_json::to_string(&head).unwrap();
        assert!(head.contains(from), "{head}");
        let head = head.replacen(from, to, 1);
        refused(&[MAGIC, &(head.len() as u64).to_le_bytes(), head.as_bytes(), values].concat())
    };
    for (from, to, part) in [
        (r#""shape":[4]"#, r#""shape":[18446744073709551615]"#, "is cut off"),
        (r#""shape":[4]"#, r#""shape":[2,2]"#, "has 2 axes"),
        (r#"{"role":"ft.bias","dtype":"i16""#, r#"{"role":"ft.bias","dtype":"i99""#, "values of `i99`"),
        (r#"{"role":"ft.bias""#, r#"{"role":"ft.psq""#, "has 1 axes"),
        (r#"{"role":"ft.bias","dtype":"i16","shape":[4]"#, r#"{"role":"ft.psq","dtype":"i16","shape":[2,2]"#, "twice"),
        (r#"{"role":"ft.bias""#, r#"{"role":"x""#, "no tensor `x`"),
    ] {
        assert!(with(from, to).contains(part), "{to}: {}", with(from, to));
    }
}
