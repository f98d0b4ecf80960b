use super::*;

#[test]
fn ramps_end_where_they_say() {
    let ramp = Ramp::around_zero(2.0);
    assert_eq!((ramp.step(-2.0), ramp.step(0.0), ramp.step(2.0), ramp.step(99.0), ramp.step(-99.0)), (0, 127, 254, 254, 0));
    assert_eq!(ramp.step(f64::NAN), 0);
    let palette = ramp.palette();
    assert_eq!((palette[0], palette[127], palette[254]), ([59, 76, 192], [221, 221, 221], [180, 4, 38]));
    let sizes = Ramp { scheme: Scheme::Viridis, low: 0.0, high: 1.0, absolute: true };
    assert_eq!(sizes.step(-1.0), 254);
    assert_eq!(sizes.palette()[0], [68, 1, 84]);
    assert_eq!(Ramp { low: 1.0, high: 1.0, ..ramp }.step(1.0), 127, "one value has the middle colour");
}
