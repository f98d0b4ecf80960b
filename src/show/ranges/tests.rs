use super::*;
use crate::draw::Item;
use crate::net::random_network;

#[test]
fn every_neuron_has_its_range_and_overflows_stand_out() {
    let network = random_network("SFNNv5", 4, 3);
    let subject = Subject::new("test", &network, None).unwrap();
    let possible: Vec<Range> = [(-5, 7), (-40_000, 3), (0, 100), (-1, 1)].map(|(low, high)| Range { low, high }).to_vec();
    let seen = vec![Range { low: 0, high: 1 }; 4];
    let scene = sums_picture(&subject, &SumRanges { possible: &possible, seen: Some((&seen, 12)) });
    let bars: Vec<(&str, Ink)> = scene
        .items
        .iter()
        .filter_map(|item| match item {
            Item::Fill { hover: Some(hover), ink, .. } => Some((hover.as_str(), *ink)),
            _ => None,
        })
        .collect();
    assert_eq!(bars.len(), 8);
    assert_eq!(bars[0], ("neuron 1: -40000 to 3 possible", Ink::Limit));
    assert_eq!(bars[2], ("neuron 2: 0 to 100 possible", Ink::Series(0)));
    assert_eq!(bars[7], ("neuron 3: 0 to 1 seen, -1 to 1 possible", Ink::Series(1)));
}
