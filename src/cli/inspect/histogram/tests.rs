use super::*;

#[test]
fn every_number_is_in_one_bin() {
    let values: Vec<f32> = (0..=240).map(|value| value as f32).chain([f32::NAN, f32::INFINITY]).collect();
    let counted = histogram(&values, (0.0, 240.0), |value| f64::from(*value));
    assert_eq!(counted.counts.iter().sum::<u64>(), 241);
    assert_eq!(joined(&counted.counts, USUAL)[0], 10);
    assert_eq!(joined(&counted.counts, USUAL)[USUAL - 1], 11);
    for width in [1, 7, 24, 60, BINS] {
        assert_eq!(counted.bars(width).chars().count(), width);
        assert_eq!(joined(&counted.counts, width).iter().sum::<u64>(), 241);
    }
    assert_eq!(counted.bars(1000).chars().count(), BINS);
    assert_eq!(serde_json::to_value(counted).unwrap()["counts"].as_array().unwrap().len(), USUAL);
    let same = histogram(&[5i8; 7], (5.0, 5.0), |value| f64::from(*value));
    assert_eq!(same.counts[0], 7);
    assert_eq!(same.bars(USUAL).trim_end(), "█");
    assert_eq!(Histogram::empty((0.0, 1.0)).bars(USUAL).trim(), "");
}
