use super::*;
use crate::net::random_network;

fn net(network: QuantizedNetwork) -> Net {
    Net { network: Arc::new(network), compression: None, candidates: Vec::new() }
}

#[test]
fn tensors_make_the_network_again() {
    for (generation, l1, seed) in [("SFNNv1", 32, 1), ("SFNNv5", 64, 2), ("SFNNv10b", 32, 3), ("SFNNv16", 32, 4)] {
        let original = net(random_network(generation, l1, seed));
        let other = net(random_network(generation, l1, seed + 100));
        let made = other.with_tensors(&original.tensors()).unwrap();
        assert_eq!(made.tensors(), original.tensors(), "{generation}");
        let start = "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1";
        if original.evaluate(start).is_ok() {
            assert_eq!(made.evaluate(start).unwrap(), original.evaluate(start).unwrap(), "{generation}");
        }
        for tensor in original.tensors() {
            assert_eq!(tensor.shape.iter().product::<usize>(), tensor.values.len(), "{generation}, {}", tensor.name);
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let net = net(random_network("SFNNv5", 64, 2));
    let with = |name: &str, shape: &[usize], values: Values<'static>| {
        net.with_tensors(&[Tensor { name: name.to_owned(), shape: shape.to_vec(), values }]).map(|_| ()).map_err(|error| error.to_string())
    };
    let zeros = || Values::I16(vec![0; 64].into());
    assert!(with("ft.bias", &[64], zeros()).is_ok());
    assert!(with("ft.bais", &[64], zeros()).unwrap_err().contains("no tensor `ft.bais`"));
    assert!(with("ft.bias", &[32], zeros()).unwrap_err().contains("[64] of int16"));
    assert!(with("ft.bias", &[8, 8], zeros()).is_err());
    assert!(with("ft.bias", &[64], Values::I32(vec![0; 64].into())).is_err());
    assert!(with("ft.bias", &[usize::MAX, 2], zeros()).is_err());
}
