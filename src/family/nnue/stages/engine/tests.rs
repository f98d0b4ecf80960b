use super::*;

#[test]
fn nodes_are_read_from_the_lines_of_both_kinds() {
    for (line, nodes) in [
        ("Nodes searched  : 4593", Some(4593)),
        ("Nodes searched: 0", Some(0)),
        ("1484730 nodes 1220814 nps", Some(1_484_730)),
        ("info depth 3 nodes 40 nps 100", None),
        ("Nodes searched  : many", None),
        ("Nodes/second    : 12", None),
        ("", None),
    ] {
        assert_eq!(nodes_of(line), nodes, "{line}");
    }
}

#[test]
fn intervals_are_those_of_students_t() {
    for (freedom, expected) in [(1, 12.7062), (10, 2.2281), (11, 2.2010), (19, 2.0930), (40, 2.0211), (1000, 1.9623)] {
        assert!((student(freedom) - expected).abs() < 3e-4, "{freedom}: {}", student(freedom));
    }
    // Of 10 % with a deviation of 2 %: t of 3 degrees of freedom, 3.1824 · 0.02 / 2.
    let logarithms = [0.08, 0.12, 0.08, 0.12];
    let deviation = (4.0 * 0.02_f64.powi(2) / 3.0).sqrt();
    let half = 3.1824 * deviation / 2.0;
    let Speed { pairs, ratio, low, high } = super::ratio(&logarithms);
    assert_eq!(pairs, 4);
    for (found, expected) in [(ratio, 0.1_f64.exp()), (low, (0.1 - half).exp()), (high, (0.1 + half).exp())] {
        assert!((found - expected).abs() < 1e-4, "{found} {expected}");
    }
    let same = super::ratio(&[0.0, 0.0, 0.0]);
    assert_eq!((same.ratio, same.low, same.high), (1.0, 1.0, 1.0));
}
