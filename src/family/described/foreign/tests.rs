use super::*;

fn file(version: u32, description: &str, transformer: u32, more: usize) -> Vec<u8> {
    let mut bytes = [version.to_le_bytes(), [0; 4], (description.len() as u32).to_le_bytes()].concat();
    bytes.extend_from_slice(description.as_bytes());
    bytes.extend_from_slice(&transformer.to_le_bytes());
    bytes.resize(bytes.len() + more, 0);
    bytes
}

#[test]
fn headers_tell_what_a_file_is() {
    let old = |description: &str| recognize(&file(0x7AF3_2F16, description, 1, 0));
    let found = old("Features=HalfKP(Friend)[125388->256x2],Network=AffineTransform[1<-32]").unwrap();
    assert_eq!((found.architecture, found.sets), ("shogi", vec!["sizes.row=125388".to_owned(), "sizes.neuron=256".to_owned()]));
    let found = old("ModelType=SFNNWithoutPsqt;Features=K+A2[1791->64x2],Network=SFNN_KA2_64_7_32_K3K3{LayerStack=9}").unwrap();
    assert_eq!(found.sets[2..], ["sizes.out=8", "sizes.l3=32", "sizes.head=9"]);
    // Chess.
    assert_eq!(old("Features=HalfKP(Friend)[41024->256x2],Network=AffineTransform[1<-32]"), None);
    assert_eq!(old("nothing"), None);
    let fairy = recognize(&file(0x7AF3_2F20, "x", 0x5F23_48B8, 1024 + 1000 * 1056 + 8 * STACK_2021)).unwrap();
    assert_eq!(fairy.sets, ["sizes.row=1000"]);
    assert_eq!(recognize(&file(0x7AF3_2F20, "x", 0x5F23_48B8, 1024 + 45056 * 1056 + 8 * STACK_2021)), None);
    for length in 0..20 {
        assert_eq!(recognize(&file(0x7AF3_2F16, "x", 1, 0)[..length.min(17)]), None);
    }
}
