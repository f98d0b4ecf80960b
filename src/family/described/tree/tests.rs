use super::*;

fn integer(root: &Node, keys: &[&str]) -> Option<i64> {
    let mut node = root;
    for key in keys {
        node = match &node.value {
            Value::Table(entries) => &entries.iter().find(|(name, _)| name.text == *key)?.1,
            Value::List(items) => items.get(key.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    match node.value {
        Value::Integer(number) => Some(number),
        _ => None,
    }
}

#[test]
fn values_are_set_by_path() {
    let mut problems = Vec::new();
    let mut root = parse("[sizes]\nneuron = 1\n[[inputs]]\nx = [1, 2]\n[tensors]\n\"a.b\" = 3\n", 0, &mut problems);
    let mut texts = Texts::new("x", "");
    for argument in ["sizes.neuron=64", "inputs.0.x.1 = 7", "tensors.\"a.b\"=9"] {
        set(&mut root, argument, &mut texts, &mut problems);
    }
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(integer(&root, &["sizes", "neuron"]), Some(64));
    assert_eq!(integer(&root, &["inputs", "0", "x", "1"]), Some(7));
    assert_eq!(integer(&root, &["tensors", "a.b"]), Some(9));
    for argument in ["", "=1", "sizes", "sizes.neuron.deep=1", "sizes.nouron=1", "inputs.5.x=1"] {
        problems.clear();
        set(&mut root, argument, &mut texts, &mut problems);
        assert_eq!(problems.len(), 1, "{argument}");
    }
}
