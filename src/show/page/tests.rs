use std::io::Read;

use super::*;
use crate::net::random_network;

fn unpacked(text: &str) -> Vec<i32> {
    let mut bytes = Vec::new();
    let packed = STANDARD.decode(text).unwrap();
    flate2::read::ZlibDecoder::new(packed.as_slice()).read_to_end(&mut bytes).unwrap();
    let count = bytes.len() / PLANES;
    (0..count).map(|k| i32::from_le_bytes(std::array::from_fn(|plane| bytes[plane * count + k]))).collect()
}

#[test]
fn numbers_come_back_from_a_page() {
    let numbers = [0, 1, -1, 300, -70_000, i32::MAX, i32::MIN];
    assert_eq!(unpacked(&packed(&numbers)), numbers);
}

#[test]
fn single_neurons_have_every_weight_in_its_cell() {
    let network = random_network("SFNNv5", 16, 3);
    let subject = Subject::new("test", &network, None).unwrap();
    let inputs = Inputs::of(&subject, &Options::default());
    let detail = Detail::of(&subject, &inputs, &Options::default(), Some(3));
    assert_eq!(detail.neurons, [3, 16]);
    assert_eq!(detail.columns.len(), 3 + 8);
    let largest = order_of_neurons(&inputs.norms);
    let mut shown: Vec<usize> = largest[..3].to_vec();
    shown.sort_unstable();
    let matrix = &inputs.matrices[0].0;
    for (column, neuron) in detail.columns.iter().zip(&shown) {
        assert!(column["name"].as_str().unwrap().starts_with(&format!("neuron {neuron} ")));
        assert_eq!(unpacked(column["data"][0].as_str().unwrap()), matrix.column(*neuron));
    }
    let cells = unpacked(detail.blocks[0]["layouts"]["king-centric"]["cells"].as_str().unwrap());
    let [x, y] = super::super::place(NeuronOrder::KingCentric, 5, 54, 13);
    let row = super::super::PieceSquares::of(matrix.block).unwrap().row(5, 54, 13).unwrap();
    assert_eq!(cells[y * 128 + x], row as i32);
}

#[test]
fn a_page_cannot_be_broken_out_of() {
    let evil = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'";
    let mut scene = Scene::new("x", evil, 10.0, 10.0);
    scene.heading([0.0, 0.0], evil);
    let table = Table {
        heads: vec![evil.to_owned()],
        rows: vec![vec![Cell::Link(evil.to_owned(), evil.to_owned())]],
        sortable: true,
        folded: Some(evil.to_owned()),
    };
    let section = Section::new("a", evil).text(evil).picture(scene).table(table);
    let page = Page { title: evil.to_owned(), subtitle: evil.to_owned(), sections: vec![section], detail: None };
    let html = page.html();
    assert_eq!(html.matches("<script").count(), 2, "its own");
    assert_eq!(html.matches("</script>").count(), 2);
    assert!(!html.contains("<img"));
    assert_eq!(html, page.html());
}
