use super::*;

#[test]
fn a_form_runs_where_all_that_it_needs_is_there() {
    // No processor is of both families.
    let both: &[Feature] = &[Feature::Neon, Feature::Popcnt];
    assert_eq!(runnable(&[("plain", &[]), ("impossible", both)]), ["plain"]);
}
