use super::*;

#[test]
fn the_figures_are_those_of_their_definitions() {
    let (a, b) = ([1.0, 2.0, 3.0, 4.0], [1.0, 4.0, 3.0, 0.0]);
    let comparison = compare(&a, &b);
    assert_eq!((comparison.positions, comparison.mean, comparison.mean_abs, comparison.max_abs), (4, -0.5, 1.5, 4.0));
    assert_eq!(comparison.worst.iter().map(|worst| worst.index).collect::<Vec<_>>(), [3, 1]);
    assert!((comparison.correlation.unwrap() - -0.2 / (1.25f64 * 2.5).sqrt() * 2.5).abs() < 0.2);
    assert_eq!(comparison.histogram.counts.iter().sum::<u64>(), 4);
    assert_eq!(comparison.histogram.counts[7], 2);
    let same = compare(&a, &a);
    assert_eq!((same.max_abs, same.worst.len()), (0.0, 0));
    assert!((same.correlation.unwrap() - 1.0).abs() < 1e-12);
    assert_eq!(compare(&[1.0, 1.0], &[1.0, 2.0]).correlation, None);
    assert_eq!(compare(&[], &[]).mean_abs, 0.0);
}
