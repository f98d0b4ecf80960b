use super::*;

#[test]
fn every_move_has_its_own_place() {
    for map in [attention_map(), convolution_map()] {
        assert_eq!(map.len(), super::super::super::sizes::MOVES);
        let mut sorted = map.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), map.len());
    }
    assert!(attention_map().iter().all(|place| *place < 67 * 64) && convolution_map().iter().all(|place| *place < 73 * 64));
}
