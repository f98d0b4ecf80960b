use super::*;

/// Ranges whose codes are just far enough apart, where rounding is worst.
#[test]
fn codes_that_are_far_apart_are_told() {
    let mut tried = 0;
    for (low, steps) in
        [(-1.0f32, 1.0f32), (0.0, 1.0), (-0.3, 3.0), (1.0, 1.0), (3.999, 2.0), (-7.5e-20, 1.0), (1.2e30, 1.5), (-1e-42, 1.0)]
    {
        // The least range above this beginning that is far enough.
        let mut max = low;
        let mut width = f64::from(low.abs()).max(1e-44) * f64::from(steps) / 16.0;
        while !are_far_apart(low, max) {
            width *= 1.03;
            max = (f64::from(low) + width) as f32;
        }
        for decode in Decode::ALL.iter().copied() {
            assert!(max.is_finite() && is_each_code_told(Encoding::Linear16, low, max, decode), "{low} to {max}");
            tried += 1;
        }
    }
    assert_eq!(tried, 16);
    assert!(!are_far_apart(1.0, 1.0001) && !are_far_apart(2.0, 1.0) && !are_far_apart(f32::MIN, f32::MAX));
}
